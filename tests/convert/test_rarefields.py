"""Properties of header fields that few messages have ([MS-OXCMAIL] 2.2.3.2), message classes by Content-Class."""

from __future__ import annotations

import pytest

from gromoxd.convert.digest import digest_message
from gromoxd.convert.internetheaders import internet_headers
from gromoxd.convert.itemof import item_of_mime
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, decode_bag
from gromoxd.mapi.named import PS_INTERNET_HEADERS, PropertyName
from gromoxd.mapi.times import filetime
from gromoxd.mapi.types import PropValue

WHEN = b"Tue, 14 Nov 2023 22:13:20 +0000"


def props(head: bytes) -> Bag:
    return decode_bag(digest_message(head + b"\r\n\r\nx", received=0).props)


@pytest.mark.parametrize(
    ("head", "tag", "value"),
    [
        (b"Expires: " + WHEN, p.PidTagExpiryTime, filetime(1_700_000_000)),
        (b"Expiry-Date: " + WHEN, p.PidTagExpiryTime, filetime(1_700_000_000)),
        (b"Expires: soon", p.PidTagExpiryTime, None),
        (b"Reply-By: " + WHEN, p.PidTagReplyTime, filetime(1_700_000_000)),
        (b"X-Message-Flag: =?utf-8?q?Pr=C3=BCfen?=", n.PidLidFlagRequest, "Prüfen"),
        (b"X-Auto-Response-Suppress: RN, NRN", p.PidTagAutoResponseSuppress, 0x0C),
        (b"X-Auto-Response-Suppress: All", p.PidTagAutoResponseSuppress, -1),
        (b"X-Auto-Response-Suppress: None", p.PidTagAutoResponseSuppress, 0),
        (b"X-Auto-Response-Suppress: OOF\r\nPrecedence: bulk\r\nAuto-Submitted: auto-replied",
         p.PidTagAutoResponseSuppress, 0x10),
        (b"Auto-Submitted: auto-generated; x", p.PidTagAutoResponseSuppress, 0x30),
        (b"Auto-Submitted: no", p.PidTagAutoResponseSuppress, None),
        (b"Precedence: list", p.PidTagAutoResponseSuppress, 0x30),
        (b"Precedence: first-class", p.PidTagAutoResponseSuppress, None),
        (b"X-MS-Exchange-Organization-AutoForwarded: true", p.PidTagAutoForwarded, True),
        (b"Organization: ACME", p.PidTagInternetOrganization, "ACME"),
        (b"X-CallingTelephoneNumber: +49 1", p.PidTagSenderTelephoneNumber, "+49 1"),
        (b"X-VoiceMessageDuration: 42", p.PidTagVoiceMessageDuration, 42),
        (b"X-FaxNumberOfPages: many", p.PidTagFaxNumberOfPages, None),
        (b"X-Microsoft-Classified: true\r\nX-Microsoft-Classification: Secret", n.PidLidClassification, "Secret"),
        (b"X-Microsoft-Classification: Secret", n.PidLidClassification, None),
        (b"X-Microsoft-Classified: true\r\nX-Microsoft-ClassKeep: false", n.PidLidClassificationKeep, False),
        (b"Disposition-Notification-To: a@b.example", p.PidTagNonReceiptNotificationRequested, True),
    ],
)  # fmt: skip
def test_fields(head: bytes, tag: int, value: PropValue) -> None:
    assert props(head).get(tag) == value


AUDIO = b"\r\nContent-Type: audio/wav; name=v.wav"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"Content-Class: voice" + AUDIO, "IPM.Note.Microsoft.Voicemail.UM"),
        (b"Content-Class: Voice-CA" + AUDIO, "IPM.Note.Microsoft.Voicemail.UM.CA"),
        (b"Content-Class: voice", "IPM.Note"),
        (b"Content-Class: fax\r\nContent-Type: image/tiff", "IPM.Note.Microsoft.Fax"),
        (b"Content-Class: missedcall", "IPM.Note.Microsoft.Missed.Voice"),
        (b"Content-Class: urn:content-class:custom.Leave", "IPM.Note.Custom.Leave"),
        (b"Content-Class: InfoPathForm.Order.Form1", "IPM.InfoPathForm.Order"),
        (
            b"Content-Class: InfoPathForm.Order.F\r\nContent-Type: application/pkcs7-mime",
            "IPM.InfoPathForm.Order.SMIME",
        ),
        (b"Content-Class: rpmsg.message", "IPM.Note"),
        (b"Content-Type: application/pkcs7-mime; smime-type=certs-only; name=x.p7c", "IPM.Note"),
        (b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data", "IPM.Note.SMIME"),
    ],
)
def test_classes(head: bytes, kind: str) -> None:
    """[MS-OXCMAIL] 2.2.3.2.15, [MS-OXOSMIME] 2.1."""
    assert props(head)[p.PidTagMessageClass] == kind


def test_infopath_form_name() -> None:
    assert props(b"Content-Class: InfoPathForm.Order.Form1")[n.PidLidInfoPathFormName] == "Form1"


def test_other_fields_have_their_names() -> None:
    """[MS-OXCMAIL] 2.2.3.2.29."""
    head = (
        b"Received: from x\r\nFrom: a@b.example\r\nX-Odd: =?utf-8?q?=C3=A4?=\r\nx-odd: second\r\n"
        b"List-Id: <l.example>\r\n"
        b"X-MS-Exchange-Organization-SCL: 9\r\nX-MS-Exchange-Organization-AuthAs: Internal\r\n"
        b"Content-Type: text/plain\r\n"
        b"List-Help: <mailto:h@b.example>\r\n\r\n"
    )
    assert list(internet_headers(head)) == [
        ("x-odd", "ä"), ("list-id", "<l.example>"), ("x-ms-exchange-organization-authas", "Internal")
    ]  # fmt: skip
    item = item_of_mime(head, received=0)
    number = item.foreign_id(PropertyName(PS_INTERNET_HEADERS, "list-id"))
    assert item.props[number << 16 | 0x1F] == "<l.example>"


def test_an_item_has_keywords_and_is_a_draft_if_it_says_so() -> None:
    item = item_of_mime(b"Keywords: red, =?utf-8?q?gr=C3=BCn?=, \r\nX-Unsent: 1\r\n\r\n", received=0)
    assert item.props[n.PidNameKeywords] == ["red", "grün"]
    assert item.props[p.PidTagMessageFlags] == 9


def test_raw_octets_in_a_header_are_of_the_bodys_charset() -> None:
    raw = "Subject: Привет\r\nTo: Иван <i@b.example>\r\nContent-Type: text/plain; charset=koi8-r\r\n\r\n".encode(
        "koi8_r"
    )
    bag = decode_bag(digest_message(raw, received=0).props)
    assert (bag[p.PidTagSubject], bag[p.PidTagDisplayTo]) == ("Привет", "Иван")
