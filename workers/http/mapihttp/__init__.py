"""MAPI over HTTP ([MS-OXCMAPIHTTP]): the form of requests and answers, session contexts, the mailbox endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workers.http.front import Route
    from workers.http.mapihttp.endpoint import Endpoint
    from workers.http.site import Site

MAILBOX: Final = "/mapi/emsmdb"
LARGEST_BODY: Final = 1 << 20
METHODS: Final = ("POST", "GET")


def routes_of(endpoint: Endpoint) -> list[Route]:
    """An endpoint's routes."""
    from workers.http.front import Route

    paths = (endpoint.path, f"{endpoint.path}/")
    return [Route(path, endpoint.handle, METHODS, limit=LARGEST_BODY, cookie="sid") for path in paths]


def routes(site: Site) -> list[Route]:
    """The mailbox endpoint ([MS-OXCMAPIHTTP] 2.2.4)."""
    from workers.http.mapihttp.endpoint import Endpoint
    from workers.http.mapihttp.mailbox import TYPES

    return routes_of(Endpoint(site, MAILBOX, TYPES))
