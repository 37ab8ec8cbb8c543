"""The interface between protocol workers and mailboxes: what `gromoxd.exmdb.client` and the memory store offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, NamedTuple, Protocol, TypeVar

from gromoxd.exmdb.calls import Call, Event

R = TypeVar("R")

SYSTEM = "\x00system"
"""The actor of delivery and administration: accepted from the node's own socket and proven peers."""


class MailboxRef(NamedTuple):
    """A mailbox as the directory knows it. `host` is the home server's name, '' when it is this node."""

    maildir: str
    host: str = ""


class Exmdb(Protocol):
    """Blocking (greenlet-wise) calls to mailboxes, wherever they are homed."""

    def call(
        self, mailbox: MailboxRef, call: Call[R], *, actor: str, spool: BinaryIO | None = None, deadline: float = 60.0
    ) -> R:
        """Ask the mailbox's owner; retries what is safe to retry. MapiError; ecNetwork/ecTimeout when out of reach.

        `spool` is a file with the message's bytes for Append/Deliver with empty `raw`.
        """
        ...

    def published(self, mailbox: MailboxRef, key: bytes) -> bytes | None:
        """A value of the owner's arena, if the mailbox is homed on this node and the value is there.

        Nobody's rights are looked at: to be used for the mailbox's owner only.
        """
        ...

    def watch(self, mailbox: MailboxRef, actor: str, notify: Callable[[Event], None]) -> Callable[[], None]:
        """`notify` is called (from the hub, it must not block) for each event until the returned function is called.

        After a lost connection the watch is renewed and notify gets an Event for fid 0 and for every folder (fid -1).
        """
        ...
