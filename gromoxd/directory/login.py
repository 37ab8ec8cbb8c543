"""Authentication: hash, privileges, status; the throttle; tokens that spare the repeated log-in its hash.

A token stands in the directory's arena for a short time after a log-in. It is a BLAKE2b of user, password and stored
hash under the master's random key, so that nothing in shared memory helps to find a password. Whatever is wrong, the
client gets the same answer after the same work.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, NoReturn

import msgspec
from sqlalchemy import Connection

from gromoxd.directory import nthash, passwords, queries
from gromoxd.directory.cache import Absent, Records
from gromoxd.directory.errors import AmbiguousName, AuthFailed, Throttled
from gromoxd.directory.model import LONGEST_NAME, User, normal
from gromoxd.directory.settings import EXTERNAL
from gromoxd.shm.throttle import Limits

if TYPE_CHECKING:
    from gromoxd.directory.service import Directory

log = logging.getLogger(__name__)


class Verified(msgspec.Struct, array_like=True, frozen=True):
    """What is remembered of a log-in: `stamp` stands for the stored hash, `token` for the password that matched it."""

    user: User
    stamp: bytes
    token: bytes


class Authenticator:
    """`Directory.authenticate`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._verified: Records[Verified] = Records(directory.shared, b"v", Verified)
        self._secret: bytes = directory.shared.secret
        self._usual = ""
        """A stored hash as they are usual here: work on unknown names takes as long as on it."""

    def authenticate(self, name: str, password: str, privilege: int, peer: str) -> User:
        """See `Directory.authenticate`."""
        login = normal(name)
        return self._judged(
            name, privilege, peer, lambda: self._by_token(login, password) or self._by_hash(login, password)
        )

    def by_proof(self, name: str, proves: Callable[[bytes | None], bool], privilege: int, peer: str) -> User:
        """The user, if `proves(NT hash)` is true (None: nobody has one; it is asked all the same). Raises likewise."""

        def find() -> User | None:
            found = self._directory.blocking(self._nt_hash, normal(name))
            user, kept = found if found is not None else (None, None)
            return user if proves(kept) else None

        return self._judged(name, privilege, peer, find)

    def by_trust(self, name: str, privilege: int, peer: str) -> User:
        """The user of a name that somebody trusted has vouched for. Raises likewise."""
        return self._judged(name, privilege, peer, lambda: self._directory.find_or_none(name))

    def refuse(self, name: str, peer: str) -> NoReturn:
        """Somebody else found the credentials wrong: count it, and raise AuthFailed."""
        self._refuse(normal(name) or name[:LONGEST_NAME], peer)

    def _judged(self, name: str, privilege: int, peer: str, find: Callable[[], User | None]) -> User:
        directory, started = self._directory, time.monotonic()
        throttle = directory.shared.throttle
        counted = normal(name) or name[:LONGEST_NAME]
        if throttle.check(counted, peer) > 0:
            self._count("auth_throttled")
            raise Throttled(directory.settings.auth_fail_delay)
        user = find()
        if user is None or not user.may_log_in or not user.has_privilege(privilege):
            self._refuse(counted, peer)
        throttle.succeed(counted, peer)
        self._count("auth_ok")
        if directory.board is not None:
            directory.board.observe_ms("auth_ms", (time.monotonic() - started) * 1000)
        return user

    def _nt_hash(self, login: str) -> tuple[User, bytes | None] | None:
        """On a thread: the user and the NT hash, if there is one."""
        backend = self._directory.settings.auth_backend_selection

        def work(connection: Connection) -> tuple[User, bytes | None] | None:
            found = queries.find_user(connection, login)
            if found is None:
                return None
            user, stored = found
            usable = backend != "deny_all" and not (user.external and backend in EXTERNAL)
            return user, nthash.find(connection, user.id, stored) if usable else None

        if not login:
            return None
        try:
            return self._directory.database().run(work)
        except AmbiguousName:
            log.warning("ambiguous name in the directory name=%r", login)
            return None

    def _by_token(self, login: str, password: str) -> User | None:
        """The user, when just this password was verified a moment ago."""
        found = self._verified.get(login) if login else None
        if found is None or isinstance(found, Absent):
            return None
        token = self._token(login, password, found.stamp)
        return found.user if hmac.compare_digest(token, found.token) else None

    def _by_hash(self, login: str, password: str) -> User | None:
        """The user, when the password matches the stored hash; remembers it then."""
        directory = self._directory
        epoch, lifetime = directory.shared.epoch, directory.settings.credential_cache_lifetime
        found = directory.blocking(self._verify, login, password)
        if found is None:
            return None
        user, stored = found
        stamp = self._digest(stored.encode())
        self._verified.put(login, Verified(user, stamp, self._token(login, password, stamp)), lifetime, epoch)
        return user

    def _verify(self, login: str, password: str) -> tuple[User, str] | None:
        """On a thread: read the hash and compare. Takes equally long for every kind of failure."""
        backend = self._directory.settings.auth_backend_selection
        found = None
        if login:
            try:
                found = self._directory.database().run(lambda connection: queries.find_user(connection, login))
            except AmbiguousName:
                log.warning("ambiguous name in the directory name=%r", login)
        external = found is not None and found[0].external and backend in EXTERNAL
        if external:
            log.warning("login of an external user refused: no LDAP server is configured user=%r", login)
        if found is None or external or backend == "deny_all":
            passwords.waste(password, self._usual)
            return None
        if found[1]:
            self._usual = found[1]
        return found if passwords.verify(password, found[1]) else None

    def _token(self, login: str, password: str, stamp: bytes) -> bytes:
        return self._digest(b"%b\0%b\0%b" % (stamp, login.encode(), password.encode("utf-8", "surrogatepass")))

    def _digest(self, data: bytes) -> bytes:
        return blake2b(data, key=self._secret, digest_size=24).digest()

    def _refuse(self, name: str, peer: str) -> NoReturn:
        settings = self._directory.settings
        throttle = self._directory.shared.throttle
        throttle.limits = Limits(
            times=settings.auth_times,
            block=settings.block_interval_auths,
            delay=settings.auth_fail_delay,
            delay_max=settings.auth_fail_delay_max,
            address_factor=settings.auth_address_factor,
        )
        delay = throttle.fail(name, peer)
        self._count("auth_failures")
        log.info("login failed user=%r peer=%s delay=%.1f", name, peer, delay)
        raise AuthFailed(delay)

    def _count(self, counter: str) -> None:
        if self._directory.board is not None:
            self._directory.board.add(counter)
