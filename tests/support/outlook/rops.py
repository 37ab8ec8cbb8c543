"""Requests and answers of ROPs, one function each, named as [MS-OXCROPS] names them without `Rop`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.outlook.values import (
    Name,
    Recipient,
    bag,
    property_name,
    read_bag,
    read_property_name,
    read_recipient_row,
    recipient_row,
    row,
    tags,
    typed_string,
)
from tests.support.outlook.wire import Reader, sized, u8, u16, u32, u64, wz, z

NONE = 0xFFFFFFFF


class RopError(Exception):
    """A ReturnValue that is not 0; `more` is what the answer holds beyond it."""

    def __init__(self, rop: int, code: int, more: Any = None) -> None:
        super().__init__(f"ROP {rop:#04x}: {code:#010x} {more if more is not None else ''}")
        self.rop, self.code, self.more = rop, code, more


class Handle:
    """A server object handle, `NONE` until the answer has brought it."""

    def __init__(self, logon: int = 0, value: int = NONE) -> None:
        self.logon, self.value = logon, value


def nothing(reader: Reader) -> None:
    """An answer that ends after ReturnValue."""


@dataclass
class Rop:
    """A request. `handles`: those whose indexes follow LogonId; `out`: the one of them that the answer makes.

    `answer` reads what follows ReturnValue 0; `failed` what follows another one; `response_index`: which of the
    handles' indexes the answer begins with.
    """

    number: int
    handles: list[Handle]
    body: bytes = b""
    answer: Callable[[Reader], Any] = nothing
    out: Handle | None = None
    failed: Callable[[Reader, int], Any] | None = None
    response_index: int = -1
    logon: int | None = None
    result: Any = field(default=None, compare=False)
    warning: int = 0


def _making(number: int, source: Handle, body: bytes = b"", answer: Callable[[Reader], Any] = nothing) -> Rop:
    made = Handle(source.logon)
    return Rop(number, [source, made], body, answer, out=made)


def _u8(reader: Reader) -> int:
    return reader.u8()


def _u16(reader: Reader) -> int:
    return reader.u16()


def _u32(reader: Reader) -> int:
    return reader.u32()


def _u64(reader: Reader) -> int:
    return reader.u64()


# ---------------------------------------------------------------------------------------------- stores ([MS-OXCSTOR])


def Logon(flags: int, open_flags: int, essdn: str, logon_id: int = 0) -> Rop:
    made = Handle(logon_id)
    body = u8(flags) + u32(open_flags, 0) + (sized(z(essdn)) if essdn else u16(0))

    def answer(reader: Reader) -> dict[str, Any]:
        echoed, folders = reader.u8(), list(reader.read("13Q"))
        if not echoed & 1:
            found = {"folders": folders, "replid": reader.u16(), "repl_guid": reader.take(16)}
            return {**found, "per_user_guid": reader.take(16)}
        found = {"folders": folders, "response_flags": reader.u8(), "mailbox_guid": reader.take(16)}
        found |= {"replid": reader.u16(), "repl_guid": reader.take(16), "time": reader.read("6BH")}
        return {**found, "gwart": reader.u64(), "store_state": reader.u32()}

    def failed(reader: Reader, code: int) -> Any:
        return (reader.u8(), reader.take(reader.u8()).rstrip(b"\0").decode()) if code == 0x478 else None

    return Rop(0xFE, [made], body, answer, out=made, failed=failed, logon=logon_id)


def GetReceiveFolder(store: Handle, message_class: str) -> Rop:
    return Rop(0x27, [store], z(message_class), lambda r: (r.u64(), r.ascii()))


def SetReceiveFolder(store: Handle, fid: int, message_class: str) -> Rop:
    return Rop(0x26, [store], u64(fid) + z(message_class))


def GetReceiveFolderTable(store: Handle) -> Rop:
    columns = (0x67480014, 0x001A001E, 0x30080040)
    return Rop(0x68, [store], answer=lambda r: [row(r, columns) for _ in range(r.u32())])


def GetStoreState(store: Handle) -> Rop:
    return Rop(0x7B, [store], answer=_u32)


def GetOwningServers(store: Handle, fid: int) -> Rop:
    return Rop(0x42, [store], u64(fid), lambda r: (r.u16(), r.u16(), r.ascii()))


def LongTermIdFromId(store: Handle, eid: int) -> Rop:
    return Rop(0x43, [store], u64(eid), lambda r: r.take(24))


def IdFromLongTermId(store: Handle, ltid: bytes) -> Rop:
    return Rop(0x44, [store], ltid, _u64)


def GetPropertyIdsFromNames(obj: Handle, names: Sequence[Name], *, create: bool = True) -> Rop:
    body = u8(2 if create else 0) + u16(len(names)) + b"".join(map(property_name, names))
    return Rop(0x56, [obj], body, lambda r: list(r.read(f"{r.u16()}H")))


def GetNamesFromPropertyIds(obj: Handle, ids: Sequence[int]) -> Rop:
    return Rop(
        0x55, [obj], u16(len(ids)) + u16(*ids), lambda r: [read_property_name(r) for _ in range(r.u16())]
    )  # fmt: skip


def GetLocalReplicaIds(store: Handle, count: int) -> Rop:
    return Rop(0x7F, [store], u32(count), lambda r: (r.take(16), int.from_bytes(r.take(6), "big")))


def GetPerUserLongTermIds(store: Handle, guid: bytes) -> Rop:
    return Rop(0x60, [store], guid, lambda r: [r.take(24) for _ in range(r.u16())])


def ReadPerUserInformation(store: Handle, ltid: bytes, offset: int, most: int) -> Rop:
    body = ltid + u8(0) + u32(offset) + u16(most)
    return Rop(0x63, [store], body, lambda r: (r.u8(), r.take(r.u16())))


def WritePerUserInformation(store: Handle, ltid: bytes, data: bytes, guid: bytes) -> Rop:
    return Rop(0x64, [store], ltid + u8(1) + u32(0) + sized(data) + guid)


# ---------------------------------------------------------------------------------------------- folders ([MS-OXCFOLD])


def _folder(reader: Reader) -> dict[str, Any]:
    found: dict[str, Any] = {"rules": reader.u8(), "ghosted": reader.u8()}
    if found["ghosted"]:
        servers, _ = reader.read("HH")
        found["servers"] = [reader.ascii() for _ in range(servers)]
    return found


def OpenFolder(source: Handle, fid: int, flags: int = 0) -> Rop:
    return _making(0x02, source, u64(fid) + u8(flags), _folder)


def CreateFolder(parent: Handle, name: str, comment: str = "", *, kind: int = 1, open_existing: bool = False) -> Rop:
    def answer(reader: Reader) -> tuple[int, bool]:
        fid, existing = reader.u64(), reader.u8()
        if existing:
            _folder(reader)
        return fid, bool(existing)

    body = u8(kind, 1, open_existing, 0) + wz(name) + wz(comment)
    return _making(0x1C, parent, body, answer)


def DeleteFolder(parent: Handle, fid: int, flags: int = 0x05) -> Rop:
    return Rop(0x1D, [parent], u8(flags) + u64(fid), _u8)


def _ids(mids: Sequence[int]) -> bytes:
    return u16(len(mids)) + u64(*mids)


def DeleteMessages(folder: Handle, mids: Sequence[int], *, hard: bool = False) -> Rop:
    return Rop(0x91 if hard else 0x1E, [folder], u8(0, 0) + _ids(mids), _u8)


def _to_other(reader: Reader, code: int) -> Any:
    return (reader.u32(), reader.u8()) if code == 0x503 else (reader.u8() if reader.left() else None)


def MoveCopyMessages(source: Handle, target: Handle, mids: Sequence[int], *, copy: bool) -> Rop:
    return Rop(0x33, [source, target], _ids(mids) + u8(0, copy), _u8, failed=_to_other)


def MoveFolder(source: Handle, target: Handle, fid: int, name: str) -> Rop:
    return Rop(0x35, [source, target], u8(0, 1) + u64(fid) + wz(name), _u8, failed=_to_other)


def CopyFolder(source: Handle, target: Handle, fid: int, name: str) -> Rop:
    return Rop(0x36, [source, target], u8(0, 1, 1) + u64(fid) + wz(name), _u8, failed=_to_other)


def EmptyFolder(folder: Handle, *, associated: bool = False) -> Rop:
    return Rop(0x58, [folder], u8(0, associated), _u8)


def GetHierarchyTable(folder: Handle, flags: int = 0) -> Rop:
    return _making(0x04, folder, u8(flags), _u32)


def GetContentsTable(folder: Handle, flags: int = 0) -> Rop:
    return _making(0x05, folder, u8(flags), _u32)


def GetPermissionsTable(folder: Handle, flags: int = 0) -> Rop:
    return _making(0x3E, folder, u8(flags))


def GetRulesTable(folder: Handle, flags: int = 0) -> Rop:
    return _making(0x3F, folder, u8(flags))


def ModifyPermissions(folder: Handle, flags: int, rows: Sequence[tuple[int, Mapping[int, Any]]]) -> Rop:
    """Rows: (1 add, 2 modify, 4 remove, properties)."""
    return Rop(0x40, [folder], u8(flags) + u16(len(rows)) + b"".join(u8(kind) + bag(props) for kind, props in rows))


def ModifyRules(folder: Handle, flags: int, rows: Sequence[tuple[int, Mapping[int, Any]]]) -> Rop:
    return Rop(0x41, [folder], u8(flags) + u16(len(rows)) + b"".join(u8(kind) + bag(props) for kind, props in rows))


def SetSearchCriteria(folder: Handle, condition: bytes, fids: Sequence[int], flags: int) -> Rop:
    return Rop(0x30, [folder], sized(condition) + _ids(fids) + u32(flags))


def GetSearchCriteria(folder: Handle) -> Rop:
    def answer(reader: Reader) -> tuple[bytes, list[int], int]:
        condition = reader.take(reader.u16())
        reader.u8()
        return condition, list(reader.read(f"{reader.u16()}Q")), reader.u32()

    return Rop(0x31, [folder], u8(1, 1, 1), answer)


# ---------------------------------------------------------------------------------------------- tables ([MS-OXCTABL])


def SetColumns(table: Handle, columns: Sequence[int]) -> Rop:
    return Rop(0x12, [table], u8(0) + tags(columns), _u8)


def SortTable(table: Handle, orders: bytes) -> Rop:
    return Rop(0x13, [table], u8(0) + orders, _u8)


def Restrict(table: Handle, condition: bytes) -> Rop:
    return Rop(0x14, [table], u8(0) + sized(condition), _u8)


def QueryRows(table: Handle, columns: Sequence[int], count: int, *, forward: bool = True, flags: int = 0) -> Rop:
    def answer(reader: Reader) -> tuple[int, list[dict[int, Any]]]:
        origin, rows = reader.u8(), reader.u16()
        return origin, [row(reader, columns) for _ in range(rows)]

    return Rop(0x15, [table], u8(flags, forward) + u16(count), answer)


def QueryPosition(table: Handle) -> Rop:
    return Rop(0x17, [table], answer=lambda r: r.read("II"))


def SeekRow(table: Handle, origin: int, rows: int) -> Rop:
    body = u8(origin) + rows.to_bytes(4, "little", signed=True) + u8(1)
    return Rop(0x18, [table], body, lambda r: r.read("Bi"))


def FindRow(table: Handle, columns: Sequence[int], condition: bytes, *, origin: int = 0, backward: bool = False) -> Rop:
    def answer(reader: Reader) -> dict[int, Any] | None:
        _, found = reader.u8(), reader.u8()
        return row(reader, columns) if found else None

    body = u8(backward) + sized(condition) + u8(origin) + u16(0)
    return Rop(0x4F, [table], body, answer)


def CreateBookmark(table: Handle) -> Rop:
    return Rop(0x1B, [table], answer=lambda r: r.take(r.u16()))


def SeekRowBookmark(table: Handle, bookmark: bytes, rows: int) -> Rop:
    body = sized(bookmark) + rows.to_bytes(4, "little", signed=True) + u8(1)
    return Rop(0x19, [table], body, lambda r: r.read("BBi"))


def ResetTable(table: Handle) -> Rop:
    return Rop(0x81, [table])


# ---------------------------------------------------------------------------------------------- messages ([MS-OXCMSG])


@dataclass
class Opened:
    """What the answer of RopOpenMessage says of it."""

    named: int
    prefix: str
    subject: str
    count: int
    columns: list[int]
    recipients: list[Recipient]
    mid: int = 0


def _recipient(reader: Reader, columns: Sequence[int]) -> Recipient:
    kind, _, _ = reader.read("BHH")
    return read_recipient_row(reader.take(reader.u16()), kind, columns)


def _opened(reader: Reader) -> Opened:
    named, prefix, subject, count = reader.u8(), typed_string(reader), typed_string(reader), reader.u16()
    columns = list(reader.read(f"{reader.u16()}I"))
    return Opened(named, prefix, subject, count, columns, [_recipient(reader, columns) for _ in range(reader.u8())])


def OpenMessage(source: Handle, fid: int, mid: int, flags: int = 0, *, code_page: int = 0x0FFF) -> Rop:
    return _making(0x03, source, u16(code_page) + u64(fid) + u8(flags) + u64(mid), _opened)


def CreateMessage(source: Handle, fid: int, *, associated: bool = False, code_page: int = 0x0FFF) -> Rop:
    body = u16(code_page) + u64(fid) + u8(associated)
    return _making(0x06, source, body, lambda r: r.u64() if r.u8() else 0)


def SaveChangesMessage(message: Handle, flags: int = 0x0A) -> Rop:
    """Flags: 0x01 KeepOpenReadOnly, 0x02 KeepOpenReadWrite, 0x04 ForceSave, 0x08 DelayedCall."""
    return Rop(0x0C, [message, message], u8(flags), lambda r: (r.u8(), r.u64())[1])


def RemoveAllRecipients(message: Handle) -> Rop:
    return Rop(0x0D, [message], u32(0))


def ModifyRecipients(message: Handle, rows: Sequence[Recipient], columns: Sequence[int]) -> Rop:
    body = tags(columns) + u16(len(rows))
    for number, one in enumerate(rows):
        body += u32(number) + u8(one.kind) + sized(recipient_row(one, columns))
    return Rop(0x0E, [message], body)


def ReadRecipients(message: Handle, columns: Sequence[int], first: int = 0) -> Rop:
    def answer(reader: Reader) -> list[tuple[int, Recipient]]:
        return [(reader.u32(), _recipient(reader, columns)) for _ in range(reader.u8())]

    return Rop(0x0F, [message], u32(first) + u16(0), answer)


def SetMessageReadFlag(response: Handle, message: Handle, flags: int, client_data: bytes = b"") -> Rop:
    def answer(reader: Reader) -> bool:
        changed = bool(reader.u8())
        if changed:
            reader.take(25)
        return changed

    return Rop(0x11, [response, message], u8(flags) + client_data, answer, response_index=0)


def SetReadFlags(folder: Handle, mids: Sequence[int], flags: int = 0) -> Rop:
    """Flags: 0 read, 4 unread."""
    return Rop(0x66, [folder], u8(0, flags) + _ids(mids), _u8)


def GetMessageStatus(folder: Handle, mid: int) -> Rop:
    return Rop(0x1F, [folder], u64(mid), _u32)


def SetMessageStatus(folder: Handle, mid: int, flags: int, mask: int) -> Rop:
    return Rop(0x20, [folder], u64(mid) + u32(flags, mask), _u32)


def GetAttachmentTable(message: Handle) -> Rop:
    return _making(0x21, message, u8(0))


def OpenAttachment(message: Handle, number: int, flags: int = 0) -> Rop:
    return _making(0x22, message, u8(flags) + u32(number))


def CreateAttachment(message: Handle) -> Rop:
    return _making(0x23, message, answer=_u32)


def DeleteAttachment(message: Handle, number: int) -> Rop:
    return Rop(0x24, [message], u32(number))


def SaveChangesAttachment(message: Handle, attachment: Handle, flags: int = 0x0A) -> Rop:
    return Rop(0x25, [message, attachment], u8(flags), response_index=0)


def OpenEmbeddedMessage(attachment: Handle, flags: int = 0) -> Rop:
    def answer(reader: Reader) -> Opened:
        reader.u8()
        mid = reader.u64()
        found = _opened(reader)
        found.mid = mid
        return found

    return _making(0x46, attachment, u16(0x0FFF) + u8(flags), answer)


# --------------------------------------------------------------------------------------- properties ([MS-OXCPRPT])


def GetPropertiesSpecific(obj: Handle, columns: Sequence[int], limit: int = 0) -> Rop:
    return Rop(0x07, [obj], u16(limit, 1) + tags(columns), lambda r: row(r, columns))


def GetPropertiesAll(obj: Handle, limit: int = 0) -> Rop:
    return Rop(0x08, [obj], u16(limit, 1), read_bag)


def GetPropertiesList(obj: Handle) -> Rop:
    return Rop(0x09, [obj], answer=lambda r: list(r.read(f"{r.u16()}I")))


def _problems(reader: Reader) -> list[tuple[int, int, int]]:
    return [reader.read("HII") for _ in range(reader.u16())]  # type: ignore[misc]


def SetProperties(obj: Handle, props: Mapping[int, Any]) -> Rop:
    return Rop(0x0A, [obj], sized(bag(props)), _problems)


def DeleteProperties(obj: Handle, columns: Sequence[int]) -> Rop:
    return Rop(0x0B, [obj], tags(columns), _problems)


def _copied(reader: Reader, code: int) -> Any:
    return reader.u32() if code == 0x503 else None


def CopyTo(source: Handle, target: Handle, excluded: Sequence[int] = (), flags: int = 0) -> Rop:
    return Rop(0x39, [source, target], u8(0, 1, flags) + tags(excluded), _problems, failed=_copied)


def CopyProperties(source: Handle, target: Handle, columns: Sequence[int], flags: int = 0) -> Rop:
    return Rop(0x67, [source, target], u8(0, flags) + tags(columns), _problems, failed=_copied)


def OpenStream(obj: Handle, tag: int, mode: int = 0) -> Rop:
    """Mode: 0 read, 1 read and write, 2 create."""
    return _making(0x2B, obj, u32(tag) + u8(mode), _u32)


def ReadStream(stream: Handle, most: int) -> Rop:
    body = u16(0xBABE) + u32(most) if most > 0x7FFF else u16(most)
    return Rop(0x2C, [stream], body, lambda r: r.take(r.u16()), failed=lambda r, code: r.take(r.u16()))


def WriteStream(stream: Handle, data: bytes) -> Rop:
    return Rop(0x2D, [stream], sized(data), _u16, failed=lambda r, code: r.u16())


def CommitStream(stream: Handle) -> Rop:
    return Rop(0x5D, [stream])


def SeekStream(stream: Handle, origin: int, offset: int) -> Rop:
    return Rop(0x2E, [stream], u8(origin) + offset.to_bytes(8, "little", signed=True), _u64)


def SetStreamSize(stream: Handle, size: int) -> Rop:
    return Rop(0x2F, [stream], u64(size))


def GetStreamSize(stream: Handle) -> Rop:
    return Rop(0x5E, [stream], answer=_u32)


# ---------------------------------------------------------------------------------------------- sending ([MS-OXOMSG])


def SubmitMessage(message: Handle, flags: int = 0) -> Rop:
    return Rop(0x32, [message], u8(flags))


def TransportSend(message: Handle) -> Rop:
    return Rop(0x4A, [message], answer=lambda r: {} if r.u8() else read_bag(r))


def AbortSubmit(store: Handle, fid: int, mid: int) -> Rop:
    return Rop(0x34, [store], u64(fid, mid))


def SetSpooler(store: Handle) -> Rop:
    return Rop(0x47, [store])


def GetTransportFolder(store: Handle) -> Rop:
    return Rop(0x6D, [store], answer=_u64)


def GetAddressTypes(store: Handle) -> Rop:
    def answer(reader: Reader) -> list[str]:
        count, size = reader.read("HH")
        strings = Reader(reader.take(size))
        return [strings.ascii() for _ in range(count)]

    return Rop(0x49, [store], answer=answer)


# ---------------------------------------------------------------------------------------------- notifications, release


def RegisterNotification(store: Handle, kinds: int, fid: int = 0, mid: int = 0) -> Rop:
    """`fid` 0: the whole store ([MS-OXCNOTIF] 2.2.1.2.1)."""
    body = u16(kinds) + (u8(0) + u64(fid, mid) if fid else u8(1))
    return _making(0x29, store, body)


def Release(obj: Handle) -> Rop:
    return Rop(0x01, [obj])
