"""Bearer tokens (RFC 6750): JSON web tokens (RFC 7519) signed with a key of the file that `bearer_pubkey` names.

The file is a public key in PEM, or a JSON web key set (RFC 7517). Only signatures with public keys count, so that
nobody takes the published key for a shared secret.
"""

from __future__ import annotations

import json
import logging
import time
from hashlib import sha256
from typing import Any

from workers.http.settings import HttpSettings

log = logging.getLogger(__name__)

LEEWAY = 30.0
KEPT_SECONDS = 60.0
MOST_KEPT = 1000
LONGEST = 16 << 10
ALGORITHMS = {
    "RSA": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], "EC": ["ES256", "ES384", "ES512"],
    "OKP": ["EdDSA"],
}  # fmt: skip


class BadToken(Exception):
    """The token is worth nothing; the text is for the log."""


class Bearer:
    """Checks tokens; what was good is remembered for a minute."""

    def __init__(self) -> None:
        self._loaded: tuple[Any, Any] = (None, [])
        self._good: dict[bytes, tuple[float, str]] = {}

    def forget(self) -> None:
        """Read the keys anew: the configuration was."""
        self._loaded = (None, [])
        self._good.clear()

    def name_in(self, token: str, settings: HttpSettings) -> str:
        """The user's name in a genuine token that is in force. BadToken."""
        if len(token) > LONGEST:
            raise BadToken("too long")
        digest = sha256(token.encode("utf-8", "replace")).digest()
        kept = self._good.get(digest)
        if kept is not None and time.monotonic() < kept[0]:
            return kept[1]
        claims = self._verified(token, settings)
        name = next((value for claim in settings.bearer_user_claims if (value := claims.get(claim))), None)
        if not isinstance(name, str):
            raise BadToken("it names no user")
        if len(self._good) >= MOST_KEPT:
            self._good.clear()
        lasts = min(KEPT_SECONDS, int(claims["exp"]) + LEEWAY - time.time())
        self._good[digest] = (time.monotonic() + lasts, name)
        return name

    def _verified(self, token: str, settings: HttpSettings) -> dict[str, Any]:
        import jwt

        audience, issuer = settings.bearer_audience or None, settings.bearer_issuer or None
        try:
            key, algorithms = self._key(jwt.get_unverified_header(token).get("kid"), settings.bearer_pubkey)
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=algorithms, audience=audience, issuer=issuer, leeway=LEEWAY,
                options={"require": ["exp"], "verify_aud": audience is not None},
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise BadToken(f"{type(error).__name__}: {error}") from error
        return claims

    def _key(self, kid: Any, path: str) -> tuple[Any, list[str]]:
        if self._loaded[0] != path:
            self._loaded = (path, load_keys(path))
        keys = self._loaded[1]
        for known, key, algorithms in keys:
            if known is None or known == kid or (kid is None and len(keys) == 1):
                return key, algorithms
        raise BadToken("unknown key")


def load_keys(path: str) -> list[tuple[Any, Any, list[str]]]:
    """(key id or None, key, algorithms) of a file; none when it cannot be used, which is logged."""
    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        with open(path, "rb") as stream:
            data = stream.read(1 << 20)
        if data.lstrip().startswith(b"{"):
            found = jwt.PyJWKSet.from_dict(json.loads(data)).keys
            return [
                (key.key_id, key.key, ALGORITHMS[key.key_type])
                for key in found
                if key.key_type in ALGORITHMS and key.public_key_use in (None, "sig")
            ]
        key = load_pem_public_key(data)
    except (OSError, ValueError, TypeError, KeyError, jwt.PyJWTError) as error:
        log.error("bearer keys not loaded", extra={"path": path, "error": str(error)})
        return []
    kinds: dict[str, Any] = {
        "RSA": rsa.RSAPublicKey, "EC": ec.EllipticCurvePublicKey,
        "OKP": (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey),
    }  # fmt: skip
    return [(None, key, ALGORITHMS[name]) for name, kind in kinds.items() if isinstance(key, kind)]
