"""Tells mailboxes that the senders of deliveries have got their 250 (calls.Confirm), in batches, without waiting."""

from __future__ import annotations

import logging

import gevent
from gevent.pool import Pool

from gromoxd.errors import MapiError
from gromoxd.exmdb.api import SYSTEM, Exmdb, MailboxRef
from gromoxd.exmdb.calls import Confirm

log = logging.getLogger(__name__)
PAUSE = 0.05
BATCH = 500
AT_ONCE = 16
DEADLINE = 10.0


class Confirmer:
    """Collects request ids and sends them off a moment later. A lost confirmation costs nothing but memory."""

    def __init__(self, exmdb: Exmdb) -> None:
        self._exmdb = exmdb
        self._waiting: dict[MailboxRef, list[bytes]] = {}
        self._pool = Pool(AT_ONCE)
        self._flusher: gevent.Greenlet[..., None] | None = None

    def add(self, mailbox: MailboxRef, request_id: bytes) -> None:
        """This delivery's sender knows."""
        self._waiting.setdefault(mailbox, []).append(request_id)
        if self._flusher is None:
            self._flusher = gevent.spawn_later(PAUSE, self.flush)

    def flush(self) -> None:
        """Send what has gathered."""
        self._flusher = None
        waiting, self._waiting = self._waiting, {}
        for mailbox, ids in waiting.items():
            for at in range(0, len(ids), BATCH):
                self._pool.spawn(self._send, mailbox, ids[at : at + BATCH])

    def close(self) -> None:
        """Send the rest and wait for it."""
        self.flush()
        self._pool.join(DEADLINE)

    def _send(self, mailbox: MailboxRef, ids: list[bytes]) -> None:
        try:
            self._exmdb.call(mailbox, Confirm(ids), actor=SYSTEM, deadline=DEADLINE)
        except MapiError as error:
            log.debug("confirmation failed", extra={"mailbox": mailbox.maildir, "error": str(error)})
