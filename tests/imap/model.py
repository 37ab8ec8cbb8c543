"""A folder as plain rows, with its encoding as state and pages: the model against which views are checked."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gromoxd.exmdb import pages
from workers.imap.view import IndexPage, View


@dataclass
class Row:
    uid: int
    flags: int = 0
    modseq: int = 1
    size: int = 100
    received: int = 1_700_000_000
    sent: int = 1_700_000_000


@dataclass
class Folder:
    """Rows by uid; every change takes a number."""

    rows: dict[int, Row] = field(default_factory=dict)
    uidnext: int = 1
    cn: int = 1
    page_cns: dict[int, int] = field(default_factory=dict)
    _made: dict[tuple[int, int], IndexPage] = field(default_factory=dict)

    def touch(self, uid: int) -> int:
        self.cn += 1
        self.page_cns[uid // pages.PAGE_SPAN] = self.cn
        return self.cn

    def append(self, gap: int = 0, **fields: Any) -> int:
        uid = self.uidnext + gap
        self.uidnext = uid + 1
        self.rows[uid] = Row(uid, modseq=self.touch(uid), **fields)
        return uid

    def set_flags(self, uid: int, flags: int) -> None:
        self.rows[uid].flags = flags
        self.rows[uid].modseq = self.touch(uid)

    def expunge(self, uid: int) -> None:
        del self.rows[uid]
        self.touch(uid)

    def view(self) -> View:
        """What a worker would build."""
        table, refs = b"", []
        numbers = sorted({uid // pages.PAGE_SPAN for uid in self.rows})
        for number in numbers:
            cn = self.page_cns[number]
            made = self._made.get((number, cn))
            if made is None:
                made = self._made[number, cn] = IndexPage(number, cn, self.page(number))
            refs.append(made)
            table += struct.pack("<IIQ", number, len(made), cn)
        unseen = sum(not r.flags & pages.SEEN for r in self.rows.values())
        state = pages.FolderState(7, 7, self.uidnext, len(self.rows), unseen, self.uidnext, self.cn, 0, table)
        return View(msgspec.msgpack.encode(state), state, tuple(refs))

    def page(self, number: int) -> pages.Page:
        page = pages.Page()
        for row in sorted(self.rows.values(), key=lambda r: r.uid):
            if row.uid // pages.PAGE_SPAN == number:
                page.uids.append(row.uid)
                page.flags.append(row.flags)
                page.sizes.append(row.size)
                page.received.append(row.received)
                page.sent.append(row.sent)
                page.modseqs.append(row.modseq)
                page.mids.append(row.uid + 1000)
        return page


def rows_of(view: View) -> list[tuple[int, int]]:
    """(uid, flags) of every message."""
    return [(u, f) for ref in view.refs for u, f in zip(ref.page.uids, ref.page.flags, strict=True)]
