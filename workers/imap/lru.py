"""A bounded memory of values by key: the least recently used go when the bytes are too many. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")
OVERHEAD = 200


class Lru(Generic[V]):
    """`cost` gives a value's bytes; `limit` is read anew at each insertion, so that a reload applies."""

    __slots__ = ("_cost", "_limit", "_values", "total")

    def __init__(self, limit: Callable[[], int], cost: Callable[[V], int]) -> None:
        self._values: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._limit = limit
        self._cost = cost
        self.total = 0

    def get(self, key: Hashable) -> V | None:
        """The value, which counts as used now."""
        entry = self._values.get(key)
        if entry is None:
            return None
        self._values.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value (or keep it again after it has grown)."""
        old = self._values.pop(key, None)
        if old is not None:
            self.total -= old[1]
        cost = self._cost(value) + OVERHEAD
        limit = self._limit()
        if cost > limit // 2:
            return
        self._values[key] = (value, cost)
        self.total += cost
        while self.total > limit:
            _, (_, gone) = self._values.popitem(last=False)
            self.total -= gone
