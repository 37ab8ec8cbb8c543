"""Alarms, attachments, tasks, journal entries and notes."""

from __future__ import annotations

from datetime import datetime

import pytest

from gromoxd.convert.ical import items_of, to_ical
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ianazones import minutes_of
from gromoxd.mapi.recurrence import PatternType, RecurrencePattern
from tests.convert.ical.build import calendar, event, item, lines_of

NINE = datetime(2024, 3, 25, 9)


def nt(*when: int) -> int:
    return minutes_of(datetime(*when)) * 600_000_000  # type: ignore[arg-type]


def alarm(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VALARM", *lines, "ACTION:DISPLAY", "DESCRIPTION:Reminder", "END:VALARM"])


@pytest.mark.parametrize(("trigger", "delta"), [
    ("TRIGGER:-PT15M", 15), ("TRIGGER:-P1D", 1440), ("TRIGGER:PT0S", 0), ("TRIGGER:PT10M", 0),
    ("TRIGGER;RELATED=END:-PT40M", 10), ("TRIGGER;VALUE=DATE-TIME:20240325T070000Z", 60),
])  # fmt: skip
def test_alarm(trigger: str, delta: int) -> None:
    found = item(calendar(event(NINE, lines=[alarm(trigger)])))
    bag = found.props
    assert (bag[n.PidLidReminderSet], bag[n.PidLidReminderDelta]) == (True, delta)
    assert bag[n.PidLidReminderTime] == nt(2024, 3, 25, 8)
    assert bag[n.PidLidReminderSignalTime] == nt(2024, 3, 25, 8) - delta * 600_000_000
    made = lines_of(found)
    assert made.count("BEGIN:VALARM") == 1 and (trigger in made or trigger == "TRIGGER:PT0S")


def test_no_alarm() -> None:
    found = item(calendar(event(NINE)))
    assert found.props[n.PidLidReminderSet] is False and "BEGIN:VALARM" not in lines_of(found)


def test_several_alarms_stay_until_the_reminder_is_changed() -> None:
    found = item(calendar(event(NINE, lines=[alarm("TRIGGER:-PT15M"), alarm("TRIGGER:-P2D", "X-A:b")])))
    made = lines_of(found)
    assert [line for line in made if line.startswith("TRIGGER")] == [
        "TRIGGER:-PT15M",
        "TRIGGER:-P2D",
    ] and "X-A:b" in made
    found.props[n.PidLidReminderDelta] = 30
    assert [line for line in lines_of(found) if line.startswith("TRIGGER")] == ["TRIGGER:-PT30M"]
    found.props[n.PidLidReminderSet] = False
    assert "BEGIN:VALARM" not in lines_of(found)


def test_files() -> None:
    lines = ["ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=a/b.txt:aGVsbG8=",
             "ATTACH;FMTTYPE=text/html:http://x.test/y/z.html", "ATTACH:cid:part@x.test"]  # fmt: skip
    found = item(calendar(event(NINE, lines=lines)))
    first, second = found.attachments
    assert first.data == b"hello" and first.props[p.PidTagAttachLongFilename] == "a_b.txt"
    assert first.props[p.PidTagAttachExtension] == ".txt" and first.props[p.PidTagAttachMimeTag] == "text/plain"
    assert (first.props[p.PidTagAttachMethod], second.props[p.PidTagAttachMethod]) == (1, 4)
    assert second.props[p.PidTagAttachLongPathname] == "http://x.test/y/z.html"
    made = lines_of(found)
    assert "ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=a_b.txt:aGVsbG8=" in made
    assert "ATTACH;FMTTYPE=text/html;FILENAME=z.html:http://x.test/y/z.html" in made and lines[2] in made
    assert b"aGVsbG8=" not in to_ical([found], inline=False)


def todo(*lines: str) -> bytes:
    return calendar("\r\n".join(["BEGIN:VTODO", "UID:t1", "DTSTAMP:20240101T000000Z", *lines, "END:VTODO"]))


def test_task() -> None:
    lines = ("SUMMARY:Taxes", "DTSTART;VALUE=DATE:20240401", "DUE;VALUE=DATE:20240405", "STATUS:IN-PROCESS",
             "PERCENT-COMPLETE:40", "CATEGORIES:Money", "SEQUENCE:2", "X-OWN:1")  # fmt: skip
    found = item(todo(*lines), zone="Europe/Berlin")
    bag = found.props
    assert (bag[p.PidTagMessageClass], bag[n.PidLidTaskStatus], bag[n.PidLidPercentComplete]) == ("IPM.Task", 1, 0.4)
    assert (bag[n.PidLidTaskStartDate], bag[n.PidLidTaskDueDate]) == (nt(2024, 4, 1), nt(2024, 4, 5))
    assert (bag[n.PidLidCommonStart], bag[n.PidLidCommonEnd]) == (nt(2024, 3, 31, 22), nt(2024, 4, 4, 22))
    assert bag[n.PidLidTaskComplete] is False
    made = lines_of(found)
    assert all(line in made for line in (*lines, "UID:t1"))


def test_task_done_with_times() -> None:
    lines = ("DUE:20240405T120000Z", "COMPLETED:20240404T100000Z", "STATUS:COMPLETED")
    found = item(todo(*lines))
    bag = found.props
    assert (bag[n.PidLidTaskStatus], bag[n.PidLidTaskComplete], bag[n.PidLidPercentComplete]) == (2, True, 1.0)
    assert bag[n.PidLidTaskDateCompleted] == nt(2024, 4, 4, 10) and bag[n.PidLidTaskDueDate] == nt(2024, 4, 5)
    assert all(line in lines_of(found) for line in lines)
    bag[n.PidLidTaskDueDate] = nt(2024, 4, 9)
    assert "DUE;VALUE=DATE:20240409" in lines_of(found) and lines[0] not in lines_of(found)


def test_task_series() -> None:
    found = item(
        todo("DTSTART;VALUE=DATE:20240401", "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4", "EXDATE;VALUE=DATE:20240408")
    )
    value = found.props[n.PidLidTaskRecurrence]
    assert isinstance(value, bytes)
    pattern = RecurrencePattern.decode(value)
    assert (pattern.pattern_type, pattern.occurrence_count) == (PatternType.Week, 4)
    assert pattern.deleted_instance_dates == ()  # [MS-OXOTASK] 2.2.2.2.15 allows none: the lines are kept
    assert found.props[n.PidLidTaskFRecurring] is True
    made = lines_of(found)
    assert "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4" in made and "EXDATE;VALUE=DATE:20240408" in made


def test_journal_and_note() -> None:
    entry = item(calendar("BEGIN:VJOURNAL", "UID:j", "DTSTART;VALUE=DATE:20240401", "SUMMARY:Day", "END:VJOURNAL"))
    assert entry.props[p.PidTagMessageClass] == "IPM.Activity" and entry.props[n.PidLidLogStart] == nt(2024, 4, 1)
    assert "DTSTART;VALUE=DATE:20240401" in lines_of(entry) and "BEGIN:VJOURNAL" in lines_of(entry)
    note = item(calendar("BEGIN:VJOURNAL", "UID:k", "SUMMARY:Milk", "END:VJOURNAL"))
    assert (note.props[p.PidTagMessageClass], note.props[p.PidTagBody]) == ("IPM.StickyNote", "Milk")
    assert "UID:k" in lines_of(note) and not any(line.startswith("DTSTART") for line in lines_of(note))


def test_all_kinds_in_one_calendar() -> None:
    data = calendar(
        event(NINE), "BEGIN:VTODO", "SUMMARY:t", "END:VTODO", "BEGIN:VJOURNAL", "SUMMARY:j", "END:VJOURNAL",
        "BEGIN:VFREEBUSY", "END:VFREEBUSY", "BEGIN:X-OTHER", "END:X-OTHER",
    )  # fmt: skip
    classes = [found.props[p.PidTagMessageClass] for found in items_of(data)]
    assert classes == ["IPM.Appointment", "IPM.Task", "IPM.StickyNote"]
    again = [found.props[p.PidTagMessageClass] for found in items_of(to_ical(items_of(data)))]
    assert again == classes
