"""RTS PDUs: how virtual connections over HTTP are made and kept ([MS-RPCH] 2.2.3, 2.2.4). Both directions.

A PDU is flags and commands; `form` names the commands, and the functions below make those PDUs of [MS-RPCH] 2.2.4 that
clients and servers exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct
from typing import Final

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import U16, U32, Cursor
from gromoxd.rpc.pdu import HEAD_SIZE, LITTLE_ENDIAN, WHOLE, Kind, frag_length

SIZE: Final = 20
"""Octets of an RTS PDU without commands."""
MOST_COMMANDS: Final = 64
LARGEST_PADDING: Final = 0xFFFF
_HEAD: Final = Struct("<BBBB4sHHI")
_ACK: Final = Struct("<II16s")


class Flags(IntFlag):
    """[MS-RPCH] 2.2.3.6.1."""

    NONE = 0x0000
    PING = 0x0001
    OTHER_CMD = 0x0002
    RECYCLE_CHANNEL = 0x0004
    IN_CHANNEL = 0x0008
    OUT_CHANNEL = 0x0010
    EOF = 0x0020
    ECHO = 0x0040


class Destination(IntEnum):
    """Whom a PDU is for ([MS-RPCH] 2.2.3.3)."""

    CLIENT = 0
    IN_PROXY = 1
    SERVER = 2
    OUT_PROXY = 3


class Command(IntEnum):
    """[MS-RPCH] 2.2.3.5."""

    RECEIVE_WINDOW_SIZE = 0x0
    FLOW_CONTROL_ACK = 0x1
    CONNECTION_TIMEOUT = 0x2
    COOKIE = 0x3
    CHANNEL_LIFETIME = 0x4
    CLIENT_KEEPALIVE = 0x5
    VERSION = 0x6
    EMPTY = 0x7
    PADDING = 0x8
    NEGATIVE_ANCE = 0x9
    ANCE = 0xA
    CLIENT_ADDRESS = 0xB
    ASSOCIATION_GROUP_ID = 0xC
    DESTINATION = 0xD
    PING_TRAFFIC_SENT_NOTIFY = 0xE


@dataclass(frozen=True, slots=True)
class Ack:
    """Flow control acknowledgment ([MS-RPCH] 2.2.3.4)."""

    bytes_received: int
    available_window: int
    channel_cookie: bytes


Value = int | bytes | Ack | None
"""Of a command: a number, a cookie or an id of 16 octets, an Ack, an address of 4 or 16 octets; Padding: its octets."""

_NUMBERS: Final = frozenset((0x0, 0x2, 0x4, 0x5, 0x6, 0xD, 0xE))
_IDS: Final = frozenset((Command.COOKIE, Command.ASSOCIATION_GROUP_ID))
_BARE: Final = frozenset((Command.EMPTY, Command.NEGATIVE_ANCE, Command.ANCE))


@dataclass(frozen=True)
class Rts:
    """An RTS PDU: its flags, and its commands in order."""

    flags: int
    commands: tuple[tuple[int, Value], ...] = ()

    def values(self, command: Command) -> list[Value]:
        """The values of all commands of a kind."""
        return [value for number, value in self.commands if number == command]

    def number(self, command: Command) -> int | None:
        """The value of the first command of a kind that has a number."""
        return next((value for number, value in self.commands if number == command and isinstance(value, int)), None)

    @property
    def cookies(self) -> list[bytes]:
        """The values of its Cookie commands."""
        return [value for value in self.values(Command.COOKIE) if isinstance(value, bytes)]

    @property
    def form(self) -> str:
        """The names of its commands: which of the PDUs of [MS-RPCH] 2.2.4 it may be."""
        return " ".join(Command(number).name for number, _ in self.commands)

    def encode(self) -> bytes:
        """Its octets."""
        body = b"".join(U32.pack(number) + _octets(number, value) for number, value in self.commands)
        head = _HEAD.pack(5, 0, Kind.RTS, WHOLE, LITTLE_ENDIAN, SIZE + len(body), 0, 0)
        return head + U16.pack(self.flags) + U16.pack(len(self.commands)) + body


def decode(data: bytes) -> Rts:
    """One RTS PDU, which takes all of the octets."""
    if len(data) < SIZE or data[2] != Kind.RTS or frag_length(data) != len(data):
        raise WireError("no RTS PDU")
    if data[10:HEAD_SIZE] != bytes(6):
        raise WireError("RTS PDU with credentials or a call", 10)
    cursor = Cursor(data, HEAD_SIZE)
    flags, count = cursor.u16(), cursor.u16()
    if count > MOST_COMMANDS:
        raise cursor.fail(f"{count} commands")
    commands = tuple(_command(cursor) for _ in range(count))
    cursor.finish()
    return Rts(flags, commands)


def _command(cursor: Cursor) -> tuple[int, Value]:
    number = cursor.u32()
    if number in _NUMBERS:
        return number, cursor.u32()
    if number in _IDS:
        return number, cursor.guid()
    if number in _BARE:
        return number, None
    if number == Command.FLOW_CONTROL_ACK:
        return number, Ack(cursor.u32(), cursor.u32(), cursor.guid())
    if number == Command.PADDING:
        size = cursor.u32()
        if size > LARGEST_PADDING:
            raise cursor.fail(f"{size} octets of padding")
        return number, cursor.take(size)
    if number == Command.CLIENT_ADDRESS:
        return number, _address(cursor)
    raise WireError(f"command {number:#x}", cursor.at - 4)


def _address(cursor: Cursor) -> bytes:
    kind = cursor.u32()
    if kind > 1:
        raise cursor.fail(f"address of type {kind}")
    address = cursor.take(16 if kind else 4)
    cursor.take(12)
    return address


def _octets(number: int, value: Value) -> bytes:
    if number in _BARE and value is None:
        return b""
    if number in _NUMBERS and isinstance(value, int):
        return U32.pack(value)
    if number in _IDS and isinstance(value, bytes) and len(value) == 16:
        return value
    if number == Command.FLOW_CONTROL_ACK and isinstance(value, Ack):
        return _ACK.pack(value.bytes_received, value.available_window, value.channel_cookie)
    if number == Command.PADDING and isinstance(value, bytes):
        return U32.pack(len(value)) + value
    if number == Command.CLIENT_ADDRESS and isinstance(value, bytes) and len(value) in (4, 16):
        return U32.pack(len(value) // 16) + value + bytes(12)
    raise WireError(f"command {number:#x} has no such value")


Make = Callable[..., Rts]
_TO_CLIENT: Final = (Command.DESTINATION, Destination.CLIENT)


def conn_a1(connection: bytes, channel: bytes, window: int, version: int = 1) -> Rts:
    """CONN/A1, from the client on its OUT channel ([MS-RPCH] 2.2.4.2)."""
    window_size = (Command.RECEIVE_WINDOW_SIZE, window)
    return Rts(
        Flags.NONE,
        ((Command.VERSION, version), (Command.COOKIE, connection), (Command.COOKIE, channel), window_size),
    )


def conn_a3(timeout_ms: int) -> Rts:
    """CONN/A3, the first on the OUT channel ([MS-RPCH] 2.2.4.4)."""
    return Rts(Flags.NONE, ((Command.CONNECTION_TIMEOUT, timeout_ms),))


def conn_b1(connection: bytes, channel: bytes, lifetime: int, keepalive_ms: int, group: bytes) -> Rts:
    """CONN/B1, from the client on its IN channel ([MS-RPCH] 2.2.4.5)."""
    return Rts(
        Flags.NONE,
        (
            (Command.VERSION, 1), (Command.COOKIE, connection), (Command.COOKIE, channel),
            (Command.CHANNEL_LIFETIME, lifetime), (Command.CLIENT_KEEPALIVE, keepalive_ms),
            (Command.ASSOCIATION_GROUP_ID, group),
        ),
    )  # fmt: skip


def conn_c2(window: int, timeout_ms: int, version: int = 1) -> Rts:
    """CONN/C2, on the OUT channel once both are there ([MS-RPCH] 2.2.4.9)."""
    window_size = (Command.RECEIVE_WINDOW_SIZE, window)
    return Rts(Flags.NONE, ((Command.VERSION, version), window_size, (Command.CONNECTION_TIMEOUT, timeout_ms)))


def in_r1_a1(connection: bytes, predecessor: bytes, successor: bytes) -> Rts:
    """IN_R1/A1 and IN_R2/A1: the first on an IN channel that replaces another ([MS-RPCH] 2.2.4.10, 2.2.4.18)."""
    cookies = ((Command.COOKIE, connection), (Command.COOKIE, predecessor), (Command.COOKIE, successor))
    return Rts(Flags.RECYCLE_CHANNEL, ((Command.VERSION, 1), *cookies))


def in_r2_a4() -> Rts:
    """IN_R2/A4, on the OUT channel: the successor may be used ([MS-RPCH] 2.2.4.21)."""
    return Rts(Flags.NONE, (_TO_CLIENT,))


def in_r2_a5(successor: bytes) -> Rts:
    """IN_R2/A5, the last on the IN channel that is replaced ([MS-RPCH] 2.2.4.22)."""
    return Rts(Flags.NONE, ((Command.COOKIE, successor),))


def out_r2_a2() -> Rts:
    """OUT_R2/A2: the client is to replace the OUT channel ([MS-RPCH] 2.2.4.35)."""
    return Rts(Flags.RECYCLE_CHANNEL, (_TO_CLIENT,))


def out_r2_a3(connection: bytes, predecessor: bytes, successor: bytes, window: int) -> Rts:
    """OUT_R2/A3: the first on an OUT channel that replaces another ([MS-RPCH] 2.2.4.36)."""
    cookies = ((Command.COOKIE, connection), (Command.COOKIE, predecessor), (Command.COOKIE, successor))
    window_size = (Command.RECEIVE_WINDOW_SIZE, window)
    return Rts(Flags.RECYCLE_CHANNEL, ((Command.VERSION, 1), *cookies, window_size))


def out_r2_a6() -> Rts:
    """OUT_R2/A6, on the OUT channel that is replaced ([MS-RPCH] 2.2.4.39)."""
    return Rts(Flags.NONE, (_TO_CLIENT, (Command.ANCE, None)))


def out_r2_a7(successor: bytes) -> Rts:
    """OUT_R2/A7, from the client on its IN channel ([MS-RPCH] 2.2.4.40)."""
    to_server = (Command.DESTINATION, Destination.SERVER)
    return Rts(Flags.OUT_CHANNEL, (to_server, (Command.COOKIE, successor), (Command.VERSION, 1)))


def out_r2_b3() -> Rts:
    """OUT_R2/B3, the last on the OUT channel that is replaced ([MS-RPCH] 2.2.4.44)."""
    return Rts(Flags.EOF, ((Command.ANCE, None),))


def out_r2_c1() -> Rts:
    """OUT_R2/C1, which fills the announced length of a request for an OUT channel ([MS-RPCH] 2.2.4.45)."""
    return Rts(Flags.PING, ((Command.EMPTY, None),))


def keep_alive(interval_ms: int) -> Rts:
    """Keep-Alive, from the client on its IN channel ([MS-RPCH] 2.2.4.46)."""
    return Rts(Flags.OTHER_CMD, ((Command.CLIENT_KEEPALIVE, interval_ms),))


def echo() -> Rts:
    """Echo, the answer to a request that asks whether there is a proxy ([MS-RPCH] 2.2.4.48)."""
    return Rts(Flags.ECHO)


def ping() -> Rts:
    """Ping ([MS-RPCH] 2.2.4.49)."""
    return Rts(Flags.PING)


def flow_control_ack(to: Destination, received: int, window: int, channel: bytes) -> Rts:
    """FlowControlAckWithDestination ([MS-RPCH] 2.2.4.51)."""
    ack = Ack(received, window, channel)
    return Rts(Flags.OTHER_CMD, ((Command.DESTINATION, to), (Command.FLOW_CONTROL_ACK, ack)))
