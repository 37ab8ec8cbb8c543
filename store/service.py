"""The store worker's service: which mailboxes are open, who may ask, calls to the engine, events to watchers.

Dispatch of a request: quick reads run inline in the loop, long ones on the thread pool, writes on the writer.
Opening asks the directory for owner and home; a mailbox that is homed elsewhere answers ecWrongServer.
"""

from __future__ import annotations

import ctypes
import logging
import os
import time
from collections.abc import Callable
from typing import Any, Protocol

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from gromoxd.context import Arena, SlotBoard
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls
from gromoxd.exmdb.access import GetRights
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.calls import Call, Done, Event
from gromoxd.exmdb.tables import WatchObjects, WatchTable
from store.mailbox import Mailbox, Write
from store.mapi.jobs import Job
from store.outbox import SiteOutbox
from store.people import People
from store.settings import StoreSettings
from store.threads import Threads
from store.writer import Answer, Writer, as_mapi_error

log = logging.getLogger(__name__)
SWEEP = 1.0
OPENERS = 4
"""Threads that open and close mailboxes."""

REST = 1.0
"""A mailbox that nobody used for so long gives back what memory it can."""

TRIM_SECONDS = 3.0


class Peer(Protocol):
    """A client connection as the service sees it."""

    instance: bytes

    def push(self, event: Event) -> None: ...


class Homes(Protocol):
    """What the service asks the directory (blocking greenlet-wise)."""

    def home(self, maildir: str) -> tuple[str, bool]:
        """(owner, homed on this node). MapiError(ecUnknownUser) when nobody has this maildir."""
        ...

    def person(self, name: str) -> tuple[str, frozenset[str]] | None:
        """A user's name and the addresses of the lists he is in; None when there is no such user. MapiError(ecBusy)."""
        ...


class Open:
    """An open mailbox: the engine's object, its writer, who watches it and who holds its POP3 lock."""

    def __init__(self, mailbox: Mailbox, writer: Writer, owner: str) -> None:
        self.mailbox = mailbox
        self.writer = writer
        self.owner = owner
        self.familiar = frozenset({SYSTEM} if mailbox.public else {SYSTEM, owner, owner.lower()})
        """Actors who may do everything, of whom the directory need not be asked."""
        self.watchers: dict[Peer, dict[str, str]] = {}
        """Who is told what happens: per peer the actors as it knows them, with their names in permissions."""
        self.pop3: Peer | None = None
        self.used = time.monotonic()
        self.reading = 0
        self.leaving = False
        self.relaxed = False


class StoreService:
    """All mailboxes of one store worker."""

    def __init__(
        self,
        homes: Homes,
        settings: Callable[[], StoreSettings],
        arena: Arena | None,
        board: SlotBoard,
        node: str,
        site: str = "",
    ) -> None:
        """`site`: the folder below which the relay is told of mail to send; '': there is none."""
        self._homes = homes
        self._settings = settings
        self._arena = arena
        self._board = board
        self._node = node
        self._site = site
        self._open: dict[str, Open] = {}
        self._opening: dict[str, AsyncResult[Open]] = {}
        self._people = People(homes.person)
        self._instances: dict[bytes, int] = {}
        self._served, self._trim_after = False, 0.0
        self._writers = Threads(settings().store_threads)
        self.pool = ThreadPool(OPENERS)
        self._long = ThreadPool(settings().store_long_threads)
        self._upkeep = gevent.spawn(self._sweep)

    # ------------------------------------------------------------------------------------------ peers

    def joined(self, peer: Peer) -> None:
        """A client connection said HELLO."""
        self._instances[peer.instance] = self._instances.get(peer.instance, 0) + 1

    def left(self, peer: Peer) -> None:
        """A client connection is gone: its watches and POP3 locks go with it."""
        count = self._instances.get(peer.instance, 0) - 1
        if count > 0:
            self._instances[peer.instance] = count
        else:
            self._instances.pop(peer.instance, None)
        for entry in self._open.values():
            entry.watchers.pop(peer, None)
            entry.mailbox.watching.left(peer)
            if entry.pop3 is peer:
                entry.pop3 = None

    def _is_alive(self, instance: bytes) -> bool:
        return instance in self._instances

    # ------------------------------------------------------------------------------------------ requests

    def request(self, peer: Peer, maildir: str, actor: str, call: Call[Any], spool_fd: int, answer: Answer) -> None:
        """Carry out a call; `answer` gets its result or error, now or later. Takes over `spool_fd`. Never blocks."""
        entry = self._open.get(maildir)
        if entry is not None and not entry.leaving and actor in entry.familiar and type(call) is not GetRights:
            self._dispatch(entry, peer, actor, actor, call, spool_fd, answer)
        else:
            gevent.spawn(self._admit, peer, maildir, actor, call, spool_fd, answer)

    def _admit(self, peer: Peer, maildir: str, actor: str, call: Call[Any], spool_fd: int, answer: Answer) -> None:
        """Open the mailbox and find out who asks, then dispatch."""
        try:
            entry = self.open(maildir)
            name = actor if actor in entry.familiar else self._name(actor)
            if type(call) is GetRights and call.user and call.user not in entry.familiar:
                call = GetRights(call.fid, self._name(call.user))
            if entry.leaving:
                entry = self.open(maildir)
        except MapiError as error:
            close_spool(spool_fd)
            answer(error)
            return
        except Exception as error:
            log.exception("mailbox did not open")
            self._board.add("internal_errors")
            close_spool(spool_fd)
            answer(as_mapi_error(error))
            return
        self._dispatch(entry, peer, actor, name, call, spool_fd, answer)

    def _name(self, actor: str) -> str:
        """An actor's name in permissions, asked of the directory when it is not known."""
        name = self._people.name(actor)
        return self._people.learn(actor) if name is None else name

    def _dispatch(
        self, entry: Open, peer: Peer, known_as: str, actor: str, call: Call[Any], spool_fd: int, answer: Answer
    ) -> None:
        """`known_as`: the actor's name as the peer has it."""
        entry.used = time.monotonic()
        entry.relaxed = False
        self._served = True
        self._board.add("rpc_calls")
        try:
            if call.writes or isinstance(call, calls.Confirm):
                write = Write(call=call, actor=actor, instance=peer.instance, spool_fd=spool_fd)
                entry.writer.submit(write, lambda result: self._written(entry, spool_fd, result, answer))
                return
            close_spool(spool_fd)
            if isinstance(call, WatchTable | WatchObjects):
                answer(entry.mailbox.watching.watch(peer, known_as, actor, call))
            elif isinstance(call, calls.Watch | calls.LockPop3):
                answer(self._session_call(entry, peer, known_as, actor, call))
            elif entry.mailbox.is_long(call, actor):
                gevent.spawn(self._read_long, entry, actor, call, answer)
            else:
                answer(entry.mailbox.read(call, actor))
        except MapiError as error:
            answer(error)
        except Exception as error:  # noqa: BLE001 - caught once here: logged, counted, answered
            self._bug(call, error, answer)
        if entry.mailbox.jobs:
            self._start_jobs(entry)

    def _written(self, entry: Open, spool_fd: int, result: Any, answer: Answer) -> None:
        close_spool(spool_fd)
        if entry.mailbox.jobs:
            self._start_jobs(entry)
        if isinstance(result, Exception) and not isinstance(result, MapiError):
            result = as_mapi_error(result)
        answer(result)

    def _read_long(self, entry: Open, actor: str, call: Call[Any], answer: Answer) -> None:
        entry.reading += 1
        try:
            answer(self._long.apply(entry.mailbox.read_long, (call, actor)))
        except MapiError as error:
            answer(error)
        except Exception as error:  # noqa: BLE001 - as in _dispatch
            self._bug(call, error, answer)
        finally:
            entry.reading -= 1
            self._start_jobs(entry)

    def _start_jobs(self, entry: Open) -> None:
        """Begin what the mailbox has to do, each job in a greenlet of its own."""
        while entry.mailbox.jobs:
            gevent.spawn(self._job, entry, entry.mailbox.jobs.take())

    def _job(self, entry: Open, job: Job) -> None:
        """Run a job, and the write that it answers."""
        call: Call[Any] | None = None
        if not entry.leaving:
            entry.reading += 1
            try:
                call = self._long.apply(entry.mailbox.run_job, (job,))
            except Exception as error:  # noqa: BLE001 - as in _dispatch
                if not isinstance(error, MapiError):
                    self._bug(job.work, error, lambda answer: None)
            finally:
                entry.reading -= 1
        if call is not None and not entry.leaving:
            entry.writer.submit(Write(call=call, actor=SYSTEM), lambda result: self._job_done(entry, job))
        else:
            self._job_done(entry, job)

    def _job_done(self, entry: Open, job: Job) -> None:
        entry.mailbox.jobs.done(job)
        if not entry.leaving:
            self._start_jobs(entry)

    def _bug(self, call: object, error: Exception, answer: Answer) -> None:
        log.exception("call failed", extra={"call": type(call).__name__}, exc_info=error)
        self._board.add("internal_errors")
        answer(as_mapi_error(error))

    def _session_call(self, entry: Open, peer: Peer, known_as: str, actor: str, call: Call[Any]) -> Any:
        entry.mailbox.authorise(call, entry.mailbox.access(actor))
        if isinstance(call, calls.Watch):
            if call.on:
                entry.watchers.setdefault(peer, {})[known_as] = actor
            else:
                entry.watchers.pop(peer, None)
            return Done()
        if not isinstance(call, calls.LockPop3):
            raise MapiError(Ec.ecNotSupported, type(call).__name__)
        if not call.on:
            if entry.pop3 is peer:
                entry.pop3 = None
            return True
        if entry.pop3 is not None:
            return False
        entry.pop3 = peer
        return True

    # ------------------------------------------------------------------------------------------ opening, closing

    def open(self, maildir: str) -> Open:
        """The open mailbox, opening it when needed. MapiError ecWrongServer, ecUnknownUser, ecLocked."""
        entry = self._open.get(maildir)
        if entry is not None and entry.leaving:
            raise MapiError(Ec.ecWrongServer if not self._homes.home(maildir)[1] else Ec.ecBusy, "mailbox is closing")
        if entry is not None:
            return entry
        pending = self._opening.get(maildir)
        if pending is not None:
            opened = pending.get()
            assert opened is not None
            return opened
        pending = self._opening[maildir] = AsyncResult()
        try:
            fresh = self._really_open(maildir)
        except BaseException as error:
            pending.set_exception(error)
            raise
        else:
            pending.set(fresh)
            return fresh
        finally:
            del self._opening[maildir]

    def _really_open(self, maildir: str) -> Open:
        owner, here = self._homes.home(maildir)
        if not here:
            raise MapiError(Ec.ecWrongServer, "the mailbox is homed on another node")

        def make() -> Mailbox:
            return Mailbox(
                maildir, owner=owner, node=self._node, settings=self._settings(), arena=self._arena,
                notify=lambda fid: self._notify(maildir, fid), is_alive=self._is_alive,
                outbox=SiteOutbox(self._site, maildir) if self._site else None,
            )  # fmt: skip

        mailbox = self.pool.apply(make)
        mailbox.groups = self._people.groups
        entry = self._open[maildir] = Open(mailbox, Writer(mailbox, self._writers, self._board), owner)
        self._board.set("open_mailboxes", len(self._open))
        return entry

    def _notify(self, maildir: str, fid: int) -> None:
        entry = self._open.get(maildir)
        if entry is not None and entry.watchers:
            for peer, actors in list(entry.watchers.items()):
                seeing = [name for name, actor in actors.items() if fid <= 0 or entry.mailbox.access(actor).sees(fid)]
                if len(seeing) == len(actors):
                    peer.push(Event(maildir, fid))
                elif seeing:
                    peer.push(Event(maildir, fid, seeing))

    def close(self, maildir: str) -> None:
        """Give a mailbox up: finish its writes, checkpoint, close, release the lock."""
        entry = self._open.get(maildir)
        if entry is None or entry.leaving:
            return
        entry.leaving = True
        entry.writer.idle.wait()
        while entry.reading:
            gevent.sleep(0.01)
        try:
            self.pool.apply(entry.mailbox.close)
        finally:
            del self._open[maildir]
            self._board.set("open_mailboxes", len(self._open))

    def close_all(self) -> None:
        """Give every mailbox up (the worker stops)."""
        self._upkeep.kill(block=False)
        gevent.joinall([gevent.spawn(self.close, maildir) for maildir in list(self._open)])

    def homes_changed(self) -> None:
        """After a reload: give up what is not homed here any longer; its watchers are told to look again."""
        self._people.forget()
        for maildir, entry in list(self._open.items()):
            try:
                owner, here = self._homes.home(maildir)
            except MapiError:
                owner, here = "", False
            if here and owner == entry.owner:
                continue
            log.info("mailbox given up", extra={"mailbox": os.path.basename(maildir)})
            watchers = list(entry.watchers)
            self.close(maildir)
            for peer in watchers:
                peer.push(Event(maildir, -1))

    def _sweep(self) -> None:
        while True:
            gevent.sleep(SWEEP)
            self._relax()
            limit = time.monotonic() - self._settings().cache_interval
            for maildir, entry in list(self._open.items()):
                if entry.used < limit and not entry.watchers and not entry.mailbox.watching and entry.pop3 is None:
                    try:
                        self.close(maildir)
                    except OSError:
                        log.exception("mailbox did not close")

    def _relax(self) -> None:
        """Mailboxes in which somebody idles keep little: what SQLite and the allocator hold goes back to the system."""
        now = time.monotonic()
        limit = now - REST
        for entry in self._open.values():
            if entry.used < limit and not entry.relaxed and not entry.reading and entry.writer.idle.is_set():
                entry.mailbox.relax()
                entry.relaxed = True
        if self._served and now > self._trim_after:
            self._served, self._trim_after = False, now + TRIM_SECONDS
            self.pool.spawn(trim)


def trim() -> None:
    """Hand freed heap back to the system (glibc keeps it). On a thread: it takes a millisecond or two."""
    ctypes.CDLL(None).malloc_trim(0)


def close_spool(descriptor: int) -> None:
    """Close a spool's descriptor, if there is one."""
    if descriptor >= 0:
        os.close(descriptor)
