"""TNEF attributes: their ids, and the values that have a layout of their own. [MS-OXTNEF] 2.1.3.

Message properties that have an attribute are in it for the sake of old readers; the property lists (`properties`) have
them again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple
from zlib import adler32

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.flags import AttachMethod, MessageFlags

SIGNATURE: Final = 0x223E9F78
VERSION: Final = 0x00010000
MAX_DEPTH: Final = 16
"""Messages within messages; deeper ones stay octets when they are read."""


class Level(IntEnum):
    """What an attribute is about ([MS-OXTNEF] 2.1.3.1)."""

    attrLevelMessage = 1
    attrLevelAttachment = 2


class Att(IntEnum):
    """Attribute ids with their types in the upper half ([MS-OXTNEF] 2.1.3.1). Readers go by the lower half alone:
    writers differ in the types."""

    attOwner = 0x00060000
    attSentFor = 0x00060001
    attDelegate = 0x00060002
    attDateStart = 0x00030006
    attDateEnd = 0x00030007
    attAidOwner = 0x00050008
    attRequestRes = 0x00040009
    attOriginalMessageClass = 0x00070600
    attFrom = 0x00008000
    attSubject = 0x00018004
    attDateSent = 0x00038005
    attDateRecd = 0x00038006
    attMessageStatus = 0x00068007
    attMessageClass = 0x00078008
    attMessageID = 0x00018009
    attParentID = 0x0001800A
    attConversationID = 0x0001800B
    attBody = 0x0002800C
    attPriority = 0x0004800D
    attAttachData = 0x0006800F
    attAttachTitle = 0x00018010
    attAttachMetaFile = 0x00068011
    attAttachCreateDate = 0x00038012
    attAttachModifyDate = 0x00038013
    attDateModified = 0x00038020
    attAttachTransportFilename = 0x00069001
    attAttachRendData = 0x00069002
    attMsgProps = 0x00069003
    attRecipTable = 0x00069004
    attAttachment = 0x00069005
    attTnefVersion = 0x00089006
    attOemCodepage = 0x00069007


IID_IMessage: Final = bytes.fromhex("0703020000000000c000000000000046")
IID_IStorage: Final = bytes.fromhex("0b00000000000000c000000000000046")
IID_IStream: Final = bytes.fromhex("0c00000000000000c000000000000046")
"""What a PidTagAttachDataObject is ([MS-OXTNEF] 2.1.3.4): a message in TNEF, an OLE storage, octets."""

# Message classes

_PREFIX: Final = "microsoft mail v3.0 "
_CLASSES: Final = {
    "IPM.Microsoft Mail.Note": "IPM.Note",
    "IPM.Microsoft Mail.Read Receipt": "Report.IPM.Note.IPNRN",
    "IPM.Microsoft Mail.Non-Delivery": "Report.IPM.Note.NDR",
    "IPM.Microsoft Schedule.MtgRespP": "IPM.Schedule.Meeting.Resp.Pos",
    "IPM.Microsoft Schedule.MtgRespN": "IPM.Schedule.Meeting.Resp.Neg",
    "IPM.Microsoft Schedule.MtgRespA": "IPM.Schedule.Meeting.Resp.Tent",
    "IPM.Microsoft Schedule.MtgReq": "IPM.Schedule.Meeting.Request",
    "IPM.Microsoft Schedule.MtgCncl": "IPM.Schedule.Meeting.Canceled",
}
_FROM_OLD: Final = {old.lower(): new for old, new in _CLASSES.items()}
_TO_OLD: Final = {new.lower(): old for old, new in _CLASSES.items()}
RESPONSES: Final = "ipm.schedule.meeting.resp."
MEETINGS: Final = "ipm.schedule.meeting."
"""What message classes of meetings begin with, in lower case."""


def class_of_attribute(text: str) -> str:
    """PidTagMessageClass of attMessageClass ([MS-OXTNEF] 2.3.3.4); what is in no table is as it stands."""
    plain = text[len(_PREFIX) :] if text.lower().startswith(_PREFIX) else text
    return _FROM_OLD.get(plain.lower(), text)


def attribute_of_class(message_class: str) -> str:
    """The inverse ([MS-OXTNEF] 2.2.3.4)."""
    return _TO_OLD.get(message_class.lower(), message_class)


# Flags and priorities

_READ: Final = 0x20
_MODIFIED: Final = 0x01
_STATUS: Final = (
    (_READ, MessageFlags.mfRead),
    (0x02, MessageFlags.mfUnsent),
    (0x04, MessageFlags.mfSubmitted),
    (0x80, MessageFlags.mfHasAttach),
)


def flags_of_status(status: int) -> int:
    """PidTagMessageFlags of attMessageStatus ([MS-OXTNEF] 2.1.3.3.6)."""
    flags = 0 if status & _MODIFIED else int(MessageFlags.mfUnmodified)
    for bit, flag in _STATUS:
        if status & bit:
            flags |= flag
    return flags


def status_of_flags(flags: int) -> int:
    """The inverse; flags that have no bit are not in it."""
    status = 0 if flags & MessageFlags.mfUnmodified else _MODIFIED
    for bit, flag in _STATUS:
        if flags & flag:
            status |= bit
    return status


IMPORTANCES: Final = {1: 2, 2: 1, 3: 0}
"""attPriority (high is 1) to PidTagImportance (high is 2)."""
PRIORITIES: Final = {importance: priority for priority, importance in IMPORTANCES.items()}

# Dates

_DTR: Final = Struct("<7H")
_ORIGIN: Final = datetime(1601, 1, 1)


def read_date(cursor: Cursor) -> int:
    """A FILETIME of the DTR structure (year to second and the day of the week, 16 bits each), taken for UTC: no time
    zone is said ([MS-OXTNEF] 2.1.3.3.3)."""
    year, month, day, hour, minute, second, _ = cursor.struct(_DTR)
    try:
        passed = datetime(year, month, day, hour, minute, second) - _ORIGIN
    except ValueError:
        raise cursor.fail("no date") from None
    if passed < timedelta(0):
        raise cursor.fail("date before 1601")
    return (passed.days * 86400 + passed.seconds) * 10_000_000


def encode_date(time_nt: int) -> bytes:
    """The inverse; WireError for a time that has no year of four digits."""
    try:
        moment = _ORIGIN + timedelta(seconds=time_nt // 10_000_000)
    except OverflowError:
        raise WireError("time after the year 9999") from None
    weekday = (moment.weekday() + 1) % 7
    return _DTR.pack(moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, weekday)


# People


class Person(NamedTuple):
    """A display name and an address with its type, as octets of the stream's code page."""

    name: bytes
    kind: bytes
    address: bytes


_TRP: Final = Struct("<4H")
_ONE_OFF: Final = 4


def _person(name: bytes, address: bytes) -> Person:
    kind, colon, rest = address.partition(b"\0")[0].partition(b":")
    return Person(name.partition(b"\0")[0], kind if colon else b"SMTP", rest if colon else kind)


def read_triple(cursor: Cursor) -> Person:
    """attFrom: a TRP structure and what it counts ([MS-OXTNEF] 2.1.3.3.2)."""
    kind, _, cch, cb = cursor.struct(_TRP)
    if kind != _ONE_OFF:
        raise cursor.fail(f"triple of kind {kind}")
    return _person(cursor.take(cch), cursor.take(min(cb, cursor.left)))


def encode_triple(person: Person) -> bytes:
    """The inverse; WireError for texts that 16 bits cannot count."""
    name = person.name + b"\0"
    name += bytes(len(name) % 2)
    address = person.kind + b":" + person.address + b"\0"
    size = 2 * _TRP.size + len(name) + len(address)
    if size > 0xFFFF:
        raise WireError("name or address too long")
    return _TRP.pack(_ONE_OFF, size, len(name), len(address)) + name + address + bytes(_TRP.size)


def read_counted(cursor: Cursor) -> Person:
    """attOwner and attSentFor: two counted strings ([MS-OXTNEF] 2.1.3.3.16)."""
    name = cursor.take(cursor.u16())
    return _person(name, cursor.take(cursor.u16()))


def encode_counted(person: Person) -> bytes:
    """The inverse; WireError for texts that 16 bits cannot count."""
    name, address = person.name + b"\0", person.kind + b":" + person.address + b"\0"
    if max(len(name), len(address)) > 0xFFFF:
        raise WireError("name or address too long")
    return len(name).to_bytes(2, "little") + name + len(address).to_bytes(2, "little") + address


# Attachments


class RendData(NamedTuple):
    """attAttachRendData ([MS-OXTNEF] 2.1.3.3.15): what begins an attachment."""

    method: int
    position: int


_REND: Final = Struct("<HihhI")
_FILE, _OLE, _PICTURE = 1, 2, 3


def read_rend(cursor: Cursor) -> RendData:
    """PidTagAttachMethod and PidTagRenderingPosition of it."""
    kind, position = cursor.struct(_REND)[:2]
    return RendData(int(AttachMethod.afStorage if kind in (_OLE, _PICTURE) else AttachMethod.afByValue), position)


def encode_rend(rend: RendData) -> bytes:
    """The inverse. A width and height of 32 are what every writer says."""
    kind = _OLE if rend.method == AttachMethod.afStorage else _FILE
    return _REND.pack(kind, rend.position, 32, 32, 0)


_CHUNK: Final = 256


def checksum(data: bytes) -> int:
    """The sum of the octets modulo 65536 ([MS-OXTNEF] 2.1.3.2).

    256 octets at a time by Adler-32, whose lower half is one more than their sum, at most 65,281.
    """
    view = memoryview(data)
    total = 0
    for at in range(0, len(data), _CHUNK):
        total += (adler32(view[at : at + _CHUNK]) & 0xFFFF) - 1
    return total & 0xFFFF
