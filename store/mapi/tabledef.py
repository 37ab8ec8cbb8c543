"""What a contents table asks for, worked out once: which messages, the condition, the groups, the order.

Sort keys are SQL expressions where columns hold them, otherwise values of the messages' properties. Either way they
compare as SQLite compares: an absent value first, numbers, texts by code points of `fold`, octets by their octets, so
that an order may be made by SQL and kept up to date by comparing keys in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import tables as t
from gromoxd.mapi.compare import fold
from gromoxd.mapi.evaluate import canonical, compile_restriction
from gromoxd.mapi.restrictions import Restriction, decode_restriction
from gromoxd.mapi.sorting import Order, SortOrder, SortOrderSet
from gromoxd.mapi.sqlrestriction import to_sql
from gromoxd.mapi.types import MULTIPLE, PropType
from gromoxd.mapi.values import MV_INSTANCE
from store.mapi import rows as r
from store.mapi.hot import COLUMNS, SORT_KEYS, candidates

LISTED, UNLISTED, SEARCH, EVERYWHERE = 1, 2, 3, 4
"""`Definition.source`: a folder's messages; its associated or deleted ones; those that a search found; all folders'."""
_UNSORTABLE = frozenset((PropType.PtypObject, PropType.PtypRestriction, PropType.PtypRuleAction, PropType.PtypNull))
_KNOWN = frozenset(PropType)
LARGEST_RESTRICTION = 1 << 20


class Term(NamedTuple):
    """One sort key. `sql` None: the value comes from the message's properties."""

    tag: int
    descending: bool
    sql: str | None


class Category(NamedTuple):
    """A level of groups: by what, and by which value in it the groups are ordered, if not by their own."""

    term: Term
    extremum: Term | None
    highest: bool


@dataclass(slots=True, frozen=True)
class Definition:
    """See the module. `rest` is what the condition leaves to be asked of the properties; `many` the multi-value column
    that makes a row for each of its values. `member`: whose read states count, '' for the messages' own."""

    key: bytes
    fid: int
    source: int
    kind: int
    condition: str
    params: tuple[Any, ...]
    rest: Callable[[Any], bool] | None
    categories: tuple[Category, ...]
    leaf: tuple[Term, ...]
    many: int
    data: bool
    member: str = ""
    terms: tuple[Term, ...] = field(default=())
    """All sort keys: those of the categories, their extrema, the leaves'."""

    @property
    def plain(self) -> bool:
        """Whether it has a row for each message of a folder, and no others."""
        whole = self.condition == "1" and self.rest is None
        return whole and not self.categories and not self.many and self.source in (LISTED, SEARCH)

    @property
    def hot(self) -> bool:
        """Whether SQL alone gives members and order."""
        return self.rest is None and not self.many and all(term.sql is not None for term in self.terms)

    @property
    def tie_descending(self) -> bool:
        """Rows that compare equal are in the order of their ids, in the direction of the first key."""
        return bool(self.leaf) and self.leaf[0].descending


def define(table: t.Table, search: bool, member: str = "") -> Definition:
    """The definition of a contents table; `search`: the folder is a search folder. ecInvalidParam, ecTooComplex."""
    return _define(table.fid, table.flags, table.restriction, tuple(table.sort), table.categories, search, member)


@lru_cache(maxsize=256)
def _define(
    fid: int, flags: int, restriction: bytes, sort: tuple[tuple[int, int], ...], count: int, search: bool, member: str
) -> Definition:
    orders = SortOrderSet(tuple([SortOrder(*order) for order in sort]), count)
    orders.check()
    source, kind = _source(flags, search)
    condition, params, rest = condition_of(restriction, bool(member))
    categories, leaf = _order(orders)
    many = canonical(orders.instance_tag or 0)
    terms = tuple(
        [category.term for category in categories]
        + [category.extremum for category in categories if category.extremum is not None]
        + list(leaf)
    )
    data = "d." in condition or any(term.sql is not None and "d." in term.sql for term in terms)
    key = msgspec.msgpack.encode((fid, source, kind, restriction, sort, count, member))
    return Definition(
        key, fid, source, kind, condition, tuple(params), rest, categories, leaf, many, data, member, terms
    )  # fmt: skip


def _source(flags: int, search: bool) -> tuple[int, int]:
    """The source and, for unlisted messages, their kind."""
    if flags & t.CONVERSATION_MEMBERS:
        return EVERYWHERE, r.LISTED
    if flags & t.SOFT_DELETED:
        return UNLISTED, r.DELETED_ASSOCIATED if flags & t.ASSOCIATED else r.DELETED
    if flags & t.ASSOCIATED:
        return UNLISTED, r.ASSOCIATED
    return SEARCH if search else LISTED, r.LISTED


def parse_restriction(data: bytes) -> Restriction | None:
    """The restriction of a table, None for none. ecInvalidParam, ecTooComplex."""
    if not data:
        return None
    if len(data) > LARGEST_RESTRICTION:
        raise MapiError(Ec.ecTooComplex, "restriction")
    try:
        return decode_restriction(data)
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, f"restriction: {error}") from error


def condition_of(data: bytes, public: bool) -> tuple[str, list[Any], Callable[[Any], bool] | None]:
    """(SQL condition, its parameters, what is left to be asked of properties) of a restriction, b'' for none."""
    restriction = parse_restriction(data)
    if restriction is None:
        return "1", [], None
    sql, params, rest = to_sql(restriction, COLUMNS)
    if rest is None:
        return sql, params, None
    more, values = candidates(rest, public)
    if more != "1":
        sql, params = f"({sql} AND {more})", [*params, *values]
    return sql, params, compile_restriction(rest)


def _term(tag: int, descending: bool) -> Term:
    tag = canonical(tag)
    kind = tag & 0xFFFF
    single = kind & ~(MULTIPLE | MV_INSTANCE)
    if not 0 <= tag <= 0xFFFFFFFF or single not in _KNOWN or single in _UNSORTABLE or not single:
        raise MapiError(Ec.ecInvalidParam, f"sort by {tag:#010x}")
    return Term(tag, descending, SORT_KEYS.get(tag))


def _order(orders: SortOrderSet) -> tuple[tuple[Category, ...], tuple[Term, ...]]:
    """The levels of groups, and the keys of the rows in one group."""
    categories = []
    for key, aggregate in orders.categories:
        extremum = _term(aggregate.tag, False) if aggregate is not None else None
        highest = aggregate is not None and aggregate.order == Order.MAXIMUM_CATEGORY
        categories.append(Category(_term(key.tag, key.descending), extremum, highest))
    return tuple(categories), tuple([_term(order.tag, order.descending) for order in orders.row_keys])


def sql_value(value: Any) -> Any:
    """A property's value as SQLite compares it; None for what cannot be compared."""
    if isinstance(value, str):
        return fold(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return value if value == value else float("-inf")
    return value if isinstance(value, int | bytes) else None


def rank(value: Any) -> tuple[Any, ...]:
    """What compares in Python as the value does in SQLite, among values of one property."""
    return (0,) if value is None else (1, value)
