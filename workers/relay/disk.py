"""The spool's thread: what waits to be changed is changed in one transaction, and all who wait are told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from workers.relay.spool import Spool

R = TypeVar("R")
AT_ONCE = 256


class Disk:
    """Gives greenlets the use of a `Spool`."""

    def __init__(self, folder: str) -> None:
        self._pool = ThreadPool(1)
        self._spool: Spool = self._pool.apply(Spool, (folder,))
        self.waiting_folder = self._spool.waiting
        self._works: list[tuple[Callable[[Spool], Any], AsyncResult[Any]]] = []
        self._runner: gevent.Greenlet[..., None] | None = None

    def do(self, work: Callable[[Spool], R]) -> R:
        """Have this done; when it returns it is on disk. apsw.Error, OSError."""
        result: AsyncResult[R] = AsyncResult()
        self._works.append((work, result))
        if self._runner is None:
            self._runner = gevent.spawn(self._run)
        found: Any = result.get()
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]

    def _run(self) -> None:
        while self._works:
            works, self._works = self._works[:AT_ONCE], self._works[AT_ONCE:]
            try:
                calls = [partial(work, self._spool) for work, _ in works]
                results = self._pool.apply(self._spool.transact, (calls,))
            except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
                results = [error] * len(works)
            for (_, result), found in zip(works, results, strict=True):
                result.set(found)
        self._runner = None

    def close(self) -> None:
        """After the last change."""
        if self._runner is not None:
            self._runner.join()
        self._pool.apply(self._spool.close)
