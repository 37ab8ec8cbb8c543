"""What reading and writing .msg files share: names of streams and storages, types, limits. [MS-OXMSG] 2."""

from __future__ import annotations

from struct import Struct
from typing import Final
from zlib import crc32

from gromoxd.mapi.named import PS_INTERNET_HEADERS, PS_MAPI, PS_PUBLIC_STRINGS, PropertyName
from gromoxd.mapi.proptags import PidTagAttachDataObject, PidTagStoreSupportMask
from gromoxd.mapi.types import MULTIPLE, PropType
from gromoxd.mapi.values import LAYOUTS

CLSID: Final = bytes.fromhex("0b0d020000000000c000000000000046")
"""Of the root storage ([MS-OXMSG] 2.2): what makes a compound file a message."""

PROPERTIES: Final = "__properties_version1.0"
NAMES: Final = "__nameid_version1.0"
RECIPIENT: Final = "__recip_version1.0_#"
ATTACHMENT: Final = "__attach_version1.0_#"
SUBSTG: Final = "__substg1.0_"
"""Before the eight digits of a tag."""

TOP_HEADER, EMBEDDED_HEADER, OTHER_HEADER = 32, 24, 8
"""Octets before the entries of property streams ([MS-OXMSG] 2.4.1)."""
COUNTS: Final = Struct("<8xIIII")
"""Next recipient id, next attachment id, and how many there are of both."""
ENTRY: Final = Struct("<II8s")
"""Tag, flags, and the value or its size ([MS-OXMSG] 2.4.2)."""
SIZE: Final = Struct("<II")
READABLE_WRITABLE: Final = 6
STORE_UNICODE_OK: Final = 0x00040000
SUPPORT_MASK: Final = PidTagStoreSupportMask
OBJECT_SIZE: Final = 0xFFFFFFFF
OBJECT_MESSAGE, OBJECT_STORAGE = 1, 4
"""In the reserved field of a PidTagAttachDataObject ([MS-OXMSG] 2.4.2.2)."""

MAX_DEPTH: Final = 16
MAX_ATTACHMENTS: Final = 4096
MAX_RECIPIENTS: Final = 32768
MAX_VALUES: Final = 1 << 19

STRING, STRING8, BINARY, GUID, OBJECT, BOOLEAN = (
    int(kind)
    for kind in (
        PropType.PtypString, PropType.PtypString8, PropType.PtypBinary, PropType.PtypGuid, PropType.PtypObject,
        PropType.PtypBoolean,
    )
)  # fmt: skip
FIXED: Final[dict[int, Struct]] = {
    int(kind): Struct("<" + code) for kind, code in LAYOUTS.items() if kind != PropType.PtypGuid
} | {BOOLEAN: Struct("<H")}
"""Types whose values are in the property stream ([MS-OXMSG] 2.1.2)."""
SEQUENCES: Final[dict[int, Struct]] = {kind | MULTIPLE: layout for kind, layout in FIXED.items() if kind != BOOLEAN} | {
    GUID | MULTIPLE: Struct("16s")
}
"""Multi-value types whose values are in one stream ([MS-OXMSG] 2.1.4.1)."""


def stream_name(tag: int) -> str:
    """Of the stream with the value of a property ([MS-OXMSG] 2.1.3)."""
    return f"{SUBSTG}{tag:08X}"


def value_name(tag: int, index: int) -> str:
    """Of the stream with one of several values ([MS-OXMSG] 2.1.4.2)."""
    return f"{SUBSTG}{tag:08X}-{index:08X}"


DATA_OBJECT: Final = stream_name(PidTagAttachDataObject)

# Names

GUID_STREAM, ENTRY_STREAM, STRING_STREAM = (stream_name(tag) for tag in (0x00020102, 0x00030102, 0x00040102))
NAME: Final = Struct("<IHH")
"""An identifier or the offset of a string, GUID index with the kind, property index ([MS-OXMSG] 2.2.3.1.2)."""
KNOWN_SETS: Final = {1: PS_MAPI, 2: PS_PUBLIC_STRINGS}
FIRST_SET: Final = 3
_BUCKETS: Final = 0x1F
_ALL_ONES: Final = 0xFFFFFFFF


def checksum(name: PropertyName) -> int:
    """CRC-32 of a string name, in the form that begins with 0 and is not inverted ([MS-OXMSG] 2.2.3.2.1)."""
    text = str(name.key)
    if name.guid == PS_INTERNET_HEADERS:
        text = text.lower()
    return crc32(text.encode("utf-16-le", "surrogatepass"), _ALL_ONES) ^ _ALL_ONES


def bucket(identifier: int, index_and_kind: int) -> int:
    """The tag of the stream in which a name is looked up by its number or checksum ([MS-OXMSG] 2.2.3.2.2)."""
    return (0x1000 + (identifier ^ index_and_kind) % _BUCKETS) << 16 | BINARY
