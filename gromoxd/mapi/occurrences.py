"""The dates of a recurrence ([MS-OXOCAL] 2.2.1.44.1.2), exceptions applied, deleted ones left out.

Every pattern is a series whose n-th date is computed directly, so that a window is found by bisection and not by
walking there from the start. Calendars with the months of the Gregorian one are followed, the lunar ones are not:
`MapiError(ecNotSupported)`, except for daily and weekly patterns, which are the same in all of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import NamedTuple

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.mapi.recurrence import (
    AppointmentRecurrencePattern,
    CalendarType,
    EndType,
    ExceptionInfo,
    ExtendedException,
    PatternType,
    RecurrencePattern,
)

DAY = 1440
WEEK = 7 * DAY
_EPOCH = date(1601, 1, 1).toordinal()
_FOREVER = 0xFFFFFFFF
"""The last minute that a recurrence can name."""

_LENGTHS = (
    (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31),
    (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31),
)
_BEFORE = tuple(tuple(sum(year[:month]) for month in range(12)) for year in _LENGTHS)

GREGORIAN = frozenset((
    CalendarType.Default, CalendarType.CAL_GREGORIAN, CalendarType.CAL_GREGORIAN_US, CalendarType.CAL_JAPAN,
    CalendarType.CAL_TAIWAN, CalendarType.CAL_KOREA, CalendarType.CAL_THAI, CalendarType.CAL_GREGORIAN_ME_FRENCH,
    CalendarType.CAL_GREGORIAN_ARABIC, CalendarType.CAL_GREGORIAN_XLIT_ENGLISH, CalendarType.CAL_GREGORIAN_XLIT_FRENCH,
))  # fmt: skip
"""Calendars whose months are the Gregorian ones; they count years differently at most."""


class Occurrence(NamedTuple):
    """One date of a series; times are minutes since 1601 in the zone of the appointment."""

    start: int
    end: int
    original: int
    """Where the pattern has it: the same as `start` but for exceptions."""
    exception: ExceptionInfo | None = None
    extended: ExtendedException | None = None


def month_start(month: int) -> tuple[int, int]:
    """Days since 1601-01-01 to the first of a month, counted from that January, and the month's length."""
    year, month = divmod(month, 12)
    leap = (year + 1) % 4 == 0 and ((year + 1) % 100 != 0 or (year + 1) % 400 == 0)
    return year * 365 + year // 4 - year // 100 + year // 400 + _BEFORE[leap][month], _LENGTHS[leap][month]


def month_of(day: int) -> int:
    """Months since January 1601 of a day counted from 1601-01-01."""
    then = date.fromordinal(_EPOCH + day)
    return (then.year - 1601) * 12 + then.month - 1


def week_day(day: int) -> int:
    """0 for Sunday to 6; 1601-01-01 was a Monday."""
    return (day + 1) % 7


@dataclass(slots=True, frozen=True)
class _Series:
    """Midnights of the dates of a pattern: `at(0)`, `at(1)` … up to `at(count - 1)`, ascending."""

    at: Callable[[int], int]
    count: int

    def find(self, minute: int) -> int:
        """The index of the first date at or after a minute, `count` if there is none."""
        return bisect_left(range(self.count), minute, key=self.at)


def series(pattern: RecurrencePattern) -> _Series:
    """The dates of a pattern. WireError for patterns that have none, MapiError for calendars that are not known."""
    at = _PATTERNS.get(pattern.pattern_type, _lunar)(pattern)
    if pattern.sliding_flag:
        return _Series(at, 1)  # [MS-OXOTASK] 2.2.2.2.15: the next one is made when this one is complete
    if pattern.end_type == EndType.EndAfterNOccurrences and pattern.occurrence_count:
        most, until = pattern.occurrence_count, _FOREVER
    else:
        never = pattern.end_type in (EndType.NeverEnd, EndType.NeverEndToo)
        most, until = _FOREVER // DAY, _FOREVER if never else pattern.end_date
    return _Series(at, bisect_right(range(most), until, key=at))


def _period(pattern: RecurrencePattern) -> int:
    if pattern.period <= 0:
        raise WireError("recurrence with Period 0")
    return pattern.period


def _daily(pattern: RecurrencePattern) -> Callable[[int], int]:
    start, period = pattern.start_date // DAY * DAY, _period(pattern)
    if period % DAY:
        raise WireError(f"daily recurrence every {period} minutes")
    return lambda n: start + n * period


def _weekly(pattern: RecurrencePattern) -> Callable[[int], int]:
    first, period = pattern.start_date // DAY, _period(pattern) * WEEK
    begins = first - (week_day(first) - pattern.first_dow) % 7
    days = [day for day in range(7) if pattern.week_days >> week_day(begins + day) & 1]
    if not days:
        raise WireError("weekly recurrence on no day")
    count = len(days)
    skipped = bisect_left(days, first - begins)
    offsets = [(begins + day) * DAY for day in days]

    def at(n: int) -> int:
        weeks, day = divmod(n + skipped, count)
        return offsets[day] + weeks * period

    return at


def _monthly(pattern: RecurrencePattern) -> Callable[[int], int]:
    if pattern.calendar_type not in GREGORIAN:
        _lunar(pattern)
    first, period = pattern.start_date // DAY, _period(pattern)
    pick = _PICK[pattern.pattern_type](pattern)
    base = month_of(first)

    def at(n: int) -> int:
        start, length = month_start(base + n * period)
        return (start + pick(start, length)) * DAY

    if at(0) < first * DAY:
        base += period
    return at


def _pick_day(pattern: RecurrencePattern) -> Callable[[int, int], int]:
    """The same day in each month, the last one in shorter months."""
    day = pattern.day
    if day < 1:
        raise WireError("monthly recurrence on day 0")
    return lambda start, length: min(day, length) - 1


def _pick_last(pattern: RecurrencePattern) -> Callable[[int, int], int]:
    return lambda start, length: length - 1


def _pick_nth(pattern: RecurrencePattern) -> Callable[[int, int], int]:
    """The n-th, or from 5 on the last, of those days of a month that are among `week_days`."""
    table = [_nth(start, length, pattern) for start in range(7) for length in range(28, 32)]
    return lambda start, length: table[start % 7 * 4 + length - 28]


def _nth(start: int, length: int, pattern: RecurrencePattern) -> int:
    days = [day for day in range(length) if pattern.week_days >> week_day(start + day) & 1]
    if not days or pattern.n < 1:
        raise WireError("monthly recurrence on no day")
    return days[-1] if pattern.n > 4 else days[pattern.n - 1]


def _lunar(pattern: RecurrencePattern) -> Callable[[int], int]:
    calendar = pattern.calendar_type
    known = calendar in CalendarType.__members__.values()
    name = CalendarType(calendar).name if known and calendar else f"type {pattern.pattern_type}/{calendar}"
    raise MapiError(Ec.ecNotSupported, f"recurrence in the calendar {name}")


_PATTERNS: dict[int, Callable[[RecurrencePattern], Callable[[int], int]]] = {
    PatternType.Day: _daily,
    PatternType.Week: _weekly,
    PatternType.Month: _monthly,
    PatternType.MonthNth: _monthly,
    PatternType.MonthEnd: _monthly,
}
_PICK: dict[int, Callable[[RecurrencePattern], Callable[[int, int], int]]] = {
    PatternType.Month: _pick_day,
    PatternType.MonthNth: _pick_nth,
    PatternType.MonthEnd: _pick_last,
}


def pattern_dates(pattern: RecurrencePattern, start: int, end: int) -> Iterator[int]:
    """Midnights of a pattern in [start, end), deleted ones left out. What a task recurrence needs."""
    dates = series(pattern)
    return _dates(dates, start, end, {date // DAY for date in pattern.deleted_instance_dates})


def _dates(dates: _Series, start: int, end: int, without: set[int]) -> Iterator[int]:
    at = dates.at
    for n in range(dates.find(start), dates.count):
        midnight = at(n)
        if midnight >= end:
            return
        if midnight // DAY not in without:
            yield midnight


def occurrences(recurrence: AppointmentRecurrencePattern, start: int, end: int) -> Iterator[Occurrence]:
    """What of a series lies in [start, end) at least in part, by its start. A series without end goes on as asked.

    WireError for a pattern without dates, MapiError(ecNotSupported) for a lunar calendar, both at once.
    """
    dates = series(recurrence.recurrence_pattern)
    return _merged(recurrence, dates, start, end)


def _merged(recurrence: AppointmentRecurrencePattern, dates: _Series, start: int, end: int) -> Iterator[Occurrence]:
    offset = recurrence.start_time_offset
    length = max(recurrence.end_time_offset - offset, 0)
    without = {midnight // DAY for midnight in recurrence.recurrence_pattern.deleted_instance_dates}
    without |= {info.original_start_date // DAY for info in recurrence.exception_infos}
    changed = _changed(recurrence, start, end)
    earliest = start - offset - length + (1 if length else 0)
    for midnight in _dates(dates, earliest, end - offset, without):
        begins = midnight + offset
        while changed and changed[-1].start <= begins:
            yield changed.pop()
        yield Occurrence(begins, begins + length, begins)
    while changed:
        yield changed.pop()


def _changed(recurrence: AppointmentRecurrencePattern, start: int, end: int) -> list[Occurrence]:
    """The exceptions in the window, the earliest last."""
    found = [
        Occurrence(info.start_date_time, info.end_date_time, info.original_start_date, info, extended)
        for info, extended in recurrence.exceptions()
        if info.start_date_time < end
        and (info.end_date_time > start or info.start_date_time >= start)
    ]  # fmt: skip
    found.sort(key=attrgetter("start", "original"), reverse=True)
    return found


def occurrence_on(recurrence: AppointmentRecurrencePattern, original: int) -> Occurrence | None:
    """The occurrence that the pattern has on the day of `original`, as it is now; None if there is none."""
    day = original // DAY
    for info, extended in recurrence.exceptions():
        if info.original_start_date // DAY == day:
            return Occurrence(info.start_date_time, info.end_date_time, info.original_start_date, info, extended)
    for midnight in pattern_dates(recurrence.recurrence_pattern, day * DAY, (day + 1) * DAY):
        start = midnight + recurrence.start_time_offset
        return Occurrence(start, midnight + max(recurrence.end_time_offset, recurrence.start_time_offset), start)
    return None


def last_date(pattern: RecurrencePattern) -> int | None:
    """Midnight of the last date, EndDate for a writer ([MS-OXOCAL] 2.2.1.44.1); None if there is no last."""
    if pattern.end_type in (EndType.NeverEnd, EndType.NeverEndToo):
        return None
    dates = series(pattern)
    return dates.at(dates.count - 1) if dates.count else None


def first_date_time(pattern: RecurrencePattern) -> int:
    """FirstDateTime for a writer ([MS-OXOCAL] 2.2.1.44.1.1), of StartDate, Period and FirstDOW."""
    day, period = pattern.start_date // DAY, _period(pattern)
    if pattern.pattern_type == PatternType.Day:
        return day * DAY % period
    if pattern.pattern_type == PatternType.Week:
        return (day - (week_day(day) - pattern.first_dow) % 7) * DAY % (period * WEEK)
    if pattern.pattern_type not in _PICK or pattern.calendar_type not in GREGORIAN:
        _lunar(pattern)
    return month_start(month_of(day) % period)[0] * DAY
