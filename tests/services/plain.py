"""A server as it is installed: nothing made by itself, configured and started like a service."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.server import LISTENERS, ROOT, START_SECONDS, Server, until

SERVICES = {
    "imap_listen": "imap", "imap_listen_tls": "imaps", "pop3_listen": "pop3", "pop3_listen_tls": "pop3s",
    "lda_listen": "lmtp", "http_listen": "http", "http_listen_tls": "https",
}  # fmt: skip


class Service(Server):
    """It is up when /healthz says so. `before` goes before the command, `more` to Popen (user, extra_groups …).

    `binaries` is the folder of an installation's commands; '' for those of this tree.
    """

    def __init__(
        self,
        site: Path,
        *,
        options: Mapping[str, str] | None = None,
        config: Path | None = None,
        binaries: Path | None = None,
        before: Sequence[str] = (),
        **more: Any,
    ) -> None:
        super().__init__(site, options=options, embedded=False)
        self.config = config or site / "conf"
        self.before, self.more, self.binaries = before, more, binaries
        self.environment = {**os.environ, "PYTHONPATH": "" if binaries else str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.info = {"users": {}}
        self.listen({setting: port for listeners in LISTENERS.values() for setting, port in listeners.items()})

    def listen(self, ports: Mapping[str, int]) -> None:
        """The ports that clients look for; configuring them is another matter."""
        for setting, port in ports.items():
            self.info[SERVICES[setting]] = {"host": self.host, "port": port}

    def _command(self, name: str, module: str) -> list[str]:
        return [str(self.binaries / name)] if self.binaries else [sys.executable, "-m", module]

    def start(self) -> Service:
        """Start it and wait until its workers answer."""
        self.launch()
        until(lambda: self._is_up(time.time()), seconds=START_SECONDS, describe=f"/healthz: {self.log()[-1000:]}")
        return self

    def launch(self) -> None:
        """Start it without waiting for anything."""
        command = [*self.before, *self._command("gromoxd", "gromoxd")]
        command += ["--config", str(self.config), "--site", str(self.site)]
        for key, value in self.options.items():
            command += ["-o", f"{key}={value}"]
        with self.logfile.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment,
                start_new_session=True, **self.more,
            )  # fmt: skip

    def _is_up(self, begun: float) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()[-3000:]
        host, port = self.address("http")
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def ctl(self, *arguments: str, stdin: str = "") -> str:
        """Run `gromoxctl -s SITE -c CONFIG …`; the output."""
        command = [*self._command("gromoxctl", "gromoxd.cli.main"), "-s", str(self.site), "-c", str(self.config)]
        done = subprocess.run(
            [*command, *arguments], input=stdin, capture_output=True, text=True, timeout=60, cwd="/",
            env=self.environment, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def create_directory(self, *users: str) -> None:
        """What the README says for a new service: the database, the users' domain, the users."""
        self.ctl("db", "create")
        self.ctl("domain", "add", users[0].partition("@")[2])
        for user in users:
            self.add_user(user)
