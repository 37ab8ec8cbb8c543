"""How a mailbox says that it has mail for the relay: a file that tells so after a crash, and a datagram now.

The file `<site>/outgoing/<hash>` holds the mailbox's path. It is durable before the first commit with something to
send, and stays until the relay found nothing in the mailbox: so one that sends often writes it once. Datagrams to
`<site>/run/relay.sock` may be lost, for the relay looks at the files, too.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import socket
from typing import Protocol

from gromoxd.files import sync_folder

log = logging.getLogger(__name__)
LONGEST_DATAGRAM = 4096


class Outbox(Protocol):
    """One mailbox's."""

    def mark(self) -> None:
        """Before the commit; on the writer's thread. OSError."""
        ...

    def unmark(self) -> None:
        """Nothing is there to be sent; on the writer's thread, no transaction is under way."""
        ...

    def poke(self) -> None:
        """Something is there to be sent, committed; never blocks."""
        ...


class NoOutbox:
    """Where no relay is to be told: the mailbox tells it when a server opens it."""

    def mark(self) -> None:
        """Nothing."""

    def unmark(self) -> None:
        """Nothing."""

    def poke(self) -> None:
        """Nothing."""


def marker_path(site: str, maildir: str) -> str:
    """The file that says that a mailbox has something to send."""
    return os.path.join(site, "outgoing", hashlib.blake2b(os.fsencode(maildir), digest_size=16).hexdigest())


class SiteOutbox:
    """See the module."""

    def __init__(self, site: str, maildir: str) -> None:
        self._site = site
        self._maildir = maildir
        self._path = marker_path(site, maildir)
        self._marked: bool | None = None

    def mark(self) -> None:
        """See `Outbox`."""
        if self._marked is None:
            self._marked = os.path.exists(self._path)
        if self._marked:
            return
        folder = os.path.dirname(self._path)
        if not os.path.isdir(folder):
            os.makedirs(folder, 0o770, exist_ok=True)
            sync_folder(os.path.dirname(folder))
        waiting = f"{self._path}.tmp"
        descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o660)
        try:
            os.write(descriptor, os.fsencode(self._maildir))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(waiting, self._path)
        sync_folder(folder)
        self._marked = True

    def unmark(self) -> None:
        """See `Outbox`."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._marked = False

    def poke(self) -> None:
        """See `Outbox`."""
        poke(self._site, self._maildir)


def poke(site: str, maildir: str) -> None:
    """Tell the relay of a mailbox that has something to send; never blocks."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        try:
            sock.sendto(os.fsencode(maildir)[:LONGEST_DATAGRAM], os.path.join(site, "run", "relay.sock"))
        except OSError as error:  # it is not there, or has a full queue: it looks at the files
            log.debug("relay not told", extra={"error": str(error)})
