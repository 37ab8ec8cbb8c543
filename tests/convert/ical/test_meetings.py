"""METHOD, ORGANIZER and ATTENDEE ([MS-OXCICAL] 2.1.3.1.1.1, 2.1.3.1.1.20.2, 16, 34, 59 to 61)."""

from __future__ import annotations

from datetime import datetime

import pytest

from gromoxd.convert.ical import items_of, to_ical
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import OneOffEntryId
from gromoxd.mapi.ianazones import minutes_of
from tests.convert.ical.build import calendar, event, item, lines_of

NINE = datetime(2024, 3, 25, 9)
PEOPLE = (
    "ORGANIZER;CN=Ann Other:mailto:ann@x.test", 'ATTENDEE;CN="Bob, B.";RSVP=TRUE;PARTSTAT=ACCEPTED:MAILTO:bob@x.test',
    "ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=TENTATIVE;X-MS-OLK-RESPTIME=20240301T000000Z:mailto:c@x.test",
    "ATTENDEE;CUTYPE=ROOM;CN=Room 1:mailto:room@x.test", "ATTENDEE;CN=No Mail:invalid:nomail",
    "X-MS-OLK-SENDER;CN=Sec:mailto:sec@x.test",
)  # fmt: skip


def meeting(method: str, *lines: str) -> bytes:
    return calendar(event(NINE, lines=lines), head=[f"METHOD:{method}"] if method else [])


def test_request() -> None:
    found = item(meeting("REQUEST", *PEOPLE, "LOCATION:Here"))
    bag = found.props
    assert bag[p.PidTagMessageClass] == "IPM.Schedule.Meeting.Request"
    assert (bag[n.PidLidBusyStatus], bag[n.PidLidIntendedBusyStatus], bag[n.PidLidAppointmentStateFlags]) == (1, 2, 3)
    assert (bag[n.PidLidMeetingType], bag[n.PidLidWhere], bag[n.PidLidFInvited]) == (1, "Here", True)
    assert bag[n.PidLidResponseStatus] == 5 and bag[p.PidTagIconIndex] == 0x404
    assert bag[p.PidTagResponseRequested] is bag[p.PidTagReplyRequested] is True
    rows = [
        (row[p.PidTagRecipientType], row[p.PidTagDisplayName], row[p.PidTagSmtpAddress], row[p.PidTagRecipientFlags])
        for row in found.recipients
    ]
    assert rows == [
        (1, "Ann Other", "ann@x.test", 3), (1, "Bob, B.", "bob@x.test", 1), (2, "c@x.test", "c@x.test", 1),
        (3, "Room 1", "room@x.test", 1),
    ]  # fmt: skip
    assert [row.get(p.PidTagRecipientTrackStatus, 0) for row in found.recipients] == [0, 3, 2, 0]
    assert found.recipients[2][p.PidTagRecipientTrackStatusTime] == minutes_of(datetime(2024, 3, 1)) * 600_000_000
    entry = OneOffEntryId.decode(bytes(found.recipients[1][p.PidTagEntryId]))  # type: ignore[arg-type]
    assert (entry.display_name, entry.email_address) == ("Bob, B.", "bob@x.test")
    assert bag[n.PidLidNonSendableTo] == "No Mail"
    assert bag[p.PidTagSentRepresentingSmtpAddress] == "ann@x.test" and bag[p.PidTagSenderSmtpAddress] == "sec@x.test"
    assert bag[n.PidLidToAttendeesString] == "Ann Other; Bob, B." and bag[n.PidLidCcAttendeesString] == "c@x.test"


def test_request_written() -> None:
    made = lines_of(item(meeting("REQUEST", *PEOPLE)))
    for line in (
        "METHOD:REQUEST", 'ORGANIZER;CN=Ann Other;SENT-BY="mailto:sec@x.test":mailto:ann@x.test',
        'ATTENDEE;CN="Bob, B.";PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:bob@x.test',
        "ATTENDEE;CN=c@x.test;ROLE=OPT-PARTICIPANT;PARTSTAT=TENTATIVE;RSVP=TRUE;X-MS-OLK-RESPTIME=20240301T000000Z:"
        "mailto:c@x.test",
        "ATTENDEE;CN=Room 1;CUTYPE=RESOURCE;ROLE=NON-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:room@x.test",
        "ATTENDEE;CN=No Mail:invalid:nomail", "X-MS-OLK-SENDER;CN=Sec:mailto:sec@x.test",
        "X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", "X-MICROSOFT-CDO-INTENDEDSTATUS:BUSY",
    ):  # fmt: skip
        assert line in made, line


@pytest.mark.parametrize(("method", "partstat", "kind", "response"), [
    ("REPLY", "ACCEPTED", "Pos", 3), ("REPLY", "DECLINED", "Neg", 4), ("REPLY", "TENTATIVE", "Tent", 2),
    ("COUNTER", "TENTATIVE", "Tent", 2),
])  # fmt: skip
def test_answers(method: str, partstat: str, kind: str, response: int) -> None:
    lines = ("ORGANIZER;CN=Ann:mailto:ann@x.test", f"ATTENDEE;CN=Bob;PARTSTAT={partstat}:mailto:bob@x.test",
             "COMMENT:so\\nit is", "DESCRIPTION:not this")  # fmt: skip
    found = item(meeting(method, *lines))
    bag = found.props
    assert (bag[p.PidTagMessageClass], bag[n.PidLidResponseStatus]) == (
        f"IPM.Schedule.Meeting.Resp.{kind}", response
    )  # fmt: skip
    assert bag[p.PidTagBody] == "so\nit is"
    assert bag[p.PidTagSentRepresentingSmtpAddress] == bag[p.PidTagSenderSmtpAddress] == "bob@x.test"
    assert [row[p.PidTagSmtpAddress] for row in found.recipients] == ["ann@x.test"]
    assert bag[n.PidLidAttendeeCriticalChange] == minutes_of(datetime(2024, 1, 1)) * 600_000_000
    made = lines_of(found)
    assert f"METHOD:{method}" in made and "COMMENT:so\\nit is" in made
    assert f"ATTENDEE;PARTSTAT={partstat};CN=Bob:mailto:bob@x.test" in made
    assert "ORGANIZER;CN=Ann:mailto:ann@x.test" in made


def test_counter_proposal() -> None:
    lines = ("ATTENDEE;PARTSTAT=TENTATIVE:mailto:bob@x.test",
             "X-MS-OLK-ORIGINALSTART;TZID=Europe/Berlin:20240325T070000",
             "X-MS-OLK-ORIGINALEND;TZID=Europe/Berlin:20240325T080000")  # fmt: skip
    found = item(meeting("COUNTER", *lines))
    bag = found.props
    assert bag[n.PidLidAppointmentCounterProposal] is True
    assert bag[n.PidLidAppointmentProposedStartWhole] == minutes_of(datetime(2024, 3, 25, 8)) * 600_000_000
    assert bag[n.PidLidAppointmentProposedDuration] == 30
    assert bag[n.PidLidAppointmentStartWhole] == minutes_of(datetime(2024, 3, 25, 6)) * 600_000_000
    assert bag[n.PidLidAppointmentDuration] == 60
    made = lines_of(found)
    assert all(line in made for line in (*lines[1:], "DTSTART;TZID=Europe/Berlin:20240325T090000", "METHOD:COUNTER"))


def test_cancellation() -> None:
    found = item(meeting("CANCEL", *PEOPLE))
    assert found.props[p.PidTagMessageClass] == "IPM.Schedule.Meeting.Canceled"
    assert found.props[n.PidLidAppointmentStateFlags] == 7 and found.props[n.PidLidBusyStatus] == 0
    made = lines_of(found)
    assert "METHOD:CANCEL" in made and "STATUS:CANCELLED" in made


@pytest.mark.parametrize(("user", "state", "response"), [("ann@x.test", 1, 1), ("BOB@x.test", 3, 3), ("", 1, 0)])
def test_whose_calendar(user: str, state: int, response: int) -> None:
    (found,) = items_of(meeting("", *PEOPLE), user=user)
    bag = found.props
    assert (bag[n.PidLidAppointmentStateFlags], bag[n.PidLidResponseStatus]) == (state, response)
    assert bag[p.PidTagMessageClass] == "IPM.Appointment" and bag[n.PidLidBusyStatus] == 2


def test_appointments_have_no_people() -> None:
    found = item(meeting("", *PEOPLE))
    found.props[n.PidLidAppointmentStateFlags] = 0
    assert not any(line.startswith(("ATTENDEE", "ORGANIZER")) for line in lines_of(found))


def test_meeting_both_ways_is_the_same() -> None:
    for method in ("REQUEST", "CANCEL", "PUBLISH"):
        once = to_ical(items_of(meeting(method, *PEOPLE)), method=method)
        assert to_ical(items_of(once), method=method) == once
