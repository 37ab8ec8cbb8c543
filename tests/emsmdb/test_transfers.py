"""Copies and moves from one store of a session to another."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.names import MakePropertyIds, Name
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.flags import MessageFlags
from gromoxd.mapi.ids import eid_int, eid_split
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.rop import folders as rf
from gromoxd.rop import progress as pr
from gromoxd.rop import properties as rp
from tests.emsmdb.world import BOB, DOMAIN, INBOX, IPM, PUBLIC_IPM, SENT, Client, EmsmdbWorld
from workers.http.emsmdb import transferring

OWN = Name(b"N" * 16, -1, "colour")


def write(world: EmsmdbWorld, fid: int, subject: str, *, associated: bool = False) -> int:
    """A message with a named property and an attachment."""
    account = world.account()
    (number,) = account.call(MakePropertyIds([OWN]))
    message = WorkingMessage.create(account, fid, associated=associated)
    message.set({p.PidTagSubject: subject, number << 16 | 0x1F: "blue"})
    attachment = message.create_attachment()
    attachment.set({p.PidTagAttachDataBinary: b"octets", p.PidTagAttachMethod: 1})
    attachment.save()
    return message.save().mid


@pytest.fixture
def both(world: EmsmdbWorld, alice: Client) -> Client:
    """Alice with her mailbox at 0, its inbox at 1; bob's mailbox at 2, his inbox at 3; the public store at 4, 5."""
    world.grant(INBOX, "alice@example.test", 0x5FB, BOB)
    world.grant(PUBLIC_IPM, "alice@example.test", 0x5FB, DOMAIN)
    world.account(BOB).call(MakePropertyIds([Name(b"X" * 16, 1)]))
    alice.folder(INBOX, 1)
    alice.logon(2, 1, world.bob)
    alice.folder(INBOX, 3, 2, 1)
    alice.public_logon(4, 2)
    alice.folder(PUBLIC_IPM, 5, 4, 2)
    return alice


def test_a_message_is_copied_whole(both: Client, world: EmsmdbWorld) -> None:
    mid = write(world, INBOX, "Tea")
    assert both.run(rf.MoveCopyMessages(0, 1, 3, [eid_int(1, mid)], False, True)) == [
        rf.MoveCopyMessagesResponse(1, 0, False)
    ]
    bobs = world.account(BOB)
    (copy,) = transferring.list_messages(bobs, INBOX)
    found = WorkingMessage.open(bobs, copy)
    (number,) = bobs.call(MakePropertyIds([OWN]))
    assert found.get(p.PidTagSubject) == "Tea"
    assert found.get(number << 16 | 0x1F) == "blue"
    assert found.open_attachment(0).get(p.PidTagAttachDataBinary) == b"octets"
    assert list(transferring.list_messages(world.account(), INBOX)) == [mid]


SIGNED = (
    b"Received: from a by b; Mon, 2 Mar 2026 10:00:00 +0000\r\nDKIM-Signature: v=1; a=rsa-sha256; b=abc=\r\n"
    b"X-Odd:   spaces\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nFrom: Ann <ann@example.org>\r\n"
    b"To: alice@example.test\r\nDisposition-Notification-To: ann@example.org\r\nMessage-ID: <7@example.org>\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary="=x"; micalg=sha-256\r\n\r\nprologue\r\n--=x\r\n'
    b"Content-Type: text/plain\r\n\r\nText  with  spaces \r\n--=x\r\nContent-Type: application/pgp-signature\r\n\r\n"
    b"signature\r\n--=x--\r\nepilogue\r\n"
)


def source_of(world: EmsmdbWorld, owner: str, mid: int, fid: int = INBOX) -> bytes:
    found = WorkingMessage.open(world.account(owner), mid)
    return world.account(owner, SYSTEM).call(c.ReadContent(fid, found.uid, 0, 1 << 20))


@pytest.mark.parametrize("read", [False, True])
def test_mail_is_copied_as_it_came(both: Client, world: EmsmdbWorld, read: bool) -> None:
    alices = world.account()
    mid = world.append(SIGNED).mid
    assert source_of(world, "alice@example.test", mid) == SIGNED
    message = WorkingMessage.open(alices, mid)
    (number,) = alices.call(MakePropertyIds([OWN]))
    message.set({
        p.PidTagFlagStatus: 2, PidNameKeywords: ["Red"], number << 16 | 0x1F: "blue", p.PidTagLastVerbExecuted: 102,
        p.PidTagComment: "mine",
    })  # fmt: skip
    message.save()
    if read:
        message.mark_read(True)
    asked = rf.MoveCopyMessages(0, 1, 3, [eid_int(1, mid)], False, True)
    assert both.run(asked) == [rf.MoveCopyMessagesResponse(1, 0, False)]
    bobs = world.account(BOB)
    (copied,) = transferring.list_messages(bobs, INBOX)
    assert source_of(world, BOB, copied) == SIGNED
    old, new = WorkingMessage.open(alices, mid), WorkingMessage.open(bobs, copied)
    (theirs,) = bobs.call(MakePropertyIds([OWN]))
    assert theirs != number
    assert new.get(theirs << 16 | 0x1F) == "blue"
    same = (
        p.PidTagFlagStatus, PidNameKeywords, p.PidTagLastVerbExecuted, p.PidTagComment, p.PidTagMessageDeliveryTime,
        p.PidTagSubject, p.PidTagBody, p.PidTagMessageFlags, p.PidTagMessageSize, p.PidTagInternetMessageId,
    )  # fmt: skip
    assert {tag: new.get(tag) for tag in same} == {tag: old.get(tag) for tag in same}
    assert new.get(PidNameKeywords) == ["Red"]
    assert bool(int(str(new.get(p.PidTagMessageFlags))) & 1) == read


def test_a_receipt_that_was_sent_is_not_pending_in_a_copy(both: Client, world: EmsmdbWorld) -> None:
    stored = world.append(SIGNED)
    world.account().call(c.SetFlags(INBOX, [(stored.uid, stored.uid)], c.ADD, 0, ["$MDNSent"]))
    both.run(rf.MoveCopyMessages(0, 1, 3, [eid_int(1, stored.mid)], False, True))
    bobs = world.account(BOB)
    (copied,) = transferring.list_messages(bobs, INBOX)
    flags = WorkingMessage.open(bobs, copied).get(p.PidTagMessageFlags)
    assert isinstance(flags, int) and not flags & MessageFlags.mfNotifyRead


def test_mail_that_was_written_anew_is_copied_as_it_is_now(both: Client, world: EmsmdbWorld) -> None:
    mid = world.append(SIGNED).mid
    message = WorkingMessage.open(world.account(), mid)
    message.set({p.PidTagSubject: "Other", p.PidTagBody: "new text"})
    message.save()
    both.run(rf.MoveCopyMessages(0, 1, 3, [eid_int(1, mid)], False, True))
    bobs = world.account(BOB)
    (copied,) = transferring.list_messages(bobs, INBOX)
    new = WorkingMessage.open(bobs, copied)
    assert (new.get(p.PidTagSubject), new.get(p.PidTagBody)) == ("Other", "new text")


def test_long_mail_is_copied_as_it_came(both: Client, world: EmsmdbWorld) -> None:
    raw = SIGNED.replace(b"Text  with", b"0123456789\r\n" * 200_000 + b"Text  with")
    mid = world.append(raw).mid
    both.run(rf.MoveCopyMessages(0, 1, 3, [eid_int(1, mid)], False, False))
    bobs = world.account(BOB)
    (copied,) = transferring.list_messages(bobs, INBOX)
    found = WorkingMessage.open(bobs, copied)
    pieces = [bobs.call(c.ReadContent(INBOX, found.uid, at, 1 << 20)) for at in range(0, len(raw), 1 << 20)]
    assert b"".join(pieces) == raw


def test_a_message_is_moved(both: Client, world: EmsmdbWorld) -> None:
    mids = [write(world, INBOX, subject) for subject in ("a", "b")]
    asked = [eid_int(1, mid) for mid in [*mids, 0x9999]]
    assert both.run(rf.MoveCopyMessages(0, 1, 5, asked, False, False)) == [rf.MoveCopyMessagesResponse(1, 0, True)]
    assert list(transferring.list_messages(world.account(), INBOX)) == []
    public = world.account(DOMAIN)
    subjects = {WorkingMessage.open(public, mid).get(p.PidTagSubject) for mid in transferring.list_messages(public, 2)}
    assert subjects == {"a", "b"}


def test_a_folder_is_copied_with_what_is_in_it(both: Client, world: EmsmdbWorld) -> None:
    both.folder(IPM, 6)
    top = both.one(rf.CreateFolder(0, 6, 7, 1, True, False, 0, "Top", "note"), rf.CreateFolderResponse).folder_id
    below = both.one(rf.CreateFolder(0, 7, 8, 1, True, False, 0, "Below", ""), rf.CreateFolderResponse).folder_id
    write(world, eid_split(top)[1], "one")
    write(world, eid_split(below)[1], "two")
    write(world, eid_split(below)[1], "hidden", associated=True)
    assert both.run(rf.CopyFolder(0, 6, 5, False, True, True, top, "Copy")) == [rf.CopyFolderResponse(6, 0, False)]
    public = world.account(DOMAIN, "alice@example.test")
    (copy,) = transferring.list_folders(public, PUBLIC_IPM)
    (inner,) = transferring.list_folders(public, copy)
    assert len(list(transferring.list_messages(public, copy))) == 1
    assert len(list(transferring.list_messages(public, inner))) == 1
    assert len(list(transferring.list_messages(public, inner, t.ASSOCIATED))) == 1
    assert both.run(rf.MoveFolder(0, 6, 5, True, True, top, "Moved")) == [rf.MoveFolderResponse(6, 0, False)]
    assert both.run(rf.OpenFolder(0, 0, 9, top, 0))[0].code != 0
    assert len(list(transferring.list_folders(public, PUBLIC_IPM))) == 2


def test_what_may_not_be_read_stays(world: EmsmdbWorld, bob: Client) -> None:
    mid = write(world, INBOX, "secret")
    world.grant(INBOX, BOB, 0x400)
    bob.logon(1, 1, world.alice)
    bob.folder(INBOX, 2, 1, 1)
    bob.folder(SENT, 3)
    assert bob.run(rf.MoveCopyMessages(1, 2, 3, [eid_int(1, mid)], False, True)) == [
        rf.MoveCopyMessagesResponse(2, 0, True)
    ]
    assert list(transferring.list_messages(world.account(BOB), SENT)) == []


# ---------------------------------------------------------------------------------------------- folders by RopCopyTo


def make(client: Client, parent: int, output: int, name: str, number: int = 0) -> int:
    """A folder's number."""
    made = client.one(rf.CreateFolder(number, parent, output, 1, True, False, 0, name, ""), rf.CreateFolderResponse)
    return eid_split(made.folder_id)[1]


def kinds(world: EmsmdbWorld, fid: int, owner: str = "alice@example.test") -> tuple[int, int, int]:
    """How many messages, associated messages and subfolders a folder has."""
    account = world.account(owner)
    return (
        len(list(transferring.list_messages(account, fid))),
        len(list(transferring.list_messages(account, fid, t.ASSOCIATED))),
        len(list(transferring.list_folders(account, fid))),
    )


@pytest.fixture
def filled(world: EmsmdbWorld, both: Client) -> Client:
    """`both`, with a folder at 6 that has one of each, its subfolder at 7, and an empty folder at 8."""
    both.folder(IPM, 9)
    source = make(both, 9, 6, "Source")
    below = make(both, 6, 7, "Below")
    for fid in (source, below):
        write(world, fid, "shown")
    write(world, source, "hidden", associated=True)
    make(both, 9, 8, "Destination")
    return both


def number_of(client: Client, index: int) -> int:
    return int(getattr(client.session.objects[client.handles[index]], "fid"))  # noqa: B009


@pytest.mark.parametrize(
    ("subs", "excluded", "expected"),
    [
        (True, [], (1, 1, 1)),
        (False, [], (0, 0, 0)),
        (True, [p.PidTagContainerContents], (0, 1, 1)),
        (True, [p.PidTagContainerHierarchy], (1, 1, 0)),
        (True, [p.PidTagFolderAssociatedContents], (1, 0, 1)),
    ],
)
def test_a_folder_is_copied_into_another(
    filled: Client, world: EmsmdbWorld, subs: bool, excluded: list[int], expected: tuple[int, int, int]
) -> None:
    told = filled.run(rp.CopyTo(0, 6, 8, False, subs, 0, [p.PidTagDisplayName, *excluded]))
    assert told == [rp.CopyToResponse(6, 0, [])]
    fid = number_of(filled, 8)
    assert kinds(world, fid) == expected
    if expected[2]:
        (below,) = transferring.list_folders(world.account(), fid)
        assert kinds(world, below) == (1, 0, 0)
    assert kinds(world, number_of(filled, 6)) == (1, 1, 1)


def test_a_folder_is_copied_into_one_of_another_store(filled: Client, world: EmsmdbWorld) -> None:
    world.grant(IPM, "alice@example.test", 0x5FB, BOB)
    filled.folder(IPM, 10, 2, 1)
    there = make(filled, 10, 11, "There", 1)
    told = filled.run(rp.CopyTo(0, 6, 11, True, True, 0, [p.PidTagDisplayName]))
    assert told == [rp.CopyToResponse(6, 0, [])]
    assert kinds(world, there, BOB) == (1, 1, 1)


def test_a_folder_is_not_copied_into_itself_or_what_is_in_it(filled: Client, world: EmsmdbWorld) -> None:
    deep = make(filled, 7, 12, "Deep")
    for index in (6, 7, 12):
        if index == 6:
            filled.folder(number_of(filled, 6), 13)
        told = filled.fails(rp.CopyTo(0, 6, 13 if index == 6 else index, False, True, 0, [p.PidTagDisplayName]))
        assert told == Ec.ecFolderCycle
    assert kinds(world, deep) == (0, 0, 0)
    assert filled.fails(rp.CopyTo(0, 6, 5, False, True, 0, [])) == Ec.ecNotSupported


def test_what_is_left_alone_is_a_problem(filled: Client, world: EmsmdbWorld) -> None:
    make(filled, 8, 12, "below")
    (told,) = filled.run(rp.CopyTo(0, 6, 8, False, True, 0, [p.PidTagDisplayName]))
    assert isinstance(told, rp.CopyToResponse)
    assert [(one.tag, one.code) for one in told.problems] == [(p.PidTagContainerHierarchy, Ec.ecError)]
    assert kinds(world, number_of(filled, 8)) == (1, 1, 1)


def test_a_copy_of_a_folder_tells_how_far_it_is(filled: Client, world: EmsmdbWorld) -> None:
    ticks = iter(range(10_000))
    filled.session.clock = lambda: next(ticks) * 1.0
    (told,) = filled.run(rp.CopyTo(0, 6, 8, True, True, 0, [p.PidTagDisplayName]))
    assert told == pr.ProgressResponse(6, 0, 0, 1, 1)
    assert kinds(world, number_of(filled, 8)) == (0, 0, 1)
    while isinstance(told, pr.ProgressResponse):
        (told,) = filled.run(pr.Progress(0, 6, False))
    assert told == rp.CopyToResponse(6, 0, [])
    assert kinds(world, number_of(filled, 8)) == (1, 1, 1)
