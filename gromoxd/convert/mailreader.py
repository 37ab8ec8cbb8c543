"""What a message's octets say, as properties: the whole MIME reader of [MS-OXCMAIL] 2.2.3 but for bodies and contents.

The digest of a delivery and the conversion to an Item both start here. Rare kinds of messages are told by their
structure (`gromoxd.convert.structure`); what reads them is loaded when the first one comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gromoxd.convert.attachments import attachment_bags, message_class
from gromoxd.convert.contentclass import refined_class
from gromoxd.convert.dates import parse_date
from gromoxd.convert.envelope import parsed_addresses
from gromoxd.convert.headers import MAX_HEADER, decode_header, field_map
from gromoxd.convert.mime import Octets, Part, header_end, scan_message
from gromoxd.convert.properties import MAX_STRING, Addresses, codepage_into, header_bag, recipient_bags
from gromoxd.convert.structure import CALENDAR, REPORT, UUENCODE, PartItems, Special, special_of
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import PropertyName
from gromoxd.mapi.named_tags import PidNameContentClass
from gromoxd.mapi.proptags import (
    PROP_PART_ITEM,
    PidTagAttachmentHidden,
    PidTagAttachNumber,
    PidTagDisplayName,
    PidTagEmailAddress,
    PidTagHasAttachments,
    PidTagInternetCodepage,
    PidTagMessageClass,
)

MAX_UUENCODED = 32 << 20
HASTY_HEADER, HASTY_PARTS = 16 << 10, 200
"""Octets of the header and parts that are read in some milliseconds, whatever is in them."""
Fields = Mapping[bytes, bytes]


class Mail(NamedTuple):
    """A message as it was read. `fields` and `addresses` are the header's as it stands, what IMAP shows."""

    size: int
    body: int
    fields: Fields
    addresses: Addresses
    dates: tuple[int, int] | None
    root: Part
    subject: str
    kind: str
    bag: Bag
    recipients: list[Bag]
    attachments: list[Bag]
    names: dict[int, PropertyName]


class Lengthy(Exception):
    """Reading this takes longer than an event loop may be held."""


def read_mail(data: Octets, received: int, items: PartItems | None = None, *, hasty: bool = False) -> Mail:
    """`received`: Unix time. `items`: where what a part says is kept for more reading.

    Never raises for any octets, but, when `hasty`, Lengthy for a message with more to read than milliseconds allow:
    a long header, many parts, a part that is another item.
    """
    size = len(data)
    body = header_end(data, 0, size)
    if hasty and body > HASTY_HEADER:
        raise Lengthy
    header = data[: min(body, MAX_HEADER)]
    fields = field_map(header)
    addresses = parsed_addresses(fields)
    root = scan_message(data, fields, body)
    if hasty and not few_parts(root, HASTY_PARTS):
        raise Lengthy
    shown: Fields = fields
    people: Addresses = addresses
    if not header.isascii():
        shown, people = _readable(header, fields, addresses, root)
    dates = parse_date(fields[b"date"]) if b"date" in fields else None
    subject = decode_header(shown.get(b"subject", b"")[: MAX_STRING * 4])[:MAX_STRING]
    bag = header_bag(shown, people, dates[0] if dates else None, received, subject)
    recipients = recipient_bags(bag, people)
    special = special_of(root)
    if special is None and b"content-type" not in fields and data.find(b"\nbegin ", body) >= 0:
        special = _uuencoded(data, root)
    kind = message_class(root)
    names: dict[int, PropertyName] = {}
    if special is not None and kind == "IPM.Note":
        if hasty:
            raise Lengthy
        read = _special(data, root, special, bag, recipients, shown, items or PartItems(data))
        kind, bag, recipients, attachments, names = read
    else:
        attachments = attachment_bags(data, root)
    if PidNameContentClass in bag:
        kind = refined_class(kind, bag, root)
    bag[PidTagMessageClass] = kind
    bag[PidTagHasAttachments] = any(PidTagAttachmentHidden not in attachment for attachment in attachments)
    if PROP_PART_ITEM not in bag or PidTagInternetCodepage not in bag:
        codepage_into(bag, root)
    return Mail(size, body, fields, addresses, dates, root, subject, kind, bag, recipients, attachments, names)


def few_parts(root: Part, most: int) -> bool:
    """Whether a message has at most so many parts."""
    waiting, count = [root], 0
    while waiting:
        part = waiting.pop()
        count += 1 + len(part.children)
        if count > most:
            return False
        waiting += part.children
    return True


def _readable(header: bytes, fields: Fields, addresses: Addresses, root: Part) -> tuple[Fields, Addresses]:
    """The fields of a header with raw 8-bit octets in UTF-8: of the body's charset, or as they look (RFC 6532 else)."""
    try:
        header.decode()
    except UnicodeDecodeError:
        from gromoxd.convert.charsets import codec_of, guess

        part = root
        while part.children and part.type == "multipart":
            part = part.children[0]
        codec = codec_of(part.param("charset") or "")
        try:
            text = header.decode(codec if codec not in (None, "ascii", "utf_8") else guess(header))
        except (LookupError, ValueError):
            return fields, addresses
        readable = field_map(text.encode("utf-8", "replace"))
        return readable, parsed_addresses(readable)
    return fields, addresses


def _uuencoded(data: Octets, root: Part) -> Special | None:
    from gromoxd.convert.uuencode import has_files

    if root.body_length > MAX_UUENCODED or not has_files(data[root.body_offset :]):
        return None
    return Special(UUENCODE, "1", root)


_Read = tuple[str, Bag, list[Bag], list[Bag], dict[int, PropertyName]]


def _special(
    data: Octets, root: Part, special: Special, bag: Bag, recipients: list[Bag], fields: Fields, items: PartItems
) -> _Read:
    """(class, properties, recipients, attachments, names) of a report, or of mail that is also another item."""
    if special.kind == REPORT:
        from gromoxd.convert.reports import report_of, returned

        original = returned(root)
        report = report_of(data, root, bag, _class_of(original) if original is not None else "IPM.Note")
        if report is None:
            return "IPM.Note", bag, recipients, attachment_bags(data, root), {}
        bag |= report.props
        return report.message_class, bag, report.recipients or recipients, attachment_bags(data, root, ""), {}
    from gromoxd.convert.partitem import merged
    from gromoxd.convert.unfold import body_parts

    item = merged(items, root, special, bag, fields, any(body_parts(root)))
    if item is None:
        return "IPM.Note", bag, recipients, attachment_bags(data, root), {}
    attachments = [] if special.kind == UUENCODE else attachment_bags(data, root, special.path)
    attachments += item.attachments
    for number, one in enumerate(attachments):
        one[PidTagAttachNumber] = number
    return item.message_class, item.props, _people(recipients, item.recipients, special.kind), attachments, item.names


def _class_of(part: Part) -> str:
    """The class of a message that a report returns, as far as its structure says it."""
    root = part.children[0] if part.is_message else part
    kind = message_class(root)
    special = special_of(root) if kind == "IPM.Note" else None
    if special is not None and special.kind == CALENDAR:
        return _MEETINGS.get((special.part.param("method") or "").lower(), kind)
    return kind


_MEETINGS = {"request": "IPM.Schedule.Meeting.Request", "cancel": "IPM.Schedule.Meeting.Canceled"}


def _people(recipients: list[Bag], others: list[Bag], kind: str) -> list[Bag]:
    """The header's recipients; a meeting's attendees that it does not name come after them, TNEF's in its stead."""
    if kind != CALENDAR:
        return recipients or others
    attendees = {str(one.get(PidTagEmailAddress, "")).lower(): one for one in others}
    named = [_attendee(one, attendees.pop(str(one.get(PidTagEmailAddress, "")).lower(), {})) for one in recipients]
    return named + list(attendees.values())


def _attendee(recipient: Bag, attendee: Bag) -> Bag:
    """A recipient as the calendar knows him (his part in the meeting, his answer), by the better of his names."""
    name = attendee.get(PidTagDisplayName)
    both = {**recipient, **attendee}
    if not name or name == attendee.get(PidTagEmailAddress):
        both[PidTagDisplayName] = recipient.get(PidTagDisplayName, name)
    return both
