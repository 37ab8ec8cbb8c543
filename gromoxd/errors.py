"""The three error families of the code base (docs/architecture.md, style rule 7).

`WireError`: the peer sent garbage. `MapiError`: an operation failed, with its `ec*` code. Anything else is a bug.
"""

from __future__ import annotations

from enum import IntEnum


class Ec(IntEnum):
    """Error codes of [MS-OXCDATA] 2.4 that the store answers with."""

    ecNone = 0x00000000
    ecError = 0x80004005
    ecNotSupported = 0x80040102
    ecNotFound = 0x8004010F
    ecObjectModified = 0x80040109
    ecObjectDeleted = 0x8004010A
    ecTimeout = 0x80040401
    ecBusy = 0x8004010B
    ecNetwork = 0x80040115
    ecVersionMismatch = 0x80040110
    ecTooComplex = 0x80040117
    ecDuplicateName = 0x80040604
    ecFolderHasChildren = 0x80040609
    ecFolderCycle = 0x8004060B
    ecRootFolder = 0x8004060C
    ecComputed = 0x8004011A
    ecAccessDenied = 0x80070005
    ecInvalidParam = 0x80070057
    ecQuotaExceeded = 0x000004D9
    ecMaxSubmissionExceeded = 0x000004DA
    ecMaxAttachmentExceeded = 0x000004DB
    ecTooBig = 0x80040305
    ecStorageFull = 0x8004060D
    ecWrongServer = 0x00000478
    ecUnknownUser = 0x000003EB
    UnknownCodePage = 0x000003EF
    ecLocked = 0x00000972
    ecNotInitialized = 0x80040605
    ecUnableToAbort = 0x80040114
    ecNotInQueue = 0x80040601
    ecSearchFolder = 0x00000460
    ecNotSearchFolder = 0x00000461
    ecSearchFolderScopeViolation = 0x00000490
    ecNotExpanded = 0x000004F7
    ecNotCollapsed = 0x000004F8
    ecStreamAccessDenied = 0x80030005
    ecStreamSeekError = 0x80030019
    ecStreamInvalidParam = 0x80030057
    ecNullObject = 0x000004B9
    ecRpcFormat = 0x000004B6
    ecMaxObjsExceeded = 0x000004B2
    ecBufferTooSmall = 0x0000047D
    ecNotEnoughMemory = 0x8007000E
    ecLoginFailure = 0x80040111
    ecLoginPerm = 0x000003F2
    ecServerPaused = 0x0000047F
    ecDstNullObject = 0x00000503
    ecMessageCycle = 0x00000504
    ecInvalidBookmark = 0x80040405
    ecDuplicateObject = 0x0000055A
    ecRejected = 0x000007EE
    ecNotImplemented = 0x80040FFF
    ecErrorsReturned = 0x00040380
    ecInvalidObject = 0x80040108
    ecUnknownCodePage = 0x8004011E
    ecUnknownLcid = 0x8004011F
    ecTableTooBig = 0x80040403
    SyncObjectDeleted = 0x80040800
    SyncIgnore = 0x80040801
    SyncConflict = 0x80040802
    SyncNoParent = 0x80040803
    SyncIncest = 0x80040804


class WireError(ValueError):
    """The bytes at `offset` are not what the format allows."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class MapiError(Exception):
    """An operation failed with `code`; `text` is for logs, never for the client."""

    def __init__(self, code: Ec, text: str = "") -> None:
        super().__init__(f"{code.name}: {text}" if text else code.name)
        self.code = code
        self.text = text
