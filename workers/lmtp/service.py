"""Carries out what an LMTP/SMTP session asks for: looks recipients up, delivers messages to mailboxes."""

from __future__ import annotations

import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Protocol

from gromoxd.context import SlotBoard
from gromoxd.directory.model import Recipient as Resolved
from gromoxd.directory.model import User, Verdict
from gromoxd.errors import MapiError
from gromoxd.exmdb.api import Exmdb, MailboxRef
from workers.common.body import Body
from workers.common.delivery import Delivery, Job, Mailboxes, TracedBody
from workers.common.sending import return_address
from workers.common.trace import Trace
from workers.lmtp import errors
from workers.lmtp.session import LMTP, Envelope
from workers.lmtp.wire import reply

log = logging.getLogger(__name__)


class Directory(Mailboxes, Protocol):
    """What is asked of `gromoxd.directory.service.Directory`."""

    def recipient(self, address: str, sender: str = "") -> Resolved: ...


MOST_REFUSED = 10_000
HandOver = Callable[[bytes, str, Sequence[str], int, Iterable[bytes]], None]
"""`workers.common.handover.hand_over` of this site."""


@dataclass
class Target:
    """One accepted recipient: the mailboxes it comes to. `is_list`: one full member must not fail the list."""

    users: list[User]
    is_list: bool
    outside: list[str] = field(default_factory=list)
    """Members of the list who are elsewhere: the relay sends to them."""


@dataclass
class Outcome:
    """Answers for the session, and what to confirm once they are sent."""

    answers: list[bytes]
    delivered: list[tuple[MailboxRef, bytes]] = field(default_factory=list)


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
        hand_over: HandOver | None = None,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._directory = directory
        self._delivery = Delivery(directory, exmdb, board, in_thread)
        self._hostname = hostname
        self._hand_over = hand_over
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
        if not found.users and (not found.external or self._hand_over is None):
            return errors.NOT_LOCAL
        if found.external and self._hand_over is None:
            log.warning("list members elsewhere left out", extra={"list": address, "members": len(found.external)})
            return Target(found.users, bool(found.list_name))
        return Target(found.users, bool(found.list_name), found.external)

    # ------------------------------------------------------------------------------------------ messages

    def open_body(self, envelope: Envelope, peer: str) -> Body:
        """The sink for a message that is about to come, with its trace header."""
        users = [user for target in envelope.targets for user in target.users]
        return TracedBody(self._trace(envelope, peer), users)

    def deliver(self, envelope: Envelope, body: Body) -> Outcome:
        """Deliver to every mailbox, and say how it went: one answer for each recipient in LMTP, one in SMTP."""
        assert isinstance(body, TracedBody)
        named = zip(envelope.recipients, envelope.targets, strict=True)
        users = [("" if target.is_list else address, user) for address, target in named for user in target.users]
        jobs = self._delivery.jobs(
            envelope.sender, users, body, lambda mark: self._refused.get(mark) or self._random(16)
        )
        if jobs:
            self._delivery.deliver(envelope.sender, body, list(jobs.values()), int(self._clock()))
        answers = self._answers(envelope, jobs, body.trace_id, self._sent_on(envelope, body))
        return Outcome(answers, self._acknowledged(envelope, jobs, answers))

    def _sent_on(self, envelope: Envelope, body: TracedBody) -> list[bytes]:
        """Hand the mail to the relay for list members elsewhere; what failed, for each target.

        The token is the same in a retry, which thereby is no second mail.
        """
        failures = []
        for address, target in zip(envelope.recipients, envelope.targets, strict=True):
            failures.append(b"")
            if target.outside and self._hand_over is not None:
                size, octets = body.outside()
                token = body.fingerprint(envelope.sender, f"list {address}")
                sender = return_address(self._directory, envelope.sender)
                told = {
                    "list": address,
                    "sender": envelope.sender,
                    "members": len(target.outside),
                    "trace": body.trace_id,
                }
                log.info("list mail sent on" if sender else "list mail sent on without a return address", extra=told)
                try:
                    self._hand_over(token, sender, target.outside, size, octets)
                except OSError as error:
                    log.warning("relay not reached", extra={"list": address, "error": str(error)})
                    failures[-1] = errors.OUT_OF_REACH
        return failures

    def _acknowledged(
        self, envelope: Envelope, jobs: dict[str, Job], answers: list[bytes]
    ) -> list[tuple[MailboxRef, bytes]]:
        """The deliveries that some recipient's answer acknowledges; the others are remembered for the retry.

        With several mailboxes behind one answer (SMTP, lists) the sender's retry of a partial failure must not double
        the others' copies, nor that of a delivery whose own answer was lost: the retry repeats the request id.
        """
        told: set[str] = set()
        for_each = answers if LMTP in envelope.protocol else answers * len(envelope.targets)
        for target, answer in zip(envelope.targets, for_each, strict=True):
            if answer.startswith(b"2"):
                told.update(user.maildir for user in target.users)
        delivered = []
        for maildir, job in jobs.items():
            if maildir in told:
                self._refused.pop(job.mark, None)
                if job.failure is None:
                    delivered.append((job.mailbox, job.request_id))
            else:
                self._refused[job.mark] = job.request_id
                if len(self._refused) > MOST_REFUSED:
                    self._refused.popitem(last=False)
        return delivered

    # ------------------------------------------------------------------------------------------ answers

    def _answers(self, envelope: Envelope, jobs: dict[str, Job], trace_id: str, outside: list[bytes]) -> list[bytes]:
        good = reply(250, "2.0.0", f"{trace_id} delivered")
        each = [
            failed or _answer([jobs[user.maildir] for user in target.users], target.is_list)
            for target, failed in zip(envelope.targets, outside, strict=True)
        ]
        if LMTP in envelope.protocol:
            return [answer or good for answer in each]
        failures = sorted(answer for answer in each if answer)  # a temporary failure, if any, comes first
        return [failures[0] if failures else good]

    # ------------------------------------------------------------------------------------------ trace

    def _trace(self, envelope: Envelope, peer: str) -> Trace:
        return Trace(
            envelope.sender, envelope.helo, peer, self._hostname, envelope.protocol, self._random(8).hex(),
            formatdate(self._clock(), localtime=True), envelope.recipients[0] if len(envelope.recipients) == 1 else "",
        )  # fmt: skip


def _answer(jobs: list[Job], is_list: bool) -> bytes:
    """The failure to report for one recipient, b'' if there is none."""
    failures = [errors.reply_to(job.failure) for job in jobs if job.failure is not None]
    temporary = [failure for failure in failures if errors.is_temporary(failure)]
    if temporary:
        return temporary[0]
    if failures and (not is_list or len(failures) == len(jobs)):
        return failures[0]
    return b""
