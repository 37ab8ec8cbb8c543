"""Dot-stuffing whole and in pieces, TOP's cut, SASL PLAIN."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.pop3.wire import Stuffer, Top, number, sasl_plain, stuff


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (b"", b".\r\n"),
        (b"\r\n", b"\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"..\r\n.a\r\nb.\r\n", b"...\r\n..a\r\nb.\r\n.\r\n"),
        (b"a\r\n.\r\n.\r\n", b"a\r\n..\r\n..\r\n.\r\n"),
        (b"a\n.\nb\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\r\n.", b"a\r\n\r\n..\r\n.\r\n"),
    ],
)
def test_stuffing(message: bytes, sent: bytes) -> None:
    assert stuff(message) == sent
    stuffer = Stuffer()
    assert b"".join(stuffer.feed(bytes([b])) for b in message) + stuffer.finish() == sent


def unstuffed(sent: bytes) -> bytes:
    """What a client makes of it, line by line (RFC 1939 3)."""
    lines = sent.split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    return b"".join((line[1:] if line.startswith(b".") else line) + b"\r\n" for line in lines[:-2])


PIECES = st.lists(st.sampled_from([b"\r\n", b".", b"\r", b"\n", b"a", b"bc", b"\r\n.", b"\0"]), max_size=30)


@given(PIECES, st.lists(st.integers(0, 120), max_size=6))
def test_any_split_gives_the_same(parts: list[bytes], cuts: list[int]) -> None:
    message = b"".join(parts)
    sent = stuff(message)
    stuffer, at = Stuffer(), sorted({min(cut, len(message)) for cut in cuts})
    pieces = [message[a:b] for a, b in zip([0, *at], [*at, len(message)], strict=True)]
    assert b"".join(map(stuffer.feed, pieces)) + stuffer.finish() == sent
    lone = message.replace(b"\r\n", b"")
    if b"\r" not in lone and b"\n" not in lone:
        assert unstuffed(sent) == message + (b"" if not message or message.endswith(b"\r\n") else b"\r\n")


MAIL = b"Subject: x\r\nTo: y\r\n\r\none\r\n.two\r\n\r\nfour\r\n"


@pytest.mark.parametrize(
    ("message", "lines", "cut"),
    [
        (MAIL, 0, b"Subject: x\r\nTo: y\r\n\r\n"),
        (MAIL, 1, b"Subject: x\r\nTo: y\r\n\r\none\r\n"),
        (MAIL, 3, b"Subject: x\r\nTo: y\r\n\r\none\r\n.two\r\n\r\n"),
        (MAIL, 4, MAIL),
        (MAIL, 1000, MAIL),
        (b"\r\nbody\r\nmore\r\n", 1, b"\r\nbody\r\n"),
        (b"only: header\r\n", 5, b"only: header\r\n"),
        (b"h: x\n\none\ntwo\n", 1, b"h: x\n\none\n"),
        (b"", 3, b""),
        (MAIL[:-2], 4, MAIL[:-2]),
    ],
)
def test_top(message: bytes, lines: int, cut: bytes) -> None:
    assert Top(lines).feed(message) == cut
    top = Top(lines)
    assert b"".join(top.feed(bytes([b])) for b in message) == cut
    for at in range(len(message)):
        top = Top(lines)
        assert top.feed(message[:at]) + top.feed(message[at:]) == cut


def test_sasl_plain() -> None:
    good = base64.b64encode("\0jörg\0päss".encode())
    assert sasl_plain(good) == ("", "jörg", "päss")
    assert sasl_plain(base64.b64encode(b"admin\0a\0b")) == ("admin", "a", "b")
    for bad in (b"", b"x", b"!!!!", good[:-1], good + b"=", b"=" + good, base64.b64encode(b"a\0b"),
                base64.b64encode(b"\0a\0b\0c"), base64.b64encode(b"\0\xff\0x")):  # fmt: skip
        assert sasl_plain(bad) is None


def test_numbers() -> None:
    assert [number(text) for text in (b"1", b"007", b"", b"-1", b"1 ", b"9" * 11, "٣".encode())] == [
        1, 7, -1, -1, -1, -1, -1,
    ]  # fmt: skip
