"""The cursor, FETCH items and SEARCH programs: golden values, truncations, any octets."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.exmdb.calls import Term
from workers.imap.wire import fetch, search
from workers.imap.wire.fetch import Section
from workers.imap.wire.parser import Cursor


def test_astrings() -> None:
    cursor = Cursor([b'atom] "quo\\"ted\\\\" ', b"lit\r\neral", b" NIL {"])
    assert cursor.astring() == b"atom]"
    cursor.sp()
    assert cursor.astring() == b'quo"ted\\'
    cursor.sp()
    assert cursor.astring() == b"lit\r\neral"
    cursor.sp()
    assert cursor.nstring() is None
    cursor.sp()
    with pytest.raises(WireError):
        cursor.astring()


@pytest.mark.parametrize("text", [b'"', b'"a', b'"a\\x"', b'"a\nb"', b'"\0"', b"", b"(", b"%", b"\xff"])
def test_no_astring(text: bytes) -> None:
    with pytest.raises(WireError):
        Cursor([text]).astring()


def test_numbers() -> None:
    assert Cursor([b"4294967295"]).number() == 4294967295
    for text in (b"4294967296", b"-1", b"", b"x"):
        with pytest.raises(WireError):
            Cursor([text]).number()
    with pytest.raises(WireError):
        Cursor([b"9223372036854775808"]).modseq()


def test_flags() -> None:
    assert Cursor([b"(\\Seen $x)"]).flags() == [b"\\Seen", b"$x"]
    assert Cursor([b"()"]).flags() == []
    assert Cursor([b"\\Seen $x"]).flags() == [b"\\Seen", b"$x"]
    for text in (b"(\\)", b"(a", b"(\\\\a)", b"(%s)" % (b"a " * 300), b"(a])"):
        with pytest.raises(WireError):
            Cursor([text]).flags()


def items(text: bytes) -> tuple[object, ...]:
    return fetch.parse(Cursor([text])).items


def test_fetch_items() -> None:
    assert items(b"ALL") == ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE")
    assert items(b"full") == ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY")
    assert items(b"(uid Flags uid)") == ("UID", "FLAGS")
    assert items(b"BODY.PEEK[]") == (Section(b"BODY[]"),)
    assert items(b"BODY[1.2.MIME]<5.10>") == (Section(b"BODY[1.2.MIME]", (1, 2), "MIME", (), 5, 10),)
    assert items(b'BODY.PEEK[header.fields (from "to" FROM)]') == (
        Section(b"BODY[HEADER.FIELDS (FROM TO)]", (), "HEADER.FIELDS", (b"FROM", b"TO")),
    )
    assert items(b"RFC822.HEADER") == (Section(b"RFC822.HEADER", (), "HEADER"),)


@pytest.mark.parametrize(
    ("text", "seen"),
    [(b"BODY[]", True), (b"BODY.PEEK[]", False), (b"RFC822", True), (b"RFC822.HEADER", False), (b"RFC822.TEXT", True)],
)
def test_what_sets_seen(text: bytes, seen: bool) -> None:
    assert fetch.parse(Cursor([text])).sets_seen is seen


def test_changedsince_implies_modseq() -> None:
    request = fetch.parse(Cursor([b"(FLAGS) (CHANGEDSINCE 12)"]))
    assert (request.items, request.changed_since) == (("FLAGS", "MODSEQ"), 12)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"()", b"(FLAGS", b"FLAGS)", b"FROB", b"BODY[", b"BODY[]<1>", b"BODY[]<1.0>", b"BODY[]<-1.2>", b"BODY[0]",
        b"BODY[1.]", b"BODY[MIME]", b"BODY[1HEADER]", b"BODY[HEADER.FIELDS]", b"BODY[HEADER.FIELDS ()]", b"BODY[FROB]",
        b"(ALL)", b"(FLAGS  UID)", b"FLAGS (CHANGEDSINCE)", b"FLAGS (FROB 1)", b"(BODY[] )",
        b"BODY[" + b"1." * 200 + b"1]", b"(" + b" ".join(b"BODY[%d]" % n for n in range(1, 300)) + b")",
    ],
)  # fmt: skip
def test_what_is_no_fetch(text: bytes) -> None:
    with pytest.raises(WireError):
        fetch.parse(Cursor([text]))


def program(text: bytes, *literals: bytes) -> search.Program:
    parts: list[bytes] = []
    for at, piece in enumerate(text.split(b"@")):
        parts.append(piece)
        if at < len(literals):
            parts.append(literals[at])
    return search.parse(Cursor(list(parts)), 1_000_000)


DAY = 86400


def test_search_programs() -> None:
    assert program(b"ALL").key == search.ALL
    assert program(b"UNSEEN 2:4").key == search.And((search.Flag(1, False), search.Set([(2, 4)], False)))
    assert program(b"(or not seen KEYWORD $X)").key == search.Or(search.Not(search.Flag(1)), search.Keyword("$x"))
    assert program(b"CHARSET UTF-8 SUBJECT @", "größe".encode()).key == search.Text(Term("subject", "größe"))
    assert program(b'HEADER "X-Spam" ""').key == search.Text(Term("header", "", "X-Spam"))
    assert program(b"ON 1-Feb-1994").key == search.Between("received", 8797 * DAY, 8798 * DAY)
    assert program(b'SENTBEFORE "1-Feb-1994"').key == search.Between("sent", -(1 << 31) + 1, 8797 * DAY)
    assert program(b"LARGER 9").key == search.Between("sizes", 10, search.FAR)
    assert program(b"YOUNGER 10").key == search.Between("received", 999_990, search.FAR)
    assert program(b"MODSEQ 7") == search.Program(search.Between("modseqs", 7, search.FAR), True)
    assert program(b'MODSEQ "/flags/\\\\draft" all 7').modseq


@pytest.mark.parametrize(
    "text",
    [
        b"", b"()", b"(ALL", b"FROB", b"NOT", b"OR ALL", b"SUBJECT", b"KEYWORD (", b"UID x", b"ON 31-Feb-2024",
        b"LARGER -1", b"YOUNGER 0", b"ALL ALL)", b"MODSEQ x", b"HEADER x", b"0", b"CHARSET UTF-8",
    ],
)  # fmt: skip
def test_what_is_no_search(text: bytes) -> None:
    with pytest.raises(WireError):
        program(text)


@pytest.mark.parametrize(
    ("text", "literals"),
    [
        (b"CHARSET FROB ALL", []), (b"CHARSET base64 ALL", []), (b"CHARSET UTF-8 SUBJECT @", [b"\xff"]),
        (b"CHARSET US-ASCII SUBJECT @", [b"\xc3\xbc"]), (b"SUBJECT @", [b"\xff"]), (b'CHARSET "\x01" ALL', []),
        (b"CHARSET punycode ALL", []), (b"CHARSET idna ALL", []), (b"CHARSET unicode_escape ALL", []),
        (b'CHARSET UTF-7 SUBJECT "+2AA-"', []), (b'CHARSET UTF-7 HEADER x "+2AA-"', []),
    ],
)  # fmt: skip
def test_bad_charset(text: bytes, literals: list[bytes]) -> None:
    with pytest.raises(search.BadCharset):
        program(text, *literals)


@pytest.mark.parametrize("charset", ["ISO-8859-1", "windows-1252", "KOI8-R", "ISO-2022-JP", "GB18030"])
def test_charsets_by_codecs(charset: str) -> None:
    assert codecs.lookup(charset)
    key = program(b"CHARSET " + charset.encode() + b" BODY x").key
    assert key == search.Text(Term("body", "x"))


def test_bombs_are_refused_quickly() -> None:
    for bomb in (b"NOT " * 20000 + b"ALL", b"(" * 20000, b"OR " * 20000 + b"ALL " * 20001, b" ".join([b"ALL"] * 20000)):
        with pytest.raises(WireError):
            program(bomb)


COMMANDS = [
    b'LOGIN alice "pass word"', b"SELECT INBOX (CONDSTORE)", b'LIST (SUBSCRIBED) "" ("*" "%") RETURN (SPECIAL-USE)',
    b"FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (FROM TO)]<0.10>) (CHANGEDSINCE 4)",
    b"STORE 1 (UNCHANGEDSINCE 4) FLAGS (x)",
    b'SEARCH RETURN (MIN) CHARSET UTF-8 OR NOT SEEN SUBJECT "x" SINCE 1-Feb-2024', b'STATUS "x" (MESSAGES UNSEEN)',
    b'APPEND "x" (\\Seen) "01-Feb-2024 10:11:12 +0000" ', b'ID ("name" NIL)', b"UID COPY 1:4 x",
]  # fmt: skip


@given(st.sampled_from(COMMANDS), st.data())
def test_every_change_of_a_command_is_understood_or_refused(text: bytes, data: st.DataObject) -> None:
    from tests.imap.harness import World

    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(st.binary(max_size=3)) + text[at + data.draw(st.integers(0, 3)) :]
    client = World().login()
    client.ok("SELECT INBOX")
    client.raw(b"x1 " + text.replace(b"\n", b"").replace(b"\r", b"").removesuffix(b"}") + b"\r\nx2 NOOP\r\n")
    assert client.world.board.get("internal_errors") == 0


@pytest.mark.parametrize("text", COMMANDS)
def test_every_truncation(text: bytes) -> None:
    from tests.imap.harness import World

    client = World().login()
    for end in range(len(text)):
        lines = client.command(text[:end] or b"NOOP")
        assert lines[-1].startswith((b"BAD", b"OK", b"NO"))
        client.session.bad = 0
