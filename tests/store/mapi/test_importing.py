"""What synchronising clients upload ([MS-OXCFXICS] 3.2.5.9.4): folders, deletions, moves, read marks; conflicts."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import pages
from gromoxd.exmdb import storecalls as st
from gromoxd.exmdb import sync as s
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import gid, pcl_add, pcl_decode, pcl_encode
from store.mapi import conflicts
from tests.store.conftest import INBOX, OWNER, SENT, Harness, mail
from tests.store.mapi.objects import bag, change, check_references, flags, listed, person, recipients, save, unlisted
from tests.store.mapi.test_sync import changes, ids, plus, told

A, B = b"replica A, 16 o.", b"replica B, 16 o."
IPM, CONFLICTS = 0x09, 0x1A
BOB = "bob@example.test"
EARLY, LATE = 1, 150_000_000_000_000_000
NUMBERS = p.PidTagChangeKey, p.PidTagPredecessorChangeList


def own(box: Harness) -> bytes:
    guid: bytes = box.sql("SELECT guid FROM mailbox")[0][0]
    return guid


def reserved(box: Harness) -> bytes:
    """The source key of an id of the client's."""
    return gid(own(box), box.call(st.ReserveIds(1)).first)


def pcl(*keys: bytes) -> bytes:
    found: dict[bytes, bytes] = {}
    for key in keys:
        found = pcl_add(found, key)
    return pcl_encode(found)


def numbers(octets: bytes) -> dict[bytes, int]:
    return {guid: int.from_bytes(local, "big") for guid, local in pcl_decode(octets).items()}


def versions(box: Harness, fid: int) -> tuple[bytes, dict[bytes, int]]:
    """Change key and predecessors of a folder."""
    props = box.call(h.GetFolderProps(fid, list(NUMBERS)))
    return props[p.PidTagChangeKey], numbers(props[p.PidTagPredecessorChangeList])


def folder(box: Harness, key: bytes, version: int, name: str, parent: int = IPM, **more: Any) -> s.ImportFolder:
    """A folder's version that replica A made, out of others."""
    change_key = gid(A, version)
    of = more.pop("of", ())
    return s.ImportFolder(parent, key, change_key, pcl(change_key, *of), more.pop("at", LATE), name, {})


def named(box: Harness, fid: int) -> tuple[int, str]:
    found: tuple[int, str] = box.sql("SELECT parent_fid, name FROM folders WHERE fid=?", fid)[0]
    return found


# ---------------------------------------------------------------------------------------------- folders


def test_a_new_folder(box: Harness) -> None:
    key = reserved(box)
    call = s.ImportFolder(
        IPM, key, gid(A, 1), pcl(gid(A, 1), gid(B, 4)), LATE, "New",
        {p.PidTagContainerClass: "IPF.Task", p.PidTagComment: "hello", p.PidTagDisplayName: "other"},
    )  # fmt: skip
    made = box.call(call)
    assert gid(own(box), made.fid) == key
    assert (made.ignored, made.conflict) == (False, False)
    assert versions(box, made.fid) == (gid(A, 1), {A: 1, B: 4})
    props = box.call(h.GetFolderProps(made.fid))
    assert (props[p.PidTagDisplayName], props[p.PidTagContainerClass], props[p.PidTagComment]) == (
        "New", "IPF.Task", "hello"
    )  # fmt: skip
    assert props[p.PidTagLastModificationTime] == LATE
    assert box.call(call) == s.ImportedFolder(made.fid, made.cn, True)
    assert "New" in [f.path for f in box.call(c.ListFolders()).folders]


def test_a_folder_of_another_replica(box: Harness) -> None:
    made = box.call(folder(box, gid(B, 7), 1, "New"))
    assert box.call(s.FindSourceKeys([gid(B, 7)])) == [made.fid]
    assert box.call(h.GetFolderProps(made.fid, [p.PidTagSourceKey]))[p.PidTagSourceKey] == gid(B, 7)


def test_a_changed_folder(box: Harness) -> None:
    a, b = (box.call(h.MakeFolder(IPM, name, {}, b"")) for name in "AB")
    key = gid(own(box), a.fid)
    base = gid(own(box), a.cn)
    done = box.call(folder(box, key, 1, "Moved", b.fid, of=[base]))
    assert named(box, a.fid) == (b.fid, "Moved")
    assert versions(box, a.fid) == (gid(A, 1), {A: 1, own(box): a.cn})
    assert done.cn == box.sql("SELECT changed_cn FROM folders WHERE fid=?", a.fid)[0][0]
    here = box.call(h.SetFolderProps(a.fid, {p.PidTagDisplayName: "Here"})).cn
    assert versions(box, a.fid) == (gid(own(box), here), {A: 1, own(box): here})


@pytest.mark.parametrize(("at", "wins"), [(LATE, True), (EARLY, False)])
def test_a_folder_in_conflict(box: Harness, at: int, wins: bool) -> None:
    made = box.call(folder(box, gid(B, 7), 1, "Base", at=EARLY))
    here = box.call(h.SetFolderProps(made.fid, {p.PidTagDisplayName: "Here"})).cn
    done = box.call(folder(box, gid(B, 7), 2, "There", at=at))
    assert (done.conflict, done.ignored) == (True, not wins)
    assert named(box, made.fid) == (IPM, "There" if wins else "Here")
    key, merged = versions(box, made.fid)
    assert key == (gid(A, 2) if wins else gid(own(box), done.cn))
    assert merged == {A: 2, own(box): here if wins else done.cn}
    assert done.cn > here


def test_folders_that_find_no_place(box: Harness) -> None:
    a, b = (box.call(h.MakeFolder(IPM, name, {}, b"")).fid for name in "AB")
    key, base = gid(own(box), a), gid(own(box), box.sql("SELECT max(changed_cn) FROM folders")[0][0])
    below = box.call(h.MakeFolder(a, "C", {}, b"")).fid
    for call, code in (
        (folder(box, gid(B, 1), 1, "b"), Ec.ecDuplicateName),
        (folder(box, key, 1, "B", of=[base]), Ec.ecDuplicateName),
        (folder(box, key, 1, "A", below, of=[base]), Ec.ecFolderCycle),
        (folder(box, key, 1, "A", 0x999, of=[base]), Ec.ecNotFound),
        (folder(box, gid(B, 1), 1, "New", 0x999), Ec.ecNotFound),
        (folder(box, gid(B, 1), 1, ""), Ec.ecInvalidParam),
        (folder(box, b"short", 1, "New"), Ec.ecInvalidParam),
        (folder(box, gid(own(box), 0), 1, "New"), Ec.ecInvalidParam),
        (folder(box, gid(own(box), 1 << 47), 1, "New"), Ec.ecInvalidParam),
        (folder(box, gid(own(box), INBOX), 1, "New", of=[base]), Ec.ecRootFolder),
    ):
        before = box.sql("SELECT * FROM folders ORDER BY fid")
        assert box.refused(call) == code
        assert box.sql("SELECT * FROM folders ORDER BY fid") == before
        assert box.box._runner.tx.state.folders[a].name == "A"
    assert named(box, b) == (IPM, "B")


def test_a_folder_that_was_deleted(box: Harness) -> None:
    made = box.call(folder(box, gid(B, 7), 1, "New"))
    for hard in (False, True):
        box.call(h.RemoveFolder(made.fid, True, True, b"", hard))
        assert box.refused(folder(box, gid(B, 7), 2, "Again")) == Ec.ecObjectDeleted


def test_a_refused_change_leaves_the_state_as_it_was(box: Harness) -> None:
    made = box.call(folder(box, gid(B, 7), 1, "Base"))
    large = s.ImportFolder(
        IPM, gid(B, 7), gid(A, 2), pcl(gid(A, 2)), LATE, "Large", {p.PidTagComment: "x" * (2 << 20)}
    )  # fmt: skip
    assert box.refused(large) == Ec.ecTooBig
    assert box.box._runner.tx.state.folders[made.fid].name == "Base"
    assert box.call(folder(box, gid(B, 7), 2, "Small")).ignored is False
    assert named(box, made.fid) == (IPM, "Small")


# ---------------------------------------------------------------------------------------------- deletions


def test_messages_are_deleted(box: Harness) -> None:
    stored = [box.append(mail(n)).mid for n in range(3)]
    hidden = save(box, {p.PidTagSubject: "fai"}, associated=True).mid
    keys = [gid(own(box), mid) for mid in (*stored[:2], hidden)]
    assert box.call(s.ImportDeletes(INBOX, keys)).partial is False
    assert [unlisted(box, mid)["kind"] for mid in (*stored[:2], hidden)] == [2, 2, 3]
    assert box.call(s.ImportDeletes(INBOX, keys)) == o.Partial(False, 0)
    assert [unlisted(box, mid)["kind"] for mid in stored[:2]] == [2, 2]
    box.call(s.ImportDeletes(INBOX, [gid(own(box), stored[2])], hard=True))
    assert box.sql("SELECT count(*) FROM messages") == [(0,)]
    assert unlisted(box, stored[2]) == {}
    check_references(box)


def test_what_was_never_here_does_not_come_later(box: Harness) -> None:
    foreign, key = gid(B, 9), reserved(box)
    done = box.call(s.ImportDeletes(INBOX, [foreign, key]))
    assert done.cn == box.state(INBOX).cn
    for one in (foreign, key):
        late = o.SaveMessage(INBOX, 0, 0, o.Changes(), b"", imported=o.Imported(one, gid(A, 1), b"", LATE))
        assert box.refused(late) == Ec.ecObjectDeleted
    assert box.call(s.ImportDeletes(INBOX, [foreign, key])).cn == 0
    assert box.call(s.ImportDeletes(INBOX, [gid(own(box), 1 << 47), gid(own(box), IPM)])).cn == 0
    box.call(s.ImportDeletes(IPM, [gid(B, 10)], True))
    assert box.refused(folder(box, gid(B, 10), 1, "Late")) == Ec.ecObjectDeleted


def test_folders_are_deleted(box: Harness) -> None:
    a, b = (box.call(h.MakeFolder(IPM, name, {}, b"")).fid for name in "AB")
    below = box.call(h.MakeFolder(a, "C", {}, b"")).fid
    box.append(mail(1), a)
    keys = [gid(own(box), fid) for fid in (a, below)]
    assert box.call(s.ImportDeletes(b, keys, True)).cn == 0
    assert box.call(s.ImportDeletes(IPM, keys, True)).partial is False
    assert box.sql("SELECT fid FROM folders WHERE fid IN (?,?,?)", a, b, below) == [(b,)]
    assert box.sql("SELECT count(*) FROM deleted_folders") == [(2,)]
    assert box.refused(s.ImportDeletes(IPM, [gid(own(box), b), gid(own(box), INBOX)], True)) == Ec.ecRootFolder
    assert named(box, b) == (IPM, "B")


def test_all_or_nothing(box: Harness) -> None:
    """[MS-OXCFXICS] 3.2.5.9.4.5: what will not succeed is not begun."""
    box.call(x.ModifyPermissions(INBOX, [x.PermissionChange(x.ADD, name=BOB, rights=0x413)]), actor=OWNER)
    theirs = box.append(mail(1)).mid
    mine = save(box, {p.PidTagSubject: "mine"}, actor=BOB).mid
    keys = [gid(own(box), mid) for mid in (mine, theirs)]
    assert box.refused(s.ImportDeletes(INBOX, keys), actor=BOB) == Ec.ecAccessDenied
    assert listed(box, mine)
    box.call(s.ImportDeletes(INBOX, keys[:1]), actor=BOB)
    assert listed(box, mine) == {}
    assert box.refused(s.ImportDeletes(SENT, keys), actor=BOB) == Ec.ecAccessDenied


# ---------------------------------------------------------------------------------------------- moves


def move(box: Harness, mid: int, version: int, *of: bytes, key: bytes = b"", **more: Any) -> s.ImportMove:
    return s.ImportMove(
        more.pop("source", INBOX), gid(own(box), mid), SENT, key or reserved(box), gid(A, version),
        pcl(gid(A, version), *of), more.pop("request_id", b""),
    )  # fmt: skip


def test_a_move(box: Harness) -> None:
    stored = box.append(mail(1), flags=pages.FLAGGED)
    call = move(box, stored.mid, 1, gid(own(box), stored.cn), request_id=b"one")
    moved = box.call(call)
    assert gid(own(box), moved.mid) == call.new_source_key
    assert (moved.fid, moved.conflict) == (SENT, False)
    assert (listed(box, stored.mid), listed(box, moved.mid)["flags"]) == ({}, pages.FLAGGED)
    read = box.call(o.OpenMessage(moved.mid, tags=list(NUMBERS)))
    assert read.props[p.PidTagChangeKey] == gid(A, 1)
    assert numbers(read.props[p.PidTagPredecessorChangeList]) == {A: 1, own(box): stored.cn}
    assert box.call(call) == moved
    assert box.contents(SENT) == {1: mail(1)}
    check_references(box)


def test_a_move_of_what_changed_here(box: Harness) -> None:
    stored = box.append(mail(1))
    box.call(c.SetFlags(INBOX, [(1, 1)], c.ADD, pages.FLAGGED))
    moved = box.call(move(box, stored.mid, 1, gid(own(box), stored.cn)))
    assert moved.conflict is True
    read = box.call(o.OpenMessage(moved.mid, tags=list(NUMBERS)))
    assert numbers(read.props[p.PidTagPredecessorChangeList]) == {A: 1, own(box): stored.cn + 1}


def test_a_read_mark_from_before_a_move_is_told(box: Harness) -> None:
    stored = box.append(mail(1))
    box.call(o.SetReadState(INBOX, [stored.mid], True))
    moved = box.call(move(box, stored.mid, 1, gid(own(box), stored.cn)))
    assert moved.conflict is False
    row = listed(box, moved.mid)
    assert (row["cn"], row["modseq"] > row["cn"], row["flags"]) == (moved.cn, True, pages.SEEN)


def test_an_associated_message_is_moved(box: Harness) -> None:
    hidden = save(box, {p.PidTagSubject: "fai"}, associated=True)
    moved = box.call(move(box, hidden.mid, 1, gid(own(box), hidden.cn)))
    assert (unlisted(box, moved.mid)["fid"], unlisted(box, moved.mid)["kind"], moved.uid) == (SENT, 1, 0)


def test_moves_that_are_refused(box: Harness) -> None:
    stored, other = box.append(mail(1)), box.append(mail(2))
    gone = box.append(mail(3), SENT)
    box.call(o.DeleteMessages(SENT, [gone.mid], True))
    for call, code in (
        (move(box, 0x999, 1), Ec.ecNotFound),
        (move(box, stored.mid, 1, source=SENT), Ec.ecNotFound),
        (move(box, stored.mid, 1, key=gid(own(box), other.mid)), Ec.ecDuplicateName),
        (move(box, stored.mid, 1, key=gid(own(box), gone.mid)), Ec.ecObjectDeleted),
        (move(box, stored.mid, 1, key=gid(own(box), 0)), Ec.ecInvalidParam),
        (move(box, stored.mid, 1, key=gid(own(box), 1 << 47)), Ec.ecInvalidParam),
    ):
        assert box.refused(call) == code
    assert listed(box, stored.mid)["fid"] == INBOX


def test_a_foreign_message_that_was_moved_stays_deleted_where_it_was(box: Harness) -> None:
    key = gid(B, 5)
    first = save(box, {p.PidTagSubject: "a"}, imported=o.Imported(key, gid(A, 1), b"", LATE))
    state = changes(box).state
    moved = box.call(
        s.ImportMove(INBOX, key, SENT, gid(B, 6), gid(A, 2), pcl(gid(A, 2)), b"")
    )  # fmt: skip
    assert box.call(s.FindSourceKeys([key, gid(B, 6)])) == [0, moved.mid]
    assert ids(changes(box, state).deleted) == [5]
    late = o.SaveMessage(INBOX, 0, 0, o.Changes(), b"", imported=o.Imported(key, gid(A, 3), b"", LATE))
    assert box.refused(late) == Ec.ecObjectDeleted
    assert first.mid != moved.mid


# ---------------------------------------------------------------------------------------------- read marks


def test_read_marks(box: Harness) -> None:
    stored = [box.append(mail(n)) for n in range(3)]
    box.call(o.SetReadState(INBOX, [stored[2].mid], True))
    hidden = save(box, {p.PidTagSubject: "fai"}, associated=True)
    keys = [gid(own(box), one.mid) for one in (*stored, hidden)]  # type: ignore[attr-defined]
    state = changes(box).state
    done = box.call(s.ImportReadState(INBOX, [(keys[0], True), (keys[2], False), (keys[3], False), (gid(B, 1), True)]))
    assert [word & pages.SEEN for word in box.flags(INBOX).values()] == [1, 0, 0]
    assert listed(box, stored[2].mid)["modseq"] == done.cn
    assert told(changes(box, state)) == {"read": [stored[0].mid], "unread": [stored[2].mid]}
    assert box.call(s.ImportReadState(INBOX, [(keys[0], True)])).cn == 0


# ---------------------------------------------------------------------------------------------- conflicts


def imported(box: Harness, version: int, subject: str, at: int, **more: Any) -> o.Saved:
    """Replica A's version of a message, as whole as it has it."""
    key = gid(A, version)
    how = o.Imported(gid(B, 5), key, pcl(key), at, more.pop("fail", False))
    return save(box, {p.PidTagSubject: subject}, imported=how, **more)


def conflict(box: Harness, at: int, **more: Any) -> o.Saved:
    first = imported(box, 1, "base", EARLY, **more)
    change(box, first, {p.PidTagSubject: "here"})
    return imported(box, 2, "there", at, **more)


def kept(box: Harness) -> list[int]:
    return [mid for (mid,) in box.sql("SELECT mid FROM messages WHERE fid=?", CONFLICTS)]


@pytest.mark.parametrize(("at", "winner", "loser"), [(LATE, "there", "here"), (EARLY, "here", "there")])
def test_what_loses_is_kept(box: Harness, at: int, winner: str, loser: str) -> None:
    attachment = [o.AttachmentChange(0, set={p.PidTagAttachDataBinary: b"data"})]
    done = conflict(box, at, recipients=[person("x@example.org")], attachments=attachment)
    assert (done.conflict, done.ignored) == (True, winner == "here")
    assert bag(box, done.mid)[p.PidTagSubject] == winner
    [mid] = kept(box)
    assert bag(box, mid)[p.PidTagSubject] == loser
    assert [one[p.PidTagEmailAddress] for one in recipients(box, mid)] == ["x@example.org"]
    assert len(box.call(o.OpenMessage(mid)).attachments) == 1
    if winner == "here":
        row = listed(box, mid)
        assert flags(box, o.Saved(CONFLICTS, mid, row["uid"], row["cn"])) == (pages.SEEN, [])
    check_references(box)


def test_fail_on_conflict_keeps_nothing(box: Harness) -> None:
    first = imported(box, 1, "base", EARLY)
    change(box, first, {p.PidTagSubject: "here"})
    done = imported(box, 2, "there", LATE, fail=True)
    assert (done.conflict, done.ignored) == (True, True)
    assert bag(box, done.mid)[p.PidTagSubject] == "here"
    assert kept(box) == []


def test_associated_messages_are_not_kept(box: Harness) -> None:
    done = conflict(box, LATE, associated=True)
    assert (done.conflict, bag(box, done.mid)[p.PidTagSubject]) == (True, "there")
    assert kept(box) == []


def test_the_last_writer_wins_where_the_folder_says_so(box: Harness) -> None:
    box.call(h.SetFolderProps(INBOX, {p.PidTagResolveMethod: conflicts.LAST_WRITER_WINS}))
    assert bag(box, conflict(box, LATE).mid)[p.PidTagSubject] == "there"
    assert kept(box) == []


def test_a_delegate_needs_no_right_on_the_folder_of_conflicts(box: Harness) -> None:
    box.call(x.ModifyPermissions(INBOX, [x.PermissionChange(x.ADD, name=BOB, rights=0x47B)]), actor=OWNER)
    for at in (LATE, EARLY):
        conflict(box, at, actor=BOB)
        box.call(o.DeleteMessages(INBOX, [mid for (mid,) in box.sql("SELECT mid FROM messages WHERE fid=?", INBOX)]))
        box.db.execute("DELETE FROM source_keys")
    assert len(kept(box)) == 2


def test_no_conflict_is_no_conflict(box: Harness) -> None:
    imported(box, 1, "base", EARLY)
    assert imported(box, 2, "newer", EARLY).conflict is False
    assert (imported(box, 1, "older", LATE).ignored, imported(box, 2, "equal", LATE).ignored) == (True, True)
    assert kept(box) == []


# ---------------------------------------------------------------------------------------------- marks


def test_marks_are_compared_with_the_flags(box: Harness) -> None:
    """PidTagMessageFlags 0 is what the bag has of a changed message, whatever its flags."""
    first = save(box, {p.PidTagSubject: "a", p.PidTagMessageFlags: 0})
    second = change(box, first, {p.PidTagSubject: "b"})
    box.call(c.SetFlags(INBOX, [(second.uid, second.uid)], c.ADD, pages.SEEN | pages.DRAFT))
    third = save(box, {p.PidTagMessageFlags: 0}, INBOX, second.mid, force=True)
    assert flags(box, third) == (0, [])


def test_a_read_mark_from_before_an_import_is_told(box: Harness) -> None:
    first = imported(box, 1, "base", EARLY)
    box.call(o.SetReadState(INBOX, [first.mid], False))
    state = changes(box).state
    box.call(o.SetReadState(INBOX, [first.mid], True))
    second = imported(box, 2, "newer", LATE)
    row = listed(box, first.mid)
    assert (row["cn"], row["modseq"] > row["cn"], row["flags"] & pages.SEEN) == (second.cn, True, pages.SEEN)
    uploaded = s.State(state.given, plus(box, state.seen, second.cn), state.seen_fai, state.read)
    assert told(changes(box, uploaded)) == {"read": [5]}
