"""Sets of ids in synchronisation states ([MS-OXCFXICS] 2.2.2.4 to 2.2.2.6)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from tests.support.outlook.wire import Bad, Reader


class Ranges:
    """Numbers, as ranges that do not touch."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self.all: list[tuple[int, int]] = []
        for low, high in sorted(ranges):
            if self.all and low <= self.all[-1][1] + 1:
                self.all[-1] = self.all[-1][0], max(high, self.all[-1][1])
            else:
                self.all.append((low, high))

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.all, (number, 1 << 60)) - 1
        return at >= 0 and self.all[at][0] <= number <= self.all[at][1]

    def __iter__(self) -> Iterator[int]:
        for low, high in self.all:
            yield from range(low, high + 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self.all == other.all

    def __repr__(self) -> str:
        return f"Ranges({self.all})"

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.all)


class IdSet:
    """Replica (GUID, or number in 2 octets) -> ranges of counters."""

    def __init__(self, sets: dict[bytes, Ranges] | None = None) -> None:
        self.sets = dict(sets or {})

    def __contains__(self, one: tuple[bytes, int]) -> bool:
        return one[0] in self.sets and one[1] in self.sets[one[0]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdSet) and self.sets == other.sets

    def __repr__(self) -> str:
        return f"IdSet({ {key.hex(): found for key, found in self.sets.items()} })"

    def __len__(self) -> int:
        return sum(map(len, self.sets.values()))

    def add(self, replica: bytes, *numbers: int) -> None:
        had = self.sets.get(replica, Ranges()).all
        self.sets[replica] = Ranges([*had, *((one, one) for one in numbers)])

    def remove(self, replica: bytes, *numbers: int) -> None:
        gone = set(numbers)
        found: list[tuple[int, int]] = []
        for low, high in self.sets.get(replica, Ranges()).all:
            for cut in sorted(one for one in gone if low <= one <= high):
                if low < cut:
                    found.append((low, cut - 1))
                low = cut + 1
            if low <= high:
                found.append((low, high))
        self.sets[replica] = Ranges(found)

    @classmethod
    def read(cls, data: bytes, *, by_guid: bool) -> IdSet:
        """A serialized IDSET."""
        reader, found = Reader(data), cls()
        while reader.left():
            replica = reader.take(16 if by_guid else 2)
            if replica in found.sets:
                raise Bad("a replica twice")
            found.sets[replica] = _globset(reader)
        return found

    def write(self) -> bytes:
        """The opposite."""
        return b"".join(
            replica + b"".join(_range(low, high) for low, high in ranges.all) + b"\0"
            for replica, ranges in sorted(self.sets.items()) if ranges.all
        )  # fmt: skip


def _range(low: int, high: int) -> bytes:
    """Without shared beginnings: Push of all six octets, or Range with an empty stack (2.2.2.6.1)."""
    if low == high:
        return b"\x06" + low.to_bytes(6, "big")
    return b"\x52" + low.to_bytes(6, "big") + high.to_bytes(6, "big")


def _globset(reader: Reader) -> Ranges:
    """The commands of 2.2.2.6."""
    stack: list[bytes] = []
    found: list[tuple[int, int]] = []
    while True:
        command, common = reader.u8(), b"".join(stack)
        missing = 6 - len(common)
        if command == 0x00:
            if stack:
                raise Bad("GLOBSET ends with octets on the stack")
            break
        if 1 <= command <= 6:
            if command > missing:
                raise Bad("more than six octets on the stack")
            pushed = reader.take(command)
            if command == missing:
                number = int.from_bytes(common + pushed, "big")
                found.append((number, number))
            else:
                stack.append(pushed)
        elif command == 0x50:
            if not stack:
                raise Bad("Pop of an empty stack")
            stack.pop()
        elif command == 0x52:
            low, high = (int.from_bytes(common + reader.take(missing), "big") for _ in range(2))
            if low > high:
                raise Bad(f"range {low} to {high}")
            found.append((low, high))
        elif command == 0x42:
            if missing != 1:
                raise Bad("Bitmask with other than five octets on the stack")
            found += _bits(int.from_bytes(common, "big") << 8, reader.u8(), reader.u8())
        else:
            raise Bad(f"GLOBSET command {command:#x}")
    if any(not low for low, _ in found):
        raise Bad("counter 0")
    if sum(high - low + 1 for low, high in found) != len(Ranges(found)):
        raise Bad("ids more than once")
    return Ranges(found)


def _bits(base: int, start: int, mask: int) -> list[tuple[int, int]]:
    numbers = [start, *(start + 1 + bit for bit in range(8) if mask >> bit & 1)]
    if numbers[-1] > 255:
        raise Bad("Bitmask beyond its octet")
    return [(base | number, base | number) for number in numbers]
