"""The exmdb calls on folders as MAPI has them ([MS-OXCFOLD]); IMAP's are in `gromoxd.exmdb.calls`.

Both see one hierarchy. Names of siblings differ by more than case here (ecDuplicateName); the folders that every
mailbox has can neither be removed nor moved (ecRootFolder). Tables of folders are in `gromoxd.exmdb.tables`.
"""

from __future__ import annotations

from typing import ClassVar

from gromoxd.exmdb.calls import Call, Result
from gromoxd.exmdb.objects import Bag, Partial


class MadeFolder(Result, frozen=True):
    """`existed`: the folder was there already and is as it was."""

    fid: int
    existed: bool
    cn: int


class MakeFolder(Call[MadeFolder], frozen=True):
    """Make a folder below `parent` ([MS-OXCFOLD] 2.2.1.2). The right to create subfolders there is needed.

    With `open_existing` one of that name is answered instead of ecDuplicateName. `search`: a search folder, without
    criteria as yet. ecNotFound (parent), ecInvalidParam (name), ecNotSupported (below a search folder).
    """

    writes: ClassVar[bool] = True
    parent: int
    name: str
    props: Bag
    request_id: bytes
    search: bool = False
    open_existing: bool = False


class GetFolderProps(Call[Bag], frozen=True):
    """Properties of a folder, computed ones included; `tags` None: all ([MS-OXCFOLD] 2.2.2).

    Of a soft-deleted folder, which only the owner sees, what is kept of it. ecNotFound, ecAccessDenied.
    """

    fid: int
    tags: list[int] | None = None


class Problems(Result, frozen=True):
    """(tag, code) of the properties that were left alone ([MS-OXCDATA] 2.7); the others were changed."""

    problems: list[tuple[int, int]]
    cn: int = 0


class SetFolderProps(Call[Problems], frozen=True):
    """Set and delete properties of a folder; its owner's right. A new PidTagDisplayName renames it.

    Problems: ecComputed, ecInvalidParam (value), ecDuplicateName, ecAccessDenied (name of a well-known folder).
    """

    writes: ClassVar[bool] = True
    fid: int
    set: Bag
    delete: list[int] = []


class RemoveFolder(Call[Partial], frozen=True):
    """Delete a folder, with its `messages` and its `folders` if it has any ([MS-OXCFOLD] 2.2.1.3).

    It can be recovered until retention ends unless `hard`. `partial`: it is not empty or something below it is not the
    actor's to delete, and nothing was done. A soft-deleted folder that is named is removed for good.
    """

    writes: ClassVar[bool] = True
    fid: int
    messages: bool
    folders: bool
    request_id: bytes
    hard: bool = False


class TransferredFolder(Result, frozen=True):
    """`fid` is the folder's id in its new place. `partial`: some subfolders were not the actor's to copy."""

    partial: bool
    fid: int
    cn: int


class TransferFolder(Call[TransferredFolder], frozen=True):
    """Move or copy a folder below `parent`, '' keeping its name ([MS-OXCFOLD] 2.2.1.7, 2.2.1.8).

    Subfolders always go along with a move, with a copy when it is `recursive`. Moving a soft-deleted folder recovers
    it, with its messages and what was deleted together with it. ecDuplicateName, ecFolderCycle, ecRootFolder.
    """

    writes: ClassVar[bool] = True
    fid: int
    parent: int
    name: str
    copy: bool
    request_id: bytes
    recursive: bool = True


class DeletedFolder(Result, frozen=True):
    """A soft-deleted folder; `deleted_at` in Unix seconds."""

    fid: int
    parent_fid: int
    name: str
    container_class: str
    deleted_at: int
    messages: int


class ListDeletedFolders(Call[list[DeletedFolder]], frozen=True):
    """The folders soft-deleted below `parent` (0: anywhere), oldest deletion first. The mailbox's owner's right."""

    parent: int = 0


CALLS = (MakeFolder, GetFolderProps, SetFolderProps, RemoveFolder, TransferFolder, ListDeletedFolders)
