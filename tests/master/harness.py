"""A real master with the fake pools, in a subprocess and a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.support.server import until

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = {
    "running_identity": "", "fake_listen": "127.0.0.1:0", "fake_workers": "2", "scaled_pools": "fake",
    "mailbox_cache_size": "1M", "directory_cache_size": "1M", "worker_timeout": "30s", "graceful_timeout": "10s",
}  # fmt: skip


class Master:
    """`conf` is written to gromox.cfg over DEFAULTS. Standard error is `log`."""

    def __init__(self, folder: Path, conf: Mapping[str, str] | None = None) -> None:
        self.site = folder / "site"
        self.logfile = folder / "log"
        (self.site / "conf").mkdir(parents=True)
        self.settings = {**DEFAULTS, **(conf or {})}
        self.write_conf()
        self.process: subprocess.Popen[bytes] | None = None
        self._begin = 0

    def write_conf(self, **changes: str) -> None:
        """Write gromox.cfg, with some directives changed."""
        self.settings |= changes
        text = "".join(f"{key}={value}\n" for key, value in self.settings.items())
        (self.site / "conf" / "gromox.cfg").write_text(text)

    def launch(self, *arguments: str, env: Mapping[str, str] | None = None, **more: Any) -> subprocess.Popen[bytes]:
        """Start the process without waiting for anything."""
        command = [
            sys.executable, "-m", "gromoxd", "--site", str(self.site), "--pools", "tests.master.fake",
            "--only", "back,fake", *arguments,
        ]  # fmt: skip
        with self.logfile.open("ab") as log:
            self._begin = log.tell()
            self.process = subprocess.Popen(
                command,
                stderr=log,
                stdout=log,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
                **more,
            )
        return self.process

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, **more: Any) -> Master:
        """Start it and wait until it is ready."""
        self.launch(*arguments, env=env, **more)
        self.wait_log(" ready ")
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        """What was logged since the last start."""
        return self.logfile.read_bytes()[self._begin :].decode()

    def wait_log(self, pattern: str, *, count: int = 1, seconds: float = 15.0) -> list[str]:
        """Wait until `pattern` was logged so often; answers the matches."""

        def enough() -> list[str]:
            found = re.findall(pattern, self.log)
            assert len(found) >= count or self.process is None or self.process.poll() is None, self.log
            return found if len(found) >= count else []

        return until(enough, seconds=seconds, describe=f"{pattern!r} in the log", step=0.01)

    def signal(self, number: int) -> None:
        """Signal the master."""
        os.kill(self.pid, number)

    def wait(self, seconds: float = 20.0) -> int:
        """Wait for its end; answers the exit status."""
        assert self.process is not None
        return self.process.wait(seconds)

    def address(self, service: str = "fake") -> tuple[str, int]:
        """Where a service listens, from the log."""
        found = re.findall(rf"listening service={service} address=(\S+):(\d+)", self.log)
        return found[-1][0].strip("[]"), int(found[-1][1])

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """A connection to the echo service."""
        with socket.create_connection(self.address(), timeout=20) as sock, sock.makefile("rwb") as stream:
            yield Client(stream)

    def ask(self, line: str) -> Any:
        """One question on a connection of its own."""
        with self.client() as client:
            return client.ask(line)

    def who(self, slot: str) -> dict[str, Any]:
        """Connect until the worker of that slot answers."""
        return until(lambda: next((w for w in [self.ask("who")] if w["slot"] == slot), {}), describe=slot)

    def back(self) -> str:
        """What the back pool's own socket answers: slot and pid."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(20)
            sock.connect(str(self.site / "run" / "back.0.sock"))
            return sock.recv(100).decode().strip()

    def workers(self) -> dict[str, int]:
        """Slot -> pid of the living workers, by their titles."""
        found = {}
        for child in psutil.Process(self.pid).children():
            with contextlib.suppress(psutil.Error, IndexError):
                title = child.cmdline()[0]
                if title.startswith("gromoxd: ") and "master" not in title:
                    found[title.removeprefix("gromoxd: ")] = child.pid
        return found

    def close(self) -> None:
        """Be sure that nothing is left."""
        if self.process is None:
            return
        if self.process.poll() is None:
            with contextlib.suppress(psutil.Error):
                for child in psutil.Process(self.pid).children():
                    child.kill()
            self.process.kill()
        self.process.wait(20)


class Client:
    """One connection to the echo service."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def say(self, line: str) -> None:
        """Send a line."""
        self._stream.write(line.encode() + b"\n")
        self._stream.flush()

    def ask(self, line: str) -> Any:
        """Send a line, answer the reply; None when the worker hung up."""
        self.say(line)
        reply = self._stream.readline()
        return json.loads(reply) if reply else None


@contextlib.contextmanager
def master(**conf: str) -> Iterator[Master]:
    """A master that is not started yet, in a short path (Unix sockets), cleaned up afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="gmx"))
    folder.chmod(0o755)
    made = Master(folder, conf)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


def alive(pid: int) -> bool:
    """Is there such a process (a zombie is none)?"""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


KILL, TERM, HUP, INT, QUIT = signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT
