"""Attachments that are more than a file: of a Macintosh, elsewhere, OLE, shown by the HTML."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from struct import pack

import pytest

from gromoxd.convert.appledouble import ENCODING, apple_double
from gromoxd.convert.compose import compose
from gromoxd.convert.composeattachments import is_shown
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.itemof import item_of_mime
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag


def macbinary(data: bytes, resource: bytes, extra: bytes = b"") -> bytes:
    head = bytearray(128)
    head[1] = 5
    head[2:7] = b"a.txt"
    head[65:73] = b"TEXTttxt"
    head[73] = 1
    head[83:91] = pack(">2L", len(data), len(resource))
    head[120:122] = pack(">H", len(extra))

    def fill(part: bytes) -> bytes:
        return part + bytes(-len(part) % 128)

    return bytes(head) + fill(extra) + fill(data) + fill(resource)


def test_macbinary_is_taken_apart_octet_by_octet() -> None:
    found = apple_double(macbinary(b"data", b"fork", b"more"))
    assert found is not None
    assert found.data == b"data"
    assert found.header == (
        bytes.fromhex("00051607 00020000") + bytes(16) + b"\x00\x03"
        + pack(">3L", 3, 62, 5) + pack(">3L", 9, 67, 32) + pack(">3L", 2, 99, 4)
        + b"a.txt" + b"TEXTttxt\x01\x00" + bytes(22) + b"fork"
    )  # fmt: skip


@pytest.mark.parametrize("cut", range(128))
def test_less_than_a_header_is_no_macbinary(cut: int) -> None:
    assert apple_double(macbinary(b"", b"")[:cut]) is None


def test_every_flipped_octet_of_macbinary_is_survived() -> None:
    whole = macbinary(b"data" * 50, b"fork")
    for at in range(len(whole)):
        for bit in range(8):
            apple_double(whole[:at] + bytes((whole[at] ^ 1 << bit,)) + whole[at + 1 :])


def only(item: Item) -> list[EmailMessage]:
    message = email.message_from_bytes(compose(item, host="example.test"), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return [part for part in message.walk() if isinstance(part, EmailMessage)]


def with_one(props: Bag, data: bytes = b"") -> Item:
    return Item({p.PidTagBody: "x"}, [], [ItemAttachment(props, data)])


def test_a_file_of_a_macintosh() -> None:
    """[MS-OXCMAIL] 2.1.3.4.3."""
    props: Bag = {p.PidTagAttachLongFilename: "a.txt", p.PidTagAttachMimeTag: "text/plain",
                  p.PidTagAttachEncoding: ENCODING}  # fmt: skip
    parts = only(with_one(props, macbinary(b"data", b"fork")))[2:]
    assert [part.get_content_type() for part in parts] == [
        "multipart/appledouble", "application/applefile", "text/plain"
    ]  # fmt: skip
    assert parts[2].get_payload(decode=True) == b"data"
    damaged = only(with_one(props, b"no MacBinary"))[2]
    assert damaged.get_content_type() == "text/plain" and damaged.get_payload(decode=True) == b"no MacBinary"


def test_a_file_with_the_header_of_a_macintosh() -> None:
    props: Bag = {p.PidTagAttachLongFilename: "a.pdf", n.PidNameAttachmentMacInfo: b"applefile",
                  n.PidNameAttachmentMacContentType: "application/pdf"}  # fmt: skip
    parts = only(with_one(props, b"data"))[3:]
    assert [(part.get_content_type(), part.get_payload(decode=True)) for part in parts] == [
        ("application/applefile", b"applefile"), ("application/pdf", b"data")
    ]  # fmt: skip


def test_what_is_elsewhere_is_referred_to() -> None:
    """RFC 2017."""
    props: Bag = {p.PidTagAttachMethod: 7, p.PidTagAttachLongPathname: "https://files.example/a ü.pdf",
                  p.PidTagAttachLongFilename: "a.pdf"}  # fmt: skip
    part = only(with_one(props))[2]
    assert part.get_content_type() == "message/external-body"
    assert part.get_param("URL") == "https://files.example/a%20%C3%BC.pdf"
    share: Bag = {p.PidTagAttachMethod: 4, p.PidTagAttachPathname: "\\\\server\\share\\a.pdf"}
    assert only(with_one(share))[2].get_param("URL") == "file://server/share/a.pdf"
    assert only(with_one({p.PidTagAttachMethod: 4}))[2].get_content_type() == "application/octet-stream"


def test_an_ole_object_is_its_octets() -> None:
    part = only(with_one({p.PidTagAttachMethod: 6}, b"\xd0\xcf\x11\xe0"))[2]
    assert part.get_filename() == "attachment.ole" and part.get_payload(decode=True) == b"\xd0\xcf\x11\xe0"


@pytest.mark.parametrize(
    ("props", "html", "shown"),
    [
        ({p.PidTagAttachContentId: "a@b"}, b'<img src="cid:a@b">', True),
        ({p.PidTagAttachContentId: "<a@b>"}, b'<img src="cid:a@b">', True),
        ({p.PidTagAttachContentId: "a#b"}, b'<img src="cid:a%23b">', True),
        ({p.PidTagAttachContentId: "a@b"}, b'<img src="cid:c@b">', False),
        ({p.PidTagAttachContentLocation: "http://x/y.png"}, b'<img src="http://x/y.png">', True),
        ({p.PidTagAttachContentLocation: ""}, b"x", False),
        ({}, b"cid:", False),
    ],
)
def test_what_the_html_shows(props: Bag, html: bytes, shown: bool) -> None:
    assert is_shown(ItemAttachment(props), html) is shown


def test_a_message_within_keeps_its_file_name() -> None:
    inner = Item({p.PidTagSubject: "inner"})
    props: Bag = {p.PidTagDisplayName: "Forwarded.eml"}
    assert only(Item({}, [], [ItemAttachment(props, b"", inner)]))[2].get_filename() == "Forwarded.eml"
    assert only(Item({}, [], [ItemAttachment({p.PidTagDisplayName: "inner"}, b"", inner)]))[2].get_filename() is None


def test_both_forks_of_a_file_come_back() -> None:
    """[MS-OXCMAIL] 2.2.3.4.2: what only a Macintosh knows of the file stays with it."""
    raw = (
        b"Content-Type: multipart/appledouble; boundary=b\r\n\r\n--b\r\nContent-Type: application/applefile; name=a\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nAAUWBwACAAA=\r\n--b\r\nContent-Type: image/gif; name=a.gif\r\n\r\n"
        b"GIF89a\r\n--b--\r\n"
    )
    (one,) = item_of_mime(raw, received=0).attachments
    assert one.props[n.PidNameAttachmentMacInfo] == bytes.fromhex("0005160700020000")
    message = email.message_from_bytes(compose(Item({}, [], [one]), host="example.test"))
    parts = [(part.get_content_type(), part.get_payload(decode=True)) for part in message.walk()][-3:]
    assert parts == [
        ("multipart/appledouble", None), ("application/applefile", bytes.fromhex("0005160700020000")),
        ("image/gif", b"GIF89a"),
    ]  # fmt: skip


def test_the_charset_of_a_text_stays() -> None:
    raw = b"Content-Type: text/plain; charset=koi8-r; name=a.txt\r\n\r\n\xc1\xc2\xd7\r\n"
    item = item_of_mime(raw, received=0)
    del item.props[p.PidTagTransportMessageHeaders]
    assert b'Content-Type: text/plain; charset="koi8-r"; name="a.txt"\r\n' in compose(item, host="example.test")
    item.attachments[0].props[p.PidTagTextAttachmentCharset] = 'x"; y='
    assert b'Content-Type: text/plain; name="a.txt"\r\n' in compose(item, host="example.test")
