"""A client of RPC over HTTP for the tests of channels: raw sockets, and the codecs of `gromoxd.rpc`."""

from __future__ import annotations

import contextlib
import os
import socket
from base64 import b64encode
from typing import Any

from gromoxd.rpc import pdu, rts
from gromoxd.rpc.stub import Interface, Stub
from tests.http.harness import Wire

LENGTH = 1 << 30


class Virtual:
    """One virtual connection to `address` as a user. `received`: RTS PDUs that came on the OUT channel."""

    def __init__(self, address: Any, user: str, password: str, *, port: int = 6001, window: int = 65536) -> None:
        self.address, self.port, self.window = address, port, window
        self.authorization = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
        self.cookie, self.in_cookie, self.out_cookie = (os.urandom(16) for _ in range(3))
        self.received: list[rts.Rts] = []
        self.wires: list[Wire] = []
        self.answers: dict[int, bytes] = {}
        self.call_id = 1
        self.taken = self.acknowledged = 0
        self.chunked = False
        self.tls: Any = None

    # ------------------------------------------------------------------------------------------ channels

    def channel(self, method: str, length: int, first: rts.Rts | None) -> Wire:
        """A connection with a request for a channel on it."""
        wire = Wire(self.address, self.tls)
        self.wires.append(wire)
        wire.send(
            f"{method} /rpc/rpcproxy.dll?mail.example.test:{self.port} HTTP/1.1\r\nHost: mail.example.test\r\n"
            f"Authorization: {self.authorization}\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        return wire.send(first.encode()) if first is not None else wire

    def open(self) -> Virtual:
        """CONN/A1, B1, A3, C2."""
        self.out = self.channel("RPC_OUT_DATA", 76, rts.conn_a1(self.cookie, self.out_cookie, self.window))
        b1 = rts.conn_b1(self.cookie, self.in_cookie, LENGTH, 300_000, os.urandom(16))
        self.inn = self.channel("RPC_IN_DATA", LENGTH, b1)
        self.head()
        assert self.rts() == rts.conn_a3(120_000)
        assert self.rts() == rts.conn_c2(65536, 120_000)
        return self

    def head(self) -> str:
        """The head of the reply on the OUT channel."""
        head = self.out.until(b"\r\n\r\n").decode()
        assert head.startswith("HTTP/1.1 200 Success\r\nContent-Type: application/rpc\r\n"), head
        self.chunked = "chunked" in head
        return head

    def replace_in(self) -> None:
        """IN_R2."""
        successor = os.urandom(16)
        wire = self.channel("RPC_IN_DATA", LENGTH, rts.in_r1_a1(self.cookie, self.in_cookie, successor))
        assert self.rts() == rts.in_r2_a4()
        self.inn.send(rts.in_r2_a5(successor).encode())
        self.old, self.inn, self.in_cookie = self.inn, wire, successor

    def replace_out(self) -> None:
        """OUT_R2, after A2 has come."""
        successor = os.urandom(16)
        first = rts.out_r2_a3(self.cookie, self.out_cookie, successor, self.window)
        wire = self.channel("RPC_OUT_DATA", 120, first)
        assert self.rts() == rts.out_r2_a6()
        self.inn.send(rts.out_r2_a7(successor).encode())
        wire.send(rts.out_r2_c1().encode())
        while (found := self.rts()) != rts.out_r2_b3():
            assert found.flags & rts.Flags.PING
        self.old, self.out, self.out_cookie = self.out, wire, successor
        self.taken = self.acknowledged = 0
        self.head()

    def close(self) -> None:
        """Close all channels that there were."""
        for wire in self.wires:
            wire.sock.close()

    def __enter__(self) -> Virtual:
        return self.open()

    def __exit__(self, *error: Any) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------ PDUs

    def octets(self) -> bytes:
        """The next PDU on the OUT channel."""
        if self.chunked:
            size = int(self.out.until(b"\r\n"), 16)
            found = self.out.octets(size)
            assert self.out.octets(2) == b"\r\n"
            return found
        head = self.out.octets(16)
        return head + self.out.octets(pdu.frag_length(head) - 16)

    def rts(self) -> rts.Rts:
        """The next RTS PDU; RPC PDUs before it are kept."""
        while True:
            octets = self.octets()
            if octets[2] == pdu.Kind.RTS:
                return rts.decode(octets)
            self._keep(octets)

    def _keep(self, octets: bytes) -> pdu.Pdu:
        found = pdu.decode(octets)
        self.taken += len(octets)
        if self.taken - self.acknowledged > self.window // 2:
            self.acknowledged = self.taken
            self.inn.send(
                rts.flow_control_ack(rts.Destination.OUT_PROXY, self.taken, self.window, self.out_cookie).encode()
            )
        if isinstance(found.body, pdu.Response):
            self.answers[found.call_id] = self.answers.get(found.call_id, b"") + found.body.stub
            if found.flags & pdu.Flags.LAST_FRAG:
                self.done.add(found.call_id)
        elif isinstance(found.body, pdu.FaultBody):
            self.faults[found.call_id] = found.body.status
        return found

    def bind(self, *interfaces: Interface, group: int = 0) -> pdu.BindAck:
        """Bind interfaces, context ids in their order."""
        self.interfaces = list(interfaces)
        self.done: set[int] = set()
        self.faults: dict[int, int] = {}
        contexts = tuple(
            pdu.Context(number, pdu.Syntax(one.uuid, one.major, one.minor), (pdu.NDR,))
            for number, one in enumerate(interfaces)
        )
        self.inn.send(pdu.assemble(pdu.Bind(5840, 5840, group, contexts), 1, pdu.WHOLE))
        body = pdu.decode(self.octets()).body
        assert isinstance(body, pdu.BindAck)
        return body

    def begin(self, of: Interface, call: Stub | bytes, opnum: int = 0) -> int:
        """Send a call; its id."""
        self.call_id += 1
        stub, number = (call, opnum) if isinstance(call, bytes) else (call.encode(), call.opnum)
        context = self.interfaces.index(of)
        for part in pdu.split(lambda hint, piece: pdu.Request(hint, context, number, piece), stub, self.call_id, 5840):
            self.inn.send(part.encode())
        return self.call_id

    def end(self, call_id: int, of: Interface, opnum: int) -> Any:
        """Wait for the answer of a call: an answer stub, or the number of a fault."""
        while call_id not in self.done and call_id not in self.faults:
            octets = self.octets()
            if octets[2] == pdu.Kind.RTS:
                self.received.append(rts.decode(octets))
            else:
                self._keep(octets)
        if call_id in self.faults:
            return self.faults[call_id]
        return of.answers[opnum].decode(self.answers[call_id])

    def call(self, of: Interface, call: Stub) -> Any:
        """A call and its answer."""
        return self.end(self.begin(of, call), of, call.opnum)


def refused(wire: Wire) -> bytes:
    """What a connection is answered that gets no channel."""
    with wire, contextlib.suppress(ConnectionError, socket.timeout):
        return wire.rest()
    return b""
