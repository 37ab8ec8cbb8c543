"""A pool whose protocol shows what the front does: routes that tell of their request, channels that talk in lines."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from gromoxd.context import WorkerContext
from gromoxd.directory.model import Privilege
from gromoxd.master.pools import POOLS as REAL
from workers.http import app, connection, rpch, server
from workers.http.channels import Channel, pass_channel
from workers.http.front import Refused, Reply, Route
from workers.http.site import Site

POOLS = tuple(
    dataclasses.replace(pool, entry="tests.http.probe:main") if pool.name == "http" else pool for pool in REAL
)
LIMIT = 1 << 20


def main(ctx: WorkerContext) -> None:
    """The real worker with this module as its protocols."""
    app.PROTOCOLS = ("tests.http.probe",)
    rpch.channel = channel
    connection.LINGER_SECONDS = 0.5
    server.main(ctx)


def routes(site: Site) -> list[Route]:
    """All kinds."""
    shown: list[str] = []

    def who(request: Any) -> Reply:
        found = {
            "user": request.user.username, "login": request.login, "password": request.password,
            "slot": site.ctx.slot.number, "body": len(request.body()), "peer": request.peer, "host": request.host,
            "secure": request.secure,
        }  # fmt: skip
        return Reply(200, [("Content-Type", "application/json")], json.dumps(found).encode())

    def show(request: Any) -> Reply:
        found = {
            "method": request.method, "path": request.path, "raw_path": request.raw_path, "query": request.query,
            "peer": request.peer, "host": request.host, "secure": request.secure, "cookie": request.cookie("sid"),
            "x": request.header("X-Thing"), "body": request.body().decode("latin-1"), "relay": None,
        }  # fmt: skip
        return Reply(200, [("X-Count", "1")], json.dumps(found).encode())

    def stream(request: Any) -> Reply:
        total = sum(len(piece) for piece in request.pieces())
        return Reply(200, [], b"%d" % total)

    def pieces(request: Any) -> Reply:
        def come() -> Iterator[bytes]:
            try:
                yield b"PROCESSING\r\n"
                for _ in range(int(request.query.get("n", "2"))):
                    time.sleep(float(request.query.get("wait", "0")))
                    yield b"PENDING\r\n"
                yield b"DONE\r\n\r\n"
            finally:
                shown.append("closed")

        return Reply(200, [("Content-Type", "application/mapi-http")], come())

    def session(request: Any) -> Reply:
        if request.query.get("mode") == "die" and site.ctx.slot.number == 1:
            os.kill(os.getpid(), 9)
        if request.query.get("mode") == "pieces":
            return pieces(request)
        if request.query.get("mode") == "list":
            return Reply(200, [], [b"one ", b"two"])
        return who(request)

    def fail(request: Any) -> Reply:
        raise {"bug": KeyError("secret"), "os": FileNotFoundError("x"), "no": Refused(402, "pay")}[request.query["how"]]

    return [
        Route("/who", who, ("GET", "POST")), Route("/show", show, ("GET", "HEAD", "POST"), False, LIMIT),
        Route("/tree/", show, authenticated=False), Route("/tree/deep/", stream, ("PUT",), False),
        Route("/stream", stream, ("POST",), False, LIMIT), Route("/pieces", pieces, ("GET", "HEAD"), False),
        Route("/closed", lambda request: Reply(200, [], json.dumps(shown).encode()), authenticated=False),
        Route("/sized", lambda request: Reply(200, [("Content-Length", "6")], iter([b"abc", b"def"])), ("GET",), False),
        Route("/session", session, ("GET", "POST"), True, 8 << 20, 0, "sid"), Route("/fail", fail, ("GET",), False),
        Route("/dav", who, privilege=Privilege.DAV),
        Route("/split", lambda request: Reply(200, [("X-A", "b\r\nX-C: d")]), authenticated=False),
    ]  # fmt: skip


def channel(channel: Channel) -> None:
    """Lines: `pass N text` gives the channel to worker N, `head` sends an answer's; others are said back with more."""
    data = channel.first
    channel.sock.settimeout(20)
    while True:
        while b"\n" not in data:
            more = channel.sock.recv(4096)
            if not more:
                return
            data += more
        line, _, data = data.partition(b"\n")
        words = line.decode().split(" ", 2)
        if words[0] == "pass" and not pass_channel(channel, int(words[1]), words[2].encode() + b"\n" + data):
            channel.sock.sendall(b"not passed\n")
            continue
        if words[0] == "pass":
            return
        if words[0] == "head":
            channel.sock.sendall(b"HTTP/1.1 200 Success\r\nContent-Length: 1073741824\r\n\r\n")
            continue
        about = channel.about
        said = (
            channel.site.ctx.slot.number,
            about.user.username,
            about.method,
            channel.header("x-thing"),
            line.decode(),
        )
        channel.sock.sendall(" ".join(map(str, said)).encode() + b"\n")
