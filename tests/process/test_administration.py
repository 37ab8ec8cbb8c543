"""What an administrator does with gromoxctl, seen from the clients: quotas, names, lists, status, restart, removal."""

from __future__ import annotations

import imaplib
import json
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.load import read_folder
from tests.support.raw import imap
from tests.support.server import ROOT, Server, running, until

pytestmark = pytest.mark.slow


def test_quota(server: Server) -> None:
    """Over the limit: 552 5.2.2 by LMTP, OVERQUOTA by IMAP; after a deletion there is room again (RFC 5530 3)."""
    user = server.add_user("full@example.test")
    server.deliver(messages.make("q-0", size=20_000, to=user), user)
    server.ctl("quota", "set", user, "50K")
    info = json.loads(server.ctl("mailbox", "info", user, "--json"))
    assert info["messages"] == 1 and info["quota_storage"] == 50 << 10 and info["owner"] == user
    server.deliver(messages.make("q-1", size=20_000, to=user), user)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        server.deliver(messages.make("q-2", size=20_000, to=user), user)
    assert refused.value.smtp_code == 552 and b"5.2.2" in refused.value.smtp_error  # type: ignore[operator]
    with imap(server, user) as wire:
        data = messages.make("q-3", size=20_000)
        assert b" NO [OVERQUOTA]" in wire.command(b"APPEND INBOX {%d+}\r\n" % len(data) + data)[-1]
        wire.ok(b"SELECT INBOX")
        assert b" NO [OVERQUOTA]" in wire.command(b"COPY 1 Drafts")[-1]
        wire.ok(rb"STORE 1 +FLAGS (\Deleted)")
        wire.ok(b"EXPUNGE")
        wire.ok(b"APPEND INBOX {%d+}\r\n" % len(data) + data)
    server.ctl("quota", "set", user, "0")
    server.deliver(messages.make("q-4", size=90_000, to=user), user)
    assert sorted(read_folder(server, user, "INBOX")) == ["q-1", "q-3", "q-4"]


def test_aliases_and_login_names(server: Server) -> None:
    """An alias receives mail, an altname logs in; case does not matter; what was removed is refused."""
    user = server.add_user("named@example.test")
    server.ctl("alias", "add", "also@example.test", user)
    server.ctl("altname", "add", "nick", user)
    server.deliver(messages.make("alias"), "ALSO@Example.TEST")
    server.deliver(messages.make("upper"), "Named+Tag@EXAMPLE.test")
    client = server.imap("")
    client.login("nick", server.password(user))
    assert client.select("INBOX") == ("OK", [b"2"])
    client.logout()
    with imap(server) as wire:
        wire.login("NAMED@example.TEST", server.password(user))
    server.ctl("alias", "del", "also@example.test")
    server.reload()
    with server.lmtp() as lmtp:
        until(lambda: lmtp.verify("x") and lmtp.mail("a@example.net") and not accepted(lmtp), describe="alias gone")


def accepted(lmtp: smtplib.LMTP) -> bool:
    """Whether the alias is taken (the transaction is given up)."""
    code, _ = lmtp.rcpt("also@example.test")
    lmtp.rset()
    return code == 250


def test_mailing_list(server: Server) -> None:
    """A list's members get one copy each; a full member does not keep it from the others."""
    members = [server.add_user(f"member{i}@example.test") for i in range(3)]
    server.ctl("list", "add", "team@example.test")
    server.ctl("list", "member", "add", "team@example.test", *members)
    server.deliver(messages.make("to-list"), "team@example.test", members[0])
    for member in members:
        found = read_folder(server, member, "INBOX")
        assert list(found) == ["to-list"] and len(found["to-list"]) == 1
    server.ctl("quota", "set", members[0], "1K")
    server.deliver(messages.make("to-list-2"), "team@example.test")
    assert "to-list-2" in read_folder(server, members[2], "INBOX")


def test_suspended_and_deleted_users(server: Server) -> None:
    """A suspended user neither logs in nor receives; a deleted one is unknown; a new one of that name starts empty."""
    user = server.add_user("leaving@example.test")
    server.deliver(messages.make("old"), user)
    server.ctl("user", "set", user, "--status", "suspended")
    server.reload()
    until(lambda: not can_log_in(server, user), describe="no log-in when suspended")
    with server.lmtp() as lmtp:
        lmtp.mail("a@example.net")
        assert lmtp.rcpt(user)[0] // 100 in (4, 5)
    server.ctl("user", "set", user, "--status", "normal")
    server.reload()
    until(lambda: can_log_in(server, user), describe="log-in again")
    assert list(read_folder(server, user, "INBOX")) == ["old"]
    server.ctl("user", "del", user)
    server.reload()
    until(lambda: not can_log_in(server, user), describe="no log-in when deleted")
    with server.lmtp() as lmtp:
        lmtp.mail("a@example.net")
        assert lmtp.rcpt(user)[0] == 550
    server.add_user(user, "another password 3")
    server.reload()
    until(lambda: can_log_in(server, user), describe="log-in of the namesake")
    assert read_folder(server, user, "INBOX") == {}


def can_log_in(server: Server, user: str) -> bool:
    """Whether the user's password is taken."""
    try:
        server.imap(user).logout()
    except imaplib.IMAP4.error:
        return False
    return True


def test_status_and_health(server: Server) -> None:
    """`gromoxctl status` names every process with its pid; counters move."""
    rows = server.status()
    assert {row["pid"] for row in rows} == {child.pid for child in server.children()}
    assert {row["protocol"] for row in rows} == {"store", "imap", "pop3", "lmtp", "http", "relay"}
    before = server.metric("deliveries")
    server.deliver(messages.make("counted"))
    assert server.metric("deliveries") == before + 1
    assert "imap.0" in server.ctl("status")


def test_a_site_runs_once(server: Server) -> None:
    """A second master on the same site gives up and leaves the first one alone."""
    done = subprocess.run(
        [sys.executable, "-m", "gromoxd", "--embedded", "--site", str(server.site)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0 and "running" in done.stdout + done.stderr
    with server.imap() as client:
        assert client.noop()[0] == "OK"


def test_restart_keeps_everything(tmp_path: Path) -> None:
    """Stop and start: mail, flags, folders, uids, UIDVALIDITY and passwords are what they were."""
    with running(tmp_path / "site") as server:
        password = server.password("alice@example.test")
        server.deliver(messages.make("kept"))
        with imap(server, "alice@example.test") as wire:
            wire.ok(b'CREATE "a/b &AOQ-"')
            data = messages.make("filed")
            wire.ok(b'APPEND "a/b &AOQ-" (\\Flagged kw) {%d+}\r\n' % len(data) + data)
            wire.ok(b'SUBSCRIBE "a/b &AOQ-"')
        before = state_of(server)
    with running(tmp_path / "site") as server:
        assert server.password("alice@example.test") == password
        assert state_of(server) == before


def state_of(server: Server) -> list[bytes]:
    """What a client sees of alice's mailbox."""
    with imap(server, "alice@example.test") as wire:
        found = [*wire.ok(b'LIST "" *'), *wire.ok(b'LSUB "" *')]
        for folder in (b"INBOX", b'"a/b &AOQ-"'):
            found += [line for line in wire.ok(b"EXAMINE " + folder) if b"UIDVALIDITY" in line or b"UIDNEXT" in line]
            found += wire.ok(b"FETCH 1:* (UID FLAGS INTERNALDATE MODSEQ BODY.PEEK[])")
    return [line.replace(rb"\Recent ", b"").replace(rb" \Recent", b"").replace(rb"\Recent", b"") for line in found]
