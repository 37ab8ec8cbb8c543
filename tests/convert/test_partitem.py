"""Mail that is also what one of its parts says: winmail.dat, meetings, uuencoded files, and rare attachments."""

from __future__ import annotations

import base64
import binascii
import random

import pytest

from gromoxd.convert.digest import digest_message
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.itemof import item_of_mime
from gromoxd.convert.partitem import part_values
from gromoxd.convert.tnef import to_tnef
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, check_bag, decode_bag, decode_bags
from gromoxd.mapi.named import PS_PUBLIC_STRINGS, PropertyName

HEAD = b"From: Anna <a@b.example>\r\nTo: c@d.example\r\nSubject: of the header\r\nMIME-Version: 1.0\r\n"
ODD = PropertyName(PS_PUBLIC_STRINGS, "Odd")
HTML = b"<p>" + b"h" * 40_000


def inner() -> Item:
    return Item({p.PidTagSubject: "inner", p.PidTagBody: "x" * 20_000, p.PidTagMessageClass: "IPM.Note"}, [],
                [ItemAttachment({p.PidTagAttachMethod: 1, p.PidTagAttachLongFilename: "n.bin"}, b"deep")])  # fmt: skip


def rich() -> Item:
    item = Item(
        {p.PidTagSubject: "of TNEF", p.PidTagMessageClass: "IPM.Contact", p.PidTagHtml: HTML, p.PidTagImportance: 2,
         p.PidTagInternetCodepage: 1252, p.PidTagTnefCorrelationKey: b"<1@b.example>\0"},
        [], [ItemAttachment({p.PidTagAttachMethod: 1, p.PidTagAttachLongFilename: "a.txt"}, b"hello"),
             ItemAttachment({p.PidTagAttachMethod: 5, p.PidTagDisplayName: "inner"}, b"", inner())],
    )  # fmt: skip
    item.props[item.foreign_id(ODD) << 16 | 0x1F] = "odd value"
    return item


def winmail(data: bytes, fields: bytes = b"") -> bytes:
    return (
        HEAD + fields + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nplain\r\n"
        b"--b\r\nContent-Type: text/csv; name=t.csv\r\n\r\n1,2\r\n"
        b"--b\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(data) + b"\r\n--b--\r\n"
    )  # fmt: skip


def files(raw: bytes) -> list[Bag]:
    return [decode_bag(one) for one in digest_message(raw, received=0).attachments]


def test_winmail_at_delivery() -> None:
    digest = digest_message(winmail(to_tnef(rich())), received=0)
    bag = decode_bag(digest.props)
    assert digest.message_class == "IPM.Contact" == bag[p.PidTagMessageClass]
    assert (bag[p.PidTagSubject], bag[p.PidTagImportance], bag[p.PidTagInternetCodepage]) == ("of the header", 2, 1252)
    assert bag[p.PROP_PART_ITEM] == "3"
    assert part_values(bag) == {p.PidTagHtml: len(HTML)}
    assert p.PidTagHtml not in bag
    ((number, guid, key),) = digest.names
    assert ((guid, key), bag[number << 16 | 0x1F]) == (ODD, "odd value")
    assert [(one[p.PROP_PART_PATH], one[p.PidTagAttachMethod], one[p.PidTagAttachNumber]) for one in
            map(decode_bag, digest.attachments)] == [("2", 1, 0), ("3!0", 1, 1), ("3!1", 5, 2)]  # fmt: skip


def test_winmail_as_an_item() -> None:
    item = item_of_mime(winmail(to_tnef(rich())), received=0)
    assert (item.props[p.PidTagHtml], item.props[p.PidTagBody]) == (HTML, "plain")
    assert [one.data for one in item.attachments[:2]] == [b"1,2", b"hello"]
    embedded = item.attachments[2].embedded
    assert embedded is not None and embedded.props[p.PidTagSubject] == "inner"
    assert embedded.attachments[0].data == b"deep"
    assert item.names and not {p.PROP_PART_ITEM, p.PROP_PART_VALUES} & item.props.keys()


def test_the_headers_words_win_where_it_has_any() -> None:
    bag = decode_bag(digest_message(winmail(to_tnef(rich()), b"Importance: low\r\n"), received=0).props)
    assert (bag[p.PidTagImportance], bag[p.PidTagSenderName]) == (0, "Anna")


@pytest.mark.parametrize(("key", "belongs"), [(b"<1@b.example>", True), (b"<2@b.example>", False), (b"", True)])
def test_a_winmail_of_another_message_is_a_file(key: bytes, belongs: bool) -> None:
    """[MS-OXCMAIL] 2.1.3.2.26."""
    raw = winmail(to_tnef(rich()), b"X-MS-TNEF-Correlator: " + key + b"\r\n")
    assert digest_message(raw, received=0).message_class == ("IPM.Contact" if belongs else "IPM.Note")
    assert [one[p.PROP_PART_PATH] for one in files(raw)] == (["2", "3!0", "3!1"] if belongs else ["2", "3"])


def test_a_broken_winmail_is_a_file() -> None:
    assert [one[p.PidTagAttachLongFilename] for one in files(winmail(b"no TNEF"))] == ["t.csv", "winmail.dat"]


# ---------------------------------------------------------------------------------------------- meetings

EVENT = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:%b\r\nBEGIN:VEVENT\r\nUID:1@x\r\nDTSTAMP:20270101T000000Z\r\n"
    b"DTSTART:20270102T100000Z\r\nDTEND:20270102T110000Z\r\nSUMMARY:of the event\r\nLOCATION:Room 7\r\n"
    b"ORGANIZER:mailto:a@b.example\r\nATTENDEE:mailto:c@d.example\r\nATTENDEE:mailto:e@f.example\r\n"
    b"END:VEVENT\r\nEND:VCALENDAR\r\n"
)


def meeting(method: bytes) -> bytes:
    return (
        HEAD + b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nplain\r\n"
        b"--b\r\nContent-Type: text/calendar; charset=utf-8; method=" + method + b"\r\n\r\n"
        + EVENT % method + b"--b--\r\n"
    )  # fmt: skip


def test_a_meeting_request() -> None:
    digest = digest_message(meeting(b"REQUEST"), received=0)
    bag = decode_bag(digest.props)
    assert digest.message_class == "IPM.Schedule.Meeting.Request"
    assert (bag[n.PidLidLocation], bag[p.PidTagSubject]) == ("Room 7", "of the header")
    assert n.PidLidAppointmentStartWhole in bag and n.PidLidGlobalObjectId in bag
    assert digest.attachments == []
    people = [one[p.PidTagEmailAddress] for one in decode_bags(digest.recipients)]
    assert people[0] == "c@d.example" and "e@f.example" in people
    assert item_of_mime(meeting(b"REQUEST"), received=0).props[p.PidTagBody] == "plain"


def test_what_a_stranger_s_winmail_does_not_say() -> None:
    item = rich()
    claimed: Bag = {
        p.PidTagSentRepresentingEntryId: b"boss", p.PidTagSentRepresentingSearchKey: b"SMTP:BOSS@X\0",
        p.PidTagSentRepresentingEmailAddress: "boss@x", p.PidTagSenderEntryId: b"boss", p.PidTagSenderSearchKey: b"b",
        p.PidTagContentFilterSpamConfidenceLevel: -1, p.PidTagProcessed: True, p.PROP_CREATOR: "mallory@x",
    }  # fmt: skip
    item.props |= claimed
    bag = decode_bag(digest_message(winmail(to_tnef(item)), received=0).props)
    assert bag[p.PidTagSentRepresentingEmailAddress] == "a@b.example"
    assert claimed.keys() & bag.keys() == {p.PidTagSentRepresentingEmailAddress}


@pytest.mark.parametrize(
    ("method", "kind"),
    [(b"CANCEL", "IPM.Schedule.Meeting.Canceled"), (b"COUNTER", "IPM.Schedule.Meeting.Resp.Tent"),
     (b"PUBLISH", "IPM.Note")],
)  # fmt: skip
def test_other_methods(method: bytes, kind: str) -> None:
    digest = digest_message(meeting(method), received=0)
    assert digest.message_class == kind
    assert len(digest.attachments) == (kind == "IPM.Note")


def test_mail_that_is_a_calendar_alone() -> None:
    raw = HEAD + b"Content-Type: text/calendar; method=REQUEST\r\n\r\n" + EVENT % b"REQUEST"
    digest = digest_message(raw, received=0)
    assert (digest.message_class, digest.attachments) == ("IPM.Schedule.Meeting.Request", [])


# ---------------------------------------------------------------------------------------------- older and rarer


def uuencoded(data: bytes, name: bytes) -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)]
    return b"begin 644 " + name + b"\n" + b"".join(lines) + b"`\nend\n"


def test_uuencoded_files_in_old_mail() -> None:
    raw = (
        b"Subject: old\n\nbefore\n"
        + uuencoded(b"\x00" * 100, b"z.bin")
        + b"between\n"
        + uuencoded(b"abc", b"../y")
        + b"x\n"
    )
    item = item_of_mime(raw, received=0)
    assert [(one.props[p.PidTagAttachLongFilename], one.data) for one in item.attachments] == [
        ("z.bin", b"\x00" * 100), (".._y", b"abc")
    ]  # fmt: skip
    assert str(item.props[p.PidTagBody]).split() == ["before", "between", "x"]
    mime = b"Content-Type: text/plain\n" + raw
    assert item_of_mime(mime, received=0).attachments == []


def test_uuencode_as_a_transfer_encoding() -> None:
    raw = b"Content-Type: a/b; name=f\nContent-Transfer-Encoding: x-uuencode\n\n" + uuencoded(b"some data" * 20, b"f")
    assert item_of_mime(raw, received=0).attachments[0].data == b"some data" * 20


def test_external_bodies() -> None:
    """[MS-OXCMAIL] 2.2.3.5."""
    part = (
        b"Content-Type: message/external-body; access-type=%b; site=ftp.example; directory=pub;"
        b' name="a.zip"; mode=image'
    )
    head = b"\r\n\r\nContent-Type: application/zip\r\n\r\n"
    link = item_of_mime(part % b"anon-ftp" + head, received=0).attachments[0]
    assert link.data == b"[InternetShortcut]\r\nURL=ftp://ftp.example/pub/a.zip;type=i\r\n"
    assert link.props[p.PidTagAttachLongFilename] == "a.url"
    raw = (
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + part % b"mail-server" + head + b"--b--\r\n"
    )
    assert item_of_mime(raw, received=0).attachments[0].data.startswith(b"Content-Type: message/external-body")


def test_appledouble_is_one_file() -> None:
    raw = (
        HEAD + b"Content-Type: multipart/appledouble; boundary=b\r\n\r\n"
        b'--b\r\nContent-Type: application/applefile; name="%pic"\r\n\r\nresource\r\n'
        b"--b\r\nContent-Type: image/gif; name=pic.gif\r\n\r\nGIF\r\n--b--\r\n"
    )
    (one,) = item_of_mime(raw, received=0).attachments
    assert (one.props[p.PidTagAttachLongFilename], one.data) == ("pic.gif", b"GIF")
    assert one.props[n.PidNameAttachmentMacContentType] == "image/gif"


def test_pictures_without_html_are_shown_as_files() -> None:
    raw = (
        HEAD + b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n"
        b"--b\r\nContent-Type: image/png\r\nContent-ID: <i>\r\n\r\nx\r\n--b--\r\n"
    )
    assert p.PidTagAttachmentHidden not in files(raw)[0]
    assert files(raw.replace(b"--b\r\n\r\ntext", b"--b\r\nContent-Type: text/html\r\n\r\n<p>"))[0][
        p.PidTagAttachmentHidden
    ]


# ---------------------------------------------------------------------------------------------- any octets


def check(raw: bytes) -> None:
    digest = digest_message(raw, received=0)
    item = item_of_mime(raw, received=0)
    for bag in (decode_bag(digest.props), *map(decode_bag, digest.attachments), *decode_bags(digest.recipients)):
        check_bag(bag)
    check_bag(item.props)


@pytest.mark.slow
def test_broken_parts() -> None:
    """Each octet of a small winmail.dat and of a meeting changed, and each cut."""
    odd = random.Random(7)
    small = to_tnef(Item({p.PidTagSubject: "t", p.PidTagBody: "bodyä"}, [], [ItemAttachment({}, b"data")]))
    for at in range(len(small)):
        check(winmail(small[:at] + bytes((small[at] ^ odd.choice((1, 0x40, 0x80, 0xFF)),)) + small[at + 1 :]))
        check(winmail(small[:at]))
    raw = meeting(b"REQUEST")
    for at in range(len(raw)):
        check(raw[:at] + bytes((raw[at] ^ odd.choice((1, 2, 0x20, 0x80)),)) + raw[at + 1 :])
