"""What a profile works with: stores that are logged on to, their folders, messages, tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.support.outlook import rops as r
from tests.support.outlook import tags as t
from tests.support.outlook.autodiscover import Account, discover
from tests.support.outlook.rops import Handle, Opened, RopError
from tests.support.outlook.session import Session
from tests.support.outlook.transport import MapiHttp
from tests.support.outlook.values import Recipient
from tests.support.outlook.wire import globcnt
from tests.support.server import Server

ROOT, DEFERRED, SPOOLER, IPM, INBOX, OUTBOX, SENT, DELETED, COMMON_VIEWS, SCHEDULE, SEARCH, VIEWS, SHORTCUTS = range(13)
# Public stores ([MS-OXCSTOR] 2.2.1.1.4)
P_ROOT, P_IPM, P_NON_IPM, P_EFORMS, P_FREEBUSY = range(5)
PRIVATE, NO_MAIL = 0x01, 0x0002_0000
USE_ADMIN, PUBLIC, HOME_LOGON, TAKE_OWNERSHIP, USE_PER_MDB = 0x1, 0x2, 0x4, 0x8, 0x0100_0000
CHUNK = 0x7000
"""Octets of one write of a stream."""


class Profile:
    """Somebody's: made by AutoDiscover, connected."""

    def __init__(self, server: Server, user: str, *, connect: bool = True, timeout: float = 60.0) -> None:
        self.server, self.user = server, user
        self.host, self.port = server.address("http")
        self.account: Account = discover(self.host, self.port, user, server.password(user))
        self.timeout = timeout
        self.session: Session
        self.link: MapiHttp
        if connect:
            self.connect()

    def local(self, url: str) -> str:
        """A URL of AutoDiscover, at the address where the test's server listens."""
        return f"http://{self.host}:{self.port}{url[url.index('/', 8) :]}"

    def connect(self) -> Session:
        """A new session."""
        self.link = MapiHttp(
            self.local(self.account.mailbox_url), self.user, self.server.password(self.user), timeout=self.timeout
        )
        self.link.connect(self.account.dn)
        self.session = Session(self.link)
        self._logons = itertools.count()  # another logon of the same number would take the place of the first
        return self.session

    def store(self, dn: str = "", *, open_flags: int = HOME_LOGON | USE_PER_MDB) -> Store:
        """Log on to a private store, one's own without a DN."""
        rop = r.Logon(PRIVATE, open_flags, dn or self.account.dn, next(self._logons))
        return Store(self.session, rop, self.session.one(rop))

    def public(self, dn: str = "") -> Store:
        """Log on to the public store."""
        rop = r.Logon(0, PUBLIC | USE_PER_MDB, dn, next(self._logons))
        return Store(self.session, rop, self.session.one(rop))

    def close(self) -> None:
        """Disconnect."""
        self.link.disconnect()

    def __enter__(self) -> Profile:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self.close()
        else:
            self.link.close()


class Store:
    """A logon. `info`: what RopLogon answered."""

    def __init__(self, session: Session, rop: r.Rop, info: dict[str, Any]) -> None:
        assert rop.out is not None
        self.session, self.handle, self.info = session, rop.out, info
        self.folders: list[int] = info["folders"]
        self.guid: bytes = info.get("mailbox_guid", b"")

    def folder(self, which: int) -> Folder:
        """One by its place in the answer of the logon, or by its FID."""
        fid = self.folders[which] if which < len(self.folders) else which
        return Folder(self, fid, self.session.make(r.OpenFolder(self.handle, fid)))

    def get(self, *columns: int) -> dict[int, Any]:
        """Properties of the store."""
        return self.session.one(r.GetPropertiesSpecific(self.handle, columns))  # type: ignore[no-any-return]

    def long_term(self, eid: int) -> bytes:
        """GUID and counter of a FID or MID, as source keys have them."""
        return self.session.one(r.LongTermIdFromId(self.handle, eid))[:22]  # type: ignore[no-any-return]

    def by_path(self, *names: str) -> Folder:
        """A folder below the one that mail programs show."""
        found = self.folder(IPM)
        for name in names:
            found = found.child(name)
        return found


def _all(session: Session, table: Handle, columns: Sequence[int], count: int = 200) -> Iterator[dict[int, Any]]:
    while True:
        rows = session.one(r.QueryRows(table, columns, count))[1]
        if not rows:
            return
        yield from rows


class Holder:
    """An object with properties."""

    def __init__(self, session: Session, handle: Handle) -> None:
        self.session, self.handle = session, handle

    def get(self, *columns: int) -> dict[int, Any]:
        """RopGetPropertiesSpecific."""
        return self.session.one(r.GetPropertiesSpecific(self.handle, columns))  # type: ignore[no-any-return]

    def all(self) -> dict[int, Any]:
        """RopGetPropertiesAll."""
        return self.session.one(r.GetPropertiesAll(self.handle))  # type: ignore[no-any-return]

    def set(self, props: Mapping[int, Any]) -> None:
        """RopSetProperties; none is a problem."""
        problems = self.session.one(r.SetProperties(self.handle, props))
        assert not problems, [(hex(tag), hex(code)) for _, tag, code in problems]

    def read(self, tag: int, most: int = 0x7B00) -> bytes:
        """A property through a stream."""
        stream = r.OpenStream(self.handle, tag)
        size = self.session.one(stream)
        assert stream.out is not None
        found = bytearray()
        while part := self.session.one(r.ReadStream(stream.out, most)):
            found += part
        self.session.release(stream.out)
        assert len(found) == size, (len(found), size)
        return bytes(found)

    def write(self, tag: int, data: bytes, chunk: int = CHUNK) -> None:
        """A property through a stream."""
        stream = self.session.make(r.OpenStream(self.handle, tag, 2))
        self.session.run(r.SetStreamSize(stream, len(data)))
        for at in range(0, len(data), chunk):
            part = data[at : at + chunk]
            assert self.session.one(r.WriteStream(stream, part)) == len(part)
        self.session.run(r.CommitStream(stream))
        self.session.release(stream)

    def release(self) -> None:
        self.session.release(self.handle)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self.release()


class Folder(Holder):
    """An open one."""

    def __init__(self, store: Store, fid: int, handle: Handle) -> None:
        super().__init__(store.session, handle)
        self.store, self.fid = store, fid

    @property
    def counter(self) -> int:
        return globcnt(self.fid)

    def child(self, name: str) -> Folder:
        """A folder below it."""
        rows = self.folders(t.DisplayName, t.FolderId)
        [fid] = [row[t.FolderId] for row in rows if row[t.DisplayName] == name]
        return self.store.folder(fid)

    def create(self, name: str, *, kind: int = 1, open_existing: bool = False, container: str = "") -> Folder:
        """A new folder below it; kind 2: a search folder."""
        rop = r.CreateFolder(self.handle, name, kind=kind, open_existing=open_existing)
        fid, _ = self.session.one(rop)
        assert rop.out is not None
        made = Folder(self.store, fid, rop.out)
        if container:
            made.set({t.ContainerClass: container})
        return made

    def folders(self, *columns: int, flags: int = 0) -> list[dict[int, Any]]:
        """Rows of the hierarchy table; flags 4: of all depths."""
        table = self.session.make(r.GetHierarchyTable(self.handle, flags))
        self.session.run(r.SetColumns(table, columns))
        found = list(_all(self.session, table, columns))
        self.session.release(table)
        return found

    def rows(
        self, *columns: int, associated: bool = False, condition: bytes = b"", orders: bytes = b""
    ) -> list[dict[int, Any]]:  # fmt: skip
        """Rows of the contents table."""
        table = self.session.make(r.GetContentsTable(self.handle, 2 if associated else 0))
        steps = [r.SetColumns(table, columns)]
        steps += [r.SortTable(table, orders)] if orders else []
        steps += [r.Restrict(table, condition)] if condition else []
        self.session.run(*steps)
        found = list(_all(self.session, table, columns))
        self.session.release(table)
        return found

    def subjects(self, **more: Any) -> list[str]:
        return [row[t.Subject] for row in self.rows(t.Subject, **more)]

    def mid_of(self, subject: str) -> int:
        """The MID of the one message with a subject."""
        [mid] = [row[t.Mid] for row in self.rows(t.Mid, t.Subject) if row.get(t.Subject) == subject]
        return int(mid)

    def permissions(self, flags: int = 0) -> list[dict[int, Any]]:
        """Rows of the permissions table."""
        columns = (t.MemberId, t.MemberName, t.MemberRights, t.MemberEntryId)
        table = self.session.make(r.GetPermissionsTable(self.handle, flags))
        self.session.run(r.SetColumns(table, columns))
        found = list(_all(self.session, table, columns))
        self.session.release(table)
        return found

    def rules(self) -> list[dict[int, Any]]:
        columns = (t.RuleId, t.RuleName, t.RuleSequence, t.RuleState, t.RuleCondition, t.RuleActions, t.RuleProvider)
        table = self.session.make(r.GetRulesTable(self.handle, 0x40))
        self.session.run(r.SetColumns(table, columns))
        found = list(_all(self.session, table, columns))
        self.session.release(table)
        return found

    def open(self, mid: int, flags: int = 0) -> Message:
        """Flags: 0 read only, 1 read and write, 3 best."""
        rop = r.OpenMessage(self.handle, self.fid, mid, flags)
        opened = self.session.one(rop)
        assert rop.out is not None
        return Message(self.store, rop.out, opened, mid)

    def new(self, props: Mapping[int, Any] | None = None, *, associated: bool = False) -> Message:
        """A message that is not yet saved."""
        handle = self.session.make(r.CreateMessage(self.handle, self.fid, associated=associated))
        made = Message(self.store, handle, None, 0)
        if props:
            made.set(props)
        return made

    def save_new(self, props: Mapping[int, Any], *, associated: bool = False) -> int:
        """A message with these properties; its MID."""
        with self.new(props, associated=associated) as made:
            return int(made.save())

    def delete(self, *mids: int, hard: bool = False) -> None:
        assert self.session.one(r.DeleteMessages(self.handle, mids, hard=hard)) == 0

    def move(self, target: Folder, *mids: int, copy: bool = False) -> None:
        assert self.session.one(r.MoveCopyMessages(self.handle, target.handle, mids, copy=copy)) == 0


class Message(Holder):
    """An open one. `opened`: what the answer to opening it said."""

    def __init__(self, store: Store, handle: Handle, opened: Opened | None, mid: int) -> None:
        super().__init__(store.session, handle)
        self.store, self.opened, self.mid = store, opened, mid

    def save(self, flags: int = 0x0A) -> int:
        """RopSaveChangesMessage; the MID."""
        self.mid = self.session.one(r.SaveChangesMessage(self.handle, flags))
        return self.mid

    def recipients(self, *rows: Recipient, columns: Sequence[int] = ()) -> None:
        self.session.run(r.ModifyRecipients(self.handle, rows, columns))

    def attach(self, name: str, data: bytes, **props: Any) -> int:
        """A file; its number."""
        rop = r.CreateAttachment(self.handle)
        number = int(self.session.one(rop))
        assert rop.out is not None
        made = Holder(self.session, rop.out)
        made.set({t.AttachMethod: 1, t.AttachLongFilename: name, t.RenderingPosition: -1, **props})
        made.write(t.AttachData, data)
        self.session.run(r.SaveChangesAttachment(self.handle, made.handle))
        made.release()
        return number

    def attachments(self, *columns: int) -> list[dict[int, Any]]:
        table = self.session.make(r.GetAttachmentTable(self.handle))
        self.session.run(r.SetColumns(table, columns))
        found = list(_all(self.session, table, columns))
        self.session.release(table)
        return found

    def attachment(self, number: int) -> Holder:
        return Holder(self.session, self.session.make(r.OpenAttachment(self.handle, number)))

    def submit(self) -> None:
        self.session.run(r.SubmitMessage(self.handle))


def code_of(action: Any, *args: Any) -> int:
    """The error code that something ends with, 0 without one."""
    try:
        action(*args)
    except RopError as error:
        return error.code
    return 0
