"""Time zones as calendar items carry them ([MS-OXOCAL] 2.2.1.39, 2.2.1.41 to 2.2.1.43), and the offsets they give.

Here are the structures and the arithmetic. Names of zones are Windows' own; what they are elsewhere is not known here.
Times are minutes since 1601-01-01 00:00; an offset is what local time is ahead of UTC, in minutes.
"""

from __future__ import annotations

from datetime import date
from enum import IntFlag
from functools import lru_cache
from struct import Struct
from typing import NamedTuple, Self

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import U16, Cursor
from gromoxd.mapi.occurrences import DAY, month_of, month_start, week_day

MAJOR_VERSION, MINOR_VERSION = 2, 1
RULE_SIZE = 0x3E
"""What a TZRule has in its Reserved field: its size without the four octets up to there."""
MOST_RULES = 1024
"""Outlook's TZ_MAX_RULES."""
LONGEST_OFFSET = 24 * 60
"""No zone is farther from UTC than a day, in minutes; biases beyond are held there."""

_SYSTEMTIME = Struct("<8H")
_REG = Struct("<3iH8HH8H")
_DEFINITION = Struct("<2B3H")
_RULE_HEAD = Struct("<2B3H14s")
_BIASES = Struct("<3i")
_RESERVED = 2
_LAST = 5


class SystemTime(NamedTuple):
    """SYSTEMTIME ([MS-DTYP] 2.3.13). A date of change with year 0: `day` says which weekday, 5 the last."""

    year: int = 0
    month: int = 0
    day_of_week: int = 0
    day: int = 0
    hour: int = 0
    minute: int = 0
    second: int = 0
    milliseconds: int = 0

    @classmethod
    def read(cls, cursor: Cursor) -> Self:
        return cls(*cursor.struct(_SYSTEMTIME))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        cursor = Cursor(data)
        value = cls.read(cursor)
        cursor.finish()
        return value

    def encode(self) -> bytes:
        return _SYSTEMTIME.pack(*self)


class TimeZoneStruct(NamedTuple):
    """PidLidTimeZoneStruct ([MS-OXOCAL] 2.2.1.39), TZREG elsewhere: one rule for all years."""

    bias: int
    """Minutes that UTC is ahead of local time, as all biases are."""
    standard_bias: int
    daylight_bias: int
    standard_date: SystemTime = SystemTime()
    daylight_date: SystemTime = SystemTime()
    standard_year: int = 0
    daylight_year: int = 0

    @classmethod
    def decode(cls, data: bytes) -> Self:
        cursor = Cursor(data)
        bias, standard, daylight = cursor.struct(_BIASES)
        standard_year, standard_date = cursor.u16(), SystemTime.read(cursor)
        daylight_year, daylight_date = cursor.u16(), SystemTime.read(cursor)
        cursor.finish()
        return cls(bias, standard, daylight, standard_date, daylight_date, standard_year, daylight_year)

    def encode(self) -> bytes:
        return _REG.pack(
            self.bias, self.standard_bias, self.daylight_bias,
            self.standard_year, *self.standard_date, self.daylight_year, *self.daylight_date,
        )  # fmt: skip


class RuleFlags(IntFlag):
    """TZRule flags ([MS-OXOCAL] 2.2.1.41.1)."""

    TZRULE_FLAG_RECUR_CURRENT_TZREG = 0x0001
    TZRULE_FLAG_EFFECTIVE_TZREG = 0x0002


class TimeZoneRule(NamedTuple):
    """TZRule ([MS-OXOCAL] 2.2.1.41.1): holds from January 1 of `year` up to the next rule's year."""

    flags: int
    year: int
    bias: int
    standard_bias: int
    daylight_bias: int
    standard_date: SystemTime = SystemTime()
    daylight_date: SystemTime = SystemTime()
    x: bytes = bytes(14)
    reserved: int = RULE_SIZE
    major_version: int = MAJOR_VERSION
    minor_version: int = MINOR_VERSION

    @classmethod
    def read(cls, cursor: Cursor) -> Self:
        major, minor, reserved, flags, year = cursor.struct(_DEFINITION)
        x = cursor.take(14)
        bias, standard, daylight = cursor.struct(_BIASES)
        dates = SystemTime.read(cursor), SystemTime.read(cursor)
        return cls(flags, year, bias, standard, daylight, *dates, x, reserved, major, minor)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        cursor = Cursor(data)
        value = cls.read(cursor)
        cursor.finish()
        return value

    def encode(self) -> bytes:
        return b"".join((
            _RULE_HEAD.pack(
                self.major_version, self.minor_version, self.reserved, self.flags, self.year, self.x,
            ),
            _BIASES.pack(self.bias, self.standard_bias, self.daylight_bias),
            self.standard_date.encode(),
            self.daylight_date.encode(),
        ))  # fmt: skip

    @property
    def effective(self) -> bool:
        """Whether the writer meant this one."""
        return bool(self.flags & 2)


class TimeZoneDefinition(NamedTuple):
    """PidLidAppointmentTimeZoneDefinitionRecur ([MS-OXOCAL] 2.2.1.41), …StartDisplay and …EndDisplay (2.2.1.42, 43)."""

    key_name: str
    rules: tuple[TimeZoneRule, ...]
    reserved: int = _RESERVED
    major_version: int = MAJOR_VERSION
    minor_version: int = MINOR_VERSION
    more: bytes = b""
    """What a later version has in its header."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        cursor = Cursor(data)
        major, minor = cursor.u8(), cursor.u8()
        header = cursor.region(cursor.u16())
        reserved = header.u16()
        name = header.take(2 * header.u16()).decode("utf-16-le", "replace")
        count = header.u16()
        more = header.rest()
        if count > MOST_RULES:
            raise header.fail(f"time zone with {count} rules")
        cursor.count(count, RULE_SIZE + 4)
        rules = tuple([TimeZoneRule.read(cursor) for _ in range(count)])
        cursor.finish()
        return cls(name, rules, reserved, major, minor, more)

    def encode(self) -> bytes:
        name = self.key_name.encode("utf-16-le", "surrogatepass")
        length = 6 + len(name) + len(self.more)
        if length > 0xFFFF:
            raise WireError(f"time zone with a name of {len(name)} octets")
        head = _DEFINITION.pack(self.major_version, self.minor_version, length, self.reserved, len(name) // 2)
        rules = [rule.encode() for rule in self.rules]
        return b"".join((head, name, U16.pack(len(rules)), self.more, *rules))

    @property
    def effective(self) -> TimeZoneRule | None:
        """The rule that the writer marked as the one for the whole series, if there is one."""
        return next((rule for rule in self.rules if rule.effective), None)

    def rule(self, year: int) -> TimeZoneRule | None:
        """The rule for a year: the latest not after it; before all of them the first."""
        found = None
        for rule in self.rules:
            if found is None or found.year < rule.year <= year or rule.year < found.year > year:
                found = rule
        return found


Zone = TimeZoneDefinition | TimeZoneStruct | TimeZoneRule


def consistent(definition: TimeZoneDefinition, struct: TimeZoneStruct) -> bool:
    """Whether the two say the same; if not, PidLidTimeZoneStruct is right ([MS-OXOCAL] 2.2.1.41)."""
    rule = definition.effective
    return rule is not None and rule[2:7] == struct[:5]


def definition_of(struct: TimeZoneStruct, key_name: str, flags: int = 3) -> TimeZoneDefinition:
    """A definition of the one rule that a PidLidTimeZoneStruct has, for all years."""
    return TimeZoneDefinition(key_name, (TimeZoneRule(flags, 1601, *struct[:5]),))


class _Rule(NamedTuple):
    """A rule's offsets, and its changes if it has any."""

    standard: int
    daylight: int
    standard_date: SystemTime
    daylight_date: SystemTime


@lru_cache(maxsize=256)
def _plain(zone: TimeZoneStruct | TimeZoneRule) -> _Rule:
    standard = _held(zone.bias + zone.standard_bias)
    changes = zone.standard_date.month and zone.daylight_date.month
    daylight = _held(zone.bias + zone.daylight_bias) if changes else standard
    return _Rule(-standard, -daylight, zone.standard_date, zone.daylight_date)


def _held(bias: int) -> int:
    return min(max(bias, -LONGEST_OFFSET), LONGEST_OFFSET)


@lru_cache(maxsize=1024)
def _changes(rule: _Rule, year: int) -> tuple[int, int]:
    """When in a year standard and daylight time begin, each on the clock that was in force before it."""
    return _when(rule.standard_date, year), _when(rule.daylight_date, year)


def _when(change: SystemTime, year: int) -> int:
    """The local minute of a change. Fields out of range are held to what there is."""
    start, length = month_start((year - 1601) * 12 + min(change.month, 12) - 1)
    if change.year:
        day = min(max(change.day, 1), length) - 1
    else:
        day = (change.day_of_week - week_day(start)) % 7 + 7 * (min(max(change.day, 1), _LAST) - 1)
        while day >= length:
            day -= 7
    # Windows writes the end of a day as 23:59:59.999; the change is at the next minute.
    minute = change.hour * 60 + change.minute + (1 if change.second or change.milliseconds else 0)
    return (start + day) * DAY + min(minute, DAY)


def _year(minutes: int) -> int:
    """The year of a minute; those outside of what a date can be are held there."""
    day = minutes // DAY
    if not 0 <= day < _DAYS:
        return 1601 if day < 0 else date.max.year
    return 1601 + month_of(day) // 12


_DAYS = date.max.toordinal() - date(1601, 1, 1).toordinal()


def offset_at(zone: Zone, minutes: int, *, local: bool = False) -> int:
    """What local time is ahead of UTC at a minute of UTC, or of local time.

    A local time that comes twice is the first of the two; one that is skipped counts by the offset before the gap.
    A definition answers by its rule for the year; give its `effective` rule to have that one for all years.
    """
    if isinstance(zone, TimeZoneDefinition):
        found = zone.rules[0] if len(zone.rules) == 1 else _rule_at(zone, minutes, local)
        if found is None:
            return 0
        zone = found
    rule = _plain(zone)
    standard, daylight = rule.standard, rule.daylight
    if standard == daylight:
        return standard
    standard_from, daylight_from = _changes(rule, _year(minutes if local else minutes + standard))
    if local:  # the gap still counts as what was before it, and so does what comes twice
        daylight_from += max(daylight - standard, 0)
        standard_from += max(standard - daylight, 0)
    else:
        standard_from -= daylight
        daylight_from -= standard
    if daylight_from <= standard_from:
        return daylight if daylight_from <= minutes < standard_from else standard
    return standard if standard_from <= minutes < daylight_from else daylight


def _rule_at(zone: TimeZoneDefinition, minutes: int, local: bool) -> TimeZoneRule | None:
    """The rule of the year that it is in the zone then, by standard time."""
    year = _year(minutes)
    rule = zone.rule(year)
    if rule is not None and not local:
        standard = _plain(rule).standard
        return zone.rule(_year(minutes + standard))
    return rule


def to_utc(zone: Zone, minutes: int) -> int:
    """UTC of a local minute."""
    return minutes - offset_at(zone, minutes, local=True)


def to_local(zone: Zone, minutes: int) -> int:
    """Local time of a minute of UTC."""
    return minutes + offset_at(zone, minutes)
