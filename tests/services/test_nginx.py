"""nginx before the HTTP worker, as conf/examples/nginx.conf has it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.conftest import require_binary
from tests.services.daemons import daemon, example, open_folder, run
from tests.support.server import Server, own_host, running, trusting_tls, until

pytestmark = pytest.mark.slow
PORT = 10443
FRAME = """
daemon off;
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


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    program, host = require_binary("nginx"), own_host()
    with open_folder() as folder, running(folder / "site") as server:
        tls = server.site / "tls"
        exchanged = {
            "server 127.0.0.1:8080": "server {}:{}".format(*server.address("http")),
            "listen 443 ssl": f"listen {host}:{PORT} ssl",
            "/etc/ssl/certs/mail.example.com.pem": f"{tls}/certificate.pem",
            "/etc/ssl/private/mail.example.com.key": f"{tls}/key.pem",
        }
        path = folder / "nginx.conf"
        path.write_text(FRAME.format(folder=folder, site=example("nginx.conf", exchanged)))
        command = (program, "-p", folder, "-e", folder / "error.log", "-c", path)
        run(*command, "-t")
        with daemon(*command, host=host, port=PORT, log=folder / "nginx.out"):
            yield Proxy(server, host)


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
