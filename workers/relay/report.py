"""Delivery status notifications (RFC 3464, RFC 3461 6): what a sender is told of his mail. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from workers.relay.schedule import Recipient

FAILED, DELAYED, DELIVERED, RELAYED, EXPANDED = "failed", "delayed", "delivered", "relayed", "expanded"
WHOLE_LIMIT = 1 << 20
HEADER_LIMIT = 64 << 10
_SUBJECTS = {
    FAILED: "Undelivered mail returned to sender", DELAYED: "Delayed mail (still being retried)",
    DELIVERED: "Delivery report", RELAYED: "Delivery report", EXPANDED: "Delivery report",
}  # fmt: skip
_TEXTS = {
    FAILED: "Your message could not be delivered to the recipients below. It will not be tried again.",
    DELAYED: "Your message could not be delivered yet to the recipients below. You need not do anything:\r\n"
    "it is tried again until {until}.",
    DELIVERED: "Your message has been delivered to the recipients below.",
    RELAYED: "Your message has been handed to a mail server that does not report deliveries.",
    EXPANDED: "Your message has been delivered to the list below and sent on to its members elsewhere.",
}


@dataclass(frozen=True)
class Original:
    """The mail that is reported on. `start`: its octets, or at least its header; `complete`: all of them."""

    sender: str
    envelope_id: str
    created: float
    start: bytes
    complete: bool


@dataclass(frozen=True)
class From:
    """Who reports: host name, address, and what makes boundary and Message-ID unique."""

    host: str
    postmaster: str
    unique: str


def make_report(
    kind: str, original: Original, recipients: Sequence[Recipient], by: From, now: float, *, whole: bool,
    until: float = 0.0, servers: Sequence[str] = (),
) -> bytes:  # fmt: skip
    """The report as a message, to be sent with the null sender (RFC 3464 2)."""
    boundary = f"=_{by.unique}"
    full = whole and original.complete and len(original.start) <= WHOLE_LIMIT
    returned = original.start if full else header_of(original.start)
    utf8 = not original.sender.isascii() or not all(one.address.isascii() for one in recipients)
    eight = any(byte > 127 for byte in returned)
    head = (
        f"From: Mail Delivery System <{by.postmaster}>\r\nTo: <{original.sender}>\r\nSubject: {_SUBJECTS[kind]}\r\n"
        f"Date: {_date(now)}\r\nMessage-ID: <{by.unique}@{by.host}>\r\nAuto-Submitted: auto-replied\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n"
        f'\tboundary="{boundary}"\r\n\r\n'
    )
    told = "".join(f"<{one.address}>: {_one_line(one.text) or one.status}\r\n\r\n" for one in recipients)
    text = _TEXTS[kind].format(until=_date(until))
    parts = [
        ("text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", f"{text}\r\n\r\n{told}".encode()),
        ("message/delivery-status", _status(kind, original, recipients, by, now, until, servers)),
        (
            f"{'message/rfc822' if full else 'text/rfc822-headers'}"
            + ("\r\nContent-Transfer-Encoding: 8bit" if eight else ""), returned,
        ),
    ]  # fmt: skip
    if utf8:
        parts[1] = ("message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit", parts[1][1])
    body = b"".join(
        f"--{boundary}\r\nContent-Type: {kind_}\r\n\r\n".encode() + octets + b"\r\n" for kind_, octets in parts
    )
    return head.encode() + body + f"--{boundary}--\r\n".encode()


def _status(
    kind: str, original: Original, recipients: Sequence[Recipient], by: From, now: float, until: float,
    servers: Sequence[str],
) -> bytes:  # fmt: skip
    """RFC 3464 2.1: fields of the message, then of each recipient."""
    lines = [f"Reporting-MTA: dns; {by.host}"]
    if original.envelope_id:
        lines.insert(0, f"Original-Envelope-Id: {_one_line(original.envelope_id)}")
    lines.append(f"Arrival-Date: {_date(original.created)}")
    for at, one in enumerate(recipients):
        status = one.status or {FAILED: "5.0.0", DELAYED: "4.0.0"}.get(kind, "2.0.0")
        address_type = "rfc822" if one.address.isascii() else "utf-8"
        lines += ["", f"Final-Recipient: {address_type}; {one.address}", f"Action: {kind}", f"Status: {status}"]
        server = servers[at] if at < len(servers) else ""
        if server:
            lines.append(f"Remote-MTA: dns; {server}")
        if one.text and one.text[:3].isdigit():
            lines.append(f"Diagnostic-Code: smtp; {_one_line(one.text)}")
        lines.append(f"Last-Attempt-Date: {_date(now)}")
        if kind == DELAYED:
            lines.append(f"Will-Retry-Until: {_date(until)}")
    return ("\r\n".join(lines) + "\r\n").encode()


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:500]


def _date(unix: float) -> str:
    return format_datetime(datetime.fromtimestamp(max(unix, 0), UTC))


def header_of(octets: bytes) -> bytes:
    """A message's header, without the empty line."""
    end = octets.find(b"\r\n\r\n", 0, HEADER_LIMIT)
    if end >= 0:
        return octets[: end + 2]
    cut = octets[:HEADER_LIMIT]
    return cut[: cut.rfind(b"\r\n") + 2]
