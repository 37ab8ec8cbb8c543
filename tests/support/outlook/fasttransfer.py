"""FastTransfer streams ([MS-OXCFXICS] 2.2.4): lexical, then the grammar of messages, folders and synchronisation."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.support.outlook import values as v
from tests.support.outlook.values import Name
from tests.support.outlook.wire import Bad, Reader, u8, u32, wz

START_TOP, START_SUB, END_FOLDER = 0x40090003, 0x400A0003, 0x400B0003
START_MESSAGE, START_FAI, END_MESSAGE = 0x400C0003, 0x40100003, 0x400D0003
START_EMBED, END_EMBED = 0x40010003, 0x40020003
START_RECIP, END_RECIP = 0x40030003, 0x40040003
NEW_ATTACH, END_ATTACH = 0x40000003, 0x400E0003
CHG, CHG_PARTIAL, DEL, END, READ = 0x40120003, 0x407D0003, 0x40130003, 0x40140003, 0x402F0003
STATE_BEGIN, STATE_END = 0x403A0003, 0x403B0003
PROGRESS_MODE, PROGRESS_PER_MSG = 0x4074000B, 0x4075000B
MESSAGE = 0x40150003
GROUP_INFO, GROUP_ID, FX_ERROR, PARTIAL = 0x407B0102, 0x407C0003, 0x40180003, 0x407A0003
DEL_PROP, EC_WARNING, NEW_FX_FOLDER, DN_PREFIX = 0x40160003, 0x400F0003, 0x40110102, 0x4008001E
MARKERS = frozenset((
    START_TOP, START_SUB, END_FOLDER, START_MESSAGE, START_FAI, END_MESSAGE, START_EMBED, END_EMBED, START_RECIP,
    END_RECIP, NEW_ATTACH, END_ATTACH, CHG, CHG_PARTIAL, DEL, END, READ, STATE_BEGIN, STATE_END, PROGRESS_MODE,
    PROGRESS_PER_MSG, MESSAGE, GROUP_INFO, FX_ERROR,
))  # fmt: skip

IDSET_GIVEN, CNSET_SEEN, CNSET_SEEN_FAI, CNSET_READ = 0x40170003, 0x67960102, 0x67DA0102, 0x67D20102
IDSET_DELETED, IDSET_SOFT, IDSET_EXPIRED, IDSET_READ, IDSET_UNREAD = (
    0x67E50102, 0x40210102, 0x67930102, 0x402D0102, 0x402E0102,
)  # fmt: skip
ATTACH_NUMBER, ATTACH_DATA, ATTACH_OBJECT = 0x0E210003, 0x37010102, 0x3701000D


class Value(NamedTuple):
    """A property with its value; `name` when its id stands for one."""

    tag: int
    what: Any
    name: Name | None = None


def tokens(data: bytes) -> Iterable[int | Value]:
    """Markers and properties (2.2.4.1)."""
    reader = Reader(data)
    while reader.left():
        tag = reader.u32()
        if tag in MARKERS:
            yield tag
            continue
        kind, name = tag & 0xFFFF, None
        if tag >> 16 >= 0x8000:
            guid = reader.take(16)
            switch = reader.u8()
            if switch not in (0, 1):
                raise Bad(f"namedPropInfo {switch}")
            name = Name(guid, reader.unicode() if switch else reader.u32())
        yield Value(tag, _value(reader, kind, tag), name)


_FIXED = {
    v.I2: "h", v.I4: "i", v.R4: "f", v.R8: "d", v.CURRENCY: "q", v.APPTIME: "d", v.ERROR: "I", v.BOOL: "H",
    v.I8: "Q", v.TIME: "Q", v.GUID: "16s",
}  # fmt: skip


def _value(reader: Reader, kind: int, tag: int) -> Any:
    if tag == IDSET_GIVEN:  # its type says integer, its value is octets (2.2.1.1.1)
        return reader.take(reader.u32())
    if kind & 0x8000:  # a string in a code page
        data = reader.take(reader.u32())
        return _text(data) if kind & 0x7FFF == 1200 else data.rstrip(b"\0")
    if kind & v.MV:
        return [_value(reader, kind & ~v.MV, 0) for _ in range(reader.u32())]
    if kind in _FIXED:
        found = reader.read(_FIXED[kind])[0]
        return bool(found) if kind == v.BOOL else found
    if kind in (v.STRING8, v.UNICODE, v.BINARY, v.SVREID, v.OBJECT):
        data = reader.take(reader.u32())
        return _text(data) if kind == v.UNICODE else data.rstrip(b"\0") if kind == v.STRING8 else data
    raise Bad(f"property type {kind:#x} in a stream")


def _text(data: bytes) -> str:
    if data[-2:] != b"\0\0":
        raise Bad("a Unicode string without its end")
    return data[:-2].decode("utf-16le", "surrogatepass")


class Bag(dict[int, Any]):
    """Properties by tag; named ones by `Name` in `named`."""

    def __init__(self, props: Mapping[int, Any] | None = None) -> None:
        super().__init__(props or {})
        self.named: dict[tuple[bytes, int | str], Any] = {}
        self.order: list[int] = []

    def take(self, one: Value) -> None:
        self.order.append(one.tag)
        if one.name is not None:
            self.named[tuple(one.name)] = one.what  # type: ignore[index]
        else:
            if one.tag in self and one.tag not in (DEL_PROP, EC_WARNING):
                raise Bad(f"{one.tag:#x} twice")
            self[one.tag] = one.what


@dataclass
class Attached:
    props: Bag = field(default_factory=Bag)
    embedded: Item | None = None


@dataclass
class Item:
    """messageContent."""

    props: Bag = field(default_factory=Bag)
    recipients: list[Bag] = field(default_factory=list)
    attachments: list[Attached] = field(default_factory=list)
    associated: bool = False
    header: Bag = field(default_factory=Bag)
    partial: bool = False


@dataclass
class Tree:
    """folderContent."""

    props: Bag = field(default_factory=Bag)
    messages: list[Item] = field(default_factory=list)
    folders: list[Tree] = field(default_factory=list)


@dataclass
class Synced:
    """contentsSync or hierarchySync: changes, deletions, read states, the new state."""

    changes: list[Item] = field(default_factory=list)
    folders: list[Bag] = field(default_factory=list)
    deleted: Bag = field(default_factory=Bag)
    read: Bag = field(default_factory=Bag)
    state: Bag = field(default_factory=Bag)
    progress: Bag = field(default_factory=Bag)
    groups: list[bytes] = field(default_factory=list)


class Parser:
    """By the grammar of 2.2.4.2, one token ahead."""

    def __init__(self, data: bytes) -> None:
        self._tokens = iter(tokens(data))
        self.next: int | Value | None = next(self._tokens, None)

    def step(self) -> int | Value:
        """The next token."""
        found = self.next
        if found is None:
            raise Bad("the stream ends too early")
        self.next = next(self._tokens, None)
        return found

    def accept(self, *markers: int) -> bool:
        if isinstance(self.next, int) and self.next in markers:
            self.step()
            return True
        return False

    def expect(self, marker: int) -> None:
        found = self.step()
        if found != marker:
            raise Bad(f"{marker:#x} expected, {found if isinstance(found, Value) else hex(found)} found")

    def end(self) -> None:
        if self.next is not None:
            raise Bad(f"the stream goes on with {self.next}")

    def props(self) -> Bag:
        """propList."""
        found = Bag()
        while isinstance(self.next, Value):
            found.take(self.step())  # type: ignore[arg-type]
        return found

    # ------------------------------------------------------------------------------------------ messages

    def content(self) -> Item:
        """messageContent: propList, messageChildren."""
        made = Item(props=self.props())
        while True:
            if self.accept(START_RECIP):
                made.recipients.append(self.props())
                self.expect(END_RECIP)
            elif self.accept(NEW_ATTACH):
                made.attachments.append(self._attachment())
            elif isinstance(self.next, Value) and self.next.tag in (DEL_PROP, EC_WARNING):
                made.props.take(self.step())  # type: ignore[arg-type]
            else:
                return made

    def _attachment(self) -> Attached:
        made = Attached(self.props())
        if not made.props.order or made.props.order[0] != ATTACH_NUMBER:
            raise Bad("an attachment does not begin with its number")
        if self.accept(START_EMBED):
            made.embedded = self.content()
            self.expect(END_EMBED)
        self.expect(END_ATTACH)
        return made

    def message(self) -> Item:
        """message."""
        associated = self.next == START_FAI
        if not self.accept(START_MESSAGE, START_FAI):
            raise Bad(f"no message: {self.next}")
        made = self.content()
        made.associated = associated
        self.expect(END_MESSAGE)
        return made

    def messages(self) -> list[Item]:
        """messageList."""
        found = []
        while self.next is not None:
            if isinstance(self.next, Value) and self.next.tag == EC_WARNING:
                self.step()
                continue
            found.append(self.message())
        return found

    # ------------------------------------------------------------------------------------------ folders

    def folder(self) -> Tree:
        """folderContent: propList, [warnings, messages], subfolders."""
        made = Tree(props=self.props())
        while True:
            if self.next in (START_MESSAGE, START_FAI):
                made.messages.append(self.message())
            elif self.accept(START_SUB):
                made.folders.append(self.folder())
                self.expect(END_FOLDER)
            elif isinstance(self.next, Value):
                made.props.order.append(self.step().tag)  # type: ignore[union-attr]
            else:
                return made

    def top(self) -> Tree:
        """topFolder."""
        self.expect(START_TOP)
        made = self.folder()
        self.expect(END_FOLDER)
        self.end()
        return made

    # ------------------------------------------------------------------------------------------ synchronisation

    def contents(self) -> Synced:
        """contentsSync."""
        found = Synced()
        if self.accept(PROGRESS_MODE):
            found.progress = self.props()
        while True:
            per_message = self.props() if self.accept(PROGRESS_PER_MSG) else None
            if self.accept(CHG):
                found.changes.append(self._full_change())
            elif self.accept(GROUP_INFO):
                found.groups.append(self.step().what)  # type: ignore[union-attr]
            elif self.accept(CHG_PARTIAL):
                found.changes.append(self._partial_change())
            elif per_message is not None:
                raise Bad("progress of no message")
            elif isinstance(self.next, Value) and self.next.tag == GROUP_ID:
                self.step()
            else:
                break
        if self.accept(DEL):
            found.deleted = self.props()
        if self.accept(READ):
            found.read = self.props()
        found.state = self._state()
        self.expect(END)
        self.end()
        return found

    def _full_change(self) -> Item:
        header = self.props()
        self.expect(MESSAGE)
        made = self.content()
        made.header = header
        made.associated = bool(header[0x67AA000B])
        return made

    def _partial_change(self) -> Item:
        header = self.props()
        self.expect(MESSAGE)
        made = self.content()
        made.header, made.partial = header, True
        return made

    def hierarchy(self) -> Synced:
        """hierarchySync."""
        found = Synced()
        while self.accept(CHG):
            found.folders.append(self.props())
        if self.accept(DEL):
            found.deleted = self.props()
        found.state = self._state()
        self.expect(END)
        self.end()
        return found

    def _state(self) -> Bag:
        self.expect(STATE_BEGIN)
        found = self.props()
        self.expect(STATE_END)
        return found

    def state(self) -> Bag:
        """What RopSynchronizationGetTransferState brings."""
        found = self._state()
        self.end()
        return found


# ---------------------------------------------------------------------------------------------- writing


def put(tag: int, what: Any, name: Name | None = None) -> bytes:
    """A property for a stream; strings are Unicode."""
    head = u32(tag)
    if name is not None:
        head += name.guid + (u8(0) + u32(name.what) if isinstance(name.what, int) else u8(1) + wz(name.what))
    return head + _put(tag & 0xFFFF, what)


def _put(kind: int, what: Any) -> bytes:
    if kind & v.MV:
        return u32(len(what)) + b"".join(_put(kind & ~v.MV, one) for one in what)
    if kind in _FIXED:
        return struct.pack("<" + _FIXED[kind], what)
    data = wz(what) if kind == v.UNICODE else bytes(what) + (b"\0" if kind == v.STRING8 else b"")
    return u32(len(data)) + data


def put_bag(bag: Mapping[int, Any]) -> bytes:
    return b"".join(put(tag, what) for tag, what in bag.items())


def put_item(item: Item) -> bytes:
    """messageContent."""
    data = put_bag(item.props)
    for key, what in item.props.named.items():
        data += put(_named_tag(what), what, Name(*key))
    for one in item.recipients:
        data += u32(START_RECIP) + put_bag(one) + u32(END_RECIP)
    for attached in item.attachments:
        data += u32(NEW_ATTACH) + put_bag(attached.props)
        if attached.embedded is not None:
            data += u32(START_EMBED) + put_item(attached.embedded) + u32(END_EMBED)
        data += u32(END_ATTACH)
    return data


def _named_tag(what: Any) -> int:
    kind = v.BOOL if isinstance(what, bool) else v.I4 if isinstance(what, int) else v.UNICODE
    return 0x80010000 | (kind if isinstance(what, (int, str)) else v.BINARY)


def put_messages(items: Iterable[Item]) -> bytes:
    """messageList."""
    return b"".join(
        u32(START_FAI if one.associated else START_MESSAGE) + put_item(one) + u32(END_MESSAGE) for one in items
    )  # fmt: skip


__all__ = ["Bag", "Item", "Parser", "Synced", "Tree", "put", "put_item", "put_messages"]
