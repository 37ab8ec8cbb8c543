"""A listener between client and server that remembers what passed, and capture files of it for Wireshark's decoders."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import NamedTuple

CLIENT, SERVER = 0, 1
"""Who sent something."""


class Piece(NamedTuple):
    """What one side sent on one connection."""

    connection: int
    sender: int
    data: bytes


class Recorder:
    """Passes connections on to `target` and keeps what they carry, in order."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.pieces: list[Piece] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        number = 0
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self.target)
                self._sockets += [client, server]
                for sender, source, sink in ((CLIENT, client, server), (SERVER, server, client)):
                    arguments = (number, sender, source, sink)
                    threading.Thread(target=self._pass, args=arguments, daemon=True).start()
                number += 1

    def _pass(self, number: int, sender: int, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):  # one side is gone, the other learns it
            while data := source.recv(65536):
                self.pieces.append(Piece(number, sender, data))
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End all connections."""
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextlib.contextmanager
def recorded(target: tuple[str, int]) -> Iterator[Recorder]:
    """A recorder before a server."""
    recorder = Recorder(target)
    try:
        yield recorder
    finally:
        recorder.close()


def rpc_pdus(pieces: list[Piece]) -> list[tuple[int, bytes]]:
    """(sender, PDU) of RPC over HTTP: what is behind the header fields of both channels, in order."""
    waiting: dict[tuple[int, int], bytes] = {}
    found: list[tuple[int, bytes]] = []
    for connection, sender, data in pieces:
        key = connection, sender
        buffer = waiting.get(key, b"") + data
        while buffer:
            if not buffer.startswith(b"\5\0"):
                head, end, rest = buffer.partition(b"\r\n\r\n")
                if not end:
                    break
                buffer = rest[_skipped(head) :]
                continue
            size = struct.unpack_from("<H", buffer, 8)[0] if len(buffer) >= 10 else 1 << 16
            if len(buffer) < size:
                break
            found.append((sender, buffer[:size]))
            buffer = buffer[size:]
        waiting[key] = buffer
    return found


def _skipped(head: bytes) -> int:
    """Octets of a body that is no channel's: that of a refusal."""
    refused = head.startswith(b"HTTP/1.1 4")
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return sum(int(value) for name, _, value in lines if name == b"content-length") if refused else 0


def capture(conversation: list[tuple[int, bytes]], port: int) -> bytes:
    """A capture file: one TCP connection to `port` on which this was said."""
    ends = ((b"\x7f\0\0\1", 40000), (b"\x7f\0\0\2", port))
    sent = [1, 1]
    packets = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 101)]  # LINKTYPE_RAW
    for number, (sender, data) in enumerate(conversation):
        for at in range(0, len(data), 60000):
            part = data[at : at + 60000]
            (source, source_port), (target, target_port) = ends[sender], ends[1 - sender]
            tcp = struct.pack(
                ">HHIIBBHHH", source_port, target_port, sent[sender], sent[1 - sender], 0x50, 0x18, 65535, 0, 0
            )
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(part), number & 0xFFFF, 0, 64, 6, 0, source, target)
            packet = ip + tcp + part
            packets.append(struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet)
            sent[sender] += len(part)
    return b"".join(packets)
