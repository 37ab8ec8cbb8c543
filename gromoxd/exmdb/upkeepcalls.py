"""The exmdb calls of an administrator: figures of a mailbox, verification, repair, compaction. See `gromoxctl mailbox`.

Verification is one call for each kind of fault, so that none takes long and its progress can be shown. Repair takes the
kinds that verification reported, a bounded number of faults a call, until there are none. It never removes a message:
what refers to nothing is brought back as a soft-deleted message, which the mailbox's retention removes in the end.
"""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

from gromoxd.exmdb.calls import Call, Result


class Kind(NamedTuple):
    """A kind of fault. `thorough`: found only by reading everything. `mendable`: repair knows what to do."""

    line: str
    mendable: bool = True
    thorough: bool = False


KINDS: Final[dict[str, Kind]] = {
    "database": Kind("SQLite finds the database damaged"),
    "counters": Kind("a number series of the mailbox is behind what was given out"),
    "folders": Kind("a folder is missing, is nowhere in the hierarchy, or is deleted and there at once"),
    "ids": Kind("two objects have one id"),
    "rows": Kind("a row of a message is not what any may be"),
    "data": Kind("a message has lost its data row"),
    "parts": Kind("an attachment, embedded message or long value is half there"),
    "orphans": Kind("the data row of a message is nobody's"),
    "contents": Kind("octets are nobody's"),
    "lost": Kind("octets that something refers to are missing", mendable=False),
    "data-refs": Kind("a data row is shared by another number of messages than counted"),
    "content-refs": Kind("octets are shared by another number of objects than counted"),
    "sizes": Kind("a size is not that of the octets"),
    "strays": Kind("something is kept for a folder or message that does not exist"),
    "source-keys": Kind("a foreign source key can be nobody's"),
    "tombstones": Kind("what is recorded as deleted is there, or the record is not readable"),
    "figures": Kind("the figures of a folder are not what it contains"),
    "pages": Kind("the index of a folder is not what it contains"),
    "files": Kind("a content file is missing or has another length", mendable=False),
    "leftovers": Kind("a content file is nobody's"),
    "octets": Kind("octets are not those that were stored", mendable=False, thorough=True),
    "properties": Kind("properties of an object are not readable", mendable=False, thorough=True),
}
"""In the order in which they are to be mended: what comes later may follow from what comes before."""

MOST_FAULTS, MOST_MENDED, MOST_BIG = 100, 500, 1000


class Fault(Result, frozen=True):
    """`fid` and `id` (of a message, data row or content, as `text` says) are 0 where they do not apply."""

    fid: int
    id: int
    text: str


class Findings(Result, frozen=True):
    """`count` faults, the first MOST_FAULTS of them in `faults`. `next` not 0: ask again from there."""

    count: int
    faults: list[Fault]
    next: int = 0


class CheckMailbox(Call[Findings], frozen=True):
    """Look for faults of one of KINDS; changes nothing. The system's right. ecInvalidParam for no such kind.

    Thorough kinds are answered in pieces: `after` is the `next` of the piece before.
    """

    kind: str
    after: int = 0


class Repaired(Result, frozen=True):
    """What was mended. `more`: there may be more faults of the kind."""

    mended: list[Fault]
    more: bool


class RepairMailbox(Call[Repaired], frozen=True):
    """Mend faults of one kind, at most MOST_MENDED. The system's right. ecInvalidParam, ecNotSupported (not mendable).

    Clients that have the mailbox open see the mended folders as changed.
    """

    writes: ClassVar[bool] = True
    kind: str


class Compacted(Result, frozen=True):
    """Octets of the database with its log, before and after; number and octets of the files of nothing that went."""

    before: int
    after: int
    files: int
    file_octets: int


class CompactMailbox(Call[Compacted], frozen=True):
    """Write the database anew without its gaps. The system's right. ecStorageFull.

    The mailbox is readable all the time; writes to it wait. Twice the database's size must be free on the disk.
    Octets of the log that a long read held back are in `after`; a later checkpoint frees them.
    """

    writes: ClassVar[bool] = True


# ---------------------------------------------------------------------------------------------- figures


class FolderSize(Result, frozen=True):
    """Messages, FAI messages and soft-deleted ones of a folder; sizes in octets. `path` as calls.Folder has it."""

    fid: int
    parent_fid: int
    name: str
    path: str
    container_class: str
    messages: int
    unread: int
    size: int
    associated: int
    associated_size: int
    deleted: int
    deleted_size: int


class FolderSizes(Call[list[FolderSize]], frozen=True):
    """All folders, and with `parent_fid` -1 the soft-deleted ones; the owner's right."""


class BigMessage(Result, frozen=True):
    """`uid` 0: not visible to IMAP. `received` in Unix seconds."""

    fid: int
    mid: int
    uid: int
    deleted: bool
    size: int
    received: int
    sender: str
    subject: str


class BiggestMessages(Call[list[BigMessage]], frozen=True):
    """The largest messages of the mailbox, largest first, at most MOST_BIG; the owner's right. ecInvalidParam."""

    count: int


class SearchFolder(Result, frozen=True):
    """`status` and `flags` as the store keeps them ([MS-OXCFOLD] 2.2.1.4.1, 2.2.1.5.2)."""

    fid: int
    flags: int
    status: int
    results: int


class Figures(Result, frozen=True):
    """Numbers of things and octets in a mailbox.

    `contents` are the octets in the database, `files` those in files; `permissions` are (fid, member, rights).
    `quota_receive` and `quota_storage` are the mailbox's own, None: the site's.
    """

    guid: bytes
    created: int
    public: bool
    cn: int
    next_id: int
    database: int
    free: int
    log: int
    messages: int
    associated: int
    deleted: int
    deleted_associated: int
    folders: int
    deleted_folders: int
    data_rows: int
    attachments: int
    embedded: int
    big_values: int
    contents: int
    content_octets: int
    files: int
    file_octets: int
    named_properties: int
    replicas: int
    source_keys: int
    rules: int
    keyword_sets: int
    tombstones: int
    quota_receive: int | None
    quota_storage: int | None
    permissions: list[tuple[int, str, int]]
    search_folders: list[SearchFolder]


class GetFigures(Call[Figures], frozen=True):
    """Everything that can be counted; the owner's right."""


CALLS = (CheckMailbox, RepairMailbox, CompactMailbox, FolderSizes, BiggestMessages, GetFigures)
