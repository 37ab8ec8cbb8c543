"""Differences since a state ([MS-OXCFXICS] 3.2.5.3): messages, folders, read marks, what went, what left the scope."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import pages
from gromoxd.exmdb import sync as s
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import gid, gid_parse
from gromoxd.mapi.idset import IdSet
from gromoxd.mapi.restrictions import BitMask, Content, encode_restriction
from store.direct import DirectStore
from store.mapi import identity, sync
from tests.store.conftest import ALL, INBOX, OWNER, SENT, Harness, mail, new
from tests.store.mapi.objects import change, save

ALICE, BOB = "alice@example.test", "bob@example.test"
FOREIGN = b"foreign replica!"
IPM, CALENDAR = 0x09, 0x0F
"""Everybody sees the calendar, whose free and busy times he may read."""
WHAT = s.NORMAL | s.ASSOCIATED | s.READ_STATE


def own(box: Harness) -> bytes:
    guid: bytes = box.sql("SELECT guid FROM mailbox")[0][0]
    return guid


def ids(octets: bytes) -> list[int]:
    """The counters of an IDSET, whatever the replica."""
    return [n for _, low, high in IdSet.decode_replguid(octets).ranges() for n in range(low, high + 1)]


def changes(box: Harness, state: s.State | None = None, flags: int = WHAT, **more: Any) -> s.ContentChanges:
    how = {"actor": more.pop("actor")} if "actor" in more else {}
    found: s.ContentChanges = box.call(s.GetContentChanges(INBOX, state or s.State(), flags, **more), **how)
    return found


def mids(found: s.ContentChanges) -> list[int]:
    return [mid for mid, *_ in found.changed]


def told(found: s.ContentChanges) -> dict[str, list[int]]:
    """All that is not empty."""
    sets = {name: ids(getattr(found, name)) for name in ("deleted", "out_of_scope", "read", "unread")}
    return {name: value for name, value in {"changed": mids(found), **sets}.items() if value}


def seen(box: Harness, *cns: int) -> bytes:
    """A CNSET of single change numbers."""
    found = IdSet()
    for cn in cns:
        found.add(own(box), cn)
    return found.encode()


def given(box: Harness, *ids_: int) -> bytes:
    return seen(box, *ids_)


# ---------------------------------------------------------------------------------------------- messages


def test_everything_and_nothing(box: Harness) -> None:
    assert told(changes(box)) == {}
    first, second = box.append(mail(1)), box.append(mail(2), flags=pages.SEEN)
    hidden = save(box, {p.PidTagSubject: "fai"}, associated=True)
    found = changes(box)
    assert found.changed == [
        (hidden.mid, hidden.cn, found.changed[0][2], True), (first.mid, first.cn, len(mail(1)), False),
        (second.mid, second.cn, len(mail(2)), False),
    ]  # fmt: skip
    assert ids(found.state.given) == sorted([first.mid, second.mid, hidden.mid])
    for name in ("seen", "seen_fai", "read"):
        assert list(IdSet.decode_replguid(getattr(found.state, name)).ranges()) == [(own(box), 1, hidden.cn)]
    again = changes(box, found.state)
    assert told(again) == {}
    assert again.state == found.state


def test_what_is_asked_for(box: Harness) -> None:
    message, hidden = box.append(mail(1)), save(box, {p.PidTagSubject: "fai"}, associated=True)
    normal = changes(box, flags=s.NORMAL)
    assert mids(normal) == [message.mid]
    assert (normal.state.seen_fai, normal.state.read) == (b"", b"")
    associated = changes(box, flags=s.ASSOCIATED)
    assert mids(associated) == [hidden.mid]
    assert (associated.state.seen, associated.state.read) == (b"", b"")
    box.call(o.DeleteMessages(INBOX, [message.mid]))
    assert told(changes(box, normal.state, s.NORMAL)) == {"deleted": [message.mid]}
    assert told(changes(box, associated.state, s.ASSOCIATED)) == {}


def test_new_ones_first(box: Harness) -> None:
    stored = [box.call(c.Append(INBOX, c.NewMessage(new(mail(n)).digest, mail(n), at), b"")).mid
              for n, at in ((1, 300), (2, 100), (3, 200))]  # fmt: skip
    assert mids(changes(box)) == stored
    assert mids(changes(box, flags=WHAT | s.BY_DELIVERY_TIME)) == [stored[0], stored[2], stored[1]]


def test_changes_of_all_kinds(box: Harness) -> None:
    first, second, third = (box.append(mail(n)) for n in (1, 2, 3))
    hidden = save(box, {p.PidTagSubject: "fai"}, associated=True)
    state = changes(box).state
    box.call(c.SetFlags(INBOX, [(first.uid, first.uid)], c.ADD, pages.FLAGGED))
    assert told(changes(box, state)) == {"changed": [first.mid]}
    change(box, hidden, {p.PidTagSubject: "changed"})
    box.call(c.Expunge(INBOX, [(second.uid, second.uid)], False))
    box.call(c.CopyMessages(INBOX, [(third.uid, third.uid)], SENT, True, b""))
    later = changes(box, state)
    assert told(later) == {"changed": [hidden.mid, first.mid], "deleted": [second.mid, third.mid]}
    assert told(changes(box, later.state)) == {}
    assert sorted(ids(later.state.given)) == sorted([first.mid, hidden.mid])


def test_single_change_numbers(box: Harness) -> None:
    """The state of a client that was interrupted, or that uploaded."""
    stored = [box.append(mail(n)) for n in range(6)]
    state = s.State(given(box, stored[1].mid, stored[4].mid), seen(box, stored[1].cn, stored[4].cn))
    found = changes(box, state)
    assert mids(found) == [stored[n].mid for n in (0, 2, 3, 5)]
    assert ids(found.state.given) == [one.mid for one in stored]
    box.call(o.DeleteMessages(INBOX, [stored[4].mid]))
    assert told(changes(box, state)) == {
        "changed": [stored[n].mid for n in (0, 2, 3, 5)], "deleted": [stored[4].mid]
    }  # fmt: skip


def test_other_replicas_numbers_are_kept(box: Harness) -> None:
    stored = box.append(mail(1))
    other = IdSet()
    other.add(FOREIGN, 77)
    found = changes(box, s.State(seen=other.encode()))
    assert mids(found) == [stored.mid]
    assert IdSet.decode_replguid(found.state.seen).has(FOREIGN, 77)


# ---------------------------------------------------------------------------------------------- what went


def test_deleted_in_every_way(box: Harness) -> None:
    stored = [box.append(mail(n)).mid for n in range(5)]
    hidden = [save(box, {p.PidTagSubject: "fai"}, associated=True).mid for _ in range(2)]
    state = changes(box).state
    box.call(o.DeleteMessages(INBOX, [stored[0], hidden[0]]))
    box.call(o.DeleteMessages(INBOX, [stored[1], hidden[1]], True))
    box.call(c.Expunge(INBOX, [(3, 3)], False))
    box.call(o.TransferMessages(INBOX, [stored[3]], SENT, True, b""))
    found = changes(box, state)
    assert told(found) == {"deleted": sorted([*stored[:4], *hidden])}
    assert ids(found.state.given) == [stored[4]]


def test_recovered(box: Harness) -> None:
    mid = box.append(mail(1)).mid
    state = changes(box).state
    box.call(o.DeleteMessages(INBOX, [mid]))
    state = changes(box, state).state
    back = box.call(o.TransferMessages(INBOX, [mid], INBOX, True, b"")).pairs[0][1]
    assert told(changes(box, state)) == {"changed": [back]}


@pytest.mark.parametrize("pruned", [False, True])
def test_tombstones_or_all_that_is_there(box: Harness, pruned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = [box.append(mail(n)).mid for n in range(4)]
    state = changes(box).state
    box.call(o.DeleteMessages(INBOX, [stored[2]], True))
    if pruned:
        box.db.execute("DELETE FROM tombstones")
        box.db.execute("UPDATE folders SET pruned_cn=cn WHERE fid=?", (INBOX,))
    else:
        monkeypatch.setattr(sync._Contents, "_there", lambda self: pytest.fail("all that is there"))
    assert told(changes(box, state)) == {"deleted": [stored[2]]}


def test_deletions_that_were_not_asked_for_come_later(box: Harness) -> None:
    stored = [box.append(mail(n)).mid for n in range(3)]
    box.call(o.DeleteMessages(INBOX, [stored[1]], True))
    state = s.State(given(box, *stored))
    silent = changes(box, state, WHAT | s.NO_DELETIONS)
    assert told(silent) == {"changed": [stored[0], stored[2]]}
    assert ids(silent.state.given) == stored
    assert told(changes(box, silent.state)) == {"deleted": [stored[1]]}


# ---------------------------------------------------------------------------------------------- read marks


def test_read_marks(box: Harness) -> None:
    stored = [box.append(mail(n)) for n in range(4)]
    state = changes(box).state
    box.call(o.SetReadState(INBOX, [stored[0].mid], True))
    box.call(c.SetFlags(INBOX, [(2, 2)], c.ADD, pages.SEEN))
    box.call(c.SetFlags(INBOX, [(3, 3)], c.ADD, pages.SEEN | pages.FLAGGED))
    found = changes(box, state)
    assert told(found) == {"changed": [stored[2].mid], "read": [stored[0].mid, stored[1].mid]}
    assert told(changes(box, state, s.NORMAL)) == {"changed": [stored[2].mid]}
    assert told(changes(box, found.state)) == {}
    done = box.call(o.SetReadState(INBOX, [stored[1].mid], False))
    assert told(changes(box, found.state)) == {"unread": [stored[1].mid]}
    own_mark = s.State(found.state.given, found.state.seen, found.state.seen_fai, plus(box, found.state.read, done.cn))
    assert told(changes(box, own_mark)) == {}


def plus(box: Harness, octets: bytes, cn: int) -> bytes:
    """A CNSET with one change number more."""
    found = IdSet.decode_replguid(octets)
    found.add(own(box), cn)
    return found.encode()


class Public:
    """A public store with a folder for everybody."""

    def __init__(self, folder: Path) -> None:
        self.direct = DirectStore(str(folder), {"box": "example.test"})
        self.fid = self(h.MakeFolder(0x02, "Shared", {}, b"")).fid

    def __call__(self, call: c.Call[Any], actor: str = SYSTEM) -> Any:
        return self.direct.call(MailboxRef("box"), call, actor=actor)

    def changes(self, actor: str, state: s.State | None = None) -> s.ContentChanges:
        found: s.ContentChanges = self(s.GetContentChanges(self.fid, state or s.State(), WHAT), actor)
        return found


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Public]:
    made = Public(tmp_path)
    yield made
    made.direct.close()


def test_everybodys_own_read_marks(public: Public) -> None:
    stored = [public(c.Append(public.fid, new(mail(n)), b"")).mid for n in range(3)]
    alice, bob = public.changes(ALICE).state, public.changes(BOB).state
    public(o.SetReadState(public.fid, stored[:2], True), ALICE)
    found = public.changes(ALICE, alice)
    assert told(found) == {"read": stored[:2]}
    assert told(public.changes(BOB, bob)) == {}
    public(o.SetReadState(public.fid, [stored[0]], False), ALICE)
    assert told(public.changes(ALICE, found.state)) == {"unread": [stored[0]]}
    public(o.DeleteMessages(public.fid, [stored[1]]))
    assert told(public.changes(ALICE, alice)) == {"unread": [stored[0]], "deleted": [stored[1]]}


# ---------------------------------------------------------------------------------------------- restrictions


def test_in_and_out_of_scope(box: Harness) -> None:
    wanted = encode_restriction(Content(1, 1, p.PidTagSubject, "yes"))
    first, second = save(box, {p.PidTagSubject: "yes 1"}), save(box, {p.PidTagSubject: "no 2"})
    found = changes(box, restriction=wanted)
    assert (mids(found), ids(found.state.given)) == ([first.mid], [first.mid])
    change(box, first, {p.PidTagSubject: "no 1"})
    change(box, second, {p.PidTagSubject: "yes 2"})
    later = changes(box, found.state, restriction=wanted)
    assert told(later) == {"changed": [second.mid], "out_of_scope": [first.mid]}
    assert ids(later.state.given) == [second.mid]
    silent = changes(box, found.state, WHAT | s.IGNORE_OUT_OF_SCOPE, restriction=wanted)
    assert told(silent) == {"changed": [second.mid]}
    assert ids(silent.state.given) == [first.mid, second.mid]
    box.call(o.DeleteMessages(INBOX, [second.mid]))
    assert told(changes(box, later.state, restriction=wanted)) == {"deleted": [second.mid]}


def test_read_marks_change_the_scope(box: Harness) -> None:
    unread = encode_restriction(BitMask(0, p.PidTagMessageFlags, 1))
    first, second = box.append(mail(1)), box.append(mail(2), flags=pages.SEEN)
    found = changes(box, restriction=unread)
    assert mids(found) == [first.mid]
    box.call(o.SetReadState(INBOX, [first.mid], True))
    box.call(o.SetReadState(INBOX, [second.mid], False))
    assert told(changes(box, found.state, restriction=unread)) == {
        "changed": [second.mid], "out_of_scope": [first.mid]
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------- refusals


def test_refused(box: Harness) -> None:
    for bad in (s.State(given=b"x"), s.State(seen=b"y" * 20), s.State(read=b"\0" * 16 + b"\x07")):
        assert box.refused(s.GetContentChanges(INBOX, bad, WHAT)) == Ec.ecInvalidParam
    assert box.refused(s.GetHierarchyChanges(IPM, s.State(given=b"x"))) == Ec.ecInvalidParam
    assert box.refused(s.GetContentChanges(INBOX, s.State(), WHAT, b"\xff")) == Ec.ecInvalidParam
    assert box.refused(s.GetContentChanges(0x999, s.State(), WHAT)) == Ec.ecNotFound
    assert box.refused(s.GetContentChanges(INBOX, s.State(), WHAT), actor=BOB) == Ec.ecAccessDenied
    assert box.refused(s.GetHierarchyChanges(0x999, s.State())) == Ec.ecNotFound


def test_search_folders_are_not_synchronised(box: Harness) -> None:
    state = box.call(s.GetHierarchyChanges(IPM, s.State())).state
    made = box.call(h.MakeFolder(IPM, "Search", {}, b"", search=True))
    assert box.refused(s.GetContentChanges(made.fid, s.State(), WHAT)) == Ec.ecNotSupported
    assert box.call(s.GetHierarchyChanges(IPM, state)).changed == []


# ---------------------------------------------------------------------------------------------- folders


def folders(box: Harness, state: s.State | None = None, top: int = IPM, actor: str = SYSTEM) -> s.HierarchyChanges:
    found: s.HierarchyChanges = box.call(s.GetHierarchyChanges(top, state or s.State()), actor=actor)
    return found


def make_folder(box: Harness, name: str, parent: int = IPM) -> int:
    fid: int = box.call(h.MakeFolder(parent, name, {}, b"")).fid
    return fid


def test_the_hierarchy(box: Harness) -> None:
    first = folders(box)
    fids = [fid for fid, _ in first.changed]
    assert IPM not in fids
    assert fids.index(0x19) < fids.index(0x1A)
    assert sorted(fids) == ids(first.state.given)
    a = make_folder(box, "A")
    b = make_folder(box, "B", a)
    second = folders(box, first.state)
    assert [fid for fid, _ in second.changed] == [a, b]
    assert folders(box, second.state).changed == []
    box.call(h.SetFolderProps(b, {p.PidTagComment: "x"}))
    assert [fid for fid, _ in folders(box, second.state).changed] == [b]
    box.call(h.RemoveFolder(a, True, True, b""))
    third = folders(box, second.state)
    assert (third.changed, ids(third.deleted)) == ([], [a, b])
    box.call(h.TransferFolder(a, IPM, "", False, b""))
    assert [fid for fid, _ in folders(box, third.state).changed] == [a, b]


def test_what_moves_into_the_scope_comes_with_its_folders(box: Harness) -> None:
    a, b = make_folder(box, "A"), make_folder(box, "B")
    below = make_folder(box, "C", b)
    state = folders(box, top=a).state
    box.call(h.TransferFolder(b, a, "", False, b""))
    found = folders(box, state, top=a)
    assert [fid for fid, _ in found.changed] == [b, below]
    box.call(h.TransferFolder(b, IPM, "", False, b""))
    assert ids(folders(box, found.state, top=a).deleted) == [b, below]


def test_folders_that_are_shown(box: Harness) -> None:
    a = make_folder(box, "A")
    b = make_folder(box, "B", a)
    assert box.refused(s.GetHierarchyChanges(IPM, s.State()), actor="") == Ec.ecAccessDenied
    box.call(x.ModifyPermissions(b, [x.PermissionChange(x.ADD, name=BOB, rights=0x401)]), actor=OWNER)
    shared = folders(box, actor=BOB)
    assert [fid for fid, _ in shared.changed] == [CALENDAR]
    state = shared.state
    box.call(x.ModifyPermissions(a, [x.PermissionChange(x.ADD, name=BOB, rights=0x400)]), actor=OWNER)
    found = folders(box, state, actor=BOB)
    assert [fid for fid, _ in found.changed] == [a, b]
    box.call(x.ModifyPermissions(a, [x.PermissionChange(x.ADD, name=BOB, rights=0)]), actor=OWNER)
    assert ids(folders(box, found.state, actor=BOB).deleted) == [a, b]


# ---------------------------------------------------------------------------------------------- source keys


def test_source_keys(box: Harness) -> None:
    own_message = box.append(mail(1))
    key = gid(FOREIGN, 9)
    foreign = save(box, {p.PidTagSubject: "a"}, imported=o.Imported(key, key, b"", 1))
    keys = [gid(own(box), own_message.mid), key, gid(own(box), INBOX)]
    assert box.call(s.GetSourceKeys([own_message.mid, foreign.mid, INBOX])) == keys
    assert box.call(s.FindSourceKeys([*keys, gid(FOREIGN, 1), gid(own(box), 0x999)])) == [
        own_message.mid, foreign.mid, INBOX, 0, 0
    ]  # fmt: skip
    found = changes(box)
    assert IdSet.decode_replguid(found.state.given).replicas == sorted([own(box), FOREIGN])
    box.call(o.DeleteMessages(INBOX, [foreign.mid]))
    assert box.call(s.FindSourceKeys([key])) == [0]
    gone = IdSet.decode_replguid(changes(box, found.state).deleted)
    assert list(gone.ranges()) == [(FOREIGN, 9, 9)]
    assert gid_parse(key) == (FOREIGN, 9)


def test_source_keys_of_many(box: Harness) -> None:
    """More foreign objects than are looked up one by one."""
    made = [
        save(box, {p.PidTagSubject: "a"}, imported=o.Imported(gid(FOREIGN, n), gid(FOREIGN, n), b"", 1))
        for n in range(2, 60, 2)
    ]
    keys = sync.SourceKeys(box.db, identity.load(box.db))
    expected = IdSet()
    expected.update(FOREIGN, range(2, 60, 2))
    wanted = [one.mid for one in made]
    assert keys.idset(wanted) == expected
    ranges, sync.FEW_RANGES = sync.FEW_RANGES, 0
    try:
        assert keys.idset(wanted) == expected
    finally:
        sync.FEW_RANGES = ranges


def test_large_folders_are_read_on_a_thread(box: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    call = s.GetContentChanges(INBOX, s.State(), WHAT)
    assert not box.box.is_long(call)
    monkeypatch.setattr(sync, "INLINE_MESSAGES", 2)
    box.fill(3)
    assert box.box.is_long(call)
    assert len(changes(box).changed) == 3
    box.call(c.Expunge(INBOX, ALL, False))
