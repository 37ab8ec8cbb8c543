"""A site, requests and a clock for endpoints without sockets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from gromoxd.addressbook.settings import OrganisationSettings
from gromoxd.directory.model import Domain, Profile, User
from workers.http.emsmdb.settings import EmsmdbSettings
from workers.http.front import Refused, Reply
from workers.http.people import People
from workers.http.settings import HttpSettings

ALICE = User(7, "alice@example.test", 3, "/a", "en", "", 0, "")
BOB = User(8, "bob@example.test", 3, "/b", "en", "", 0, "")


class Config:
    """Settings by their classes."""

    def __init__(self, **emsmdb: Any) -> None:
        self._known: dict[type, Any] = {
            EmsmdbSettings: EmsmdbSettings(**emsmdb), HttpSettings: HttpSettings(),
            OrganisationSettings: OrganisationSettings(),
        }  # fmt: skip

    def get(self, cls: Any) -> Any:
        return self._known[cls]


class Directory:
    """Two users of one domain."""

    def __init__(self) -> None:
        self.users = {user.username: user for user in (ALICE, BOB)}

    def user(self, name: str) -> User | None:
        return self.users.get(name)

    def user_by_id(self, number: int) -> User | None:
        return next((user for user in self.users.values() if user.id == number), None)

    def domain(self, name: str) -> Domain | None:
        return Domain(3, 0, "example.test", "", 0, "", "/d", 0) if name == "example.test" else None

    def profile(self, user: User) -> Profile:
        return Profile(user.username, "Alice \u00c4" if user is ALICE else "")


class Site:
    """Quacks like `workers.http.site.Site`."""

    def __init__(self, version: str = "15.00.0847.4040", **settings: Any) -> None:
        self.server_version = version
        self.drained, self.drain_hooks = False, list[Callable[[], None]]()
        self.counted: dict[str, int] = {}
        config, directory = Config(**settings), Directory()
        board = SimpleNamespace(add=lambda name, amount=1: self.counted.update({name: self.counted.get(name, 0) + 1}))
        self.ctx: Any = SimpleNamespace(
            slot=SimpleNamespace(number=5), config=config, board=board, draining=lambda: self.drained,
            on_drain=self.drain_hooks.append, on_reload=lambda hook: None,
        )  # fmt: skip
        self.services: Any = SimpleNamespace(directory=directory)
        self.people: Any = People(directory, config)  # type: ignore[arg-type]
        self.endpoints: dict[str, Any] = {}


@dataclass
class Request:
    """Quacks like `workers.http.front.Request`."""

    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    user: User = ALICE
    cookies: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    query: dict[str, str] = field(default_factory=dict)
    secure: bool = False

    def header(self, name: str) -> str:
        return {key.lower(): value for key, value in self.headers.items()}.get(name.lower(), "")

    def cookie(self, name: str) -> str:
        return self.cookies.get(name, "")

    def body(self, limit: int | None = None) -> bytes:
        if len(self.content) > 5000:
            raise Refused(413)
        return self.content


class Browser:
    """A client that keeps cookies."""

    def __init__(self, endpoint: Any, user: User = ALICE, secure: bool = False) -> None:
        self.endpoint, self.user, self.secure = endpoint, user, secure
        self.cookies: dict[str, str] = {}

    def ask(self, kind: str, body: bytes = b"", **headers: str) -> Reply:
        """A reply, whose body is still parts."""
        fields = {"X-RequestType": kind, "X-RequestId": "{1}:9", "X-ClientInfo": "{2}:8"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        reply: Reply = self.endpoint.handle(Request(fields, body, self.user, dict(self.cookies), secure=self.secure))
        for name, value in reply.headers:
            if name == "Set-Cookie":
                first, _, tail = value.partition(";")
                key, _, text = first.partition("=")
                if "Max-Age=0" in tail:
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = text
        return reply

    def post(self, kind: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """X-ResponseCode, and the response's body."""
        reply = self.ask(kind, body, **headers)
        parts = reply.body if isinstance(reply.body, bytes) else b"".join(reply.body)
        getattr(reply.body, "close", lambda: None)()
        fields = dict(reply.headers)
        return int(fields["X-ResponseCode"]), parts.partition(b"\r\n\r\n")[2] if fields[
            "X-ResponseCode"
        ] == "0" else b""
