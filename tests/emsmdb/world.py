"""Sessions on real stores in one process: alice, bob and a public store, with a directory that is a few dicts."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from gromoxd.directory.model import Aliases, Domain, MailingList, Memberships, Profile, Server, User
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.working import Account
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.ids import eid_int
from gromoxd.rop import folders as rf
from gromoxd.rop import store as rs
from gromoxd.rop.codec import Request, Response, read_response
from gromoxd.rop.release import Release
from store.direct import DirectStore
from tests.contract.mail import digest_of
from workers.http.emsmdb.dispatch import NO_HANDLE
from workers.http.emsmdb.session import Session
from workers.http.people import People
from workers.http.site import Site

DOMAIN, ALICE, BOB = "example.test", "alice@example.test", "bob@example.test"
INBOX, SENT, DRAFTS, TRASH, OUTBOX, IPM, FINDER, CALENDAR, FREE_BUSY = (
    0x0D, 0x0A, 0x0E, 0x0B, 0x0C, 0x09, 0x05, 0x0F, 0x18,
)  # fmt: skip
PUBLIC_IPM = 0x02
PRIVATE_LOGON, REPLIDS = rs.LogonFlags.Private, rs.OpenFlags.USE_PER_MDB_REPLID_MAPPING
LOGON = 0xFE
ROOM = 0x7FF0
NOW = 1_800_000_000.0
R = TypeVar("R", bound=Response)


class FakeDirectory:
    """What sessions ask of `gromoxd.directory.service.Directory`. `here`: this node's host id."""

    def __init__(self, folder: Path) -> None:
        self.here = "node1"
        self.all_users = {
            name: User(number, name, 7, str(folder / name.partition("@")[0]))
            for number, name in ((11, ALICE), (12, BOB))
        }
        self.domains = {DOMAIN: Domain(7, 3, DOMAIN, "Example", 0, "", str(folder / "public"), 0)}
        self.servers: dict[str, Server] = {}
        self.lists: dict[str, MailingList] = {}
        self.aliases_of: dict[str, list[str]] = {}
        self.names: dict[str, str] = {}

    def user(self, name: str) -> User | None:
        found = self.all_users.get(name.lower())
        if found is None:
            owner = next((one for one, names in self.aliases_of.items() if name.lower() in names), "")
            found = self.all_users.get(owner)
        return found

    find_or_none = user

    def users(self, names: list[str]) -> dict[str, User]:
        return {name: found for name in names if (found := self.user(name)) is not None}

    def user_by_id(self, number: int) -> User | None:
        return next((user for user in self.all_users.values() if user.id == number), None)

    def domain(self, name: str) -> Domain | None:
        return self.domains.get(name.lower())

    def server(self, name: str) -> Server | None:
        return self.servers.get(name.lower())

    def mailing_list(self, name: str) -> MailingList | None:
        return self.lists.get(name.lower())

    def memberships(self, name: str) -> Memberships | None:
        return Memberships(name, [one for one, found in self.lists.items() if name.lower() in found.members])

    def aliases(self, user: User) -> list[str]:
        return Aliases(user.username, self.aliases_of.get(user.username, [])).aliases

    def profile(self, user: User) -> Profile:
        return Profile(user.username, self.names.get(user.username, ""))

    def homed_here(self, host: str) -> bool:
        return not host or host == self.here

    def home_of(self, user: User) -> str:
        return "" if self.homed_here(user.host) else user.host

    def mailbox(self, user: User) -> MailboxRef:
        return MailboxRef(user.maildir, self.home_of(user))

    def public_store(self, domain: Domain) -> MailboxRef:
        return MailboxRef(domain.homedir, "" if self.homed_here(domain.host) else domain.host)

    def outside_name(self, host: str) -> str:
        server = self.server(host) if host else None
        return server.extname if server is not None else ""


class EmsmdbWorld:
    """Stores, and sessions on them. `site` is what all sessions share."""

    def __init__(self, folder: Path) -> None:
        self.directory = FakeDirectory(folder)
        owners = {user.maildir: user.username for user in self.directory.all_users.values()}
        self.store = DirectStore(str(folder), owners | {str(folder / "public"): DOMAIN})
        self.config: Any = SimpleNamespace(get=lambda cls: cls())
        services = SimpleNamespace(
            directory=self.directory, exmdb=self.store, run_blocking=lambda function, *args: function(*args)
        )
        self.site = Site(
            cast(Any, SimpleNamespace(config=self.config)),
            cast(Any, services),
            People(cast(Any, self.directory), self.config),
        )
        self.clients: list[Client] = []
        self._ids = itertools.count(1)

    @property
    def alice(self) -> User:
        return self.directory.all_users[ALICE]

    @property
    def bob(self) -> User:
        return self.directory.all_users[BOB]

    def account(self, name: str = ALICE, actor: str = "") -> Account:
        """A mailbox (the domain's name: the public store) as its owner or somebody else."""
        if name == DOMAIN:
            return Account(self.store, MailboxRef(self.directory.domains[DOMAIN].homedir), actor or SYSTEM)
        return Account(self.store, self.directory.mailbox(self.directory.all_users[name]), actor or name)

    def client(self, name: str = ALICE) -> Client:
        """A new session without logons."""
        made = Client(self, self.directory.all_users[name])
        self.clients.append(made)
        return made

    def request_id(self) -> bytes:
        return b"request-%08d" % next(self._ids)

    def append(self, raw: bytes, fid: int = INBOX, name: str = ALICE, flags: int = 0) -> c.Stored:
        """A mail as IMAP's APPEND makes it."""
        message = c.NewMessage(digest_of(raw), raw, 1_700_000_000, flags, [])
        stored: c.Stored = self.account(name, SYSTEM).call(c.Append(fid, message, self.request_id()))
        return stored

    def grant(self, fid: int, member: str, rights: int, name: str = ALICE) -> None:
        """Rights on a folder for somebody."""
        change = x.PermissionChange(x.ADD, name=member, rights=rights)
        self.account(name, SYSTEM).call(x.ModifyPermissions(fid, [change]))

    def withhold(self, name: str = ALICE) -> None:
        """Nobody sees even when the owner is busy."""
        for fid in (CALENDAR, FREE_BUSY):
            change = x.PermissionChange(x.MODIFY, x.DEFAULT_ID, rights=0)
            self.account(name, SYSTEM).call(x.ModifyPermissions(fid, [change], free_busy=True))

    def close(self) -> None:
        for client in self.clients:
            client.session.close()
        self.store.close()


class Client:
    """A session with its handle table, which grows as requests need it."""

    def __init__(self, world: EmsmdbWorld, user: User) -> None:
        self.world, self.user = world, user
        self.woken = 0
        self.now = NOW
        self.session = Session(world.site, user, self._wake, clock=lambda: self.now)
        self.handles: list[int] = [NO_HANDLE] * 64

    def _wake(self) -> None:
        self.woken += 1

    # ------------------------------------------------------------------------------------------ ROPs

    def run(self, *requests: Request, room: int = ROOM) -> list[Response]:
        """Encode requests as one buffer, execute it, decode what comes back; `handles` is the table."""
        rops = b"".join([one.encode() for one in requests])
        cursor = Cursor(self.session.execute(rops, self.handles, room))
        found = []
        while cursor.left:
            found.append(read_response(cursor))
        return found

    def one(self, request: Request, kind: type[R]) -> R:
        """The response, which must be a success of this kind."""
        (found,) = self.run(request)
        assert found.code == 0, hex(found.code)
        assert isinstance(found, kind), found
        return found

    def fails(self, request: Request) -> int:
        """The code with which a request fails."""
        (found,) = self.run(request)
        assert found.code, found
        return found.code

    # ------------------------------------------------------------------------------------------ usual openings

    def logon(self, index: int = 0, number: int = 0, of: User | None = None) -> rs.LogonResponse:
        """A private logon at a handle index with a LogonId; `of` None: one's own mailbox."""
        name = self.world.site.people.dn_of(of or self.user).encode()
        return self.one(rs.Logon(number, index, PRIVATE_LOGON, REPLIDS, 0, name), rs.LogonResponse)

    def public_logon(self, index: int = 0, number: int = 0) -> rs.LogonPublicResponse:
        """A logon on the public store."""
        return self.one(rs.Logon(number, index, 0, REPLIDS | rs.OpenFlags.PUBLIC, 0, b""), rs.LogonPublicResponse)

    def folder(self, fid: int, index: int = 1, logon: int = 0, number: int = 0) -> int:
        """Open a folder of the logon at handle index `logon`; its handle index."""
        self.one(rf.OpenFolder(number, logon, index, eid_int(1, fid), 0), rf.OpenFolderResponse)
        return index

    def release(self, *indexes: int, number: int = 0) -> None:
        assert self.run(*[Release(number, index) for index in indexes]) == []
