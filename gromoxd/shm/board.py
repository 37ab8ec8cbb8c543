"""The board: one row of 64-bit counters per slot, written by the slot's process, read by anybody.

A counter is declared once, in `COUNTERS` (kept over a respawn, only growing) or `GAUGES` (zeroed when the slot gets a
new process), a latency histogram in `HISTOGRAMS`. A row belongs to a slot for the life of the master.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from typing import Any

from gromoxd.context import Slot

COUNTERS: tuple[str, ...] = (
    "connections_total", "commands", "rpc_calls", "rpc_errors", "rpc_us_total", "cache_hits", "cache_misses",
    "deliveries", "delivery_failures", "messages_read", "auth_ok", "auth_failures", "auth_throttled", "bad_input",
    "loop_stalls", "loop_starved", "internal_errors", "commits", "commit_us_total", "writes", "bytes_in",
    "bytes_out", "events", "restarts", "directory_hits", "directory_misses", "sql_queries",
)  # fmt: skip
GAUGES: tuple[str, ...] = (
    "pid", "started", "heartbeat", "heartbeat_ms", "connections", "open_mailboxes", "loop_max_ms", "queue", "draining",
    "sessions", "watches", "rss_kb",
)  # fmt: skip
HISTOGRAMS: tuple[str, ...] = ("rpc_ms", "command_ms", "commit_ms", "delivery_ms", "auth_ms", "stall_ms", "sql_ms")
BOUNDS_MS: tuple[float, ...] = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 50, 100, 250, 500, 1000, 2500, 10000)
"""Upper bounds of a histogram's buckets; one more bucket takes what is above."""

_PROTOCOL_BYTES = 24
_HEADER_WORDS = 5  # state, number, protocol (24 bytes)
_BUCKETS = len(BOUNDS_MS) + 1
_HISTOGRAM_WORDS = _BUCKETS + 1  # and the sum in microseconds

_INDEX = {name: _HEADER_WORDS + i for i, name in enumerate((*GAUGES, *COUNTERS))}
_HISTOGRAM_AT = {
    name: _HEADER_WORDS + len(GAUGES) + len(COUNTERS) + i * _HISTOGRAM_WORDS for i, name in enumerate(HISTOGRAMS)
}
ROW_WORDS = (_HEADER_WORDS + len(_INDEX) + len(HISTOGRAMS) * _HISTOGRAM_WORDS + 7) // 8 * 8
"""Words of a row; whole cache lines, so that two processes never write to one."""

_FREE, _LIVE = 0, 1


class Row:
    """A slot's counters (context.SlotBoard). Unknown names raise KeyError: declare them above."""

    __slots__ = ("_words",)

    def __init__(self, words: memoryview) -> None:
        self._words = words

    def add(self, name: str, amount: int = 1) -> None:
        self._words[_INDEX[name]] += amount

    def set(self, name: str, value: int) -> None:
        self._words[_INDEX[name]] = value

    def get(self, name: str) -> int:
        return self._words[_INDEX[name]]

    def raise_to(self, name: str, value: int) -> None:
        """Keep the larger of the present and the given value (loop_max_ms)."""
        at = _INDEX[name]
        if value > self._words[at]:
            self._words[at] = value

    def observe_ms(self, name: str, value_ms: float) -> None:
        """Count a latency in the histogram `name`."""
        at = _HISTOGRAM_AT[name]
        words = self._words
        words[at + bisect_left(BOUNDS_MS, value_ms)] += 1
        words[at + _BUCKETS] += int(value_ms * 1000)

    def histogram(self, name: str) -> tuple[list[int], float]:
        """(counts per bucket, sum in ms)."""
        at = _HISTOGRAM_AT[name]
        return list(self._words[at : at + _BUCKETS]), self._words[at + _BUCKETS] / 1000

    def quantile_ms(self, name: str, share: float) -> float:
        """The upper bound of the bucket in which the given share of the observations lies; 0 without any."""
        counts, _ = self.histogram(name)
        wanted = share * sum(counts)
        if not wanted:
            return 0.0
        seen = 0
        for count, bound in zip(counts, BOUNDS_MS, strict=False):
            seen += count
            if seen >= wanted:
                return float(bound)
        return BOUNDS_MS[-1]

    def as_dict(self) -> dict[str, Any]:
        """All counters by name, and 'histograms': name -> {'counts', 'sum_ms', 'p50_ms', 'p99_ms'}."""
        words = self._words.tolist()
        values: dict[str, Any] = {name: words[at] for name, at in _INDEX.items()}
        values["histograms"] = {
            name: {
                "counts": words[at : at + _BUCKETS],
                "sum_ms": words[at + _BUCKETS] / 1000,
                "p50_ms": self.quantile_ms(name, 0.5),
                "p99_ms": self.quantile_ms(name, 0.99),
            }
            for name, at in _HISTOGRAM_AT.items()
        }
        return values

    def zero_gauges(self) -> None:
        """A new process begins in this slot."""
        for name in GAUGES:
            self._words[_INDEX[name]] = 0


class Board:
    """All rows. Slots are claimed and released by the master only."""

    def __init__(self, rows: int) -> None:
        self.capacity = rows
        self._map = mmap.mmap(-1, rows * ROW_WORDS * 8)
        self._words = memoryview(self._map).cast("q")

    def _row(self, index: int) -> memoryview:
        return self._words[index * ROW_WORDS : (index + 1) * ROW_WORDS]

    def _find(self, slot: Slot) -> int | None:
        for index in range(self.capacity):
            if self._words[index * ROW_WORDS] == _LIVE and self._slot(index) == slot:
                return index
        return None

    def _slot(self, index: int) -> Slot:
        row = self._row(index)
        protocol = row[2:_HEADER_WORDS].tobytes().rstrip(b"\0").decode()
        return Slot(protocol, row[1])

    def claim(self, slot: Slot) -> Row:
        """The slot's row, with its gauges zeroed; a free row when it has none yet. RuntimeError when all are taken."""
        index = self._find(slot)
        if index is None:
            index = self._take(slot)
        row = Row(self._row(index))
        row.zero_gauges()
        return row

    def _take(self, slot: Slot) -> int:
        protocol = slot.protocol.encode()
        if len(protocol) > _PROTOCOL_BYTES:
            raise ValueError("protocol name too long")
        for index in range(self.capacity):
            at = index * ROW_WORDS
            if self._words[at] == _FREE:
                self._map[at * 8 : (at + ROW_WORDS) * 8] = bytes(ROW_WORDS * 8)
                self._map[at * 8 + 16 : at * 8 + 16 + _PROTOCOL_BYTES] = protocol.ljust(_PROTOCOL_BYTES, b"\0")
                self._words[at + 1] = slot.number
                self._words[at] = _LIVE
                return index
        raise RuntimeError(f"the board has no free row for {slot}")

    def release(self, slot: Slot) -> None:
        """Give the slot's row back: its pool has shrunk."""
        index = self._find(slot)
        if index is not None:
            self._words[index * ROW_WORDS] = _FREE

    def row(self, slot: Slot) -> Row:
        """The row of a claimed slot; KeyError without one."""
        index = self._find(slot)
        if index is None:
            raise KeyError(str(slot))
        return Row(self._row(index))

    def rows(self) -> list[tuple[Slot, Row]]:
        """Every claimed slot with its row, in order of claiming."""
        return [
            (self._slot(index), Row(self._row(index)))
            for index in range(self.capacity)
            if self._words[index * ROW_WORDS] == _LIVE
        ]

    def snapshot(self) -> list[dict[str, Any]]:
        """What `gromoxctl status` shows: per slot 'protocol', 'number' and everything of `Row.as_dict`."""
        return [{"protocol": slot.protocol, "number": slot.number, **row.as_dict()} for slot, row in self.rows()]
