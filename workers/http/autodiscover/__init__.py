"""AutoDiscover ([MS-OXDSCLI], [MS-OXWSADISC]), autoconfig and the well-known redirects.

The master loads this package's settings: what reads XML comes with the first request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workers.http.autodiscover.pages import Pages
    from workers.http.front import Handler, Reply, Request, Route
    from workers.http.site import Site

_POST: Final = ("GET", "HEAD", "POST")
_DAV: Final = ("GET", "HEAD", "POST", "PROPFIND", "OPTIONS", "REPORT")


def routes(site: Site) -> list[Route]:
    """See workers.http.front."""
    from workers.http.front import Route

    made: list[Pages] = []

    def page(name: str) -> Handler:
        def handle(request: Request) -> Reply:
            if not made:
                from workers.http.autodiscover.pages import Pages

                made.append(Pages(site))
            reply: Reply = getattr(made[0], name)(request)
            return reply

        return handle

    return [
        Route("/autodiscover/autodiscover.xml", page("on_pox"), _POST, limit=64 << 10),
        Route("/autodiscover/autodiscover.svc", page("on_soap"), _POST, limit=256 << 10),
        Route("/autodiscover/autodiscover.json", page("on_json"), authenticated=False),
        Route("/autodiscover/autodiscover.json/", page("on_json"), authenticated=False),
        Route("/.well-known/autoconfig/mail/config-v1.1.xml", page("on_autoconfig"), authenticated=False),
        Route("/mail/config-v1.1.xml", page("on_autoconfig"), authenticated=False),
        Route("/.well-known/caldav", page("on_dav"), _DAV, authenticated=False),
        Route("/.well-known/carddav", page("on_dav"), _DAV, authenticated=False),
    ]
