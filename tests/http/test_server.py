"""The HTTP worker over real sockets: figures, health, status, TLS, and bad requests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.common.fixtures import certificate  # noqa: F401 - a fixture
from tests.master.harness import HUP, KILL, Master, master
from tests.support.server import trusting_tls, until

HTTP = ("--pools", "gromoxd.master.pools", "--only", "http")
SITE = {"http_listen": "127.0.0.1:0", "http_listen_tls": "127.0.0.1:0", "http_workers": "2"}


@pytest.fixture(scope="module")
def running(certificate: tuple[str, str]) -> Iterator[Master]:  # noqa: F811
    """One HTTP server for the tests that do it no harm."""
    with master(tls_certificate_path=certificate[0], tls_private_key_path=certificate[1], **SITE) as m:
        yield m.start(*HTTP)


def get(m: Master, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    host, port = m.address("http")
    connection = http.client.HTTPConnection(host, port, timeout=20)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def raw(m: Master, data: bytes) -> bytes:
    """Send bytes, read until the server closes."""
    with socket.create_connection(m.address("http"), timeout=20) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        got = b""
        while chunk := sock.recv(65536):
            got += chunk
        return got


def over_status_socket(m: Master, path: str) -> tuple[int, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(20)
        sock.connect(str(m.site / "run" / "status.sock"))
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        body = answer.read()
        return answer.status, json.loads(body) if body.startswith(b"{") else body


def test_metrics(running: Master) -> None:
    status, headers, body = get(running, "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    text = body.decode()
    assert 'gromoxd_info{version="0.1.0"} 1\n' in text and "gromoxd_directory_epoch 1\n" in text
    for slot in ("http.0", "http.1"):
        (pid,) = re.findall(rf'gromoxd_pid{{protocol="http",slot="{slot}"}} (\d+)\n', text)
        assert int(pid) == running.workers()[slot]
        assert re.search(rf'gromoxd_connections_total{{protocol="http",slot="{slot}"}} \d+\n', text)
        assert re.search(rf'gromoxd_loop_stalls_total{{protocol="http",slot="{slot}"}} \d+\n', text)
    sample = re.compile(r'gromoxd_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?\d+(\.\d+)?')
    lines = [line for line in text.splitlines() if not line.startswith("# ")]
    assert len(lines) > 100 and all(sample.fullmatch(line) for line in lines)
    names = re.findall(r"# TYPE (\S+) ", text)
    assert len(names) == len(set(names))


def test_health(running: Master) -> None:
    status, headers, body = get(running, "/healthz")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == {"status": "ok", "processes": 2, "silent": []}


def test_status_is_private(running: Master) -> None:
    assert get(running, "/status.json")[0] == 404
    path = running.site / "run" / "status.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    status, value = over_status_socket(running, "/status.json")
    assert status == 200 and value["master"] == running.pid and value["epoch"] == 1
    assert [slot["slot"] for slot in value["slots"]] == ["http.0", "http.1"]
    assert all(slot["silent_ms"] < 10000 and slot["rss_kb"] > 5000 for slot in value["slots"])
    assert over_status_socket(running, "/metrics")[0] == 200
    assert over_status_socket(running, "/nothing") == (404, b"not found\n")


def test_metrics_are_not_for_forwarded_requests(running: Master) -> None:
    assert get(running, "/metrics", X_Forwarded_For="192.0.2.1")[0] == 403
    assert get(running, "/metrics", Forwarded="for=192.0.2.1")[0] == 403
    assert get(running, "/healthz", X_Forwarded_For="192.0.2.1")[0] == 200


def test_other_paths_and_methods(running: Master) -> None:
    assert get(running, "/")[0] == 200
    assert get(running, "/../../etc/passwd")[0] == 404
    status, headers, _ = get(running, "/healthz", "POST")
    assert status == 405 and headers["Allow"] == "GET, HEAD, OPTIONS"
    status, headers, body = get(running, "/healthz", "HEAD")
    assert status == 200 and body == b"" and int(headers["Content-Length"]) > 0


def test_tls(running: Master) -> None:
    host, port = running.address("https")
    connection = http.client.HTTPSConnection(host, port, timeout=20, context=trusting_tls())
    for _ in range(2):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read().startswith(b'{"status": "ok"')
    connection.close()
    with socket.create_connection((host, port), timeout=20) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(100)[:5] != b"HTTP/"


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: a\r\n" * 200 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100 + b"\r\n\r\n", b"400"),
    ],
)
def test_bad_requests_get_a_clear_answer(running: Master, request_bytes: bytes, code: bytes) -> None:
    answer = raw(running, request_bytes)
    assert answer.startswith(b"HTTP/1.1 " + code), answer[:200]
    assert get(running, "/healthz")[0] == 200


def test_unwanted_bodies_are_not_taken_for_requests(running: Master) -> None:
    inner = b"GET / HTTP/1.1\r\n\r\n"
    sized = b"GET /nix HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(inner), inner)
    answer = raw(running, sized + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert codes(answer) == [b"404", b"200"]
    chunked = b"GET /nix HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n%s\r\n0\r\n\r\n" % inner
    assert codes(raw(running, chunked)) == [b"404"]


def codes(answer: bytes) -> list[bytes]:
    """The status codes of the answers in a stream."""
    return re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)


def test_half_sent_requests_do_not_hold_others_up(running: Master) -> None:
    socks = [socket.create_connection(running.address("http"), timeout=20) for _ in range(100)]
    for sock in socks:
        sock.sendall(b"GET / HT")
    assert get(running, "/healthz")[0] == 200
    for sock in socks:
        sock.close()


@pytest.mark.slow
def test_a_silent_process_fails_the_health_check() -> None:
    with master(http_health_silence="2s", **SITE) as m:
        m.start(*HTTP)
        pid = m.workers()["http.1"]
        os.kill(pid, signal.SIGSTOP)

        def failing() -> dict[str, Any] | None:
            status, value = over_status_socket_or_none(m)
            return value if status == 503 else None

        assert until(failing, seconds=20) == {"status": "failing", "processes": 2, "silent": ["http.1"]}
        os.kill(pid, KILL)
        until(lambda: get(m, "/healthz")[0] == 200, seconds=20)


def over_status_socket_or_none(m: Master) -> tuple[int, Any]:
    """Like over_status_socket; a connection that the stopped process took is given up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1)
        sock.connect(str(m.site / "run" / "status.sock"))
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            return answer.status, json.loads(answer.read())
        except TimeoutError:
            return 0, None


def test_reload_renews_the_certificate(certificate: tuple[str, str], tmp_path: Path) -> None:  # noqa: F811
    chain = tmp_path / "chain.pem"
    chain.write_text("not a certificate")
    with master(http_certificate_path=str(chain), http_private_key_path=certificate[1], **SITE) as m:
        m.start(*HTTP)

        def greets() -> bool:
            try:
                with socket.create_connection(m.address("https"), timeout=5) as sock:
                    trusting_tls().wrap_socket(sock).close()
            except (ssl.SSLError, OSError):
                return False
            return True

        assert not greets()
        assert "certificate not loaded" in m.log
        chain.write_text(Path(certificate[0]).read_text())
        m.signal(HUP)
        until(lambda: all(greets() for _ in range(4)))
