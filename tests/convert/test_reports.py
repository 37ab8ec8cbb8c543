"""Delivery notifications and receipts as report messages ([MS-OXCMAIL] 2.2.3.7)."""

from __future__ import annotations

import base64

import pytest

from gromoxd.convert.digest import digest_message
from gromoxd.convert.itemof import item_of_mime
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, check_bag, decode_bag, decode_bags
from gromoxd.mapi.times import filetime
from tests.convert.samples import MIXED

SENT = 1_700_000_000
HEAD = (
    b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nFrom: Mail System <mailer-daemon@example.net>\r\n"
    b"To: alice@example.test\r\nSubject: Undelivered\r\n"
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
)
TEXT = b"--b\r\n\r\nSorry, it did not work.\r\n"
ORIGINAL = (
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nDate: Mon, 13 Nov 2023 22:13:20 +0000\r\n"
    b"From: Alice <alice@example.test>\r\nTo: Bob <bob@example.net>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Message-ID: <o1@example.test>\r\n\r\nhello\r\n--b--\r\n"
)


def bounce(groups: bytes, rest: bytes = ORIGINAL) -> bytes:
    status = b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n"
    return HEAD + TEXT + status + groups + b"\r\n" + rest


FAILED = (
    b"Final-Recipient: rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    b"Remote-MTA: dns; in.example.net\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
)


def read(raw: bytes) -> tuple[str, Bag, list[Bag], list[Bag]]:
    digest = digest_message(raw, received=SENT + 5)
    bag, people = decode_bag(digest.props), decode_bags(digest.recipients)
    files = [decode_bag(one) for one in digest.attachments]
    for one in (bag, *people, *files):
        check_bag(one)
    return digest.message_class, bag, people, files


def test_a_non_delivery_report() -> None:
    kind, bag, people, files = read(bounce(FAILED))
    assert kind == "REPORT.IPM.Note.NDR" == bag[p.PidTagMessageClass]
    assert bag.items() >= {
        p.PidTagReportingMessageTransferAgent: "mx.example.net", p.PidTagReportText: "Sorry, it did not work.",
        p.PidTagReportTime: filetime(SENT), p.PidTagOriginalSubject: "Grüße",
        p.PidTagOriginalMessageId: "<o1@example.test>", p.PidTagOriginalDisplayTo: "Bob",
        p.PidTagOriginalSenderName: "Alice", p.PidTagOriginalSenderEmailAddress: "alice@example.test",
        p.PidTagOriginalSubmitTime: filetime(SENT - 86400), p.PidTagOriginalMessageClass: "IPM.Note",
        p.PidTagDisplayTo: "bob@example.net", p.PidTagSenderName: "Mail System",
    }.items()  # fmt: skip
    assert people == [{
        p.PidTagRecipientType: 1, p.PidTagDisplayName: "bob@example.net", p.PidTagEmailAddress: "bob@example.net",
        p.PidTagAddressType: "SMTP", p.PidTagReportTime: filetime(SENT),
        p.PidTagRemoteMessageTransferAgent: "in.example.net", p.PidTagNonDeliveryReportStatusCode: 511,
        p.PidTagNonDeliveryReportDiagCode: 35, p.PidTagNonDeliveryReportReasonCode: 1,
        p.PidTagSupplementaryInfo: "<in.example.net #5.1.1 smtp; 550 5.1.1 no such user>",
        p.PidTagReportText: "smtp; 550 5.1.1 no such user",
    }]  # fmt: skip
    assert [(one[p.PROP_PART_PATH], one[p.PidTagAttachMethod]) for one in files] == [("3", 5)]


@pytest.mark.parametrize(
    ("action", "suffix"),
    [(b"delivered", "DR"), (b"Expanded (to 3)", "Expanded.DR"), (b"relayed", "Relayed.DR"), (b"delayed", "Delayed.DR"),
     (b"FAILED", "NDR"), (b"what", "NDR")],
)  # fmt: skip
def test_the_class_is_that_of_the_action(action: bytes, suffix: str) -> None:
    """[MS-OXCMAIL] 2.2.3.7.1.1."""
    kind, _, people, _ = read(bounce(FAILED.replace(b"failed", action)))
    assert kind == f"REPORT.IPM.Note.{suffix}"
    assert people[0].get(p.PidTagDeliverTime) == (None if suffix == "NDR" else filetime(SENT))


def test_the_worst_is_told() -> None:
    good = FAILED.replace(b"failed", b"delivered").replace(b"bob", b"carol")
    kind, bag, people, _ = read(bounce(good + b"\r\n" + FAILED + b"\r\n" + FAILED.replace(b"bob", b"dave")))
    assert kind == "REPORT.IPM.Note.NDR"
    assert bag[p.PidTagDisplayTo] == "bob@example.net; dave@example.net"
    assert len(people) == 2


@pytest.mark.parametrize(
    ("status", "codes"),
    [(b"5.1.2", (512, 48, 0)), (b"5.1.9", (519, 0, 0)), (b"4.4.7", (447, 5, 0)), (b"5.7.1", (571, 29, 0)),
     (b"5.12.34", (500, -1, 0)), (b"5.0.0 (none)", (500, -1, 0)), (b"five", (None, None, None))],
)  # fmt: skip
def test_status_codes(status: bytes, codes: tuple[int | None, ...]) -> None:
    """[MS-OXCMAIL] 2.2.3.7.1.3."""
    one = read(bounce(FAILED.replace(b"5.1.1\r\n", status + b"\r\n", 1)))[2][0]
    assert codes == (
        one.get(p.PidTagNonDeliveryReportStatusCode), one.get(p.PidTagNonDeliveryReportDiagCode),
        one.get(p.PidTagNonDeliveryReportReasonCode),
    )  # fmt: skip


def test_a_returned_header_is_a_message() -> None:
    rest = b"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: only a header\r\nTo: x@example.net\r\n--b--\r\n"
    raw = bounce(FAILED, rest)
    _, bag, _, files = read(raw)
    assert (bag[p.PidTagOriginalSubject], files[0][p.PidTagAttachMethod]) == ("only a header", 5)
    inner = item_of_mime(raw, received=SENT).attachments[0].embedded
    assert inner is not None and inner.props[p.PidTagSubject] == "only a header"


def test_a_returned_meeting_request_tells_its_class() -> None:
    rest = ORIGINAL.replace(b"Message-ID", b"Content-Type: text/calendar; method=REQUEST\r\nMessage-ID")
    assert read(bounce(FAILED, rest))[0] == "REPORT.IPM.Schedule.Meeting.Request.NDR"


def receipt(fields: bytes) -> bytes:
    return (
        HEAD.replace(b"delivery-status", b"disposition-notification") + TEXT
        + b"--b\r\nContent-Type: message/disposition-notification\r\n\r\nReporting-UA: x; Mail\r\n"
        b"Final-Recipient: rfc822; bob@example.net\r\nOriginal-Message-ID: <o1@example.test>\r\n"
        + fields + b"\r\n--b--\r\n"
    )  # fmt: skip


def test_a_receipt() -> None:
    key = bytes(range(16))
    fields = b"Disposition: manual-action/MDN-sent-manually; displayed\r\nX-MSExch-Correlation-Key: "
    kind, bag, people, files = read(receipt(fields + base64.b64encode(key)))
    assert kind == "REPORT.IPM.Note.IPNRN"
    assert (bag[p.PidTagOriginalMessageId], bag[p.PidTagReceiptTime]) == ("<o1@example.test>", filetime(SENT))
    assert (bag[p.PidTagReportDisposition], bag[p.PidTagParentKey]) == ("displayed", key)
    assert bag[p.PidTagReportDispositionMode] == "manual-action/MDN-sent-manually"
    tag = bag[p.PidTagReportTag]
    assert isinstance(tag, bytes) and tag == b"PCDFEB09\0\x01\0\x01\0" + bytes(16) + b"\x10\0\0\0" + key + bytes(4)
    assert [one[p.PidTagEmailAddress] for one in people] == ["alice@example.test"]
    assert files == []


def test_a_message_that_was_deleted_unread() -> None:
    kind, bag, _, _ = read(receipt(b"Disposition: automatic-action/MDN-sent-automatically; deleted/error\r\n"))
    assert (kind, bag[p.PidTagReportDisposition]) == ("REPORT.IPM.Note.IPNNRN", "deleted")
    assert p.PidTagReceiptTime not in bag


def test_a_report_of_another_kind_is_mail() -> None:
    raw = HEAD + TEXT + b"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n--b--\r\n"
    kind, _, people, files = read(raw)
    assert (kind, len(people), len(files)) == ("IPM.Note", 1, 1)


def test_status_without_a_report_is_a_file() -> None:
    raw = bounce(FAILED).replace(b"multipart/report", b"multipart/mixed")
    kind, _, _, files = read(raw)
    assert kind == "IPM.Note"
    assert [one[p.PidTagAttachMimeTag] for one in files] == ["message/delivery-status", "message/rfc822"]
    assert read(MIXED)[0] == "IPM.Note"


def test_a_cut_report_is_read_as_far_as_it_goes() -> None:
    raw = bounce(FAILED)
    for at in range(0, len(raw), 7):
        read(raw[:at])
