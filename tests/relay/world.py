"""A relay in this process over mailboxes opened here, with a clock that the test moves and a mail server of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import gevent
from gevent import socket

from gromoxd.directory.model import Booking, Domain, Recipient, User, Verdict
from gromoxd.exmdb.api import MailboxRef
from store.direct import DirectStore
from workers.relay.disk import Disk
from workers.relay.engine import Engine
from workers.relay.local import Local
from workers.relay.remote import Remote
from workers.relay.settings import RelaySettings
from workers.relay.spool import NewMail

HOST = "mx.example.test"


class Board:
    """A SlotBoard that is a dict."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    def add(self, name: str, amount: int = 1) -> None:
        self.values[name] = self.values.get(name, 0) + amount

    def set(self, name: str, value: int) -> None:
        self.values[name] = value

    def get(self, name: str) -> int:
        return self.values.get(name, 0)

    def observe_ms(self, name: str, value_ms: float) -> None:
        """Not looked at."""


class People:
    """alice, bob, boss of example.test; 'team@' is alice, bob and two elsewhere; 'full@' is over its quota."""

    def __init__(self) -> None:
        self.users = {
            f"{name}@example.test": User(n, f"{name}@example.test", 1, f"{name}@example.test")
            for n, name in enumerate(("alice", "bob", "boss"), 1)
        }
        self.nicknames = {"alias@example.test": "alice@example.test"}

    def find_or_none(self, name: str) -> User | None:
        return self.users.get(self.nicknames.get(name.lower(), name.lower()))

    def owner_of(self, maildir: str) -> User | None:
        return self.users.get(maildir)

    def mailbox(self, user: User) -> MailboxRef:
        return MailboxRef(user.maildir)

    def booking(self, user: User) -> Booking:
        return Booking(user.username)

    def aliases(self, user: User) -> list[str]:
        return []

    def domain(self, name: str) -> Domain | None:
        return Domain(1, 0, name, "", 0, "", "", 0) if name == "example.test" else None

    def recipient(self, address: str, sender: str = "") -> Recipient:
        if address == "team@example.test":
            users = [self.users["alice@example.test"], self.users["bob@example.test"]]
            outside = ["x@elsewhere.test", "y@elsewhere.test"]
            return Recipient(address, Verdict.OK, users, outside, list_name=address)
        user = self.find_or_none(address)
        return Recipient(address, Verdict.OK, [user]) if user else Recipient(address, Verdict.UNKNOWN)


class Server:
    """A mail server that does as it is told. `answers`: (command word, its number) -> reply, instead of the usual.

    A reply of b"" closes the connection; None never answers. `mails`: (sender, recipients, octets, MAIL parameters).
    """

    def __init__(self, extensions: Iterable[str] = ("PIPELINING", "8BITMIME", "SIZE 1000000", "SMTPUTF8")) -> None:
        self.extensions = list(extensions)
        self.mails: list[tuple[str, list[str], bytes, str]] = []
        self.commands: list[str] = []
        self.answers: dict[str, list[bytes | None]] = {}
        self.always: dict[str, bytes | None] = {}
        self.context: Any = None
        self.implicit = False
        self.connections = 0
        self._sock = socket.socket()
        self._sock.bind(("127.0.0.1", 0))
        self._sock.listen(64)
        self.port = self._sock.getsockname()[1]
        self._clients: list[Any] = []
        self._serving = [gevent.spawn(self._accept)]

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._serving[0].kill()
        gevent.joinall(self._serving, timeout=0.3)
        gevent.killall(self._serving)
        for one in (self._sock, *self._clients):
            one.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._sock.accept()
            self.connections += 1
            self._clients.append(client)
            self._serving.append(gevent.spawn(partial(self._talk, client)))

    def _talk(self, client: Any) -> None:
        try:
            if self.implicit:
                client = self.context.wrap_socket(client, server_side=True)
            with client:
                self._session(client)
        except OSError:
            pass  # the client went
        finally:
            client.close()

    def _reply(self, client: Any, command: str, usual: bytes) -> bool:
        """Whether it was the usual one."""
        planned = self.answers.get(command)
        given = planned.pop(0) if planned else self.always.get(command, usual)
        if given is None:
            gevent.sleep(60)
        if not given:
            raise OSError("as planned")
        client.sendall(given)
        return given == usual

    def _session(self, client: Any) -> None:
        self._reply(client, "CONNECT", b"220 hello\r\n")
        with client.makefile("rb") as file:
            self._dialogue(client, file)

    def _dialogue(self, client: Any, file: Any) -> None:
        sender, parameters = "", ""
        recipients: list[str] = []
        while line := file.readline():
            text = line.decode().rstrip()
            self.commands.append(text)
            word = text.split(" ")[0].upper()
            address = text.partition("<")[2].partition(">")[0]
            if word == "EHLO":
                extensions = [*self.extensions, *(["STARTTLS"] if self.context and not self.implicit else [])]
                lines = ["me", *extensions]
                out = "".join(f"250{'-' if n < len(lines) - 1 else ' '}{one}\r\n" for n, one in enumerate(lines))
                self._reply(client, word, out.encode())
            elif word == "STARTTLS":
                client.sendall(b"220 go\r\n")
                file.close()
                client = self.context.wrap_socket(client, server_side=True)
                with client, client.makefile("rb") as file:
                    return self._dialogue(client, file)
            elif word == "MAIL":
                self._reply(client, word, b"250 2.1.0 ok\r\n")
                sender, recipients, parameters = address, [], text.partition("> ")[2]
            elif word == "RCPT":
                if self._reply(client, f"RCPT {address}" if f"RCPT {address}" in self.always else word,
                               b"250 2.1.5 ok\r\n"):  # fmt: skip
                    recipients.append(address)
            elif word == "DATA":
                if not self._reply(client, word, b"354 go on\r\n"):
                    continue
                octets = b""
                while (piece := file.readline()) != b".\r\n":
                    if not piece:
                        return
                    octets += piece[1:] if piece.startswith(b".") else piece
                if self._reply(client, "END", b"250 2.0.0 taken\r\n"):
                    self.mails.append((sender, recipients, octets, parameters))
            elif word == "AUTH":
                self._reply(client, word, b"235 2.7.0 ok\r\n")
            elif word == "QUIT":
                client.sendall(b"221 bye\r\n")
                return
            else:
                self._reply(client, word, b"250 2.0.0 ok\r\n")


class Relay:
    """The engine with everything around it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.now = 1_800_000_000.0
        self.server = Server()
        self.given = {"outgoing_smtp_url": self.server.url, "relay_timeout": 5.0, **settings}
        self.people = People()
        self.store = DirectStore(str(folder / "mailboxes"))
        self.board = Board()
        self.confirmed: list[tuple[MailboxRef, bytes]] = []
        self.start()

    @property
    def settings(self) -> RelaySettings:
        return RelaySettings(**self.given)

    def start(self) -> None:
        self.disk = Disk(str(self.folder / "spool"))
        self.local = Local(self.people, self.store, self.board, lambda work, *args: work(*args))
        self.remote = Remote(lambda: self.settings, HOST)
        self.engine = Engine(
            self.disk, lambda: self.settings, self.local, self.remote, self.board, HOST,
            confirm=lambda mailbox, request: self.confirmed.append((mailbox, request)), clock=lambda: self.now,
        )  # fmt: skip
        self.running = gevent.spawn(self.engine.run)

    def stop(self) -> None:
        self.engine.stop()
        self.running.get(timeout=30)
        self.remote.close()
        self.disk.close()

    def close(self) -> None:
        self.stop()
        self.server.close()
        self.store.close()

    def add(self, *recipients: str, raw: bytes = b"Subject: s\r\n\r\ntext\r\n", sender: str = "alice@example.test",
            token: bytes = b"", **more: Any) -> int:  # fmt: skip
        new = NewMail(token or os.urandom(16), "", sender, recipients, raw, **more)
        id_: int = self.disk.do(lambda spool: spool.add(new, self.now))
        if id_:
            self.engine.add(id_)
        return id_

    def until(self, condition: Callable[[], Any], seconds: float = 10.0) -> Any:
        """What the condition says once it is true."""
        with gevent.Timeout(seconds):
            while not (found := condition()):
                gevent.sleep(0.005)
        return found

    def recipients(self, id_: int) -> list[Any]:
        """Those of a mail, [] when it is gone."""
        mail = self.disk.do(lambda spool: spool.load(id_))
        return mail.recipients if mail else []

    def tried(self, id_: int, times: int = 1) -> Any:
        """The first recipient, once it was tried so often."""
        return self.until(lambda: (some := self.recipients(id_)) and some[0].tries >= times and some[0])

    def gone(self, id_: int) -> None:
        self.until(lambda: not self.recipients(id_))

    def later(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds
        self.engine._awake.set()
