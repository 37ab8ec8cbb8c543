"""gromoxctl mailbox and quota: asks the mailbox's owner, on this node or another, by exmdb RPC."""

from __future__ import annotations

import click

from gromoxd.cli import browse, mailboxes, upkeep
from gromoxd.cli.site import Site, json_option, pass_site, show
from gromoxd.cli.stores import store_of


@click.group()
def mailbox() -> None:
    """Mailboxes and public stores: figures, verification, repair, contents."""


@mailbox.command()
@click.argument("name", metavar="USER")
@json_option
@pass_site
def info(site: Site, name: str, as_json: bool) -> None:
    """Show size, number of messages and quotas of a mailbox."""
    from gromoxd.exmdb.calls import GetMailboxInfo

    with store_of(site, name) as store:
        found = store.call(GetMailboxInfo())
    shown = {field: getattr(found, field) for field in found.__struct_fields__}
    show({"maildir": store.where.maildir, "host": store.where.host, **shown}, as_json)


for _command in (*mailboxes.COMMANDS, *upkeep.COMMANDS, browse.browse):
    mailbox.add_command(_command)


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
    from gromoxd.exmdb.calls import SetQuota

    storage = _size(size)
    call = SetQuota(storage if receive is None else _size(receive), storage)
    with store_of(site, name) as store:
        store.call(call)


def _size(text: str) -> int:
    from gromoxd.values import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise click.ClickException(f"{text!r} {error}") from None
