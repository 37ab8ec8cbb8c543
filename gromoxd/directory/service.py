"""The directory as workers use it: look-ups through the shared cache, SQL only off the event loop.

Methods block greenlet-wise: what takes time is handed to `run_blocking` (gevent's thread pool in a worker, a plain call
in tools and tests). Authentication is in `gromoxd.directory.login`, recipients are in `gromoxd.directory.recipients`.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from gromoxd.context import ConfigView, Shared, SlotBoard
from gromoxd.directory import queries
from gromoxd.directory.cache import Absent, Records
from gromoxd.directory.database import Database
from gromoxd.directory.errors import AmbiguousName
from gromoxd.directory.login import Authenticator
from gromoxd.directory.model import (
    Aliases,
    Booking,
    Domain,
    MailingList,
    Memberships,
    Profile,
    Recipient,
    Server,
    User,
    normal,
)
from gromoxd.directory.recipients import Resolver
from gromoxd.directory.settings import DatabaseSettings, DirectorySettings
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.api import MailboxRef
from gromoxd.master.settings import MasterSettings
from gromoxd.shm.lock import allocate_lock  # the real one: loaded by the master, before a worker patches the module

T = TypeVar("T")
log = logging.getLogger(__name__)


def direct(work: Callable[..., T], *args: Any) -> T:
    """`run_blocking` for tools and tests: do it here and now."""
    return work(*args)


class Directory:
    """One per process. `site` is where relative paths start (default: the folder above the configuration's)."""

    def __init__(
        self,
        config: ConfigView,
        shared: Shared,
        *,
        run_blocking: Callable[..., Any] = direct,
        site: str | None = None,
        board: SlotBoard | None = None,
    ) -> None:
        self.config = config
        self.shared = shared
        self.board = board
        self._run_blocking = run_blocking
        self._site = site if site is not None else default_site(config)
        self._database: Database | None = None
        self._users: Records[User] = Records(shared, b"u", User)
        self._owners: Records[User] = Records(shared, b"o", User)
        self._domains: Records[Domain] = Records(shared, b"d", Domain)
        self._servers: Records[Server] = Records(shared, b"s", Server)
        self._lists: Records[MailingList] = Records(shared, b"l", MailingList)
        self._memberships: Records[Memberships] = Records(shared, b"m", Memberships)
        self._aliases: Records[Aliases] = Records(shared, b"a", Aliases)
        self._bookings: Records[Booking] = Records(shared, b"b", Booking)
        self._profiles: Records[Profile] = Records(shared, b"p", Profile)
        self._by_id: Records[User] = Records(shared, b"i", User)
        self._making = allocate_lock()
        self._login = Authenticator(self)
        self._resolver = Resolver(self)

    @property
    def settings(self) -> DirectorySettings:
        return self.config.get(DirectorySettings)

    @property
    def host_id(self) -> str:
        """This node's name in servers.hostname."""
        return self.config.get(MasterSettings).host_id or socket.gethostname()

    # ------------------------------------------------------------------------------------------ look-ups

    def user(self, name: str) -> User | None:
        """The user that goes by this user name, alternate name or alias. AmbiguousName, DirectoryDown."""
        return self._look_up(self._users, normal(name), _only_user)

    def user_by_id(self, number: int) -> User | None:
        """The user whose `users.id` this is."""
        return self._look_up(self._by_id, str(number), queries.find_user_by_id)

    def domain(self, name: str) -> Domain | None:
        """The record of a domain of this directory."""
        return self._look_up(self._domains, normal(name), queries.find_domain)

    def server(self, name: str) -> Server | None:
        """A home server by its host name."""
        return self._look_up(self._servers, normal(name), queries.find_server)

    def mailing_list(self, name: str) -> MailingList | None:
        """A mailing list by its address."""
        return self._look_up(self._lists, normal(name), queries.find_list)

    def memberships(self, name: str) -> Memberships | None:
        """The mailing lists that the user of this name is in; None when there is no such user."""
        return self._look_up(self._memberships, normal(name), queries.find_memberships)

    def aliases(self, user: User) -> list[str]:
        """The user's other addresses, in lower case. DirectoryDown."""
        found = self._look_up(self._aliases, normal(user.username), queries.find_aliases)
        return found.aliases if found is not None else []

    def booking(self, user: User) -> Booking:
        """How the user's mailbox answers meeting requests. DirectoryDown."""
        found = self._look_up(self._bookings, normal(user.username), queries.find_booking)
        return found if found is not None else Booking(user.username)

    def profile(self, user: User) -> Profile:
        """How the user is shown, and his other mailboxes. DirectoryDown."""
        found = self._look_up(self._profiles, normal(user.username), queries.find_profile)
        return found if found is not None else Profile(user.username)

    def owner_of(self, maildir: str) -> User | None:
        """Whose store this folder is: a user, or a domain in a User's form (id 0). AmbiguousName if several's."""
        if not 0 < len(maildir) <= 128 or "\0" in maildir:
            return None
        return self._look_up(self._owners, maildir, queries.find_owner)

    # ------------------------------------------------------------------------------------------ homes

    def home_of(self, user: User) -> str:
        """The home server's name as calls are routed: '' when it is this node."""
        return "" if self.homed_here(user.host) else user.host

    def homed_here(self, host: str) -> bool:
        """Whether a mailbox whose home server has this name belongs to this node."""
        return not host or host.lower() == self.host_id.lower()

    def mailbox(self, user: User) -> MailboxRef:
        """What exmdb calls for this user's store are addressed to."""
        return MailboxRef(user.maildir, self.home_of(user))

    def public_store(self, domain: Domain) -> MailboxRef:
        """What exmdb calls for a domain's public store are addressed to."""
        return MailboxRef(domain.homedir, "" if self.homed_here(domain.host) else domain.host)

    def outside_name(self, host: str) -> str:
        """The name under which clients reach the home server `host`, '' when it is not known to have one."""
        server = self.server(host) if host else None
        return server.extname if server is not None else ""

    def host_of(self, maildir: str) -> str:
        """`home_of` the owner of a folder, asked afresh of the database. MapiError(ecUnknownUser)."""
        self._owners.forget(maildir)
        owner = self.owner_of(maildir)
        if owner is None:
            raise MapiError(Ec.ecUnknownUser, f"nobody owns {maildir!r}")
        return self.home_of(owner)

    # ------------------------------------------------------------------------------------------ services

    def authenticate(self, name: str, password: str, privilege: int, peer: str) -> User:
        """The user, if the password is right and the privileges are there. AuthFailed, Throttled, DirectoryDown.

        `peer` is the client's IP address. Before answering a failure let `error.delay` seconds pass.
        """
        return self._login.authenticate(name, password, privilege, peer)

    @property
    def login(self) -> Authenticator:
        """Log-ins by other means than a password: `by_proof`, `by_trust`, `refuse`."""
        return self._login

    def recipient(self, address: str, sender: str = "") -> Recipient:
        """Where mail for this address goes. DirectoryDown. `sender` ('' for bounces) matters for lists."""
        return self._resolver.resolve(address, sender)

    def warm(self) -> None:
        """Ask the database something, so that a worker's first log-in does not wait for the connection."""
        self.sql(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())

    # ------------------------------------------------------------------------------------------ inside

    def sql(self, work: Callable[[Connection], T]) -> T:
        """Run `work(connection)` off the loop, in a transaction."""
        result: T = self.blocking(lambda: self.database().run(work))
        return result

    def blocking(self, work: Callable[..., T], *args: Any) -> T:
        """Run something slow off the loop."""
        started = time.monotonic()
        try:
            result: T = self._run_blocking(work, *args)
            return result
        finally:
            if self.board is not None:
                self.board.add("sql_queries")
                self.board.observe_ms("sql_ms", (time.monotonic() - started) * 1000)

    def database(self) -> Database:
        """The database of the settings in force; made anew when they have changed. Called from threads."""
        settings = self.config.get(DatabaseSettings)
        database = self._database
        if database is not None and database.settings == settings:
            return database
        with self._making:
            database = self._database
            if database is None or database.settings != settings:
                if database is not None:
                    database.close()
                database = self._database = Database(settings, self._site)
            return database

    def close(self) -> None:
        """Close the database connections."""
        if self._database is not None:
            self._database.close()

    def _look_up(self, records: Records[T], name: str, find: Callable[[Connection, str], T | None]) -> T | None:
        if not name:
            return None
        found = records.get(name)
        if found is not None:
            return None if isinstance(found, Absent) else found
        epoch, settings = self.shared.epoch, self.settings
        record = self.sql(lambda connection: find(connection, name))
        lifetime = settings.mysql_object_cache_lifetime if record is not None else settings.negative_cache_lifetime
        records.put(name, record, lifetime, epoch)
        return record

    def users(self, names: list[str]) -> dict[str, User]:
        """Those of many user names that exist, by few statements. Alternate names and aliases are not looked at."""
        found: dict[str, User] = {}
        missing = []
        for name in names:
            record = self._users.get(name)
            if isinstance(record, User):
                found[name] = record
            elif record is None:
                missing.append(name)
        epoch, lifetime = self.shared.epoch, self.settings.mysql_object_cache_lifetime
        for at in range(0, len(missing), queries.BATCH):
            batch = missing[at : at + queries.BATCH]
            for user in self.sql(partial(queries.find_users, names=batch)):
                found[user.username.lower()] = user
                self._users.put(user.username.lower(), user, lifetime, epoch)
        return found

    def find_or_none(self, name: str) -> User | None:
        """`user`, with ambiguous names (logged) as unknown ones."""
        try:
            return self.user(name)
        except AmbiguousName:
            log.warning("ambiguous name in the directory name=%r", name)
            return None


def _only_user(connection: Connection, name: str) -> User | None:
    found = queries.find_user(connection, name)
    return found[0] if found is not None else None


def default_site(config: ConfigView) -> str:
    """The site's folder when only the configuration is known."""
    folder = getattr(config, "directory", None)
    return os.path.dirname(os.path.abspath(str(folder))) if folder is not None else config.get(MasterSettings).site_path
