"""Recurrences of the documents: RFC 5545 3.8.5.3, [MS-OXCICAL] 2.1.3.2.2, [MS-OXOCAL] 4.1.1, through text and back."""

from __future__ import annotations

from datetime import datetime, timedelta

import icalendar
import pytest
import recurring_ical_events

from gromoxd.convert.ical import items_of, to_ical
from gromoxd.convert.ical.rules import expand, parse_rule
from gromoxd.convert.ical.values import LAST
from gromoxd.convert.item import Item
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.appointments import recurrence_of, spans, zone_of
from gromoxd.mapi.ianazones import minutes_of
from gromoxd.mapi.recurrence import AppointmentRecurrencePattern
from gromoxd.mapi.timezones import TimeZoneDefinition, to_local, to_utc
from tests.golden.propertyexamples import N_MONTHLY
from tests.golden.recurrenceexamples import (
    DAILY_TEMPLATES,
    FRIDAYS,
    SERIES,
    SEVERAL_A_DAY,
    YEARLY_TEMPLATES,
    Series,
    Template,
)
from tests.mapi.structures import calendar as c

EPOCH = datetime(1601, 1, 1)
NEW_YORK = "America/New_York"
alternatives = [
    pytest.param(series, rule, id=f"{name} {number}")
    for name, series in SERIES.items()
    for number, rule in enumerate(series.rules)
]


def calendar(begin: datetime, rule: str, *lines: str) -> bytes:
    event = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//golden//EN", "BEGIN:VEVENT", "UID:rule@example.com",
        "DTSTAMP:19970901T130000Z", f"DTSTART;TZID={NEW_YORK}:{begin:%Y%m%dT%H%M%S}", "DURATION:PT1H", *lines,
        f"RRULE:{rule}", "SUMMARY:Rule", "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    return "\r\n".join(event).encode()


def local(item: Item, last: datetime) -> list[str]:
    """What the item's recurrence says, on its own clock."""
    zone = zone_of(item.props, recurring=True)
    assert zone is not None
    found = spans(item.props, minutes_of(datetime(1990, 1, 1)), to_utc(zone, minutes_of(last)))
    return [f"{EPOCH + timedelta(minutes=to_local(zone, each.start)):%Y-%m-%d %H:%M}" for each in found]


def until(series: Series) -> datetime:
    """After the last occurrence that is printed; a year after the last one of all."""
    last = datetime.fromisoformat(series.dates()[-1])
    return last + timedelta(days=1 if series.endless else 366)


@pytest.mark.parametrize(("series", "rule"), alternatives)
def test_rule(series: Series, rule: str) -> None:
    parsed = parse_rule(rule)
    assert parsed is not None
    begin = int((series.begin - EPOCH).total_seconds())
    end = LAST if not series.endless else int((until(series) - EPOCH).total_seconds())
    if parsed.until is not None:
        end = parsed.until.seconds
    found = [f"{EPOCH + timedelta(seconds=each):%Y-%m-%d %H:%M}" for each in expand(parsed, begin, end, 500)]
    assert found == [f"{day} 09:00" for day in series.dates()]


@pytest.mark.parametrize(("series", "rule"), alternatives)
def test_series(series: Series, rule: str) -> None:
    """The pattern of MAPI, and what is written again, have the printed occurrences at nine in New York."""
    (item,) = items_of(calendar(series.begin, rule))
    expected = [f"{day} 09:00" for day in series.dates()]
    assert local(item, until(series)) == expected
    written = to_ical([item])
    assert _counted(written, series) == expected
    (again,) = items_of(written)
    assert local(again, until(series)) == expected
    assert again.props[n.PidLidAppointmentRecur] == item.props[n.PidLidAppointmentRecur]


def _counted(written: bytes, series: Series) -> list[str]:
    """By icalendar and recurring-ical-events, which share no code with ours."""
    query = recurring_ical_events.of(icalendar.Calendar.from_ical(written))
    starts = [event["DTSTART"].dt for event in query.between(datetime(1990, 1, 1), until(series))]
    assert {str(each.tzinfo) for each in starts} == {NEW_YORK}
    return sorted(f"{each:%Y-%m-%d %H:%M}" for each in starts)


def test_daylight_saving() -> None:
    """EDT and EST of the example: 13:00 and 14:00 UTC."""
    (item,) = items_of(calendar(datetime(1997, 9, 2, 9), "FREQ=WEEKLY;COUNT=10"))
    found = list(spans(item.props, minutes_of(datetime(1997, 1, 1)), minutes_of(datetime(1998, 1, 1))))
    assert [each.start // 60 % 24 for each in found] == [13] * 8 + [14] * 2


def test_friday_the_thirteenth() -> None:
    (item,) = items_of(calendar(FRIDAYS.begin, FRIDAYS.rules[0], f"EXDATE;TZID={NEW_YORK}:19970902T090000"))
    expected = [f"{day} 09:00" for day in FRIDAYS.dates()]
    assert local(item, until(FRIDAYS)) == expected
    assert _counted(to_ical([item]), FRIDAYS) == expected


@pytest.mark.parametrize(("rules", "expected"), SEVERAL_A_DAY.values(), ids=list(SEVERAL_A_DAY))
def test_several_a_day(rules: tuple[str, ...], expected: list[str]) -> None:
    """Patterns of MAPI have one occurrence a day: the others are exceptions, and the rule is written again."""
    begin = datetime(1997, 9, 2, 9)
    for rule in rules:
        (item,) = items_of(calendar(begin, rule))
        found = [each[11:] for each in local(item, begin + timedelta(days=1, hours=10))]
        assert found == expected
        assert f"RRULE:{rule}".encode() in to_ical([item]).replace(b"\r\n ", b"")


@pytest.mark.parametrize("template", [*DAILY_TEMPLATES, *YEARLY_TEMPLATES], ids=lambda template: template.rule)
def test_template(template: Template) -> None:
    start = {"9": datetime(2008, 9, 30, 15, 30), "1": datetime(2008, 1, 10, 15, 30), "3": datetime(2008, 3, 15, 15, 30)}
    month = dict(part.split("=") for part in template.rule.split(";")).get("BYMONTH", "1")
    (item,) = items_of(calendar(start[month], template.rule))
    recurrence = recurrence_of(item.props)
    assert recurrence is not None
    pattern = recurrence.recurrence_pattern
    fields = (
        template.rule, pattern.recur_frequency, pattern.pattern_type, pattern.period, pattern.day,
        pattern.occurrence_count, pattern.end_type,
    )  # fmt: skip
    assert fields == template
    assert (pattern.reader_version, pattern.writer_version, pattern.sliding_flag) == (0x3004, 0x3004, 0)
    assert (recurrence.reader_version2, recurrence.writer_version2) == (0x3006, 0x3009)
    assert (recurrence.start_time_offset, recurrence.end_time_offset) == (930, 990)
    (again,) = items_of(to_ical([item]))
    assert again.props[n.PidLidAppointmentRecur] == item.props[n.PidLidAppointmentRecur]


BLOBS = {
    "oxocal-4.1.1.1": (c.WEEKLY, ["RRULE:FREQ=WEEKLY;BYDAY=MO,TH,FR;WKST=SU;COUNT=12"]),
    "oxocal-4.1.1.2": (c.WEEKLY_EXCEPTION, [
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TH,FR;WKST=SU;COUNT=12",
        "RECURRENCE-ID;TZID=Pacific Standard Time:20070416T100000",
        "DTSTART;TZID=Pacific Standard Time:20070416T110000", "DTEND;TZID=Pacific Standard Time:20070416T113000",
        "SUMMARY:Simple Recurrence with exceptions", "LOCATION:34/4141",
    ]),
    "oxocal-4.1.1.3": (c.DAILY, [
        "RRULE:FREQ=DAILY;INTERVAL=3;UNTIL=20110504T150000Z",
        "EXDATE;TZID=Pacific Standard Time:20110419T080000,20110422T080000",
    ]),
    "oxocal-4.1.1.4": (N_MONTHLY, [
        "RRULE:FREQ=MONTHLY;INTERVAL=3;BYDAY=SU,SA;BYSETPOS=3;COUNT=10",
        "RECURRENCE-ID;TZID=Pacific Standard Time:20080510T140000",
        "DTSTART;TZID=Pacific Standard Time:20080511T140000",
        "RECURRENCE-ID;TZID=Pacific Standard Time:20080809T140000", "LOCATION:new location",
    ]),
    "oxocal-forum": (c.WEDNESDAYS, ["RRULE:FREQ=WEEKLY;BYDAY=WE;WKST=SU"]),
}  # fmt: skip
"""What the recurrences printed say in iCalendar, in the time zone of [MS-OXOCAL] 4.1.4."""


def appointment(blob: bytes) -> Item:
    """An appointment with the recurrence, as a client makes it."""
    recurrence = AppointmentRecurrencePattern.decode(blob)
    begin = recurrence.recurrence_pattern.start_date + recurrence.start_time_offset
    at = to_utc(TimeZoneDefinition.decode(c.DEFINITION), begin)
    length = recurrence.end_time_offset - recurrence.start_time_offset
    return Item({
        p.PidTagMessageClass: "IPM.Appointment", p.PidTagSubject: "Simple Recurrence", n.PidLidLocation: "34/4639",
        n.PidLidAppointmentStartWhole: at * 600_000_000, n.PidLidAppointmentEndWhole: (at + length) * 600_000_000,
        n.PidLidAppointmentRecur: blob, n.PidLidRecurring: True, n.PidLidTimeZoneStruct: c.STRUCT,
        n.PidLidAppointmentTimeZoneDefinitionRecur: c.DEFINITION,
        n.PidLidTimeZoneDescription: "Pacific Standard Time",
    })  # fmt: skip


@pytest.mark.parametrize(("blob", "lines"), BLOBS.values(), ids=list(BLOBS))
def test_blob(blob: bytes, lines: list[str]) -> None:
    """The octets printed, as text, and the same octets out of the text: nothing is lost on the way."""
    written = to_ical([appointment(blob)])
    events = written[written.index(b"BEGIN:VEVENT") :].decode().replace("\r\n ", "").split("\r\n")
    assert [line for line in lines if line not in events] == []
    assert len({line for line in events if line.startswith("UID:")}) == 1
    assert ("EXDATE" in "".join(events)) == ("EXDATE" in "".join(lines))
    (again,) = items_of(written)
    assert again.props[n.PidLidAppointmentRecur] == blob
    assert not again.names  # nothing had to be kept beside: the recurrence says it all


def test_hebrew() -> None:
    """[MS-OXOCAL] 4.1.1.6 repeats in a calendar that iCalendar has no rule for: its first day alone is written, not
    wrong ones."""
    written = to_ical([appointment(c.HEBREW)])
    assert written.count(b"BEGIN:VEVENT") == 1 and b"RRULE" not in written.partition(b"BEGIN:VEVENT")[2]
