"""curl and swaks do their rounds from the outside."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.server import Server

pytestmark = pytest.mark.slow

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is NOT INSTALLED: its round is not tested")
needs_swaks = pytest.mark.skipif(not shutil.which("swaks"), reason="swaks is NOT INSTALLED: its round is not tested")


def run(*command: str, stdin: bytes = b"", code: int = 0) -> bytes:
    """Run a client; it ends with `code`."""
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60)
    assert done.returncode == code, (command, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def curl(server: Server, scheme: str, path: str, *options: str, user: str, code: int = 0) -> bytes:
    """One curl call to a service of the server."""
    host, port = server.address(scheme)
    login = ["--user", f"{user}:{server.password(user)}"] if user else []
    return run("curl", "-sS", "--insecure", *login, *options, f"{scheme}://{host}:{port}/{path}", code=code)


@needs_curl
@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_curl_imap(server: Server, tmp_path: Path, scheme: str) -> None:
    """Append, list, search, fetch, flag and create with curl."""
    user = server.add_user(f"curl-{scheme}@example.test")
    original = messages.make("curl-1", to=user)
    (tmp_path / "mail.eml").write_bytes(original)
    curl(server, scheme, "INBOX", "-T", str(tmp_path / "mail.eml"), user=user)
    assert b"INBOX" in curl(server, scheme, "", user=user)
    assert curl(server, scheme, "INBOX?SUBJECT%20curl-1", user=user) == b"* SEARCH 1\r\n"
    assert curl(server, scheme, "INBOX;MAILINDEX=1", user=user) == original
    assert curl(server, scheme, "INBOX;UID=1;SECTION=HEADER", user=user).startswith(b"Date: ")
    curl(server, scheme, "", "-X", "CREATE Pl&AOQ-ne", user=user)
    curl(server, scheme, "INBOX", "-X", r"STORE 1 +FLAGS.SILENT \Seen", user=user)
    assert b"UNSEEN 0" in curl(server, scheme, "", "-X", "STATUS INBOX (UNSEEN)", user=user)


@needs_curl
def test_curl_starttls_and_wrong_password(server: Server) -> None:
    """--ssl-reqd makes curl use STARTTLS; a wrong password is exit code 67."""
    assert b"INBOX" in curl(server, "imap", "", "--ssl-reqd", user="alice@example.test")
    host, port = server.address("imap")
    run("curl", "-sS", "--user", "alice@example.test:wrong", f"imap://{host}:{port}/", code=67)


@needs_curl
@pytest.mark.parametrize("scheme", ["pop3", "pop3s"])
def test_curl_pop3(server: Server, scheme: str) -> None:
    """List, fetch and delete with curl."""
    user = server.add_user(f"curl-{scheme}@example.test")
    original = messages.make("curl-2", to=user)
    server.deliver(original, user)
    number, size = curl(server, scheme, "", user=user).split()
    assert number == b"1"
    stored = curl(server, scheme, "1", user=user)
    assert messages.without_trace(stored, original) == original and len(stored) == int(size)
    curl(server, scheme, "1", "-X", "DELE", "--list-only", user=user)
    assert curl(server, scheme, "", user=user).strip() == b""


@needs_curl
def test_curl_delivers(server: Server, tmp_path: Path) -> None:
    """curl speaks SMTP to the same port."""
    user = server.add_user("curl-smtp@example.test")
    original = messages.make("curl-3", to=user)
    (tmp_path / "mail.eml").write_bytes(original)
    host, port = server.address("lmtp")
    mail = ["--mail-from", "s@example.net", "--mail-rcpt", user, "-T", str(tmp_path / "mail.eml")]
    run("curl", "-sS", *mail, f"smtp://{host}:{port}/client.example.net")
    run("curl", "-sS", "--insecure", "--ssl-reqd", *mail, f"smtp://{host}:{port}/client.example.net")
    with server.imap(user) as reader:
        assert reader.select("INBOX") == ("OK", [b"2"])


@needs_swaks
@pytest.mark.parametrize("options", [[], ["--tls"], ["--protocol", "ESMTP"], ["--pipeline"]])
def test_swaks(server: Server, options: list[str]) -> None:
    """swaks delivers by LMTP, with STARTTLS, by SMTP and pipelined."""
    user = server.add_user(f"swaks{len(options)}{''.join(options).strip('-').lower()}@example.test")
    host, port = server.address("lmtp")
    protocol = [] if "--protocol" in options else ["--protocol", "LMTP"]
    output = run(
        "swaks", "--server", host, "--port", str(port), *protocol, *options, "--from", "s@example.net", "--to", user,
        "--ehlo", "client.example.net", "--header", "Subject: from swaks", "--body", "one\n.\n..two\nlast\n",
    )  # fmt: skip
    assert b"250 2." in output
    with server.imap(user) as reader:
        assert reader.select("INBOX") == ("OK", [b"1"])
        stored = reader.fetch("1", "(BODY.PEEK[TEXT])")[1][0][1]
        assert stored.startswith(b"one\r\n.\r\n..two\r\nlast\r\n")


@needs_swaks
def test_swaks_is_told_of_unknown_users(server: Server) -> None:
    """An unknown recipient is 550 5.1.1."""
    host, port = server.address("lmtp")
    output = run(
        "swaks", "--server", host, "--port", str(port), "--protocol", "LMTP", "--from", "s@example.net",
        "--to", "nobody@example.test", "--ehlo", "c.example.net", code=24,
    )  # fmt: skip
    assert b"550 5.1.1" in output
