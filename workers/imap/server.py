"""The IMAP worker: gevent glue between connections and sessions (`main`), and the one place that catches bugs."""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable
from typing import Any

import gevent

from gromoxd.context import WorkerContext
from gromoxd.master.settings import ImapPool
from workers.common.configure import server_settings
from workers.common.connection import Connection, ConnTimeout
from workers.common.server import ServerSettings, serve
from workers.common.services import Services as Common
from workers.imap import spool
from workers.imap.errors import Closed
from workers.imap.mailbox import Mailboxes
from workers.imap.services import Services
from workers.imap.session import Session
from workers.imap.settings import ImapSettings
from workers.imap.state import State

log = logging.getLogger(__name__)
TURN = 0.005
RECEIVE = 64 << 10


class Breath:
    """Gives way to other greenlets when this one has held the loop for `TURN` seconds."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._since > TURN:
            gevent.sleep(0)
            self._since = time.monotonic()

    def start(self) -> None:
        """A greenlet has got its turn."""
        self._since = time.monotonic()


class Task:
    """Work beside a session, in a greenlet of its own; what it raises is raised by `get`."""

    __slots__ = ("_greenlet",)

    def __init__(self, work: Callable[[], Any], then: Callable[[], None] | None = None) -> None:
        self._greenlet: gevent.Greenlet[..., Any] = gevent.Greenlet(_attempt, work)
        if then is not None:
            self._greenlet.link(lambda _: then())
        self._greenlet.start()

    def get(self) -> Any:
        value, error = self._greenlet.get()
        if error is not None:
            raise error
        return value

    def ready(self) -> bool:
        return bool(self._greenlet.ready())


def _attempt(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """The work's value or its exception, which belongs to the session that waits for it."""
    try:
        return work(), None
    except Exception as error:  # noqa: BLE001 - handed over, not swallowed
        return None, error


def make_services(ctx: WorkerContext, common: Common) -> Services:
    """What sessions are given."""
    breath = Breath()
    folder = os.path.join(ctx.site, "tmp")
    return Services(
        exmdb=common.exmdb,
        directory=common.directory,
        settings=lambda: ctx.config.get(ImapSettings),
        board=ctx.board,
        mailboxes=Mailboxes(common.exmdb, breath),
        spawn=Task,
        offload=common.run_blocking,
        breathe=breath,
        sleep=gevent.sleep,
        now=time.time,
        token=functools.partial(os.urandom, 16),
        spool=functools.partial(spool.sink, folder=folder if os.path.isdir(folder) else None),
    )


def main(ctx: WorkerContext) -> None:
    """The worker's life."""
    services = make_services(ctx, Common(ctx))
    serve(ctx, lambda: connection_settings(ctx), functools.partial(handle, services))


def connection_settings(ctx: WorkerContext) -> ServerSettings:
    """The settings of the connection server."""
    s = ctx.config.get(ImapSettings)
    return server_settings(
        ctx.config, ImapPool, "imap", max_connections=s.imap_max_connections, proxy=s.imap_accept_haproxy,
        refusal=b"* BYE Too many connections\r\n",
    )  # fmt: skip


def handle(services: Services, conn: Connection) -> None:
    """One connection from greeting to end."""
    session = Session(services, conn)
    try:
        _converse(services, session, conn)
    except Closed:
        return
    finally:
        session.leave()
        conn.counts = {"commands": session.commands, **(session.counts or {})}


def _converse(services: Services, session: Session, conn: Connection) -> None:
    deadline = time.monotonic() + services.settings().imap_conn_timeout
    session.greet()
    while True:
        try:
            if session.state is State.NOT_AUTHENTICATED:
                conn.set_timeout(_left(deadline))
            if not session.framer.idle:
                conn.acknowledge()
            data = conn.recv_or_wake(RECEIVE)
        except ConnTimeout:
            session.bye(b"Autologout; idle for too long")
        if data is None:
            _woken(services, session, conn)
            continue
        if not data:
            return
        session.feed(data)
        del data
        _work(services, session, conn)


def _left(deadline: float) -> float:
    """Seconds until a client must have logged in. ConnTimeout."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise ConnTimeout("no login in time")
    return left


def _woken(services: Services, session: Session, conn: Connection) -> None:
    if conn.draining:
        session.finish_appends()
        session.bye(b"Server is shutting down, come back soon")
    _guarded(services, session, session.woken)


def _work(services: Services, session: Session, conn: Connection) -> None:
    """Carry out what has been received."""
    breathe = services.breathe
    breathe.start()
    while True:
        breathe()
        started, commands = time.monotonic(), session.commands
        if not _guarded(services, session, session.step):
            break
        if session.commands != commands:
            services.board.observe_ms("command_ms", (time.monotonic() - started) * 1000)
    if session.starting_tls:
        if session.framer.waiting:
            raise Closed
        conn.start_tls()
        session.starting_tls = False
        return
    _guarded(services, session, session.rest)


def _guarded(services: Services, session: Session, action: Callable[[], bool | None]) -> bool:
    """Run a step. A bug ends the command, not the session."""
    try:
        return bool(action())
    except (Closed, ConnectionError, TimeoutError):
        raise
    except Exception:
        services.board.add("internal_errors")
        log.exception("command failed")
        session.failed_internally()
        return True


__all__ = ["handle", "main", "make_services", "server_settings"]
