"""Download contexts: streams that clients take by RopFastTransferSourceGetBuffer ([MS-OXCFXICS] 3.2.5.8.1.5).

A context makes its stream while it is taken; of what is not taken yet no more than a message, or a piece of a long
value, is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from gromoxd.errors import Ec, MapiError
from gromoxd.mapi.fasttransfer import StreamWriter
from gromoxd.rop import fasttransfer as rop
from workers.http.emsmdb.dispatch import Call, RoomTooSmall, handles
from workers.http.emsmdb.objects import Logon, ServerObject

MOST_TRANSFERRED: Final = 0xFFFF - rop.HEAD
SMALLEST: Final = 512
"""A buffer of so many octets always takes something ([MS-OXCFXICS] 2.2.4.1)."""


class TransferStatus(IntEnum):
    """[MS-OXCFXICS] 2.2.3.1.1.5.2."""

    Error = 0
    Partial = 1
    NoRoom = 2
    Done = 3


class Download(ServerObject):
    """A download context. `stream` writes to `writer`; `done` and `total` count what is shown as progress."""

    transfers = True

    def __init__(self, logon: Logon, writer: StreamWriter) -> None:
        super().__init__(logon)
        self.writer = writer
        self.stream: Iterator[None] | None = None
        self.ended = False
        self.failure: MapiError | None = None
        self.done = 0
        self.total = 1

    def start(self) -> Iterator[None]:
        """Begin to write the stream: the first buffer is wanted."""
        return iter(())

    def finished(self) -> None:
        """Everything is written."""

    def take(self, size: int) -> bytes:
        """The next octets of the stream, `size` at most. What went wrong once goes wrong again."""
        if self.failure is not None:
            raise self.failure
        try:
            self._write(size)
        except MapiError as error:
            self.failure = error
            raise
        return self.writer.take(size)

    def _write(self, size: int) -> None:
        if self.stream is None:
            self.stream = self.start()
        writer = self.writer
        if self.ended or writer.pending >= size:
            return
        for _ in self.stream:
            if writer.pending >= size:
                return
        self.ended = True
        self.finished()

    @property
    def complete(self) -> bool:
        """Whether everything is taken."""
        return self.ended and not self.writer.pending

    def progress(self) -> tuple[int, int]:
        """InProgressCount and TotalStepCount, which have 16 bits."""
        total, done = max(self.total, 1), min(self.done, self.total)
        if self.complete:
            done = total
        if total > 0xFFFF:
            done, total = done * 0xFFFF // total, 0xFFFF
        return done, total

    def close(self) -> None:
        stream = self.stream
        self.stream, self.ended = iter(()), True
        close = getattr(stream, "close", None)
        if close is not None:
            close()


@handles(rop.FastTransferSourceGetBuffer)
def get_buffer(call: Call, request: rop.FastTransferSourceGetBuffer) -> rop.FastTransferSourceGetBufferResponse:
    """[MS-OXCFXICS] 3.2.5.8.1.5."""
    context = call.object(Download)
    room = min(call.room - rop.HEAD, MOST_TRANSFERRED)
    if request.buffer_size == rop.OWN_SIZE:
        size = min(room, request.maximum_buffer_size)
    else:
        size = request.buffer_size
        if size > room:
            raise RoomTooSmall(size + rop.HEAD)
    octets = context.take(max(size, 0))
    if not octets and not context.complete:
        raise RoomTooSmall(SMALLEST + rop.HEAD) if room < SMALLEST else MapiError(Ec.ecBufferTooSmall, f"{size}")
    status = TransferStatus.Done if context.complete else TransferStatus.Partial
    return rop.FastTransferSourceGetBufferResponse(request.index, 0, status, *context.progress(), 0, octets)


@handles(rop.TellVersion)
def tell_version(call: Call, request: rop.TellVersion) -> rop.TellVersionResponse:
    """What the other server is makes no difference: streams have one form here ([MS-OXCFXICS] 3.2.5.8.1.6)."""
    call.object(ServerObject)
    return rop.TellVersionResponse(request.index, 0)
