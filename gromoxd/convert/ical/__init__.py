"""iCalendar (RFC 5545) and calendar objects, tasks and notes, both directions ([MS-OXCICAL] 2.1.3).

`items_of` gives one item for each object: VEVENTs of one UID are one item, those with a RECURRENCE-ID being exceptions
in it. `to_ical` is the inverse. Times without a zone are those of the zone given. What no property of MAPI says is kept
with the item (`keeping`) and written again. Nothing here reads a clock.
"""

from __future__ import annotations

from gromoxd.convert.ical.reading import items_of, method_of, periods_of
from gromoxd.convert.ical.writing import to_ical

__all__ = ["items_of", "method_of", "periods_of", "to_ical"]
