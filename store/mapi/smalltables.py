"""Tables of few rows: folders, permissions, rules, receive folders.

[MS-OXCPERM] 2.2.1, [MS-OXORULE] 2.2.2, [MS-OXCSTOR] 2.2.1.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.access import GetPermissions
from gromoxd.mapi import smalltable
from gromoxd.mapi.bag import decode_bag
from gromoxd.mapi.proptags import (
    INTERNAL,
    PidTagFolderId,
    PidTagMemberId,
    PidTagMemberName,
    PidTagMemberRights,
    PidTagMessageClass,
    PidTagRuleId,
    PidTagRuleSequence,
)
from gromoxd.mapi.smalltable import SmallRow
from store.access import FREE_BUSY_DETAILED, FREE_BUSY_SIMPLE, OWNER
from store.mapi import permissions
from store.mapi.foldertable import folder_columns, folder_rows
from store.mapi.identity import eid
from store.mapi.reading import Reading
from store.sql import row, rows

MOST_BYTES = 4 << 20


def permission_rows(reading: Reading, table: t.Table) -> list[SmallRow]:
    """The members of a folder; entry ids and display names are the protocol's to find."""
    hidden = 0 if table.flags & t.FREE_BUSY else FREE_BUSY_SIMPLE | FREE_BUSY_DETAILED
    members = permissions.get_permissions(reading, GetPermissions(table.fid))
    return [
        SmallRow(
            member.member_id & 0xFFFF_FFFF_FFFF,
            0,
            {
                PidTagMemberId: member.member_id,
                PidTagMemberName: member.name,
                PidTagMemberRights: member.rights & ~hidden,
            },
        )
        for member in members
    ]


def rule_rows(reading: Reading, table: t.Table) -> list[SmallRow]:
    """The rules of a folder in their order; its owner's right."""
    reading.access.require(table.fid, OWNER)
    db = reading.reader.db
    if row(db, "SELECT 1 FROM folders WHERE fid=?", (table.fid,)) is None:
        raise MapiError(Ec.ecNotFound, f"folder {table.fid:#x}")
    found = rows(db, "SELECT rule_id, sequence, props FROM rules WHERE fid=? ORDER BY sequence, rule_id", (table.fid,))
    return [
        SmallRow(
            number,
            0,
            {tag: value for tag, value in decode_bag(props).items() if tag not in INTERNAL}
            | {PidTagRuleId: eid(number), PidTagRuleSequence: sequence},
        )
        for number, sequence, props in found
    ]


def receive_rows(reading: Reading, table: t.Table) -> list[SmallRow]:
    """Message classes and the folders that get them; the mailbox owner's right."""
    reading.access.require_owner()
    found = rows(reading.reader.db, "SELECT class, fid FROM receive_folders ORDER BY class")
    return [
        SmallRow(number, 0, {PidTagMessageClass: kind, PidTagFolderId: eid(fid)})
        for number, (kind, fid) in enumerate(found, 1)
    ]


SOURCES: dict[int, Callable[[Reading, t.Table], list[SmallRow]]] = {
    t.HIERARCHY: folder_rows, t.PERMISSIONS: permission_rows, t.RULES: rule_rows, t.RECEIVE_FOLDERS: receive_rows,
}  # fmt: skip
_COLUMNS: dict[int, list[int]] = {
    t.PERMISSIONS: [PidTagMemberId, PidTagMemberName, PidTagMemberRights],
    t.RECEIVE_FOLDERS: [PidTagMessageClass, PidTagFolderId],
}


def arranged(reading: Reading, table: t.Table) -> list[SmallRow]:
    """The rows that a table shows, in order."""
    if table.categories:
        raise MapiError(Ec.ecNotSupported, "categories")
    found = SOURCES[table.kind](reading, table)
    return smalltable.arrange(found, table.restriction, table.sort) if table.restriction or table.sort else found


def query_rows(reading: Reading, call: t.QueryRows) -> t.Rows:
    """tables.QueryRows."""
    found = arranged(reading, call.table)
    start = min(max(call.position, 0), len(found))
    lines: list[list[Any]] = []
    octets = 0
    for one in found[start : start + min(call.count, t.MOST_ROWS)]:
        lines.append(smalltable.line(one, call.columns))
        octets += sum(len(value) if isinstance(value, str | bytes | list) else 8 for value in lines[-1])
        if octets > MOST_BYTES:
            break
    return t.Rows(len(found), start, lines)


def find_row(reading: Reading, call: t.FindRow) -> t.Found:
    """tables.FindRow."""
    found = arranged(reading, call.table)
    at = smalltable.find(found, call.restriction, call.position, call.backward)
    if at < 0:
        return t.Found(0 if call.backward else len(found), len(found), None)
    return t.Found(at, len(found), smalltable.line(found[at], call.columns))


def locate_row(reading: Reading, call: t.LocateRow) -> t.Located:
    """tables.LocateRow."""
    found = arranged(reading, call.table)
    for at, one in enumerate(found):
        if (one.instance, one.num) == (call.instance, call.num):
            return t.Located(at, True, False, len(found))
    return t.Located(min(max(call.near, 0), len(found)), False, False, len(found))


def columns_all(reading: Reading, call: t.QueryColumnsAll) -> list[int]:
    """tables.QueryColumnsAll."""
    table = call.table
    if table.kind == t.HIERARCHY:
        return folder_columns(reading, table)
    found = SOURCES[table.kind](reading, table)
    return _COLUMNS.get(table.kind) or sorted({tag for one in found for tag in one.values})


def is_long(reading: Reading, table: t.Table) -> bool:
    """Whether many folders must be looked at."""
    if table.kind != t.HIERARCHY or not (table.restriction or table.sort):
        return False
    return len(reading.box.folder_list.folders) > 100
