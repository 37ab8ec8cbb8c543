"""Keeps the address book's snapshot as the directory is: looks for changes, and has a process of its own build it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent
from gevent.event import Event

from gromoxd.addressbook import source, spawn
from gromoxd.addressbook.settings import AddressBookSettings
from gromoxd.context import ConfigView
from gromoxd.directory.errors import DirectoryDown
from gromoxd.directory.service import Directory
from gromoxd.directory.settings import DatabaseSettings

log = logging.getLogger(__name__)
BUILD_LIMIT = 600.0
RETRY = 15.0


class Refresher:
    """`start` looks at once, `reload` too; then every `addressbook_interval`. `looked` is called after each look."""

    def __init__(
        self, site: str, directory: Directory, config: ConfigView, looked: Callable[[bool], None] | None = None
    ) -> None:
        self._site, self._directory, self._config = site, directory, config
        self._looked = looked
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
            reloaded = self._wanted.is_set()
            self._wanted.clear()
            good = self.look()
            if self._looked is not None:
                self._looked(reloaded)
            interval = self._config.get(AddressBookSettings).addressbook_interval
            self._wanted.wait(interval if good else min(RETRY, interval))

    def look(self) -> bool:
        """Build if the directory has changed; False when that is to be tried again soon."""
        try:
            stamp = self._directory.sql(source.stamp)
        except DirectoryDown as error:
            log.warning("address book is not looked after", extra={"error": str(error)})
            return False
        if stamp == self._built:
            return True
        if not spawn.refresh(self._site, self._config.get(DatabaseSettings), BUILD_LIMIT):
            return False
        self._built = stamp
        return True
