"""What a migration by IMAP remembers of the other server: in the mailbox itself, as an associated message of its root.

It is found from any machine and goes where the mailbox goes. It says which flags a message had there when it was last
seen: only what changed there since is changed here, and what was deleted here stays deleted. That a message is here at
all is said by the message.
"""

from __future__ import annotations

import json
import time
import zlib
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from gromoxd.cli.migration.destination import BINARY, Destination, Known
from gromoxd.cli.migration.imapsource import Flags
from gromoxd.convert.item import Item
from gromoxd.exmdb.objects import ReadValue
from gromoxd.mapi.named import PS_PUBLIC_STRINGS, PropertyName
from gromoxd.mapi.proptags import PidTagMessageClass, PidTagSubject

CLASS: Final = "IPM.Configuration.Migration"
STATE: Final = PropertyName(PS_PUBLIC_STRINGS, "migration-state")
ROOT: Final = 0x01
LARGEST: Final = 256 << 20
SELDOM: Final = 30.0
"""Seconds between two times at which it is kept: it is written whole."""
_PIECE: Final = 1 << 20


@dataclass(slots=True)
class FolderState:
    """A folder there when it was last seen. `modseq` 0: the server has none."""

    uidvalidity: int = 0
    modseq: int = 0
    flags: dict[int, Flags] = field(default_factory=dict)


class State:
    """What is remembered of one log-in on another server."""

    def __init__(self, target: Destination, address: str) -> None:
        self._target = target
        self._address = address
        self.account = blake2b(address.encode(), digest_size=8, person=b"imap").digest()
        self.folders: dict[str, FolderState] = {}
        self._known: list[Known] = []
        self._saved = time.monotonic()
        for seen in target.associated(ROOT, PidTagMessageClass, PidTagSubject):
            if seen.props.get(PidTagMessageClass) == CLASS and seen.props.get(PidTagSubject) == address:
                self._known.append(seen.known)
        for known in sorted(self._known, key=lambda known: known.mid)[-1:]:
            self._read(known)

    def _read(self, known: Known) -> None:
        self._target.names.learn([STATE])
        tag = self._target.names.id_of(STATE) << 16 | BINARY
        octets = b""
        while True:
            piece = self._target.call(ReadValue(known.mid, tag, len(octets), _PIECE))
            octets += piece
            if len(piece) < _PIECE:
                break
        self.folders = _decoded(octets)

    def save(self, *, now: bool = False) -> None:
        """Keep it, from time to time or now; what was kept before goes afterwards."""
        if self._target.dry or (not now and time.monotonic() < self._saved + SELDOM):
            return
        self._saved = time.monotonic()
        item = Item({PidTagMessageClass: CLASS, PidTagSubject: self._address})
        item.props[item.foreign_id(STATE) << 16 | BINARY] = _encoded(self.folders)
        saved = self._target.save(ROOT, item, b"", associated=True)
        for known in self._known:
            self._target.delete(known, hard=True)
        self._known = [Known(ROOT, saved.mid, 0, 0, ())]


def _encoded(folders: dict[str, FolderState]) -> bytes:
    found = {
        name: [one.uidvalidity, one.modseq, {uid: [f.bits, *f.keywords] for uid, f in one.flags.items()}]
        for name, one in folders.items()
    }
    return zlib.compress(json.dumps(found, separators=(",", ":")).encode())


def _decoded(octets: bytes) -> dict[str, FolderState]:
    """Nothing of what is not of this form: it is made anew then."""
    try:
        unpacked = zlib.decompressobj().decompress(octets, LARGEST)
        found: dict[str, Any] = json.loads(unpacked)
        return {
            name: FolderState(int(validity), int(modseq), {int(uid): _flags(row) for uid, row in rows.items()})
            for name, (validity, modseq, rows) in found.items()
        }
    except (zlib.error, ValueError, TypeError, AttributeError):
        return {}


def _flags(row: list[Any]) -> Flags:
    return Flags(int(row[0]), tuple(map(str, row[1:])))
