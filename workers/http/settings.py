"""Settings of the HTTP server. Loaded by the master too: no gevent here."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("http.cfg", "The HTTP server.")
@dataclass(frozen=True)
class HttpSettings:
    """Limits of the server, and who may read the figures."""

    context_num: int = setting(
        1000, "Connections of one worker and listener.", kind="int", low=1, high=1000000, reload="restart"
    )
    http_conn_timeout: float = setting(
        30.0, "Time for the head of a request, and between requests of one connection.", kind="span", low=1, high=3600,
        reload="restart",
    )  # fmt: skip
    http_header_max_size: int = setting(
        8190, "Bytes of a request line or of a header field.", kind="size", low=256, high=65536, reload="restart"
    )
    http_metrics_allow: list[str] = setting(
        ["127.0.0.0/8", "::1"], "Networks that may read /metrics; a forwarded request is never one.", kind="list"
    )
    http_health_silence: float = setting(
        10.0, "/healthz reports a process that gave no sign of life for so long.", kind="span", low=2, high=3600
    )
    http_trusted_proxies: list[str] = setting(
        ["127.0.0.0/8", "::1"], "Networks of the proxies whose X-Forwarded-For, -Proto and -Host are believed.",
        kind="list",
    )  # fmt: skip
    http_remote_host_hdr: str = setting(
        "X-Forwarded-For", "Header field in which trusted proxies say the client's address.", kind="str"
    )
    http_auth_basic: bool = setting(True, "Offer Basic.", kind="bool")
    http_show_version: bool = setting(False, "Tell the version on the page at /.", kind="bool")
    x500_org_name: str = setting(
        "Gromox default", "Organisation in the names that Outlook knows users by. Never change it later.", kind="str"
    )
