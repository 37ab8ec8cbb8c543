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
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gromoxd.cli.transfer.found import crlf
from tests.corpus.packages import require_samples
from tests.support.server import Server

icalendar = pytest.importorskip("icalendar")
pypff = pytest.importorskip("pypff")
olefile = pytest.importorskip("olefile")
tnefparse = pytest.importorskip("tnefparse")
vobject = pytest.importorskip("vobject")

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


def is_message(attachment: Any) -> bool:
    """By PidTagAttachMethod."""
    entries = (entry for records in attachment.record_sets for entry in records.entries)
    return any(entry.entry_type == 0x3705 and entry.data_as_integer == 5 for entry in entries)


def by_libpff(path: Path) -> Iterator[Seen]:
    """All messages of a file of personal folders."""
    file = pypff.file()
    file.open(str(path))

    def walk(folder: Any) -> Iterator[Seen]:
        for place in range(folder.number_of_sub_messages):
            message = folder.get_sub_message(place)
            files = [message.get_attachment(number) for number in range(message.number_of_attachments)]
            yield seen(message.subject or "", [None if is_message(one) else one.read_buffer(one.size) for one in files])
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
    assert read(export(server, "pst", user, tmp_path), by_libpff) == wanted
    files = [one.read_bytes() for one in export(server, "eml", user, tmp_path)]
    assert sorted(files) == sorted(raw for folder in mails.values() for raw in folder)


class Told(NamedTuple):
    """What a mail says; `text`: its words."""

    subject: str
    sent: datetime
    arrived: datetime
    is_read: bool
    message_id: str
    text: str


def told_by_libpff(folder: Any) -> Iterator[Told]:
    for place in range(folder.number_of_sub_messages):
        one = folder.get_sub_message(place)
        entries = {entry.entry_type: entry for records in one.record_sets for entry in records.entries}
        text = " ".join(one.plain_text_body.decode().split())
        flags, message_id = entries[0x0E07].data_as_integer, entries[0x1035].data_as_string
        times = [when.replace(microsecond=0, tzinfo=UTC) for when in (one.client_submit_time, one.delivery_time)]
        yield Told(" ".join(one.subject.split()), times[0], times[1], bool(flags & 1), message_id, text)
    for place in range(folder.number_of_sub_folders):
        yield from told_by_libpff(folder.get_sub_folder(place))


def told_by_imap(client: imaplib.IMAP4, name: str) -> Iterator[Told]:
    assert client.select(name, readonly=True)[0] == "OK"
    for one in client.fetch("1:*", "(FLAGS INTERNALDATE RFC822)")[1]:
        if isinstance(one, tuple):
            mail = parsed(one[1])
            assert isinstance(mail, EmailMessage)
            body = mail.get_body(("plain",))
            assert body is not None
            when = re.findall(rb'INTERNALDATE "([^"]+)"', one[0])[0].decode().strip()
            arrived = datetime.strptime(when, "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
            text = " ".join(body.get_content().split())
            yield Told(" ".join(str(mail["subject"] or "").split()), mail["date"].datetime.astimezone(UTC), arrived,
                       b"\\Seen" in one[0], str(mail["message-id"]), text)  # fmt: skip


def test_mails_of_personal_folders_say_the_same(server: Server) -> None:
    (path,) = [one for one in require_samples("pst-extractor") if one.name == "enron.pst"]
    user = server.add_user("said@example.test")
    assert take(server, "pst", user, [path], "--into", "Said") == (71, 0)
    file = pypff.file()
    file.open(str(path))
    wanted = Counter(told_by_libpff(file.get_root_folder()))
    file.close()
    client = server.imap(user)
    names = [name for name in folders(client) if name.startswith('"Said/')]
    assert Counter(one for name in names for one in told_by_imap(client, name)) == wanted
    client.logout()


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
    assert read(export(server, "pst", user, tmp_path), by_libpff) == wanted
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
    assert read(export(server, "pst", user, tmp_path), by_libpff) == wanted
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


# ---------------------------------------------------------------------------------------------- calendars, contacts

ICALENDAR = Path(icalendar.__file__).parent / "tests"
MORE = {
    "big_bad_calendar.ics": "icalendar sees no component in it",
    "fuzz_testcase_invalid_month.ics": "icalendar refuses it",
    "fuzz_testcase_vtimezone_lone_cr.ics": "icalendar refuses it",
    "issue_104_broken_calendar.ics": "icalendar refuses it",
    "issue_178_custom_component_contains_other.ics": "an event in a component that is no calendar",
    "parsing_error_in_UTC_offset.ics": "icalendar refuses it",
    "pr_480_summary_with_colon.ics": "icalendar sees no component in it",
    "small_bad_calendar.ics": "icalendar sees no component in it",
}
"""Files of which icalendar finds less, or more, than we do."""


def by_icalendar(data: bytes) -> Counter[tuple[str, str]]:
    """Kind and summary of each object; exceptions of a series are not counted unless they are alone."""
    with warnings.catch_warnings(action="ignore"):
        calendars = icalendar.Calendar.from_ical(data, multiple=True)
    parts = [part for calendar in calendars for part in calendar.walk() if part.name in ("VEVENT", "VTODO", "VJOURNAL")]
    series = {str(part.get("UID") or id(part)) for part in parts if "RECURRENCE-ID" not in part}
    found = Counter[tuple[str, str]]()
    for part in parts:
        uid = str(part.get("UID") or id(part))
        if "RECURRENCE-ID" in part and uid in series:
            continue
        series.add(uid)
        found[part.name, " ".join(str(part.get("SUMMARY") or "").split())] += 1
    return found


def test_calendars(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "calendars"
    folder.mkdir()
    wanted = Counter[tuple[str, str]]()
    for number, path in enumerate(sorted(ICALENDAR.rglob("*.ics"))):
        found = by_icalendar(path.read_bytes()) if path.name not in MORE else Counter[tuple[str, str]]()
        if found:
            wanted += found
            shutil.copy(path, folder / f"{number:03}-{path.name}")
    assert wanted.total() > 150
    user = server.add_user("calendars@example.test")
    assert take(server, "ics", user, [folder], "--allow-duplicates") == (wanted.total(), 0)
    assert take(server, "ics", user, [folder]) == (0, wanted.total())
    exported = Counter(one for path in export(server, "ics", user, tmp_path) for one in objects(path.read_bytes()))
    requests = [raw for folder in by_imap(server, user).values() for raw in folder]
    assert len(requests) == 8  # meeting requests are mail
    for raw in requests:
        (part,) = [part for part in parsed(raw).walk() if part.get_content_type() == "text/calendar"]
        exported.update(objects(bytes(part.get_payload(decode=True))))
    assert exported == wanted


def objects(data: bytes) -> Iterator[tuple[str, str]]:
    """What icalendar finds."""
    return by_icalendar(data).elements()


def card(number: int) -> Any:
    """A contact as vobject makes it."""
    made = vobject.vCard()
    made.add("fn").value = f"Zoë Müller {number}"
    made.add("n").value = vobject.vcard.Name(family=f"Müller {number}", given="Zoë", prefix="Dr.")
    for kind, value in (("INTERNET", f"zoe{number}@example.org"), ("INTERNET", f"z.mueller{number}@example.net")):
        mail = made.add("email")
        mail.value, mail.type_param = value, kind
    for kind, value in (("WORK", f"+49 30 {number}"), ("HOME", f"+43 1 {number}"), ("CELL", f"+41 79 {number}")):
        phone = made.add("tel")
        phone.value, phone.type_param = value, kind
    made.add("org").value = ["Firma; und Söhne", "Einkauf"]
    made.add("adr").value = vobject.vcard.Address(street="Straße 1\nHof", city="Köln", code="50667", country="Germany")
    made.add("note").value = "Zeile, eins\nZeile zwei" * (number % 5)
    return made


def facts_of_card(one: Any) -> tuple[Any, ...]:
    """What vobject finds in a contact."""
    phones = sorted((value.value, *sorted({"WORK", "HOME", "CELL"} & {kind.upper() for kind in value.params["TYPE"]}))
                    for value in one.contents["tel"])  # fmt: skip
    mails = tuple(value.value for value in one.contents["email"])
    note = one.note.value.replace("\r\n", "\n") if "note" in one.contents else ""
    return one.fn.value, str(one.n.value), mails, *phones, tuple(one.org.value), str(one.adr.value), note


def test_contacts(server: Server, tmp_path: Path) -> None:
    cards = [card(number) for number in range(60)]
    path = tmp_path / "all.vcf"
    path.write_text("".join(one.serialize() for one in cards), newline="")
    user = server.add_user("contacts@example.test")
    assert take(server, "vcf", user, [path]) == (60, 0)
    assert take(server, "vcf", user, [path]) == (0, 60)
    (out,) = export(server, "vcf", user, tmp_path)
    with out.open(encoding="utf-8", newline="") as file:
        found = Counter(facts_of_card(one) for one in vobject.readComponents(file))
    assert found == Counter(facts_of_card(one) for one in vobject.readComponents(path.read_text()))
