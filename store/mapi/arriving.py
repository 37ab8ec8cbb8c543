"""A message that is being delivered, as the conditions of rules see it: nothing of it is in the database yet.

Only what a condition asks for is decoded. PidTagMessageToMe, -CcMe and -RecipientMe ([MS-OXOMSG] 2.2.1.20 …) go by the
mailbox's address and by the one that the mail was sent to.
"""

from __future__ import annotations

import os
from functools import cached_property
from math import inf
from mmap import ACCESS_READ, mmap
from time import monotonic
from typing import Any, Final, cast

from gromoxd.convert.headers import unfold_fields
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, decode_bag
from store import wellknown as wk
from store.mapi.loading import Attached, Data, Env
from store.mapi.properties import View
from store.mapi.rows import LISTED, Row
from store.pace import Pace
from store.transaction import Transaction

TO, CC = 1, 2


def octets_of(tx: Transaction, message: c.NewMessage) -> bytes | mmap:
    """The whole message."""
    if message.raw or tx.write.spool_fd < 0:
        return message.raw
    return mmap(tx.write.spool_fd, 0, access=ACCESS_READ) if os.fstat(tx.write.spool_fd).st_size else b""


def header_of(tx: Transaction, message: c.NewMessage) -> bytes:
    """Its header, with the empty line."""
    size = message.digest.header_size
    if message.raw or tx.write.spool_fd < 0:
        return message.raw[:size]
    return os.pread(tx.write.spool_fd, size, 0)


class Arriving(View):
    """What `gromoxd.mapi.evaluate` asks. The bag (`stored`) is the message's own and may be changed.

    `deadline` (monotonic seconds): from then on nothing is answered, so that thousands of conditions end.
    """

    __slots__ = ("__dict__", "addresses", "deadline", "pace")

    def __init__(self, tx: Transaction, call: c.Deliver, addresses: frozenset[str]) -> None:
        message = call.message
        digest = message.digest
        data = Data.known(Env.of(tx), 0, -1, digest.props)
        data.raw = cast(bytes, octets_of(tx, message))
        attached = [Attached(num, decode_bag(bag), 0) for num, bag in enumerate(digest.attachments)]
        rest = (digest.recipients, digest.parts, header_of(tx, message), None, None, 0, None)
        data.fill(rest, attached, [], (None, None))
        row = Row(
            0, wk.INBOX, 0, LISTED, message.flags, tx.state.cn, tx.state.cn, digest.size, message.received, digest.sent,
            0, 0,
        )  # fmt: skip
        super().__init__(data.env, row, data)
        self.addresses = addresses
        self.deadline = inf
        self.pace = Pace()

    @cached_property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The fields of the header."""
        return unfold_fields(self.data.header)

    @cached_property
    def people(self) -> dict[str, int]:
        """Address in lower case -> 1 (To), 2 (Cc) or 3 (Bcc), the first of them."""
        found: dict[str, int] = {}
        for bag in self.data.recipients:
            address, kind = bag.get(p.PidTagEmailAddress), bag.get(p.PidTagRecipientType)
            if isinstance(address, str) and isinstance(kind, int):
                lowered = address.lower()
                found[lowered] = min(kind, found.get(lowered, kind))
        return found

    def recipients(self) -> list[Bag]:
        """See `View.recipients`; made once. Not to be changed. ecTimeout."""
        self._in_time()
        return self._recipients

    @cached_property
    def _recipients(self) -> list[Bag]:
        return super().recipients()

    def _in_time(self) -> None:
        if self.deadline != inf:
            self.pace.step()
            if monotonic() > self.deadline:
                raise MapiError(Ec.ecTimeout, "conditions take too long")

    def get(self, tag: int) -> Any:
        """See `View.get`. ecTimeout."""
        self._in_time()
        if tag in _MINE:
            kinds = _MINE[tag]
            return any(self.people.get(address, 0) in kinds for address in self.addresses)
        return super().get(tag)


_MINE: Final[dict[int, tuple[int, ...]]] = {
    p.PidTagMessageToMe: (TO,), p.PidTagMessageCcMe: (CC,), p.PidTagMessageRecipientMe: (TO, CC)
}  # fmt: skip
