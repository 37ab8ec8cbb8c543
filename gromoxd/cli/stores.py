"""What the commands on mailboxes share: reaching a mailbox's owner by exmdb RPC, naming folders, printing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

from gromoxd.cli.site import Site

if TYPE_CHECKING:
    from gromoxd.directory.model import User
    from gromoxd.directory.service import Directory
    from gromoxd.exmdb.api import MailboxRef
    from gromoxd.exmdb.calls import Call, Folder
    from gromoxd.exmdb.client import Client

R = TypeVar("R")
DEADLINE = 10.0
LONG_DEADLINE = 4 * 3600.0
"""Of what may have to read or write a whole mailbox."""


class Stores(NamedTuple):
    """The stores of the cluster, as the administrator reaches them from this node."""

    client: Client
    directory: Directory

    def call(self, where: MailboxRef, call: Call[R], deadline: float = DEADLINE) -> R:
        """Ask the owner of a mailbox."""
        from gromoxd.exmdb.api import SYSTEM

        return self.client.call(where, call, actor=SYSTEM, deadline=deadline)


class Store(NamedTuple):
    """One mailbox, or one domain's public store."""

    stores: Stores
    where: MailboxRef
    owner: str

    def call(self, call: Call[R], deadline: float = DEADLINE) -> R:
        return self.stores.call(self.where, call, deadline)

    def folders(self) -> Folders:
        """The hierarchy."""
        from gromoxd.exmdb.calls import ListFolders

        return Folders(self.call(ListFolders()).folders)


@contextmanager
def stores_of(site: Site) -> Iterator[Stores]:
    """A client of the stores; the server of this site must be running."""
    directory = site.directory()
    try:
        with _client(site, directory, _shards(site.run)) as client:
            yield Stores(client, directory)
    finally:
        directory.close()


@contextmanager
def store_of(site: Site, name: str) -> Iterator[Store]:
    """The mailbox of a user, or the public store of a domain (`example.com` or `@example.com`), on any node."""
    directory = site.directory()
    try:
        user = find_owner(directory, name)
        where = directory.mailbox(user)
        shards = _shards(site.run) if not where.host else 1
        with _client(site, directory, shards) as client:
            yield Store(Stores(client, directory), where, user.username)
    finally:
        directory.close()


@contextmanager
def _client(site: Site, directory: Directory, shards: int) -> Iterator[Client]:
    from gromoxd.exmdb.client import Client
    from gromoxd.exmdb.settings import ExmdbSettings

    client = Client(site.run, None, shards, directory, site.config.get(ExmdbSettings))
    try:
        yield client
    finally:
        client.close()


def find_owner(directory: Directory, name: str) -> User:
    """Whose store this name stands for; a domain in a User's form."""
    domain = directory.domain(name.removeprefix("@")) if "@" not in name[1:] else None
    user = directory.owner_of(domain.homedir) if domain is not None else directory.user(name)
    if user is None or not user.has_store:
        raise click.ClickException(f"there is no mailbox of {name}")
    return user


def _shards(run: str) -> int:
    """The number of this node's store workers, which each of them tells in its greeting."""
    from gromoxd.exmdb import dial
    from gromoxd.exmdb.connection import Connection, Lost

    try:
        link = dial.local(f"{run}/store.0.sock")
        connection = Connection(link, os.urandom(16), 0, lambda event: None, lambda connection: None)
        connection.wait_ready(dial.CONNECT_TIMEOUT)
    except (OSError, Lost):
        raise click.ClickException(f"the server of this site is not running ({run}/store.0.sock)") from None
    connection.close()
    return connection.shards


# ---------------------------------------------------------------------------------------------- folders


class Folders:
    """The folders of a mailbox by the paths that commands know them by.

    `Inbox/Sub` starts at IPM_SUBTREE, as IMAP has it; `/Common Views` at the root, for the others.
    """

    def __init__(self, found: list[Folder]) -> None:
        self.by_fid = {folder.fid: folder for folder in found}
        self.paths = {folder.fid: folder.path or self._from_root(folder) for folder in found}

    def _from_root(self, folder: Folder) -> str:
        names: list[str] = []
        at: Folder | None = folder
        while at is not None and at.parent_fid and len(names) <= len(self.by_fid):
            names.append(at.name.replace("/", "\u2215"))
            at = self.by_fid.get(at.parent_fid)
        return "/" + "/".join(reversed(names))

    def path(self, fid: int) -> str:
        """A folder's path, its number if there is no such folder."""
        return self.paths.get(fid) or f"{fid:#x}"

    def find(self, name: str) -> Folder:
        """The folder of a path, case aside if that is clear, or of a number such as 0x1a."""
        if name.lower().startswith("0x"):
            try:
                return self.by_fid[int(name, 16)]
            except (ValueError, KeyError):
                raise click.ClickException(f"there is no folder {name}") from None
        wanted = name.rstrip("/") or "/"
        exact = [fid for fid, path in self.paths.items() if path == wanted]
        found = exact or [fid for fid, path in self.paths.items() if path.casefold() == wanted.casefold()]
        if len(found) != 1:
            problem = "is not clear: there are several" if found else "does not exist"
            raise click.ClickException(f"the folder {name} {problem}")
        return self.by_fid[found[0]]

    def visible(self) -> list[Folder]:
        """What users see, by path: below IPM_SUBTREE and not hidden."""
        hidden = {fid for fid, folder in self.by_fid.items() if folder.hidden}
        found = [f for f in self.by_fid.values() if f.path and not self._below(f, hidden)]
        return sorted(found, key=lambda folder: folder.path.casefold())

    def all(self) -> list[Folder]:
        """All folders, by path."""
        return sorted(self.by_fid.values(), key=lambda folder: self.paths[folder.fid].casefold())

    def _below(self, folder: Folder, tops: set[int]) -> bool:
        at: Folder | None = folder
        for _ in range(len(self.by_fid)):
            if at is None or at.fid in tops:
                break
            at = self.by_fid.get(at.parent_fid)
        return at is not None and at.fid in tops

    def below(self, fid: int) -> list[Folder]:
        """The folders directly below one, by name."""
        found = [folder for folder in self.by_fid.values() if folder.parent_fid == fid]
        return sorted(found, key=lambda folder: folder.name.casefold())


# ---------------------------------------------------------------------------------------------- printing


def moment(seconds: float) -> str:
    """Unix seconds as ISO 8601 (UTC)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
