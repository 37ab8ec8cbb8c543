"""The date of RFC 5322 3.3 with its obsolete forms (4.3), read leniently; and IMAP's INTERNALDATE. No clock is read."""

from __future__ import annotations

import re
from datetime import date

_EPOCH = date(1970, 1, 1).toordinal()

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_MONTH_NAMES = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")

_ZONES = {
    b"EST": -18000, b"EDT": -14400, b"CST": -21600, b"CDT": -18000, b"MST": -25200, b"MDT": -21600, b"PST": -28800,
    b"PDT": -25200, b"CET": 3600, b"MET": 3600, b"CEST": 7200, b"MEST": 7200, b"BST": 3600, b"JST": 32400,
    b"MSK": 10800,
}  # fmt: skip
"""RFC 5322 4.3 and a few that real mail has; unknown and military zones count as -0000, as the RFC says."""

_ZONE = rb"[ \t]*(?:(?:GMT|UTC?)?([+-])(\d{2}):?(\d{2})|([A-Za-z]{1,5}))?"
_STANDARD = re.compile(
    rb"[ \t]*(?:[^\W\d]{2,12}\.?[ \t]*,?[ \t]*)?(\d{1,2})[ \t-]*([A-Za-z]{3})[a-z.]*[ \t,-]*(\d{2,4})[ \t,]+"
    rb"(\d{1,2})[ \t]*[:.][ \t]*(\d{1,2})(?:[ \t]*[:.][ \t]*(\d{1,2})(?:\.\d+)?)?" + _ZONE
)
_ASCTIME = re.compile(
    rb"[ \t]*[A-Za-z]{3,9},?[ \t]+([A-Za-z]{3})[a-z.]*[ \t]+(\d{1,2}),?[ \t]+"
    rb"(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?[ \t]+(?:[A-Z]{1,5}[ \t]+)?(\d{4})" + _ZONE
)
_ISO = re.compile(rb"[ \t]*(\d{4})-(\d{2})-(\d{2})[T \t]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?" + _ZONE)
_COMMENT = re.compile(rb"\([^()]*\)")
_LONGEST = 256


def parse_date(value: bytes) -> tuple[int, int] | None:
    """(Unix time in UTC, Unix time of the wall clock as written, its zone disregarded), None for what is no date.

    Read leniently: weekday missing or wrong, 2-digit years (RFC 5322 4.3), asctime() and ISO 8601 forms, comments.
    """
    match = _STANDARD.match(value[:_LONGEST])
    if match is not None:
        day, month_name, year, hour, minute, second, *zone = match.groups()
        month = _MONTHS.get(month_name.lower(), 0)
        return _times(_full_year(year), month, int(day), (hour, minute, second), zone)
    return _parse_odd(value[:_LONGEST])


def _parse_odd(value: bytes) -> tuple[int, int] | None:
    match = _ISO.match(value)
    if match is not None:
        year, month, day, hour, minute, second, *zone = match.groups()
        return _times(int(year), int(month), int(day), (hour, minute, second), zone)
    match = _ASCTIME.match(value)
    if match is not None:
        name, day, hour, minute, second, year, *zone = match.groups()
        return _times(int(year), _MONTHS.get(name.lower(), 0), int(day), (hour, minute, second), zone)
    if b"(" in value:
        return parse_date(_COMMENT.sub(b" ", value).replace(b"(", b""))
    return None


def _full_year(text: bytes) -> int:
    year = int(text)
    if len(text) >= 4:
        return year
    if len(text) == 3:
        return year + 1900
    return year + (2000 if year < 50 else 1900)


def _times(
    year: int, month: int, day: int, clock: tuple[bytes, bytes, bytes | None], zone: list[bytes | None]
) -> tuple[int, int] | None:
    hour, minute, second = int(clock[0]), int(clock[1]), int(clock[2] or 0)
    if hour > 23 or minute > 59 or second > 60:
        return None
    try:
        days = date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None
    wall = days * 86400 + hour * 3600 + minute * 60 + second
    return wall - _offset(zone), wall


def _offset(zone: list[bytes | None]) -> int:
    sign, hours, minutes, name = zone
    if sign and hours and minutes:
        h, m = int(hours), int(minutes)
        if h > 23 or m > 59:
            return 0
        return -(h * 3600 + m * 60) if sign == b"-" else h * 3600 + m * 60
    return _ZONES.get(name.upper(), 0) if name else 0


def render_internaldate(unix: int) -> bytes:
    """The quoted date-time of RFC 9051 9 (`date-time`) in UTC: `"17-Jul-1996 02:44:25 +0000"`, the day space-padded."""
    days, rest = divmod(unix, 86400)
    day = date.fromordinal(min(max(days + _EPOCH, 1), 3652059))
    minutes, second = divmod(rest, 60)
    hour, minute = divmod(minutes, 60)
    return b'"%2d-%b-%04d %02d:%02d:%02d +0000"' % (
        day.day, _MONTH_NAMES[day.month - 1], day.year, hour, minute, second
    )  # fmt: skip
