"""Connections that RPC over HTTP takes over whole ([MS-RPCH] 3.2.2): given away after the log-in, or to another worker.

`workers.http.rpch.channel(channel)` is called in the connection's greenlet; when it returns, the connection is closed.
A channel whose virtual connection another worker has is passed there by `pass_channel`: its socket as a descriptor
(SCM_RIGHTS), or for TLS one end of a pair of sockets between which and the client this worker goes on to pump.
"""

from __future__ import annotations

import array
import contextlib
import logging
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import msgspec
from gevent import socket
from gevent.server import StreamServer

from gromoxd.directory.model import User
from workers.http.site import Site

log = logging.getLogger(__name__)

METHODS = frozenset({"RPC_IN_DATA", "RPC_OUT_DATA"})
PATHS = frozenset({"/rpc/rpcproxy.dll", "/rpcwithcert/rpcproxy.dll"})
SECONDS = 10.0
LONGEST = 16 << 20
_LENGTH = struct.Struct("<I")
_FD = array.array("i").itemsize
TAKEN = b"\1"


class About(msgspec.Struct, array_like=True, frozen=True):
    """What a channel is besides its socket. `fields`: header fields by name in capitals; `query` as it came."""

    method: str
    query: str
    fields: dict[str, str]
    user: User
    login: str
    peer: str
    host: str
    secure: bool


@dataclass
class Channel:
    """`first`: octets that came after the head already. `passed`: another worker had it before.

    The client's `Expect: 100-continue` has been answered. `sock` is a gevent socket, or a TLS one.
    """

    site: Site
    about: About
    sock: Any
    first: bytes
    tls: bool = False
    passed: bool = False

    @property
    def user(self) -> User:
        """Who logged in."""
        return self.about.user

    def header(self, name: str) -> str:
        """A header field's value, '' when it is not there."""
        return self.about.fields.get(name.upper(), "")


Handler = Callable[[Channel], None]


def socket_path(site: str, slot: int) -> str:
    """Where a worker takes channels."""
    return os.path.join(site, "run", f"http.{slot}.fd.sock")


def pass_channel(channel: Channel, slot: int, data: bytes) -> bool:
    """Give a channel to another worker, which reads `data` before what comes next; False when there is none.

    Over TLS this comes back when the channel is at its end. The caller has nothing more to do but return.
    """
    if not channel.tls:
        return _pass(channel, slot, channel.sock.fileno(), data)
    here, there = socket.socketpair()
    with here, there:
        if not _pass(channel, slot, there.fileno(), data):
            return False
        there.close()
        channel.sock.settimeout(None)
        ways = [gevent.spawn(_pump, channel.sock, here), gevent.spawn(_pump, here, channel.sock)]
        try:
            gevent.wait(ways, count=1)
        finally:
            gevent.killall(ways)
    return True


def _pump(source: Any, target: Any) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(64 << 10):
            target.sendall(data)


def _pass(channel: Channel, slot: int, fd: int, data: bytes) -> bool:
    about = msgspec.msgpack.encode((channel.about, data))
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(SECONDS)
            sock.connect(socket_path(channel.site.ctx.site, slot))
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
            sock.sendmsg([_LENGTH.pack(len(about))], rights)
            sock.sendall(about)
            return bool(sock.recv(1) == TAKEN)
    except OSError as error:
        log.info("channel not passed", extra={"slot": slot, "error": str(error)})
        return False


class ChannelServer:
    """Takes channels from other workers and runs `handler` on each."""

    def __init__(self, site: Site, handler: Handler, spawn: Any) -> None:
        self._site, self._handler = site, handler
        path = socket_path(site.ctx.site, site.ctx.slot.number)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old = os.umask(0o177)
        try:
            sock.bind(path)
        finally:
            os.umask(old)
        sock.listen(128)
        self._server = StreamServer(sock, self._accepted, spawn=spawn)
        self._server.start()

    def close(self) -> None:
        """Take no more."""
        self._server.close()

    def _accepted(self, sock: Any, address: Any) -> None:
        received: Any = None
        try:
            sock.settimeout(SECONDS)
            received, about, data = _receive(sock)
            sock.sendall(TAKEN)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            log.warning("bad channel from another worker", extra={"error": str(error)})
            if received is not None:
                received.close()
            return
        finally:
            sock.close()
        try:
            self._handler(Channel(self._site, about, received, data, passed=True))
        except OSError as error:
            log.debug("connection lost", extra={"error": str(error)})
        finally:
            received.close()


def _receive(sock: Any) -> tuple[Any, About, bytes]:
    head, ancillary, *_ = sock.recvmsg(_LENGTH.size, socket.CMSG_SPACE(_FD))
    fds = [data for level, kind, data in ancillary if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)]
    if len(fds) != 1 or len(fds[0]) < _FD:
        raise ValueError("no descriptor")
    received = socket.socket(fileno=array.array("i", fds[0][:_FD])[0])
    try:
        (size,) = _LENGTH.unpack(head)
        if size > LONGEST:
            raise ValueError("too long")
        text = bytearray()
        while len(text) < size:
            piece = sock.recv(min(64 << 10, size - len(text)))
            if not piece:
                raise OSError("the other worker went")
            text += piece
        about, data = msgspec.msgpack.decode(bytes(text), type=tuple[About, bytes])
    except BaseException:
        received.close()
        raise
    return received, about, data
