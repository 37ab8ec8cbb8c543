"""Real mail through MIME -> Item -> MIME keeps its header, texts, attachments and messages within.

Both sides are read by Python's email package (policy default), which knows nothing of ours. What differs on purpose or
by the nature of MAPI is in KNOWN, message by message, with the reason.
"""

from __future__ import annotations

import email
import email.policy
import email.utils
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from functools import partial
from typing import Any

import pytest

from gromoxd.convert.compose import compose
from gromoxd.convert.itemof import item_of_mime
from tests.corpus.collect import ROOT, cpython_folders, looks_like_mail, strings_of, without_from_line
from tests.support.messages import to_crlf

SHARED = ROOT.parent / "shared" / "corpus" / "mime"
FIELDS = (
    "subject", "message-id", "in-reply-to", "references", "importance", "sensitivity", "list-id", "list-post",
    "list-unsubscribe", "list-help", "x-mailer", "user-agent", "thread-topic", "thread-index", "received",
)  # fmt: skip
PEOPLE = ("from", "sender", "reply-to", "to", "cc", "bcc")

MACHINES = ("message/delivery-status", "message/disposition-notification")

ONE_BODY = "texts that alternate with HTML are one HTML body: a MAPI message has one body"
BROKEN = "the structure is broken; both readers see something else in it"
GUESSED = "8-bit text without a charset is read as windows-1252 or what it looks like, not as octets"
KNOWN: dict[str, dict[str, str]] = {
    "cpython/msg_10.txt": {"plain": ONE_BODY, "html": ONE_BODY},
    "cpython/msg_15.txt": {"plain": ONE_BODY, "html": ONE_BODY},
    "cpython/msg_35.txt": {"plain": BROKEN},
    "cpython/msg_38.txt": {"plain": BROKEN},
    "cpython/msg_47.txt": {"plain": BROKEN, "html": BROKEN},
    "cpython/test_email.py.17": {"names": "Python cuts an RFC 2231 name at its apostrophe"},
    "shared/attachment_emails__attachment_pdf_non_ascii.eml": {"plain": GUESSED},
    "shared/attachment_emails__attachment_pdf_non_ascii_lf.eml": {"plain": GUESSED},
    "shared/attachment_emails__attachment_with_unquoted_name.eml": {"names": "a name without quotes has its spaces"},
    "shared/error_emails__content_transfer_encoding_7-bit.eml": {"plain": GUESSED},
    "shared/error_emails__content_transfer_encoding_plain.eml": {"plain": GUESSED},
    "shared/error_emails__invalid_subject_characters.eml": {"subject": GUESSED},
    "shared/mime_emails__raw_email11.eml": {"attachments": "text/enriched is a body, and HTML in MAPI"},
    "shared/mime_emails__raw_email_with_binary_encoded.eml": {"plain": BROKEN},
    "shared/mime_emails__raw_email_with_illegal_boundary.eml": {"plain": BROKEN},
    "shared/multipart_report_emails__multipart_report_multiple_status.eml": {
        "told": "two notifications in one report, of which a report message has one"
    },
    "shared/plain_emails__raw_email10.eml": {"plain": GUESSED},
    "shared/plain_emails__raw_email5.eml": {"plain": GUESSED},
    "shared/plain_emails__raw_email6.eml": {"plain": GUESSED},
    "shared/plain_emails__raw_email_bad_time.eml": {"plain": BROKEN},
    "shared/plain_emails__raw_email_incorrect_header.eml": {"plain": BROKEN},
}  # fmt: skip
"""Message -> aspect -> why it differs."""


def sources() -> dict[str, bytes]:
    """Name -> message, of CPython's tests and the shared corpus."""
    found: dict[str, bytes] = {}
    folder = next(cpython_folders(), None)
    if folder is not None:
        for path in sorted((folder / "data").glob("*.txt")):
            found[f"cpython/{path.name}"] = path.read_bytes()
        for path in sorted(folder.glob("test_*.py")):
            for number, text in enumerate(strings_of(path.read_bytes())):
                found[f"cpython/{path.name}.{number}"] = text
    for path in sorted(SHARED.glob("*.eml")):
        found[f"shared/{path.name}"] = path.read_bytes()
    return {name: to_crlf(without_from_line(data)) for name, data in found.items() if looks_like_mail(data)}


MESSAGES = sources()


# ------------------------------------------------------------------------------------------ what a message has


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def said(message: EmailMessage, name: str) -> str:
    """A field's text, white space evened out; '' for an importance that is that of any mail."""
    try:
        value = str(message[name] or "")
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):
        value = str(dict(message.raw_items()).get(name, ""))
    text = " ".join(value.split())
    return "" if name == "importance" and text.lower() == "normal" else text


def people(message: EmailMessage, name: str) -> list[str]:
    """The addresses of a field, in lower case and order."""
    try:
        values = [str(value) for value in message.get_all(name, [])]
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):
        return []
    found = [address.lower() for _, address in email.utils.getaddresses(values) if "@" in address]
    return [] if name == "sender" and found == people(message, "from")[:1] else found


def leaves(message: EmailMessage) -> Iterator[EmailMessage]:
    """The parts that are none of others', a message within being one."""
    if message.get_content_maintype() == "multipart" and message.is_multipart():
        for part in message.get_payload():
            yield from leaves(part)  # type: ignore[arg-type]
    else:
        yield message


def is_text(part: EmailMessage) -> bool:
    """Body text; a multipart without parts is one (RFC 2045 5.2)."""
    if part.get_content_maintype() == "multipart":
        return True
    named = part.get_filename() or attached(part)
    return part.get_content_type() in ("text/plain", "text/html") and not named


def attached(part: EmailMessage) -> bool:
    return str(part.get("content-disposition", "")).lower().startswith("attachment")


def octets(part: EmailMessage) -> bytes:
    data: Any = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def text(part: EmailMessage) -> str:
    charset = part.get_content_charset() or "us-ascii"
    try:
        return octets(part).decode(charset, "replace")
    except LookupError:
        return octets(part).decode("latin-1")


def kind_of(part: EmailMessage) -> str:
    return part.get_content_type() if part.get_content_maintype() == "text" else "text/plain"


def texts(message: EmailMessage, kind: str) -> str:
    """All text of a kind, white space evened out."""
    found = [text(part) for part in leaves(message) if is_text(part) and kind_of(part) == kind]
    return " ".join(" ".join(found).split())


def attachments(message: EmailMessage) -> Counter[str]:
    """What is attached: a hash of the octets of each, line ends of text evened out."""
    found: Counter[str] = Counter()
    for part in leaves(message):
        if not is_text(part) and part.get_content_type() not in (*MACHINES, "message/rfc822"):
            data = octets(part)
            if part.get_content_maintype() == "text":
                data = data.replace(b"\r\n", b"\n")
            found[hashlib.sha256(data.rstrip(b"\r\n")).hexdigest()[:16]] += 1
    return found


def names(message: EmailMessage) -> Counter[str]:
    """The file names of attachments as MAPI can have them."""
    found = [part.get_filename() for part in leaves(message) if not is_text(part)]
    return Counter(re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", str(name)).strip() for name in found if name)


def within(message: EmailMessage) -> list[str]:
    """The subjects of messages within."""
    found = []
    for part in leaves(message):
        if part.get_content_type() == "message/rfc822" and part.is_multipart():
            found.append(said(part.get_payload(0), "subject"))  # type: ignore[arg-type]
    return found


def told(message: EmailMessage) -> list[tuple[str, ...]]:
    """What a report tells of each recipient."""
    found = []
    if message.get_content_type() == "multipart/report":
        for part in leaves(message):
            for block in part.get_payload() if part.get_content_type() in MACHINES and part.is_multipart() else ():
                if isinstance(block, EmailMessage) and "final-recipient" in block:
                    address = str(block["final-recipient"]).rpartition(";")[2].strip(" <>").lower()
                    rest = [str(block.get(name, "")).split(" ")[0].lower() for name in ("action", "status")]
                    found.append((address, *rest))
    return found


ASPECTS: dict[str, Callable[[EmailMessage], Any]] = {
    **{name: partial(said, name=name) for name in FIELDS},
    **{name: partial(people, name=name) for name in PEOPLE},
    "date": lambda message: email.utils.parsedate_to_datetime(said(message, "date")).timestamp(),
    "plain": lambda message: texts(message, "text/plain"),
    "html": lambda message: texts(message, "text/html"),
    "attachments": attachments,
    "names": names,
    "messages": within,
    "told": told,
}


def differences(name: str) -> dict[str, tuple[Any, Any]]:
    """Aspect -> (before, after), of those that the message has and that differ."""
    raw = MESSAGES[name]
    before, after = read(raw), read(compose(item_of_mime(raw, received=0), host="example.test"))
    found = {}
    for aspect, look in ASPECTS.items():
        try:
            old = look(before)
        except (ValueError, TypeError):
            continue
        if not old:
            continue
        new = look(after)
        if old != new:
            found[aspect] = (old, new)
    return found


# ------------------------------------------------------------------------------------------ the tests


def test_there_is_a_corpus() -> None:
    """Too little of it must not pass for success."""
    if not SHARED.is_dir():
        pytest.skip(f"THE SHARED CORPUS IS ABSENT; only {len(MESSAGES)} messages of CPython are tried")
    assert len(MESSAGES) > 150


@pytest.mark.parametrize("name", MESSAGES)
def test_what_a_message_has_it_keeps(name: str) -> None:
    found = differences(name)
    known = KNOWN.get(name, {})
    assert {aspect: pair for aspect, pair in found.items() if aspect not in known} == {}
    assert known.keys() <= found.keys(), "no longer different: take it out of KNOWN"


@pytest.mark.parametrize("name", MESSAGES)
def test_a_second_journey_changes_nothing(name: str) -> None:
    """What was made once is made again to the octet, but for what a second reading adds."""
    first = compose(item_of_mime(MESSAGES[name], received=0), host="example.test")
    assert compose(item_of_mime(MESSAGES[name], received=0), host="example.test") == first
    before, after = read(first), read(compose(item_of_mime(first, received=0), host="example.test"))
    for aspect, look in ASPECTS.items():
        if aspect != "date":
            assert look(after) == look(before), aspect


def test_the_comparison_can_fail() -> None:
    raw = b"From: a@b.org\r\nSubject: x\r\n\r\ntext\r\n"
    assert texts(read(raw), "text/plain") == "text" and people(read(raw), "from") == ["a@b.org"]
    assert said(read(raw), "subject") != said(read(raw.replace(b": x", b": y")), "subject")
