"""MAPI/HTTP on a running server: sessions in two workers, notifications, a worker's death, a reload, a drain, noise."""

from __future__ import annotations

import random
import select
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.bench import mapihttp
from loadtest.bench.mapihttp import NO_HANDLE, USER, logon_rop, own_dn
from tests.support.ropnoise import HANDLES, OPENINGS, Noise
from tests.support.server import Server, running, until

pytestmark = pytest.mark.slow
MAIL = b"From: a@example.net\r\nTo: b@example.test\r\nSubject: told\r\n\r\nbody\r\n"
WAIT = struct.pack("<II", 0, 0)
REGISTER = bytes((0x29, 0, 0, 1, 0xFE, 0, 1))
"""RopRegisterNotification for the whole store ([MS-OXCROPS] 2.2.14.1)."""


LEFT_OUT = frozenset({0xFE, 0x01})
"""ROPs that noise is without: the ones that would take its objects away."""
OPEN: list[Client] = []


class Client(mapihttp.Client):
    """Closed at the end of the test."""

    def __init__(self, server: Server, user: str = USER) -> None:
        super().__init__(server, user)
        OPEN.append(self)


@pytest.fixture(autouse=True)
def connections() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().sock.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("mapihttp") / "site", options={"http_workers": "2"}) as started:
        yield started


def connected(server: Server, user: str = USER) -> tuple[Client, bytes]:
    """A session with a logon, whose handle comes along."""
    client = Client(server, user)
    user_dn = own_dn(server, user)
    client.connect(user_dn)
    answer = client.execute(logon_rop(user_dn), NO_HANDLE)
    assert answer[10:16] == bytes((0xFE, 0, 0, 0, 0, 0))
    return client, answer[-4:]


def slot_of(client: Client) -> int:
    return int(client.cookies[b"sid"].partition(b".")[0])


def code_of(client: Client, kind: bytes, body: bytes) -> int:
    """X-ResponseCode of a request; its body is read and dropped."""
    client.send(kind, body)
    fields = client.head()
    if b"Content-Length" in fields:
        client._take(int(fields[b"Content-Length"]))
    else:
        while client.chunk():
            pass
    return int(fields[b"X-ResponseCode"])


def begin_to_wait(client: Client) -> None:
    client.send(b"NotificationWait", WAIT)
    assert client.head()[b"X-ResponseCode"] == b"0"
    assert client.chunk() == b"PROCESSING\r\n"


def told(client: Client, seconds: float = 10) -> bytes:
    """The rest of the answer to who waits."""
    assert select.select([client.sock], [], [], seconds)[0], "nothing came"
    parts = b""
    while piece := client.chunk():
        parts += piece
    return parts


def test_a_session_is_found_from_any_connection(server: Server) -> None:
    """Sessions begin in both workers; their cookies lead there."""
    sessions = {}
    for _ in range(40):
        client, handle = connected(server)
        sessions.setdefault(slot_of(client), (client, handle))
        if len(sessions) == 2:
            break
    assert set(sessions) == {0, 1}
    for client, handle in sessions.values():
        for _ in range(6):
            other = Client(server)
            other.cookies = client.cookies
            answer = other.execute(bytes((0x01, 0, 1)), handle + NO_HANDLE)
            assert answer[8:10] == b"\2\0"


def test_a_mail_is_told_at_once(server: Server) -> None:
    client, handle = connected(server)
    client.execute(REGISTER, handle + NO_HANDLE)
    begin_to_wait(client)
    server.deliver(MAIL)
    begun = time.monotonic()
    answer = told(client)
    took = time.monotonic() - begun
    assert answer.startswith(b"DONE\r\nX-ResponseCode: 0\r\n")
    assert answer.endswith(struct.pack("<4I", 0, 0, 1, 0))
    assert took < 0.5
    rops = client.execute(b"", b"")[10:]
    assert rops[:1] == b"\x2a", "RopNotify"


def test_another_user_has_no_part_in_it(server: Server) -> None:
    client, _ = connected(server)
    other = Client(server, "bob@example.test")
    other.cookies = dict(client.cookies)
    assert code_of(other, b"Execute", b"") == 10
    other.cookies = dict(client.cookies)
    assert code_of(other, b"Disconnect", b"\0\0\0\0") == 10
    client.execute(b"", b"")


def test_a_reload_leaves_sessions_alone(server: Server) -> None:
    client, handle = connected(server)
    epoch = server.metric("directory_epoch")
    server.reload()
    until(lambda: server.metric("directory_epoch") > epoch, describe="a new epoch")
    for _ in range(5):
        client.execute(bytes((0x01, 0, 1)), handle + NO_HANDLE)
        time.sleep(0.02)


def test_noise_after_a_logon(server: Server) -> None:
    """Four thousand buffers of random ROPs on real objects: answers, and no exception that nobody foresaw."""
    user, rng = "bob@example.test", random.Random(31)
    user_dn = own_dn(server, user)
    server.deliver(MAIL, user, user)
    client = Client(server, user)
    client.connect(user_dn)
    logon = logon_rop(user_dn)
    answered, handles, noise = 0, [0xFFFFFFFF] * HANDLES, None
    for number in range(4000):
        if number % 100 == 0:
            answer = client.execute(logon, NO_HANDLE)
            noise = noise or Noise(rng, list(struct.unpack("<13Q", answer[17:121])), LEFT_OUT)
            handles = [struct.unpack("<I", answer[-4:])[0]] + [0xFFFFFFFF] * (HANDLES - 1)
            for opening in OPENINGS * 4:
                if handles[opening[2]] != 0xFFFFFFFF:
                    continue
                answer = client.execute(noise.opening(*opening), struct.pack(f"<{HANDLES}I", *handles))
                handles = list(struct.unpack(f"<{HANDLES}I", answer[-4 * HANDLES :]))
        assert noise is not None
        rops = b"".join(noise.request(handles) for _ in range(rng.choice((1, 1, 2, 4))))
        try:
            answer = client.execute(rops, struct.pack(f"<{HANDLES}I", *handles))
        except AssertionError as error:
            assert str(error) in ("00000000b6040000", "000000007d040000"), f"{error}: {rops.hex()}"
            continue
        answered += 1
        handles = [handles[0], *struct.unpack(f"<{HANDLES - 1}I", answer[4 - 4 * HANDLES :])]
    assert answered > 3000
    assert server.metric("internal_errors") == 0


def test_noise_instead_of_bodies(server: Server) -> None:
    rng = random.Random(32)
    client, _ = connected(server)
    kinds = (b"Connect", b"Execute", b"Disconnect", b"NotificationWait", b"PING", b"\xff", b"Bind")
    for _ in range(300):
        code_of(client, rng.choice(kinds), rng.randbytes(rng.randrange(60)))
        if rng.random() < 0.3:
            client.cookies = {b"sid": rng.randbytes(12).hex().encode(), b"sequence": b"x"}
    assert server.metric("internal_errors") == 0


def test_a_worker_that_dies_takes_its_sessions_along(server: Server) -> None:
    client, _ = connected(server)
    rows = {row["number"]: row["pid"] for row in server.status() if row["protocol"] == "http"}
    server.kill(rows[slot_of(client)])
    old = dict(client.cookies)
    until(lambda: _reached(server, old) == 10, describe="Context Not Found from the new worker")
    again, handle = connected(server)
    again.execute(bytes((0x01, 0, 1)), handle + NO_HANDLE)


def _reached(server: Server, cookies: dict[bytes, bytes]) -> int:
    """X-ResponseCode of an Execute, -1 when the server does not answer with one."""
    try:
        client = Client(server)
        client.cookies = dict(cookies)
        return code_of(client, b"Execute", b"")
    except (OSError, EOFError, AssertionError):
        return -1


def test_whoever_waits_is_sent_away_before_the_end(tmp_path: Path) -> None:
    server = Server(tmp_path / "site", options={"http_workers": "1"}).start()
    try:
        client, _ = connected(server)
        begin_to_wait(client)
    finally:
        begun = time.monotonic()
        server.stop()
    assert time.monotonic() - begun < 8
    assert told(client).startswith(b"DONE\r\nX-ResponseCode: 18\r\n")
