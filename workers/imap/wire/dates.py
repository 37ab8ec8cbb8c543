"""IMAP's dates (RFC 3501 section 9: `date`, `date-time`) to and from Unix seconds. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from gromoxd.errors import WireError

MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_NUMBERS = {name.lower(): number for number, name in enumerate(MONTHS, 1)}
_DATE = re.compile(rb"(\d{1,2})-([A-Za-z]{3})-(\d{4})")
_DATE_TIME = re.compile(rb"([ \d]?\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_EPOCH = date(1970, 1, 1)
_TWO = tuple(b"%02d" % n for n in range(60))
DAY = 86400
LATEST = 0xFFFFFFFF


def _month(name: bytes) -> int:
    try:
        return _NUMBERS[name.lower()]
    except KeyError:
        raise WireError("Invalid month") from None


def parse_date(data: bytes) -> int:
    """Days since 1970-01-01 of `date-text`, e.g. 1-Feb-1994."""
    found = _DATE.fullmatch(data)
    if not found:
        raise WireError("Invalid date")
    try:
        return (date(int(found[3]), _month(found[2]), int(found[1])) - _EPOCH).days
    except ValueError:
        raise WireError("Invalid date") from None


def parse_date_time(data: bytes) -> int:
    """Unix seconds of `date-time`; a leap second is the last second of its minute."""
    found = _DATE_TIME.fullmatch(data)
    if not found:
        raise WireError("Invalid date-time")
    try:
        moment = datetime(
            int(found[3]), _month(found[2]), int(found[1]), int(found[4]), int(found[5]), min(int(found[6]), 59)
            if found[6] == b"60" else int(found[6]), tzinfo=UTC,
        )  # fmt: skip
        zone = timedelta(hours=int(found[8]), minutes=int(found[9]))
        moment = moment - zone if found[7] == b"+" else moment + zone
    except (ValueError, OverflowError):
        raise WireError("Invalid date-time") from None
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


@lru_cache(maxsize=4096)
def _day(days: int) -> bytes:
    when = date.fromordinal(_EPOCH.toordinal() + days)
    return b'"%2d-%s-%04d ' % (when.day, MONTHS[when.month - 1], when.year)


@lru_cache(maxsize=1440)
def _minute(number: int) -> bytes:
    return b"%02d:%02d:" % divmod(number, 60)


def render_date_time(seconds: int) -> bytes:
    """The quoted `date-time` in UTC."""
    days, rest = divmod(seconds, DAY)
    minutes, second = divmod(rest, 60)
    return _day(days) + _minute(minutes) + _TWO[second] + b' +0000"'
