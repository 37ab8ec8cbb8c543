"""Property values of the address book as MAPI/HTTP carries them ([MS-OXCMAPIHTTP] 2.2.1).

They differ from those of ROPs: octets are counted with 32 bits, and before each string, octet string or list, also
within lists, an octet tells whether there is one (0xFF) or nothing (0x00).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as StructError
from typing import Any, Final, NamedTuple

from gromoxd.errors import Ec, WireError
from gromoxd.mapi.cursor import U16, U32, Cursor, utf16
from gromoxd.mapi.rows import NOT_FOUND, Cell
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue
from gromoxd.mapi.values import FIXED_SIZES, LAYOUTS, PropError, TaggedPropertyValue, TypedPropertyValue, fixed_writer

MOST_VALUES: Final = 100_000
MOST_PROPERTIES: Final = 10_000
_PRESENT, _ABSENT = b"\xff", b"\0"
_TAGGED = Struct("<HH")
_OPTIONAL: Final = frozenset({PropType.PtypString, PropType.PtypString8, PropType.PtypBinary})
Reader = Callable[[Cursor], Any]
Writer = Callable[[Any], bytes]


def _fixed_reader(code: str) -> Reader:
    layout = Struct("<" + code)
    return lambda cursor: cursor.struct(layout)[0]


def _binary(cursor: Cursor) -> bytes:
    return cursor.take(cursor.u32())


def _write_binary(value: bytes) -> bytes:
    return U32.pack(len(value)) + value


def _write_string8(value: bytes) -> bytes:
    return value.partition(b"\0")[0] + b"\0"


def _write_guid(value: bytes) -> bytes:
    if len(value) != 16:
        raise WireError(f"GUID of {len(value)} octets")
    return value


_READERS: Final[dict[int, Reader]] = {
    **{kind: _fixed_reader(code) for kind, code in LAYOUTS.items()},
    PropType.PtypNull: lambda _: None,
    PropType.PtypObject: lambda _: b"",
    PropType.PtypBoolean: lambda cursor: cursor.u8() != 0,
    PropType.PtypString: Cursor.string,
    PropType.PtypString8: Cursor.string8,
    PropType.PtypBinary: _binary,
}
_WRITERS: Final[dict[int, Writer]] = {
    **{kind: fixed_writer(code) for kind, code in LAYOUTS.items()},
    PropType.PtypGuid: _write_guid,
    PropType.PtypNull: lambda _: b"",
    PropType.PtypObject: lambda _: b"",
    PropType.PtypBoolean: lambda value: b"\1" if value else b"\0",
    PropType.PtypString: utf16,
    PropType.PtypString8: _write_string8,
    PropType.PtypBinary: _write_binary,
}
"""A table or object has no value and no octets, as Microsoft's own readers have it: lReserved is of RPC only."""


def has_flag(kind: int) -> bool:
    """Does HasValue stand before values of this type?"""
    return bool(kind & MULTIPLE) or kind in _OPTIONAL


def read_value(cursor: Cursor, kind: int) -> PropValue:
    """AddressBookPropertyValue, [MS-OXCMAPIHTTP] 2.2.1.1: None where HasValue says that there is none."""
    one = _READERS.get(kind & ~MULTIPLE)
    if one is None or kind & ~MULTIPLE & ~0xFFF:
        raise cursor.fail(f"value of unknown type {kind:#06x}")
    if has_flag(kind) and not _flag(cursor):
        return None
    if not kind & MULTIPLE:
        value: PropValue = one(cursor)
        return value
    inner = kind & ~MULTIPLE
    smallest = 1 if inner in _OPTIONAL else FIXED_SIZES.get(inner, 4)
    count = cursor.count(cursor.u32(), max(smallest, 1))
    if count > MOST_VALUES:
        raise cursor.fail(f"{count} values")
    if inner not in _OPTIONAL:
        return [one(cursor) for _ in range(count)]
    empty: Any = "" if inner == PropType.PtypString else b""
    return [one(cursor) if _flag(cursor) else empty for _ in range(count)]


def _flag(cursor: Cursor) -> bool:
    return cursor.u8() != 0


def write_value(kind: int, value: PropValue) -> bytes:
    """The octets of a value; WireError when it is none of that type."""
    writer = _writer(kind)
    try:
        return writer(value)
    except (StructError, TypeError, AttributeError, OverflowError, KeyError):
        raise WireError(f"no value of type {kind:#06x}: {type(value).__name__}") from None


def _writer(kind: int) -> Writer:
    one = _WRITERS.get(kind & ~MULTIPLE)
    if one is None:
        raise WireError(f"value of unknown type {kind:#06x}")
    if not kind & MULTIPLE:
        return (lambda value: _ABSENT if value is None else _PRESENT + one(value)) if kind in _OPTIONAL else one
    if kind & ~MULTIPLE in _OPTIONAL:
        return lambda values: (
            _ABSENT if values is None
            else _PRESENT + U32.pack(len(values)) + b"".join([_PRESENT + one(value) for value in values])
        )  # fmt: skip
    return lambda values: (
        _ABSENT if values is None else _PRESENT + U32.pack(len(values)) + b"".join([one(value) for value in values])
    )


def read_tagged(cursor: Cursor) -> TaggedPropertyValue:
    """AddressBookTaggedPropertyValue, [MS-OXCMAPIHTTP] 2.2.1.2; an error has the type PtypErrorCode."""
    kind, number = cursor.struct(_TAGGED)
    return TaggedPropertyValue(number << 16 | kind, read_value(cursor, kind))


def write_tagged(item: TaggedPropertyValue) -> bytes:
    """Its octets."""
    return _TAGGED.pack(item.tag & 0xFFFF, item.tag >> 16) + write_value(item.tag & 0xFFFF, item.value)


class PropertyValueList(NamedTuple):
    """AddressBookPropertyValueList, [MS-OXCMAPIHTTP] 2.2.1.3."""

    values: tuple[TaggedPropertyValue, ...] = ()

    @classmethod
    def read(cls, cursor: Cursor) -> PropertyValueList:
        count = cursor.count(cursor.u32(), 5)
        if count > MOST_PROPERTIES:
            raise cursor.fail(f"{count} properties")
        return cls(tuple([read_tagged(cursor) for _ in range(count)]))

    def encode(self) -> bytes:
        return U32.pack(len(self.values)) + b"".join([write_tagged(item) for item in self.values])


class Rows(NamedTuple):
    """Rows of a table: their columns, and in each row a cell for each. None and PropError are what is not there."""

    columns: tuple[int, ...]
    rows: list[list[Cell]]

    @classmethod
    def read(cls, cursor: Cursor) -> Rows:
        """LargePropertyTagArray, number of rows, AddressBookPropertyRows ([MS-OXCMAPIHTTP] 2.2.1.8, 2.2.1.7)."""
        columns = read_tags(cursor)
        count = cursor.count(cursor.u32(), 1)
        return cls(columns, [_read_row(cursor, columns) for _ in range(count)])

    def encode(self) -> bytes:
        write = row_writer(self.columns)
        return b"".join([write_tags(self.columns), U32.pack(len(self.rows)), *[write(row) for row in self.rows]])


def read_tags(cursor: Cursor) -> tuple[int, ...]:
    """LargePropertyTagArray, [MS-OXCMAPIHTTP] 2.2.1.8."""
    count = cursor.count(cursor.u32(), 4)
    if count > MOST_VALUES:
        raise cursor.fail(f"{count} property tags")
    return cursor.struct(Struct(f"<{count}I"))


def write_tags(tags: Sequence[int]) -> bytes:
    """Its octets."""
    return U32.pack(len(tags)) + Struct(f"<{len(tags)}I").pack(*tags)


def row_writer(columns: Sequence[int]) -> Callable[[Sequence[Cell]], bytes]:
    """What makes AddressBookPropertyRows of these columns ([MS-OXCMAPIHTTP] 2.2.1.7)."""
    kinds = [tag & 0xFFFF for tag in columns]
    writers = [_writer(kind) if kind in _WRITERS or kind & ~MULTIPLE in _WRITERS else None for kind in kinds]

    def write(row: Sequence[Cell]) -> bytes:
        if not any(value is None or isinstance(value, PropError | TypedPropertyValue) for value in row):
            try:
                return b"\0" + b"".join([put(value) for put, value in zip(writers, row, strict=True)])  # type: ignore[misc]
            except (StructError, TypeError, AttributeError, OverflowError, KeyError):
                raise WireError("a value is not of its column's type") from None
        return b"\1" + b"".join([_flagged(kind, value) for kind, value in zip(kinds, row, strict=True)])

    return write


def _flagged(kind: int, value: Cell) -> bytes:
    """AddressBookFlaggedPropertyValue, [MS-OXCMAPIHTTP] 2.2.1.5, or that WithType, 2.2.1.6."""
    if isinstance(value, TypedPropertyValue):
        return U16.pack(value.type) + b"\0" + write_value(value.type, value.value)
    if value is None:
        value = NOT_FOUND
    if isinstance(value, PropError):
        head = U16.pack(PropType.PtypErrorCode) if kind == PropType.PtypUnspecified else b""
        return head + b"\x0a" + U32.pack(value.code)
    return b"\0" + write_value(kind, value)


def _read_row(cursor: Cursor, columns: Sequence[int]) -> list[Cell]:
    flag = cursor.u8()
    if flag > 1:
        raise cursor.fail(f"flag {flag:#x} of a row")
    return [_read_cell(cursor, tag & 0xFFFF, flag == 1) for tag in columns]


def _read_cell(cursor: Cursor, kind: int, flagged: bool) -> Cell:
    typed = kind == PropType.PtypUnspecified
    if typed:
        kind = cursor.u16()
    flag = cursor.u8() if flagged else 0
    if flag == 0x0A:
        return PropError(cursor.u32())
    if flag == 1:
        return None
    if flag:
        raise cursor.fail(f"flag {flag:#x} of a value")
    value = read_value(cursor, kind)
    return TypedPropertyValue(kind, value) if typed else value


ERROR_TYPE: Final = PropType.PtypErrorCode


def error_value(tag: int, code: int = Ec.ecNotFound) -> TaggedPropertyValue:
    """A property that is not there, in a list of values."""
    return TaggedPropertyValue(tag & 0xFFFF0000 | ERROR_TYPE, int(code))
