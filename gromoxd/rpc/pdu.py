"""Connection-oriented PDUs, version 5.0 (C706 12.6, [MS-RPCE] 2.2.2), both directions, little-endian.

A PDU is its head (`Pdu`), a body of its kind, and the security trailer with credentials when it has one. Fragments are
put together in `workers.http.rpch`; what a trailer's octets mean is `gromoxd.ntlm`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from struct import Struct
from typing import Any, Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import U16, U32, Cursor

HEAD_SIZE: Final = 16
TRAILER_SIZE: Final = 8
SMALLEST_MAX: Final = 1432
"""MustRecvFragSize of C706 12.6.3.1: what every implementation receives."""
LITTLE_ENDIAN: Final = b"\x10\x00\x00\x00"
_HEAD: Final = Struct("<BBBB4sHHI")
_FRAG_LENGTH: Final = Struct("<H")


class Kind(IntEnum):
    """PTYPE (C706 12.6.1, [MS-RPCE] 2.2.2.1, [MS-RPCH] 2.2.3.6.1)."""

    REQUEST = 0
    RESPONSE = 2
    FAULT = 3
    BIND = 11
    BIND_ACK = 12
    BIND_NAK = 13
    ALTER_CONTEXT = 14
    ALTER_CONTEXT_RESP = 15
    AUTH3 = 16
    SHUTDOWN = 17
    CO_CANCEL = 18
    ORPHANED = 19
    RTS = 20


class Flags(IntFlag):
    """pfc_flags (C706 12.6.3.1, [MS-RPCE] 2.2.2.3)."""

    FIRST_FRAG = 0x01
    LAST_FRAG = 0x02
    SUPPORT_HEADER_SIGN = 0x04
    """In bind and alter_context and their answers; in others it says that a cancel is pending."""
    CONC_MPX = 0x10
    DID_NOT_EXECUTE = 0x20
    MAYBE = 0x40
    OBJECT_UUID = 0x80


WHOLE: Final = Flags.FIRST_FRAG | Flags.LAST_FRAG


class AuthType(IntEnum):
    """auth_type ([MS-RPCE] 2.2.1.1.7)."""

    NONE = 0
    NEGOTIATE = 9
    NTLM = 10


class AuthLevel(IntEnum):
    """auth_level ([MS-RPCE] 2.2.1.1.8)."""

    NONE = 1
    CONNECT = 2
    CALL = 3
    PKT = 4
    INTEGRITY = 5
    PRIVACY = 6


class Result(IntEnum):
    """p_cont_def_result_t (C706 12.6.3.1) and negotiate_ack ([MS-RPCE] 2.2.2.4)."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    PROVIDER_REJECTION = 2
    NEGOTIATE_ACK = 3


class Reason(IntEnum):
    """p_provider_reason_t (C706 12.6.3.1)."""

    NOT_SPECIFIED = 0
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 1
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 2
    LOCAL_LIMIT_EXCEEDED = 3


class Reject(IntEnum):
    """Why a bind was refused: p_reject_reason_t (C706 12.6.3.1, [MS-RPCE] 2.2.2.5)."""

    NOT_SPECIFIED = 0
    TEMPORARY_CONGESTION = 1
    LOCAL_LIMIT_EXCEEDED = 2
    PROTOCOL_VERSION_NOT_SUPPORTED = 4
    AUTHENTICATION_TYPE_NOT_RECOGNIZED = 8
    INVALID_CHECKSUM = 9


class Fault(IntEnum):
    """Status codes of fault PDUs (C706 Appendix E and N, [MS-RPCE] 2.2.1.1)."""

    ACCESS_DENIED = 0x00000005
    BAD_STUB_DATA = 0x000006F7
    SEC_PKG_ERROR = 0x00000721
    CANCEL = 0x1C00000D
    CONTEXT_MISMATCH = 0x1C00001A
    OP_RNG_ERROR = 0x1C010002
    UNK_IF = 0x1C010003
    PROTO_ERROR = 0x1C01000B
    NO_MEMORY = 0x1C00001B
    UNSPECIFIED = 0x1C000012
    SERVER_TOO_BUSY = 0x1C010014


class Syntax(NamedTuple):
    """p_syntax_id_t: a UUID as it travels, and a version."""

    uuid: bytes
    major: int
    minor: int


NDR: Final = Syntax(bytes.fromhex("045d888aeb1cc9119fe808002b104860"), 2, 0)
NDR64: Final = Syntax(bytes.fromhex("33057171babe37498319b5dbef9ccc36"), 1, 0)
FEATURES: Final = bytes.fromhex("2c1cb76c12984045")
"""The beginning of UUIDs that negotiate features of a connection ([MS-RPCE] 3.3.1.5.3)."""
MULTIPLEXED_SECURITY: Final = 0x01
KEEP_ON_ORPHAN: Final = 0x02


class Context(NamedTuple):
    """p_cont_elem_t: an interface that the client wants, in any of some transfer syntaxes."""

    id: int
    abstract: Syntax
    transfers: tuple[Syntax, ...]


class ContextResult(NamedTuple):
    """p_result_t. For NEGOTIATE_ACK `reason` is the bit mask of features, and there is no transfer syntax."""

    result: int
    reason: int = 0
    transfer: Syntax = Syntax(bytes(16), 0, 0)


@dataclass(frozen=True, slots=True)
class Trailer:
    """sec_trailer with its credentials ([MS-RPCE] 2.2.2.11)."""

    type: int
    level: int
    pad_length: int
    context_id: int
    value: bytes = b""


class Body:
    """What follows the head of a PDU."""

    kind: Kind

    @classmethod
    def read(cls, cursor: Cursor, flags: int) -> Body:
        """A body up to the end of the cursor."""
        return cls()

    def encode(self) -> bytes:
        """Its octets."""
        return b""


@dataclass(frozen=True)
class Bind(Body):
    """bind and, as `AlterContext`, alter_context (C706 12.6.4.3, 12.6.4.1)."""

    max_xmit: int
    max_recv: int
    group: int
    contexts: tuple[Context, ...]
    kind = Kind.BIND

    @classmethod
    def read(cls, cursor: Cursor, flags: int) -> Bind:
        xmit, recv, group = cursor.u16(), cursor.u16(), cursor.u32()
        count = cursor.u8()
        cursor.take(3)
        contexts = tuple(_context(cursor) for _ in range(cursor.count(count, 44)))
        return cls(xmit, recv, group, contexts)

    def encode(self) -> bytes:
        parts = [_BIND.pack(self.max_xmit, self.max_recv, self.group, len(self.contexts))]
        for one in self.contexts:
            parts += [_CONTEXT.pack(one.id, len(one.transfers)), _syntax_octets(one.abstract)]
            parts += map(_syntax_octets, one.transfers)
        return b"".join(parts)


@dataclass(frozen=True)
class AlterContext(Bind):
    """C706 12.6.4.1."""

    kind = Kind.ALTER_CONTEXT


@dataclass(frozen=True)
class BindAck(Body):
    """bind_ack and, as `AlterContextResp`, alter_context_resp (C706 12.6.4.4, 12.6.4.2). `address`: secondary."""

    max_xmit: int
    max_recv: int
    group: int
    address: bytes
    results: tuple[ContextResult, ...]
    kind = Kind.BIND_ACK

    @classmethod
    def read(cls, cursor: Cursor, flags: int) -> BindAck:
        start = cursor.at
        xmit, recv, group = cursor.u16(), cursor.u16(), cursor.u32()
        address = cursor.take(cursor.u16())
        cursor.take(-(cursor.at - start) % 4)
        count = cursor.u8()
        cursor.take(3)
        results = tuple(
            ContextResult(cursor.u16(), cursor.u16(), _syntax(cursor)) for _ in range(cursor.count(count, 24))
        )
        return cls(xmit, recv, group, address, results)

    def encode(self) -> bytes:
        head = U16.pack(self.max_xmit) + U16.pack(self.max_recv) + U32.pack(self.group)
        head += U16.pack(len(self.address)) + self.address
        parts = [head, bytes(-len(head) % 4), bytes((len(self.results), 0, 0, 0))]
        for one in self.results:
            parts += [U16.pack(one.result), U16.pack(one.reason), _syntax_octets(one.transfer)]
        return b"".join(parts)


@dataclass(frozen=True)
class AlterContextResp(BindAck):
    """C706 12.6.4.2."""

    kind = Kind.ALTER_CONTEXT_RESP


@dataclass(frozen=True)
class BindNak(Body):
    """C706 12.6.4.5: the reason and the versions that would do, pairs of major and minor."""

    reason: int
    versions: tuple[tuple[int, int], ...] = ((5, 0),)
    kind = Kind.BIND_NAK

    @classmethod
    def read(cls, cursor: Cursor, flags: int) -> BindNak:
        reason = cursor.u16()
        versions = tuple((cursor.u8(), cursor.u8()) for _ in range(cursor.count(cursor.u8(), 2))) if cursor.left else ()
        cursor.rest()
        return cls(reason, versions)

    def encode(self) -> bytes:
        octets = U16.pack(self.reason) + bytes((len(self.versions),)) + b"".join(map(bytes, self.versions))
        return octets + bytes(-len(octets) % 4)


@dataclass(frozen=True)
class Auth3(Body):
    """The third leg of an authentication ([MS-RPCE] 2.2.2.10): four octets that mean nothing, and a trailer."""

    kind = Kind.AUTH3

    @classmethod
    def read(cls, cursor: Cursor, flags: int) -> Auth3:
        cursor.rest()
        return cls()

    def encode(self) -> bytes:
        return bytes(4)


@dataclass(frozen=True)
class Request(Body):
    """C706 12.6.4.9. `stub` has the padding before the security trailer at its end."""

    alloc_hint: int
    context_id: int
    opnum: int
    stub: bytes
    object: bytes | None = None
    kind = Kind.REQUEST

    @classmethod
    def read(cls, cursor: Cursor, flags: int) -> Request:
        hint, context, opnum = cursor.u32(), cursor.u16(), cursor.u16()
        known = cursor.guid() if flags & Flags.OBJECT_UUID else None
        return cls(hint, context, opnum, cursor.rest(), known)

    def encode(self) -> bytes:
        return _REQUEST.pack(self.alloc_hint, self.context_id, self.opnum) + (self.object or b"") + self.stub


@dataclass(frozen=True)
class Response(Body):
    """C706 12.6.4.10. `stub` as of `Request`."""

    alloc_hint: int
    context_id: int
    stub: bytes
    cancel_count: int = 0
    kind = Kind.RESPONSE

    @classmethod
    def read(cls, cursor: Cursor, flags: int) -> Response:
        hint, context, cancels = cursor.u32(), cursor.u16(), cursor.u8()
        cursor.u8()
        return cls(hint, context, cursor.rest(), cancels)

    def encode(self) -> bytes:
        return _RESPONSE.pack(self.alloc_hint, self.context_id, self.cancel_count, 0) + self.stub


@dataclass(frozen=True)
class FaultBody(Body):
    """C706 12.6.4.7."""

    status: int
    context_id: int = 0
    alloc_hint: int = 0
    cancel_count: int = 0
    kind = Kind.FAULT

    @classmethod
    def read(cls, cursor: Cursor, flags: int) -> FaultBody:
        hint, context, cancels = cursor.u32(), cursor.u16(), cursor.u8()
        cursor.u8()
        status = cursor.u32()
        cursor.rest()
        return cls(status, context, hint, cancels)

    def encode(self) -> bytes:
        head = _RESPONSE.pack(self.alloc_hint, self.context_id, self.cancel_count, 0)
        return head + U32.pack(self.status) + bytes(4)


@dataclass(frozen=True)
class Shutdown(Body):
    """C706 12.6.4.11: the server asks the client to end the connection."""

    kind = Kind.SHUTDOWN


@dataclass(frozen=True)
class CoCancel(Body):
    """C706 12.6.4.6: the client would like a call cancelled."""

    kind = Kind.CO_CANCEL


@dataclass(frozen=True)
class Orphaned(Body):
    """C706 12.6.4.8: the client does not wait for the answer of a call any longer."""

    kind = Kind.ORPHANED


_BIND: Final = Struct("<HHIBxxx")
_CONTEXT: Final = Struct("<HBx")
_SYNTAX: Final = Struct("<16sHH")
_REQUEST: Final = Struct("<IHH")
_RESPONSE: Final = Struct("<IHBB")
_KINDS: Final[dict[int, type[Body]]] = {
    kind.kind: kind
    for kind in (
        Bind, AlterContext, BindAck, AlterContextResp, BindNak, Auth3, Request, Response, FaultBody, Shutdown, CoCancel,
        Orphaned,
    )
}  # fmt: skip


def _syntax(cursor: Cursor) -> Syntax:
    return Syntax(cursor.guid(), cursor.u16(), cursor.u16())


def _syntax_octets(syntax: Syntax) -> bytes:
    return _SYNTAX.pack(*syntax)


def _context(cursor: Cursor) -> Context:
    number, count = cursor.u16(), cursor.u8()
    cursor.u8()
    abstract = _syntax(cursor)
    return Context(number, abstract, tuple(_syntax(cursor) for _ in range(cursor.count(count, 20))))


@dataclass(frozen=True)
class Pdu:
    """One PDU. `octets`: the whole as it came, for signatures."""

    call_id: int
    body: Body
    flags: int = WHOLE
    trailer: Trailer | None = None
    octets: bytes = field(default=b"", compare=False, repr=False)

    @property
    def signed(self) -> bytes:
        """What a signature covers: all before the credentials."""
        return self.octets[: len(self.octets) - (len(self.trailer.value) if self.trailer else 0)]

    def encode(self) -> bytes:
        """Its octets. The body has to be padded already when there is a trailer (`padded`)."""
        return assemble(self.body, self.call_id, self.flags, self.trailer)


def frag_length(head: bytes) -> int:
    """How long a PDU is, by its first 16 octets. WireError when they are no head of a PDU that we speak."""
    if head[0] != 5 or head[1] > 1:
        raise WireError(f"version {head[0]}.{head[1]}", 0)
    if head[4] & 0xF0 != 0x10:
        raise WireError("integers are not little-endian", 4)
    length: int = _FRAG_LENGTH.unpack_from(head, 8)[0]
    if length < HEAD_SIZE:
        raise WireError(f"PDU of {length} octets", 8)
    return length


def decode(data: bytes) -> Pdu:
    """One PDU, which takes all of the octets. RTS PDUs are `gromoxd.rpc.rts`."""
    if len(data) < HEAD_SIZE:
        raise WireError("head of a PDU cut off", len(data))
    if frag_length(data) != len(data):
        raise WireError(f"{len(data)} octets where the head says {frag_length(data)}", 8)
    _, _, number, flags, _, _, auth_length, call_id = _HEAD.unpack_from(data)
    kind = _KINDS.get(number)
    if kind is None:
        raise WireError(f"PDU of type {number}", 2)
    end, trailer = len(data), None
    if auth_length:
        end -= auth_length + TRAILER_SIZE
        if end < HEAD_SIZE:
            raise WireError(f"{auth_length} octets of credentials", 10)
        trailer = _trailer(Cursor(data, end), end)
    cursor = Cursor(data, HEAD_SIZE, end)
    body = kind.read(cursor, flags)
    _rest(cursor, kind, trailer)
    return Pdu(call_id, body, flags, trailer, data)


def _trailer(cursor: Cursor, end: int) -> Trailer:
    kind, level, pad = cursor.u8(), cursor.u8(), cursor.u8()
    cursor.u8()
    if pad > end - HEAD_SIZE:
        raise cursor.fail(f"{pad} octets of padding")
    return Trailer(kind, level, pad, cursor.u32(), cursor.rest())


def _rest(cursor: Cursor, kind: type[Body], trailer: Trailer | None) -> None:
    """Padding before a trailer; some add it to a bind as well."""
    if trailer is None and kind.kind in (Kind.BIND, Kind.ALTER_CONTEXT) and cursor.left:
        raise cursor.fail(f"{cursor.left} octets too many")
    cursor.rest()


def assemble(body: Body, call_id: int, flags: int, trailer: Trailer | None = None) -> bytes:
    """A PDU of a body. WireError when it gets too long."""
    octets = body.encode()
    credentials = b""
    if trailer is not None:
        pad = trailer.pad_length if isinstance(body, Request | Response) else -len(octets) % 4
        if not isinstance(body, Request | Response):
            octets += bytes(pad)
        credentials = bytes((trailer.type, trailer.level, pad, 0)) + U32.pack(trailer.context_id) + trailer.value
    length = HEAD_SIZE + len(octets) + len(credentials)
    if length > 0xFFFF:
        raise WireError(f"PDU of {length} octets")
    auth_length = len(trailer.value) if trailer is not None else 0
    return _HEAD.pack(5, 0, body.kind, flags, LITTLE_ENDIAN, length, auth_length, call_id) + octets + credentials


def split(
    make: Callable[[int, bytes], Body], stub: bytes, call_id: int, room: int, trailer: Trailer | None = None
) -> Sequence[Pdu]:
    """The fragments of a request or a response, of at most `room` octets each with head and credentials.

    `make` makes the body of octets that are still to come and of a stub. Stubs before a trailer are padded to 16 octets
    ([MS-RPCE] 2.2.2.11).
    """
    cost = HEAD_SIZE + len(make(0, b"").encode()) + (TRAILER_SIZE + len(trailer.value) if trailer is not None else 0)
    size = (room - cost) // 16 * 16
    if size <= 0:
        raise WireError(f"fragments of {room} octets")
    found: list[Pdu] = []
    for at in range(0, max(1, len(stub)), size):
        part = stub[at : at + size]
        flags = (0 if at else Flags.FIRST_FRAG) | (0 if at + size < len(stub) else Flags.LAST_FRAG)
        own: Any = trailer
        if trailer is not None:
            pad = -len(part) % 16
            own = Trailer(trailer.type, trailer.level, pad, trailer.context_id, trailer.value)
            part += bytes(pad)
        found.append(Pdu(call_id, make(len(stub) - at, part), flags, own))
    return found
