"""Offline address books over HTTP ([MS-OXWOAB])."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.http.front import Route

if TYPE_CHECKING:
    from workers.http.front import Reply, Request
    from workers.http.oab.service import Service
    from workers.http.site import Site

PATH: Final = "/oab/"
_KEY: Final = "offline address books"


def routes(site: Site) -> list[Route]:
    """`/OAB/oab.xml` and its files, for a client's own organisation; the same below `/OAB/<GUID>/`."""

    def answer(request: Request) -> Reply:
        return _service(site).answer(request)

    return [Route(PATH, answer)]


def _service(site: Site) -> Service:
    found: Service | None = site.endpoints.get(_KEY)
    if found is None:
        from workers.http.oab.service import Service

        found = site.endpoints[_KEY] = Service(site)
    return found
