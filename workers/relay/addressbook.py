"""Keeps the address book's snapshot as the directory is: looks for changes, and has a process of its own build it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import asdict

import gevent
import msgspec
from gevent import subprocess
from gevent.event import Event

from gromoxd.addressbook import source
from gromoxd.addressbook.settings import AddressBookSettings
from gromoxd.context import ConfigView
from gromoxd.directory.errors import DirectoryDown
from gromoxd.directory.service import Directory
from gromoxd.directory.settings import DatabaseSettings

log = logging.getLogger(__name__)
BUILD_LIMIT = 600.0
RETRY = 15.0
MODULE = "gromoxd.addressbook.build"


class Refresher:
    """`start` looks at once, `reload` too; then every `addressbook_interval`."""

    def __init__(self, site: str, directory: Directory, config: ConfigView) -> None:
        self._site, self._directory, self._config = site, directory, config
        self._wanted = Event()
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self._built = ""

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def reload(self) -> None:
        """The directory may be another one now."""
        self._wanted.set()

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()

    def _run(self) -> None:
        while True:
            self._wanted.clear()
            good = self._look()
            interval = self._config.get(AddressBookSettings).addressbook_interval
            self._wanted.wait(interval if good else min(RETRY, interval))

    def _look(self) -> bool:
        """Build if the directory has changed; False when that is to be tried again soon."""
        try:
            stamp = self._directory.sql(source.stamp)
        except DirectoryDown as error:
            log.warning("address book is not looked after", extra={"error": str(error)})
            return False
        if stamp == self._built:
            return True
        if not self._build():
            return False
        self._built = stamp
        return True

    def _build(self) -> bool:
        settings = msgspec.json.encode(asdict(self._config.get(DatabaseSettings)))
        try:
            with subprocess.Popen(
                [sys.executable, "-m", MODULE, self._site],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            ) as child:  # fmt: skip
                return _ended(child, settings)
        except OSError as error:
            log.error("address book cannot be built", extra={"error": str(error)})
            return False


def _ended(child: subprocess.Popen[bytes], settings: bytes) -> bool:
    """Whether the build ended well; it is killed when it takes too long, or when we are to stop."""
    kill: Callable[[], None] = child.kill
    try:
        _, errors = child.communicate(settings, timeout=BUILD_LIMIT)
    except subprocess.TimeoutExpired:
        kill()
        log.error("building the address book takes too long", extra={"limit": BUILD_LIMIT})
        return False
    except BaseException:
        kill()
        raise
    if child.returncode:
        last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
        log.error("address book cannot be built", extra={"status": child.returncode, "error": last[:200]})
    return child.returncode == 0
