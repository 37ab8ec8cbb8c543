"""Notifications ([MS-OXCNOTIF]): subscriptions, who hears of a mailbox's events, and what the client is told.

Events of a mailbox come to a `Feed`, one of each mailbox and actor in the process, shared by all sessions. They come
while the process waits for something else, so that nothing here may block then: they are encoded and put into
`Session.pending`, from where the next buffer takes them along.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.api import Exmdb
from gromoxd.exmdb.calls import Event
from gromoxd.exmdb.working import Account
from gromoxd.mapi import proptags as p
from gromoxd.rop import notify as wire
from gromoxd.rop.notify import NotificationData, RegisterNotification, RegisterNotificationResponse
from workers.http.emsmdb.dispatch import NO_HANDLE, Call, handles
from workers.http.emsmdb.objects import Logon, ServerObject
from workers.http.emsmdb.settings import EmsmdbSettings

if TYPE_CHECKING:
    from workers.http.emsmdb.session import Session
    from workers.http.emsmdb.tableobject import TableObject

MOST_PENDING: Final = 1024
"""Notifications that wait for a client; of more only the latest are kept, of tables that they changed."""
STORM: Final = 32
"""So many changes of one table that wait are one, where emsmdb_collapse_notif_storm is on."""
LONGEST_ROW: Final = 0x1000
"""Octets of a row that a notification carries."""
UNWATCH_TIMEOUT: Final = 5.0
_IDS = itertools.count(1)
"""Watches of all connections of the process ([gromoxd.exmdb.tables] WatchTable)."""
Listener = Callable[[Event], None]
_TABLE_CHANGED: Final = NotificationData(flags=wire.TABLE_MODIFIED, table_event=wire.TABLE_CHANGED)


# ---------------------------------------------------------------------------------------------- feeds


class Feed:
    """The events of one mailbox for one actor. `version` counts them: what was read at one holds as long as it does."""

    def __init__(self, account: Account) -> None:
        self.version = 1
        self.users = 0
        self._account = account
        self._listeners: dict[int, Listener] = {}
        self._coarse: dict[int, Listener] = {}
        self._gone = False
        self._stop = account.exmdb.watch(account.mailbox, account.actor, self._event)

    @classmethod
    def join(cls, account: Account) -> Feed:
        """The feed of an account's mailbox; `leave` it some time. ecAccessDenied, ecNetwork."""
        feeds = _FEEDS.setdefault(account.exmdb, {})
        key = (account.mailbox.maildir, account.actor)
        feed = feeds.get(key)
        if feed is None:
            feed = feeds[key] = Feed(account)
        feed.users += 1
        return feed

    def leave(self) -> None:
        """One user less."""
        self.users -= 1
        if self.users:
            return
        feeds = _FEEDS.get(self._account.exmdb, {})
        if feeds.get((self._account.mailbox.maildir, self._account.actor)) is self:
            del feeds[self._account.mailbox.maildir, self._account.actor]
        self._stop()

    def listen(self, call: t.WatchTable | t.WatchObjects, listener: Listener) -> None:
        """Have the store tell; where it has too many to tell of each, it is told of every event of the mailbox."""
        self._listeners[call.id] = listener
        try:
            self._account.call(call)
        except MapiError as error:
            if error.code is not Ec.ecTooBig:
                self._listeners.pop(call.id, None)
                raise
            self._coarse[call.id] = listener

    def ignore(self, number: int) -> None:
        """No more of this watch."""
        self._listeners.pop(number, None)
        if self._coarse.pop(number, None) is not None:
            return
        try:
            self._account.call(t.WatchObjects(number, False), deadline=0.01 if self._gone else UNWATCH_TIMEOUT)
        except MapiError:
            self._gone = True  # an owner that is gone has forgotten the watches: it is not waited for again

    def _event(self, event: Event) -> None:
        self.version += 1
        self._gone = False
        if event.watch:
            listener = self._listeners.get(event.watch)
            if listener is not None:
                listener(event)
        elif event.fid < 0:
            for listener in list(self._listeners.values()):
                listener(event)
        else:
            for listener in list(self._coarse.values()):
                listener(event)


_FEEDS: WeakKeyDictionary[Exmdb, dict[tuple[str, str], Feed]] = WeakKeyDictionary()


# ---------------------------------------------------------------------------------------------- what waits


def push(session: Session, octets: bytes) -> None:
    """A notification for the client."""
    if len(session.pending) >= MOST_PENDING:
        _shrink(session)
    session.pending.append(octets)
    session.wake()


def push_row(session: Session, octets: bytes, *, storms: bool) -> None:
    """The same, about a table: changes of which it already waits to hear that the table changed are not told.

    Runs of rows that went are told as one change ([MS-OXCNOTIF] 3.1.4.3: a server chooses how much it says).
    """
    pending = session.pending
    handle, kind = wire.table_of(octets)
    changed = _changed(octets)
    if changed in pending:
        return
    run = kind == wire.ROW_DELETED and bool(pending) and wire.table_of(pending[-1]) == (handle, kind)
    storm = storms and len(pending) >= STORM and _waiting(session, handle) >= STORM
    if run or storm or kind == wire.TABLE_CHANGED:
        _forget_rows(session, handle)
        octets = changed
    push(session, octets)


def _changed(octets: bytes) -> bytes:
    """TABLE_CHANGED for the table of a notification."""
    return octets[: wire.HEAD_SIZE] + _TABLE_CHANGED.encode()


def _waiting(session: Session, handle: int) -> int:
    return sum(of == handle and kind != 0 for of, kind in map(wire.table_of, session.pending))


def _forget_rows(session: Session, handle: int) -> None:
    if session.pending and _waiting(session, handle):
        kept = [one for one in session.pending if wire.table_of(one)[0] != handle]
        session.pending.clear()
        session.pending.extend(kept)


def _shrink(session: Session) -> None:
    """Make room: of each table only that it changed, of objects the latest half."""
    tables: dict[bytes, None] = {}
    others: list[bytes] = []
    for one in session.pending:
        if wire.table_of(one)[1]:
            tables[_changed(one)] = None
        else:
            others.append(one)
    session.pending.clear()
    session.pending.extend(list(tables)[-MOST_PENDING // 4 :])
    session.pending.extend(others[-MOST_PENDING // 2 :])


# ---------------------------------------------------------------------------------------------- tables


class TableFeed:
    """What a table hears of its mailbox, and tells its client.

    The subscription is made when the client first looks at the table ([MS-OXCNOTIF] 3.1.4.3), anew when it shows
    something else.
    """

    def __init__(self, table: TableObject) -> None:
        self.session: Session | None = None
        self._table = table
        self._feed: Feed | None = None
        self._watch = 0
        self._looks = 0

    @property
    def version(self) -> int:
        """Counts the events of the mailbox. A local table may be another whenever it is looked at."""
        return self._feed.version if self._feed is not None else self._looks

    def follow(self) -> int:
        """Hear of the table from now on; the version now."""
        table = self._table
        if table.local:
            self._looks += 1
            return self._looks
        if self._feed is None:
            self._feed = Feed.join(table.logon.account)
        if not self._watch and self._wanted:
            self._begin(self._feed)
        return self._feed.version

    @property
    def _wanted(self) -> bool:
        table = self._table
        told = table.table.kind in (t.CONTENTS, t.HIERARCHY, t.PERMISSIONS)
        return told and self.session is not None and table.columns is not None and not self._silent

    @property
    def _silent(self) -> bool:
        return self._table.table.kind != t.PERMISSIONS and bool(self._table.table.flags & t.NO_NOTIFICATIONS)

    def _begin(self, feed: Feed) -> None:
        table = self._table
        assert table.columns is not None
        self._watch = number = next(_IDS)
        try:
            feed.listen(
                t.WatchTable(number, True, table.table, table.columns.asked), lambda event: self._told(number, event)
            )
        except MapiError:
            self._watch = 0
            raise

    def stale(self) -> None:
        """The table shows something else: what the store tells of it is of no use."""
        if self._watch and self._feed is not None:
            number, self._watch = self._watch, 0
            self._feed.ignore(number)

    def close(self) -> None:
        """The table is released."""
        self.stale()
        if self._feed is not None:
            self._feed.leave()
            self._feed = None

    # ------------------------------------------------------------------------------------------ telling

    def _told(self, number: int, event: Event) -> None:
        session = self.session
        if number != self._watch or session is None:
            return
        table = self._table
        if not event.watch and event.fid >= 0 and table.table.kind == t.CONTENTS and event.fid != table.table.fid:
            return  # it is told of everything
        storms = collapses_storms(session)
        if not event.rows or table.decorated:
            self._push(session, _TABLE_CHANGED, storms)
            return
        for change in event.rows:
            self._push(session, self._data(change), storms)

    def _push(self, session: Session, data: NotificationData, storms: bool) -> None:
        table = self._table
        push_row(session, wire.notify(table.handle, table.logon.number, data), storms=storms)

    def _data(self, change: c.RowChange) -> NotificationData:
        """[MS-OXCNOTIF] 2.2.1.4.1.2 of a row; TABLE_CHANGED when there is more to it than can be said."""
        table = self._table
        columns, logon = table.columns, table.logon
        home, after_home = self._homes(change)
        row = columns.encode(change.row) if columns is not None and change.row else b""
        if change.kind == c.TABLE_CHANGED or columns is None or not home or (change.after_instance and not after_home):
            return _TABLE_CHANGED
        if len(row) > LONGEST_ROW:
            return _TABLE_CHANGED
        if table.table.kind == t.HIERARCHY:
            return NotificationData(
                flags=wire.TABLE_MODIFIED, table_event=change.kind, row_folder=logon.eid(change.instance),
                after_folder=logon.eid(change.after_instance), row=row,
            )  # fmt: skip
        return NotificationData(
            flags=wire.TABLE_MODIFIED | wire.OF_MESSAGE, table_event=change.kind, row_folder=logon.eid(home),
            row_message=logon.eid(change.instance), row_instance=change.num, after_folder=logon.eid(after_home),
            after_message=logon.eid(change.after_instance), after_instance=change.after_num, row=row,
        )  # fmt: skip

    def _homes(self, change: c.RowChange) -> tuple[int, int]:
        """The folders of a row's message and of that before it, 0 for one that is not known (and for none)."""
        table = self._table
        fid, known = table.table.fid, table.homes
        if table.table.kind == t.CONTENTS and table.columns is not None and change.row:
            home = table.columns.home(change.row)
            if home != fid or known:
                known[change.instance] = home
        default = 0 if known else fid
        after = known.get(change.after_instance, default) if change.after_instance else 0
        return known.get(change.instance, default), after


def collapses_storms(session: Session) -> bool:
    """emsmdb_collapse_notif_storm."""
    return session.site.ctx.config.get(EmsmdbSettings).emsmdb_collapse_notif_storm


# ---------------------------------------------------------------------------------------------- subscriptions


class Subscription(ServerObject):
    """A notification subscription ([MS-OXCNOTIF] 3.1.1): of a store, or of a folder, or of a message."""

    def __init__(self, logon: Logon, session: Session, kinds: int, fid: int, mid: int) -> None:
        super().__init__(logon)
        self._session, self._kinds, self._fid, self._mid = session, kinds, fid, mid
        self._feed: Feed | None = None
        self._watch = 0

    def begin(self) -> None:
        """Hear of it. What the store says: ecAccessDenied …"""
        if not self._kinds:
            return
        self._feed = feed = Feed.join(self.logon.account)
        self._watch = next(_IDS)
        feed.listen(t.WatchObjects(self._watch, True, self._fid, self._kinds, self._mid), self._told)

    def close(self) -> None:
        if self._feed is not None:
            self._feed.ignore(self._watch)
            self._feed.leave()
            self._feed = None

    def _told(self, event: Event) -> None:
        changes = event.changes
        if not event.watch:  # something was missed, or not told in detail: the folder is worth a look
            if not self._kinds & c.MODIFIED:
                return
            changes = [c.ObjectChange(c.MODIFIED, fid) for fid in self._worth_a_look(event.fid)]
        for change in changes:
            push(self._session, wire.notify(self.handle, self.logon.number, object_data(self.logon, change)))

    def _worth_a_look(self, fid: int) -> list[int]:
        """The folders in which something may have happened, when all that is known is where (-1: anywhere).

        Who hears of the whole store is told of the folders from which clients begin to look.
        """
        if self._fid:
            return [self._fid] if fid in (self._fid, -1) else []
        if fid >= 0:
            return [fid] if fid else []
        folders = self.logon.info.folders
        return [folders[place] for place in (_PUBLIC_TOPS if self.logon.public else _TOPS) if folders[place]]


_TOPS: Final = (3, 4)
"""Where the logon of a private mailbox tells its IPM subtree and Inbox ([MS-OXCSTOR] 2.2.1.1.3)."""
_PUBLIC_TOPS: Final = (1,)
"""Where that of a public store tells its IPM subtree ([MS-OXCSTOR] 2.2.1.1.4)."""


def object_data(logon: Logon, change: c.ObjectChange) -> NotificationData:
    """[MS-OXCNOTIF] 2.2.1.4.1.2 of what happened to an object."""
    flags = change.kind
    tags: list[int] = []
    if change.mid:
        flags |= wire.OF_MESSAGE | (wire.IN_SEARCH if change.parent_fid else 0)
    elif change.kind == c.MODIFIED:
        flags |= (wire.TOTAL if change.total >= 0 else 0) | (wire.UNREAD if change.unread >= 0 else 0)
        tags = [p.PidTagContentCount] * (change.total >= 0) + [p.PidTagContentUnreadCount] * (change.unread >= 0)
    return NotificationData(
        flags=flags, folder=logon.eid(change.fid), message=logon.eid(change.mid), parent=logon.eid(change.parent_fid),
        old_folder=logon.eid(change.old_fid), old_message=logon.eid(change.old_mid),
        old_parent=logon.eid(change.old_parent_fid), tags=tags, total=max(change.total, 0),
        unread=max(change.unread, 0), message_flags=change.flags, message_class=change.message_class,
    )  # fmt: skip


@handles(RegisterNotification)
def register_notification(call: Call, request: RegisterNotification) -> RegisterNotificationResponse:
    """[MS-OXCNOTIF] 3.1.4.1."""
    logon = call.object(ServerObject).logon
    fid = mid = 0
    if not request.whole_store and request.folder_id:
        fid = logon.counter(request.folder_id)
        mid = logon.counter(request.message_id) if request.message_id else 0
    made = Subscription(logon, call.session, request.types & KINDS, fid, mid)
    handle = call.put(request.output, made)
    try:
        made.begin()
    except (MapiError, WireError):
        call.session.release(handle)
        call.handles[request.output] = NO_HANDLE
        raise
    return RegisterNotificationResponse(request.output, 0)


KINDS: Final = c.NEW_MAIL | c.CREATED | c.DELETED | c.MODIFIED | c.MOVED | c.COPIED | c.SEARCH_COMPLETE
