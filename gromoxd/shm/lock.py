"""A lock between processes that the kernel releases when its holder dies. For the few tables with several writers."""

from __future__ import annotations

import fcntl
import os
from _thread import allocate_lock
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep  # the real one: imported by the master, before a worker patches the module

__all__ = ["ProcessLock", "allocate_lock"]

_TRIES = 12
_PAUSE = 0.0002


class ProcessLock:
    """A POSIX record lock on an inherited memory file, with a thread lock around it (record locks are per process).

    Guards sections of a few microseconds. `held` gives up after about 2 ms: a stopped holder never stops others.
    """

    def __init__(self, name: str = "lock") -> None:
        self._fd = os.memfd_create(f"gromoxd-{name}")
        self._threads = allocate_lock()

    @contextmanager
    def held(self) -> Iterator[bool]:
        """True while the lock is held, False when it could not be had in time (then do without, or do nothing)."""
        with self._threads:
            got = self._acquire()
            try:
                yield got
            finally:
                if got:
                    fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def _acquire(self) -> bool:
        for attempt in range(_TRIES):
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                sleep(_PAUSE if attempt else 0)
            else:
                return True
        return False

    def close(self) -> None:
        """Give the descriptor back (tests); the processes' own copies go with them."""
        os.close(self._fd)
