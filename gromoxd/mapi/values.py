"""Property values as they travel ([MS-OXCDATA] 2.11), and lists of them (2.10). Rows are in `gromoxd.mapi.rows`.

A value has no length of its own: its type says how to read it. Two widths of COUNT are in use (2.11.1.1): in ROP
buffers octets are counted with 16 bits, in extended rules (`wide`) with 32 bits; the values of a multi-value property
are counted with 32 bits in both. Address book structures of MAPI/HTTP and NSPI differ and are not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from struct import Struct
from struct import error as StructError
from typing import Any, Final, NamedTuple, TypeVar

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import U16, U32, Cursor, utf16
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue

MV_INSTANCE: Final = 0x2000
"""Beside MULTIPLE in a column's type: one row for each value ([MS-OXCDATA] 2.11.1.3)."""

LONGEST_NARROW: Final = 0xFFFF
"""Octets of the longest binary value that a 16-bit COUNT can announce."""

T = TypeVar("T")
Reader = Callable[[Cursor], PropValue]
Writer = Callable[[Any], bytes]
Skip = Callable[[Cursor, bool], object]

LAYOUTS: Final[dict[int, str]] = {
    PropType.PtypInteger16: "h",
    PropType.PtypInteger32: "i",
    PropType.PtypFloating32: "f",
    PropType.PtypFloating64: "d",
    PropType.PtypCurrency: "q",
    PropType.PtypFloatingTime: "d",
    PropType.PtypErrorCode: "I",
    PropType.PtypInteger64: "q",
    PropType.PtypTime: "q",
    PropType.PtypGuid: "16s",
}

NOT_OF_THE_TYPE: Final = (StructError, TypeError, AttributeError, KeyError, OverflowError)
"""What a writer raises for a value that is none of its type."""

FIXED_SIZES: Final[dict[int, int]] = {
    **{kind: Struct("<" + code).size for kind, code in LAYOUTS.items()},
    PropType.PtypNull: 0,
    PropType.PtypBoolean: 1,
}
"""Octets of the types whose values all have the same length."""


@dataclass(slots=True, frozen=True)
class PropError:
    """Why a row has no value in a column: an error code of [MS-OXCDATA] 2.4."""

    code: int


RowValue = PropValue | PropError


class TypedPropertyValue(NamedTuple):
    """TypedPropertyValue, [MS-OXCDATA] 2.11.3: a value that says its type."""

    type: int
    value: PropValue

    @classmethod
    def read(cls, cursor: Cursor, wide: bool = False) -> TypedPropertyValue:
        kind = cursor.u16()
        return cls(kind, read_value(cursor, kind, wide))

    @classmethod
    def decode(cls, data: bytes, wide: bool = False) -> TypedPropertyValue:
        return whole(lambda cursor: cls.read(cursor, wide), data)

    def encode(self, wide: bool = False) -> bytes:
        return U16.pack(self.type) + write_value(self.type, self.value, wide)


class TaggedPropertyValue(NamedTuple):
    """TaggedPropertyValue, [MS-OXCDATA] 2.11.4: a property's tag and value."""

    tag: int
    value: PropValue

    @classmethod
    def read(cls, cursor: Cursor, wide: bool = False) -> TaggedPropertyValue:
        tag = cursor.u32()
        return cls(tag, read_value(cursor, tag & 0xFFFF, wide))

    @classmethod
    def decode(cls, data: bytes, wide: bool = False) -> TaggedPropertyValue:
        return whole(lambda cursor: cls.read(cursor, wide), data)

    def encode(self, wide: bool = False) -> bytes:
        return U32.pack(self.tag) + write_value(self.tag & 0xFFFF, self.value, wide)


class PropertyProblem(NamedTuple):
    """PropertyProblem, [MS-OXCDATA] 2.7: which of the properties of a request failed, and why."""

    position: int
    tag: int
    code: int

    @classmethod
    def read(cls, cursor: Cursor) -> PropertyProblem:
        return cls(cursor.u16(), cursor.u32(), cursor.u32())

    @classmethod
    def decode(cls, data: bytes) -> PropertyProblem:
        return whole(lambda cursor: cls.read(cursor), data)

    def encode(self) -> bytes:
        return _PROBLEM.pack(self.position, self.tag, self.code)


_PROBLEM = Struct("<HII")


def whole(read: Callable[[Cursor], T], data: bytes) -> T:
    """What `read` finds in `data`, all of which it must read."""
    cursor = Cursor(data)
    value = read(cursor)
    cursor.finish()
    return value


def read_value(cursor: Cursor, kind: int, wide: bool = False) -> PropValue:
    """PropertyValue, [MS-OXCDATA] 2.11.2.1: a value of type `kind`, MULTIPLE included. WireError for unknown types."""
    reader = (_WIDE_READERS if wide else _NARROW_READERS).get(kind)
    if reader is None:
        raise cursor.fail(f"value of unknown type {kind:#06x}")
    return reader(cursor)


def writer_of(kind: int) -> Writer | None:
    """What `write_value` calls for a type, None if unknown; it raises what struct does for what is not of that type."""
    return _NARROW_WRITERS.get(kind)


def write_value(kind: int, value: PropValue, wide: bool = False) -> bytes:
    """The octets of a value of type `kind`. WireError when it is none of that type or too long for its COUNT."""
    writer = (_WIDE_WRITERS if wide else _NARROW_WRITERS).get(kind)
    if writer is None:
        raise WireError(f"value of unknown type {kind:#06x}")
    try:
        return writer(value)
    except NOT_OF_THE_TYPE:
        raise WireError(f"no value of type {kind:#06x}: {type(value).__name__}") from None


def value_size(kind: int, value: PropValue) -> int:
    """Octets of a value as [MS-OXCMSG] 2.2.1.7 sizes have it: strings with their terminators, no counts."""
    fixed = FIXED_SIZES.get(kind & ~MULTIPLE)
    if kind & MULTIPLE:
        items = value if isinstance(value, list) else []
        return fixed * len(items) if fixed is not None else sum(value_size(kind & ~MULTIPLE, item) for item in items)
    if fixed is not None:
        return fixed
    if isinstance(value, str):
        return 2 * len(value) + 2 if value.isascii() else len(utf16(value))
    return len(value) if isinstance(value, bytes) else 0


# Nested structures


class _Nested(Cursor):
    """The cursor inside a PtypRestriction or PtypRuleAction value: there are no such values in it again."""

    __slots__ = ()

    def region(self, length: int) -> Cursor:
        inner = super().region(length)
        return _Nested(inner.data, inner.at, inner.end)


_skips: dict[int, Skip] = {}
_HOMES: Final = {
    PropType.PtypRestriction: "gromoxd.mapi.restrictions",
    PropType.PtypRuleAction: "gromoxd.mapi.rules",
}


def register_nested(kind: int, skip: Skip) -> None:
    """Have `skip(cursor, wide)` read over a PtypRestriction or PtypRuleAction value, whose octets are the value.

    Such a structure has no length, only its own reader knows where it ends; that module calls this when it is loaded.
    """
    _skips[kind] = skip


def _nested_reader(kind: int, wide: bool) -> Reader:
    def read(cursor: Cursor) -> bytes:
        if isinstance(cursor, _Nested):
            raise cursor.fail(f"value of type {kind:#06x} within another")
        skip = _skips.get(kind)
        if skip is None:
            import_module(_HOMES[PropType(kind)])
            skip = _skips[kind]
        start = cursor.at
        inner = _Nested(cursor.data, start, cursor.end)
        skip(inner, wide)
        return cursor.take(inner.at - start)

    return read


# Readers and writers of the types


def _read_null(_: Cursor) -> None:
    return None


def _read_boolean(cursor: Cursor) -> bool:
    return cursor.u8() != 0


def _read_server_id(cursor: Cursor) -> bytes:
    return cursor.take(cursor.u16())


def _read_binary(cursor: Cursor) -> bytes:
    return cursor.take(cursor.u16())


def _read_wide_binary(cursor: Cursor) -> bytes:
    return cursor.take(cursor.u32())


def _fixed_reader(code: str) -> Reader:
    unpack, size = Struct("<" + code).unpack_from, Struct("<" + code).size

    def read(cursor: Cursor) -> PropValue:
        at = cursor.at
        if cursor.end - at < size:
            cursor.take(size)
        cursor.at = at + size
        value: PropValue = unpack(cursor.data, at)[0]
        return value

    return read


def _fixed_list_reader(code: str, size: int) -> Reader:
    def read(cursor: Cursor) -> list[Any]:
        count = cursor.count(cursor.u32(), size)
        octets = cursor.take(count * size)
        if code == "16s":
            return [octets[at : at + 16] for at in range(0, len(octets), 16)]
        return list(Struct(f"<{count}{code}").unpack(octets))

    return read


def _list_reader(one: Callable[[Cursor], Any], smallest: int) -> Reader:
    def read(cursor: Cursor) -> list[Any]:
        return [one(cursor) for _ in range(cursor.count(cursor.u32(), smallest))]

    return read


def _read_booleans(cursor: Cursor) -> list[Any]:
    return [octet != 0 for octet in cursor.take(cursor.u32())]


def _write_string8(value: bytes) -> bytes:
    return value.partition(b"\0")[0] + b"\0"


def _write_binary(value: bytes) -> bytes:
    return U16.pack(len(value)) + value


def _write_wide_binary(value: bytes) -> bytes:
    return U32.pack(len(value)) + value


def _write_raw(value: bytes) -> bytes:
    return value + b""


def fixed_writer(code: str) -> Writer:
    """Numbers that are unsigned in Python but fit the width are written by their bits."""
    pack = Struct("<" + code).pack
    if code not in "hiq":
        return pack
    unsigned = Struct("<" + code.upper()).pack

    def write(value: int) -> bytes:
        try:
            return pack(value)
        except StructError:
            return unsigned(value)

    return write


def _write_guid(value: bytes) -> bytes:
    if len(value) != 16:
        raise WireError(f"GUID of {len(value)} octets")
    return _write_raw(value)


def _list_writer(one: Writer) -> Writer:
    def write(values: list[Any]) -> bytes:
        return U32.pack(len(values)) + b"".join([one(value) for value in values])

    return write


def _readers(wide: bool) -> dict[int, Reader]:
    binary = _read_wide_binary if wide else _read_binary
    single: dict[int, Reader] = {kind: _fixed_reader(code) for kind, code in LAYOUTS.items()}
    many: dict[int, Reader] = {kind: _fixed_list_reader(code, FIXED_SIZES[kind]) for kind, code in LAYOUTS.items()}
    many |= {
        PropType.PtypBoolean: _read_booleans,
        PropType.PtypString: _list_reader(Cursor.string, 2),
        PropType.PtypString8: _list_reader(Cursor.string8, 1),
        PropType.PtypBinary: _list_reader(binary, 4 if wide else 2),
        PropType.PtypServerId: _list_reader(_read_server_id, 2),
    }
    single |= {
        PropType.PtypNull: _read_null,
        PropType.PtypBoolean: _read_boolean,
        PropType.PtypString: Cursor.string,
        PropType.PtypString8: Cursor.string8,
        PropType.PtypBinary: binary,
        PropType.PtypObject: binary,
        PropType.PtypServerId: _read_server_id,
        PropType.PtypRestriction: _nested_reader(PropType.PtypRestriction, wide),
        PropType.PtypRuleAction: _nested_reader(PropType.PtypRuleAction, wide),
    }
    return single | {kind | MULTIPLE: reader for kind, reader in many.items()}


def _writers(wide: bool) -> dict[int, Writer]:
    binary = _write_wide_binary if wide else _write_binary
    many: dict[int, Writer] = {kind: fixed_writer(code) for kind, code in LAYOUTS.items()}
    many |= {
        PropType.PtypGuid: _write_guid,
        PropType.PtypBoolean: {False: b"\0", True: b"\1"}.__getitem__,
        PropType.PtypString: utf16,
        PropType.PtypString8: _write_string8,
        PropType.PtypBinary: binary,
        PropType.PtypServerId: _write_binary,
    }
    single = many | {
        PropType.PtypNull: {None: b""}.__getitem__,
        PropType.PtypObject: binary,
        PropType.PtypRestriction: _write_raw,
        PropType.PtypRuleAction: _write_raw,
    }
    return single | {kind | MULTIPLE: _list_writer(writer) for kind, writer in many.items()}


_NARROW_READERS, _WIDE_READERS = _readers(False), _readers(True)
_NARROW_WRITERS, _WIDE_WRITERS = _writers(False), _writers(True)


# Lists


def read_tags(cursor: Cursor) -> list[int]:
    """PropertyTagArray, [MS-OXCDATA] 2.10.1: property tags counted with 16 bits."""
    count = cursor.count(cursor.u16(), 4)
    return list(Struct(f"<{count}I").unpack(cursor.take(4 * count)))


def decode_tags(data: bytes) -> list[int]:
    """A PropertyTagArray that fills `data`."""
    return whole(lambda cursor: read_tags(cursor), data)


def encode_tags(tags: Sequence[int]) -> bytes:
    """The inverse of `read_tags`. WireError for more than 65,535 tags."""
    if len(tags) > 0xFFFF:
        raise WireError(f"{len(tags)} property tags")
    return Struct(f"<H{len(tags)}I").pack(len(tags), *tags)


def read_tagged(cursor: Cursor, count: int, wide: bool = False) -> dict[int, PropValue]:
    """`count` TaggedPropertyValues in a row, such as RopSetProperties has; of a tag that comes twice the last one.
    A client may send errors, which are no properties: they are left out."""
    bag: dict[int, PropValue] = {}
    for _ in range(cursor.count(count, 4)):
        tag = cursor.u32()
        value = read_value(cursor, tag & 0xFFFF, wide)
        if tag & 0xFFFF != PropType.PtypErrorCode:
            bag[tag] = value
    return bag


def encode_tagged(bag: Mapping[int, PropValue], wide: bool = False) -> bytes:
    """All of a bag as TaggedPropertyValues; their count is the caller's."""
    return b"".join([U32.pack(tag) + write_value(tag & 0xFFFF, value, wide) for tag, value in bag.items()])


# Strings


class TypedString(NamedTuple):
    """TypedString, [MS-OXCDATA] 2.11.7: None is "no string", bytes an 8-bit string in the session's code page."""

    text: str | bytes | None

    @classmethod
    def read(cls, cursor: Cursor) -> TypedString:
        kind = cursor.u8()
        reader = _TYPED_STRINGS.get(kind)
        if reader is None:
            raise cursor.fail(f"string of kind {kind:#x}")
        return cls(reader(cursor))

    @classmethod
    def decode(cls, data: bytes) -> TypedString:
        return whole(lambda cursor: cls.read(cursor), data)

    def encode(self) -> bytes:
        """In the shortest form: text within Latin-1 as "reduced Unicode"."""
        text = self.text
        if text is None:
            return b"\0"
        if not text:
            return b"\1"
        if isinstance(text, bytes):
            return b"\2" + _write_string8(text)
        text = text.partition("\0")[0]
        try:
            return b"\3" + text.encode("latin-1") + b"\0"
        except UnicodeEncodeError:
            return b"\4" + utf16(text)


_TYPED_STRINGS: Final[dict[int, Callable[[Cursor], str | bytes | None]]] = {
    0: _read_null,
    1: lambda _: "",
    2: Cursor.string8,
    3: lambda cursor: cursor.string8().decode("latin-1"),
    4: Cursor.string,
}
