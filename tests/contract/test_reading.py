"""Contract: pieces, contents and text search."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from tests.contract.mail import digest_of, mail
from tests.contract.worlds import ALL, INBOX, SENT, Mailbox, numbers


@pytest.fixture
def three(box: Mailbox) -> Mailbox:
    for n in (1, 2, 3):
        box.append(mail(n))
    box.expunge([(2, 2)])
    return box


def test_pieces(three: Mailbox) -> None:
    digest = digest_of(mail(3))
    all_of_it = three.call(c.GetPieces(INBOX, [(3, 3)], c.ENVELOPE | c.BODYSTRUCTURE | c.HEADER | c.PARTS))
    header = mail(3)[: digest.header_size]
    assert all_of_it == [c.Piece(3, digest.envelope, digest.bodystructure, header, digest.parts)]
    assert header.endswith(b"\r\n\r\n")
    assert three.call(c.GetPieces(INBOX, ALL, c.HEADER)) == [
        c.Piece(1, header=mail(1)[: digest.header_size]),
        c.Piece(3, header=header),
    ]
    assert three.call(c.GetPieces(INBOX, [(2, 2)], c.ENVELOPE)) == []
    assert three.call(c.GetPieces(INBOX, [(1, 1)], c.ENVELOPE))[0].bodystructure == b""
    assert three.refused(c.GetPieces(0x7777, ALL, c.ENVELOPE)) == Ec.ecNotFound


def test_contents(three: Mailbox) -> None:
    whole = three.call(c.GetContents(INBOX, ALL))
    assert whole == [c.Content(n, len(mail(n)), mail(n)) for n in (1, 3)]
    assert three.call(c.GetContents(SENT, ALL)) == []
    assert three.refused(c.GetContents(0x7777, ALL)) == Ec.ecNotFound


def test_contents_stop_at_the_limit(box: Mailbox) -> None:
    for n in range(1, 11):
        box.append(mail(n, body="x" * 1000))
    size = len(mail(1, body="x" * 1000))
    some = box.call(c.GetContents(INBOX, ALL, 3 * size + 10))
    assert 1 <= len(some) <= 4
    assert [x.uid for x in some] == list(range(1, len(some) + 1))
    assert all(len(x.raw) == x.size for x in some)


def test_content_longer_than_the_limit_is_read_in_pieces(box: Mailbox) -> None:
    raw = mail(1, body="0123456789abcdef" * 100_000)
    uid = box.append(raw).uid
    assert box.call(c.GetContents(INBOX, [(uid, uid)], 1000)) == [c.Content(uid, len(raw), b"")]
    read = b""
    while piece := box.call(c.ReadContent(INBOX, uid, len(read), 1 << 19)):
        read += piece
    assert read == raw
    assert box.call(c.ReadContent(INBOX, uid, 100, 7)) == raw[100:107]
    assert box.call(c.ReadContent(INBOX, uid, len(raw) - 3, 100)) == raw[-3:]
    assert box.call(c.ReadContent(INBOX, uid, len(raw) + 3, 100)) == b""


def test_read_content_refusals(three: Mailbox) -> None:
    assert three.refused(c.ReadContent(INBOX, 2, 0, 10)) == Ec.ecNotFound
    assert three.refused(c.ReadContent(INBOX, 1, -1, 10)) == Ec.ecInvalidParam
    assert three.refused(c.ReadContent(INBOX, 1, 0, (1 << 20) + 1)) == Ec.ecInvalidParam
    assert three.refused(c.ReadContent(INBOX, 1, 0, -1)) == Ec.ecInvalidParam


def test_pieces_are_bounded(box: Mailbox) -> None:
    assert box.call(c.GetPieces(INBOX, ALL, c.ENVELOPE)) == []
    source = box.append(mail(1))
    for _ in range(10):
        box.copy(ALL, INBOX)
    assert box.state().exists == 1024 and source.uid == 1
    assert box.refused(c.GetPieces(INBOX, ALL, c.ENVELOPE)) == Ec.ecInvalidParam
    assert len(box.call(c.GetPieces(INBOX, [(1, 1000)], c.ENVELOPE))) == 1000


QP = (
    b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\r\nCc: carl@example.net\r\n"
    b"X-Tag: one two\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nSch=C3=B6ne Gr=C3=BC=C3=9Fe aus M=\r\n=C3=BCnchen\r\n"
)
MULTI = (
    b"From: m@example.org\r\nSubject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"preamble\r\n--b\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nfirst part words\r\n--b\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nPHA+bmVlZGxlPC9wPg==\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    "where, value, name, found",
    [
        ("from", "jürgen", "", [1]),
        ("from", "@EXAMPLE.ORG", "", [1, 2, 3]),
        ("subject", "GRÜSSE", "", [1]),
        ("subject", "grüße", "", [1]),
        ("to", "alice", "", [3]),
        ("cc", "carl", "", [1]),
        ("bcc", "carl", "", []),
        ("header", "TWO", "x-tag", [1]),
        ("header", "", "X-Tag", [1]),
        ("header", "", "X-None", []),
        ("body", "münchen", "", [1]),
        ("body", "needle", "", [2]),
        ("body", "first PART", "", [2]),
        ("body", "parts", "", []),
        ("text", "parts", "", [2]),
        ("text", "this is body 3", "", [3]),
        ("text", "nowhere to be found", "", []),
    ],
)
def test_search(box: Mailbox, where: str, value: str, name: str, found: list[int]) -> None:
    for raw in (QP, MULTI, mail(3)):
        box.append(raw)
    assert [numbers(r) for r in box.call(c.SearchText(INBOX, ALL, [c.Term(where, value, name)]))] == [found]


def test_search_several_terms_and_restricted_uids(box: Mailbox) -> None:
    for n in range(1, 30):
        box.append(mail(n))
    terms = [c.Term("subject", "message 2"), c.Term("body", "body 7."), c.Term("text", "example")]
    answer = box.call(c.SearchText(INBOX, [(2, 3), (20, 25)], terms))
    assert [numbers(r) for r in answer] == [[2, 20, 21, 22, 23, 24, 25], [], [2, 3, 20, 21, 22, 23, 24, 25]]
    assert box.call(c.SearchText(INBOX, ALL, [])) == []
    assert box.refused(c.SearchText(0x7777, ALL, terms)) == Ec.ecNotFound


def test_search_sees_what_was_just_stored_and_not_what_went(box: Mailbox) -> None:
    box.append(mail(1, body="zebra crossing"))
    assert numbers(box.call(c.SearchText(INBOX, ALL, [c.Term("body", "bra cro")]))[0]) == [1]
    box.append(mail(2, body="another zebra"))
    box.expunge([(1, 1)])
    assert numbers(box.call(c.SearchText(INBOX, ALL, [c.Term("body", "zebra")]))[0]) == [2]
