"""The examples of RFC 2046, RFC 2047, RFC 2049 and RFC 2231: as properties, and as mail again."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

from gromoxd.convert.compose import compose
from gromoxd.convert.headers import decode_header
from gromoxd.convert.item import Item
from gromoxd.convert.itemof import item_of_mime
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag

SIMPLE = """From: Nathaniel Borenstein <nsb@bellcore.com>
To:  Ned Freed <ned@innosoft.com>
Subject: Sample message
MIME-Version: 1.0
Content-type: multipart/mixed; boundary="simple boundary"

This is the preamble.  It is to be ignored, though it
is a handy place for mail composers to include an
explanatory note to non-MIME compliant readers.
--simple boundary

This is implicitly typed plain ASCII text.
It does NOT end with a linebreak.
--simple boundary
Content-type: text/plain; charset=us-ascii

This is explicitly typed plain ASCII text.
It DOES end with a linebreak.

--simple boundary--
This is the epilogue.  It is also to be ignored.
"""
"""RFC 2046 5.1.1."""

COMPLEX = """MIME-Version: 1.0
From: Nathaniel Borenstein <nsb@nsb.fv.com>
To: Ned Freed <ned@innosoft.com>
Date: Fri, 07 Oct 1994 16:15:05 -0700 (PDT)
Subject: A multipart example
Content-Type: multipart/mixed;
              boundary=unique-boundary-1

This is the preamble area of a multipart message.
--unique-boundary-1

  ... Some text appears here ...
--unique-boundary-1
Content-type: text/plain; charset=US-ASCII

This could have been part of the previous part, but
illustrates explicit versus implicit typing of body
parts.
--unique-boundary-1
Content-Type: multipart/parallel; boundary=unique-boundary-2

--unique-boundary-2
Content-Type: audio/basic
Content-Transfer-Encoding: base64

YWZ0ZXIgODAwMCBIeg==
--unique-boundary-2
Content-Type: image/jpeg
Content-Transfer-Encoding: base64

/9j/4AAQSkZJRgABAQ==
--unique-boundary-2--

--unique-boundary-1
Content-type: text/enriched

This is <bold><italic>enriched.</italic></bold>
<smaller>as defined in RFC 1896</smaller>

Isn't it
<bigger><bigger>cool?</bigger></bigger>
--unique-boundary-1
Content-Type: message/rfc822

From: (mailbox in US-ASCII)
To: (address in US-ASCII)
Subject: (subject in US-ASCII)
Content-Type: Text/plain; charset=ISO-8859-1
Content-Transfer-Encoding: Quoted-printable

  ... Additional text in ISO-8859-1 goes here ...
--unique-boundary-1--
"""
"""RFC 2049 appendix A; some octets stand for the data that it leaves out."""


def item_of(text: str) -> Item:
    return item_of_mime(text.replace("\n", "\r\n").encode(), received=781_000_000)


def again(item: Item) -> EmailMessage:
    found = email.message_from_bytes(compose(item, host="mail.example.test"), policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


@pytest.mark.parametrize(("encoded", "shown"), [
    ("(=?ISO-8859-1?Q?a?=)", "(a)"),
    ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
    ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
    ("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
    ("(=?ISO-8859-1?Q?a?=\r\n       =?ISO-8859-1?Q?b?=)", "(ab)"),
    ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
    ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
])  # fmt: skip
def test_words(encoded: str, shown: str) -> None:
    """The table of RFC 2047 8."""
    assert decode_header(encoded.encode()) == shown


def test_encoded_header() -> None:
    """The first message of RFC 2047 8."""
    item = item_of(
        "From: =?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>\n"
        "To: =?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>\n"
        "CC: =?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>\n"
        "Subject: =?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\n"
        " =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=\n\ntext\n"
    )
    assert item.props[p.PidTagSubject] == "If you can read this you understand the example."
    assert item.props[p.PidTagSentRepresentingName] == "Keith Moore"
    assert [(row[p.PidTagDisplayName], row[p.PidTagRecipientType]) for row in item.recipients] == [
        ("Keld Jørn Simonsen", 1), ("André Pirard", 2),
    ]  # fmt: skip
    written = again(item)
    assert written["Subject"] == "If you can read this you understand the example."
    assert [str(one) for one in written["To"].addresses] == ["Keld Jørn Simonsen <keld@dkuug.dk>"]
    assert [str(one) for one in written["Cc"].addresses] == ["André Pirard <PIRARD@vm1.ulg.ac.be>"]


@pytest.mark.parametrize("parameters", [
    "title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
    "title*0*=us-ascii'en'This%20is%20;\n title*1=\"***fun***\"",
])  # fmt: skip
def test_extended_parameter(parameters: str) -> None:
    """RFC 2231 4, as the name of a file, in which no asterisk may be; its own parameter "title" is nobody's."""
    item = item_of(
        "MIME-Version: 1.0\nContent-Type: application/x-stuff\nContent-Disposition: attachment;\n "
        + parameters.replace("title", "filename") + "\n\nstuff\n"
    )  # fmt: skip
    assert [one.props[p.PidTagAttachLongFilename] for one in item.attachments] == ["This is ___fun___"]
    (file,) = again(item).iter_attachments()
    assert file.get_filename() == "This is ___fun___"


def test_continued_parameter() -> None:
    """RFC 2231 4.1: continued, encoded in part."""
    item = item_of(
        "MIME-Version: 1.0\nContent-Type: application/x-stuff\nContent-Disposition: attachment;\n"
        " filename*0*=us-ascii'en'This%20is%20even%20more%20;\n"
        ' filename*1*=%2A%2A%2Afun%2A%2A%2A%20;\n filename*2="isn\'t it!"\n\nstuff\n'
    )
    assert [one.props[p.PidTagAttachLongFilename] for one in item.attachments] == [
        "This is even more ___fun___ isn't it!"
    ]
    (file,) = again(item).iter_attachments()
    assert file.get_filename() == "This is even more ___fun___ isn't it!"


def _body(bag: Bag) -> list[str]:
    return [line.strip() for line in str(bag[p.PidTagBody]).splitlines() if line.strip()]


def test_two_texts() -> None:
    """RFC 2046 5.1.1: one body of both texts, neither of preamble and epilogue."""
    lines = [
        "This is implicitly typed plain ASCII text.", "It does NOT end with a linebreak.",
        "This is explicitly typed plain ASCII text.", "It DOES end with a linebreak.",
    ]  # fmt: skip
    item = item_of(SIMPLE)
    assert (_body(item.props), item.attachments) == (lines, [])
    assert item.props[p.PidTagSubject] == "Sample message"
    text = again(item).get_body(("plain",))
    assert isinstance(text, EmailMessage)
    assert [line for line in text.get_content().splitlines() if line] == lines


def test_complex_message() -> None:
    """RFC 2049 appendix A: texts, a sound, a picture, and a message within."""
    item = item_of(COMPLEX)
    body = " ".join(_body(item.props)) if p.PidTagBody in item.props else str(item.props[p.PidTagHtml])
    assert "Some text appears here" in body and "illustrates explicit versus implicit typing" in body
    kinds = [(one.props.get(p.PidTagAttachMimeTag), one.embedded is not None) for one in item.attachments]
    assert kinds == [("audio/basic", False), ("image/jpeg", False), ("message/rfc822", True)]
    assert item.attachments[0].data == b"after 8000 Hz"
    inner = item.attachments[2].embedded
    assert inner is not None and inner.props[p.PidTagSubject] == "(subject in US-ASCII)"
    assert "Additional text in ISO-8859-1 goes here" in str(inner.props[p.PidTagBody])
    written = again(item)
    types = [part.get_content_type() for part in written.walk()]
    assert [kind for kind in types if kind.startswith(("audio", "image", "message"))] == [
        "audio/basic", "image/jpeg", "message/rfc822"
    ]  # fmt: skip
