"""Outlook's protocols on a running server that logs everything: forged and crooked requests, secrets, memory, death."""

from __future__ import annotations

import base64
import contextlib
import random
import re
import struct
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from gromoxd.mapi.values import TaggedPropertyValue
from gromoxd.ntlm.md4 import nt_hash
from gromoxd.rop import messages as rm
from gromoxd.rop import notify as rn
from gromoxd.rop import properties as rp
from gromoxd.rop import streams as rs
from gromoxd.rop import sync as rsync
from gromoxd.rop import tables as rt
from loadtest.bench.mapihttp import NO_HANDLE, USER, Client, logon_rop, own_dn
from tests.http.harness import Answer, Wire, basic
from tests.support.ropnoise import HANDLES, OPENINGS, Noise
from tests.support.server import Server, running, until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import spnego

pytestmark = pytest.mark.slow
BOB = "bob@example.test"
NOTHING = 0xFFFFFFFF
FAILURES = ("00000000b6040000", "000000007d040000", "0000000005400080")
LEFT_OUT = frozenset({0x01, 0x32, 0x4A, 0xFE})
"""What ends, or leads out of, what is looked at: Release, SubmitMessage, TransportSend, Logon."""
OPTIONS = {
    "http_workers": "1", "http_log_level": "6", "http_auth_spnego": "yes",
    "http_trusted_proxies": "192.0.2.0/24", "auth_fail_delay": "0.02s", "auth_fail_delay_max": "0.02s",
    "auth_times": "1000",
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("outlook") / "site", options=OPTIONS) as started:
        yield started


def place(server: Server) -> Wire:
    return Wire(server.address("http"))


def authorization(server: Server, user: str = USER, password: str = "") -> str:
    return basic(user, password or server.password(user))


def post(w: Wire, path: str, **fields: str) -> Answer:
    return w.ask(path, "POST", b"", **fields)


# ---------------------------------------------------------------------------------------------------- requests


PATHS = (
    "/mapi/emsmdb", "/MAPI/EMSMDB/", "/Mapi/%65msmdb/", "//mapi/emsmdb/", "/mapi//emsmdb/", "/mapi/./emsmdb/",
    "/x/../mapi/emsmdb/", "/mapi%2femsmdb/", "/mapi/emsmdb%2f", "/mapi/emsmdb/%2e%2e/emsmdb/", "/mapi\\emsmdb/",
    "/mapi/nspi/", "/mapi/emsmdb/;x", "/oab/", "/OAB/x/..%2f..%2f..%2fetc/passwd", "/oab/%2e%2e/%2e%2e/conf/gromox.cfg",
    "/autodiscover/autodiscover.xml", "/AutoDiscover/AutoDiscover.XML",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"])
def test_no_path_leads_past_the_log_in(server: Server, path: str, method: str) -> None:
    with place(server) as w:
        answer = w.ask(path, method, X_RequestType="PING")
        assert answer.status in (400, 401, 404, 405, 501), answer.fields
        assert b"root:" not in answer.body and b"mysql" not in answer.body


def test_who_says_that_he_was_relayed_is_nobody(server: Server) -> None:
    said = base64.urlsafe_b64encode(b"\x95\x98\x01").decode()
    for value in (said, f"{said}.", f"{said}.{'0' * 48}", ".", "x" * 8000, f"{said}.\u00e4"):
        for name in ("X-Gromoxd-Relayed", "X_Gromoxd_Relayed", "x-gromoxd-relayed"):
            with place(server) as w:
                w.send(f"POST /mapi/emsmdb/ HTTP/1.1\r\nHost: x\r\n{name}: {value}\r\n".encode("latin-1"))
                w.send(b"X-RequestType: PING\r\nContent-Length: 0\r\n\r\n")
                assert w.reply().status in (400, 401, 431)


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Content-Length: 4\r\nContent-Length: 44",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Content-Length: +4",
        "Content-Length: 0x4",
        "Content-Length: -1",
        "Transfer-Encoding:\tchunked\r\n x: y",
        "Content-Length: 4, 4",
    ],
)
def test_one_request_is_never_two(server: Server, fields: str) -> None:
    """What proxies in front could see otherwise ends the connection."""
    with place(server) as w:
        inner = f"GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization(server)}\r\n\r\n"
        head = f"POST /mapi/emsmdb/ HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n0\r\n\r\n"
        answers = re.findall(rb"HTTP/1\.1 (\d+)", w.send((head + inner).encode()).rest())
        assert len(answers) == 1 and answers[0] in (b"400", b"401", b"501"), answers


def test_echoed_fields_are_harmless(server: Server) -> None:
    auth = authorization(server)
    with place(server) as w:
        for value in ("{1}:2", "a" * 512):
            answer = post(w, "/mapi/emsmdb/", Authorization=auth, X_RequestType="PING", X_RequestId=value)
            assert answer.field("x-requestid") == value
        for value in ("a" * 513, "\u00e4", "a\tb"):
            answer = post(w, "/mapi/emsmdb/", Authorization=auth, X_RequestType="PING", X_RequestId=value)
            assert answer.status == 200 and answer.field("x-requestid") == ""
    for evil in ("a\rSet-Cookie: x=y", "a\nSet-Cookie: x=y", "a\0b"):
        with place(server) as w:
            w.send(f"POST /mapi/emsmdb/ HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n".encode())
            w.send(f"X-RequestType: PING\r\nX-RequestId: {evil}\r\nContent-Length: 0\r\n\r\n".encode())
            assert b"Set-Cookie: x=y\r\n" not in w.rest()


def test_all_who_fail_get_the_same(server: Server) -> None:
    seen = set()
    for user, password in ((USER, "wrong"), ("nobody@example.test", "wrong"), ("", ""), (USER, "\0"), (USER * 50, "x")):
        with place(server) as w:
            answer = post(w, "/mapi/emsmdb/", Authorization=basic(user, password), X_RequestType="PING")
            seen.add((answer.status, answer.body, tuple(one for one in answer.fields if one[0] != "date")))
    assert len(seen) == 1 and next(iter(seen))[0] == 401


def test_cookies(server: Server) -> None:
    client = connected(server)[0]
    sid, sequence = client.cookies[b"sid"].decode(), client.cookies[b"sequence"].decode()
    assert len(sid.partition(".")[2]) >= 32 and len(sequence) >= 32
    body = own_dn(server).encode() + b"\0" + struct.pack("<5I", 0, 1252, 0x409, 0x409, 0)
    with place(server) as w:
        answer = w.ask("/mapi/emsmdb/", "POST", body, Authorization=authorization(server), X_RequestType="Connect")
        for cookie in answer.all("set-cookie"):
            assert "HttpOnly" in cookie and "Path=/mapi/emsmdb" in cookie
        mine = "; ".join(f"{name.decode()}={value.decode()}" for name, value in client.cookies.items())
        other = authorization(server, BOB)
        for kind in ("Execute", "Disconnect", "NotificationWait", "PING", "Connect"):
            answer = post(w, "/mapi/emsmdb/", Authorization=other, X_RequestType=kind, Cookie=mine)
            assert answer.field("x-responsecode") not in ("", "0"), kind
    client.execute(b"", b"")


def test_hosts_that_are_none_are_in_no_url(server: Server) -> None:
    request = (
        "<Autodiscover xmlns='http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006'><Request>"
        f"<EMailAddress>{USER}</EMailAddress><AcceptableResponseSchema>"
        "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
        "</AcceptableResponseSchema></Request></Autodiscover>"
    )
    fields = f"Authorization: {authorization(server)}\r\nX-MapiHttpCapability: 1\r\nContent-Type: text/xml\r\n"
    for said in ("X-Forwarded-Host: evil.test", "X-Forwarded-Proto: https", "X-Host: evil.test",
                 "Forwarded: host=evil.test", "X-Original-URL: /mapi/emsmdb/"):  # fmt: skip
        with place(server) as w:
            head = f"POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: good.test\r\n{said}\r\n{fields}"
            w.send(f"{head}Content-Length: {len(request)}\r\n\r\n{request}".encode())
            answer = w.reply()
            assert answer.status == 200 and b"evil.test" not in answer.body and b"http://good.test" in answer.body
    for document in (
        "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>" + request.replace(USER, "&b;"),
        "<!DOCTYPE a [<!ENTITY b 'bbbbbbbbbb'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]>" + request.replace(USER, "&c;"),
        "<a>" * 10_000,
    ):
        with place(server) as w:
            w.send(f"POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: g\r\n{fields}".encode())
            w.send(f"Content-Length: {len(document)}\r\n\r\n{document}".encode())
            answer = w.reply()
            assert answer.status in (200, 400, 413) and b"root:" not in answer.body and b"bbbb" not in answer.body


# ---------------------------------------------------------------------------------------------------- sessions


OPEN: list[Client] = []


@pytest.fixture(autouse=True)
def connections() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().sock.close()


def connected(server: Server, user: str = USER) -> tuple[Client, list[int], list[int]]:
    """A session with a logon at handle index 0, its handle table, and the ids of its folders."""
    client = Client(server, user)
    OPEN.append(client)
    user_dn = own_dn(server, user)
    client.connect(user_dn)
    answer = client.execute(logon_rop(user_dn), NO_HANDLE)
    handles = [int.from_bytes(answer[-4:], "little"), *[NOTHING] * (HANDLES - 1)]
    return client, handles, list(struct.unpack("<13Q", answer[17:121]))


def run(client: Client, handles: list[int], rops: bytes) -> bytes:
    """Octets of the answers; the table is changed in place."""
    answer = client.execute(rops, struct.pack(f"<{HANDLES}I", *handles))
    size = int.from_bytes(answer[8:10], "little")
    handles[:] = struct.unpack(f"<{HANDLES}I", answer[-4 * HANDLES :])
    return answer[10 : 8 + size]


def storm(server: Server, user: str, rounds: int, seed: int, foreign: bytes) -> int:
    """Random ROPs on one's own mailbox; how many were answered. Nothing of another user's is ever in an answer."""
    rng, answered = random.Random(seed), 0
    client, handles, ids = connected(server, user)
    noise = Noise(rng, ids, LEFT_OUT)
    for number in range(rounds):
        if number % 50 == 0:
            client.sock.close()
            client, handles, _ = connected(server, user)
        for name, index, output in OPENINGS if number % 10 == 0 else ():
            if handles[output] == NOTHING:
                with contextlib.suppress(AssertionError):
                    run(client, handles, noise.opening(name, index, output))
        try:
            answer = run(client, handles, b"".join(noise.request(handles) for _ in range(3)))
        except AssertionError as error:
            assert str(error) in FAILURES, error
            continue
        assert foreign not in answer and foreign.decode().encode("utf-16-le") not in answer
        answered += 1
    client.post(b"Disconnect", bytes(4))
    client.sock.close()
    return answered


def test_two_users_at_once_see_nothing_of_each_other(server: Server) -> None:
    secrets = {USER: b"NurFuerAlice", BOB: b"NurFuerBob"}
    for user, text in secrets.items():
        mail = b"From: a@example.net\r\nSubject: %b\r\n\r\n%b\r\n" % (text, text)
        for _ in range(5):
            server.deliver(mail, user, user)
    found: dict[str, int] = {}
    threads = [
        threading.Thread(target=lambda u=user, f=foreign: found.update({u: storm(server, u, 400, len(u), f)}))
        for user, foreign in ((USER, secrets[BOB]), (BOB, secrets[USER]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {USER, BOB} and min(found.values()) > 200
    assert server.metric("internal_errors") == 0


def http_worker(server: Server) -> psutil.Process:
    """The one there is."""
    (row,) = [row for row in server.status() if row["protocol"] == "http"]
    return psutil.Process(row["pid"])


def test_memory_and_descriptors_come_back(server: Server) -> None:
    storm(server, USER, 200, 1, b"NurFuerBob")
    worker = http_worker(server)
    before, files = worker.memory_info().rss, worker.num_fds()
    for seed in range(5):
        storm(server, USER, 200, seed + 2, b"NurFuerBob")
    grown = worker.memory_info().rss - before
    assert grown < 12 << 20, f"{grown >> 20} MB more"
    until(lambda: worker.num_fds() <= files + 8, describe="descriptors are closed")
    assert server.metric("internal_errors") == 0


def stalls(server: Server) -> int:
    """Turns of the HTTP worker's loop that took more than 20 ms."""
    return sum(int(row["loop_stalls"]) for row in server.status() if row["protocol"] == "http")


def test_heavy_octets_hold_up_nobody(server: Server) -> None:
    """Large states, buffers to decompress and values as long as allowed, while somebody else pings."""
    client, handles, ids = connected(server)
    run(client, handles, b"\x02\0\0\1" + ids[4].to_bytes(8, "little") + b"\0")
    run(client, handles, rsync.SynchronizationOpenCollector(0, 1, 2, True).encode())
    octets = bytes(range(16)) + b"".join(b"\x06" + (n * 3).to_bytes(6, "big") for n in range(280_000)) + b"\0"
    before = stalls(server)
    for tag in (0x67960102, 0x67DA0102, 0x67D20102):
        run(client, handles, rsync.SynchronizationUploadStateStreamBegin(0, 2, tag, len(octets)).encode())
        for at in range(0, len(octets), 32_000):
            part = octets[at : at + 32_000]
            run(client, handles, rsync.SynchronizationUploadStateStreamContinue(0, 2, part).encode())
        assert run(client, handles, b"\x77\0\2")[2:6] == bytes(4)
    assert run(client, handles, rsync.SynchronizationGetTransferState(0, 2, 3).encode())[2:6] == bytes(4)
    run(client, handles, rm.CreateMessage(0, 1, 4, 0xFFF, ids[4], False).encode())
    run(client, handles, rs.OpenStream(0, 4, 5, 0x1000001F, 2).encode() + rs.SetStreamSize(0, 5, 64 << 20).encode())
    run(client, handles, rs.OpenStream(0, 4, 6, 0x10090102, 2).encode())
    assert run(client, handles, rs.CopyToStream(0, 5, 6, 64 << 20).encode())[2:6] == bytes(4)
    for _ in range(20):
        run(client, handles, rs.WriteStream(0, 6, b"octets").encode() * 1500)
    assert stalls(server) - before <= 2


def test_hundreds_of_half_open_channels(server: Server) -> None:
    """Channels of RPC over HTTP of which nothing more comes do not keep others out."""
    auth = authorization(server)
    opened = [place(server) for _ in range(200)]
    try:
        for number, w in enumerate(opened):
            method, size = (("RPC_IN_DATA", 1 << 30), ("RPC_OUT_DATA", 76))[number % 2]
            w.send(f"{method} /rpc/rpcproxy.dll?{server.host}:6001 HTTP/1.1\r\nHost: x\r\n".encode())
            w.send(f"Authorization: {auth}\r\nContent-Length: {size}\r\n\r\n".encode() + b"\5\0\x14" * 3)
        begun = time.monotonic()
        client, *_ = connected(server, BOB)
        client.sock.close()
        assert time.monotonic() - begun < 3
    finally:
        for w in opened:
            w.sock.close()
    assert server.metric("internal_errors") == 0


# ---------------------------------------------------------------------------------------------------- death


def test_what_was_saved_survives_the_workers_death(server: Server) -> None:
    """Messages are saved until the worker is killed: all that was acknowledged is there, and nothing twice."""
    saved, attempted, stop = [], 0, threading.Event()

    def save() -> None:
        nonlocal attempted
        with contextlib.suppress(OSError, EOFError, AssertionError):
            client, handles, ids = connected(server)
            while not stop.is_set():
                attempted += 1
                subject = f"overlay {attempted}"
                answer = run(client, handles, rm.CreateMessage(0, 0, 4, 0xFFF, ids[4], False).encode()
                             + rp.SetProperties(0, 4, [TaggedPropertyValue(0x0037001F, subject)]).encode()
                             + rm.SaveChangesMessage(0, 4, 4, 0).encode())  # fmt: skip
                if b"\x0c\4\0\0\0\0" in answer:
                    saved.append(subject)
                run(client, handles, b"\x01\0\4")

    thread = threading.Thread(target=save)
    thread.start()
    until(lambda: len(saved) > 50 or not thread.is_alive(), describe="messages are saved")
    server.kill(http_worker(server).pid)
    stop.set()
    thread.join()
    assert len(saved) > 50
    shown = until(lambda: subjects(server), seconds=20, describe="the new worker answers")
    assert set(saved) <= set(shown) and len(set(shown)) == len(shown)
    assert len(shown) <= len(saved) + 1


def subjects(server: Server) -> list[str]:
    """Of alice's Inbox, those of this test."""
    found: list[str] = []
    with contextlib.suppress(OSError, EOFError):
        client, handles, ids = connected(server)
        run(client, handles, b"\x02\0\0\1" + ids[4].to_bytes(8, "little") + b"\0")
        run(client, handles, rt.GetContentsTable(0, 1, 2, 0).encode())
        run(client, handles, rt.SetColumns(0, 2, 0, [0x0037001F]).encode())
        while len(rows := run(client, handles, rt.QueryRows(0, 2, 0, True, 100).encode())) > 9:
            found += re.findall(r"overlay \d+", rows[9:].replace(b"\0", b"").decode("latin-1"))
        client.sock.close()
    return found


# ---------------------------------------------------------------------------------------------------- secrets


def ntlm(server: Server, user: str, password: str) -> tuple[int, list[str]]:
    """Status of a log-in by NTLM, and the tokens that were sent."""
    context = spnego.client(user, password, protocol="ntlm", hostname="x", service="http")
    token, sent = context.step(), []
    with place(server) as w:
        for _ in range(3):
            sent.append(base64.b64encode(token or b"").decode())
            answer = post(w, "/mapi/emsmdb/", Authorization=f"NTLM {sent[-1]}", X_RequestType="PING")
            challenge = answer.field("www-authenticate").partition(" ")[2]
            if answer.status != 401 or not challenge or context.complete:
                break
            token = context.step(base64.b64decode(challenge))
    return answer.status, sent


def test_no_secret_is_logged(server: Server) -> None:
    """Everything that was in this file is in the log at its most talkative: what lets one in is not."""
    server.set_conf("gromox.cfg", store_nt_hash="yes")
    nora, password = server.add_user("nora@example.test", "Nora's 0wn"), server.password(USER)
    status, tokens = ntlm(server, nora, server.password(nora))
    assert ntlm(server, USER, "wrong Passw0rd")[0] == 401
    client, handles, _ = connected(server)
    run(client, handles, rn.RegisterNotification(0, 0, 10, 0xFE, 0, True, 0, 0).encode())
    with place(server) as w:
        post(w, "/mapi/emsmdb/", Authorization="Bearer ey.secret.token", X_RequestType="PING")
        post(w, "/mapi/emsmdb/", Authorization=basic(USER, "wrong Passw0rd"), X_RequestType="PING")
    files = [server.logfile, *server.site.rglob("*.log")]
    lines = "".join(path.read_text(errors="replace") for path in files).splitlines()
    text = "\n".join(line for line in lines if line.startswith("20"))  # not what a first start tells on the terminal
    assert text.count(" request ") > 1000
    basics = base64.b64encode(f"{USER}:{password}".encode()).decode()
    hidden: list[Any] = [password, server.password(nora), nt_hash(server.password(nora)).hex(), basics]
    hidden += ["wrong Passw0rd", "ey.secret.token", *tokens[1:]]
    hidden += [value.decode() for value in client.cookies.values()]
    hidden += [client.cookies[b"sid"].decode().partition(".")[2], basic(USER, "wrong Passw0rd").partition(" ")[2]]
    for secret in filter(None, hidden):
        assert secret not in text, secret[:8]
    assert status == 200
    assert "Traceback" not in text
