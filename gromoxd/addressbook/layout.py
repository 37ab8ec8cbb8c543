"""The snapshot file: magic, checksum, head, sections. Written whole and renamed; a file that is not right is none."""

from __future__ import annotations

import mmap
import os
import zlib
from array import array
from struct import Struct
from typing import BinaryIO, Final, Literal, Union

import msgspec

from gromoxd.addressbook.entry import Meta

MAGIC: Final = b"GXABK003"
_HEAD: Final = Struct("<8sIIQ")
"""Magic, CRC-32 of all that follows the head, length of the meta data, length of the file."""
LARGEST: Final = (1 << 32) - 1
ALIGN: Final = 8
NAME: Final = "addressbook"
Buffer = Union[bytes, bytearray, memoryview, "array[int]"]


def path_of(site: str) -> str:
    """Where a site's snapshot is."""
    return os.path.join(site, "run", NAME)


class Damaged(ValueError):
    """The file is no snapshot of this version, or not all of one."""


def _padding(size: int) -> bytes:
    return bytes(-size % ALIGN)


def write(path: str, meta: Meta, sections: dict[str, Buffer]) -> None:
    """Write the file under another name, then take the place of the old one. OSError, Damaged when it is too large."""
    places, at = {}, 0
    for name, data in sections.items():
        size = memoryview(data).nbytes
        places[name] = (at, size)
        at += size + len(_padding(size))
    head = msgspec.msgpack.encode(Meta(meta.stamp, meta.built, meta.books, places))
    length = len(head)
    head += _padding(_HEAD.size + length)
    if _HEAD.size + len(head) + at > LARGEST:
        raise Damaged("address book of more than 4 GiB")
    temporary = f"{path}.{os.getpid()}.new"
    try:
        with open(temporary, "wb") as stream:
            stream.write(bytes(_HEAD.size))
            checksum = _put(stream, head, 0)
            for data in sections.values():
                octets = memoryview(data).cast("B")
                checksum = _put(stream, octets, checksum)
                checksum = _put(stream, _padding(octets.nbytes), checksum)
            stream.seek(0)
            stream.write(_HEAD.pack(MAGIC, checksum, length, _HEAD.size + len(head) + at))
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _put(stream: BinaryIO, data: Buffer, checksum: int) -> int:
    stream.write(data)
    return zlib.crc32(data, checksum)


class Mapped:
    """A file that is mapped. `section(name, code)` is a view of one."""

    def __init__(self, path: str) -> None:
        """OSError, Damaged. Reads all of the file once: to be called where that may take a while."""
        with open(path, "rb") as stream:
            self.inode = os.fstat(stream.fileno()).st_ino
            try:
                self._map = mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)
            except ValueError as error:
                raise Damaged("empty") from error
        view = memoryview(self._map)
        if len(view) < _HEAD.size:
            raise Damaged("too short")
        magic, checksum, length, size = _HEAD.unpack_from(view)
        if magic != MAGIC or size != len(view) or length > size - _HEAD.size:
            raise Damaged("of another version or cut off")
        if zlib.crc32(view[_HEAD.size :]) != checksum:
            raise Damaged("checksum")
        try:
            self.meta = msgspec.msgpack.decode(bytes(view[_HEAD.size : _HEAD.size + length]), type=Meta)
        except msgspec.MsgspecError as error:
            raise Damaged("meta data") from error
        start = _HEAD.size + length
        self._data = view[start + len(_padding(start)) :]

    def section(self, name: str, code: Literal["B", "I", "Q"] = "B") -> memoryview:
        """A section as octets or numbers."""
        at, size = self.meta.sections[name]
        return self._data[at : at + size].cast(code)
