"""The embedded default site: everything that a first start needs, made in one folder.

    SITE/conf/*.cfg       configuration; the listening ports are looked at anew on each start
    SITE/data/            directory.sqlite3 and the mailboxes
    SITE/tls/             self-signed certificate and key
    SITE/run/             sockets and pid file
    SITE/conf/users.json  users and passwords that the site was made with (mode 0600)
    SITE/site.json        for scripts: where to connect, users, passwords, the master's pid (mode 0600); there from the
                          moment the server answers, and taken away by the next start

What is slow to import (SQLAlchemy, cryptography) runs in a process of its own, `python -m gromoxd.master.embed`, on the
first start and after an upgrade only; the master stays small.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any, NamedTuple

from gromoxd import __version__

PORT_RANGE = 1000
LOCK_SECONDS = 20.0


class SiteError(Exception):
    """The site cannot be made or is in use; the text is for the person who started it."""


class Service(NamedTuple):
    """A service of the embedded site: its file and setting, and the port that is tried first."""

    name: str
    file: str
    setting: str
    port: int


SERVICES = (
    Service("imap", "imap.cfg", "imap_listen", 1143),
    Service("imaps", "imap.cfg", "imap_listen_tls", 1993),
    Service("pop3", "pop3.cfg", "pop3_listen", 1110),
    Service("pop3s", "pop3.cfg", "pop3_listen_tls", 1995),
    Service("lmtp", "smtp.cfg", "lda_listen", 2424),
    Service("http", "http.cfg", "http_listen", 8080),
    Service("https", "http.cfg", "http_listen_tls", 8443),
)
"""LMTP over TLS (lmtps) is not offered: an MTA on the same machine has no use for it."""

_port_lock: IO[str] | None = None


def prepare(site_dir: str, bind: str = "127.0.0.1") -> None:
    """Make the site if it is not there yet, and choose its ports. SiteError when it is running already."""
    site = Path(site_dir).resolve()
    _refuse_running(site)
    for folder in (site, site / "conf", site / "data", site / "run", site / "tls"):
        folder.mkdir(parents=True, exist_ok=True)
    site.chmod(0o700)
    _withdraw(site)
    if _stamp(site) != __version__:
        _embed(site)
    _lock_ports()
    _choose_ports(site, bind)


def started(site_dir: str, master_pid: int) -> None:
    """The listeners are open: write site.json and tell the person at the terminal what to try."""
    site = Path(site_dir).resolve()
    about: dict[str, Any] = {
        "host": _bind_host(site),
        **{name: {"host": host, "port": port} for name, (host, port) in addresses(site).items()},
        "users": passwords(site),
        "pid": master_pid,
        "site": str(site),
    }
    write_private(site / "site.json", json.dumps(about, indent=2) + "\n")
    _unlock_ports()
    print(greeting(about), flush=True)


def passwords(site: Path) -> dict[str, str]:
    """Address -> password of the users that the site was made with; empty when somebody removed the file."""
    try:
        users: dict[str, str] = json.loads((site / "conf" / "users.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return users


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner alone."""
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mkstemp gives mode 0600
    with os.fdopen(fd, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


# ---------------------------------------------------------------------------------------------- first start


def _stamp(site: Path) -> str:
    try:
        return (site / "conf" / "made-by").read_text().strip()
    except FileNotFoundError:
        return ""


def _withdraw(site: Path) -> None:
    """Take the last run's site.json away, so that nobody takes its ports and pid for this one's."""
    (site / "site.json").unlink(missing_ok=True)


def _embed(site: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "gromoxd.master.embed", str(site)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise SiteError(f"the site {site} could not be made:\n{made.stderr.strip()}")
    write_private(site / "conf" / "made-by", __version__ + "\n")


def _refuse_running(site: Path) -> None:
    """SiteError while a master runs the site; after a killed one, wait until its last worker has left the ports."""
    deadline = time.monotonic() + LOCK_SECONDS
    while _is_locked(site / "run" / "gromoxd.lock"):
        pid = _master_of(site)
        if pid or time.monotonic() >= deadline:
            raise SiteError(f"the site {site} is running already" + (f" (pid {pid})" if pid else ""))
        time.sleep(0.05)


def _is_locked(path: Path) -> bool:
    """Whether a process holds the lock that a master takes and its workers inherit (gromoxd.master.runfolder)."""
    try:
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _master_of(site: Path) -> int:
    """The pid of the living master, 0 when there is none."""
    try:
        pid = int((site / "run" / "gromoxd.pid").read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return 0
    return pid


# ---------------------------------------------------------------------------------------------- ports


def addresses(site: Path) -> dict[str, tuple[str, int]]:
    """Service -> (host, port) as the site's configuration has them."""
    found = {}
    for service in SERVICES:
        match = _line_of(service).search(_read(site / "conf" / service.file))
        if match:
            host, _, port = match[1].rpartition(":")
            found[service.name] = (host.strip("[]"), int(port))
    return found


def _line_of(service: Service) -> re.Pattern[str]:
    """The first address of a listener's line; a user may have added more behind it."""
    return re.compile(rf"^[ \t]*{service.setting}[ \t]*=[ \t]*([^\s,]+:\d+)", re.MULTILINE)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _choose_ports(site: Path, bind: str) -> None:
    """Keep each service's port while it is free; else take the next free one and write it down."""
    taken: set[int] = set()
    known = addresses(site)
    for service in SERVICES:
        host, wanted = known.get(service.name, (bind, service.port))
        port = _free_port(host, wanted, taken)
        taken.add(port)
        if (host, port) != known.get(service.name):
            _write_address(site / "conf" / service.file, service, host, port)


def _write_address(path: Path, service: Service, host: str, port: int) -> None:
    text = _read(path)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    match = _line_of(service).search(text)
    if match:
        text = text[: match.start(1)] + address + text[match.end(1) :]
    else:
        text += f"{service.setting}={address}\n"
    write_private(path, text)


def _free_port(host: str, first: int, taken: set[int]) -> int:
    for port in range(first, min(first + PORT_RANGE, 65536)):
        if port not in taken and is_free(host, port):
            return port
    raise SiteError(f"no free port from {first} on")


def is_free(host: str, port: int) -> bool:
    """Whether the server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise SiteError(f"cannot listen on {host}: {error.strerror}") from error
    return True


def _lock_ports() -> None:
    """From choosing ports until they are bound, other sites of this user wait: two starts never choose the same."""
    global _port_lock
    path = Path(tempfile.gettempdir()) / f"gromoxd-ports-{os.getuid()}.lock"
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return  # somebody else's file is in the way: the lock is a courtesy, binding decides
    lock = os.fdopen(fd, "w")
    deadline = time.monotonic() + LOCK_SECONDS
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            time.sleep(0.05)
    _port_lock = lock


def _unlock_ports() -> None:
    """Explicitly: forked workers share the open file, and closing it here alone would not free the lock."""
    global _port_lock
    if _port_lock is not None:
        fcntl.flock(_port_lock, fcntl.LOCK_UN)
        _port_lock.close()
        _port_lock = None


def _bind_host(site: Path) -> str:
    return next((host for host, _ in addresses(site).values()), "127.0.0.1")


# ---------------------------------------------------------------------------------------------- greeting


def greeting(about: dict[str, Any]) -> str:
    """Ports, passwords and three commands to try."""
    names = [s.name for s in SERVICES if s.name in about]
    lines = ["", f"gromoxd {__version__} runs; its data is in {about['site']}. Ctrl-C stops it.", ""]
    lines += [f"  {name:<6}{about[name]['host']}:{about[name]['port']}" for name in names]
    lines += ["", *(f"  {user}  password {password}" for user, password in about["users"].items()), ""]
    users = list(about["users"].items())
    if users and {"lmtp", "imap", "pop3"} <= set(names):
        lines += _commands(about, users[0], users[-1][0])
    return "\n".join(lines)


def _commands(about: dict[str, Any], reader: tuple[str, str], sender: str) -> list[str]:
    """A mail, and how to read it by IMAP and by POP3: with curl, or with Python where there is no curl."""
    user, password = reader
    lmtp, imap, pop3 = (about[name] for name in ("lmtp", "imap", "pop3"))
    send = (
        f'python3 -c \'import smtplib; smtplib.LMTP("{lmtp["host"]}", {lmtp["port"]}).sendmail('
        f'"{sender}", ["{user}"], b"Subject: Hello\\r\\n\\r\\nHello by LMTP.\\r\\n")\''
    )
    if shutil.which("curl"):
        by_imap = f"curl -s --user '{user}:{password}' 'imap://{imap['host']}:{imap['port']}/INBOX;MAILINDEX=1'"
        by_pop3 = f"curl -s --user '{user}:{password}' pop3://{pop3['host']}:{pop3['port']}/1"
    else:
        by_imap = (
            f'python3 -c \'import imaplib; m = imaplib.IMAP4("{imap["host"]}", {imap["port"]}); '
            f'm.login("{user}", "{password}"); m.select(); print(m.fetch("1", "(BODY[])"))\''
        )
        by_pop3 = (
            f'python3 -c \'import poplib; m = poplib.POP3("{pop3["host"]}", {pop3["port"]}); '
            f'm.user("{user}"); m.pass_("{password}"); print(m.retr(1))\''
        )
    return ["Try:", f"  {send}", f"  {by_imap}", f"  {by_pop3}", ""]
