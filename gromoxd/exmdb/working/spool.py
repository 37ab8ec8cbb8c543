"""Octets of values that a client writes: in memory while few, else in one unnamed file for each message.

Every value has a window of the (sparse) file, as wide as a value may be long, so that none ever moves. What a window
was never written to reads as zeros.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable
from typing import BinaryIO, Final, cast

from gromoxd.errors import Ec, MapiError

IN_MEMORY: Final = 64 << 10
"""A value of more octets is in the file."""
ALL_IN_MEMORY: Final = 1 << 20
"""Of one message; beyond it, shorter values are in the file too."""
LARGEST: Final = 256 << 20
CHUNK: Final = 1 << 20


def unnamed_file() -> BinaryIO:
    """A file that is gone when it is closed."""
    return cast(BinaryIO, tempfile.TemporaryFile(buffering=0))


class Spool:
    """The file of one message with all that is in it. `limit`: octets of all its values together."""

    def __init__(
        self, make: Callable[[], BinaryIO] = unnamed_file, largest: int = LARGEST, limit: int = 4 * LARGEST
    ) -> None:
        self.make = make
        self.largest = largest
        self.limit = limit
        self.in_memory = 0
        self.held = 0
        self.file: BinaryIO | None = None
        self._end: Callable[[], object] | None = None
        self._windows = 0
        self._free: list[tuple[int, int]] = []

    def window(self) -> tuple[int, int]:
        """(number, octets from its begin on that may be other than zero). ecStorageFull."""
        if self.file is None:
            try:
                self.file = self.make()
            except OSError as error:
                raise MapiError(Ec.ecStorageFull, str(error)) from error
            self._end = weakref.finalize(self, self.file.close)
        if self._free:
            return self._free.pop()
        self._windows += 1
        return self._windows - 1, 0

    def give_back(self, number: int, high: int) -> None:
        """A window that nobody needs any more."""
        self._free.append((number, high))

    @property
    def descriptor(self) -> int:
        """Of the file, which there is once somebody has a window. ecNullObject when it is closed."""
        if self.file is None:
            raise MapiError(Ec.ecNullObject, "values of a message that was released")
        return self.file.fileno()

    def hold(self, octets: int) -> None:
        """Account for more (or fewer) octets. ecTooBig."""
        if octets > 0 and self.held + octets > self.limit:
            raise MapiError(Ec.ecTooBig, "values of a message")
        self.held += octets

    def close(self) -> None:
        """Forget everything; what is read afterwards is an error."""
        if self._end is not None:
            self._end()
        self.file = self._end = None


class Octets:
    """A value in the form of streams. `frozen`: several have it, so that who wants to write takes a copy."""

    __slots__ = ("_high", "_memory", "_window", "frozen", "size", "spool")

    def __init__(self, spool: Spool, data: bytes = b"") -> None:
        self.spool = spool
        self.size = 0
        self.frozen = False
        self._memory: bytearray | None = bytearray()
        self._window = self._high = 0
        if data:
            self.write(0, data)

    @property
    def place(self) -> int | None:
        """Where in the spool's file it is, None when it is in memory."""
        return None if self._memory is not None else self._window * self.spool.largest

    def read(self, offset: int, length: int) -> bytes:
        """Short at the end."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        if self._memory is not None:
            return bytes(self._memory[offset : offset + length])
        pieces = []
        place = self._window * self.spool.largest + offset
        while length:
            piece = os.pread(self.spool.descriptor, min(length, CHUNK), place)
            if not piece:  # behind all that was written to the file
                piece = bytes(min(length, CHUNK))
            pieces.append(piece)
            place += len(piece)
            length -= len(piece)
        return b"".join(pieces)

    def write(self, offset: int, data: bytes) -> None:
        """ecTooBig, and nothing is written, for what does not fit."""
        end = offset + len(data)
        if end > self.size:
            self.resize(end)
        if self._memory is not None:
            self._memory[offset:end] = data
            return
        self._high = max(self._high, end)
        self._put(self._window * self.spool.largest + offset, data)

    def _put(self, place: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                written = os.pwrite(self.spool.descriptor, view[:CHUNK], place)
            except OSError as error:
                raise MapiError(Ec.ecStorageFull, str(error)) from error
            place += written
            view = view[written:]

    def resize(self, size: int) -> None:
        """Cut, or lengthen by zeros. ecTooBig, ecStorageFull."""
        if size > self.spool.largest:
            raise MapiError(Ec.ecTooBig, "value")
        grown = size - self.size
        self.spool.hold(grown)
        if self._memory is not None:
            if size <= IN_MEMORY and self.spool.in_memory + grown <= ALL_IN_MEMORY:
                self._memory = self._memory[:size] + bytes(max(grown, 0))
                self.spool.in_memory += grown
                self.size = size
                return
            self._move_out()
        for first in range(self.size, min(size, self._high), CHUNK):
            last = min(first + CHUNK, size, self._high)
            self._put(self._window * self.spool.largest + first, bytes(last - first))
        self.size = size

    def _move_out(self) -> None:
        self._window, self._high = self.spool.window()
        data, self._memory = self._memory or b"", None
        self.spool.in_memory -= len(data)
        self._high = max(self._high, len(data))
        self._put(self._window * self.spool.largest, bytes(data))

    def __del__(self) -> None:
        self.spool.held -= self.size
        if self._memory is not None:
            self.spool.in_memory -= len(self._memory)
        else:
            self.spool.give_back(self._window, self._high)
