"""Tables that are small enough to be looked at row by row: folders, permissions, rules, attachments ([MS-OXCTABL]).

Pure; used by the store for its tables and by protocols for those of a message that a client is working on. Values are
cut as tables show them. Contents tables are `store.mapi.contents`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.mapi.compare import instances, sort_key
from gromoxd.mapi.evaluate import canonical, compile_restriction
from gromoxd.mapi.restrictions import decode_restriction
from gromoxd.mapi.sorting import SortOrder, SortOrderSet
from gromoxd.mapi.types import PropType
from gromoxd.mapi.values import MV_INSTANCE

LONGEST_TEXT: Final = 255
LONGEST_OCTETS: Final = 510
"""What a row shows of a value ([MS-OXCDATA] 2.8.2)."""
_WHOLE: Final = (int(PropType.PtypRestriction), int(PropType.PtypRuleAction))


class SmallRow(NamedTuple):
    """A row: its instance, and what has `get(tag)`."""

    instance: int
    num: int
    values: Any


def cut(value: Any) -> Any:
    """A value as a row shows it."""
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, bytes):
        return value[:LONGEST_OCTETS]
    return [cut(item) for item in value] if isinstance(value, list) else value


def arrange(rows: Sequence[SmallRow], restriction: bytes, sort: Sequence[tuple[int, int]]) -> list[SmallRow]:
    """The rows that match, in order; those that compare equal stay as they were.

    ecInvalidParam (restriction, sort order), ecTooComplex, ecNotSupported (categories are for contents).
    """
    chosen = list(rows)
    if restriction:
        try:
            matches = compile_restriction(decode_restriction(restriction))
        except WireError as error:
            raise MapiError(Ec.ecInvalidParam, f"restriction: {error}") from error
        chosen = [row for row in chosen if matches(row.values)]
    orders = SortOrderSet(tuple([SortOrder(*order) for order in sort]))
    orders.check()
    if orders.instance_tag is not None:
        chosen = [one for row in chosen for one in _instances(row, orders.instance_tag)]
    for order in reversed(orders.sort_orders):
        tag = canonical(order.tag)
        chosen.sort(key=lambda row, tag=tag: sort_key(tag & 0xFFFF, row.values.get(tag)), reverse=order.descending)  # type: ignore[misc]
    return chosen


class _Instance:
    """A row that shows one value of a multi-value property."""

    __slots__ = ("_tag", "_value", "_values")

    def __init__(self, values: Any, tag: int, value: Any) -> None:
        self._values, self._tag, self._value = values, tag, value

    def get(self, tag: int) -> Any:
        return self._value if tag == self._tag else self._values.get(tag)


def _instances(row: SmallRow, tag: int) -> list[SmallRow]:
    tag = canonical(tag)
    values = instances(row.values.get(tag & ~MV_INSTANCE))
    return [row._replace(num=num, values=_Instance(row.values, tag, value)) for num, value in enumerate(values)]


def line(row: SmallRow, columns: Sequence[int]) -> list[Any]:
    """The values of a row, None where it has none. Structures that say themselves where they end stay whole."""
    values = [row.values.get(canonical(tag)) for tag in columns]
    return [one if tag & 0xFFFF in _WHOLE else cut(one) for tag, one in zip(columns, values, strict=True)]


def find(
    rows: Sequence[SmallRow], restriction: bytes, position: int, backward: bool
) -> int:  # fmt: skip
    """The position of the first row from one on that matches, or, backward, before it; -1. ecInvalidParam."""
    try:
        matches = compile_restriction(decode_restriction(restriction)) if restriction else None
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, f"restriction: {error}") from error
    position = min(max(position, 0), len(rows))
    for at in range(position - 1, -1, -1) if backward else range(position, len(rows)):
        if matches is None or matches(rows[at].values):
            return at
    return -1
