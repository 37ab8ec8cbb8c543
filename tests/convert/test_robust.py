"""Any octets: nothing raises, what comes out follows the grammar, and sections lie within the message."""

from __future__ import annotations

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from gromoxd.convert.addresses import parse_addresses
from gromoxd.convert.bodystructure import body
from gromoxd.convert.dates import parse_date
from gromoxd.convert.digest import digest_message
from gromoxd.convert.headers import decode_header, field_map
from gromoxd.convert.mime import Part, decode_parts
from gromoxd.convert.searchtext import body_text
from gromoxd.convert.sections import header_fields, section
from gromoxd.mapi.bag import check_bag, decode_bag, decode_bags
from tests.convert.grammar import read_body, read_envelope
from tests.convert.samples import ODD

PIECES = [
    b"Content-Type: ", b"multipart/mixed", b"message/rfc822", b"text/plain", b"multipart/digest",
    b"; boundary=b", b'"', b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"--b", b"--b--", b"\r\n--b\r\n",
    b"\r\n--b--\r\n", b"Subject: ", b"From: ", b"To: ", b"Date: ", b"=?utf-8?q?a?=", b"=?", b"a@b", b"<", b">",
    b"(", b")", b",", b";", b":", b"\\", b"\x00", b"\xff", b"\xc3\xa4", b" ", b"\t", b"x", b"*0*=", b"%C3",
    b"Content-Disposition: ", b"attachment; filename=", b"Content-ID: <a>", b"NIL",
    b"Content-Transfer-Encoding: base64\r\n",
]  # fmt: skip
soup = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)), max_size=60).map(b"".join)


def check(raw: bytes) -> None:
    digest = digest_message(raw, received=0)
    read_envelope(digest.envelope)
    read_body(digest.bodystructure)
    root = decode_parts(digest.parts)
    read_body(body(root), extended=False)
    within(root, 0, len(raw))
    for bag in (decode_bag(digest.props), *map(decode_bag, digest.attachments), *decode_bags(digest.recipients)):
        check_bag(bag)
    for text in body_text(raw, digest.parts):
        text.encode()
    assert section(root, (), "ALL") == (0, len(raw))


def within(part: Part, start: int, end: int) -> None:
    assert start <= part.header_offset <= part.body_offset == part.header_offset + part.header_length
    assert part.body_length >= 0
    assert part.body_offset + part.body_length <= end
    for child in part.children:
        within(child, part.body_offset, end)


@settings(max_examples=300, deadline=None)
@given(soup)
def test_soup(raw: bytes) -> None:
    check(raw)


@settings(max_examples=150, deadline=None)
@given(soup, soup)
def test_soup_behind_a_multipart_header(head: bytes, rest: bytes) -> None:
    check(b"Content-Type: multipart/mixed; boundary=b\r\n" + head + b"\r\n\r\n--b\r\n" + rest)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_binary(raw: bytes) -> None:
    check(raw)


@settings(max_examples=300, deadline=None)
@given(soup)
def test_pieces_of_a_header(value: bytes) -> None:
    decode_header(value).encode()
    parse_date(value)
    for address in parse_addresses(value):
        assert (address.host is None) or (address.mailbox is not None)
    field_map(value)
    assert header_fields(value, frozenset((b"FROM", b"TO")), False).endswith(b"\r\n")


def mutated(raw: bytes, rng: random.Random) -> bytes:
    """A few octets changed, ranges cut out, doubled or exchanged."""
    data = bytearray(raw)
    for _ in range(rng.randrange(1, 6)):
        at, stop = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        match rng.randrange(4):
            case 0:
                data[at:at] = rng.choice(PIECES)
            case 1:
                del data[at : min(stop, at + 40)]
            case 2:
                data[at:at] = data[at : min(stop, at + 200)]
            case _:
                data[at : at + 1] = bytes((rng.randrange(256),))
    return bytes(data)


def test_mutations(corpus: dict[str, bytes]) -> None:
    rng = random.Random(2045)
    for raw in corpus.values():
        if len(raw) < 60_000:
            for _ in range(4):
                check(mutated(raw, rng))


def test_time_is_linear_in_size() -> None:
    """Ten times the octets take no more than some thirty times the time, for every oddity repeated."""
    for name, raw in ODD.items():
        small, large = raw * 200, raw * 2000
        base = max(min(seconds(small) for _ in range(3)), 0.002)
        assert min(seconds(large) for _ in range(3)) < base * 30, name


def seconds(raw: bytes) -> float:
    start = time.perf_counter()
    digest_message(raw, received=0)
    return time.perf_counter() - start
