"""The stores of a site in this process, where gromoxctl finds them: its socket, its directory, a store service."""

from __future__ import annotations

import itertools
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gevent

from gromoxd.cli.site import Site
from gromoxd.context import Slot, WorkerContext
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.client import Client
from gromoxd.exmdb.settings import ExmdbSettings
from store.direct import DictArena
from store.main import StoreServer
from store.service import StoreService
from store.settings import StoreSettings
from tests.contract.mail import digest_of
from tests.contract.served import Board

ALICE = "alice@example.test"


class SiteHomes:
    """The directory of a site, as a store worker asks it."""

    def __init__(self, site: Path) -> None:
        self.directory = Site(str(site), None, {}).directory()

    def home(self, maildir: str) -> tuple[str, bool]:
        user = self.directory.owner_of(maildir)
        if user is None:
            raise MapiError(Ec.ecUnknownUser, maildir)
        return user.username, True

    def person(self, name: str) -> tuple[str, frozenset[str]] | None:
        found = self.directory.memberships(name)
        return None if found is None else (found.name, frozenset(found.lists))

    def host_of(self, maildir: str) -> str:
        return ""


class Served:
    """One store worker for all mailboxes of a site."""

    def __init__(self, site: Path, settings: StoreSettings | None = None) -> None:
        self.homes, self.board, arena = SiteHomes(site), Board(), DictArena()
        shared: Any = SimpleNamespace(mailboxes=lambda number: arena, stores=1, epoch=1)
        chosen = settings or StoreSettings(content_inline_limit=1 << 10)
        self.service = StoreService(self.homes, lambda: chosen, arena, self.board, "")
        context = SimpleNamespace(slot=Slot("store", 0), shared=shared, draining=lambda: False)
        (site / "run").mkdir(exist_ok=True)
        path = str(site / "run" / "store.0.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.listener.setblocking(False)
        server = StoreServer(cast(WorkerContext, context), self.service)
        self.accepting = gevent.spawn(server.accept, self.listener, False, False)
        self.client = Client(str(site / "run"), shared, 1, self.homes, ExmdbSettings())
        self._ids = itertools.count(1)

    def maildir(self, name: str = ALICE) -> Path:
        directory = self.homes.directory
        domain = directory.domain(name) if "@" not in name else None
        user = directory.owner_of(domain.homedir) if domain is not None else directory.user(name)
        assert user is not None
        return Path(user.maildir)

    def call(self, call: c.Call[Any], name: str = ALICE, actor: str = SYSTEM) -> Any:
        return self.client.call(MailboxRef(str(self.maildir(name))), call, actor=actor, deadline=20)

    def append(self, raw: bytes, fid: int = 0x0D, name: str = ALICE, **more: Any) -> c.Stored:
        message = c.NewMessage(digest_of(raw), raw, 1_700_000_000 + next(self._ids), **more)
        stored: c.Stored = self.call(c.Append(fid, message, self.request_id()), name)
        return stored

    def request_id(self) -> bytes:
        return b"request-%08d" % next(self._ids)

    def give_up(self, name: str = ALICE) -> None:
        """Have the mailbox closed, as a store does with one that nobody uses."""
        self.service.close(str(self.maildir(name)))

    def close(self) -> None:
        self.client.close()
        while self.service._instances:
            gevent.sleep(0)
        self.accepting.kill()
        self.service.close_all()
        self.service.pool.kill()
        self.service._long.kill()
        self.listener.close()
        self.homes.directory.close()
        assert self.board.get("internal_errors") == 0
