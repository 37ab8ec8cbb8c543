"""The scanner: offsets, types, limits."""

from __future__ import annotations

import mmap
import tempfile
import time

import pytest

from gromoxd.convert.mime import MAX_DEPTH, MAX_PARTS, Part, decode_parts, encode, scan
from tests.convert.samples import MIXED, ODD


def shape(part: Part) -> list[object]:
    """[type/subtype, children …]."""
    return [f"{part.type}/{part.subtype}", *map(shape, part.children)]


def walk(part: Part) -> list[Part]:
    return [part, *(found for child in part.children for found in walk(child))]


def body(raw: bytes, part: Part) -> bytes:
    return raw[part.body_offset : part.body_offset + part.body_length]


def header(raw: bytes, part: Part) -> bytes:
    return raw[part.header_offset : part.header_offset + part.header_length]


def test_plain() -> None:
    raw = b"Subject: x\r\n\r\none\r\ntwo\r\n"
    part = scan(raw)
    assert (part.header_offset, part.header_length) == (0, 14)
    assert (part.body_offset, part.body_length, part.lines) == (14, 10, 2)
    assert (part.type, part.subtype, part.params, part.encoding) == ("text", "plain", (), "7bit")
    assert part.charset == "us-ascii"


def test_nested() -> None:
    root = scan(MIXED)
    assert shape(root) == [
        "multipart/mixed",
        ["multipart/alternative", ["text/plain"], ["text/html"]],
        ["message/rfc822", ["multipart/mixed", ["text/plain"], ["application/pdf"]]],
        ["image/png"],
    ]
    alternative, message, image = root.children
    assert [body(MIXED, part) for part in alternative.children] == [b"plain", b"<p>html</p>"]
    assert header(MIXED, alternative.children[0]) == b"\r\n"
    inner = message.children[0]
    assert header(MIXED, inner).startswith(b"From: carol@example.test\r\n")
    assert header(MIXED, inner).endswith(b"boundary=deep\r\n\r\n")
    assert body(MIXED, message) == header(MIXED, inner) + body(MIXED, inner)
    assert message.lines == body(MIXED, message).count(b"\n")
    assert b'"inside"' in message.envelope
    pdf = inner.children[1]
    assert (pdf.filename, pdf.disposition, pdf.encoding, body(MIXED, pdf)) == ("a.pdf", "attachment", "base64", b"QUJD")
    assert (image.id, body(MIXED, image), header(MIXED, image)[-4:]) == ("<i1@x>", b"iVBO", b"\r\n\r\n")


def test_the_line_break_before_a_delimiter_belongs_to_it() -> None:
    """RFC 2046 5.1.1; with LF too, and a part's own trailing empty line stays."""
    for eol in (b"\r\n", b"\n"):
        raw = eol.join((b"Content-Type: multipart/mixed; boundary=b", b"", b"--b", b"", b"x", b"", b"--b--", b""))
        (part,) = scan(raw).children
        assert body(raw, part) == b"x" + eol


def test_lf_only() -> None:
    raw = ODD["lf only"]
    assert [body(raw, part) for part in scan(raw).children] == [b"one", b"two"]


def test_a_header_without_empty_line_is_all_header() -> None:
    part = scan(ODD["no body"])
    assert (part.header_length, part.body_length) == (len(ODD["no body"]), 0)


def test_multiparts_are_never_empty() -> None:
    for name, expected in (
        ("multipart without boundary", b"text\r\n"),
        ("multipart without parts", b"text\r\n"),
        ("multipart of nothing", b"--b--\r\n"),
    ):
        root = scan(ODD[name])
        (child,) = root.children
        assert (child.type, child.subtype, child.header_length) == ("text", "plain", 0)
        assert body(ODD[name], child) == expected


def test_no_closing_delimiter() -> None:
    raw = ODD["no closing delimiter"]
    assert [body(raw, part) for part in scan(raw).children] == [b"one", b"two\r\n"]


def test_a_part_whose_empty_line_is_the_delimiters() -> None:
    raw = ODD["part without body"]
    (part,) = scan(raw).children
    assert header(raw, part) == b"Content-ID: <a>\r\n\r\n"
    assert (part.body_length, part.id) == (0, "<a>")


def test_a_part_with_an_empty_body_of_its_own() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-ID: <a>\r\n\r\n\r\n--b--\r\n"
    (part,) = scan(raw).children
    assert (header(raw, part), part.body_length) == (b"Content-ID: <a>\r\n\r\n", 0)


def test_delimiter_lines_are_whole_lines() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=ab\r\n\r\n--ab \t\r\n\r\n--abc\r\nx --ab\r\n--ab-\r\n"
        b"--ab\r\n\r\ny\r\n--ab--  \r\n--ab\r\n\r\nepilogue"
    )
    assert [body(raw, part) for part in scan(raw).children] == [b"--abc\r\nx --ab\r\n--ab-", b"y"]


def test_similar_boundaries() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n"
        b"--b1\r\n\r\nx\r\n--b1--\r\n--b--\r\n"
    )
    assert shape(scan(raw)) == ["multipart/mixed", ["multipart/mixed", ["text/plain"]]]


def test_adjacent_delimiter_lines_are_one() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n\r\nx\r\n--b--\r\n"
    assert [body(raw, part) for part in scan(raw).children] == [b"x"]


def test_digest_defaults_to_messages() -> None:
    assert shape(scan(ODD["digest"])) == ["multipart/digest", ["message/rfc822", ["text/plain"]]]


def test_message_global_is_a_message() -> None:
    raw = b"Content-Type: message/global\r\n\r\nSubject: x\r\n\r\ny"
    assert shape(scan(raw)) == ["message/global", ["text/plain"]]


def test_an_encoded_message_is_not_looked_into() -> None:
    raw = ODD["base64 message"]
    root = scan(raw)
    assert shape(root) == ["message/rfc822", ["text/plain"]]
    assert root.envelope == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    assert root.children[0].body_length == root.body_length


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"text/HTML; Charset=UTF-8", ("text", "html", (("charset", "UTF-8"),))),
        (b"text", ("text", "plain", ())),
        (b"/plain", ("text", "plain", ())),
        (b"text/plain/x", ("text", "plain", ())),
        (b"", ("text", "plain", ())),
        (b"text/plain; charset=us-ascii (Plain text)", ("text", "plain", (("charset", "us-ascii"),))),
        (b'text/plain; name="a;b\\"c"; x=1', ("text", "plain", (("name", 'a;b"c'), ("x", "1")))),
        (b"text/plain; name=my file.txt; x = y", ("text", "plain", (("name", "my file.txt"), ("x", "y")))),
        (b'text/plain; name="open', ("text", "plain", (("name", "open"),))),
        (b"text/plain; name*=utf-8''%E2%82%AC%20x", ("text", "plain", (("name", "€ x"),))),
        (b"text/plain; name*1*=%AC; name*0*=utf-8'de'%E2%82; name=x", ("text", "plain", (("name", "€"),))),
        (b"text/plain; name*0=a; name*1=b; name*3=d", ("text", "plain", (("name", "ab"),))),
        (b"text/plain; name*1=b", ("text", "plain", ())),
        (b"text/plain; name=caf\xe9", ("text", "plain", (("name", "café"),))),
    ],
)
def test_content_type(value: bytes, expected: tuple[object, ...]) -> None:
    part = scan(b"Content-Type: " + value + b"\r\n\r\n")
    assert (part.type, part.subtype, part.params) == expected


def test_other_fields() -> None:
    part = scan(
        b"Content-Type: text/plain\r\nContent-Disposition: INLINE; filename*=iso-8859-1''%e9\r\n"
        b"Content-Language: en, de-AT (x)\r\nContent-Location: http://x/\r\nContent-MD5: Q2hlY2s=\r\n"
        b"Content-Transfer-Encoding: Quoted-Printable (x)\r\nContent-Description: d\r\n\r\n"
    )
    assert (part.disposition, part.disposition_params) == ("inline", (("filename", "é"),))
    assert (part.language, part.location, part.md5) == (("en", "de-AT"), "http://x/", "Q2hlY2s=")
    assert (part.encoding, part.description, part.filename) == ("quoted-printable", "d", "é")


def test_encode_round_trip() -> None:
    root = scan(MIXED)
    assert decode_parts(encode(root)) == root


def test_maps_and_views_give_the_same() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(MIXED)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert scan(mapped) == scan(MIXED) == scan(memoryview(MIXED)) == scan(bytearray(MIXED))


def seconds(raw: bytes) -> float:
    start = time.perf_counter()
    scan(raw)
    return time.perf_counter() - start


def test_ten_thousand_parts() -> None:
    """RFC says nothing; we stop at MAX_PARTS, the rest being the last part's text."""
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_000 + b"--b--\r\n"
    root = scan(raw)
    assert len(root.children) == MAX_PARTS
    last = root.children[-1]
    assert last.body_offset + last.body_length == len(raw)
    assert seconds(raw) < 0.5


def test_ten_thousand_parts_in_a_nested_multipart() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=i\r\n\r\n" + b"--i\r\n\r\nx\r\n" * 10_000 + b"--i--"
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + inner + b"\r\n--b\r\n\r\nlast\r\n--b--\r\n"
    root = scan(raw)
    assert len(walk(root)) <= MAX_PARTS + 3
    last = root.children[-1]
    assert body(raw, last) == b"\r\nlast\r\n--b--\r\n"


def test_depth_is_bounded() -> None:
    raw = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(1000))
    assert len(walk(scan(raw))) == MAX_DEPTH + 2
    raw = b"Content-Type: message/rfc822\r\n\r\n" * 1000
    parts = walk(scan(raw))
    assert len(parts) == MAX_DEPTH + 1
    assert (parts[-1].type, parts[-1].subtype) == ("application", "octet-stream")


def test_deep_nesting_of_large_bodies_is_linear() -> None:
    """Each level looks at the innermost octets again: the budget ends that."""
    head = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(50))
    small, large = head + b"\r\n" + b"x\r\n" * 100_000, head + b"\r\n" + b"x\r\n" * 2_000_000
    assert len(walk(scan(large))) < MAX_DEPTH
    base = max(min(seconds(small) for _ in range(3)), 0.001)
    assert min(seconds(large) for _ in range(3)) < base * 20 * 6


MIXED_B = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"X: " + b"y" * 1_000_000 + b"\r\n\r\nbody",
        b"X: y\r\n" * 200_000 + b"\r\nbody",
        b"X: y\r\n z\r\n" * 100_000 + b"\r\nbody",
        b"Content-Type: text/plain" + b"; a=b" * 200_000 + b"\r\n\r\nbody",
        b"Content-Type: text/plain; x=" + b'"\\' * 200_000 + b"\r\n\r\nbody",
        b"Content-Type: text/plain; " + b"a*0=b; " * 100_000 + b"\r\n\r\nbody",
        MIXED_B + (b"--b\r\nContent-Type: a/b" + b"; a=b" * 64 + b"\r\n\r\n\r\n") * 1000,
        MIXED_B + (b"--b\r\nContent-Type: a/b" + b"; a*0*=''%41" * 64 + b"\r\n\r\n\r\n") * 1000,
        MIXED_B + (b"--b\r\n" + b"X:\r\nY%d:\r\n" % 7 * 80 + b"\r\n\r\n") * 1000,
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"\r\n--ab" * 200_000,
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"\r\n--a" * 200_000,
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"\n--a--" * 200_000,
    ],
    ids=[
        "long line", "fields", "folds", "params", "quotes", "sections", "params of parts", "sections of parts",
        "fields of parts", "near delimiters", "delimiters", "ends",
    ],
)  # fmt: skip
def test_bombs_cost_little(raw: bytes) -> None:
    assert seconds(raw) < 0.5
    assert len(encode(scan(raw))) < 200_000


def test_kept_text_is_bounded() -> None:
    part = b"--b\r\nContent-Type: text/plain; name=%b\r\nContent-Description: %b\r\n\r\n\r\n"
    part %= (b"n" * 1500, b"d" * 1500)
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 900 + b"--b--\r\n"
    assert len(encode(scan(raw))) < 600_000
