"""Requests and channels that belong to another worker: relayed, passed as descriptors; owners that die."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.common.fixtures import certificate  # noqa: F401 - a fixture
from tests.http.harness import ALICE, Wire, basic, probe, wire
from tests.master.harness import HUP, KILL, Master
from tests.support.server import trusting_tls, until

HEAD = "{method} /rpc/RpcProxy.dll?mail:6001 HTTP/1.1\r\nHost: x\r\nAuthorization: {basic}\r\nX-Thing: t\r\n{more}\r\n"


@pytest.fixture(scope="module")
def m(certificate: tuple[str, str]) -> Iterator[Master]:  # noqa: F811
    more = {"tls_certificate_path": certificate[0], "tls_private_key_path": certificate[1]}
    with probe(http_workers="2", **more) as running:
        yield running


def own(m: Master, slot: int) -> Wire:
    """A connection to one worker's own socket, as a proxy that reads cookies makes it."""
    return Wire(m.site / "run" / f"http.{slot}.sock")


def test_the_sockets_are_private(m: Master) -> None:
    for name in ("http.0.sock", "http.1.sock", "http.0.fd.sock", "http.1.fd.sock"):
        assert (m.site / "run" / name).stat().st_mode & 0o777 == 0o600, name


def test_by_the_cookie(m: Master) -> None:
    with own(m, 0) as w:
        for slot in (0, 1, 0, 1):
            seen = w.ask("/session", Authorization=basic(), Cookie=f"a=b; sid={slot}.abc").json
            assert (seen["slot"], seen["user"], seen["login"]) == (slot, ALICE, ALICE)
        assert w.ask("/session", Authorization=basic(), Cookie="sid=nonsense").json["slot"] == 0
        assert w.ask("/session", Authorization=basic()).json["slot"] == 0
        assert w.ask("/who", Authorization=basic(), Cookie="sid=1.abc").json["slot"] == 0


def test_relayed_bodies(m: Master) -> None:
    with own(m, 0) as w:
        for size in (1, 300 << 10, 5 << 20):
            assert w.ask("/session", "POST", bytes(size), Authorization=basic(), Cookie="sid=1.x").json["body"] == size
        head = f"POST /session HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\nCookie: sid=1.x\r\n"
        w.send(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        assert w.send(b"2\r\nde\r\n0\r\n\r\n").reply().json["body"] == 5
        w.send(head.encode() + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert w.reply().status == 100 and w.send(b"abc").reply().json["body"] == 3
        assert w.send(head.encode() + b"Content-Length: 9000000\r\n\r\n").reply().status == 413


def test_relayed_pieces_come_one_by_one(m: Master) -> None:
    with own(m, 0) as w:
        w.send(f"GET /session?mode=pieces&n=2&wait=0.3 HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n".encode())
        w.send(b"Cookie: sid=1.x\r\n\r\n")
        w.until(b"PROCESSING\r\n")
        assert b"DONE" not in w.data
        w.until(b"\r\n0\r\n\r\n")
        answer = w.ask("/session?mode=list", Authorization=basic(), Cookie="sid=1.x")
        assert answer.chunks == [b"one ", b"two"]
        assert w.ask("/session", Authorization=basic(), Cookie="sid=1.x").json["slot"] == 1


def test_the_client_is_the_first_workers(m: Master) -> None:
    host = {"X_Forwarded_For": "203.0.113.5", "X_Forwarded_Host": "mail.test", "X_Forwarded_Proto": "https"}
    with wire(m) as w:
        for slot in (0, 1):
            seen = w.ask("/session", Authorization=basic(), Cookie=f"sid={slot}.x", **host).json
            assert (seen["peer"], seen["host"], seen["secure"]) == ("203.0.113.5", "mail.test", True)


def test_nobody_else_is_believed(m: Master) -> None:
    """The header of relayed requests needs the workers' key, on every socket."""
    for forged in ("x", "x.y", ".", "gqVhbGljZQ.0000", "é"):
        for place in (own(m, 1), wire(m)):
            with place as w:
                assert w.ask("/session", X_Gromoxd_Relayed=forged, Cookie="sid=1.x").status == 401
    with own(m, 0) as w:
        assert w.ask("/session", Cookie="sid=1.x").status == 401
        assert w.ask("/session", Authorization=basic(password="no"), Cookie="sid=1.x").status == 401


def test_no_such_worker(m: Master) -> None:
    with own(m, 1) as w:
        for cookie in ("7.x", "9999.x", "99999.x", "-1.x"):
            assert w.ask("/session", Authorization=basic(), Cookie=f"sid={cookie}").json["slot"] == 1


def test_an_owner_that_dies(m: Master) -> None:
    with own(m, 0) as w:
        seen = w.ask("/session?mode=die", Authorization=basic(), Cookie="sid=1.x")
        assert (seen.status, seen.json["slot"]) == (200, 0)  # nobody has the session any more: this worker says so
        until(lambda: w.ask("/session", Authorization=basic(), Cookie="sid=1.x").json["slot"] == 1)
        w.send(
            f"GET /session?mode=pieces&n=1000&wait=0.05 HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n".encode()
        )
        w.send(b"Cookie: sid=1.x\r\n\r\n").until(b"PENDING")
        os.kill(m.workers()["http.1"], KILL)
        assert not w.rest().endswith(b"0\r\n\r\n")
    with own(m, 0) as w:
        until(lambda: "http.1" in m.workers())
        assert w.ask("/session", Authorization=basic(), Cookie="sid=1.x").json["slot"] == 1


# ---------------------------------------------------------------------------------------------- channels


def open_channel(
    w: Wire, method: str = "RPC_IN_DATA", more: str = "Content-Length: 1073741824\r\n", data: bytes = b""
) -> Wire:
    return w.send(HEAD.format(method=method, basic=basic(), more=more).encode("latin-1") + data)


def test_channels_are_given_away(m: Master) -> None:
    for method in ("RPC_IN_DATA", "RPC_OUT_DATA"):
        with own(m, 1) as w:
            open_channel(w, method, data=b"at once\n")
            assert w.until(b"\n") == f"1 {ALICE} {method} t at once\n".encode()
            assert w.send(b"later\n").until(b"\n").endswith(b"t later\n")


def test_channels_get_one_continue(m: Master) -> None:
    with own(m, 0) as w:
        open_channel(w, more="Expect: 100-continue\r\nContent-Length: 1073741824\r\n")
        assert w.reply().status == 100
        assert w.send(b"a\n").until(b"\n").startswith(b"0 alice")


def test_channels_need_a_user_and_the_path(m: Master) -> None:
    with own(m, 0) as w:
        w.send(b"RPC_IN_DATA /rpc/rpcproxy.dll HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        answer = w.reply()
        assert answer.status == 401 and answer.field("www-authenticate").startswith("Basic")
        assert open_channel(w).send(b"x\n").until(b"\n").startswith(b"0 alice")
    with own(m, 0) as w:
        w.send(b"RPC_IN_DATA /rpc/rpcproxy.dll HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n")
        assert w.reply().status == 401 and w.rest() == b""
    with own(m, 0) as w:
        w.send(b"RPC_IN_DATA /elsewhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert w.reply().status == 404


@pytest.mark.parametrize("service", ["http", "https"])
def test_channels_are_passed_on(m: Master, service: str) -> None:
    with wire(m, service, trusting_tls() if service == "https" else None) as w:
        open_channel(w)
        for number, slot in enumerate((0, 1, 1, 0)):
            w.send(f"pass {slot} give {number}\n".encode())
            assert w.until(b"\n") == f"{slot} {ALICE} RPC_IN_DATA t give {number}\n".encode()
        big = b"x" * 200000
        assert w.send(big + b"\n").until(b"\n").endswith(b" " + big + b"\n")
        assert w.send(b"pass 7 nobody\n").until(b"\n") == b"not passed\n"


def test_a_channel_ends_with_its_client(m: Master) -> None:
    with own(m, 0) as w:
        open_channel(w).send(b"pass 1 there\n").until(b"\n")
        os.kill(m.workers()["http.1"], KILL)
        assert w.rest() == b""
    until(lambda: "http.1" in m.workers())
    with own(m, 0) as w:
        open_channel(w)
        until(lambda: w.send(b"pass 1 again\n").until(b"\n").startswith(b"1 alice"))


def test_more_and_fewer_workers() -> None:
    """A new worker has a socket of its own; the sessions of one that is gone are this worker's to answer."""
    with probe(http_workers="1") as m:
        m.write_conf(http_workers="2")
        m.signal(HUP)
        with own(m, 0) as w:
            until(lambda: w.ask("/session", Authorization=basic(), Cookie="sid=1.x").json["slot"] == 1)
        m.write_conf(http_workers="1")
        m.signal(HUP)
        with own(m, 0) as w:
            until(lambda: w.ask("/session", Authorization=basic(), Cookie="sid=1.x").json["slot"] == 0)
        until(lambda: not (m.site / "run" / "http.1.sock").exists())
