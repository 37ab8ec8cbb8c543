"""gromoxctl import on stores that are running: every format, folders, flags, dates, duplicates, bad messages."""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from gromoxd.cli.transfer import FORMATS
from gromoxd.convert.item import Item
from gromoxd.convert.msg import to_msg
from gromoxd.convert.pst import PstFile
from gromoxd.convert.tnef import to_tnef
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.pages import ANSWERED, DRAFT, FLAGGED, KEYWORD_SHIFT, SEEN, SYSTEM_MASK, FolderState
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.times import filetime
from tests.cli.conftest import Ctl
from tests.cli.served import ALICE, Served
from tests.contract.mail import mail
from tests.convert.pst.made import made as pst_file
from tests.convert.vcard.samples import GROUP, MODERN

INBOX, CONTACTS = 0x0D, 0x13


def imported(ctl: Ctl, *words: str, status: int = 0) -> dict[str, Any]:
    outcome = ctl("import", *words, "--json")
    assert (outcome.status, outcome.err if not status else "") == (status, "")
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def contents(served: Served, fid: int = INBOX) -> list[bytes]:
    return [one.raw for one in served.call(c.GetContents(fid, [(1, 0xFFFFFFFF)]))]


def index(served: Served, fid: int = INBOX) -> list[tuple[int, tuple[str, ...], int]]:
    """Flags, keywords and INTERNALDATE of a folder's messages."""
    from gromoxd.cli.transfer.target import pages

    class Store:
        def call(self, call: c.Call[Any], deadline: float) -> Any:
            return served.call(call)

    sets = served.call(c.GetKeywordSets(0)).sets
    return [
        (word & SYSTEM_MASK, tuple(sets[word >> KEYWORD_SHIFT]), received)
        for page in pages(Store(), fid)  # type: ignore[arg-type]
        for word, received in zip(page.flags, page.received, strict=True)
    ]


def folder(served: Served, path: str) -> int:
    folders = served.call(c.ListFolders()).folders
    return next(one.fid for one in folders if one.path == path)


def messages(served: Served, fid: int) -> list[o.Message]:
    from gromoxd.cli.transfer.target import pages

    class Store:
        def call(self, call: c.Call[Any], deadline: float) -> Any:
            return served.call(call)

    mids = [mid for page in pages(Store(), fid) for mid in page.mids]  # type: ignore[arg-type]
    found: list[o.Message] = served.call(o.ReadMessages(mids))
    return found


MBOX = (
    b"From ann@example.org Tue Mar  3 10:20:30 2026\n"
    b"From: ann@example.org\nSubject: one\nMessage-ID: <1@x>\nStatus: RO\nX-Status: AF\nX-Keywords: work $Later\n\n"
    b"body\n>From the start\n>>From twice\nFrom here on without a date\n\nlast\n\n"
    b"From bob@example.org Wed Mar  4 10:20:30 2026 +0100\r\n"
    b"Subject: two\r\n\r\nbody two\r\n\r\n"
    b"From MAILER-DAEMON Thu Mar  5 10:20:30 2026\n"
    b"Subject: three\nContent-Length: 57\n\nFrom x Thu Mar  5 10:20:30 2026\n>From kept as it is here\n\n"
    b"From - Fri Mar  6 10:20:30 2026\nX-Mozilla-Status: 0001\nSubject: four\n\n\nblank lines\n\n\n"
)
TIME = 1772533230


def test_mbox(served: Served, filled: Ctl, tmp_path: Path) -> None:
    path = tmp_path / "old.mbox"
    path.write_bytes(MBOX)
    assert imported(filled, "mbox", ALICE, str(path)) == {
        "imported": 4, "duplicates": 0, "failed": 0, "folders": {"INBOX": 4},
    }  # fmt: skip
    assert contents(served) == [
        b"From: ann@example.org\r\nSubject: one\r\nMessage-ID: <1@x>\r\n\r\n"
        b"body\r\nFrom the start\r\n>From twice\r\nFrom here on without a date\r\n\r\nlast\r\n",
        b"Subject: two\r\n\r\nbody two\r\n",
        b"Subject: three\r\n\r\nFrom x Thu Mar  5 10:20:30 2026\r\n>From kept as it is here\r\n",
        b"Subject: four\r\n\r\n\r\nblank lines\r\n\r\n",
    ]
    assert index(served) == [
        (SEEN | ANSWERED | FLAGGED, ("$Later", "work"), TIME),
        (0, (), TIME + 86400 - 3600),
        (0, (), TIME + 2 * 86400),
        (SEEN, (), TIME + 3 * 86400),
    ]


def test_again_is_passed_over(served: Served, filled: Ctl, tmp_path: Path) -> None:
    path = tmp_path / "old.mbox"
    path.write_bytes(MBOX)
    imported(filled, "mbox", ALICE, str(path))
    with path.open("ab") as file:
        file.write(b"From x@y Sat Mar  7 10:20:30 2026\nSubject: five\n\nnew\n")
    again = imported(filled, "mbox", ALICE, str(path))
    assert (again["imported"], again["duplicates"]) == (1, 4)
    assert len(contents(served)) == 5
    more = imported(filled, "mbox", ALICE, str(path), "--allow-duplicates")
    assert (more["imported"], more["duplicates"]) == (5, 0)
    elsewhere = imported(filled, "mbox", ALICE, str(path), "--into", "Archive/2026")
    assert elsewhere["folders"] == {"Archive/2026": 5}
    assert len(contents(served, folder(served, "Archive/2026"))) == 5


def test_what_was_delivered_is_known_by_its_message_id(served: Served, filled: Ctl, tmp_path: Path) -> None:
    served.append(mail(1))
    (tmp_path / "1.eml").write_bytes(mail(1).replace(b"\r\n", b"\n"))
    (tmp_path / "2.eml").write_bytes(mail(2))
    found = imported(filled, "eml", ALICE, str(tmp_path))
    assert (found["imported"], found["duplicates"]) == (1, 1)


def test_an_import_that_was_killed_is_resumed(served: Served, filled: Ctl, tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    path = tmp_path / "many.mbox"
    path.write_bytes(b"".join(b"From x Tue Mar  3 10:20:30 2026\nSubject: %d\n\n%d\n\n" % (i, i) for i in range(60)))
    from gromoxd.cli.transfer import mbox

    read = mbox.read

    def half(path: str) -> Any:
        for number, found in enumerate(read(path)):
            if number == 40:
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr(mbox, "read", half)
    assert filled("import", "mbox", ALICE, str(path)).status == 1
    there = len(contents(served))
    assert 0 < there <= 40
    monkeypatch.setattr(mbox, "read", read)
    rest = imported(filled, "mbox", ALICE, str(path))
    assert rest["imported"] == 60 - rest["duplicates"]
    assert sorted(contents(served)) == sorted(b"Subject: %d\r\n\r\n%d\r\n" % (i, i) for i in range(60))


def test_bad_ones_are_told_and_the_rest_is_done(served: Served, filled: Ctl, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"")
    (tmp_path / "b.eml").write_bytes(mail(1))
    (tmp_path / "c.vcf").write_bytes(b"nothing")
    outcome = filled("import", "eml", ALICE, str(tmp_path))
    assert outcome.status == 1
    assert outcome.out == "INBOX: 1\n1 imported, 0 there already, 1 failed\n"
    assert outcome.err == f"{tmp_path}/a.eml: empty\ngromoxctl: 1 could not be imported\n"
    outcome = filled("import", "vcf", ALICE, str(tmp_path))
    assert outcome.err == f"{tmp_path}/c.vcf: not readable: no vCard\ngromoxctl: 1 could not be imported\n"
    outcome = filled("import", "mbox", ALICE, str(tmp_path / "b.eml"))
    assert "not an mbox file" in outcome.err
    assert "neither cur nor new" in filled("import", "maildir", ALICE, str(tmp_path)).err


def test_a_dry_run_changes_nothing(served: Served, filled: Ctl, tmp_path: Path) -> None:
    path = tmp_path / "old.mbox"
    path.write_bytes(MBOX)
    outcome = filled("import", "mbox", ALICE, str(path), "--dry-run", "--into", "New")
    assert (outcome.status, outcome.out) == (0, "New: 4\n4 would be imported, 0 there already, 0 failed\n")
    assert "New" not in [one.path for one in served.call(c.ListFolders()).folders]


def test_folders_are_mapped(served: Served, filled: Ctl, tmp_path: Path) -> None:
    for number, name in enumerate(("Work/Deep", "Work", "Odd.name", "")):
        (tmp_path / name).mkdir(exist_ok=True, parents=True)
        (tmp_path / name / "m.eml").write_bytes(mail(number))
    found = imported(filled, "eml", ALICE, str(tmp_path), "--folder", "work=Projects/Old", "--folder", "=Top")
    assert found["folders"] == {"Projects/Old": 1, "Projects/Old/Deep": 1, "Top": 1, "Top/Odd.name": 1}
    assert filled("import", "eml", ALICE, str(tmp_path), "--folder", "x").err == (
        "gromoxctl: --folder wants SOURCE=FOLDER\n"
    )


def test_large_mail_goes_by_a_file(served: Served, filled: Ctl, tmp_path: Path) -> None:
    raw = mail(1, body="line of text\r\n" * 200_000)
    (tmp_path / "big.eml").write_bytes(raw)
    imported(filled, "eml", ALICE, str(tmp_path / "big.eml"))
    outcome = filled("export", "eml", ALICE, str(tmp_path / "out"))
    assert outcome.status == 0
    (written,) = (tmp_path / "out" / "INBOX").iterdir()
    assert written.read_bytes() == raw
    assert written.stat().st_mtime == 1772529630


def test_maildir(served: Served, filled: Ctl, tmp_path: Path) -> None:
    for folder_name in ("", ".Sub.Deeper", ".&AOQ-rger", "Nested"):
        for part in ("cur", "new", "tmp"):
            (tmp_path / folder_name / part).mkdir(parents=True)
    (tmp_path / "dovecot-keywords").write_text("0 work\n1 $Later\n")
    for name, text in {
        "cur/1.a.host:2,FRSab": "one", "new/2.b.host": "two", "tmp/3.c.host": "never",
        ".Sub.Deeper/cur/4.d:2,D": "four",
        ".&AOQ-rger/cur/5.e:2,": "five", "Nested/new/6.f": "six",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(f"Subject: {text}\n\n{text}\n".encode())
        os.utime(tmp_path / name, (TIME, TIME))
    found = imported(filled, "maildir", ALICE, str(tmp_path))
    assert found["folders"] == {"INBOX": 2, "Sub/Deeper": 1, "\u00e4rger": 1, "Nested": 1}
    assert contents(served) == [b"Subject: one\r\n\r\none\r\n", b"Subject: two\r\n\r\ntwo\r\n"]
    assert index(served) == [(SEEN | ANSWERED | FLAGGED, ("$Later", "work"), TIME), (0, (), TIME)]
    assert index(served, folder(served, "Sub/Deeper")) == [(DRAFT, (), TIME)]


def test_vcf(served: Served, filled: Ctl, tmp_path: Path) -> None:
    (tmp_path / "all.vcf").write_text(MODERN + GROUP)
    found = imported(filled, "vcf", ALICE, str(tmp_path))
    assert found["folders"] == {"Contacts": 2}
    contact, group = messages(served, CONTACTS)
    assert contact.props[p.PidTagDisplayName] == "Dr. J\u00fcrgen M\u00fcller"
    assert contact.props[n.PidLidEmail1EmailAddress] == "a@example.com"
    assert group.props[p.PidTagMessageClass] == "IPM.DistList"
    assert imported(filled, "vcf", ALICE, str(tmp_path))["duplicates"] == 2


ICS = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1@x\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260303T100000Z\r\nDTEND:20260303T110000Z\r\nSUMMARY:Tea\r\nEND:VEVENT\r\nBEGIN:VTODO\r\nUID:2@x\r\n"
    "DTSTAMP:20260101T000000Z\r\nSUMMARY:Do it\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
)


def test_ics(served: Served, filled: Ctl, tmp_path: Path) -> None:
    pytest.importorskip("gromoxd.convert.ical")
    (tmp_path / "all.ics").write_text(ICS)
    found = imported(filled, "ics", ALICE, str(tmp_path))
    assert found["folders"] == {"Calendar": 1, "Tasks": 1}
    (event,) = messages(served, 0x0F)
    assert (event.props[p.PidTagSubject], event.props[p.PidTagMessageClass]) == ("Tea", "IPM.Appointment")
    assert imported(filled, "ics", ALICE, str(tmp_path))["duplicates"] == 2
    out = tmp_path / "out"
    assert filled("export", "ics", ALICE, str(out)).status == 0
    assert "SUMMARY:Tea" in (out / "Calendar.ics").read_text()
    assert "SUMMARY:Do it" in (out / "Tasks.ics").read_text()


def item(subject: str, flags: int) -> Item:
    return Item(
        {
            p.PidTagMessageClass: "IPM.Note",
            p.PidTagSubject: subject,
            p.PidTagBody: "text",
            p.PidTagMessageFlags: flags,
            p.PidTagMessageDeliveryTime: filetime(TIME),
        }
    )


def test_msg_and_tnef(served: Served, filled: Ctl, tmp_path: Path) -> None:
    (tmp_path / "a.msg").write_bytes(to_msg(item("from msg", 1)))
    (tmp_path / "winmail.dat").write_bytes(to_tnef(item("from tnef", 0)))
    assert imported(filled, "msg", ALICE, str(tmp_path))["folders"] == {"INBOX": 1}
    assert imported(filled, "tnef", ALICE, str(tmp_path))["folders"] == {"INBOX": 1}
    assert [one.props[p.PidTagSubject] for one in messages(served, INBOX)] == ["from msg", "from tnef"]
    assert index(served) == [(SEEN, (), TIME), (0, (), TIME)]
    assert imported(filled, "msg", ALICE, str(tmp_path))["duplicates"] == 1
    assert b"Subject: from msg\r\n" in contents(served)[0]
    assert imported(filled, "msg", ALICE, str(tmp_path), "--into", "Seen", "--seen")["imported"] == 1


def test_a_full_mailbox_stops_the_import(served: Served, filled: Ctl, tmp_path: Path) -> None:
    served.call(c.SetQuota(1000, 1000))
    path = tmp_path / "many.mbox"
    path.write_bytes(b"".join(b"From x Tue Mar  3 10:20:30 2026\nSubject: %d\n\n%d\n\n" % (i, i) for i in range(500)))
    outcome = filled("import", "mbox", ALICE, str(path))
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith("gromoxctl: stopped: ")
    assert len(outcome.err.splitlines()) < 40


def test_a_mailbox_that_is_not_there(filled: Ctl, tmp_path: Path) -> None:
    assert filled("import", "eml", "nobody@example.test", str(tmp_path)).status == 1
    assert filled("import", "pst", ALICE, str(tmp_path / "none")).status == 1


def test_index_pages_are_read(served: Served) -> None:
    state = served.call(c.GetFolderState(INBOX))
    import msgspec

    assert msgspec.msgpack.decode(state, type=FolderState).fid == INBOX


def test_pst(served: Served, filled: Ctl, tmp_path: Path) -> None:
    path = tmp_path / "old.pst"
    path.write_bytes(pst_file(count=40))
    found = imported(filled, "pst", ALICE, str(path))
    with PstFile(path) as file:
        folders = [(folder.path, len(list(folder.messages()))) for folder in file.folders()]
    assert found["imported"] == sum(count for _, count in folders)
    assert imported(filled, "pst", ALICE, str(path))["duplicates"] == found["imported"]
    for name, count in found["folders"].items():
        assert len(contents(served, folder(served, name))) == count


def test_what_a_pst_has_lost_is_told(served: Served, filled: Ctl, tmp_path: Path) -> None:
    whole, path = pst_file(count=12), tmp_path / "old.pst"
    rng = random.Random(1)
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[rng.randrange(0x4400, len(whole))] ^= 0xFF
        path.write_bytes(damaged)
        lost = [what for found in FORMATS["pst"].load().read(str(path)) for what in found.lost]
        if lost:
            break
    outcome = filled("import", "pst", ALICE, str(path), "--dry-run")
    assert outcome.err.count("imported without this: ") == len(lost) == 1
    outcome = filled("import", "pst", ALICE, str(path))
    assert (outcome.status, outcome.out.splitlines()[-1]) == (0, "12 imported, 0 there already, 0 failed")
    assert outcome.err.startswith(f"{path}, ") and outcome.err.endswith(f": imported without this: {lost[0]}\n")


def test_a_folder_below_the_inbox(served: Served, filled: Ctl, tmp_path: Path) -> None:
    (tmp_path / "Sub").mkdir()
    (tmp_path / "Sub" / "m.eml").write_bytes(mail(1))
    assert imported(filled, "eml", ALICE, str(tmp_path), "--into", "inbox")["folders"] == {"INBOX/Sub": 1}
    (tmp_path / "Sub" / "n.eml").write_bytes(mail(2))
    assert imported(filled, "eml", ALICE, str(tmp_path), "--into", "INBOX")["duplicates"] == 1


def test_a_terminal_shows_progress(
    served: Served, filled: Ctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.mbox"
    path.write_bytes(MBOX)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    outcome = filled("import", "mbox", ALICE, str(path))
    assert (outcome.status, outcome.out) == (0, "INBOX: 4\n4 imported, 0 there already, 0 failed\n")
    assert "old.mbox" in outcome.err
    outcome = filled("export", "mbox", ALICE, str(tmp_path / "out"))
    assert "INBOX" in outcome.err and "4/4" in outcome.err
