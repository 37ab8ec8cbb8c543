"""Locust users that are Outlook: a mailbox over MAPI/HTTP, and the address book beside it.

The client is the one of the tests (`tests/support/outlook`), which knows nothing of the server's codecs. A step is what
a person does (6 to 10 ROPs or a few requests); its row in the report has the type MAPI or NSPI. The mix is that of a
heavy user's day: 80 messages read, 60 flagged, moved or deleted, 40 sent, 6 appointments, 12 names looked up.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from locust import constant_pacing, task

from loadtest.users import FAULTS, SITE, TIMEOUT, WORDS, MailUser
from tests.support.outlook import rops as r
from tests.support.outlook import tags as t
from tests.support.outlook import values as v
from tests.support.outlook.nspi import ACCOUNT, DISPLAY_NAME, EMAIL, RESOLVED, SMTP, AddressBook
from tests.support.outlook.profile import INBOX, IPM, OUTBOX, SENT, Folder, Profile, Store
from tests.support.outlook.rops import RopError
from tests.support.outlook.session import Backoff, TooSmall
from tests.support.outlook.transport import CallFault, HttpFault
from tests.support.outlook.values import Recipient
from tests.support.outlook.wire import Bad

OUTLOOK_FAULTS = (*FAULTS, RopError, Backoff, TooSmall, HttpFault, CallFault, Bad, AssertionError)
NOT_FOUND = 0x8004010F
SHOWN = 30
MANY = 300
COLUMNS = (
    t.Mid, t.Subject, t.SenderName, t.DisplayTo, t.MessageDeliveryTime, t.MessageFlags, t.MessageSize, t.HasAttachments,
    t.Importance, t.IconIndex,
)  # fmt: skip
PRESENTED = (t.Subject, t.Body, t.SenderName, t.SenderSmtp, t.DisplayTo, t.ClientSubmitTime, t.MessageFlags)
NEWEST_FIRST = v.sort_orders((t.MessageDeliveryTime, 1))
OLDEST_FIRST = v.sort_orders((t.MessageDeliveryTime, 0))
NEW_MAIL, OBJECT_CHANGES = 0x0002, 0x007C


@contextmanager
def perhaps_gone() -> Iterator[None]:
    """Another session of the same account may have been quicker."""
    try:
        yield
    except RopError as error:
        if error.code != NOT_FOUND:
            raise


def text_of(words: int) -> str:
    """Some lines."""
    return "\r\n".join(" ".join(random.choices(WORDS, k=10)) for _ in range(max(1, words // 10)))


class OutlookUser(MailUser):
    """Outlook in online mode: a session for as long as the user is there, with a NotificationWait always open."""

    kind = "MAPI"
    weight = 4
    wait_time = constant_pacing(0.5)
    faults = OUTLOOK_FAULTS

    def on_start(self) -> None:
        """Nothing is open yet."""
        super().on_start()
        self.waiter: Any = None
        self.news = False

    def on_stop(self) -> None:
        """Disconnect."""
        if self.client is not None:
            with self.measured("Disconnect"):
                self.client.close()
        super().on_stop()

    def drop(self) -> None:
        """Give the session up."""
        waiter, self.waiter = self.waiter, None
        if waiter is not None and waiter is not gevent.getcurrent():
            waiter.kill(block=False)
        client, self.client = self.client, None
        if client is not None and hasattr(client, "link"):
            client.link.close()

    # ------------------------------------------------------------------------------------------ start of a session

    def ready(self) -> bool:
        """Whether there is a session; makes one if need be. Notifications that are there are fetched."""
        if self.client is None:
            self._begin()
        elif self.news:
            self.news = False
            with self.measured("Execute: notifications"):
                self.client.session.fetch()
        return self.client is not None

    def _begin(self) -> None:
        profile: Any = None
        with self.measured("AutoDiscover"):
            profile = Profile(SITE, self.name, connect=False, timeout=TIMEOUT)  # type: ignore[arg-type]
        if profile is None:
            return
        with self.measured("Connect"):
            profile.connect()
            self.client = profile
        if self.client is not None:
            with self.measured("Execute: logon"):
                self._log_on(profile)
        if self.client is not None:
            self.waiter = gevent.spawn(self._wait_forever, profile)

    def _log_on(self, profile: Profile) -> None:
        """RopLogon, the folders, notifications of the whole store."""
        self.store: Store = profile.store()
        self.inbox: Folder = self.store.folder(INBOX)
        rows = self.store.folder(IPM).folders(t.FolderId, t.DisplayName)
        found = {row[t.DisplayName]: row[t.FolderId] for row in rows}
        self.drafts, self.calendar, self.trash = (
            self.store.folder(found[name]) for name in ("Drafts", "Calendar", "Deleted Items")
        )
        self.outbox = self.store.folder(OUTBOX)
        self.sent = bytes(4) + self.store.guid + b"\1\0" + self.store.long_term(self.store.folders[SENT]) + b"\0\0"
        profile.session.run(r.RegisterNotification(self.store.handle, NEW_MAIL | OBJECT_CHANGES))

    def _wait_forever(self, profile: Profile) -> None:
        """NotificationWait again and again. Its time is no measure of anything: it has a row only when it fails."""
        while self.client is profile:
            link = profile.link.another()
            link.timeout = 400.0
            fault: Exception | None = None
            try:
                self.news = link.wait() or self.news
            except self.faults as error:
                fault = error
            finally:
                link.close()
            if fault is not None and self.client is profile:
                with self.measured("NotificationWait"):
                    raise fault

    # ------------------------------------------------------------------------------------------ what people do

    def list_view(self, orders: bytes = NEWEST_FIRST, folder: Folder | None = None) -> list[dict[int, Any]]:
        """The first screen of a folder, in one Execute as Outlook does it."""
        table = r.GetContentsTable((folder or self.inbox).handle)
        assert table.out is not None
        rows = r.QueryRows(table.out, COLUMNS, SHOWN)
        self.store.session.run(table, r.SetColumns(table.out, COLUMNS), r.SortTable(table.out, orders), rows)
        self.store.session.release(table.out)
        found: list[dict[int, Any]] = rows.result[1]
        self.count = table.result
        return found

    @task(4)
    def look(self) -> None:
        """The Inbox' newest messages."""
        if self.ready():
            with self.measured("Execute: contents table"):
                self.list_view()

    @task(8)
    def read(self) -> None:
        """One of them, which becomes read by it."""
        if self.ready():
            with self.measured("Execute: open message") as result, perhaps_gone():
                rows = self.list_view()
                if rows:
                    self.read_one(random.choice(rows)[t.Mid], result)

    def read_one(self, mid: int, result: dict[str, int]) -> None:
        """What a reading pane asks for."""
        with self.inbox.open(mid) as message:
            found = message.get(*PRESENTED)
            text = found[t.Body]
            if not isinstance(text, str):  # too long for a row: through a stream
                text = message.read(t.Body).decode("utf-16-le")
            result["length"] = len(text)
            if message.opened and message.opened.count:
                self.store.session.one(r.ReadRecipients(message.handle, message.opened.columns))
            message.attachments(t.AttachNumber, t.AttachLongFilename, t.AttachSize)
            if not found[t.MessageFlags] & 1:
                self.store.session.run(r.SetMessageReadFlag(self.inbox.handle, message.handle, 0))

    @task(4)
    def flag(self) -> None:
        """Read, unread, a follow-up flag."""
        if self.ready():
            with self.measured("Execute: mark") as result, perhaps_gone():
                rows = self.list_view()
                if rows:
                    mids = [row[t.Mid] for row in random.sample(rows, min(3, len(rows)))]
                    self.store.session.run(r.SetReadFlags(self.inbox.handle, mids, random.choice((0, 4))))
                    with self.inbox.open(mids[0], 1) as message:
                        message.set({t.FlagStatus: random.choice((0, 1, 2))})
                        message.save(0x06)
                    result["length"] = len(mids)

    @task(2)
    def tidy(self) -> None:
        """The oldest messages go to Deleted Items, and from there for good, when there are many."""
        if self.ready():
            with self.measured("Execute: move and delete") as result, perhaps_gone():
                rows = self.list_view(OLDEST_FIRST)
                mids = [row[t.Mid] for row in rows[: 1 if self.count < MANY else SHOWN]]
                if len(rows) > 10:
                    self.store.session.run(r.MoveCopyMessages(self.inbox.handle, self.trash.handle, mids, copy=False))
                    result["length"] = len(mids)
                gone = [row[t.Mid] for row in self.list_view(OLDEST_FIRST, self.trash)]
                if self.count > MANY:
                    self.store.session.run(r.DeleteMessages(self.trash.handle, gone, hard=True))

    @task(2)
    def draft(self) -> None:
        """A draft is made, saved, and saved again."""
        if self.ready():
            with self.measured("Execute: save draft") as result:
                text = text_of(200)
                props = {t.MessageClass: "IPM.Note", t.Subject: f"draft {random.choice(WORDS)}", t.Body: text}
                with self.drafts.new(props) as message:
                    message.save()
                    message.set({t.Body: text + "\r\nand a line\r\n"})
                    message.save()
                result["length"] = len(text)

    @task(4)
    def send(self) -> None:
        """A mail to a colleague, by way of the Outbox, to Sent Items."""
        if self.ready():
            with self.measured("Execute: send") as result:
                address = random.choice(list(SITE.users))
                text = text_of(random.choice((100, 300, 1000)))
                message = self.outbox.new({
                    t.MessageClass: "IPM.Note", t.Subject: f"{random.choice(WORDS)} {random.randrange(10_000)}",
                    t.Body: text, t.SentMailEntryId: self.sent, t.DeleteAfterSubmit: False,
                })  # fmt: skip
                to = Recipient(1, address.partition("@")[0], address, props={t.ObjectType: 6, t.DisplayType: 0})
                message.recipients(to, columns=(t.ObjectType, t.DisplayType))
                message.save()
                message.submit()
                message.release()
                result["length"] = len(text)

    @task(1)
    def appoint(self) -> None:
        """An appointment without reminder."""
        if self.ready():
            with self.measured("Execute: save appointment"):
                self.calendar.save_new({
                    t.MessageClass: "IPM.Appointment", t.Subject: f"{random.choice(WORDS)} at noon", t.Body: text_of(20)
                })  # fmt: skip


class AddressBookUser(MailUser):
    """The address book: names are resolved as they are typed, cards are looked at, the list is scrolled."""

    kind = "NSPI"
    weight = 1
    wait_time = constant_pacing(0.5)
    faults = OUTLOOK_FAULTS

    def on_stop(self) -> None:
        """Unbind."""
        if self.client is not None:
            with self.measured("Unbind"):
                self.client.unbind()
        super().on_stop()

    def ready(self) -> bool:
        """Whether there is a session; makes one if need be."""
        if self.client is None:
            with self.measured("Bind"):
                profile = Profile(SITE, self.name, connect=False, timeout=TIMEOUT)  # type: ignore[arg-type]
                url = profile.local(profile.account.addressbook_url)
                self.client = AddressBook(url, self.name, self.password, timeout=TIMEOUT).bind()
        return self.client is not None

    @task(6)
    def resolve(self) -> None:
        """A beginning of a name, which may mean several people, and then the whole."""
        if self.ready():
            name = random.choice(list(SITE.users)).partition("@")[0]
            with self.measured("ResolveNames (ANR)"):
                self.client.resolve(name[: random.randint(2, len(name))])
        if self.client is not None:
            self.card(name)

    def card(self, name: str) -> None:
        """What the card of the one with this name shows. Somebody who came just now is not in the snapshot yet."""
        found: list[tuple[int, dict[int, Any]]] = []
        with self.measured("ResolveNames"):
            found = self.client.resolve(name, columns=(DISPLAY_NAME, SMTP, EMAIL))
        if self.client is not None and found and found[0][0] == RESOLVED:
            with self.measured("GetProps"):
                mids = self.client.ids_of(found[0][1][EMAIL])
                card = self.client.props(mids[0], DISPLAY_NAME, SMTP, ACCOUNT, EMAIL)
                assert card[SMTP].partition("@")[0] == name, card

    @task(2)
    def scroll(self) -> None:
        """A page of the list."""
        if self.ready():
            with self.measured("QueryRows"):
                self.client.rows(20, DISPLAY_NAME, SMTP, EMAIL)
