"""Recurrence rules as patterns of MAPI and back ([MS-OXCICAL] 2.1.3.2.2, its templates; 2.1.3.2.3).

A pattern has one occurrence a day at most, all at one time of day. What fits a template is that pattern. What does not
(BYDAY=5MO, several BYMONTH, hours, additional dates …) is expanded for a number of years and laid onto the pattern that
carries it with the fewest gaps: occurrences that the pattern has too much are deleted ones, those that it lacks are
moved there from occurrences put before the first. So every reader of [MS-OXOCAL] 2.2.1.44 sees the right times, for
HORIZON years; the rule itself is kept beside (`gromoxd.convert.ical.keeping`) and written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd
from typing import Final

from gromoxd.convert.ical.rules import WEEKDAYS, Rule, expand
from gromoxd.convert.ical.values import LAST
from gromoxd.mapi.occurrences import DAY, first_date_time, month_of, month_start, pattern_dates, series, week_day
from gromoxd.mapi.recurrence import NO_END_DATE, EndType, PatternType, RecurFrequency, RecurrencePattern

HORIZON: Final = 20
"""Years for which rules that no pattern says are expanded."""
MAX_INSTANCES: Final = 1_000
"""Times that are expanded of such a rule."""
MAX_EXTRA: Final = 1_000
"""Occurrences that are moved to where the pattern has none."""
MAX_GAPS: Final = 5_000
_WEEK = 7 * DAY
_ALL_DAYS = 0x7F
_NO_COUNT = 10
"""OccurrenceCount of a series without end ([MS-OXOCAL] 2.2.1.44.1)."""


# ------------------------------------------------------------------------------------------ templates


def template(rule: Rule, start: int) -> tuple[RecurrencePattern, bool] | None:
    """The pattern without end that a rule is, begun at `start` (minutes), and whether it has dates too many.

    None for a rule that no pattern is.
    """
    if rule.freq not in _TEMPLATES or rule.year_days or rule.weeks or not _same_time(rule, start):
        return None
    first = _first_day(rule, start // DAY)
    found = _TEMPLATES[rule.freq](rule, first, start // DAY - month_start(month_of(start // DAY))[0] + 1)
    if found is None:
        return None
    pattern, loose = found
    week_start = rule.week_start if pattern.pattern_type == PatternType.Week else 0
    return pattern._replace(start_date=first * DAY, first_dow=week_start), loose


def _first_day(rule: Rule, day: int) -> int:
    """DTSTART's day, or where it is in no month of BYMONTH, the first one of the next that is."""
    month = month_of(day)
    if not rule.months or month % 12 + 1 in rule.months or rule.freq not in ("MONTHLY", "YEARLY"):
        return day
    later = [number for number in rule.months if number > month % 12 + 1]
    years = 0 if later else (rule.interval if rule.freq == "YEARLY" else 1)
    return month_start((month // 12 + years) * 12 + (later or list(rule.months))[0] - 1)[0]


def _same_time(rule: Rule, start: int) -> bool:
    """BYHOUR and BYMINUTE say no more than DTSTART does (2.1.3.2.1.3, 2.1.3.2.1.4)."""
    hour, minute = start % DAY // 60, start % 60
    return (
        (not rule.hours or rule.hours == (hour,))
        and (not rule.minutes or rule.minutes == (minute,))
        and len(rule.seconds) <= 1
    )


Template = tuple[RecurrencePattern, bool] | None


def _pattern(frequency: int, kind: int, period: int, *, days: int = 0, day: int = 0, n: int = 0) -> RecurrencePattern:
    return RecurrencePattern(frequency, kind, period, 0, NO_END_DATE, EndType.NeverEnd, _NO_COUNT, days, day, n)


def _mask(days: Iterable[int]) -> int:
    mask = 0
    for day in days:
        mask |= 1 << day
    return mask


def _daily(rule: Rule, day: int, number: int) -> Template:
    if rule.months or rule.month_days or rule.positions:
        return None
    if rule.days:
        # workdays: each week the same days
        mask = _mask(which for _, which in rule.days)
        return (_pattern(RecurFrequency.Weekly, PatternType.Week, 1, days=mask), False) if rule.interval == 1 else None
    return _pattern(RecurFrequency.Daily, PatternType.Day, rule.interval * DAY), False


def _weekly(rule: Rule, day: int, number: int) -> Template:
    if rule.months or rule.month_days or rule.positions:
        return None
    mask = _mask(which for _, which in rule.days) or 1 << week_day(day)
    return _pattern(RecurFrequency.Weekly, PatternType.Week, rule.interval, days=mask), False


def _monthly(rule: Rule, day: int, number: int) -> Template:
    months, period = rule.months, rule.interval
    if months:
        every = _every(months)
        if period != 1 or not every:
            return None
        period = every
    return _of_months(rule, day, number, period)


def _yearly(rule: Rule, day: int, number: int) -> Template:
    months = rule.months
    if not months:
        if rule.month_days or (rule.days and not rule.month_days):
            return None
        months = (month_of(day) % 12 + 1,)
    if len(months) == 1:
        return _of_months(rule, day, number, 12 * rule.interval)
    every = _every(months)
    if rule.interval != 1 or not every or rule.positions:
        return None  # BYSETPOS counts within the year
    return _of_months(rule, day, number, every)


def _every(months: Sequence[int]) -> int:
    """The months between months that come evenly in a year, 0 for others."""
    period = 12 // len(months)
    return period if 12 % len(months) == 0 and all(m - months[0] == i * period for i, m in enumerate(months)) else 0


def _of_months(rule: Rule, day: int, number: int, period: int) -> Template:
    """Monthly and Monthly Nth, with the yearly ones: every other year is 24 months (2.1.3.2.2.3 to 2.1.3.2.2.6)."""
    frequency = RecurFrequency.Yearly if period == 12 else RecurFrequency.Monthly
    if rule.days:
        return _nth(rule, period, frequency)
    numbers = rule.month_days or (number,)
    if rule.positions:
        # the last of 28 to n: day n, or the last day of a shorter month
        whole = numbers == tuple(range(28, numbers[-1] + 1)) and len(numbers) > 1
        if rule.positions != (-1,) or not whole:
            return None
        return _pattern(frequency, PatternType.Month, period, day=numbers[-1]), False
    if numbers == (-1,):
        return _pattern(frequency, PatternType.Month, period, day=31), False
    if len(numbers) != 1 or numbers[0] < 1:
        return None
    return _pattern(frequency, PatternType.Month, period, day=numbers[0]), _skips(numbers[0], day, period)


def _skips(number: int, day: int, period: int) -> bool:
    """Whether there are months of the series without this day, which iCalendar leaves out (2.1.3.2.3)."""
    if number <= 28:
        return False
    months = {(month_of(day) + i * period) % 12 for i in range(12)}
    return any(number > month_start(month)[1] for month in months)  # of 1601, no leap year


def _nth(rule: Rule, period: int, frequency: int) -> Template:
    ranks = {rank for rank, _ in rule.days}
    mask = _mask(which for _, which in rule.days)
    if rule.month_days:
        # the n-th such weekday, said by its seven days
        low = rule.month_days[0]
        seven = rule.month_days == tuple(range(low, low + 7)) and low in (1, 8, 15, 22)
        if not seven or ranks != {0} or len(rule.days) != 1 or rule.positions:
            return None
        n = low // 7 + 1
    elif rule.positions:
        if ranks != {0} or len(rule.positions) != 1 or rule.positions[0] not in (-1, 1, 2, 3, 4):
            return None
        n = rule.positions[0] if rule.positions[0] > 0 else 5
    elif ranks == {0}:
        if period != 1:
            return None
        return _pattern(RecurFrequency.Weekly, PatternType.Week, 1, days=mask), False
    else:
        (rank,) = ranks if len(ranks) == 1 else (0,)
        if len(rule.days) != 1 or rank not in (-1, 1, 2, 3, 4):
            return None
        n = rank if rank > 0 else 5
    return _pattern(frequency, PatternType.MonthNth, period, days=mask, n=n), False


_TEMPLATES = {"DAILY": _daily, "WEEKLY": _weekly, "MONTHLY": _monthly, "YEARLY": _yearly}


# ------------------------------------------------------------------------------------------ laying on


@dataclass(slots=True)
class Laid:
    """A recurrence set as a pattern: minutes of local time throughout."""

    pattern: RecurrencePattern
    """With its end; without instance dates."""
    offset: int
    """Minutes from midnight to each occurrence."""
    plain: bool = True
    """Whether the pattern says all that the rule did."""
    deleted: set[int] = field(default_factory=set)
    """Midnights without occurrence."""
    moved: dict[int, int] = field(default_factory=dict)
    """Occurrences that are not where the pattern has them: where they are -> where the pattern has them."""

    def original(self, minute: int) -> int | None:
        """Where the pattern has the occurrence of this minute; None when there is none."""
        if minute in self.moved:
            return self.moved[minute]
        midnight = minute // DAY * DAY
        if minute - midnight != self.offset:
            return None
        return minute if next(pattern_dates(self.pattern, midnight, midnight + DAY), None) is not None else None


@dataclass(slots=True)
class RecurrenceSet:
    """What DTSTART, RRULE, RDATE and EXDATE say, in seconds of local time."""

    start: int
    rules: Sequence[tuple[Rule, int]]
    """Each with the last second that its UNTIL allows."""
    dates: Sequence[int] = ()
    without: frozenset[int] = frozenset()
    without_days: frozenset[int] = frozenset()
    """Days (since 1601) that EXDATE names without a time."""
    lengths: Mapping[int, int] = field(default_factory=dict)
    """Minutes of the occurrences (by their minute) that last another time than the others."""
    strays: Sequence[int] = ()
    """RECURRENCE-IDs: those that are no time of the set become one."""

    def excluded(self, second: int) -> bool:
        return second in self.without or second // 86400 in self.without_days


def lay(wanted: RecurrenceSet) -> Laid:
    """The pattern of a recurrence set."""
    start = wanted.start // 60
    found = template(wanted.rules[0][0], start) if len(wanted.rules) == 1 else None
    extra = {second // 60 for second in wanted.dates if not wanted.excluded(second)}
    if found is not None and not found[1]:
        laid = _plain(wanted, found[0])
    elif found is not None and wanted.rules[0][0].times == 0 and wanted.rules[0][1] >= LAST:
        laid = _with_gaps(wanted, found[0]) or _carried(wanted, extra)
    else:
        laid = _carried(wanted, extra)
    if not wanted.excluded(wanted.start) and laid.original(start) is None:
        extra.add(start)
    extra = {minute for minute in extra if laid.original(minute) is None or minute // DAY * DAY in laid.deleted}
    extra |= _strays(wanted, laid, extra)
    if extra:
        _move(laid, sorted(extra)[:MAX_EXTRA])
    return laid


def _strays(wanted: RecurrenceSet, laid: Laid, extra: set[int]) -> set[int]:
    minutes = {second // 60 for second in wanted.strays}
    return {minute for minute in minutes if minute not in extra and laid.original(minute) is None}


def _plain(wanted: RecurrenceSet, pattern: RecurrencePattern) -> Laid:
    rule, until = wanted.rules[0]
    offset = wanted.start // 60 % DAY
    first = series(pattern).at(0)
    laid = Laid(_ended(pattern._replace(start_date=first), rule.times, until // 60 - offset), offset)
    _delete(laid, wanted)
    return laid


def _delete(laid: Laid, wanted: RecurrenceSet) -> None:
    """EXDATE: those that name an occurrence (2.1.3.1.1.20.13)."""
    for second in wanted.without:
        if laid.original(second // 60) is not None:
            laid.deleted.add(second // 60 // DAY * DAY)
    for day in wanted.without_days:
        if next(pattern_dates(laid.pattern, day * DAY, (day + 1) * DAY), None) is not None:
            laid.deleted.add(day * DAY)


def _with_gaps(wanted: RecurrenceSet, pattern: RecurrencePattern) -> Laid | None:
    """A pattern without end that has dates too many, such as the 31st: those of the next years are deleted."""
    rule, until = wanted.rules[0]
    offset = wanted.start // 60 % DAY
    horizon = wanted.start + HORIZON * 366 * 86400
    days = {at // 86400 * DAY for at in expand(rule, wanted.start, horizon, MAX_INSTANCES)}
    if not days:
        return None
    first = series(pattern).at(0)
    laid = Laid(_ended(pattern._replace(start_date=first), 0, until // 60 - offset), offset, plain=False)
    end = max(days) + 1
    laid.deleted = {day for day in pattern_dates(laid.pattern, first, end) if day not in days}
    _delete(laid, wanted)
    return laid


def _carried(wanted: RecurrenceSet, extra: set[int]) -> Laid:
    """All times of the set on the pattern that has them with the fewest gaps. Takes from `extra` what it covers."""
    horizon = wanted.start + HORIZON * 366 * 86400
    times = {wanted.start // 60} | extra
    most = MAX_INSTANCES // max(len(wanted.rules), 1) + 1
    for rule, until in wanted.rules:
        times.update(at // 60 for at in expand(rule, wanted.start, min(until, horizon), most))
    times -= {second // 60 for second in wanted.without}
    times = {minute for minute in times if minute // DAY not in wanted.without_days} or {wanted.start // 60}
    offset = wanted.start // 60 % DAY
    days: dict[int, int] = {}
    for minute in sorted(times):
        day = minute // DAY * DAY
        if day not in days or minute - day == offset:
            days[day] = minute
    pattern, gaps = _carrier(sorted(days))
    last = series(pattern).count
    laid = Laid(_ended(pattern, last, 0), offset, plain=not wanted.rules and len(times) == 1, deleted=gaps)
    # what stands at another time of its day is moved within the day
    laid.moved = {minute: day + offset for day, minute in days.items() if minute != day + offset}
    extra.clear()
    extra.update(times - set(days.values()))
    return laid


def _carrier(days: list[int]) -> tuple[RecurrencePattern, set[int]]:
    """The pattern that has all of the days, ended after the last, and its dates too many. It may end early."""
    best: tuple[RecurrencePattern, set[int]] | None = None
    wanted = set(days)
    for pattern in _carriers(days):
        ended = pattern._replace(start_date=days[0], end_type=EndType.EndByDate, end_date=days[-1])
        dates = list(pattern_dates(ended, days[0], days[-1] + 1))[: MAX_GAPS + len(days)]
        gaps = {day for day in dates if day not in wanted}
        if best is None or len(gaps) < len(best[1]):
            best = ended._replace(end_date=dates[-1]), gaps
    assert best is not None  # the daily one always is there
    return best


def _carriers(days: list[int]) -> list[RecurrencePattern]:
    first = days[0] // DAY
    step = 0
    for day in days:
        step = gcd(step, day // DAY - first)
    found = [_pattern(RecurFrequency.Daily, PatternType.Day, (step or 1) * DAY)]
    mask = _mask({week_day(day // DAY) for day in days})
    week = first - (week_day(first) - 1) % 7
    weeks = 0
    for day in days:
        weeks = gcd(weeks, (day // DAY - week) // 7)
    found.append(_pattern(RecurFrequency.Weekly, PatternType.Week, weeks or 1, days=mask)._replace(first_dow=1))
    months = [month_of(day // DAY) for day in days]
    numbers = {day // DAY - month_start(month)[0] + 1 for day, month in zip(days, months, strict=True)}
    if len(numbers) == 1:
        apart = 0
        for month in months:
            apart = gcd(apart, month - months[0])
        found.append(_pattern(RecurFrequency.Monthly, PatternType.Month, apart or 1, day=numbers.pop()))
    return found


def _ended(pattern: RecurrencePattern, count: int, until: int) -> RecurrencePattern:
    """The pattern with its end: after `count` dates, or with the last one not after `until` (minutes)."""
    pattern = pattern._replace(first_date_time=first_date_time(pattern))
    if count:
        counted = pattern._replace(end_type=EndType.EndAfterNOccurrences, occurrence_count=count)
        return counted._replace(end_date=series(counted).at(count - 1))
    if until // DAY >= LAST // 86400 - 366:
        return pattern
    dated = pattern._replace(end_type=EndType.EndByDate, end_date=max(until // DAY * DAY, pattern.start_date))
    dates = series(dated)
    last = dates.at(dates.count - 1) if dates.count else pattern.start_date
    return dated._replace(end_date=last, occurrence_count=max(dates.count, 1))


def _move(laid: Laid, extra: list[int]) -> None:
    """Give the times in `extra` occurrences: deleted ones of the pattern, then new ones before its first."""
    spare = [day for day in sorted(laid.deleted) if day + laid.offset not in laid.moved.values()]
    used = 0
    for minute in extra[: len(spare)]:
        same = minute // DAY * DAY
        day = same if same in laid.deleted and same in spare else spare[used]
        if day is spare[used]:
            used += 1
        else:
            spare.remove(day)
        laid.moved[minute] = day + laid.offset
        if used >= len(spare):
            break
    left = [minute for minute in extra if minute not in laid.moved]
    dates = series(laid.pattern)
    count = len(left)
    while count and dates.at(-count) < 0:
        count -= 1
    if not count:
        return
    for place, minute in enumerate(left[:count]):
        laid.moved[minute] = dates.at(place - count) + laid.offset
    pattern = laid.pattern._replace(start_date=dates.at(-count))
    if pattern.end_type not in (EndType.NeverEnd, EndType.NeverEndToo):
        pattern = pattern._replace(occurrence_count=pattern.occurrence_count + count)
    laid.pattern = pattern._replace(first_date_time=first_date_time(pattern))
    laid.plain = False


# ------------------------------------------------------------------------------------------ writing


def rule_text(pattern: RecurrencePattern, until: str) -> str | None:
    """RRULE of a pattern, `until` being what it says of the last date; None for a calendar that it cannot say."""
    if pattern.calendar_type > 2 or pattern.pattern_type not in _WRITTEN:
        return None
    parts = _WRITTEN[pattern.pattern_type](pattern)
    if pattern.end_type == EndType.EndAfterNOccurrences and pattern.occurrence_count:
        parts.append(f"COUNT={pattern.occurrence_count}")
    elif pattern.end_type == EndType.EndByDate and pattern.end_date < NO_END_DATE - DAY:
        parts.append(f"UNTIL={until}")
    return ";".join(parts)


def _interval(period: int) -> list[str]:
    return [f"INTERVAL={period}"] if period > 1 else []


def _weekdays(mask: int) -> str:
    return ",".join(name for day, name in enumerate(WEEKDAYS) if mask >> day & 1)


def _write_daily(pattern: RecurrencePattern) -> list[str]:
    return ["FREQ=DAILY", *_interval(pattern.period // DAY)]


def _write_weekly(pattern: RecurrencePattern) -> list[str]:
    wkst = [f"WKST={WEEKDAYS[pattern.first_dow % 7]}"] if pattern.period > 1 or pattern.first_dow % 7 != 1 else []
    return ["FREQ=WEEKLY", *_interval(pattern.period), f"BYDAY={_weekdays(pattern.week_days)}", *wkst]


def _months(pattern: RecurrencePattern) -> tuple[list[str], int]:
    """FREQ, INTERVAL and BYMONTH of a pattern of months; the shortest that such a month is."""
    month = month_of(pattern.start_date // DAY)
    if pattern.period % 12 == 0:
        shortest = 28 if month % 12 == 1 else month_start(month)[1]
        return ["FREQ=YEARLY", *_interval(pattern.period // 12), f"BYMONTH={month % 12 + 1}"], shortest
    return ["FREQ=MONTHLY", *_interval(pattern.period)], 28


def _write_monthly(pattern: RecurrencePattern) -> list[str]:
    parts, shortest = _months(pattern)
    day = pattern.day
    if pattern.pattern_type == PatternType.MonthEnd or day >= 31 > shortest or (shortest == 28 and day > 30):
        return [*parts, "BYMONTHDAY=-1"]
    if day > shortest:
        listed = ",".join(str(number) for number in range(28, day + 1))
        return [*parts, f"BYMONTHDAY={listed}", "BYSETPOS=-1"]
    return [*parts, f"BYMONTHDAY={day}"]


def _write_nth(pattern: RecurrencePattern) -> list[str]:
    parts, _ = _months(pattern)
    n = pattern.n if pattern.n < 5 else -1
    mask = pattern.week_days & _ALL_DAYS
    if mask == _ALL_DAYS:
        return [*parts, f"BYMONTHDAY={n}"]
    if mask & (mask - 1) == 0:
        return [*parts, f"BYDAY={n}{_weekdays(mask)}"]
    return [*parts, f"BYDAY={_weekdays(mask)}", f"BYSETPOS={n}"]


_WRITTEN: dict[int, Callable[[RecurrencePattern], list[str]]] = {
    PatternType.Day: _write_daily,
    PatternType.Week: _write_weekly,
    PatternType.Month: _write_monthly,
    PatternType.MonthEnd: _write_monthly,
    PatternType.MonthNth: _write_nth,
}
