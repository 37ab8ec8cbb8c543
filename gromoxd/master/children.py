"""The master's book-keeping of one slot: its process, heartbeat, stack dump, and when it may be started again."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from types import SimpleNamespace

from gunicorn.workers.workertmp import WorkerTmp

from gromoxd.context import Slot
from gromoxd.master.launch import DUMP_SIGNAL
from gromoxd.master.listeners import Owner
from gromoxd.master.pools import Pool

SHORT_LIFE = 5.0
"""A process that lived less than this many seconds counts as a failure in a row."""
FIRST_PAUSE = 0.05
SERVED_PAUSE = 0.5
"""Longest pause after a process that had come as far as serving: its clients wait for the next one."""
DUMP_LIMIT = 1 << 20
DUMP_SECONDS = 0.3


def heartbeat_file(owner: Owner | None) -> WorkerTmp:
    """gunicorn's heartbeat: an unlinked file whose time stamp the worker renews."""
    uid, gid = (owner.uid, owner.gid) if owner else (os.geteuid(), os.getegid())
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return WorkerTmp(SimpleNamespace(umask=0o077, worker_tmp_dir=folder, uid=uid, gid=gid))


def pause_after(failures: int, most: float) -> float:
    """Seconds before the next start: none after the first failure in a row, then doubling from 50 ms."""
    return 0.0 if failures < 2 else min(most, FIRST_PAUSE * 2.0 ** min(failures - 2, 32))


@dataclass
class Child:
    """A slot. `pid` 0: no process; then it is started at `start_at`, unless it is `retired`."""

    slot: Slot
    pool: Pool
    pid: int = 0
    started: float = 0.0
    start_at: float = 0.0
    failures: int = 0
    starts: int = 0
    retired: bool = False
    retire_by: float = 0.0
    dump_asked: float = 0.0
    beat: WorkerTmp | None = None
    dump: int = -1

    def renew(self, owner: Owner | None) -> WorkerTmp:
        """Fresh heartbeat and dump files for the next process."""
        self.close()
        self.beat = heartbeat_file(owner)
        self.dump = os.memfd_create("gromoxd-dump", os.MFD_CLOEXEC)
        self.dump_asked = 0.0
        return self.beat

    def close(self) -> None:
        """Give the files back."""
        if self.beat is not None:
            self.beat.close()
            os.close(self.dump)
            self.beat, self.dump = None, -1

    def running(self, pid: int) -> None:
        """The slot has a process."""
        self.pid, self.started, self.starts = pid, time.monotonic(), self.starts + 1

    def beaten(self) -> float:
        """Monotonic time of the last heartbeat, or of the start before the first one (the file's own time is later)."""
        last = self.beat.last_update() if self.beat is not None else 0.0
        return last if self.started <= last <= time.monotonic() + 1 else self.started

    @property
    def booted(self) -> bool:
        """The process has reached its main loop."""
        return bool(self.pid) and self.beaten() > self.started

    def ended(self, most: float) -> None:
        """The process is gone: plan its successor."""
        now = time.monotonic()
        if self.booted:
            most = min(most, SERVED_PAUSE)
        self.failures = self.failures + 1 if now - self.started < SHORT_LIFE else 1
        self.start_at = now + pause_after(self.failures, most)
        self.pid = 0

    def kill(self, number: int) -> None:
        """Send a signal to the process, if there is one."""
        if self.pid:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return  # not reaped yet

    def silent_for(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - self.beaten()

    def ask_dump(self) -> None:
        """Ask a stuck process for its stacks."""
        self.dump_asked = time.monotonic()
        self.kill(DUMP_SIGNAL)

    def dump_due(self) -> bool:
        """Has a process that was asked for its stacks had its time?"""
        return bool(self.dump_asked) and time.monotonic() - self.dump_asked >= DUMP_SECONDS

    def last_words(self) -> list[str]:
        """What the process left in its dump file: stacks, or the trace of a fatal signal."""
        if self.dump < 0:
            return []
        return os.pread(self.dump, DUMP_LIMIT, 0).decode(errors="replace").splitlines()


def how(status: int) -> str:
    """A wait status in words."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
