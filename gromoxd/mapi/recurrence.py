"""Recurrence blobs: PidLidAppointmentRecur ([MS-OXOCAL] 2.2.1.44) and PidLidTaskRecurrence ([MS-OXOTASK] 2.2.2.2.15).

What is here: octets to values and back. `gromoxd.mapi.occurrences` expands the values to dates.
All times are minutes since 1601-01-01 00:00 in the zone of the appointment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum, IntFlag
from struct import Struct, unpack
from typing import NamedTuple, Self

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import U32, Cursor

NO_END_DATE = 0x5AE980DF
"""EndDate of a recurrence that never ends: 4500-08-31 23:59."""

READER_VERSION = WRITER_VERSION = 0x3004
READER_VERSION2, WRITER_VERSION2 = 0x3006, 0x3009
WRITES_CHANGE_HIGHLIGHT = 0x3009
"""From this WriterVersion2 on an ExtendedException begins with a ChangeHighlight."""

_HEAD = Struct("<5H3I")
_PAIR, _TRIPLE = Struct("<2I"), Struct("<3I")
_TIMES_FLAGS = Struct("<3IH")
_LENGTHS = Struct("<2H")
_LENGTH = Struct("<H")
_APPOINTMENT = Struct("<4IH")
_NOT_MORE = 0xFFFF


class RecurFrequency(IntEnum):
    Daily = 0x200A
    Weekly = 0x200B
    Monthly = 0x200C
    Yearly = 0x200D


class PatternType(IntEnum):
    Day = 0x0000
    Week = 0x0001
    Month = 0x0002
    MonthNth = 0x0003
    MonthEnd = 0x0004
    HjMonth = 0x000A
    HjMonthNth = 0x000B
    HjMonthEnd = 0x000C


class CalendarType(IntEnum):
    Default = 0x0000
    CAL_GREGORIAN = 0x0001
    CAL_GREGORIAN_US = 0x0002
    CAL_JAPAN = 0x0003
    CAL_TAIWAN = 0x0004
    CAL_KOREA = 0x0005
    CAL_HIJRI = 0x0006
    CAL_THAI = 0x0007
    CAL_HEBREW = 0x0008
    CAL_GREGORIAN_ME_FRENCH = 0x0009
    CAL_GREGORIAN_ARABIC = 0x000A
    CAL_GREGORIAN_XLIT_ENGLISH = 0x000B
    CAL_GREGORIAN_XLIT_FRENCH = 0x000C
    CAL_LUNAR_JAPANESE = 0x000E
    CAL_CHINESE_LUNAR = 0x000F
    CAL_SAKA = 0x0010
    CAL_LUNAR_ETO_CHN = 0x0011
    CAL_LUNAR_ETO_KOR = 0x0012
    CAL_LUNAR_ROKUYOU = 0x0013
    CAL_LUNAR_KOREAN = 0x0014
    CAL_UMALQURA = 0x0017


class EndType(IntEnum):
    EndByDate = 0x00002021
    EndAfterNOccurrences = 0x00002022
    NeverEnd = 0x00002023
    NeverEndToo = 0xFFFFFFFF


class OverrideFlags(IntFlag):
    """Which properties of an exception differ from the series' ([MS-OXOCAL] 2.2.1.44.2)."""

    ARO_SUBJECT = 0x0001
    ARO_MEETINGTYPE = 0x0002
    ARO_REMINDERDELTA = 0x0004
    ARO_REMINDER = 0x0008
    ARO_LOCATION = 0x0010
    ARO_BUSYSTATUS = 0x0020
    ARO_ATTACHMENT = 0x0040
    ARO_SUBTYPE = 0x0080
    ARO_APPTCOLOR = 0x0100
    ARO_EXCEPTIONAL_BODY = 0x0200


# The flags as plain ints: operators of IntFlag cost a microsecond each.
_SUBJECT, _LOCATION = 0x0001, 0x0010
_WIDE = _SUBJECT | _LOCATION
_NUMBERS_BEFORE = ((0x0002, "meeting_type"), (0x0004, "reminder_delta"), (0x0008, "reminder_set"))
_NUMBERS_AFTER = ((0x0020, "busy_status"), (0x0040, "attachment"), (0x0080, "sub_type"), (0x0100, "appointment_color"))

_NTH = frozenset((PatternType.MonthNth, PatternType.HjMonthNth))
_BY_DAY = frozenset((PatternType.Month, PatternType.MonthEnd, PatternType.HjMonth, PatternType.HjMonthEnd))


class RecurrencePattern(NamedTuple):
    """[MS-OXOCAL] 2.2.1.44.1. Of the PatternTypeSpecific fields only those of the pattern type travel."""

    recur_frequency: int
    pattern_type: int
    period: int
    """Minutes for Day, weeks for Week, months for the others."""
    start_date: int
    end_date: int = NO_END_DATE
    end_type: int = EndType.NeverEnd
    occurrence_count: int = 10
    week_days: int = 0
    """Week and MonthNth: Sunday is bit 0, Saturday bit 6 (2.2.1.44.1.4, 2.2.1.44.1.6)."""
    day: int = 0
    """Month and MonthEnd: the day of the month (2.2.1.44.1.5)."""
    n: int = 0
    """MonthNth: 1 to 4, 5 is the last."""
    first_dow: int = 0
    deleted_instance_dates: tuple[int, ...] = ()
    """Midnights of the days whose occurrence is deleted or an exception, ascending."""
    modified_instance_dates: tuple[int, ...] = ()
    """Midnights of the days on which exceptions are now, ascending."""
    first_date_time: int = 0
    calendar_type: int = CalendarType.Default
    sliding_flag: int = 0
    reader_version: int = READER_VERSION
    writer_version: int = WRITER_VERSION

    @classmethod
    def read(cls, cursor: Cursor) -> Self:
        reader, writer, frequency, pattern, calendar, first, period, sliding = cursor.struct(_HEAD)
        week_days, day, n = _read_specific(cursor, pattern)
        end_type, occurrences, first_dow = cursor.struct(_TRIPLE)
        deleted = _read_dates(cursor)
        modified = _read_dates(cursor)
        start, end = cursor.struct(_PAIR)
        return cls(
            frequency, pattern, period, start, end, end_type, occurrences, week_days, day, n, first_dow,
            deleted, modified, first, calendar, sliding, reader, writer,
        )  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> Self:
        cursor = Cursor(data)
        value = cls.read(cursor)
        cursor.finish()
        return value

    def encode(self) -> bytes:
        head = _HEAD.pack(
            self.reader_version, self.writer_version, self.recur_frequency, self.pattern_type, self.calendar_type,
            self.first_date_time, self.period, self.sliding_flag,
        )  # fmt: skip
        return b"".join((
            head,
            self._specific(),
            _TRIPLE.pack(self.end_type, self.occurrence_count, self.first_dow),
            _dates(self.deleted_instance_dates),
            _dates(self.modified_instance_dates),
            _PAIR.pack(self.start_date, self.end_date),
        ))  # fmt: skip

    def _specific(self) -> bytes:
        pattern = self.pattern_type
        if pattern in _NTH:
            return _PAIR.pack(self.week_days, self.n)
        if pattern == PatternType.Day:
            return b""
        return U32.pack(self.day if pattern in _BY_DAY else self.week_days)


def _read_specific(cursor: Cursor, pattern: int) -> tuple[int, int, int]:
    """week_days, day and n of PatternTypeSpecific ([MS-OXOCAL] 2.2.1.44.1.3 to 2.2.1.44.1.6)."""
    if pattern == PatternType.Day:
        return 0, 0, 0
    if pattern == PatternType.Week:
        return cursor.u32(), 0, 0
    if pattern in _NTH:
        week_days, n = cursor.struct(_PAIR)
        return week_days, 0, n
    if pattern in _BY_DAY:
        return 0, cursor.u32(), 0
    raise cursor.fail(f"recurrence with PatternType {pattern:#06x}")


def _read_dates(cursor: Cursor) -> tuple[int, ...]:
    count = cursor.count(cursor.u32(), 4)
    return unpack(f"<{count}I", cursor.take(4 * count))


def _dates(dates: tuple[int, ...]) -> bytes:
    return b"".join((U32.pack(len(dates)), *map(U32.pack, dates)))


def _short(octets: bytes, units: int) -> bytes:
    """Octets with their number of units before them; WireError if that does not fit into its field."""
    if units > _NOT_MORE:
        raise WireError(f"string of {units} in a recurrence, {_NOT_MORE} is the most")
    return _LENGTH.pack(units) + octets


class ExceptionInfo(NamedTuple):
    """[MS-OXOCAL] 2.2.1.44.2. What OverrideFlags does not name is None; strings are in the writer's code page."""

    start_date_time: int
    end_date_time: int
    original_start_date: int
    """Date and time at which the pattern has the occurrence."""
    override_flags: int = 0
    subject: bytes | None = None
    meeting_type: int | None = None
    reminder_delta: int | None = None
    reminder_set: int | None = None
    location: bytes | None = None
    busy_status: int | None = None
    attachment: int | None = None
    sub_type: int | None = None
    appointment_color: int | None = None

    @classmethod
    def read(cls, cursor: Cursor) -> Self:
        start, end, original, flags = cursor.struct(_TIMES_FLAGS)
        u32 = cursor.u32
        return cls(
            start, end, original, flags,
            subject=_read_narrow(cursor) if flags & _SUBJECT else None,
            meeting_type=u32() if flags & 0x0002 else None,
            reminder_delta=u32() if flags & 0x0004 else None,
            reminder_set=u32() if flags & 0x0008 else None,
            location=_read_narrow(cursor) if flags & _LOCATION else None,
            busy_status=u32() if flags & 0x0020 else None,
            attachment=u32() if flags & 0x0040 else None,
            sub_type=u32() if flags & 0x0080 else None,
            appointment_color=u32() if flags & 0x0100 else None,
        )  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> Self:
        cursor = Cursor(data)
        value = cls.read(cursor)
        cursor.finish()
        return value

    def encode(self) -> bytes:
        flags = self.override_flags
        parts = [_TIMES_FLAGS.pack(self.start_date_time, self.end_date_time, self.original_start_date, flags)]
        if flags & _SUBJECT:
            parts.append(_narrow(self.subject or b""))
        parts += [U32.pack(getattr(self, name) or 0) for flag, name in _NUMBERS_BEFORE if flags & flag]
        if flags & _LOCATION:
            parts.append(_narrow(self.location or b""))
        parts += [U32.pack(getattr(self, name) or 0) for flag, name in _NUMBERS_AFTER if flags & flag]
        return b"".join(parts)


def _read_narrow(cursor: Cursor) -> bytes:
    """A string with two lengths before it: with a NUL that does not travel, and without."""
    _, length = cursor.struct(_LENGTHS)
    return cursor.take(length)


def _narrow(octets: bytes) -> bytes:
    octets = octets[: _NOT_MORE - 1]  # the readable form is in the ExtendedException
    return _LENGTHS.pack(len(octets) + 1, len(octets)) + octets


class ChangeHighlight(NamedTuple):
    """[MS-OXOCAL] 2.2.1.44.3: PidLidChangeHighlight of an exception."""

    value: int = 0
    reserved: bytes = b""

    @classmethod
    def read(cls, cursor: Cursor) -> Self:
        region = cursor.region(cursor.u32())
        return cls(region.u32(), region.rest())

    def encode(self) -> bytes:
        return _PAIR.pack(4 + len(self.reserved), self.value) + self.reserved


class ExtendedException(NamedTuple):
    """[MS-OXOCAL] 2.2.1.44.4: what an ExceptionInfo tells, with its strings in Unicode.

    Times and strings travel only when the ExceptionInfo overrides subject or location.
    """

    change_highlight: ChangeHighlight | None = ChangeHighlight()
    start_date_time: int | None = None
    end_date_time: int | None = None
    original_start_date: int | None = None
    subject: str | None = None
    location: str | None = None
    reserved_block1: bytes = b""
    reserved_block2: bytes = b""

    @classmethod
    def read(cls, cursor: Cursor, override_flags: int, writer_version2: int) -> Self:
        highlight = ChangeHighlight.read(cursor) if writer_version2 >= WRITES_CHANGE_HIGHLIGHT else None
        block1 = cursor.take(cursor.u32())
        if not override_flags & _WIDE:
            return cls(highlight, reserved_block1=block1)
        start, end, original = cursor.struct(_TRIPLE)
        subject = _read_wide(cursor) if override_flags & _SUBJECT else None
        location = _read_wide(cursor) if override_flags & _LOCATION else None
        return cls(highlight, start, end, original, subject, location, block1, cursor.take(cursor.u32()))

    def encode(self, override_flags: int, writer_version2: int) -> bytes:
        parts = []
        if writer_version2 >= WRITES_CHANGE_HIGHLIGHT:
            parts.append((self.change_highlight or ChangeHighlight()).encode())
        parts += [U32.pack(len(self.reserved_block1)), self.reserved_block1]
        if override_flags & _WIDE:
            times = (self.start_date_time, self.end_date_time, self.original_start_date)
            parts.append(_TRIPLE.pack(*(time or 0 for time in times)))
            if override_flags & _SUBJECT:
                parts.append(_wide(self.subject or ""))
            if override_flags & _LOCATION:
                parts.append(_wide(self.location or ""))
            parts += [U32.pack(len(self.reserved_block2)), self.reserved_block2]
        return b"".join(parts)


def _read_wide(cursor: Cursor) -> str:
    return cursor.take(2 * cursor.u16()).decode("utf-16-le", "replace")


def _wide(text: str) -> bytes:
    octets = text.encode("utf-16-le", "surrogatepass")
    return _short(octets, len(octets) // 2)


def exception_pair(
    start: int,
    end: int,
    original: int,
    numbers: Mapping[str, int],
    subject: str | None,
    location: str | None,
    flags: int = 0,
) -> tuple[ExceptionInfo, ExtendedException]:
    """An exception in both its forms. None, and the fields of ExceptionInfo not in `numbers`, are as in the series."""
    flags |= sum(flag for flag, name in (*_NUMBERS_BEFORE, *_NUMBERS_AFTER) if name in numbers)
    flags |= _SUBJECT if subject is not None else 0
    flags |= _LOCATION if location is not None else 0
    narrow = [None if text is None else text.encode("cp1252", "replace") for text in (subject, location)]
    info = ExceptionInfo(start, end, original, int(flags), subject=narrow[0], location=narrow[1], **numbers)
    if subject is None and location is None:
        return info, ExtendedException()
    return info, ExtendedException(
        start_date_time=start, end_date_time=end, original_start_date=original, subject=subject, location=location
    )


class AppointmentRecurrencePattern(NamedTuple):
    """[MS-OXOCAL] 2.2.1.44.5, the value of PidLidAppointmentRecur.

    Some writers leave out what follows the exceptions: a reserved block that was not there is None, and with the
    ExtendedExceptions missing `extended_exceptions` is empty.
    """

    recurrence_pattern: RecurrencePattern
    start_time_offset: int
    """Minutes from midnight to the start of an occurrence."""
    end_time_offset: int
    exception_infos: tuple[ExceptionInfo, ...] = ()
    extended_exceptions: tuple[ExtendedException, ...] = ()
    """One for each of `exception_infos`, in the same order."""
    reader_version2: int = READER_VERSION2
    writer_version2: int = WRITER_VERSION2
    reserved_block1: bytes | None = b""
    reserved_block2: bytes | None = b""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        cursor = Cursor(data)
        pattern = RecurrencePattern.read(cursor)
        reader, writer, start, end, count = cursor.struct(_APPOINTMENT)
        cursor.count(count, _TIMES_FLAGS.size)
        exceptions = tuple([ExceptionInfo.read(cursor) for _ in range(count)])
        block1 = cursor.take(cursor.u32()) if cursor.left else None
        extended: tuple[ExtendedException, ...] = ()
        if count and cursor.left and not (cursor.left == 4 and writer >= WRITES_CHANGE_HIGHLIGHT):
            extended = tuple([ExtendedException.read(cursor, each.override_flags, writer) for each in exceptions])
        block2 = cursor.take(cursor.u32()) if cursor.left else None
        cursor.finish()
        return cls(pattern, start, end, exceptions, extended, reader, writer, block1, block2)

    def encode(self) -> bytes:
        parts = [
            self.recurrence_pattern.encode(),
            _APPOINTMENT.pack(
                self.reader_version2, self.writer_version2, self.start_time_offset, self.end_time_offset,
                len(self.exception_infos),
            ),
            *[exception.encode() for exception in self.exception_infos],
        ]  # fmt: skip
        if self.reserved_block1 is not None:
            parts += [U32.pack(len(self.reserved_block1)), self.reserved_block1]
            parts += self._extended()
            if self.reserved_block2 is not None:
                parts += [U32.pack(len(self.reserved_block2)), self.reserved_block2]
        return b"".join(parts)

    def _extended(self) -> list[bytes]:
        infos, extended, writer = self.exception_infos, self.extended_exceptions, self.writer_version2
        if extended and len(extended) != len(infos):
            raise WireError(f"{len(infos)} exceptions with {len(extended)} extended ones")
        return [more.encode(info.override_flags, writer) for info, more in zip(infos, extended, strict=False)]

    def exceptions(self) -> Iterator[tuple[ExceptionInfo, ExtendedException | None]]:
        """Each exception with its extended form, if that is there."""
        extended = self.extended_exceptions
        for index, info in enumerate(self.exception_infos):
            yield info, extended[index] if index < len(extended) else None
