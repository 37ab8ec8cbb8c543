"""Differences for incremental change synchronisation ([MS-OXCFXICS] 3.2.5.3). Imports are in `store.mapi.importing`.

A folder in which nothing changed since the state costs one row; otherwise the pages that changed are read, and when
something can have been deleted the ids that exist are compared with those that the client was given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import pages
from gromoxd.exmdb import sync as s
from gromoxd.mapi.evaluate import compile_restriction
from gromoxd.mapi.ids import GID_SIZE, gid, gid_parse
from gromoxd.mapi.idset import IdSet, RangeSet
from gromoxd.mapi.restrictions import decode_restriction
from store.access import READ_ANY, VISIBLE
from store.mapi import rows as r
from store.mapi.reading import Reading
from store.mapi.tablerows import MessageRows
from store.sql import row, rows

INLINE_MESSAGES = 1000
MOST_KEYS = 100_000
_SPAN = pages.PAGE_SPAN - 1
CHANGED_SQL = f"""
    SELECT m.mid, m.fid, m.uid, 0, m.flags, m.modseq, m.cn, m.size, m.received, m.sent, m.did, 0
    FROM pages p CROSS JOIN messages m
      ON m.fid = p.fid AND m.uid BETWEEN p.number * {pages.PAGE_SPAN} AND p.number * {pages.PAGE_SPAN} + {_SPAN}
    WHERE p.fid = ? AND p.cn > ? AND m.modseq > ?"""
ASSOCIATED_SQL = f"SELECT {r.UNLISTED_COLUMNS} FROM unlisted WHERE fid=? AND kind={r.ASSOCIATED} AND modseq > ?"


class SourceKeys:
    """Which source key stands for which id: the mailbox's GUID and the id, unless the object came from elsewhere."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self.guid: bytes = row(db, "SELECT guid FROM mailbox")[0]
        self.foreign = row(db, "SELECT 1 FROM source_keys LIMIT 1") is not None
        """Whether any object came from elsewhere."""

    def of(self, id_: int) -> bytes:
        """The source key of a message or folder."""
        if self.foreign:
            found = row(self._db, "SELECT source_key FROM source_keys WHERE id=?", (id_,))
            if found is not None:
                return bytes(found[0])
        return gid(self.guid, id_)

    def find(self, source_key: bytes) -> int:
        """The id that a source key stands for, 0 for one of another replica that is not here."""
        if len(source_key) == GID_SIZE and source_key[:16] == self.guid:
            return gid_parse(source_key)[1]
        found = row(self._db, "SELECT id FROM source_keys WHERE source_key=?", (source_key,)) if self.foreign else None
        return int(found[0]) if found is not None else 0

    def idset(self, ids: Iterable[int]) -> IdSet:
        """An IDSET of ids, those of other replicas by their own GIDs."""
        own = RangeSet(sorted(ids))
        found = IdSet()
        if self.foreign:
            for key, id_ in rows(self._db, "SELECT source_key, id FROM source_keys"):
                if id_ in own and len(key) == GID_SIZE:
                    own.remove(id_)
                    found.add(*gid_parse(key))
        for low, high in own.ranges():
            found.add_range(self.guid, low, high)
        return found


class Seen:
    """One CNSET of the client's state. `floor`: every change number up to it was seen."""

    def __init__(self, octets: bytes, guid: bytes) -> None:
        self.set = idset(octets)
        self._own = self.set.of(guid)
        first = next(self._own.ranges(), None)
        self.floor = first[1] if first is not None and first[0] <= 1 else 0

    def __contains__(self, cn: int) -> bool:
        return cn <= self.floor or cn in self._own

    def up_to(self, guid: bytes, cn: int) -> bytes:
        """The set once everything up to `cn` was seen."""
        self.set.add_range(guid, 1, cn)
        return self.set.encode()


def idset(octets: bytes) -> IdSet:
    """A set that a client sent. ecInvalidParam."""
    try:
        return IdSet.decode_replguid(octets)
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, str(error)) from error


def get_content_changes(reading: Reading, call: s.GetContentChanges) -> s.ContentChanges:
    """sync.GetContentChanges."""
    reading.access.require(call.fid, READ_ANY)
    db = reading.reader.db
    db.execute("BEGIN")
    try:
        return _Contents(reading, call).changes()
    finally:
        db.execute("COMMIT")


class _Contents:
    """One GetContentChanges under way, on one committed state."""

    def __init__(self, reading: Reading, call: s.GetContentChanges) -> None:
        self.reading = reading
        self.db = reading.reader.db
        self.call = call
        self.keys = SourceKeys(self.db)
        guid = self.keys.guid
        self.seen = Seen(call.state.seen, guid)
        self.seen_fai = Seen(call.state.seen_fai, guid)
        self.read = Seen(call.state.read, guid)
        self.given = idset(call.state.given)
        found = row(self.db, "SELECT cn FROM folders WHERE fid=?", (call.fid,))
        if found is None:
            raise MapiError(Ec.ecNotFound, f"folder {call.fid:#x}")
        self.cn: int = found[0]
        self.matches = self._restriction()

    def _restriction(self) -> Any:
        if not self.call.restriction:
            return None
        try:
            return compile_restriction(decode_restriction(self.call.restriction))
        except WireError as error:
            raise MapiError(Ec.ecInvalidParam, str(error)) from error

    def _outside(self, messages: Iterable[r.Row]) -> set[int]:
        """Those that the restriction leaves out."""
        if self.matches is None:
            return set()
        found = MessageRows(self.reading).rows([m.mid for m in messages])
        return {mid for mid, properties in found if not self.matches(properties)}

    # ------------------------------------------------------------------------------------------ rows

    def _listed(self, floor: int) -> list[r.Row]:
        return [r.Row(*line) for line in rows(self.db, CHANGED_SQL, (self.call.fid, floor, floor))]

    def _associated(self, floor: int) -> list[r.Row]:
        return [r.Row(*line) for line in rows(self.db, ASSOCIATED_SQL, (self.call.fid, floor))]

    def changes(self) -> s.ContentChanges:
        flags = self.call.flags
        changed: list[r.Row] = []
        gone_out: list[int] = []
        marks: list[r.Row] = []
        if flags & s.ASSOCIATED:
            fresh = [m for m in self._associated(self.seen_fai.floor) if m.cn not in self.seen_fai]
            self._sort_out(fresh, changed, gone_out)
        if flags & s.NORMAL:
            floor = min(self.seen.floor, self.read.floor) if flags & s.READ_STATE else self.seen.floor
            candidates = self._listed(floor)
            fresh = [m for m in candidates if m.cn not in self.seen]
            if flags & s.BY_DELIVERY_TIME:
                fresh.sort(key=lambda m: m.received, reverse=True)
            self._sort_out(fresh, changed, gone_out)
            if flags & s.READ_STATE and not self.reading.box.public:
                marks = [m for m in candidates if m.cn in self.seen and m.modseq > m.cn and m.modseq not in self.read]
        known = self.given
        out = known & self.keys.idset(gone_out) if gone_out else IdSet()
        deleted = self._deleted() if not flags & s.NO_DELETIONS and known else IdSet()
        read, unread = self._read_marks(marks)
        given = (known - deleted - out) | self.keys.idset(m.mid for m in changed)
        return s.ContentChanges(
            [(m.mid, m.cn, m.size, m.associated) for m in changed], _octets(deleted),
            _octets(out), _octets(read), _octets(unread), self._state(given),
        )  # fmt: skip

    def _sort_out(self, fresh: list[r.Row], changed: list[r.Row], gone_out: list[int]) -> None:
        outside = self._outside(fresh)
        changed += [message for message in fresh if message.mid not in outside]
        gone_out += outside

    def _deleted(self) -> IdSet:
        """What the client was given and does not exist here any more: looked for only when the folder changed since."""
        if self.cn <= min(self.seen.floor, self.seen_fai.floor or self.seen.floor) and not self.keys.foreign:
            return IdSet()
        fid = self.call.fid
        there = [mid for (mid,) in self.db.execute("SELECT mid FROM messages WHERE fid=?", (fid,))]
        sql = f"SELECT mid FROM unlisted WHERE fid=? AND kind={r.ASSOCIATED}"
        there += (mid for (mid,) in self.db.execute(sql, (fid,)))
        return self.given - self.keys.idset(there)

    def _read_marks(self, marks: list[r.Row]) -> tuple[IdSet, IdSet]:
        outside = self._outside(marks)
        states = {m.mid: bool(m.flags & pages.SEEN) for m in marks if m.mid not in outside}
        if self.call.flags & s.READ_STATE and self.reading.box.public:
            sql = "SELECT mid, read, cn FROM read_states WHERE member=? AND fid=? AND cn>?"
            member = self.reading.actor.lower()
            found = rows(self.db, sql, (member, self.call.fid, self.read.floor))
            states = {mid: bool(read) for mid, read, cn in found if cn not in self.read}
        read = self.keys.idset(mid for mid, on in states.items() if on) & self.given
        unread = self.keys.idset(mid for mid, on in states.items() if not on) & self.given
        return read, unread

    def _state(self, given: IdSet) -> s.State:
        guid, cn, flags = self.keys.guid, self.cn, self.call.flags
        if self.reading.box.public and flags & s.READ_STATE:
            member = self.reading.actor.lower()
            sql = "SELECT max(cn) FROM read_states WHERE member=? AND fid=?"
            read_cn = max(cn, row(self.db, sql, (member, self.call.fid))[0] or 0)
        else:
            read_cn = cn
        return s.State(
            given.encode(),
            self.seen.up_to(guid, cn) if flags & s.NORMAL else self.call.state.seen,
            self.seen_fai.up_to(guid, cn) if flags & s.ASSOCIATED else self.call.state.seen_fai,
            self.read.up_to(guid, read_cn) if flags & s.READ_STATE else self.call.state.read,
        )


def _octets(found: IdSet) -> bytes:
    return found.encode() if found else b""


# ---------------------------------------------------------------------------------------------- hierarchy


def get_hierarchy_changes(reading: Reading, call: s.GetHierarchyChanges) -> s.HierarchyChanges:
    """sync.GetHierarchyChanges."""
    db = reading.reader.db
    db.execute("BEGIN")
    try:
        keys = SourceKeys(db)
        seen, given = Seen(call.state.seen, keys.guid), idset(call.state.given)
        folders = rows(db, "SELECT fid, parent_fid, changed_cn FROM folders WHERE fid NOT IN"
                           " (SELECT fid FROM search_folders)")  # fmt: skip
        cn = row(db, "SELECT max(max(hierarchy_cn), (SELECT max(changed_cn) FROM folders)) FROM mailbox")[0]
    finally:
        db.execute("COMMIT")
    children: dict[int, list[tuple[int, int]]] = {}
    for fid, parent, changed_cn in folders:
        children.setdefault(parent, []).append((fid, changed_cn))
    if call.fid not in {fid for fid, _, _ in folders}:
        raise MapiError(Ec.ecNotFound, f"folder {call.fid:#x}")
    below = [(fid, n) for fid, n in _below(children, call.fid) if reading.access.everything
             or reading.access.rights(fid) & (VISIBLE | READ_ANY)]  # fmt: skip
    there = keys.idset(fid for fid, _ in below)
    changed = [(fid, n) for fid, n in below if n not in seen]
    return s.HierarchyChanges(
        changed, _octets(given - there), s.State(there.encode(), seen.up_to(keys.guid, cn), b"", b"")
    )


def _below(children: dict[int, list[tuple[int, int]]], top: int) -> list[tuple[int, int]]:
    """The folders below one, each before its children."""
    found: list[tuple[int, int]] = []
    waiting = [top]
    while waiting:
        kids = sorted(children.get(waiting.pop(), ()))
        found += kids
        waiting += [fid for fid, _ in kids]
    return found


# ---------------------------------------------------------------------------------------------- source keys


def get_source_keys(reading: Reading, call: s.GetSourceKeys) -> list[bytes]:
    """sync.GetSourceKeys. A source key tells nothing but what its id does."""
    _few(call.ids)
    keys = SourceKeys(reading.reader.db)
    return [keys.of(id_) for id_ in call.ids]


def find_source_keys(reading: Reading, call: s.FindSourceKeys) -> list[int]:
    """sync.FindSourceKeys."""
    _few(call.source_keys)
    db = reading.reader.db
    keys = SourceKeys(db)
    return [id_ if id_ and _exists(reading, id_) else 0 for id_ in map(keys.find, call.source_keys)]


def _exists(reading: Reading, id_: int) -> bool:
    db, access = reading.reader.db, reading.access
    if row(db, "SELECT 1 FROM folders WHERE fid=?", (id_,)) is not None:
        return access.may(id_, VISIBLE) or access.may(id_, READ_ANY)
    try:
        return access.may(r.find(db, id_).fid, READ_ANY)
    except MapiError:
        return False


def _few(items: list[Any]) -> None:
    if len(items) > MOST_KEYS:
        raise MapiError(Ec.ecInvalidParam, "too many source keys")


def _long(reading: Reading, call: s.GetContentChanges) -> bool:
    return bool(call.restriction) or reading.reader.count_of(call.fid) > INLINE_MESSAGES


READS = {
    s.GetContentChanges: get_content_changes, s.GetHierarchyChanges: get_hierarchy_changes,
    s.GetSourceKeys: get_source_keys, s.FindSourceKeys: find_source_keys,
}  # fmt: skip
LONG = {
    s.GetContentChanges: _long,
    s.GetSourceKeys: lambda reading, call: len(call.ids) > INLINE_MESSAGES,
    s.FindSourceKeys: lambda reading, call: len(call.source_keys) > INLINE_MESSAGES,
}
