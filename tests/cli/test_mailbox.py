"""gromoxctl mailbox list, show, sizes, check, repair, compact on stores that are running."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import apsw
import pytest

from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import names as n
from gromoxd.exmdb import objects as o
from tests.cli.conftest import Ctl
from tests.cli.served import ALICE, Served
from tests.contract.mail import mail
from tests.support import messages
from tests.support.server import running

FINDER, PUBLIC = 0x05, "example.test"
NUMBERS = "RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 150)"


def data(ctl: Ctl, *words: str) -> Any:
    outcome = ctl(*words, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    return json.loads(outcome.out)


def lines(ctl: Ctl, *words: str) -> list[str]:
    outcome = ctl(*words)
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out.splitlines()


def breakage(served: Served, sql: str, name: str = ALICE) -> None:
    """Change a mailbox behind the store's back."""
    served.give_up(name)
    db = apsw.Connection(str(served.maildir(name) / "mailbox.sqlite3"))
    db.execute(sql)
    db.close()


# ---------------------------------------------------------------------------------------------- list, info, show


def test_list(served: Served, filled: Ctl) -> None:
    """Users and public stores; what was never used is not made by asking."""
    filled("user", "add", "bob@example.test", "--no-password")
    filled("user", "add", "contact@example.test", "--no-password", "--status", "contact")
    served.append(mail(1))
    size = served.append(mail(2)).uid and len(mail(1)) + len(mail(2))
    rows = {row["name"]: row for row in data(filled, "mailbox", "list")}
    assert set(rows) == {ALICE, "bob@example.test", PUBLIC}
    assert rows[ALICE] == {
        "name": ALICE, "home": "here", "messages": 2, "size": size, "maildir": str(served.maildir()), "state": "",
    }  # fmt: skip
    assert (rows["bob@example.test"]["state"], rows["bob@example.test"]["messages"]) == ("unused", None)
    assert not served.maildir("bob@example.test").exists() and not served.maildir(PUBLIC).exists()
    heading, *rest = lines(filled, "mailbox", "list", "--domain", PUBLIC, "--no-figures")
    assert heading == "name\thome\tmessages\tsize\tmaildir\tstate" and len(rest) == 3
    assert filled("mailbox", "list", "--domain", "nowhere.test").status == 1


def test_list_tells_of_mailboxes_that_do_not_open(served: Served, filled: Ctl) -> None:
    served.maildir().mkdir(parents=True)
    (served.maildir() / "mailbox.sqlite3").write_bytes(b"no database" * 1000)
    outcome = filled("mailbox", "list", "--json")
    rows = {row["name"]: row for row in json.loads(outcome.out)}
    assert outcome.status == 0 and rows[ALICE]["state"] == "ecError" and rows[ALICE]["messages"] is None


def test_names_of_stores(served: Served, filled: Ctl) -> None:
    """A domain's store is meant with or without its @; who has none is told so."""
    for name in (PUBLIC, f"@{PUBLIC}"):
        assert data(filled, "mailbox", "info", name)["owner"] == PUBLIC
    for name in ("nobody@example.test", "@nowhere.test", "nowhere.test"):
        assert filled("mailbox", "info", name).err == f"gromoxctl: there is no mailbox of {name}\n"


def test_info(served: Served, filled: Ctl) -> None:
    served.append(mail(1))
    assert filled("quota", "set", ALICE, "50K", "--receive", "40K").status == 0
    found = data(filled, "mailbox", "info", ALICE)
    assert (found["messages"], found["quota_storage"], found["quota_receive"]) == (1, 50 << 10, 40 << 10)
    assert "messages: 1" in lines(filled, "mailbox", "info", ALICE)


def test_show(served: Served, filled: Ctl) -> None:
    for number in (1, 2):
        served.append(mail(number))
    kept = served.append(mail(3), flags=1)
    served.call(o.DeleteMessages(0x0D, [kept.mid]))
    served.call(x.SetDelegates(x.DELEGATES, ["bob@example.test"]))
    served.call(n.MakePropertyIds([n.Name(b"\x05" * 16, -1, "x\x1b[2J"), n.Name(b"\x06" * 16, 0x8001)]))
    served.call(h.MakeFolder(FINDER, "Unread", {}, served.request_id(), search=True))
    change = x.PermissionChange(x.ADD, name="bob@example.test", rights=0x47B | 0x1000)
    served.call(x.ModifyPermissions(0x0D, [change], free_busy=True))
    found = data(filled, "mailbox", "show", ALICE, "--names")
    assert (found["owner"], found["messages"], found["deleted"], found["folders"]) == (ALICE, 2, 1, 30)
    assert found["content_folders"] == {
        "INBOX": f"2 messages (2 unread), {len(mail(1)) + len(mail(2))} bytes; 1 deleted, {len(mail(3))} bytes"
    }
    assert found["permissions"] == [
        "INBOX: bob@example.test: Editor+FreeBusySimple+FreeBusyDetailed",
        "Calendar: default: None+FreeBusySimple",
        "/Freebusy Data: default: None+FreeBusySimple",
    ]
    assert found["delegates"] == ["bob@example.test"] and found["send_as"] == []
    assert found["search_folders"] == ["/Finder/Unread: 0 messages, status 0x0, flags 0x0"]
    assert found["names"] == [
        "9000 05050505-0505-0505-0505-050505050505:x\\x1b[2J", "9001 06060606-0606-0606-0606-060606060606:0x8001"
    ]  # fmt: skip
    assert found["own_quota_storage"] is None and found["public"] is False and len(found["guid"]) == 36
    shown = lines(filled, "mailbox", "show", ALICE)
    assert (
        "delegates: bob@example.test" in shown
        and f"content_folders.INBOX: {found['content_folders']['INBOX']}" in shown
    )
    assert data(filled, "mailbox", "show", f"@{PUBLIC}")["folders"] == 4


# ---------------------------------------------------------------------------------------------- sizes


def test_sizes(served: Served, filled: Ctl) -> None:
    fid = served.call(c.CreateFolder("Big", request_id=served.request_id())).fid
    raw = mail(1, body="x" * 5000)
    served.append(raw, fid)
    served.append(mail(2))
    gone = served.call(c.CreateFolder("Gone\x85", request_id=served.request_id())).fid
    served.append(mail(3), gone)
    served.call(h.RemoveFolder(gone, True, True, served.request_id()))
    found = data(filled, "mailbox", "sizes", ALICE, "--biggest", "2")
    assert {row["folder"] for row in found["folders"][:3]} == {"Big", "INBOX", "(deleted) Gone\\x85"}
    assert found["folders"][0]["size"] == len(raw) and found["folders"][0]["messages"] == 1
    assert [message["size"] for message in found["messages"]] == [len(raw), len(mail(2))]
    assert found["messages"][0]["folder"] == "Big" and found["messages"][0]["subject"] == "Message 1"
    shown = lines(filled, "mailbox", "sizes", ALICE)
    assert shown[0].split("\t")[0] == "folder" and shown[4].split("\t")[:2] == ["total", "2"]
    assert "" in shown and shown[6].startswith("size\treceived\tfolder\tmid")
    assert "" not in lines(filled, "mailbox", "sizes", ALICE, "--biggest", "0")


# ---------------------------------------------------------------------------------------------- check, repair, compact


def test_check_and_repair(served: Served, filled: Ctl) -> None:
    """The way of an administrator: check says what is wrong and fails, repair mends it, check is content."""
    for number in range(3):
        served.append(mail(number))
    assert lines(filled, "mailbox", "check", ALICE, "--content") == ["no faults"]
    breakage(served, "UPDATE messages SET flags = flags | 0x900 WHERE uid < 3")
    outcome = filled("mailbox", "check", ALICE)
    assert outcome.status == 1 and outcome.err == "gromoxctl: 2 faults; gromoxctl mailbox repair can mend 2\n"
    first, *rest = outcome.out.splitlines()
    assert first == "rows: a row of a message is not what any may be: 2"
    assert rest[0].startswith("  folder 0xd: flags with a set of keywords that does not exist (0x")
    found = filled("mailbox", "check", ALICE, "--json")
    assert found.status == 1
    [kind] = json.loads(found.out)
    assert (kind["kind"], kind["count"], kind["mendable"], len(kind["faults"])) == ("rows", 2, True, 2)
    assert lines(filled, "mailbox", "repair", ALICE)[:2] == ["mended 2", first]
    assert lines(filled, "mailbox", "repair", ALICE) == ["no faults"]
    assert data(filled, "mailbox", "check", ALICE, "--content") == []
    assert data(filled, "mailbox", "info", ALICE)["messages"] == 3


def test_what_cannot_be_mended(served: Served, filled: Ctl) -> None:
    """A lost file fails the check and the repair, until it is back."""
    served.append(mail(1, body=os.urandom(2000).hex()))
    [file] = [path for path in (served.maildir() / "cid").rglob("*") if path.is_file()]
    kept = file.read_bytes()
    file.unlink()
    outcome = filled("mailbox", "repair", ALICE)
    assert outcome.status == 1 and outcome.err == "gromoxctl: 1 fault left\n"
    assert outcome.out.splitlines()[1] == "files: a content file is missing or has another length: 1"
    left = json.loads(filled("mailbox", "repair", ALICE, "--json").out)
    assert left["mended"] == [] and left["left"][0]["mendable"] is False
    file.write_bytes(kept[:50] + b"\xff" + kept[51:])
    assert filled("mailbox", "check", ALICE).status == 0
    assert "octets: " in filled("mailbox", "check", ALICE, "--content").out
    file.write_bytes(kept)
    assert filled("mailbox", "check", ALICE, "--content").status == 0


def test_check_of_many_faults(served: Served, filled: Ctl) -> None:
    for number in range(12):
        served.append(mail(number))
    breakage(served, "DELETE FROM content")
    breakage(served, f"WITH {NUMBERS} INSERT INTO attachments SELECT value + 1000000, 0, x'80' FROM n")
    outcome = filled("mailbox", "check", ALICE)
    assert "  and 50 more" in outcome.out and "lost: octets that something refers to are missing: 12" in outcome.out
    assert outcome.err == "gromoxctl: 162 faults; gromoxctl mailbox repair can mend 150\n"
    assert "12 faults left" in filled("mailbox", "repair", ALICE).err


def test_compact(served: Served, filled: Ctl) -> None:
    for number in range(40):
        served.append(mail(number, body=os.urandom(450).hex()))
    served.call(c.Expunge(0x0D, [(1, 38)], False))
    leftover = served.maildir() / "cid" / "ab" / ("ab" * 32)
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"x" * 1234)
    os.utime(leftover, (1_000_000, 1_000_000))
    first, second = lines(filled, "mailbox", "compact", ALICE)
    assert first.startswith("database: ") and first.endswith(" freed") and "-" not in first
    assert second == "content files: 1 removed, 1234 bytes freed"
    assert not leftover.exists()
    found = data(filled, "mailbox", "compact", ALICE)
    assert found["before"] >= found["after"] > 0 and found["files"] == 0
    assert data(filled, "mailbox", "check", ALICE, "--content") == []
    assert data(filled, "mailbox", "info", ALICE)["messages"] == 2


@pytest.mark.parametrize("command", ["show", "sizes", "check", "repair", "compact", "browse"])
def test_without_a_server(filled: Ctl, site: Path, command: str) -> None:
    outcome = filled("mailbox", command, ALICE)
    assert outcome.status == 1 and outcome.err.startswith("gromoxctl: the server of this site is not running")


@pytest.mark.slow
def test_beside_clients_of_a_running_server(tmp_path: Path) -> None:
    """A session that is open goes on through compaction and repair, and sees what came meanwhile."""
    with running(tmp_path / "site") as server:
        for number in range(30):
            server.deliver(messages.make(f"m{number}", size=20_000))
        with server.imap() as client:
            assert client.select("INBOX") == ("OK", [b"30"])
            client.store("1:25", "+FLAGS", r"(\Deleted)")
            client.expunge()
            server.ctl("mailbox", "compact", ALICE)
            server.deliver(messages.make("after"))
            assert client.noop()[0] == "OK"
            found = client.search(None, "ALL")[1][0].split()
            assert len(found) == 6
            assert server.ctl("mailbox", "check", ALICE, "--content") == "no faults\n"
            assert server.ctl("mailbox", "repair", ALICE) == "no faults\n"
            fetched = client.fetch("1:*", "(RFC822.SIZE BODY.PEEK[])")[1]
            sizes = [
                (int(part[0].split(b"RFC822.SIZE ")[1].split()[0]), len(part[1]))
                for part in fetched
                if isinstance(part, tuple)
            ]
            assert len(sizes) == 6 and all(told == there for told, there in sizes)
        assert "6 messages" in server.ctl("mailbox", "browse", ALICE, stdin="cd Inbox\nls\n")
