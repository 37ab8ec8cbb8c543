"""SIGHUP: what stays, what changes, and what a bad configuration does (nothing)."""

from __future__ import annotations

import hashlib
import imaplib
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.server import Server, until
from tests.support.wire import Wire

pytestmark = pytest.mark.slow

ALICE = "alice@example.test"
BOB = "bob@example.test"


def open_connections(server: Server) -> list[Wire]:
    """One connection of every kind, in the middle of its work."""
    imap = Wire(server.address("imap"))
    imap.login(ALICE, server.password(ALICE))
    imap.ok(b"SELECT INBOX")
    secure = Wire(server.address("imaps"), tls=True)
    secure.login(ALICE, server.password(ALICE))
    lmtp = Wire(server.address("lmtp"))
    assert lmtp.smtp(b"LHLO c.example.net")[0] == 250
    assert lmtp.smtp(b"MAIL FROM:<a@example.net>")[0] == 250
    pop3 = Wire(server.address("pop3"))
    assert pop3.pop(f"USER {BOB}".encode()).startswith(b"+OK")
    assert pop3.pop(f"PASS {server.password(BOB)}".encode()).startswith(b"+OK")
    return [imap, secure, lmtp, pop3]


def finish(wires: list[Wire]) -> None:
    """They go on where they were."""
    imap, secure, lmtp, pop3 = wires
    imap.ok(b"NOOP")
    secure.ok(b"SELECT INBOX")
    assert lmtp.smtp(f"RCPT TO:<{ALICE}>".encode())[0] == 250
    assert lmtp.smtp(b"DATA")[0] == 354
    assert lmtp.smtp(messages.make("over-reload") + b".")[0] == 250
    imap.ok(b"NOOP")
    assert pop3.pop(b"STAT").startswith(b"+OK")
    for wire in wires:
        wire.close()


def logged(server: Server, text: str, mark: int) -> bool:
    """Whether the log says this behind position `mark`."""
    return text in server.log()[mark:].lower()


def reload(server: Server, *, fails: bool = False) -> None:
    """SIGHUP, and wait until the log tells of it."""
    mark = len(server.log())
    server.reload()
    words = ["configuration"] if fails else ["reload"]
    until(lambda: any(logged(server, word, mark) for word in words), seconds=10, describe="the log tells of the reload")


def test_connections_stay(server: Server) -> None:
    """Three reloads; connections in the middle of their work notice nothing; no worker is replaced."""
    wires = open_connections(server)
    pids = sorted(child.pid for child in server.children())
    for _ in range(3):
        reload(server)
    finish(wires)
    assert sorted(child.pid for child in server.children()) == pids


def test_bad_configuration_keeps_the_old(server: Server) -> None:
    """A bad value is reported with file and line, the old ones stay in force; a good file is taken over again."""
    path = server.site / "conf" / "imap.cfg"
    good = path.read_text()
    lines = good.count("\n")
    wires = open_connections(server)
    path.write_text(good + "imap_autologout_time=never\n")
    mark = len(server.log())
    server.reload()
    until(lambda: f"imap.cfg:{lines + 1}" in server.log()[mark:], seconds=10, describe="file and line in the log")
    finish(wires)
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
    wires = open_connections(server)
    new_certificate(server.site / "tls")
    server.reload()
    for service in services:
        until(lambda s=service: fingerprint(server, s) != old[s], seconds=10, describe=f"{service} renewed")  # type: ignore[misc]
    assert len({fingerprint(server, service) for service in services for _ in range(6)}) == 1
    with pytest.raises(imaplib.IMAP4.error, match=r"(?i)auth|fail|invalid|credential"):
        server.imap("").login(ALICE, "wrong")
    finish(wires)


def test_changed_password(server: Server) -> None:
    """After `gromoxctl user passwd` and SIGHUP the new password works and the old, though cached, no more."""
    user = server.add_user("changes@example.test", "old password 1")
    server.imap(user).logout()
    server.imap(user).logout()
    server.ctl("user", "passwd", user, "--password-stdin", stdin="new password 2\n")
    server.reload()
    server.info["users"][user] = "new password 2"

    def works() -> bool:
        try:
            server.imap(user).logout()
        except imaplib.IMAP4.error:
            return False
        return True

    until(works, seconds=10, describe="the new password works")
    with pytest.raises(imaplib.IMAP4.error):
        server.imap("").login(user, "old password 1")


def test_new_user_is_usable_at_once(server: Server) -> None:
    """No reload is needed for a new user, in any protocol, even when the name was asked for before."""
    user = "fresh@example.test"
    with server.lmtp() as client:
        client.mail("a@example.net")
        assert client.rcpt(user)[0] == 550
    server.add_user(user)
    until(lambda: server.lmtp().sendmail("a@example.net", [user], messages.make("hello")) == {}, seconds=1)
    with server.imap(user) as reader:
        assert reader.select("INBOX") == ("OK", [b"1"])
    server.pop3(user).quit()


def test_pools_are_resized(server: Server) -> None:
    """More POP3 workers after SIGHUP, and fewer again; sessions elsewhere stay."""
    wires = open_connections(server)
    count = len(server.children("pop3"))
    server.set_conf("pop3.cfg", pop3_workers=str(count + 2))
    server.reload()
    until(lambda: len(server.children("pop3")) == count + 2, seconds=15, step=0.3, describe="two more workers")
    finish(wires)
    server.set_conf("pop3.cfg", pop3_workers=str(count))
    server.reload()
    until(lambda: len(server.children("pop3")) == count, seconds=30, step=0.3, describe="two workers fewer")
    server.pop3().quit()
