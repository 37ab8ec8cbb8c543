"""What an association needs of an authentication inside RPC ([MS-RPCE] 3.3.1.5.2), whatever makes it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol

import gevent

from gromoxd.directory.errors import AuthFailed, DirectoryDown
from gromoxd.errors import WireError
from gromoxd.mapi.times import filetime
from gromoxd.ntlm.server import Names, NtlmServer, name_of
from gromoxd.ntlm.session import NtlmError, NtlmSession
from gromoxd.ntlm.spnego import SpnegoServer
from gromoxd.rpc.pdu import AuthLevel, AuthType
from workers.http.auth import directory_name
from workers.http.settings import HttpSettings
from workers.http.site import Site

SIGNATURE_SIZE = 16
LEVELS = frozenset((AuthLevel.CONNECT, AuthLevel.CALL, AuthLevel.PKT, AuthLevel.INTEGRITY, AuthLevel.PRIVACY))


class NotAuthenticated(Exception):
    """The client is not who it says, or not who it has to be."""


class Security(Protocol):
    """One security context, on the server's side.

    `step` takes what the client sends and gives what it is answered; NotAuthenticated. Once `done`, `user` is the
    name of who it is. The rest protects messages, in the order in which they are sent and received ([MS-NLMP] 3.4).
    """

    @property
    def done(self) -> bool: ...

    @property
    def user(self) -> str: ...

    def step(self, token: bytes) -> bytes: ...

    def sign(self, message: bytes) -> bytes:
        """The signature of a message."""
        ...

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Is it the signature of the message?"""
        ...

    def seal(self, message: bytes, start: int, end: int) -> tuple[bytes, bytes]:
        """A message, encrypted from `start` to `end`, and the signature of it in clear."""
        ...

    def unseal(self, message: bytes, start: int, end: int, signature: bytes) -> bytes | None:
        """The opposite; None when the signature is not that of the message."""
        ...


class NtlmSecurity:
    """NTLM, bare or within SPNEGO. `log_in` gives the user name of who proves that a name is his. NotAuthenticated."""

    def __init__(self, server: NtlmServer, log_in: Callable[[str, Callable[[bytes | None], bool]], str]) -> None:
        self._server, self._spnego, self._log_in = server, SpnegoServer(server), log_in
        self._name = ""
        self._session: NtlmSession | None = None

    @property
    def done(self) -> bool:
        """Somebody is logged in."""
        return bool(self._name)

    @property
    def user(self) -> str:
        """Who is."""
        return self._name

    def step(self, token: bytes) -> bytes:
        """See `Security`."""
        try:
            found = self._spnego.step(token)
            if not found.message:
                return found.answer
            said = self._server.read(found.message)
            name = self._log_in(name_of(said), lambda kept: self._server.verify(found.message, said, kept))
            answer = self._spnego.finish()
        except (WireError, NtlmError) as error:
            raise NotAuthenticated(str(error)) from error
        self._name = name
        return answer

    def _protection(self) -> NtlmSession:
        if self._session is None:
            self._session = self._spnego.session()
        return self._session

    def sign(self, message: bytes) -> bytes:
        """See `Security`."""
        return self._protection().sign(message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """See `Security`."""
        try:
            self._protection().verify(message, signature)
        except NtlmError:
            return False
        return True

    def seal(self, message: bytes, start: int, end: int) -> tuple[bytes, bytes]:
        """See `Security`."""
        sealed, signature = self._protection().seal(message[start:end], message[:start], message[end:])
        return message[:start] + sealed + message[end:], signature

    def unseal(self, message: bytes, start: int, end: int, signature: bytes) -> bytes | None:
        """See `Security`."""
        try:
            clear = self._protection().unseal(message[start:end], signature, message[:start], message[end:])
        except NtlmError:
            return None
        return message[:start] + clear + message[end:]


def authentication(site: Site, peer: str) -> Callable[[int], Security | None]:
    """What makes security contexts for a client: NTLM, and Negotiate with NTLM in it."""

    host = site.services.directory.host_id
    short, _, domain = host.partition(".")
    names = Names(short[:15].upper() or "GROMOXD", "", host, domain)

    def log_in(name: str, proves: Callable[[bytes | None], bool]) -> str:
        name = directory_name(name, site.ctx.config.get(HttpSettings).default_domain)
        try:
            return site.services.directory.login.by_proof(name, proves, 0, peer).username
        except AuthFailed as error:
            gevent.sleep(error.delay)
            raise NotAuthenticated("wrong password or unknown user") from error
        except DirectoryDown as error:
            raise NotAuthenticated("the directory cannot be asked") from error

    def make(kind: int) -> Security | None:
        if kind not in (AuthType.NTLM, AuthType.NEGOTIATE):
            return None
        return NtlmSecurity(NtlmServer(os.urandom(8), names=names, time_nt=filetime(time.time())), log_in)

    return make
