"""RPC over HTTP version 2 as a client does it ([MS-RPCH] 3.2.2): channels and virtual connections.

A thread reads the OUT channel: it acknowledges after half a window and answers the server's wish for another channel.
The IN channel is replaced when most of its length is used. What the documents do not allow the server is `Bad`.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.support.outlook import ndr
from tests.support.outlook.transport import HttpFault
from tests.support.outlook.wire import Bad, u32

WINDOW = 0x10000
LIFETIME = 0x4000_0000
F_PING, F_OTHER, F_RECYCLE, F_IN, F_OUT, F_EOF, F_ECHO = 1, 2, 4, 8, 0x10, 0x20, 0x40
C_WINDOW, C_ACK, C_TIMEOUT, C_COOKIE, C_LIFETIME, C_KEEPALIVE, C_VERSION, C_EMPTY = range(8)
C_PADDING, C_NEGATIVE, C_ANCE, C_ADDRESS, C_GROUP, C_DESTINATION, C_TRAFFIC = range(8, 15)
TO_CLIENT, TO_IN_PROXY, TO_SERVER, TO_OUT_PROXY = range(4)

# ---------------------------------------------------------------------------------------------- RTS


def rts(flags: int, *commands: bytes) -> bytes:
    """An RTS PDU ([MS-RPCH] 2.2.3.6)."""
    body = struct.pack("<HH", flags, len(commands)) + b"".join(commands)
    return struct.pack("<BBBB4sHHI", 5, 0, ndr.RTS, 3, b"\x10\0\0\0", 16 + len(body), 0, 0) + body


def cookie(value: bytes) -> bytes:
    return u32(C_COOKIE) + value


def read_rts(data: bytes) -> tuple[int, list[tuple[int, Any]]]:
    """Flags, and the commands with their values."""
    if len(data) < 20 or struct.unpack_from("<HHI", data, 8) != (len(data), 0, 0) or data[3] != 3:
        raise Bad(f"RTS PDU {data[:20].hex()}")
    flags, count = struct.unpack_from("<HH", data, 16)
    at, found = 20, []
    for _ in range(count):
        (number,) = struct.unpack_from("<I", data, at)
        at += 4
        if number in (C_COOKIE, C_GROUP):
            value: Any = data[at : at + 16]
            at += 16
        elif number == C_ACK:
            value = (*struct.unpack_from("<II", data, at), data[at + 8 : at + 24])
            at += 24
        elif number in (C_EMPTY, C_NEGATIVE, C_ANCE):
            value = None
        elif number in (C_WINDOW, C_TIMEOUT, C_LIFETIME, C_KEEPALIVE, C_VERSION, C_DESTINATION, C_TRAFFIC):
            (value,) = struct.unpack_from("<I", data, at)
            at += 4
        else:
            raise Bad(f"a server does not send the command {number:#x}")
        found.append((number, value))
    if at != len(data):
        raise Bad("RTS PDU with more than its commands")
    return flags, found


# ---------------------------------------------------------------------------------------------- channels


@dataclass(frozen=True)
class Place:
    """Where the proxy is, what it is to connect to, and who asks. `tls`: None for none."""

    host: str
    port: int
    server: str
    endpoint: int
    user: str
    password: str
    tls: ssl.SSLContext | None = None
    expect: bool = False
    timeout: float = 60.0

    def head(self, method: str, length: int) -> bytes:
        """The head of a request for a channel ([MS-RPCH] 2.1.2.1.1, 2.1.2.1.2)."""
        basic = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        lines = [
            f"{method} /rpc/rpcproxy.dll?{self.server}:{self.endpoint} HTTP/1.1", "Cache-Control: no-cache",
            "Connection: Keep-Alive", "Pragma: no-cache", "Accept: application/rpc", "User-Agent: MSRPC",
            f"Content-Length: {length}", f"Host: {self.host}:{self.port}", f"Authorization: Basic {basic}",
            *(["Expect: 100-continue"] if self.expect else []),
        ]  # fmt: skip
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Channel:
    """A connection with one request on it, of `length` octets, of which `left` may still be sent."""

    def __init__(self, place: Place, method: str, length: int) -> None:
        self.cookie, self.left = os.urandom(16), length
        self._buffer, self._body, self._chunked = bytearray(), -1, False
        self.got = 0
        sock: Any = socket.create_connection((place.host, place.port), timeout=place.timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock: Any = place.tls.wrap_socket(sock, server_hostname=place.host) if place.tls else sock
            self.sock.sendall(place.head(method, length))
            if place.expect:
                status = self._line()
                assert status.startswith(b"HTTP/1.1 100 "), status
                assert self._line() == b""
        except BaseException:
            sock.close()
            raise

    def send(self, data: bytes) -> None:
        """A part of the request's body."""
        if len(data) > self.left:
            raise Bad("the channel is used up")
        self.left -= len(data)
        self.sock.sendall(data)

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the channel has ended")
        self._buffer += data

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._more()
        line, _, rest = bytes(self._buffer).partition(b"\r\n")
        self._buffer = bytearray(rest)
        return line

    def reply(self) -> dict[str, str]:
        """The head of the reply ([MS-RPCH] 2.1.2.1.4). HttpFault."""
        status = self._line().decode("latin-1")
        fields = {}
        while line := self._line().decode("latin-1"):
            key, _, value = line.partition(":")
            fields[key.lower()] = value.strip()
        code = int(status.split()[1])
        if code != 200:
            raise HttpFault(code, -1, status)
        assert fields["content-type"] == "application/rpc", fields
        self._chunked = fields.get("transfer-encoding", "").lower() == "chunked"
        self._body = -1 if self._chunked else int(fields["content-length"])
        return fields

    def came(self, seconds: float) -> bool:
        """Has anything come within this time? What TLS says for itself does not count."""
        patience = self.sock.gettimeout()
        self.sock.settimeout(seconds)
        try:
            if not self._buffer:
                self._more()
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self.sock.settimeout(patience)
        return True

    def pdu(self) -> bytes:
        """The next PDU. ConnectionError at the end, TimeoutError."""
        if self._chunked:
            size = int(self._peek_line(), 16)
            begun = self._buffer.index(b"\r\n") + 2
            self._fill(begun + size + 2)
            data = bytes(self._buffer[begun : begun + size])
            assert self._buffer[begun + size : begun + size + 2] == b"\r\n"
            del self._buffer[: begun + size + 2]
            if not size:
                raise ConnectionError("the last chunk")
            if struct.unpack_from("<H", data, 8)[0] != size:
                raise Bad("a chunk that is no PDU")
        else:
            self._fill(16)
            size = struct.unpack_from("<H", self._buffer, 8)[0]
            self._fill(size)
            data = bytes(self._buffer[:size])
            del self._buffer[:size]
        self.got += size
        if self._body >= 0 and self.got > self._body:
            raise Bad(f"{self.got} octets where {self._body} were announced")
        return data

    def _peek_line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._more()
        return bytes(self._buffer).partition(b"\r\n")[0]

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size:
            self._more()

    def shut(self) -> None:
        """Nothing more is sent or comes; who waits for something is told. The descriptor stays: he still uses it."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.shut()
        self.sock.close()


# ---------------------------------------------------------------------------------------------- virtual connections


@dataclass
class _Sender:
    """What the server has room for on the IN channel in use."""

    window: int
    sent: int = 0
    acknowledged: int = 0

    @property
    def room(self) -> int:
        return self.window - (self.sent - self.acknowledged)


@dataclass
class _Receiver:
    """What has come on the OUT channel in use."""

    taken: int = 0
    told: int = 0


class Virtual:
    """One virtual connection. `counts`: pings, acknowledgments, channels replaced, by name.

    `receive` gets each RPC PDU; `gone` is called once, with the reason, when the connection ends.
    """

    def __init__(
        self, place: Place, *, window: int = WINDOW, in_lifetime: int = LIFETIME, keepalive_ms: int = 300_000,
        group: bytes = b"",
    ) -> None:  # fmt: skip
        self.place, self.window, self.in_lifetime, self.keepalive_ms = place, window, in_lifetime, keepalive_ms
        self.cookie, self.group = os.urandom(16), group or os.urandom(16)
        self.counts: Counter[str] = Counter()
        self.error: BaseException | None = None
        self.closed = False
        self._state = threading.Condition()
        self._out_state = "opened"
        self._next_in: Channel | None = None
        self._next_out: Channel | None = None
        self._said = time.monotonic()
        self._open()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def receive(self, data: bytes) -> None:
        """An RPC PDU has come."""
        raise AssertionError("a connection without calls")

    def gone(self) -> None:
        """The connection has ended."""

    # ------------------------------------------------------------------------------------------ the beginning

    def _open(self) -> None:
        """CONN/A1, B1, A3, C2 ([MS-RPCH] 3.2.2.4.1)."""
        opened: list[Channel] = []
        try:
            self._out = Channel(self.place, "RPC_OUT_DATA", 76)
            opened.append(self._out)
            self._out.send(rts(
                0, u32(C_VERSION, 1), cookie(self.cookie), cookie(self._out.cookie), u32(C_WINDOW, self.window)
            ))  # fmt: skip
            assert self._out.left == 0
            self._in = Channel(self.place, "RPC_IN_DATA", self.in_lifetime)
            opened.append(self._in)
            self._in.send(rts(
                0, u32(C_VERSION, 1), cookie(self.cookie), cookie(self._in.cookie), u32(C_LIFETIME, self.in_lifetime),
                u32(C_KEEPALIVE, self.keepalive_ms), u32(C_GROUP) + self.group,
            ))  # fmt: skip
            self.head = self._out.reply()
            flags, commands = read_rts(self._out.pdu())  # CONN/A3
            assert flags == 0 and [number for number, _ in commands] == [C_TIMEOUT], commands
            self.timeout_ms = commands[0][1]
            assert 120_000 <= self.timeout_ms <= 14_400_000, self.timeout_ms  # [MS-RPCH] 2.2.3.5.3
            self._connected()
        except BaseException:
            for channel in opened:
                channel.close()
            raise
        self._receiver = _Receiver()

    def _connected(self) -> None:
        """CONN/C2. An HTTP error on the IN channel comes instead of it."""
        end = time.monotonic() + self.place.timeout
        while not self._out.came(0.05):
            if self._in.came(0):
                self._in.reply()
                raise Bad("a reply on the IN channel")
            if time.monotonic() > end:
                raise TimeoutError("no CONN/C2")
        flags, commands = read_rts(self._out.pdu())
        assert flags == 0 and [number for number, _ in commands] == [C_VERSION, C_WINDOW, C_TIMEOUT], commands
        assert commands[0][1] == 1
        assert 0x2000 <= commands[1][1] <= 0x40000, commands
        self._server_window = commands[1][1]
        self._sender = _Sender(self._server_window)

    # ------------------------------------------------------------------------------------------ sending

    def send(self, data: bytes) -> None:
        """An RPC PDU, when the server has room for it. OSError when the connection has ended."""
        with self._state:
            self._wait(lambda: self._sender.room >= len(data))
            if self._in.left < max(self.in_lifetime // 4, 3 * 5840) and self._next_in is None:
                self._replace_in()
            self._wait(lambda: self._in.left - len(data) >= 1024 and self._sender.room >= len(data))
            self._sender.sent += len(data)
            self._write(data)

    def _wait(self, ready: Any) -> None:
        if not self._state.wait_for(lambda: ready() or self.error is not None, self.place.timeout):
            raise TimeoutError("the server makes no room")
        self._check()

    def _check(self) -> None:
        if self.error is not None:
            raise ConnectionError(f"the connection has ended: {self.error}") from self.error

    def _write(self, data: bytes) -> None:
        self._said = time.monotonic()
        self._in.send(data)

    def _control(self, data: bytes) -> None:
        """An RTS PDU, which needs no room."""
        with self._state:
            self._write(data)

    def ping(self) -> None:
        """[MS-RPCH] 2.2.4.49."""
        self._control(rts(F_PING))

    def keep_alive(self, milliseconds: int) -> None:
        """[MS-RPCH] 2.2.4.46."""
        self._control(rts(F_OTHER, u32(C_KEEPALIVE, milliseconds)))

    def _replace_in(self) -> None:
        """IN_R1/A1 or IN_R2/A1 ([MS-RPCH] 3.2.2.4.6)."""
        successor = Channel(self.place, "RPC_IN_DATA", self.in_lifetime)
        successor.send(rts(
            F_RECYCLE, u32(C_VERSION, 1), cookie(self.cookie), cookie(self._in.cookie), cookie(successor.cookie)
        ))  # fmt: skip
        self._next_in = successor

    def replace_in(self) -> None:
        """Replace the IN channel now."""
        with self._state:
            self._check()
            before = self.counts["in"]
            self._replace_in()
            self._wait(lambda: self.counts["in"] > before)

    def _in_a4(self) -> None:
        """IN_R2/A4: A5 goes as the last on the predecessor ([MS-RPCH] 3.2.2.5.5)."""
        with self._state:
            if self._next_in is None:
                raise Bad("IN_R2/A4, and no successor of the IN channel")
            old, self._in, self._next_in = self._in, self._next_in, None
            old.send(rts(0, cookie(self._in.cookie)))
            old.close()
            self._sender = _Sender(self._server_window)
            self.counts["in"] += 1
            self._state.notify_all()

    # ------------------------------------------------------------------------------------------ receiving

    def _read(self) -> None:
        try:
            self._out.sock.settimeout(1.0)
            while True:
                try:
                    data = self._out.pdu()
                except TimeoutError:
                    self._idle()
                    continue
                if data[2] == ndr.RTS:
                    self._rts(*read_rts(data))
                else:
                    self._rpc(data)
        except BaseException as error:  # noqa: BLE001  # it is those who call
            self._end(error)
        finally:
            for channel in self._channels():
                channel.close()

    def _idle(self) -> None:
        """[MS-RPCH] 3.2.2.6.1: the server hears something in half the time that it told."""
        if time.monotonic() - self._said > min(self.timeout_ms, self.keepalive_ms) / 2000:
            self.ping()

    def _rpc(self, data: bytes) -> None:
        """Only RPC PDUs are counted ([MS-RPCH] 3.2.1.1.4)."""
        got = self._receiver
        got.taken += len(data)
        if got.taken - got.told > self.window:
            raise Bad(f"{got.taken - got.told} octets that are not acknowledged, in a window of {self.window}")
        self.counts["pdus"] += 1
        self.receive(data)
        if got.taken - got.told > self.window // 2:
            got.told = got.taken
            self.counts["acks sent"] += 1
            ack = u32(C_ACK, got.taken, self.window) + self._out.cookie
            self._control(rts(F_OTHER, u32(C_DESTINATION, TO_OUT_PROXY), ack))

    def _rts(self, flags: int, commands: list[tuple[int, Any]]) -> None:
        form = [number for number, _ in commands]
        if flags == F_PING and not form:
            self.counts["pings"] += 1
        elif flags == F_OTHER and form == [C_DESTINATION, C_ACK] and commands[0][1] == TO_CLIENT:
            self._acknowledged(*commands[1][1])
        elif (flags, commands) == (F_RECYCLE, [(C_DESTINATION, TO_CLIENT)]):
            self._out_a2()
        elif (flags, commands) == (0, [(C_DESTINATION, TO_CLIENT)]):
            self._in_a4()
        elif (flags, commands) == (0, [(C_DESTINATION, TO_CLIENT), (C_ANCE, None)]):
            self._out_a6()
        elif (flags, commands) == (F_EOF, [(C_ANCE, None)]):
            self._out_b3()
        else:
            raise Bad(f"RTS PDU {flags:#x} {commands}")

    def _acknowledged(self, received: int, window: int, channel: bytes) -> None:
        """FlowControlAckWithDestination ([MS-RPCH] 3.2.1.5.1.1)."""
        with self._state:
            self.counts["acks"] += 1
            if channel != self._in.cookie:
                return  # of a predecessor
            if received > self._sender.sent or received < self._sender.acknowledged or window > self._server_window:
                raise Bad(f"{received} octets acknowledged of {self._sender.sent}, window {window}")
            self._sender.acknowledged, self._sender.window = received, window
            self._state.notify_all()

    def _out_a2(self) -> None:
        """OUT_R2/A2: the server wants another OUT channel; A3 begins it ([MS-RPCH] 3.2.2.5.6)."""
        if self._out_state != "opened":
            raise Bad(f"OUT_R2/A2 while {self._out_state}")
        successor = Channel(self.place, "RPC_OUT_DATA", 120)
        self._next_out = successor
        successor.send(rts(
            F_RECYCLE, u32(C_VERSION, 1), cookie(self.cookie), cookie(self._out.cookie), cookie(successor.cookie),
            u32(C_WINDOW, self.window),
        ))  # fmt: skip
        self._out_state = "A6W"

    def _out_a6(self) -> None:
        """OUT_R2/A6: A7 goes on the IN channel, C1 on the successor ([MS-RPCH] 3.2.2.5.9)."""
        if self._out_state != "A6W" or self._next_out is None:
            raise Bad(f"OUT_R2/A6 while {self._out_state}")
        to_server = u32(C_DESTINATION, TO_SERVER)
        self._control(rts(F_OUT, to_server, cookie(self._next_out.cookie), u32(C_VERSION, 1)))
        self._next_out.send(rts(F_PING, u32(C_EMPTY)))
        assert self._next_out.left == 0
        self._out_state = "B3W"

    def _out_b3(self) -> None:
        """OUT_R2/B3: the predecessor has ended ([MS-RPCH] 3.2.2.5.10)."""
        if self._out_state != "B3W" or self._next_out is None:
            raise Bad(f"OUT_R2/B3 while {self._out_state}")
        self._out.close()
        self._out, self._next_out, self._receiver = self._next_out, None, _Receiver()
        self._out.reply()
        self._out.sock.settimeout(1.0)
        self._out_state = "opened"
        self.counts["out"] += 1

    # ------------------------------------------------------------------------------------------ the end

    def _end(self, error: BaseException) -> None:
        with self._state:
            if self.error is None:
                self.error = error
            for channel in self._channels():
                channel.shut()
            self._state.notify_all()
        self.gone()

    def _channels(self) -> list[Channel]:
        return [one for one in (self._in, self._out, self._next_in, self._next_out) if one is not None]

    def close(self) -> None:
        """End it. A descriptor is closed by who reads from it, lest he reads from somebody else's of that number."""
        self.closed = True
        self._end(ConnectionError("closed"))
        if threading.current_thread() is not self._reader:
            self._reader.join(self.place.timeout)


def echo(place: Place, method: str) -> tuple[int, bytes]:
    """A request that only asks whether there is a proxy ([MS-RPCH] 2.1.2.1.5): the status, and the body."""
    channel = Channel(place, method, 4)
    try:
        channel.send(bytes(4))
        try:
            fields = channel.reply()
        except HttpFault as error:
            return error.status, b""
        channel._fill(int(fields["content-length"]))
        return 200, bytes(channel._buffer)
    finally:
        channel.close()
