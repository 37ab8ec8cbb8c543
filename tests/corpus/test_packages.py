"""Files of Outlook out of packages are imported: as much as independent readers find, and IMAP reads all of it.

What libpff, olefile, tnefparse and the email package say of the files is compared with what a mailbox has after
`gromoxctl import`, read by imaplib; with a second import; and with what `gromoxctl export` makes of it, read by the
same readers again.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import imaplib
import json
import mailbox
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gromoxd.cli.transfer.found import crlf
from tests.corpus.packages import require_samples
from tests.support.server import Server

pypff = pytest.importorskip("pypff")
olefile = pytest.importorskip("olefile")
tnefparse = pytest.importorskip("tnefparse")

pytestmark = pytest.mark.slow

WITHIN = "a message"
"""What an attachment is that is a message."""
OBJECT = b"an object"
"""An attached object in a .msg file, which is a storage of that file."""
STORAGE = bytes.fromhex("0b00000000000000c000000000000046")
"""Of an attached object: the interface that its octets are for, in front of them ([MS-OXTNEF] 2.1.3.3.15)."""


class Seen(NamedTuple):
    """What a message is recognised by in all readers: its subject, and the octets of its attachments."""

    subject: str
    files: tuple[str, ...]


def seen(subject: str, files: Iterable[bytes | None]) -> Seen:
    """`files`: octets, or None for a message. Zeros at the end are not compared: tnefparse cuts them off."""
    hashes = [WITHIN if one is None else hashlib.sha256(one.rstrip(b"\0")).hexdigest()[:12] for one in files]
    return Seen(" ".join(subject.strip("\0").split()), tuple(sorted(hashes)))


# ---------------------------------------------------------------------------------------------- other readers


def by_libpff(path: Path) -> Iterator[Seen]:
    """All messages of a file of personal folders."""
    file = pypff.file()
    file.open(str(path))

    def walk(folder: Any) -> Iterator[Seen]:
        for place in range(folder.number_of_sub_messages):
            message = folder.get_sub_message(place)
            files = [message.get_attachment(number) for number in range(message.number_of_attachments)]
            yield seen(message.subject or "", [one.read_buffer(one.size) if one.size else None for one in files])
        for place in range(folder.number_of_sub_folders):
            yield from walk(folder.get_sub_folder(place))

    yield from walk(file.get_root_folder())
    file.close()


def by_olefile(path: Path) -> Iterator[Seen]:
    """A .msg file ([MS-OXMSG] 2.2)."""
    with olefile.OleFileIO(path) as ole:
        entries = {"/".join(entry): entry for entry in ole.listdir()}

        def text(name: str) -> str:
            if f"{name}001F" in entries:
                return str(ole.openstream(f"{name}001F").read().decode("utf-16-le"))
            return str(ole.openstream(f"{name}001E").read().decode("cp1252")) if f"{name}001E" in entries else ""

        files = []
        for storage in {entry[0] for entry in entries.values() if entry[0].startswith("__attach_version1.0_#")}:
            data, inner = f"{storage}/__substg1.0_37010102", f"{storage}/__substg1.0_3701000D"
            within = f"{inner}/__properties_version1.0" in entries
            files.append(None if within else ole.openstream(data).read() if data in entries else OBJECT)
        yield seen(text("__substg1.0_0037"), files)


def by_tnefparse(path: Path) -> Iterator[Seen]:
    """A winmail.dat."""
    found = tnefparse.TNEF(path.read_bytes())
    texts = {one.name: one.data for one in found.mapiprops if one.name in SUBJECTS}
    texts |= {one.name: one.data for one in found.objects if one.name == ATT_SUBJECT}
    subject = next((texts[name] for name in SUBJECTS if texts.get(name)), "")
    files = [None if getattr(one, "embed", None) else one.data.removeprefix(STORAGE) for one in found.attachments]
    yield seen(subject, files)


ATT_SUBJECT = 0x8004
SUBJECTS = (0x0037, ATT_SUBJECT, 0x0E1D)
"""PidTagSubject, attSubject, PidTagNormalizedSubject, which is without its prefix."""


def parsed(raw: bytes) -> Message:
    """A mail."""
    return email.message_from_bytes(raw, policy=email.policy.default)


def by_email(raw: bytes) -> Seen:
    """A mail, as IMAP or a file gives it."""
    message = parsed(raw)
    files: list[bytes | None] = []

    def walk(part: Message) -> None:
        if part.get_content_type() == "message/rfc822":
            files.append(None)
        elif part.is_multipart():
            for one in part.iter_parts() if isinstance(part, EmailMessage) else ():
                walk(one)
        elif part.get_filename() or part["content-id"]:
            files.append(bytes(part.get_payload(decode=True)))

    walk(message)
    return seen(str(message["subject"] or ""), files)


# ---------------------------------------------------------------------------------------------- the mailbox


def folders(client: imaplib.IMAP4) -> list[str]:
    """The names of all folders that can be selected, as they go over the wire."""
    _, lines = client.list()
    return [
        found[1]
        for line in lines
        if isinstance(line, bytes) and b"\\Noselect" not in line
        for found in [re.match(r'\([^)]*\) "/" (.+)', line.decode())]
        if found
    ]


def by_imap(server: Server, user: str) -> dict[str, list[bytes]]:
    """Folder -> messages, of all folders that have some; each one's structure is asked for, too."""
    mails: dict[str, list[bytes]] = {}
    client = server.imap(user, timeout=60)
    for name in folders(client):
        status, count = client.select(name, readonly=True)
        assert status == "OK" and count[0] is not None
        if int(count[0]):
            status, found = client.fetch("1:*", "(RFC822.SIZE BODYSTRUCTURE RFC822)")
            assert status == "OK"
            mails[name.strip('"')] = [one[1] for one in found if isinstance(one, tuple)]
            heads = [one[0] for one in found if isinstance(one, tuple)]
            assert len(heads) == int(count[0]) and all(b"BODYSTRUCTURE (" in head for head in heads)
            sizes = [int(re.findall(rb"RFC822.SIZE (\d+)", head)[0]) for head in heads]
            assert sizes == [len(raw) for raw in mails[name.strip('"')]]
    client.logout()
    return mails


def take(server: Server, kind: str, user: str, paths: list[Path], *options: str) -> tuple[int, int]:
    """Import; how many are new and how many were there. None failed, or `ctl` tells it."""
    told = json.loads(server.ctl("import", kind, user, *map(str, paths), "--json", *options))
    assert told["failed"] == 0
    return told["imported"], told["duplicates"]


def export(server: Server, kind: str, user: str, folder: Path) -> list[Path]:
    """Export; the files."""
    told = json.loads(server.ctl("export", kind, user, str(folder / kind), "--json"))
    assert told["failed"] == 0
    return sorted(path for path in (folder / kind).rglob("*") if path.is_file())


def read(paths: Iterable[Path], reader: Callable[[Path], Iterator[Seen]]) -> Counter[Seen]:
    """What another reader finds in files."""
    return Counter(found for path in paths for found in reader(path))


def all_of(mails: dict[str, list[bytes]]) -> Counter[Seen]:
    """What the email package finds in what IMAP gave."""
    return Counter(by_email(raw) for folder in mails.values() for raw in folder)


# ---------------------------------------------------------------------------------------------- the tests

OUTLOOK = {
    "enron.pst": {"lokay-m/MLOKAY (Non-Privileged)": 1, "lokay-m/MLOKAY (Non-Privileged)/Personal": 47,
                  "lokay-m/MLOKAY (Non-Privileged)/Sent Items": 2, "lokay-m/MLOKAY (Non-Privileged)/Systems": 7,
                  "lokay-m/MLOKAY (Non-Privileged)/TW-Commercial Group": 14},
    "pstextractortest@outlook.com.ost": {"INBOX": 10, "Deleted Items": 1, "Sent Items": 2, "Sync Issues": 1,
                                         "Shown/Calendar": 9, "Shown/Calendar/United States holidays": 160},
    "pstextractortestpdf@outlook.com.ost": {"INBOX": 2, "Shown/Calendar/United States holidays": 160},
}  # fmt: skip
"""Where their messages are after the import, as IMAP has it."""
OF_OUTLOOK = "mail_outlook_1"
"""A .msg file among files of mail."""


@pytest.mark.parametrize("name", OUTLOOK)
def test_personal_folders(name: str, server: Server, tmp_path: Path) -> None:
    (path,) = [one for one in require_samples("pst-extractor") if one.name == name]
    wanted = read([path], by_libpff)
    user = server.add_user(f"{name.partition('.')[0].replace('@', '-')}@example.test")
    client = server.imap(user)
    for folder in ("Shown/Calendar", '"Shown/Calendar/United States holidays"'):
        assert client.create(folder)[0] == "OK"  # folders of mail: IMAP shows no calendars
    client.logout()
    shown = ["--folder", "Calendar=Shown/Calendar"]
    assert take(server, path.suffix[1:], user, [path], *shown) == (wanted.total(), 0)
    mails = by_imap(server, user)
    assert {folder: len(inside) for folder, inside in mails.items()} == OUTLOOK[name]
    assert all_of(mails) == wanted
    assert take(server, path.suffix[1:], user, [path], *shown) == (0, wanted.total())
    assert read(export(server, "msg", user, tmp_path), by_olefile) == wanted
    assert read(export(server, "tnef", user, tmp_path), by_tnefparse) == wanted
    files = [one.read_bytes() for one in export(server, "eml", user, tmp_path)]
    assert sorted(files) == sorted(raw for folder in mails.values() for raw in folder)


def test_winmail(server: Server, tmp_path: Path) -> None:
    paths = require_samples("tnefparse")
    wanted = read(paths, by_tnefparse)
    user = server.add_user("winmail@example.test")
    client = server.imap(user)
    assert client.create("Shown")[0] == "OK"
    client.logout()
    assert take(server, "tnef", user, paths, "--into", "Shown") == (19, 0)
    mails = by_imap(server, user)
    assert all_of(mails) == wanted
    assert take(server, "tnef", user, paths, "--into", "Shown") == (0, 19)
    assert read(export(server, "tnef", user, tmp_path), by_tnefparse) == wanted
    (linked,) = [one for one in wanted if one.subject == "OCTOBER DISCOUNTED PRICE LIST"]
    as_msg = wanted - Counter([linked]) + Counter([seen(linked.subject, [OBJECT])])
    assert read(export(server, "msg", user, tmp_path), by_olefile) == as_msg
    files = [one.read_bytes() for one in export(server, "eml", user, tmp_path)]
    assert sorted(files) == sorted(mails["Shown"])


def test_msg(server: Server, tmp_path: Path) -> None:
    other = [path for path in require_samples("mail-parser") if path.name == OF_OUTLOOK]
    paths = require_samples("msg-parser") + other
    wanted = read(paths, by_olefile)
    user = server.add_user("msg@example.test")
    assert take(server, "msg", user, paths) == (4, 0)
    mails = by_imap(server, user)
    assert all_of(mails) == wanted
    assert take(server, "msg", user, paths) == (0, 4)
    assert read(export(server, "msg", user, tmp_path), by_olefile) == wanted
    assert read(export(server, "tnef", user, tmp_path), by_tnefparse) == wanted
    files = [one.read_bytes() for one in export(server, "eml", user, tmp_path)]
    assert sorted(files) == sorted(mails["INBOX"])


def test_mails(server: Server, tmp_path: Path) -> None:
    """Files of mail, also as an mbox that Python's mailbox makes: octets stay, whoever brings them."""
    paths = [path for path in require_samples("mail-parser") if path.name != OF_OUTLOOK]
    wanted = Counter(crlf(path.read_bytes()) for path in paths)
    user = server.add_user("mails@example.test")
    assert take(server, "eml", user, paths) == (22, 0)
    mails = by_imap(server, user)
    assert Counter(mails["INBOX"]) == wanted
    assert take(server, "eml", user, paths) == (0, 22)
    files = export(server, "eml", user, tmp_path)
    assert Counter(crlf(one.read_bytes()) for one in files) == wanted
    (box,) = export(server, "mbox", user, tmp_path)
    opened = mailbox.mbox(box, create=False)
    assert Counter(one["message-id"] for one in opened) == Counter(one["message-id"] for one in map(parsed, wanted))
    opened.close()
    assert take(server, "mbox", user, [box]) == (0, 22)
