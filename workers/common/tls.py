"""The server's TLS context from certificate files, renewed on reload. TLS 1.2 is the least (RFC 8996)."""

from __future__ import annotations

import logging
import ssl

from gevent.ssl import SSLContext

log = logging.getLogger(__name__)
VERSIONS = {"tls1.2": ssl.TLSVersion.TLSv1_2, "tls1.3": ssl.TLSVersion.TLSv1_3}


class TlsSource:
    """Holds the context in force. A certificate that cannot be loaded leaves the one before in place."""

    def __init__(self) -> None:
        self.context: SSLContext | None = None

    def load(self, certificate: str, key: str, passphrase: str = "", minimum: str = "tls1.2") -> None:
        """Read the files (no certificate: no TLS). The handshakes from now on use them."""
        if not certificate:
            self.context = None
            return
        try:
            self.context = make_context(certificate, key, passphrase, minimum)
        except (OSError, ValueError) as error:
            log.error("certificate not loaded", extra={"file": certificate, "key": key, "error": str(error)})


def make_context(certificate: str, key: str, passphrase: str = "", minimum: str = "tls1.2") -> SSLContext:
    """A server context with that certificate chain. OSError (ssl.SSLError) or ValueError when it cannot be made."""
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS.get(minimum.lower(), ssl.TLSVersion.TLSv1_2)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION
    # An empty passphrase still answers OpenSSL, which would otherwise ask on the terminal.
    context.load_cert_chain(certificate, key or None, password=passphrase)
    return context
