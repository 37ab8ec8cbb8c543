"""Header fields of composed messages that only some messages have ([MS-OXCMAIL] 2.1.3.2)."""

from __future__ import annotations

import email
import email.policy

import pytest

from gromoxd.convert.compose import compose
from gromoxd.convert.headers import field_map
from gromoxd.convert.item import Item
from gromoxd.convert.itemof import item_of_mime
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import PS_INTERNET_HEADERS, PropertyName
from gromoxd.mapi.times import filetime
from gromoxd.mapi.types import PropType

WHEN = filetime(1_795_511_759)


def fields(item: Item, **more: bool) -> dict[bytes, bytes]:
    raw = compose(item, host="example.test", **more)
    return dict(field_map(raw[: raw.index(b"\r\n\r\n") + 4]))


def named(**texts: str | int | bool) -> Item:
    item = Item()
    for name, value in texts.items():
        kind = PropType.PtypBoolean if isinstance(value, bool) else (
            PropType.PtypInteger32 if isinstance(value, int) else PropType.PtypString
        )  # fmt: skip
        id_ = item.foreign_id(PropertyName(PS_INTERNET_HEADERS, name.replace("_", "-")))
        item.props[id_ << 16 | kind] = value
    return item


@pytest.mark.parametrize(
    ("props", "name", "text"),
    [
        ({p.PidTagExpiryTime: WHEN}, b"expires", b"Tue, 24 Nov 2026 09:15:59 +0000"),
        ({p.PidTagReplyTime: WHEN}, b"reply-by", None),
        ({p.PidTagReplyTime: WHEN, n.PidLidFlagRequest: "Follow up"}, b"reply-by", b"Tue, 24 Nov 2026 09:15:59 +0000"),
        ({n.PidLidFlagRequest: "Follow up"}, b"x-message-flag", b"Follow up"),
        ({p.PidTagAutoResponseSuppress: -1}, b"x-auto-response-suppress", b"All"),
        ({p.PidTagAutoResponseSuppress: 0}, b"x-auto-response-suppress", None),
        ({p.PidTagAutoResponseSuppress: 0x15}, b"x-auto-response-suppress", b"DR, RN, OOF"),
        ({p.PidTagAutoResponseSuppress: 0x2A}, b"x-auto-response-suppress", b"NDR, NRN, AutoReply"),
        ({p.PidTagMessageClass: "IPM.Note.Rules.OofTemplate.Microsoft"}, b"auto-submitted", b"auto-replied"),
        ({p.PidTagMessageClass: "IPM.Note.Rules.ReplyTemplate.Microsoft"}, b"auto-submitted", b"auto-replied"),
        ({p.PidTagAutoForwarded: True}, b"auto-submitted", b"auto-generated"),
        ({p.PidTagMessageClass: "IPM.Note"}, b"auto-submitted", None),
        ({n.PidLidClassified: True, n.PidLidClassification: "Secret"}, b"x-microsoft-classification", b"Secret"),
        ({n.PidLidClassified: True, n.PidLidClassificationKeep: False}, b"x-microsoft-classkeep", None),
        ({n.PidLidClassified: True, n.PidLidClassificationKeep: True}, b"x-microsoft-classkeep", b"true"),
        ({n.PidLidClassification: "Secret"}, b"x-microsoft-classification", None),
        ({n.PidNameAcceptLanguage: "de-DE, en"}, b"accept-language", b"de-DE, en"),
        ({n.PidNameContentClass: "urn:x"}, b"content-class", b"urn:x"),
    ],
)
def test_fields_of_properties(props: Bag, name: bytes, text: bytes | None) -> None:
    assert fields(Item(props)).get(name) == text


def test_fields_by_their_own_names() -> None:
    found = fields(named(X_Spam="Yes, 7", List_Id="<l.example>", X_Number=7, X_Flag=True, Received="no", From="no"))
    assert found[b"x-spam"] == b"Yes, 7" and found[b"list-id"] == b"<l.example>"
    assert found[b"x-number"] == b"7" and found[b"x-flag"] == b"true"
    assert b"received" not in found and b"from" not in found


def test_what_a_property_says_is_said_once() -> None:
    item = named(X_Message_Flag="other", List_Id="<new>")
    item.props |= {n.PidLidFlagRequest: "mine", p.PidTagTransportMessageHeaders: "List-Id: <old>\r\nX-Other: 1\r\n"}
    raw = compose(item, host="example.test")
    assert raw.count(b"List-Id:") == raw.count(b"X-Message-Flag:") == raw.count(b"X-Other:") == 1
    assert b"X-Message-Flag: mine\r\n" in raw and b"List-Id: <new>\r\n" in raw


@pytest.mark.parametrize(
    ("page", "text", "charset"),
    [(1252, "grün", "windows-1252"), (28591, "grün", "iso-8859-1"), (1251, "Привет", "windows-1251"),
     (28591, "€", "utf-8"), (1252, "plain", "us-ascii"), (50220, "日本語", "iso-2022-jp"), (932, "日本語", "shift_jis"),
     (1200, "grün", "utf-8"), (500, "grün", "utf-8"), (99999, "grün", "utf-8"), (65000, "grün", "utf-8")],
)  # fmt: skip
def test_text_is_in_the_code_page_that_carries_it(page: int, text: str, charset: str) -> None:
    raw = compose(Item({p.PidTagBody: text, p.PidTagInternetCodepage: page}), host="example.test")
    part = email.message_from_bytes(raw, policy=email.policy.default)
    assert part.get_content_charset() == charset
    assert part.get_content() == text


def test_categories_are_the_owners() -> None:
    """They are in what is kept and exported, not in what is sent (RFC 5322 3.6.5)."""
    item = Item({n.PidNameKeywords: ["red", "gr\u00fcn", ""], p.PidTagBody: "x"})
    back = item_of_mime(compose(item, host="example.test"), received=0)
    assert back.props[n.PidNameKeywords] == ["red", "gr\u00fcn"]
    assert b"keywords" not in fields(item, bcc=False)
    item = item_of_mime(b"Keywords: a,b , c\r\n\r\n", received=0)
    assert fields(item)[b"keywords"] == b"a,b , c"
    item.props[n.PidNameKeywords] = ["d"]
    assert compose(item, host="example.test").count(b"Keywords: d\r\n") == 1
