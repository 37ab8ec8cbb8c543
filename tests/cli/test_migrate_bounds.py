"""A server that says more than anybody asked for fills no memory."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from imapclient.exceptions import ProtocolError

from gromoxd.cli.migration import imapbounds
from gromoxd.cli.migration.imapsource import PIECE, Address, ImapSource, SourceFolder, told
from gromoxd.cli.migration.outcome import Stopped

INBOX = SourceFolder("INBOX", ("INBOX",), frozenset(), True)
GREETING = b"* OK [CAPABILITY IMAP4rev1] hello\r\n"


@contextmanager
def server(fetched: bytes, *, greeting: bytes = GREETING, forever: bool = False) -> Iterator[Any]:
    """A log-in on a server that answers FETCH with this; `forever`: again and again, and never with an end."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as lines, contextlib.suppress(OSError):
                answer(peer, lines)

    def answer(peer: socket.socket, lines: Any) -> None:
        peer.sendall(greeting)
        for line in lines:
            tag = line.split()[0]
            if b"FETCH" in line:
                peer.sendall(fetched)
                while forever:
                    peer.sendall(fetched)
            elif b"EXAMINE" in line:
                peer.sendall(b"* 2 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n")
            elif b"CAPABILITY" in line:
                peer.sendall(b"* CAPABILITY IMAP4rev1\r\n")
            peer.sendall(tag + b" OK done\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    made = ImapSource(Address("bob", "127.0.0.1", listener.getsockname()[1], False), "x", plaintext=True,
                      first_pause=0.001, largest=3 * PIECE)  # fmt: skip
    try:
        yield made
    finally:
        made._drop()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("fetched", "forever"),
    [
        (b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % (1 << 40), False),
        (b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % (40 << 20) + bytes(40 << 20) + b" FLAGS {30000000}\r\n", False),
        (b"* 1 EXISTS\r\n" * 10_000, True),
        (b"x" * 100_000, True),
    ],
)
def test_answers_have_an_end(fetched: bytes, forever: bool) -> None:
    with server(fetched, forever=forever) as source:
        source.select(INBOX)
        with pytest.raises(Stopped, match="the server s"):
            source.bodies([1])


def test_so_has_what_comes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imapbounds, "LINE", 1000)
    with server(b"", greeting=b"* OK " + b"x" * 5000) as source, pytest.raises(Stopped, match="more than any"):
        source.select(INBOX)


def test_an_answer_that_drips_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imapbounds, "SECONDS", -1.0)
    with server(b"", greeting=GREETING) as source, pytest.raises(Stopped, match="too long for an answer"):
        source.select(INBOX)


def test_a_message_without_end_is_given_up() -> None:
    piece = b"* 1 FETCH (UID 1 BODY[]<0> {%d}\r\n" % PIECE + bytes(PIECE) + b")\r\n"
    with server(piece) as source:
        source.select(INBOX)
        with pytest.raises(ProtocolError, match="longer than"):
            source.body_into(io.BytesIO(), 1)


def test_usual_answers_are_read() -> None:
    with server(b"* 1 FETCH (UID 1 BODY[] {3}\r\none FLAGS ())\r\n* 2 FETCH (UID 2 BODY[] NIL)\r\n") as source:
        source.select(INBOX)
        assert source.bodies([1, 2]) == {1: b"one"}


def test_what_a_server_says_in_the_wrong_place_is_not_repeated() -> None:
    with server(b"a secret of somebody's mail\r\n", forever=False) as source:
        source.select(INBOX)
        with pytest.raises(Stopped) as stopped:
            source.bodies([1])
    assert "secret" not in str(stopped.value)
    assert told(ValueError("unexpected response: b'a secret'")) == "unexpected response"
