"""The SMTP client against a server that does as it is told: TLS, log-in, replies, stuffing; and where mail goes to."""

from __future__ import annotations

import base64
import contextlib
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.ssl import SSLContext

from gromoxd.errors import WireError
from gromoxd.exmdb.outgoing import Options
from tests.relay.world import Server
from workers.relay import wire
from workers.relay.remote import Remote
from workers.relay.settings import RelaySettings
from workers.relay.smtp import Lost, Refused, Sending, Smtp, Times
from workers.relay.spool import Mail
from workers.relay.url import CLEAR, IMPLICIT, OFFERED, REQUIRED, UNVERIFIED, Destination, parse_url
from workers.relay.wire import Replies, Reply

TIMES = Times(5, 5, 5)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Certificate and key for localhost, which nobody has signed."""
    folder = tmp_path_factory.mktemp("tls")
    chain, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    more = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", chain]
    subprocess.run(command.split() + more, check=True, capture_output=True)
    return chain, key


@pytest.fixture
def secured(server: Server, certificate: tuple[str, str]) -> Server:
    """With that certificate."""
    server.context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(*certificate)
    return server


def client(server: Server, tls: str = OFFERED, user: str = "", **more: Any) -> Smtp:
    to = Destination(False, more.pop("host", "127.0.0.1"), server.port, tls, user, "p\xe4ss")
    return Smtp(to, "mx.example.test", TIMES, **more)


def mail(*recipients: str, octets: bytes = b"Subject: s\r\n\r\n") -> Sending:
    return Sending("a@example.test", recipients or ("x@elsewhere.test",), len(octets), False, False, lambda: [octets])


def test_tls_when_it_is_offered(secured: Server) -> None:
    smtp = client(secured)
    smtp.open()
    assert smtp.send(mail())[0].code == 2
    smtp.quit()
    assert secured.commands[:3] == ["EHLO mx.example.test", "STARTTLS", "EHLO mx.example.test"]


def test_no_tls_where_it_is_wanted(server: Server) -> None:
    for tls in (REQUIRED, UNVERIFIED):
        with pytest.raises(Lost, match="offers no TLS"):
            client(server, tls).open()
    assert server.mails == []


@pytest.mark.parametrize("tls", [REQUIRED, IMPLICIT])
def test_a_certificate_that_is_not_valid(secured: Server, tls: str) -> None:
    secured.implicit = tls == IMPLICIT
    with pytest.raises(Lost, match="certificate"):
        client(secured, tls).open()


@pytest.mark.parametrize("tls", [REQUIRED, IMPLICIT])
def test_a_certificate_that_is_valid(secured: Server, certificate: tuple[str, str], tls: str) -> None:
    secured.implicit = tls == IMPLICIT
    smtp = client(secured, tls, ca_file=certificate[0], host="localhost")
    smtp.open()
    assert smtp.send(mail())[0].code == 2
    smtp.quit()


@pytest.mark.parametrize("ways", ["PLAIN LOGIN", "LOGIN"])
def test_log_in(server: Server, ways: str) -> None:
    server.extensions.append(f"AUTH {ways}")
    if ways == "LOGIN":
        server.answers["AUTH"] = [b"334 VXNlcm5hbWU6\r\n"]
        server.always |= {
            base64.b64encode(b"me").decode().upper(): b"334 UGFzc3dvcmQ6\r\n",
            base64.b64encode("p\xe4ss".encode()).decode().upper(): b"235 ok\r\n",
        }
    smtp = client(server, user="me")
    smtp.open()
    smtp.quit()
    if ways == "LOGIN":
        assert server.commands[1] == "AUTH LOGIN"
    else:
        assert server.commands[1] == "AUTH PLAIN " + base64.b64encode("\0me\0p\xe4ss".encode()).decode()


def test_a_log_in_that_fails(server: Server) -> None:
    server.extensions.append("AUTH PLAIN")
    server.always["AUTH"] = b"535 5.7.8 no\r\n"
    with pytest.raises(Refused, match=r"535 5\.7\.8 no"):
        client(server, user="me").open()


def test_passwords_are_not_sent_in_the_clear() -> None:
    smtp = Smtp(Destination(False, "mail.example.test", 25, OFFERED, "me", "secret"), "mx", TIMES)
    smtp.offered = {"AUTH": "PLAIN"}
    with pytest.raises(Lost, match="not sent without TLS"):
        smtp._log_in()


@pytest.mark.parametrize("tls", [OFFERED, UNVERIFIED])
def test_passwords_are_not_sent_to_anybody(secured: Server, tls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    secured.extensions.append("AUTH PLAIN")
    monkeypatch.setattr(Destination, "is_loopback", False)
    smtp = client(secured, tls, user="me")
    if tls == OFFERED:
        with pytest.raises(Lost, match="certificate"):
            smtp.open()
    else:
        smtp.open()
        smtp.quit()
    assert any(command.startswith("AUTH") for command in secured.commands) is (tls == UNVERIFIED)


def test_what_is_taken_before_it_was_sent(server: Server) -> None:
    server.always["DATA"] = b"250 fine\r\n"
    smtp = client(server)
    smtp.open()
    assert (smtp.send(mail())[0].code, server.mails) == (4, [])
    smtp.close()


def test_secrets_are_not_shown() -> None:
    to = parse_url("smtps://me:se%40cret@mail.example.test")
    assert (to.user, to.password) == ("me", "se@cret")
    assert "cret" not in repr(to) + to.name


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("sendmail://localhost", (True, "", 25, OFFERED)), ("sendmail:", (True, "", 25, OFFERED)),
        ("smtp://[::1]:26", (False, "::1", 26, OFFERED)),
        ("SMTP://Mail.example.test", (False, "mail.example.test", 25, OFFERED)),
        ("smtp+tls://m.example.test:587", (False, "m.example.test", 587, REQUIRED)),
        ("smtp+unverifiedtls://m.example.test", (False, "m.example.test", 25, UNVERIFIED)),
        ("smtps://m.example.test", (False, "m.example.test", 465, IMPLICIT)),
        ("smtp+clear://10.0.0.1", (False, "10.0.0.1", 25, CLEAR)),
    ],
)  # fmt: skip
def test_urls(url: str, wanted: tuple[bool, str, int, str]) -> None:
    to = parse_url(url)
    assert (to.sendmail, to.host, to.port, to.tls) == wanted


@pytest.mark.parametrize(
    "url", ["", "smtp:", "smtp://", "http://x", "smtp://h:99999", "smtp://h/path", "smtp://[x", "h"]
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"^outgoing_smtp_url: [a-z ,]+$"):
        parse_url(url)


# ---------------------------------------------------------------------------------------------- the wire


def test_replies_byte_by_byte() -> None:
    replies, found = Replies(), []
    for byte in b"220-hello\r\n220 there\r\n250\r\n550 5.1.1 no\nrest":
        replies.feed(bytes([byte]))
        while (reply := replies.next()) is not None:
            found.append(reply)
    assert found == [Reply(220, ("hello", "there")), Reply(250, ("",)), Reply(550, ("5.1.1 no",))]
    assert not replies.is_empty


@pytest.mark.parametrize(
    "octets", [b"hello\r\n", b"999 x\r\n", b"25\r\n", b"250x\r\n", b"x" * 5000, b"250-a\r\n" * 300]
)
def test_what_is_no_reply(octets: bytes) -> None:
    replies = Replies()
    replies.feed(octets)
    with pytest.raises(WireError):
        while replies.next() is None:
            pass


def test_any_octets_are_replies_or_errors() -> None:
    good = b"250-mx.example.test\r\n250-SIZE 100\r\n250 AUTH PLAIN\r\n"
    for at in range(len(good)):
        for value in (0, 10, 13, 32, 45, 48, 57, 255):
            replies = Replies()
            replies.feed(good[:at] + bytes([value]) + good[at + 1 :])
            try:
                while replies.next() is not None:
                    pass
            except WireError:
                continue


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(550, ("5.1.1 no",)), "5.1.1"), (Reply(450, ("5.1.1 no",)), "4.0.0"), (Reply(250, ()), "2.0.0"),
        (Reply(550, ("5.1",)), "5.0.0"),
    ],
)  # fmt: skip
def test_statuses(reply: Reply, status: str) -> None:
    assert reply.status == status


@pytest.mark.parametrize(
    ("octets", "wanted"),
    [
        (b"", b".\r\n"), (b"a", b"a\r\n.\r\n"), (b"a\r\n", b"a\r\n.\r\n"),
        (b".\r\n.\r\n..", b"..\r\n..\r\n...\r\n.\r\n"),
        (b"a\r\n.b\r\n", b"a\r\n..b\r\n.\r\n"), (b"a\r", b"a\r\r\n.\r\n"),
    ],
)  # fmt: skip
def test_stuffing_in_any_pieces(octets: bytes, wanted: bytes) -> None:
    for size in range(1, len(octets) + 2):
        blocks = [octets[at : at + size] for at in range(0, len(octets), size)]
        assert b"".join(wire.stuffed(blocks)) == wanted, size


def test_xtext() -> None:
    assert wire.xtext("a+b=c d\xe4") == "a+2Bb+3Dc+20d+C3+A4"


def test_parameters() -> None:
    offered = {"SIZE": "", "8BITMIME": "", "DSN": ""}
    made = wire.mail_parameters(offered, size=7, eight_bit=True, utf8=True, whole=False, envelope_id="")
    assert made == " SIZE=7 BODY=8BITMIME SMTPUTF8 RET=HDRS"
    assert wire.mail_parameters({}, size=7, eight_bit=False, utf8=False, whole=True, envelope_id="x") == ""
    assert wire.recipient_parameters(offered, 1, "a@b") == " NOTIFY=NEVER"
    assert wire.recipient_parameters(offered, 14, "a@b") == " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a@b"
    assert wire.recipient_parameters({}, 14, "a@b") == wire.recipient_parameters(offered, 0, "a@b") == ""


def test_without_pipelining(server: Server) -> None:
    server.extensions.remove("PIPELINING")
    server.always["RCPT b@elsewhere.test"] = b"550 5.1.1 no\r\n"
    smtp = client(server)
    smtp.open()
    assert [one.code for one in smtp.send(mail("a@elsewhere.test", "b@elsewhere.test", "c@elsewhere.test"))] == [
        2,
        5,
        2,
    ]
    server.always["MAIL"] = b"452 4.3.1 full\r\n"
    assert [one.status for one in smtp.send(mail("a@elsewhere.test", "b@elsewhere.test"))] == ["4.3.1", "4.3.1"]
    assert smtp.is_open
    smtp.quit()


def test_a_server_of_old(server: Server) -> None:
    server.always["EHLO"] = b"502 what\r\n"
    smtp = client(server)
    smtp.open()
    assert (smtp.offered, smtp.send(mail())[0].code) == ({}, 2)
    smtp.quit()


def test_where_nobody_listens(server: Server, tmp_path: Path) -> None:
    server.close()
    with pytest.raises(Lost, match="refused"):
        client(server).open()


@pytest.mark.parametrize("where", ["greeting", "answer", "data"])
def test_a_server_that_drips_is_left(where: str) -> None:
    """Each octet comes in time, the reply never."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)

    def drip(peer: Any) -> None:
        peer.sendall(b"250-")
        while True:
            peer.sendall(b"x")
            gevent.sleep(0.02)

    def serve() -> None:
        peer, _ = listener.accept()
        with peer, peer.makefile("rb") as lines, contextlib.suppress(OSError):
            if where == "greeting":
                drip(peer)
            peer.sendall(b"220 hello\r\n")
            for line in lines:
                if (where, line[:4]) in (("answer", b"MAIL"), ("data", b".\r\n")):
                    drip(peer)
                if line[:5] in (b"EHLO ", b"MAIL ", b"RCPT ", b"DATA\r"):
                    peer.sendall(b"354 go on\r\n" if line[:4] == b"DATA" else b"250 ok\r\n")

    serving = gevent.spawn(serve)
    one = Smtp(Destination(False, "127.0.0.1", listener.getsockname()[1], CLEAR), "me", Times(5, 0.2, 0.2))
    try:
        with gevent.Timeout(10), pytest.raises(Lost, match="timed out"):
            one.open()
            one.send(mail())
    finally:
        one.close()
        serving.kill()
        listener.close()


def test_a_server_that_does_not_read_is_left(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setattr("workers.relay.smtp.SLOWEST", 1 << 40)
    one = Smtp(Destination(False, "127.0.0.1", server.port, CLEAR), "me", Times(5, 5, 0.2))
    one.open()

    def slowly() -> Iterator[bytes]:
        while True:
            gevent.sleep(0.01)
            yield b"text\r\n"

    sending = replace(mail(), blocks=slowly)
    with gevent.Timeout(10), pytest.raises(Lost, match="timed out"):
        one.send(sending)


@pytest.mark.parametrize("does", ["exec sleep 600", "sleep 600 & wait", "cat > /dev/null; sleep 600"])
def test_a_sendmail_that_is_stuck_is_ended(tmp_path: Path, does: str) -> None:
    program = tmp_path / "sendmail"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o700)
    settings = RelaySettings(relay_sendmail_path=str(program), relay_data_timeout=1.0)
    queued = Mail(1, b"t" * 16, "", "a@example.test", 0.0, 0, Options(), b"x" * 62 * 40_000, "", [])
    with gevent.Timeout(20):
        [outcome] = Remote(lambda: settings, "me").send(queued, ["x@elsewhere.test"], b"")
    assert (outcome.code, outcome.text) == (4, "sendmail takes too long")


def test_a_sendmail_that_refuses(tmp_path: Path) -> None:
    program = tmp_path / "sendmail"
    program.write_text("#!/bin/sh\necho no such user >&2\nexit 67\n")
    program.chmod(0o700)
    settings = RelaySettings(relay_sendmail_path=str(program))
    queued = Mail(1, b"t" * 16, "", "a@example.test", 0.0, 0, Options(), b"x" * 62 * 40_000, "", [])
    [outcome] = Remote(lambda: settings, "me").send(queued, ["x@elsewhere.test"], b"")
    assert (outcome.code, outcome.text) == (5, "sendmail: exit status 67 no such user")
