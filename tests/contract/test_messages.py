"""Contract: append, flags, keywords, copy, move, expunge (RFC 3501, 4315, 6851, 7162)."""

from __future__ import annotations

import tempfile

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import pages
from tests.contract.mail import digest_of, mail
from tests.contract.worlds import ALL, DRAFTS, INBOX, SENT, Mailbox, numbers


@pytest.fixture
def five(box: Mailbox) -> Mailbox:
    """Uids 1 to 5 in the Inbox."""
    for n in range(1, 6):
        assert box.append(mail(n)).uid == n
    return box


def test_append(box: Mailbox) -> None:
    raw = mail(1)
    stored = box.append(raw, flags=pages.SEEN | pages.FLAGGED, keywords=["$Work", "todo"], received=1_772_530_000)
    folder = box.paths()["INBOX"]
    assert (stored.fid, stored.uid, stored.uidvalidity) == (INBOX, 1, folder.uidvalidity)
    row = box.index()[1]
    assert row == {
        "flags": pages.SEEN | pages.FLAGGED,
        "keywords": ["$Work", "todo"],
        "size": len(raw),
        "received": 1_772_530_000,
        "sent": 1_772_533_230,
        "modseq": stored.cn,
        "mid": stored.mid,
    }
    state = box.state()
    assert (state.fid, state.uidnext, state.exists, state.unseen) == (INBOX, 2, 1, 0)
    assert (state.cn, state.size, state.uidvalidity) == (stored.cn, len(raw), stored.uidvalidity)


def test_uids_and_change_numbers_ascend_in_order_of_acceptance(five: Mailbox) -> None:
    rows = five.index()
    assert list(rows) == [1, 2, 3, 4, 5]
    cns = [row["modseq"] for row in rows.values()]
    assert cns == sorted(set(cns))
    assert len({row["mid"] for row in rows.values()}) == 5
    assert five.contents() == {n: mail(n) for n in range(1, 6)}


def test_append_from_a_spool(box: Mailbox) -> None:
    raw = mail(1, body="spooled " * 20_000)
    message = c.NewMessage(digest_of(raw), b"", 5)
    with tempfile.TemporaryFile() as spool:
        spool.write(raw)
        spool.flush()
        stored = box.call(c.Append(INBOX, message, b"spool-1"), spool=spool)
    assert box.contents() == {stored.uid: raw}


def test_append_refusals(box: Mailbox) -> None:
    raw = mail(1)
    message = c.NewMessage(digest_of(raw), raw, 5)
    assert box.refused(c.Append(0x7777, message, b"r1")) == Ec.ecNotFound
    assert box.state().exists == 0
    assert box.state().uidnext == 1


def test_deliver_goes_to_the_inbox(box: Mailbox) -> None:
    stored = box.deliver(mail(1))
    assert stored.fid == INBOX
    assert box.contents() == {stored.uid: mail(1)}
    assert box.state().unseen == 1


@pytest.mark.parametrize(
    "mode, bits, expected",
    [
        (c.ADD, pages.SEEN, pages.SEEN | pages.FLAGGED),
        (c.REMOVE, pages.FLAGGED, 0),
        (c.REPLACE, pages.DRAFT | pages.ANSWERED, pages.DRAFT | pages.ANSWERED),
        (c.REPLACE, 0, 0),
    ],
)
def test_flag_modes(five: Mailbox, mode: int, bits: int, expected: int) -> None:
    five.flag([(2, 2)], c.REPLACE, pages.FLAGGED)
    answer = five.flag([(2, 2)], mode, bits)
    rows = five.index()
    assert rows[2]["flags"] == expected
    assert rows[2]["modseq"] == answer.cn == five.state().cn
    assert all(rows[n]["flags"] == 0 for n in (1, 3, 4, 5))


def test_no_change_takes_no_number(five: Mailbox) -> None:
    first = five.flag([(1, 5)], c.ADD, pages.SEEN)
    assert first.cn > 0
    before = five.call(c.GetFolderState(INBOX))
    assert five.flag([(1, 5)], c.ADD, pages.SEEN) == c.FlagsChanged(0, [])
    assert five.flag([(77, 99)], c.ADD, pages.SEEN) == c.FlagsChanged(0, [])
    assert five.call(c.GetFolderState(INBOX)) == before


def test_unseen_is_counted(five: Mailbox) -> None:
    five.flag([(1, 2), (4, 4)], c.ADD, pages.SEEN)
    assert five.state().unseen == 2
    five.flag([(2, 4)], c.REMOVE, pages.SEEN)
    assert five.state().unseen == 4
    five.expunge([(1, 2)])
    assert (five.state().unseen, five.state().exists) == (3, 3)


def test_keywords(five: Mailbox) -> None:
    five.flag([(1, 3)], c.ADD, 0, ["$Forwarded", "Work"])
    five.flag([(2, 2)], c.REMOVE, 0, ["Work", "Absent"])
    five.flag([(3, 3)], c.REPLACE, pages.SEEN, ["Other"])
    rows = five.index()
    assert rows[1]["keywords"] == ["$Forwarded", "Work"]
    assert rows[2]["keywords"] == ["$Forwarded"]
    assert (rows[3]["keywords"], rows[3]["flags"]) == (["Other"], pages.SEEN)
    assert rows[4]["keywords"] == []


def test_keyword_sets_are_interned_and_append_only(five: Mailbox) -> None:
    five.flag([(1, 1)], c.ADD, 0, ["b", "a"])
    first = five.call(c.GetKeywordSets()).sets
    assert first[0] == []
    five.flag([(2, 2)], c.ADD, 0, ["a", "b"])
    five.flag([(1, 2)], c.ADD, pages.SEEN)
    assert five.call(c.GetKeywordSets()).sets == first
    five.flag([(3, 3)], c.ADD, 0, ["c"])
    later = five.call(c.GetKeywordSets(len(first)))
    assert later.first == len(first)
    assert [sorted(s) for s in later.sets] == [["c"]]
    assert five.call(c.GetKeywordSets()).sets[: len(first)] == first


def test_keywords_ignore_case(five: Mailbox) -> None:
    """RFC 9051 2.3.2: keywords are case-insensitive."""
    five.flag([(1, 1)], c.ADD, 0, ["$Junk"])
    assert five.flag([(1, 1)], c.ADD, 0, ["$JUNK"]).cn == 0
    assert five.index()[1]["keywords"] == ["$Junk"]
    five.flag([(1, 1)], c.REMOVE, 0, ["$junk"])
    assert five.index()[1]["keywords"] == []


def test_many_keywords(box: Mailbox) -> None:
    words = [f"label{n:03}" for n in range(200)]
    box.append(mail(1), keywords=words)
    assert box.index()[1]["keywords"] == words


def test_unchanged_since(five: Mailbox) -> None:
    """RFC 7162 3.1.3: messages changed after the number are left alone and named."""
    mark = five.state().cn
    five.flag([(2, 2), (4, 4)], c.ADD, pages.SEEN)
    answer = five.flag([(1, 4)], c.ADD, pages.FLAGGED, unchanged_since=mark)
    assert answer.modified == [(2, 2), (4, 4)]
    rows = five.index()
    assert [rows[n]["flags"] for n in (1, 2, 3, 4)] == [pages.FLAGGED, pages.SEEN, pages.FLAGGED, pages.SEEN]
    assert rows[1]["modseq"] == answer.cn
    nothing = five.flag([(1, 5)], c.ADD, pages.FLAGGED, unchanged_since=0)
    assert (nothing.cn, numbers(nothing.modified)) == (0, [1, 2, 3, 4, 5])


def test_copy(five: Mailbox) -> None:
    five.flag([(2, 2)], c.REPLACE, pages.FLAGGED, ["kept"])
    copied = five.copy([(2, 3), (5, 5), (77, 99)], SENT)
    assert numbers(copied.source) == [2, 3, 5]
    assert numbers(copied.destination) == [1, 2, 3]
    assert copied.uidvalidity == five.state(SENT).uidvalidity
    there, here = five.index(SENT), five.index()
    assert (there[1]["flags"], there[1]["keywords"]) == (pages.FLAGGED, ["kept"])
    assert there[1]["received"] == here[2]["received"]
    assert all(row["modseq"] <= copied.cn for row in there.values())
    assert there[3]["mid"] not in {row["mid"] for row in here.values()}
    assert five.contents(SENT) == {1: mail(2), 2: mail(3), 3: mail(5)}
    assert five.state().exists == 5
    assert five.call(c.GetMailboxInfo()).messages == 8


def test_copy_survives_its_source(five: Mailbox) -> None:
    five.copy([(1, 1)], SENT)
    five.expunge([(1, 5)])
    assert five.contents(SENT) == {1: mail(1)}


def test_copy_into_the_same_folder(five: Mailbox) -> None:
    copied = five.copy([(1, 2)], INBOX)
    assert numbers(copied.destination) == [6, 7]
    assert five.contents()[7] == mail(2)


def test_move(five: Mailbox) -> None:
    mark = five.state().cn
    moved = five.copy([(1, 2), (4, 4)], DRAFTS, move=True)
    assert numbers(moved.source) == [1, 2, 4] and numbers(moved.destination) == [1, 2, 3]
    assert list(five.index()) == [3, 5]
    assert five.contents(DRAFTS) == {1: mail(1), 2: mail(2), 3: mail(4)}
    assert numbers(five.call(c.GetVanished(INBOX, mark)).uids) == [1, 2, 4]
    assert five.state().cn > mark
    assert five.call(c.GetMailboxInfo()).messages == 5


def test_move_within_a_folder_gives_new_uids(five: Mailbox) -> None:
    moved = five.copy([(2, 2)], INBOX, move=True)
    assert numbers(moved.destination) == [6]
    assert list(five.index()) == [1, 3, 4, 5, 6]


def test_copy_of_nothing(five: Mailbox) -> None:
    before = five.call(c.GetFolderState(SENT))
    assert five.copy([(50, 60)], SENT) == c.Copied(five.state(SENT).uidvalidity, [], [], 0)
    assert five.call(c.GetFolderState(SENT)) == before
    assert five.refused(c.CopyMessages(INBOX, ALL, 0x7777, False, b"n1")) == Ec.ecNotFound
    assert five.refused(c.CopyMessages(0x7777, ALL, SENT, False, b"n2")) == Ec.ecNotFound


def test_expunge_deleted_only(five: Mailbox) -> None:
    five.flag([(2, 4)], c.ADD, pages.DELETED)
    gone = five.expunge([(1, 3)], deleted_only=True)
    assert gone.uids == [(2, 3)]
    assert gone.cn == five.state().cn
    assert list(five.index()) == [1, 4, 5]
    assert five.expunge([(1, 3)], deleted_only=True) == c.Expunged([], 0)


def test_expunge_all_and_uids_are_never_reused(five: Mailbox) -> None:
    assert five.expunge(ALL).uids == [(1, 5)]
    state = five.state()
    assert (state.exists, state.uidnext, state.size, state.pages) == (0, 6, 0, b"")
    assert five.append(mail(9)).uid == 6


def test_vanished(five: Mailbox) -> None:
    start = five.state().cn
    first = five.expunge([(2, 2)])
    second = five.expunge([(4, 5)])
    assert five.call(c.GetVanished(INBOX, start)) == c.Vanished([(2, 2), (4, 5)], True)
    assert five.call(c.GetVanished(INBOX, first.cn)).uids == [(4, 5)]
    assert five.call(c.GetVanished(INBOX, second.cn)) == c.Vanished([], True)
    assert five.call(c.GetVanished(SENT, 0)).uids == []


def test_recent_is_claimed_once(five: Mailbox) -> None:
    """RFC 3501 2.3.2: \\Recent for the first session that selects the folder."""
    assert five.state().recent_uid == 1
    assert five.call(c.ClaimRecent(INBOX)) == 1
    assert five.call(c.ClaimRecent(INBOX)) == 6
    assert five.state().recent_uid == 6
    five.append(mail(6))
    assert five.call(c.ClaimRecent(INBOX)) == 6
    assert five.call(c.ClaimRecent(INBOX)) == 7


def test_many_pages(box: Mailbox) -> None:
    """A folder across page borders; only touched pages change."""
    for n in range(1, 260):
        box.append(mail(n))
    before = box.state().pages
    assert len(before) == 2 * 16
    box.flag([(1, 1)], c.ADD, pages.SEEN)
    after = box.state().pages
    assert after[:16] != before[:16]
    assert after[16:] == before[16:]
    box.expunge([(256, 300)])
    assert len(box.state().pages) == 16
    assert box.call(c.GetPages(INBOX, [1, 7])) == [b"", b""]
    assert list(box.index()) == list(range(1, 256))


def test_an_empty_message(box: Mailbox) -> None:
    stored = box.append(b"")
    assert box.contents() == {stored.uid: b""}
    assert box.index()[stored.uid]["size"] == 0


def test_bytes_come_back_as_they_went_in(box: Mailbox) -> None:
    samples = [
        bytes(range(256)),
        b"\r\n\r\n",
        b"no newline",
        b"\n\nunix\n",
        b"A: b\r\n\r\n" + b"\0" * 5000,
        b"x" * 70_000,
    ]
    uids = [box.append(raw).uid for raw in samples]
    assert box.contents() == dict(zip(uids, samples, strict=True))
