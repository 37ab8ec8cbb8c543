"""mbox files: read through a map, one message at a time, whatever way From lines are quoted in them; written as mboxrd.

A message begins at a line `From <address> <date>` behind an empty line or at the file's start. Where a Content-Length
leads exactly to the next such line it is believed (mboxcl, mboxcl2). `>From` lines lose a `>` unless the body shows
that nothing was quoted. What mbox programs keep in the header (Status, X-Keywords …) becomes flags and is left out.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from gromoxd.cli.transfer.eml import received_of
from gromoxd.cli.transfer.found import (
    LARGEST,
    Entry,
    Found,
    begin_file,
    crlf,
    files,
    finish_file,
    folder_path,
    lf,
    safe_name,
)
from gromoxd.convert.dates import parse_date
from gromoxd.exmdb.pages import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, is_imap_keyword

SUFFIXES: Final = (".mbox", ".mbx", "mbox")
_START = b"From "
_LONGEST_FROM = 300
_SEPARATOR = re.compile(
    rb"From [^\n]{0,200}?(?:\b\d{1,2}:\d\d\b[^\n]{0,40}?\b\d{4}\b|\b\d{4} +\d{1,2}:\d\d\b)[^\n]{0,40}(?:\n|\Z)"
)
_BLANK = re.compile(rb"\n(\r?\n)")
_CLOCK = re.compile(
    rb"([A-Z][a-z]{2}) +(\d{1,2}) +(\d{1,2}:\d\d(?::\d\d)?)(?: +([A-Z]{1,5}|[+-]\d{4}))?(?: +([A-Z]{1,5}))?"
    rb" +(\d{4})(?: +([+-]\d{4}))?"
)
_DATE = re.compile(rb"\d{1,2} [A-Z][a-z]{2} \d{4} [^\r\n]{5,40}")
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_UNQUOTED = re.compile(rb"^(>*From )", re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,12})[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_KEPT = re.compile(
    rb"^(status|x-status|x-keywords|x-uid|x-imap|x-imapbase|x-mozilla-status2?|x-mozilla-keys|content-length):"
    rb"[ \t]*((?:[^\n]|\n[ \t])*)\n",
    re.MULTILINE | re.IGNORECASE,
)
_STATUS = {b"R": SEEN, b"A": ANSWERED, b"F": FLAGGED, b"T": DRAFT, b"D": DELETED}
_MOZILLA = {0x1: SEEN, 0x2: ANSWERED, 0x4: FLAGGED, 0x8: DELETED}
_SEARCH_HEADER = 1 << 20


def read(path: str) -> Iterator[Found]:
    """A file, or all in a folder. The folders of Thunderbird (`Name.sbd` beside `Name`) become folders."""
    done = 0
    for name, way in _files(path):
        try:
            with open(name, "rb") as file:
                total = os.fstat(file.fileno()).st_size
                for found in _messages(file, name, total):
                    found.folder = way
                    found.done += done
                    yield found
                done += total
        except OSError as error:
            yield Found(name, way, error=error.strerror or str(error), done=done)


def _files(path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The mbox files: in a folder, each becomes a folder of its own name."""
    if not os.path.isdir(path):
        yield path, ()
        return
    for name, way in files(path, ""):
        base = os.path.basename(name)
        if not base.lower().endswith((".msf", ".dat", ".part")) and is_mbox(name):
            folders = tuple(part.removesuffix(".sbd") for part in way)
            yield name, (*folders, base.removesuffix(".mbox").removesuffix(".mbx"))


def is_mbox(path: str) -> bool:
    """Whether a file begins as an mbox does."""
    try:
        with open(path, "rb") as file:
            return file.read(2000).lstrip(b"\r\n").startswith(_START)
    except OSError:
        return False


def _messages(file: BinaryIO, name: str, total: int) -> Iterator[Found]:
    if not total:
        return
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        start = 0
        while start < total and octets[start : start + 1] in (b"\n", b"\r"):
            start += 1
        if octets[start : start + len(_START)] != _START:
            yield Found(name, error="not an mbox file: it does not begin with a From line", done=total)
            return
        number = 0
        while start < total:
            number += 1
            body = _line_end(octets, start)
            end, counted = _end(octets, body, total)
            found = Found(f"{name}, message {number}", done=end)
            if end - body > LARGEST:
                found.error = f"larger than {LARGEST} octets"
                yield found
            elif _fill(found, octets[start:body], octets[body:end], counted):
                yield found
            start = _next(octets, end, total)


def _line_end(octets: mmap.mmap, at: int) -> int:
    end = octets.find(b"\n", at)
    return len(octets) if end < 0 else end + 1


def _next(octets: mmap.mmap, end: int, total: int) -> int:
    """The From line behind a message's end."""
    while end < total and octets[end : end + 1] in (b"\n", b"\r"):
        end += 1
    return end


def _end(octets: mmap.mmap, body: int, total: int) -> tuple[int, bool]:
    """Where the message that begins at `body` ends, and whether its Content-Length said so."""
    head = octets[body : min(body + _SEARCH_HEADER, total)]
    blank = re.search(rb"\r?\n\r?\n", head)
    if blank is not None:
        said = _LENGTH.search(head, 0, blank.end())
        if said is not None:
            end = body + blank.end() + int(said.group(1))
            behind = _next(octets, end, total) if end <= total else -1
            if behind == total or (behind > end and _is_from(octets, behind)):
                return end, True
    at = body - 1
    while True:
        at = octets.find(b"\nFrom ", at)
        if at < 0:
            break
        if _is_from(octets, at + 1):
            if at == body - 1:
                return body, False
            if octets[at - 1 : at] == b"\n":
                return at, False
            if octets[at - 2 : at] == b"\n\r":
                return at - 1, False
        at += 1
    tail = octets[max(total - 4, body) : total]
    return total - (2 if tail.endswith(b"\n\r\n") else 1 if tail.endswith(b"\n\n") else 0), False


def _is_from(octets: mmap.mmap, at: int) -> bool:
    return _SEPARATOR.match(octets[at : at + _LONGEST_FROM]) is not None


def _fill(found: Found, line: bytes, data: bytes, counted: bool) -> bool:
    """The message without what mbox adds; False for the one that some programs keep their own figures in."""
    head, blank, body = _split(data)
    kept = {name.lower(): value.strip() for name, value in _KEPT.findall(head)}
    if b"x-imap" in kept and b"FOLDER INTERNAL DATA" in head:
        return False
    found.flags, found.keywords = _flags(kept)
    if not (counted and re.search(rb"^From ", body, re.MULTILINE)):
        body = _QUOTED.sub(rb"\1", body)
    own = _KEPT.sub(
        lambda match: b"" if counted or match.group(1).lower() != b"content-length" else match.group(), head
    )
    found.raw = crlf(own + blank + body)
    found.received = _date(line) or received_of(found.raw)
    if not found.raw.strip():
        found.error = "empty"
    return True


def _split(data: bytes) -> tuple[bytes, bytes, bytes]:
    if data[:1] == b"\n" or data[:2] == b"\r\n":
        return b"", data[: data.index(b"\n") + 1], data[data.index(b"\n") + 1 :]
    match = _BLANK.search(data)
    if match is None:
        return data if data.endswith(b"\n") else data + b"\n", b"", b""
    return data[: match.start(1)], match.group(1), data[match.end() :]


def _flags(kept: dict[bytes, bytes]) -> tuple[int, tuple[str, ...]]:
    flags = 0
    for letter, flag in _STATUS.items():
        if letter in kept.get(b"status", b"") + kept.get(b"x-status", b""):
            flags |= flag
    try:
        bits = int(kept.get(b"x-mozilla-status", b"0")[:4], 16)
    except ValueError:
        bits = 0
    for bit, flag in _MOZILLA.items():
        flags |= flag if bits & bit else 0
    words = (kept.get(b"x-keywords", b"") + b" " + kept.get(b"x-mozilla-keys", b"")).decode("utf-8", "replace")
    return flags, tuple(dict.fromkeys(word for word in words.replace(",", " ").split() if is_imap_keyword(word)))[:50]


def _date(line: bytes) -> int | None:
    """The time in a From line: that of asctime, with or without a zone, or as RFC 5322 writes it."""
    match = _CLOCK.search(line)
    if match is None:
        said = _DATE.search(line)
        text = said.group() if said is not None else b""
    else:
        month, day, clock, zone, other, year, offset = match.groups()
        text = b"%b %b %b %b %b" % (day, month, year, clock, offset or other or zone or b"+0000")
    times = parse_date(text)
    return times[0] if times is not None and times[0] > 0 else None


# ---------------------------------------------------------------------------------------------- writing


class Writer:
    """A file for each folder, made anew and put in place when it is whole: mboxrd, flags as mutt and Dovecot do."""

    def __init__(self, top: str) -> None:
        self.top = top
        self._open: dict[tuple[str, ...], tuple[str, BinaryIO]] = {}

    def put(self, entry: Entry) -> None:
        """Append one message to its folder's file."""
        if entry.folder not in self._open:
            folder = folder_path(self.top, entry.folder[:-1])
            path = os.path.join(folder, safe_name(entry.folder[-1] if entry.folder else "mail") + ".mbox")
            self.close()
            self._open[entry.folder] = (path, begin_file(path))  # closed by close
        file = self._open[entry.folder][1]
        file.write(from_line(entry.received) + quoted(lf(entry.raw()), entry.flags, entry.keywords) + b"\n")

    def close(self) -> None:
        """Put the files in place."""
        for path, file in self._open.values():
            file.close()
            finish_file(path)
        self._open.clear()


def from_line(received: int) -> bytes:
    """The line before a message."""
    import time

    return b"From MAILER-DAEMON " + time.asctime(time.gmtime(max(received, 0))).encode() + b"\n"


def quoted(raw: bytes, flags: int, keywords: tuple[str, ...]) -> bytes:
    """A message for a file, with its flags in the header."""
    head, blank, body = _split(raw)
    status = b"Status: " + (b"RO" if flags & SEEN else b"O") + b"\n"
    letters = b"".join([letter for letter, flag in _STATUS.items() if flag & flags and letter != b"R"])
    status += b"X-Status: " + letters + b"\n" if letters else b""
    status += b"X-Keywords: " + " ".join(keywords).encode() + b"\n" if keywords else b""
    text = head + status + (blank or b"\n") + _UNQUOTED.sub(rb">\1", body)
    return text if text.endswith(b"\n") else text + b"\n"
