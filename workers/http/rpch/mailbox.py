"""EMSMDB and AsyncEMSMDB: sessions over RPC ([MS-OXCRPC] 3.1.4, 3.3.4). The sessions are `workers.http.emsmdb`'s."""

from __future__ import annotations

import logging
import time
from itertools import count
from typing import Final

import gevent
from gevent.event import Event

from gromoxd.errors import Ec, MapiError
from gromoxd.rpc import asyncemsmdb, emsmdb
from gromoxd.rpc.stub import NO_HANDLE
from workers.http.emsmdb import connect as sessions
from workers.http.emsmdb.session import Session
from workers.http.emsmdb.settings import EmsmdbSettings
from workers.http.rpch.handles import BadHandle, TooMany
from workers.http.rpch.operations import Caller, operation

log = logging.getLogger(__name__)

NOBODY: Final = (0, 0, 0)
_numbers = count(1)


class Mailbox:
    """Behind a session context handle: the session, and the call that waits for it to have something to tell."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.waiting = False
        self.told = Event()

    def wake(self) -> None:
        """Something is pending."""
        self.told.set()

    def use(self) -> Session:
        """The session. BadHandle when it has ended."""
        if self.session is None or self.session.closed:
            raise BadHandle
        return self.session

    def close(self) -> None:
        """The handle is gone."""
        session, self.session = self.session, None
        self.told.set()
        if session is not None:
            gevent.spawn(sessions.disconnect, session)  # after what is under way in it, for which nobody waits here


class Notifications:
    """Behind an asynchronous context handle ([MS-OXCRPC] 3.1.4.4)."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    def close(self) -> None:
        """The handle is gone."""
        self.mailbox.told.set()


@operation(emsmdb.EMSMDB, emsmdb.EcDoConnectEx)
def connect(caller: Caller, call: emsmdb.EcDoConnectEx) -> emsmdb.EcDoConnectExAnswer:
    """[MS-OXCRPC] 3.1.4.1."""
    state = Mailbox()
    try:
        made = _connected(caller, call, state)
        handle = caller.handles.open(caller.group, state)
    except (MapiError, TooMany) as error:
        state.close()
        code = error.code if isinstance(error, MapiError) else Ec.ecMaxObjsExceeded
        log.debug("no session", extra={"error": str(error)})
        return emsmdb.EcDoConnectExAnswer(
            NO_HANDLE, 0, 0, 0, 0, None, None, NOBODY, NOBODY, call.time_stamp, b"", 0, code
        )
    aux = made.aux_out if len(made.aux_out) <= call.aux_out_size else b""
    return emsmdb.EcDoConnectExAnswer(
        handle, made.polls_max_ms, made.retry_count, made.retry_delay_ms, next(_numbers) & 0xFFFF,
        made.prefix.encode("ascii", "replace"), made.display_name.encode(_codec(made.session.code_page), "replace"),
        sessions.pack_version(made.server_version), call.client_version, int(time.time()), aux, len(aux), 0,
    )  # fmt: skip


def _connected(caller: Caller, call: emsmdb.EcDoConnectEx, state: Mailbox) -> sessions.Connected:
    most = caller.site.ctx.config.get(EmsmdbSettings).emsmdb_max_cxh_per_user
    if len(caller.handles.of(caller.user.id, Mailbox)) >= most:
        raise MapiError(Ec.ecMaxObjsExceeded, "sessions")
    made = sessions.connect(
        caller.site, caller.user, call.user_dn.decode("ascii", "replace"), call.flags, call.cpid, call.lcid_string,
        call.lcid_sort, sessions.unpack_version(call.client_version), call.aux_in, state.wake,
    )  # fmt: skip
    state.session = made.session
    return made


def _codec(code_page: int) -> str:
    return f"cp{code_page}" if 1250 <= code_page <= 1258 else "ascii"


@operation(emsmdb.EMSMDB, emsmdb.EcDoDisconnect)
def disconnect(caller: Caller, call: emsmdb.EcDoDisconnect) -> emsmdb.EcDoDisconnectAnswer:
    """[MS-OXCRPC] 3.1.4.3."""
    mailbox = caller.handles.find(caller.user.id, call.handle, Mailbox)
    if mailbox.session is not None:
        sessions.disconnect(mailbox.session)
    return emsmdb.EcDoDisconnectAnswer(caller.handles.close(caller.user.id, call.handle), 0)


@operation(emsmdb.EMSMDB, emsmdb.EcDoRpcExt2)
def rpc_ext2(caller: Caller, call: emsmdb.EcDoRpcExt2) -> emsmdb.EcDoRpcExt2Answer:
    """[MS-OXCRPC] 3.1.4.2."""
    session = caller.handles.find(caller.user.id, call.handle, Mailbox).use()
    started = time.monotonic()
    rops, aux, code = b"", b"", 0
    try:
        size = min(call.out_size, emsmdb.BIG)
        rops, aux = sessions.execute_ext(session, call.flags, call.rops, size, call.aux_in)
    except MapiError as error:
        log.debug("ROPs not done", extra={"error": str(error)})
        code = error.code
    if len(aux) > min(call.aux_out_size, emsmdb.SMALL):
        aux = b""
    spent_ms = round((time.monotonic() - started) * 1000)
    return emsmdb.EcDoRpcExt2Answer(call.handle, 0, rops, len(rops), aux, len(aux), spent_ms, code)


@operation(emsmdb.EMSMDB, emsmdb.EcDummyRpc)
def dummy(caller: Caller, call: emsmdb.EcDummyRpc) -> emsmdb.EcDummyRpcAnswer:
    """[MS-OXCRPC] 3.1.4.6."""
    return emsmdb.EcDummyRpcAnswer(0)


@operation(emsmdb.EMSMDB, emsmdb.EcRRegisterPushNotification)
def push(caller: Caller, call: emsmdb.EcRRegisterPushNotification) -> emsmdb.EcRRegisterPushNotificationAnswer:
    """[MS-OXCRPC] 3.1.4.5: a server without push notifications says so; no datagram is sent to where a client says."""
    caller.handles.find(caller.user.id, call.handle, Mailbox)
    return emsmdb.EcRRegisterPushNotificationAnswer(call.handle, 0, Ec.ecNotSupported)


@operation(emsmdb.EMSMDB, emsmdb.EcDoAsyncConnectEx)
def async_connect(caller: Caller, call: emsmdb.EcDoAsyncConnectEx) -> emsmdb.EcDoAsyncConnectExAnswer:
    """[MS-OXCRPC] 3.1.4.4."""
    mailbox = caller.handles.find(caller.user.id, call.handle, Mailbox)
    try:
        handle = caller.handles.open(caller.group, Notifications(mailbox))
    except TooMany:
        return emsmdb.EcDoAsyncConnectExAnswer(NO_HANDLE, Ec.ecMaxObjsExceeded)
    return emsmdb.EcDoAsyncConnectExAnswer(handle, 0)


@operation(asyncemsmdb.ASYNC_EMSMDB, asyncemsmdb.EcDoAsyncWaitEx)
def wait(caller: Caller, call: asyncemsmdb.EcDoAsyncWaitEx) -> asyncemsmdb.EcDoAsyncWaitExAnswer:
    """[MS-OXCRPC] 3.3.4.1: until there is something to tell, or for some minutes. One call at a time.

    With a handle that is none the client is to ask at once, and will be told what is wrong with its session.
    """
    try:
        mailbox = caller.handles.find(caller.user.id, call.async_handle, Notifications).mailbox
        session = mailbox.use()
    except BadHandle:
        return asyncemsmdb.EcDoAsyncWaitExAnswer(asyncemsmdb.NOTIFICATION_PENDING, 0)
    if mailbox.waiting:
        return asyncemsmdb.EcDoAsyncWaitExAnswer(0, Ec.ecRejected)
    mailbox.waiting = True
    mailbox.told.clear()
    try:
        if not session.pending:
            longest = caller.site.ctx.config.get(EmsmdbSettings).emsmdb_wait_longest
            gevent.wait([mailbox.told, caller.cancelled], timeout=longest, count=1)
    finally:
        mailbox.waiting = False
    told = session.pending or session.closed
    return asyncemsmdb.EcDoAsyncWaitExAnswer(asyncemsmdb.NOTIFICATION_PENDING if told else 0, 0)
