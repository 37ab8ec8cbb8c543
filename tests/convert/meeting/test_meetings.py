"""Requests, updates, cancellations, responses and the policy of rooms ([MS-OXOCAL] 3.1.4.7 to 3.1.4.9)."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.convert.item import Item
from gromoxd.convert.meeting.policy import Policy, decide
from gromoxd.convert.meeting.requests import Verdict, calendar_object, cancel, out_of_date, update
from gromoxd.convert.meeting.responses import answered, note_response, response_to
from gromoxd.mapi.busytimes import Busy
from gromoxd.mapi.calendar import CANCELED, REQUEST, ResponseStatus
from gromoxd.mapi.globalobjectid import GlobalObjectId
from gromoxd.mapi.named_tags import (
    PidLidAppointmentCounterProposal,
    PidLidAppointmentEndWhole,
    PidLidAppointmentProposalNumber,
    PidLidAppointmentSequence,
    PidLidAppointmentStartWhole,
    PidLidAppointmentStateFlags,
    PidLidBusyStatus,
    PidLidCleanGlobalObjectId,
    PidLidExceptionReplaceTime,
    PidLidGlobalObjectId,
    PidLidIntendedBusyStatus,
    PidLidIsException,
    PidLidLocation,
    PidLidOwnerCriticalChange,
    PidLidResponseStatus,
)
from gromoxd.mapi.proptags import (
    PidTagDisplayName,
    PidTagMessageClass,
    PidTagRecipientFlags,
    PidTagRecipientProposed,
    PidTagRecipientTrackStatus,
    PidTagRecipientTrackStatusTime,
    PidTagRecipientType,
    PidTagSentRepresentingName,
    PidTagSentRepresentingSmtpAddress,
    PidTagSmtpAddress,
    PidTagSubject,
)
from tests.convert.meeting.test_exceptions import daily, nt, times

GOID = GlobalObjectId.from_uid("meeting-1@example.test")
ANNA, BERT = "anna@example.test", "bert@example.test"
ACCEPTED, DECLINED = ResponseStatus.respAccepted, ResponseStatus.respDeclined


def request(**more: Any) -> Item:
    """Anna asks Bert for an hour on 2026-06-03."""
    props: dict[int, Any] = {
        PidTagMessageClass: REQUEST, PidTagSubject: "Plan", PidLidLocation: "Room 1",
        PidLidAppointmentStartWhole: nt(2026, 6, 3, 9), PidLidAppointmentEndWhole: nt(2026, 6, 3, 10),
        PidLidIntendedBusyStatus: 2, PidLidBusyStatus: 1, PidLidAppointmentSequence: 0,
        PidLidOwnerCriticalChange: nt(2026, 5, 1), PidLidGlobalObjectId: GOID.encode(),
        PidLidCleanGlobalObjectId: GOID.encode(), PidTagSentRepresentingName: "Anna",
        PidTagSentRepresentingSmtpAddress: ANNA,
    }  # fmt: skip
    bert = {PidTagRecipientType: 1, PidTagDisplayName: "Bert", PidTagSmtpAddress: BERT}
    return Item(props | more.pop("props", {}), [bert])


def test_a_new_request_is_tentative_in_the_calendar() -> None:
    meeting = calendar_object(request())
    props = meeting.props
    assert props[PidTagMessageClass] == "IPM.Appointment"
    assert (props[PidLidBusyStatus], props[PidLidIntendedBusyStatus], props[PidLidResponseStatus]) == (1, 2, 5)
    assert props[PidLidAppointmentStateFlags] == 3
    organizer, bert = meeting.recipients
    assert (organizer[PidTagSmtpAddress], organizer[PidTagRecipientFlags]) == (ANNA, 3)
    assert (bert[PidTagSmtpAddress], bert[PidTagRecipientFlags]) == (BERT, 1)


def test_an_update_of_the_time_asks_again_and_one_of_the_place_does_not() -> None:
    accepted = answered(calendar_object(request()), ACCEPTED, nt(2026, 5, 2))
    assert (accepted.props[PidLidBusyStatus], accepted.props[PidLidResponseStatus]) == (2, 3)
    later = {PidLidAppointmentSequence: 1, PidLidOwnerCriticalChange: nt(2026, 5, 3)}
    placed, verdict = update(accepted, request(props=later | {PidLidLocation: "Room 2"}))
    assert verdict is Verdict.INFORMATION and placed is not None
    assert (placed.props[PidLidLocation], placed.props[PidLidResponseStatus]) == ("Room 2", 3)
    moved, verdict = update(accepted, request(props=later | {PidLidAppointmentEndWhole: nt(2026, 6, 3, 12)}))
    assert verdict is Verdict.FULL and moved is not None
    assert (moved.props[PidLidResponseStatus], moved.props[PidLidBusyStatus]) == (5, 1)
    assert moved.props[PidLidAppointmentEndWhole] == nt(2026, 6, 3, 12)


@pytest.mark.parametrize(
    ("sequence", "changed", "old"),
    [(1, nt(2026, 5, 1), True), (2, nt(2026, 4, 1), True), (2, nt(2026, 5, 1), False), (3, nt(2026, 1, 1), False)],
)
def test_older_requests_are_out_of_date(sequence: int, changed: int, old: bool) -> None:
    meeting = calendar_object(request(props={PidLidAppointmentSequence: 2}))
    message = request(props={PidLidAppointmentSequence: sequence, PidLidOwnerCriticalChange: changed})
    assert out_of_date(meeting.props, message.props) is old
    assert (update(meeting, message)[1] is Verdict.OUT_OF_DATE) is old


def test_a_request_for_one_occurrence_changes_that_one() -> None:
    series = daily()
    series.props |= {PidLidGlobalObjectId: GOID.encode(), PidLidCleanGlobalObjectId: GOID.encode()}
    message = request(props={
        PidLidIsException: True, PidLidExceptionReplaceTime: nt(2026, 6, 4, 9),
        PidLidGlobalObjectId: GOID.on(2026, 6, 4).encode(), PidLidAppointmentStartWhole: nt(2026, 6, 4, 14),
        PidLidAppointmentEndWhole: nt(2026, 6, 4, 15),
    })  # fmt: skip
    changed, verdict = update(series, message)
    assert verdict is Verdict.FULL and changed is not None
    assert [time[:2] for time in times(changed)][2:5] == [("03 09", 2), ("04 14", 1), ("05 09", 2)]
    message.props[PidTagMessageClass] = CANCELED
    without = cancel(changed, message)
    assert without is not None and [time[0] for time in times(without)][2:4] == ["03 09", "05 09"]


def test_a_request_that_names_the_day_in_its_id_alone_finds_the_occurrence() -> None:
    message = request(props={
        PidLidGlobalObjectId: GOID.on(2026, 6, 4).encode(), PidLidAppointmentStartWhole: nt(2026, 6, 4, 14),
        PidLidAppointmentEndWhole: nt(2026, 6, 4, 15),
    })  # fmt: skip
    changed, _ = update(daily(), message)
    assert changed is not None and "04 14" in [time[0] for time in times(changed)]


def test_a_canceled_meeting_stays_free_and_named_so() -> None:
    meeting = calendar_object(request())
    canceled = cancel(meeting, request(props={PidTagMessageClass: CANCELED, PidLidAppointmentSequence: 1}))
    assert canceled is not None
    assert canceled.props[PidTagSubject] == "Canceled: Plan"
    assert (canceled.props[PidLidBusyStatus], canceled.props[PidLidAppointmentStateFlags]) == (0, 7)
    assert cancel(canceled, request(props={PidTagMessageClass: CANCELED})) is None


def organized() -> Item:
    """Anna's own object of the meeting."""
    props = request().props | {PidTagMessageClass: "IPM.Appointment", PidLidAppointmentStateFlags: 1}
    return Item(props, request().recipients)


def test_an_answer_is_noted_at_its_attendee() -> None:
    answer = response_to(request(), ACCEPTED, ("Bert", BERT), nt(2026, 5, 2))
    assert answer.props[PidTagMessageClass] == "IPM.Schedule.Meeting.Resp.Pos"
    assert answer.props[PidTagSubject] == "Accepted: Plan"
    assert [row[PidTagSmtpAddress] for row in answer.recipients] == [ANNA]
    noted = note_response(organized(), answer, nt(2026, 5, 3))
    assert noted is not None
    (bert,) = noted.recipients
    assert (bert[PidTagRecipientTrackStatus], bert[PidTagRecipientTrackStatusTime]) == (3, nt(2026, 5, 2))
    later = response_to(request(), DECLINED, ("Bert", BERT), nt(2026, 5, 1))
    assert note_response(noted, later, nt(2026, 5, 4)) is None, "an answer older than the one that is known"


def test_who_was_not_invited_becomes_an_optional_attendee() -> None:
    answer = response_to(request(), ACCEPTED, ("Carl", "carl@example.test"), nt(2026, 5, 2))
    noted = note_response(organized(), answer, nt(2026, 5, 3))
    assert noted is not None
    assert noted.recipients[1][PidTagRecipientType] == 2
    assert noted.recipients[1][PidTagSmtpAddress] == "carl@example.test"


def test_counter_proposals_are_counted_and_withdrawn() -> None:
    times_ = nt(2026, 6, 5, 9), nt(2026, 6, 5, 10)
    answer = response_to(request(), ResponseStatus.respTentative, ("Bert", BERT), nt(2026, 5, 2), proposed=times_)
    assert answer.props[PidTagSubject] == "New Time Proposed: Plan"
    noted = note_response(organized(), answer, 0)
    assert noted is not None
    assert noted.recipients[0][PidTagRecipientProposed] is True
    assert (noted.props[PidLidAppointmentProposalNumber], noted.props[PidLidAppointmentCounterProposal]) == (1, True)
    again = note_response(noted, response_to(request(), ACCEPTED, ("Bert", BERT), nt(2026, 5, 3)), 0)
    assert again is not None
    assert PidTagRecipientProposed not in again.recipients[0]
    assert (again.props[PidLidAppointmentProposalNumber], again.props[PidLidAppointmentCounterProposal]) == (0, False)


def test_an_answer_to_one_occurrence_is_kept_there() -> None:
    series = daily()
    series.props |= organized().props | {
        tag: series.props[tag] for tag in (PidLidAppointmentStartWhole, PidLidAppointmentEndWhole)
    }
    series.recipients = organized().recipients
    about = request(props={PidLidIsException: True, PidLidExceptionReplaceTime: nt(2026, 6, 4, 9)})
    noted = note_response(series, response_to(about, DECLINED, ("Bert", BERT), nt(2026, 5, 2)), 0)
    assert noted is not None
    (attachment,) = noted.attachments
    assert attachment.embedded is not None
    assert attachment.embedded.recipients[0][PidTagRecipientTrackStatus] == 4
    assert PidTagRecipientTrackStatus not in noted.recipients[0]
    assert len(times(noted)) == 10


NOW = nt(2026, 6, 1)


@pytest.mark.parametrize(
    ("policy", "taken", "status"),
    [
        (Policy(True), [], ACCEPTED),
        (Policy(True), [Busy(nt(2026, 6, 3, 9, 30), nt(2026, 6, 3, 11), 2)], DECLINED),
        (Policy(True), [Busy(nt(2026, 6, 3, 10), nt(2026, 6, 3, 11), 2)], ACCEPTED),
        (Policy(True, conflicts=True), [Busy(nt(2026, 6, 3, 9, 30), nt(2026, 6, 3, 11), 2)], ACCEPTED),
    ],
)
def test_a_room_takes_what_does_not_overlap(policy: Policy, taken: list[Busy], status: ResponseStatus) -> None:
    assert decide(request(), policy, lambda start, end: taken, NOW).status == status


def test_a_room_may_refuse_series_and_what_is_over() -> None:
    series = request(props=daily().props | {PidTagMessageClass: REQUEST})
    assert decide(series, Policy(True, recurring=False), lambda start, end: [], NOW).status == DECLINED
    assert decide(series, Policy(True), lambda start, end: [], NOW).status == ACCEPTED
    assert decide(request(), Policy(True), lambda start, end: [], nt(2026, 7, 1)).status == DECLINED
    booked = [Busy(nt(2026, 6, 5, 9), nt(2026, 6, 5, 10), 2)]
    clash = decide(series, Policy(True), lambda start, end: booked, NOW)
    assert clash == (DECLINED, "It is already booked at 1 of the 10 times.")
