"""The exmdb calls: every request a worker may make of a mailbox's owner, with its result.

This module is the store's documentation. A request is a `Call[Result]` struct; it travels as msgpack inside the frame
of `gromoxd.exmdb.framing` beside the mailbox, the actor and the deadline, which therefore are not fields here. Errors
come back as `MapiError`. A retried write with the same `request_id` is done once: the owner remembers the result in the
mailbox's own database, so that it also survives a crash and a change of owner.

Identifiers: `fid`/`mid` are 48-bit counters ([MS-OXCSTOR] 2.2.1); `uid` is the IMAP uid (RFC 3501 2.3.1.1); `cn` is the
mailbox's change number and IMAP's mod-sequence (RFC 7162). `flags` words: see `gromoxd.exmdb.pages`.
Times are Unix seconds (UTC). Uid sets are sorted lists of inclusive `(first, last)` pairs.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

import msgspec

R = TypeVar("R")
Ranges = list[tuple[int, int]]


class Call(msgspec.Struct, Generic[R], array_like=True, omit_defaults=False, frozen=True):
    """A request whose answer is an `R`. `writes`: runs on the mailbox's writer. `owner_only`: see docs/decisions."""

    writes: ClassVar[bool] = False


class Result(msgspec.Struct, array_like=True, frozen=True):
    """Base of the answers."""


class Done(Result, frozen=True):
    """Nothing to say but that it is on disk; `cn` is the last change number that it took (0: none)."""

    cn: int = 0


# ---------------------------------------------------------------------------------------------- folders


class Folder(Result, frozen=True):
    """One folder of the hierarchy. `name` is the last path component; `path` joins them with '/' from IPM_SUBTREE.

    `special` is the RFC 6154 attribute without backslash ('Sent', 'Trash', 'Drafts', 'Junk') or ''. Inbox has
    path 'INBOX' whatever its display name; only descendants of IPM_SUBTREE (fid 9) have a path, others ''.
    A '/' inside a display name is shown as the path text '\\u2215' (DIVISION SLASH).
    """

    fid: int
    parent_fid: int
    name: str
    path: str
    container_class: str
    special: str
    hidden: bool
    uidvalidity: int
    cn: int


class FolderList(Result, frozen=True):
    """The whole hierarchy; published in the arena under `keys.folder_list(mailbox)`.

    `subscriptions` are paths as the client wrote them; a subscription outlives its folder (RFC 3501 6.3.6).
    `keyword_sets[i]` are the keywords of keyword-set id i (see pages.py; id 0 is the empty set).
    """

    cn: int
    folders: list[Folder]
    subscriptions: list[str]


class ListFolders(Call[FolderList], frozen=True):
    """The hierarchy; also (re)publishes it."""


class CreateFolder(Call[Folder], frozen=True):
    """Create `path` ('A/B/C' below IPM_SUBTREE; missing parents are made). ecDuplicateName if it exists."""

    writes: ClassVar[bool] = True
    path: str
    container_class: str = "IPF.Note"
    request_id: bytes = b""


class DeleteFolder(Call[Done], frozen=True):
    """Delete a folder and its messages. ecFolderHasChildren if it has any, ecRootFolder for well-known folders."""

    writes: ClassVar[bool] = True
    fid: int


class RenameFolder(Call[Done], frozen=True):
    """Give a folder a new path (children go along; missing parents are made). ecDuplicateName, ecRootFolder."""

    writes: ClassVar[bool] = True
    fid: int
    path: str


class Subscribe(Call[Done], frozen=True):
    """Add or remove a subscription by path."""

    writes: ClassVar[bool] = True
    path: str
    on: bool


# ---------------------------------------------------------------------------------------------- folder contents


class KeywordSets(Result, frozen=True):
    """`sets[i]` are the keywords of keyword-set id `first + i`. Append-only for the life of the mailbox."""

    first: int
    sets: list[list[str]]


class GetKeywordSets(Call[KeywordSets], frozen=True):
    """The keyword sets from id `first` on (published in the arena too, under `keys.keyword_sets(mailbox)`, whole)."""

    first: int = 0


class GetFolderState(Call[bytes], frozen=True):
    """The encoded `pages.FolderState` of a folder; also (re)publishes it. ecNotFound."""

    fid: int


class GetPages(Call[list[bytes]], frozen=True):
    """The encoded index pages (`pages.Page`) with these numbers, b'' for one without messages; republishes them."""

    fid: int
    numbers: list[int]


class ClaimRecent(Call[int], frozen=True):
    """Take a folder's \\Recent messages for this session: the first uid that is recent (RFC 3501 2.3.2)."""

    writes: ClassVar[bool] = True
    fid: int


class Digest(Result, frozen=True):
    """What delivery learns from a message's bytes, made by `gromoxd.convert.digest.digest_message` in the worker.

    Offsets are into the RFC 5322 bytes. `parts` is the msgpack of the MIME tree (gromoxd.convert.mime.Part).
    `*_key` are decoded, case-folded texts for searching. `props`, `recipients` and each of `attachments` are property
    bags (gromoxd.mapi.bag). `names`: (property id, set, key) of properties that are not built in; the store puts the
    ids that the mailbox has for these names in their place.
    """

    size: int
    header_size: int
    sent: int
    envelope: bytes
    bodystructure: bytes
    parts: bytes
    message_id: str
    from_key: str
    to_key: str
    cc_key: str
    bcc_key: str
    subject_key: str
    message_class: str
    props: bytes
    recipients: bytes
    attachments: list[bytes]
    names: list[tuple[int, bytes, int | str]] = []


class NewMessage(Result, frozen=True):
    """A message to store. The bytes are `raw`, or, when `raw` is empty, the spool given beside the call.

    `received` is INTERNALDATE. `flags` are system flag bits (pages.SEEN …), `keywords` the rest.
    """

    digest: Digest
    raw: bytes
    received: int
    flags: int = 0
    keywords: list[str] = []


class Stored(Result, frozen=True):
    """Where a message went."""

    fid: int
    uidvalidity: int
    uid: int
    mid: int
    cn: int


class Append(Call[Stored], frozen=True):
    """Store a message in a folder. ecNotFound, ecQuotaExceeded. The bytes are on disk when the answer comes."""

    writes: ClassVar[bool] = True
    fid: int
    message: NewMessage
    request_id: bytes


class Booking(Result, frozen=True):
    """How a mailbox answers meeting requests by itself, as the directory says; its delegate information goes first.

    `room`: it is a room or equipment. `capacity`: the most attendees, 0: any number.
    """

    room: bool = False
    accepts: bool = False
    no_series: bool = False
    no_overlap: bool = True
    capacity: int = 0


class Deliver(Call[Stored], frozen=True):
    """Deliver incoming mail: to the Inbox, or where rules and spam marks want it. ecQuotaExceeded, ecNotFound.

    A rule may have it kept nowhere: then the answer's `uid` and `mid` are 0. `recipient` is the address that it was
    sent to, one of the mailbox's. `internal`: the sender is of the owner's organisation, as the directory says; those
    of his domain are anyway. `represents`: the user whose rule passes it on to this delegate. `booking`: how the
    mailbox answers meeting requests. `aliases`: other addresses of the mailbox, in lower case.

    `fingerprint` identifies the message's bytes, sender and recipient. While a delivery is not confirmed (`Confirm`)
    and the connection of the worker that made it is gone, the same fingerprint is taken for the sender's retry of a
    delivery whose reply was lost, and answered with the first result (docs/decisions).
    """

    writes: ClassVar[bool] = True
    message: NewMessage
    sender: str
    request_id: bytes
    fingerprint: bytes
    recipient: str = ""
    internal: bool = False
    represents: str = ""
    booking: Booking = Booking()
    aliases: list[str] = []


class Confirm(Call[Done], frozen=True):
    """The sender of these deliveries (request ids) has been told 250. Cheap: kept until the mailbox's next write."""

    request_ids: list[bytes]


ADD, REMOVE, REPLACE = 1, -1, 0


class FlagsChanged(Result, frozen=True):
    """`cn` is the new mod-sequence (0: nothing changed); `modified` are uids left alone because of unchanged_since."""

    cn: int
    modified: Ranges


class SetFlags(Call[FlagsChanged], frozen=True):
    """STORE: `mode` ADD, REMOVE or REPLACE the system flag bits and keywords of the messages in `uids`.

    REPLACE leaves keywords alone that IMAP cannot show (`pages.is_imap_keyword`): its clients do not know of them.
    """

    writes: ClassVar[bool] = True
    fid: int
    uids: Ranges
    mode: int
    flags: int
    keywords: list[str] = []
    unchanged_since: int = -1


class Copied(Result, frozen=True):
    """Source and destination uids in the same order (RFC 4315 COPYUID)."""

    uidvalidity: int
    source: Ranges
    destination: Ranges
    cn: int


class CopyMessages(Call[Copied], frozen=True):
    """Copy (or, with `move`, move atomically) messages to another folder. Missing uids are passed over."""

    writes: ClassVar[bool] = True
    fid: int
    uids: Ranges
    destination: int
    move: bool
    request_id: bytes


class Expunged(Result, frozen=True):
    """Uids that went, ascending ranges, and the change number at which they went."""

    uids: Ranges
    cn: int


class Expunge(Call[Expunged], frozen=True):
    """Remove messages of `uids`; with `deleted_only` just those that carry \\Deleted. Missing uids are passed over."""

    writes: ClassVar[bool] = True
    fid: int
    uids: Ranges
    deleted_only: bool = True


class Vanished(Result, frozen=True):
    """Uids expunged after a change number (RFC 7162 3.2.10); `complete` is False when tombstones were pruned."""

    uids: Ranges
    complete: bool


class GetVanished(Call[Vanished], frozen=True):
    """Uids of a folder that were expunged after change number `since`."""

    fid: int
    since: int


# ---------------------------------------------------------------------------------------------- reading

ENVELOPE, BODYSTRUCTURE, HEADER, PARTS = 1, 2, 4, 8


class Piece(Result, frozen=True):
    """Parts of one message. Fields not asked for are empty. `header` is the raw header with its empty line."""

    uid: int
    envelope: bytes = b""
    bodystructure: bytes = b""
    header: bytes = b""
    parts: bytes = b""


class GetPieces(Call[list[Piece]], frozen=True):
    """Pieces of the messages in `uids` that still exist, ascending; `what` is a bit set of ENVELOPE ….

    Envelope+bodystructure are published in the arena as one value (keys.pieces): struct '<II' lengths, then both.
    At most 1,000 messages a call (ecInvalidParam).
    """

    fid: int
    uids: Ranges
    what: int


class Content(Result, frozen=True):
    """The RFC 5322 bytes of a message. Longer than `limit`: `raw` is empty and the bytes are read by ReadContent."""

    uid: int
    size: int
    raw: bytes


class GetContents(Call[list[Content]], frozen=True):
    """Whole messages in `uids` that still exist, ascending; stops (short list) once `limit` bytes are gathered."""

    fid: int
    uids: Ranges
    limit: int = 4 << 20


class ReadContent(Call[bytes], frozen=True):
    """`length` bytes (at most 1 MiB) from `offset` of one message; short at its end. ecNotFound when it is gone."""

    fid: int
    uid: int
    offset: int
    length: int


class Term(Result, frozen=True):
    """One text condition. `where`: from to cc bcc subject header body text; `name` is the field for 'header'.

    `value` is matched as a case-insensitive substring after decoding; with 'header' an empty one matches presence.
    """

    where: str
    value: str
    name: str = ""


class SearchText(Call[list[Ranges]], frozen=True):
    """For each term, the uids among `uids` that match it. Runs on a thread, never holds the loop."""

    fid: int
    uids: Ranges
    terms: list[Term]


# ---------------------------------------------------------------------------------------------- mailbox


class MailboxInfo(Result, frozen=True):
    """Sizes in bytes, quotas in bytes (0: none)."""

    owner: str
    messages: int
    size: int
    quota_receive: int
    quota_storage: int
    schema: int
    cn: int


class GetMailboxInfo(Call[MailboxInfo], frozen=True):
    """Figures of a mailbox; creates it on its first use like every call does."""


class SetQuota(Call[Done], frozen=True):
    """Set quotas in bytes (0: none). Actor must be the administrator."""

    writes: ClassVar[bool] = True
    receive: int
    storage: int


class LockPop3(Call[bool], frozen=True):
    """Take or release the exclusive POP3 lock (RFC 1939 8); held by the connection, lost with it. False: taken."""

    on: bool


class Watch(Call[Done], frozen=True):
    """Events of this mailbox are pushed on this connection from now on (`Event`), until `on` is False."""

    on: bool


NEW_MAIL, CREATED, DELETED, MODIFIED, MOVED, COPIED, SEARCH_COMPLETE = 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80
"""`ObjectChange.kind` ([MS-OXCNOTIF] 2.2.1.1)."""


class ObjectChange(Result, frozen=True):
    """What happened to a message (`mid` not 0) or a folder ([MS-OXCNOTIF] 2.2.1.4.1.2).

    `fid` is the message's folder; `parent_fid` the folder's parent, or the search folder that the message came into or
    left. The `old_` ones are of the object that was moved or copied. `flags` and `message_class` are told of new mail,
    `total` and `unread` (-1: not told) of a folder whose contents changed.
    """

    kind: int
    fid: int
    mid: int = 0
    parent_fid: int = 0
    old_fid: int = 0
    old_mid: int = 0
    old_parent_fid: int = 0
    flags: int = 0
    message_class: str = ""
    total: int = -1
    unread: int = -1


TABLE_CHANGED, ROW_ADDED, ROW_DELETED, ROW_MODIFIED = 1, 3, 4, 5
"""`RowChange.kind` ([MS-OXCNOTIF] 2.2.1.4.1.2, TableEventType)."""


class RowChange(Result, frozen=True):
    """What happened to a row of a table; TABLE_CHANGED: to many, the client looks again.

    Instances are those of `gromoxd.exmdb.tables`. A row that was added or modified stands after `after_instance` now
    (0: it is the first), wherever it stood before; `row` are its columns. Changes are told in the order in which they
    make the table of before that of now.
    """

    kind: int
    instance: int = 0
    num: int = 0
    after_instance: int = 0
    after_num: int = 0
    row: list[Any] = []


class Event(Result, frozen=True):
    """Pushed: something changed in a folder of a watched mailbox (fid 0: the hierarchy or subscriptions).

    `actors`: only these of the connection's watching actors may see the folder; empty: all. `watch` not 0: this is for
    who made that watch of objects or of a table (`gromoxd.exmdb.tables`), who alone is told the details.
    """

    mailbox: str
    fid: int
    actors: list[str] = []
    watch: int = 0
    changes: list[ObjectChange] = []
    rows: list[RowChange] = []


MAIL_CALLS: tuple[type[Call], ...] = (  # type: ignore[type-arg]
    # The first numbers of `gromoxd.exmdb.registry`: nothing may be added here.
    ListFolders, CreateFolder, DeleteFolder, RenameFolder, Subscribe, GetKeywordSets, GetFolderState, GetPages,
    ClaimRecent, Append, Deliver, Confirm, SetFlags, CopyMessages, Expunge, GetVanished, GetPieces, GetContents,
    ReadContent, SearchText, GetMailboxInfo, SetQuota, LockPop3, Watch,
)  # fmt: skip
