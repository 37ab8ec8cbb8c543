"""Differential files: cut where equal records follow, applied by us and by libmspack."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from gromoxd.errors import WireError
from gromoxd.oab.container import apply_patch, expand_lzx, read_lzx, read_patch, write_lzx
from gromoxd.oab.diff import BLOCK_MAX, cuts, patch
from tests.oab import mspack

People = Callable[..., bytes]


def applied(source: bytes, target: bytes, folder: Path) -> bytes:
    """The patch, proved by both readers."""
    made = patch(source, target)
    assert made is not None
    assert apply_patch(made, source) == target
    if mspack.LIBRARY is not None:
        assert mspack.expand(folder, made, source) == target
    return made


@pytest.mark.parametrize("size", (3, 900, 6000))
def test_a_person_more(people: People, tmp_path: Path, size: int) -> None:
    source = people([n for n in range(size) if n != 2])
    target = people(range(size), 2)
    made = applied(source, target, tmp_path)
    assert len(made) < 400 + len(target) // 1000
    found = read_patch(made)
    assert (found.source_size, found.target_size) == (len(source), len(target))
    assert sum(block.source_size for block in found.blocks) == len(source)
    assert all(block.source_size <= BLOCK_MAX for block in found.blocks)


def test_many_changes(people: People, tmp_path: Path) -> None:
    chance = random.Random(3)
    numbers = range(5000)
    gone, changed = set(chance.sample(numbers, 200)), chance.sample(numbers, 200)
    source = people(numbers)
    target = people(sorted({*numbers, *range(9000, 9100)} - gone), 2, changed)
    made = applied(source, target, tmp_path)
    assert len(made) < len(b"".join(write_lzx(target))) / 3


def test_all_gone_or_new(people: People, tmp_path: Path) -> None:
    applied(people(range(50)), people([], 2), tmp_path)
    applied(people([]), people(range(50), 2), tmp_path)
    applied(people(range(900)), people(range(1000, 2500), 2), tmp_path)


def test_order_does_not_matter(people: People, tmp_path: Path) -> None:
    numbers = list(range(3000))
    random.Random(1).shuffle(numbers)
    applied(people(range(3000)), people(numbers, 2), tmp_path)


def test_too_large_a_gap(people: People) -> None:
    """More than a block of old people at once: there is no way to go past them."""
    source, target = people(range(9000)), people([*range(100), *range(8900, 9000)], 2)
    assert len(source) > BLOCK_MAX * 5 // 4
    assert cuts(source, target) is None
    assert patch(source, target) is None


def test_a_patch_is_for_one_file(people: People) -> None:
    source, target = people(range(50)), people(range(51), 2)
    made = patch(source, target)
    assert made is not None
    for other in (target, source + b"\0", source[:-1] + bytes([source[-1] ^ 1])):
        with pytest.raises(WireError):
            apply_patch(made, other)


def test_damage(people: People) -> None:
    chance = random.Random(2)
    source, target = people(range(30)), people(range(31), 2)
    made, full = patch(source, target), b"".join(write_lzx(target))
    assert made is not None
    for cut in range(0, len(made), 5):
        with pytest.raises(WireError):
            apply_patch(made[:cut], source)
    for cut in range(0, len(full), 5):
        with pytest.raises(WireError):
            expand_lzx(full[:cut])
    for _ in range(500):
        damaged, packed = bytearray(made), bytearray(full)
        damaged[chance.randrange(12, len(damaged))] ^= 1 << chance.randrange(8)
        packed[chance.randrange(12, len(packed))] ^= 1 << chance.randrange(8)
        with contextlib.suppress(WireError):
            assert apply_patch(bytes(damaged), source) == target
        with contextlib.suppress(WireError):
            assert expand_lzx(bytes(packed)) == target


def test_what_does_not_shrink_is_kept_as_it_is() -> None:
    data = random.Random(4).randbytes(1000)
    (block,) = read_lzx(b"".join(write_lzx(data))).blocks
    assert (block.flags, block.data) == (0, data)
