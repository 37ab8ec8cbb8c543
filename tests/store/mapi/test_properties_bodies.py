"""Bodies in every form: of delivered mail from its parts, of MAPI-made messages from what was set."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.convert.rtfbody import html_to_rtf, rtf_to_html, text_to_rtf
from gromoxd.exmdb import objects as o
from gromoxd.mapi import proptags as p
from gromoxd.mapi import rtf
from tests.store.conftest import OWNER, Harness
from tests.store.mapi.objects import change, save
from tests.store.mapi.test_properties import deliver

HEAD = b"From: a@example.org\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
LATIN = b"<p>Gr\xfc\xdfe</p>\r\n"
MIXED = (
    HEAD + b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
    b'--b\r\nContent-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\nR3LDvMOfZQ==\r\n'
    b'--b\r\nContent-Type: text/html; charset="iso-8859-1"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    b"<p>Gr=FC=DFe</p>=0D=0A\r\n--b--\r\n"
)
PLAIN = HEAD + b"\r\nOne line & <another>\r\n"
NATIVE_PLAIN, NATIVE_RTF, NATIVE_HTML = 1, 2, 3
FORMS = (p.PidTagBody, p.PidTagHtml, p.PidTagRtfCompressed)


def asked(box: Harness, mid: int, *tags: int) -> o.Bag:
    message: o.Message = box.call(o.OpenMessage(mid, [], o.PROPS, list(tags)), actor=OWNER)
    return message.props


def everything(box: Harness, mid: int) -> o.Bag:
    message: o.Message = box.call(o.OpenMessage(mid, [], o.PROPS), actor=OWNER)
    return message.props


def rtf_text(value: Any) -> bytes:
    return rtf.decompress(value)


# ------------------------------------------------------------------------------------------ delivered


def test_mail_with_html(box: Harness) -> None:
    mid = deliver(box, MIXED).mid
    whole = everything(box, mid)
    assert whole[p.PidTagNativeBody] == NATIVE_HTML and whole[p.PidTagRtfInSync] is False
    assert whole[p.PidTagHtml] == LATIN and whole[p.PidTagInternetCodepage] == 28591
    assert p.PidTagBody not in whole and p.PidTagRtfCompressed not in whole
    forms = asked(box, mid, *FORMS, p.PidTagBodyHtml)
    assert forms[p.PidTagBody] == "Grüße" and forms[p.PidTagHtml] == LATIN
    assert forms[p.PidTagBodyHtml] == "<p>Grüße</p>\r\n"
    assert rtf_to_html(rtf_text(forms[p.PidTagRtfCompressed])) == "<p>Grüße</p>\r\n"


def test_mail_without_html(box: Harness) -> None:
    mid = deliver(box, PLAIN).mid
    whole = everything(box, mid)
    assert whole[p.PidTagNativeBody] == NATIVE_PLAIN and whole[p.PidTagBody] == "One line & <another>\r\n"
    assert p.PidTagHtml not in whole
    forms = asked(box, mid, *FORMS)
    assert b"<div>One line &amp; &lt;another&gt;<br>" in forms[p.PidTagHtml]
    assert rtf_text(forms[p.PidTagRtfCompressed]) == text_to_rtf("One line & <another>\r\n")


def test_html_without_text(box: Harness) -> None:
    mid = deliver(box, HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>a</p><p>b</p>").mid
    assert asked(box, mid, p.PidTagBody) == {p.PidTagBody: "a\r\n\r\nb"}


def test_mail_without_any_text(box: Harness) -> None:
    mid = deliver(box, HEAD + b"Content-Type: image/png\r\n\r\npng").mid
    assert everything(box, mid)[p.PidTagNativeBody] == 0
    assert asked(box, mid, *FORMS, p.PidTagBodyHtml) == {}


@pytest.mark.parametrize("size", [1000, 20_000, 300_000])
def test_long_mail(box: Harness, size: int) -> None:
    """Also when the body lies in a file: then it runs on a thread."""
    text = ("0123456789" * (size // 10 + 1))[: size - 2] + "\r\n"
    raw = HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()
    mid = deliver(box, raw).mid
    message = box.call(o.OpenMessage(mid), actor=OWNER)
    if 2 * size > o.BIG:
        assert message.big == {p.PidTagBody: 2 * size}
    else:
        assert message.props[p.PidTagBody] == text
    read = b"".join(
        box.call(o.ReadValue(mid, p.PidTagBody, at, 65_536), actor=OWNER) for at in range(0, 2 * size, 65_536)
    )
    assert read.decode("utf-16-le") == text
    html = box.call(o.OpenMessage(mid, [], o.PROPS, [p.PidTagHtml]), actor=OWNER)
    assert html.big.get(p.PidTagHtml, 0) > size or len(html.props[p.PidTagHtml]) > size


def test_a_client_that_sets_a_body_replaces_them(box: Harness) -> None:
    stored = deliver(box, MIXED)
    save(box, {p.PidTagBody: "new"}, stored.fid, stored.mid, stored.cn)
    whole = everything(box, stored.mid)
    assert whole[p.PidTagBody] == "new" and whole[p.PidTagNativeBody] == NATIVE_PLAIN
    assert b"new" in asked(box, stored.mid, p.PidTagHtml)[p.PidTagHtml]


# ------------------------------------------------------------------------------------------ made by clients


def test_html_that_a_client_set(box: Harness) -> None:
    html = "<p>Ä &amp; B</p>".encode("cp1252")
    mid = save(box, {p.PidTagSubject: "x", p.PidTagHtml: html, p.PidTagInternetCodepage: 1252}).mid
    whole = everything(box, mid)
    assert whole[p.PidTagHtml] == html and whole[p.PidTagNativeBody] == NATIVE_HTML
    forms = asked(box, mid, *FORMS)
    assert forms[p.PidTagBody] == "Ä & B"
    assert rtf_to_html(rtf_text(forms[p.PidTagRtfCompressed])) == "<p>Ä &amp; B</p>"


def test_rtf_that_a_client_set(box: Harness) -> None:
    packed = rtf.compress(html_to_rtf("<p>Ä</p>"))
    mid = save(box, {p.PidTagSubject: "x", p.PidTagRtfCompressed: packed}).mid
    whole = everything(box, mid)
    assert whole[p.PidTagRtfCompressed] == packed and whole[p.PidTagNativeBody] == NATIVE_RTF
    assert whole[p.PidTagRtfInSync] is True
    forms = asked(box, mid, *FORMS)
    assert forms[p.PidTagBody] == "Ä" and forms[p.PidTagHtml] == "<p>Ä</p>".encode()


def test_text_in_the_code_page_of_the_message(box: Harness) -> None:
    mid = save(box, {p.PidTagSubject: "x", p.PidTagBody: "Ä 日", p.PidTagInternetCodepage: 1252}).mid
    html = asked(box, mid, p.PidTagHtml)[p.PidTagHtml]
    assert b"charset=windows-1252" in html and b"<div>\xc4 &#26085;</div>" in html


def test_without_body_there_is_none(box: Harness) -> None:
    mid = save(box, {p.PidTagSubject: "x"}).mid
    assert asked(box, mid, *FORMS) == {}
    assert not set(FORMS) & everything(box, mid).keys()


def test_big_bodies_of_clients(box: Harness) -> None:
    text = "Zeile ä\r\n" * 10_000
    saved = save(box, {p.PidTagSubject: "x", p.PidTagBody: text})
    message = box.call(o.OpenMessage(saved.mid), actor=OWNER)
    assert message.big == {p.PidTagBody: 2 * len(text)} and p.PidTagBody not in message.props
    read = box.call(o.ReadValue(saved.mid, p.PidTagBody, 0, 1 << 20), actor=OWNER)
    assert read.decode("utf-16-le") == text
    assert box.call(o.ReadValue(saved.mid, p.PidTagBody, 12, 2), actor=OWNER) == "ä".encode("utf-16-le")
    html = box.call(o.ReadValue(saved.mid, p.PidTagHtml, 0, 1 << 20), actor=OWNER)
    assert html.decode().count("Zeile ä<br>") == 10_000
    changed = change(box, saved, {p.PidTagBody: "short"})
    assert everything(box, changed.mid)[p.PidTagBody] == "short"


def test_a_damaged_rtf_gives_no_text(box: Harness) -> None:
    mid = save(box, {p.PidTagSubject: "x", p.PidTagRtfCompressed: b"junk"}).mid
    assert asked(box, mid, p.PidTagBody) == {p.PidTagBody: ""}
