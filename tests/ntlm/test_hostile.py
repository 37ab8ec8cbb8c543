"""Whatever comes, the decoders give a value or WireError, and a log-in a step, WireError or NtlmError."""

from __future__ import annotations

import contextlib
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.ntlm.messages import Authenticate, Challenge, Negotiate, decode_pairs
from gromoxd.ntlm.server import NtlmServer
from gromoxd.ntlm.session import NtlmError
from gromoxd.ntlm.spnego import SpnegoServer, decode, encode
from tests.ntlm.test_golden import AUTHENTICATE, CHALLENGE

FIRST = b"NTLMSSP\0" + struct.pack("<II", 1, 0xE2088297) + bytes(24)
TOKEN = encode(0xA1, encode(0x30, encode(0xA2, encode(0x04, AUTHENTICATE))))


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """A message with a few octets changed, perhaps cut."""
    changes = st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=6)

    def apply(how: tuple[list[tuple[int, int]], int]) -> bytes:
        data = bytearray(whole)
        for at, octet in how[0]:
            data[at] = octet
        return bytes(data[: how[1]])

    return st.tuples(changes, st.integers(0, len(whole))).map(apply)


ANY = st.one_of(st.binary(max_size=300), *(damaged(whole) for whole in (AUTHENTICATE, CHALLENGE, FIRST, TOKEN)))


@settings(max_examples=600, deadline=None)
@given(ANY)
def test_decoders(data: bytes) -> None:
    for decoder in (Negotiate.decode, Challenge.decode, Authenticate.decode, decode_pairs, decode):
        with contextlib.suppress(WireError):
            decoder(data)


@settings(max_examples=600, deadline=None)
@given(st.lists(ANY, min_size=1, max_size=4), st.booleans())
def test_log_ins(tokens: list[bytes], begun: bool) -> None:
    """Nobody gets in, and nothing else is raised."""
    inner = NtlmServer(bytes(8))
    server = SpnegoServer(inner)
    with contextlib.suppress(WireError, NtlmError):
        for token in [FIRST] * begun + tokens:
            step = server.step(token)
            if step.message:
                said = inner.read(step.message)
                assert not inner.verify(step.message, said, b"x" * 16)
                assert not inner.verify(step.message, said, None)
