"""The writer of one mailbox: takes all queued writes, runs them as one transaction on a native thread, then answers.

At most one batch of a mailbox is under way; what arrives meanwhile waits and shares the next commit (group commit).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

import gevent
from gevent.event import Event
from gevent.threadpool import ThreadPool

from gromoxd.context import SlotBoard
from gromoxd.errors import Ec, MapiError

log = logging.getLogger(__name__)
MOST_BATCH = 256

Answer = Callable[[Any], None]
"""Takes the call's result, or the MapiError/Exception instance that it ended with."""


class Writable(Protocol):
    """The part of store.mailbox.Mailbox that a writer needs."""

    def run_batch(self, batch: list[Any]) -> Any: ...
    def publish(self, batch: Any) -> list[Any]: ...


class Writer:
    """Queues writes of one mailbox. `submit` is called in the loop, and so are the answers."""

    def __init__(self, mailbox: Writable, pool: ThreadPool, board: SlotBoard) -> None:
        self._mailbox = mailbox
        self._pool = pool
        self._board = board
        self._queue: list[tuple[Any, Answer]] = []
        self._running = False
        self.idle = Event()
        self.idle.set()

    def submit(self, write: Any, answer: Answer) -> None:
        """Queue a write (store.mailbox.Write)."""
        self._queue.append((write, answer))
        if not self._running:
            self._running = True
            self.idle.clear()
            gevent.spawn(self._run)

    def _run(self) -> None:
        try:
            while self._queue:
                taken, self._queue = self._queue[:MOST_BATCH], self._queue[MOST_BATCH:]
                self._commit(taken)
        finally:
            self._running = False
            self.idle.set()

    def _commit(self, taken: list[tuple[Any, Answer]]) -> None:
        started = time.perf_counter()
        writes = [write for write, _ in taken]
        try:
            results = self._mailbox.publish(self._pool.apply(self._mailbox.run_batch, (writes,)))
        except Exception as error:
            log.exception("mailbox batch failed", extra={"calls": len(writes)})
            self._board.add("internal_errors")
            results = [error] * len(writes)
        self._board.add("commits")
        self._board.add("commit_us_total", int((time.perf_counter() - started) * 1e6))
        for (_, answer), result in zip(taken, results, strict=True):
            answer(result)


def as_mapi_error(error: Exception) -> MapiError:
    """What a caller may know of an exception."""
    return error if isinstance(error, MapiError) else MapiError(Ec.ecError, "internal error in the store")
