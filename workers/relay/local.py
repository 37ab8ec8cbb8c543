"""Recipients who are here: found in the directory, delivered to by the code that LMTP uses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from gromoxd.context import SlotBoard
from gromoxd.convert.digest import digest_message
from gromoxd.directory.model import Recipient as Resolved
from gromoxd.directory.model import User, Verdict
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.api import Exmdb, MailboxRef
from gromoxd.exmdb.calls import Append, NewMessage
from gromoxd.exmdb.pages import SEEN
from workers.common.delivery import Delivery, Mailboxes, TracedBody
from workers.common.sending import return_address
from workers.common.trace import Trace
from workers.relay.remote import blocks
from workers.relay.schedule import Outcome
from workers.relay.spool import Mail

log = logging.getLogger(__name__)
LARGEST_APPEND = 64 << 20
LATER = Outcome(4, "4.3.0", "the directory cannot be asked now")
DELIVERED = Outcome(2, "2.0.0", "delivered")
BY_VERDICT = {
    Verdict.UNKNOWN: Outcome(5, "5.1.1", "550 5.1.1 No such user here"),
    Verdict.DISABLED: Outcome(5, "5.2.1", "550 5.2.1 Mailbox is disabled"),
    Verdict.LIST_DOMAIN: Outcome(5, "5.7.1", "550 5.7.1 You may not write to this list"),
    Verdict.LIST_INTERNAL: Outcome(5, "5.7.1", "550 5.7.1 You may not write to this list"),
    Verdict.LIST_SPECIFIED: Outcome(5, "5.7.1", "550 5.7.1 You may not write to this list"),
    Verdict.LOOP: Outcome(5, "5.4.6", "550 5.4.6 The list contains itself"),
}
BY_CODE = {
    Ec.ecQuotaExceeded: Outcome(5, "5.2.2", "552 5.2.2 Mailbox is full"),
    Ec.ecUnknownUser: BY_VERDICT[Verdict.UNKNOWN],
    Ec.ecAccessDenied: Outcome(5, "5.7.1", "550 5.7.1 Not allowed there"),
    Ec.ecNotFound: Outcome(5, "5.2.0", "550 5.2.0 There is no such folder"),
    Ec.ecTooBig: Outcome(5, "5.3.4", "552 5.3.4 Message too large"),
}


class Directory(Mailboxes, Protocol):
    """What is asked of `gromoxd.directory.service.Directory`."""

    def recipient(self, address: str, sender: str = "") -> Resolved: ...
    def find_or_none(self, name: str) -> User | None: ...
    def owner_of(self, maildir: str) -> User | None: ...


@dataclass(frozen=True)
class OwnTrace(Trace):
    """The trace header of mail that came from no connection (RFC 5321 4.4: no `from`)."""

    def received(self) -> bytes:
        return f"Received: by {self.hostname} (gromoxd) id {self.id};\r\n\t{self.date}\r\n".encode()


class Route(NamedTuple):
    """Where an address leads: to a mailbox here, elsewhere (both None), or nowhere (or to a list's members)."""

    user: User | None = None
    outcome: Outcome | None = None


class Local:
    """One per relay. `delivered` (mailbox, request id) is called for what is to be confirmed later."""

    def __init__(self, directory: Directory, exmdb: Exmdb, board: SlotBoard, in_thread: Callable[..., Any]) -> None:
        self._directory = directory
        self._exmdb = exmdb
        self._in_thread = in_thread
        self._delivery = Delivery(directory, exmdb, board, in_thread)

    def route(self, address: str, sender: str) -> Route:
        """Find an address in the directory."""
        try:
            found = self._directory.recipient(address, sender)
            if found.verdict == Verdict.UNKNOWN and not found.list_name:
                domain = address.rpartition("@")[2]
                if self._directory.domain(domain) is None:
                    return Route()
        except MapiError as error:
            log.warning("recipient not looked up", extra={"recipient": address, "error": str(error)})
            return Route(outcome=LATER)
        if found.verdict != Verdict.OK:
            return Route(outcome=BY_VERDICT[found.verdict])
        if found.list_name:
            known = not sender or bool(return_address(self._directory, sender))
            members = [user.username for user in found.users] + (found.external if known else [])
            apart = () if known else tuple(found.external)
            told = "sent to the members of the list"
            return Route(outcome=Outcome(2, "2.0.0", told, added=tuple(members), apart=apart))
        return Route(user=found.users[0])

    def deliver(
        self, mail: Mail, wanted: Sequence[tuple[str, User]], trace: OwnTrace, now: float
    ) -> tuple[list[Outcome], list[tuple[MailboxRef, bytes]]]:
        """Deliver to these; outcomes in their order, and what is to be confirmed once they are on disk."""
        body = TracedBody(trace, [user for _, user in wanted])
        try:
            for block in blocks(mail, b""):
                body.write(block)
            jobs = self._delivery.jobs(mail.sender, wanted, body, lambda mark: b"")
            for maildir, job in jobs.items():
                job.request_id = request_id(mail.token, maildir)
                job.represents = mail.options.delegated_by
            self._delivery.deliver(mail.sender, body, list(jobs.values()), int(now))
        finally:
            body.close()
        failures = {maildir: job.failure for maildir, job in jobs.items()}
        done = [(job.mailbox, job.request_id) for job in jobs.values() if job.failure is None]
        return [outcome_of(failures[user.maildir]) for _, user in wanted], done

    def append(self, mail: Mail, owner: str, folder: int, actor: str, now: float) -> Outcome:
        """Put a mail into a folder in somebody's name (gromoxd.exmdb.outgoing.Options.store)."""
        try:
            where = self._store_of(owner)
            if where is None:
                return BY_VERDICT[Verdict.UNKNOWN]
            if mail.size > LARGEST_APPEND:
                return BY_CODE[Ec.ecTooBig]
            raw = mail.read(mail.size)
            self.put(where, folder, raw, actor, request_id(mail.token, where.maildir), now, 0)
        except MapiError as error:
            log.warning("mail not put into a folder", extra={"owner": owner, "error": str(error)})
            return outcome_of(error)
        return DELIVERED

    def put(
        self, where: MailboxRef, folder: int, raw: bytes, actor: str, request: bytes, now: float, flags: int = SEEN
    ) -> None:
        """Append octets to a folder, read unless `flags` say otherwise. MapiError."""
        digest = self._in_thread(partial(digest_message, raw, received=int(now)))
        self._exmdb.call(where, Append(folder, NewMessage(digest, raw, int(now), flags), request), actor=actor)

    def _store_of(self, owner: str) -> MailboxRef | None:
        if "@" in owner:
            user = self._directory.find_or_none(owner)
        else:
            domain = self._directory.domain(owner)
            user = None if domain is None else self._directory.owner_of(domain.homedir)
        return self._directory.mailbox(user) if user is not None and user.has_store else None


def request_id(token: bytes, maildir: str) -> bytes:
    """The same for every try of a mail: the mailbox knows by it what it has (RFC 2033 1: no try is done twice)."""
    return blake2b(token + maildir.encode(), digest_size=16).digest()


def outcome_of(error: MapiError | None) -> Outcome:
    """What is not known to be final is temporary."""
    if error is None:
        return DELIVERED
    return BY_CODE.get(error.code, Outcome(4, "4.3.0", f"451 4.3.0 Mailbox cannot be reached now ({error.code.name})"))
