"""LZX DELTA: both directions, against each other and against libmspack."""

from __future__ import annotations

import contextlib
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.oab.container import crc, write_lzx, write_patch
from gromoxd.oab.huffman import Table, code_lengths, codes
from gromoxd.oab.lzx import compress
from gromoxd.oab.lzxtables import FOOTER_BASE, FOOTER_BITS, slot_of, slots, window_bits
from gromoxd.oab.unlzx import expand
from tests.conftest import loud_skip
from tests.oab import mspack

CHANCE = random.Random(5)
SIZES = (1, 2, 3, 5, 100, 32767, 32768, 32769, 70000, 300000)
DATA: dict[str, Callable[[int], bytes]] = {
    "noise": lambda size: CHANCE.randbytes(size),
    "run": lambda size: bytes(size),
    "period": lambda size: (b"hello world " * size)[:size],
    "letters": lambda size: bytes(CHANCE.choices(b"abcdefgh", k=size)),
    "lines": lambda size: b"".join(b"/o=Example/cn=%08x\0" % (n * 7919 % 4099) for n in range(size // 19 + 1))[:size],
}


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("size", SIZES)
def test_there_and_back(kind: str, size: int, tmp_path: Path) -> None:
    data = DATA[kind](size)
    packed = compress(data)
    assert expand(packed, size) == data
    if mspack.LIBRARY is not None:
        assert mspack.expand(tmp_path, b"".join(write_lzx(data))) == data


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("size", (1, 100, 32769, 70000))
def test_with_reference_data(kind: str, size: int, tmp_path: Path) -> None:
    data = DATA[kind](size)
    for reference in (b"", b"x", data, data[:100] + b"q" + data[100:], CHANCE.randbytes(40000) + data):
        assert expand(compress(data, reference), size, reference) == data
        if mspack.LIBRARY is not None:
            patch = b"".join(write_patch(reference, data, [(len(reference), size)], 1 << 20))
            assert mspack.expand(tmp_path, patch, reference) == data


def test_libmspack_refuses_a_changed_block(tmp_path: Path) -> None:
    if mspack.LIBRARY is None:
        loud_skip("libmspack0 is not installed: offline address books are read by our own reader only")
    packed = bytearray(b"".join(write_lzx(b"hello world " * 1000)))
    packed[28] ^= 1  # the checksum
    with pytest.raises(ValueError, match="libmspack"):
        mspack.expand(tmp_path, bytes(packed))


def test_it_does_compress() -> None:
    data = DATA["lines"](200000)
    assert len(compress(data)) < len(zlib.compress(data, 1))
    assert len(compress(data, data)) < 300
    assert len(compress(bytes(1 << 18))) < 300


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([b"a", b"bc", b"0123456789", b"\0" * 40, b"xyz" * 100]), max_size=400), st.binary())
def test_any_data(parts: list[bytes], reference: bytes) -> None:
    data = b"".join(parts) or b"."
    assert expand(compress(data, reference), len(data), reference) == data


def test_checksum_is_that_of_the_document() -> None:
    assert crc(b"123456789") == 0xCBF43926 ^ 0xFFFFFFFF
    assert crc(b"6789", crc(b"12345")) == crc(b"123456789")


# ---------------------------------------------------------------------------------------------- tables and codes


def test_position_slots() -> None:
    assert [window_bits(0, 1), window_bits(0, 1 << 17), window_bits(1, 1 << 17), window_bits(1 << 25, 5)] == [
        17, 17, 18, 25,
    ]  # fmt: skip
    assert (slots(0, 1), slots(0, 1 << 18), slots(1 << 20, 1 << 18)) == (34, 36, 50)
    for formatted in (2, 3, 4, 5, 6, 7, 8, 4097, 196608, 262143, 262144, 393215, 393216, 2097151):
        slot = slot_of(formatted)
        assert 0 <= formatted - FOOTER_BASE[slot] < 1 << FOOTER_BITS[slot]


def test_code_lengths() -> None:
    assert code_lengths([0, 0, 0]) == [0, 0, 0]
    assert code_lengths([0, 7, 0]) == [1, 1, 0]
    assert code_lengths([9, 0, 0]) == [1, 1, 0]
    assert code_lengths([8, 4, 2, 2]) == [1, 2, 3, 3]
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    for limit in (15, 16):
        lengths = code_lengths(fibonacci, limit)
        assert max(lengths) <= limit
        assert sum(2.0**-length for length in lengths) == 1


def test_codes() -> None:
    assert codes([1, 2, 3, 3]) == ["0", "10", "110", "111"]
    assert codes([3, 0, 1, 3, 2]) == ["110", "", "0", "111", "10"]
    assert Table([1, 2, 3, 3]).entries == [0 << 5 | 1] * 4 + [1 << 5 | 2] * 2 + [2 << 5 | 3, 3 << 5 | 3]
    assert Table([0, 0]).entries == []
    for bad in ([1], [1, 1, 1], [1, 2], [2, 2, 2]):
        with pytest.raises(WireError):
            Table(bad)


# ---------------------------------------------------------------------------------------------- other kinds of blocks


def chunk(bits: str, more: bytes = b"") -> bytes:
    bits += "0" * (-len(bits) % 16)
    words = b"".join(int(bits[at : at + 16], 2).to_bytes(2, "little") for at in range(0, len(bits), 16))
    return len(words + more).to_bytes(2, "little") + words + more


@pytest.mark.parametrize("size", (1, 4, 5))
def test_uncompressed_blocks(size: int, tmp_path: Path) -> None:
    """Two of them; an odd one is padded. libmspack reads the same."""
    data = b"0123456789"[:size]
    recent = (1).to_bytes(4, "little") * 3
    one = f"011{size:024b}"
    head = "0" + one
    body = recent + data + b"\0" * (size % 2)
    again = one + "0" * (-len(one) % 16)
    words = b"".join(int(again[at : at + 16], 2).to_bytes(2, "little") for at in range(0, len(again), 16))
    stream = chunk(head, body + words + recent + data + b"\0" * (size % 2))
    assert expand(stream, 2 * size) == data * 2
    if mspack.LIBRARY is not None:
        full = b"".join(write_lzx(data * 2, squeeze=lambda _: b""))
        sized = full[:20] + len(stream).to_bytes(4, "little") + full[24:]
        assert mspack.expand(tmp_path, sized + stream) == data * 2


def test_aligned_blocks(tmp_path: Path) -> None:
    """Offsets of 8 and more have their last three bits by a code of their own ([MS-PATCH] 2.3.2.3)."""
    # aligned tree: all of length 3, so that codes are the bits themselves
    verbatim = compress(b"abcdefghijklmnopqrstuvwxyz" * 40)
    words = verbatim[2:]
    bits = "".join(f"{int.from_bytes(words[at : at + 2], 'little'):016b}" for at in range(0, len(words), 2))
    aligned = bits[:1] + "010" + bits[4:28] + "011" * 8 + bits[28:]
    stream = chunk(aligned)
    assert expand(stream, 26 * 40) == b"abcdefghijklmnopqrstuvwxyz" * 40
    if mspack.LIBRARY is not None:
        full = b"".join(write_lzx(b"abcdefghijklmnopqrstuvwxyz" * 40))
        patched = full[:20] + len(stream).to_bytes(4, "little") + full[24:32]
        assert mspack.expand(tmp_path, patched + stream) == b"abcdefghijklmnopqrstuvwxyz" * 40


# ---------------------------------------------------------------------------------------------- hostile


def test_damage_is_an_error_or_other_data() -> None:
    data = DATA["lines"](3000)
    packed = compress(data, data[:1000])
    for _ in range(3000):
        damaged = bytearray(packed)
        for _ in range(CHANCE.randrange(1, 4)):
            damaged[CHANCE.randrange(len(damaged))] = CHANCE.randrange(256)
        with contextlib.suppress(WireError):
            assert len(expand(bytes(damaged), len(data), data[:1000])) == len(data)


def test_noise_is_an_error() -> None:
    for size in range(200):
        with pytest.raises(WireError):
            expand(CHANCE.randbytes(size), 40000)


@pytest.mark.parametrize("size", range(0, 120, 7))
def test_cut_off(size: int) -> None:
    packed = compress(b"hello world, said the world " * 10)
    with pytest.raises(WireError):
        expand(packed[: min(size, len(packed) - 4)], 280)
