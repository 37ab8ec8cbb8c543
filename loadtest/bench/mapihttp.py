"""What requests cost: RopLogon, OpenFolder and Release, PING, AutoDiscover; raw sockets with Basic and keep-alive.

    python loadtest/bench/mapihttp.py [--seconds 4] [--connections 1 4 8] [--json]

Starts a server of its own on a site in a temporary folder (one HTTP worker). `cpu` columns are milliseconds of CPU a
request of the HTTP worker and of the store workers; `per core` is what a core would do if the HTTP worker had it to
itself. Loopback only.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import socket
import sqlite3
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gromoxd.directory import dn
from tests.support.server import Server

USER = "alice@example.test"
FIELDS = (
    b"X-RequestId: {1}:1\r\nX-ClientInfo: {2}:1\r\nX-ClientApplication: Outlook/16.0.16130.20218\r\n"
    b"Content-Type: application/mapi-http\r\n"
)
_SCHEMAS = b"http://schemas.microsoft.com/exchange/autodiscover/outlook/"
DISCOVER = (
    b'<Autodiscover xmlns="%brequestschema/2006"><Request><EMailAddress>%b</EMailAddress><AcceptableResponseSchema>'
    b"%bresponseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"
) % (_SCHEMAS, USER.encode(), _SCHEMAS)
NO_HANDLE = struct.pack("<I", 0xFFFFFFFF)


class Client:
    """One connection with at most one session context. Written from the documents, without the server's codecs."""

    def __init__(self, server: Server, user: str = USER) -> None:
        host, port = server.address("http")
        self.sock = socket.create_connection((host, port), timeout=30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        token = base64.b64encode(f"{user}:{server.password(user)}".encode()).decode()
        self.fixed = f" HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Basic {token}\r\n".encode()
        self.cookies: dict[bytes, bytes] = {}
        self.buffer = b""

    def send(self, kind: bytes, body: bytes) -> None:
        """Send a request."""
        cookies = b"; ".join(b"%b=%b" % pair for pair in self.cookies.items())
        fields = b"X-RequestType: %b\r\n%bContent-Length: %d\r\n\r\n" % (
            kind, b"Cookie: %b\r\n" % cookies if cookies else b"", len(body)
        )  # fmt: skip
        self.sock.sendall(b"POST /mapi/emsmdb/?MailboxId=a@example.test" + self.fixed + FIELDS + fields + body)

    def _line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def _take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError
            self.buffer += more
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def head(self) -> dict[bytes, bytes]:
        """Read a response's head."""
        status = self._line()
        if b" 200 " not in status:
            raise AssertionError(status)
        fields: dict[bytes, bytes] = {}
        while line := self._line():
            name, _, value = line.partition(b": ")
            if name == b"Set-Cookie":
                name, _, value = value.partition(b";")[0].partition(b"=")
                self.cookies[name] = value
            else:
                fields[name] = value
        return fields

    def chunk(self) -> bytes:
        """Read a chunk of a response; b'' after the last."""
        size = int(self._line(), 16)
        data = self._take(size)
        self._take(2)
        return data

    def post(self, kind: bytes, body: bytes) -> bytes:
        """The response's body without its text part."""
        self.send(kind, body)
        fields = self.head()
        if fields[b"X-ResponseCode"] != b"0":
            raise AssertionError(fields)
        parts = b""
        while piece := self.chunk():
            parts += piece
        return parts.partition(b"\r\n\r\n")[2]

    def connect(self, user_dn: str) -> None:
        """Connect."""
        answer = self.post(b"Connect", user_dn.encode() + b"\0" + struct.pack("<5I", 0, 1252, 0x409, 0x409, 0))
        if answer[:8] != bytes(8):
            raise AssertionError(answer[:8].hex())

    def execute(self, rops: bytes, handles: bytes) -> bytes:
        """The response's rgbOut."""
        payload = struct.pack("<H", len(rops) + 2) + rops + handles
        rgb_in = struct.pack("<4H", 0, 4, len(payload), len(payload)) + payload
        answer = self.post(b"Execute", struct.pack("<II", 3, len(rgb_in)) + rgb_in + struct.pack("<II", 32775, 0))
        if answer[:8] != bytes(8):
            raise AssertionError(answer[:8].hex())
        return answer[16:-4]

    def discover(self) -> None:
        """Ask AutoDiscover (POX) for the user's own mailbox."""
        fields = b"Content-Type: text/xml\r\nX-MapiHttpCapability: 1\r\nContent-Length: %d\r\n\r\n" % len(DISCOVER)
        self.sock.sendall(b"POST /autodiscover/autodiscover.xml" + self.fixed + fields + DISCOVER)
        answer = self._take(int(self.head()[b"Content-Length"]))
        if b"mapiHttp" not in answer:
            raise AssertionError(answer)


def own_dn(server: Server, user: str = USER) -> str:
    """The DN of a user of the test site."""
    for path in server.site.rglob("*.sqlite3"):
        with contextlib.closing(sqlite3.connect(path)) as database:
            tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
            if "users" in tables:
                row = database.execute("SELECT id, domain_id FROM users WHERE username=?", (user,)).fetchone()
                return dn.recipient_dn("Gromox default", row[1], row[0], user)
    raise AssertionError("no directory")


def logon_rop(user_dn: str) -> bytes:
    """RopLogon to the private mailbox ([MS-OXCROPS] 2.2.3.1)."""
    return bytes((0xFE, 0, 0, 1)) + struct.pack("<IIH", 0x01000004, 0, len(user_dn) + 1) + user_dn.encode() + b"\0"


def prepare(client: Client, name: str, user_dn: str) -> Any:
    """What one round of a measurement does."""
    if name == "ping":
        return lambda: client.post(b"PING", b"")
    if name == "autodiscover":
        return client.discover
    client.connect(user_dn)
    logon = logon_rop(user_dn)
    if name == "logon":
        return lambda: client.execute(logon, NO_HANDLE)
    answer = client.execute(logon, NO_HANDLE)
    if answer[10:16] != bytes((0xFE, 0, 0, 0, 0, 0)):
        raise AssertionError("RopLogon")
    handle, inbox = answer[-4:], answer[8 + 2 + 7 + 4 * 8 :][:8]
    rops = bytes((0x02, 0, 0, 1)) + inbox + b"\0" + bytes((0x01, 0, 1))
    if client.execute(rops, handle + NO_HANDLE)[10:16] != bytes((2, 1, 0, 0, 0, 0)):
        raise AssertionError("RopOpenFolder")
    return lambda: client.execute(rops, handle + NO_HANDLE)


def measure(server: Server, name: str, connections: int, seconds: float, user_dn: str) -> dict[str, Any]:
    """One row."""
    workers = {kind: server.children(kind) for kind in ("http", "store")}
    rounds = [prepare(Client(server), name, user_dn) for _ in range(connections)]
    for one in rounds:
        one()

    def cpu(kind: str) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in workers[kind])

    counts, stop = [0] * connections, threading.Event()

    def run(number: int) -> None:
        one = rounds[number]
        while not stop.is_set():
            one()
            counts[number] += 1

    before, begun = {kind: cpu(kind) for kind in workers}, time.monotonic()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    took, done = time.monotonic() - begun, sum(counts)
    used = {kind: (cpu(kind) - before[kind]) * 1000 / done for kind in workers}
    return {
        "what": name, "connections": connections, "rate": round(done / took), "http_cpu_ms": round(used["http"], 3),
        "store_cpu_ms": round(used["store"], 3), "per_core": round(1000 / used["http"]),
    }  # fmt: skip


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--only", nargs="*", default=["ping", "logon", "folder", "autodiscover"])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "site", options={"http_workers": "1"}).start()
        try:
            user_dn = own_dn(server)
            rows = [
                measure(server, name, connections, options.seconds, user_dn)
                for name in options.only
                for connections in options.connections
            ]
        finally:
            server.stop(check=False)
    if options.json:
        print(json.dumps(rows))
        return
    print("| request | connections | per second | HTTP CPU ms | store CPU ms | per core of the HTTP worker |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")


if __name__ == "__main__":
    main()
