"""An item to TNEF. [MS-OXTNEF] 2.2.

All properties are in attMsgProps, attRecipTable and attAttachment in Unicode; those that old readers know are in
attributes of their own besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.itemnames import ItemNames
from gromoxd.convert.tnef import attributes as a
from gromoxd.convert.tnef.attributes import Att, Level
from gromoxd.convert.tnef.properties import ObjectValue, encode_list
from gromoxd.convert.tnef.reader import ROLES
from gromoxd.errors import WireError
from gromoxd.mapi import codepages
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.cursor import U16, U32
from gromoxd.mapi.flags import AttachMethod
from gromoxd.mapi.values import NOT_OF_THE_TYPE

KEY: Final = 1
"""The legacy key of attachments, any number but 0 ([MS-OXTNEF] 2.1.3.1)."""


def to_tnef(item: Item) -> bytes:
    """The stream of an item; WireError for messages nested deeper than 16, or an attribute of 4 GiB.

    What TNEF has no form for is left out: PtypNull, PtypServerId, PtypRestriction, PtypRuleAction.
    """
    return _encode(item, 0)


def _encode(item: Item, depth: int) -> bytes:
    if depth > a.MAX_DEPTH:
        raise WireError(f"messages nested deeper than {a.MAX_DEPTH}")
    names = ItemNames(item.names)
    page = _code_page(item)
    parts = [U32.pack(a.SIGNATURE), U16.pack(KEY)]
    for ident, octets in _message_attributes(item, names, page, depth):
        parts += _attribute(Level.attrLevelMessage, ident, octets)
    for attachment in item.attachments:
        for ident, octets in _attachment_attributes(attachment, names, page, depth):
            parts += _attribute(Level.attrLevelAttachment, ident, octets)
    return b"".join(parts)


def _attribute(level: int, ident: int, octets: bytes) -> tuple[bytes, ...]:
    if len(octets) > 0xFFFFFFFF:
        raise WireError(f"attribute {ident:#010x} of {len(octets)} octets")
    head = bytes((level,)) + U32.pack(ident) + U32.pack(len(octets))
    return head, octets, U16.pack(a.checksum(octets))


_TEXTS: Final = (p.PidTagSubject, p.PidTagSenderName, p.PidTagSentRepresentingName, p.PidTagReceivedRepresentingName)


def _code_page(item: Item) -> int:
    """Of the 8-bit strings in attributes: the Western one if that has all of their characters, else UTF-8."""
    texts = [item.props.get(tag) for tag in _TEXTS] + [_file_name(attachment.props) for attachment in item.attachments]
    try:
        "".join([text for text in texts if isinstance(text, str)]).encode("cp1252")
    except UnicodeEncodeError:
        return codepages.UTF8
    return codepages.WESTERN


def _file_name(props: Bag) -> str:
    name = props.get(p.PidTagAttachLongFilename) or props.get(p.PidTagAttachFilename)
    return name if isinstance(name, str) else ""


# Values of attributes. What is not of its type, or has no form, gives no attribute: the property list has it.


def _text(value: object, page: int) -> bytes | None:
    return codepages.encode(value.partition("\0")[0], page) + b"\0" if isinstance(value, str) else None


def _class(value: object, page: int) -> bytes | None:
    return _text(a.attribute_of_class(value), page) if isinstance(value, str) else None


def _date(value: object, _: int) -> bytes | None:
    try:
        return a.encode_date(value) if isinstance(value, int) else None
    except WireError:
        return None


def _key(value: object, _: int) -> bytes | None:
    return value.hex().upper().encode() + b"\0" if isinstance(value, bytes) else None


def _octets(value: object, _: int) -> bytes | None:
    return value if isinstance(value, bytes) else None


def _status(value: object, _: int) -> bytes | None:
    return bytes((a.status_of_flags(value),)) if isinstance(value, int) else None


def _priority(value: object, _: int) -> bytes | None:
    priority = a.PRIORITIES.get(value) if isinstance(value, int) else None
    return None if priority is None else U16.pack(priority)


def _response(value: object, _: int) -> bytes | None:
    return U16.pack(int(value)) if isinstance(value, bool) else None


def _number(value: object, _: int) -> bytes | None:
    try:
        return int.to_bytes(value, 4, "little", signed=True) if isinstance(value, int) else None
    except NOT_OF_THE_TYPE:
        return None


Encoder = Callable[[object, int], bytes | None]
_MAPPED: Final[tuple[tuple[Att, int, Encoder], ...]] = (
    (Att.attMessageClass, p.PidTagMessageClass, _class),
    (Att.attPriority, p.PidTagImportance, _priority),
    (Att.attDateSent, p.PidTagClientSubmitTime, _date),
    (Att.attDateRecd, p.PidTagMessageDeliveryTime, _date),
    (Att.attMessageStatus, p.PidTagMessageFlags, _status),
    (Att.attMessageID, p.PidTagSearchKey, _key),
    (Att.attParentID, p.PidTagParentKey, _key),
    (Att.attConversationID, p.PidTagConversationKey, _key),
    (Att.attDateModified, p.PidTagLastModificationTime, _date),
    (Att.attOriginalMessageClass, p.PidTagOriginalMessageClass, _class),
)
_MEETING: Final[tuple[tuple[Att, int, Encoder], ...]] = (
    (Att.attDateStart, p.PidTagStartDate, _date),
    (Att.attDateEnd, p.PidTagEndDate, _date),
    (Att.attAidOwner, p.PidTagOwnerAppointmentId, _number),
    (Att.attRequestRes, p.PidTagResponseRequested, _response),
    (Att.attDelegate, p.PidTagReceivedRepresentingEntryId, _octets),
)
_ATTACHED: Final[tuple[tuple[Att, int, Encoder], ...]] = (
    (Att.attAttachMetaFile, p.PidTagAttachRendering, _octets),
    (Att.attAttachCreateDate, p.PidTagCreationTime, _date),
    (Att.attAttachModifyDate, p.PidTagLastModificationTime, _date),
    (Att.attAttachTransportFilename, p.PidTagAttachTransportName, _text),
)


def _mapped(bag: Bag, table: tuple[tuple[Att, int, Encoder], ...], page: int) -> Iterator[tuple[int, bytes]]:
    for ident, tag, encode in table:
        value = bag.get(tag)
        octets = None if value is None else encode(value, page)
        if octets is not None:
            yield ident, octets


def _people(bag: Bag, message_class: str, page: int) -> Iterator[tuple[int, bytes]]:
    """attFrom, and those of meetings: attOwner is the organizer's part in either direction ([MS-OXTNEF] 2.2.3.11)."""
    yield from _person(bag, Att.attFrom, "sender", a.encode_triple, page)
    if message_class.startswith(a.MEETINGS):
        owner = "received" if message_class.startswith(a.RESPONSES) else "represented"
        yield from _person(bag, Att.attOwner, owner, a.encode_counted, page)
        yield from _person(bag, Att.attSentFor, "represented", a.encode_counted, page)


def _person(
    bag: Bag, ident: Att, role: str, encode: Callable[[a.Person], bytes], page: int
) -> Iterator[tuple[int, bytes]]:
    texts = [_text(bag.get(tag), page) for tag in ROLES[role][:3]]
    if texts[2] is None:
        return
    name, kind, address = ((text or b"")[:-1] for text in texts)
    try:
        yield ident, encode(a.Person(name or address, kind or b"SMTP", address))
    except WireError:
        return


def _message_attributes(item: Item, names: ItemNames, page: int, depth: int) -> Iterator[tuple[int, bytes]]:
    bag = item.props
    message_class = bag.get(p.PidTagMessageClass)
    folded = message_class.lower() if isinstance(message_class, str) else ""
    yield Att.attTnefVersion, U32.pack(a.VERSION)
    yield Att.attOemCodepage, U32.pack(page) + U32.pack(0)
    yield from _mapped(bag, _MAPPED, page)
    subject = _text(bag.get(p.PidTagSubject), page)
    if subject is not None and not depth:
        yield Att.attSubject, subject
    yield from _people(bag, folded, page)
    if folded.startswith(a.MEETINGS):
        yield from _mapped(bag, _MEETING, page)
    if item.recipients:
        rows = [encode_list(recipient, names) for recipient in item.recipients]
        yield Att.attRecipTable, U32.pack(len(rows)) + b"".join(rows)
    yield Att.attMsgProps, encode_list(bag, names)


def _attachment_attributes(
    attachment: ItemAttachment, names: ItemNames, page: int, depth: int
) -> Iterator[tuple[int, bytes]]:
    bag = attachment.props
    method, position = bag.get(p.PidTagAttachMethod), bag.get(p.PidTagRenderingPosition)
    rend = a.RendData(
        method if isinstance(method, int) else int(AttachMethod.afByValue),
        position if isinstance(position, int) and -1 <= position <= 0x7FFFFFFF else -1,
    )
    yield Att.attAttachRendData, a.encode_rend(rend)
    storage = method == AttachMethod.afStorage
    data_object = None
    if attachment.embedded is not None:
        data_object = ObjectValue(a.IID_IMessage, _encode(attachment.embedded, depth + 1))
    elif storage:
        data_object = ObjectValue(a.IID_IStorage, attachment.data)
    else:
        yield Att.attAttachData, attachment.data
    name = _file_name(bag)
    if name:
        yield Att.attAttachTitle, codepages.encode(name.partition("\0")[0], page) + b"\0"
    yield from _mapped(bag, _ATTACHED, page)
    yield Att.attAttachment, encode_list(bag, names, data_object)
