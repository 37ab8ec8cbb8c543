"""Frames of the exmdb RPC: bytes <-> frames, pure.

A frame is a 10-byte head '<IBBI' (length of the body, kind, number of descriptors that came along, id) and a body:

HELLO     msgpack Hello, the first frame each way; over TCP the handshake of `gromoxd.exmdb.handshake` comes before it
REQUEST   msgpack Request; `body` is the call struct; the id is chosen by the caller
ANSWER    msgpack of the call's result, id of the request
FAILURE   msgpack Failure, id of the request
EVENT     msgpack calls.Event, id 0
UPLOAD    raw bytes that are added to the spool `id`, which a later REQUEST names in `upload` (TCP; inside a node the
          spool's descriptor is passed with the request instead)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import calls, registry

HEAD = struct.Struct("<IBBI")
HELLO, REQUEST, ANSWER, FAILURE, EVENT, UPLOAD = range(6)
MAX_BODY = 96 << 20
UPLOAD_CHUNK = 1 << 20
VERSION = 1


class Hello(msgspec.Struct, array_like=True, frozen=True):
    """`instance`: 16 random bytes of the client process; `shard`: the store worker wanted (client) or that answers."""

    version: int
    instance: bytes
    shard: int
    shards: int


class Request(msgspec.Struct, array_like=True, frozen=True):
    """`number` is the position of the call's class in `registry.CALLS`."""

    number: int
    mailbox: str
    actor: str
    upload: int
    body: msgspec.Raw


class Failure(msgspec.Struct, array_like=True, frozen=True):
    """An `ec*` code and a text for the caller's log."""

    code: int
    text: str


NUMBERS: dict[type, int] = {cls: i for i, cls in enumerate(registry.CALLS)}
CALL_DECODERS = [msgspec.msgpack.Decoder(cls) for cls in registry.CALLS]
RESULT_DECODERS = [msgspec.msgpack.Decoder(get_args(cls.__orig_bases__[0])[0]) for cls in registry.CALLS]  # type: ignore[attr-defined]
EVENT_DECODER = msgspec.msgpack.Decoder(calls.Event)
HELLO_DECODER = msgspec.msgpack.Decoder(Hello)
REQUEST_DECODER = msgspec.msgpack.Decoder(Request)
FAILURE_DECODER = msgspec.msgpack.Decoder(Failure)
encode = msgspec.msgpack.Encoder().encode


def frame(kind: int, number: int, body: bytes, descriptors: int = 0) -> bytes:
    """One frame."""
    return HEAD.pack(len(body), kind, descriptors, number) + body


def request(number: int, mailbox: str, actor: str, call: Any, upload: int = 0, descriptors: int = 0) -> bytes:
    """A REQUEST frame for a call struct."""
    return frame(REQUEST, number, encode((NUMBERS[type(call)], mailbox, actor, upload, call)), descriptors)


def failure(number: int, error: MapiError) -> bytes:
    """A FAILURE frame."""
    return frame(FAILURE, number, encode(Failure(int(error.code), error.text)))


def decode_failure(body: bytes) -> MapiError:
    """The error that a FAILURE frame carries; a code this side does not know becomes ecError."""
    value = FAILURE_DECODER.decode(body)
    try:
        return MapiError(Ec(value.code), value.text)
    except ValueError:
        return MapiError(Ec.ecError, f"code 0x{value.code:08x} {value.text}")


class FrameReader:
    """Bytes in, (kind, descriptors, id, body) out. A body larger than `limit` or an unknown kind raises WireError."""

    __slots__ = ("_buffer", "limit")

    def __init__(self, limit: int = MAX_BODY) -> None:
        self._buffer = bytearray()
        self.limit = limit

    def feed(self, data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        """Add bytes and give the frames that are complete."""
        buffer = self._buffer
        if not buffer:
            at, source = 0, data
        else:
            buffer += data
            at, source = 0, bytes(buffer) if self._ready() else b""
            if not source:
                return
        end = len(source)
        while end - at >= HEAD.size:
            length, kind, descriptors, number = HEAD.unpack_from(source, at)
            if length > self.limit or kind > UPLOAD:
                raise WireError("exmdb frame", at)
            stop = at + HEAD.size + length
            if stop > end:
                break
            yield kind, descriptors, number, source[at + HEAD.size : stop]
            at = stop
        self._buffer = bytearray(memoryview(source)[at:])

    def _ready(self) -> bool:
        """Is the first frame complete, or its head out of bounds? Keeps a large frame from being copied per chunk."""
        buffer = self._buffer
        if len(buffer) < HEAD.size:
            return False
        length, kind, _, _ = HEAD.unpack_from(buffer)
        return bool(length > self.limit or kind > UPLOAD or len(buffer) >= HEAD.size + length)
