"""From the configuration to `ServerSettings`: certificates and limits of one protocol's connection server."""

from __future__ import annotations

from typing import Any

from gromoxd.context import ConfigView
from gromoxd.master.settings import TlsSettings
from workers.common.server import ServerSettings, networks
from workers.common.settings import ConnectionSettings


def server_settings(
    config: ConfigView, pool: Any, prefix: str, *, max_connections: int, proxy: int, refusal: bytes
) -> ServerSettings:
    """`pool` is the protocol's settings class in `gromoxd.master.settings`, `prefix` that of its certificate settings.

    The protocol's own certificate goes before the common one; switched off TLS means no certificate.
    """
    common, tls, own = config.get(ConnectionSettings), config.get(TlsSettings), config.get(pool)
    certificate, key, passphrase = _certificate(own, prefix, tls)
    return ServerSettings(
        max_connections=max_connections,
        per_address=common.conn_per_address,
        max_strangers=common.conn_unauthenticated,
        certificate=certificate,
        private_key=key,
        passphrase=passphrase,
        tls_minimum=tls.tls_min_proto,
        proxy=bool(proxy),
        proxy_trusted=networks(common.haproxy_trusted) if proxy else (),
        handshake_timeout=common.tls_handshake_timeout,
        send_timeout=common.conn_send_timeout,
        drain_seconds=common.conn_drain_time,
        refusal=refusal,
    )


def _certificate(own: Any, prefix: str, tls: TlsSettings) -> tuple[str, str, str]:
    offered = getattr(own, f"{prefix}_support_tls", None)
    if offered is None:
        offered = getattr(own, f"{prefix}_support_starttls")
    if not offered:
        return "", "", ""
    path = getattr(own, f"{prefix}_certificate_path")
    if path:
        return path, getattr(own, f"{prefix}_private_key_path"), getattr(own, f"{prefix}_certificate_passwd")
    return tls.tls_certificate_path, tls.tls_private_key_path, tls.tls_certificate_passwd
