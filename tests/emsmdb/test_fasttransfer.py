"""Fast transfer on a real store: what is copied out of it and into it ([MS-OXCFXICS] 2.2.3.1, 3.2.5.8)."""

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
from gromoxd.mapi.fasttransfer import Element, Marker, MetaTagFXDelProp, Property, encode_stream
from gromoxd.mapi.ids import eid_int, gid
from gromoxd.mapi.named import PropertyName
from gromoxd.rop import fasttransfer as ft
from gromoxd.rop import messages as rm
from tests.emsmdb.cachedclient import CONTEXT, FOLDER, OTHER, Node, SyncClient, tree
from tests.emsmdb.world import ALICE, BOB, DRAFTS, INBOX, IPM, Client, EmsmdbWorld
from workers.http.emsmdb import fastdestination
from workers.http.emsmdb.objects import Attachment, Message

MESSAGE, TARGET = 43, 44
COPY_TO, COPY_PROPERTIES, COPY_MESSAGES, COPY_FOLDER = 1, 2, 3, 4
UNICODE, RECOVER = 0x09, 0x04
DATA = bytes(range(256)) * 600


@pytest.fixture
def sync(alice: Client) -> SyncClient:
    return SyncClient(alice)


def full_message(world: EmsmdbWorld, subject: str = "Full", fid: int = INBOX) -> o.Saved:
    """A message with everything in it."""
    account = world.account()
    (number,) = account.call(n.MakePropertyIds([n.Name(bytes(range(16)), -1, "Colour")]))
    message = WorkingMessage.create(account, fid)
    message.set({p.PidTagSubject: subject, p.PidTagBody: "Text " * 20_000, number << 16 | 0x1F: "blue",
                 p.PidTagMessageFlags: 1})  # fmt: skip
    message.modify_recipients(
        {
            0: {p.PidTagRecipientType: 1, p.PidTagDisplayName: "Bob", p.PidTagEmailAddress: BOB,
                p.PidTagAddressType: "SMTP"},
            1: {p.PidTagRecipientType: 2, p.PidTagDisplayName: "Carol"},
        }
    )  # fmt: skip
    file = message.create_attachment()
    file.set({p.PidTagAttachLongFilename: "data.bin", p.PidTagAttachDataBinary: DATA})
    file.save()
    outer = message.create_attachment()
    inner = outer.open_embedded(create=True)
    inner.set({p.PidTagSubject: "Inner"})
    inner.modify_recipients({0: {p.PidTagRecipientType: 1, p.PidTagDisplayName: "Dora"}})
    inner.save()
    outer.save()
    return message.save()


def open_message(sync: SyncClient, mid: int, index: int = MESSAGE, mode: int = 3, fid: int = INBOX) -> None:
    sync.ask(rm.OpenMessage(0, 0, index, 0xFFF, eid_int(1, fid), mode, eid_int(1, mid)))


def copied(sync: SyncClient, request: Any) -> Node:
    """The whole stream of a copy that is configured at CONTEXT."""
    sync.ask(request)
    try:
        return tree(sync.elements())
    finally:
        sync.client.release(CONTEXT)


def copy_to(index: int, level: int = 0, tags: list[int] | None = None, flags: int = 0) -> ft.FastTransferSourceCopyTo:
    return ft.FastTransferSourceCopyTo(0, index, CONTEXT, level, flags, UNICODE, tags or [])


def only(index: int, tags: list[int], level: int = 0) -> ft.FastTransferSourceCopyProperties:
    return ft.FastTransferSourceCopyProperties(0, index, CONTEXT, level, 0, UNICODE, tags)


# ---------------------------------------------------------------------------------------------- out of the store


def test_a_message_with_all_that_is_in_it(world: EmsmdbWorld, sync: SyncClient) -> None:
    open_message(sync, full_message(world).mid)
    root = copied(sync, copy_to(MESSAGE))
    assert root.props[p.PidTagSubject] == "Full" and root.props[p.PidTagBody] == "Text " * 20_000
    assert list(root.names.values()) == [PropertyName(bytes(range(16)), "Colour")]
    assert not {p.PidTagEntryId, p.PidTagSourceKey, p.PidTagMid} & root.props.keys()
    rows = root.of(Marker.StartRecip)
    assert [row.props[p.PidTagDisplayName] for row in rows] == ["Bob", "Carol"]
    file, outer = root.of(Marker.NewAttach)
    assert file.props[p.PidTagAttachDataBinary] == DATA
    (inner,) = outer.of(Marker.StartEmbed)
    assert inner.props[p.PidTagSubject] == "Inner" and len(inner.of(Marker.StartRecip)) == 1


def test_what_is_excluded_is_not_there(world: EmsmdbWorld, sync: SyncClient) -> None:
    open_message(sync, full_message(world).mid)
    without = [p.PidTagBody, p.PidTagMessageAttachments]
    root = copied(sync, copy_to(MESSAGE, tags=without))
    assert p.PidTagBody not in root.props and p.PidTagSubject in root.props
    assert [node.marker for node in root.nodes] == [Marker.StartRecip] * 2
    assert root.order.count(MetaTagFXDelProp) == 1
    flat = copied(sync, copy_to(MESSAGE, level=1))
    assert not flat.nodes and MetaTagFXDelProp not in flat.order


def test_only_what_is_named(world: EmsmdbWorld, sync: SyncClient) -> None:
    open_message(sync, full_message(world).mid)
    root = copied(sync, only(MESSAGE, [p.PidTagSubject, p.PidTagMessageRecipients]))
    assert root.order == [p.PidTagSubject, MetaTagFXDelProp] and len(root.nodes) == 2
    root = copied(sync, only(MESSAGE, [p.PidTagSubject, p.PidTagMessageRecipients], level=1))
    assert root.order == [p.PidTagSubject] and not root.nodes


def test_what_is_not_saved_is_copied_too(world: EmsmdbWorld, sync: SyncClient) -> None:
    open_message(sync, full_message(world).mid)
    opened = sync.client.session.objects[sync.client.handles[MESSAGE]]
    assert isinstance(opened, Message)
    opened.message.set({p.PidTagSubject: "Unsaved"})
    opened.message.delete_attachment(0)
    sync.ask(copy_to(MESSAGE))
    opened.message.set({p.PidTagSubject: "Later"})
    root = tree(sync.elements())
    assert root.props[p.PidTagSubject] in ("Unsaved", "Later") and len(root.of(Marker.NewAttach)) == 1


def test_an_attachment(world: EmsmdbWorld, sync: SyncClient) -> None:
    open_message(sync, full_message(world).mid)
    opened = sync.client.session.objects[sync.client.handles[MESSAGE]]
    assert isinstance(opened, Message)
    for num, tag in ((0, p.PidTagAttachDataBinary), (1, p.PidTagAttachMethod)):
        made = Attachment(opened.logon, opened.message.open_attachment(num))
        sync.client.handles[TARGET] = sync.client.session.add(made)
        root = copied(sync, copy_to(TARGET))
        assert tag in root.props and p.PidTagAttachNumber not in root.props
        assert [node.marker for node in root.nodes] == [Marker.StartEmbed] * num
        sync.client.release(TARGET)


def test_messages_of_a_folder(world: EmsmdbWorld, sync: SyncClient) -> None:
    first, second = full_message(world, "First"), full_message(world, "Second")
    elsewhere = full_message(world, "Elsewhere", DRAFTS)
    sync.client.folder(INBOX, FOLDER)
    mids = [eid_int(1, mid) for mid in (second.mid, first.mid, elsewhere.mid, 0x7FFFFFFF, first.mid)]
    root = copied(sync, ft.FastTransferSourceCopyMessages(0, FOLDER, CONTEXT, mids, 0x10, UNICODE))
    assert [node.props[p.PidTagSubject] for node in root.nodes] == ["Second", "First"]
    assert all(node.marker is Marker.StartMessage and p.PidTagSourceKey not in node.props for node in root.nodes)
    root = copied(sync, ft.FastTransferSourceCopyMessages(0, FOLDER, CONTEXT, mids, 0x20, UNICODE))
    assert root.nodes[1].props[p.PidTagSourceKey] == gid(sync.guid, first.mid)
    assert p.PidTagEntryId in root.nodes[1].props
    root = copied(sync, ft.FastTransferSourceCopyMessages(0, FOLDER, CONTEXT, mids, 0, UNICODE | RECOVER))
    errors = root.of(Marker.FXErrorInfo)
    assert len(errors) == 2
    octets = errors[0].props[0x00000102]
    assert struct.unpack_from("<HHI", octets) == (0, 0, Ec.ecNotFound) and len(octets) == 88
    assert octets[8:30] == gid(sync.guid, INBOX) and octets[32:54] == gid(sync.guid, elsewhere.mid)


def folder_tree(world: EmsmdbWorld) -> int:
    """A folder with messages, an associated one, and folders below it."""
    ask = world.account().call
    top = ask(h.MakeFolder(IPM, "Top", {p.PidTagComment: "The top"}, b"")).fid
    below = ask(h.MakeFolder(top, "Below", {p.PidTagContainerClass: "IPF.Contact"}, b"")).fid
    deep = ask(h.MakeFolder(below, "Deep", {}, b"")).fid
    ask(h.MakeFolder(top, "Empty", {}, b""))
    full_message(world, "In top", top)
    full_message(world, "In deep", deep)
    view = WorkingMessage.create(world.account(), top, associated=True)
    view.set({p.PidTagSubject: "View"})
    view.save()
    return int(top)


def test_a_folder_with_all_below(world: EmsmdbWorld, sync: SyncClient) -> None:
    sync.client.folder(folder_tree(world), FOLDER)
    root = copied(sync, ft.FastTransferSourceCopyFolder(0, FOLDER, CONTEXT, 0x10, UNICODE))
    (top,) = root.nodes
    assert top.marker is Marker.StartTopFld and MetaTagFXDelProp not in top.order
    assert top.props[p.PidTagDisplayName] == "Top" and top.props[p.PidTagComment] == "The top"
    assert [node.marker for node in top.nodes] == [
        Marker.StartFAIMsg, Marker.StartMessage, Marker.StartSubFld, Marker.StartSubFld,
    ]  # fmt: skip
    names = {node.props[p.PidTagDisplayName]: node for node in top.of(Marker.StartSubFld)}
    assert names.keys() == {"Below", "Empty"}
    (deep,) = names["Below"].of(Marker.StartSubFld)
    assert [node.props[p.PidTagSubject] for node in deep.nodes] == ["In deep"]
    (flat,) = copied(sync, ft.FastTransferSourceCopyFolder(0, FOLDER, CONTEXT, 0, UNICODE)).nodes
    assert not flat.of(Marker.StartSubFld) and flat.of(Marker.StartMessage)


def test_contents_of_a_folder(world: EmsmdbWorld, sync: SyncClient) -> None:
    sync.client.folder(folder_tree(world), FOLDER)
    sync.ask(copy_to(FOLDER))
    found = sync.elements()
    removed = [one.value for one in found if isinstance(one, Property) and one.tag == MetaTagFXDelProp]
    assert removed[0] == p.PidTagFolderAssociatedContents
    assert removed[3] == p.PidTagContainerContents
    assert removed.count(p.PidTagContainerHierarchy) == 4
    sync.client.release(CONTEXT)
    without = [p.PidTagContainerHierarchy, p.PidTagFolderAssociatedContents, p.PidTagComment]
    root = copied(sync, copy_to(FOLDER, tags=without))
    assert [node.marker for node in root.nodes] == [Marker.StartMessage]
    assert p.PidTagComment not in root.props and p.PidTagDisplayName in root.props
    flat = copied(sync, copy_to(FOLDER, level=1))
    assert not flat.nodes


def test_bad_copies_are_refused(world: EmsmdbWorld, sync: SyncClient) -> None:
    sync.client.folder(INBOX, FOLDER)
    fails = sync.client.fails
    assert fails(copy_to(FOLDER, flags=0x10000)) == Ec.ecInvalidParam
    assert fails(copy_to(0)) == Ec.ecNotSupported
    assert fails(ft.FastTransferSourceCopyTo(0, FOLDER, CONTEXT, 0, 0, 0x80, [])) == Ec.ecInvalidParam
    assert fails(ft.FastTransferSourceCopyMessages(0, FOLDER, CONTEXT, [5], 0, UNICODE)) == Ec.ecNotFound
    assert fails(ft.FastTransferSourceCopyMessages(0, 0, CONTEXT, [], 0, UNICODE)) == Ec.ecNotSupported
    sync.ask(ft.TellVersion(0, FOLDER, 15, 0, 847))


def test_a_guest_who_may_not_delete_moves_nothing(world: EmsmdbWorld) -> None:
    saved = full_message(world)
    world.grant(INBOX, BOB, 0x401)
    client = world.client(BOB)
    client.logon(of=world.alice)
    sync = SyncClient(client)
    client.folder(INBOX, FOLDER)
    mids = [eid_int(1, saved.mid)]
    assert len(copied(sync, ft.FastTransferSourceCopyMessages(0, FOLDER, CONTEXT, mids, 0, UNICODE)).nodes) == 1
    assert not copied(sync, ft.FastTransferSourceCopyMessages(0, FOLDER, CONTEXT, mids, 1, UNICODE)).nodes


# ---------------------------------------------------------------------------------------------- into the store


def put(sync: SyncClient, octets: bytes, piece: int = 1000, extended: bool = False) -> None:
    """Upload a stream to the context at OTHER."""
    kind = ft.FastTransferDestinationPutBufferExtended if extended else ft.FastTransferDestinationPutBuffer
    for at in range(0, len(octets), piece):
        data = octets[at : at + piece]
        assert sync.ask(kind(0, OTHER, data)).buffer_used_size == len(data)


def destination(sync: SyncClient, index: int, operation: int) -> None:
    sync.ask(ft.FastTransferDestinationConfigure(0, index, OTHER, operation, 0))


def read(world: EmsmdbWorld, fid: int, name: str = ALICE, flags: int = s.NORMAL) -> list[o.Message]:
    account = world.account(name)
    changed = account.call(s.GetContentChanges(fid, s.State(), flags)).changed
    found: list[o.Message] = account.call(o.ReadMessages([mid for mid, *_ in changed]))
    return found


def assert_full(world: EmsmdbWorld, message: o.Message, subject: str, name: str = ALICE) -> None:
    """A message is as `full_message` makes them."""
    account = world.account(name)
    assert message.props[p.PidTagSubject] == subject
    opened = WorkingMessage.open(account, message.mid)
    assert opened.get(p.PidTagBody) == "Text " * 20_000
    (number,) = account.call(n.GetPropertyIds([n.Name(bytes(range(16)), -1, "Colour")]))
    assert message.props[number << 16 | 0x1F] == "blue"
    assert [row[p.PidTagDisplayName] for row in message.recipients] == ["Bob", "Carol"]
    assert opened.open_attachment(0).get(p.PidTagAttachDataBinary) == DATA
    inner = opened.open_attachment(1).open_embedded()
    assert inner.get(p.PidTagSubject) == "Inner"
    assert [row[p.PidTagDisplayName] for row in inner.recipients] == ["Dora"]


@pytest.mark.parametrize(("piece", "extended"), [(1, False), (7000, False), (0xFFFF - 1000, True)])
def test_messages_into_another_mailbox(
    world: EmsmdbWorld, sync: SyncClient, bob: Client, piece: int, extended: bool
) -> None:
    saved = full_message(world)
    sync.client.folder(INBOX, FOLDER)
    mids = [eid_int(1, saved.mid)]
    sync.ask(ft.FastTransferSourceCopyMessages(0, FOLDER, CONTEXT, mids, 0, UNICODE))
    octets = sync.stream()
    theirs = SyncClient(bob)
    world.account(BOB).call(n.MakePropertyIds([n.Name(bytes(16), -1, "Shift ids")]))
    bob.folder(INBOX, FOLDER)
    destination(theirs, FOLDER, COPY_MESSAGES)
    ends = 4000 if piece == 1 else 0
    put(theirs, octets[: len(octets) - ends], max(piece, 5000))
    put(theirs, octets[len(octets) - ends :] if ends else b"", piece, extended)
    (message,) = read(world, INBOX, BOB)
    assert_full(world, message, "Full", BOB)
    assert message.props[p.PidTagRead] is True and not message.associated


def test_a_folder_with_all_below_into_another_mailbox(world: EmsmdbWorld, sync: SyncClient, bob: Client) -> None:
    sync.client.folder(folder_tree(world), FOLDER)
    sync.ask(ft.FastTransferSourceCopyFolder(0, FOLDER, CONTEXT, 0x10, UNICODE))
    octets = sync.stream()
    theirs, ask = SyncClient(bob), world.account(BOB).call
    bob.folder(IPM, FOLDER)
    destination(theirs, FOLDER, COPY_FOLDER)
    put(theirs, octets, 20_000)
    folders = {}
    for fid, _ in ask(s.GetHierarchyChanges(IPM, s.State())).changed:
        props = ask(h.GetFolderProps(fid))
        folders[props[p.PidTagDisplayName]] = (fid, props)
    assert folders["Top"][1][p.PidTagComment] == "The top"
    assert folders["Below"][1][p.PidTagContainerClass] == "IPF.Contact"
    assert folders["Deep"][1][p.PidTagParentSourceKey] == gid(theirs.guid, folders["Below"][0])
    (top,) = read(world, folders["Top"][0], BOB)
    assert_full(world, top, "In top", BOB)
    (view,) = read(world, folders["Top"][0], BOB, s.ASSOCIATED)
    assert view.associated and view.props[p.PidTagSubject] == "View"
    assert_full(world, read(world, folders["Deep"][0], BOB)[0], "In deep", BOB)
    assert "Empty" in folders


def test_contents_replace_what_a_folder_has(world: EmsmdbWorld, sync: SyncClient) -> None:
    top = folder_tree(world)
    ask = world.account().call
    other = ask(h.MakeFolder(IPM, "Other", {}, b"")).fid
    full_message(world, "Goes", other)
    ask(h.MakeFolder(other, "Goes too", {}, b""))
    sync.client.folder(top, FOLDER)
    sync.ask(copy_to(FOLDER))
    octets = sync.stream()
    sync.client.release(FOLDER)
    sync.client.folder(other, FOLDER)
    destination(sync, FOLDER, COPY_TO)
    put(sync, octets, 20_000)
    assert [message.props[p.PidTagSubject] for message in read(world, other)] == ["In top"]
    below = {
        ask(h.GetFolderProps(fid))[p.PidTagDisplayName]
        for fid, _ in ask(s.GetHierarchyChanges(other, s.State())).changed
    }
    assert below == {"Below", "Deep", "Empty"}
    props = ask(h.GetFolderProps(other))
    assert (props[p.PidTagDisplayName], props[p.PidTagComment]) == ("Other", "The top")


def test_a_message_into_an_open_one(world: EmsmdbWorld, sync: SyncClient) -> None:
    open_message(sync, full_message(world).mid)
    sync.ask(copy_to(MESSAGE))
    octets = sync.stream()
    target = WorkingMessage.create(world.account(), DRAFTS)
    target.modify_recipients({0: {p.PidTagRecipientType: 1, p.PidTagDisplayName: "Goes"}})
    sync.client.handles[TARGET] = sync.client.session.add(Message(sync.client.session.logon(0), target))
    destination(sync, TARGET, COPY_TO)
    put(sync, octets, 3000)
    assert read(world, DRAFTS) == []
    sync.ask(rm.SaveChangesMessage(0, TARGET, TARGET, 2))
    (message,) = read(world, DRAFTS)
    assert_full(world, message, "Full")


def test_an_attachment_into_an_open_one(world: EmsmdbWorld, sync: SyncClient) -> None:
    target = WorkingMessage.create(world.account(), DRAFTS)
    attachment = target.create_attachment()
    made = Attachment(sync.client.session.logon(0), attachment)
    sync.client.handles[TARGET] = sync.client.session.add(made)
    destination(sync, TARGET, COPY_PROPERTIES)
    elements: list[Element] = [
        Property(p.PidTagAttachLongFilename, "x.msg"), Marker.StartEmbed, Property(p.PidTagSubject, "Within"),
        Marker.EndEmbed,
    ]  # fmt: skip
    put(sync, encode_stream(elements))
    assert attachment.get(p.PidTagAttachLongFilename) == "x.msg"
    assert attachment.open_embedded().get(p.PidTagSubject) == "Within"


def upload(sync: SyncClient, *elements: Element, operation: int = COPY_MESSAGES, fid: int = DRAFTS) -> None:
    """A stream made by hand."""
    sync.client.release(OTHER, FOLDER)
    sync.client.folder(fid, FOLDER)
    destination(sync, FOLDER, operation)
    put(sync, encode_stream(elements))


def test_strings_of_code_pages(world: EmsmdbWorld, sync: SyncClient) -> None:
    upload(
        sync, Marker.StartMessage, Property(0x0037001E, b"Gr\xfc\xdfe"), Property(0x10008000 | 1251, b"\xcf\xf0"),
        Property(0x0C1A8000 | 1200, b"\x42\0\0\0"), Marker.EndMessage,
    )  # fmt: skip
    (message,) = read(world, DRAFTS)
    assert message.props[p.PidTagSubject] == "Grüße" and message.props[p.PidTagBody] == "Пр"


def test_both_bodies_stay(world: EmsmdbWorld, sync: SyncClient) -> None:
    upload(
        sync, Marker.StartMessage, Property(p.PidTagBody, "plain"), Property(p.PidTagHtml, b"<b>rich</b>"),
        Marker.EndMessage,
    )  # fmt: skip
    (message,) = read(world, DRAFTS)
    opened = WorkingMessage.open(world.account(), message.mid)
    assert (opened.get(p.PidTagBody), opened.get(p.PidTagHtml)) == ("plain", b"<b>rich</b>")


def test_an_exchange_address_gets_its_smtp_address(world: EmsmdbWorld, sync: SyncClient) -> None:
    dn = world.site.people.dn_of(world.bob)
    upload(
        sync, Marker.StartMessage, Property(p.PidTagSentRepresentingAddressType, "EX"),
        Property(p.PidTagSentRepresentingEmailAddress, dn), Marker.StartRecip, Property(p.PidTagRowid, 0),
        Property(p.PidTagRecipientType, 1), Property(p.PidTagAddressType, "EX"), Property(p.PidTagEmailAddress, dn),
        Marker.EndToRecip, Marker.EndMessage,
    )  # fmt: skip
    (message,) = read(world, DRAFTS)
    assert message.props[p.PidTagSentRepresentingSmtpAddress] == BOB
    assert message.recipients[0][p.PidTagSmtpAddress] == BOB


def test_warnings_and_errors_are_passed_over(world: EmsmdbWorld, sync: SyncClient) -> None:
    upload(
        sync, Marker.FXErrorInfo, Property(0x00000102, b"error"), Property(0x400F0003, 1), Marker.StartMessage,
        Property(p.PidTagSubject, "Good"), Marker.EndMessage,
    )  # fmt: skip
    assert [one.props[p.PidTagSubject] for one in read(world, DRAFTS)] == ["Good"]


def test_a_message_that_is_not_complete_is_not_there(world: EmsmdbWorld, sync: SyncClient) -> None:
    upload(sync, Marker.StartMessage, Property(p.PidTagSubject, "Half"))
    sync.client.release(OTHER)
    assert read(world, DRAFTS) == []


@pytest.mark.parametrize(
    "elements",
    [
        [Marker.EndMessage],
        [Marker.StartMessage, Marker.StartMessage],
        [Marker.StartMessage, Marker.EndToRecip],
        [Marker.StartMessage, Marker.StartRecip, Marker.NewAttach],
        [Marker.StartSubFld],
        [Marker.IncrSyncChg],
        [Marker.StartMessage, Marker.NewAttach, Marker.StartRecip],
    ],
)
def test_what_is_no_list_of_messages(world: EmsmdbWorld, sync: SyncClient, elements: list[Element]) -> None:
    sync.client.folder(DRAFTS, FOLDER)
    destination(sync, FOLDER, COPY_MESSAGES)
    for _ in range(2):
        with pytest.raises(MapiError) as caught:
            put(sync, encode_stream(elements))
        assert caught.value.code == Ec.ecRpcFormat
    assert read(world, DRAFTS) == []


def test_depth_is_bounded(world: EmsmdbWorld, sync: SyncClient) -> None:
    deep: list[Element] = [Marker.StartMessage]
    for _ in range(100):
        deep += [Marker.NewAttach, Marker.StartEmbed]
    sync.client.folder(DRAFTS, FOLDER)
    destination(sync, FOLDER, COPY_MESSAGES)
    with pytest.raises(MapiError) as caught:
        put(sync, encode_stream(deep))
    assert caught.value.code == Ec.ecTooBig


def test_a_folder_without_a_name(sync: SyncClient) -> None:
    with pytest.raises(MapiError) as caught:
        upload(sync, Marker.StartTopFld, Marker.EndFolder, operation=COPY_FOLDER, fid=IPM)
    assert caught.value.code == Ec.ecRpcFormat


def test_bad_configurations(world: EmsmdbWorld, sync: SyncClient) -> None:
    sync.client.folder(INBOX, FOLDER)
    for index, operation, flags, code in (
        (FOLDER, 5, 0, Ec.ecInvalidParam), (FOLDER, 1, 2, Ec.ecInvalidParam), (0, 1, 0, Ec.ecInvalidParam),
    ):  # fmt: skip
        assert sync.client.fails(ft.FastTransferDestinationConfigure(0, index, OTHER, operation, flags)) == code
    open_message(sync, full_message(world).mid, mode=0)
    assert sync.client.fails(ft.FastTransferDestinationConfigure(0, MESSAGE, OTHER, 1, 0)) == Ec.ecAccessDenied
    open_message(sync, full_message(world).mid)
    assert sync.client.fails(ft.FastTransferDestinationConfigure(0, MESSAGE, OTHER, 3, 0)) == Ec.ecInvalidParam


def test_a_guest_uploads_nothing(world: EmsmdbWorld) -> None:
    world.grant(INBOX, BOB, 0x401)
    client = world.client(BOB)
    client.logon(of=world.alice)
    with pytest.raises(MapiError) as caught:
        upload(SyncClient(client), Marker.StartMessage, Property(p.PidTagSubject, "x"), Marker.EndMessage, fid=INBOX)
    assert caught.value.code == Ec.ecAccessDenied


@pytest.mark.parametrize("piece", [5000, 30_001])
def test_long_values_are_never_in_memory(
    world: EmsmdbWorld, sync: SyncClient, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(fastdestination, "LONGEST", 10_000)
    data, text = DATA * 3, "Long ä " * 40_000
    elements: list[Element] = [
        Marker.StartMessage, Property(p.PidTagSubject, "Long"), Property(p.PidTagBody, text),
        Property(0x9001001F, "n" * 30_000, PropertyName(bytes(16), "Long name")), Marker.NewAttach,
        Property(p.PidTagAttachDataBinary, data), Property(p.PidTagAttachLongFilename, "x"), Marker.EndAttach,
        Marker.EndMessage,
    ]  # fmt: skip
    sync.client.folder(DRAFTS, FOLDER)
    destination(sync, FOLDER, COPY_MESSAGES)
    put(sync, encode_stream(elements), piece)
    (message,) = read(world, DRAFTS)
    opened = WorkingMessage.open(world.account(), message.mid)
    assert opened.get(p.PidTagSubject) == "Long" and opened.get(p.PidTagBody) == text
    (number,) = world.account().call(n.GetPropertyIds([n.Name(bytes(16), -1, "Long name")]))
    assert opened.get(number << 16 | 0x1F) == "n" * 30_000
    attachment = opened.open_attachment(0)
    assert attachment.get(p.PidTagAttachDataBinary) == data and attachment.get(p.PidTagAttachLongFilename) == "x"


def test_a_recipient_has_no_long_values(sync: SyncClient) -> None:
    with pytest.raises(MapiError) as caught:
        upload(sync, Marker.StartMessage, Marker.StartRecip, Property(p.PidTagDisplayName, "x" * 600_000))
    assert caught.value.code == Ec.ecTooBig
