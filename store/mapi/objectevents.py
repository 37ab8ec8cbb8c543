"""What a batch of writes means for objects: new mail, messages and folders made, changed, moved, copied, deleted.

[MS-OXCNOTIF] 2.2.1.1. Worked out from the batch's effects, and only when somebody asks for it.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import apsw

from gromoxd.exmdb import calls as c
from gromoxd.exmdb.pages import DRAFT, PAGE_SPAN, SEEN
from store.changes import Arrived, Effects, Flagged, Gone, Origin
from store.mapi.marks import MF_READ, MF_UNSENT
from store.sql import row, rows

if TYPE_CHECKING:
    from store.mailbox import Mailbox

MOST_MESSAGES = 256
"""Messages of one batch that are told of one by one; of more only their folders are."""
_CLASSES = (
    "SELECT m.mid, m.flags, d.class FROM messages m CROSS JOIN message_data d USING (did) WHERE m.mid IN carray(?)"
)
_FLAGGED = "SELECT mid FROM messages WHERE fid=? AND uid BETWEEN ? AND ? AND modseq=?"
Came = dict[tuple[int, int], tuple[Origin, int]]
"""(fid, mid) of a message that came from elsewhere, how, and its old id."""


class ObjectEvents:
    """Of one mailbox. Remembers up to which change associated messages were told of, and the highest id then."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._cn = 0
        self._top = 0

    def start(self) -> None:
        """Somebody begins to listen."""
        self._cn, self._top = self._box.cn, self._highest()

    def _highest(self) -> int:
        db = self._box.loop_reader.db
        found = row(db, "SELECT (SELECT max(mid) FROM messages), (SELECT max(mid) FROM unlisted)")
        return max(found[0] or 0, found[1] or 0)

    def of(self, effects: Effects, before: c.FolderList) -> list[c.ObjectChange]:
        """What the batch did."""
        found = self._folders(effects, before) if effects.hierarchy else []
        messages = self._messages(effects)
        if len(messages) <= MOST_MESSAGES:
            found += messages
        for fid, figures in effects.figures.items():
            if fid in effects.told and fid not in effects.deleted:
                found.append(c.ObjectChange(c.MODIFIED, fid, total=figures.messages, unread=figures.unseen))
        self._cn = self._box.cn
        self._top = max([self._top, *(one.mid for one in found)])
        return found

    # ------------------------------------------------------------------------------------------ messages

    def _messages(self, effects: Effects) -> list[c.ObjectChange]:
        came = {
            (origin.fid, new): (origin, old)
            for origin in effects.origins
            for new, old in zip(origin.mids, origin.old_mids, strict=True)
        }
        left = {(origin.old_fid, old) for origin in effects.origins if origin.moved for old in origin.old_mids}
        found = self._arrived(effects, came)
        for change in effects.changes:
            if len(found) > MOST_MESSAGES:
                break
            if isinstance(change, Flagged):
                found += self._flagged(change)
            elif isinstance(change, Gone):
                gone = self._gone(change.fid, change.cn)
                found += [c.ObjectChange(c.DELETED, change.fid, mid) for mid in gone if (change.fid, mid) not in left]
        return found + self._unlisted(effects, came) + self._found(effects)

    def _arrived(self, effects: Effects, came: Came) -> list[c.ObjectChange]:
        arrived = [change for change in effects.changes if isinstance(change, Arrived)]
        pairs = [(change.fid, one.mid) for change in arrived for one in change.rows]
        described = self._describe([mid for _, mid in pairs[:MOST_MESSAGES]])
        renewed = self._renewed(effects)
        found: list[c.ObjectChange] = []
        for fid, mid in pairs:
            flags, kind = described.get(mid, (0, ""))
            if (fid, mid) in renewed:
                found.append(c.ObjectChange(c.MODIFIED, fid, mid))
            elif (fid, mid) in came:
                origin, old = came[fid, mid]
                what = c.MOVED if origin.moved else c.COPIED
                found.append(c.ObjectChange(what, fid, mid, old_fid=origin.old_fid, old_mid=old))
            else:
                found.append(c.ObjectChange(c.CREATED, fid, mid, flags=flags, message_class=kind))
            if (fid, mid) in effects.delivered:
                found.append(c.ObjectChange(c.NEW_MAIL, fid, mid, flags=flags, message_class=kind))
        return found

    def _describe(self, mids: list[int]) -> dict[int, tuple[int, str]]:
        """Message flags and class."""
        db = self._box.loop_reader.db
        found = rows(db, _CLASSES, (apsw.carray(array("q", mids)),)) if mids else []
        return {
            mid: ((MF_READ if flags & SEEN else 0) | (MF_UNSENT if flags & DRAFT else 0), kind)
            for mid, flags, kind in found
        }

    def _renewed(self, effects: Effects) -> set[tuple[int, int]]:
        """Messages that were there before and only got a new uid."""
        renumbered = {
            change.fid
            for change in effects.changes
            if isinstance(change, Gone) and not self._gone(change.fid, change.cn)
        }
        return {
            (change.fid, one.mid)
            for change in effects.changes
            if isinstance(change, Arrived) and change.fid in renumbered
            for one in change.rows
            if one.mid <= self._top
        }

    def _gone(self, fid: int, cn: int) -> list[int]:
        found = row(self._box.loop_reader.db, "SELECT mids FROM tombstones WHERE fid=? AND cn=?", (fid, cn))
        return list(memoryview(found[0]).cast("Q")) if found is not None else []

    def _flagged(self, change: Flagged) -> list[c.ObjectChange]:
        db = self._box.loop_reader.db
        found: list[c.ObjectChange] = []
        for number in change.numbers[: MOST_MESSAGES // 16]:
            first = number * PAGE_SPAN
            args = (change.fid, first, first + PAGE_SPAN - 1, change.cn)
            found += [c.ObjectChange(c.MODIFIED, change.fid, mid) for (mid,) in rows(db, _FLAGGED, args)]
        return found

    def _unlisted(self, effects: Effects, came: Came) -> list[c.ObjectChange]:
        """Associated messages, of which effects say only that their folder changed."""
        db = self._box.loop_reader.db
        found: list[c.ObjectChange] = []
        for fid in effects.told:
            sql = f"SELECT mid, kind FROM unlisted WHERE fid=? AND modseq>? LIMIT {MOST_MESSAGES}"
            for mid, kind in rows(db, sql, (fid, self._cn)) if fid else ():
                if kind == 1 and (fid, mid) not in came:
                    new = mid > self._top
                    found.append(c.ObjectChange(c.CREATED if new else c.MODIFIED, fid, mid))
        return found

    def _found(self, effects: Effects) -> list[c.ObjectChange]:
        """Messages that came into search folders and left them."""
        found: list[c.ObjectChange] = []
        for one in effects.found:
            mids = [*one.added, *one.removed][:MOST_MESSAGES]
            homes = self._homes(mids)
            for mid in mids:
                kind = c.CREATED if mid in one.added else c.DELETED
                found.append(c.ObjectChange(kind, homes.get(mid, 0), mid, parent_fid=one.fid))
            if one.complete:
                found.append(c.ObjectChange(c.SEARCH_COMPLETE, one.fid))
        return found

    def _homes(self, mids: list[int]) -> dict[int, int]:
        sql = "SELECT mid, fid FROM messages WHERE mid IN carray(?)"
        return dict(rows(self._box.loop_reader.db, sql, (apsw.carray(array("q", mids)),))) if mids else {}

    # ------------------------------------------------------------------------------------------ folders

    def _folders(self, effects: Effects, before: c.FolderList) -> list[c.ObjectChange]:
        old = {folder.fid: folder for folder in before.folders}
        new = {folder.fid: folder for folder in self._box.folder_list.folders}
        found = [
            c.ObjectChange(c.DELETED, fid, parent_fid=folder.parent_fid)
            for fid, folder in old.items()
            if fid not in new
        ]
        for fid, folder in new.items():
            was = old.get(fid)
            if was is None:
                found.append(c.ObjectChange(c.CREATED, fid, parent_fid=folder.parent_fid))
            elif was.parent_fid != folder.parent_fid:
                parent, old_parent = folder.parent_fid, was.parent_fid
                found.append(c.ObjectChange(c.MOVED, fid, parent_fid=parent, old_fid=fid, old_parent_fid=old_parent))
            elif was != folder:
                found.append(c.ObjectChange(c.MODIFIED, fid, parent_fid=folder.parent_fid))
        return found
