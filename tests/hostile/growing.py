"""Inputs that repeat one thing: `GROWING` has makers of mails of about so many octets, to find what is not linear."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable

from gromoxd.convert.tnef import to_tnef
from gromoxd.mapi import proptags as p
from gromoxd.mapi.rtf import compress
from tests.convert.items import whole

Maker = Callable[[int], bytes]
HEAD = b"From: a@example.org\r\nTo: alice@example.test\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"


def _repeat(unit: bytes, size: int, before: bytes = b"", after: bytes = b"") -> bytes:
    return before + unit * (size // len(unit)) + after


def header(name: bytes, unit: bytes, before: bytes = b"", after: bytes = b"") -> Maker:
    """A field whose value is long."""
    return lambda size: b"%s: %s\r\nSubject: x\r\n\r\nbody\r\n" % (name, _repeat(unit, size, before, after))


def body(kind: bytes, unit: bytes, before: bytes = b"", after: bytes = b"") -> Maker:
    """One part whose text is long."""
    return lambda size: HEAD + b"Content-Type: %s\r\n\r\n%s\r\n" % (kind, _repeat(unit, size, before, after))


def encoded(kind: bytes, make: Maker) -> Maker:
    """One part in base64."""

    def made(size: int) -> bytes:
        return HEAD + b"Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n" % (
            kind, base64.encodebytes(make(size * 3 // 4)),
        )  # fmt: skip

    return made


def _deep(size: int) -> bytes:
    unit = b'--b%d\r\nContent-Type: multipart/mixed; boundary="b%d"\r\n\r\n'
    return (
        HEAD
        + b'Content-Type: multipart/mixed; boundary="b0"\r\n\r\n'
        + b"".join(unit % (i, i + 1) for i in range(size // 60))
    )


def _many(kind: bytes, part: bytes) -> Maker:
    return lambda size: (
        HEAD
        + b"Content-Type: %s; boundary=b\r\n\r\n" % kind
        + _repeat(b"--b\r\n" + part + b"\r\n", size, b"", b"--b--\r\n")
    )


CALENDAR = b"text/calendar; charset=utf-8; method=REQUEST"
EVENT = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REQUEST\r\n%sBEGIN:VEVENT\r\nUID:plan-%d@example.org\r\n"
    b"DTSTAMP:20260501T000000Z\r\nDTSTART:20260603T090000Z\r\nDTEND:20260603T100000Z\r\nSUMMARY:Plan\r\n"
    b"ORGANIZER:mailto:anna@example.org\r\n%sEND:VEVENT\r\n%sEND:VCALENDAR\r\n"
)


RULE = b"RRULE:FREQ=HOURLY;COUNT=100000\r\n"
FUTURE = (
    b"RRULE:FREQ=DAILY;COUNT=2000\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:plan-%d@example.org\r\nDTSTAMP:20260501T000000Z\r\n"
    b"RECURRENCE-ID;RANGE=THISANDFUTURE:20260604T090000Z\r\nDTSTART:20260604T110000Z\r\nDTEND:20260604T120000Z\r\n"
    b"SUMMARY:moved\r\nDESCRIPTION:"
)


def event(unit: bytes, before: bytes = b"", after: bytes = b"", zone: bytes = b"") -> Maker:
    """A meeting request of which one thing is long."""

    def made(size: int) -> bytes:
        more = (before % size if b"%d" in before else before), after
        text = EVENT % (zone, size, _repeat(unit, size, *more) if unit else more[0], b"")
        return HEAD + b"Content-Type: %s\r\n\r\n%s" % (CALENDAR, text)

    return made


def _numbered(before: bytes, form: bytes, between: bytes, after: bytes = b"\r\n") -> Maker:
    def made(size: int) -> bytes:
        text = EVENT % (b"", 1, before + between.join(form % i for i in range(size // (len(form) + 3))) + after, b"")
        return HEAD + b"Content-Type: %s\r\n\r\n%s" % (CALENDAR, text)

    return made


def _dates(size: int, name: bytes = b"EXDATE", rule: bytes = b"RRULE:FREQ=HOURLY;COUNT=100000\r\n") -> bytes:
    days = (b"%04d%02d%02dT090000Z" % (2026 + i // 336, i // 28 % 12 + 1, i % 28 + 1) for i in range(size // 17))
    text = EVENT % (b"", 1, rule + name + b":" + b",".join(days) + b"\r\n", b"")
    return HEAD + b"Content-Type: %s\r\n\r\n%s" % (CALENDAR, text)


def _events(same: bool) -> Maker:
    one = b"BEGIN:VEVENT\r\nUID:u%d\r\nDTSTART:20260603T090000Z\r\n%sSUMMARY:x\r\nEND:VEVENT\r\n"

    def made(size: int) -> bytes:
        more = (
            one % (1 if same else i, b"RECURRENCE-ID:202606%02dT%02d0000Z\r\n" % (i // 24 % 28 + 1, i % 24))
            for i in range(size // 90)
        )
        first = b"RRULE:FREQ=DAILY;COUNT=500\r\n" if same else b""
        text = EVENT.replace(b"plan-%d@example.org", b"u%d") % (b"", 1, first, b"".join(more))
        return HEAD + b"Content-Type: %s\r\n\r\n%s" % (CALENDAR, text)

    return made


def _tnef(change: Callable[[int], dict[int, object]]) -> Maker:
    def made(size: int) -> bytes:
        item = whole()
        item.props |= change(size)  # type: ignore[arg-type]
        return to_tnef(item)

    return encoded(b"application/ms-tnef; name=winmail.dat", made)


def _rtf(unit: bytes, before: bytes = b"{\\rtf1\\ansi\\fromhtml1 ", after: bytes = b"}") -> Maker:
    return _tnef(lambda size: {p.PidTagRtfCompressed: compress(_repeat(unit, size, before, after))})


def _bomb(size: int) -> bytes:
    """A compressed RTF that says of itself that it is of 2 GiB."""
    data = compress(b"{\\rtf1 " + b"a" * size * 20 + b"}")
    item = whole()
    item.props[p.PidTagRtfCompressed] = data[:4] + struct.pack("<I", 0x7FFFFFFF) + data[8:]
    return to_tnef(item)


def _counts(size: int) -> bytes:
    """TNEF attributes whose properties count 2^31 values."""
    attribute = (
        struct.pack("<BII", 1, 0x00069003, size) + struct.pack("<I", 0x7FFFFFFF) + b"\x02\x10\x01\x30" * (size // 4 - 1)
    )
    return struct.pack("<IH", 0x223E9F78, 1) + attribute + b"\0\0"


TNEF = b"application/ms-tnef; name=winmail.dat"
DSN = b"multipart/report; report-type=delivery-status"
STATUS = b"Content-Type: message/delivery-status\r\n\r\n"
BIG_CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\n"

GROWING: dict[str, Maker] = {
    "to plain": header(b"To", b"a@b.example, "),
    "to names": header(b"To", b'"A, B" <a@b.example>, '),
    "to encoded": header(b"To", b"=?utf-8?q?=C3=A4?= <a@b.example>, "),
    "to bad words": header(b"To", b"=?utf-8?q?"),
    "to comments": header(b"To", b"(a)"),
    "to open comments": header(b"To", b"("),
    "to comment pairs": header(b"To", b"(" , b"", b")" * 9),
    "to quotes": header(b"To", b'"'),
    "to odd quotes": header(b"To", b'\\"', b'"'),
    "to angles": header(b"To", b"<"),
    "to angle pairs": header(b"To", b"<>"),
    "to groups": header(b"To", b"g:a@b;"),
    "to colons": header(b"To", b"a:"),
    "to ats": header(b"To", b"@"),
    "to a@": header(b"To", b"a@"),
    "to dots": header(b"To", b"."),
    "to semicolons": header(b"To", b";"),
    "to commas": header(b"To", b","),
    "to spaces": header(b"To", b" ", b"a", b"b"),
    "to tabs and folds": header(b"To", b" \r\n\t", b"a", b"b"),
    "to 8-bit": header(b"To", b"\xe4"),
    "to many fields": lambda size: b"To: a%s@example.org\r\n" % (b"x" * (size // 2200)) * 2000 + b"\r\nx\r\n",
    "cc many long": lambda size: b"Cc: \r\n" * (size // 6) + b"\r\nx\r\n",
    "from brackets": header(b"From", b"[", b"a@"),
    "subject words": header(b"Subject", b"=?utf-8?b?w6Q=?= "),
    "subject open words": header(b"Subject", b"=?a?q?"),
    "subject ?=": header(b"Subject", b"?=", b"=?utf-8?q?"),
    "subject ??": header(b"Subject", b"?", b"=?utf-8?q?"),
    "subject charsets": header(b"Subject", b"=?x-no-such?q?=e4?= "),
    "subject re": header(b"Subject", b"Re: "),
    "subject brackets": header(b"Subject", b"["),
    "subject fw re": header(b"Subject", b"a: "),
    "references": header(b"References", b"<a@b.example> "),
    "references open": header(b"References", b"<"),
    "in-reply-to": header(b"In-Reply-To", b"<a"),
    "message-id": header(b"Message-ID", b"<"),
    "received": lambda size: b"Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n" * (size // 56) + b"\r\nx\r\n",
    "date": header(b"Date", b"Mon, "),
    "date comments": header(b"Date", b"(", b"Mon, 1 Jan 2024 00:00:00 +0000 "),
    "date digits": header(b"Date", b"1 "),
    "keywords": header(b"Keywords", b"a,"),
    "list": header(b"List-Unsubscribe", b"<mailto:a@b>, "),
    "content class": header(b"Content-Class", b"urn:content-classes:"),
    "thread index": header(b"Thread-Index", b"AAAA"),
    "authentication results": header(b"Authentication-Results", b"a=b;"),
    "fields": lambda size: b"".join(b"X-F%d: v\r\n" % i for i in range(size // 11)) + b"\r\nx\r\n",
    "same fields": lambda size: b"X: v\r\n" * (size // 6) + b"\r\nx\r\n",
    "no colons": lambda size: b"x\r\n" * (size // 3) + b"\r\nx\r\n",
    "only crs": lambda size: HEAD + b"\r\n" + b"\r" * size,
    "only lfs": lambda size: HEAD + b"\r\n" + b"\n" * size,
    "only nuls": lambda size: HEAD + b"\r\n" + b"\0" * size,
    "type params": header(b"Content-Type", b"; a=b", b"text/plain"),
    "type sections": header(b"Content-Type", b"; a*0*=x", b"text/plain"),
    "type quotes": header(b"Content-Type", b'\\"', b'text/plain; a="'),
    "type open quotes": header(b"Content-Type", b';a="', b"text/plain"),
    "type semicolons": header(b"Content-Type", b";", b"text/plain"),
    "type blanks": header(b"Content-Type", b" ", b"text/plain;"),
    "disposition": header(b"Content-Disposition", b'; filename="x', b"attachment"),
    "folds": header(b"Subject", b"\r\n "),
    "deep": _deep,
    "deep messages": lambda size: HEAD + b"Content-Type: message/rfc822\r\n\r\n" * (size // 32),
    "many parts": _many(b"multipart/mixed", b"\r\ntext"),
    "many html parts": _many(b"multipart/mixed", b"Content-Type: text/html\r\n\r\n<p>t"),
    "many related": _many(b"multipart/related", b"Content-Type: image/png\r\nContent-ID: <x>\r\n\r\nAAAA"),
    "many alternatives": _many(b"multipart/alternative", b"Content-Type: text/html\r\n\r\n<p>t"),
    "many calendars": _many(b"multipart/mixed", b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR"),
    "many tnefs": _many(b"multipart/mixed", b"Content-Type: application/ms-tnef\r\n\r\nxx"),
    "many digests": _many(b"multipart/digest", b"\r\nSubject: x\r\n\r\nt"),
    "many messages": _many(b"multipart/mixed", b"Content-Type: message/rfc822\r\n\r\nTo: a@b\r\n\r\nt"),
    "many files": _many(
        b"multipart/mixed", b"Content-Disposition: attachment; filename*0*=utf-8''%c3%a4\r\n\r\nt"
    ),
    "many appledouble": _many(b"multipart/appledouble", b"Content-Type: application/applefile\r\n\r\nAAAA"),
    "reports": _many(DSN, STATUS + b"a: b"),
    "report recipients": body(
        DSN + b"; boundary=b",
        b"Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.0.0\r\n\r\n",
        b"--b\r\n\r\nx\r\n--b\r\n" + STATUS + b"Reporting-MTA: dns; x\r\n\r\n", b"--b--\r\n",
    ),
    "report fields": body(
        DSN + b"; boundary=b", b"X-A: b\r\n",
        b"--b\r\n\r\nx\r\n--b\r\n" + STATUS + b"Reporting-MTA: dns; x\r\n\r\n", b"\r\n--b--\r\n",
    ),
    "report mdn": body(
        b"multipart/report; report-type=disposition-notification; boundary=b", b"(a)/",
        b"--b\r\n\r\nx\r\n--b\r\nContent-Type: message/disposition-notification\r\n\r\nDisposition: ",
        b"; displayed\r\n--b--\r\n",
    ),
    "near delimiters": body(b"multipart/mixed; boundary=b", b"--bx\r\n"),
    "dashes": body(b"multipart/mixed; boundary=b", b"--"),
    "long boundary": lambda size: HEAD + b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n" % (b"b" * 900)
    + (b"--" + b"b" * 899 + b"\r\n") * (size // 903),
    "quoted-printable": lambda size: HEAD
    + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    + b"=\r\n" * (size // 3),
    "base64 broken": lambda size: HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"A=" * (size // 2),
    "base64 digits": lambda size: HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"A\r\n" * (size // 3),
    "utf-7": body(b"text/plain; charset=utf-7", b"+AAA-"),
    "iso-2022-jp": body(b"text/plain; charset=iso-2022-jp", b"\x1b$B"),
    "hz": body(b"text/plain; charset=hz", b"~{"),
    "no charset": body(b"text/plain", b"\xe4\xf6 "),
    "unknown charset": body(b"text/plain; charset=x-lie", b"\xe4\xf6 "),
    "utf-16": body(b"text/plain; charset=utf-16", b"\xd8\x00"),
    "html tags": body(b"text/html", b"<b>"),
    "html closing": body(b"text/html", b"</b>"),
    "html lt": body(b"text/html", b"<"),
    "html comments": body(b"text/html", b"<!--"),
    "html dashes": body(b"text/html", b"-", b"<!-"),
    "html attributes": body(b"text/html", b" a=b", b"<b"),
    "html unique attributes": lambda size: HEAD + b"Content-Type: text/html\r\n\r\n<b "
    + b"".join(b"a%d=b " % i for i in range(size // 8)) + b">x",
    "html quotes": body(b"text/html", b'"', b"<b a="),
    "html entities": body(b"text/html", b"&amp"),
    "html bad entities": body(b"text/html", b"&"),
    "html numbers": body(b"text/html", b"1", b"&#"),
    "html tables": body(b"text/html", b"<table><tr><td>"),
    "html lists": body(b"text/html", b"<ul><li>x"),
    "html quotes deep": body(b"text/html", b"<blockquote>x"),
    "html formatting": body(b"text/html", b"<b><i><u><font size=1></p>"),
    "html mis-nested": body(b"text/html", b"<a href=x><p><b></a>"),
    "html anchors": body(b"text/html", b"<a href=x>"),
    "html styles": body(b"text/html", b"<style>a{}"),
    "html style attribute": body(b"text/html", b"color:red;", b"<p style='", b"'>x"),
    "html scripts": body(b"text/html", b"<script>"),
    "html images": body(b"text/html", b"<img src=cid:a>"),
    "html space": body(b"text/html", b" \t", b"<p>a", b"b"),
    "html brs": body(b"text/html", b"<br>"),
    "html pre": body(b"text/html", b"<pre>\n"),
    "html meta": body(b"text/html", b"<meta charset="),
    "html cdata": body(b"text/html", b"<![CDATA["),
    "html svg": body(b"text/html", b"<svg><p>"),
    "html select": body(b"text/html", b"<select><option>"),
    "html nbsp": body(b"text/html", b"&nbsp;"),
    "enriched": body(b"text/enriched", b"<bold>"),
    "enriched lt": body(b"text/enriched", b"<"),
    "enriched param": body(b"text/enriched", b"<param>"),
    "enriched nofill": body(b"text/enriched", b"<nofill>a</bold>"),
    "richtext": body(b"text/richtext", b"<bold>"),
    "plain urls": body(b"text/plain", b"http://"),
    "plain flowed": body(b"text/plain; format=flowed", b"> \r\n"),
    "plain one line": body(b"text/plain", b"a "),
    "plain quotes": body(b"text/plain", b">"),
    "uuencode begins": lambda size: b"Subject: x\r\n\r\n" + b"begin 644 a\r\n" * (size // 13),
    "uuencode files": lambda size: b"Subject: x\r\n\r\n" + b"begin 644 a\r\n#86)C\r\n`\r\nend\r\n" * (size // 31),
    "uuencode open": lambda size: b"Subject: x\r\n\r\nbegin 644 a\r\n" + b"#86)C\r\n" * (size // 7),
    "uuencode nearly": lambda size: b"Subject: x\r\n\r\n" + b"\nbegin 6" * (size // 8),
    "uuencode name": lambda size: b"Subject: x\r\n\r\nbegin 644 " + b"a " * (size // 2) + b"\r\n#86)C\r\n`\r\nend\r\n",
    "ical attendees": event(b"ATTENDEE;CN=x:mailto:a@b.example\r\n"),
    "ical many attendees": _numbered(b"", b"ATTENDEE;CN=x;RSVP=TRUE:mailto:a%d@b.example\r\n", b"", b""),
    "ical params": event(b";X=y", b"ATTENDEE", b":mailto:a@b\r\n"),
    "ical quotes": event(b'"', b"ATTENDEE;CN=", b":mailto:a@b\r\n"),
    "ical folds": event(b"\r\n ", b"SUMMARY:x", b"\r\n"),
    "ical escapes": event(b"\\n", b"DESCRIPTION:", b"\r\n"),
    "ical description": event(b"<b>", b"X-ALT-DESC;FMTTYPE=text/html:", b"\r\n"),
    "ical begins": event(b"BEGIN:VALARM\r\n"),
    "ical alarms": event(b"BEGIN:VALARM\r\nTRIGGER:-PT1M\r\nACTION:DISPLAY\r\nEND:VALARM\r\n"),
    "ical rrules": event(b"RRULE:FREQ=DAILY;COUNT=10\r\n"),
    "ical bysecond": event(b"1,", b"RRULE:FREQ=SECONDLY;COUNT=99999999;BYSECOND=", b"1\r\n"),
    "ical byday": event(b"MO,", b"RRULE:FREQ=YEARLY;BYDAY=", b"TU\r\n"),
    "ical byyearday": event(b"366,", b"RRULE:FREQ=YEARLY;COUNT=9999;BYYEARDAY=", b"1\r\n"),
    "ical bysetpos": event(b"-1,", b"RRULE:FREQ=MONTHLY;COUNT=999;BYDAY=MO,TU;BYSETPOS=", b"1\r\n"),
    "ical byhour": event(b"1,2,3,", b"RRULE:FREQ=DAILY;COUNT=99999;BYHOUR=", b"1\r\n"),
    "ical overrides": event(b"a", RULE + b"DESCRIPTION:", b"\r\n"),
    "ical attended overrides": event(b"ATTENDEE:mailto:a@b.example\r\n", RULE),
    "ical categorised overrides": event(b"abcd,", RULE + b"CATEGORIES:", b"\r\n"),
    "ical overrides with files": event(b"AAAA", RULE + b"ATTACH;VALUE=BINARY;ENCODING=BASE64:", b"\r\n"),
    "ical kept overrides": event(b"X-A:b\r\n", RULE),
    "ical future": event(b"a", FUTURE, b"\r\n"),
    "ical attended future": event(b"ATTENDEE:mailto:a@b.example\r\n", FUTURE + b"x\r\n"),
    "ical future with a file": event(b"AAAA", FUTURE + b"x\r\nATTACH;VALUE=BINARY;ENCODING=BASE64:", b"\r\n"),
    "ical rule parts": event(b"X=1;", b"RRULE:FREQ=DAILY;", b"COUNT=4\r\n"),
    "ical exdates": _dates,
    "ical exdates daily": lambda size: _dates(size, rule=b"RRULE:FREQ=DAILY;COUNT=9999\r\n"),
    "ical exdates endless": lambda size: _dates(size, rule=b"RRULE:FREQ=DAILY\r\n"),
    "ical exdate lines": event(b"EXDATE:20260604T090000Z\r\n", b"RRULE:FREQ=DAILY\r\n"),
    "ical rdates": lambda size: _dates(size, b"RDATE"),
    "ical rdates alone": lambda size: _dates(size, b"RDATE", b""),
    "ical events": _events(False),
    "ical exceptions": _events(True),
    "ical zones": event(b"", zone=b""),
    "ical zone rules": lambda size: event(b"", zone=_repeat(
        b"BEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\n"
        b"TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n", size,
        b"BEGIN:VTIMEZONE\r\nTZID:Mine\r\n", b"END:VTIMEZONE\r\n"))(size),
    "ical many zones": lambda size: event(b"", zone=b"".join(
        b"BEGIN:VTIMEZONE\r\nTZID:Z%d\r\nEND:VTIMEZONE\r\n" % i for i in range(size // 45)))(size),
    "ical zone rdates": lambda size: event(b"", zone=b"BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\n"
        b"DTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n" + b"".join(
        b"RDATE:%04d1025T030000\r\n" % (1971 + i % 500) for i in range(size // 23))
        + b"END:STANDARD\r\nEND:VTIMEZONE\r\n")(size),
    "ical attachments": event(b"ATTACH;VALUE=BINARY;ENCODING=BASE64:AAAA\r\n"),
    "ical attachment": event(b"AAAA", b"ATTACH;VALUE=BINARY;ENCODING=BASE64:", b"\r\n"),
    "ical categories": event(b"a,", b"CATEGORIES:", b"\r\n"),
    "ical x": event(b"X-A:b\r\n"),
    "ical x names": _numbered(b"", b"X-N%d:b\r\n", b"", b""),
    "ical duration": event(b"1", b"DURATION:P", b"D\r\n"),
    "ical sequence": event(b"9", b"SEQUENCE:", b"\r\n"),
    "ical interval": event(b"9", b"RRULE:FREQ=DAILY;INTERVAL=", b"\r\n"),
    "vcard lines": body(b"text/vcard", b"TEL:1\r\n", BIG_CARD, b"END:VCARD\r\n"),
    "vcard photo": body(b"text/vcard", b"AAAA", BIG_CARD + b"PHOTO;ENCODING=b:", b"\r\nEND:VCARD\r\n"),
    "vcard many": body(b"text/vcard", BIG_CARD + b"END:VCARD\r\n"),
    "vcard 2.1": body(b"text/vcard", b"=\r\n", b"BEGIN:VCARD\r\nVERSION:2.1\r\nNOTE;ENCODING=QUOTED-PRINTABLE:x"),
    "tnef noise": encoded(TNEF, lambda size: struct.pack("<IH", 0x223E9F78, 1) + b"\x01\x02\x90\x06\x00" * (size // 5)),
    "tnef attributes": encoded(TNEF, lambda size: struct.pack("<IH", 0x223E9F78, 1)
        + (struct.pack("<BII", 1, 0x00089006, 4) + b"\0\0\1\0\1\0") * (size // 15)),
    "tnef attachments": encoded(TNEF, lambda size: struct.pack("<IH", 0x223E9F78, 1)
        + (struct.pack("<BII", 2, 0x00069002, 14) + bytes(14) + b"\0\0") * (size // 25)),
    "tnef counts": encoded(TNEF, _counts),
    "tnef bomb": encoded(TNEF, _bomb),
    "tnef text": _tnef(lambda size: {p.PidTagBody: "x" * size}),
    "tnef html": _tnef(lambda size: {p.PidTagHtml: b"<b>" * (size // 3)}),
    "tnef rtf braces": _rtf(b"{"),
    "tnef rtf closed": _rtf(b"{}"),
    "tnef rtf tags": _rtf(b"{\\*\\htmltag1 <b>}"),
    "tnef rtf words": _rtf(b"\\par "),
    "tnef rtf unicode": _rtf(b"\\u228?"),
    "tnef rtf hex": _rtf(b"\\'e4"),
    "tnef rtf bin": _rtf(b"\\bin9 "),
    "tnef rtf text": _rtf(b"a", b"{\\rtf1 "),
    "tnef rtf fonts": _rtf(b"{\\f1\\fnil a;}", b"{\\rtf1{\\fonttbl", b"}x}"),
    "tnef rtf colors": _rtf(b"\\red1;", b"{\\rtf1{\\colortbl", b"}x}"),
}  # fmt: skip
