"""The exmdb client of a worker: routes each call to the mailbox's owner, reconnects, retries, renews watches.

Route: the directory's home server of the mailbox (`MailboxRef.host`), or what was learnt when an owner answered
ecWrongServer ("moved"): then the directory is asked anew and the call repeated at the new owner. Every call of
`calls.py` may be retried: reads and flag changes by nature, the others by their request id.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol, TypeVar

import gevent
from gevent.lock import RLock

from gromoxd.context import Shared, SlotBoard
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls, dial, keys
from gromoxd.exmdb.api import MailboxRef
from gromoxd.exmdb.calls import Call, Event
from gromoxd.exmdb.connection import Connection, Lost
from gromoxd.exmdb.settings import ExmdbSettings
from gromoxd.exmdb.tables import WatchObjects, WatchTable

R = TypeVar("R")
LOCAL = ""
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
RETRY = {Ec.ecWrongServer, Ec.ecLocked, Ec.ecBusy}


class Routes(Protocol):
    """What the client asks the directory."""

    def host_of(self, maildir: str) -> str:
        """The home server's name of a mailbox, read freshly; '' when it is this node. MapiError(ecUnknownUser)."""
        ...


class Client:
    """Implements `gromoxd.exmdb.api.Exmdb` for one worker process."""

    def __init__(
        self, run_dir: str, shared: Shared | None, shards: int, routes: Routes, settings: ExmdbSettings,
        board: SlotBoard | None = None,
    ) -> None:  # fmt: skip
        self.instance = os.urandom(16)
        self._run_dir = run_dir
        self._shared = shared
        self._shards = shards
        self._routes = routes
        self.settings = settings
        self._board = board
        self._connections: dict[tuple[str, int], Connection] = {}
        self._dialling: dict[tuple[str, int], RLock] = {}
        self._moved: dict[str, str] = {}
        self._remote_shards: dict[str, int] = {}
        self._epoch = shared.epoch if shared else 0
        self._watches: dict[str, dict[int, tuple[MailboxRef, str, Callable[[Event], None]]]] = {}
        self._next_watch = 0
        self._details: dict[tuple[str, int], tuple[MailboxRef, str, WatchObjects | WatchTable]] = {}

    # ------------------------------------------------------------------------------------------ api.Exmdb

    def call(
        self, mailbox: MailboxRef, call: Call[R], *, actor: str, spool: BinaryIO | None = None, deadline: float = 0.0
    ) -> R:
        """See `gromoxd.exmdb.api.Exmdb.call`."""
        if not isinstance(call, WatchObjects | WatchTable):
            return self._call(mailbox, call, actor, spool, deadline)
        key = (mailbox.maildir, call.id)
        if not call.on:
            self._details.pop(key, None)
        result: R = self._call(mailbox, call, actor, None, deadline)  # type: ignore[assignment]
        if call.on:
            self._details[key] = (mailbox, actor, call)
        return result

    def _call(self, mailbox: MailboxRef, call: Call[R], actor: str, spool: BinaryIO | None, deadline: float) -> R:
        started = time.monotonic()
        end = started + (deadline or self.settings.exmdb_client_rpc_timeout)
        pause, attempt = FIRST_PAUSE, 0
        while True:
            attempt += 1
            try:
                connection = self._connection(self._host(mailbox), mailbox.maildir)
                result: R = connection.call(mailbox.maildir, actor, call, spool, end - time.monotonic())
                self._count(started)
                return result
            except Lost as error:
                failure = MapiError(Ec.ecNetwork, str(error))
            except MapiError as error:
                if attempt > 1 and error.code is Ec.ecNotFound and isinstance(call, calls.DeleteFolder):
                    return calls.Done()  # type: ignore[return-value]  # the attempt whose answer was lost did it
                if error.code not in RETRY:
                    raise
                failure = error
            except OSError as error:
                failure = MapiError(Ec.ecNetwork, str(error))
            if time.monotonic() + pause > end:
                if self._board is not None:
                    self._board.add("rpc_errors")
                raise failure
            gevent.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, LONGEST_PAUSE)
            if failure.code in (Ec.ecWrongServer, Ec.ecLocked) or attempt % 4 == 0:
                self._reroute(mailbox)

    def published(self, mailbox: MailboxRef, key: bytes) -> bytes | None:
        """See `gromoxd.exmdb.api.Exmdb.published`."""
        if self._shared is None or self._host(mailbox) != LOCAL:
            return None
        value = self._shared.mailboxes(keys.shard_of(mailbox.maildir, self._shards)).get(key)
        if self._board is not None:
            self._board.add("cache_misses" if value is None else "cache_hits")
        return value

    def watch(self, mailbox: MailboxRef, actor: str, notify: Callable[[Event], None]) -> Callable[[], None]:
        """See `gromoxd.exmdb.api.Exmdb.watch`."""
        self._next_watch += 1
        number = self._next_watch
        others = self._watches.setdefault(mailbox.maildir, {})
        admitted = actor in {known for _, known, _ in others.values()}
        others[number] = (mailbox, actor, notify)
        if not admitted:
            try:
                self.call(mailbox, calls.Watch(True), actor=actor)
            except MapiError:
                self._unwatch(mailbox.maildir, number)
                raise
        return lambda: self._unwatch(mailbox.maildir, number)

    # ------------------------------------------------------------------------------------------ routing

    def _host(self, mailbox: MailboxRef) -> str:
        if self._shared is not None and self._epoch != (epoch := self._shared.epoch):
            self._epoch = epoch
            self._moved.clear()
            gevent.spawn(self._renew_all)
        return self._moved.get(mailbox.maildir, mailbox.host)

    def _reroute(self, mailbox: MailboxRef) -> None:
        """Ask the directory where the mailbox is now. Its absence is the next attempt's error."""
        try:
            host = self._routes.host_of(mailbox.maildir)
        except MapiError:
            return
        if host == mailbox.host:
            self._moved.pop(mailbox.maildir, None)
        else:
            self._moved[mailbox.maildir] = host

    def _connection(self, host: str, maildir: str) -> Connection:
        shards = self._shards if host == LOCAL else self._remote_shards.get(host) or self._open(host, 0).shards
        shard = keys.shard_of(maildir, shards)
        connection = self._connections.get((host, shard))
        if connection is not None and connection.alive and connection.shards:
            return connection
        return self._open(host, shard)

    def _open(self, host: str, shard: int) -> Connection:
        key = (host, shard)
        with self._dialling.setdefault(key, RLock()):
            connection = self._connections.get(key)
            if connection is not None and connection.alive:
                return connection
            link = dial.local(f"{self._run_dir}/store.{shard}.sock") if host == LOCAL else self._dial_remote(host)
            connection = Connection(link, self.instance, shard, self._event, self._closed)
            connection.wait_ready(dial.CONNECT_TIMEOUT)
            if host != LOCAL:
                self._remote_shards[host] = connection.shards
            self._connections[key] = connection
            return connection

    def _dial_remote(self, host: str) -> Any:
        name, _, port = host.rpartition(":") if ":" in host and not host.endswith("]") else (host, "", "")
        if not self.settings.exmdb_secret:
            raise MapiError(Ec.ecNetwork, "the mailbox is homed on another node and exmdb_secret is not set")
        return dial.remote(
            name.strip("[]"), int(port or self.settings.exmdb_port), self.settings.exmdb_secret, self.settings.exmdb_tls
        )

    # ------------------------------------------------------------------------------------------ events

    def _event(self, event: Event) -> None:
        for _, actor, notify in list(self._watches.get(event.mailbox, {}).values()):
            if not event.actors or actor in event.actors:
                notify(event)

    def _unwatch(self, maildir: str, number: int) -> None:
        others = self._watches.get(maildir)
        if others is None or number not in others:
            return
        mailbox, actor, _ = others.pop(number)
        if not others:
            del self._watches[maildir]
            gevent.spawn(self._tell_unwatch, mailbox, actor)

    def _tell_unwatch(self, mailbox: MailboxRef, actor: str) -> None:
        try:
            if mailbox.maildir not in self._watches:
                self.call(mailbox, calls.Watch(False), actor=actor, deadline=5.0)
        except MapiError:
            return  # an owner that is gone has forgotten the watch

    def _closed(self, connection: Connection) -> None:
        for key in [k for k, c in self._connections.items() if c is connection]:
            del self._connections[key]
            if self._watches:
                gevent.spawn(self._renew_all)

    def _renew_all(self) -> None:
        """Watch anew, and let everybody look: events may have been missed (fid 0: hierarchy, -1: every folder)."""
        for maildir, others in list(self._watches.items()):
            entries = list(others.values())
            if not entries:
                continue
            for mailbox, actor in {(mailbox, actor) for mailbox, actor, _ in entries}:
                with contextlib.suppress(MapiError):  # the sessions find out with their next call
                    self.call(mailbox, calls.Watch(True), actor=actor)
            self._renew_details(maildir)
            for _, _, notify in entries:
                notify(Event(maildir, 0))
                notify(Event(maildir, -1))

    def _renew_details(self, maildir: str) -> None:
        """Watch tables and objects anew, unless that ended meanwhile."""
        for key, (mailbox, actor, call) in list(self._details.items()):
            if key[0] == maildir and key in self._details:
                with contextlib.suppress(MapiError):  # as above
                    self._call(mailbox, call, actor, None, 0.0)
                    if key not in self._details:
                        self._call(mailbox, WatchObjects(call.id, False), actor, None, 0.0)

    def _count(self, started: float) -> None:
        if self._board is not None:
            self._board.add("rpc_calls")
            took = time.monotonic() - started
            self._board.add("rpc_us_total", int(took * 1e6))
            self._board.observe_ms("rpc_ms", took * 1e3)

    def close(self) -> None:
        """Drop every connection."""
        for connection in list(self._connections.values()):
            connection.close()
