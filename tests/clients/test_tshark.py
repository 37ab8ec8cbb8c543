"""Wireshark's decoders of RPC over HTTP, NSPI, RFR and HTTP on what server and clients say: nothing is malformed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gromoxd.rop import buffer, extbuffer
from gromoxd.rop.store import Logon, OpenFlags
from gromoxd.rpc import emsmdb, rfr
from tests.clients.sniffing import CLIENT, SERVER, Recorder, capture, recorded, rpc_pdus
from tests.conftest import require_binary
from tests.http.rpch.client import Virtual
from tests.support.outlook.autodiscover import discover
from tests.support.outlook.profile import Profile
from tests.support.server import Server

transport: Any = pytest.importorskip("impacket.dcerpc.v5.transport")
nspi: Any = pytest.importorskip("impacket.dcerpc.v5.nspi")
uuid: Any = pytest.importorskip("impacket.uuid")
pytestmark = pytest.mark.slow
ALICE = "alice@example.test"
NSPI = uuid.uuidtup_to_bin(("f5cc5a18-4264-101a-8c59-08002b2f8426", "56.0"))
PORT = 6001
SHORT_IN_WIRESHARK = ("NspiUpdateStat", "NspiQueryColumns", "NspiGetHierarchyInfo request", "NspiDNToEph")
"""Its description has no parameters of these, or not all: it finds the frames too long."""


class Tapped(NamedTuple):
    server: Server
    recorder: Recorder
    tshark: str
    folder: Path

    def decoded(self, conversation: list[tuple[int, bytes]], port: int, *arguments: str) -> str:
        """What tshark says of a conversation."""
        file = self.folder / f"{len(list(self.folder.iterdir()))}.pcap"
        file.write_bytes(capture(conversation, port))
        done = subprocess.run(
            [self.tshark, "-n", "-r", str(file), *arguments], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def tapped(server: Server, tmp_path: Path) -> Iterator[Tapped]:
    tshark = require_binary("tshark")
    with recorded(server.address("http")) as recorder:
        yield Tapped(server, recorder, tshark, tmp_path)


def sound(text: str) -> None:
    """No decoder gave up, or found an error."""
    lines = text.splitlines()
    assert lines
    assert not [line for line in lines if re.search(r"Malformed|Expert Info \(Error|exceeded|Dissector bug", line)]


def rpc(tapped: Tapped) -> list[str]:
    """The line of each PDU, all of which were decoded."""
    conversation = rpc_pdus(tapped.recorder.pieces)
    decode = ("-d", f"tcp.port=={PORT},dcerpc")
    sound(tapped.decoded(conversation, PORT, *decode, "-V"))
    lines = tapped.decoded(conversation, PORT, *decode, "-T", "fields", "-e", "_ws.col.Info").splitlines()
    assert len(lines) == len(conversation)
    long = [line for line in lines if "Long frame" in line and not line.startswith(SHORT_IN_WIRESHARK)]
    assert long == []
    return lines


def addressbook(tapped: Tapped) -> None:
    """impacket looks into the address book."""
    found = transport.DCERPCTransportFactory(f"ncacn_http:mail.example.test[{PORT},RpcProxy=mail:80]")
    found.set_rpc_proxy_url(f"http://127.0.0.1:{tapped.recorder.address[1]}/rpc/rpcproxy.dll?mail.example.test:{PORT}")
    found.set_credentials(ALICE, tapped.server.password(ALICE), "")
    found.set_auth_type("Basic")
    dce = found.get_dce_rpc()
    dce.connect()
    dce.bind(NSPI)
    handle, stat = nspi.hNspiBind(dce)["contextHandle"], nspi.STAT()
    stat["CodePage"] = 1252
    nspi.hNspiGetSpecialTable(dce, handle)
    nspi.hNspiUpdateStat(dce, handle, stat)
    nspi.hNspiQueryRows(dce, handle, pStat=stat, Count=20, pPropTags=[0x3001001F, 0x39FE001F, 0x0FFF0102, 0x39000003])
    nspi.hNspiDNToMId(dce, handle, ["/o=nobody"])
    nspi.hNspiUnbind(dce, handle)
    dce.disconnect()


def test_address_book(tapped: Tapped) -> None:
    addressbook(tapped)
    lines = rpc(tapped)
    assert sorted(lines[:4]) == ["CONN/A1, ", "CONN/A3, ", "CONN/B1, ", "CONN/C1,CONN/C2, "]
    assert "1 context items: NSPI V56.0 (32bit NDR)" in lines[4]
    assert "1 results: Acceptance" in lines[5]
    calls = [line.partition("[")[0].partition(",")[0] for line in lines[6:]]
    names = ("Bind", "GetHierarchyInfo", "UpdateStat", "QueryRows", "DNToEph", "Unbind")
    assert calls == [f"Nspi{name} {what}" for name in names for what in ("request", "response")]
    decode = ("-d", f"tcp.port=={PORT},dcerpc", "-Y", "nspi.opnum == 3", "-V")
    rows = tapped.decoded(rpc_pdus(tapped.recorder.pieces), PORT, *decode)
    for part in ("PR_DISPLAY_NAME_UNICODE", "PR_ENTRYID", "MAPISTATUS: MAPI_E_SUCCESS"):
        assert part in rows


def test_mailbox_and_referral(tapped: Tapped) -> None:
    """RfrGetNewDSA, EcDoConnectEx, EcDoRpcExt2 with RopLogon, EcDoDisconnect."""
    password = tapped.server.password(ALICE)
    dn = discover(*tapped.server.address("http"), ALICE, password).dn.encode()
    rops = extbuffer.write([buffer.write(Logon(0, 0, 1, OpenFlags.HOME_LOGON, 0, dn).encode(), [0xFFFFFFFF])])
    with Virtual(tapped.recorder.address, ALICE, password) as link:
        link.bind(rfr.RFR, emsmdb.EMSMDB)
        assert link.call(rfr.RFR, rfr.RfrGetNewDSA(0, dn, None, None)).result == 0
        hello = emsmdb.EcDoConnectEx(
            dn, 0, 0, 0, 1252, 0x409, 0x409, 0xFFFFFFFF, 0, (12, 4518, 1014), 0, b"", 0, 0x1008
        )
        handle = link.call(emsmdb.EMSMDB, hello).handle
        call = emsmdb.EcDoRpcExt2(handle, 3, rops, len(rops), 0x8008, b"", 0, 0x1008)
        assert link.call(emsmdb.EMSMDB, call).result == 0
        link.call(emsmdb.EMSMDB, emsmdb.EcDoDisconnect(handle))
    lines = rpc(tapped)
    assert "2 context items: RFR V1.0 (32bit NDR), MAPI V0.81 (32bit NDR)" in lines[4]
    assert lines[6:] == [
        "RfrGetNewDSA request", "RfrGetNewDSA response",
        "Unknown operation 10 request", "Unknown operation 10 response",  # newer than what it knows of EMSMDB
        "Unknown operation 11 request", "Unknown operation 11 response",
        "EcDoDisconnect request", "EcDoDisconnect response",
    ]  # fmt: skip


def test_mapi_over_http(tapped: Tapped) -> None:
    """Chunked answers, their trailers and fields are HTTP as Wireshark knows it."""
    profile = Profile(tapped.server, ALICE, connect=False)
    profile.host, profile.port = tapped.recorder.address
    with profile:
        profile.connect()
        assert len(profile.store().folders) == 13
    conversation = [(piece.sender, piece.data) for piece in tapped.recorder.pieces if piece.connection == 0]
    assert {sender for sender, _ in conversation} == {CLIENT, SERVER}
    decode = ("-d", "tcp.port==8080,http", "-o", "tcp.check_checksum:false", "-2")
    sound(tapped.decoded(conversation, 8080, *decode, "-V"))
    fields = ("-Y", "http.response", "-T", "fields", "-e", "http.response.code", "-e", "http.content_type")
    answers = tapped.decoded(conversation, 8080, *decode, *fields).splitlines()
    assert answers.count("200\tapplication/mapi-http") >= 2


def test_damage_would_be_seen(tapped: Tapped) -> None:
    """The rows of an answer, cut: the decoders complain."""
    addressbook(tapped)
    conversation = rpc_pdus(tapped.recorder.pieces)
    at, (sender, rows) = max(enumerate(conversation), key=lambda one: len(one[1][1]))
    cut = rows[:8] + (len(rows) - 40).to_bytes(2, "little") + rows[10:-40]
    conversation[at] = sender, cut
    with pytest.raises(AssertionError, match="Malformed"):
        sound(tapped.decoded(conversation, PORT, "-d", f"tcp.port=={PORT},dcerpc", "-V"))
