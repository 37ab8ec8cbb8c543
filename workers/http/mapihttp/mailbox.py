"""Request types of the mailbox endpoint ([MS-OXCMAPIHTTP] 2.2.4): Connect, Execute, Disconnect, NotificationWait.

An operation that fails as [MS-OXCRPC] says has that as its ErrorCode in a success response body.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from struct import Struct
from typing import Final

from gevent.event import Event

from gromoxd.errors import Ec, MapiError
from gromoxd.mapi.cursor import Cursor, utf16
from workers.http.emsmdb import connect as emsmdb
from workers.http.emsmdb.session import Session
from workers.http.mapihttp.framing import Context, RequestType, Use
from workers.http.site import Site

log = logging.getLogger(__name__)

_CONNECT = Struct("<IIII")
_U32 = Struct("<I")
_CONNECTED = Struct("<IIIII")
_THREE = Struct("<III")
_FOUR = Struct("<IIII")
LONGEST_DN: Final = 1024
NOTHING_YET: Final = (0, 0, 0, 0)
MOST_WAITING: Final = 4
"""Requests that wait in one session context; with another one the oldest is answered. Clients have one."""


class Mailbox:
    """The state of a session context: the session, and who waits for it to have something to tell.

    `home`: the user's home server when that was looked at last.
    """

    __slots__ = ("_waiting", "home", "session")

    def __init__(self, home: str) -> None:
        self._waiting: dict[Event, None] = {}
        self.session: Session | None = None
        self.home = home

    def wake(self) -> None:
        """Something is pending."""
        for event in list(self._waiting):
            event.set()

    def close(self) -> None:
        """The session context has ended."""
        if self.session is not None:
            emsmdb.disconnect(self.session)
        self.wake()

    def use(self) -> Session:
        """The session. MapiError."""
        if self.session is None or self.session.closed:
            raise MapiError(Ec.ecError, "the session has ended")
        return self.session

    def add(self, event: Event) -> None:
        """Have an event set by `wake`."""
        if len(self._waiting) >= MOST_WAITING:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.set()
        self._waiting[event] = None

    def remove(self, event: Event) -> None:
        """No more."""
        self._waiting.pop(event, None)


class NotificationWait:
    """One client's waiting ([MS-OXCMAPIHTTP] 3.2.5.5)."""

    __slots__ = ("_event", "_mailbox", "_session")

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox, self._session, self._event = mailbox, mailbox.use(), Event()
        mailbox.add(self._event)

    def wait(self, seconds: float) -> bool:
        """See `framing.Wait`."""
        if not self._session.pending and not self._session.closed and seconds > 0:
            self._event.wait(seconds)
        return bool(self._session.pending) or self._event.is_set() or self._session.closed

    def answer(self) -> bytes:
        """See `framing.Wait`."""
        return _FOUR.pack(0, 0, 1 if self._session.pending else 0, 0)

    def close(self) -> None:
        """See `framing.Wait`."""
        self._mailbox.remove(self._event)


def _auxiliary(cursor: Cursor) -> bytes:
    found = cursor.take(cursor.u32())
    cursor.finish()
    return found


def connect(context: Context, body: bytes) -> bytes:
    """[MS-OXCMAPIHTTP] 2.2.4.1."""
    cursor = Cursor(body)
    user_dn = cursor.string8().decode("ascii", "replace")
    if len(user_dn) > LONGEST_DN:
        raise cursor.fail("UserDn")
    flags, code_page, lcid_sort, lcid_string = cursor.struct(_CONNECT)
    aux_in = _auxiliary(cursor)
    version = emsmdb.parse_version(context.request.header("X-ClientApplication")) or NOTHING_YET
    state = Mailbox(context.request.user.host)
    try:
        made = emsmdb.connect(
            context.site, context.request.user, user_dn, flags, code_page, lcid_string, lcid_sort, version, aux_in,
            state.wake,
        )  # fmt: skip
    except MapiError as error:
        log.debug("no session", extra={"error": str(error)})
        return _CONNECTED.pack(0, error.code, 0, 0, 0) + b"\0" + utf16("") + _U32.pack(0)
    made.session.mailbox = context.site.people.user_of_mailbox(context.request.query.get("mailboxid", ""))
    context.state, state.session = state, made.session
    return b"".join((
        _CONNECTED.pack(0, 0, made.polls_max_ms, made.retry_count, made.retry_delay_ms),
        made.prefix.encode("ascii", "replace"), b"\0", utf16(made.display_name),
        _U32.pack(len(made.aux_out)), made.aux_out,
    ))  # fmt: skip


def execute(context: Context, body: bytes) -> bytes:
    """[MS-OXCMAPIHTTP] 2.2.4.2."""
    cursor = Cursor(body)
    flags = cursor.u32()
    rop_buffer = cursor.take(cursor.u32())
    max_rop_out = cursor.u32()
    aux_in = _auxiliary(cursor)
    state: Mailbox = context.state
    session = state.use()
    session.user = context.request.user  # as the directory has it now
    try:
        rgb_out, aux_out = emsmdb.execute_ext(session, flags, rop_buffer, max_rop_out, aux_in)
    except MapiError as error:
        log.debug("ROPs not done", extra={"error": str(error)})
        return _FOUR.pack(0, error.code, 0, 0) + _U32.pack(0)
    return b"".join((_FOUR.pack(0, 0, 0, len(rgb_out)), rgb_out, _U32.pack(len(aux_out)), aux_out))


def disconnect(context: Context, body: bytes) -> bytes:
    """[MS-OXCMAPIHTTP] 2.2.4.3. The endpoint ends the session context."""
    _auxiliary(Cursor(body))
    return _THREE.pack(0, 0, 0)


def notification_wait(context: Context, body: bytes) -> NotificationWait:
    """[MS-OXCMAPIHTTP] 2.2.4.4."""
    cursor = Cursor(body)
    cursor.u32()  # Flags: reserved
    _auxiliary(cursor)
    state: Mailbox = context.state
    return NotificationWait(state)


def moved(site: Site) -> Callable[[Mailbox], bool]:
    """Says whether a session's user has another home server than when this was asked last. DirectoryDown."""
    homes: dict[str, str] = {}

    def has_moved(state: Mailbox) -> bool:
        if state.session is None:
            return False
        name = state.session.user.username
        if name not in homes:
            user = site.services.directory.user(name)
            homes[name] = user.host if user is not None else ""
        before, state.home = state.home, homes[name]
        return before != state.home

    return has_moved


TYPES: Final = {
    "connect": RequestType(connect, Use.OPENS),
    "execute": RequestType(execute, Use.USES),
    "disconnect": RequestType(disconnect, Use.CLOSES),
    "notificationwait": RequestType(notification_wait, Use.WAITS),
}
