"""Restrictions, the filters of tables, searches and rules: values, and their octets.

[MS-OXCDATA] 2.12. Counts are 16 bits wide, in extended rules ([MS-OXORULE] 2.2.4) 32 bits: `wide`. What a restriction
means is in `gromoxd.mapi.evaluate`, its SQL in `gromoxd.mapi.sqlrestriction`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from struct import Struct
from typing import Any, Final

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import U16, U32, Cursor
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue
from gromoxd.mapi.values import TaggedPropertyValue, read_value, register_nested

DEEPEST: Final = 64
"""Levels of nesting; more are a WireError."""
LARGEST: Final = 10_000
"""Restrictions in one, itself included; more are a WireError."""


class RelOp(IntEnum):
    """How a property relates to a value, [MS-OXCDATA] 2.12.5.1."""

    LT = 0x00
    LE = 0x01
    GT = 0x02
    GE = 0x03
    EQ = 0x04
    NE = 0x05
    MEMBER_OF_DL = 0x64


class BitmapRelOp(IntEnum):
    """[MS-OXCDATA] 2.12.7.1."""

    EQZ = 0x00
    NEZ = 0x01


class FuzzyLow(IntEnum):
    """FuzzyLevelLow, what of the property must match, [MS-OXCDATA] 2.12.4.1.

    PREFIX_ON_ANY_WORD and PHRASE_MATCH are bits of MAPI that Outlook's searches add; PropertyRestriction has no such.
    """

    FULLSTRING = 0x0000
    SUBSTRING = 0x0001
    PREFIX = 0x0002
    PREFIX_ON_ANY_WORD = 0x0010
    PHRASE_MATCH = 0x0020


class FuzzyHigh(IntFlag):
    """FuzzyLevelHigh, how strings are compared, [MS-OXCDATA] 2.12.4.1."""

    IGNORECASE = 0x0001
    IGNORENONSPACE = 0x0002
    LOOSE = 0x0004


@dataclass(slots=True, frozen=True)
class And:
    """All of them; of none: everything. [MS-OXCDATA] 2.12.1."""

    restricts: tuple[Restriction, ...] = ()


@dataclass(slots=True, frozen=True)
class Or:
    """At least one of them; of none: nothing. [MS-OXCDATA] 2.12.2."""

    restricts: tuple[Restriction, ...] = ()


@dataclass(slots=True, frozen=True)
class Not:
    """What it does not match. [MS-OXCDATA] 2.12.3."""

    restriction: Restriction


@dataclass(slots=True, frozen=True)
class Content:
    """The string or octets match a value to a degree. [MS-OXCDATA] 2.12.4.

    `value_tag` is the property tag of the value, of which only the type counts; 0, never `tag`, when it is `tag`.
    """

    fuzzy_low: int
    fuzzy_high: int
    tag: int
    value: PropValue
    value_tag: int = 0


@dataclass(slots=True, frozen=True)
class Property:
    """The property relates to a value. [MS-OXCDATA] 2.12.5. `value_tag` as of `Content`."""

    rel_op: int
    tag: int
    value: PropValue
    value_tag: int = 0


@dataclass(slots=True, frozen=True)
class CompareProperties:
    """One property relates to another. [MS-OXCDATA] 2.12.6."""

    rel_op: int
    tag1: int
    tag2: int


@dataclass(slots=True, frozen=True)
class BitMask:
    """Some bit of the mask is set, or none is. [MS-OXCDATA] 2.12.7."""

    bitmap_rel_op: int
    tag: int
    mask: int


@dataclass(slots=True, frozen=True)
class Size:
    """The size of the property's value in octets relates to a number. [MS-OXCDATA] 2.12.8."""

    rel_op: int
    tag: int
    size: int


@dataclass(slots=True, frozen=True)
class Exist:
    """The property is there. [MS-OXCDATA] 2.12.9."""

    tag: int


@dataclass(slots=True, frozen=True)
class SubObject:
    """A recipient (PidTagMessageRecipients) or attachment (PidTagMessageAttachments) matches. [MS-OXCDATA] 2.12.10."""

    subobject: int
    restriction: Restriction


@dataclass(slots=True, frozen=True)
class Comment:
    """A client's notes beside a restriction; without one it matches everything. [MS-OXCDATA] 2.12.11."""

    tagged_values: tuple[TaggedPropertyValue, ...] = ()
    restriction: Restriction | None = None


@dataclass(slots=True, frozen=True)
class Count:
    """The first `count` rows that match. [MS-OXCDATA] 2.12.12."""

    count: int
    restriction: Restriction


Leaf = Content | Property | CompareProperties | BitMask | Size | Exist
Restriction = And | Or | Not | SubObject | Comment | Count | Leaf

_CONTENT, _PROPERTY, _COMPARE = Struct("<HHI"), Struct("<BI"), Struct("<BII")
_ENCLOSED = frozenset({PropType.PtypRestriction, PropType.PtypRuleAction})
_REL_OPS = frozenset(RelOp)


def read_enclosed(cursor: Cursor, wide: bool = False) -> TaggedPropertyValue:
    """A TaggedPropertyValue inside a restriction or rule action: not one whose value is such a structure again, so
    that nesting stays bounded."""
    tag = cursor.u32()
    if tag & 0xFFFF & ~MULTIPLE in _ENCLOSED:
        raise cursor.fail(f"value of type {tag & 0xFFFF:#06x} inside a restriction or action")
    return TaggedPropertyValue(tag, read_value(cursor, tag & 0xFFFF, wide))


class Reader:
    """One restriction being read: where, how wide counts are, and what is left of the bounds.

    Other wires have other values within restrictions: they override `enclosed` and `tagged`.
    """

    __slots__ = ("cursor", "deepest", "depth", "left", "wide")

    def __init__(self, cursor: Cursor, wide: bool, deepest: int = DEEPEST, largest: int = LARGEST) -> None:
        self.cursor = cursor
        self.wide = wide
        self.deepest = deepest
        self.depth = 0
        self.left = largest

    def restriction(self) -> Restriction:
        cursor = self.cursor
        self.left -= 1
        self.depth += 1
        if self.left < 0 or self.depth > self.deepest:
            raise cursor.fail("restriction too large")
        read = _READERS.get(cursor.u8())
        if read is None:
            cursor.at -= 1
            raise cursor.fail("unknown kind of restriction")
        value = read(self)
        self.depth -= 1
        return value

    def restrictions(self) -> tuple[Restriction, ...]:
        """A counted list; the smallest restriction is an empty Comment."""
        cursor = self.cursor
        count = cursor.count(cursor.u32() if self.wide else cursor.u16(), 3)
        if count > self.left:
            raise cursor.fail("restriction too large")
        return tuple([self.restriction() for _ in range(count)])

    def rel_op(self, number: int) -> int:
        if number not in _REL_OPS:
            raise self.cursor.fail(f"unknown relational operator {number:#x}")
        return number

    def enclosed(self) -> TaggedPropertyValue:
        """A value of a Comment."""
        return read_enclosed(self.cursor, self.wide)

    def tagged(self, tag: int) -> tuple[PropValue, int]:
        """The value and its tag, which is 0 when it is `tag`."""
        value_tag, value = self.enclosed()
        if value_tag == tag:
            return value, 0
        if not value_tag:
            raise self.cursor.fail("value without a type")
        return value, value_tag


def _read_content(reader: Reader) -> Content:
    low, high, tag = reader.cursor.struct(_CONTENT)
    return Content(low, high, tag, *reader.tagged(tag))


def _read_property(reader: Reader) -> Property:
    rel_op, tag = reader.cursor.struct(_PROPERTY)
    return Property(reader.rel_op(rel_op), tag, *reader.tagged(tag))


def _read_compare(reader: Reader) -> CompareProperties:
    rel_op, tag1, tag2 = reader.cursor.struct(_COMPARE)
    return CompareProperties(reader.rel_op(rel_op), tag1, tag2)


def _read_bit_mask(reader: Reader) -> BitMask:
    rel_op, tag, mask = reader.cursor.struct(_COMPARE)
    if rel_op > BitmapRelOp.NEZ:
        raise reader.cursor.fail(f"unknown bit mask operator {rel_op:#x}")
    return BitMask(rel_op, tag, mask)


def _read_size(reader: Reader) -> Size:
    rel_op, tag, size = reader.cursor.struct(_COMPARE)
    return Size(reader.rel_op(rel_op), tag, size)


def _read_comment(reader: Reader) -> Comment:
    cursor = reader.cursor
    count = cursor.count(cursor.u8(), 4)
    values = tuple([reader.enclosed() for _ in range(count)])
    return Comment(values, reader.restriction() if cursor.u8() else None)


_READERS: Final[dict[int, Callable[[Reader], Restriction]]] = {
    0x00: lambda reader: And(reader.restrictions()),
    0x01: lambda reader: Or(reader.restrictions()),
    0x02: lambda reader: Not(reader.restriction()),
    0x03: _read_content,
    0x04: _read_property,
    0x05: _read_compare,
    0x06: _read_bit_mask,
    0x07: _read_size,
    0x08: lambda reader: Exist(reader.cursor.u32()),
    0x09: lambda reader: SubObject(reader.cursor.u32(), reader.restriction()),
    0x0A: _read_comment,
    0x0B: lambda reader: Count(reader.cursor.u32(), reader.restriction()),
}
"""By RestrictType, [MS-OXCDATA] 2.12."""


def read_restriction(cursor: Cursor, wide: bool = False) -> Restriction:
    """The restriction that starts at the cursor."""
    return Reader(cursor, wide).restriction()


register_nested(PropType.PtypRestriction, read_restriction)


def decode_restriction(data: bytes, wide: bool = False) -> Restriction:
    """The restriction that `data` is, all of it."""
    cursor = Cursor(data)
    value = read_restriction(cursor, wide)
    cursor.finish()
    return value


class _Writer:
    """One restriction being written."""

    __slots__ = ("out", "wide")

    def __init__(self, wide: bool) -> None:
        self.wide = wide
        self.out: list[bytes] = []

    def restriction(self, value: Restriction) -> None:
        _WRITERS[type(value)](self, value)

    def restrictions(self, kind: bytes, values: tuple[Restriction, ...]) -> None:
        self.out.append(kind + (U32 if self.wide else U16).pack(len(values)))
        for value in values:
            self.restriction(value)

    def enclosing(self, head: bytes, value: Restriction) -> None:
        self.out.append(head)
        self.restriction(value)

    def tagged(self, head: bytes, tag: int, value: PropValue) -> None:
        self.out += (head, TaggedPropertyValue(tag, value).encode(self.wide))

    def comment(self, value: Comment) -> None:
        self.out.append(bytes((0x0A, len(value.tagged_values))))
        self.out += [item.encode(self.wide) for item in value.tagged_values]
        self.out.append(b"\0" if value.restriction is None else b"\1")
        if value.restriction is not None:
            self.restriction(value.restriction)


_WRITERS: Final[dict[type, Callable[[_Writer, Any], None]]] = {
    And: lambda to, r: to.restrictions(b"\x00", r.restricts),
    Or: lambda to, r: to.restrictions(b"\x01", r.restricts),
    Not: lambda to, r: to.enclosing(b"\x02", r.restriction),
    Content: lambda to, r: to.tagged(
        b"\x03" + _CONTENT.pack(r.fuzzy_low, r.fuzzy_high, r.tag), r.value_tag or r.tag, r.value
    ),
    Property: lambda to, r: to.tagged(b"\x04" + _PROPERTY.pack(r.rel_op, r.tag), r.value_tag or r.tag, r.value),
    CompareProperties: lambda to, r: to.out.append(b"\x05" + _COMPARE.pack(r.rel_op, r.tag1, r.tag2)),
    BitMask: lambda to, r: to.out.append(b"\x06" + _COMPARE.pack(r.bitmap_rel_op, r.tag, r.mask)),
    Size: lambda to, r: to.out.append(b"\x07" + _COMPARE.pack(r.rel_op, r.tag, r.size)),
    Exist: lambda to, r: to.out.append(b"\x08" + U32.pack(r.tag)),
    SubObject: lambda to, r: to.enclosing(b"\x09" + U32.pack(r.subobject), r.restriction),
    Comment: _Writer.comment,
    Count: lambda to, r: to.enclosing(b"\x0b" + U32.pack(r.count), r.restriction),
}


def encode_restriction(value: Restriction, wide: bool = False) -> bytes:
    """The octets of a restriction. WireError when it is larger than a reader takes."""
    check_restriction(value)
    writer = _Writer(wide)
    writer.restriction(value)
    return b"".join(writer.out)


def children(value: Restriction) -> tuple[Restriction, ...]:
    """The restrictions directly inside one."""
    if isinstance(value, And | Or):
        return value.restricts
    if isinstance(value, Not | SubObject | Count):
        return (value.restriction,)
    if isinstance(value, Comment) and value.restriction is not None:
        return (value.restriction,)
    return ()


def walk(value: Restriction) -> Iterator[Restriction]:
    """A restriction and all inside it, in the order of their octets."""
    pending = [value]
    while pending:
        value = pending.pop()
        yield value
        pending += reversed(children(value))


def size_of(value: Restriction) -> tuple[int, int]:
    """How many restrictions one has, itself included, and in how many levels; both as far as the bounds go, plus 1."""
    level: tuple[Restriction, ...] = (value,)
    total, depth = 0, 0
    while level and depth <= DEEPEST and total <= LARGEST:
        total += len(level)
        depth += 1
        level = tuple([inner for outer in level for inner in children(outer)])
    return total, depth


def check_restriction(value: Restriction) -> None:
    """WireError for one beyond DEEPEST or LARGEST; what a reader gives never is."""
    total, depth = size_of(value)
    if total > LARGEST or depth > DEEPEST:
        raise WireError("restriction too large")


def tags_of(value: Restriction) -> frozenset[int]:
    """The property tags of the object itself that a restriction asks for; those of sub-objects are not among them."""
    found: set[int] = set()
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, CompareProperties):
            found |= {value.tag1, value.tag2}
        elif isinstance(value, Content | Property | BitMask | Size | Exist):
            found.add(value.tag)
        elif not isinstance(value, SubObject):
            pending += children(value)
    return frozenset(found)


def rebuild(
    value: Restriction,
    leaf: Callable[[Leaf], Restriction],
    tagged: Callable[[TaggedPropertyValue], TaggedPropertyValue] = lambda item: item,
) -> Restriction:
    """The restriction with each that holds no other replaced by what `leaf` makes of it, and the values of comments
    by what `tagged` does."""
    match value:
        case And(inner) | Or(inner):
            return type(value)(tuple([rebuild(item, leaf, tagged) for item in inner]))
        case Not(inside) | SubObject(_, inside) | Count(_, inside):
            return replace(value, restriction=rebuild(inside, leaf, tagged))
        case Comment(values, within):
            return Comment(tuple(map(tagged, values)), None if within is None else rebuild(within, leaf, tagged))
        case _:
            return leaf(value)


def map_tags(value: Restriction, change: Callable[[int], int]) -> Restriction:
    """The restriction with each property tag changed, such as ids of named properties to another mailbox's."""

    def leaf(item: Leaf) -> Restriction:
        if isinstance(item, CompareProperties):
            return CompareProperties(item.rel_op, change(item.tag1), change(item.tag2))
        if isinstance(item, Content | Property):
            return replace(item, tag=change(item.tag), value_tag=item.value_tag and change(item.value_tag))
        return replace(item, tag=change(item.tag))

    return rebuild(value, leaf, lambda item: TaggedPropertyValue(change(item.tag), item.value))
