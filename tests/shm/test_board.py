"""Rows, gauges, histograms, and what status reads from them."""

from __future__ import annotations

import os

import pytest

from gromoxd.context import Slot
from gromoxd.shm.board import BOUNDS_MS, Board


def test_rows_belong_to_slots() -> None:
    board = Board(4)
    imap = board.claim(Slot("imap", 0))
    pop3 = board.claim(Slot("pop3", 1))
    imap.add("commands")
    imap.add("commands", 4)
    pop3.set("pid", 77)
    assert board.row(Slot("imap", 0)).get("commands") == 5
    assert board.row(Slot("pop3", 1)).get("pid") == 77
    assert [slot for slot, _ in board.rows()] == [Slot("imap", 0), Slot("pop3", 1)]


def test_a_new_process_keeps_counters_and_zeroes_gauges() -> None:
    board = Board(2)
    row = board.claim(Slot("imap", 0))
    row.add("deliveries", 3)
    row.set("connections", 9)
    again = board.claim(Slot("imap", 0))
    assert (again.get("deliveries"), again.get("connections")) == (3, 0)


def test_released_rows_are_reused_from_zero() -> None:
    board = Board(1)
    board.claim(Slot("imap", 0)).add("commands", 5)
    with pytest.raises(RuntimeError):
        board.claim(Slot("imap", 1))
    board.release(Slot("imap", 0))
    with pytest.raises(KeyError):
        board.row(Slot("imap", 0))
    assert board.claim(Slot("store", 3)).get("commands") == 0
    assert [slot for slot, _ in board.rows()] == [Slot("store", 3)]


def test_undeclared_names_are_errors() -> None:
    row = Board(1).claim(Slot("imap", 0))
    with pytest.raises(KeyError):
        row.add("no such counter")


def test_histogram() -> None:
    row = Board(1).claim(Slot("imap", 0))
    for value in (0.05, 0.1, 0.2, 3.0, 99999.0):
        row.observe_ms("rpc_ms", value)
    counts, total_ms = row.histogram("rpc_ms")
    assert len(counts) == len(BOUNDS_MS) + 1
    assert (counts[0], counts[1], counts[BOUNDS_MS.index(5)], counts[-1]) == (2, 1, 1, 1)
    assert sum(counts) == 5
    assert total_ms == pytest.approx(100002.35)
    assert row.quantile_ms("rpc_ms", 0.5) == 0.25
    assert row.quantile_ms("command_ms", 0.5) == 0


def test_raise_to_keeps_the_maximum() -> None:
    row = Board(1).claim(Slot("imap", 0))
    row.raise_to("loop_max_ms", 5)
    row.raise_to("loop_max_ms", 3)
    assert row.get("loop_max_ms") == 5


def test_another_process_sees_it() -> None:
    board = Board(2)
    row = board.claim(Slot("http", 0))
    pid = os.fork()
    if not pid:
        row.add("rpc_calls", 12)
        os._exit(0)
    os.waitpid(pid, 0)
    (snapshot,) = board.snapshot()
    assert (snapshot["protocol"], snapshot["number"], snapshot["rpc_calls"]) == ("http", 0, 12)
    assert snapshot["histograms"]["rpc_ms"]["sum_ms"] == 0
