"""gromoxctl migrate: mailboxes of other servers brought into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from gromoxd.cli.importing import progress
from gromoxd.cli.site import Site, json_option, pass_site, show
from gromoxd.cli.stores import plain, store_of

if TYPE_CHECKING:
    from gromoxd.cli.migration.outcome import Outcome


@click.group()
def migrate() -> None:
    """Bring mailboxes from other servers. USER is a mailbox, or @DOMAIN for the public folders of a domain.

    Every command can be given again: it goes on where it was interrupted, and later brings what is new and what has
    changed. What cannot be migrated is told, and the rest is done; the exit status is 1 then.
    """


dry_run = click.option("--dry-run", is_flag=True, help="Read everything and tell what would be done.")


@contextmanager
def _outcome(dry: bool, as_json: bool) -> Iterator[Outcome]:
    """Tells at the end what was done."""
    from gromoxd.cli.migration.outcome import Outcome, Stopped
    from gromoxd.errors import WireError

    outcome = Outcome(lambda text: click.echo(plain(text), err=True))
    stopped = ""
    try:
        yield outcome
    except Stopped as error:
        stopped = f"stopped: {error}"
    except WireError as error:
        stopped = str(error)
    _tell(outcome, dry, as_json)
    if stopped:
        raise click.ClickException(stopped)
    if outcome.failed:
        raise click.ClickException(f"{outcome.failed} could not be migrated")


def _tell(outcome: Outcome, dry: bool, as_json: bool) -> None:
    if as_json:
        show(outcome.as_dict(), True)
        return
    for path, count in sorted(outcome.folders.items()):
        click.echo(f"{plain(path)}: {count}")
    for text in outcome.settings:
        click.echo(plain(text))
    for text in outcome.left_out:
        click.echo(f"left out: {plain(text)}")
    verb = "would be added" if dry else "added"
    click.echo(
        f"{outcome.added} {verb}, {outcome.changed} changed, {outcome.removed} removed, {outcome.there} there already,"
        f" {outcome.failed} failed"
    )


@migrate.command()
@click.argument("name", metavar="USER")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False))
@click.option("--delete", is_flag=True, help="Delete what was brought before and is gone from the original since.")
@click.option("--no-settings", is_flag=True, help="Folders and messages only.")
@dry_run
@json_option
@pass_site
def gromox(
    site: Site, name: str, folder: str, delete: bool, no_settings: bool, dry_run: bool, as_json: bool
) -> None:  # fmt: skip
    """Read a mailbox of Gromox from DIR, the folder that has exmdb/exchange.sqlite3.

    The server there must not be writing to it: stop it, or take a copy. DIR is only read. Messages that were deleted
    and can be recovered there, and search folders, are left out.
    """
    from gromoxd.cli.migration.destination import Destination
    from gromoxd.cli.migration.original import Original, subscribe
    from gromoxd.cli.migration.settings import migrate_settings
    from gromoxd.convert.gromoxstore import GromoxStore

    with _outcome(dry_run, as_json) as outcome, GromoxStore(folder) as source, store_of(site, name) as store:
        outcome.note("deleted messages that could be recovered")
        target = Destination(store, outcome, dry=dry_run)
        with progress(octets=False) as bar:
            original = Original(source, target, bar, delete=delete)
            original.run()
        subscribe(original)
        if not no_settings:
            migrate_settings(original)
