"""Differences for incremental change synchronisation ([MS-OXCFXICS] 3.2.5.3). Imports are in `store.mapi.importing`.

A folder in which nothing changed since the state costs one row; otherwise the pages that changed are read, and when
something can have been deleted the ids that exist are compared with those that the client was given.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

import apsw

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import pages
from gromoxd.exmdb import sync as s
from gromoxd.mapi.evaluate import compile_restriction
from gromoxd.mapi.ids import GID_SIZE, gid_parse
from gromoxd.mapi.idset import IdSet, RangeSet
from gromoxd.mapi.restrictions import decode_restriction
from store.access import READ_ANY, Access
from store.mapi import rows as r
from store.mapi.identity import Identity
from store.mapi.loading import Data, Env
from store.mapi.properties import View
from store.mapi.reading import Reading
from store.pace import Pace
from store.sql import row, rows

INLINE_MESSAGES = 1000
MOST_KEYS = 100_000
FEW_RANGES, MANY_IDS = 1000, 20_000
_SPAN = pages.PAGE_SPAN - 1
CHANGED_SQL = f"""
    SELECT m.mid, m.fid, m.uid, 0, m.flags, m.modseq, m.cn, m.size, m.received, m.sent, m.did, 0
    FROM pages p CROSS JOIN messages m
      ON m.fid = p.fid AND m.uid BETWEEN p.number * {pages.PAGE_SPAN} AND p.number * {pages.PAGE_SPAN} + {_SPAN}
    WHERE p.fid = ? AND p.cn > ? AND m.modseq > ?"""
ASSOCIATED_OF = f"FROM unlisted WHERE fid=? AND kind={r.ASSOCIATED}"
ASSOCIATED_SQL = f"SELECT {r.UNLISTED_COLUMNS} {ASSOCIATED_OF} AND modseq > ?"
OWN_MARKS_SQL = """
    SELECT r.mid, r.read, r.cn FROM read_states r CROSS JOIN messages m ON m.mid = r.mid
    WHERE r.member=? AND r.fid=? AND r.cn>?"""
FOLDERS_SQL = "SELECT fid, parent_fid, changed_cn FROM folders WHERE fid NOT IN (SELECT fid FROM search_folders)"


class SourceKeys:
    """Which source key stands for which id: the mailbox's GUID and the id, unless the object came from elsewhere."""

    def __init__(self, db: apsw.Connection, identity: Identity) -> None:
        self._db = db
        self._identity = identity
        self.guid = identity.guid
        self.foreign = row(db, "SELECT 1 FROM source_keys LIMIT 1") is not None
        """Whether any object came from elsewhere."""

    def of(self, id_: int) -> bytes:
        """The source key of a message or folder."""
        if self.foreign:
            found = row(self._db, "SELECT source_key FROM source_keys WHERE id=?", (id_,))
            if found is not None:
                return bytes(found[0])
        return self._identity.source_key(id_)

    def find(self, source_key: bytes) -> int:
        """The id that a source key stands for, 0 for one of another replica that is not here."""
        if self._identity.is_own(source_key):
            return gid_parse(source_key)[1]
        found = row(self._db, "SELECT id FROM source_keys WHERE source_key=?", (source_key,)) if self.foreign else None
        return int(found[0]) if found is not None else 0

    def idset(self, ids: Iterable[int]) -> IdSet:
        """An IDSET of ids, those of other replicas by their own GIDs."""
        own = RangeSet(list(ids))
        found = IdSet()
        if self.foreign and own:
            for key, id_ in self._foreign(own):
                if len(key) == GID_SIZE:
                    own.remove(id_)
                    found.add(*gid_parse(key))
        for low, high in own.ranges():
            found.add_range(self.guid, low, high)
        return found

    def _foreign(self, ids: RangeSet) -> list[tuple[bytes, int]]:
        if ids.range_count < FEW_RANGES and len(ids) < MANY_IDS:
            sql = "SELECT source_key, id FROM source_keys WHERE id IN carray(?)"
            return rows(self._db, sql, (apsw.carray(array("q", ids)),))
        found = rows(self._db, "SELECT source_key, id FROM source_keys")
        return [(key, id_) for key, id_ in found if id_ in ids]


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
        found = row(self.db, "SELECT cn, messages, pruned_cn FROM folders WHERE fid=?", (call.fid,))
        if found is None:
            raise MapiError(Ec.ecNotFound, f"folder {call.fid:#x}")
        if row(self.db, "SELECT 1 FROM search_folders WHERE fid=?", (call.fid,)) is not None:
            raise MapiError(Ec.ecNotSupported, "synchronisation of a search folder")
        self.cn, self.messages, self.pruned_cn = found
        self.keys = SourceKeys(self.db, reading.box.identity)
        guid = self.keys.guid
        self.seen = Seen(call.state.seen, guid)
        self.seen_fai = Seen(call.state.seen_fai, guid)
        self.read = Seen(call.state.read, guid)
        self.given = idset(call.state.given)
        self.matches = self._restriction()
        self.changed: list[r.Row] = []
        self.left: list[int] = []
        """What changed and is outside of the restriction."""
        self.marks: dict[int, bool] = {}
        """What is as the client has it but for its read mark."""

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
        env, pace = Env.of(self.reading), Pace()
        outside = set()
        for message in messages:
            pace.step()
            if not self.matches(View(env, message, Data.slim(env, message.did))):
                outside.add(message.mid)
        return outside

    # ------------------------------------------------------------------------------------------ what changed

    def changes(self) -> s.ContentChanges:
        """The answer."""
        flags = self.call.flags
        if flags & s.ASSOCIATED:
            found = rows(self.db, ASSOCIATED_SQL, (self.call.fid, self.seen_fai.floor))
            self._sort_out([m for m in map(r.Row._make, found) if m.cn not in self.seen_fai])
        if flags & s.NORMAL:
            self._normal()
        changed = self.keys.idset(m.mid for m in self.changed)
        known = self.given
        out = IdSet()
        if self.left and not flags & s.IGNORE_OUT_OF_SCOPE:
            out = known & self.keys.idset(self.left)
        deleted = IdSet() if flags & s.NO_DELETIONS or not known else self._deleted(known | changed)
        read, unread = self._read_marks()
        told = [(m.mid, m.cn, m.size, m.associated) for m in self.changed]
        return s.ContentChanges(
            told[: s.LISTED], _octets(deleted), _octets(out), _octets(read), _octets(unread),
            self._state((known - deleted - out) | changed), s.pack_changed(told[s.LISTED :]),
        )  # fmt: skip

    def _normal(self) -> None:
        flags, seen = self.call.flags, self.seen
        floor = min(seen.floor, self.read.floor) if flags & s.READ_STATE else seen.floor
        found = rows(self.db, CHANGED_SQL, (self.call.fid, floor, floor))
        candidates = list(map(r.Row._make, found))
        fresh = [m for m in candidates if m.cn not in seen]
        marked: list[r.Row] = []
        if flags & s.READ_STATE and not self.reading.box.public:
            marked = [m for m in candidates if m.modseq > m.cn and m.cn in seen and m.modseq not in self.read]
            if self.matches is not None:
                marked = self._of_scope(marked, fresh)
        if flags & s.BY_DELIVERY_TIME:
            fresh.sort(key=lambda m: m.received, reverse=True)
        self._sort_out(fresh)
        self.marks = {m.mid: bool(m.flags & pages.SEEN) for m in marked}

    def _of_scope(self, marked: list[r.Row], fresh: list[r.Row]) -> list[r.Row]:
        """Of messages that were marked those that are in scope as before; what came into it is fresh."""
        given = self.given
        outside = self._outside(marked)
        self.left += outside
        within = [m for m in marked if m.mid not in outside]
        new = {m.mid for m in within if not given & self.keys.idset([m.mid])}
        fresh += [m for m in within if m.mid in new]
        return [m for m in within if m.mid not in new]

    def _sort_out(self, fresh: list[r.Row]) -> None:
        outside = self._outside(fresh)
        self.changed += [message for message in fresh if message.mid not in outside] if outside else fresh
        self.left += outside

    # ------------------------------------------------------------------------------------------ what went

    def _deleted(self, known: IdSet) -> IdSet:
        """What the client has and is not here any more.

        The tombstones since the state tell, unless the number of what is left says that they do not.
        """
        flags = self.call.flags
        floor = min(
            self.seen.floor if flags & s.NORMAL else self.cn, self.seen_fai.floor if flags & s.ASSOCIATED else self.cn
        )
        if floor >= self.pruned_cn:
            gone = self._buried(floor) & known
            if self.matches is not None or len(known) - len(gone) == self._count():
                return gone
        return known - self.keys.idset(self._there())

    def _buried(self, floor: int) -> IdSet:
        if floor >= self.cn:
            return IdSet()
        mids = array("Q")
        for (octets,) in self.db.execute("SELECT mids FROM tombstones WHERE fid=? AND cn > ?", (self.call.fid, floor)):
            mids.frombytes(octets)
        if not mids:
            return IdSet()
        there = {m.mid for m in r.several(self.db, self.call.fid, mids) if not m.deleted}
        return self.keys.idset(set(mids) - there)

    @property
    def _with_associated(self) -> bool:
        return bool(self.call.flags & s.ASSOCIATED or self.seen_fai.set)

    def _count(self) -> int:
        """How many messages a client without restriction has in the end."""
        count: int = self.messages if self.call.flags & s.NORMAL or self.seen.set else 0
        if self._with_associated:
            count += row(self.db, f"SELECT count(*) {ASSOCIATED_OF}", (self.call.fid,))[0]
        return count

    def _there(self) -> list[int]:
        there = [mid for (mid,) in self.db.execute("SELECT mid FROM messages WHERE fid=?", (self.call.fid,))]
        return there + [mid for (mid,) in self.db.execute(f"SELECT mid {ASSOCIATED_OF}", (self.call.fid,))]

    # ------------------------------------------------------------------------------------------ read marks, state

    def _read_marks(self) -> tuple[IdSet, IdSet]:
        states = self.marks
        if self.call.flags & s.READ_STATE and self.reading.box.public:
            states = self._own_marks()
        if not states:
            return IdSet(), IdSet()
        read = self.keys.idset(mid for mid, on in states.items() if on) & self.given
        unread = self.keys.idset(mid for mid, on in states.items() if not on) & self.given
        return read, unread

    def _own_marks(self) -> dict[int, bool]:
        """The reader's own marks of a public store, of messages that are not among the changed ones."""
        found = rows(self.db, OWN_MARKS_SQL, (self.reading.access.actor, self.call.fid, self.read.floor))
        fresh = {m.mid for m in self.changed}
        return {mid: bool(read) for mid, read, cn in found if cn not in self.read and mid not in fresh}

    def _state(self, given: IdSet) -> s.State:
        guid, cn, flags, state = self.keys.guid, self.cn, self.call.flags, self.call.state
        return s.State(
            given.encode(),
            self.seen.up_to(guid, cn) if flags & s.NORMAL else state.seen,
            self.seen_fai.up_to(guid, cn) if flags & s.ASSOCIATED else state.seen_fai,
            self.read.up_to(guid, cn) if flags & s.READ_STATE else state.read,
        )


def _octets(found: IdSet) -> bytes:
    return found.encode() if found else b""


# ---------------------------------------------------------------------------------------------- hierarchy


def get_hierarchy_changes(reading: Reading, call: s.GetHierarchyChanges) -> s.HierarchyChanges:
    """sync.GetHierarchyChanges."""
    _concerned(reading)
    db = reading.reader.db
    db.execute("BEGIN")
    try:
        return _hierarchy(reading, call)
    finally:
        db.execute("COMMIT")


def _hierarchy(reading: Reading, call: s.GetHierarchyChanges) -> s.HierarchyChanges:
    db = reading.reader.db
    keys = SourceKeys(db, reading.box.identity)
    seen, given = Seen(call.state.seen, keys.guid), idset(call.state.given)
    folders = rows(db, FOLDERS_SQL)
    cn = row(db, "SELECT max(hierarchy_cn, (SELECT max(changed_cn) FROM folders)) FROM mailbox")[0]
    children: dict[int, list[tuple[int, int]]] = {}
    for fid, parent, changed_cn in folders:
        children.setdefault(parent, []).append((fid, changed_cn))
    if call.fid not in {fid for fid, _, _ in folders}:
        raise MapiError(Ec.ecNotFound, f"folder {call.fid:#x}")
    below = _below(children, call.fid, reading.access)
    there = keys.idset(fid for fid, _ in below)
    # What was moved here, or became visible, comes with its folders, which did not change themselves.
    new = there - given
    changed = [(fid, n) for fid, n in below if n not in seen or (new and keys.idset([fid]) & new)]
    state = s.State(there.encode(), seen.up_to(keys.guid, cn))
    return s.HierarchyChanges(changed, _octets(given - there), state)


def _below(children: dict[int, list[tuple[int, int]]], top: int, access: Access) -> list[tuple[int, int]]:
    """The folders below one that are shown to the reader, each before its children."""
    found: list[tuple[int, int]] = []
    waiting = [top]
    while waiting:
        kids = [(fid, cn) for fid, cn in sorted(children.get(waiting.pop(), ())) if access.sees(fid)]
        found += kids
        waiting += [fid for fid, _ in kids]
    return found


def _concerned(reading: Reading) -> None:
    """ecAccessDenied to those to whom nothing in the mailbox is open."""
    if not reading.access.anywhere():
        raise MapiError(Ec.ecAccessDenied, "mailbox")


# ---------------------------------------------------------------------------------------------- source keys


def get_source_keys(reading: Reading, call: s.GetSourceKeys) -> list[bytes]:
    """sync.GetSourceKeys. A source key tells nothing but what its id does."""
    _concerned(reading)
    _few(call.ids)
    keys = SourceKeys(reading.reader.db, reading.box.identity)
    return [keys.of(id_) for id_ in call.ids]


def find_source_keys(reading: Reading, call: s.FindSourceKeys) -> list[int]:
    """sync.FindSourceKeys."""
    _concerned(reading)
    _few(call.source_keys)
    db = reading.reader.db
    keys = SourceKeys(db, reading.box.identity)
    return [id_ if id_ and _exists(reading, id_) else 0 for id_ in map(keys.find, call.source_keys)]


def _exists(reading: Reading, id_: int) -> bool:
    db, access = reading.reader.db, reading.access
    if row(db, "SELECT 1 FROM folders WHERE fid=?", (id_,)) is not None:
        return access.sees(id_)
    found = r.look_up(db, id_)
    return found is not None and not found.deleted and access.may(found.fid, READ_ANY)


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
