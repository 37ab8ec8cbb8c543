"""FindRow of contents tables ([MS-OXCTABL] 2.2.2.14): rows are looked at in their order, as few as may be.

What columns tell of a restriction is asked of many rows at once; properties are read only of rows that pass. A row that
is named by its ids is not searched for at all.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import apsw

from gromoxd.errors import WireError
from gromoxd.exmdb import tables as t
from gromoxd.mapi.entryids import MessageEntryId
from gromoxd.mapi.evaluate import compile_restriction
from gromoxd.mapi.ids import eid_split
from gromoxd.mapi.proptags import PidTagEntryId, PidTagInstanceKey, PidTagInstID, PidTagMid
from gromoxd.mapi.restrictions import Property, RelOp, Restriction
from gromoxd.mapi.sqlrestriction import to_sql
from gromoxd.mapi.tables import RowType
from store.mapi.contents import Opened
from store.mapi.hot import COLUMNS, candidates
from store.mapi.reading import Reading
from store.mapi.tabledef import UNLISTED
from store.mapi.views import Shown, position_of, shown
from store.pace import Pace

FIRST_PIECE, LARGEST_PIECE = 64, 4096


def find(reading: Reading, table: Opened, restriction: Restriction | None, position: int, backward: bool) -> int:
    """The position of the first row from one on that matches, or, backward, before it; -1."""
    steps = range(position - 1, -1, -1) if backward else range(position, table.total)
    named = _named(reading, restriction)
    if named is not None:
        leaf = table.view.find_instance(*named)
        at, visible = position_of(table.view, table.layout, leaf) if leaf >= 0 else (-1, False)
        return at if visible and at in steps else -1
    scan = _Scan(reading, table, restriction)
    size = FIRST_PIECE
    while steps:
        at = scan.piece(steps[:size])
        if at >= 0:
            return at
        steps, size = steps[size:], min(size * 4, LARGEST_PIECE)
    return -1


def _named(reading: Reading, restriction: Restriction | None) -> tuple[int, int] | None:
    """The row that a restriction names by an id."""
    if not isinstance(restriction, Property) or restriction.rel_op != RelOp.EQ or restriction.value_tag:
        return None
    named = _NAMES.get(restriction.tag)
    try:
        if restriction.tag == PidTagEntryId:
            message = MessageEntryId.decode(restriction.value).message  # type: ignore[arg-type]
            return (message.counter, 0) if message.guid == reading.box.identity.guid else (0, 0)
        return None if named is None else named(restriction.value)
    except (WireError, TypeError):
        return None


def _by_eid(value: Any) -> tuple[int, int]:
    replid, counter = eid_split(value)
    return (counter, 0) if replid == 1 else (0, 0)


def _by_key(value: Any) -> tuple[int, int]:
    if len(value) != 12:
        return 0, 0
    mid = int.from_bytes(value[:8], "big")
    return (mid, int.from_bytes(value[8:], "big")) if mid < 1 << 48 else (0, 0)


_NAMES: dict[int, Callable[[Any], tuple[int, int]]] = {
    PidTagMid: _by_eid,
    PidTagInstID: _by_eid,
    PidTagInstanceKey: _by_key,
}


class _Scan:
    """Looks at pieces of a table."""

    def __init__(self, reading: Reading, table: Opened, restriction: Restriction | None) -> None:
        self._db = reading.reader.db
        self._table = table
        self._pace = Pace()
        self._sql = "1"
        self._params: list[Any] = []
        self._matches: Callable[[Any], bool] | None = None
        if restriction is not None:
            self._sql, self._params, rest = to_sql(restriction, COLUMNS)
            if rest is not None:
                self._matches = compile_restriction(rest)
                more, values = candidates(rest, bool(table.definition.member))
                self._sql, self._params = f"({self._sql} AND {more})", [*self._params, *values]

    def piece(self, steps: Sequence[int]) -> int:
        """The first of these positions whose row matches, -1."""
        low = min(steps)
        wanted = shown(self._table.view, self._table.layout, low, max(steps) + 1)
        leaves = [one.instance[0] for one in wanted if one.kind == RowType.TBL_LEAF_ROW]
        passed = set(leaves) if self._sql == "1" else self._candidates(leaves)
        for at in range(0, len(steps), FIRST_PIECE):
            some = [(place, wanted[place - low]) for place in steps[at : at + FIRST_PIECE] if place - low < len(wanted)]
            found = self._first([(place, one) for place, one in some if _is_leaf(one) and one.instance[0] in passed])
            if found >= 0:
                return found
        return -1

    def _candidates(self, mids: list[int]) -> set[int]:
        if not mids:
            return set()
        source = "unlisted" if self._table.definition.source == UNLISTED else "messages"
        sql = f"SELECT m.mid FROM {source} m CROSS JOIN message_data d ON d.did = m.did WHERE m.mid IN carray(?) AND "
        args = (apsw.carray(array("q", mids)), *self._params)
        return {mid for (mid,) in self._db.execute(sql + self._sql, args)}

    def _first(self, some: list[tuple[int, Shown]]) -> int:
        if self._matches is None or not some:
            return some[0][0] if some else -1
        properties = dict(self._table.messages.rows([one.instance[0] for _, one in some]))
        for place, one in some:
            self._pace.step()
            source = properties.get(one.instance[0])
            if source is not None and self._matches(self._table.messages.instance(self._table.definition, one, source)):
                return place
        return -1


def _is_leaf(one: Shown) -> bool:
    return one.kind == RowType.TBL_LEAF_ROW


def find_row(reading: Reading, table: Opened, restriction: Restriction | None, call: t.FindRow) -> t.Found:
    """tables.FindRow of an opened table."""
    position = min(max(call.position, 0), table.total)
    at = find(reading, table, restriction, position, call.backward)
    if at < 0:
        return t.Found(0 if call.backward else table.total, table.total, None)
    wanted = shown(table.view, table.layout, at, at + 1)
    lines = table.messages.lines(table.definition, wanted, call.columns, table.view, table.layout)
    return t.Found(at, table.total, lines[0])
