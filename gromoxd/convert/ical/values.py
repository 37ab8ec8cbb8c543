"""Values of iCalendar properties (RFC 5545 3.3): dates, times, durations, offsets; and their PtypTime.

Local times are seconds since 1601-01-01 00:00 of their zone, so that // 60 gives the minutes of `gromoxd.mapi`.
"""

from __future__ import annotations

import re
from datetime import date
from enum import IntEnum
from typing import Final, NamedTuple

from gromoxd.convert.contentline import ContentLine, split
from gromoxd.mapi.times import TICKS

DAY: Final = 86400
EPOCH: Final = date(1601, 1, 1).toordinal()
LAST: Final = (date(4500, 12, 31).toordinal() - EPOCH) * DAY
"""Calendar objects end with the year 4500 ([MS-OXOCAL] 2.2.1.44.1)."""
MAX_SPAN: Final = 400 * 366 * DAY
MAX_VALUES: Final = 5_000

_DATE = re.compile(r"\s*(\d{4})-?(\d{2})-?(\d{2})(?:[Tt ](\d{2}):?(\d{2}):?(\d{2})?(?:\.\d+)?\s*([Zz]?)\s*)?")
_DURATION = re.compile(
    r"\s*([+-]?)P(?:(\d{1,6})W)?(?:(\d{1,7})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?\s*", re.IGNORECASE
)
_OFFSET = re.compile(r"\s*([+-]?)(\d{2}):?(\d{2}):?(?:\d{2})?\s*")
_INTEGER = re.compile(r"\s*([+-]?\d{1,18})")


class Kind(IntEnum):
    """What a time is counted in."""

    DATE = 0
    FLOATING = 1
    UTC = 2
    ZONED = 3


class Moment(NamedTuple):
    """A DATE or DATE-TIME: seconds since 1601 on its own clock, and which clock that is."""

    seconds: int
    kind: Kind
    tzid: str = ""

    @property
    def day(self) -> int:
        """Days since 1601."""
        return self.seconds // DAY

    @property
    def year(self) -> int:
        return date.fromordinal(EPOCH + self.seconds // DAY).year


def moment(text: str, tzid: str = "") -> Moment | None:
    """A DATE or DATE-TIME; None for what is none, or is outside of the years 1601 to 4500."""
    match = _DATE.fullmatch(text.partition("\\n")[0])  # what a broken line put behind it
    if match is None:
        return None
    year, month, day, hour, minute, second, zulu = match.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - EPOCH
    except ValueError:
        return None
    if hour is None:
        return Moment(days * DAY, Kind.DATE) if 0 <= days * DAY <= LAST else None
    hours, minutes, seconds = int(hour), int(minute), min(int(second or 0), 59)
    if hours > 24 or minutes > 59:
        return None
    at = days * DAY + hours * 3600 + minutes * 60 + seconds
    if not 0 <= at <= LAST:
        return None
    if zulu:
        return Moment(at, Kind.UTC)
    return Moment(at, Kind.ZONED, tzid) if tzid else Moment(at, Kind.FLOATING)


def moment_of(line: ContentLine | None) -> Moment | None:
    """The time of a property, in the zone that its TZID says."""
    if line is None:
        return None
    found = moment(line.value, line.param("TZID"))
    if found is not None and line.param("VALUE").upper() == "DATE" and found.kind is not Kind.DATE:
        return Moment(found.day * DAY, Kind.DATE)
    return found


def moments(line: ContentLine) -> list[tuple[Moment, int | None]]:
    """The times of RDATE or EXDATE, with the seconds that a PERIOD lasts (RFC 5545 3.3.9)."""
    tzid = line.param("TZID")
    found: list[tuple[Moment, int | None]] = []
    for text in split(line.value, ",", MAX_VALUES):
        if "/" in text:
            period_found = period(text, tzid)
            if period_found is not None:
                found.append(period_found)
            continue
        at = moment(text, tzid)
        if at is not None:
            found.append((at, None))
    return found


def period(text: str, tzid: str = "") -> tuple[Moment, int] | None:
    """The start of a PERIOD and the seconds that it lasts; both ends are on the same clock."""
    first, _, second = text.partition("/")
    start = moment(first, tzid)
    if start is None:
        return None
    if second.strip()[:1] in "Pp+-" and second.strip():
        length = duration(second)
    else:
        end = moment(second, tzid)
        length = None if end is None else end.seconds - start.seconds
    return None if length is None or length < 0 else (start, length)


def duration(text: str) -> int | None:
    """Seconds of a DURATION, held to MAX_SPAN."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()[1:]):
        return None
    sign, *parts = match.groups()
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in parts)
    length = min(weeks * 7 * DAY + days * DAY + hours * 3600 + minutes * 60 + seconds, MAX_SPAN)
    return -length if sign == "-" else length


def offset(text: str) -> int | None:
    """Minutes of a UTC-OFFSET."""
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    found = min(int(hours) * 60 + int(minutes), 24 * 60)
    return -found if sign == "-" else found


def integer(text: str) -> int | None:
    """An INTEGER of 32 bits (RFC 5545 3.3.8), held to its range."""
    match = _INTEGER.match(text)
    return None if match is None else min(max(int(match.group(1)), -(1 << 31)), (1 << 31) - 1)


def boolean(text: str) -> bool | None:
    return {"TRUE": True, "FALSE": False, "1": True, "0": False}.get(text.strip().upper())


# ------------------------------------------------------------------------------------------ writing


def date_text(seconds: int) -> str:
    return date.fromordinal(EPOCH + seconds // DAY).strftime("%Y%m%d")


def time_text(seconds: int, utc: bool = False) -> str:
    """DATE-TIME of local or UTC seconds."""
    days, rest = divmod(seconds, DAY)
    then = date.fromordinal(EPOCH + days)
    zulu = "Z" if utc else ""
    return f"{then.year:04}{then.month:02}{then.day:02}T{rest // 3600:02}{rest // 60 % 60:02}{rest % 60:02}{zulu}"


def duration_text(seconds: int) -> str:
    """DURATION in the largest unit that holds it whole, as programs write alarms."""
    sign, left = ("-" if seconds < 0 else ""), abs(seconds)
    if left and left % (7 * DAY) == 0:
        return f"{sign}P{left // (7 * DAY)}W"
    if left and left % DAY == 0:
        return f"{sign}P{left // DAY}D"
    days, left = divmod(left, DAY)
    hours, minutes, left = left // 3600, left // 60 % 60, left % 60
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes or not (hours or left) else "")
    return f"{sign}P{f'{days}D' if days else ''}T{time}{f'{left}S' if left else ''}"


def offset_text(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


# ------------------------------------------------------------------------------------------ PtypTime


def filetime_of(seconds: int) -> int:
    """PtypTime of UTC seconds since 1601."""
    return max(seconds, 0) * TICKS


def seconds_of(value: object) -> int | None:
    """The inverse; None for what is no PtypTime that a calendar can show."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value // TICKS <= LAST:
        return None
    return value // TICKS
