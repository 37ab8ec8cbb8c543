"""Time zone structures, and offsets against the zone database of this machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi.timezones import (
    MOST_RULES,
    RuleFlags,
    SystemTime,
    TimeZoneDefinition,
    TimeZoneRule,
    TimeZoneStruct,
    consistent,
    definition_of,
    offset_at,
    to_local,
    to_utc,
)
from tests.mapi.structures.calendar import DEFINITION, STRUCT

EPOCH = datetime(1601, 1, 1)
NOVEMBER, MARCH = SystemTime(month=11, day=1, hour=2), SystemTime(month=3, day=2, hour=2)
OCTOBER, APRIL = SystemTime(month=10, day=5, hour=2), SystemTime(month=4, day=1, hour=2)
PACIFIC = TimeZoneDefinition(
    "Pacific Standard Time",
    (
        TimeZoneRule(0, 2006, 480, 0, -60, OCTOBER, APRIL),
        TimeZoneRule(RuleFlags.TZRULE_FLAG_EFFECTIVE_TZREG, 2007, 480, 0, -60, NOVEMBER, MARCH),
    ),
)
SYDNEY = TimeZoneStruct(-600, 0, -60, SystemTime(month=4, day=1, hour=3), SystemTime(month=10, day=1, hour=2))
INDIA = TimeZoneStruct(-330, 0, -60)


def minutes(*when: int) -> int:
    return int((datetime(*when) - EPOCH).total_seconds()) // 60  # type: ignore[arg-type]


def test_definition() -> None:
    assert TimeZoneDefinition.decode(DEFINITION) == PACIFIC
    assert PACIFIC.encode() == DEFINITION
    assert PACIFIC.effective == PACIFIC.rules[1]


def test_struct() -> None:
    value = TimeZoneStruct(480, 0, -60, NOVEMBER, MARCH)
    assert TimeZoneStruct.decode(STRUCT) == value
    assert value.encode() == STRUCT
    assert consistent(PACIFIC, value)
    assert not consistent(PACIFIC, INDIA) and not consistent(PACIFIC._replace(rules=()), value)
    made = definition_of(value, "Pacific Standard Time")
    assert consistent(made, value) and TimeZoneDefinition.decode(made.encode()) == made


def test_rules_by_year() -> None:
    assert [PACIFIC.rule(year) for year in (1999, 2006)] == [PACIFIC.rules[0]] * 2
    assert [PACIFIC.rule(year) for year in (2007, 2030)] == [PACIFIC.rules[1]] * 2
    backwards = PACIFIC._replace(rules=PACIFIC.rules[::-1])
    assert [backwards.rule(year) for year in (1999, 2006, 2007)] == [PACIFIC.rules[0]] * 2 + [PACIFIC.rules[1]]
    assert PACIFIC._replace(rules=()).rule(2000) is None
    assert offset_at(PACIFIC._replace(rules=()), 0) == 0


def test_what_a_later_version_adds_is_kept() -> None:
    later = PACIFIC._replace(more=b"more", major_version=3)
    assert TimeZoneDefinition.decode(later.encode()) == later


def test_limits() -> None:
    many = PACIFIC._replace(rules=PACIFIC.rules[:1] * (MOST_RULES + 1))
    with pytest.raises(WireError, match="1025 rules"):
        TimeZoneDefinition.decode(many.encode())
    with pytest.raises(WireError, match="name of 70000"):
        PACIFIC._replace(key_name="x" * 35000).encode()


def test_change_to_daylight_time() -> None:
    eve = minutes(2011, 3, 13, 10)  # 02:00 in standard time
    assert [offset_at(PACIFIC, eve - 1), offset_at(PACIFIC, eve)] == [-480, -420]
    local = minutes(2011, 3, 13, 2)
    assert [offset_at(PACIFIC, local + ahead, local=True) for ahead in (-1, 0, 59, 60)] == [-480, -480, -480, -420]


def test_change_to_standard_time() -> None:
    eve = minutes(2011, 11, 6, 9)  # 02:00 in daylight time
    assert [offset_at(PACIFIC, eve - 1), offset_at(PACIFIC, eve)] == [-420, -480]
    local = minutes(2011, 11, 6, 1)
    assert [offset_at(PACIFIC, local + ahead, local=True) for ahead in (-1, 0, 59, 60)] == [-420, -420, -420, -480]


def test_without_changes() -> None:
    assert [offset_at(INDIA, when) for when in (0, minutes(2011, 7, 1))] == [330, 330]
    assert to_utc(INDIA, minutes(2011, 7, 1)) == minutes(2011, 6, 30, 18, 30)
    assert to_local(INDIA, minutes(2011, 6, 30, 18, 30)) == minutes(2011, 7, 1)


def test_changes_given_as_dates_and_at_the_last_millisecond() -> None:
    zone = TimeZoneStruct(
        0, 0, -60, SystemTime(2011, 10, 0, 30, 1), SystemTime(0, 3, 6, 5, 23, 59, 59, 999)
    )  # fmt: skip
    assert offset_at(zone, minutes(2011, 3, 26, 23, 59)) == 0
    assert offset_at(zone, minutes(2011, 3, 27)) == 60
    assert [offset_at(zone, minutes(2011, 10, 30) + ahead) for ahead in (-1, 0)] == [60, 0]


@pytest.mark.parametrize("name", ["America/Los_Angeles", "Australia/Sydney"])
def test_against_the_zone_database(name: str) -> None:
    try:
        known = ZoneInfo(name)
    except ZoneInfoNotFoundError:
        pytest.skip(f"no {name} on this machine")
    zone = PACIFIC if "America" in name else SYDNEY
    first = minutes(2003, 1, 1) if "America" in name else minutes(2009, 1, 1)
    for minute in range(first, first + 8 * 365 * 1440, 115):
        when = EPOCH + timedelta(minutes=minute)
        expected = when.replace(tzinfo=UTC).astimezone(known).utcoffset()
        assert timedelta(minutes=offset_at(zone, minute)) == expected, when
        assert timedelta(minutes=offset_at(zone, minute, local=True)) == when.replace(tzinfo=known).utcoffset(), when


U8, U16 = st.integers(0, 255), st.integers(0, 2**16 - 1)
I32 = st.integers(-(2**31), 2**31 - 1)
TIMES = st.builds(SystemTime, *[U16] * 8)
RULES = st.builds(TimeZoneRule, U16, U16, I32, I32, I32, TIMES, TIMES, st.binary(min_size=14, max_size=14), U16, U8, U8)
STRUCTS = st.builds(TimeZoneStruct, I32, I32, I32, TIMES, TIMES, U16, U16)


@given(st.text(max_size=20), st.lists(RULES, max_size=4))
def test_definitions_round_trip(name: str, rules: list[TimeZoneRule]) -> None:
    value = TimeZoneDefinition(name, tuple(rules))
    assert TimeZoneDefinition.decode(value.encode()) == value


@given(STRUCTS | RULES, st.integers(-(2**40), 2**40), st.booleans())
def test_any_rule_answers(zone: TimeZoneStruct | TimeZoneRule, minute: int, local: bool) -> None:
    assert type(zone).decode(zone.encode()) == zone
    assert -1440 <= offset_at(zone, minute, local=local) <= 1440
