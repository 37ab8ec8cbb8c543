"""Meeting requests that come as mail, with a calendar part (RFC 6047), are in the calendar when they are delivered."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.calendarcalls import GetFreeBusy
from gromoxd.exmdb.outgoing import GetOutgoing
from gromoxd.mapi.named_tags import PidLidAppointmentStartWhole, PidLidBusyStatus, PidLidMeetingType
from gromoxd.mapi.proptags import PidTagMessageClass, PidTagProcessed, PidTagSubject
from tests.convert.meeting.test_exceptions import nt
from tests.store.conftest import OWNER, Harness

INBOX, CALENDAR = 0x0D, 0x0F
ROOM = c.Booking(room=True, accepts=True)
ICS = """BEGIN:VCALENDAR
PRODID:-//Example//EN
VERSION:2.0
METHOD:{method}
BEGIN:VEVENT
UID:plan-1@example.org
SEQUENCE:{sequence}
DTSTAMP:20260501T000000Z
DTSTART:20260603T{hour}0000Z
DTEND:20260603T{end}0000Z
SUMMARY:Plan
LOCATION:Room 1
{rule}ORGANIZER;CN=Anna:mailto:anna@example.org
ATTENDEE;CN=Alice;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:alice@example.test
{more}END:VEVENT
END:VCALENDAR
"""


def mail(method: str, sequence: int = 0, hour: int = 9, rule: str = "", more: str = "", sender: str = "anna") -> bytes:
    ics = ICS.format(method=method, sequence=sequence, hour=f"{hour:02}", end=f"{hour + 1:02}", rule=rule, more=more)
    return (
        (
            f"From: {sender}@example.org\nTo: {OWNER}\nSubject: Plan\nMessage-ID: <{method}.{sequence}@example.org>\n"
            "Date: Fri, 01 May 2026 00:00:00 +0000\nMIME-Version: 1.0\n"
            "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nPlease come.\n"
            f"--b\nContent-Type: text/calendar; charset=utf-8; method={method}\n\n{ics}\n--b--\n"
        )
        .replace("\n", "\r\n")
        .encode()
    )


@pytest.fixture
def box(box: Harness) -> Harness:
    box.clock = 1_779_900_000.0  # 2026-05-27
    return box


def deliver(box: Harness, raw: bytes, **more: Any) -> o.Message:
    new = c.NewMessage(digest_message(raw, received=1_779_900_000), raw, 1_779_900_000)
    stored = box.call(c.Deliver(new, "anna@example.org", box.request_id(), b"", OWNER, **more))
    message: o.Message = box.call(o.OpenMessage(stored.mid))
    return message


def calendar(box: Harness) -> list[o.Message]:
    mids = [mid for (mid,) in box.sql("SELECT mid FROM messages WHERE fid=? ORDER BY mid", CALENDAR)]
    return [box.call(o.OpenMessage(mid)) for mid in mids]


def test_a_meeting_from_request_to_cancellation(box: Harness) -> None:
    message = deliver(box, mail("REQUEST"))
    assert message.props[PidTagMessageClass] == "IPM.Schedule.Meeting.Request"
    assert (message.props[PidTagProcessed], message.props[PidLidMeetingType]) == (True, 1)
    (meeting,) = calendar(box)
    assert meeting.props[PidTagMessageClass] == "IPM.Appointment"
    assert meeting.props[PidLidAppointmentStartWhole] == nt(2026, 6, 3, 9)
    assert {row[0x3001001F] for row in meeting.recipients} == {"Anna", "Alice"}, "by their names in the calendar"
    deliver(box, mail("REQUEST", 1, 14))
    (moved,) = calendar(box)
    assert moved.mid == meeting.mid and moved.props[PidLidAppointmentStartWhole] == nt(2026, 6, 3, 14)
    deliver(box, mail("CANCEL", 2, 14))
    (canceled,) = calendar(box)
    assert canceled.props[PidTagSubject] == "Canceled: Plan" and canceled.props[PidLidBusyStatus] == 0
    assert len(box.contents(INBOX)) == 3 and box.contents(INBOX)[1] == mail("REQUEST")


def test_the_meeting_is_called_as_its_summary_says(box: Harness) -> None:
    raw = mail("REQUEST").replace(b"Subject: Plan", b"Subject: Invitation: Plan @ Wed 3 Jun 2026 (alice)")
    message = deliver(box, raw)
    assert message.props[PidTagSubject] == "Invitation: Plan @ Wed 3 Jun 2026 (alice)"
    (meeting,) = calendar(box)
    assert meeting.props[PidTagSubject] == "Plan"
    deliver(box, mail("REQUEST", 1, 14).replace(b"Subject: Plan", b"Subject: Re: Updated invitation: Plan"))
    (moved,) = calendar(box)
    assert moved.props[PidTagSubject] == "Plan"


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL"])
def test_a_stranger_who_knows_the_id_changes_nothing(box: Harness, method: str) -> None:
    deliver(box, mail("REQUEST"))
    (before,) = calendar(box)
    message = deliver(box, mail(method, 1, 14, sender="mallory"))
    assert PidTagProcessed not in message.props
    (after,) = calendar(box)
    assert (after.cn, after.props[PidTagSubject]) == (before.cn, "Plan")
    deliver(box, mail(method, 1, 14, sender="ANNA"))
    (changed,) = calendar(box)
    assert changed.cn != before.cn


@pytest.mark.parametrize("fields", [b"", b"From: anna@example.org\r\nFrom: mallory@example.org\r\n"])
def test_mail_from_nobody_changes_nothing(box: Harness, fields: bytes) -> None:
    deliver(box, mail("REQUEST"))
    deliver(box, mail("CANCEL", 1).replace(b"From: anna@example.org\r\n", fields))
    (meeting,) = calendar(box)
    assert meeting.props[PidTagSubject] == "Plan"


def test_who_is_named_as_organizer_may_update(box: Harness) -> None:
    deliver(box, mail("REQUEST", sender="secretary"))  # ORGANIZER is anna
    deliver(box, mail("REQUEST", 1, 15, sender="anna"))
    (meeting,) = calendar(box)
    assert meeting.props[PidLidAppointmentStartWhole] == nt(2026, 6, 3, 15)


def test_a_room_is_not_for_strangers(box: Harness) -> None:
    message = deliver(box, mail("REQUEST"), booking=ROOM)
    assert (box.call(GetOutgoing(10)).mails, calendar(box)) == ([], [])
    assert PidTagProcessed not in message.props


def test_one_occurrence_of_a_series_is_moved(box: Harness) -> None:
    deliver(box, mail("REQUEST", rule="RRULE:FREQ=DAILY;COUNT=5\n"))
    deliver(box, mail("REQUEST", 1, 16, more="RECURRENCE-ID:20260605T090000Z\n").replace(b"20260603T", b"20260605T"))
    assert len(calendar(box)) == 1
    times = [t.start_nt for t in box.call(GetFreeBusy(nt(2026, 6, 1), nt(2026, 7, 1))).times]
    assert times == [nt(2026, 6, d, h) for d, h in ((3, 9), (4, 9), (5, 16), (6, 9), (7, 9))]


def test_a_room_answers_with_a_reply(box: Harness) -> None:
    deliver(box, mail("REQUEST"), booking=ROOM, internal=True)
    (answer,) = box.call(GetOutgoing(10)).mails
    assert (answer.sender, answer.recipients) == (OWNER, ["anna@example.org"])
    assert b"METHOD:REPLY" in answer.raw and b"PARTSTAT=ACCEPTED" in answer.raw.replace(b"\r\n ", b"")
    assert b"method=REPLY" in answer.raw or b'method="REPLY"' in answer.raw
    assert calendar(box)[0].props[PidLidBusyStatus] == 2


def test_a_broken_calendar_part_is_mail(box: Harness) -> None:
    raw = mail("REQUEST").replace(b"BEGIN:VEVENT", b"BEGIN:VEVEN")
    deliver(box, raw)
    assert box.contents(INBOX)[1] == raw
    assert calendar(box) == []
