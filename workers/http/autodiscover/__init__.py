"""AutoDiscover ([MS-OXDSCLI], [MS-OXWSADISC]), autoconfig and the well-known redirects."""

from __future__ import annotations

from workers.http.autodiscover.pages import Pages
from workers.http.front import Route
from workers.http.site import Site

_POST = ("GET", "HEAD", "POST")
_DAV = ("GET", "HEAD", "POST", "PROPFIND", "OPTIONS", "REPORT")


def routes(site: Site) -> list[Route]:
    """See workers.http.front."""
    pages = Pages(site)
    return [
        Route("/autodiscover/autodiscover.xml", pages.on_pox, _POST, limit=64 << 10),
        Route("/autodiscover/autodiscover.svc", pages.on_soap, _POST, limit=256 << 10),
        Route("/autodiscover/autodiscover.json", pages.on_json, authenticated=False),
        Route("/autodiscover/autodiscover.json/", pages.on_json, authenticated=False),
        Route("/.well-known/autoconfig/mail/config-v1.1.xml", pages.on_autoconfig, authenticated=False),
        Route("/mail/config-v1.1.xml", pages.on_autoconfig, authenticated=False),
        Route("/.well-known/caldav", pages.on_dav, _DAV, authenticated=False),
        Route("/.well-known/carddav", pages.on_dav, _DAV, authenticated=False),
    ]
