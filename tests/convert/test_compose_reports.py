"""Reports as mail: octet by octet, and as Python's email package reads them."""

from __future__ import annotations

import email
import email.policy
from typing import Any

import pytest

from gromoxd.convert.compose import compose
from gromoxd.convert.composereports import report_kind
from gromoxd.convert.digest import digest_message
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, decode_bag
from gromoxd.mapi.times import filetime

FAILED: Bag = {
    p.PidTagRecipientType: 1, p.PidTagDisplayName: "Bob", p.PidTagEmailAddress: "bob@example.net",
    p.PidTagAddressType: "SMTP", p.PidTagRemoteMessageTransferAgent: "mx.example.net",
    p.PidTagSupplementaryInfo: "<mx.example.net #5.1.1 smtp;550 5.1.1 no such user>",
}  # fmt: skip


def ndr(*recipients: Bag, kind: str = "NDR", **more: object) -> Item:
    props: Bag = {
        p.PidTagMessageClass: f"REPORT.IPM.Note.{kind}", p.PidTagSubject: "Undeliverable: x", p.PidTagBody: "Sorry.",
        p.PidTagReportingMessageTransferAgent: "dns;mx.example.org",
        p.PidTagOriginalSubmitTime: filetime(1_795_511_759),
        p.PidTagInternetMessageId: "<r@example.org>",
    }  # fmt: skip
    original = Item({p.PidTagSubject: "x", p.PidTagBody: "lost", p.PidTagInternetMessageId: "<o@example.org>"})
    return Item(props, list(recipients), [ItemAttachment({}, b"", original)])


def parts(item: Item) -> list[Any]:
    message = email.message_from_bytes(compose(item, host="example.test"))
    assert message.get_content_type() == "multipart/report"
    return list(message.get_payload())


def test_a_failure_octet_by_octet() -> None:
    raw = compose(ndr(FAILED), host="example.test")
    status = raw[raw.index(b"Content-Type: message/delivery-status") :]
    assert status[: status.index(b"\r\n--=_")] == (
        b"Content-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns;mx.example.org\r\nArrival-Date: Tue, 24 Nov 2026 09:15:59 +0000\r\n\r\n"
        b"Final-Recipient: rfc822;bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"Remote-MTA: dns; mx.example.net\r\nDiagnostic-Code: smtp;550 5.1.1 no such user\r\nX-Display-Name: Bob\r\n"
    )
    assert b"\r\nAuto-Submitted: auto-replied\r\n" in raw


def test_a_report_has_text_status_and_original() -> None:
    text, status, original = parts(ndr(FAILED, FAILED | {p.PidTagEmailAddress: "eve@example.net"}))
    assert text.get_payload() == "Sorry."
    blocks = list(status.get_payload())
    assert [str(block["Final-Recipient"]) for block in blocks[1:]] == [
        "rfc822;bob@example.net", "rfc822;eve@example.net"
    ]  # fmt: skip
    assert original.get_content_type() == "message/rfc822"
    assert original.get_payload(0)["Subject"] == "x"


@pytest.mark.parametrize(
    ("kind", "props", "action", "status"),
    [
        ("DR", {}, "delivered", "2.0.0"),
        ("Expanded.DR", {}, "expanded", "2.0.0"),
        ("Relayed.DR", {}, "relayed", "2.0.0"),
        ("Delayed.DR", {}, "delayed", "4.0.0"),
        ("NDR", {}, "failed", "5.0.0"),
        ("NDR", {p.PidTagNonDeliveryReportDiagCode: 0}, "failed", "5.1.1"),
        ("NDR", {p.PidTagNonDeliveryReportDiagCode: -1}, "failed", "5.0.0"),
        ("NDR", {p.PidTagNonDeliveryReportStatusCode: 571}, "failed", "5.7.1"),
        ("DR", {p.PidTagNonDeliveryReportDiagCode: 0}, "delivered", "2.0.0"),
        ("NDR", {p.PidTagSupplementaryInfo: "<#4.4.7>"}, "failed", "4.4.7"),
    ],
)
def test_actions_and_status(kind: str, props: Bag, action: str, status: str) -> None:
    plain = {tag: value for tag, value in FAILED.items() if tag != p.PidTagSupplementaryInfo}
    block = list(parts(ndr(plain | props, kind=kind))[1].get_payload())[1]
    assert (block["Action"], block["Status"]) == (action, status)


def test_what_is_told_otherwise_goes_along() -> None:
    block = list(parts(ndr(FAILED | {p.PidTagSupplementaryInfo: "mailbox is full"}))[1].get_payload())[1]
    assert block["X-Supplementary-Info"] == "mailbox is full" and block["Diagnostic-Code"] is None


READ: Bag = {
    p.PidTagMessageClass: "REPORT.IPM.Note.IPNRN", p.PidTagSenderName: "Bob", p.PidTagSenderEmailAddress: "bob@b.org",
    p.PidTagBody: "Read.", p.PidTagOriginalMessageId: "<o@example.org>", p.PidTagParentKey: b"\1\2\3",
}  # fmt: skip


@pytest.mark.parametrize(
    ("props", "disposition"),
    [
        ({}, "manual-action/MDN-sent-automatically; displayed"),
        ({p.PidTagMessageClass: "REPORT.IPM.Note.IPNNRN"}, "manual-action/MDN-sent-automatically; deleted"),
        ({p.PidTagReportDispositionMode: "automatic-action/MDN-sent-manually", p.PidTagReportDisposition: "denied"},
         "automatic-action/MDN-sent-manually; denied"),
        ({p.PidTagReportDispositionMode: "a\r\nb: c", p.PidTagReportDisposition: "x; y"},
         "manual-action/MDN-sent-automatically; displayed"),
    ],
)  # fmt: skip
def test_a_receipt(props: Bag, disposition: str) -> None:
    raw = compose(Item(READ | props), host="example.test")
    start = raw.index(b"Content-Type: message/disposition-notification")
    assert raw[start : raw.index(b"\r\n--=_", start)].decode() == (
        "Content-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822;bob@b.org\r\n"
        f"Disposition: {disposition}\r\nOriginal-Message-ID: <o@example.org>\r\n"
        "X-MSExch-Correlation-Key: AQID\r\nX-Display-Name: Bob\r\n"
    )
    assert b"report-type=" in raw


@pytest.mark.parametrize("kind", ["NDR", "DR", "IPNRN", "IPNNRN"])
def test_the_reader_knows_the_class(kind: str) -> None:
    item = ndr(FAILED, kind=kind)
    digest = digest_message(compose(item, host="example.test"), received=0)
    assert str(decode_bag(digest.props)[p.PidTagMessageClass]).upper() == f"REPORT.IPM.NOTE.{kind}"


def test_other_classes_are_no_reports() -> None:
    assert report_kind("IPM.Note") is None and report_kind("REPORT.IPM.Note") is None and report_kind(None) is None
    assert report_kind("report.IPM.Schedule.Meeting.Request.ipnrn") is not None


def test_a_notification_goes_to_who_sent_the_message() -> None:
    """Its recipients are those that it tells of."""
    item = ndr(FAILED)
    item.props |= {p.PidTagOriginalSenderName: "Anna", p.PidTagOriginalSenderEmailAddress: "anna@example.org",
                   p.PidTagOriginalSenderAddressType: "SMTP"}  # fmt: skip
    assert email.message_from_bytes(compose(item, host="example.test"))["To"] == "Anna <anna@example.org>"
    item.props[p.PidTagTransportMessageHeaders] = 'To: "Ä, B" <ab@example.org>, c@example.org\r\nCc: d@example.org\r\n'
    message = email.message_from_bytes(compose(item, host="example.test"), policy=email.policy.default)
    assert [one.addr_spec for one in message["To"].addresses] == ["ab@example.org", "c@example.org"]
    assert message["To"].addresses[0].display_name == "Ä, B" and message["Cc"] == "d@example.org"
    assert email.message_from_bytes(compose(ndr(FAILED), host="example.test"))["To"] is None


def test_a_receipt_goes_to_its_recipients() -> None:
    message = email.message_from_bytes(compose(Item(READ, [dict(FAILED)]), host="example.test"))
    assert message["To"] == "Bob <bob@example.net>"


def test_of_a_header_alone_there_is_a_header_alone() -> None:
    """RFC 6522 4."""
    item = ndr(FAILED)
    item.attachments[0].embedded = Item({p.PidTagTransportMessageHeaders: "Subject: x\r\nX-Y: 1\r\n\r\n"})
    header = parts(item)[2]
    assert header.get_content_type() == "text/rfc822-headers"
    assert header.get_payload(decode=True) == b"Subject: x\r\nX-Y: 1\r\n\r\n"
