"""SIGHUP: what stays, what changes, and what a bad configuration does (nothing)."""

from __future__ import annotations

import hashlib
import imaplib
import ssl
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.server import Server, until
from tests.support.wire import Wire

pytestmark = pytest.mark.slow

ALICE = "alice@example.test"
BOB = "bob@example.test"


class Connections:
    """One connection of every kind, in the middle of its work; `finish` goes on where they were."""

    def __init__(self, server: Server) -> None:
        with ExitStack() as stack:
            self.imap = stack.enter_context(Wire(server.address("imap")))
            self.secure = stack.enter_context(Wire(server.address("imaps"), tls=True))
            self.lmtp = stack.enter_context(Wire(server.address("lmtp")))
            self.pop3 = stack.enter_context(Wire(server.address("pop3")))
            self.begin(server)
            self._stack = stack.pop_all()

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self, server: Server) -> None:
        """Log in, and stop in the middle of things."""
        self.imap.login(ALICE, server.password(ALICE))
        self.imap.ok(b"SELECT INBOX")
        self.secure.login(ALICE, server.password(ALICE))
        assert self.lmtp.smtp(b"LHLO c.example.net")[0] == 250
        assert self.lmtp.smtp(b"MAIL FROM:<a@example.net>")[0] == 250
        assert self.pop3.pop(f"USER {BOB}".encode()).startswith(b"+OK")
        assert self.pop3.pop(f"PASS {server.password(BOB)}".encode()).startswith(b"+OK")

    def finish(self) -> None:
        """They notice nothing."""
        self.imap.ok(b"NOOP")
        self.secure.ok(b"SELECT INBOX")
        assert self.lmtp.smtp(f"RCPT TO:<{ALICE}>".encode())[0] == 250
        assert self.lmtp.smtp(b"DATA")[0] == 354
        assert self.lmtp.smtp(messages.make("over-reload") + b".")[0] == 250
        self.imap.ok(b"NOOP")
        assert self.pop3.pop(b"STAT").startswith(b"+OK")


def reload(server: Server) -> None:
    """SIGHUP, and wait until the directory's epoch tells of it."""
    epoch = server.metric("directory_epoch")
    server.reload()
    until(lambda: server.metric("directory_epoch") > epoch, seconds=10, describe="the reload")


def test_connections_stay(server: Server) -> None:
    """Three reloads; connections in the middle of their work notice nothing; no worker is replaced."""
    pids = sorted(child.pid for child in server.children())
    with Connections(server) as connections:
        for _ in range(3):
            reload(server)
        connections.finish()
    assert sorted(child.pid for child in server.children()) == pids


def test_bad_configuration_keeps_the_old(server: Server) -> None:
    """A bad value is reported with file and line, the old ones stay in force; a good file is taken over again."""
    path = server.site / "conf" / "imap.cfg"
    good = path.read_text()
    lines = good.count("\n")
    with Connections(server) as connections:
        path.write_text(good + "imap_autologout_time=never\n")
        mark = len(server.log())
        server.reload()
        until(lambda: f"imap.cfg:{lines + 1}" in server.log()[mark:], seconds=10, describe="file and line in the log")
        connections.finish()
    with server.imap() as client:
        assert client.noop()[0] == "OK"
    path.write_text(good)
    reload(server)


def fingerprint(server: Server, service: str) -> str:
    """SHA-256 of the certificate that a service shows."""
    pem = ssl.get_server_certificate(server.address(service), timeout=10)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def new_certificate(folder: Path) -> None:
    """Another self-signed certificate in place of the present one."""
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=renewed.example.test", "-days", "30", "-keyout", str(folder / "key.pem"),
            "-out", str(folder / "certificate.pem"),
        ],
        check=True, capture_output=True,
    )  # fmt: skip


def test_certificate_is_renewed(server: Server) -> None:
    """New files and SIGHUP: new connections see the new certificate, on all ports; old connections stay."""
    services = ("imaps", "pop3s", "https")
    old = {service: fingerprint(server, service) for service in services}
    with Connections(server) as connections:
        new_certificate(server.site / "tls")
        server.reload()
        for service in services:
            until(lambda s=service: fingerprint(server, s) != old[s], seconds=10, describe=f"{service} renewed")  # type: ignore[misc]
        assert len({fingerprint(server, service) for service in services for _ in range(6)}) == 1
        connections.finish()


def test_changed_password(server: Server) -> None:
    """After `gromoxctl user passwd` and SIGHUP the new password works and the old, though cached, no more."""
    user = server.add_user("changes@example.test", "old password 1")
    server.imap(user).logout()
    server.imap(user).logout()
    server.ctl("user", "passwd", user, "--password-stdin", stdin="new password 2\n")
    server.reload()
    server.info["users"][user] = "new password 2"

    until(lambda: can_log_in(server, user), seconds=10, describe="the new password works")
    server.info["users"][user] = "old password 1"
    assert not can_log_in(server, user)


def can_log_in(server: Server, user: str) -> bool:
    """Whether the user's password is taken."""
    try:
        server.imap(user).logout()
    except imaplib.IMAP4.error:
        return False
    return True


def test_new_user_is_usable_at_once(server: Server) -> None:
    """No reload is needed for a new user, in any protocol."""
    user = server.add_user("fresh@example.test")
    server.deliver(messages.make("hello", to=user), user)
    with server.imap(user) as reader:
        assert reader.select("INBOX") == ("OK", [b"1"])
    server.pop3(user).quit()


def test_new_user_whose_name_was_asked_for(server: Server) -> None:
    """That a name does not exist is remembered for seconds only."""
    user = "wanted@example.test"

    def accepted() -> bool:
        with server.lmtp() as client:
            client.mail("a@example.net")
            return bool(client.rcpt(user)[0] == 250)

    assert not accepted()
    server.add_user(user)
    until(accepted, seconds=5, describe="the new user is known")


def test_pools_are_resized(server: Server) -> None:
    """More POP3 workers after SIGHUP, and fewer again; sessions elsewhere stay."""
    count = len(server.children("pop3"))
    with Connections(server) as connections:
        server.set_conf("pop3.cfg", pop3_workers=str(count + 2))
        server.reload()
        until(lambda: len(server.children("pop3")) == count + 2, seconds=15, step=0.3, describe="two more workers")
        connections.finish()
    server.set_conf("pop3.cfg", pop3_workers=str(count))
    server.reload()
    until(lambda: len(server.children("pop3")) == count, seconds=30, step=0.3, describe="two workers fewer")
    server.pop3().quit()
