"""Items as a calendar object ([MS-OXCICAL] 2.1.3.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gromoxd.convert.contentline import component, line
from gromoxd.convert.ical.eventsout import Clock, method_of_item, write_event
from gromoxd.convert.ical.rules import year_of
from gromoxd.convert.ical.tasks import write_journal, write_task
from gromoxd.convert.ical.texts import text_of
from gromoxd.convert.ical.zones import Zone, vtimezone
from gromoxd.convert.item import Item
from gromoxd.mapi import proptags as p

PRODID: Final = "-//gromoxd//iCalendar//EN"


class _Zones:
    """The zones that the components of one calendar name; one TZID is one zone."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[Zone, int]] = {}

    def use(self, clock: Clock, local: int) -> None:
        zone = clock.used
        if zone is None:
            return
        key, year = zone.tzid.lower(), year_of(local)
        known = self.found.get(key)
        if known is None or year < known[1]:
            self.found[key] = zone, year

    def written(self) -> list[bytes]:
        return [vtimezone(zone.tzid, zone.definition, year) for zone, year in self.found.values()]


def to_ical(items: Sequence[Item], *, method: str = "", zone: str = "", inline: bool = True) -> bytes:
    """A VCALENDAR of items. `method`: without one, that of the first item's class, or none.

    `zone`: the zone of all-day items that do not say theirs. `inline`: whether the octets of attachments go with it.
    """
    method = (method or (method_of_item(items[0]) if items else "")).upper()
    zones = _Zones()
    body: list[bytes] = []
    for item in items:
        kind = text_of(item.props, p.PidTagMessageClass).upper()
        if kind.startswith("IPM.TASK"):
            body.append(write_task(item, inline=inline))
        elif kind.startswith(("IPM.STICKYNOTE", "IPM.ACTIVITY")):
            body.append(write_journal(item, inline=inline))
        else:
            body += write_event(item, method, zone, zones.use, inline=inline)
    head = [line("PRODID", PRODID), line("VERSION", "2.0"), line("CALSCALE", "GREGORIAN")]
    if method:
        head.append(line("METHOD", method))
    return component("VCALENDAR", [*head, *zones.written(), *body])
