"""gromoxctl status: the board, as the HTTP worker tells it on the site's own socket."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from gromoxd.cli.site import Site, json_option, pass_site

if TYPE_CHECKING:
    from rich.table import Table

LARGEST = 16 << 20
TIMEOUT = 5.0
COLUMNS = (
    "process", "pid", "up", "conns", "commands", "boxes", "cache", "rpc", "rpc ms", "commits", "mails", "refused",
    "stalls", "worst", "errors",
)  # fmt: skip
DISPENSABLE = ("pid", "refused", "worst", "commits", "stalls", "up", "boxes")
"""Columns that a narrow terminal goes without, the first one first."""
SILENT_MS = 10_000


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)


def fetch(site: Site) -> dict[str, Any]:
    """The status document. ClickException when the server does not answer."""
    path = f"{site.run}/status.sock"
    connection = _Connection(path)
    try:
        connection.request("GET", "/status.json")
        answer = connection.getresponse()
        body = answer.read(LARGEST)
        if answer.status != 200:
            raise click.ClickException(f"the server answers {answer.status} {answer.reason}")
        value = json.loads(body)
    except PermissionError:
        raise click.ClickException(f"you may not use {path}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise click.ClickException(f"the server of this site does not answer on {path}: {error}") from None
    finally:
        connection.close()
    if not isinstance(value, dict) or not isinstance(value.get("slots"), list):
        raise click.ClickException("the server's answer is no status document")
    return value


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}" if seconds >= 10 * size else f"{seconds / size:.1f}{unit}"
    return f"{max(0.0, seconds):.0f}s"


def _share(hits: int, misses: int) -> str:
    return f"{100 * hits / (hits + misses):.1f}%" if hits + misses else "-"


def _latency(slot: dict[str, Any]) -> str:
    """Median/99th percentile of exmdb calls; their mean where the distribution is not kept."""
    calls, rpc = slot.get("rpc_calls", 0), slot.get("histograms", {}).get("rpc_ms", {})
    if rpc.get("p99_ms"):
        return f"{rpc['p50_ms']:g}/{rpc['p99_ms']:g}"
    return f"{slot.get('rpc_us_total', 0) / calls / 1000:.2f}" if calls else "-"


def row_of(slot: dict[str, Any], now: float) -> tuple[str, ...]:
    """The cells of one process, in the order of COLUMNS."""

    def count(name: str) -> int:
        return int(slot.get(name, 0))

    return (
        f"{slot.get('protocol')}.{slot.get('number')}",
        str(slot.get("pid") or "-"),
        _span(now - count("started")) if slot.get("started") else "-",
        str(count("connections")),
        str(count("commands")),
        str(count("open_mailboxes")),
        _share(count("cache_hits"), count("cache_misses")),
        str(count("rpc_calls")),
        _latency(slot),
        str(count("commits")),
        str(count("deliveries")),
        str(count("auth_failures") + count("auth_throttled")),
        str(count("loop_stalls")),
        f"{count('loop_max_ms')}ms",
        str(count("internal_errors")),
    )


def _table(value: dict[str, Any], width: int) -> Table:
    from rich.table import Table

    slots, now = value["slots"], time.time()
    rows = [COLUMNS, *(row_of(slot, now) for slot in slots)]
    shown = _fitting(rows, width)
    title = f"gromoxd {value.get('version', '')}, master {value.get('master', '-')}, {value.get('site', '')}"
    made = Table(title=title, box=None, header_style="bold", pad_edge=False, title_justify="left")
    for at in shown:
        made.add_column(COLUMNS[at], justify="right" if at else "left", no_wrap=True)
    for slot, cells in zip(slots, rows[1:], strict=True):
        bad = not slot.get("pid") or slot.get("internal_errors") or slot.get("silent_ms", 0) > SILENT_MS
        made.add_row(*(cells[at] for at in shown), style="red" if bad else None)
    return made


def _fitting(rows: Sequence[tuple[str, ...]], width: int) -> list[int]:
    """The columns to show in a terminal of this width."""
    needed = [2 + max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    shown = list(range(len(COLUMNS)))
    for name in DISPENSABLE:
        if sum(needed[at] for at in shown) > width:
            shown.remove(COLUMNS.index(name))
    return shown


@click.command()
@json_option
@click.option("--watch", is_flag=True, help="Go on showing it, once a second, until Ctrl-C.")
@pass_site
def status(site: Site, as_json: bool, watch: bool) -> None:
    """What the server's processes are doing."""
    value = fetch(site)
    if as_json:
        click.echo(json.dumps(value, indent=2))
        while watch:
            time.sleep(1)
            click.echo(json.dumps(fetch(site), indent=2))
        return
    if watch:
        _watch(site, value)
        return
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        console.print(_table(value, console.width))
        return
    now = time.time()
    for cells in (COLUMNS, *(row_of(slot, now) for slot in value["slots"])):
        click.echo("\t".join(cells))


def _watch(site: Site, value: dict[str, Any]) -> None:
    from rich.live import Live

    try:
        with Live(auto_refresh=False, screen=sys.stdout.isatty()) as live:
            while True:
                live.update(_table(value, live.console.width), refresh=True)
                time.sleep(1)
                value = fetch(site)
    except KeyboardInterrupt:
        return
