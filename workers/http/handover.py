"""Requests for a session that another worker of this node has: relayed, streaming both ways, to that worker's socket.

The number before the first dot of a session's cookie is the owner's. The relayed request says who the client is in a
header of ours, under a key that only this master's workers have; without it the header counts for nothing.
"""

from __future__ import annotations

import hmac
import logging
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from gevent import socket

from gromoxd.context import Slot
from gromoxd.directory.model import User
from workers.http.front import Headers, Refused, Reply
from workers.http.request import HttpRequest
from workers.http.site import Site

log = logging.getLogger(__name__)

HEADER = "X-Gromoxd-Relayed"
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 600.0
LONGEST_HEAD = 64 << 10
KEPT = 256 << 10
"""A body up to this is read before it is passed on, so that the request can still be served here."""
PIECE = 64 << 10
HOPS = frozenset({"CONNECTION", "KEEP-ALIVE", "TE", "TRAILER", "UPGRADE", "EXPECT", "PROXY-CONNECTION", HEADER.upper()})
"""Header fields that are between two hops (RFC 9110 7.6.1)."""
_OWNER = re.compile(r"(\d{1,4})\.")


class Relayed(msgspec.Struct, array_like=True, frozen=True):
    """Who a relayed request is from."""

    user: User
    login: str
    peer: str
    host: str
    secure: bool


class Reached(NamedTuple):
    """The answer's head, and what came of its body with it."""

    status: int
    headers: Headers
    rest: bytes


def socket_path(site: str, slot: int) -> str:
    """Where a worker takes relayed requests."""
    return os.path.join(site, "run", f"http.{slot}.sock")


def owner_of(cookie: str) -> int | None:
    """The slot number that a session's cookie names."""
    found = _OWNER.match(cookie)
    return int(found[1]) if found else None


class Relay:
    """Of one worker."""

    def __init__(self, site: Site) -> None:
        self._site, self._slot = site, site.ctx.slot.number
        self._key: bytes = site.ctx.shared.secret

    # ------------------------------------------------------------------------------------------ the owner's side

    def accept(self, request: HttpRequest) -> bool:
        """Believe what a relayed request says of its client; False for any other request."""
        request.connection.relayed = None
        value = request.header(HEADER)
        if not value:
            return False
        text, _, mark = value.partition(".")
        if not hmac.compare_digest(mark.encode(), self._mark(text).encode()):
            return False
        request.connection.relayed = msgspec.msgpack.decode(urlsafe_b64decode(text), type=Relayed)
        return True

    def _mark(self, text: str) -> str:
        return blake2b(text.encode(), key=self._key, digest_size=24, person=b"http relay").hexdigest()

    # ------------------------------------------------------------------------------------------ the other's side

    def forward(self, request: HttpRequest, cookie: str) -> Reply | None:
        """The owner's reply; None when the session is for this worker to answer. Refused (503)."""
        owner = owner_of(request.cookie(cookie))
        if owner is None or owner == self._slot or not self._serves(owner):
            return None
        keep = 0 <= request.length <= KEPT
        if keep:
            request.body()
        try:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(CONNECT_SECONDS)
            sock.connect(socket_path(self._site.ctx.site, owner))
        except OSError as error:
            sock.close()
            log.debug("no worker of that number", extra={"slot": owner, "error": str(error)})
            return None
        try:
            reached = self._ask(sock, request)
        except (OSError, ValueError) as error:
            sock.close()
            log.info("relay failed", extra={"slot": owner, "error": str(error)})
            if keep:
                return None
            raise Refused(503, "try again later", [("Retry-After", "1")]) from error
        except BaseException:
            sock.close()
            raise
        return Reply(reached.status, reached.headers, Body(sock, reached))

    def _serves(self, owner: int) -> bool:
        """Is there such a worker? The sessions of one that died, or is about to end, are gone."""
        try:
            row = self._site.ctx.shared.board.row(Slot(self._site.ctx.slot.protocol, owner))
        except KeyError:
            return False
        return bool(row.get("pid")) and not row.get("draining")

    def _ask(self, sock: Any, request: HttpRequest) -> Reached:
        sock.sendall(self._head(request))
        sock.settimeout(ANSWER_SECONDS)
        for piece in request.pieces():
            if request.length >= 0:
                sock.sendall(piece)
            elif piece:
                sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        if request.length < 0:
            sock.sendall(b"0\r\n\r\n")
        return _read_head(sock)

    def _head(self, request: HttpRequest) -> bytes:
        said = Relayed(request.user, request.login, request.peer, request.host, request.secure)
        text = urlsafe_b64encode(msgspec.msgpack.encode(said)).decode()
        lines = [f"{request.method} {request.head.uri} HTTP/1.{request.head.version[1]}"]
        lines += [f"{name}: {value}" for name, value in request.head.headers if name not in HOPS]
        lines += [f"{HEADER}: {text}.{self._mark(text)}", "Connection: close", "", ""]
        return "\r\n".join(lines).encode("latin-1")


def _read_head(sock: Any) -> Reached:
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        piece = sock.recv(PIECE)
        if not piece or len(data) > LONGEST_HEAD:
            raise OSError("the owner did not answer")
        data += piece
    first, *lines = data[:end].decode("latin-1").split("\r\n")
    fields = [line.partition(": ") for line in lines]
    headers = [(name, value) for name, _, value in fields if name.lower() not in ("connection", "date")]
    return Reached(int(first.split(" ")[1]), headers, data[end + 4 :])


class Body:
    """The answer's body as it comes, framed as the owner has framed it; OSError when it ends early."""

    def __init__(self, sock: Any, reached: Reached) -> None:
        self._sock, self._rest = sock, reached.rest
        fields = {name.lower(): value for name, value in reached.headers}
        self._left = int(fields.get("content-length", -1))
        self._chunked = "transfer-encoding" in fields

    def __iter__(self) -> Iterator[bytes]:
        tail, piece = b"", self._rest
        while self._left:
            piece = piece or self._sock.recv(PIECE)
            if not piece:
                break
            self._left -= len(piece) if self._left > 0 else 0
            tail = (tail + piece)[-5:]
            yield piece
            piece = b""
        if self._left > 0 or (self._chunked and tail != b"0\r\n\r\n"):
            raise OSError("the owner went in the middle of its answer")

    def close(self) -> None:
        """Nobody wants more: the owner notices."""
        self._sock.close()
