"""The calendar objects of RFC 5545 and RFC 5546: read, and the same lines written again."""

from __future__ import annotations

from datetime import UTC, date, datetime

import icalendar
import pytest

from gromoxd.convert.ical import items_of, method_of, periods_of, to_ical
from gromoxd.convert.item import Item
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.appointments import spans
from gromoxd.mapi.globalobjectid import GlobalObjectId
from gromoxd.mapi.ianazones import minutes_of
from gromoxd.mapi.timezones import TimeZoneDefinition, to_local
from tests.golden.icalendarexamples import BUSY, BUSY_REPLY, MESSAGES, OBJECTS, ZONES, calendar
from tests.golden.propertyexamples import INSTANCE, INSTANCE_UID
from tests.mapi.structures import calendar as c

TICK = 600_000_000
ADDED = ("CN", "PARTSTAT", "FILENAME", "RSVP", "CUTYPE", "ROLE")
"""Parameters of people and files that a recipient and an attachment say in their own way; the address stays."""
PRINTED_OTHERWISE = {
    "4.2.1": {("ATTENDEE", "conf_big@example.com"), ("ATTENDEE", "mailto:a@example.com")},
    "4.4.1": {
        ("ATTENDEE", "a@example.com"), ("ATTENDEE", "b@example.fr"), ("ATTENDEE", "c@example.jp"),
        ("RDATE", "19970910T140000"), ("EXDATE", "19970909T140000"),
    },
    "4.4.2 series": {("ATTENDEE", "mailto:a@example.com")}, "4.4.2 instance": {("ATTENDEE", "mailto:a@example.com")},
    "4.4.3": {("ATTENDEE", "mailto:a@example.com")}, "4.4.4": {("ATTENDEE", "mailto:a@example.com")},
    "3.6.1 anniversary": {("RRULE", "FREQ=YEARLY")},
}  # fmt: skip
"""Lines that are written in another way: addresses without mailto: get it, the organizer is in the list of people once
and not an attendee as well, an additional date beside a deleted one is a moved occurrence, and a yearly rule names its
day."""


def one(components: str, method: str = "") -> Item:
    (item,) = items_of(calendar(components, method))
    return item


def nt(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return minutes_of(datetime(year, month, day, hour, minute)) * TICK


def lines(data: bytes) -> set[tuple[str, str, str, str]]:
    """Component, name, parameters but ADDED, and value of all lines, by the icalendar package."""
    found = set()
    for component in icalendar.Calendar.from_ical(data).walk():
        if component.name in ("VCALENDAR", "VTIMEZONE", "STANDARD", "DAYLIGHT"):
            continue
        for name, value in component.property_items(recursive=False):
            if name in ("BEGIN", "END"):
                continue
            params = {key: str(each) for key, each in getattr(value, "params", {}).items() if key not in ADDED}
            octets = value.to_ical()
            found.add((component.name, name, str(sorted(params.items())), bytes(octets).decode()))
    return found


EVERY = {name: ("", text) for name, text in OBJECTS.items()} | MESSAGES


@pytest.mark.parametrize("name", EVERY)
def test_written_again(name: str) -> None:
    method, text = EVERY[name]
    source = calendar(text, method)
    written = to_ical(items_of(source))
    missing = {(line[1], line[3]) for line in lines(source) - lines(written)}
    assert missing == PRINTED_OTHERWISE.get(name, set())
    assert method_of(written) == method
    (item,), (again,) = items_of(source), items_of(written)
    assert again.recipients == item.recipients
    own = {tag for tag in item.props if tag >> 16 < 0x9000 and tag != n.PidLidAppointmentSequence}
    assert {tag: again.props.get(tag) for tag in own} == {tag: item.props[tag] for tag in own}


def test_review() -> None:
    """RFC 5545 3.6.1: a private appointment that is busy."""
    bag = one(OBJECTS["3.6.1 review"]).props
    assert bag.items() >= {
        p.PidTagMessageClass: "IPM.Appointment", p.PidTagSubject: "Annual Employee Review", p.PidTagSensitivity: 2,
        n.PidNameKeywords: ["BUSINESS", "HUMAN RESOURCES"], n.PidLidBusyStatus: 2, n.PidLidAppointmentSubType: False,
        n.PidLidAppointmentStartWhole: nt(1997, 9, 3, 16, 30), n.PidLidAppointmentEndWhole: nt(1997, 9, 3, 19),
        n.PidLidSideEffects: 0x171, p.PidTagIconIndex: 0x400,
    }.items()  # fmt: skip
    goid = bag[n.PidLidGlobalObjectId]
    assert isinstance(goid, bytes)
    assert GlobalObjectId.decode(goid).uid == "19970901T130000Z-123401@example.com"


def test_anniversary() -> None:
    """RFC 5545 3.6.1: confidential, free, all of one day, each year."""
    bag = one(OBJECTS["3.6.1 anniversary"]).props
    assert (bag[p.PidTagSensitivity], bag[n.PidLidBusyStatus], bag[n.PidLidAppointmentSubType]) == (3, 0, True)
    found = [each.start for each in spans(bag, minutes_of(datetime(1997, 1, 1)), minutes_of(datetime(2000, 1, 1)))]
    assert found == [minutes_of(datetime(year, 11, 2)) for year in (1997, 1998, 1999)]


def test_festival() -> None:
    """RFC 5545 3.6.1: from June 28th to July 8th, the end being the day after."""
    bag = one(OBJECTS["3.6.1 festival"]).props
    assert bag[n.PidLidAppointmentSubType] is True and bag[n.PidLidAppointmentDuration] == 11 * 1440
    assert (bag[n.PidLidAppointmentStartWhole], bag[n.PidLidAppointmentEndWhole]) == (nt(2007, 6, 28), nt(2007, 7, 9))


def test_to_dos() -> None:
    """RFC 5545 3.6.2."""
    taxes, draft = one(OBJECTS["3.6.2 taxes"]).props, one(OBJECTS["3.6.2 draft"]).props
    assert (taxes[p.PidTagMessageClass], taxes[n.PidLidTaskDueDate]) == ("IPM.Task", nt(2007, 5, 1))
    assert (taxes[n.PidLidTaskStatus], taxes[n.PidLidTaskComplete], taxes[p.PidTagSensitivity]) == (0, False, 3)
    assert (draft[p.PidTagImportance], draft[n.PidLidTaskDateCompleted]) == (2, nt(2007, 7, 7, 10))
    assert (draft[n.PidLidTaskStartDate], draft[n.PidLidTaskDueDate]) == (nt(2007, 5, 14), nt(2007, 7, 9))


def test_journals() -> None:
    """RFC 5545 3.6.3 has a day; that of section 4 has none and is a note."""
    minutes, project = one(OBJECTS["3.6.3"]).props, one(OBJECTS["4 journal"]).props
    assert (minutes[p.PidTagMessageClass], minutes[n.PidLidLogStart]) == ("IPM.Activity", nt(1997, 3, 17))
    body = str(minutes[p.PidTagBody]).replace("\r\n", "\n")
    assert body.startswith("1. Staff meeting: Participants include Joe, Lisa, and Bob. Aurora project plans")
    assert body.count("\n") == 2 and body.endswith("Is looking into a loaner car. 555-2323 (tel).")
    assert project[p.PidTagMessageClass] == "IPM.StickyNote"
    assert project[n.PidNameKeywords] == ["Project Report", "XYZ", "Weekly Meeting"]


def test_meeting() -> None:
    """RFC 5545 4: a group in New York, with a VTIMEZONE of two onsets."""
    item = one(OBJECTS["4 meeting"])
    assert item.props[n.PidLidAppointmentStartWhole] == nt(1998, 3, 12, 13, 30)
    assert item.props[n.PidLidLocation] == "1CP Conference Room 4350"
    people = [(row[p.PidTagSmtpAddress], row[p.PidTagRecipientFlags]) for row in item.recipients]
    assert people == [("mrbig@example.com", 3), ("employee-A@example.com", 1)]
    assert item.props[p.PidTagResponseRequested] is True and item.props[n.PidLidAppointmentStateFlags] == 1


def test_alarm_of_a_to_do() -> None:
    """RFC 5545 4: at an hour of its own, which is kept with the rest of it."""
    written = to_ical([one(OBJECTS["4 to-do"])]).replace(b"\r\n ", b"")
    (alarm,) = icalendar.Calendar.from_ical(written).walk("VALARM")
    assert (alarm["TRIGGER"].dt.isoformat(), int(alarm["REPEAT"])) == ("1998-04-03T12:00:00+00:00", 4)
    assert alarm["DURATION"].dt.total_seconds() == 3600
    assert alarm["ATTACH"] == "http://example.com/pub/audio-files/ssbanner.aud"


def test_busy_time() -> None:
    """RFC 5545 3.6.4 and 4."""
    assert [(each.start, each.end) for each in periods_of(calendar(BUSY))] == [
        (_seconds(1998, 3, 14, 23, 30), _seconds(1998, 3, 15, 0, 30)),
        (_seconds(1998, 3, 16, 15, 30), _seconds(1998, 3, 16, 16, 30)),
        (_seconds(1998, 3, 18, 3, 0), _seconds(1998, 3, 18, 4, 0)),
    ]
    assert [(each.start, each.end) for each in periods_of(calendar(BUSY_REPLY))] == [
        (_seconds(1997, 10, 15, 5, 0), _seconds(1997, 10, 15, 13, 30)),
        (_seconds(1997, 10, 15, 16, 0), _seconds(1997, 10, 15, 21, 30)),
        (_seconds(1997, 10, 15, 22, 30), _seconds(1997, 10, 16, 5, 0)),
    ]


def _seconds(year: int, month: int, day: int, hour: int, minute: int) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(("rules", "expected"), ZONES.values(), ids=list(ZONES))
def test_time_zone(rules: str, expected: dict[str, int]) -> None:
    """RFC 5545 3.6.5: the hours from UTC at noon of each of the days, and from what is written again."""
    zone = f"BEGIN:VTIMEZONE\nTZID:Fictitious\nLAST-MODIFIED:19870101T000000Z\n{rules}END:VTIMEZONE\n"
    event = (
        "BEGIN:VEVENT\nUID:zoned@example.com\nDTSTAMP:19870101T000000Z\nSUMMARY:Each day\n"
        "DTSTART;TZID=Fictitious:19900101T120000\nDURATION:PT1H\nRRULE:FREQ=DAILY\nEND:VEVENT\n"
    )
    item = one(zone + event)
    assert _offsets(item, expected) == expected
    (again,) = items_of(to_ical([item]))
    assert _offsets(again, expected) == expected


def _offsets(item: Item, days: dict[str, int]) -> dict[str, int]:
    found = {}
    for text in days:
        noon = minutes_of(datetime.combine(date.fromisoformat(text), datetime.min.time())) + 720
        (span,) = spans(item.props, noon - 60, noon + 719)
        found[text] = (noon - span.start) // 60
    return found


def test_request() -> None:
    """RFC 5546 4.2.1."""
    item = one(MESSAGES["4.2.1"][1], "REQUEST")
    assert item.props.items() >= {
        p.PidTagMessageClass: "IPM.Schedule.Meeting.Request", p.PidTagSubject: "Conference",
        n.PidLidAppointmentStartWhole: nt(1997, 7, 1, 20), n.PidLidAppointmentEndWhole: nt(1997, 7, 1, 21),
        n.PidLidBusyStatus: 1, n.PidLidIntendedBusyStatus: 2, n.PidLidAppointmentSequence: 0,
        p.PidTagResponseRequested: True, n.PidLidSideEffects: 0x1C61, p.PidTagIconIndex: 0x404,
        n.PidLidAllAttendeesString: "A; B; C; Hal; conf_big@example.com; e@example.com",
        n.PidLidToAttendeesString: "A; B; C; Hal", p.PidTagSentRepresentingName: "A",
    }.items()  # fmt: skip
    people = [
        (row[p.PidTagSmtpAddress], row[p.PidTagRecipientType], row[p.PidTagRecipientFlags]) for row in item.recipients
    ]
    assert people == [
        ("a@example.com", 1, 3), ("b@example.com", 1, 1), ("c@example.com", 1, 1), ("d@example.com", 1, 1),
        ("conf_big@example.com", 3, 1), ("e@example.com", 3, 1),
    ]  # fmt: skip


def test_reply() -> None:
    """RFC 5546 4.2.2: it names neither time nor subject."""
    item = one(MESSAGES["4.2.2"][1], "REPLY")
    assert item.props[p.PidTagMessageClass] == "IPM.Schedule.Meeting.Resp.Pos"
    assert item.props[n.PidLidResponseStatus] == 3
    assert item.props[p.PidTagSentRepresentingSmtpAddress] == "b@example.com"
    assert [row[p.PidTagSmtpAddress] for row in item.recipients] == ["a@example.com"]


def test_weekly_conference() -> None:
    """RFC 5546 4.4.1: twenty Tuesdays, of which two fall out, and one Wednesday more."""
    item = one(MESSAGES["4.4.1"][1], "REQUEST")
    found = list(spans(item.props, minutes_of(datetime(1997, 1, 1)), minutes_of(datetime(1999, 1, 1))))
    zone = item.props[n.PidLidAppointmentTimeZoneDefinitionRecur]
    assert isinstance(zone, bytes)
    local = [to_local(TimeZoneDefinition.decode(zone), each.start) for each in found]
    tuesdays = [minutes_of(datetime(1997, 7, 1, 14)) + week * 7 * 1440 for week in range(20)]
    away = {minutes_of(datetime(1997, 9, 9, 14)), minutes_of(datetime(1997, 10, 28, 14))}
    assert local == sorted({*tuesdays, minutes_of(datetime(1997, 9, 10, 14))} - away)
    assert [each.start // 60 % 24 for each in found][::17] == [21, 22]  # PDT and PST


def test_monthly_conference_moved_and_canceled() -> None:
    """RFC 5546 4.4.2 to 4.4.4: the series, an instance on another day, an instance and the series canceled."""
    series = one(MESSAGES["4.4.2 series"][1], "REQUEST")
    found = spans(series.props, minutes_of(datetime(1997, 1, 1)), minutes_of(datetime(1999, 1, 1)))
    months = [*((1997, month) for month in range(6, 13)), *((1998, month) for month in range(1, 10))]
    assert [each.start for each in found] == [minutes_of(datetime(year, month, 1, 21)) for year, month in months]
    moved, canceled = one(MESSAGES["4.4.2 instance"][1], "REQUEST"), one(MESSAGES["4.4.3"][1], "CANCEL")
    whole = one(MESSAGES["4.4.4"][1], "CANCEL")
    assert moved.props[n.PidLidAppointmentStartWhole] == nt(1997, 7, 3, 21)
    assert moved.props[n.PidLidExceptionReplaceTime] == nt(1997, 7, 1, 21)
    assert canceled.props[p.PidTagMessageClass] == whole.props[p.PidTagMessageClass] == "IPM.Schedule.Meeting.Canceled"
    assert [_instance(each) for each in (series, moved, canceled, whole)] == [
        (0, 0, 0), (1997, 7, 1), (1997, 8, 1), (0, 0, 0)
    ]  # fmt: skip
    clean = {bytes(each.props[n.PidLidCleanGlobalObjectId]) for each in (series, moved, canceled, whole)}  # type: ignore[arg-type]
    assert len(clean) == 1


def _instance(item: Item) -> tuple[int, int, int]:
    value = item.props[n.PidLidGlobalObjectId]
    assert isinstance(value, bytes)
    goid = GlobalObjectId.decode(value)
    return goid.year, goid.month, goid.day


def test_canceled_instance_of_outlook() -> None:
    """[MS-OXCICAL], the organizer's cancellation of an instance: the UID without its date, RECURRENCE-ID with it."""
    start = minutes_of(datetime(2008, 5, 28, 21))
    item = Item({
        p.PidTagMessageClass: "IPM.Schedule.Meeting.Canceled", p.PidTagSubject: "Canceled: Status",
        n.PidLidAppointmentStartWhole: start * TICK, n.PidLidAppointmentEndWhole: (start + 30) * TICK,
        n.PidLidGlobalObjectId: INSTANCE, n.PidLidAppointmentTimeZoneDefinitionStartDisplay: c.DEFINITION,
        n.PidLidTimeZoneDescription: "Pacific Standard Time",
    })  # fmt: skip
    written = to_ical([item], method="CANCEL").replace(b"\r\n ", b"").decode().split("\r\n")
    for line in (
        "METHOD:CANCEL", f"UID:{INSTANCE_UID}", "RECURRENCE-ID;TZID=Pacific Standard Time:20080528T140000",
        "DTSTART;TZID=Pacific Standard Time:20080528T140000", "STATUS:CANCELLED",
    ):  # fmt: skip
        assert line in written
    (again,) = items_of("\r\n".join(written))
    assert again.props[n.PidLidGlobalObjectId] == INSTANCE
    assert again.props[p.PidTagMessageClass] == "IPM.Schedule.Meeting.Canceled"
