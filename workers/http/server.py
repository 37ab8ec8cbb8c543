"""The HTTP worker: gunicorn's gevent worker in one of our slots, one view of it for each listener.

gunicorn brings the HTTP parser with its limits and the WSGI side; process, signals, heartbeat and sockets are ours.
"""

from __future__ import annotations

import copy
import logging
import os
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.config import Config as GunicornConfig
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from gromoxd import worker as process
from gromoxd.context import Listener, WorkerContext
from gromoxd.master.settings import HttpPool, MasterSettings
from workers.common.configure import server_settings
from workers.common.services import Services
from workers.common.tls import TlsSource
from workers.http import rpch
from workers.http.app import App, admitted
from workers.http.channels import ChannelServer
from workers.http.connection import Connection
from workers.http.handover import socket_path
from workers.http.people import People
from workers.http.settings import HttpSettings
from workers.http.site import Site

log = logging.getLogger(__name__)

HEADER_FIELDS = 100


class GunicornLog:
    """gunicorn's messages in our log. Requests are logged at DEBUG, so that no address or path fills the log."""

    def __init__(self) -> None:
        for name in ("critical", "error", "warning", "info", "debug", "exception", "log"):
            setattr(self, name, getattr(log, name))

    def access(self, response: Any, request: Any, environ: dict[str, Any], duration: Any) -> None:
        """Nothing: finished requests are logged by `workers.http.connection`."""

    def close_on_exec(self) -> None:
        """Nothing: our descriptors are not inherited."""

    def reopen_files(self) -> None:
        """Nothing: SIGUSR1 is handled by gromoxd.worker."""


class Trust:
    """The trusted proxies, with answers remembered: the same few addresses are asked for all the time."""

    def __init__(self, networks: list[str], header: str) -> None:
        self._networks, self.header = networks, header or "X-Forwarded-For"
        self._known: dict[str, bool] = {}

    def admits(self, address: str) -> bool:
        """Is this the address of one?"""
        found = self._known.get(address)
        if found is None:
            if len(self._known) > 1000:
                self._known.clear()
            found = self._known[address] = admitted(address, self._networks)
        return found


class Waiting(gevent.Timeout):
    """Around a connection's wait for its next request: while it lasts, the connection may be closed at any time."""

    def __init__(self, seconds: float, all_of_them: dict[Waiting, Any]) -> None:
        super().__init__(seconds, False)  # type: ignore[arg-type]  # False: the with block just ends
        self._all = all_of_them

    def __enter__(self) -> Waiting:
        self._all[self] = gevent.getcurrent()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        self._all.pop(self, None)
        return super().__exit__(*error)


class HttpWorker(GeventWorker):  # type: ignore[misc]
    """Views of one worker share everything but `cfg` (TLS or not) and `wsgi`; made by `view`."""

    def __init__(self, ctx: WorkerContext, cfg: Any) -> None:
        self.ctx = ctx
        self.tls = TlsSource()
        self.waiting: dict[Waiting, Any] = {}
        services = Services(ctx)
        self.site = Site(ctx, services, People(services.directory, ctx.config))
        self.apps = {private: App(self.site, os.getppid(), private=private) for private in (False, True)}
        self.patience = ctx.config.get(HttpSettings).http_conn_timeout
        settings = ctx.config.get(MasterSettings)
        sockets = [listener.sock for listener in ctx.listeners]
        super().__init__(0, os.getppid(), sockets, None, settings.worker_timeout, cfg, GunicornLog())
        self.reload()

    @property
    def alive(self) -> bool:
        """gunicorn closes a connection after its request once this is False."""
        return not self.ctx.draining()

    @alive.setter
    def alive(self, value: bool) -> None:
        """The master decides, not gunicorn."""

    def patch(self) -> None:
        """Done by gromoxd.worker."""

    def init_signals(self) -> None:
        """Done by gromoxd.worker."""

    def load_wsgi(self) -> None:
        """Each view has its own application."""

    def init_process(self) -> None:
        """gunicorn's, without the step that makes the event loop anew."""
        AsyncWorker.init_process(self)

    @property
    def _own(self) -> str:
        """The socket for requests that other workers, or a proxy that reads cookies, bring to this one."""
        return socket_path(self.ctx.site, self.ctx.slot.number)

    def timeout_ctx(self) -> Waiting:
        """What gunicorn puts around the wait for a request."""
        return Waiting(self.cfg.keepalive, self.waiting)

    def notify(self) -> None:
        """The heartbeat is the slot's."""
        process.beat()

    def reload(self) -> None:
        """Certificates and trust anew; running connections keep their certificates."""
        ours = self.ctx.config.get(HttpSettings)
        self.trust = Trust(ours.http_trusted_proxies, ours.http_remote_host_hdr)
        common = self._common()
        self.tls.load(common.certificate, common.private_key, common.passphrase, common.tls_minimum)

    def _common(self) -> Any:
        return server_settings(self.ctx.config, HttpPool, "http", max_connections=0, proxy=0, refusal=b"")

    def view(self, listener: Listener) -> HttpWorker:
        """This worker as a listener's connections see it."""
        seen: HttpWorker = copy.copy(self)
        seen.wsgi = self.apps[listener.service == "status"]
        if listener.tls:
            seen.cfg = gunicorn_config(self.ctx)
            seen.cfg.set("certfile", "TLS")  # only asked whether there is one: makes the scheme https
        return seen

    def accepted(self, listener: Listener, client: Any, address: Any) -> None:
        """One connection, in its own greenlet."""
        self.ctx.board.add("connections_total")
        self.ctx.board.add("connections")
        try:
            if listener.tls:
                client = self._handshake(client)
            if client is not None:
                local = listener.sock.getsockname() == self._own
                Connection(self, client, address, tls=listener.tls, local=local).serve()
        finally:
            self.ctx.board.add("connections", -1)

    def _handshake(self, client: Any) -> Any:
        context, secured = self.tls.context, None
        try:
            if context is not None:
                with gevent.Timeout(self._common().handshake_timeout, TimeoutError("handshake")):
                    secured = context.wrap_socket(client, server_side=True)
        except OSError as error:
            self.ctx.board.add("bad_input")
            log.debug("TLS handshake failed", extra={"error": str(error)})
        finally:
            if secured is None:
                client.close()
        return secured

    def run(self) -> None:
        """Accept until the worker is drained, then let the requests under way finish."""
        pools: list[Any] = [Pool(self.ctx.config.get(HttpSettings).context_num) for _ in self.ctx.listeners]
        servers: list[Any] = [self._serve(*pair) for pair in zip(self.ctx.listeners, pools, strict=True)]
        self.ctx.on_reload(self.reload)
        pools.append(Pool(self.ctx.config.get(HttpSettings).context_num))
        servers.append(ChannelServer(self.site, rpch.channel, pools[-1]))
        for server in servers:
            self.ctx.on_drain(server.close)
        while not self.ctx.draining():
            gevent.sleep(0.1)
        for server in servers:
            server.close()
        for wait, greenlet in list(self.waiting.items()):  # a proxy's idle connections would hold up the end
            greenlet.kill(wait, block=False)
        limit = self._common().drain_seconds
        gevent.wait([greenlet for pool in pools for greenlet in pool], timeout=limit)

    def _serve(self, listener: Listener, pool: Pool) -> StreamServer:
        seen = self.view(listener)

        def handle(client: Any, address: Any) -> None:
            client.setblocking(True)
            seen.accepted(listener, client, address)

        server = StreamServer(listener.sock, handle, spawn=pool)
        server.max_accept = 1
        server.start()
        return server


def gunicorn_config(ctx: WorkerContext) -> Any:
    """gunicorn's settings out of ours."""
    ours = ctx.config.get(HttpSettings)
    cfg = GunicornConfig()
    for name, value in {
        "worker_connections": ours.context_num, "keepalive": max(1, round(ours.http_conn_timeout)),
        "limit_request_line": ours.http_header_max_size, "limit_request_field_size": ours.http_header_max_size,
        "limit_request_fields": HEADER_FIELDS,
        "graceful_timeout": round(ctx.config.get(MasterSettings).graceful_timeout), "umask": 0o077,
        "user": os.geteuid(), "group": os.getegid(),  # its defaults are those of the master: root
    }.items():  # fmt: skip
        cfg.set(name, value)
    return cfg


def main(ctx: WorkerContext) -> None:
    """Entry point of the pool."""
    HttpWorker(ctx, gunicorn_config(ctx)).init_process()
