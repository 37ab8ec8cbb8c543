"""What the memory store remembers: folders, messages and a mailbox's counters, and how folder paths are walked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import pages
from store.wellknown import FIRST_FREE_ID, INBOX, IPM_SUBTREE, SPECIAL_USE

MAX_NAME, MAX_DEPTH = 255, 64


@dataclass
class StoredMessage:
    uid: int
    mid: int
    cn: int
    flags: int
    received: int
    digest: c.Digest
    raw: bytes


@dataclass
class FolderRow:
    fid: int
    parent: int
    name: str
    container_class: str
    hidden: bool
    cn: int
    modseq: int
    uidnext: int = 1
    recent_uid: int = 1
    messages: dict[int, StoredMessage] = field(default_factory=dict)
    tombstones: list[tuple[int, int]] = field(default_factory=list)
    page_cns: dict[int, int] = field(default_factory=dict)

    def touch(self, uid: int, cn: int) -> None:
        self.modseq = cn
        self.page_cns[uid // pages.PAGE_SPAN] = cn

    def select(self, uids: c.Ranges) -> list[StoredMessage]:
        """The messages in `uids` that exist, ascending. A dict keeps uid order: uids only grow."""
        return [m for m in self.messages.values() if any(first <= m.uid <= last for first, last in uids)]


@dataclass
class Delivery:
    fingerprint: bytes
    connection: str
    stored: c.Stored


@dataclass
class Mailbox:
    maildir: str
    owner: str
    cn: int = 0
    hierarchy_cn: int = 0
    next_id: int = FIRST_FREE_ID
    folders: dict[int, FolderRow] = field(default_factory=dict)
    subscriptions: list[str] = field(default_factory=list)
    keyword_sets: list[list[str]] = field(default_factory=lambda: [[]])
    requests: dict[bytes, Any] = field(default_factory=dict)
    deliveries: dict[bytes, Delivery] = field(default_factory=dict)
    quota_receive: int = 0
    quota_storage: int = 0
    pop3_holder: str = ""
    watchers: list[Callable[[c.Event], None]] = field(default_factory=list)
    changed: set[int] = field(default_factory=set)
    """Folders (0: the hierarchy) that the running call changed: published and told to watchers at its end."""

    def new_cn(self) -> int:
        self.cn += 1
        return self.cn

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def folder(self, fid: int) -> FolderRow:
        try:
            return self.folders[fid]
        except KeyError:
            raise MapiError(Ec.ecNotFound, f"folder {fid:#x}") from None

    @property
    def size(self) -> int:
        return sum(m.digest.size for f in self.folders.values() for m in f.messages.values())

    def keyword_set(self, words: Iterable[str]) -> int:
        """The interned id of a set of keywords; keywords are case-insensitive, the first spelling is kept."""
        known = {w.lower(): w for s in reversed(self.keyword_sets) for w in s}
        wanted = sorted({known.get(w.lower(), w) for w in {x.lower(): x for x in words}.values()})
        for number, have in enumerate(self.keyword_sets):
            if have == wanted:
                return number
        self.keyword_sets.append(wanted)
        return len(self.keyword_sets) - 1


def component(folder: FolderRow) -> str:
    return "INBOX" if folder.fid == INBOX else folder.name.replace("/", "\u2215")


def _ancestry(box: Mailbox, folder: FolderRow) -> Iterator[FolderRow]:
    """The folder and what is above it, below IPM_SUBTREE; ends without yielding more at the root."""
    while folder.fid != IPM_SUBTREE and folder.parent:
        yield folder
        folder = box.folders[folder.parent]


def path_of(box: Mailbox, folder: FolderRow) -> str:
    line = list(_ancestry(box, folder))
    if not line or line[-1].parent != IPM_SUBTREE:
        return ""
    return "/".join(component(f) for f in reversed(line))


def is_below(box: Mailbox, fid: int, top: int) -> bool:
    return any(f.fid == top for f in _ancestry(box, box.folders[fid]))


def show(box: Mailbox, f: FolderRow) -> c.Folder:
    return c.Folder(
        fid=f.fid,
        parent_fid=f.parent,
        name=f.name,
        path=path_of(box, f),
        container_class=f.container_class,
        special=SPECIAL_USE.get(f.fid, ""),
        hidden=f.hidden,
        uidvalidity=f.fid,
        cn=f.cn,
    )


def walk(box: Mailbox, path: str) -> tuple[int, list[str]]:
    """The deepest folder on `path` that exists, and the names below it that do not."""
    names = path.split("/")
    if len(names) > MAX_DEPTH or not all(0 < len(n) <= MAX_NAME for n in names):
        raise MapiError(Ec.ecInvalidParam, "folder path")
    if any(ch < " " or ch == "\x7f" for ch in path):
        raise MapiError(Ec.ecInvalidParam, "control character in a folder name")
    if names[0].upper() == "INBOX":
        names[0] = "INBOX"
    at = IPM_SUBTREE
    while names:
        below = [f for f in box.folders.values() if f.parent == at and component(f) == names[0]]
        if not below:
            break
        at = below[0].fid
        names.pop(0)
    return at, names


def make_folders(box: Mailbox, parent: int, names: list[str], container_class: str) -> FolderRow:
    for name in names:
        cn = box.new_cn()
        folder = FolderRow(box.new_id(), parent, name.replace("\u2215", "/"), container_class, False, cn, cn)
        box.folders[folder.fid] = folder
        parent = folder.fid
    box.hierarchy_cn = box.cn
    box.changed.add(0)
    return box.folders[parent]


def own_folder(box: Mailbox, fid: int) -> FolderRow:
    """A folder that may be deleted or renamed: not a well-known one."""
    folder = box.folder(fid)
    if fid < FIRST_FREE_ID:
        raise MapiError(Ec.ecRootFolder, folder.name)
    return folder
