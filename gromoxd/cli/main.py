"""The entry point of gromoxctl: global options, commands by name, errors as one plain line with exit status 1."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from gromoxd.cli.site import Site

COMMANDS: dict[str, tuple[str, str]] = {
    "alias": ("gromoxd.cli.names:alias", "Additional mail addresses of users."),
    "altname": ("gromoxd.cli.names:altname", "Additional log-in names of users."),
    "autodiscover": ("gromoxd.cli.autodiscover:autodiscover", "Ask AutoDiscover as a client does."),
    "db": ("gromoxd.cli.db:db", "Create or upgrade the directory's database."),
    "domain": ("gromoxd.cli.domain:domain", "Mail domains."),
    "dump": ("gromoxd.cli.dump:dump", "Show what is in a MAPI structure."),
    "export": ("gromoxd.cli.exporting:export", "Write a mailbox into files."),
    "folder": ("gromoxd.cli.folder:folder", "Folders of mailboxes."),
    "import": ("gromoxd.cli.importing:import_", "Bring messages, appointments and contacts from files."),
    "list": ("gromoxd.cli.lists:lists", "Mailing lists."),
    "mailbox": ("gromoxd.cli.mailbox:mailbox", "Mailboxes: figures, verification, repair, contents."),
    "oof": ("gromoxd.cli.oof:oof", "Out-of-office messages."),
    "migrate": ("gromoxd.cli.migrate:migrate", "Bring mailboxes from other servers."),
    "permission": ("gromoxd.cli.permission:permission", "Rights on folders, and delegates."),
    "queue": ("gromoxd.cli.queue:queue", "Mail that waits to be sent."),
    "quota": ("gromoxd.cli.mailbox:quota", "Size limits of mailboxes."),
    "reload": ("gromoxd.cli.control:reload", "Make the server read its configuration and the directory anew."),
    "rule": ("gromoxd.cli.rule:rule", "Rules for mail that arrives."),
    "server": ("gromoxd.cli.server:server", "Home servers."),
    "status": ("gromoxd.cli.status:status", "What the server's processes are doing."),
    "stop": ("gromoxd.cli.control:stop", "Stop the server."),
    "user": ("gromoxd.cli.user:user", "Users: mailboxes, passwords, properties."),
}
"""Command -> (where it is, its line in the help). The modules are imported one by one, when needed."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-s", "--site", metavar="SITE", help="Folder of the site (conf/, run/, data/).")
@click.option("-c", "--config", metavar="DIR", help="Folder of the configuration [SITE/conf, /etc/gromox].")
@click.option("-o", "override", metavar="KEY=VALUE", multiple=True, help="Set a directive, as with gromoxd -o.")
@click.version_option(package_name="gromoxd", prog_name="gromoxctl", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, site: str | None, config: str | None, override: tuple[str, ...]) -> None:
    """Administer gromoxd.

    A running server notices changes of the directory within a minute; "gromoxctl reload" makes it do so at once.
    """
    pairs = [word.partition("=") for word in override]
    if not all(equals for _, equals, _ in pairs):
        raise click.ClickException("-o wants KEY=VALUE")
    ctx.obj = Site(site, config, {key.strip(): value.strip() for key, _, value in pairs})


def run(argv: Sequence[str] | None = None) -> str:
    """Do the command; answers the error, '' when it went well."""
    from gromoxd.config import ConfigError
    from gromoxd.directory.errors import AdminError
    from gromoxd.errors import MapiError

    try:
        cli.main(args=list(argv) if argv is not None else None, prog_name="gromoxctl", standalone_mode=False)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else "gromoxctl"
        return f"{error.format_message().rstrip('.')} (see {where} --help)"
    except click.ClickException as error:
        return error.format_message()
    except (click.Abort, KeyboardInterrupt):
        return "aborted"
    except (AdminError, ConfigError) as error:
        return str(error)
    except MapiError as error:
        return error.text or str(error)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # what is left in the buffer has nowhere to go
        return "output was closed"
    except OSError as error:
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return ""


def main(argv: Sequence[str] | None = None) -> int:
    """The command `gromoxctl`."""
    error = run(argv)
    if error:
        print("gromoxctl:", " ".join(error.split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
