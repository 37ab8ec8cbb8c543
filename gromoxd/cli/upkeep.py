"""gromoxctl mailbox check, repair, compact: verification and mending of a mailbox by its owner."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from gromoxd.cli.site import Site, json_option, pass_site, plain
from gromoxd.cli.stores import LONG_DEADLINE, Store, store_of

if TYPE_CHECKING:
    from gromoxd.exmdb.upkeepcalls import Fault

content_option = click.option("--content", is_flag=True, help="Read all messages and attachments too, to the end.")


@click.command()
@click.argument("name", metavar="USER")
@content_option
@json_option
@pass_site
def check(site: Site, name: str, content: bool, as_json: bool) -> None:
    """Verify a mailbox without changing it; exit status 1 when there are faults.

    Counters, pages, ids, references, tombstones and search results are compared with what is there, content files
    looked for, and SQLite checks the database.
    """
    from gromoxd.exmdb.upkeepcalls import KINDS

    with store_of(site, name) as store:
        found = [look(store, kind) for kind, known in KINDS.items() if content or not known.thorough]
    found = [one for one in found if one["count"]]
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    for one in () if as_json else found:
        tell(one)
    count = sum(one["count"] for one in found)
    if not count:
        if not as_json:
            click.echo("no faults")
        return
    mendable = sum(one["count"] for one in found if one["mendable"])
    raise click.ClickException(f"{_faults(count)}; gromoxctl mailbox repair can mend {mendable}")


def look(store: Store, kind: str) -> dict[str, Any]:
    """The faults of one kind."""
    from gromoxd.exmdb.upkeepcalls import KINDS, MOST_FAULTS, CheckMailbox

    _say(f"looking for: {kind}")
    shown: list[Fault] = []
    count, after = 0, 0
    while True:
        piece = store.call(CheckMailbox(kind, after), LONG_DEADLINE)
        count += piece.count
        shown = [*shown, *piece.faults][:MOST_FAULTS]
        after = piece.next
        if not after:
            break
    _say("")
    known = KINDS[kind]
    return {"kind": kind, "line": known.line, "count": count, "mendable": known.mendable, "faults": _shown(shown)}


def _shown(faults: list[Fault]) -> list[dict[str, Any]]:
    return [{"fid": fault.fid, "id": fault.id, "text": fault.text} for fault in faults]


def _say(text: str) -> None:
    """What is going on, on a terminal."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)


def tell(one: dict[str, Any]) -> None:
    """Print the faults of one kind."""
    click.echo(f"{one['kind']}: {one['line']}: {one['count']}")
    for fault in one["faults"]:
        place = f"folder {fault['fid']:#x}: " if fault["fid"] else ""
        number = f" ({fault['id']:#x})" if fault["id"] else ""
        click.echo(f"  {place}{plain(fault['text'])}{number}")
    if one["count"] > len(one["faults"]):
        click.echo(f"  and {one['count'] - len(one['faults'])} more")


def _faults(count: int) -> str:
    return "1 fault" if count == 1 else f"{count} faults"


@click.command()
@click.argument("name", metavar="USER")
@json_option
@pass_site
def repair(site: Site, name: str, as_json: bool) -> None:
    """Mend what check finds, as far as it can be mended; exit status 1 when something is left.

    No message is removed. Data that belongs to nobody comes back as a deleted message, which can be recovered until
    retention ends. The mailbox stays in use; clients see the mended folders as changed.
    """
    from gromoxd.exmdb.upkeepcalls import KINDS

    mended, left = [], []
    with store_of(site, name) as store:
        for kind, known in KINDS.items():
            if known.thorough:
                continue
            found = look(store, kind)
            if found["count"] and known.mendable:
                done = mend(store, kind)
                mended.append({**found, "count": len(done), "faults": _shown(done)})
                found = look(store, kind)
            if found["count"]:
                left.append(found)
    if as_json:
        click.echo(json.dumps({"mended": mended, "left": left}, indent=2, ensure_ascii=False))
    else:
        _report(mended, left)
    if left:
        raise click.ClickException(f"{_faults(sum(one['count'] for one in left))} left")


def mend(store: Store, kind: str) -> list[Fault]:
    """Mend the faults of one kind, step by step."""
    from gromoxd.exmdb.upkeepcalls import RepairMailbox

    done: list[Fault] = []
    while True:
        _say(f"mending: {kind} {len(done) or ''}")
        step = store.call(RepairMailbox(kind), LONG_DEADLINE)
        done += step.mended
        if not step.more:
            _say("")
            return done


def _report(mended: list[dict[str, Any]], left: list[dict[str, Any]]) -> None:
    for one in mended:
        click.echo(f"mended {one['count']}")
        tell(one)
    for one in left:
        click.echo("left")
        tell(one)
    if not mended and not left:
        click.echo("no faults")


@click.command()
@click.argument("name", metavar="USER")
@json_option
@pass_site
def compact(site: Site, name: str, as_json: bool) -> None:
    """Write a mailbox's database anew without its gaps, and remove content files that nothing refers to.

    The mailbox stays readable; writes to it, such as deliveries, wait meanwhile (about as long as copying the
    database file twice). So much room is needed, too.
    """
    from gromoxd.exmdb.upkeepcalls import CompactMailbox

    with store_of(site, name) as store:
        done = store.call(CompactMailbox(), LONG_DEADLINE)
    if as_json:
        click.echo(json.dumps({field: getattr(done, field) for field in done.__struct_fields__}, indent=2))
        return
    click.echo(f"database: {done.before} to {done.after} bytes, {done.before - done.after} freed")
    click.echo(f"content files: {done.files} removed, {done.file_octets} bytes freed")


COMMANDS = (check, repair, compact)
