"""Real mail through MIME -> Item -> MIME keeps its header, structure, texts, attachments and messages within.

Both sides are read by Python's email package, which knows nothing of ours (`tests.corpus.reading`). What differs on
purpose or by the nature of MAPI is in `tests.corpus.differing`, with the reason.
"""

from __future__ import annotations

import email
import email.policy
from typing import Any

import pytest

from gromoxd.convert.compose import compose
from gromoxd.convert.itemof import item_of_mime
from tests.corpus.collect import CACHE, Corpus, collect, cpython_folders, looks_like_mail, strings_of, without_from_line
from tests.corpus.differing import ASPECTS
from tests.corpus.reading import aspects, differences, read
from tests.support.messages import to_crlf

SHARED = CACHE.parents[2] / "shared" / "corpus" / "mime"
ALL = 700


def at_hand() -> dict[str, bytes]:
    """Name -> message, of CPython's tests and the shared corpus: what needs no fetching."""
    found: dict[str, bytes] = {}
    folder = next(cpython_folders(), None)
    if folder is not None:
        for path in sorted((folder / "data").glob("*.txt")):
            found[f"cpython/data/{path.name}"] = path.read_bytes()
        for path in sorted(folder.glob("test_*.py")):
            for number, text in enumerate(strings_of(path.read_bytes())):
                found[f"cpython/{path.name}.{number}"] = text
    for path in sorted(SHARED.glob("*.eml")):
        found[f"shared/{path.name}"] = path.read_bytes()
    return {name: to_crlf(without_from_line(data)) for name, data in found.items() if looks_like_mail(data)}


MESSAGES = at_hand()


def again(raw: bytes) -> bytes:
    return compose(item_of_mime(raw, received=0), host="example.test")


def test_there_is_a_corpus() -> None:
    """Too little of it must not pass for success."""
    if not SHARED.is_dir():
        pytest.skip(f"THE SHARED CORPUS IS ABSENT; only {len(MESSAGES)} messages of CPython are tried")
    assert len(MESSAGES) > 150


@pytest.mark.parametrize("name", MESSAGES)
def test_what_a_message_has_it_keeps(name: str) -> None:
    found = differences(MESSAGES[name], again(MESSAGES[name]))
    known = ASPECTS.get(name, set())
    assert {aspect: pair for aspect, pair in found.items() if aspect not in known} == {}
    assert known <= found.keys(), "no longer different: take it out of KNOWN"


@pytest.mark.parametrize("name", MESSAGES)
def test_a_second_journey_changes_nothing(name: str) -> None:
    """What was made once is made again to the octet, but for what a second reading adds."""
    first = again(MESSAGES[name])
    assert again(MESSAGES[name]) == first
    before, after = aspects(read(first)), aspects(read(again(first)))
    assert {aspect: after.get(aspect) for aspect in before if aspect != "date"} == {
        aspect: value for aspect, value in before.items() if aspect != "date"
    }


def faults(raw: bytes) -> list[str]:
    """What is wrong with the form of a message that we made; its header fields are as they came."""
    found = [] if raw.replace(b"\r\n", b"").translate(None, b"\r\n") == raw.replace(b"\r\n", b"") else ["line ends"]
    if max(map(len, raw.split(b"\r\n"))) > 998:
        found.append("line length")
    if b"\0" in raw:
        found.append("NUL")
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    for part in message.walk():
        found += [type(defect).__name__ for defect in part.defects]
    return found


@pytest.mark.parametrize("name", MESSAGES)
def test_what_is_made_is_well_formed(name: str) -> None:
    """RFC 5322 2.1.1, RFC 2045 2.7, RFC 2046 5.1.1, as Python's parser sees it."""
    assert faults(again(MESSAGES[name])) == []


def test_the_comparison_can_fail() -> None:
    raw = b"From: A <a@b.org>\r\nSubject: x\r\nX-A: 1\r\nX-A: 2\r\n\r\ntext\r\n"
    assert differences(raw, raw) == {}

    def seen(old: bytes, new: bytes) -> list[str]:
        return sorted(differences(raw, raw.replace(old, new)))

    assert seen(b": x", b": y") == ["subject"] and seen(b"text", b"") == ["plain"]
    assert seen(b"X-A: 2\r\n", b"") == ["x-a"] and seen(b"A <", b"B <") == ["from"]
    assert faults(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\na") == ["CloseBoundaryNotFoundDefect"]
    assert faults(b"A: b\r\n\r\n" + b"c" * 999) == ["line length"] and faults(b"A: b\n\r\n") == ["line ends"]


# ------------------------------------------------------------------------------------------ all that can be had


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """The messages of packages, too; a missing source is told loudly."""
    found = collect(CACHE)
    if len(found.messages) < ALL:
        pytest.skip(f"ONLY {len(found.messages)} MESSAGES TO BE HAD; absent: {'; '.join(found.absent)}")
    return found


@pytest.mark.slow
def test_all_of_the_corpus(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    """What differs is what is known to, and no more of it."""
    wrong: dict[str, Any] = {}
    for name, data in corpus.messages.items():
        raw = to_crlf(data)
        made = again(raw)
        found = differences(raw, made)
        if found.keys() != ASPECTS.get(name, set()):
            wrong[name] = found
        if bad := faults(made):
            wrong[f"{name}: form"] = bad
    with capsys.disabled():
        print(f"\nround trips: {corpus.counts()}, {len(ASPECTS)} with a known difference")
    assert wrong == {}
    assert ASPECTS.keys() <= corpus.messages.keys() | MESSAGES.keys()
