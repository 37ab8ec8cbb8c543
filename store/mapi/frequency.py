"""How often something happened within an hour, in memory: what keeps two machines from answering each other for ever.

Headers and histories stop loops among servers that say what they do. A machine elsewhere that answers everything, in a
new mail that says nothing of where it comes from, is only known by how often it writes.
"""

from __future__ import annotations

from typing import Final

HOUR: Final = 3600
MOST_KEYS: Final = 10_000
"""Beyond, all is forgotten: so many different senders in one hour are no loop."""


class Frequency:
    """Counts of one mailbox. A restart begins anew."""

    __slots__ = ("_counts", "_since")

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._since = 0

    def exceeds(self, what: str, whom: str, limit: int, now: int, amount: int = 1) -> bool:
        """Count one more, or so many; whether that is more than `limit` since the hour began."""
        if not self._since <= now < self._since + HOUR or len(self._counts) >= MOST_KEYS:
            self._counts.clear()
            self._since = now
        key = (what, whom.lower())
        count = self._counts.get(key, 0) + amount
        self._counts[key] = count
        return count > limit
