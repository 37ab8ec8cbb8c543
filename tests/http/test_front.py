"""Requests and replies over real sockets: routes, bodies, chunks, what is malformed, whose address counts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.common.fixtures import certificate  # noqa: F401 - a fixture
from tests.http.harness import codes, probe, wire
from tests.master.harness import Master
from tests.support.server import trusting_tls, until
from workers.http.app import Router
from workers.http.front import Reply, Route


@pytest.fixture(scope="module")
def m(certificate: tuple[str, str]) -> Iterator[Master]:  # noqa: F811
    with probe(tls_certificate_path=certificate[0], tls_private_key_path=certificate[1]) as running:
        yield running


def test_router() -> None:
    made = {path: Route(path, lambda request: Reply(200)) for path in ("/a", "/a/", "/a/b/", "/a/b/c", "/")}
    put = Route("/a", lambda request: Reply(200), ("PUT",))
    router = Router([*made.values(), put])
    for path, wanted in {
        "/a": "/a", "/a/": "/a/",
        "/a/x": "/a/", "/a/b": "/a/", "/a/b/": "/a/b/", "/a/b/x/y": "/a/b/", "/a/b/c": "/a/b/c",
        "/a/b/c/d": "/a/b/", "/": "/", "/b": "", "/ab": "", "": "", "/a/../b": "", "/a/b/..": "", "/a/x\0": "",
    }.items():  # fmt: skip
        found = router.find(path, "GET")
        assert found is made[wanted] if wanted else found == "", path
    assert router.find("/a", "PUT") is put
    assert router.find("/a", "POST") == "GET, HEAD, OPTIONS, PUT"


def test_what_a_handler_sees(m: Master) -> None:
    with wire(m) as w:
        seen = w.ask("/ShOw?Name=J%C3%BCrgen&b=1&B=2&c", X_Thing="1", x_thing="2", Cookie='a=1; sid="3.x"').json
        assert (seen["path"], seen["raw_path"], seen["method"]) == ("/show", "/ShOw", "GET")
        assert seen["query"] == {"name": "Jürgen", "b": "1", "c": ""}
        assert (seen["x"], seen["cookie"], seen["host"]) == ("1, 2", "3.x", "mail.example.test")
        assert w.ask("/TREE/M%C3%BCll/%2e").json["raw_path"] == "/TREE/Müll/."
        assert w.ask("/show", "POST", b"0123").json["body"] == "0123"
        assert w.ask("/show?" + "&".join(f"a{n}=1" for n in range(101))).status == 400


def test_methods(m: Master) -> None:
    with wire(m) as w:
        answer = w.ask("/show", "DELETE")
        assert answer.status == 405 and answer.field("allow") == "GET, HEAD, OPTIONS, POST"
        answer = w.ask("/show", "OPTIONS")
        assert answer.status == 200 and answer.field("allow") == "GET, HEAD, OPTIONS, POST"
        assert w.ask("/tree/deep/x", "PUT", b"abc").body == b"3"
        assert w.ask("/tree/deep/x").status == 405
        assert w.ask("/nothing", "PUT", b"abc").status == 404
        head = w.ask("/show", "HEAD")
        assert head.status == 200 and int(head.field("content-length")) > 100
        assert w.ask("/pieces", "HEAD").status == 200
        assert w.ask("/show").status == 200


def test_faults(m: Master) -> None:
    with wire(m) as w:
        answer = w.ask("/fail?how=bug")
        assert (answer.status, answer.body) == (500, b"internal error\n")
        assert w.ask("/fail?how=os").status == 500
        assert (w.ask("/fail?how=no").status, w.ask("/fail?how=no").body) == (402, b"pay\n")
    with wire(m) as w:
        w.send(b"GET /split HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"X-C" not in w.rest()


def test_pieces_are_sent_as_they_come(m: Master) -> None:
    with wire(m) as w:
        w.send(b"GET /pieces?n=2&wait=0.2 HTTP/1.1\r\nHost: x\r\n\r\n")
        started = time.monotonic()
        w.until(b"PROCESSING")
        assert time.monotonic() - started < 0.15
        w.until(b"\r\n0\r\n\r\n")
        assert time.monotonic() - started >= 0.4
        assert w.ask("/pieces?n=1").chunks == [b"PROCESSING\r\n", b"PENDING\r\n", b"DONE\r\n\r\n"]
        assert w.ask("/sized").body == b"abcdef"


def test_pieces_nobody_waits_for(m: Master) -> None:
    with wire(m) as w:
        before = len(w.ask("/closed").json)
        with wire(m) as other:
            other.send(b"GET /pieces?n=1000&wait=0.01 HTTP/1.1\r\nHost: x\r\n\r\n").until(b"PENDING")
        until(lambda: len(w.ask("/closed").json) == before + 1)


def test_old_clients(m: Master) -> None:
    with wire(m) as w:
        text = w.send(b"GET /pieces HTTP/1.0\r\n\r\n").rest()
        assert text.endswith(b"\r\n\r\nPROCESSING\r\nPENDING\r\nPENDING\r\nDONE\r\n\r\n")
        assert b"chunked" not in text and b"Connection: close" in text
    with wire(m) as w:
        for _ in range(2):
            w.send(b"GET /show HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert w.reply().field("connection") == "keep-alive"


def test_pipelined(m: Master) -> None:
    with wire(m) as w:
        w.send(
            b"POST /show HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /closed HTTP/1.1\r\nHost: x\r\n\r\n" * 2
        )
        assert [w.reply().status for _ in range(4)] == [200] * 4


def test_chunked_bodies(m: Master) -> None:
    head = b"POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with wire(m) as w:
        w.send(head + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX-Trailer: x\r\n\r\n")
        assert w.reply().body == b"13"
        w.send(head)
        for _ in range(300):
            w.send(b"1000\r\n" + bytes(0x1000) + b"\r\n")
        answer = w.reply()
        assert answer.status == 413 and answer.field("connection") == "close"
    for bad in (b"x\r\nabc\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"-3\r\nabc\r\n", b"ffffffffffffffff0\r\n\r\n" + bytes(99)):
        with wire(m) as w:
            answer = w.send(head + bad).rest() if bad[:1] != b"f" else b"HTTP/1.1 400 "
            assert codes(answer) in ([b"400"],) or bad[:1] == b"f", bad


def test_limits(m: Master) -> None:
    with wire(m) as w:
        w.send(b"POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n")
        answer = w.reply()
        assert answer.status == 413 and answer.field("connection") == "close" and w.rest() == b""
    with wire(m) as w:
        assert w.ask("/stream", "POST", bytes(1 << 20)).body == b"1048576"
        assert w.ask("/who", "POST", bytes(65537)).status == 413
    with wire(m) as w:  # a body that nobody wants does not hold up the connection, nor is it taken for a request
        assert w.ask("/nothing", "POST", b"GET /show HTTP/1.1\r\n\r\n" * 100).status == 404
        assert w.ask("/show").status == 200


def test_expect(m: Master) -> None:
    head = b"POST /stream HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with wire(m) as w:
        assert w.send(head % 3).reply().status == 100
        assert w.send(b"abc").reply().body == b"3"
        answer = w.send(head % (2 << 20)).reply()
        assert answer.status == 413 and w.rest() == b""
    with wire(m) as w:
        answer = w.send((head % 3).replace(b"/stream", b"/who")).reply()
        assert answer.status == 405 or answer.status == 401
        assert answer.field("connection") == "close"
    with wire(m) as w:
        assert codes(w.send((head % 3).replace(b"100-continue", b"a-miracle")).rest()) == [b"417"]


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 3\r\n" + CHUNKED, CHUNKED + b"Content-Length: 0\r\n", CHUNKED + CHUNKED,
        b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n",
        b"Content-Length: +3\r\n", b"Content-Length: 3, 3\r\n", b"Content-Length: 0x3\r\n", b"Content-Length: -1\r\n",
        b"Content-Length: 3\r\nContent-Length: 3\r\n", b"X: a\r\n folded: b\r\n", b"X: a\nContent-Length: 3\r\n",
        b"Host: other\r\n", "Content-Length: ３\r\n".encode(),
    ],
)  # fmt: skip
def test_smuggling(m: Master, fields: bytes) -> None:
    """RFC 9112 6.3, 11.2: one bad answer and the end, whatever follows."""
    inner = b"3\r\nabc\r\n0\r\n\r\nGET /closed HTTP/1.1\r\nHost: x\r\n\r\n"
    with wire(m) as w:
        found = codes(w.send(b"POST /show HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n" + inner).rest())
        assert found in ([b"400"], [b"501"])


@pytest.mark.slow
def test_slow_and_broken_bodies() -> None:
    with probe(http_conn_timeout="1s") as m:
        with wire(m) as w:
            started = time.monotonic()
            answer = w.send(b"POST /show HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nabc").reply()
            assert answer.status == 408 and 0.8 < time.monotonic() - started < 8
        with wire(m) as w:  # one octet now and then
            w.send(b"POST /show HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n")
            w.sock.settimeout(0.2)
            started = time.monotonic()
            while True:
                assert time.monotonic() - started < 10
                w.send(b"a")
                try:
                    w.until(b"HTTP/1.1 408")
                    break
                except TimeoutError:
                    continue
        with wire(m) as w:
            w.send(b"POST /show HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nabc").sock.shutdown(1)
            assert w.reply().status == 400
        with wire(m) as w:
            assert w.ask("/show").status == 200


FORGED = "198.51.100.7"


def test_forwarded(m: Master) -> None:
    """The tests' own address is a trusted proxy's."""
    with wire(m) as w:
        seen = w.ask("/show").json
        assert (seen["peer"], seen["secure"], seen["host"]) == ("127.0.0.1", False, "mail.example.test")
        seen = w.ask("/show", X_Forwarded_For=f"{FORGED}, 203.0.113.5", X_Forwarded_Proto="https").json
        assert (seen["peer"], seen["secure"]) == ("203.0.113.5", True)
        seen = w.ask(
            "/show", X_Forwarded_For=f"{FORGED}, [2001:db8::1], 127.0.0.9", X_Forwarded_Host="a.test:8443"
        ).json
        assert (seen["peer"], seen["host"]) == ("2001:db8::1", "a.test:8443")
        assert w.ask("/show", X_Forwarded_For="127.0.0.2").json["peer"] == "127.0.0.2"
        assert w.ask("/show", X_Forwarded_Host='x"><script>').json["host"] == ""
        assert w.ask("/metrics", X_Forwarded_For="127.0.0.1").status == 403
        assert w.ask("/metrics").status == 200


def test_forwarded_by_strangers() -> None:
    with probe(http_trusted_proxies="192.0.2.0/24") as m, wire(m) as w:
        seen = w.ask("/show", X_Forwarded_For=FORGED, X_Forwarded_Proto="https", X_Forwarded_Host="evil.test").json
        assert (seen["peer"], seen["secure"], seen["host"]) == ("127.0.0.1", False, "mail.example.test")
        assert w.ask("/metrics", X_Forwarded_For=FORGED).status == 403


def test_tls(m: Master) -> None:
    with wire(m, "https", trusting_tls()) as w:
        assert w.ask("/show").json["secure"] is True
        assert w.ask("/pieces").body.startswith(b"PROCESSING")


def test_landing_page(m: Master) -> None:
    with wire(m) as w:
        page = w.ask("/")
        assert page.status == 200 and page.field("content-type") == "text/html; charset=utf-8"
        assert b"<h1>gromoxd</h1>" in page.body and b"0.1.0" not in page.body
        assert b"RPC over HTTP" in page.body and b"MAPI over HTTP" not in page.body
        assert not page.field("server")


def test_one_log_line_holds_no_secret(m: Master) -> None:
    assert json.dumps("Grüße 7") not in m.log and "R3LDvMOf" not in m.log
