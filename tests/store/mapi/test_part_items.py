"""Delivered mail that is also what one of its parts says, in the store: read when opened, kept when it changes."""

from __future__ import annotations

import base64

from gromoxd.convert.digest import digest_message
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.tnef import to_tnef
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import names as n
from gromoxd.exmdb import objects as o
from gromoxd.mapi import proptags as p
from gromoxd.mapi.named import PS_INTERNET_HEADERS, PS_PUBLIC_STRINGS, PropertyName
from tests.store.conftest import Harness
from tests.store.mapi.objects import attachments, bag, check_references, child, data_bag, did_of, listed, save

ODD = PropertyName(PS_PUBLIC_STRINGS, "Odd")
HTML = b"<p>" + b"h" * 40_000
HEAD = (
    b"From: Anna <a@b.example>\r\nTo: c@d.example\r\nSubject: rich\r\nMessage-ID: <t1@b.example>\r\n"
    b"X-Odd: =?utf-8?q?=C3=A4?=\r\n"
    b"List-Id: <l.example>\r\nAccept-Language: de-DE\r\nMIME-Version: 1.0\r\n"
)


def inner() -> Item:
    item = Item({p.PidTagSubject: "inner", p.PidTagBody: "y" * 20_000, p.PidTagMessageClass: "IPM.Note"}, [],
                [ItemAttachment({p.PidTagAttachMethod: 1, p.PidTagAttachLongFilename: "n.bin"}, b"deep")])  # fmt: skip
    item.props[item.foreign_id(ODD) << 16 | 0x1F] = "inner value"
    return item


def rich() -> bytes:
    item = Item(
        {p.PidTagMessageClass: "IPM.Note", p.PidTagHtml: HTML, p.PidTagInternetCodepage: 1252}, [],
        [ItemAttachment({p.PidTagAttachMethod: 1, p.PidTagAttachLongFilename: "a.txt"}, b"hello"),
         ItemAttachment({p.PidTagAttachMethod: 1, p.PidTagAttachLongFilename: "b.txt"}, b"z" * 50_000),
         ItemAttachment({p.PidTagAttachMethod: 5, p.PidTagDisplayName: "inner"}, b"", inner())],
    )  # fmt: skip
    item.props[item.foreign_id(ODD) << 16 | 0x1F] = "odd value"
    return (
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nplain\r\n"
        b"--b\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(to_tnef(item)) + b"\r\n--b--\r\n"
    )  # fmt: skip


def deliver(box: Harness, raw: bytes) -> int:
    digest = digest_message(raw, received=1)
    stored = box.call(c.Deliver(c.NewMessage(digest, raw, 1), "a@b.example", b"r1", b"f1"))
    return int(stored.mid)


def opened(box: Harness, mid: int, path: list[int] | None = None, tags: list[int] | None = None) -> o.Message:
    what = o.PROPS | o.RECIPIENTS | o.ATTACHMENTS
    message = box.call(o.OpenMessage(mid, path or [], what, tags))
    assert isinstance(message, o.Message)
    return message


def named(box: Harness, name: PropertyName) -> int:
    (number,) = box.call(n.GetPropertyIds([n.Name(name.guid, -1, str(name.key))]))
    return int(number)


def test_what_is_in_a_winmail_is_the_messages(box: Harness) -> None:
    mid = deliver(box, rich())
    message = opened(box, mid)
    odd = named(box, ODD)
    assert odd >= 0x9000 and message.props[odd << 16 | 0x1F] == "odd value"
    assert message.big[p.PidTagHtml] == len(HTML)
    assert box.call(o.ReadValue(mid, p.PidTagHtml, 0, 1 << 20)) == HTML
    assert opened(box, mid, tags=[p.PidTagBody]).props[p.PidTagBody] == "plain"
    assert opened(box, mid, tags=[p.PidTagInternetCodepage]).props[p.PidTagInternetCodepage] == 1252
    assert not {p.PROP_PART_ITEM, p.PROP_PART_VALUES} & message.props.keys()
    first, second, third = message.attachments
    assert (first.props[p.PidTagAttachDataBinary], first.embedded) == (b"hello", False)
    assert second.big == {p.PidTagAttachDataBinary: 50_000}
    assert box.call(o.ReadValue(mid, p.PidTagAttachDataBinary, 10, 5, [], 1)) == b"zzzzz"
    assert third.embedded


def test_a_message_embedded_in_a_winmail(box: Harness) -> None:
    mid = deliver(box, rich())
    message = opened(box, mid, [2])
    assert (message.props[p.PidTagSubject], message.big[p.PidTagBody]) == ("inner", 40_000)
    assert message.props[named(box, ODD) << 16 | 0x1F] == "inner value"
    assert message.attachments[0].props[p.PidTagAttachDataBinary] == b"deep"
    assert box.call(o.ReadValue(mid, p.PidTagBody, 0, 6, [2])) == "yyy".encode("utf-16-le")


def test_what_changes_stands_alone(box: Harness) -> None:
    mid = deliver(box, rich())
    old = listed(box, mid)
    saved = save(box, {p.PidTagSubject: "other", p.PidTagBody: "new"}, old["fid"], mid, old["cn"])
    did = did_of(box, saved.mid)
    stored = data_bag(box, did)
    assert p.PROP_PART_ITEM not in stored and p.PROP_PART_VALUES not in stored
    assert attachments(box, did)[0][p.PidTagAttachDataBinary] == b"hello"
    assert data_bag(box, child(box, did, 2))[p.PidTagSubject] == "inner"
    assert opened(box, mid, [2]).attachments[0].props[p.PidTagAttachDataBinary] == b"deep"
    check_references(box)


def test_header_fields_by_name(box: Harness) -> None:
    """[MS-OXCMAIL] 2.2.3.2.29: nothing is stored; a mailbox reads those that it has names for."""
    mid = deliver(box, HEAD + b"\r\nx")
    language = 0x81C7001F
    assert opened(box, mid).props[language] == "de-DE"
    assert opened(box, mid, tags=[language]).props == {language: "de-DE"}
    (number,) = box.call(n.MakePropertyIds([n.Name(PS_INTERNET_HEADERS, -1, "X-Odd")]))
    tag = number << 16 | 0x1F
    assert opened(box, mid).props[tag] == "ä"
    assert opened(box, mid, tags=[tag, language]).props == {tag: "ä", language: "de-DE"}
    assert not {language, tag} & bag(box, mid).keys()
    assert box.call(n.GetPropertyIds([n.Name(PS_INTERNET_HEADERS, -1, "list-id")])) == [0]
