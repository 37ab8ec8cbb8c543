"""RFC 5322 bytes of messages: the raw header and a small body in the database, a large body in a file below cid/.

A file is named by the BLAKE2b hash of the body and is a series of independent zstd frames of 512 KiB with a seek table
in a skippable frame at its end (zstd's "seekable format" 0.1.0: `zstd -d` reads it), so that any part is read without
decompressing what is before it and no more than one frame is in memory. A file is made durable before the commit that
refers to it, and removed after the commit that removes the last reference.
"""

from __future__ import annotations

import hashlib
import logging
import mmap
import os
from collections import deque
from collections.abc import Iterable, Iterator
from struct import Struct

import apsw
import zstandard

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.calls import NewMessage
from gromoxd.files import sync_folder
from store.settings import StoreSettings

log = logging.getLogger(__name__)
PLAIN, ZSTD, FILE = 0, 1, 2
FRAME = 512 << 10
WORTH_A_TRY = 256
HASH_SIZE = 32
INSERT = "INSERT INTO content (cid, size, kind, hash, head, body) VALUES (?,?,?,?,?,?)"
_SKIPPABLE = Struct("<II")
_ENTRY = Struct("<II")
_FOOTER = Struct("<IBI")
_MAGIC, _SEEKABLE = 0x184D2A5E, 0x8F92EAB1

_COMPRESSORS: dict[int, deque[zstandard.ZstdCompressor]] = {}
_DECOMPRESSORS: deque[zstandard.ZstdDecompressor] = deque()
"""Not in use at the moment. They are large and serve one thread at a time, so that mailboxes share them."""


def compress(data: bytes, level: int) -> bytes:
    """A zstd frame; any number of threads."""
    idle = _COMPRESSORS.setdefault(level, deque())
    try:
        compressor = idle.pop()
    except IndexError:
        compressor = zstandard.ZstdCompressor(level=level)
    packed = compressor.compress(data)
    idle.append(compressor)
    return packed


def decompress(data: bytes, size: int) -> bytes:
    """The content of a zstd frame, at most `size` bytes; any number of threads."""
    try:
        decompressor = _DECOMPRESSORS.pop()
    except IndexError:
        decompressor = zstandard.ZstdDecompressor()
    content = decompressor.decompress(data, max_output_size=size)
    _DECOMPRESSORS.append(decompressor)
    return content


class ContentStore:
    """The writer's access to contents of one mailbox."""

    def __init__(self, folder: str, db: apsw.Connection, settings: StoreSettings) -> None:
        self.folder = folder
        self._db = db
        self._limit = settings.content_inline_limit
        self._level = settings.exmdb_file_compression
        self._serial = 0
        self._unsettled: set[bytes] = set()
        """Hashes of files made or let go by the running transaction."""

    def add(self, cid: int, message: NewMessage, spool: int) -> None:
        """Store a message's bytes. ecInvalidParam when they are not of the digest's size."""
        size, head_size = message.digest.size, message.digest.header_size
        spooled = not message.raw and spool >= 0
        have = os.fstat(spool).st_size if spooled else len(message.raw)
        if have != size or not 0 <= head_size <= size:
            raise MapiError(Ec.ecInvalidParam, "the digest's size is not the content's")
        if size - head_size > self._limit:
            source = _spool_blocks(spool, head_size, size) if spooled else _blocks(message.raw, head_size)
            head = read_exactly(spool, head_size, 0) if spooled else message.raw[:head_size]
            self._db.execute(INSERT, (cid, size - head_size, FILE, self._write_file(source), head, None))
            return
        raw = read_exactly(spool, size, 0) if spooled else message.raw
        kind, body = self._pack(raw[head_size:])
        self._db.execute(INSERT, (cid, size - head_size, kind, None, raw[:head_size], body))

    def put(self, cid: int, data: bytes) -> None:
        """Store octets that are no message."""
        if len(data) > self._limit:
            self._db.execute(INSERT, (cid, len(data), FILE, self._write_file(_blocks(data, 0)), b"", None))
            return
        kind, body = self._pack(data)
        self._db.execute(INSERT, (cid, len(data), kind, None, b"", body))

    def put_spooled(self, cid: int, spool: int, offset: int, length: int) -> None:
        """Store a part of a file. ecInvalidParam when it is shorter."""
        if length <= self._limit:
            self.put(cid, read_exactly(spool, length, offset))
            return
        if os.fstat(spool).st_size < offset + length:
            raise MapiError(Ec.ecInvalidParam, "the spool is too short")
        digest = self._write_file(_spool_blocks(spool, offset, offset + length))
        self._db.execute(INSERT, (cid, length, FILE, digest, b"", None))

    def get(self, cid: int) -> bytes:
        """A whole content, the header of a message included, as the running transaction has it. ecNotFound."""
        sql = "SELECT head, kind, hash, size, body FROM content WHERE cid=?"
        found = self._db.execute(sql, (cid,)).fetchone()
        if found is None:
            raise MapiError(Ec.ecNotFound, f"content {cid}")
        head, *stored = found
        reader = ContentReader(self.folder)
        return bytes(head) + reader.body(*stored) if head else reader.body(*stored)

    def _pack(self, body: bytes) -> tuple[int, bytes]:
        if self._level and len(body) >= WORTH_A_TRY:
            packed = compress(body, self._level)
            if len(packed) <= len(body) * 0.9:
                return ZSTD, packed
        return PLAIN, body

    def released(self, digests: Iterable[bytes | None]) -> None:
        """Content rows with these hashes were deleted."""
        self._unsettled.update(digest for digest in digests if digest is not None)

    def settle(self) -> None:
        """After a commit or rollback: remove the files that nothing refers to."""
        for digest in self._unsettled:
            self._collect(digest)
        self._unsettled.clear()

    def _collect(self, digest: bytes) -> bool:
        if self._db.execute("SELECT 1 FROM content WHERE hash=? LIMIT 1", (digest,)).fetchone() is not None:
            return False
        try:
            os.unlink(content_path(self.folder, digest))
        except FileNotFoundError:
            return False
        except OSError as error:
            log.warning("content file not removed", extra={"error": str(error)})
            return False
        return True

    # ------------------------------------------------------------------------------------------ files

    def _write_file(self, source: Iterator[bytes]) -> bytes:
        """Write a body to its file, durably; answers its hash."""
        waiting = os.path.join(self.folder, "tmp")
        os.makedirs(waiting, 0o770, exist_ok=True)
        self._serial += 1
        name = os.path.join(waiting, f"{os.getpid()}.{self._serial}")
        out = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o660)
        try:
            try:
                digest = self._write_frames(out, source)
                os.fsync(out)
            finally:
                os.close(out)
            self._unsettled.add(digest)
            _install(name, self.folder, digest)
        except BaseException:
            os.unlink(name)
            raise
        return digest

    def _write_frames(self, out: int, source: Iterator[bytes]) -> bytes:
        sum_ = hashlib.blake2b(digest_size=HASH_SIZE)
        table = []
        for block in source:
            sum_.update(block)
            frame = compress(block, max(self._level, 1))
            _write(out, frame)
            table.append(_ENTRY.pack(len(frame), len(block)))
        entries = b"".join(table)
        skippable = _SKIPPABLE.pack(_MAGIC, len(entries) + _FOOTER.size)
        _write(out, skippable + entries + _FOOTER.pack(len(table), 0, _SEEKABLE))
        return sum_.digest()

    def collect_leftovers(self) -> int:
        """Remove files that a crash left behind; answers how many."""
        removed = _empty(os.path.join(self.folder, "tmp"))
        for name in _listed(self.folder):
            if len(name) != 2:
                continue
            for file in _listed(os.path.join(self.folder, name)):
                try:
                    digest = bytes.fromhex(file)
                except ValueError:
                    continue
                removed += self._collect(digest)
        return removed


def content_path(folder: str, digest: bytes) -> str:
    """The file of a body."""
    name = digest.hex()
    return os.path.join(folder, name[:2], name)


def _install(name: str, folder: str, digest: bytes) -> None:
    """Give a finished file its name; an equal one that is there already is replaced by it."""
    path = content_path(folder, digest)
    place = os.path.dirname(path)
    if not os.path.isdir(place):
        os.makedirs(place, 0o770, exist_ok=True)
        sync_folder(folder)
    os.replace(name, path)
    sync_folder(place)


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _empty(folder: str) -> int:
    names = _listed(folder)
    for name in names:
        os.unlink(os.path.join(folder, name))
    return len(names)


def _write(out: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(out, view) :]


def read_exactly(descriptor: int, length: int, offset: int) -> bytes:
    """Exactly `length` bytes of a file; ecInvalidParam when it is shorter."""
    blocks = []
    while length:
        block = os.pread(descriptor, min(length, 1 << 20), offset)
        if not block:
            raise MapiError(Ec.ecInvalidParam, "the spool is too short")
        blocks.append(block)
        offset += len(block)
        length -= len(block)
    return b"".join(blocks)


def _blocks(raw: bytes, start: int) -> Iterator[bytes]:
    for at in range(start, len(raw), FRAME):
        yield raw[at : at + FRAME]


def _spool_blocks(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, FRAME):
        yield read_exactly(descriptor, min(FRAME, end - at), at)


# ---------------------------------------------------------------------------------------------- reading


class ContentReader:
    """Reads contents. `FileNotFoundError`: the message went meanwhile."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def body(self, kind: int, digest: bytes | None, size: int, body: bytes | None) -> bytes:
        """A whole body."""
        if kind == PLAIN:
            return body or b""
        if kind == ZSTD:
            return decompress(body or b"", size)
        return b"".join(self._file_part(digest or b"", 0, size))

    def message(self, head: bytes, kind: int, digest: bytes | None, size: int, body: bytes | None) -> bytes | mmap.mmap:
        """A whole message; a large one as an anonymous map, so that its bytes are in memory once."""
        if kind != FILE:
            return head + self.body(kind, digest, size, body)
        whole = mmap.mmap(-1, len(head) + size)
        whole.write(head)
        for block in self._file_part(digest or b"", 0, size):
            whole.write(block)
        return whole

    def part(self, kind: int, digest: bytes | None, size: int, body: bytes | None, offset: int, length: int) -> bytes:
        """Some bytes of a body."""
        if kind != FILE:
            return self.body(kind, digest, size, body)[offset : offset + length]
        return b"".join(self._file_part(digest or b"", offset, length))

    def length(self, digest: bytes) -> int:
        """Bytes of a body in a file, as the file's seek table has it. FileNotFoundError, ecError, OSError."""
        descriptor = os.open(content_path(self._folder, digest), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return sum(unpacked for _, _, _, unpacked in _frames(descriptor))
        finally:
            os.close(descriptor)

    def blocks(self, digest: bytes) -> Iterator[bytes]:
        """All of a file's body."""
        return self._file_part(digest, 0, 1 << 62)

    def _file_part(self, digest: bytes, offset: int, length: int) -> Iterator[bytes]:
        descriptor = os.open(content_path(self._folder, digest), os.O_RDONLY | os.O_CLOEXEC)
        try:
            for at, packed, start, unpacked in _frames(descriptor):
                if start + unpacked <= offset or start >= offset + length:
                    continue
                frame = decompress(read_exactly(descriptor, packed, at), unpacked)
                yield frame[max(0, offset - start) : offset + length - start]
        finally:
            os.close(descriptor)


def _frames(descriptor: int) -> Iterator[tuple[int, int, int, int]]:
    """(offset in the file, length there, offset in the body, length there) of each frame, from the seek table."""
    end = os.fstat(descriptor).st_size
    count, _, magic = _FOOTER.unpack(read_exactly(descriptor, _FOOTER.size, end - _FOOTER.size))
    if magic != _SEEKABLE or end < count * _ENTRY.size + _FOOTER.size:
        raise MapiError(Ec.ecError, "content file without its seek table")
    table = read_exactly(descriptor, count * _ENTRY.size, end - _FOOTER.size - count * _ENTRY.size)
    at = start = 0
    for packed, unpacked in _ENTRY.iter_unpack(table):
        yield at, packed, start, unpacked
        at += packed
        start += unpacked
