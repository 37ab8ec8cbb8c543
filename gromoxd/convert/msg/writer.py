"""An item to a .msg file, in Unicode. [MS-OXMSG]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gromoxd.convert import compoundfile
from gromoxd.convert.compoundfile import Storage
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.itemnames import ItemNames
from gromoxd.convert.msg import layout as m
from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.cursor import U32, utf16
from gromoxd.mapi.flags import AttachMethod
from gromoxd.mapi.named import FIRST_NAMED, PropertyName
from gromoxd.mapi.types import MULTIPLE, PropValue
from gromoxd.mapi.values import NOT_OF_THE_TYPE

_MOST_NAMES: Final = 0x7FFF


def to_msg(item: Item) -> bytes:
    """The file; WireError for messages nested deeper than 16, for more attachments or recipients than are read, 2 GiB.

    Left out is what the format has no form for: PtypNull, PtypServerId, PtypRestriction, PtypRuleAction. Strings
    without characters have empty streams, against [MS-OXMSG] 2.4.2.2, as in the files that Outlook writes.
    """
    table = _NameTable()
    root = _message(item, table, m.TOP_HEADER, 0)
    root.clsid = m.CLSID
    root.children[m.NAMES] = table.encode()
    return compoundfile.encode(root)


class _NameTable:
    """The named property mapping storage ([MS-OXMSG] 2.2.3): one for the file, the messages in it included."""

    __slots__ = ("index", "names", "sets")

    def __init__(self) -> None:
        self.names: list[PropertyName] = []
        self.index: dict[PropertyName, int] = {}
        self.sets: dict[bytes, int] = {guid: number for number, guid in m.KNOWN_SETS.items()}

    def number(self, name: PropertyName) -> int | None:
        """The property id in the file; None when there is none left."""
        key = name.folded()
        place = self.index.get(key)
        if place is None:
            if len(self.names) >= _MOST_NAMES:
                return None
            place = self.index[key] = len(self.names)
            self.names.append(name)
            self.sets.setdefault(name.guid, len(self.sets) + 1)
        return FIRST_NAMED + place

    def encode(self) -> Storage:
        """The storage: sets, entries, strings, and entries again by what names are looked up by."""
        strings = bytearray()
        entries: list[bytes] = []
        buckets: dict[int, bytes] = {}
        for place, name in enumerate(self.names):
            index = self.sets[name.guid] << 1 | isinstance(name.key, str)
            if isinstance(name.key, int):
                identifier = sought = name.key
            else:
                identifier, sought = len(strings), m.checksum(name)
                octets = utf16(name.key)[:-2]
                strings += U32.pack(len(octets)) + octets + bytes(-len(octets) % 4)
            entries.append(m.NAME.pack(identifier, index, place))
            tag = m.bucket(sought, index)
            buckets[tag] = buckets.get(tag, b"") + m.NAME.pack(sought, index, place)
        storage = Storage(
            {
                m.GUID_STREAM: b"".join(guid for guid, number in self.sets.items() if number >= m.FIRST_SET),
                m.ENTRY_STREAM: b"".join(entries),
                m.STRING_STREAM: bytes(strings),
            }
        )
        for tag, octets in buckets.items():
            storage.children[m.stream_name(tag)] = octets
        return storage


def _message(item: Item, table: _NameTable, header: int, depth: int) -> Storage:
    if depth > m.MAX_DEPTH:
        raise WireError(f"messages nested deeper than {m.MAX_DEPTH}")
    recipients, attachments = len(item.recipients), len(item.attachments)
    if recipients > m.MAX_RECIPIENTS or attachments > m.MAX_ATTACHMENTS:
        raise WireError(f"{recipients} recipients, {attachments} attachments")
    names = _Names(ItemNames(item.names), table)
    storage = Storage()
    head = m.COUNTS.pack(recipients, attachments, recipients, attachments).ljust(header, b"\0")
    storage.children[m.PROPERTIES] = head + _properties(storage, names, item.props | _UNICODE)
    for index, recipient in enumerate(item.recipients):
        inner = storage.children[f"{m.RECIPIENT}{index:08X}"] = Storage()
        inner.children[m.PROPERTIES] = _OTHER + _properties(inner, names, recipient)
    for index, attachment in enumerate(item.attachments):
        storage.children[f"{m.ATTACHMENT}{index:08X}"] = _attachment(attachment, names, depth)
    return storage


_UNICODE: Final[Bag] = {m.SUPPORT_MASK: m.STORE_UNICODE_OK}
_OTHER: Final = bytes(m.OTHER_HEADER)


def _attachment(attachment: ItemAttachment, names: _Names, depth: int) -> Storage:
    """An attachment's storage ([MS-OXMSG] 2.2.2); an OLE object is a storage in it, octets that are none a stream."""
    storage = Storage()
    props = attachment.props
    inner: Storage | None = None
    kind = m.OBJECT_MESSAGE
    if attachment.embedded is not None:
        inner = _message(attachment.embedded, names.table, m.EMBEDDED_HEADER, depth + 1)
        props = props | {p.PidTagAttachMethod: int(AttachMethod.afEmbeddedMessage)}
    elif props.get(p.PidTagAttachMethod) == AttachMethod.afStorage and compoundfile.is_compound(attachment.data):
        inner, kind = compoundfile.decode(attachment.data), m.OBJECT_STORAGE
    else:
        props = props | {p.PidTagAttachDataBinary: attachment.data}
    entries = _properties(storage, names, props)
    if inner is not None:
        storage.children[m.DATA_OBJECT] = inner
        entries += m.ENTRY.pack(p.PidTagAttachDataObject, m.READABLE_WRITABLE, m.SIZE.pack(m.OBJECT_SIZE, kind))
    storage.children[m.PROPERTIES] = _OTHER + entries
    return storage


class _Names:
    """From the property ids of an item to those of the file."""

    __slots__ = ("item", "table")

    def __init__(self, item: ItemNames, table: _NameTable) -> None:
        self.item = item
        self.table = table

    def tag(self, tag: int) -> int | None:
        """The tag in the file; None for an id that nobody gave a name."""
        if tag >> 16 < FIRST_NAMED:
            return tag
        name = self.item.name_of(tag >> 16)
        number = None if name is None else self.table.number(name)
        return None if number is None else number << 16 | tag & 0xFFFF


def _properties(storage: Storage, names: _Names, bag: Bag) -> bytes:
    """The entries of the properties of a bag; values that have streams go into the storage."""
    entries: list[bytes] = []
    for tag, value in bag.items():
        if tag in p.INTERNAL or value is None:
            continue
        own = names.tag(tag)
        if own is None:
            continue
        try:
            entry = _entry(storage, own, value)
        except NOT_OF_THE_TYPE:
            continue
        if entry is not None:
            entries.append(m.ENTRY.pack(own, m.READABLE_WRITABLE, entry))
    return b"".join(entries)


def _entry(storage: Storage, tag: int, value: PropValue) -> bytes | None:
    """The last eight octets of an entry; None for what is not written."""
    kind = tag & 0xFFFF
    layout = m.FIXED.get(kind)
    if layout is not None:
        return layout.pack(value).ljust(8, b"\0")
    if kind & MULTIPLE:
        return _several(storage, tag, value)
    octets = _octets(kind, value)
    if octets is None:
        return None
    storage.children[m.stream_name(tag)] = octets
    return m.SIZE.pack(len(octets) + _TERMINATORS.get(kind, 0), 0)


_TERMINATORS: Final = {m.STRING: 2, m.STRING8: 1}


def _several(storage: Storage, tag: int, value: Any) -> bytes | None:
    """Several values, in one stream or in one each after a stream of their sizes ([MS-OXMSG] 2.1.4)."""
    layout = m.SEQUENCES.get(tag & 0xFFFF)
    if layout is not None:
        octets = b"".join([layout.pack(one) for one in value])
    else:
        parts = list(_parts(tag & 0xFFFF & ~MULTIPLE, value))
        sizes = m.SIZE if tag & 0xFFFF & ~MULTIPLE == m.BINARY else None
        octets = b"".join([sizes.pack(len(part), 0) if sizes else U32.pack(len(part)) for part in parts])
        if len(parts) != len(value):
            return None
        for index, part in enumerate(parts):
            storage.children[m.value_name(tag, index)] = part
    storage.children[m.stream_name(tag)] = octets
    return m.SIZE.pack(len(octets), 0)


def _parts(kind: int, values: list[PropValue]) -> Iterator[bytes]:
    for value in values:
        octets = _octets(kind, value)
        if octets is not None:
            yield octets + bytes(_TERMINATORS.get(kind, 0))


def _octets(kind: int, value: Any) -> bytes | None:
    """A value's stream: strings without their terminators; None for a type that the format has not."""
    if kind == m.STRING:
        return utf16(value)[:-2]
    if kind == m.STRING8:
        return bytes.partition(value, b"\0")[0]
    if kind == m.BINARY or (kind == m.GUID and len(value) == 16):
        return bytes.__add__(value, b"")
    return None
