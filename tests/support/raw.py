"""Raw connections to a server's ports, logged in, and a way to fill them."""

from __future__ import annotations

import socket
from contextlib import suppress

from tests.support.server import Server
from tests.support.wire import Wire


def imap(server: Server, user: str = "", **options: object) -> Wire:
    """A raw IMAP connection, logged in when a user is given."""
    wire = Wire(server.address("imap"), **options)  # type: ignore[arg-type]
    assert wire.greeting.startswith(b"* OK"), wire.greeting
    if user:
        wire.login(user, server.password(user))
    return wire


def lmtp(server: Server) -> Wire:
    """A raw LMTP connection, greeted."""
    wire = Wire(server.address("lmtp"))
    assert wire.greeting.startswith(b"220 ")
    assert wire.smtp(b"LHLO client.example.net")[0] == 250
    return wire


def pop3(server: Server, user: str = "") -> Wire:
    """A raw POP3 connection, logged in when a user is given."""
    wire = Wire(server.address("pop3"))
    assert wire.greeting.startswith(b"+OK")
    if user:
        assert wire.pop(f"USER {user}".encode()).startswith(b"+OK")
        assert wire.pop(f"PASS {server.password(user)}".encode()).startswith(b"+OK")
    return wire


def flood(wire: Wire, piece: bytes, total: int) -> bytes:
    """Send `piece` again and again up to `total` bytes or until the server closes; everything it said."""
    sent = 0
    wire.sock.settimeout(20)
    while sent < total and wire.try_send(piece):
        sent += len(piece)
    wire.try_send(b"\r\n")
    with suppress(OSError):
        wire.sock.shutdown(socket.SHUT_WR)
    return wire.rest()
