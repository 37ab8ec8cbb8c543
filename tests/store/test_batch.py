"""A batch is one transaction; each call in it succeeds or fails for itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw
import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import pages
from gromoxd.exmdb.api import SYSTEM
from store import mailbox as engine
from store.mailbox import Write
from tests.store.conftest import ALL, INBOX, OWNER, SENT, Harness, mail, new


def frames(box: Harness) -> int:
    """Grows with every commit that writes."""
    return (box.folder / "mailbox.sqlite3-wal").stat().st_size


def test_results_come_in_order_and_one_failure_harms_nobody(box: Harness) -> None:
    box.state()
    results = box.batch(
        c.Append(INBOX, new(mail(1)), b"a"),
        c.Append(0x7777, new(mail(2)), b"b"),
        c.SetFlags(INBOX, ALL, c.ADD, pages.SEEN),
        c.CreateFolder("A/B"),
        c.CreateFolder("A/B"),
        c.Append(INBOX, new(mail(3)), b"c"),
        c.Expunge(INBOX, [(1, 1)], False),
        c.GetMailboxInfo(),
    )
    codes = [r.code if isinstance(r, MapiError) else type(r) for r in results]
    assert codes == [
        c.Stored, Ec.ecNotFound, c.FlagsChanged, c.Folder, Ec.ecDuplicateName, c.Stored, c.Expunged, Ec.ecNotSupported,
    ]  # fmt: skip
    assert box.contents() == {2: mail(3)}
    state = box.published_state(INBOX)
    assert state is not None
    assert (state.exists, state.unseen, state.uidnext, state.cn) == (1, 1, 3, results[6].cn)
    cns = [results[0].cn, results[2].cn, results[3].cn, results[5].cn, results[6].cn]
    assert cns == sorted(set(cns))


def test_a_call_that_fails_late_is_undone_alone(box: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows, counters, keyword sets and folders are gone; the calls around it are not."""

    def store_then_break(tx: Any, call: Any) -> Any:
        engine.messages.append(tx, c.Append(INBOX, new(mail(9), keywords=["broken"]), b"broken"))
        engine.folders.create_folder(tx, c.CreateFolder("Broken"))
        raise KeyError("a bug")

    monkeypatch.setitem(engine.WRITES, c.SetQuota, store_then_break)
    results = box.batch(
        c.Append(INBOX, new(mail(1)), b"a"), c.SetQuota(1, 1), c.Append(INBOX, new(mail(2), keywords=["fine"]), b"b")
    )
    assert isinstance(results[1], KeyError)
    assert (results[0].uid, results[2].uid) == (1, 2)
    assert box.contents() == {1: mail(1), 2: mail(2)}
    assert box.call(c.GetKeywordSets()).sets == [[], ["fine"]]
    assert "Broken" not in {f.path for f in box.call(c.ListFolders()).folders}
    assert box.state().size == len(mail(1)) + len(mail(2))
    box.reopen()
    assert box.contents() == {1: mail(1), 2: mail(2)}
    assert box.state().exists == 2


def test_a_failing_commit_fails_every_call_and_leaves_all_as_it_was(box: Harness) -> None:
    box.fill(3)
    before = box.call(c.GetFolderState(INBOX)), box.call(c.ListFolders()), box.flags()
    box.told.clear()
    box.db.set_commit_hook(lambda: True)
    results = box.batch(
        c.Append(INBOX, new(mail(4), keywords=["lost"]), b"x"), c.SetFlags(INBOX, ALL, c.ADD, 1), c.CreateFolder("Lost")
    )
    assert [r.code for r in results] == [Ec.ecError] * 3
    assert box.told == []
    assert before == (box.call(c.GetFolderState(INBOX)), box.call(c.ListFolders()), box.flags())
    box.db.set_commit_hook(None)
    again = box.call(c.Append(INBOX, new(mail(4)), b"x"))
    assert (again.uid, box.state().exists) == (4, 4)
    assert box.call(c.GetKeywordSets()).sets == [[]]


def test_a_state_that_cannot_be_read_is_read_before_the_next_write(
    box: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.fill(2)
    state = box.box._runner.tx.state
    load = state.load
    box.db.set_commit_hook(lambda: True)
    monkeypatch.setattr(state, "load", lambda: (_ for _ in ()).throw(apsw.IOError("no disk")))
    writes = [Write(c.Append(INBOX, new(mail(3)), b"x"), SYSTEM)]
    for _ in range(2):
        with pytest.raises(apsw.IOError):
            box.box.run_batch(writes)
    box.db.set_commit_hook(None)
    monkeypatch.setattr(state, "load", load)
    assert box.append(mail(3)).uid == 3
    assert box.state().exists == 3


def test_a_full_disk_is_told_and_survived(make: Callable[..., Harness]) -> None:
    box = make(exmdb_file_compression=0)
    box.fill(2)
    (size,) = box.sql("PRAGMA page_count")[0]
    box.db.pragma("max_page_count", size + 2)
    big = new(mail(3, "x" * 100_000))
    results = box.batch(c.Append(INBOX, big, b"big"), c.SetFlags(INBOX, ALL, c.ADD, pages.FLAGGED))
    assert results[0].code == Ec.ecStorageFull
    box.db.pragma("max_page_count", 1 << 30)
    assert box.call(c.Append(INBOX, big, b"big")).uid == 3
    assert box.sql("PRAGMA integrity_check") == [("ok",)]
    assert box.state().exists == 3


def test_what_changes_nothing_writes_nothing(box: Harness) -> None:
    box.fill(5)
    before = frames(box)
    box.batch(
        c.SetFlags(INBOX, ALL, c.REMOVE, pages.SEEN),
        c.Expunge(INBOX, ALL),
        c.CopyMessages(INBOX, [(7, 9)], SENT, True, b"n"),
    )
    box.batch(c.Confirm([b"unknown"]), c.ClaimRecent(INBOX), actor="\x00system")
    assert box.call(c.Subscribe("INBOX", True)) == c.Done(0)
    assert frames(box) == before
    assert box.state().recent_uid == 6


def test_claimed_recent_survives_a_reopening_and_rides_on_the_next_write(box: Harness) -> None:
    box.fill(5)
    assert box.call(c.ClaimRecent(INBOX)) == 1
    box.reopen()
    assert box.state().recent_uid == 6
    box.append(mail(6))
    assert box.call(c.ClaimRecent(INBOX)) == 6
    box.append(mail(7), SENT)
    assert box.sql("SELECT recent_uid FROM folders WHERE fid=?", INBOX) == [(7,)]


def test_only_system_delivers_and_only_the_owner_else(box: Harness) -> None:
    results = box.batch(c.SetQuota(1, 1), c.Confirm([]), c.CreateFolder("Mine"), actor=OWNER.upper())
    assert [getattr(r, "code", None) for r in results] == [Ec.ecAccessDenied, Ec.ecAccessDenied, None]
    assert box.refused(c.CreateFolder("Theirs"), actor="mallory@example.test") == Ec.ecAccessDenied
    assert box.refused(c.GetFolderState(INBOX), actor="") == Ec.ecAccessDenied
