"""Copies from one store to another: through working copies, named properties getting the ids that they have there.

Within a store they are the store's ([MS-OXCFOLD] 3.2.5.6-3.2.5.8). A message that moves away is soft-deleted here, once
it is saved there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.working import Account, WorkingFolder, WorkingMessage, copy_to
from gromoxd.mapi.ids import eid_split
from gromoxd.mapi.proptags import PidTagDisplayName, PidTagFolderId, PidTagFolderType, PidTagMid
from workers.http.emsmdb import sources
from workers.http.emsmdb.progress import Steps
from workers.http.emsmdb.sources import InThread

MOST_FOLDERS: Final = 10_000
PAGE: Final = 1000
SEARCH: Final = 2
LEFT_ALONE: Final = frozenset((Ec.ecNotFound, Ec.ecAccessDenied, Ec.ecObjectDeleted, Ec.ecObjectModified))
"""Why one of many objects is passed over and the others are not."""


def copy_message(source: Account, mid: int, destination: Account, fid: int, in_thread: InThread) -> None:
    """A message with all that is in it. MapiError."""
    old = WorkingMessage.open(source, mid)
    try:
        if sources.copy(old, destination, fid, in_thread):
            return
        new = WorkingMessage.create(destination, fid, associated=old.associated)
        try:
            copy_to(old, new)
            new.save()
        finally:
            new.discard()
    finally:
        old.discard()


def messages(
    source: Account, fid: int, mids: list[int], destination: Account, to: int, in_thread: InThread, *, move: bool
) -> Steps:  # fmt: skip
    """Copy or move messages of a folder into another store's."""
    partial = False
    for n, mid in enumerate(mids, 1):
        try:
            copy_message(source, mid, destination, to, in_thread)
            if move:
                partial |= source.call(o.DeleteMessages(fid, [mid], request_id=os.urandom(16))).partial
        except MapiError as error:
            if error.code not in LEFT_ALONE:
                raise
            partial = True
        yield n, len(mids)
    return partial


def folder(
    source: Account, fid: int, destination: Account, parent: int, name: str, in_thread: InThread, *, recursive: bool,
    move: bool,
) -> Steps:  # fmt: skip
    """Copy or move a folder below another store's; '' keeps its name. What is not all there stays here, too."""
    partial = False
    waiting = [(fid, parent, name)]
    done, total, folders = 0, 1, 0
    while waiting:
        at, below, called = waiting.pop()
        folders += 1
        if folders > MOST_FOLDERS:
            raise MapiError(Ec.ecTooComplex, "folders")
        made = _make(source, at, destination, below, called)
        if made is None:
            partial = True
            continue
        mids = [mid for flags in (0, t.ASSOCIATED) for mid in list_messages(source, at, flags)]
        total += len(mids)
        for _ in (steps := _Result(messages(source, at, mids, destination, made, in_thread, move=False))):
            done += 1
            yield done, total
        partial |= steps.partial
        if recursive or move:
            subfolders = list(list_folders(source, at))
            waiting += [(child, made, "") for child in subfolders]
            total += len(subfolders)
        done += 1
        yield done, total
    if move and not partial:
        gone = source.call(h.RemoveFolder(fid, True, True, os.urandom(16)))
        partial = gone.partial
    return partial


class _Result:
    """Steps that keep what they return."""

    def __init__(self, steps: Steps) -> None:
        self._steps, self.partial = steps, False

    def __iter__(self) -> Iterator[tuple[int, int]]:
        self.partial = yield from self._steps


def _make(source: Account, fid: int, destination: Account, parent: int, name: str) -> int | None:
    """A folder like another; None where that is not to be seen, or looks for messages itself."""
    try:
        props = source.call(h.GetFolderProps(fid, [PidTagDisplayName, PidTagFolderType]))
    except MapiError as error:
        if error.code not in LEFT_ALONE or name:
            raise
        return None
    if props.get(PidTagFolderType) == SEARCH:
        return None
    called = name or str(props.get(PidTagDisplayName, ""))
    made = destination.call(h.MakeFolder(parent, called, {}, os.urandom(16)))
    copy_to(
        WorkingFolder(source, fid), WorkingFolder(destination, made.fid), exclude=[PidTagDisplayName], sub_objects=False
    )
    return made.fid


def list_messages(account: Account, fid: int, flags: int = 0) -> Iterator[int]:
    """The ids of a folder's messages."""
    return (number for number, _ in _rows(account, t.Table(t.CONTENTS, fid, flags), [PidTagMid]))


def list_rows(account: Account, fid: int, tag: int) -> Iterator[tuple[int, Any]]:
    """Id and one property of a folder's messages."""
    return ((mid, row[1]) for mid, row in _rows(account, t.Table(t.CONTENTS, fid), [PidTagMid, tag]))


def list_folders(account: Account, fid: int) -> Iterator[int]:
    """The ids of a folder's subfolders."""
    return (number for number, _ in _rows(account, t.Table(t.HIERARCHY, fid), [PidTagFolderId]))


def _rows(account: Account, table: t.Table, columns: list[int]) -> Iterator[tuple[int, list[Any]]]:
    position = 0
    while True:
        found = account.call(t.QueryRows(table, columns, position, PAGE))
        yield from ((eid_split(row[0])[1], row) for row in found.rows)
        position += len(found.rows)
        if not found.rows or position >= found.total:
            return
