"""gromoxctl list: mailing lists, their members and who may write to them."""

from __future__ import annotations

import click

from gromoxd.cli.site import Site, json_option, pass_site, show, table

PRIVILEGES = {"all": 0, "members": 1, "domain": 2, "senders": 3}
TYPES = {"normal": 0, "domain": 2}
_who = click.Choice(list(PRIVILEGES))


@click.group(name="list")
def lists() -> None:
    """Mailing lists."""


@lists.command()
@click.argument("name")
@click.option("--from", "sender", type=_who, default="all", show_default=True, help="Who may write to it.")
@click.option("--type", "kind", type=click.Choice(list(TYPES)), default="normal", help="domain: all users of it.")
@pass_site
def add(site: Site, name: str, sender: str, kind: str) -> None:
    """Add a mailing list NAME (a mail address)."""
    number = site.admin.add_list(name, list_type=TYPES[kind], privilege=PRIVILEGES[sender])
    click.echo(f"list {name} has id {number}")


@lists.command(name="set")
@click.argument("name")
@click.option("--from", "sender", type=_who, required=True, help="Who may write to it.")
@pass_site
def set_(site: Site, name: str, sender: str) -> None:
    """Change a mailing list."""
    site.admin.set_list(name, privilege=PRIVILEGES[sender])


@lists.command(name="del")
@click.argument("name")
@pass_site
def del_(site: Site, name: str) -> None:
    """Delete a mailing list."""
    site.admin.delete_list(name)


@lists.command(name="show")
@click.argument("name")
@json_option
@pass_site
def show_(site: Site, name: str, as_json: bool) -> None:
    """Show a mailing list with its members."""
    show(site.admin.show_list(name), as_json)


@lists.command(name="list")
@json_option
@pass_site
def list_(site: Site, as_json: bool) -> None:
    """List all mailing lists."""
    rows = site.admin.lists()
    if not as_json:
        rows = [{**row, "members": len(row["members"])} for row in rows]
    table(rows, as_json, ("id", "name", "type", "privilege", "members"))


@lists.group()
def member() -> None:
    """Members of a mailing list."""


@member.command(name="add")
@click.argument("name")
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
@pass_site
def add_member(site: Site, name: str, addresses: tuple[str, ...]) -> None:
    """Put addresses on a list."""
    for address in addresses:
        site.admin.add_member(name, address)


@member.command(name="del")
@click.argument("name")
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
@pass_site
def del_member(site: Site, name: str, addresses: tuple[str, ...]) -> None:
    """Take addresses off a list."""
    for address in addresses:
        site.admin.delete_member(name, address)


@lists.group()
def sender() -> None:
    """Who may write to a list of --from senders: addresses or whole domains."""


@sender.command(name="add")
@click.argument("name")
@click.argument("addresses", metavar="ADDRESS|DOMAIN...", nargs=-1, required=True)
@pass_site
def add_sender(site: Site, name: str, addresses: tuple[str, ...]) -> None:
    """Allow senders."""
    for address in addresses:
        site.admin.add_sender(name, address)


@sender.command(name="del")
@click.argument("name")
@click.argument("addresses", metavar="ADDRESS|DOMAIN...", nargs=-1, required=True)
@pass_site
def del_sender(site: Site, name: str, addresses: tuple[str, ...]) -> None:
    """Allow them no more."""
    for address in addresses:
        site.admin.delete_sender(name, address)
