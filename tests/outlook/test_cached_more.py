"""Cached mode in depth: attachments and associated messages go up whole, parts of messages come down, odd messages."""

from __future__ import annotations

import email
import email.policy
import random
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from tests.outlook.conftest import ALICE, Open
from tests.support.messages import make
from tests.support.outlook import fasttransfer as f
from tests.support.outlook import rops as r
from tests.support.outlook import syncrops as s
from tests.support.outlook import tags as t
from tests.support.outlook import values as v
from tests.support.outlook.fasttransfer import Bag, Parser
from tests.support.outlook.idset import IdSet
from tests.support.outlook.profile import INBOX, IPM, OUTBOX, Profile
from tests.support.outlook.replica import CONTENTS_FLAGS, Replica, drain, upload_state
from tests.support.outlook.values import Name, Recipient
from tests.support.server import Server, until

pytestmark = pytest.mark.slow
PS_PUBLIC_STRINGS = bytes.fromhex("2903020000000000c000000000000046")
PSETID_COMMON = bytes.fromhex("0820060000000000c000000000000046")


def fetched(server: Server, folder: str, subject: str) -> EmailMessage:
    with server.imap(ALICE) as client:
        client.select(f'"{folder}"', readonly=True)
        _, [found] = client.uid("SEARCH", "SUBJECT", f'"{subject}"')
        _, parts = client.uid("FETCH", found.decode().split()[-1], "(BODY.PEEK[])")
    message = email.message_from_bytes(parts[0][1], policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_a_draft_written_offline_and_sent(server: Server, alice: Profile) -> None:
    """What Outlook does with what was written offline: import into the Outbox with all there is, open, submit."""
    store = alice.store()
    replica = Replica(store)
    replica.sync()
    outbox = replica.box("Outbox")
    data = random.Random(2).randbytes(50_000)
    with replica.collector(outbox) as collector:
        key = collector.put_whole(
            {
                t.MessageClass: "IPM.Note", t.Subject: "written offline", t.BodyHtml: b"<p>Off &amp; on</p>",
                t.InternetCodepage: 65001, t.MessageFlags: 0x09,
            },
            [Recipient(1, "Bob", "bob@example.test"), Recipient(2, "Alice", ALICE)], {"data.bin": data},
        )  # fmt: skip
    folder = store.folder(OUTBOX)
    with folder.open(folder.mid_of("written offline"), 1) as message:
        message.submit()
    until(lambda: "written offline" in store.folder(INBOX).subjects(), seconds=20)
    mail = fetched(server, "INBOX", "written offline")
    [part] = mail.iter_attachments()
    assert part.get_content() == data and part.get_filename() == "data.bin"
    assert [one.addr_spec for one in mail["To"].addresses] == ["bob@example.test"]
    assert mail["From"].addresses[0].display_name == "Alice"
    until(lambda: "written offline" not in folder.subjects(), seconds=10)
    replica.sync()
    assert key not in outbox.messages
    sent = replica.box("Sent Items").by_subject("written offline")
    assert sent.item.attachments[0].props[t.AttachData] == data
    assert sorted(bag[t.RecipientType] & 0xF for bag in sent.item.recipients) == [1, 2]
    assert replica.sync().nothing


def test_named_properties_and_dates_both_ways(alice: Profile, profiles: Open) -> None:
    """Categories, reminders, flags: the names in a stream are names, whatever the ids are."""
    store = alice.store()
    replica = Replica(store)
    replica.sync()
    names = [Name(PS_PUBLIC_STRINGS, "Keywords"), Name(PSETID_COMMON, 0x8503), Name(PSETID_COMMON, 0x8502)]
    keywords, reminder_set, reminder_time = store.session.one(r.GetPropertyIdsFromNames(store.handle, names))
    when = v.filetime(datetime(2027, 2, 3, 4, 5, tzinfo=UTC))
    calendar = replica.box("Calendar")
    with replica.collector(calendar) as collector:
        key = collector.put({
            t.MessageClass: "IPM.Appointment", t.Subject: "Zahnarzt – früh", keywords << 16 | 0x101F: ["Rot", "Grün"],
            reminder_set << 16 | v.BOOL: True, reminder_time << 16 | v.TIME: when,
        })  # fmt: skip
    other = Replica(profiles(ALICE).store())
    other.sync()
    item = other.box("Calendar").messages[key].item
    assert (item.props.get(t.Subject) or item.props[t.NormalizedSubject]) == "Zahnarzt – früh"
    assert item.props.named[tuple(names[0])] == ["Grün", "Rot"]  # a set, as keywords of IMAP are
    assert item.props.named[tuple(names[1])] is True
    assert item.props.named[tuple(names[2])] == when


def test_associated_messages_are_synchronised(alice: Profile) -> None:
    store = alice.store()
    replica = Replica(store)
    replica.sync()
    inbox = replica.box("Inbox")
    store.folder(INBOX).save_new({t.MessageClass: "IPM.Configuration.Test", t.Subject: "there"}, associated=True)
    with replica.collector(inbox) as collector:
        key = collector.put(
            {t.MessageClass: "IPM.Configuration.Mine", t.Subject: "here", 0x7C080102: b"<x/>"}, associated=True
        )
    assert sorted(store.folder(INBOX).subjects(associated=True))[-2:] == ["here", "there"]
    done = replica.sync()
    assert done.changed == 1 and inbox.by_subject("there").item.associated
    with replica.collector(inbox) as collector:
        collector.delete(key)
    assert "here" not in store.folder(INBOX).subjects(associated=True)
    assert replica.sync().nothing
    # a download of one kind only leaves the other's state alone ([MS-OXCFXICS] 2.2.3.2.1.1.1)
    with store.folder(INBOX) as folder:
        context = alice.session.make(s.SynchronizationConfigure(folder.handle, s.CONTENTS, s.UNICODE | s.FAI))
        upload_state(alice.session, context, {f.IDSET_GIVEN: b"", f.CNSET_SEEN: b"", f.CNSET_SEEN_FAI: b"",
                                              f.CNSET_READ: b""})  # fmt: skip
        found = Parser(drain(alice.session, context)).contents()
    assert all(item.associated for item in found.changes) and len(found.changes) >= 1


def test_order_of_a_download_and_its_progress(server: Server, alice: Profile) -> None:
    """Newest first when it is asked for; progress with sizes and counts that are true ([MS-OXCFXICS] 2.2.4.3.17)."""
    store = alice.store()
    folder = store.folder(IPM).create("Ordered")
    times = [v.filetime(datetime(2026, 5, day, tzinfo=UTC)) for day in (3, 1, 2)]
    for number, time in enumerate(times):
        folder.save_new({t.MessageClass: "IPM.Note", t.Subject: f"o{number}", t.MessageDeliveryTime: time})
    context = alice.session.make(
        s.SynchronizationConfigure(
            folder.handle, s.CONTENTS, CONTENTS_FLAGS, extra=s.EID | s.BY_DELIVERY | s.MESSAGE_SIZE
        )
    )  # fmt: skip
    upload_state(
        alice.session, context, dict.fromkeys((f.IDSET_GIVEN, f.CNSET_SEEN, f.CNSET_SEEN_FAI, f.CNSET_READ), b"")
    )
    found = Parser(drain(alice.session, context)).contents()
    assert [item.props.get(t.Subject) or item.props[t.NormalizedSubject] for item in found.changes] == [
        "o0",
        "o2",
        "o1",
    ]
    [data] = found.progress.values()
    # progressInformation: version 2, padding 2, FAI count 4, FAI size 8, normal count 4, padding 4, normal size 8
    assert int.from_bytes(data[4:8], "little") == 0 and int.from_bytes(data[16:20], "little") == 3
    sizes = [item.header[t.MessageSize] for item in found.changes]
    assert int.from_bytes(data[24:32], "little") == sum(sizes)


def test_only_headers(server: Server, alice: Profile) -> None:
    """OnlySpecifiedProperties, as clients do that show a list first."""
    server.deliver(make("headers-only", 20_000))
    store = alice.store()
    flags = s.UNICODE | s.NORMAL | s.ONLY_SPECIFIED
    with store.folder(INBOX) as folder:
        wanted = (t.Subject, t.MessageSize, t.MessageDeliveryTime)
        context = alice.session.make(s.SynchronizationConfigure(folder.handle, s.CONTENTS, flags, columns=wanted))
        found = Parser(drain(alice.session, context)).contents()
        mine = [item for item in found.changes if "headers-only" in str(item.props.get(t.Subject, ""))
                or "headers-only" in str(item.props.get(t.NormalizedSubject, ""))]  # fmt: skip
        assert len(mine) == 1 and t.Body not in mine[0].props
        assert not mine[0].recipients
        # everything but the body
        context = alice.session.make(
            s.SynchronizationConfigure(folder.handle, s.CONTENTS, s.UNICODE | s.NORMAL, columns=(t.Body,))
        )
        found = Parser(drain(alice.session, context)).contents()
    assert all(t.Body not in item.props for item in found.changes)


def test_a_restricted_synchronisation(server: Server, alice: Profile) -> None:
    """Only what a condition holds for: what leaves the scope is told as no longer in it."""
    store = alice.store()
    folder = store.folder(IPM).create("Scoped")
    old, new = (v.filetime(datetime(2026, month, 1, tzinfo=UTC)) for month in (1, 6))
    folder.save_new({t.MessageClass: "IPM.Note", t.Subject: "old", t.MessageDeliveryTime: old})
    mid = folder.save_new({t.MessageClass: "IPM.Note", t.Subject: "new", t.MessageDeliveryTime: new})
    condition = v.r_prop(v.GE, t.MessageDeliveryTime, v.filetime(datetime(2026, 3, 1, tzinfo=UTC)))
    flags = s.UNICODE | s.NORMAL | s.READ_STATE

    def sync(state: dict[int, bytes]) -> f.Synced:
        context = alice.session.make(s.SynchronizationConfigure(folder.handle, s.CONTENTS, flags, condition=condition))
        upload_state(alice.session, context, state)
        return Parser(drain(alice.session, context)).contents()

    first = sync({})
    assert [item.header[t.Mid] for item in first.changes] == [mid]
    with folder.open(mid, 1) as message:
        message.set({t.MessageDeliveryTime: old})
        message.save()
    second = sync(dict(first.state))
    gone = IdSet.read(second.deleted.get(f.IDSET_SOFT, b""), by_guid=False)
    assert (mid.to_bytes(8, "little")[:2], int.from_bytes(mid.to_bytes(8, "little")[2:], "big")) in gone
    assert not second.changes


def test_a_message_without_anything(alice: Profile, server: Server) -> None:
    store = alice.store()
    folder = store.folder(IPM).create("Odd")
    with folder.new() as message:
        message.save()
    with folder.new({t.Subject: "RE: \U0001f600 " + "long " * 200, t.Body: "\U0001f600\r\nline\n\nend"}) as message:
        message.save()
    replica = Replica(store)
    replica.sync()
    box = replica.box("Odd")
    assert len(box.messages) == 2
    [one] = [one for one in box.messages.values() if one.item.props.get(t.Body)]
    assert one.item.props[t.Body].startswith("\U0001f600")
    with server.imap(ALICE) as client:
        assert client.select("Odd")[1] == [b"2"]
        assert len([row for row in client.fetch("1:2", "(ENVELOPE RFC822.SIZE)")[1] if row]) == 2


def test_a_folder_is_moved_and_deleted_below(alice: Profile, server: Server) -> None:
    store = alice.store()
    replica = Replica(store)
    replica.sync()
    top = store.folder(IPM)
    one, two = top.create("Tree one"), top.create("Tree two")
    below = one.create("Below one")
    below.save_new({t.MessageClass: "IPM.Note", t.Subject: "in below"})
    replica.sync()
    assert replica.box("Tree one", "Below one").subjects() == ["in below"]
    assert alice.session.one(r.MoveFolder(one.handle, two.handle, below.fid, "Below two")) == 0
    done = replica.sync()
    assert done.folders >= 1
    assert replica.box("Tree two", "Below two").subjects() == ["in below"]
    assert not done.changed  # its contents have not changed
    assert alice.session.one(r.DeleteFolder(top.handle, two.fid)) == 0  # with messages and folders
    assert replica.sync_hierarchy().deleted == 2
    assert "Tree two" not in [box.name for box in replica.boxes.values()]


def test_the_state_in_the_middle_and_at_the_end(alice: Profile) -> None:
    """The first state until everything is taken, then the last one ([MS-OXCFXICS] 3.2.5.9.3.1)."""
    store = alice.store()
    folder = store.folder(IPM).create("Middle")
    for number in range(40):
        folder.save_new({t.MessageClass: "IPM.Note", t.Subject: f"m{number}", t.Body: "b" * 4000})
    flags = s.UNICODE | s.NORMAL
    context = alice.session.make(s.SynchronizationConfigure(folder.handle, s.CONTENTS, flags))

    def state() -> Bag:
        checkpoint = alice.session.make(s.SynchronizationGetTransferState(context))
        return Parser(drain(alice.session, checkpoint)).state()

    part: s.Part = alice.session.one(s.FastTransferSourceGetBuffer(context, 8000))
    assert part.status == 1 and 0 < len(part.data) <= 8000
    assert state() == {f.IDSET_GIVEN: b"", f.CNSET_SEEN: b"", f.CNSET_SEEN_FAI: b"", f.CNSET_READ: b""}
    stream = part.data + drain(alice.session, context)
    found = Parser(stream).contents()
    assert len(found.changes) == 40
    last = state()
    assert last == found.state
    assert len(IdSet.read(last[f.IDSET_GIVEN], by_guid=True)) == 40


def test_what_was_downloaded_is_what_is_there(alice: Profile) -> None:
    """Properties by FastTransfer and by RopGetPropertiesAll say the same."""
    store = alice.store()
    folder = store.folder(IPM).create("Same")
    props = {
        t.MessageClass: "IPM.Note", t.Subject: "FW: same", t.Body: "text", t.Importance: 2, t.Sensitivity: 1,
        0x10F3001F: "a", 0x66FF1003: [1, -2, 3], 0x66FE1102: [b"", b"x" * 300], 0x66FD0048: bytes(range(16)),
        0x66FC0005: 1.5, 0x66FB000B: True, 0x66FA101F: ["", "ß"], 0x66F90002: -3, 0x66F80040: 5,
    }  # fmt: skip
    with folder.new(props) as message:
        mid = message.save()
    with folder.open(mid) as message:
        online = message.all()
        context = alice.session.make(s.FastTransferSourceCopyTo(message.handle))
        down: Bag = Parser(drain(alice.session, context)).content().props
    for tag, value in props.items():
        if tag != t.Subject:
            assert online[tag] == value, hex(tag)
            assert down[tag] == value, hex(tag)
    assert (online[t.NormalizedSubject], online[0x003D001F]) == ("same", "FW: ")
    assert (down.get(0x003D001F), down.get(t.NormalizedSubject)) in (("FW: ", "same"), (None, None)) or down[
        t.Subject
    ] == "FW: same"
