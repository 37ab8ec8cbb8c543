"""Signals of the master: a handler only notes the signal, a pipe wakes the loop, the loop acts."""

from __future__ import annotations

import os
import select
import signal
from collections import deque
from types import FrameType

QUEUED = (
    signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU,
    signal.SIGCHLD,
)  # fmt: skip
IGNORED = (signal.SIGUSR2, signal.SIGPIPE, signal.SIGWINCH)
MOST_QUEUED = 64


class SignalQueue:
    """The signals that have come and were not handled yet. Child signals count once: reaping takes all there are."""

    def __init__(self) -> None:
        self._queue: deque[signal.Signals] = deque(maxlen=MOST_QUEUED)
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old: dict[signal.Signals, object] = {}

    def install(self) -> None:
        """Take the signals over."""
        for number in QUEUED:
            self._old[number] = signal.signal(number, self._note)
        for number in IGNORED:
            self._old[number] = signal.signal(number, signal.SIG_IGN)

    def _note(self, number: int, frame: FrameType | None) -> None:
        what = signal.Signals(number)
        if what not in self._queue:
            self._queue.append(what)
        try:
            os.write(self._writer, b"!")
        except BlockingIOError:
            return  # the pipe is full of wake-ups already

    def wait(self, seconds: float) -> list[signal.Signals]:
        """Sleep until a signal comes or the time is over; answers what has come, oldest first."""
        if not self._queue:
            select.select([self._reader], [], [], max(0.0, seconds))
        try:
            while os.read(self._reader, 4096):
                pass
        except BlockingIOError:
            pass
        come = []
        while self._queue:
            come.append(self._queue.popleft())
        return come

    def forget(self) -> None:
        """In a child: default handling, no pipe."""
        for number in (*QUEUED, *IGNORED):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        os.close(self._reader)
        os.close(self._writer)

    @staticmethod
    def hold() -> None:
        """Before a fork: signals wait, so that none is lost between the parent's handlers and the child's own."""
        signal.pthread_sigmask(signal.SIG_BLOCK, (*QUEUED, *IGNORED))

    @staticmethod
    def release() -> None:
        """After a fork, and in the child once it has its own handlers."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*QUEUED, *IGNORED))
