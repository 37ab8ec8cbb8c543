"""impacket, an implementation from elsewhere, reads what we write and writes what we read."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.mapi.values import TaggedPropertyValue as Value
from gromoxd.nspi.stat import Stat
from gromoxd.rpc import nspi
from gromoxd.rpc.stub import Stub

theirs: Any = pytest.importorskip("impacket.dcerpc.v5.nspi")
H = bytes(range(20))


class Sent(Exception):
    """What impacket would send."""


class Wire:
    """Where impacket's helpers send their requests."""

    def request(self, request: Any, **_: Any) -> Any:
        raise Sent(nspi.NSPI.calls[request.opnum].decode(request.getData()))


def sent(helper: str, *arguments: Any, **more: Any) -> Stub:
    handle = theirs.NspiBindResponse(nspi.BindAnswer(None, H, 0).encode())["contextHandle"]
    with pytest.raises(Sent) as caught:
        getattr(theirs, helper)(Wire(), handle, *arguments, **more)
    found = caught.value.args[0]
    assert isinstance(found, Stub) and getattr(found, "handle", H) == H
    return found


def test_query_rows() -> None:
    found = sent("hNspiQueryRows", Count=9, pPropTags=[0x3001001F, 0x39FE001F], lpETable=[5, 6])
    stat = found.stat  # type: ignore[attr-defined]
    assert found == nspi.QueryRows(H, 1, stat, 2, [5, 6], 9, [0x3001001F, 0x39FE001F])


def test_dn_to_mid() -> None:
    found = sent("hNspiDNToMId", ["/o=x/cn=a", "/o=y"])
    assert found == nspi.DNToMId(H, 0, [b"/o=x/cn=a", b"/o=y"])


def test_resolve_names() -> None:
    found = sent("hNspiResolveNamesW", paStr=["al", "b\u00f6"])
    assert isinstance(found, nspi.ResolveNamesW) and found.names == ["al", "b\u00f6"]


def test_others() -> None:
    assert isinstance(sent("hNspiUnbind"), nspi.Unbind)
    assert isinstance(sent("hNspiGetSpecialTable"), nspi.GetSpecialTable)
    found = sent("hNspiGetPropList", dwMId=7, CodePage=1252)
    assert found == nspi.GetPropList(H, 1, 7, 1252)
    assert sent("hNspiQueryColumns") == nspi.QueryColumns(H, 0, 0x80000000)


def test_rows() -> None:
    row = [
        Value(0x3001001F, "Al\u00edce"), Value(0x39FE001E, b"a@example.test"), Value(0x0FFE0003, 6),
        Value(0x8015000A, 0x8004010F), Value(0x0FFF0102, b"entryid"), Value(0x800F101F, ["x", "y"]),
        Value(0x3A40000B, True), Value(0x30080040, 132_000_000_000_000_000),
    ]  # fmt: skip
    octets = nspi.QueryRowsAnswer(Stat(code_page=1252, num_pos=1), [row, row[:2]], 0).encode()
    answer = theirs.NspiQueryRowsResponse(octets)
    assert answer["ErrorCode"] == 0 and answer["pStat"]["NumPos"] == 1
    first, second = theirs.simplifyPropertyRowSet(answer["ppRows"])
    assert second[0x3001001F] == "Al\u00edce" and second[0x39FE001E] in (b"a@example.test", "a@example.test")
    assert first[0x0FFE0003] == 6 and bytes(first[0x0FFF0102]) == b"entryid" and len(first) == 8


def test_bind() -> None:
    answer = theirs.NspiBindResponse(nspi.BindAnswer(bytes(range(16)), H, 0).encode())
    assert answer["pServerGuid"] == bytes(range(16)) and answer["contextHandle"].getData() == H
