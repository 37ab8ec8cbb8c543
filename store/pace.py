"""Long loops on threads let the event loop run: a real sleep every few milliseconds.

Releasing the GIL for an instant is not enough: the thread has it back before the loop's thread is awake, and the loop
waits for the switch interval at each of its system calls.
"""

from __future__ import annotations

from time import perf_counter

from gevent.monkey import get_original

_sleep = get_original("time", "sleep")
WORK, REST = 0.002, 0.0001


class Pace:
    """Call `step` once per turn of a long loop."""

    def __init__(self) -> None:
        self._rest_at = perf_counter() + WORK

    def step(self) -> None:
        """Sleep when it is time to."""
        if perf_counter() >= self._rest_at:
            _sleep(REST)
            self._rest_at = perf_counter() + WORK
