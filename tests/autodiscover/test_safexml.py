"""XML from outside: what is refused."""

from __future__ import annotations

import random

import pytest

from gromoxd import safexml
from gromoxd.errors import WireError
from tests.autodiscover.test_pox import asking

LAUGHS = (
    b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    + b"".join(b'<!ENTITY c%d "%s">' % (n, b"&c%d;" % (n - 1) * 10 if n else b"&b;" * 10) for n in range(20))
    + b"]><l>&c19;</l>"
)


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"<a>", b"<a></b>", b"<a/><b/>", LAUGHS, b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', b"<a>&x;</a>", b"<a>\x00</a>",
        b"<a>" * 65 + b"</a>" * 65, b"<a>" + b"<b/>" * 1000 + b"</a>",
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><a/>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="no-such"?><a/>',
    ],
)  # fmt: skip
def test_refused(octets: bytes) -> None:
    with pytest.raises(WireError):
        safexml.parse(octets, most=1000)


def test_what_looks_like_a_dtd_in_a_text_is_a_text() -> None:
    assert safexml.text(safexml.parse(b"<a><![CDATA[<!DOCTYPE html>]]></a>")) == "<!DOCTYPE html>"


def test_characters_that_xml_cannot_have_are_left_out() -> None:
    assert safexml.printable("a\x00\x0bb\ud800\tc\ufffe\U0001f600") == "ab\tc\U0001f600"


def test_mutations() -> None:
    """Nothing but WireError, whatever comes."""
    chance, octets = random.Random(5), asking()
    for _ in range(3000):
        changed = bytearray(octets)
        for _ in range(chance.randint(1, 8)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            safexml.parse(bytes(changed[: chance.randint(1, len(changed))] if chance.random() < 0.3 else changed))
        except WireError:
            continue
