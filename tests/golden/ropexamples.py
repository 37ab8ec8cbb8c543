"""ROP buffers that documents print, and what they say each field is."""

from __future__ import annotations

from typing import NamedTuple

from gromoxd.mapi import proptags as p
from gromoxd.mapi.sorting import Order, SortOrder, SortOrderSet
from tests.golden.rops import Rop


class Example(NamedTuple):
    """`source` is document and section; `columns` are those of the table whose rows a response has."""

    source: str
    request: bool
    octets: str
    rop: Rop
    columns: tuple[int, ...] = ()


RULE_COLUMNS = (p.PidTagRuleId, p.PidTagRuleProviderData, p.PidTagRuleName)
_FOLDER1 = "46006f006c00640065007200310000 00"


def _request(source: str, octets: str, name: str, **fields: object) -> Example:
    return Example(source, True, octets, Rop(name, {"LogonId": 0} | fields))


def _response(source: str, octets: str, name: str, *, columns: tuple[int, ...] = (), **fields: object) -> Example:
    return Example(source, False, octets, Rop(name, fields), columns)


EXAMPLES: dict[str, Example] = {
    "oxcfold-4.1.1": _request(
        "MS-OXCFOLD 4.1.1", f"1c 00 00 01 01 01 00 00 {_FOLDER1} 0000", "RopCreateFolder",
        InputHandleIndex=0, OutputHandleIndex=1, FolderType=1, UseUnicodeStrings=1, OpenExisting=0, Reserved=0,
        DisplayName="Folder1", Comment="",
    ),
    "oxcfold-4.1.2": _response(
        "MS-OXCFOLD 4.1.2", "1c 01 00000000 0100 00000e915212 00", "RopCreateFolder",
        OutputHandleIndex=1, ReturnValue=0, FolderId="0001-00000E915212", IsExistingFolder=0,
    ),
    "oxcfold-4.2.1": _request(
        "MS-OXCFOLD 4.2.1", "1d 00 01 05 0100 00000e8edf36", "RopDeleteFolder",
        InputHandleIndex=1, DeleteFolderFlags=0x05, FolderId="0001-00000E8EDF36",
    ),
    "oxcfold-4.2.2": _response(
        "MS-OXCFOLD 4.2.2", "1d 01 00000000 00", "RopDeleteFolder",
        InputHandleIndex=1, ReturnValue=0, PartialCompletion=0,
    ),
    "oxcfold-4.3.1": _request(
        "MS-OXCFOLD 4.3.1", "1e 00 00 00 01 0200 0100 00000e8ef148 0100 00000e8ec302", "RopDeleteMessages",
        InputHandleIndex=0, WantAsynchronous=0, NotifyNonRead=1,
        MessageIds=["0001-00000E8EF148", "0001-00000E8EC302"],
    ),
    "oxcfold-4.3.2": _response(
        "MS-OXCFOLD 4.3.2", "1e 00 00000000 00", "RopDeleteMessages",
        InputHandleIndex=0, ReturnValue=0, PartialCompletion=0,
    ),
    "oxcfold-4.4.1": _request(
        "MS-OXCFOLD 4.4.1", "33 00 00 01 0100 0100 00000e8eec5d 00 00", "RopMoveCopyMessages",
        SourceHandleIndex=0, DestHandleIndex=1, MessageIds=["0001-00000E8EEC5D"], WantAsynchronous=0, WantCopy=0,
    ),
    "oxcfold-4.5.1": _request(
        "MS-OXCFOLD 4.5.1", f"35 00 01 02 01 01 0100 00000e8edf36 {_FOLDER1}", "RopMoveFolder",
        SourceHandleIndex=1, DestHandleIndex=2, WantAsynchronous=1, UseUnicode=1, FolderId="0001-00000E8EDF36",
        NewFolderName="Folder1",
    ),
    "oxcfold-4.5.2": _response(
        "MS-OXCFOLD 4.5.2", "35 01 00000000 00", "RopMoveFolder",
        SourceHandleIndex=1, ReturnValue=0, PartialCompletion=0,
    ),
    "oxcfold-4.6.1": _request(
        "MS-OXCFOLD 4.6.1", f"36 00 00 01 01 01 01 0100 00000e8edf36 {_FOLDER1}", "RopCopyFolder",
        SourceHandleIndex=0, DestHandleIndex=1, WantAsynchronous=1, WantRecursive=1, UseUnicode=1,
        FolderId="0001-00000E8EDF36", NewFolderName="Folder1",
    ),
    "oxcfold-4.6.2": _response(
        "MS-OXCFOLD 4.6.2", "36 00 00000000 00", "RopCopyFolder",
        SourceHandleIndex=0, ReturnValue=0, PartialCompletion=0,
    ),
    "oxcfold-4.7.2": _response(
        "MS-OXCFOLD 4.7.2", "04 02 00000000 15000000", "RopGetHierarchyTable",
        OutputHandleIndex=2, ReturnValue=0, RowCount=0x15,
    ),
    "oxcfold-4.8.2": _response(
        "MS-OXCFOLD 4.8.2", "30 01 00000000", "RopSetSearchCriteria", InputHandleIndex=1, ReturnValue=0,
    ),
    "oxcfold-4.9.1": _request(
        "MS-OXCFOLD 4.9.1", "31 00 00 01 01 00", "RopGetSearchCriteria",
        InputHandleIndex=0, UseUnicode=1, IncludeRestriction=1, IncludeFolders=0,
    ),
    "oxctabl-4.1.1": _request(
        "MS-OXCTABL 4.1.1", "05 00 00 01 00", "RopGetContentsTable",
        InputHandleIndex=0, OutputHandleIndex=1, TableFlags=0,
    ),
    "oxctabl-4.2.1": _request(
        "MS-OXCTABL 4.2.1", "12 00 01 00 0600 14004867 14004a67 14004d67 03004e67 1f003700 4000060e", "RopSetColumns",
        InputHandleIndex=1, SetColumnsFlags=0,
        PropertyTags=[
            p.PidTagFolderId, p.PidTagMid, p.PidTagInstID, p.PidTagInstanceNum, p.PidTagSubject,
            p.PidTagMessageDeliveryTime,
        ],
    ),
    "oxctabl-4.3.2": _response(
        "MS-OXCTABL 4.3.2", "13 01 00000000 00", "RopSortTable", InputHandleIndex=1, ReturnValue=0, TableStatus=0,
    ),
    "oxctabl-4.5-sort": _request(
        "MS-OXCTABL 4.5, the request that sorts by categories",
        "13 00 00 00 0200 0100 0100 1f300880 00 4000060e 01", "RopSortTable",
        InputHandleIndex=0, SortTableFlags=0,
        SortOrders=SortOrderSet(
            (SortOrder(0x8008301F, Order.ASCENDING), SortOrder(p.PidTagMessageDeliveryTime, Order.DESCENDING)), 1, 1
        ),
    ),
    "oxctabl-4.5.3.1": _request(
        "MS-OXCTABL 4.5.3.1", "15 00 00 00 01 3200", "RopQueryRows",
        InputHandleIndex=0, QueryRowsFlags=0, ForwardRead=1, RowCount=0x32,
    ),
    "oxorule-4.2.1a": _request(
        "MS-OXORULE 4.2.1", "3f 00 00 01 40", "RopGetRulesTable",
        InputHandleIndex=0, OutputHandleIndex=1, TableFlags=0x40,
    ),
    "oxorule-4.2.1b": _request(
        "MS-OXORULE 4.2.1", "12 00 01 00 0300 14007466 02018466 1f008266", "RopSetColumns",
        InputHandleIndex=1, SetColumnsFlags=0, PropertyTags=list(RULE_COLUMNS),
    ),
    "oxorule-4.2.1c": _request(
        "MS-OXORULE 4.2.1", "15 00 01 00 01 3200", "RopQueryRows",
        InputHandleIndex=1, QueryRowsFlags=0, ForwardRead=1, RowCount=50,
    ),
    "oxorule-4.2.2a": _response(
        "MS-OXORULE 4.2.2", "3f 01 00000000", "RopGetRulesTable", OutputHandleIndex=1, ReturnValue=0,
    ),
    "oxorule-4.2.2b": _response(
        "MS-OXORULE 4.2.2", "12 01 00000000 00", "RopSetColumns", InputHandleIndex=1, ReturnValue=0, TableStatus=0,
    ),
    "oxorule-4.2.2c": _response(
        "MS-OXORULE 4.2.2",
        "15 01 00000000 02 0100 00 01000000013ff856 1000 01000000 01000000 55555555 d144e340"
        "500072006f006a00650063007400200058000000",
        "RopQueryRows",
        columns=RULE_COLUMNS, InputHandleIndex=1, ReturnValue=0, Origin=2,
        RowData=[[0x56F83F0100000001, bytes.fromhex("01000000 01000000 55555555 d144e340"), "Project X"]],
    ),
    "oxcprpt-4.1.2": _response(
        "MS-OXCPRPT 4.1.2", "56 00 00000000 0200 3e86 3f86", "RopGetPropertyIdsFromNames",
        InputHandleIndex=0, ReturnValue=0, PropertyIds=[0x863E, 0x863F],
    ),
    "oxcprpt-4.2.1": _request(
        "MS-OXCPRPT 4.2.1",
        "0a 00 00 2400 0200 1f003d00 0000 1f001d0e 480065006c006c006f00200057006f0072006c0064000000",
        "RopSetProperties",
        InputHandleIndex=0, PropertyValues={p.PidTagSubjectPrefix: "", p.PidTagNormalizedSubject: "Hello World"},
    ),
    "oxcprpt-4.2.2": _response(
        "MS-OXCPRPT 4.2.2", "0a 00 00000000 0000", "RopSetProperties",
        InputHandleIndex=0, ReturnValue=0, PropertyProblems=[],
    ),
    "oxcprpt-4.3.1": _request(
        "MS-OXCPRPT 4.3.1", "07 00 00 0000 0100 0300 0b003e86 03003f86 0201e265", "RopGetPropertiesSpecific",
        InputHandleIndex=0, PropertySizeLimit=0, WantUnicode=1,
        PropertyTags=[0x863E000B, 0x863F0003, p.PidTagChangeKey],
    ),
    "oxcprpt-4.4.1.1": Example(
        "MS-OXCPRPT 4.4.1.1", True, "2b 01 00 01 02019a0e 01",
        Rop(
            "RopOpenStream",
            {
                "LogonId": 1, "InputHandleIndex": 0, "OutputHandleIndex": 1,
                "PropertyTag": p.PidTagExtendedRuleMessageCondition, "OpenModeFlags": 0x01,
            },
        ),
    ),
    "oxomsg-4.1.1": _request(
        "MS-OXOMSG 4.1.1", "32 00 02 00", "RopSubmitMessage", InputHandleIndex=2, SubmitFlags=0,
    ),
    "oxomsg-4.1.2": _response(
        "MS-OXOMSG 4.1.2", "32 02 00000000", "RopSubmitMessage", InputHandleIndex=2, ReturnValue=0,
    ),
    "oxomsg-4.3.1": _request(
        "MS-OXOMSG 4.3.1", "34 00 00 0100 0003b479ca47 0100 0003b7e65fa7", "RopAbortSubmit",
        InputHandleIndex=0, FolderId="0001-0003B479CA47", MessageId="0001-0003B7E65FA7",
    ),
    "oxomsg-4.3.2": _response(
        "MS-OXOMSG 4.3.2", "34 00 00000000", "RopAbortSubmit", InputHandleIndex=0, ReturnValue=0,
    ),
    "oxomsg-4.6.1.2": _response(
        "MS-OXOMSG 4.6.1.2", "47 00 00000000", "RopSetSpooler", InputHandleIndex=0, ReturnValue=0,
    ),
    "oxomsg-4.6.6.2": _response(
        "MS-OXOMSG 4.6.6.2", "48 00 00000000", "RopSpoolerLockMessage", InputHandleIndex=0, ReturnValue=0,
    ),
    "oxcperm-4.1a": _request(
        "MS-OXCPERM 4.1", "2b 00 01 02 1f006a0e 00", "RopOpenStream",
        InputHandleIndex=1, OutputHandleIndex=2, PropertyTag=0x0E6A001F, OpenModeFlags=0x00,
    ),
    "oxcperm-4.1b": _response(
        "MS-OXCPERM 4.1", "2b 02 02010480", "RopOpenStream", OutputHandleIndex=2, ReturnValue=0x80040102,
    ),
    "oxcperm-4.1c": _request(
        "MS-OXCPERM 4.1", "3e 00 00 01 02", "RopGetPermissionsTable",
        InputHandleIndex=0, OutputHandleIndex=1, TableFlags=0x02,
    ),
}  # fmt: skip

TABLE_PREFIX = bytes.fromhex(
    "15 00 00000000 02 0900 01 00 0100000000f11f32 0a 0f010480 00 0100000000f188bd 00 00000000 00 03000000"
    "00 00000000 0a 0f010480 0a 0f010480 0a 0f010480 0a"
)
"""[MS-OXCTABL] 4.5.3.2: an answer of RopQueryRows of nine rows, of which the document prints 64 octets: the first row
as far as its ninth column. It says of them that PidTagFolderId is there and PidTagMid is not."""
PREFIX_COLUMNS = (
    p.PidTagFolderId, p.PidTagMid, p.PidTagInstID, p.PidTagInstanceNum, p.PidTagRowType, p.PidTagDepth,
    p.PidTagSubject, p.PidTagMessageDeliveryTime, p.PidTagMessageFlags,
)  # fmt: skip

HANDLES = bytes.fromhex("23020000ffffffff")
"""[MS-OXORULE] 4.2.1: the table of handles, that of the folder and one to be filled in."""
