"""The messages of a POP3 session: a snapshot of the Inbox taken at login, with the marks of DELE. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

LISTED_AT_ONCE = 1000


class Maildrop:
    """Messages are numbered from 1; `uids` and `sizes` are by number less one."""

    __slots__ = ("_size", "deleted", "sizes", "uids", "uidvalidity")

    def __init__(self, uidvalidity: int, uids: array[int], sizes: array[int]) -> None:
        self.uidvalidity = uidvalidity
        self.uids = uids
        self.sizes = sizes
        self.deleted: set[int] = set()
        self._size = sum(sizes)

    def __len__(self) -> int:
        return len(self.uids)

    def has(self, number: int) -> bool:
        """Whether a message of this number is there and not marked."""
        return 0 < number <= len(self.uids) and number not in self.deleted

    def delete(self, number: int) -> None:
        self.deleted.add(number)
        self._size -= self.sizes[number - 1]

    def reset(self) -> None:
        self.deleted.clear()
        self._size = sum(self.sizes)

    def stat(self) -> tuple[int, int]:
        """(messages, octets) without the marked ones."""
        return len(self.uids) - len(self.deleted), self._size

    def unique_id(self, number: int) -> bytes:
        """Stable for the message's life (RFC 1939 7, UIDL)."""
        return b"%08x%08x" % (self.uidvalidity, self.uids[number - 1])

    def deleted_uids(self) -> list[int]:
        """Uids of the marked messages, ascending."""
        return [self.uids[number - 1] for number in sorted(self.deleted)]

    def scan_listing(self) -> Iterator[bytes]:
        """The lines of LIST, a thousand messages at a time."""
        sizes, deleted = self.sizes, self.deleted
        for first in range(0, len(sizes), LISTED_AT_ONCE):
            part = enumerate(sizes[first : first + LISTED_AT_ONCE], first + 1)
            yield b"".join([b"%d %d\r\n" % item for item in part if item[0] not in deleted])

    def unique_ids(self) -> Iterator[bytes]:
        """The lines of UIDL, a thousand messages at a time."""
        uids, deleted, line = self.uids, self.deleted, b"%%d %08x%%08x\r\n" % self.uidvalidity
        for first in range(0, len(uids), LISTED_AT_ONCE):
            part = enumerate(uids[first : first + LISTED_AT_ONCE], first + 1)
            yield b"".join([line % item for item in part if item[0] not in deleted])
