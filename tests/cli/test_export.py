"""gromoxctl export on stores that are running, and what import makes of it again."""

from __future__ import annotations

import json
import mailbox
import os
from pathlib import Path

import pytest
import vobject

from gromoxd.cli.transfer.found import write_file
from gromoxd.convert.msg import from_msg
from gromoxd.convert.pst import PstFile
from gromoxd.convert.tnef import from_tnef
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.pages import ANSWERED, FLAGGED, SEEN
from gromoxd.mapi import proptags as p
from tests.cli.conftest import Ctl
from tests.cli.served import ALICE, Served
from tests.cli.test_import import contents, folder, imported, index
from tests.contract.mail import mail
from tests.convert.vcard.samples import GROUP, MODERN

QUOTED = mail(2, body="From here\r\n>From there\r\n\r\nend")


def fill(served: Served) -> None:
    served.append(mail(1), flags=SEEN | ANSWERED, keywords=["work"])
    served.append(QUOTED, flags=FLAGGED)
    made = served.call(c.CreateFolder("Projects/\u00c4.b", "IPF.Note", served.request_id()))
    served.append(mail(3), made.fid)


def exported(ctl: Ctl, *words: str) -> dict[str, int]:
    outcome = ctl("export", *words, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert found["failed"] == 0
    folders: dict[str, int] = found["folders"]
    return folders


def test_mbox_and_back(served: Served, filled: Ctl, tmp_path: Path) -> None:
    fill(served)
    assert exported(filled, "mbox", ALICE, str(tmp_path)) == {"INBOX": 2, "Projects/\u00c4.b": 1}
    box = mailbox.mbox(str(tmp_path / "INBOX.mbox"))
    assert [one["subject"] for one in box] == ["Message 1", "Message 2"]
    assert [one.get_flags() for one in box] == ["ROA", "OF"]
    box.close()
    before, flags = contents(served), index(served)
    found = imported(filled, "mbox", ALICE, str(tmp_path), "--into", "Back")
    assert found["folders"] == {"Back/INBOX": 2, "Back/Projects/\u00c4.b": 1}
    again = folder(served, "Back/INBOX")
    assert contents(served, again) == before == [mail(1), QUOTED]
    assert index(served, again) == flags


def test_maildir_and_back(served: Served, filled: Ctl, tmp_path: Path) -> None:
    fill(served)
    assert exported(filled, "maildir", ALICE, str(tmp_path)) == {"INBOX": 2, "Projects/\u00c4.b": 1}
    assert exported(filled, "maildir", ALICE, str(tmp_path)) == {"INBOX": 2, "Projects/\u00c4.b": 1}
    box = mailbox.Maildir(str(tmp_path))
    assert sorted(one.get_flags() for one in box) == ["F", "RSa"]
    [name] = [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert name.startswith(".Projects.&AMQ-_b~") and (tmp_path / name / "cur").is_dir()
    found = imported(filled, "maildir", ALICE, str(tmp_path), "--into", "Back")
    assert found["folders"] == {"Back": 2, f"Back/Projects/\u00c4_b{name[-9:]}": 1}
    again = folder(served, "Back")
    assert contents(served, again) == [mail(1), QUOTED]
    assert index(served, again) == index(served)


def test_eml_one_folder(served: Served, filled: Ctl, tmp_path: Path) -> None:
    fill(served)
    assert exported(filled, "eml", ALICE, str(tmp_path), "--folder", "projects") == {"Projects/\u00c4.b": 1}
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.eml")] == ["Projects/\u00c4.b/00000001.eml"]


def test_vcf(served: Served, filled: Ctl, tmp_path: Path) -> None:
    source = tmp_path / "in.vcf"
    source.write_text(MODERN + GROUP)
    imported(filled, "vcf", ALICE, str(source))
    assert exported(filled, "vcf", ALICE, str(tmp_path / "out")) == {"Contacts": 2}
    cards = list(vobject.readComponents((tmp_path / "out" / "Contacts.vcf").read_text()))
    assert [card.fn.value for card in cards] == ["Dr. J\u00fcrgen M\u00fcller", "The Team"]
    assert cards[0].contents["x-unknown"][0].value == "some thing, kept"
    assert cards[0].uid.value == "urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1"


def test_a_file_for_each(served: Served, filled: Ctl, tmp_path: Path) -> None:
    source = tmp_path / "in.vcf"
    source.write_text(MODERN + GROUP)
    imported(filled, "vcf", ALICE, str(source))
    assert exported(filled, "vcf", ALICE, str(tmp_path / "out"), "--each") == {"Contacts": 2}
    files = sorted((tmp_path / "out" / "Contacts").iterdir())
    assert [vobject.readOne(file.read_text()).fn.value for file in files] == ["Dr. J\u00fcrgen M\u00fcller", "The Team"]
    assert filled("export", "eml", ALICE, str(tmp_path / "out"), "--each").status == 1


def test_msg_and_tnef(served: Served, filled: Ctl, tmp_path: Path) -> None:
    fill(served)
    for kind, read in (("msg", from_msg), ("tnef", from_tnef)):
        assert exported(filled, kind, ALICE, str(tmp_path / kind), "--folder", "INBOX") == {"INBOX": 2}
        item = read((tmp_path / kind / "INBOX" / f"00000001.{kind}").read_bytes())
        assert item.props[p.PidTagSubject] == "Message 1"
        assert item.props[p.PidTagBody] == "This is body 1.\r\n"


def test_pst_and_back(served: Served, filled: Ctl, tmp_path: Path) -> None:
    fill(served)
    cards = tmp_path / "in.vcf"
    cards.write_text(MODERN + GROUP)
    imported(filled, "vcf", ALICE, str(cards))
    wanted = {"INBOX": 2, "Projects/\u00c4.b": 1, "Contacts": 2}
    for _ in range(2):
        assert exported(filled, "pst", ALICE, str(tmp_path / "out")) == wanted
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mailbox.pst"]
    with PstFile(tmp_path / "out" / "mailbox.pst") as file:
        found = {folder.path[1:]: folder for folder in file.folders() if folder.content_count}
        assert {way: len(list(folder.messages())) for way, folder in found.items()} == {
            ("Inbox",): 2, ("Projects", "\u00c4.b"): 1, ("Contacts",): 2,
        }  # fmt: skip
        assert found[("Contacts",)].container_class == "IPF.Contact"
        first, second = (message.item().props for message in found[("Inbox",)].messages())
    assert (first[p.PidTagSubject], second[p.PidTagSubject]) == ("Message 1", "Message 2")
    flags = (first[p.PidTagMessageFlags], second[p.PidTagMessageFlags])
    assert [isinstance(one, int) and one & 1 for one in flags] == [1, 0]
    assert first[p.PidTagDisplayTo]
    back = imported(filled, "pst", ALICE, str(tmp_path / "out" / "mailbox.pst"), "--into", "Back")
    assert back["folders"] == {f"Back/{name.replace('INBOX', 'Inbox')}": count for name, count in wanted.items()}
    assert sorted(word & SEEN for word, _, _ in index(served, folder(served, "Back/Inbox"))) == [0, SEEN]


def test_a_folder_that_is_not_there(served: Served, filled: Ctl, tmp_path: Path) -> None:
    assert filled("export", "eml", ALICE, str(tmp_path), "--folder", "None").err == (
        "gromoxctl: the folder None does not exist\n"
    )


def test_maildir_folders_that_look_alike_are_two(served: Served, filled: Ctl, tmp_path: Path) -> None:
    for number, name in enumerate(("a.b", "a_b"), 1):
        made = served.call(c.CreateFolder(name, "IPF.Note", served.request_id()))
        served.append(mail(number), made.fid)
    assert exported(filled, "maildir", ALICE, str(tmp_path)) == {"a.b": 1, "a_b": 1}
    assert exported(filled, "maildir", ALICE, str(tmp_path)) == {"a.b": 1, "a_b": 1}
    counts = {path.parent.name: len(list(path.iterdir())) for path in tmp_path.glob(".a*/cur")}
    assert sorted(counts.values()) == [1, 1] and ".a_b" in counts


@pytest.mark.parametrize("kind", ["eml", "mbox", "maildir", "pst", "msg"])
def test_what_is_exported_is_its_owner_s_alone(served: Served, filled: Ctl, tmp_path: Path, kind: str) -> None:
    served.append(mail(1))
    before = os.umask(0)
    try:
        assert exported(filled, kind, ALICE, str(tmp_path / "out"), "--folder", "INBOX") == {"INBOX": 1}
    finally:
        os.umask(before)
    made = [tmp_path / "out", *(tmp_path / "out").rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o700}


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "a.eml.part").symlink_to(victim)
    write_file(str(tmp_path / "a.eml"), b"mail", 1_000_000_000)
    made = tmp_path / "a.eml"
    assert (victim.read_bytes(), made.read_bytes(), made.is_symlink()) == (b"mine", b"mail", False)
    assert made.stat().st_mtime == 1_000_000_000
