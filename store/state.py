"""What the writer of a mailbox knows without asking the database: folders, counters, keyword sets, open deliveries.

It mirrors committed rows (plus the running transaction). After a call or a commit failed it is read anew; only two
things are not in the database yet and survive that: recent marks claimed and deliveries confirmed since the last write,
neither of which is worth a commit of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import apsw
import msgspec

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from store import wellknown as wk
from store.sql import rows_once

if TYPE_CHECKING:
    from store.mapi.rulebook import Rulebook

LOOP = 256
"""Folders that are nested deeper than any may be are in a loop, in a broken database."""


@dataclass(slots=True)
class FolderRow:
    """A row of `folders`."""

    fid: int
    uidnext: int
    messages: int
    unseen: int
    size: int
    cn: int
    recent_uid: int
    parent_fid: int
    name: str
    container_class: str
    hidden: bool
    uidvalidity: int
    changed_cn: int

    @property
    def component(self) -> str:
        """The folder's name as part of a path."""
        return "INBOX" if self.fid == wk.INBOX else self.name.replace("/", "\u2215")


FOLDER_COLUMNS = (
    "fid, uidnext, messages, unseen, size, cn, recent_uid, parent_fid, name, container_class, hidden, uidvalidity,"
    " changed_cn"
)


class Delivery(NamedTuple):
    """A delivery that its sender may not know of yet."""

    fingerprint: bytes
    instance: bytes
    time: int
    stored: c.Stored


class Keywords:
    """Interned keyword sets. Keywords compare without case; the first spelling in the mailbox is kept."""

    def __init__(self, sets: list[list[str]]) -> None:
        self.sets = sets
        self.spelling: dict[str, str] = {}
        self._ids: dict[tuple[str, ...], int] = {}
        for number, words in enumerate(sets):
            self._learn(number, words)

    def _learn(self, number: int, words: list[str]) -> None:
        for word in words:
            self.spelling.setdefault(word.lower(), word)
        self._ids[tuple(sorted(w.lower() for w in words))] = number

    def find(self, lowered: set[str]) -> int | None:
        """The id of the set of these lower-case keywords, if there is one."""
        return self._ids.get(tuple(sorted(lowered)))

    def add(self, words: list[str]) -> int:
        """Make a new set."""
        self.sets.append(words)
        self._learn(len(self.sets) - 1, words)
        return len(self.sets) - 1


def load_acl(db: apsw.Connection) -> dict[int, dict[str, int]]:
    """All permissions: fid -> member in lower case -> rights."""
    acl: dict[int, dict[str, int]] = {}
    sql = "SELECT fid, member, rights FROM permissions WHERE fid IN (SELECT fid FROM folders)"
    for fid, member, rights in rows_once(db, sql):
        acl.setdefault(fid, {})[member.lower()] = rights
    return acl


class State:
    """See the module."""

    def __init__(self, db: apsw.Connection, ipm_subtree: int = wk.IPM_SUBTREE) -> None:
        self.db = db
        self.ipm_subtree = ipm_subtree
        """The folder below which paths start."""
        self.recent: dict[int, int] = {}
        """Claimed recent marks that are not in the database yet: fid -> first recent uid."""
        self.confirmed: list[bytes] = []
        """Request ids whose rows the next write removes."""
        self.next_id = 0
        self.load()

    def load(self) -> None:
        """Read everything from the database."""
        sql = "SELECT next_id, cn, hierarchy_cn, last_uidvalidity, quota_receive, quota_storage FROM mailbox"
        counters: tuple[int, int, int, int, int | None, int | None] = rows_once(self.db, sql)[0]
        self.reserved_id, self.cn, self.hierarchy_cn, self.last_uidvalidity = counters[:4]
        if not self.next_id:
            self.next_id = self.reserved_id
        self.quota_receive, self.quota_storage = counters[4:]
        self.folders = {
            r[0]: FolderRow(*r) for r in rows_once(self.db, f"SELECT {FOLDER_COLUMNS} FROM folders ORDER BY fid")
        }
        self.cn = max(self.cn, *(max(f.cn, f.changed_cn) for f in self.folders.values()))
        for fid, uid in list(self.recent.items()):
            if fid in self.folders:
                self.folders[fid].recent_uid = max(uid, self.folders[fid].recent_uid)
        self.subscriptions = [path for (path,) in rows_once(self.db, "SELECT path FROM subscriptions")]
        sets = rows_once(self.db, "SELECT keywords FROM keyword_sets ORDER BY id")
        self.keywords = Keywords([msgspec.json.decode(text, type=list[str]) for (text,) in sets])
        self._load_deliveries()
        self.acl = load_acl(self.db)
        exists = " OR ".join(f"EXISTS (SELECT 1 FROM {t})" for t in ("big_values", "embedded", "content_refs"))
        self.has_objects = bool(rows_once(self.db, f"SELECT {exists}")[0][0])
        """Whether there may be big values, embedded messages and shared contents."""
        self._children: dict[tuple[int, str], int] | None = None
        self.rulebook: Rulebook | None = None
        """The rules, once mail came and until something may have changed them."""

    def _load_deliveries(self) -> None:
        self.deliveries: dict[bytes, Delivery] = {}
        self.by_print: dict[bytes, dict[bytes, None]] = {}
        """Fingerprint -> the request ids that have it, oldest first."""
        sql = "SELECT request_id, fingerprint, instance, time, result FROM requests WHERE fingerprint IS NOT NULL"
        gone = set(self.confirmed)
        found = [
            (request_id, Delivery(fingerprint, instance, time, msgspec.msgpack.decode(result, type=c.Stored)))
            for request_id, fingerprint, instance, time, result in rows_once(self.db, sql)
            if request_id not in gone
        ]
        for request_id, delivery in sorted(found, key=lambda pair: pair[1].stored.cn):
            self.add_delivery(request_id, delivery)

    def add_delivery(self, request_id: bytes, delivery: Delivery) -> None:
        """Remember a delivery until it is confirmed."""
        self.deliveries[request_id] = delivery
        self.by_print.setdefault(delivery.fingerprint, {})[request_id] = None

    def drop_delivery(self, request_id: bytes) -> Delivery | None:
        """Forget a delivery."""
        delivery = self.deliveries.pop(request_id, None)
        if delivery is not None:
            same = self.by_print[delivery.fingerprint]
            same.pop(request_id, None)
            if not same:
                del self.by_print[delivery.fingerprint]
        return delivery

    # ------------------------------------------------------------------------------------------ hierarchy

    def folder(self, fid: int) -> FolderRow:
        """MapiError ecNotFound."""
        folder = self.folders.get(fid)
        if folder is None:
            raise MapiError(Ec.ecNotFound, f"folder {fid:#x}")
        return folder

    def child(self, parent: int, component: str) -> FolderRow | None:
        """The folder of this path component below `parent`."""
        if self._children is None:
            self._children = {(f.parent_fid, f.component): f.fid for f in self.folders.values()}
        fid = self._children.get((parent, component))
        return None if fid is None else self.folders[fid]

    def hierarchy_changed(self, cn: int) -> None:
        """Folders came, went or were renamed."""
        self.hierarchy_cn = cn
        self._children = None

    def path(self, row: FolderRow) -> str:
        """See calls.Folder."""
        names: list[str] = []
        at: FolderRow | None = row
        while at is not None and at.fid != self.ipm_subtree and len(names) <= LOOP:
            names.append(at.component)
            at = self.folders.get(at.parent_fid)
        return "/".join(reversed(names)) if at is not None and len(names) <= LOOP else ""

    def show(self, row: FolderRow) -> c.Folder:
        """A folder as clients see it."""
        return c.Folder(
            fid=row.fid, parent_fid=row.parent_fid, name=row.name, path=self.path(row),
            container_class=row.container_class, special=wk.SPECIAL_USE.get(row.fid, ""), hidden=bool(row.hidden),
            uidvalidity=row.uidvalidity, cn=row.changed_cn,
        )  # fmt: skip

    def folder_list(self) -> c.FolderList:
        """The hierarchy as clients see it."""
        return c.FolderList(
            self.hierarchy_cn, [self.show(row) for row in self.folders.values()], sorted(self.subscriptions)
        )

    @property
    def size(self) -> int:
        """Bytes of all messages."""
        return sum(row.size for row in self.folders.values())
