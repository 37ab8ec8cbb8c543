"""LOGIN (RFC 3501 6.2.3), and what happens to a name and a password however they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gromoxd.directory.errors import AuthFailed
from workers.imap import errors
from workers.imap.commands.capability import capabilities, may_log_in
from workers.imap.commands.registry import Sync, command
from workers.imap.errors import Refused
from workers.imap.services import PRIVILEGE_IMAP
from workers.imap.state import State
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session

MAX_NAME, MAX_PASSWORD = 320, 1024


@command("LOGIN", State.NOT_AUTHENTICATED, Sync.NONE)
def login(session: Session, cursor: Cursor) -> bytes:
    cursor.sp()
    name = cursor.astring()
    cursor.sp()
    password = cursor.astring()
    cursor.end()
    require_privacy(session)
    return log_in(session, name, password)


def require_privacy(session: Session) -> None:
    """No password in plaintext over a network."""
    if not may_log_in(session):
        raise Refused("Passwords are taken over TLS only", "PRIVACYREQUIRED")


def log_in(session: Session, name: bytes, password: bytes) -> bytes:
    """Check, and enter the authenticated state; the tagged answer."""
    services, transport = session.services, session.transport
    try:
        if len(name) > MAX_NAME or len(password) > MAX_PASSWORD or b"\0" in name + password:
            raise AuthFailed(1.0)
        user = services.directory.authenticate(
            name.decode("utf-8", "replace"), password.decode("utf-8", "replace"), PRIVILEGE_IMAP, transport.peer
        )
        if not user.has_store:
            raise AuthFailed(1.0)
    except AuthFailed as failure:
        return _failed(session, failure.delay)
    key = (user.username, transport.peer)
    limit = services.settings().imap_max_user_connections
    connections = services.logins.get(key, 0)
    if limit and connections >= limit:
        raise Refused("Too many connections of this user from this address", "LIMIT")
    session.mailbox = services.mailboxes.enter(services.directory.mailbox(user), user.username)
    services.logins[key] = connections + 1
    session.user = user
    session.state = State.AUTHENTICATED
    session.failures = 0
    session.framer.limit = services.settings().imap_max_line_length
    transport.mark_authenticated(user.username)
    transport.set_timeout(services.settings().imap_autologout_time)
    return b"OK [CAPABILITY " + capabilities(session) + b"] Logged in"


def _failed(session: Session, delay: float) -> bytes:
    session.failures += 1
    session.flush()
    if delay > 0:
        session.services.sleep(delay)
    if session.failures >= session.services.settings().imap_auth_times:
        session.write(session.tag + b" " + errors.AUTH_FAILED + b"\r\n")
        session.bye(b"Too many failed logins")
    return errors.AUTH_FAILED
