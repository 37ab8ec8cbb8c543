"""gromoxctl db: the directory's database."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from typing import TypeVar

import click

from gromoxd.cli.site import Site, pass_site

T = TypeVar("T")


@click.group()
def db() -> None:
    """Create or upgrade the directory's database."""


@db.command()
@pass_site
def create(site: Site) -> None:
    """Make the tables in an empty database (SQLite: the file too)."""
    from gromoxd.directory import schema

    path = site.database_file
    owner = _owner(site) if path else None  # with MariaDB no file is made, and this host may not run the server
    if path:
        _make_folder(os.path.dirname(path), owner)
    before = os.umask(0o077)
    try:
        _guarded(lambda: schema.create(site.engine))
    finally:
        os.umask(before)
        site.engine.dispose()
    if path and owner:
        os.chown(path, *owner)
    click.echo(f"created {path or site.engine.url.render_as_string(hide_password=True)}, schema {schema.VERSION}")


@db.command()
@pass_site
def upgrade(site: Site) -> None:
    """Bring the tables of an older version up to date."""
    from gromoxd.directory import schema

    if site.database_file and not os.path.exists(site.database_file):
        raise click.ClickException(f"there is no directory {site.database_file}")
    old, new = _guarded(lambda: schema.upgrade(site.engine))
    click.echo(f"schema {old}" if old == new else f"schema {old} upgraded to {new}")


def _guarded(work: Callable[[], T]) -> T:
    """Database errors as one line, without statement and parameters."""
    from sqlalchemy.exc import DBAPIError

    try:
        return work()
    except DBAPIError as error:
        raise click.ClickException(f"directory database: {error.orig}") from error


def _owner(site: Site) -> tuple[int, int] | None:
    """(uid, gid) of the workers when root makes files for them: they must be able to write there."""
    from gromoxd.master.settings import MasterSettings

    identity = site.config.get(MasterSettings).running_identity
    if os.geteuid() != 0 or not identity:
        return None
    try:
        entry = pwd.getpwnam(identity)
    except KeyError:
        raise click.ClickException(f"running_identity: there is no user {identity!r}") from None
    return entry.pw_uid, entry.pw_gid


def _make_folder(folder: str, owner: tuple[int, int] | None) -> None:
    if os.path.isdir(folder):
        return
    os.makedirs(folder, 0o750)
    if owner:
        os.chown(folder, *owner)
