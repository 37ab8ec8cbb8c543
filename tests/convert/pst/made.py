"""Files that the tests make: items of all kinds, written in each form of the file."""

from __future__ import annotations

import io

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.pst.encoding import CryptMethod
from gromoxd.convert.pst.layout import ANSI, UNICODE, UNICODE_4K, Layout
from gromoxd.convert.pst.writer import PstWriter
from gromoxd.mapi import named_tags as nt
from gromoxd.mapi import proptags as pt
from gromoxd.mapi.named import PS_PUBLIC_STRINGS, PropertyName

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (ANSI, UNICODE, UNICODE_4K)}
NOW_NT = 133_000_000_000_000_000
RECORD_KEY = bytes(range(16))
OWN = PropertyName(PS_PUBLIC_STRINGS, "Projekt-Kürzel")
OWN_NUMBER = PropertyName(bytes(range(16, 32)), 0x1234)


def message(number: int, depth: int = 0) -> Item:
    """Message `number`: every tenth large, every fourth with a file, every fifth with a message in it."""
    item = Item(
        {
            pt.PidTagMessageClass: "IPM.Note",
            pt.PidTagSubject: f"Re: Grüße {number} 日本",
            pt.PidTagSubjectPrefix: "Re: ",
            pt.PidTagNormalizedSubject: f"Grüße {number} 日本",
            pt.PidTagBody: f"Zeile {number} €\r\n" * (2000 if number % 10 == 9 else number % 7),
            pt.PidTagHtml: b"<p>text</p>" * (number + 1),
            pt.PidTagSenderName: "Jörg",
            pt.PidTagMessageFlags: number & 1,
            pt.PidTagImportance: 2,
            pt.PidTagMessageDeliveryTime: NOW_NT + number,
            pt.PidTagConversationIndex: bytes(22),
            nt.PidLidReminderTime: NOW_NT,
            nt.PidLidReminderSet: bool(number & 1),
            nt.PidLidCompanies: ["Eins", "", "Zwei"],
            nt.PidLidNonSendToTrackStatus: [1, -2, 3],
            0x66010014: -5,
            0x66020005: 1.5,
            0x66031102: [b"", b"\0\1", b"x" * 5000],
            0x66040048: bytes(range(16)),
            0x66050002: -3,
        }
    )
    item.props[item.foreign_id(OWN) << 16 | 0x1F] = f"own {number}"
    item.props[item.foreign_id(OWN_NUMBER) << 16 | 0x3] = number
    item.recipients = [recipient(place) for place in range(number % 4)]
    if number % 4 == 0:
        item.attachments.append(
            ItemAttachment(
                {pt.PidTagAttachLongFilename: "Bild.png", pt.PidTagAttachFilename: "bild.png"},
                bytes(range(256)) * number,
            )
        )
    if number % 5 == 3 and depth < 2:
        item.attachments.append(
            ItemAttachment({pt.PidTagDisplayName: "inner"}, embedded=message(number + 5, depth + 1))
        )
    return item


def recipient(place: int) -> dict[int, object]:
    return {
        pt.PidTagRecipientType: 1 + place % 3,
        pt.PidTagDisplayName: f"Empfänger {place}",
        pt.PidTagAddressType: "SMTP",
        pt.PidTagEmailAddress: f"r{place}@example.org",
        pt.PidTagSmtpAddress: f"r{place}@example.org",
    }


def made(layout: Layout = UNICODE, crypt: int = CryptMethod.NDB_CRYPT_PERMUTE, count: int = 40) -> bytes:
    """A file with `count` messages in Inbox, three associated ones, below it a calendar with 30 folders."""
    out = io.BytesIO()
    with PstWriter(out, "Ablage", record_key=RECORD_KEY, now_nt=NOW_NT, layout=layout, crypt=crypt) as pst:
        inbox = pst.folder(pst.top, "Inbox")
        calendar = pst.folder(inbox, "Kalender/Büro", "IPF.Appointment")
        for number in range(count):
            inbox.add(message(number))
        for number in range(3):
            inbox.add(message(number), associated=True)
        for number in range(30):
            pst.folder(calendar, f"F{number}")
    return out.getvalue()


def trimmed(data: bytes) -> bytes:
    """The same file without the zeros at its end that are no page's and no block's."""
    data = data.rstrip(b"\0")
    return data + bytes(-len(data) % 4096)
