"""Commands, paths, parameters, and the data of a message split at every place."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.lmtp.wire import (
    ChunkReader,
    DataReader,
    Lines,
    Refusal,
    parse_bdat,
    parse_command,
    parse_helo,
    parse_mail,
    parse_rcpt,
)


def code(exception: pytest.ExceptionInfo[Refusal]) -> str:
    return exception.value.reply.decode()[:9]


def test_commands() -> None:
    assert parse_command(b"mail FROM:<a@b>\r") == (b"MAIL", b"FROM:<a@b>")
    assert parse_command(b"QUIT\r") == (b"QUIT", b"")


@pytest.mark.parametrize("line", [b"NOOP", b"NO\rOP\r", b"RCPT TO:<a\0@b>\r", b"", b"NOOP\r\r"])
def test_faulty_lines(line: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_command(line)
    assert code(refused) == "500 5.5.2"


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        (b"FROM:<>", b""),
        (b"from:<a@b.example>", b"a@b.example"),
        (b"FROM:<@relay.example,@other.example:a@b.example>", b"a@b.example"),
        (b"FROM:<first.last+tag@b.example>", b"first.last+tag@b.example"),
        (b'FROM:<"odd name"@b.example>', b'"odd name"@b.example'),
        (b"FROM:<a@[192.0.2.1]>", b"a@[192.0.2.1]"),
        (b"FROM:<a@[IPv6:2001:db8::1]>", b"a@[IPv6:2001:db8::1]"),
        (b"FROM:<root>", b"root"),
    ],
)
def test_senders(text: bytes, sender: bytes) -> None:
    assert parse_mail(text).sender == sender


@pytest.mark.parametrize(
    "text",
    [
        b"FROM:a@b", b"FROM: <a@b>", b"FROM:<a@b", b"FROM:<a b@c>", b"FROM:<a..b@c>", b"FROM:<@c>", b"FROM:<a@>",
        b"FROM:<a@-b>", b"FROM:<a@b>x", b"FROM:<a@b>>", b"FROM:<a\x01@b>", b"FROM:<" + b"a" * 320 + b"@b>",
    ],
)  # fmt: skip
def test_bad_senders(text: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_mail(text)
    assert code(refused) == "501 5.1.7"


def test_mail_parameters() -> None:
    mail = parse_mail(b"FROM:<a@b> SIZE=1000 BODY=8bitmime SMTPUTF8")
    assert (mail.size, mail.eight_bit, mail.smtputf8) == (1000, True, True)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (b"FROM:<a@b> SIZE=x", "501 5.5.4"),
        (b"FROM:<a@b> SIZE", "501 5.5.4"),
        (b"FROM:<a@b> SIZE=1 size=2", "501 5.5.4"),
        (b"FROM:<a@b> SIZE=" + b"9" * 21, "501 5.5.4"),
        (b"FROM:<a@b> BODY=BINARYMIME", "501 5.5.4"),
        (b"FROM:<a@b> SMTPUTF8=yes", "501 5.5.4"),
        (b"FROM:<a@b> AUTH=<>", "555 5.5.4"),
        (b"FROM:<a@b> RET=HDRS", "555 5.5.4"),
        (b"FROM:<a@b> =x", "501 5.5.4"),
        (b"TO:<a@b>", "501 5.5.4"),
        ("FROM:<jörg@b>".encode(), "553 5.6.7"),
        (b"FROM:<j\xff@b> SMTPUTF8", "501 5.1.7"),
    ],
)
def test_refused_mail(text: bytes, answer: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_mail(text)
    assert code(refused) == answer


def test_recipients() -> None:
    assert parse_rcpt(b"TO:<bob+x@b.example>", False) == b"bob+x@b.example"
    assert parse_rcpt(b'TO:<"bob"@b.example>', False) == b"bob@b.example"
    assert parse_rcpt("TO:<jörg@b.example>".encode(), True) == "jörg@b.example".encode()


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (b"TO:<>", "501 5.1.3"),
        (b"TO:<a@b> NOTIFY=NEVER", "555 5.5.4"),
        (b"TO:<a@b", "501 5.1.3"),
        ("TO:<jörg@b>".encode(), "553 5.6.7"),
    ],
)
def test_refused_recipients(text: bytes, answer: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_rcpt(text, False)
    assert code(refused) == answer


def test_helo() -> None:
    assert parse_helo(b" mx.example.org ") == "mx.example.org"
    for bad in (b"", b"  ", b"a b", b"a" * 256, b"a\x07"):
        with pytest.raises(Refusal):
            parse_helo(bad)


def test_bdat() -> None:
    assert parse_bdat(b"86") == (86, False)
    assert parse_bdat(b"0 last") == (0, True)
    for bad in (b"", b"-1", b"{3}", b"5 FIRST", b"1 LAST x", b"9" * 21):
        with pytest.raises(Refusal):
            parse_bdat(bad)


def read(*pieces: bytes, normalise: bool = False) -> tuple[bytes, bytes | None, bool]:
    """(message, rest behind its end or None, had bare line ends) of data fed in pieces."""
    got: list[bytes] = []
    lines = Lines(got.append, normalise)
    reader = DataReader(lines)
    for i, piece in enumerate(pieces):
        rest = reader.feed(piece)
        if rest is not None:
            return b"".join(got), rest + b"".join(pieces[i + 1 :]), lines.bare
    return b"".join(got), None, lines.bare


@pytest.mark.parametrize(
    ("data", "message", "rest"),
    [
        (b".\r\n", b"", b""),
        (b"\r\n.\r\n", b"\r\n", b""),
        (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n"),
        (b"..\r\n.\r\n", b".\r\n", b""),
        (b".a\r\n..b\r\n...\r\n.\r\n", b"a\r\n.b\r\n..\r\n", b""),
        (b"a.\r\nb\r\n.\r\n.\r\n", b"a.\r\nb\r\n", b".\r\n"),
        (b"x\r\n..\r\n..\r\n\r\n.\r\n", b"x\r\n.\r\n.\r\n\r\n", b""),
        (b"no end\r\n", b"no end", None),
        (b"no end\r\n.", b"no end", None),
        (b"no end\r\n.\r", b"no end", None),
    ],
)
def test_data_whole_and_by_byte(data: bytes, message: bytes, rest: bytes | None) -> None:
    assert read(data) == (message, rest, False)
    assert read(*(bytes([b]) for b in data)) == (message, rest, False)


SMUGGLING = [
    b"a\n.\nMAIL", b"a\n.\r\nMAIL", b"a\r\n.\nMAIL", b"a\r.\rMAIL", b"a\r\n.\rMAIL", b"a\r.\r\nMAIL", b"a\r\r\n.\r\nb",
    b"a\n\r\nb", b"a\rb", b"a\nb", b"\n", b"\r\r\n",
    b"a\r.\nMAIL", b"a\rx\nb",
]  # fmt: skip


@pytest.mark.parametrize("data", SMUGGLING)
def test_only_crlf_dot_crlf_ends_and_the_rest_is_noticed(data: bytes) -> None:
    whole = data + b"\r\n.\r\n"
    message, rest, bare = read(whole)
    assert bare
    assert rest == (b"b\r\n.\r\n" if data.endswith(b"\r\n.\r\nb") else b"")
    assert b"MAIL" in message or b"MAIL" not in data
    assert read(*(bytes([b]) for b in whole)) == (message, rest, bare)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\n.\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n"),
        (b"a\rb\r\n.\r\n", b"a b\r\n"),
        (b"a\r\r\nb\r\n.\r\n", b"a \r\nb\r\n"),
        (b"\n\n\r\n.\r\n", b"\r\n\r\n\r\n"),
    ],
)
def test_normalise(data: bytes, message: bytes) -> None:
    assert read(data, normalise=True) == (message, b"", True)
    assert read(*(bytes([b]) for b in data), normalise=True) == (message, b"", True)


PIECES = st.lists(st.sampled_from([b"\r\n", b".", b"\r", b"\n", b"a", b"bc", b"\r\n.", b"\0"]), max_size=30)


def stuffed(message: bytes) -> bytes:
    """RFC 5321 4.5.2 for a message that ends in CRLF, line by line."""
    lines = message.split(b"\r\n")[:-1]
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


@given(PIECES, st.lists(st.integers(0, 200), max_size=6), st.booleans())
def test_any_message_split_anywhere(parts: list[bytes], cuts: list[int], normalise: bool) -> None:
    message = b"".join(parts) + b"\r\n"
    wire = stuffed(message) + b"NOOP\r\n"
    whole = read(wire, normalise=normalise)
    at = sorted({min(cut, len(wire)) for cut in cuts})
    split = [wire[a:b] for a, b in zip([0, *at], [*at, len(wire)], strict=True)]
    assert read(*split, normalise=normalise) == whole
    got, rest, bare = whole
    assert rest == b"NOOP\r\n"
    assert bare == (message.count(b"\r\n") != message.count(b"\n") or message.count(b"\r\n") != message.count(b"\r"))
    if not bare or not normalise:
        assert got == message
    else:
        assert got.count(b"\r\n") == got.count(b"\n") == got.count(b"\r")


def by_the_book(data: bytes) -> tuple[bytes, bytes | None, bool]:
    """RFC 5321 4.5.2 octet by octet: CRLF ends a line, nothing else does."""
    message, line = b"", b""
    for at in range(len(data)):
        line += data[at : at + 1]
        if not line.endswith(b"\r\n"):
            continue
        if line == b".\r\n":
            rest = message.replace(b"\r\n", b"")
            return message, data[at + 1 :], b"\r" in rest or b"\n" in rest
        message += line[1:] if line.startswith(b".") else line
        line = b""
    return message, None, False


def test_every_short_input_is_read_by_the_book() -> None:
    for size in range(6):
        for octets in itertools.product(b"\r\n.a", repeat=size):
            data = bytes(octets) + b"\r\n.\r\nz"
            assert read(data) == read(*(bytes([b]) for b in data)) == by_the_book(data), data


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_chunks_split_anywhere(data: bytes, cuts: list[int]) -> None:
    got: list[bytes] = []
    lines = Lines(got.append, False)
    reader = ChunkReader(lines)
    at = sorted({min(cut, len(data)) for cut in cuts})
    for a, b in zip([0, *at], [*at, len(data)], strict=True):
        reader.left = b - a
        reader.feed(data[a:b])
        assert reader.left == 0
    reader.finish()
    assert b"".join(got) == data
    pairs = data.count(b"\r\n")
    assert lines.bare == (data.count(b"\n") != pairs or data.count(b"\r") != pairs)
