"""What ROPs on read marks do ([MS-OXCMSG] 3.2.5.10, 3.2.5.11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.working import EmbeddedMessage, WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.flags import MessageFlags, OpenModeFlags, ReadFlags
from gromoxd.rop import messages as w
from gromoxd.rop.codec import Response
from workers.http.emsmdb import receipts, transferring
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import Folder, Logon, Message
from workers.http.emsmdb.progress import Steps, run

if TYPE_CHECKING:
    from workers.http.emsmdb.session import Session

AT_ONCE: Final = 1_000
_KEEPS_MARK: Final = ReadFlags.rfGenerateReceiptOnly | ReadFlags.rfClearNotifyRead | ReadFlags.rfClearNotifyUnread
_LOOK: Final = [p.PidTagMid, p.PidTagMessageFlags]


def wanted(flags: int) -> bool | None:
    """Whether messages are to be marked read or unread; None: neither ([MS-OXCMSG] 2.2.3.10.1)."""
    if flags & ReadFlags.rfClearReadFlag:
        return False
    return None if flags & _KEEPS_MARK else True


@handles(w.SetReadFlags)
def set_read_flags(call: Call, request: w.SetReadFlags) -> Response:
    """[MS-OXCMSG] 3.2.5.10. No ids: all messages of the folder, as IMAPIFolder::SetReadFlags without a list means it.

    PartialCompletion: some messages are gone, or not the user's to mark.
    """
    folder = call.object(Folder)
    if request.message_ids:
        mids = _counters(folder.logon, request.message_ids)
        steps = _set(call.session, folder, mids, len(request.message_ids), request.read_flags)
    else:
        steps = _set_all(call.session, folder, request.read_flags)
    return run(call, folder, w.SetReadFlagsResponse, steps, asynchronous=request.want_asynchronous)


def _set(session: Session, folder: Folder, mids: list[int], asked: int, read_flags: int) -> Steps:
    partial, read = len(mids) < asked, wanted(read_flags)
    for first in range(0, len(mids), AT_ONCE):
        some = mids[first : first + AT_ONCE]
        found = _listed(folder, some)
        partial = partial or len(found) < len(some)
        pending = [one.mid for one in found if receipts.is_pending(_flags(one.props))]
        if read is not None:
            partial = _mark(folder, found, read) or partial
        if receipts.is_concerned(read_flags):
            for mid in pending:
                message = WorkingMessage.open(folder.logon.account, mid, OpenModeFlags.ReadOnly)
                receipts.settle(session, folder.logon, message, read_flags)
                message.discard()
        yield first + len(some), len(mids)
    return partial


def _set_all(session: Session, folder: Folder, read_flags: int) -> Steps:
    """Those of a folder that it concerns. What comes meanwhile stays as it is."""
    read, mids = wanted(read_flags), list[int]()
    rows = transferring.list_rows(folder.logon.account, folder.fid, p.PidTagMessageFlags)
    for looked, (mid, flags) in enumerate(rows, 1):
        number = flags if isinstance(flags, int) else 0
        if (read is not None and bool(number & MessageFlags.mfRead) != read) or receipts.is_pending(number):
            mids.append(mid)
        if not looked % AT_ONCE:
            yield 0, looked
    yield from _set(session, folder, mids, 0, read_flags)
    return False


def _counters(logon: Logon, eids: Sequence[int]) -> list[int]:
    found = []
    for eid in dict.fromkeys(eids):
        try:
            found.append(logon.counter(eid))
        except MapiError:
            continue
    return found


def _listed(folder: Folder, mids: list[int]) -> list[o.Message]:
    """Which of them are there. A search folder shows those of others."""
    found: list[o.Message] = []
    left = mids
    while left:
        messages = folder.logon.account.call(o.ReadMessages(left, o.PROPS, _LOOK))
        if not messages:
            break
        found += [one for one in messages if folder.search or one.fid == folder.fid]
        left = left[left.index(messages[-1].mid) + 1 :]
    return found


def _flags(values: dict[int, Any]) -> int:
    flags = values.get(p.PidTagMessageFlags)
    return flags if isinstance(flags, int) else 0


def _mark(folder: Folder, found: list[o.Message], read: bool) -> bool:
    """Mark those that are not so; True: some could not be."""
    groups: dict[int, list[int]] = {}
    for one in found:
        if bool(_flags(one.props) & MessageFlags.mfRead) != read:
            groups.setdefault(one.fid, []).append(one.mid)
    done = [folder.logon.account.call(o.SetReadState(fid, mids, read)) for fid, mids in groups.items()]
    return not all(one.cn for one in done)


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
