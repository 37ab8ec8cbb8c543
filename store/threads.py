"""Native threads that work for the event loop: a job goes out, its outcome comes back as a callback in the hub.

gevent's thread pool makes a watcher, a semaphore and a greenlet a job; a commit is so short that this would be a good
part of its cost. Here one watcher serves all jobs, and nobody waits: `done` is called in the hub and must not block.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.monkey import get_original

log = logging.getLogger(__name__)

Done = Callable[[Any, BaseException | None], None]
"""Takes the function's result, or None and its exception."""


class Threads:
    """`count` native threads, started with the first job."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._jobs: Any = get_original("queue", "SimpleQueue")()
        self._outcomes: deque[tuple[Done, Any, BaseException | None]] = deque()
        self._watcher: Any = None

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], done: Done) -> None:
        """Call `function(*args)` on a thread, then `done` in the hub."""
        if self._watcher is None:
            self._start()
        self._jobs.put((function, args, done))

    def _start(self) -> None:
        self._watcher = gevent.get_hub().loop.async_()
        self._watcher.start(self._deliver)
        start_thread = get_original("_thread", "start_new_thread")
        for _ in range(self._count):
            start_thread(self._work, ())

    def _work(self) -> None:
        while True:
            function, args, done = self._jobs.get()
            result, failure = None, None
            try:
                result = function(*args)
            except BaseException as error:  # noqa: BLE001 - whatever it is, `done` is told
                failure = error
            self._outcomes.append((done, result, failure))
            self._watcher.send()

    def _deliver(self) -> None:
        while self._outcomes:
            done, result, error = self._outcomes.popleft()
            try:
                done(result, error)
            except Exception:
                log.exception("callback of a thread's job failed")
