"""A property opened as a stream ([MS-OXCPRPT] 2.2.14-2.2.21, 3.2.5.11-3.2.5.19).

Text is UTF-16LE without its end. What is written is the property's value at once, for the object that it was opened
on; when it is stored, the object's saving (a folder's stream: `commit`) decides.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.working.spool import Octets
from gromoxd.exmdb.working.values import STREAMED, STRING8, Holder, Remote, size_of, to_octets
from gromoxd.mapi import codepages
from gromoxd.mapi.flags import OpenStreamFlags
from gromoxd.mapi.proptags import PidTagBodyHtml
from gromoxd.mapi.types import prop_type

LARGEST: Final = (1 << 31) - 1
AHEAD: Final = 256 << 10
"""So much of a value in the store is read at once."""
COPY_PIECE: Final = 1 << 20


class Origin(IntEnum):
    """[MS-OXCPRPT] 2.2.19.1."""

    BEGIN = 0
    CURRENT = 1
    END = 2


class Stream:
    """A stream with its seek pointer, made by `open_stream`."""

    def __init__(self, holder: Holder, tag: int, writable: bool, fixed: bytes | None = None) -> None:
        self.tag = tag
        self.writable = writable
        self.position = 0
        self._holder = holder
        self._fixed = fixed
        """The octets of a stream whose value is made, and does not change."""
        self._ahead = (0, b"")
        self._of: object = None

    def clone(self) -> Stream:
        """Another stream of the same octets, with its own seek pointer, which is where this one's is now."""
        other = Stream(self._holder, self.tag, self.writable, self._fixed)
        other.position = self.position
        return other

    def _value(self) -> object:
        return self._fixed if self._fixed is not None else self._holder.value(self.tag)

    @property
    def size(self) -> int:
        """[MS-OXCPRPT] 2.2.20."""
        value = self._value()
        return value.size if isinstance(value, Remote) else 0 if value is None else size_of(value)

    # ------------------------------------------------------------------------------------------ reading

    def read(self, length: int) -> bytes:
        """The next octets; fewer at the end ([MS-OXCPRPT] 2.2.15)."""
        data = self._at(self.position, max(length, 0))
        self.position += len(data)
        return data

    def _at(self, offset: int, length: int) -> bytes:
        value = self._value()
        if isinstance(value, Octets):
            return value.read(offset, length)
        if not isinstance(value, Remote):
            return to_octets(value)[offset : offset + length]
        first, ahead = self._ahead
        if self._of is not value or not first <= offset <= offset + length <= first + len(ahead):
            self._of = value
            if length >= AHEAD:
                return value.read(offset, length)
            self._ahead = first, ahead = offset, value.read(offset, AHEAD)
        return ahead[offset - first : offset - first + length]

    # ------------------------------------------------------------------------------------------ writing

    def _writing(self) -> Octets:
        if not self.writable:
            raise MapiError(Ec.ecStreamAccessDenied, f"stream of {self.tag:#010x}")
        return self._holder.own(self.tag)

    def write(self, data: bytes) -> int:
        """Write at the seek pointer; the octets written ([MS-OXCPRPT] 2.2.16). ecTooBig, ecStreamAccessDenied."""
        octets = self._writing()
        if self.position + len(data) > LARGEST:
            raise MapiError(Ec.ecTooBig, "stream")
        octets.write(self.position, data)
        self.position += len(data)
        self._holder.written(self.tag)
        return len(data)

    def set_size(self, size: int) -> None:
        """Cut, or lengthen by zeros; the seek pointer stays ([MS-OXCPRPT] 2.2.21). ecTooBig, ecStreamAccessDenied."""
        octets = self._writing()
        if not 0 <= size <= LARGEST:
            raise MapiError(Ec.ecTooBig, "stream")
        octets.resize(size)
        self._holder.written(self.tag)

    def seek(self, origin: int, offset: int) -> int:
        """The new position ([MS-OXCPRPT] 2.2.19); beyond the end of a stream for writing lengthens it.

        ecStreamSeekError, ecStreamInvalidParam (origin).
        """
        if origin not in (Origin.BEGIN, Origin.CURRENT, Origin.END):
            raise MapiError(Ec.ecStreamInvalidParam, f"origin {origin}")
        base = (0, self.position, self.size if origin == Origin.END else 0)[origin]
        position = base + offset
        if not 0 <= position <= LARGEST:
            raise MapiError(Ec.ecStreamSeekError, "seek pointer")
        if position > self.size:
            if not self.writable:
                raise MapiError(Ec.ecStreamSeekError, "behind the end of a stream for reading")
            self.set_size(position)
        self.position = position
        return position

    def copy_to(
        self, destination: Stream, length: int, pause: Callable[[], object] = lambda: None
    ) -> tuple[int, int]:  # fmt: skip
        """Copy octets from pointer to pointer: how many were read and written ([MS-OXCPRPT] 2.2.22, 3.2.5.19).

        `pause` is called after each COPY_PIECE, lest a long value keep everybody waiting.
        """
        done = 0
        while done < length:
            piece = self.read(min(COPY_PIECE, length - done))
            if not piece:
                break
            destination.write(piece)
            done += len(piece)
            if done < length:
                pause()
        return done, done

    def commit(self) -> None:
        """[MS-OXCPRPT] 2.2.18."""
        if self.writable:
            self._holder.commit()

    def close(self) -> None:
        """Release: for a folder the same as to commit ([MS-OXCPRPT] 3.2.5.13)."""
        self.commit()


def open_stream(holder: Holder, tag: int, mode: int = OpenStreamFlags.ReadOnly, code_page: int = 0) -> Stream:
    """Open a property of a message, attachment or folder. A PtypString8 one is for reading, in `code_page`.

    ecNotFound, ecAccessDenied, ecNotSupported (type; property made by the store), ecInvalidParam (mode).
    """
    if mode not in tuple(OpenStreamFlags):
        raise MapiError(Ec.ecInvalidParam, f"stream mode {mode}")
    kind, kept = prop_type(tag), holder.loaded().kept_as(tag)
    if prop_type(kept) not in STREAMED:
        raise MapiError(Ec.ecNotSupported, f"stream of {tag:#010x}")
    fixed = kept in holder.read_only or kept == PidTagBodyHtml or (kind == STRING8 and kept != tag)
    writable = mode != OpenStreamFlags.ReadOnly and holder.writable and not fixed
    if mode in (OpenStreamFlags.ReadWrite, OpenStreamFlags.Create) and not writable:
        raise MapiError(Ec.ecAccessDenied if not holder.writable or kept in holder.read_only else Ec.ecNotSupported)
    if mode == OpenStreamFlags.Create:
        holder.own(kept, empty=True)
        holder.written(kept)
        return Stream(holder, kept, True)
    if holder.value(kept) is None:
        raise MapiError(Ec.ecNotFound, f"property {tag:#010x}")
    if kind == STRING8 and kept != tag:
        return Stream(holder, tag, False, codepages.encode(str(holder.get(kept)), code_page))
    return Stream(holder, kept, writable)
