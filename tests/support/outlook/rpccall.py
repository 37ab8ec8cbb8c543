"""RPC on virtual connections: bind, calls, fragments, NTLM (C706 12, [MS-RPCE] 2.2.2, 3.3.1.5)."""

from __future__ import annotations

import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from tests.support.outlook import ndr
from tests.support.outlook.ndr import Bound, Pdu
from tests.support.outlook.rpchttp import Place, Virtual
from tests.support.outlook.wire import Bad


class RpcFault(Exception):
    """A fault PDU (C706 12.6.4.7), or a refused bind."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(f"{status:#010x} {text}")
        self.status = status


@dataclass
class Pending:
    """A call without its answer yet."""

    opnum: int
    parts: list[bytes] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    fault: int | None = None
    lost: BaseException | None = None
    at: float = 0.0


class Connection(Virtual):
    """RPC on a virtual connection: bind, calls, NTLM with packet privacy where a `login` is given (name, password)."""

    def __init__(self, place: Place, *interfaces: bytes, login: tuple[str, str] | None = None,
                 association: int = 0, **more: Any) -> None:  # fmt: skip
        self._calls: dict[int, Pending] = {}
        self._number = 0
        self._lock = threading.Lock()
        self._security: Any = None
        self._sealed = False
        self._answers: dict[int, Pdu] = {}
        self.fragment = 1432
        super().__init__(place, **more)
        self.contexts = {one: number for number, one in enumerate(interfaces)}
        try:
            self.bound = self._bind(interfaces[0], association, login)
            for one in interfaces[1:]:
                self._alter(one)
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------------------------------------ bind

    def _bind(self, interface: bytes, association: int, login: tuple[str, str] | None) -> Bound:
        """As Windows does: NDR, NDR64 and the negotiation of features in three contexts ([MS-RPCE] 3.3.1.5.3)."""
        contexts = [(0, interface, ndr.NDR), (100, interface, ndr.NDR64), (101, interface, ndr.FEATURES)]
        answer = self._exchange(ndr.BIND, ndr.bind_body(contexts, association), self._token(login))
        if answer.kind != ndr.BIND_ACK:
            raise RpcFault(struct.unpack_from("<H", answer.body)[0], "bind_nak")
        found = ndr.bound(answer.body)
        assert found.results[0] == (0, 0, ndr.NDR), found.results
        assert found.results[1][:2] == (2, 2), found.results  # transfer syntax not supported
        assert found.results[2][0] == 3 and not found.results[2][1] & ~3, found.results  # negotiate_ack
        assert found.group and (not association or found.group == association), (found.group, association)
        assert 1432 <= found.recv <= 5840 and found.xmit <= 5840, found
        self.fragment = found.recv
        if self._security is not None:
            self._third_leg(answer)
        return found

    def _alter(self, interface: bytes) -> None:
        number = self.contexts[interface]
        body = ndr.bind_body([(number, interface, ndr.NDR)], self.bound.group)
        answer = self._exchange(ndr.ALTER, body, b"")
        assert answer.kind == ndr.ALTER_RESP, answer
        found = ndr.bound(answer.body)
        assert found.results == [(0, 0, ndr.NDR)] and found.group == self.bound.group, found

    def _exchange(self, kind: int, body: bytes, token: bytes) -> Pdu:
        number = self._next(Pending(-1))
        trailer = self._trailer(0) + token if token else b""
        self.send(ndr.pdu(kind, number, body, flags=3 | (ndr.HEADER_SIGN if token else 0), trailer=trailer,
                          auth=len(token)))  # fmt: skip
        pending = self._calls[number]
        if not pending.done.wait(self.place.timeout):
            raise TimeoutError("no answer to a bind")
        del self._calls[number]
        if pending.lost is not None:
            raise ConnectionError(str(pending.lost)) from pending.lost
        return self._answers.pop(number)

    # ------------------------------------------------------------------------------------------ NTLM

    def _token(self, login: tuple[str, str] | None) -> bytes:
        if login is None:
            return b""
        import spnego  # slow to import, and few need it

        flags = spnego.ContextReq.integrity | spnego.ContextReq.confidentiality | spnego.ContextReq.sequence_detect
        self._security = spnego.client(
            *login, hostname=self.place.host, service="exchangeMDB", protocol="ntlm", context_req=flags,
            options=spnego.NegotiateOptions.use_ntlm,
        )  # fmt: skip
        return self._security.step() or b""

    @staticmethod
    def _trailer(padding: int) -> bytes:
        """sec_trailer: NTLM, packet privacy ([MS-RPCE] 2.2.2.11)."""
        return struct.pack("<BBBBI", 10, 6, padding, 0, 0x1234)

    def _third_leg(self, answer: Pdu) -> None:
        assert answer.flags & ndr.HEADER_SIGN and answer.trailer[:2] == b"\x0a\x06" and answer.credentials
        token = self._security.step(answer.credentials)
        self.send(ndr.pdu(ndr.AUTH3, answer.call_id, bytes(4), trailer=self._trailer(0) + token, auth=len(token)))
        self._sealed = True

    def _seal(self, kind: int, number: int, flags: int, head: bytes, stub: bytes) -> bytes:
        from spnego.iov import BufferType

        padding = -len(stub) % 16
        trailer = self._trailer(padding)
        stub += bytes(padding)
        whole = ndr.pdu(kind, number, head + stub, flags=flags, trailer=trailer + bytes(16), auth=16)
        before = whole[: 16 + len(head)]
        sealed = self._security.wrap_iov(
            [
                (BufferType.sign_only, before),
                (BufferType.data, stub),
                (BufferType.sign_only, trailer),
                BufferType.header,
            ]
        )
        octets: bytes = before + sealed.buffers[1].data + trailer + sealed.buffers[3].data
        return octets

    def _unseal(self, found: Pdu) -> bytes:
        from spnego.iov import BufferType

        assert found.trailer[:2] == b"\x0a\x06" and len(found.credentials) == 16, found
        end = len(found.whole) - 24
        clear = self._security.unwrap_iov([
            (BufferType.sign_only, found.whole[:24]), (BufferType.data, found.whole[24:end]),
            (BufferType.sign_only, found.trailer), (BufferType.header, found.credentials),
        ])  # fmt: skip
        stub: bytes = clear.buffers[1].data
        return stub[: len(stub) - found.trailer[2]]

    # ------------------------------------------------------------------------------------------ calls

    def _next(self, pending: Pending) -> int:
        with self._lock:
            self._number += 1
            self._calls[self._number] = pending
            return self._number

    def begin(self, interface: bytes, opnum: int, stub: bytes) -> Pending:
        """Send a call."""
        pending = Pending(opnum)
        number = self._next(pending)
        room = (self.fragment - 24 - (24 if self._sealed else 0)) // 16 * 16
        with self._lock:
            for at in range(0, max(len(stub), 1), room):
                part = stub[at : at + room]
                flags = (ndr.FIRST if at == 0 else 0) | (ndr.LAST if at + room >= len(stub) else 0)
                head = struct.pack("<IHH", len(stub) - at, self.contexts[interface], opnum)
                if self._sealed:
                    self.send(self._seal(ndr.REQUEST, number, flags, head, part))
                else:
                    self.send(ndr.pdu(ndr.REQUEST, number, head + part, flags=flags))
        return pending

    def call(self, interface: bytes, opnum: int, stub: bytes, timeout: float = 0.0) -> ndr.NdrReader:
        """A call and its answer. RpcFault, ConnectionError, TimeoutError."""
        return self.finish(self.begin(interface, opnum, stub), timeout)

    def finish(self, pending: Pending, timeout: float = 0.0) -> ndr.NdrReader:
        """The answer of a call."""
        if not pending.done.wait(timeout or self.place.timeout):
            raise TimeoutError(f"no answer to opnum {pending.opnum}")
        if pending.lost is not None:
            raise ConnectionError(str(pending.lost)) from pending.lost
        if pending.fault is not None:
            raise RpcFault(pending.fault, f"opnum {pending.opnum}")
        return ndr.NdrReader(b"".join(pending.parts))

    def receive(self, data: bytes) -> None:
        found = ndr.parse(data)
        pending = self._calls.get(found.call_id)
        if pending is None:
            raise Bad(f"a PDU of kind {found.kind} for call {found.call_id}, which nobody makes")
        if found.kind == ndr.RESPONSE:
            self._response(pending, found)
        elif found.kind == ndr.FAULT:
            pending.fault = struct.unpack_from("<I", found.body, 8)[0]
            self._done(found.call_id, pending)
        elif found.kind in (ndr.BIND_ACK, ndr.BIND_NAK, ndr.ALTER_RESP) and pending.opnum < 0:
            self._answers[found.call_id] = found
            pending.done.set()
        else:
            raise Bad(f"a PDU of kind {found.kind}")

    def _response(self, pending: Pending, found: Pdu) -> None:
        if bool(found.flags & ndr.FIRST) == bool(pending.parts) or len(found.whole) > 5840:
            raise Bad(f"fragment {found.flags} of {len(found.whole)} octets after {len(pending.parts)}")
        stub = self._unseal(found) if self._sealed else found.body[8:]
        if not found.flags & ndr.LAST and len(stub) % 8:
            raise Bad(f"a fragment of {len(stub)} octets which is not the last one")
        pending.parts.append(stub)
        if found.flags & ndr.LAST:
            self._done(found.call_id, pending)

    def _done(self, number: int, pending: Pending) -> None:
        self._calls.pop(number, None)
        pending.at = time.perf_counter()
        pending.done.set()

    def gone(self) -> None:
        for pending in list(self._calls.values()):
            if not pending.done.is_set():
                pending.lost = self.error
                pending.done.set()
