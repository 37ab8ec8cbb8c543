"""The calls on tables: each kind of table has its own way to its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import tables as t
from store.mapi import contents, finding, smalltables
from store.mapi.reading import Reading
from store.mapi.tabledef import parse_restriction

Read = Callable[[Reading, Any], Any]


def _find_row(reading: Reading, call: t.FindRow) -> t.Found:
    restriction = parse_restriction(call.restriction)
    return finding.find_row(reading, contents.opened(reading, call.table), restriction, call)


_KINDS: dict[int, dict[type[Any], Read]] = {
    t.CONTENTS: {
        t.QueryRows: contents.query_rows, t.FindRow: _find_row, t.LocateRow: contents.locate_row,
        t.QueryColumnsAll: contents.columns_all, t.ExpandRow: contents.expand_row,
        t.CollapseRow: contents.collapse_row,
    },
}  # fmt: skip
_SMALL: dict[type[Any], Read] = {
    t.QueryRows: smalltables.query_rows, t.FindRow: smalltables.find_row, t.LocateRow: smalltables.locate_row,
    t.QueryColumnsAll: smalltables.columns_all,
}  # fmt: skip
_KINDS |= dict.fromkeys(smalltables.SOURCES, _SMALL)


def _handle(reading: Reading, call: Any) -> Any:
    """Whatever a call asks of its kind of table. ecNotSupported, ecInvalidParam."""
    check_table(call.table, getattr(call, "columns", ()))
    if getattr(call, "count", 0) < 0 or getattr(call, "position", 0) < 0:
        raise MapiError(Ec.ecInvalidParam, "position or count")
    handler = _KINDS[call.table.kind].get(type(call))
    if handler is None:
        raise MapiError(Ec.ecNotSupported, type(call).__name__)
    return handler(reading, call)


def check_table(table: t.Table, columns: Sequence[int]) -> None:
    """ecInvalidParam for a kind of table that there is not, and too much of anything."""
    if table.kind not in _KINDS or len(table.toggled) > t.MOST_TOGGLED or not 0 <= table.fid < 1 << 48:
        raise MapiError(Ec.ecInvalidParam, "table")
    if len(columns) > t.MOST_COLUMNS or any(not 0 <= tag <= 0xFFFFFFFF for tag in columns):
        raise MapiError(Ec.ecInvalidParam, "columns")


def _is_long(reading: Reading, call: Any) -> bool:
    if call.table.kind != t.CONTENTS:
        return call.table.kind in smalltables.SOURCES and smalltables.is_long(reading, call.table)
    return (
        contents.is_long_search(reading, call.table)
        if isinstance(call, t.FindRow)
        else contents.is_long(reading, call.table)
    )


_CALLS: tuple[type[Any], ...] = (
    t.QueryRows, t.FindRow, t.LocateRow, t.QueryColumnsAll, t.ExpandRow, t.CollapseRow,
)  # fmt: skip
READS = dict.fromkeys(_CALLS, _handle)
LONG = dict.fromkeys(_CALLS, _is_long)
