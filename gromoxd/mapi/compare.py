"""Order, equality and conversion of property values, as tables, restrictions and requests for other types need them.

All values of a type have a total order: a property that is not there comes first, then NaN, then the values. Strings
are compared by `fold`, octets and GUIDs by their octets, lists item by item. Equality is that of the order, so that
sorting, categories, restrictions and the SQL made of them agree.
"""

from __future__ import annotations

import operator
import unicodedata
from collections.abc import Callable
from math import isnan
from typing import Any, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.mapi import codepages
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue
from gromoxd.mapi.values import MV_INSTANCE

SortKey = tuple[Any, ...]

MISSING: Final[SortKey] = (0,)
"""The key of a property that is not there."""


def fold(text: str) -> str:
    """The key under which strings sort and equal each other: case never matters, accents only between words that are
    the same without them ("Muller", "Müller", "Mullers").

    A string, so that a database can keep and index it; compared by code points. It is the loose form (full case
    folding, NFKD without combining marks, so that full-width letters and ligatures fall together) and, where that
    loses something, a U+0001, which sorts before all letters, and the NFC form of the folded text.
    """
    if text.isascii():
        return text.lower()
    folded = text.casefold()
    loose = "".join([c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c)])
    exact = unicodedata.normalize("NFC", folded)
    return loose if loose == exact else f"{loose}\x01{exact}"


def _text_key(value: str, _: int) -> SortKey:
    return (1, fold(value))


def _text8_key(value: bytes, code_page: int) -> SortKey:
    return (1, fold(codepages.decode(value, code_page)))


def _float_key(value: float, _: int) -> SortKey:
    return (1, 0, 0.0) if isnan(value) else (1, 1, value)


def _plain_key(value: Any, _: int) -> SortKey:
    return (1, value)


_KEYS: Final[dict[int, Callable[[Any, int], SortKey]]] = {
    PropType.PtypString: _text_key,
    PropType.PtypString8: _text8_key,
    PropType.PtypFloating32: _float_key,
    PropType.PtypFloating64: _float_key,
    PropType.PtypFloatingTime: _float_key,
}


def sort_key(kind: int, value: PropValue, code_page: int = codepages.WESTERN) -> SortKey:
    """What orders and identifies a value of type `kind` (MULTIPLE included) among others of that type; None is a
    property that is not there. `code_page` reads PtypString8."""
    if value is None:
        return MISSING
    key = _KEYS.get(kind & ~(MULTIPLE | MV_INSTANCE), _plain_key)
    if isinstance(value, list):
        return (1, tuple([key(item, code_page) for item in value]))
    return key(value, code_page)


_OPERATORS: Final[dict[int, Callable[[Any, Any], bool]]] = {
    0: operator.lt,
    1: operator.le,
    2: operator.gt,
    3: operator.ge,
    4: operator.eq,
    5: operator.ne,
}
"""RelOp, [MS-OXCDATA] 2.12.5.1: LT, LE, GT, GE, EQ, NE."""


def compare(relop: int, kind: int, a: PropValue, b: PropValue, code_page: int = codepages.WESTERN) -> bool:
    """Whether `a` relop `b`, both of type `kind`. A property that is not there equals only another such one and is
    neither less nor greater than a value. A list compared with one value does if one of its items does
    ([MS-OXCDATA] 2.12.5). MapiError(ecNotSupported) for other relations."""
    relation = _OPERATORS.get(relop)
    if relation is None:
        raise MapiError(Ec.ecNotSupported, f"relation {relop:#x}")
    if a is None or b is None:
        return (a is b) == (relop in (1, 3, 4)) and (a is b or relop == 5)
    if isinstance(a, list) and not isinstance(b, list):
        wanted = sort_key(kind, b, code_page)
        return any(relation(sort_key(kind, item, code_page), wanted) for item in a)
    return relation(sort_key(kind, a, code_page), sort_key(kind, b, code_page))


def instances(value: PropValue) -> list[PropValue]:
    """The values that a multi-value property shows in a column with MV_INSTANCE, a row each ([MS-OXCDATA] 2.11.1.3):
    one that is empty or not there shows once, without a value."""
    if not isinstance(value, list):
        return [value]
    return list(value) or [None]


# Conversion

_BITS: Final = {
    PropType.PtypInteger16: 16,
    PropType.PtypInteger32: 32,
    PropType.PtypInteger64: 64,
    PropType.PtypErrorCode: 32,
}
_FLOATS: Final = frozenset((PropType.PtypFloating32, PropType.PtypFloating64))
_STRINGS: Final = frozenset((PropType.PtypString, PropType.PtypString8))
_OCTETS: Final = frozenset((PropType.PtypBinary, PropType.PtypObject, PropType.PtypServerId))


def convertible(from_type: int, to_type: int) -> bool:
    """Whether `convert` knows how; single values of a multi-value type never become lists or the other way round."""
    one, other = from_type & ~MULTIPLE, to_type & ~MULTIPLE
    if from_type & MULTIPLE != to_type & MULTIPLE:
        return False
    return one == other or any({one, other} <= family for family in (_STRINGS, _BITS.keys(), _FLOATS, _OCTETS))


def convert(value: PropValue, from_type: int, to_type: int, code_page: int = codepages.WESTERN) -> PropValue:
    """A value in another type of its family: strings between Unicode and the code page, integers and floats of other
    widths, octets; each item of a list. PtypUnspecified takes it as it is.

    MapiError(ecInvalidParam) where the types have nothing to do with each other or the number does not fit.
    """
    if value is None or from_type == to_type or to_type == PropType.PtypUnspecified:
        return value
    if not convertible(from_type, to_type):
        raise MapiError(Ec.ecInvalidParam, f"type {from_type:#06x} asked for as {to_type:#06x}")
    if isinstance(value, list):
        one, other = from_type & ~MULTIPLE, to_type & ~MULTIPLE
        items: list[Any] = [_convert(item, one, other, code_page) for item in value]
        return items
    converted: PropValue = _convert(value, from_type, to_type, code_page)
    return converted


def _convert(value: Any, from_type: int, to_type: int, code_page: int) -> Any:
    if from_type == PropType.PtypString:
        return codepages.encode(value, code_page)
    if from_type == PropType.PtypString8:
        return codepages.decode(value, code_page)
    bits = _BITS.get(PropType(to_type))
    if bits is not None:
        return _integer(value, bits, to_type == PropType.PtypErrorCode)
    return value


def _integer(value: int, bits: int, unsigned: bool) -> int:
    """The number in another width; between a signed and an unsigned type of one width the bits stay."""
    if not -(1 << bits - 1) <= value < 1 << (bits if unsigned or bits == 32 else bits - 1):
        raise MapiError(Ec.ecInvalidParam, f"{value} in {bits} bits")
    if unsigned:
        return value & (1 << bits) - 1
    return value - (1 << bits) if value >= 1 << bits - 1 else value
