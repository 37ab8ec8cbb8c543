"""The store without processes: `gromoxd.exmdb.api.Exmdb` over mailboxes opened here, for offline tools and tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from os.path import basename
from types import TracebackType
from typing import Any, BinaryIO, TypeVar, cast

from gromoxd.exmdb import calls as c
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from store.mailbox import Mailbox, Write
from store.settings import StoreSettings

R = TypeVar("R")


class DictArena:
    """An arena that nobody else sees."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def put(self, key: bytes, value: bytes, reserve: int = 0) -> None:
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        self.values.pop(key, None)

    def clear(self) -> None:
        self.values.clear()


@dataclass(eq=False)
class _Open:
    mailbox: Mailbox
    watchers: list[tuple[str, Callable[[c.Event], None]]] = field(default_factory=list)
    events: list[c.Event] = field(default_factory=list)
    pop3: bytes = b""

    def push(self, event: c.Event) -> None:
        """As a peer of `store.mapi.watching`."""
        self.events.append(event)


class DirectStore:
    """Opens mailboxes below `root` (or at absolute paths) when they are first used and keeps them until `close`.

    `owners`: maildir -> address, otherwise the base name of the maildir. Calls are made in the name of the client
    `instance`; instances that are not in `alive` are gone (see calls.Deliver).
    """

    def __init__(
        self,
        root: str,
        owners: dict[str, str] | None = None,
        settings: StoreSettings | None = None,
        groups: dict[str, frozenset[str]] | None = None,
    ) -> None:
        self.root = root
        self.groups = groups if groups is not None else {}
        """Actor in lower case -> the lists he is in; there is no directory to ask."""
        self.owners = dict(owners or {})
        self.settings = settings or StoreSettings()
        self.arena = DictArena()
        self.instance = os.urandom(16)
        self.alive = {self.instance}
        self._open: dict[str, _Open] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> DirectStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reconnect(self) -> None:
        """Play the death of the client: later calls come from another instance."""
        self.alive.discard(self.instance)
        self.instance = os.urandom(16)
        self.alive.add(self.instance)

    def call(
        self, mailbox: MailboxRef, call: c.Call[R], *, actor: str, spool: BinaryIO | None = None, deadline: float = 60.0
    ) -> R:
        """See `Exmdb.call`."""
        with self._lock:
            entry = self._entry(mailbox.maildir)
            result = self._answer(entry, call, actor, spool)
            self._work(entry)
            events = list(entry.events)
            entry.events.clear()
            watchers = list(entry.watchers)
        for event in events:
            for watching, notify in watchers:
                told = watching in event.actors if event.actors else event.fid <= 0
                if told or (not event.actors and entry.mailbox.access(watching).sees(event.fid)):
                    notify(event)
        if isinstance(result, Exception):
            raise result
        return cast(R, result)

    def published(self, mailbox: MailboxRef, key: bytes) -> bytes | None:
        """See `Exmdb.published`."""
        return self.arena.get(key)

    def watch(self, mailbox: MailboxRef, actor: str, notify: Callable[[c.Event], None]) -> Callable[[], None]:
        """See `Exmdb.watch`."""
        entry = self._entry(mailbox.maildir)
        entry.mailbox.authorise(c.Watch(True), entry.mailbox.access(actor))
        watcher = (actor, notify)
        entry.watchers.append(watcher)

        def stop() -> None:
            if watcher in entry.watchers:
                entry.watchers.remove(watcher)

        return stop

    def close(self) -> None:
        """Close all mailboxes."""
        with self._lock:
            while self._open:
                _, entry = self._open.popitem()
                entry.mailbox.close()

    # ------------------------------------------------------------------------------------------ machinery

    def mailbox(self, maildir: str) -> Mailbox:
        """The open mailbox."""
        return self._entry(maildir).mailbox

    def _entry(self, maildir: str) -> _Open:
        with self._lock:
            entry = self._open.get(maildir)
            if entry is None:
                events: list[c.Event] = []
                mailbox = Mailbox(
                    os.path.join(self.root, maildir),
                    owner=self.owners.get(maildir, basename(maildir.rstrip("/"))),
                    node="",
                    settings=self.settings,
                    arena=self.arena,
                    notify=lambda fid: events.append(c.Event(maildir, fid)),
                    is_alive=lambda instance: instance in self.alive,
                )
                mailbox.groups = self.groups
                entry = self._open[maildir] = _Open(mailbox, events=events)
            return entry

    def _answer(self, entry: _Open, call: c.Call[Any], actor: str, spool: BinaryIO | None) -> Any:
        """The result or the exception."""
        mailbox = entry.mailbox
        if call.writes or isinstance(call, c.Confirm):
            descriptor = -1
            if spool is not None:
                spool.flush()
                descriptor = spool.fileno()
            return mailbox.publish(mailbox.run_batch([Write(call, actor, self.instance, descriptor)]))[0]
        if isinstance(call, t.WatchTable | t.WatchObjects):
            return mailbox.watching.watch(entry, actor, actor, call)
        if isinstance(call, c.Watch | c.LockPop3):
            mailbox.authorise(call, mailbox.access(actor))
            return c.Done() if isinstance(call, c.Watch) else self._lock_pop3(entry, call)
        if mailbox.is_long(call, actor):
            return mailbox.read_long(call, actor)
        return mailbox.read(call, actor)

    def _work(self, entry: _Open) -> None:
        """The jobs that the call left."""
        mailbox = entry.mailbox
        while mailbox.jobs:
            job = mailbox.jobs.take()
            try:
                call = mailbox.run_job(job)
                if call is not None:
                    mailbox.publish(mailbox.run_batch([Write(call, SYSTEM, self.instance)]))
            finally:
                mailbox.jobs.done(job)

    def _lock_pop3(self, entry: _Open, call: c.LockPop3) -> bool:
        if not call.on:
            if entry.pop3 == self.instance:
                entry.pop3 = b""
            return True
        if entry.pop3 in self.alive:
            return False
        entry.pop3 = self.instance
        return True
