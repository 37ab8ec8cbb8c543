"""How often something happened within an hour."""

from __future__ import annotations

from store.mapi.frequency import HOUR, MOST_KEYS, Frequency

NOW = 1_800_000_000


def test_more_than_so_many_an_hour() -> None:
    counts = Frequency()
    assert [counts.exceeds("answer", "Sam@x", 2, NOW + n) for n in range(4)] == [False, False, True, True]
    assert not counts.exceeds("answer", "other@x", 2, NOW)
    assert not counts.exceeds("forward", "sam@x", 2, NOW)
    assert counts.exceeds("answer", "sam@x", 2, NOW + HOUR - 1)
    assert not counts.exceeds("answer", "sam@x", 2, NOW + HOUR)


def test_amounts_are_counted() -> None:
    counts = Frequency()
    assert [counts.exceeds("octets", "sam@x", 100, NOW, 40) for _ in range(3)] == [False, False, True]


def test_a_clock_that_is_set_back_begins_anew() -> None:
    counts = Frequency()
    assert [counts.exceeds("answer", "sam@x", 1, now) for now in (NOW, NOW, NOW - 5)] == [False, True, False]


def test_its_memory_is_bounded() -> None:
    counts = Frequency()
    for number in range(MOST_KEYS * 2):
        counts.exceeds("answer", f"{number}@x", 1, NOW)
    assert len(counts._counts) <= MOST_KEYS
