"""ROPs on stores, folders, rights, mail and names: the documents' examples, and own octets laid out as they say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gromoxd.errors import Ec, WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.ids import LongTermId, eid_int
from gromoxd.mapi.named import PropertyName
from gromoxd.mapi.permissions import PermissionData
from gromoxd.mapi.rules import ActionBlock, ActionType, RuleData, encode_actions
from gromoxd.mapi.values import TaggedPropertyValue
from gromoxd.rop import folders as f
from gromoxd.rop import names as n
from gromoxd.rop import peruser as u
from gromoxd.rop import progress as g
from gromoxd.rop import registry as registry
from gromoxd.rop import rights as r
from gromoxd.rop import store as s
from gromoxd.rop import transport as t
from gromoxd.rop.codec import PUBLIC, REQUESTS, RESPONSES, Failure, Packet, Request, read_request, read_response
from tests.conftest import require_shared

ID = eid_int(1, 0x0E8EDF36)
ID_HEX = "0100 00000e8edf36"
GUID, GUID_HEX = bytes(range(16)), bytes(range(16)).hex()
LONG_ID = LongTermId(GUID, 5).encode()
LONG_HEX = GUID_HEX + "000000000005 0000"

REQUESTS_BY_HEX: list[tuple[Request, str]] = [
    (s.Logon(1, 0, 1, 0x0100040C, 0, b"/o=x"), "fe 01 00 01 0c040001 00000000 0500 2f6f3d7800"),
    (s.Logon(1, 0, 0, 0x01000002, 0, b""), "fe 01 00 00 02000001 00000000 0000"),
    (s.GetReceiveFolder(0, 1, b"IPM"), "27 00 01 49504d00"),
    (s.SetReceiveFolder(0, 1, ID, b""), f"26 00 01 {ID_HEX} 00"),
    (s.GetReceiveFolderTable(0, 1), "68 00 01"),
    (s.GetStoreState(0, 1), "7b 00 01"),
    (s.GetOwningServers(0, 1, ID), f"42 00 01 {ID_HEX}"),
    (s.PublicFolderIsGhosted(0, 1, ID), f"45 00 01 {ID_HEX}"),
    (s.LongTermIdFromId(0, 1, ID), f"43 00 01 {ID_HEX}"),
    (s.IdFromLongTermId(0, 1, LONG_ID), f"44 00 01 {LONG_HEX}"),
    (u.GetPerUserLongTermIds(0, 1, GUID), f"60 00 01 {GUID_HEX}"),
    (u.GetPerUserGuid(0, 1, LONG_ID), f"61 00 01 {LONG_HEX}"),
    (u.ReadPerUserInformation(0, 1, LONG_ID, 0, 4, 256), f"63 00 01 {LONG_HEX} 00 04000000 0001"),
    (u.WritePerUserInformation(0, 1, LONG_ID, True, 4, b"ab"), f"64 00 01 {LONG_HEX} 01 04000000 0200 6162"),
    (u.WritePerUserInformation(0, 1, LONG_ID, False, 0, b"", GUID), f"64 00 01 {LONG_HEX} 00 00000000 0000 {GUID_HEX}"),
    (f.OpenFolder(0, 1, 2, ID, 4), f"02 00 01 02 {ID_HEX} 04"),
    (f.CreateFolder(0, 1, 2, 1, False, True, 0, b"A", b""), "1c 00 01 02 01 00 01 00 4100 00"),
    (f.SetSearchCriteria(0, 1, b"\1\2", [ID], 0x22), f"30 00 01 0200 0102 0100 {ID_HEX} 22000000"),
    (f.EmptyFolder(0, 0, True, False), "58 00 00 01 00"),
    (f.HardDeleteMessagesAndSubfolders(0, 0, False, True), "92 00 00 00 01"),
    (f.HardDeleteMessages(0, 0, False, True, [ID]), f"91 00 00 00 01 0100 {ID_HEX}"),
    (g.Progress(0, 0, False), "50 00 00 00"),
    (r.GetPermissionsTable(0, 0, 1, 2), "3e 00 00 01 02"),
    (
        r.ModifyPermissions(0, 1, 2, [PermissionData(2, (TaggedPropertyValue(p.PidTagMemberRights, 0x401),))]),
        "40 00 01 02 0100 02 0100 03007366 01040000",
    ),
    (r.GetRulesTable(0, 0, 1, 0x40), "3f 00 00 01 40"),
    (
        r.ModifyRules(0, 1, 1, [RuleData(1, (TaggedPropertyValue(p.PidTagRuleSequence, 10),))]),
        "41 00 01 01 0100 01 0100 03007666 0a000000",
    ),
    (r.UpdateDeferredActionMessages(0, 1, b"a", b"bc"), "57 00 01 0100 61 0200 6263"),
    (t.SubmitMessage(0, 2, 0), "32 00 02 00"),
    (t.AbortSubmit(0, 1, ID, ID), f"34 00 01 {ID_HEX} {ID_HEX}"),
    (t.GetAddressTypes(0, 1), "49 00 01"),
    (t.SetSpooler(0, 1), "47 00 01"),
    (t.SpoolerLockMessage(0, 1, ID, 2), f"48 00 01 {ID_HEX} 02"),
    (t.TransportSend(0, 1), "4a 00 01"),
    (t.TransportNewMail(0, 1, ID, ID, b"IPM", 5), f"51 00 01 {ID_HEX} {ID_HEX} 49504d00 05000000"),
    (t.GetTransportFolder(0, 1), "6d 00 01"),
    (t.OptionsData(0, 1, b"EX", True), "6f 00 01 455800 01"),
    (n.GetNamesFromPropertyIds(0, 1, [0x8001]), "55 00 01 0100 0180"),
    (n.GetPropertyIdsFromNames(0, 1, 2, [PropertyName(GUID, 7)]), f"56 00 01 02 0100 00 {GUID_HEX} 07000000"),
    (n.QueryNamedProperties(0, 1, 1), "5f 00 01 01 00"),
    (n.QueryNamedProperties(0, 1, 0, GUID), f"5f 00 01 00 01 {GUID_HEX}"),
]
FIDS = [eid_int(1, number) for number in range(1, 14)]
FIDS_HEX = "".join(f"0100{number:012x}" for number in range(1, 14))
RESPONSES_BY_HEX: list[tuple[Any, str]] = [
    (
        s.LogonResponse(0, 0, 1, FIDS, 7, GUID, 5, GUID, s.LogonTime(1, 2, 3, 4, 5, 6, 2024), 8, 0),
        f"fe 00 00000000 01 {FIDS_HEX} 07 {GUID_HEX} 0500 {GUID_HEX} 010203040506 e807 0800000000000000 00000000",
    ),
    (
        s.LogonPublicResponse(0, 0, 0, FIDS, 5, GUID, bytes(16)),
        f"fe 00 00000000 00 {FIDS_HEX} 0500 {GUID_HEX} {'00' * 16}",
    ),
    (s.LogonRedirect(0, 0x478, 1, b"/o=x"), "fe 00 78040000 01 05 2f6f3d7800"),
    (Failure(0, 0x3EB), "fe 00 eb030000"),
    (s.GetReceiveFolderResponse(1, 0, ID, b"IPM"), f"27 01 00000000 {ID_HEX} 49504d00"),
    (s.SetReceiveFolderResponse(1, 0), "26 01 00000000"),
    (
        s.GetReceiveFolderTableResponse(1, 0, [s.ReceiveRow(ID, b"", 9)]),
        f"68 01 00000000 01000000 00 {ID_HEX} 00 0900000000000000",
    ),
    (s.GetStoreStateResponse(1, 0, 0x01000000), "7b 01 00000000 00000001"),
    (s.GetOwningServersResponse(1, 0, s.Servers(1, [b"A", b"B"])), "42 01 00000000 0200 0100 4100 4200"),
    (s.PublicFolderIsGhostedResponse(1, 0, s.Servers(0, [b"A"])), "45 01 00000000 01 0100 0000 4100"),
    (s.PublicFolderIsGhostedResponse(1, 0, None), "45 01 00000000 00"),
    (s.LongTermIdFromIdResponse(1, 0, LONG_ID), f"43 01 00000000 {LONG_HEX}"),
    (s.IdFromLongTermIdResponse(1, 0, ID), f"44 01 00000000 {ID_HEX}"),
    (u.GetPerUserLongTermIdsResponse(1, 0, [LONG_ID]), f"60 01 00000000 0100 {LONG_HEX}"),
    (u.GetPerUserGuidResponse(1, 0, GUID), f"61 01 00000000 {GUID_HEX}"),
    (u.ReadPerUserInformationResponse(1, 0, True, b"ab"), "63 01 00000000 01 0200 6162"),
    (u.WritePerUserInformationResponse(1, 0), "64 01 00000000"),
    (f.OpenFolderResponse(2, 0, True), "02 02 00000000 01 00"),
    (f.OpenFolderResponse(2, 0, False, s.Servers(1, [b"A"])), "02 02 00000000 00 01 0100 0100 4100"),
    (f.CreateFolderResponse(2, 0, ID, True, True), f"1c 02 00000000 {ID_HEX} 01 01 00"),
    (f.DeleteFolderResponse(1, 0x8004060C, False), "1d 01 0c060480 00"),
    (f.GetSearchCriteriaResponse(1, 0, b"\1", 2, [ID], 5), f"31 01 00000000 0100 01 02 0100 {ID_HEX} 05000000"),
    (f.MoveCopyMessagesResponse(1, 0x503, False, 2), "33 01 03050000 02000000 00"),
    (f.EmptyFolderResponse(0, 0, True), "58 00 00000000 01"),
    (f.HardDeleteMessagesAndSubfoldersResponse(0, 0, False), "92 00 00000000 00"),
    (f.HardDeleteMessagesResponse(0, 0, False), "91 00 00000000 00"),
    (g.ProgressResponse(0, 0, 0, 0x1D, 0x2D9), "50 00 00000000 00 1d000000 d9020000"),
    (r.ModifyPermissionsResponse(1, 0), "40 01 00000000"),
    (r.GetPermissionsTableResponse(1, 0), "3e 01 00000000"),
    (r.ModifyRulesResponse(1, 0), "41 01 00000000"),
    (r.GetRulesTableResponse(1, 0), "3f 01 00000000"),
    (r.UpdateDeferredActionMessagesResponse(1, 0), "57 01 00000000"),
    (t.SubmitMessageResponse(1, 0), "32 01 00000000"),
    (t.AbortSubmitResponse(1, 0), "34 01 00000000"),
    (t.GetAddressTypesResponse(1, 0, [b"EX", b"SMTP"]), "49 01 00000000 0200 0800 455800 534d545000"),
    (t.SetSpoolerResponse(1, 0), "47 01 00000000"),
    (t.TransportSendResponse(1, 0, None), "4a 01 00000000 01"),
    (
        t.TransportSendResponse(1, 0, [TaggedPropertyValue(0x0C1A001F, "A")]),
        "4a 01 00000000 00 0100 1f001a0c 41000000",
    ),
    (t.TransportNewMailResponse(1, 0), "51 01 00000000"),
    (t.GetTransportFolderResponse(1, 0, ID), f"6d 01 00000000 {ID_HEX}"),
    (t.OptionsDataResponse(1, 0, 1, b"", b""), "6f 01 00000000 01 0000 0000"),
    (t.OptionsDataResponse(1, 0, 1, b"a", b"b", b"x"), "6f 01 00000000 01 0100 61 0100 62 7800"),
    (n.GetNamesFromPropertyIdsResponse(1, 0, [None]), f"55 01 00000000 0100 ff {'00' * 16}"),
    (n.GetPropertyIdsFromNamesResponse(0, 0, [0x863E, 0x863F]), "56 00 00000000 0200 3e86 3f86"),
    (n.GetPropertyIdsFromNamesResponse(0, 0x40380, [0]), "56 00 80030400 0100 0000"),
    (
        n.QueryNamedPropertiesResponse(1, 0, [0x8001], [PropertyName(GUID, "a")]),
        f"5f 01 00000000 0100 0180 01 {GUID_HEX} 04 61000000",
    ),
]


def check(value: Packet, octets: bytes, read: Any) -> None:
    """Both directions; what is cut short is a WireError."""
    cursor = Cursor(octets)
    assert read(cursor) == value
    cursor.finish()
    assert value.encode() == octets  # type: ignore[attr-defined]
    for length in range(len(octets)):
        with pytest.raises(WireError):
            read(Cursor(octets[:length]))


@pytest.mark.parametrize(("value", "octets"), REQUESTS_BY_HEX, ids=lambda x: type(x).__name__)
def test_requests(value: Request, octets: str) -> None:
    check(value, bytes.fromhex(octets), read_request)


@pytest.mark.parametrize(("value", "octets"), RESPONSES_BY_HEX, ids=lambda x: type(x).__name__)
def test_responses(value: Packet, octets: str) -> None:
    raw = bytes.fromhex(octets)
    if isinstance(value, Failure):
        assert read_response(Cursor(raw)) == value
    elif isinstance(value, s.LogonRedirect):
        assert read_response(Cursor(raw)) == value
        assert value.encode() == raw
    else:
        check(value, raw, read_response)


def test_all_are_here() -> None:
    shown = {value.rop for value, _ in REQUESTS_BY_HEX} | {0x1D, 0x1E, 0x31, 0x33, 0x35, 0x36}
    mine = {kind.rop for kind in REQUESTS.values() if kind.__module__.rpartition(".")[2] in FAMILIES}
    assert mine == shown
    assert {rop for rop, kind in RESPONSES.items() if kind.__module__.rpartition(".")[2] in FAMILIES} == mine


FAMILIES = ("store", "folders", "rights", "transport", "names", "peruser", "progress")


def test_the_documents_examples() -> None:
    """[MS-OXCFOLD] 4, [MS-OXCPERM] 4.1, [MS-OXORULE] 4.2, [MS-OXOMSG] 4, [MS-OXCPRPT] 4.1."""
    checked = 0
    for example in json.loads(require_shared("golden/mapi.json").read_text()):
        raw = bytes.fromhex(example["hex"])
        read, known = (
            (read_request, REQUESTS) if example["kind"] == "rop-request" else (read_response, RESPONSES)
        )  # fmt: skip
        if example["kind"] not in ("rop-request", "rop-response"):
            continue
        kind = known.get(raw[0])
        if kind is None or kind.__module__.rpartition(".")[2] not in FAMILIES:
            continue
        cursor = Cursor(raw)
        value = read(cursor)
        cursor.finish()
        assert value.encode() == raw, example["id"]
        checked += 1
    assert checked >= 18


def test_failures_say_what_they_have_to() -> None:
    move = f.MoveCopyMessages(0, 1, 2, [], False, False)
    assert move.failure(Ec.ecDstNullObject).hex() == "33010305000002000000" + "00"
    assert move.failure(Ec.ecAccessDenied).hex() == "33010500078000"
    assert f.DeleteMessages(0, 1, False, False, []).failure(Ec.ecNotFound).hex() == "1e010f01048000"
    assert f.CreateFolder(0, 1, 2, 1, True, False, 0, "", "").failure(Ec.ecNotFound).hex() == "1c020f010480"


def test_the_form_of_public_logons() -> None:
    octets = bytes.fromhex(f"64 03 01 {LONG_HEX} 01 00000000 0100 61")
    cursor = Cursor(octets)
    assert read_request(cursor, lambda logon: logon == 3) == u.WritePerUserInformationPublic(
        3, 1, LONG_ID, True, 0, b"a"
    )
    cursor.finish()
    with pytest.raises(WireError):
        read_request(Cursor(octets), lambda logon: False)
    assert PUBLIC[0x64] is u.WritePerUserInformationPublic


@pytest.mark.parametrize("octets", [
    "40 00 01 00 ffff", "41 00 01 00 ffff", "33 00 00 01 ffff", "56 00 01 00 ffff", "55 00 01 ffff",
    "56 00 01 00 0100 02" + "00" * 20, "1c 00 00 01 01 01 00 00 4100",
])  # fmt: skip
def test_what_is_too_short(octets: str) -> None:
    with pytest.raises(WireError):
        read_request(Cursor(bytes.fromhex(octets)))


def test_rules_carry_actions() -> None:
    """The value of PidTagRuleActions has no length of its own ([MS-OXORULE] 2.2.5)."""
    actions = encode_actions([ActionBlock(ActionType.OP_DELETE)])
    value = TaggedPropertyValue(p.PidTagRuleActions, actions)
    request = r.ModifyRules(0, 1, 0, [RuleData(1, (value,))])
    assert read_request(Cursor(request.encode())) == request
