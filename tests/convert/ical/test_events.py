"""VEVENT section by section ([MS-OXCICAL] 2.1.3.1.1.20)."""

from __future__ import annotations

from datetime import datetime

import pytest

from gromoxd.convert.ical import items_of, method_of, periods_of, to_ical
from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.globalobjectid import GlobalObjectId
from gromoxd.mapi.times import filetime
from gromoxd.mapi.timezones import TimeZoneDefinition
from tests.convert.ical.build import calendar, event, item, lines_of, vevent

START = ("DTSTART:20240501T080000Z", "DTEND:20240501T093000Z")


def nt(*when: int) -> int:
    return filetime(int((datetime(*when) - datetime(1970, 1, 1)).total_seconds()))  # type: ignore[arg-type]


def test_times_in_utc() -> None:
    bag = item(vevent(*START)).props
    assert bag[p.PidTagMessageClass] == "IPM.Appointment"
    assert bag[n.PidLidAppointmentStartWhole] == bag[n.PidLidCommonStart] == bag[p.PidTagStartDate] == nt(2024, 5, 1, 8)
    assert bag[n.PidLidAppointmentEndWhole] == bag[n.PidLidCommonEnd] == bag[p.PidTagEndDate] == nt(2024, 5, 1, 9, 30)
    assert bag[n.PidLidAppointmentDuration] == 90 and bag[n.PidLidAppointmentSubType] is False
    assert n.PidLidAppointmentTimeZoneDefinitionStartDisplay not in bag
    assert "DTSTART:20240501T080000Z" in lines_of(item(vevent(*START)))


def test_times_in_zones() -> None:
    found = item(vevent("DTSTART;TZID=Europe/Vienna:20240501T100000", "DTEND;TZID=Europe/London:20240501T103000"))
    bag = found.props
    assert (bag[n.PidLidAppointmentStartWhole], bag[n.PidLidAppointmentDuration]) == (nt(2024, 5, 1, 8), 90)
    for tag, key in (
        (n.PidLidAppointmentTimeZoneDefinitionStartDisplay, "W. Europe Standard Time"),
        (n.PidLidAppointmentTimeZoneDefinitionEndDisplay, "GMT Standard Time"),
    ):
        value = bag[tag]
        assert isinstance(value, bytes) and TimeZoneDefinition.decode(value).key_name == key
    made = lines_of(found)
    assert "DTSTART;TZID=Europe/Vienna:20240501T100000" in made
    assert "DTEND;TZID=Europe/London:20240501T103000" in made
    assert [line for line in made if line.startswith("TZID:")] == ["TZID:Europe/Vienna", "TZID:Europe/London"]


def test_windows_name() -> None:
    found = item(vevent("DTSTART;TZID=Pacific Standard Time:20240501T100000", "DURATION:PT1H"))
    assert found.props[n.PidLidAppointmentStartWhole] == nt(2024, 5, 1, 17)
    assert "DTSTART;TZID=America/Los_Angeles:20240501T100000" in lines_of(found)


def test_zone_of_the_calendar_alone() -> None:
    zone = "\r\n".join([
        "BEGIN:VTIMEZONE", "TZID:Ours", "BEGIN:STANDARD", "DTSTART:16010101T030000", "TZOFFSETFROM:+0400",
        "TZOFFSETTO:+0300", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "END:STANDARD", "BEGIN:DAYLIGHT",
        "DTSTART:16010101T020000", "TZOFFSETFROM:+0300", "TZOFFSETTO:+0400", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU",
        "END:DAYLIGHT", "END:VTIMEZONE",
    ])  # fmt: skip
    found = item(calendar(event(datetime(2024, 3, 20, 10), "Ours"), zone))
    assert found.props[n.PidLidAppointmentStartWhole] == nt(2024, 3, 20, 6)
    value = found.props[n.PidLidAppointmentTimeZoneDefinitionStartDisplay]
    assert isinstance(value, bytes)
    (rule,) = TimeZoneDefinition.decode(value).rules
    assert (rule.bias, rule.daylight_bias, rule.daylight_date.month, rule.daylight_date.day) == (-180, -60, 3, 2)
    made = lines_of(found)
    assert "DTSTART;TZID=Ours:20240320T100000" in made and "TZOFFSETTO:+0400" in made
    assert items_of(to_ical([found]))[0].props[n.PidLidAppointmentStartWhole] == nt(2024, 3, 20, 6)


@pytest.mark.parametrize("lines", [
    ("DTSTART;VALUE=DATE:20240501", "DTEND;VALUE=DATE:20240503"), ("DTSTART:20240501T000000", "DTEND:20240503T000000"),
    ("DTSTART;TZID=Europe/Berlin:20240501T000000", "DTEND;TZID=Europe/Berlin:20240503T000000",
     "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"),
])  # fmt: skip
def test_all_day(lines: tuple[str, ...]) -> None:
    found = item(vevent(*lines), zone="Europe/Berlin")
    bag = found.props
    assert bag[n.PidLidAppointmentSubType] is True
    assert bag[n.PidLidAppointmentStartWhole] == nt(2024, 4, 30, 22)
    assert bag[n.PidLidAppointmentDuration] == 2880
    made = lines_of(found)
    assert "DTSTART;VALUE=DATE:20240501" in made and "DTEND;VALUE=DATE:20240503" in made
    assert "BEGIN:VTIMEZONE" not in made


def test_all_day_of_a_client_without_zone() -> None:
    found = item(vevent("DTSTART;VALUE=DATE:20240501"))
    bag = found.props
    for tag in (n.PidLidAppointmentTimeZoneDefinitionStartDisplay, n.PidLidAppointmentTimeZoneDefinitionEndDisplay):
        del bag[tag]
    bag[n.PidLidAppointmentStartWhole], bag[n.PidLidAppointmentEndWhole] = nt(2024, 4, 30, 22), nt(2024, 5, 1, 22)
    assert "DTSTART;VALUE=DATE:20240501" in lines_of(found)


def test_floating_stays_so() -> None:
    found = item(vevent("DTSTART:20240501T100000", "DTEND:20240501T110000"), zone="Europe/Berlin")
    assert found.props[n.PidLidAppointmentStartWhole] == nt(2024, 5, 1, 8)
    assert "DTSTART:20240501T100000" in lines_of(found)


def test_ends() -> None:
    assert item(vevent("DTSTART:20240501T080000Z")).props[n.PidLidAppointmentDuration] == 0
    assert item(vevent("DTSTART;VALUE=DATE:20240501")).props[n.PidLidAppointmentDuration] == 1440
    swapped = item(vevent("DTSTART:20240501T090000Z", "DTEND:20240501T080000Z")).props
    assert (swapped[n.PidLidAppointmentStartWhole], swapped[n.PidLidAppointmentDuration]) == (nt(2024, 5, 1, 8), 60)


@pytest.mark.parametrize(("lines", "busy", "transp", "cdo"), [
    ((), 2, "OPAQUE", "BUSY"), (("TRANSP:TRANSPARENT",), 0, "TRANSPARENT", "FREE"),
    (("STATUS:TENTATIVE",), 1, "OPAQUE", "TENTATIVE"), (("TRANSP:OPAQUE", "STATUS:TENTATIVE"), 2, "OPAQUE", "BUSY"),
    (("TRANSP:OPAQUE", "X-MICROSOFT-CDO-BUSYSTATUS:OOF"), 3, "OPAQUE", "OOF"),
    (("X-MICROSOFT-MSNCALENDAR-BUSYSTATUS:FREE",), 0, "TRANSPARENT", "FREE"),
    (("X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE",), 4, "OPAQUE", "WORKINGELSEWHERE"),
])  # fmt: skip
def test_busy_status(lines: tuple[str, ...], busy: int, transp: str, cdo: str) -> None:
    found = item(vevent(*START, *lines))
    assert found.props[n.PidLidBusyStatus] == busy
    made = lines_of(found)
    assert f"TRANSP:{transp}" in made and f"X-MICROSOFT-CDO-BUSYSTATUS:{cdo}" in made


@pytest.mark.parametrize(("lines", "importance", "written"), [
    ((), 1, "5"), (("PRIORITY:1",), 2, "1"), (("PRIORITY:4",), 2, "1"), (("PRIORITY:0",), 1, "5"),
    (("PRIORITY:9",), 0, "9"),
    (("PRIORITY:9", "X-MICROSOFT-CDO-IMPORTANCE:2"), 2, "1"),
])  # fmt: skip
def test_importance(lines: tuple[str, ...], importance: int, written: str) -> None:
    found = item(vevent(*START, *lines))
    assert found.props[p.PidTagImportance] == importance
    assert f"PRIORITY:{written}" in lines_of(found)


@pytest.mark.parametrize(("name", "value"), [("PUBLIC", 0), ("X-PERSONAL", 1), ("PRIVATE", 2), ("CONFIDENTIAL", 3)])
def test_class(name: str, value: int) -> None:
    found = item(vevent(*START, f"CLASS:{name}"))
    assert (found.props[p.PidTagSensitivity], found.props[n.PidLidPrivate]) == (value, value >= 2)
    assert f"CLASS:{name}" in lines_of(found)


def test_texts() -> None:
    found = item(vevent(
        *START, "SUMMARY;LANGUAGE=de-AT:Re: Äpfel\\, Birnen", "LOCATION;ALTREP=\"http://x.test/r\":Room\\n1",
        "DESCRIPTION:a\\nb\\;c", "X-ALT-DESC;FMTTYPE=text/html:<p>a</p>", "CATEGORIES:Red,  Big  one,red",
        "CATEGORIES:Blue\\;x", "CONTACT:Jim; Dolittle", "RESOURCES:BEAMER,ROOM 1", "SEQUENCE:3",
        "CREATED:20240102T030405Z", "LAST-MODIFIED:20240202T030405Z", "DTSTAMP:20240301T000000Z",
    ))  # fmt: skip
    bag = found.props
    assert bag[p.PidTagSubject] == "Re: Äpfel, Birnen" and bag[p.PidTagNormalizedSubject] == "Äpfel, Birnen"
    assert bag[p.PidTagMessageLocaleId] == 0x0C07
    assert bag[n.PidLidLocation] == "Room 1" and bag[n.PidNameCalendarLocationUrl] == "http://x.test/r"
    assert bag[p.PidTagBody] == "a\nb;c" and bag[p.PidTagHtml] == b"<p>a</p>"
    assert bag[n.PidNameKeywords] == ["Red", "Big one", "Bluex"]
    assert bag[n.PidLidContacts] == ["Jim Dolittle"] and bag[n.PidLidNonSendableBcc] == "BEAMER; ROOM 1"
    assert bag[n.PidLidAppointmentSequence] == 3
    assert bag[n.PidLidOwnerCriticalChange] == nt(2024, 3, 1)
    made = lines_of(found)
    for line in (
        "SUMMARY;LANGUAGE=de-AT:Re: Äpfel\\, Birnen", 'LOCATION;ALTREP="http://x.test/r":Room 1',
        "DESCRIPTION:a\\nb\\;c",
        "X-ALT-DESC;FMTTYPE=text/html:<p>a</p>", "CATEGORIES:Red,Big one,Bluex", "CONTACT:Jim Dolittle",
        "RESOURCES:BEAMER,ROOM 1", "SEQUENCE:3", "CREATED:20240102T030405Z", "LAST-MODIFIED:20240202T030405Z",
        "DTSTAMP:20240301T000000Z",
    ):  # fmt: skip
        assert line in made, line


def test_long_texts_are_cut_between_characters() -> None:
    bag = item(vevent(*START, f"SUMMARY:{'x' * 254}😀y")).props
    assert bag[p.PidTagSubject] == "x" * 254


def test_outlook_s_own() -> None:
    lines = (
        "X-MICROSOFT-CDO-OWNERAPPTID:-5", "X-MICROSOFT-DISALLOW-COUNTER:TRUE", "X-MS-OLK-ALLOWEXTERNCHECK:FALSE",
        "X-MS-OLK-APPTLASTSEQUENCE:2", "X-MS-OLK-APPTSEQTIME:20240101T000000Z", "X-MS-OLK-CONFTYPE:1",
        "X-MS-OLK-MWSURL:http://x.test", "X-MS-OLK-ORGALIAS:a@x.test",
    )  # fmt: skip
    found = item(vevent(*START, *lines))
    assert found.props[p.PidTagOwnerAppointmentId] == -5
    assert found.props[n.PidLidAppointmentNotAllowPropose] is True
    assert found.props[n.PidLidAppointmentSequenceTime] == nt(2024, 1, 1)
    made = lines_of(found)
    assert all(line in made for line in lines)


def test_what_is_not_understood_is_kept() -> None:
    lines = ("X-FOO;A=B:c\\,d", "URL:http://x.test/", "GEO:1.5;2.5", "RELATED-TO;RELTYPE=PARENT:other", "COMMENT:hm",
             "STATUS:CONFIRMED", 'X-APPLE-STRUCTURED-LOCATION;X-TITLE="a:b":geo:1,2')  # fmt: skip
    made = lines_of(item(vevent(*START, *lines)))
    assert all(line in made for line in lines)
    nested = item(vevent(*START, "BEGIN:PARTICIPANT", "UID:p", "END:PARTICIPANT"))
    assert lines_of(nested)[-6:-2] == ["BEGIN:PARTICIPANT", "UID:p", "END:PARTICIPANT", "END:VEVENT"]


def test_uid() -> None:
    foreign = item(vevent(*START, "UID:abc@x.test")).props
    identity = GlobalObjectId.decode(bytes(foreign[n.PidLidGlobalObjectId]))  # type: ignore[arg-type]
    assert identity.data == b"vCal-Uid\x01\0\0\0abc@x.test\0"
    own = "040000008200E00074C5B7101A82E008000000000000000000000000000000000000000004000000DEADBEEF"
    found = item(vevent(*START, f"UID:{own}"))
    assert found.props[n.PidLidCleanGlobalObjectId] == bytes.fromhex(own)
    assert f"UID:{own}" in lines_of(found)
    first, second = lines_of(item(vevent(*START))), lines_of(item(vevent(*START)))
    assert [line for line in first if line.startswith("UID:")] == [line for line in second if line.startswith("UID:")]


def test_an_occurrence_alone() -> None:
    found = item(vevent(*START, "UID:abc", "RECURRENCE-ID;TZID=Europe/Berlin:20240502T010000"))
    identity = GlobalObjectId.decode(bytes(found.props[n.PidLidGlobalObjectId]))  # type: ignore[arg-type]
    assert (identity.year, identity.month, identity.day) == (2024, 5, 2)
    assert found.props[n.PidLidExceptionReplaceTime] == nt(2024, 5, 1, 23)
    assert "RECURRENCE-ID:20240501T230000Z" in lines_of(found)


def test_calendars() -> None:
    data = calendar(event(datetime(2024, 5, 1, 9), uid="a"), event(datetime(2024, 5, 2, 9), uid="b"))
    assert len(items_of(data + data)) == 4
    assert items_of(calendar()) == []
    assert len(items_of(event(datetime(2024, 5, 1, 9)))) == 1
    for nothing in (b"", b"hello", b"BEGIN:VCARD\r\nEND:VCARD\r\n"):
        with pytest.raises(WireError):
            items_of(nothing)
    assert method_of(calendar(head=["METHOD:request"])) == "REQUEST" and method_of(calendar()) == ""


def test_later_revisions_win() -> None:
    old = event(datetime(2024, 5, 1, 9), lines=["SEQUENCE:1"])
    new = event(datetime(2024, 5, 2, 9), lines=["SEQUENCE:2"])
    for data in (calendar(old, new), calendar(new, old)):
        assert item(data).props[n.PidLidAppointmentStartWhole] == nt(2024, 5, 2, 7)


def test_x_wr_timezone() -> None:
    found = item(calendar(event(datetime(2024, 5, 1, 9), ""), head=["X-WR-TIMEZONE:Europe/Berlin"]))
    assert found.props[n.PidLidAppointmentStartWhole] == nt(2024, 5, 1, 7)
    assert "DTSTART;TZID=Europe/Berlin:20240501T090000" in lines_of(found)


def test_free_busy() -> None:
    data = calendar(
        "BEGIN:VFREEBUSY", "FREEBUSY;FBTYPE=BUSY-TENTATIVE:19970308T160000Z/PT3H,19970308T200000Z/PT1H",
        "FREEBUSY:19970307T160000Z/19970307T170000Z,nope", "END:VFREEBUSY",
    )  # fmt: skip
    day = int((datetime(1997, 3, 7) - datetime(1970, 1, 1)).total_seconds())
    assert periods_of(data) == [
        (day + 57600, day + 61200, "BUSY"), (day + 144000, day + 154800, "BUSY-TENTATIVE"),
        (day + 158400, day + 162000, "BUSY-TENTATIVE"),
    ]  # fmt: skip
