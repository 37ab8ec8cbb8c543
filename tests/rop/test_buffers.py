"""Extended buffers, ROP buffers, auxiliary blocks, responses without a request."""

from __future__ import annotations

import contextlib
import random
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.rop import aux, buffer, extbuffer, registry
from gromoxd.rop.codec import read_request, read_response
from gromoxd.rop.control import Backoff, BufferTooSmall, Pending
from gromoxd.rop.extbuffer import HEADER, HeaderFlags
from tests.rop.captures import CALLS

RGB_IN = 28
"""Where rgbIn begins in the captured calls."""


def parts(name: str) -> tuple[bytes, bytes]:
    """rgbIn and rgbAuxIn of a captured call."""
    call = CALLS[name][0]
    size = int.from_bytes(call[24:28], "little")
    rest = call[RGB_IN + size :]
    start = rest.index(pack("<HH", 0, HeaderFlags.Last | HeaderFlags.XorMagic))
    return call[RGB_IN : RGB_IN + size], rest[start:-8]  # cbAuxIn and pcbAuxOut come last


@pytest.mark.parametrize("name", CALLS)
def test_what_outlook_sent(name: str) -> None:
    rgb_in, _ = parts(name)
    payload = extbuffer.read_one(rgb_in)
    assert payload == CALLS[name][1]
    rops, handles = buffer.read(payload)
    assert buffer.write(rops, handles) == payload
    assert HEADER.unpack_from(rgb_in)[1] == HeaderFlags.Compressed | HeaderFlags.Last


@pytest.mark.parametrize("name", CALLS)
def test_rgb_in_cut_anywhere(name: str) -> None:
    rgb_in, _ = parts(name)
    for end in range(len(rgb_in)):
        with pytest.raises(WireError):
            extbuffer.read(rgb_in[:end])


def test_the_last_one_ends_it() -> None:
    two = extbuffer.write([b"one", b"two"])
    assert two == pack("<HHHH", 0, 0, 3, 3) + b"one" + pack("<HHHH", 0, 4, 3, 3) + b"two"
    assert extbuffer.read(two) == [b"one", b"two"]
    with pytest.raises(WireError, match="too many extended buffers"):
        extbuffer.read_one(two)
    with pytest.raises(WireError, match="too many"):
        extbuffer.read(two + b"x")
    with pytest.raises(WireError, match="version"):
        extbuffer.read(b"\1" + two[1:])
    with pytest.raises(WireError, match="two sizes"):
        extbuffer.read(pack("<HHHH", 0, 4, 3, 4) + b"one")


def test_no_end_of_buffers() -> None:
    with pytest.raises(WireError, match="too many extended buffers"):
        extbuffer.read(HEADER.pack(0, 0, 0, 0) * 97)


@given(st.lists(st.binary(max_size=500), min_size=1, max_size=4), st.sampled_from([-1, 0, 50]), st.booleans())
def test_there_and_back(payloads: list[bytes], threshold: int, xor: bool) -> None:
    assert extbuffer.read(extbuffer.write(payloads, threshold, xor=xor)) == payloads


def test_compressed_only_when_it_helps() -> None:
    assert HEADER.unpack_from(extbuffer.write([b"a" * 1000], 100)) == (0, 5, 11, 1000)
    assert HEADER.unpack_from(extbuffer.write([b"a" * 1000], 1001)) == (0, 4, 1000, 1000)
    assert HEADER.unpack_from(extbuffer.write([b"a" * 1000]))[1] == 4
    assert HEADER.unpack_from(extbuffer.write([random.Random(1).randbytes(99)], 0)) == (0, 4, 99, 99)


def test_obfuscated() -> None:
    assert extbuffer.write([b"\0\xa5"], xor=True) == pack("<HHHH", 0, 6, 2, 2) + b"\xa5\0"


@pytest.mark.parametrize(
    "payload",
    [b"", b"\2", b"\1\0", b"\3\0", b"\2\0abc", pack("<H", 2) + bytes(4 * 257)],
    ids=lambda value: value[:4].hex(),
)
def test_no_rop_buffer(payload: bytes) -> None:
    with pytest.raises(WireError):
        buffer.read(payload)


def test_rop_buffer() -> None:
    assert buffer.read(b"\2\0") == (b"", [])
    assert buffer.write(b"ab", [1, 0xFFFFFFFF]) == b"\4\0ab\1\0\0\0\xff\xff\xff\xff"
    assert buffer.overhead([1, 2]) == len(buffer.write(b"", [1, 2]))
    with pytest.raises(WireError):
        buffer.write(bytes(0xFFFE), [])


@pytest.mark.parametrize("name", CALLS)
def test_auxiliary_blocks_of_outlook(name: str) -> None:
    blocks = aux.read(extbuffer.read_one(parts(name)[1]))
    assert blocks
    assert extbuffer.read_one(extbuffer.write([aux.write(blocks)], xor=True)) == aux.write(blocks)


def test_blocks_for_clients() -> None:
    found = aux.write([
        aux.exorginfo(public_folders=True), aux.client_control(aux.Enable.COMPRESSION | aux.Enable.HTTP_TUNNELING, 0),
        aux.endpoint_capabilities(single=True),
    ])  # fmt: skip
    assert found.hex(" ", 4) == "08000117 01000000 0c00010a 0c000000 00000000 08000148 01000000"
    assert [block.type for block in aux.read(found)] == [0x17, 0x0A, 0x48]


def test_the_name_of_a_program() -> None:
    name = "OUTLOOK.EXE\0".encode("utf-16-le")
    block = aux.Block(aux.PERF_PROCESSINFO, 2, pack("<HH16sHH", 7, 0, bytes(16), 28, 0) + name)
    assert aux.process_name(block) == "OUTLOOK.EXE"
    assert aux.process_name(block._replace(type=1)) == ""
    assert aux.process_name(block._replace(data=pack("<HH16sHH", 7, 0, bytes(16), 0, 0))) == ""
    with pytest.raises(WireError):
        aux.process_name(block._replace(data=pack("<HH16sHH", 7, 0, bytes(16), 0xFFFF, 0)))


@pytest.mark.parametrize("payload", [b"\3\0\1\1", b"\5\0\1\1", b"\0\0\0\0", b"\4\0\1\1" * 257])
def test_no_auxiliary_blocks(payload: bytes) -> None:
    with pytest.raises(WireError):
        aux.read(payload)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (Pending(0, 0, 5), "6e0500"),
        (Backoff(0, 0, 1, 1000, ((0x15, 5),), b"ab"), "f901e8030000011505000000020061 62"),
        (BufferTooSmall(0, 0, 0x1234, b"\1\0\0"), "ff3412010000"),
    ],
    ids=["pending", "backoff", "too-small"],
)
def test_responses_without_a_request(value: Pending | Backoff | BufferTooSmall, octets: str) -> None:
    assert value.encode() == bytes.fromhex(octets)
    assert read_response(Cursor(value.encode())) == value


@given(st.binary(max_size=200))
def test_any_octets_are_a_value_or_an_error(data: bytes) -> None:
    for read in (extbuffer.read, buffer.read, aux.read, lambda octets: list(map(aux.process_name, aux.read(octets)))):
        with contextlib.suppress(WireError):
            read(data)


def test_mutations() -> None:
    """Ten thousand damaged calls: a payload or WireError; what is a payload is requests or WireError."""
    rng = random.Random(20)
    whole = [*(parts(name)[0] for name in CALLS), *(extbuffer.write([CALLS[name][1]], xor=True) for name in CALLS)]
    read, known = 0, registry.FAMILIES
    assert "messages" in known
    for _ in range(10_000):
        data = bytearray(rng.choice(whole))
        for _ in range(rng.choice((1, 1, 2, 5))):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        try:
            rops, _ = buffer.read(extbuffer.read_one(bytes(data)))
            cursor = Cursor(rops)
            while cursor.left:
                read_request(cursor)
            read += 1
        except WireError:
            pass
    assert read > 1000
