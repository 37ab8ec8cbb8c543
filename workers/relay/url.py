"""`outgoing_smtp_url`: where mail for recipients elsewhere goes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

CLEAR, OFFERED, REQUIRED, UNVERIFIED, IMPLICIT = "clear", "offered", "required", "unverified", "implicit"
_SCHEMES = {
    "smtp": (25, OFFERED), "smtp+tls": (25, REQUIRED), "smtp+unverifiedtls": (25, UNVERIFIED),
    "smtps": (465, IMPLICIT), "smtp+clear": (25, CLEAR),
}  # fmt: skip


@dataclass(frozen=True)
class Destination:
    """`sendmail`: the program takes the mail; else `host`, `port`, and when TLS begins (`tls`)."""

    sendmail: bool = False
    host: str = ""
    port: int = 25
    tls: str = OFFERED
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """For logs: without what is secret."""
        return "sendmail" if self.sendmail else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether what is said there leaves the machine."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


def parse_url(url: str) -> Destination:
    """ValueError, without the URL in its text, for what is none."""
    scheme, colon, _ = url.strip().partition(":")
    scheme = scheme.lower()
    if colon and scheme == "sendmail":
        return Destination(sendmail=True)
    if scheme not in _SCHEMES or not colon:
        raise ValueError("outgoing_smtp_url: unknown scheme")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ValueError("outgoing_smtp_url: bad host or port") from None
    if not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("outgoing_smtp_url: no host, or something behind it")
    default, tls = _SCHEMES[scheme]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Destination(False, parts.hostname, port or default, tls, user, password)
