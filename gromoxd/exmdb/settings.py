"""Settings of the exmdb RPC, both sides."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("gromox.cfg", "Store RPC between nodes.")
@dataclass(frozen=True)
class ExmdbSettings:
    """The TCP port opens only when both `exmdb_hosts_allow` and `exmdb_secret` are set."""

    exmdb_hosts_allow: list[str] = setting([], "Addresses and networks that may connect to exmdb_listen.", kind="list")
    exmdb_secret: str = setting("", "Secret that all nodes share.", kind="str", secret=True)
    exmdb_tls: bool = setting(False, "Speak TLS between nodes (with the node's certificate).", kind="bool")
    exmdb_client_rpc_timeout: float = setting(60.0, "Longest wait for a store's answer.", kind="span", low=1)
    exmdb_port: int = setting(
        5000, "Port of other nodes when servers.hostname has none.", kind="int", low=1, high=65535
    )
