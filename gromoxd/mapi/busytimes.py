"""When a calendar object makes its owner busy, recurrences expanded ([MS-OXOCAL] 2.2.1.2, [MS-OXOPFFB] 3.1.4).

Times are FILETIME (100 nanoseconds since 1601, UTC).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from gromoxd.errors import MapiError, WireError
from gromoxd.mapi.appointments import Span, spans, zone_of
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.calendar import MINUTE_NT, BusyStatus
from gromoxd.mapi.named_tags import (
    PidLidAppointmentEndWhole,
    PidLidAppointmentStartWhole,
    PidLidBusyStatus,
    PidLidCommonEnd,
    PidLidCommonStart,
    PidLidLocation,
    PidLidPrivate,
)
from gromoxd.mapi.proptags import PidTagSensitivity, PidTagSubject
from gromoxd.mapi.timezones import TimeZoneDefinition, to_local, to_utc

MOST_OCCURRENCES = 10_000
"""Of one series in one window."""
PRIVATE = 2
"""PidTagSensitivity ([MS-OXCMSG] 2.2.1.13) from which on the subject is nobody's."""


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


def series_zone(props: Bag) -> TimeZoneDefinition | None:
    """The zone in which a series recurs; None when it is told nowhere: UTC then."""
    return zone_of(props, recurring=True)


def local_minutes(zone: TimeZoneDefinition | None, time_nt: int) -> int:
    """Minutes since 1601 on the clock of a zone."""
    minutes = time_nt // MINUTE_NT
    return minutes if zone is None else to_local(zone, minutes)


def utc_nt(zone: TimeZoneDefinition | None, minutes: int) -> int:
    """The inverse."""
    return (minutes if zone is None else to_utc(zone, minutes)) * MINUTE_NT


def span(props: Bag) -> tuple[int, int]:
    """Start and end of an object, of a series its first occurrence's; (0, 0) if it has none."""
    begins = _number(props, PidLidAppointmentStartWhole) or _number(props, PidLidCommonStart)
    ends = _number(props, PidLidAppointmentEndWhole) or _number(props, PidLidCommonEnd)
    return begins, max(begins, ends)


def busy_times(props: Bag, start_nt: int, end_nt: int) -> list[Busy]:
    """The times of one calendar object within [start_nt, end_nt), by their start, free ones left out."""
    first, last = start_nt // MINUTE_NT, -(-end_nt // MINUTE_NT)
    try:
        found = list(islice(spans(props, first, last), MOST_OCCURRENCES))
    except (WireError, MapiError):  # a pattern without dates or of a lunar calendar: the first occurrence is known
        begins, ends = (time // MINUTE_NT for time in span(props))
        status = _number(props, PidLidBusyStatus, BusyStatus.olBusy)
        found = [Span(begins, ends, status)] if begins < last and ends > first else []
    private = props.get(PidLidPrivate) is True or _number(props, PidTagSensitivity) >= PRIVATE
    base = Busy(0, 0, 0, _text(props, PidTagSubject), _text(props, PidLidLocation), private)
    return [_busy(base, each) for each in found if each.busy_status != BusyStatus.olFree]


def _busy(base: Busy, each: Span) -> Busy:
    occurrence = each.occurrence
    busy = base._replace(
        start_nt=each.start * MINUTE_NT, end_nt=each.end * MINUTE_NT, status=each.busy_status,
        recurring=occurrence is not None,
    )  # fmt: skip
    if occurrence is None or occurrence.exception is None:
        return busy
    extended = occurrence.extended
    subject, location = (extended.subject, extended.location) if extended is not None else (None, None)
    return busy._replace(
        exception=True, subject=busy.subject if subject is None else subject,
        location=busy.location if location is None else location,
    )  # fmt: skip


def overlaps(times: Iterable[Busy], start_nt: int, end_nt: int) -> bool:
    """Whether any of these times meets [start_nt, end_nt)."""
    return any(busy.start_nt < end_nt and busy.end_nt > start_nt for busy in times)


def _number(props: Bag, tag: int, otherwise: int = 0) -> int:
    value = props.get(tag)
    return value if isinstance(value, int) else otherwise


def _text(props: Bag, tag: int) -> str:
    value = props.get(tag)
    return value if isinstance(value, str) else ""
