"""Directory records in shared memory, keyed by epoch, kind and name.

A value is its expiry (monotonic clock, the same in all processes) and the record in msgpack; an empty record says that
the name does not exist. After the epoch was bumped no older entry can be found, for the epoch is part of its key.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from gromoxd.context import Shared

T = TypeVar("T")
_EXPIRY = struct.Struct("<d")
_HEAD = _EXPIRY.size
_encode = msgspec.msgpack.Encoder().encode


class Absent:
    """Cached knowledge that a name does not exist."""


ABSENT = Absent()


class Records(Generic[T]):
    """The cached records of one kind (one letter)."""

    def __init__(self, shared: Shared, kind: bytes, of: Any) -> None:
        self._shared = shared
        self._kind = kind
        self._decode: Callable[[bytes], T] = msgspec.msgpack.Decoder(of).decode
        self._get = shared.directory.get

    def _key(self, name: str, epoch: int) -> bytes:
        return b"%d%b%b" % (epoch, self._kind, name.encode())

    def get(self, name: str) -> T | Absent | None:
        """The record, ABSENT when it is known not to exist, None when nothing is known."""
        found = self._get(self._key(name, self._shared.epoch))
        if found is None or _EXPIRY.unpack_from(found)[0] < time.monotonic():
            return None
        return self._decode(found[_HEAD:]) if len(found) > _HEAD else ABSENT

    def put(self, name: str, record: T | None, lifetime: float, epoch: int) -> None:
        """Keep a record (None: absent) that was asked for while `epoch` was in force."""
        if lifetime > 0:
            value = _EXPIRY.pack(time.monotonic() + lifetime) + (b"" if record is None else _encode(record))
            self._shared.directory.put(self._key(name, epoch), value)

    def forget(self, name: str) -> None:
        """Drop what is known about a name."""
        self._shared.directory.delete(self._key(name, self._shared.epoch))
