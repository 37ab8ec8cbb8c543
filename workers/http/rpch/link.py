"""A virtual connection at work: its channels' sockets around the state machine, and its calls, each in a greenlet."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import gevent
from gevent.event import Event

from gromoxd.directory.errors import DirectoryDown
from gromoxd.directory.model import User
from gromoxd.errors import MapiError, WireError
from gromoxd.rpc.nspi import NSPI
from gromoxd.rpc.pdu import Fault
from gromoxd.rpc.rts import Rts
from gromoxd.rpc.stub import Interface, Stub
from workers.http.nspi.binding import apart
from workers.http.rpch import virtual
from workers.http.rpch.association import Association, Cancel, Close, Invoke, Send
from workers.http.rpch.handles import BadHandle, Group
from workers.http.rpch.operations import OPERATIONS, Caller
from workers.http.rpch.pipe import Pipe
from workers.http.rpch.security import Security
from workers.http.rpch.virtual import Action, VirtualConnection

if TYPE_CHECKING:
    from workers.http.rpch.worker import RpchWorker

log = logging.getLogger(__name__)

LIGHT_STUB: Final = 16 << 10
RESPOND_SECONDS: Final = 120.0
"""A client that takes nothing for so long while an answer waits is gone."""


class Link:
    """One virtual connection of a user's. `security` makes security contexts for RPC by their type."""

    def __init__(
        self,
        worker: RpchWorker,
        cookie: bytes,
        user: User,
        interfaces: list[Interface],
        security: Callable[[int], Security | None],
        virtual_connection: VirtualConnection,
    ) -> None:
        self.worker, self.cookie, self.user, self.interfaces = worker, cookie, user, interfaces
        self.virtual = virtual_connection
        self._group: Group | None = None
        self._association = Association(interfaces, user.username.lower(), self._join, security)
        self._cancelled: dict[int, Event] = {}
        self._room = Event()
        self._calls = 0
        self._ended = False

    def _join(self, number: int) -> int:
        self._group = self.worker.handles.join(self.user.id, number)
        return self._group.number

    # ------------------------------------------------------------------------------------------ channels

    def first(self, pipe: Pipe, found: Rts) -> None:
        """A channel has come. WireError: it does not belong here."""
        self._carry_out(self.virtual.first(pipe, found, time.monotonic()))

    def run(self, pipe: Pipe) -> None:
        """Read a channel to its end."""
        try:
            while octets := pipe.next():
                self._carry_out(self.virtual.received(pipe, octets, time.monotonic()))
                if self._ended:
                    return
        except WireError as error:
            self.worker.board.add("bad_input")
            self.end(f"protocol error: {error}")
        except OSError as error:
            log.debug("channel lost", extra={"error": str(error)})
        self._carry_out(self.virtual.lost(pipe))

    def tick(self) -> None:
        """Called now and then."""
        self._carry_out(self.virtual.tick(time.monotonic()))

    def end(self, reason: str) -> None:
        """Close all channels; nobody waits for answers any more."""
        if self._ended:
            return
        self._ended = self.virtual.dead = True
        log.info("virtual connection ended", extra={"user": self.user.username, "reason": reason, "calls": self._calls})
        for pipe in self.virtual.channels:
            if isinstance(pipe, Pipe):
                pipe.finish()
        for event in self._cancelled.values():
            event.set()
        self._room.set()
        self.worker.forget(self)
        if self._group is not None:
            self.worker.handles.leave(self._group)

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            _CARRY_OUT[type(action)](self, action)
        if not self.virtual.congested:
            self._room.set()

    def _head(self, action: virtual.Head) -> None:
        pipe: Any = action.channel
        pipe.head(self.worker.settings.rpch_channel_lifetime)

    def _write(self, action: virtual.Write) -> None:
        pipe: Any = action.channel
        pipe.write(action.octets)

    def _close(self, action: virtual.CloseChannel) -> None:
        pipe: Any = action.channel
        pipe.finish()

    def _dead(self, action: virtual.Dead) -> None:
        self.end(action.reason)

    def _opened(self, action: virtual.Opened) -> None:
        log.debug("virtual connection", extra={"user": self.user.username})

    # ------------------------------------------------------------------------------------------ calls

    def _received(self, action: virtual.Received) -> None:
        for event in self._association.feed(action.octets):
            if isinstance(event, Send):
                self._send([event.octets])
            elif isinstance(event, Invoke):
                self._cancelled[event.call_id] = Event()
                gevent.spawn(self._call, event)
            elif isinstance(event, Cancel):
                cancelled = self._cancelled.get(event.invoke.call_id)
                if cancelled is not None:
                    cancelled.set()
            elif isinstance(event, Close):
                self.end(event.reason)

    def _send(self, pdus: list[bytes]) -> None:
        for octets in pdus:
            self._carry_out(self.virtual.send(octets, time.monotonic()))

    def _call(self, invoke: Invoke) -> None:
        """One call, in a greenlet of its own: those that wait do not hold up the others."""
        self._calls += 1
        cancelled = self._cancelled[invoke.call_id]
        answer = self._answer(invoke, cancelled)
        if self.virtual.congested:
            self._room.clear()
            if not self._room.wait(RESPOND_SECONDS):
                self.end("the client takes nothing")
        if self._cancelled.get(invoke.call_id) is cancelled:
            del self._cancelled[invoke.call_id]
        if self._ended:
            return
        if isinstance(answer, bytes):
            self._send(self._association.respond(invoke, answer))
        else:
            self._send(self._association.fault(invoke, answer))

    def _answer(self, invoke: Invoke, cancelled: Event) -> bytes | int:
        """The stub of the response, or the status of the fault."""
        function = OPERATIONS.get((invoke.interface.name, invoke.opnum))
        if function is None or self._group is None:
            return Fault.OP_RNG_ERROR
        board = self.worker.board
        board.add("commands")
        try:
            request = self._request(invoke)
        except WireError as error:
            board.add("bad_input")
            log.debug("bad stub", extra={"opnum": invoke.opnum, "error": str(error)})
            return Fault.BAD_STUB_DATA
        caller = Caller(self.worker.site, self.user, self.worker.handles, self._group, cancelled)
        try:
            answer = function(caller, request)
            return answer if isinstance(answer, bytes) else answer.encode()
        except BadHandle:
            return Fault.CONTEXT_MISMATCH
        except (MapiError, DirectoryDown) as error:
            log.warning("call failed", extra={"opnum": invoke.opnum, "error": str(error)})
            return Fault.UNSPECIFIED
        except Exception:
            board.add("internal_errors")
            log.exception("call failed", extra={"interface": invoke.interface.name, "opnum": invoke.opnum})
            return Fault.UNSPECIFIED

    def _request(self, invoke: Invoke) -> Stub:
        """The call of a stub; many small values are read on a thread. WireError."""
        read = invoke.interface.calls[invoke.opnum].decode
        return apart(
            self.worker.site, invoke.interface is NSPI and len(invoke.stub) > LIGHT_STUB, lambda: read(invoke.stub)
        )


_CARRY_OUT: Final[dict[type, Callable[[Link, Any], None]]] = {
    virtual.Head: Link._head,
    virtual.Write: Link._write,
    virtual.CloseChannel: Link._close,
    virtual.Received: Link._received,
    virtual.Opened: Link._opened,
    virtual.Dead: Link._dead,
}
