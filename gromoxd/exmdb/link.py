"""One exmdb connection as both ends use it: frames out without blocking the loop, frames and descriptors in.

Sends go straight to the kernel; what does not fit is queued and written by a greenlet. On Unix sockets frames are read
by a watcher in the hub, which saves two switches, a system call and an exception a call: whoever takes frames must not
block. Over TCP (perhaps TLS) a greenlet reads. While much waits to be sent, nothing more is read. gevent, sockets.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent import socket as gsocket

from gromoxd.errors import WireError
from gromoxd.exmdb.framing import FrameReader

OnFrame = Callable[[int, int, int, bytes], None]
"""Takes kind, number of descriptors, id and body of a frame. WireError or ValueError end the link."""

RECEIVE = 1 << 16
RECEIVE_BULK = 1 << 19
ANCILLARY = socket.CMSG_LEN(16 * 4)
SEND_TIMEOUT = 60.0
MOST_QUEUED = 32 << 20
"""Bytes that may wait to be sent before reading pauses."""


class Link:
    """A connected socket that carries frames. `unix` links pass descriptors."""

    def __init__(self, sock: gsocket.socket, unix: bool) -> None:
        self.sock = sock
        self.unix = unix
        self.closed = False
        self.descriptors: deque[int] = deque()
        self.queued = 0
        self._raw: Any = getattr(sock, "_sock", None)
        self._queue: deque[tuple[bytes, int]] = deque()
        self._writer: gevent.Greenlet[[], None] | None = None
        self._reader = FrameReader()
        self._size = RECEIVE
        self._watcher: Any = None
        self._on_frame: OnFrame = lambda kind, descriptors, number, body: None
        self._on_end: Callable[[str], None] = lambda reason: None

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
            if self._watcher is not None and not self.closed:
                self._watcher.start(self._readable)

    def listen(self, on_frame: OnFrame, on_end: Callable[[str], None]) -> None:
        """Give every frame to `on_frame`, and at last a reason ('' when the peer just closed) to `on_end`, once."""
        self._on_frame, self._on_end = on_frame, on_end
        if self.unix:
            self._watcher = gevent.get_hub().loop.io(self.sock.fileno(), 1)
            self._watcher.start(self._readable)
        else:
            gevent.spawn(self._read_tcp)

    def _readable(self) -> None:
        """In the hub: one look at the socket."""
        try:
            data, ancillary, _, _ = self._raw.recvmsg(self._size, ANCILLARY)
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                rights = array.array("i")
                rights.frombytes(payload[: len(payload) - len(payload) % 4])
                self.descriptors.extend(rights)
        self._take(data)
        if self.queued > MOST_QUEUED and self._watcher is not None:
            self._watcher.stop()

    def _read_tcp(self) -> None:
        while not self.closed:
            try:
                data = self.sock.recv(self._size)
            except OSError:
                data = b""
            self._take(data)
            while self.queued > MOST_QUEUED and not self.closed:
                gevent.sleep(0.01)

    def _take(self, data: bytes) -> None:
        self._size = RECEIVE_BULK if len(data) == self._size else RECEIVE
        reason = ""
        try:
            for frame in self._reader.feed(data):
                self._on_frame(*frame)
                if self.closed:
                    break
        except (WireError, ValueError) as error:
            data, reason = b"", f"garbage: {error}"
        if not data or self.closed:
            self.close(reason)

    def take_descriptor(self) -> int:
        """The next received descriptor, -1 when none came."""
        return self.descriptors.popleft() if self.descriptors else -1

    def close(self, reason: str = "") -> None:
        """Close the socket and whatever descriptors nobody took; tells `on_end`."""
        if self.closed:
            return
        self.closed = True
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
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
        self._on_end(reason)
