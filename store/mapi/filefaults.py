"""What may be wrong with a mailbox's content files, and, read to the end, with all octets and properties in it.

Not to be asked in a transaction: files come and go meanwhile, and a query must see what is committed.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import apsw
import msgspec
import zstandard

from gromoxd.convert.mime import decode_parts
from gromoxd.errors import MapiError, WireError
from gromoxd.exmdb.upkeepcalls import Fault
from gromoxd.mapi.bag import decode_bag, decode_bags
from store.content import FILE, HASH_SIZE, ContentReader
from store.mapi.faults import Checked, Find
from store.pace import Pace
from store.sql import row, rows_once

YOUNG = 60.0
"""A file of this age may be about to be referred to."""
WAITING = "tmp"
"""The folder of files that have no name yet."""
PIECE, PIECE_OCTETS = 2000, 64 << 20
"""Rows and octets that are read at a time."""


# ---------------------------------------------------------------------------------------------- files


def files(checked: Checked) -> Iterator[Fault]:
    """Content files that are missing or have not the length that their row says."""
    pace = Pace()
    reader = ContentReader(checked.files)
    sql = f"SELECT cid, hash, size FROM content WHERE kind={FILE} AND length(hash)={HASH_SIZE}"
    for cid, digest, size in rows_once(checked.db, sql):
        pace.step()
        try:
            length = reader.length(digest)
        except FileNotFoundError:
            if row(checked.db, "SELECT 1 FROM content WHERE cid=?", (cid,)) is not None:
                yield Fault(0, cid, f"the file {digest.hex()} of {size} octets is missing")
            continue
        except (MapiError, OSError) as error:
            yield Fault(0, cid, f"the file {digest.hex()} is not readable: {error}")
            continue
        if length != size:
            yield Fault(0, cid, f"the file {digest.hex()} is of {length} octets, not {size}")


class Leftover(NamedTuple):
    """A file below cid/ that nothing refers to; `digest` b'': it was never finished."""

    path: str
    digest: bytes
    size: int


def leftovers(checked: Checked) -> Iterator[Leftover]:
    """Files that nothing refers to, but for those that were written just now."""
    pace = Pace()
    before = time.time() - YOUNG
    for folder in sorted(_names(checked.files)):
        place = os.path.join(checked.files, folder)
        for name in sorted(_names(place)):
            pace.step()
            digest = _digest(folder, name)
            if not digest and folder != WAITING:
                continue
            sql = "SELECT 1 FROM content WHERE hash=? LIMIT 1"
            if digest and row(checked.db, sql, (digest,)) is not None:
                continue
            try:
                found = os.stat(os.path.join(place, name))
            except FileNotFoundError:
                continue
            if found.st_mtime < before and stat.S_ISREG(found.st_mode):
                yield Leftover(os.path.join(place, name), digest, found.st_size)


def _digest(folder: str, name: str) -> bytes:
    """The hash that a content file is named by, b'' for another file."""
    try:
        digest = bytes.fromhex(name)
    except ValueError:
        return b""
    return digest if len(digest) == HASH_SIZE and folder == name[:2] else b""


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _leftovers(checked: Checked) -> Iterator[Fault]:
    for found in leftovers(checked):
        name = os.path.relpath(found.path, checked.files)
        yield Fault(0, 0, f"the file {name} of {found.size} octets")


# ---------------------------------------------------------------------------------------------- everything read


def octets(checked: Checked, after: int) -> tuple[list[Fault], int]:
    """Contents after one whose octets are not those that were stored; where to go on, 0 at the end."""
    pace = Pace()
    reader = ContentReader(checked.files)
    found: list[Fault] = []
    read, at = 0, after
    sql = "SELECT cid, kind, hash, size, body FROM content WHERE cid > ? ORDER BY cid LIMIT ?"
    lines = checked.db.execute(sql, (after, PIECE), can_cache=False)
    for count, (cid, *stored) in enumerate(lines, 1):
        pace.step()
        text = _difference(reader, *stored)
        if text:
            found.append(Fault(0, cid, text))
        read, at = read + stored[2], cid
        if read >= PIECE_OCTETS or count == PIECE:
            lines.close()
            return found, at
    return found, 0


def _difference(reader: ContentReader, kind: int, digest: bytes | None, size: int, body: bytes | None) -> str:
    try:
        if kind != FILE:
            length = len(reader.body(kind, digest, size, body))
            return "" if length == size else f"{length} octets, not {size}"
        sum_ = hashlib.blake2b(digest_size=HASH_SIZE)
        for block in reader.blocks(digest or b""):
            sum_.update(block)
        return "" if sum_.digest() == digest else f"the octets of file {(digest or b'').hex()} are others"
    except FileNotFoundError:
        return ""  # which `files` tells
    except (zstandard.ZstdError, MapiError, OSError, ValueError) as error:
        return f"not readable: {error}"


_PROPERTIES = "SELECT did, props, recipients, parts FROM message_data WHERE did > ? ORDER BY did LIMIT ?"
_ATTACHMENTS = "SELECT did, num, props FROM attachments WHERE did > ? AND did <= ?"
_OTHERS = (
    ("the store", "SELECT 0, props FROM store_props"), ("a folder", "SELECT fid, props FROM folder_props"),
    ("a rule of a folder", "SELECT fid, props FROM rules"),
)  # fmt: skip


def properties(checked: Checked, after: int) -> tuple[list[Fault], int]:
    """Data rows after one of which something cannot be decoded; where to go on, 0 at the end."""
    pace = Pace()
    found: list[Fault] = []
    if not after:
        found += _other_bags(checked.db)
    last = count = 0
    for did, *stored in rows_once(checked.db, _PROPERTIES, (after, PIECE)):
        pace.step()
        for what, octets_, decode in zip(_COLUMNS, stored, _DECODERS, strict=True):
            _try(found, 0, did, what, octets_, decode)
        last, count = did, count + 1
    for did, num, octets_ in rows_once(checked.db, _ATTACHMENTS, (after, last)):
        pace.step()
        _try(found, 0, did, f"properties of attachment {num}", octets_, decode_bag)
    return found, last if count == PIECE else 0


_COLUMNS = ("properties", "recipients", "structure")
_DECODERS: tuple[Callable[[bytes], Any], ...] = (decode_bag, decode_bags, decode_parts)


def _other_bags(db: apsw.Connection) -> list[Fault]:
    found: list[Fault] = []
    for what, sql in _OTHERS:
        for fid, octets_ in rows_once(db, sql):
            _try(found, fid, 0, f"properties of {what}", octets_, decode_bag)
    return found


def _try(found: list[Fault], fid: int, did: int, what: str, octets_: bytes, decode: Callable[[bytes], Any]) -> None:
    try:
        decode(octets_)
    except (WireError, msgspec.DecodeError, ValueError, TypeError) as error:
        found.append(Fault(fid, did, f"{what} are not readable: {error}"))


FINDS: Final[dict[str, dict[str, Find]]] = {"files": {"": files}, "leftovers": {"": _leftovers}}
"""As `store.mapi.faults.FINDS`."""

PIECEMEAL: Final[dict[str, Callable[[Checked, int], tuple[list[Fault], int]]]] = {
    "octets": octets, "properties": properties,
}  # fmt: skip
"""Kinds that are looked for piece by piece."""
