"""Several processes on one arena for a few seconds: no torn and no foreign value, whoever dies when."""

from __future__ import annotations

import mmap
import os
import random
import signal
import struct
import time
import traceback
from collections.abc import Callable
from hashlib import blake2b

import pytest

from gromoxd.shm.arena import Arena
from gromoxd.shm.lock import ProcessLock

pytestmark = pytest.mark.slow

KEYS = [b"mailbox-%04d" % i for i in range(400)]
_HEAD = struct.Struct("<IQ")


def certified(key: bytes, version: int, size: int) -> bytes:
    """A value that says whose it is and proves that it is whole."""
    body = _HEAD.pack(len(key), version) + key + bytes([version & 255]) * size
    return blake2b(body, digest_size=16).digest() + body


def check(key: bytes, value: bytes) -> int:
    body = value[16:]
    assert blake2b(body, digest_size=16).digest() == value[:16], "torn"
    length, version = _HEAD.unpack_from(body)
    assert body[_HEAD.size : _HEAD.size + length] == key, "foreign"
    return int(version)


def spawn(work: Callable[[], None]) -> int:
    """Run `work` in a child; its status says whether it failed."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    finally:
        if status:
            traceback.print_exc()
        os._exit(status)


def write_until(arena: Arena, end: float, first_version: int) -> None:
    rng = random.Random(first_version)
    version = first_version
    while time.monotonic() < end:
        for _ in range(100):
            version += 1
            key = rng.choice(KEYS)
            if version % 5000 == 0:
                arena.clear()
            elif version % 37 == 0:
                arena.delete(key)
            else:
                arena.put(key, certified(key, version, rng.choice((10, 200, 3000, 18000))), rng.choice((0, 0, 4000)))


def read_until(arena: Arena, end: float, ordered: bool = True) -> None:
    rng = random.Random(os.getpid())
    newest: dict[bytes, int] = {}
    hits = 0
    while time.monotonic() < end:
        for _ in range(200):
            key = rng.choice(KEYS)
            value = arena.get(key)
            if value is not None:
                hits += 1
                version = check(key, value)
                assert not ordered or version >= newest.get(key, 0), "went back in time"
                newest[key] = version
    assert hits > 1000, hits


def test_one_writer_three_readers() -> None:
    arena = Arena(mmap.mmap(-1, 1 << 20))
    end = time.monotonic() + 6
    children = [spawn(lambda: write_until(arena, end, 0))]
    children += [spawn(lambda: read_until(arena, end)) for _ in range(3)]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0, 0, 0, 0]


def test_several_writers_under_the_lock() -> None:
    arena = Arena(mmap.mmap(-1, 1 << 20), lock=ProcessLock())
    end = time.monotonic() + 4
    children = [spawn(lambda n=n: write_until(arena, end, n << 40)) for n in range(3)]  # type: ignore[misc]
    children += [spawn(lambda: read_until(arena, end, ordered=False)) for _ in range(2)]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 5


@pytest.mark.parametrize("locked", [False, True])
def test_writers_killed_again_and_again(locked: bool) -> None:
    arena = Arena(mmap.mmap(-1, 1 << 20), lock=ProcessLock() if locked else None)
    end = time.monotonic() + 5
    readers = [spawn(lambda: read_until(arena, end)) for _ in range(2)]
    rng = random.Random(7)
    kills = 0
    while time.monotonic() < end - 0.3:
        kills += 1
        writer = spawn(lambda n=kills: write_until(arena, end, n << 32))  # type: ignore[misc]
        time.sleep(rng.uniform(0.005, 0.04))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        for key in rng.sample(KEYS, 20):
            value = arena.get(key)
            assert value is None or check(key, value) < (kills + 1) << 32
        arena.put(b"probe", certified(b"probe", kills, 50))
        value = arena.get(b"probe")
        assert value is not None
        assert check(b"probe", value) == kills
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in readers] == [0, 0]
    assert kills > 20
