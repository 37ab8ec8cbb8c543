"""The server's side of one RPC connection, without I/O: binds, authentication, fragments, faults (C706 9 and 12).

Whole PDUs go in (`feed`); octets to send and calls to make come out. Features are negotiated at bind time ([MS-RPCE]
3.3.1.5.3), messages are protected (3.3.1.5.2). Faults go without a trailer: they have nothing to protect but a number.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.rpc import pdu
from gromoxd.rpc.pdu import AuthLevel, Fault, Flags, Pdu, Reason, Reject, Result, Trailer
from gromoxd.rpc.stub import Interface
from workers.http.rpch.security import LEVELS, SIGNATURE_SIZE, NotAuthenticated, Security

log = logging.getLogger(__name__)

LARGEST_FRAGMENT: Final = 5840
"""What we send and announce to receive, as Windows does over TCP."""
LARGEST_REQUEST: Final = 1 << 20
"""Octets of a call's parameters."""
LARGEST_BIND: Final = 16 << 10
MOST_CONTEXTS: Final = 64
MOST_SECURITIES: Final = 8
MOST_CALLS: Final = 32
"""Calls under way."""
HEADER_OF_REQUEST: Final = 24
FEATURES_KNOWN: Final = pdu.MULTIPLEXED_SECURITY | pdu.KEEP_ON_ORPHAN


@dataclass
class Guard:
    """A security context of the connection, by the auth_context_id that the client gave it."""

    type: int
    level: int
    id: int
    security: Security
    failed: bool = False


@dataclass
class Invoke:
    """A call to make. `cancelled`: the client does not want it any longer."""

    call_id: int
    context_id: int
    interface: Interface
    opnum: int
    stub: bytes
    guard: Guard | None = None
    cancelled: bool = False


class Send(NamedTuple):
    """A PDU to send."""

    octets: bytes


class Cancel(NamedTuple):
    """A call whose answer nobody waits for."""

    invoke: Invoke


class Close(NamedTuple):
    """The connection is to end."""

    reason: str


Event = Send | Invoke | Cancel | Close


@dataclass
class _Partial:
    """A request of which fragments have come."""

    context_id: int
    opnum: int
    guard: Guard | None
    parts: list[bytes] = field(default_factory=list)


class Association:
    """One RPC connection. `user` is whom HTTP has authenticated, in lower case: nobody else may log in inside.

    `group` gives the id of the association group for the one that the client names (0: a new one). `security` makes a
    context of a type; None for types that there are not.
    """

    def __init__(
        self,
        interfaces: Iterable[Interface],
        user: str,
        group: Callable[[int], int],
        security: Callable[[int], Security | None],
        address: bytes = b"",
    ) -> None:
        self._interfaces = list(interfaces)
        self._user, self._group_of, self._security_of, self._address = user, group, security, address
        self._contexts: dict[int, Interface] = {}
        self._guards: dict[int, Guard] = {}
        self._partial: dict[int, _Partial] = {}
        self._held = 0
        self._room = pdu.SMALLEST_MAX
        self._bound = False
        self.group = 0
        self.calls: dict[int, Invoke] = {}

    # ------------------------------------------------------------------------------------------ in

    def feed(self, octets: bytes) -> list[Event]:
        """One PDU of the client's. WireError for what ends the connection."""
        try:
            found = pdu.decode(octets)
        except WireError:
            if not self._bound and len(octets) > 2 and octets[2] == pdu.Kind.BIND:
                return [Send(pdu.assemble(pdu.BindNak(Reject.NOT_SPECIFIED), 0, pdu.WHOLE)), Close("bad bind")]
            raise
        handler = _HANDLERS.get(type(found.body))
        if handler is None:
            raise WireError(f"a {type(found.body).__name__} from the client")
        return handler(self, found)

    def _bind(self, found: Pdu) -> list[Event]:
        body = found.body
        assert isinstance(body, pdu.Bind)
        if self._bound or len(found.octets) > LARGEST_BIND:
            return self._nak(found, Reject.LOCAL_LIMIT_EXCEEDED)
        try:
            trailer = self._token(found)
        except NotAuthenticated:
            return self._nak(found, Reject.INVALID_CHECKSUM)
        if isinstance(trailer, Reject):
            return self._nak(found, trailer)
        self._bound = True
        self._room = max(pdu.SMALLEST_MAX, min(body.max_recv, LARGEST_FRAGMENT))
        self.group = self._group_of(body.group)
        answer = pdu.BindAck(
            self._room, min(max(body.max_xmit, pdu.SMALLEST_MAX), LARGEST_FRAGMENT), self.group, self._address,
            self._results(body),
        )  # fmt: skip
        return [Send(pdu.assemble(answer, found.call_id, self._ack_flags(found), trailer))]

    @staticmethod
    def _nak(found: Pdu, reason: Reject) -> list[Event]:
        nak = pdu.assemble(pdu.BindNak(reason), found.call_id, pdu.WHOLE)
        return [Send(nak), Close(f"bind refused: {reason.name}")]

    @staticmethod
    def _ack_flags(found: Pdu) -> int:
        return pdu.WHOLE | (found.flags & (Flags.SUPPORT_HEADER_SIGN | Flags.CONC_MPX))

    def _alter(self, found: Pdu) -> list[Event]:
        body = found.body
        assert isinstance(body, pdu.AlterContext)
        if not self._bound or len(found.octets) > LARGEST_BIND:
            return [self._fault(found.call_id, 0, Fault.PROTO_ERROR)]
        try:
            trailer = self._token(found)
        except NotAuthenticated:
            trailer = Reject.INVALID_CHECKSUM
        if isinstance(trailer, Reject):
            return [self._fault(found.call_id, 0, Fault.ACCESS_DENIED)]
        answer = pdu.AlterContextResp(self._room, LARGEST_FRAGMENT, self.group, b"", self._results(body))
        return [Send(pdu.assemble(answer, found.call_id, self._ack_flags(found), trailer))]

    def _auth3(self, found: Pdu) -> list[Event]:
        guard = self._guards.get(found.trailer.context_id) if found.trailer is not None else None
        if not self._bound or guard is None or guard.security.done:
            raise WireError("auth3 without an authentication under way")
        try:
            self._token(found)
        except NotAuthenticated as error:
            log.info("log-in inside RPC refused", extra={"user": self._user, "reason": str(error)})
            guard.failed = True  # an auth3 has no answer: the calls that follow have
        return []

    def _token(self, found: Pdu) -> Trailer | Reject | None:
        """What the credentials of a bind, alter_context or auth3 are answered with. NotAuthenticated."""
        trailer = found.trailer
        if trailer is None:
            return None
        guard = self._guards.get(trailer.context_id)
        if guard is None:
            if len(self._guards) >= MOST_SECURITIES or trailer.level not in LEVELS:
                return Reject.LOCAL_LIMIT_EXCEEDED
            security = self._security_of(trailer.type)
            if security is None:
                return Reject.AUTHENTICATION_TYPE_NOT_RECOGNIZED
            guard = self._guards[trailer.context_id] = Guard(trailer.type, trailer.level, trailer.context_id, security)
        if guard.failed or guard.security.done or (guard.type, guard.level) != (trailer.type, trailer.level):
            raise NotAuthenticated("another authentication under the same id")
        try:
            answer = guard.security.step(trailer.value)
        except NotAuthenticated:
            guard.failed = True
            raise
        if guard.security.done and guard.security.user.lower() != self._user:
            guard.failed = True
            raise NotAuthenticated("not the user that HTTP knows")
        return Trailer(trailer.type, trailer.level, 0, trailer.context_id, answer) if answer else None

    def _results(self, body: pdu.Bind) -> tuple[pdu.ContextResult, ...]:
        return tuple(self._result(one) for one in body.contexts)

    def _result(self, one: pdu.Context) -> pdu.ContextResult:
        if len(one.transfers) == 1 and one.transfers[0].uuid[:8] == pdu.FEATURES:
            return pdu.ContextResult(Result.NEGOTIATE_ACK, one.transfers[0].uuid[8] & FEATURES_KNOWN)
        wanted = one.abstract
        known = next((each for each in self._interfaces if _serves(each, wanted)), None)
        if known is None:
            return pdu.ContextResult(Result.PROVIDER_REJECTION, Reason.ABSTRACT_SYNTAX_NOT_SUPPORTED)
        if pdu.NDR not in one.transfers:
            return pdu.ContextResult(Result.PROVIDER_REJECTION, Reason.TRANSFER_SYNTAXES_NOT_SUPPORTED)
        if len(self._contexts) >= MOST_CONTEXTS and one.id not in self._contexts:
            return pdu.ContextResult(Result.PROVIDER_REJECTION, Reason.LOCAL_LIMIT_EXCEEDED)
        self._contexts[one.id] = known
        return pdu.ContextResult(Result.ACCEPTANCE, 0, pdu.NDR)

    def _request(self, found: Pdu) -> list[Event]:
        body = found.body
        assert isinstance(body, pdu.Request)
        if not self._bound or len(found.octets) > LARGEST_FRAGMENT:
            raise WireError("a request before the bind, or a fragment too long")
        partial = self._partial.get(found.call_id)
        first, last = bool(found.flags & Flags.FIRST_FRAG), bool(found.flags & Flags.LAST_FRAG)
        if first == (partial is not None) or found.call_id in self.calls:
            raise WireError("fragments out of order")
        if len(self.calls) + len(self._partial) >= MOST_CALLS and partial is None:
            return [
                self._fault(found.call_id, body.context_id, Fault.SERVER_TOO_BUSY),
                *self._skip(found.call_id, last),
            ]
        guard = self._guard_of(found)
        stub = self._clear(found, body, guard)
        if stub is None:
            return [self._fault(found.call_id, body.context_id, Fault.ACCESS_DENIED), Close("access denied")]
        if partial is None:
            partial = self._partial[found.call_id] = _Partial(body.context_id, body.opnum, guard)
        if partial.guard is not guard:
            raise WireError("fragments of several security contexts")
        self._held += len(stub)
        if self._held > LARGEST_REQUEST:
            raise WireError(f"requests of more than {LARGEST_REQUEST} octets")
        partial.parts.append(stub)
        return self._whole(found.call_id, partial) if last else []

    @staticmethod
    def _skip(call_id: int, last: bool) -> list[Event]:
        return [] if last else [Close(f"too many calls, and fragments of call {call_id} to come")]

    def _whole(self, call_id: int, partial: _Partial) -> list[Event]:
        del self._partial[call_id]
        stub = b"".join(partial.parts)
        self._held -= len(stub)
        known = self._contexts.get(partial.context_id)
        if known is None:
            return [self._fault(call_id, partial.context_id, Fault.UNK_IF)]
        if partial.opnum not in known.calls:
            return [self._fault(call_id, partial.context_id, Fault.OP_RNG_ERROR)]
        invoke = Invoke(call_id, partial.context_id, known, partial.opnum, stub, partial.guard)
        self.calls[call_id] = invoke
        return [invoke]

    def _guard_of(self, found: Pdu) -> Guard | None:
        """The security context of a request; of one that names none the only one there is ([MS-RPCE] 3.3.1.5.4)."""
        if found.trailer is not None:
            return self._guards.get(found.trailer.context_id)
        return next(iter(self._guards.values())) if len(self._guards) == 1 else None

    def _clear(self, found: Pdu, body: pdu.Request, guard: Guard | None) -> bytes | None:
        """The stub in clear, without its padding; None when its sender may not call."""
        trailer = found.trailer
        if guard is None:
            return body.stub if trailer is None and not self._guards else None
        if guard.failed or not guard.security.done:
            return None
        if trailer is None:
            return body.stub if guard.level <= AuthLevel.CONNECT else None
        if (trailer.type, trailer.level) != (guard.type, guard.level) or trailer.pad_length > len(body.stub):
            return None
        end = len(found.octets) - pdu.TRAILER_SIZE - len(trailer.value)
        start = end - len(body.stub)
        stub: bytes | None = body.stub
        if guard.level == AuthLevel.PRIVACY:
            clear = guard.security.unseal(found.signed, start, end, trailer.value)
            stub = clear[start:end] if clear is not None else None
        elif guard.level > AuthLevel.CONNECT and not guard.security.verify(found.signed, trailer.value):
            stub = None
        return stub[: len(stub) - trailer.pad_length] if stub is not None else None

    def _cancel(self, found: Pdu) -> list[Event]:
        """co_cancel and orphaned: part of a request is forgotten, a call under way told; an orphan gets no answer."""
        partial = self._partial.pop(found.call_id, None)
        if partial is not None:
            self._held -= sum(map(len, partial.parts))
        invoke = self.calls.get(found.call_id)
        if invoke is None or invoke.cancelled:
            return []
        invoke.cancelled = True
        if isinstance(found.body, pdu.Orphaned):
            del self.calls[found.call_id]
        return [Cancel(invoke)]

    # ------------------------------------------------------------------------------------------ out

    def respond(self, invoke: Invoke, stub: bytes) -> list[bytes]:
        """The response to a call, in fragments; to be sent at once and in order. None is sent to an orphaned call."""
        if self.calls.pop(invoke.call_id, None) is not invoke:
            return []
        guard = invoke.guard
        protects = guard is not None and guard.level > AuthLevel.CONNECT
        trailer = None
        if guard is not None and protects:
            trailer = Trailer(guard.type, guard.level, 0, guard.id, bytes(SIGNATURE_SIZE))
        parts = pdu.split(
            lambda hint, part: pdu.Response(hint, invoke.context_id, part), stub, invoke.call_id, self._room, trailer
        )
        if guard is None or not protects:
            return [part.encode() for part in parts]
        return [_protect(part, guard) for part in parts]

    def fault(self, invoke: Invoke, status: int) -> list[bytes]:
        """The fault that a call ends with."""
        if self.calls.pop(invoke.call_id, None) is not invoke:
            return []
        return [pdu.assemble(pdu.FaultBody(status, invoke.context_id), invoke.call_id, pdu.WHOLE)]

    @staticmethod
    def _fault(call_id: int, context_id: int, status: int) -> Send:
        flags = pdu.WHOLE | Flags.DID_NOT_EXECUTE
        return Send(pdu.assemble(pdu.FaultBody(status, context_id), call_id, flags))


def _protect(part: Pdu, guard: Guard) -> bytes:
    """A PDU signed, and its stub sealed where the level says so."""
    octets = part.encode()[:-SIGNATURE_SIZE]
    end = len(octets) - pdu.TRAILER_SIZE
    if guard.level == AuthLevel.PRIVACY:
        octets, signature = guard.security.seal(octets, HEADER_OF_REQUEST, end)
    else:
        signature = guard.security.sign(octets)
    return octets + signature


def _serves(known: Interface, wanted: pdu.Syntax) -> bool:
    """Same UUID and major version, and a minor version that we have (C706 6.1)."""
    return known.uuid == wanted.uuid and known.major == wanted.major and known.minor >= wanted.minor


_HANDLERS: Final[dict[type[pdu.Body], Callable[[Association, Pdu], list[Event]]]] = {
    pdu.Bind: Association._bind,
    pdu.AlterContext: Association._alter,
    pdu.Auth3: Association._auth3,
    pdu.Request: Association._request,
    pdu.CoCancel: Association._cancel,
    pdu.Orphaned: Association._cancel,
}
