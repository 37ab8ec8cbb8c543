"""What a message that is made anew keeps of its first header."""

from __future__ import annotations

from gromoxd.convert.compose import compose
from gromoxd.convert.headers import parse_addresses, unfold_fields
from gromoxd.convert.item import Item
from gromoxd.convert.itemof import item_of_mime
from gromoxd.convert.keptheader import MAX_FIELDS, transport_headers, with_kept
from gromoxd.mapi import proptags as p
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


def head_of(item: Item) -> dict[str, list[str]]:
    raw = compose(item, host="example.test")
    found: dict[str, list[str]] = {}
    for name, value in unfold_fields(raw[: raw.index(b"\r\n\r\n") + 4]):
        found.setdefault(name.decode(), []).append(value.decode())
    return found


SAID = (
    b"Date: Tue,  24 Nov 2026 11:55:31 +0100 (CET)\r\nFrom: Ann <a@b.org>, Bob <b@b.org>\r\n"
    b"To: team: Carl <c@b.org>, d@b.org;, Eve <e@b.org>\r\nCc: undisclosed:;\r\nReply-To: x: y@b.org;\r\n"
    b'In-Reply-To: Message from Bob <b@b.org> of "Mon" <1@b.org>\r\nSubject: =?iso-8859-1?q?gr=FCn?=\r\n'
    b"X-Priority: 3 (Normal)\r\nImportance: Normal\r\nX-AntiAbuse: one\r\nX-AntiAbuse: two\r\nMessage-ID: <2@b.org>\r\n"
    b"Content-Language: de\r\nAuto-Submitted: auto-generated (failure)\r\nPrecedence: bulk\r\nContent-Type: text/plain"
    b"\r\n\r\ntext"
)


def test_what_properties_still_say_stays_as_it_came() -> None:
    head = head_of(item_of_mime(SAID, received=0))
    for name, value in unfold_fields(SAID[: SAID.index(b"\r\n\r\n") + 4]):
        if name != b"Content-Type":
            assert value.decode() in head[name.decode()], name
    assert head["X-AntiAbuse"] == ["one", "two"]
    assert not head.keys() & {"Sender", "Thread-Topic", "X-Auto-Response-Suppress"}
    assert all(len(values) == 1 for name, values in head.items() if name != "X-AntiAbuse")


def test_what_somebody_changed_is_made_of_properties() -> None:
    item = item_of_mime(SAID, received=0)
    item.props |= {
        p.PidTagSubject: "new", p.PidTagImportance: 2, p.PidTagSentRepresentingName: "Zoe",
        p.PidTagClientSubmitTime: 0x1DC5D0000000000, p.PidTagInReplyToId: "<9@b.org>",
    }  # fmt: skip
    item.recipients = item.recipients[:1]
    (tag,) = [tag for tag, value in item.props.items() if value == "one"]
    item.props[tag] = "three"
    head = head_of(item)
    assert (head["Subject"], head["Importance"], head["X-Priority"]) == (["new"], ["High"], ["1"])
    assert head["From"] == ["Zoe <a@b.org>"] and head["To"] == ["Carl <c@b.org>"]
    assert head["In-Reply-To"] == ["<9@b.org>"] and "CET" not in head["Date"][0]
    assert head["x-antiabuse"] == ["three"] and "X-AntiAbuse" not in head


def test_the_id_that_a_reply_names() -> None:
    """RFC 5322 3.6.4 against what programs wrote before it: words, and addresses among them."""
    for value, wanted in (
        (b"<1@b> <2@b>", "<1@b>"), (b'Message from Bob <b@b.org> of "Mon" <1@b.org>', "<1@b.org>"),
        (b"<1@b>; from bob@b.org on Mon", "<1@b>"), (b"<1@b>; from Bob <b@b> on Mon", "<1@b>"), (b"none", "none"),
    ):  # fmt: skip
        item = item_of_mime(b"In-Reply-To: " + value + b"\r\n\r\n", received=0)
        assert item.props[p.PidTagInReplyToId] == wanted


def test_letters_in_addresses_and_groups() -> None:
    raw = 'From: J\u00f6hn <j\u00f6@m\u00e4.example>\r\nTo: gr\u00fcn: "A, b" <a@b>, c@d;, e@f\r\n\r\n'.encode()
    composed = compose(item_of_mime(raw, received=0), host="example.test")
    assert "<j\u00f6@m\u00e4.example>".encode() in composed
    back = parse_addresses(dict(unfold_fields(composed))[b"To"])
    assert [one.mailbox for one in back] == [b"=?utf-8?Q?gr=C3=BCn?=", b"a", b"c", None, b"e"]


def test_what_is_no_header_does_no_harm() -> None:
    def kept(headers: str) -> list[bytes]:
        return with_kept(Item({PidTagTransportMessageHeaders: headers}), [b"A: made\r\n"])

    assert with_kept(Item(), [b"A: made\r\n"]) == [b"A: made\r\n"]
    assert kept("no colon\r\n: empty\r\nb\u00e4d: x\r\nX y: z\r\n") == [b"A: made\r\n"]
    assert len(kept("X-A: b\r\n" * 2000)) == MAX_FIELDS + 1
    assert kept("A: made\r\nA: again\r\n") == [b"A: made\r\n", b"A: again\r\n"]
    assert max(map(len, b"".join(kept(f"X-B: {'c' * 3000}\r\nTo: {'d' * 3000}\r\n")).split(b"\r\n"))) <= 998
    assert transport_headers("X: a\0b\xe4\r\n".encode("latin-1")) == "X: ab\u00e4\r\n"


def test_no_line_is_too_long() -> None:
    long = "x" * 1200
    head = f'Message-ID: <{long}@b>\r\nReferences: <1@b> <{long}\u20ac@b>\r\nTo: "{long[:950]}" <{long[:880]}@b>\r\n'
    head += f'Cc: \u20ac{long} <"{long[:600]} y"@b>\r\nFrom: g: \u20ac{long} <"a b"@c>;\r\n\r\n'
    for bcc in (False, True):
        raw = compose(item_of_mime(head.encode(), received=0), host="example.test", bcc=bcc)
        assert max(map(len, raw.split(b"\r\n"))) <= 998
        assert raw.count(b"Message-ID:") == 1
        found = dict(unfold_fields(raw))
        assert found[b"References"] == b"<1@b>" and len(found[b"Message-ID"]) < 100
        assert [one.host for one in parse_addresses(found[b"To"])] == [b"b"]
