"""Online mode: large attachments, embedded messages, recipients, tables, copies by fast transfer."""

from __future__ import annotations

import email
import email.policy
import hashlib
import random
from email.message import EmailMessage

import pytest

from tests.outlook.conftest import ALICE, BOB
from tests.support.outlook import rops as r
from tests.support.outlook import syncrops as s
from tests.support.outlook import tags as t
from tests.support.outlook import values as v
from tests.support.outlook.fasttransfer import Attached, Bag, Item, Parser, put_item, put_messages
from tests.support.outlook.profile import INBOX, IPM, Folder, Holder, Message, Profile
from tests.support.outlook.replica import Replica, drain, fill
from tests.support.outlook.values import Recipient
from tests.support.server import Server

pytestmark = pytest.mark.slow
HTML = "<html><body><p>Grüße &amp; <b>more</b></p></body></html>"


def fetched(server: Server, folder: str, subject: str, user: str = ALICE) -> EmailMessage:
    """The message as IMAP has it."""
    with server.imap(user, timeout=60) as client:
        assert client.select(f'"{folder}"', readonly=True)[0] == "OK"
        _, [found] = client.uid("SEARCH", "SUBJECT", f'"{subject}"')
        [uid] = found.decode().split()
        _, parts = client.uid("FETCH", uid, "(BODY.PEEK[])")
        message = email.message_from_bytes(parts[0][1], policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message


def a_folder(alice: Profile, name: str) -> Folder:
    return alice.store().folder(IPM).create(name, container="IPF.Note")


def test_large_attachment_up_and_down(server: Server, alice: Profile) -> None:
    data = random.Random(5).randbytes(30 << 20)
    digest = hashlib.sha256(data).hexdigest()
    folder = a_folder(alice, "Large")
    with folder.new({t.MessageClass: "IPM.Note", t.Subject: "large one", t.Body: "see attached"}) as message:
        number = message.attach("big.bin", data)
        mid = message.save()
    with folder.open(mid) as message:
        [row] = message.attachments(t.AttachNumber, t.AttachLongFilename, t.AttachSize, t.AttachMethod)
        assert row[t.AttachNumber] == number and row[t.AttachLongFilename] == "big.bin"
        assert row[t.AttachSize] >= len(data)
        attachment = message.attachment(number)
        assert attachment.get(t.AttachData) == {t.AttachData: v.Ec(0x8007000E)}  # too large for a row: ecMemory
        assert hashlib.sha256(attachment.read(t.AttachData)).hexdigest() == digest
        context = alice.session.make(s.FastTransferSourceCopyTo(message.handle))
        parser = Parser(drain(alice.session, context))
        item = parser.content()
        parser.end()
        assert hashlib.sha256(item.attachments[0].props[t.AttachData]).hexdigest() == digest
    replica = Replica(alice.store())
    replica.sync()
    one = replica.box("Large").by_subject("large one").item
    assert hashlib.sha256(one.attachments[0].props[t.AttachData]).hexdigest() == digest
    [part] = fetched(server, "Large", "large one").iter_attachments()
    assert part.get_filename() == "big.bin"
    assert hashlib.sha256(part.get_content()).hexdigest() == digest


def test_streams_seek_and_overwrite(alice: Profile) -> None:
    folder = a_folder(alice, "Streams")
    message = folder.new({t.MessageClass: "IPM.Note", t.Subject: "streams"})
    message.write(t.BodyHtml, b"<p>" + b"x" * 100_000 + b"</p>")
    session = alice.session
    stream = session.make(r.OpenStream(message.handle, t.BodyHtml, 1))
    assert session.one(r.GetStreamSize(stream)) == 100_007
    assert session.one(r.SeekStream(stream, 2, -4)) == 100_003
    assert session.one(r.ReadStream(stream, 10)) == b"</p>"
    assert session.one(r.SeekStream(stream, 0, 3)) == 3
    assert session.one(r.WriteStream(stream, b"abc")) == 3
    session.run(r.SetStreamSize(stream, 50_000), r.CommitStream(stream))
    session.release(stream)
    mid = message.save()
    message.release()
    with folder.open(mid) as again:
        found = again.read(t.BodyHtml)
    assert len(found) == 50_000 and found.startswith(b"<p>abcxxx")


def test_embedded_message(server: Server, alice: Profile) -> None:
    folder = a_folder(alice, "Embedded")
    session = alice.session
    with folder.new({t.MessageClass: "IPM.Note", t.Subject: "outer", t.Body: "o"}) as message:
        attachment = r.CreateAttachment(message.handle)
        session.run(attachment)
        holder = Holder(session, attachment.out)  # type: ignore[arg-type]
        holder.set({t.AttachMethod: 5, t.DisplayName: "inner", t.RenderingPosition: -1})
        opening = r.OpenEmbeddedMessage(holder.handle, 2)  # 2: create
        session.run(opening)
        inner = Message(folder.store, opening.out, None, 0)  # type: ignore[arg-type]
        inner.set({t.MessageClass: "IPM.Note", t.Subject: "inner subject", t.Body: "inner body"})
        inner.recipients(Recipient(1, "Carl", "carl@elsewhere.test"))
        inner.save()
        inner.release()
        session.run(r.SaveChangesAttachment(message.handle, holder.handle))
        mid = message.save()
    with folder.open(mid) as message:
        [row] = message.attachments(t.AttachNumber, t.AttachMethod)
        assert row[t.AttachMethod] == 5
        opening = r.OpenEmbeddedMessage(message.attachment(row[t.AttachNumber]).handle)
        opened = session.one(opening)
        assert opened.subject == "inner subject"
        assert [(one.kind, one.name, one.address) for one in opened.recipients] == [(1, "Carl", "carl@elsewhere.test")]
    outer = fetched(server, "Embedded", "outer")
    [part] = [one for one in outer.walk() if one.get_content_type() == "message/rfc822"]
    inner_mail = part.get_content()
    assert inner_mail["Subject"] == "inner subject" and "carl@elsewhere.test" in inner_mail["To"]
    assert inner_mail.get_content().strip() == "inner body"


def test_html_recipients_and_display_to(server: Server, alice: Profile) -> None:
    folder = a_folder(alice, "Html")
    with folder.new({t.MessageClass: "IPM.Note", t.Subject: "Grüße", t.InternetCodepage: 65001}) as message:
        message.write(t.BodyHtml, HTML.encode())
        message.recipients(
            Recipient(1, "Bob", BOB, props={t.SmtpAddress: BOB}), Recipient(2, "Çarl", "carl@elsewhere.test"),
            Recipient(3, "Dora", "dora@elsewhere.test"), columns=(t.SmtpAddress,),
        )  # fmt: skip
        mid = message.save()
    with folder.open(mid) as message:
        assert message.opened is not None and message.opened.count == 3
        assert {one.address: one.kind for one in message.opened.recipients} == {
            BOB: 1, "carl@elsewhere.test": 2, "dora@elsewhere.test": 3,
        }  # fmt: skip
        found = message.get(t.DisplayTo, 0x0E03001F, 0x0E02001F, t.HasAttachments, t.Body)
        assert (found[t.DisplayTo], found[0x0E03001F], found[0x0E02001F]) == ("Bob", "Çarl", "Dora")
        assert found[t.HasAttachments] is False
        assert found[t.Body].split() == ["Grüße", "&", "more"]
        rows = alice.session.one(r.ReadRecipients(message.handle, message.opened.columns))
        assert [number for number, _ in rows] == [0, 1, 2]
        with pytest.raises(r.RopError, match="0x80070005"):  # opened for reading only
            alice.session.run(r.RemoveAllRecipients(message.handle))
    mail = fetched(server, "Html", "Gr")
    assert mail["Cc"].addresses[0].display_name == "Çarl"
    html = mail.get_body(("html",))
    assert html is not None and "<b>more</b>" in html.get_content() and "Grüße" in html.get_content()


def test_table_sorted_restricted_found(alice: Profile) -> None:
    folder = a_folder(alice, "Table")
    for number, name in enumerate(("delta", "alpha", "echo", "bravo", "charlie")):
        folder.save_new({t.MessageClass: "IPM.Note", t.Subject: name, t.Importance: number % 3, t.Body: name})
    by_subject = v.sort_orders((t.Subject, v.ASC))
    assert folder.subjects(orders=by_subject) == ["alpha", "bravo", "charlie", "delta", "echo"]
    assert folder.subjects(orders=v.sort_orders((t.Importance, v.DESC), (t.Subject, v.ASC))) == [
        "echo", "alpha", "charlie", "bravo", "delta",
    ]  # fmt: skip
    assert folder.subjects(orders=by_subject, condition=v.r_content(t.Subject, "A")) == [
        "alpha", "bravo", "charlie", "delta",
    ]  # fmt: skip
    both = v.r_and(v.r_not(v.r_prop(v.EQ, t.Importance, 0)), v.r_or(v.r_prop(v.GE, t.Subject, "c"), v.r_bits(
        t.Importance, 2, zero=False)))  # fmt: skip
    assert folder.subjects(orders=by_subject, condition=both) == ["charlie", "echo"]
    session = alice.session
    columns = (t.Mid, t.Subject)
    table = session.make(r.GetContentsTable(folder.handle))
    session.run(r.SetColumns(table, columns), r.SortTable(table, by_subject))
    assert session.one(r.QueryPosition(table)) == (0, 5)
    assert session.one(r.FindRow(table, columns, v.r_content(t.Subject, "ch", fuzzy=2)))[t.Subject] == "charlie"
    assert session.one(r.QueryPosition(table)) == (2, 5)
    assert [row[t.Subject] for row in session.one(r.QueryRows(table, columns, 2))[1]] == ["charlie", "delta"]
    bookmark = session.one(r.CreateBookmark(table))
    assert session.one(r.SeekRow(table, 2, -5)) == (0, -5)
    origin, rows = session.one(r.QueryRows(table, columns, 50))
    assert (origin, len(rows)) == (2, 5)  # BOOKMARK_END
    assert session.one(r.SeekRowBookmark(table, bookmark, -1)) == (0, 0, -1)
    assert [row[t.Subject] for row in session.one(r.QueryRows(table, columns, 1))[1]] == ["delta"]
    assert session.one(r.SeekRow(table, 1, -9)) == (1, -4)
    assert session.one(r.QueryRows(table, columns, 9, forward=False)) == (0, [])  # BOOKMARK_BEGINNING
    session.run(r.SeekRow(table, 2, 0))
    backwards = session.one(r.QueryRows(table, columns, 2, forward=False))[1]
    assert [row[t.Subject] for row in backwards] == ["delta", "echo"]  # in the table's order ([MS-OXCTABL] 3.2.5.5)


def test_categorised_table(alice: Profile) -> None:
    folder = a_folder(alice, "Groups")
    for number in range(6):
        folder.save_new({t.MessageClass: "IPM.Note", t.Subject: f"g{number}", t.Importance: number % 3})
    session = alice.session
    columns = (t.RowType, t.Importance, t.Subject, t.ContentCount, t.Depth)
    table = session.make(r.GetContentsTable(folder.handle))
    orders = v.sort_orders((t.Importance, v.ASC), (t.Subject, v.ASC), categories=1, expanded=1)
    session.run(r.SetColumns(table, columns), r.SortTable(table, orders))
    _, rows = session.one(r.QueryRows(table, columns, 50))
    assert [(row[t.RowType], row[t.Importance]) for row in rows if row[t.RowType] != 1] == [(3, 0), (3, 1), (3, 2)]
    assert [row[t.Subject] for row in rows if row[t.RowType] == 1] == ["g0", "g3", "g1", "g4", "g2", "g5"]
    assert [row[t.ContentCount] for row in rows if row[t.RowType] == 3] == [2, 2, 2]


def test_a_folder_copied_to_another_mailbox(server: Server, alice: Profile, bob: Profile) -> None:
    """Out of one store by FastTransfer, into another one ([MS-OXCFXICS] 3.3.4.1, 3.3.4.2)."""
    source = a_folder(alice, "Copied")
    with source.new({t.MessageClass: "IPM.Note", t.Subject: "with all", t.InternetCodepage: 65001}) as message:
        message.write(t.BodyHtml, HTML.encode())
        message.recipients(Recipient(1, "Bob", BOB))
        message.attach("note.txt", b"an attachment")
        message.save()
    source.save_new({t.MessageClass: "IPM.Note", t.Subject: "plain", t.Body: "plain body", t.MessageFlags: 1})
    source.save_new({t.MessageClass: "IPM.Configuration.X", t.Subject: "associated"}, associated=True)
    below = source.create("Below")
    below.save_new({t.MessageClass: "IPM.Note", t.Subject: "deep", t.Body: "deep body"})
    context = alice.session.make(s.FastTransferSourceCopyFolder(source.handle))
    stream = drain(alice.session, context)
    tree = Parser(stream).top()
    assert tree.props[t.DisplayName] == "Copied"
    assert sorted(one.props.get(t.Subject) or one.props[t.NormalizedSubject] for one in tree.messages) == [
        "associated", "plain", "with all",
    ]  # fmt: skip
    assert [one.associated for one in tree.messages].count(True) == 1
    assert [one.props[t.DisplayName] for one in tree.folders] == ["Below"]
    parent = bob.store().folder(IPM)
    into = bob.session.make(s.FastTransferDestinationConfigure(parent.handle, 4))
    fill(bob.session, into, stream)
    bob.session.release(into)
    copied = bob.store().by_path("Copied")
    assert sorted(copied.subjects()) == ["plain", "with all"]
    assert copied.subjects(associated=True) == ["associated"]
    assert copied.child("Below").subjects() == ["deep"]
    with copied.open(copied.mid_of("with all")) as message:
        assert message.opened is not None
        assert [one.address for one in message.opened.recipients] == [BOB]
        assert message.attachment(0).get(t.AttachData)[t.AttachData] == b"an attachment"
        assert b"<b>more</b>" in message.read(t.BodyHtml)
    mail = fetched(server, "Copied", "with all", BOB)
    assert [part.get_filename() for part in mail.iter_attachments()] == ["note.txt"]


def test_messages_of_our_own_by_fast_transfer(server: Server, alice: Profile) -> None:
    """Streams that the server did not write itself."""
    folder = a_folder(alice, "Into")
    inner = Item(Bag({t.MessageClass: "IPM.Note", t.Subject: "inner", t.Body: "inner text"}))
    props = {t.MessageClass: "IPM.Note", t.Subject: "by stream", t.Body: "text", t.MessageFlags: 1}
    one = Item(
        Bag(props),
        recipients=[Bag({0x30000003: 0, t.RecipientType: 1, t.DisplayName: "Carl", t.AddressType: "SMTP",
                         t.EmailAddress: "carl@elsewhere.test"})],
        attachments=[
            Attached(Bag({t.AttachNumber: 0, t.AttachMethod: 1, t.AttachLongFilename: "a.bin",
                          t.AttachData: b"A" * 99999})),
            Attached(Bag({t.AttachNumber: 1, t.AttachMethod: 5, t.DisplayName: "inner"}), inner),
        ],
    )  # fmt: skip
    one.props.named[(bytes.fromhex("2903020000000000c000000000000046"), "x-by-stream")] = "a named one"
    stream = put_messages([one, Item(Bag({t.MessageClass: "IPM.Note", t.Subject: "second"}))])
    into = alice.session.make(s.FastTransferDestinationConfigure(folder.handle, 3))
    fill(alice.session, into, stream, chunk=1000)  # parts that end anywhere
    alice.session.release(into)
    assert sorted(folder.subjects()) == ["by stream", "second"]
    mid = folder.mid_of("by stream")
    context = alice.session.make(s.FastTransferSourceCopyMessages(folder.handle, [mid]))
    [back] = Parser(drain(alice.session, context)).messages()
    assert back.props[t.Body] == "text"
    assert back.props.named[(bytes.fromhex("2903020000000000c000000000000046"), "x-by-stream")] == "a named one"
    assert [bag[t.EmailAddress] for bag in back.recipients] == ["carl@elsewhere.test"]
    assert back.attachments[0].props[t.AttachData] == b"A" * 99999
    assert back.attachments[1].embedded is not None
    assert back.attachments[1].embedded.props[t.Body] == "inner text"
    mail = fetched(server, "Into", "by stream")
    assert mail["To"].addresses[0].addr_spec == "carl@elsewhere.test"
    names = [part.get_content_type() for part in mail.iter_attachments()]
    assert "message/rfc822" in names
    message = folder.new({t.MessageClass: "IPM.Note"})
    into = alice.session.make(s.FastTransferDestinationConfigure(message.handle, 1))
    fill(alice.session, into, put_item(Item(Bag({t.Subject: "into a message", t.Body: "b"}))))
    alice.session.release(into)
    message.save()
    assert "into a message" in folder.subjects()


def test_delete_move_copy_read_flags(server: Server, alice: Profile) -> None:
    store = alice.store()
    source, target = store.folder(IPM).create("Source"), store.folder(IPM).create("Target")
    mids = {name: source.save_new({t.MessageClass: "IPM.Note", t.Subject: name, t.MessageFlags: 0}) for name in "abcd"}
    source.move(target, mids["a"])
    source.move(target, mids["b"], copy=True)
    source.delete(mids["c"])
    assert (sorted(source.subjects()), sorted(target.subjects())) == (["b", "d"], ["a", "b"])
    assert alice.session.one(r.SetReadFlags(source.handle, [mids["d"]])) == 0
    with server.imap(ALICE) as client:
        client.select("Source", readonly=True)
        assert client.search(None, "SEEN")[1] == [b"2"]
    with source.open(mids["b"]) as message:
        assert alice.session.one(r.SetMessageReadFlag(message.handle, message.handle, 0)) is False  # private store
    rows = {row[t.Subject]: row[t.MessageFlags] & 1 for row in source.rows(t.Subject, t.MessageFlags)}
    assert rows == {"b": 1, "d": 1}
    alice.session.run(r.SetMessageStatus(source.handle, mids["d"], 0x08, 0x08))  # MSGSTATUS_DELMARKED
    with server.imap(ALICE) as client:
        client.select("Source", readonly=True)
        assert client.search(None, "DELETED")[1] == [b"2"]
    inbox = store.folder(INBOX)
    assert alice.session.one(r.MoveFolder(store.folder(IPM).handle, inbox.handle, target.fid, "Moved target")) == 0
    assert sorted(store.by_path("Inbox", "Moved target").subjects()) == ["a", "b"]
    assert alice.session.one(r.EmptyFolder(source.handle)) == 0
    assert source.subjects() == []
    assert alice.session.one(r.DeleteFolder(store.folder(IPM).handle, source.fid)) == 0
