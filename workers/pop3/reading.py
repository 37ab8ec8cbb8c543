"""Reads a session's messages: ahead when the client goes through them in order, in pieces when they are long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gromoxd.exmdb.api import Exmdb, MailboxRef
from gromoxd.exmdb.calls import Content, GetContents, ReadContent
from gromoxd.exmdb.ranges import to_ranges
from workers.pop3.maildrop import Maildrop

INBOX = 13
AHEAD = 16
AHEAD_BYTES = 512 << 10
LONG = 1 << 20
"""Messages above this are read and sent in pieces."""
PIECE = 256 << 10


@dataclass
class Reader:
    """One session's reads. Holds at most AHEAD messages of together AHEAD_BYTES, or one of up to LONG."""

    exmdb: Exmdb
    mailbox: MailboxRef
    actor: str
    maildrop: Maildrop

    def __post_init__(self) -> None:
        self._ahead: dict[int, bytes] = {}
        self._last = 0
        self._window = 1

    def is_long(self, number: int) -> bool:
        """Whether to use `pieces`."""
        return self.maildrop.sizes[number - 1] > LONG

    def whole(self, number: int) -> bytes | None:
        """The message's octets; None when another session has removed it. MapiError."""
        in_order = number == self._last + 1
        self._last = number
        raw = self._ahead.pop(number, None)
        if raw is not None:
            return raw
        self._window = min(self._window * 4, AHEAD) if in_order else 1
        self._ahead.clear()
        self._fetch(number)
        return self._ahead.pop(number, None)

    def pieces(self, number: int) -> Iterator[bytes]:
        """The octets of a long message, bit by bit. MapiError (ecNotFound when it is gone)."""
        uid, offset = self.maildrop.uids[number - 1], 0
        while True:
            call = ReadContent(INBOX, uid, offset, PIECE)
            piece = self.exmdb.call(self.mailbox, call, actor=self.actor)
            if piece:
                yield piece
            offset += len(piece)
            if len(piece) < PIECE:
                return

    def _fetch(self, number: int) -> None:
        wanted = {self.maildrop.uids[n - 1]: n for n in self._choose(number)}
        call = GetContents(INBOX, to_ranges(list(wanted)), max(AHEAD_BYTES, LONG))
        contents: list[Content] = self.exmdb.call(self.mailbox, call, actor=self.actor)
        for content in contents:
            if content.uid in wanted and (content.raw or not content.size):
                self._ahead[wanted[content.uid]] = content.raw

    def _choose(self, number: int) -> list[int]:
        """The message, and those behind it that fit into window and bytes."""
        drop = self.maildrop
        chosen, room = [number], AHEAD_BYTES - drop.sizes[number - 1]
        for n in range(number + 1, min(number + self._window, len(drop) + 1)):
            room -= drop.sizes[n - 1]
            if room < 0:
                break
            if n not in drop.deleted:
                chosen.append(n)
        return chosen
