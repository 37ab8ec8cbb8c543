"""What a worker process is handed by the master: its slot, configuration, listening sockets and shared memory.

A pool names an entry point `package.module:main`; the master forks, `gromoxd.worker` prepares the child (gevent
patch, privileges, title, signals, heartbeat, stall detector) and calls `main(ctx)`, which returns when
`ctx.draining` is set and its work is done.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

S = TypeVar("S")


class Slot(NamedTuple):
    """(protocol, number): survives a respawn of the process."""

    protocol: str
    number: int

    def __str__(self) -> str:
        return f"{self.protocol}.{self.number}"


class Listener(NamedTuple):
    """A listening socket, inherited. `service`: 'imap', 'imaps', 'pop3', 'pop3s', 'lmtp', 'http', 'https', 'exmdb' …"""

    service: str
    sock: socket.socket
    tls: bool


class SlotBoard(Protocol):
    """This slot's row of counters in shared memory. Names are declared in gromoxd.shm.board."""

    def add(self, name: str, amount: int = 1) -> None: ...
    def set(self, name: str, value: int) -> None: ...
    def get(self, name: str) -> int: ...
    def observe_ms(self, name: str, value_ms: float) -> None: ...


class Arena(Protocol):
    """One shared hash table over a ring of values (gromoxd.shm.arena). `put`/`delete` for its one writer only."""

    def get(self, key: bytes) -> bytes | None: ...
    def put(self, key: bytes, value: bytes, reserve: int = 0) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def clear(self) -> None: ...


class Shared(Protocol):
    """All shared memory: one arena per store worker, the directory's, the throttle table, the board, the epoch."""

    throttle: Any
    board: Any
    secret: bytes

    @property
    def directory(self) -> Arena: ...
    @property
    def epoch(self) -> int: ...
    def mailboxes(self, store: int) -> Arena: ...
    @property
    def stores(self) -> int: ...


class ConfigView(Protocol):
    """The configuration in force; `get` gives a component's settings, fresh after every reload."""

    def get(self, cls: type[S]) -> S: ...


@dataclass
class WorkerContext:
    """Everything a worker's `main` may use. `on_reload` callbacks run in the worker after a SIGHUP was taken over."""

    slot: Slot
    config: ConfigView
    listeners: list[Listener]
    shared: Shared
    board: SlotBoard
    site: str
    """The folder of this site's run-time files; store sockets are `<site>/run/store.<n>.sock`."""
    draining: Callable[[], bool]
    reload_hooks: list[Callable[[], None]] = field(default_factory=list)
    drain_hooks: list[Callable[[], None]] = field(default_factory=list)

    def on_reload(self, hook: Callable[[], None]) -> None:
        self.reload_hooks.append(hook)

    def on_drain(self, hook: Callable[[], None]) -> None:
        """Called once when the worker is asked to stop: close listeners, say goodbye to idle clients."""
        self.drain_hooks.append(hook)
