"""Restrictions as the address book's requests in MAPI/HTTP carry them ([MS-OXCMAPIHTTP] 2.2.5.5.1, [MS-OXCDATA] 2.12).

Counts have 32 bits and values are AddressBookPropertyValues.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import U32, Cursor
from gromoxd.mapi.restrictions import (
    And,
    BitMask,
    Comment,
    CompareProperties,
    Content,
    Count,
    Exist,
    Not,
    Or,
    Property,
    Reader,
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


class _Reader(Reader):
    """One restriction being read."""

    __slots__ = ()

    def enclosed(self) -> TaggedPropertyValue:
        """See Reader."""
        return read_tagged(self.cursor)

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


def read_filter(cursor: Cursor) -> Restriction:
    """The restriction that starts at the cursor."""
    return _Reader(cursor, True, DEEPEST, LARGEST).restriction()


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
