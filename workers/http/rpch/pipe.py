"""One channel's socket: PDUs in, octets out. An HTTP request or reply is around it ([MS-RPCH] 2.1.2)."""

from __future__ import annotations

import logging
from typing import Any, Final

import gevent

from gromoxd.errors import WireError
from gromoxd.rpc.pdu import HEAD_SIZE, frag_length

log = logging.getLogger(__name__)

PIECE: Final = 32 << 10
SEND_SECONDS: Final = 120.0
KIND: Final = "application/rpc"


class Pipe:
    """A channel. `length`: octets that the client's request has announced, and no more are read as PDUs.

    What is written is sent by a greenlet of its own, so that nobody who writes waits for the client.
    """

    def __init__(self, sock: Any, first: bytes, length: int, *, chunked: bool) -> None:
        self._sock, self._buffer, self._left, self._chunked = sock, bytearray(), length, chunked
        self._out = bytearray()
        self._sender: Any = None
        self._ends = self._gone = False
        self._add(first)

    def _add(self, octets: bytes) -> None:
        if len(octets) > self._left:
            raise WireError("more octets than the request has announced")
        self._left -= len(octets)
        self._buffer += octets

    # ------------------------------------------------------------------------------------------ in

    def next(self) -> bytes:
        """The next PDU; b'' at the end. WireError, OSError."""
        wanted = HEAD_SIZE
        while True:
            if len(self._buffer) >= HEAD_SIZE:
                wanted = frag_length(bytes(self._buffer[:HEAD_SIZE]))
                if len(self._buffer) >= wanted:
                    octets = bytes(self._buffer[:wanted])
                    del self._buffer[:wanted]
                    return octets
            try:
                octets = self._sock.recv(PIECE)
            except ValueError:  # a TLS socket that another greenlet has closed
                return b""
            if not octets:
                return b""
            self._add(octets)

    def patience(self, seconds: float | None) -> None:
        """How long `next` waits for octets."""
        self._sock.settimeout(seconds)

    # ------------------------------------------------------------------------------------------ out

    def head(self, lifetime: int) -> None:
        """Write the head of the reply to the request for an OUT channel ([MS-RPCH] 2.1.2.1.4)."""
        form = "Transfer-Encoding: chunked" if self._chunked else f"Content-Length: {lifetime}"
        self._put(f"HTTP/1.1 200 Success\r\nContent-Type: {KIND}\r\n{form}\r\n\r\n".encode())

    def write(self, octets: bytes) -> None:
        """Write octets of the body."""
        self._put(b"%x\r\n%b\r\n" % (len(octets), octets) if self._chunked else octets)

    def _put(self, octets: bytes) -> None:
        if self._gone or self._ends:
            return
        self._out += octets
        if self._sender is None:
            self._sender = gevent.spawn(self._send)

    def finish(self) -> None:
        """Close it, once what is written is sent."""
        self._ends = True
        if self._sender is None:
            self.close()

    def close(self) -> None:
        """Close it now. Who waits in `next` gets an end or an OSError."""
        if not self._gone:
            self._gone = True
            try:
                self._sock.shutdown(2)
            except OSError as error:
                log.debug("channel was gone", extra={"error": str(error)})

    def _send(self) -> None:
        try:
            while self._out and not self._gone:
                octets, self._out = bytes(self._out), bytearray()
                with gevent.Timeout(SEND_SECONDS, TimeoutError("the client reads nothing")):
                    self._sock.sendall(octets)
        except OSError as error:
            log.debug("channel lost", extra={"error": str(error)})
            self.close()
        self._sender = None
        if self._ends:
            self.close()
