"""Occurrences of a series, changed and deleted ([MS-OXOCAL] 2.2.1.44, 2.2.10)."""

from __future__ import annotations

from datetime import UTC, datetime

from gromoxd.convert.item import Item
from gromoxd.convert.meeting.exceptions import delete_occurrence, exception_of, put_exception
from gromoxd.mapi.appointments import recurrence_of
from gromoxd.mapi.busytimes import busy_times
from gromoxd.mapi.named_tags import (
    PidLidAppointmentEndWhole,
    PidLidAppointmentRecur,
    PidLidAppointmentStartWhole,
    PidLidBusyStatus,
    PidLidLocation,
    PidLidRecurring,
)
from gromoxd.mapi.proptags import PidTagMessageClass, PidTagSubject
from gromoxd.mapi.recurrence import AppointmentRecurrencePattern, RecurrencePattern
from gromoxd.mapi.times import TICKS, UNIX_EPOCH_NT

DAY = 1440


def nt(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * TICKS + UNIX_EPOCH_NT


def minutes(*when: int) -> int:
    return nt(*when) // 600_000_000


def daily(busy: int = 2) -> Item:
    """Every day at 9:00 UTC for an hour, from Monday 2026-06-01 on, ten times."""
    pattern = RecurrencePattern(
        0x200A, 0, DAY, minutes(2026, 6, 1), minutes(2026, 6, 10), end_type=0x2022, occurrence_count=10
    )
    recur = AppointmentRecurrencePattern(pattern, 9 * 60, 10 * 60)
    return Item({
        PidTagMessageClass: "IPM.Appointment", PidTagSubject: "Stand-up", PidLidLocation: "Kitchen",
        PidLidAppointmentStartWhole: nt(2026, 6, 1, 9), PidLidAppointmentEndWhole: nt(2026, 6, 1, 10),
        PidLidRecurring: True, PidLidBusyStatus: busy, PidLidAppointmentRecur: recur.encode(),
    })  # fmt: skip


def moved(hour: int = 15, **more: object) -> Item:
    return Item({
        PidLidAppointmentStartWhole: nt(2026, 6, 3, hour), PidLidAppointmentEndWhole: nt(2026, 6, 3, hour + 1),
        PidTagSubject: "Stand-up", PidLidLocation: "Hall", PidLidBusyStatus: 3,
    })  # fmt: skip


def times(series: Item) -> list[tuple[str, int, str]]:
    found = busy_times(series.props, nt(2026, 6, 1), nt(2026, 7, 1))
    unix = [(busy.start_nt - UNIX_EPOCH_NT) // TICKS for busy in found]
    return [
        (datetime.fromtimestamp(at, UTC).strftime("%d %H"), busy.status, busy.location)
        for at, busy in zip(unix, found, strict=True)
    ]


def test_a_moved_occurrence_is_told_by_blob_and_attachment() -> None:
    series = put_exception(daily(), moved(), nt(2026, 6, 3, 9))
    assert series is not None
    assert times(series)[:4] == [
        ("01 09", 2, "Kitchen"), ("02 09", 2, "Kitchen"), ("03 15", 3, "Hall"), ("04 09", 2, "Kitchen"),
    ]  # fmt: skip
    assert len(times(series)) == 10
    pattern = recurrence_of(series.props)
    assert pattern is not None
    assert pattern.recurrence_pattern.deleted_instance_dates == (minutes(2026, 6, 3),)
    assert pattern.recurrence_pattern.modified_instance_dates == (minutes(2026, 6, 3),)
    (info,) = pattern.exception_infos
    assert (info.original_start_date, info.override_flags) == (minutes(2026, 6, 3, 9), 0x10 | 0x20)
    assert pattern.extended_exceptions[0].location == "Hall"
    (attachment,) = series.attachments
    assert attachment.embedded is not None
    assert attachment.embedded.props[PidTagMessageClass] == "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"
    assert exception_of(series, nt(2026, 6, 3, 9)) is attachment.embedded
    assert exception_of(series, nt(2026, 6, 4, 9)) is None


def test_the_second_change_of_an_occurrence_replaces_the_first() -> None:
    once = put_exception(daily(), moved(), nt(2026, 6, 3, 9))
    assert once is not None
    twice = put_exception(once, moved(17), nt(2026, 6, 3, 9))
    assert twice is not None
    assert [time for time in times(twice) if time[0].startswith("03")] == [("03 17", 3, "Hall")]
    assert len(twice.attachments) == 1


def test_a_deleted_occurrence_takes_its_exception_along() -> None:
    series = put_exception(daily(), moved(), nt(2026, 6, 3, 9))
    assert series is not None
    without = delete_occurrence(series, nt(2026, 6, 3, 9))
    assert without is not None
    assert len(times(without)) == 9 and not any(time[0].startswith("03") for time in times(without))
    assert without.attachments == [] and len(series.attachments) == 1


def test_what_does_not_recur_has_no_occurrences() -> None:
    single = Item({PidLidAppointmentStartWhole: nt(2026, 6, 3, 9)})
    assert put_exception(single, moved(), nt(2026, 6, 3, 9)) is None
    assert delete_occurrence(single, nt(2026, 6, 3, 9)) is None


def test_free_times_make_nobody_busy() -> None:
    assert times(daily(busy=0)) == []
    series = put_exception(daily(busy=0), moved(), nt(2026, 6, 3, 9))
    assert series is not None and times(series) == [("03 15", 3, "Hall")]
