"""Recurrence blobs: the documents' examples both ways, and what other writers make of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi.recurrence import (
    NO_END_DATE,
    AppointmentRecurrencePattern,
    CalendarType,
    ChangeHighlight,
    EndType,
    ExceptionInfo,
    ExtendedException,
    OverrideFlags,
    PatternType,
    RecurFrequency,
    RecurrencePattern,
)
from tests.mapi.structures.calendar import (
    ALL_FLAGS,
    DAILY,
    HEBREW,
    TASK,
    WEDNESDAYS,
    WEDNESDAYS_DAMAGED,
    WEEKLY,
    WEEKLY_EXCEPTION,
)

WEEKLY_VALUE = AppointmentRecurrencePattern(
    RecurrencePattern(
        RecurFrequency.Weekly,
        PatternType.Week,
        period=1,
        start_date=0x0CBC2080,
        end_date=0x0CBCAD20,
        end_type=EndType.EndAfterNOccurrences,
        occurrence_count=12,
        week_days=0x32,
        first_date_time=0x21C0,
    ),
    start_time_offset=600,
    end_time_offset=630,
)
MOVED = (0x0CBC9934, 0x0CBC9952, 0x0CBC98F8)


def test_weekly() -> None:
    assert AppointmentRecurrencePattern.decode(WEEKLY) == WEEKLY_VALUE
    assert WEEKLY_VALUE.encode() == WEEKLY


def test_weekly_with_exception() -> None:
    subject, location = "Simple Recurrence with exceptions", "34/4141"
    flags = OverrideFlags.ARO_SUBJECT | OverrideFlags.ARO_LOCATION
    pattern = WEEKLY_VALUE.recurrence_pattern._replace(
        deleted_instance_dates=(0x0CBC96A0,), modified_instance_dates=(0x0CBC96A0,)
    )
    value = WEEKLY_VALUE._replace(
        recurrence_pattern=pattern,
        exception_infos=(ExceptionInfo(*MOVED, flags, subject=subject.encode(), location=location.encode()),),
        extended_exceptions=(ExtendedException(ChangeHighlight(), *MOVED, subject, location),),
    )
    assert AppointmentRecurrencePattern.decode(WEEKLY_EXCEPTION) == value
    assert value.encode() == WEEKLY_EXCEPTION
    assert list(value.exceptions()) == [(value.exception_infos[0], value.extended_exceptions[0])]


def test_daily() -> None:
    value = AppointmentRecurrencePattern.decode(DAILY)
    pattern = value.recurrence_pattern
    assert (pattern.recur_frequency, pattern.pattern_type, pattern.period) == (RecurFrequency.Daily, 0, 4320)
    assert pattern.deleted_instance_dates == (0x0CDCC1A0, 0x0CDCD280)
    assert pattern.modified_instance_dates == ()
    assert value.encode() == DAILY


def test_hebrew() -> None:
    value = AppointmentRecurrencePattern.decode(HEBREW)
    pattern = value.recurrence_pattern
    assert (pattern.calendar_type, pattern.period, pattern.day) == (CalendarType.CAL_HEBREW, 12, 3)
    assert (pattern.end_type, pattern.end_date) == (EndType.NeverEnd, NO_END_DATE)
    assert value.exception_infos == (
        ExceptionInfo(0x0CDC8000, 0x0CDC801E, 0x0CDC8000, 0x224, reminder_delta=60, busy_status=1),
    )
    assert value.extended_exceptions == (ExtendedException(),)
    assert value.encode() == HEBREW


def test_task() -> None:
    value = RecurrencePattern.decode(TASK)
    assert (value.period, value.start_date) == (1440, 0x0CBC2080)
    assert value.encode() == TASK
    with pytest.raises(WireError):
        RecurrencePattern.decode(WEEKLY)


def test_weekly_without_end() -> None:
    value = AppointmentRecurrencePattern.decode(WEDNESDAYS)
    assert value.recurrence_pattern.week_days == 1 << 3
    assert value.encode() == WEDNESDAYS
    with pytest.raises(WireError, match="items announced") as error:
        AppointmentRecurrencePattern.decode(WEDNESDAYS_DAMAGED)
    assert error.value.offset == 46


@pytest.mark.parametrize("left_out", [4, 8])
def test_reserved_blocks_left_out(left_out: int) -> None:
    value = AppointmentRecurrencePattern.decode(WEDNESDAYS[:-left_out])
    assert (value.reserved_block1, value.reserved_block2) == (b"" if left_out == 4 else None, None)
    assert value.encode() == WEDNESDAYS[:-left_out]
    whole = value._replace(reserved_block1=b"", reserved_block2=b"")
    assert whole.encode() == WEDNESDAYS


@pytest.mark.parametrize("blocks", [(None, None), (b"", None), (b"", b"")])
def test_extended_exceptions_left_out(blocks: tuple[bytes | None, bytes | None]) -> None:
    whole = AppointmentRecurrencePattern.decode(WEEKLY_EXCEPTION)
    value = whole._replace(extended_exceptions=(), reserved_block1=blocks[0], reserved_block2=blocks[1])
    assert AppointmentRecurrencePattern.decode(value.encode()) == value
    assert [extended for _, extended in value.exceptions()] == [None]


def test_an_extended_exception_too_few() -> None:
    value = AppointmentRecurrencePattern.decode(WEEKLY_EXCEPTION)
    with pytest.raises(WireError, match="2 exceptions with 1"):
        value._replace(exception_infos=value.exception_infos * 2).encode()


def test_older_writers_have_no_change_highlight() -> None:
    value = AppointmentRecurrencePattern.decode(WEEKLY_EXCEPTION)
    older = value._replace(
        writer_version2=0x3008, extended_exceptions=(value.extended_exceptions[0]._replace(change_highlight=None),)
    )
    assert len(older.encode()) == len(WEEKLY_EXCEPTION) - 8
    assert AppointmentRecurrencePattern.decode(older.encode()) == older


def test_reserved_parts_are_kept() -> None:
    value = AppointmentRecurrencePattern.decode(WEEKLY_EXCEPTION)
    extended = value.extended_exceptions[0]._replace(
        change_highlight=ChangeHighlight(0x53, b"later"), reserved_block1=b"one", reserved_block2=b"two"
    )
    value = value._replace(extended_exceptions=(extended,), reserved_block1=b"three", reserved_block2=b"four")
    assert AppointmentRecurrencePattern.decode(value.encode()) == value


def test_all_that_an_exception_overrides() -> None:
    assert len(ALL_FLAGS.encode()) == 14 + 4 + 33 + 4 + 7 + 7 * 4
    assert ExceptionInfo.decode(ALL_FLAGS.encode()) == ALL_FLAGS


def test_pattern_types_are_known() -> None:
    with pytest.raises(WireError, match="PatternType 0x0005"):
        RecurrencePattern.decode(TASK[:6] + b"\x05\0" + TASK[8:])


def test_strings_that_are_too_long() -> None:
    info = ExceptionInfo(*MOVED, OverrideFlags.ARO_SUBJECT, subject=b"x" * 70000)
    assert len(info.encode()) == 14 + 4 + 65534
    with pytest.raises(WireError, match="70000"):
        ExtendedException(None, *MOVED, subject="x" * 70000).encode(OverrideFlags.ARO_SUBJECT, 0x3008)


U32 = st.integers(0, 2**32 - 1)
U16 = st.integers(0, 2**16 - 1)
DATES = st.lists(U32, max_size=5).map(tuple)


@st.composite
def patterns(draw: st.DrawFn) -> RecurrencePattern:
    pattern = draw(st.sampled_from(PatternType))
    days = draw(U32) if pattern in (1, 3, 11) else 0
    day = draw(U32) if pattern in (2, 4, 10, 12) else 0
    n = draw(U32) if pattern in (3, 11) else 0
    numbers = draw(st.tuples(U32, U32, U32, U32, U32))
    return RecurrencePattern(
        draw(U16), pattern, *numbers, days, day, n, draw(U32), draw(DATES), draw(DATES), draw(U32), draw(U16),
        draw(U32), draw(U16), draw(U16),
    )  # fmt: skip


@st.composite
def exceptions(draw: st.DrawFn, writer: int) -> tuple[ExceptionInfo, ExtendedException]:
    flags = draw(st.integers(0, 0x3FF))
    times = draw(st.tuples(U32, U32, U32))
    number = [draw(U32) if flags & bit else None for bit in (2, 4, 8, 0x20, 0x40, 0x80, 0x100)]
    subject = draw(st.text(max_size=9)) if flags & 1 else None
    location = draw(st.text(max_size=9)) if flags & 0x10 else None
    narrow = [text if text is None else text.encode() for text in (subject, location)]
    info = ExceptionInfo(*times, flags, narrow[0], *number[:3], narrow[1], *number[3:])
    highlight = ChangeHighlight(draw(U32), draw(st.binary(max_size=4))) if writer >= 0x3009 else None
    wide = bool(flags & 0x11)
    later = times if wide else (None, None, None)
    blocks = draw(st.binary(max_size=4)), draw(st.binary(max_size=4)) if wide else b""
    return info, ExtendedException(highlight, *later, subject, location, *blocks)


@given(st.data())
def test_round_trip(data: st.DataObject) -> None:
    writer = data.draw(st.sampled_from([0x3008, 0x3009, 0x300A]))
    pairs = data.draw(st.lists(exceptions(writer), max_size=3))
    value = AppointmentRecurrencePattern(
        data.draw(patterns()),
        data.draw(U32),
        data.draw(U32),
        tuple(info for info, _ in pairs),
        tuple(extended for _, extended in pairs),
        data.draw(U32),
        writer,
        data.draw(st.binary(max_size=5)),
        data.draw(st.binary(max_size=5)),
    )
    assert AppointmentRecurrencePattern.decode(value.encode()) == value
    pattern = value.recurrence_pattern
    assert RecurrencePattern.decode(pattern.encode()) == pattern
