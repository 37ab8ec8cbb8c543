"""Compressed RTF."""

from __future__ import annotations

import contextlib
import random
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi import rtf
from gromoxd.mapi.rtf import RtfHeader, checksum, compress, decompress, store
from tests.mapi.structures.calendar import RTF_CROSSING, RTF_HELLO, RTF_STORED

HELLO = b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
CROSSING = b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
STORED = b"{\\rtf1\\ansi\\ansicpg1252\\pard test}"
WORDS = [b"\\par", b"\\pard\\plain ", b"hello ", b"the ", b"\\f0\\fs20 ", b"\r\n", b"{\\*\\htmltag84 <b>}", b"report "]


def document(size: int, seed: int = 1) -> bytes:
    dice = random.Random(seed)
    text = bytearray(b"{\\rtf1\\ansi\\ansicpg1252\\fromhtml1 ")
    while len(text) < size:
        text += dice.choice(WORDS) + bytes(dice.choices(b"abcdefghijklmnopqrstuvwxyz ", k=dice.randrange(8)))
    return bytes(text[:size])


def test_documents_examples() -> None:
    assert len(rtf.PREFIX) == 207
    assert decompress(RTF_HELLO) == HELLO
    assert compress(HELLO) == RTF_HELLO
    assert decompress(RTF_CROSSING) == CROSSING
    assert compress(CROSSING) == RTF_CROSSING
    assert decompress(RTF_STORED) == STORED
    assert store(STORED) == RTF_STORED


def test_nothing() -> None:
    assert decompress(compress(b"")) == decompress(store(b"")) == b""


def test_padding_is_let_be() -> None:
    assert decompress(RTF_HELLO + b"padding") == HELLO


def packed(body: bytes, raw_size: int, kind: bytes = b"LZFu") -> bytes:
    return RtfHeader(len(body) + 12, raw_size, kind, checksum(body)).encode() + body


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (RTF_HELLO[:15], "wanted"),
        (RTF_HELLO[:-1], "wanted"),
        (RTF_STORED[:-1], "wanted"),
        (RTF_HELLO[:20] + b"!" + RTF_HELLO[21:], "checksum"),
        (packed(b"", 1), "RTF of 1 octets in 0"),
        (packed(RTF_HELLO[16:], 2**31), "octets in"),
        (packed(RTF_HELLO[16:], 44), "43 octets, 44 announced"),
        (packed(b"\x01\x0d\x00", 2), "not written yet"),
        (packed(RTF_HELLO[16:], 43, b"LZXX"), "compressed as"),
        (RtfHeader(3, 0, b"LZFu", 0).encode(), "wanted"),
    ],
)
def test_damaged(data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        decompress(data)


def test_what_goes_past_the_declared_size_is_cut() -> None:
    assert decompress(packed(RTF_HELLO[16:], 20)) == HELLO[:20]
    without_end = b"\0" + b"abcdefgh" + b"\x02i"
    assert decompress(packed(without_end, 9)) == b"abcdefghi"


def test_limit() -> None:
    assert decompress(RTF_HELLO, 43) == HELLO
    with pytest.raises(WireError, match="42 are allowed"):
        decompress(RTF_HELLO, 42)
    with pytest.raises(WireError, match="32 are allowed"):
        decompress(RTF_STORED, 32)


def longest_by_search(text: bytes, at: int) -> tuple[int, int]:
    """The longest match and of those the first, by looking for each length."""
    low = max(at - 4095, 0)
    for length in range(min(17, len(text) - at), 1, -1):
        found = text.find(text[at : at + length], low, at + length - 1)
        if found >= 0:
            return found, length
    return 0, 0


@pytest.mark.parametrize("text", [document(9000), b"ab" * 20 + b"a" * 5000, document(5000, 2)[::-1], bytes(300)])
def test_matches_are_the_longest_and_farthest(text: bytes) -> None:
    matches = rtf._Matches(text)
    at = 207
    while at < len(text):
        found = matches.at(at)
        assert found == longest_by_search(text, at)
        at += max(found[1], 1)


def test_what_is_forgotten_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = document(30000, 3)
    usual = compress(text)
    monkeypatch.setattr(rtf._Matches, "SWEEP", 100)
    assert compress(text) == usual
    assert decompress(usual) == text


@given(st.binary(max_size=300) | st.text(st.sampled_from("ab\\{"), max_size=900).map(str.encode))
def test_round_trip(text: bytes) -> None:
    assert decompress(compress(text)) == text
    assert decompress(store(text)) == text


def test_what_is_long_is_not_compressed() -> None:
    short, long = document(rtf.SMALL), document(rtf.SMALL + 1)
    assert rtf.packed(short) == compress(short) and rtf.packed(long) == store(long)


def test_every_flipped_octet() -> None:
    for sample in (RTF_HELLO, RTF_CROSSING, RTF_STORED):
        for at in range(len(sample)):
            for bit in range(8):
                try:
                    decompress(sample[:at] + bytes((sample[at] ^ 1 << bit,)) + sample[at + 1 :], 1000)
                except WireError:
                    continue


@pytest.mark.slow
def test_ten_thousand_mutations() -> None:
    """With the right checksum, so that the decoder itself is tried."""
    dice, good, worst = random.Random(5), compress(document(4000)), 0.0
    for _ in range(10_000):
        body = bytearray(good[16:])
        for _ in range(dice.randrange(1, 8)):
            body[dice.randrange(len(body))] = dice.randrange(256)
        began = perf_counter()
        with contextlib.suppress(WireError):
            assert len(decompress(packed(bytes(body), dice.choice((4000, 300, 9000))))) <= 9000
        worst = max(worst, perf_counter() - began)
    assert worst < 0.25


def test_an_independent_reader_agrees() -> None:
    compressed_rtf = pytest.importorskip("compressed_rtf")
    for text in (HELLO, CROSSING, b"", document(6000), document(3000, 9)[::-1], b"ab" * 3000):
        assert compressed_rtf.decompress(compress(text)) == text
        assert compressed_rtf.decompress(store(text)) == text
        assert decompress(compressed_rtf.compress(text)) == text


def test_speed() -> None:
    text = document(112_000)
    taken = []
    for _ in range(3):
        began = perf_counter()
        packed_text = compress(text)
        taken.append(perf_counter() - began)
    assert len(packed_text) < len(text) / 2
    began = perf_counter()
    assert decompress(packed_text) == text
    assert perf_counter() - began < 0.15
    assert min(taken) < 0.3, "0.10 s on an idle machine"
