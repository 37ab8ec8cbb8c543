"""kill -9: what was acknowledged is there exactly once, byte for byte; the lock and leftovers do not get in the way."""

from __future__ import annotations

import os
import random
import signal
import struct
import time
from pathlib import Path

import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import pages
from tests.store.conftest import ALL, INBOX, SENT, Harness, mail, new

ROUND = struct.Struct("<II")


def body_of(number: int) -> bytes:
    """Every tenth is kept in a file."""
    return mail(number, f"{number} " * (60_000 if number % 10 == 0 else 200))


def work(folder: Path, report: int, start: int) -> None:
    """Append, flag, copy and expunge for ever; report what was acknowledged."""
    box = Harness(folder)
    for number in range(start, start + 100_000):
        stored = box.call(c.Append(INBOX, new(body_of(number)), b"append%d" % number))
        os.write(report, ROUND.pack(number, stored.uid))
        box.call(c.SetFlags(INBOX, [(stored.uid, stored.uid)], c.ADD, pages.SEEN, [f"k{number % 3}"]))
        box.call(c.CopyMessages(INBOX, [(stored.uid, stored.uid)], SENT, False, b"copy%d" % number))
        if number % 3 == 0:
            box.call(c.Expunge(SENT, ALL, False))


def killed_after(folder: Path, seconds: float, start: int) -> dict[int, int]:
    """Run `work` in a child, kill it; answers number -> uid of what it reported."""
    reader, report = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(folder, report, start)
        finally:
            os._exit(1)
    os.close(report)
    first = os.read(reader, ROUND.size)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    data = first
    while block := os.read(reader, 1 << 16):
        data += block
    os.close(reader)
    return dict(ROUND.iter_unpack(data[: len(data) // ROUND.size * ROUND.size]))


def verify(box: Harness, acknowledged: dict[int, int]) -> None:
    contents = box.contents()
    for number, uid in acknowledged.items():
        assert contents[uid] == body_of(number)
    assert len(contents) - len(acknowledged) in (0, 1)
    assert len(set(contents.values())) == len(contents)
    assert box.sql("PRAGMA integrity_check") == [("ok",)]
    state = box.state()
    assert (state.exists, state.size) == (len(contents), sum(map(len, contents.values())))
    assert state.unseen == sum(not flags & pages.SEEN for flags in box.flags().values())
    named = {digest.hex() for (digest,) in box.sql("SELECT hash FROM content WHERE hash IS NOT NULL")}
    assert {file.name for file in box.files()} == named
    wanted = box.sql(
        "SELECT did, count(*) FROM messages GROUP BY did HAVING count(*) > 1 EXCEPT SELECT did, refs FROM data_refs"
    )
    assert wanted == []
    assert box.sql("SELECT count(*) FROM message_data") == box.sql("SELECT count(DISTINCT did) FROM messages")


def check_kills(folder: Path, rounds: int) -> None:
    chance = random.Random(5)
    acknowledged: dict[int, int] = {}
    for round_ in range(rounds):
        acknowledged |= killed_after(folder, chance.uniform(0.01, 0.15), (round_ + 1) * 1_000_000)
        box = Harness(folder)
        try:
            last = max(acknowledged)
            again = box.call(c.Append(INBOX, new(body_of(last)), b"append%d" % last))
            assert again.uid == acknowledged[last]
            contents = box.contents()
            known = set(acknowledged.values())
            for uid in set(contents) - known:
                number = int(contents[uid].split(b"Message ")[1].split(b"\r\n")[0])
                acknowledged[number] = uid
            verify(box, acknowledged)
        finally:
            box.close()


def test_kill_9(tmp_path: Path) -> None:
    check_kills(tmp_path / "box", 2)


@pytest.mark.slow
def test_kill_9_many_times(tmp_path: Path) -> None:
    check_kills(tmp_path / "box", 25)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """A second owner is refused while the first lives, in this process or another; kill -9 frees the lock."""
    folder = tmp_path / "box"
    reader, report = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            box = Harness(folder)
            box.append(mail(1))
            os.write(report, b"x")
            time.sleep(60)
        finally:
            os._exit(1)
    try:
        os.read(reader, 1)
        with pytest.raises(MapiError) as caught:
            Harness(folder)
        assert caught.value.code == Ec.ecLocked
        assert f"node1 {child}" in caught.value.text
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(report)
    box = Harness(folder)
    assert box.contents() == {1: mail(1)}
    with pytest.raises(MapiError) as caught:
        Harness(folder)
    assert caught.value.code == Ec.ecLocked
    box.append(mail(2))
    box.close()
    box = Harness(folder)
    assert len(box.contents()) == 2
    box.close()


def test_a_mailbox_that_does_not_open_is_not_locked(tmp_path: Path) -> None:
    (tmp_path / "mailbox.sqlite3").write_bytes(b"not a database, but long enough to be looked at" * 100)
    for _ in range(2):
        with pytest.raises(MapiError) as caught:
            Harness(tmp_path)
        assert caught.value.code == Ec.ecError
