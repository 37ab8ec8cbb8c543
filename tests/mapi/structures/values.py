"""Samples of property values, rows and names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.named import PropertyName, decode_name
from gromoxd.mapi.proptags import (
    PidTagDepth,
    PidTagFolderId,
    PidTagInstanceNum,
    PidTagInstID,
    PidTagMessageDeliveryTime,
    PidTagMessageFlags,
    PidTagMid,
    PidTagRowType,
    PidTagRuleId,
    PidTagRuleName,
    PidTagRuleProviderData,
    PidTagSubject,
)
from gromoxd.mapi.rows import FlaggedPropertyValue, FlaggedPropertyValueWithType, decode_row
from gromoxd.mapi.types import MULTIPLE
from gromoxd.mapi.types import PropType as P
from gromoxd.mapi.values import (
    PropertyProblem,
    TaggedPropertyValue,
    TypedPropertyValue,
    TypedString,
    decode_tags,
    read_tagged,
    read_value,
    whole,
)

COLUMNS = (
    PidTagFolderId, PidTagMid, PidTagInstID, PidTagInstanceNum, PidTagRowType, PidTagDepth,
    PidTagSubject, PidTagMessageDeliveryTime, PidTagMessageFlags,
)  # fmt: skip
ROW_NOT_FOUND = bytes.fromhex(
    "01 00 0100000000f11f32 0a 0f010480 00 0100000000f188bd 00 00000000 00 03000000 00 00000000"
    "0a 0f010480 0a 0f010480 0a 0f010480"
)
"""[MS-OXCTABL] 4.5.3.2: the first row of the answer, a collapsed category, as far as the document prints it."""

RULE_COLUMNS = (PidTagRuleId, PidTagRuleProviderData, PidTagRuleName)
ROW_RULE = bytes.fromhex(
    "0001000000013ff8561000010000000100000055555555d144e340500072006f006a00650063007400200058000000"
)
"""[MS-OXORULE] 4.2.2: the row of one rule."""

TAGGED_TWO = bytes.fromhex("1f003d0000001f001d0e480065006c006c006f00200057006f0072006c0064000000")
"""[MS-OXCPRPT] 4.2.1: PidTagSubjectPrefix "" and PidTagNormalizedSubject "Hello World"."""

TAGS_THREE = bytes.fromhex("03000b003e8603003f860201e265")
"""[MS-OXCPRPT] 4.3.1: two named properties and PidTagChangeKey, with their count."""

GUID = bytes.fromhex("0820060000000000c000000000000046")
NAME_LID = b"\0" + GUID + bytes.fromhex("10850000")
NAME_STRING = b"\1" + GUID + b"\x06" + "Go".encode("utf-16-le") + b"\0\0"

NARROW: dict[int, list[str]] = {
    P.PtypNull: [""],
    P.PtypInteger16: ["feff"],
    P.PtypInteger32: ["04030201", "ffffffff"],
    P.PtypFloating32: ["0000c03f"],
    P.PtypFloating64: ["000000000000f83f"],
    P.PtypCurrency: ["10270000 00000000"],
    P.PtypFloatingTime: ["0000000000001540"],
    P.PtypErrorCode: ["0f010480"],
    P.PtypBoolean: ["01", "00"],
    P.PtypInteger64: ["0100000000f11f32"],
    P.PtypString8: ["48 69 00", "00"],
    P.PtypString: ["4800 6900 0000", "3dd800de 0000", "0000"],
    P.PtypTime: ["0080 3ed5 deb1 9d01"],
    P.PtypGuid: [GUID.hex()],
    P.PtypServerId: ["1500 01 0100000000f11f32 0100000000f188bd 00000000", "0300 00 abcd"],
    P.PtypBinary: ["0300 0a0b0c", "0000"],
    P.PtypObject: ["0100 7f"],
    P.PtypInteger16 | MULTIPLE: ["02000000 0100 feff", "00000000"],
    P.PtypInteger32 | MULTIPLE: ["02000000 01000000 feffffff"],
    P.PtypFloating32 | MULTIPLE: ["01000000 0000c03f"],
    P.PtypFloating64 | MULTIPLE: ["01000000 000000000000f83f"],
    P.PtypCurrency | MULTIPLE: ["01000000 1027000000000000"],
    P.PtypFloatingTime | MULTIPLE: ["01000000 0000000000001540"],
    P.PtypErrorCode | MULTIPLE: ["01000000 0f010480"],
    P.PtypBoolean | MULTIPLE: ["03000000 010001"],
    P.PtypInteger64 | MULTIPLE: ["01000000 0100000000f11f32"],
    P.PtypString8 | MULTIPLE: ["02000000 486900 00"],
    P.PtypString | MULTIPLE: ["02000000 480069000000 0000"],
    P.PtypTime | MULTIPLE: ["01000000 00803ed5deb19d01"],
    P.PtypGuid | MULTIPLE: ["02000000" + GUID.hex() * 2],
    P.PtypServerId | MULTIPLE: ["01000000 0300 00abcd"],
    P.PtypBinary | MULTIPLE: ["03000000 0200 0102 0000 0100 ff"],
}
"""Octets of a value for each type, as ROP buffers have them."""

WIDE: dict[int, list[str]] = {
    P.PtypBinary: ["03000000 0a0b0c"],
    P.PtypObject: ["00000000"],
    P.PtypServerId: ["0300 00 abcd"],
    P.PtypBinary | MULTIPLE: ["02000000 02000000 0102 00000000"],
    P.PtypString | MULTIPLE: ["01000000 480069000000"],
}
"""The same where octets are counted with 32 bits."""


def value(data: bytes, kind: int, wide: bool) -> object:
    return whole(lambda cursor: read_value(cursor, kind, wide), data)


def _values(samples: dict[int, list[str]], wide: bool) -> dict[str, tuple[Callable[[bytes], object], list[bytes]]]:
    return {
        f"{'wide' if wide else 'value'}-{kind:04X}": (
            partial(value, kind=kind, wide=wide),
            [bytes.fromhex(text) for text in texts],
        )
        for kind, texts in samples.items()
    }


def _tagged(data: bytes) -> object:
    return whole(lambda cursor: read_tagged(cursor, 2), data)


def _info(data: bytes) -> object:
    return whole(PropertyName.read_info, data)


def _any_row(data: bytes) -> object:
    """A row whose columns are octets too."""
    cursor = Cursor(data)
    columns = [cursor.u32() for _ in range(cursor.count(cursor.u8(), 4))]
    return decode_row(cursor.rest(), columns)


DECODERS: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
    **_values(NARROW, wide=False),
    **_values(WIDE, wide=True),
    "TypedPropertyValue": (
        TypedPropertyValue.decode,
        [bytes.fromhex("1f00 4800 0000"), bytes.fromhex("0300 07000000")],
    ),
    "TaggedPropertyValue": (TaggedPropertyValue.decode, [TAGGED_TWO[:6], TAGGED_TWO[6:]]),
    "TaggedPropertyValues": (_tagged, [TAGGED_TWO]),
    "PropertyProblem": (PropertyProblem.decode, [bytes.fromhex("0200 1f003700 02010480")]),
    "FlaggedPropertyValue": (
        partial(FlaggedPropertyValue.decode, kind=P.PtypString),
        [bytes.fromhex("00 4800 0000"), bytes.fromhex("01"), bytes.fromhex("0a 0f010480")],
    ),
    "FlaggedPropertyValueWithType": (
        FlaggedPropertyValueWithType.decode,
        [bytes.fromhex("0201 00 0200 0a0b"), bytes.fromhex("0300 01"), bytes.fromhex("0a00 0a 0f010480")],
    ),
    "PropertyRow": (partial(decode_row, columns=COLUMNS), [ROW_NOT_FOUND]),
    "PropertyRow-rule": (partial(decode_row, columns=RULE_COLUMNS), [ROW_RULE]),
    "PropertyRow-any": (
        _any_row,
        [b"\2" + bytes.fromhex("0000f03f 02013f0c") + b"\0" + bytes.fromhex("0300 07000000 0100 ff")],
    ),
    "PropertyTagArray": (decode_tags, [TAGS_THREE, b"\0\0"]),
    "TypedString": (
        TypedString.decode,
        [b"\0", b"\1", b"\2Hi\0", b"\3H\xe9\0", b"\4" + "Hi\u263a".encode("utf-16-le") + b"\0\0"],
    ),
    "PropertyName": (decode_name, [NAME_LID, NAME_STRING, b"\xff" + bytes(16)]),
    "namedPropInfo": (_info, [GUID + bytes.fromhex("00 10850000"), GUID + b"\1" + NAME_STRING[18:]]),
}
