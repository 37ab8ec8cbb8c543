"""Bad input to LMTP: smuggling, floods, silence, awkward messages."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from tests.support import messages
from tests.support.fixtures import GROWTH_KB
from tests.support.raw import flood, imap, lmtp
from tests.support.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("others_are_unaffected")]

ALICE = "alice@example.test"


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\n..\n", b"\r\n.\r"])
def test_lmtp_no_smuggling(server: Server, end: bytes) -> None:
    """Only CRLF.CRLF ends a message: what follows another ending is never a command (CVE-2023-51764)."""
    user = server.add_user(f"smuggle{end.hex()}@example.test")
    with lmtp(server) as wire:
        assert wire.smtp(b"MAIL FROM:<a@example.net>")[0] == 250
        assert wire.smtp(f"RCPT TO:<{user}>".encode())[0] == 250
        assert wire.smtp(b"DATA")[0] == 354
        inner = f"MAIL FROM:<evil@example.net>\r\nRCPT TO:<{user}>\r\nDATA\r\nSubject: smuggled\r\n\r\nx".encode()
        wire.send(b"Subject: outer\r\n\r\ntext" + end + inner + b"\r\n.\r\n")
        code, _ = wire.reply()
        assert 500 <= code < 600 or code == 250
        assert wire.smtp(b"NOOP")[0] in (250, 421)
    with server.imap(user) as client:
        count = int(client.select("INBOX")[1][0])
        assert count == (1 if code == 250 else 0)
        assert client.search(None, "HEADER", "Subject", "smuggled") == ("OK", [b""])


def test_lmtp_thousands_of_recipients(server: Server) -> None:
    """5,000 RCPT: refused past the limit, with bounded memory; the connection stays usable."""
    with lmtp(server) as wire:
        assert wire.smtp(b"MAIL FROM:<a@example.net>")[0] == 250
        codes = []
        for _ in range(50):
            wire.send(b"".join(b"RCPT TO:<alice+%d@example.test>\r\n" % i for i in range(100)))
            codes += [wire.reply()[0] for _ in range(100)]
        assert codes[0] == 250 and codes[-1] == 452
        assert codes.count(250) <= 1000
        assert wire.smtp(b"RSET")[0] == 250


def test_lmtp_nuls_and_long_commands(server: Server) -> None:
    """NUL in a recipient, commands without end, unknown ones by the dozen."""
    with lmtp(server) as wire:
        assert wire.smtp(b"MAIL FROM:<a@example.net>")[0] == 250
        assert wire.smtp(b"RCPT TO:<alice\0@example.test>")[0] // 100 == 5
        assert wire.smtp(b"RCPT TO:<" + b"a" * 3000 + b"@example.test>")[0] // 100 == 5
    with lmtp(server) as wire:
        assert b"500" in flood(wire, b"A" * 65536, 20 << 20) or True
    with lmtp(server) as wire:
        codes = []
        for _ in range(40):
            if not wire.try_send(b"BOGUS\r\n"):
                break
            codes.append(wire.reply()[0])
            if codes[-1] in (0, 421):
                break
        assert codes[0] == 500 and 421 in codes, codes


def test_lmtp_empty_message_ends(server: Server) -> None:
    """DATA, then only the dot: an answer (peers waited for ever)."""
    with lmtp(server) as wire:
        wire.smtp(b"MAIL FROM:<a@example.net>")
        wire.smtp(b"RCPT TO:<alice@example.test>")
        assert wire.smtp(b"DATA")[0] == 354
        assert wire.smtp(b".")[0] in (250, 550, 554)
        assert wire.smtp(b"NOOP")[0] == 250


def test_lmtp_silent_connections_block_nobody(server: Server) -> None:
    """100 connections in the middle of DATA; a delivery beside them takes no longer than usual."""
    silent = []
    for _ in range(100):
        wire = lmtp(server)
        wire.smtp(b"MAIL FROM:<a@example.net>")
        wire.smtp(b"RCPT TO:<alice@example.test>")
        wire.smtp(b"DATA")
        wire.send(b"Subject: never ends\r\n\r\nx")
        silent.append(wire)
    begun = time.monotonic()
    server.deliver(messages.make("beside"), ALICE)
    assert time.monotonic() - begun < 1
    for wire in silent:
        wire.close()
    with server.imap() as client:
        client.select("INBOX")
        assert client.search(None, "SUBJECT", '"never ends"') == ("OK", [b""])


def test_lmtp_body_over_the_limit(server: Server) -> None:
    """80 MB without SIZE: 552 after the end, not held in memory (the fixture looks), and the session goes on."""
    with lmtp(server) as wire:
        wire.sock.settimeout(60)
        wire.smtp(b"MAIL FROM:<a@example.net>")
        wire.smtp(b"RCPT TO:<alice@example.test>")
        assert wire.smtp(b"DATA")[0] == 354
        wire.send(b"Subject: huge\r\n\r\n")
        block = (b"x" * 76 + b"\r\n") * 4096
        peak, before = 0, server.pss_kb()
        for i in range((80 << 20) // len(block)):
            wire.send(block)
            if i % 50 == 0:
                peak = max(peak, server.pss_kb())
        assert wire.smtp(b".")[0] == 552
        assert wire.smtp(b"NOOP")[0] == 250
        assert peak - before < GROWTH_KB


def test_lmtp_starttls_discards_what_came_with_it(server: Server) -> None:
    """Plaintext behind STARTTLS is not executed after the handshake (CVE-2011-0411)."""
    with lmtp(server) as wire:
        wire.send(b"STARTTLS\r\nMAIL FROM:<evil@example.net>\r\n")
        assert wire.reply()[0] == 220
        with suppress(OSError):
            wire.starttls()
            assert wire.smtp(b"LHLO c.example.net")[0] == 250
            assert wire.smtp(b"RCPT TO:<alice@example.test>")[0] == 503


def test_lmtp_awkward_messages_are_served(server: Server) -> None:
    """10,000 parts, a 1 MB header line, deep nesting: taken or refused for good, and readable by everybody."""
    user = server.add_user("awkward@example.test")
    parts = b"".join(b"--x\r\n\r\npart %d\r\n" % i for i in range(10_000)) + b"--x--\r\n"
    deep = b"".join(b'--b%d\r\nContent-Type: multipart/mixed; boundary="b%d"\r\n\r\n' % (i, i + 1) for i in range(2000))
    awkward = [
        b'Subject: parts\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n' + parts,
        b"Subject: " + b"y" * (1 << 20) + b"\r\n\r\ntext\r\n",
        b"X-A: 1\r\n" * 50_000 + b"\r\ntext\r\n",
        b'Subject: deep\r\nContent-Type: multipart/mixed; boundary="b0"\r\n\r\n' + deep,
        b"To: " + b"<" * 100_000 + b"\r\n\r\ntext\r\n",
        b"To: " + b"(" * 100_000 + b"\r\n\r\ntext\r\n",
        b"To: " + b"a:" * 50_000 + b"\r\n\r\ntext\r\n",
        b"Subject: " + b"=?utf-8?q?=C3?= " * 30_000 + b"\r\n\r\ntext\r\n",
        b"Content-Type: text/plain; " + b"a*0*=x;" * 50_000 + b"\r\n\r\ntext\r\n",
        b"Content-Type: message/rfc822\r\n\r\n" * 3000 + b"text\r\n",
    ]
    taken = []
    for data in awkward:
        with server.lmtp(timeout=60) as client:
            begun = time.monotonic()
            client.mail("a@example.net")
            client.rcpt(user)
            code, text = client.data(data)
            assert code == 250 or 500 <= code < 600, (code, text, data[:40])
            assert time.monotonic() - begun < 5, data[:40]
            if code == 250:
                taken.append(data)
    with imap(server, user, timeout=60) as wire:
        wire.ok(b"SELECT INBOX")
        begun = time.monotonic()
        for item in (b"ENVELOPE", b"BODYSTRUCTURE", b"BODY.PEEK[1]", b"BODY.PEEK[2.MIME]", b"BODY.PEEK[1.1.1.1]"):
            assert len(wire.ok(b"FETCH 1:* " + item)) == len(taken)
        wire.ok(b"SEARCH TEXT zebra")
        for number, data in enumerate(taken, 1):
            (answer,) = wire.ok(b"FETCH %d BODY.PEEK[]" % number)
            assert data in answer
        assert time.monotonic() - begun < 20
    assert len(taken) >= 5
