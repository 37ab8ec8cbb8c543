"""The HTTP worker with the probe's routes on a site with a directory, and raw clients."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from gromoxd.directory import schema
from gromoxd.directory.admin import Admin
from gromoxd.directory.database import make_engine
from gromoxd.directory.model import DEFAULT_PRIVILEGES, Privilege
from gromoxd.directory.settings import DatabaseSettings
from tests.master.harness import Master, master

PROBE = ("--pools", "tests.http.probe", "--only", "http")
SETTINGS = {
    "http_listen": "127.0.0.1:0", "http_listen_tls": "127.0.0.1:0", "http_workers": "1", "auth_fail_delay": "0.05s",
    "auth_fail_delay_max": "0.05s", "auth_times": "1000",
}  # fmt: skip
ALICE, PASSWORD = "alice@example.test", "Grüße 7"
UNTRUSTED = {"http_trusted_proxies": "192.0.2.0/24"}


@contextlib.contextmanager
def probe(**settings: str) -> Iterator[Master]:
    """A running server with alice, bob and nodav, and their NT hashes."""
    with master(**{**SETTINGS, **settings}) as m:
        (m.site / "data").mkdir()
        engine = make_engine(DatabaseSettings(), str(m.site))
        schema.create(engine)
        admin = Admin(engine, str(m.site / "data"), store_nt_hash=True)
        admin.add_domain("example.test")
        admin.add_user(ALICE, password=PASSWORD)
        admin.add_altname("ali", ALICE)
        admin.add_user("bob@example.test", password="in ascii 7")
        bits = (DEFAULT_PRIVILEGES | Privilege.DETAIL1) & ~Privilege.DAV
        admin.add_user("nodav@example.test", password=PASSWORD, privilege_bits=bits)
        engine.dispose()
        m.start(*PROBE)
        yield m


def basic(name: str = ALICE, password: str = PASSWORD, charset: str = "utf-8") -> str:
    """The value of an Authorization field."""
    return "Basic " + b64encode(f"{name}:{password}".encode(charset)).decode()


class Wire:
    """One connection, spoken by hand."""

    def __init__(self, place: Any, tls: Any = None) -> None:
        if isinstance(place, tuple):
            self.sock: Any = socket.create_connection(place, timeout=20)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(20)
            self.sock.connect(str(place))
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock)
        self.data = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *error: Any) -> None:
        self.sock.close()

    def send(self, data: bytes) -> Wire:
        self.sock.sendall(data)
        return self

    def until(self, mark: bytes) -> bytes:
        """Octets up to and with `mark`."""
        while mark not in self.data:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError(self.data)
            self.data += more
        found, _, self.data = self.data.partition(mark)
        return found + mark

    def octets(self, count: int) -> bytes:
        while len(self.data) < count:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError(self.data)
            self.data += more
        found, self.data = self.data[:count], self.data[count:]
        return found

    def rest(self) -> bytes:
        """Everything until the server closes."""
        with contextlib.suppress(ConnectionResetError):
            while more := self.sock.recv(65536):
                self.data += more
        return self.data

    def reply(self, *, head_only: bool = False) -> Answer:
        """The next reply."""
        head = self.until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        fields = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
        answer = Answer(int(first.split()[1]), fields, b"")
        if head_only or answer.status in (100, 204, 304):
            return answer
        if answer.field("transfer-encoding") == "chunked":
            while size := int(self.until(b"\r\n"), 16):
                answer.chunks.append(self.octets(size))
                assert self.octets(2) == b"\r\n"
            assert self.octets(2) == b"\r\n"
            answer.body = b"".join(answer.chunks)
        else:
            answer.body = self.octets(int(answer.field("content-length")))
        return answer

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **fields: str) -> Answer:
        """One request and its reply."""
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        size = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
        self.send(f"{method} {path} HTTP/1.1\r\nHost: mail.example.test\r\n{lines}{size}\r\n".encode("latin-1") + body)
        return self.reply(head_only=method == "HEAD")


class Answer:
    """A reply as it came; `fields` with names in lower case."""

    def __init__(self, status: int, fields: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.fields, self.body = status, fields, body
        self.chunks: list[bytes] = []

    def field(self, name: str) -> str:
        return next((value for known, value in self.fields if known == name), "")

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.fields if known == name]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def wire(m: Master, service: str = "http", tls: Any = None) -> Wire:
    """A connection to a server."""
    return Wire(m.address(service), tls)


def codes(answer: bytes) -> list[bytes]:
    """The status codes of the answers in a stream."""
    return re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)
