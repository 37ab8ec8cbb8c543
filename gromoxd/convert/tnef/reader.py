"""TNEF to an item. [MS-OXTNEF] 2.3.

Everything after the signature is read as far as it makes sense: an attribute that is broken, cut off or unknown does no
harm to the others. Checksums are not compared, since writers get them wrong (2.3.3.4) and a wrong one would change
nothing.
"""

from __future__ import annotations

from binascii import Error as BinasciiError
from binascii import unhexlify
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.itemnames import ItemNames
from gromoxd.convert.tnef import attributes as a
from gromoxd.convert.tnef.attributes import Att
from gromoxd.convert.tnef.properties import Budget, ListReader
from gromoxd.errors import WireError
from gromoxd.mapi import codepages
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.entryids import one_off
from gromoxd.mapi.flags import AttachMethod

MAX_ATTACHMENTS: Final = 4096
MAX_RECIPIENTS: Final = 32768
_HEAD: Final = 6
_ATTRIBUTE: Final = 9
_HTML8: Final = p.PidTagBodyHtml & 0xFFFF0000 | 0x1E


def from_tnef(data: bytes) -> Item:
    """The message in a TNEF stream; WireError when it does not begin like one."""
    return _read_message(Cursor(data), Budget(), 0)


def _read_message(cursor: Cursor, budget: Budget, depth: int) -> Item:
    if cursor.left < _HEAD or cursor.u32() != a.SIGNATURE:
        raise WireError("no TNEF signature", cursor.at)
    cursor.u16()
    message = _Message(budget, depth)
    while cursor.left >= _ATTRIBUTE and budget.values > 0:
        budget.values -= 1
        level, ident, size = cursor.u8(), cursor.u32(), cursor.u32()
        handler = _HANDLERS.get((level, ident & 0xFFFF))
        if level not in (a.Level.attrLevelMessage, a.Level.attrLevelAttachment):
            break
        region = cursor.region(min(size, cursor.left))
        cursor.at = min(cursor.at + 2, cursor.end)
        if handler is not None:
            with suppress(WireError):
                handler(message, region)
    return message.finish()


class _Attachment:
    """An attachment that is being read: what its attributes say, and what the properties in attAttachment say."""

    __slots__ = ("data", "embedded", "mapped", "props", "title")

    def __init__(self) -> None:
        self.mapped: Bag = {}
        self.props: Bag = {}
        self.title = ""
        self.data = b""
        self.embedded: Item | None = None

    def finish(self) -> ItemAttachment:
        props = self.mapped | self.props
        data = props.pop(p.PidTagAttachDataBinary, b"")
        if self.title and not (p.PidTagAttachLongFilename in props or p.PidTagAttachFilename in props):
            props[p.PidTagAttachLongFilename] = self.title
        if self.embedded is not None:
            props[p.PidTagAttachMethod] = int(AttachMethod.afEmbeddedMessage)
            return ItemAttachment(props, b"", self.embedded)
        if props.get(p.PidTagAttachMethod) == AttachMethod.afEmbeddedMessage:
            props[p.PidTagAttachMethod] = int(AttachMethod.afByValue)
        return ItemAttachment(props, data if data and isinstance(data, bytes) else self.data)


class _Message:
    """A message that is being read."""

    __slots__ = ("attachments", "budget", "depth", "item", "lists", "mapped", "owner", "people", "props")

    def __init__(self, budget: Budget, depth: int) -> None:
        self.item = Item()
        self.budget = budget
        self.depth = depth
        self.lists = ListReader(ItemNames(self.item.names), budget)
        self.mapped: Bag = {}
        self.props: Bag = {}
        self.people: dict[str, a.Person] = {}
        self.owner: a.Person | None = None
        self.attachments: list[_Attachment] = []

    def text(self, octets: bytes) -> str:
        """An 8-bit string."""
        return codepages.decode(octets.partition(b"\0")[0], self.lists.code_page)

    def attachment(self) -> _Attachment:
        """The one that attributes are about; a stream may forget to begin it."""
        if not self.attachments:
            self.attachments.append(_Attachment())
        return self.attachments[-1]

    def finish(self) -> Item:
        item = self.item
        item.props = self.mapped | self.props
        if self.owner is not None:
            message_class = str(item.props.get(p.PidTagMessageClass, "")).lower()
            response = message_class.startswith(a.RESPONSES)
            self.people.setdefault("received" if response else "represented", self.owner)
        for role, person in self.people.items():
            self._put_person(role, person)
        _one_html(item.props)
        item.attachments = [attachment.finish() for attachment in self.attachments]
        return item

    def _put_person(self, role: str, person: a.Person) -> None:
        """One of the persons that the properties say nothing of: halves of two are not put together."""
        name_tag, kind_tag, address_tag, entry_tag = ROLES[role]
        if any(tag in self.props for tag in ROLES[role]):
            return
        name, kind, address = self.text(person.name), self.text(person.kind), self.text(person.address)
        self.item.props |= {name_tag: name, kind_tag: kind, address_tag: address}
        self.item.props.setdefault(entry_tag, one_off(name, address, kind))


ROLES: Final = {
    "sender": (
        p.PidTagSenderName, p.PidTagSenderAddressType, p.PidTagSenderEmailAddress, p.PidTagSenderEntryId,
    ),
    "represented": (
        p.PidTagSentRepresentingName, p.PidTagSentRepresentingAddressType, p.PidTagSentRepresentingEmailAddress,
        p.PidTagSentRepresentingEntryId,
    ),
    "received": (
        p.PidTagReceivedRepresentingName, p.PidTagReceivedRepresentingAddressType,
        p.PidTagReceivedRepresentingEmailAddress, p.PidTagReceivedRepresentingEntryId,
    ),
}  # fmt: skip
"""Name, address type, address and entry id of those whom attributes name ([MS-OXTNEF] 2.1.3.1.1)."""


def _one_html(props: Bag) -> None:
    """HTML given as a string becomes PidTagHtml, in the code page that PidTagInternetCodepage says."""
    text = props.pop(p.PidTagBodyHtml, None)
    if isinstance(text, str) and p.PidTagHtml not in props:
        code_page = props.setdefault(p.PidTagInternetCodepage, codepages.UTF8)
        props[p.PidTagHtml] = codepages.encode(text, code_page if isinstance(code_page, int) else codepages.UTF8)


# Message attributes

Handler = Callable[[_Message, Cursor], None]


def _text(tag: int) -> Handler:
    def handle(message: _Message, region: Cursor) -> None:
        message.mapped[tag] = message.text(region.rest())

    return handle


def _date(tag: int) -> Handler:
    def handle(message: _Message, region: Cursor) -> None:
        message.mapped[tag] = a.read_date(region)

    return handle


def _class(tag: int) -> Handler:
    def handle(message: _Message, region: Cursor) -> None:
        message.mapped[tag] = a.class_of_attribute(message.text(region.rest()))

    return handle


def _key(tag: int) -> Handler:
    """A binary key in hexadecimal text."""

    def handle(message: _Message, region: Cursor) -> None:
        with suppress(BinasciiError):
            message.mapped[tag] = unhexlify(region.rest().partition(b"\0")[0])

    return handle


def _octets(tag: int) -> Handler:
    def handle(message: _Message, region: Cursor) -> None:
        message.mapped[tag] = region.rest()

    return handle


def _person(role: str, read: Callable[[Cursor], a.Person]) -> Handler:
    def handle(message: _Message, region: Cursor) -> None:
        message.people[role] = read(region)

    return handle


def _owner(message: _Message, region: Cursor) -> None:
    message.owner = a.read_counted(region)


def _code_page(message: _Message, region: Cursor) -> None:
    message.lists.code_page = region.u32()


def _status(message: _Message, region: Cursor) -> None:
    message.mapped[p.PidTagMessageFlags] = a.flags_of_status(region.u8())


def _priority(message: _Message, region: Cursor) -> None:
    importance = a.IMPORTANCES.get(region.u16())
    if importance is not None:
        message.mapped[p.PidTagImportance] = importance


def _response(message: _Message, region: Cursor) -> None:
    message.mapped[p.PidTagResponseRequested] = bool(region.u16())


def _appointment(message: _Message, region: Cursor) -> None:
    message.mapped[p.PidTagOwnerAppointmentId] = region.i32()


def _msg_props(message: _Message, region: Cursor) -> None:
    message.lists.read(region, message.props)


def _recipients(message: _Message, region: Cursor) -> None:
    """attRecipTable ([MS-OXTNEF] 2.1.3.5.2): rows, each a list of properties."""
    for _ in range(min(region.count(region.u32(), 4), MAX_RECIPIENTS)):
        bag: Bag = {}
        try:
            message.lists.read(region, bag)
        finally:
            if bag:
                message.item.recipients.append(bag)


# Attachment attributes


def _begin(message: _Message, region: Cursor) -> None:
    if len(message.attachments) >= MAX_ATTACHMENTS:
        raise region.fail("too many attachments")
    attachment = _Attachment()
    message.attachments.append(attachment)
    rend = a.read_rend(region)
    attachment.mapped = {p.PidTagAttachMethod: rend.method, p.PidTagRenderingPosition: rend.position}


def _data(message: _Message, region: Cursor) -> None:
    message.attachment().data = region.rest()


def _title(message: _Message, region: Cursor) -> None:
    message.attachment().title = message.text(region.rest())


def _attach_text(tag: int) -> Handler:
    def handle(message: _Message, region: Cursor) -> None:
        message.attachment().mapped[tag] = message.text(region.rest())

    return handle


def _attach_date(tag: int) -> Handler:
    def handle(message: _Message, region: Cursor) -> None:
        message.attachment().mapped[tag] = a.read_date(region)

    return handle


def _rendering(message: _Message, region: Cursor) -> None:
    message.attachment().mapped[p.PidTagAttachRendering] = region.rest()


def _attach_props(message: _Message, region: Cursor) -> None:
    attachment = message.attachment()
    try:
        message.lists.read(region, attachment.props)
    finally:
        value = message.lists.objects.get(p.PidTagAttachDataObject)
        if value is not None:
            _object(message, attachment, value)


def _object(message: _Message, attachment: _Attachment, value: Cursor) -> None:
    """PidTagAttachDataObject: a message in TNEF, or the octets of an OLE object."""
    iid = value.guid()
    if iid == a.IID_IMessage and message.depth < a.MAX_DEPTH:
        start = value.at
        try:
            attachment.embedded = _read_message(value, message.budget, message.depth + 1)
        except WireError:
            value.at = start
        else:
            return
    attachment.data = value.rest()
    if iid == a.IID_IStorage:
        attachment.props[p.PidTagAttachMethod] = int(AttachMethod.afStorage)


_OF_MESSAGES: Final[dict[int, Handler]] = {
    Att.attOwner: _owner,
    Att.attSentFor: _person("represented", a.read_counted),
    Att.attDelegate: _octets(p.PidTagReceivedRepresentingEntryId),
    Att.attDateStart: _date(p.PidTagStartDate),
    Att.attDateEnd: _date(p.PidTagEndDate),
    Att.attAidOwner: _appointment,
    Att.attRequestRes: _response,
    Att.attOriginalMessageClass: _class(p.PidTagOriginalMessageClass),
    Att.attFrom: _person("sender", a.read_triple),
    Att.attSubject: _text(p.PidTagSubject),
    Att.attDateSent: _date(p.PidTagClientSubmitTime),
    Att.attDateRecd: _date(p.PidTagMessageDeliveryTime),
    Att.attMessageStatus: _status,
    Att.attMessageClass: _class(p.PidTagMessageClass),
    Att.attMessageID: _key(p.PidTagSearchKey),
    Att.attParentID: _key(p.PidTagParentKey),
    Att.attConversationID: _key(p.PidTagConversationKey),
    Att.attBody: _text(p.PidTagBody),
    Att.attPriority: _priority,
    Att.attDateModified: _date(p.PidTagLastModificationTime),
    Att.attMsgProps: _msg_props,
    Att.attRecipTable: _recipients,
    Att.attOemCodepage: _code_page,
}
_OF_ATTACHMENTS: Final[dict[int, Handler]] = {
    Att.attAttachRendData: _begin,
    Att.attAttachData: _data,
    Att.attAttachTitle: _title,
    Att.attAttachMetaFile: _rendering,
    Att.attAttachCreateDate: _attach_date(p.PidTagCreationTime),
    Att.attAttachModifyDate: _attach_date(p.PidTagLastModificationTime),
    Att.attAttachTransportFilename: _attach_text(p.PidTagAttachTransportName),
    Att.attAttachment: _attach_props,
}
_HANDLERS: Final[dict[tuple[int, int], Handler]] = {
    (level, ident & 0xFFFF): handler
    for level, handlers in ((1, _OF_MESSAGES), (2, _OF_ATTACHMENTS))
    for ident, handler in handlers.items()
}
