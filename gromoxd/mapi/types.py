"""Property types ([MS-OXCDATA] 2.11.1) and what a value of each is in Python."""

from __future__ import annotations

from enum import IntEnum

MULTIPLE = 0x1000
"""Set in the type of a multi-value property, whose value is a list."""


class PropType(IntEnum):
    """[MS-OXCDATA] 2.11.1. Multi-value types have MULTIPLE set beside these."""

    PtypUnspecified = 0x0000
    PtypNull = 0x0001
    PtypInteger16 = 0x0002
    PtypInteger32 = 0x0003
    PtypFloating32 = 0x0004
    PtypFloating64 = 0x0005
    PtypCurrency = 0x0006
    PtypFloatingTime = 0x0007
    PtypErrorCode = 0x000A
    PtypBoolean = 0x000B
    PtypObject = 0x000D
    PtypInteger64 = 0x0014
    PtypString8 = 0x001E
    PtypString = 0x001F
    PtypTime = 0x0040
    PtypGuid = 0x0048
    PtypServerId = 0x00FB
    PtypRestriction = 0x00FD
    PtypRuleAction = 0x00FE
    PtypBinary = 0x0102


PropValue = None | bool | int | float | str | bytes | list[int] | list[float] | list[str] | list[bytes]
"""PtypTime is an int (FILETIME, 100 ns), PtypCurrency the scaled int, PtypGuid its 16 octets, PtypInteger32 signed."""

PYTHON: dict[int, type | tuple[type, ...]] = {
    PropType.PtypNull: type(None),
    PropType.PtypInteger16: int,
    PropType.PtypInteger32: int,
    PropType.PtypFloating32: float,
    PropType.PtypFloating64: float,
    PropType.PtypCurrency: int,
    PropType.PtypFloatingTime: float,
    PropType.PtypErrorCode: int,
    PropType.PtypBoolean: bool,
    PropType.PtypObject: bytes,
    PropType.PtypInteger64: int,
    PropType.PtypString8: bytes,
    PropType.PtypString: str,
    PropType.PtypTime: int,
    PropType.PtypGuid: bytes,
    PropType.PtypServerId: bytes,
    PropType.PtypRestriction: bytes,
    PropType.PtypRuleAction: bytes,
    PropType.PtypBinary: bytes,
}


def prop_id(tag: int) -> int:
    """The upper half of a property tag ([MS-OXCDATA] 2.9)."""
    return tag >> 16


def prop_type(tag: int) -> int:
    """The lower half of a property tag, MULTIPLE included."""
    return tag & 0xFFFF


def fits(tag: int, value: object) -> bool:
    """Whether a value is one of the tag's type; values of unknown types always are."""
    kind = prop_type(tag)
    python = PYTHON.get(kind & ~MULTIPLE)
    if python is None:
        return True
    if not kind & MULTIPLE:
        return _fits_one(python, value)
    return isinstance(value, list) and all(_fits_one(python, item) for item in value)


def _fits_one(python: type | tuple[type, ...], value: object) -> bool:
    return isinstance(value, python) and (python is bool or not isinstance(value, bool))
