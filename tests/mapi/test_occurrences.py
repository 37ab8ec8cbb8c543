"""The dates of recurrences, against the documents' examples and against walking day by day."""

from __future__ import annotations

import calendar
import random
from datetime import date, datetime, timedelta
from itertools import islice
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.mapi.occurrences import (
    DAY,
    Occurrence,
    first_date_time,
    last_date,
    month_of,
    month_start,
    occurrence_on,
    occurrences,
    pattern_dates,
    week_day,
)
from gromoxd.mapi.recurrence import (
    AppointmentRecurrencePattern,
    CalendarType,
    EndType,
    ExceptionInfo,
    PatternType,
    RecurrencePattern,
)
from tests.mapi.structures.calendar import DAILY, HEBREW, WEDNESDAYS, WEEKLY, WEEKLY_EXCEPTION

EPOCH = datetime(1601, 1, 1)
FOREVER = 2**32


def minutes(*when: int) -> int:
    return int((datetime(*when) - EPOCH).total_seconds()) // 60  # type: ignore[arg-type]


def text(minute: int) -> str:
    return (EPOCH + timedelta(minutes=minute)).strftime("%Y-%m-%d %H:%M")


def starts(recurrence: AppointmentRecurrencePattern, start: int = 0, end: int = FOREVER) -> list[str]:
    return [text(each.start) for each in occurrences(recurrence, start, end)]


def dates(pattern: RecurrencePattern, start: int = 0, end: int = FOREVER) -> list[str]:
    return [text(each)[:10] for each in pattern_dates(pattern, start, end)]


def test_weekly() -> None:
    value = AppointmentRecurrencePattern.decode(WEEKLY)
    found = starts(value)
    assert found[:4] == ["2007-03-26 10:00", "2007-03-29 10:00", "2007-03-30 10:00", "2007-04-02 10:00"]
    assert (len(found), found[-1]) == (12, "2007-04-20 10:00")
    assert last_date(value.recurrence_pattern) == value.recurrence_pattern.end_date
    assert first_date_time(value.recurrence_pattern) == value.recurrence_pattern.first_date_time


def test_exception() -> None:
    value = AppointmentRecurrencePattern.decode(WEEKLY_EXCEPTION)
    found = list(occurrences(value, 0, FOREVER))
    assert len(found) == 12
    moved = found[9]
    assert (text(moved.start), text(moved.end)) == ("2007-04-16 11:00", "2007-04-16 11:30")
    assert text(moved.original) == "2007-04-16 10:00"
    assert moved.exception == value.exception_infos[0] and moved.extended == value.extended_exceptions[0]
    assert all(each.exception is None and each.start == each.original for each in found if each is not moved)


def test_deleted() -> None:
    value = AppointmentRecurrencePattern.decode(DAILY)
    assert [each[5:10] for each in starts(value)] == [
        "04-07", "04-10", "04-13", "04-16", "04-25", "04-28", "05-01", "05-04",
    ]  # fmt: skip
    assert first_date_time(value.recurrence_pattern) == value.recurrence_pattern.first_date_time == DAY


def test_without_end() -> None:
    value = AppointmentRecurrencePattern.decode(WEDNESDAYS)
    begins, ends = minutes(2031, 1, 1), minutes(2031, 1, 16)
    assert starts(value, begins, ends) == ["2031-01-01 10:00", "2031-01-08 10:00", "2031-01-15 10:00"]
    assert last_date(value.recurrence_pattern) is None
    assert next(occurrences(value, 0, FOREVER)).start == value.recurrence_pattern.start_date + 600


def test_windows_cut_by_what_overlaps() -> None:
    value = AppointmentRecurrencePattern.decode(WEEKLY)
    ten, half = minutes(2007, 3, 29, 10), minutes(2007, 3, 29, 10, 30)
    assert starts(value, ten - 1, ten) == []
    assert starts(value, ten - 1, ten + 1) == ["2007-03-29 10:00"]
    assert starts(value, half - 1, half + 9) == ["2007-03-29 10:00"]
    assert starts(value, half, half + 9) == []
    momentary = value._replace(end_time_offset=600)
    assert starts(momentary, ten, ten + 1) == ["2007-03-29 10:00"]
    assert starts(momentary, ten + 1, ten + 9) == []
    night = value._replace(start_time_offset=1380, end_time_offset=1380 + 3 * DAY)
    assert starts(night, minutes(2007, 4, 1, 22), minutes(2007, 4, 1, 23)) == ["2007-03-29 23:00", "2007-03-30 23:00"]


def test_an_exception_moved_into_the_window_from_far_away() -> None:
    value = AppointmentRecurrencePattern.decode(WEEKLY)
    moved = ExceptionInfo(minutes(2008, 1, 1, 9), minutes(2008, 1, 1, 10), minutes(2007, 3, 29, 10))
    value = value._replace(exception_infos=(moved,))
    assert starts(value, minutes(2008, 1, 1), minutes(2008, 1, 2)) == ["2008-01-01 09:00"]
    assert "2007-03-29 10:00" not in starts(value) and len(starts(value)) == 12


def test_occurrence_on() -> None:
    value = AppointmentRecurrencePattern.decode(WEEKLY_EXCEPTION)
    moved = occurrence_on(value, minutes(2007, 4, 16))
    assert moved is not None and text(moved.start) == "2007-04-16 11:00"
    usual = minutes(2007, 3, 29, 10)
    assert occurrence_on(value, usual + 77) == Occurrence(usual, usual + 30, usual)
    assert occurrence_on(value, minutes(2007, 3, 28)) is None
    assert occurrence_on(AppointmentRecurrencePattern.decode(DAILY), minutes(2011, 4, 19)) is None


def monthly(start: tuple[int, int, int], **fields: int) -> RecurrencePattern:
    settings = {"pattern_type": PatternType.Month, "period": 1, "end_type": EndType.EndAfterNOccurrences} | fields
    return RecurrencePattern(0x200C, start_date=minutes(*start), occurrence_count=5, **settings)  # type: ignore[arg-type]


def test_months() -> None:
    end = monthly((2011, 12, 31), day=31)
    assert dates(end) == ["2011-12-31", "2012-01-31", "2012-02-29", "2012-03-31", "2012-04-30"]
    assert dates(monthly((2011, 12, 31), day=31, pattern_type=PatternType.MonthEnd)) == dates(end)
    quarterly = monthly((2012, 8, 30), day=30, period=2)
    assert dates(quarterly) == ["2012-08-30", "2012-10-30", "2012-12-30", "2013-02-28", "2013-04-30"]
    assert first_date_time(quarterly) == 44640
    yearly = monthly((2096, 2, 29), day=29, period=12)
    assert dates(yearly)[:5] == ["2096-02-29", "2097-02-28", "2098-02-28", "2099-02-28", "2100-02-28"]


def test_a_start_that_is_no_date_of_the_pattern() -> None:
    assert dates(monthly((2012, 1, 10), day=5, period=2))[:2] == ["2012-03-05", "2012-05-05"]
    week = RecurrencePattern(0x200B, 1, 2, minutes(2007, 3, 28), week_days=0x02)
    assert next(pattern_dates(week, 0, FOREVER)) == minutes(2007, 4, 9)


def test_nth_days_of_months() -> None:
    nth = PatternType.MonthNth
    last_weekday = monthly((2012, 1, 31), pattern_type=nth, week_days=0x3E, n=5)
    assert dates(last_weekday) == ["2012-01-31", "2012-02-29", "2012-03-30", "2012-04-30", "2012-05-31"]
    second_sunday = monthly((2007, 3, 11), pattern_type=nth, week_days=1, n=2, period=12)
    assert dates(second_sunday) == ["2007-03-11", "2008-03-09", "2009-03-08", "2010-03-14", "2011-03-13"]
    third_day = monthly((2007, 3, 1), pattern_type=nth, week_days=0x7F, n=3)
    assert dates(third_day)[:2] == ["2007-03-03", "2007-04-03"]


def test_a_sliding_task_has_one_date() -> None:
    task = RecurrencePattern(0x200A, 0, DAY, minutes(2007, 3, 28), sliding_flag=1)
    assert dates(task) == ["2007-03-28"]


def test_lunar_calendars_are_refused() -> None:
    with pytest.raises(MapiError, match="CAL_HEBREW") as error:
        occurrences(AppointmentRecurrencePattern.decode(HEBREW), 0, FOREVER)
    assert error.value.code == Ec.ecNotSupported
    with pytest.raises(MapiError, match="10/0"):
        first_date_time(monthly((2007, 3, 1), pattern_type=PatternType.HjMonth, day=1))
    daily = AppointmentRecurrencePattern.decode(DAILY)
    hijri = daily.recurrence_pattern._replace(calendar_type=CalendarType.CAL_HIJRI)
    assert len(starts(daily._replace(recurrence_pattern=hijri))) == 8


@pytest.mark.parametrize(
    "pattern",
    [
        RecurrencePattern(0x200A, 0, 0, 0),
        RecurrencePattern(0x200A, 0, 1441, 0),
        RecurrencePattern(0x200B, 1, 0, 0, week_days=1),
        RecurrencePattern(0x200B, 1, 1, 0, week_days=0x80),
        RecurrencePattern(0x200C, 2, 1, 0),
        RecurrencePattern(0x200C, 3, 1, 0, week_days=1),
        RecurrencePattern(0x200C, 3, 1, 0, n=1),
    ],
)
def test_patterns_without_dates(pattern: RecurrencePattern) -> None:
    with pytest.raises(WireError):
        occurrences(AppointmentRecurrencePattern(pattern, 0, 0), 0, FOREVER)


def test_none_before_the_end() -> None:
    pattern = RecurrencePattern(0x200A, 0, DAY, 5 * DAY, 4 * DAY, EndType.EndByDate)
    assert dates(pattern) == []
    assert last_date(pattern) is None


@given(st.integers(0, 2982616))
def test_days_and_months(day: int) -> None:
    then = date(1601, 1, 1) + timedelta(days=day)
    month = month_of(day)
    start, length = month_start(month)
    assert start == day - then.day + 1
    assert length == calendar.monthrange(then.year, then.month)[1]
    assert week_day(day) == (then.weekday() + 1) % 7


def walked(pattern: RecurrencePattern, days: int) -> list[int]:
    """The dates of a pattern within so many days of its start, by asking of each day whether it is one."""
    first = date(1601, 1, 1) + timedelta(minutes=pattern.start_date)
    week = first - timedelta(days=((first.weekday() + 1) - pattern.first_dow) % 7)
    found = []
    for ahead in range(days):
        day = first + timedelta(days=ahead)
        bit = pattern.week_days >> (day.weekday() + 1) % 7 & 1
        length = calendar.monthrange(day.year, day.month)[1]
        months = (day.year - first.year) * 12 + day.month - first.month
        nth = [
            each
            for each in range(1, length + 1)
            if pattern.week_days >> (day.replace(day=each).weekday() + 1) % 7 & 1
        ]  # fmt: skip
        hit = {
            PatternType.Day: lambda ahead=ahead: ahead % (pattern.period // DAY) == 0,
            PatternType.Week: lambda day=day, bit=bit: bit and (day - week).days // 7 % pattern.period == 0,
            PatternType.Month: lambda day=day, length=length: day.day == min(pattern.day, length),
            PatternType.MonthEnd: lambda day=day, length=length: day.day == length,
            PatternType.MonthNth: lambda day=day, nth=nth: (
                day.day == (nth[-1] if pattern.n > 4 else nth[pattern.n - 1])
            ),
        }[PatternType(pattern.pattern_type)]()
        if hit and (pattern.pattern_type < 2 or months % pattern.period == 0):
            found.append(pattern.start_date + ahead * DAY)
    return found


@st.composite
def patterns(draw: st.DrawFn) -> RecurrencePattern:
    kind = draw(st.sampled_from([PatternType.Day, PatternType.Week, PatternType.Month, PatternType.MonthEnd, 3]))
    period = draw(st.integers(1, 14))
    start = minutes(2007, 1, 1) + draw(st.integers(0, 1500)) * DAY
    end = start + draw(st.integers(0, 500)) * DAY
    return RecurrencePattern(
        0x200A, kind, period * (DAY if kind == 0 else 1), start, end, draw(st.sampled_from(EndType)),
        draw(st.integers(1, 50)), draw(st.integers(1, 127)), draw(st.integers(1, 31)), draw(st.integers(1, 5)),
        draw(st.integers(0, 6)), tuple(start + day * DAY for day in draw(st.sets(st.integers(0, 90), max_size=9))),
    )  # fmt: skip


@given(patterns(), st.integers(-50, 700), st.integers(0, 700))
def test_as_if_walked(pattern: RecurrencePattern, ahead: int, length: int) -> None:
    expected = walked(pattern, 800)
    if pattern.end_type == EndType.EndAfterNOccurrences:
        expected = expected[: pattern.occurrence_count]
    elif pattern.end_type == EndType.EndByDate:
        expected = [each for each in expected if each <= pattern.end_date]
    start = pattern.start_date + ahead * DAY
    end = min(start + length * DAY, pattern.start_date + 800 * DAY)
    expected = [each for each in expected if start <= each < end and each not in pattern.deleted_instance_dates]
    assert list(pattern_dates(pattern, start, end)) == expected


def test_200_exceptions_in_a_year_are_fast() -> None:
    start = minutes(2011, 4, 7)
    moved = [start + day * DAY for day in range(0, 400, 2)]
    pattern = RecurrencePattern(0x200A, 0, DAY, start, deleted_instance_dates=tuple(moved))
    infos = tuple(ExceptionInfo(day + 700, day + 730, day + 600) for day in moved)
    value = AppointmentRecurrencePattern(pattern, 600, 630, infos)
    taken = []
    for _ in range(5):
        began = perf_counter()
        found = list(occurrences(value, start, start + 365 * DAY))
        taken.append(perf_counter() - began)
    assert len(found) == 365 and sum(each.exception is not None for each in found) == 183
    assert [each.start for each in found] == sorted(each.start for each in found)
    assert min(taken) < 0.005


def test_whatever_decodes_is_expanded_or_refused() -> None:
    dice = random.Random(7)
    samples = [WEEKLY, WEEKLY_EXCEPTION, DAILY, WEDNESDAYS]
    expanded = refused = 0
    for _ in range(4000):
        octets = bytearray(dice.choice(samples))
        for _ in range(dice.randrange(1, 4)):
            octets[dice.randrange(4, 54)] = dice.choice([0, 1, 2, 3, 4, 255, dice.randrange(256)])
        try:
            value = AppointmentRecurrencePattern.decode(bytes(octets))
            found = list(islice(occurrences(value, 0, 2**33), 50))
            last_date(value.recurrence_pattern)
        except (WireError, MapiError):
            refused += 1
        else:
            assert [each.start for each in found] == sorted(each.start for each in found)
            expanded += 1
    assert expanded > 500 and refused > 500


def test_far_away_is_as_near() -> None:
    pattern = RecurrencePattern(0x200A, 0, DAY, 0)
    value = AppointmentRecurrencePattern(pattern, 600, 630)
    start = minutes(9000, 1, 1)
    began = perf_counter()
    assert next(occurrences(value, start, FOREVER)).start == start + 600
    assert perf_counter() - began < 0.02
