"""Search folders' flags ([MS-OXCFOLD] 2.2.1.4), and the numbers of other operations."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.mapi import flags, tables
from gromoxd.mapi.searchcriteria import (
    SearchStatus,
    SetSearchFlags,
    check_search_flags,
    finished_status,
    kept_current,
    requested_status,
)

F, S = SetSearchFlags, SearchStatus
RUNNING = S.SEARCH_RUNNING | S.SEARCH_REBUILD


def test_flags_that_exclude_each_other() -> None:
    for bad in (0x3, 0xC, 0x30000):
        with pytest.raises(MapiError) as caught:
            check_search_flags(bad)
        assert caught.value.code == Ec.ecInvalidParam
    assert check_search_flags(0x80000006) == F.RESTART_SEARCH | F.RECURSIVE_SEARCH
    assert check_search_flags(0x40022) == F.STATIC_SEARCH | F.RESTART_SEARCH | F.BACKGROUND_SEARCH
    assert check_search_flags(0x20000) == F.NON_CONTENT_INDEXED_SEARCH


def test_the_life_of_a_search() -> None:
    status = requested_status(F.RESTART_SEARCH | F.RECURSIVE_SEARCH, S(0))
    assert status == RUNNING | S.SEARCH_RECURSIVE
    assert kept_current(status)
    stopped = requested_status(F.STOP_SEARCH, status)
    assert stopped == S.SEARCH_RECURSIVE | S.SEARCH_PARTIAL
    assert not kept_current(stopped)
    assert requested_status(F.STOP_SEARCH, stopped) == stopped
    done = finished_status(status)
    assert done == S.SEARCH_RECURSIVE | S.SEARCH_COMPLETE
    assert kept_current(done)
    assert requested_status(F.STOP_SEARCH, done) == done
    assert requested_status(F.SHALLOW_SEARCH, done) == S.SEARCH_COMPLETE
    assert requested_status(F.RESTART_SEARCH, done) == RUNNING


def test_the_first_request_starts_the_search() -> None:
    assert requested_status(F(0), S(0)) == RUNNING


def test_static_searches_stay_as_they_were() -> None:
    status = requested_status(F.RESTART_SEARCH | F.STATIC_SEARCH, S(0))
    assert status == RUNNING | S.SEARCH_STATIC
    assert not kept_current(finished_status(status))


def test_numbers() -> None:
    assert [int(status) for status in tables.TableStatus] == [0, 9, 0xA, 0xB, 0xD, 0xE, 0xF]
    assert list(tables.SeekType) == [0, 1, 2]
    assert int(flags.CLIENT_MESSAGE_FLAGS) == 0x89
    assert flags.OpenModeFlags.ReadWrite in flags.OpenModeFlags.BestAccess
    assert flags.AttachMethod.afEmbeddedMessage == 5
    assert sum(flags.MessageFlags) == 0xA7FF
