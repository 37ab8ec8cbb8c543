"""The shared-secret handshake of exmdb over TCP, pure: both sides prove the secret, bound to the TLS certificate.

Server: 4-byte magic, 32-byte nonce. Client: 32-byte nonce, 32-byte proof. Server: 32-byte proof (or closes).
A proof is HMAC-SHA-256 (RFC 2104) over role, both nonces and the SHA-256 of the server's certificate (empty without
TLS), so that a man in the middle with another certificate gets no valid proof to pass on.
"""

from __future__ import annotations

import hashlib
import hmac

MAGIC = b"gxm1"
NONCE = 32
PROOF = 32


def proof(secret: str, role: bytes, server_nonce: bytes, client_nonce: bytes, certificate: bytes) -> bytes:
    """What `role` (b'client' or b'server') shows. `certificate` is the server's DER, b'' without TLS."""
    bound = hashlib.sha256(certificate).digest() if certificate else b""
    text = b"\0".join((role, server_nonce.hex().encode(), client_nonce.hex().encode(), bound.hex().encode()))
    return hmac.new(secret.encode(), text, hashlib.sha256).digest()


def accepts(expected: bytes, shown: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(expected, shown)
