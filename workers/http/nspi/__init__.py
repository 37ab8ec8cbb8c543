"""The address book endpoint of MAPI/HTTP ([MS-OXCMAPIHTTP] 2.2.5), and what the RPC interfaces share with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.http.mapihttp import routes_of

if TYPE_CHECKING:
    from workers.http.front import Route
    from workers.http.mapihttp.endpoint import Endpoint
    from workers.http.site import Site

PATH: Final = "/mapi/nspi"


def routes(site: Site) -> list[Route]:
    """The endpoint's routes."""
    return routes_of(site, PATH, lambda: _endpoint(site))


def _endpoint(site: Site) -> Endpoint:
    from workers.http.mapihttp.endpoint import Endpoint
    from workers.http.nspi.types import TYPES

    return Endpoint(site, PATH, TYPES)
