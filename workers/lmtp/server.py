"""The LMTP/SMTP worker: connections, timeouts, TLS around the session of each client."""

from __future__ import annotations

import socket
import time
from functools import partial

from gromoxd import log as logs
from gromoxd.context import WorkerContext
from gromoxd.master.settings import LmtpPool, MasterSettings
from workers.common.configure import server_settings
from workers.common.confirm import Confirmer
from workers.common.connection import Connection, ConnTimeout
from workers.common.handover import hand_over
from workers.common.server import ServerSettings, serve
from workers.common.services import Services
from workers.lmtp import session as events
from workers.lmtp.service import DeliveryService
from workers.lmtp.session import Limits, Session
from workers.lmtp.settings import LmtpSettings

REFUSAL = b"421 4.7.0 Too many connections from your address\r\n"
COMMAND_READ = 16 << 10
MESSAGE_READ = 64 << 10


class LmtpWorker:
    """What the connections of one process share."""

    def __init__(self, ctx: WorkerContext, service: DeliveryService, confirmer: Confirmer, hostname: str) -> None:
        self._ctx = ctx
        self._service = service
        self._confirmer = confirmer
        self._hostname = hostname
        self.reload()

    def reload(self) -> None:
        """New sessions follow the settings in force."""
        self._settings = s = self._ctx.config.get(LmtpSettings)
        self._limits = Limits(
            self._hostname, s.command_protocol, s.mail_max_length, s.smtp_max_recipients, s.smtp_max_errors,
            s.smtp_force_starttls, s.smtp_support_pipeline, s.smtp_bare_newline == "normalise",
        )  # fmt: skip

    def server_settings(self) -> ServerSettings:
        """For `workers.common.server`."""
        self.reload()
        s = self._settings
        return server_settings(
            self._ctx.config, LmtpPool, "smtp", max_connections=s.lda_context_num, proxy=s.lda_accept_haproxy,
            refusal=REFUSAL,
        )  # fmt: skip

    def handle(self, conn: Connection) -> None:
        """One connection from greeting to end."""
        _Dialogue(conn, self._ctx, self._service, self._confirmer, self._settings, self._limits).run()


class _Dialogue:
    """Moves bytes and events between a connection, its session and the service."""

    def __init__(
        self,
        conn: Connection,
        ctx: WorkerContext,
        service: DeliveryService,
        confirmer: Confirmer,
        settings: LmtpSettings,
        limits: Limits,
    ) -> None:
        self._conn = conn
        self._board = ctx.board
        self._service = service
        self._confirmer = confirmer
        self._settings = settings
        self._session = Session(
            limits, lambda envelope: service.open_body(envelope, conn.peer), tls=conn.tls,
            tls_available=conn.tls_available,
        )  # fmt: skip
        self._message_end = 0.0

    def run(self) -> None:
        """Until the client quits, goes, is silent for too long, or the worker stops."""
        session, open_ended = self._session, True
        try:
            while open_ended:
                event = session.next_event()
                if event is None:
                    self._flush()
                    open_ended = self._receive()
                else:
                    open_ended = self._handle(event)
        finally:
            session.goodbye(b"")
            self._conn.counts = {"messages": session.messages, "errors": session.errors}
            if session.errors:
                self._board.add("bad_input", session.errors)

    def _flush(self) -> None:
        if out := self._session.take_output():
            self._conn.send(out)

    def _receive(self) -> bool:
        """Wait for input; False when there is to be no more."""
        conn, session = self._conn, self._session
        if conn.draining and session.idle:
            conn.send(session.goodbye(events.SHUTTING_DOWN))
            return False
        reading = session.in_message
        try:
            conn.set_timeout(self._patience(reading))
            data = conn.recv_or_wake(MESSAGE_READ if reading else COMMAND_READ)
        except ConnTimeout:
            conn.send(session.goodbye(events.TIMED_OUT))
            raise
        if data:
            session.receive(data)
        return data != b""

    def _patience(self, reading: bool) -> float:
        """Seconds to wait now: a message as a whole has its time too, lest it come in for ever."""
        idle = self._settings.smtp_conn_timeout
        if not reading:
            self._message_end = 0.0
            return idle
        now = time.monotonic()
        if not self._message_end:
            self._message_end = now + self._settings.smtp_message_timeout
        if now >= self._message_end:
            raise ConnTimeout("the message takes too long")
        return min(idle, self._message_end - now)

    def _handle(self, event: events.Event) -> bool:
        match event:
            case events.Recipient():
                self._recipient(event)
            case events.Message():
                self._message(event)
            case events.StartTls():
                self._flush()
                self._conn.start_tls()
                self._session.tls_started()
            case events.Close():
                self._flush()
                return False
        return True

    def _recipient(self, event: events.Recipient) -> None:
        target = self._service.recipient(event.address, event.sender)
        if isinstance(target, bytes):
            self._session.recipient_refused(target)
            return
        self._conn.mark_authenticated()
        self._session.recipient_accepted(event.address, target)

    def _message(self, event: events.Message) -> None:
        """The 250 is sent when the message is on disk; that it was sent is confirmed to the mailboxes later."""
        started, self._message_end = time.monotonic(), 0.0
        logs.command.set("DATA")
        outcome = self._service.deliver(event.envelope, event.body)
        self._session.delivered(outcome.answers)
        self._flush()
        for mailbox, request_id in outcome.delivered:
            self._confirmer.add(mailbox, request_id)
        self._board.observe_ms("delivery_ms", (time.monotonic() - started) * 1000)
        logs.command.set("")


def main(ctx: WorkerContext) -> None:
    """The entry point of an LMTP worker (`gromoxd.master.pools`)."""
    services = Services(ctx)
    hostname = ctx.config.get(MasterSettings).host_id or socket.gethostname()
    confirmer = Confirmer(services.exmdb)
    service = DeliveryService(
        services.directory,
        services.exmdb,
        ctx.board,
        hostname,
        in_thread=partial(services.run_blocking),
        hand_over=partial(hand_over, ctx.site),
    )
    worker = LmtpWorker(ctx, service, confirmer, hostname)
    serve(ctx, worker.server_settings, worker.handle)
    confirmer.close()
    services.close()
