"""Flags of messages, attachments and folders, and of the operations on them."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class MessageFlags(IntFlag):
    """PidTagMessageFlags, [MS-OXCMSG] 2.2.1.6."""

    mfRead = 0x00000001
    mfUnmodified = 0x00000002
    mfSubmitted = 0x00000004
    mfUnsent = 0x00000008
    mfHasAttach = 0x00000010
    mfFromMe = 0x00000020
    mfFAI = 0x00000040
    mfResend = 0x00000080
    mfNotifyRead = 0x00000100
    mfNotifyUnread = 0x00000200
    mfEverRead = 0x00000400
    mfInternet = 0x00002000
    mfUntrusted = 0x00008000


CLIENT_MESSAGE_FLAGS = MessageFlags.mfRead | MessageFlags.mfUnsent | MessageFlags.mfResend
"""Those that a client may set before a message is first saved; the others are the server's."""


MDN_SENT = "$MDNSent"
"""The keyword of a message whose receipt was sent, or is not to be (RFC 3503 3.1)."""


class MessageStatus(IntFlag):
    """PidTagMessageStatus, [MS-OXCMSG] 2.2.1.8."""

    msInConflict = 0x00000800
    msRemoteDownload = 0x00001000
    msRemoteDelete = 0x00002000


class ReadFlags(IntFlag):
    """Of RopSetReadFlags and RopSetMessageReadFlag, [MS-OXCMSG] 2.2.3.10.1. rfDefault is 0."""

    rfSuppressReceipt = 0x01
    rfClearReadFlag = 0x04
    rfGenerateReceiptOnly = 0x10
    rfClearNotifyRead = 0x20
    rfClearNotifyUnread = 0x40


class SaveFlags(IntFlag):
    """Of RopSaveChangesMessage and RopSaveChangesAttachment, [MS-OXCMSG] 2.2.3.3.1."""

    KeepOpenReadOnly = 0x01
    KeepOpenReadWrite = 0x02
    ForceSave = 0x04


class OpenModeFlags(IntFlag):
    """Of RopOpenMessage, [MS-OXCMSG] 2.2.3.1.1. BestAccess has the bit of ReadWrite."""

    ReadOnly = 0x00
    ReadWrite = 0x01
    BestAccess = 0x03
    OpenSoftDeleted = 0x04


class OpenEmbeddedFlags(IntEnum):
    """OpenModeFlags of RopOpenEmbeddedMessage, [MS-OXCMSG] 2.2.3.16.1."""

    ReadOnly = 0x00
    ReadWrite = 0x01
    Create = 0x02


class OpenStreamFlags(IntEnum):
    """OpenModeFlags of RopOpenStream, [MS-OXCPRPT] 2.2.14.1."""

    ReadOnly = 0x00
    ReadWrite = 0x01
    Create = 0x02
    BestAccess = 0x03


class AttachMethod(IntEnum):
    """PidTagAttachMethod, [MS-OXCMSG] 2.2.2.9."""

    afNone = 0x00000000
    afByValue = 0x00000001
    afByReference = 0x00000002
    afByReferenceOnly = 0x00000004
    afEmbeddedMessage = 0x00000005
    afStorage = 0x00000006
    afByWebReference = 0x00000007


class FolderType(IntEnum):
    """PidTagFolderType, [MS-OXCFOLD] 2.2.2.2.2.6."""

    FOLDER_ROOT = 0
    FOLDER_GENERIC = 1
    FOLDER_SEARCH = 2


class OpenFolderFlags(IntFlag):
    """OpenModeFlags of RopOpenFolder, [MS-OXCFOLD] 2.2.1.1.1."""

    OpenSoftDeleted = 0x04


class DeleteFolderFlags(IntFlag):
    """Of RopDeleteFolder, [MS-OXCFOLD] 2.2.1.3.1."""

    DEL_MESSAGES = 0x01
    DEL_FOLDERS = 0x04
    DELETE_HARD_DELETE = 0x10
