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
    http_auth_spnego: bool = setting(
        False, "Offer Negotiate and NTLM (see store_nt_hash, ntlmssp_program).", kind="bool"
    )
    http_ntlm_proxied: bool = setting(
        False, "The proxies in front keep a connection of ours for each client connection: NTLM works through them.",
        kind="bool",
    )  # fmt: skip
    ntlmssp_program: str = setting(
        "", "Helper that checks NTLM, such as /usr/bin/ntlm_auth --helper-protocol=squid-2.5-ntlmssp; empty: our own.",
        kind="str",
    )  # fmt: skip
    http_auth_bearer: bool = setting(False, "Offer Bearer: JSON web tokens.", kind="bool")
    bearer_pubkey: str = setting(
        "/etc/gromox/bearer_pubkey", "Public key (PEM) or key set (JWKS) that signs bearer tokens.", kind="str"
    )
    bearer_issuer: str = setting("", "The issuer (iss) of bearer tokens; empty: anyone with the key.", kind="str")
    bearer_audience: str = setting("", "The audience (aud) that bearer tokens are for; empty: any.", kind="str")
    bearer_user_claims: list[str] = setting(
        ["preferred_username", "upn", "email"], "Claims that name the user; the first one there counts.", kind="list"
    )
    default_domain: str = setting("", "Domain of user names without one; empty: they are alternate names.", kind="str")
    http_show_version: bool = setting(False, "Tell the version on the page at /.", kind="bool")
    reported_server_version: str = setting("15.00.0847.4040", "Version of Exchange told to clients.", kind="str")
