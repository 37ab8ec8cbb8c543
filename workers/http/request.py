"""A request as the protocols see it, over the head that gunicorn's parser has read. What costs time is made when asked.

Forwarding headers count when the connection's peer is a trusted proxy; then the client is the rightmost hop that none
of them is (RFC 7239 7.1 says why not the leftmost).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import gevent
from gunicorn.http import errors

from gromoxd.directory.model import User
from workers.http.front import Headers, Refused

PIECE = 64 << 10
SLOWEST = 1000
"""Octets a second that a body has to come with, after the first http_conn_timeout seconds."""
MOST_FIELDS = 100
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
MALFORMED = (
    errors.ParseException, errors.NoMoreData, errors.InvalidChunkSize, errors.ChunkMissingTerminator,
    errors.InvalidChunkExtension,
)  # fmt: skip
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


class Query(dict[str, str]):
    """The fields of a query, whose names are compared without regard to case."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        """The field, or `default`."""
        return super().get(name.lower(), default)


class HttpRequest:
    """See `workers.http.front.Request`. `connection` is the one it came on (`workers.http.connection`)."""

    user: User
    login = ""
    password = ""

    def __init__(self, head: Any, connection: Any) -> None:
        self.head, self.connection = head, connection
        self.method: str = head.method
        self.limit = 0
        self.reply_headers: Headers = []
        """Header fields for the reply, whatever it is."""
        self._awaits_continue: bool = head._expected_100_continue
        self._body: bytes | None = None
        self._taken = 0
        fields: dict[str, str] = {}
        for name, value in head.headers:
            if name in fields:
                value = f"{fields[name]}{'; ' if name == 'COOKIE' else ', '}{value}"
            fields[name] = value
        self.fields = fields
        """Header fields by name in capitals."""

    # ------------------------------------------------------------------------------------------ head

    @cached_property
    def raw_path(self) -> str:
        """The path as it came, with its percent escapes decoded."""
        path: str = self.head.path
        if "%" in path:
            from urllib.parse import unquote

            path = unquote(path, errors="replace")
        return path

    @cached_property
    def path(self) -> str:
        """`raw_path` in lower case."""
        return self.raw_path.lower()

    @cached_property
    def query(self) -> dict[str, str]:
        """The first of each field. Refused (400) when there are too many."""
        if not self.head.query:
            return Query()
        try:
            pairs = parse_qsl(self.head.query, keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS)
        except ValueError as error:
            raise Refused(400, "bad query") from error
        found = Query()
        for name, value in pairs:
            found.setdefault(name.lower(), value)
        return found

    def header(self, name: str) -> str:
        """A header field's value, several of one name joined by a comma; '' when it is not there."""
        return self.fields.get(name.upper(), "")

    def cookie(self, name: str) -> str:
        """A cookie's value, '' when it is not there."""
        return self._cookies.get(name, "")

    @cached_property
    def _cookies(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in self.header("cookie").split(";"):
            name, equals, value = part.strip().partition("=")
            if equals:
                found.setdefault(name.strip(), value.strip().strip('"'))
        return found

    # ------------------------------------------------------------------------------------------ whose

    @cached_property
    def peer(self) -> str:
        """The client's address."""
        connection = self.connection
        if connection.relayed is not None:
            return str(connection.relayed.peer)
        address: str = connection.address
        if not connection.trusted:
            return address
        for hop in reversed(self.header(connection.client_header).split(",")[-32:]):
            hop = hop.strip().strip('"')
            if not hop:
                break
            address = hop[1:].partition("]")[0] if hop.startswith("[") else hop
            if not connection.is_trusted(address):
                break
        return address[:64]

    @cached_property
    def proxied(self) -> bool:
        """It came through a proxy that says so."""
        return bool(self.header("x-forwarded-for") or self.header("forwarded") or self.header("via"))

    @cached_property
    def host(self) -> str:
        """Host and port by which the client knows this server; '' when it says nonsense."""
        if self.connection.relayed is not None:
            return str(self.connection.relayed.host)
        name = self.header("x-forwarded-host").rpartition(",")[2].strip() if self.connection.trusted else ""
        name = name or self.header("host")
        return name if len(name) <= 255 and _HOST.fullmatch(name) else ""

    @cached_property
    def secure(self) -> bool:
        """The client speaks TLS, to us or to a trusted proxy."""
        connection = self.connection
        if connection.relayed is not None:
            return bool(connection.relayed.secure)
        said = self.header("x-forwarded-proto").rpartition(",")[2].strip().lower() if connection.trusted else ""
        return said == "https" if said else bool(connection.tls)

    # ------------------------------------------------------------------------------------------ body

    @cached_property
    def length(self) -> int:
        """Octets of the body; -1 when it comes in chunks."""
        fields = self.fields
        return -1 if "TRANSFER-ENCODING" in fields else int(fields.get("CONTENT-LENGTH") or 0)

    @property
    def is_read(self) -> bool:
        """Nothing of the body is left on the connection."""
        return self.length == self._taken if self.length >= 0 else self._body is not None

    @property
    def awaits_continue(self) -> bool:
        """The client waits for leave to send its body."""
        return self._awaits_continue

    def go_on(self) -> None:
        """Tell a client that waits for it to send its body (RFC 9110 10.1.1)."""
        if self._awaits_continue:
            self._awaits_continue = False
            self.connection.send(CONTINUE)

    def check(self, limit: int) -> None:
        """Set the body's limit. Refused (413) when it is said to be longer."""
        self.limit = limit
        if self.length > limit:
            raise Refused(413, "the body is too long")

    def body(self, limit: int | None = None) -> bytes:
        """All of the body. `Refused` (413) beyond the route's limit or this one."""
        if self._body is None:
            if limit is not None:
                self.check(min(limit, self.limit))
            self._body = b"".join(self.pieces())
        return self._body

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes. Refused: 413 beyond the limit, 408 when it comes too slowly, 400 when it ends early."""
        if not self.length or self._body is not None:
            yield self._body or b""
            return
        self.go_on()
        started, left = time.monotonic(), self.length
        while left:
            size = min(PIECE, left) if left > 0 else PIECE
            allowed = self.connection.patience + (self._taken + size) / SLOWEST - (time.monotonic() - started)
            piece = self._read(size, allowed)
            if not piece:
                if left > 0:
                    raise Refused(400, "the body ended early")
                break
            left -= len(piece) if left > 0 else 0
            self._taken += len(piece)
            if self._taken > self.limit:
                raise Refused(413, "the body is too long")
            yield piece
        if self.length < 0:
            self._body = self._body or b""

    def _read(self, size: int, seconds: float) -> bytes:
        try:
            with gevent.Timeout(max(seconds, 0), TimeoutError()):
                piece: bytes = self.head.body.read(size)
                return piece
        except TimeoutError as error:
            raise Refused(408, "the body comes too slowly") from error
        except MALFORMED as error:
            raise Refused(400, "the body is malformed") from error
        except OSError as error:
            raise ClientGone(str(error)) from error


class ClientGone(OSError):
    """The client went, or takes nothing any more."""
