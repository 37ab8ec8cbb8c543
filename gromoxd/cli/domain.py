"""gromoxctl domain: mail domains."""

from __future__ import annotations

from typing import Any

import click

from gromoxd.cli.site import Site, json_option, pass_site, show, table

STATUS = {"normal": 0, "suspended": 1, "deleted": 3}


@click.group()
def domain() -> None:
    """Mail domains."""


@domain.command()
@click.argument("name")
@click.option("--title", default="", help="Name in the address book.")
@click.option("--homeserver", default="", metavar="HOST", help="Home of the public folders.")
@click.option("--max-user", type=click.IntRange(0), default=0, help="Most users (0: no limit).")
@pass_site
def add(site: Site, name: str, title: str, homeserver: str, max_user: int) -> None:
    """Add a domain."""
    number = site.admin.add_domain(name, title=title, homeserver=homeserver, max_user=max_user)
    click.echo(f"domain {name} has id {number}")


@domain.command(name="show")
@click.argument("name")
@json_option
@pass_site
def show_(site: Site, name: str, as_json: bool) -> None:
    """Show one domain."""
    show(site.admin.domain(name), as_json)


@domain.command(name="set")
@click.argument("name")
@click.option("--title", help="Name in the address book.")
@click.option("--homeserver", metavar="HOST", help='Home of the public folders; "" for any.')
@click.option("--status", type=click.Choice(list(STATUS)), help="Normal, or nobody of it logs in and gets mail.")
@click.option("--max-user", type=click.IntRange(0), help="Most users (0: no limit).")
@pass_site
def set_(site: Site, /, name: str, status: str | None, **fields: Any) -> None:
    """Change a domain."""
    site.admin.set_domain(name, status=STATUS[status] if status else None, **fields)


@domain.command(name="del")
@click.argument("name")
@click.option("--with-users", is_flag=True, help="Delete its users too.")
@pass_site
def del_(site: Site, name: str, with_users: bool) -> None:
    """Delete a domain. Mailbox folders stay on disk."""
    site.admin.delete_domain(name, with_users=with_users)


@domain.command(name="list")
@json_option
@pass_site
def list_(site: Site, as_json: bool) -> None:
    """List all domains."""
    table(site.admin.domains(), as_json, ("id", "name", "status", "users", "homeserver", "title"))
