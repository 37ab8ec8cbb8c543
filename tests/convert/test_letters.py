"""What a mailbox writes by itself."""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import Any

import pytest

from gromoxd.convert import letters
from gromoxd.convert.headers import unfold_fields
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.mapi import proptags as p

WRITER = letters.Writer("Alice Äpfel", "alice@example.test", 1_700_000_000, "abc.1")
ORIGINAL: dict[int, Any] = {
    p.PidTagInternetMessageId: "<m1@x.test>", p.PidTagInternetReferences: "<m0@x.test>", p.PidTagSubject: "Hällo",
    p.PidTagSenderName: "Sam", p.PidTagSenderEmailAddress: "sam@x.test", p.PidTagDisplayTo: "Alice",
}  # fmt: skip


def parsed(raw: bytes) -> Any:
    assert raw.replace(b"\r\n", b"").count(b"\n") == 0
    message = message_from_bytes(raw, policy=policy.default)
    assert not message.defects
    return message


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"Return-Path: <a@b>\r\nDelivered-To: x\r\nReceived: y\r\n", 37),
        (b"delivered-to: x\r\n folded\r\nA: b\r\n", 26),
        (b"Received: y\r\nReturn-Path: <a@b>\r\n", 0), (b"", 0),
    ],
)  # fmt: skip
def test_the_trace_of_delivery(header: bytes, length: int) -> None:
    assert letters.trace_length(header) == length


def test_an_answer() -> None:
    message = parsed(letters.answer(WRITER, "owner@example.test", ["sam@x.test"], "Away", ORIGINAL, "Bin weg.", False))
    assert (message["Subject"], message["To"], message["Auto-Submitted"]) == ("Away", "sam@x.test", "auto-replied")
    assert message["From"].addresses[0].display_name == "Alice Äpfel"
    assert (message["In-Reply-To"], message["References"]) == ("<m1@x.test>", "<m0@x.test> <m1@x.test>")
    assert message["X-Gromoxd-Loop"] == "owner@example.test" and message["Message-ID"] == "<abc.1@example.test>"
    assert message.get_content().strip() == "Bin weg."


def test_a_long_thread_is_cut() -> None:
    chain = " ".join(f"<{n}@x>" for n in range(50))
    references = str(letters.thread(ORIGINAL | {p.PidTagInternetReferences: chain})[p.PidTagInternetReferences]).split()
    assert (references[0], references[-1], len(references)) == ("<0@x>", "<m1@x.test>", 20)
    assert letters.thread({}) == {}


def test_forwarded_text_and_attachments() -> None:
    item = Item(
        ORIGINAL | {p.PidTagBody: "Text", p.PidTagHtml: b"<html><body bgcolor=red><p>Text</p></body></html>",
                    p.PidTagInternetCodepage: 65001},
        [], [ItemAttachment({p.PidTagAttachLongFilename: "a.bin"}, b"\0\1")],
    )  # fmt: skip
    fields = unfold_fields(b"X-Gromoxd-Loop: bob@x.test\r\nAuto-Submitted: auto-generated\r\n\r\n")
    message = parsed(letters.forwarded(WRITER, ["x@y.test"], "FW: Hällo", fields, item))
    assert message.get_all("X-Gromoxd-Loop") == ["alice@example.test", "bob@x.test"]
    assert message["Auto-Submitted"] == "auto-generated"
    plain, html = message.get_body(("plain",)).get_content(), message.get_body(("html",)).get_content()
    assert plain.startswith("-----Original Message-----") and plain.rstrip().endswith("Text")
    assert html.index("<body bgcolor=red>") < html.index("From: Sam &lt;sam@x.test&gt;") < html.index("<p>Text</p>")
    assert [part.get_payload(decode=True) for part in message.iter_attachments()] == [b"\0\1"]


def test_subjects_of_forwards() -> None:
    assert [letters.forward_subject(text) for text in ("x", "FW: x", "fwd: x")] == ["FW: x", "FW: x", "fwd: x"]


def test_a_refusal() -> None:
    header = b"Return-Path: <s@x.test>\r\nSubject: =_abc.1 is in it\r\nFrom: s@x.test\r\n\r\n"
    message = parsed(letters.refusal(WRITER, "s@x.test", "no reason", "5.7.1", header))
    assert message.get_content_type() == "multipart/report" and message.get_param("report-type") == "delivery-status"
    text, told, original = message.iter_parts()
    assert "no reason" in text.get_content()
    assert told.get_payload()[1]["Final-Recipient"] == "rfc822; alice@example.test"
    assert original.get_content_type() == "text/rfc822-headers" and "=_abc.1 is in it" in original.as_string()
    assert "Return-Path" not in original.as_string()


def test_a_bare_cr_brings_no_fields_in() -> None:
    raw = (
        b"Auto-Submitted: no\rReply-To: evil@x.test\r\rbody\r\nX-Gromoxd-Loop: a@b\rBcc: x@y\r\n"
        b"Content-Type: a/b\rX: y\r\n"
    )
    fields = unfold_fields(raw)
    assert any(b"\r" in value for _, value in fields)
    for made in (letters.carried(WRITER, fields), letters.body_of(WRITER, ["r@x.test"], "s", fields)):
        assert b"\r" not in made.replace(b"\r\n", b"")
        assert b"evil" not in made and b"Bcc" not in made and b"X: y" not in made
