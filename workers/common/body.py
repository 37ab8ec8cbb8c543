"""The bytes of a message on their way in: in memory while small, in an unlinked temporary file when not."""

from __future__ import annotations

import tempfile
from hashlib import blake2b
from mmap import ACCESS_READ, mmap
from typing import BinaryIO

MEMORY_LIMIT = 256 << 10


class Body:
    """What the client has sent, behind a trace header of fixed length that may be exchanged until delivery."""

    def __init__(self, trace: bytes, memory_limit: int = MEMORY_LIMIT) -> None:
        self.trace = trace
        self.size = 0
        """Octets without the trace header."""
        self._limit = memory_limit
        self._pieces: list[bytes] = []
        self._hash = blake2b(digest_size=32)
        self.file: BinaryIO | None = None

    def write(self, piece: bytes) -> None:
        """Add octets. OSError when the temporary file cannot take them."""
        self.size += len(piece)
        self._hash.update(piece)
        if self.file is not None:
            self.file.write(piece)
            return
        self._pieces.append(piece)
        if self.size > self._limit:
            self.file = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the message
            self.file.writelines([self.trace, *self._pieces])
            self._pieces.clear()

    def fingerprint(self, sender: str, mailbox: str) -> bytes:
        """Identifies message, sender and recipient (calls.Deliver)."""
        mark = self._hash.copy()
        mark.update(f"\0{sender}\0{mailbox}".encode())
        return mark.digest()

    def in_memory(self) -> bytes:
        """The octets without the trace header, if there is no file."""
        if len(self._pieces) != 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def retrace(self, trace: bytes) -> None:
        """Exchange the trace header in the file for another of the same length."""
        if self.file is None:
            return
        self.file.seek(0)
        self.file.write(trace)
        self.file.flush()
        self.file.seek(0)

    def map(self) -> mmap:
        """The whole file, trace header and all, for reading."""
        if self.file is None:
            raise ValueError("the message is in memory")
        self.file.flush()
        return mmap(self.file.fileno(), 0, access=ACCESS_READ)

    def close(self) -> None:
        """Forget the message."""
        self._pieces.clear()
        if self.file is not None:
            self.file.close()
            self.file = None
