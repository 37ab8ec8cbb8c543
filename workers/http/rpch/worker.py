"""RPC over HTTP in one worker: which virtual connections there are, and whose channel a new one is.

All virtual connections of a user are in one worker, whose number the user's id decides: both channels of each meet
there without anybody being asked, and handles are good on all connections of a client ([MS-RPCE] 3.3.3.4.1).
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from typing import Any, Final

import gevent

from gromoxd.directory.model import User
from gromoxd.errors import WireError
from gromoxd.master.pools import POOLS, size_of
from gromoxd.rpc import rts
from gromoxd.rpc.asyncemsmdb import ASYNC_EMSMDB
from gromoxd.rpc.emsmdb import EMSMDB
from gromoxd.rpc.nspi import NSPI
from gromoxd.rpc.rfr import RFR
from gromoxd.rpc.stub import Interface
from workers.http.channels import Channel, pass_channel
from workers.http.rpch import operations
from workers.http.rpch.handles import Handles
from workers.http.rpch.link import Link
from workers.http.rpch.pipe import KIND, Pipe
from workers.http.rpch.security import authentication
from workers.http.rpch.settings import RpchSettings
from workers.http.rpch.virtual import ON_IN, VirtualConnection, kind_of
from workers.http.site import Site

log = logging.getLogger(__name__)

LONGEST_ECHO: Final = 0x10
"""Octets of the body of a request that only asks whether there is a proxy ([MS-RPCH] 2.1.2.1.5)."""
FIRST_SECONDS: Final = 30.0
TICK_SECONDS: Final = 5.0
UNAVAILABLE: Final = 0x6BA
ACCESS_DENIED: Final = 0x5
TOO_BUSY: Final = 0x6BB
HTTP: Final = next(pool for pool in POOLS if pool.name == "http")
ENDPOINTS: Final[dict[int, list[Interface]]] = {
    6001: [EMSMDB, ASYNC_EMSMDB, NSPI, RFR],
    6002: [RFR, NSPI],
    6004: [NSPI, RFR],
}
"""[MS-OXCRPC] 2.1, [MS-OXABREF] 2.1, [MS-OXNSPI] 2.1; clients ask for referrals and address book on either port."""
_SERVER = re.compile(r"[^:]{1,255}:(\d{1,5})")


class NotHere(Exception):
    """A request that gets no channel; `code` is the RPC error in the answer."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class RpchWorker:
    """All virtual connections of one worker."""

    def __init__(self, site: Site) -> None:
        operations.load()
        self.site, self.board = site, site.ctx.board
        self.handles = Handles()
        self._links: dict[bytes, Link] = {}
        self._of_user: Counter[int] = Counter()
        self._ticker: Any = None
        site.ctx.on_drain(self.close)

    @property
    def settings(self) -> RpchSettings:
        """In force."""
        return self.site.ctx.config.get(RpchSettings)

    # ------------------------------------------------------------------------------------------ channels

    def serve(self, channel: Channel) -> None:
        """Do a request for a channel; comes back when that has ended."""
        owner = self._owner(channel.user)
        if owner != self.site.ctx.slot.number and not channel.passed and pass_channel(channel, owner, channel.first):
            return
        try:
            length = _length(channel)
            if length <= LONGEST_ECHO:
                _answer(channel, 200, "Success", rts.echo().encode())
                return
            self._channel(channel, length)
        except NotHere as error:
            log.info("no channel", extra={"user": channel.user.username, "reason": str(error)})
            _answer(channel, 503, f"RPC Error: {error.code:x}", b"")
        except WireError as error:
            self.board.add("bad_input")
            log.info("no channel", extra={"user": channel.user.username, "reason": str(error)})
            _answer(channel, 400, "Bad Request", b"")

    def _owner(self, user: User) -> int:
        return user.id % size_of(HTTP, self.site.ctx.config)

    def _channel(self, channel: Channel, length: int) -> None:
        found = _SERVER.fullmatch(channel.about.query)
        interfaces = ENDPOINTS.get(int(found[1])) if found else None
        if interfaces is None:
            raise NotHere(UNAVAILABLE, "no such endpoint")
        pipe = Pipe(channel.sock, channel.first, length, chunked=self.settings.rpch_out_chunked)
        pipe.patience(FIRST_SECONDS)
        octets = pipe.next()
        if not octets:
            return
        first = rts.decode(octets)
        if (kind_of(first) in ON_IN) != (channel.about.method == "RPC_IN_DATA"):
            raise WireError(f"{kind_of(first)} on an {channel.about.method} channel")
        link = self._link(first, channel, interfaces)
        try:
            link.first(pipe, first)
        except WireError:
            if not link.virtual.channels:
                link.end("a bad channel")
            raise
        pipe.patience(None)
        link.run(pipe)

    def _link(self, first: rts.Rts, channel: Channel, interfaces: list[Interface]) -> Link:
        """The virtual connection that a channel names; a new one for the first channel of one. NotHere."""
        cookie, user = first.cookies[0], channel.user
        link = self._links.get(cookie)
        if link is not None:
            if link.user.id != user.id or link.interfaces is not interfaces:
                raise NotHere(ACCESS_DENIED, "somebody else's virtual connection, or one of another endpoint")
            return link
        if first.flags & rts.Flags.RECYCLE_CHANNEL:
            raise NotHere(UNAVAILABLE, "no such virtual connection")
        if self._of_user[user.id] >= self.settings.rpch_connections_per_user:
            raise NotHere(TOO_BUSY, "too many virtual connections")
        settings = self.settings
        made = VirtualConnection(
            cookie, time.monotonic(), timeout=settings.rpch_channel_timeout, lifetime=settings.rpch_channel_lifetime
        )
        link = Link(self, cookie, user, interfaces, authentication(self.site, channel.about.peer), made)
        self._links[cookie] = link
        self._of_user[user.id] += 1
        if self._ticker is None:
            self._ticker = gevent.spawn(self._tick)
        return link

    def forget(self, link: Link) -> None:
        """A virtual connection has ended."""
        if self._links.pop(link.cookie, None) is not None:
            self._of_user[link.user.id] -= 1
            if not self._of_user[link.user.id]:
                del self._of_user[link.user.id]

    def close(self) -> None:
        """The worker ends: clients connect anew, to another."""
        for link in list(self._links.values()):
            link.end("the worker ends")

    def _tick(self) -> None:
        while self._links:
            gevent.sleep(TICK_SECONDS)
            for link in list(self._links.values()):
                link.tick()
        self._ticker = None


def _length(channel: Channel) -> int:
    text = channel.header("content-length")
    if channel.header("transfer-encoding") or not text.isascii() or not text.isdigit():
        raise WireError("no Content-Length")
    return int(text)


def _answer(channel: Channel, status: int, reason: str, body: bytes) -> None:
    """A whole reply, after which the connection ends."""
    fields = f"Content-Type: {KIND}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    head = f"HTTP/1.1 {status} {reason}\r\n{fields}\r\n"
    channel.sock.sendall(head.encode() + body)
