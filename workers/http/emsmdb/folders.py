"""What ROPs on folders do ([MS-OXCFOLD] 3.2.5). Their tables are in `tables`, copies to other stores in `transferring`.

Deleting and moving many messages is done in slices, so that the store does not work for one client alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import searchcalls as sc
from gromoxd.mapi import codepages
from gromoxd.mapi.proptags import PidTagComment, PidTagDeletedOn, PidTagFolderType, PidTagHasRules
from gromoxd.rop import folders as w
from gromoxd.rop.codec import Response
from workers.http.emsmdb import receipts, transferring
from workers.http.emsmdb.dispatch import NO_HANDLE, Call, handles
from workers.http.emsmdb.narrowing import narrowed
from workers.http.emsmdb.objects import OWN_REPLID, Folder, Logon, ServerObject
from workers.http.emsmdb.progress import Steps, run

if TYPE_CHECKING:
    from workers.http.emsmdb.session import Session

ROOT: Final = 1
SLICE: Final = 500
"""Messages of one call."""
_LOOK: Final = [PidTagFolderType, PidTagHasRules, PidTagDeletedOn]


@handles(w.OpenFolder)
def open_folder(call: Call, request: w.OpenFolder) -> w.OpenFolderResponse:
    """[MS-OXCFOLD] 3.2.5.1. A soft-deleted folder opens only when it was asked for one."""
    logon = parent_logon(call)
    fid = logon.counter(request.folder_id)
    props = logon.account.call(h.GetFolderProps(fid, _LOOK))
    if PidTagDeletedOn in props and not request.open_mode_flags & w.SOFT_DELETED:
        raise MapiError(Ec.ecNotFound, f"folder {fid:#x} is deleted")
    call.put(request.output, Folder(logon, fid, search=props.get(PidTagFolderType) == w.SEARCH))
    return w.OpenFolderResponse(request.output, 0, bool(props.get(PidTagHasRules)))


@handles(w.CreateFolder)
def create_folder(call: Call, request: w.CreateFolder) -> w.CreateFolderResponse:
    """[MS-OXCFOLD] 3.2.5.2."""
    parent = call.object(Folder)
    if request.folder_type not in (w.GENERIC, w.SEARCH):
        raise MapiError(Ec.ecInvalidParam, f"folder type {request.folder_type}")
    logon, search = parent.logon, request.folder_type == w.SEARCH
    if search and logon.public:
        raise MapiError(Ec.ecNotSupported, "a search folder in a public store")
    comment = _text(call, request.comment)
    made = logon.account.call(
        h.MakeFolder(
            parent.fid, _text(call, request.display_name), {PidTagComment: comment} if comment else {}, os.urandom(16),
            search, request.open_existing,
        )
    )  # fmt: skip
    props = logon.account.call(h.GetFolderProps(made.fid, _LOOK)) if made.existed else {}
    call.put(request.output, Folder(logon, made.fid, search=props.get(PidTagFolderType) == w.SEARCH or search))
    existed = made.existed and logon.public  # [MS-OXCROPS] 2.2.4.2.2: what follows is of public folders
    return w.CreateFolderResponse(
        request.output, 0, logon.eid(made.fid), existed, existed and bool(props.get(PidTagHasRules))
    )


@handles(w.DeleteFolder)
def delete_folder(call: Call, request: w.DeleteFolder) -> w.DeleteFolderResponse:
    """[MS-OXCFOLD] 3.2.5.3. ecNotSupported: the root; ecAccessDenied: another special folder."""
    parent, flags = call.object(Folder), request.delete_folder_flags
    fid = parent.logon.counter(request.folder_id)
    if fid == ROOT:
        raise MapiError(Ec.ecNotSupported, "the root folder")
    removal = h.RemoveFolder(
        fid, bool(flags & w.DeleteFolderFlags.DEL_MESSAGES), bool(flags & w.DeleteFolderFlags.DEL_FOLDERS),
        os.urandom(16), bool(flags & w.DeleteFolderFlags.DELETE_HARD_DELETE),
    )  # fmt: skip
    try:
        found = parent.logon.account.call(removal)
    except MapiError as error:
        if error.code == Ec.ecRootFolder:
            raise MapiError(Ec.ecAccessDenied, "a special folder") from error
        raise
    return w.DeleteFolderResponse(request.index, 0, found.partial)


def parent_logon(call: Call) -> Logon:
    """That of the folder or logon which a ROP names. ecNotSupported for other objects."""
    found = call.object(ServerObject)
    if not isinstance(found, Folder | Logon):
        raise MapiError(Ec.ecNotSupported, f"{type(found).__name__} where a folder is wanted")
    return found.logon


def _text(call: Call, text: str | bytes) -> str:
    return text if isinstance(text, str) else codepages.decode(text, call.session.code_page)


# ---------------------------------------------------------------------------------------------- searches


@handles(w.SetSearchCriteria)
def set_search_criteria(call: Call, request: w.SetSearchCriteria) -> w.SetSearchCriteriaResponse:
    """[MS-OXCFOLD] 3.2.5.4."""
    folder = call.object(Folder)
    scope = [folder.logon.counter(one) for one in request.folder_ids]
    folder.logon.account.call(sc.SetSearchCriteria(folder.fid, request.restriction, scope, request.search_flags))
    return w.SetSearchCriteriaResponse(request.index, 0)


@handles(w.GetSearchCriteria)
def get_search_criteria(call: Call, request: w.GetSearchCriteria) -> w.GetSearchCriteriaResponse:
    """[MS-OXCFOLD] 3.2.5.5."""
    folder = call.object(Folder)
    found = folder.logon.account.call(sc.GetSearchCriteria(folder.fid))
    restriction = found.restriction if request.include_restriction else b""
    if restriction and not request.use_unicode:
        restriction = narrowed(restriction, call.session.code_page)
    if len(restriction) > 0xFFFF:
        raise MapiError(Ec.ecTooBig, "restriction")
    scope = [folder.logon.eid(fid) for fid in found.scope] if request.include_folders else []
    return w.GetSearchCriteriaResponse(request.index, 0, restriction, request.logon, scope, found.status)


# ---------------------------------------------------------------------------------------------- moving and copying


def _destination(call: Call, index: int) -> Folder:
    """The folder that something goes to, of any logon of the session. ecDstNullObject."""
    handle = call.handles[index] if index < len(call.handles) else NO_HANDLE
    found = call.session.objects.get(handle)
    if found is None:
        raise MapiError(Ec.ecDstNullObject, f"handle {handle:#x}")
    if not isinstance(found, Folder):
        raise MapiError(Ec.ecNotSupported, type(found).__name__)
    return found


def same_store(one: ServerObject, other: ServerObject) -> bool:
    """Whether two objects are of one mailbox, maybe of several logons."""
    return one.logon.account.mailbox == other.logon.account.mailbox


def _real(folder: Folder, mids: list[int]) -> list[tuple[int, list[int]]]:
    """(folder, its messages) of messages, which a search folder only shows."""
    if not folder.search:
        return [(folder.fid, mids)]
    found: dict[int, list[int]] = {}
    for start in range(0, len(mids), SLICE):
        part = mids[start : start + SLICE]
        while part:
            told = folder.logon.account.call(o.ReadMessages(part, o.PROPS, []))
            for one in told:
                found.setdefault(one.fid, []).append(one.mid)
            if not told:
                break
            part = part[part.index(told[-1].mid) + 1 :]
    return list(found.items())


def _slices(groups: Iterable[tuple[int, list[int]]]) -> list[tuple[int, list[int]]]:
    return [(fid, mids[at : at + SLICE]) for fid, mids in groups for at in range(0, len(mids), SLICE)]


def _mids(logon: Logon, ids: list[int]) -> list[int]:
    """Those of this store's replica; others name nothing."""
    return [logon.counter(one) for one in ids if one & 0xFFFF == OWN_REPLID and one >> 16]


@handles(w.MoveCopyMessages)
def move_copy_messages(call: Call, request: w.MoveCopyMessages) -> Response:
    """[MS-OXCFOLD] 3.2.5.6."""
    source, destination = call.object(Folder), _destination(call, request.destination)
    if destination.search:
        raise MapiError(Ec.ecSearchFolder, f"messages into search folder {destination.fid:#x}")
    steps = move_messages(call.session, source, destination, request.message_ids, move=not request.want_copy)
    return run(call, source, w.MoveCopyMessagesResponse, steps, asynchronous=request.want_asynchronous)


def move_messages(session: Session, source: Folder, destination: Folder, ids: list[int], *, move: bool) -> Steps:
    """Move or copy messages that a folder shows."""
    logon = source.logon
    mids = _mids(logon, ids)
    groups = _real(source, mids)
    partial, done = sum(len(one) for _, one in groups) < len(set(ids)), 0
    if not same_store(source, destination):
        in_thread = session.site.services.run_blocking
        for fid, several in groups:
            partial |= yield from transferring.messages(
                logon.account, fid, several, destination.logon.account, destination.fid, in_thread, move=move
            )
        return partial
    for fid, several in _slices(groups):
        call = o.TransferMessages(fid, several, destination.fid, move, os.urandom(16))
        partial |= logon.account.call(call).partial
        done += len(several)
        yield done, len(ids)
    return partial


@handles(w.MoveFolder)
def move_folder(call: Call, request: w.MoveFolder) -> Response:
    """[MS-OXCFOLD] 3.2.5.7."""
    source, destination = call.object(Folder), _destination(call, request.destination)
    name = _text(call, request.new_folder_name)
    steps = _transfer(call.session, source, destination, request.folder_id, name, recursive=True, move=True)
    return run(call, source, w.MoveFolderResponse, steps, asynchronous=request.want_asynchronous)


@handles(w.CopyFolder)
def copy_folder(call: Call, request: w.CopyFolder) -> Response:
    """[MS-OXCFOLD] 3.2.5.8."""
    source, destination = call.object(Folder), _destination(call, request.destination)
    name = _text(call, request.new_folder_name)
    steps = _transfer(
        call.session, source, destination, request.folder_id, name, recursive=request.want_recursive, move=False
    )
    return run(call, source, w.CopyFolderResponse, steps, asynchronous=request.want_asynchronous)


def _transfer(
    session: Session, source: Folder, destination: Folder, eid: int, name: str, *, recursive: bool, move: bool
) -> Steps:  # fmt: skip
    account, fid = source.logon.account, source.logon.counter(eid)
    if not same_store(source, destination):
        return (
            yield from transferring.folder(
                account,
                fid,
                destination.logon.account,
                destination.fid,
                name,
                session.site.services.run_blocking,
                recursive=recursive,
                move=move,
            )
        )
    call = h.TransferFolder(fid, destination.fid, name, not move, os.urandom(16), recursive)
    return account.call(call).partial


# ---------------------------------------------------------------------------------------------- deleting


@handles(w.EmptyFolder)
def empty_folder(call: Call, request: w.EmptyFolder) -> Response:
    """[MS-OXCFOLD] 3.2.5.9."""
    folder = _to_empty(call)
    steps = _empty(folder, request.want_delete_associated, False, request.want_asynchronous)
    return run(call, folder, w.EmptyFolderResponse, steps, asynchronous=request.want_asynchronous)


@handles(w.HardDeleteMessagesAndSubfolders)
def hard_delete_all(call: Call, request: w.HardDeleteMessagesAndSubfolders) -> Response:
    """[MS-OXCFOLD] 3.2.5.10."""
    folder = _to_empty(call)
    steps = _empty(folder, request.want_delete_associated, True, request.want_asynchronous)
    kind = w.HardDeleteMessagesAndSubfoldersResponse
    return run(call, folder, kind, steps, asynchronous=request.want_asynchronous)


def _to_empty(call: Call) -> Folder:
    """ecNotSupported: the root, whose folders are all special, and search folders."""
    folder = call.object(Folder)
    if folder.fid == ROOT or folder.search:
        raise MapiError(Ec.ecNotSupported, f"folder {folder.fid:#x} is not emptied")
    return folder


def _empty(folder: Folder, associated: bool, hard: bool, sliced: bool) -> Steps:
    """`sliced`: the folder's own messages first, some at a time; what is left and subfolders go at once."""
    account = folder.logon.account
    if sliced:
        mids = list(transferring.list_messages(account, folder.fid))
        if len(mids) > SLICE:
            yield from _delete(folder, [(folder.fid, mids)], len(mids), hard)
    return account.call(o.EmptyFolder(folder.fid, associated, hard)).partial


@handles(w.DeleteMessages)
def delete_messages(call: Call, request: w.DeleteMessages) -> Response:
    """[MS-OXCFOLD] 3.2.5.11."""
    return _deleted(call, w.DeleteMessagesResponse, request, False)


@handles(w.HardDeleteMessages)
def hard_delete_messages(call: Call, request: w.HardDeleteMessages) -> Response:
    """[MS-OXCFOLD] 3.2.5.12."""
    return _deleted(call, w.HardDeleteMessagesResponse, request, True)


def _deleted(
    call: Call, kind: type[w.PartialResponse], request: w.DeleteMessages | w.HardDeleteMessages, hard: bool
) -> Response:  # fmt: skip
    folder = call.object(Folder)
    groups = _real(folder, _mids(folder.logon, request.message_ids))
    telling = call.session if request.notify_non_read else None
    steps = _delete(folder, groups, len(set(request.message_ids)), hard, telling)
    return run(call, folder, kind, steps, asynchronous=request.want_asynchronous)


def _delete(
    folder: Folder, groups: list[tuple[int, list[int]]], wanted: int, hard: bool, telling: Session | None = None
) -> Steps:  # fmt: skip
    """In a search folder the messages go that it shows, from where they are ([MS-OXCFOLD] 3.2.5.11).

    `telling`: who asked for it is told what was deleted unread (NotifyNonRead).
    """
    partial, done = sum(len(set(mids)) for _, mids in groups) < wanted, 0
    for fid, mids in _slices(groups):
        if telling is not None:
            receipts.tell_deleted(telling, folder.logon, mids)
        partial |= folder.logon.account.call(o.DeleteMessages(fid, mids, hard, os.urandom(16))).partial
        done += len(mids)
        yield done, wanted
    return partial
