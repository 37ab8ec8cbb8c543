"""A real server for tests: `python -m gromoxd --embedded` in a subprocess on a site of its own."""

from __future__ import annotations

import contextlib
import imaplib
import itertools
import json
import os
import poplib
import re
import signal
import smtplib
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 60.0

# Lines of the log that would be a fault in every test.
TROUBLE = re.compile(r"Traceback \(most recent call last\)|unforeseen exception|BlockingSwitchOutError|never awaited")


def until(what: Callable[[], T], *, seconds: float = 10.0, describe: str = "", step: float = 0.02) -> T:
    """Ask `what` again and again until it gives something true; AssertionError after the deadline."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {describe or what}")
        time.sleep(step)


def trusting_tls() -> ssl.SSLContext:
    """A client context for the site's self-signed certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def closed_on_failure(close: Callable[[], object]) -> Iterator[None]:
    """Close a connection whose first steps fail."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            close()
        raise


class Pop3(poplib.POP3):
    """poplib's client, which leaves its socket open when there is no greeting."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        try:
            super().__init__(host, port, timeout)
        except BaseException:
            for opened in (getattr(self, "file", None), getattr(self, "sock", None)):
                if opened is not None:
                    opened.close()
            raise


LISTENERS = {
    "imap.cfg": {"imap_listen": 1143, "imap_listen_tls": 1993},
    "pop3.cfg": {"pop3_listen": 1110, "pop3_listen_tls": 1995},
    "smtp.cfg": {"lda_listen": 2424}, "http.cfg": {"http_listen": 8080, "http_listen_tls": 8443},
}  # fmt: skip
_hosts = itertools.count(1)


def own_host() -> str:
    """A loopback address of this server's own: its ports are nobody else's, not even while it is down."""
    number = os.getpid() * 64 + next(_hosts)
    return f"127.{16 + (number >> 16) % 200}.{(number >> 8) % 256}.{number % 256}"


class Server:
    """A master with its workers on `site`. `options` are directives given on the command line (they win over files)."""

    def __init__(self, site: Path, *, options: Mapping[str, str] | None = None, embedded: bool = True) -> None:
        self.site = site
        self.options = dict(options or {})
        self.embedded = embedded
        self.info: dict[str, Any] = {}
        self.host = own_host()
        self.logfile = site.parent / f"{site.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    # ------------------------------------------------------------------------------------------ life

    def start(self) -> Server:
        """Start it and wait until it serves; the site is made on the first start."""
        self._choose_addresses()
        command = [
            sys.executable,
            "-m",
            "gromoxd",
            *(["--embedded"] if self.embedded else []),
            "--site",
            str(self.site),
        ]
        for key, value in self.options.items():
            command += ["-o", f"{key}={value}"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        begun = time.time()
        with self.logfile.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                start_new_session=True,
            )  # fmt: skip
        until(lambda: self._is_up(begun), seconds=START_SECONDS, describe=f"{self.site}/site.json")
        return self

    def _choose_addresses(self) -> None:
        folder = self.site / "conf"
        folder.mkdir(parents=True, exist_ok=True)
        for file, listeners in LISTENERS.items():
            lines = [f"{setting}={self.host}:{port}\n" for setting, port in listeners.items()]
            if file == "smtp.cfg":
                lines += ["lda_listen_tls=\n", f"outgoing_smtp_url=smtp://{self.host}:2526\n"]  # nothing leaves
            if not (folder / file).exists():
                (folder / file).write_text("".join(lines))

    def set_conf(self, file: str, **entries: str) -> None:
        """Change lines of a configuration file (takes a `reload`)."""
        path = self.site / "conf" / file
        old = path.read_text() if path.exists() else ""
        lines = [line for line in old.splitlines() if line.partition("=")[0].strip() not in entries]
        path.write_text("\n".join([*lines, *(f"{key}={value}" for key, value in entries.items())]) + "\n")

    def _is_up(self, begun: float) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        path = self.site / "site.json"
        try:
            if path.stat().st_mtime < begun - 0.01:
                return False
            info = json.loads(path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        if info.get("pid") != self.process.pid:
            return False
        info["users"] = {**self.info.get("users", {}), **info["users"]}
        self.info = info
        return True

    @property
    def pid(self) -> int:
        """The master's process id."""
        assert self.process is not None
        return self.process.pid

    def log(self) -> str:
        """Everything that all processes have logged so far."""
        return self.logfile.read_text(errors="replace") if self.logfile.exists() else ""

    def children(self, protocol: str = "") -> list[psutil.Process]:
        """The living worker processes, those of one pool when named ('store', 'imap' …); not what they have started."""
        board = {row["pid"]: row["protocol"] for row in self.status()} if protocol else {}
        return [
            child
            for child in psutil.Process(self.pid).children()
            if child.is_running() and child.status() != psutil.STATUS_ZOMBIE
            and (not protocol or board.get(child.pid) == protocol)
        ]  # fmt: skip

    def status(self) -> list[dict[str, Any]]:
        """The rows of `gromoxctl status --json`."""
        found = json.loads(self.ctl("status", "--json"))
        rows: list[dict[str, Any]] = found if isinstance(found, list) else found["slots"]
        return rows

    def tree(self) -> list[psutil.Process]:
        """The master and all its workers."""
        return [psutil.Process(self.pid), *self.children()]

    def pss_kb(self) -> int:
        """Memory of the whole tree with shared pages counted once (proportional set size)."""
        total = 0
        for process in self.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().pss
        return total // 1024

    def kill(self, pid: int) -> None:
        """SIGKILL one of the tree's processes."""
        os.kill(pid, signal.SIGKILL)

    def kill_tree(self) -> None:
        """SIGKILL everything at once and wait until it is gone."""
        processes = self.tree()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        assert self.process is not None
        self.process.wait(10)
        psutil.wait_procs(processes[1:], timeout=10)

    def reload(self) -> None:
        """SIGHUP. What follows from it is for the test to wait for."""
        os.kill(self.pid, signal.SIGHUP)

    def stop(self, *, check: bool = True) -> None:
        """Stop it with SIGTERM; the exit code is 0, no bug was counted on the way and none is in the log."""
        if self.process is None:
            return
        problems = self.problems() if check and self.process.poll() is None else []
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill_tree()
            code = -999
        self.process = None
        if check:
            assert code == 0, f"exit code {code}:\n{self.log()[-3000:]}"
            problems += self.log_problems()
            assert not problems, "\n".join(problems)

    def problems(self) -> list[str]:
        """Bugs that the workers have counted."""
        errors = self.metric("internal_errors")
        return [f"internal_errors is {errors}"] if errors else []

    def log_problems(self) -> list[str]:
        """Excerpts of the log around tracebacks."""
        text = self.log()
        return [text[max(0, found.start() - 500) : found.end() + 2500] for found in TROUBLE.finditer(text)][:3]

    # ------------------------------------------------------------------------------------------ figures

    def metrics(self) -> str:
        """The text of /metrics."""
        host, port = self.address("http")
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        """A counter, summed over all workers; AssertionError when /metrics does not have it."""
        text = self.metrics()
        for full in (name, f"{name}_total"):
            found = re.findall(rf"^gromoxd_{full}(?:{{[^}}]*}})? ([0-9.e+-]+)$", text, re.M)
            if found:
                return sum(map(float, found))
        raise AssertionError(f"/metrics has no {name}")

    # ------------------------------------------------------------------------------------------ clients

    def address(self, service: str) -> tuple[str, int]:
        """(host, port) of 'imap', 'imaps', 'pop3', 'pop3s', 'lmtp', 'http', 'https'."""
        place = self.info[service]
        return place["host"], place["port"]

    def password(self, user: str) -> str:
        """A user's password."""
        return str(self.info["users"][user])

    def imap(self, user: str = "alice@example.test", *, tls: bool = False, timeout: float = 20) -> imaplib.IMAP4:
        """An imaplib connection, logged in."""
        if tls:
            client: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                *self.address("imaps"), ssl_context=trusting_tls(), timeout=timeout
            )
        else:
            client = imaplib.IMAP4(*self.address("imap"), timeout=timeout)
        if user:
            with closed_on_failure(client.shutdown):
                client.login(user, self.password(user))
        return client

    def pop3(self, user: str = "alice@example.test", *, timeout: float = 20) -> poplib.POP3:
        """A poplib connection, logged in."""
        client = Pop3(*self.address("pop3"), timeout=timeout)
        if user:
            with closed_on_failure(client.close):
                client.user(user)
                client.pass_(self.password(user))
        return client

    def lmtp(self, *, timeout: float = 20) -> smtplib.LMTP:
        """An LMTP connection, greeted."""
        client = smtplib.LMTP(*self.address("lmtp"), timeout=timeout)
        with closed_on_failure(client.close):
            client.ehlo_or_helo_if_needed()
        return client

    def deliver(self, message: bytes, *recipients: str, sender: str = "sender@example.net") -> None:
        """Send one message by LMTP to alice (or `recipients`); all of them take it."""
        wanted = recipients or ("alice@example.test",)
        with self.lmtp() as client:
            assert client.mail(sender, ["BODY=8BITMIME"])[0] == 250
            for recipient in wanted:
                code, text = client.rcpt(recipient)
                if code != 250:
                    raise smtplib.SMTPRecipientsRefused({recipient: (code, text)})
            replies = [client.data(message), *(client.getreply() for _ in wanted[1:])]
            for code, text in replies:  # one for each recipient (RFC 2033 4.2), which smtplib.LMTP does not know
                if code != 250:
                    raise smtplib.SMTPDataError(code, text)

    # ------------------------------------------------------------------------------------------ administration

    def ctl(self, *arguments: str, stdin: str = "") -> str:
        """Run `gromoxctl -s SITE …`; the output."""
        command = [sys.executable, "-m", "gromoxd.cli.main", "-s", str(self.site), *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, cwd=ROOT, env=environment
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def add_user(self, name: str, password: str = "correct horse 7") -> str:
        """Add a user with gromoxctl; `password(name)` knows it from then on."""
        self.ctl("user", "add", name, "--password-stdin", stdin=password + "\n")
        self.info["users"][name] = password
        return name


@contextlib.contextmanager
def running(site: Path, **options: Any) -> Iterator[Server]:
    """A server for a `with` block; when the block ends well, the end is checked too."""
    server = Server(site, **options)
    try:
        server.start()
        yield server
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
