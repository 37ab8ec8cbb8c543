"""impacket as a client of a real server: Basic and NTLM over HTTP, NTLM inside RPC at all levels, address lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from gromoxd.directory.admin import Admin
from gromoxd.directory.database import make_engine
from gromoxd.directory.settings import DatabaseSettings
from tests.support.server import Server, running

transport: Any = pytest.importorskip("impacket.dcerpc.v5.transport")
nspi: Any = pytest.importorskip("impacket.dcerpc.v5.nspi")
rpcrt: Any = pytest.importorskip("impacket.dcerpc.v5.rpcrt")
uuid: Any = pytest.importorskip("impacket.uuid")
pytestmark = pytest.mark.slow
ALICE, BOB = "alice@example.test", "bob@example.test"
EMSMDB, NSPI = ("a4f1db00-ca47-1067-b31f-00dd010662da", "0.81"), ("f5cc5a18-4264-101a-8c59-08002b2f8426", "56.0")


class Place(NamedTuple):
    server: Server
    password: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    options = {"http_workers": "2", "http_auth_spnego": "true", "http_ntlm_proxied": "true"}
    with running(tmp_path_factory.mktemp("impacket") / "site", options=options) as it:
        engine = make_engine(DatabaseSettings(), str(it.site))
        admin = Admin(engine, str(it.site / "data"), store_nt_hash=True)
        for name in (ALICE, BOB):
            admin.set_password(name, "Secret 7")
        engine.dispose()
        yield Place(it, "Secret 7")


def bound(
    place: Place,
    interface: tuple[str, str],
    *,
    http: str = "Basic",
    level: int = 1,
    port: int = 6001,
    inside: str = ALICE,
) -> Any:  # fmt: skip
    """A bound connection of Alice's."""
    found = transport.DCERPCTransportFactory(f"ncacn_http:mail.example.test[{port},RpcProxy=mail:80]")
    found.set_rpc_proxy_url(f"http://{place.server.host}:8080/rpc/rpcproxy.dll?mail.example.test:{port}")
    found.set_credentials(ALICE, place.password, "")
    found.set_auth_type(http)
    dce = found.get_dce_rpc()
    dce.set_credentials(inside, place.password, "")
    dce.set_auth_level(level)
    dce.connect()
    dce.bind(uuid.uuidtup_to_bin(interface))
    return dce


@pytest.mark.parametrize("http", ["Basic", "NTLM"])
@pytest.mark.parametrize("level", [1, 2, 5, 6])
def test_dummy_rpc(place: Place, http: str, level: int) -> None:
    dce = bound(place, EMSMDB, http=http, level=level)
    for _ in range(3):
        dce.call(6, b"")
        assert dce.recv()[:4] == bytes(4)
    dce.disconnect()


def test_another_user_inside(place: Place) -> None:
    dce = bound(place, EMSMDB, level=6, inside=BOB)
    dce.call(6, b"")
    with pytest.raises(rpcrt.DCERPCException, match="access_denied"):
        dce.recv()
    dce.disconnect()


@pytest.mark.parametrize(("level", "port"), [(1, 6001), (6, 6004)])
def test_address_book(place: Place, level: int, port: int) -> None:
    dce = bound(place, NSPI, level=level, port=port)
    handle = nspi.hNspiBind(dce)["contextHandle"]
    table = nspi.simplifyPropertyRowSet(nspi.hNspiGetSpecialTable(dce, handle)["ppRows"])
    assert [row[0x3001001F] for row in table][:2] == ["Global Address List", "All Address Lists"]
    stat = nspi.STAT()
    stat["CodePage"] = 1252
    moved = nspi.hNspiUpdateStat(dce, handle, stat)["pStat"]
    assert moved["TotalRecs"] == 2
    rows = nspi.hNspiQueryRows(dce, handle, pStat=stat, Count=20, pPropTags=[0x3001001F, 0x39FE001F])
    assert nspi.simplifyPropertyRowSet(rows["ppRows"]) == [
        {0x3001001F: "Alice", 0x39FE001F: ALICE}, {0x3001001F: "Bob", 0x39FE001F: BOB}
    ]  # fmt: skip
    assert len(nspi.hNspiQueryColumns(dce, handle)["ppColumns"]["aulPropTag"]) > 30
    assert nspi.hNspiDNToMId(dce, handle, ["/o=nobody"])["ppOutMIds"]["aulPropTag"][0]["Data"] == 0
    assert nspi.hNspiUnbind(dce, handle)["ErrorCode"] == 1
    dce.disconnect()
