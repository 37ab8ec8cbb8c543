"""Cached mode: everything comes down, once; what either side changes reaches the other."""

from __future__ import annotations

import email
import imaplib
import re
import time
from typing import Any

import pytest

from tests.outlook.conftest import ALICE, Open
from tests.support.messages import make
from tests.support.outlook import tags as t
from tests.support.outlook.profile import INBOX, IPM, Profile
from tests.support.outlook.replica import Replica
from tests.support.outlook.rops import RopError
from tests.support.server import Server

pytestmark = pytest.mark.slow
OBJECT_DELETED, CONFLICT = 0x80040800, 0x80040802


def mail(subject: str, body: str = "The text.\r\n") -> bytes:
    return (
        f"From: Sam <sam@elsewhere.test>\r\nTo: {ALICE}\r\nSubject: {subject}\r\nMessage-ID: <{subject}@x.test>\r\n"
        f"Date: Mon, 01 Jun 2026 09:00:00 +0000\r\n\r\n{body}"
    ).encode()


class Imap:
    """The other side."""

    def __init__(self, server: Server, folder: str = "INBOX") -> None:
        self.client: imaplib.IMAP4 = server.imap(ALICE)
        self.select(folder)

    def select(self, folder: str) -> None:
        assert self.client.select(f'"{folder}"')[0] == "OK"

    def subjects(self) -> dict[str, tuple[int, set[str]]]:
        """Subject -> UID, flags."""
        self.client.noop()
        if self.client.uid("SEARCH", "ALL")[1] == [b""]:
            return {}
        found: dict[str, tuple[int, set[str]]] = {}
        _, parts = self.client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        for about, data in (part for part in parts if isinstance(part, tuple)):
            uid = int(re.search(rb"UID (\d+)", about)[1])  # type: ignore[index]
            flags = re.search(rb"FLAGS \(([^)]*)\)", about)[1].decode().split()  # type: ignore[index]
            found[str(email.message_from_bytes(data)["Subject"])] = uid, set(flags) - {"\\Recent"}
        return found

    def uid(self, subject: str) -> str:
        return str(self.subjects()[subject][0])

    def store(self, subject: str, change: str, flags: str) -> None:
        assert self.client.uid("STORE", self.uid(subject), change, f"({flags})")[0] == "OK"

    def append(self, subject: str, folder: str = "INBOX") -> None:
        assert self.client.append(folder, None, None, mail(subject))[0] == "OK"  # type: ignore[arg-type]

    def move(self, subject: str, folder: str) -> None:
        assert self.client.uid("MOVE", self.uid(subject), folder)[0] == "OK"

    def expunge(self, subject: str) -> None:
        uid = self.uid(subject)
        self.client.uid("STORE", uid, "+FLAGS.SILENT", "(\\Deleted)")
        assert self.client.uid("EXPUNGE", uid)[0] == "OK"

    def text(self, subject: str) -> str:
        _, parts = self.client.uid("FETCH", self.uid(subject), "(BODY.PEEK[TEXT])")
        return str(parts[0][1].decode())

    def close(self) -> None:
        self.client.logout()


@pytest.fixture
def imap(server: Server) -> Any:
    made = Imap(server)
    yield made
    made.close()


def fill(server: Server, folder: str, names: list[str]) -> None:
    with server.imap(ALICE) as client:
        if folder != "INBOX":
            client.create(folder)
        for name in names:
            assert client.append(folder, None, None, mail(name))[0] == "OK"  # type: ignore[arg-type]


def test_first_and_second_synchronisation(server: Server, alice: Profile) -> None:
    fill(server, "INBOX", ["first-a", "first-b"])
    fill(server, "Projects", ["first-c"])
    server.deliver(make("first-delivered"))
    replica = Replica(alice.store())
    done = replica.sync()
    assert {"Inbox", "Projects", "Calendar", "Sent Items"} <= {box.name for box in replica.boxes.values()}
    assert done.folders == len(replica.boxes) and done.changed >= 4
    inbox = replica.box("Inbox")
    assert {"first-a", "first-b", "message first-delivered"} <= set(inbox.subjects())
    assert replica.box("Projects").subjects() == ["first-c"]
    one = inbox.by_subject("first-a")
    assert one.item.props[t.Body].rstrip() == "The text."
    assert one.item.props[t.MessageClass] == "IPM.Note"
    assert one.item.props[t.SenderEmail] == "sam@elsewhere.test"
    assert [bag[t.EmailAddress] for bag in one.item.recipients if bag[t.RecipientType] == 1] == [ALICE]
    assert len(one.change) == 22 and one.pcl == bytes((22,)) + one.change
    assert not one.read
    again = replica.sync()
    assert again.nothing, again


def test_what_imap_does_comes_down(server: Server, alice: Profile, imap: Imap) -> None:
    fill(server, "INBOX", [f"down-{name}" for name in ("flag", "read", "move", "expunge", "rest")])
    fill(server, "Down", [])
    replica = Replica(alice.store())
    replica.sync()
    inbox = replica.box("Inbox")
    imap.store("down-read", "+FLAGS", "\\Seen")
    done = replica.sync()
    assert (done.changed, done.deleted, done.marked, done.folders) == (0, 0, 1, 0)
    assert inbox.by_subject("down-read").read
    imap.store("down-flag", "+FLAGS", "\\Flagged")
    imap.move("down-move", "Down")
    imap.expunge("down-expunge")
    imap.append("down-new")
    done = replica.sync()
    assert {name for name in inbox.subjects() if name.startswith("down-")} == {
        "down-flag", "down-read", "down-rest", "down-new",
    }  # fmt: skip
    assert replica.box("Down").subjects() == ["down-move"]
    assert inbox.by_subject("down-flag").item.props[t.FlagStatus] == 2
    assert (done.changed, done.deleted) == (3, 2)
    imap.store("down-read", "-FLAGS", "\\Seen")
    assert replica.sync().marked == 1 and not inbox.by_subject("down-read").read
    imap.client.rename("Down", "Renamed")
    done = replica.sync()
    assert done.folders >= 1 and replica.box("Renamed").subjects() == ["down-move"]
    imap.client.delete("Renamed")
    assert replica.sync().deleted == 1
    assert "Renamed" not in {box.name for box in replica.boxes.values()}


def test_what_outlook_does_goes_up(server: Server, alice: Profile, imap: Imap) -> None:
    fill(server, "INBOX", [f"up-{name}" for name in ("read", "change", "move", "delete", "hard")])
    fill(server, "Up", [])
    store = alice.store()
    replica = Replica(store)
    replica.sync()
    inbox, up = replica.box("Inbox"), replica.box("Up")
    key = {name: inbox.by_subject(f"up-{name}").key for name in ("read", "change", "move", "delete", "hard")}
    with replica.collector(inbox) as collector:
        new = collector.put({t.MessageClass: "IPM.Note", t.Subject: "up-new", t.Body: "From Outlook.",
                             t.MessageFlags: 1})  # fmt: skip
        assert imap.subjects()["up-new"][1] == {"\\Seen"}  # at once, before the upload ends
        assert imap.text("up-new").rstrip() == "From Outlook."
        collector.put({t.Subject: "up-changed", t.FlagStatus: 2}, key["change"])
        collector.read({key["read"]: True})
        collector.delete(key["delete"])
        collector.delete(key["hard"], hard=True)
    seen = {name: flags for name, (_, flags) in imap.subjects().items() if name.startswith("up-")}
    assert seen == {"up-read": {"\\Seen"}, "up-changed": {"\\Flagged"}, "up-move": set(), "up-new": {"\\Seen"}}
    with replica.collector(up) as collector:
        moved = collector.move_here(inbox, key["move"])
    imap.select("Up")
    assert set(imap.subjects()) == {"up-move"}
    assert moved in up.messages
    done = replica.sync()
    assert done.nothing, (done, "the state after an upload knows what was uploaded")
    assert new in inbox.messages
    other = Replica(store)
    other.sync()
    assert other.box("Inbox").subjects() == inbox.subjects()
    assert other.box("Up").messages.keys() == up.messages.keys()
    assert {one.key: one.read for one in other.box("Inbox").messages.values()} == {
        one.key: one.read for one in inbox.messages.values()
    }  # fmt: skip


def test_both_ways_at_once(server: Server, alice: Profile, imap: Imap) -> None:
    names = [f"both-{number}" for number in range(8)]
    fill(server, "INBOX", names)
    replica = Replica(alice.store())
    replica.sync()
    inbox = replica.box("Inbox")
    key = {name: inbox.by_subject(name).key for name in names}
    # The server's side, which the client does not know of yet
    imap.store("both-0", "+FLAGS", "\\Seen")
    imap.store("both-1", "+FLAGS", "\\Flagged")
    imap.expunge("both-2")
    imap.append("both-imap")
    # The client's, uploaded before it asks
    with replica.collector(inbox) as collector:
        collector.read({key["both-3"]: True, key["both-0"]: True})
        collector.delete(key["both-4"])
        with pytest.raises(RopError) as failed:
            collector.put({t.Subject: "both-late"}, key["both-2"])
        assert failed.value.code == OBJECT_DELETED
        collector.put({t.Subject: "both-5-new"}, key["both-5"])
        collector.put({t.MessageClass: "IPM.Note", t.Subject: "both-mapi", t.Body: "x", t.MessageFlags: 0})
    replica.sync()
    expected = {
        "both-0": True, "both-1": False, "both-3": True, "both-5-new": False, "both-6": False, "both-7": False,
        "both-imap": False, "both-mapi": False,
    }  # fmt: skip
    here = {one.subject: one.read for one in inbox.messages.values() if one.subject.startswith("both-")}
    assert here == expected
    there = {name: "\\Seen" in flags for name, (_, flags) in imap.subjects().items() if name.startswith("both-")}
    assert there == expected
    assert imap.subjects()["both-1"][1] == {"\\Flagged"}
    assert replica.sync().nothing


def test_conflict_is_refused_when_asked_for(server: Server, alice: Profile, imap: Imap) -> None:
    fill(server, "INBOX", ["refused"])
    replica = Replica(alice.store())
    replica.sync()
    inbox = replica.box("Inbox")
    key = inbox.by_subject("refused").key
    imap.store("refused", "+FLAGS", "\\Flagged")
    with replica.collector(inbox) as collector:
        with pytest.raises(RopError) as failed:
            collector.put({t.Subject: "refused-late"}, key, fail_on_conflict=True)
        assert failed.value.code == CONFLICT
    assert imap.subjects()["refused"][1] == {"\\Flagged"}
    assert replica.sync().changed == 1
    assert inbox.by_subject("refused").item.props[t.FlagStatus] == 2


@pytest.mark.parametrize("later", ["here", "there"])
def test_conflict_is_resolved(server: Server, alice: Profile, imap: Imap, later: str) -> None:
    """[MS-OXCFXICS] 3.1.5.6.2.1: a conflict is resolved on the server; the last writer wins, the other is kept."""
    name = f"conflict-{later}"
    fill(server, "INBOX", [name])
    replica = Replica(alice.store())
    replica.sync()
    inbox = replica.box("Inbox")
    key = inbox.by_subject(name).key
    folder = alice.store().folder(INBOX)
    with folder.open(folder.mid_of(name), 1) as message:
        message.set({t.Subject: f"{name}-there"})
        message.save()
    with replica.collector(inbox) as collector:
        modified = 0x01F0_0000_0000_0000 if later == "here" else 0x01D0_0000_0000_0000
        collector.put({t.Subject: f"{name}-here"}, key, modified=modified)
    replica.sync()
    assert inbox.messages[key].subject == f"{name}-{later}"
    assert f"{name}-{later}" in imap.subjects()
    assert replica.sync().nothing
    other = Replica(alice.store())
    other.sync()
    assert other.box("Inbox").subjects() == inbox.subjects()


def test_folders_both_ways(server: Server, alice: Profile, imap: Imap) -> None:
    replica = Replica(alice.store())
    replica.sync_hierarchy()
    key = replica.put_folder("Made here", parent=(), container="IPF.Note")
    assert imap.client.list('""', '"Made here"')[1] != [None]
    replica.put_folder("Renamed here", parent=(), key=key)
    assert imap.client.list('""', '"Made here"')[1] == [None]
    assert imap.client.list('""', '"Renamed here"')[1] != [None]
    assert replica.sync_hierarchy().nothing
    imap.client.create('"Made there"')
    done = replica.sync_hierarchy()
    assert done.folders == 1 and replica.box("Made there").fid
    replica.delete_folder(replica.box("Made there").key)
    assert imap.client.list('""', '"Made there"')[1] == [None]
    assert replica.sync_hierarchy().nothing


def test_a_replica_outlives_its_session(server: Server, profiles: Open, imap: Imap) -> None:
    fill(server, "INBOX", ["outlives-a"])
    first = profiles(ALICE)
    replica = Replica(first.store())
    replica.sync()
    first.close()
    first.connect()
    imap.append("outlives-b")
    replica.attach(first.store())
    done = replica.sync()
    assert (done.changed, done.deleted) == (1, 0)


def test_five_thousand_messages(server: Server, alice: Profile, capsys: pytest.CaptureFixture[str]) -> None:
    """The first synchronisation of a mailbox of some size, in several folders."""
    folders = {f"Big/{number}": 500 for number in range(9)} | {"INBOX": 500}
    with server.imap(ALICE) as client:
        for folder, count in folders.items():
            if folder != "INBOX":
                client.create(folder)
            append_many(client, folder, [make(f"big-{folder}-{number}", 700) for number in range(count)])
    replica = Replica(alice.store())
    begun, requests = time.perf_counter(), alice.link.requests
    done = replica.sync()
    took = time.perf_counter() - begun
    again_begun = time.perf_counter()
    again = replica.sync()
    again_took = time.perf_counter() - again_begun
    with capsys.disabled():
        print(
            f"\nfirst synchronisation: {done.changed} messages, {done.octets} octets, {took:.1f} s, "
            f"{done.changed / took:.0f}/s, {alice.link.requests - requests} requests; second {again_took:.2f} s"
        )
    assert done.changed >= 5000
    assert again.nothing
    for folder in folders:
        box = replica.box("Inbox") if folder == "INBOX" else replica.box(*folder.split("/"))
        mine = [name for name in box.subjects() if name.startswith("message big-")]
        assert len(mine) == 500 == len(set(mine))
    assert took < 60


def append_many(client: imaplib.IMAP4, folder: str, messages: list[bytes]) -> None:
    """APPENDs one after the other without waiting for answers, with LITERAL+ (RFC 7888)."""
    for at in range(0, len(messages), 50):
        tags = []
        for one in messages[at : at + 50]:
            tags.append(client._new_tag())  # type: ignore[attr-defined]
            client.send(tags[-1] + b" APPEND " + folder.encode() + b" {%d+}\r\n" % len(one) + one + b"\r\n")
        for tag in tags:
            kind, data = client._command_complete("APPEND", tag)  # type: ignore[attr-defined]
            assert kind == "OK", data


def test_flags_of_messages_read_on_arrival(alice: Profile) -> None:
    """A message saved by MAPI in a folder online shows up in the replica with the same keys."""
    store = alice.store()
    with store.folder(IPM).create("Online") as folder:
        mid = folder.save_new({t.MessageClass: "IPM.Note", t.Subject: "online", t.Body: "b", t.MessageFlags: 1})
        with folder.open(mid) as message:
            keys = message.get(t.SourceKey, t.ChangeKey, t.PredecessorChangeList)
    replica = Replica(store)
    replica.sync()
    one = replica.box("Online").by_subject("online")
    assert (one.key, one.change, one.pcl) == tuple(keys.values()) and one.read
