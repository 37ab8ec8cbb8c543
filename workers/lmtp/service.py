"""Carries out what an LMTP/SMTP session asks for: looks recipients up, delivers messages to mailboxes."""

from __future__ import annotations

import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Protocol

from gevent.pool import Pool

from gromoxd.context import SlotBoard
from gromoxd.convert.digest import digest_message
from gromoxd.directory.model import Recipient as Resolved
from gromoxd.directory.model import User, Verdict
from gromoxd.errors import MapiError
from gromoxd.exmdb.api import SYSTEM, Exmdb, MailboxRef
from gromoxd.exmdb.calls import Deliver, Digest, NewMessage
from workers.lmtp import errors
from workers.lmtp.body import Body
from workers.lmtp.session import LMTP, Envelope
from workers.lmtp.trace import Trace
from workers.lmtp.wire import reply

log = logging.getLogger(__name__)
AT_ONCE = 16
"""Deliveries of one message that run at the same time."""


class Directory(Protocol):
    """What is asked of `gromoxd.directory.service.Directory`."""

    def recipient(self, address: str, sender: str = "") -> Resolved: ...
    def mailbox(self, user: User) -> MailboxRef: ...


MOST_REFUSED = 10_000


@dataclass
class Target:
    """One accepted recipient: the mailboxes it comes to. `is_list`: one full member must not fail the list."""

    users: list[User]
    is_list: bool


@dataclass
class Outcome:
    """Answers for the session, and what to confirm once they are sent."""

    answers: list[bytes]
    delivered: list[tuple[MailboxRef, bytes]] = field(default_factory=list)


@dataclass
class _Job:
    """One mailbox's delivery; `failure` is the reply if it did not work, `mark` the delivery's fingerprint."""

    user: User
    mailbox: MailboxRef
    request_id: bytes
    mark: bytes
    failure: bytes = b""


class DeliveryService:
    """One per worker. `in_thread` runs long computations off the loop."""

    def __init__(
        self,
        directory: Directory,
        exmdb: Exmdb,
        board: SlotBoard,
        hostname: str,
        *,
        in_thread: Callable[..., Any] = lambda work, *args: work(*args),
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._directory = directory
        self._exmdb = exmdb
        self._board = board
        self._hostname = hostname
        self._in_thread = in_thread
        self._clock = clock
        self._random = random
        self._refused: OrderedDict[bytes, bytes] = OrderedDict()
        """Fingerprint -> request id of deliveries whose sender was told to try again, whatever became of them."""

    # ------------------------------------------------------------------------------------------ recipients

    def recipient(self, address: str, sender: str) -> Target | bytes:
        """Where an address leads, or the reply that refuses it."""
        try:
            found = self._directory.recipient(address, sender)
        except MapiError as error:
            log.warning("recipient not looked up", extra={"recipient": address, "error": str(error)})
            return errors.TEMPORARY
        if found.verdict != Verdict.OK:
            return errors.BY_VERDICT.get(found.verdict, errors.UNKNOWN_USER)
        if not found.users:
            return errors.NOT_LOCAL
        if found.external:
            log.warning("list members elsewhere left out", extra={"list": address, "members": len(found.external)})
        return Target(found.users, bool(found.list_name))

    # ------------------------------------------------------------------------------------------ messages

    def open_body(self, envelope: Envelope, peer: str) -> Body:
        """The sink for a message that is about to come, with its trace header."""
        jobs_width = self._width(envelope)
        return _TracedBody(self._trace(envelope, peer), self._first(envelope).username, jobs_width)

    def deliver(self, envelope: Envelope, body: Body) -> Outcome:
        """Deliver to every mailbox, and say how it went: one answer for each recipient in LMTP, one in SMTP."""
        assert isinstance(body, _TracedBody)
        received = int(self._clock())
        jobs = self._jobs(envelope, body)
        many = list(jobs.values())
        if body.file is not None:
            self._deliver_file(envelope, body, many, received)
        else:
            self._deliver_memory(envelope, body, many, received)
        self._count(many)
        answers = self._answers(envelope, jobs, body.trace_id)
        return Outcome(answers, self._acknowledged(envelope, jobs, answers))

    def _acknowledged(
        self, envelope: Envelope, jobs: dict[str, _Job], answers: list[bytes]
    ) -> list[tuple[MailboxRef, bytes]]:
        """The deliveries that some recipient's answer acknowledges; the others are remembered for the retry."""
        told: set[str] = set()
        for_each = answers if LMTP in envelope.protocol else answers * len(envelope.targets)
        for target, answer in zip(envelope.targets, for_each, strict=True):
            if answer.startswith(b"2"):
                told.update(user.maildir for user in target.users)
        delivered = []
        for maildir, job in jobs.items():
            if maildir in told:
                self._refused.pop(job.mark, None)
                if not job.failure:
                    delivered.append((job.mailbox, job.request_id))
            else:
                self._refused[job.mark] = job.request_id
                if len(self._refused) > MOST_REFUSED:
                    self._refused.popitem(last=False)
        return delivered

    def _jobs(self, envelope: Envelope, body: Body) -> dict[str, _Job]:
        """One job a mailbox, however many of the recipients lead there.

        With several mailboxes behind one answer (SMTP, lists) the sender's retry of a partial failure must not double
        the others' copies, nor that of a delivery whose own answer was lost: the retry repeats the request id.
        """
        jobs: dict[str, _Job] = {}
        for target in envelope.targets:
            for user in target.users:
                if user.maildir not in jobs:
                    mark = body.fingerprint(envelope.sender, user.maildir)
                    request_id = self._refused.get(mark) or self._random(16)
                    jobs[user.maildir] = _Job(user, self._directory.mailbox(user), request_id, mark)
        return jobs

    def _deliver_memory(self, envelope: Envelope, body: _TracedBody, jobs: list[_Job], received: int) -> None:
        content = body.in_memory()
        first = body.trace + content
        digest = digest_message(first, received=received)
        if len(jobs) == 1:
            return self._deliver_one(envelope, body, jobs[0], NewMessage(digest, first, received))

        def one(job: _Job) -> None:
            raw = body.trace_for(job.user.username) + content
            self._deliver_one(envelope, body, job, NewMessage(digest, raw, received))

        pool = Pool(AT_ONCE)
        for _ in pool.imap_unordered(one, jobs):
            pass

    def _deliver_file(self, envelope: Envelope, body: _TracedBody, jobs: list[_Job], received: int) -> None:
        """One after the other, as they share the file and only its Delivered-To is exchanged."""
        digest = self._in_thread(_digest_file, body, received)
        for job in jobs:
            if len(jobs) > 1:
                body.retrace(body.trace_for(job.user.username))
            self._deliver_one(envelope, body, job, NewMessage(digest, b"", received))

    def _deliver_one(self, envelope: Envelope, body: Body, job: _Job, message: NewMessage) -> None:
        fingerprint = body.fingerprint(envelope.sender, job.mailbox.maildir)
        call = Deliver(message, envelope.sender, job.request_id, fingerprint)
        try:
            self._exmdb.call(job.mailbox, call, actor=SYSTEM, spool=body.file)
        except MapiError as error:
            job.failure = errors.reply_to(error)
            log.warning("delivery failed", extra={"mailbox": job.user.username, "error": str(error)})

    # ------------------------------------------------------------------------------------------ answers

    def _answers(self, envelope: Envelope, jobs: dict[str, _Job], trace_id: str) -> list[bytes]:
        good = reply(250, "2.0.0", f"{trace_id} delivered")
        each = [_answer([jobs[user.maildir] for user in target.users], target.is_list) for target in envelope.targets]
        if LMTP in envelope.protocol:
            return [answer or good for answer in each]
        failures = sorted(answer for answer in each if answer)  # a temporary failure, if any, comes first
        return [failures[0] if failures else good]

    def _count(self, jobs: list[_Job]) -> None:
        failed = sum(1 for job in jobs if job.failure)
        self._board.add("deliveries", len(jobs) - failed)
        if failed:
            self._board.add("delivery_failures", failed)

    # ------------------------------------------------------------------------------------------ trace

    def _trace(self, envelope: Envelope, peer: str) -> Trace:
        return Trace(
            envelope.sender, envelope.helo, peer, self._hostname, envelope.protocol, self._random(8).hex(),
            formatdate(self._clock(), localtime=True), envelope.recipients[0] if len(envelope.recipients) == 1 else "",
        )  # fmt: skip

    def _first(self, envelope: Envelope) -> User:
        target: Target = envelope.targets[0]
        return target.users[0]

    def _width(self, envelope: Envelope) -> int:
        return max(len(user.username.encode()) for target in envelope.targets for user in target.users)


class _TracedBody(Body):
    """A body that can make its trace header for each mailbox, always of the same length: offsets are the same."""

    def __init__(self, trace: Trace, delivered_to: str, width: int) -> None:
        super().__init__(trace.header(delivered_to, width))
        self._source = trace
        self._width = width
        self.trace_id = trace.id

    def trace_for(self, delivered_to: str) -> bytes:
        return self._source.header(delivered_to, self._width)


def _answer(jobs: list[_Job], is_list: bool) -> bytes:
    """The failure to report for one recipient, b'' if there is none."""
    failures = [job.failure for job in jobs if job.failure]
    temporary = [failure for failure in failures if errors.is_temporary(failure)]
    if temporary:
        return temporary[0]
    if failures and (not is_list or len(failures) == len(jobs)):
        return failures[0]
    return b""


def _digest_file(body: Body, received: int) -> Digest:
    with body.map() as content:
        return digest_message(content, received=received)
