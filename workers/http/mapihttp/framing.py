"""Request types and their answers ([MS-OXCMAPIHTTP] 2.2.2, 2.2.3, 2.2.7), common to mailbox and address book endpoint.

An endpoint is a table of request types by their names in lower case:

    TYPES = {
        "bind": RequestType(bind, Use.OPENS),  # its function sets context.state, or no session context begins
        "unbind": RequestType(unbind, Use.CLOSES),
        "queryrows": RequestType(query_rows, Use.USES),
        "getmailboxurl": RequestType(get_mailbox_url, Use.FREE),
    }

A function gets the context and the request's body, and returns the response's body from StatusCode on. It raises
WireError for a body that is none (X-ResponseCode 12), MapiError when the request failed (a failure response body with
that StatusCode), or Refusal with another X-ResponseCode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from enum import Enum, IntEnum
from struct import Struct
from typing import Any, Final, Protocol

from workers.http.front import Headers, Request
from workers.http.site import Site

CONTENT_TYPE: Final = "application/mapi-http"
PENDING_PERIOD_MS: Final = 30_000
PENDING_INTERVAL: Final = 27.0
"""Seconds after which a client that waits is told that we still work; less than what X-PendingPeriod promises."""
LONGEST_ECHO: Final = 512
_FAILURE = Struct("<II")


class Code(IntEnum):
    """Values of X-ResponseCode ([MS-OXCMAPIHTTP] 2.2.3.3.3)."""

    SUCCESS = 0
    UNKNOWN_FAILURE = 1
    INVALID_VERB = 2
    INVALID_PATH = 3
    INVALID_HEADER = 4
    INVALID_REQUEST_TYPE = 5
    INVALID_CONTEXT_COOKIE = 6
    MISSING_HEADER = 7
    ANONYMOUS_NOT_ALLOWED = 8
    TOO_LARGE = 9
    CONTEXT_NOT_FOUND = 10
    NO_PRIVILEGE = 11
    INVALID_REQUEST_BODY = 12
    MISSING_COOKIE = 13
    INVALID_SEQUENCE = 15
    ENDPOINT_DISABLED = 16
    INVALID_RESPONSE = 17
    ENDPOINT_SHUTTING_DOWN = 18


class Refusal(Exception):
    """The request is answered with this X-ResponseCode; `text` is what a person reads then."""

    def __init__(self, code: Code, text: str = "") -> None:
        super().__init__(text or code.name)
        self.code, self.text = code, text or code.name.capitalize().replace("_", " ")


class Use(Enum):
    """What a request type does to the session context."""

    FREE = "needs none"
    OPENS = "opens one"
    USES = "one at a time in the order of the sequence cookie"
    CLOSES = "ends it"
    WAITS = "beside others, in any order; its function returns a Wait"


class Wait(Protocol):
    """A request that waits for something to happen ([MS-OXCMAPIHTTP] 3.2.5.5)."""

    def wait(self, seconds: float) -> bool:
        """Sleep for so long at most. Is there something to answer?"""
        ...

    def answer(self) -> bytes:
        """The response's body."""
        ...

    def close(self) -> None:
        """Answered, or the client is gone."""
        ...


@dataclass(slots=True)
class Context:
    """A request as its function sees it. `state` belongs to the endpoint: what its opening type put there.

    A `state` has a method `close()`, called when the session context ends, and, with types that wait, `wake()`.
    """

    site: Site
    request: Request
    state: Any = None


Function = Callable[[Context, bytes], Any]
"""From context and request body to response body (or to a `Wait`)."""


@dataclass(frozen=True, slots=True)
class RequestType:
    """One value of X-RequestType."""

    function: Function
    use: Use


def failure_body(status: int) -> bytes:
    """A failure response body ([MS-OXCMAPIHTTP] 2.2.4.1.3 and the like): StatusCode and no auxiliary buffer."""
    return _FAILURE.pack(status, 0)


def echoed(request: Request, name: str) -> str:
    """What the client gets back of a field of its own, '' when it is too long or no text."""
    value = request.header(name)
    return value if value.isascii() and value.isprintable() and len(value) <= LONGEST_ECHO else ""


def head(request: Request, code: Code, version: str) -> Headers:
    """The fields that every response has ([MS-OXCMAPIHTTP] 2.2.2.2)."""
    found: Headers = [
        ("Content-Type", CONTENT_TYPE if code is Code.SUCCESS else "text/html"),
        ("Cache-Control", "private"),
        ("X-RequestType", echoed(request, "X-RequestType")),
        ("X-ResponseCode", str(int(code))),
        ("X-RequestId", echoed(request, "X-RequestId")),
        ("X-ServerApplication", f"Exchange/{version}"),
    ]
    client_info = echoed(request, "X-ClientInfo")
    if client_info:
        found.append(("X-ClientInfo", client_info))
    return found


PROCESSING: Final = b"PROCESSING\r\n"
PENDING: Final = b"PENDING\r\n"


def done(body: bytes, *, started: float, elapsed: float, code: Code = Code.SUCCESS) -> bytes:
    """The last part of a response: DONE, additional header fields, the body ([MS-OXCMAPIHTTP] 2.2.7)."""
    lines = [
        "DONE",
        f"X-ResponseCode: {int(code)}",
        f"X-ElapsedTime: {max(0, round(elapsed * 1000))}",
        f"X-StartTime: {formatdate(started, usegmt=True)}",
        "\r\n",
    ]
    return "\r\n".join(lines).encode() + body
