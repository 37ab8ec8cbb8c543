"""The worker over real sockets with the memory store behind: poplib, the lock, reading ahead, drain, throttling."""

from __future__ import annotations

import poplib
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
import pytest

from gromoxd.convert.digest import digest_message
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.api import MailboxRef
from gromoxd.exmdb.calls import Append, Expunge, GetContents, LockPop3, NewMessage, ReadContent
from store.memory import MemoryStore
from tests.common.people import People, Settings
from tests.common.running import Running, until
from workers.pop3.server import Pop3Worker
from workers.pop3.service import Pop3Service
from workers.pop3.settings import Pop3Settings

T = TypeVar("T")
ALICE, BOX, INBOX = "alice@example.test", MailboxRef("/m/alice"), 13


class Spying(MemoryStore):
    """Counts reads; answers the named call with an error when told to."""

    def __init__(self) -> None:
        super().__init__({"/m/alice": ALICE, "/m/bob": "bob@example.test"})
        self.reads: list[Any] = []
        self.failing: tuple[type, Ec] | None = None
        self.number = 0

    def call(self, mailbox: MailboxRef, call: Any, **more: Any) -> Any:
        if isinstance(call, (GetContents, ReadContent)):
            self.reads.append(call)
        if self.failing and isinstance(call, self.failing[0]):
            raise MapiError(self.failing[1])
        return super().call(mailbox, call, **more)

    def add(self, raw: bytes) -> int:
        self.number += 1
        message = NewMessage(digest_message(raw, received=1_700_000_000), raw, 1_700_000_000)
        stored = self.call(BOX, Append(INBOX, message, self.number.to_bytes(16, "big")), actor=ALICE)
        uid: int = stored.uid
        return uid


class Site:
    """A running POP3 worker."""

    def __init__(self, start: Callable[..., Running], settings: Pop3Settings, **server: Any) -> None:
        self.store = Spying()
        self.people = People()
        holder: list[Pop3Worker] = []
        self.running = start(lambda conn: holder[0].handle(conn), **server)
        self.board = self.running.board
        service = Pop3Service(self.people, self.store, self.board, gevent.sleep)
        self.running.ctx.config = Settings(settings)
        holder.append(Pop3Worker(self.running.ctx, service))

    def with_poplib(self, work: Callable[[poplib.POP3], T]) -> T:
        """Log in as alice with poplib, in a native thread beside this process's hub."""

        def run() -> T:
            client = poplib.POP3("127.0.0.1", self.running.port, timeout=10)
            try:
                client.user(ALICE)
                client.pass_("secret")
                return work(client)
            finally:
                client.close()

        result: T = gevent.get_hub().threadpool.apply(run)
        return result

    def raw_client(self, login: bool = True) -> Raw:
        client = Raw(self.running.connect())
        assert client.line() == b"+OK POP3 ready\r\n"
        if login:
            client.say(b"USER alice@example.test\r\nPASS secret\r\n")
            assert client.line() == b"+OK\r\n"
            assert client.line().startswith(b"+OK ")
        return client


class Raw:
    """A client that reads lines."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.file = sock.makefile("rb")

    def say(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self) -> bytes:
        return bytes(self.file.readline())

    def text(self) -> bytes:
        """A multi-line response's lines up to the dot."""
        lines = []
        while (line := self.line()) != b".\r\n":
            assert line
            lines.append(line)
        return b"".join(lines)

    def close(self) -> None:
        self.file.close()
        self.sock.close()


@pytest.fixture
def site(start: Callable[..., Running]) -> Callable[..., Site]:
    return lambda settings=None, **server: Site(start, settings or Pop3Settings(), **server)


def test_poplib_reads_and_removes(site: Callable[..., Site]) -> None:
    here = site()
    mails = [b"Subject: %d\r\n\r\n.dot\r\nbody\r\n" % i for i in range(5)]
    uids = [here.store.add(mail) for mail in mails]

    def work(client: poplib.POP3) -> None:
        assert client.stat() == (5, sum(map(len, mails)))
        assert [line.split()[1] for line in client.list()[1]] == [b"%d" % len(mail) for mail in mails]
        for i, mail in enumerate(mails, 1):
            assert b"\r\n".join(client.retr(i)[1]) + b"\r\n" == mail
        assert client.top(2, 1)[1] == [b"Subject: 1", b"", b".dot"]
        assert "STLS" not in client.capa()
        client.dele(2)
        client.dele(3)
        assert client.quit() == b"+OK bye"

    here.with_poplib(work)
    left = here.with_poplib(lambda client: client.uidl()[1])
    assert [int(line.split()[1][8:], 16) for line in left] == [uids[0], uids[3], uids[4]]
    until(lambda: here.board.get("messages_read") == 6)
    assert here.board["auth_ok"] == 2


def test_uidl_is_stable_across_sessions(site: Callable[..., Site]) -> None:
    here = site()
    for i in range(3):
        here.store.add(b"Subject: %d\r\n\r\n" % i)
    first = here.with_poplib(lambda client: client.uidl()[1])
    here.store.add(b"Subject: new\r\n\r\n")
    assert here.with_poplib(lambda client: client.uidl()[1])[:3] == first


def test_lost_connection_removes_nothing_and_frees_the_lock(site: Callable[..., Site]) -> None:
    here = site()
    here.store.add(b"Subject: x\r\n\r\n")
    client = here.raw_client()
    client.say(b"DELE 1\r\n")
    assert client.line() == b"+OK\r\n"
    client.close()
    again = here.raw_client()
    again.say(b"STAT\r\n")
    assert again.line() == b"+OK 1 14\r\n"
    again.close()


def test_one_session_a_mailbox(site: Callable[..., Site]) -> None:
    here = site()
    first = here.raw_client()
    second = here.raw_client(login=False)
    second.say(b"USER alice@example.test\r\nPASS secret\r\n")
    assert second.line() == b"+OK\r\n"
    assert second.line().startswith(b"-ERR [IN-USE] ")
    first.say(b"QUIT\r\n")
    assert first.line() == b"+OK bye\r\n"
    second.say(b"USER alice@example.test\r\nPASS secret\r\nQUIT\r\n")
    assert [second.line()[:3] for _ in range(3)] == [b"+OK"] * 3
    first.close()
    second.close()


def test_reads_ahead_when_read_in_order(site: Callable[..., Site]) -> None:
    here = site()
    mails = [b"Subject: %d\r\n\r\n" % i + b"x" * 4000 + b"\r\n" for i in range(100)]
    for mail in mails:
        here.store.add(mail)
    client = here.raw_client()
    here.store.reads.clear()
    for i, mail in enumerate(mails, 1):
        client.say(b"RETR %d\r\n" % i)
        assert client.line() == b"+OK %d octets\r\n" % len(mail)
        assert client.text() == mail
    assert len(here.store.reads) <= 100 // 16 + 2
    here.store.reads.clear()
    for i in (90, 50, 10):
        client.say(b"RETR %d\r\n" % i)
        client.line()
        assert client.text() == mails[i - 1]
    assert [call.uids[0][1] - call.uids[0][0] for call in here.store.reads] == [0, 0, 0]
    client.close()


def test_message_removed_by_another_session(site: Callable[..., Site]) -> None:
    here = site()
    uids = [here.store.add(b"Subject: %d\r\n\r\n" % i) for i in range(4)]
    client = here.raw_client()
    here.store.call(BOX, Expunge(INBOX, [(uids[0], uids[0]), (uids[2], uids[2])], False), actor=ALICE)
    client.say(b"".join(b"RETR %d\r\n" % n for n in range(1, 5)))
    for number in range(1, 5):
        answer = client.line()
        if number in (1, 3):
            assert answer == b"-ERR that message has been removed by another session\r\n"
        else:
            assert answer == b"+OK 14 octets\r\n"
            assert client.text() == b"Subject: %d\r\n\r\n" % (number - 1)
    client.close()


def test_long_messages_come_in_pieces(site: Callable[..., Site]) -> None:
    here = site()
    body = b"".join(b".%d %s\r\n" % (i, b"y" * (i % 120)) for i in range(40000))
    mail = b"Subject: long\r\n\r\n" + body
    here.store.add(mail)
    client = here.raw_client()
    here.store.reads.clear()
    client.say(b"RETR 1\r\nTOP 1 3\r\nNOOP\r\n")
    assert client.line() == b"+OK %d octets\r\n" % len(mail)
    assert client.text().replace(b"\r\n..", b"\r\n.") == mail
    assert client.line() == b"+OK %d octets\r\n" % len(mail)
    assert client.text() == b"Subject: long\r\n\r\n..0 \r\n..1 y\r\n..2 yy\r\n"
    assert client.line() == b"+OK\r\n"
    assert {type(call) for call in here.store.reads} == {ReadContent}
    client.close()


def test_store_out_of_reach(site: Callable[..., Site]) -> None:
    here = site()
    here.store.add(b"Subject: x\r\n\r\n")
    here.store.failing = (LockPop3, Ec.ecNetwork)
    client = here.raw_client(login=False)
    client.say(b"USER alice@example.test\r\nPASS secret\r\n")
    client.line()
    assert client.line().startswith(b"-ERR [SYS/TEMP] ")
    here.store.failing = None
    client.say(b"USER alice@example.test\r\nPASS secret\r\nDELE 1\r\n")
    assert [client.line()[:3] for _ in range(3)] == [b"+OK"] * 3
    here.store.failing = (Expunge, Ec.ecTimeout)
    client.say(b"QUIT\r\n")
    assert client.line() == b"-ERR [SYS/TEMP] the deleted messages were not removed\r\n"
    client.close()


def test_wrong_passwords_are_delayed_and_end_it(site: Callable[..., Site]) -> None:
    here = site(Pop3Settings(pop3_auth_times=3))
    here.people.delay = 0.05
    client = here.raw_client(login=False)
    started = time.monotonic()
    for name in (b"alice@example.test", b"nobody", b"alice@example.test"):
        client.say(b"USER " + name + b"\r\nPASS wrong\r\n")
        assert client.line() == b"+OK\r\n"
        assert client.line() == b"-ERR [AUTH] authentication failed\r\n"
    assert time.monotonic() - started >= 0.15
    assert client.line() == b""
    assert here.board["auth_failures"] == 3
    client.close()


def test_stls(site: Callable[..., Site], certificate: tuple[str, str]) -> None:
    here = site(Pop3Settings(pop3_force_tls=True), certificate=certificate[0], private_key=certificate[1])
    here.store.add(b"Subject: x\r\n\r\n")

    def work() -> Any:
        client = poplib.POP3("127.0.0.1", here.running.port, timeout=10)
        assert "USER" not in client.capa()
        with pytest.raises(poplib.error_proto):
            client.user(ALICE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.stls(context=context)
        client.user(ALICE)
        client.pass_("secret")
        stat = client.stat()
        client.quit()
        return stat

    assert gevent.get_hub().threadpool.apply(work) == (1, 14)


def test_drain(site: Callable[..., Site]) -> None:
    """The idle go at once; marked messages are still removed when the client says QUIT in time."""
    here = site()
    here.store.add(b"Subject: x\r\n\r\n")
    stranger = here.raw_client(login=False)
    client = here.raw_client()
    client.say(b"DELE 1\r\n")
    assert client.line() == b"+OK\r\n"
    done = gevent.spawn(here.running.drain)
    assert stranger.line() == b""
    client.say(b"QUIT\r\n")
    assert client.line() == b"+OK bye\r\n"
    done.join()
    assert here.store.call(BOX, GetContents(INBOX, [(1, 100)]), actor=ALICE) == []
    stranger.close()
    client.close()


def test_idle_session_is_logged_out_without_a_word(site: Callable[..., Site]) -> None:
    here = site(Pop3Settings(pop3_conn_timeout=0.1, pop3_autologout_time=0.2))
    stranger, client = here.raw_client(login=False), here.raw_client()
    assert stranger.line() == b""
    assert client.line() == b""
    until(lambda: not here.running.server.connections)
    stranger.close()
    client.close()
