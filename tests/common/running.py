"""A server in the test's own process, on a free loopback port. Shared by the tests of the protocol workers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent import socket as gsocket

from gromoxd.context import Listener, Slot, WorkerContext
from workers.common.connection import Connection
from workers.common.server import Server, ServerSettings


class Counters(dict[str, int]):
    """A board row that is a dict."""

    def add(self, name: str, amount: int = 1) -> None:
        self[name] = self.get(name, 0) + amount

    def set(self, name: str, value: int) -> None:
        self[name] = value

    def observe_ms(self, name: str, value_ms: float) -> None:
        self[name] = self.get(name, 0) + 1


class Running:
    """A server in this process's hub, on a free loopback port."""

    def __init__(self, handler: Callable[[Connection], None], tls: bool = False, **settings: Any) -> None:
        listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = listening.getsockname()[1]
        self.board = Counters()
        self.ctx = WorkerContext(
            Slot("test", 0), None, [Listener("test", listening, tls)], None, self.board, "", lambda: False,  # type: ignore[arg-type]
        )  # fmt: skip
        self.settings = ServerSettings(**{"sweep_seconds": 0.05, "drain_seconds": 2.0, **settings})
        self.server = Server(self.ctx, lambda: self.settings, handler)
        self.greenlet = gevent.spawn(self.server.run)
        self._listening = listening

    def connect(self) -> Any:
        return gsocket.create_connection(("127.0.0.1", self.port), timeout=5)

    def drain(self) -> None:
        for hook in self.ctx.drain_hooks:
            hook()
        self.greenlet.join(5)
        assert self.greenlet.ready()

    def stop(self) -> None:
        if not self.greenlet.ready():
            self.drain()
        self._listening.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "did not happen in 5 s"
        gevent.sleep(0.002)
