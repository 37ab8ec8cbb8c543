"""A small splitter of ROP buffers ([MS-OXCROPS] 2.2): what is in them goes through the codecs of `gromoxd.mapi`.

The product reads them with `gromoxd.rop`, of which this knows nothing: here a table says which fields each of them
has, so that examples of whole buffers can be taken apart and put together again. Ids are shown as the documents print
them: "0001-00000E915212".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import U16, U32, Cursor, utf16
from gromoxd.mapi.ids import eid_octets, eid_parse
from gromoxd.mapi.permissions import PermissionData
from gromoxd.mapi.recipients import RecipientRow
from gromoxd.mapi.restrictions import decode_restriction, encode_restriction
from gromoxd.mapi.rows import row_codec
from gromoxd.mapi.rules import RuleData
from gromoxd.mapi.sorting import SortOrderSet
from gromoxd.mapi.values import PropertyProblem, encode_tagged, encode_tags, read_tagged, read_tags

Fields = dict[str, Any]


class Field(NamedTuple):
    """A field: how it is read and written; both see the fields before it."""

    name: str
    read: Callable[[Cursor, Fields], Any]
    write: Callable[[Any, Fields], bytes]


def u8(name: str) -> Field:
    return Field(name, lambda cursor, _: cursor.u8(), lambda value, _: bytes((value,)))


def u16(name: str) -> Field:
    return Field(name, lambda cursor, _: cursor.u16(), lambda value, _: U16.pack(value))


def u32(name: str) -> Field:
    return Field(name, lambda cursor, _: cursor.u32(), lambda value, _: U32.pack(value))


def _id(octets: bytes) -> str:
    replid, counter = eid_parse(octets)
    return f"{replid:04X}-{counter:012X}"


def _id_octets(text: str) -> bytes:
    replid, counter = text.split("-")
    return eid_octets(int(replid, 16), int(counter, 16))


def eid(name: str) -> Field:
    """A FID or MID ([MS-OXCDATA] 2.2.1.1, 2.2.1.2)."""
    return Field(name, lambda cursor, _: _id(cursor.take(8)), lambda value, _: _id_octets(value))


def eids(name: str) -> Field:
    """Ids counted with 16 bits."""
    return Field(
        name,
        lambda cursor, _: [_id(cursor.take(8)) for _ in range(cursor.count(cursor.u16(), 8))],
        lambda value, _: U16.pack(len(value)) + b"".join(map(_id_octets, value)),
    )


def text(name: str, unicode: str) -> Field:
    """A string; the field `unicode` says of which kind."""
    return Field(
        name,
        lambda cursor, fields: cursor.string() if fields[unicode] else cursor.string8(),
        lambda value, fields: utf16(value) if fields[unicode] else value + b"\0",
    )


def numbers(name: str) -> Field:
    """16-bit numbers, counted with 16 bits."""
    return Field(
        name,
        lambda cursor, _: [cursor.u16() for _ in range(cursor.count(cursor.u16(), 2))],
        lambda value, _: U16.pack(len(value)) + b"".join(map(U16.pack, value)),
    )


def _octets(cursor: Cursor, _: Fields) -> bytes:
    return cursor.take(cursor.u16())


TAGS = Field("PropertyTags", lambda cursor, _: read_tags(cursor), lambda value, _: encode_tags(value))


def _read_values(cursor: Cursor, _: Fields) -> dict[int, Any]:
    inside = cursor.region(cursor.u16())
    bag = read_tagged(inside, inside.u16())
    inside.finish()
    return bag


def _write_values(bag: dict[int, Any], _: Fields) -> bytes:
    octets = U16.pack(len(bag)) + encode_tagged(bag)
    return U16.pack(len(octets)) + octets


VALUES = Field("PropertyValues", _read_values, _write_values)
"""PropertyValueSize, PropertyValueCount and PropertyValues of RopSetProperties."""


def _read_restriction(cursor: Cursor, fields: Fields) -> Any:
    octets = _octets(cursor, fields)
    return decode_restriction(octets) if octets else None


def _write_restriction(value: Any, _: Fields) -> bytes:
    octets = encode_restriction(value) if value is not None else b""
    return U16.pack(len(octets)) + octets


RESTRICTION = Field("RestrictionData", _read_restriction, _write_restriction)
BOOKMARK = Field("Bookmark", _octets, lambda value, _: U16.pack(len(value)) + value)
SORT_ORDERS = Field("SortOrders", lambda cursor, _: SortOrderSet.read(cursor), lambda value, _: value.encode())
PROBLEMS = Field(
    "PropertyProblems",
    lambda cursor, _: [PropertyProblem.read(cursor) for _ in range(cursor.count(cursor.u16(), 10))],
    lambda value, _: U16.pack(len(value)) + b"".join(problem.encode() for problem in value),
)
RULES = Field(
    "RulesData",
    lambda cursor, _: [RuleData.read(cursor) for _ in range(cursor.count(cursor.u16(), 3))],
    lambda value, _: U16.pack(len(value)) + b"".join(rule.encode() for rule in value),
)
PERMISSIONS = Field(
    "PermissionsData",
    lambda cursor, _: [PermissionData.read(cursor) for _ in range(cursor.count(cursor.u16(), 3))],
    lambda value, _: U16.pack(len(value)) + b"".join(change.encode() for change in value),
)


def _read_rows(cursor: Cursor, fields: Fields) -> list[Any]:
    codec = row_codec(tuple(fields["columns"]))
    return [codec.read(cursor) for _ in range(cursor.count(cursor.u16(), 1))]


def _write_rows(rows: list[Any], fields: Fields) -> bytes:
    codec = row_codec(tuple(fields["columns"]))
    return U16.pack(len(rows)) + b"".join(map(codec.encode, rows))


ROWS = Field("RowData", _read_rows, _write_rows)
"""RowCount and RowData; the columns are those of the RopSetColumns before, which the caller tells."""


class Recipient(NamedTuple):
    """ModifyRecipientRow, [MS-OXCROPS] 2.2.6.5.1.1."""

    row_id: int
    recipient_type: int
    row: RecipientRow | None


def _read_recipients(cursor: Cursor, fields: Fields) -> list[Recipient]:
    found = []
    for _ in range(cursor.count(cursor.u16(), 7)):
        row_id, kind, octets = cursor.u32(), cursor.u8(), _octets(cursor, fields)
        found.append(Recipient(row_id, kind, RecipientRow.decode(octets, fields["PropertyTags"]) if octets else None))
    return found


def _write_recipients(recipients: list[Recipient], fields: Fields) -> bytes:
    parts = [U16.pack(len(recipients))]
    for row_id, kind, row in recipients:
        octets = row.encode(fields["PropertyTags"]) if row is not None else b""
        parts += (U32.pack(row_id), bytes((kind,)), U16.pack(len(octets)), octets)
    return b"".join(parts)


RECIPIENTS = Field("RecipientRows", _read_recipients, _write_recipients)

INPUT, OUTPUT = u8("InputHandleIndex"), u8("OutputHandleIndex")
SOURCE, DEST = u8("SourceHandleIndex"), u8("DestHandleIndex")
_FOLDER_NAME = (u8("UseUnicode"), eid("FolderId"), text("NewFolderName", "UseUnicode"))
_STATUS = u8("TableStatus")
_PARTIAL = u8("PartialCompletion")

REQUESTS: dict[int, tuple[str, tuple[Field, ...]]] = {
    0x02: ("RopOpenFolder", (INPUT, OUTPUT, eid("FolderId"), u8("OpenModeFlags"))),
    0x05: ("RopGetContentsTable", (INPUT, OUTPUT, u8("TableFlags"))),
    0x07: ("RopGetPropertiesSpecific", (INPUT, u16("PropertySizeLimit"), u16("WantUnicode"), TAGS)),
    0x0A: ("RopSetProperties", (INPUT, VALUES)),
    0x0D: ("RopRemoveAllRecipients", (INPUT, u32("Reserved"))),
    0x0E: ("RopModifyRecipients", (INPUT, TAGS, RECIPIENTS)),
    0x12: ("RopSetColumns", (INPUT, u8("SetColumnsFlags"), TAGS)),
    0x13: ("RopSortTable", (INPUT, u8("SortTableFlags"), SORT_ORDERS)),
    0x15: ("RopQueryRows", (INPUT, u8("QueryRowsFlags"), u8("ForwardRead"), u16("RowCount"))),
    0x1C: (
        "RopCreateFolder",
        (
            INPUT, OUTPUT, u8("FolderType"), u8("UseUnicodeStrings"), u8("OpenExisting"), u8("Reserved"),
            text("DisplayName", "UseUnicodeStrings"), text("Comment", "UseUnicodeStrings"),
        ),
    ),
    0x1D: ("RopDeleteFolder", (INPUT, u8("DeleteFolderFlags"), eid("FolderId"))),
    0x1E: ("RopDeleteMessages", (INPUT, u8("WantAsynchronous"), u8("NotifyNonRead"), eids("MessageIds"))),
    0x29: (
        "RopRegisterNotification",
        (INPUT, OUTPUT, u16("NotificationTypes"), u8("WantWholeStore"), eid("FolderId"), eid("MessageId")),
    ),
    0x2B: ("RopOpenStream", (INPUT, OUTPUT, u32("PropertyTag"), u8("OpenModeFlags"))),
    0x30: ("RopSetSearchCriteria", (INPUT, RESTRICTION, eids("FolderIds"), u32("SearchFlags"))),
    0x31: ("RopGetSearchCriteria", (INPUT, u8("UseUnicode"), u8("IncludeRestriction"), u8("IncludeFolders"))),
    0x32: ("RopSubmitMessage", (INPUT, u8("SubmitFlags"))),
    0x33: ("RopMoveCopyMessages", (SOURCE, DEST, eids("MessageIds"), u8("WantAsynchronous"), u8("WantCopy"))),
    0x34: ("RopAbortSubmit", (INPUT, eid("FolderId"), eid("MessageId"))),
    0x35: ("RopMoveFolder", (SOURCE, DEST, u8("WantAsynchronous"), *_FOLDER_NAME)),
    0x36: ("RopCopyFolder", (SOURCE, DEST, u8("WantAsynchronous"), u8("WantRecursive"), *_FOLDER_NAME)),
    0x3E: ("RopGetPermissionsTable", (INPUT, OUTPUT, u8("TableFlags"))),
    0x3F: ("RopGetRulesTable", (INPUT, OUTPUT, u8("TableFlags"))),
    0x40: ("RopModifyPermissions", (INPUT, u8("ModifyFlags"), PERMISSIONS)),
    0x41: ("RopModifyRules", (INPUT, u8("ModifyRulesFlags"), RULES)),
    0x4F: ("RopFindRow", (INPUT, u8("FindRowFlags"), RESTRICTION, u8("Origin"), BOOKMARK)),
}  # fmt: skip

RESPONSES: dict[int, tuple[str, tuple[Field, ...]]] = {
    0x04: ("RopGetHierarchyTable", (OUTPUT, u32("ReturnValue"), u32("RowCount"))),
    0x0A: ("RopSetProperties", (INPUT, u32("ReturnValue"), PROBLEMS)),
    0x12: ("RopSetColumns", (INPUT, u32("ReturnValue"), _STATUS)),
    0x13: ("RopSortTable", (INPUT, u32("ReturnValue"), _STATUS)),
    0x15: ("RopQueryRows", (INPUT, u32("ReturnValue"), u8("Origin"), ROWS)),
    0x1C: ("RopCreateFolder", (OUTPUT, u32("ReturnValue"), eid("FolderId"), u8("IsExistingFolder"))),
    0x1D: ("RopDeleteFolder", (INPUT, u32("ReturnValue"), _PARTIAL)),
    0x1E: ("RopDeleteMessages", (INPUT, u32("ReturnValue"), _PARTIAL)),
    0x2B: ("RopOpenStream", (OUTPUT, u32("ReturnValue"), u32("StreamSize"))),
    0x30: ("RopSetSearchCriteria", (INPUT, u32("ReturnValue"))),
    0x32: ("RopSubmitMessage", (INPUT, u32("ReturnValue"))),
    0x34: ("RopAbortSubmit", (INPUT, u32("ReturnValue"))),
    0x35: ("RopMoveFolder", (SOURCE, u32("ReturnValue"), _PARTIAL)),
    0x36: ("RopCopyFolder", (SOURCE, u32("ReturnValue"), _PARTIAL)),
    0x3F: ("RopGetRulesTable", (OUTPUT, u32("ReturnValue"))),
    0x47: ("RopSetSpooler", (INPUT, u32("ReturnValue"))),
    0x48: ("RopSpoolerLockMessage", (INPUT, u32("ReturnValue"))),
    0x56: ("RopGetPropertyIdsFromNames", (INPUT, u32("ReturnValue"), numbers("PropertyIds"))),
}


class Rop(NamedTuple):
    """One request or response. Requests have a LogonId before their fields; a response that is an error ends there."""

    name: str
    fields: Fields


_LOGON = u8("LogonId")
_IDS = {name: number for table in (REQUESTS, RESPONSES) for number, (name, _) in table.items()}


def read_rop(cursor: Cursor, request: bool, columns: tuple[int, ...] = ()) -> Rop:
    """The ROP at the cursor; `columns` are those of the table for RopQueryRows."""
    number = cursor.u8()
    if number not in (table := REQUESTS if request else RESPONSES):
        raise cursor.fail(f"ROP {number:#x}")
    name, layout = table[number]
    fields: Fields = {"columns": columns}
    for field in (_LOGON, *layout) if request else layout:
        fields[field.name] = field.read(cursor, fields)
        if field.name == "ReturnValue" and fields["ReturnValue"]:
            break
    del fields["columns"]
    return Rop(name, fields)


def write_rop(rop: Rop, request: bool, columns: tuple[int, ...] = ()) -> bytes:
    """The inverse."""
    number = _IDS[rop.name]
    fields = rop.fields | {"columns": columns}
    layout = (_LOGON, *REQUESTS[number][1]) if request else RESPONSES[number][1]
    there = [field for field in layout if field.name in fields]
    return bytes((number,)) + b"".join(field.write(fields[field.name], fields) for field in there)


def read_buffer(data: bytes) -> tuple[list[Rop], list[int]]:
    """ROP input buffer, [MS-OXCROPS] 2.2.1: its ROPs, and the table of handles behind them."""
    cursor = Cursor(data)
    size = cursor.u16()
    if size < 2:
        raise WireError(f"RopSize {size}")
    inside = cursor.region(size - 2)
    rops = []
    while inside.left:
        rops.append(read_rop(inside, True))
    handles = [cursor.u32() for _ in range(cursor.left // 4)]
    cursor.finish()
    return rops, handles


def write_buffer(rops: list[Rop], handles: list[int]) -> bytes:
    """The inverse."""
    octets = b"".join(write_rop(rop, True) for rop in rops)
    return U16.pack(len(octets) + 2) + octets + b"".join(map(U32.pack, handles))
