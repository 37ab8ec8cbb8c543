"""The exmdb calls on a mailbox's calendar as a whole."""

from __future__ import annotations

from gromoxd.exmdb.calls import Call, Result
from gromoxd.mapi.busytimes import Busy

SIMPLE, DETAILED, FULL = 1, 2, 3
"""How much of the calendar somebody may know: times and states; subjects and places too; private items' as well."""


class FreeBusy(Result, frozen=True):
    """The times by their start. `level`: what was told, SIMPLE, DETAILED or FULL; with the first without subjects."""

    level: int
    times: list[Busy]


class GetFreeBusy(Call[FreeBusy], frozen=True):
    """When the owner is busy within [start_nt, end_nt), recurrences expanded ([MS-OXOPFFB], [MS-OXCPERM] 2.2.7).

    Needs FreeBusySimple, FreeBusyDetailed or the right to read on the calendar: ecAccessDenied. At most 10,000 times of
    at most three years: ecInvalidParam, ecTooBig.
    """

    start_nt: int
    end_nt: int


CALLS = (GetFreeBusy,)
