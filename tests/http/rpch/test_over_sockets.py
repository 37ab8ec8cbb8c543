"""Virtual connections to a real server: sessions, notifications, channels that are replaced, strangers."""

from __future__ import annotations

import contextlib
import smtplib
import time
from collections.abc import Iterator

import pytest

from gromoxd.directory import dn
from gromoxd.nspi.stat import Stat
from gromoxd.rop import buffer, extbuffer
from gromoxd.rop.notify import RegisterNotification
from gromoxd.rop.store import Logon
from gromoxd.rpc import rts
from gromoxd.rpc.asyncemsmdb import ASYNC_EMSMDB, EcDoAsyncWaitEx, EcDoAsyncWaitExAnswer
from gromoxd.rpc.emsmdb import (
    EMSMDB,
    EcDoAsyncConnectEx,
    EcDoConnectEx,
    EcDoConnectExAnswer,
    EcDoDisconnect,
    EcDoRpcExt2,
    EcDummyRpc,
    EcRRegisterPushNotification,
)
from gromoxd.rpc.nspi import NSPI, Bind, QueryColumns, QueryRows
from gromoxd.rpc.pdu import Fault
from gromoxd.rpc.rfr import RFR, RfrGetFQDNFromServerDN, RfrGetNewDSA
from gromoxd.rpc.stub import NO_HANDLE
from tests.http.rpch.client import Virtual, refused
from tests.support.server import Server, running, trusting_tls, until

pytestmark = pytest.mark.slow
ALICE, BOB = "alice@example.test", "bob@example.test"
ORG = "Gromox default"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = {"http_workers": "2", "rpch_channel_lifetime": "128K"}
    with running(tmp_path_factory.mktemp("rpch") / "site", options=options) as it:
        yield it


def virtual(server: Server, user: str = ALICE, **more: int) -> Virtual:
    return Virtual((server.host, 8080), user, server.info["users"][user], **more)


@pytest.fixture(scope="module")
def names(server: Server) -> dict[str, bytes]:
    """The DNs of the users, from the address book; of somebody who is not there too."""
    with virtual(server) as v:
        v.bind(NSPI)
        handle = v.call(NSPI, Bind(0, Stat(), None)).handle
        rows = v.call(NSPI, QueryRows(handle, 0, Stat(), 0, None, 10, [0x39FE001F, 0x3003001F])).rows
    found = {row[0].value: row[1].value.encode() for row in rows}
    return {**found, "nobody@example.test": dn.recipient_dn(ORG, 1, 99, "nobody@example.test").encode()}


def connect(v: Virtual, essdn: bytes) -> EcDoConnectExAnswer:
    version = (0x0E00, 0x8000, 1)
    call = EcDoConnectEx(essdn, 0, 0, 0, 1252, 1033, 1033, 0xFFFFFFFF, 0, version, 0, b"", 0, 0x1008)
    answer = v.call(EMSMDB, call)
    assert isinstance(answer, EcDoConnectExAnswer)
    return answer


def execute(v: Virtual, handle: bytes, rop: bytes, handles: list[int]) -> tuple[bytes, list[int]]:
    octets = extbuffer.write([buffer.write(rop, handles)])
    answer = v.call(EMSMDB, EcDoRpcExt2(handle, 3, octets, len(octets), 0x8007, b"", 0, 0))
    assert answer.result == 0 and answer.handle == handle
    return buffer.read(extbuffer.read_one(answer.rops))


def test_echo(server: Server) -> None:
    """[MS-RPCH] 2.1.2.1.5, 2.1.2.1.6."""
    for method in ("RPC_IN_DATA", "RPC_OUT_DATA"):
        answer = refused(virtual(server).channel(method, 0, None))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 Success\r\n") and b"Content-Length: 20" in head
        assert rts.decode(body) == rts.echo()


def test_head_of_the_out_channel(server: Server) -> None:
    v = virtual(server)
    v.out = v.channel("RPC_OUT_DATA", 76, rts.conn_a1(v.cookie, v.out_cookie, 65536))
    assert v.head().endswith("Content-Length: 131072\r\n\r\n")
    v.close()


def test_session(server: Server, names: dict[str, bytes]) -> None:
    with virtual(server) as v:
        v.bind(EMSMDB, ASYNC_EMSMDB)
        assert v.call(EMSMDB, EcDummyRpc()).result == 0
        found = connect(v, names[ALICE])
        assert found.result == 0 and found.handle != NO_HANDLE and found.display_name == b"Alice"
        assert found.dn_prefix == dn.prefix(ORG).encode() and found.server_version == (0x0F00, 0x8000 | 847, 4040)
        rop = Logon(0, 0, 1, 0x01000000, 0, names[ALICE]).encode()
        answer, handles = execute(v, found.handle, rop, [0xFFFFFFFF])
        assert answer[0] == 0xFE and answer[2:6] == bytes(4) and handles == [0]
        refusal = v.call(EMSMDB, EcRRegisterPushNotification(found.handle, 0, b"", 0, 0, b"", 0))
        assert (refusal.result, refusal.notification) == (0x80040102, 0)
        ended = v.call(EMSMDB, EcDoDisconnect(found.handle))
        assert (ended.handle, ended.result) == (NO_HANDLE, 0)
        assert v.call(EMSMDB, EcDoDisconnect(found.handle)) == Fault.CONTEXT_MISMATCH


def test_who_may_connect(server: Server, names: dict[str, bytes]) -> None:
    with virtual(server) as v:
        v.bind(EMSMDB)
        other = connect(v, names[BOB])
        assert (other.handle, other.result) == (NO_HANDLE, 0x80070005)
        nobody = connect(v, names["nobody@example.test"])
        assert (nobody.handle, nobody.result) == (NO_HANDLE, 0x000003EB)


def test_waiting_does_not_hold_up_the_others(server: Server, names: dict[str, bytes]) -> None:
    """[MS-OXCRPC] 3.3.4.1: the call is answered when there is something to tell; here, that the session has ended."""
    with virtual(server) as v, virtual(server) as other:
        v.bind(EMSMDB, ASYNC_EMSMDB)
        session = connect(v, names[ALICE])
        handle = v.call(EMSMDB, EcDoAsyncConnectEx(session.handle)).async_handle
        other.bind(EMSMDB)
        waiting = v.begin(ASYNC_EMSMDB, EcDoAsyncWaitEx(handle, 0))
        assert v.call(ASYNC_EMSMDB, EcDoAsyncWaitEx(handle, 0)).result == 0x7EE  # one waits already
        for _ in range(3):
            assert v.call(EMSMDB, EcDummyRpc()).result == 0
        assert waiting not in v.done
        assert other.call(EMSMDB, EcDoDisconnect(session.handle)).result == 0
        assert v.end(waiting, ASYNC_EMSMDB, 0) == EcDoAsyncWaitExAnswer(1, 0)
        assert v.call(ASYNC_EMSMDB, EcDoAsyncWaitEx(bytes(20), 0)) == EcDoAsyncWaitExAnswer(1, 0)


def test_handles_are_the_users(server: Server, names: dict[str, bytes]) -> None:
    """Good on each connection of the user, and of nobody else; gone with the last connection of their group."""
    with virtual(server) as v:
        group = v.bind(EMSMDB).group
        session = connect(v, names[ALICE])
        with virtual(server) as second, virtual(server, BOB) as bob:
            assert second.bind(EMSMDB, group=group).group == group
            assert bob.bind(EMSMDB, group=group).group == group
            call = EcDoRpcExt2(session.handle, 3, b"", 0, 0x8007, b"", 0, 0)
            assert second.call(EMSMDB, call).result == 0
            assert bob.call(EMSMDB, call) == Fault.CONTEXT_MISMATCH
    with virtual(server) as third:
        third.bind(EMSMDB)
        until(lambda: third.call(EMSMDB, call) == Fault.CONTEXT_MISMATCH, describe="rundown")


def test_address_book_and_referral(server: Server, names: dict[str, bytes]) -> None:
    with virtual(server) as v:
        v.bind(NSPI, RFR)
        bound = v.call(NSPI, Bind(0, Stat(), bytes(16)))
        assert bound.result == 0 and len(bound.server_guid) == 16
        assert 0x3001001F in v.call(NSPI, QueryColumns(bound.handle, 0, 0x80000000)).columns
        assert v.call(NSPI, QueryColumns(bytes(20), 0, 0)) == Fault.CONTEXT_MISMATCH
        named = v.call(RFR, RfrGetNewDSA(0, names[ALICE], None, b""))
        assert named.result == 0 and named.server
        mine = dn.parse_recipient(ORG, names[ALICE].decode())
        assert mine is not None
        server_dn = dn.server_dn(ORG, dn.mailbox_id(mine.domain_id, mine.user_id, "example.test")).encode()
        assert v.call(RFR, RfrGetFQDNFromServerDN(0, len(server_dn) + 1, server_dn)).server_fqdn == named.server
        assert v.call(RFR, RfrGetFQDNFromServerDN(0, 11, b"/o=nowhere")).result == 0x8004010F


@pytest.mark.parametrize("port", [6002, 6004])
def test_endpoints_of_the_address_book(server: Server, port: int) -> None:
    with virtual(server, port=port) as v:
        found = v.bind(NSPI, RFR, EMSMDB)
        assert [one.result for one in found.results] == [0, 0, 2]


def test_channels_are_replaced(server: Server) -> None:
    """More octets than a channel may carry, calls that lose nothing, on channels that change three times."""
    with virtual(server) as v:
        v.bind(NSPI)
        handle = v.call(NSPI, Bind(0, Stat(), None)).handle
        columns, outs = v.call(NSPI, QueryColumns(handle, 0, 0)).columns, 0
        v.replace_in()
        for number in range(1200):
            assert v.call(NSPI, QueryColumns(handle, 0, 0)).columns == columns
            if rts.out_r2_a2() in v.received:
                v.received.clear()
                v.replace_out()
                outs += 1
            if number % 400 == 399:
                v.replace_in()
        assert outs >= 2
        assert v.old.rest() in (b"", v.old.data)


@pytest.mark.parametrize("user", [ALICE, BOB])
def test_tls(server: Server, user: str) -> None:
    """Channels over TLS, in the worker that accepted them or through it; they end when one of them does."""
    for _ in range(4):
        v = virtual(server, user)
        v.address, v.tls = (server.host, 8443), trusting_tls()
        with v:
            v.bind(NSPI)
            handle = v.call(NSPI, Bind(0, Stat(), None)).handle
            assert len(v.call(NSPI, QueryColumns(handle, 0, 0)).columns) > 30
            v.replace_in()
            assert len(v.call(NSPI, QueryColumns(handle, 0, 0)).columns) > 30
            v.inn.sock.close()
            with contextlib.suppress(OSError):
                assert v.out.rest() == b""


def test_stub_that_is_none(server: Server) -> None:
    with virtual(server) as v:
        v.bind(NSPI, EMSMDB)
        assert v.end(v.begin(NSPI, b"\1\2\3", 3), NSPI, 3) == Fault.BAD_STUB_DATA
        assert v.end(v.begin(NSPI, b"", 17), NSPI, 17) == Fault.OP_RNG_ERROR
        assert v.end(v.begin(EMSMDB, b"", 0), EMSMDB, 0) == Fault.OP_RNG_ERROR
        assert v.call(EMSMDB, EcDummyRpc()).result == 0


def test_strangers(server: Server) -> None:
    """Bob's IN channel on Alice's connection, a successor of nothing, no such endpoint, garbage."""
    alice, bob = virtual(server), virtual(server, BOB)
    alice.out = alice.channel("RPC_OUT_DATA", 76, rts.conn_a1(alice.cookie, alice.out_cookie, 65536))
    alice.head()
    b1 = rts.conn_b1(alice.cookie, alice.in_cookie, 1 << 30, 300_000, bytes(16))
    found = refused(bob.channel("RPC_IN_DATA", 1 << 30, b1))
    assert b"RPC Error" in found or found == b""  # another worker: there it waits in vain
    nothing = rts.in_r1_a1(alice.out_cookie, alice.in_cookie, alice.in_cookie)
    assert refused(alice.channel("RPC_IN_DATA", 1 << 30, nothing)).startswith(b"HTTP/1.1 503 RPC Error: 6ba\r\n")
    elsewhere = virtual(server, port=593)
    assert b"503 RPC Error: 6ba" in refused(elsewhere.channel("RPC_IN_DATA", 1 << 30, b1))
    assert b"400 Bad Request" in refused(alice.channel("RPC_OUT_DATA", 76, b1))
    assert b"400 Bad Request" in refused(alice.channel("RPC_IN_DATA", 1 << 30, rts.ping()))
    for one in (alice, bob, elsewhere):
        one.close()


def test_chunks(server: Server) -> None:
    """For clients that read nothing else."""
    server.set_conf("http.cfg", rpch_out_chunked="true")
    server.reload()

    def chunked() -> bool:
        with virtual(server) as v:
            v.bind(EMSMDB)
            return bool(v.call(EMSMDB, EcDummyRpc()).result == 0 and v.chunked)

    until(chunked, describe="chunks")


def test_new_mail_is_told_at_once(server: Server, names: dict[str, bytes]) -> None:
    """[MS-OXCNOTIF] 3.1.4.3: a delivery answers the waiting call; what it is about comes with the next ROPs."""
    with virtual(server) as v:
        v.bind(EMSMDB, ASYNC_EMSMDB)
        session = connect(v, names[ALICE]).handle
        _, handles = execute(v, session, Logon(0, 0, 1, 0x01000000, 0, names[ALICE]).encode(), [0xFFFFFFFF])
        register = RegisterNotification(0, 0, 1, 0x0002, 0, True).encode()
        answer, _ = execute(v, session, register, [*handles, 0xFFFFFFFF])
        assert answer == bytes((0x29, 1, 0, 0, 0, 0))
        handle = v.call(EMSMDB, EcDoAsyncConnectEx(session)).async_handle
        waiting = v.begin(ASYNC_EMSMDB, EcDoAsyncWaitEx(handle, 0))
        assert v.call(EMSMDB, EcDummyRpc()).result == 0 and waiting not in v.done
        with smtplib.LMTP(server.host, 2424) as lmtp:
            lmtp.sendmail(BOB, [ALICE], b"Subject: news\r\n\r\nnews\r\n")
        delivered = time.monotonic()
        assert v.end(waiting, ASYNC_EMSMDB, 0) == EcDoAsyncWaitExAnswer(1, 0)
        assert time.monotonic() - delivered < 2
        told, _ = execute(v, session, b"", [])
        assert told[0] == 0x2A
