"""Sessions without sockets: a transport that collects, a directory of two users, transcripts of several connections."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from gromoxd.directory.errors import AuthFailed
from gromoxd.directory.model import User
from gromoxd.exmdb.api import MailboxRef
from store.memory import MemoryStore
from tests.imap.grammar import check
from workers.imap.errors import Closed
from workers.imap.mailbox import Mailboxes
from workers.imap.services import Services
from workers.imap.session import Session
from workers.imap.settings import ImapSettings
from workers.imap.spool import sink

PASSWORDS = {"alice@example.test": "secret", "bob@example.test": 'p"w\\d'}
NOW = 1_700_000_000


class Board:
    """Counters in a dict."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    def add(self, name: str, amount: int = 1) -> None:
        self.values[name] = self.values.get(name, 0) + amount

    def set(self, name: str, value: int) -> None:
        self.values[name] = value

    def get(self, name: str) -> int:
        return self.values.get(name, 0)

    def observe_ms(self, name: str, value_ms: float) -> None:
        return None


class Directory:
    """Two users."""

    def authenticate(self, name: str, password: str, privilege: int, peer: str) -> User:
        if PASSWORDS.get(name) != password:
            raise AuthFailed(1.5)
        return User(1, name, 1, f"/var/{name}", privilege_bits=1)

    def mailbox(self, user: User) -> MailboxRef:
        return MailboxRef(user.maildir)


class Done:
    """A promise kept at once, unless `later`: then the work is done when somebody asks."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._value: Any = None
        self._error: BaseException | None = None
        self._did = False

    def run(self) -> None:
        if not self._did:
            self._did = True
            try:
                self._value = self._work()
            except Exception as error:  # noqa: BLE001 - raised by get
                self._error = error

    def get(self) -> Any:
        self.run()
        if self._error is not None:
            raise self._error
        return self._value

    def ready(self) -> bool:
        return self._did


class Transport:
    """Collects what is sent."""

    def __init__(self, peer: str = "127.0.0.1", tls: bool = False, tls_available: bool = False) -> None:
        self.peer = peer
        self.peer_is_loopback = peer.startswith("127.")
        self.tls = tls
        self.tls_available = tls_available and not tls
        self.sent = bytearray()
        self.woken = False
        self.user = ""
        self.timeout = 0.0

    def send(self, data: bytes) -> None:
        self.sent += data

    def wake(self) -> None:
        self.woken = True

    def mark_authenticated(self, user: str = "") -> None:
        self.user = user

    def set_timeout(self, seconds: float) -> None:
        self.timeout = seconds


class NoBreath:
    """Nothing else wants to run."""

    def __call__(self) -> None:
        return None

    def start(self) -> None:
        return None


class World:
    """One worker: services over a store."""

    def __init__(self, exmdb: Any = None, **settings: Any) -> None:
        names = {f"/var/{name}": name for name in PASSWORDS}
        self.store = exmdb if exmdb is not None else MemoryStore(names)
        self.settings = ImapSettings(**settings)
        self.board = Board()
        self.slept: list[float] = []
        self.clients: list[Client] = []
        self._tokens = iter(range(1, 1 << 30))
        self.services = Services(
            exmdb=self.store,
            directory=Directory(),
            settings=lambda: self.settings,
            board=self.board,
            mailboxes=Mailboxes(self.store, lambda: None),
            spawn=self._spawn,
            offload=lambda function, *args, **kwargs: function(*args, **kwargs),
            breathe=NoBreath(),
            sleep=self.slept.append,
            now=lambda: float(NOW),
            token=lambda: next(self._tokens).to_bytes(16, "big"),
            spool=sink,
        )

    def _spawn(self, work: Callable[[], Any], then: Callable[[], None] | None = None) -> Done:
        done = Done(work)
        done.run()
        if then is not None:
            then()
        return done

    def client(self, **transport: Any) -> Client:
        made = Client(self, Transport(**transport))
        self.clients.append(made)
        return made

    def login(self, user: str = "alice@example.test") -> Client:
        client = self.client()
        client.command(f'LOGIN {user} "secret"')
        return client


class Client:
    """One connection from the client's side."""

    def __init__(self, world: World, transport: Transport, chunk: int = 0) -> None:
        self.world = world
        self.transport = transport
        self.session = Session(world.services, transport)
        self.chunk = chunk
        self.closed = False
        self._number = 0
        self.session.greet()

    def take(self) -> bytes:
        """What has been sent to the client since the last time."""
        data = bytes(self.transport.sent)
        self.transport.sent.clear()
        check(data)
        return data

    def raw(self, data: bytes) -> bytes:
        """Send octets, in pieces of `chunk`; what comes back."""
        size = self.chunk or len(data) or 1
        for at in range(0, len(data), size):
            if self.closed:
                break
            try:
                self.session.feed(data[at : at + size])
                while self.session.step():
                    pass
                if not self.session.starting_tls:
                    self.session.rest()
            except Closed:
                self.closed = True
                self.session.leave()
        return self.take()

    def push(self) -> bytes:
        """What the server sends of itself when something has woken the session."""
        if self.transport.woken:
            self.transport.woken = False
            self.session.woken()
        return self.take()

    def command(self, line: str | bytes, literal: bytes | None = None) -> list[bytes]:
        """Send a command with a fresh tag; the answer's lines, the last one without its tag."""
        self.take()
        self._number += 1
        tag = b"t%d" % self._number
        data = tag + b" " + (line.encode() if isinstance(line, str) else line)
        if literal is not None:
            data += b" {%d+}\r\n" % len(literal) + literal
        answer = self.raw(data + b"\r\n")
        lines = split_lines(answer)
        assert lines and lines[-1].startswith(tag + b" "), answer
        return [*lines[:-1], lines[-1][len(tag) + 1 :]]

    def ok(self, line: str | bytes, literal: bytes | None = None) -> list[bytes]:
        """Like `command`, but the answer must be OK; its untagged lines."""
        lines = self.command(line, literal)
        assert lines[-1].startswith(b"OK"), lines
        return lines[:-1]

    def append(self, message: bytes, box: str = "INBOX", flags: str = "") -> None:
        self.ok(f"APPEND {box}{' (' + flags + ')' if flags else ''}", message)


def split_lines(data: bytes) -> list[bytes]:
    """Answers, each with its literals in it, without the last CRLF."""
    lines: list[bytes] = []
    at = start = 0
    while at < len(data):
        end = data.index(b"\r\n", at)
        found = re.search(rb"\{(\d+)\}\Z", data[at:end])
        if found:
            at = end + 2 + int(found[1])
            continue
        lines.append(data[start:end])
        at = start = end + 2
    return lines


def message(number: int = 1, body: str = "Hello\r\n", **fields: str) -> bytes:
    """A small message."""
    head = {"From": f"sender{number}@example.net", "To": "alice@example.test", "Subject": f"Message {number}",
            "Date": "Wed, 15 Nov 2023 10:00:00 +0100", "Message-ID": f"<{number}@example.net>", **fields}  # fmt: skip
    return ("".join(f"{name}: {value}\r\n" for name, value in head.items()) + "\r\n" + body).encode()


# --------------------------------------------------------------------------------------------- transcripts


def play(world: World, script: str, chunk: int = 0) -> None:
    """Play a transcript: `A> text` is sent by connection A (CRLF added, \\xNN possible), `A< text` must come next.

    `A<~ regex` matches a line; `A.` nothing more may have come; `A!` is woken; `A#` the connection is closed.
    """
    clients: dict[str, Client] = {}
    pending: dict[str, list[bytes]] = {}
    for number, line in enumerate(script.strip().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("--"):
            continue
        name, kind, text = line[0], line[1], line[3:]
        where = f"line {number}: {line}"
        if name not in clients:
            clients[name] = made = world.client()
            made.chunk = chunk
            pending[name] = list(split_lines(made.take()))
        client, lines = clients[name], pending[name]
        if kind == ">":
            lines.extend(split_lines(client.raw(_octets(text) + b"\r\n")))
        elif kind == "!":
            lines.extend(split_lines(client.push()))
        elif kind == "#":
            assert client.closed, where
        elif kind == ".":
            assert not lines, f"{where}: left {lines}"
        else:
            _expect(lines, text, where, line.startswith(f"{name}<~"))
    for name, lines in pending.items():
        assert not lines, f"{name} got more: {lines}"


def _octets(text: str) -> bytes:
    return re.sub(rb"\\x([0-9a-f]{2})|\\n", lambda m: bytes([int(m[1], 16)]) if m[1] else b"\r\n", text.encode())


def _expect(lines: list[bytes], text: str, where: str, regex: bool) -> None:
    assert lines, f"{where}: nothing came"
    got = lines.pop(0)
    if regex:
        assert re.fullmatch(text.lstrip("~ ").encode(), got, re.DOTALL), f"{where}: got {got!r}"
    else:
        assert got == _octets(text), f"{where}: got {got!r}"


def transcripts(text: str) -> Iterator[tuple[str, str]]:
    """(title, script) of a file whose scripts begin with `== title`."""
    for part in re.split(r"(?m)^== ", text)[1:]:
        title, _, script = part.partition("\n")
        yield title.strip(), script
