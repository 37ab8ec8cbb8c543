"""Delivery of one message to mailboxes: the digest made once, a trace header for each mailbox, one call for each.

Used by LMTP, which answers its client with what came of it, and by the relay for recipients who are here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Protocol

from gevent.pool import Pool

from gromoxd.context import SlotBoard
from gromoxd.convert.digest import digest_at_once, digest_message
from gromoxd.directory.model import Booking, DisplayType, Domain, User
from gromoxd.errors import MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import SYSTEM, Exmdb, MailboxRef
from gromoxd.exmdb.calls import Deliver, Digest, NewMessage
from gromoxd.mapi.calendar import REQUEST
from workers.common.body import Body
from workers.common.trace import Trace

log = logging.getLogger(__name__)
PIECE = 256 << 10
ROOMS = (DisplayType.ROOM, DisplayType.EQUIPMENT)
AT_ONCE = 16
"""Deliveries of one message that run at the same time."""


class Mailboxes(Protocol):
    """What is asked of `gromoxd.directory.service.Directory`."""

    def mailbox(self, user: User) -> MailboxRef: ...
    def domain(self, name: str) -> Domain | None: ...
    def aliases(self, user: User) -> list[str]: ...
    def booking(self, user: User) -> Booking: ...


@dataclass
class Job:
    """One mailbox's delivery; `failure` says why it did not work, `mark` is the delivery's fingerprint."""

    user: User
    mailbox: MailboxRef
    request_id: bytes
    mark: bytes
    recipient: str = ""
    internal: bool = False
    represents: str = ""
    failure: MapiError | None = None


class TracedBody(Body):
    """A body that can make its trace header for each mailbox, always of the same length: offsets are the same."""

    def __init__(self, trace: Trace, users: Iterable[User]) -> None:
        names = [user.username for user in users] or [""]
        self._width = max(len(name.encode()) for name in names)
        super().__init__(trace.header(names[0], self._width))
        self._source = trace
        self.trace_id = trace.id

    def outside(self) -> tuple[int, Iterator[bytes]]:
        """The octets of the mail as it goes on to somebody elsewhere, and how many they are."""
        received = self._source.received()
        return len(received) + self.size, chain((received,), self._content())

    def _content(self) -> Iterator[bytes]:
        if self.file is None:
            yield self.in_memory()
            return
        self.file.flush()
        self.file.seek(len(self.trace))
        while piece := self.file.read(PIECE):
            yield piece

    def trace_for(self, delivered_to: str) -> bytes:
        """The trace header of one mailbox."""
        return self._source.header(delivered_to, self._width)


class Delivery:
    """One per worker. `in_thread` runs long computations off the loop."""

    def __init__(self, directory: Mailboxes, exmdb: Exmdb, board: SlotBoard, in_thread: Callable[..., Any]) -> None:
        self._directory = directory
        self._exmdb = exmdb
        self._board = board
        self._in_thread = in_thread

    def jobs(
        self, sender: str, users: Iterable[tuple[str, User]], body: TracedBody, request_id: Callable[[bytes], bytes]
    ) -> dict[str, Job]:
        """One job a mailbox, by maildir, however many of the recipients lead there.

        `users` with the addresses that they are meant by, '' for members of lists. `request_id` makes one of a
        fingerprint.
        """
        jobs: dict[str, Job] = {}
        for address, user in users:
            if user.maildir not in jobs:
                mark = body.fingerprint(sender, user.maildir)
                where, internal = self._directory.mailbox(user), self._is_internal(sender, user)
                jobs[user.maildir] = Job(user, where, request_id(mark), mark, address, internal)
            elif not jobs[user.maildir].recipient:
                jobs[user.maildir].recipient = address
        return jobs

    def _is_internal(self, sender: str, user: User) -> bool:
        """Whether the sender's domain is of the user's organisation. Unknown is outside."""
        theirs, ours = sender.rpartition("@")[2].lower(), user.username.rpartition("@")[2].lower()
        if not theirs or theirs == ours:
            return bool(theirs)
        try:
            own = self._directory.domain(ours)
            if own is None or not own.org_id:  # as most are: no stranger's domain is asked for
                return False
            other = self._directory.domain(theirs)
        except MapiError:
            return False
        return other is not None and own.same_organisation(other)

    def _aliases(self, user: User) -> list[str]:
        """Only rules want them: mail comes without."""
        try:
            return self._directory.aliases(user)
        except MapiError:
            return []

    def _booking(self, user: User, digest: Digest) -> c.Booking:
        """Asked for meeting requests alone."""
        if not digest.message_class.startswith(REQUEST):
            return c.Booking()
        room = user.display_type in ROOMS
        try:
            found = self._directory.booking(user)
        except MapiError:
            return c.Booking(room)
        return c.Booking(room, found.accepts, found.no_series, found.no_overlap, found.capacity)

    def deliver(self, sender: str, body: TracedBody, jobs: list[Job], received: int) -> None:
        """Deliver to all these mailboxes; the jobs say how it went."""
        if body.file is not None:
            self._deliver_file(sender, body, jobs, received)
        else:
            self._deliver_memory(sender, body, jobs, received)
        failed = sum(1 for job in jobs if job.failure is not None)
        self._board.add("deliveries", len(jobs) - failed)
        if failed:
            self._board.add("delivery_failures", failed)

    def _deliver_memory(self, sender: str, body: TracedBody, jobs: list[Job], received: int) -> None:
        content = body.in_memory()
        first = body.trace + content
        digest = digest_at_once(first, received=received)
        if digest is None:
            digest = self._in_thread(partial(digest_message, first, received=received))
        if len(jobs) == 1:
            return self._deliver_one(sender, body, jobs[0], NewMessage(digest, first, received))

        def one(job: Job) -> None:
            raw = body.trace_for(job.user.username) + content
            self._deliver_one(sender, body, job, NewMessage(digest, raw, received))

        pool = Pool(AT_ONCE)
        for _ in pool.imap_unordered(one, jobs):
            pass

    def _deliver_file(self, sender: str, body: TracedBody, jobs: list[Job], received: int) -> None:
        """One after the other, as they share the file and only its Delivered-To is exchanged."""
        digest = self._in_thread(_digest_file, body, received)
        for job in jobs:
            if len(jobs) > 1:
                body.retrace(body.trace_for(job.user.username))
            self._deliver_one(sender, body, job, NewMessage(digest, b"", received))

    def _deliver_one(self, sender: str, body: Body, job: Job, message: NewMessage) -> None:
        call = Deliver(
            message, sender, job.request_id, job.mark, job.recipient, job.internal, job.represents,
            self._booking(job.user, message.digest), self._aliases(job.user),
        )  # fmt: skip
        try:
            self._exmdb.call(job.mailbox, call, actor=SYSTEM, spool=body.file)
        except MapiError as error:
            job.failure = error
            log.warning("delivery failed", extra={"mailbox": job.user.username, "error": str(error)})


def _digest_file(body: Body, received: int) -> Digest:
    with body.map() as content:
        return digest_message(content, received=received)
