"""Requests and answers of the ROPs for fast transfer and synchronisation ([MS-OXCFXICS] 2.2.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.support.outlook.rops import Handle, Rop, _making, _u64
from tests.support.outlook.values import bag, tags
from tests.support.outlook.wire import Reader, sized, u8, u16, u32, u64

CONTENTS, HIERARCHY = 1, 2

# SynchronizationFlags ([MS-OXCFXICS] 2.2.3.2.1.1.1)
UNICODE, NO_DELETIONS, IGNORE_NO_LONGER_IN_SCOPE, READ_STATE = 0x0001, 0x0002, 0x0004, 0x0008
FAI, NORMAL, ONLY_SPECIFIED, NO_FOREIGN, BEST_BODY, IGNORE_SPECIFIED_ON_FAI, PROGRESS = (
    0x0010, 0x0020, 0x0080, 0x0100, 0x2000, 0x4000, 0x8000,
)  # fmt: skip
# SynchronizationExtraFlags
EID, MESSAGE_SIZE, CN, BY_DELIVERY = 1, 2, 4, 8
# SendOptions
SEND_UNICODE, SEND_RECOVER, SEND_FORCE, SEND_PARTIAL = 1, 4, 8, 16


class Part(NamedTuple):
    """Of a FastTransfer stream."""

    status: int
    done: int
    total: int
    data: bytes


def _part(reader: Reader) -> Part:
    status, done, total = reader.read("3H")
    reader.u8()
    return Part(status, done, total, reader.take(reader.u16()))


def _failed_part(reader: Reader, code: int) -> Any:
    _part(reader)
    return reader.u32() if code == 0x480 else None


def FastTransferSourceGetBuffer(context: Handle, most: int = 0xBABE) -> Rop:
    body = u16(0xBABE, 0x7BC0) if most == 0xBABE else u16(most)
    return Rop(0x4E, [context], body, _part, failed=_failed_part)


def FastTransferSourceCopyMessages(folder: Handle, mids: Sequence[int], flags: int = 0, send: int = 1) -> Rop:
    return _making(0x4B, folder, u16(len(mids)) + u64(*mids) + u8(flags, send))


def FastTransferSourceCopyFolder(folder: Handle, flags: int = 0x10, send: int = 1) -> Rop:
    """Flags: 0x10 CopySubfolders."""
    return _making(0x4C, folder, u8(flags, send))


def FastTransferSourceCopyTo(
    obj: Handle, excluded: Sequence[int] = (), *, level: int = 0, flags: int = 0, send: int = 1
) -> Rop:  # fmt: skip
    return _making(0x4D, obj, u8(level) + u32(flags) + u8(send) + tags(excluded))


def FastTransferSourceCopyProperties(obj: Handle, wanted: Sequence[int], *, level: int = 0, send: int = 1) -> Rop:
    return _making(0x69, obj, u8(level, 0, send) + tags(wanted))


def FastTransferDestinationConfigure(obj: Handle, operation: int, flags: int = 0) -> Rop:
    """Operation: 1 CopyTo, 2 CopyProperties, 3 CopyMessages, 4 CopyFolder."""
    return _making(0x53, obj, u8(operation, flags))


def FastTransferDestinationPutBuffer(context: Handle, data: bytes) -> Rop:
    def answer(reader: Reader) -> int:
        reader.read("3HB")
        return reader.u16()

    return Rop(0x54, [context], sized(data), answer, failed=lambda r, code: answer(r))


def TellVersion(store: Handle, words: tuple[int, int, int]) -> Rop:
    return Rop(0x86, [store], u16(*words))


# ---------------------------------------------------------------------------------------------- ICS


def SynchronizationConfigure(
    folder: Handle, kind: int, flags: int, *, send: int = SEND_UNICODE, condition: bytes = b"", extra: int = EID,
    columns: Sequence[int] = (),
) -> Rop:  # fmt: skip
    body = u8(kind, send) + u16(flags) + sized(condition) + u32(extra) + tags(columns)
    return _making(0x70, folder, body)


def SynchronizationUploadStateStreamBegin(context: Handle, tag: int, size: int) -> Rop:
    return Rop(0x75, [context], u32(tag, size))


def SynchronizationUploadStateStreamContinue(context: Handle, data: bytes) -> Rop:
    return Rop(0x76, [context], u32(len(data)) + data)


def SynchronizationUploadStateStreamEnd(context: Handle) -> Rop:
    return Rop(0x77, [context])


def SynchronizationOpenCollector(folder: Handle, *, contents: bool) -> Rop:
    return _making(0x7E, folder, u8(contents))


def SynchronizationGetTransferState(context: Handle) -> Rop:
    return _making(0x82, context)


def SynchronizationImportMessageChange(collector: Handle, flags: int, props: Mapping[int, Any]) -> Rop:
    """Flags: 0x10 associated, 0x40 FailOnConflict."""
    return _making(0x72, collector, u8(flags) + bag(props), _u64)


def SynchronizationImportHierarchyChange(collector: Handle, header: Mapping[int, Any], props: Mapping[int, Any]) -> Rop:
    return Rop(0x73, [collector], bag(header) + bag(props), _u64)


def SynchronizationImportDeletes(collector: Handle, keys: Sequence[bytes], flags: int = 0) -> Rop:
    """Flags: 1 hierarchy, 2 hard."""
    return Rop(0x74, [collector], u8(flags) + bag({0x00001102: list(keys)}))


def SynchronizationImportReadStateChanges(collector: Handle, states: Mapping[bytes, bool]) -> Rop:
    rows = b"".join(sized(key) + u8(read) for key, read in states.items())
    return Rop(0x80, [collector], sized(rows))


def SynchronizationImportMessageMove(
    collector: Handle, source_folder: bytes, source_message: bytes, pcl: bytes, target_message: bytes, change: bytes
) -> Rop:
    parts = (source_folder, source_message, pcl, target_message, change)
    return Rop(0x78, [collector], b"".join(u32(len(part)) + part for part in parts), _u64)


def SetLocalReplicaMidsetDeleted(folder: Handle, ranges: Sequence[tuple[bytes, bytes]]) -> Rop:
    rows = u32(len(ranges)) + b"".join(low + high for low, high in ranges)
    return Rop(0x93, [folder], sized(rows))
