"""The formats of gromoxctl import and export by themselves."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from gromoxd.cli.transfer import FORMATS, maildir, mbox
from gromoxd.cli.transfer.found import Found, crlf, files, lf, safe_name
from gromoxd.cli.transfer.target import container_of, key_of
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.exmdb.pages import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from gromoxd.mapi import proptags as p
from gromoxd.mapi.named import PS_PUBLIC_STRINGS, PropertyName


def read(path: Path, data: bytes) -> list[Found]:
    path.write_bytes(data)
    return list(mbox.read(str(path)))


def test_all_formats_are_there() -> None:
    for one in FORMATS.values():
        module = one.load()
        assert hasattr(module, "read") >= one.reads
        assert hasattr(module, "Writer") >= one.writes


@pytest.mark.parametrize(
    ("line", "received"),
    [
        (b"From a@b Tue Mar  3 10:20:30 2026", 1772533230),
        (b"From - Tue Mar 03 10:20:30 2026", 1772533230),
        (b"From a b c Tue Mar  3 10:20:30 2026 -0500", 1772551230),
        (b"From a@b Tue Mar  3 10:20:30 EST 2026", 1772551230),
        (b"From a@b Tue Mar  3 10:20 2026", 1772533200),
        (b"From a@b Tue, 3 Mar 2026 10:20:30 +0100", 1772529630),
    ],
)
def test_from_lines(tmp_path: Path, line: bytes, received: int) -> None:
    for end in (b"\n", b"\r\n"):
        data = end.join([line, b"Subject: 1", b"", b"one", b"", line, b"Subject: 2", b"", b"two", b""])
        first, second = read(tmp_path / "x", data)
        assert (first.raw, first.received) == (b"Subject: 1\r\n\r\none\r\n", received)
        assert (second.raw, second.received) == (b"Subject: 2\r\n\r\ntwo\r\n", received)


def test_lines_that_begin_no_message(tmp_path: Path) -> None:
    start = b"From a@b Tue Mar  3 10:20:30 2026\n"
    text = b"From here to 2026\n\nFrom there on\n\nFrom x\ntext\n" + start
    (found,) = read(tmp_path / "x", start + b"Subject: 1\n\n" + text)
    assert found.raw == crlf(b"Subject: 1\n\n" + text)


def test_messages_without_header_or_body(tmp_path: Path) -> None:
    start = b"From a@b Tue Mar  3 10:20:30 2026\n"
    found = read(tmp_path / "x", start + b"\n" + start + b"Subject: x\n\n" + start + b"\nbody\n\n" + start)
    assert [(one.raw, one.error) for one in found] == [
        (b"\r\n", "empty"),
        (b"Subject: x\r\n", ""),
        (b"\r\nbody\r\n", ""),
        (b"\r\n", "empty"),
    ]


def test_figures_of_programs_are_left_out(tmp_path: Path) -> None:
    start = b"From MAILER-DAEMON Tue Mar  3 10:20:30 2026\n"
    inner = start + b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\nStatus: RO\n\ntext\n\n"
    more = start + b"X-UID: 7\nSubject: x\nStatus: O\nContent-Length: 9\nX-Status: TD\nX-Keywords: a\n b\n\ny\n"
    (found,) = read(tmp_path / "x", inner + more)
    assert found.raw == b"Subject: x\r\nContent-Length: 9\r\n\r\ny\r\n"
    assert (found.flags, found.keywords) == (DRAFT | DELETED, ("a", "b"))


def test_folders_of_thunderbird(tmp_path: Path) -> None:
    start = b"From - Tue Mar  3 10:20:30 2026\nSubject: x\n\ny\n"
    (tmp_path / "Inbox.sbd").mkdir()
    for name in ("Inbox", "Inbox.sbd/Sub", "Sent.mbox"):
        (tmp_path / name).write_bytes(start)
    (tmp_path / "Inbox.msf").write_bytes(start)
    (tmp_path / "notes.txt").write_bytes(b"no mail")
    assert [one.folder for one in mbox.read(str(tmp_path))] == [("Inbox",), ("Sent",), ("Inbox", "Sub")]


def test_any_octets_are_messages_or_errors(tmp_path: Path) -> None:
    start = b"From a@b Tue Mar  3 10:20:30 2026\n"
    sample = b"".join(
        start + b"Subject: %d\nContent-Length: 12\nStatus: RO\nX-Mozilla-Status: 0001\n\n>From text\n\n" % i
        for i in range(4)
    )
    rng = random.Random(3)
    path = tmp_path / "x"
    for at in range(len(sample)):
        changed = bytearray(sample)
        changed[at] = rng.choice(b"\n\r F>0:\x00\xff")
        for one in read(path, bytes(changed)):
            assert one.raw or one.error
    for size in range(0, len(sample), 7):
        read(path, sample[:size])
    started = time.process_time()
    read(path, start + b"\n" + b"\nFrom " + b"\nFrom 1:11 1111 1:11 1111 1:11 1111 1:11 1111 x" * 2000)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("body", [b"", b"x\r\n", b"From a\r\n>From b\r\n>>From c\r\n", b"no end", b"\r\n\r\nx\r\n\r\n"])
def test_what_is_written_is_read_again(tmp_path: Path, body: bytes) -> None:
    raw = b"Subject: x\r\n\r\n" + body
    data = b"".join(mbox.from_line(1772533230) + mbox.quoted(lf(raw), SEEN | FLAGGED, ("a",)) + b"\n" for _ in range(2))
    for one in read(tmp_path / "x", data):
        wanted = raw if raw.endswith(b"\n") else raw + b"\r\n"
        assert (one.raw, one.flags, one.keywords, one.received) == (wanted, SEEN | FLAGGED, ("a",), 1772533230)


def test_names_of_maildir_folders() -> None:
    for text, coded in [("\u00e4rger", "&AOQ-rger"), ("A&B", "A&-B"), ("\u65e5\u672c", "&ZeVnLA-"), ("plain", "plain")]:
        assert maildir.encode_name(text) == coded
        assert maildir.decode_name(coded) == text
    assert maildir.encode_name("a.b/c") == "a_b_c"
    for odd in ("&", "&AAA", "&!!-", "&2AA-", "a&b&c"):
        assert isinstance(maildir.decode_name(odd), str)


def test_flags_of_maildir_names() -> None:
    assert maildir.flags_of("1.M2.host,S=3:2,FRS", {}) == (FLAGGED | ANSWERED | SEEN, ())
    assert maildir.flags_of("1.host;2,Tab", {"a": "x"}) == (DELETED, ("x",))
    assert maildir.flags_of("1.host", {}) == (0, ())


@pytest.mark.parametrize(
    ("name", "safe"),
    [("a/b", "a_b"), ("..", "_."), (".x", "_x"), ("", "_"), ("\0", "_"), ("\u00e4" * 200, "\u00e4" * 100)],
)
def test_names_lead_nowhere_else(name: str, safe: str) -> None:
    made, _, mark = safe_name(name).rpartition("~")
    assert (made, len(mark)) == (safe, 8)
    assert safe_name("B\u00e4r - 1.x") == "B\u00e4r - 1.x"
    assert safe_name("A:B") != safe_name("A?B") != safe_name("A_B") == "A_B"


def test_files_in_folders(tmp_path: Path) -> None:
    (tmp_path / "B" / "C").mkdir(parents=True)
    for name in ("2.eml", "1.EML", "x.txt", "B/C/3.eml"):
        (tmp_path / name).write_bytes(b"x")
    found = [(Path(path).name, way) for path, way in files(str(tmp_path), ".eml")]
    assert found == [("1.EML", ()), ("2.eml", ()), ("3.eml", ("B", "C"))]


def test_what_is_found_in_folders_leads_nowhere_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"Subject: secret\n\n")
    for part in ("cur", "new", "tmp"):
        (tmp_path / "box" / part).mkdir(parents=True)
    (tmp_path / "box" / "a.eml").symlink_to(secret)
    (tmp_path / "box" / "cur" / "1.a").symlink_to(secret)
    os.mkfifo(tmp_path / "box" / "cur" / "2.a")
    os.mkfifo(tmp_path / "box" / "b.eml")
    os.mkfifo(tmp_path / "box" / "dovecot-keywords")
    (tmp_path / "box" / "cur" / "3.a").write_bytes(b"Subject: mail\n\n")
    (tmp_path / "box" / ".sub").mkdir()
    (tmp_path / "box" / ".sub" / "cur").symlink_to(tmp_path / "box" / "cur")
    assert list(files(str(tmp_path / "box"), ".eml")) == []
    found = list(maildir.read(str(tmp_path / "box")))
    assert [one.raw for one in found if not one.error] == [b"Subject: mail\r\n\r\n"]
    assert len(found) == 3


def test_keys_are_those_of_what_is_said() -> None:
    colour, other = PropertyName(PS_PUBLIC_STRINGS, "Colour"), PropertyName(PS_PUBLIC_STRINGS, "Other")

    def key(item: Item) -> bytes:
        return key_of(Found("x", item=item))

    first = Item({p.PidTagSubject: "a", 0x9000001F: "red", p.PidTagLastModificationTime: 1}, names={0x9000: colour})
    same = Item({0x9005001F: "red", p.PidTagSubject: "a"}, names={0x9005: colour, 0x9006: other})
    assert key(first) == key(same)
    different = Item({p.PidTagSubject: "a", 0x9000001F: "red"}, names={0x9000: other})
    assert len({key(first), key(different), key(Item(dict(same.props), names=same.names, recipients=[{1: 2}]))}) == 3
    attached = Item({p.PidTagSubject: "a"}, attachments=[ItemAttachment({}, b"1")])
    assert key(attached) != key(Item({p.PidTagSubject: "a"}, attachments=[ItemAttachment({}, b"2")]))
    assert key_of(Found("x", raw=b"1")) != key_of(Found("y", raw=b"2"))


def test_where_items_belong() -> None:
    kinds = {"IPM.Contact.Own": "IPF.Contact", "IPM.Task": "IPF.Task", "IPM.Note": "IPF.Note", "": "IPF.Note"}
    for kind, container in kinds.items():
        assert container_of(Found("x", item=Item({p.PidTagMessageClass: kind}))) == container
