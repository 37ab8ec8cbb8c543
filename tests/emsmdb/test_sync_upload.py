"""Synchronisation uploads on a real store ([MS-OXCFXICS] 3.2.5.9.4)."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import storecalls as st
from gromoxd.exmdb import sync as s
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import LongTermId, gid, pcl_encode
from gromoxd.mapi.idset import IdSet
from gromoxd.rop import messages as rm
from gromoxd.rop import sync as rop
from tests.emsmdb.cachedclient import CONTEXT, FOLDER, OTHER, SyncClient, fill, state_of
from tests.emsmdb.world import ALICE, INBOX, IPM, SENT, Client, EmsmdbWorld
from workers.http.emsmdb.objects import Message

CLIENT = bytes(range(200, 216))
"""The namespace of the client's changes."""
TIME = 133_000_000_000_000_000
NEWER = 0x00040821
ASSOCIATED, FAIL = 0x10, 0x40


def change(number: int) -> bytes:
    return gid(CLIENT, number)


def pcl(*keys: bytes) -> bytes:
    return pcl_encode({key[:16]: key[16:] for key in keys})


class Uploader(SyncClient):
    """A client with ids of its own."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        found = self.ask(rop.GetLocalReplicaIds(0, 0, 0x200))
        assert found.repl_guid == self.guid
        self.first = int.from_bytes(found.global_count, "big")

    def key(self, number: int) -> bytes:
        return gid(self.guid, self.first + number)

    def values(self, key: bytes, changed: bytes, known: bytes = b"", modified: int = TIME) -> dict[int, Any]:
        return {
            p.PidTagSourceKey: key, p.PidTagLastModificationTime: modified, p.PidTagChangeKey: changed,
            p.PidTagPredecessorChangeList: known or pcl(changed),
        }  # fmt: skip

    def begin(self, values: dict[int, Any], flags: int = 0, fid: int = INBOX, partial: bool = False) -> int:
        """The code with which an import is answered; its message is at OTHER."""
        self.client.release(OTHER, CONTEXT, FOLDER)
        self.collector(fid, True)
        kind = rop.SynchronizationImportMessageChangePartial if partial else rop.SynchronizationImportMessageChange
        return self.client.run(kind(0, CONTEXT, OTHER, flags, values))[0].code

    def save(self, props: dict[int, Any]) -> int:
        """The code with which saving it is answered."""
        fill(self.client, OTHER, o.Changes(props, [], [], []))
        return self.client.run(rm.SaveChangesMessage(0, OTHER, OTHER, 0x02))[0].code

    def upload(self, values: dict[int, Any], props: dict[int, Any], flags: int = 0, fid: int = INBOX) -> None:
        assert self.begin(values, flags, fid) == 0
        assert self.save(props) == 0

    def seen(self, name: str = "seen") -> list[int]:
        return list(IdSet.decode_replguid(getattr(self.transfer_state(), name)).of(self.guid))


@pytest.fixture
def up(alice: Client) -> Uploader:
    return Uploader(alice)


def message(world: EmsmdbWorld, mid: int) -> o.Message:
    found: o.Message = world.account().call(o.OpenMessage(mid))
    return found


# ---------------------------------------------------------------------------------------------- messages


def test_a_new_message_has_the_clients_keys(world: EmsmdbWorld, up: Uploader) -> None:
    up.collector(INBOX, True)
    found = up.ask(rop.SynchronizationImportMessageChange(0, CONTEXT, OTHER, 0, up.values(up.key(1), change(1))))
    assert found.message_id == 0
    fill(up.client, OTHER, o.Changes({p.PidTagSubject: "Made offline", p.PidTagMessageFlags: 1}, [], [], []))
    saved = up.ask(rm.SaveChangesMessage(0, OTHER, OTHER, 0x02))
    mid = up.first + 1
    assert saved.message_id >> 16 == int.from_bytes(mid.to_bytes(6, "big"), "little")
    there = message(world, mid)
    assert there.props[p.PidTagSubject] == "Made offline"
    assert there.props[p.PidTagSourceKey] == up.key(1)
    assert there.props[p.PidTagChangeKey] == change(1)
    assert there.props[p.PidTagPredecessorChangeList] == pcl(change(1))
    assert there.props[p.PidTagLastModificationTime] == TIME
    assert up.seen() == [there.cn] and up.seen("seen_fai") == []


def test_nothing_is_kept_of_a_message_that_is_not_saved(world: EmsmdbWorld, up: Uploader) -> None:
    assert up.begin(up.values(up.key(1), change(1))) == 0
    fill(up.client, OTHER, o.Changes({p.PidTagSubject: "Lost"}, [], [], []))
    up.client.release(OTHER)
    assert world.account().call(s.GetContentChanges(INBOX, s.State(), s.NORMAL)).changed == []


def test_an_associated_message(world: EmsmdbWorld, up: Uploader) -> None:
    up.upload(up.values(up.key(1), change(1)), {p.PidTagSubject: "View"}, ASSOCIATED)
    there = message(world, up.first + 1)
    assert there.associated and up.seen("seen_fai") == [there.cn] and up.seen() == []


def test_a_change_is_the_whole_message(world: EmsmdbWorld, up: Uploader) -> None:
    up.upload(up.values(up.key(1), change(1)), {p.PidTagSubject: "One", p.PidTagSentRepresentingName: "A"})
    up.upload(up.values(up.key(1), change(2)), {p.PidTagSubject: "Two"})
    there = message(world, up.first + 1)
    assert there.props[p.PidTagSubject] == "Two"
    assert p.PidTagSentRepresentingName not in there.props
    opened = up.client.session.objects[up.client.handles[OTHER]]
    assert isinstance(opened, Message) and opened.message.mid == up.first + 1


def test_a_partial_change_leaves_the_rest(world: EmsmdbWorld, up: Uploader) -> None:
    up.upload(up.values(up.key(1), change(1)), {p.PidTagSubject: "One", p.PidTagBody: "Body", p.PidTagImportance: 2})
    assert up.begin(up.values(up.key(1), change(2)), partial=True) == 0
    opened = up.client.session.objects[up.client.handles[OTHER]]
    assert isinstance(opened, Message)
    opened.message.set({p.PidTagSubject: "Two"})
    up.ask(rm.SaveChangesMessage(0, OTHER, OTHER, 0x02))
    there = message(world, up.first + 1)
    assert (there.props[p.PidTagSubject], there.props[p.PidTagBody]) == ("Two", "Body")
    assert there.props[p.PidTagImportance] == 2
    assert there.props[p.PidTagChangeKey] == change(2)
    assert up.seen() == [there.cn]


def test_a_partial_change_of_what_is_not_here_is_a_new_message(world: EmsmdbWorld, up: Uploader) -> None:
    assert up.begin(up.values(up.key(1), change(1)), partial=True) == 0
    assert up.save({p.PidTagSubject: "New"}) == 0
    assert message(world, up.first + 1).props[p.PidTagSubject] == "New"


def test_what_is_here_already_is_ignored(world: EmsmdbWorld, up: Uploader) -> None:
    up.upload(up.values(up.key(1), change(5)), {p.PidTagSubject: "One"})
    for number in (5, 4):
        assert up.begin(up.values(up.key(1), change(number))) == Ec.SyncIgnore
    assert up.client.run(rm.SaveChangesMessage(0, OTHER, OTHER, 2))[0].code == Ec.ecNullObject


def changed_here(world: EmsmdbWorld, up: Uploader, subject: str) -> o.Message:
    """A message of the client's that somebody else changes."""
    up.upload(up.values(up.key(1), change(1)), {p.PidTagSubject: "One"})
    mid = up.first + 1
    cn = message(world, mid).cn
    edit = o.SaveMessage(INBOX, mid, cn, o.Changes({p.PidTagSubject: subject}), world.request_id())
    world.account().call(edit)
    return message(world, mid)


def test_a_conflict_fails_when_it_is_to(world: EmsmdbWorld, up: Uploader) -> None:
    here = changed_here(world, up, "Here")
    assert up.begin(up.values(up.key(1), change(2)), FAIL) == Ec.SyncConflict
    assert message(world, here.mid).cn == here.cn
    both = pcl(change(2), here.props[p.PidTagChangeKey])
    up.upload(up.values(up.key(1), change(2), both), {p.PidTagSubject: "Merged"}, FAIL)
    assert message(world, here.mid).props[p.PidTagSubject] == "Merged"


@pytest.mark.parametrize(("modified", "subject"), [(TIME, "Here"), (160_000_000_000_000_000, "There")])
def test_the_later_change_wins_a_conflict(world: EmsmdbWorld, up: Uploader, modified: int, subject: str) -> None:
    here = changed_here(world, up, "Here")
    up.upload(up.values(up.key(1), change(2), modified=modified), {p.PidTagSubject: "There"})
    assert up.seen() == []
    after = message(world, here.mid)
    assert after.props[p.PidTagSubject] == subject
    known = after.props[p.PidTagPredecessorChangeList]
    assert isinstance(known, bytes) and change(2)[16:] in known


def test_a_conflict_between_import_and_saving_fails_too(world: EmsmdbWorld, up: Uploader) -> None:
    up.upload(up.values(up.key(1), change(1)), {p.PidTagSubject: "One"})
    assert up.begin(up.values(up.key(1), change(2)), FAIL) == 0
    mid = up.first + 1
    edit = o.SaveMessage(
        INBOX, mid, message(world, mid).cn, o.Changes({p.PidTagSubject: "Here"}), world.request_id()
    )  # fmt: skip
    world.account().call(edit)
    assert up.save({p.PidTagSubject: "There"}) == Ec.SyncConflict
    assert message(world, mid).props[p.PidTagSubject] == "Here"


def test_what_was_deleted_does_not_come_back(world: EmsmdbWorld, up: Uploader) -> None:
    up.upload(up.values(up.key(1), change(1)), {p.PidTagSubject: "One"})
    world.account().call(o.DeleteMessages(INBOX, [up.first + 1]))
    assert up.begin(up.values(up.key(1), change(2))) == Ec.SyncObjectDeleted
    world.account().call(o.DeleteMessages(INBOX, [up.first + 1], True))
    code = up.begin(up.values(up.key(1), change(2))) or up.save({p.PidTagSubject: "Back"})
    assert code == Ec.SyncObjectDeleted


def test_a_message_of_another_folder_is_not_found(up: Uploader) -> None:
    up.upload(up.values(up.key(1), change(1)), {p.PidTagSubject: "One"})
    assert up.begin(up.values(up.key(1), change(2)), fid=SENT) == Ec.ecNotFound


@pytest.mark.parametrize("gone", [p.PidTagSourceKey, p.PidTagLastModificationTime, p.PidTagChangeKey,
                                  p.PidTagPredecessorChangeList])  # fmt: skip
def test_all_four_properties_are_needed(up: Uploader, gone: int) -> None:
    values = up.values(up.key(1), change(1))
    del values[gone]
    assert up.begin(values) == Ec.ecInvalidParam


def test_bad_imports_are_refused(up: Uploader) -> None:
    assert up.begin(up.values(up.key(1), change(1)), 0x01) == Ec.ecInvalidParam
    code = up.begin(up.values(up.key(1), b"short")) or up.save({p.PidTagSubject: "x"})
    assert code == Ec.ecInvalidParam
    code = up.begin(up.values(b"key", change(1))) or up.save({p.PidTagSubject: "x"})
    assert code == Ec.ecInvalidParam
    code = up.begin(up.values(gid(up.guid, 0xFFFFFFFFFFFF), change(1))) or up.save({p.PidTagSubject: "x"})
    assert code != 0


# ---------------------------------------------------------------------------------------------- marks, moves, deletions


def test_read_marks(world: EmsmdbWorld, up: Uploader) -> None:
    up.upload(up.values(up.key(1), change(1)), {p.PidTagSubject: "One", p.PidTagMessageFlags: 1})
    mid = up.first + 1
    states = [rop.ReadState(up.key(1), False), rop.ReadState(up.key(77), True)]
    up.ask(rop.SynchronizationImportReadStateChanges(0, CONTEXT, states))
    there = message(world, mid)
    assert there.props[p.PidTagRead] is False
    read = up.seen("read")
    assert len(read) == 1 and read[0] > there.cn
    up.ask(rop.SynchronizationImportReadStateChanges(0, CONTEXT, []))


def test_read_marks_of_both_kinds_are_not_told_again(world: EmsmdbWorld, up: Uploader) -> None:
    """[MS-OXCFXICS] 3.2.5.9.4.6: each change that the server made of them is in the client's state."""
    up.upload(up.values(up.key(1), change(1)), {p.PidTagSubject: "One", p.PidTagMessageFlags: 1})
    up.upload(up.values(up.key(2), change(2)), {p.PidTagSubject: "Two", p.PidTagMessageFlags: 0})
    states = [rop.ReadState(up.key(1), False), rop.ReadState(up.key(2), True)]
    up.ask(rop.SynchronizationImportReadStateChanges(0, CONTEXT, states))
    assert [message(world, up.first + n).props[p.PidTagRead] for n in (1, 2)] == [False, True]
    assert len(up.seen("read")) == 2


def test_a_move_gives_the_message_another_key(world: EmsmdbWorld, up: Uploader) -> None:
    up.upload(up.values(up.key(1), change(1)), {p.PidTagSubject: "Moved"})
    up.client.release(CONTEXT, OTHER)
    up.collector(SENT, True)
    move = rop.SynchronizationImportMessageMove(
        0, CONTEXT, gid(up.guid, INBOX), up.key(1), pcl(change(2)), up.key(2), change(2)
    )
    assert up.ask(move).message_id == 0
    there = message(world, up.first + 2)
    assert (there.fid, there.props[p.PidTagSubject]) == (SENT, "Moved")
    assert there.props[p.PidTagChangeKey] == change(2)
    assert up.seen() == [there.cn]
    assert up.client.fails(move) == Ec.ecNotFound
    nowhere = rop.SynchronizationImportMessageMove(
        0, CONTEXT, up.key(50), up.key(2), pcl(change(3)), up.key(3), change(3)
    )
    assert up.client.fails(nowhere) == Ec.ecNotFound


def test_a_move_of_what_the_client_changed_waits_for_the_change(world: EmsmdbWorld, up: Uploader) -> None:
    up.upload(up.values(up.key(1), change(1)), {p.PidTagSubject: "One"})
    up.client.release(CONTEXT, OTHER)
    up.collector(SENT, True)
    moved = gid(bytes(16), 9)
    known = pcl(change(2), moved)
    move = rop.SynchronizationImportMessageMove(0, CONTEXT, gid(up.guid, INBOX), up.key(1), known, up.key(2), moved)
    assert up.client.run(move)[0].code == NEWER
    assert message(world, up.first + 2).props[p.PidTagChangeKey] == change(1)
    assert up.seen() == []
    up.upload(up.values(up.key(2), change(2)), {p.PidTagSubject: "Two"}, fid=SENT)
    assert message(world, up.first + 2).props[p.PidTagSubject] == "Two"


def test_deletions_soft_and_hard(world: EmsmdbWorld, up: Uploader) -> None:
    for number in (1, 2):
        up.upload(up.values(up.key(number), change(number)), {p.PidTagSubject: "One"})
    up.ask(rop.SynchronizationImportDeletes(0, CONTEXT, 0, {0x00001102: [up.key(1), up.key(33)]}))
    assert message(world, up.first + 1).deleted
    up.ask(rop.SynchronizationImportDeletes(0, CONTEXT, 2, {0x00001102: [up.key(2)]}))
    assert world.account().call(o.ReadMessages([up.first + 2])) == []
    assert up.begin(up.values(up.key(33), change(3))) or up.save({p.PidTagSubject: "x"}) == Ec.SyncObjectDeleted


def test_deletions_of_the_wrong_kind_are_refused(up: Uploader) -> None:
    up.collector(INBOX, True)
    wrong = rop.SynchronizationImportDeletes(0, CONTEXT, 1, {0x00001102: [up.key(1)]})
    assert up.client.fails(wrong) == Ec.ecNotSupported
    unknown = rop.SynchronizationImportDeletes(0, CONTEXT, 4, {0x00001102: [up.key(1)]})
    assert up.client.fails(unknown) == Ec.ecInvalidParam
    assert up.client.fails(rop.SynchronizationImportDeletes(0, CONTEXT, 0, {})) == Ec.ecInvalidParam
    hierarchy = rop.SynchronizationImportHierarchyChange(0, CONTEXT, {}, {})
    assert up.client.fails(hierarchy) == Ec.ecNotSupported


# ---------------------------------------------------------------------------------------------- folders


def where(up: Uploader, number: int, name: str, parent: bytes = b"", changed: int = 1) -> dict[int, Any]:
    return {p.PidTagParentSourceKey: parent, **up.values(up.key(number), change(changed)), p.PidTagDisplayName: name}


def test_folders_are_made_renamed_moved_and_deleted(world: EmsmdbWorld, up: Uploader) -> None:
    ask = world.account().call
    up.collector(IPM, False)
    upload = rop.SynchronizationImportHierarchyChange
    found = up.ask(upload(0, CONTEXT, where(up, 1, "Top"), {p.PidTagComment: "c"}))
    assert found.folder_id == 0
    up.ask(upload(0, CONTEXT, where(up, 2, "Below", up.key(1)), {}))
    top, below = (ask(h.GetFolderProps(up.first + number)) for number in (1, 2))
    assert (top[p.PidTagDisplayName], top[p.PidTagComment]) == ("Top", "c")
    assert below[p.PidTagParentSourceKey] == up.key(1)
    assert len(up.seen()) == 2
    up.ask(upload(0, CONTEXT, where(up, 2, "Moved", changed=2), {}))
    moved = ask(h.GetFolderProps(up.first + 2))
    assert (moved[p.PidTagDisplayName], moved[p.PidTagParentSourceKey]) == ("Moved", gid(up.guid, IPM))
    assert up.client.fails(upload(0, CONTEXT, where(up, 2, "Old", changed=1), {})) == Ec.SyncIgnore
    assert up.client.fails(upload(0, CONTEXT, where(up, 3, "Moved"), {})) == Ec.ecDuplicateName
    assert up.client.fails(upload(0, CONTEXT, where(up, 3, "Lost", up.key(90)), {})) == Ec.SyncNoParent
    cycle = where(up, 1, "Top", up.key(1), 5)
    assert up.client.fails(upload(0, CONTEXT, cycle, {})) == Ec.SyncIncest
    up.ask(rop.SynchronizationImportDeletes(0, CONTEXT, 1, {0x00001102: [up.key(2)]}))
    assert up.client.fails(upload(0, CONTEXT, where(up, 2, "Back", changed=9), {})) == Ec.SyncObjectDeleted


def test_names_of_8_bits(world: EmsmdbWorld, up: Uploader) -> None:
    up.collector(IPM, False)
    values = where(up, 1, "")
    del values[p.PidTagDisplayName]
    values[0x3001001E] = b"Gr\xfc\xdfe"
    up.ask(rop.SynchronizationImportHierarchyChange(0, CONTEXT, values, {0x3004001E: b"\xe4"}))
    props = world.account().call(h.GetFolderProps(up.first + 1))
    assert (props[p.PidTagDisplayName], props[p.PidTagComment]) == ("Grüße", "ä")


# ---------------------------------------------------------------------------------------------- ids, rights


def test_ids_are_nobody_elses(world: EmsmdbWorld, up: Uploader) -> None:
    found = up.ask(rop.GetLocalReplicaIds(0, 0, 0x10000))
    first = int.from_bytes(found.global_count, "big")
    assert first >= up.first + 0x200
    more: st.IdRange = world.account().call(st.ReserveIds(1))
    assert more.first >= first + 0x10000
    assert up.client.fails(rop.GetLocalReplicaIds(0, 0, 0xFFFFFFFF)) == Ec.ecInvalidParam


def ranges(up: Uploader, *pairs: tuple[int, int]) -> rop.SetLocalReplicaMidsetDeleted:
    found = [
        rop.IdRange(LongTermId(up.guid, up.first + low), LongTermId(up.guid, up.first + high)) for low, high in pairs
    ]
    return rop.SetLocalReplicaMidsetDeleted(0, FOLDER, found)


def test_ids_that_will_not_be_used_are_remembered(world: EmsmdbWorld, up: Uploader) -> None:
    up.upload(up.values(up.key(5), change(1)), {p.PidTagSubject: "There"})
    up.ask(ranges(up, (1, 9), (20, 20)))
    assert not message(world, up.first + 5).deleted
    for number in (1, 9, 20):
        code = up.begin(up.values(up.key(number), change(2))) or up.save({p.PidTagSubject: "Again"})
        assert code == Ec.SyncObjectDeleted
    up.upload(up.values(up.key(10), change(2)), {p.PidTagSubject: "New"})
    up.upload(up.values(up.key(1), change(2)), {p.PidTagSubject: "In another folder"}, fid=SENT)


def test_ranges_that_are_none(up: Uploader) -> None:
    up.client.folder(INBOX, FOLDER)
    assert up.client.fails(ranges(up, (9, 1))) == Ec.ecInvalidParam
    assert up.client.fails(ranges(up, (0, 0x7FFFFFFF))) == Ec.ecTooBig
    foreign = [rop.IdRange(LongTermId(bytes(16), 1), LongTermId(bytes(16), 2))]
    assert up.client.fails(rop.SetLocalReplicaMidsetDeleted(0, FOLDER, foreign)) == Ec.ecInvalidParam
    up.ask(rop.SetLocalReplicaMidsetDeleted(0, FOLDER, []))


def test_a_guest_uploads_what_the_folder_grants(world: EmsmdbWorld) -> None:
    world.grant(INBOX, "bob@example.test", 0x401)
    client = world.client("bob@example.test")
    client.logon(of=world.alice)
    world.append(b"Subject: x\r\n\r\nx\r\n")
    sync = SyncClient(client)
    (entry,) = world.account(ALICE).call(s.GetContentChanges(INBOX, s.State(), s.NORMAL)).changed
    key = gid(sync.guid, entry[0])
    sync.collector(INBOX, True)
    deletes = rop.SynchronizationImportDeletes(0, CONTEXT, 0, {0x00001102: [key]})
    assert client.fails(deletes) == Ec.ecAccessDenied
    values = {
        p.PidTagSourceKey: gid(CLIENT, 1), p.PidTagLastModificationTime: TIME, p.PidTagChangeKey: change(1),
        p.PidTagPredecessorChangeList: pcl(change(1)),
    }  # fmt: skip
    sync.ask(rop.SynchronizationImportMessageChange(0, CONTEXT, OTHER, 0, values))
    fill(client, OTHER, o.Changes({p.PidTagSubject: "x"}, [], [], []))
    assert client.fails(rm.SaveChangesMessage(0, OTHER, OTHER, 2)) == Ec.ecAccessDenied


def test_the_state_of_a_collector_has_what_the_client_had(up: Uploader) -> None:
    before = state_of(up.synchronised(INBOX))
    up.client.release(CONTEXT, FOLDER)
    up.collector(INBOX, True, before)
    assert up.transfer_state() == s.State(b"", before.seen, before.seen_fai, before.read)
    up.ask(rop.SynchronizationImportMessageChange(0, CONTEXT, OTHER, 0, up.values(up.key(1), change(1))))
    assert up.save({p.PidTagSubject: "One"}) == 0
    after = up.transfer_state()
    assert after.seen != before.seen and after.read == before.read
    root = up.synchronised(INBOX, state=s.State(before.given, after.seen, after.seen_fai, after.read))
    assert [node.marker for node in root.nodes if node.marker is not None and node.marker.name == "IncrSyncChg"] == []
