"""The POP3 worker: connections, timeouts, TLS around the session of each client."""

from __future__ import annotations

import logging
from itertools import chain

import gevent

from gromoxd.context import WorkerContext
from gromoxd.errors import Ec, MapiError
from gromoxd.master.settings import Pop3Pool
from workers.common.configure import server_settings
from workers.common.connection import ConnClosed, Connection
from workers.common.server import ServerSettings, serve
from workers.common.services import Services
from workers.pop3 import session as events
from workers.pop3.service import OpenMailbox, Pop3Service, Refused
from workers.pop3.session import AUTH_FAILED, Rules, Session
from workers.pop3.settings import Pop3Settings
from workers.pop3.wire import Stuffer, Top, stuff

log = logging.getLogger(__name__)
REFUSAL = b"-ERR [SYS/TEMP] too many connections from your address\r\n"
READ = 16 << 10
FLUSH = 64 << 10


class Pop3Worker:
    """What the connections of one process share."""

    def __init__(self, ctx: WorkerContext, service: Pop3Service) -> None:
        self.ctx = ctx
        self.service = service
        self.settings: Pop3Settings = ctx.config.get(Pop3Settings)

    def server_settings(self) -> ServerSettings:
        """For `workers.common.server`; new sessions follow the settings in force."""
        self.settings = s = self.ctx.config.get(Pop3Settings)
        return server_settings(
            self.ctx.config, Pop3Pool, "pop3", max_connections=s.pop3_context_num, proxy=s.pop3_accept_haproxy,
            refusal=REFUSAL,
        )  # fmt: skip

    def handle(self, conn: Connection) -> None:
        """One connection from greeting to end."""
        _Dialogue(self, conn).run()


class _Dialogue:
    """Moves bytes and events between a connection, its session and the service."""

    def __init__(self, worker: Pop3Worker, conn: Connection) -> None:
        s = worker.settings
        plaintext = not s.pop3_force_tls and (s.pop3_allow_plaintext or conn.peer_is_loopback)
        rules = Rules(plaintext, s.pop3_auth_times, s.pop3_max_errors, s.pop3_implementation)
        self._settings = s
        self._conn = conn
        self._board = worker.ctx.board
        self._service = worker.service
        self._session = Session(rules, tls=conn.tls, tls_available=conn.tls_available)
        self._mailbox: OpenMailbox | None = None

    def run(self) -> None:
        """Until the client quits, goes, is silent for too long, or the worker stops."""
        conn, session, goes_on = self._conn, self._session, True
        conn.set_timeout(self._settings.pop3_conn_timeout)
        try:
            while goes_on:
                event = session.next_event()
                if event is None:
                    self._flush()
                    goes_on = self._receive()
                else:
                    goes_on = self._handle(event)
                    if session.pending > FLUSH:
                        self._flush()
        finally:
            self._end()

    def _end(self) -> None:
        """A session that ends without QUIT removes nothing (RFC 1939 6)."""
        if self._mailbox is not None:
            self._mailbox.close()
        drop = self._session.maildrop
        marked = len(drop.deleted) if drop is not None else 0
        self._conn.counts = {"read": self._session.retrieved, "marked": marked, "errors": self._session.errors}
        self._board.add("messages_read", self._session.retrieved)
        self._board.add("bad_input", self._session.errors)

    def _flush(self) -> None:
        if out := self._session.take_output():
            self._conn.send(out)

    def _receive(self) -> bool:
        if self._conn.draining and self._session.idle:
            return False
        data = self._conn.recv_or_wake(READ)
        if data:
            self._session.receive(data)
        return data != b""

    def _handle(self, event: events.Event) -> bool:
        match event:
            case events.Read():
                self._read(event)
            case events.Login():
                self._login(event)
            case events.Listing():
                for piece in event.pieces:
                    self._flush()
                    self._session.send(piece)
                    gevent.sleep(0)
                self._session.send(b".\r\n")
            case events.Update():
                self._update(event)
            case events.StartTls():
                self._flush()
                self._conn.start_tls()
                self._session.tls_started()
            case events.Close():
                self._flush()
                return False
        return True

    def _login(self, event: events.Login) -> None:
        self._flush()
        result = self._service.login(event.name, event.password, self._conn.peer)
        if isinstance(result, Refused):
            if result.answer is AUTH_FAILED and result.delay > 0:
                gevent.sleep(result.delay)
            self._session.login_failed(result.answer)
            return
        self._mailbox = result
        self._conn.mark_authenticated(result.user.username)
        self._conn.set_timeout(self._settings.pop3_autologout_time)
        self._session.logged_in(result.maildrop)

    def _update(self, event: events.Update) -> None:
        """The lock is given back before the answer, so that the client's next session finds the mailbox free."""
        assert self._mailbox is not None
        try:
            self._mailbox.remove(event.uids)
        except MapiError as error:
            log.warning("messages not removed", extra={"error": str(error), "count": len(event.uids)})
            self._session.updated(events.NOT_REMOVED)
        else:
            self._session.updated()
        self._mailbox.close()

    # ------------------------------------------------------------------------------------------ messages

    def _read(self, event: events.Read) -> None:
        assert self._mailbox is not None
        reader, session = self._mailbox.reader, self._session
        try:
            if reader.is_long(event.number):
                self._read_long(event)
                return
            raw = reader.whole(event.number)
        except MapiError as error:
            log.warning("message not read", extra={"error": str(error)})
            session.send(events.GONE if error.code is Ec.ecNotFound else events.NOT_READ)
            return
        if raw is None:
            session.send(events.GONE)
            return
        session.retrieved += 1
        session.send(b"+OK %d octets\r\n" % len(raw))
        session.send(stuff(raw if event.lines < 0 else Top(event.lines).feed(raw)))

    def _read_long(self, event: events.Read) -> None:
        """In pieces; an error behind the first of them can only be told by closing."""
        assert self._mailbox is not None
        session, pieces = self._session, self._mailbox.reader.pieces(event.number)
        first = next(pieces, b"")
        session.retrieved += 1
        session.send(b"+OK %d octets\r\n" % self._mailbox.maildrop.sizes[event.number - 1])
        stuffer, top = Stuffer(), Top(event.lines) if event.lines >= 0 else None
        try:
            for piece in chain((first,), pieces):
                session.send(stuffer.feed(piece if top is None else top.feed(piece)))
                self._flush()
                if top is not None and top.done:
                    break
        except MapiError as error:
            raise ConnClosed(f"message not read to its end: {error}") from error
        session.send(stuffer.finish())


def main(ctx: WorkerContext) -> None:
    """The entry point of a POP3 worker (`gromoxd.master.pools`)."""
    services = Services(ctx)
    worker = Pop3Worker(ctx, Pop3Service(services.directory, services.exmdb, ctx.board, gevent.sleep))
    serve(ctx, worker.server_settings, worker.handle)
    services.close()
