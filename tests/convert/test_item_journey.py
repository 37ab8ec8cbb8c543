"""Items of all kinds through MIME and back: what both sides know is the same, and the mail has no fault of form.

The mail is read by Python's email package with its defects raised, and by mail-parser, which knows neither of us.
"""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gromoxd.convert.charsets import decode_body
from gromoxd.convert.compose import compose
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.itemof import item_of_mime
from gromoxd.convert.rtfbody import html_to_rtf
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.entryids import flat_entries, one_off
from gromoxd.mapi.flags import AttachMethod
from gromoxd.mapi.rtf import compress

mailparser = pytest.importorskip("mailparser")

LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Co", "Cn"])
LINE = st.text(LETTERS, max_size=60).map(lambda text: " ".join(text.split()))
NAME = LINE.filter(bool)
WORD = st.text("abcxyz019", min_size=1, max_size=12)
ADDRESS = st.builds(lambda local, host: f"{local}@{host}.example", WORD, WORD)
TEXT = st.lists(LINE, max_size=6).map("\r\n".join)
PERSON = st.tuples(NAME, ADDRESS)
TIMES = st.integers(116_444_736_000_000_000, 200_000_000_000_000_000).map(lambda time: time // 10**7 * 10**7)


def named(tags: tuple[int, int, int], who: tuple[str, str]) -> Bag:
    return dict(zip(tags, (who[0], who[1], "SMTP"), strict=True))


AUTHOR = (p.PidTagSentRepresentingName, p.PidTagSentRepresentingEmailAddress, p.PidTagSentRepresentingAddressType)
SENDER = (p.PidTagSenderName, p.PidTagSenderEmailAddress, p.PidTagSenderAddressType)
RECIPIENT = (p.PidTagDisplayName, p.PidTagEmailAddress, p.PidTagAddressType)


@st.composite
def bodies(draw: st.DrawFn) -> Bag:
    """None, plain, HTML of several charsets, both, or RTF alone."""
    kind = draw(st.sampled_from(["none", "plain", "html", "both", "rtf"]))
    text = draw(TEXT)
    found: Bag = {}
    if kind in ("plain", "both"):
        found[p.PidTagBody] = text
    if kind in ("html", "both"):
        page, codec = draw(st.sampled_from([(65001, "utf-8"), (1252, "cp1252"), (28592, "iso-8859-2"), (932, "cp932")]))
        inner = text.encode(codec, "xmlcharrefreplace").replace(b"<", b"&lt;").replace(b"\r\n", b"<br>\r\n")
        found |= {p.PidTagHtml: b"<html><body><p>" + inner + b"</p></body></html>", p.PidTagInternetCodepage: page}
    if kind == "rtf":
        html = "<html><body><p>" + re.sub("[<>&]", "", text.replace("\r\n", " ")) + "</p></body></html>"
        found[p.PidTagRtfCompressed] = compress(html_to_rtf(html))
    return found


@st.composite
def attachments(draw: st.DrawFn, depth: int) -> ItemAttachment:
    kind = draw(st.sampled_from(["file", "file", "shown", "object", "message", "link"]))
    name = draw(WORD) + "." + draw(st.sampled_from(["txt", "png", "pdf"]))
    if kind == "message" and depth < 2:
        return ItemAttachment({p.PidTagAttachMethod: 5}, b"", draw(items(depth + 1)))
    tag = draw(st.sampled_from(["text/plain", "image/png", "application/pdf"]))
    name = draw(NAME).strip(".") + name
    props: Bag = {p.PidTagAttachLongFilename: name, p.PidTagAttachMethod: 1, p.PidTagAttachMimeTag: tag}
    if kind == "link":
        return ItemAttachment(props | {
            p.PidTagAttachMethod: int(AttachMethod.afByWebReference),
            p.PidTagAttachLongPathname: f"https://{draw(WORD)}.example/{draw(WORD)}",
        })  # fmt: skip
    if kind == "shown":
        props[p.PidTagAttachContentId] = draw(ADDRESS)
    if kind == "object":
        props[p.PidTagAttachMethod] = 6
    return ItemAttachment(props, draw(st.binary(max_size=300)))


@st.composite
def items(draw: st.DrawFn, depth: int = 0) -> Item:
    author, sender = draw(PERSON), draw(PERSON)
    if draw(st.booleans()) or sender[1] == author[1]:
        sender = author
    props: Bag = {
        p.PidTagMessageClass: "IPM.Note", p.PidTagSubject: draw(LINE), p.PidTagImportance: draw(st.integers(0, 2)),
        p.PidTagSensitivity: draw(st.integers(0, 3)), p.PidTagClientSubmitTime: draw(TIMES),
        p.PidTagInternetMessageId: f"<{draw(ADDRESS)}>",
        **named(AUTHOR, author), **named(SENDER, sender), **draw(bodies()),
    }  # fmt: skip
    if draw(st.booleans()):
        props[p.PidTagReplyRecipientEntries] = flat_entries(
            [one_off(*who) for who in draw(st.lists(PERSON, min_size=1))]
        )
    if draw(st.booleans()):
        ids = draw(st.lists(ADDRESS, min_size=1, max_size=4))
        props |= {p.PidTagInReplyToId: f"<{ids[-1]}>", p.PidTagInternetReferences: " ".join(f"<{one}>" for one in ids)}
    if draw(st.booleans()):
        props |= {p.PidTagReadReceiptRequested: True, p.PidTagExpiryTime: draw(TIMES.filter(bool))}
    people = [named(RECIPIENT, draw(PERSON)) | {p.PidTagRecipientType: kind} for kind in draw(KINDS)]
    return Item(props, people, draw(st.lists(attachments(depth), max_size=3)))


PEOPLE = st.lists(PERSON, min_size=1, max_size=4)
KINDS = st.lists(st.sampled_from([1, 2, 3]), max_size=4)
SAME = (
    p.PidTagSubject, p.PidTagImportance, p.PidTagSensitivity, p.PidTagClientSubmitTime, p.PidTagInternetMessageId,
    p.PidTagInReplyToId, p.PidTagInternetReferences, p.PidTagExpiryTime, *AUTHOR, *SENDER,
)  # fmt: skip


def words(text: str) -> str:
    """Text whose spaces do not count: HTML and RTF have others."""
    return "".join(text.split()).replace("\xa0", "")


def text_of(item: Item) -> str:
    html = item.props.get(p.PidTagHtml)
    if isinstance(html, bytes):
        charsets = {65001: "utf-8", 1252: "cp1252", 28592: "iso-8859-2", 932: "cp932", 20127: "ascii"}
        page = item.props.get(p.PidTagInternetCodepage)
        return decode_body(html, charsets[page if isinstance(page, int) else 65001])
    return str(item.props.get(p.PidTagBody, ""))


def assert_same(before: Item, after: Item) -> None:
    """All that both sides know."""
    for tag in SAME:
        assert after.props.get(tag) == before.props.get(tag) or (
            tag not in before.props and not after.props.get(tag)
        ), hex(tag)
    replies = before.props.get(p.PidTagReplyRecipientEntries)
    assert after.props.get(p.PidTagReplyRecipientEntries) == replies
    who = sorted(before.recipients, key=lambda bag: str(bag[p.PidTagRecipientType]))
    assert [{tag: bag[tag] for tag in (*RECIPIENT, p.PidTagRecipientType)} for bag in after.recipients] == who
    if p.PidTagRtfCompressed not in before.props:
        assert words(text_of(after)) == words(text_of(before))
        if p.PidTagBody in before.props:
            assert after.props.get(p.PidTagBody, "") == before.props[p.PidTagBody]
    assert len(after.attachments) == len(before.attachments)
    for old, new in zip(before.attachments, after.attachments, strict=True):
        assert_same_attachment(old, new)


def assert_same_attachment(old: ItemAttachment, new: ItemAttachment) -> None:
    assert (old.embedded is None) == (new.embedded is None)
    if old.embedded is not None and new.embedded is not None:
        assert_same(old.embedded, new.embedded)
    elif old.props.get(p.PidTagAttachMethod) == AttachMethod.afByWebReference:
        assert str(old.props[p.PidTagAttachLongPathname]).encode() in new.data.replace(b"\r\n", b"")
    else:
        assert new.data == old.data
        for tag in (p.PidTagAttachMimeTag, p.PidTagAttachContentId):
            assert new.props.get(tag) == old.props.get(tag)
        name = re.sub(r'[\\/:*?"<>|\x00-\x1f\x7f]', "_", str(old.props[p.PidTagAttachLongFilename])).strip()
        assert new.props[p.PidTagAttachLongFilename] == name


STRICT = email.policy.SMTP.clone(raise_on_defect=True)


def assert_well_formed(raw: bytes) -> None:
    """ASCII in lines of CRLF of at most 998 octets (RFC 5322 2.1.1, RFC 2045 2.7), without a defect anywhere."""
    bare = raw.replace(b"\r\n", b"")
    assert raw.isascii() and b"\r" not in bare and b"\n" not in bare and b"\0" not in bare
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(raw, policy=STRICT)
    for part in message.walk():
        assert isinstance(part, EmailMessage)
        assert part.defects == []
        for name, value in part.items():
            defects: Any = getattr(value, "defects", ())
            assert not defects, (name, value, defects)


@given(items())
@settings(max_examples=150, deadline=None)
def test_an_item_comes_back(item: Item) -> None:
    raw = compose(item, host="example.test")
    assert compose(item, host="example.test") == raw, "the same item gives the same octets"
    assert_well_formed(raw)
    assert_same(item, item_of_mime(raw, received=0))


@given(items())
@settings(max_examples=60, deadline=None)
def test_mail_parser_sees_it(item: Item) -> None:
    seen = mailparser.parse_from_bytes(compose(item, host="example.test", bcc=False))
    assert words(seen.subject) == words(str(item.props[p.PidTagSubject]))
    assert [address for _, address in seen.from_] == [item.props[p.PidTagSentRepresentingEmailAddress]]
    wanted = [bag[p.PidTagEmailAddress] for bag in item.recipients if bag[p.PidTagRecipientType] == 1]
    assert [address for _, address in seen.to] == wanted
    assert "bcc" not in {name.lower() for name in seen.headers}
