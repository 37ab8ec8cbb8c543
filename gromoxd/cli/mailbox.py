"""gromoxctl mailbox and quota: asks the mailbox's owner, on this node or another, by exmdb RPC."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from gromoxd.cli.site import Site, json_option, pass_site, show

if TYPE_CHECKING:
    from gromoxd.exmdb.api import MailboxRef
    from gromoxd.exmdb.client import Client

DEADLINE = 10.0


@contextmanager
def connected(site: Site, name: str) -> Iterator[tuple[Client, MailboxRef]]:
    """A client of the stores and the address of this user's mailbox, or of this domain's public store."""
    from gromoxd.exmdb.client import Client
    from gromoxd.exmdb.settings import ExmdbSettings

    directory = site.directory()
    domain = directory.domain(name) if "@" not in name else None
    user = directory.owner_of(domain.homedir) if domain is not None else directory.user(name)
    if user is None or not user.has_store:
        raise click.ClickException(f"there is no mailbox of {name}")
    mailbox = directory.mailbox(user)
    shards = _shards(site.run) if not mailbox.host else 1
    client = Client(site.run, None, shards, directory, site.config.get(ExmdbSettings))
    try:
        yield client, mailbox
    finally:
        client.close()
        directory.close()


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


@click.group()
def mailbox() -> None:
    """Figures of mailboxes."""


@mailbox.command()
@click.argument("name", metavar="USER")
@json_option
@pass_site
def info(site: Site, name: str, as_json: bool) -> None:
    """Show size, number of messages and quotas of a mailbox."""
    from gromoxd.exmdb.api import SYSTEM
    from gromoxd.exmdb.calls import GetMailboxInfo

    with connected(site, name) as (client, where):
        found = client.call(where, GetMailboxInfo(), actor=SYSTEM, deadline=DEADLINE)
    shown = {field: getattr(found, field) for field in found.__struct_fields__}
    show({"maildir": where.maildir, "host": where.host, **shown}, as_json)


@click.group()
def quota() -> None:
    """Size limits of mailboxes."""


@quota.command(name="set")
@click.argument("name", metavar="USER")
@click.argument("size")
@click.option("--receive", metavar="SIZE", help="Limit for incoming mail, if another than SIZE.")
@pass_site
def set_(site: Site, name: str, size: str, receive: str | None) -> None:
    """Limit a mailbox to SIZE bytes (suffixes K, M, G, T; 0: no limit)."""
    from gromoxd.exmdb.api import SYSTEM
    from gromoxd.exmdb.calls import SetQuota

    storage = _size(size)
    call = SetQuota(storage if receive is None else _size(receive), storage)
    with connected(site, name) as (client, where):
        client.call(where, call, actor=SYSTEM, deadline=DEADLINE)


def _size(text: str) -> int:
    from gromoxd.values import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise click.ClickException(f"{text!r} {error}") from None
