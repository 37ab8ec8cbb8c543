"""When an appointment is: the time zone that its properties mean, and all its occurrences in UTC.

Works on the property bag alone ([MS-OXOCAL] 2.2.1): what an exception changes stands in the recurrence too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.occurrences import DAY, Occurrence, occurrences
from gromoxd.mapi.recurrence import AppointmentRecurrencePattern
from gromoxd.mapi.times import TICKS
from gromoxd.mapi.timezones import (
    TimeZoneDefinition,
    TimeZoneStruct,
    consistent,
    definition_of,
    to_local,
    to_utc,
)

_MINUTE_NT = 60 * TICKS
BUSY = 2
"""PidLidBusyStatus of what does not say ([MS-OXOCAL] 2.2.1.2): olBusy."""


class Span(NamedTuple):
    """One occurrence; minutes since 1601, UTC."""

    start: int
    end: int
    busy_status: int
    occurrence: Occurrence | None = None
    """Of a series: with its exception, in local time."""


def zone_of(bag: Bag, *, recurring: bool) -> TimeZoneDefinition | None:
    """The zone of a series, or in which the start of an appointment is shown; None when it does not say.

    PidLidTimeZoneStruct is right where the definition differs from it ([MS-OXOCAL] 2.2.1.41).
    """
    tags = [n.PidLidAppointmentTimeZoneDefinitionStartDisplay]
    if recurring:
        tags.insert(0, n.PidLidAppointmentTimeZoneDefinitionRecur)
    struct = _struct(bag.get(n.PidLidTimeZoneStruct))
    for tag in tags:
        found = zone_value(bag.get(tag))
        if found is not None:
            if recurring and struct is not None and not consistent(found, struct):
                return definition_of(struct, found.key_name)
            return found
    if struct is None:
        return None
    description = bag.get(n.PidLidTimeZoneDescription)
    return definition_of(struct, description if isinstance(description, str) and description else "Custom")


def zone_value(value: object) -> TimeZoneDefinition | None:
    """A definition that can be used."""
    if not isinstance(value, bytes):
        return None
    try:
        found = TimeZoneDefinition.decode(value)
    except WireError:
        return None
    return found if found.rules else None


def _struct(value: object) -> TimeZoneStruct | None:
    try:
        return TimeZoneStruct.decode(value) if isinstance(value, bytes) else None
    except WireError:
        return None


def recurrence_of(bag: Bag) -> AppointmentRecurrencePattern | None:
    """The recurrence of a series; None for one that is none or is damaged."""
    value = bag.get(n.PidLidAppointmentRecur)
    try:
        return AppointmentRecurrencePattern.decode(value) if isinstance(value, bytes) and value else None
    except WireError:
        return None


def spans(bag: Bag, start: int, end: int) -> Iterator[Span]:
    """What of an appointment lies in [start, end), UTC minutes since 1601, in ascending order of local time.

    WireError for a series without dates, MapiError(ecNotSupported) for one in a lunar calendar.
    """
    busy = _integer(bag.get(n.PidLidBusyStatus), BUSY)
    recurrence = recurrence_of(bag)
    if recurrence is None:
        first, last = _minutes(bag, n.PidLidAppointmentStartWhole), _minutes(bag, n.PidLidAppointmentEndWhole)
        if first is not None and last is not None and first < end and (last > start or first >= start):
            yield Span(first, max(last, first), busy)
        return
    zone = zone_of(bag, recurring=True)
    begin = start - DAY if zone is None else to_local(zone, start) - DAY
    for each in occurrences(recurrence, begin, (end if zone is None else to_local(zone, end)) + DAY):
        first, last = (each.start, each.end) if zone is None else (to_utc(zone, each.start), to_utc(zone, each.end))
        if first < end and (last > start or first >= start):
            status = each.exception.busy_status if each.exception is not None else None
            yield Span(first, max(last, first), busy if status is None else status, each)


def _integer(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def _minutes(bag: Bag, tag: int) -> int | None:
    value = bag.get(tag)
    return value // _MINUTE_NT if isinstance(value, int) else None
