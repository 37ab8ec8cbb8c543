"""Whatever a client sends, in whatever state: responses or the end, never an exception."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.pop3.test_session import Client

STATES = [b"", b"USER alice\r\n", b"AUTH PLAIN\r\n", b"USER alice\r\nPASS secret word\r\n"]
WORDS = [
    b"USER ", b"PASS ", b"alice", b"AUTH PLAIN ", b"AGEAYg==", b"CAPA", b"STLS", b"QUIT", b"STAT", b"LIST", b"UIDL",
    b"RETR ", b"TOP ", b"DELE ", b"RSET", b"NOOP", b" 1", b"2", b"0", b"-1", b"9" * 20, b"\r\n", b"\r\n", b"\r\n",
    b"\n", b"\r", b"\0", b"\xff", b"x" * 100, b" ",
]  # fmt: skip


@given(st.sampled_from(STATES), st.lists(st.sampled_from(WORDS) | st.binary(max_size=8), max_size=30), st.booleans())
def test_any_input_in_any_state(state: bytes, words: list[bytes], byte_by_byte: bool) -> None:
    client = Client(tls_available=True, max_errors=30)
    client.say(state)
    data = b"".join(words)
    for piece in [bytes([b]) for b in data] if byte_by_byte else [data]:
        out = client.say(piece)
        assert out == b"" or (out.startswith((b"+OK", b"-ERR ", b"+ \r\n")) and out.endswith(b"\r\n"))
        if client.closed:
            assert client.say(b"NOOP\r\n") == b""
            return
