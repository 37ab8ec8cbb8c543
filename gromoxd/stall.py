"""The stall detector: how long a worker's event loop is busy without looking at its sockets.

libev calls our *check* watcher right after it has polled and our *prepare* watcher right before it polls again; between
them everything else runs. Both cost well under a microsecond a turn. A native thread looks ten times a second whether
a turn is under way for too long and logs where, since the loop itself cannot.

A turn may also be long because other processes had the processor: that is the machine's load, and no fault of the code.
The kernel tells how long a thread was ready but not running (schedstat); what that can explain of a long turn, beyond
the processor time that the turn used, is booked as `loop_starved`. The kernel's figure is read once a second and with
each long turn, so on a loaded machine a short block may hide in it; processor time of more than 20 ms never does.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from time import monotonic, thread_time
from typing import Any

from gevent.monkey import get_original

from gromoxd import log as logs
from gromoxd.context import SlotBoard

STALL_MS = 20.0
ALARM_SECONDS = 0.1
LOOK_SECONDS = 0.1
QUIET_SECONDS = 1.0
FRAMES = 30

_sleep = get_original("time", "sleep")
_start_thread = get_original("_thread", "start_new_thread")
_get_ident = get_original("_thread", "get_ident")


class StallDetector:
    """Counts into the board: `loop_stalls` (turns over 20 ms), `loop_max_ms` and the histogram `stall_ms`.

    `loop_starved` are long turns that the machine's load explains.
    """

    def __init__(self, board: SlotBoard) -> None:
        self._board = board
        self._busy_since = 0.0
        self._cpu_since = 0.0
        self._schedstat = f"/proc/self/task/{threading.get_native_id()}/schedstat"
        self._delay_ms = 0.0
        self._stopped = False
        self._watchers: list[Any] = []
        self._thread = _get_ident()

    def start(self, loop: Any) -> None:
        """Watch `loop` (gevent's, of the calling thread)."""
        check, prepare = loop.check(priority=2), loop.prepare(priority=-2)
        check.start(self._polled)
        prepare.start(self._polling)
        self._watchers = [check, prepare]
        _start_thread(self._look, ())

    def stop(self) -> None:
        """Stop watching."""
        self._stopped = True
        for watcher in self._watchers:
            watcher.stop()

    def _polled(self) -> None:
        self._busy_since = monotonic()
        self._cpu_since = thread_time()

    def _polling(self) -> None:
        since = self._busy_since
        if since:
            busy_ms = (monotonic() - since) * 1000
            if busy_ms > STALL_MS:
                self.book(busy_ms, (thread_time() - self._cpu_since) * 1000)
            self._busy_since = 0.0

    def waited_ms(self) -> float:
        """How long this thread has been ready without a processor since the last question; 0 where nobody tells."""
        try:
            with open(self._schedstat) as file:
                delay_ms = int(file.read().split()[1]) / 1e6
        except (OSError, ValueError, IndexError):
            return 0.0
        waited, self._delay_ms = delay_ms - self._delay_ms, delay_ms
        return waited

    def book(self, busy_ms: float, cpu_ms: float = 0.0) -> None:
        """Book a turn of `busy_ms`, in which the thread had `cpu_ms` of processor time, as a stall or as starved."""
        own_ms = busy_ms - min(self.waited_ms(), busy_ms - cpu_ms)
        if own_ms > STALL_MS:
            self._count(own_ms)
        else:
            self._board.add("loop_starved")

    def _count(self, busy_ms: float) -> None:
        self._board.add("loop_stalls")
        self._board.observe_ms("stall_ms", busy_ms)
        if busy_ms > self._board.get("loop_max_ms"):
            self._board.set("loop_max_ms", int(busy_ms))

    def _look(self) -> None:
        """In the native thread: log each long turn once, at most one a second."""
        told, quiet_until = 0.0, 0.0
        while not self._stopped:
            _sleep(LOOK_SECONDS)
            since, now = self._busy_since, monotonic()
            if not since or since == told or now - since < ALARM_SECONDS or now < quiet_until:
                continue
            told, quiet_until = since, now + QUIET_SECONDS
            busy = int((now - since) * 1000)
            logs.emit_from_thread(logging.WARNING, f"event loop stalls busy_ms={busy}", self._stack())

    def _stack(self) -> list[str]:
        frame = sys._current_frames().get(self._thread)
        lines = traceback.format_stack(frame, FRAMES) if frame else []
        return [part for line in lines for part in line.rstrip("\n").split("\n")]


def all_stacks() -> str:
    """The stacks of all greenlets and the names of the threads, for the dump of a stuck worker."""
    import gevent.util

    names = {thread.ident: thread.name for thread in threading.enumerate()}
    head = [f"threads: {', '.join(sorted(names.values()))}", "greenlets:"]
    util: Any = gevent.util
    return "\n".join([*head, *util.format_run_info(thread_stacks=False)]) + "\n"
