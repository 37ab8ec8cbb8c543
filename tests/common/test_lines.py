"""The bounded line buffer, and line ends."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.common.crlf import only_crlf
from workers.common.lines import LineBuffer, LineTooLong


def read(buffer: LineBuffer) -> list[bytes | None]:
    """All complete lines; None stands for one that was too long."""
    found: list[bytes | None] = []
    while True:
        try:
            line = buffer.line()
        except LineTooLong:
            found.append(None)
            continue
        if line is None:
            return found
        found.append(line)


def test_lines_come_out_complete() -> None:
    buffer = LineBuffer(100)
    buffer.feed(b"one\r\ntwo\nthr")
    assert read(buffer) == [b"one\r", b"two"]
    assert len(buffer) == 3
    buffer.feed(b"ee\r\n")
    assert read(buffer) == [b"three\r"]
    assert len(buffer) == 0


def test_long_lines_are_thrown_away_and_told_once() -> None:
    buffer = LineBuffer(10)
    for _ in range(1000):
        buffer.feed(b"x" * 100)
        assert read(buffer) == []
        assert len(buffer) <= 110
    buffer.feed(b"x\nshort\n" + b"y" * 11 + b"\nend\n")
    assert read(buffer) == [None, b"short", None, b"end"]


def test_raw_bytes_can_be_taken() -> None:
    buffer = LineBuffer(100)
    buffer.feed(b"DATA\nabcdef")
    assert buffer.line() == b"DATA"
    assert buffer.take(4) == b"abcd"
    assert buffer.take_all() == b"ef"
    buffer.feed(b"gone\n")
    buffer.clear()
    assert buffer.line() is None


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_splitting_changes_nothing(data: bytes, cuts: list[int]) -> None:
    whole = LineBuffer(20)
    whole.feed(data)
    expected = read(whole)
    buffer, found, at = LineBuffer(20), [], sorted({min(cut, len(data)) for cut in cuts})
    for a, b in zip([0, *at], [*at, len(data)], strict=True):
        buffer.feed(data[a:b])
        found += read(buffer)
    assert found == expected


@pytest.mark.parametrize(
    ("data", "clean"),
    [(b"", True), (b"a", True), (b"a\r\nb\r\n", True), (b"\n", False), (b"\r", False), (b"\n\r", False),
     (b"a\r\n\nb", False), (b"\r\r\n", False), (b"a\nb\r", False),
     (b"a\r.\n", False), (b"\r\na\r.\nb\r\n", False)],
)  # fmt: skip
def test_only_crlf(data: bytes, clean: bool) -> None:
    assert only_crlf(data) is clean


def test_only_crlf_of_every_short_text() -> None:
    for size in range(9):
        for octets in itertools.product(b"\r\na", repeat=size):
            data = bytes(octets)
            rest = data.replace(b"\r\n", b"")
            assert only_crlf(data) == (b"\r" not in rest and b"\n" not in rest), data
