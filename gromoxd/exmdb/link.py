"""One exmdb connection as both ends use it: frames out without blocking the loop, frames and descriptors in.

Sends go straight to the kernel; what does not fit is queued and written by a greenlet. gevent, sockets.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
from collections import deque
from collections.abc import Iterator

import gevent
from gevent import socket as gsocket

from gromoxd.exmdb.framing import FrameReader

RECEIVE = 1 << 16
RECEIVE_BULK = 1 << 19
ANCILLARY = socket.CMSG_LEN(16 * 4)
SEND_TIMEOUT = 60.0


class Link:
    """A connected socket that carries frames. `unix` links pass descriptors."""

    def __init__(self, sock: gsocket.socket, unix: bool) -> None:
        self.sock = sock
        self.unix = unix
        self.closed = False
        self.descriptors: deque[int] = deque()
        self.queued = 0
        self._raw = getattr(sock, "_sock", None)
        self._queue: deque[tuple[bytes, int]] = deque()
        self._writer: gevent.Greenlet[[], None] | None = None
        self._reader = FrameReader()
        self._size = RECEIVE

    def send(self, data: bytes, descriptor: int = -1) -> None:
        """Send a frame (with a descriptor: unix only, not taken over). Never blocks; a broken link is silent here."""
        if self.closed:
            return
        if not self._queue and descriptor < 0 and self._raw is not None:
            try:
                sent = self._raw.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.close()
                return
            if sent == len(data):
                return
            data = data[sent:]
        self._queue.append((data, os.dup(descriptor) if descriptor >= 0 else -1))
        self.queued += len(data)
        if self._writer is None:
            self._writer = gevent.spawn(self._write_queue)

    def _write_queue(self) -> None:
        try:
            while self._queue:
                data, descriptor = self._queue[0]
                with gevent.Timeout(SEND_TIMEOUT, OSError("exmdb peer does not read")):
                    if descriptor >= 0:
                        rights = array.array("i", [descriptor]).tobytes()
                        sent = self.sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
                        os.close(descriptor)
                        self._queue[0] = (data[sent:], -1)
                        data = data[sent:]
                        self.queued -= sent
                    self.sock.sendall(data)
                self._queue.popleft()
                self.queued -= len(data)
        except OSError:
            self.close()
        finally:
            self._writer = None

    def frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        """All frames until the peer closes (or resets). WireError for what is no frame."""
        while True:
            try:
                data = self._receive()
            except OSError:
                return
            if not data:
                return
            self._size = RECEIVE_BULK if len(data) == self._size else RECEIVE
            yield from self._reader.feed(data)

    def _receive(self) -> bytes:
        if not self.unix:
            received: bytes = self.sock.recv(self._size)
            return received
        data, ancillary, _, _ = self.sock.recvmsg(self._size, ANCILLARY)
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                rights = array.array("i")
                rights.frombytes(payload[: len(payload) - len(payload) % 4])
                self.descriptors.extend(rights)
        return bytes(data)

    def take_descriptor(self) -> int:
        """The next received descriptor, -1 when none came."""
        return self.descriptors.popleft() if self.descriptors else -1

    def close(self) -> None:
        """Close the socket and whatever descriptors nobody took."""
        if self.closed:
            return
        self.closed = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()
        for _, descriptor in self._queue:
            if descriptor >= 0:
                os.close(descriptor)
        self._queue.clear()
