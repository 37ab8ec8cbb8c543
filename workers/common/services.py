"""What every protocol worker needs once per process: the directory and the way to the mailboxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from gevent.threadpool import ThreadPool

from gromoxd.context import WorkerContext
from gromoxd.directory.service import Directory
from gromoxd.exmdb.client import Client
from gromoxd.exmdb.settings import ExmdbSettings

P = ParamSpec("P")
R = TypeVar("R")
THREADS = 8


class Services:
    """`directory` and `exmdb` of one worker process; make it after the fork, in `main(ctx)`."""

    def __init__(self, ctx: WorkerContext) -> None:
        self._pool = ThreadPool(THREADS)
        self.directory = Directory(
            ctx.config, ctx.shared, run_blocking=self.run_blocking, site=ctx.site, board=ctx.board
        )
        self.exmdb = Client(
            f"{ctx.site}/run", ctx.shared, ctx.shared.stores, self.directory, ctx.config.get(ExmdbSettings), ctx.board
        )

    def run_blocking(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run something that blocks, or takes more than some milliseconds, on a native thread; wait for it here."""
        result: R = self._pool.apply(function, args, kwargs)
        return result

    def close(self) -> None:
        """Close the connections to stores and database."""
        self.exmdb.close()
        self.directory.close()
