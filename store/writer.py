"""The writer of one mailbox: takes all queued writes, runs them as one transaction on a native thread, then answers.

At most one batch of a mailbox is under way; what arrives meanwhile waits and shares the next commit (group commit).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from gevent.event import Event

from gromoxd.context import SlotBoard
from gromoxd.errors import Ec, MapiError
from store.threads import Threads

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

    def __init__(self, mailbox: Writable, threads: Threads, board: SlotBoard) -> None:
        self._mailbox = mailbox
        self._threads = threads
        self._board = board
        self._queue: list[tuple[Any, Answer]] = []
        self._taken: list[tuple[Any, Answer]] = []
        self._started = 0.0
        self.idle = Event()
        self.idle.set()

    def submit(self, write: Any, answer: Answer) -> None:
        """Queue a write (store.mailbox.Write)."""
        self._queue.append((write, answer))
        if not self._taken:
            self.idle.clear()
            self._next()

    def _next(self) -> None:
        self._taken, self._queue = self._queue[:MOST_BATCH], self._queue[MOST_BATCH:]
        if not self._taken:
            self.idle.set()
            return
        self._started = time.perf_counter()
        self._threads.run(self._mailbox.run_batch, ([write for write, _ in self._taken],), self._done)

    def _done(self, batch: Any, error: BaseException | None) -> None:
        """In the hub: make the batch visible, answer its callers, go on."""
        taken = self._taken
        results: list[Any] = [error] * len(taken)
        try:
            if error is None:
                results = self._mailbox.publish(batch)
        except Exception as bug:  # noqa: BLE001 - logged and counted below, and the callers are told
            error = bug
            results = [bug] * len(taken)
        if error is not None:
            log.error("mailbox batch failed", extra={"calls": len(taken)}, exc_info=error)
            self._board.add("internal_errors")
        self._board.add("commits")
        took = time.perf_counter() - self._started
        self._board.add("commit_us_total", int(took * 1e6))
        self._board.observe_ms("commit_ms", took * 1e3)
        self._next()
        for (_, answer), result in zip(taken, results, strict=True):
            answer(result)


def as_mapi_error(error: Exception) -> MapiError:
    """What a caller may know of an exception."""
    return error if isinstance(error, MapiError) else MapiError(Ec.ecError, "internal error in the store")
