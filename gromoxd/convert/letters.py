"""What a mailbox writes by itself when mail comes: answers, mail passed on, refusals. Pure; all lines end with CRLF.

Mail that is passed on is a head to be put before octets of the original, which nobody copies: all of them (Resent-
fields, RFC 5322 3.6.6), all of them as an attachment (RFC 2046 5.2.1), or those of its body.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from gromoxd.convert import headerlines as h
from gromoxd.convert.automail import LOOP_FIELD, trace_field
from gromoxd.convert.compose import compose
from gromoxd.convert.html import text_fragment
from gromoxd.convert.item import Item
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.proptags import (
    PidTagAddressType,
    PidTagBody,
    PidTagClientSubmitTime,
    PidTagDisplayName,
    PidTagDisplayTo,
    PidTagEmailAddress,
    PidTagHtml,
    PidTagInReplyToId,
    PidTagInternetCodepage,
    PidTagInternetMessageId,
    PidTagInternetReferences,
    PidTagMessageClass,
    PidTagRecipientType,
    PidTagSenderEmailAddress,
    PidTagSenderName,
    PidTagSentRepresentingAddressType,
    PidTagSentRepresentingEmailAddress,
    PidTagSentRepresentingName,
    PidTagSubject,
)
from gromoxd.mapi.times import filetime, unix_seconds

AUTOMATIC = b"Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\n"
AUTO_REPLIED = AUTOMATIC + b"Precedence: bulk\r\n"
"""RFC 3834 5; what follows is for those who do not know it."""
MAX_REFERENCES = 20
_TRACE = re.compile(rb"(?:(?:Return-Path|Delivered-To):[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*\r?\n)+", re.IGNORECASE)
_BODY_TAG = re.compile(rb"<body\b[^>]*>", re.IGNORECASE)
_CONTENT = re.compile(rb"(?:mime-version|content-[a-z-]+)\Z", re.IGNORECASE)
_LOOP = re.compile(rb"%b\Z" % LOOP_FIELD.encode(), re.IGNORECASE)
Fields = Sequence[tuple[bytes, bytes]]


class Writer(NamedTuple):
    """Who writes: the mailbox's owner. `identity` makes Message-IDs: it differs from mail to mail."""

    name: str
    address: str
    now: int
    identity: str

    @property
    def host(self) -> str:
        return self.address.rpartition("@")[2] or "localhost"

    @property
    def mailbox(self) -> str:
        return h.mailbox(self.name, self.address)

    @property
    def message_id(self) -> str:
        return f"<{self.identity}@{self.host}>"


# ------------------------------------------------------------------------------------------ mail passed on


def trace_length(header: bytes) -> int:
    """Octets of the Return-Path and Delivered-To that delivery put first: they do not travel on (RFC 5321 4.4)."""
    match = _TRACE.match(header)
    return match.end() if match is not None else 0


def redirected(writer: Writer, recipients: Sequence[str]) -> bytes:
    """The head of a mail that goes on as it is."""
    return b"".join((
        trace_field(writer.address),
        h.field("Resent-Date", h.date(writer.now)),
        h.address_list("Resent-From", [writer.mailbox]),
        h.address_list("Resent-To", [h.mailbox("", one) for one in recipients]),
        h.field("Resent-Message-ID", writer.message_id),
    ))  # fmt: skip


def attached(writer: Writer, recipients: Sequence[str], subject: str, fields: Fields) -> bytes:
    """The head of a mail that is the original."""
    entity = b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: 8bit\r\n"
    return _new_head(writer, recipients, subject, fields) + b"MIME-Version: 1.0\r\n" + entity + b"\r\n"


def body_of(writer: Writer, recipients: Sequence[str], subject: str, fields: Fields) -> bytes:
    """The head of a mail with the original's body."""
    kept = [name + b": " + value + b"\r\n" for name, value in fields if _CONTENT.match(name) and _may_stand(value, 900)]
    return _new_head(writer, recipients, subject, fields) + b"".join(kept) + b"\r\n"


def _new_head(writer: Writer, recipients: Sequence[str], subject: str, fields: Fields) -> bytes:
    return carried(writer, fields) + b"".join((
        h.field("Date", h.date(writer.now)),
        h.address_list("From", [writer.mailbox]),
        h.address_list("To", [h.mailbox("", one) for one in recipients]),
        h.field("Subject", subject),
        h.field("Message-ID", writer.message_id),
    ))  # fmt: skip


def _may_stand(value: bytes, longest: int) -> bool:
    """Whether a field's value of another mail may be written again: a bare CR in it would become the end of a line."""
    return len(value) < longest and b"\r" not in value and b"\0" not in value


def carried(writer: Writer, fields: Fields) -> bytes:
    """What a new mail keeps of the one for which it is sent: who has passed it on, and that a machine made it."""
    traces = [value for name, value in fields if _LOOP.match(name) and _may_stand(value, 900)]
    kept = [b"%b: %b\r\n" % (LOOP_FIELD.encode(), value) for value in traces]
    for name, value in fields:
        if name.lower() == b"auto-submitted" and _may_stand(value, 200):
            kept.append(b"Auto-Submitted: %b\r\n" % value)
            break
    return trace_field(writer.address) + b"".join(kept)


def forwarded(writer: Writer, recipients: Sequence[str], subject: str, fields: Fields, original: Item) -> bytes:
    """A whole mail that quotes the original below its header, with its attachments."""
    props = _letter(writer, recipients, subject)
    text, html = original.props.get(PidTagBody), original.props.get(PidTagHtml)
    quoted = _quoted_header(original.props)
    if isinstance(html, bytes):
        page = original.props.get(PidTagInternetCodepage)
        inner = b"<div>%b</div>" % text_fragment(quoted).encode("ascii", "xmlcharrefreplace")
        match = _BODY_TAG.search(html)
        at = match.end() if match is not None else 0
        props |= {PidTagHtml: html[:at] + inner + html[at:], PidTagInternetCodepage: page}
    if isinstance(text, str) or not isinstance(html, bytes):
        props[PidTagBody] = quoted + (text if isinstance(text, str) else "")
    item = Item(props, _people(recipients), original.attachments, original.names)
    return carried(writer, fields) + compose(item, host=writer.host, bcc=False)


def _quoted_header(props: Bag) -> str:
    sender, address = str(props.get(PidTagSenderName) or ""), str(props.get(PidTagSenderEmailAddress) or "")
    to, subject = str(props.get(PidTagDisplayTo) or ""), str(props.get(PidTagSubject) or "")
    sent = props.get(PidTagClientSubmitTime)
    lines = [
        "-----Original Message-----",
        f"From: {sender} <{address}>" if sender != address else f"From: {address}",
        f"Sent: {h.date(unix_seconds(sent))}" if isinstance(sent, int) else "",
        f"To: {to}",
        f"Subject: {subject}",
    ]
    return "\r\n".join([line for line in lines if line]) + "\r\n\r\n"


def forward_subject(subject: str) -> str:
    """[MS-OXOMSG] 2.2.1.60: FW before what does not have it."""
    return subject if subject[:3].upper() in ("FW:", "FWD") else f"FW: {subject}"


# ------------------------------------------------------------------------------------------ answers


def _letter(writer: Writer, recipients: Sequence[str], subject: str) -> Bag:
    return {
        PidTagMessageClass: "IPM.Note",
        PidTagSubject: subject,
        PidTagSentRepresentingName: writer.name or writer.address,
        PidTagSentRepresentingAddressType: "SMTP",
        PidTagSentRepresentingEmailAddress: writer.address,
        PidTagClientSubmitTime: filetime(writer.now),
        PidTagInternetMessageId: writer.message_id,
    }


def _people(addresses: Sequence[str]) -> list[Bag]:
    return [
        {PidTagRecipientType: 1, PidTagDisplayName: one, PidTagEmailAddress: one, PidTagAddressType: "SMTP"}
        for one in addresses
    ]


def answer(
    writer: Writer, owner: str, recipients: Sequence[str], subject: str, original: Bag, text: str, html: bool
) -> bytes:
    """An answer of this text (RFC 3834 3.1)."""
    props: Bag = {PidTagHtml: text.encode("utf-8", "replace")} if html else {PidTagBody: text}
    return reply(writer, owner, recipients, subject, original, Item(props | {PidTagInternetCodepage: 65001}))


def reply(writer: Writer, owner: str, recipients: Sequence[str], subject: str, original: Bag, template: Item) -> bytes:
    """An answer with body and attachments of a template; `owner` is the mailbox, the writer one of its names."""
    kept = {tag: template.props[tag] for tag in _OF_TEMPLATES if tag in template.props}
    props = kept | _letter(writer, recipients, subject) | thread(original)
    item = Item(props, _people(recipients), template.attachments, template.names)
    return AUTO_REPLIED + trace_field(owner) + compose(item, host=writer.host, bcc=False)


_OF_TEMPLATES = (PidTagBody, PidTagHtml, 0x10090102, PidTagInternetCodepage)
"""The forms of a body, PidTagRtfCompressed among them."""


def thread(original: Bag) -> Bag:
    """In-Reply-To and References (RFC 5322 3.6.4)."""
    identifier = original.get(PidTagInternetMessageId)
    if not isinstance(identifier, str) or not identifier:
        return {}
    before = original.get(PidTagInternetReferences) or original.get(PidTagInReplyToId) or ""
    chain = str(before).split()
    if len(chain) >= MAX_REFERENCES:
        chain = [chain[0], *chain[-MAX_REFERENCES + 2 :]]
    return {PidTagInReplyToId: identifier, PidTagInternetReferences: " ".join([*chain, identifier])}


# ------------------------------------------------------------------------------------------ refusals


def refusal(writer: Writer, sender: str, reason: str, status: str, header: bytes) -> bytes:
    """A report (RFC 3464) that the owner's rule refused a mail; `status` is of RFC 3463."""
    boundary = f"=_{writer.identity}"
    while boundary.encode() in header:
        boundary += "="
    bounds = [("boundary", boundary)]
    host, part = writer.host, f"--{boundary}\r\n".encode()
    head = b"".join((
        b"Auto-Submitted: auto-replied\r\n",
        h.field("Date", h.date(writer.now)),
        h.address_list("From", [h.mailbox("Mail Delivery System", f"postmaster@{host}")]),
        h.address_list("To", [h.mailbox("", sender)]),
        h.field("Subject", "Undeliverable mail"),
        h.field("Message-ID", writer.message_id),
        b"MIME-Version: 1.0\r\n",
        h.parametrised("Content-Type", "multipart/report", [("report-type", "delivery-status"), *bounds]),
    ))  # fmt: skip
    text = f"Your mail was not delivered to {h.addr_spec(writer.address)}:\r\n{reason}\r\n"
    told = (
        f"Reporting-MTA: dns; {host}\r\n\r\nFinal-Recipient: rfc822; {h.addr_spec(writer.address)}\r\n"
        f"Action: failed\r\nStatus: {status}\r\nDiagnostic-Code: smtp; 550 {status} {reason}\r\n"
    )
    return b"".join((
        head, b"\r\n", part, b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        h.octets(text), b"\r\n", part, b"Content-Type: message/delivery-status\r\n\r\n", h.octets(told), b"\r\n", part,
        b"Content-Type: text/rfc822-headers\r\n\r\n", header[trace_length(header) :].rstrip(b"\r\n"), b"\r\n\r\n",
        part[:-2], b"--\r\n",
    ))  # fmt: skip
