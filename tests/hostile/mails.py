"""Mails of every kind that delivery knows, small, and how they are spoiled."""

from __future__ import annotations

import base64
import random

from gromoxd.convert.tnef import to_tnef
from tests.convert.ical.made import MADE
from tests.convert.items import embedded, whole
from tests.convert.samples import MIXED, ODD
from tests.convert.test_partitem import HEAD, meeting, rich, uuencoded, winmail
from tests.convert.test_reports import FAILED, bounce
from tests.convert.vcard.samples import MODERN, OUTLOOK

ZONE = (
    b"BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\n"
    b"RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n"
    b"BEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n"
    b"TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n"
)
SERIES = (
    b"RRULE:FREQ=WEEKLY;COUNT=9\r\nEXDATE;TZID=Mine:20270109T100000\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n"
    b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:1@x\r\nRECURRENCE-ID;TZID=Mine:20270116T100000\r\nSUMMARY:other\r\n"
    b"DTSTART;TZID=Mine:20270116T120000\r\nDTEND;TZID=Mine:20270116T130000\r\nEND:VEVENT\r\nEND:VCALENDAR"
)


def _series() -> bytes:
    raw = meeting(b"REQUEST").replace(b"BEGIN:VEVENT\r\n", ZONE).replace(b"END:VEVENT\r\nEND:VCALENDAR", SERIES)
    return raw.replace(b"DTSTART:20270102T100000Z", b"DTSTART;TZID=Mine:20270102T100000")


def _part(kind: bytes, data: bytes, head: bytes = b"") -> bytes:
    return (
        HEAD + head + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: "
        + kind + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data) + b"--b--\r\n"
    )  # fmt: skip


def _signed() -> bytes:
    return HEAD + (
        b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=s\r\n\r\n'
        b"--s\r\n\r\nsigned\r\n"
        b"--s\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nMIIB\r\n--s--\r\n"
    )


def _nested(depth: int) -> bytes:
    raw = b"Subject: innermost\r\n\r\nx\r\n"
    for number in range(depth):
        raw = b"Subject: level %d\r\nContent-Type: message/rfc822\r\n\r\n" % number + raw
    return raw


RECEIPT = HEAD + (
    b"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n--b\r\n\r\nread\r\n"
    b"--b\r\nContent-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822; b@b.org\r\n"
    b"Original-Message-ID: <m1@x>\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n--b--\r\n"
)
HTML = (
    b"<html><head><meta charset=utf-8><style>p{}</style></head><body><p>Gr\xc3\xbc\xc3\x9fe <b>an <i>alle</b></i>"
    b"<table><tr><td>1<td>2</table><ul><li>a<li>b</ul><blockquote>q</blockquote><a href=http://x.y/>z</a>"
    b"<img src=cid:i>"
)
APPLE = (
    b"Content-Type: multipart/appledouble; boundary=b\r\n\r\n--b\r\nContent-Type: application/applefile; name=p\r\n\r\n"
    b"r\r\n--b\r\nContent-Type: image/gif; name=pic.gif\r\n\r\nGIF\r\n--b--\r\n"
)
ENRICHED = (
    b"Content-Type: text/enriched\r\n\r\n<bold>b<italic>i</bold></italic> <<x <color><param>red</param>r</color>\n\nn\n"
)

MAILS: dict[str, bytes] = {
    **{f"odd {name}": raw for name, raw in ODD.items()},
    "mixed": MIXED,
    "html": HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + HTML,
    "lies": HEAD + b"Content-Type: text/html; charset=utf-16\r\n\r\n" + HTML,
    "related": HEAD
    + b"Content-Type: multipart/related; boundary=r\r\n\r\n--r\r\nContent-Type: text/html\r\n\r\n"
    + HTML
    + b"\r\n--r\r\nContent-Type: image/png\r\nContent-ID: <i>\r\n\r\nx\r\n--r--\r\n",
    "winmail": winmail(to_tnef(whole())),
    "rich": winmail(to_tnef(rich())),
    "winmail alone": HEAD + b"Content-Type: application/ms-tnef\r\n\r\n" + to_tnef(embedded()),
    "request": meeting(b"REQUEST"),
    "reply": meeting(b"REPLY").replace(b"ATTENDEE:mailto:c", b"ATTENDEE;PARTSTAT=ACCEPTED:mailto:c"),
    "cancel": meeting(b"CANCEL"),
    "counter": meeting(b"COUNTER"),
    "published": meeting(b"PUBLISH"),
    "series": _series(),
    **{
        f"made {number}": meeting(b"REQUEST").partition(b"BEGIN:VCALENDAR")[0] + data + b"--b--\r\n"
        for number, data in enumerate(list(MADE.values())[::6])
    },
    "vcard": _part(b"text/vcard; name=a.vcf", MODERN.encode()),
    "outlook vcard": _part(b"text/x-vcard; name=a.vcf", OUTLOOK),
    "bounce": bounce(FAILED),
    "receipt": RECEIPT,
    "uuencode": b"Subject: old\n\nbefore\n" + uuencoded(b"\0" * 100, b"z.bin") + uuencoded(b"abc", b"y"),
    "appledouble": HEAD + APPLE,
    "enriched": HEAD + ENRICHED,
    "signed": _signed(),
    "encrypted": HEAD + b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nMIIB",
    "nested": _nested(12),
    "deep": _nested(60),
    "winmail within": HEAD + b"Content-Type: message/rfc822\r\n\r\n" + winmail(to_tnef(rich())),
    "8-bit": b"Subject: \xe4\xf6\xfc \xff\r\nFrom: \xc4 <a@b.example>\r\nTo: \xe4@b\r\nX-O: \xff\r\n\r\n\xe4\r\n",
    "truncated": _part(b"application/pdf; name=a.pdf", bytes(range(256)) * 4)[:-300],
    "headers": b"".join(b"X-%d: v\r\nTo: t%d@x.org\r\n" % (i, i) for i in range(1500)) + b"\r\nx\r\n",
}  # fmt: skip
NAMES = sorted(MAILS)
_INSERTED = (
    b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\r\n--b\r\n", b"--b--", b'"', b"\\", b"\xff\xfe", b";", b":", b"(",
    b"<", b"\xf0\x9f\x98\x80", b"=?utf-8?q?", b"BEGIN:VEVENT\r\n", b"%", b"99999999999999999999", b"-1",
)  # fmt: skip


def spoiled(chance: random.Random) -> tuple[str, bytes]:
    """One of the mails after some accidents, and which it was."""
    name = chance.choice(NAMES)
    raw = MAILS[name]
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        raw = chance.choice(_ACCIDENTS)(raw, chance)
    return name, raw[:120_000]


def _flip(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return raw[:at] + bytes(byte ^ 1 << chance.randrange(8) for byte in raw[at : at + 1]) + raw[at + 1 :]


def _cut(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return raw[:at] if chance.random() < 0.5 else raw[:at] + raw[at + chance.randrange(1, 60) :]


def _splice(raw: bytes, chance: random.Random) -> bytes:
    other = MAILS[chance.choice(NAMES)]
    return raw[: chance.randrange(len(raw) + 1)] + other[chance.randrange(len(other) + 1) :]


def _repeat(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw) + 1)
    end = at + chance.choice((1, 10, 100, 400))
    return raw[:end] + raw[at:end] * chance.choice((1, 2, 50)) + raw[end:]


def _insert(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return raw[:at] + chance.choice(_INSERTED) * chance.choice((1, 1, 3, 200)) + raw[at:]


def _bare(raw: bytes, chance: random.Random) -> bytes:
    return raw.replace(b"\r\n", chance.choice((b"\n", b"\r")))


_ACCIDENTS = (_flip, _flip, _flip, _cut, _splice, _repeat, _insert, _insert, _bare)
