"""Property lists within TNEF attributes: attMsgProps, attAttachment, the rows of attRecipTable. [MS-OXTNEF] 2.1.3.4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any, Final, NamedTuple

from gromoxd.convert.itemnames import ItemNames
from gromoxd.mapi import codepages
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.cursor import U32, Cursor, utf16
from gromoxd.mapi.named import FIRST_NAMED, PropertyName
from gromoxd.mapi.proptags import INTERNAL
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue
from gromoxd.mapi.values import LAYOUTS, NOT_OF_THE_TYPE

MAX_VALUES: Final = 1 << 19
"""Attributes and values in a whole stream, those of multi-value properties counted one by one."""

_STRING, _STRING8, _BINARY, _OBJECT, _BOOLEAN, _NULL = (
    int(kind)
    for kind in (
        PropType.PtypString, PropType.PtypString8, PropType.PtypBinary, PropType.PtypObject, PropType.PtypBoolean,
        PropType.PtypNull,
    )
)  # fmt: skip
_FIXED: Final[dict[int, Struct]] = {
    int(kind): Struct(f"<{code}{-Struct('<' + code).size % 4}x") for kind, code in LAYOUTS.items()
} | {_BOOLEAN: Struct("<Hxx")}
"""Types of fixed size, filled up to four octets (PropertyScalarContent)."""
_VARIABLE: Final = frozenset((_STRING, _STRING8, _BINARY, _OBJECT))


class Budget:
    """What a stream may still make, the messages within it included."""

    __slots__ = ("values",)

    def __init__(self, values: int = MAX_VALUES) -> None:
        self.values = values

    def spend(self, cursor: Cursor, count: int) -> None:
        """WireError when there is no more."""
        self.values -= count
        if self.values < 0:
            raise cursor.fail("too many values")


class ListReader:
    """Reads property lists of one message."""

    __slots__ = ("budget", "code_page", "names", "objects")

    def __init__(self, names: ItemNames, budget: Budget) -> None:
        self.names = names
        self.budget = budget
        self.code_page = codepages.WESTERN
        """Of 8-bit strings, which become PtypString."""
        self.objects: dict[int, Cursor] = {}
        """PtypObject values of the list read last, unread, each beginning with its interface id."""

    def read(self, cursor: Cursor, bag: Bag) -> None:
        """A counted list into `bag`; WireError where it breaks off, what was before it is in the bag."""
        self.objects = {}
        for _ in range(cursor.count(cursor.u32(), 4)):
            self.budget.spend(cursor, 1)
            tag = cursor.u32()
            number: int | None = tag >> 16
            if tag >> 16 >= FIRST_NAMED:
                number = self.names.id_of(_read_name(cursor))
            kind = tag & 0xFFFF
            if kind == _OBJECT:
                self._object(cursor, number)
                continue
            value = self._value(cursor, kind)
            if number is None or value is None:
                continue
            if kind & ~MULTIPLE == _STRING8:
                kind ^= _STRING ^ _STRING8
                if number << 16 | kind in bag:
                    continue
            bag[number << 16 | kind] = value

    def _object(self, cursor: Cursor, number: int | None) -> None:
        for _ in range(cursor.count(cursor.u32(), 4)):
            region = _sized(cursor)
            if number is not None:
                self.objects[number << 16 | _OBJECT] = region

    def _value(self, cursor: Cursor, kind: int) -> PropValue:
        """None is no value: PtypNull, and a variable one of which there are none."""
        single = kind & ~MULTIPLE
        layout = _FIXED.get(single)
        if layout is not None:
            return self._fixed(cursor, layout, kind)
        if single == _NULL:
            return None
        if single not in _VARIABLE:
            raise cursor.fail(f"value of unknown type {kind:#06x}")
        count = cursor.count(cursor.u32(), 4)
        self.budget.spend(cursor, count)
        values: list[Any] = [self._variable(_sized(cursor), single) for _ in range(count)]
        if kind & MULTIPLE:
            return values
        return values[0] if values else None

    def _fixed(self, cursor: Cursor, layout: Struct, kind: int) -> PropValue:
        if not kind & MULTIPLE:
            value: PropValue = cursor.struct(layout)[0]
            return bool(value) if kind == _BOOLEAN else value
        count = cursor.count(cursor.u32(), layout.size)
        self.budget.spend(cursor, count)
        octets = cursor.take(count * layout.size)
        values: list[Any] = [value for (value,) in layout.iter_unpack(octets)]
        return values

    def _variable(self, region: Cursor, kind: int) -> str | bytes:
        octets = region.rest()
        if kind == _STRING:
            return octets.decode("utf-16-le", "replace").partition("\0")[0]
        if kind == _STRING8:
            return codepages.decode(octets.partition(b"\0")[0], self.code_page)
        return octets


def _sized(cursor: Cursor) -> Cursor:
    """A counted region (PropertyVariableContent); the padding behind the last one may be missing."""
    size = cursor.u32()
    region = cursor.region(size)
    cursor.at = min(cursor.at + -size % 4, cursor.end)
    return region


def _read_name(cursor: Cursor) -> PropertyName:
    """NamedPropSpec: the set, and a number or a string in UTF-16 with its size in octets."""
    guid, kind = cursor.guid(), cursor.u32()
    if kind == 0:
        return PropertyName(guid, cursor.u32())
    if kind != 1:
        raise cursor.fail(f"property name of kind {kind:#x}")
    return PropertyName(guid, _sized(cursor).rest().decode("utf-16-le", "replace").partition("\0")[0])


# Writing


class ObjectValue(NamedTuple):
    """A PtypObject: its interface id and its octets."""

    iid: bytes
    data: bytes


def encode_list(bag: Mapping[int, PropValue], names: ItemNames, data_object: ObjectValue | None = None) -> bytes:
    """A counted list of properties and, if there is one, the PidTagAttachDataObject.

    Properties of types that TNEF has not, with values that are none of their types, or named by nobody are left out,
    and so are the internal ones.
    """
    parts: list[bytes] = []
    for tag, value in bag.items():
        if tag not in INTERNAL:
            encoded = _encode(tag, value, names)
            if encoded is not None:
                parts.append(encoded)
    if data_object is not None:
        value_octets = _encode_sized(data_object.iid + data_object.data)
        parts.append(U32.pack(_DATA_OBJECT) + U32.pack(1) + value_octets)
    return U32.pack(len(parts)) + b"".join(parts)


_DATA_OBJECT: Final = 0x3701000D


def _encode(tag: int, value: PropValue, names: ItemNames) -> bytes | None:
    writer = _WRITERS.get(tag & 0xFFFF)
    if writer is None:
        return None
    try:
        octets = writer(value)
    except NOT_OF_THE_TYPE:
        return None
    if tag >> 16 < FIRST_NAMED:
        return U32.pack(tag) + octets
    name = names.name_of(tag >> 16)
    return None if name is None else U32.pack(tag) + _encode_name(name) + octets


def _encode_name(name: PropertyName) -> bytes:
    if isinstance(name.key, int):
        return name.guid + U32.pack(0) + U32.pack(name.key)
    return name.guid + U32.pack(1) + _encode_sized(utf16(name.key))


def _encode_sized(octets: bytes) -> bytes:
    return U32.pack(len(octets)) + octets + bytes(-len(octets) % 4)


def _string8(value: Any) -> bytes:
    return _encode_sized(value + b"\0")


def _binary(value: Any) -> bytes:
    return _encode_sized(value + b"")


def _string(value: Any) -> bytes:
    return _encode_sized(utf16(value))


def _single(one: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda value: _ONE + one(value)


def _several(one: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda values: U32.pack(len(values)) + b"".join([one(value) for value in values])


_ONE: Final = U32.pack(1)
_SIZED: Final = {_STRING: _string, _STRING8: _string8, _BINARY: _binary}
_WRITERS: Final[dict[int, Callable[[Any], bytes]]] = (
    {kind: layout.pack for kind, layout in _FIXED.items()}
    | {kind | MULTIPLE: _several(layout.pack) for kind, layout in _FIXED.items() if kind != _BOOLEAN}
    | {kind: _single(one) for kind, one in _SIZED.items()}
    | {kind | MULTIPLE: _several(one) for kind, one in _SIZED.items()}
)
