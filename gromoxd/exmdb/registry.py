"""All exmdb calls, by their number on the wire: the position in `CALLS`, therefore append only."""

from __future__ import annotations

from typing import Any

from gromoxd.exmdb import (
    access,
    calendarcalls,
    calls,
    hierarchy,
    names,
    objects,
    oofcalls,
    outgoing,
    rulecalls,
    searchcalls,
    storecalls,
    sync,
    tables,
    upkeepcalls,
)
from gromoxd.exmdb.calls import Call

CALLS: tuple[type[Call[Any]], ...] = (
    *calls.MAIL_CALLS,
    *access.CALLS,
    *hierarchy.CALLS,
    *names.CALLS,
    *objects.CALLS,
    *rulecalls.CALLS,
    *storecalls.CALLS,
    *sync.CALLS,
    *tables.CALLS,
    *upkeepcalls.CALLS,
    *searchcalls.CALLS,
    *outgoing.CALLS,
    *oofcalls.CALLS,
    *calendarcalls.CALLS,
)  # fmt: skip
