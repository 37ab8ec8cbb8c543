"""The schema: what a new mailbox holds, reopening, upgrading, and mending what something else broke."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import upkeepcalls as u
from gromoxd.mapi.proptags import PidTagTransportMessageHeaders
from store import schema
from store import wellknown as wk
from tests.store.conftest import ALL, DRAFTS, INBOX, SENT, Harness, mail


def everything(box: Harness) -> object:
    return (
        box.call(c.ListFolders()),
        box.call(c.GetKeywordSets()),
        box.call(c.GetMailboxInfo()),
        [(box.call(c.GetFolderState(f.fid)), box.contents(f.fid)) for f in box.call(c.ListFolders()).folders],
        box.call(c.GetVanished(INBOX, 0)),
    )


def test_reopening_keeps_everything(box: Harness) -> None:
    box.fill(300)
    box.append(mail(301), keywords=["Work", "$Junk"])
    folder = box.call(c.CreateFolder("A/B"))
    box.call(c.CopyMessages(INBOX, [(1, 20)], folder.fid, True, b"1"))
    box.call(c.Subscribe("A/B", True))
    box.call(c.SetQuota(1 << 30, 1 << 31))
    before = everything(box)
    box.reopen()
    assert everything(box) == before
    assert box.append(mail(302)).uid == 302
    assert box.call(c.SetFlags(INBOX, [(30, 30)], c.ADD, 0, ["work", "$JUNK"])).cn > 0
    assert box.call(c.GetKeywordSets()).sets == [[], ["$Junk", "Work"]]


def test_the_well_known_folders(box: Harness) -> None:
    """Ids, parents, names and classes of [MS-OXCSTOR] 2.2.1.1 and the facts of the original."""
    folders = {f.fid: f for f in box.call(c.ListFolders()).folders}
    assert sorted(folders) == list(range(1, 0x1E))
    shown = {fid: (f.parent_fid, f.name, f.container_class, f.hidden) for fid, f in folders.items()}
    assert shown[0x01] == (0, "Root Container", "", False)
    assert shown[0x03] == (1, "Spooler Queue", "IPF.Note", False)
    assert shown[0x0D] == (9, "Inbox", "IPF.Note", False)
    assert shown[0x13] == (9, "Contacts", "IPF.Contact", False)
    assert shown[0x16] == (0x13, "GAL Contacts", "IPF.Contact.GalContacts", True)
    assert shown[0x1C] == (0x19, "Server Failures", "IPF.Note", False)
    assert shown[0x1D] == (9, "Conversation Action Settings", "IPF.Configuration", True)
    assert folders[0x1C].path == "Sync Issues/Server Failures"
    assert sorted(box.call(c.ListFolders()).subscriptions) == [
        "Deleted Items", "Drafts", "INBOX", "Junk Email", "Sent Items",
    ]  # fmt: skip
    assert box.sql("SELECT class, fid FROM receive_folders ORDER BY class") == [
        ("", 0x0D), ("IPC", 1), ("IPM", 0x0D), ("REPORT.IPM", 0x0D),
    ]  # fmt: skip
    order = sorted(folders.values(), key=lambda f: f.cn)
    assert [f.fid for f in order] == [f.fid for f in wk.FOLDERS]
    assert [f.cn - order[0].cn for f in order] == list(range(29))


def test_uidvalidity_is_never_used_twice(box: Harness) -> None:
    seen = [f.uidvalidity for f in box.call(c.ListFolders()).folders]
    assert min(seen) >= 1_800_000_000
    for _ in range(3):
        folder = box.call(c.CreateFolder("Again"))
        seen.append(folder.uidvalidity)
        box.call(c.DeleteFolder(folder.fid))
        box.reopen()
    box.clock += 10_000
    seen.append(box.call(c.CreateFolder("Later")).uidvalidity)
    assert len(set(seen)) == len(seen)
    assert seen[-4:] == sorted(seen[-4:])
    assert seen[-1] == 1_800_010_000


def test_a_mailbox_made_anew_meets_none_of_the_old_ids(make: Callable[..., Harness]) -> None:
    old, young = make(), make()
    old.fill(50)
    old.close()
    young.close()
    for file in young.folder.iterdir():
        file.unlink()
    young.clock += 1
    young.open()
    young.fill(1)
    assert young.pages()[0][1].mids[0] > max(old.sql_closed("SELECT max(mid) FROM messages"))
    assert young.state().cn > max(old.sql_closed("SELECT max(cn) FROM messages"))
    old.open()


def test_a_newer_schema_is_refused(box: Harness) -> None:
    box.db.execute("PRAGMA user_version = 99")
    box.close()
    with pytest.raises(MapiError) as caught:
        box.open()
    assert caught.value.code == Ec.ecVersionMismatch
    db = apsw.Connection(str(box.folder / "mailbox.sqlite3"))
    db.execute(f"PRAGMA user_version = {len(schema.STEPS)}")
    db.close()
    box.open()


def test_steps_are_applied_on_opening_once(box: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    box.fill(2)
    applied = []

    def second(db: apsw.Connection, now: int) -> None:
        applied.append(now)
        db.execute("ALTER TABLE folders ADD COLUMN colour TEXT")

    def third(db: apsw.Connection, now: int) -> None:
        raise ValueError("does not work")

    monkeypatch.setattr(schema, "STEPS", [*schema.STEPS, second])
    box.reopen()
    box.reopen()
    assert applied == [1_800_000_000]
    assert box.call(c.GetMailboxInfo()).schema == len(schema.STEPS)
    assert box.sql("SELECT colour FROM folders WHERE fid=1") == [(None,)]
    box.close()
    monkeypatch.setattr(schema, "STEPS", [*schema.STEPS, third])
    with pytest.raises(ValueError, match="does not work"):
        box.open()
    monkeypatch.setattr(schema, "STEPS", schema.STEPS[:-1])
    box.open()
    assert box.state().exists == 2


def test_broken_counters_are_mended(box: Harness) -> None:
    box.fill(300)
    box.call(c.SetFlags(INBOX, [(1, 10)], c.ADD, 1))
    right = box.state()
    box.db.execute("UPDATE folders SET messages=7, unseen=7, size=7, uidnext=5 WHERE fid=?", (INBOX,))
    box.db.execute("UPDATE pages SET count=1 WHERE fid=?", (INBOX,))
    box.reopen()
    mended = box.state()
    figures = ("exists", "unseen", "size", "uidnext")
    assert [getattr(mended, f) for f in figures] == [getattr(right, f) for f in figures]
    assert mended.cn > right.cn
    assert len(box.flags()) == 300
    assert box.append(mail(301)).uid == 301


def test_ids_go_on_after_a_crash(box: Harness, tmp_path: Path) -> None:
    """Ids are reserved ahead: an owner that died leaves a gap, never a second use."""
    stored = box.append(mail(1))
    folder = box.folder
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("mailbox.sqlite3", "mailbox.sqlite3-wal"):
        (copy / name).write_bytes((folder / name).read_bytes())
    other = Harness(copy)
    again = other.append(mail(2))
    assert stored.mid < again.mid <= stored.mid + 2048
    assert again.cn > stored.cn
    other.close()


def test_tombstones_are_pruned_and_that_is_told(make: Callable[..., Harness]) -> None:
    box = make(tombstone_count=100, tombstone_age=86400)
    box.fill(300)
    start = box.state().cn
    box.append(mail(1), SENT)
    box.call(c.Expunge(SENT, ALL, False))
    cns = [box.call(c.Expunge(INBOX, [(n, n)], False)).cn for n in range(1, 151)]
    assert box.call(c.GetVanished(INBOX, start)) == c.Vanished([(1, 150)], True)
    box.clock += 700
    box.append(mail(2))
    assert box.call(c.GetVanished(INBOX, start)) == c.Vanished([(51, 150)], False)
    assert box.call(c.GetVanished(INBOX, cns[49])) == c.Vanished([(51, 150)], True)
    assert box.call(c.GetVanished(INBOX, cns[48])) == c.Vanished([(51, 150)], False)
    assert box.call(c.GetVanished(SENT, start)).complete is False
    assert box.call(c.GetVanished(DRAFTS, 0)) == c.Vanished([], True)
    box.clock += 86_400
    box.append(mail(3))
    assert box.call(c.GetVanished(INBOX, cns[-1])) == c.Vanished([], True)
    assert box.call(c.GetVanished(INBOX, cns[-2])) == c.Vanished([], False)
    box.reopen()
    assert box.call(c.GetVanished(INBOX, cns[-2])) == c.Vanished([], False)


def test_tombstones_keep_the_ids_of_what_went(box: Harness) -> None:
    mids = [box.append(mail(n)).mid for n in (1, 2, 3)]
    box.call(c.Expunge(INBOX, [(1, 1), (3, 3)], False))
    [(uids, blob)] = box.sql("SELECT uids, mids FROM tombstones")
    assert uids == b"\1\0\0\0\1\0\0\0\3\0\0\0\3\0\0\0"
    assert blob == b"".join(mid.to_bytes(8, "little") for mid in (mids[0], mids[2]))


def test_a_mailbox_of_schema_1_becomes_one_of_today(box: Harness) -> None:
    box.fill(30)
    box.call(c.CopyMessages(INBOX, [(1, 5)], DRAFTS, False, b"1"))
    box.call(c.Expunge(INBOX, [(9, 9)], False))
    before = everything(box)
    box.close()
    path = box.folder / "mailbox.sqlite3"
    path.rename(box.folder / "today.sqlite3")
    old = apsw.Connection(str(path))
    schema.STEPS[0](old, 1_700_000_000)
    tables = [name for (name,) in old.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
    old.execute("ATTACH ? AS today", (str(box.folder / "today.sqlite3"),))
    for table in tables:
        columns = ", ".join(column[1] for column in old.execute(f"PRAGMA table_info({table})"))
        old.execute(f"DELETE FROM main.{table}")
        old.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM today.{table}")
    old.execute("PRAGMA user_version = 1")
    old.close()
    box.open()
    assert everything(box) == before
    [(mid,)] = box.sql("SELECT mid FROM messages WHERE fid=? AND uid=3", INBOX)
    opened = box.call(o.OpenMessage(mid))
    assert "Subject: Message 3" in opened.props[PidTagTransportMessageHeaders] and opened.uid == 3
    assert [box.call(u.CheckMailbox(kind)).count for kind in u.KINDS] == [0] * len(u.KINDS)
