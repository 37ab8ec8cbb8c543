"""Folders: made, opened, searched, emptied, moved; messages deleted and moved."""

from __future__ import annotations

import gc
import weakref

from gromoxd.errors import Ec
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.hierarchy import GetFolderProps
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import eid_int, eid_split
from gromoxd.mapi.restrictions import Content, Exist, decode_restriction, encode_restriction
from gromoxd.rop import folders as rf
from gromoxd.rop import messages as rm
from gromoxd.rop import progress as rp
from gromoxd.rop.codec import Response
from tests.contract.mail import mail
from tests.emsmdb.world import FINDER, INBOX, IPM, PUBLIC_IPM, SENT, TRASH, Client, EmsmdbWorld
from workers.http.emsmdb import transferring


def eid(number: int) -> int:
    return eid_int(1, number)


def create(
    client: Client, name: str, *, parent: int = 1, output: int = 10, kind: int = rf.GENERIC, **more: bool
) -> int:
    """Make a folder; its number."""
    request = rf.CreateFolder(0, parent, output, kind, True, more.get("existing", False), 0, name, "")
    return eid_split(client.one(request, rf.CreateFolderResponse).folder_id)[1]


def inbox(client: Client, flags: int = 0) -> list[int]:
    return list(transferring.list_messages(client.world.account(), INBOX, flags))


def partial(responses: list[Response]) -> bool:
    (found,) = responses
    assert found.code == 0, hex(found.code)
    assert isinstance(found, rf.PartialResponse)
    return found.partial_completion


def test_a_folder_is_made_and_opened(alice: Client, world: EmsmdbWorld) -> None:
    alice.folder(IPM, 1)
    request = rf.CreateFolder(0, 1, 2, rf.GENERIC, True, False, 0, "Täglich", "A comment")
    made = alice.one(request, rf.CreateFolderResponse)
    assert not made.is_existing_folder
    props = world.account().call(GetFolderProps(eid_split(made.folder_id)[1]))
    assert (props[p.PidTagDisplayName], props[p.PidTagComment]) == ("Täglich", "A comment")
    assert alice.fails(request) == Ec.ecDuplicateName
    again = rf.CreateFolder(0, 1, 3, rf.GENERIC, False, True, 0, "täglich".encode("cp1252"), b"")
    assert alice.one(again, rf.CreateFolderResponse).folder_id == made.folder_id
    assert alice.run(rf.OpenFolder(0, 0, 4, made.folder_id, 0)) == [rf.OpenFolderResponse(4, 0, False)]
    assert alice.fails(rf.CreateFolder(0, 1, 3, 3, True, False, 0, "x", "")) == Ec.ecInvalidParam


def test_an_existing_public_folder_is_told(bob: Client) -> None:
    bob.public_logon(1, 1)
    bob.folder(2, 2, 1, 1)
    request = rf.CreateFolder(1, 2, 3, rf.GENERIC, True, True, 0, "News", "")
    world = bob.world
    world.grant(2, "bob@example.test", 0x5FB, "example.test")
    first = bob.one(request, rf.CreateFolderResponse)
    assert (first.is_existing_folder, first.ghost) == (False, None)
    again = bob.one(request, rf.CreateFolderResponse)
    assert (again.folder_id, again.is_existing_folder, again.ghost) == (first.folder_id, True, None)


def test_deleted_folders_open_only_when_asked_for(alice: Client) -> None:
    alice.folder(IPM, 1)
    number = create(alice, "Old")
    assert not partial(alice.run(rf.DeleteFolder(0, 1, 0, eid(number))))
    assert alice.fails(rf.OpenFolder(0, 0, 5, eid(number), 0)) == Ec.ecNotFound
    assert alice.run(rf.OpenFolder(0, 0, 5, eid(number), rf.SOFT_DELETED))[0].code == 0
    assert not partial(alice.run(rf.DeleteFolder(0, 1, 0x10, eid(number))))
    assert alice.fails(rf.OpenFolder(0, 0, 5, eid(number), rf.SOFT_DELETED)) == Ec.ecNotFound


def test_a_folder_that_is_not_empty_stays(alice: Client, world: EmsmdbWorld) -> None:
    alice.folder(IPM, 1)
    number = create(alice, "Full")
    world.append(mail(1), number)
    assert partial(alice.run(rf.DeleteFolder(0, 1, rf.DeleteFolderFlags.DEL_FOLDERS, eid(number))))
    assert not partial(alice.run(rf.DeleteFolder(0, 1, rf.DeleteFolderFlags.DEL_MESSAGES, eid(number))))
    for special, code in ((INBOX, Ec.ecAccessDenied), (1, Ec.ecNotSupported)):
        assert alice.run(rf.DeleteFolder(0, 1, 5, eid(special))) == [rf.DeleteFolderResponse(1, code, False)]


def test_search_folders(alice: Client, world: EmsmdbWorld) -> None:
    stored = world.append(mail(1))
    alice.folder(FINDER, 1)
    number = create(alice, "Mails", kind=rf.SEARCH, output=2)
    assert alice.fails(rf.GetSearchCriteria(0, 2, True, True, True)) == Ec.ecNotInitialized
    asked = encode_restriction(Exist(p.PidTagSubject))
    alice.one(rf.SetSearchCriteria(0, 2, asked, [eid(INBOX)], 0x2), rf.SetSearchCriteriaResponse)
    found = alice.one(rf.GetSearchCriteria(0, 2, True, True, True), rf.GetSearchCriteriaResponse)
    assert (found.restriction, found.folder_ids, found.logon_id) == (asked, [eid(INBOX)], 0)
    less = alice.one(rf.GetSearchCriteria(0, 2, True, False, False), rf.GetSearchCriteriaResponse)
    assert (less.restriction, less.folder_ids) == (b"", [])
    assert list(transferring.list_messages(world.account(), number)) == [stored.mid]
    assert not partial(alice.run(rf.DeleteMessages(0, 2, False, False, [eid(stored.mid)])))
    assert inbox(alice) == []
    assert alice.fails(rf.SetSearchCriteria(0, 1, asked, [eid(INBOX)], 0x2)) == Ec.ecNotSearchFolder
    assert alice.fails(rf.SetSearchCriteria(0, 2, b"", [eid(number)], 0x2)) == Ec.ecSearchFolderScopeViolation
    again = world.append(mail(2))
    alice.folder(INBOX, 3)
    for want_copy in (True, False):
        request = rf.MoveCopyMessages(0, 3, 2, [eid(again.mid)], False, want_copy)
        assert alice.run(request) == [rf.MoveCopyMessagesResponse(3, Ec.ecSearchFolder, False)]
    assert inbox(alice) == [again.mid]


def test_neither_the_root_nor_a_search_is_emptied(alice: Client) -> None:
    alice.folder(1, 1)
    alice.folder(FINDER, 2)
    create(alice, "Mails", kind=rf.SEARCH, parent=2, output=3)
    for at in (1, 3):
        assert alice.fails(rf.EmptyFolder(0, at, False, False)) == Ec.ecNotSupported
        assert alice.fails(rf.HardDeleteMessagesAndSubfolders(0, at, True, False)) == Ec.ecNotSupported


def test_a_public_store_has_no_searches(bob: Client) -> None:
    bob.public_logon(1, 1)
    bob.folder(PUBLIC_IPM, 2, 1, 1)
    assert bob.fails(rf.CreateFolder(1, 2, 3, rf.SEARCH, True, False, 0, "Mails", "")) == Ec.ecNotSupported


def test_folders_are_opened_from_folders_and_logons(alice: Client) -> None:
    message = rm.CreateMessage(0, 0, 1, 0, eid(INBOX), False)
    alice.one(message, rm.CreateMessageResponse)
    assert alice.fails(rf.OpenFolder(0, 1, 2, eid(INBOX), 0)) == Ec.ecNotSupported


def test_criteria_without_unicode(alice: Client) -> None:
    alice.folder(FINDER, 1)
    create(alice, "Mails", kind=rf.SEARCH, output=2)
    asked = encode_restriction(Content(1, 1, p.PidTagSubject, "Grüße"))
    alice.one(rf.SetSearchCriteria(0, 2, asked, [eid(INBOX)], 0x2), rf.SetSearchCriteriaResponse)
    found = alice.one(rf.GetSearchCriteria(0, 2, False, True, False), rf.GetSearchCriteriaResponse)
    assert decode_restriction(found.restriction) == Content(1, 1, 0x0037001E, "Grüße".encode("cp1252"))


def test_messages_are_deleted(alice: Client, world: EmsmdbWorld) -> None:
    mids = [world.append(mail(n)).mid for n in range(3)]
    alice.folder(INBOX, 1)
    assert not partial(alice.run(rf.DeleteMessages(0, 1, False, True, [eid(mids[0])])))
    assert inbox(alice) == mids[1:]
    assert inbox(alice, 0x20) == mids[:1]
    assert not partial(alice.run(rf.HardDeleteMessages(0, 1, False, False, [eid(mid) for mid in mids[:2]])))
    assert (inbox(alice), inbox(alice, 0x20)) == (mids[2:], [])
    for gone in (eid(mids[0]), eid_int(7, mids[2]), 0):
        assert partial(alice.run(rf.DeleteMessages(0, 1, False, False, [gone])))
    assert inbox(alice) == mids[2:]


def test_messages_are_moved_and_copied(alice: Client, world: EmsmdbWorld) -> None:
    mids = [eid(world.append(mail(n)).mid) for n in range(2)]
    alice.folder(INBOX, 1)
    alice.folder(SENT, 2)
    assert not partial(alice.run(rf.MoveCopyMessages(0, 1, 2, mids, False, True)))
    assert len(inbox(alice)) == 2
    assert not partial(alice.run(rf.MoveCopyMessages(0, 1, 2, mids[:1], False, False)))
    assert len(inbox(alice)) == 1
    assert len(list(transferring.list_messages(world.account(), SENT))) == 3
    assert partial(alice.run(rf.MoveCopyMessages(0, 1, 2, mids, False, False)))


def test_without_a_destination(alice: Client) -> None:
    alice.folder(INBOX, 1)
    assert alice.run(rf.MoveCopyMessages(0, 1, 9, [], False, False)) == [
        rf.MoveCopyMessagesResponse(1, Ec.ecDstNullObject, False, 9)
    ]
    assert alice.run(rf.MoveFolder(0, 1, 9, False, True, eid(INBOX), "")) == [
        rf.MoveFolderResponse(1, Ec.ecDstNullObject, False, 9)
    ]
    assert alice.run(rf.CopyFolder(0, 9, 1, False, True, True, eid(INBOX), "x")) == [
        rf.CopyFolderResponse(9, Ec.ecNullObject, False)
    ]


def test_folders_are_moved_and_copied(alice: Client, world: EmsmdbWorld) -> None:
    alice.folder(IPM, 1)
    alice.folder(TRASH, 2)
    number = create(alice, "A")
    assert not partial(alice.run(rf.CopyFolder(0, 1, 2, False, True, True, eid(number), "B")))
    assert not partial(alice.run(rf.MoveFolder(0, 1, 2, False, True, eid(number), "A2")))
    props = world.account().call(GetFolderProps(number))
    assert props[p.PidTagDisplayName] == "A2"
    (found,) = alice.run(rf.MoveFolder(0, 1, 2, True, True, eid(TRASH), ""))
    assert found == rf.MoveFolderResponse(1, Ec.ecRootFolder, False)


def test_a_folder_is_emptied_in_slices(alice: Client, world: EmsmdbWorld) -> None:
    account = world.account()
    first = world.append(mail(1)).mid
    for _ in range(11):  # doubles them: 2,048
        mids = inbox(alice)
        account.call(o.TransferMessages(INBOX, mids, INBOX, False, world.request_id()))
    assert len(inbox(alice)) == 2048
    alice.folder(INBOX, 1)
    ticks = iter(range(10_000))
    alice.session.clock = lambda: next(ticks) * 1.0
    (told,) = alice.run(rf.EmptyFolder(0, 1, True, False))
    assert told == rp.ProgressResponse(1, 0, 0, 500, 2048)
    (told,) = alice.run(rp.Progress(0, 1, False))
    assert told == rp.ProgressResponse(1, 0, 0, 1000, 2048)
    assert len(inbox(alice)) == 1048
    while isinstance(told, rp.ProgressResponse):
        (told,) = alice.run(rp.Progress(0, 1, False))
    assert told == rf.EmptyFolderResponse(1, 0, False)
    assert (inbox(alice), first in inbox(alice, 0x20)) == ([], True)
    assert alice.fails(rp.Progress(0, 1, False)) == Ec.ecNotSupported


def test_what_is_under_way_is_stopped(alice: Client, world: EmsmdbWorld) -> None:
    mids = [eid(world.append(mail(n)).mid) for n in range(3)]
    many = mids + [eid(0x10_0000 + n) for n in range(1500)]
    alice.folder(INBOX, 1)
    ticks = iter(range(10_000))
    alice.session.clock = lambda: next(ticks) * 1.0
    (told,) = alice.run(rf.DeleteMessages(0, 1, True, False, many[::-1]))
    assert told == rp.ProgressResponse(1, 0, 0, 500, 1503)
    assert alice.run(rp.Progress(0, 1, True)) == [rf.DeleteMessagesResponse(1, 0, True)]
    assert len(inbox(alice)) == 3


def test_what_is_under_way_goes_with_its_object(alice: Client, world: EmsmdbWorld) -> None:
    mids = [eid(0x10_0000 + n) for n in range(1500)]
    alice.folder(INBOX, 1)
    ticks = iter(range(10_000))
    alice.session.clock = lambda: next(ticks) * 1.0
    assert isinstance(alice.run(rf.DeleteMessages(0, 1, True, False, mids))[0], rp.ProgressResponse)
    gone = weakref.ref(alice.session.objects[alice.handles[1]])
    alice.release(1)
    gc.collect()
    assert gone() is None


def test_what_is_under_way_is_done_when_its_object_is_released(alice: Client, world: EmsmdbWorld) -> None:
    stored = world.append(mail(1)).mid
    mids = [eid(0x10_0000 + n) for n in range(1500)] + [eid(stored)]
    alice.folder(INBOX, 1)
    ticks = iter(range(10_000))
    alice.session.clock = lambda: next(ticks) * 1.0
    assert isinstance(alice.run(rf.DeleteMessages(0, 1, True, False, mids))[0], rp.ProgressResponse)
    assert inbox(alice) == [stored]
    alice.release(1)
    assert inbox(alice) == []


def test_one_thing_after_the_other(alice: Client, world: EmsmdbWorld) -> None:
    stored = world.append(mail(1)).mid
    mids = [eid(0x10_0000 + n) for n in range(1500)] + [eid(stored)]
    alice.folder(INBOX, 1)
    ticks = iter(range(10_000))
    alice.session.clock = lambda: next(ticks) * 1.0
    assert isinstance(alice.run(rf.DeleteMessages(0, 1, True, False, mids))[0], rp.ProgressResponse)
    assert inbox(alice) == [stored]
    assert alice.run(rf.DeleteMessages(0, 1, False, False, [])) == [rf.DeleteMessagesResponse(1, 0, False)]
    assert inbox(alice) == []


def test_hard_deletion_of_all(alice: Client, world: EmsmdbWorld) -> None:
    world.append(mail(1))
    alice.folder(INBOX, 1)
    assert alice.run(rf.HardDeleteMessagesAndSubfolders(0, 1, False, True)) == [
        rf.HardDeleteMessagesAndSubfoldersResponse(1, 0, False)
    ]
    assert (inbox(alice), inbox(alice, 0x20)) == ([], [])
