"""One connection: its requests, one after the other, each answered by the application; replies on the wire.

RFC 9112: keep-alive (9.3), chunked replies (7.1), a close that does not destroy the answer (9.6). The parser of heads
and chunked bodies is gunicorn's.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import gevent
from gunicorn.http import errors, get_parser

from workers.http.channels import METHODS
from workers.http.front import Refused, Reply
from workers.http.request import ClientGone, HttpRequest

log = logging.getLogger(__name__)

LEFT_OVER = 256 << 10
"""Octets of a body nobody wanted that are read for the sake of the connection; more, and it is closed."""
PIECE = 256 << 10
LINGER_SECONDS = 5.0
"""How long what a client still sends is read and dropped before the end, so that it gets its last answer."""
BODILESS = frozenset({204, 304})
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_date: tuple[int, str] = (0, "")


class Given(Exception):
    """The connection was a channel; another worker may have it still, so that nothing is to be shut down here."""


class Connection:
    """`user` and `handshake` are what NTLM has authenticated and begun on this connection ([MS-NTHT] 3.2.5).

    `address` is the peer's; `trusted`, whether that is a proxy whose forwarding headers count.
    """

    def __init__(self, worker: Any, sock: Any, address: Any, *, tls: bool, local: bool) -> None:
        self.worker, self.sock, self.tls, self.local = worker, sock, tls, local
        self.address: str = address[0].partition("%")[0] if isinstance(address, tuple) else ""
        self.trusted: bool = self.is_trusted("127.0.0.1" if local else self.address)
        self.client_header: str = worker.trust.header
        self.patience: float = worker.patience
        self.relayed: Any = None
        self.user: Any = None
        self.login = ""
        self.bound = 0.0
        self.handshake: Any = None
        self._parser = get_parser(worker.cfg, sock, address)

    def is_trusted(self, address: str) -> bool:
        """Is this the address of a trusted proxy?"""
        trusted: bool = self.worker.trust.admits(address)
        return trusted

    def leave(self) -> None:
        """Nobody is logged in on the connection, nor about to be."""
        handshake, self.handshake, self.user = self.handshake, None, None
        if handshake is not None:
            handshake.close()

    # ------------------------------------------------------------------------------------------ requests

    def serve(self) -> None:
        """Answer requests until the connection ends; close it."""
        head = None
        try:
            self.sock.settimeout(self.patience)
            while True:
                head = None
                with self.worker.timeout_ctx():
                    head = next(self._parser, None)
                if head is None:
                    break
                if not self._answer(head):
                    break
        except Given:
            log.debug("channel ended")
        except errors.NoMoreData:
            log.debug("client went in the middle of a head")
        except (errors.ParseException, errors.ConfigurationProblem) as error:
            self.worker.ctx.board.add("bad_input")
            self.worker.handle_error(head, self.sock, (self.address, 0), error)
            self._linger()
        except (OSError, gevent.GreenletExit) as error:
            log.debug("connection lost", extra={"error": str(error)})
        finally:
            self.leave()
            self.sock.close()

    def _answer(self, head: Any) -> bool:
        """Answer one request; whether another may follow."""
        request = HttpRequest(head, self)
        started = time.monotonic()
        app = self.worker.wsgi
        reply = app.channel(request) if request.method in METHODS else app.answer(request)
        if reply is None:
            raise Given
        keep = self._keeps(request, reply)
        try:
            keep = self._write(request, reply, keep) and keep
        finally:
            close = getattr(reply.body, "close", None)
            if close is not None:
                close()
        if log.isEnabledFor(logging.DEBUG):
            extra = {
                "method": request.method, "path": request.raw_path, "status": reply.status,
                "ms": round((time.monotonic() - started) * 1000, 2),
            }  # fmt: skip
            log.debug("request", extra=extra)
        if not request.is_read and not (keep and self._drop_body()):
            self._linger()
            return False
        return keep and self.worker.alive  # which may have changed during a long answer

    def _keeps(self, request: HttpRequest, reply: Reply) -> bool:
        """May the connection go on after this reply?"""
        if not self.worker.alive or request.head.should_close() or reply.status in (408, 413):
            return False
        if request.head.body.failed:
            return False
        if request.is_read:
            return True
        return not request.awaits_continue and request.length <= LEFT_OVER

    def _drop_body(self) -> bool:
        deadline = time.monotonic() + LINGER_SECONDS
        finished: bool = self._parser.finish_body(deadline=deadline, max_bytes=LEFT_OVER + 1)
        return finished

    def take_over(self) -> bytes:
        """Leave the connection to the caller: octets that were read beyond the head of the present request."""
        data: bytes = self._parser.unreader.take_buffered()
        return data

    # ------------------------------------------------------------------------------------------ replies

    def send(self, data: bytes) -> None:
        """Send octets. ClientGone when nobody takes them."""
        try:
            if len(data) <= PIECE:
                self.sock.sendall(data)
                return
            view = memoryview(data)  # the time-out is for one call
            for at in range(0, len(view), PIECE):
                self.sock.sendall(view[at : at + PIECE])
        except OSError as error:
            raise ClientGone(str(error)) from error

    def _write(self, request: HttpRequest, reply: Reply, keep: bool) -> bool:
        """Send the reply; False when its end is the connection's."""
        body, status = reply.body, reply.status
        old, mute = request.head.version < (1, 1), request.method == "HEAD" or status in BODILESS
        sized = any(name.lower() in ("content-length", "transfer-encoding") for name, _ in reply.headers)
        lines = [f"{name}: {value}\r\n" for name, value in (*reply.headers, *request.reply_headers)]
        if isinstance(body, bytes):
            if not sized and status not in BODILESS:
                lines.append(f"Content-Length: {len(body)}\r\n")
        elif not sized and not old and not mute:
            lines.append("Transfer-Encoding: chunked\r\n")
        ends_here = not isinstance(body, bytes) and not sized and old and not mute
        if not keep or ends_here:
            lines.append("Connection: close\r\n")
        elif old:
            lines.append("Connection: keep-alive\r\n")
        head = head_of(status, lines)
        if mute:
            self.send(head)
        elif isinstance(body, bytes):
            self.send(head + body)
        elif sized or old:
            self._raw(head, body)
        else:
            self._chunked(head, body)
        return not ends_here

    def _raw(self, head: bytes, pieces: Iterable[bytes]) -> None:
        self.send(head)
        for piece in pieces:
            if piece:
                self.send(piece)

    def _chunked(self, head: bytes, pieces: Iterable[bytes]) -> None:
        """Each piece is sent when it comes; a list or tuple, which is there, at once."""
        if isinstance(pieces, (list, tuple)):
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
            self.send(head + chunks + b"0\r\n\r\n")
            return
        for piece in pieces:
            if piece:
                self.send(b"%b%x\r\n%b\r\n" % (head, len(piece), piece))
                head = b""
        self.send(head + b"0\r\n\r\n")

    def _linger(self) -> None:
        """Say that nothing more comes, and read what is under way, so that the last answer is not lost."""
        with contextlib.suppress(OSError), gevent.Timeout(LINGER_SECONDS, TimeoutError()):
            self.sock.shutdown(1) if not self.tls else self.sock.unwrap()
            while self.sock.recv(PIECE):
                pass


def head_of(status: int, lines: list[str]) -> bytes:
    """A reply's head. ValueError when a header field has a line break in it."""
    text = "".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        raise ValueError("line break in a header field")
    first = _LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n"
    return f"{first}Date: {http_date()}\r\n{text}\r\n".encode("latin-1", "replace")


def http_date() -> str:
    """Now, in the form of RFC 9110 5.6.7; made once a second."""
    global _date
    now = int(time.time())
    if now != _date[0]:
        _date = (now, formatdate(now, usegmt=True))
    return _date[1]


def refusal(error: Refused) -> Reply:
    """The answer to a refused request."""
    text = (error.text or _phrase(error.status)).encode() + b"\n"
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"), *error.headers]
    return Reply(error.status, headers, text)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return "refused"
