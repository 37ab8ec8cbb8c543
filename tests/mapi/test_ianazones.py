"""IANA zones as definitions of MAPI: names both ways, and offsets against zoneinfo."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gromoxd.mapi.ianazones import definition, find, iana_name, minutes_of, struct_of, windows_name
from gromoxd.mapi.timezones import SystemTime, TimeZoneDefinition, consistent, offset_at
from gromoxd.mapi.windowszones import ZONES


def test_names() -> None:
    assert windows_name("Europe/Vienna") == "W. Europe Standard Time"
    assert windows_name("america/new_york") == "Eastern Standard Time"
    assert windows_name("Asia/Calcutta") == windows_name("Asia/Kolkata") == "India Standard Time"
    assert iana_name("W. Europe Standard Time") == "Europe/Berlin"
    assert iana_name("UTC") == "Etc/UTC"
    assert windows_name("Mars/Olympus") is None and iana_name("Mars Standard Time") is None


@pytest.mark.parametrize(("name", "iana"), [
    ("Europe/Berlin", "Europe/Berlin"), ("europe/berlin", "Europe/Berlin"), ('"Europe/Berlin"', "Europe/Berlin"),
    ("W. Europe Standard Time", "Europe/Berlin"), ("/mozilla.org/20050126_1/Europe/Berlin", "Europe/Berlin"),
    ("/x/America/Argentina/Salta", "America/Argentina/Salta"), ("posix/Europe/Vaduz", "Europe/Vaduz"),
    ("America/New York", "America/New_York"), ("Berlin", None), ("../../etc/passwd", None), ("", None),
    ("x" * 100_000, None), ("a\0b", None),
])  # fmt: skip
def test_find(name: str, iana: str | None) -> None:
    assert find(name) == iana


def test_every_windows_zone_has_a_definition() -> None:
    for windows, names in ZONES.items():
        found = definition(names.split()[0], 2020)
        assert found is not None and found.key_name == windows, windows


@pytest.mark.parametrize(("zone", "rules"), [
    ("Europe/Berlin", 2), ("America/New_York", 2), ("Asia/Tehran", 33), ("Australia/Sydney", 7), ("Asia/Kolkata", 1),
    ("America/Sao_Paulo", 25),
])  # fmt: skip
def test_offsets_are_those_of_the_database(zone: str, rules: int) -> None:
    found = definition(zone, 1990)
    assert found is not None and len(found.rules) == rules
    chance, other = random.Random(zone), ZoneInfo(zone)
    for _ in range(2000):
        minute = chance.randrange(minutes_of(datetime(1990, 1, 2)), minutes_of(datetime(2037, 12, 30)))
        then = datetime(1601, 1, 1) + timedelta(minutes=minute)
        expected = other.fromutc(then.replace(tzinfo=other)).utcoffset()
        assert expected is not None
        assert offset_at(found, minute) == expected.total_seconds() // 60, then


def test_rules_of_new_york() -> None:
    found = definition("America/New_York", 2000)
    assert found is not None
    old, new = found.rules
    assert (old.year, old.bias, old.daylight_bias) == (1601, 300, -60)
    assert old.daylight_date == SystemTime(0, 4, 0, 1, 2) and old.standard_date == SystemTime(0, 10, 0, 5, 2)
    assert (new.year, new.daylight_date, new.standard_date) == (
        2007, SystemTime(0, 3, 0, 2, 2), SystemTime(0, 11, 0, 1, 2)
    )  # fmt: skip
    assert not old.effective and new.effective
    assert consistent(found, struct_of(found))
    assert TimeZoneDefinition.decode(found.encode()) == found
    early = definition("America/New_York", 2000, 2005)
    assert early is not None and early.rules[0].effective and struct_of(early).daylight_date.month == 4


def test_unknown() -> None:
    assert definition("Mars/Olympus") is None
