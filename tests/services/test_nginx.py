"""nginx before the HTTP worker, as conf/examples/nginx.conf has it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.common.fixtures import certificate  # noqa: F401 - a fixture
from tests.conftest import require_binary
from tests.http.harness import Wire, basic, probe
from tests.master.harness import KILL, Master
from tests.services.daemons import daemon, example, open_folder, run
from tests.support.server import Server, own_host, running, trusting_tls, until

pytestmark = pytest.mark.slow
PORT = 10443
FRAME = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""


@dataclass
class Proxy:
    """A running nginx before `server`."""

    server: Server
    host: str

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """One request over HTTPS: status and body."""
        connection = http.client.HTTPSConnection(self.host, PORT, context=trusting_tls(), timeout=20)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextlib.contextmanager
def nginx(folder: Path, site: Path, place: tuple[str, int], chain: Path, key: Path) -> Iterator[str]:
    """nginx as the example has it, before a server; its address. As root it stays root: the sites here are private."""
    program, host = require_binary("nginx"), own_host()
    exchanged = {
        "server 127.0.0.1:8080": "server {}:{}".format(*place),
        "listen 443 ssl": f"listen {host}:{PORT} ssl",
        "/etc/ssl/certs/mail.example.com.pem": str(chain),
        "/etc/ssl/private/mail.example.com.key": str(key),
        "/var/lib/gromoxd/run": f"{site}/run",
    }
    path = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    path.write_text(FRAME.format(folder=folder, user=user, site=example("nginx.conf", exchanged)))
    command = (program, "-p", folder, "-e", folder / "error.log", "-c", path)
    run(*command, "-t")
    with daemon(*command, host=host, port=PORT, log=folder / "nginx.out"):
        yield host


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with open_folder() as folder, running(folder / "site") as server:
        tls = server.site / "tls"
        with nginx(folder, server.site, server.address("http"), tls / "certificate.pem", tls / "key.pem") as host:
            yield Proxy(server, host)


@pytest.fixture(scope="module")
def probed(certificate: tuple[str, str]) -> Iterator[tuple[Master, str]]:  # noqa: F811
    """Two HTTP workers that show their requests, and the address of nginx before them."""
    with (
        open_folder() as folder,
        probe(http_workers="2", http_auth_spnego="yes", http_socket_mode="0666") as m,
        nginx(folder, m.site, m.address("http"), *map(Path, certificate)) as host,
    ):
        yield m, host


def through(probed: tuple[Master, str]) -> Wire:
    return Wire((probed[1], PORT), trusting_tls())


def test_health_is_for_everybody(proxy: Proxy) -> None:
    status, body = proxy.ask("/healthz")
    assert (status, json.loads(body)["status"]) == (200, "ok")


def test_metrics_stay_inside(proxy: Proxy) -> None:
    """nginx is on loopback, which may read them; those who come through it may not."""
    assert proxy.ask("/metrics") == (403, b"not from here\n")
    forged = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Real-IP": "127.0.0.1"}
    assert proxy.ask("/metrics", **forged)[0] == 403
    assert proxy.ask("/%6detrics")[0] == 403
    assert proxy.ask("//metrics")[0] in (403, 404)
    assert proxy.ask("/status.json")[0] == 404
    assert "gromoxd_connections" in proxy.server.metrics()


def test_other_paths_and_methods(proxy: Proxy) -> None:
    assert proxy.ask("/nothing")[0] == 404
    assert proxy.ask("/healthz", "POST", b"x" * (5 << 20))[0] == 405
    assert proxy.ask("/healthz", "HEAD") == (200, b"")


def test_many_at_once(proxy: Proxy) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: proxy.ask("/healthz")[0], range(100))) == {200}


def test_the_server_goes_and_comes_back(proxy: Proxy) -> None:
    """nginx keeps idle connections to the server, which do not hold up its end."""
    assert proxy.ask("/healthz")[0] == 200
    started = time.monotonic()
    proxy.server.stop()
    assert time.monotonic() - started < 10
    assert proxy.ask("/healthz")[0] == 502
    proxy.server.start()
    until(lambda: proxy.ask("/healthz")[0] == 200, describe="answers through nginx again")


def test_sessions_go_straight_to_their_worker(probed: tuple[Master, str]) -> None:
    """The number before the cookie's first dot chooses the socket, whatever the path."""
    assert (probed[0].site / "run" / "http.0.sock").stat().st_mode & 0o777 == 0o666
    with through(probed) as w:
        for slot in (0, 1, 1, 0):
            cookie = f"a=b; sid={slot}.abc"
            assert w.ask("/who", Authorization=basic(), Cookie=cookie).json["slot"] == slot
            assert w.ask("/session", "POST", b"x" * 5000, Authorization=basic(), Cookie=cookie).json["body"] == 5000
        assert w.ask("/session", Authorization=basic(), Cookie="sid=17.abc").status == 200


def test_a_worker_that_is_gone(probed: tuple[Master, str]) -> None:
    os.kill(probed[0].workers()["http.1"], KILL)
    with through(probed) as w:
        until(lambda: w.ask("/who", Authorization=basic(), Cookie="sid=1.x").status == 200)


def test_what_the_server_learns_of_the_client(probed: tuple[Master, str]) -> None:
    with through(probed) as w:
        seen = w.ask(
            "/show", X_Forwarded_For="198.51.100.7", X_Forwarded_Host="evil.test", X_Forwarded_Proto="http"
        ).json
        assert (seen["peer"], seen["host"], seen["secure"]) == ("127.0.0.1", "mail.example.test", True)
        answer = w.ask("/who")
        assert answer.status == 401 and [value[:5] for value in answer.all("www-authenticate")] == ["Basic"]


def test_answers_and_bodies_stream(probed: tuple[Master, str]) -> None:
    with through(probed) as w:
        w.send(b"GET /pieces?n=2&wait=0.4 HTTP/1.1\r\nHost: x\r\n\r\n")
        started = time.monotonic()
        w.until(b"PROCESSING")
        assert time.monotonic() - started < 0.35
        w.until(b"\r\n0\r\n\r\n")
        w.send(b"POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            w.send(b"100\r\n" + bytes(256) + b"\r\n")
        assert w.send(b"0\r\n\r\n").reply().body == b"2560"


@pytest.mark.parametrize("method", ["RPC_IN_DATA", "RPC_OUT_DATA"])
def test_channels_of_rpc_pass(probed: tuple[Master, str], method: str) -> None:
    """Both ways on one connection, and from one worker to another below it."""
    head = f"{method} /rpc/rpcproxy.dll?mail:6001 HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n"
    with through(probed) as w:
        w.send(head.encode() + b"Content-Length: 1073741824\r\n\r\nhead\n")
        assert b" 200 " in w.until(b"\r\n\r\n")
        for slot in (0, 1, 0):
            assert w.send(b"pass %d text\n" % slot).until(b"\n").startswith(b"%d alice@example.test" % slot)
