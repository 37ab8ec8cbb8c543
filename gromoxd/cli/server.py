"""gromoxctl server: home servers."""

from __future__ import annotations

import click

from gromoxd.cli.site import Site, json_option, pass_site, table


@click.group()
def server() -> None:
    """Home servers."""


@server.command()
@click.argument("hostname")
@click.option("--extname", default="", help="Name told to clients [HOSTNAME].")
@pass_site
def add(site: Site, hostname: str, extname: str) -> None:
    """Add a home server; HOSTNAME is its host_id."""
    click.echo(f"server {hostname} has id {site.admin.add_server(hostname, extname)}")


@server.command(name="set")
@click.argument("name")
@click.option("--hostname", default="", help="New name among the nodes.")
@click.option("--extname", default="", help="Name told to clients.")
@pass_site
def set_(site: Site, name: str, hostname: str, extname: str) -> None:
    """Rename a home server."""
    site.admin.set_server(name, hostname=hostname, extname=extname)


@server.command(name="del")
@click.argument("name")
@pass_site
def del_(site: Site, name: str) -> None:
    """Delete a home server that is nobody's home."""
    site.admin.delete_server(name)


@server.command(name="list")
@json_option
@pass_site
def list_(site: Site, as_json: bool) -> None:
    """List home servers."""
    table(site.admin.servers(), as_json, ("id", "hostname", "extname", "users"))
