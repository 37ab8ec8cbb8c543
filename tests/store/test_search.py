"""Search on real messages: the fast ways give what decoding everything gives."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from test import test_email  # type: ignore[attr-defined]

from gromoxd.convert.digest import digest_message
from gromoxd.convert.headers import decode_header, unfold_fields
from gromoxd.convert.searchtext import body_text, fold
from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from tests.store.conftest import ALL, INBOX, Harness, mail

DATA = Path(test_email.__file__).parent / "data"
HEAD = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Long: folded\r\n value\r\nMIME-Version: 1.0\r\n"
MADE = [
    HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\nplain needle TEXT\r\n",
    HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\nSch\xc3\xb6n NEEDLE \xef\xbc\xa1\xef\xbc\xa2\r\n",
    HEAD + b"Content-Type: text/html\r\n\r\n<p>n&#101;edle &auml;</p>\r\n",
    HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nbmVlZGxlIHRleHQ=\r\n",
    HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nnee=\r\ndle=20text\r\n",
    HEAD + b"Content-Type: application/octet-stream\r\n\r\nneedle\r\n",
    HEAD + b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$3$s$K$A$O\x1b(B needle\r\n",
    HEAD + b"Content-Type: text/plain; charset=utf-16\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n//5uAGUAZQBkAGwAZQA=\r\n",
    HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\nneedle\r\n--b\r\n\r\nfirst\r\n--b\r\n"
    b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nthe needle inside\r\n--b--\r\n",
    HEAD + b"Content-Type: text/plain\r\n\r\n" + b"large " * 60_000 + b"needle at the end\r\n",
]  # fmt: skip
VALUES = ["needle", "NEEDLE text", "schön", "AB", "ab", "ä", "grüße", "folded value", "folded  value", "inner", "text",
          "subject: gr", "こんに", "\0", "multipart/mixed", "x"]  # fmt: skip


def corpus() -> list[bytes]:
    found = [file.read_bytes() for file in sorted(DATA.glob("msg_*.txt"))]
    assert len(found) > 40
    return MADE + found


def expected(where: str, value: str, raw: bytes) -> bool:
    """By decoding everything."""
    digest = digest_message(raw, received=0)
    wanted = fold(value)
    texts = list(body_text(raw, digest.parts))
    if where == "text":
        fields = unfold_fields(raw[: digest.header_size])
        texts += [f"{name.decode('latin-1')}: {decode_header(text)}" for name, text in fields]
    return any(wanted in fold(text) for text in texts)


@pytest.fixture
def filled(box: Harness) -> Harness:
    for raw in corpus():
        message = c.NewMessage(digest_message(raw, received=0), raw, 1)
        assert isinstance(box.call(c.Append(INBOX, message, b"")), c.Stored)
    return box


def found(box: Harness, *terms: c.Term, uids: c.Ranges = ALL) -> list[list[int]]:
    return [
        [u for a, b in ranges for u in range(a, b + 1)] for ranges in box.call(c.SearchText(INBOX, uids, list(terms)))
    ]


@pytest.mark.parametrize("where", ["body", "text"])
def test_scanning_agrees_with_decoding_everything(filled: Harness, where: str) -> None:
    answers = found(filled, *(c.Term(where, value) for value in VALUES))
    for value, answer in zip(VALUES, answers, strict=True):
        assert (value, answer) == (value, [i for i, raw in enumerate(corpus(), 1) if expected(where, value, raw)])
    assert answers[0][:2] == [1, 2]


def test_headers(filled: Harness) -> None:
    terms = [("subject", "GRÜSSE"), ("x-long", "folded value"), ("X-LONG", ""), ("x-none", ""), ("mime-version", "2")]
    answers = found(filled, *(c.Term("header", value, name) for name, value in terms))
    made = list(range(1, len(MADE) + 1))
    assert answers == [made, made, made, [], []]
    assert found(filled, c.Term("header", "", "Subject")) == [
        [i for i, raw in enumerate(corpus(), 1) if any(n.lower() == b"subject" for n, _ in unfold_fields(raw))
         and b"subject" in {n.lower() for n, _ in unfold_fields(raw[: digest_message(raw, received=0).header_size])}]
    ]  # fmt: skip


def test_keys_and_empty_values(filled: Harness) -> None:
    count = len(corpus())
    everything = list(range(1, count + 1))
    for where in ("from", "to", "cc", "bcc", "subject"):
        assert found(filled, c.Term(where, "")) == [everything]
    assert found(filled, c.Term("subject", "grüsse")) == [list(range(1, len(MADE) + 1))]
    assert found(filled, c.Term("subject", "grü"), c.Term("body", "needle"), uids=[(2, 3), (5, 6)]) == [
        [2, 3, 5, 6], [2, 3, 5],
    ]  # fmt: skip


def test_what_is_refused(box: Harness) -> None:
    box.append(mail(1))
    for terms in ([c.Term("nowhere", "x")], [c.Term("body", "x")] * 257, [c.Term("body", "x" * 70_000)]):
        assert box.refused(c.SearchText(INBOX, ALL, terms)) == Ec.ecInvalidParam
    assert box.refused(c.SearchText(INBOX, [(5, 2)], [c.Term("body", "x")])) == Ec.ecInvalidParam
    assert box.box.is_long(c.SearchText(INBOX, ALL, []))


def test_parts_that_nobody_can_read_do_not_stop_a_search(box: Harness) -> None:
    box.append(mail(1), parts=random.Random(1).randbytes(40))
    box.append(mail(2))
    assert found(box, c.Term("body", "body")) == [[2]]
