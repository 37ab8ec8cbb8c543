"""BODYSTRUCTURE and BODY by hand, and by the grammar over all corpora."""

from __future__ import annotations

import pytest
from imapclient.response_parser import parse_fetch_response

from gromoxd.convert.bodystructure import body, bodystructure
from gromoxd.convert.digest import digest_message
from gromoxd.convert.mime import Part, decode_parts, scan
from tests.convert.grammar import read_body, read_envelope
from tests.convert.samples import MIXED, ODD

TEXT = b'"text" "plain" ("charset" "us-ascii") NIL NIL "7bit"'


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("empty", b"(" + TEXT + b" 0 0 NIL NIL NIL NIL)"),
        ("no header", b"(" + TEXT + b" 11 1 NIL NIL NIL NIL)"),
        ("multipart without boundary", b"((" + TEXT + b' 6 1 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL)'),
        ("multipart without parts",
         b"((" + TEXT + b' 6 1 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)'),
        ("part without body",
         b'(("text" "plain" ("charset" "us-ascii") "<a>" NIL "7bit" 0 0 NIL NIL NIL NIL)'
         b' "mixed" ("boundary" "b") NIL NIL NIL)'),
        ("digest",
         b'(("message" "rfc822" NIL NIL NIL "7bit" 16 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) (' + TEXT +
         b' 1 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) "digest" ("boundary" "b") NIL NIL NIL)'),
        ("binary type", b"(" + TEXT + b" 0 0 NIL NIL NIL NIL)"),
    ],
)  # fmt: skip
def test_golden(name: str, expected: bytes) -> None:
    assert bodystructure(scan(ODD[name])) == expected


def test_extension_fields() -> None:
    raw = (
        b'Content-Type: application/pdf; name="a\\"b.pdf"\r\nContent-MD5: Q2hl\r\nContent-ID: <i>\r\n'
        b"Content-Description: d\r\nContent-Transfer-Encoding: BASE64\r\nContent-Language: en, de\r\n"
        b"Content-Location: http://x/\r\nContent-Disposition: attachment; filename=x; size=3\r\n\r\nQUJD"
    )
    part = scan(raw)
    single = b'"application" "pdf" ("name" "a\\"b.pdf") "<i>" "d" "base64" 4'
    assert bodystructure(part) == (
        b"(" + single + b' "Q2hl" ("attachment" ("filename" "x" "size" "3")) ("en" "de") "http://x/")'
    )
    assert body(part) == b"(" + single + b")"


def test_non_ascii_parameters_are_rfc_2231() -> None:
    for value in ("filename*=utf-8''%C3%A4%20b.txt", 'filename="ä b.txt"', "filename*=iso-8859-1''%E4%20b.txt"):
        text = bodystructure(scan(f"Content-Disposition: attachment; {value}\r\n\r\n".encode()))
        assert b'("attachment" ("filename*" "utf-8\'\'%C3%A4%20b.txt"))' in text


def test_text_without_charset_gets_the_default_first() -> None:
    text = bodystructure(scan(b"Content-Type: text/html; format=x\r\n\r\n"))
    assert text.startswith(b'("text" "html" ("charset" "us-ascii" "format" "x") ')


def test_message_and_body_form() -> None:
    read = read_body(body(scan(MIXED)), extended=False)
    message = read["children"][1]
    assert message["envelope"]["subject"] == b"inside"
    assert [child["type"] for child in message["children"][0]["children"]] == [b"text", b"application"]
    assert b"boundary" not in body(scan(MIXED))


def same(read: dict[str, object], part: Part) -> None:
    """What the reader read is what the scanner found."""
    assert (read["type"], read["subtype"]) == (part.type.encode(), part.subtype.encode())
    children = read["children"]
    assert isinstance(children, list)
    assert len(children) == len(part.children)
    if part.type != "multipart":
        assert read["octets"] == part.body_length
        assert read["encoding"] == part.encoding.encode()
    if part.type == "text":
        assert read["lines"] == part.lines
    for child, inner in zip(children, part.children, strict=True):
        same(child, inner)


def test_corpora_follow_the_grammar(corpus: dict[str, bytes]) -> None:
    for name, raw in corpus.items():
        digest = digest_message(raw, received=0)
        root = decode_parts(digest.parts)
        assert digest.envelope.isascii(), name
        assert digest.bodystructure.isascii(), name
        read_envelope(digest.envelope)
        same(read_body(digest.bodystructure), root)
        same(read_body(body(root), extended=False), root)


def test_imapclient_reads_the_corpora(corpus: dict[str, bytes]) -> None:
    for name, raw in corpus.items():
        digest = digest_message(raw, received=0)
        line = b"1 (UID 7 ENVELOPE %b BODYSTRUCTURE %b)" % (digest.envelope, digest.bodystructure)
        read = parse_fetch_response([line])[7]
        assert read[b"BODYSTRUCTURE"].is_multipart == (decode_parts(digest.parts).type == "multipart"), name
        assert read[b"ENVELOPE"] is not None
