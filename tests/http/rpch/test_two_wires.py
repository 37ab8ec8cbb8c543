"""The same address book over both wires: what impacket reads over RPC is what MAPI/HTTP gives, value by value."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from gromoxd.addressbook.entry import Collection, container_mid
from gromoxd.directory.admin import Admin
from gromoxd.directory.database import make_engine
from gromoxd.directory.settings import DatabaseSettings
from gromoxd.errors import Ec
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.restrictions import And, Content, Exist, Not, Property, Restriction
from gromoxd.mapi.rows import Cell
from gromoxd.mapi.types import PropType
from gromoxd.mapi.values import PropError, TaggedPropertyValue
from gromoxd.nspi import bodies as b
from gromoxd.nspi.stat import Stat
from gromoxd.nspi.values import Rows
from gromoxd.rpc import nspi as wire
from tests.http.nspi.test_over_sockets import AddressBook
from tests.http.rpch.client import Virtual
from tests.support.server import Server, running, until

transport: Any = pytest.importorskip("impacket.dcerpc.v5.transport")
nspi: Any = pytest.importorskip("impacket.dcerpc.v5.nspi")
ndr: Any = pytest.importorskip("impacket.dcerpc.v5.ndr")
uuid: Any = pytest.importorskip("impacket.uuid")
pytestmark = pytest.mark.slow
ALICE, PEOPLE = "alice@example.test", 200
COLUMNS = (
    tags.PidTagDisplayName, tags.PidTagSmtpAddress, tags.PidTagEmailAddress, tags.PidTagEntryId,
    tags.PidTagInstanceKey, tags.PidTagRecordKey, tags.PidTagSearchKey, tags.PidTagObjectType, tags.PidTagDisplayType,
    tags.PidTagDisplayTypeEx, tags.PidTagAddressBookProxyAddresses, tags.PidTagTitle, tags.PidTagTemplateid,
    tags.PidTagSendRichInfo, tags.PidTagMappingSignature, tags.PidTagAddressBookObjectGuid, tags.PidTagDisplayName - 1,
    tags.PidTagAddressBookProxyAddresses - 1, 0x8009101F,
)  # fmt: skip


class Both(NamedTuple):
    """A server with 200 people and a list of three, asked over three clients."""

    server: Server
    dce: Any
    handle: Any
    virtual: Virtual
    own: bytes
    http: AddressBook


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with running(tmp_path_factory.mktemp("wires") / "site", options={"http_workers": "1"}) as server:
        _fill(server)
        found = transport.DCERPCTransportFactory("ncacn_http:mail.example.test[6001,RpcProxy=mail:80]")
        found.set_rpc_proxy_url(f"http://{server.host}:8080/rpc/rpcproxy.dll?mail.example.test:6001")
        found.set_credentials(ALICE, server.password(ALICE), "")
        found.set_auth_type("Basic")
        dce = found.get_dce_rpc()
        dce.connect()
        dce.bind(uuid.uuidtup_to_bin(("f5cc5a18-4264-101a-8c59-08002b2f8426", "56.0")))
        handle = nspi.hNspiBind(dce)["contextHandle"]
        with Virtual((server.host, 8080), ALICE, server.password(ALICE)) as virtual, AddressBook(server, ALICE) as http:
            virtual.bind(wire.NSPI)
            own = virtual.call(wire.NSPI, wire.Bind(0, Stat(), None)).handle
            yield Both(server, dce, handle, virtual, own, http)
        dce.disconnect()


def _fill(server: Server) -> None:
    """People whose names are in other letters too, some with titles, and a list; until the book has them."""
    engine = make_engine(DatabaseSettings(), str(server.site))
    admin = Admin(engine, str(server.site / "data"))
    for number in range(PEOPLE):
        name = f"p{number:03}@example.test"
        admin.add_user(name, display_name=f"Ä{number % 7} Person {number:03}")
    admin.add_list("three@example.test")
    for number in range(3):
        admin.add_member("three@example.test", f"p{number:03}@example.test")
    engine.dispose()
    server.reload()

    def complete() -> bool:
        with AddressBook(server, ALICE) as http:
            found = http.ask("UpdateStat", b.UpdateStatRequest(state=Stat()))
        assert isinstance(found, b.UpdateStatResponse) and found.state is not None
        return found.state.total_recs >= PEOPLE

    until(complete)


def _stat(**fields: int) -> Any:
    """impacket's STAT."""
    stat = nspi.STAT()
    names = {"code_page": "CodePage", "container_id": "ContainerID", "current_rec": "CurrentRec", "delta": "Delta"}
    for name, value in {"code_page": 1252, **fields}.items():
        stat[names[name]] = value
    return stat


def _place(stat: Any) -> tuple[int, int, int]:
    return int(stat["CurrentRec"]), int(stat["NumPos"]), int(stat["TotalRecs"])


def _raw(prop: Any) -> tuple[int, object]:
    """A value as impacket has it, without what its own simplifying does to octets and booleans."""
    tag, kind = int(prop["ulPropTag"]), int(prop["ulPropTag"]) & 0xFFFF
    value = prop["Value"].fields[prop["Value"].structure[0][0]]
    if kind == PropType.PtypBinary:
        return tag, b"".join(value["lpb"])
    if kind == PropType.PtypString8:
        return tag, value["Data"][:-1].encode("utf-8")
    if kind == 0x101E:
        return tag, [one["Data"][:-1].encode("utf-8") for one in value["lppszA"]]
    simple = nspi.simplifyPropertyRow({"lpProps": [prop]})[tag]
    return tag, bool(simple) if kind == PropType.PtypBoolean else simple


def _foreign(rows: Any) -> list[list[tuple[int, object]]]:
    return [[_raw(prop) for prop in row["lpProps"]] for row in rows["aRow"]]


def _own(rows: Rows | None) -> list[list[tuple[int, object]]]:
    assert rows is not None
    return [[_cell(tag, cell) for tag, cell in zip(rows.columns, row, strict=True)] for row in rows.rows]


def _cell(tag: int, cell: Cell) -> tuple[int, object]:
    if isinstance(cell, PropError):
        return tag & 0xFFFF0000 | PropType.PtypErrorCode, cell.code
    return tag, cell


def test_the_hierarchy(both: Both) -> None:
    found = nspi.hNspiGetSpecialTable(both.dce, both.handle)
    own = both.http.ask("GetSpecialTable", b.GetSpecialTableRequest(flags=4, state=Stat()))
    assert isinstance(own, b.GetSpecialTableResponse) and own.rows is not None
    assert int(found["lpVersion"]) == own.version
    assert _foreign(found["ppRows"]) == [list(map(tuple, row.values)) for row in own.rows]
    assert len(own.rows) == 5


def test_rows_of_a_list_page_by_page(both: Both) -> None:
    for list_mid in (0, container_mid(Collection.GROUPS)):
        stat, seen = _stat(code_page=65001, container_id=list_mid), 0
        state = Stat(code_page=65001, container_id=list_mid)
        while True:
            foreign = nspi.hNspiQueryRows(both.dce, both.handle, 0, pStat=stat, Count=64, pPropTags=COLUMNS)
            own = both.http.ask("QueryRows", b.QueryRowsRequest(state=state, row_count=64, columns=COLUMNS))
            assert isinstance(own, b.QueryRowsResponse) and own.state is not None
            stat, state = foreign["pStat"], own.state
            assert _place(stat) == (state.current_rec, state.num_pos, state.total_recs)
            rows = _own(own.rows)
            assert _foreign(foreign["ppRows"]) == rows
            seen += len(rows)
            if not rows:
                break
        assert seen == state.total_recs == (1 if list_mid else PEOPLE + 3)


def _mids(both: Both) -> list[int]:
    own = both.http.ask("QueryRows", b.QueryRowsRequest(state=Stat(), row_count=300, columns=(tags.PidTagInstanceKey,)))
    assert isinstance(own, b.QueryRowsResponse) and own.rows is not None
    return [struct.unpack("<I", row[0])[0] for row in own.rows.rows if isinstance(row[0], bytes)]


@pytest.mark.parametrize("flags", [0, 2])
def test_an_explicit_table(both: Both, flags: int) -> None:
    asked = [*_mids(both)[100:40:-7], 0x7777]
    foreign = nspi.hNspiQueryRows(
        both.dce, both.handle, flags, pStat=_stat(code_page=65001), Count=50, pPropTags=COLUMNS, lpETable=asked
    )
    request = b.QueryRowsRequest(
        flags=flags, state=Stat(code_page=65001), explicit_table=tuple(asked), row_count=50, columns=COLUMNS
    )
    own = both.http.ask("QueryRows", request)
    assert isinstance(own, b.QueryRowsResponse)
    assert _foreign(foreign["ppRows"]) == _own(own.rows)
    assert _own(own.rows)[-1] == [(tag & 0xFFFF0000 | 0xA, int(Ec.ecNotFound)) for tag in COLUMNS]


def _seek(both: Both, name: str) -> Any:
    """NspiSeekEntries. impacket's own has no pointers where the interface has them ([MS-OXNSPI] 3.1.4.1.9)."""

    class Request(ndr.NDRCALL):  # type: ignore[misc]
        opnum = 4
        structure = (
            ("hRpc", nspi.handle_t), ("Reserved", nspi.DWORD), ("pStat", nspi.STAT), ("pTarget", nspi.PropertyValue_r),
            ("lpETable", nspi.PPropertyTagArray_r), ("pPropTags", nspi.PPropertyTagArray_r),
        )  # fmt: skip

    request = Request()
    request["hRpc"], request["pStat"] = both.handle, _stat()
    request["pTarget"]["ulPropTag"] = tags.PidTagDisplayName
    request["pTarget"]["Value"]["tag"] = 0x1F
    request["pTarget"]["Value"]["lpszW"] = name + "\0"
    request["lpETable"] = request["pPropTags"] = nspi.NULL
    both.dce.call(Request.opnum, request)
    return nspi.NspiSeekEntriesResponse(both.dce.recv())


def _get_props(both: Both, mid: int, columns: Sequence[int]) -> Any:
    """NspiGetProps. impacket's own has a pointer where none travels, and counts one too many."""

    class Request(ndr.NDRCALL):  # type: ignore[misc]
        opnum = 9
        structure = (
            ("hRpc", nspi.handle_t), ("dwFlags", nspi.DWORD), ("pStat", nspi.STAT),
            ("pPropTags", nspi.PPropertyTagArray_r),
        )  # fmt: skip

    request = Request()
    request["hRpc"], request["dwFlags"], request["pStat"] = both.handle, 0, _stat(code_page=65001, current_rec=mid)
    for tag in columns:
        item = nspi.DWORD()
        item["Data"] = tag
        request["pPropTags"]["aulPropTag"].append(item)
    request["pPropTags"]["cValues"] = len(columns)
    request.fields["pPropTags"].fields["Data"].fields["aulPropTag"].fields["MaximumCount"] = len(columns) + 1
    both.dce.call(Request.opnum, request)
    return nspi.NspiGetPropsResponse(both.dce.recv())


def test_names_positions_and_numbers(both: Both) -> None:
    names = ["p007", "Person", "nobody", "p100@example.test", "=three", ""]
    columns = (tags.PidTagDisplayName, tags.PidTagSmtpAddress, tags.PidTagEntryId)
    foreign = nspi.hNspiResolveNamesW(both.dce, both.handle, pPropTags=columns, paStr=names)
    own = both.http.ask("ResolveNames", b.ResolveNamesRequest(state=Stat(), property_tags=columns, names=names))
    assert isinstance(own, b.ResolveNamesResponse) and own.minimal_ids == (2, 1, 0, 2, 2, 0)
    assert tuple(int(mid["Data"]) for mid in foreign["ppMIds"]["aulPropTag"]) == own.minimal_ids
    assert _foreign(foreign["ppRows"]) == _own(own.rows)
    for name in ("ä3", "Bob", "ä6 person 2"):
        sought = _seek(both, name)["pStat"]
        target = TaggedPropertyValue(tags.PidTagDisplayName, name)
        found = both.http.ask("SeekEntries", b.SeekEntriesRequest(state=Stat(), target=target))
        assert isinstance(found, b.SeekEntriesResponse) and found.state is not None
        assert _place(sought) == (found.state.current_rec, found.state.num_pos, found.state.total_recs)
    for current, delta in ((0, 7), (2, -3), (_mids(both)[9], -20), (_mids(both)[9], 500)):
        moved = nspi.hNspiUpdateStat(both.dce, both.handle, _stat(current_rec=current, delta=delta))["pStat"]
        state = Stat(current_rec=current, delta=delta)
        told = both.http.ask("UpdateStat", b.UpdateStatRequest(state=state))
        assert isinstance(told, b.UpdateStatResponse) and told.state is not None
        assert _place(moved) == (told.state.current_rec, told.state.num_pos, told.state.total_recs)


def _dns(both: Both, mids: Sequence[int]) -> list[str]:
    request = b.QueryRowsRequest(
        state=Stat(), explicit_table=tuple(mids), row_count=len(mids), columns=(tags.PidTagEmailAddress,)
    )
    own = both.http.ask("QueryRows", request)
    assert isinstance(own, b.QueryRowsResponse) and own.rows is not None
    return [str(row[0]) for row in own.rows.rows]


def test_distinguished_names_and_properties(both: Both) -> None:
    mids = _mids(both)[::50]
    dns = [*_dns(both, mids), "/o=nobody", "/"]
    foreign = nspi.hNspiDNToMId(both.dce, both.handle, dns)["ppOutMIds"]["aulPropTag"]
    own = both.http.ask("DnToMinId", b.DnToMinIdRequest(names=[dn.encode() for dn in dns]))
    assert isinstance(own, b.DnToMinIdResponse)
    assert [int(mid["Data"]) for mid in foreign] == list(own.minimal_ids or ()) == [*mids, 0, 0]
    for mid in mids:
        listed = nspi.hNspiGetPropList(both.dce, both.handle, mid, 0, 65001)["ppOutMIds"]["aulPropTag"]
        told = both.http.ask("GetPropList", b.GetPropListRequest(minimal_id=mid, code_page=65001))
        assert isinstance(told, b.GetPropListResponse) and told.property_tags is not None
        assert tuple(int(tag["Data"]) for tag in listed) == told.property_tags
        asked = (*told.property_tags, tags.PidTagTitle)
        over_rpc = _get_props(both, mid, asked)
        found = both.http.ask(
            "GetProps", b.GetPropsRequest(state=Stat(current_rec=mid, code_page=65001), property_tags=asked)
        )
        assert isinstance(found, b.GetPropsResponse) and found.property_values is not None
        assert found.code == int(over_rpc["ErrorCode"]) == Ec.ecErrorsReturned
        values = [_raw(prop) for prop in over_rpc["ppRows"]["lpProps"]]
        assert values == _plain(found.property_values.values)


def _plain(values: Sequence[TaggedPropertyValue]) -> list[tuple[int, object]]:
    """Values; what stands for a table over RPC is 0."""
    return [(value.tag, 0 if value.tag & 0xFFFF == PropType.PtypObject else value.value) for value in values]


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        (Property(4, tags.PidTagAnr, "p01"), 10),
        (Content(2, 1, tags.PidTagDisplayName, "ä3 person"), 29),
        (And((Property(4, tags.PidTagObjectType, 6), Not(Content(1, 1, tags.PidTagDisplayName, "Person")))), 2),
        (And((Exist(tags.PidTagSmtpAddress), Property(4, tags.PidTagDisplayType, 1))), 1),
    ],
)
def test_matches(both: Both, restriction: Restriction, expected: int) -> None:
    """impacket has no NspiGetMatches: our own client over RPC instead."""
    over_rpc = both.virtual.call(
        wire.NSPI, wire.GetMatches(both.own, 0, Stat(), None, 0, restriction, None, 300, list(COLUMNS))
    )
    own = both.http.ask(
        "GetMatches", b.GetMatchesRequest(state=Stat(), filter=restriction, row_count=300, columns=COLUMNS)
    )
    assert isinstance(own, b.GetMatchesResponse)
    assert tuple(over_rpc.mids) == own.minimal_ids and len(over_rpc.mids) == expected
    assert (over_rpc.stat, over_rpc.result) == (own.state, own.code)
    assert [_plain(row) for row in over_rpc.rows] == _own(own.rows)


def test_a_large_call_and_a_large_answer(both: Both) -> None:
    """Both are read and written on threads; an answer is not longer than the connection carries."""
    asked = [_mids(both)[5], 0x7777] * 2500
    found = both.virtual.call(
        wire.NSPI, wire.QueryRows(both.own, 0, Stat(), len(asked), asked, len(asked), [*COLUMNS, *COLUMNS])
    )
    assert found.result == 0 and 500 < len(found.rows) < len(asked)
    assert found.rows[2] == found.rows[0] != found.rows[1] == found.rows[3]
    sorted_mids = both.virtual.call(wire.NSPI, wire.ResortRestriction(both.own, 0, Stat(), asked, None))
    assert (sorted_mids.mids, sorted_mids.stat.total_recs) == ([_mids(both)[5]], 1)
    numbers = both.virtual.call(wire.NSPI, wire.DNToMId(both.own, 0, [b"/o=nobody"] * 1500))
    assert numbers.mids == [0] * 1500
