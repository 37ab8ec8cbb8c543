"""CheckMailbox and RepairMailbox: every fault is found and named, and mended without losing a message."""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from gromoxd.convert.digest import digest_message
from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.pages import DELETED, SEEN
from gromoxd.exmdb.upkeepcalls import KINDS, MOST_MENDED, CheckMailbox, Fault, RepairMailbox
from gromoxd.mapi import proptags as p
from store.mapi.checking import FINDS
from store.mapi.mending import MENDS
from tests.store.conftest import ALL, DRAFTS, INBOX, SENT, Harness, mail
from tests.store.mapi.objects import check_references, save

ATTACHMENT = {p.PidTagAttachMethod: 1, p.PidTagAttachLongFilename: "a.bin", p.PidTagAttachDataBinary: b"b" * 40_000}
DELETED_ITEMS, FINDER = 0x0B, 0x05


def check(box: Harness, kind: str) -> list[Fault]:
    """All pieces of a kind; at most 100 faults are shown."""
    found: list[Fault] = []
    after, count = 0, 0
    while True:
        piece = box.call(CheckMailbox(kind, after))
        found += piece.faults
        count += piece.count
        after = piece.next
        if not after:
            assert len(found) == min(count, len(found))
            return found


def faulty(box: Harness) -> dict[str, list[str]]:
    """What is wrong."""
    found = {kind: [fault.text for fault in check(box, kind)] for kind in KINDS}
    return {kind: texts for kind, texts in found.items() if texts}


def repair(box: Harness) -> dict[str, int]:
    """As the command does it: each kind is looked for after those before it are mended."""
    mended: dict[str, int] = {}
    for kind, known in KINDS.items():
        if not known.mendable or not check(box, kind):
            continue
        more = True
        while more:
            done = box.call(RepairMailbox(kind))
            mended[kind] = mended.get(kind, 0) + len(done.mended)
            more = done.more
    return mended


def breakage(box: Harness, *statements: str) -> None:
    """Change the database behind the store's back."""
    box.close()
    db = apsw.Connection(str(box.folder / "mailbox.sqlite3"))
    for sql in statements:
        db.execute(sql)
    db.close()
    box.open()


def appended(box: Harness, raw: bytes, fid: int = INBOX, **more: Any) -> c.Stored:
    """A message with its true digest."""
    digest = digest_message(raw, received=1_700_000_000)
    message = c.NewMessage(digest, raw, 1_700_000_000, more.get("flags", 0), more.get("keywords", []))
    stored: c.Stored = box.call(c.Append(fid, message, box.request_id()))
    return stored


def rich(box: Harness) -> Harness:
    """Something of everything: small and large mail, copies, FAI, embedded messages, long values, deletions."""
    for number in range(1, 6):
        appended(box, mail(number), keywords=["work"] if number == 2 else [])
    appended(box, mail(6, body="large " * 1000), flags=SEEN)
    box.call(c.CopyMessages(INBOX, [(1, 2)], SENT, False, box.request_id()))
    box.call(c.SetFlags(INBOX, [(5, 5)], c.ADD, DELETED))
    box.call(c.Expunge(INBOX, ALL))
    inner = o.Changes({p.PidTagSubject: "inner", p.PidTagBody: "text " * 10_000})
    attachments = [
        o.AttachmentChange(0, set=ATTACHMENT),
        o.AttachmentChange(1, set={p.PidTagAttachMethod: 5}, embedded=inner),
    ]
    outer = save(box, {p.PidTagSubject: "outer", p.PidTagBody: "body"}, fid=DRAFTS, attachments=attachments)
    save(box, {p.PidTagSubject: "associated"}, fid=INBOX, associated=True)
    gone = save(box, {p.PidTagSubject: "gone"}, fid=DRAFTS)
    box.call(o.DeleteMessages(DRAFTS, [gone.mid]))
    box.call(o.TransferMessages(DRAFTS, [outer.mid], SENT, False, box.request_id()))
    fid = box.call(c.CreateFolder("Projects/Deep", request_id=box.request_id())).fid
    appended(box, mail(7), fid)
    doomed = box.call(c.CreateFolder("Doomed", request_id=box.request_id())).fid
    appended(box, mail(8), doomed)
    box.call(h.RemoveFolder(doomed, True, True, box.request_id()))
    box.call(h.MakeFolder(FINDER, "Found", {}, box.request_id(), search=True))
    return box


@pytest.fixture
def box(make: Callable[..., Harness]) -> Harness:
    return rich(make(content_inline_limit=1 << 10))


def everything(box: Harness) -> dict[int, list[bytes]]:
    """The messages that IMAP sees, by folder."""
    fids = [folder.fid for folder in box.call(c.ListFolders()).folders]
    return {fid: sorted(box.contents(fid).values()) for fid in fids if box.contents(fid)}


def sound(box: Harness) -> None:
    """Nothing is wrong, for the engine as it is open and for one that opens it anew."""
    for _ in range(2):
        assert faulty(box) == {}
        check_references(box)
        for folder in box.call(c.ListFolders()).folders:
            uids = {uid for (uid,) in box.sql("SELECT uid FROM messages WHERE fid=?", folder.fid)}
            assert set(box.flags(folder.fid)) == uids == set(box.contents(folder.fid))
            assert box.state(folder.fid).exists == len(uids)
        box.reopen()


def test_a_sound_mailbox(box: Harness) -> None:
    sound(box)
    assert repair(box) == {}


def test_every_fault_that_can_be_mended_is() -> None:
    assert {kind: set(finds) for kind, finds in FINDS.items() if KINDS[kind].mendable} == {
        kind: set(mends) for kind, mends in MENDS.items()
    }
    assert set(KINDS) == set(FINDS) | {kind for kind, known in KINDS.items() if known.thorough}


FREE = 1 << 40
"""An id that is above all others, as far as nobody has given it out."""
SMALL = "(SELECT did FROM messages WHERE fid=13 AND uid=3)"
BREAKS: list[tuple[str, str, str]] = [
    ("counters", "UPDATE messages SET modseq = (1 << 46) WHERE fid=13 AND uid=2", "change numbers"),
    ("counters", "UPDATE folders SET uidvalidity = 4000000000 WHERE fid=13", "UIDVALIDITY"),
    ("counters", "UPDATE mailbox SET hierarchy_cn = 5", "hierarchy"),
    ("folders", "DELETE FROM folders WHERE fid=14", "'Drafts' is missing"),
    ("folders", "UPDATE folders SET parent_fid=999 WHERE name='Projects'", "below the root"),
    ("folders", "UPDATE folders SET parent_fid=(SELECT parent_fid FROM folders WHERE fid=13),"
     " name='Inbox' WHERE name='Deep'", "named like"),
    ("folders", "DELETE FROM folders WHERE name='Deep'", "1 messages in a folder that does not exist"),
    ("folders", "DELETE FROM deleted_folders", "1 deleted messages of a folder that never"),
    ("folders", "INSERT INTO deleted_folders VALUES (13, 9, 'Inbox', '', 0, 1, 1)", "deleted and there"),
    ("ids", "UPDATE unlisted SET mid=(SELECT mid FROM messages WHERE fid=13 AND uid=1) WHERE kind=1", "deleted and"),
    ("ids", "UPDATE messages SET mid=14 WHERE fid=13 AND uid=1", "id of a folder"),
    ("ids", "UPDATE unlisted SET mid=14 WHERE kind=1", "id of a folder"),
    ("rows", "UPDATE messages SET uid=0 WHERE fid=13 AND uid=1", "uid out of range"),
    ("rows", "UPDATE unlisted SET kind=7 WHERE kind=2 AND fid=14", "of kind 7"),
    ("rows", "UPDATE messages SET flags = flags | 0x700 WHERE fid=13 AND uid=1", "does not exist"),
    ("rows", "UPDATE unlisted SET flags = -1 WHERE kind=1", "does not exist"),
    ("rows", "UPDATE messages SET received = -1, sent = 'never' WHERE fid=13 AND uid=1", "time"),
    ("rows", "UPDATE unlisted SET received = 1 << 40 WHERE kind=1", "time"),
    ("rows", "UPDATE keyword_sets SET id=3 WHERE id=1", "not numbered"),
    ("parts", "INSERT INTO attachments VALUES (77, 0, x'80')", "attachments of a data row"),
    ("parts", "INSERT INTO embedded VALUES (77, 0, (SELECT child FROM embedded))", "embedded messages of"),
    ("parts", "INSERT INTO big_values VALUES (77, 0, 268435487, (SELECT cid FROM big_values), 1)", "long values of"),
    ("parts", "UPDATE embedded SET child=77", "without data row"),
    ("parts", "UPDATE embedded SET child=did", "embedded in itself"),
    ("parts", "DELETE FROM attachments WHERE num=1", "embedded message of attachment 1"),
    ("parts", "DELETE FROM attachments WHERE num=0", "long value of attachment 0"),
    ("data-refs", "DELETE FROM data_refs", "2 references, not 1"),
    ("data-refs", "UPDATE data_refs SET refs=9", "2 references, not 9"),
    ("data-refs", f"INSERT INTO data_refs VALUES ({SMALL}, 2)", "1 references, not 2"),
    ("data-refs", "INSERT INTO data_refs VALUES (77, 2)", "no references, not 2"),
    ("content-refs", f"INSERT INTO content_refs SELECT cid, 4 FROM message_data WHERE did={SMALL}", "not 4"),
    ("content-refs", "INSERT INTO content_refs VALUES (77, 2)", "no references"),
    ("sizes", "UPDATE messages SET size=5 WHERE fid=13 AND uid=1", "5 octets are thought"),
    ("sizes", "UPDATE messages SET size=-5 WHERE fid=13 AND uid=1", "-5 octets are thought"),
    ("sizes", "UPDATE unlisted SET size=5 WHERE kind=2", "5 octets are thought"),
    ("sizes", "UPDATE unlisted SET size=-7 WHERE kind=1", "out of range"),
    ("sizes", "UPDATE big_values SET size=size + 1", "octets of property"),
    ("strays", "INSERT INTO folder_props VALUES (77, x'80')", "1 rows of folder_props"),
    ("strays", "INSERT INTO permissions VALUES (77, 'x@y.z', 4, 1)", "1 rows of permissions"),
    ("strays", "INSERT INTO rules VALUES (4, 77, 1, x'80')", "1 rows of rules"),
    ("strays", "INSERT INTO tombstones VALUES (77, 4, 1, x'', x'')", "1 rows of tombstones"),
    ("strays", "INSERT INTO receive_folders VALUES ('IPM.X', 77)", "1 rows of receive_folders"),
    ("strays", "INSERT INTO search_folders VALUES (77, 0, 0, 0, x'', x'', 0)", "1 rows of search_folders"),
    ("strays", "INSERT INTO search_results VALUES (77, 4, 4)", "1 rows of search_results"),
    (
        "strays", "INSERT INTO search_results SELECT fid, 4, 4 FROM search_folders",
        "a message that does not exist",
    ),
    ("strays", "INSERT INTO read_states VALUES ('x@y.z', 77, 13, 1, 5)", "1 rows of read_states"),
    ("source-keys", f"INSERT INTO source_keys VALUES (x'{'41' * 22}', {1 << 47})", "41" * 22),
    ("source-keys", "INSERT INTO source_keys SELECT guid || x'000000000005', 13 FROM mailbox", "000000000005"),
    ("tombstones", "UPDATE tombstones SET uids = x'0102'", "not readable"),
    ("figures", "UPDATE folders SET size=1 WHERE fid=13", "octets are thought to be there"),
    ("figures", "UPDATE folders SET unseen=77 WHERE fid=13", "(77 unread)"),
    ("figures", "UPDATE folders SET cn=5 WHERE fid=13", "the change number 5"),
    ("pages", "UPDATE pages SET cn=1 WHERE fid=13", "1 pages"),
    ("pages", "INSERT INTO pages VALUES (13, 9, 0, 1)", "1 pages"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "sql", "text"), BREAKS)
def test_faults(box: Harness, kind: str, sql: str, text: str) -> None:
    before = everything(box)
    assert all(box.state(fid).exists for fid in before)
    breakage(box, sql)
    found = faulty(box)
    assert any(text in each for each in found[kind]), found
    mended = repair(box)
    assert mended[kind] >= 1
    assert sorted(raw for each in everything(box).values() for raw in each) == sorted(
        raw for each in before.values() for raw in each
    )
    sound(box)


def test_circles_in_the_hierarchy(box: Harness) -> None:
    """They are opened when the mailbox is."""
    before = everything(box)
    for sql in (
        "UPDATE folders SET parent_fid=(SELECT fid FROM folders WHERE name='Deep') WHERE name='Projects'",
        "UPDATE folders SET parent_fid=fid WHERE name='Deep'",
        "UPDATE folders SET parent_fid=9 WHERE fid=1",
    ):
        breakage(box, sql)
        assert everything(box) == before
        sound(box)


def test_indexes(box: Harness) -> None:
    before = everything(box)
    breakage(
        box, "PRAGMA writable_schema=1",
        "UPDATE sqlite_schema SET sql='CREATE INDEX content_hash ON content (hash)' WHERE name='content_hash'",
    )  # fmt: skip
    assert "index content_hash" in faulty(box)["database"][0]
    assert repair(box)["database"] >= 1
    assert everything(box) == before
    sound(box)


def test_a_mailbox_that_is_open_sees_what_was_mended(box: Harness) -> None:
    """Whoever has pages in memory reads them again: they have other change numbers, and the folder tells of it."""
    state, pages = box.state(), box.pages()
    box.db.execute("UPDATE messages SET flags = 0x700 WHERE fid=13 AND uid=1")
    assert box.pages()[0][0] == pages[0][0]
    box.told.clear()
    assert repair(box) == {"rows": 1}
    assert INBOX in box.told
    assert box.flags()[1] == 0
    assert box.state().cn > state.cn and box.pages()[0][0] > pages[0][0]
    assert box.published_state(INBOX) == box.state()
    stored = appended(box, mail(9))
    assert stored.cn > box.sql("SELECT modseq FROM messages WHERE fid=13 AND uid=1")[0][0]
    sound(box)


def test_tombstones_of_the_living(box: Harness) -> None:
    """A record of deletions loses what is there and keeps the rest; uids that it names are never given again."""
    mid = box.sql("SELECT mid FROM messages WHERE fid=13 AND uid=2")[0][0]
    [(cn, mids)] = box.sql("SELECT cn, mids FROM tombstones WHERE fid=13")
    uids = array("I", [1, 3, 5, 5, 90, 95]).tobytes()
    box.close()
    db = apsw.Connection(str(box.folder / "mailbox.sqlite3"))
    db.execute("UPDATE tombstones SET uids=?, mids=? WHERE cn=?", (uids, mids + mid.to_bytes(8, "little"), cn))
    db.close()
    box.open()
    [text] = faulty(box)["tombstones"]
    assert all(part in text for part in ("uids that are there", "messages that are there", "never given"))
    assert repair(box)["tombstones"] == 1
    [(left, left_mids)] = box.sql("SELECT uids, mids FROM tombstones WHERE fid=13")
    assert array("I", left).tolist() == [5, 5, 90, 95] and left_mids == mids
    assert box.call(c.GetVanished(INBOX, 0)).uids == [(5, 5), (90, 95)]
    assert appended(box, mail(9)).uid == 96
    sound(box)


def test_an_unreadable_tombstone_makes_clients_start_anew(box: Harness) -> None:
    cn = box.sql("SELECT cn FROM tombstones WHERE fid=13")[0][0]
    assert box.call(c.GetVanished(INBOX, cn - 1)).complete
    breakage(box, "UPDATE tombstones SET uids = x'0102' WHERE fid=13")
    repair(box)
    assert not box.call(c.GetVanished(INBOX, cn - 1)).complete


def test_data_rows_from_the_octets(box: Harness) -> None:
    """A message that has lost its data row gets it back from its RFC 5322 form, headers, attachments and all."""
    raw = (
        b"From: a@example.org\r\nSubject: kept\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
        b"--x\r\n\r\ntext\r\n--x\r\nContent-Disposition: attachment; filename=f.bin\r\n\r\nfile\r\n--x--\r\n"
    )
    stored = appended(box, raw)
    before = box.call(o.OpenMessage(stored.mid))
    whole = everything(box)
    breakage(
        box, f"DELETE FROM message_data WHERE did={stored.mid}", f"DELETE FROM attachments WHERE did={stored.mid}"
    )  # fmt: skip
    found = faulty(box)
    assert f"data row {stored.mid}" in found["data"][0] and "octets of nothing" in found["contents"][0]
    assert repair(box) == {"data": 1}
    assert everything(box) == whole
    after = box.call(o.OpenMessage(stored.mid))
    changing = {p.PidTagChangeKey, p.PidTagPredecessorChangeList, p.PidTagChangeNumber}
    assert {tag: v for tag, v in after.props.items() if tag not in changing} == {
        tag: v for tag, v in before.props.items() if tag not in changing
    }
    assert after.attachments == before.attachments and len(after.attachments) == 1
    sound(box)


def test_messages_that_lost_everything_are_empty(box: Harness) -> None:
    """Two messages share a data row that is gone with its octets: both are still there and say what happened."""
    did = box.sql("SELECT did FROM messages WHERE fid=13 AND uid=1")[0][0]
    breakage(box, f"DELETE FROM message_data WHERE did={did}", f"DELETE FROM content WHERE cid={did}")
    assert len(faulty(box)["data"]) == 2
    mended = repair(box)
    assert mended["data"] == 2
    assert b"Subject: (lost message)" in box.contents(INBOX)[1] and box.contents(SENT)[1] == box.contents(INBOX)[1]
    assert sorted(box.contents()) == [1, 2, 3, 4, 6]
    sound(box)


def test_data_of_nobody_becomes_a_deleted_message(box: Harness) -> None:
    """It can be recovered as long as retention keeps it."""
    raw = box.contents(INBOX)[3]
    breakage(box, "DELETE FROM messages WHERE fid=13 AND uid=3")
    assert faulty(box)["orphans"] == ["a data row of no message"]
    assert repair(box)["orphans"] == 1
    [(mid,)] = box.sql("SELECT mid FROM unlisted WHERE fid=? AND kind=2", DELETED_ITEMS)
    assert box.call(o.OpenMessage(mid)).props[p.PidTagSubject] == "Message 3"
    moved = box.call(o.TransferMessages(DELETED_ITEMS, [mid], INBOX, True, box.request_id()))
    assert len(moved.pairs) == 1 and raw in box.contents(INBOX).values()
    sound(box)


def test_octets_of_nobody(box: Harness) -> None:
    """A message's come back as a deleted message, others go, with their file."""
    large = box.contents(INBOX)[6]
    files = box.files()
    breakage(
        box, "DELETE FROM message_data WHERE did=(SELECT did FROM messages WHERE fid=13 AND uid=6)",
        "DELETE FROM messages WHERE fid=13 AND uid=6", "DELETE FROM big_values WHERE part=0",
    )  # fmt: skip
    count = len(faulty(box)["contents"])
    assert repair(box)["contents"] == count == 2
    found = box.call(t.QueryRows(t.Table(t.CONTENTS, DELETED_ITEMS, t.SOFT_DELETED), [p.PidTagMessageSize], 0, 9)).rows
    assert found == [[len(large)]]
    assert len(box.files()) == len(files) - 1
    sound(box)


def test_what_is_lost_stays_reported(box: Harness) -> None:
    """Nothing that a back-up could bring back is thrown away."""
    did = box.sql("SELECT did FROM messages WHERE fid=13 AND uid=3")[0][0]
    breakage(box, f"DELETE FROM content WHERE cid={did}")
    [fault] = check(box, "lost")
    mid = box.sql("SELECT mid FROM messages WHERE fid=13 AND uid=3")[0][0]
    assert fault == Fault(INBOX, did, f"the RFC 5322 form, content {did}, is missing; message {mid:#x}")
    assert repair(box) == {}
    assert list(faulty(box)) == ["lost"]
    assert box.refused(RepairMailbox("lost")) is Ec.ecNotSupported
    breakage(box, "UPDATE content SET kind=9 WHERE kind=0 AND cid=(SELECT min(cid) FROM content WHERE kind=0)")
    assert "in a form that is none" in faulty(box)["lost"][1]


def test_files(box: Harness) -> None:
    """Missing, cut and changed files are reported, with the message; a file of nothing goes once it is old enough."""
    large = next(path for path in box.files() if path.stat().st_size)
    octets = large.read_bytes()
    assert faulty(box) == {}
    large.write_bytes(octets[:-9])
    assert "not readable" in faulty(box)["files"][0]
    changed = bytearray(octets)
    changed[len(octets) // 4] ^= 0xFF
    large.write_bytes(changed)
    assert list(faulty(box)) == ["octets"]
    large.unlink()
    assert "missing; message" in faulty(box)["files"][0]
    large.write_bytes(octets)
    assert faulty(box) == {}


def test_leftover_files(box: Harness) -> None:
    folder = box.folder / "cid"
    name = "ab" + "12" * 31
    waiting, unused, foreign = folder / "tmp" / "1.1", folder / "ab" / name, folder / "ab" / "README"
    for path in (waiting, unused, foreign):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)
    assert faulty(box) == {}
    for path in (waiting, unused, foreign):
        os.utime(path, (1_000_000, 1_000_000))
    assert sorted(faulty(box)["leftovers"]) == [
        f"the file ab/{name} of 100 octets", "the file tmp/1.1 of 100 octets"
    ]  # fmt: skip
    assert repair(box) == {"leftovers": 2}
    assert not waiting.exists() and not unused.exists() and foreign.exists()
    sound(box)


def test_octets_in_the_database(box: Harness) -> None:
    appended(box, mail(9, body="again and again " * 40))
    cid = box.sql("SELECT max(cid) FROM content WHERE kind=1")[0][0]
    breakage(box, f"UPDATE content SET body = substr(body, 1, length(body) - 3) WHERE cid={cid}")
    [fault] = check(box, "octets")
    assert (fault.fid, fault.id) == (INBOX, cid) and "not readable" in fault.text


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        (f"UPDATE message_data SET props=x'c1' WHERE did={SMALL}", "properties are not readable"),
        (f"UPDATE message_data SET recipients=x'c1' WHERE did={SMALL}", "recipients are not readable"),
        (f"UPDATE message_data SET parts=x'c1' WHERE did={SMALL}", "structure are not readable"),
        ("UPDATE attachments SET props=x'ff' WHERE num=1", "properties of attachment 1 are not"),
        ("INSERT OR REPLACE INTO folder_props VALUES (13, x'c1')", "properties of a folder are not"),
        ("INSERT OR REPLACE INTO store_props VALUES (1, x'c1')", "properties of the store are not"),
    ],
)
def test_unreadable_properties(box: Harness, sql: str, text: str) -> None:
    breakage(box, sql)
    assert text in faulty(box)["properties"][0]


def test_everything_is_read_piece_by_piece(make: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch) -> None:
    box = make()
    for name in ("PIECE", "PIECE_OCTETS"):
        monkeypatch.setattr(f"store.mapi.filefaults.{name}", {"PIECE": 7, "PIECE_OCTETS": 1 << 20}[name])
    box.fill(20)
    box.db.execute("UPDATE content SET body = body || x'00' WHERE cid = (SELECT max(cid) FROM content)")
    box.db.execute("UPDATE message_data SET props = x'c1' WHERE did = (SELECT max(did) FROM message_data)")
    assert [box.call(CheckMailbox("octets")).next, len(check(box, "octets"))] == [
        box.sql("SELECT cid FROM content ORDER BY 1")[6][0], 1,
    ]  # fmt: skip
    assert len(check(box, "properties")) == 1


def test_many_faults_are_mended_in_steps(make: Callable[..., Harness]) -> None:
    box = make()
    box.fill(MOST_MENDED + 50)
    box.db.execute("UPDATE messages SET flags=0x700")
    found = box.call(CheckMailbox("rows"))
    assert (found.count, len(found.faults)) == (MOST_MENDED + 50, 100)
    first, second = box.call(RepairMailbox("rows")), box.call(RepairMailbox("rows"))
    assert (len(first.mended), first.more, len(second.mended), second.more) == (MOST_MENDED, True, 50, False)
    assert box.call(CheckMailbox("rows")).count == 0


def test_bad_calls(box: Harness) -> None:
    assert box.refused(CheckMailbox("taste")) is Ec.ecInvalidParam
    assert box.refused(RepairMailbox("taste")) is Ec.ecInvalidParam
    for call in (CheckMailbox("rows"), RepairMailbox("rows")):
        assert box.refused(call, actor="alice@example.test") is Ec.ecAccessDenied


@pytest.mark.slow
def test_checking_beside_a_writer(make: Callable[..., Harness]) -> None:
    """No kind of fault is seen in a sound mailbox that is being written to."""
    box = make(content_inline_limit=1 << 10)
    stop = threading.Event()
    found: list[tuple[str, Any]] = []

    def look() -> None:
        while not stop.is_set():
            for kind in KINDS:
                findings = box.box.read_long(CheckMailbox(kind), "\x00system")
                if findings.count:
                    found.append((kind, findings))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for number in range(60):
            appended(box, mail(number, body="large " * 400 if number % 3 else ""))
            if number % 5 == 4:
                box.call(c.SetFlags(INBOX, [(number - 3, number - 2)], c.ADD, DELETED))
                box.call(c.Expunge(INBOX, ALL))
            if number % 7 == 6:
                save(box, {p.PidTagSubject: "made", p.PidTagBody: "x" * 40_000})
    finally:
        stop.set()
        thread.join()
    assert found == []


def test_a_public_store(tmp_path: Path) -> None:
    class Public(Harness):
        def open(self) -> None:
            self.box = _public_box(self)

    box = Public(tmp_path / "public")
    try:
        fid = box.call(h.MakeFolder(0x02, "Shared", {}, box.request_id())).fid
        appended(box, mail(1), fid)
        box.call(o.SetReadState(fid, [box.sql("SELECT mid FROM messages")[0][0]], True), actor="bob@example.test")
        assert faulty(box) == {}
        breakage(box, "DELETE FROM folders WHERE fid=4", "DELETE FROM messages")
        assert set(faulty(box)) >= {"folders", "orphans", "strays"}
        repair(box)
        assert faulty(box) == {}
        assert box.sql("SELECT fid, kind FROM unlisted") == [(0x02, 2)]
    finally:
        box.close()


def _public_box(box: Harness) -> Any:
    from store.mailbox import Mailbox

    return Mailbox(
        str(box.folder), owner="example.test", node="node1", settings=box.settings, arena=box.arena,
        notify=box.told.append, is_alive=lambda instance: instance in box.alive, now=lambda: box.clock,
    )  # fmt: skip
