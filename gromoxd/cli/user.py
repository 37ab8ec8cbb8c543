"""gromoxctl user: users, their passwords, status, privileges and properties."""

from __future__ import annotations

from typing import Any

import click

from gromoxd.cli.site import Site, json_option, pass_site, password_from, show, table

STATUS = {"normal": 0, "suspended": 1, "deleted": 3, "shared": 4, "contact": 5}
TYPES = {"user": 0, "contact": 6, "room": 7, "equipment": 8}
PRIVILEGES = {
    "imap": 0x1, "smtp": 0x2, "chgpasswd": 0x4, "chat": 0x10, "video": 0x20, "files": 0x40, "archive": 0x80,
    "detail": 0x100, "web": 0x200, "eas": 0x400, "dav": 0x800,
}  # fmt: skip
PR_DISPLAY_NAME = 0x3001001F


@click.group()
def user() -> None:
    """Users: mailboxes, passwords, properties."""


def _bits(text: str | None) -> int | None:
    """'imap,smtp' or a number such as 0xf07."""
    if text is None:
        return None
    try:
        return int(text, 0)
    except ValueError:
        names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in PRIVILEGES]
    if unknown:
        raise click.ClickException(f"no such privilege: {', '.join(unknown)} (there are {', '.join(PRIVILEGES)})")
    return sum({PRIVILEGES[name] for name in names})


def _properties(words: tuple[str, ...]) -> dict[int, str | None]:
    """'0x3a16001f=text'; an empty text removes the property."""
    found: dict[int, str | None] = {}
    for word in words:
        tag, equals, value = word.partition("=")
        try:
            found[int(tag, 0)] = value or None
        except ValueError:
            equals = ""
        if not equals:
            raise click.ClickException(f"{word!r} is not of the form PROPTAG=TEXT")
    return found


@user.command()
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input (first line).")
@click.option("--no-password", is_flag=True, help="No password: nobody can log in.")
@click.option("--name", "display_name", default="", metavar="TEXT", help="Full name.")
@click.option("--homeserver", default="", metavar="HOST", help="Home server (server add); none: this one.")
@click.option("--maildir", default="", metavar="DIR", help="Mailbox folder [DATA/user/SHARD/ID].")
@click.option("--status", type=click.Choice(list(STATUS)), default="normal", show_default=True)
@click.option("--type", "kind", type=click.Choice(list(TYPES)), default="user", show_default=True)
@click.option("--privileges", metavar="NAMES", help=f"Of {', '.join(PRIVILEGES)}; or a number.")
@click.option("--lang", default="", help="Such as de_DE.")
@click.option("--timezone", default="", help="Such as Europe/Vienna.")
@pass_site
def add(
    site: Site, /, name: str, password_stdin: bool, no_password: bool, status: str, kind: str, privileges: str | None,
    **fields: Any,
) -> None:  # fmt: skip
    """Add a user NAME (a mail address of an existing domain). Asks for the password."""
    admin = site.admin
    bits = _bits(privileges)
    if bits is not None:
        fields["privilege_bits"] = bits
    needless = no_password or status != "normal" or kind != "user"
    password = None if needless and not password_stdin else password_from(password_stdin)
    number = admin.add_user(name, password=password, status=STATUS[status], display_type=TYPES[kind], **fields)
    click.echo(f"user {name} has id {number}")


@user.command(name="show")
@click.argument("name")
@json_option
@pass_site
def show_(site: Site, name: str, as_json: bool) -> None:
    """Show one user with properties, aliases and lists."""
    show(site.admin.user(name), as_json)


@user.command(name="set")
@click.argument("name")
@click.option("--name", "display_name", metavar="TEXT", help="Full name.")
@click.option("--homeserver", metavar="HOST", help='Home server; "" for any. Follow it by "gromoxctl reload".')
@click.option("--maildir", metavar="DIR", help="Mailbox folder.")
@click.option("--status", type=click.Choice(list(STATUS)))
@click.option("--privileges", metavar="NAMES", help=f"Of {', '.join(PRIVILEGES)}; or a number.")
@click.option("--lang", help="Such as de_DE.")
@click.option("--timezone", help="Such as Europe/Vienna.")
@click.option("--property", "properties", multiple=True, metavar="PROPTAG=TEXT", help="Such as 0x3a16001f=Company.")
@pass_site
def set_(
    site: Site, /, name: str, display_name: str | None, status: str | None, privileges: str | None,
    properties: tuple[str, ...], **fields: Any,
) -> None:  # fmt: skip
    """Change a user."""
    wanted = _properties(properties)
    if display_name is not None:
        wanted[PR_DISPLAY_NAME] = display_name or None
    site.admin.set_user(
        name, status=STATUS[status] if status else None, privilege_bits=_bits(privileges), properties=wanted, **fields
    )


@user.command()
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input (first line).")
@pass_site
def passwd(site: Site, name: str, password_stdin: bool) -> None:
    """Give a user a new password."""
    admin = site.admin
    admin.user(name)
    admin.set_password(name, password_from(password_stdin))


@user.command(name="del")
@click.argument("name")
@pass_site
def del_(site: Site, name: str) -> None:
    """Delete a user. The mailbox folder stays on disk."""
    maildir = site.admin.delete_user(name)
    if maildir:
        click.echo(f"the mailbox folder, if it was ever used, remains: {maildir}")


@user.command(name="list")
@click.option("--domain", default="", help="Only of this domain.")
@json_option
@pass_site
def list_(site: Site, domain: str, as_json: bool) -> None:
    """List users."""
    table(site.admin.users(domain), as_json, ("id", "name", "status", "display_type", "homeserver", "maildir"))
