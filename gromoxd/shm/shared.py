"""All shared memory of a site (context.Shared): made once by the master before it forks, mapped by every process."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence

from gromoxd.context import Slot
from gromoxd.shm.arena import Arena
from gromoxd.shm.board import Board
from gromoxd.shm.lock import ProcessLock
from gromoxd.shm.throttle import Throttle

MAX_STORES = 64


class Shared:
    """See `gromoxd.context.Shared`. `secret` is random and known to this master's processes only."""

    def __init__(self, *, stores: int, arena_bytes: int, directory_bytes: int, rows: int) -> None:
        self._words = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("q")
        self._words[0] = 1
        self._arenas = [Arena(mmap.mmap(-1, arena_bytes)) for _ in range(stores)]
        self.directory = Arena(mmap.mmap(-1, directory_bytes), lock=ProcessLock("directory"), entry_hint=256)
        self.throttle = Throttle()
        self.board = Board(rows)
        self.secret = os.urandom(32)

    @property
    def epoch(self) -> int:
        """The directory epoch: cached users, servers and routes of another one are stale."""
        return self._words[0]

    def bump_epoch(self) -> int:
        """Make everything cached from the directory stale, at once and everywhere (the master, on SIGHUP)."""
        self._words[0] += 1
        return self._words[0]

    def mailboxes(self, store: int) -> Arena:
        """The arena that store worker `store` writes."""
        return self._arenas[store]

    @property
    def stores(self) -> int:
        return len(self._arenas)


def create(*, stores: int, slots: Sequence[Slot], arena_bytes: int, directory_bytes: int, rows: int = 0) -> Shared:
    """Make the maps. `rows` is the number of slots there may ever be at once (default: room for the pools to grow).

    Pages are only backed by memory once they are written, so generous sizes cost nothing by themselves.
    """
    if not 1 <= stores <= MAX_STORES:
        raise ValueError(f"between 1 and {MAX_STORES} store workers")
    shared = Shared(
        stores=stores,
        arena_bytes=arena_bytes,
        directory_bytes=directory_bytes,
        rows=rows or max(128, 2 * len(slots)),
    )
    for slot in slots:
        shared.board.claim(slot)
    return shared
