"""mbsync synchronises a Maildir both ways; a second run finds nothing to do."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.server import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("mbsync"), reason="mbsync is NOT INSTALLED: its round is not tested"),
]

CONFIG = """
IMAPAccount server
Host {host}
Port {port}
User {user}
Pass "{password}"
SSLType {tls}{certificate}
AuthMechs PLAIN
PipelineDepth 50

IMAPStore far
Account server

MaildirStore near
Path {mail}/
Inbox {mail}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
"""


class Sync:
    """A Maildir that is kept in step with a user's mailbox."""

    def __init__(self, server: Server, user: str, folder: Path, tls: str = "None") -> None:
        self.server, self.user, self.mail = server, user, folder / "mail"
        self.mail.mkdir()
        host, port = server.address("imaps" if tls == "IMAPS" else "imap")
        self.config = folder / "mbsyncrc"
        certificate = ""
        if tls != "None":
            pem = folder / "server.pem"
            pem.write_text(ssl.get_server_certificate(server.address("imaps")))
            certificate = f"\nCertificateFile {pem}"
        self.config.write_text(
            CONFIG.format(
                host=host,
                port=port,
                user=user,
                password=server.password(user),
                mail=self.mail,
                tls=tls,
                certificate=certificate,
            )
        )

    def run(self) -> str:
        """One synchronisation; the last line of its progress counters."""
        done = subprocess.run(
            ["mbsync", "-c", str(self.config), "-V", "-a"], capture_output=True, text=True, timeout=120,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def files(self, folder: str) -> list[Path]:
        """The messages of one local folder."""
        return sorted(path for sub in ("cur", "new") for path in (self.mail / folder / sub).glob("*"))

    def put(self, folder: str, name: str, flags: str, data: bytes) -> None:
        """A new local message."""
        for sub in ("cur", "new", "tmp"):
            (self.mail / folder / sub).mkdir(parents=True, exist_ok=True)
        (self.mail / folder / "cur" / f"{name}:2,{flags}").write_bytes(data.replace(b"\r\n", b"\n"))


def idle_run(output: str) -> bool:
    """Whether a verbose run neither pushed, pulled, flagged nor expunged anything."""
    counted = re.findall(r"(?:[Pp]ulled|[Pp]ushed|[Pp]ropagated|[Ee]xpunged) [^0\n]*?(\d+)", output)
    busy = re.findall(r"^(?:pulling|pushing|propagating|expunging).*", output, re.M | re.I)
    return not any(int(n) for n in counted) and not busy


def test_two_way(server: Server, tmp_path: Path) -> None:
    """Mail of both sides, flags and deletions of both sides, and then silence."""
    user = server.add_user("mbsync@example.test")
    remote = [messages.make(f"far-{i}", size=400 + 3000 * (i % 3), to=user) for i in range(30)]
    for original in remote:
        server.deliver(original, user)
    with server.imap(user) as client:
        client.create('"Pl&AOQ-ne"')
        client.append('"Pl&AOQ-ne"', r"(\Seen \Flagged)", None, messages.make("planned"))  # type: ignore[arg-type]
    sync = Sync(server, user, tmp_path)
    sync.put("INBOX", "local.1", "S", messages.make("near-1", to=user))
    sync.put("Lists", "local.2", "FS", messages.make("near-2", to=user))
    sync.run()
    assert len(sync.files("INBOX")) == 31
    planned = [f for d in sync.mail.iterdir() if d.is_dir() for f in sync.files(d.name) if b"planned" in f.read_bytes()]
    assert [path.name.rpartition(",")[2] for path in planned] == ["FS"]
    local = {messages.name_of(path.read_bytes()) for path in sync.files("INBOX")}
    assert local == {f"far-{i}" for i in range(30)} | {"near-1"}
    for path in sync.files("INBOX"):
        assert messages.proves_itself(path.read_bytes().replace(b"\n", b"\r\n").replace(b"\r\r\n", b"\r\n")), path
    assert idle_run(sync.run()), "the second run had work to do"
    with server.imap(user) as client:
        assert client.select("INBOX") == ("OK", [b"31"])
        pushed = client.fetch("31", "(FLAGS BODY.PEEK[])")[1][0]
        assert rb"\Seen" in pushed[0] and messages.proves_itself(pushed[1])
        assert client.select("Lists") == ("OK", [b"1"])
        assert rb"\Flagged" in client.fetch("1", "(FLAGS)")[1][0]
        client.select("INBOX")
        client.store("1:3", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.store("1", "+FLAGS", r"(\Answered)")
    victim = sync.files("INBOX")[-1]
    victim.unlink()
    sync.run()
    assert len(sync.files("INBOX")) == 27
    assert sum(path.name.rpartition(",")[2].count("R") for path in sync.files("INBOX")) == 1
    with server.imap(user) as client:
        assert client.select("INBOX") == ("OK", [b"27"])
    assert idle_run(sync.run()), "the last run had work to do"


@pytest.mark.parametrize("tls", ["IMAPS", "STARTTLS"])
def test_over_tls(server: Server, tmp_path: Path, tls: str) -> None:
    """The same over implicit TLS and STARTTLS."""
    user = server.add_user(f"mbsync-{tls.lower()}@example.test")
    server.deliver(messages.make("tls-1", to=user), user)
    sync = Sync(server, user, tmp_path, tls)
    sync.run()
    assert [messages.name_of(path.read_bytes()) for path in sync.files("INBOX")] == ["tls-1"]
