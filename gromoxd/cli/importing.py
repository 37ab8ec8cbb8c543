"""gromoxctl import: messages and objects out of files into a mailbox."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from gromoxd.cli.site import Site, json_option, pass_site, plain, show
from gromoxd.cli.stores import store_of
from gromoxd.cli.transfer import FORMATS

if TYPE_CHECKING:
    from gromoxd.cli.transfer.target import Target


class Progress(Protocol):
    """What tells people how far something is."""

    def begin(self, text: str, total: int) -> None: ...

    def at(self, done: int) -> None: ...


class _Silent:
    def begin(self, text: str, total: int) -> None:
        """Nobody looks."""

    def at(self, done: int) -> None:
        """Nobody looks."""


@contextmanager
def progress(*, octets: bool = True, one: bool = False) -> Iterator[Progress]:
    """A bar on standard error for each `begin`, or `one` for all of them, when that is a terminal."""
    if not sys.stderr.isatty():
        yield _Silent()
        return
    from rich import progress as rich
    from rich.console import Console

    columns: list[rich.ProgressColumn] = [rich.TextColumn("{task.description}"), rich.BarColumn()]
    columns += [rich.DownloadColumn()] if octets else [rich.MofNCompleteColumn()]
    columns.append(rich.TimeRemainingColumn())
    with rich.Progress(*columns, console=Console(stderr=True)) as bars:

        class Bars:
            task: rich.TaskID | None = None

            def begin(self, text: str, total: int) -> None:
                if one and self.task is not None:
                    bars.reset(self.task, description=plain(text), total=max(total, 1))
                else:
                    self.task = bars.add_task(plain(text), total=max(total, 1))

            def at(self, done: int) -> None:
                if self.task is not None:
                    bars.update(self.task, completed=done)

        yield Bars()


def mapping(pairs: tuple[str, ...]) -> dict[str, str]:
    """--folder A=B."""
    found = {}
    for pair in pairs:
        source, equals, target = pair.partition("=")
        if not equals or not target.strip("/"):
            raise click.ClickException("--folder wants SOURCE=FOLDER")
        found[source] = target
    return found


@click.command(name="import")
@click.argument("kind", metavar="FORMAT", type=click.Choice([name for name, one in FORMATS.items() if one.reads]))
@click.argument("name", metavar="USER")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True))
@click.option(
    "--into", metavar="FOLDER", default="", help="Put all into this folder, and the source's folders below it."
)
@click.option("--folder", "pairs", metavar="SOURCE=FOLDER", multiple=True, help="Put a folder of the source elsewhere.")
@click.option("--dry-run", is_flag=True, help="Read everything and tell what would be done.")
@click.option("--allow-duplicates", is_flag=True, help="Also take in what the folder has already.")
@click.option("--seen", is_flag=True, help="Mark everything as read.")
@json_option
@pass_site
def import_(
    site: Site, kind: str, name: str, paths: tuple[str, ...], into: str, pairs: tuple[str, ...], dry_run: bool,
    allow_duplicates: bool, seen: bool, as_json: bool,
) -> None:  # fmt: skip
    """Import messages, appointments and contacts from files.

    FORMAT is eml, mbox, maildir, ics, vcf, msg, tnef, pst or ost. What is in no folder goes into the Inbox, the
    Calendar, the Contacts and so on. What a folder has already is passed over: an import that was interrupted is
    resumed by giving the command again. What cannot be read is told, and the rest is done; the exit status is 1 then.
    """
    from gromoxd.cli.transfer.target import Stopped, Target

    def report(where: str, reason: str) -> None:
        click.echo(f"{plain(where)}: {plain(reason)}", err=True)

    with store_of(site, name) as store:
        target = Target(store, report, into=into, mapping=mapping(pairs), duplicates=allow_duplicates, dry=dry_run,
                        seen=seen)  # fmt: skip
        stopped = ""
        try:
            _take(target, kind, paths)
        except Stopped as error:
            stopped = str(error)
    _tell(target, dry_run, as_json)
    if stopped:
        raise click.ClickException(f"stopped: {stopped}")
    if target.failed:
        raise click.ClickException(f"{target.failed} could not be imported")


def _take(target: Target, kind: str, paths: tuple[str, ...]) -> None:
    from gromoxd.cli.transfer.found import size

    reader = FORMATS[kind].load()
    with progress() as bar:
        try:
            for path in paths:
                bar.begin(os.path.basename(path.rstrip("/")) or path, size(path))
                for found in reader.read(path):
                    bar.at(found.done)
                    target.put(found)
            target.close()
        finally:
            target.give_up()


def _tell(target: Target, dry_run: bool, as_json: bool) -> None:
    total = sum(target.imported.values())
    if as_json:
        show(
            {"imported": total, "duplicates": target.skipped, "failed": target.failed, "folders": target.imported}, True
        )
        return
    for path, count in sorted(target.imported.items()):
        click.echo(f"{plain(path)}: {count}")
    verb = "would be imported" if dry_run else "imported"
    click.echo(f"{total} {verb}, {target.skipped} there already, {target.failed} failed")
