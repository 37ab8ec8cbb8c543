"""What the sessions of a worker are given: mailboxes, directory, caches, and the few things that touch the outside.

Sessions and commands import neither gevent nor sockets; the server fills this in, tests with plain functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, Protocol, TypeVar

from gromoxd.context import SlotBoard
from gromoxd.directory.model import User
from gromoxd.exmdb.api import Exmdb, MailboxRef
from workers.imap.lru import Lru
from workers.imap.mailbox import Mailboxes
from workers.imap.settings import ImapSettings
from workers.imap.wire.framing import Sink

P = ParamSpec("P")
R = TypeVar("R")
HEADER_CACHE = 16 << 20
PRIVILEGE_IMAP = 0x1
"""`users.privilege_bits`: IMAP and POP3."""


class Authenticator(Protocol):
    """The part of `gromoxd.directory.service.Directory` that logins need."""

    def authenticate(self, name: str, password: str, privilege: int, peer: str) -> User: ...
    def mailbox(self, user: User) -> MailboxRef: ...


class Promise(Protocol):
    """A result that comes later."""

    def get(self) -> Any: ...
    def ready(self) -> bool: ...


class Transport(Protocol):
    """A session's connection; `workers.common.connection.Connection` is one."""

    peer: str
    peer_is_loopback: bool
    tls: bool

    @property
    def tls_available(self) -> bool: ...
    def send(self, data: bytes) -> None: ...
    def wake(self) -> None: ...
    def mark_authenticated(self, user: str = "") -> None: ...
    def set_timeout(self, seconds: float) -> None: ...


class Spawn(Protocol):
    """Run something beside the session; `then` is called when it is done."""

    def __call__(self, work: Callable[[], Any], then: Callable[[], None] | None = None) -> Promise: ...


class Offload(Protocol):
    """Run something that computes for long on a native thread; wait for it here."""

    def __call__(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R: ...


class Breathe(Protocol):
    """Lets other greenlets run when this one has computed for some milliseconds since `start`; cheap otherwise."""

    def __call__(self) -> None: ...
    def start(self) -> None: ...


@dataclass
class Services:
    """One worker's."""

    exmdb: Exmdb
    directory: Authenticator
    settings: Callable[[], ImapSettings]
    board: SlotBoard
    mailboxes: Mailboxes
    spawn: Spawn
    offload: Offload
    breathe: Breathe
    sleep: Callable[[float], None]
    now: Callable[[], float]
    token: Callable[[], bytes]
    spool: Callable[[int], Sink]
    logins: dict[tuple[str, str], int] = field(default_factory=dict)
    """(user, address) -> connections."""

    def __post_init__(self) -> None:
        self.contents: Lru[bytes] = Lru(lambda: self.settings().imap_content_cache, len)
        self.headers: Lru[dict[int, bytes]] = Lru(lambda: HEADER_CACHE, _weight)


def _weight(values: dict[int, bytes]) -> int:
    return sum(map(len, values.values())) + 130 * len(values)
