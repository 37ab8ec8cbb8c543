"""gromoxctl export: messages and objects of a mailbox into files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gromoxd.cli.importing import progress
from gromoxd.cli.site import Site, json_option, pass_site, plain, show
from gromoxd.cli.stores import store_of
from gromoxd.cli.transfer import FORMATS

if TYPE_CHECKING:
    from gromoxd.cli.stores import Store
    from gromoxd.cli.transfer.found import Entry
    from gromoxd.exmdb.calls import Folder

_CONTAINERS = {
    "eml": ("", "IPF.Note"), "mbox": ("", "IPF.Note"), "maildir": ("", "IPF.Note"),
    "ics": ("IPF.Appointment", "IPF.Task", "IPF.StickyNote", "IPF.Journal"), "vcf": ("IPF.Contact",),
}  # fmt: skip
"""Format -> the folders that are exported when none is named; all of them for other formats."""


@click.command(name="export")
@click.argument("kind", metavar="FORMAT", type=click.Choice([name for name, one in FORMATS.items() if one.writes]))
@click.argument("name", metavar="USER")
@click.argument("path", metavar="PATH", type=click.Path(file_okay=False))
@click.option("--folder", "wanted", metavar="FOLDER", multiple=True, help="Only this folder and those below it.")
@click.option("--each", is_flag=True, help="Of ics and vcf: a file for each object, not one for each folder.")
@json_option
@pass_site
def export(site: Site, kind: str, name: str, path: str, wanted: tuple[str, ...], each: bool, as_json: bool) -> None:
    """Export a mailbox into files below the folder PATH.

    FORMAT is eml, mbox, maildir, ics, vcf, msg, tnef or pst. Mail goes out as it was delivered, but for msg, tnef and
    pst. Of eml, maildir, msg and tnef, files that are there already stay: an export that was interrupted is resumed by
    giving the command again.
    """
    from gromoxd.cli.transfer.found import make_folders
    from gromoxd.errors import MapiError, WireError

    if each and kind not in ("ics", "vcf"):
        raise click.ClickException("--each is for ics and vcf")
    counts: dict[str, int] = {}
    failed = 0
    make_folders(path)
    with store_of(site, name) as store, progress(octets=False) as bar:
        module = FORMATS[kind].load()
        writer = module.Writer(path, each=True) if each else module.Writer(path)
        for folder in _folders(store, kind, wanted):
            for done, (total, entry) in enumerate(_entries(store, folder), 1):
                if done == 1:
                    bar.begin(folder.path, total)
                try:
                    writer.put(entry)
                    counts[folder.path] = counts.get(folder.path, 0) + 1
                except (MapiError, WireError) as error:
                    failed += 1
                    click.echo(f"{plain(folder.path)}, message {entry.uid}: {plain(str(error))}", err=True)
                bar.at(done)
        writer.close()
    _tell(counts, failed, as_json)
    if failed:
        raise click.ClickException(f"{failed} could not be exported")


def _tell(counts: dict[str, int], failed: int, as_json: bool) -> None:
    if as_json:
        show({"exported": sum(counts.values()), "failed": failed, "folders": counts}, True)
        return
    for folder, count in counts.items():
        click.echo(f"{plain(folder)}: {count}")
    click.echo(f"{sum(counts.values())} exported, {failed} failed")


def _folders(store: Store, kind: str, wanted: tuple[str, ...]) -> list[Folder]:
    """Those that were named, with all below; else those that the format is for."""
    folders = store.folders()
    if wanted:
        tops = [folders.find(name) for name in wanted]
        inside = {folder.fid for top in tops for folder in folders.all() if _within(folder, top)}
        return [folder for folder in folders.all() if folder.fid in inside]
    containers = _CONTAINERS.get(kind)
    return [f for f in folders.visible() if containers is None or f.container_class in containers]


def _within(folder: Folder, top: Folder) -> bool:
    return folder.fid == top.fid or (bool(top.path) and folder.path.startswith(top.path + "/"))


def _entries(store: Store, folder: Folder) -> Iterator[tuple[int, Entry]]:
    """The messages of a folder with their number."""
    from gromoxd.cli.transfer.source import entries

    return entries(store, folder)
