"""What clients are told of rows and of objects, event by event ([MS-OXCNOTIF])."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.access import ADD, ModifyPermissions, PermissionChange
from gromoxd.exmdb.pages import SEEN
from gromoxd.mapi.proptags import (
    PidTagContentCount,
    PidTagDisplayName,
    PidTagMessageClass,
    PidTagMessageDeliveryTime,
    PidTagSubject,
)
from gromoxd.mapi.sorting import Order
from tests.store.conftest import DRAFTS, INBOX, OWNER, SENT, Harness, mail, new
from tests.store.mapi.test_tables import arrive, contents

SUBTREE = 0x09
BOB = "bob@example.test"


class Listener:
    """A connection."""

    def __init__(self, box: Harness, actor: str = OWNER) -> None:
        self.box, self.actor = box, actor
        self.events: list[c.Event] = []

    def push(self, event: c.Event) -> None:
        assert event.actors == [self.actor]
        self.events.append(event)

    def table(self, table: t.Table, columns: list[int], number: int = 1) -> None:
        self.watch(t.WatchTable(number, True, table, columns))

    def watch(self, call: t.WatchTable | t.WatchObjects) -> None:
        self.box.box.watching.watch(self, self.actor, self.actor, call)

    def rows(self) -> list[c.RowChange]:
        found = [change for event in self.events for change in event.rows]
        self.events.clear()
        return found

    def changes(self) -> list[c.ObjectChange]:
        found = [change for event in self.events for change in event.changes]
        self.events.clear()
        return found


def uid_of(box: Harness, mid: int) -> c.Ranges:
    ((uid,),) = box.sql("SELECT uid FROM messages WHERE mid=?", mid)
    return [(uid, uid)]


def test_rows_come_change_and_go(box: Harness) -> None:
    one, two = arrive(box, "b"), arrive(box, "d")
    listener = Listener(box)
    listener.table(contents((PidTagSubject, Order.ASCENDING)), [PidTagSubject])
    three = arrive(box, "c")
    assert listener.rows() == [c.RowChange(c.ROW_ADDED, three, 0, one, 0, ["c"])]
    first = arrive(box, "a")
    assert listener.rows() == [c.RowChange(c.ROW_ADDED, first, 0, 0, 0, ["a"])]
    box.call(c.SetFlags(INBOX, uid_of(box, two), c.ADD, SEEN))
    assert listener.rows() == [c.RowChange(c.ROW_MODIFIED, two, 0, three, 0, ["d"])]
    box.call(o.SaveMessage(INBOX, one, 0, o.Changes({PidTagSubject: "x"}), b"", True))
    assert listener.rows() == [c.RowChange(c.ROW_MODIFIED, one, 0, two, 0, ["x"])]
    box.call(c.Expunge(INBOX, uid_of(box, three), False))
    assert listener.rows() == [c.RowChange(c.ROW_DELETED, three, 0, 0, 0, [])]


def test_who_looks_gets_the_events_of_others_before_the_answer(box: Harness) -> None:
    one = arrive(box, "b")
    table = contents((PidTagSubject, Order.ASCENDING))
    listener = Listener(box)
    listener.table(table, [PidTagSubject])
    box.peek.append(t.QueryRows(table, [PidTagSubject], 0, 10))  # type: ignore[arg-type]
    two = arrive(box, "c")
    assert listener.rows() == [c.RowChange(c.ROW_ADDED, two, 0, one, 0, ["c"])]


def test_many_changes_are_one(box: Harness) -> None:
    listener = Listener(box)
    listener.table(contents(), [PidTagSubject])
    box.fill(100)
    assert listener.rows() == [c.RowChange(c.TABLE_CHANGED)]


def test_views_that_are_gone(box: Harness) -> None:
    arrive(box, "b")
    listener = Listener(box)
    listener.table(contents(), [PidTagSubject])
    box.box.views.clear()
    arrive(box, "c")
    assert listener.rows() == [c.RowChange(c.TABLE_CHANGED)]
    box.call(t.QueryRows(contents(), [PidTagSubject], 0, 10))
    assert listener.rows() == []
    mid = arrive(box, "d")
    assert [change.kind for change in listener.rows()] == [c.ROW_ADDED]
    assert box.call(t.LocateRow(contents(), mid)).position == 2


def test_a_watch_ends(box: Harness) -> None:
    listener, other = Listener(box), Listener(box)
    for one in (listener, other):
        one.table(contents(), [PidTagSubject])
    listener.watch(t.WatchTable(1, False))
    box.box.watching.left(other)
    arrive(box, "a")
    assert listener.rows() == other.rows() == []
    assert not box.box.watching
    listener.table(contents(flags=t.NO_NOTIFICATIONS), [PidTagSubject])
    assert not box.box.watching


def test_groups_tell_that_they_changed(box: Harness) -> None:
    listener = Listener(box)
    listener.table(contents((PidTagMessageClass, 0), categories=1, expanded=1), [PidTagSubject])
    arrive(box, "a")
    assert listener.rows() == [c.RowChange(c.TABLE_CHANGED)]


def test_folders(box: Harness) -> None:
    listener = Listener(box)
    listener.table(t.Table(t.HIERARCHY, SUBTREE), [PidTagDisplayName, PidTagContentCount])
    box.append(mail(1))
    ((kind, fid, row),) = [(e.kind, e.instance, e.row) for e in listener.rows()]
    assert (kind, fid, row) == (c.ROW_MODIFIED, INBOX, ["Inbox", 1])
    folder = box.call(c.CreateFolder("Top", request_id=b"1"))
    added, *rest = [e for e in listener.rows() if e.instance != SUBTREE]
    assert (added.kind, added.instance, added.row, rest) == (c.ROW_ADDED, folder.fid, ["Top", 0], [])
    box.call(c.CreateFolder("Top/Below", request_id=b"2"))
    assert [(e.kind, e.instance) for e in listener.rows()] == [(c.ROW_MODIFIED, folder.fid)]
    box.call(c.RenameFolder(folder.fid, "Other"))
    assert [(e.kind, e.row) for e in listener.rows()] == [(c.ROW_MODIFIED, ["Other", 0])]
    below = next(f.fid for f in box.call(c.ListFolders()).folders if f.name == "Below")
    box.call(c.DeleteFolder(below))
    listener.rows()
    box.call(c.DeleteFolder(folder.fid))
    assert [(e.kind, e.instance) for e in listener.rows()] == [(c.ROW_DELETED, folder.fid)]


def test_watches_are_refused(box: Harness) -> None:
    eve = Listener(box, "eve@example.org")
    for call, code in (
        (t.WatchTable(1, True, contents(), []), Ec.ecAccessDenied),
        (t.WatchObjects(1, True, INBOX), Ec.ecAccessDenied),
        (t.WatchTable(1, True, t.Table(t.PERMISSIONS, INBOX)), Ec.ecAccessDenied),
        (t.WatchTable(1, True, t.Table(99, INBOX)), Ec.ecInvalidParam),
        (t.WatchTable(1, True), Ec.ecInvalidParam),
        (t.WatchObjects(0, True), Ec.ecInvalidParam),
    ):
        with pytest.raises(Exception) as caught:
            eve.watch(call)
        assert caught.value.code == code  # type: ignore[attr-defined]
    assert not box.box.watching
    owner = Listener(box)
    for number in range(1, 1001):
        owner.watch(t.WatchObjects(number, True, INBOX))
    with pytest.raises(Exception, match="ecTooBig"):
        owner.watch(t.WatchObjects(1001, True, INBOX))


def test_permissions_that_go(box: Harness) -> None:
    box.call(ModifyPermissions(INBOX, [PermissionChange(ADD, name=BOB, rights=0x401)]))
    bob = Listener(box, BOB)
    bob.table(contents(), [PidTagSubject])
    arrive(box, "seen")
    assert [change.row for change in bob.rows()] == [["seen"]]
    box.call(ModifyPermissions(INBOX, [PermissionChange(ADD, name=BOB, rights=0x400)]))
    arrive(box, "secret")
    assert bob.rows() == [c.RowChange(c.TABLE_CHANGED)]


# ---------------------------------------------------------------------------------------------- objects


def test_messages(box: Harness) -> None:
    listener = Listener(box)
    listener.watch(t.WatchObjects(7, True))
    stored = box.call(c.Deliver(new(mail(1)), "s@example.org", b"r1", b""))
    folder = c.ObjectChange(c.MODIFIED, INBOX, total=1, unread=1)
    assert listener.changes() == [
        c.ObjectChange(c.CREATED, INBOX, stored.mid, message_class="IPM.Note"),
        c.ObjectChange(c.NEW_MAIL, INBOX, stored.mid, message_class="IPM.Note"),
        folder,
    ]
    box.call(c.SetFlags(INBOX, [(1, 1)], c.ADD, SEEN))
    changes = listener.changes()
    assert changes == [
        c.ObjectChange(c.MODIFIED, INBOX, stored.mid), c.ObjectChange(c.MODIFIED, INBOX, total=1, unread=0)
    ]  # fmt: skip
    box.call(c.CopyMessages(INBOX, [(1, 1)], SENT, False, b"r2"))
    copied, sent = listener.changes()
    assert (copied.kind, copied.fid, copied.old_fid, copied.old_mid) == (c.COPIED, SENT, INBOX, stored.mid)
    assert sent == c.ObjectChange(c.MODIFIED, SENT, total=1, unread=0)
    box.call(c.CopyMessages(INBOX, [(1, 1)], DRAFTS, True, b"r3"))
    moved, *folders = listener.changes()
    assert (moved.kind, moved.fid, moved.old_fid, moved.old_mid) == (c.MOVED, DRAFTS, INBOX, stored.mid)
    assert {(one.fid, one.total) for one in folders} == {(INBOX, 0), (DRAFTS, 1)}
    box.call(c.Expunge(SENT, [(1, 1)], False))
    assert listener.changes()[0] == c.ObjectChange(c.DELETED, SENT, copied.mid)
    box.call(o.SaveMessage(DRAFTS, moved.mid, 0, o.Changes({PidTagSubject: "new"}), b"", True))
    assert listener.changes()[0] == c.ObjectChange(c.MODIFIED, DRAFTS, moved.mid)


def test_what_is_asked_for_is_told(box: Harness) -> None:
    listener = Listener(box)
    listener.watch(t.WatchObjects(1, True, INBOX, c.CREATED))
    box.append(mail(1), fid=SENT)
    assert listener.events == []
    stored = box.append(mail(2))
    assert [(e.watch, [x.kind for x in e.changes]) for e in listener.events] == [(1, [c.CREATED])]
    listener.events.clear()
    listener.watch(t.WatchObjects(1, True, INBOX, 0xFF, stored.mid))
    box.append(mail(3))
    assert listener.events == []
    box.call(c.SetFlags(INBOX, [(stored.uid, stored.uid)], c.ADD, SEEN))
    assert listener.changes() == [c.ObjectChange(c.MODIFIED, INBOX, stored.mid)]


def test_associated_messages(box: Harness) -> None:
    listener = Listener(box)
    listener.watch(t.WatchObjects(1, True, INBOX, c.CREATED | c.MODIFIED))
    saved = box.call(o.SaveMessage(INBOX, 0, 0, o.Changes({PidTagSubject: "view"}), b"", associated=True))
    assert [(x.kind, x.mid) for x in listener.changes() if x.mid] == [(c.CREATED, saved.mid)]
    box.call(o.SaveMessage(INBOX, saved.mid, 0, o.Changes({PidTagSubject: "x"}), b"", True, associated=True))
    assert [(x.kind, x.mid) for x in listener.changes() if x.mid] == [(c.MODIFIED, saved.mid)]


def test_hierarchy(box: Harness) -> None:
    listener = Listener(box)
    listener.watch(t.WatchObjects(1, True))
    folder = box.call(c.CreateFolder("Top", request_id=b"1"))
    assert listener.changes() == [c.ObjectChange(c.CREATED, folder.fid, parent_fid=SUBTREE)]
    box.call(c.RenameFolder(folder.fid, "Drafts/Top"))
    moved = c.ObjectChange(c.MOVED, folder.fid, parent_fid=DRAFTS, old_fid=folder.fid, old_parent_fid=SUBTREE)
    assert listener.changes() == [moved]
    box.call(c.RenameFolder(folder.fid, "Drafts/Other"))
    assert listener.changes() == [c.ObjectChange(c.MODIFIED, folder.fid, parent_fid=DRAFTS)]
    box.call(c.DeleteFolder(folder.fid))
    assert listener.changes()[0] == c.ObjectChange(c.DELETED, folder.fid, parent_fid=DRAFTS)


def test_guests_learn_of_what_they_may_read(box: Harness) -> None:
    box.call(ModifyPermissions(SENT, [PermissionChange(ADD, name=BOB, rights=0x401)]))
    bob = Listener(box, BOB)
    bob.watch(t.WatchObjects(1, True))
    box.append(mail(1))
    assert bob.events == []
    box.append(mail(2), fid=SENT)
    assert [x.kind for x in bob.changes()] == [c.CREATED, c.MODIFIED]


def test_a_flood_is_told_of_the_folder(box: Harness) -> None:
    listener = Listener(box)
    listener.watch(t.WatchObjects(1, True))
    box.batch(*[c.Append(INBOX, new(mail(n)), b"") for n in range(300)])
    assert listener.changes() == [c.ObjectChange(c.MODIFIED, INBOX, total=300, unread=300)]


def test_times_in_order(box: Harness) -> None:
    """The first row is told of as such, for sorts in either direction."""
    listener = Listener(box)
    listener.table(contents((PidTagMessageDeliveryTime, Order.DESCENDING)), [PidTagSubject])
    one = arrive(box, "one", received=1_700_000_000)
    two = arrive(box, "two", received=1_700_000_001)
    three = arrive(box, "three", received=1_600_000_000)
    assert [(e.instance, e.after_instance) for e in listener.rows()] == [(one, 0), (two, 0), (three, one)]
