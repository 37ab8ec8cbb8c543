"""Meetings between two people of a running server, with rooms, and with people elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import icalendar
import pytest

from gromoxd.convert.item import Item
from gromoxd.convert.meeting.responses import answered, response_to
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.calendarcalls import DETAILED, FULL, SIMPLE, GetFreeBusy
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.calendar import CANCELED, REQUEST, ResponseStatus
from gromoxd.mapi.globalobjectid import GlobalObjectId
from gromoxd.mapi.recurrence import AppointmentRecurrencePattern, RecurrencePattern
from gromoxd.mapi.times import TICKS, UNIX_EPOCH_NT, filetime
from tests.process.sites import Place, place
from tests.support.sending import ALICE, BOB, CALENDAR, INBOX, Mailbox, contents, parsed

pytestmark = pytest.mark.slow
ACCEPTED, DECLINED, TENTATIVE = ResponseStatus.respAccepted, ResponseStatus.respDeclined, ResponseStatus.respTentative
ANNA = "anna@elsewhere.test"
DAY = int(time.time()) // 86400 * 86400 + 30 * 86400
"""Midnight (UTC) of a day to come."""


def nt(hour: int, day: int = 0) -> int:
    return (DAY + day * 86400 + hour * 3600) * TICKS + UNIX_EPOCH_NT


def stamp(hour: int, day: int = 0) -> str:
    return datetime.fromtimestamp(DAY + day * 86400 + hour * 3600, UTC).strftime("%Y%m%dT%H%M%SZ")


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("meetings")) as made:
        yield made


@pytest.fixture(autouse=True)
def _fresh(at: Place) -> None:
    """Empty calendars and inboxes."""
    at.sink.mails.clear()
    for box in (at.alice, at.bob):
        for fid in (CALENDAR, INBOX):
            box.call(o.EmptyFolder(fid, hard=True))


class Meeting:
    """A meeting of alice's: her own object of it, and the messages about it."""

    def __init__(self, at: Place, name: str, *attendees: str, hour: int = 9, day: int = 0, **more: Any) -> None:
        self.at = at
        self.attendees = attendees
        goid = GlobalObjectId.from_uid(f"{name}@example.test").encode()
        self.props: dict[int, Any] = {
            p.PidTagSubject: name, p.PidTagBody: "Please come.\r\n", n.PidLidLocation: "Room 1",
            n.PidLidAppointmentStartWhole: nt(hour, day), n.PidLidAppointmentEndWhole: nt(hour + 1, day),
            n.PidLidCommonStart: nt(hour, day), n.PidLidCommonEnd: nt(hour + 1, day),
            n.PidLidGlobalObjectId: goid, n.PidLidCleanGlobalObjectId: goid, n.PidLidAppointmentSequence: 0,
            n.PidLidOwnerCriticalChange: filetime(time.time()), n.PidLidBusyStatus: 2, **more,
        }  # fmt: skip
        self.mid = self.at.alice.save(CALENDAR, self._item(p.PidTagMessageClass, "IPM.Appointment", 1))

    def _item(self, tag: int, kind: str, state: int, **more: Any) -> Item:
        rows = [
            {p.PidTagRecipientType: 3 if "room" in one else 1, p.PidTagDisplayName: one, p.PidTagAddressType: "SMTP",
             p.PidTagEmailAddress: one, p.PidTagSmtpAddress: one} for one in self.attendees
        ]  # fmt: skip
        return Item({**self.props, tag: kind, n.PidLidAppointmentStateFlags: state}, rows)

    def change(self, **more: Any) -> None:
        """Alice's client changes the meeting in her calendar."""
        self.props |= {getattr(n, f"PidLid{name}"): value for name, value in more.items()}
        self.props[n.PidLidAppointmentSequence] += 1
        self.props[n.PidLidOwnerCriticalChange] = filetime(time.time())
        changes = o.Changes({tag: value for tag, value in self.props.items() if tag >= 0x80000000})
        self.at.alice.call(o.SaveMessage(CALENDAR, self.mid, 0, changes, b"", force=True))

    def send(self, kind: str = REQUEST, props: dict[int, Any] | None = None) -> None:
        """Send the request, or what else is to be said of it, and wait until it is there."""
        item = self._item(p.PidTagMessageClass, kind, 7 if kind == CANCELED else 3)
        item.props |= {n.PidLidIntendedBusyStatus: 2, n.PidLidBusyStatus: 1, p.PidTagResponseRequested: True,
                       p.PidTagReplyRequested: True, **(props or {})}  # fmt: skip
        self.at.alice.send(item)
        self.at.rest()

    def track(self, attendee: str = BOB) -> Any:
        """What alice's calendar says of an attendee's answer."""
        (row,) = [r for r in calendar(self.at.alice).recipients if r.get(p.PidTagSmtpAddress) == attendee]
        return row.get(p.PidTagRecipientTrackStatus, 0), row


def calendar(box: Mailbox) -> Item:
    """The only item in a calendar."""
    (item,) = box.items(CALENDAR).values()
    return item


def last(box: Mailbox) -> Item:
    """The newest message of an inbox."""
    found = box.items(INBOX)
    return found[max(found)]


def answer(at: Place, status: ResponseStatus, proposed: tuple[int, int] | None = None) -> None:
    """Bob's client answers the request in his inbox: his calendar first, then the response."""
    request = last(at.bob)
    [(mid, meeting)] = at.bob.items(CALENDAR).items()
    now = filetime(time.time())
    done = answered(meeting, status, now)
    tags = (n.PidLidResponseStatus, n.PidLidBusyStatus, n.PidLidAppointmentReplyTime)
    changes = o.Changes({tag: done.props[tag] for tag in tags})
    at.bob.call(o.SaveMessage(CALENDAR, mid, 0, changes, b"", force=True))
    at.bob.send(response_to(request, status, ("Bob", BOB), now, "Fine.\r\n", proposed))
    at.rest()


def when(item: Item) -> tuple[int, int]:
    return item.props[n.PidLidAppointmentStartWhole], item.props[n.PidLidAppointmentEndWhole]  # type: ignore[return-value]


# ---------------------------------------------------------------------------------------------- the two


def test_request_answer_update_and_cancellation(at: Place) -> None:
    meeting = Meeting(at, "Plan", BOB)
    meeting.send()
    [mail] = contents(at.server, BOB)
    [part] = [one for one in mail.walk() if one.get_content_type() == "text/calendar"]
    event = icalendar.Calendar.from_ical(part.get_content()).walk("VEVENT")[0]
    assert (part.get_param("method"), str(event["SUMMARY"]), str(event["UID"])) == (
        "REQUEST", "Plan", "Plan@example.test",
    )  # fmt: skip
    assert str(event["ORGANIZER"]).lower() == f"mailto:{ALICE}"
    assert event.decoded("DTSTART").timestamp() == DAY + 9 * 3600
    request = last(at.bob)
    assert (request.props[p.PidTagMessageClass], request.props[p.PidTagProcessed]) == (REQUEST, True)
    tentative = calendar(at.bob)
    assert (tentative.props[p.PidTagSubject], tentative.props[n.PidLidLocation]) == ("Plan", "Room 1")
    assert (tentative.props[n.PidLidBusyStatus], tentative.props[n.PidLidResponseStatus]) == (1, 5)
    assert when(tentative) == (nt(9), nt(10))
    assert meeting.track()[0] == 0
    answer(at, ACCEPTED)
    assert meeting.track()[0] == 3
    assert calendar(at.bob).props[n.PidLidBusyStatus] == 2
    assert last(at.alice).props[p.PidTagMessageClass] == "IPM.Schedule.Meeting.Resp.Pos"
    meeting.change(AppointmentStartWhole=nt(14), AppointmentEndWhole=nt(15), CommonStart=nt(14), CommonEnd=nt(15))
    meeting.send()
    moved = calendar(at.bob)
    assert when(moved) == (nt(14), nt(15)) and moved.props[n.PidLidResponseStatus] == 5
    answer(at, DECLINED)
    assert meeting.track()[0] == 4
    meeting.change()
    meeting.send(CANCELED)
    canceled = calendar(at.bob)
    assert canceled.props[p.PidTagSubject] == "Canceled: Plan" and canceled.props[n.PidLidBusyStatus] == 0
    assert at.sink.mails == []


def test_a_counter_proposal(at: Place) -> None:
    meeting = Meeting(at, "Talk", BOB)
    meeting.send()
    answer(at, TENTATIVE, (nt(16), nt(17)))
    status, row = meeting.track()
    assert (status, row[p.PidTagRecipientProposed]) == (2, True)
    assert (row[p.PidTagRecipientProposedStartTime], row[p.PidTagRecipientProposedEndTime]) == (nt(16), nt(17))
    own = calendar(at.alice).props
    assert (own[n.PidLidAppointmentCounterProposal], own[n.PidLidAppointmentProposalNumber]) == (True, 1)
    assert when(calendar(at.alice)) == (nt(9), nt(10))
    [mail] = contents(at.server, ALICE)
    [part] = [one for one in mail.walk() if one.get_content_type() == "text/calendar"]
    assert part.get_param("method") == "COUNTER"


def test_an_occurrence_is_moved_and_answered(at: Place) -> None:
    start = nt(9) // 600_000_000
    pattern = RecurrencePattern(
        0x200A, 0, 1440, start - 540, start - 540 + 4 * 1440, end_type=0x2022, occurrence_count=5
    )
    recur = AppointmentRecurrencePattern(pattern, 540, 600).encode()
    meeting = Meeting(at, "Daily", BOB)
    meeting.change(AppointmentRecur=recur, Recurring=True, IsRecurring=True)
    meeting.send()
    assert [time.start_nt for time in busy(at.bob)] == [nt(9, day) for day in range(5)]
    answer(at, ACCEPTED)
    day = datetime.fromtimestamp(DAY + 2 * 86400, UTC)
    goid = GlobalObjectId.decode(meeting.props[n.PidLidGlobalObjectId]).on(day.year, day.month, day.day).encode()
    meeting.props[n.PidLidAppointmentSequence] += 1
    gone = {n.PidLidAppointmentRecur: None, n.PidLidRecurring: False, n.PidLidIsRecurring: True}
    exception = {
        n.PidLidGlobalObjectId: goid, n.PidLidIsException: True, n.PidLidExceptionReplaceTime: nt(9, 2),
        n.PidLidAppointmentStartWhole: nt(13, 2), n.PidLidAppointmentEndWhole: nt(14, 2), n.PidLidLocation: "Hall",
    }  # fmt: skip
    kept = dict(meeting.props)
    meeting.props = {tag: value for tag, value in (kept | gone | exception).items() if value is not None}
    meeting.send()
    meeting.props = kept
    found = busy(at.bob)
    assert [time.start_nt for time in found] == [nt(9), nt(9, 1), nt(13, 2), nt(9, 3), nt(9, 4)]
    assert [(time.location, time.exception) for time in found if time.exception] == [("Hall", True)]


def busy(box: Mailbox, actor: str | None = None) -> Any:
    return box.call(GetFreeBusy(nt(0), nt(0, 20)), actor).times


# ---------------------------------------------------------------------------------------------- rooms, free/busy


def test_a_room_accepts_and_declines(at: Place) -> None:
    at.server.ctl("user", "add", "room@example.test", "--no-password", "--type", "room")
    room = Mailbox(at.server, "room@example.test")
    first = Meeting(at, "First", "room@example.test")
    first.send()
    at.rest(room)
    assert first.track("room@example.test")[0] == 3
    assert contents(at.server, ALICE)[-1]["Subject"] == "Accepted: First"
    assert contents(at.server, ALICE)[-1]["Auto-Submitted"] == "auto-replied"
    assert [p_.props[p.PidTagSubject] for p_ in room.items(CALENDAR).values()] == ["First"]
    at.alice.call(o.EmptyFolder(CALENDAR, hard=True))
    second = Meeting(at, "Second", "room@example.test")
    second.send()
    at.rest(room)
    assert second.track("room@example.test")[0] == 4
    assert contents(at.server, ALICE)[-1]["Subject"] == "Declined: Second"
    assert [p_.props[p.PidTagSubject] for p_ in room.items(CALENDAR).values()] == ["First"]
    at.alice.call(o.EmptyFolder(CALENDAR, hard=True))
    later = Meeting(at, "Later", "room@example.test", hour=10)
    later.send()
    at.rest(room)
    assert later.track("room@example.test")[0] == 3
    room.close()


def test_free_busy_of_a_colleague(at: Place) -> None:
    Meeting(at, "Secret plan", BOB)
    found = at.alice.call(GetFreeBusy(nt(0), nt(23)), BOB)
    assert [(t.start_nt, t.end_nt, t.status, t.subject) for t in found.times] == [(nt(9), nt(10), 2, "")]
    assert found.level == SIMPLE
    at.server.ctl("permission", "set", ALICE, "Calendar", BOB, "FreeBusyDetailed")
    found = at.alice.call(GetFreeBusy(nt(0), nt(23)), BOB)
    assert (found.level, [(t.subject, t.location) for t in found.times]) == (DETAILED, [("Secret plan", "Room 1")])
    assert at.alice.call(GetFreeBusy(nt(0), nt(23)), ALICE).level == FULL
    at.server.ctl("permission", "set", ALICE, "Calendar", "default", "None+0")
    with pytest.raises(MapiError) as refused:
        at.alice.call(GetFreeBusy(nt(0), nt(23)), "")
    assert refused.value.code is Ec.ecAccessDenied


# ---------------------------------------------------------------------------------------------- people elsewhere

GOOGLE = """BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:REQUEST
BEGIN:VEVENT
DTSTART:{start}
DTEND:{end}
DTSTAMP:20260601T101112Z
ORGANIZER;CN=Anna Elsewhere:mailto:anna@elsewhere.test
UID:4kq8v1c2f0s9h7t6@google.com
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE
 ;CN=Anna Elsewhere;X-NUM-GUESTS=0:mailto:anna@elsewhere.test
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=
 TRUE;CN=bob@example.test;X-NUM-GUESTS=0:mailto:bob@example.test
X-GOOGLE-CONFERENCE:https://meet.google.com/abc-defg-hij
X-MICROSOFT-CDO-OWNERAPPTID:1234567890
CREATED:20260601T101110Z
DESCRIPTION:Let us talk.\\n\\nJoin with Google Meet: https://meet.google.com/abc
 -defg-hij
LAST-MODIFIED:20260601T101110Z
LOCATION:Vienna\\, Hall 2
SEQUENCE:0
STATUS:CONFIRMED
SUMMARY:Lunch & talk
TRANSP:OPAQUE
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:This is an event reminder
TRIGGER:-P0DT0H30M0S
END:VALARM
END:VEVENT
END:VCALENDAR
"""
APPLE = """BEGIN:VCALENDAR
CALSCALE:GREGORIAN
METHOD:REQUEST
PRODID:-//Apple Inc.//macOS 14.4.1//EN
VERSION:2.0
X-WR-CALNAME:Work
BEGIN:VTIMEZONE
TZID:UTC
BEGIN:STANDARD
DTSTART:19700101T000000
TZNAME:UTC
TZOFFSETFROM:+0000
TZOFFSETTO:+0000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
ATTENDEE;CN="Anna Elsewhere";CUTYPE=INDIVIDUAL;EMAIL="anna@elsewhere.tes
 t";PARTSTAT=ACCEPTED;ROLE=CHAIR:/aMTAyMzQ1Njc4/principal/
ATTENDEE;CN="bob@example.test";CUTYPE=INDIVIDUAL;EMAIL="bob@example.test"
 ;PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:bob@example.t
 est
CREATED:20260601T101110Z
DTEND;TZID=UTC:{end_local}
DTSTAMP:20260601T101112Z
DTSTART;TZID=UTC:{start_local}
LAST-MODIFIED:20260601T101110Z
LOCATION:Vienna\\, Hall 2
ORGANIZER;CN="Anna Elsewhere";EMAIL="anna@elsewhere.test":mailto:anna@elsewhere.test
SEQUENCE:0
SUMMARY:Lunch & talk
TRANSP:OPAQUE
UID:6F3D1A52-7F0B-4B33-9B7E-2D6C0A9E1F77
X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC
END:VEVENT
END:VCALENDAR
"""
THUNDERBIRD = """BEGIN:VCALENDAR
PRODID:-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN
VERSION:2.0
METHOD:REQUEST
BEGIN:VEVENT
CREATED:20260601T101110Z
LAST-MODIFIED:20260601T101112Z
DTSTAMP:20260601T101112Z
UID:0d2a7a52-1b7c-4f0e-8a58-8a7d3c1d5b11
SUMMARY:Lunch & talk
ORGANIZER;PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:anna@elsewhere.test
ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT:mailto:bob@e
 xample.test
DTSTART:{start}
DTEND:{end}
TRANSP:OPAQUE
LOCATION:Vienna\\, Hall 2
X-MOZ-SEND-INVITATIONS:TRUE
SEQUENCE:0
END:VEVENT
END:VCALENDAR
"""


def as_google(ics: str) -> str:
    """Alternatives, and the same once more as an attachment."""
    return (
        'Content-Type: multipart/mixed; boundary="m"\n\n--m\nContent-Type: multipart/alternative; boundary="a"\n\n'
        "--a\nContent-Type: text/plain; charset=UTF-8; format=flowed; delsp=yes\n\nYou have been invited.\n"
        "--a\nContent-Type: text/html; charset=UTF-8\n\n<p>You have been invited.</p>\n"
        f'--a\nContent-Type: text/calendar; charset="UTF-8"; method=REQUEST\n\n{ics}\n--a--\n'
        '--m\nContent-Type: application/ics; name="invite.ics"\nContent-Disposition: attachment; filename="invite.ics"'
        f"\n\n{ics}\n--m--\n"
    )


def as_apple(ics: str) -> str:
    return (
        'Content-Type: multipart/alternative; boundary="a"\n\n--a\nContent-Type: text/plain; charset=utf-8\n\n'
        "Anna invites you.\n--a\nContent-Type: text/calendar; charset=utf-8; method=REQUEST; name=iCal-1.ics\n"
        f"Content-Disposition: attachment; filename=iCal-1.ics\n\n{ics}\n--a--\n"
    )


def as_thunderbird(ics: str) -> str:
    import base64

    lines = base64.encodebytes(ics.encode()).decode()
    return (
        'Content-Type: multipart/mixed; boundary="m"\n\n--m\nContent-Type: multipart/alternative; boundary="a"\n\n'
        "--a\nContent-Type: text/plain; charset=UTF-8; format=flowed\n\nAnna has invited you to Lunch & talk.\n"
        "--a\nContent-Type: text/calendar; method=REQUEST; charset=UTF-8\nContent-Transfer-Encoding: base64\n\n"
        f"{lines}\n--a--\n--m\nContent-Type: application/ics; name=invite.ics\nContent-Transfer-Encoding: base64\n"
        f"Content-Disposition: attachment; filename=invite.ics\n\n{lines}\n--m--\n"
    )


@pytest.mark.parametrize(
    ("ics", "mail", "uid"),
    [
        (GOOGLE, as_google, "4kq8v1c2f0s9h7t6@google.com"),
        (APPLE, as_apple, "6F3D1A52-7F0B-4B33-9B7E-2D6C0A9E1F77"),
        (THUNDERBIRD, as_thunderbird, "0d2a7a52-1b7c-4f0e-8a58-8a7d3c1d5b11"),
    ],
    ids=["google", "apple", "thunderbird"],
)
def test_an_organizer_elsewhere(at: Place, ics: str, mail: Any, uid: str) -> None:
    local = stamp(12)[:-1], stamp(13)[:-1]
    text = mail(ics.format(start=stamp(12), end=stamp(13), start_local=local[0], end_local=local[1]))
    raw = (
        f"From: Anna Elsewhere <{ANNA}>\nTo: {BOB}\nSubject: Invitation: Lunch & talk @ Fri 5 Jun 2026 (bob)\n"
        f"Message-ID: <{uid}>\nDate: Mon, 01 Jun 2026 10:11:12 +0000\nMIME-Version: 1.0\n{text}"
    )
    at.server.deliver(raw.replace("\n", "\r\n").encode(), BOB, sender=ANNA)
    at.rest()
    meeting = calendar(at.bob)
    assert (meeting.props[p.PidTagSubject], meeting.props[n.PidLidLocation]) == ("Lunch & talk", "Vienna, Hall 2")
    assert when(meeting) == (nt(12), nt(13)) and meeting.props[n.PidLidResponseStatus] == 5
    answer(at, ACCEPTED)
    [(sender, recipients, octets)] = at.sink.mails
    assert (sender, recipients) == (BOB, [ANNA])
    reply = parsed(octets)
    assert reply["Subject"].startswith("Accepted: ")
    [part] = [one for one in reply.walk() if one.get_content_type() == "text/calendar"]
    assert part.get_param("method") == "REPLY"
    event = icalendar.Calendar.from_ical(part.get_content()).walk("VEVENT")[0]
    assert (str(event["UID"]), str(event["ORGANIZER"]).lower()) == (uid, f"mailto:{ANNA}")
    attendee = event["ATTENDEE"]
    assert (str(attendee).lower(), attendee.params["PARTSTAT"]) == (f"mailto:{BOB}", "ACCEPTED")
    assert event.decoded("DTSTART").timestamp() == DAY + 12 * 3600
    assert int(event["SEQUENCE"]) == 0


def test_the_reply_of_somebody_elsewhere_is_tracked(at: Place) -> None:
    meeting = Meeting(at, "Outside", ANNA)
    meeting.send()
    [(_, recipients, octets)] = at.sink.mails
    assert recipients == [ANNA]
    [part] = [one for one in parsed(octets).walk() if one.get_content_type() == "text/calendar"]
    ours = icalendar.Calendar.from_ical(part.get_content()).walk("VEVENT")[0]
    reply = (
        "BEGIN:VCALENDAR\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\nVERSION:2.0\nCALSCALE:GREGORIAN\n"
        f"METHOD:REPLY\nBEGIN:VEVENT\nDTSTART:{stamp(9)}\nDTEND:{stamp(10)}\nDTSTAMP:20260602T101112Z\n"
        f"ORGANIZER;CN=Alice:mailto:{ALICE}\nUID:{ours['UID']}\nATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;"
        f"PARTSTAT=DECLINED;CN=Anna:mailto:{ANNA}\nSEQUENCE:{ours['SEQUENCE']}\nSTATUS:CONFIRMED\nSUMMARY:Outside\n"
        "END:VEVENT\nEND:VCALENDAR\n"
    )
    raw = (
        f"From: Anna <{ANNA}>\nTo: {ALICE}\nSubject: Declined: Outside\nMessage-ID: <reply@elsewhere.test>\n"
        "Date: Tue, 02 Jun 2026 10:11:12 +0000\nMIME-Version: 1.0\n"
        'Content-Type: multipart/alternative; boundary="a"\n\n--a\nContent-Type: text/plain\n\nAnna declined.\n--a\n'
        f'Content-Type: text/calendar; charset="UTF-8"; method=REPLY\n\n{reply}\n--a--\n'
    )
    at.server.deliver(raw.replace("\n", "\r\n").encode(), ALICE, sender=ANNA)
    assert meeting.track(ANNA)[0] == 4
    assert json.loads(at.server.ctl("queue", "list", "--json")) == []
