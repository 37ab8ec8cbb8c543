"""Bad input to IMAP: a clear answer or a closed connection, bounded memory, nobody else disturbed."""

from __future__ import annotations

import base64
import time
from contextlib import suppress

import pytest

from tests.support import messages
from tests.support.raw import flood, imap
from tests.support.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("others_are_unaffected")]

ALICE = "alice@example.test"


@pytest.mark.parametrize("logged_in", [False, True])
def test_imap_endless_line(server: Server, logged_in: bool) -> None:
    """20 MB without a line end: BAD or BYE, and not held in memory."""
    with imap(server, ALICE if logged_in else "") as wire:
        answer = flood(wire, b"A" * 65536, 20 << 20)
    assert b"BAD" in answer or b"BYE" in answer, answer[:200]


@pytest.mark.parametrize(
    "literal", [b"{-1}", b"{99999999999999999999}", b"{4294967296}", b"{1x}", b"{}", b"{ 5}", b"{5-+}"]
)
def test_imap_bad_literals(server: Server, literal: bytes) -> None:
    """Literals with impossible lengths are BAD (or NO), never waited for, and the session goes on or says BYE."""
    with imap(server, ALICE) as wire:
        wire.send(b"a1 CREATE " + literal + b"\r\n")
        answer = wire.line()
        assert answer.startswith((b"a1 BAD", b"a1 NO", b"* BYE")), answer
        if answer.startswith(b"a1"):
            wire.send(b"a2 NOOP\r\n")
            assert wire.until_tag(b"a2")[-1].startswith(b"a2 OK")


def test_imap_refused_literal_is_not_run_before_login(server: Server) -> None:
    """A LITERAL+ that is too long before login: its text must not be run as commands."""
    with imap(server) as wire:
        inside = b"x LOGOUT\r\nx2 CAPABILITY\r\n" * 100_000
        wire.try_send(b"a1 LOGIN {%d+}\r\n" % len(inside))
        wire.try_send(inside)
        wire.try_send(b"\r\na3 NOOP\r\n")
        answer = wire.rest() if wire.line().startswith(b"* BYE") else flood(wire, b"", 0)
        assert b"x OK" not in answer and b"x2 OK" not in answer


def test_imap_refused_literal_is_not_run_after_login(server: Server) -> None:
    """An APPEND with LITERAL+ over the limit is refused with TOOBIG or BYE without the text being run."""
    with imap(server, ALICE) as wire:
        total = 80 << 20
        wire.send(b"a1 APPEND INBOX {%d+}\r\n" % total)
        line = b"x DELETE Drafts\r\n"
        block = line * 4096
        sent = 0
        while sent + len(block) <= total and wire.try_send(block):
            sent += len(block)
        wire.try_send(b"y" * (total - sent) + b"\r\na2 NOOP\r\n")
        wire.sock.settimeout(30)
        answer = b"".join(wire.until_tag(b"a2"))
        assert b"x OK" not in answer and b"x NO" not in answer and b"x BAD" not in answer, answer[:300]
        assert b"a1 NO" in answer or b"a1 BAD" in answer or b"BYE" in answer, answer[:300]
    with server.imap() as client:
        assert client.select("Drafts")[0] == "OK"


def test_imap_nuls(server: Server) -> None:
    """NUL is in no token of IMAP (RFC 3501 9, CHAR)."""
    with imap(server, ALICE) as wire:
        for text in (b'CREATE "a\0b"', b"CREATE a\0b", b"LIST \0 *", b"\0NOOP"):
            answer = wire.command(text)
            assert answer and b" OK" not in answer[-1][:12], (text, answer)
            if answer[-1].startswith(b"* BYE"):
                return
        assert wire.command(b"NOOP")[-1].split()[1] == b"OK"


@pytest.mark.parametrize(
    "text", [b"!!!", b"====", b"AGFsaWNl", b"\xff\xfe", b"A" * 100_000, b"*", b"", base64.b64encode(b"\0a\0b\0c\0d")]
)
def test_imap_broken_base64(server: Server, text: bytes) -> None:
    """AUTHENTICATE with rubbish is BAD or NO at once (no login was tried), or a closed connection."""
    with imap(server) as wire:
        wire.send(b"a1 AUTHENTICATE PLAIN\r\n")
        assert wire.line().startswith(b"+")
        wire.send(text + b"\r\n")
        answer = wire.line()
        assert answer.startswith((b"a1 BAD", b"a1 NO", b"* BYE")) or answer == b"", answer


@pytest.mark.parametrize("name", [b"&", b"&AAA", b"&AGEAYg-", b"&2AA-", b"a&-&-b&", b"&\xff-", b"x\xffy", b"&" * 5000])
def test_imap_broken_utf7(server: Server, name: bytes) -> None:
    """Names that are not modified UTF-7 (RFC 3501 5.1.3) are NO or BAD; whatever is taken can be listed and deleted."""
    with imap(server, ALICE) as wire:
        answer = wire.command(b'CREATE "' + name + b'"')
        kind = answer[-1].split()[1]
        assert kind in (b"OK", b"NO", b"BAD"), answer
        if kind == b"OK":
            wire.ok(b'DELETE "' + name + b'"')
        wire.ok(b'LIST "" *')


@pytest.mark.parametrize(
    "text",
    [
        b"FETCH 1 " + b"(" * 30_000,
        b"FETCH 1 " + b"(" * 20_000 + b"FLAGS" + b")" * 20_000,
        b"SEARCH " + b"(" * 30_000 + b"ALL" + b")" * 30_000,
        b"SEARCH " + b"NOT " * 15_000 + b"ALL",
        b"SEARCH " + b"OR " * 15_000 + b"ALL",
        b"STORE 1 +FLAGS (" + b"(" * 20_000,
        b"FETCH 1 BODY[" + b"1." * 20_000 + b"1]",
        b"FETCH 1 BODY[HEADER.FIELDS " + b"(" * 20_000,
        b"SEARCH " + b"1," * 20_000 + b"1",
        b"FETCH 4294967295:1,*:4294967296 FLAGS",
        b"SEARCH SMALLER 99999999999999999999",
        b"FETCH 1 BODY[]<0.99999999999>",
        b"FETCH 1 BODY[]<4294967295.4294967295>",
        b"STATUS " + b"(" * 10_000,
    ],
)
def test_imap_bombs(server: Server, text: bytes) -> None:
    """Nested and repeated arguments are answered within two seconds; the session goes on."""
    with imap(server, ALICE) as wire:
        wire.ok(b"SELECT INBOX")
        begun = time.monotonic()
        answer = wire.command(text)
        assert answer and answer[-1].split()[1] in (b"OK", b"NO", b"BAD", b"BYE"), answer[-1:]
        assert time.monotonic() - begun < 2
        if not answer[-1].startswith(b"* BYE"):
            wire.ok(b"NOOP")


def test_imap_list_patterns(server: Server) -> None:
    """A pattern of many wildcards against a name of 100 letters is answered at once (peers never came back)."""
    with imap(server, ALICE) as wire:
        name = b"a" * 100
        wire.ok(b"CREATE " + name)
        begun = time.monotonic()
        assert wire.ok(b'LIST "" "' + b"%a" * 40 + b'b"') == []
        assert wire.ok(b'LIST "" "' + b"*a" * 40 + b'b"') == []
        assert len(wire.ok(b'LIST "" "' + b"%a" * 40 + b'"')) == 1
        assert time.monotonic() - begun < 1
        wire.ok(b"DELETE " + name)


@pytest.mark.parametrize("name", [b'".."', b'"."', b'"../bob@example.test"', b'"/"', b'"//"', b'"/etc/passwd"', b'""'])
def test_imap_odd_folder_names(server: Server, name: bytes) -> None:
    """Names that mean something to file systems select nothing."""
    with imap(server, ALICE) as wire:
        assert wire.command(b"SELECT " + name)[-1].split()[1] in (b"NO", b"BAD")
        assert wire.command(b"STATUS " + name + b" (MESSAGES)")[-1].split()[1] in (b"NO", b"BAD")


def test_imap_fetch_after_other_sessions_expunge(server: Server) -> None:
    """A session that has not been told of an expunge yet gets OK or NO for it, never BAD, and is not dropped."""
    with imap(server, ALICE) as first, imap(server, ALICE) as second:
        first.ok(b"CREATE raced")
        for i in range(3):
            data = messages.make(f"raced-{i}")
            first.ok(b"APPEND raced {%d+}\r\n" % len(data) + data)
        first.ok(b"SELECT raced")
        second.ok(b"SELECT raced")
        first.ok(rb"STORE 1:2 +FLAGS (\Deleted)")
        first.ok(b"EXPUNGE")
        for text in (
            b"FETCH 2 (FLAGS BODY.PEEK[])",
            b"FETCH 1:3 FLAGS",
            b"STORE 2 +FLAGS (kw)",
            b"FETCH 3 BODY[HEADER]",
        ):
            answer = second.command(text)
            assert answer[-1].split()[1] in (b"OK", b"NO"), (text, answer)
        second.ok(b"NOOP")
        assert second.ok(b"SEARCH ALL") == [b"* SEARCH 1\r\n"]
        first.ok(b"UNSELECT")
        first.ok(b"DELETE raced")


def test_imap_twenty_pipelined_appends(server: Server) -> None:
    """20 LITERAL+ APPENDs sent in one go are all answered (peers hung)."""
    with imap(server, ALICE) as wire:
        wire.ok(b"CREATE piped")
        sent = [messages.make(f"piped-{i}", size=30_000) for i in range(20)]
        wire.send(b"".join(b"p%d APPEND piped {%d+}\r\n%s\r\n" % (i, len(m), m) for i, m in enumerate(sent)))
        for i in range(20):
            assert wire.until_tag(b"p%d" % i)[-1].startswith(b"p%d OK [APPENDUID" % i)
        wire.ok(b"SELECT piped")
        for i, answer in enumerate(r for r in wire.ok(b"FETCH 1:* BODY.PEEK[]") if b"FETCH" in r[:20]):
            assert sent[i] in answer
        wire.ok(b"UNSELECT")
        wire.ok(b"DELETE piped")


def test_imap_delete_folder_with_children(server: Server) -> None:
    """DELETE of a folder with children and CREATE after it agree about whether it exists (RFC 3501 6.3.4)."""
    with imap(server, ALICE) as wire:
        wire.ok(b"CREATE parent/child")
        deleted = wire.command(b"DELETE parent")[-1].split()[1]
        listed = wire.ok(b'LIST "" parent')
        created = wire.command(b"CREATE parent")[-1].split()[1]
        if deleted == b"NO":
            assert listed and created == b"NO"
        else:
            assert created == b"OK" or any(b"\\Noselect" in line for line in listed)
        wire.ok(b"DELETE parent/child")
        wire.ok(b"DELETE parent")
        assert wire.ok(b'LIST "" parent*') == []


def test_imap_starttls_discards_what_came_with_it(server: Server) -> None:
    """Plaintext behind STARTTLS is not executed after the handshake (CVE-2021-33515)."""
    with imap(server) as wire:
        wire.send(b"a1 STARTTLS\r\na2 CAPABILITY\r\na3 LOGOUT\r\n")
        answer = wire.line()
        if answer.startswith(b"* BYE"):
            assert b"a2" not in wire.rest()
            return
        assert answer.startswith(b"a1 OK")
        with suppress(OSError):
            wire.starttls()
            wire.send(b"a4 NOOP\r\n")
            assert wire.line().startswith(b"a4 OK")


def test_imap_half_commands(server: Server) -> None:
    """Connections that stop in the middle of things leave nothing behind."""
    data = messages.make("half")
    for half in (b"a1 LOG", b'a1 LOGIN "x', b"a1 LOGIN {5}\r\nab", b"a1 AUTHENTICATE PLAIN\r\nAG"):
        with imap(server) as wire:
            wire.send(half)
    with imap(server, ALICE) as wire:
        wire.send(b"a1 APPEND INBOX {%d+}\r\n" % len(data) + data[:-10])
    with server.imap() as client:
        client.select("INBOX")
        assert client.search(None, "HEADER", "Message-ID", "half@load.example") == ("OK", [b""])
