"""Report messages: delivery status notifications (RFC 3464) and disposition notifications (RFC 8098) of REPORT.* items.

[MS-OXCMAIL] 2.1.3.6. The text and the original message are made by `gromoxd.convert.compose`; here are the machine-
readable part and the frame of RFC 6522.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from typing import NamedTuple

from gromoxd.convert import headerlines as h
from gromoxd.convert.addresses import parse_addresses
from gromoxd.convert.composeheader import originators, person, smtp
from gromoxd.convert.composeparts import multipart
from gromoxd.convert.headers import unfold_fields
from gromoxd.convert.item import Item
from gromoxd.convert.keptheader import MAX_HEADER
from gromoxd.convert.properties import person as mailbox_of
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.proptags import (
    PidTagMessageClass,
    PidTagNonDeliveryReportDiagCode,
    PidTagNonDeliveryReportStatusCode,
    PidTagOriginalMessageId,
    PidTagOriginalSenderAddressType,
    PidTagOriginalSenderEmailAddress,
    PidTagOriginalSenderName,
    PidTagOriginalSubmitTime,
    PidTagParentKey,
    PidTagRecipientType,
    PidTagRemoteMessageTransferAgent,
    PidTagReportDisposition,
    PidTagReportDispositionMode,
    PidTagReportingMessageTransferAgent,
    PidTagSupplementaryInfo,
    PidTagTransportMessageHeaders,
)
from gromoxd.mapi.times import unix_seconds

MAX_RECIPIENTS = 5000


class Kind(NamedTuple):
    """What a report's class means: media subtype, the action or disposition, the status when nothing says more."""

    subtype: str
    action: str
    status: str = ""


_DSN, _MDN = "delivery-status", "disposition-notification"
_KINDS = {
    "DR": Kind(_DSN, "delivered", "2.0.0"), "EXPANDED.DR": Kind(_DSN, "expanded", "2.0.0"),
    "RELAYED.DR": Kind(_DSN, "relayed", "2.0.0"), "NDR": Kind(_DSN, "failed", "5.0.0"),
    "DELAYED.DR": Kind(_DSN, "delayed", "4.0.0"), "IPNRN": Kind(_MDN, "displayed"),
    "IPNNRN": Kind(_MDN, "deleted"), "EXPANDED": Kind(_DSN, "expanded", "2.0.0"),
    "RELAYED": Kind(_DSN, "relayed", "2.0.0"), "DELAYED": Kind(_DSN, "delayed", "4.0.0"),
}  # fmt: skip
"""By the end of the message class ([MS-OXCMAIL] 2.1.3.6.1.1, 2.1.3.6.2.1)."""
_STATUS = {
    0: "5.1.1", 1: "5.1.4", 2: "4.4.5", 3: "5.4.6", 4: "4.2.1", 5: "4.4.7", 6: "5.6.1", 7: "5.2.3", 8: "5.6.2",
    9: "5.6.2", 10: "5.6.5", 11: "5.6.1", 12: "5.5.4", 13: "5.6.0", 14: "5.5.4", 15: "5.3.4", 29: "5.7.1", 30: "5.7.3",
    31: "5.1.0", 38: "5.7.2", 43: "5.1.4", 45: "5.6.3",
}  # fmt: skip
"""PidTagNonDeliveryReportDiagCode ([MS-OXOMSG] 2.2.2.30) as a status of RFC 3463 ([MS-OXCMAIL] 2.1.3.6.1.2). It is no
inverse of the reader's table (2.2.3.7.1.3), which keeps the status itself in PidTagNonDeliveryReportStatusCode."""
_SUPPLEMENT = re.compile(r"<(?:(?!#)(\S+) )?#([245]\.\d{1,3}\.\d{1,3})(?: (.*))?>", re.DOTALL)
"""PidTagSupplementaryInfo ([MS-OXCMAIL] 2.2.3.7.1.5)."""
_DISPOSITION = re.compile(r"[A-Za-z-]{1,40}(/[A-Za-z-]{1,40})?")


def report_kind(message_class: object) -> Kind | None:
    """What a message class like REPORT.IPM.Note.NDR means; None for one that is no report."""
    name = str(message_class).upper()
    if not name.startswith("REPORT."):
        return None
    words = name.split(".")
    return _KINDS.get(".".join(words[-2:])) or _KINDS.get(words[-1])


def report_entity(item: Item, text: bytes, original: bytes | None, host: str) -> bytes | None:
    """multipart/report (RFC 6522 3) around `text` and the part that has the original; None when it is no report."""
    kind = report_kind(item.props.get(PidTagMessageClass))
    if kind is None:
        return None
    fields = _delivery_status(item, kind, host) if kind.subtype == _DSN else _disposition(item.props, kind, host)
    head = f"Content-Type: message/{kind.subtype}\r\n\r\n".encode()
    parts = [text, head + b"".join(fields)]
    if original is not None:
        parts.append(original)
    return multipart("report", parts, [("report-type", kind.subtype)])


def report_recipients(item: Item, host: str) -> list[bytes] | None:
    """The address fields of a notification, whose recipients are those that it tells of: it goes to who sent the
    message ([MS-OXOMSG] 2.2.2.12), or where it went when it came. None for other items, their recipients being theirs.
    """
    kind = report_kind(item.props.get(PidTagMessageClass))
    if kind is None or kind.subtype != _DSN:
        return None
    props = item.props
    came = props.get(PidTagTransportMessageHeaders)
    if isinstance(came, str):
        return _came_to(came)
    kept = (PidTagOriginalSenderAddressType, PidTagOriginalSenderEmailAddress)
    address = smtp(_text(props, kept[0]), _text(props, kept[1]), "", host)
    return [h.address_list("To", [h.mailbox(_text(props, PidTagOriginalSenderName), address)])] if address else []


_ADDRESSED = {b"to": "To", b"cc": "Cc"}


def _came_to(header: str) -> list[bytes]:
    fields = []
    for name, value in unfold_fields(header[:MAX_HEADER].encode("utf-8", "replace")):
        written = _ADDRESSED.get(name.lower())
        boxes = [h.mailbox(*mailbox_of(one)) for one in parse_addresses(value) if one.host] if written else []
        if written and boxes:
            fields.append(h.address_list(written, boxes))
    return fields


# ------------------------------------------------------------------------------------------ delivery status


def _delivery_status(item: Item, kind: Kind, host: str) -> list[bytes]:
    """RFC 3464 2.1; [MS-OXCMAIL] 2.1.3.6.1."""
    props = item.props
    agent = _text(props, PidTagReportingMessageTransferAgent) or host
    fields = [h.field("Reporting-MTA", _typed("dns", agent))]
    submitted = props.get(PidTagOriginalSubmitTime)
    if isinstance(submitted, int) and submitted > 0:
        fields.append(h.field("Arrival-Date", h.date(unix_seconds(submitted))))
    fields += _correlation(props)
    for recipient in _addressed(item.recipients):
        fields.append(b"\r\n")
        fields += _recipient(recipient, kind, host)
    return fields


def _addressed(recipients: Sequence[Bag]) -> list[Bag]:
    kinds = [(bag, bag.get(PidTagRecipientType)) for bag in recipients[:MAX_RECIPIENTS]]
    return [bag for bag, kind in kinds if isinstance(kind, int) and kind & 0xF in (1, 2, 3)]


def _recipient(bag: Bag, kind: Kind, host: str) -> list[bytes]:
    """RFC 3464 2.3."""
    name, address = person(bag, host)
    supplement = _text(bag, PidTagSupplementaryInfo)
    told = _SUPPLEMENT.fullmatch(supplement)
    fields = [
        h.field("Final-Recipient", f"rfc822;{h.addr_spec(address)}"), h.field("Action", kind.action),
        h.field("Status", _status(bag, kind, told)),
    ]  # fmt: skip
    remote = _text(bag, PidTagRemoteMessageTransferAgent)
    if remote:
        fields.append(h.field("Remote-MTA", _typed("dns", remote)))
    if told is not None and told.group(3):
        fields.append(h.field("Diagnostic-Code", _typed("smtp", told.group(3))))
    elif supplement and told is None:
        fields.append(h.field("X-Supplementary-Info", supplement))
    if name and name != address:
        fields.append(h.field("X-Display-Name", name))
    return fields


def _status(bag: Bag, kind: Kind, told: re.Match[str] | None) -> str:
    """[MS-OXCMAIL] 2.1.3.6.1.2; what the reader kept of the very status is better than what codes tell."""
    if told is not None:
        return told.group(2)
    code = bag.get(PidTagNonDeliveryReportStatusCode)
    if isinstance(code, int) and 200 <= code <= 599:
        return ".".join(str(code))
    diagnosis = bag.get(PidTagNonDeliveryReportDiagCode)
    known = _STATUS.get(diagnosis) if isinstance(diagnosis, int) and kind.action == "failed" else None
    return known or kind.status


def _typed(kind: str, text: str) -> str:
    """`type; text` (RFC 3464 2.1.2), the type when there is none."""
    return text if re.match(r"[A-Za-z0-9-]{1,20};", text) else f"{kind}; {text}"


# ------------------------------------------------------------------------------------------ disposition


def _disposition(props: Bag, kind: Kind, host: str) -> list[bytes]:
    """RFC 8098 3.1; [MS-OXCMAIL] 2.1.3.6.2."""
    author, sender = originators(props, host)
    name, address = sender or author or ("", "")
    mode, what = _text(props, PidTagReportDispositionMode), _text(props, PidTagReportDisposition)
    if not _DISPOSITION.fullmatch(mode) or "/" not in mode:
        mode = "manual-action/MDN-sent-automatically"
    fields = [
        h.field("Final-Recipient", f"rfc822;{h.addr_spec(address)}"),
        h.field("Disposition", f"{mode}; {what if _DISPOSITION.fullmatch(what) else kind.action}"),
    ]
    original = h.clean(_text(props, PidTagOriginalMessageId)).strip()
    if original:
        fields.append(h.fold("Original-Message-ID", original.split()))
    fields += _correlation(props)
    if name and name != address:
        fields.append(h.field("X-Display-Name", name))
    return fields


def _correlation(props: Bag) -> list[bytes]:
    key = props.get(PidTagParentKey)
    if not isinstance(key, bytes) or not key:
        return []
    return [h.field("X-MSExch-Correlation-Key", binascii.b2a_base64(key[:600], newline=False).decode())]


def _text(props: Bag, tag: int) -> str:
    value = props.get(tag)
    return value if isinstance(value, str) else ""
