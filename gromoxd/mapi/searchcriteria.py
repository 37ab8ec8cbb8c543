"""Flags of a search folder's criteria ([MS-OXCFOLD] 2.2.1.4, 2.2.1.5) and what a request makes of its state."""

from __future__ import annotations

from enum import IntFlag
from typing import Final

from gromoxd.errors import Ec, MapiError


class SetSearchFlags(IntFlag):
    """SearchFlags of RopSetSearchCriteria, [MS-OXCFOLD] 2.2.1.4.1.

    FOREGROUND and BACKGROUND are MAPI's (IMAPIContainer::SetSearchCriteria): clients send them, nothing comes of it.
    """

    STOP_SEARCH = 0x00000001
    RESTART_SEARCH = 0x00000002
    RECURSIVE_SEARCH = 0x00000004
    SHALLOW_SEARCH = 0x00000008
    FOREGROUND_SEARCH = 0x00000010
    BACKGROUND_SEARCH = 0x00000020
    CONTENT_INDEXED_SEARCH = 0x00010000
    NON_CONTENT_INDEXED_SEARCH = 0x00020000
    STATIC_SEARCH = 0x00040000


class SearchStatus(IntFlag):
    """SearchFlags of RopGetSearchCriteria, [MS-OXCFOLD] 2.2.1.5.2. SEARCH_FOREGROUND is MAPI's."""

    SEARCH_RUNNING = 0x00000001
    SEARCH_REBUILD = 0x00000002
    SEARCH_RECURSIVE = 0x00000004
    SEARCH_FOREGROUND = 0x00000008
    SEARCH_COMPLETE = 0x00001000
    SEARCH_PARTIAL = 0x00002000
    SEARCH_STATIC = 0x00010000
    SEARCH_MAYBE_STATIC = 0x00020000
    CI_TOTALLY = 0x01000000
    TWIR_TOTALLY = 0x08000000


_PROGRESS: Final = (
    SearchStatus.SEARCH_RUNNING
    | SearchStatus.SEARCH_REBUILD
    | SearchStatus.SEARCH_COMPLETE
    | SearchStatus.SEARCH_PARTIAL
)
_PAIRS: Final = (
    (SetSearchFlags.STOP_SEARCH, SetSearchFlags.RESTART_SEARCH),
    (SetSearchFlags.RECURSIVE_SEARCH, SetSearchFlags.SHALLOW_SEARCH),
    (SetSearchFlags.CONTENT_INDEXED_SEARCH, SetSearchFlags.NON_CONTENT_INDEXED_SEARCH),
)


def check_search_flags(flags: int) -> SetSearchFlags:
    """MapiError(ecInvalidParam) for flags that exclude each other; bits without a name are dropped."""
    known = SetSearchFlags(flags & _KNOWN)
    for one, other in _PAIRS:
        if one in known and other in known:
            raise MapiError(Ec.ecInvalidParam, f"{one.name} with {other.name}")
    return known


_KNOWN: Final = 0x0007003F


def requested_status(flags: SetSearchFlags, before: SearchStatus) -> SearchStatus:
    """The state of a search folder after a request.

    STOP_SEARCH ends the search that runs and keeps what it found and how it searches. Anything else starts the search
    anew when it asks for that (RESTART_SEARCH) or none ever ran; depth and kind are those of the request.
    """
    if SetSearchFlags.STOP_SEARCH in flags:
        if not before & SearchStatus.SEARCH_RUNNING:
            return before
        return before & ~(SearchStatus.SEARCH_RUNNING | SearchStatus.SEARCH_REBUILD) | SearchStatus.SEARCH_PARTIAL
    status = before & _PROGRESS
    if SetSearchFlags.RESTART_SEARCH in flags or not status:
        status = SearchStatus.SEARCH_RUNNING | SearchStatus.SEARCH_REBUILD
    if SetSearchFlags.RECURSIVE_SEARCH in flags:
        status |= SearchStatus.SEARCH_RECURSIVE
    if SetSearchFlags.STATIC_SEARCH in flags:
        status |= SearchStatus.SEARCH_STATIC
    return status


def finished_status(before: SearchStatus) -> SearchStatus:
    """The state when all folders have been searched."""
    return before & ~_PROGRESS | SearchStatus.SEARCH_COMPLETE


def kept_current(status: SearchStatus) -> bool:
    """Whether changes of messages enter and leave the folder: of a search that is not static and was not stopped."""
    return bool(status & (SearchStatus.SEARCH_RUNNING | SearchStatus.SEARCH_COMPLETE)) and not (
        status & SearchStatus.SEARCH_STATIC
    )
