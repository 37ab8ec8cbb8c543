"""The calls on tables: each kind of table has its own way to its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import tables as t
from store.mapi import contents, smalltables
from store.mapi.reading import Reading

Read = Callable[[Reading, Any], Any]
_KINDS: dict[int, dict[type[Any], Read]] = {
    t.CONTENTS: {
        t.QueryRows: contents.query_rows, t.FindRow: contents.find_row, t.LocateRow: contents.locate_row,
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
    table: t.Table = call.table
    handlers = _KINDS.get(table.kind)
    if handlers is None or len(table.toggled) > t.MOST_TOGGLED:
        raise MapiError(Ec.ecInvalidParam, "table")
    columns = getattr(call, "columns", ())
    if len(columns) > t.MOST_COLUMNS or any(not 0 <= tag <= 0xFFFFFFFF for tag in columns):
        raise MapiError(Ec.ecInvalidParam, "columns")
    if getattr(call, "count", 0) < 0:
        raise MapiError(Ec.ecInvalidParam, "count")
    handler = handlers.get(type(call))
    if handler is None:
        raise MapiError(Ec.ecNotSupported, type(call).__name__)
    return handler(reading, call)


def _is_long(reading: Reading, call: Any) -> bool:
    if call.table.kind != t.CONTENTS:
        return call.table.kind in smalltables.SOURCES and smalltables.is_long(reading, call.table)
    return (
        contents.is_long_search(reading, call) if isinstance(call, t.FindRow) else contents.is_long(reading, call.table)
    )


_CALLS: tuple[type[Any], ...] = (
    t.QueryRows, t.FindRow, t.LocateRow, t.QueryColumnsAll, t.ExpandRow, t.CollapseRow,
)  # fmt: skip
READS = dict.fromkeys(_CALLS, _handle)
LONG = dict.fromkeys(_CALLS, _is_long)
