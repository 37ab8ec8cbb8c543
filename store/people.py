"""Who the actors of calls are: their names in the directory and the mailing lists they are in, known for a minute.

The owner of a mailbox is not asked for; of everybody else it must be known before his first call, and that is asked
greenlet by greenlet, never in the hub.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from store.access import ANONYMOUS

LIFETIME = 60.0
MOST = 10_000

Lookup = Callable[[str], tuple[str, frozenset[str]] | None]
"""An actor's user name and the addresses of his lists, None when the directory does not know him; may block."""


class People:
    """The actors of one store worker."""

    def __init__(self, look_up: Lookup, now: Callable[[], float] = time.monotonic) -> None:
        self._look_up = look_up
        self._now = now
        self._names: dict[str, tuple[float, str]] = {}
        self.groups: dict[str, frozenset[str]] = {}
        """Shared with all mailboxes: see `store.access.Groups`."""

    def name(self, actor: str) -> str | None:
        """The actor's name in permissions, ANONYMOUS when the directory does not know him; None: `learn` it first."""
        if actor == ANONYMOUS:
            return ANONYMOUS
        known = self._names.get(actor)
        return known[1] if known is not None and known[0] > self._now() else None

    def learn(self, actor: str) -> str:
        """Ask the directory. MapiError(ecBusy) when it does not answer."""
        found = self._look_up(actor)
        if len(self._names) >= MOST:
            self.forget()
        name = ANONYMOUS if found is None else found[0].lower()
        if found is not None:
            self.groups[name] = found[1]
        self._names[actor] = (self._now() + LIFETIME, name)
        return name

    def forget(self) -> None:
        """The directory may say something else now."""
        self._names.clear()
        self.groups.clear()
