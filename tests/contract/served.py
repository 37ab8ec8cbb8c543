"""Client → Unix socket → store service → mailbox, as greenlets of one process."""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gevent

from gromoxd.context import Slot, WorkerContext
from gromoxd.exmdb.api import Exmdb, MailboxRef
from gromoxd.exmdb.client import Client
from gromoxd.exmdb.settings import ExmdbSettings
from store.direct import DictArena
from store.main import StoreServer
from store.service import StoreService
from store.settings import StoreSettings


class Board:
    """Counters."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    def add(self, name: str, amount: int = 1) -> None:
        self.values[name] = self.values.get(name, 0) + amount

    def set(self, name: str, value: int) -> None:
        self.values[name] = value

    def get(self, name: str) -> int:
        return self.values.get(name, 0)

    def observe_ms(self, name: str, value_ms: float) -> None:
        self.add(name)


class Homes:
    """A directory of one user."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.lists: dict[str, frozenset[str]] = {}
        self.asked: list[str] = []

    def home(self, maildir: str) -> tuple[str, bool]:
        return self.owner, True

    def person(self, name: str) -> tuple[str, frozenset[str]] | None:
        self.asked.append(name)
        known = "@" in name and name.isprintable()
        return (name.lower(), self.lists.get(name.lower(), frozenset())) if known else None

    def host_of(self, maildir: str) -> str:
        return ""


class ServedWorld:
    """See `worlds.World`."""

    def __init__(self, folder: Path, owner: str, settings: StoreSettings | None = None) -> None:
        self.run = tempfile.mkdtemp(prefix="gx")  # a short path: it holds Unix sockets
        self.homes, self.board, arena = Homes(owner), Board(), DictArena()
        self.shared: Any = SimpleNamespace(mailboxes=lambda number: arena, stores=1, epoch=1)
        chosen = settings or StoreSettings()
        self.service = StoreService(self.homes, lambda: chosen, arena, self.board, "")
        context = SimpleNamespace(slot=Slot("store", 0), shared=self.shared, draining=lambda: False)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{self.run}/store.0.sock")
        self.listener.listen()
        self.listener.setblocking(False)
        server = StoreServer(cast(WorkerContext, context), self.service)
        self.accepting = gevent.spawn(server.accept, self.listener, False, False)
        self.box = MailboxRef(str(folder / "alice"))
        self.client = self._connect()
        self.store: Exmdb = self.client

    def _connect(self) -> Client:
        return Client(self.run, self.shared, 1, self.homes, ExmdbSettings())

    def die(self) -> None:
        self.client.close()
        while self.service._instances:
            gevent.sleep(0)
        self.client = self.store = self._connect()

    def close(self) -> None:
        self.client.close()
        while self.service._instances:
            gevent.sleep(0)
        self.accepting.kill()
        self.service.close_all()
        self.service.pool.kill()
        self.service._long.kill()
        self.listener.close()
        shutil.rmtree(self.run)
        assert self.board.get("internal_errors") == 0
