"""Broken .msg files: an error or what can be read of it, soon, and never anything else."""

from __future__ import annotations

import random

import pytest

from gromoxd.convert.item import Item
from gromoxd.convert.msg import from_msg, to_msg
from tests.convert.items import embedded, mutated, survive, whole

SMALL = to_msg(embedded())
LARGE = to_msg(whole())
READABLE = 1


def read_and_write(data: bytes) -> Item:
    """What is read can be written, unless it is too much."""
    item = from_msg(data)
    to_msg(item)
    return item


def test_truncated_everywhere() -> None:
    assert sum(survive(read_and_write, SMALL[:end]) for end in range(len(SMALL) + 1)) >= READABLE


@pytest.mark.slow
def test_each_octet_flipped() -> None:
    for at in range(len(SMALL)):
        for value in (SMALL[at] ^ 0xFF, SMALL[at] ^ 0x80, SMALL[at] ^ 1):
            survive(read_and_write, SMALL[:at] + bytes((value,)) + SMALL[at + 1 :])


def test_some_mutations() -> None:
    chance = random.Random(1)
    assert sum(survive(read_and_write, mutated(LARGE, chance)) for _ in range(300)) > 70


@pytest.mark.slow
def test_ten_thousand_mutations() -> None:
    chance = random.Random(2)
    assert sum(survive(read_and_write, mutated(LARGE, chance)) for _ in range(10_000)) > 2_500


def test_noise() -> None:
    chance = random.Random(3)
    for _ in range(300):
        survive(read_and_write, SMALL[: chance.randrange(len(SMALL))] + chance.randbytes(chance.randrange(3000)))
