"""gromoxctl alias and altname: the other names of users."""

from __future__ import annotations

import click

from gromoxd.cli.site import Site, json_option, pass_site, table


@click.group()
def alias() -> None:
    """Additional mail addresses of users."""


@alias.command(name="add")
@click.argument("alias_name", metavar="ALIAS")
@click.argument("user_name", metavar="USER")
@pass_site
def add_alias(site: Site, alias_name: str, user_name: str) -> None:
    """Let mail for ALIAS go to USER."""
    site.admin.add_alias(alias_name, user_name)


@alias.command(name="del")
@click.argument("alias_name", metavar="ALIAS")
@pass_site
def del_alias(site: Site, alias_name: str) -> None:
    """Delete an alias."""
    site.admin.delete_alias(alias_name)


@alias.command(name="list")
@click.argument("user_name", metavar="[USER]", default="")
@json_option
@pass_site
def list_aliases(site: Site, user_name: str, as_json: bool) -> None:
    """List the aliases of a user, or all."""
    rows = [{"alias": name, "user": user} for name, user in site.admin.aliases(user_name)]
    table(rows, as_json, ("alias", "user"))


@click.group()
def altname() -> None:
    """Additional log-in names of users."""


@altname.command(name="add")
@click.argument("altname_name", metavar="ALTNAME")
@click.argument("user_name", metavar="USER")
@pass_site
def add_altname(site: Site, altname_name: str, user_name: str) -> None:
    """Let USER log in as ALTNAME too."""
    site.admin.add_altname(altname_name, user_name)


@altname.command(name="del")
@click.argument("altname_name", metavar="ALTNAME")
@pass_site
def del_altname(site: Site, altname_name: str) -> None:
    """Delete an alternate name."""
    site.admin.delete_altname(altname_name)


@altname.command(name="list")
@click.argument("user_name", metavar="[USER]", default="")
@json_option
@pass_site
def list_altnames(site: Site, user_name: str, as_json: bool) -> None:
    """List the alternate names of a user, or all."""
    rows = [{"altname": name, "user": user} for name, user in site.admin.altnames(user_name)]
    table(rows, as_json, ("altname", "user"))
