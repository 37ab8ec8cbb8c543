"""Contents: references, large bodies in files, what is collected and when."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from store.content import FRAME
from tests.store.conftest import ALL, DRAFTS, INBOX, SENT, Harness, digest, mail, new

LARGE = mail(1, "0123456789abcdef" * 100_000)


def counts(box: Harness) -> dict[str, int]:
    tables = ("messages", "message_data", "content", "data_refs", "attachments")
    return {table: box.sql(f"SELECT count(*) FROM {table}")[0][0] for table in tables}


def test_a_copy_shares_its_data_until_the_last_goes(box: Harness) -> None:
    box.append(mail(1), attachments=[b"first", b"second"])
    box.call(c.CopyMessages(INBOX, ALL, SENT, False, b"1"))
    box.call(c.CopyMessages(SENT, ALL, DRAFTS, False, b"2"))
    assert counts(box) == {"messages": 3, "message_data": 1, "content": 1, "data_refs": 1, "attachments": 2}
    box.call(c.Expunge(INBOX, ALL, False))
    assert counts(box) == {"messages": 2, "message_data": 1, "content": 1, "data_refs": 1, "attachments": 2}
    box.call(c.Expunge(DRAFTS, ALL, False))
    assert counts(box) == {"messages": 1, "message_data": 1, "content": 1, "data_refs": 0, "attachments": 2}
    assert box.contents(SENT) == {1: mail(1)}
    box.call(c.Expunge(SENT, ALL, False))
    assert counts(box) == dict.fromkeys(counts(box), 0)


def test_a_message_and_its_copies_go_in_one_expunge(box: Harness) -> None:
    box.fill(2)
    for n in range(3):
        box.call(c.CopyMessages(INBOX, [(1, 2)], INBOX, False, b"%d" % n))
    box.call(c.Expunge(INBOX, [(1, 7)], False))
    assert counts(box) == {"messages": 1, "message_data": 1, "content": 1, "data_refs": 0, "attachments": 0}
    assert box.contents() == {8: mail(2)}


def test_a_move_keeps_the_references(box: Harness) -> None:
    box.fill(2)
    box.call(c.CopyMessages(INBOX, [(1, 1)], SENT, False, b"1"))
    box.call(c.CopyMessages(INBOX, ALL, DRAFTS, True, b"2"))
    assert counts(box) == {"messages": 3, "message_data": 2, "content": 2, "data_refs": 1, "attachments": 0}
    box.call(c.Expunge(DRAFTS, ALL, False))
    assert box.contents(SENT) == {1: mail(1)}
    assert counts(box)["content"] == 1


def test_deleting_a_folder_lets_go_of_its_data(box: Harness) -> None:
    fid = box.call(c.CreateFolder("F")).fid
    box.append(mail(1), fid)
    box.append(LARGE, fid)
    box.call(c.CopyMessages(fid, [(1, 1)], SENT, False, b"1"))
    box.call(c.DeleteFolder(fid))
    assert counts(box) == {"messages": 1, "message_data": 1, "content": 1, "data_refs": 0, "attachments": 0}
    assert box.files() == []
    assert box.contents(SENT) == {1: mail(1)}


def test_a_large_body_is_a_zstd_file(box: Harness) -> None:
    box.append(LARGE)
    [file] = box.files()
    body = LARGE[LARGE.index(b"\r\n\r\n") + 4 :]
    with zstandard.ZstdDecompressor().stream_reader(file.read_bytes(), read_across_frames=True) as stream:
        assert stream.read() == body
    assert file.parent.name == file.name[:2]
    assert box.contents() == {1: LARGE}
    assert box.sql("SELECT kind, size, body FROM content") == [(2, len(body), None)]
    assert box.call(c.GetPieces(INBOX, ALL, c.HEADER))[0].header == LARGE[: -len(body)]


def test_equal_bodies_share_a_file(box: Harness) -> None:
    other = LARGE.replace(b"Message 1", b"Message 2")
    box.append(LARGE)
    box.append(other)
    assert len(box.files()) == 1
    box.call(c.Expunge(INBOX, [(1, 1)], False))
    assert len(box.files()) == 1
    assert box.contents() == {2: other}
    box.call(c.Expunge(INBOX, [(2, 2)], False))
    assert box.files() == []


def test_a_file_deleted_and_made_again_in_one_batch_stays(box: Harness) -> None:
    box.append(LARGE)
    box.batch(c.Expunge(INBOX, ALL, False), c.Append(INBOX, new(LARGE), b"again"))
    assert len(box.files()) == 1
    assert box.contents() == {2: LARGE}


def test_a_file_whose_write_failed_goes(box: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    box.db.set_commit_hook(lambda: True)
    assert box.refused(c.Append(INBOX, new(LARGE), b"x")) == Ec.ecError
    box.db.set_commit_hook(None)
    assert box.files() == []
    monkeypatch.setattr(os, "fsync", lambda descriptor: 1 / 0)
    results = box.batch(c.Append(INBOX, new(LARGE), b"x"), c.Append(INBOX, new(mail(2)), b"y"))
    assert isinstance(results[0], ZeroDivisionError)
    assert results[1].uid == 1
    assert box.files() == []


def test_parts_across_frames(box: Harness) -> None:
    raw = mail(1, random.Random(1).randbytes(2 * FRAME + 1000).hex()[: 2 * FRAME + 1000])
    box.append(raw)
    head = raw.index(b"\r\n\r\n") + 4
    for at in (
        0,
        head - 3,
        head,
        head + 1,
        head + FRAME - 5,
        head + FRAME,
        head + 2 * FRAME - 1,
        len(raw) - 3,
        len(raw),
    ):
        for length in (0, 1, 10, FRAME, 1 << 20):
            assert box.call(c.ReadContent(INBOX, 1, at, length)) == raw[at : at + length]


@pytest.mark.parametrize("body", [b"short", b"", b"word " * 5_000, bytes(range(256)) * 5_000])
def test_spools(box: Harness, body: bytes) -> None:
    raw = mail(1)[:-2] + body
    with tempfile.TemporaryFile() as spool:
        spool.write(raw)
        spool.flush()
        call = c.Append(INBOX, c.NewMessage(digest(raw), b"", 5), b"s")
        assert box.call(call, spool=spool.fileno()).uid == 1
    assert box.contents() == {1: raw}


@pytest.mark.parametrize("wrong", [{"size": 10}, {"size": 1 << 40}, {"header_size": 1 << 40}, {"header_size": -1}])
def test_a_digest_of_other_bytes_is_refused(box: Harness, wrong: dict[str, Any]) -> None:
    assert box.refused(c.Append(INBOX, new(mail(1), **wrong), b"w")) == Ec.ecInvalidParam
    assert counts(box) == dict.fromkeys(counts(box), 0)


@pytest.mark.parametrize("level", [0, 1, 3])
def test_small_bodies_are_compressed_when_it_pays(make: Callable[..., Harness], level: int) -> None:
    box = make(exmdb_file_compression=level)
    raws = [mail(1, "words " * 500), mail(2, random.Random(2).randbytes(500).hex()), mail(3)]
    for raw in raws:
        box.append(raw)
    kinds = [kind for (kind,) in box.sql("SELECT kind FROM content ORDER BY cid")]
    assert kinds == ([1, 1, 0] if level else [0, 0, 0])
    assert list(box.contents().values()) == raws


def test_leftovers_are_collected_after_a_crash_only(box: Harness) -> None:
    box.append(LARGE)
    orphan = box.folder / "cid" / "ab" / ("ab" * 32)
    temporary = box.folder / "cid" / "tmp" / "1.1"
    foreign = box.folder / "cid" / "ab" / "README"

    def litter() -> None:
        orphan.parent.mkdir(exist_ok=True)
        for file in (orphan, temporary, foreign):
            file.write_bytes(b"x")

    litter()
    box.reopen()
    assert orphan.exists()
    box.close()
    (box.folder / "lock").write_text("node1 99999\n")
    box.open()
    assert not orphan.exists() and not temporary.exists()
    assert foreign.exists()
    assert box.contents() == {1: LARGE}


def test_a_body_that_went_while_reading_is_a_message_that_went(box: Harness) -> None:
    box.append(LARGE)
    box.append(mail(2))
    Path(box.files()[0]).unlink()
    assert box.contents() == {2: mail(2)}
    assert box.refused(c.ReadContent(INBOX, 1, len(LARGE) - 10, 5)) == Ec.ecNotFound
    assert box.call(c.ReadContent(INBOX, 1, 0, 5)) == LARGE[:5]
    assert box.call(c.SearchText(INBOX, ALL, [c.Term("body", "body")])) == [[(2, 2)]]
