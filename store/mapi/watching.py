"""Who is told of changes in detail: watches of objects and of tables ([MS-OXCNOTIF]). In the loop only.

A table's watch remembers the state up to which its client was told (`stamp`). Whenever the view of its definition is
brought up to date, by whomever, the changes of rows are told to all who look at it. Who was told of another state than
the one from which a view went on, or whose view was made anew, is told that the table changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import tables as t
from gromoxd.mapi import smalltable
from gromoxd.mapi.tables import RowType
from store.access import READ_ANY
from store.changes import Effects
from store.mapi import contents, smalltables
from store.mapi.objectevents import ObjectEvents
from store.mapi.reading import Reading
from store.mapi.tabledef import EVERYWHERE, Definition
from store.mapi.tablerows import MessageRows
from store.mapi.tables import check_table
from store.mapi.views import ADDED, MODIFIED, RowEvent, Shown, Stamp, View, stamp_of

if TYPE_CHECKING:
    from store.mailbox import Mailbox

MOST_WATCHES = 1000
"""Of one connection on one mailbox."""
MOST_EVENTS = 32
"""Rows that are told of one by one."""
MOST_FOLDERS = 2000
"""Folders of a hierarchy table that is followed row by row."""


class Peer(Protocol):
    """A client's connection."""

    def push(self, event: c.Event) -> None: ...


class TableWatch:
    """One table that somebody looks at. `name`: the actor as the peer has it."""

    def __init__(self, peer: Peer, name: str, reading: Reading, call: t.WatchTable, table: t.Table) -> None:
        self.peer, self.name, self.actor = peer, name, reading.actor
        self.id, self.table, self.columns = call.id, table, call.columns
        self.definition: Definition | None = None
        self.stamp: Stamp | None = None
        self.rows: list[int] = []
        if table.kind == t.CONTENTS:
            self.definition = contents.definition_of(reading, table)
            view = contents.prepared(reading, table, self.definition)
            self.stamp = view.stamp if view is not None else stamp_of(self.definition, reading.reader.db)
        elif table.kind == t.HIERARCHY:
            self.rows = [one.instance for one in smalltables.arranged(reading, table)]

    def tell(self, mailbox: str, changes: list[c.RowChange]) -> None:
        """Push row changes."""
        if changes:
            self.peer.push(c.Event(mailbox, self.table.fid, [self.name], self.id, rows=changes))


class Watching:
    """The watches of one mailbox."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._tables: dict[tuple[Peer, int], TableWatch] = {}
        self._by_key: dict[bytes, dict[TableWatch, None]] = {}
        self._objects: dict[tuple[Peer, int], tuple[str, str, t.WatchObjects]] = {}
        self._events = ObjectEvents(box)

    def __bool__(self) -> bool:
        return bool(self._tables or self._objects)

    # ------------------------------------------------------------------------------------------ coming and going

    def watch(self, peer: Peer, name: str, actor: str, call: t.WatchTable | t.WatchObjects) -> c.Done:
        """Begin or end a watch. ecAccessDenied, ecInvalidParam, ecTooBig; what QueryRows says of the table."""
        self._forget(peer, call.id)
        if not call.on:
            return c.Done()
        if call.id <= 0:
            raise MapiError(Ec.ecInvalidParam, "watch id")
        if sum(of is peer for of, _ in [*self._tables, *self._objects]) >= MOST_WATCHES:
            raise MapiError(Ec.ecTooBig, "watches")
        reading = self._reading(actor)
        if isinstance(call, t.WatchObjects):
            if call.fid:
                reading.access.require_sight(call.fid)
            elif not reading.access.anywhere():
                raise MapiError(Ec.ecAccessDenied, "watch")
            if not self._objects:
                self._events.start()
            self._objects[peer, call.id] = (name, actor, call)
            return c.Done()
        self._watch_table(peer, name, reading, call)
        return c.Done()

    def _watch_table(self, peer: Peer, name: str, reading: Reading, call: t.WatchTable) -> None:
        if call.table is None:
            raise MapiError(Ec.ecInvalidParam, "no table")
        check_table(call.table, call.columns)
        if call.table.kind not in (t.CONTENTS, t.HIERARCHY):
            smalltables.arranged(reading, call.table)
        watch = TableWatch(peer, name, reading, call, call.table)
        if call.table.flags & t.NO_NOTIFICATIONS:
            return
        self._tables[peer, call.id] = watch
        if watch.definition is not None:
            self._by_key.setdefault(watch.definition.key, {})[watch] = None

    def _reading(self, actor: str) -> Reading:
        return Reading(self._box, self._box.loop_reader, actor, self._box.access(actor))

    def _forget(self, peer: Peer, number: int) -> None:
        self._objects.pop((peer, number), None)
        watch = self._tables.pop((peer, number), None)
        if watch is not None and watch.definition is not None:
            others = self._by_key[watch.definition.key]
            others.pop(watch, None)
            if not others:
                del self._by_key[watch.definition.key]

    def left(self, peer: Peer) -> None:
        """A connection is gone, with all its watches."""
        for of, number in [*self._tables, *self._objects]:
            if of is peer:
                self._forget(peer, number)

    # ------------------------------------------------------------------------------------------ contents

    def wants(self, definition: Definition) -> bool:
        """Whether somebody looks at tables of this definition."""
        return definition.key in self._by_key

    def followed(self, view: View, before: Stamp, events: list[RowEvent]) -> None:
        """A view was brought from one state to another."""
        for watch in list(self._by_key.get(view.definition.key, ())):
            if watch.stamp == view.stamp:
                continue
            whole = watch.stamp == before and view.groups is None and len(events) <= MOST_EVENTS
            watch.stamp = view.stamp
            self._tell_rows(watch, view.definition, events) if whole else self._tell_changed(watch)

    def replaced(self, view: View) -> None:
        """A view was made."""
        for watch in list(self._by_key.get(view.definition.key, ())):
            if watch.stamp != view.stamp:
                watch.stamp = view.stamp
                self._tell_changed(watch)

    def _tell_changed(self, watch: TableWatch) -> None:
        watch.tell(self._box.maildir, [c.RowChange(c.TABLE_CHANGED)])

    def _tell_rows(self, watch: TableWatch, definition: Definition, events: list[RowEvent]) -> None:
        reading = self._reading(watch.actor)
        if not reading.access.may(watch.table.fid, READ_ANY):
            return self._tell_changed(watch)
        wanted = [Shown(RowType.TBL_LEAF_ROW, e.instance, 0, 0) for e in events if e.kind in (ADDED, MODIFIED)]
        lines = iter(MessageRows(reading).lines(definition, wanted, watch.columns))
        changes = []
        for event in events:
            after = event.after or (0, 0)
            row = next(lines, []) if event.kind in (ADDED, MODIFIED) else []
            changes.append(c.RowChange(event.kind, *event.instance, *after, row))
        watch.tell(self._box.maildir, changes)
        return None

    # ------------------------------------------------------------------------------------------ after a batch

    def published(self, effects: Effects, before: c.FolderList) -> None:
        """Tell of what a batch did. `before`: the hierarchy as it was."""
        if self._objects:
            self._tell_objects(effects, before)
        touched = effects.told | effects.figures.keys()
        if not touched and not effects.acl:
            return
        for definition in {w.definition.key: w.definition for w in self._tables.values() if w.definition}.values():
            if definition.fid in touched or definition.source == EVERYWHERE:
                self._follow(definition)
        changed = _differing(before, self._box.folder_list) if effects.hierarchy else set()
        for watch in list(self._tables.values()):
            if watch.table.kind == t.HIERARCHY:
                self._follow_folders(watch, effects, changed | {fid for fid in touched if fid})
            elif watch.table.kind == t.PERMISSIONS and effects.acl:
                self._tell_changed(watch)

    def _follow(self, definition: Definition) -> None:
        """Bring the view that is looked at up to date; when there is none, its table has changed."""
        watches = list(self._by_key.get(definition.key, ()))
        reading = self._reading(watches[0].actor)
        try:
            if contents.ready(reading, definition) is not None:
                return
            stamp = stamp_of(definition, reading.reader.db)
        except MapiError:
            stamp = Stamp(-1, 0, 0)  # the folder is gone
        for watch in watches:
            if watch.stamp != stamp:
                watch.stamp = stamp
                self._tell_changed(watch)

    def _follow_folders(self, watch: TableWatch, effects: Effects, touched: set[int]) -> None:
        reading = self._reading(watch.actor)
        if not effects.hierarchy and not effects.acl and not touched & set(watch.rows):
            return
        if len(watch.rows) > MOST_FOLDERS:
            return self._tell_changed(watch)
        try:
            arranged = smalltables.arranged(reading, watch.table)
        except MapiError:
            arranged = []
        values = {one.instance: one for one in arranged}
        changes = steps(watch.rows, list(values), touched)
        watch.rows = list(values)
        if len(changes) > MOST_EVENTS:
            return self._tell_changed(watch)
        told = [
            c.RowChange(kind, fid, 0, after, 0, smalltable.line(values[fid], watch.columns) if fid in values else [])
            for kind, fid, after in changes
        ]
        return watch.tell(self._box.maildir, told)

    def _tell_objects(self, effects: Effects, before: c.FolderList) -> None:
        changes = self._events.of(effects, before)
        if not changes:
            return
        for (peer, number), (name, actor, call) in list(self._objects.items()):
            access = self._box.access(actor)
            wanted = [one for one in changes if _concerns(call, one) and _may_know(access, one)]
            if wanted:
                peer.push(c.Event(self._box.maildir, call.fid, [name], number, wanted))


def _differing(before: c.FolderList, after: c.FolderList) -> set[int]:
    """Folders that are not as they were, and those that have or had such a child."""
    old = {folder.fid: folder for folder in before.folders}
    new = {folder.fid: folder for folder in after.folders}
    changed = {fid for fid in old.keys() | new.keys() if old.get(fid) != new.get(fid)}
    parents = {folders[fid].parent_fid for fid in changed for folders in (old, new) if fid in folders}
    return changed | parents


def _concerns(call: t.WatchObjects, one: c.ObjectChange) -> bool:
    if not call.kinds & one.kind:
        return False
    if call.mid:
        return call.mid in (one.mid, one.old_mid)
    return not call.fid or call.fid in (one.fid, one.parent_fid, one.old_fid, one.old_parent_fid)


def _may_know(access: Any, one: c.ObjectChange) -> bool:
    if access.everything:
        return True
    if one.mid:
        return bool(access.may(one.fid, READ_ANY))
    return bool(access.sees(one.fid))


def steps(old: list[int], new: list[int], modified: Iterable[int]) -> list[tuple[int, int, int]]:
    """(kind, row, the row before it) that make one list of another, in order; rows that moved are modified."""
    known, kept = set(old), set(new)
    changed = set(modified)
    found = [(c.ROW_DELETED, one, 0) for one in old if one not in kept]
    waiting = [one for one in old if one in kept]
    moved: set[int] = set()
    at, after = 0, 0
    for one in new:
        while at < len(waiting) and waiting[at] in moved:
            at += 1
        if at < len(waiting) and waiting[at] == one:
            at += 1
            if one in changed:
                found.append((c.ROW_MODIFIED, one, after))
        elif one in known:
            moved.add(one)
            found.append((c.ROW_MODIFIED, one, after))
        else:
            found.append((c.ROW_ADDED, one, after))
        after = one
    return found
