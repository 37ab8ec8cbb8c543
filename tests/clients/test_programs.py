"""Mail programs do their rounds on the nasty mailbox: mutt, fetchmail, Dovecot's dsync."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import nasty
from tests.conftest import require_binary
from tests.support import messages
from tests.support.server import Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def user(server: Server) -> str:
    """A user with the nasty mailbox."""
    name = server.add_user("programs@example.test")
    with server.imap(name) as client:
        nasty.fill(client)
    return name


def run(*command: str, home: Path, stdin: str = "", code: int = 0) -> str:
    """Run a program in a home of its own; it ends with `code`."""
    environment = {**os.environ, "HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, errors="replace", timeout=60, env=environment, cwd=home
    )
    assert done.returncode == code, f"{command[0]}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout + done.stderr


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_mutt(server: Server, user: str, tmp_path: Path, program: str) -> None:
    """Everything is copied to a new folder, shown, flagged and deleted there (`script` gives mutt its terminal)."""
    path, host, port = require_binary(program), *server.address("imap")
    terminal = require_binary("script")
    (tmp_path / "rc").write_text(
        f"set ssl_starttls=no ssl_force_tls=no imap_user={user}\nset imap_pass='{server.password(user)}'\n"
        f"set folder=imap://{host}:{port}/ spoolfile=imap://{host}:{port}/nasty header_cache={tmp_path}/cache\n"
        "set imap_condstore=yes imap_qresync=yes sleep_time=0 confirmappend=no confirmcreate=no delete=yes move=no "
        "quit=yes wait_key=no\n"
    )
    keys = (
        f"<tag-pattern>~A<enter><tag-prefix><copy-message>=m-{program}<enter><change-folder>=m-{program}<enter>"
        "<limit>~b body<enter><limit>all<enter><display-message><exit><flag-message><sync-mailbox>"
        "<delete-pattern>~s many<enter><sync-mailbox><quit>"
    )
    run(terminal, "-qec", f"{path} -F rc -e 'push \"{keys}\"'", "/dev/null", home=tmp_path)
    with server.imap(user) as client:
        assert client.select(f"m-{program}") == ("OK", [b"%d" % (len(nasty.MESSAGES) - 1)])
        assert client.search(None, "FLAGGED")[1] != [b""]


@pytest.mark.parametrize("protocol", ["imap", "imaps", "pop3", "pop3s"])
def test_fetchmail(server: Server, tmp_path: Path, protocol: str) -> None:
    """fetchmail takes everything once, and a second time nothing."""
    fetchmail, user = require_binary("fetchmail"), server.add_user(f"fetchmail-{protocol}@example.test")
    originals = [messages.make(f"fetched-{n}", size=300 + 4000 * n, to=user) for n in range(5)]
    for original in originals:
        server.deliver(original, user)
    host, port = server.address(protocol)
    (tmp_path / "mail").mkdir()
    mda = tmp_path / "mda"
    mda.write_text(f"#!/bin/sh\ncat > $(mktemp {tmp_path}/mail/XXXXXX)\n")
    mda.chmod(0o700)
    tls = "ssl no sslcertck" if protocol.endswith("s") else "sslproto ''"
    configuration = tmp_path / "rc"
    configuration.write_text(
        f"set no bouncemail\npoll {host} proto {protocol.rstrip('s')} port {port} uidl\n"
        f' user "{user}" password "{server.password(user)}" {tls} keep mda "{mda}"\n'
    )
    configuration.chmod(0o600)
    command = (fetchmail, "-f", str(configuration), "--pidfile", f"{tmp_path}/pid", "-i", f"{tmp_path}/ids")
    run(*command, home=tmp_path)
    fetched = b"".join(file.read_bytes() for file in (tmp_path / "mail").iterdir())
    assert len(list((tmp_path / "mail").iterdir())) == len(originals)
    for original in originals:
        assert original.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n") in fetched.replace(b"\r\n", b"\n")
    run(*command, home=tmp_path, code=1)  # 1: no new mail


DOVECOT = """
base_dir={home}/run
log_path=/dev/stderr
mail_uid={uid}
mail_gid={uid}
mail_location=sdbox:{home}/mail
namespace inbox {{
  separator=/
  inbox=yes
}}
imapc_host={host}
imapc_port={port}
imapc_user={user}
imapc_password={password}
imapc_features=rfc822.size fetch-headers search modseq
"""


@pytest.fixture
def dsync(server: Server, tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """A user with the nasty mailbox, and the command doveadm, not as root: it handles no mail then."""
    doveadm, user = require_binary("doveadm"), server.add_user("dsync@example.test")
    with server.imap(user) as client:
        nasty.fill(client)
        client.delete(nasty.quoted("~home"))  # dsync confuses its own spellings of this one
    uid = os.getuid() or 65534
    host, port = server.address("imap")
    home = Path(tempfile.mkdtemp(prefix="dsync-"))  # every folder above it can be entered by others
    (home / "conf").write_text(
        DOVECOT.format(home=home, uid=uid, host=host, port=port, user=user, password=server.password(user))
    )
    command = ["env", f"HOME={home}", "USER=mail", doveadm, "-c", str(home / "conf")]
    if os.getuid() == 0:
        os.chown(home, uid, uid)
        command = [require_binary("setpriv"), f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command]
    yield user, command
    shutil.rmtree(home)


def test_dsync(server: Server, tmp_path: Path, dsync: tuple[str, list[str]]) -> None:
    """Dovecot copies the mailbox to its own format over IMAP, and what it adds comes back."""
    user, dove = dsync
    run(*dove, "backup", "-R", "imapc:", home=tmp_path)
    assert f"messages={len(nasty.MESSAGES)}" in run(*dove, "mailbox", "status", "messages", "nasty", home=tmp_path)
    listed = run(*dove, "mailbox", "list", home=tmp_path)
    assert all(name.rstrip() in listed for name in nasty.NAMES if name != "~home")
    run(*dove, "save", "-m", "target", home=tmp_path, stdin="Subject: from dsync\n\nx\n")
    run(*dove, "sync", "imapc:", home=tmp_path)
    with server.imap(user) as client:
        assert client.select("target") == ("OK", [b"1"])
        assert client.search(None, "SUBJECT", '"from dsync"') == ("OK", [b"1"])
    assert not server.problems()
