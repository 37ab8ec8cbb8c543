"""Property values as that database has them: SQLite's own types for single ones, octets for lists.

A list is a 32-bit count and its values: numbers in their width, strings in UTF-8 with a NUL after each, octets with a
length of 32 or (in older stores) 16 bits before each.
"""

from __future__ import annotations

from struct import Struct, error, unpack_from
from typing import Any
from uuid import UUID

from gromoxd.errors import WireError
from gromoxd.mapi.named import PropertyName
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue
from gromoxd.mapi.values import LAYOUTS

_U32, _U16 = Struct("<I"), Struct("<H")
_NUMBERS = {kind: code for kind, code in LAYOUTS.items() if kind not in (PropType.PtypErrorCode, PropType.PtypGuid)}
"""How the values of a list are packed."""
_INTEGERS: frozenset[int] = frozenset((
    PropType.PtypInteger16, PropType.PtypInteger32, PropType.PtypInteger64, PropType.PtypCurrency, PropType.PtypTime,
    PropType.PtypErrorCode,
))  # fmt: skip
_FLOATS: frozenset[int] = frozenset((PropType.PtypFloating32, PropType.PtypFloating64, PropType.PtypFloatingTime))
_TEXTS: frozenset[int] = frozenset((PropType.PtypString, PropType.PtypString8))
_WIDTHS: dict[int, int] = {PropType.PtypInteger16: 16, PropType.PtypInteger32: 32, PropType.PtypErrorCode: 32}


def value_of(kind: int, stored: Any) -> PropValue:
    """A value of a property type. WireError for what cannot be one."""
    try:
        return _value(kind, stored)
    except (error, TypeError, ValueError, UnicodeError) as problem:
        raise WireError(f"value of type {kind:#06x}") from problem


def _value(kind: int, stored: Any) -> PropValue:
    if kind == PropType.PtypBoolean:
        return bool(int(stored))
    if kind in _INTEGERS:
        number = int(stored)
        bits = _WIDTHS.get(kind, 64)
        return (number + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
    if kind in _FLOATS:
        return float(stored)
    if kind in _TEXTS:
        return text_of(stored)
    if kind == PropType.PtypGuid:
        octets = _octets(stored)
        if len(octets) != 16:
            raise ValueError("GUID")
        return octets
    if kind & MULTIPLE:
        return _list(kind & ~MULTIPLE, _octets(stored))
    return _octets(stored)


def text_of(stored: Any) -> str:
    """Text, as TEXT or as octets."""
    text = stored if isinstance(stored, str) else _octets(stored).decode("utf-8", "replace")
    return text.rstrip("\0")


def _octets(stored: Any) -> bytes:
    if isinstance(stored, str):
        return stored.encode("utf-8", "surrogateescape")
    if not isinstance(stored, bytes):
        raise TypeError("octets")
    return stored


def _list(kind: int, data: bytes) -> PropValue:
    (count,) = _U32.unpack_from(data)
    if count > len(data):
        raise ValueError("count")
    letter = _NUMBERS.get(kind)
    if letter is not None:
        return list(unpack_from(f"<{count}{letter}", data, 4))
    if kind == PropType.PtypGuid:
        if 4 + 16 * count > len(data):
            raise ValueError("GUIDs")
        return [data[4 + 16 * n : 20 + 16 * n] for n in range(count)]
    if kind in _TEXTS:
        parts = data[4:].split(b"\0")
        if len(parts) < count:
            raise ValueError("strings")
        return [part.decode("utf-8", "replace") for part in parts[:count]]
    for width in (_U32, _U16):
        found = _binaries(data, count, width)
        if found is not None:
            return found
    raise ValueError("list of octets")


def _binaries(data: bytes, count: int, width: Struct) -> list[bytes] | None:
    """None when the lengths do not come out even."""
    at, found = 4, []
    for _ in range(count):
        if at + width.size > len(data):
            return None
        (length,) = width.unpack_from(data, at)
        at += width.size
        found.append(data[at : at + length])
        at += length
    return found if at == len(data) else None


def name_of(text: str) -> PropertyName | None:
    """A property name of the form `GUID=…,LID=…` or `GUID=…,NAME=…`; None for another form."""
    guid, _, key = text.partition(",")
    try:
        octets = UUID(guid.upper().removeprefix("GUID=")).bytes_le
    except ValueError:
        return None
    what, _, value = key.partition("=")
    if what.upper() == "LID" and value.isascii() and value.isdigit() and int(value) <= 0xFFFFFFFF:
        return PropertyName(octets, int(value))
    if what.upper() == "NAME" and value:
        return PropertyName(octets, value)
    return None
