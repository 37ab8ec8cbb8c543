"""The framer: lines and literals, whole, byte by byte, refused, too long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.imap.wire.framing import Command, Framer, LiteralAsked, TooLong, tag_of


def run(chunks: list[bytes], limit: int = 100, take: int = 50) -> list[object]:
    """Events of a framer; literals up to `take` octets are accepted. Commands as lists of their parts."""
    framer, out = Framer(limit), []
    for chunk in chunks:
        framer.feed(chunk)
        while (event := framer.next()) is not None:
            if isinstance(event, Command):
                out.append(("refused", *event.parts) if event.refused else tuple(event.parts))
            elif isinstance(event, LiteralAsked):
                out.append(f"{'sync' if event.sync else 'plus'} {event.size}")
                if framer.fits and event.size <= take:
                    framer.accept()
                else:
                    framer.refuse()
            else:
                out.append(event.start)
    return out


def test_lines() -> None:
    assert run([b"a NOOP\r\nb NOOP\n", b"c N", b"OOP\r\n"]) == [(b"a NOOP",), (b"b NOOP",), (b"c NOOP",)]


def test_literals() -> None:
    assert run([b"a X {3}\r\nb c d {0+}\r\n\r\n"]) == ["sync 3", "plus 0", (b"a X ", b"b c", b" d ", b"", b"")]
    assert run([b"a X {2+}\r\n\r\n\r\n"]) == ["plus 2", (b"a X ", b"\r\n", b"")]


def test_what_only_looks_like_a_literal() -> None:
    for end in (b"{-1}", b"{}", b"{1+1}", b"{ 1}", b"{1}x", b"{999999999999999999999999}"):
        assert run([b"a X " + end + b"\r\n"]) == [(b"a X " + end,)]


def test_a_refused_literal_is_skipped_with_its_command() -> None:
    data = b"a X {60+}\r\n" + b"b LOGOUT\r\n" * 6 + b" more {4+}\r\nc Y\n end\r\nd NOOP\r\n"
    assert len(b"b LOGOUT\r\n" * 6) == 60
    assert run([data]) == ["plus 60", ("refused", b"a X ", b" end"), (b"d NOOP",)]
    assert run([bytes([c]) for c in data]) == ["plus 60", ("refused", b"a X ", b" end"), (b"d NOOP",)]


def test_a_refused_synchronizing_literal_ends_the_command() -> None:
    assert run([b"a X {60}\r\nb NOOP\r\n"]) == ["sync 60", (b"b NOOP",)]


def test_long_lines() -> None:
    assert run([b"a " + b"x" * 200, b"y" * 500 + b"\r\nb NOOP\r\n"]) == [b"a " + b"x" * 78, (b"b NOOP",)]
    assert run([b"a " + b"x" * 200 + b"\r\nb NOOP\r\n"]) == [b"a " + b"x" * 78, (b"b NOOP",)]
    assert run([b"a " + b"x" * 98 + b"\r\n"]) == [(b"a " + b"x" * 98,)]
    # literals in memory count towards the length of their command
    assert run([b"a {40+}\r\n" + b"x" * 40 + b" {40+}\r\n" + b"y" * 40 + b" {40+}\r\n" + b"z" * 40 + b"\r\n"])[-1] == (
        "refused", b"a ", b"x" * 40, b" ", b"y" * 40, b" ", b"",
    )  # fmt: skip


def test_raw_lines_are_read_without_the_grammar() -> None:
    framer = Framer(20)
    framer.feed(b"abc {3}\r\nDO")
    assert framer.line() == b"abc {3}"
    assert framer.line() is None
    framer.feed(b"NE\r\nx NOOP\r\n")
    assert framer.line() == b"DONE"
    assert framer.next() == Command([b"x NOOP"])
    framer.feed(b"y" * 50)
    assert framer.line() == b"y" * 21
    framer.feed(b"yy\r\nz NOOP\r\n")
    assert framer.next() == Command([b"z NOOP"])


def test_nothing_is_kept_when_nothing_waits() -> None:
    framer = Framer(1000)
    framer.feed(b"a NOOP\r\n" * 50)
    while framer.next():
        pass
    assert framer.idle
    assert not framer.waiting
    assert framer._buf == b""


def test_tags() -> None:
    assert tag_of(b"a1 LOGIN") == b"a1"
    assert tag_of(b"a1") == b"a1"
    assert tag_of(b"{1}") == b"*"
    assert tag_of(b"x" * 200) == b"*"


WORDS = st.sampled_from([b"a NOOP", b"{3+}", b"{3}", b"{0+}", b"{70+}", b"\r\n", b"\n", b"abc", b" ", b"x" * 60, b"{"])


@given(st.lists(WORDS, max_size=14).map(b"".join), st.lists(st.integers(1, 9), max_size=8))
def test_cuts_make_no_difference(data: bytes, cuts: list[int]) -> None:
    chunks, at = [], 0
    for cut in cuts:
        chunks.append(data[at : at + cut])
        at += cut
    chunks.append(data[at:])
    whole, pieces, single = run([data]), run([c for c in chunks if c]), run([bytes([c]) for c in data])
    assert whole == pieces == single


def test_too_long_is_an_event() -> None:
    framer = Framer(10)
    framer.feed(b"a 0123456789012")
    assert isinstance(framer.next(), TooLong)
    assert framer.next() is None
