"""Recurrences with their exceptions ([MS-OXCICAL] 2.1.3.1.1.20.13, 18, 19, 20; 2.1.3.2.2; [MS-OXOCAL] 2.2.10)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gromoxd.convert.ical import items_of, to_ical
from gromoxd.convert.item import Item
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.appointments import recurrence_of, spans
from gromoxd.mapi.ianazones import minutes_of
from gromoxd.mapi.recurrence import AppointmentRecurrencePattern, EndType, PatternType
from tests.convert.ical.build import calendar, event, item, lines_of, time

NINE = datetime(2024, 3, 25, 9)  # a Monday
EPOCH = datetime(1601, 1, 1)


def value(found: Item) -> AppointmentRecurrencePattern:
    recurrence = recurrence_of(found.props)
    assert recurrence is not None
    return recurrence


def series(rule: str, *lines: str, start: datetime = NINE, zone: str = "Europe/Berlin") -> Item:
    return item(calendar(event(start, zone, [f"RRULE:{rule}", *lines])))


def rules(found: Item) -> list[str]:
    made = lines_of(found)
    return [line for line in made[made.index("BEGIN:VEVENT") :] if line.startswith("RRULE")]


def starts(found: Item, days: int = 400) -> list[str]:
    begin = minutes_of(NINE) - 1440
    return [
        f"{EPOCH + timedelta(minutes=each.start):%m-%d %H:%M}"
        for each in spans(found.props, begin, begin + days * 1440)
    ]


@pytest.mark.parametrize(("rule", "kind", "period", "days", "day", "number"), [
    ("FREQ=DAILY", PatternType.Day, 1440, 0, 0, 0), ("FREQ=DAILY;INTERVAL=3", PatternType.Day, 4320, 0, 0, 0),
    ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", PatternType.Week, 1, 0x3E, 0, 0),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU", PatternType.Week, 2, 0x02, 0, 0),
    ("FREQ=MONTHLY;BYMONTHDAY=25", PatternType.Month, 1, 0, 25, 0),
    ("FREQ=MONTHLY;BYMONTHDAY=-1", PatternType.Month, 1, 0, 31, 0),
    ("FREQ=MONTHLY;INTERVAL=2;BYDAY=-1MO", PatternType.MonthNth, 2, 0x02, 0, 5),
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", PatternType.MonthNth, 1, 0x3E, 0, 5),
    ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=25", PatternType.Month, 12, 0, 25, 0),
    ("FREQ=YEARLY;INTERVAL=2;BYMONTH=3;BYDAY=4MO", PatternType.MonthNth, 24, 0x02, 0, 4),
])  # fmt: skip
def test_templates(rule: str, kind: int, period: int, days: int, day: int, number: int) -> None:
    found = series(rule)
    pattern = value(found).recurrence_pattern
    assert (pattern.pattern_type, pattern.period, pattern.week_days, pattern.day, pattern.n) == (
        kind, period, days, day, number
    )  # fmt: skip
    assert (value(found).start_time_offset, value(found).end_time_offset) == (540, 570)
    assert pattern.end_type == EndType.NeverEnd
    (written,) = rules(found)
    assert set(written[6:].split(";")) == set(rule.split(";"))


def test_properties_of_a_series() -> None:
    bag = series("FREQ=WEEKLY;COUNT=3").props
    assert bag[n.PidLidRecurring] is True and bag[n.PidLidRecurrenceType] == 2
    assert bag[n.PidLidTimeZoneDescription] == "Europe/Berlin" and p.PidTagIconIndex in bag
    assert bag[n.PidLidClipStart] == (minutes_of(datetime(2024, 3, 24, 23))) * 600_000_000
    assert bag[p.PidTagIconIndex] == 0x401


@pytest.mark.parametrize(("rule", "kind", "count", "end"), [
    ("FREQ=DAILY;COUNT=5", EndType.EndAfterNOccurrences, 5, datetime(2024, 3, 29)),
    ("FREQ=DAILY;UNTIL=20240329T080000Z", EndType.EndByDate, 5, datetime(2024, 3, 29)),
    ("FREQ=DAILY;UNTIL=20240329T075959Z", EndType.EndByDate, 4, datetime(2024, 3, 28)),
    ("FREQ=DAILY;UNTIL=20240329", EndType.EndByDate, 5, datetime(2024, 3, 29)),
])  # fmt: skip
def test_ends(rule: str, kind: int, count: int, end: datetime) -> None:
    found = series(rule)
    pattern = value(found).recurrence_pattern
    assert (pattern.end_type, pattern.occurrence_count, pattern.end_date) == (kind, count, minutes_of(end))
    again = value(items_of(to_ical([found]))[0]).recurrence_pattern
    assert again == pattern


def test_deleted() -> None:
    found = series(
        "FREQ=DAILY;COUNT=5", "EXDATE:20240326T080000Z", "EXDATE;TZID=Europe/Berlin:20240328T090000,20240328T100000"
    )
    assert value(found).recurrence_pattern.deleted_instance_dates == (
        minutes_of(datetime(2024, 3, 26)), minutes_of(datetime(2024, 3, 28)),
    )  # fmt: skip
    assert starts(found) == ["03-25 08:00", "03-27 08:00", "03-29 08:00"]
    assert "EXDATE;TZID=Europe/Berlin:20240326T090000,20240328T090000" in lines_of(found)


def replaced(day: datetime, start: datetime, *lines: str) -> str:
    return event(start, "Europe/Berlin", [time("RECURRENCE-ID", day), *lines])


def test_exception() -> None:
    day = NINE + timedelta(days=1)
    found = item(calendar(
        replaced(day, day + timedelta(hours=5), "LOCATION:Elsewhere", "X-MICROSOFT-CDO-BUSYSTATUS:OOF",
                 "DESCRIPTION:new"),
        event(NINE, lines=["RRULE:FREQ=DAILY;COUNT=3", "LOCATION:Here", "DESCRIPTION:old", "CATEGORIES:x"]),
    ))  # fmt: skip
    (info,) = value(found).exception_infos
    (extended,) = value(found).extended_exceptions
    assert info.start_date_time == minutes_of(datetime(2024, 3, 26, 14)) == info.end_date_time - 30
    assert info.original_start_date == minutes_of(datetime(2024, 3, 26, 9))
    assert info.override_flags == 0x0230 and (info.location, info.busy_status) == (b"Elsewhere", 3)
    assert extended.location == "Elsewhere" and extended.original_start_date == info.original_start_date
    (attachment,) = found.attachments
    bag, own = attachment.props, attachment.embedded
    assert own is not None and own.props[p.PidTagBody] == "new" and own.props[n.PidNameKeywords] == []
    assert own.props[p.PidTagMessageClass] == "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"
    assert own.props[n.PidLidExceptionReplaceTime] == minutes_of(datetime(2024, 3, 26, 8)) * 600_000_000
    assert (bag[p.PidTagAttachMethod], bag[p.PidTagAttachmentHidden], bag[p.PidTagAttachmentFlags]) == (5, True, 2)
    assert bag[p.PidTagExceptionStartTime] == minutes_of(datetime(2024, 3, 26, 14)) * 600_000_000
    made = lines_of(found)
    second = made[made.index("END:VEVENT") + 1 :]
    for line in (
        "RECURRENCE-ID;TZID=Europe/Berlin:20240326T090000", "DTSTART;TZID=Europe/Berlin:20240326T140000",
        "LOCATION:Elsewhere", "DESCRIPTION:new", "X-MICROSOFT-CDO-BUSYSTATUS:OOF",
    ):  # fmt: skip
        assert line in second, line
    assert not any(line.startswith("CATEGORIES") for line in second)
    assert starts(found) == ["03-25 08:00", "03-26 13:00", "03-27 08:00"]


def test_exception_without_its_message() -> None:
    """A client's series may have ExceptionInfos alone; the strings of the ExtendedException count."""
    day = NINE + timedelta(days=1)
    found = item(calendar(event(NINE, lines=["RRULE:FREQ=DAILY;COUNT=3"]), replaced(day, day, "LOCATION:Ж")))
    found.attachments.clear()
    made = lines_of(found)
    assert made.count("BEGIN:VEVENT") == 2 and "LOCATION:Ж" in made


def test_dates_besides_the_rule_are_moved_occurrences() -> None:
    found = series("FREQ=WEEKLY;COUNT=2", time("RDATE", datetime(2024, 3, 27, 15)), start=NINE)
    assert starts(found) == ["03-25 08:00", "03-27 14:00", "04-01 07:00"]
    recurrence = value(found)
    assert recurrence.recurrence_pattern.occurrence_count == 3
    assert recurrence.exception_infos[0].original_start_date == minutes_of(datetime(2024, 3, 18, 9))
    made = lines_of(found)
    assert "RDATE;TZID=Europe/Berlin:20240327T150000" in made and made.count("BEGIN:VEVENT") == 1


def test_a_deleted_day_takes_the_added_one() -> None:
    """An RDATE with an EXDATE is a moved occurrence (2.1.3.1.1.20.18)."""
    found = series(
        "FREQ=DAILY;COUNT=3", time("EXDATE", datetime(2024, 3, 26, 9)), time("RDATE", datetime(2024, 3, 26, 12))
    )
    (info,) = value(found).exception_infos
    assert info.original_start_date == minutes_of(datetime(2024, 3, 26, 9))
    assert starts(found) == ["03-25 08:00", "03-26 11:00", "03-27 08:00"]


def test_periods() -> None:
    found = item(calendar(event(NINE, "Z", ["RDATE;VALUE=PERIOD:20240327T090000Z/PT3H"])))
    lengths = [each.end - each.start for each in spans(found.props, minutes_of(NINE), minutes_of(NINE) + 9999)]
    assert lengths == [30, 180]


@pytest.mark.parametrize("rule", [
    "FREQ=MONTHLY;BYDAY=5MO", "FREQ=YEARLY;BYMONTH=1,3,4", "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=DAILY;BYHOUR=9,12;COUNT=9",
    "RSCALE=HEBREW;FREQ=YEARLY",
])  # fmt: skip
def test_rules_that_no_pattern_says_are_kept(rule: str) -> None:
    found = series(rule)
    assert f"RRULE:{rule}" in lines_of(found)


def test_kept_rules_go_when_a_client_changes_the_series() -> None:
    found = series("FREQ=MONTHLY;BYDAY=5MO")
    found.props[n.PidLidAppointmentRecur] = series("FREQ=DAILY;COUNT=2").props[n.PidLidAppointmentRecur]
    assert rules(found) == ["RRULE:FREQ=DAILY;COUNT=2"]


@pytest.mark.parametrize(("day", "month", "written"), [
    (31, 1, "FREQ=MONTHLY;BYMONTHDAY=-1"), (30, 1, "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
    (28, 1, "FREQ=MONTHLY;BYMONTHDAY=28"),
])  # fmt: skip
def test_end_of_month(day: int, month: int, written: str) -> None:
    """A client's day 30 is the last day of shorter months, iCalendar's is not there (2.1.3.2.3)."""
    found = series("FREQ=MONTHLY;BYMONTHDAY=28")
    recurrence = value(found)
    pattern = recurrence.recurrence_pattern._replace(day=day)
    found.props[n.PidLidAppointmentRecur] = recurrence._replace(recurrence_pattern=pattern).encode()
    assert f"RRULE:{written}" in lines_of(found)
    again = value(items_of(to_ical([found]))[0]).recurrence_pattern
    assert (again.pattern_type, again.day) == (PatternType.Month, day)


def test_this_and_future() -> None:
    day = NINE + timedelta(days=2)
    change = event(
        day + timedelta(hours=1), lines=["RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20240327T090000"]
    )
    found = item(calendar(event(NINE, lines=["RRULE:FREQ=DAILY;COUNT=4"]), change))
    assert starts(found) == ["03-25 08:00", "03-26 08:00", "03-27 09:00", "03-28 09:00"]


def test_all_day_series() -> None:
    found = series("FREQ=WEEKLY;UNTIL=20240415", "EXDATE;VALUE=DATE:20240401", zone="DATE")
    assert (value(found).start_time_offset, value(found).end_time_offset) == (0, 1440)
    made = lines_of(found)
    assert "RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20240415" in made and "EXDATE;VALUE=DATE:20240401" in made


def test_many_exceptions_are_fast() -> None:
    from loadtest.bench.recurrence import calendar as busy

    found = item(busy())
    begin, end = minutes_of(datetime(2025, 1, 1)), minutes_of(datetime(2026, 1, 1))
    assert sum(1 for _ in spans(found.props, begin, end)) == 365
    assert len(found.attachments) == 200
