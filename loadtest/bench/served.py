"""A store worker in a process of its own, with mailboxes anywhere, and a client of it: to measure RPC with."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import gevent

from gromoxd.context import Slot, WorkerContext
from gromoxd.exmdb.client import Client
from gromoxd.exmdb.settings import ExmdbSettings
from store.direct import DictArena
from store.main import StoreServer
from store.service import StoreService
from store.settings import StoreSettings

OWNER = "bench@example.test"


class Board:
    """Counters that nobody reads."""

    def add(self, name: str, amount: int = 1) -> None: ...
    def set(self, name: str, value: int) -> None: ...
    def get(self, name: str) -> int:
        return 0

    def observe_ms(self, name: str, value_ms: float) -> None: ...


class Homes:
    """Every mailbox is here and OWNER's."""

    def home(self, maildir: str) -> tuple[str, bool]:
        return OWNER, True

    def person(self, address: str) -> tuple[str, frozenset[str]]:
        return address.lower(), frozenset()

    def host_of(self, maildir: str) -> str:
        return ""


def _serve(listener: socket.socket, settings: StoreSettings) -> None:
    shared = SimpleNamespace(mailboxes=lambda number: None, stores=1, epoch=1)
    service = StoreService(cast(Any, Homes()), lambda: settings, DictArena(), cast(Any, Board()), "")
    context = SimpleNamespace(slot=Slot("store", 0), shared=shared, draining=lambda: False)
    server = StoreServer(cast(WorkerContext, context), service)
    gevent.signal_handler(signal.SIGTERM, lambda: (service.close_all(), os._exit(0)))
    server.accept(listener, False, False)


@contextmanager
def store_worker(settings: StoreSettings | None = None) -> Iterator[tuple[Client, int]]:
    """(client, process id of the store worker)."""
    run = tempfile.mkdtemp(prefix="gx")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{run}/store.0.sock")
    listener.listen()
    listener.setblocking(False)
    child = gevent.fork()
    if not child:
        _serve(listener, settings or StoreSettings())
        os._exit(0)
    listener.close()
    shared: Any = SimpleNamespace(mailboxes=lambda number: DictArena(), stores=1, epoch=1)
    client = Client(run, shared, 1, cast(Any, Homes()), ExmdbSettings())
    try:
        yield client, child
    finally:
        client.close()
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        shutil.rmtree(run)
