"""Samples of restrictions, sort orders, rules and permissions, and what decodes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gromoxd.mapi.permissions import PermissionData
from gromoxd.mapi.restrictions import decode_restriction
from gromoxd.mapi.rules import (
    ExtendedRuleActions,
    ExtendedRuleCondition,
    RuleData,
    decode_actions,
)
from gromoxd.mapi.sorting import SortOrder, SortOrderSet

NAMED_VIEW = bytes.fromhex(
    "00 0500"  # RES_AND of 5
    "04 04 1f001a00 1f001a00"  # PidTagMessageClass is IPM.Microsoft.FolderDesign.NamedView
    "490050004d002e004d006900630072006f0073006f00660074002e0046006f006c00640065007200440065007300690067006e002e00"
    "4e0061006d00650064005600690065007700 0000"
    "06 00 03003468 01000000"  # none of the bits 1 in 68340003
    "04 04 03003a68 03003a68 08000000"  # 683A0003 is 8
    "06 01 03003468 00020000"  # bit 0x200 in 68340003
    "03 0000 0000 1f003700 1f003700 4d006500730073006100670065007300 0000"  # PidTagSubject is "Messages"
)
"""What Outlook 2007 sent in a RopFindRow for a folder's views."""

HIGH_IMPORTANCE = bytes.fromhex("04 04 03001700 03001700 02000000")
"""The criteria of [MS-OXCFOLD] 4.8: PidTagImportance is high."""

ALERT = bytes.fromhex("0000 03 0100 0100 1f003700 1f003700 41006c006500720074003b000000")
"""PidTagExtendedRuleMessageCondition of a rule in Exchange 2019: the subject contains "Alert;"."""

SIMPLE = {
    "and of nothing": bytes.fromhex("00 0000"),
    "or": bytes.fromhex("01 0200 08 1f003700 08 1f000010"),
    "not": bytes.fromhex("02 08 1f003700"),
    "content": bytes.fromhex("03 0100 0500 1f003700 1f003700 6100 0000"),
    "binary content": bytes.fromhex("03 0200 0000 02010b30 02010b30 0300 534d54"),
    "content of one of many": bytes.fromhex("03 0000 0100 1f100180 1f000180 7200 0000"),
    "compare": bytes.fromhex("05 05 40003900 4000060e"),
    "bit mask": bytes.fromhex("06 01 0300070e 01000000"),
    "size": bytes.fromhex("07 02 0300080e 00001000"),
    "exist": bytes.fromhex("08 1f003700"),
    "recipients": bytes.fromhex("09 0d00120e 04 04 0300150c 0300150c 01000000"),
    "comment": bytes.fromhex("0a 01 1f003700 4800 0000 01 08 1f003700"),
    "comment alone": bytes.fromhex("0a 00 00"),
    "count": bytes.fromhex("0b 05000000 08 1f003700"),
    "member of list": bytes.fromhex("04 64 0201190c 02010c00 0200 aabb"),
}
WIDE = {
    "and": bytes.fromhex("00 02000000 08 1f003700 02 08 1f000010"),
    "binary content": bytes.fromhex("03 0200 0000 02010b30 02010b30 03000000 534d54"),
    "comment": bytes.fromhex("0a 01 02010b30 01000000 ff 00"),
}

_ACTION = "00000000 07000000"  # ActionFlavor, ActionFlags
MOVE = bytes.fromhex(
    "0100"  # NoOfActions
    "2400"  # ActionLength
    f"01 {_ACTION}"
    "01"  # FolderInThisStore
    "0100 00"  # StoreEID
    "1500 01 0100000000000d01 0000000000000000 00000000"  # FolderEID, a ServerEid
)
MOVE_ELSEWHERE = bytes.fromhex(f"0100 1300 02 {_ACTION} 00 0200 0102 0300 010203")
REPLY = bytes.fromhex(
    f"0100 2900 03 01000000 00000000 0100000000000d01 0100000000000e02 {'11' * 16}"  # NS
)
DEFER = bytes.fromhex(f"0100 0b00 05 {_ACTION} beef")
BOUNCE = bytes.fromhex(f"0100 0d00 06 {_ACTION} 0d000000")
FORWARD = bytes.fromhex(
    "0100 1e00 07 03000000 00000000"  # PR | NC
    "0100"  # RecipientCount
    "01 0200"  # Reserved, NoOfProperties
    "1f000130 4100 0000"  # PidTagDisplayName
    "0300150c 01000000"  # PidTagRecipientType
)
TAG = bytes.fromhex(f"0100 1100 09 {_ACTION} 03001700 02000000")
DELETE_AND_READ = bytes.fromhex(f"0200 0900 0a {_ACTION} 0900 0b {_ACTION}")
UNKNOWN = bytes.fromhex(f"0100 0b00 77 {_ACTION} 0102")
ACTIONS = [MOVE, MOVE_ELSEWHERE, REPLY, DEFER, BOUNCE, FORWARD, TAG, DELETE_AND_READ, UNKNOWN]

WIDE_MOVE = bytes.fromhex(f"01000000 14000000 01 {_ACTION} 01000000 00 02000000 aabb")
WIDE_REPLY = bytes.fromhex(f"01000000 1f000000 04 {_ACTION} 02000000 aabb {'11' * 16}")
WIDE_FORWARD = bytes.fromhex(f"01000000 1a000000 08 {_ACTION} 01000000 01 01000000 0300150c 01000000")
WIDE_ACTIONS = [WIDE_MOVE, WIDE_REPLY, WIDE_FORWARD]

NAMES = bytes.fromhex(
    "0200 0180 0280"  # NoOfNamedProps, PropIds
    "2d000000"  # NamedPropertiesSize
    "00 0820060000000000c000000000000046 10850000"  # PSETID_Common 0x8510
    "01 2903020000000000c000000000000046 06 6b0077000000"  # PS_PUBLIC_STRINGS "kw"
)
CONDITION_NAMED = NAMES + bytes.fromhex("08 1f000280")
EXTENDED_ACTIONS = bytes.fromhex("0000 01000000") + WIDE_FORWARD
EXTENDED_TAG = NAMES + bytes.fromhex(f"01000000 01000000 11000000 09 {_ACTION} 03000180 02000000")  # sets 0x8001

RULE = (
    bytes.fromhex(
        "01 0400"  # ROW_ADD, PropertyValueCount
        "03007766 01000000"  # PidTagRuleState
        "1f008266 4100 0000"  # PidTagRuleName
    )
    + b"\xfd\x00\x79\x66"
    + HIGH_IMPORTANCE
    + b"\xfe\x00\x80\x66"
    + DELETE_AND_READ
)

SORT = bytes.fromhex("0200 0100 0100 1f300880 00 4000060e 01")
"""[MS-OXCTABL] 4.5: RopSortTable by a multi-value column as category, then by PidTagMessageDeliveryTime."""

ADD_PERMISSION = bytes.fromhex("01 0200 0201ff0f 0300 010203 03007366 fb040000")
MODIFY_PERMISSION = bytes.fromhex("02 0200 14007166 ffffffffffffffff 03007366 01040000")
REMOVE_PERMISSION = bytes.fromhex("04 0100 14007166 0500000000000000")

DECODERS: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
    "restriction": (decode_restriction, [NAMED_VIEW, HIGH_IMPORTANCE, *SIMPLE.values()]),
    "wide restriction": (partial(decode_restriction, wide=True), [HIGH_IMPORTANCE, *WIDE.values()]),
    "actions": (decode_actions, ACTIONS),
    "wide actions": (partial(decode_actions, wide=True), WIDE_ACTIONS),
    "rule data": (RuleData.decode, [RULE]),
    "extended rule condition": (ExtendedRuleCondition.decode, [ALERT, CONDITION_NAMED]),
    "extended rule actions": (ExtendedRuleActions.decode, [EXTENDED_ACTIONS, EXTENDED_TAG]),
    "sort order": (SortOrder.decode, [SORT[6:11]]),
    "sort order set": (SortOrderSet.decode, [SORT, bytes(6)]),
    "permission data": (PermissionData.decode, [ADD_PERMISSION, MODIFY_PERMISSION, REMOVE_PERMISSION]),
}
