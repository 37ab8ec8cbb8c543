"""Display templates ([MS-OXOABKT] 2.2.2.1)."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.mapi import proptags as tags
from gromoxd.nspi.session import Session
from gromoxd.nspi.templates import TEMPLATES, Control, Row, decode_rows, encode_rows, template


def test_a_template_octet_by_octet() -> None:
    rows = [Row(0, 1, 2, 3, Control.PAGE, 0, 0, 0, b"P"), Row(4, 5, 6, 7, Control.EDIT, 2, 0x3001001E, 64, b"*")]
    octets = (
        "01000000 02000000"
        "00000000 01000000 02000000 03000000 08000000 00000000 00000000 00000000 50000000"
        "04000000 05000000 06000000 07000000 01000000 02000000 1e000130 40000000 52000000"
        "5000 2a00"
    )
    assert encode_rows(rows).hex() == octets.replace(" ", "")
    assert decode_rows(bytes.fromhex(octets)) == rows
    for size in range(len(encode_rows(rows))):
        with pytest.raises(WireError):
            decode_rows(encode_rows(rows)[:size])


@pytest.mark.parametrize("display_type", list(TEMPLATES))
def test_every_control_is_on_a_page_and_beside_the_others(display_type: int) -> None:
    data = template(display_type, 0x409, 1252)
    assert data is not None
    rows = decode_rows(data)
    assert rows[0].control == Control.PAGE
    pages: list[list[Row]] = []
    for row in rows:
        if row.control == Control.PAGE:
            pages.append([])
        else:
            pages[-1].append(row)
    for page in pages:
        assert page
        for at, one in enumerate(page):
            assert one.x + one.width <= 352 and one.y + one.height <= 200
            for other in page[at + 1 :]:
                beside = one.x + one.width <= other.x or other.x + other.width <= one.x
                assert beside or one.y + one.height <= other.y or other.y + other.height <= one.y


def test_texts_are_in_the_language_and_code_page(session: Session) -> None:
    english = decode_rows(_data(session, 0, 1252, 0x409))
    german = decode_rows(_data(session, 0, 1252, 0xC07))
    assert [row.text for row in english if row.control == Control.PAGE] == [
        b"General", b"Organization", b"Phone/Notes", b"Member Of", b"E-mail Addresses",
    ]  # fmt: skip
    assert [row.text for row in german if row.control == Control.PAGE] == [
        b"Allgemein", b"Organisation", b"Telefon/Notizen", b"Mitglied von", b"E-Mail-Adressen",
    ]  # fmt: skip
    assert "Bü&ro:".encode("cp1252") in [row.text for row in german]
    assert "Bü&ro:".encode() in [row.text for row in decode_rows(_data(session, 0, 65001, 0x407))]
    assert [row.kind for row in german] == [row.kind for row in english]


def _data(session: Session, kind: int, code_page: int, locale: int) -> bytes:
    (value,) = session.get_template_info(1, kind, None, code_page, locale).values
    assert value.tag == tags.PidTagTemplateData and isinstance(value.value, bytes)
    return value.value


def test_a_script_is_not_there(session: Session) -> None:
    values = session.get_template_info(5, 1, None, 1252, 0x409).values
    assert [value.tag for value in values] == [tags.PidTagTemplateData, 0x0004000A]


@pytest.mark.parametrize(
    ("kind", "dn", "code_page", "code"),
    [(99, None, 1252, Ec.ecUnknownLcid), (0, "/x", 1252, Ec.ecUnknownLcid), (0, None, 0x4B0, Ec.ecUnknownCodePage)],
)
def test_templates_that_are_not_there(session: Session, kind: int, dn: str | None, code_page: int, code: Ec) -> None:
    with pytest.raises(MapiError) as caught:
        session.get_template_info(1, kind, dn, code_page, 0x409)
    assert caught.value.code == code
