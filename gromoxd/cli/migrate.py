"""gromoxctl migrate: mailboxes of other servers brought into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from gromoxd.cli.importing import mapping, progress
from gromoxd.cli.site import Site, json_option, pass_site, password_from, plain, show
from gromoxd.cli.stores import store_of

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
    from gromoxd.cli.migration.gromoxstore import GromoxStore
    from gromoxd.cli.migration.original import Original, subscribe
    from gromoxd.cli.migration.settings import migrate_settings

    with _outcome(dry_run, as_json) as outcome, GromoxStore(folder) as source, store_of(site, name) as store:
        outcome.note("deleted messages that could be recovered")
        target = Destination(store, outcome, dry=dry_run)
        with progress(octets=False, one=True) as bar:
            original = Original(source, target, bar, delete=delete)
            original.run()
        subscribe(original)
        if not no_settings:
            migrate_settings(original)


@migrate.command()
@click.argument("name", metavar="USER")
@click.argument("url", metavar="URL")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@click.option(
    "--password-file", metavar="FILE", type=click.Path(exists=True, dir_okay=False), help="Read it from a file."
)
@click.option("--token", is_flag=True, help="It is an OAuth 2.0 access token (XOAUTH2).")
@click.option("--no-verify", is_flag=True, help="Trust whatever certificate the server shows.")
@click.option("--plaintext", is_flag=True, help="No encryption, of a server on this host (imap://).")
@click.option("--folder", "pairs", metavar="SOURCE=FOLDER", multiple=True, help="Put a folder of the source elsewhere.")
@click.option("--exclude", metavar="PATTERN", multiple=True, help="Leave out folders, and what is below them.")
@click.option(
    "--since", metavar="YYYY-MM-DD", type=click.DateTime(["%Y-%m-%d"]), help="Only what arrived on that day or later."
)
@click.option(
    "--largest", metavar="MB", type=click.IntRange(1, 1 << 20), default=1024, show_default=True,
    help="Leave out messages that are larger.",
)  # fmt: skip
@click.option("--delete", is_flag=True, help="Delete what was brought before and is gone from the source since.")
@dry_run
@json_option
@pass_site
def imap(
    site: Site, name: str, url: str, password_stdin: bool, password_file: str | None, token: bool, no_verify: bool,
    plaintext: bool, pairs: tuple[str, ...], exclude: tuple[str, ...], since: datetime | None, largest: int,
    delete: bool, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Copy from another server by IMAP. URL is imaps://user@host[:port][/folder], or imap:// with STARTTLS.

    Sent, Drafts, Trash and Junk go where they belong, all others to folders of the same names. A path in --folder and
    --exclude has / between folders, whatever the server has. A later run brings new mail and changed flags.
    """
    from gromoxd.cli.migration.destination import Destination
    from gromoxd.cli.migration.imapsource import Address, ImapSource
    from gromoxd.cli.migration.imapsync import Options, Run

    try:
        address = Address.parse(url)
        places = mapping(pairs)
        password = _password(password_file) if password_file else password_from(password_stdin, confirm=False)
        source = ImapSource(
            address, password, verify=not no_verify, plaintext=plaintext, token=token, largest=largest << 20
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    options = Options(since.date() if since is not None else None, delete)
    try:
        with (
            _outcome(dry_run, as_json) as outcome,
            store_of(site, name) as store,
            progress(octets=False, one=True) as bar,
        ):
            Run(source, Destination(store, outcome, dry=dry_run), bar, options).run(places, exclude)
    finally:
        source.close()


def _password(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        password = file.readline(4096).rstrip("\r\n")
    if not password:
        raise click.ClickException(f"{path} has no password in its first line")
    return password
