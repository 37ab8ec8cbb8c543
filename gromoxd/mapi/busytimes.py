"""When a calendar object makes its owner busy, recurrences expanded ([MS-OXOCAL] 2.2.1.2, [MS-OXOPFFB] 3.1.4).

Times are FILETIME (100 nanoseconds since 1601, UTC).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gromoxd.errors import MapiError, WireError
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.calendar import MINUTE_NT, BusyStatus
from gromoxd.mapi.named_tags import (
    PidLidAppointmentEndWhole,
    PidLidAppointmentRecur,
    PidLidAppointmentStartWhole,
    PidLidAppointmentSubType,
    PidLidAppointmentTimeZoneDefinitionRecur,
    PidLidBusyStatus,
    PidLidCommonEnd,
    PidLidCommonStart,
    PidLidLocation,
    PidLidPrivate,
    PidLidRecurring,
    PidLidTimeZoneStruct,
)
from gromoxd.mapi.occurrences import DAY, occurrences
from gromoxd.mapi.proptags import PidTagSensitivity, PidTagSubject
from gromoxd.mapi.recurrence import AppointmentRecurrencePattern
from gromoxd.mapi.timezones import TimeZoneDefinition, TimeZoneStruct, Zone, to_local, to_utc

MOST_OCCURRENCES = 10_000
"""Of one series in one window."""


class Busy(NamedTuple):
    """A time at which somebody is as `status` (BusyStatus) says. `private`: its subject and location are nobody's."""

    start_nt: int
    end_nt: int
    status: int
    subject: str = ""
    location: str = ""
    private: bool = False
    recurring: bool = False
    exception: bool = False


TAGS = (
    PidLidAppointmentStartWhole, PidLidAppointmentEndWhole, PidLidAppointmentRecur, PidLidBusyStatus, PidLidLocation,
    PidLidRecurring, PidLidTimeZoneStruct, PidLidAppointmentTimeZoneDefinitionRecur, PidLidPrivate, PidTagSensitivity,
    PidTagSubject, PidLidAppointmentSubType, PidLidCommonStart, PidLidCommonEnd,
)  # fmt: skip
"""The properties that are looked at."""


def zone_of(props: Bag) -> Zone | None:
    """The zone in which a series recurs ([MS-OXOCAL] 2.2.1.39, 2.2.1.41); None when none is told: UTC then."""
    for tag, kind in (
        (PidLidAppointmentTimeZoneDefinitionRecur, TimeZoneDefinition), (PidLidTimeZoneStruct, TimeZoneStruct),
    ):  # fmt: skip
        value = props.get(tag)
        if not isinstance(value, bytes):
            continue
        try:
            zone: TimeZoneDefinition | TimeZoneStruct = kind.decode(value)
        except WireError:
            continue
        if isinstance(zone, TimeZoneDefinition):
            found = zone.effective or (zone if zone.rules else None)
            if found is not None:
                return found
            continue
        return zone
    return None


def local_minutes(zone: Zone | None, time_nt: int) -> int:
    """Minutes since 1601 on the clock of a zone."""
    minutes = time_nt // MINUTE_NT
    return minutes if zone is None else to_local(zone, minutes)


def utc_nt(zone: Zone | None, minutes: int) -> int:
    """The inverse."""
    return (minutes if zone is None else to_utc(zone, minutes)) * MINUTE_NT


def pattern_of(props: Bag) -> AppointmentRecurrencePattern | None:
    """The recurrence of an object; None if it has none that can be read."""
    value = props.get(PidLidAppointmentRecur)
    if not isinstance(value, bytes) or not value or props.get(PidLidRecurring) is False:
        return None
    try:
        return AppointmentRecurrencePattern.decode(value)
    except WireError:
        return None


def busy_times(props: Bag, start_nt: int, end_nt: int) -> list[Busy]:
    """The times of one calendar object within [start_nt, end_nt), by their start, free ones left out."""
    status = _number(props, PidLidBusyStatus, BusyStatus.olBusy)
    private = props.get(PidLidPrivate) is True or _number(props, PidTagSensitivity, 0) >= 2
    base = Busy(0, 0, status, _text(props, PidTagSubject), _text(props, PidLidLocation), private)
    pattern = pattern_of(props)
    if pattern is not None:
        try:
            return list(_series(base, pattern, zone_of(props), start_nt, end_nt))
        except (WireError, MapiError):
            pass  # a pattern without dates or of a lunar calendar: the first occurrence is known
    begins, ends = span(props)
    if status == BusyStatus.olFree or begins >= end_nt or ends <= start_nt:
        return []
    return [base._replace(start_nt=begins, end_nt=ends)]


def span(props: Bag) -> tuple[int, int]:
    """Start and end of an object that does not recur; (0, 0) if it has none."""
    begins = _number(props, PidLidAppointmentStartWhole, 0) or _number(props, PidLidCommonStart, 0)
    ends = _number(props, PidLidAppointmentEndWhole, 0) or _number(props, PidLidCommonEnd, 0)
    return begins, max(begins, ends)


def _series(
    base: Busy, pattern: AppointmentRecurrencePattern, zone: Zone | None, start_nt: int, end_nt: int
) -> Iterator[Busy]:
    first = max(local_minutes(zone, start_nt) - DAY, 0)
    last = local_minutes(zone, end_nt) + DAY
    for count, each in enumerate(occurrences(pattern, first, last)):
        if count >= MOST_OCCURRENCES:
            return
        busy = base._replace(start_nt=utc_nt(zone, each.start), end_nt=utc_nt(zone, each.end), recurring=True)
        info, extended = each.exception, each.extended
        if info is not None:
            busy = busy._replace(
                status=busy.status if info.busy_status is None else info.busy_status, exception=True,
                subject=(extended.subject if extended else None) or busy.subject,
                location=(extended.location if extended else None) or busy.location,
            )  # fmt: skip
        if busy.status != BusyStatus.olFree and busy.start_nt < end_nt and busy.end_nt > start_nt:
            yield busy


def overlaps(times: Iterable[Busy], start_nt: int, end_nt: int) -> bool:
    """Whether any of these times meets [start_nt, end_nt)."""
    return any(busy.start_nt < end_nt and busy.end_nt > start_nt for busy in times)


def _number(props: Bag, tag: int, otherwise: int) -> int:
    value = props.get(tag)
    return value if isinstance(value, int) else otherwise


def _text(props: Bag, tag: int) -> str:
    value = props.get(tag)
    return value if isinstance(value, str) else ""
