"""IANA time zones as the definitions of [MS-OXOCAL] 2.2.1.41, and their names in Windows and back.

A definition has one rule for each run of years that the same two changes of clock describe; years with more than two
changes keep the first and the last. The database is the system's or the package tzdata's, read once a zone by
`zoneinfo`. The table of names is `gromoxd.mapi.windowszones`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from gromoxd.mapi.occurrences import DAY, month_of, month_start, week_day
from gromoxd.mapi.timezones import RuleFlags, SystemTime, TimeZoneDefinition, TimeZoneRule, TimeZoneStruct
from gromoxd.mapi.windowszones import ZONES

FIRST_YEAR: Final = 1960
"""Rules of earlier years are not told apart."""
LAST_YEAR: Final = 2037
"""The year whose rule holds for all that follow."""
FIRST_RULE: Final = 1601
_STEP = timedelta(days=7)
_EPOCH = datetime(1601, 1, 1)
_LAST = 5
_LONGEST_NAME = 128

_WINDOWS = {iana.lower(): windows for windows, names in ZONES.items() for iana in names.split()}
_PRIMARY = {windows.lower(): names.split(" ", 1)[0] for windows, names in ZONES.items()}
_IANA = {iana.lower(): iana for names in ZONES.values() for iana in names.split()}
_KEYS = {windows.lower(): windows for windows in ZONES}


def windows_name(iana: str) -> str | None:
    """The key name that Windows has for an IANA zone."""
    return _WINDOWS.get(iana.lower())


def iana_name(windows: str) -> str | None:
    """The IANA zone that stands for a zone of Windows in all the world."""
    return _PRIMARY.get(windows.lower())


def find(name: str) -> str | None:
    """The IANA name that a time zone identifier means: one of either kind, or a path that ends in one.

    Globally unique identifiers (RFC 5545 3.2.19) such as `/example.org/20250101_1/Europe/Berlin` are such paths.
    """
    name = name.strip().strip('"').strip()[:_LONGEST_NAME].removeprefix("posix/")
    found = _exact(name)
    if found is None and "/" in name:
        parts = name.strip("/").split("/")
        for count in (3, 2, 1):
            found = _exact("/".join(parts[-count:])) if len(parts) >= count else None
            if found is not None and (count > 1 or found in _STANDALONE):
                return found
        return None
    return found


_STANDALONE = frozenset(("UTC", "GMT", "Etc/UTC", "Etc/GMT"))


def _exact(name: str) -> str | None:
    lowered = name.lower()
    found = _IANA.get(lowered) or _PRIMARY.get(lowered) or _IANA.get(lowered.replace(" ", "_"))
    if found is not None:
        return found
    return name if lowered not in _OF_THE_SYSTEM and not lowered.startswith("right/") and _zone(name) else None


_OF_THE_SYSTEM = frozenset(("localtime", "posixrules", "factory"))


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        return None
    except KeyError:
        return None


class Change(NamedTuple):
    """A change of the clocks: the local minute at which it comes by the clock before it, and the offsets."""

    local: int
    before: int
    after: int


@lru_cache(maxsize=512)
def definition(iana: str, since: int = FIRST_YEAR, until: int = LAST_YEAR) -> TimeZoneDefinition | None:
    """The definition of an IANA zone that is right from the year `since` on; None when there is no such zone.

    Its effective rule is that of the year `until`. The key name is Windows' where there is one.
    """
    zone = _zone(iana)
    if zone is None:
        return None
    since = min(max(since, FIRST_YEAR), LAST_YEAR)
    first, changes = _changes(zone, since)
    return definition_of_changes(windows_name(iana) or iana, first, changes, since, until)


def _changes(zone: ZoneInfo, since: int) -> tuple[int, list[Change]]:
    """The offset at the begin of a year, and all changes from there up to the end of LAST_YEAR."""
    at, end = datetime(since, 1, 1), datetime(LAST_YEAR + 1, 1, 2)
    first = offset = _offset(zone, at)
    found = []
    while at < end:
        later = at + _STEP
        now = _offset(zone, later)
        if now != offset:
            when = _between(zone, at, later, offset)
            found.append(Change(minutes_of(when) + offset, offset, now))
            offset = now
        at = later
    return first, found


def _offset(zone: ZoneInfo, utc: datetime) -> int:
    """What local time is ahead of UTC, in whole minutes."""
    ahead = zone.fromutc(utc.replace(tzinfo=zone)).utcoffset() or timedelta()
    return round(ahead.total_seconds() / 60)


def _between(zone: ZoneInfo, low: datetime, high: datetime, offset: int) -> datetime:
    """The first minute with another offset."""
    while high - low > timedelta(minutes=1):
        middle = low + timedelta(minutes=(high - low) // timedelta(minutes=2))
        if _offset(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def minutes_of(when: datetime) -> int:
    """Minutes since 1601 of a naive datetime."""
    return (when - _EPOCH) // timedelta(minutes=1)


class _Year(NamedTuple):
    """A year's offsets, and the forms that its two changes may have as rules."""

    standard: int
    daylight: int
    standard_dates: frozenset[SystemTime]
    daylight_dates: frozenset[SystemTime]


def definition_of_changes(
    key_name: str, first: int, changes: Sequence[Change], since: int, until: int = LAST_YEAR
) -> TimeZoneDefinition:
    """A definition of changes in ascending order, `first` being the offset before them."""
    runs: list[tuple[int, _Year]] = []
    offset, at = first, 0
    for year in range(since, LAST_YEAR + 1):
        mine = []
        while at < len(changes) and _year_of(changes[at].local) <= year:
            if _year_of(changes[at].local) == year:
                mine.append(changes[at])
            else:
                offset = changes[at].after
            at += 1
        now = _year(year, offset, mine)
        offset = mine[-1].after if mine else offset
        joined = _joined(runs[-1][1], now) if runs else None
        if joined is None:
            runs.append((year, now))
        else:
            runs[-1] = runs[-1][0], joined
    runs[0] = FIRST_RULE, runs[0][1]
    effective = max((index for index, (year, _) in enumerate(runs) if year <= until), default=0)
    return TimeZoneDefinition(
        key_name, tuple([_rule(year, run, index == effective) for index, (year, run) in enumerate(runs)])
    )


def _year_of(minute: int) -> int:
    return 1601 + month_of(max(minute, 0) // DAY) // 12


def _year(year: int, offset: int, changes: list[Change]) -> _Year:
    """The rule of a year that begins with an offset."""
    if not changes:
        return _Year(offset, offset, frozenset(), frozenset())
    begins, ends = changes[0], changes[-1]
    if len(changes) == 1:
        # one change: what was before it counts as the daylight time that January 1 began
        new_year = SystemTime(0, 1, week_day(month_start((year - 1601) * 12)[0]), 1)
        return _Year(begins.after, offset, _dates(begins.local), frozenset((new_year,)))
    if begins.after > ends.after:
        return _Year(ends.after, begins.after, _dates(ends.local), _dates(begins.local))
    return _Year(begins.after, ends.after, _dates(begins.local), _dates(ends.local))


def _dates(local: int) -> frozenset[SystemTime]:
    """The rules that name this minute in its year: the n-th such weekday of the month, and the last one."""
    day, minute = divmod(local, DAY)
    month = month_of(day)
    start, length = month_start(month)
    nth = (day - start) // 7 + 1
    ranks = {nth, _LAST} if day - start + 7 >= length else {nth}
    return frozenset(SystemTime(0, month % 12 + 1, week_day(day), rank, minute // 60, minute % 60) for rank in ranks)


def _joined(run: _Year, year: _Year) -> _Year | None:
    """One run of both; None when no rule says both."""
    if run[:2] != year[:2] or bool(run.standard_dates) != bool(year.standard_dates):
        return None
    standard, daylight = run.standard_dates & year.standard_dates, run.daylight_dates & year.daylight_dates
    if run.standard_dates and not (standard and daylight):
        return None
    return _Year(run.standard, run.daylight, standard, daylight)


def _rule(year: int, run: _Year, effective: bool) -> TimeZoneRule:
    flags = RuleFlags.TZRULE_FLAG_RECUR_CURRENT_TZREG | RuleFlags.TZRULE_FLAG_EFFECTIVE_TZREG if effective else 0
    if not run.standard_dates:
        return TimeZoneRule(int(flags), year, -run.standard, 0, 0)
    standard, daylight = max(run.standard_dates), max(run.daylight_dates)
    return TimeZoneRule(int(flags), year, -run.standard, 0, run.standard - run.daylight, standard, daylight)


def struct_of(zone: TimeZoneDefinition) -> TimeZoneStruct:
    """PidLidTimeZoneStruct of the effective rule, so that both say the same ([MS-OXOCAL] 2.2.1.41)."""
    rule = zone.effective or zone.rules[-1]
    return TimeZoneStruct(*rule[2:7])
