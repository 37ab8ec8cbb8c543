"""Property rows ([MS-OXCDATA] 2.8): values of an object for columns known beforehand, as tables answer with them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Final, NamedTuple

from gromoxd.errors import Ec, WireError
from gromoxd.mapi.cursor import U16, U32, Cursor
from gromoxd.mapi.types import MULTIPLE, PropType
from gromoxd.mapi.values import (
    LONGEST_NARROW,
    MV_INSTANCE,
    NOT_OF_THE_TYPE,
    PropError,
    RowValue,
    TypedPropertyValue,
    Writer,
    read_value,
    whole,
    write_value,
    writer_of,
)

NOT_FOUND: Final = PropError(Ec.ecNotFound)
NO_MEMORY: Final = PropError(0x8007000E)
"""ecNotEnoughMemory ([MS-OXCDATA] 2.4): the value is too big for a row, the client opens it as a stream."""


class FlaggedPropertyValue(NamedTuple):
    """FlaggedPropertyValue, [MS-OXCDATA] 2.11.5: a value, nothing (None) or an error; its type is known beforehand."""

    value: RowValue

    @classmethod
    def read(cls, cursor: Cursor, kind: int) -> FlaggedPropertyValue:
        return cls(_read_flagged(cursor, kind))

    @classmethod
    def decode(cls, data: bytes, kind: int) -> FlaggedPropertyValue:
        return whole(lambda cursor: cls.read(cursor, kind), data)

    def encode(self, kind: int) -> bytes:
        return _write_flagged(kind, self.value)


class FlaggedPropertyValueWithType(NamedTuple):
    """FlaggedPropertyValueWithType, [MS-OXCDATA] 2.11.6: the same with its type in front."""

    type: int
    value: RowValue

    @classmethod
    def read(cls, cursor: Cursor) -> FlaggedPropertyValueWithType:
        kind = cursor.u16()
        return cls(kind, _read_flagged(cursor, kind))

    @classmethod
    def decode(cls, data: bytes) -> FlaggedPropertyValueWithType:
        return whole(lambda cursor: cls.read(cursor), data)

    def encode(self) -> bytes:
        return U16.pack(self.type) + _write_flagged(self.type, self.value)


_PRESENT, _ABSENT, _ERROR = 0x00, 0x01, 0x0A


def _read_flagged(cursor: Cursor, kind: int) -> RowValue:
    flag = cursor.u8()
    if flag == _PRESENT:
        return read_value(cursor, kind)
    if flag == _ERROR:
        return PropError(cursor.u32())
    if flag == _ABSENT:
        return None
    raise cursor.fail(f"flag {flag:#x} of a property value")


def _write_flagged(kind: int, value: RowValue) -> bytes:
    if isinstance(value, PropError):
        return b"\x0a" + U32.pack(value.code)
    if value is None and kind != PropType.PtypNull:
        return b"\x01"
    return b"\0" + write_value(kind, value)


Cell = RowValue | TypedPropertyValue
"""What a row has in a column; in a column of PtypUnspecified a value that says its type."""


def column_type(tag: int) -> int:
    """The type of a column's values: that of one value where the column asks for a row for each (MV_INSTANCE)."""
    kind = tag & 0xFFFF
    return kind & ~(MULTIPLE | MV_INSTANCE) if kind & MV_INSTANCE else kind


class RowCodec:
    """PropertyRow, [MS-OXCDATA] 2.8.1, for one list of columns: the work that does not depend on the row done once.

    A row without errors is a StandardPropertyRow (2.8.1.1), else a FlaggedPropertyRow (2.8.1.2). None is a property
    that is not there and is sent as ecNotFound, as clients expect it.
    """

    __slots__ = ("_kinds", "_writers", "columns")

    def __init__(self, columns: Sequence[int]) -> None:
        self.columns = tuple(columns)
        self._kinds = tuple(column_type(tag) for tag in self.columns)
        self._writers = tuple(_cell_writer(kind) for kind in self._kinds)

    def encode(self, values: Sequence[Cell]) -> bytes:
        """The octets of a row of as many values as there are columns. A value too long for its COUNT is sent as
        ecNotEnoughMemory; WireError for a value that is not of its column's type."""
        if len(values) != len(self.columns):
            raise WireError(f"{len(values)} values for {len(self.columns)} columns")
        try:
            return b"\0" + b"".join([write(value) for write, value in zip(self._writers, values, strict=True)])
        except (*NOT_OF_THE_TYPE, WireError):
            return self._encode_flagged(values)

    def _encode_flagged(self, values: Sequence[Cell]) -> bytes:
        out = [b"\1"]
        for kind, write, value in zip(self._kinds, self._writers, values, strict=True):
            if value is None and kind != PropType.PtypNull:
                out.append(_NOT_FOUND_TYPED if kind == PropType.PtypUnspecified else _NOT_FOUND)
            elif isinstance(value, PropError) or kind == PropType.PtypUnspecified or _too_long(value):
                out.append(_flagged_cell(kind, value))
            else:
                try:
                    out.append(b"\0" + write(value))
                except NOT_OF_THE_TYPE:
                    raise WireError(f"no value of type {kind:#06x}: {type(value).__name__}") from None
        return b"".join(out)

    def read(self, cursor: Cursor) -> list[Cell]:
        """The values of a row; a column of PtypUnspecified gives TypedPropertyValue, PropError or None."""
        flag = cursor.u8()
        if flag == 0:
            return [read_value(cursor, k) if k else TypedPropertyValue.read(cursor) for k in self._kinds]
        if flag != 1:
            raise cursor.fail(f"flag {flag:#x} of a row")
        return [_read_flagged(cursor, kind) if kind else _read_flagged_typed(cursor) for kind in self._kinds]


def _cell_writer(kind: int) -> Writer:
    """A client may ask for columns of any type, of which there is nothing to write but errors."""
    if kind == PropType.PtypUnspecified:
        return _write_typed
    return writer_of(kind) or partial(write_value, kind)


def _write_typed(value: TypedPropertyValue) -> bytes:
    return value.encode()


_NOT_FOUND: Final = bytes((_ERROR,)) + U32.pack(NOT_FOUND.code)
_NOT_FOUND_TYPED: Final = U16.pack(PropType.PtypErrorCode) + _NOT_FOUND


def _flagged_cell(kind: int, value: Cell) -> bytes:
    """A cell with an error, of an unspecified type, or with a value that is too long."""
    if isinstance(value, TypedPropertyValue):
        content = NO_MEMORY if _too_long(value.value) else value.value
        return FlaggedPropertyValueWithType(value.type, content).encode()
    error = value if isinstance(value, PropError) else NO_MEMORY
    if kind == PropType.PtypUnspecified:
        if error is not value:
            raise WireError("value without a type in a column of PtypUnspecified")
        return FlaggedPropertyValueWithType(PropType.PtypErrorCode, error).encode()
    return _write_flagged(kind, error)


def _too_long(value: Cell) -> bool:
    if isinstance(value, list):
        return any(_too_long(item) for item in value)
    return isinstance(value, bytes) and len(value) > LONGEST_NARROW


def _read_flagged_typed(cursor: Cursor) -> Cell:
    kind, value = FlaggedPropertyValueWithType.read(cursor)
    if isinstance(value, PropError) or (value is None and kind != PropType.PtypNull):
        return value
    return TypedPropertyValue(kind, value)


_MANY_COLUMNS = 256
_kept = lru_cache(maxsize=256)(RowCodec)


def row_codec(columns: tuple[int, ...]) -> RowCodec:
    """The codec for these columns, kept for the next row or request with them unless they are extraordinarily many."""
    return _kept(columns) if len(columns) <= _MANY_COLUMNS else RowCodec(columns)


def encode_row(columns: Sequence[int], values: Sequence[Cell]) -> bytes:
    """One row; for many with the same columns take `row_codec(columns)`."""
    return row_codec(tuple(columns)).encode(values)


def read_row(cursor: Cursor, columns: Sequence[int]) -> list[Cell]:
    """One row as `RowCodec.read` has it."""
    return row_codec(tuple(columns)).read(cursor)


def decode_row(data: bytes, columns: Sequence[int]) -> list[Cell]:
    """A row that fills `data`."""
    return whole(lambda cursor: read_row(cursor, columns), data)
