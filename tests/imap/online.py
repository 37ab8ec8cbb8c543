"""The IMAP server on a real socket in this process, with the memory store behind it, and a plain client for it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import gevent

from tests.common.running import Running
from tests.imap.grammar import check
from tests.imap.harness import World, _expect, _octets
from workers.imap.server import Breath, Task, handle


def online(
    start: Callable[..., Running], tls: bool = False, settings: dict[str, Any] | None = None, **more: Any
) -> Any:
    """(world, running server)."""
    world = World(**(settings or {}))
    world.services.spawn = Task
    world.services.breathe = Breath()
    world.services.sleep = lambda seconds: gevent.sleep(0)
    running = start(functools.partial(handle, world.services), tls=tls, **more)
    world.services.board = running.board
    return world, running


class Wire:
    """A client's socket."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.buffer = b""

    def __del__(self) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self) -> bytes:
        """The next answer, literals included; b'' at the end of the connection."""
        at = 0
        while True:
            end = self.buffer.find(b"\r\n", at)
            if end >= 0:
                found = re.search(rb"\{(\d+)\}\Z", self.buffer[at:end])
                if not found:
                    line, self.buffer = self.buffer[:end], self.buffer[end + 2 :]
                    check(line + b"\r\n")
                    return line
                size = end + 2 + int(found[1])
                if len(self.buffer) >= size:
                    at = size
                    continue
            data = self.sock.recv(65536)
            if not data:
                assert not self.buffer
                return b""
            self.buffer += data

    def until(self, tag: bytes) -> list[bytes]:
        """Answers up to and with the tagged one."""
        lines = [self.line()]
        while lines[-1] and not lines[-1].startswith(tag + b" "):
            lines.append(self.line())
        return lines


def play_online(running: Running, script: str) -> None:
    """A transcript over sockets; see `harness.play`."""
    wires: dict[str, Wire] = {}
    for number, line in enumerate(script.strip().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("--"):
            continue
        name, kind, text = line[0], line[1], line[3:]
        if name not in wires:
            wires[name] = Wire(running.connect())
        wire, where = wires[name], f"line {number}: {line}"
        if kind == ">":
            wire.send(_octets(text) + b"\r\n")
        elif kind == "<":
            _expect([wire.line()], text, where, line.startswith(f"{name}<~"))
        elif kind == "#":
            assert wire.line() == b"", where
    for name, wire in wires.items():
        assert wire.buffer == b"", name
        wire.sock.close()
