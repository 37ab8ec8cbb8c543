"""MAPI over HTTP ([MS-OXCMAPIHTTP]): the form of requests and answers, session contexts, the mailbox endpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from workers.http.front import Reply, Route
    from workers.http.mapihttp.endpoint import Endpoint
    from workers.http.site import Site

log = logging.getLogger(__name__)

MAILBOX: Final = "/mapi/emsmdb"
LARGEST_BODY: Final = 1 << 20
HEALTH: Final = "/mapi/healthcheck.htm"
"""What load balancers ask for in front of Exchange."""
METHODS: Final = ("POST", "GET")


def routes_of(site: Site, path: str, make: Callable[[], Endpoint]) -> list[Route]:
    """The routes of the endpoint at `path`, which is made once for a worker, whatever number of listeners it has."""
    from workers.http.front import Route

    endpoint: Endpoint | None = site.endpoints.get(path)
    if endpoint is None:
        site.endpoints[path] = endpoint = make()
    return [Route(each, endpoint.handle, METHODS, limit=LARGEST_BODY, cookie="sid") for each in (path, f"{path}/")]


def routes(site: Site) -> list[Route]:
    """The mailbox endpoint ([MS-OXCMAPIHTTP] 2.2.4), and whether it takes new sessions."""
    from workers.http.front import Route

    found = routes_of(site, MAILBOX, lambda: _mailbox(site))
    return [*found, Route(HEALTH, lambda request: _health(site, request), authenticated=False)]


def _health(site: Site, request: Any) -> Reply:
    from workers.http.front import Reply

    status, text = (503, b"draining\r\n") if site.ctx.draining() else (200, b"200 OK<br/>\r\n")
    return Reply(status, [("Content-Type", "text/html"), ("Cache-Control", "no-store")], text)


def _mailbox(site: Site) -> Endpoint:
    from workers.http.mapihttp.endpoint import Endpoint
    from workers.http.mapihttp.mailbox import TYPES

    endpoint = Endpoint(site, MAILBOX, TYPES)
    site.ctx.on_reload(lambda: _wake_moved(site, endpoint))
    return endpoint


def _wake_moved(site: Site, endpoint: Endpoint) -> None:
    """Those who wait, and have another home server now, ask again."""
    from gromoxd.directory.errors import DirectoryDown
    from workers.http.mapihttp.mailbox import moved

    try:
        endpoint.wake(moved(site))
    except DirectoryDown as error:
        log.warning("the directory cannot be asked who has moved", extra={"error": str(error)})
