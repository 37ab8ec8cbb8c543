"""Meeting messages and appointments as mail: which iTIP method they are, and their text/calendar part.

[MS-OXCMAIL] 2.1.3.3.8, RFC 6047. The calendar itself is written by `gromoxd.convert.ical` ([MS-OXCICAL]).
"""

from __future__ import annotations

from gromoxd.convert.composeparts import text_entity
from gromoxd.convert.item import Item
from gromoxd.errors import WireError
from gromoxd.mapi.named_tags import PidLidAppointmentCounterProposal
from gromoxd.mapi.proptags import PidTagMessageClass

_METHODS = (
    ("IPM.SCHEDULE.MEETING.REQUEST", "REQUEST"), ("IPM.SCHEDULE.MEETING.CANCELED", "CANCEL"),
    ("IPM.SCHEDULE.MEETING.RESP.", "REPLY"), ("IPM.APPOINTMENT", "PUBLISH"),
)  # fmt: skip
"""[MS-OXCICAL] 2.1.3.1.1.1."""


def method_of(item: Item) -> str:
    """The method (RFC 5546 1.4) that an item goes with, '' for one that is no calendar item."""
    kind = str(item.props.get(PidTagMessageClass, "")).upper()
    for start, method in _METHODS:
        if kind.startswith(start):
            counter = method == "REPLY" and item.props.get(PidLidAppointmentCounterProposal) is True
            return "COUNTER" if counter else method
    return ""


def calendar_part(item: Item) -> bytes | None:
    """The text/calendar part of a calendar item, None for another or one that says too little."""
    method = method_of(item)
    if not method:
        return None
    from gromoxd.convert.ical import to_ical  # rare, and large

    try:
        calendar = to_ical([item], method=method)
    except WireError:
        return None
    return text_entity("calendar", calendar, "utf-8", [("method", method)])
