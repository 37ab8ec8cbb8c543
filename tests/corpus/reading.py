"""What a message has, as Python's email package (policy default) reads it: aspects to compare two messages by.

An aspect is a field of the header ("subject"), or of the content ("html", "files"); those of a message within have
its place before them ("1/subject"). Reads nothing with our own code.
"""

from __future__ import annotations

import email
import email.policy
import email.utils
import hashlib
import re
from collections.abc import Callable, Iterator
from email.message import EmailMessage, Message
from typing import Any, NamedTuple

PEOPLE = ("from", "sender", "reply-to", "to", "cc", "bcc", "disposition-notification-to", "resent-from", "resent-to")
DATES = ("date", "expires", "reply-by", "resent-date")
REPORTED = ("message/delivery-status", "message/disposition-notification")
FAULTS = (ValueError, IndexError, AttributeError, TypeError, LookupError, AssertionError, RecursionError)
"""What the email package raises for values that are none of a field's."""


class File(NamedTuple):
    """An attachment: its name, a hash of its octets (line ends of text evened out), its type, Content-ID, charset."""

    name: str
    digest: str
    kind: str
    identity: str
    charset: str


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def even(text: str) -> str:
    """White space evened out, without what no mail can carry."""
    return " ".join(text.replace("\0", "").split())


# ------------------------------------------------------------------------------------------ header


def values(message: Message, name: str) -> list[Any]:
    """The values of all fields of a name."""
    try:
        return list(message.get_all(name, []))
    except FAULTS:
        return [str(value) for key, value in message.raw_items() if key.lower() == name]


def texts_of(message: Message, name: str) -> list[str]:
    """A field's texts, in order; Importance: Normal is what any mail has."""
    found = [even(str(value)) for value in values(message, name)]
    return [] if name == "importance" and found == ["normal"] else found


def people(message: Message, name: str) -> list[tuple[str, str, str]]:
    """(group, display name, address) of a field's mailboxes in order; an address for a name says no more."""
    found = []
    for value in values(message, name):
        try:
            groups = [(group.display_name or "", group.addresses) for group in value.groups]
            boxes = [(group, one.display_name, one.addr_spec) for group, within in groups for one in within]
        except FAULTS:
            boxes = [("", shown, address) for shown, address in email.utils.getaddresses([str(value)])]
        found += [(even(group), even(shown), address.strip().lower()) for group, shown, address in boxes]
    return [(group, shown if shown.lower() != address else "", address) for group, shown, address in found if address]


def moment(message: Message, name: str) -> float | None:
    """A field's date; None for what is none."""
    try:
        return email.utils.parsedate_to_datetime(even(str(values(message, name)[0]))).timestamp()
    except (*FAULTS, OverflowError):
        return None


def header(message: EmailMessage) -> Iterator[tuple[str, Any]]:
    """Field name -> what it says; what tells of the content is not of these."""
    for name in dict.fromkeys(key.lower() for key in message.keys()):  # noqa: SIM118 - a message is no dict
        if name in PEOPLE:
            said: Any = people(message, name)
            if name != "sender" or [one[2] for one in said] != [one[2] for one in people(message, "from")[:1]]:
                yield name, said
        elif name in DATES:
            yield name, moment(message, name)
        elif not name.startswith("content-") and name != "mime-version":
            yield name, texts_of(message, name)


# ------------------------------------------------------------------------------------------ content


def leaves(part: Message) -> Iterator[EmailMessage]:
    """The parts that are none of others', a message within being one."""
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        for child in part.get_payload():
            yield from leaves(child)  # type: ignore[arg-type]
    else:
        assert isinstance(part, EmailMessage)
        yield part


def disposition(part: EmailMessage) -> str:
    """inline, attachment or ''."""
    return even(" ".join(str(value) for value in values(part, "content-disposition")[:1])).lower().partition(";")[0]


def file_name(part: EmailMessage) -> str:
    """A file name as MAPI can have it, and as files can be called."""
    try:
        name = part.get_filename() or ""
    except FAULTS:
        name = ""
    return even(re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", name))


def is_text(part: EmailMessage) -> bool:
    """Body text; a multipart without parts is one (RFC 2045 5.2)."""
    if part.get_content_maintype() == "multipart":
        return True
    named = file_name(part) or disposition(part) == "attachment"
    return part.get_content_type() in ("text/plain", "text/html") and not named


def octets(part: EmailMessage) -> bytes:
    data: Any = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def text(part: EmailMessage) -> str:
    charset = part.get_content_charset() or "us-ascii"
    try:
        return octets(part).decode(charset, "replace")
    except LookupError:
        return octets(part).decode("latin-1")


def bodies(message: EmailMessage, kind: str) -> str:
    """All text of a kind, white space evened out."""
    of_kind = [part for part in leaves(message) if is_text(part)]
    of_kind = [part for part in of_kind if (part.get_content_type() == "text/html") == (kind == "text/html")]
    return even(" ".join(text(part) for part in of_kind))


def identity(part: EmailMessage) -> str:
    return even(" ".join(str(value) for value in values(part, "content-id")[:1])).strip("<> ")


def charset(part: EmailMessage) -> str:
    """Of an attached text."""
    return str(part.get_content_charset("")) if part.get_content_maintype() == "text" else ""


def files(message: EmailMessage) -> list[File]:
    """What is attached, in order, but for messages."""
    found = []
    for part in leaves(message):
        if not is_text(part) and part.get_content_type() not in (*REPORTED, "message/rfc822"):
            data = octets(part)
            if part.get_content_maintype() == "text":
                data = data.replace(b"\r\n", b"\n")
            digest = hashlib.sha256(data.rstrip(b"\r\n")).hexdigest()[:16]
            found.append(File(file_name(part), digest, part.get_content_type(), identity(part), charset(part)))
    return found


def within(message: EmailMessage) -> list[EmailMessage]:
    """The messages within."""
    found = []
    for part in leaves(message):
        if part.get_content_type() == "message/rfc822" and part.is_multipart():
            inner: Any = part.get_payload(0)
            found.append(inner)
    return found


def told(message: EmailMessage) -> list[tuple[str, ...]]:
    """What a report tells of each recipient."""
    found = []
    if message.get_content_type() == "multipart/report":
        for part in leaves(message):
            for block in part.get_payload() if part.get_content_type() in REPORTED and part.is_multipart() else ():
                if isinstance(block, EmailMessage) and "final-recipient" in block:
                    address = str(block["final-recipient"]).rpartition(";")[2].strip(" <>").replace('"', "").lower()
                    rest = [str(block.get(name, "")).split(" ")[0].lower() for name in ("action", "status")]
                    found.append((address, *rest))
    return found


MEANT = ("related", "signed", "encrypted", "appledouble", "report")
"""Multiparts that say more of their parts than that there are several."""


def places(part: Message, inside: tuple[str, ...] = ()) -> list[str]:
    """What there is in order but for body texts, each with the multiparts that mean something for it."""
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        kind = part.get_content_subtype()
        held = (*inside, kind) if kind in MEANT else inside
        return [place for child in part.get_payload() for place in places(child, held)]  # type: ignore[arg-type]
    assert isinstance(part, EmailMessage)
    if is_text(part):
        return ["/".join((*inside, "text"))] if inside[-1:] in (("signed",), ("encrypted",)) else []
    return ["/".join((*inside, "message" if part.get_content_type() in ("message/rfc822", *REPORTED) else "file"))]


CONTENT: dict[str, Callable[[EmailMessage], Any]] = {
    "plain": lambda message: bodies(message, "text/plain"),
    "html": lambda message: bodies(message, "text/html"),
    "names": lambda message: [one.name for one in files(message) if one.name],
    "octets": lambda message: [one.digest for one in files(message)],
    "types": lambda message: [one.kind for one in files(message)],
    "identities": lambda message: [one.identity for one in files(message) if one.identity],
    "charsets": lambda message: [one.charset for one in files(message) if one.charset],
    "told": told,
    "places": places,
}


def aspects(message: EmailMessage, depth: int = 0) -> dict[str, Any]:
    """All that a message has; what it has not is left out."""
    found = dict(header(message)) | {name: look(message) for name, look in CONTENT.items()}
    if depth < 10:
        for number, one in enumerate(within(message), 1):
            found |= {f"{number}/{name}": value for name, value in aspects(one, depth + 1).items()}
    return {name: value for name, value in found.items() if value}


def differences(before: bytes, after: bytes) -> dict[str, tuple[Any, Any]]:
    """Aspect -> (before, after), of those that the former has and that differ."""
    old, new = aspects(read(before)), aspects(read(after))
    return {name: (value, new.get(name)) for name, value in old.items() if new.get(name) != value}
