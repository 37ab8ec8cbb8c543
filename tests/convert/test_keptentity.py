"""Signed, encrypted and partial messages keep their MIME entity; what somebody changed is made anew."""

from __future__ import annotations

import pytest

from gromoxd.convert.compose import compose
from gromoxd.convert.item import Item
from gromoxd.convert.itemof import item_of_mime
from gromoxd.convert.keptentity import MAX_LINE
from gromoxd.convert.msg import from_msg, to_msg
from gromoxd.convert.tnef import from_tnef, to_tnef
from gromoxd.mapi import proptags as p

HEAD = b"From: a@b.org\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
SIGNED = (
    b'Content-Type: multipart/signed; micalg=pgp-sha256;\r\n\tprotocol="application/pgp-signature"; boundary="x"\r\n'
    b"\r\n--x\r\nContent-Type: text/plain; charset=iso-8859-1; format=flowed\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=FC=DFe  \r\n\r\n--x\r\n"
    b'Content-Type: application/pgp-signature; name="signature.asc"\r\n\r\n-----BEGIN PGP SIGNATURE-----\r\n--x--\r\n'
)
ENCRYPTED = (
    b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="x"\r\n\r\n--x\r\n'
    b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--x\r\n"
    b"Content-Type: application/octet-stream; name=encrypted.asc\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n--x--\r\n"
)
PARTIAL = b'Content-Type: message/partial; id="a@b"; number=2; total=3\r\n\r\nthe middle\r\n'
LISTED = (
    b'Content-Type: multipart/mixed; boundary="y"\r\n\r\n--y\r\n' + SIGNED
    + b"\r\n--y\r\nContent-Type: text/plain\r\n\r\n-- the list\r\n--y--\r\n"
)  # fmt: skip
KEPT = {"signed": SIGNED, "encrypted": ENCRYPTED, "partial": PARTIAL, "signed in a list": LISTED}


def again(item: Item) -> bytes:
    return compose(item, host="example.test")


@pytest.mark.parametrize("name", KEPT)
def test_it_stays_to_the_octet(name: str) -> None:
    item = item_of_mime(HEAD + KEPT[name], received=0)
    assert again(item).endswith(b"\r\n" + KEPT[name])
    assert again(from_msg(to_msg(item))).endswith(b"\r\n" + KEPT[name])
    assert again(from_tnef(to_tnef(item))).endswith(b"\r\n" + KEPT[name])


def test_within_another_message() -> None:
    outer = HEAD + b"Content-Type: message/rfc822\r\n\r\n" + HEAD + SIGNED
    item = item_of_mime(outer, received=0)
    assert SIGNED in again(item)
    embedded = item.attachments[0].embedded
    assert embedded is not None and again(embedded).endswith(SIGNED)


def test_what_was_changed_is_no_longer_signed() -> None:
    for change in range(3):
        item = item_of_mime(HEAD + SIGNED, received=0)
        if change == 0:
            item.props[p.PidTagBody] = "other"
        elif change == 1:
            item.attachments[0].data += b"x"
        else:
            item.attachments = []
        assert b"multipart/signed" not in again(item)
    item.props[p.PidTagBody] = "gr\u00fc\u00dfe  \n"
    item.attachments = item_of_mime(HEAD + SIGNED, received=0).attachments
    assert b"multipart/signed" in again(item)


def test_only_where_it_must() -> None:
    smime = SIGNED.replace(b"application/pgp-signature", b"application/pkcs7-signature")
    plain = HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\na\r\n--x\r\n\r\nb\r\n--x--\r\n"
    for raw in (HEAD + smime, plain, HEAD + b"\r\ntext\r\n"):
        assert p.PidTagMimeSkeleton not in item_of_mime(raw, received=0).props


@pytest.mark.parametrize("bad", [b"\xfc", b"\0", b"a\nb", b"a\rb", b"z" * (MAX_LINE + 1)])
def test_what_cannot_be_sent_is_made_anew(bad: bytes) -> None:
    raw = HEAD + SIGNED.replace(b"gr=FC=DFe", bad)
    assert p.PidTagMimeSkeleton not in item_of_mime(raw, received=0).props
    item = item_of_mime(HEAD + SIGNED, received=0)
    for entity in (bad, b"Content-Type: " + bad, bad.decode("latin-1"), 5, b""):
        item.props[p.PidTagMimeSkeleton] = entity
        assert b"multipart/signed" not in again(item)


STATUS = b"Reporting-MTA: dns; b.org\r\n\r\nFinal-Recipient: rfc822; a@b.org\r\nAction: failed"


def test_a_status_in_other_mail_is_one() -> None:
    raw = HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\n"
    raw += b"Content-Type: message/delivery-status\r\n\r\n" + STATUS + b"\r\n--x\r\n"
    raw += b"Content-Type: text/rfc822-headers; name=h.txt\r\n\r\nSubject: inner\r\n\r\n--x--\r\n"
    composed = again(item_of_mime(raw, received=0))
    assert b"Content-Type: message/delivery-status;" in composed and b"\r\n\r\n" + STATUS + b"\r\n--" in composed
    assert b"text/rfc822-headers" in composed and b'filename="h.txt"' in composed
    assert b"\r\nSubject: inner\r\n" in composed and b"message/rfc822" not in composed


def test_names_and_words_of_messages_within() -> None:
    raw = HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\n"
    raw += b"Content-Type: message/rfc822; name=m.md\r\n\r\nonly words\r\n\r\n--x--\r\n"
    item = item_of_mime(raw, received=0)
    embedded = item.attachments[0].embedded
    assert embedded is not None and embedded.props[p.PidTagBody] == "only words\r\n"
    composed = again(item)
    assert b'filename="m.md"' in composed and b"\r\n\r\nonly words\r\n" in composed
