"""Days in vCards (BDAY, ANNIVERSARY) and in contacts: RFC 6350 4.3.1, [MS-OXOCNTC] 2.2.1.5."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from gromoxd.mapi.times import UNIX_EPOCH_NT, filetime, unix_seconds

NO_YEAR: Final = 1604
"""The year of a day without one, as Apple's and Outlook's contacts have it: a leap year."""
_DAY = re.compile(r"\s*(?:(\d{4})-?(\d\d)-?(\d\d)|--(\d\d)-?(\d\d))(?:[T ].*)?\s*")
_STAMP = re.compile(r"\s*(\d{4})-?(\d\d)-?(\d\d)T(\d\d):?(\d\d):?(\d\d)(?:\.\d+)?(?:(Z)|([+-])(\d\d):?(\d\d)?)?\s*")
_HALF_DAY = 43200
_LAST_DAY = 2932896


def read_day(value: str) -> int | None:
    """The FILETIME of a day's midnight; None for what is no whole day."""
    match = _DAY.fullmatch(value[:64])
    if match is None:
        return None
    year, month, day, month_only, day_only = match.groups()
    try:
        when = date(int(year or NO_YEAR), int(month or month_only), int(day or day_only))
    except ValueError:
        return None
    return filetime((when - date(1970, 1, 1)).days * 86400)


def write_day(time_nt: int, *, extended: bool) -> str:
    """`1985-04-12`, or in the basic form `19850412` of version 4, `--0412` without a year there.

    A birthday is stored as midnight somewhere, in UTC: the nearest day is meant ([MS-OXOCNTC] 2.2.1.5.1).
    """
    days = (unix_seconds(max(time_nt, 0)) + _HALF_DAY) // 86400
    when = date(1970, 1, 1) + timedelta(days=min(days, _LAST_DAY))
    if extended:
        return f"{when:%Y-%m-%d}".zfill(10)
    return f"--{when:%m%d}" if when.year == NO_YEAR else f"{when:%Y%m%d}".zfill(8)


def read_stamp(value: str) -> int | None:
    """REV: a date and a time, UTC when no zone is said."""
    match = _STAMP.fullmatch(value[:64])
    if match is None:
        return None
    *numbers, _, sign, hours, minutes = match.groups()
    try:
        year, month, day, hour, minute, second = map(int, numbers)
        when = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    offset = (int(hours) * 3600 + int(minutes or 0) * 60) * (-1 if sign == "-" else 1) if sign else 0
    return filetime(int((when - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) - offset)


def write_stamp(time_nt: int) -> str:
    """The same in UTC, `20250131T235959Z`."""
    seconds = min((max(time_nt, 0) - UNIX_EPOCH_NT) // 10_000_000, 253402300799)
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds):%Y%m%dT%H%M%SZ}".zfill(16)
