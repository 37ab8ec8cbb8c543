"""CompactMailbox; FolderSizes, BiggestMessages, GetFigures."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import apsw
import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import upkeepcalls as u
from gromoxd.mapi import proptags as p
from store.mapi import compacting
from tests.store.conftest import INBOX, OWNER, SENT, Harness, mail, new
from tests.store.mapi.objects import check_references, save
from tests.store.mapi.test_checking import appended, faulty


def filled(box: Harness, count: int = 160) -> Harness:
    """Messages of 4 kB, then most of them gone."""
    for number in range(count):
        appended(box, mail(number, body=os.urandom(2000).hex()))
    box.call(c.Expunge(INBOX, [(1, count - 20)], False))
    return box


def file_size(box: Harness) -> int:
    return (box.folder / "mailbox.sqlite3").stat().st_size


def test_compaction(make: Callable[..., Harness]) -> None:
    """The gaps are gone from the disk, nothing else; what is open goes on."""
    box = filled(make())
    before, state = box.contents(), box.state()
    full = compacting.size_of(str(box.folder / "mailbox.sqlite3"))
    done = box.call(u.CompactMailbox())
    assert done.before == full and done.after == file_size(box) < full / 2
    assert (box.folder / "mailbox.sqlite3-wal").stat().st_size == 0
    assert box.contents() == before and box.state() == state
    assert box.sql("PRAGMA journal_mode") == [("wal",)] and box.sql("PRAGMA user_version") != [(0,)]
    assert box.sql("PRAGMA freelist_count") == [(0,)]
    appended(box, mail(1))
    assert faulty(box) == {}
    box.reopen()
    assert len(box.contents()) == 21 and faulty(box) == {}
    check_references(box)
    assert not (box.folder / "cid" / "tmp" / compacting.COPY).exists()


def test_a_reader_keeps_what_it_sees(make: Callable[..., Harness]) -> None:
    """A long read is not disturbed and holds only the log."""
    box = filled(make())
    reader = box.box._new_reader()
    reader.db.execute("BEGIN")
    count = reader.db.execute("SELECT count(*), sum(size) FROM messages").fetchall()
    box.db.set_busy_timeout(10)
    done = box.call(u.CompactMailbox())
    assert done.after >= done.before and (box.folder / "mailbox.sqlite3-wal").stat().st_size > 0
    assert reader.db.execute("SELECT count(*), sum(size) FROM messages").fetchall() == count
    assert len(reader.db.execute("SELECT body FROM content").fetchall()) == 20
    reader.db.execute("COMMIT")
    reader.close()
    assert box.call(u.CompactMailbox()).after < done.before / 2
    assert faulty(box) == {}


@pytest.mark.slow
def test_readers_and_writers_beside_it(make: Callable[..., Harness]) -> None:
    """Reads while it runs see whole states; writes before and after it are all there."""
    box = filled(make(), 200)
    stop = threading.Event()
    wrong: list[Any] = []

    def read() -> None:
        reader = box.box._new_reader()
        while not stop.is_set():
            [(counted, figure)] = reader.db.execute(
                "SELECT (SELECT count(*) FROM messages WHERE fid=13), messages FROM folders WHERE fid=13"
            ).fetchall()
            contents = reader.db.execute("SELECT count(*) FROM content").fetchall()[0][0]
            if counted != figure or contents < 20:
                wrong.append((counted, figure, contents))
        reader.close()

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(15):
            results = box.batch(
                c.Append(INBOX, new(mail(number)), box.request_id()), u.CompactMailbox(),
                c.Append(SENT, new(mail(number)), box.request_id()),
            )  # fmt: skip
            assert [type(result) for result in results] == [c.Stored, u.Compacted, c.Stored]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len(box.contents()) == 35 and len(box.contents(SENT)) == 15
    assert faulty(box) == {}


def test_no_room(make: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that cannot be made is removed, and the mailbox is as it was."""
    box = filled(make(), 50)
    before = box.contents()

    def full(db: apsw.Connection, copy: str) -> None:
        raise apsw.FullError("disk is full")

    monkeypatch.setattr(compacting, "_overwrite", full)
    assert box.refused(u.CompactMailbox()) is Ec.ecStorageFull
    assert box.contents() == before and not (box.folder / "cid" / "tmp" / compacting.COPY).exists()
    monkeypatch.undo()
    assert box.call(u.CompactMailbox()).after < 1 << 20
    assert box.refused(u.CompactMailbox(), actor=OWNER) is Ec.ecAccessDenied


def test_files_of_nothing_go(make: Callable[..., Harness]) -> None:
    box = make(content_inline_limit=1 << 10)
    appended(box, mail(1, body="large " * 1000))
    [kept] = box.files()
    unused = box.folder / "cid" / "ab" / ("ab" + "00" * 31)
    unused.parent.mkdir(exist_ok=True)
    unused.write_bytes(b"x" * 77)
    os.utime(unused, (1_000_000, 1_000_000))
    os.utime(kept, (1_000_000, 1_000_000))
    done = box.call(u.CompactMailbox())
    assert (done.files, done.file_octets) == (1, 77)
    assert box.files() == [kept]


# ---------------------------------------------------------------------------------------------- figures


def test_sizes_of_folders(make: Callable[..., Harness]) -> None:
    box = make()
    for number in (1, 2, 3):
        appended(box, mail(number), flags=number == 1)
    fid = box.call(c.CreateFolder("A/B", request_id=box.request_id())).fid
    save(box, {p.PidTagSubject: "view"}, fid=fid, associated=True)
    made = save(box, {p.PidTagSubject: "note"}, fid=fid)
    box.call(o.DeleteMessages(fid, [made.mid]))
    gone = box.call(c.CreateFolder("Gone", request_id=box.request_id())).fid
    appended(box, mail(4), gone)
    box.call(h.RemoveFolder(gone, True, True, box.request_id()))
    found = {one.fid: one for one in box.call(u.FolderSizes())}
    inbox = found[INBOX]
    size = sum(len(mail(number)) for number in (1, 2, 3))
    assert (inbox.path, inbox.messages, inbox.unread, inbox.size) == ("INBOX", 3, 2, size)
    below = found[fid]
    assert (below.path, below.name, below.messages, below.associated, below.deleted) == ("A/B", "B", 0, 1, 1)
    assert below.associated_size > 0 and below.deleted_size > 0
    assert (found[gone].parent_fid, found[gone].name, found[gone].deleted) == (-1, "Gone", 1)
    assert found[gone].deleted_size == len(mail(4))
    assert list(found)[-1] == gone


def test_the_biggest(make: Callable[..., Harness]) -> None:
    box = make()
    for number, length in enumerate((10, 5000, 300), 1):
        appended(box, mail(number, body="x" * length))
    made = save(box, {p.PidTagSubject: "hidden", p.PidTagBody: "y" * 20_000}, associated=True)
    found = box.call(u.BiggestMessages(3))
    assert [(one.uid, one.subject) for one in found] == [(0, "hidden"), (2, "Message 2"), (3, "Message 3")]
    assert found[0].mid == made.mid and found[0].size > 40_000
    assert (found[1].sender, found[1].size, found[1].received) == (
        "s2@example.org", len(mail(2, body="x" * 5000)), 1_700_000_000,
    )  # fmt: skip
    for count in (0, -1, 1001):
        assert box.refused(u.BiggestMessages(count)) is Ec.ecInvalidParam


def test_figures(make: Callable[..., Harness]) -> None:
    box = make(content_inline_limit=1 << 10)
    appended(box, mail(1))
    appended(box, mail(2, body="large " * 1000), keywords=["one"])
    attachment = o.AttachmentChange(0, set={p.PidTagAttachMethod: 1, p.PidTagAttachDataBinary: b"b" * 50_000})
    made = save(box, {p.PidTagSubject: "note"}, attachments=[attachment])
    save(box, {p.PidTagSubject: "view"}, associated=True)
    box.call(o.DeleteMessages(INBOX, [made.mid]))
    found = box.call(u.GetFigures())
    assert (found.messages, found.associated, found.deleted, found.deleted_associated) == (2, 1, 1, 0)
    assert (found.data_rows, found.attachments, found.big_values, found.embedded) == (4, 1, 1, 0)
    assert (found.folders, found.deleted_folders, found.keyword_sets, found.tombstones) == (29, 0, 2, 1)
    assert found.files == len(box.files()) and found.file_octets >= 6000 + 50_000
    assert found.contents + found.files == 4 and found.content_octets == len(mail(1))
    assert found.permissions == [(0x0F, "default", 0x0C00), (0x18, "default", 0x0800)]
    assert found.guid == box.sql("SELECT guid FROM mailbox")[0][0] and not found.public
    assert (found.quota_receive, found.quota_storage) == (None, None)
    box.call(c.SetQuota(5, 6))
    box.call(h.MakeFolder(0x05, "Search", {}, box.request_id(), search=True))
    found = box.call(u.GetFigures(), actor=OWNER)
    assert (found.quota_receive, found.quota_storage) == (5, 6)
    assert [(one.results, one.status) for one in found.search_folders] == [(0, 0)]
    assert found.database >= 29 * 8192 and found.log > 0 and found.free >= 0
    for call in (u.GetFigures(), u.FolderSizes(), u.BiggestMessages(1)):
        assert box.refused(call, actor="eve@example.test") is Ec.ecAccessDenied
