"""One accepted connection: non-blocking reads and writes that suspend the greenlet, TLS, timeouts, waking.

A connection that waits holds no buffer. It has one reader and one sender at a time (the handler's greenlet); `wake`
may be called from anywhere, the hub included, so that a session waiting for its client can be told of other events.
Timeouts are looked after by the server's sweeper, so that a read costs no timer; they come up to a second late.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any, Final

import gevent
from gevent import get_hub
from gevent.hub import Waiter
from gevent.socket import socket as GeventSocket

STREAK: Final = 16
"""Reads or writes that may follow each other without waiting before other greenlets get their turn."""

_READY, _TIMEOUT, _WOKEN = "ready", "timeout", "woken"
_READ, _WRITE = 1, 2


class ConnTimeout(TimeoutError):
    """The peer sent nothing, or took nothing, for the connection's timeout."""


class ConnClosed(ConnectionError):
    """The connection ended while something was being sent, or during the TLS handshake."""


class Connection:
    """A client's connection as a protocol handler sees it.

    `peer` is the client's address as text ('local' for a Unix socket), `id` the connection's name in logs. A handler
    adds its figures to `counts`, which end up in the session's closing log line.
    """

    __slots__ = (
        "_read_watcher", "_reader", "_server", "_sock", "_streak", "_timeout", "_wait_until", "_wakeable", "_woken",
        "_write_watcher", "aborted", "authenticated", "bytes_in", "bytes_out", "closed", "counted", "counts",
        "draining", "id", "peer", "peer_is_loopback", "peer_port", "send_timeout", "service", "started", "tls", "user",
    )  # fmt: skip

    def __init__(self, server: Any, sock: socket.socket, peer: str, peer_port: int, service: str, name: str) -> None:
        self._server = server
        self._sock: Any = sock
        self._read_watcher: Any = None
        self._write_watcher: Any = None
        self._reader: Any = None
        self._wait_until = 0.0
        self._wakeable = False
        self._woken = False
        self._streak = 0
        self._timeout = 180.0
        self.send_timeout = 60.0
        self.id = name
        self.service = service
        self.tls = False
        self.started = time.monotonic()
        self.aborted = False
        self.closed = False
        self.authenticated = False
        self.draining = False
        self.bytes_in = 0
        self.bytes_out = 0
        self.user = ""
        self.counts: dict[str, object] | None = None
        self.peer = peer
        self.peer_port = peer_port
        self.counted = False
        self.peer_is_loopback = is_loopback(peer)

    # ------------------------------------------------------------------------------------------ reading

    def set_timeout(self, seconds: float) -> None:
        """How long later reads may wait for the peer (0: for ever)."""
        self._timeout = seconds

    def recv(self, size: int = 65536) -> bytes:
        """Up to `size` bytes; b'' when the peer has closed. ConnTimeout."""
        data = self._receive(size, False)
        assert data is not None
        return data

    def recv_or_wake(self, size: int = 65536) -> bytes | None:
        """Like `recv`, but None as soon as `wake` was called since the last time (the server's drain wakes too)."""
        return self._receive(size, True)

    def wake(self) -> None:
        """Make the present or the next `recv_or_wake` answer None. Callable from the hub and from any greenlet."""
        if not self._woken:
            self._woken = True
            if self._wakeable and self._reader is not None:
                get_hub().loop.run_callback(self._reader.switch, _WOKEN)

    def _receive(self, size: int, wakeable: bool) -> bytes | None:
        while True:
            if wakeable and self._woken:
                self._woken = False
                return None
            if self.aborted:
                return b""
            try:
                data: bytes = self._sock.recv(size)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(_READ, self._timeout, wakeable)
            except ssl.SSLWantWriteError:
                self._wait(_WRITE, self.send_timeout, False)
            except (OSError, ValueError):
                return b""
            else:
                self.bytes_in += len(data)
                self._give_way()
                return data

    def _give_way(self) -> None:
        self._streak += 1
        if self._streak > STREAK:
            self._streak = 0
            gevent.sleep(0)

    def acknowledge(self) -> None:
        """Acknowledge at once what has come (TCP_QUICKACK).

        For a peer that is in the middle of something: one with Nagle's algorithm sends the next small piece only then,
        and a delayed acknowledgement costs it 40 ms (imaplib sends the CRLF behind a literal by itself).
        """
        with contextlib.suppress(OSError, ValueError):
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    # ------------------------------------------------------------------------------------------ writing

    def send(self, data: bytes | Sequence[bytes]) -> None:
        """Send all of it. ConnTimeout when the peer takes nothing for `send_timeout`, ConnClosed when it has gone."""
        if not isinstance(data, bytes):
            data = b"".join(data)
        self.bytes_out += len(data)
        rest: Any = data
        while rest:
            try:
                sent = self._sock.write(rest) if self.tls else self._sock.send(rest)
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(_WRITE, self.send_timeout, False)
            except ssl.SSLWantReadError:
                self._wait(_READ, self.send_timeout, False)
            except (OSError, ValueError) as error:
                raise ConnClosed("the peer has gone") from error
            else:
                if sent == len(rest):
                    return
                rest = memoryview(rest)[sent:]
                self._give_way()

    # ------------------------------------------------------------------------------------------ waiting

    def _wait(self, direction: int, timeout: float, wakeable: bool) -> None:
        if self.closed:
            raise ConnClosed("closed")
        self._streak = 0
        watcher = self._watcher(direction)
        waiter: Any = Waiter()
        self._reader, self._wakeable = waiter, wakeable
        self._wait_until = time.monotonic() + timeout if timeout else 0.0
        watcher.start(waiter.switch, _READY)
        try:
            why = waiter.get()
        finally:
            watcher.stop()
            self._reader, self._wait_until = None, 0.0
        if why is _TIMEOUT:
            raise ConnTimeout("the peer is silent" if direction == _READ else "the peer does not read")

    def _watcher(self, direction: int) -> Any:
        if direction == _READ:
            if self._read_watcher is None:
                self._read_watcher = get_hub().loop.io(self._sock.fileno(), _READ)
            return self._read_watcher
        if self._write_watcher is None:
            self._write_watcher = get_hub().loop.io(self._sock.fileno(), _WRITE)
        return self._write_watcher

    def sweep(self, now: float) -> None:
        """End a wait that has lasted too long (the server calls this every second)."""
        if self._wait_until and now > self._wait_until and self._reader is not None:
            self._wait_until = 0.0
            get_hub().loop.run_callback(self._reader.switch, _TIMEOUT)

    # ------------------------------------------------------------------------------------------ TLS

    @property
    def tls_available(self) -> bool:
        """Whether `start_tls` would work: a certificate is loaded and the connection is not encrypted yet."""
        return not self.tls and self._server.tls_context is not None

    def start_tls(self) -> None:
        """Do the TLS handshake as the server. What the handler has buffered must be discarded by it. ConnClosed."""
        context = self._server.tls_context
        if context is None:
            raise ConnClosed("no certificate is loaded")
        self._drop_watchers()
        try:
            self._sock = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
            self._handshake()
            self.tls = True
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise ConnClosed(f"TLS handshake failed: {reason}") from error

    def _handshake(self) -> None:
        end = time.monotonic() + self._server.settings.handshake_timeout
        while True:
            left = max(end - time.monotonic(), 0.001)
            try:
                self._sock._sslobj.do_handshake()  # SSLSocket.do_handshake would start gevent's own waiting
                return
            except ssl.SSLWantReadError:
                self._wait(_READ, left, False)
            except ssl.SSLWantWriteError:
                self._wait(_WRITE, left, False)

    # ------------------------------------------------------------------------------------------ the end

    def mark_authenticated(self, user: str = "") -> None:
        """The client has proven itself: it no longer counts as one of the idle strangers that are dropped first."""
        self.user = user
        if not self.authenticated:
            self.authenticated = True
            self._server.authenticated(self)

    def drain(self) -> None:
        """The worker stops: the session should end at its next idle moment."""
        self.draining = True
        self.wake()

    def abort(self) -> None:
        """End the connection from another greenlet: its reads give b'', its writes ConnClosed."""
        self.aborted = True
        with contextlib.suppress(OSError):  # the peer may have been quicker
            self._shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close; twice does no harm. What the peer has sent already is read off, lest a reset eat our last words."""
        if self.closed:
            return
        self.closed = True
        self._drop_watchers()
        with contextlib.suppress(OSError, ValueError):
            if self.tls:
                self._send_close_notify()
            self._shutdown(socket.SHUT_WR)
            for _ in range(4):
                if not self._sock.recv(65536):
                    break
        self._sock.close()

    def _shutdown(self, how: int) -> None:
        """Without SSLSocket's own, which goes over to plaintext: reads would give ciphertext."""
        if isinstance(self._sock, GeventSocket):
            GeventSocket.shutdown(self._sock, how)
        else:
            self._sock.shutdown(how)

    def _send_close_notify(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):  # the peer's own is not there yet
            self._sock._sslobj.shutdown()

    def _drop_watchers(self) -> None:
        for watcher in (self._read_watcher, self._write_watcher):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._read_watcher = self._write_watcher = None


def is_loopback(peer: str) -> bool:
    """Whether an address as given in `Connection.peer` is this machine itself."""
    return peer == "local" or peer == "::1" or peer.startswith("127.")
