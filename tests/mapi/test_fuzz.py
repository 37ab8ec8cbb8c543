"""Every decoder, fed its samples, their truncations, mutations and large nonsense: a value or WireError, and soon."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from random import Random

import pytest

from gromoxd.errors import WireError
from tests.mapi.structures import Decoder, decoders

DECODERS = decoders()
MUTATIONS, ALL_MUTATIONS = 3_000, 100_000
SECONDS_A_CALL, SECONDS_A_LARGE_CALL = 0.05, 0.5
LARGE = 32 * 1024
"""Octets of the largest ROP buffer ([MS-OXCRPC] 3.1.4.2.1.1.2)."""
PEAK, PEAK_AN_OCTET = 256 * 1024, 200
"""Memory a call may take: a base and so much for each octet of input."""

INTERESTING = (0, 1, 2, 0x0A, 0x7F, 0x80, 0xFE, 0xFF)
WORDS = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

every_decoder = pytest.mark.parametrize("decoder", DECODERS.values(), ids=list(DECODERS))


def outcome(decode: Callable[[bytes], object], data: bytes, limit: float = SECONDS_A_CALL) -> object:
    """What the decoder makes of it, WireError included. Any other error, and slowness that repeats, fail the test."""
    for attempt in range(3):
        start = time.thread_time()
        try:
            value: object = decode(data)
        except WireError as error:
            value = error
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error} for {data.hex()}") from error
        if (taken := time.thread_time() - start) <= limit:
            return value
        assert attempt < 2, f"{taken:.3f} s for {len(data)} octets {data[:200].hex()}"
    raise AssertionError


def mutations(samples: list[bytes], count: int, seed: str) -> Iterator[bytes]:
    """Samples with one to four things done to them: the same ones in each run."""
    random = Random(seed)
    for _ in range(count):
        data = bytearray(random.choice(samples))
        for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
            random.choice(CHANGES)(random, data, samples)
        yield bytes(data)


def flip(random: Random, data: bytearray, _: list[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def replace(random: Random, data: bytearray, _: list[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice((*INTERESTING, random.randrange(256)))


def number(random: Random, data: bytearray, _: list[bytes]) -> None:
    at, size = random.randrange(len(data) + 1), random.choice((2, 4, 8))
    data[at : at + size] = (random.choice(WORDS) & (1 << 8 * size) - 1).to_bytes(size, "little")


def remove(random: Random, data: bytearray, _: list[bytes]) -> None:
    at = random.randrange(len(data) + 1)
    del data[at : at + random.choice((1, 2, 4, 16))]


def insert(random: Random, data: bytearray, _: list[bytes]) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.choice((1, 2, 4, 16)))


def double(random: Random, data: bytearray, _: list[bytes]) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = data[at : at + random.choice((1, 4, 16, 64))]


def splice(random: Random, data: bytearray, samples: list[bytes]) -> None:
    other = random.choice(samples)
    data[random.randrange(len(data) + 1) :] = other[random.randrange(len(other) + 1) :]


def cut(random: Random, data: bytearray, _: list[bytes]) -> None:
    del data[random.randrange(len(data) + 1) :]


CHANGES = (flip, replace, number, remove, insert, double, splice, cut)


def large(samples: list[bytes], seed: str) -> Iterator[bytes]:
    """Inputs of the size of a ROP buffer: one octet over and over, noise, samples repeated and followed by noise."""
    random = Random(seed)
    for octet in INTERESTING:
        yield bytes((octet,)) * LARGE
    for _ in range(4):
        yield random.randbytes(LARGE)
    for sample in samples:
        if sample:
            yield (sample * (LARGE // len(sample) + 1))[:LARGE]
            half = sample[: len(sample) // 2] or sample
            yield half + (b"\xff" * LARGE)[len(half) :]
            yield half + random.randbytes(LARGE)[len(half) :]


def peak(decode: Callable[[bytes], object], data: bytes) -> int:
    """Octets of memory that a call took at its most."""
    tracemalloc.start()
    try:
        decode(data)
    except WireError:
        pass
    finally:
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return taken


def test_all_parts_are_seen() -> None:
    assert {name.partition(".")[0] for name in DECODERS} >= {"values", "calendar"}
    assert len(DECODERS) >= 60


@every_decoder
def test_samples_are_decoded(decoder: Decoder) -> None:
    decode, samples = decoder
    assert samples
    for sample in samples:
        assert not isinstance(outcome(decode, sample), WireError), sample.hex()


@every_decoder
def test_truncations(decoder: Decoder) -> None:
    decode, samples = decoder
    for sample in samples:
        for length in range(len(sample)):
            outcome(decode, sample[:length])


@every_decoder
def test_mutations(decoder: Decoder) -> None:
    decode, samples = decoder
    for data in mutations(samples, MUTATIONS, "short"):
        outcome(decode, data)


@pytest.mark.slow
@every_decoder
def test_all_mutations(decoder: Decoder) -> None:
    decode, samples = decoder
    for data in mutations(samples, ALL_MUTATIONS, "long"):
        outcome(decode, data)


@every_decoder
def test_large_input(decoder: Decoder) -> None:
    decode, samples = decoder
    for data in large(samples, "large"):
        outcome(decode, data, SECONDS_A_LARGE_CALL)


@every_decoder
def test_memory(decoder: Decoder) -> None:
    decode, samples = decoder
    for sample in samples:
        decode(sample)  # loads what is loaded late
    for data in (*samples, *mutations(samples, 100, "memory"), *large(samples, "memory")):
        taken = peak(decode, data)
        assert taken <= PEAK + PEAK_AN_OCTET * len(data), f"{taken} octets for {len(data)}: {data[:200].hex()}"


def test_the_suite_notices() -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        outcome(lambda data: 1 // len(data), b"")
    with pytest.raises(AssertionError, match=r"s for 1 octets"):
        outcome(lambda data: sum(range(200_000)), b"x", limit=0.000_001)
    assert peak(lambda data: bytes(1_000_000), b"") > 1_000_000
    assert len(set(mutations([bytes(range(40))], 1000, "x"))) > 800
