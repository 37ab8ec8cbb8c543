"""What a room or a piece of equipment answers to a meeting request ([MS-OXODLGT] 2.2.2.2, [MS-OXOCAL] 3.1.4.8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gromoxd.convert.item import Item
from gromoxd.convert.meeting.requests import number
from gromoxd.errors import MapiError, WireError
from gromoxd.mapi.appointments import recurrence_of
from gromoxd.mapi.busytimes import Busy, busy_times, overlaps
from gromoxd.mapi.calendar import BusyStatus, ResponseStatus
from gromoxd.mapi.named_tags import PidLidBusyStatus, PidLidIntendedBusyStatus
from gromoxd.mapi.proptags import PidTagRecipientType

DAY_NT = 24 * 3600 * 10_000_000
PEOPLE = (1, 2)
"""PidTagRecipientType of required and optional attendees ([MS-OXOCAL] 2.2.4.10.7)."""
HORIZON = 366
"""Days from now on in which a series without end is looked at."""


class Policy(NamedTuple):
    """How a mailbox answers by itself. `enabled` False: it does not."""

    enabled: bool = False
    recurring: bool = True
    """Whether series are accepted (PidTagScheduleInfoDisallowRecurringAppts says they are not)."""
    conflicts: bool = False
    """Whether meetings are accepted at times that are taken (PidTagScheduleInfoDisallowOverlappingAppts)."""
    capacity: int = 0
    """The most attendees that there is room for, resources not counted; 0: any number."""


class Decision(NamedTuple):
    """The answer and its text."""

    status: ResponseStatus
    text: str


def decide(request: Item, policy: Policy, taken: Callable[[int, int], list[Busy]], now_nt: int) -> Decision:
    """Accept or decline. `taken`: the busy times of the mailbox in a window (FILETIME), without this very meeting."""
    if recurrence_of(request.props) is not None and not policy.recurring:
        return Decision(ResponseStatus.respDeclined, "Recurring meetings are not accepted.")
    attendees = sum(number(row, PidTagRecipientType) & 0xF in PEOPLE for row in request.recipients)
    if policy.capacity and attendees > policy.capacity:
        text = f"There is room for {policy.capacity}, and {attendees} are invited."
        return Decision(ResponseStatus.respDeclined, text)
    wanted = wanted_times(request, now_nt)
    if not wanted:
        return Decision(ResponseStatus.respDeclined, "The meeting has no time that is still to come.")
    if not policy.conflicts:
        others = taken(wanted[0].start_nt, max(busy.end_nt for busy in wanted))
        clashes = [busy for busy in wanted if overlaps(others, busy.start_nt, busy.end_nt)]
        if clashes:
            text = "It is already booked at that time."
            if len(wanted) > 1:
                text = f"It is already booked at {len(clashes)} of the {len(wanted)} times."
            return Decision(ResponseStatus.respDeclined, text)
    return Decision(ResponseStatus.respAccepted, "Your request was accepted.")


def wanted_times(request: Item, now_nt: int) -> list[Busy]:
    """When the meeting takes place from now on, whatever it wants to be shown as."""
    status = request.props.get(PidLidIntendedBusyStatus)
    shown = status if isinstance(status, int) and status else int(BusyStatus.olBusy)
    try:
        return busy_times({**request.props, PidLidBusyStatus: shown}, now_nt, now_nt + HORIZON * DAY_NT)
    except (WireError, MapiError):
        return []
