"""Contents tables in memory: the order of a definition's rows, shared by everybody who looks at it.

A view is 8 octets a row (1.6 MB for 200,000 messages). It knows the folder's change number that it stands for; before
it is used it is brought up to date by the change log: the pages, mod-sequences and tombstones say what changed since.
What changed is taken out and put back where its keys, compared with those of some rows in between, now belong. Views
are the loop's; a thread makes new ones, which the loop adopts. They are kept as long as there is room.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, NamedTuple

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.pages import PAGE_SPAN
from gromoxd.mapi.tables import RowType
from store.mapi.groups import Group, Groups, Layout
from store.mapi.ordering import ID_OCTETS, WIDTH, Member, Ordering, before, split
from store.mapi.tabledef import EVERYWHERE, LISTED, UNLISTED, Definition
from store.sql import row, rows

MOST_CHANGES = 256
"""More changes at once are not worth following: the view is made anew."""
SMALL, MOST_OF_LARGE = 20_000, 20
"""A change of a view with more rows takes the better part of a millisecond: the loop follows fewer."""
_GROUP_OCTETS = 400
_OVERHEAD = 2048
_CHANGED = f"""
    SELECT m.mid, m.uid FROM pages p CROSS JOIN messages m
      ON m.fid = p.fid AND m.uid BETWEEN p.number * {PAGE_SPAN} AND p.number * {PAGE_SPAN} + {PAGE_SPAN - 1}
    WHERE p.fid = ? AND p.cn > ? AND m.modseq > ? LIMIT {MOST_CHANGES + 1}"""
_READ_STATES = f"SELECT mid, 0 FROM read_states WHERE member=? AND fid=? AND cn>? LIMIT {MOST_CHANGES + 1}"
_FOUND = f"SELECT mid, 0 FROM search_results WHERE fid=? AND cn>? LIMIT {MOST_CHANGES + 1}"
_BEHIND = """
    SELECT 1 FROM folders WHERE cn > (SELECT watermark FROM search_folders WHERE fid=?)
      AND fid NOT IN (SELECT fid FROM search_folders) LIMIT 1"""
"""Whether messages changed of which a search folder's results say nothing yet: their keys would mislead."""
Instance = tuple[int, int]
"""(mid, num) of a row."""
ADDED, DELETED, MODIFIED = 3, 4, 5
"""[MS-OXCNOTIF] 2.2.1.4.1.2, TableEventType."""


class RowEvent(NamedTuple):
    """What happened to a row, in the order in which it did. `after`: the row before it, None for the first."""

    kind: int
    instance: Instance
    after: Instance | None


class Stamp(NamedTuple):
    """What a view stands for: the folder's change number and next uid, and of unlisted messages how many there are."""

    cn: int
    uidnext: int
    messages: int


class Changes(NamedTuple):
    """What happened since a stamp: messages changed, of which those in `new` are in no older view, and gone."""

    stamp: Stamp
    changed: list[int]
    new: set[int]
    gone: list[int]


class Stale(Exception):
    """A view cannot be brought up to date."""


class View:
    """See the module. `events`, when it is a list, collects what `catch_up` did to the rows."""

    __slots__ = ("cache_key", "definition", "entries", "groups", "stale", "stamp", "version")

    def __init__(self, definition: Definition, stamp: Stamp, entries: bytearray, groups: list[Any]) -> None:
        self.definition = definition
        self.stamp = stamp
        self.entries = entries
        self.groups = Groups(definition.categories, groups) if definition.categories else None
        self.stale = False
        self.version = 0
        self.cache_key: Any = None

    @property
    def octets(self) -> int:
        """Memory that it takes, roughly."""
        return len(self.entries) + _OVERHEAD + _GROUP_OCTETS * (len(self.groups) if self.groups is not None else 0)

    def __len__(self) -> int:
        """Leaf rows."""
        return len(self.entries) // WIDTH

    @property
    def follows(self) -> int:
        """How many changes the loop follows at once."""
        return MOST_OF_LARGE if len(self) > SMALL else MOST_CHANGES // 2

    def copy(self) -> View:
        """The view as it is, for a thread."""
        copy = View(self.definition, self.stamp, bytearray(self.entries), [])
        if copy.groups is not None and self.groups is not None:
            copy.groups.take(self.groups)
        return copy

    def at(self, leaf: int) -> Instance:
        """The row of a leaf."""
        mid, num, _ = split(self.entries[leaf * WIDTH : leaf * WIDTH + WIDTH])
        return mid, num

    def find(self, mid: int, start: int = 0) -> int:
        """The first leaf of a message from one on, -1 when there is none."""
        needle = mid.to_bytes(ID_OCTETS, "big")
        at = self.entries.find(needle, start * WIDTH)
        while at >= 0 and at % WIDTH:
            at = self.entries.find(needle, at + 1)
        return at // WIDTH if at >= 0 else -1

    def find_instance(self, mid: int, num: int) -> int:
        """The leaf of a row, -1."""
        at = self.find(mid)
        while at >= 0 and self.at(at)[1] != num:
            at = self.find(mid, at + 1)
        return at

    # ------------------------------------------------------------------------------------------ keeping up

    def catch_up(self, ordering: Ordering, events: list[RowEvent] | None = None) -> bool:
        """Bring the view to what the connection sees; False when it must be made anew. `events`: of flat views."""
        db = ordering.db
        db.execute("BEGIN")
        try:
            changes = changes_since(self.definition, db, self.stamp)
            if changes is None or len(changes.changed) + len(changes.gone) > self.follows:
                self.stale = True
            elif changes.stamp != self.stamp:
                self._apply(ordering, changes, events)
        except Stale:
            self.stale = True
        finally:
            db.execute("COMMIT")
        return not self.stale

    def _apply(self, ordering: Ordering, changes: Changes, events: list[RowEvent] | None) -> None:
        members = ordering.members(changes.changed)
        taken: dict[Instance, None] = {}
        for mid in dict.fromkeys([*changes.gone, *changes.changed]):
            if mid not in changes.new:
                self._take(ordering, mid, taken)
        kept = {(member.mid, member.num) for member in members}
        if events is not None:
            events += [RowEvent(DELETED, instance, None) for instance in taken if instance not in kept]
        for member in members:
            leaf = self._put(ordering, member)
            if events is not None:
                kind = MODIFIED if (member.mid, member.num) in taken else ADDED
                events.append(RowEvent(kind, (member.mid, member.num), self.at(leaf - 1) if leaf else None))
        self.stamp = changes.stamp
        if taken or members:
            self.version += 1

    def _take(self, ordering: Ordering, mid: int, taken: dict[Instance, None]) -> None:
        """Take all rows of a message out."""
        at = self.find(mid)
        while at >= 0:
            _, num, unread = split(self.entries[at * WIDTH : at * WIDTH + WIDTH])
            taken[mid, num] = None
            if self.groups is not None:
                self._leave_group(ordering, self.groups, at, unread)
            else:
                del self.entries[at * WIDTH : at * WIDTH + WIDTH]
            at = self.find(mid, at) if self.definition.many else -1

    def _put(self, ordering: Ordering, member: Member) -> int:
        """Put a row where it belongs; answers its leaf."""
        if self.groups is not None:
            return self._join_group(ordering, self.groups, member)
        leaf = self._place(ordering, member, 0, len(self))
        self.entries[leaf * WIDTH : leaf * WIDTH] = member.entry
        return leaf

    def _place(self, ordering: Ordering, member: Member, low: int, high: int) -> int:
        d = self.definition
        at = len(d.terms) - len(d.leaf)
        while low < high:
            middle = (low + high) // 2
            mid, num = self.at(middle)
            values = ordering.values(mid, num)
            if values is None:
                raise Stale
            if before(Member(mid, num, 0, values), member, d.leaf, at, d.tie_descending):
                low = middle + 1
            else:
                high = middle
        return low

    # ------------------------------------------------------------------------------------------ groups

    def _leave_group(self, ordering: Ordering, groups: Groups, leaf: int, unread: int) -> None:
        at = groups.of_leaf(leaf)
        group = groups.list[at]
        del self.entries[leaf * WIDTH : leaf * WIDTH + WIDTH]
        group.count -= 1
        group.unread -= unread
        groups.changed()
        if not group.count:
            del groups.list[at]
        elif groups.categories[-1].extremum is not None:
            self._reorder(ordering, groups, at)

    def _reorder(self, ordering: Ordering, groups: Groups, at: int) -> None:
        """A row went that may have been the extremum: find the group's new one among what is left of it."""
        group, start = groups.list[at], groups.starts[at]
        mids = [self.at(leaf)[0] for leaf in range(start, start + group.count)]
        if len(mids) > MOST_CHANGES:
            raise Stale
        extremum = None
        for member in ordering.members(mids):
            if member.values[: len(group.path)] == group.path:
                extremum = groups.higher(extremum, groups.extremum_of(member))
        self._move_group(groups, at, extremum)

    def _move_group(self, groups: Groups, at: int, extremum: Any) -> int:
        """Give a group another extremum and put it where it then stands; answers its index."""
        group, start = groups.list[at], groups.starts[at]
        piece = self.entries[start * WIDTH : (start + group.count) * WIDTH]
        del self.entries[start * WIDTH : (start + group.count) * WIDTH]
        del groups.list[at]
        groups.changed()
        group.extremum = extremum
        at, _ = groups.place(group.path, extremum)
        start = groups.starts[at]
        self.entries[start * WIDTH : start * WIDTH] = piece
        groups.list.insert(at, group)
        groups.changed()
        return at

    def _join_group(self, ordering: Ordering, groups: Groups, member: Member) -> int:
        path, value = member.values[: len(groups.categories)], groups.extremum_of(member)
        at = groups.find(path)
        if at < 0:
            at, _ = groups.place(path, value)
            groups.list.insert(at, Group(path, extremum=value))
            groups.changed()
        else:
            extremum = groups.higher(groups.list[at].extremum, value)
            if extremum != groups.list[at].extremum:
                at = self._move_group(groups, at, extremum)
        group, start = groups.list[at], groups.starts[at]
        leaf = self._place(ordering, member, start, start + group.count)
        self.entries[leaf * WIDTH : leaf * WIDTH] = member.entry
        group.count += 1
        group.unread += member.unread
        groups.changed()
        return leaf


# ---------------------------------------------------------------------------------------------- making and looking


def make_view(definition: Definition, ordering: Ordering) -> View:
    """Read and sort all members. ecNotFound when the folder is gone."""
    db = ordering.db
    db.execute("BEGIN")
    try:
        stamp = stamp_of(definition, db)
        entries, groups = ordering.order()
    finally:
        db.execute("COMMIT")
    return View(definition, stamp, entries, groups)


def stamp_of(definition: Definition, db: Any) -> Stamp:
    """What the connection sees of a definition's source. ecNotFound."""
    if definition.source == EVERYWHERE:
        return Stamp(row(db, "SELECT max(cn) FROM folders")[0], 0, 0)
    folder = row(db, "SELECT cn, uidnext FROM folders WHERE fid=?", (definition.fid,))
    if folder is None:
        raise MapiError(Ec.ecNotFound, f"folder {definition.fid:#x}")
    if definition.source != UNLISTED:
        return Stamp(folder[0], folder[1], 0)
    sql = "SELECT count(*), ifnull(max(modseq), 0) FROM unlisted WHERE fid=? AND kind=?"
    count, modseq = row(db, sql, (definition.fid, definition.kind))
    return Stamp(modseq, 0, count)


def changes_since(definition: Definition, db: Any, stamp: Stamp) -> Changes | None:
    """What happened since; None when that is too much or not known any more. ecNotFound."""
    now = stamp_of(definition, db)
    if now == stamp:
        return Changes(now, [], set(), [])
    if definition.source in (EVERYWHERE, UNLISTED):
        return None
    fid = definition.fid
    if definition.source == LISTED:
        changed = rows(db, _CHANGED, (fid, stamp.cn, stamp.cn))
        if definition.member:
            changed += rows(db, _READ_STATES, (definition.member, fid, stamp.cn))
    else:
        changed = rows(db, _FOUND, (fid, stamp.cn))
        if row(db, _BEHIND, (fid,)) is not None:
            return None
    if len(changed) > MOST_CHANGES or row(db, "SELECT pruned_cn FROM folders WHERE fid=?", (fid,))[0] > stamp.cn:
        return None
    gone: list[int] = []
    renumbered = False
    for (mids,) in rows(db, "SELECT mids FROM tombstones WHERE fid=? AND cn>?", (fid, stamp.cn)):
        renumbered |= not mids
        gone += memoryview(mids).cast("Q")
        if len(gone) > MOST_CHANGES:
            return None
    new = set() if renumbered or definition.source != LISTED else {m for m, uid in changed if uid >= stamp.uidnext}
    return Changes(now, list(dict.fromkeys([mid for mid, _ in changed])), new, gone)


class Shown(NamedTuple):
    """A row of a table as it is shown: a leaf (`instance`), or a category's header."""

    kind: int
    instance: Instance
    group: int
    level: int
    category: int = 0


def layout_of(view: View, expanded: int, toggled: frozenset[int]) -> Layout | None:
    """What is shown of a categorized view; None of a flat one, which shows everything."""
    return None if view.groups is None else view.groups.layout(expanded, toggled)


def shown(view: View, layout: Layout | None, start: int, stop: int) -> list[Shown]:
    """The rows shown at some positions."""
    if layout is None or view.groups is None:
        entries = view.entries[start * WIDTH : stop * WIDTH]
        leaves = [split(entries[at : at + WIDTH]) for at in range(0, len(entries), WIDTH)]
        return [Shown(RowType.TBL_LEAF_ROW, (mid, num), 0, 0) for mid, num, _ in leaves]
    found: list[Shown] = []
    at = layout.header_at(start)
    position = start
    while position < min(stop, layout.total):
        header = layout.headers[at]
        if position == header.row:
            kind = RowType.TBL_EXPANDED_CATEGORY if header.open else RowType.TBL_COLLAPSED_CATEGORY
            first = view.groups.starts[header.first]
            found.append(Shown(kind, view.at(first), at, header.level, header.id))
            position += 1
        end = layout.headers[at + 1].row if at + 1 < len(layout.headers) else layout.total
        base = view.groups.starts[header.first] - header.row - 1
        while position < min(stop, end):
            found.append(Shown(RowType.TBL_LEAF_ROW, view.at(base + position), at, len(view.groups.categories)))
            position += 1
        at += 1
    return found


def position_of(view: View, layout: Layout | None, leaf: int) -> tuple[int, bool]:
    """Where a leaf is shown, or (False) the header of the closed group that hides it."""
    if layout is None or view.groups is None:
        return leaf, True
    group = view.groups.of_leaf(leaf)
    header, visible = view.groups.header_of(layout, group)
    assert header is not None
    return (header.row + 1 + leaf - view.groups.starts[group], True) if visible else (header.row, False)


# ---------------------------------------------------------------------------------------------- the cache


class ViewCache:
    """All views of a process, least recently used first; `limit` in octets. In the loop only."""

    def __init__(self) -> None:
        self.limit = 24 << 20
        self.octets = 0
        self._views: OrderedDict[int, tuple[View, Views, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._views)

    def used(self, view: View, owner: Views) -> None:
        """Add a view, or make it the latest used and count what it takes now."""
        known = self._views.pop(id(view), None)
        size = view.octets
        self.octets += size - (known[2] if known is not None else 0)
        self._views[id(view)] = (view, owner, size)
        while self.octets > self.limit and len(self._views) > 1:
            _, (oldest, of, _) = next(iter(self._views.items()))
            of.drop(oldest)

    def forget(self, view: View) -> None:
        """No longer kept."""
        known = self._views.pop(id(view), None)
        if known is not None:
            self.octets -= known[2]


CACHE = ViewCache()


class Views:
    """The views of one mailbox. `built` are those that threads made, for the loop to adopt."""

    def __init__(self, cache: ViewCache = CACHE) -> None:
        self._cache = cache
        self._views: dict[bytes, View] = {}
        self.built: deque[View] = deque()
        self.replaced: Callable[[View], None] = lambda view: None
        """Is told of each view that was made."""
        self.handed: dict[bytes, View] = {}
        """Copies for the threads that are about to read them."""

    def adopt(self) -> None:
        """Take over what threads made."""
        while self.built:
            self.keep(self.built.popleft())

    def keep(self, view: View) -> None:
        """Keep a view in the stead of an older one."""
        key = view.definition.key
        known = self._views.get(key)
        if known is not None:
            if not known.stale and known.stamp.cn >= view.stamp.cn:
                return
            self.drop(known)
        self._views[key] = view
        self._cache.used(view, self)
        self.replaced(view)

    def get(self, definition: Definition) -> View | None:
        """The view of a definition, if there is one that is not stale. It may be behind."""
        self.adopt()
        view = self._views.get(definition.key)
        if view is None:
            return None
        if view.stale:
            self.drop(view)
            return None
        self._cache.used(view, self)
        return view

    def drop(self, view: View) -> None:
        """Forget a view."""
        if self._views.get(view.definition.key) is view:
            del self._views[view.definition.key]
        self._cache.forget(view)

    def forget_folder(self, fid: int) -> None:
        """A folder is gone."""
        for view in [view for view in self._views.values() if view.definition.fid == fid]:
            self.drop(view)

    def clear(self) -> None:
        """Forget everything."""
        self.built.clear()
        self.handed.clear()
        for view in list(self._views.values()):
            self.drop(view)
