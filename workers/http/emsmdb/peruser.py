"""What ROPs on per-user information do ([MS-OXCSTOR] 3.2.5.10-3.2.5.13): what somebody has read in public folders.

On the logon of a public store it is the truth: the change numbers of the messages in a folder that the user has read.
On that of a mailbox it is what a client once kept there, one associated message in the root folder for each public
folder, to be written to the public store that it meets next ([MS-OXCSTOR] 3.1.4.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from weakref import WeakKeyDictionary

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.flags import OpenModeFlags
from gromoxd.mapi.ids import LongTermId, eid_split
from gromoxd.mapi.idset import IdSet
from gromoxd.mapi.restrictions import Property, RelOp, encode_restriction
from gromoxd.rop import peruser as w
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import Logon

KEPT_CLASS: Final = "IPM.Configuration.PublicFolderReadMarks"
DEFAULT_SIZE: Final = 4096
LARGEST: Final = 1 << 20
"""Octets of one folder's information, and of all that is not complete."""
MOST_FOLDERS: Final = 1000
_ANSWER: Final = 16
"""Octets of an answer that are no data, with some to spare."""
_PAGE: Final = 2000


class _Pieces:
    """A logon's transfers under way: what is read, and what is being written, by folder."""

    def __init__(self) -> None:
        self.read: tuple[bytes, bytes] = b"", b""
        self.written: dict[bytes, bytearray] = {}
        self.guids: dict[bytes, bytes] = {}


_PIECES: Final[WeakKeyDictionary[Logon, _Pieces]] = WeakKeyDictionary()


def _pieces(logon: Logon) -> _Pieces:
    return _PIECES.setdefault(logon, _Pieces())


# ---------------------------------------------------------------------------------------------- reading


@handles(w.GetPerUserLongTermIds)
def get_per_user_long_term_ids(
    call: Call, request: w.GetPerUserLongTermIds
) -> w.GetPerUserLongTermIdsResponse:  # fmt: skip
    """[MS-OXCSTOR] 3.2.5.10. ecNotSupported on a public store."""
    logon = _private(call)
    found = [one[16:40] for _, one in _kept(logon) if one[:16] == request.database_guid]
    return w.GetPerUserLongTermIdsResponse(request.index, 0, found)


@handles(w.GetPerUserGuid)
def get_per_user_guid(call: Call, request: w.GetPerUserGuid) -> w.GetPerUserGuidResponse:
    """[MS-OXCSTOR] 3.2.5.11. ecNotFound."""
    logon = _private(call)
    found = next((one[:16] for _, one in _kept(logon, request.long_term_id)), None)
    if found is None:
        raise MapiError(Ec.ecNotFound, "per-user information")
    return w.GetPerUserGuidResponse(request.index, 0, found)


@handles(w.ReadPerUserInformation)
def read_per_user_information(call: Call, request: w.ReadPerUserInformation) -> w.ReadPerUserInformationResponse:
    """[MS-OXCSTOR] 3.2.5.12."""
    logon = call.object(Logon)
    pieces, offset = _pieces(logon), request.data_offset
    if not offset or pieces.read[0] != request.folder_id:
        pieces.read = request.folder_id, _information(logon, request.folder_id)
    data = pieces.read[1]
    if offset > len(data):
        raise MapiError(Ec.ecError, f"offset {offset} of {len(data)}")
    size = min(request.max_data_size or DEFAULT_SIZE, call.room - _ANSWER)
    piece = data[offset : offset + size]
    finished = offset + len(piece) == len(data)
    if finished:
        pieces.read = b"", b""
    return w.ReadPerUserInformationResponse(request.index, 0, finished, piece)


def _information(logon: Logon, folder_id: bytes) -> bytes:
    """The IDSET of change numbers that have been read, b'' for none."""
    if not logon.public:
        return next((one[40:] for _, one in _kept(logon, folder_id)), b"")
    read = IdSet()
    for _, is_read, number in _messages(logon, _folder(logon, folder_id)):
        if is_read:
            read.add(logon.info.guid, number)
    return read.encode()


def _private(call: Call) -> Logon:
    found = call.object(Logon)
    if found.public:
        raise MapiError(Ec.ecNotSupported, "public store")
    return found


def _folder(logon: Logon, folder_id: bytes) -> int:
    """The folder of a LongTermID. ecNotFound: another store's."""
    found = LongTermId.decode(folder_id)
    if found.guid != logon.info.guid:
        raise MapiError(Ec.ecNotFound, "a folder of another replica")
    return found.counter


def _messages(logon: Logon, fid: int) -> Iterator[tuple[int, bool, int]]:
    """(id, read by the user, change number) of the messages of a folder."""
    table, position = t.Table(t.CONTENTS, fid), 0
    columns = [p.PidTagMid, p.PidTagRead, p.PidTagChangeNumber]
    while True:
        found = logon.account.call(t.QueryRows(table, columns, position, _PAGE))
        for mid, is_read, number in found.rows:
            yield eid_split(mid)[1], bool(is_read), eid_split(number)[1]
        position += len(found.rows)
        if not found.rows or position >= found.total:
            return


# ---------------------------------------------------------------------------------------------- writing


@handles(w.WritePerUserInformation)
def write_per_user_information(
    call: Call, request: w.WritePerUserInformation | w.WritePerUserInformationPublic
) -> w.WritePerUserInformationResponse:
    """[MS-OXCSTOR] 3.2.5.13: the pieces come one after the other, the last one makes it count."""
    logon = call.object(Logon)
    pieces, folder_id = _pieces(logon), request.folder_id
    if not request.data_offset:
        if len(pieces.written) >= MOST_FOLDERS:
            raise MapiError(Ec.ecTooBig, "per-user information of many folders at once")
        pieces.written[folder_id] = bytearray()
        pieces.guids[folder_id] = getattr(request, "repl_guid", b"")
    written = pieces.written.get(folder_id)
    if written is None or len(written) != request.data_offset:
        raise MapiError(Ec.ecError, f"offset {request.data_offset}")
    if len(request.data) + sum(map(len, pieces.written.values())) > LARGEST:
        raise MapiError(Ec.ecTooBig, "per-user information")
    written += request.data
    if request.has_finished:
        del pieces.written[folder_id]
        guid = pieces.guids.pop(folder_id)
        if logon.public:
            _mark(logon, _folder(logon, folder_id), call.session.site.services.run_blocking(_set_of, bytes(written)))
        else:
            _keep(logon, guid + folder_id + bytes(written))
    return w.WritePerUserInformationResponse(request.index, 0)


def _set_of(data: bytes) -> IdSet:
    """ecInvalidParam. It may take long: it is done on a thread."""
    try:
        return IdSet.decode_replguid(data) if data else IdSet()
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, f"per-user information: {error}") from error


def _mark(logon: Logon, fid: int, wanted: IdSet) -> None:
    """Have those messages read whose change numbers are in the set, and the others unread."""
    read = wanted.of(logon.info.guid)
    change: dict[bool, list[int]] = {True: [], False: []}
    for mid, is_read, number in _messages(logon, fid):
        if (number in read) != is_read:
            change[number in read].append(mid)
    for state, mids in change.items():
        for start in range(0, len(mids), _PAGE):
            logon.account.call(o.SetReadState(fid, mids[start : start + _PAGE], state))


# ---------------------------------------------------------------------------------------------- what a mailbox keeps


def _kept(logon: Logon, folder_id: bytes = b"") -> list[tuple[int, bytes]]:
    """(message, GUID and LongTermID and data) of what is kept in a mailbox, of one folder or of all."""
    same = Property(RelOp.EQ, p.PidTagMessageClass, KEPT_CLASS)
    table = t.Table(t.CONTENTS, logon.info.folders[0], t.ASSOCIATED, encode_restriction(same))
    found = []
    for mid, name in logon.account.call(t.QueryRows(table, [p.PidTagMid, p.PidTagSubject], 0, MOST_FOLDERS)).rows:
        if not folder_id or name == folder_id.hex():
            number = eid_split(mid)[1]
            value = WorkingMessage.open(logon.account, number).get(p.PidTagRoamingBinary)
            if isinstance(value, bytes) and len(value) >= 40:
                found.append((number, value))
    return found


def _keep(logon: Logon, value: bytes) -> None:
    """In place of what was kept of that folder."""
    root, name = logon.info.folders[0], value[16:40]
    earlier = _kept(logon, name)
    if earlier:
        message = WorkingMessage.open(logon.account, earlier[0][0], OpenModeFlags.ReadWrite)
    elif len(_kept(logon)) >= MOST_FOLDERS:
        raise MapiError(Ec.ecStorageFull, "per-user information")
    else:
        message = WorkingMessage.create(logon.account, root, associated=True)
    try:
        message.set({p.PidTagMessageClass: KEPT_CLASS, p.PidTagSubject: name.hex(), p.PidTagRoamingBinary: value})
        message.save()
    finally:
        message.discard()
