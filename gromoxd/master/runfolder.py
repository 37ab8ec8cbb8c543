"""The site's run folder: made for the workers' user, locked by one master, with the pid file."""

from __future__ import annotations

import fcntl
import os
import pwd
import time

from gunicorn.pidfile import Pidfile

from gromoxd.master.listeners import Owner

LOCK_WAIT = float(os.environ.get("GROMOXD_LOCK_WAIT", "15"))
"""Seconds to wait for the last workers of a killed master; the tests shorten it."""


KEPT = ("outgoing", "spool")
"""Folders beside the run folder that belong to the workers' user: outgoing mail."""


class RunError(Exception):
    """The site cannot be used."""


def owner_of(identity: str) -> Owner | None:
    """Whom the workers run as: None when they stay who the master is. RunError for an unknown user."""
    if not identity or os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(identity)
    except KeyError as error:
        raise RunError(f"running_identity: there is no user {identity!r}") from error
    return Owner(entry.pw_uid, entry.pw_gid)


class RunFolder:
    """`<site>/run`. The lock is shared with the children by the fork: a site is free when its last process is gone."""

    def __init__(self, site: str, pid_file: str, owner: Owner | None) -> None:
        self.path = os.path.join(site, "run")
        self._kept = [os.path.join(site, name) for name in KEPT]
        self._pidfile = Pidfile(pid_file or os.path.join(self.path, "gromoxd.pid"))
        self._owner = owner
        self._lock = -1

    def take(self, wait: float = LOCK_WAIT) -> None:
        """Make and lock the folder, waiting for the last workers of a killed master; write the pid file."""
        try:
            for path in (self.path, *self._kept):
                os.makedirs(path, 0o755 if path == self.path else 0o700, exist_ok=True)
                if self._owner:
                    os.chown(path, self._owner.uid, self._owner.gid)
            self._lock = os.open(os.path.join(self.path, "gromoxd.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RunError(f"{error.filename or self.path}: {error.strerror}") from error
        until = time.monotonic() + wait
        while not self._locked():
            if time.monotonic() >= until:
                raise RunError(f"{self.path} is in use by another gromoxd")
            time.sleep(0.05)
        self._write_pid()

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _write_pid(self) -> None:
        try:
            os.unlink(self._pidfile.fname)  # we hold the lock: a pid in it is a dead master's
        except FileNotFoundError:
            pass
        except OSError as error:
            raise RunError(f"{self._pidfile.fname}: {error.strerror}") from error
        try:
            self._pidfile.create(os.getpid())
        except (OSError, RuntimeError) as error:
            raise RunError(f"pid file: {error}") from error

    def leave(self) -> None:
        """Remove the pid file and give the lock back."""
        self._pidfile.unlink()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
