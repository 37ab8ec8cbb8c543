"""Context handles: whose they are, and when they go."""

from __future__ import annotations

import pytest

from gromoxd.rpc.stub import NO_HANDLE
from workers.http.rpch import handles as h
from workers.http.rpch.handles import BadHandle, Handles, TooMany


class Thing:
    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_life() -> None:
    all_of_them = Handles()
    group, thing = all_of_them.join(1, 0), Thing()
    handle = all_of_them.open(group, thing)
    assert len(handle) == 20 and handle[:4] == bytes(4) and handle != NO_HANDLE
    assert all_of_them.find(1, handle, Thing) is thing and all_of_them.of(1, Thing) == [thing]
    for user, wanted, kind in ((2, handle, Thing), (1, bytes(20), Thing), (1, handle, str)):
        with pytest.raises(BadHandle):
            all_of_them.find(user, wanted, kind)
    with pytest.raises(BadHandle):
        all_of_them.close(2, handle)
    assert all_of_them.close(1, handle) == NO_HANDLE and thing.closed == 1 and len(all_of_them) == 0


def test_rundown() -> None:
    all_of_them = Handles()
    first = all_of_them.join(1, 0)
    second, stranger, unknown = (all_of_them.join(*who) for who in ((1, first.number), (2, first.number), (1, 999)))
    assert second is first and stranger is not first and stranger.number == first.number and unknown.number == 999
    thing, other = Thing(), Thing()
    all_of_them.open(first, thing)
    all_of_them.open(stranger, other)
    all_of_them.leave(first)
    assert thing.closed == 0
    all_of_them.leave(second)
    assert (thing.closed, other.closed, len(all_of_them)) == (1, 0, 1)


def test_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h, "MOST", 3)
    all_of_them = Handles()
    group = all_of_them.join(1, 0)
    opened = {all_of_them.open(group, Thing()) for _ in range(3)}
    assert len(opened) == 3
    with pytest.raises(TooMany):
        all_of_them.open(group, Thing())
    all_of_them.open(all_of_them.join(2, 0), Thing())
