"""Recurrence rules (RFC 5545 3.3.10): read, written, and expanded to times within bounds.

An expansion goes period by period and is held to a number of periods and of times, whatever the rule says. Times are
local seconds since 1601. What of a rule a recurrence of MAPI can say is in `gromoxd.convert.ical.patterns`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple

from gromoxd.convert.ical.values import DAY, EPOCH, LAST, Moment, moment
from gromoxd.mapi.occurrences import month_of, month_start, week_day

WEEKDAYS: Final = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
FREQUENCIES: Final = ("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
MAX_PERIODS: Final = 40_000
"""Periods that are looked at in an expansion; a rule that finds nothing in so many is over."""
MAX_LIST: Final = 400
MAX_INTERVAL: Final = 10_000
_STEP = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600}
_RANGES = {
    "BYSECOND": (0, 59), "BYMINUTE": (0, 59), "BYHOUR": (0, 23), "BYMONTHDAY": (-31, 31), "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53), "BYMONTH": (1, 12), "BYSETPOS": (-366, 366),
}  # fmt: skip


class Rule(NamedTuple):
    """RECUR. Lists are empty for parts that are not there; weekdays count from Sunday 0."""

    freq: str
    interval: int = 1
    times: int = 0
    """COUNT; 0 for none."""
    until: Moment | None = None
    seconds: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()
    """BYDAY: (ordinal or 0, weekday)."""
    month_days: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    weeks: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 1


def parse_rule(text: str) -> Rule | None:
    """A RECUR value; None for one that is none, or is of another calendar (RFC 7529 RSCALE)."""
    parts: dict[str, str] = {}
    for part in text.strip().rstrip(";").split(";")[:30]:
        key, _, value = part.partition("=")
        parts.setdefault(key.strip().upper(), value.strip().upper())
    freq = parts.get("FREQ", "")
    if freq not in FREQUENCIES or parts.get("RSCALE", "GREGORIAN") not in ("GREGORIAN", ""):
        return None
    lists = {}
    for key, (low, high) in _RANGES.items():
        found = _integers(parts[key], low, high) if key in parts else ()
        if found is None:
            return None
        lists[key] = found
    days = _days(parts["BYDAY"]) if "BYDAY" in parts else ()
    if days is None:
        return None
    interval, count = _number(parts.get("INTERVAL", "")) or 1, _number(parts.get("COUNT", ""))
    week_start = parts.get("WKST", "MO")
    return Rule(
        freq, min(interval, MAX_INTERVAL), min(count, 1_000_000),
        moment(parts["UNTIL"]) if "UNTIL" in parts else None,
        lists["BYSECOND"], lists["BYMINUTE"], lists["BYHOUR"], days, lists["BYMONTHDAY"], lists["BYYEARDAY"],
        lists["BYWEEKNO"], lists["BYMONTH"], lists["BYSETPOS"],
        WEEKDAYS.index(week_start) if week_start in WEEKDAYS else 1,
    )  # fmt: skip


def _number(text: str) -> int:
    """A number; 0 for what is none, such as the COUNT=-1 that some programs write."""
    return int(text[:9]) if text.isascii() and text.isdigit() else 0


def _integers(text: str, low: int, high: int) -> tuple[int, ...] | None:
    found = set()
    for part in text.split(",")[:MAX_LIST]:
        part = part.strip()
        if not part:
            continue
        digits = part.lstrip("+-")
        if not (digits.isascii() and digits.isdigit()):
            return None
        number = int(digits[:6])
        number = -number if part.startswith("-") else number
        if not low <= number <= high or (low < 0 and number == 0):
            return None
        found.add(number)
    return tuple(sorted(found))


def _days(text: str) -> tuple[tuple[int, int], ...] | None:
    found = []
    for part in text.split(",")[:MAX_LIST]:
        part = part.strip()
        if not part:
            continue
        if part[-2:] not in WEEKDAYS:
            return None
        rank = _integers(part[:-2], -53, 53) if part[:-2] else (0,)
        if not rank:
            return None
        found.append((rank[0], WEEKDAYS.index(part[-2:])))
    return tuple(dict.fromkeys(found))


# ------------------------------------------------------------------------------------------ expansion


def expand(rule: Rule, start: int, until: int, most: int, *, since: int = 0) -> Iterator[int]:
    """Times of a rule from `start` (DTSTART) on up to `until`, ascending, COUNT and `most` regarded.

    With `since` the periods before that time are jumped over where no COUNT forbids it.
    """
    made = 0
    most = min(most, rule.times) if rule.times else most
    for times in _periods(rule, start, max(since, start) if not rule.times else start):
        for at in times:
            if at < start:
                continue
            if at > until or at > LAST:
                return
            yield at
            made += 1
            if made >= most:
                return


def _periods(rule: Rule, start: int, since: int) -> Iterator[list[int]]:
    """The times of each period, BYSETPOS regarded; an empty list for periods that have none."""
    if rule.freq in _STEP:
        yield from _short_periods(rule, start, since)
        return
    times = _day_times(rule, start)
    for days, last in _DAY_PERIODS[rule.freq](rule, start // DAY, since // DAY):
        found = [day * DAY + time for day in days for time in times]
        if rule.positions:
            found = _positioned(found, rule.positions)
        yield found
        if last:
            return


def _positioned(found: list[int], positions: tuple[int, ...]) -> list[int]:
    size = len(found)
    places = {position - 1 if position > 0 else size + position for position in positions}
    return [found[place] for place in sorted(places) if 0 <= place < size]


def _day_times(rule: Rule, start: int) -> list[int]:
    time = start % DAY
    hours = rule.hours or (time // 3600,)
    minutes = rule.minutes or (time // 60 % 60,)
    seconds = rule.seconds or (time % 60,)
    return [hour * 3600 + minute * 60 + second for hour in hours for minute in minutes for second in seconds]


Days = Iterator[tuple[list[int], bool]]


def _daily(rule: Rule, first: int, since: int) -> Days:
    day = first + max(since - first, 0) // rule.interval * rule.interval
    for _ in range(MAX_PERIODS):
        yield ([day] if _day_fits(rule, day) else []), False
        day += rule.interval


def _day_fits(rule: Rule, day: int) -> bool:
    """The limits of BYMONTH, BYMONTHDAY, BYYEARDAY and BYDAY (RFC 5545 3.3.10, the table)."""
    if rule.days and all(which != week_day(day) for _, which in rule.days):
        return False
    if not (rule.months or rule.month_days or rule.year_days):
        return True
    month = month_of(day)
    if rule.months and month % 12 + 1 not in rule.months:
        return False
    start, length = month_start(month)
    number = day - start + 1
    if rule.month_days and number not in rule.month_days and number - length - 1 not in rule.month_days:
        return False
    return not rule.year_days or _year_day_fits(rule, day, month // 12)


def _year_day_fits(rule: Rule, day: int, year: int) -> bool:
    begins, ends = month_start(year * 12)[0], month_start(year * 12 + 12)[0]
    return day - begins + 1 in rule.year_days or day - ends in rule.year_days


def _weekly(rule: Rule, first: int, since: int) -> Days:
    week = first - (week_day(first) - rule.week_start) % 7
    week += max(since - week, 0) // (7 * rule.interval) * (7 * rule.interval)
    wanted = {which for _, which in rule.days} or {week_day(first)}
    offsets = [offset for offset in range(7) if (rule.week_start + offset) % 7 in wanted]
    for _ in range(MAX_PERIODS):
        days = [week + offset for offset in offsets]
        if rule.months:
            days = [day for day in days if month_of(max(day, 0)) % 12 + 1 in rule.months]
        yield days, False
        week += 7 * rule.interval


def _monthly(rule: Rule, first: int, since: int) -> Days:
    month = month_of(first)
    month += max(month_of(since) - month, 0) // rule.interval * rule.interval
    number = first - month_start(month_of(first))[0] + 1
    for _ in range(min(MAX_PERIODS, 12 * 2900 // rule.interval + 1)):
        if rule.months and month % 12 + 1 not in rule.months:
            yield [], False
        else:
            yield _month_days(rule, month, number), False
        month += rule.interval


def _month_days(rule: Rule, month: int, number: int) -> list[int]:
    """The days of a month: BYMONTHDAY expands, BYDAY expands or limits those, else the day of DTSTART."""
    start, length = month_start(month)
    if rule.month_days:
        numbers = {day if day > 0 else length + 1 + day for day in rule.month_days}
        days = {start + day - 1 for day in numbers if 1 <= day <= length}
        if rule.days:
            days &= _ranked_days(rule, start, length)
    elif rule.days:
        days = _ranked_days(rule, start, length)
    else:
        days = {start + number - 1} if number <= length else set()
    return sorted(days)


def _ranked_days(rule: Rule, start: int, length: int) -> set[int]:
    """BYDAY within a month or a year."""
    days: set[int] = set()
    for rank, which in rule.days:
        first = start + (which - week_day(start)) % 7
        all_of_them = range(first, start + length, 7)
        if rank == 0:
            days.update(all_of_them)
        elif -len(all_of_them) <= rank <= len(all_of_them):
            days.add(all_of_them[rank - 1 if rank > 0 else rank])
    return days


def _yearly(rule: Rule, first: int, since: int) -> Days:
    year = month_of(first) // 12
    year += max(month_of(since) // 12 - year, 0) // rule.interval * rule.interval
    for _ in range(2900 // rule.interval + 1):
        yield _year_days(rule, year, first), False
        year += rule.interval


def _year_days(rule: Rule, year: int, first: int) -> list[int]:
    """The days of a year, as the table of RFC 5545 3.3.10 has the parts expand and limit."""
    begins = month_start(year * 12)[0]
    length = month_start(year * 12 + 12)[0] - begins
    if rule.weeks or rule.year_days:
        return _numbered_days(rule, year, first, begins, length)
    first_month = month_of(first) % 12
    number = first - month_start(month_of(first))[0] + 1
    if rule.days and not rule.month_days and not rule.months:
        return sorted(_ranked_days(rule, begins, length))
    months = [month - 1 for month in rule.months]
    if not months:
        months = list(range(12)) if rule.month_days else [first_month]
    return [day for month in months for day in _month_days(rule, year * 12 + month, number)]


def _numbered_days(rule: Rule, year: int, first: int, begins: int, length: int) -> list[int]:
    """BYYEARDAY and BYWEEKNO, the rest of the parts limiting what they say."""
    if rule.year_days:
        numbers = {day if day > 0 else length + 1 + day for day in rule.year_days}
        days = {begins + day - 1 for day in numbers if 1 <= day <= length}
        if rule.weeks:
            days &= _week_days(rule, year, set(range(7)))
    else:
        wanted = {which for _, which in rule.days}
        only = set(range(7)) if rule.month_days else {week_day(first)}
        days = _week_days(rule, year, wanted or only)
        days = {day for day in days if begins <= day < begins + length}
    limits = rule._replace(year_days=())
    return sorted(day for day in days if _day_fits(limits, day))


def _week_days(rule: Rule, year: int, wanted: set[int]) -> set[int]:
    """Days of weeks by number (ISO 8601, with weeks from WKST on; RFC 5545 3.3.10)."""
    first, following = _first_week(rule, year), _first_week(rule, year + 1)
    count = (following - first) // 7
    days: set[int] = set()
    for number in {week if week > 0 else count + 1 + week for week in rule.weeks}:
        if 1 <= number <= count:
            week = first + 7 * (number - 1)
            days.update(day for day in range(week, week + 7) if week_day(day) in wanted)
    return days


def _first_week(rule: Rule, year: int) -> int:
    """The first day of the first week with at least four days in the year."""
    begins = month_start(year * 12)[0]
    into = (week_day(begins) - rule.week_start) % 7
    return begins - into if into <= 3 else begins - into + 7


_DAY_PERIODS = {"DAILY": _daily, "WEEKLY": _weekly, "MONTHLY": _monthly, "YEARLY": _yearly}


def _short_periods(rule: Rule, start: int, since: int) -> Iterator[list[int]]:
    """HOURLY, MINUTELY and SECONDLY: each step is a period; days that do not fit are jumped over."""
    step = _STEP[rule.freq] * rule.interval
    at = start + max(since - start, 0) // step * step
    tail = start % _STEP[rule.freq]
    for _ in range(MAX_PERIODS):
        if at > LAST:
            return
        if not _day_fits(rule, at // DAY):
            at += max(-(-((at // DAY + 1) * DAY - at) // step), 1) * step
            yield []
            continue
        found = _within(rule, at - tail, tail)
        yield _positioned(found, rule.positions) if rule.positions else found
        at += step


def _within(rule: Rule, at: int, tail: int) -> list[int]:
    """The times of one hour, minute or second."""
    hour, minute, second = at % DAY // 3600, at % DAY // 60 % 60, at % 60
    if rule.hours and hour not in rule.hours:
        return []
    if rule.freq == "HOURLY":
        minutes = rule.minutes or (tail // 60,)
        seconds = rule.seconds or (tail % 60,)
        return [at + m * 60 + s for m in minutes for s in seconds]
    if rule.minutes and minute not in rule.minutes:
        return []
    if rule.freq == "MINUTELY":
        return [at + s for s in rule.seconds or (tail,)]
    return [] if rule.seconds and second not in rule.seconds else [at]


def year_of(seconds: int) -> int:
    """The year of local seconds."""
    return date.fromordinal(EPOCH + seconds // DAY).year
