"""Each fault seen in other servers, not to be repeated: bad input, deep nesting, refused literals, wrong passwords."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gromoxd.errors import Ec, MapiError
from tests.imap.harness import World, message, split_lines


def test_list_patterns_that_never_finish() -> None:
    client = World().login()
    client.ok(f'CREATE "{"a" * 100}"')
    started = time.perf_counter()
    assert client.ok(f'LIST "" "{"%a" * 120}b"') == []
    assert len(client.ok(f'LIST "" "{"%a" * 50}"')) == 1
    assert client.ok(f'LIST "" ({" ".join(["*a*a*a*a*a*b"] * 90)})') == []
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize("bomb", ["NOT " * 15000 + "ALL", "(" * 60000, "OR " * 15000, "(" * 100 + "ALL" + ")" * 99])
def test_deep_search_programs(bomb: str) -> None:
    client = World().login()
    client.ok("SELECT INBOX")
    started = time.perf_counter()
    assert client.command("SEARCH " + bomb)[-1].startswith(b"BAD")
    assert time.perf_counter() - started < 1
    assert client.command("SEARCH NOT NOT (NOT ALL)") == [b"* SEARCH", b"OK SEARCH completed"]


def test_select_dotdot_does_not_work() -> None:
    client = World().login()
    for name in ('".."', '"../x"', '"INBOX/../INBOX"', '"/etc/passwd"', '"INBOX/"', "{2+}\r\n.."):
        assert client.command(f"SELECT {name}")[-1].startswith(b"NO"), name


@pytest.mark.parametrize(
    "text",
    [
        b"a LOGIN {5000}\r\nb LOGOUT\r\n",
        b"a LOGIN {5000+}\r\nb LOGIN alice@example.test secret\r\n",
        b"a LOGIN x {99999999999999999999+}\r\nb NOOP\r\n",
        b"a APPEND INBOX {100000+}\r\nb NOOP\r\n",
    ],
)
def test_a_refused_literal_is_not_run_before_login(text: bytes) -> None:
    client = World().client()
    client.take()
    lines = split_lines(client.raw(text))
    assert lines == [b"a NO [TOOBIG] Literal too large", b"* BYE Literal too large"]
    assert client.closed


def test_negative_literals() -> None:
    client = World().client()
    client.take()
    for text in (b"{-1}", b"{-1+}", b"{+1}", b"{1-}"):
        assert client.raw(b"a LOGIN " + text + b"\r\n").startswith(b"a BAD")
    assert client.raw(b"b NOOP\r\n") == b"b OK NOOP completed\r\n"


def test_literals_where_none_belong_are_consumed() -> None:
    client = World().login()
    lines = split_lines(client.raw(b"a NOOP {10+}\r\nx LOGOUT\r\n\r\nb NOOP\r\n"))
    assert lines == [b"a BAD Unexpected text at the end of the command", b"b OK NOOP completed"]


def test_long_lines_before_and_after_login() -> None:
    client = World().client()
    client.take()
    assert client.raw(b"a LOGIN " + b"x" * 5000) == b"* BYE Line too long\r\n"
    assert client.closed
    client = World().login()
    assert client.raw(b"a SELECT " + b"x" * 100_000 + b"\r\nb NOOP\r\n") == (
        b"a BAD Command too long\r\nb OK NOOP completed\r\n"
    )


def test_nonsense_without_end_closes() -> None:
    client = World().client()
    client.take()
    answer = client.raw(b"a FROB\r\n" * 50)
    assert client.closed
    assert answer.count(b"BAD") == 10
    assert answer.endswith(b"* BYE Too many invalid commands\r\n")
    client = World().login()
    client.raw(b"a FROB\r\n" * 99 + b"b NOOP\r\n" + b"a FROB\r\n" * 99)
    assert not client.closed


@pytest.mark.parametrize(
    "junk", [b"\0\0\0\r\n", b"\xff\xfe\r\n", b"\x16\x03\x01\x02\x00\x01\r\n", b"GET / HTTP/1.0\r\n", b"{}\r\n"]
)
def test_junk(junk: bytes) -> None:
    client = World().client()
    client.take()
    client.raw(junk)
    assert client.raw(b"b NOOP\r\n") == b"b OK NOOP completed\r\n"


def test_wrong_passwords_are_delayed_and_told_nothing() -> None:
    world = World(imap_auth_times=3)
    client = world.client()
    client.take()
    answers = [client.raw(b"a LOGIN alice@example.test x%d\r\n" % n) for n in range(3)]
    assert answers[:2] == [b"a NO [AUTHENTICATIONFAILED] Authentication failed\r\n"] * 2
    assert answers[2].endswith(b"* BYE Too many failed logins\r\n")
    assert client.closed
    assert world.slept == [1.5] * 3
    other = world.client()
    other.take()
    assert other.raw(b"a LOGIN nobody@example.test x\r\n") == answers[0]


@pytest.mark.parametrize(
    "line",
    [
        b'LOGIN "" ""', b"LOGIN alice@example.test {6+}\r\n\0ecret", b"LOGIN " + b"a" * 400 + b" secret",
        b"LOGIN alice@example.test " + b"p" * 2000, b"LOGIN \xff \xfe", b'LOGIN "\xff\xfe" "\xff"',
    ],
)  # fmt: skip
def test_strange_names_and_passwords(line: bytes) -> None:
    client = World().client()
    client.take()
    assert client.raw(b"a " + line + b"\r\n").startswith((b"a NO [AUTH", b"a BAD"))
    assert client.world.board.get("internal_errors") == 0


def test_no_password_without_tls_over_a_network() -> None:
    world = World()
    client = world.client(peer="192.0.2.7", tls_available=True)
    assert b"STARTTLS LOGINDISABLED" in client.take()
    assert client.raw(b"a LOGIN alice@example.test secret\r\n").startswith(b"a NO [PRIVACYREQUIRED]")
    assert client.raw(b"a AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=\r\n").startswith(b"a NO [PRIVACY")
    assert b"AUTH=PLAIN" in world.client(peer="192.0.2.7", tls=True).take()
    assert b"AUTH=PLAIN" in World(imap_allow_plaintext=True).client(peer="192.0.2.7").take()
    assert b"LOGINDISABLED" in World(imap_force_tls=True).client().take()


def test_plaintext_behind_starttls_is_never_run() -> None:
    client = World().client(tls_available=True)
    client.take()
    answer = client.raw(b"a STARTTLS\r\nb LOGIN alice@example.test secret\r\n")
    assert answer == b"* BYE Plaintext behind STARTTLS\r\n"
    assert client.closed
    client = World().client(tls_available=True)
    client.take()
    assert client.raw(b"a STARTTLS\r\n") == b"a OK Begin TLS negotiation now\r\n"
    assert client.session.starting_tls
    assert World().client().raw(b"a STARTTLS\r\n").endswith(b"a NO [UNAVAILABLE] TLS is not available\r\n")


def test_limit_of_connections_of_a_user() -> None:
    world = World(imap_max_user_connections=2)
    first, second, third = world.login(), world.login(), world.client()
    third.take()
    assert third.raw(b"a LOGIN alice@example.test secret\r\n").startswith(b"a NO [LIMIT]")
    first.raw(b"x LOGOUT\r\n")
    assert third.raw(b"a LOGIN alice@example.test secret\r\n").startswith(b"a OK")
    second.raw(b"x LOGOUT\r\n")
    third.raw(b"x LOGOUT\r\n")
    assert world.services.logins == {}


def test_a_bug_ends_the_command_not_the_session() -> None:
    world = World()
    client = world.login()

    def broken(*args: Any, **more: Any) -> Any:
        raise ZeroDivisionError

    world.store.call, real = broken, world.store.call
    world.store._arena.clear()
    client.session.feed(b"a STATUS INBOX (MESSAGES)\r\n")
    with pytest.raises(ZeroDivisionError):
        client.session.step()
    client.session.failed_internally()
    client.session.rest()
    assert client.take() == b"a NO [SERVERBUG] Internal error\r\n"
    world.store.call = real
    assert client.ok("STATUS INBOX (MESSAGES)") == [b'* STATUS "INBOX" (MESSAGES 0)']


def test_too_many_flags_and_too_long_keywords() -> None:
    client = World().login()
    client.append(message(1))
    client.ok("SELECT INBOX")
    assert client.command(f"STORE 1 +FLAGS ({' '.join(f'k{n}' for n in range(300))})")[-1].startswith(b"BAD")
    assert client.command(f"STORE 1 +FLAGS ({'k' * 300})")[-1].startswith(b"NO [LIMIT]")
    assert client.command("STORE 1 +FLAGS (\\Recent)")[-1] == b"OK STORE completed"
    assert client.command("STORE 1 +FLAGS (\\Frob)")[-1].startswith(b"BAD")


def test_many_keywords_are_told_and_searched() -> None:
    client = World().login()
    client.append(message(1))
    client.append(message(2), flags="$Forwarded $Junk NonJunk $label1 $MailFlagBit0")
    client.ok("SELECT INBOX")
    assert client.ok("FETCH 2 FLAGS") == [
        b"* 2 FETCH (FLAGS (\\Recent " + b" ".join(sorted(
            [b"$Forwarded", b"$Junk", b"NonJunk", b"$label1", b"$MailFlagBit0"])) + b"))"
    ]  # fmt: skip
    assert client.ok("SEARCH KEYWORD $LABEL1") == [b"* SEARCH 2"]
    assert client.ok("SEARCH UNKEYWORD $label1 UNKEYWORD x") == [b"* SEARCH 1"]
    assert client.ok("STORE 2 -FLAGS ($JUNK nonjunk $forwarded $MailFlagBit0)") == [
        b"* 2 FETCH (FLAGS (\\Recent $label1))"
    ]


def test_programs_of_sensible_depth_work() -> None:
    client = World().login()
    client.append(message(1))
    client.ok("SELECT INBOX")
    assert client.ok("SEARCH " + "NOT " * 240 + "ALL") == [b"* SEARCH 1"]
    assert client.ok("SEARCH " + "(" * 120 + "ALL" + ")" * 120) == [b"* SEARCH 1"]
    assert client.ok("SEARCH " + "OR SUBJECT x " * 200 + "ALL") == [b"* SEARCH 1"]


def test_a_full_disk_keeps_nobody_from_reading() -> None:
    world = World()
    client = world.login()
    client.append(message(1))
    real = world.store.call

    def call(mailbox: Any, wanted: Any, **more: Any) -> Any:
        if wanted.writes:
            raise MapiError(Ec.ecStorageFull, "no space")
        return real(mailbox, wanted, **more)

    world.store.call = call
    assert b"* 1 RECENT" in client.ok("SELECT INBOX")
    assert client.ok("FETCH 1 BODY.PEEK[TEXT]") == [b"* 1 FETCH (BODY[TEXT] {7}\r\nHello\r\n)"]
    assert client.command("APPEND INBOX", message(2))[-1].startswith(b"NO [OVERQUOTA]")
    assert client.command("STORE 1 +FLAGS (x)")[-1].startswith(b"NO [OVERQUOTA]")


def test_idle_when_the_watch_cannot_be_set_up() -> None:
    world = World()
    client = world.login()
    client.ok("SELECT INBOX")

    def watch(*args: Any) -> Any:
        raise MapiError(Ec.ecNetwork, "away")

    world.store.watch = watch
    assert client.command("IDLE")[-1].startswith(b"NO [UNAVAILABLE]")
    assert client.command("NOOP") == [b"OK NOOP completed"]
