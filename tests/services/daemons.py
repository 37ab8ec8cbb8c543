"""Postfix, HAProxy, nginx: run from a folder of the test's own, on loopback addresses nobody else uses."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.conftest import loud_skip, require_binary
from tests.support.server import ROOT, own_host, until

EXAMPLES = ROOT / "conf" / "examples"
POSTFIX_SERVICES = """
{host}:2525 inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder with a short path that daemons can enter which have dropped root."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def example(name: str, replace: Mapping[str, str]) -> str:
    """The text of one of the shipped examples, with its addresses and paths exchanged; each one must occur."""
    text = (EXAMPLES / name).read_text()
    for old, new in replace.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text


def reachable(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0


def run(*command: str | Path) -> str:
    """Run a tool; its output. AssertionError when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def daemon(*command: str | Path, host: str, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program in the foreground, from the moment it listens; SIGTERM at the end."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        until(lambda: reachable(host, port) or process.poll() is not None, seconds=20, describe=f"{command[0]} listens")
        assert process.poll() is None, f"{command}: {log.read_text()[-3000:]}"
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


class Postfix:
    """An instance with its own configuration, queue and log; SMTP on `host`:2525."""

    def __init__(self, folder: Path, main: str, master: str) -> None:
        self.host, self.port = own_host(), 2525
        self.folder, self.etc, self.maillog = folder, folder / "etc", folder / "mail.log"
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        own = {
            "compatibility_level": "3.6", "queue_directory": folder / "queue", "data_directory": folder / "data",
            "maillog_file": self.maillog, "maillog_file_prefixes": folder, "myhostname": "mx.example.test",
            "myorigin": "mx.example.test", "mynetworks": "127.0.0.1/32", "inet_interfaces": "all",
            "inet_protocols": "ipv4", "alias_maps": "", "alias_database": "", "biff": "no",
            "minimal_backoff_time": "2s", "queue_run_delay": "2s", "maximal_backoff_time": "4s",
            "address_verify_poll_delay": "1s", "disable_dns_lookups": "yes",
            "default_transport": "discard:nothing leaves this machine",
        }  # fmt: skip
        lines = [f"{name} = {value}\n" for name, value in own.items()]
        (self.etc / "main.cf").write_text("".join(lines) + main)
        (self.etc / "master.cf").write_text(POSTFIX_SERVICES.format(host=self.host) + master)

    def log(self) -> str:
        """What it has logged so far."""
        return self.maillog.read_text(errors="replace") if self.maillog.exists() else ""

    def queue(self) -> list[str]:
        """The messages that are still in the queue, as lines of JSON."""
        return run(require_binary("postqueue"), "-c", self.etc, "-j").splitlines()

    def pause(self) -> None:
        """Take mail in, and keep it in the queue."""
        run(require_binary("postconf"), "-c", self.etc, "defer_transports = gromoxd")
        run(require_binary("postfix"), "-c", self.etc, "reload")

    def resume(self) -> None:
        """Deliver again, what waits first of all."""
        run(require_binary("postconf"), "-c", self.etc, "-X", "defer_transports")
        run(require_binary("postfix"), "-c", self.etc, "reload")
        self.flush()

    def flush(self) -> None:
        """Try everything in the queue now."""
        run(require_binary("postqueue"), "-c", self.etc, "-f")

    def is_empty(self) -> bool:
        """Whether all mail has left the queue, one way or another."""
        return not self.queue()


@contextlib.contextmanager
def postfix(folder: Path, main: str, master: str) -> Iterator[Postfix]:
    """Run it for a `with` block. It is started as root, or the test is skipped."""
    program = require_binary("postfix")
    if os.geteuid():
        loud_skip("Postfix can only be started by root")
    made = Postfix(folder, main, master)
    command = (program, "-c", made.etc, "start-fg")
    with daemon(*command, host=made.host, port=made.port, log=folder / "postfix.out"):
        try:
            yield made
        finally:
            run(program, "-c", made.etc, "stop")
