"""The worker's glue over real sockets: smtplib, timeouts, drain, TLS, confirmation after the reply."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
import pytest

from tests.common.people import People, Settings
from tests.common.running import Running, until
from tests.lmtp.test_delivery import Spying
from workers.common.confirm import Confirmer
from workers.lmtp.server import LmtpWorker
from workers.lmtp.service import DeliveryService
from workers.lmtp.settings import LmtpSettings

T = TypeVar("T")
MAIL = b"Subject: hello\r\n\r\n.dot\r\nbody\r\n"


def in_thread(work: Callable[[], T]) -> T:
    """Run a blocking client beside this process's hub."""
    result: T = gevent.get_hub().threadpool.apply(work)
    return result


class Site:
    """A running LMTP worker with the memory store behind it."""

    def __init__(self, start: Callable[..., Running], settings: LmtpSettings, **server: Any) -> None:
        self.store = Spying()
        self.people = People()
        self._settings = Settings(settings)
        holder: list[LmtpWorker] = []
        self.running = start(lambda conn: holder[0].handle(conn), **server)
        self.board = self.running.board
        service = DeliveryService(self.people, self.store, self.board, "mx.example.test")
        self.running.ctx.config = self._settings
        holder.append(LmtpWorker(self.running.ctx, service, Confirmer(self.store), "mx.example.test"))
        self.port = self.running.port


@pytest.fixture
def site(start: Callable[..., Running]) -> Callable[..., Site]:
    def make(settings: LmtpSettings | None = None, **server: Any) -> Site:
        return Site(start, settings or LmtpSettings(), **server)

    return make


def test_smtplib_delivers_over_lmtp(site: Callable[..., Site]) -> None:
    here = site()

    def work() -> Any:
        with smtplib.LMTP("127.0.0.1", here.port, local_hostname="client.example", timeout=10) as client:
            return client.sendmail("s@example.net", ["alice@example.test", "nobody@example.test"], MAIL)

    assert list(in_thread(work)) == ["nobody@example.test"]
    [raw] = here.store.inbox("alice")
    assert raw.endswith(b"\r\n" + MAIL)
    until(lambda: list(here.store.confirmed) == ["/m/alice"])
    assert here.store.confirmed["/m/alice"] == [here.store.deliveries[0][1].request_id]


def test_smtplib_delivers_over_smtp(site: Callable[..., Site]) -> None:
    here = site()

    def work() -> Any:
        with smtplib.SMTP("127.0.0.1", here.port, local_hostname="client.example", timeout=10) as client:
            refused = client.sendmail("s@example.net", ["alice@example.test", "bob@example.test"], MAIL)
            assert client.has_extn("size")
            return refused

    assert in_thread(work) == {}
    assert len(here.store.inbox("alice")) == len(here.store.inbox("bob")) == 1


def test_starttls(site: Callable[..., Site], certificate: tuple[str, str]) -> None:
    here = site(certificate=certificate[0], private_key=certificate[1])

    def work() -> Any:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with smtplib.LMTP("127.0.0.1", here.port, local_hostname="client.example", timeout=10) as client:
            client.ehlo_or_helo_if_needed()
            client.starttls(context=context)
            return client.sendmail("s@example.net", ["alice@example.test"], MAIL)

    assert in_thread(work) == {}
    assert b"with LMTPS id" in here.store.inbox("alice")[0]


def test_plaintext_behind_starttls_is_not_obeyed(site: Callable[..., Site], certificate: tuple[str, str]) -> None:
    here = site(certificate=certificate[0], private_key=certificate[1])
    sock = here.running.connect()
    sock.recv(1000)
    sock.sendall(b"LHLO c\r\n")
    assert b"STARTTLS" in sock.recv(1000)
    sock.sendall(b"STARTTLS\r\nLHLO evil\r\nMAIL FROM:<evil@example.net>\r\n")
    assert sock.recv(1000) == b"220 2.0.0 Ready to start TLS\r\n"
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = context.wrap_socket(sock)
    client.sendall(b"RCPT TO:<alice@example.test>\r\nMAIL FROM:<a@b>\r\n")
    answers = b""
    while answers.count(b"\n") < 2:
        answers += client.recv(1000)
    assert [line[:3] for line in answers.splitlines()] == [b"503", b"503"]
    client.close()


def test_silent_client_is_told_and_others_are_served(site: Callable[..., Site]) -> None:
    here = site(LmtpSettings(smtp_conn_timeout=0.2))
    silent = [here.running.connect() for _ in range(50)]
    client = here.running.connect()
    client.recv(1000)
    client.sendall(b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n")
    seen = b""
    while b"354" not in seen:
        seen += client.recv(1000)
    client.sendall(b"x\r\n.\r\n")
    assert client.recv(1000).startswith(b"250 2.0.0")
    for sock in silent:
        said = b"".join(iter(lambda sock=sock: sock.recv(1000), b""))  # type: ignore[misc]
        assert said == b"220 mx.example.test ESMTP LMTP ready\r\n421 4.4.2 Timed out\r\n"
        sock.close()
    client.close()


def test_message_that_never_ends_is_cut(site: Callable[..., Site]) -> None:
    here = site(LmtpSettings(smtp_message_timeout=0.3, smtp_conn_timeout=5.0))
    client = here.running.connect()
    client.sendall(b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n")

    def drip() -> None:
        try:
            while True:
                client.sendall(b"x\r\n")
                gevent.sleep(0.02)
        except OSError:
            return

    greenlet = gevent.spawn(drip)
    seen = b""
    while b"421 4.4.2" not in seen:
        seen += client.recv(1000)
    client.close()
    greenlet.join()
    assert here.store.inbox("alice") == []


def test_half_a_message_is_no_message(site: Callable[..., Site]) -> None:
    here = site()
    client = here.running.connect()
    client.sendall(b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nhalf\r\n.")
    until(lambda: bool(here.running.server.connections))
    client.close()
    until(lambda: not here.running.server.connections)
    assert here.store.inbox("alice") == []
    assert here.board.get("internal_errors", 0) == 0


def test_drain_lets_a_message_finish_and_parts_from_the_idle(site: Callable[..., Site]) -> None:
    here = site()
    idle, busy = here.running.connect(), here.running.connect()
    assert idle.recv(1000).startswith(b"220")
    busy.recv(1000)
    busy.sendall(b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n")
    seen = b""
    while b"354" not in seen:
        seen += busy.recv(1000)
    done = gevent.spawn(here.running.drain)
    assert idle.recv(1000) == b"421 4.3.2 Service is shutting down\r\n"
    busy.sendall(b"late\r\n.\r\n")
    seen = b""
    while b"421" not in seen:
        seen += busy.recv(1000)
    assert seen.startswith(b"250 2.0.0")
    done.join()
    assert len(here.store.inbox("alice")) == 1
    idle.close()
    busy.close()


def test_thousand_pipelined_commands(site: Callable[..., Site]) -> None:
    here = site()
    client = here.running.connect()
    client.sendall(b"NOOP\r\n" * 20_000 + b"QUIT\r\n")
    got = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert got.count(b"250 2.0.0") == 20_000
    assert got.endswith(b"221 2.0.0 Bye\r\n")
    client.close()
