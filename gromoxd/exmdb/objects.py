"""The exmdb calls on MAPI objects: messages with their recipients, attachments, embedded messages, big values.

A client works on its own copy of a message and saves the difference (`SaveMessage`); nothing of an open message is kept
in the store. `Bag` is `tag -> value` as `gromoxd.mapi.types` says; named properties carry this mailbox's ids
(`gromoxd.exmdb.names`). `path` leads from a message to one embedded in it: the numbers of the attachments on the way.
"""

from __future__ import annotations

from typing import Any, ClassVar

from gromoxd.exmdb.calls import Call, Done, Result

Bag = dict[int, Any]

PROPS, RECIPIENTS, ATTACHMENTS = 1, 2, 4
EVERYTHING = PROPS | RECIPIENTS | ATTACHMENTS
BIG = 32 << 10
"""A value of more octets than this is not sent with its object: its size is told, `ReadValue` gets it."""


class Attachment(Result, frozen=True):
    """One attachment of a message. `big`: tag -> octets of the values that are not in `props`."""

    num: int
    props: Bag
    big: dict[int, int]
    embedded: bool


class Message(Result, frozen=True):
    """A message as it is now, computed properties included. `cn` is its change number ([MS-OXCFXICS] 2.2.1.1.3).

    `uid` is 0 for associated (FAI), soft-deleted and embedded messages. Parts not asked for are empty.
    """

    fid: int
    mid: int
    uid: int
    cn: int
    associated: bool
    deleted: bool
    props: Bag
    big: dict[int, int]
    recipients: list[Bag]
    attachments: list[Attachment]


class OpenMessage(Call[Message], frozen=True):
    """A message of the mailbox, or one embedded in it. `tags` None: all properties. ecNotFound, ecAccessDenied."""

    mid: int
    path: list[int] = []
    what: int = EVERYTHING
    tags: list[int] | None = None


class ReadMessages(Call[list[Message]], frozen=True):
    """Many messages in the order asked for; those that are gone or not to be read are passed over. At most 1,000.

    Stops early, after the first at least, when 4 MiB are gathered.
    """

    mids: list[int]
    what: int = EVERYTHING
    tags: list[int] | None = None


class ReadValue(Call[bytes], frozen=True):
    """`length` octets (at most 1 MiB) from `offset` of a value, the message's or attachment `num`'s; short at its end.

    Text is UTF-16LE without its end, as [MS-OXCPRPT] 2.2.14 has streams. ecNotFound.
    """

    mid: int
    tag: int
    offset: int
    length: int
    path: list[int] = []
    num: int = -1


class AttachmentChange(Result, frozen=True):
    """What happens to attachment `num`: removed, or made and changed. A number that is new makes a new attachment."""

    num: int
    remove: bool = False
    set: Bag = {}
    delete: list[int] = []
    embedded: Changes | None = None


class Changes(Result, frozen=True):
    """The difference between a message as opened and as it is to be. `recipients` replace all, None leaves them."""

    set: Bag = {}
    delete: list[int] = []
    recipients: list[Bag] | None = None
    attachments: list[AttachmentChange] = []


class Spooled(Result, frozen=True):
    """A value whose octets are at `offset` of the spool given beside the call. `num` -1: of the message itself.

    The value's form is that of ReadValue.
    """

    tag: int
    offset: int
    length: int
    path: list[int] = []
    num: int = -1


class Imported(Result, frozen=True):
    """What synchronisation brings along ([MS-OXCFXICS] 2.2.3.2.4.2): source key, change key, predecessor change list.

    `fail_on_conflict`: change nothing when both sides changed; else the later change wins (3.1.5.6.2.2) and the other
    version is kept in the folder Conflicts of a private mailbox, unless it is associated. The changes beside it are
    the whole message: what it has and they do not say goes (3.2.5.9.4.2), unless they are `partial`.
    """

    source_key: bytes
    change_key: bytes
    pcl: bytes
    modified_nt: int
    fail_on_conflict: bool = False
    partial: bool = False


class Saved(Result, frozen=True):
    """A message after it was saved.

    `ignored`: what was imported was not taken. `conflict`: both sides had changed. The change number of neither counts
    as seen by the client: it has to download what is here now.
    """

    fid: int
    mid: int
    uid: int
    cn: int
    conflict: bool = False
    ignored: bool = False


class SaveMessage(Call[Saved], frozen=True):
    """Make a message (`mid` 0, or one of `ReserveIds`) in folder `fid`, or change the one that is there.

    `base_cn` is the change number on which the changes rest: ecObjectModified when it is no longer the message's,
    unless `force`. ecNotFound, ecAccessDenied, ecQuotaExceeded, ecInvalidParam. On disk when the answer comes.
    """

    writes: ClassVar[bool] = True
    fid: int
    mid: int
    base_cn: int
    changes: Changes
    request_id: bytes
    force: bool = False
    associated: bool = False
    spooled: list[Spooled] = []
    imported: Imported | None = None


class SetReadState(Call[Done], frozen=True):
    """Mark messages of a folder read or unread, for the acting user only in a public store. `cn` 0: all were so."""

    writes: ClassVar[bool] = True
    fid: int
    mids: list[int]
    read: bool


class Partial(Result, frozen=True):
    """`partial`: some objects were left alone, being gone or not permitted ([MS-OXCFOLD] PartialCompletion)."""

    partial: bool
    cn: int = 0


class DeleteMessages(Call[Partial], frozen=True):
    """Delete messages, associated ones too; soft (recoverable until retention ends) unless `hard`.

    Soft-deleted messages that are named are removed for good: without `request_id` a soft deletion that is repeated
    after its answer was lost is a hard one.
    """

    writes: ClassVar[bool] = True
    fid: int
    mids: list[int]
    hard: bool = False
    request_id: bytes = b""


class Transferred(Result, frozen=True):
    """`pairs`: old and new id of each message that was copied or moved."""

    partial: bool
    pairs: list[tuple[int, int]]
    cn: int = 0


class TransferMessages(Call[Transferred], frozen=True):
    """Copy or move messages to another folder of the mailbox; moves of soft-deleted messages recover them."""

    writes: ClassVar[bool] = True
    fid: int
    mids: list[int]
    destination: int
    move: bool
    request_id: bytes


class EmptyFolder(Call[Partial], frozen=True):
    """Delete the messages of a folder and its subfolders; `associated`: its FAI messages too ([MS-OXCFOLD] 2.2.1.9)."""

    writes: ClassVar[bool] = True
    fid: int
    associated: bool = False
    hard: bool = False


class Purged(Result, frozen=True):
    """How many soft-deleted objects were removed for good."""

    messages: int
    folders: int


class PurgeDeleted(Call[Purged], frozen=True):
    """Remove for good what was soft-deleted before `before` (Unix seconds); fid 0: in all folders. At most 10,000."""

    writes: ClassVar[bool] = True
    fid: int
    before: int


CALLS: tuple[type[Call[Any]], ...] = (
    OpenMessage, ReadMessages, ReadValue, SaveMessage, SetReadState, DeleteMessages, TransferMessages, EmptyFolder,
    PurgeDeleted,
)  # fmt: skip
