"""Property values, rows, restrictions and sort orders in ROP buffers ([MS-OXCDATA] 2.11, 2.8, 2.12, 2.13)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tests.support.outlook.wire import Bad, Reader, sized, u8, u16, u32, wz, z

I2, I4, R4, R8, CURRENCY, APPTIME, ERROR, BOOL, OBJECT, I8 = 2, 3, 4, 5, 6, 7, 0x0A, 0x0B, 0x0D, 0x14
STRING8, UNICODE, TIME, GUID, SVREID, RESTRICTION, ACTIONS, BINARY = 0x1E, 0x1F, 0x40, 0x48, 0xFB, 0xFD, 0xFE, 0x102
MV = 0x1000
# 64 bits are ids far more often than numbers: unsigned
_FIXED = {I2: "h", I4: "i", R4: "f", R8: "d", CURRENCY: "q", APPTIME: "d", ERROR: "I", BOOL: "?", I8: "Q", TIME: "Q"}
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


class Ec(NamedTuple):
    """An error instead of a value."""

    code: int


def filetime(when: datetime) -> int:
    """PtypTime."""
    return (when - _EPOCH) // timedelta(microseconds=1) * 10


def when(nt: int) -> datetime:
    """The opposite."""
    return _EPOCH + timedelta(microseconds=nt // 10)


# ---------------------------------------------------------------------------------------------- values


def value(reader: Reader, kind: int, count: str = "H") -> Any:
    """A value of a type; `count`: struct format of the length of binary values (2.11.1.1)."""
    if kind & MV and kind not in (RESTRICTION, ACTIONS):
        return [value(reader, kind & ~MV, count) for _ in range(reader.u32())]
    if kind in _FIXED:
        return reader.read(_FIXED[kind])[0]
    if kind == STRING8:
        return reader.ascii().encode("latin-1")
    if kind == UNICODE:
        return reader.unicode()
    if kind == GUID:
        return reader.take(16)
    if kind in (BINARY, SVREID, OBJECT):
        return reader.take(reader.read(count)[0])
    if kind == RESTRICTION:
        return restriction(reader)
    if kind == ACTIONS:
        return actions(reader)
    raise Bad(f"property type {kind:#x}")


def encoded(kind: int, what: Any, count: str = "<H") -> bytes:
    """The opposite; restrictions and actions are given as octets."""
    if kind & MV and kind not in (RESTRICTION, ACTIONS):
        return u32(len(what)) + b"".join(encoded(kind & ~MV, one, count) for one in what)
    if kind in _FIXED:
        return struct.pack("<" + _FIXED[kind], what)
    if kind == STRING8:
        return (what if isinstance(what, bytes) else what.encode("latin-1")) + b"\0"
    if kind == UNICODE:
        return wz(what)
    if kind in (BINARY, SVREID):
        return struct.pack(count, len(what)) + bytes(what)
    if kind in (GUID, RESTRICTION, ACTIONS):
        return bytes(what)
    raise Bad(f"property type {kind:#x}")


def tagged(tag: int, what: Any) -> bytes:
    """TaggedPropertyValue (2.11.4)."""
    return u32(tag) + encoded(tag & 0xFFFF, what)


def bag(props: Mapping[int, Any]) -> bytes:
    """Count and TaggedPropertyValues."""
    return u16(len(props)) + b"".join(tagged(tag, what) for tag, what in props.items())


def read_bag(reader: Reader) -> dict[int, Any]:
    """The opposite."""
    found = {}
    for _ in range(reader.u16()):
        tag = reader.u32()
        found[tag] = value(reader, tag & 0xFFFF)
    return found


def tags(wanted: Sequence[int]) -> bytes:
    """Count and property tags."""
    return u16(len(wanted)) + u32(*wanted)


def row(reader: Reader, columns: Sequence[int]) -> dict[int, Any]:
    """PropertyRow (2.8.1): what is absent is not in it, errors are `Ec`."""
    flag = reader.u8()
    if flag not in (0, 1):
        raise Bad(f"PropertyRow begins with {flag}")
    found: dict[int, Any] = {}
    for tag in columns:
        kind = reader.u16() if tag & 0xFFFF == 0 else tag & 0xFFFF
        state = reader.u8() if flag else 0
        if state == 0:
            found[tag & 0xFFFF0000 | kind] = value(reader, kind)
        elif state == 0x0A:
            found[tag] = Ec(reader.u32())
        elif state != 1:
            raise Bad(f"FlaggedPropertyValue {state}")
    return found


def typed_string(reader: Reader) -> str:
    """TypedString (2.11.7)."""
    kind = reader.u8()
    if kind in (0, 1):
        return ""
    if kind in (2, 3):
        return reader.ascii()
    if kind == 4:
        return reader.unicode()
    raise Bad(f"TypedString {kind}")


# ---------------------------------------------------------------------------------------------- restrictions


def r_and(*parts: bytes) -> bytes:
    return u8(0) + u16(len(parts)) + b"".join(parts)


def r_or(*parts: bytes) -> bytes:
    return u8(1) + u16(len(parts)) + b"".join(parts)


def r_not(part: bytes) -> bytes:
    return u8(2) + part


def r_content(tag: int, text: Any, *, fuzzy: int = 1, loose: int = 1) -> bytes:
    """Substring, ignoring case, unless told otherwise."""
    return u8(3) + u16(fuzzy, loose) + u32(tag) + tagged(tag, text)


LT, LE, GT, GE, EQ, NE = range(6)


def r_prop(relation: int, tag: int, what: Any) -> bytes:
    return u8(4, relation) + u32(tag) + tagged(tag, what)


def r_bits(tag: int, mask: int, *, zero: bool) -> bytes:
    return u8(6, 0 if zero else 1) + u32(tag, mask)


def r_exist(tag: int) -> bytes:
    return u8(8) + u32(tag)


def r_sub(tag: int, part: bytes) -> bytes:
    return u8(9) + u32(tag) + part


def r_comment(props: Mapping[int, Any], part: bytes) -> bytes:
    """A condition with remarks, as Outlook writes them into rules."""
    return u8(0x0A, len(props)) + b"".join(tagged(tag, what) for tag, what in props.items()) + u8(1) + part


def restriction(reader: Reader) -> tuple[Any, ...]:
    """2.12, as nested tuples."""
    kind = reader.u8()
    readers: dict[int, Callable[[Reader], tuple[Any, ...]]] = {
        0: lambda r: tuple(restriction(r) for _ in range(r.u16())),
        1: lambda r: tuple(restriction(r) for _ in range(r.u16())),
        2: lambda r: (restriction(r),),
        3: lambda r: (*r.read("HHI"), _tagged(r)),
        4: lambda r: (*r.read("BI"), _tagged(r)),
        5: lambda r: r.read("BII"),
        6: lambda r: r.read("BII"),
        7: lambda r: r.read("BII"),
        8: lambda r: r.read("I"),
        9: lambda r: (r.u32(), restriction(r)),
        0x0A: _comment,
        0x0B: lambda r: (r.u32(), restriction(r)),
    }
    if kind not in readers:
        raise Bad(f"restriction {kind}")
    return (kind, *readers[kind](reader))


def _tagged(reader: Reader) -> tuple[int, Any]:
    tag = reader.u32()
    return tag, value(reader, tag & 0xFFFF)


def _comment(reader: Reader) -> tuple[Any, ...]:
    props = [_tagged(reader) for _ in range(reader.u8())]
    return (props, restriction(reader)) if reader.u8() else (props,)


# ---------------------------------------------------------------------------------------------- rules, sorting, names


def action(kind: int, data: bytes = b"", *, flavor: int = 0, flags: int = 0) -> bytes:
    """ActionBlock ([MS-OXORULE] 2.2.5.1)."""
    return sized(u8(kind) + u32(flavor, flags) + data)


def rule_actions(*blocks: bytes) -> bytes:
    """RuleAction ([MS-OXORULE] 2.2.5)."""
    return u16(len(blocks)) + b"".join(blocks)


def actions(reader: Reader) -> list[tuple[int, int, int, bytes]]:
    """[(type, flavor, flags, data)]."""
    found = []
    for _ in range(reader.u16()):
        block = Reader(reader.take(reader.u16()))
        found.append((block.u8(), block.u32(), block.u32(), block.rest()))
    return found


def move_to(fid: int, *, copy: bool = False) -> bytes:
    """OP_MOVE or OP_COPY to a folder of this store ([MS-OXORULE] 2.2.5.1.2.1)."""
    server_id = u8(1) + fid.to_bytes(8, "little") + bytes(12)
    return action(2 if copy else 1, u8(1) + sized(b"\0") + sized(server_id))


ASC, DESC = 0, 1


def sort_orders(*orders: tuple[int, int], categories: int = 0, expanded: int = 0) -> bytes:
    """Of RopSortTable: counts and SortOrders (2.13.1)."""
    return u16(len(orders), categories, expanded) + b"".join(u32(tag) + u8(order) for tag, order in orders)


class Name(NamedTuple):
    """A named property: set, and LID or string."""

    guid: bytes
    what: int | str


def property_name(name: Name) -> bytes:
    """PropertyName (2.6.1)."""
    if isinstance(name.what, int):
        return u8(0) + name.guid + u32(name.what)
    text = wz(name.what)
    return u8(1) + name.guid + u8(len(text)) + text


def read_property_name(reader: Reader) -> Name | None:
    """The opposite; None for an id that has no name."""
    kind, guid = reader.u8(), reader.take(16)
    if kind == 0xFF:
        return None
    if kind == 0:
        return Name(guid, reader.u32())
    return Name(guid, Reader(reader.take(reader.u8())).unicode())


# ---------------------------------------------------------------------------------------------- recipients


class Recipient(NamedTuple):
    """Of a message: `kind` 1 To, 2 Cc, 3 Bcc; `dn` for those of the address book."""

    kind: int
    name: str
    address: str = ""
    dn: str = ""
    props: dict[int, Any] | None = None


def recipient_row(one: Recipient, columns: Sequence[int]) -> bytes:
    """RecipientRow (2.8.3)."""
    props = one.props or {}
    head = u16(0x0211) + u8(0, 0) + z(one.dn) if one.dn else u16(0x021B) + wz(one.address)  # U, D, and E with SMTP
    head += wz(one.name) + u16(len(columns))
    missing = [tag for tag in columns if tag not in props]
    if not missing:
        return head + u8(0) + b"".join(encoded(tag & 0xFFFF, props[tag]) for tag in columns)
    cells = (
        u8(0) + encoded(tag & 0xFFFF, props[tag]) if tag in props else u8(0x0A) + u32(0x8004010F) for tag in columns
    )
    return head + u8(1) + b"".join(cells)


def read_recipient_row(data: bytes, kind: int, columns: Sequence[int]) -> Recipient:
    """The opposite."""
    reader = Reader(data)
    flags = reader.u16()
    text: Callable[[], str] = reader.unicode if flags & 0x0200 else reader.ascii
    address_type, dn, address, name = flags & 7, "", "", ""
    if address_type == 1:
        reader.u8()
        reader.u8()
        dn = reader.ascii()
    elif address_type in (6, 7):
        reader.take(reader.u16())
        reader.take(reader.u16())
    elif address_type == 0 and flags & 0x8000:
        reader.ascii()
    if flags & 0x08:
        address = text()
    if flags & 0x10:
        name = text()
    if flags & 0x0400:
        text()
    if flags & 0x20:
        text()
    used = columns[: reader.u16()]
    props = row(reader, used)
    reader.end()
    return Recipient(kind & 0x0F, name, address, dn, props)
