"""The WSGI application: routes to small handlers. `/status.json` is served on the site's own Unix socket only."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from gromoxd import __version__
from gromoxd.context import WorkerContext
from workers.http import figures
from workers.http.settings import HttpSettings

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Answer = tuple[str, str, bytes]
"""Status line, content type, body."""

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


class App:
    """`private`: requests come from the status socket, whose mode admits this host's administrators only."""

    def __init__(self, ctx: WorkerContext, master: int, *, private: bool) -> None:
        self._ctx, self._master, self._private = ctx, master, private
        self._routes: dict[str, Callable[[Environ], Answer]] = {"/metrics": self._metrics, "/healthz": self._health}
        if private:
            self._routes["/status.json"] = self._status

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request. A body that nobody wants is read and dropped by gunicorn, within http_conn_timeout."""
        self._ctx.board.add("commands")
        route = self._routes.get(environ.get("PATH_INFO", ""))
        method = environ.get("REQUEST_METHOD")
        if route is None:
            answer: Answer = ("404 Not Found", TEXT, b"not found\n")
        elif method not in ("GET", "HEAD"):
            answer = ("405 Method Not Allowed", TEXT, b"only GET\n")
        else:
            answer = route(environ)
        line, kind, body = answer
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        if line.startswith("405"):
            headers.append(("Allow", "GET, HEAD"))
        start_response(line, headers)
        return [] if method == "HEAD" else [body]

    def _snapshot(self) -> figures.Snapshot:
        snapshot: figures.Snapshot = self._ctx.shared.board.snapshot()
        return snapshot

    def _metrics(self, environ: Environ) -> Answer:
        if not self._may_read(environ):
            return ("403 Forbidden", TEXT, b"not from here\n")
        text = figures.prometheus(self._snapshot(), version=__version__, epoch=self._ctx.shared.epoch)
        return ("200 OK", figures.CONTENT_TYPE, text.encode())

    def _may_read(self, environ: Environ) -> bool:
        if self._private:
            return True
        if "HTTP_X_FORWARDED_FOR" in environ or "HTTP_FORWARDED" in environ:
            return False
        allowed = self._ctx.config.get(HttpSettings).http_metrics_allow
        return admitted(environ.get("REMOTE_ADDR", ""), allowed)

    def _health(self, environ: Environ) -> Answer:
        silence_ms = self._ctx.config.get(HttpSettings).http_health_silence * 1000
        good, value = figures.health(self._snapshot(), now_ms=monotonic_ms(), silence_ms=silence_ms)
        return ("200 OK" if good else "503 Service Unavailable", JSON, encode(value))

    def _status(self, environ: Environ) -> Answer:
        value = figures.status(
            self._snapshot(), version=__version__, epoch=self._ctx.shared.epoch, master=self._master,
            now_ms=monotonic_ms(), site=self._ctx.site,
        )  # fmt: skip
        return ("200 OK", JSON, encode(value))


def encode(value: Any) -> bytes:
    """JSON with a line end."""
    return json.dumps(value).encode() + b"\n"


def monotonic_ms() -> int:
    """The clock of the board's `heartbeat_ms`."""
    return time.monotonic_ns() // 1_000_000


def admitted(address: str, networks: list[str]) -> bool:
    """Is the peer in one of the networks? IPv4 peers of a dual-stack socket count as IPv4; bad entries admit nobody."""
    try:
        peer: Any = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    peer = getattr(peer, "ipv4_mapped", None) or peer
    for text in networks:
        try:
            if peer in ipaddress.ip_network(text, strict=False):
                return True
        except ValueError:
            continue
    return False
