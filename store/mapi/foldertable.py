"""Hierarchy tables: the folders below one, as far as the actor sees them ([MS-OXCFOLD] 2.2.1.13, 3.2.5.14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import tables as t
from gromoxd.mapi.proptags import (
    INTERNAL,
    PidTagDepth,
    PidTagInstanceKey,
    PidTagInstanceNum,
    PidTagInstID,
    PidTagRowType,
)
from gromoxd.mapi.smalltable import SmallRow
from gromoxd.mapi.tables import RowType
from store.mapi import foldertags
from store.mapi.folderprops import VALUES, FolderReader, FolderView
from store.mapi.identity import eid
from store.mapi.reading import Reading
from store.mapi.tablerows import instance_key
from store.sql import row, rows


class FolderValues:
    """The properties of a folder's row, read when they are asked for."""

    __slots__ = ("_depth", "_fid", "_reader", "_view")

    def __init__(self, reader: FolderReader, fid: int, depth: int) -> None:
        self._reader = reader
        self._fid = fid
        self._depth = depth
        self._view: FolderView | None = None

    def get(self, tag: int) -> Any:
        if tag in INTERNAL:
            return None
        own = _OWN.get(tag)
        if own is not None:
            return own(self._fid, self._depth)
        if self._view is None:
            try:
                self._view = self._reader.view(self._fid)
            except MapiError:
                return None  # gone since the hierarchy was read
        computed = VALUES.get(tag)
        if computed is not None and (tag in foldertags.COMPUTED or tag not in self._view.bag):
            return computed(self._view)
        return self._view.bag.get(tag)


_OWN: dict[int, Callable[[int, int], Any]] = {
    PidTagInstID: lambda fid, depth: eid(fid),
    PidTagInstanceNum: lambda fid, depth: 0,
    PidTagRowType: lambda fid, depth: int(RowType.TBL_LEAF_ROW),
    PidTagDepth: lambda fid, depth: depth,
    PidTagInstanceKey: lambda fid, depth: instance_key(fid, 0),
}


def folder_rows(reading: Reading, table: t.Table) -> list[SmallRow]:
    """All rows in the order of the hierarchy. ecNotFound; ecAccessDenied for who sees neither folder nor rows."""
    reader = FolderReader(reading)
    if row(reading.reader.db, "SELECT 1 FROM folders WHERE fid=?", (table.fid,)) is None:
        if not reading.access.sees(table.fid):
            reading.access.require_sight(table.fid)
        raise MapiError(Ec.ecNotFound, f"folder {table.fid:#x}")
    if table.flags & t.SOFT_DELETED:
        found = _deleted(reading, table)
    else:
        found = _below(reader, table.fid, 1, bool(table.flags & t.DEPTH))
    if not found:
        reading.access.require_sight(table.fid)
    return [SmallRow(fid, 0, FolderValues(reader, fid, depth)) for fid, depth in found]


def _below(reader: FolderReader, fid: int, depth: int, deep: bool) -> list[tuple[int, int]]:
    """(folder, level) below a folder; what is hidden from the actor may hold what is not."""
    found: list[tuple[int, int]] = []
    waiting = [(child, depth) for child in reversed(reader.box.children.get(fid, []))]
    while waiting:
        child, level = waiting.pop()
        if reader.access.sees(child):
            found.append((child, level))
        if deep:
            waiting += [(below, level + 1) for below in reversed(reader.box.children.get(child, []))]
    return found


def _deleted(reading: Reading, table: t.Table) -> list[tuple[int, int]]:
    reading.access.require_owner()
    sql = "SELECT fid FROM deleted_folders WHERE parent_fid=? ORDER BY time, fid"
    return [(fid, 1) for (fid,) in rows(reading.reader.db, sql, (table.fid,))]


def folder_columns(reading: Reading, table: t.Table) -> list[int]:
    """Property tags that folders have."""
    return sorted({*VALUES, *_OWN} - INTERNAL)
