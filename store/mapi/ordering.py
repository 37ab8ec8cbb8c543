"""Members of a contents table with their sort keys, read from the database, and their order made by SQL.

The database does the sorting (it does not hold the interpreter meanwhile): keys that are columns are sorted where they
are, others are first copied to a database in memory. A row is 8 octets, `ENTRY`: the message's id, and 16 bits of which
the lowest says whether it is unread and the others which value of a multi-value column it shows.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

import apsw

from gromoxd.exmdb.pages import SEEN
from gromoxd.mapi.compare import instances
from gromoxd.mapi.types import MULTIPLE
from gromoxd.mapi.values import MV_INSTANCE
from store.mapi.tabledef import EVERYWHERE, LISTED, SEARCH, UNLISTED, Definition, Term, rank, sql_value
from store.pace import Pace
from store.sql import row, rows

WIDTH = 8
ID_OCTETS = 6
MOST_INSTANCES = 0x7FFF
CHUNK = 256
Values = tuple[Any, ...]


class Properties(Protocol):
    """Reads properties of messages for keys and conditions."""

    def rows(self, mids: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """(mid, what has `get(tag)`) of those that exist, in any order."""
        ...


class Member(NamedTuple):
    """A row of the table: `values` are those of `Definition.terms`, `unread` 1 or 0."""

    mid: int
    num: int
    unread: int
    values: Values

    @property
    def entry(self) -> bytes:
        return entry(self.mid, self.num, self.unread)


def entry(mid: int, num: int = 0, unread: int = 0) -> bytes:
    """The 8 octets of a row."""
    return mid.to_bytes(ID_OCTETS, "big") + (num << 1 | unread).to_bytes(2, "big")


def split(octets: bytes | bytearray | memoryview) -> tuple[int, int, int]:
    """(mid, num, unread) of 8 octets."""
    tail = int.from_bytes(octets[ID_OCTETS:WIDTH], "big")
    return int.from_bytes(octets[:ID_OCTETS], "big"), tail >> 1, tail & 1


_FROM = {
    LISTED: ("messages m", "m.fid=?", "+m.fid=? AND m.mid IN carray(?)"),
    UNLISTED: ("unlisted m", "m.fid=? AND m.kind=?", "+m.fid=? AND +m.kind=? AND m.mid IN carray(?)"),
    SEARCH: ("search_results s CROSS JOIN messages m ON m.mid=s.mid", "s.fid=?", "s.fid=? AND s.mid IN carray(?)"),
    EVERYWHERE: ("messages m", "1", "m.mid IN carray(?)"),
}
"""Tables, the condition that gives all messages of the source, and the one for some of them: by their ids, not through
the whole folder."""
_PUBLIC_UNREAD = "NOT ifnull((SELECT x.read FROM read_states x WHERE x.member=? AND x.mid=m.mid), 0)"


class Ordering:
    """The rows of one definition as one connection sees them."""

    def __init__(self, definition: Definition, db: apsw.Connection, properties: Properties) -> None:
        self.definition = definition
        self.db = db
        self._properties = properties
        self._many = next((i for i, term in enumerate(definition.terms) if term.tag & MULTIPLE), -1)
        self._one = ""
        self._args: tuple[Any, ...] = ()
        self._known: dict[tuple[int, int], Values] = {}
        """Keys that were asked for: searches begin with the same rows."""
        self._cold = definition.rest is not None or any(term.sql is None for term in definition.terms)

    # ------------------------------------------------------------------------------------------ SQL

    def _select(self, columns: str, some: bool) -> tuple[str, tuple[Any, ...]]:
        """A query over the source, or (`some`) over messages in an array, which is the last of its parameters."""
        d = self.definition
        tables, whole, few = _FROM[d.source]
        chosen = few if some else whole
        args: tuple[Any, ...] = () if d.source == EVERYWHERE else (d.fid,)
        if d.source == UNLISTED:
            args += (d.kind,)
        join = " CROSS JOIN message_data d ON d.did = m.did" if d.data else ""
        return f"SELECT {columns} FROM {tables}{join} WHERE {chosen} AND {d.condition}", args

    def _unread(self) -> tuple[str, tuple[Any, ...]]:
        member = self.definition.member
        return (_PUBLIC_UNREAD, (member,)) if member else (f"NOT m.flags & {SEEN}", ())

    def _rows(self, some: array[int] | None = None) -> tuple[str, tuple[Any, ...]]:
        """A relation (mid, num, u, v0, v1, …) of the candidates; values that are not columns are NULL."""
        unread, before = self._unread()
        values = "".join([f", {term.sql or 'NULL'} AS v{i}" for i, term in enumerate(self.definition.terms)])
        sql, own = self._select(f"m.mid AS mid, 0 AS num, {unread} AS u{values}", some is not None)
        if some is not None:
            own += (apsw.carray(some),)
        return sql, (*before, *own, *self.definition.params)

    # ------------------------------------------------------------------------------------------ members

    def members(self, mids: Sequence[int]) -> list[Member]:
        """The rows of those messages that belong to the table now."""
        found: list[Member] = []
        for start in range(0, len(mids), CHUNK):
            listed = array("q", mids[start : start + CHUNK])
            sql, args = self._rows(listed)
            found += self._complete(self.db.execute(sql, args).fetchall())
        return found

    def values(self, mid: int, num: int) -> Values | None:
        """The keys of a row that is known to belong, None when its message is gone."""
        known = self._known.get((mid, num))
        if known is None:
            if self._cold or self._many >= 0:
                known = next((member.values for member in self.members((mid,)) if member.num == num), None)
            else:
                if not self._one:
                    self._one, self._args = self._select_one()
                known = row(self.db, self._one, (*self._args, mid, *self.definition.params))
            if known is not None:
                self._known[mid, num] = known
        return known

    def _select_one(self) -> tuple[str, tuple[Any, ...]]:
        """The keys of one message, whose id comes between these parameters and the condition's."""
        values = ", ".join([term.sql or "NULL" for term in self.definition.terms]) or "1"
        sql, args = self._select(values, True)
        return sql.replace("IN carray(?)", "= ?"), args

    def _complete(self, rows: list[Any]) -> list[Member]:
        """Candidates with the values that only properties have, without those that the rest of the condition refuses.

        Of a multi-value column each value makes a row.
        """
        if not self._cold and self._many < 0:
            return [Member(mid, num, u, tuple(values)) for mid, num, u, *values in rows]
        d = self.definition
        known = {row[0]: row for row in rows}
        found: list[Member] = []
        for mid, properties in self._properties.rows(list(known)):
            if d.rest is not None and not d.rest(properties):
                continue
            _, _, unread, *values = known[mid]
            for i, term in enumerate(d.terms):
                if term.sql is None and i != self._many:
                    values[i] = sql_value(properties.get(term.tag))
            if self._many < 0:
                found.append(Member(mid, 0, unread, tuple(values)))
                continue
            for num, value in enumerate(instances_of(properties, d.many)[:MOST_INSTANCES]):
                found.append(Member(mid, num, unread, self._with_instance(values, value)))
        return found

    def _with_instance(self, values: list[Any], value: Any) -> Values:
        one = sql_value(value)
        return tuple([one if term.tag & MULTIPLE else values[i] for i, term in enumerate(self.definition.terms)])

    # ------------------------------------------------------------------------------------------ the whole order

    def order(self) -> tuple[bytearray, list[Any]]:
        """All entries in order, and the groups: (values of the categories, rows, unread, extremum) in order."""
        if self._cold or self._many >= 0:
            scratch = self._copied()
            try:
                return self._sorted(scratch, "SELECT * FROM k", ())
            finally:
                scratch.close()
        return self._sorted(self.db, *self._rows())

    def first(self, limit: int) -> list[tuple[int, int]]:
        """(mid, num) of the first rows, without making the whole order; for a definition that is `hot`."""
        sql, args = self._rows()
        keys = order_by(self.definition.leaf, self._leaf_at, self.definition.tie_descending)
        return rows(self.db, f"SELECT mid, num FROM ({sql}) ORDER BY {keys} LIMIT ?", (*args, limit))

    @property
    def _leaf_at(self) -> int:
        return len(self.definition.terms) - len(self.definition.leaf)

    def _sorted(self, db: apsw.Connection, rows: str, args: tuple[Any, ...]) -> tuple[bytearray, list[Any]]:
        d = self.definition
        leaf = order_by(d.leaf, self._leaf_at, d.tie_descending)
        if not d.categories:
            return _packed(db, f"SELECT mid, num, u FROM ({rows}) ORDER BY {leaf}", args), []
        names = ", ".join([f"v{i}" for i in range(len(d.categories))])
        extremum, keys = self._group_order()
        inner = f"SELECT *, {extremum.format(f' OVER (PARTITION BY {names})')} AS e FROM ({rows})"
        entries = _packed(db, f"SELECT mid, num, u FROM ({inner}) ORDER BY {keys}, {leaf}", args)
        grouped = f"SELECT {names}, count(*), total(u), {extremum.format('')} AS e FROM ({rows}) GROUP BY {names}"
        groups: list[Any] = []
        cursor, pace = db.execute(f"{grouped} ORDER BY {keys}", args), Pace()
        while found := list(islice(cursor, CHUNK)):
            groups += [(tuple(row[:-3]), row[-3], int(row[-2]), row[-1]) for row in found]
            pace.step()
        return entries, groups

    def _group_order(self) -> tuple[str, str]:
        """The extremum as an expression with a place for OVER, and the order of groups."""
        categories = self.definition.categories
        extremum = "NULL"
        keys: list[str] = []
        for i, category in enumerate(categories):
            direction = " DESC" if category.term.descending else ""
            if category.extremum is not None:
                extremum = f"{'max' if category.highest else 'min'}(v{len(categories)}){{}}"
                keys.append("e" + direction)
            keys.append(f"v{i}{direction}")
        return extremum, ", ".join(keys)

    def _copied(self) -> apsw.Connection:
        """A database in memory with a table `k` of all members and their values."""
        pace = Pace()
        scratch = apsw.Connection(":memory:", statementcachesize=4)
        width = 3 + len(self.definition.terms)
        names = "".join([f", v{i}" for i in range(width - 3)])
        scratch.execute(f"CREATE TABLE k (mid, num, u{names})")
        insert = f"INSERT INTO k VALUES ({', '.join('?' * width)})"
        sql, args = self._rows()
        cursor = self.db.execute(sql, args)
        with scratch:
            while rows := list(islice(cursor, CHUNK)):
                members = self._complete(rows)
                scratch.executemany(insert, [(m.mid, m.num, m.unread, *m.values) for m in members])
                pace.step()
        return scratch


def _packed(db: apsw.Connection, relation: str, args: tuple[Any, ...]) -> bytearray:
    """The entries of rows (mid, num, u) in their order; put together without an object for each."""
    sql = f"SELECT group_concat(printf('%012x%04x', mid, num << 1 | u), '') FROM ({relation})"
    text: str | None = row(db, sql, args)[0]
    return bytearray.fromhex(text) if text else bytearray()


def order_by(terms: Sequence[Term], at: int, tie_descending: bool) -> str:
    """ORDER BY of the leaves, whose values start with `v<at>`."""
    keys = [f"v{at + i}{' DESC' if term.descending else ''}" for i, term in enumerate(terms)]
    return ", ".join([*keys, "mid DESC" if tie_descending else "mid", "num"])


def instances_of(properties: Any, tag: int) -> list[Any]:
    """The values that a multi-value column shows, a row each."""
    return instances(properties.get(tag & ~MV_INSTANCE))


def before(a: Member, b: Member, terms: Sequence[Term], at: int, tie_descending: bool) -> bool:
    """Whether leaf `a` stands before leaf `b`, as `order_by` has it."""
    for i, term in enumerate(terms):
        one, other = rank(a.values[at + i]), rank(b.values[at + i])
        if one != other:
            return (other < one) if term.descending else (one < other)
    if a.mid != b.mid:
        return a.mid > b.mid if tie_descending else a.mid < b.mid
    return a.num < b.num
