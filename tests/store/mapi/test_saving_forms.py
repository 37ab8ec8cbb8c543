"""Which changes of an item give it a new RFC 5322 form, and what that form has of it."""

from __future__ import annotations

from gromoxd.exmdb import objects as o
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.times import filetime
from tests.store.conftest import Harness
from tests.store.mapi.objects import change, save

START = filetime(1_795_511_700)


def test_a_moved_appointment_has_a_new_form(box: Harness) -> None:
    props: o.Bag = {
        p.PidTagMessageClass: "IPM.Appointment", p.PidTagSubject: "Tea", n.PidLidAppointmentStartWhole: START,
        n.PidLidAppointmentEndWhole: START + 36_000_000_000,
    }  # fmt: skip
    first = save(box, props)
    (before,) = box.contents().values()
    assert b"BEGIN:VCALENDAR" in before and b"20261124T091500Z" in before
    later = START + 864_000_000_000
    second = change(
        box, first, {n.PidLidAppointmentStartWhole: later, n.PidLidAppointmentEndWhole: later + 36_000_000_000}
    )
    (after,) = box.contents().values()
    assert second.uid == 2
    assert b"20261125T091500Z" in after and b"20261124T091500Z" not in after


def test_flags_for_others_are_in_the_form(box: Harness) -> None:
    first = save(box, {p.PidTagSubject: "x", p.PidTagBody: "y"})
    change(box, first, {p.PidTagExpiryTime: START, n.PidLidFlagRequest: "Call", p.PidTagAutoResponseSuppress: -1})
    (raw,) = box.contents().values()
    for field in (
        b"Expires: Tue, 24 Nov 2026 09:15:00 +0000",
        b"X-Message-Flag: Call",
        b"X-Auto-Response-Suppress: All",
    ):
        assert field + b"\r\n" in raw


def test_tnef_is_for_those_who_get_it_alone(box: Harness) -> None:
    """The form that IMAP shows is plain MIME."""
    save(box, {p.PidTagSubject: "x", p.PidTagBody: "y", n.PidLidUseTnef: True})
    (raw,) = box.contents().values()
    assert b"ms-tnef" not in raw
