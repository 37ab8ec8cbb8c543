"""APPEND: pipelining, order, large messages on disk, limits."""

from __future__ import annotations

from typing import Any

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls
from gromoxd.exmdb.api import MailboxRef
from tests.imap.harness import Client, Done, World, message, split_lines


def pipelined(count: int) -> bytes:
    out = []
    for n in range(count):
        text = message(n)
        out.append(b"p%d APPEND INBOX {%d+}\r\n%b\r\n" % (n, len(text), text))
    return b"".join(out)


def test_twenty_pipelined_appends() -> None:
    client = World().login()
    lines = split_lines(client.raw(pipelined(20)))
    assert lines == [b"p%d OK [APPENDUID 13 %d] APPEND completed" % (n, n + 1) for n in range(20)]
    assert client.session.appends is None


def test_pipelined_in_pieces_of_any_size() -> None:
    for chunk in (1, 7, 100, 300):
        client = World().login()
        client.chunk = chunk
        lines = split_lines(client.raw(pipelined(6)))
        assert lines == [b"p%d OK [APPENDUID 13 %d] APPEND completed" % (n, n + 1) for n in range(6)]


class Slow:
    """Work beside the session that is done when the test lets it."""

    def __init__(self, world: World) -> None:
        self.waiting: list[tuple[Done, Any]] = []
        world.services.spawn = self

    def __call__(self, work: Any, then: Any = None) -> Done:
        done = Done(work)
        self.waiting.append((done, then))
        return done

    def finish(self, number: int) -> None:
        done, then = self.waiting[number]
        done.run()
        if then is not None:
            then()


def test_answers_keep_the_order_of_the_commands() -> None:
    world = World()
    slow = Slow(world)
    client = world.login()
    data = pipelined(3)
    assert client.raw(data + b"p9 APPEND INBOX {50+}\r\nhalf") == b""
    assert len(slow.waiting) == 3
    slow.finish(1)
    assert client.push() == b""
    slow.finish(0)
    assert [x.split()[0] for x in split_lines(client.push())] == [b"p0", b"p1"]
    slow.finish(2)
    assert [x.split()[0] for x in split_lines(client.push())] == [b"p2"]
    assert client.raw(b"x" * 46 + b"\r\n").startswith(b"p9 OK")


def test_another_command_waits_for_the_appends_before_it() -> None:
    world = World()
    Slow(world)
    client = world.login()
    lines = split_lines(client.raw(pipelined(2) + b"q STATUS INBOX (MESSAGES)\r\n"))
    assert [x.split()[0] for x in lines] == [b"p0", b"p1", b"*", b"q"]
    assert lines[2] == b'* STATUS "INBOX" (MESSAGES 2)'


def test_an_append_that_fails_among_others() -> None:
    client = World().login()
    text = message(1)
    bad = b"b1 APPEND nope {%d+}\r\n%b\r\nb2 APPEND INBOX (\\Frob) {1+}\r\nx\r\n" % (len(text), text)
    lines = split_lines(client.raw(pipelined(1) + bad + pipelined(1)))
    assert [x[:6] for x in lines] == [b"p0 OK ", b"b1 NO ", b"b2 BAD", b"p0 OK "]


def test_over_quota() -> None:
    world = World()
    client = world.login()
    world.store.call(MailboxRef("/var/alice@example.test"), calls.SetQuota(0, 300), actor="\0system")
    client.append(message(1))
    assert client.command("APPEND INBOX", message(2) * 2)[-1] == b"NO [OVERQUOTA] The mailbox is full"
    assert client.ok("STATUS INBOX (MESSAGES)") == [b'* STATUS "INBOX" (MESSAGES 1)']


def large(size: int) -> bytes:
    return b"Subject: big\r\n\r\n" + b"0123456789abcde\n" * (size // 16)


def test_a_large_message_goes_over_the_disk() -> None:
    world = World()
    client = world.login()
    spools: list[Any] = []
    real = world.store.call

    def call(mailbox: MailboxRef, wanted: Any, **more: Any) -> Any:
        if isinstance(wanted, calls.Append):
            spools.append(more.get("spool"))
            assert (wanted.message.raw == b"") is (more.get("spool") is not None)
        return real(mailbox, wanted, **more)

    world.store.call = call
    text = large(700_000)
    client.chunk = 10_000
    client.append(text)
    client.append(message(1))
    client.ok("SELECT INBOX")
    assert client.ok("FETCH 1 BODY.PEEK[]") == [b"* 1 FETCH (BODY[] {%d}\r\n%b)" % (len(text), text)]
    assert spools[0] is not None
    assert spools[0].closed
    assert spools[1] is None


def limited() -> Client:
    return World(mail_max_length=5000).login()


def test_too_large_is_refused_before_it_is_sent() -> None:
    client = limited()
    assert client.raw(b"a APPEND INBOX {5001}\r\n") == b"a NO [TOOBIG] Literal too large\r\n"
    assert client.raw(b"b NOOP\r\n") == b"b OK NOOP completed\r\n"
    assert client.raw(b"c APPEND INBOX {5000}\r\n") == b"+ OK\r\n"
    assert client.raw(b"x" * 5000 + b"\r\n").startswith(b"c OK")


def test_too_large_and_sent_without_asking_is_skipped() -> None:
    client = limited()
    client.chunk = 1000
    text = b"x LOGOUT\r\n" * 600
    lines = split_lines(client.raw(b"a APPEND INBOX {6000+}\r\n" + text + b"\r\nb NOOP\r\n"))
    assert lines == [b"a NO [TOOBIG] Literal too large", b"b OK NOOP completed"]
    assert not client.closed


def test_far_too_large_ends_the_connection() -> None:
    client = limited()
    answer = client.raw(b"a APPEND INBOX {99999999999}\r\n")
    assert answer.startswith(b"a NO [TOOBIG]")
    assert not client.closed
    answer = client.raw(b"b APPEND INBOX {99999999999+}\r\nc NOOP\r\n")
    assert answer == b"b NO [TOOBIG] Literal too large\r\n* BYE Literal too large\r\n"
    assert client.closed


def test_a_client_that_does_not_wait_is_not_taken_at_its_word() -> None:
    """What it sent behind the refused literal's announcement may be the literal: it is not run."""
    client = limited()
    answer = client.raw(b"a APPEND INBOX {6000}\r\nb DELETE Drafts\r\n")
    assert answer == b"* BYE Literal too large\r\n"
    assert client.closed


def test_only_the_message_may_be_large() -> None:
    client = World().login()
    assert client.raw(b"a APPEND {100000}\r\n") == b"a NO [TOOBIG] Literal too large\r\n"
    assert client.raw(b"a SELECT {100000}\r\n") == b"a NO [TOOBIG] Literal too large\r\n"
    # a second message in one command is no message: it counts as text
    answer = client.raw(b"a APPEND INBOX {3+}\r\nabc {100000}\r\n")
    assert answer == b"a NO [TOOBIG] Literal too large\r\n"


def test_dates_are_kept_to_the_second_and_bounded() -> None:
    client = World().login()
    for text, told in (
        ("17-Jul-1996 02:44:25 -0700", b'"17-Jul-1996 09:44:25 +0000"'),
        ("17-Jul-1930 02:44:25 -0700", b'" 1-Jan-1970 00:00:00 +0000"'),
        ("17-Jul-2930 02:44:25 -0700", b'" 7-Feb-2106 06:28:15 +0000"'),
    ):
        client.ok(f'APPEND INBOX "{text}"', message(1))
        client.ok("SELECT INBOX")
        assert client.ok("FETCH * INTERNALDATE")[0].endswith(b"(INTERNALDATE " + told + b")")


def test_a_store_that_is_away_while_appends_are_under_way() -> None:
    world = World()
    client = world.login()
    real = world.store.call

    def call(mailbox: MailboxRef, wanted: Any, **more: Any) -> Any:
        if isinstance(wanted, calls.Append):
            raise MapiError(Ec.ecTimeout, "slow")
        return real(mailbox, wanted, **more)

    world.store.call = call
    lines = split_lines(client.raw(pipelined(3)))
    assert [x[:20] for x in lines] == [b"p%d NO [UNAVAILABLE] " % n for n in range(3)]


def test_select_does_not_wait_for_the_claim_of_what_is_recent() -> None:
    world = World()
    slow = Slow(world)
    client, other = world.login(), world.login()
    client.append(message(1))
    assert b"* 1 RECENT" in client.ok("SELECT INBOX")
    assert b"* 0 RECENT" in other.ok("SELECT INBOX")  # of the same worker: it knows of the claim under way
    other.append(message(2))
    slow.finish(0)
    # what came before the claim was carried out belongs to the one who claimed
    assert client.ok("FETCH 1:* FLAGS")[:2] == [b"* 1 FETCH (FLAGS (\\Recent))", b"* 2 EXISTS"]
    assert client.ok("FETCH 2 FLAGS") == [b"* 2 FETCH (FLAGS (\\Recent))"]
    assert other.ok("FETCH 1:2 FLAGS") == [b"* 1 FETCH (FLAGS ())", b"* 2 FETCH (FLAGS ())"]
    assert b"* 0 RECENT" in world.login().ok("SELECT INBOX")
