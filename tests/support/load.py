"""A load of several connections that goes on while processes die, and the account of what was acknowledged.

A client whose connection ends reconnects and does again what was not acknowledged: a delivery with the same bytes, an
APPEND after it has looked whether the message is there (as mbsync does), so that every name must exist exactly once.
"""

from __future__ import annotations

import contextlib
import imaplib
import itertools
import poplib
import random
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.support import messages
from tests.support.server import Server

LOST = (OSError, imaplib.IMAP4.abort, imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPException, EOFError)
FOLDER = "appended"


class Client:
    """One connection of the load: `step` is done again and again; what it raises of LOST makes a new connection."""

    def __init__(self, load: Load, name: str, user: str) -> None:
        self.load, self.name, self.user = load, name, user
        self.connection: Any = None
        self.done = 0
        self.errors: Counter[str] = Counter()

    @property
    def server(self) -> Server:
        """The server that this client speaks to."""
        return self.load.server_of(self)

    def run(self) -> None:
        """Until the load is stopped, and what was begun is done."""
        try:
            while not self.load.stopping.is_set():
                self.step()
                self.done += 1
        except Exception as error:  # noqa: BLE001  # handed to the test, which fails with it
            self.load.failures.append(error)
        finally:
            self.drop()

    def step(self) -> None:
        """One operation, repeated until it is acknowledged."""
        raise NotImplementedError

    def persist(self, attempt: Callable[[], bool]) -> None:
        """Try until `attempt` is acknowledged; a minute without success is a failure."""
        end = time.monotonic() + 60
        while True:
            try:
                if attempt():
                    return
            except LOST as error:
                self.errors[type(error).__name__] += 1
                self.load.remember(self, error)
                self.drop()
            if time.monotonic() > end:
                raise AssertionError(f"{self.name}: a minute without success")
            time.sleep(0.02)

    def drop(self) -> None:
        """Give the connection up."""
        if self.connection is not None:
            with contextlib.suppress(*LOST):
                (getattr(self.connection, "shutdown", None) or self.connection.close)()
        self.connection = None


class Deliverer(Client):
    """Delivers by LMTP, one message after the other."""

    def step(self) -> None:
        name = self.load.new_name(self.name)
        data = messages.make(name, self.load.size(), self.user)
        self.persist(lambda: self.deliver(data))
        self.load.acknowledged(self.user, name, data)

    def deliver(self, data: bytes) -> bool:
        """One attempt."""
        if self.connection is None:
            self.connection = self.server.lmtp(timeout=15)
        return self.connection.sendmail("sender@example.net", [self.user], data) == {}


class Appender(Client):
    """Appends by IMAP; on a lost connection it looks first whether its message has arrived."""

    def step(self) -> None:
        name = self.load.new_name(self.name)
        data = messages.make(name, self.load.size(), self.user)
        self.persist(lambda: self.append(name, data))
        self.load.acknowledged(self.user, name, data)

    def append(self, name: str, data: bytes) -> bool:
        """One attempt."""
        fresh = self.connection is None
        if fresh:
            self.connection = self.server.imap(self.user, timeout=15)
            self.connection.create(FOLDER)
            if self.connection.select(FOLDER)[0] != "OK":
                return False
            found = self.connection.search(None, "HEADER", "Message-ID", f"{name}@load.example")
            if found[0] != "OK":
                return False
            if found[1][0]:
                return True
        kind, _ = self.connection.append(FOLDER, r"(\Seen)", None, data)
        return bool(kind == "OK")


class Reader(Client):
    """Reads messages by IMAP at random and checks them."""

    def step(self) -> None:
        self.persist(self.read)

    def read(self) -> bool:
        """One attempt: INBOX, a few messages."""
        if self.connection is None:
            self.connection = self.server.imap(self.user, timeout=15)
        kind, data = self.connection.select("INBOX")
        if kind != "OK":
            return False
        count = int(data[0])
        for number in random.sample(range(1, count + 1), min(count, 3)):
            kind, data = self.connection.fetch(str(number), "(FLAGS BODY.PEEK[])")
            if kind != "OK" or not isinstance(data[0], tuple):
                return False
            if not messages.proves_itself(data[0][1]):
                raise AssertionError(f"{self.user}: a foreign or torn message:\n{data[0][1][:500]!r}")
        kind, _ = self.connection.store(str(max(count, 1)), "+FLAGS", r"(\Answered)") if count else ("OK", [])
        return bool(kind == "OK")


class Popper(Client):
    """Reads messages by POP3."""

    def step(self) -> None:
        self.persist(self.read)

    def read(self) -> bool:
        """One attempt: a whole session."""
        self.connection = self.server.pop3(self.user, timeout=15)
        count, _ = self.connection.stat()
        if count:
            number = random.randint(max(1, count - 20), count)
            data = b"\r\n".join(self.connection.retr(number)[1]) + b"\r\n"
            if not messages.proves_itself(data):
                raise AssertionError(f"{self.user}: a foreign or torn message:\n{data[:500]!r}")
        self.connection.quit()
        self.connection = None
        return True


class Load:
    """Eight connections: three deliver, two append, two read by IMAP and one by POP3."""

    def __init__(self, server: Server, users: list[str]) -> None:
        self.server = server
        self.stopping = threading.Event()
        self.failures: list[Exception] = []
        self.accounts: dict[tuple[str, str], dict[str, str]] = {}
        self.remembered: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        a, b, c = users[:3]
        self.clients: list[Client] = [
            Deliverer(self, "d1", a), Deliverer(self, "d2", b), Deliverer(self, "d3", c),
            Appender(self, "a1", a), Appender(self, "a2", b),
            Reader(self, "r1", a), Reader(self, "r2", c), Popper(self, "p1", b),
        ]  # fmt: skip
        self._threads: list[threading.Thread] = []

    def server_of(self, client: Client) -> Server:
        """Which server a client speaks to (one, unless a test says otherwise)."""
        return self.server

    def new_name(self, client: str) -> str:
        """A name that no other message has."""
        return f"{client}-{next(self._numbers)}"

    def size(self) -> int:
        """Sizes as mail has them: most small, a few large enough for the content files."""
        return random.choice((500, 1200, 2500, 5000, 9000, 40_000, 200_000) if random.random() < 0.2 else (900, 2500))

    def acknowledged(self, user: str, name: str, data: bytes) -> None:
        """The server has said that it has this message."""
        folder = FOLDER if name.startswith("a") else "INBOX"
        with self._lock:
            self.accounts.setdefault((user, folder), {})[name] = messages.digest(data)

    def remember(self, client: Client, error: BaseException) -> None:
        """Why connections ended, for the report of the test."""
        with self._lock:
            self.remembered[f"{type(client).__name__}: {str(error)[:100]}"] += 1

    def start(self) -> Load:
        """Begin."""
        self._threads = [threading.Thread(target=client.run, name=client.name) for client in self.clients]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """End: every client finishes the message that it is at. Fails with the first failure of any."""
        self.stopping.set()
        for thread in self._threads:
            thread.join(75)
        assert not any(thread.is_alive() for thread in self._threads), "a client hangs"
        if self.failures:
            raise self.failures[0]

    def total(self) -> int:
        """Messages acknowledged so far."""
        return sum(len(account) for account in self.accounts.values())

    def check(self, server: Server | None = None) -> None:
        """Every acknowledged message is there exactly once, byte for byte; nothing else is there twice."""
        for (user, folder), account in self.accounts.items():
            found = read_folder(server or self.server, user, folder)
            doubled = {name: len(copies) for name, copies in found.items() if len(copies) > 1}
            lost = account.keys() - found.keys()
            assert not lost, f"{user} {folder}: {len(lost)} acknowledged messages lost: {sorted(lost)[:10]}"
            assert not doubled, f"{user} {folder}: messages more than once: {dict(list(doubled.items())[:10])}"
            for name, expected in account.items():
                assert found[name][0] == expected, f"{user} {folder}: {name} has other bytes"


def read_folder(server: Server, user: str, folder: str) -> dict[str, list[str]]:
    """Name -> hashes (without trace fields) of all copies in a folder."""
    found: dict[str, list[str]] = {}
    with server.imap(user, timeout=60) as client:
        kind, data = client.select(folder, readonly=True)
        assert kind == "OK", data
        for first in range(1, int(data[0]) + 1, 200):
            _, parts = client.fetch(f"{first}:{min(first + 199, int(data[0]))}", "(BODY.PEEK[])")
            for part in parts:
                if isinstance(part, tuple):
                    stored = part[1]
                    added = messages.TRACE.match(stored)
                    plain = stored[added.end() :] if added else stored
                    found.setdefault(messages.name_of(stored), []).append(messages.digest(plain))
    return found
