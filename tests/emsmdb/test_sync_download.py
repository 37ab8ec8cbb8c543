"""Synchronisation downloads on a real store: what the streams say ([MS-OXCFXICS] 2.2.4.3, 3.2.5.9.1)."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import names as n
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import sync as s
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.fasttransfer import Marker, MetaTagFXDelProp, MetaTagIdsetDeleted, Property, decode_stream
from gromoxd.mapi.ids import eid_int, eid_value, gid
from gromoxd.mapi.idset import IdSet
from gromoxd.mapi.named import PropertyName
from gromoxd.mapi.restrictions import Property as PropertyRestriction
from gromoxd.mapi.restrictions import RelOp, encode_restriction
from gromoxd.rop import fasttransfer as ft
from gromoxd.rop import sync as rop
from tests.emsmdb.cachedclient import CONTEXT, FOLDER, OTHER, Node, SyncClient, state_of, tree
from tests.emsmdb.world import CALENDAR, INBOX, IPM, Client, EmsmdbWorld

HEADER = [
    p.PidTagSourceKey, p.PidTagLastModificationTime, p.PidTagChangeKey, p.PidTagPredecessorChangeList,
    p.PidTagAssociated, p.PidTagMid, p.PidTagMessageSize, p.PidTagChangeNumber,
]  # fmt: skip
UNICODE, NO_DELETIONS, READ, FAI, NORMAL, ONLY, NO_FOREIGN, IGNORE_ON_FAI, PROGRESS = (
    0x1, 0x2, 0x8, 0x10, 0x20, 0x80, 0x100, 0x4000, 0x8000
)  # fmt: skip
ALL = UNICODE | READ | FAI | NORMAL


@pytest.fixture
def sync(alice: Client) -> SyncClient:
    return SyncClient(alice)


def mail(number: int, body: str = "Text.") -> bytes:
    return f"From: a{number}@b.example\r\nTo: alice@example.test\r\nSubject: Mail {number}\r\n\r\n{body}\r\n".encode()


def make(world: EmsmdbWorld, fid: int = INBOX, associated: bool = False, **props: Any) -> o.Saved:
    message = WorkingMessage.create(world.account(), fid, associated=associated)
    message.set({getattr(p, name): value for name, value in props.items()})
    return message.save()


def changes(root: Node) -> list[Node]:
    return root.of(Marker.IncrSyncChg)


def contents(node: Node) -> Node:
    (found,) = node.of(Marker.IncrSyncMessage)
    return found


# ---------------------------------------------------------------------------------------------- contents


def test_an_empty_folder_has_only_a_state(sync: SyncClient) -> None:
    root = sync.synchronised(INBOX)
    assert [node.marker for node in root.nodes] == [Marker.IncrSyncStateBegin, Marker.IncrSyncEnd]
    assert root.nodes[0].order == [0x40170003, 0x67960102, 0x67DA0102, 0x67D20102]


def test_a_message_has_its_header_in_order(world: EmsmdbWorld, sync: SyncClient) -> None:
    stored = world.append(mail(1))
    (node,) = changes(sync.synchronised(INBOX))
    assert node.order == HEADER
    assert node.props[p.PidTagSourceKey] == gid(sync.guid, stored.mid)
    assert node.props[p.PidTagMid] == eid_value(1, stored.mid)
    assert node.props[p.PidTagMessageSize] == len(mail(1))
    assert node.props[p.PidTagAssociated] is False
    message = contents(node)
    assert message.props[p.PidTagSubject] == "Mail 1"
    assert message.props[p.PidTagBody] == "Text.\r\n"
    assert not set(HEADER) & set(message.order)
    assert message.order.index(MetaTagFXDelProp) > message.order.index(p.PidTagBody)
    (row,) = message.of(Marker.StartRecip)
    assert row.props[p.PidTagEmailAddress] == "alice@example.test"
    assert row.props[p.PidTagRowid] == 0


@pytest.mark.parametrize(("extra", "tags"), [(0, HEADER[:5]), (1, HEADER[:6]), (4, [*HEADER[:5], HEADER[7]])])
def test_extra_flags_say_what_headers_have(world: EmsmdbWorld, sync: SyncClient, extra: int, tags: list[int]) -> None:
    world.append(mail(1))
    (node,) = changes(sync.synchronised(INBOX, 1, ALL, extra))
    assert node.order == tags


def test_both_removals_are_told_before_subobjects(world: EmsmdbWorld, sync: SyncClient) -> None:
    world.append(mail(1))
    sync.configure(INBOX)
    found = sync.elements()
    removed = [one.value for one in found if isinstance(one, Property) and one.tag == MetaTagFXDelProp]
    assert removed == [p.PidTagMessageRecipients, p.PidTagMessageAttachments]


def test_a_second_download_has_only_what_is_new(world: EmsmdbWorld, sync: SyncClient) -> None:
    first, second = world.append(mail(1)), world.append(mail(2))
    state = state_of(sync.synchronised(INBOX))
    assert not changes(sync.synchronised(INBOX, state=state))
    third = world.append(mail(3))
    world.account().call(o.SetReadState(INBOX, [second.mid], True))
    world.account().call(o.DeleteMessages(INBOX, [first.mid]))
    root = sync.synchronised(INBOX, state=state)
    assert [node.props[p.PidTagMid] for node in changes(root)] == [eid_value(1, third.mid)]
    (gone,) = root.of(Marker.IncrSyncDel)
    assert gone.props == {
        MetaTagIdsetDeleted: IdSet({1: IdSet.decode_replid(gone.props[MetaTagIdsetDeleted]).of(1)}).encode()
    }
    assert list(IdSet.decode_replid(gone.props[MetaTagIdsetDeleted]).of(1)) == [first.mid]
    (marks,) = root.of(Marker.IncrSyncRead)
    assert list(IdSet.decode_replid(marks.props[0x402D0102]).of(1)) == [second.mid]
    assert 0x402E0102 not in marks.props
    assert [node.marker for node in root.nodes] == [
        Marker.IncrSyncChg, Marker.IncrSyncDel, Marker.IncrSyncRead, Marker.IncrSyncStateBegin, Marker.IncrSyncEnd,
    ]  # fmt: skip


def test_no_deletions_and_no_read_marks_unless_asked_for(world: EmsmdbWorld, sync: SyncClient) -> None:
    first, second = world.append(mail(1)), world.append(mail(2))
    state = state_of(sync.synchronised(INBOX))
    world.account().call(o.DeleteMessages(INBOX, [first.mid]))
    world.account().call(o.SetReadState(INBOX, [second.mid], True))
    root = sync.synchronised(INBOX, 1, UNICODE | NORMAL | FAI | NO_DELETIONS, state=state)
    assert [node.marker for node in root.nodes] == [Marker.IncrSyncStateBegin, Marker.IncrSyncEnd]
    assert state_of(root).read == state.read


def test_associated_messages_come_when_asked_for(world: EmsmdbWorld, sync: SyncClient) -> None:
    fai = make(world, associated=True, PidTagSubject="View", PidTagMessageClass="IPM.Microsoft.FolderDesign.NamedView")
    mail_ = world.append(mail(1))
    normal = changes(sync.synchronised(INBOX, 1, UNICODE | NORMAL))
    assert [node.props[p.PidTagMid] for node in normal] == [eid_value(1, mail_.mid)]
    associated = changes(sync.synchronised(INBOX, 1, UNICODE | FAI))
    assert [node.props[p.PidTagMid] for node in associated] == [eid_value(1, fai.mid)]
    assert associated[0].props[p.PidTagAssociated] is True


def test_properties_are_left_out_or_only_these(world: EmsmdbWorld, sync: SyncClient) -> None:
    world.append(mail(1))
    make(world, associated=True, PidTagSubject="View", PidTagBody="Hidden")
    tags = [p.PidTagSubject, p.PidTagMessageRecipients]
    without = [contents(node) for node in changes(sync.synchronised(INBOX, tags=tags))]
    for message in without:
        assert p.PidTagSubject not in message.props and p.PidTagMessageFlags in message.props
        assert not message.of(Marker.StartRecip)
    only = [contents(node) for node in changes(sync.synchronised(INBOX, 1, ALL | ONLY, tags=tags))]
    assert [message.order for message in only] == [[p.PidTagSubject, MetaTagFXDelProp]] * 2
    whole = [contents(node) for node in changes(sync.synchronised(INBOX, 1, ALL | ONLY | IGNORE_ON_FAI, tags=tags))]
    assert whole[0].props[p.PidTagBody] == "Hidden"
    assert p.PidTagBody not in whole[1].props


def test_only_these_by_8_bit_tags(world: EmsmdbWorld, sync: SyncClient) -> None:
    world.append(mail(1))
    (node,) = changes(sync.synchronised(INBOX, 1, ALL | ONLY, tags=[0x0037001E]))
    assert contents(node).order == [p.PidTagSubject]


def test_progress_is_told_in_all_and_for_each(world: EmsmdbWorld, sync: SyncClient) -> None:
    first, second = mail(1), mail(2, "More text.")
    world.append(first)
    world.append(second)
    fai = make(world, associated=True, PidTagSubject="View")
    root = sync.synchronised(INBOX, 1, ALL | PROGRESS)
    (total,) = root.of(Marker.IncrSyncProgressMode)
    version, _, fais, fai_size, normal, _, size = struct.unpack("<HHIQIIQ", total.props[0x00000102])
    assert (version, fais, normal, size) == (0, 1, 2, len(first) + len(second))
    each = [(one.props[3], one.props[0xB]) for one in root.of(Marker.IncrSyncProgressPerMsg)]
    assert each == [(fai_size, True), (len(first), False), (len(second), False)]
    assert fai.uid == 0
    assert [node.marker for node in root.nodes[:3]] == [
        Marker.IncrSyncProgressMode, Marker.IncrSyncProgressPerMsg, Marker.IncrSyncChg,
    ]  # fmt: skip


def test_order_by_delivery_time_is_newest_first(world: EmsmdbWorld, sync: SyncClient) -> None:
    old = make(world, PidTagSubject="old", PidTagMessageDeliveryTime=132_000_000_000_000_000)
    new = make(world, PidTagSubject="new", PidTagMessageDeliveryTime=133_000_000_000_000_000)
    middle = make(world, PidTagSubject="middle", PidTagMessageDeliveryTime=132_500_000_000_000_000)
    found = [node.props[p.PidTagMid] for node in changes(sync.synchronised(INBOX, 1, ALL, 1 | 8))]
    assert found == [eid_value(1, one.mid) for one in (new, middle, old)]


def test_a_restriction_narrows_the_scope(world: EmsmdbWorld, sync: SyncClient) -> None:
    make(world, PidTagSubject="low", PidTagImportance=0)
    high = make(world, PidTagSubject="high", PidTagImportance=2)
    restriction = encode_restriction(PropertyRestriction(RelOp.EQ, p.PidTagImportance, 2))
    found = changes(sync.synchronised(INBOX, restriction=restriction))
    assert [node.props[p.PidTagMid] for node in found] == [eid_value(1, high.mid)]


@pytest.mark.parametrize("listed", [0, 1, 3, 5])
def test_a_long_list_of_changes_is_taken_whole(
    world: EmsmdbWorld, sync: SyncClient, listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s, "LISTED", listed)
    made = [make(world, associated=associated, PidTagSubject="x").mid for associated in (False, True, False, True)]
    root = sync.synchronised(INBOX, 1, ALL | PROGRESS)
    found = [node.props[p.PidTagMid] for node in changes(root)]
    assert found == [eid_value(1, made[at]) for at in (1, 3, 0, 2)]
    (told,) = root.of(Marker.IncrSyncProgressMode)
    sizes = {mid: size for mid, _, size, _ in everything(world).some(0, 9)}
    (octets,) = told.props.values()
    fai, normal = sizes[made[1]] + sizes[made[3]], sizes[made[0]] + sizes[made[2]]
    assert struct.unpack("<HHIQIIQ", octets) == (0, 0, 2, fai, 2, 0, normal)
    assert sorted(everything(world).mids()) == sorted(made)


def everything(world: EmsmdbWorld) -> s.ContentChanges:
    found: s.ContentChanges = world.account().call(s.GetContentChanges(INBOX, s.State(), s.NORMAL | s.ASSOCIATED))
    assert (found.total, len(found.some(1, 2)), found.some(4, 2)) == (4, 2, [])
    return found


@pytest.mark.parametrize("octets", [b"\xff\xff", b"\x00", b"\x08\x00\x00\x1f\x00\x37\x00x"])
def test_a_restriction_that_is_none_is_refused(sync: SyncClient, octets: bytes) -> None:
    with pytest.raises(MapiError) as caught:
        sync.configure(INBOX, restriction=octets)
    assert caught.value.code == Ec.ecInvalidParam


def test_strings_of_8_bits_for_clients_without_unicode(world: EmsmdbWorld, sync: SyncClient) -> None:
    make(world, PidTagSubject="Grüße", PidTagBody="ä" * 40_000)
    (node,) = changes(sync.synchronised(INBOX, 1, READ | FAI | NORMAL, options=0))
    message = contents(node)
    assert message.props[0x0037001E] == "Grüße".encode("cp1252")
    assert message.props[0x1000001E] == b"\xe4" * 40_000


def test_named_properties_carry_their_names(world: EmsmdbWorld, sync: SyncClient) -> None:
    name = n.Name(bytes(range(16)), -1, "Colour")
    (number,) = world.account().call(n.MakePropertyIds([name]))
    message = WorkingMessage.create(world.account(), INBOX)
    message.set({number << 16 | 0x1F: "blue"})
    message.save()
    (node,) = changes(sync.synchronised(INBOX))
    tag = number << 16 | 0x1F
    assert contents(node).props[tag] == "blue"
    assert contents(node).names[tag] == PropertyName(bytes(range(16)), "Colour")


def big_message(world: EmsmdbWorld) -> tuple[o.Saved, bytes]:
    """A message with a long body, a long attachment and a message in an attachment."""
    data = bytes(range(256)) * 4096
    message = WorkingMessage.create(world.account(), INBOX)
    message.set({p.PidTagSubject: "Big", p.PidTagBody: "b\u00fc" * 100_000})
    message.modify_recipients({0: {p.PidTagRecipientType: 1, p.PidTagDisplayName: "Bob"}})
    file = message.create_attachment()
    file.set({p.PidTagAttachLongFilename: "data.bin", p.PidTagAttachDataBinary: data})
    file.save()
    outer = message.create_attachment()
    inner = outer.open_embedded(create=True)
    inner.set({p.PidTagSubject: "Inner", p.PidTagBody: "i" * 50_000})
    small = inner.create_attachment()
    small.set({p.PidTagAttachLongFilename: "small.txt", p.PidTagAttachDataBinary: data[:70_000]})
    small.save()
    inner.save()
    outer.save()
    return message.save(), data


@pytest.mark.parametrize("buffer", [0, 520, 15_480])
def test_long_values_come_whole_in_buffers_of_any_size(world: EmsmdbWorld, alice: Client, buffer: int) -> None:
    _, data = big_message(world)
    sync = SyncClient(alice, buffer)
    (node,) = changes(sync.synchronised(INBOX))
    message = contents(node)
    assert message.props[p.PidTagBody] == "b\u00fc" * 100_000
    file, outer = message.of(Marker.NewAttach)
    assert file.order[0] == p.PidTagAttachNumber
    assert file.props[p.PidTagAttachDataBinary] == data
    (inner,) = outer.of(Marker.StartEmbed)
    assert inner.props[p.PidTagSubject] == "Inner"
    assert inner.props[p.PidTagBody] == "i" * 50_000
    (small,) = inner.of(Marker.NewAttach)
    assert small.props[p.PidTagAttachDataBinary] == data[:70_000]


def test_no_more_than_a_piece_is_in_memory(world: EmsmdbWorld, alice: Client) -> None:
    big_message(world)
    sync = SyncClient(alice, 4096)
    sync.configure(INBOX)
    context = alice.session.objects[alice.handles[CONTEXT]]
    most = 0
    request = ft.FastTransferSourceGetBuffer(0, CONTEXT, 4096)
    while sync.ask(request).transfer_status == 1:
        most = max(most, context.writer.pending)  # type: ignore[attr-defined]
    assert 200_000 < most < 2 * (256 << 10)


def test_what_goes_while_it_is_downloaded_is_not_in_the_state(world: EmsmdbWorld, alice: Client) -> None:
    stored = [world.append(mail(number)) for number in range(40)]
    sync = SyncClient(alice)
    sync.configure(INBOX)
    (first,) = alice.run(ft.FastTransferSourceGetBuffer(0, CONTEXT, 600))
    pieces = [first.transfer_buffer]  # type: ignore[attr-defined]
    world.account().call(o.DeleteMessages(INBOX, [stored[39].mid]))
    world.account().call(o.DeleteMessages(INBOX, [stored[20].mid], True))
    pieces.append(sync.stream())
    root = tree(decode_stream(b"".join(pieces)))
    assert len(changes(root)) == 38
    given = IdSet.decode_replguid(state_of(root).given)
    assert (sync.guid, stored[39].mid) not in given and (sync.guid, stored[38].mid) in given


def test_many_messages_some_of_which_go_meanwhile(world: EmsmdbWorld, alice: Client) -> None:
    stored = [world.append(mail(number)) for number in range(130)]
    sync = SyncClient(alice)
    sync.configure(INBOX)
    first = sync.ask(ft.FastTransferSourceGetBuffer(0, CONTEXT, 600)).transfer_buffer
    gone = [stored[at].mid for at in (7, 8, 106, 107, 108, 129)]
    world.account().call(o.DeleteMessages(INBOX, gone, True))
    root = tree(decode_stream(first + sync.stream()))
    there = [node.props[p.PidTagMid] for node in changes(root)]
    # what was read before it went comes still
    assert there == [eid_value(1, one.mid) for one in stored if one.mid not in gone or one is stored[7]]
    given = IdSet.decode_replguid(state_of(root).given).of(sync.guid)
    assert len(given) == 125 and stored[107].mid not in given


def test_counts_of_progress_go_up(world: EmsmdbWorld, alice: Client) -> None:
    for number in range(30):
        world.append(mail(number))
    sync = SyncClient(alice)
    sync.configure(INBOX)
    counts = []
    while True:
        found = sync.ask(ft.FastTransferSourceGetBuffer(0, CONTEXT, 9000))
        counts.append(found.in_progress_count)
        assert found.total_step_count == 30
        if found.transfer_status == 3:
            break
    assert counts == sorted(counts) and counts[0] < 10 and counts[-1] == 30


# ---------------------------------------------------------------------------------------------- buffers


def test_a_buffer_that_has_no_room_is_not_taken(world: EmsmdbWorld, sync: SyncClient) -> None:
    world.append(mail(1))
    sync.configure(INBOX)
    request = ft.FastTransferSourceGetBuffer(0, CONTEXT, 0x3C78)
    answer = sync.client.session.execute(request.encode(), sync.client.handles, 1000)
    assert answer[:1] == b"\xff" and int.from_bytes(answer[1:3], "little") >= 0x3C78 + ft.HEAD
    assert answer[3:] == request.encode()
    assert len(changes(tree(sync.elements()))) == 1


def test_own_size_takes_the_room_there_is(world: EmsmdbWorld, sync: SyncClient) -> None:
    world.append(mail(1, "x" * 5000))
    sync.configure(INBOX)
    request = ft.FastTransferSourceGetBuffer(0, CONTEXT, ft.OWN_SIZE, 0x7BC0)
    answer = sync.client.session.execute(request.encode(), sync.client.handles, 1500)
    assert 1000 < len(answer) <= 1500
    assert len(sync.client.session.execute(request.encode(), sync.client.handles, 64)) <= 64
    small = ft.FastTransferSourceGetBuffer(0, CONTEXT, ft.OWN_SIZE, 100)
    (found,) = sync.client.run(small)
    assert len(found.transfer_buffer) <= 100  # type: ignore[attr-defined]


def test_a_context_of_another_kind_is_refused(sync: SyncClient) -> None:
    sync.client.folder(INBOX, FOLDER)
    assert sync.client.fails(ft.FastTransferSourceGetBuffer(0, FOLDER, 0x3C78)) == Ec.ecNotSupported
    assert sync.client.fails(ft.FastTransferSourceGetBuffer(0, OTHER, 0x3C78)) == Ec.ecNullObject


@pytest.mark.parametrize(("kind", "options", "restriction"), [(3, 9, b""), (0, 9, b""), (1, 0x80, b""), (2, 9, b"x")])
def test_bad_configurations_are_refused(sync: SyncClient, kind: int, options: int, restriction: bytes) -> None:
    sync.client.folder(INBOX, FOLDER)
    request = rop.SynchronizationConfigure(0, FOLDER, CONTEXT, kind, options, ALL, restriction, 0, [])
    assert sync.client.fails(request) == Ec.ecInvalidParam


@pytest.mark.parametrize("kind", [1, 2])
def test_the_reserved_flag_is_refused(sync: SyncClient, kind: int) -> None:
    """[MS-OXCFXICS] 3.2.5.9.1.1: what a client would expect of it is not known, so that nothing is synchronised."""
    sync.client.folder(INBOX, FOLDER)
    request = rop.SynchronizationConfigure(0, FOLDER, CONTEXT, kind, 9, 0x1039, b"", 0, [])
    assert sync.client.fails(request) == Ec.ecRpcFormat
    assert sync.client.fails(ft.FastTransferSourceGetBuffer(0, CONTEXT, 0x3C78)) == Ec.ecNullObject


# ---------------------------------------------------------------------------------------------- state


def test_a_state_that_is_none_is_refused(sync: SyncClient) -> None:
    sync.configure(INBOX)
    sync.ask(rop.SynchronizationUploadStateStreamBegin(0, CONTEXT, 0x67960102, 17))
    sync.ask(rop.SynchronizationUploadStateStreamContinue(0, CONTEXT, bytes(16) + b"\x99"))
    end = rop.SynchronizationUploadStateStreamEnd(0, CONTEXT)
    assert sync.client.fails(end) == Ec.ecInvalidParam
    assert sync.client.fails(end) == Ec.ecInvalidParam
    begin = rop.SynchronizationUploadStateStreamBegin(0, CONTEXT, 0x12340102, 1)
    assert sync.client.fails(begin) == Ec.ecInvalidParam
    begin = rop.SynchronizationUploadStateStreamBegin(0, CONTEXT, 0x67960102, 0xFFFFFFFF)
    assert sync.client.fails(begin) == Ec.ecTooBig
    go_on = rop.SynchronizationUploadStateStreamContinue(0, CONTEXT, b"x")
    assert sync.client.fails(go_on) == Ec.ecInvalidParam


def test_a_state_is_bounded_though_it_was_announced_small(sync: SyncClient) -> None:
    sync.configure(INBOX)
    sync.ask(rop.SynchronizationUploadStateStreamBegin(0, CONTEXT, 0x67960102, 0))
    piece = rop.SynchronizationUploadStateStreamContinue(0, CONTEXT, bytes(0x7000))
    codes = {sync.client.run(piece)[0].code for _ in range(80)}
    assert codes == {0, Ec.ecTooBig, Ec.ecInvalidParam}


def test_a_state_comes_before_the_stream(sync: SyncClient) -> None:
    sync.configure(INBOX)
    sync.elements()
    begin = rop.SynchronizationUploadStateStreamBegin(0, CONTEXT, 0x67960102, 0)
    assert sync.client.fails(begin) == Ec.ecNotSupported


def test_the_transfer_state_is_the_first_until_everything_is_taken(world: EmsmdbWorld, sync: SyncClient) -> None:
    world.append(mail(1))
    before = state_of(sync.synchronised(INBOX))
    world.append(mail(2, "x" * 3000))
    sync.configure(INBOX, state=before)
    sync.ask(ft.FastTransferSourceGetBuffer(0, CONTEXT, 600))
    found = sync.transfer_state()
    assert (found.seen, found.given) == (before.seen, before.given)
    sync.stream()
    after = sync.transfer_state()
    assert len(IdSet.decode_replguid(after.given).of(sync.guid)) == 2
    assert after.seen != before.seen
    assert IdSet.decode_replguid(before.seen).issubset(IdSet.decode_replguid(after.seen))


# ---------------------------------------------------------------------------------------------- hierarchy


def test_folders_come_with_their_keys_in_order(world: EmsmdbWorld, sync: SyncClient) -> None:
    made = world.account().call(h.MakeFolder(INBOX, "Below", {p.PidTagComment: "A comment"}, b""))
    nodes = changes(sync.synchronised(IPM, 2, UNICODE, 1))
    by_fid = {node.props[p.PidTagFolderId]: node for node in nodes}
    inbox, below = by_fid[eid_value(1, INBOX)], by_fid[eid_value(1, made.fid)]
    first = [
        p.PidTagParentSourceKey, p.PidTagSourceKey, p.PidTagLastModificationTime, p.PidTagChangeKey,
        p.PidTagPredecessorChangeList, p.PidTagDisplayName, p.PidTagFolderId, p.PidTagParentFolderId,
    ]  # fmt: skip
    assert inbox.order[:8] == first and below.order[:8] == first
    assert inbox.props[p.PidTagParentSourceKey] == b""
    assert below.props[p.PidTagParentSourceKey] == gid(sync.guid, INBOX)
    assert below.props[p.PidTagSourceKey] == gid(sync.guid, made.fid)
    assert below.props[p.PidTagComment] == "A comment"
    assert p.PidTagContentCount not in below.props and p.PidTagAccess not in below.props
    assert nodes.index(inbox) < nodes.index(below)
    calendar = by_fid[eid_value(1, CALENDAR)]
    assert calendar.props[p.PidTagParentSourceKey] == b""


def test_folder_ids_only_when_asked_for(sync: SyncClient) -> None:
    plain = changes(sync.synchronised(IPM, 2, UNICODE, 0))
    assert all(p.PidTagFolderId not in one.props and p.PidTagParentFolderId not in one.props for one in plain)
    own = changes(sync.synchronised(IPM, 2, UNICODE | NO_FOREIGN, 0))
    assert all(p.PidTagFolderId not in one.props and p.PidTagParentFolderId in one.props for one in own)


def test_deleted_and_changed_folders(world: EmsmdbWorld, sync: SyncClient) -> None:
    ask = world.account().call
    gone, stays = (ask(h.MakeFolder(IPM, name, {}, b"")) for name in ("Gone", "Stays"))
    state = state_of(sync.synchronised(IPM, 2, UNICODE, 1))
    assert (state.seen_fai, state.read) == (b"", b"")
    ask(h.RemoveFolder(gone.fid, True, True, b""))
    ask(h.SetFolderProps(stays.fid, {p.PidTagDisplayName: "Renamed"}))
    root = sync.synchronised(IPM, 2, UNICODE, 1, state=state)
    (node,) = changes(root)
    assert node.props[p.PidTagDisplayName] == "Renamed"
    (deleted,) = root.of(Marker.IncrSyncDel)
    assert list(IdSet.decode_replid(deleted.props[MetaTagIdsetDeleted]).of(1)) == [gone.fid]
    without = sync.synchronised(IPM, 2, UNICODE | NO_DELETIONS, 1, state=state)
    assert not without.of(Marker.IncrSyncDel)


def test_only_some_properties_of_folders(sync: SyncClient) -> None:
    nodes = changes(sync.synchronised(IPM, 2, UNICODE | ONLY, 1, tags=[p.PidTagContainerClass]))
    assert nodes and all(len(node.order) in (8, 9) for node in nodes)
    nodes = changes(sync.synchronised(IPM, 2, UNICODE, 1, tags=[p.PidTagContainerClass]))
    assert all(p.PidTagContainerClass not in node.props for node in nodes)


# ---------------------------------------------------------------------------------------------- rights, foreign objects


def test_a_guest_sees_what_the_folder_grants(world: EmsmdbWorld) -> None:
    world.append(mail(1))
    world.grant(INBOX, "bob@example.test", 0x401)
    client = world.client("bob@example.test")
    client.logon(of=world.alice)
    sync = SyncClient(client)
    assert len(changes(sync.synchronised(INBOX))) == 1
    sync.configure(CALENDAR)
    with pytest.raises(MapiError) as caught:
        sync.elements()
    assert caught.value.code == Ec.ecAccessDenied


def test_foreign_keys_come_as_they_were_given_unless_unwanted(world: EmsmdbWorld, sync: SyncClient) -> None:
    key = bytes(range(100, 116)) + b"\0\0\0\0\0\7"
    message = WorkingMessage.create(world.account(), INBOX, imported=o.Imported(key, key, b"", 133_000_000_000_000_000))
    message.set({p.PidTagSubject: "From elsewhere"})
    saved = message.save()
    root = sync.synchronised(INBOX)
    (node,) = changes(root)
    assert node.props[p.PidTagSourceKey] == key
    assert node.props[p.PidTagChangeKey] == key
    (own,) = changes(sync.synchronised(INBOX, 1, ALL | NO_FOREIGN))
    assert own.props[p.PidTagSourceKey] == gid(sync.guid, saved.mid)
    state = state_of(root)
    world.account().call(o.DeleteMessages(INBOX, [saved.mid]))
    (gone,) = sync.synchronised(INBOX, state=state).of(Marker.IncrSyncDel)
    found = IdSet.decode_replid(gone.props[MetaTagIdsetDeleted])
    (replid,) = found.replicas
    assert replid != 1 and list(found.of(replid)) == [7]
    assert s.State() != state and eid_int(1, saved.mid)
