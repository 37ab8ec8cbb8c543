"""Random ROP requests that can be read: fields of the declared types with values that mean something now and then."""

from __future__ import annotations

from random import Random
from typing import Any, get_args, get_origin, get_type_hints

from gromoxd.errors import WireError
from gromoxd.rop import registry
from gromoxd.rop.codec import REQUESTS, Field, Request

WIDTH = {"B": 8, "H": 16, "I": 32, "Q": 64, "b": 7, "h": 15, "i": 31, "q": 63}
TAGS = (0x0037001F, 0x0E070003, 0x0E060040, 0x67480014, 0x674A0014, 0x0FFF0102, 0x1000001F, 0x3001001F, 0x36DA0102)


OPENINGS = (
    ("OpenFolder", 0, 1), ("GetHierarchyTable", 1, 2), ("GetContentsTable", 1, 3), ("CreateMessage", 1, 4),
    ("CreateAttachment", 4, 5), ("OpenStream", 4, 6), ("FastTransferSourceCopyTo", 1, 7),
    ("SynchronizationConfigure", 1, 8), ("SynchronizationOpenCollector", 1, 9), ("RegisterNotification", 0, 10),
    ("GetRulesTable", 1, 11), ("GetPermissionsTable", 1, 12), ("FastTransferDestinationConfigure", 1, 13),
)  # fmt: skip
"""What is opened on what (indexes of a table that begins with the logon): most ROPs find an object of theirs."""
HANDLES = 14
NO_HANDLE = 0xFFFFFFFF


class Noise:
    """`ids` are FIDs or MIDs that exist."""

    def __init__(self, rng: Random, ids: list[int], without: frozenset[int] = frozenset()) -> None:
        assert registry.FAMILIES
        self._rng, self._ids = rng, ids
        self._kinds = [kind for rop, kind in sorted(REQUESTS.items()) if rop not in without]
        self._hints = {kind: get_type_hints(kind, include_extras=True) for kind in self._kinds}

    def request(self, handles: list[int]) -> bytes:
        """One request, encoded; its object is mostly one that the table has."""
        while True:
            kind = self._rng.choice(self._kinds)
            try:
                octets = self._make(kind, handles).encode()
            except (WireError, AttributeError, TypeError, ValueError, OverflowError):
                continue  # a structure of which nothing is known here
            if self._rng.random() < 0.05:
                damaged = bytearray(octets)
                damaged[self._rng.randrange(len(damaged))] = self._rng.randrange(256)
                octets = bytes(damaged)
            return octets

    def opening(self, name: str, index: int, output: int) -> bytes:
        """A request of OPENINGS, with other values each time."""
        kind = next(kind for kind in self._kinds if kind.__name__ == name)
        while True:
            values = {each: self._value(self._hints[kind][each]) for each in kind.__struct_fields__[2:]}
            try:
                return kind(logon=0, index=index, **{**values, "output": output}).encode()
            except (WireError, AttributeError, TypeError, ValueError, OverflowError):
                continue

    def _make(self, kind: type[Request], handles: list[int]) -> Request:
        values = {name: self._value(self._hints[kind][name]) for name in kind.__struct_fields__[2:]}
        if "output" in values:
            values["output"] = self._rng.randrange(len(handles))
        known = [index for index, handle in enumerate(handles) if handle != NO_HANDLE]
        index = self._rng.choice(known) if self._rng.random() < 0.9 else self._rng.randrange(len(handles))
        return kind(logon=0, index=index, **values)

    def _value(self, hint: Any) -> Any:
        rng, fields = self._rng, [one for one in get_args(hint) if isinstance(one, Field)]
        plain = get_args(hint)[0] if fields else hint
        origin = get_origin(plain) or plain
        if origin is bool:
            return rng.random() < 0.5
        if origin is int:
            return self._number(WIDTH.get(fields[0].code, 8) if fields else 16)
        if origin is bytes:
            size = int(fields[0].code[:-1]) if fields and fields[0].code.endswith("s") else rng.choice((0, 1, 4, 9, 60))
            return rng.randbytes(size)
        if origin is str:
            return rng.choice(("", "Inbox", "x" * 300, "\u00e4\u4e2d"))
        if origin in (list, tuple):
            inner = get_args(plain)[0] if get_args(plain) else int
            many = [self._value(inner) for _ in range(rng.choice((0, 1, 2, 5)))]
            if inner is int:
                many = [rng.choice((*TAGS, *self._ids)) for _ in many]
            return many if origin is list else tuple(many)
        return None

    def _number(self, bits: int) -> int:
        rng = self._rng
        choices = [0, 1, 2, 3, rng.randrange(1 << bits), rng.randrange(64), (1 << bits) - 1]
        if bits == 64:
            choices += [rng.choice(self._ids)] * 6
        if bits == 32:
            choices += [rng.choice(TAGS)] * 3
        return rng.choice(choices)
