"""The application: from a request to its reply, by the routes of the protocols. `/status.json` is private.

Paths are compared in lower case; of several routes the longest wins. The figures are for networks that may read them.
"""

from __future__ import annotations

import importlib
import ipaddress
import json
import logging
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from gromoxd import __version__
from gromoxd.directory.errors import DirectoryDown
from gromoxd.errors import Ec, MapiError
from workers.http import channels, figures, rpch
from workers.http.auth import Authenticator
from workers.http.connection import refusal
from workers.http.front import Headers, Refused, Reply, Route
from workers.http.handover import Relay
from workers.http.landing import landing
from workers.http.request import ClientGone, HttpRequest
from workers.http.settings import HttpSettings
from workers.http.site import Site

log = logging.getLogger(__name__)

PROTOCOLS: tuple[str, ...] = (
    "workers.http.autodiscover",
    "workers.http.mapihttp",
    "workers.http.nspi",
    "workers.http.oab",
)
"""Packages with `routes(site)`."""
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
NOT_FOUND = Refused(404, "not found")
LATER = Refused(503, "try again later", [("Retry-After", "10")])
TEMPORARY = frozenset({Ec.ecNetwork, Ec.ecTimeout, Ec.ecBusy, Ec.ecLocked})
"""A MapiError that a protocol has no answer of its own for: the client may try again."""


class Router:
    """The routes by path and method."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            methods = self._by_path.setdefault(route.path, {})
            for method in route.methods:
                methods[method] = route

    def find(self, path: str, method: str) -> Route | str:
        """The route; or, when there is none for the method, those that there are ('' for an unknown path)."""
        methods = self._methods(path)
        if methods is None:
            return ""
        return methods.get(method) or ", ".join(sorted({*methods, "OPTIONS"}))

    def _methods(self, path: str) -> dict[str, Route] | None:
        found = self._by_path.get(path)
        if found is not None or "/.." in path or "\0" in path or "\\" in path:
            return found
        end = path.rfind("/")
        while end > 0:  # a route of '/' is for itself alone
            found = self._by_path.get(path[: end + 1])
            if found is not None:
                return found
            end = path.rfind("/", 0, end)
        return None


class App:
    """`private`: requests come from the status socket, whose mode admits this host's administrators only."""

    def __init__(self, site: Site, master: int, *, private: bool) -> None:
        self._site, self._ctx, self._master, self._private = site, site.ctx, master, private
        self._auth, self._relay = Authenticator(site), Relay(site)
        self._board = site.ctx.board
        found = [] if private else protocol_routes(site)
        self._served = frozenset({route.path.rstrip("/") for route in found} | channels.PATHS)
        self._router = Router([*self._own(), *found])

    def _own(self) -> list[Route]:
        routes = [
            Route("/metrics", self._metrics, authenticated=False),
            Route("/healthz", self._health, authenticated=False),
        ]
        if self._private:
            return [*routes, Route("/status.json", self._status, authenticated=False)]
        return [*routes, Route("/", lambda request: landing(self._site, self._served), authenticated=False)]

    def answer(self, request: HttpRequest) -> Reply:
        """The reply to a request, whatever happens."""
        self._board.add("commands")
        try:
            return self._answer(request)
        except Refused as error:
            return refusal(error)
        except ClientGone:
            raise
        except Exception as error:
            if isinstance(error, MapiError) and error.code in TEMPORARY:
                log.warning("request failed for now", extra={"error": str(error), "path": request.raw_path})
                return refusal(LATER)
            self._board.add("internal_errors")
            log.exception("request failed", extra={"method": request.method, "path": request.raw_path})
            return refusal(Refused(500, "internal error"))

    def _answer(self, request: HttpRequest) -> Reply:
        relayed = self._relay.accept(request)
        route = self._router.find(request.path, request.method)
        if isinstance(route, str):
            return self._without(route, request)
        request.check(route.limit)
        if route.authenticated:
            self._auth.authenticate(request, route.privilege)
        if route.cookie and not relayed:
            reply = self._relay.forward(request, route.cookie)
            if reply is not None:
                return reply
        return route.handler(request)

    def _without(self, allowed: str, request: HttpRequest) -> Reply:
        if not allowed:
            raise NOT_FOUND
        allow: Headers = [("Allow", allowed)]
        if request.method == "OPTIONS":
            return Reply(200, allow)
        raise Refused(405, f"only {allowed}", allow)

    def channel(self, request: HttpRequest) -> Reply | None:
        """Let RPC over HTTP have the connection until it ends; or the reply to a request for that is refused."""
        try:
            if self._private or request.path not in channels.PATHS:
                raise NOT_FOUND
            self._relay.accept(request)
            self._auth.authenticate(request, 0)
        except Refused as error:
            return refusal(error)
        except DirectoryDown:
            return refusal(LATER)
        rpch.channel(channel_of(self._site, request))
        return None

    # ------------------------------------------------------------------------------------------ figures

    def _snapshot(self) -> figures.Snapshot:
        snapshot: figures.Snapshot = self._ctx.shared.board.snapshot()
        return snapshot

    def _metrics(self, request: HttpRequest) -> Reply:
        if not self._may_read(request):
            raise Refused(403, "not from here")
        text = figures.prometheus(self._snapshot(), version=__version__, epoch=self._ctx.shared.epoch)
        return plain(200, figures.CONTENT_TYPE, text.encode())

    def _may_read(self, request: HttpRequest) -> bool:
        if self._private:
            return True
        if request.header("x-forwarded-for") or request.header("forwarded"):
            return False
        return admitted(request.connection.address, self._ctx.config.get(HttpSettings).http_metrics_allow)

    def _health(self, request: HttpRequest) -> Reply:
        silence_ms = self._ctx.config.get(HttpSettings).http_health_silence * 1000
        good, value = figures.health(self._snapshot(), now_ms=monotonic_ms(), silence_ms=silence_ms)
        return plain(200 if good else 503, JSON, encode(value))

    def _status(self, request: HttpRequest) -> Reply:
        value = figures.status(
            self._snapshot(), version=__version__, epoch=self._ctx.shared.epoch, master=self._master,
            now_ms=monotonic_ms(), site=self._ctx.site,
        )  # fmt: skip
        return plain(200, JSON, encode(value))


def protocol_routes(site: Site) -> list[Route]:
    """The routes of all protocols."""
    return [route for name in PROTOCOLS for route in importlib.import_module(name).routes(site)]


def channel_of(site: Site, request: HttpRequest) -> channels.Channel:
    """The request's connection, whose client may send now."""
    about = channels.About(
        request.method, request.head.query, request.fields, request.user, request.login, request.peer, request.host,
        request.secure,
    )  # fmt: skip
    request.go_on()
    connection = request.connection
    return channels.Channel(site, about, connection.sock, connection.take_over(), tls=connection.tls)


def plain(status: int, kind: str, body: bytes) -> Reply:
    """A reply that nobody keeps."""
    return Reply(status, [("Content-Type", kind), ("Cache-Control", "no-store")], body)


def encode(value: Any) -> bytes:
    """JSON with a line end."""
    return json.dumps(value).encode() + b"\n"


def monotonic_ms() -> int:
    """The clock of the board's `heartbeat_ms`."""
    return time.monotonic_ns() // 1_000_000


def admitted(address: str, networks: Iterable[str]) -> bool:
    """Is the peer in one of the networks? IPv4 peers of a dual-stack socket count as IPv4; bad entries admit nobody."""
    try:
        peer: Any = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    peer = getattr(peer, "ipv4_mapped", None) or peer
    return any(peer in network for text in networks if (network := _network(text)) is not None)


@lru_cache(256)
def _network(text: str) -> Any:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
