"""Bad input to POP3, HTTP and to every port: rubbish, crowds, fuzz; and what content must survive."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress

import pytest

from tests.support import messages
from tests.support.raw import flood, imap, lmtp, pop3
from tests.support.server import Server
from tests.support.wire import Wire

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("others_are_unaffected")]

ALICE = "alice@example.test"


def test_pop3_bad_input(server: Server) -> None:
    """Over-long lines, NULs, wrong arguments, broken AUTH."""
    with pop3(server) as wire:
        answer = flood(wire, b"A" * 65536, 20 << 20)
        assert answer.startswith(b"-ERR") or answer == b"", answer[:100]
    with pop3(server, ALICE) as wire:
        for text in (
            b"RETR", b"RETR 0", b"RETR -1", b"RETR 99999999999999999999", b"RETR x", b"TOP 1", b"TOP 1 -1",
            b"DELE \xff", b"UIDL 4294967296", b"\0", b"STAT\0", b"", b"BOGUS", b"USER x", b"APOP a b",
        ):  # fmt: skip
            answer = wire.pop(text)
            assert answer.startswith(b"-ERR"), (text, answer)
            if not answer.endswith(b"\r\n"):
                return
        assert wire.pop(b"NOOP").startswith(b"+OK")
    with pop3(server) as wire:
        assert wire.pop(b"AUTH PLAIN").startswith(b"+")
        assert wire.pop(b"!!!").startswith(b"-ERR")
    with pop3(server) as wire:
        wire.send(b"STLS\r\nUSER alice@example.test\r\n")
        assert wire.line().startswith(b"+OK")
        with suppress(OSError):
            wire.starttls()
            assert wire.pop(b"PASS x").startswith(b"-ERR")


def test_http_bad_input(server: Server) -> None:
    """Rubbish is 4xx or a closed connection; health answers after it."""
    address = server.address("http")
    rubbish = [
        b"\0\1\2\3\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", b"GET / HTTP/1.1\r\nX: " + b"y" * (1 << 20),
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"EHLO x\r\n\r\n",
    ]  # fmt: skip
    for request in rubbish:
        with Wire(address, greet=False) as wire:
            wire.try_send(request)
            with suppress(OSError):
                wire.sock.shutdown(socket.SHUT_WR)
            answer = wire.rest()
            assert answer == b"" or answer.split()[1][:1] in (b"4", b"5"), (request[:50], answer[:100])
            assert b"Traceback" not in answer and b"root:" not in answer
    with Wire(address, greet=False) as wire:
        wire.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert wire.rest().split()[1] == b"200"


def test_a_thousand_idle_strangers(server: Server) -> None:
    """1,000 connections that never log in, while others work at their usual speed."""
    strangers: list[socket.socket] = []
    for service, count in (("imap", 400), ("pop3", 300), ("lmtp", 300)):
        for _ in range(count):
            strangers.append(socket.create_connection(server.address(service), 10))
    assert len(strangers) == 1000
    begun = time.monotonic()
    for i in range(5):
        data = messages.make(f"crowded-{i}")
        server.deliver(data, ALICE)
        with server.imap() as client:
            client.select("INBOX")
            assert client.search(None, "HEADER", "Message-ID", f"crowded-{i}@load.example")[1][0]
        server.pop3().quit()
    assert time.monotonic() - begun < 8
    for sock in strangers:
        sock.close()


@pytest.mark.parametrize("service", ["imap", "pop3", "lmtp", "http", "imaps", "pop3s", "https"])
def test_random_garbage(server: Server, service: str) -> None:
    """200 connections with random bytes, cut anywhere: the port still serves afterwards."""
    rng = random.Random(service)
    words = [
        b"a1 ", b"SELECT ", b"FETCH ", b"APPEND ", b"{10}\r\n", b"{3+}\r\n", b"(", b")", b'"', b"\\", b"\r\n",
        b"USER ", b"PASS ", b"RETR ", b"MAIL FROM:<", b"RCPT TO:<", b">", b"DATA\r\n", b".\r\n", b"BDAT 5 LAST\r\n",
        b"LHLO x\r\n", b"\0", b"GET / HTTP/1.1\r\n", b"Host: x\r\n", b"STARTTLS\r\n", b"\x16\x03\x01\x02\x00\x01",
        b"PROXY TCP4 1.2.3.4 ", b"AUTHENTICATE PLAIN ", b"NOOP\r\n", b"IDLE\r\n", b"DONE\r\n", b"* ", b"[", b"]<",
    ]  # fmt: skip
    for _ in range(200):
        pieces = [
            rng.choice(words) if rng.random() < 0.8 else rng.randbytes(rng.randrange(40))
            for _ in range(rng.randrange(30))
        ]
        with closing(socket.create_connection(server.address(service), 10)) as sock, suppress(OSError):
            sock.sendall(b"".join(pieces))
            if rng.random() < 0.3:
                sock.setblocking(False)
                sock.recv(4096)
    with server.imap() as client:
        assert client.noop()[0] == "OK"


def logged_in_fuzz(server: Server, connect: Callable[[], Wire], verbs: list[bytes], tagged: bool) -> None:
    """Random commands with random arguments in one session after another."""
    rng = random.Random(repr(verbs))
    scraps = [
        b"1",
        b"*",
        b"1:*",
        b"INBOX",
        b'""',
        b'"x"',
        b"(",
        b")",
        b"{3+}\r\nabc",
        b"\\Seen",
        b"BODY[",
        b"]",
        b"<0.5>",
        b"%",
        b"\xff",
    ]
    for _ in range(15):
        wire = connect()
        with wire:
            wire.sock.settimeout(5)
            for i in range(20):
                words = [rng.choice(verbs), *(rng.choice(scraps) for _ in range(rng.randrange(6)))]
                tag = [b"f%d" % i] if tagged else []
                if not wire.try_send(b" ".join([*tag, *words]) + b"\r\n"):
                    break
            with suppress(OSError):
                wire.sock.shutdown(socket.SHUT_WR)
                wire.rest()


def test_fuzz_behind_login(server: Server) -> None:
    """The same in the authenticated and selected states."""
    server.add_user("fuzz@example.test")

    def selected() -> Wire:
        wire = imap(server, "fuzz@example.test")
        wire.ok(b"SELECT INBOX")
        return wire

    verbs = (
        b"FETCH STORE SEARCH COPY MOVE EXPUNGE CLOSE SELECT LIST LSUB STATUS APPEND CREATE RENAME DELETE IDLE".split()
    )
    logged_in_fuzz(server, selected, [*verbs, b"UID FETCH", b"UID SEARCH", b"UID STORE", b"UID EXPUNGE"], True)
    logged_in_fuzz(
        server, lambda: pop3(server, "fuzz@example.test"), b"STAT LIST UIDL RETR TOP DELE RSET".split(), False
    )
    logged_in_fuzz(server, lambda: lmtp(server), b"MAIL RCPT DATA BDAT RSET VRFY NOOP HELP STARTTLS".split(), False)


def test_empty_body_gains_nothing(server: Server) -> None:
    """A message with an empty body, or without one, comes back as it was."""
    with imap(server, ALICE) as wire:
        wire.ok(b"CREATE empties")
        sent = [b"Subject: a\r\n\r\n", b"Subject: b\r\n", b"\r\n", b"\r\nbody only\r\n", b"no newline at all"]
        for data in sent:
            wire.ok(b"APPEND empties {%d+}\r\n" % len(data) + data)
        wire.ok(b"SELECT empties")
        answers = wire.ok(b"FETCH 1:* BODY.PEEK[]")
        assert [a.partition(b"}\r\n")[2][: len(d)] for a, d in zip(answers, sent, strict=True)] == sent
        assert [int(a.partition(b"{")[2].partition(b"}")[0]) for a in answers] == [len(d) for d in sent]
        wire.ok(b"UNSELECT")
        wire.ok(b"DELETE empties")


def test_uids_in_order_of_acceptance(server: Server) -> None:
    """UIDs ascend as deliveries were acknowledged, over several connections."""
    user = server.add_user("order@example.test")
    clients = [server.lmtp() for _ in range(4)]
    names = []
    for i in range(40):
        clients[i % 4].sendmail("s@example.net", [user], messages.make(f"o-{i}"))
        names.append(f"o-{i}@load.example")
    for client in clients:
        client.quit()
    with server.imap(user) as reader:
        reader.select("INBOX")
        _, data = reader.fetch("1:*", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        found = [messages.message_id(part[1]) for part in data if isinstance(part, tuple)]
        uids = [int(part[0].partition(b"UID ")[2].split()[0]) for part in data if isinstance(part, tuple)]
    assert found == names
    assert uids == sorted(uids) and len(set(uids)) == 40
