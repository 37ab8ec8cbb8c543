"""Connect, Execute, Disconnect, NotificationWait ([MS-OXCMAPIHTTP] 2.2.4) without sockets."""

from __future__ import annotations

from struct import pack, unpack_from

import gevent
import msgspec
import pytest

from gromoxd.errors import Ec
from gromoxd.rop import aux, buffer, extbuffer
from tests.http.mapihttp.fakes import ALICE, BOB, Browser, Request, Site
from workers.http.emsmdb import connect as emsmdb
from workers.http.mapihttp import MAILBOX, routes
from workers.http.mapihttp.endpoint import Endpoint
from workers.http.mapihttp.framing import Code
from workers.http.mapihttp.mailbox import TYPES, Mailbox, moved

PREFIX = "/o=Gromox default/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)"
DN = f"{PREFIX}/cn=Recipients/cn=0300000007000000-alice"
BOBS = f"{PREFIX}/cn=Recipients/cn=0300000008000000-bob"
NO_ROPS = extbuffer.write([b"\2\0"])


def connect_body(user_dn: str = DN, flags: int = 0, aux_in: bytes = b"") -> bytes:
    return user_dn.encode() + b"\0" + pack("<5I", flags, 1250, 0x407, 0x409, len(aux_in)) + aux_in


def execute_body(rgb_in: bytes = NO_ROPS, max_out: int = 32775, flags: int = 3, aux_in: bytes = b"") -> bytes:
    return pack("<II", flags, len(rgb_in)) + rgb_in + pack("<II", max_out, len(aux_in)) + aux_in


WAIT = pack("<II", 0, 0)
NO_AUX = pack("<I", 0)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def endpoint(site: Site) -> Endpoint:
    return Endpoint(site, MAILBOX, TYPES)  # type: ignore[arg-type]


@pytest.fixture
def browser(endpoint: Endpoint) -> Browser:
    return Browser(endpoint)


def state_of(endpoint: Endpoint) -> Mailbox:
    (state,) = endpoint.contexts.states()
    assert isinstance(state, Mailbox)
    return state


def test_connect(endpoint: Endpoint, browser: Browser) -> None:
    code, body = browser.post("Connect", connect_body(), X_ClientApplication="Outlook/16.0.16130.20218")
    assert code == 0
    assert unpack_from("<5I", body) == (0, 0, 60_000, 6, 10_000)
    prefix, _, rest = body[20:].partition(b"\0")
    assert prefix.decode() == PREFIX
    name = "Alice \u00c4\0".encode("utf-16-le")
    assert rest.startswith(name)
    size = unpack_from("<I", rest, len(name))[0]
    blocks = aux.read(extbuffer.read_one(rest[len(name) + 4 :]))
    assert size == len(rest) - len(name) - 4
    assert [(block.type, block.data.hex()) for block in blocks] == [
        (0x17, "01000000"), (0x0A, "0c00000000000000"), (0x48, "01000000"),
    ]  # fmt: skip
    session = state_of(endpoint).use()
    assert (session.code_page, session.lcid, session.sort_lcid) == (1250, 0x409, 0x407)
    assert session.client_version == (16, 0, 16130, 20218)
    assert (session.user, session.mailbox) == (ALICE, None)


def test_the_mailbox_of_the_url(site: Site, endpoint: Endpoint) -> None:
    query = {"mailboxid": site.people.mailbox_id(BOB)}
    endpoint.handle(Request({"X-RequestType": "Connect", "X-RequestId": "{1}:1"}, connect_body(), query=query))  # type: ignore[arg-type]
    assert state_of(endpoint).use().mailbox == BOB


@pytest.mark.parametrize(
    ("user_dn", "flags", "code"),
    [
        ("", 0, Ec.ecAccessDenied), (BOBS, 0, Ec.ecAccessDenied), ("/o=else/cn=alice", 0, Ec.ecUnknownUser),
        (DN.replace("07", "09"), 0, Ec.ecUnknownUser), (DN.replace("alice", "bob"), 0, Ec.ecUnknownUser),
        (DN, 1, Ec.ecLoginPerm), (DN.upper(), 0, Ec.ecNone),
    ],
    ids=["none", "somebody-else", "organisation", "nobody", "name", "admin", "capitals"],
)  # fmt: skip
def test_who_may_connect(endpoint: Endpoint, browser: Browser, user_dn: str, flags: int, code: Ec) -> None:
    got, body = browser.post("Connect", connect_body(user_dn, flags))
    assert (got, *unpack_from("<II", body)) == (0, 0, code)
    assert len(endpoint.contexts) == (code == 0)
    if code:
        assert body == pack("<5I", 0, code, 0, 0, 0) + b"\0\0\0" + bytes(4)
        assert browser.cookies == {}


def test_auxiliary_octets(browser: Browser) -> None:
    good = extbuffer.write([aux.write([aux.Block(2, 1, b"xyz"), aux.Block(0x77, 9, b"")])], xor=True)
    for aux_in, code in (
        (good, 0),
        (extbuffer.write([b"\1\0"]), 0),
        (b"12345678", Ec.ecRpcFormat),
        (bytes(5), Ec.ecRpcFormat),
    ):
        got, body = Browser(browser.endpoint).post("Connect", connect_body(aux_in=aux_in))
        assert (got, unpack_from("<I", body, 4)[0]) == (0, code), aux_in


@pytest.mark.parametrize(
    "body", [b"", b"/o=x", connect_body()[:-1], connect_body() + b"\0", b"x" * 1025 + connect_body()],
    ids=["empty", "no-end", "short", "long", "dn"],
)  # fmt: skip
def test_bodies_that_are_none(browser: Browser, body: bytes) -> None:
    assert browser.post("Connect", body)[0] == Code.INVALID_REQUEST_BODY
    assert browser.post("Connect", connect_body())[0] == 0
    assert browser.post("Execute", execute_body()[:-1])[0] == Code.INVALID_REQUEST_BODY
    assert browser.post("NotificationWait", b"\0")[0] == Code.INVALID_REQUEST_BODY
    assert browser.post("Execute", execute_body())[0] == 0


def test_execute(endpoint: Endpoint, browser: Browser) -> None:
    browser.post("Connect", connect_body())
    assert browser.post("Execute", execute_body()) == (0, pack("<4I", 0, 0, 0, 10) + NO_ROPS + NO_AUX)
    state_of(endpoint).use().pending.append(b"note")
    told = extbuffer.write([buffer.write(b"note", [])])
    assert browser.post("Execute", execute_body(b""))[1] == pack("<4I", 0, 0, 0, len(told)) + told + NO_AUX
    code, body = browser.post("Execute", execute_body(b"nonsense"))
    assert (code, body) == (0, pack("<4I", 0, Ec.ecRpcFormat, 0, 0) + NO_AUX)
    code, body = browser.post("Execute", execute_body(max_out=5))
    assert (code, body) == (0, pack("<4I", 0, Ec.ecBufferTooSmall, 0, 0) + NO_AUX)


def test_execute_knows_the_user_as_he_is_now(site: Site, endpoint: Endpoint, browser: Browser) -> None:
    browser.post("Connect", connect_body())
    browser.user = msgspec.structs.replace(ALICE, host="elsewhere")
    browser.post("Execute", execute_body())
    assert state_of(endpoint).use().user.host == "elsewhere"


def test_disconnect(endpoint: Endpoint, browser: Browser) -> None:
    browser.post("Connect", connect_body())
    session = state_of(endpoint).use()
    assert browser.post("Disconnect", NO_AUX) == (0, pack("<III", 0, 0, 0))
    assert (session.closed, len(endpoint.contexts)) == (True, 0)


def test_waiting_for_notifications(endpoint: Endpoint, browser: Browser) -> None:
    browser.post("Connect", connect_body())
    state = state_of(endpoint)
    session = state.use()
    waiter = gevent.spawn(browser.post, "NotificationWait", WAIT)
    gevent.sleep(0.02)
    assert not waiter.ready()
    session.pending.append(b"note")
    session.wake()
    assert waiter.get(timeout=5) == (0, pack("<4I", 0, 0, 1, 0))
    assert browser.post("NotificationWait", WAIT) == (0, pack("<4I", 0, 0, 1, 0)), "at once, it is still pending"
    browser.post("Execute", execute_body())
    waiter = gevent.spawn(browser.post, "NotificationWait", WAIT)
    gevent.sleep(0.02)
    assert not waiter.ready()
    state.wake()
    assert waiter.get(timeout=5) == (0, pack("<4I", 0, 0, 0, 0))


def test_who_has_moved_asks_again(site: Site, endpoint: Endpoint, browser: Browser) -> None:
    other = Browser(endpoint, BOB)
    browser.post("Connect", connect_body())
    other.post("Connect", connect_body(BOBS))
    waiters = [gevent.spawn(each.post, "NotificationWait", WAIT) for each in (browser, other)]
    gevent.sleep(0.02)
    endpoint.wake(moved(site))  # type: ignore[arg-type]
    gevent.sleep(0.02)
    assert [waiter.ready() for waiter in waiters] == [False, False]
    site.services.directory.users[BOB.username] = msgspec.structs.replace(BOB, host="other")
    endpoint.wake(moved(site))  # type: ignore[arg-type]
    assert waiters[1].get(timeout=5) == (0, pack("<4I", 0, 0, 0, 0))
    assert not waiters[0].ready()
    other.post("Disconnect", NO_AUX)
    browser.post("Disconnect", NO_AUX)
    assert waiters[0].get(timeout=5)[0] == 0


def test_all_listeners_have_the_same_sessions(site: Site) -> None:
    first, second = routes(site), routes(site)  # type: ignore[arg-type]
    assert [route.path for route in first] == ["/mapi/emsmdb", "/mapi/emsmdb/", "/mapi/healthcheck.htm"]
    found = first[:2] + second[:2]
    assert {route.handler.__self__ for route in found} == {site.endpoints[MAILBOX]}  # type: ignore[attr-defined]
    assert all(route.cookie == "sid" and route.authenticated for route in found)


def test_versions() -> None:
    assert emsmdb.parse_version("15.00.0847.4040") == (15, 0, 847, 4040)
    assert emsmdb.parse_version("Outlook/16.0.10730.20102") == (16, 0, 10730, 20102)
    assert emsmdb.parse_version("Outlook") is None
    assert emsmdb.pack_version((15, 0, 847, 4040)) == (0x0F00, 0x834F, 4040)
    assert emsmdb.unpack_version((0x0F00, 0x834F, 4040)) == (15, 0, 847, 4040)
    assert emsmdb.unpack_version((12, 4518, 1014)) == (12, 0, 4518, 1014)
    assert emsmdb.server_version(Site(version="x")) == (15, 0, 847, 4040)  # type: ignore[arg-type]
    assert emsmdb.server_version(Site(version="15.02.1.7")) == (15, 2, 1, 7)  # type: ignore[arg-type]


def test_what_a_load_balancer_asks(site: Site) -> None:
    health = routes(site)[-1]  # type: ignore[arg-type]
    assert not health.authenticated
    reply = health.handler(Request(method="GET"))
    assert (reply.status, reply.body) == (200, b"200 OK<br/>\r\n")
    site.drained = True
    assert health.handler(Request(method="GET")).status == 503
