"""What ROPs on streams do ([MS-OXCPRPT] 3.2.5.9-3.2.5.24)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.working import Stream, WorkingFolder, open_stream
from gromoxd.mapi.types import PropType, prop_type
from gromoxd.rop import streams as w
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.holders import code_page_of, holder_of
from workers.http.emsmdb.objects import ServerObject
from workers.http.emsmdb.properties import other_object

log = logging.getLogger(__name__)

READ_HEAD: Final = 8
MOST_READ: Final = 0xFFFF
LOCK_READS: Final = 1
"""LockFlags: others may read, and nothing else, what is locked."""
LOCK_LASTS: Final = 30.0
"""Seconds without a sign of life after which a lock is no longer one ([MS-OXCPRPT] 3.2.5.21)."""
MOST_LOCKS: Final = 256


@dataclass(eq=False)
class Lock:
    """A region that somebody has locked."""

    holder: StreamObject
    tag: int
    first: int
    size: int
    flags: int
    expired: bool = False

    def meets(self, tag: int, first: int, size: int) -> bool:
        """Whether a region of a property's stream is, partly, this one."""
        return self.tag == tag and first < self.first + self.size and self.first < first + size


class StreamObject(ServerObject):
    """An open stream. `locks` are those of all streams of one object: another handle has its own data."""

    def __init__(self, parent: ServerObject, stream: Stream, locks: list[Lock], now: float) -> None:
        super().__init__(parent.logon)
        self.parent, self.stream, self.locks, self.used = parent, stream, locks, now

    def may(self, call: Call, size: int, write: bool) -> None:
        """Whether the next octets may be read or written. ecAccessDenied, ecNetwork: its own lock has expired."""
        self.used = call.session.clock()
        for lock in self.locks if size else ():
            if not lock.meets(self.stream.tag, self.stream.position, size):
                continue
            if lock.holder is self and lock.expired:
                raise MapiError(Ec.ecNetwork, "lock expired")
            if lock.holder is not self and not lock.expired and (write or lock.flags != LOCK_READS):
                raise MapiError(Ec.ecAccessDenied, "locked")

    def close(self) -> None:
        self.locks[:] = [lock for lock in self.locks if lock.holder is not self]
        try:
            self.stream.close()
        except MapiError as error:
            log.warning("Stream not stored", extra={"tag": f"{self.stream.tag:#010x}", "error": str(error)})


# ---------------------------------------------------------------------------------------------- opening


@handles(w.OpenStream)
def open_property(call: Call, request: w.OpenStream) -> w.OpenStreamResponse:
    """[MS-OXCPRPT] 3.2.5.9. Texts of folders that are not there are no streams at all ([MS-OXCPERM] 4.1)."""
    opened = call.object(ServerObject)
    holder, tag = holder_of(opened), request.property_tag
    if isinstance(holder, WorkingFolder):
        if not holder.properties.changed:
            holder.refresh()
        if prop_type(tag) != PropType.PtypBinary and not holder.properties.changed and holder.value(tag) is None:
            raise MapiError(Ec.ecNotSupported, f"stream of {tag:#010x}")
    stream = open_stream(holder, tag, request.open_mode_flags, code_page_of(call, opened))
    made = StreamObject(opened, stream, _locks(opened), call.session.clock())
    call.put(request.output, made)
    made.owned_by(opened)
    return w.OpenStreamResponse(request.output, 0, stream.size)


@handles(w.CloneStream)
def clone_stream(call: Call, request: w.CloneStream) -> w.CloneStreamResponse:
    """[MS-OXCPRPT] 3.2.5.24: the same octets, a seek pointer of its own."""
    opened = call.object(StreamObject)
    made = StreamObject(opened.parent, opened.stream.clone(), opened.locks, call.session.clock())
    call.put(request.output, made)
    made.owned_by(opened.parent)
    return w.CloneStreamResponse(request.output, 0)


def _locks(opened: ServerObject) -> list[Lock]:
    for part in opened.parts:
        if isinstance(part, StreamObject):
            return part.locks
    return []


# ---------------------------------------------------------------------------------------------- reading and writing


@handles(w.ReadStream)
def read_stream(call: Call, request: w.ReadStream) -> w.ReadStreamResponse:
    """[MS-OXCPRPT] 3.2.5.12: as much as there is room for."""
    opened = call.object(StreamObject)
    length = min(request.wanted, max(call.room - READ_HEAD, 0), MOST_READ)
    opened.may(call, length, False)
    return w.ReadStreamResponse(request.index, 0, opened.stream.read(length))


def _write(call: Call, data: bytes) -> StreamObject:
    opened = call.object(StreamObject)
    opened.may(call, len(data), True)
    opened.stream.write(data)
    return opened


@handles(w.WriteStream)
def write_stream(call: Call, request: w.WriteStream) -> w.WriteStreamResponse:
    """[MS-OXCPRPT] 3.2.5.13."""
    _write(call, request.data)
    return w.WriteStreamResponse(request.index, 0, len(request.data))


@handles(w.WriteStreamExtended)
def write_stream_extended(call: Call, request: w.WriteStreamExtended) -> w.WriteStreamExtendedResponse:
    """[MS-OXCPRPT] 3.2.5.14."""
    _write(call, request.data)
    return w.WriteStreamExtendedResponse(request.index, 0, len(request.data))


@handles(w.WriteAndCommitStream)
def write_and_commit_stream(call: Call, request: w.WriteAndCommitStream) -> w.WriteAndCommitStreamResponse:
    """[MS-OXCPRPT] 3.2.5.23."""
    _write(call, request.data).stream.commit()
    return w.WriteAndCommitStreamResponse(request.index, 0, len(request.data))


@handles(w.CommitStream)
def commit_stream(call: Call, request: w.CommitStream) -> w.CommitStreamResponse:
    """[MS-OXCPRPT] 3.2.5.15."""
    call.object(StreamObject).stream.commit()
    return w.CommitStreamResponse(request.index, 0)


@handles(w.CopyToStream)
def copy_to_stream(call: Call, request: w.CopyToStream) -> w.CopyToStreamResponse:
    """[MS-OXCPRPT] 3.2.5.19."""
    source = call.object(StreamObject)
    destination = other_object(call, request.destination)
    if not isinstance(destination, StreamObject):
        raise MapiError(Ec.ecNotSupported, type(destination).__name__)
    length = min(request.byte_count, max(source.stream.size - source.stream.position, 0))
    source.may(call, length, False)
    destination.may(call, length, True)
    copied = source.stream.copy_to(destination.stream, length, call.session.pause)
    return w.CopyToStreamResponse(request.index, 0, *copied)


# ---------------------------------------------------------------------------------------------- size and position


@handles(w.GetStreamSize)
def get_stream_size(call: Call, request: w.GetStreamSize) -> w.GetStreamSizeResponse:
    """[MS-OXCPRPT] 3.2.5.16."""
    return w.GetStreamSizeResponse(request.index, 0, call.object(StreamObject).stream.size)


@handles(w.SetStreamSize)
def set_stream_size(call: Call, request: w.SetStreamSize) -> w.SetStreamSizeResponse:
    """[MS-OXCPRPT] 3.2.5.17."""
    call.object(StreamObject).stream.set_size(request.stream_size)
    return w.SetStreamSizeResponse(request.index, 0)


@handles(w.SeekStream)
def seek_stream(call: Call, request: w.SeekStream) -> w.SeekStreamResponse:
    """[MS-OXCPRPT] 3.2.5.18."""
    position = call.object(StreamObject).stream.seek(request.origin, request.offset)
    return w.SeekStreamResponse(request.index, 0, position)


# ---------------------------------------------------------------------------------------------- locks


@handles(w.LockRegionStream)
def lock_region_stream(call: Call, request: w.LockRegionStream) -> w.LockRegionStreamResponse:
    """[MS-OXCPRPT] 3.2.5.21. ecAccessDenied while somebody else's lock is there."""
    opened = call.object(StreamObject)
    opened.used = now = call.session.clock()
    tag, first, size = opened.stream.tag, request.region_offset, request.region_size
    for lock in opened.locks:
        if lock.expired or not lock.meets(tag, first, size):
            continue
        if lock.holder is opened or now - lock.holder.used <= LOCK_LASTS:
            raise MapiError(Ec.ecAccessDenied, "locked")
        lock.expired = True
    if len(opened.locks) >= MOST_LOCKS:
        raise MapiError(Ec.ecNotEnoughMemory, "locks")
    opened.locks.append(Lock(opened, tag, first, size, request.lock_flags))
    return w.LockRegionStreamResponse(request.index, 0)


@handles(w.UnlockRegionStream)
def unlock_region_stream(call: Call, request: w.UnlockRegionStream) -> w.UnlockRegionStreamResponse:
    """[MS-OXCPRPT] 3.2.5.22: its own locks there; others stay."""
    opened = call.object(StreamObject)
    opened.used = call.session.clock()
    region = opened.stream.tag, request.region_offset, request.region_size
    opened.locks[:] = [lock for lock in opened.locks if lock.holder is not opened or not lock.meets(*region)]
    return w.UnlockRegionStreamResponse(request.index, 0)
