"""Limits and bad arguments of single calls, uid ranges, and the in-process store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import pages
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.ranges import to_ranges
from store import ranges
from store.direct import DirectStore
from tests.store.conftest import ALL, INBOX, SENT, Harness, mail, new

pairs = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)).map(lambda p: (p[0], p[0] + p[1])), max_size=30)


def spelt(some: c.Ranges) -> list[int]:
    return [n for first, last in some for n in range(first, last + 1)]


@given(pairs)
def test_checked_ranges_are_the_same_uids(some: c.Ranges) -> None:
    tidy = ranges.checked(some)
    assert spelt(tidy) == sorted(set(spelt(some)))
    assert ranges.span(tidy) == len(set(spelt(some)))


@given(st.sets(st.integers(1, 50)))
def test_ranges_of_uids(uids: set[int]) -> None:
    made = to_ranges(sorted(uids))
    assert spelt(made) == sorted(uids)
    assert all(made[i][1] + 1 < made[i + 1][0] for i in range(len(made) - 1))


@given(pairs, st.integers(1, 80))
def test_targets_cover_the_uids_below_uidnext(some: c.Ranges, uidnext: int) -> None:
    found: list[int] = []
    for target in ranges.targets(ranges.checked(some), uidnext):
        found += range(target.first, target.last + 1) if target.listed is None else target._listed
    assert sorted(found) == sorted({n for n in spelt(some) if n < uidnext})


def test_many_scattered_uids_are_one_condition() -> None:
    [one] = ranges.targets([(n, n) for n in range(1, 10_000, 2)], 20_000)
    assert one.where == "uid IN carray(?)"
    many = ranges.targets([(n * 10_000, n * 10_000 + 5_000) for n in range(1, 10)], 1 << 32)
    assert [t.where for t in many] == ["uid BETWEEN ? AND ?"] * 9


@pytest.mark.parametrize("uids", [[(0, 5)], [(5, 4)], [(-1, 1)], [(1, 1)] * 200_001])
def test_bad_ranges(box: Harness, uids: c.Ranges) -> None:
    box.fill(1)
    for call in (
        c.SetFlags(INBOX, uids, c.ADD, 1), c.Expunge(INBOX, uids, False), c.GetPieces(INBOX, uids, 1),
        c.CopyMessages(INBOX, uids, SENT, False, b"x"), c.GetContents(INBOX, uids),
    ):  # fmt: skip
        assert box.refused(call) == Ec.ecInvalidParam


def test_overlapping_and_unsorted_ranges(box: Harness) -> None:
    box.fill(20)
    messy = [(9, 12), (1, 3), (2, 10), (15, 15), (15, 16)]
    assert [p.uid for p in box.call(c.GetPieces(INBOX, messy, 1))] == [*range(1, 13), 15, 16]
    assert box.call(c.CopyMessages(INBOX, messy, SENT, False, b"x")).destination == [(1, 14)]
    scattered = [(n, n) for n in range(20, 0, -2)]
    box.call(c.SetFlags(INBOX, scattered, c.ADD, pages.FLAGGED))
    assert [u for u, f in box.flags().items() if f] == list(range(2, 21, 2))
    assert spelt(box.call(c.Expunge(INBOX, scattered, False)).uids) == list(range(2, 21, 2))


@pytest.mark.parametrize(
    "path", ["a\0b", "a\nb", "a\x7f", "x" * 256, "/".join(["a"] * 65), "INBOX/", "/INBOX", "a//b", ""]
)
def test_bad_folder_names(box: Harness, path: str) -> None:
    assert box.refused(c.CreateFolder(path)) == Ec.ecInvalidParam


def test_a_slash_in_a_name(box: Harness) -> None:
    made = box.call(c.CreateFolder("either\u2215or/below"))
    assert made.path == "either\u2215or/below"
    parent = next(f for f in box.call(c.ListFolders()).folders if f.fid == made.parent_fid)
    assert parent.name == "either/or"
    assert box.refused(c.CreateFolder("either\u2215or")) == Ec.ecDuplicateName
    box.reopen()
    assert box.refused(c.CreateFolder("either\u2215or/below")) == Ec.ecDuplicateName


def test_the_number_of_folders_and_subscriptions_is_bounded(make: Callable[..., Harness]) -> None:
    box = make(most_folders=100)
    have = len(box.call(c.ListFolders()).folders)
    box.batch(*(c.CreateFolder(f"f{n}") for n in range(100 - have)))
    assert box.refused(c.CreateFolder("one too many")) == Ec.ecStorageFull
    subscribed = len(box.call(c.ListFolders()).subscriptions)
    box.batch(*(c.Subscribe(f"s{n}", True) for n in range(100 - subscribed)))
    assert box.refused(c.Subscribe("one too many", True)) == Ec.ecStorageFull
    assert box.refused(c.Subscribe("", True)) == Ec.ecInvalidParam
    assert box.refused(c.Subscribe("x" * 20_000, True)) == Ec.ecInvalidParam


def test_keywords_are_bounded_and_keep_their_first_spelling(make: Callable[..., Harness]) -> None:
    box = make(most_keyword_sets=16)
    box.fill(1)
    for bad in ([""], ["x" * 1025], ["w"] * 1001):
        assert box.refused(c.SetFlags(INBOX, ALL, c.ADD, 0, bad)) == Ec.ecInvalidParam
    box.call(c.SetFlags(INBOX, ALL, c.ADD, 0, ["Work"]))
    box.call(c.SetFlags(INBOX, ALL, c.REPLACE, 0, ["alpha", "WORK"]))
    assert box.call(c.GetKeywordSets()).sets == [[], ["Work"], ["Work", "alpha"]]
    assert box.call(c.GetKeywordSets(2)).sets == [["Work", "alpha"]]
    results = box.batch(*(c.SetFlags(INBOX, ALL, c.REPLACE, 0, [f"w{n}"]) for n in range(20)))
    assert [getattr(r, "code", None) for r in results] == [None] * 13 + [Ec.ecStorageFull] * 7
    assert box.refused(c.SetFlags(INBOX, ALL, 7, 1)) == Ec.ecInvalidParam


def test_odd_dates_are_clamped_to_what_an_index_holds(box: Harness) -> None:
    for received, sent in ((-5, -(1 << 40)), (1 << 40, 1 << 40)):
        message = c.NewMessage(new(mail(1), sent=sent).digest, mail(1), received)
        box.call(c.Append(INBOX, message, b""))
    page = box.pages()[0][1]
    assert list(page.received) == [0, (1 << 32) - 1]
    assert list(page.sent) == [-(1 << 31), (1 << 31) - 1]


def test_uids_end(box: Harness) -> None:
    box.call(c.ListFolders())
    box.box._runner.tx.state.folders[INBOX].uidnext = (1 << 32) - 3
    assert box.append(mail(1)).uid == (1 << 32) - 3
    box.append(mail(2))
    assert box.refused(c.Append(INBOX, new(mail(3)), b"x")) == Ec.ecStorageFull
    assert len(box.flags()) == 2


def test_quota_defaults_are_the_settings_until_set(make: Callable[..., Harness]) -> None:
    box = make(quota_receive_default=100, quota_storage_default=200)
    info = box.call(c.GetMailboxInfo())
    assert (info.quota_receive, info.quota_storage) == (100, 200)
    big = mail(1, "x" * 100)
    assert box.refused(c.Deliver(new(big), "s@example.org", b"d", b"p")) == Ec.ecQuotaExceeded
    assert box.append(big).uid == 1
    box.call(c.SetQuota(0, 0))
    assert box.call(c.Deliver(new(big), "s@example.org", b"d", b"p")).uid == 2
    info = box.call(c.GetMailboxInfo())
    assert (info.quota_receive, info.quota_storage, info.size) == (0, 0, 2 * len(big))


def test_what_is_long(box: Harness) -> None:
    box.fill(300)
    big = box.append(mail(1, "y" * 2_000_000)).uid
    long = box.box.is_long
    assert not long(c.GetPieces(INBOX, [(1, 100)], 3)) and long(c.GetPieces(INBOX, ALL, 3))
    assert not long(c.GetPieces(SENT, ALL, 3))
    assert not long(c.GetContents(INBOX, [(1, 16)])) and long(c.GetContents(INBOX, [(1, 17)]))
    assert long(c.GetContents(INBOX, [(big, big)])) and not long(c.GetContents(INBOX, [(big, big)], 1000))
    assert long(c.ReadContent(INBOX, big, 0, 1 << 20)) and not long(c.ReadContent(INBOX, big, 0, 4096))
    assert not long(c.GetPages(INBOX, [0, 1])) and not long(c.ListFolders())
    assert not long(c.GetPages(0x7777, [0]))


def test_contents_are_gathered_up_to_the_limit(box: Harness) -> None:
    box.fill(10)
    size = len(mail(1))
    some = box.call(c.GetContents(INBOX, [(1, 2), (4, 9)], 3 * size + 1))
    assert [x.uid for x in some] == [1, 2, 4]
    box.append(mail(1, "z" * 5000))
    assert box.call(c.GetContents(INBOX, [(11, 11)], 1000)) == [c.Content(11, len(mail(1, "z" * 5000)), b"")]


def test_the_direct_store(tmp_path: Path) -> None:
    told: list[c.Event] = []
    ref = MailboxRef("alice@example.test")
    with DirectStore(str(tmp_path)) as store:
        stop = store.watch(ref, ref.maildir, told.append)
        call = c.Append(INBOX, new(mail(1)), b"1")
        stored = store.call(ref, call, actor="alice@example.test")
        assert told == [c.Event(ref.maildir, INBOX)]
        stop()
        assert store.call(ref, call, actor=SYSTEM) == stored
        with pytest.raises(MapiError) as caught:
            store.call(ref, call, actor="bob@example.test")
        assert caught.value.code == Ec.ecAccessDenied
        with pytest.raises(MapiError):
            store.watch(ref, "", told.append)
        assert store.call(ref, c.LockPop3(True), actor=SYSTEM) is True
        assert store.call(ref, c.LockPop3(True), actor=SYSTEM) is False
    assert (tmp_path / "alice@example.test" / "mailbox.sqlite3").exists()
    with DirectStore(str(tmp_path), {ref.maildir: "carol@example.test"}) as store:
        info = store.call(ref, c.GetMailboxInfo(), actor="carol@example.test")
        assert (info.owner, info.messages) == ("carol@example.test", 1)
