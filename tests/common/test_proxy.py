"""PROXY headers of both versions, byte by byte, cut short and malformed."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from workers.common.proxy import SIGNATURE, ProxyReader, Source, plain_address


def block(family: int, address: str) -> bytes:
    packed = socket.inet_pton(family, address)
    return packed + packed + (4321).to_bytes(2, "big") + (25).to_bytes(2, "big")


def header(command: int, family: int, body: bytes, version: int = 2) -> bytes:
    return SIGNATURE + bytes([version << 4 | command, family]) + len(body).to_bytes(2, "big") + body


GOOD = [
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 4321 25\r\n", Source("192.0.2.1", 4321)),
    (b"PROXY TCP6 2001:db8::1 ::1 4321 25\r\n", Source("2001:db8::1", 4321)),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 4321 25\r\n", Source("192.0.2.1", 4321)),
    (b"PROXY UNKNOWN\r\n", Source("", 0)),
    (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Source("", 0)),
    (header(1, 0x11, block(socket.AF_INET, "192.0.2.1")), Source("192.0.2.1", 4321)),
    (header(1, 0x21, block(socket.AF_INET6, "2001:db8::1") + b"\x03\x00\x04abcd"), Source("2001:db8::1", 4321)),
    (header(0, 0x00, b""), Source("", 0)),
    (header(1, 0x31, bytes(216)), Source("", 0)),
]


def read(data: bytes) -> tuple[Source | None, int]:
    """(source, bytes asked for), never giving more than is asked for."""
    reader, at = ProxyReader(), 0
    while at < len(data):
        piece = data[at : at + min(reader.wanted, 5)]
        at += len(piece)
        source = reader.feed(piece)
        if source is not None:
            return source, at
    return None, at


@pytest.mark.parametrize(("data", "source"), GOOD)
def test_headers_are_read_to_their_end_and_no_further(data: bytes, source: Source) -> None:
    assert read(data + b"EHLO") == (source, len(data))
    for short in range(len(data)):
        assert read(data[:short]) == (None, short)


@pytest.mark.parametrize(
    "data",
    [
        b"EHLO somebody.example\r\n",
        b"PROXY TCP4 192.0.2.1\r\n",
        b"PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
        b"PROXY TCP4 192.0.2.999 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 x 25\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 70000 25\r\n",
        b"PROXY TCP5 192.0.2.1 192.0.2.2 1 25\r\n",
        b"PROXY TCP4 " + b"1" * 200,
        header(1, 0x11, b"short"),
        header(1, 0x11, block(socket.AF_INET, "192.0.2.1"), version=3),
        header(5, 0x11, block(socket.AF_INET, "192.0.2.1")),
        SIGNATURE + b"\x21\x11\xff\xff" + bytes(100),
    ],
)
def test_bad_headers(data: bytes) -> None:
    with pytest.raises(WireError):
        read(data)


@given(st.sampled_from([b"", b"PROXY ", SIGNATURE, SIGNATURE + b"\x21\x11\x00\x0c"]), st.binary(max_size=150))
def test_any_bytes_give_a_source_or_a_wire_error(start: bytes, rest: bytes) -> None:
    try:
        source, used = read(start + rest)
    except WireError:
        return
    assert source is not None or used == len(start + rest)


def test_plain_address() -> None:
    assert plain_address("::ffff:10.0.0.1") == "10.0.0.1"
    assert plain_address("2001:db8::1") == "2001:db8::1"
    assert plain_address("::ffff:x") == "::ffff:x"
