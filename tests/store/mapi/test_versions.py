"""Messages that synchronisation imports: source keys, versions, conflicts ([MS-OXCFXICS] 3.1.5.6)."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.mapi import ids
from gromoxd.mapi.proptags import (
    PROP_CHANGE_CN,
    PidTagAttachDataBinary,
    PidTagBody,
    PidTagChangeKey,
    PidTagFlagStatus,
    PidTagLastModificationTime,
    PidTagPredecessorChangeList,
    PidTagSubject,
)
from gromoxd.mapi.times import filetime
from store.mapi import versions
from tests.store.conftest import ALL, INBOX, SENT, Harness
from tests.store.mapi.objects import (
    attachments,
    bag,
    change,
    check_references,
    did_of,
    flags,
    listed,
    person,
    recipients,
    save,
)

A, B = b"A" * 16, b"B" * 16
EARLY, LATE = filetime(1_700_000_000), filetime(1_900_000_000)


def gid(guid: bytes, number: int) -> bytes:
    return guid + number.to_bytes(6, "big")


def pcl(*keys: bytes) -> bytes:
    return ids.pcl_encode({key[:16]: key[16:] for key in keys})


def own(box: Harness) -> bytes:
    guid: bytes = box.sql("SELECT guid FROM mailbox")[0][0]
    return guid


def of(box: Harness, mid: int) -> tuple[bytes, dict[bytes, int]]:
    """Change key and predecessors of a message now."""
    found = versions.of(box.box._runner.tx.identity, bag(box, mid), listed(box, mid)["cn"])
    return found.change_key, {guid: int.from_bytes(local, "big") for guid, local in found.pcl.items()}


def imported(key: bytes, change_key: bytes, *others: bytes, at: int = LATE, fail: bool = False) -> o.Imported:
    return o.Imported(key, change_key, pcl(change_key, *others), at, fail)


def test_a_foreign_message(box: Harness) -> None:
    key = gid(A, 77)
    saved = save(box, {PidTagSubject: "a"}, imported=imported(key, gid(A, 5), gid(B, 9)))
    assert of(box, saved.mid) == (gid(A, 5), {A: 5, B: 9})
    stored = bag(box, saved.mid)
    assert (stored[PROP_CHANGE_CN], stored[PidTagLastModificationTime]) == (saved.cn, LATE)
    assert box.sql("SELECT source_key, id FROM source_keys") == [(key, saved.mid)]
    again = save(box, {PidTagSubject: "b"}, imported=imported(key, gid(A, 6), gid(B, 9)))
    assert (again.mid, again.uid) == (saved.mid, 2)
    assert of(box, saved.mid) == (gid(A, 6), {A: 6, B: 9})
    local = change(box, again, {PidTagFlagStatus: 2})
    assert of(box, saved.mid) == (gid(own(box), local.cn), {A: 6, B: 9, own(box): local.cn})


def test_an_id_that_was_reserved(box: Harness) -> None:
    box.append(b"From: a@b.c\r\n\r\nx")
    mid = box.sql("SELECT mid FROM messages")[0][0] + 1
    box.append(b"From: a@b.c\r\n\r\ny")
    box.call(c.Expunge(INBOX, [(2, 2)], False))
    key = gid(own(box), mid)
    call = o.SaveMessage(INBOX, 0, 0, o.Changes(), b"", imported=imported(key, gid(A, 1)))
    assert box.refused(call) == Ec.ecObjectDeleted
    box.box._runner.tx.new_ids(3)
    key = gid(own(box), mid + 2)
    saved = save(box, {PidTagSubject: "a"}, imported=imported(key, gid(A, 1)))
    assert saved.mid == mid + 2
    assert box.sql("SELECT count(*) FROM source_keys") == [(0,)]
    fresh = box.append(b"From: a@b.c\r\n\r\nz")
    assert fresh.mid > saved.mid
    check_references(box)


def test_older_and_equal_are_ignored(box: Harness) -> None:
    key = gid(A, 1)
    first = save(box, {PidTagSubject: "a"}, imported=imported(key, gid(A, 5)))
    for version in (gid(A, 5), gid(A, 4)):
        again = save(box, {PidTagSubject: "b"}, imported=imported(key, version))
        assert again == o.Saved(INBOX, first.mid, first.uid, first.cn, ignored=True)
    assert bag(box, first.mid)[PidTagSubject] == "a"


def conflicting(box: Harness, at: int, fail: bool = False) -> tuple[o.Saved, o.Saved]:
    """(what both sides changed, the answer to the import)."""
    key = gid(A, 1)
    first = save(box, {PidTagSubject: "base"}, imported=imported(key, gid(A, 5), at=EARLY))
    here = change(box, first, {PidTagSubject: "here"})
    return here, save(box, {PidTagSubject: "there"}, imported=imported(key, gid(A, 6), at=at, fail=fail))


def test_the_later_change_wins(box: Harness) -> None:
    here, there = conflicting(box, LATE)
    assert (there.conflict, there.ignored) == (True, False)
    assert bag(box, here.mid)[PidTagSubject] == "there"
    assert of(box, here.mid) == (gid(A, 6), {A: 6, own(box): here.cn})


def test_the_earlier_change_loses(box: Harness) -> None:
    here, there = conflicting(box, EARLY)
    assert (there.conflict, there.ignored, there.uid) == (True, True, here.uid)
    assert bag(box, here.mid)[PidTagSubject] == "here"
    assert there.cn > here.cn
    assert of(box, here.mid) == (gid(own(box), there.cn), {A: 6, own(box): there.cn})
    again = save(box, {PidTagSubject: "there"}, imported=imported(gid(A, 1), gid(A, 6), at=EARLY))
    assert (again.ignored, again.cn) == (True, there.cn)


def test_fail_on_conflict(box: Harness) -> None:
    here, there = conflicting(box, LATE, fail=True)
    assert there == o.Saved(INBOX, here.mid, here.uid, here.cn, conflict=True, ignored=True)
    assert bag(box, here.mid)[PidTagSubject] == "here"


def test_what_is_not_sent_goes(box: Harness) -> None:
    key = gid(A, 1)
    first = save(
        box, {PidTagSubject: "a", PidTagBody: "x" * 50_000, 0x8503001F: "n", PidTagFlagStatus: 2},
        imported=imported(key, gid(A, 1)), recipients=[person("b@x.org")],
        attachments=[
            o.AttachmentChange(0, set={PidTagAttachDataBinary: b"0", 0x3712001F: "cid"}),
            o.AttachmentChange(1, set={PidTagAttachDataBinary: b"1" * 50_000}),
        ],
    )  # fmt: skip
    second = save(
        box, {PidTagSubject: "a"}, imported=imported(key, gid(A, 2)),
        attachments=[o.AttachmentChange(0, set={PidTagAttachDataBinary: b"0"})],
    )  # fmt: skip
    assert second.mid == first.mid
    stored = bag(box, first.mid)
    assert not stored.keys() & {PidTagBody, 0x8503001F, PidTagFlagStatus}
    assert recipients(box, first.mid) == []
    assert flags(box, second)[0] & 4 == 0
    did = did_of(box, first.mid)
    assert list(attachments(box, did)) == [0]
    assert 0x3712001F not in attachments(box, did)[0]
    assert box.sql("SELECT count(*) FROM big_values") == [(0,)]
    check_references(box)


def test_copies_are_changes_of_their_own(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a"}, imported=imported(gid(A, 1), gid(A, 5)))
    box.call(c.CopyMessages(INBOX, ALL, SENT, False, box.request_id()))
    mid, cn = box.sql("SELECT mid, cn FROM messages WHERE fid=?", SENT)[0]
    assert of(box, mid) == (gid(own(box), cn), {A: 5, own(box): cn})
    assert of(box, first.mid) == (gid(A, 5), {A: 5})


def test_a_message_deleted_here(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a"}, imported=imported(gid(A, 1), gid(A, 5)))
    box.call(o.DeleteMessages(INBOX, [first.mid]))
    call = o.SaveMessage(INBOX, 0, 0, o.Changes(), b"", imported=imported(gid(A, 1), gid(A, 6)))
    assert box.refused(call) == Ec.ecObjectDeleted
    box.call(o.DeleteMessages(INBOX, [first.mid], True))
    assert box.refused(call) == Ec.ecObjectDeleted


def test_own_versions_alone(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a"})
    assert of(box, first.mid) == (gid(own(box), first.cn), {own(box): first.cn})
    assert not bag(box, first.mid).keys() & {PidTagChangeKey, PidTagPredecessorChangeList}


@pytest.mark.parametrize(
    "bad",
    [
        o.Imported(b"short", gid(A, 1), b"", LATE),
        o.Imported(gid(A, 1), b"", b"", LATE),
        o.Imported(gid(A, 1), gid(A, 1), b"\x05abcde", LATE),
        o.Imported(gid(A, 1) + b"longer", gid(A, 1), b"", LATE),
        o.Imported(gid(A, 1), gid(A, 1), pcl(gid(A, 1)) * 2000, LATE),
    ],
)
def test_bad_versions(box: Harness, bad: o.Imported) -> None:
    call = o.SaveMessage(INBOX, 0, 0, o.Changes({PidTagSubject: "a"}), b"", imported=bad)
    assert box.refused(call) == Ec.ecInvalidParam
    assert box.sql("SELECT count(*) FROM message_data") == [(0,)]
