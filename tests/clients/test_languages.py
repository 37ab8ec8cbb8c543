"""Clients of other languages do their rounds on a mailbox of nasty messages and names, plain and with TLS.

Each is a small program under rounds/ that ends with 'folders N messages M'; it checks by itself what it gets back.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.clients import nasty
from tests.conftest import loud_skip, require_binary
from tests.support.server import Server

pytestmark = pytest.mark.slow

ROUNDS = Path(__file__).parent / "rounds"
JAVAMAIL = ("/usr/share/java/javax.mail.jar", "/usr/share/java/javax.activation.jar")
MODES = ("plain", "starttls", "tls")


@pytest.fixture(scope="module")
def user(server: Server) -> str:
    """A user with the nasty mailbox."""
    name = server.add_user("nasty@example.test")
    with server.imap(name) as client:
        nasty.fill(client)
    return name


@pytest.fixture(scope="module")
def javamail(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The class path of the compiled Java program."""
    if not all(map(os.path.exists, JAVAMAIL)):
        loud_skip("JavaMail (libmail-java) is not installed")
    folder = str(tmp_path_factory.mktemp("classes"))
    path = ":".join((folder, *JAVAMAIL))
    command = [require_binary("javac"), "-encoding", "UTF-8", "-cp", path, "-d", folder, str(ROUNDS / "Round.java")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return path


def run(command: list[str], server: Server, user: str, mode: str) -> None:
    """One round; what the client saw is what there is."""
    host, port = server.address("imaps" if mode == "tls" else "imap")
    with server.imap(user) as client:
        folders = len(client.list()[1])
    arguments = [*command, host, str(port), mode, user, server.password(user)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert done.stdout.split("\n")[-2] == f"folders {folders} messages {len(nasty.MESSAGES)}", done.stdout
    assert not server.problems()


def have(command: list[str], what: str) -> None:
    """Whether a language has the client's library."""
    if subprocess.run(command, capture_output=True, timeout=60).returncode:
        loud_skip(f"{what} is not installed")


@pytest.mark.parametrize("mode", MODES)
def test_perl(server: Server, user: str, mode: str) -> None:
    perl = require_binary("perl")
    have([perl, "-MMail::IMAPClient", "-MIO::Socket::SSL", "-e1"], "Mail::IMAPClient")
    run([perl, str(ROUNDS / "round.pl")], server, user, mode)


@pytest.mark.parametrize("mode", MODES)
def test_ruby(server: Server, user: str, mode: str) -> None:
    ruby = require_binary("ruby")
    have([ruby, "-rnet/imap", "-e1"], "ruby's net-imap")
    run([ruby, str(ROUNDS / "round.rb")], server, user, mode)


@pytest.mark.parametrize("mode", ["plain", "tls"])
def test_php(server: Server, user: str, mode: str) -> None:
    """The c-client library, as PHP has it (its STARTTLS knows nothing above TLS 1.0)."""
    php = require_binary("php")
    have([php, "-r", "exit(function_exists('imap_open') ? 0 : 1);"], "php-imap")
    run([php, str(ROUNDS / "round.php")], server, user, mode)


@pytest.mark.parametrize("mode", MODES)
def test_java(server: Server, user: str, mode: str, javamail: str) -> None:
    run([require_binary("java"), "-cp", javamail, "Round"], server, user, mode)


@pytest.mark.parametrize("mode", MODES)
def test_node(server: Server, user: str, mode: str) -> None:
    """ImapFlow, where NODE_PATH has it."""
    node = require_binary("node")
    have([node, "-e", "require('imapflow')"], "imapflow (npm, NODE_PATH)")
    run([node, str(ROUNDS / "imapflow.js")], server, user, mode)
