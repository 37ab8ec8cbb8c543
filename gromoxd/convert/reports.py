"""Delivery status notifications (RFC 3464) and receipts (RFC 8098) as report messages ([MS-OXCMAIL] 2.2.3.7)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gromoxd.convert.addresses import parse_addresses
from gromoxd.convert.charsets import decode_body
from gromoxd.convert.dates import parse_date
from gromoxd.convert.headers import decode_header, field_map
from gromoxd.convert.mime import MAX_PART_HEADER, Octets, Part
from gromoxd.convert.properties import MAX_STRING, display, identifier, person
from gromoxd.convert.searchtext import part_octets
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.proptags import (
    PidTagAddressType,
    PidTagClientSubmitTime,
    PidTagDeliverTime,
    PidTagDisplayBcc,
    PidTagDisplayCc,
    PidTagDisplayName,
    PidTagDisplayTo,
    PidTagEmailAddress,
    PidTagNonDeliveryReportDiagCode,
    PidTagNonDeliveryReportReasonCode,
    PidTagNonDeliveryReportStatusCode,
    PidTagOriginalDisplayBcc,
    PidTagOriginalDisplayCc,
    PidTagOriginalDisplayTo,
    PidTagOriginalMessageClass,
    PidTagOriginalMessageId,
    PidTagOriginalSenderAddressType,
    PidTagOriginalSenderEmailAddress,
    PidTagOriginalSenderName,
    PidTagOriginalSubject,
    PidTagOriginalSubmitTime,
    PidTagParentKey,
    PidTagReceiptTime,
    PidTagRecipientType,
    PidTagRemoteMessageTransferAgent,
    PidTagReportDisposition,
    PidTagReportDispositionMode,
    PidTagReportingMessageTransferAgent,
    PidTagReportTag,
    PidTagReportText,
    PidTagReportTime,
    PidTagSupplementaryInfo,
)
from gromoxd.mapi.times import TICKS, UNIX_EPOCH_NT

MAX_STATUS = 256 << 10
MAX_GROUPS = 500
MAX_REPORT_TEXT = 8 << 10
STATUS = ("delivery-status", "global-delivery-status")
RECEIPT = ("disposition-notification", "global-disposition-notification")
_HEADERS = ("rfc822-headers", "global-headers")

_SEVERITY: Final = {b"delivered": 0, b"expanded": 1, b"relayed": 2, b"delayed": 3, b"failed": 4}
_SUFFIX: Final = ("DR", "Expanded.DR", "Relayed.DR", "Delayed.DR", "NDR")
"""Of the worst action that a notification tells ([MS-OXCMAIL] 2.2.3.7.1.1)."""
_UNREAD: Final = (b"deleted", b"denied", b"failed")
_GROUPS = re.compile(rb"(?:\r?\n[ \t]*){2,}")
_STATUS_CODE = re.compile(rb"[ \t]*([245])\.(\d{1,3})\.(\d{1,3})")


def is_machine_part(part: Part) -> bool:
    """A part that is there for programs: what it says is in the properties."""
    return part.type == "message" and part.subtype in STATUS + RECEIPT


def is_header_part(part: Part) -> bool:
    """The header of a returned message (RFC 6522 4): a message without its body."""
    return part.type == "text" and part.subtype in _HEADERS


@dataclass(slots=True)
class Report:
    """What a report says. `recipients` replace those of the header: they are whom the report is about."""

    message_class: str
    props: Bag
    recipients: list[Bag] = field(default_factory=list)


def report_of(raw: Octets, root: Part, bag: Bag, original_class: str = "IPM.Note") -> Report | None:
    """The report that a multipart/report is; None when it has no part that says so. `bag`: the header's properties."""
    machine = next((part for part in root.children if is_machine_part(part)), None)
    if machine is None:
        return None
    stop = machine.body_offset + min(machine.body_length, MAX_STATUS)
    groups = [field_map(text) for text in _GROUPS.split(part_octets(raw, machine, stop).strip(), MAX_GROUPS)]
    sent = bag.get(PidTagClientSubmitTime)
    props: Bag = {PidTagReportTime: sent, PidTagOriginalMessageClass: original_class}
    _original(raw, root, props)
    text = _text(raw, root)
    if text:
        props[PidTagReportText] = text
    if machine.subtype in STATUS:
        return _delivery(groups, props, sent, original_class)
    return _receipt(groups, props, sent, original_class)


# ---------------------------------------------------------------------------------------------- delivery


def _delivery(groups: list[dict[bytes, bytes]], props: Bag, sent: object, original_class: str) -> Report:
    """[MS-OXCMAIL] 2.2.3.7.1: those recipients of whom the worst is told."""
    told = [(_severity(group), group) for group in groups if b"action" in group or b"final-recipient" in group]
    worst = max((severity for severity, _ in told), default=4)
    agent = _after_type(groups[0].get(b"reporting-mta", b""))
    if agent:
        props[PidTagReportingMessageTransferAgent] = agent
    report = Report(f"REPORT.{original_class}.{_SUFFIX[worst]}", props)
    report.recipients = [_recipient(group, worst, sent) for severity, group in told if severity == worst]
    report.recipients = [one for one in report.recipients if one[PidTagEmailAddress]]
    if report.recipients:
        names = [str(one[PidTagDisplayName]) for one in report.recipients]
        props |= {PidTagDisplayTo: "; ".join(names)[:4000], PidTagDisplayCc: "", PidTagDisplayBcc: ""}
    return report


def _severity(group: Mapping[bytes, bytes]) -> int:
    """An action that is none counts as failed: who reports without a word reports no good."""
    word = re.split(rb"[^a-z]", group.get(b"action", b"").lower().strip())[0]
    return _SEVERITY.get(word, 4)


def _recipient(group: Mapping[bytes, bytes], severity: int, sent: object) -> Bag:
    address = _after_type(group.get(b"final-recipient") or group.get(b"original-recipient", b""))
    name = decode_header(group.get(b"x-display-name", b"")[:MAX_STRING]) or address
    bag: Bag = {
        PidTagRecipientType: 1, PidTagDisplayName: name, PidTagEmailAddress: address, PidTagAddressType: "SMTP",
        PidTagReportTime: sent if isinstance(sent, int) else 0,
    }  # fmt: skip
    if severity < 4:
        bag[PidTagDeliverTime] = bag[PidTagReportTime]
    remote = _after_type(group.get(b"remote-mta", b""))
    if remote:
        bag[PidTagRemoteMessageTransferAgent] = remote
    code = _STATUS_CODE.match(group.get(b"status", b""))
    if code is not None:
        _status(bag, *(int(digits) for digits in code.groups()))
    bag[PidTagSupplementaryInfo] = _supplement(group, remote, code)
    bag[PidTagReportText] = decode_header(group.get(b"diagnostic-code", b"")[:MAX_STRING])
    return bag


def _supplement(group: Mapping[bytes, bytes], remote: str, code: re.Match[bytes] | None) -> str:
    """[MS-OXCMAIL] 2.2.3.7.1.2."""
    given = group.get(b"x-supplementary-info")
    if given:
        return decode_header(given[:MAX_STRING])
    status = code.group().strip().decode("ascii") if code is not None else "5.0.0"
    diagnostic = decode_header(group.get(b"diagnostic-code", b"")[:MAX_STRING])
    words = [remote, f"#{status}", diagnostic]
    return f"<{' '.join([word for word in words if word])}>"


_CODES: Final[dict[tuple[int, int], tuple[int, int]]] = {
    (1, 1): (35, 1), (1, 2): (48, 0), (1, 3): (32, 0), (1, 4): (1, 0), (1, 6): (40, 0),
    (2, 1): (38, 0), (2, 2): (13, 0), (2, 3): (13, 0), (2, 4): (30, 0),
    (4, 6): (3, 0), (4, 7): (5, 0), (7, 1): (29, 0), (7, 2): (28, 0),
}  # fmt: skip
"""(subject, detail) of a status -> (PidTagNonDeliveryReportDiagCode, PidTagNonDeliveryReportReasonCode)."""


def _status(bag: Bag, kind: int, subject: int, detail: int) -> None:
    """[MS-OXCMAIL] 2.2.3.7.1.3."""
    subject, detail = subject if subject <= 9 else 0, detail if detail <= 9 else 0
    diagnostic, reason = _CODES.get((subject, detail), (0 if subject == 1 else -1, 0))
    bag[PidTagNonDeliveryReportStatusCode] = kind * 100 + subject * 10 + detail
    bag[PidTagNonDeliveryReportDiagCode] = diagnostic
    bag[PidTagNonDeliveryReportReasonCode] = reason


def _after_type(value: bytes) -> str:
    """What follows the type of an address or name (RFC 3464 2.1.2), without angle brackets and a comment."""
    text = value.partition(b";")[2] if b";" in value else value
    text = text.strip(b" \t")
    if text.startswith(b"<") and b">" in text:
        text = text[1 : text.index(b">")]
    return decode_header(text.partition(b" (")[0][:MAX_STRING])


# ---------------------------------------------------------------------------------------------- receipts

_TAG_COOKIE = b"PCDFEB09\0"
_TAG_VERSION = (0x00010001).to_bytes(4, "little")


def report_tag(search_key: bytes) -> bytes:
    """PidTagReportTag ([MS-OXOMSG] 2.2.2.22) of an original of which nothing but the search key is known."""
    key = len(search_key).to_bytes(4, "little") + search_key
    return _TAG_COOKIE + _TAG_VERSION + bytes(16) + key + bytes(4)


def _receipt(groups: list[dict[bytes, bytes]], props: Bag, sent: object, original_class: str) -> Report:
    """[MS-OXCMAIL] 2.2.3.7.2, RFC 8098 3.2."""
    fields = groups[0]
    mode, _, kind = fields.get(b"disposition", b"").partition(b";")
    word = re.split(rb"[^a-z]", kind.lower().strip())[0]
    suffix = "IPNNRN" if word in _UNREAD else "IPNRN"
    props[PidTagReportDisposition] = "deleted" if suffix == "IPNNRN" else "displayed"
    props[PidTagReportDispositionMode] = decode_header(mode.strip()[:100])
    if suffix == "IPNRN" and isinstance(sent, int):
        props[PidTagReceiptTime] = sent
    if b"original-message-id" in fields:
        props[PidTagOriginalMessageId] = identifier(fields[b"original-message-id"])
    agent = decode_header(fields.get(b"reporting-ua", b"")[:MAX_STRING])
    if agent:
        props[PidTagReportingMessageTransferAgent] = agent
    key = _search_key(fields.get(b"x-msexch-correlation-key", b""))
    if key:
        props[PidTagParentKey], props[PidTagReportTag] = key, report_tag(key)
    return Report(f"REPORT.{original_class}.{suffix}", props)


def _search_key(value: bytes) -> bytes:
    try:
        return binascii.a2b_base64(value[:200])
    except binascii.Error:
        return b""


# ---------------------------------------------------------------------------------------------- the original


def returned(root: Part) -> Part | None:
    """The part that holds the original, or its header."""
    return next((part for part in root.children if part.is_message or is_header_part(part)), None)


def _original(raw: Octets, root: Part, props: Bag) -> None:
    """[MS-OXOMSG] 2.2.2.4-2.2.2.14: what the returned header says."""
    part = returned(root)
    if part is None:
        return
    if part.is_message and part.encoding in ("7bit", "8bit", "binary"):
        child = part.children[0]
        header = raw[child.header_offset : child.header_offset + min(child.header_length, MAX_PART_HEADER)]
    else:
        header = part_octets(raw, part, part.body_offset + min(part.body_length, MAX_PART_HEADER))
    fields = field_map(header)
    if b"subject" in fields:
        props[PidTagOriginalSubject] = decode_header(fields[b"subject"][: MAX_STRING * 4])[:MAX_STRING]
    if b"message-id" in fields:
        props[PidTagOriginalMessageId] = identifier(fields[b"message-id"])
    when = parse_date(fields[b"date"]) if b"date" in fields else None
    if when is not None:
        props[PidTagOriginalSubmitTime] = when[0] * TICKS + UNIX_EPOCH_NT
    for name, tag in _SHOWN:
        if name in fields:
            props[tag] = display(parse_addresses(fields[name]))
    sender = next((one for one in parse_addresses(fields.get(b"from", b"")[:4000]) if one.host is not None), None)
    if sender is not None:
        props[PidTagOriginalSenderName], props[PidTagOriginalSenderEmailAddress] = person(sender)
        props[PidTagOriginalSenderAddressType] = "SMTP"


_SHOWN = (
    (b"to", PidTagOriginalDisplayTo), (b"cc", PidTagOriginalDisplayCc), (b"bcc", PidTagOriginalDisplayBcc)
)  # fmt: skip


def _text(raw: Octets, root: Part) -> str:
    """The begin of the part that people read."""
    part: Part | None = root.children[0] if root.children else None
    while part is not None and part.type == "multipart":
        part = part.children[0] if part.children else None
    if part is None or part.type != "text" or part.subtype != "plain":
        return ""
    octets = part_octets(raw, part, part.body_offset + min(part.body_length, MAX_REPORT_TEXT))
    return decode_body(octets, part.charset).replace("\x00", "").strip()[: MAX_REPORT_TEXT // 2]
