"""Tables of folders, permissions and receive folders."""

from __future__ import annotations

from typing import Any

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.access import ADD, ModifyPermissions, PermissionChange
from gromoxd.mapi import smalltable
from gromoxd.mapi.proptags import (
    PidTagContentCount,
    PidTagDepth,
    PidTagDisplayName,
    PidTagFolderId,
    PidTagInstID,
    PidTagMemberName,
    PidTagMemberRights,
    PidTagMessageClass,
    PidTagRuleActions,
    PidTagRuleCondition,
    PidTagSubfolders,
)
from gromoxd.mapi.restrictions import Content, Property, RelOp, encode_restriction
from gromoxd.mapi.sorting import Order
from store.mapi.identity import eid
from tests.store.conftest import INBOX, OWNER, Harness, mail

BOB = "bob@example.test"
ROOT, SUBTREE = 0x01, 0x09


def read(box: Harness, table: t.Table, *tags: int, actor: str = OWNER) -> list[list[Any]]:
    rows: t.Rows = box.call(t.QueryRows(table, list(tags), 0, 1000), actor=actor)
    assert rows.total == len(rows.rows)
    return rows.rows


def folder(box: Harness, path: str) -> int:
    made: c.Folder = box.call(c.CreateFolder(path, request_id=box.request_id()))
    return made.fid


def test_hierarchy(box: Harness) -> None:
    fid = folder(box, "Projects/Old")
    box.append(mail(1), fid=fid)
    names = [name for (name,) in read(box, t.Table(t.HIERARCHY, SUBTREE), PidTagDisplayName)]
    assert {"Inbox", "Drafts", "Projects", "Calendar"} <= set(names) and "Old" not in names
    deep = t.Table(t.HIERARCHY, SUBTREE, t.DEPTH)
    rows = read(box, deep, PidTagDisplayName, PidTagDepth, PidTagContentCount, PidTagSubfolders, PidTagInstID)
    assert rows[-2:][0][:4] == ["Projects", 1, 0, True]
    assert rows[-1] == ["Old", 2, 1, False, eid(fid)]


def test_hierarchy_restricted_and_sorted(box: Harness) -> None:
    for name in ("b", "a", "c"):
        folder(box, f"Top/{name}")
    top = next(f.fid for f in box.call(c.ListFolders()).folders if f.name == "Top")
    table = t.Table(t.HIERARCHY, top, sort=[(PidTagDisplayName, Order.DESCENDING)])
    assert read(box, table, PidTagDisplayName) == [["c"], ["b"], ["a"]]
    table = t.Table(t.HIERARCHY, top, restriction=encode_restriction(Property(RelOp.GE, PidTagDisplayName, "B")))
    assert read(box, table, PidTagDisplayName) == [["b"], ["c"]]
    found = box.call(t.FindRow(t.Table(t.HIERARCHY, top), encode_restriction(Content(0, 1, PidTagDisplayName, "C")), 0,
                               [PidTagDisplayName]))  # fmt: skip
    assert (found.position, found.row) == (2, ["c"])
    assert box.refused(t.QueryRows(t.Table(t.HIERARCHY, top, sort=[(1, 9)]), [], 0, 1)) == Ec.ecInvalidParam
    categories = t.Table(t.HIERARCHY, top, sort=[(PidTagDisplayName, 0)], categories=1)
    assert box.refused(t.QueryRows(categories, [], 0, 1)) == Ec.ecNotSupported


def test_a_guest_sees_what_is_shown_to_him(box: Harness) -> None:
    fid = folder(box, "Shared")
    folder(box, "Secret")
    assert box.refused(t.QueryRows(t.Table(t.HIERARCHY, 0x05), [], 0, 1), actor=BOB) == Ec.ecAccessDenied
    box.call(ModifyPermissions(fid, [PermissionChange(ADD, name=BOB, rights=0x401)]))
    rows = read(box, t.Table(t.HIERARCHY, SUBTREE), PidTagDisplayName, actor=BOB)
    assert rows == [["Calendar"], ["Shared"]]
    assert box.refused(t.QueryRows(t.Table(t.HIERARCHY, INBOX), [], 0, 1), actor=BOB) == Ec.ecAccessDenied
    deleted = t.QueryRows(t.Table(t.HIERARCHY, SUBTREE, t.SOFT_DELETED), [], 0, 1)
    assert box.refused(deleted, actor=BOB) == Ec.ecAccessDenied


def test_permissions(box: Harness) -> None:
    box.call(ModifyPermissions(0x0F, [PermissionChange(ADD, name=BOB, rights=0x1C01)], free_busy=True))
    plain = read(box, t.Table(t.PERMISSIONS, 0x0F), PidTagMemberName, PidTagMemberRights)
    assert plain == [["default", 0x400], ["", 0], [BOB, 0x401]]
    all_rights = read(box, t.Table(t.PERMISSIONS, 0x0F, t.FREE_BUSY), PidTagMemberName, PidTagMemberRights)
    assert all_rights == [["default", 0xC00], ["", 0], [BOB, 0x1C01]]
    assert box.refused(t.QueryRows(t.Table(t.PERMISSIONS, 0x0F), [], 0, 1), actor=BOB) == Ec.ecAccessDenied


def test_receive_folders(box: Harness) -> None:
    rows = read(box, t.Table(t.RECEIVE_FOLDERS, 0), PidTagMessageClass, PidTagFolderId)
    assert rows == [["", eid(INBOX)], ["IPC", eid(ROOT)], ["IPM", eid(INBOX)], ["REPORT.IPM", eid(INBOX)]]
    assert box.refused(t.QueryRows(t.Table(t.RECEIVE_FOLDERS, 0), [], 0, 1), actor=BOB) == Ec.ecAccessDenied


def test_rules(box: Harness) -> None:
    assert read(box, t.Table(t.RULES, INBOX), PidTagInstID) == []
    assert box.refused(t.QueryRows(t.Table(t.RULES, INBOX), [], 0, 1), actor=BOB) == Ec.ecAccessDenied
    assert box.refused(t.QueryRows(t.Table(t.RULES, 0x999), [], 0, 1)) == Ec.ecNotFound
    assert box.refused(t.ExpandRow(t.Table(t.RULES, INBOX), 1, [])) == Ec.ecNotSupported


def test_conditions_and_actions_stay_whole() -> None:
    """Cut, they could not be read: nothing says where they end but what is in them."""
    row = smalltable.SmallRow(1, 0, {PidTagRuleCondition: bytes(2000), PidTagRuleActions: bytes(3000)})
    assert list(map(len, smalltable.line(row, [PidTagRuleCondition, PidTagRuleActions]))) == [2000, 3000]
