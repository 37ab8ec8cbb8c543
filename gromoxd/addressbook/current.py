"""The snapshot in force, as a worker process has it: noticed when it is replaced, made when it is missing."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Final

from gromoxd.addressbook import build
from gromoxd.addressbook.layout import Damaged
from gromoxd.addressbook.reader import Book, Item, Snapshot
from gromoxd.directory.service import Directory
from gromoxd.errors import Ec, MapiError

log = logging.getLogger(__name__)
LOOK_INTERVAL: Final = 1.0
BUILD_WAIT: Final = 30.0
"""How long a request waits for somebody else's building."""


class AddressBooks:
    """One per worker process. Methods block greenlet-wise.

    MapiError(ecServerPaused) when there is no snapshot and none can be made now; DirectoryDown.
    """

    def __init__(self, site: str, directory: Directory) -> None:
        self._path = build.path_of(site)
        self._directory = directory
        self._current: Snapshot | None = None
        self._looked = -LOOK_INTERVAL
        self._changing = threading.Lock()

    def snapshot(self) -> Snapshot:
        """The newest one; asks the file system once a second at most."""
        now = time.monotonic()
        if self._current is not None and (now - self._looked < LOOK_INTERVAL or not self._replaced()):
            return self._current
        self._looked = now
        if self._current is not None and not self._changing.acquire(blocking=False):
            return self._current  # somebody is opening the new one
        if self._current is None:
            self._changing.acquire()
        try:
            if self._current is None or self._replaced():
                self._current = self._directory.blocking(self._open)
            return self._current
        finally:
            self._changing.release()

    def book(self, domain_id: int, organisation: str) -> Book:
        """The address book that people of a domain see. MapiError(ecNotFound) for a domain that is too new."""
        found = self.snapshot().book(domain_id, organisation)
        if found is None:
            raise MapiError(Ec.ecNotFound, f"no address book of domain {domain_id}")
        return found

    def of_user(self, user_id: int, domain_id: int, organisation: str) -> Item | None:
        """A user's own object; None when he is too new."""
        book = self.snapshot().book(domain_id, organisation)
        return book.of_user(user_id) if book is not None else None

    def _replaced(self) -> bool:
        self._looked = time.monotonic()
        try:
            return self._current is None or os.stat(self._path).st_ino != self._current.file.inode
        except OSError:
            return False

    def _open(self) -> Snapshot:
        """On a thread: the file, made anew when it is not there or damaged."""
        try:
            return Snapshot(self._path)
        except FileNotFoundError:
            log.info("address book is missing, building it")
        except (Damaged, KeyError, ValueError) as error:
            log.warning("address book is damaged, building it", extra={"error": str(error)})
        with build.building(self._path, BUILD_WAIT) as mine:
            if not mine:
                raise MapiError(Ec.ecServerPaused, "another process still builds the address book")
            try:
                return Snapshot(self._path)
            except (OSError, Damaged, KeyError, ValueError):
                self._directory.database().run(lambda c: build.build(c, self._path, int(time.time())))
                return Snapshot(self._path)
