"""People of a served site who send: their mailboxes, a mail server elsewhere, waiting until nothing is under way."""

from __future__ import annotations

import email
import email.policy
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from types import SimpleNamespace
from typing import Any

from aiosmtpd.controller import Controller

from gromoxd.convert.item import Item
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import outgoing as g
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.client import Client
from gromoxd.exmdb.rulecalls import ModifyRules, RuleChange
from gromoxd.exmdb.settings import ExmdbSettings
from gromoxd.exmdb.working import Account
from gromoxd.exmdb.working.items import load_item, save_item
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import eid_split
from tests.support.mapiload import shards
from tests.support.server import Server, own_host, until

ALICE, BOB = "alice@example.test", "bob@example.test"
INBOX, OUTBOX, CALENDAR = 0x0D, 0x0C, 0x0F
SINK_PORT = 2527


class Sink:
    """A mail server that keeps what it gets; `refuse`: what it says to every mail instead.

    `answers`: (sender, recipients, octets) -> what it does because of a mail, as an answering machine would.
    """

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], bytes]] = []
        self.refuse = ""
        self.refuses: dict[str, str] = {}
        """Recipient -> the answer to RCPT."""
        self.tries = 0
        self.url = ""
        self.answers: Callable[[str, list[str], bytes], None] = lambda *mail: None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.tries += 1
        if self.refuse:
            return self.refuse
        sender = "" if envelope.mail_from == "<>" else envelope.mail_from
        mail = (sender, envelope.rcpt_tos, envelope.content)
        self.mails.append(mail)
        self.answers(*mail)
        return "250 2.0.0 taken"

    def subjects(self) -> list[str]:
        return [
            line[9:].decode() for _, _, raw in list(self.mails)
            for line in raw.splitlines() if line.startswith(b"Subject: ")
        ]  # fmt: skip


@contextmanager
def sinking(sink: Sink | None = None, host: str = "") -> Iterator[Sink]:
    """It, at work."""
    made = sink or Sink()
    made_by = Controller(made, hostname=host or own_host(), port=SINK_PORT)
    made_by.start()
    made.url = f"smtp://{made_by.hostname}:{SINK_PORT}"
    try:
        yield made
    finally:
        made_by.stop()


class Mailbox:
    """Somebody's mailbox, as a protocol worker uses it. `actor`: who works in it, the owner otherwise."""

    def __init__(self, server: Server, user: str) -> None:
        self.server = server
        self.user = user
        self._maildir = json.loads(server.ctl("mailbox", "info", user, "--json"))["maildir"]
        routes = SimpleNamespace(host_of=lambda maildir: "")
        self.client = Client(str(server.site / "run"), None, shards(server), routes, ExmdbSettings())

    def call(self, call: Any, actor: str | None = None) -> Any:
        return self.client.call(MailboxRef(self._maildir), call, actor=self.user if actor is None else actor)

    def rules(self, *changes: RuleChange) -> None:
        """Add rules of the Inbox."""
        self.call(ModifyRules(INBOX, list(changes), os.urandom(16)))

    def draft(self, subject: str, *to: str, cc: str = "", bcc: str = "", actor: str | None = None, **props: Any) -> int:
        """A message in the Outbox."""
        wanted = [*((1, one) for one in to), *([(2, cc)] if cc else []), *([(3, bcc)] if bcc else [])]
        recipients = [
            {p.PidTagRecipientType: kind, p.PidTagAddressType: "SMTP", p.PidTagEmailAddress: address}
            for kind, address in wanted
        ]
        bag = {p.PidTagSubject: subject, p.PidTagBody: "text\r\n"}
        bag |= {getattr(p, f"PidTag{name}"): value for name, value in props.items()}
        changes = o.Changes(bag, recipients=recipients)
        return int(self.call(o.SaveMessage(OUTBOX, 0, 0, changes, _request(subject, b".")), actor).mid)

    def submit(self, subject: str, *to: str, actor: str | None = None, **more: Any) -> int:
        """Send a message."""
        mid = self.draft(subject, *to, actor=actor, **more)
        self.call(g.SubmitMessage(mid, _request(subject, b"s")), actor)
        return mid

    # ------------------------------------------------------------------------------------------ items

    @property
    def account(self) -> Account:
        return Account(self.client, MailboxRef(self._maildir), self.user)

    def items(self, fid: int) -> dict[int, Item]:
        """The messages of a folder by id."""
        table = t.Table(t.CONTENTS, fid)
        rows: t.Rows = self.call(t.QueryRows(table, [p.PidTagMid], 0, 1000))
        mids = [eid_split(row[0] & (1 << 64) - 1)[1] for row in rows.rows]
        return {mid: load_item(self.account, mid) for mid in sorted(mids)}

    def save(self, fid: int, item: Item) -> int:
        """A new message."""
        return save_item(self.account, fid, item, request_id=os.urandom(16)).mid

    def send(self, item: Item) -> int:
        """Send it by way of the Outbox."""
        mid = self.save(OUTBOX, item)
        self.call(g.SubmitMessage(mid, os.urandom(16)))
        return mid

    def close(self) -> None:
        self.client.close()


def _request(subject: str, start: bytes) -> bytes:
    """The same for the same subject: a test that repeats a call does nothing twice."""
    return start + subject.encode()[-15:].rjust(15, b".")


# ---------------------------------------------------------------------------------------------- what is there


def contents(server: Server, user: str, folder: str = "INBOX") -> list[EmailMessage]:
    """All messages of a folder as IMAP gives them."""
    with server.imap(user) as client:
        kind, data = client.select(f'"{folder}"', readonly=True)
        assert kind == "OK", data
        if not int(data[0] or b"0"):
            return []
        found = client.fetch("1:*", "(BODY.PEEK[])")[1]
    return [parsed(item[1]) for item in found if isinstance(item, tuple)]


def subjects(server: Server, user: str, folder: str = "INBOX") -> list[str]:
    """Their subjects."""
    return [str(message["Subject"]) for message in contents(server, user, folder)]


def flags(server: Server, user: str, folder: str = "INBOX") -> list[bytes]:
    """What FETCH FLAGS says of each."""
    with server.imap(user) as client:
        client.select(f'"{folder}"', readonly=True)
        return [line.partition(b" (")[2] for line in client.fetch("1:*", "(FLAGS)")[1] if isinstance(line, bytes)]


def parsed(raw: bytes) -> EmailMessage:
    """A message by an independent parser."""
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


# ---------------------------------------------------------------------------------------------- at rest


def at_rest(*boxes: Mailbox, seconds: float = 30.0) -> None:
    """Wait until no mailbox has anything to send and the queue is empty."""
    until(lambda: _quiet(boxes) and _quiet(boxes), seconds=seconds, describe="nothing under way", step=0.05)


def _quiet(boxes: tuple[Mailbox, ...]) -> bool:
    for _ in range(2):
        if any(box.call(g.GetOutgoing(1, 0), SYSTEM).mails for box in boxes):
            return False
        if boxes[0].server.metric("queue"):
            return False
        time.sleep(0.05)  # a mail is in one of the two places at any time, but it moves
    return True


class Log:
    """What the server logs from now on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._start = len(server.log())

    def lines(self, *wanted: str) -> list[str]:
        """The lines with all of these."""
        return [one for one in self._server.log()[self._start :].splitlines() if all(part in one for part in wanted)]
