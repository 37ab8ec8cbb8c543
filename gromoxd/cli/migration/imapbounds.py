"""An IMAP connection that takes only so much of what the other server says, in so much time.

imaplib reads literals of any size, and untagged responses and lines without end, into memory.
"""

from __future__ import annotations

import imaplib
import time
from typing import Any, Final

from imapclient import IMAPClient
from imapclient.imap4 import IMAP4WithTimeout
from imapclient.tls import IMAP4_TLS

from gromoxd.cli.migration.outcome import Stopped

OCTETS: Final = 64 << 20
"""Of all that answers one command."""
LINE: Final = 16 << 20
"""A SEARCH of two million messages."""
LINES: Final = 200_000
SECONDS: Final = 1800.0
_PIECE: Final = 64 << 10


class _Bounded(imaplib.IMAP4):
    """Reads for a command; `begin` comes before each."""

    octets, lines, until = OCTETS, LINES, 0.0

    def begin(self) -> None:
        """A command is sent now."""
        self.octets, self.lines, self.until = OCTETS, LINES, time.monotonic() + SECONDS

    def read(self, size: int) -> bytes:
        """The octets of a literal, fewer where the connection ends."""
        if size > self.octets:
            raise Stopped(f"the server sends {size} octets where {self.octets} are most")
        self.octets -= size
        found = bytearray()
        while len(found) < size and (piece := self._stream.read1(min(size - len(found), _PIECE))):
            found += piece
            self._look()
        return bytes(found)

    def readline(self) -> bytes:
        """A line with its end, less where the connection ends."""
        self.lines -= 1
        found = bytearray()
        while not found.endswith(b"\n") and (ready := self._stream.peek(1)):
            found += self._stream.read(ready.find(b"\n") + 1 or len(ready))
            if len(found) > min(LINE, self.octets) or self.lines < 0:
                raise Stopped("the server says more than any answer is long")
            self._look()
        self.octets -= len(found)
        return bytes(found)

    def _look(self) -> None:
        if not self.until:
            self.begin()
        elif time.monotonic() > self.until:
            raise TimeoutError("the server takes too long for an answer")

    @property
    def _stream(self) -> Any:
        return self.file


class _Plain(_Bounded, IMAP4WithTimeout):  # type: ignore[misc]
    """Without TLS, or before it."""


class _Tls(_Bounded, IMAP4_TLS):  # type: ignore[misc]
    """With TLS from the start."""


class BoundedClient(IMAPClient):  # type: ignore[misc]
    """`IMAPClient` whose memory and patience have an end. Stopped, TimeoutError."""

    def _create_IMAP4(self) -> Any:
        if self.ssl:
            made: Any = _Tls
            return made(self.host, self.port, self.ssl_context, self._timeout.connect)
        return _Plain(self.host, self.port, self._timeout.connect)

    def begin(self) -> None:
        """A new piece of work."""
        self._imap.begin()
