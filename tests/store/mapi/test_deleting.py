"""Soft and hard deletion, recovery, retention; copies and moves; read marks; who may do what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import pages
from gromoxd.mapi.proptags import PROP_CREATOR, PidTagBody, PidTagMessageFlags, PidTagSubject
from store import access as a
from store.direct import DictArena
from store.mailbox import Mailbox
from store.settings import StoreSettings
from tests.store.conftest import ALIVE, INBOX, OWNER, SENT, Harness, mail
from tests.store.mapi.objects import bag, change, check_references, counts, listed, save, unlisted

SEEN = pages.SEEN
BOB, EVE = "bob@example.test", "eve@example.test"


def delete(box: Harness, *mids: int, fid: int = INBOX, hard: bool = False, **how: Any) -> o.Partial:
    done: o.Partial = box.call(o.DeleteMessages(fid, list(mids), hard), **how)
    return done


def transfer(box: Harness, *mids: int, fid: int = INBOX, to: int = SENT, move: bool, **how: Any) -> o.Transferred:
    done: o.Transferred = box.call(o.TransferMessages(fid, list(mids), to, move, box.request_id()), **how)
    return done


# ---------------------------------------------------------------------------------------------- deleting


def test_soft_deletion(box: Harness) -> None:
    first, fai = save(box, {PidTagSubject: "a"}), save(box, {PidTagSubject: "fai"}, associated=True)
    kept = save(box, {PidTagSubject: "b"})
    done = delete(box, first.mid, fai.mid)
    assert (done.partial, done.cn) == (False, box.state().cn)
    assert list(box.contents()) == [kept.uid]
    assert box.call(c.GetVanished(INBOX, kept.cn)).uids == [(first.uid, first.uid)]
    assert (unlisted(box, first.mid)["kind"], unlisted(box, fai.mid)["kind"]) == (2, 3)
    row = unlisted(box, first.mid)
    assert (row["cn"], row["time"], row["flags"]) == (first.cn, int(box.clock), 17)
    check_references(box)
    assert counts(box)["content"] == 2
    again = delete(box, first.mid)
    assert not again.partial
    assert unlisted(box, first.mid) == {}
    check_references(box)
    assert counts(box)["content"] == 1


def test_hard_deletion(box: Harness) -> None:
    first, fai = save(box, {PidTagSubject: "a", PidTagBody: "x" * 50_000}), save(box, {}, associated=True)
    delete(box, first.mid, fai.mid, hard=True)
    assert sum(counts(box).values()) == 0
    check_references(box)


def test_what_is_gone_makes_it_partial(box: Harness) -> None:
    first, other = save(box, {}), save(box, {}, SENT)
    assert delete(box, first.mid, other.mid, 12345).partial
    assert listed(box, other.mid)
    assert delete(box, 12345) == o.Partial(True, 0)
    assert box.refused(o.DeleteMessages(0x7777, [1])) == Ec.ecNotFound


def test_delivered_mail_is_deleted_softly(box: Harness) -> None:
    stored = [box.append(mail(n)) for n in range(3)]
    delete(box, stored[0].mid, stored[2].mid)
    assert list(box.contents()) == [2]
    assert box.state().exists == 1
    check_references(box)
    back = transfer(box, stored[0].mid, to=INBOX, move=True)
    assert back.pairs[0][0] == stored[0].mid
    assert list(box.contents().values()) == [mail(1), mail(0)]
    assert unlisted(box, stored[0].mid) == {}
    check_references(box)


def test_retention(make: Callable[..., Harness]) -> None:
    box = make(soft_delete_age=7 * 86400.0)
    old = [save(box, {PidTagSubject: str(n), PidTagBody: "x" * 50_000}) for n in range(3)]
    delete(box, *(m.mid for m in old))
    box.clock += 8 * 86400
    late = save(box, {PidTagSubject: "late"})
    delete(box, late.mid)
    assert unlisted(box, old[0].mid) == {}
    assert unlisted(box, late.mid)["kind"] == 2
    check_references(box)


def test_retention_goes_in_pieces(make: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.upkeep.CHUNK", 2)
    box = make(soft_delete_age=60.0)
    old = [save(box, {PidTagSubject: str(n)}) for n in range(5)]
    delete(box, *(m.mid for m in old))
    left = []
    for seconds in (700, 1, 1):
        box.clock += seconds
        box.append(mail(1))
        left.append(box.sql("SELECT count(*) FROM unlisted")[0][0])
    assert left == [3, 1, 0]


def test_purging(box: Harness) -> None:
    here, there = save(box, {}), save(box, {}, SENT)
    fai = save(box, {}, associated=True)
    delete(box, here.mid)
    delete(box, there.mid, fid=SENT)
    now = int(box.clock)
    assert box.call(o.PurgeDeleted(INBOX, now)) == o.Purged(0, 0)
    assert box.call(o.PurgeDeleted(INBOX, now + 1)) == o.Purged(1, 0)
    assert unlisted(box, there.mid)["kind"] == 2
    assert box.call(o.PurgeDeleted(0, now + 1)) == o.Purged(1, 0)
    assert unlisted(box, fai.mid)["kind"] == 1
    check_references(box)


def test_emptying(box: Harness) -> None:
    fid = box.call(c.CreateFolder("Mine")).fid
    below = box.call(c.CreateFolder("Mine/Below")).fid
    first, fai = save(box, {}, fid), save(box, {}, fid, associated=True)
    save(box, {}, below)
    assert not box.call(o.EmptyFolder(fid)).partial
    assert unlisted(box, first.mid)["kind"] == 2
    assert unlisted(box, fai.mid)["kind"] == 1
    assert below not in {f.fid for f in box.call(c.ListFolders()).folders}
    assert fid in {f.fid for f in box.call(c.ListFolders()).folders}
    save(box, {}, fid)
    box.call(o.EmptyFolder(fid, True, True))
    assert box.sql("SELECT kind FROM unlisted WHERE fid=?", fid) == [(2,)]
    check_references(box)


def test_well_known_subfolders_stay(box: Harness) -> None:
    contacts = 0x13
    save(box, {}, contacts)
    assert box.call(o.EmptyFolder(contacts)).partial
    assert box.state(contacts).exists == 0
    assert 0x14 in {f.fid for f in box.call(c.ListFolders()).folders}


# ---------------------------------------------------------------------------------------------- copies and moves


def test_copy_and_move(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a", PidTagBody: "x" * 50_000, PidTagMessageFlags: 0})
    fai = save(box, {PidTagSubject: "fai"}, associated=True)
    copied = transfer(box, first.mid, fai.mid, 999, move=False)
    assert (copied.partial, [old for old, _ in copied.pairs]) == (True, [first.mid, fai.mid])
    new, new_fai = (mid for _, mid in copied.pairs)
    assert listed(box, new)["fid"] == SENT
    assert listed(box, new)["did"] == listed(box, first.mid)["did"]
    assert (unlisted(box, new_fai)["kind"], unlisted(box, new_fai)["fid"]) == (1, SENT)
    assert (box.state(SENT).exists, box.state(SENT).unseen) == (1, 1)
    check_references(box)
    moved = transfer(box, first.mid, fai.mid, move=True)
    assert not moved.partial
    assert (listed(box, first.mid), unlisted(box, fai.mid)) == ({}, {})
    assert [listed(box, mid)["uid"] for mid in (new, moved.pairs[0][1])] == [1, 2]
    assert box.state(INBOX).exists == 0
    assert box.state(INBOX).cn > first.cn
    assert len(box.contents(SENT)) == 2
    check_references(box)


def test_a_transfer_is_done_once(box: Harness) -> None:
    first = save(box, {})
    call = o.TransferMessages(INBOX, [first.mid], SENT, False, b"once")
    done = box.call(call)
    assert box.call(call) == done
    assert box.state(SENT).exists == 1
    assert box.refused(o.SaveMessage(INBOX, 0, 0, o.Changes(), b"once")) == Ec.ecInvalidParam


def test_associated_messages_come_back(box: Harness) -> None:
    fai = save(box, {PidTagSubject: "fai"}, associated=True)
    delete(box, fai.mid)
    back = transfer(box, fai.mid, to=INBOX, move=True)
    row = unlisted(box, back.pairs[0][1])
    assert (row["kind"], row["time"]) == (1, 0)
    check_references(box)


# ---------------------------------------------------------------------------------------------- read marks


def test_read_marks(box: Harness) -> None:
    mails = [box.append(mail(n), flags=pages.FLAGGED if n % 2 else 0) for n in range(4)]
    before = {m.mid: listed(box, m.mid)["cn"] for m in mails}
    done = box.call(o.SetReadState(INBOX, [mails[3].mid, mails[0].mid, 4711], True))
    assert done.cn == box.state().cn
    assert box.flags() == {1: SEEN, 2: pages.FLAGGED, 3: 0, 4: SEEN | pages.FLAGGED}
    assert {m.mid: listed(box, m.mid)["cn"] for m in mails} == before
    assert listed(box, mails[0].mid)["modseq"] == done.cn
    assert box.state().unseen == 2
    assert box.call(o.SetReadState(INBOX, [mails[0].mid], True)).cn == 0
    box.call(o.SetReadState(INBOX, [m.mid for m in mails], False))
    assert box.state().unseen == 4
    check_references(box)


# ---------------------------------------------------------------------------------------------- rights


def permit(box: Harness, rights: int, member: str = BOB, fid: int = INBOX) -> None:
    box.db.execute("INSERT OR REPLACE INTO permissions VALUES (?,?,?,?)", (fid, member, 100, rights))
    box.reopen()


def test_strangers_may_nothing(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a"}, actor=OWNER)
    before = (box.sql("SELECT * FROM messages"), box.state().cn)
    for call in (
        o.SaveMessage(INBOX, 0, 0, o.Changes({PidTagSubject: "x"}), b"1"),
        o.SaveMessage(INBOX, first.mid, first.cn, o.Changes({PidTagSubject: "x"}), b"2"),
        o.DeleteMessages(INBOX, [first.mid]), o.TransferMessages(INBOX, [first.mid], SENT, False, b"3"),
        o.SetReadState(INBOX, [first.mid], False), o.EmptyFolder(INBOX), o.PurgeDeleted(INBOX, 1),
        o.PurgeDeleted(0, 1), o.SaveMessage(0x7777, 0, 0, o.Changes(), b"4"), o.DeleteMessages(0x7777, [1]),
    ):  # fmt: skip
        assert box.refused(call, actor=BOB) == Ec.ecAccessDenied, call
        assert box.refused(call, actor="") == Ec.ecAccessDenied, call
    assert (box.sql("SELECT * FROM messages"), box.state().cn) == before


def test_own_messages(box: Harness) -> None:
    permit(box, a.READ_ANY | a.CREATE | a.EDIT_OWNED | a.DELETE_OWNED)
    owners = save(box, {PidTagSubject: "a"}, actor=OWNER)
    own = save(box, {PidTagSubject: "b"}, actor=BOB)
    assert bag(box, own.mid)[PROP_CREATOR] == BOB
    changed = change(box, own, {PidTagSubject: "c"}, actor=BOB)
    call = o.SaveMessage(INBOX, owners.mid, owners.cn, o.Changes({PidTagSubject: "x"}), b"1")
    assert box.refused(call, actor=BOB) == Ec.ecAccessDenied
    box.call(o.SetReadState(INBOX, [owners.mid, own.mid], False), actor=BOB)
    assert (listed(box, owners.mid)["flags"] & SEEN, listed(box, own.mid)["flags"] & SEEN) == (SEEN, 0)
    done = delete(box, owners.mid, own.mid, actor=BOB)
    assert done.partial
    assert listed(box, owners.mid)
    assert unlisted(box, own.mid)["kind"] == 2
    assert changed.mid == own.mid


def test_an_editor(box: Harness) -> None:
    permit(box, a.READ_ANY | a.CREATE | a.EDIT_ANY | a.DELETE_ANY)
    owners = save(box, {PidTagSubject: "a"}, actor=OWNER)
    changed = change(box, owners, {PidTagSubject: "b"}, actor=BOB)
    assert bag(box, owners.mid)[PROP_CREATOR] == OWNER
    assert box.refused(o.TransferMessages(INBOX, [owners.mid], SENT, True, b"1"), actor=BOB) == Ec.ecAccessDenied
    permit(box, a.CREATE, fid=SENT)
    copied = transfer(box, changed.mid, move=False, actor=BOB)
    assert bag(box, copied.pairs[0][1])[PROP_CREATOR] == BOB
    assert bag(box, owners.mid)[PROP_CREATOR] == OWNER
    check_references(box)
    assert not transfer(box, changed.mid, move=True, actor=BOB).partial
    assert box.refused(o.DeleteMessages(SENT, [copied.pairs[0][1]]), actor=BOB) == Ec.ecAccessDenied


def test_a_reviewer_marks_nothing(box: Harness) -> None:
    permit(box, a.READ_ANY)
    saved = save(box, {PidTagMessageFlags: 0}, actor=OWNER)
    assert box.refused(o.SetReadState(INBOX, [saved.mid], True), actor=BOB) == Ec.ecAccessDenied
    assert box.refused(o.TransferMessages(INBOX, [saved.mid], INBOX, False, b"1"), actor=BOB) == Ec.ecAccessDenied


def test_nobody_owns_what_the_system_made(box: Harness) -> None:
    permit(box, a.CREATE | a.EDIT_OWNED | a.DELETE_OWNED, "")
    saved = save(box, {PidTagSubject: "a"})
    assert PROP_CREATOR not in bag(box, saved.mid)
    call = o.SaveMessage(INBOX, saved.mid, saved.cn, o.Changes({PidTagSubject: "x"}), b"1")
    assert box.refused(call, actor="") == Ec.ecAccessDenied
    assert delete(box, saved.mid, actor="").partial


# ---------------------------------------------------------------------------------------------- public stores


class PublicHarness(Harness):
    """A public store."""

    def open(self) -> None:
        self.box = Mailbox(
            str(self.folder), owner="example.test", node="node1", settings=self.settings, arena=self.arena,
            notify=self.told.append, is_alive=lambda instance: instance == ALIVE, now=lambda: self.clock,
        )  # fmt: skip


@pytest.fixture
def public(tmp_path: Path) -> Iterator[PublicHarness]:
    box = PublicHarness(tmp_path / "public", StoreSettings())
    assert isinstance(box.arena, DictArena)
    yield box
    box.close()


def test_read_marks_of_a_public_store(public: PublicHarness) -> None:
    fid = public.call(c.CreateFolder("All")).fid
    first = save(public, {PidTagSubject: "a"}, fid, actor=BOB)
    second = save(public, {PidTagSubject: "b", PidTagMessageFlags: 0}, fid, actor=BOB)

    def marks() -> list[tuple[Any, ...]]:
        return public.sql("SELECT member, mid, read FROM read_states ORDER BY member, mid")

    assert marks() == [(BOB, first.mid, 1)]
    assert listed(public, first.mid)["flags"] & SEEN == 0
    done = public.call(o.SetReadState(fid, [first.mid, second.mid], True), actor=EVE)
    assert done.cn == public.state(fid).cn
    assert public.call(o.SetReadState(fid, [first.mid], True), actor=EVE).cn == 0
    assert marks() == [(BOB, first.mid, 1), (EVE, first.mid, 1), (EVE, second.mid, 1)]
    third = change(public, second, {PidTagMessageFlags: 1}, actor=BOB)
    assert marks()[1] == (BOB, second.mid, 1)
    other = public.call(c.CreateFolder("Other")).fid
    moved = transfer(public, second.mid, fid=fid, to=other, move=True, actor=BOB)
    assert marks()[-1] == (EVE, moved.pairs[0][1], 1)
    delete(public, first.mid, fid=fid, hard=True, actor=BOB)
    assert {mid for _, mid, _ in marks()} == {moved.pairs[0][1]}
    assert third.mid == second.mid
    check_references(public)
