"""Gives people the files of their organisation's offline address book; has the book made when there is none yet.

Clients load them with BITS, which asks for sizes by HEAD and for ranges. Files never change but the manifest.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from email.utils import formatdate
from typing import Final, NamedTuple

import gevent
from gevent.event import Event

from gromoxd.addressbook.reader import Book
from gromoxd.errors import MapiError
from gromoxd.oab import build, manifest, spawn
from gromoxd.oab.records import book_domains
from gromoxd.oab.settings import OabSettings
from workers.http.addressbook import address_books
from workers.http.front import Headers, Refused, Reply, Request
from workers.http.oab.ranges import Range, Unsatisfiable, matches, not_after, parse_ranges, same_representation
from workers.http.site import Site

log = logging.getLogger(__name__)
PIECE: Final = 256 << 10
LIMIT: Final = 3600.0
RETRY: Final = "30"
BOUNDARY: Final = "gromoxd-oab-5c1f0a9be2d7"
_FILE: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-[a-z0-9]{1,20}-\d{1,12}\.lzx")
_TYPES: Final = {".xml": "text/xml", ".lzx": "application/octet-stream"}


class Opened(NamedTuple):
    """A file that is open, as it is now."""

    descriptor: int
    size: int
    modified: int
    etag: str
    kind: str

    @property
    def headers(self) -> Headers:
        return [
            ("ETag", self.etag), ("Last-Modified", formatdate(self.modified, usegmt=True)), ("Accept-Ranges", "bytes"),
            ("Cache-Control", "private, no-cache"),
        ]  # fmt: skip


class Service:
    """One of a worker process."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._making: dict[str, Event] = {}

    # ------------------------------------------------------------------------------------------ which file

    def answer(self, request: Request) -> Reply:
        """GET and HEAD."""
        return self._reply(request, self._open(self._path(request)))

    def _path(self, request: Request) -> str:
        """The file that is asked for. Refused (404) unless it is one of the user's own organisation."""
        parts = request.path.split("/")[2:]
        guids = book_domains(self._book(request))
        if len(parts) == 2 and parts.pop(0) not in guids:
            raise Refused(404, "not found")
        name = parts[0] if len(parts) == 1 else ""
        if name != manifest.NAME and not _FILE.fullmatch(name):
            raise Refused(404, "not found")
        folder = build.folder_of(self._site.ctx.site, guids[0])
        if not os.path.exists(os.path.join(folder, manifest.NAME)):
            self._make(guids[0], folder)
        return os.path.join(folder, name)

    def _book(self, request: Request) -> Book:
        try:
            user = request.user
            return address_books(self._site).book(user.domain_id, self._site.people.organisation, user.id)
        except MapiError as error:
            log.warning("no address book", extra={"error": str(error)})
            raise _later() from None

    # ------------------------------------------------------------------------------------------ making one

    def _make(self, guid: str, folder: str) -> None:
        """Have the book made by a process, and wait for it a while. Refused (503): it is not ready yet."""
        made = self._making.get(guid)
        if made is None:
            made = self._making[guid] = Event()
            gevent.spawn(self._run, guid, made)
        made.wait(self._site.ctx.config.get(OabSettings).oab_wait)
        if not os.path.exists(os.path.join(folder, manifest.NAME)):
            raise _later()

    def _run(self, guid: str, made: Event) -> None:
        generations = self._site.ctx.config.get(OabSettings).oab_generations
        try:
            spawn.publish(self._site.ctx.site, self._site.people.organisation, generations, LIMIT, guid)
        finally:
            del self._making[guid]
            made.set()

    # ------------------------------------------------------------------------------------------ the reply

    def _open(self, path: str) -> Opened:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            raise Refused(404, "not found") from None
        status = os.fstat(descriptor)
        etag = f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"'
        return Opened(descriptor, status.st_size, int(status.st_mtime), etag, _TYPES[path[-4:]])

    def _reply(self, request: Request, file: Opened) -> Reply:
        status = _condition(request, file)
        ranges: list[Range] = []
        if status == 200:
            try:
                ranges = _ranges(request, file)
            except Unsatisfiable:
                os.close(file.descriptor)
                return Reply(416, [*file.headers, ("Content-Range", f"bytes */{file.size}")])
        if status != 200 or request.method == "HEAD":
            os.close(file.descriptor)
            size: Headers = [("Content-Type", file.kind), ("Content-Length", str(file.size))]
            return Reply(status, [*file.headers, *(size if status == 200 else [])])
        if not ranges:
            body = self._pieces(file, [(b"", Range(0, file.size - 1))], b"")
            return Reply(200, [*file.headers, *_sized(file.kind, file.size)], body)
        if len(ranges) == 1:
            about = [*_sized(file.kind, ranges[0].size), ("Content-Range", _told(ranges[0], file))]
            return Reply(206, [*file.headers, *about], self._pieces(file, [(b"", ranges[0])], b""))
        return self._several(file, ranges)

    def _several(self, file: Opened, ranges: list[Range]) -> Reply:
        """multipart/byteranges, RFC 9110 14.6."""
        parts = []
        for one in ranges:
            head = f"\r\n--{BOUNDARY}\r\nContent-Type: {file.kind}\r\nContent-Range: {_told(one, file)}\r\n\r\n"
            parts.append((head.encode(), one))
        end = f"\r\n--{BOUNDARY}--\r\n".encode()
        size = sum(len(head) + one.size for head, one in parts) + len(end)
        about = _sized(f"multipart/byteranges; boundary={BOUNDARY}", size)
        return Reply(206, [*file.headers, *about], self._pieces(file, parts, end))

    def _pieces(self, file: Opened, parts: list[tuple[bytes, Range]], end: bytes) -> Pieces:
        return Pieces(self._site, file.descriptor, parts, end)


class Pieces:
    """Parts of a file, read piece by piece off the loop; `close` closes it."""

    def __init__(self, site: Site, descriptor: int, parts: list[tuple[bytes, Range]], end: bytes) -> None:
        self._site, self._descriptor, self._parts, self._end = site, descriptor, parts, end

    def __iter__(self) -> Iterator[bytes]:
        read = self._site.services.run_blocking
        for head, one in self._parts:
            yield head
            at = one.first
            while at <= one.last:
                piece = read(os.pread, self._descriptor, min(PIECE, one.last + 1 - at), at)
                if not piece:
                    raise OSError("file of an offline address book is shorter than it was")
                yield piece
                at += len(piece)
        yield self._end

    def close(self) -> None:
        """Once for each reply, whether its body was sent or not."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _later() -> Refused:
    return Refused(503, "the offline address book is being made", [("Retry-After", RETRY)])


def _sized(kind: str, size: int) -> Headers:
    return [("Content-Type", kind), ("Content-Length", str(size))]


def _told(one: Range, file: Opened) -> str:
    return f"bytes {one.first}-{one.last}/{file.size}"


def _condition(request: Request, file: Opened) -> int:
    """200, 304 or 412 (RFC 9110 13.2.2)."""
    wanted = request.header("if-match")
    if wanted:
        if not matches(wanted, file.etag, weak=False):
            return 412
    elif not_after(request.header("if-unmodified-since"), file.modified) is False:
        return 412
    known = request.header("if-none-match")
    if known:
        return 304 if matches(known, file.etag, weak=True) else 200
    return 304 if not_after(request.header("if-modified-since"), file.modified) else 200


def _ranges(request: Request, file: Opened) -> list[Range]:
    """Unsatisfiable."""
    wanted, known = request.header("range"), request.header("if-range")
    if not wanted or request.method != "GET":
        return []
    if known and not same_representation(known, file.etag, file.modified):
        return []
    return parse_ranges(wanted, file.size)
