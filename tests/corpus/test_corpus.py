"""A real corpus comes through: in by LMTP, out of IMAP and POP3 with the same bytes; its structures parse."""

from __future__ import annotations

import contextlib
import imaplib
import smtplib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.corpus.collect import CACHE, Corpus, collect
from tests.corpus.generated import mutations, variants
from tests.imap.grammar import GrammarError, check
from tests.support import messages
from tests.support.raw import imap
from tests.support.server import Server

imapclient = pytest.importorskip("imapclient")

pytestmark = pytest.mark.slow

REAL = 500
BATCH = 50


@dataclass
class Passage:
    """What went in: `sent[i]` is the message with sequence number i + 1 of `user`; `refused` was told 5xx."""

    user: str
    names: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """The collected messages; a missing source is told loudly, too few messages skip the module."""
    found = collect(CACHE)
    for absent in found.absent:
        print(f"CORPUS SOURCE NOT TO BE HAD: {absent}")
    if len(found.messages) < REAL:
        pytest.skip(f"ONLY {len(found.messages)} MESSAGES TO BE HAD; absent: {'; '.join(found.absent)}")
    return found


def on_the_wire(data: bytes) -> bytes:
    """As an MTA hands it on: CRLF everywhere, at the end too."""
    data = messages.to_crlf(data)
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def send_all(server: Server, passage: Passage, wanted: dict[str, bytes]) -> None:
    """Deliver everything; note what was taken and what was refused."""
    client = server.lmtp(timeout=60)
    for name, data in wanted.items():
        try:
            assert client.sendmail("s@example.net", [passage.user], data, ["BODY=8BITMIME"]) == {}, name
        except (smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused) as error:
            code = (
                error.smtp_code
                if isinstance(error, smtplib.SMTPDataError)
                else next(iter(error.recipients.values()))[0]
            )
            passage.refused[name] = code
            with contextlib.suppress(smtplib.SMTPServerDisconnected):
                client.rset()
        else:
            passage.names.append(name)
            passage.sent.append(data)
    client.quit()


@pytest.fixture(scope="module")
def passage(server: Server, corpus: Corpus) -> Passage:
    """The real messages, delivered."""
    made = Passage(server.add_user("corpus@example.test"))
    send_all(server, made, {name: on_the_wire(data) for name, data in corpus.messages.items()})
    return made


@pytest.fixture(scope="module")
def odd(server: Server, corpus: Corpus) -> Passage:
    """Generated messages and mutations of real ones, delivered."""
    made = Passage(server.add_user("variants@example.test"))
    wanted = dict(variants())
    for name, data in list(corpus.messages.items())[::12]:
        wanted.update({f"{name}+{kind}": on_the_wire(changed) for kind, changed in mutations(data).items()})
    send_all(server, made, wanted)
    return made


def test_nearly_all_are_taken(passage: Passage, corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    """Only messages with NULs may be refused, and then for good (5xx)."""
    with capsys.disabled():
        print(f"\ncorpus: {corpus.counts()}, refused: {passage.refused or 'none'}")
    assert len(passage.sent) >= REAL
    for name, code in passage.refused.items():
        assert 500 <= code < 600 and b"\0" in corpus.messages[name], (name, code)


def test_variants_are_taken(odd: Passage) -> None:
    """The awkward ones are, too."""
    assert all(500 <= code < 600 for code in odd.refused.values()), odd.refused
    assert not [name for name in odd.refused if b"\0" not in variants().get(name, b"")], odd.refused


def literals(client: imaplib.IMAP4, count: int, item: str) -> Iterator[bytes]:
    """The literal of one item for all messages, in batches."""
    for first in range(1, count + 1, BATCH):
        kind, data = client.fetch(f"{first}:{min(first + BATCH - 1, count)}", f"({item})")
        assert kind == "OK"
        for part in data:
            if isinstance(part, tuple):
                yield part[1]


@pytest.mark.parametrize("which", ["passage", "odd"])
def test_imap_gives_the_same_bytes(server: Server, which: str, request: pytest.FixtureRequest) -> None:
    """BODY[] is what was sent behind the trace fields; RFC822.SIZE, HEADER and TEXT agree with it."""
    passage: Passage = request.getfixturevalue(which)
    with server.imap(passage.user, timeout=120) as client:
        count = int(client.select("INBOX", readonly=True)[1][0])
        assert count == len(passage.sent)
        sizes = [
            int(line.rpartition(b"RFC822.SIZE ")[2].rstrip(b")")) for line in client.fetch("1:*", "(RFC822.SIZE)")[1]
        ]
        wholes = list(literals(client, count, "BODY.PEEK[]"))
        headers = list(literals(client, count, "BODY.PEEK[HEADER]"))
        texts = list(literals(client, count, "BODY.PEEK[TEXT]"))
    for name, sent, whole, size in zip(passage.names, passage.sent, wholes, sizes, strict=True):
        assert messages.without_trace(whole, sent) == sent, name
        assert size == len(whole), name
    for name, whole, header, text in zip(passage.names, wholes, headers, texts, strict=True):
        assert header + text == whole or header == whole + b"\r\n", name


@pytest.mark.parametrize("which", ["passage", "odd"])
def test_pop3_gives_the_same_bytes(server: Server, which: str, request: pytest.FixtureRequest) -> None:
    """RETR is what was sent behind the trace fields; LIST agrees with it."""
    passage: Passage = request.getfixturevalue(which)
    import poplib

    old, poplib._MAXLINE = poplib._MAXLINE, 1 << 21  # type: ignore[attr-defined]
    try:
        client = server.pop3(passage.user, timeout=120)
        sizes = [int(line.split()[1]) for line in client.list()[1]]
        assert len(sizes) == len(passage.sent)
        for number, (name, sent) in enumerate(zip(passage.names, passage.sent, strict=True), 1):
            stored = b"".join(line + b"\r\n" for line in client.retr(number)[1])
            assert messages.without_trace(stored, sent) == sent, name
            assert len(stored) == sizes[number - 1], name
        client.quit()
    finally:
        poplib._MAXLINE = old  # type: ignore[attr-defined]


@pytest.mark.parametrize("which", ["passage", "odd"])
def test_structures_parse(server: Server, which: str, request: pytest.FixtureRequest) -> None:
    """ENVELOPE and BODYSTRUCTURE of every message parse with IMAPClient, one by one, so that none hides another."""
    passage: Passage = request.getfixturevalue(which)
    with imapclient.IMAPClient(*server.address("imap"), ssl=False, timeout=120) as client:
        client.login(passage.user, server.password(passage.user))
        client.select_folder("INBOX", readonly=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            uids = client.search()
            assert len(uids) == len(passage.sent)
            found = client.fetch(uids, ["ENVELOPE"])
            bodies = client.fetch(uids, ["BODYSTRUCTURE", "BODY"])
    for name, data in zip(passage.names, bodies.values(), strict=True):
        for item in (b"BODYSTRUCTURE", b"BODY"):
            check_structure(data[item], name)
    for name, data in zip(passage.names, found.values(), strict=True):
        envelope = data[b"ENVELOPE"]
        assert envelope.message_id is None or isinstance(envelope.message_id, bytes), name


def check_structure(body: object, name: str) -> None:
    """The grammar of RFC 3501's `body`: types of the fields, recursively."""
    assert isinstance(body, tuple), name
    if isinstance(body[0], list | tuple):  # IMAPClient gathers the parts in a list, but not inside message/rfc822
        subtype = next(each for each in body if isinstance(each, bytes))
        parts = body[0] if isinstance(body[0], list) else body[: body.index(subtype)]
        assert parts, name
        for part in parts:
            check_structure(part, name)
        return
    kind, subtype, params, ident, description, encoding, size, *rest = body
    assert isinstance(kind, bytes) and isinstance(subtype, bytes), name
    assert params is None or (isinstance(params, tuple) and len(params) % 2 == 0), name
    assert all(value is None or isinstance(value, bytes) for value in (ident, description)), name
    assert isinstance(encoding, bytes) and isinstance(size, int), (name, body)
    if (kind.lower(), subtype.lower()) == (b"message", b"rfc822"):
        assert len(rest[0]) == 10, name
        check_structure(rest[1], name)
        assert isinstance(rest[2], int), name
    elif kind.lower() == b"text":
        assert isinstance(rest[0], int), name


@pytest.mark.parametrize("which", ["passage", "odd"])
def test_imaplib_reads_structures(server: Server, which: str, request: pytest.FixtureRequest) -> None:
    """imaplib sees one answer per message and its line reader stays in step."""
    passage: Passage = request.getfixturevalue(which)
    with server.imap(passage.user, timeout=120) as client:
        client.select("INBOX", readonly=True)
        for item in ("ENVELOPE", "BODYSTRUCTURE"):
            kind, data = client.fetch("1:*", f"(UID {item})")
            assert kind == "OK"
            starts = [p[0] if isinstance(p, tuple) else p for p in data]
            assert sum(1 for start in starts if b"(UID " in start) == len(passage.sent)
        assert client.noop()[0] == "OK"


@pytest.mark.parametrize("which", ["passage", "odd"])
def test_answers_keep_to_the_grammar(server: Server, which: str, request: pytest.FixtureRequest) -> None:
    """Every answer is what RFC 3501 section 9 allows, to the byte, for parsers stricter than Python's."""
    passage: Passage = request.getfixturevalue(which)
    with imap(server, passage.user, timeout=120) as wire:
        wire.ok(b"SELECT INBOX")
        answers = wire.ok(b"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE)")
        fetched = [answer for answer in answers if b" FETCH (" in answer[:20]]
        assert len(fetched) == len(passage.sent)
        for name, answer in zip(passage.names, fetched, strict=True):
            try:
                check(answer)
            except GrammarError as error:
                pytest.fail(f"{name}: {error}")
        for item in (b"BODY.PEEK[1]", b"BODY.PEEK[1.MIME]", b"BODY.PEEK[2.1]", b"BODY.PEEK[HEADER.FIELDS (TO X-None)]"):
            check(b"".join(wire.ok(b"FETCH 1:* " + item)))
