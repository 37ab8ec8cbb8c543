"""Delivered messages that MAPI clients change: the form in which they came is kept as long as it can be."""

from __future__ import annotations

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.mapi.proptags import (
    PROP_COMPOSED,
    PROP_PART_PATH,
    PidTagAttachDataBinary,
    PidTagAttachLongFilename,
    PidTagAttachMethod,
    PidTagBody,
    PidTagConversationTopic,
    PidTagHtml,
    PidTagImportance,
    PidTagInternetCodepage,
    PidTagMessageClass,
    PidTagSubject,
)
from gromoxd.mapi.times import filetime
from tests.store.conftest import ALL, INBOX, SENT, Harness
from tests.store.mapi.objects import (
    attachments,
    bag,
    change,
    check_references,
    child,
    data_bag,
    did_of,
    flags,
    listed,
    recipients,
    save,
)

PDF = b"%PDF-1.4"
INNER = (
    "From: Carl <carl@example.net>\r\nTo: Dora <dora@example.net>\r\nSubject: inner\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/mixed; boundary="in"\r\n\r\n'
    "--in\r\nContent-Type: text/plain\r\n\r\ninner text\r\n"
    '--in\r\nContent-Type: image/png; name="i.png"\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n--in--\r\n'
)
MAIL = (
    "DKIM-Signature: v=1; a=none\r\nDate: Fri, 1 Jan 2027 10:00:00 +0100\r\nFrom: Bob <bob@example.org>\r\n"
    "To: Alice <alice@example.test>\r\nCc: Eve <eve@example.org>\r\nMessage-ID: <m1@example.org>\r\n"
    "Subject: RE: News\r\nX-Odd: kept\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/mixed; boundary="out"\r\n\r\n'
    '--out\r\nContent-Type: multipart/alternative; boundary="alt"\r\n\r\n'
    "--alt\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    "Gr=FC=DFe\r\n"
    "--alt\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    "<p>Gr=FC=DFe</p>\r\n--alt--\r\n"
    '--out\r\nContent-Type: application/pdf; name="f.pdf"\r\nContent-Disposition: attachment; filename="f.pdf"\r\n'
    "Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQ=\r\n"
    f"--out\r\nContent-Type: message/rfc822\r\n\r\n{INNER}\r\n--out--\r\n"
).encode("ascii")


def deliver(box: Harness, raw: bytes = MAIL) -> o.Saved:
    digest = digest_message(raw, received=1_800_000_000)
    stored = box.call(c.Append(INBOX, c.NewMessage(digest, raw, 1_800_000_000, 0, ["$Junk"]), b""))
    return o.Saved(INBOX, stored.mid, stored.uid, stored.cn)


def test_marks_and_other_properties_keep_the_form(box: Harness) -> None:
    first = deliver(box)
    second = change(
        box, first,
        {PidNameKeywords: ["x"], 0x8503001F: "n", PidTagConversationTopic: "other", PidTagMessageClass: "IPM.X"},
    )  # fmt: skip
    assert (second.uid, flags(box, second)) == (1, (0, ["$Junk", "x"]))
    assert box.contents() == {1: MAIL}
    stored = bag(box, first.mid)
    assert (stored[0x8503001F], stored[PidTagConversationTopic]) == ("n", "other")
    assert PROP_COMPOSED not in stored
    assert attachments(box, did_of(box, first.mid))[0][PROP_PART_PATH] == "2"
    assert box.sql("SELECT class FROM message_data") == [("IPM.X",)]
    check_references(box)


def test_the_same_again_keeps_the_form(box: Harness) -> None:
    first = deliver(box)
    who = recipients(box, first.mid)
    second = change(
        box, first,
        {PidTagSubject: "RE: News", PidTagBody: "Gr\u00fc\u00dfe", PidTagHtml: b"<p>Gr\xfc\xdfe</p>", 0x8503001F: "n"},
        recipients=[one | {0x30000003: n} for n, one in enumerate(who)],
        attachments=[o.AttachmentChange(0, set={PidTagAttachDataBinary: PDF, PidTagAttachLongFilename: "f.pdf"})],
    )  # fmt: skip
    assert (second.uid, second.cn > first.cn) == (1, True)
    assert box.contents() == {1: MAIL}
    assert bag(box, first.mid).get(PidTagBody) is None
    check_references(box)


def test_another_subject_makes_it_anew(box: Harness) -> None:
    first = deliver(box)
    second = change(box, first, {PidTagSubject: "RE: Old"})
    assert (second.mid, second.uid) == (first.mid, 2)
    raw = box.contents()[2]
    for octets in (
        b"Subject: RE: Old\r\n", b"From: Bob <bob@example.org>\r\n", b"Message-ID: <m1@example.org>\r\n",
        b"Gr=FC=DFe", b"JVBERi0xLjQ=", b"Subject: inner", b"inner text", b"iVBORw==", b"To: Dora <dora@example.net>",
        b"Date: Fri, 1 Jan 2027 10:00:00 +0100\r\n", b"DKIM-Signature: v=1; a=none\r\n", b"X-Odd: kept\r\n",
    ):  # fmt: skip
        assert octets in raw
    stored = bag(box, first.mid)
    assert stored[PROP_COMPOSED] is True
    assert (stored[PidTagBody], stored[PidTagHtml]) == ("Gr\u00fc\u00dfe", b"<p>Gr\xfc\xdfe</p>")
    assert stored[PidTagInternetCodepage] == 28591
    did = did_of(box, first.mid)
    bags = attachments(box, did)
    assert [bags[n].get(PROP_PART_PATH) for n in bags] == [None, None]
    assert bags[0][PidTagAttachDataBinary] == b"%PDF-1.4"
    assert [bags[n][PidTagAttachMethod] for n in bags] == [1, 5]
    inner = child(box, did, 1)
    assert (data_bag(box, inner)[PidTagSubject], data_bag(box, inner)[PidTagBody]) == ("inner", "inner text")
    assert attachments(box, inner)[0][PidTagAttachDataBinary] == b"\x89PNG"
    assert listed(box, first.mid)["received"] == 1_800_000_000
    check_references(box)
    third = change(box, second, {PidTagImportance: 2})
    assert b"Importance: High" in box.contents()[third.uid]
    assert b"inner text" in box.contents()[third.uid]
    assert box.contents()[third.uid].count(b"X-Odd: kept\r\n") == 1
    check_references(box)
    box.call(c.Expunge(INBOX, ALL, False))
    assert box.sql("SELECT count(*) FROM content") == [(0,)]


def test_an_attachment_goes(box: Harness) -> None:
    first = deliver(box)
    second = change(box, first, {}, attachments=[o.AttachmentChange(0, remove=True)])
    raw = box.contents()[second.uid]
    assert b"JVBERi0xLjQ=" not in raw
    assert b"inner text" in raw
    assert b"Gr=FC=DFe" in raw
    check_references(box)


def test_a_copy_keeps_the_form(box: Harness) -> None:
    first = deliver(box)
    box.call(c.CopyMessages(INBOX, ALL, SENT, False, box.request_id()))
    second = change(box, first, {0x8503001F: "n"})
    check_references(box)
    assert box.sql("SELECT refs FROM content_refs") == [(2,)]
    change(box, second, {PidTagSubject: "else"})
    check_references(box)
    assert box.contents(SENT) == {1: MAIL}
    assert box.sql("SELECT count(*) FROM content_refs") == [(0,)]


def test_a_whole_message_from_synchronisation(box: Harness) -> None:
    """What a client in cached mode sends when a category was set: everything."""
    first = deliver(box)
    guid = box.sql("SELECT guid FROM mailbox")[0][0]
    own = guid + first.cn.to_bytes(6, "big")
    theirs = b"T" * 16 + bytes((0, 0, 0, 0, 0, 1))
    imported = o.Imported(
        guid + first.mid.to_bytes(6, "big"), theirs, b"\x16" + own + b"\x16" + theirs, filetime(1_800_000_500)
    )
    who = recipients(box, first.mid)
    saved = save(
        box,
        bag(box, first.mid) | {PidTagHtml: b"<p>Gr\xfc\xdfe</p>", PidNameKeywords: ["Red"]},
        mid=first.mid, imported=imported, recipients=who,
        attachments=[
            o.AttachmentChange(0, set={PidTagAttachDataBinary: b"%PDF-1.4", PidTagAttachLongFilename: "f.pdf"}),
            o.AttachmentChange(1),
        ],
    )  # fmt: skip
    assert (saved.conflict, saved.ignored, saved.uid) == (False, False, 1)
    assert box.contents() == {1: MAIL}
    assert flags(box, saved) == (0, ["$Junk", "Red"])
    check_references(box)


SIGNED = (
    b"From: Bob <bob@example.org>\r\nSubject: Old\r\nMessage-ID: <m9@example.org>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary="x"\r\n\r\n--x\r\n'
    b"Content-Type: text/plain; format=flowed\r\n\r\nsaid  \r\n--x\r\nContent-Type: application/pgp-signature\r\n\r\n"
    b"-----BEGIN PGP SIGNATURE-----\r\n--x--\r\n"
)


def test_a_signature_outlives_another_subject(box: Harness) -> None:
    """RFC 3156 5: it is of the octets of the part, which stay."""
    first = deliver(box, SIGNED)
    second = change(box, first, {PidTagSubject: "New"})
    raw = box.contents()[2]
    assert b"Subject: New\r\n" in raw and raw.endswith(SIGNED[SIGNED.index(b"Content-Type: multipart/signed") :])
    change(box, second, {PidTagBody: "other"})
    assert b"multipart/signed" not in box.contents()[3]
