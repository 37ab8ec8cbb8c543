"""gromoxctl permission: who may do what in the folders of a mailbox, and who sends for its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gromoxd.cli.site import Site, json_option, pass_site, plain, table
from gromoxd.cli.stores import Store, store_of

if TYPE_CHECKING:
    from gromoxd.exmdb.access import Member

ANYBODY = {"default": "default", "anonymous": ""}
"""Members that are no users, as the commands and as the calls call them."""


def member_text(name: str) -> str:
    """A member as it is shown."""
    return plain(name) or "anonymous"


def rights_text(rights: int) -> str:
    """The role that rights are, with what is beside it, or their names."""
    from gromoxd.mapi.permissions import ALL_RIGHTS, CUSTOM, Rights, role_name

    role = role_name(rights)
    more = rights if role == CUSTOM else rights & ~ALL_RIGHTS
    names = [right.name or "" for right in Rights if right & more]
    return "+".join([*([] if role == CUSTOM else [role]), *names])


def parse_rights(text: str) -> tuple[int, bool]:
    """Rights from roles and rights by name joined by +, or a number; whether they say something of free/busy."""
    from gromoxd.mapi.permissions import FREE_BUSY, ROLES, Rights

    known = {name.lower(): int(rights) for name, rights in ROLES.items()}
    known |= {(right.name or "").lower(): int(right) for right in Rights}
    rights = 0
    for word in text.replace(",", "+").split("+"):
        name = word.strip().lower()
        if name in known:
            rights |= known[name]
            continue
        try:
            rights |= int(name, 0)
        except ValueError:
            roles, single = ", ".join(ROLES), ", ".join(right.name or "" for right in Rights)
            raise click.ClickException(f"there is no right {word!r}; roles: {roles}; rights: {single}") from None
    return rights, bool(rights & FREE_BUSY)


@click.group()
def permission() -> None:
    """Rights on folders, and delegates.

    USER is a mailbox (name@example.com) or the public store of a domain (@example.com). FOLDER is a path as
    "Inbox/Sub", or one from the root as "/Common Views".
    """


@permission.command(name="list")
@click.argument("name", metavar="USER")
@click.argument("folder_name", metavar="[FOLDER]", default="")
@json_option
@pass_site
def list_(site: Site, name: str, folder_name: str, as_json: bool) -> None:
    """List the permissions of a folder, or all that there are in the mailbox."""
    from gromoxd.exmdb.upkeepcalls import GetFigures

    with store_of(site, name) as store:
        folders = store.folders()
        if folder_name:
            fid = folders.find(folder_name).fid
            found = [(fid, member.name, member.rights) for member in _members(store, fid)]
        else:
            found = store.call(GetFigures()).permissions
    rows = [
        {
            "folder": plain(folders.path(fid)), "member": member_text(member), "rights": rights_text(rights),
            "number": f"{rights:#x}",
        }
        for fid, member, rights in found
    ]  # fmt: skip
    table(rows, as_json, ("folder", "member", "rights", "number"))


def _members(store: Store, fid: int) -> list[Member]:
    from gromoxd.exmdb.access import GetPermissions

    return store.call(GetPermissions(fid))


@permission.command(name="set")
@click.argument("name", metavar="USER")
@click.argument("folder_name", metavar="FOLDER")
@click.argument("member", metavar="MEMBER")
@click.argument("rights", metavar="RIGHTS")
@click.option("--recursive", is_flag=True, help="On the folders below it, too.")
@pass_site
def set_(site: Site, name: str, folder_name: str, member: str, rights: str, recursive: bool) -> None:
    """Give MEMBER (a user, a list, "default" or "anonymous") RIGHTS on a folder, in place of those it had.

    RIGHTS is a role (Owner, PublishingEditor, Editor, PublishingAuthor, Author, NoneditingAuthor, Reviewer,
    Contributor, None), a right by name, or several joined by +, as Reviewer+FreeBusyDetailed. Free/busy rights stay as
    they are when nothing is said of them.
    """
    from gromoxd.exmdb.access import ADD, ModifyPermissions, PermissionChange

    wanted, free_busy = parse_rights(rights)
    with store_of(site, name) as store:
        change = PermissionChange(ADD, name=_member(store, member), rights=wanted)
        for fid in _chosen(store, folder_name, recursive):
            store.call(ModifyPermissions(fid, [change], free_busy=free_busy))


@permission.command()
@click.argument("name", metavar="USER")
@click.argument("folder_name", metavar="FOLDER")
@click.argument("member", metavar="MEMBER")
@click.option("--recursive", is_flag=True, help="On the folders below it, too.")
@pass_site
def remove(site: Site, name: str, folder_name: str, member: str, recursive: bool) -> None:
    """Take MEMBER off the permissions of a folder; "default" and "anonymous" go back to what they are at first."""
    from gromoxd.exmdb.access import REMOVE, ModifyPermissions, PermissionChange

    removed = False
    with store_of(site, name) as store:
        wanted = ANYBODY[member.lower()] if member.lower() in ANYBODY else _canonical(store, member) or member.lower()
        for fid in _chosen(store, folder_name, recursive):
            found = [one for one in _members(store, fid) if one.name == wanted]
            changes = [PermissionChange(REMOVE, member_id=one.member_id) for one in found]
            if changes:
                store.call(ModifyPermissions(fid, changes, free_busy=True))
                removed = True
    if not removed:
        raise click.ClickException(f"{member} has no permissions there")


def _chosen(store: Store, name: str, recursive: bool) -> list[int]:
    """A folder, and with `recursive` those below it."""
    folders = store.folders()
    found = [folders.find(name).fid]
    for fid in found if recursive else ():
        found += (folder.fid for folder in folders.below(fid))
    return found


def _member(store: Store, name: str) -> str:
    """A member's name in permissions."""
    if name.lower() in ANYBODY:
        return ANYBODY[name.lower()]
    found = _canonical(store, name)
    if found is None:
        raise click.ClickException(f"there is no user or list {name}")
    return found


def _canonical(store: Store, name: str) -> str | None:
    """The main address of a user or a mailing list."""
    directory = store.stores.directory
    found = directory.mailing_list(name)
    if found is not None:
        return found.name
    user = directory.user(name)
    return None if user is None else user.username.lower()


# ---------------------------------------------------------------------------------------------- delegates


@permission.group()
def delegates() -> None:
    """Who sends on the mailbox owner's behalf, or (--send-as) in the owner's name."""


send_as = click.option("--send-as", is_flag=True, help="Those who send in the owner's name.")


def _kind(as_owner: bool) -> int:
    from gromoxd.exmdb.access import DELEGATES, SENDERS

    return SENDERS if as_owner else DELEGATES


@delegates.command(name="list")
@click.argument("name", metavar="USER")
@send_as
@json_option
@pass_site
def list_delegates(site: Site, name: str, send_as: bool, as_json: bool) -> None:
    """List the delegates of a mailbox."""
    from gromoxd.exmdb.access import GetDelegates

    with store_of(site, name) as store:
        found = store.call(GetDelegates(_kind(send_as)))
    table([{"delegate": plain(one)} for one in found], as_json, ("delegate",))


@delegates.command(name="add")
@click.argument("name", metavar="USER")
@click.argument("members", metavar="MEMBER...", nargs=-1, required=True)
@send_as
@pass_site
def add_delegates(site: Site, name: str, members: tuple[str, ...], send_as: bool) -> None:
    """Make users or lists delegates of a mailbox."""
    from gromoxd.exmdb.access import GetDelegates, SetDelegates

    with store_of(site, name) as store:
        wanted = [_member(store, member) for member in members]
        there = store.call(GetDelegates(_kind(send_as)))
        store.call(SetDelegates(_kind(send_as), [*there, *wanted]))


@delegates.command(name="remove")
@click.argument("name", metavar="USER")
@click.argument("members", metavar="MEMBER...", nargs=-1, required=True)
@send_as
@pass_site
def remove_delegates(site: Site, name: str, members: tuple[str, ...], send_as: bool) -> None:
    """Let users or lists be delegates of a mailbox no more."""
    from gromoxd.exmdb.access import GetDelegates, SetDelegates

    with store_of(site, name) as store:
        there = store.call(GetDelegates(_kind(send_as)))
        gone = {_canonical(store, member) or member.lower() for member in members}
        unknown = gone - set(there)
        if unknown:
            raise click.ClickException(f"no delegate: {', '.join(sorted(unknown))}")
        store.call(SetDelegates(_kind(send_as), [one for one in there if one not in gone]))
