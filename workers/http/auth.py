"""Who a request is from: Basic (RFC 7617), Bearer (RFC 6750), NTLM and Negotiate ([MS-NTHT], RFC 4559).

Whatever is wrong, the answer is the same after the same work and the throttle's delay: 401 with what is offered.

NTLM is of a connection, not of a request. Behind a proxy that sends the requests of many clients over one connection
it would make one of them of another: there it is neither offered nor believed, unless `http_ntlm_proxied` says that the
proxy keeps a connection of ours for each of its clients.
"""

from __future__ import annotations

import binascii
import logging
import time
from base64 import b64decode, b64encode

import gevent

from gromoxd.directory.errors import AuthFailed
from gromoxd.directory.model import User
from gromoxd.ntlm.server import Names
from workers.http.bearer import BadToken, Bearer
from workers.http.front import Headers, Refused
from workers.http.ntlm import Handshake, HelperHandshake
from workers.http.request import HttpRequest
from workers.http.settings import HttpSettings
from workers.http.site import Site

log = logging.getLogger(__name__)

REALM = "gromoxd"
LONGEST_TOKEN = 32 << 10
BOUND_SECONDS = 60.0
"""After so long a connection's user is looked up again: he may be suspended by now."""


class Authenticator:
    """Makes `request.user`, or raises Refused."""

    def __init__(self, site: Site) -> None:
        self._site, self._directory = site, site.services.directory
        self._bearer = Bearer()
        site.ctx.on_reload(self._bearer.forget)
        self._schemes = {
            "basic": self._basic, "bearer": self._by_bearer, "ntlm": self._by_ntlm, "negotiate": self._by_ntlm,
        }  # fmt: skip

    @property
    def _settings(self) -> HttpSettings:
        return self._site.ctx.config.get(HttpSettings)

    def authenticate(self, request: HttpRequest, privilege: int) -> None:
        """Find out who it is. Refused: 401 with what is offered, 403 without the privilege."""
        connection = request.connection
        if connection.relayed is not None:
            request.user, request.login = connection.relayed.user, connection.relayed.login
            return
        scheme, _, value = request.header("authorization").partition(" ")
        if not scheme:
            if connection.user is None or not self._may_bind(request):
                raise self._unauthorized(request)
            self._bound(request, privilege)
            return
        method = self._schemes.get(scheme.lower())
        if method is None or scheme.lower() not in self._offered(request):
            raise self._unauthorized(request)
        try:
            method(request, value.strip(), privilege)
        except AuthFailed as error:
            self._drop(request)
            gevent.sleep(error.delay)
            raise self._unauthorized(request) from error

    # ------------------------------------------------------------------------------------------ schemes

    def _basic(self, request: HttpRequest, value: str, privilege: int) -> None:
        name, password = credentials(value)
        request.user = self._directory.authenticate(self._name(name), password, privilege, request.peer)
        request.login, request.password = name, password

    def _by_bearer(self, request: HttpRequest, value: str, privilege: int) -> None:
        try:
            name = self._bearer.name_in(value, self._settings)
        except BadToken as error:
            log.info("bearer token refused", extra={"reason": str(error), "peer": request.peer})
            self._directory.login.refuse("bearer", request.peer)
        request.user = self._directory.login.by_trust(self._name(name), privilege, request.peer)
        request.login = name

    def _by_ntlm(self, request: HttpRequest, value: str, privilege: int) -> None:
        connection, scheme = request.connection, request.header("authorization").partition(" ")[0]
        token = decoded(value)
        if connection.handshake is None or begins(token):
            self._drop(request)
            connection.handshake = self._begin()
        try:
            done = connection.handshake.step(token, privilege, request.peer)
        except OSError as error:
            self._drop(request)
            log.error("NTLM helper failed", extra={"error": str(error)})
            raise Refused(503, "try again later", [("Retry-After", "10")]) from error
        if done.user is None:
            request.go_on()  # a body that the client holds back would leave the connection's state unknown
            answer = f"{scheme} {b64encode(done.token).decode()}"
            raise Refused(401, "authentication goes on", [("WWW-Authenticate", answer)])
        self._drop(request)
        connection.user, connection.login, connection.bound = done.user, done.login, time.monotonic()
        request.user, request.login = done.user, done.login
        if done.token:
            request.reply_headers.append(("WWW-Authenticate", f"{scheme} {b64encode(done.token).decode()}"))

    def _begin(self) -> Handshake | HelperHandshake:
        program, login = self._settings.ntlmssp_program, self._directory.login
        if program:
            try:
                return HelperHandshake(program, login, self._name)
            except (OSError, ValueError) as error:
                log.error("NTLM helper not started", extra={"error": str(error)})
                raise Refused(503, "try again later", [("Retry-After", "10")]) from error
        host = self._directory.host_id
        short, _, domain = host.partition(".")
        return Handshake(login, Names(short[:15].upper() or "GROMOXD", "", host, domain), self._name)

    def _drop(self, request: HttpRequest) -> None:
        """Whoever tries to log in anew is nobody until then."""
        request.connection.leave()

    def _bound(self, request: HttpRequest, privilege: int) -> None:
        """The user that this connection is for."""
        connection = request.connection
        if time.monotonic() - connection.bound > BOUND_SECONDS:
            connection.user = self._directory.user(connection.user.username)
            connection.bound = time.monotonic()
        user: User | None = connection.user
        if user is None or not user.may_log_in:
            self._drop(request)
            raise self._unauthorized(request)
        if not user.has_privilege(privilege):
            raise Refused(403, "not for this user")
        request.user, request.login = user, connection.login

    # ------------------------------------------------------------------------------------------ offers

    def _may_bind(self, request: HttpRequest) -> bool:
        """Is the connection one client's alone?"""
        return self._settings.http_ntlm_proxied or not (request.proxied or request.connection.trusted)

    def _offered(self, request: HttpRequest) -> dict[str, str]:
        settings = self._settings
        offers: dict[str, str] = {}
        if settings.http_auth_spnego and self._may_bind(request):
            if not settings.ntlmssp_program:  # a helper cannot sign SPNEGO's list of mechanisms
                offers["negotiate"] = "Negotiate"
            offers["ntlm"] = "NTLM"
        if settings.http_auth_bearer:
            offers["bearer"] = f'Bearer realm="{REALM}"'
        if settings.http_auth_basic:
            offers["basic"] = f'Basic realm="{REALM}", charset="UTF-8"'
        return offers

    def _unauthorized(self, request: HttpRequest) -> Refused:
        headers: Headers = [("WWW-Authenticate", offer) for offer in self._offered(request).values()]
        return Refused(401, "authentication is required", headers)

    def _name(self, name: str) -> str:
        return directory_name(name, self._settings.default_domain)


def begins(token: bytes) -> bool:
    """Is this a NEGOTIATE_MESSAGE or a NegTokenInit?"""
    return token[8:12] == b"\1\0\0\0" or token[:1] == b"\x60"


def decoded(value: str) -> bytes:
    """A token in Base64. Refused (400) for garbage."""
    if len(value) > LONGEST_TOKEN:
        raise Refused(400, "bad credentials")
    try:
        return b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(400, "bad credentials") from error


def credentials(value: str) -> tuple[str, str]:
    """Name and password out of Basic's token, in UTF-8 or, where it is none, Latin-1. Refused (400) for garbage."""
    data = decoded(value)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    name, colon, password = text.partition(":")
    if not colon:
        raise Refused(400, "bad credentials")
    return name, password


def directory_name(name: str, default_domain: str = "") -> str:
    r"""The directory's name for the client's: `DOMAIN\user`, `domain.tld\user`, `user@domain` or `user`."""
    domain, _, user = name.strip().rpartition("\\")
    if "@" in user:
        return user
    domain = domain if "." in domain else default_domain
    return f"{user}@{domain}" if domain and user else user
