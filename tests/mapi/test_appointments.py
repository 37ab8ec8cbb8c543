"""When an appointment is, by its properties alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi.appointments import spans, zone_of
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.ianazones import definition, minutes_of, struct_of
from gromoxd.mapi.recurrence import (
    AppointmentRecurrencePattern,
    ExceptionInfo,
    PatternType,
    RecurFrequency,
    RecurrencePattern,
)

EPOCH = datetime(1601, 1, 1)
NINE, TEN = 540, 600


def at(*when: int) -> int:
    return minutes_of(datetime(*when))  # type: ignore[arg-type]


def found(bag: Bag, start: int, end: int) -> list[tuple[str, int, int]]:
    return [
        (f"{EPOCH + timedelta(minutes=each.start):%m-%d %H:%M}", each.end - each.start, each.busy_status)
        for each in spans(bag, start, end)
    ]


def series() -> Bag:
    berlin = definition("Europe/Berlin", 2024)
    assert berlin is not None
    moved = ExceptionInfo(at(2024, 3, 30, 20), at(2024, 3, 30, 21), at(2024, 3, 30, 9), 0x20, busy_status=3)
    pattern = RecurrencePattern(
        RecurFrequency.Daily, PatternType.Day, 1440, at(2024, 3, 29),
        deleted_instance_dates=(at(2024, 3, 30), at(2024, 4, 1)), modified_instance_dates=(at(2024, 3, 30),),
    )  # fmt: skip
    return {
        n.PidLidAppointmentRecur: AppointmentRecurrencePattern(pattern, NINE, TEN, (moved,)).encode(),
        n.PidLidAppointmentTimeZoneDefinitionRecur: berlin.encode(),
        n.PidLidTimeZoneStruct: struct_of(berlin).encode(),
        n.PidLidBusyStatus: 1,
    }


def test_series_over_a_change_of_clocks() -> None:
    assert found(series(), at(2024, 3, 28), at(2024, 4, 3)) == [
        ("03-29 08:00", 60, 1), ("03-30 19:00", 60, 3), ("03-31 07:00", 60, 1), ("04-02 07:00", 60, 1),
    ]  # fmt: skip
    assert found(series(), at(2024, 3, 30, 19, 59), at(2024, 3, 31, 7, 0)) == [("03-30 19:00", 60, 3)]
    assert found(series(), at(2024, 3, 30, 20, 0), at(2024, 3, 31, 7, 0)) == []


def test_single() -> None:
    bag: Bag = {
        n.PidLidAppointmentStartWhole: at(2024, 5, 1, 8) * 600_000_000,
        n.PidLidAppointmentEndWhole: at(2024, 5, 1, 9) * 600_000_000,
    }
    assert found(bag, at(2024, 5, 1), at(2024, 5, 2)) == [("05-01 08:00", 60, 2)]
    assert found(bag, at(2024, 5, 1, 9), at(2024, 5, 2)) == []
    assert found({}, 0, at(2024, 5, 2)) == []


def test_struct_wins_over_a_definition_that_differs() -> None:
    bag = series()
    york = definition("America/New_York", 2024)
    assert york is not None
    bag[n.PidLidTimeZoneStruct] = struct_of(york).encode()
    zone = zone_of(bag, recurring=True)
    assert zone is not None and zone.rules[0].bias == 300
    assert found(bag, at(2024, 3, 29), at(2024, 3, 30)) == [("03-29 13:00", 60, 1)]


def test_damaged() -> None:
    bag = series()
    bag[n.PidLidAppointmentTimeZoneDefinitionRecur] = b"\1"
    assert found(bag, at(2024, 3, 29), at(2024, 3, 30)) == [("03-29 08:00", 60, 1)]
    bag[n.PidLidAppointmentRecur] = b"\1"
    assert found(bag, at(2024, 3, 29), at(2024, 3, 30)) == []
    empty = RecurrencePattern(RecurFrequency.Weekly, PatternType.Week, 1, at(2024, 1, 1))
    bag[n.PidLidAppointmentRecur] = AppointmentRecurrencePattern(empty, 0, 1).encode()
    with pytest.raises(WireError):
        found(bag, 0, 1)
