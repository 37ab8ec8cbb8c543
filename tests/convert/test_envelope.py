"""ENVELOPE by hand, by the grammar, and as IMAPClient reads it."""

from __future__ import annotations

import pytest
from imapclient.response_parser import parse_fetch_response

from gromoxd.convert.envelope import EMPTY, envelope
from gromoxd.convert.headers import decode_header, field_map
from gromoxd.convert.imapstring import nstring, quoted
from tests.convert.grammar import GrammarError, read_body, read_envelope


def of(header: bytes) -> bytes:
    return envelope(field_map(header))


def test_golden() -> None:
    header = (
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n"
        b"Subject: IMAP4rev2 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
        b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\nMessage-Id: <B27397-0100000@cac>\r\n\r\n"
    )
    assert of(header) == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" '
        b'(("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) '
        b'(("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) '
        b'((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL '
        b'"<B27397-0100000@cac>")'
    )


def test_no_fields() -> None:
    assert of(b"\r\n") == EMPTY
    assert read_envelope(EMPTY)["subject"] is None


def test_present_but_empty_is_an_empty_string() -> None:
    """RFC 9051 7.5.2: absent is NIL, empty is "" for the text fields; an address list cannot be empty."""
    read = read_envelope(of(b"Subject:\r\nDate: \r\nTo:\r\nFrom: ,\r\nIn-Reply-To:\r\nMessage-ID:\r\n\r\n"))
    assert (read["subject"], read["date"], read["in-reply-to"], read["message-id"]) == (b"", b"", b"", b"")
    assert (read["to"], read["from"], read["sender"]) == (None, None, None)


def test_sender_and_reply_to_default_to_from() -> None:
    read = read_envelope(of(b"From: a@x\r\nSender: ,\r\nReply-To: b@x, c@x\r\n\r\n"))
    assert read["sender"] == read["from"] == [(None, None, b"a", b"x")]
    assert read["reply-to"] == [(None, None, b"b", b"x"), (None, None, b"c", b"x")]


def test_groups_and_missing_hosts() -> None:
    read = read_envelope(of(b"To: Team: a@x, root;, undisclosed:;\r\nCc: Name only\r\n\r\n"))
    assert read["to"] == [
        (None, None, b"Team", None), (None, None, b"a", b"x"), (None, None, b"root", b""), (None, None, None, None),
        (None, None, b"undisclosed", None), (None, None, None, None),
    ]  # fmt: skip
    assert read["cc"] == [(b"Name only", None, b"", b"")]


def test_folding_and_tabs_become_spaces() -> None:
    assert read_envelope(of(b"Subject: a\r\n b\r\n\tc\td\r\n\r\n"))["subject"] == b"a b c d"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, b"NIL"),
        (b"", b'""'),
        (b"NIL", b'"NIL"'),
        (b'a "b" \\c', b'"a \\"b\\" \\\\c"'),
        (b"a\x00b\r\nc\rd\ne", b'"ab c d e"'),
        ("grün ist".encode(), b'"=?utf-8?B?Z3LDvG4=?= ist"'),
        (b"gr\xfcn", b'"=?utf-8?B?Z3LDvG4=?="'),
        (b"a{3}\t\x01\x7f", b'"a{3}\t\x01\x7f"'),
    ],
)
def test_nstring(text: bytes | None, expected: bytes) -> None:
    assert nstring(text) == expected


@pytest.mark.parametrize(
    "text", ["ä", "a ä b ö c", "ä" * 300, "€uro " * 50, "x" * 100 + " 😀" * 40, 'say "ä" \\ ö', "mixed ä plain"]
)
def test_eight_bit_text_survives_as_rfc_2047(text: str) -> None:
    out = quoted(text.encode())
    assert out.isascii()
    inner = out[1:-1].replace(b'\\"', b'"').replace(b"\\\\", b"\\")
    assert decode_header(inner) == text
    assert all(len(word) <= 75 for word in inner.split(b" ") if word.startswith(b"=?"))


def test_eight_bit_beside_encoded_words() -> None:
    """The space between an encoded word and 8-bit text must not get lost (RFC 2047 6.2)."""
    out = quoted(b"=?utf-8?q?=C3=A4?= \xc3\xb6 x")
    assert decode_header(out[1:-1]) == "ä ö x"


def test_internationalized_addresses_are_ascii() -> None:
    read = read_envelope(of("From: Jörg <jörg@bücher.example>\r\nTo: x@\xff\xfe.example\r\n\r\n".encode()))
    assert read["from"] == [(b"=?utf-8?B?SsO2cmc=?=", None, b"=?utf-8?B?asO2cmc=?=", b"xn--bcher-kva.example")]


def test_grammar_reader_is_strict() -> None:
    for text in (
        b'("a" "b" () NIL NIL NIL NIL NIL NIL NIL)', b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL)", EMPTY + b" ",
        b'("\xc3\xa4" NIL NIL NIL NIL NIL NIL NIL NIL NIL)', b'("a\\b" NIL NIL NIL NIL NIL NIL NIL NIL NIL)',
        b'(NIL NIL ((NIL NIL "g" NIL)) NIL NIL NIL NIL NIL NIL NIL)', b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL  NIL)",
    ):  # fmt: skip
        with pytest.raises(GrammarError):
            read_envelope(text)
    for text in (b'("mixed" NIL NIL NIL NIL)', b'( "mixed")', b'("text" "plain" () NIL NIL "7bit" 1 1)'):
        with pytest.raises(GrammarError):
            read_body(text, extended=False)


def test_imapclient_reads_it() -> None:
    header = b'Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nFrom: "a, b" <a@x>\r\n'
    header += b'Subject: q"\\uote\r\nTo: g: c@y;\r\n\r\n'
    answer = parse_fetch_response([b"1 (UID 7 ENVELOPE " + of(header) + b")"])
    read = answer[7][b"ENVELOPE"]
    assert read.subject == b'q"\\uote'
    assert str(read.from_[0]) == '"a, b" <a@x>'
    assert read.date.year == 2023
