"""The command `gromoxd`: reads the command line and the configuration, then is the master."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence

from gromoxd import __version__
from gromoxd import log as logs
from gromoxd.config import Config, ConfigError, report, sample_file
from gromoxd.master import pools as standard
from gromoxd.master.settings import MasterSettings
from gromoxd.settings import COMPONENTS

log = logging.getLogger("gromoxd")

CONFIG_FOLDER = "/etc/gromox"
EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h: systemd can be told not to try again."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="gromoxd", description="The groupware server. Runs in the foreground.")
    made.add_argument("--config", metavar="DIR", help=f"configuration folder (SITE/conf with --site, {CONFIG_FOLDER})")
    made.add_argument("--site", metavar="DIR", help="folder of the site's run-time files (site_path of gromox.cfg)")
    made.add_argument("--embedded", action="store_true", help="set the site up first if need be; write SITE/site.json")
    made.add_argument("--only", metavar="POOL,…", default="", help="run these pools only")
    made.add_argument("-o", dest="override", metavar="KEY=VALUE", action="append", default=[], help="set a directive")
    made.add_argument("--check", action="store_true", help="read the configuration, tell what is wrong, and end")
    made.add_argument(
        "--help-settings", metavar="FILE", help="print a sample of a configuration file, such as imap.cfg"
    )
    made.add_argument("--pools", metavar="MODULE", default=standard.__name__, help=argparse.SUPPRESS)
    made.add_argument("--version", action="store_true", help="print the version")
    return made


def overrides(words: Sequence[str]) -> dict[str, str]:
    """The -o options; SystemExit for a malformed one."""
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise SystemExit(f"gromoxd: -o {word}: is not of the form KEY=VALUE")
        found[key.strip()] = value.strip()
    return found


def print_sample(file: str) -> int:
    """--help-settings."""
    if file not in COMPONENTS:
        print(f"gromoxd: there is no file {file}; there are {', '.join(sorted(COMPONENTS))}", file=sys.stderr)
        return 2
    print(sample_file(file), end="")
    return 0


def prepare_site(site: str) -> None:
    """--embedded: make what is missing. SystemExit with the reason when it cannot be made."""
    from gromoxd.master.site import SiteError, prepare

    try:
        prepare(site)
    except (SiteError, OSError) as error:
        raise SystemExit(f"gromoxd: {error}") from error


def read_config(options: argparse.Namespace) -> Config | None:
    """The configuration; None after its errors were told."""
    folder = options.config or (os.path.join(options.site, "conf") if options.site else CONFIG_FOLDER)
    try:
        config = Config.load(folder, overrides(options.override))
    except ConfigError as error:
        report(error.problems, log)
        return None
    report(config.problems, log)
    return config


def serve(config: Config, chosen: list[standard.Pool], site: str, *, embedded: bool) -> int:
    """Be the master until told to stop."""
    import setproctitle

    from gromoxd.master.arbiter import Arbiter
    from gromoxd.master.listeners import ListenError
    from gromoxd.master.runfolder import RunError, RunFolder, owner_of

    settings = config.get(MasterSettings)
    setproctitle.setproctitle(f"gromoxd: master [{site}]")
    try:
        owner = owner_of(settings.running_identity)
        logs.setup(
            settings.log_file,
            settings.log_format,
            settings.log_level,
            "master",
            (owner.uid, owner.gid) if owner else None,
        )
        folder = RunFolder(site, settings.pid_file, owner)
        folder.take()
    except (RunError, OSError) as error:
        log.critical("cannot start", extra={"reason": str(error)})
        return 1
    master = os.getpid()

    def started() -> None:
        from gromoxd.master.site import started as write_site

        write_site(site, master)

    try:
        return Arbiter(config, chosen, site, owner, started if embedded else None).run()
    except ListenError as error:
        log.critical("cannot listen", extra={"reason": str(error)})
        return 1
    finally:
        folder.leave()


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the command; answers the exit status."""
    options = parser().parse_args(argv)
    if options.version:
        print(f"gromoxd {__version__}")
        return 0
    table = importlib.import_module(options.pools)
    standard.load(standard.SETTINGS_MODULES)
    if options.help_settings:
        return print_sample(options.help_settings)
    os.umask(0o027)
    logs.setup("-", "text", 5, "master")
    site = os.path.abspath(options.site) if options.site else ""
    if options.embedded:
        if not site:
            raise SystemExit("gromoxd: --embedded needs --site")
        prepare_site(site)
    config = read_config(options)
    if config is None:
        return EXIT_CONFIG
    if options.check:
        print("configuration is good")
        return 0
    try:
        chosen = standard.choose([name for name in options.only.split(",") if name], table.POOLS)
    except standard.PoolError as error:
        log.critical("cannot start", extra={"reason": str(error)})
        return EXIT_CONFIG
    standard.load(standard.PRELOAD)
    return serve(config, chosen, site or config.get(MasterSettings).site_path, embedded=options.embedded)


if __name__ == "__main__":
    sys.exit(main())
