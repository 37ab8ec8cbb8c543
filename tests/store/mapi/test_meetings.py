"""Meeting messages are worked into the calendar of a mailbox, rooms answer, free/busy tells what is allowed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.calendarcalls import DETAILED, FULL, SIMPLE, GetFreeBusy
from gromoxd.exmdb.outgoing import GetOutgoing
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.calendar import CANCELED, ResponseStatus
from gromoxd.mapi.named import PropertyName
from gromoxd.mapi.named_tags import (
    PidLidAppointmentEndWhole,
    PidLidAppointmentSequence,
    PidLidAppointmentStartWhole,
    PidLidBusyStatus,
    PidLidExceptionReplaceTime,
    PidLidGlobalObjectId,
    PidLidIsException,
    PidLidLocation,
    PidLidMeetingType,
    PidLidPrivate,
    PidLidResponseStatus,
)
from gromoxd.mapi.proptags import (
    PidTagMessageClass,
    PidTagProcessed,
    PidTagRecipientTrackStatus,
    PidTagScheduleInfoAutoAcceptAppointments,
    PidTagScheduleInfoDisallowOverlappingAppts,
    PidTagScheduleInfoDisallowRecurringAppts,
    PidTagSubject,
)
from store.mapi import meetings, partitems
from tests.convert.meeting.test_exceptions import daily, nt
from tests.convert.meeting.test_meetings import BERT, GOID, organized, request, response_to
from tests.store.conftest import OWNER, Harness, mail, new

CALENDAR, FREE_BUSY, OUTGOING = 0x0F, 0x18, "SELECT sender, recipients FROM outgoing"
MAY, JULY = nt(2026, 5, 1), nt(2026, 7, 1)


class Calendar:
    """A mailbox into which meeting messages come."""

    def __init__(self, box: Harness) -> None:
        self.box = box
        box.clock = 1_779_900_000.0  # 2026-05-27
        self.who = meetings.Mailbox("Alice", OWNER)
        self._items: list[Item] = []
        runner = box.box._runner
        process = {c.Deliver: lambda tx, call: meetings.process(tx, self._items[-1], self.who)}
        runner._handlers = {**runner._handlers, **process}

    def process(self, item: Item) -> Bag:
        self._items.append(item)
        bag: Bag = self.box.call(c.Deliver(new(mail(1)), "", b"", b""))
        return bag

    def mids(self) -> list[int]:
        return [mid for (mid,) in self.box.sql("SELECT mid FROM messages WHERE fid=?", CALENDAR)]

    def only(self) -> o.Message:
        (mid,) = self.mids()
        message: o.Message = self.box.call(o.OpenMessage(mid))
        return message

    def put(self, item: Item) -> int:
        attachments = [o.AttachmentChange(n, False, dict(one.props)) for n, one in enumerate(item.attachments)]
        changes = o.Changes(item.props, [], item.recipients, attachments)
        mid: int = self.box.call(o.SaveMessage(CALENDAR, 0, 0, changes, self.box.request_id())).mid
        return mid

    def sent(self) -> list[tuple[str, list[str]]]:
        return [(sender, msgspec.msgpack.decode(to)) for sender, to in self.box.sql(OUTGOING)]


@pytest.fixture
def calendar(box: Harness) -> Calendar:
    return Calendar(box)


def test_a_request_comes_into_the_calendar_once(calendar: Calendar) -> None:
    assert calendar.process(request()) == {PidTagProcessed: True, PidLidMeetingType: 1}
    first = calendar.only()
    assert first.props[PidTagMessageClass] == "IPM.Appointment" and first.props[PidLidBusyStatus] == 1
    assert len(first.recipients) == 2
    moved = request(props={PidLidAppointmentSequence: 1, PidLidAppointmentEndWhole: nt(2026, 6, 3, 12)})
    assert calendar.process(moved) == {PidTagProcessed: True, PidLidMeetingType: 0x10000}
    second = calendar.only()
    assert second.mid == first.mid and second.props[PidLidAppointmentEndWhole] == nt(2026, 6, 3, 12)
    assert calendar.process(request()) == {PidTagProcessed: True, PidLidMeetingType: 0x80000}, "the old one again"
    assert calendar.only().cn == second.cn
    assert calendar.sent() == []


def test_a_cancellation_frees_the_time(calendar: Calendar) -> None:
    calendar.process(request())
    assert calendar.process(request(props={PidTagMessageClass: CANCELED, PidLidAppointmentSequence: 1})) == {
        PidTagProcessed: True
    }
    assert calendar.only().props[PidTagSubject] == "Canceled: Plan"
    assert calendar.box.call(GetFreeBusy(MAY, JULY)).times == []


def test_an_occurrence_is_moved_and_canceled(calendar: Calendar) -> None:
    series = daily()
    series.props |= {PidLidGlobalObjectId: GOID.encode()}
    calendar.process(request(props=series.props | {PidTagMessageClass: "IPM.Schedule.Meeting.Request"}))
    about = {
        PidLidIsException: True, PidLidExceptionReplaceTime: nt(2026, 6, 4, 9), PidLidAppointmentSequence: 1,
        PidLidGlobalObjectId: GOID.on(2026, 6, 4).encode(), PidLidAppointmentStartWhole: nt(2026, 6, 4, 14),
        PidLidAppointmentEndWhole: nt(2026, 6, 4, 15), PidLidLocation: "Hall",
    }  # fmt: skip
    calendar.process(request(props=about))
    found = calendar.box.call(GetFreeBusy(MAY, JULY)).times
    assert len(found) == 10
    assert [(t.start_nt, t.location, t.exception) for t in found if t.exception] == [(nt(2026, 6, 4, 14), "Hall", True)]
    (attachment,) = calendar.only().attachments
    assert attachment.embedded
    calendar.process(request(props=about | {PidTagMessageClass: CANCELED, PidLidAppointmentSequence: 2}))
    assert len(calendar.box.call(GetFreeBusy(MAY, JULY)).times) == 9
    assert calendar.only().attachments == []


def test_answers_are_noted_in_the_organizers_calendar(calendar: Calendar) -> None:
    calendar.put(organized())
    answer = response_to(request(), ResponseStatus.respAccepted, ("Bert", BERT), nt(2026, 5, 2))
    assert calendar.process(answer) == {PidTagProcessed: True}
    (bert,) = calendar.only().recipients
    assert bert[PidTagRecipientTrackStatus] == 3
    other = response_to(request(props={PidLidGlobalObjectId: b"x" * 40}), ResponseStatus.respAccepted, ("B", BERT), 1)
    other.props.pop(0x809C0102, None)
    assert calendar.process(other) == {}, "a meeting that is not here"


def test_a_room_books_itself_and_refuses_what_overlaps(calendar: Calendar) -> None:
    calendar.who = meetings.Mailbox("Room", OWNER, c.Booking(room=True, accepts=True))
    calendar.process(request())
    room = calendar.only()
    assert (room.props[PidLidBusyStatus], room.props[PidLidResponseStatus]) == (2, 3)
    assert calendar.sent() == [(OWNER, ["anna@example.test"])]
    raw = calendar.box.call(GetOutgoing(10)).mails[0].raw
    assert raw.startswith(b"Auto-Submitted: auto-replied\r\n") and b"Accepted: Plan" in raw
    second = request(props={PidLidGlobalObjectId: b"y" * 40, 0x809C0102: b"y" * 40})
    calendar.process(second)
    assert len(calendar.mids()) == 1 and len(calendar.sent()) == 2
    calendar.process(request(props={PidLidAppointmentSequence: 3}))
    assert len(calendar.mids()) == 1 and len(calendar.sent()) == 3, "its own time does not count against an update"
    calendar.process(request(props={PidTagMessageClass: CANCELED, PidLidAppointmentSequence: 4}))
    assert calendar.mids() == []


def test_the_delegate_information_says_how_a_mailbox_answers(calendar: Calendar) -> None:
    settings = {
        PidTagMessageClass: "IPM.Microsoft.ScheduleData.FreeBusy", PidTagScheduleInfoAutoAcceptAppointments: True,
        PidTagScheduleInfoDisallowRecurringAppts: True, PidTagScheduleInfoDisallowOverlappingAppts: False,
    }  # fmt: skip
    calendar.box.call(o.SaveMessage(FREE_BUSY, 0, 0, o.Changes(settings), b""))
    calendar.process(request(props=daily().props | {PidTagMessageClass: "IPM.Schedule.Meeting.Request"}))
    assert calendar.mids() == [] and len(calendar.sent()) == 1
    calendar.process(request())
    calendar.process(request(props={PidLidGlobalObjectId: b"y" * 40, 0x809C0102: b"y" * 40}))
    assert len(calendar.mids()) == 2, "overlapping is allowed"


def test_names_of_ones_own_and_attachments_come_along(calendar: Calendar) -> None:
    item = request(props={0x9005001F: "red"})
    item.names = {0x9005: PropertyName(bytes(range(16)), "colour")}
    item.attachments.append(ItemAttachment({0x3707001F: "plan.txt"}, b"the plan"))
    calendar.process(item)
    message = calendar.only()
    ((number,),) = calendar.box.sql("SELECT propid FROM named_properties WHERE name='colour'")
    assert message.props[number << 16 | 0x1F] == "red"
    (attachment,) = message.attachments
    assert attachment.props[0x37010102] == b"the plan"


def test_what_fails_leaves_the_calendar_and_the_mail_goes_on(
    calendar: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar.process(request())
    before, figures = calendar.only(), calendar.box.sql("SELECT * FROM folders WHERE fid=?", CALENDAR)

    def fail(*args: Any) -> None:
        raise ValueError("no room")

    calendar.who = meetings.Mailbox("Room", OWNER, c.Booking(room=True, accepts=True))
    monkeypatch.setattr(meetings, "decide", fail)
    moved = request(props={PidLidAppointmentSequence: 1, PidLidAppointmentEndWhole: nt(2026, 6, 3, 12)})
    assert calendar.process(moved) == {}
    assert calendar.only() == before and calendar.box.sql("SELECT * FROM folders WHERE fid=?", CALENDAR) == figures
    monkeypatch.undo()
    assert calendar.process(moved)[PidTagProcessed] is True


def test_free_busy_tells_each_what_he_may_know(calendar: Calendar) -> None:
    calendar.put(organized())
    secret = organized().props | {PidLidPrivate: True, PidTagSubject: "Secret", PidLidGlobalObjectId: b"z"}
    calendar.put(Item(secret | {PidLidAppointmentStartWhole: nt(2026, 6, 3, 8)}))
    rights = {"dan@example.test": 0x1000, "reader@example.test": 0x401}
    changes = [x.PermissionChange(x.ADD, name=name, rights=right) for name, right in rights.items()]
    calendar.box.call(x.ModifyPermissions(CALENDAR, changes, free_busy=True))
    for actor, level, subjects in (
        ("", 0, None), ("default@example.test", SIMPLE, ["", ""]), ("dan@example.test", DETAILED, ["", "Plan"]),
        ("reader@example.test", DETAILED, ["", "Plan"]), (OWNER, FULL, ["Secret", "Plan"]),
    ):  # fmt: skip
        if subjects is None:
            assert calendar.box.refused(GetFreeBusy(MAY, JULY), actor=actor) == Ec.ecAccessDenied
            continue
        answer = calendar.box.call(GetFreeBusy(MAY, JULY), actor=actor)
        assert (answer.level, [time.subject for time in answer.times]) == (level, subjects), actor
    assert calendar.box.refused(GetFreeBusy(5, 5)) == Ec.ecInvalidParam
    assert calendar.box.refused(GetFreeBusy(0, 1 << 60)) == Ec.ecInvalidParam


def test_names_of_strangers_are_not_all_taken(calendar: Calendar, monkeypatch: pytest.MonkeyPatch) -> None:
    def named(first: int, *odd: str) -> Item:
        item = request()
        item.attachments = [ItemAttachment({}, b"", Item({}))]
        for one in (item, item.attachments[0].embedded):
            assert one is not None
            for text in [*(f"name {first + n}" for n in range(300)), *odd]:
                one.props[one.foreign_id(PropertyName(bytes(range(16)), text)) << 16 | 0x1F] = "x"
        return item

    count = "SELECT count(*) FROM named_properties"
    calendar.process(named(0))
    assert calendar.box.sql(count) == [(100,)]
    monkeypatch.setattr(partitems, "MOST_NAMES", 100)
    calendar.process(named(1000))
    assert calendar.box.sql(count) == [(100,)]
    monkeypatch.undo()
    before = Item({})
    before.props[before.foreign_id(PropertyName(bytes(range(16)), "n" * 2000)) << 16 | 0x1F] = "x"
    calendar.process(Item({**request().props, **before.props}, [], [], before.names))
    assert calendar.box.sql(count) == [(100,)]


def test_a_room_counts_its_seats_and_answers_colleagues_alone(calendar: Calendar) -> None:
    calendar.who = meetings.Mailbox("Room", OWNER, c.Booking(room=True, accepts=True, capacity=1))
    crowd = request()
    crowd.recipients.append(dict(crowd.recipients[0]))
    calendar.process(crowd)
    assert calendar.mids() == [] and len(calendar.sent()) == 1
    assert b"There is room for 1, and 2 are invited." in calendar.box.call(GetOutgoing(10)).mails[0].raw
    calendar.who = calendar.who._replace(internal=False)
    assert calendar.process(request()) == {} and calendar.mids() == []
    calendar.who = meetings.Mailbox("Alice", OWNER, c.Booking(accepts=True), internal=False)
    calendar.process(request())
    assert calendar.only().props[PidLidResponseStatus] == 5 and len(calendar.sent()) == 1, "seen, and not answered"
