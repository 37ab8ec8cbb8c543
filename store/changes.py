"""What a batch of writes did, as the loop needs it to bring its pages in memory and the arena up to date."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gromoxd.exmdb.calls import Call, FolderList, Ranges


@dataclass(slots=True)
class Write:
    """A write call as the service hands it over. `instance`: the client's 16 bytes; `spool_fd`: raw bytes or -1."""

    call: Call[Any]
    actor: str
    instance: bytes = bytes(16)
    spool_fd: int = -1


class Row(NamedTuple):
    """One message of an index page."""

    uid: int
    flags: int
    size: int
    received: int
    sent: int
    modseq: int
    mid: int


class Arrived(NamedTuple):
    """Messages came, with ascending uids above all others. `cn` is the last of their change numbers."""

    fid: int
    cn: int
    rows: list[Row]


class Flagged(NamedTuple):
    """Messages in `ranges` with mod-sequence <= `limit` (-1: any) whose flags word is a key of `words` got its value.

    `numbers` are the pages in which something changed.
    """

    fid: int
    cn: int
    numbers: list[int]
    ranges: Ranges
    words: dict[int, int]
    limit: int


class Gone(NamedTuple):
    """Messages went."""

    fid: int
    cn: int
    ranges: Ranges


Change = Arrived | Flagged | Gone


class Figures(NamedTuple):
    """A folder's figures after a call."""

    uidvalidity: int
    uidnext: int
    messages: int
    unseen: int
    recent_uid: int
    cn: int
    size: int


class Pieces(NamedTuple):
    """ENVELOPE and BODYSTRUCTURE of a message that just came."""

    fid: int
    mid: int
    uid: int
    envelope: bytes
    bodystructure: bytes


class Origin(NamedTuple):
    """Messages that came from elsewhere in the mailbox: new and old ids in the same order."""

    fid: int
    mids: list[int]
    old_fid: int
    old_mids: list[int]
    moved: bool


class Found(NamedTuple):
    """What came into a search folder and left it; `complete`: it has been filled."""

    fid: int
    added: list[int]
    removed: list[int]
    complete: bool


@dataclass(slots=True)
class Effects:
    """What one call, or a batch of them, did. `pages`: fid -> number -> (count, cn) of the pages touched."""

    changes: list[Change] = field(default_factory=list)
    figures: dict[int, Figures] = field(default_factory=dict)
    pages: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    told: set[int] = field(default_factory=set)
    """Folders whose watchers are told (0: hierarchy)."""
    hierarchy: bool = False
    keywords: bool = False
    pieces: list[Pieces] = field(default_factory=list)
    acl: bool = False
    """Permissions changed."""
    reload: set[int] = field(default_factory=set)
    """Folders that were repaired: what is in memory of them is forgotten."""
    delivered: list[tuple[int, int]] = field(default_factory=list)
    """(fid, mid) of new mail."""
    origins: list[Origin] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    searches: bool = False
    """Search folders began or ended to be kept current."""
    outgoing: bool = False
    """There is mail for the relay."""
    nothing_outgoing: bool = False
    """The relay found that there is none."""

    def add(self, other: Effects) -> None:
        """Append what a later call did."""
        self.changes += other.changes
        self.figures |= other.figures
        for fid, numbers in other.pages.items():
            self.pages.setdefault(fid, {}).update(numbers)
        self.deleted |= other.deleted
        self.told |= other.told
        self.hierarchy |= other.hierarchy
        self.keywords |= other.keywords
        self.pieces += other.pieces
        self.acl |= other.acl
        self.reload |= other.reload
        self.delivered += other.delivered
        self.origins += other.origins
        self.found += other.found
        self.searches |= other.searches
        self.outgoing |= other.outgoing
        self.nothing_outgoing |= other.nothing_outgoing


@dataclass(slots=True)
class Batch:
    """The outcome of a batch: per call its result or exception, and what is to be published."""

    results: list[Any]
    effects: Effects = field(default_factory=Effects)
    cn: int = 0
    folder_list: FolderList | None = None
    acl: dict[int, dict[str, int]] | None = None
    """All permissions, when they changed."""
    keyword_sets: list[list[str]] | None = None
    """All sets, when there are new ones."""
