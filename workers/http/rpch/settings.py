"""Settings of RPC over HTTP. Loaded by the master too: no gevent here."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("http.cfg", "RPC over HTTP.")
@dataclass(frozen=True)
class RpchSettings:
    """Limits of virtual connections, and the form of their replies."""

    rpch_out_chunked: bool = setting(
        False, "Send OUT channels in chunks, for clients that read nothing else; the documents have a length.",
        kind="bool",
    )  # fmt: skip
    rpch_connections_per_user: int = setting(100, "Virtual connections of one user.", kind="int", low=1, high=100000)
    rpch_channel_lifetime: int = setting(
        1 << 30, "Bytes after which an OUT channel is replaced by another.", kind="size", low=128 << 10, high=2 << 30
    )
    rpch_channel_timeout: float = setting(
        120.0, "Connection time-out that clients are told: in half of it there is always a ping.", kind="span",
        low=120, high=14400,
    )  # fmt: skip
