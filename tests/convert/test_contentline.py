"""gromoxd.convert.contentline: content lines of RFC 5545, RFC 6350 and vCard 2.1."""

from __future__ import annotations

import random

import pytest

from gromoxd.convert import contentline
from gromoxd.convert.contentline import ContentLine, components, escape, fold, lines, param_text, split, texts, unescape
from gromoxd.errors import WireError


def only(data: bytes | str) -> ContentLine:
    (line,) = lines(data)
    return line


def test_a_line_is_group_name_parameters_and_value() -> None:
    line = only('item1.tel;type=HOME,voice;X-A="a;b:c";PREF=1:+1\r\n')
    assert line == ("TEL", {"TYPE": ["HOME", "voice"], "X-A": ["a;b:c"], "PREF": ["1"]}, "+1", "item1")
    assert line.types() == ["home", "voice"]
    assert line.param("PREF") == "1"


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_ends_of_lines(end: str) -> None:
    assert [line.value for line in lines(f"A:1{end}B:2{end}{end}C:3")] == ["1", "2", "3"]


def test_folds_may_cut_characters() -> None:
    assert only("NOTE:gr\u00fc".encode()[:-1] + b"\r\n " + "\u00fc".encode()[1:] + b"n").value == "gr\u00fcn"
    assert only("NOTE:ab\r\n  c\n\td").value == "ab cd"


def test_byte_order_marks_and_other_charsets() -> None:
    assert only(b"\xef\xbb\xbfFN:\xc3\xa4").value == "\u00e4"
    assert only("FN:\u00e4\u20ac\r\n".encode("utf-16")).value == "\u00e4\u20ac"
    assert only("\ufeffFN:x").value == "x"
    assert only(b"FN:M\xfcller").value == "M\u00fcller"
    assert only("FN;CHARSET=koi8-r:\u0436\u0443\u043a".encode("koi8-r")).value == "\u0436\u0443\u043a"


def test_what_was_cut_without_a_fold_goes_on() -> None:
    assert only("DESCRIPTION:one\r\ntwo words\r\n\r\nthree").text() == "one\ntwo words\nthree"
    photo = only("PHOTO;ENCODING=b;TYPE=PNG:AAEC\r\nAwQF\r\n\r\n")
    assert photo.octets() == (bytes(range(6)), "")


def test_quoted_printable_with_soft_line_breaks() -> None:
    data = (
        b"BEGIN:VCARD\r\nNOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:M=FCller=0D=0A=\r\n second=3D=\r\nmore\r\n"
        b"TEL;HOME;VOICE:1\r\n"
    )
    begin, note, tel = lines(data)
    assert begin.name == "BEGIN"
    assert note.value == "M\u00fcller\r\n second=more"
    assert tel.types() == ["home", "voice"]


def test_bare_parameters() -> None:
    line = only("PHOTO;JPEG;BASE64;INLINE:AAEC")
    assert line.params == {"TYPE": ["JPEG"], "ENCODING": ["BASE64"], "VALUE": ["INLINE"]}
    assert line.octets() == (b"\0\1\2", "")


def test_carets_in_parameters() -> None:
    assert only("A;CN=\"George ^'Babe^' Ruth^n^^\":x").param("CN") == 'George "Babe" Ruth\n^'
    assert param_text('George "Babe"\n^') == "George ^'Babe^'^n^^"
    assert param_text("a:b") == '"a:b"'
    assert param_text("plain") == "plain"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('A;CN="open:x;y', "x;y"),
        ("A;=:v", "v"),
        ("A;;B=1:v", "v"),
        ('A;B="x"junk;C=1:v', "v"),
        ("A:", ""),
        ("  A:v", "v"),
        ("A ;B=1:v", "v"),
    ],
)
def test_broken_parameters_leave_the_value(written: str, value: str) -> None:
    assert only(written).value == value


@pytest.mark.parametrize("written", ["", "no colon", ":value", "A;B=1", ";A:1", "\0"])
def test_what_is_no_line_is_left_out(written: str) -> None:
    assert list(lines(written)) == []


def test_escapes_and_separators() -> None:
    assert unescape(r"a\nb\Nc\,d\;e\\n\x") == "a\nb\nc,d;e\\n\\x"
    assert escape("a\r\nb,c;d\\e\x01") == r"a\nb\,c\;d\\e"
    assert split(r"a\;b;c\\;d", ";") == [r"a\;b", r"c\\", "d"]
    assert texts(r"a\,b,c\\,d") == ["a,b", "c\\", "d"]
    assert split("a,b,c", limit=2) == ["a", "b,c"]
    assert split("a\\b,b,c", limit=2) == ["a\\b", "b,c"]


def test_data_uris() -> None:
    assert only("PHOTO:data:image/png;base64,AAEC").octets() == (b"\0\1\2", "image/png")
    assert only("PHOTO:data:text/plain,a%20b").octets() == (b"a b", "text/plain")
    assert only("PHOTO:http://x/y").octets() is None


def test_components_nest() -> None:
    data = "BEGIN:A\nX:1\nBEGIN:B\nY:2\nEND:B\nEND:C\nBEGIN:D\nEND:A\nBEGIN:E\nZ:3"
    first, second = components(data)
    assert (first.name, first.value("X"), [child.name for child in first.children]) == ("A", "1", ["B", "D"])
    assert first.children[0].value("Y") == "2"
    assert (second.name, second.value("Z"), second.first("X")) == ("E", "3", None)
    assert [c.name for c in components(data, "E")] == ["E"]


def test_components_are_flat_beyond_a_depth() -> None:
    (top,) = components("BEGIN:A\n" * 100 + "X:1\n" + "END:A\n" * 100)
    depth = 1
    while top.children:
        (top,) = top.children
        depth += 1
    assert depth == contentline.MAX_DEPTH
    assert top.value("X") == "1"


def test_lines_are_folded_between_characters() -> None:
    written = fold("NOTE:" + "\u20ac" * 100)
    assert all(len(piece) <= 75 for piece in written.split(b"\r\n"))
    assert [piece.decode() for piece in written.split(b"\r\n")]
    assert only(written).value == "\u20ac" * 100
    assert fold("a\nb") == b"a b\r\n"


def test_lines_are_written() -> None:
    assert contentline.line("TEL", "1", {"TYPE": ["home", "fax"], "X": "a,b"}, group="g") == (
        b'g.TEL;TYPE=home,fax;X="a,b":1\r\n'
    )
    assert contentline.line("TEL", "1", {"TYPE": ["home", "fax"]}, bare=True) == b"TEL;HOME;FAX:1\r\n"
    assert contentline.component("A", [b"X:1\r\n"]) == b"BEGIN:A\r\nX:1\r\nEND:A\r\n"


@pytest.mark.parametrize("value", ["M\u00fcller\nline two = 3" + "\u20ac" * 60, "x" * 200, "="])
def test_quoted_lines_are_read_again(value: str) -> None:
    written = contentline.quoted_line("NOTE", value, {"TYPE": ["home"]})
    assert all(len(piece) <= 76 for piece in written.split(b"\r\n"))
    line = only(written)
    assert line.value.replace("\r\n", "\n") == value
    assert line.types() == ["home"]


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contentline, "MAX_LINES", 3)
    with pytest.raises(WireError):
        list(lines("A:1\n" * 5))
    monkeypatch.setattr(contentline, "MAX_OCTETS", 3)
    with pytest.raises(WireError):
        lines("A:12")


def test_any_octets_are_lines_or_nothing() -> None:
    sample = (
        "BEGIN:VCARD\r\ng.N;CHARSET=utf-8:M\u00fc\\;;x\r\nNOTE;ENCODING=QUOTED-PRINTABLE:=C3=BC=\r\n more\r\n"
        'TEL;TYPE="a,b";X=^n:1\r\nPHOTO;BASE64:AAEC\r\n AwQ=\r\n\r\nEND:VCARD\r\n'
    ).encode()
    for at in range(len(sample)):
        for value in {0, 10, 34, 58, 59, 61, 92, 255, sample[at] ^ 0x20}:
            changed = sample[:at] + bytes((value,)) + sample[at + 1 :]
            for line in lines(changed):
                line.octets()
                line.text()
        components(sample[:at])
    rng = random.Random(7)
    for _ in range(2000):
        for line in lines(rng.randbytes(rng.randrange(80)) + b":" + rng.randbytes(20)):
            assert isinstance(line.value, str)
