"""A .msg file to an item. [MS-OXMSG].

What is broken is left out: a property whose stream is missing, an attachment without properties. String properties of
files that are not Unicode are decoded with the message's code page.
"""

from __future__ import annotations

from typing import Any, Final

from gromoxd.convert import compoundfile
from gromoxd.convert.compoundfile import Storage
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.itemnames import ItemNames
from gromoxd.convert.msg import layout as m
from gromoxd.errors import WireError
from gromoxd.mapi import codepages
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import AttachMethod
from gromoxd.mapi.named import FIRST_NAMED, PropertyName
from gromoxd.mapi.types import MULTIPLE, PropValue

_TAG_DIGITS: Final = len(m.SUBSTG) + 8


def from_msg(data: bytes) -> Item:
    """The message in a .msg file; WireError for what is no compound file or has no message in it."""
    root = compoundfile.decode(data)
    if root.stream(m.PROPERTIES) is None and not any(name.startswith(m.SUBSTG) for name in root.children):
        raise WireError("compound file without a message")
    return _Reader(_read_names(root.storage(m.NAMES))).message(root, m.TOP_HEADER, 0)


def _read_names(storage: Storage | None) -> dict[int, PropertyName]:
    """Property id -> name, of the whole file ([MS-OXMSG] 2.2.3)."""
    if storage is None:
        return {}
    guids = storage.stream(m.GUID_STREAM) or b""
    strings = storage.stream(m.STRING_STREAM) or b""
    entries = storage.stream(m.ENTRY_STREAM) or b""
    names = {}
    for identifier, index, number in m.NAME.iter_unpack(entries[: len(entries) // m.NAME.size * m.NAME.size]):
        guid = m.KNOWN_SETS.get(index >> 1)
        if guid is None:
            at = ((index >> 1) - m.FIRST_SET) * 16
            guid = guids[at : at + 16] if at >= 0 else b""
        key = _string_at(strings, identifier) if index & 1 else identifier
        if len(guid) == 16 and key is not None:
            names[FIRST_NAMED + number] = PropertyName(guid, key)
    return names


def _string_at(strings: bytes, offset: int) -> str | None:
    if offset + 4 > len(strings):
        return None
    size = int.from_bytes(strings[offset : offset + 4], "little")
    octets = strings[offset + 4 : offset + 4 + size]
    return octets.decode("utf-16-le", "replace").partition("\0")[0] if len(octets) == size else None


class _Reader:
    """Reads the messages of one file."""

    __slots__ = ("file_names", "values")

    def __init__(self, file_names: dict[int, PropertyName]) -> None:
        self.file_names = file_names
        self.values = m.MAX_VALUES

    def message(self, storage: Storage, header: int, depth: int) -> Item:
        """The message in a storage."""
        item = Item()
        names = ItemNames(item.names)
        bag = _Object(self, storage, names, codepages.WESTERN).read(header)
        page = _code_page(bag)
        if page != codepages.WESTERN and any(_is_8_bit(name) for name in storage.children):
            bag = _Object(self, storage, names, page).read(header)
        bag.pop(m.SUPPORT_MASK, None)
        item.props = bag
        for inner in _numbered(storage, m.RECIPIENT, m.MAX_RECIPIENTS):
            recipient = _Object(self, inner, names, page).read(m.OTHER_HEADER)
            recipient.pop(m.SUPPORT_MASK, None)
            item.recipients.append(recipient)
        for inner in _numbered(storage, m.ATTACHMENT, m.MAX_ATTACHMENTS):
            item.attachments.append(self._attachment(inner, names, page, depth))
        return item

    def _attachment(self, storage: Storage, names: ItemNames, page: int, depth: int) -> ItemAttachment:
        props = _Object(self, storage, names, page).read(m.OTHER_HEADER)
        props.pop(m.SUPPORT_MASK, None)
        data = props.pop(p.PidTagAttachDataBinary, b"")
        inner = storage.storage(m.DATA_OBJECT)
        method = props.get(p.PidTagAttachMethod)
        if inner is None:
            if method == AttachMethod.afEmbeddedMessage:
                props[p.PidTagAttachMethod] = int(AttachMethod.afByValue)
            return ItemAttachment(props, data if isinstance(data, bytes) else b"")
        if inner.stream(m.PROPERTIES) is not None and method != AttachMethod.afStorage and depth < m.MAX_DEPTH:
            props[p.PidTagAttachMethod] = int(AttachMethod.afEmbeddedMessage)
            return ItemAttachment(props, b"", self.message(inner, m.EMBEDDED_HEADER, depth + 1))
        props[p.PidTagAttachMethod] = int(AttachMethod.afStorage)
        return ItemAttachment(props, compoundfile.encode(inner))


def _code_page(bag: Bag) -> int:
    """Of 8-bit strings: PidTagMessageCodepage, or that of the message's language."""
    for tag in (p.PidTagMessageCodepage, p.PidTagInternetCodepage):
        page = bag.get(tag)
        if isinstance(page, int) and page in codepages.CODE_PAGES and page not in _WIDE:
            return page
    lcid = bag.get(p.PidTagMessageLocaleId)
    return codepages.ansi_code_page(lcid) if isinstance(lcid, int) else codepages.WESTERN


_WIDE: Final = (1200, 1201, 12000, 12001)


def _is_8_bit(name: str) -> bool:
    return name.startswith(m.SUBSTG) and name[_TAG_DIGITS - 4 : _TAG_DIGITS].upper() in ("001E", "101E")


def _numbered(storage: Storage, prefix: str, most: int) -> list[Storage]:
    """Recipients or attachments in the order of their numbers."""
    found = [
        (name, child)
        for name, child in storage.children.items()
        if name.startswith(prefix) and isinstance(child, Storage)
    ]
    return [child for _, child in sorted(found, key=lambda pair: pair[0].upper())[:most]]


class _Object:
    """A message, recipient or attachment that is being read: its storage and how its strings are encoded."""

    __slots__ = ("names", "page", "reader", "streams")

    def __init__(self, reader: _Reader, storage: Storage, names: ItemNames, page: int) -> None:
        self.reader = reader
        self.names = names
        self.page = page
        self.streams = {
            name.upper(): child for name, child in storage.children.items() if not isinstance(child, Storage)
        }

    def read(self, header: int) -> Bag:
        """The properties: those in the property stream, then those that only have streams."""
        bag: Bag = {}
        seen: set[int] = set()
        octets = self.streams.get(m.PROPERTIES.upper(), b"")[header:]
        for tag, _, inline in m.ENTRY.iter_unpack(octets[: len(octets) // m.ENTRY.size * m.ENTRY.size]):
            layout = m.FIXED.get(tag & 0xFFFF)
            if layout is None:
                seen.add(tag)
                self._put(bag, tag, self._value(tag))
            else:
                value = layout.unpack_from(inline)[0]
                self._put(bag, tag, bool(value) if tag & 0xFFFF == m.BOOLEAN else value)
        prefix = m.SUBSTG.upper()
        for name in self.streams:
            if name.startswith(prefix) and len(name) == _TAG_DIGITS:
                tag = _hexadecimal(name[len(prefix) :])
                if tag not in seen:
                    self._put(bag, tag, self._value(tag))
        return bag

    def _put(self, bag: Bag, tag: int, value: PropValue) -> None:
        if value is None:
            return
        number: int | None = tag >> 16
        if tag >> 16 >= FIRST_NAMED:
            name = self.reader.file_names.get(tag >> 16)
            number = None if name is None else self.names.id_of(name)
        if number is None:
            return
        kind = tag & 0xFFFF
        if kind & ~MULTIPLE == m.STRING8:
            kind ^= m.STRING ^ m.STRING8
            if number << 16 | kind in bag:
                return
        bag[number << 16 | kind] = value

    def _value(self, tag: int) -> PropValue:
        """The value of a property that has streams, None when they are not there or of another type."""
        kind = tag & 0xFFFF
        octets = self.streams.get(m.stream_name(tag).upper())
        if octets is None:
            return None
        layout = m.SEQUENCES.get(kind)
        if layout is not None:
            count = len(octets) // layout.size
            values: list[Any] = [value for (value,) in layout.iter_unpack(octets[: count * layout.size])]
            return values if self._spend(count) else None
        if kind == m.GUID:
            return octets if len(octets) == 16 else None
        if kind in _SIZED:
            return self._one(kind, octets)
        if kind & ~MULTIPLE in _SIZED:
            return self._several(tag, len(octets) // (8 if kind & ~MULTIPLE == m.BINARY else 4))
        return None

    def _several(self, tag: int, count: int) -> PropValue:
        if not self._spend(count):
            return None
        parts = [self.streams.get(m.value_name(tag, index).upper()) for index in range(count)]
        values: list[Any] = [self._one(tag & 0xFFFF & ~MULTIPLE, part) for part in parts if part is not None]
        return values

    def _one(self, kind: int, octets: bytes) -> str | bytes:
        if kind == m.STRING:
            return octets.decode("utf-16-le", "replace").partition("\0")[0]
        if kind == m.STRING8:
            return codepages.decode(octets.partition(b"\0")[0], self.page)
        return octets

    def _spend(self, count: int) -> bool:
        self.reader.values -= count
        return self.reader.values >= 0


def _hexadecimal(digits: str) -> int:
    """0, which is no property, for what is not a number."""
    try:
        return int(digits, 16)
    except ValueError:
        return 0


_SIZED: Final = frozenset((m.STRING, m.STRING8, m.BINARY))
