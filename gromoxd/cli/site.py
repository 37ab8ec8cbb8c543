"""What the commands work on: a site's configuration, directory and run folder."""

from __future__ import annotations

import json
import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gromoxd.config import Config
    from gromoxd.directory.admin import Admin
    from gromoxd.directory.service import Directory

CONFIG_FOLDER = "/etc/gromox"


class Site:
    """The site that -s or -c names. Nothing is read before a command needs it."""

    def __init__(self, site: str | None, config: str | None, overrides: dict[str, str]) -> None:
        self._site = os.path.abspath(site) if site else ""
        self._config_folder = config or (os.path.join(self._site, "conf") if self._site else CONFIG_FOLDER)
        self._overrides = overrides

    @cached_property
    def config(self) -> Config:
        """The configuration; a missing folder is an error here, unlike a missing file."""
        from gromoxd.config import Config

        if not os.path.isdir(self._config_folder):
            raise click.ClickException(f"there is no folder {self._config_folder} (use -s SITE or -c DIR)")
        return Config.load(self._config_folder, self._overrides)

    @cached_property
    def folder(self) -> str:
        """Where run/ and data/ are."""
        from gromoxd.master.settings import MasterSettings

        return self._site or self.config.get(MasterSettings).site_path

    @property
    def given(self) -> bool:
        """Was the site named with -s?"""
        return bool(self._site)

    @property
    def run(self) -> str:
        return os.path.join(self.folder, "run")

    @cached_property
    def data(self) -> str:
        """The absolute folder for new mailboxes."""
        from gromoxd.directory.settings import DirectorySettings

        return os.path.normpath(os.path.join(self.folder, self.config.get(DirectorySettings).mailbox_path))

    @cached_property
    def engine(self) -> Engine:
        from gromoxd.directory.database import make_engine
        from gromoxd.directory.settings import DatabaseSettings

        return make_engine(self.config.get(DatabaseSettings), self.folder)

    @property
    def database_file(self) -> str:
        """The SQLite file, '' with another database."""
        from gromoxd.directory.settings import DatabaseSettings

        settings = self.config.get(DatabaseSettings)
        return os.path.join(self.folder, settings.directory_path) if settings.directory_backend == "sqlite" else ""

    @cached_property
    def admin(self) -> Admin:
        """Administration of the directory; an SQLite one must exist."""
        from gromoxd.directory.admin import Admin

        if self.database_file and not os.path.exists(self.database_file):
            raise click.ClickException(f"there is no directory {self.database_file} (gromoxctl db create makes it)")
        from gromoxd.directory.settings import DirectorySettings

        return Admin(self.engine, self.data, store_nt_hash=self.config.get(DirectorySettings).store_nt_hash)

    def directory(self) -> Directory:
        """The directory as the workers see it, with a cache of its own."""
        from gromoxd.directory.service import Directory
        from gromoxd.shm.shared import create

        shared = create(stores=1, slots=[], arena_bytes=1 << 16, directory_bytes=1 << 20, rows=1)
        return Directory(self.config, shared, site=self.folder)


pass_site = click.make_pass_decorator(Site)


def password_from(stdin: bool, *, confirm: bool = True) -> str:
    """A new password: the first line of standard input with --password-stdin, else asked for at the terminal."""
    if stdin:
        line = sys.stdin.readline(4096)
        password = line.rstrip("\r\n")
        if not password or (len(line) == 4096 and not line.endswith("\n")):
            raise click.ClickException("standard input has no password in its first line")
        return password
    if not sys.stdin.isatty():
        raise click.ClickException("no terminal to ask for the password at; use --password-stdin")
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)
    return answer


def plain(text: str) -> str:
    """Text that can do nothing to a terminal: what is not printable is escaped."""
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def show(value: dict[str, Any], as_json: bool) -> None:
    """Print one record: JSON, or a line for each field."""
    if as_json:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
        return
    for name, field in value.items():
        if isinstance(field, dict):
            for key, text in field.items():
                click.echo(plain(f"{name}.{key}: {text}"))
        elif isinstance(field, list):
            for text in field:
                click.echo(plain(f"{name}: {text}"))
        else:
            click.echo(plain(f"{name}: {'-' if field is None else field}"))


def table(rows: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...]) -> None:
    """Print records: JSON, a table at a terminal, else lines of tab-separated fields under a heading."""
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    lines = [["-" if row[column] is None else plain(str(row[column])) for column in columns] for row in rows]
    if not sys.stdout.isatty():
        for line in (list(columns), *lines):
            click.echo("\t".join(line))
        return
    from rich.console import Console
    from rich.table import Table

    made = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for line in lines:
        made.add_row(*line)
    Console().print(made, markup=False)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
