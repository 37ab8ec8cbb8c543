"""What ROPs on messages do ([MS-OXCMSG] 3.2.5): opening, making, saving, recipients, status; not read marks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.hierarchy import GetFolderProps
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import OpenModeFlags, SaveFlags
from gromoxd.mapi.permissions import Rights
from gromoxd.mapi.recipients import RecipientRow, from_bag
from gromoxd.mapi.rows import column_type
from gromoxd.mapi.types import PropType
from gromoxd.mapi.values import TypedString, writer_of
from gromoxd.rop import messages as w
from workers.http.emsmdb import correspondents
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import Folder, Message, ServerObject

CODE_PAGE_OF_LOGON: Final = 0x0FFF
_MODES: Final = OpenModeFlags.BestAccess | OpenModeFlags.OpenSoftDeleted
_SAVING: Final = SaveFlags.KeepOpenReadOnly | SaveFlags.KeepOpenReadWrite | SaveFlags.ForceSave
MOST_ROWS: Final = 0xFF
LARGEST_ROW: Final = 0xFFFF
LOOKED_AT: Final = 4096
"""Recipients whose properties become columns."""
_ROW_HEAD: Final = 16
_IN_ROWS: Final = frozenset((
    p.PidTagRowid, p.PidTagRecipientType, p.PidTagAddressType, p.PidTagEmailAddress, p.PidTagDisplayName,
    p.PidTagTransmittableDisplayName, p.PidTagAddressBookDisplayNamePrintable, p.PidTagSendRichInfo,
    p.PidTagResponsibility, p.PidTagEntryId, p.PidTagSearchKey, p.PidTagInstanceKey,
))  # fmt: skip
"""Properties that have a place of their own in rows, or follow from those ([MS-OXCDATA] 2.8.3.2)."""


# ---------------------------------------------------------------------------------------------- opening and making


@handles(w.OpenMessage)
def open_message(call: Call, request: w.OpenMessage) -> w.OpenMessageResponse:
    """[MS-OXCMSG] 3.2.5.1. FolderId says nothing new, an id being of one message of the store: it is not looked at.

    A client may name the search folder that showed it, or the folder where it was before; rights are those where it is.
    """
    parent = call.object(ServerObject)
    logon = parent.logon
    mode = request.open_mode_flags & _MODES
    message = WorkingMessage.open(logon.account, logon.counter(request.message_id), mode)
    opened = Message(logon, message, code_page(call, request.code_page))
    call.put(request.output, opened)
    return w.OpenMessageResponse(index=request.output, code=0, **told(call, opened))


@handles(w.CreateMessage)
def create_message(call: Call, request: w.CreateMessage) -> w.CreateMessageResponse:
    """[MS-OXCMSG] 3.2.5.2. It gets its id when it is saved."""
    logon = call.object(ServerObject).logon
    fid = logon.counter(request.folder_id)
    rights = logon.account.call(GetFolderProps(fid, [p.PidTagRights])).get(p.PidTagRights)
    if isinstance(rights, int) and not rights & (Rights.Create | Rights.FolderOwner):
        raise MapiError(Ec.ecAccessDenied, f"folder {fid:#x}")
    message = WorkingMessage.create(logon.account, fid, associated=request.associated, now=call.session.clock())
    call.put(request.output, Message(logon, message, code_page(call, request.code_page)))
    return w.CreateMessageResponse(request.output, 0, None)


@handles(w.ReloadCachedInformation)
def reload_cached_information(call: Call, request: w.ReloadCachedInformation) -> w.ReloadCachedInformationResponse:
    """[MS-OXCMSG] 3.2.5.7: what opening told, as it is on this handle now."""
    opened = call.object(Message)
    return w.ReloadCachedInformationResponse(index=request.index, code=0, **told(call, opened))


def code_page(call: Call, asked: int) -> int:
    """The code page of an object's 8-bit strings."""
    return call.session.code_page if asked in (0, CODE_PAGE_OF_LOGON) else asked


def told(call: Call, opened: Message) -> dict[str, Any]:
    """What is told of a message when it is opened: subject and recipients, as many as there is room for."""
    values = opened.message.loaded().values
    recipients = opened.message.recipients
    opened.columns = _columns(recipients)
    prefix, subject = (
        TypedString(value if isinstance(value := values.get(tag), str) else "")
        for tag in (p.PidTagSubjectPrefix, p.PidTagNormalizedSubject)
    )
    room = call.room - 64 - 4 * len(opened.columns) - len(prefix.encode()) - len(subject.encode())
    rows: list[w.OpenRecipientRow] = []
    for bag in recipients[:MOST_ROWS]:
        row = _row(bag, opened)
        room -= len(row) + _ROW_HEAD
        if room < 0:
            break
        rows.append(w.OpenRecipientRow(_type(bag), opened.code_page & 0xFFFF, 0, row))
    return {
        "has_named_properties": any(tag >= 0x8000_0000 for tag in values), "subject_prefix": prefix,
        "normalized_subject": subject, "recipient_count": min(len(recipients), 0xFFFF),
        "columns": list(opened.columns), "rows": rows,
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------- saving


@handles(w.SaveChangesMessage)
def save_changes_message(call: Call, request: w.SaveChangesMessage) -> w.SaveChangesMessageResponse:
    """[MS-OXCMSG] 3.2.5.3. The message stays open; nothing is asked of the store when nothing was changed."""
    opened = call.object(Message, request.input)
    message, flags = opened.message, request.save_flags & _SAVING
    if message.dirty or not message.mid or message.path:
        correspondents.complete(call.session, message)
        message.save(flags)
    elif not message.writable:
        raise MapiError(Ec.ecError, "opened for reading")
    elif flags & SaveFlags.KeepOpenReadOnly:
        message.writable = False
    return w.SaveChangesMessageResponse(request.index, 0, request.input, opened.logon.eid(message.mid))


# ---------------------------------------------------------------------------------------------- recipients


@handles(w.RemoveAllRecipients)
def remove_all_recipients(call: Call, request: w.RemoveAllRecipients) -> w.RemoveAllRecipientsResponse:
    """[MS-OXCMSG] 3.2.5.4."""
    call.object(Message).message.remove_recipients()
    return w.RemoveAllRecipientsResponse(request.index, 0)


@handles(w.ModifyRecipients)
def modify_recipients(call: Call, request: w.ModifyRecipients) -> w.ModifyRecipientsResponse:
    """[MS-OXCMSG] 3.2.5.5. All rows or none; what is no row is ecInvalidParam."""
    opened = call.object(Message)
    rows: dict[int, Bag | None] = {}
    for row in request.rows:
        rows[row.row_id] = _recipient(call, opened, request.columns, row) if row.row else None
    opened.message.modify_recipients(rows)
    if not opened.columns:
        opened.columns = _columns([bag for bag in rows.values() if bag is not None])
    return w.ModifyRecipientsResponse(request.index, 0)


def _recipient(call: Call, opened: Message, columns: Sequence[int], row: w.ModifyRecipientRow) -> Bag:
    read = RecipientRow.decode(row.row, columns)
    bag = read.to_bag(columns, row.type, correspondents.dn_prefix(call.session), opened.code_page)
    correspondents.add_smtp_address(call.session, bag)
    return bag


@handles(w.ReadRecipients)
def read_recipients(call: Call, request: w.ReadRecipients) -> w.ReadRecipientsResponse:
    """[MS-OXCMSG] 3.2.5.6: rows from a row id on, in the columns that opening told."""
    opened = call.object(Message)
    room = call.room - 32
    rows: list[w.ReadRecipientRow] = []
    for bag in opened.message.read_recipients(request.row_id, MOST_ROWS):
        row = _row(bag, opened)
        room -= len(row) + _ROW_HEAD
        if room < 0 and rows:
            break
        rows.append(w.ReadRecipientRow(_number(bag, p.PidTagRowid), _type(bag), opened.code_page & 0xFFFF, 0, row))
    return w.ReadRecipientsResponse(request.index, 0, rows)


def _columns(recipients: Sequence[Bag]) -> tuple[int, ...]:
    there = set().union(*recipients[:LOOKED_AT]) - _IN_ROWS
    return tuple(sorted(tag for tag in there if _travels(tag)))


def _travels(tag: int) -> bool:
    kind = column_type(tag)
    return kind not in (PropType.PtypObject, PropType.PtypNull) and writer_of(kind) is not None


def _row(bag: Bag, opened: Message) -> bytes:
    for columns in (opened.columns, ()):
        octets = from_bag(bag, columns).encode(columns)
        if len(octets) <= LARGEST_ROW:
            return octets
    short = {tag: value for tag, value in bag.items() if not isinstance(value, str)}
    return from_bag(short, ()).encode(())


def _number(bag: Bag, tag: int) -> int:
    value = bag.get(tag)
    return value if isinstance(value, int) else 0


def _type(bag: Bag) -> int:
    return _number(bag, p.PidTagRecipientType) & 0xFF


# ---------------------------------------------------------------------------------------------- status


@handles(w.GetMessageStatus)
def get_message_status(call: Call, request: w.GetMessageStatus) -> w.SetMessageStatusResponse:
    """[MS-OXCMSG] 3.2.5.9."""
    folder = call.object(Folder)
    return w.SetMessageStatusResponse(request.index, 0, _status(folder, request.message_id)[1])


@handles(w.SetMessageStatus)
def set_message_status(call: Call, request: w.SetMessageStatus) -> w.SetMessageStatusResponse:
    """[MS-OXCMSG] 3.2.5.8; the answer is the status before."""
    folder = call.object(Folder)
    message, before = _status(folder, request.message_id)
    mask = request.message_status_mask
    after = before & ~mask | request.message_status_flags & mask
    if after != before:
        signed = after - (1 << 32) if after >> 31 else after
        changes = o.Changes(set={p.PidTagMessageStatus: signed})
        call.logon.account.call(o.SaveMessage(message.fid, message.mid, message.cn, changes, os.urandom(16), True))
    return w.SetMessageStatusResponse(request.index, 0, before)


def _status(folder: Folder, eid: int) -> tuple[o.Message, int]:
    """A message of the folder, and its PidTagMessageStatus. ecNotFound."""
    mid = folder.logon.counter(eid)
    found = folder.logon.account.call(o.OpenMessage(mid, [], o.PROPS, [p.PidTagMessageStatus]))
    return found, _number(found.props, p.PidTagMessageStatus) & 0xFFFFFFFF
