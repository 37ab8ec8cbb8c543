"""Accepts connections on the worker's inherited listeners and runs a protocol's handler for each, in a greenlet.

Limits: connections in all, from one address, and of strangers (not logged in yet; the one longest connected goes when
another comes). Here is also the one place where an unforeseen exception of a handler is caught: logged, counted, and
the connection closed.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import resource
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import gevent
from gevent import get_hub
from gevent.event import Event
from gevent.monkey import get_original

from gromoxd import log as logs
from gromoxd.context import Listener, WorkerContext
from gromoxd.errors import WireError
from workers.common.connection import ConnClosed, Connection, ConnTimeout, is_loopback
from workers.common.proxy import ProxyReader, plain_address
from workers.common.tls import TlsSource

log = logging.getLogger(__name__)
RawSocket: type[socket.socket] = get_original("socket", "socket")
Handler = Callable[[Connection], None]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
TRY_LATER = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
SPARE_FILES = 64


@dataclass(frozen=True)
class ServerSettings:
    """What a protocol's settings come to for its server. Limits are of one worker process; 0 means no limit.

    `proxy`: connections from `proxy_trusted` begin with a PROXY header. `refusal` is sent to a connection that is over
    a limit (not on TLS ports). `per_address` does not count the machine's own addresses.
    """

    max_connections: int = 4000
    per_address: int = 500
    max_strangers: int = 800
    certificate: str = ""
    private_key: str = ""
    passphrase: str = ""
    tls_minimum: str = "tls1.2"
    proxy: bool = False
    proxy_trusted: tuple[Network, ...] = ()
    handshake_timeout: float = 30.0
    send_timeout: float = 60.0
    drain_seconds: float = 20.0
    refusal: bytes = b""
    sweep_seconds: float = 1.0


def networks(entries: Iterable[str]) -> tuple[Network, ...]:
    """The networks of a configuration list; one that cannot be read is reported and passed over."""
    found = []
    for entry in entries:
        try:
            found.append(ipaddress.ip_network(entry.strip(), strict=False))
        except ValueError:
            log.error("not a network in the configuration", extra={"value": entry})
    return tuple(found)


class Server:
    """The connections of one worker process."""

    def __init__(self, ctx: WorkerContext, settings: Callable[[], ServerSettings], handler: Handler) -> None:
        self.ctx = ctx
        self.connections: set[Connection] = set()
        self._handler = handler
        self._make_settings = settings
        self._strangers: dict[Connection, None] = {}
        self._addresses: dict[str, int] = {}
        self._tls = TlsSource()
        self._number = 0
        self._ended = Event()
        self._draining = Event()
        self._acceptors: list[gevent.Greenlet[..., None]] = []
        self.settings = settings()
        self._load_tls()

    @property
    def tls_context(self) -> Any:
        """The SSLContext in force, or None."""
        return self._tls.context

    def _load_tls(self) -> None:
        s = self.settings
        self._tls.load(s.certificate, s.private_key, s.passphrase, s.tls_minimum)

    def reload(self) -> None:
        """Take over changed settings and certificates; connections stay."""
        self.settings = self._make_settings()
        self._load_tls()

    # ------------------------------------------------------------------------------------------ life

    def run(self) -> None:
        """Serve until the worker is drained."""
        self.ctx.on_reload(self.reload)
        self.ctx.on_drain(self._draining.set)
        sweeper = gevent.spawn(self._sweep)
        self._acceptors = [gevent.spawn(self._accept_loop, listener) for listener in self.ctx.listeners]
        self._draining.wait()
        self._drain()
        sweeper.kill()

    def _drain(self) -> None:
        gevent.killall(self._acceptors)
        end = time.monotonic() + self.settings.drain_seconds
        for conn in list(self.connections):
            conn.drain()
        while self.connections and (left := end - time.monotonic()) > 0:
            self._ended.clear()
            self._ended.wait(left)
        if self.connections:
            log.warning("drain time over, connections are cut", extra={"connections": len(self.connections)})
        for conn in list(self.connections):
            conn.abort()
        gevent.sleep(0)

    def _sweep(self) -> None:
        while True:
            gevent.sleep(self.settings.sweep_seconds)
            now = time.monotonic()
            for conn in list(self.connections):
                conn.sweep(now)

    # ------------------------------------------------------------------------------------------ accepting

    def _accept_loop(self, listener: Listener) -> None:
        sock = RawSocket(listener.sock.family, listener.sock.type, listener.sock.proto, os.dup(listener.sock.fileno()))
        sock.setblocking(False)
        watcher = get_hub().loop.io(sock.fileno(), 1)
        try:
            while True:
                while len(self.connections) >= self._limit():
                    self._ended.clear()
                    self._ended.wait(1.0)
                self._accept_one(sock, watcher, listener)
        finally:
            watcher.stop()
            watcher.close()
            sock.close()

    def _limit(self) -> int:
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES
        limit = self.settings.max_connections or files
        return min(limit, files) if files > 0 else limit

    def _accept_one(self, sock: socket.socket, watcher: Any, listener: Listener) -> None:
        try:
            client, address = sock.accept()
        except BlockingIOError:
            get_hub().wait(watcher)
        except OSError as error:
            if error.errno in TRY_LATER:
                log.warning("cannot accept", extra={"service": listener.service, "error": error.strerror})
                self._drop_stranger()
                gevent.sleep(0.2)
        else:
            gevent.spawn(self._session, client, address, listener)
            gevent.sleep(0)  # the new session, and the other workers' acceptors, get their turn

    def _session(self, client: socket.socket, address: Any, listener: Listener) -> None:
        """The life of one connection, from accept to close."""
        conn = self._admit(client, address, listener)
        if conn is None:
            return
        board = self.ctx.board
        try:
            self._prepare(conn, listener)
            self._handler(conn)
        except (ConnClosed, ConnTimeout) as error:
            conn.counts = {**(conn.counts or {}), "end": str(error)}
        except WireError as error:
            board.add("bad_input")
            conn.counts = {**(conn.counts or {}), "end": str(error)}
        except Exception:  # the one place where a handler's bug is caught (style rule 7)
            board.add("internal_errors")
            log.exception("unforeseen exception in a session")
        finally:
            self._forget(conn)

    def _prepare(self, conn: Connection, listener: Listener) -> None:
        if self.settings.proxy and self._trusts(conn.peer):
            self._read_proxy(conn)
        if not self._count_address(conn):
            if not listener.tls and self.settings.refusal:
                conn.send(self.settings.refusal)
            raise ConnClosed("too many connections from this address")
        if listener.tls:
            conn.start_tls()

    # ------------------------------------------------------------------------------------------ book-keeping

    def _admit(self, client: socket.socket, address: Any, listener: Listener) -> Connection | None:
        client.setblocking(False)
        if client.family in (socket.AF_INET, socket.AF_INET6):
            try:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:  # reset already
                client.close()
                return None
            peer, port = plain_address(address[0]), address[1]
        else:
            peer, port = "local", 0
        self._number += 1
        conn = Connection(self, client, peer, port, listener.service, f"{self.ctx.slot}-{self._number}")
        conn.send_timeout = self.settings.send_timeout
        logs.conn.set(conn.id)
        logs.user.set("")
        self.connections.add(conn)
        self._strangers[conn] = None
        if self.settings.max_strangers and len(self._strangers) > self.settings.max_strangers:
            self._drop_stranger()
        self.ctx.board.add("connections_total")
        self.ctx.board.set("connections", len(self.connections))
        return conn

    def _drop_stranger(self) -> None:
        """Part from the connection that has gone without a login for the longest."""
        for conn in self._strangers:
            del self._strangers[conn]
            log.info("idle stranger dropped", extra={"dropped": conn.id, "peer": conn.peer})
            conn.abort()
            return

    def authenticated(self, conn: Connection) -> None:
        """Called by the connection when its client has logged in."""
        logs.user.set(conn.user)
        self._strangers.pop(conn, None)

    def _forget(self, conn: Connection) -> None:
        self.connections.discard(conn)
        self._strangers.pop(conn, None)
        if conn.counted:
            left = self._addresses.pop(conn.peer) - 1
            if left:
                self._addresses[conn.peer] = left
        conn.close()
        board = self.ctx.board
        board.set("connections", len(self.connections))
        board.add("bytes_in", conn.bytes_in)
        board.add("bytes_out", conn.bytes_out)
        self._ended.set()
        self._log_end(conn)

    def _log_end(self, conn: Connection) -> None:
        if not log.isEnabledFor(logging.INFO):
            return
        figures = {
            "service": conn.service, "peer": conn.peer, "tls": conn.tls, "in": conn.bytes_in, "out": conn.bytes_out,
            "seconds": round(time.monotonic() - conn.started, 3), **(conn.counts or {}),
        }  # fmt: skip
        log.info("session ended", extra=figures)

    def _count_address(self, conn: Connection) -> bool:
        """Count the connection for its address; False when there are too many."""
        count = self._addresses.get(conn.peer, 0) + 1
        self._addresses[conn.peer] = count
        conn.counted = True
        limit = self.settings.per_address
        return not limit or count <= limit or is_loopback(conn.peer)

    def _trusts(self, peer: str) -> bool:
        if peer == "local":
            return True
        address = ipaddress.ip_address(peer.partition("%")[0])
        return any(address in network for network in self.settings.proxy_trusted)

    def _read_proxy(self, conn: Connection) -> None:
        reader, source = ProxyReader(), None
        conn.set_timeout(self.settings.handshake_timeout)
        while source is None:
            data = conn.recv(reader.wanted)
            if not data:
                raise ConnClosed("closed before its PROXY header")
            source = reader.feed(data)
        if source.address:
            conn.peer, conn.peer_port = source.address, source.port
            conn.peer_is_loopback = is_loopback(source.address)


def serve(ctx: WorkerContext, settings: Callable[[], ServerSettings], handler: Handler) -> None:
    """Run `handler(conn)` in a greenlet for every connection to the worker's listeners, until the worker is drained.

    `settings` is asked again after a reload. The handler returns when its session is over; ConnClosed and ConnTimeout
    may pass through it. Sessions waiting in `recv_or_wake` get None when the drain begins, with `conn.draining` set.
    """
    Server(ctx, settings, handler).run()
