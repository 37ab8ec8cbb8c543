"""Whatever a client sends, in whatever state: replies or the end, never an exception, and nothing held for long."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tests.lmtp.test_session import MAIL, RCPT, START, Client

STATES = [
    b"",
    START,
    START + MAIL,
    START + MAIL + RCPT,
    START + MAIL + RCPT + b"DATA\r\n",
    START + MAIL + RCPT + b"BDAT 5\r\n",
]
WORDS = [
    b"LHLO", b"EHLO x", b"HELO", b"MAIL FROM:", b"<a@b>", b"<>", b" SIZE=1", b" BODY=8BITMIME", b"RCPT TO:",
    b"<alice@example.test>", b"DATA", b"BDAT 3", b" LAST", b"RSET", b"NOOP", b"QUIT", b"STARTTLS", b"VRFY", b"\r\n",
    b"\r\n", b"\r\n", b".", b"\n", b"\r", b"\0", b"\xff", b"x" * 100, b"\r\n.\r\n",
]  # fmt: skip


@given(st.sampled_from(STATES), st.lists(st.sampled_from(WORDS) | st.binary(max_size=8), max_size=30), st.booleans())
def test_any_input_in_any_state(state: bytes, words: list[bytes], byte_by_byte: bool) -> None:
    client = Client(tls_available=True, max_size=500, max_errors=30)
    for line in state.splitlines(keepends=True):
        client.say(line)
    data = b"".join(words)
    for piece in [bytes([b]) for b in data] if byte_by_byte else [data]:
        out = client.say(piece)
        for line in out.splitlines(keepends=True):
            assert re.fullmatch(rb"[2-5]\d\d[ -][\x20-\x7e]*\r\n", line), line
        if client.closed:
            assert client.say(b"NOOP\r\n") == b""
            return
    assert all(sink.most <= 500 for sink in client.sinks)
