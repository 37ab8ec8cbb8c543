"""The implementations of `gromoxd.exmdb.api.Exmdb` under one face, and shorthand for the calls the tests make."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import pages
from gromoxd.exmdb.api import SYSTEM, Exmdb, MailboxRef
from store.direct import DirectStore
from store.memory import MemoryStore
from store.settings import StoreSettings
from tests.contract.mail import digest_of
from tests.contract.served import ServedWorld

OWNER = "alice@example.test"
INBOX, SENT, DRAFTS, TRASH, JUNK, CALENDAR = 0x0D, 0x0A, 0x0E, 0x0B, 0x17, 0x0F


class World(Protocol):
    """One implementation, freshly made; `box` is an empty mailbox of OWNER."""

    store: Exmdb
    box: MailboxRef

    def die(self) -> None:
        """The worker whose connection carried the calls so far is gone; later calls come from another."""
        ...

    def close(self) -> None: ...


class MemoryWorld:
    def __init__(self, folder: Path) -> None:
        self.memory = MemoryStore({str(folder / "alice"): OWNER})
        self.store: Exmdb = self.memory
        self.box = MailboxRef(str(folder / "alice"))

    def die(self) -> None:
        self.memory.alive.discard(self.memory.connection)
        self.memory.connection += "+"
        self.memory.alive.add(self.memory.connection)

    def close(self) -> None:
        pass


class DirectWorld:
    def __init__(self, folder: Path, settings: StoreSettings | None = None) -> None:
        self.direct = DirectStore(str(folder), {str(folder / "alice"): OWNER}, settings)
        self.store: Exmdb = self.direct
        self.box = MailboxRef(str(folder / "alice"))

    def die(self) -> None:
        self.direct.reconnect()

    def close(self) -> None:
        self.direct.close()


IN_FILES = StoreSettings(content_inline_limit=1 << 10, index_cache_pages=16, tombstone_count=100)
"""Nearly every body in a file, hardly any page in memory."""

WORLDS: dict[str, Callable[[Path], World]] = {
    "memory": MemoryWorld,
    "sqlite": DirectWorld,
    "sqlite-files": lambda folder: DirectWorld(folder, IN_FILES),
    "served": lambda folder: ServedWorld(folder, OWNER),
}


class Mailbox:
    """Shorthand over a world's mailbox, as its owner."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._ids = itertools.count(1)

    def call(self, call: c.Call[Any], *, actor: str = OWNER, spool: BinaryIO | None = None) -> Any:
        return self.world.store.call(self.world.box, call, actor=actor, spool=spool)

    def refused(self, call: c.Call[Any], *, actor: str = OWNER) -> Ec:
        """The error code with which a call is refused."""
        try:
            result = self.call(call, actor=actor)
        except MapiError as error:
            return error.code
        raise AssertionError(f"not refused: {result!r}")

    def request_id(self) -> bytes:
        return b"request-%08d" % next(self._ids)

    def append(
        self,
        raw: bytes,
        fid: int = INBOX,
        *,
        flags: int = 0,
        keywords: list[str] | None = None,
        received: int = 1_000_000,
    ) -> c.Stored:
        message = c.NewMessage(digest_of(raw), raw, received, flags, keywords or [])
        stored: c.Stored = self.call(c.Append(fid, message, self.request_id()))
        return stored

    def deliver(self, raw: bytes, fingerprint: bytes = b"", request_id: bytes = b"") -> c.Stored:
        request_id = request_id or self.request_id()
        message = c.NewMessage(digest_of(raw), raw, 1_000_000)
        call = c.Deliver(message, "sender@example.org", request_id, fingerprint or b"of " + request_id)
        stored: c.Stored = self.call(call, actor=SYSTEM)
        return stored

    def create(self, path: str) -> c.Folder:
        folder: c.Folder = self.call(c.CreateFolder(path, request_id=self.request_id()))
        return folder

    def flag(self, uids: c.Ranges, mode: int, flags: int = 0, keywords: list[str] | None = None, **more: Any) -> Any:
        return self.call(c.SetFlags(more.pop("fid", INBOX), uids, mode, flags, keywords or [], **more))

    def copy(self, uids: c.Ranges, destination: int, *, move: bool = False, fid: int = INBOX) -> c.Copied:
        copied: c.Copied = self.call(c.CopyMessages(fid, uids, destination, move, self.request_id()))
        return copied

    def expunge(self, uids: c.Ranges, *, deleted_only: bool = False, fid: int = INBOX) -> c.Expunged:
        gone: c.Expunged = self.call(c.Expunge(fid, uids, deleted_only))
        return gone

    def state(self, fid: int = INBOX) -> pages.FolderState:
        return msgspec.msgpack.decode(self.call(c.GetFolderState(fid)), type=pages.FolderState)

    def keywords_of(self, flags: int) -> list[str]:
        sets = self.call(c.GetKeywordSets()).sets
        return sorted(sets[flags >> pages.KEYWORD_SHIFT])

    def index(self, fid: int = INBOX) -> dict[int, dict[str, Any]]:
        """uid -> what the folder's index pages say of it."""
        table = list(struct.iter_unpack("<IIQ", self.state(fid).pages))
        out: dict[int, dict[str, Any]] = {}
        encoded = self.call(c.GetPages(fid, [number for number, _, _ in table]))
        for (number, count, cn), data in zip(table, encoded, strict=True):
            page = pages.Page.decode(data)
            assert len(page.uids) == count
            assert max(page.modseqs) <= cn
            for i, uid in enumerate(page.uids):
                assert uid // pages.PAGE_SPAN == number
                out[uid] = {
                    "flags": page.flags[i] & pages.SYSTEM_MASK,
                    "keywords": self.keywords_of(page.flags[i]),
                    "size": page.sizes[i],
                    "received": page.received[i],
                    "sent": page.sent[i],
                    "modseq": page.modseqs[i],
                    "mid": page.mids[i],
                }
        assert list(out) == sorted(out)
        return out

    def contents(self, fid: int = INBOX, uids: c.Ranges | None = None) -> dict[int, bytes]:
        answer: list[c.Content] = self.call(c.GetContents(fid, uids or ALL))
        return {x.uid: x.raw for x in answer}

    def paths(self) -> dict[str, c.Folder]:
        return {f.path: f for f in self.call(c.ListFolders()).folders if f.path}


ALL: c.Ranges = [(1, 0xFFFFFFFF)]


def numbers(ranges: c.Ranges) -> list[int]:
    """Ranges spelt out."""
    return [n for first, last in ranges for n in range(first, last + 1)]
