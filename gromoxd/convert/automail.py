"""What a mail's header says of how it was made and where it has been: for deciding what may be sent because of it.

RFC 3834 2 (when an automatic response must not be sent), RFC 2919 and RFC 2369 (lists), [MS-OXCMAIL] 2.1.3.2.20
(X-Auto-Response-Suppress). Pure; fields come from `gromoxd.convert.headers.unfold_fields`.

`X-Gromoxd-Loop: <address>` is put before every mail that a rule of that mailbox passes on, in the manner of the
Delivered-To of other servers: a mailbox that finds its own address there does not pass the mail on again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gromoxd.convert.headerlines import addr_spec

LOOP_FIELD = "X-Gromoxd-Loop"
MOST_TRACES = 100
Fields = Sequence[tuple[bytes, bytes]]
_BULK = frozenset((b"bulk", b"list", b"junk"))
_LIST_FIELDS = frozenset(
    (b"list-id", b"list-help", b"list-subscribe", b"list-unsubscribe", b"list-post", b"list-owner", b"list-archive")
)
_NO_PERSON = re.compile(
    r"(?:mailer-daemon|postmaster|listserv|majordomo|no[-_.]?reply|do[-_.]?not[-_.]?reply|bounces?|owner-.*"
    r"|.*-(?:request|owner|bounces?|errors|confirm))(?:[+=].*)?",
    re.IGNORECASE,
)
"""Local parts behind which nobody reads (RFC 3834 2)."""


def hops(fields: Fields) -> int:
    """How many servers the mail has been through (RFC 5321 6.3)."""
    return sum(name.lower() == b"received" for name, _ in fields)


def traces(fields: Fields) -> list[str]:
    """The addresses, in lower case, of the mailboxes whose rules passed the mail on."""
    wanted = LOOP_FIELD.lower().encode()
    found = [value.decode("utf-8", "replace").strip().lower() for name, value in fields if name.lower() == wanted]
    return found[:MOST_TRACES]


def trace_field(address: str) -> bytes:
    """The field that says that a rule of this mailbox passed a mail on."""
    return f"{LOOP_FIELD}: {addr_spec(address.lower())}\r\n".encode()


def is_person(sender: str) -> bool:
    """Whether an envelope sender may be somebody who wants an answer."""
    return bool(sender) and _NO_PERSON.fullmatch(sender.rpartition("@")[0]) is None


def unanswerable(fields: Fields, sender: str, suppressing: str) -> str:
    """Why nothing answers this mail by itself, '' when something may. `suppressing`: the word of
    X-Auto-Response-Suppress that forbids this kind of answer, OOF or AutoReply.
    """
    if not sender:
        return "null sender"
    if not is_person(sender):
        return "sender is no person"
    for name, value in fields:
        reason = _reason(name.lower(), value.strip().lower(), suppressing.lower().encode())
        if reason:
            return reason
    return ""


def _reason(name: bytes, value: bytes, suppressing: bytes) -> str:
    if name == b"auto-submitted":
        return "" if value.partition(b";")[0].strip() in (b"", b"no") else "made by a machine"
    if name == b"precedence":
        return "bulk mail" if value in _BULK else ""
    if name in _LIST_FIELDS:
        return "mail of a list"
    if name == b"x-auto-response-suppress":
        words = [word.strip() for word in value.split(b",")]
        return "answers are not wanted" if b"all" in words or suppressing in words else ""
    if name == b"content-type":
        return "a report" if value.startswith(b"multipart/report") else ""
    return ""


def is_addressed(recipients: Iterable[str], addresses: Iterable[str]) -> bool:
    """Whether a header names one of the mailbox's addresses (RFC 3834 2)."""
    own = {address.lower() for address in addresses}
    return any(recipient.lower() in own for recipient in recipients)
