"""What ROPs on read marks do ([MS-OXCMSG] 3.2.5.10, 3.2.5.11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.working import EmbeddedMessage, WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.flags import MessageFlags, OpenModeFlags, ReadFlags
from gromoxd.rop import messages as w
from workers.http.emsmdb import receipts
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import Folder, Logon, Message

AT_ONCE: Final = 1_000
_KEEPS_MARK: Final = ReadFlags.rfGenerateReceiptOnly | ReadFlags.rfClearNotifyRead | ReadFlags.rfClearNotifyUnread
_LOOK: Final = [p.PidTagMid, p.PidTagMessageFlags]


def wanted(flags: int) -> bool | None:
    """Whether messages are to be marked read or unread; None: neither ([MS-OXCMSG] 2.2.3.10.1)."""
    if flags & ReadFlags.rfClearReadFlag:
        return False
    return None if flags & _KEEPS_MARK else True


@handles(w.SetReadFlags)
def set_read_flags(call: Call, request: w.SetReadFlags) -> w.SetReadFlagsResponse:
    """[MS-OXCMSG] 3.2.5.10. PartialCompletion: some messages are gone, or not the user's to mark."""
    folder = call.object(Folder)
    mids = _counters(folder.logon, request.message_ids)
    partial = len(mids) < len(request.message_ids)
    read = wanted(request.read_flags)
    for first in range(0, len(mids), AT_ONCE):
        some = mids[first : first + AT_ONCE]
        found = _listed(folder, some)
        partial = partial or len(found) < len(some)
        pending = [mid for mid, flags in found.items() if receipts.is_pending(flags)]
        if read is not None:
            partial = _mark(folder, found, read) or partial
        if receipts.is_concerned(request.read_flags):
            for mid in pending:
                message = WorkingMessage.open(folder.logon.account, mid, OpenModeFlags.ReadOnly)
                receipts.settle(call.session, folder.logon, message, request.read_flags)
                message.discard()
    return w.SetReadFlagsResponse(request.index, 0, partial)


def _counters(logon: Logon, eids: Sequence[int]) -> list[int]:
    found = []
    for eid in dict.fromkeys(eids):
        try:
            found.append(logon.counter(eid))
        except MapiError:
            continue
    return found


def _listed(folder: Folder, mids: list[int]) -> dict[int, int]:
    """Which of them are there, and their PidTagMessageFlags."""
    found: dict[int, int] = {}
    left = mids
    while left:
        messages = folder.logon.account.call(o.ReadMessages(left, o.PROPS, _LOOK))
        if not messages:
            break
        found |= {one.mid: _flags(one.props) for one in messages if one.fid == folder.fid}
        left = left[left.index(messages[-1].mid) + 1 :]
    return found


def _flags(values: dict[int, Any]) -> int:
    flags = values.get(p.PidTagMessageFlags)
    return flags if isinstance(flags, int) else 0


def _mark(folder: Folder, found: dict[int, int], read: bool) -> bool:
    """Mark those that are not so; True: some could not be."""
    mids = [mid for mid, flags in found.items() if bool(flags & MessageFlags.mfRead) != read]
    if not mids:
        return False
    done = folder.logon.account.call(o.SetReadState(folder.fid, mids, read))
    return not done.cn


@handles(w.SetMessageReadFlag)
def set_message_read_flag(
    call: Call, request: w.SetMessageReadFlag | w.SetPublicMessageReadFlag
) -> w.SetMessageReadFlagResponse:
    """[MS-OXCMSG] 3.2.5.11. Who reads a public folder is told whether his own mark is another now."""
    opened = call.object(Message, request.input)
    message, read = opened.message, wanted(request.read_flags)
    flags = _flags(message.loaded().values)
    changed = read is not None and bool(flags & MessageFlags.mfRead) != read
    if changed and read is not None:
        _mark_one(message, read)
    if receipts.is_pending(flags) and receipts.is_concerned(request.read_flags) and not message.path:
        receipts.settle(call.session, opened.logon, message, request.read_flags)
    if isinstance(request, w.SetPublicMessageReadFlag) and len(request.client_data) == w.CLIENT_DATA and changed:
        return w.SetMessageReadFlagResponse(request.index, 0, True, request.logon, request.client_data)
    return w.SetMessageReadFlagResponse(request.index, 0, False)


def _mark_one(message: WorkingMessage, read: bool) -> None:
    """One that the store has is marked there at once, another when it is saved."""
    if message.mid and not isinstance(message, EmbeddedMessage):
        message.mark_read(read)
    elif message.set({p.PidTagRead: read}):
        raise MapiError(Ec.ecAccessDenied, "read mark")
