"""What `make install` put in place, at work: as root on ports below 1024 with workers as nobody, and without root."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import psutil

from tests.conftest import require_binary
from tests.services.daemons import run
from tests.services.plain import Service
from tests.support import messages
from tests.support.server import until

ALICE = "alice@example.org"
NOBODY = "nobody"
LOW = {
    "imap_listen": 143, "imap_listen_tls": 993, "pop3_listen": 110, "pop3_listen_tls": 995, "lda_listen": 24,
    "http_listen": 80, "http_listen_tls": 443,
}  # fmt: skip
FILES = {"imap": "imap.cfg", "pop3": "pop3.cfg", "lda": "smtp.cfg", "http": "http.cfg"}


def own(etc: Path) -> None:
    """What systemd/tmpfiles.d says of the configuration: the workers read it, others do not."""
    for path in etc.glob("*.cfg"):
        assert path.stat().st_mode & 0o777 == 0o640, path
        if os.geteuid() == 0:
            os.chown(path, 0, pwd.getpwnam(NOBODY).pw_gid)


def configure(etc: Path, host: str, ports: dict[str, int], identity: str) -> None:
    """Adapt the installed samples as an administrator does: behind the commented defaults of each file."""
    for setting, port in ports.items():
        with (etc / FILES[setting.partition("_")[0]]).open("a") as file:
            file.write(f"{setting}={host}:{port}\n")
    with (etc / "smtp.cfg").open("a") as file:
        file.write("lda_listen_tls=\n")
    with (etc / "gromox.cfg").open("a") as file:
        file.write(f"running_identity={identity}\n")
        file.write(f"tls_certificate_path={etc}/cert.pem\ntls_private_key_path={etc}/key.pem\n")


def certificate(etc: Path) -> None:
    """A key that root and the workers' group read, nobody else."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run(*command, "-subj", "/CN=localhost", "-days", "2", "-keyout", etc / "key.pem", "-out", etc / "cert.pem")
    (etc / "key.pem").chmod(0o640)
    if os.geteuid() == 0:
        os.chown(etc / "key.pem", 0, pwd.getpwnam(NOBODY).pw_gid)


def works(service: Service, name: str) -> None:
    """One delivery; the mail is read by IMAP over TLS and by POP3."""
    message = messages.make(name, to=ALICE)
    service.deliver(message, ALICE)
    with service.imap(ALICE, tls=True) as client:
        client.select("INBOX")
        (number,) = client.search(None, "SUBJECT", f'"{name}"')[1][0].split()
        assert client.fetch(number.decode(), "(BODY.PEEK[])")[1][0][1].endswith(message)
    assert service.pop3(ALICE).quit().startswith(b"+OK")


def dropped(service: Service) -> None:
    """The master is root, its workers are nobody for good: no other group, no capability, no way back."""
    nobody = pwd.getpwnam(NOBODY)
    master = psutil.Process(service.pid)
    assert master.uids().effective == 0
    until(lambda: all(w.uids().real == nobody.pw_uid for w in service.children()), describe="workers dropped root")
    workers = service.children()
    assert len(workers) >= 5
    for worker in workers:
        assert set(worker.uids()) == {nobody.pw_uid} and set(worker.gids()) == {nobody.pw_gid}, worker
        status = dict(line.split(":", 1) for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines())
        assert set(status["Groups"].split()) <= {str(nobody.pw_gid)}, status["Groups"]
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapAmb")} == {0}


def private(site: Path, owner: int) -> None:
    """Mailboxes and the directory belong to the workers; others see and enter nothing."""
    files = list((site / "data").rglob("*"))
    assert any(path.name == "mailbox.sqlite3" for path in files)
    for path in [site / "data", *files]:
        found = path.stat()
        assert found.st_uid == owner, path
        assert not found.st_mode & stat.S_IRWXO, f"{path} has mode {found.st_mode:o}"
        assert not found.st_mode & (stat.S_ISUID | stat.S_ISGID), path
    mailbox = next(path for path in files if path.name == "mailbox.sqlite3")
    assert mailbox.stat().st_mode & 0o777 in (0o600, 0o660)
    assert mailbox.parent.stat().st_mode & 0o777 in (0o700, 0o750)
    assert (site / "data" / "directory.sqlite3").stat().st_mode & 0o777 == 0o600
    for path in (site / "run").glob("*.sock"):
        assert path.stat().st_mode & 0o777 == 0o600, path


def as_the_unit_has_it(prefix: Path) -> list[str]:
    """setpriv with the capabilities that the installed unit leaves to the master, and no new privileges."""
    unit = (prefix / "lib" / "systemd" / "system" / "gromoxd.service").read_text()
    (left,) = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("CapabilityBoundingSet=")]
    names = ",".join("+" + name.removeprefix("CAP_").lower() for name in left.split())
    return [require_binary("setpriv"), "--no-new-privs", f"--bounding-set=-all,{names}", "--inh-caps=-all"]


def check(prefix: Path, etc: Path, site: Path) -> None:
    """All of it, on an installation whose paths are where it stands."""
    root = os.geteuid() == 0
    service = Service(site, config=etc, binaries=prefix / "bin", before=as_the_unit_has_it(prefix) if root else ())
    ports = LOW if root else {setting: 10000 + port for setting, port in LOW.items()}
    configure(etc, service.host, ports, NOBODY if root else "")
    certificate(etc)
    own(etc)
    service.listen(ports)
    service.create_directory(ALICE)
    try:
        service.start()
        works(service, "installed")
        if root:
            dropped(service)
            respawned(service)
            unreadable(service)
        reloaded(service)
        private(site, pwd.getpwnam(NOBODY).pw_uid if root else os.geteuid())
        assert "installed" in service.ctl("status") or "imap" in service.ctl("status")
        service.stop()
        if root:
            unprivileged(service)
    except BaseException:
        service.stop(check=False)
        raise


def respawned(service: Service) -> None:
    """A worker that dies is replaced by one that has dropped root too, and has the port."""
    before = {child.pid for child in service.children("imap")}
    for pid in before:
        service.kill(pid)
    until(lambda: len({c.pid for c in service.children("imap")} - before) == len(before), describe="new IMAP workers")
    works(service, "respawned")
    dropped(service)


def unreadable(service: Service) -> None:
    """A reload with files that only root can read: the workers keep what they have, and say why."""
    path = service.config / "imap.cfg"
    os.chown(path, 0, 0)
    service.ctl("reload")
    text = f"{path}: cannot be read: Permission denied"
    until(lambda: text in service.log(), describe=text)
    own(service.config)
    works(service, "unreadable")


def reloaded(service: Service) -> None:
    """The workers follow a reload."""
    epoch = service.metric("directory_epoch")
    with (service.config / "smtp.cfg").open("a") as file:
        file.write("mail_max_length=100K\n")
    service.ctl("reload")
    until(lambda: service.metric("directory_epoch") > epoch, describe="a reload")

    def limit() -> str:
        with service.lmtp() as client:
            return str(client.esmtp_features["size"])

    until(lambda: limit() == "102400", describe="the new limit")
    works(service, "reloaded")


def unprivileged(service: Service) -> None:
    """The same site without root from the start: running_identity is of no account then."""
    nobody = pwd.getpwnam(NOBODY)
    os.chown(service.site / "run" / "gromoxd.lock", nobody.pw_uid, nobody.pw_gid)
    service.before = ()
    service.more = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    for setting, port in LOW.items():
        service.options[setting] = f"{service.host}:{10000 + port}"
    service.listen({setting: 10000 + port for setting, port in LOW.items()})
    service.start()
    works(service, "unprivileged")
    assert {process.uids().real for process in service.tree()} == {nobody.pw_uid}
    service.stop()
