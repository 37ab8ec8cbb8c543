"""A calendar object (RFC 5545 3.4) as items: which components are one, and what each becomes."""

from __future__ import annotations

from typing import Final, NamedTuple

from gromoxd.convert.contentline import Component, components, split
from gromoxd.convert.ical.events import Context, event_item
from gromoxd.convert.ical.tasks import journal_item, task_item
from gromoxd.convert.ical.values import MAX_VALUES, integer, period
from gromoxd.convert.ical.zones import Zones
from gromoxd.convert.item import Item
from gromoxd.errors import WireError
from gromoxd.mapi.ianazones import find

MAX_OBJECTS: Final = 50_000
MAX_EXCEPTIONS: Final = 2_000
"""Components that replace occurrences of one series; more are left out."""
_METHODS = frozenset(("PUBLISH", "REQUEST", "REPLY", "ADD", "CANCEL", "REFRESH", "COUNTER", "DECLINECOUNTER"))
_OBJECTS = ("VEVENT", "VTODO", "VJOURNAL")


def calendars(data: bytes | str) -> list[Component]:
    """The VCALENDARs of some octets, bare components taken as of one. WireError where there is nothing of the kind."""
    found = components(data)
    calendars = [each for each in found if each.name == "VCALENDAR"]
    bare = [each for each in found if each.name in (*_OBJECTS, "VFREEBUSY", "VTIMEZONE")]
    if bare:
        calendars.append(Component("VCALENDAR", [], bare))
    if not calendars:
        raise WireError("no iCalendar object")
    return calendars


def method_of(data: bytes | str) -> str:
    """METHOD in upper case, '' when there is none that is known."""
    return next((method for each in calendars(data) if (method := _method(each))), "")


def _method(calendar: Component) -> str:
    method = calendar.value("METHOD").strip().upper()
    return method if method in _METHODS else ""


def items_of(data: bytes | str, *, zone: str = "", user: str = "", limit: int = MAX_OBJECTS) -> list[Item]:
    """The events, tasks and journal entries of a calendar, one item each. WireError for what is no calendar at all.

    `zone`: IANA or Windows name of the zone of floating times and of days, UTC without one. `user`: the SMTP address of
    whose calendar it is for, who may be organizer or attendee of meetings. `limit`: the first of them only.
    """
    found: list[Item] = []
    for calendar in calendars(data):
        named = calendar.value("X-WR-TIMEZONE").strip()
        floating = named if named and find(named) is not None else ""
        zones = Zones([each for each in calendar.children if each.name == "VTIMEZONE"], floating or zone, floating)
        context = Context(zones, _method(calendar), user)
        objects = _objects(calendar)[: max(limit - len(found), 0)]
        found += [_MAKERS[each.name](each, exceptions, context) for each, exceptions in objects]
    return found


def _objects(calendar: Component) -> list[tuple[Component, list[Component]]]:
    """The objects in their order, each with the components that replace its occurrences."""
    masters: dict[tuple[str, str], list[Component]] = {}
    found: list[tuple[Component, list[Component]]] = []
    latest: dict[tuple[str, str], int] = {}
    replacing = []
    for each in calendar.children:
        if each.name not in _MAKERS or len(found) >= MAX_OBJECTS:
            continue
        if each.name == "VEVENT" and each.value("RECURRENCE-ID").strip():
            replacing.append(each)
            continue
        exceptions: list[Component] = []
        found.append((each, exceptions))
        key = each.name, each.value("UID").strip()
        if key[1] and (key not in latest or _sequence(each) > latest[key]):
            masters[key], latest[key] = exceptions, _sequence(each)
    found = [(each, exceptions) for each, exceptions in found if not _superseded(each, latest)]
    for each in replacing:
        known = masters.get((each.name, each.value("UID").strip()))
        if known is None:
            found.append((each, []))
        elif len(known) < MAX_EXCEPTIONS:
            known.append(each)
    return found


def _sequence(component: Component) -> int:
    return integer(component.value("SEQUENCE")) or 0


def _superseded(component: Component, latest: dict[tuple[str, str], int]) -> bool:
    """Whether a later revision of the same object is in the calendar (RFC 5545 3.8.7.4)."""
    return _sequence(component) < latest.get((component.name, component.value("UID").strip()), 0)


_MAKERS = {"VEVENT": event_item, "VTODO": task_item, "VJOURNAL": journal_item}


class Period(NamedTuple):
    """A time of a VFREEBUSY: UTC seconds since 1970, and FBTYPE."""

    start: int
    end: int
    kind: str


_UNIX = 11_644_473_600


def periods_of(data: bytes | str) -> list[Period]:
    """The times of all VFREEBUSYs (RFC 5545 3.6.4), in ascending order."""
    found = []
    for calendar in calendars(data):
        zones = Zones([each for each in calendar.children if each.name == "VTIMEZONE"])
        for each in calendar.children:
            for line in each.all("FREEBUSY")[:MAX_VALUES] if each.name == "VFREEBUSY" else ():
                kind = line.param("FBTYPE").upper() or "BUSY"
                for text in split(line.value, ",", MAX_VALUES):
                    span = period(text, line.param("TZID"))
                    if span is not None:
                        start = zones.utc(span[0]) - _UNIX
                        found.append(Period(start, start + span[1], kind))
    return sorted(found)
