"""Bodies octet by octet ([MS-OXCMAPIHTTP] 2.2.1, 2.2.5), both directions, and every truncation."""

from __future__ import annotations

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi.restrictions import And, Content, Exist, Not, Property
from gromoxd.mapi.values import PropError, TaggedPropertyValue, TypedPropertyValue
from gromoxd.nspi import bodies as b
from gromoxd.nspi.stat import Stat
from gromoxd.nspi.values import PropertyValueList, Rows

NO_AUX = "00000000"
STAT = "00000000 00000000 00000000 00000000 00000000 00000000 e4040000 09040000 09040000"
"""The STAT of the example in [MS-OXNSPI] 4."""
NAME, NAME8 = 0x3001001F, 0x3001001E
GUID = bytes.fromhex("00112233445566778899aabbccddeeff")

REQUESTS: list[tuple[str, b.Request, str]] = [
    ("Bind", b.BindRequest(state=Stat()), f"00000000 ff {STAT}"),
    ("Unbind", b.UnbindRequest(), "00000000"),
    (
        "CompareMIds",
        b.CompareMinIdsRequest(state=Stat(), minimal_id1=0x11, minimal_id2=0x12),
        f"00000000 ff {STAT} 11000000 12000000",
    ),
    ("DNToMId", b.DnToMinIdRequest(names=[b"/o=a", b"/"]), "00000000 ff 02000000 2f6f3d6100 2f00"),
    (
        "GetMatches",
        b.GetMatchesRequest(
            state=Stat(), filter=Property(4, 0x360C001F, "al"), row_count=50, columns=(NAME, 0x0FFF0102)
        ),
        f"00000000 ff {STAT} 00 00000000 ff 04 04 1f000c36 1f000c36 ff 61006c000000 00 32000000 "
        "ff 02000000 1f000130 0201ff0f",
    ),
    (
        "GetMatches",
        b.GetMatchesRequest(
            state=Stat(),
            minimal_ids=(0x11,),
            filter=And((Not(Exist(NAME)), Content(2, 1, NAME8, b"a"))),
            property_name=b.PropertyName(GUID, 0x8009),
            row_count=1,
        ),
        f"00000000 ff {STAT} ff 01000000 11000000 00000000 "
        "ff 00 02000000 02 08 1f000130 03 0200 0100 1e000130 1e000130 ff 6100 "
        "ff 00112233445566778899aabbccddeeff 09800000 01000000 00",
    ),
    (
        "GetPropList",
        b.GetPropListRequest(flags=1, minimal_id=0x11, code_page=1252),
        "01000000 11000000 e4040000",
    ),
    (
        "GetProps",
        b.GetPropsRequest(flags=2, state=Stat(current_rec=0x11), property_tags=(NAME,)),
        f"02000000 ff {STAT[:18]} 11000000 {STAT[27:]} ff 01000000 1f000130",
    ),
    ("GetSpecialTable", b.GetSpecialTableRequest(flags=4, state=Stat(), version=5), f"04000000 ff {STAT} ff 05000000"),
    (
        "GetTemplateInfo",
        b.GetTemplateInfoRequest(flags=1, display_type=6, template_dn=b"/x", code_page=1252, locale_id=0x407),
        "01000000 06000000 ff 2f7800 e4040000 07040000",
    ),
    (
        "ModLinkAtt",
        b.ModLinkAttRequest(flags=1, property_tag=0x8015000D, minimal_id=0x11, entry_ids=[b"\x87\0", b""]),
        "01000000 0d001580 11000000 ff 02000000 02000000 8700 00000000",
    ),
    (
        "ModProps",
        b.ModPropsRequest(
            state=Stat(),
            property_tags_to_remove=(NAME,),
            property_values=PropertyValueList((TaggedPropertyValue(0x3A701102, [b"\1"]),)),
        ),
        f"00000000 ff {STAT} ff 01000000 1f000130 ff 01000000 0211 703a ff 01000000 ff 01000000 01",
    ),
    (
        "QueryRows",
        b.QueryRowsRequest(flags=2, state=Stat(), explicit_table=(0x11,), row_count=3, columns=(NAME,)),
        f"02000000 ff {STAT} 01000000 11000000 03000000 ff 01000000 1f000130",
    ),
    ("QueryColumns", b.QueryColumnsRequest(map_flags=0x80000000), "00000000 00000080"),
    (
        "ResolveNames",
        b.ResolveNamesRequest(state=Stat(), property_tags=(NAME,), names=["a", ""]),
        f"00000000 ff {STAT} ff 01000000 1f000130 ff 02000000 61000000 0000",
    ),
    (
        "ResortRestriction",
        b.ResortRestrictionRequest(state=Stat(), minimal_ids=(0x11, 0x12)),
        f"00000000 ff {STAT} ff 02000000 11000000 12000000",
    ),
    (
        "SeekEntries",
        b.SeekEntriesRequest(state=Stat(), target=TaggedPropertyValue(NAME, "b"), explicit_table=(0x11,)),
        f"00000000 ff {STAT} ff 1f00 0130 ff 62000000 ff 01000000 11000000 00",
    ),
    ("UpdateStat", b.UpdateStatRequest(state=Stat(delta=-1), delta_requested=1),
     f"00000000 ff {STAT[:27]} ffffffff {STAT[36:]} 01"),
    ("GetMailboxUrl", b.GetMailboxUrlRequest(server_dn="/o"), "00000000 2f006f000000"),
    ("GetAddressBookUrl", b.GetAddressBookUrlRequest(user_dn="/o"), "00000000 2f006f000000"),
]  # fmt: skip

ROWS = Rows((NAME, 0x39000003), [["ab", 6], ["c", PropError(0x8004010F)]])
ROWS_HEX = "02000000 1f000130 03000039 02000000 00 ff 610062000000 06000000 01 00 ff 63000000 0a 0f010480"
RESPONSES: list[tuple[str, b.Response, str]] = [
    ("Bind", b.BindResponse(server_guid=GUID), GUID.hex()),
    ("Unbind", b.UnbindResponse(code=1), ""),
    ("CompareMIds", b.CompareMinIdsResponse(result=-1), "ffffffff"),
    ("DNToMId", b.DnToMinIdResponse(minimal_ids=(0x11, 0)), "ff 02000000 11000000 00000000"),
    (
        "GetMatches",
        b.GetMatchesResponse(state=Stat(), minimal_ids=(0x11, 0x12), rows=ROWS),
        f"ff {STAT} ff 02000000 11000000 12000000 ff {ROWS_HEX}",
    ),
    ("GetPropList", b.GetPropListResponse(property_tags=(NAME,)), "ff 01000000 1f000130"),
    (
        "GetProps",
        b.GetPropsResponse(
            code=0x40380,
            code_page=1252,
            property_values=PropertyValueList(
                (
                    TaggedPropertyValue(NAME8, b"a"),
                    TaggedPropertyValue(0x3A17000A, 0x8004010F),
                    TaggedPropertyValue(0x0FFF0102, b"\1\2"),
                    TaggedPropertyValue(0x3A40000B, True),
                )
            ),
        ),
        "e4040000 ff 04000000 1e00 0130 ff 6100 0a00 173a 0f010480 0201 ff0f ff 02000000 0102 0b00 403a 01",
    ),
    (
        "GetSpecialTable",
        b.GetSpecialTableResponse(
            code_page=1252, version=7, rows=[PropertyValueList((TaggedPropertyValue(0x30050003, 1),))]
        ),
        "e4040000 ff 07000000 ff 01000000 01000000 0300 0530 01000000",
    ),
    (
        "GetTemplateInfo",
        b.GetTemplateInfoResponse(code_page=1252, row=PropertyValueList((TaggedPropertyValue(0x00010102, b"\1"),))),
        "e4040000 ff 01000000 0201 0100 ff 01000000 01",
    ),
    ("ModLinkAtt", b.ModLinkAttResponse(), ""),
    ("ModProps", b.ModPropsResponse(code=0x80040102), ""),
    ("QueryRows", b.QueryRowsResponse(state=Stat(), rows=ROWS), f"ff {STAT} ff {ROWS_HEX}"),
    ("QueryRows", b.QueryRowsResponse(code=0x80040405), "00 00"),
    ("QueryColumns", b.QueryColumnsResponse(columns=(NAME,)), "ff 01000000 1f000130"),
    (
        "ResolveNames",
        b.ResolveNamesResponse(code_page=1252, minimal_ids=(2, 0, 2), rows=ROWS),
        f"e4040000 ff 03000000 02000000 00000000 02000000 ff {ROWS_HEX}",
    ),
    (
        "ResortRestriction",
        b.ResortRestrictionResponse(state=Stat(), minimal_ids=(0x12,)),
        f"ff {STAT} ff 01000000 12000000",
    ),
    ("SeekEntries", b.SeekEntriesResponse(state=Stat(), rows=None), f"ff {STAT} 00"),
    ("UpdateStat", b.UpdateStatResponse(state=Stat(), delta=-2), f"ff {STAT} ff feffffff"),
    ("GetMailboxUrl", b.GetMailboxUrlResponse(server_url="h"), "68000000"),
    ("GetAddressBookUrl", b.GetAddressBookUrlResponse(server_url="h"), "68000000"),
]


@pytest.mark.parametrize(("name", "value", "octets"), REQUESTS)
def test_requests(name: str, value: b.Request, octets: str) -> None:
    data = bytes.fromhex(octets + NO_AUX)
    assert value.encode().hex() == data.hex()
    assert b.decode_request(name, data) == value
    for size in range(len(data) - 4):
        with pytest.raises(WireError):
            b.decode_request(name, data[:size])
    with pytest.raises(WireError):
        b.decode_request(name, data + b"\0")


def test_auxiliary_buffers_are_kept() -> None:
    data = bytes.fromhex("00000000 03000000 010203")
    assert b.decode_request("unbind", data) == b.UnbindRequest(aux=b"\1\2\3")
    assert b.UnbindRequest(aux=b"\1\2\3").encode() == data


@pytest.mark.parametrize(("name", "value", "octets"), RESPONSES)
def test_responses(name: str, value: b.Response, octets: str) -> None:
    data = bytes(4) + value.code.to_bytes(4, "little") + bytes.fromhex(octets + NO_AUX)
    assert value.encode().hex() == data.hex()
    assert b.decode_response(name, data) == value
    for size in range(len(data)):
        with pytest.raises(WireError):
            b.decode_response(name, data[:size])


def test_a_failed_request_has_nothing_but_its_status() -> None:
    data = bytes.fromhex("05400080 00000000")
    assert b.BindResponse(status=0x80004005).encode() == data
    assert b.decode_response("bind", data) == b.BindResponse(status=0x80004005)


@pytest.mark.parametrize(
    ("rows", "octets"),
    [
        (Rows((0x30010000,), [[TypedPropertyValue(0x1E, b"a")]]), "01000000 00000130 01000000 01 1e00 00 ff 6100"),
        (Rows((0x30010000,), [[PropError(5)]]), "01000000 00000130 01000000 01 0a00 0a 05000000"),
        (Rows((0x8009000D,), [[b""]]), "01000000 0d000980 01000000 00"),
        (Rows((0x800F101F,), [[["a", ""]]]), "01000000 1f100f80 01000000 00 ff 02000000 ff 61000000 ff 0000"),
        (Rows((0x68051003,), [[[1, -1]]]), "01000000 03100568 01000000 00 ff 02000000 01000000 ffffffff"),
        (Rows((0x0FF60102, 0x3A420040), [[b"\1", 2]]),
         "02000000 0201f60f 4000423a 01000000 00 ff 01000000 01 0200000000000000"),
    ],
)  # fmt: skip
def test_rows(rows: Rows, octets: str) -> None:
    data = bytes.fromhex("00000000 00000000 00 ff" + octets + NO_AUX)
    assert b.QueryRowsResponse(rows=rows).encode().hex() == data.hex()
    assert b.decode_response("queryrows", data) == b.QueryRowsResponse(rows=rows)


def test_values_within_restrictions_may_come_without_has_value() -> None:
    octets = f"00000000 ff {STAT} 00 00000000 ff 04 04 1f000c36 1f000c36 61006c000000 00 32000000 00 00000000"
    found = b.decode_request("getmatches", bytes.fromhex(octets))
    assert isinstance(found, b.GetMatchesRequest)
    assert found.filter == Property(4, 0x360C001F, "al")


@pytest.mark.parametrize("depth", [15, 16])
def test_restrictions_have_a_depth(depth: int) -> None:
    octets = f"00000000 00 00 00000000 ff {'02' * depth} 08 1f000130 00 00000000 00 00000000"
    if depth < 16:
        b.decode_request("getmatches", bytes.fromhex(octets))
    else:
        with pytest.raises(WireError):
            b.decode_request("getmatches", bytes.fromhex(octets))


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("DNToMId", "00000000 ff ffffffff"),
        ("DNToMId", "00000000 ff 11270000" + "00" * 20000),
        ("ResolveNames", "00000000 00 00 ff 11270000" + "00" * 40000),
        ("ResortRestriction", "00000000 00 ff ffffff7f"),
        ("QueryRows", "00000000 00 ffffffff"),
        ("ModProps", "00000000 00 00 ff ffffffff"),
        ("ModProps", "00000000 00 00 ff 01000000 ffff 0130"),
        ("SeekEntries", "00000000 00 ff 1f10 0130 ff ffffffff"),
    ],
)
def test_counts_are_bounded(name: str, octets: str) -> None:
    with pytest.raises(WireError):
        b.decode_request(name, bytes.fromhex(octets + NO_AUX))
