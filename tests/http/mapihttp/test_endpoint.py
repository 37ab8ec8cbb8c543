"""The common part of both endpoints ([MS-OXCMAPIHTTP] 2.2.2, 2.2.3, 3.2.5), with request types of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gromoxd.errors import Ec, MapiError, WireError
from tests.http.mapihttp.fakes import ALICE, BOB, Browser, Request, Site
from workers.http.mapihttp import endpoint as module
from workers.http.mapihttp.contexts import Contexts
from workers.http.mapihttp.endpoint import Endpoint
from workers.http.mapihttp.framing import Code, Context, Refusal, RequestType, Use


class State:
    """What an endpoint has for a session context."""

    def __init__(self) -> None:
        self.closed = 0
        self.event = Event()
        self.go = Event()

    def close(self) -> None:
        self.closed += 1
        self.event.set()

    def wake(self) -> None:
        self.event.set()


class Waiting:
    """A request that waits for the state's event."""

    def __init__(self, state: State) -> None:
        self.state, self.closed = state, 0

    def wait(self, seconds: float) -> bool:
        return self.state.event.wait(seconds) if seconds > 0 else self.state.event.is_set()

    def answer(self) -> bytes:
        return b"told"

    def close(self) -> None:
        self.closed += 1


def begin(context: Context, body: bytes) -> bytes:
    if body == b"no":
        raise MapiError(Ec.ecLoginPerm)
    if body != b"none":
        context.state = State()
    return b"hello"


def use(context: Context, body: bytes) -> bytes:
    if body == b"wire":
        raise WireError("bad")
    if body == b"mapi":
        raise MapiError(Ec.ecRpcFormat)
    if body == b"refuse":
        raise Refusal(Code.NO_PRIVILEGE)
    if body == b"bug":
        raise ZeroDivisionError
    if body == b"slow":
        context.state.go.wait(10)
    return b"used " + body


WAITS: list[Waiting] = []


def wait(context: Context, body: bytes) -> Waiting:
    if body == b"wire":
        raise WireError("bad")
    WAITS.append(Waiting(context.state))
    return WAITS[-1]


TYPES = {
    "bind": RequestType(begin, Use.OPENS),
    "query": RequestType(use, Use.USES),
    "unbind": RequestType(lambda context, body: b"bye", Use.CLOSES),
    "wait": RequestType(wait, Use.WAITS),
    "geturl": RequestType(lambda context, body: b"url", Use.FREE),
}


@pytest.fixture
def site() -> Site:
    return Site(emsmdb_max_cxh_per_user=3)


@pytest.fixture
def endpoint(site: Site) -> Iterator[Endpoint]:
    WAITS.clear()
    made = Endpoint(site, "/mapi/nspi", TYPES)  # type: ignore[arg-type]
    yield made
    made.contexts.close()


@pytest.fixture
def browser(endpoint: Endpoint) -> Browser:
    return Browser(endpoint)


def test_the_head_of_an_answer(browser: Browser) -> None:
    reply = browser.ask("Bind")
    fields = dict(reply.headers)
    assert reply.status == 200
    assert fields["Content-Type"] == "application/mapi-http"
    assert fields["X-RequestType"] == "Bind"
    assert fields["X-RequestId"] == "{1}:9"
    assert fields["X-ClientInfo"] == "{2}:8"
    assert fields["X-ResponseCode"] == "0"
    assert fields["X-ServerApplication"] == "Exchange/15.00.0847.040"
    assert fields["X-PendingPeriod"] == "30000"
    assert fields["X-ExpirationInfo"] == "900000"
    body = b"".join(reply.body)  # type: ignore[arg-type]
    lines = body.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert lines[:3] == ["PROCESSING", "DONE", "X-ResponseCode: 0"]
    assert [line.partition(": ")[0] for line in lines[3:]] == ["X-ElapsedTime", "X-StartTime"]
    assert lines[4].endswith(" GMT")
    assert body.endswith(b"\r\n\r\nhello")


def test_fields_of_the_client_that_are_too_long_do_not_come_back(browser: Browser) -> None:
    assert ("X-RequestId", "") in browser.ask("Bind", X_RequestId="x" * 600).headers
    assert "X-ClientInfo" not in dict(browser.ask("Bind", X_ClientInfo="a\x01b").headers)


def test_cookies(endpoint: Endpoint, browser: Browser) -> None:
    set_cookies = [value for name, value in browser.ask("Bind").headers if name == "Set-Cookie"]
    assert [value.partition("; ")[2] for value in set_cookies] == ["Path=/mapi/nspi; HttpOnly"] * 2
    assert browser.cookies["sid"].startswith("5.")
    assert len(browser.cookies["sid"]) == 34
    secured = Browser(endpoint, secure=True)
    assert all("; Secure" in value for name, value in secured.ask("Bind").headers if name == "Set-Cookie")
    assert secured.cookies["sid"] != browser.cookies["sid"]


def test_types_in_any_case_and_in_their_order(browser: Browser) -> None:
    assert browser.post("BIND") == (0, b"hello")
    first = browser.cookies["sequence"]
    assert browser.post("query", b"1") == (0, b"used 1")
    second = browser.cookies["sequence"]
    assert first != second
    assert browser.post("QUERY", b"2") == (0, b"used 2")
    browser.cookies["sequence"] = second
    assert browser.post("Query", b"again") == (Code.INVALID_SEQUENCE, b"")
    browser.cookies["sequence"] = first
    assert browser.post("Query", b"again")[0] == Code.INVALID_SEQUENCE


def test_the_end(endpoint: Endpoint, browser: Browser) -> None:
    browser.post("Bind")
    state = endpoint.contexts.states()[0]
    cookies = dict(browser.cookies)
    assert browser.post("Unbind") == (0, b"bye")
    assert state.closed == 1
    assert browser.cookies == {}, "the answer takes the cookies away"
    assert len(endpoint.contexts) == 0
    browser.cookies = cookies
    assert browser.post("Query")[0] == Code.CONTEXT_NOT_FOUND
    assert browser.cookies == {}


def test_refusals_by_their_codes(endpoint: Endpoint, browser: Browser) -> None:
    assert browser.post("Query")[0] == Code.MISSING_COOKIE
    assert browser.post("", b"")[0] == Code.MISSING_HEADER
    assert browser.post("Execute")[0] == Code.INVALID_REQUEST_TYPE
    assert dict(browser.ask("Bind", X_RequestId="").headers)["X-ResponseCode"] == "7"
    assert browser.post("Bind", bytes(6000))[0] == Code.TOO_LARGE
    got = endpoint.handle(Request({"X-RequestType": "Bind"}, method="GET"))  # type: ignore[arg-type]
    assert dict(got.headers)["X-ResponseCode"] == "2"
    assert dict(got.headers)["Content-Type"] == "text/html"
    assert got.body == b"<html><body>Invalid verb</body></html>\r\n"
    browser.cookies = {"sid": "nonsense", "sequence": "x"}
    assert browser.post("Query")[0] == Code.INVALID_CONTEXT_COOKIE
    browser.cookies = {"sid": "5." + "x" * 32, "sequence": "x"}
    assert browser.post("Query")[0] == Code.CONTEXT_NOT_FOUND
    browser.post("Bind")
    del browser.cookies["sequence"]
    assert browser.post("Query")[0] == Code.MISSING_COOKIE


def test_a_session_is_its_user_s(endpoint: Endpoint, browser: Browser) -> None:
    browser.post("Bind")
    other = Browser(endpoint, BOB)
    other.cookies = dict(browser.cookies)
    for kind in ("Query", "Unbind", "PING", "Wait"):
        other.cookies = dict(browser.cookies)
        assert other.post(kind)[0] == Code.CONTEXT_NOT_FOUND, kind
    other.cookies = dict(browser.cookies)
    assert other.post("Bind") == (0, b"hello"), "one of his own"
    assert other.cookies["sid"] != browser.cookies["sid"]
    assert browser.post("Query", b"x") == (0, b"used x"), "nothing happened to it"


def test_failures(browser: Browser) -> None:
    browser.post("Bind")
    assert browser.post("Query", b"wire")[0] == Code.INVALID_REQUEST_BODY
    assert browser.post("Query", b"mapi") == (0, b"\xb6\x04\0\0\0\0\0\0")
    assert browser.post("Query", b"refuse")[0] == Code.NO_PRIVILEGE
    assert browser.post("Query", b"x") == (0, b"used x"), "the sequence went on with each"
    with pytest.raises(ZeroDivisionError):
        browser.post("Query", b"bug")


def test_who_is_not_let_in_has_no_session(endpoint: Endpoint, browser: Browser) -> None:
    assert browser.post("Bind", b"no") == (0, b"\xf2\x03\0\0\0\0\0\0")
    assert browser.post("Bind", b"none") == (0, b"hello")
    assert (browser.cookies, len(endpoint.contexts)) == ({}, 0)


def test_reconnecting(endpoint: Endpoint, browser: Browser) -> None:
    """[MS-OXCMAPIHTTP] 3.2.5.6."""
    browser.post("Bind")
    state, sid = endpoint.contexts.states()[0], browser.cookies["sid"]
    browser.cookies["sequence"] = "whatever"
    assert browser.post("Bind") == (0, b"hello")
    assert browser.cookies["sid"] != sid
    assert (state.closed, len(endpoint.contexts)) == (1, 1)
    browser.cookies = {"sid": sid, "sequence": "whatever"}
    assert browser.post("Query")[0] == Code.CONTEXT_NOT_FOUND
    browser.cookies = {"sid": sid}
    assert browser.post("Bind") == (0, b"hello"), "one that has ended is no reason for refusal"
    browser.cookies = {"sid": "nonsense"}
    assert browser.post("Bind")[0] == Code.INVALID_CONTEXT_COOKIE


def test_so_many_of_one_user(endpoint: Endpoint, browser: Browser) -> None:
    for _ in range(3):
        assert Browser(endpoint).post("Bind") == (0, b"hello")
    assert Browser(endpoint).post("Bind") == (0, b"\xb2\x04\0\0\0\0\0\0")
    assert Browser(endpoint, BOB).post("Bind") == (0, b"hello")


def test_ping(endpoint: Endpoint, browser: Browser) -> None:
    assert browser.post("PING") == (0, b"")
    assert dict(browser.ask("ping").headers)["X-ExpirationInfo"] == "900000"
    browser.post("Bind")
    assert dict(browser.ask("PING").headers)["X-ResponseCode"] == "0"
    assert browser.post("Query", b"x") == (0, b"used x"), "the sequence is as it was"
    browser.cookies["sid"] = "5." + "x" * 32
    assert browser.post("PING")[0] == Code.CONTEXT_NOT_FOUND
    assert browser.post("GetUrl") == (0, b"url")


def test_what_takes_long_gives_signs_of_life(
    endpoint: Endpoint, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PENDING_INTERVAL", 0.01)
    browser.post("Bind")
    state = endpoint.contexts.states()[0]
    reply = browser.ask("Query", b"slow")
    parts = iter(reply.body)  # type: ignore[arg-type]
    assert next(parts) == b"PROCESSING\r\nPENDING\r\n"
    assert next(parts) == b"PENDING\r\n"
    follower = gevent.spawn(browser.post, "Query", b"next")  # the cookies came with the head
    gevent.sleep(0)
    assert not follower.ready(), "one after the other"
    state.go.set()
    last = b"".join(parts)
    assert last.replace(b"PENDING\r\n", b"").startswith(b"DONE\r\nX-ResponseCode: 0\r\n")
    assert last.endswith(b"\r\n\r\nused slow")
    assert follower.get(timeout=5)[0] == 0


def test_a_bug_in_what_takes_long(
    site: Site, browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def bug(context: Context, body: bytes) -> bytes:
        gevent.sleep(0.03)
        raise ZeroDivisionError

    monkeypatch.setattr(module, "PENDING_INTERVAL", 0.01)
    monkeypatch.setitem(browser.endpoint.types, "query", RequestType(bug, Use.USES))
    browser.post("Bind")
    body = b"".join(browser.ask("Query").body)  # type: ignore[arg-type]
    assert b"\r\nDONE\r\nX-ResponseCode: 1\r\n" in body
    assert site.counted["internal_errors"] == 1
    assert "ZeroDivisionError" in caplog.text


def test_waiting(endpoint: Endpoint, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_INTERVAL", 0.01)
    browser.post("Bind")
    state, cookies = endpoint.contexts.states()[0], dict(browser.cookies)
    reply = browser.ask("Wait")
    assert browser.cookies == cookies
    assert not any(name == "Set-Cookie" for name, _ in reply.headers)
    parts = iter(reply.body)  # type: ignore[arg-type]
    assert [next(parts) for _ in range(3)] == [b"PROCESSING\r\n", b"PENDING\r\n", b"PENDING\r\n"]
    assert browser.post("Query", b"meanwhile") == (0, b"used meanwhile")
    state.wake()
    rest = list(parts)
    assert rest[-1].startswith(b"DONE\r\nX-ResponseCode: 0\r\n")
    assert rest[-1].endswith(b"\r\n\r\ntold")
    assert WAITS[0].closed == 0
    reply.body.close()  # type: ignore[union-attr]
    reply.body.close()  # type: ignore[union-attr]
    assert WAITS[0].closed == 1
    assert browser.post("Wait") == (0, b"told"), "at once, as it is told already"
    assert browser.post("Wait", b"wire")[0] == Code.INVALID_REQUEST_BODY


@pytest.mark.parametrize("iterated", [False, True])
def test_who_waits_and_goes_is_forgotten(endpoint: Endpoint, browser: Browser, iterated: bool) -> None:
    browser.post("Bind")
    body: Any = browser.ask("Wait").body
    if iterated:
        assert next(iter(body)) == b"PROCESSING\r\n"
    body.close()
    assert WAITS[0].closed == 1
    assert endpoint.contexts.expire(-1000) == 1, "nobody uses it any more"


def test_waiting_has_an_end(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_INTERVAL", 0.02)
    monkeypatch.setattr(Endpoint, "_settings", lambda self: SHORT)
    browser.post("Bind")
    parts = list(browser.ask("Wait").body)  # type: ignore[arg-type]
    assert parts[0] == b"PROCESSING\r\n"
    assert 1 <= parts.count(b"PENDING\r\n") <= 3
    assert parts[-1].endswith(b"told")


SHORT = Site(emsmdb_wait_longest=0.07).ctx.config.get(module.EmsmdbSettings)


def test_when_the_worker_is_drained_the_client_goes_elsewhere(site: Site, browser: Browser) -> None:
    browser.post("Bind")
    parts = iter(browser.ask("Wait").body)  # type: ignore[arg-type]
    assert next(parts) == b"PROCESSING\r\n"
    site.drained = True
    for hook in site.drain_hooks:
        hook()
    assert b"".join(parts).startswith(b"DONE\r\nX-ResponseCode: 18\r\n")
    assert b"\r\nDONE\r\nX-ResponseCode: 18\r\n" in b"".join(browser.ask("Wait").body)  # type: ignore[arg-type]


def test_who_waits_for_a_session_that_ends(browser: Browser) -> None:
    browser.post("Bind")
    parts = iter(browser.ask("Wait").body)  # type: ignore[arg-type]
    assert next(parts) == b"PROCESSING\r\n"
    assert browser.post("Unbind") == (0, b"bye")
    assert b"".join(parts).startswith(b"DONE\r\nX-ResponseCode: 10\r\n")


def test_only_those_meant_are_woken(endpoint: Endpoint) -> None:
    first, second = Browser(endpoint), Browser(endpoint)
    first.post("Bind")
    second.post("Bind")
    one, other = endpoint.contexts.states()
    endpoint.wake(lambda state: state is other)
    assert (one.event.is_set(), other.event.is_set()) == (False, True)


def test_session_contexts_expire() -> None:
    now = 1000.0
    contexts = Contexts(2, lambda: now)
    state = State()
    context = contexts.open(ALICE.username, state)
    busy = contexts.open(ALICE.username, State())
    contexts.enter(busy)
    now += 959
    assert contexts.expire(900) == 0
    now += 2
    assert contexts.expire(900) == 1
    assert state.closed == 1
    with pytest.raises(Refusal):
        contexts.find(context.sid, ALICE.username)
    contexts.leave(busy)
    now += 959
    assert contexts.find(busy.sid, ALICE.username) is busy
    now += 959
    assert contexts.expire(900) == 0
    now += 2
    assert contexts.expire(900) == 1
    assert len(contexts) == 0
    contexts.admit(ALICE.username, 1, 1)


def test_all_sessions_together_have_a_limit() -> None:
    contexts = Contexts(0)
    contexts.open("a", State())
    contexts.open("b", State())
    contexts.admit("c", 1, 3)
    with pytest.raises(MapiError) as caught:
        contexts.admit("c", 1, 2)
    assert caught.value.code is Ec.ecMaxObjsExceeded
