"""Settings that the connection servers of IMAP, POP3 and LMTP share. Loaded by the master too: no gevent here."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("gromox.cfg", "Connections of the IMAP, POP3 and LMTP servers. Limits are of one worker process.")
@dataclass(frozen=True)
class ConnectionSettings:
    """What is the same for every connection server."""

    conn_per_address: int = setting(
        500, "Connections from one address (this machine's own are not counted); 0: no limit.", kind="int", low=0
    )
    conn_unauthenticated: int = setting(
        800, "Connections without a login; the oldest goes when one more comes. 0: no limit.", kind="int", low=0
    )
    conn_send_timeout: float = setting(
        60.0, "A client that takes no data for so long is cut off.", kind="span", low=1, high=3600
    )
    conn_drain_time: float = setting(
        20.0, "Time that sessions have to end when a worker stops.", kind="span", low=0, high=3600
    )
    tls_handshake_timeout: float = setting(30.0, "Time for a TLS handshake or a PROXY header.", kind="span", low=1)
    haproxy_trusted: list[str] = setting(
        ["127.0.0.0/8", "::1"], "Networks of the load balancers that send PROXY headers.", kind="list"
    )
