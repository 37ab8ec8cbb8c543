"""HAProxy before IMAP, POP3 and LMTP: the server knows the client's address from PROXY headers of both versions.

The client's address is made up: the frontends take a PROXY header themselves, and pass on what it says.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import require_binary
from tests.services.daemons import daemon, example, run
from tests.support import messages
from tests.support.server import Server, closed_on_failure, own_host, running, trusting_tls, until
from tests.support.wire import Wire

pytestmark = pytest.mark.slow
TRUSTED, STRANGE = own_host(), own_host()
SERVED = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995, "lmtp": 24}
HEADER = "send-proxy-v2 check-send-proxy"
OPTIONS = {
    "imap_accept_haproxy": "2", "pop3_accept_haproxy": "2", "lda_accept_haproxy": "2",
    "haproxy_trusted": f"{TRUSTED} 192.0.2.0/24", "auth_fail_delay": "0", "auth_times": "3",
    "block_interval_auths": "10min",
}  # fmt: skip
ALICE = "alice@example.test"


@dataclass
class Balancer:
    """A running HAProxy before `server`."""

    server: Server
    host: str

    def connect(self, service: str, client: str) -> Wire:
        """A connection that comes from `client`, as far as HAProxy can tell."""
        family, here = ("TCP6", "2001:db8::1") if ":" in client else ("TCP4", "192.0.2.1")
        wire = Wire((self.host, 10000 + SERVED[service]), greet=False)
        with closed_on_failure(wire.close):
            wire.send(f"PROXY {family} {client} {here} 4711 {SERVED[service]}\r\n".encode())
            if service.endswith("s"):
                wire.sock = trusting_tls().wrap_socket(wire.sock)
            wire.greeting = wire.line()
        return wire


def configuration(server: Server, host: str, send: str) -> str:
    """The example with this machine's addresses; both nodes are `server`."""
    text = example("haproxy.cfg", {HEADER: send})
    for service, port in SERVED.items():
        address = "{}:{}".format(*server.address(service))
        text, count = re.subn(rf"(server node\d) 198\.51\.100\.\d:{port}$", rf"\1 {address}", text, flags=re.M)
        assert count == 2, service
        text, count = re.subn(rf"bind :{port}$", f"bind {host}:{10000 + port} accept-proxy", text, flags=re.M)
        assert count == 1, service
    return text.replace("maxconn 100000", "maxconn 500")


@contextlib.contextmanager
def haproxy(server: Server, folder: Path, send: str) -> Iterator[Balancer]:
    program, host = require_binary("haproxy"), own_host()
    path = folder / f"{host}.cfg"
    path.write_text(configuration(server, host, send))
    run(program, "-c", "-q", "-f", path)
    with daemon(program, "-db", "-f", path, host=host, port=10143, log=folder / f"{host}.log"):
        yield Balancer(server, host)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    require_binary("haproxy")
    with running(tmp_path_factory.mktemp("site") / "site", options=OPTIONS) as started:
        yield started


@pytest.fixture(scope="module", params=["send-proxy", "send-proxy-v2"])
def balancer(
    server: Server, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Balancer]:
    """Both versions of the header, from a trusted address."""
    with haproxy(server, tmp_path_factory.mktemp("ha"), f"{request.param} check-send-proxy source {TRUSTED}") as made:
        yield made


@pytest.fixture
def client(balancer: Balancer, request: pytest.FixtureRequest) -> str:
    """A client's address that no other test has used."""
    return f"203.0.113.{sum(request.node.name.encode()) % 250 + 1}"


def ended(server: Server, service: str, peer: str) -> None:
    """The log line of a session says where its client was."""
    pattern = re.compile(rf"session ended .*\bservice={service} peer={re.escape(peer)}\b")
    until(lambda: pattern.search(server.log()), describe=f"{service} session of {peer} in the log")


@pytest.mark.parametrize("service", ["imap", "imaps", "pop3", "pop3s", "lmtp"])
def test_the_log_names_the_client(balancer: Balancer, service: str, client: str) -> None:
    with balancer.connect(service, client) as wire:
        assert wire.greeting.split()[0] in (b"*", b"+OK", b"220")
        wire.send(b"QUIT\r\n" if not service.startswith("imap") else b"a LOGOUT\r\n")
        wire.rest()
    ended(balancer.server, service, client)


def test_ipv6_clients(balancer: Balancer) -> None:
    with balancer.connect("imap", "2001:db8::42") as wire:
        wire.send(b"a LOGOUT\r\n")
        wire.rest()
    ended(balancer.server, "imap", "2001:db8::42")


def test_a_distant_client_is_not_taken_for_a_local_one(balancer: Balancer, client: str) -> None:
    """HAProxy is on loopback here; passwords in plain text are for clients on loopback only."""
    with balancer.connect("imap", client) as wire:
        assert b"LOGINDISABLED" in wire.greeting
        wire.send(b"a LOGIN alice@example.test x\r\n")
        assert wire.line().startswith(b"a NO [PRIVACYREQUIRED]")
    with balancer.connect("imap", "127.0.0.9") as wire:
        assert b"LOGINDISABLED" not in wire.greeting


def test_throttled_by_the_clients_address(balancer: Balancer, client: str) -> None:
    """TLS begins behind the header. Whoever guesses is shut out, another behind the same HAProxy is not."""
    password = balancer.server.password(ALICE)
    with balancer.connect("imaps", client) as wire:
        for number in range(3):
            wire.send(b'%d LOGIN alice@example.test "wrong"\r\n' % number)
            assert wire.line().startswith(b"%d NO [AUTHENTICATIONFAILED]" % number)
        wire.send(f'b LOGIN {ALICE} "{password}"\r\n'.encode())
        assert wire.line().startswith(b"b NO [AUTHENTICATIONFAILED]"), "the right password comes too late"
    with balancer.connect("pop3s", client) as wire:
        wire.send(f"USER {ALICE}\r\nPASS {password}\r\n".encode())
        assert [wire.line()[:3] for _ in range(2)] == [b"+OK", b"-ER"], "POP3 counts with IMAP"
    for service in ("imaps", "pop3s"):
        with balancer.connect(service, f"198.51.100.{client.rpartition('.')[2]}") as wire:
            if service == "imaps":
                wire.send(f'c LOGIN {ALICE} "{password}"\r\nd LOGOUT\r\n'.encode())
                assert b"c OK" in wire.rest()
            else:
                wire.send(f"USER {ALICE}\r\nPASS {password}\r\nQUIT\r\n".encode())
                assert wire.rest().count(b"+OK") == 3


def test_lmtp_writes_the_client_into_received(balancer: Balancer, client: str) -> None:
    name = f"by-{balancer.host}"
    with balancer.connect("lmtp", client) as wire:
        for command in (b"LHLO client.example.net", b"MAIL FROM:<a@example.net>", b"RCPT TO:<alice@example.test>"):
            assert wire.smtp(command)[0] == 250
        assert wire.smtp(b"DATA")[0] == 354
        assert wire.smtp(messages.make(name) + b".")[0] == 250
    with balancer.server.imap() as mailbox:
        mailbox.select("INBOX")
        (number,) = mailbox.search(None, "SUBJECT", f'"{name}"')[1][0].split()
        raw = mailbox.fetch(number.decode(), "(BODY.PEEK[HEADER])")[1][0][1]
    assert f"Received: from client.example.net ([{client}])\r\n".encode() in raw


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
def test_a_header_from_elsewhere_is_refused(server: Server, tmp_path: Path, version: str) -> None:
    """It is no header then but a faulty command; the address that it claims is believed by nobody."""
    before = server.metric("bad_input")
    with haproxy(server, tmp_path, f"{version} source {STRANGE}") as balancer:
        with balancer.connect("imap", "192.0.2.66") as wire:
            assert wire.line().split()[:2] in ([b"*", b"BAD"], [b"PROXY", b"BAD"])
            wire.send(b"\r\na LOGOUT\r\n")  # what is left of a binary header has no line end
            assert b"a OK" in wire.rest()
        with balancer.connect("pop3", "192.0.2.66") as wire:
            assert wire.line().startswith(b"-ERR")
        with balancer.connect("lmtp", "192.0.2.66") as wire:
            assert wire.line().startswith(b"500 5.5.")
        with pytest.raises(OSError):
            balancer.connect("imaps", "192.0.2.66")
    ended(server, "imap", STRANGE)
    assert "peer=192.0.2.66" not in server.log()
    assert server.metric("bad_input") > before


def test_without_a_header_nobody_gets_in_from_a_trusted_address(server: Server) -> None:
    for service in ("imap", "pop3", "lmtp", "imaps"):
        with Wire(server.address(service), source=TRUSTED, greet=False) as wire:
            wire.send(b"a LOGIN alice@example.test x\r\n")
            assert wire.rest() == b"", service


def test_without_haproxy_nothing_changes(server: Server) -> None:
    with server.imap() as mailbox:
        assert mailbox.noop()[0] == "OK"
    server.deliver(messages.make("straight in"))
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        server.deliver(messages.make("nobody"), "nobody@example.test")
