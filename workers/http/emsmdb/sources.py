"""Copies of mail into another store that keep the form in which it came (RFC 5322), so that signatures hold.

What was delivered is appended there as it is; what its owner did to it since is set afterwards. What has no such form,
for a client has written or changed it, is not of this module.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, Final

import msgspec

from gromoxd.convert.digest import digest_at_once, digest_message
from gromoxd.convert.keptheader import transport_headers
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.pages import SEEN
from gromoxd.exmdb.working import Account, WorkingMessage, copy_properties
from gromoxd.exmdb.working.spool import unnamed_file
from gromoxd.exmdb.working.values import is_long
from gromoxd.mapi import proptags as p
from gromoxd.mapi.flags import MDN_SENT, MessageFlags
from gromoxd.mapi.named import FIRST_OWN
from gromoxd.mapi.times import unix_seconds

InThread = Callable[..., Any]
"""`Services.run_blocking`."""
PIECE: Final = 1 << 20
MOST_HEADER: Final = 1 << 20
_OF_THE_COPY: Final = frozenset((p.PidTagLastModificationTime, p.PidTagMessageDeliveryTime, p.PidTagRead))


def copy(old: WorkingMessage, destination: Account, fid: int, in_thread: InThread) -> bool:
    """Whether a copy of a mail could be made so. MapiError.

    Who may not change what he puts there gets it as it came, with its read mark.
    """
    header = old.get(p.PidTagTransportMessageHeaders) if old.uid else None
    if not isinstance(header, str):
        return False
    stored = _append(old, header, destination, fid, in_thread)
    if stored is None:
        return False
    new = WorkingMessage.open(destination, stored.mid)
    try:
        if new.writable:
            changed, gone = _differences(old, new)
            copy_properties(old, new, changed)
            new.delete(gone)
            if new.dirty:
                new.save()
    finally:
        new.discard()
    return True


def _append(old: WorkingMessage, header: str, to: Account, fid: int, in_thread: InThread) -> c.Stored | None:
    """None: the form is not that in which it came."""
    first = _read(old, 0)
    if not _came_so(first, header):
        return None
    arrived = old.value(p.PidTagMessageDeliveryTime)
    received = unix_seconds(arrived) if isinstance(arrived, int) else 0
    if len(first) < PIECE:
        digest = digest_at_once(first, received=received)
        if digest is None:
            digest = in_thread(partial(digest_message, first, received=received))
        return _store(old, c.NewMessage(digest, first, received), to, fid, None)
    try:
        with unnamed_file() as file:
            piece, offset = first, 0
            while piece:
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]
                offset += len(piece)
                piece = _read(old, offset) if len(piece) == PIECE else b""
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
                digest = in_thread(partial(digest_message, octets, received=received))
            return _store(old, c.NewMessage(digest, b"", received), to, fid, file)
    except OSError as error:
        raise MapiError(Ec.ecStorageFull, str(error)) from error


def _read(old: WorkingMessage, offset: int) -> bytes:
    return old.account.call(c.ReadContent(old.fid, old.uid, offset, PIECE))


def _came_so(first: bytes, header: str) -> bool:
    """Whether octets begin with the header of the mail that came: those made anew have another."""
    end = first.find(b"\r\n\r\n")
    own = first[: end + 2 if end >= 0 else MOST_HEADER]
    return _plain(transport_headers(own)) == _plain(header)


def _plain(text: str) -> str:
    return text.rstrip("\r\n\0")


def _store(old: WorkingMessage, new: c.NewMessage, to: Account, fid: int, spool: BinaryIO | None) -> c.Stored:
    flags = old.value(p.PidTagMessageFlags) or 0
    answered = not flags & MessageFlags.mfNotifyRead and old.value(p.PidTagReadReceiptRequested) is True
    new = msgspec.structs.replace(
        new, flags=SEEN if flags & MessageFlags.mfRead else 0, keywords=[MDN_SENT] if answered else []
    )
    call = c.Append(fid, new, os.urandom(16))
    return to.call(call) if spool is None else to.call(call, spool=spool)


def _differences(old: WorkingMessage, new: WorkingMessage) -> tuple[list[int], list[int]]:
    """What was set, and what was removed, since the mail came. Bodies and attachments are the form's own."""
    had, has = old.loaded().values, new.loaded().values
    own = _OF_THE_COPY | new.read_only
    changed = [
        tag
        for tag, value in had.items()
        if tag not in own and (tag >> 16 >= FIRST_OWN or (not is_long(value) and value != has.get(tag)))
    ]
    gone = [tag for tag in has if tag not in had and tag not in own and tag >> 16 < FIRST_OWN]
    return changed, gone
