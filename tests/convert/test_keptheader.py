"""What a message that is made anew keeps of its first header."""

from __future__ import annotations

from gromoxd.convert.compose import compose
from gromoxd.convert.headers import unfold_fields
from gromoxd.convert.item import Item
from gromoxd.convert.keptheader import MAX_FIELDS, kept_fields, transport_headers
from gromoxd.mapi.proptags import PidTagSubject, PidTagTransportMessageHeaders

HEADER = (
    "Received: from a by b;\r\n\tTue, 24 Nov 2026 10:55:31 +0000\r\nDKIM-Signature: v=1; a=rsa-sha256\r\n"
    "Subject: old\r\nTo: x@example.test\r\nX-Spam: no\r\nContent-Type: text/plain\r\nMIME-Version: 1.0\r\n\r\n"
)


def test_trace_and_extensions_stay() -> None:
    raw = compose(Item({PidTagSubject: "new", PidTagTransportMessageHeaders: HEADER}), host="example.test")
    fields = dict(unfold_fields(raw[: raw.index(b"\r\n\r\n") + 4]))
    assert fields[b"Received"] == b"from a by b; Tue, 24 Nov 2026 10:55:31 +0000"
    assert fields[b"X-Spam"] == b"no"
    assert fields[b"Subject"] == b"new"
    assert b"To" not in fields
    assert raw.count(b"MIME-Version:") == 1
    assert raw.startswith(b"Received:")


def test_a_message_that_is_sent_leaves_it_behind() -> None:
    raw = compose(Item({PidTagTransportMessageHeaders: HEADER}), host="example.test", bcc=False)
    assert b"Received" not in raw


def test_what_is_no_header_does_no_harm() -> None:
    assert kept_fields(None) == []
    assert kept_fields("no colon\r\n: empty\r\nb\u00e4d: x\r\nX y: z\r\n") == []
    assert len(kept_fields("X-A: b\r\n" * 2000)) == MAX_FIELDS
    assert transport_headers(b"X: a\0b\xe4\r\n") == "X: ab\u00e4\r\n"
