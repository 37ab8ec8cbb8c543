"""A mailbox of the engine with everything around it under the test's control: arena, clock, living clients, events."""

from __future__ import annotations

import itertools
import os
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from gromoxd.convert import mime
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import keys, pages
from gromoxd.exmdb.api import SYSTEM
from store.direct import DictArena
from store.mailbox import Mailbox, Write
from store.settings import StoreSettings

OWNER = "alice@example.test"
INBOX, SENT, DRAFTS = 0x0D, 0x0A, 0x0E
ALL: c.Ranges = [(1, 0xFFFFFFFF)]
ALIVE, DEAD = b"living instance!", b"dead instance..."


def mail(number: int, body: str = "", header: str = "") -> bytes:
    """A message that differs from every other number's."""
    text = body or f"This is body {number}."
    return f"From: s{number}@example.org\r\nSubject: Message {number}\r\n{header}\r\n{text}\r\n".encode()


def digest(raw: bytes, **more: Any) -> c.Digest:
    """A digest made by hand, as of a message with one text part."""
    head = raw.find(b"\r\n\r\n") + 4
    values: dict[str, Any] = {
        "size": len(raw), "header_size": head, "sent": 1_000_000, "envelope": b"(envelope)",
        "bodystructure": b"(structure)", "parts": mime.encode(mime.scan(raw)), "message_id": "id@example.org",
        "from_key": "s@example.org", "to_key": "to", "cc_key": "cc", "bcc_key": "bcc", "subject_key": "message",
        "message_class": "IPM.Note", "props": b"\x80", "recipients": b"\x90", "attachments": [],
    }  # fmt: skip
    return c.Digest(**(values | more))


def new(raw: bytes, flags: int = 0, keywords: list[str] | None = None, **more: Any) -> c.NewMessage:
    return c.NewMessage(digest(raw, **more), raw, 1_700_000_000, flags, keywords or [])


class Harness:
    """An open mailbox; `reopen` closes it and opens it again."""

    def __init__(self, folder: Path, settings: StoreSettings | None = None) -> None:
        self.folder = folder
        self.settings = settings or StoreSettings()
        self.arena: DictArena | None = DictArena()
        self.clock = 1_800_000_000.0
        self.told: list[int] = []
        self.alive = {ALIVE}
        self.peek: list[c.GetPages] = []
        """Reads made in the loop between the next commit and its publication."""
        self._ids = itertools.count(1)
        self._prefix = os.urandom(8)
        self.open()

    def open(self) -> None:
        self.box = Mailbox(
            str(self.folder), owner=OWNER, node="node1", settings=self.settings, arena=self.arena,
            notify=self.told.append, is_alive=lambda instance: instance in self.alive, now=lambda: self.clock,
        )  # fmt: skip

    def close(self) -> None:
        self.box.close()

    def reopen(self) -> None:
        self.close()
        self.open()

    # ------------------------------------------------------------------------------------------ calls

    def batch(self, *calls: c.Call[Any], instance: bytes = ALIVE, spool: int = -1, actor: str = SYSTEM) -> list[Any]:
        """One batch; a result or exception per call. As in the service, it runs on another thread."""
        done: list[Any] = []
        writes = [Write(call, actor, instance, spool) for call in calls]
        thread = threading.Thread(target=lambda: done.append(self.box.run_batch(writes)))
        thread.start()
        thread.join()
        while self.peek:
            self.call(self.peek.pop())
        return self.box.publish(done[0])

    def call(self, call: c.Call[Any], **more: Any) -> Any:
        """One call, of whatever kind; raises its error."""
        if call.writes or isinstance(call, c.Confirm):
            result = self.batch(call, **more)[0]
            if isinstance(result, Exception):
                raise result
            return result
        read = self.box.read_long if self.box.is_long(call) else self.box.read
        return read(call, more.get("actor", SYSTEM))

    def refused(self, call: c.Call[Any], **more: Any) -> Ec:
        with pytest.raises(MapiError) as caught:
            self.call(call, **more)
        return caught.value.code

    def request_id(self) -> bytes:
        return self._prefix + b"%08d" % next(self._ids)

    def append(self, raw: bytes, fid: int = INBOX, **more: Any) -> c.Stored:
        stored: c.Stored = self.call(c.Append(fid, new(raw, **more), self.request_id()))
        return stored

    def fill(self, count: int, fid: int = INBOX) -> None:
        """Small messages, many at once."""
        results = self.batch(*(c.Append(fid, new(mail(n)), b"") for n in range(1, count + 1)))
        assert [type(r) for r in results] == [c.Stored] * count

    def state(self, fid: int = INBOX) -> pages.FolderState:
        return msgspec.msgpack.decode(self.call(c.GetFolderState(fid)), type=pages.FolderState)

    def contents(self, fid: int = INBOX) -> dict[int, bytes]:
        return {x.uid: x.raw for x in self.call(c.GetContents(fid, ALL, 1 << 30))}

    def pages(self, fid: int = INBOX) -> dict[int, tuple[int, pages.Page]]:
        """number -> (cn of the state, page as answered)."""
        table = list(struct.iter_unpack("<IIQ", self.state(fid).pages))
        answers = self.call(c.GetPages(fid, [number for number, _, _ in table]))
        out = {}
        for (number, count, cn), data in zip(table, answers, strict=True):
            page = pages.Page.decode(data)
            assert len(page.uids) == count
            out[number] = (cn, page)
        return out

    def flags(self, fid: int = INBOX) -> dict[int, int]:
        return {u: f for _, page in self.pages(fid).values() for u, f in zip(page.uids, page.flags, strict=True)}

    def published_page(self, fid: int, number: int) -> tuple[int, bytes] | None:
        assert self.arena is not None
        value = self.arena.get(keys.page(str(self.folder), fid, number))
        return None if value is None else (int.from_bytes(value[:8], "little"), value[8:])

    def published_state(self, fid: int) -> pages.FolderState | None:
        assert self.arena is not None
        value = self.arena.get(keys.folder_state(str(self.folder), fid))
        return None if value is None else msgspec.msgpack.decode(value, type=pages.FolderState)

    def sql(self, sql: str, *args: Any) -> list[Any]:
        """A query on the writer's connection."""
        return self.db.execute(sql, args).fetchall()

    def sql_closed(self, sql: str) -> tuple[Any, ...]:
        """The first row of a query on the file of a mailbox that is closed."""
        db = apsw.Connection(str(self.folder / "mailbox.sqlite3"))
        try:
            row: tuple[Any, ...] = db.execute(sql).fetchone()
            return row
        finally:
            db.close()

    @property
    def db(self) -> Any:
        return self.box._runner.tx.db

    def files(self) -> list[Path]:
        """Content files and what else lies below cid/."""
        return sorted(p for p in (self.folder / "cid").rglob("*") if p.is_file())


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Harness]]:
    """Open a mailbox with settings of one's own."""
    made: list[Harness] = []

    def open_one(**values: Any) -> Harness:
        made.append(Harness(tmp_path / f"box{len(made)}", StoreSettings(**values)))
        return made[-1]

    yield open_one
    for harness in made:
        harness.close()


@pytest.fixture
def box(make: Callable[..., Harness]) -> Harness:
    return make()
