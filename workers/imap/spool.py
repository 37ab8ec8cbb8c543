"""Where the message of an APPEND is gathered: in memory when it is small, else in a file without a name."""

from __future__ import annotations

import tempfile
from typing import BinaryIO, cast

from workers.imap.wire.framing import Memory, Sink

IN_MEMORY = 256 << 10


class FileSink:
    """A sink on disk; the file vanishes when it is closed."""

    __slots__ = ("_file",)

    def __init__(self, folder: str | None) -> None:
        self._file = cast(BinaryIO, tempfile.TemporaryFile(dir=folder, buffering=0))  # noqa: SIM115 - outlives us

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def finish(self) -> BinaryIO:
        self._file.seek(0)
        return self._file

    def abandon(self) -> None:
        self._file.close()


def sink(size: int, folder: str | None = None) -> Sink:
    """A sink for a literal of `size` octets."""
    return Memory() if size <= IN_MEMORY else FileSink(folder)
