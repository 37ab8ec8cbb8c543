"""A complete Item out of a mail's octets: what delivery refers to, taken along (import, forwards, .msg export)."""

from __future__ import annotations

from mmap import mmap

from gromoxd.convert.attachments import BY_VALUE, EMBEDDED_MESSAGE
from gromoxd.convert.derived import SUBJECTS
from gromoxd.convert.internetheaders import internet_headers, keywords_of
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.keptentity import entity_of
from gromoxd.convert.keptheader import transport_headers
from gromoxd.convert.mailreader import Mail, read_mail
from gromoxd.convert.mime import Octets, Part, octets
from gromoxd.convert.partitem import part_values, split_path
from gromoxd.convert.structure import PartItems
from gromoxd.convert.unfold import MAX_DEPTH, attachment_octets, attachment_of_item, bodies, mac_info
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import PS_INTERNET_HEADERS, PropertyName
from gromoxd.mapi.named_tags import PidNameAttachmentMacContentType, PidNameAttachmentMacInfo, PidNameKeywords
from gromoxd.mapi.proptags import (
    INTERNAL,
    PROP_PART_ITEM,
    PROP_PART_PATH,
    PidTagAttachDataBinary,
    PidTagAttachDataObject,
    PidTagAttachMethod,
    PidTagAttachSize,
    PidTagBody,
    PidTagMessageFlags,
    PidTagMimeSkeleton,
    PidTagSubject,
    PidTagTransportMessageHeaders,
)

MF_READ, MF_UNSENT = 0x1, 0x8


def item_of_mime(raw: bytes | bytearray | memoryview | mmap, *, received: int, depth: int = 0) -> Item:
    """The whole message; embedded ones are Items too, down to MAX_DEPTH. Never raises for any octets.

    `received`: Unix time that the message arrived. Header fields without a property of their own are in `names`, of
    PS_INTERNET_HEADERS ([MS-OXCMAIL] 2.2.3.2.29).
    """
    data = octets(raw)
    items = PartItems(data)
    return _whole(data, read_mail(data, received, items), items, received, depth)


def meeting_of_mime(raw: bytes | bytearray | memoryview | mmap, *, received: int) -> Item:
    """A meeting message as `item_of_mime` has it, but for its subject: the meeting's own, whatever the mail is called.

    [MS-OXCICAL] 2.1.3.1.1.20.26 (SUMMARY). Some call the mail "Invitation: …".
    """
    data = octets(raw)
    items = PartItems(data)
    mail = read_mail(data, received, items)
    item = _whole(data, mail, items, received, 0)
    path = mail.bag.get(PROP_PART_ITEM)
    said = items.get(mail.root, path) if isinstance(path, str) else None
    if said is not None and said.props.get(PidTagSubject):
        for tag in SUBJECTS:
            item.props.pop(tag, None)
        item.props |= {tag: said.props[tag] for tag in SUBJECTS if tag in said.props}
    return item


def _whole(data: Octets, mail: Mail, items: PartItems, received: int, depth: int) -> Item:
    item = Item(
        {tag: value for tag, value in mail.bag.items() if tag not in INTERNAL}, mail.recipients, [], dict(mail.names)
    )
    item.props |= contents(data, mail.root, mail.bag, items)
    header = data[: mail.body]
    item.props[PidTagTransportMessageHeaders] = transport_headers(header)
    if (entity := entity_of(data, mail.root)) is not None:
        item.props[PidTagMimeSkeleton] = entity
    if not mail.fields and mail.body == len(data) and header.strip():
        item.props[PidTagBody] = str(item.props[PidTagTransportMessageHeaders])  # text for want of any field
    _fields(item, header, mail)
    item.attachments = [attachment_of(data, mail.root, bag, received, items, depth) for bag in mail.attachments]
    return item


def contents(raw: Octets, root: Part, bag: Bag, items: PartItems) -> Bag:
    """The bodies and long values that are in the form and not in the message's bag."""
    path = bag.get(PROP_PART_ITEM)
    if not isinstance(path, str):
        return bodies(raw, root)
    found = items.get(root, path)
    said = {tag: found.props[tag] for tag in part_values(bag) if tag in found.props} if found is not None else {}
    return bodies(raw, root) | said


def attachment_of(raw: Octets, root: Part, bag: Bag, received: int, items: PartItems, depth: int = 0) -> ItemAttachment:
    """An attachment without its reference."""
    path = bag.get(PROP_PART_PATH)
    own = {tag: value for tag, value in bag.items() if tag not in INTERNAL}
    if not isinstance(path, str):
        return ItemAttachment(own)
    section, number = split_path(path)
    if number is not None:
        one = attachment_of_item(items.get(root, section), number) or ItemAttachment()
        own |= {tag: value for tag, value in one.props.items() if tag not in own and tag not in _DATA}
        return ItemAttachment(own, one.data, one.embedded)
    data = attachment_octets(raw, root, path)
    if PidNameAttachmentMacContentType in bag and (info := mac_info(raw, root, path)):
        own[PidNameAttachmentMacInfo] = info
    if bag.get(PidTagAttachMethod) != EMBEDDED_MESSAGE:
        return ItemAttachment(own | {PidTagAttachSize: len(data)}, data)
    if depth >= MAX_DEPTH:
        return ItemAttachment(own | {PidTagAttachMethod: BY_VALUE}, data)
    return ItemAttachment(own, b"", item_of_mime(data, received=received, depth=depth + 1))


_DATA = (PidTagAttachDataBinary, PidTagAttachDataObject)


def _fields(item: Item, header: bytes, mail: Mail) -> None:
    """What a mailbox reads from the header when asked: other fields by name, keywords, drafts."""
    for name, text in internet_headers(header):
        tag = item.foreign_id(PropertyName(PS_INTERNET_HEADERS, name)) << 16 | 0x1F
        item.props.setdefault(tag, text)
    keywords = mail.fields.get(b"keywords")
    if keywords:
        item.props[PidNameKeywords] = keywords_of(keywords)
    if mail.fields.get(b"x-unsent", b"").strip() == b"1":
        item.props[PidTagMessageFlags] = MF_READ | MF_UNSENT
