"""gromoxctl folder: the folders of a mailbox or public store."""

from __future__ import annotations

import json
import os

import click

from gromoxd.cli.site import Site, json_option, pass_site, plain, table
from gromoxd.cli.stores import LONG_DEADLINE, moment, store_of


@click.group()
def folder() -> None:
    """Folders of a mailbox.

    USER is a mailbox (name@example.com) or the public store of a domain (@example.com). FOLDER is a path as
    "Inbox/Sub", one from the root as "/Common Views", or a folder's number as 0x1a.
    """


@folder.command(name="list")
@click.argument("name", metavar="USER")
@click.option("--all", "everything", is_flag=True, help="Also those that no client shows.")
@click.option("--deleted", is_flag=True, help="Those that were deleted and can be recovered.")
@json_option
@pass_site
def list_(site: Site, name: str, everything: bool, deleted: bool, as_json: bool) -> None:
    """List folders with what is in them."""
    from gromoxd.exmdb.hierarchy import ListDeletedFolders
    from gromoxd.exmdb.upkeepcalls import FolderSizes

    with store_of(site, name) as store:
        if deleted:
            gone = store.call(ListDeletedFolders(), LONG_DEADLINE)
            rows = [
                {
                    "fid": f"{one.fid:#x}", "name": plain(one.name), "messages": one.messages,
                    "deleted": moment(one.deleted_at), "class": plain(one.container_class),
                }
                for one in gone
            ]  # fmt: skip
            table(rows, as_json, ("fid", "name", "messages", "deleted", "class"))
            return
        folders = store.folders()
        sizes = {one.fid: one for one in store.call(FolderSizes(), LONG_DEADLINE)}
    rows = [
        {
            "fid": f"{one.fid:#x}", "folder": plain(folders.path(one.fid)), "messages": sizes[one.fid].messages,
            "unread": sizes[one.fid].unread, "size": sizes[one.fid].size, "class": plain(one.container_class),
        }
        for one in (folders.all() if everything else folders.visible())
        if one.fid in sizes
    ]  # fmt: skip
    table(rows, as_json, ("fid", "folder", "messages", "unread", "size", "class"))


@folder.command(name="show")
@click.argument("name", metavar="USER")
@click.argument("path", metavar="FOLDER")
@json_option
@pass_site
def show_(site: Site, name: str, path: str, as_json: bool) -> None:
    """Show the properties of a folder."""
    from gromoxd.cli.showing import Names, as_data, properties
    from gromoxd.cli.tree import tree
    from gromoxd.exmdb.hierarchy import GetFolderProps

    with store_of(site, name) as store:
        bag = store.call(GetFolderProps(store.folders().find(path).fid), LONG_DEADLINE)
        shown = properties(bag, Names(store))
    if as_json:
        click.echo(json.dumps(as_data(shown), indent=2, ensure_ascii=False))
        return
    for line in tree(shown):
        click.echo(line)


@folder.command()
@click.argument("name", metavar="USER")
@click.argument("path", metavar="FOLDER")
@click.option("--class", "container_class", default="IPF.Note", show_default=True, help="PidTagContainerClass.")
@pass_site
def create(site: Site, name: str, path: str, container_class: str) -> None:
    """Create a folder, and those above it that are missing."""
    from gromoxd.exmdb.calls import CreateFolder

    with store_of(site, name) as store:
        made = store.call(CreateFolder(_relative(path), container_class, os.urandom(16)))
    click.echo(f"folder {plain(made.path)} has id {made.fid:#x}")


def _relative(path: str) -> str:
    """A path below IPM_SUBTREE."""
    if path.startswith("/") or not path:
        raise click.ClickException("folders are made among those that users see: give a path as Inbox/Sub")
    return path.rstrip("/")


@folder.command()
@click.argument("name", metavar="USER")
@click.argument("path", metavar="FOLDER")
@click.argument("new_path", metavar="NEW")
@pass_site
def rename(site: Site, name: str, path: str, new_path: str) -> None:
    """Give a folder another path; what is below it goes along."""
    from gromoxd.exmdb.calls import RenameFolder

    with store_of(site, name) as store:
        store.call(RenameFolder(store.folders().find(path).fid, _relative(new_path)))


@folder.command()
@click.argument("name", metavar="USER")
@click.argument("path", metavar="FOLDER")
@click.option("--recursive", is_flag=True, help="With the folders below it.")
@click.option("--hard", is_flag=True, help="For good: it cannot be recovered.")
@pass_site
def delete(site: Site, name: str, path: str, recursive: bool, hard: bool) -> None:
    """Delete a folder with its messages."""
    from gromoxd.exmdb.hierarchy import RemoveFolder

    with store_of(site, name) as store:
        fid = store.folders().find(path).fid
        done = store.call(RemoveFolder(fid, True, recursive, os.urandom(16), hard), LONG_DEADLINE)
    if done.partial:
        raise click.ClickException("there are folders below it (--recursive deletes them too)")


@folder.command()
@click.argument("name", metavar="USER")
@click.argument("path", metavar="FOLDER")
@click.option("--associated", is_flag=True, help="Also hidden messages, such as views and forms.")
@click.option("--hard", is_flag=True, help="For good: nothing can be recovered.")
@pass_site
def empty(site: Site, name: str, path: str, associated: bool, hard: bool) -> None:
    """Delete all messages of a folder and the folders below it."""
    from gromoxd.exmdb.objects import EmptyFolder

    with store_of(site, name) as store:
        done = store.call(EmptyFolder(store.folders().find(path).fid, associated, hard), LONG_DEADLINE)
    if done.partial:
        raise click.ClickException("folders that every mailbox has are still there, with what is in them")


@folder.command()
@click.argument("name", metavar="USER")
@click.argument("number", metavar="FID")
@click.option("--below", metavar="FOLDER", help="Where to; by default where it was.")
@click.option("--name", "new_name", metavar="NAME", default="", help="Another name, if the old one is taken.")
@pass_site
def recover(site: Site, name: str, number: str, below: str | None, new_name: str) -> None:
    """Recover a folder that "folder list --deleted" shows, with what was deleted together with it."""
    from gromoxd.exmdb.hierarchy import ListDeletedFolders, TransferFolder

    with store_of(site, name) as store:
        gone = {f"{one.fid:#x}": one for one in store.call(ListDeletedFolders(), LONG_DEADLINE)}
        lost = gone.get(number.lower())
        if lost is None:
            raise click.ClickException(f"there is no deleted folder {number}")
        folders = store.folders()
        parent = lost.parent_fid if below is None else folders.find(below).fid
        if below is None and parent not in {one.fid for one in folders.all()}:
            raise click.ClickException("the folder above it is gone, too: name another with --below")
        call = TransferFolder(lost.fid, parent, new_name, False, os.urandom(16))
        done = store.call(call, LONG_DEADLINE)
        path = store.folders().path(done.fid)
    click.echo(f"recovered as {plain(path)}")
