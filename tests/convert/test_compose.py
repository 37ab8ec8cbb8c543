"""The RFC 5322 form of messages that MAPI clients make: exact octets, rules of the RFCs, and reading it back."""

from __future__ import annotations

import email
import email.policy
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gromoxd.convert import headerlines as h
from gromoxd.convert.compose import MAX_DEPTH, compose
from gromoxd.convert.digest import digest_message
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.itemof import item_of_mime
from gromoxd.convert.mime import decode_parts
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, decode_bag, decode_bags
from gromoxd.mapi.entryids import flat_entries, one_off
from gromoxd.mapi.named import PS_INTERNET_HEADERS, PropertyName
from gromoxd.mapi.named_tags import PidNameXCallId
from gromoxd.mapi.times import filetime
from gromoxd.mapi.types import PropType

HOST = "example.test"
NAMED: Bag = {p.PidTagSenderName: "Anna Example", p.PidTagSenderEmailAddress: "anna@example.org"}


def person(name: str, address: str, kind: int = 1) -> Bag:
    return {p.PidTagRecipientType: kind, p.PidTagDisplayName: name, p.PidTagEmailAddress: address,
            p.PidTagAddressType: "SMTP"}  # fmt: skip


def file(name: str, data: bytes, tag: str = "application/octet-stream", cid: str = "") -> ItemAttachment:
    props: Bag = {p.PidTagAttachLongFilename: name, p.PidTagAttachMimeTag: tag, p.PidTagAttachContentId: cid}
    return ItemAttachment(props, data)


def made(props: Bag, recipients: list[Bag] | None = None, attachments: list[ItemAttachment] | None = None,
         **more: Any) -> bytes:  # fmt: skip
    return compose(Item(props, recipients or [], attachments or []), host=HOST, **more)


def field(raw: bytes, name: str) -> str | None:
    value = email.message_from_bytes(raw, policy=email.policy.default)[name]
    return None if value is None else str(value)


# ------------------------------------------------------------------------------------------ exact octets


def test_a_plain_message_octet_by_octet() -> None:
    sent = filetime(1_795_511_759)
    raw = made(
        NAMED | {p.PidTagSubject: "Hello", p.PidTagBody: "Line one\nline two\n", p.PidTagClientSubmitTime: sent,
                 p.PidTagInternetMessageId: "<1@example.org>"},
        [person("Carl", "carl@example.net"), person("dora@example.com", "dora@example.com", 2)],
    )  # fmt: skip
    assert raw == (
        b"Date: Tue, 24 Nov 2026 09:15:59 +0000\r\nFrom: Anna Example <anna@example.org>\r\n"
        b"To: Carl <carl@example.net>\r\nCc: dora@example.com\r\nSubject: Hello\r\nMessage-ID: <1@example.org>\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: text/plain; charset="us-ascii"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n\r\nLine one\r\nline two\r\n"
    )


def test_the_structure_follows_the_content() -> None:
    html = b'<html><body><img src="cid:logo"></body></html>'
    raw = made(
        NAMED | {p.PidTagBody: "text", p.PidTagHtml: html},
        [],
        [file("logo.png", b"png", "image/png", cid="logo"), file("a.bin", b"\0\1")],
    )
    types = [part.get_content_type() for part in email.message_from_bytes(raw).walk()]
    assert types == ["multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html",
                     "image/png", "application/octet-stream"]  # fmt: skip
    assert b"Content-ID: <logo>\r\n" in raw


def test_html_alone_gets_its_text() -> None:
    raw = made({p.PidTagHtml: "<p>Grüße &amp; mehr</p>".encode("cp1252"), p.PidTagInternetCodepage: 1252})
    parts = [part for part in email.message_from_bytes(raw).walk() if not part.is_multipart()]
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert parts[0].get_content_charset() == "windows-1252"
    assert parts[0].get_payload(decode=True) == "Grüße & mehr".encode("cp1252")
    assert parts[1].get_content_charset() == "windows-1252"
    assert parts[1].get_payload(decode=True) == "<p>Grüße &amp; mehr</p>".encode("cp1252")


def test_the_same_message_gives_the_same_octets() -> None:
    props = NAMED | {p.PidTagSubject: "x", p.PidTagHtml: b"<p>x</p>"}
    assert made(props, [], [file("a", b"1")]) == made(props, [], [file("a", b"1")])
    first, second = made(props), made(props | {p.PidTagSubject: "y"})
    assert field(first, "Message-ID") != field(second, "Message-ID")
    assert re.fullmatch(r"<[0-9a-f]{30}@example\.test>", field(first, "Message-ID") or "")


def test_a_boundary_is_in_no_part() -> None:
    plain = made(NAMED | {p.PidTagBody: "x"}, [], [file("a", b"1")])
    boundary = decode_parts(digest_message(plain, received=0).parts).param("boundary") or ""
    body = f"x\r\n--{boundary}\r\n--{boundary}--"
    raw = made(NAMED | {p.PidTagBody: body}, [], [file("a", b"1")])
    assert item_of_mime(raw, received=0).props[p.PidTagBody] == body


# ------------------------------------------------------------------------------------------ fields


@pytest.mark.parametrize(
    ("props", "name", "value"),
    [
        ({p.PidTagImportance: 2}, "Importance", "High"),
        ({p.PidTagImportance: 0}, "X-Priority", "5"),
        ({p.PidTagImportance: 1}, "Importance", None),
        ({p.PidTagSensitivity: 2}, "Sensitivity", "Private"),
        ({p.PidTagSensitivity: 0}, "Sensitivity", None),
        ({p.PidTagInReplyToId: "<a@b>"}, "In-Reply-To", "<a@b>"),
        ({p.PidTagInternetReferences: "<a@b> <c@d>"}, "References", "<a@b> <c@d>"),
        ({p.PidTagConversationTopic: "Topic"}, "Thread-Topic", "Topic"),
        ({p.PidTagConversationIndex: b"\1" + bytes(21)}, "Thread-Index", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
        ({p.PidTagReadReceiptRequested: True}, "Disposition-Notification-To", "Anna Example <anna@example.org>"),
        ({p.PidTagSubjectPrefix: "RE: ", p.PidTagNormalizedSubject: "x"}, "Subject", "RE: x"),
        ({p.PidTagSubject: "two\r\nBcc: evil@example.org"}, "Bcc", None),
    ],
)
def test_properties_become_fields(props: Bag, name: str, value: str | None) -> None:
    assert field(made(NAMED | props), name) == value


def test_who_sends_for_another_is_named() -> None:
    raw = made(NAMED | {p.PidTagSentRepresentingName: "Boss", p.PidTagSentRepresentingEmailAddress: "boss@example.org"})
    assert field(raw, "From") == "Boss <boss@example.org>"
    assert field(raw, "Sender") == "Anna Example <anna@example.org>"
    same = made(NAMED | {p.PidTagSentRepresentingEmailAddress: "ANNA@example.org"})
    assert field(same, "Sender") is None


def test_an_address_of_another_kind_is_encapsulated() -> None:
    """[MS-OXCMAIL] 2.1.3.1.8."""
    raw = made({}, [person("Chef", "/O=ORG/CN=Chef (1)") | {p.PidTagAddressType: "EX"}])
    assert field(raw, "To") == "Chef <IMCEAEX-_O=ORG_CN=Chef+20+281+29@example.test>"
    known = made({}, [person("Chef", "/O=ORG/CN=C") | {p.PidTagAddressType: "EX", p.PidTagSmtpAddress: "c@d.org"}])
    assert field(known, "To") == "Chef <c@d.org>"


def test_replies_go_where_the_entries_say() -> None:
    entries = flat_entries([one_off("Support", "support@example.org"), one_off("x", "/o=x", "EX")])
    raw = made(NAMED | {p.PidTagReplyRecipientEntries: entries, p.PidTagReplyRecipientNames: "Support; x"})
    assert field(raw, "Reply-To") == "Support <support@example.org>, x <IMCEAEX-_o=x@example.test>"
    back = decode_bag(digest_message(raw, received=0).props)
    assert field(made(NAMED | back), "Reply-To") == field(raw, "Reply-To")
    assert field(made(NAMED | {p.PidTagReplyRecipientEntries: entries[:-1]}), "Reply-To") is None


def test_bcc_is_kept_unless_it_must_go() -> None:
    hidden = [person("Secret", "secret@example.org", 3)]
    assert field(made(NAMED, hidden), "Bcc") == "Secret <secret@example.org>"
    assert b"ecret" not in made(NAMED, hidden, bcc=False)


def test_recipients_who_have_it_already_are_left_out() -> None:
    assert field(made({}, [person("x", "x@example.org", 0x10000001)]), "To") is None


def test_further_fields() -> None:
    """[MS-OXCMAIL] 2.1.3.7: only extensions, whatever the name of the property says."""
    item = Item()
    for number, name in enumerate(("X-Note", "Received", "x y", "X-Call")):
        id_ = item.foreign_id(PropertyName(PS_INTERNET_HEADERS, name))
        item.props[id_ << 16 | PropType.PtypString] = f"{number} grün"
    item.props[PidNameXCallId] = "17"
    raw = compose(item, host=HOST)
    assert field(raw, "X-Note") == "0 grün" and field(raw, "X-Call") == "3 grün" and field(raw, "X-CallID") == "17"
    assert b"Received" not in raw and b"x y" not in raw


# ------------------------------------------------------------------------------------------ attachments


def test_an_embedded_message_keeps_all_it_has() -> None:
    inner = Item(
        {p.PidTagSubject: "Inner ü", p.PidTagBody: "inner text"}, [person("C", "c@example.org")], [file("d.bin", b"d")]
    )
    raw = made(NAMED | {p.PidTagSubject: "Outer"}, [], [ItemAttachment({}, b"", inner)])
    attachment = item_of_mime(raw, received=0).attachments[0]
    props, embedded = attachment.props, attachment.embedded
    assert props[p.PidTagAttachMethod] == 5 and props[p.PidTagDisplayName] == "Inner ü"
    assert embedded is not None
    assert embedded.props[p.PidTagSubject] == "Inner ü" and embedded.props[p.PidTagBody] == "inner text"
    assert embedded.recipients[0][p.PidTagEmailAddress] == "c@example.org"
    assert embedded.attachments[0].data == b"d"


def test_messages_nested_too_deep_are_left_out() -> None:
    message = Item({p.PidTagSubject: "deepest"})
    for level in range(MAX_DEPTH + 5):
        message = Item({p.PidTagSubject: str(level)}, [], [ItemAttachment({}, b"", message)])
    raw = made({}, [], [ItemAttachment({}, b"", message)])
    assert raw.count(b"message/rfc822") == MAX_DEPTH and b"deepest" not in raw


def test_a_signed_message_is_its_attachment() -> None:
    """[MS-OXOSMIME] 2.1.2."""
    entity = (
        b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nsigned\r\n"
        b"--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nx\r\n--b--\r\n"
    )
    props: Bag = {p.PidTagMessageClass: "IPM.Note.SMIME.MultipartSigned", p.PidTagSubject: "s"}
    raw = made(props, [], [file("smime.p7m", entity, "multipart/signed")])
    assert raw.endswith(b"MIME-Version: 1.0\r\n" + entity)
    assert decode_bag(digest_message(raw, received=0).props)[p.PidTagMessageClass] == "IPM.Note.SMIME.MultipartSigned"


@pytest.mark.parametrize("tag", ["text", "a/b/c", "text/plain\r\nX: y", "message/rfc822", "multipart/mixed", "ü/x"])
def test_what_is_no_media_type_is_octets(tag: str) -> None:
    raw = made({}, [], [file("a", b"1", tag)])
    parts = [part.get_content_type() for part in email.message_from_bytes(raw).walk()]
    assert parts == ["multipart/mixed", "text/plain", "application/octet-stream"]


# ------------------------------------------------------------------------------------------ it reads back

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200)
WORD = st.text("abcXYZ0189-_.", min_size=1, max_size=20)
ADDRESS = st.builds(lambda local, host: f"{local.strip('.').replace('..', '.') or 'x'}@{host.strip('.-_') or 'y'}.org",
                    WORD, st.text("abc012-", min_size=1, max_size=20))  # fmt: skip
NAME = TEXT.map(lambda text: " ".join(text.split())).filter(bool)
BODY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=400)
PERSON = st.builds(person, NAME, ADDRESS, st.sampled_from([1, 2, 3]))
FILE = st.builds(file, NAME, st.binary(max_size=200), st.sampled_from(["application/pdf", "text/plain", "image/png"]))


@given(subject=TEXT, body=BODY, people=st.lists(PERSON, max_size=5), files=st.lists(FILE, max_size=3))
@settings(max_examples=300, deadline=None)
@example(subject=" =?utf-8?q?x?= ", body="=\n.\nFrom x\n" + "y" * 2000, people=[], files=[])
@example(subject="a" * 3000, body="", people=[person('a "b" \\ <c>, (d)', "x@y.org")], files=[])
@example(subject="é " * 500, body="", people=[person("日本" * 300, "x@y.org")], files=[file("ü" * 200, b"")])
def test_what_is_written_is_read_back(subject: str, body: str, people: list[Bag], files: list[Any]) -> None:
    raw = made(NAMED | {p.PidTagSubject: subject, p.PidTagBody: body}, people, files)
    assert_rfc5322(raw)
    digest = digest_message(raw, received=0)
    back = decode_bag(digest.props)
    assert back[p.PidTagSubject] == subject[:1000]
    assert back[p.PidTagSenderName] == "Anna Example"
    found = [(bag[p.PidTagRecipientType], bag[p.PidTagDisplayName], bag[p.PidTagEmailAddress])
             for bag in decode_bags(digest.recipients)]  # fmt: skip
    asked = sorted(people, key=lambda bag: str(bag[p.PidTagRecipientType]))
    assert found == [(bag[p.PidTagRecipientType], shown_name(bag), bag[p.PidTagEmailAddress]) for bag in asked]
    names = [decode_bag(bag)[p.PidTagAttachLongFilename] for bag in digest.attachments]
    assert names == [re.sub(r'[\\/:*?"<>|\x00-\x1f\x7f]', "_", kept(one.props)) for one in files]
    whole = item_of_mime(raw, received=0)
    assert [one.data for one in whole.attachments] == [one.data for one in files]
    wanted = body.replace("\n", "\r\n")
    assert str(whole.props[p.PidTagBody]) == wanted


def shown_name(bag: Bag) -> str:
    """A name that says no more than the address is not written."""
    name, address = str(bag[p.PidTagDisplayName]), str(bag[p.PidTagEmailAddress])
    return address if name.lower() == address.lower() else name[:1000]


def kept(props: Bag) -> str:
    name = str(props[p.PidTagAttachLongFilename]).strip()
    return name[-255:]


def assert_rfc5322(raw: bytes) -> None:
    """CRLF only, no line of more than 998 octets, a header in ASCII."""
    assert b"\r" not in raw.replace(b"\r\n", b"") and b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii() and b"\0" not in raw


JUNK = st.dictionaries(
    st.sampled_from([tag for name, tag in vars(p).items() if name.startswith("PidTag")]),
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=50), st.binary(max_size=50)),
    max_size=30,
)


@given(props=JUNK, recipient=JUNK, attachment=JUNK)
@settings(max_examples=200, deadline=None)
def test_nonsense_gives_a_message(props: Bag, recipient: Bag, attachment: Bag) -> None:
    raw = made(props, [recipient], [ItemAttachment(attachment, b"x")])
    assert b"\r\n\r\n" in raw
    digest_message(raw, received=0)


# ------------------------------------------------------------------------------------------ header lines


@pytest.mark.parametrize(
    ("name", "address", "text"),
    [
        ("", "a@b.org", "a@b.org"),
        ("A B", "a@b.org", "A B <a@b.org>"),
        ("A, B", "a@b.org", '"A, B" <a@b.org>'),
        ("é", "a@b.org", "=?utf-8?Q?=C3=A9?= <a@b.org>"),
        ("=?utf-8?q?x?=", "a@b.org", "=?utf-8?Q?=3D=3Futf-8=3Fq=3Fx=3F=3D?= <a@b.org>"),
        ("A", "a b@c.org", 'A <"a b"@c.org>'),
        ("A", "a@b.org>, evil@x", 'A <"a@b.org>, evil"@x>'),
        ("A", "", "A <>"),
    ],
)
def test_mailboxes(name: str, address: str, text: str) -> None:
    assert h.mailbox(name, address) == text


def test_parameters_are_extended_when_they_must() -> None:
    assert h.parameter("filename", 'a "b"') == ['filename="a \\"b\\""']
    assert h.parameter("filename", "ü") == ["filename*=utf-8''%C3%BC"]
    assert [piece.partition("=")[0] for piece in h.parameter("filename", "ü" * 80)] == [
        "filename*0*", "filename*1*", "filename*2*"
    ]  # fmt: skip


@pytest.mark.parametrize(("unix", "text"), [(0, "Thu, 01 Jan 1970"), (-(1 << 60), "Mon, 01 Jan 0001"),
                                            (1 << 60, "Fri, 31 Dec 9999")])  # fmt: skip
def test_dates(unix: int, text: str) -> None:
    assert h.date(unix).startswith(text)
