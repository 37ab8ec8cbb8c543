"""gromoxctl dump: structures as trees."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest

from gromoxd.cli.kinds import KINDS, decoder
from gromoxd.cli.tree import INDENT, property_value, tree
from gromoxd.convert.msg import to_msg
from gromoxd.convert.tnef import to_tnef
from gromoxd.errors import WireError
from gromoxd.mapi.bag import encode_bag
from gromoxd.mapi.conversation import new_index
from gromoxd.mapi.entryids import FlatEntryList, one_off
from gromoxd.mapi.fasttransfer import Marker, Property, encode_stream
from gromoxd.mapi.ids import ServerId, guid_octets
from gromoxd.mapi.idset import IdSet
from gromoxd.mapi.named import PropertyName
from gromoxd.mapi.permissions import PermissionData
from gromoxd.mapi.recipients import RecipientRow
from gromoxd.mapi.restrictions import And, Content, Exist, encode_restriction
from gromoxd.mapi.restrictions import Property as PropertyRestriction
from gromoxd.mapi.rows import encode_row
from gromoxd.mapi.rules import (
    ActionBlock,
    ActionType,
    ExtendedRuleActions,
    ExtendedRuleCondition,
    MoveCopy,
    RuleData,
    Tag,
    encode_actions,
)
from gromoxd.mapi.sorting import SortOrder, SortOrderSet
from gromoxd.mapi.state import SyncState
from gromoxd.mapi.values import TaggedPropertyValue, encode_tags
from tests.cli.conftest import Ctl
from tests.convert.items import OLE, whole
from tests.mapi.structures.calendar import DEFINITION, GLOBAL_ID_VCAL, RTF_HELLO, STRUCT, WEEKLY, WEEKLY_EXCEPTION


def shown(ctl: Ctl, tmp_path: Path, kind: str, data: bytes, *options: str) -> list[str]:
    file = tmp_path / "dumped"
    file.write_bytes(data)
    outcome = ctl("dump", kind, str(file), *options)
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out.splitlines()


def test_recurrence(ctl: Ctl, tmp_path: Path) -> None:
    lines = shown(ctl, tmp_path, "recurrence", WEEKLY_EXCEPTION)
    assert lines[:5] == [
        "AppointmentRecurrencePattern",
        "  recurrence_pattern: RecurrencePattern",
        "    recur_frequency: 0x200b Weekly",
        "    pattern_type: 0x1 Week",
        "    period: 1",
    ]
    for line in [
        "    week_days: 0x0032 M | Th | F",
        "    deleted_instance_dates: 1 item",
        "      [0]: 2007-04-16 00:00",
        "  start_time_offset: 10:00",
        "      override_flags: 0x0011 ARO_SUBJECT | ARO_LOCATION",
        '      location: "34/4141"',
        '      subject: "Simple Recurrence with exceptions"',
        "      busy_status: -",
        "  reserved_block2: (empty)",
    ]:
        assert line in lines


def test_time_zones(ctl: Ctl, tmp_path: Path) -> None:
    lines = shown(ctl, tmp_path, "timezone", DEFINITION)
    assert '  key_name: "Pacific Standard Time"' in lines
    assert "      flags: 0x0002 TZRULE_FLAG_EFFECTIVE_TZREG" in lines
    assert "      standard_date: last Sunday of month 10, 02:00:00" in lines
    assert shown(ctl, tmp_path, "tzstruct", STRUCT)[4] == "  standard_date: 1. Sunday of month 11, 02:00:00"
    fixed = shown(ctl, tmp_path, "tzstruct", bytes(48))
    assert "  daylight_date: never" in fixed
    once = STRUCT[:14] + (2011).to_bytes(2, "little") + STRUCT[16:]
    assert "  standard_date: 2011-11-01 02:00:00" in shown(ctl, tmp_path, "tzstruct", once)


def test_global_object_id(ctl: Ctl, tmp_path: Path) -> None:
    lines = shown(ctl, tmp_path, "globalobjectid", GLOBAL_ID_VCAL)
    assert lines[1:3] == [
        "  data: 51 octets",
        "    000000  76 43 61 6c 2d 55 69 64 01 00 00 00 7b 38 31 34  vCal-Uid....{814",
    ]
    assert lines[-1] == '  uid: "{81412D3C-2A24-4E9D-B20E-11F7BBE92799}"'
    assert "  creation_time_nt: 1601-01-01T00:00:00Z" in lines


def test_rtf(ctl: Ctl, tmp_path: Path) -> None:
    assert shown(ctl, tmp_path, "rtf", RTF_HELLO)[0] == r"{\rtf1\ansi\ansicpg1252\pard hello world}"


@pytest.mark.parametrize("kind", ["tnef", "msg"])
def test_whole_messages(ctl: Ctl, tmp_path: Path, kind: str) -> None:
    lines = shown(ctl, tmp_path, kind, {"tnef": to_tnef, "msg": to_msg}[kind](whole()), "--binary")
    assert lines[0] == "Item"
    for line in (
        '    001A001F PidTagMessageClass: "IPM.Note"',
        "  recipients: 2 items",
        "  attachments: 4 items",
        '        3707001F PidTagAttachLongFilename: "bericht.pdf"',
    ):
        assert line in lines, line


def test_compound_file(ctl: Ctl, tmp_path: Path) -> None:
    lines = shown(ctl, tmp_path, "compound", OLE, "--binary")
    assert lines[:2] == ["Storage", "  children: 3 items"]


def test_restriction(ctl: Ctl, tmp_path: Path) -> None:
    value = And((PropertyRestriction(4, 0x0E060040, 132000000000000000), Content(2, 1, 0x0037001F, "a\x1b[2J")))
    lines = shown(ctl, tmp_path, "restriction", encode_restriction(value))
    assert lines == [
        "And",
        "  restricts: 2 items",
        "    [0]: Property",
        "      rel_op: 0x4 EQ",
        "      tag: 0E060040 PidTagMessageDeliveryTime",
        "      value: 2019-04-17T18:40:00Z",
        "      value_tag: -",
        "    [1]: Content",
        "      fuzzy_low: 0x2 PREFIX",
        "      fuzzy_high: 0x0001 IGNORECASE",
        "      tag: 0037001F PidTagSubject",
        '      value: "a\\x1b[2J"',
        "      value_tag: -",
    ]
    wide = encode_restriction(And((Exist(0x300B0102),)), True)
    assert shown(ctl, tmp_path, "restriction-wide", wide)[-1] == "      tag: 300B0102 PidTagSearchKey"


def test_properties(ctl: Ctl, tmp_path: Path) -> None:
    ours = b"\x01" * 16 + b"123456"
    bag = {0x0FFF0102: one_off("Ann", "ann@example.test"), 0x65E20102: ours, 0x0E070003: 1}
    lines = shown(ctl, tmp_path, "bag", encode_bag(bag), "--binary")  # type: ignore[arg-type]
    assert lines[0] == "3 items"
    assert lines[1:3] == ["  0FFF0102 PidTagEntryId: OneOffEntryId", '    display_name: "Ann"']
    assert lines[-4:] == [
        "  65E20102 PidTagChangeKey: Xid",
        "    namespace: {01010101-0101-0101-0101-010101010101}",
        '    local_id: 313233343536 "123456"',
        "  0E070003 PidTagMessageFlags: 0x0001 mfRead",
    ]
    values = (
        TaggedPropertyValue(0x30070040, 132000000000000000).encode() + TaggedPropertyValue(0x0E1B000B, True).encode()
    )
    assert shown(ctl, tmp_path, "property-values", values, "--binary")[2:] == [
        "    tag: 30070040 PidTagCreationTime",
        "    value: 2019-04-17T18:40:00Z",
        "  [1]: TaggedPropertyValue",
        "    tag: 0E1B000B PidTagHasAttachments",
        "    value: true",
    ]


def test_what_a_property_is() -> None:
    assert property_value(0x8001000A, 0x8004010F) == "0x8004010f ecNotFound"
    assert property_value(0x80010048, bytes(16)) == "{00000000-0000-0000-0000-000000000000}"
    assert property_value(0x80011040, [0]) == ["1601-01-01T00:00:00Z"]
    assert property_value(0x80010040, 2**63 - 1) == str(2**63 - 1)
    assert property_value(0x0FFF0102, b"damaged") == b"damaged"
    assert property_value(0x80010102, b"any") == b"any"


def test_sets(ctl: Ctl, tmp_path: Path) -> None:
    value = IdSet()
    value.add(b"\x01" * 16, 5)
    value.add_range(b"\x02" * 16, 10, 0x2000)
    assert shown(ctl, tmp_path, "idset", value.encode()) == [
        "IdSet",
        "  {01010101-0101-0101-0101-010101010101}: 1 in 1 ranges",
        "    [0]: 5",
        "  {02020202-0202-0202-0202-020202020202}: 8183 in 1 ranges",
        "    [0]: a to 2000",
    ]
    local = IdSet()
    local.add(1, 7)
    assert shown(ctl, tmp_path, "idset-replid", local.encode())[1:] == ["  1: 1 in 1 ranges", "    [0]: 7"]


def test_entry_ids_in_lists(ctl: Ctl, tmp_path: Path) -> None:
    value = FlatEntryList((one_off("Ann", "ann@example.test"), b"xx"))
    lines = shown(ctl, tmp_path, "flatentrylist", value.encode())
    assert lines[1:4] == ["  entries: 2 items", "    [0]: OneOffEntryId", '      display_name: "Ann"']
    assert lines[-1] == "    [1]: 7878"


@pytest.mark.parametrize(
    ("data", "option"),
    [
        (WEEKLY, ""),
        (WEEKLY, "--binary"),
        (WEEKLY.hex().encode(), ""),
        (WEEKLY.hex(" ", 4).upper().encode() + b"\r\n", ""),
        (WEEKLY.hex(":").encode(), "--hex"),
        (b"0x" + WEEKLY.hex(" ").encode().replace(b" ", b", 0x"), ""),
        (base64.b64encode(WEEKLY), ""),
        (base64.encodebytes(WEEKLY), "--base64"),
    ],
)
def test_forms_of_the_input(ctl: Ctl, tmp_path: Path, data: bytes, option: str) -> None:
    lines = shown(ctl, tmp_path, "recurrence", data, *[option] if option else [])
    assert lines[2] == "    recur_frequency: 0x200b Weekly" and len(lines) == 28


def test_standard_input(ctl: Ctl, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (("dump", "tzstruct"), ("dump", "tzstruct", "-")):
        binary = io.TextIOWrapper(io.BytesIO(STRUCT))
        monkeypatch.setattr("io.StringIO", lambda text, binary=binary: binary)
        assert ctl(*words).out.startswith("TimeZoneStruct\n  bias: 480\n")


@pytest.mark.parametrize(
    ("words", "data", "message"),
    [
        (("recurrence",), WEEKLY[:50], "no recurrence at offset 46 of 50: 8 octets wanted, 4 left"),
        (("recurrence",), WEEKLY + b"x", "no recurrence at offset 80 of 81: 1 octets too many"),
        (("recurrence",), b"", "no recurrence at offset 0 of 0: 22 octets wanted, 0 left"),
        (("recurrence", "--hex"), b"no hex", "the input is not hex"),
        (("recurrence", "--hex"), b"123", "the input is not hex"),
        (("recurrence", "--base64"), b"A", "the input is not base64"),
        (("nothing",), b"", "there is no kind nothing (gromoxctl dump --list shows them)"),
    ],
)
def test_bad_input(ctl: Ctl, tmp_path: Path, words: tuple[str, ...], data: bytes, message: str) -> None:
    file = tmp_path / "dumped"
    file.write_bytes(data)
    outcome = ctl("dump", words[0], str(file), *words[1:])
    assert (outcome.status, outcome.out, outcome.err) == (1, "", f"gromoxctl: {message}\n")


def test_a_file_that_is_not_there(ctl: Ctl) -> None:
    outcome = ctl("dump", "rtf", "/nowhere/to/be/found")
    assert outcome.status == 1 and "/nowhere/to/be/found" in outcome.err and outcome.err.count("\n") == 1


def test_list(ctl: Ctl) -> None:
    outcome = ctl("dump", "--list")
    assert outcome.status == 0
    assert [line.split("\t")[0] for line in outcome.out.splitlines()] == sorted(KINDS)
    assert "rtf\tPidTagRtfCompressed; shows the RTF." in outcome.out.splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_answers(kind: str) -> None:
    for octets in (b"", b"\x00", bytes(100), b"\xff" * 100):
        try:
            lines = list(tree(decoder(kind)(octets)))
        except WireError as error:
            assert 0 <= error.offset <= len(octets)
        else:
            assert lines or not octets
            assert all(line.isprintable() for line in lines)


def test_trees_of_plain_values() -> None:
    assert list(tree([1, "a\n", b"\0", None, 2.5, True, {}])) == [
        "7 items", "  [0]: 1", '  [1]: "a\\n"', "  [2]: 00", "  [3]: -", "  [4]: 2.5", "  [5]: true", "  [6]: no items",
    ]  # fmt: skip
    assert list(tree({5: [b"text"]})) == ["1 item", f"{INDENT}5: 1 item", f'{INDENT * 2}[0]: 74657874 "text"']


def test_rops(ctl: Ctl, tmp_path: Path) -> None:
    """[MS-OXCFOLD] 4.3; a failure, which says its RopId and no more than its code; a buffer of both."""
    request = bytes.fromhex("1e000000010200010000000e8ef148010000000e8ec302")
    assert shown(ctl, tmp_path, "rop-request", request) == [
        "0x1e DeleteMessages", "  logon: 0", "  index: 0", "  want_asynchronous: false", "  notify_non_read: true",
        "  message_ids: 2 items", "    [0]: 0001-00000E8EF148", "    [1]: 0001-00000E8EC302",
    ]  # fmt: skip
    failed = ["0x02 Failure", "  index: 1", "  code: 0x8004010f ecNotFound"]
    assert shown(ctl, tmp_path, "rop-response", bytes.fromhex("02010f010480")) == failed
    assert shown(ctl, tmp_path, "rop-buffer", bytes.fromhex("0800 02010f010480 01000000 ffffffff")) == [
        "RopSize: 8", "ROPs", *(f"  {line}" for line in failed),
        "handles: 2 items", "  [0]: 0x00000001", "  [1]: none",
    ]  # fmt: skip


def test_streams(ctl: Ctl, tmp_path: Path) -> None:
    changes = IdSet()
    changes.add(b"\x01" * 16, 5)
    name = PropertyName(guid_octets("00062002-0000-0000-c000-000000000046"), 0x8216)
    elements = [
        Marker.IncrSyncChg,
        Property(0x0037001F, "Lunch"),
        Marker.StartMessage,
        Property(0x8001000B, True, name),
        Marker.StartRecip,
        Property(0x3001001F, "Ann"),
        Marker.EndToRecip,
        Marker.EndMessage,
        Marker.IncrSyncStateBegin,
        Property(0x67960102, changes.encode()),
        Marker.IncrSyncStateEnd,
    ]
    assert shown(ctl, tmp_path, "fasttransfer", encode_stream(elements)) == [
        "IncrSyncChg",
        '0037001F PidTagSubject: "Lunch"',
        "StartMessage",
        f"  8001000B {name}: true",
        "  StartRecip",
        '    3001001F PidTagDisplayName: "Ann"',
        "  EndToRecip",
        "EndMessage",
        "IncrSyncStateBegin",
        "  67960102 MetaTagCnsetSeen: IdSet",
        "    {01010101-0101-0101-0101-010101010101}: 1 in 1 ranges",
        "      [0]: 5",
        "IncrSyncStateEnd",
    ]
    deep = encode_stream([Marker.StartEmbed] * 3000)
    assert len(shown(ctl, tmp_path, "fasttransfer", deep)) == 3000


def test_state(ctl: Ctl, tmp_path: Path) -> None:
    state = SyncState()
    state.seen.add(b"\x01" * 16, 5)
    assert shown(ctl, tmp_path, "state", state.encode())[:4] == [
        "SyncState",
        "  given: IdSet",
        "  seen: IdSet",
        "    {01010101-0101-0101-0101-010101010101}: 1 in 1 ranges",
    ]


def test_rows(ctl: Ctl, tmp_path: Path) -> None:
    columns = [0x0037001F, 0x30070040]
    head = encode_tags(columns)
    row = head + encode_row(columns, ["Lunch", 0])
    assert shown(ctl, tmp_path, "property-row", row) == [
        '0037001F PidTagSubject: "Lunch"',
        "30070040 PidTagCreationTime: 1601-01-01T00:00:00Z",
    ]
    recipient = RecipientRow(0x0208 | 3, ["Lunch"], email_address="ann@example.test")
    lines = shown(ctl, tmp_path, "recipient-row", head + recipient.encode(columns))
    assert lines[:2] == ["row: RecipientRow", "  flags: 0x20b"]
    assert '  email_address: "ann@example.test"' in lines
    assert lines[-2:] == ["values", '  0037001F PidTagSubject: "Lunch"']


def test_conversation_index(ctl: Ctl, tmp_path: Path) -> None:
    lines = shown(ctl, tmp_path, "conversation-index", new_index(132000000000000000, bytes(range(16))))
    assert lines[0] == "ConversationIndex"
    assert lines[1].startswith("  time_nt: 2019-04-17T18:")
    assert lines[2] == "  guid: {03020100-0504-0706-0809-0a0b0c0d0e0f}"


def test_sort_orders(ctl: Ctl, tmp_path: Path) -> None:
    value = SortOrderSet((SortOrder(0x0E060040, 1), SortOrder(0x0037001F)), 1, 1)
    assert shown(ctl, tmp_path, "sort", value.encode()) == [
        "SortOrderSet",
        "  sort_orders: 2 items",
        "    [0]: SortOrder",
        "      tag: 0E060040 PidTagMessageDeliveryTime",
        "      order: 0x1 DESCENDING",
        "    [1]: SortOrder",
        "      tag: 0037001F PidTagSubject",
        "      order: 0x0 ASCENDING",
        "  categorized_count: 1",
        "  expanded_count: 1",
    ]


def test_rules(ctl: Ctl, tmp_path: Path) -> None:
    target = ServerId(0x0100000000000001).encode()
    actions = (
        ActionBlock(ActionType.OP_MOVE, MoveCopy(True, b"?", target)),
        ActionBlock(ActionType.OP_DELETE),
        ActionBlock(ActionType.OP_TAG, Tag(TaggedPropertyValue(0x00170003, 2))),
    )
    lines = shown(ctl, tmp_path, "rule-actions", encode_actions(actions))
    assert lines[:4] == ["3 items", "  [0]: ActionBlock", "    action_type: 0x1 OP_MOVE", "    action_data: MoveCopy"]
    assert "      folder_eid: ServerId" in lines and "        fid: 0x100000000000001" in lines
    assert "        tag: 00170003 PidTagImportance" in lines
    name = PropertyName(guid_octets("00062002-0000-0000-c000-000000000046"), 0x8216)
    condition = ExtendedRuleCondition(Exist(0x8001000B), ((0x8001, name),))
    lines = shown(ctl, tmp_path, "rule-condition-extended", condition.encode())
    assert lines[1:] == [
        "  restriction: Exist",
        "    tag: 8001000B",
        "  names: 1 item",
        f"    [0]: 8001 {name}",
    ]
    extended = ExtendedRuleActions((ActionBlock(ActionType.OP_MARK_AS_READ),))
    assert "      action_type: 0xb OP_MARK_AS_READ" in shown(ctl, tmp_path, "rule-actions-extended", extended.encode())
    rule = RuleData(1, (TaggedPropertyValue(0x66770003, 1), TaggedPropertyValue(0x668000FE, encode_actions(actions))))
    lines = shown(ctl, tmp_path, "rule-data", rule.encode())
    assert lines[1] == "  flags: 0x0001 ROW_ADD"
    assert "      value: 0x0001 ST_ENABLED" in lines
    assert "        [1]: ActionBlock" in lines


def test_permissions(ctl: Ctl, tmp_path: Path) -> None:
    value = PermissionData(2, (TaggedPropertyValue(0x66710014, -1), TaggedPropertyValue(0x66730003, 0x401)))
    lines = shown(ctl, tmp_path, "permission-data", value.encode())
    assert lines[1] == "  flags: 0x0002 ModifyRow"
    assert lines[-1] == "      value: 0x0401 ReadAny | FolderVisible"
