"""Plain LZ77: the document's examples, round trips, and whatever else comes."""

from __future__ import annotations

import contextlib
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.rop import lzxpress
from tests.rop.captures import LZ77


@pytest.mark.parametrize("name", LZ77)
def test_examples(name: str) -> None:
    packed, plain = LZ77[name]
    assert lzxpress.decompress(packed, len(plain)) == plain
    assert lzxpress.compress(plain) == packed


@pytest.mark.parametrize("name", LZ77)
def test_cut_anywhere(name: str) -> None:
    packed, plain = LZ77[name]
    for end in range(len(packed)):
        with pytest.raises(WireError):
            lzxpress.decompress(packed[:end], len(plain))


def test_a_match_may_not_begin_before_the_beginning() -> None:
    with pytest.raises(WireError, match="before the beginning"):
        lzxpress.decompress(bytes.fromhex("ffffff7f610800"), 10)  # offset 2 after one octet


def test_the_announced_size_is_a_bound() -> None:
    packed, plain = LZ77["xca-3.1b"]
    with pytest.raises(WireError, match="more octets than announced"):
        lzxpress.decompress(packed, len(plain) - 1)
    with pytest.raises(WireError, match="announced"):
        lzxpress.decompress(packed, 0x10000)
    with pytest.raises(ValueError, match="too much"):
        lzxpress.compress(bytes(0x10000))


def test_a_bomb_makes_no_more_than_was_announced() -> None:
    bomb = bytes.fromhex("ffffff7f6107000fff0000ffffff7f")  # a length of 2 GiB
    with pytest.raises(WireError, match="more octets"):
        lzxpress.decompress(bomb, 0xFFFF)


def test_lengths_that_have_a_shorter_form_are_refused() -> None:
    with pytest.raises(WireError, match="shorter form"):
        lzxpress.decompress(bytes.fromhex("ffffff7f6107000fff0500"), 100)


@given(st.binary(max_size=2000))
def test_any_octets_there_and_back(data: bytes) -> None:
    assert lzxpress.decompress(lzxpress.compress(data), len(data)) == data


@given(st.lists(st.tuples(st.sampled_from([b"a", b"ab", b"abcdefg", b"\0" * 9]), st.integers(1, 3000)), max_size=8))
def test_repeats_there_and_back(parts: list[tuple[bytes, int]]) -> None:
    data = b"".join(piece * count for piece, count in parts)[: lzxpress.LONGEST]
    packed = lzxpress.compress(data)
    assert lzxpress.decompress(packed, len(data)) == data
    assert len(packed) <= len(data) + len(data) // 8 + 8


@given(st.binary(max_size=300), st.integers(0, 0xFFFF))
def test_any_octets_are_a_value_or_an_error(data: bytes, size: int) -> None:
    with contextlib.suppress(WireError):
        assert len(lzxpress.decompress(data, size)) == size


def test_it_does_not_hold_up_the_loop() -> None:
    rng = random.Random(5)
    words = [rng.randbytes(rng.randrange(2, 9)) for _ in range(400)]
    data = b"".join(rng.choice(words) for _ in range(9000))[:32768]
    best_in, best_out = 9.0, 9.0
    for _ in range(3):
        before = time.process_time()
        packed = lzxpress.compress(data)
        between = time.process_time()
        assert lzxpress.decompress(packed, len(data)) == data
        best_out, best_in = min(best_out, between - before), min(best_in, time.process_time() - between)
    assert best_out < 0.1, "compression; 13 ms where this was written"
    assert best_in < 0.05, "decompression"
