"""Restrictions as the address book's requests in MAPI/HTTP carry them ([MS-OXCMAPIHTTP] 2.2.5.5.1, [MS-OXCDATA] 2.12).

Counts have 32 bits and values are AddressBookPropertyValues.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import U32, Cursor
from gromoxd.mapi.restrictions import (
    And,
    BitmapRelOp,
    BitMask,
    Comment,
    CompareProperties,
    Content,
    Count,
    Exist,
    Not,
    Or,
    Property,
    RelOp,
    Restriction,
    Size,
    SubObject,
)
from gromoxd.mapi.types import PropType, PropValue
from gromoxd.mapi.values import TaggedPropertyValue
from gromoxd.nspi.values import has_flag, read_tagged, read_value, write_tagged

DEEPEST: Final = 16
LARGEST: Final = 200
_CONTENT, _PROPERTY, _COMPARE = Struct("<HHI"), Struct("<BI"), Struct("<BII")
_MARKS: Final = (0x00, 0x01, 0xFF)


class _Reader:
    """One restriction being read, and what is left of the bounds."""

    __slots__ = ("cursor", "depth", "left")

    def __init__(self, cursor: Cursor) -> None:
        self.cursor, self.depth, self.left = cursor, 0, LARGEST

    def restriction(self) -> Restriction:
        cursor = self.cursor
        self.left -= 1
        self.depth += 1
        if self.left < 0 or self.depth > DEEPEST:
            raise cursor.fail("restriction too large")
        read = _READERS.get(cursor.u8())
        if read is None:
            raise cursor.fail("unknown kind of restriction")
        value = read(self)
        self.depth -= 1
        return value

    def restrictions(self) -> tuple[Restriction, ...]:
        count = self.cursor.count(self.cursor.u32(), 3)
        if count > self.left:
            raise self.cursor.fail("restriction too large")
        return tuple([self.restriction() for _ in range(count)])

    def rel_op(self, number: int) -> int:
        if number not in RelOp.__members__.values():
            raise self.cursor.fail(f"unknown relational operator {number:#x}")
        return number

    def tagged(self, tag: int) -> tuple[PropValue, int]:
        """The value and its tag, which is 0 when it is `tag`.

        workaround: some clients leave HasValue out within restrictions, as [MS-OXCDATA] has it.
        """
        cursor = self.cursor
        value_tag = cursor.u32()
        kind = value_tag & 0xFFFF
        marked = not has_flag(kind) or cursor.data[cursor.at : cursor.at + 1] in [bytes((mark,)) for mark in _MARKS]
        value = read_value(cursor, kind) if marked else _unmarked(cursor, kind)
        return value, 0 if value_tag == tag else value_tag


def _unmarked(cursor: Cursor, kind: int) -> PropValue:
    if kind == PropType.PtypString:
        return cursor.string()
    if kind == PropType.PtypString8:
        return cursor.string8()
    if kind == PropType.PtypBinary:
        return cursor.take(cursor.u32())
    raise cursor.fail("list of values without HasValue")


def _content(reader: _Reader) -> Content:
    low, high, tag = reader.cursor.struct(_CONTENT)
    return Content(low, high, tag, *reader.tagged(tag))


def _property(reader: _Reader) -> Property:
    rel_op, tag = reader.cursor.struct(_PROPERTY)
    return Property(reader.rel_op(rel_op), tag, *reader.tagged(tag))


def _compare(reader: _Reader) -> CompareProperties:
    rel_op, tag1, tag2 = reader.cursor.struct(_COMPARE)
    return CompareProperties(reader.rel_op(rel_op), tag1, tag2)


def _bit_mask(reader: _Reader) -> BitMask:
    rel_op, tag, mask = reader.cursor.struct(_COMPARE)
    if rel_op > BitmapRelOp.NEZ:
        raise reader.cursor.fail(f"unknown bit mask operator {rel_op:#x}")
    return BitMask(rel_op, tag, mask)


def _size(reader: _Reader) -> Size:
    rel_op, tag, size = reader.cursor.struct(_COMPARE)
    return Size(reader.rel_op(rel_op), tag, size)


def _comment(reader: _Reader) -> Comment:
    cursor = reader.cursor
    count = cursor.count(cursor.u8(), 4)
    values = tuple([read_tagged(cursor) for _ in range(count)])
    return Comment(values, reader.restriction() if cursor.u8() else None)


_READERS: Final[dict[int, Callable[[_Reader], Restriction]]] = {
    0x00: lambda reader: And(reader.restrictions()),
    0x01: lambda reader: Or(reader.restrictions()),
    0x02: lambda reader: Not(reader.restriction()),
    0x03: _content,
    0x04: _property,
    0x05: _compare,
    0x06: _bit_mask,
    0x07: _size,
    0x08: lambda reader: Exist(reader.cursor.u32()),
    0x09: lambda reader: SubObject(reader.cursor.u32(), reader.restriction()),
    0x0A: _comment,
    0x0B: lambda reader: Count(reader.cursor.u32(), reader.restriction()),
}
"""By RestrictType, [MS-OXCDATA] 2.12."""


def read_filter(cursor: Cursor) -> Restriction:
    """The restriction that starts at the cursor."""
    return _Reader(cursor).restriction()


def _value(tag: int, value: PropValue, value_tag: int) -> bytes:
    return write_tagged(TaggedPropertyValue(value_tag or tag, value))


def _many(kind: int, values: tuple[Restriction, ...]) -> bytes:
    return bytes((kind,)) + U32.pack(len(values)) + b"".join(map(write_filter, values))


def _write_comment(value: Comment) -> bytes:
    head = bytes((0x0A, len(value.tagged_values))) + b"".join(map(write_tagged, value.tagged_values))
    return head + (b"\0" if value.restriction is None else b"\1" + write_filter(value.restriction))


def write_filter(value: Restriction) -> bytes:
    """The octets of a restriction."""
    match value:
        case And(restricts):
            return _many(0, restricts)
        case Or(restricts):
            return _many(1, restricts)
        case Not(restriction):
            return b"\x02" + write_filter(restriction)
        case Content(low, high, tag, content, value_tag):
            return b"\x03" + _CONTENT.pack(low, high, tag) + _value(tag, content, value_tag)
        case Property(rel_op, tag, content, value_tag):
            return b"\x04" + _PROPERTY.pack(rel_op, tag) + _value(tag, content, value_tag)
        case CompareProperties(rel_op, tag1, tag2):
            return b"\x05" + _COMPARE.pack(rel_op, tag1, tag2)
        case BitMask(rel_op, tag, mask):
            return b"\x06" + _COMPARE.pack(rel_op, tag, mask)
        case Size(rel_op, tag, size):
            return b"\x07" + _COMPARE.pack(rel_op, tag, size)
        case Exist(tag):
            return b"\x08" + U32.pack(tag)
        case SubObject(subobject, restriction):
            return b"\x09" + U32.pack(subobject) + write_filter(restriction)
        case Comment():
            return _write_comment(value)
        case Count(count, restriction):
            return b"\x0b" + U32.pack(count) + write_filter(restriction)
    raise WireError(f"no restriction: {type(value).__name__}")
