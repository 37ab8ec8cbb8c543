"""Who may send in whose name ([MS-OXOMSG] 3.3.5.1.1): asked by the relay, which alone sends, before it does.

Protocols ask it, too, so that their clients are told at once.
"""

from __future__ import annotations

from typing import Protocol

from gromoxd.directory.model import Domain, User
from gromoxd.errors import MapiError
from gromoxd.exmdb.access import GetRights
from gromoxd.exmdb.api import SYSTEM, Exmdb, MailboxRef


class Directory(Protocol):
    """What is asked of `gromoxd.directory.service.Directory`."""

    def find_or_none(self, name: str) -> User | None: ...
    def mailbox(self, user: User) -> MailboxRef: ...


def represented(directory: Directory, exmdb: Exmdb, owner: str, address: str, send_as: bool) -> User | None:
    """The user whom `address` names, if `owner` may send so: it is his own (an alias), he is one of that mailbox's
    senders, or, without `send_as`, one of its delegates; lists that he is in count. None: he may not. MapiError.
    """
    user = directory.find_or_none(address)
    if user is None:
        return None
    if user.username.lower() == owner.lower():
        return user
    if not user.has_store:
        return None
    rights = exmdb.call(directory.mailbox(user), GetRights(0, owner), actor=SYSTEM)
    return user if rights.send_as or (rights.delegate and not send_as) else None


class Domains(Protocol):
    """What is asked of the directory for `return_address`."""

    def domain(self, name: str) -> Domain | None: ...


def return_address(directory: Domains, sender: str) -> str:
    """The envelope's sender of a list's mail to members elsewhere: somebody here, or else nobody (RFC 5321 4.5.5).

    Whoever writes from outside may have made his address up, and lists have no owner to whom a report could go: of
    a member who is not reached the log tells, not a stranger who never wrote to the list.
    """
    try:
        return sender if sender and directory.domain(sender.rpartition("@")[2].lower()) is not None else ""
    except MapiError:
        return ""
