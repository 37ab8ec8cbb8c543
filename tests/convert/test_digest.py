"""The whole digest: keys, properties, recipients, attachments, classes."""

from __future__ import annotations

import time

import pytest

from gromoxd.convert.digest import MAX_KEY, NO_DATE, digest_message
from gromoxd.convert.mime import decode_parts, scan
from gromoxd.convert.properties import split_subject
from gromoxd.exmdb.calls import Digest
from gromoxd.mapi import proptags as pt
from gromoxd.mapi.bag import Bag, check_bag, decode_bag, decode_bags
from gromoxd.mapi.entryids import flat_entries, one_off
from gromoxd.mapi.times import filetime
from tests.convert.samples import MIXED

RECEIVED = 1_700_000_000
MAIL = (
    b"Date: Tue, 14 Nov 2023 22:13:20 +0100\r\nFrom: =?utf-8?q?J=C3=B6rg?= <joerg@example.net>\r\n"
    b"Sender: Office <office@example.net>\r\nReply-To: Reply <reply@example.net>\r\n"
    b'To: "Bob, B." <bob@example.test>, Team: alice@example.test;\r\nCc: Carol <carol@example.test>\r\n'
    b"Bcc: dave@example.test\r\nSubject: AW: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <id1@example.net>\r\n"
    b"In-Reply-To: <id0@example.net>\r\nReferences: <a@x>\r\n <id0@example.net>\r\nX-Priority: 1 (Highest)\r\n"
    b"Sensitivity: Company-Confidential\r\nThread-Topic: Gruppe\r\n"
    b"Thread-Index: AQHaFzJ0AAAAAAAAAAAAAAAAAAAAAA==\r\nDisposition-Notification-To: joerg@example.net\r\n"
    b"List-Unsubscribe: <mailto:x@y>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello\r\n"
)


def digest(raw: bytes) -> Digest:
    return digest_message(raw, received=RECEIVED)


def props(raw: bytes) -> Bag:
    bag = decode_bag(digest(raw).props)
    check_bag(bag)
    return bag


def attachments(raw: bytes) -> list[Bag]:
    bags = [decode_bag(data) for data in digest(raw).attachments]
    for bag in bags:
        check_bag(bag)
    return bags


def test_plain_fields() -> None:
    found = digest(MAIL)
    assert (found.size, found.header_size) == (len(MAIL), MAIL.index(b"\r\n\r\n") + 4)
    assert found.sent == RECEIVED
    assert found.message_id == "<id1@example.net>"
    assert found.from_key == "jörg <joerg@example.net>"
    assert found.to_key == '"bob, b." <bob@example.test>, team: alice@example.test;'
    assert (found.cc_key, found.bcc_key) == ("carol <carol@example.test>", "dave@example.test")
    assert found.subject_key == "aw: grüsse"
    assert found.message_class == "IPM.Note"
    assert decode_parts(found.parts) == scan(MAIL)
    assert found.attachments == []


def test_properties() -> None:
    bag = props(MAIL)
    sent = filetime(RECEIVED - 3600)
    assert bag == {
        pt.PidTagSubject: "AW: Grüße", pt.PidTagSubjectPrefix: "AW: ", pt.PidTagNormalizedSubject: "Grüße",
        pt.PidTagConversationTopic: "Gruppe", pt.PidTagMessageDeliveryTime: filetime(RECEIVED),
        pt.PidTagClientSubmitTime: sent, pt.PidTagImportance: 2, pt.PidTagPriority: 1, pt.PidTagSensitivity: 3,
        pt.PidTagSentRepresentingName: "Jörg", pt.PidTagSentRepresentingAddressType: "SMTP",
        pt.PidTagSentRepresentingEmailAddress: "joerg@example.net",
        pt.PidTagSentRepresentingSmtpAddress: "joerg@example.net", pt.PidTagSenderName: "Office",
        pt.PidTagSenderAddressType: "SMTP", pt.PidTagSenderEmailAddress: "office@example.net",
        pt.PidTagSenderSmtpAddress: "office@example.net", pt.PidTagInternetMessageId: "<id1@example.net>",
        pt.PidTagInReplyToId: "<id0@example.net>", pt.PidTagInternetReferences: "<a@x> <id0@example.net>",
        pt.PidTagConversationIndex: b"\x01\x01\xda\x17\x32\x74" + bytes(16), pt.PidTagReadReceiptRequested: True,
        pt.PidTagNonReceiptNotificationRequested: True,
        pt.PidTagReadReceiptName: "joerg@example.net", pt.PidTagReadReceiptEmailAddress: "joerg@example.net",
        pt.PidTagReadReceiptAddressType: "SMTP", pt.PidTagListUnsubscribe: "<mailto:x@y>",
        pt.PidTagReplyRecipientNames: "Reply",
        pt.PidTagReplyRecipientEntries: flat_entries([one_off("Reply", "reply@example.net")]),
        pt.PidTagDisplayTo: "Bob, B.; alice@example.test",
        pt.PidTagDisplayCc: "Carol", pt.PidTagDisplayBcc: "dave@example.test", pt.PidTagMessageClass: "IPM.Note",
        pt.PidTagHasAttachments: False, pt.PidTagInternetCodepage: 65001,
    }  # fmt: skip


def test_recipients() -> None:
    bags = decode_bags(digest(MAIL).recipients)
    assert [(bag[pt.PidTagRecipientType], bag[pt.PidTagDisplayName], bag[pt.PidTagEmailAddress]) for bag in bags] == [
        (1, "Bob, B.", "bob@example.test"), (1, "alice@example.test", "alice@example.test"),
        (2, "Carol", "carol@example.test"), (3, "dave@example.test", "dave@example.test"),
    ]  # fmt: skip
    assert {bag[pt.PidTagAddressType] for bag in bags} == {"SMTP"}


def test_without_any_header() -> None:
    found = digest(b"")
    assert (found.size, found.sent, found.message_id, found.subject_key, found.from_key) == (0, NO_DATE, "", "", "")
    bag = props(b"")
    assert bag[pt.PidTagClientSubmitTime] == filetime(RECEIVED)
    assert pt.PidTagSenderName not in bag
    assert bag[pt.PidTagSubject] == ""


def test_sender_defaults_to_from() -> None:
    bag = props(b"From: a <a@x>\r\n\r\n")
    assert bag[pt.PidTagSenderName] == bag[pt.PidTagSentRepresentingName] == "a"


def test_dates_out_of_range_are_held_within_32_bits() -> None:
    assert digest(b"Date: 1 Jan 9999 00:00 Z\r\n\r\n").sent == 2**31 - 1
    assert digest(b"Date: 1 Jan 1200 00:00 Z\r\n\r\n").sent == NO_DATE + 1


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Re: x", ("Re: ", "x")), ("AW:x", ("AW: ", "x")), ("Fwd:   x y", ("Fwd: ", "x y")),
        ("Fwd2: x", ("", "Fwd2: x")),
        ("Re1: x", ("", "Re1: x")), ("Long: x", ("", "Long: x")), ("R e: x", ("", "R e: x")), (": x", ("", ": x")),
        ("Re:", ("Re: ", "")), ("", ("", "")), ("回复: x", ("回复: ", "x")), ("Re: Re: x", ("Re: ", "Re: x")),
    ],
)  # fmt: skip
def test_subject_prefix(subject: str, expected: tuple[str, str]) -> None:
    """[MS-OXCMAIL] 2.2.3.2.6.1."""
    assert split_subject(subject) == expected


@pytest.mark.parametrize(
    ("header", "importance"),
    [(b"Importance: High", 2), (b"Importance: low\r\nX-Priority: 1", 0), (b"Priority: urgent", 2),
     (b"Priority: Non-Urgent", 0), (b"X-Priority: 5", 0), (b"X-Priority: 3", 1),
     (b"X-MSMail-Priority: High", 2), (b"X: y", 1), (b"Importance: odd", 1)],
)  # fmt: skip
def test_importance(header: bytes, importance: int) -> None:
    """[MS-OXCMAIL] 2.2.3.2.5."""
    assert props(header + b"\r\n\r\n")[pt.PidTagImportance] == importance


def multipart(subtype: bytes, *parts: bytes) -> bytes:
    return (
        b"Content-Type: multipart/" + subtype + b"; boundary=b\r\n\r\n"
        + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    )  # fmt: skip


def test_attachments() -> None:
    message, image = attachments(MIXED)
    assert message[pt.PROP_PART_PATH] == "2"
    assert message[pt.PidTagAttachMethod] == 5
    assert message[pt.PidTagDisplayName] == "inside"
    assert message[pt.PidTagAttachMimeTag] == "message/rfc822"
    assert image[pt.PROP_PART_PATH] == "3"
    assert (image[pt.PidTagAttachMethod], image[pt.PidTagAttachContentId]) == (1, "i1@x")
    assert image[pt.PidTagAttachLongFilename] == "attachment"
    assert props(MIXED)[pt.PidTagHasAttachments] is True


def test_attachment_names() -> None:
    part = b'Content-Type: application/pdf; name="x"\r\nContent-Disposition: attachment; filename=%b\r\n\r\n'
    cases = {
        b"report.pdf": ("report.pdf", ".pdf"),
        b"=?utf-8?q?=C3=A4.pdf?=": ("ä.pdf", ".pdf"),
        b'"../../etc/pass\x01wd"': (".._.._etc_pass_wd", "._etc_pass_wd"),
        b'"C:\\\\x\\\\y.doc"': ("C__x_y.doc", ".doc"),
        b'""': ("attachment", ""),
    }
    for name, (expected, extension) in cases.items():
        (bag,) = attachments(multipart(b"mixed", b"\r\ntext", part % name))
        assert (bag[pt.PidTagAttachLongFilename], bag[pt.PidTagAttachExtension]) == (expected, extension)
        assert (bag[pt.PidTagAttachNumber], bag[pt.PROP_PART_PATH], bag[pt.PidTagRenderingPosition]) == (0, "2", -1)


def test_inline_images_are_hidden() -> None:
    image = b"Content-Type: image/png\r\nContent-ID: <i>\r\n\r\nx"
    raw = multipart(b"related", b"Content-Type: text/html\r\n\r\n<img>", image)
    (bag,) = attachments(raw)
    assert (bag[pt.PidTagAttachmentHidden], bag[pt.PidTagAttachFlags]) == (True, 4)
    assert props(raw)[pt.PidTagHasAttachments] is False


def test_a_body_that_is_a_file() -> None:
    head = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    (bag,) = attachments(head + b"QUJD" * 19 + b"\r\n")
    assert (bag[pt.PROP_PART_PATH], bag[pt.PidTagAttachSize]) == ("1", 57)


def test_texts_of_an_alternative_are_bodies() -> None:
    raw = multipart(b"alternative", b"\r\nx", b"Content-Type: text/x-amp-html\r\n\r\n<html amp4email>")
    assert attachments(raw) == []


def test_a_calendar_that_is_no_meeting_is_an_attachment() -> None:
    raw = multipart(b"alternative", b"\r\nx", b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR")
    (bag,) = attachments(raw)
    assert (bag[pt.PROP_PART_PATH], bag[pt.PidTagAttachLongFilename]) == ("2", "calendar.ics")
    assert digest(raw).message_class == "IPM.Note"


STATUS = (
    b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
    b"Final-Recipient: rfc822; a@b\r\nAction: %b\r\n"
)
RECEIPT = b"Content-Type: message/disposition-notification\r\n\r\nDisposition: manual-action/x; %b\r\n"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"\r\nx", "IPM.Note"),
        (multipart(b"report; report-type=delivery-status", b"\r\nx", STATUS % b"failed"), "REPORT.IPM.Note.NDR"),
        (multipart(b"report; report-type=delivery-status", b"\r\nx", STATUS % b"delivered"), "REPORT.IPM.Note.DR"),
        (multipart(b"report", b"\r\nx", RECEIPT % b"displayed"), "REPORT.IPM.Note.IPNRN"),
        (multipart(b"report", b"\r\nx", RECEIPT % b"deleted"), "REPORT.IPM.Note.IPNNRN"),
        (multipart(b"report", b"\r\nx"), "IPM.Note"),
        (multipart(b'signed; protocol="application/pkcs7-signature"', b"\r\nx"), "IPM.Note.SMIME.MultipartSigned"),
        (multipart(b'signed; protocol="application/pgp-signature"', b"\r\nx"), "IPM.Note"),
        (b"Content-Type: application/pkcs7-mime; name=smime.p7m\r\n\r\n", "IPM.Note.SMIME"),
        (b"Content-Type: application/octet-stream; name=SMIME.P7M\r\n\r\n", "IPM.Note.SMIME"),
        (b"Content-Type: application/octet-stream\r\n\r\n", "IPM.Note"),
    ],
)
def test_message_class(raw: bytes, expected: str) -> None:
    assert digest(raw).message_class == expected == props(raw)[pt.PidTagMessageClass]


def test_a_signed_message_has_itself_as_attachment() -> None:
    raw = multipart(b"signed; protocol=application/pkcs7-signature", b"\r\nx", b"Content-Type: a/b\r\n\r\ny")
    (bag,) = attachments(raw)
    assert (bag[pt.PROP_PART_PATH], bag[pt.PidTagAttachMimeTag]) == ("", "multipart/signed")


def test_keys_and_texts_are_bounded() -> None:
    names = (b"From", b"To", b"Subject", b"X", b"Message-ID")
    raw = b"".join(name + b": " + "ä".encode() * 100_000 + b" <a@b>\r\n" for name in names)
    found = digest(raw + b"\r\n")
    assert max(map(len, (found.from_key, found.to_key, found.subject_key, found.message_id))) <= MAX_KEY
    assert len(found.envelope) < 400_000
    assert len(found.props) < 40_000


def test_many_recipients_cost_little() -> None:
    raw = b"To: " + b", ".join(b'"User, %d" <user%d@example.test>' % (n, n) for n in range(10_000)) + b"\r\n\r\n"
    start = time.perf_counter()
    found = digest(raw)
    assert time.perf_counter() - start < 0.5
    assert len(decode_bags(found.recipients)) == 2000


def test_the_references_keep_root_and_latest() -> None:
    ids = [b"<id%d@example.net>" % number for number in range(5000)]
    text = props(b"References: " + b" ".join(ids) + b"\r\n\r\n")[pt.PidTagInternetReferences]
    assert isinstance(text, str)
    assert text.startswith("<id0@example.net> <id")
    assert text.endswith(" <id4999@example.net>")
    assert len(text) < 17_000
