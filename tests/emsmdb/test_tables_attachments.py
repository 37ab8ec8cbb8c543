"""The attachment table of an open message ([MS-OXCMSG] 2.2.3.17)."""

from __future__ import annotations

from gromoxd.errors import Ec
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.restrictions import Content, encode_restriction
from gromoxd.mapi.sorting import SortOrder, SortOrderSet
from gromoxd.rop import tables as r
from tests.emsmdb.tableclient import TABLE, TableClient
from tests.emsmdb.world import INBOX, Client
from workers.http.emsmdb.objects import Message


def opened(client: Client, *names: str) -> tuple[WorkingMessage, TableClient]:
    """A new message with attachments of these names, at handle index 5, and its table."""
    logon = client.session.logon(0)
    message = WorkingMessage.create(logon.account, INBOX)
    for name in names:
        attach(message, name)
    client.handles[5] = client.session.add(Message(logon, message))
    client.one(r.GetAttachmentTable(0, 5, TABLE, 0x40), r.GetAttachmentTableResponse)
    return message, TableClient(client).show(p.PidTagAttachLongFilename, p.PidTagAttachNumber)


def attach(message: WorkingMessage, name: str) -> None:
    attachment = message.create_attachment(0.0)
    attachment.set({p.PidTagAttachLongFilename: name, p.PidTagAttachDataBinary: b"x"})
    attachment.save()


def test_rows(alice: Client) -> None:
    message, table = opened(alice, "b.txt", "a.txt", "c.doc")
    assert table.query(2) == (1, [["b.txt", 0], ["a.txt", 1]])
    attach(message, "d.txt")
    assert table.query() == (2, [["c.doc", 2], ["d.txt", 3]])
    message.delete_attachment(0)
    assert table.everything() == [["a.txt", 1], ["c.doc", 2], ["d.txt", 3]]
    assert p.PidTagAttachLongFilename in table.do(r.QueryColumnsAll, r.QueryColumnsAllResponse).tags


def test_what_is_for_other_tables(alice: Client) -> None:
    _, table = opened(alice, "a.txt")
    order = SortOrderSet((SortOrder(p.PidTagAttachNumber),), 0, 0)
    text = encode_restriction(Content(2, 0, p.PidTagAttachLongFilename, "a"))
    for kind, *values in (
        (r.SortTable, 0, order), (r.Restrict, 0, text), (r.FindRow, 0, text, 0, b""), (r.ExpandRow, 5, 1),
        (r.CreateBookmark,), (r.SeekRowBookmark, b"\1\0\0\0", 0, True), (r.FreeBookmark, b"\1\0\0\0"),
        (r.ResetTable,), (r.Abort,), (r.CollapseRow, 1), (r.GetCollapseState, 1, 0), (r.SetCollapseState, b""),
    ):  # fmt: skip
        assert table.fails(kind, *values) == Ec.ecNotSupported, kind


def test_released_with_its_message(alice: Client) -> None:
    _, table = opened(alice, "a.txt")
    alice.release(5)
    assert table.fails(r.QueryRows, 0, True, 5) == Ec.ecNullObject
