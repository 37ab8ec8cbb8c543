"""gromoxctl reload and stop: signals to the master."""

from __future__ import annotations

import os
import signal
import time

import click

from gromoxd.cli.site import Site, pass_site


def master_pid(site: Site) -> int:
    """The pid of the site's running master. ClickException when there is none."""
    from gromoxd.master.settings import MasterSettings

    path = site.config.get(MasterSettings).pid_file or os.path.join(site.run, "gromoxd.pid")
    try:
        with open(path, encoding="ascii") as stream:
            pid = int(stream.read(32))
        os.kill(pid, 0)
    except PermissionError:
        return pid
    except (FileNotFoundError, ProcessLookupError, ValueError):
        raise click.ClickException(f"the server of this site is not running ({path})") from None
    return pid


@click.command()
@pass_site
def reload(site: Site) -> None:
    """Make the server read its configuration and the directory anew (SIGHUP)."""
    os.kill(master_pid(site), signal.SIGHUP)


@click.command()
@click.option("--wait", type=click.FloatRange(0, 3600), default=30.0, show_default=True, help="Seconds to wait for it.")
@click.option("--now", is_flag=True, help="Do not let sessions finish (SIGQUIT).")
@pass_site
def stop(site: Site, wait: float, now: bool) -> None:
    """Stop the server (SIGTERM) and wait until it is gone."""
    pid = master_pid(site)
    os.kill(pid, signal.SIGQUIT if now else signal.SIGTERM)
    end = time.monotonic() + wait
    while wait and _lives(pid):
        if time.monotonic() > end:
            raise click.ClickException(f"process {pid} has not ended within {wait:g} seconds")
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    """Whether the process still runs; one that only waits to be reaped by its parent does not."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
