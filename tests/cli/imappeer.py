"""Another server for tests of `migrate imap`: Debian's Dovecot, and a proxy that breaks or holds connections."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from loadtest.bench.dovecot import PASSWORD, Dovecot

USER = "user1@example.test"

needs_dovecot = pytest.mark.skipif(
    not shutil.which("dovecot") or os.geteuid() != 0,
    reason="dovecot is NOT INSTALLED, or the tests are not run as root: copying from Dovecot is not tested",
)


@contextmanager
def dovecot() -> Iterator[Dovecot]:
    """One with user1, whose password is PASSWORD."""
    with Dovecot(1) as peer:
        yield peer


class Proxy:
    """Passes connections on to a port. The first `breaks` of them are cut after `octets` octets from the server.

    With `hold` they are not cut: nothing comes any more, and `held` is set.
    """

    def __init__(self, port: int, octets: int, breaks: int, *, hold: bool = False) -> None:
        self.target, self.octets, self.breaks, self.hold = port, octets, breaks, hold
        self.connections = 0
        self.held = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            self._sockets += [near, far]
            self.connections += 1
            left = self.octets if self.connections <= self.breaks else 1 << 60
            threading.Thread(target=self._pass, args=(near, far, 1 << 60), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, left), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, left: int) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data[:left])
                left -= len(data)
                if left <= 0:
                    if self.hold:
                        self.held.set()
                        return
                    break
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self._listener.close()
        for one in self._sockets:
            one.close()


__all__ = ["PASSWORD", "USER", "Proxy", "dovecot", "needs_dovecot"]
