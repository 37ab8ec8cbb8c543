"""Sort orders of tables, with categories ([MS-OXCDATA] 2.13, [MS-OXCTABL] 2.2.2.3)."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from gromoxd.errors import Ec, MapiError
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.types import MULTIPLE
from gromoxd.mapi.values import MV_INSTANCE

MOST_KEYS: Final = 32
"""Columns that a table sorts by at most."""


class Order(IntEnum):
    """[MS-OXCDATA] 2.13.1. MINIMUM_CATEGORY is MAPI's TABLE_SORT_CATEG_MIN, which the document does not have."""

    ASCENDING = 0x00
    DESCENDING = 0x01
    MAXIMUM_CATEGORY = 0x04
    MINIMUM_CATEGORY = 0x08


_AGGREGATES: Final = (Order.MAXIMUM_CATEGORY, Order.MINIMUM_CATEGORY)
_ORDERS: Final = frozenset(Order)
_SORT_ORDER = Struct("<IB")
_COUNTS = Struct("<HHH")


class SortOrder(NamedTuple):
    """SortOrder, [MS-OXCDATA] 2.13.1: a column and its direction. With MV_INSTANCE in the tag: a row for each value."""

    tag: int
    order: int = Order.ASCENDING

    @property
    def descending(self) -> bool:
        """Whether greater values come first. Groups that an aggregate orders keep their category's direction."""
        return self.order == Order.DESCENDING

    @property
    def aggregate(self) -> bool:
        """Whether it orders groups by their greatest or least value instead of rows by theirs."""
        return self.order in _AGGREGATES

    @property
    def instances(self) -> bool:
        """Whether a multi-value property gives a row for each value here."""
        return bool(self.tag & MV_INSTANCE)

    @classmethod
    def read(cls, cursor: Cursor) -> SortOrder:
        return cls(*cursor.struct(_SORT_ORDER))

    @classmethod
    def decode(cls, data: bytes) -> SortOrder:
        cursor = Cursor(data)
        value = cls.read(cursor)
        cursor.finish()
        return value

    def encode(self) -> bytes:
        return _SORT_ORDER.pack(self.tag, self.order)


class Category(NamedTuple):
    """One level of groups: what makes them, and what orders them when it is not that (`aggregate`)."""

    key: SortOrder
    aggregate: SortOrder | None = None


class SortOrderSet(NamedTuple):
    """SortOrderSet, [MS-OXCDATA] 2.13.2; RopSortTable has the same fields in this order ([MS-OXCROPS] 2.2.5.2.1).

    The first `categorized_count` orders group the rows, the first `expanded_count` levels of groups start expanded.
    """

    sort_orders: tuple[SortOrder, ...] = ()
    categorized_count: int = 0
    expanded_count: int = 0

    @classmethod
    def read(cls, cursor: Cursor) -> SortOrderSet:
        count, categorized, expanded = cursor.struct(_COUNTS)
        orders = tuple([SortOrder.read(cursor) for _ in range(cursor.count(count, _SORT_ORDER.size))])
        return cls(orders, categorized, expanded)

    @classmethod
    def decode(cls, data: bytes) -> SortOrderSet:
        cursor = Cursor(data)
        value = cls.read(cursor)
        cursor.finish()
        return value

    def encode(self) -> bytes:
        head = _COUNTS.pack(len(self.sort_orders), self.categorized_count, self.expanded_count)
        return head + b"".join([order.encode() for order in self.sort_orders])

    @property
    def aggregate(self) -> SortOrder | None:
        """The order that sorts the groups of the last category by a value of their rows; it follows that category,
        counted among the categories or not."""
        return next((order for order in self.sort_orders if order.aggregate), None)

    @property
    def categories(self) -> tuple[Category, ...]:
        """The levels of groups, outermost first."""
        levels = [Category(key) for key in self.sort_orders[: self.categorized_count] if not key.aggregate]
        if levels:
            levels[-1] = Category(levels[-1].key, self.aggregate)
        return tuple(levels)

    @property
    def row_keys(self) -> tuple[SortOrder, ...]:
        """What orders the rows of one group, or all rows when there are none."""
        return tuple([order for order in self.sort_orders[self.categorized_count :] if not order.aggregate])

    @property
    def instance_tag(self) -> int | None:
        """The multi-value column that gives a row for each value, if any."""
        return next((order.tag for order in self.sort_orders if order.instances), None)

    @property
    def _last_places(self) -> tuple[int, ...]:
        """Where an aggregate may stand: behind the last category, itself counted as one or not, and never first."""
        last = self.categorized_count
        return tuple([place for place in (last - 1, last) if place > 0])

    def check(self) -> None:
        """MapiError(ecInvalidParam) for what the documents forbid, ecTooComplex for more than MOST_KEYS columns.

        A column at most once; counts within each other; one multi-value column at most, and that with MV_INSTANCE
        ([MS-OXCDATA] 2.13.1, 2.13.2); an aggregate only behind the categories.
        """
        orders = self.sort_orders
        if not self.expanded_count <= self.categorized_count <= len(orders):
            raise MapiError(Ec.ecInvalidParam, "counts of categories")
        if len({order.tag for order in orders}) < len(orders):
            raise MapiError(Ec.ecInvalidParam, "sort column twice")
        for order in orders:
            if order.order not in _ORDERS:
                raise MapiError(Ec.ecInvalidParam, f"sort order {order.order:#x}")
            if bool(order.tag & MULTIPLE) != order.instances:
                raise MapiError(Ec.ecInvalidParam, f"multi-value sort column {order.tag:#010x}")
        aggregates = [place for place, order in enumerate(orders) if order.aggregate]
        if aggregates and (aggregates[0] not in self._last_places or len(aggregates) > 1):
            raise MapiError(Ec.ecInvalidParam, "aggregated column that does not follow the categories")
        if sum(order.instances for order in orders) > 1:
            raise MapiError(Ec.ecInvalidParam, "two multi-value sort columns")
        if len(orders) > MOST_KEYS:
            raise MapiError(Ec.ecTooComplex, f"{len(orders)} sort columns")
