"""Notifications ([MS-OXCNOTIF] 2.2.1.4.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.outlook.values import row
from tests.support.outlook.wire import Bad, Reader

NEW_MAIL, CREATED, DELETED, MODIFIED, MOVED, COPIED, SEARCHED, TABLE = 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100
TOTAL, UNREAD, SEARCH_FOLDER, MESSAGE = 0x1000, 0x2000, 0x4000, 0x8000

T_CHANGED, T_ADDED, T_DELETED, T_MODIFIED, T_RESTRICTED = 1, 3, 4, 5, 7


@dataclass
class Notice:
    """One. What it does not have is 0 or empty."""

    handle: int
    logon: int
    kind: int
    message: bool = False
    search: bool = False
    table_event: int = 0
    fid: int = 0
    mid: int = 0
    parent: int = 0
    old_fid: int = 0
    old_mid: int = 0
    old_parent: int = 0
    after: tuple[int, ...] = ()
    row: dict[int, Any] | None = None
    tags: list[int] = field(default_factory=list)
    total: int | None = None
    unread: int | None = None
    flags: int = 0
    message_class: str = ""


def read_notice(reader: Reader, columns: Mapping[int, Sequence[int]]) -> Notice:
    """RopNotify after its RopId."""
    handle, logon, flags = reader.u32(), reader.u8(), reader.u16()
    found = Notice(handle, logon, flags & 0x0FFF, bool(flags & MESSAGE), bool(flags & SEARCH_FOLDER))
    if found.kind == TABLE:
        _table(reader, found, columns.get(handle))
        return found
    if found.kind not in (NEW_MAIL, CREATED, DELETED, MODIFIED, MOVED, COPIED, SEARCHED):
        raise Bad(f"NotificationFlags {flags:#06x}")
    found.fid = reader.u64()
    if found.message:
        found.mid = reader.u64()
    if found.kind in (CREATED, DELETED, MOVED, COPIED) and found.search == found.message:
        found.parent = reader.u64()
    if found.kind in (MOVED, COPIED):
        found.old_fid = reader.u64()
        if found.message:
            found.old_mid = reader.u64()
        else:
            found.old_parent = reader.u64()
    if found.kind in (CREATED, MODIFIED):
        count = reader.u16()
        found.tags = [] if count == 0xFFFF else list(reader.read(f"{count}I"))
    if flags & TOTAL:
        found.total = reader.u32()
    if flags & UNREAD:
        found.unread = reader.u32()
    if found.kind == NEW_MAIL:
        found.flags = reader.u32()
        found.message_class = reader.unicode() if reader.u8() else reader.ascii()
    return found


def _table(reader: Reader, found: Notice, columns: Sequence[int] | None) -> None:
    found.table_event = reader.u16()
    if found.table_event in (T_ADDED, T_DELETED, T_MODIFIED):
        found.fid = reader.u64()
        if found.message:
            found.mid, _ = reader.u64(), reader.u32()
    if found.table_event in (T_ADDED, T_MODIFIED):
        found.after = reader.read("QQI") if found.message else reader.read("Q")
        data = Reader(reader.take(reader.u16()))
        if columns is not None:
            found.row = row(data, columns)
            data.end()
