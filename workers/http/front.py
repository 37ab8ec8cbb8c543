"""Requests, replies and routes as the protocols of the HTTP worker see them; `workers.http.app` runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from gromoxd.directory.model import User

Headers = list[tuple[str, str]]


class Request(Protocol):
    """One request. `path` is in lower case without query; `raw_path` as it came.

    `user` is there on authenticated routes only. `peer` is the client's address behind trusted proxies; `host`,
    `secure`: as the client sees them (for URLs).
    """

    method: str
    path: str
    raw_path: str
    query: dict[str, str]
    user: User
    login: str
    password: str
    """What Basic gave, '' with other schemes: for protocols that log in somewhere else with it. Never logged."""
    peer: str
    host: str
    secure: bool

    def header(self, name: str) -> str:
        """A header field's value, '' when it is not there."""
        ...

    def cookie(self, name: str) -> str:
        """A cookie's value, '' when it is not there."""
        ...

    def body(self, limit: int | None = None) -> bytes:
        """All of the body. `Refused` (413) beyond the route's limit or this one."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes, for those who need not have it whole; refused like `body`."""
        ...


@dataclass
class Reply:
    """An answer. A `body` of pieces is sent in chunks as they come, and closed when the client is gone.

    Pieces in a list or tuple are sent at once. With a Content-Length among the headers they are sent without chunks.
    """

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes | Iterable[bytes] = b""


class Refused(Exception):
    """A request that is answered with this status and a short text, which tells nothing of secrets."""

    def __init__(self, status: int, text: str = "", headers: Headers | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers or []


Handler = Callable[[Any], Reply]
"""From Request to Reply."""


@dataclass(frozen=True)
class Route:
    """`path` in lower case; one that ends in '/' stands for all below it. `limit`: octets of a body.

    `privilege`: of `gromoxd.directory.model.Privilege`. `cookie`: the name of one whose value begins with the number of
    the worker that owns the session and a dot; requests that carry one are relayed there ('' for none).
    """

    path: str
    handler: Handler
    methods: tuple[str, ...] = ("GET", "HEAD")
    authenticated: bool = True
    limit: int = 64 << 10
    privilege: int = 0
    cookie: str = ""
