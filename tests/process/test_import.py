"""gromoxctl import and export beside a server that runs: what was imported is there for IMAP, octet by octet."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.convert.pst.made import made
from tests.support.server import Server

pytestmark = pytest.mark.slow


def test_an_mbox_is_seen_by_imap(server: Server, tmp_path: Path) -> None:
    user = server.add_user("import@example.test")
    path = tmp_path / "old.mbox"
    path.write_bytes(
        b"From a@b Tue Mar  3 10:20:30 2026\nSubject: one\nStatus: RO\n\nfirst\n\n"
        b"From a@b Tue Mar  3 10:20:31 2026\nSubject: two\n\n>From second\n"
    )
    assert server.ctl("import", "mbox", user, str(path)).splitlines()[-1] == "2 imported, 0 there already, 0 failed"
    client = server.imap(user)
    assert client.select("INBOX") == ("OK", [b"2"])
    _, found = client.fetch("1:2", "(FLAGS INTERNALDATE BODY.PEEK[])")
    assert found[0][1] == b"Subject: one\r\n\r\nfirst\r\n"
    assert b"\\Seen" in found[0][0] and b'" 3-Mar-2026 10:20:30 +0000"' in found[0][0]
    assert found[2][1] == b"Subject: two\r\n\r\nFrom second\r\n"
    client.logout()
    out = tmp_path / "out"
    server.ctl("export", "mbox", user, str(out))
    assert (out / "INBOX.mbox").read_bytes() == (
        b"From MAILER-DAEMON Tue Mar  3 10:20:30 2026\nSubject: one\nStatus: RO\n\nfirst\n\n"
        b"From MAILER-DAEMON Tue Mar  3 10:20:31 2026\nSubject: two\nStatus: O\n\n>From second\n\n"
    )


def test_personal_folders_are_seen_by_imap(server: Server, tmp_path: Path) -> None:
    user = server.add_user("outlook@example.test")
    path = tmp_path / "old.pst"
    path.write_bytes(made(count=600))
    started = time.monotonic()
    assert "600 imported" in server.ctl("import", "pst", user, str(path))
    print(f"600 messages in {time.monotonic() - started:.1f} s")
    client = server.imap(user)
    assert client.select("INBOX") == ("OK", [b"600"])
    _, found = client.fetch("1:600", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    assert len([one for one in found if isinstance(one, tuple) and b"Subject: =?utf-8?" in one[1]]) == 600
    client.logout()
