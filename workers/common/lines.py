"""A bounded buffer that gives out command lines. Sans-IO; shared by POP3 and LMTP/SMTP."""

from __future__ import annotations


class LineTooLong(ValueError):
    """A line was longer than allowed; it has been thrown away up to its end."""


class LineBuffer:
    """Bytes in, lines out. Holds no more than was fed at once plus `limit` bytes."""

    __slots__ = ("_at", "_data", "_skipping", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._data = b""
        self._at = 0
        self._skipping = False

    def feed(self, data: bytes) -> None:
        """Add what the client sent."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def line(self) -> bytes | None:
        """The next line without its LF (a CR before it stays), None when it is not complete. LineTooLong."""
        end = self._data.find(b"\n", self._at)
        if end < 0:
            if len(self._data) - self._at > self.limit:
                self._skipping = True
                self.clear()
            return None
        line = self._data[self._at : end]
        self._at = end + 1
        if self._skipping or len(line) >= self.limit:
            self._skipping = False
            raise LineTooLong
        return line

    def take(self, most: int) -> bytes:
        """Up to `most` bytes of what is buffered, as they are."""
        data = self._data[self._at : self._at + most]
        self._at += len(data)
        return data

    def take_all(self) -> bytes:
        """Everything that is buffered."""
        data = self._data[self._at :] if self._at else self._data
        self.clear()
        return data

    def clear(self) -> None:
        """Forget what is buffered (RFC 3207 4.2: plaintext sent behind STARTTLS is not to be obeyed)."""
        self._data = b""
        self._at = 0

    def __len__(self) -> int:
        return len(self._data) - self._at
