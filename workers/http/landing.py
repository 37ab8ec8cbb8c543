"""`/`: a page that says that the server is there and what it serves. It tells nothing that a stranger may not know."""

from __future__ import annotations

from html import escape

from gromoxd import __version__
from workers.http.front import Reply
from workers.http.settings import HttpSettings
from workers.http.site import Site

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title>
<style>body{{font:16px/1.5 sans-serif;max-width:40em;margin:4em auto;padding:0 1em;color:#222}}</style></head>
<body><h1>{name}</h1><p>This mail server is up.</p>{served}</body></html>
"""
_SERVICES = (
    ("/autodiscover/autodiscover.xml", "AutoDiscover: set up an account by its address"),
    ("/mapi/emsmdb", "MAPI over HTTP for Outlook"),
    ("/rpc/rpcproxy.dll", "RPC over HTTP for older Outlook"),
    ("/oab", "Offline address book"),
)


def landing(site: Site, paths: frozenset[str]) -> Reply:
    """The page; `paths` are those that are served, without a slash at the end."""
    settings = site.ctx.config.get(HttpSettings)
    name = f"gromoxd {__version__}" if settings.http_show_version else "gromoxd"
    items = "".join(f"<li>{escape(text)}</li>" for path, text in _SERVICES if path in paths)
    page = _PAGE.format(name=escape(name), served=f"<ul>{items}</ul>" if items else "")
    headers = [
        ("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store"),
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
        ("X-Content-Type-Options", "nosniff"),
    ]  # fmt: skip
    return Reply(200, headers, page.encode())
