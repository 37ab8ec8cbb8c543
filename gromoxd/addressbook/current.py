"""The snapshot in force, as a worker process has it: noticed when it is replaced, made when it is missing."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Final

from gromoxd.addressbook import source, spawn
from gromoxd.addressbook.layout import Damaged, path_of
from gromoxd.addressbook.reader import Book, Snapshot
from gromoxd.directory.service import Directory
from gromoxd.directory.settings import DatabaseSettings
from gromoxd.errors import Ec, MapiError

log = logging.getLogger(__name__)
LOOK_INTERVAL: Final = 1.0
RENEW_INTERVAL: Final = 10.0
BUILD_LIMIT: Final = 60.0


class AddressBooks:
    """One per worker process. Methods block greenlet-wise.

    MapiError(ecServerPaused) when there is no snapshot and none can be made now; DirectoryDown.
    """

    def __init__(self, site: str, directory: Directory) -> None:
        self._site, self._path = site, path_of(site)
        self._directory = directory
        self._current: Snapshot | None = None
        self._looked = self._renewed = -RENEW_INTERVAL
        self._changing = threading.Lock()

    def snapshot(self) -> Snapshot:
        """The newest one; asks the file system once a second at most."""
        current, now = self._current, time.monotonic()
        if current is None:
            with self._changing:
                return self._current or self._first()
        if now - self._looked < LOOK_INTERVAL:
            return current
        self._looked = now
        if self._replaced(current) and self._changing.acquire(blocking=False):
            try:
                self._current = self._open() or current
            finally:
                self._changing.release()
        return self._current or current

    def book(self, domain_id: int, organisation: str, user_id: int = 0) -> Book:
        """The address book that people of a domain see.

        With `user_id` it is renewed first when it does not know the user, who may be a new one. MapiError(ecNotFound)
        for a domain without address book.
        """
        found = self.snapshot().book(domain_id, organisation)
        if (found is None or (user_id and found.of_user(user_id) is None)) and self._renew():
            found = self.snapshot().book(domain_id, organisation)
        if found is None:
            raise MapiError(Ec.ecNotFound, f"no address book of domain {domain_id}")
        return found

    def _replaced(self, current: Snapshot) -> bool:
        try:
            return os.stat(self._path).st_ino != current.file.inode
        except OSError:
            return False

    def _open(self) -> Snapshot | None:
        """The file that is there, if it is a good one."""
        try:
            return self._directory.blocking(Snapshot, self._path)
        except FileNotFoundError:
            return None
        except (OSError, Damaged, KeyError, ValueError) as error:
            log.warning("address book is damaged", extra={"error": str(error)})
            return None

    def _build(self) -> Snapshot | None:
        spawn.refresh(self._site, self._directory.config.get(DatabaseSettings), BUILD_LIMIT)
        return self._open()

    def _first(self) -> Snapshot:
        found = self._open() or self._build()
        if found is None:
            raise MapiError(Ec.ecServerPaused, "there is no address book")
        self._current = found
        return found

    def _renew(self) -> bool:
        """Build anew if the directory has changed, not more often than once in a while; whether there is a new one."""
        now = time.monotonic()
        if now - self._renewed < RENEW_INTERVAL:
            return False
        self._renewed = now
        with self._changing:
            current = self._current
            if current is not None and self._directory.sql(source.stamp) == current.meta.stamp:
                return False
            self._current = self._build() or current
            return self._current is not current
