"""Mail that repeats one thing is read, and made anew, in time and memory that grow as the mail does."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import TypeVar

import pytest

from gromoxd.convert.compose import compose
from gromoxd.convert.digest import digest_at_once, digest_message
from gromoxd.convert.htmltext import html_to_text
from gromoxd.convert.itemof import item_of_mime
from gromoxd.convert.searchtext import body_text, fold
from tests.hostile.growing import GROWING

T = TypeVar("T")
SIZE = 240_000
SLOWEST = 1.0
"""Seconds on a busy machine; what is not linear takes many times as long."""


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of this thread, the better of two, and what came of it."""
    best = 1e9
    for _ in range(2):
        begun = time.thread_time()
        result = work()
        best = min(best, time.thread_time() - begun)
        if best < SLOWEST / 10:
            break
    return best, result


@pytest.mark.slow
@pytest.mark.parametrize("name", GROWING)
def test_time_grows_with_size(name: str) -> None:
    raw = GROWING[name](SIZE)
    seconds, digest = timed(lambda: digest_message(raw, received=1))
    assert seconds < SLOWEST / 2
    assert timed(lambda: [fold(text) for text in body_text(raw, digest.parts)])[0] < SLOWEST
    seconds, item = timed(lambda: item_of_mime(raw, received=1))
    assert seconds < SLOWEST
    seconds, made = timed(lambda: compose(item, host="example.test", tnef=False))
    assert seconds < SLOWEST
    assert digest_message(made, received=1).size == len(made)


@pytest.mark.slow
@pytest.mark.parametrize("name", GROWING)
def test_what_is_read_at_once_is_quick(name: str) -> None:
    """What workers do in their loops, before they leave it to a thread too: not so long that others wait."""
    for size in (6_000, 60_000, 250_000):
        raw = GROWING[name](size)
        assert timed(lambda raw=raw: digest_at_once(raw, received=1))[0] < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("name", GROWING)
def test_memory_is_bounded(name: str) -> None:
    """What came is never a hundred times as much in memory."""
    raw = GROWING[name](256 << 10)
    tracemalloc.start()
    try:
        item = item_of_mime(raw, received=1)
        compose(item, host="example.test", tnef=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 25 << 20


@pytest.mark.parametrize("unit", ["<div></p>", "<font></b>", "<table></tr>", "<b><i><u><font size=1></p>", "<ul><li>x"])
def test_open_elements_cost_the_same_each(unit: str) -> None:
    """The HTML parser looks through all open elements at each end tag; a megabyte took a minute."""
    assert timed(lambda: html_to_text(unit * (1_000_000 // len(unit))))[0] < SLOWEST


def test_deep_html_is_read_as_far_as_anybody_writes() -> None:
    assert html_to_text("<div>a" * 390 + "<blockquote>b").endswith("a\r\n\r\n> b")
    assert html_to_text("<div>a" * 10_000) == "a" * 10_000


def test_quick() -> None:
    """What is short or simple is read at once; long headers, many parts and other items are not."""
    head = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    part = b"--b\r\nContent-Type: %b\r\n\r\nx\r\n"
    meeting = part % b"text/CALENDAR; method=REQUEST"
    padding = part % b"text/plain" + bytes(9000) + b"\r\n"
    for raw, quick in (
        (head + b"\r\n" + meeting, True),
        (head + b"\r\n" + padding + meeting, False),
        (head + b"\r\n" + padding + part % b"application/ms-tnef; name=WinMail.dat", False),
        (head + b"\r\n" + padding, True),
        (head + b"\r\n" + bytes(250_000), True),
        (head + b"\r\n" + bytes(310_000), False),
        (head + b"\r\n" + (part % b"text/plain") * 400, False),
        (head + b"X-Long: " + b"a " * 9000 + b"\r\n\r\n", False),
    ):
        assert (digest_at_once(raw, received=1) is not None) is quick, raw[:100]
