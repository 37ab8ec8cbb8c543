"""Carries out what a POP3 session asks for: opens the mailbox, reads messages, removes them at the end."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gromoxd.context import SlotBoard
from gromoxd.directory.errors import AuthFailed, Throttled
from gromoxd.directory.model import Privilege, User
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.api import Exmdb, MailboxRef
from gromoxd.exmdb.calls import Expunge, LockPop3
from gromoxd.exmdb.ranges import to_ranges
from workers.common.index import snapshot
from workers.pop3 import session as replies
from workers.pop3.maildrop import Maildrop
from workers.pop3.reading import INBOX, Reader

log = logging.getLogger(__name__)
LOCK_PAUSES = (0.1, 0.3, 0.6)
"""A session that was just cut off may still be letting go of the lock."""


class Directory(Protocol):
    """What is asked of `gromoxd.directory.service.Directory`."""

    def authenticate(self, name: str, password: str, privilege: int, peer: str) -> User: ...
    def mailbox(self, user: User) -> MailboxRef: ...


@dataclass
class Refused:
    """A log-in that failed: wait, then give this answer."""

    answer: bytes
    delay: float = 0.0


class OpenMailbox:
    """A mailbox that a session has locked, until `close`."""

    def __init__(self, exmdb: Exmdb, mailbox: MailboxRef, user: User, maildrop: Maildrop) -> None:
        self.user = user
        self.maildrop = maildrop
        self.reader = Reader(exmdb, mailbox, user.username, maildrop)
        self._exmdb = exmdb
        self._mailbox = mailbox
        self._open = True

    def remove(self, uids: list[int]) -> None:
        """Remove messages for good. MapiError."""
        if uids:
            self._exmdb.call(self._mailbox, Expunge(INBOX, to_ranges(uids), False), actor=self.user.username)

    def close(self) -> None:
        """Give the lock back; twice does no harm."""
        if self._open:
            self._open = False
            unlock(self._exmdb, self._mailbox, self.user.username)


class Pop3Service:
    """One per worker."""

    def __init__(self, directory: Directory, exmdb: Exmdb, board: SlotBoard, sleep: Callable[[float], None]) -> None:
        self._directory = directory
        self._exmdb = exmdb
        self._board = board
        self._sleep = sleep

    def login(self, name: str, password: str, peer: str) -> OpenMailbox | Refused:
        """Authenticate, lock the mailbox and take its snapshot."""
        try:
            user = self._directory.authenticate(name, password, Privilege.IMAP_POP3, peer)
        except AuthFailed as error:
            self._board.add("auth_throttled" if isinstance(error, Throttled) else "auth_failures")
            log.info("login refused", extra={"login": name[:320], "peer": peer})
            return Refused(replies.AUTH_FAILED, error.delay)
        except MapiError as error:
            log.warning("login not possible", extra={"error": str(error)})
            return Refused(replies.UNAVAILABLE)
        self._board.add("auth_ok")
        return self._open(user)

    def _open(self, user: User) -> OpenMailbox | Refused:
        mailbox = self._directory.mailbox(user)
        try:
            if not self._lock(mailbox, user.username):
                return Refused(replies.IN_USE)
        except MapiError as error:
            log.warning("mailbox not opened", extra={"mailbox": user.username, "error": str(error)})
            return Refused(replies.UNAVAILABLE)
        try:
            return OpenMailbox(self._exmdb, mailbox, user, self._maildrop(mailbox, user.username))
        except MapiError as error:
            log.warning("mailbox not read", extra={"mailbox": user.username, "error": str(error)})
            unlock(self._exmdb, mailbox, user.username)
            return Refused(replies.UNAVAILABLE)

    def _lock(self, mailbox: MailboxRef, actor: str) -> bool:
        for pause in (*LOCK_PAUSES, 0.0):
            if self._exmdb.call(mailbox, LockPop3(True), actor=actor):
                return True
            if pause:
                self._sleep(pause)
        return False

    def _maildrop(self, mailbox: MailboxRef, actor: str) -> Maildrop:
        inbox = snapshot(self._exmdb, mailbox, INBOX, actor)
        uids, sizes = array("I"), array("I")
        for page in inbox.pages.values():
            uids.extend(page.uids)
            sizes.extend(page.sizes)
        return Maildrop(inbox.state.uidvalidity, uids, sizes)


def unlock(exmdb: Exmdb, mailbox: MailboxRef, actor: str) -> None:
    """Give the POP3 lock of a mailbox back; an owner that cannot be reached has dropped it with the connection."""
    try:
        exmdb.call(mailbox, LockPop3(False), actor=actor, deadline=10.0)
    except MapiError as error:
        level = logging.DEBUG if error.code in (Ec.ecNetwork, Ec.ecTimeout) else logging.WARNING
        log.log(level, "lock not given back", extra={"mailbox": mailbox.maildir, "error": str(error)})
