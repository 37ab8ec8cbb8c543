"""Calendars of the world: the same occurrences before and after iCalendar → item → iCalendar, in ten years.

Samples: ../shared/corpus/ics (icalendar's test data), the calendars that recurring-ical-events installs, and those made
in `tests.convert.ical.made`. Occurrences are counted by recurring-ical-events and icalendar, which share no code with
ours; and what `gromoxd.mapi.appointments.spans` gives for the items must agree with them too.
"""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import icalendar
import pytest
import recurring_ical_events

from gromoxd.convert.ical import items_of, to_ical
from gromoxd.convert.item import Item
from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi.appointments import spans, zone_of
from gromoxd.mapi.ianazones import minutes_of
from gromoxd.mapi.timezones import to_local
from tests.convert.ical.made import MADE

SHARED = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "ics"
INSTALLED = Path(recurring_ical_events.__file__).parent / "test" / "calendars"
EPOCH = datetime(1601, 1, 1)
YEARS = 10

NOT_COUNTED = {
    "calendars__america_new_york_forward_reference.ics": "the other side refuses an event with two DTSTARTs",
    "calendars__broken_dtstart.ics": "a DTSTART that is none: the other side refuses it",
    "calendars__broken_ical.ics": "lines in pieces; we read one event more",
    "calendars__created_calendar_with_unicode_fields.ics": "an event without DTSTART: the other side refuses it",
    "calendars__fuzz_testcase_0_char_in_component_name.ics": "no calendar in it",
    "calendars__fuzz_testcase_invalid_month.ics": "no calendar in it",
    "calendars__fuzz_testcase_vtimezone_lone_cr.ics": "the other side refuses it",
    "calendars__invalid_duration.ics": "a duration of millions of years: we take the start alone",
    "calendars__issue_104_broken_calendar.ics": "the other side refuses a line without a name",
    "calendars__issue_1081_invalid_start_and_end.ics": "the other side refuses a DTSTART that is none",
    "calendars__issue_1081_invalid_start_valid_end.ics": "the other side refuses a DTSTART that is none",
    "calendars__issue_165_missing_event.ics": "a broken line among good ones: the other side drops the series",
    "calendars__issue_526_calendar_with_different_events.ics": "a time zone that only icalendar has a name for",
    "calendars__issue_526_calendar_with_event_subset.ics": "a time zone that only icalendar has a name for",
    "calendars__issue_526_calendar_with_events.ics": "a time zone that only icalendar has a name for",
    "calendars__issue_526_calendar_with_shuffeled_events.ics": "a time zone that only icalendar has a name for",
    "calendars__issue_722_missing_timezones.ics": "events without DTSTART: the other side refuses them",
    "calendars__multiple_timezones.ics": "times of day as RDATE of a time zone: the other side refuses them",
    "calendars__pacific_fiji.ics": "the other side refuses an event with two DTSTARTs",
    "calendars__parsing_error.ics": "an empty EXDATE: the other side drops the series, we keep it",
    "calendars__parsing_error_in_UTC_offset.ics": "an offset of 57 hours: the other side refuses it",
    "events__event_with_recurrence.ics": "a floating series with EXDATE in UTC: for the other side it is UTC",
    "calendars__issue_178_custom_component_contains_other.ics": "an event in a component that is no calendar",
    "bad_rrule_missing_until_event.ics": "an empty UNTIL: the other side drops the series, for us it has no end",
    "issue_117_until_before_dtstart.ics": "a series that ends before it begins: we show its DTSTART",
    "issue_201_mixed_datetime_and_date.ics": "a day that ends in UTC: we keep the day, the other side makes it a time",
    "issue_201_test_matrix.ics": "END:VTOOD: nobody knows which component the rest is in",
    "issue_75_range_parameter.ics": "UNTIL as a day of a timed series: we have the last day, the other side not",
}
"""Samples whose occurrences are not compared, each with the reason; they must be read and written all the same."""

COUNTED_OTHERWISE = {
    "calendars__issue_1081_invalid_rrule_freq.ics": "a rule that nobody can follow: we show DTSTART alone",
    "calendars__issue_1633_rdate_with_dates.ics": "a day as RDATE of a timed event: midnight there",
    "calendars__issue_1633_rdate_with_dates_and_tzid.ics": "the same",
    "calendars__rfc_7529.ics": "rules of other calendars (RSCALE), kept as they are: we show DTSTART alone",
    "docs__tutorials__example.ics": "two events of one UID and revision: both are shown here, one there",
    "events__issue_464_invalid_rdate.ics": "a broken RDATE: the other side drops the event",
}
"""Samples that are the same before and after, but whose items have other occurrences than the other side counts."""


class Seen(NamedTuple):
    """An occurrence: its start in UTC (or as it is when it floats), and its end."""

    start: str
    end: str


def samples() -> list[Any]:
    found = [(path.name, path.read_bytes()) for folder in (SHARED, INSTALLED) for path in sorted(folder.glob("*.ics"))]
    found += [(f"made: {name}", data) for name, data in MADE.items()]
    return [pytest.param(name, data, id=name) for name, data in found if not name.startswith("src__")]


def wrapped(data: bytes) -> bytes:
    """Bare components as a calendar."""
    if b"BEGIN:VCALENDAR" in data:
        return data
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + data.strip() + b"\r\nEND:VCALENDAR\r\n"


def window(data: bytes) -> tuple[date, date] | None:
    """Ten years from the first event on."""
    firsts = []
    for calendar in icalendar.Calendar.from_ical(wrapped(data), multiple=True):
        firsts += [event["DTSTART"].dt for event in calendar.walk("VEVENT") if "DTSTART" in event]
    days = [first.date() if isinstance(first, datetime) else first for first in firsts]
    if not days:
        return None
    first = max(min(days), date(1601, 1, 3)) - timedelta(days=2)
    return first, first.replace(year=first.year + YEARS, day=1)


def counted(data: bytes, begin: date, end: date) -> list[Seen]:
    """What the other side counts."""
    found = []
    for calendar in icalendar.Calendar.from_ical(wrapped(data), multiple=True):
        if calendar.name != "VCALENDAR":
            continue
        query = recurring_ical_events.of(calendar, skip_bad_series=True, components=["VEVENT"])
        for event in query.between(begin, end):
            start = event["DTSTART"].dt
            stop = event["DTEND"].dt if "DTEND" in event else start
            if not isinstance(start, datetime) and stop == start:
                stop = start + timedelta(days=1)
            found.append(Seen(text(start), text(stop)))
    return sorted(found)


def text(when: date) -> str:
    if isinstance(when, datetime) and when.tzinfo is not None:
        when = when.astimezone(UTC).replace(tzinfo=None)
    return str(when)


def ours(items: list[Item], begin: date, end: date) -> list[str]:
    """The starts that we count."""
    first, last = (minutes_of(datetime(day.year, day.month, day.day)) for day in (begin, end))
    found = []
    for item in items:
        if n.PidLidAppointmentStartWhole not in item.props:
            continue
        for span in spans(item.props, first, last):
            all_day = bool(item.props.get(n.PidLidAppointmentSubType))
            exception = span.occurrence.exception if span.occurrence is not None else None
            if exception is not None and exception.sub_type is not None:
                all_day = bool(exception.sub_type)
            local = span.start
            if all_day:
                zone = zone_of(item.props, recurring=span.occurrence is not None)
                local = span.start if zone is None else to_local(zone, span.start)
            start = EPOCH + timedelta(minutes=local)
            found.append(str(start.date()) if all_day else str(start))
    return found


def inside(starts: list[str], begin: date, end: date) -> list[str]:
    """To the minute, since a recurrence of MAPI has no seconds; without the edges, which depend on zones."""
    first, last = str(begin + timedelta(days=1)), str(end - timedelta(days=2))
    return sorted(start[:16] for start in starts if first <= start < last)


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize(("name", "data"), samples())
def test_occurrences(name: str, data: bytes) -> None:
    try:
        items = items_of(data)
    except WireError:
        assert b"BEGIN:VEVENT" not in data or name in NOT_COUNTED
        return
    made = to_ical(items)
    assert to_ical(items_of(made)) == made, "the second time it is the same"
    if name in NOT_COUNTED:
        return
    between = window(data)
    if between is None:
        assert not any(n.PidLidAppointmentStartWhole in item.props for item in items)
        return
    before = counted(data, *between)
    assert counted(made, *between) == before
    starts = inside([each.start for each in before], *between)
    if name in COUNTED_OTHERWISE:
        assert inside(ours(items, *between), *between) != starts
    else:
        assert inside(ours(items, *between), *between) == starts


def test_all_samples_are_there() -> None:
    names = {path.name for folder in (SHARED, INSTALLED) for path in folder.glob("*.ics")}
    if not SHARED.exists():
        pytest.skip("LOUD: ../shared/corpus/ics is absent: its 199 calendars are NOT tested")
    assert NOT_COUNTED.keys() <= names
    assert len(names) > 280
