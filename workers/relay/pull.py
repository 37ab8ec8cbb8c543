"""From the mailboxes' tables into the spool: datagrams say which mailbox has something, files say it after a crash."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Final

import apsw
import gevent
from gevent import socket
from gevent.pool import Pool

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import outgoing as g
from gromoxd.exmdb.access import GetRights
from gromoxd.exmdb.api import SYSTEM, Exmdb, MailboxRef
from workers.common.sending import represented
from workers.relay import report
from workers.relay.disk import Disk
from workers.relay.engine import Engine
from workers.relay.local import Directory, Local, request_id
from workers.relay.schedule import FAILED, Recipient
from workers.relay.settings import RelaySettings
from workers.relay.spool import NewMail, with_crlf

log = logging.getLogger(__name__)
SCAN = 60.0
AT_ONCE, BATCH = 8, 200
LONGEST_DATAGRAM = 4096
PIECE = 1 << 20
SENT_ITEMS = 0x0A
LOST = "its content is lost"
UNKNOWN = "it cannot be put into the queue; the administrator of this server finds it there"
COPY_LIMIT = 64 << 20
RETRY_MIN, RETRY_MAX = 1.0, 60.0
_HAS: Final = {name: re.compile(rb"(?mi)^%b:" % name) for name in (b"Message-ID", b"Date")}


class Puller:
    """One per relay."""

    def __init__(
        self,
        site: str,
        directory: Directory,
        exmdb: Exmdb,
        disk: Disk,
        engine: Engine,
        local: Local,
        settings: Callable[[], RelaySettings],
        hostname: str,
        clock: Callable[[], float],
    ) -> None:
        self._site = site
        self._directory = directory
        self._exmdb = exmdb
        self._disk = disk
        self._engine = engine
        self._local = local
        self._settings = settings
        self._hostname = hostname
        self._clock = clock
        self._pool = Pool(AT_ONCE)
        self._wanted: dict[str, bool] = {}
        """Mailboxes that are being asked: whether they are to be asked again."""
        self._failures: dict[str, float] = {}
        self._timers: dict[str, tuple[float, Any]] = {}
        self._tasks: list[gevent.Greenlet[..., None]] = []

    # ------------------------------------------------------------------------------------------ life

    def start(self) -> None:
        """Listen, and look at the files."""
        self._socket = bind_datagrams(os.path.join(self._site, "run", "relay.sock"))
        self._tasks = [gevent.spawn(self._listen), gevent.spawn(self._scan_forever)]

    def stop(self) -> None:
        """Ask no more mailboxes; wait for what is under way."""
        gevent.killall(self._tasks)
        for _, timer in self._timers.values():
            timer.kill()
        self._socket.close()
        self._pool.join(10)

    def _listen(self) -> None:
        while True:
            maildir = os.fsdecode(self._socket.recv(LONGEST_DATAGRAM))
            if maildir:
                self.ask(maildir)

    def _scan_forever(self) -> None:
        while True:
            for maildir in self._marked():
                self.ask(maildir, last=True)
            gevent.sleep(SCAN)

    def _marked(self) -> list[str]:
        folder = os.path.join(self._site, "outgoing")
        found = []
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(os.listdir(folder)):
                if name.endswith(".tmp"):
                    continue
                with contextlib.suppress(OSError), open(os.path.join(folder, name), "rb") as file:
                    found.append(os.fsdecode(file.read(LONGEST_DATAGRAM)))
        return [maildir for maildir in found if maildir]

    def ask(self, maildir: str, *, last: bool = False) -> None:
        """Ask a mailbox for what it has, soon. `last`: with nothing there its file may go."""
        if maildir in self._wanted:
            self._wanted[maildir] = True
            return
        self._wanted[maildir] = False
        gevent.spawn(lambda: self._pool.spawn(self._ask, maildir, last))

    def _ask(self, maildir: str, last: bool) -> None:
        again = True
        try:
            while again:
                self._wanted[maildir] = False
                self._pull(maildir, last)
                again = self._wanted[maildir]
            self._failures.pop(maildir, None)
        except (MapiError, OSError, apsw.Error) as error:
            gone = isinstance(error, MapiError) and error.code in (Ec.ecUnknownUser, Ec.ecWrongServer)
            pause = min(RETRY_MAX, self._failures.get(maildir, RETRY_MIN / 2) * 2)
            self._failures[maildir] = pause
            log.warning("mailbox not asked for outgoing mail", extra={"mailbox": maildir, "error": str(error)})
            if not gone:
                self._later(maildir, self._clock() + pause)
        finally:
            del self._wanted[maildir]

    def _later(self, maildir: str, due: float) -> None:
        """Ask again then."""
        waiting = self._timers.get(maildir)
        if waiting is not None and not waiting[1].dead:
            if waiting[0] <= due:
                return
            waiting[1].kill(block=False)
        timer = gevent.spawn_later(max(0.0, due - self._clock()), self.ask, maildir)
        self._timers[maildir] = (due, timer)

    # ------------------------------------------------------------------------------------------ a mailbox

    def _pull(self, maildir: str, last: bool) -> None:
        """Take what a mailbox has. MapiError, OSError, apsw.Error."""
        user = self._directory.owner_of(maildir)
        if user is None:
            raise MapiError(Ec.ecUnknownUser, "nobody has this maildir")
        where = self._directory.mailbox(user)
        left = True
        while left:
            found = self._exmdb.call(where, g.GetOutgoing(BATCH), actor=SYSTEM)
            left = found.left
            if found.mails:
                self._take(maildir, where, found)
            elif last and not found.next_due:
                self._exmdb.call(where, g.OutgoingTaken([]), actor=SYSTEM)
            if found.next_due:
                self._later(maildir, float(found.next_due))

    def _take(self, maildir: str, where: MailboxRef, found: g.OutgoingMail) -> None:
        taken: list[int] = []
        refused: list[int] = []
        new: list[NewMail] = []
        for mail in found.mails:
            why = self._objection(where, found.owner, mail)
            try:
                spooled = None if why else self._spooled(maildir, where, mail)
            except MapiError as error:
                if error.code != Ec.ecNotFound:
                    raise
                spooled, why = None, LOST
            if spooled is None:
                refused.append(mail.id)
                new += self._returned(found.owner, mail, why)
            else:
                taken.append(mail.id)
                new.append(spooled)
        ids = self._added(new)
        for bad in [one for one in new if ids[one.token] is None and one.mailbox]:
            [mail] = [mail for mail in found.mails if mail.options.token == bad.token]
            taken.remove(mail.id)
            refused.append(mail.id)
            ids |= self._added(self._returned(found.owner, mail, UNKNOWN))
        for mail in found.mails:
            if mail.id in taken:
                self._copy_to_represented(found.owner, mail)
        for id_ in ids.values():
            if id_:
                self._engine.add(id_)
        self._exmdb.call(where, g.OutgoingTaken(taken, refused), actor=SYSTEM)

    def _added(self, new: list[NewMail]) -> dict[bytes, int | None]:
        """Take mails into the spool: their ids by token, None for one that is kept apart. OSError, apsw.Error."""
        now = self._clock()
        try:
            ids = self._disk.do(lambda spool: [spool.add(one, now) for one in new])
            return {one.token: id_ for one, id_ in zip(new, ids, strict=True)}
        except (apsw.Error, OSError):
            raise
        except Exception:  # noqa: BLE001 - a fault that one mail brings about holds up no other
            return {one.token: self._added_alone(one, now) for one in new}

    def _added_alone(self, new: NewMail, now: float) -> int | None:
        try:
            return self._disk.do(lambda spool: spool.add(new, now))
        except (apsw.Error, OSError):
            raise
        except Exception:
            path = self._disk.do(lambda spool: spool.set_apart(new))
            log.exception("outgoing mail kept apart", extra={"mailbox": new.mailbox, "file": path})
            return None

    def _objection(self, where: MailboxRef, owner: str, mail: g.Outgoing) -> str:
        """Why a mail is not sent, '' when it is."""
        if mail.size < 0:
            return LOST
        o = mail.options
        if o.represents and not self._may(owner, o):
            log.warning("sending refused", extra={"owner": owner, "represents": o.represents})
            return f"550 5.7.60 {owner} may not send in the name of {o.represents}"
        if o.submitter and not self._still_may(where, o):
            log.warning("sending refused", extra={"owner": owner, "delegate": o.submitter})
            return f"550 5.7.60 {o.submitter} may no longer send in the name of {owner}"
        return ""

    def _still_may(self, where: MailboxRef, o: g.Options) -> bool:
        """Whether a delegate who submitted the mail, perhaps long ago, is one today. MapiError."""
        rights = self._exmdb.call(where, GetRights(0, o.submitter), actor=SYSTEM)
        return rights.send_as or (rights.delegate and not o.as_owner)

    def _may(self, owner: str, o: g.Options) -> bool:
        """Whether he may send so. A mailbox that is no more has no delegates: what waits behind the mail goes on."""
        try:
            return represented(self._directory, self._exmdb, owner, o.represents, o.send_as) is not None
        except MapiError as error:
            if error.code not in (Ec.ecUnknownUser, Ec.ecNotFound):
                raise
            return False

    def _spooled(self, maildir: str, where: MailboxRef, mail: g.Outgoing) -> NewMail:
        """The mail with its octets, which are on disk when they are many."""
        made = NewMail(mail.options.token, maildir, mail.sender, mail.recipients, options=mail.options)
        if len(mail.raw) == mail.size:
            return made._replace(raw=complete(with_crlf(mail.raw), mail.options.token, self._hostname, self._clock()))
        path = os.path.join(self._disk.waiting_folder, f"{mail.options.token.hex()}.in")
        with open(path, "wb", buffering=0) as file:
            for piece in self._pieces(where, mail):
                file.write(piece)
            gevent.get_hub().threadpool.apply(os.fsync, (file.fileno(),))
        return made._replace(path=path)

    def _pieces(self, where: MailboxRef, mail: g.Outgoing) -> Any:
        at = 0
        while at < mail.size:
            piece = self._exmdb.call(where, g.ReadOutgoing(mail.id, at, PIECE), actor=SYSTEM)
            if not piece:
                raise MapiError(Ec.ecNotFound, "an outgoing mail ended too soon")
            if not at:
                yield complete(piece, mail.options.token, self._hostname, self._clock())
            else:
                yield piece
            at += len(piece)

    def _returned(self, owner: str, mail: g.Outgoing, why: str) -> list[NewMail]:
        """The report that a mail was refused."""
        if not mail.sender:
            return []
        now, token = self._clock(), mail.options.token[:8] + b"refused."
        postmaster = self._settings().bounce_postmaster
        by = report.From(
            self._hostname, postmaster + self._hostname if postmaster.endswith("@") else postmaster, token.hex()
        )  # fmt: skip
        start = mail.raw or b"\r\n"
        original = report.Original(mail.sender, mail.options.envelope_id, now, start, False)
        status = "5.7.60" if why.startswith("550") else "5.3.0"
        failed = [Recipient(n, a, FAILED, status=status, text=why) for n, a in enumerate(mail.recipients)]
        raw = report.make_report(report.FAILED, original, failed, by, now, whole=False)
        return [NewMail(token, "", "", [mail.sender], raw)]

    def _copy_to_represented(self, owner: str, mail: g.Outgoing) -> None:
        """A copy for the Sent Items of the mailbox in whose name it is sent."""
        o = mail.options
        if not o.represents or not mail.mid or not self._settings().relay_sent_copy_represented:
            return
        user = self._directory.find_or_none(o.represents)
        if user is None or user.username.lower() == owner.lower() or not mail.raw or mail.size > COPY_LIMIT:
            return
        where = self._directory.mailbox(user)
        try:
            self._local.put(where, SENT_ITEMS, mail.raw, SYSTEM, request_id(o.token, user.maildir), self._clock())
        except MapiError as error:
            log.warning("no copy for Sent Items", extra={"mailbox": user.username, "error": str(error)})


def complete(raw: bytes, token: bytes, host: str, now: float) -> bytes:
    """A message that has Message-ID and Date (RFC 5322 3.6); `raw` has at least its header."""
    end = raw.find(b"\r\n\r\n")
    header = raw if end < 0 else raw[: end + 2]
    added = b""
    if not _HAS[b"Date"].search(header):
        added += f"Date: {formatdate(now, localtime=True)}\r\n".encode()
    if not _HAS[b"Message-ID"].search(header):
        added += f"Message-ID: <{token.hex()}@{host}>\r\n".encode()
    return added + raw


def bind_datagrams(path: str) -> Any:
    """The socket at which mailboxes say that they have something; whoever had it before is gone."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    os.chmod(path, 0o600)
    return sock
