"""gromoxctl mailbox list, show, sizes: what mailboxes there are, and what is in them, in numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gromoxd.cli.site import Site, json_option, pass_site, plain, show, table
from gromoxd.cli.stores import LONG_DEADLINE, Folders, Store, Stores, moment, store_of, stores_of

if TYPE_CHECKING:
    from gromoxd.directory.model import User
    from gromoxd.exmdb.upkeepcalls import BigMessage, Figures, FolderSize


@click.command(name="list")
@click.option("--domain", default="", help="Only of this domain.")
@click.option("--no-figures", is_flag=True, help="Ask no mailbox; homes and folders only.")
@json_option
@pass_site
def list_(site: Site, domain: str, no_figures: bool, as_json: bool) -> None:
    """List mailboxes and public stores of the directory with home, size and number of messages.

    Those that nobody has used yet are not made.
    """
    names = [row["name"] for row in site.admin.users(domain)]
    domains = [site.admin.domain(domain)] if domain else site.admin.domains()
    names += [row["name"] for row in domains if row["homedir"]]
    with stores_of(site) as stores:
        rows = [_row(stores, user, not no_figures) for user in _owners(stores, names)]
    table(rows, as_json, ("name", "home", "messages", "size", "maildir", "state"))


def _owners(stores: Stores, names: list[str]) -> Iterator[User]:
    directory = stores.directory
    for name in names:
        found = directory.user(name) if "@" in name else None
        domain = directory.domain(name) if "@" not in name else None
        if domain is not None:
            found = directory.owner_of(domain.homedir)
        if found is not None and found.has_store:
            yield found


def _row(stores: Stores, user: User, figures: bool) -> dict[str, Any]:
    from gromoxd.errors import MapiError
    from gromoxd.exmdb.calls import GetMailboxInfo

    where = stores.directory.mailbox(user)
    row: dict[str, Any] = {
        "name": user.username, "home": where.host or "here", "messages": None, "size": None, "maildir": user.maildir,
        "state": "",
    }  # fmt: skip
    if not where.host and _is_unused(user.maildir):
        row["state"] = "unused"
    elif figures:
        try:
            info = stores.call(where, GetMailboxInfo())
        except MapiError as error:
            row["state"] = error.code.name
        else:
            row |= {"messages": info.messages, "size": info.size}
    return row


def _is_unused(maildir: str) -> bool:
    """Whether a mailbox of this node was never opened, as far as can be seen."""
    try:
        os.stat(os.path.join(maildir, "mailbox.sqlite3"))
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


# ---------------------------------------------------------------------------------------------- one mailbox


@click.command(name="show")
@click.argument("name", metavar="USER")
@click.option("--names", is_flag=True, help="List the named properties that the mailbox made itself.")
@json_option
@pass_site
def show_(site: Site, name: str, names: bool, as_json: bool) -> None:
    """Show what is in a mailbox: sizes, quotas, folders, counts, permissions, search folders."""
    from gromoxd.exmdb.calls import GetMailboxInfo
    from gromoxd.exmdb.upkeepcalls import FolderSizes, GetFigures

    with store_of(site, name) as store:
        info = store.call(GetMailboxInfo())
        figures = store.call(GetFigures(), LONG_DEADLINE)
        sizes = store.call(FolderSizes(), LONG_DEADLINE)
        folders = store.folders()
        delegates = _delegates(store)
        named = _own_names(store) if names else None
    shown: dict[str, Any] = {
        "owner": info.owner, "maildir": store.where.maildir, "host": store.where.host, "schema": info.schema,
        "messages": info.messages, "size": info.size, "quota_receive": info.quota_receive,
        "quota_storage": info.quota_storage, **_counts(figures),
        "content_folders": _used(sizes, folders), "permissions": _permissions(figures, folders), **delegates,
        "search_folders": _searches(figures, folders),
    }  # fmt: skip
    if named is not None:
        shown["names"] = named
    show(shown, as_json)


_APART = frozenset(
    ("guid", "created", "public", "messages", "quota_receive", "quota_storage", "permissions", "search_folders")
)


def _counts(figures: Figures) -> dict[str, Any]:
    from gromoxd.mapi.ids import guid_text

    counts = {name: getattr(figures, name) for name in figures.__struct_fields__ if name not in _APART}
    own = {
        "own_quota_receive": figures.quota_receive, "own_quota_storage": figures.quota_storage,
        "guid": guid_text(figures.guid), "created": moment(figures.created), "public": figures.public,
    }  # fmt: skip
    return own | counts


def _used(sizes: list[FolderSize], folders: Folders) -> dict[str, Any]:
    """Path -> what is in the folder, for those that have something."""
    found = {}
    for one in sizes:
        if not (one.messages or one.associated or one.deleted):
            continue
        parts = [f"{one.messages} messages ({one.unread} unread), {one.size} bytes"]
        parts += [f"{one.associated} associated"] if one.associated else []
        parts += [f"{one.deleted} deleted, {one.deleted_size} bytes"] if one.deleted else []
        found[path_of(one, folders)] = "; ".join(parts)
    return found


def path_of(one: FolderSize, folders: Folders) -> str:
    """A folder's path; a deleted one's name."""
    return plain(f"(deleted) {one.name}" if one.parent_fid < 0 else folders.path(one.fid))


def _permissions(figures: Figures, folders: Folders) -> list[str]:
    from gromoxd.cli.permission import member_text, rights_text

    return [
        f"{plain(folders.path(fid))}: {member_text(member)}: {rights_text(rights)}"
        for fid, member, rights in figures.permissions
    ]


def _delegates(store: Store) -> dict[str, list[str]]:
    from gromoxd.exmdb.access import DELEGATES, SENDERS, GetDelegates

    return {"delegates": store.call(GetDelegates(DELEGATES)), "send_as": store.call(GetDelegates(SENDERS))}


def _searches(figures: Figures, folders: Folders) -> list[str]:
    return [
        f"{plain(folders.path(one.fid))}: {one.results} messages, status {one.status:#x}, flags {one.flags:#x}"
        for one in figures.search_folders
    ]


def _own_names(store: Store) -> list[str]:
    from gromoxd.exmdb.names import ListPropertyNames
    from gromoxd.mapi.named import PropertyName, built_in_name

    found = store.call(ListPropertyNames())
    own = {one.id: one.name for one in found if built_in_name(one.id) is None}
    keys = {id_: PropertyName(name.guid, name.lid if name.lid >= 0 else name.name) for id_, name in own.items()}
    return [plain(f"{id_:04X} {key}") for id_, key in keys.items()]


# ---------------------------------------------------------------------------------------------- sizes


@click.command()
@click.argument("name", metavar="USER")
@click.option("--biggest", type=click.IntRange(0, 1000), default=10, show_default=True, help="So many messages, too.")
@json_option
@pass_site
def sizes(site: Site, name: str, biggest: int, as_json: bool) -> None:
    """Show what takes the room in a mailbox: its folders, largest first, and its largest messages."""
    from gromoxd.exmdb.upkeepcalls import BiggestMessages, FolderSizes

    with store_of(site, name) as store:
        found = store.call(FolderSizes(), LONG_DEADLINE)
        messages = store.call(BiggestMessages(biggest), LONG_DEADLINE) if biggest else []
        folders = store.folders()
    rows = sorted((_size_row(one, folders) for one in found), key=_room, reverse=True)
    large = [_message_row(one, folders) for one in messages]
    if as_json:
        click.echo(json.dumps({"folders": rows, "messages": large}, indent=2, ensure_ascii=False))
        return
    used = [row for row in rows if _room(row)]
    total = {column: sum(row[column] for row in rows) for column in _SUMMED}
    table([*used, {"folder": "total", **total}], False, ("folder", *_SUMMED))
    if large:
        click.echo("")
        table(large, False, ("size", "received", "folder", "mid", "sender", "subject"))


_SUMMED = ("messages", "unread", "size", "associated", "associated_size", "deleted", "deleted_size")


def _size_row(one: FolderSize, folders: Folders) -> dict[str, Any]:
    row = {column: getattr(one, column) for column in _SUMMED}
    return {"folder": path_of(one, folders), "fid": one.fid, "container_class": one.container_class, **row}


def _room(row: dict[str, Any]) -> int:
    return int(row["size"] + row["associated_size"] + row["deleted_size"])


def _message_row(one: BigMessage, folders: Folders) -> dict[str, Any]:
    return {
        "size": one.size, "received": moment(one.received), "folder": plain(folders.path(one.fid)),
        "mid": f"{one.mid:#x}", "uid": one.uid, "deleted": one.deleted, "sender": plain(one.sender),
        "subject": plain(one.subject)[:60],
    }  # fmt: skip


COMMANDS = (list_, show_, sizes)
