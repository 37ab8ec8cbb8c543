"""Keeps offline address books as the address book is: has a process of its own make the next generation."""

from __future__ import annotations

import logging
import os
import time

import gevent
from gevent.event import Event

from gromoxd.addressbook.layout import path_of
from gromoxd.addressbook.settings import OrganisationSettings
from gromoxd.context import ConfigView
from gromoxd.oab import spawn
from gromoxd.oab.settings import OabSettings

log = logging.getLogger(__name__)
LIMIT = 3600.0
LOOK = 30.0
"""How often the snapshot is looked at: that is one `stat`."""


class Publisher:
    """`start` publishes what is there, `reload` what has changed; then at most once in `oab_interval`."""

    def __init__(self, site: str, config: ConfigView) -> None:
        self._site, self._config = site, config
        self._wanted = Event()
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self._published: object = None
        self._not_before = 0.0

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()

    def look(self, *, now: bool = False) -> None:
        """The snapshot may be another one. `now`: do not wait for the interval to be over."""
        if now:
            self._not_before = 0.0
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.wait(LOOK)
            self._wanted.clear()
            self.publish()

    def publish(self) -> bool:
        """Make the next generation if the time is over and the snapshot is another one; whether there was a try."""
        present = self._present()
        if present is None or present == self._published or time.monotonic() < self._not_before:
            return False
        settings = self._config.get(OabSettings)
        organisation = self._config.get(OrganisationSettings).x500_org_name
        if spawn.publish(self._site, organisation, settings.oab_generations, LIMIT):
            self._published = present
            self._not_before = time.monotonic() + settings.oab_interval
        else:
            self._not_before = time.monotonic() + LOOK
        return True

    def _present(self) -> object:
        """What the files would be made of; None when there is no snapshot."""
        try:
            status = os.stat(path_of(self._site))
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, self._config.get(OrganisationSettings).x500_org_name
