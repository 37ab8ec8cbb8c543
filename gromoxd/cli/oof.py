"""gromoxctl oof: the out-of-office message of a mailbox."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from gromoxd.cli.site import Site, json_option, pass_site, plain, table
from gromoxd.cli.stores import store_of

STATES = ("off", "on", "scheduled")
AUDIENCES = ("nobody", "known", "everybody")
TIME = "%Y-%m-%d %H:%M"


@click.group()
def oof() -> None:
    """The message that senders get while the owner of a mailbox is out of office. USER is a mailbox."""


@oof.command()
@click.argument("name", metavar="USER")
@json_option
@pass_site
def show(site: Site, name: str, as_json: bool) -> None:
    """Show whether the message is sent, to whom, and its texts."""
    from gromoxd.exmdb.oofcalls import SCHEDULED, GetOof

    with store_of(site, name) as store:
        found = store.call(GetOof())
    timed = found.state == SCHEDULED
    rows: list[dict[str, Any]] = [
        {"setting": "state", "value": STATES[found.state]},
        {"setting": "start", "value": _shown(found.start) if timed else None},
        {"setting": "end", "value": _shown(found.end) if timed else None},
        {"setting": "subject", "value": plain(found.subject) or None},
        {"setting": "text", "value": found.text if as_json else plain(found.text)},
        {"setting": "html", "value": found.html},
        {"setting": "audience", "value": AUDIENCES[found.audience]},
        {"setting": "external subject", "value": plain(found.external_subject) or None},
        {"setting": "external text", "value": found.external_text if as_json else plain(found.external_text)},
        {"setting": "external html", "value": found.external_html},
    ]
    table(rows, as_json, ("setting", "value"))


def _shown(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime(TIME) + " UTC"


@oof.command(name="set")
@click.argument("name", metavar="USER")
@click.option("--state", type=click.Choice(STATES), help="scheduled: between --start and --end.")
@click.option("--start", metavar="TIME", help=f"UTC, as {datetime(2027, 1, 31, 18).strftime(TIME)}.")
@click.option("--end", metavar="TIME", help="UTC.")
@click.option("--text", help="What those of the organisation get.")
@click.option("--external-text", help="What others get; empty: nothing.")
@click.option("--html/--plain", default=None, help="The texts are HTML.")
@click.option("--audience", type=click.Choice(AUDIENCES), help="Who of the others: known are contacts.")
@click.option("--subject", help='In place of "Automatic reply: …".')
@click.option("--external-subject", help="The same for others.")
@pass_site
def set_(
    site: Site, name: str, state: str | None, start: str | None, end: str | None, text: str | None,
    external_text: str | None, html: bool | None, audience: str | None, subject: str | None,
    external_subject: str | None,
) -> None:  # fmt: skip
    """Change what is given, and leave the rest. Everybody is answered anew then."""
    from msgspec.structs import replace

    from gromoxd.exmdb.oofcalls import GetOof, SetOof

    wanted = {
        "state": None if state is None else STATES.index(state),
        "start": None if start is None else _time(start),
        "end": None if end is None else _time(end),
        "text": text,
        "external_text": external_text,
        "html": html,
        "external_html": html,
        "audience": None if audience is None else AUDIENCES.index(audience),
        "subject": subject,
        "external_subject": external_subject,
    }
    with store_of(site, name) as store:
        settings = replace(store.call(GetOof()), **{key: value for key, value in wanted.items() if value is not None})
        store.call(SetOof(settings))


def _time(text: str) -> int:
    try:
        return int(datetime.strptime(text, TIME).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise click.ClickException(f"{text!r} is no time such as 2027-01-31 18:00") from None
