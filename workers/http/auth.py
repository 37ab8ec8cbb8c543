"""Who a request is from: Basic (RFC 7617). Whatever is wrong, the answer is the same after the same work."""

from __future__ import annotations

import binascii
from base64 import b64decode

import gevent

from gromoxd.directory.errors import AuthFailed
from workers.http.front import Headers, Refused
from workers.http.request import HttpRequest
from workers.http.settings import HttpSettings
from workers.http.site import Site

REALM = "gromoxd"


class Authenticator:
    """Makes `request.user`, or raises Refused."""

    def __init__(self, site: Site) -> None:
        self._site, self._directory = site, site.services.directory

    @property
    def _settings(self) -> HttpSettings:
        return self._site.ctx.config.get(HttpSettings)

    def authenticate(self, request: HttpRequest, privilege: int) -> None:
        """Find out who it is. Refused: 401 with what is offered, 403 without the privilege."""
        relayed = request.connection.relayed
        if relayed is not None:
            request.user, request.login = relayed.user, relayed.login
            return
        scheme, _, value = request.header("authorization").partition(" ")
        if scheme.lower() == "basic" and self._settings.http_auth_basic:
            self._basic(request, value.strip(), privilege)
            return
        raise self._unauthorized()

    def _basic(self, request: HttpRequest, value: str, privilege: int) -> None:
        name, password = credentials(value)
        try:
            user = self._directory.authenticate(directory_name(name), password, privilege, request.peer)
        except AuthFailed as error:
            gevent.sleep(error.delay)
            raise self._unauthorized() from error
        request.user, request.login, request.password = user, name, password

    def _unauthorized(self) -> Refused:
        headers: Headers = []
        if self._settings.http_auth_basic:
            headers.append(("WWW-Authenticate", f'Basic realm="{REALM}", charset="UTF-8"'))
        return Refused(401, "authentication is required", headers)


def credentials(value: str) -> tuple[str, str]:
    """Name and password out of Basic's token, in UTF-8 or, where it is none, Latin-1. Refused (400) for garbage."""
    try:
        data = b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(400, "bad credentials") from error
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    name, colon, password = text.partition(":")
    if not colon:
        raise Refused(400, "bad credentials")
    return name, password


def directory_name(name: str) -> str:
    r"""The directory's name for the client's: `DOMAIN\user`, `domain.tld\user`, `user@domain` or `user`."""
    domain, backslash, user = name.strip().rpartition("\\")
    if not backslash:
        return user
    if "@" in user or "." not in domain:
        return user
    return f"{user}@{domain}"
