"""Items out of whole mails, against the standard library's `email` and mail-parser over all corpora."""

from __future__ import annotations

import email
import email.message
import email.policy
import random
import time
from collections.abc import Iterator

import mailparser  # type: ignore[import-untyped]
import pytest

from gromoxd.convert.item import Item
from gromoxd.convert.itemof import item_of_mime
from gromoxd.mapi.bag import check_bag
from gromoxd.mapi.proptags import (
    PidTagBody,
    PidTagHtml,
    PidTagMessageClass,
    PidTagSubject,
    PidTagTransportMessageHeaders,
)
from tests.convert.items import mutated, survive
from tests.convert.samples import MIXED
from tests.hostile.mails import MAILS


def leaves(message: email.message.Message) -> Iterator[email.message.Message]:
    """Not those of attached messages."""
    if message.get_content_maintype() == "multipart":
        payload = message.get_payload()
        for child in payload if isinstance(payload, list) else ():
            assert isinstance(child, email.message.Message)
            yield from leaves(child)
    elif message.get_content_maintype() != "message":
        yield message


def bags(item: Item) -> Iterator[Item]:
    yield item
    for one in item.attachments:
        if one.embedded is not None:
            yield from bags(one.embedded)


def squeezed(text: object) -> str:
    return "".join(str(text).split())


def test_every_message_of_the_corpora(corpus: dict[str, bytes]) -> None:
    compared = 0
    for name, raw in corpus.items():
        item = item_of_mime(raw, received=0)
        for inner in bags(item):
            check_bag(inner.props)
            assert isinstance(inner.props[PidTagMessageClass], str)
        theirs = email.message_from_bytes(raw, policy=email.policy.compat32)
        if any(part.defects for part in theirs.walk()) or item.props[PidTagMessageClass] != "IPM.Note":
            continue
        payloads = []
        for part in leaves(theirs):
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            payloads.append(payload.rstrip(b"\r\n"))
        for one in item.attachments:
            kind = str(one.props.get(0x370E001F, ""))
            if one.embedded is None and not kind.startswith("message/"):
                assert one.data.rstrip(b"\r\n") in payloads, name
                compared += 1
    assert compared > 0


def test_texts_are_those_that_another_parser_finds(corpus: dict[str, bytes]) -> None:
    compared = 0
    for name, raw in corpus.items():
        theirs = email.message_from_bytes(raw, policy=email.policy.default)
        if theirs.is_multipart() or theirs.defects or theirs.get_content_type() != "text/plain":
            continue
        try:
            text = theirs.get_content()
        except (LookupError, ValueError):
            continue
        item = item_of_mime(raw, received=0)
        if "\ufffd" in text or item.attachments or PidTagBody not in item.props:
            continue
        assert squeezed(item.props[PidTagBody]) == squeezed(text), name
        compared += 1
    assert compared > 3


def test_mail_parser_agrees() -> None:
    theirs = mailparser.parse_from_bytes(MIXED)
    item = item_of_mime(MIXED, received=0)
    assert squeezed(item.props[PidTagBody]) == squeezed(theirs.text_plain[0]) == "plain"
    html = item.props[PidTagHtml]
    assert isinstance(html, bytes)
    assert squeezed(html.decode()) == squeezed(theirs.text_html[0])
    assert item.props[PidTagSubject] == theirs.subject == "mixed"
    assert str(item.props[PidTagTransportMessageHeaders]).startswith("From: Alice")


def test_messages_in_messages_end() -> None:
    raw = b"Content-Type: message/rfc822\r\n\r\n" * 60 + b"Subject: deepest\r\n\r\nx"
    depth, item = 0, item_of_mime(raw, received=0)
    while item.attachments and item.attachments[0].embedded is not None:
        depth, item = depth + 1, item.attachments[0].embedded
    assert depth == 20
    assert item.attachments[0].data.startswith(b"Content-Type: message/rfc822")


def test_a_mail_of_100_kb_of_html_takes_less_than_5_ms() -> None:
    row = b'<tr><td class=3D"a">Gr=C3=BC=C3=9Fe und so weiter</td></tr>=\r\n'
    raw = (
        b"Subject: x\r\nFrom: a@b.example\r\nContent-Type: text/html; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + row * (100_000 // len(row))
    )
    best = 1.0
    for _ in range(10):
        start = time.perf_counter()
        item_of_mime(raw, received=0)
        best = min(best, time.perf_counter() - start)
    assert best < 0.005


@pytest.mark.slow
def test_ten_thousand_mutations() -> None:
    """Mail of every kind that the hostile tests know: an item whose values are of their types, always, and soon."""
    chance = random.Random(13)
    mails = [raw for raw in MAILS.values() if raw]
    assert all(survive(_read, mutated(mails[number % len(mails)], chance)) for number in range(10_000))


def _read(raw: bytes) -> Item:
    return item_of_mime(raw, received=1)
