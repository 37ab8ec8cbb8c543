"""gromoxctl migrate imap: mail is copied from Dovecot and from a server of ours, and copied again."""

from __future__ import annotations

import imaplib
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from gromoxd.cli.migration.imapsource import Flags, ImapSource
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.pages import ANSWERED, FLAGGED, SEEN
from tests.cli.conftest import Ctl
from tests.cli.imappeer import PASSWORD, USER, Proxy, dovecot, needs_dovecot
from tests.cli.served import ALICE, Served
from tests.cli.test_migrate_gromox import folder, index, octets, page
from tests.support.server import running

pytestmark = pytest.mark.slow
INBOX = 0x0D
DATE = '"17-Jul-2020 02:44:25 -0700"'
RECEIVED = 1_594_979_065


def mail(number: int, size: int = 0, more: bytes = b"") -> bytes:
    filling = random.Random(number).randbytes(size).hex().encode()
    lines = b"".join(filling[at : at + 76] + b"\r\n" for at in range(0, len(filling), 76))
    return b"From: a@b.test\r\nSubject: mail %d\r\n%b\r\nHello %d\r\n%b" % (number, more, number, lines)


def named(number: int, size: int = 0) -> bytes:
    return mail(number, size, b"Message-ID: <%d@b.test>\r\n" % number)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with dovecot() as peer:
        yield peer.imap


@pytest.fixture
def far(port: int) -> Iterator[imaplib.IMAP4]:
    """The user's session with Dovecot, his mailbox empty."""
    session = imaplib.IMAP4("127.0.0.1", port)
    session.login(USER, PASSWORD)
    for line in session.list()[1]:
        assert isinstance(line, bytes)
        name = line.rpartition(b' "/" ')[2].decode()
        if name.strip('"') != "INBOX":
            session.delete(name)
    if session.select("INBOX")[1] != [b"0"]:
        ok(session.store("1:*", "+FLAGS", "\\Deleted"))
        ok(session.expunge())
    yield session
    session.logout()


def ok(answer: Any) -> None:
    assert answer[0] == "OK", answer


def copied(ctl: Ctl, port: int, *more: str, status: int = 0, path: str = "") -> Any:
    url = f"imap://user1%40example.test@127.0.0.1:{port}{path}"
    outcome = ctl("migrate", "imap", ALICE, url, "--plaintext", "--password-stdin", "--json", *more,
                  stdin=f"{PASSWORD}\n")  # fmt: skip
    assert outcome.status == status, outcome.err
    assert PASSWORD not in outcome.err + outcome.out
    return json.loads(outcome.out)


@needs_dovecot
def test_mail_flags_times_and_folders(served: Served, filled: Ctl, far: imaplib.IMAP4, port: int) -> None:
    ok(far.append("INBOX", "(\\Seen \\Flagged $Work)", DATE, named(1)))
    ok(far.append("INBOX", "", DATE, mail(2)))
    for name in ("Sent", '"Gel&APY-schte Elemente"', "Projects/2020", "Secret", '"Secret/Deep"'):
        ok(far.create(name))
    ok(far.append("Sent", "(\\Seen \\Answered)", DATE, named(3)))
    ok(far.append("Projects/2020", "", DATE, named(4)))
    ok(far.append("Secret/Deep", "", DATE, named(5)))
    ok(far.subscribe("Projects/2020"))
    found = copied(filled, port, "--exclude", "secret", "--folder", "projects=Archive/Old")
    assert (found["added"], found["failed"]) == (4, 0)
    assert found["folders"] == {"INBOX": 2, "Sent Items": 1, "Archive/Old/2020": 1}
    assert index(served) == [(SEEN | FLAGGED, ("$Work",), RECEIVED), (0, (), RECEIVED)]
    assert octets(served) == [named(1), mail(2)]
    assert index(served, 0x0A) == [(SEEN | ANSWERED, (), RECEIVED)]
    assert octets(served, folder(served, "Archive/Old/2020").fid) == [named(4)]
    listed = served.call(c.ListFolders())
    assert "Archive/Old/2020" in listed.subscriptions
    paths = {one.path for one in listed.folders}
    assert "Gelöschte Elemente" not in paths and "Deleted Items" in paths
    assert not any("Secret" in path for path in paths)
    again = copied(filled, port, "--exclude", "secret", "--folder", "projects=Archive/Old")
    assert (again["added"], again["changed"], again["there"]) == (0, 0, 4)


@needs_dovecot
def test_a_second_run_brings_what_is_new_and_changed(
    served: Served, filled: Ctl, far: imaplib.IMAP4, port: int
) -> None:
    for number in range(1, 6):
        ok(far.append("INBOX", "", DATE, named(number)))
    assert copied(filled, port)["added"] == 5
    uids = list(page(served).uids)
    served.call(c.SetFlags(INBOX, [(uids[3], uids[3])], c.ADD, SEEN))
    served.call(c.Expunge(INBOX, [(uids[4], uids[4])], False))
    far.select("INBOX")
    ok(far.store("1", "+FLAGS", "(\\Seen $Blue)"))
    ok(far.store("2", "+FLAGS", "\\Deleted"))
    ok(far.expunge())
    ok(far.append("INBOX", "", DATE, named(6)))
    found = copied(filled, port)
    assert (found["added"], found["changed"], found["removed"]) == (1, 1, 0)
    assert octets(served) == [named(1), named(2), named(3), named(4), named(6)]
    flags = [row[:2] for row in index(served)]
    assert flags == [(SEEN, ("$Blue",)), (0, ()), (0, ()), (SEEN, ()), (0, ())], "what was done here stays"
    found = copied(filled, port, "--delete")
    assert (found["added"], found["changed"], found["removed"]) == (0, 0, 1)
    assert octets(served) == [named(1), named(3), named(4), named(6)]


@needs_dovecot
def test_flags_are_asked_for_by_mod_sequence(
    served: Served, filled: Ctl, far: imaplib.IMAP4, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 4):
        ok(far.append("INBOX", "", DATE, named(number)))
    copied(filled, port)
    far.select("INBOX")
    ok(far.store("2", "+FLAGS", "\\Flagged"))
    told: list[Any] = []
    ask = ImapSource.changed_flags

    def asked(self: ImapSource, uids: list[int], modseq: int) -> Any:
        told.append(ask(self, uids, modseq))
        return told[-1]

    monkeypatch.setattr(ImapSource, "changed_flags", asked)
    assert copied(filled, port)["changed"] == 1
    assert [list(found.values()) for found in told] == [[Flags(FLAGGED, ())]]
    assert [row[0] for row in index(served)] == [0, FLAGGED, 0]


@needs_dovecot
def test_a_folder_that_was_made_anew_doubles_nothing(
    served: Served, filled: Ctl, far: imaplib.IMAP4, port: int
) -> None:
    for _ in range(2):
        ok(far.create("Box"))
        far.append("Box", "", DATE, named(1))
        far.append("Box", "", DATE, mail(2))
        far.append("Box", "", DATE, named(3))
        found = copied(filled, port)
        ok(far.delete("Box"))
    assert (found["added"], found["there"]) == (0, 3)
    assert octets(served, folder(served, "Box").fid) == [named(1), mail(2), named(3)]


@needs_dovecot
def test_large_mail_comes_through_a_file(served: Served, filled: Ctl, far: imaplib.IMAP4, port: int) -> None:
    large = named(1, 6 << 20)
    ok(far.append("INBOX", "", DATE, large))
    ok(far.append("INBOX", "", DATE, named(2, 700_000)))
    assert copied(filled, port)["added"] == 2
    first, second = page(served).uids
    sizes = list(page(served).sizes)
    assert sizes == [len(large), len(named(2, 700_000))]
    pieces = [served.call(c.ReadContent(INBOX, first, at, 1 << 20)) for at in range(0, len(large), 1 << 20)]
    assert b"".join(pieces) == large
    assert second > first


@needs_dovecot
def test_a_connection_that_breaks_is_made_anew(
    served: Served, filled: Ctl, far: imaplib.IMAP4, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gromoxd.cli.migration.imapsource.FIRST_PAUSE", 0.01)
    for number in range(40):
        ok(far.append("INBOX", "", DATE, named(number, 30_000)))
    ok(far.append("INBOX", "", DATE, named(99, 3 << 20)))
    proxy = Proxy(port, 1_500_000, breaks=4)
    found = copied(filled, proxy.port)
    assert (found["added"], found["failed"]) == (41, 0)
    assert proxy.connections == 5
    proxy.close()
    assert sorted(page(served).sizes) == sorted([*(len(named(n, 30_000)) for n in range(40)), len(named(99, 3 << 20))])


@needs_dovecot
def test_kill_9_and_again(served: Served, filled: Ctl, far: imaplib.IMAP4, port: int, site: Path) -> None:
    for number in range(300):
        ok(far.append("INBOX", "", DATE, named(number, 20_000)))
    proxy = Proxy(port, 9_000_000, breaks=1, hold=True)
    url = f"imap://user1%40example.test@127.0.0.1:{proxy.port}"
    words = ["-s", str(site), "migrate", "imap", ALICE, url, "--plaintext", "--password-stdin"]
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from gromoxd.cli.main import main; sys.exit(main(sys.argv[1:]))", *words],
        stdin=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(PASSWORD.encode() + b"\n")
    process.stdin.close()
    with gevent.Timeout(60):
        while not proxy.held.is_set() or not page(served).uids:
            assert process.poll() is None
            gevent.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    while process.poll() is None:
        gevent.sleep(0.02)
    proxy.close()
    before = len(page(served).uids)
    assert 0 < before < 300
    found = copied(filled, port)
    assert (found["added"] + found["there"], found["failed"]) == (300, 0)
    assert found["there"] >= before
    assert served.call(c.GetMailboxInfo()).messages == 300


@needs_dovecot
def test_dry_run_since_and_wrong_password(served: Served, filled: Ctl, far: imaplib.IMAP4, port: int) -> None:
    ok(far.append("INBOX", "", DATE, named(1)))
    ok(far.append("INBOX", "", '"17-Jul-2024 02:44:25 -0700"', named(2)))
    assert copied(filled, port, "--dry-run")["added"] == 2
    assert not page(served).uids
    assert copied(filled, port, "--since", "2024-01-01")["added"] == 1
    assert octets(served) == [named(2)]
    assert copied(filled, port)["added"] == 1
    url = f"imap://user1%40example.test@127.0.0.1:{port}"
    outcome = filled("migrate", "imap", ALICE, url, "--plaintext", "--password-stdin", stdin="wrong\n")
    assert (outcome.status, "log-in refused" in outcome.err) == (1, True)
    outcome = filled("migrate", "imap", ALICE, url, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (outcome.status, "STARTTLS" in outcome.err, "Traceback" in outcome.err) == (1, True, False)


def test_a_server_that_is_not_there(served: Served, filled: Ctl) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    url = f"imaps://a@127.0.0.1:{closed}"
    outcome = filled("migrate", "imap", ALICE, url, "--password-stdin", stdin="x\n")
    assert (outcome.status, "refused" in outcome.err) == (1, True)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("imaps://a:secret@example.test", "password does not belong"),
        ("https://a@example.test", "the URL is"),
        ("imaps://example.test", "the URL is"),
        ("imap://a@example.test", "for this host only"),
    ],
)
def test_urls_that_are_refused(filled: Ctl, url: str, says: str) -> None:
    more = ("--plaintext",) if says.startswith("for") else ()
    outcome = filled("migrate", "imap", ALICE, url, "--password-stdin", *more, stdin="x\n")
    assert outcome.status == 1
    assert says in outcome.err and "secret" not in outcome.err


def test_from_a_server_of_ours(served: Served, filled: Ctl, tmp_path: Path) -> None:
    with running(tmp_path / "other") as other:
        with other.imap(ALICE) as session:
            session.create("Fr&APw-hst&APw-ck")
            for number in range(3):
                ok(session.append("INBOX", "(\\Seen)", DATE, named(number)))
            ok(session.append("Drafts", "(\\Draft)", DATE, named(7)))
        host, secure = other.address("imaps")
        url = f"imaps://alice%40example.test@{host}:{secure}"
        words = ("migrate", "imap", ALICE, url, "--password-stdin")
        outcome = filled(*words, stdin=f"{other.password(ALICE)}\n")
        assert (outcome.status, "--no-verify" in outcome.err) == (1, True)
        outcome = filled(*words, "--no-verify", "--json", stdin=f"{other.password(ALICE)}\n")
        assert outcome.status == 0, outcome.err
        assert json.loads(outcome.out)["added"] == 4
    assert octets(served) == [named(0), named(1), named(2)]
    assert octets(served, 0x0E) == [named(7)]
