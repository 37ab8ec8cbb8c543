"""NSPI, version 56.0: the address book ([MS-OXNSPI] 3.1.4.1). Parameters have the names of the document.

Rows are lists of `TaggedPropertyValue`, restrictions those of `gromoxd.mapi.restrictions`, strings of 8 bits octets.
Opnums 15, 17 and 18 are not used on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, NamedTuple

from gromoxd.errors import Ec
from gromoxd.mapi import restrictions as mapi
from gromoxd.mapi.restrictions import Restriction
from gromoxd.mapi.types import PropType
from gromoxd.mapi.values import TaggedPropertyValue
from gromoxd.nspi.stat import Stat
from gromoxd.rpc import ndr
from gromoxd.rpc.stub import I32, U32, Handle, Stub, answer, call, interface

NSPI: Final = interface("nspi", "f5cc5a18-4264-101a-8c59-08002b2f8426", 56, 0)
MOST: Final = 100_000
"""Items of an array, as the interface bounds them."""
LARGEST_BINARY: Final = 2 << 20


class NamedId(NamedTuple):
    """PropertyName_r ([MS-OXNSPI] 2.2.5)."""

    guid: bytes | None
    number: int


def _sized(item: ndr.Type) -> ndr.Structure:
    """A count and a pointer to so many: the form of most arrays in values."""

    def make(count: int, items: list[Any] | None) -> list[Any]:
        if count != len(items or ()):
            raise ValueError(f"{count} announced, {len(items or ())} there")
        return items or []

    return ndr.Structure([ndr.U32, ndr.Pointer(ndr.Array(item, MOST))], make, lambda items: (len(items), items or None))


def _binary(size: int, octets: bytes | None) -> bytes:
    if size != len(octets or b""):
        raise ValueError(f"{size} octets announced, {len(octets or b'')} there")
    return octets or b""


class _Binary(ndr.Structure):
    """Binary_r ([MS-OXNSPI] 2.2.2)."""

    def __init__(self) -> None:
        pointer = ndr.Pointer(ndr.Octets(LARGEST_BINARY))
        super().__init__([ndr.U32, pointer], _binary, lambda octets: (len(octets), octets or None))


class _Boolean(ndr.Fixed):
    """A boolean in a value: an unsigned short."""

    def head(self, reader: ndr.Reader) -> bool:
        return bool(super().head(reader))


_BINARY: Final = _Binary()
_NEEDED8, _NEEDED = ndr.Pointer(ndr.STRING8, needed=True), ndr.Pointer(ndr.STRING, needed=True)
_NEEDED_UID: Final = ndr.Pointer(ndr.FLAT_UID, needed=True)


class _Nothing(ndr.Type):
    """The reserved number in place of a value of PtypNull or PtypObject."""

    smallest = 4

    def head(self, reader: ndr.Reader) -> None:
        reader.u32()

    def put_head(self, writer: ndr.Writer, value: object) -> None:
        writer.u32(0)


_ARMS: Final[dict[int, ndr.Type]] = {
    0x0001: _Nothing(), 0x0002: ndr.I16, 0x0003: ndr.I32, 0x000A: ndr.U32, 0x000B: _Boolean("H", 2),
    0x000D: _Nothing(), 0x001E: ndr.Pointer(ndr.STRING8), 0x001F: ndr.Pointer(ndr.STRING), 0x0040: ndr.FILETIME,
    0x0048: _NEEDED_UID, 0x0102: _BINARY,
    0x1002: _sized(ndr.I16), 0x1003: _sized(ndr.I32), 0x101E: _sized(_NEEDED8), 0x101F: _sized(_NEEDED),
    0x1040: _sized(ndr.FILETIME), 0x1048: _sized(_NEEDED_UID), 0x1102: _sized(_BINARY),
}  # fmt: skip
"""PROP_VAL_UNION ([MS-OXNSPI] 2.2.2): the types that NSPI knows."""


class _Value(ndr.Type):
    """PropertyValue_r ([MS-OXNSPI] 2.2.2): tag, a reserved number, the type once more, the value.

    A value of a type that NSPI does not know is written as an error of its property.
    """

    smallest = 12

    def head(self, reader: ndr.Reader) -> tuple[int, ndr.Type, Any]:
        tag = reader.u32()
        reader.u32()
        arm = _ARMS.get(tag & 0xFFFF)
        if reader.u32() != tag & 0xFFFF or arm is None:
            raise reader.cursor.fail(f"value of type {tag & 0xFFFF:#06x}")
        return tag, arm, arm.head(reader)

    def body(self, reader: ndr.Reader, head: tuple[int, ndr.Type, Any]) -> TaggedPropertyValue:
        return TaggedPropertyValue(head[0], head[1].body(reader, head[2]))

    def put_head(self, writer: ndr.Writer, value: TaggedPropertyValue) -> None:
        tag, inner, arm = _known(value)
        writer.u32(tag)
        writer.u32(0)
        writer.u32(tag & 0xFFFF)
        arm.put_head(writer, inner)

    def put_body(self, writer: ndr.Writer, value: TaggedPropertyValue) -> None:
        _, inner, arm = _known(value)
        arm.put_body(writer, inner)


def _known(value: TaggedPropertyValue) -> tuple[int, Any, ndr.Type]:
    tag, inner = value
    arm = _ARMS.get(tag & 0xFFFF)
    if arm is None:
        return tag & 0xFFFF0000 | PropType.PtypErrorCode, Ec.ecNotSupported, ndr.U32
    return tag, inner, arm


_VALUE: Final = _Value()


def _row(_: int, count: int, values: list[TaggedPropertyValue] | None) -> list[TaggedPropertyValue]:
    if count != len(values or ()):
        raise ValueError(f"{count} values announced, {len(values or ())} there")
    return values or []


class _Restriction(ndr.Type):
    """Restriction_r ([MS-OXNSPI] 2.2.6): its type twice, then what the type says."""

    smallest = 12

    def __init__(self) -> None:
        self._arms: dict[int, tuple[type, ndr.Structure]] = {}

    def add(
        self, number: int, kind: type, fields: Sequence[ndr.Type], make: Callable[..., Any], take: Callable[[Any], Any]
    ) -> None:
        """How one type travels."""
        self._arms[number] = (kind, ndr.Structure(fields, make, take))

    def head(self, reader: ndr.Reader) -> tuple[ndr.Structure, Any]:
        number = reader.u32()
        found = self._arms.get(number)
        if reader.u32() != number or found is None:
            raise reader.cursor.fail(f"restriction of type {number}")
        return found[1], found[1].head(reader)

    def body(self, reader: ndr.Reader, head: tuple[ndr.Structure, Any]) -> Any:
        return head[0].body(reader, head[1])

    def put_head(self, writer: ndr.Writer, value: Restriction) -> None:
        number, arm = self._of(value)
        writer.u32(number)
        writer.u32(number)
        arm.put_head(writer, value)

    def put_body(self, writer: ndr.Writer, value: Restriction) -> None:
        self._of(value)[1].put_body(writer, value)

    def _of(self, value: Restriction) -> tuple[int, ndr.Structure]:
        for number, (kind, arm) in self._arms.items():
            if type(value) is kind:
                return number, arm
        raise TypeError(f"{type(value).__name__} does not travel over NSPI")


def _many(kind: type) -> Callable[..., Any]:
    def make(count: int, items: list[Restriction] | None) -> Any:
        if count != len(items or ()):
            raise ValueError(f"{count} restrictions announced, {len(items or ())} there")
        return kind(tuple(items or ()))

    return make


def _tag_of(value: mapi.Content | mapi.Property) -> int:
    return value.value_tag or value.tag


def _restrictions() -> _Restriction:
    """All types of [MS-OXNSPI] 2.2.6."""
    one = _Restriction()
    some, inner, value = (
        ndr.Pointer(ndr.Array(one, MOST)),
        ndr.Pointer(one, needed=True),
        ndr.Pointer(_VALUE, needed=True),
    )
    numbers = [ndr.U32, ndr.U32, ndr.U32]

    def related(kind: Any, first: tuple[Any, ...], tag: int, found: TaggedPropertyValue) -> Any:
        return kind(*first, tag, found.value, 0 if found.tag == tag else found.tag)

    for number, kind in ((0, mapi.And), (1, mapi.Or)):
        one.add(number, kind, [ndr.U32, some], _many(kind), lambda v: (len(v.restricts), list(v.restricts) or None))
    one.add(2, mapi.Not, [inner], mapi.Not, lambda v: (v.restriction,))
    one.add(
        3, mapi.Content, [ndr.U32, ndr.U32, value],
        lambda fuzzy, tag, found: related(mapi.Content, (fuzzy & 0xFFFF, fuzzy >> 16), tag, found),
        lambda v: (v.fuzzy_low | v.fuzzy_high << 16, v.tag, TaggedPropertyValue(_tag_of(v), v.value)),
    )  # fmt: skip
    one.add(
        4, mapi.Property, [ndr.U32, ndr.U32, value],
        lambda relop, tag, found: related(mapi.Property, (relop,), tag, found),
        lambda v: (v.rel_op, v.tag, TaggedPropertyValue(_tag_of(v), v.value)),
    )  # fmt: skip
    one.add(5, mapi.CompareProperties, numbers, mapi.CompareProperties, lambda v: (v.rel_op, v.tag1, v.tag2))
    one.add(6, mapi.BitMask, numbers, mapi.BitMask, lambda v: (v.bitmap_rel_op, v.tag, v.mask))
    one.add(7, mapi.Size, numbers, mapi.Size, lambda v: (v.rel_op, v.tag, v.size))
    one.add(8, mapi.Exist, numbers, lambda _, tag, __: mapi.Exist(tag), lambda v: (0, v.tag, 0))
    one.add(9, mapi.SubObject, [ndr.U32, inner], mapi.SubObject, lambda v: (v.subobject, v.restriction))
    return one


STAT: Final = ndr.Structure([ndr.U32] * 3 + [ndr.I32] + [ndr.U32] * 5, Stat, tuple)
TAGS: Final = ndr.Counted(ndr.U32, varies=True, spare=1, most=MOST + 1)
ROW: Final = ndr.Structure(
    [ndr.U32, ndr.U32, ndr.Pointer(ndr.Array(_VALUE, MOST))], _row, lambda row: (0, len(row), row or None)
)
ROWS: Final = ndr.Counted(ROW, most=MOST)
STRINGS8: Final = ndr.Counted(ndr.Pointer(ndr.STRING8), most=MOST)
STRINGS: Final = ndr.Counted(ndr.Pointer(ndr.STRING), most=MOST)
VALUE: Final = _VALUE
RESTRICTION: Final = _restrictions()
NAMED: Final = ndr.Structure(
    [ndr.Pointer(ndr.FLAT_UID), ndr.U32, ndr.I32],
    lambda guid, _, number: NamedId(guid, number),
    lambda name: (name.guid, 0, name.number),
)
BINARIES: Final = _sized(_BINARY)

Row = list[TaggedPropertyValue]
StatIn = Annotated[Stat, STAT]
TagsIn = Annotated[list[int], TAGS]
Tags = Annotated[list[int] | None, ndr.Pointer(TAGS)]
Rows = Annotated[list[Row] | None, ndr.Pointer(ROWS)]
OneRow = Annotated[Row | None, ndr.Pointer(ROW)]
Strings8 = Annotated[list[bytes | None], STRINGS8]
Strings = Annotated[list[str | None], STRINGS]


@call(NSPI, 0)
class Bind(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.1."""

    flags: U32
    stat: StatIn
    server_guid: Annotated[bytes | None, ndr.Pointer(ndr.FLAT_UID)]


@answer(NSPI, 0)
class BindAnswer(Stub, frozen=True):
    server_guid: Annotated[bytes | None, ndr.Pointer(ndr.FLAT_UID)]
    handle: Handle
    result: U32


@call(NSPI, 1)
class Unbind(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.2."""

    handle: Handle
    reserved: U32


@answer(NSPI, 1)
class UnbindAnswer(Stub, frozen=True):
    handle: Handle
    result: U32


@call(NSPI, 2)
class UpdateStat(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.4."""

    handle: Handle
    reserved: U32
    stat: StatIn
    delta: Annotated[int | None, ndr.Pointer(ndr.I32)]


@answer(NSPI, 2)
class UpdateStatAnswer(Stub, frozen=True):
    stat: StatIn
    delta: Annotated[int | None, ndr.Pointer(ndr.I32)]
    result: U32


@call(NSPI, 3)
class QueryRows(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.8."""

    handle: Handle
    flags: U32
    stat: StatIn
    table_count: U32
    table: Annotated[list[int] | None, ndr.Pointer(ndr.Array(ndr.U32, MOST))]
    count: U32
    prop_tags: Tags


@answer(NSPI, 3)
class QueryRowsAnswer(Stub, frozen=True):
    stat: StatIn
    rows: Rows
    result: U32


@call(NSPI, 4)
class SeekEntries(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.9."""

    handle: Handle
    reserved: U32
    stat: StatIn
    target: Annotated[TaggedPropertyValue, VALUE]
    table: Tags
    prop_tags: Tags


@answer(NSPI, 4)
class SeekEntriesAnswer(Stub, frozen=True):
    stat: StatIn
    rows: Rows
    result: U32


@call(NSPI, 5)
class GetMatches(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.10."""

    handle: Handle
    reserved1: U32
    stat: StatIn
    reserved: Tags
    reserved2: U32
    filter: Annotated[Restriction | None, ndr.Pointer(RESTRICTION)]
    prop_name: Annotated[NamedId | None, ndr.Pointer(NAMED)]
    requested: U32
    prop_tags: Tags


@answer(NSPI, 5)
class GetMatchesAnswer(Stub, frozen=True):
    stat: StatIn
    mids: Tags
    rows: Rows
    result: U32


@call(NSPI, 6)
class ResortRestriction(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.11."""

    handle: Handle
    reserved: U32
    stat: StatIn
    in_mids: TagsIn
    mids: Tags


@answer(NSPI, 6)
class ResortRestrictionAnswer(Stub, frozen=True):
    stat: StatIn
    mids: Tags
    result: U32


@call(NSPI, 7)
class DNToMId(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.13."""

    handle: Handle
    reserved: U32
    names: Strings8


@answer(NSPI, 7)
class DNToMIdAnswer(Stub, frozen=True):
    mids: Tags
    result: U32


@call(NSPI, 8)
class GetPropList(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.6."""

    handle: Handle
    flags: U32
    mid: U32
    code_page: U32


@answer(NSPI, 8)
class GetPropListAnswer(Stub, frozen=True):
    prop_tags: Tags
    result: U32


@call(NSPI, 9)
class GetProps(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.7."""

    handle: Handle
    flags: U32
    stat: StatIn
    prop_tags: Tags


@answer(NSPI, 9)
class GetPropsAnswer(Stub, frozen=True):
    row: OneRow
    result: U32


@call(NSPI, 10)
class CompareMIds(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.12."""

    handle: Handle
    reserved: U32
    stat: StatIn
    mid1: U32
    mid2: U32


@answer(NSPI, 10)
class CompareMIdsAnswer(Stub, frozen=True):
    comparison: I32
    result: U32


@call(NSPI, 11)
class ModProps(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.14."""

    handle: Handle
    reserved: U32
    stat: StatIn
    prop_tags: Tags
    row: Annotated[Row, ROW]


@answer(NSPI, 11)
class ModPropsAnswer(Stub, frozen=True):
    result: U32


@call(NSPI, 12)
class GetSpecialTable(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.3."""

    handle: Handle
    flags: U32
    stat: StatIn
    version: U32


@answer(NSPI, 12)
class GetSpecialTableAnswer(Stub, frozen=True):
    version: U32
    rows: Rows
    result: U32


@call(NSPI, 13)
class GetTemplateInfo(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.18."""

    handle: Handle
    flags: U32
    type: U32
    dn: Annotated[bytes | None, ndr.Pointer(ndr.STRING8)]
    code_page: U32
    locale_id: U32


@answer(NSPI, 13)
class GetTemplateInfoAnswer(Stub, frozen=True):
    row: OneRow
    result: U32


@call(NSPI, 14)
class ModLinkAtt(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.15."""

    handle: Handle
    flags: U32
    prop_tag: U32
    mid: U32
    entry_ids: Annotated[list[bytes], BINARIES]


@answer(NSPI, 14)
class ModLinkAttAnswer(Stub, frozen=True):
    result: U32


@call(NSPI, 16)
class QueryColumns(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.5."""

    handle: Handle
    reserved: U32
    flags: U32


@answer(NSPI, 16)
class QueryColumnsAnswer(Stub, frozen=True):
    columns: Tags
    result: U32


@call(NSPI, 19)
class ResolveNames(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.16: names in the code page of `stat`."""

    handle: Handle
    reserved: U32
    stat: StatIn
    prop_tags: Tags
    names: Strings8


@answer(NSPI, 19)
class ResolveNamesAnswer(Stub, frozen=True):
    mids: Tags
    rows: Rows
    result: U32


@call(NSPI, 20)
class ResolveNamesW(Stub, frozen=True):
    """[MS-OXNSPI] 3.1.4.1.17."""

    handle: Handle
    reserved: U32
    stat: StatIn
    prop_tags: Tags
    names: Strings


@answer(NSPI, 20)
class ResolveNamesWAnswer(Stub, frozen=True):
    mids: Tags
    rows: Rows
    result: U32
