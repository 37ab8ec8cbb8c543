"""The queue at work: mails are tried when they are due, what came of it goes on disk, senders are told.

Each state change is on disk before the next step is told to anybody. What a crash leaves unknown (the server took the
mail, we did not write that down) is tried again, as SMTP allows (RFC 5321 4.2.5); mailboxes here know such a try.
"""

from __future__ import annotations

import heapq
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import partial

import apsw
import gevent
from gevent.event import Event
from gevent.pool import Pool

from gromoxd.context import SlotBoard
from gromoxd.directory.model import User
from gromoxd.exmdb.api import MailboxRef
from gromoxd.exmdb.outgoing import NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS
from workers.relay import report, schedule
from workers.relay.disk import Disk
from workers.relay.local import Local, OwnTrace
from workers.relay.remote import Remote
from workers.relay.schedule import Outcome, Policy, Recipient
from workers.relay.settings import RelaySettings
from workers.relay.spool import Mail, NewMail, Spool

log = logging.getLogger(__name__)
SPARE = 16
"""Mails under way beyond those that connections to the mail server are for."""
FAR = schedule.NEVER
AGAIN = 30.0
"""Pause after a fault of our own."""
FORGET = 3600.0
DRAIN = 20.0
"""What is still under way then is tried again later."""


@dataclass
class Tried:
    """A mail with what came of a try."""

    mail: Mail
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    delivered: list[tuple[MailboxRef, bytes]] = field(default_factory=list)


class Engine:
    """One per relay. `confirm` is told what mailboxes got, once that is on disk here."""

    def __init__(
        self,
        disk: Disk,
        settings: Callable[[], RelaySettings],
        local: Local,
        remote: Remote,
        board: SlotBoard,
        hostname: str,
        *,
        confirm: Callable[[MailboxRef, bytes], None] = lambda mailbox, request: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._disk = disk
        self._settings = settings
        self._local = local
        self._remote = remote
        self._board = board
        self._hostname = hostname
        self._confirm = confirm
        self._clock = clock
        self._heap: list[tuple[float, int]] = []
        self._due: dict[int, float] = {}
        """Mails that wait: when they are due. Entries of the heap that say otherwise are old."""
        self._busy: set[int] = set()
        self._awake = Event()
        self._stopping = False
        self._pool = Pool(settings().relay_connections + SPARE)

    # ------------------------------------------------------------------------------------------ life

    def run(self) -> None:
        """Try what is due, until `stop`."""
        for due, mail in self._disk.do(lambda spool: spool.waiting_mails()):
            self.add(mail, due)
        upkeep = gevent.spawn(self._upkeep)
        while not self._stopping:
            self._awake.clear()
            wait = self._start_due()
            self._awake.wait(wait)
        upkeep.kill()
        self._pool.join(DRAIN)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping = True
        self._awake.set()

    def _upkeep(self) -> None:
        last = self._clock()
        while True:
            gevent.sleep(1.0)
            self._remote.sweep()
            if self._clock() - last >= FORGET:
                last = self._clock()
                try:
                    self._disk.do(partial(Spool.forget, now=last))
                except (apsw.Error, OSError):
                    log.exception("spool not tidied")

    def add(self, mail: int, due: float | None = None) -> None:
        """A mail waits in the spool and is due at once or at a later time."""
        due = self._clock() if due is None else due
        if due == FAR:
            self._due.pop(mail, None)
        else:
            self._due[mail] = due
            heapq.heappush(self._heap, (due, mail))
        self._board.set("queue", len(self._due) + len(self._busy))
        self._awake.set()

    def add_now(self, mails: Sequence[int]) -> None:
        """Somebody wants these tried, who may know that the mail server is up again."""
        self._remote.hope()
        now = self._clock()
        for mail in mails:
            self.add(mail, now)

    def _start_due(self) -> float:
        """Start what is due; answers the seconds until the next one is."""
        now = self._clock()
        while self._heap and not self._stopping:
            due, mail = self._heap[0]
            if due > now:
                return min(due - now, 60.0)
            heapq.heappop(self._heap)
            if self._due.get(mail) != due or mail in self._busy:
                continue
            del self._due[mail]
            self._busy.add(mail)
            self._pool.spawn(self._attempt, mail)
        return 60.0

    # ------------------------------------------------------------------------------------------ a try

    def _attempt(self, id_: int) -> None:
        due: float | None = self._clock() + AGAIN
        try:
            due = self._try(id_)
        except (apsw.Error, OSError):
            log.exception("outgoing mail not tried", extra={"mail": id_})
            self._board.add("internal_errors")
        finally:
            self._busy.discard(id_)
            asked = self._due.pop(id_, None)  # somebody asked for a try while this one was under way
            if due is not None or asked is not None:
                self.add(id_, min(FAR if due is None else due, FAR if asked is None else asked))
            else:
                self._board.set("queue", len(self._due) + len(self._busy))

    def _try(self, id_: int) -> float | None:
        now = self._clock()
        mail = self._disk.do(lambda spool: spool.load(id_, now))
        if mail is None:
            return None
        tried = Tried(mail)
        if mail.recipients:
            self._send(tried, now)
        due = self._record(tried)
        for mailbox, request in tried.delivered:
            self._confirm(mailbox, request)
        return due

    def _send(self, tried: Tried, now: float) -> None:
        mail, settings = tried.mail, self._settings()
        if mail.options.store:
            outcome = self._local.append(mail, mail.options.store, mail.options.folder, mail.sender, now)
            tried.outcomes = {one.number: outcome for one in mail.recipients}
            return
        header = report.header_of(mail.read(report.HEADER_LIMIT))
        if hops(header) > settings.relay_hops_max:
            loop = Outcome(5, "5.4.6", "554 5.4.6 Too many hops, the mail goes round in a loop")
            tried.outcomes = {one.number: loop for one in mail.recipients}
            return
        here, elsewhere = self._routed(tried, settings.relay_local_delivery)
        trace = self._trace(mail, [one.address for one in mail.recipients], now)
        if here:
            wanted = [(one.address, user) for one, user in here]
            outcomes, tried.delivered = self._local.deliver(mail, wanted, trace, now)
            tried.outcomes |= {one.number: found for (one, _), found in zip(here, outcomes, strict=True)}
        if elsewhere:
            outcomes = self._remote.send(mail, [one.address for one in elsewhere], trace.received())
            tried.outcomes |= {one.number: found for one, found in zip(elsewhere, outcomes, strict=True)}

    def _routed(self, tried: Tried, deliver: bool) -> tuple[list[tuple[Recipient, User]], list[Recipient]]:
        """Recipients here and elsewhere; what is decided already is among the outcomes."""
        if not deliver:
            return [], tried.mail.recipients
        here: list[tuple[Recipient, User]] = []
        elsewhere: list[Recipient] = []
        for one in tried.mail.recipients:
            route = self._local.route(one.address, tried.mail.sender)
            if route.outcome is not None:
                tried.outcomes[one.number] = route.outcome
            elif route.user is not None:
                here.append((one, route.user))
            else:
                elsewhere.append(one)
        return here, elsewhere

    def _trace(self, mail: Mail, addresses: Sequence[str], now: float) -> OwnTrace:
        date = formatdate(now, localtime=True)
        return OwnTrace(mail.sender, "", "", self._hostname, "", mail.token[:8].hex(), date)

    # ------------------------------------------------------------------------------------------ what came of it

    def _record(self, tried: Tried) -> float | None:
        """Put it on disk, with the reports that it asks for; answers when the mail is due again."""
        mail, now = tried.mail, self._clock()
        policy = policy_of(self._settings())
        after = [
            schedule.after(one, tried.outcomes[one.number], mail.created, now, policy)
            for one in mail.recipients if one.number in tried.outcomes
        ]  # fmt: skip
        late = {one.number for one in after if schedule.wants_warning(one, mail.created, now, policy)}
        added = [address for outcome in tried.outcomes.values() for address in outcome.added]
        reports = self._reports(tried, after, late, now)
        after = [replace(one, warned=True) if one.number in late else one for one in after]

        apart = {one.address: tried.outcomes[one.number].apart for one in after if tried.outcomes[one.number].apart}

        def work(spool: Spool) -> tuple[float | None, list[int]]:
            made = [spool.add(new, now) for new in reports]
            made += [spool.add_again(mail, address, members, now) for address, members in apart.items()]
            return spool.record(mail.id, after, added, now), made

        due, made = self._disk.do(work)
        for id_ in made:
            self.add(id_)
        self._log(mail, after)
        return due

    def _log(self, mail: Mail, after: Sequence[Recipient]) -> None:
        for one in after:
            figures = {
                "mail": mail.id, "sender": mail.sender, "recipient": one.address, "status": one.status,
                "tries": one.tries, "answer": one.text[:200],
            }  # fmt: skip
            what = "deferred" if one.state == schedule.QUEUED else schedule.STATES[one.state]
            log.info("outgoing mail %s", what, extra=figures)
            if one.state == schedule.FAILED:
                self._board.add("delivery_failures")

    def _reports(self, tried: Tried, after: Sequence[Recipient], late: set[int], now: float) -> list[NewMail]:
        """What the sender is told (RFC 3461 4.1, 5.2; never of mail with the null sender, RFC 5321 6.1)."""
        mail = tried.mail
        notify = mail.options.notify
        if not mail.sender or notify & NOTIFY_NEVER:
            return []
        kinds: dict[str, list[Recipient]] = {}
        for one in after:
            kind = _kind(one, tried.outcomes[one.number], late, notify)
            if kind:
                kinds.setdefault(kind, []).append(one)
        return [self._report(kind, tried, some, now) for kind, some in kinds.items()]

    def _report(self, kind: str, tried: Tried, some: Sequence[Recipient], now: float) -> NewMail:
        mail, token, settings = tried.mail, os.urandom(16), self._settings()
        host = self._hostname
        postmaster = settings.bounce_postmaster
        by = report.From(host, postmaster + host if postmaster.endswith("@") else postmaster, token.hex())
        start = mail.read(report.WHOLE_LIMIT if mail.options.whole else report.HEADER_LIMIT)
        original = report.Original(
            mail.sender, mail.options.envelope_id, mail.created, start, len(start) == mail.size
        )  # fmt: skip
        raw = report.make_report(
            kind, original, some, by, now, whole=mail.options.whole, until=mail.created + settings.relay_expiry,
            servers=[tried.outcomes[one.number].server for one in some],
        )  # fmt: skip
        return NewMail(token, "", "", [mail.sender], raw)


def _kind(one: Recipient, outcome: Outcome, late: set[int], notify: int) -> str:
    """Which report a recipient goes into, '' for none."""
    if one.state == schedule.FAILED:
        return report.FAILED if not notify or notify & NOTIFY_FAILURE else ""
    if one.number in late:
        return report.DELAYED if not notify or notify & NOTIFY_DELAY else ""
    if not notify & NOTIFY_SUCCESS or outcome.told:
        return ""
    if one.state == schedule.EXPANDED:
        return report.EXPANDED
    if one.state == schedule.SENT:
        return report.RELAYED if outcome.server else report.DELIVERED
    return ""


def policy_of(settings: RelaySettings) -> Policy:
    """The settings' times."""
    s = settings
    return Policy(s.relay_retry_min, s.relay_retry_max, s.relay_expiry, s.relay_delay_warning)


def hops(header: bytes) -> int:
    """Received fields (RFC 5321 6.3)."""
    return (b"\n" + header).lower().count(b"\nreceived:")
