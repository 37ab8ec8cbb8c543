"""Search folders: criteria, filling, keeping current, against what a naive search gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gromoxd.convert.digest import digest_message
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import searchcalls as s
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.access import ADD, ModifyPermissions, PermissionChange
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.pages import SEEN
from gromoxd.mapi.proptags import PidTagBody, PidTagContentCount, PidTagFolderType, PidTagMessageFlags, PidTagSubject
from gromoxd.mapi.restrictions import BitmapRelOp, BitMask, Content, Restriction, encode_restriction
from gromoxd.mapi.searchcriteria import SearchStatus, SetSearchFlags
from gromoxd.mapi.sorting import Order
from store.direct import DirectStore
from store.mailbox import Write
from store.settings import StoreSettings

OWNER = "alice@example.test"
FINDER, SUBTREE, INBOX, SENT, TRASH = 0x05, 0x09, 0x0D, 0x0A, 0x0B
RESTART, RECURSIVE, STATIC = (
    SetSearchFlags.RESTART_SEARCH,
    SetSearchFlags.RECURSIVE_SEARCH,
    SetSearchFlags.STATIC_SEARCH,
)
A = Content(1, 1, PidTagSubject, "a")
UNREAD = BitMask(BitmapRelOp.EQZ, PidTagMessageFlags, 1)


class Searching:
    """A mailbox whose jobs are done after each call."""

    def __init__(self, folder: Path, settings: StoreSettings | None = None) -> None:
        self.folder, self.settings = folder, settings
        self.box = MailboxRef(str(folder / "box"))
        self._ids = itertools.count(1)
        self.open()

    def open(self) -> None:
        self.store = DirectStore(str(self.folder), {self.box.maildir: OWNER}, self.settings)

    def reopen(self) -> None:
        self.store.close()
        self.open()

    def call(self, call: c.Call[Any], actor: str = OWNER) -> Any:
        return self.store.call(self.box, call, actor=actor)

    def refused(self, call: c.Call[Any], actor: str = OWNER) -> Ec:
        with pytest.raises(MapiError) as caught:
            self.call(call, actor)
        return caught.value.code

    def request_id(self) -> bytes:
        return b"search-%08d" % next(self._ids)

    def arrive(self, subject: str, fid: int = INBOX, *, flags: int = 0, body: str = "Text.") -> int:
        raw = f"From: x@example.org\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()
        new = c.NewMessage(digest_message(raw, received=1_700_000_000), raw, 1_700_000_000, flags)
        stored: c.Stored = self.call(c.Append(fid, new, self.request_id()))
        return stored.mid

    def make(self, name: str = "Found") -> int:
        made: h.MadeFolder = self.call(h.MakeFolder(FINDER, name, {}, self.request_id(), search=True))
        return made.fid

    def search(self, restriction: Restriction, scope: list[int], flags: int = RESTART, fid: int = 0) -> int:
        fid = fid or self.make(f"Found {next(self._ids)}")
        self.call(s.SetSearchCriteria(fid, encode_restriction(restriction), scope, flags))
        return fid

    def results(self, fid: int) -> list[str]:
        table = t.Table(t.CONTENTS, fid, sort=[(PidTagSubject, Order.ASCENDING)])
        rows: t.Rows = self.call(t.QueryRows(table, [PidTagSubject], 0, 1000))
        assert rows.total == len(rows.rows)
        return [row[0] for row in rows.rows]

    def status(self, fid: int) -> SearchStatus:
        return SearchStatus(self.call(s.GetSearchCriteria(fid)).status)

    def uid(self, mid: int) -> c.Ranges:
        db = self.store.mailbox(self.box.maildir)._runner.tx.db
        uid: Any = db.execute("SELECT uid FROM messages WHERE mid=?", (mid,)).fetchall()[0][0]
        return [(uid, uid)]

    def create(self, path: str) -> int:
        made: c.Folder = self.call(c.CreateFolder(path, request_id=self.request_id()))
        return made.fid


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Searching]]:
    made: list[Searching] = []

    def open_one(**values: Any) -> Searching:
        made.append(Searching(tmp_path / str(len(made)), StoreSettings(**values)))
        return made[-1]

    yield open_one
    for one in made:
        one.store.close()


@pytest.fixture
def box(make: Callable[..., Searching]) -> Searching:
    return make()


def test_found_at_once_and_kept_current(box: Searching) -> None:
    box.arrive("banana")
    box.arrive("cherry")
    box.arrive("apple", SENT)
    fid = box.search(A, [INBOX])
    assert box.status(fid) == SearchStatus.SEARCH_COMPLETE
    assert box.results(fid) == ["banana"]
    mango = box.arrive("mango")
    box.arrive("plum")
    box.arrive("date", SENT)
    assert box.results(fid) == ["banana", "mango"]
    box.call(o.SaveMessage(INBOX, mango, 0, o.Changes({PidTagSubject: "fig"}), b"", True))
    assert box.results(fid) == ["banana"]
    box.call(o.SaveMessage(INBOX, mango, 0, o.Changes({PidTagSubject: "grape"}), b"", True))
    assert box.results(fid) == ["banana", "grape"]


def test_what_goes_leaves(box: Searching) -> None:
    mids = [box.arrive(subject) for subject in ("a1", "a2", "a3", "a4")]
    fid = box.search(A, [INBOX])
    box.call(c.Expunge(INBOX, box.uid(mids[0]), False))
    box.call(c.CopyMessages(INBOX, box.uid(mids[1]), SENT, True, box.request_id()))
    box.call(o.DeleteMessages(INBOX, [mids[2]]))
    assert box.results(fid) == ["a4"]
    box.call(c.CopyMessages(SENT, [(1, 9)], INBOX, True, box.request_id()))
    assert box.results(fid) == ["a2", "a4"]


def test_flags_are_followed(box: Searching) -> None:
    one, _ = box.arrive("one"), box.arrive("two")
    fid = box.search(UNREAD, [INBOX])
    assert box.results(fid) == ["one", "two"]
    box.call(c.SetFlags(INBOX, box.uid(one), c.ADD, SEEN))
    assert box.results(fid) == ["two"]
    box.call(c.SetFlags(INBOX, box.uid(one), c.REMOVE, SEEN))
    assert box.results(fid) == ["one", "two"]


def test_recursive(box: Searching) -> None:
    deep = box.create("Top/Deep")
    top = next(f.fid for f in box.call(c.ListFolders()).folders if f.name == "Top")
    for fid, name in ((INBOX, "inbox a"), (top, "top a"), (deep, "deep a")):
        box.arrive(name, fid)
    assert box.results(box.search(A, [top])) == ["top a"]
    fid = box.search(A, [SUBTREE], RESTART | RECURSIVE)
    assert box.results(fid) == ["deep a", "inbox a", "top a"]
    assert box.status(fid) == SearchStatus.SEARCH_COMPLETE | SearchStatus.SEARCH_RECURSIVE
    new = box.create("Top/New")
    box.arrive("new a", new)
    assert box.results(fid) == ["deep a", "inbox a", "new a", "top a"]
    box.call(c.DeleteFolder(new))
    assert box.results(fid) == ["deep a", "inbox a", "top a"]


def test_folders_that_move_in_and_out(box: Searching) -> None:
    top, other = box.create("Top"), box.create("Other")
    inner = box.create("Other/Inner")
    box.arrive("a in inner", inner)
    box.arrive("a in top", top)
    fid = box.search(A, [top], RESTART | RECURSIVE)
    assert box.results(fid) == ["a in top"]
    box.call(c.RenameFolder(inner, "Top/Inner"))
    assert box.results(fid) == ["a in inner", "a in top"]
    box.call(c.RenameFolder(inner, "Other/Inner"))
    assert box.results(fid) == ["a in top"]
    assert other


def test_static(box: Searching) -> None:
    one, _ = box.arrive("a1"), box.arrive("a2")
    fid = box.search(A, [INBOX], RESTART | STATIC)
    box.arrive("a3")
    assert box.results(fid) == ["a1", "a2"]
    box.call(c.Expunge(INBOX, box.uid(one), False))
    assert box.results(fid) == ["a2"]
    box.call(s.SetSearchCriteria(fid, b"", [], RESTART | STATIC))
    assert box.results(fid) == ["a2", "a3"]


def test_static_results_stay_where_their_folder_goes(box: Searching) -> None:
    """And their table shows them as they are, in order."""
    inner = box.create("Inner")
    one = box.arrive("b a", inner)
    box.arrive("c a")
    fid = box.search(A, [SUBTREE], RESTART | STATIC | RECURSIVE)
    box.call(c.RenameFolder(inner, "INBOX/Inner"))
    assert box.results(fid) == ["b a", "c a"]
    box.call(o.SaveMessage(inner, one, 0, o.Changes({PidTagSubject: "xyz"}), b"", True))
    assert box.results(fid) == ["c a", "xyz"]
    box.call(c.DeleteFolder(inner))
    assert box.results(fid) == ["c a"]


def test_other_criteria(box: Searching) -> None:
    box.arrive("a1")
    box.arrive("b1")
    box.arrive("b2", SENT)
    fid = box.search(A, [INBOX])
    b = Content(1, 1, PidTagSubject, "b")
    box.search(b, [INBOX], 0, fid)
    assert box.results(fid) == ["b1"]
    box.call(s.SetSearchCriteria(fid, b"", [INBOX, SENT], 0))
    assert box.results(fid) == ["b1", "b2"]
    criteria = box.call(s.GetSearchCriteria(fid))
    assert (criteria.restriction, criteria.scope) == (encode_restriction(b), [INBOX, SENT])


def test_stopped(box: Searching) -> None:
    box.arrive("a1")
    fid = box.search(A, [INBOX])
    box.call(s.SetSearchCriteria(fid, b"", [], SetSearchFlags.STOP_SEARCH))
    assert box.results(fid) == ["a1"]
    assert box.status(fid) == SearchStatus.SEARCH_COMPLETE


def test_bodies(box: Searching) -> None:
    box.arrive("one", body="A needle in hay.")
    fid = box.search(Content(1, 1, PidTagBody, "NEEDLE"), [INBOX])
    box.arrive("two", body="Just hay.")
    box.arrive("three", body="Another needle.")
    assert box.results(fid) == ["one", "three"]


def test_several_at_once(box: Searching) -> None:
    first, second = box.search(A, [INBOX]), box.search(UNREAD, [INBOX])
    box.arrive("a", flags=SEEN)
    box.arrive("b")
    assert (box.results(first), box.results(second)) == (["a"], ["b"])


def test_after_a_crash_of_the_job(box: Searching) -> None:
    """What came while nobody looked is found when the mailbox is opened."""
    fid = box.search(A, [INBOX])
    mailbox = box.store.mailbox(box.box.maildir)
    mailbox.jobs.add = lambda job: None  # type: ignore[method-assign]
    box.arrive("a1")
    other = box.search(UNREAD, [INBOX])
    assert box.results(fid) == box.results(other) == []
    assert box.status(other) == SearchStatus.SEARCH_RUNNING
    box.reopen()
    box.call(c.GetMailboxInfo())
    assert box.results(fid) == box.results(other) == ["a1"]
    assert box.status(other) == SearchStatus.SEARCH_COMPLETE


def test_pruned_tombstones(make: Callable[..., Searching]) -> None:
    """Deletions that are no longer remembered are noticed all the same."""
    box = make(tombstone_count=100)
    mids = [box.arrive(f"a{number}") for number in range(3)]
    fid = box.search(A, [INBOX])
    mailbox = box.store.mailbox(box.box.maildir)
    mailbox.jobs.add = lambda job: None  # type: ignore[method-assign]
    box.call(c.Expunge(INBOX, box.uid(mids[1]), False))
    tx = mailbox._runner.tx
    tx.db.execute("UPDATE folders SET pruned_cn=cn WHERE fid=?", (INBOX,))
    tx.db.execute("DELETE FROM tombstones")
    box.reopen()
    box.arrive("b")
    assert box.results(fid) == ["a0", "a2"]


def test_many(box: Searching) -> None:
    """More than one write's worth."""
    raw = b"Subject: a\r\n\r\nText.\r\n"
    new = c.NewMessage(digest_message(raw, received=1), raw, 1)
    mailbox = box.store.mailbox(box.box.maildir)
    mailbox.publish(mailbox.run_batch([Write(c.Append(INBOX, new, b""), SYSTEM) for _ in range(2500)]))
    fid = box.search(A, [INBOX])
    rows = box.call(t.QueryRows(t.Table(t.CONTENTS, fid), [], 0, 0))
    assert rows.total == 2500
    box.call(c.SetFlags(INBOX, [(1, 2500)], c.ADD, SEEN))
    unread = box.search(UNREAD, [INBOX])
    assert box.results(unread) == []
    box.call(c.SetFlags(INBOX, [(1, 2500)], c.REMOVE, SEEN))
    assert box.call(t.QueryRows(t.Table(t.CONTENTS, unread), [], 0, 0)).total == 2500
    box.call(c.Expunge(INBOX, [(1, 2499)], False))
    assert box.results(unread) == box.results(fid) == ["a"]


def test_the_folder_tells_of_itself(box: Searching) -> None:
    fid = box.search(UNREAD, [INBOX])
    box.arrive("one")
    bag = box.call(h.GetFolderProps(fid, [PidTagContentCount, PidTagFolderType]))
    assert bag == {PidTagContentCount: 1, PidTagFolderType: 2}


def test_events(box: Searching) -> None:
    events: list[c.Event] = []
    box.store.watch(box.box, OWNER, events.append)
    fid = box.make()
    box.call(t.WatchObjects(1, True))
    events.clear()
    box.arrive("a1")
    box.search(A, [INBOX], RESTART, fid)
    changes = [change for event in events for change in event.changes if fid in (change.fid, change.parent_fid)]
    kinds = [change.kind for change in changes]
    assert c.SEARCH_COMPLETE in kinds
    assert [x.fid for x in changes if x.kind == c.CREATED] == [INBOX]
    table = t.Table(t.CONTENTS, fid, sort=[(PidTagSubject, 0)])
    box.call(t.WatchTable(2, True, table, [PidTagSubject]))
    events.clear()
    two = box.arrive("a2")
    rows = [change for event in events for change in event.rows]
    assert [(x.kind, x.instance, x.row) for x in rows] == [(c.ROW_ADDED, two, ["a2"])]
    events.clear()
    box.call(c.SetFlags(INBOX, box.uid(two), c.ADD, SEEN))
    rows = [change for event in events for change in event.rows]
    assert [(x.kind, x.instance) for x in rows] == [(c.ROW_MODIFIED, two)]
    events.clear()
    box.call(c.Expunge(INBOX, box.uid(two), False))
    rows = [change for event in events for change in event.rows]
    assert [(x.kind, x.instance) for x in rows] == [(c.ROW_DELETED, two)]


def test_refused(box: Searching) -> None:
    fid, a = box.make(), encode_restriction(A)
    assert box.refused(s.SetSearchCriteria(INBOX, a, [SENT], RESTART)) == Ec.ecNotSearchFolder
    assert box.refused(s.SetSearchCriteria(0x999, a, [SENT], RESTART)) == Ec.ecNotFound
    assert box.refused(s.SetSearchCriteria(fid, b"", [], RESTART)) == Ec.ecNotInitialized
    assert box.refused(s.SetSearchCriteria(fid, a, [], RESTART)) == Ec.ecNotInitialized
    assert box.refused(s.SetSearchCriteria(fid, a, [0x999], RESTART)) == Ec.ecNotFound
    assert box.refused(s.SetSearchCriteria(fid, b"\xff", [INBOX], RESTART)) == Ec.ecInvalidParam
    assert box.refused(s.SetSearchCriteria(fid, a, [fid], RESTART)) == Ec.ecSearchFolderScopeViolation
    both = SetSearchFlags.STOP_SEARCH | RESTART
    assert box.refused(s.SetSearchCriteria(fid, a, [INBOX], both)) == Ec.ecInvalidParam
    assert box.refused(s.GetSearchCriteria(fid)) == Ec.ecNotInitialized
    assert box.refused(s.GetSearchCriteria(INBOX)) == Ec.ecNotSearchFolder
    assert box.refused(s.GetSearchCriteria(0x999)) == Ec.ecNotFound


def test_search_folders_are_the_owners(box: Searching) -> None:
    bob = "bob@example.test"
    box.arrive("a secret")
    fid = box.search(A, [INBOX])
    box.call(ModifyPermissions(fid, [PermissionChange(ADD, name=bob, rights=0x5FB)]))
    assert box.refused(s.SetSearchCriteria(fid, b"", [], RESTART), bob) == Ec.ecAccessDenied
    assert box.refused(s.GetSearchCriteria(fid), bob) == Ec.ecAccessDenied
    rows = t.QueryRows(t.Table(t.CONTENTS, fid), [PidTagSubject], 0, 9)
    assert box.refused(rows, bob) == Ec.ecAccessDenied


def test_imap_does_not_list_them(box: Searching) -> None:
    fid = box.search(A, [INBOX])
    assert [f.path for f in box.call(c.ListFolders()).folders if f.fid == fid] == [""]


def test_removed(box: Searching) -> None:
    box.arrive("a1")
    fid = box.search(A, [INBOX])
    box.call(h.RemoveFolder(fid, True, True, box.request_id(), hard=True))
    box.arrive("a2")
    assert box.refused(s.GetSearchCriteria(fid)) == Ec.ecNotFound
