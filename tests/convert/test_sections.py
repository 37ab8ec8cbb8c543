"""BODY[section] and HEADER.FIELDS."""

from __future__ import annotations

import pytest

from gromoxd.convert.mime import scan
from gromoxd.convert.sections import find_part, header_fields, section
from tests.convert.samples import MIXED, ODD


def cut(raw: bytes, path: tuple[int, ...], what: str) -> bytes | None:
    found = section(scan(raw), path, what)
    return None if found is None else raw[found[0] : found[0] + found[1]]


INSIDE = b"From: carol@example.test\r\nSubject: inside\r\nContent-Type: multipart/mixed; boundary=deep\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "what", "expected"),
    [
        ((1, 1), "ALL", b"plain"),
        ((1, 1), "MIME", b"\r\n"),
        ((1, 2), "ALL", b"<p>html</p>"),
        ((1, 2), "MIME", b"Content-Type: text/html; charset=utf-8\r\n\r\n"),
        ((2,), "MIME", b"Content-Type: message/rfc822\r\n\r\n"),
        ((2,), "HEADER", INSIDE),
        ((2, 1), "ALL", b"deep text"),
        ((2, 2), "ALL", b"QUJD"),
        ((3,), "ALL", b"iVBO"),
        ((4,), "ALL", None),
        ((0,), "ALL", None),
        ((1, 1, 1), "ALL", None),
        ((2, 3), "ALL", None),
        ((1,), "HEADER", None),
        ((3,), "TEXT", None),
        ((), "MIME", None),
    ],
)
def test_nested(path: tuple[int, ...], what: str, expected: bytes | None) -> None:
    assert cut(MIXED, path, what) == expected


def test_whole_header_text() -> None:
    header, text = cut(MIXED, (), "HEADER"), cut(MIXED, (), "TEXT")
    assert header is not None
    assert text is not None
    assert header.endswith(b'boundary="outer"\r\n\r\n')
    assert header + text == MIXED == cut(MIXED, (), "ALL")
    embedded = cut(MIXED, (2,), "ALL")
    inner_header, inner_text = cut(MIXED, (2,), "HEADER"), cut(MIXED, (2,), "TEXT")
    assert inner_header is not None
    assert inner_text is not None
    assert inner_header + inner_text == embedded


def test_a_message_that_is_no_multipart_is_its_part_one() -> None:
    raw = b"Subject: x\r\n\r\nbody\r\n"
    assert cut(raw, (1,), "ALL") == b"body\r\n"
    assert cut(raw, (1,), "MIME") == b"Subject: x\r\n\r\n"
    assert cut(raw, (2,), "ALL") is None
    assert cut(raw, (1, 1), "ALL") is None


def test_embedded_message_at_the_top_and_not_multipart_inside() -> None:
    raw = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody"
    assert cut(raw, (1,), "ALL") == b"Subject: in\r\n\r\nbody"
    assert cut(raw, (1,), "HEADER") == b"Subject: in\r\n\r\n"
    assert cut(raw, (1, 1), "ALL") == b"body"
    assert cut(raw, (1,), "TEXT") == b"body"


def test_no_separator() -> None:
    for raw in (ODD["no body"], ODD["no line end"]):
        assert cut(raw, (), "HEADER") == raw
        assert cut(raw, (), "TEXT") == b""


def test_empty_message() -> None:
    assert cut(b"", (), "ALL") == cut(b"", (), "TEXT") == cut(b"", (1,), "ALL") == b""


def test_find_part() -> None:
    root = scan(MIXED)
    assert find_part(root, ()) is root
    part = find_part(root, (2, 2))
    assert part is not None
    assert part.filename == "a.pdf"


HEADER = (
    b"Received: one\r\n\tfolded\r\nFrom : a@x\r\nSUBJECT: s\r\nReceived: two\r\nX-From: no\r\nX-Odd line\r\n"
    b"To: b@x,\r\n c@x\r\n\r\n"
)


def names(*wanted: bytes) -> frozenset[bytes]:
    return frozenset(wanted)


def test_header_fields() -> None:
    assert header_fields(HEADER, names(b"SUBJECT", b"FROM"), False) == b"From : a@x\r\nSUBJECT: s\r\n\r\n"
    assert header_fields(HEADER, names(b"RECEIVED"), False) == b"Received: one\r\n\tfolded\r\nReceived: two\r\n\r\n"
    assert header_fields(HEADER, names(b"TO"), False) == b"To: b@x,\r\n c@x\r\n\r\n"
    assert header_fields(HEADER, names(b"BCC"), False) == b"\r\n"
    assert header_fields(HEADER, frozenset(), False) == b"\r\n"
    assert header_fields(b"", names(b"TO"), False) == b"\r\n"


def test_header_fields_not() -> None:
    assert header_fields(HEADER, names(b"RECEIVED", b"TO", b"X-FROM"), True) == (
        b"From : a@x\r\nSUBJECT: s\r\nX-Odd line\r\n\r\n"
    )
    assert header_fields(HEADER, frozenset(), True) == HEADER


def test_header_fields_without_a_last_line_end() -> None:
    assert header_fields(b"A: b\r\nTo: x", names(b"TO"), False) == b"To: x\r\n\r\n"
    assert header_fields(b"To: x\nA: b\n\n", names(b"TO"), False) == b"To: x\n\r\n"


def test_header_fields_of_odd_names() -> None:
    assert header_fields(b"a.b+c: 1\r\naxb+c: 2\r\n\r\n", names(b"A.B+C"), False) == b"a.b+c: 1\r\n\r\n"
    assert header_fields(b"Tox: 1\r\nTo: 2\r\n\r\n", names(b"TO"), False) == b"To: 2\r\n\r\n"


def test_folded_empty_looking_line_is_part_of_its_field() -> None:
    raw = b"To: a\r\n \r\n\tb\r\nCc: c\r\n\r\n"
    assert header_fields(raw, names(b"TO"), False) == b"To: a\r\n \r\n\tb\r\n\r\n"
