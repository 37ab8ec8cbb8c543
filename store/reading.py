"""Read calls: what answers them from the database. One `Reader` per thread; each statement sees one committed state."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from struct import Struct
from typing import Any, NamedTuple

import apsw

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.pages import PAGE_SPAN, Page
from gromoxd.exmdb.ranges import to_ranges
from gromoxd.mapi import compare, sqlrestriction
from store.changes import Figures, Pieces
from store.content import ContentReader
from store.ranges import checked
from store.sql import row, rows

MOST_PIECES, LONGEST_READ = 1000, 1 << 20
_PAIR = Struct("<II")
_ENTRY = Struct("<IIQ")
_EMPTY = "x''"
JOIN_DATA = " CROSS JOIN message_data d ON d.did = m.did"
JOIN_CONTENT = JOIN_DATA + " CROSS JOIN content c ON c.cid = d.cid"
STORED = "c.kind, c.hash, c.size, c.body"
"""The columns that `ContentReader.body` takes."""


class LoadedPage(NamedTuple):
    """A page from the database; `as_of` is the folder's change number at that moment, `cn` the page's."""

    page: Page
    cn: int
    as_of: int


class LoadedFolder(NamedTuple):
    """A folder from the database; `table` as in pages.FolderState.pages."""

    figures: Figures
    table: bytes
    as_of: int


def _pieces_sql(what: int) -> str:
    both = what & (c.ENVELOPE | c.BODYSTRUCTURE)
    columns = ["d.envelope", "d.bodystructure"] if both else [_EMPTY, _EMPTY]
    columns.append("c.head" if what & c.HEADER else _EMPTY)
    columns.append("d.parts" if what & c.PARTS else _EMPTY)
    join = JOIN_CONTENT if what & c.HEADER else JOIN_DATA
    return (
        f"SELECT m.fid, m.uid, m.mid, {', '.join(columns)} FROM messages m{join}"
        " WHERE m.fid=? AND m.uid BETWEEN ? AND ? ORDER BY m.uid LIMIT ?"
    )


PIECES_SQL = [_pieces_sql(what) for what in range(16)]
CONTENTS_SQL = (
    f"SELECT m.uid, m.size, c.head, {STORED} FROM messages m{JOIN_CONTENT}"
    " WHERE m.fid=? AND m.uid BETWEEN ? AND ? ORDER BY m.uid"
)
PAGE_SQL = (
    "SELECT uid, flags, size, received, sent, modseq, mid FROM messages"
    " WHERE fid=? AND uid BETWEEN ? AND ? ORDER BY uid"
)


class Reader:
    """Reads on one connection."""

    def __init__(self, db: apsw.Connection, content_folder: str) -> None:
        self.db = db
        self.content = ContentReader(content_folder)
        functions: dict[str, Callable[..., Any]] = {"fold_key": compare.fold}
        functions |= {name: sqlrestriction.null_safe(fold) for name, fold in sqlrestriction.FUNCTIONS.items()}
        for name, function in functions.items():
            db.create_scalar_function(name, function, 1, deterministic=True)

    def close(self) -> None:
        self.db.close()

    # ------------------------------------------------------------------------------------------ index

    def page(self, fid: int, number: int) -> LoadedPage | None:
        """An index page, or None when it has no messages."""
        db = self.db
        db.execute("BEGIN")
        try:
            entry = row(
                db,
                "SELECT p.cn, f.cn FROM pages p JOIN folders f USING (fid) WHERE p.fid=? AND p.number=?",
                (fid, number),
            )
            if entry is None:
                return None
            first = number * PAGE_SPAN
            lines = rows(db, PAGE_SQL, (fid, first, first + PAGE_SPAN - 1))
        finally:
            db.execute("COMMIT")
        page = Page()
        if lines:
            uids, flags, sizes, received, sent, modseqs, mids = zip(*lines, strict=True)
            page.uids, page.flags, page.sizes = array("I", uids), array("I", flags), array("I", sizes)
            page.received, page.sent = array("I", received), array("i", sent)
            page.modseqs, page.mids = array("Q", modseqs), array("Q", mids)
        return LoadedPage(page, entry[0], entry[1])

    def folder(self, fid: int) -> LoadedFolder:
        """A folder's figures and its table of pages. ecNotFound."""
        db = self.db
        db.execute("BEGIN")
        try:
            found = row(
                db,
                "SELECT f.uidvalidity, f.uidnext, f.messages, f.unseen, f.recent_uid, f.cn, f.size"
                " FROM folders f WHERE f.fid=?",
                (fid,),
            )
            if found is None:
                raise MapiError(Ec.ecNotFound, f"folder {fid:#x}")
            entries = rows(db, "SELECT number, count, cn FROM pages WHERE fid=? ORDER BY number", (fid,))
        finally:
            db.execute("COMMIT")
        return LoadedFolder(Figures(*found), b"".join([_ENTRY.pack(*entry) for entry in entries]), found[5])

    def vanished(self, call: c.GetVanished) -> c.Vanished:
        """calls.GetVanished."""
        folder = row(self.db, "SELECT pruned_cn FROM folders WHERE fid=?", (call.fid,))
        if folder is None:
            raise MapiError(Ec.ecNotFound, f"folder {call.fid:#x}")
        pairs: list[tuple[int, int]] = []
        sql = "SELECT uids FROM tombstones WHERE fid=? AND cn>?"
        for (uids,) in rows(self.db, sql, (call.fid, call.since)):
            pairs += _PAIR.iter_unpack(uids)
        return c.Vanished(_joined(pairs), call.since >= folder[0])

    # ------------------------------------------------------------------------------------------ messages

    def pieces(self, call: c.GetPieces) -> tuple[list[c.Piece], list[Pieces]]:
        """calls.GetPieces; also the envelopes and structures to publish."""
        what = call.what & 15
        found: list[tuple[int, int, int, bytes, bytes, bytes, bytes]] = []
        for first, last in checked(call.uids):
            left = MOST_PIECES + 1 - len(found)
            found += rows(self.db, PIECES_SQL[what], (call.fid, first, last, left))
            if len(found) > MOST_PIECES:
                raise MapiError(Ec.ecInvalidParam, "more than 1,000 messages")
        publish: list[Pieces] = []
        both = c.ENVELOPE | c.BODYSTRUCTURE
        if what & both:
            publish = [Pieces(fid, mid, uid, env, bs) for fid, uid, mid, env, bs, _, _ in found]
        if what & both == both or not what & both:
            return [c.Piece(uid, env, bs, head, parts) for _, uid, _, env, bs, head, parts in found], publish
        if what & c.ENVELOPE:
            return [c.Piece(uid, env, b"", head, parts) for _, uid, _, env, _, head, parts in found], publish
        return [c.Piece(uid, b"", bs, head, parts) for _, uid, _, _, bs, head, parts in found], publish

    def contents(self, call: c.GetContents) -> list[c.Content]:
        """calls.GetContents."""
        found: list[c.Content] = []
        gathered = 0
        for first, last in checked(call.uids):
            cursor = self.db.execute(CONTENTS_SQL, (call.fid, first, last))
            try:
                for uid, size, head, *stored in cursor:
                    if gathered and gathered + size > call.limit:
                        return found
                    if size > call.limit:
                        found.append(c.Content(uid, size, b""))
                        continue
                    try:
                        raw = head + self.content.body(*stored)
                    except FileNotFoundError:
                        continue
                    gathered += size
                    found.append(c.Content(uid, size, raw))
            finally:
                cursor.close()
            if gathered >= call.limit:
                break
        return found

    def read_content(self, call: c.ReadContent) -> bytes:
        """calls.ReadContent."""
        if call.offset < 0 or not 0 <= call.length <= LONGEST_READ:
            raise MapiError(Ec.ecInvalidParam, "offset or length")
        stored = row(self.db, CONTENTS_SQL, (call.fid, call.uid, call.uid))
        if stored is None:
            raise MapiError(Ec.ecNotFound, f"uid {call.uid}")
        _, _, head, kind, digest, size, body = stored
        start, end = call.offset, call.offset + call.length
        answer: bytes = head[start:end]
        if end > len(head):
            start = max(0, start - len(head))
            try:
                answer += self.content.part(kind, digest, size, body, start, end - len(head) - start)
            except FileNotFoundError as error:
                raise MapiError(Ec.ecNotFound, f"uid {call.uid}") from error
        return answer

    def count_of(self, fid: int) -> int:
        """Messages in a folder, 0 when there is no such folder."""
        found = row(self.db, "SELECT messages FROM folders WHERE fid=?", (fid,))
        return found[0] if found else 0

    def size_of(self, fid: int, ranges: c.Ranges) -> int:
        """Bytes of the messages in some ranges."""
        sql = "SELECT ifnull(sum(size), 0) FROM messages WHERE fid=? AND uid BETWEEN ? AND ?"
        return sum(row(self.db, sql, (fid, *pair))[0] for pair in ranges)

    def info(self, owner: str, schema: int, defaults: tuple[int, int], cn: int) -> c.MailboxInfo:
        """calls.GetMailboxInfo. `defaults`: quotas of mailboxes without their own."""
        messages, size, receive, storage = row(
            self.db,
            "SELECT (SELECT sum(messages) FROM folders), (SELECT sum(size) FROM folders), quota_receive,"
            " quota_storage FROM mailbox",
        )
        receive = defaults[0] if receive is None else receive
        storage = defaults[1] if storage is None else storage
        return c.MailboxInfo(owner, messages, size, receive, storage, schema, cn)


def _joined(pairs: list[tuple[int, int]]) -> c.Ranges:
    """Ranges in any order as ascending ones, those that touch made one."""
    pairs.sort()
    if len(pairs) < 2:
        return pairs
    if all(first == last for first, last in pairs):
        return to_ranges(first for first, _ in pairs)
    joined = [pairs[0]]
    for first, last in pairs[1:]:
        if first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined
