"""Pages and states in memory and in the arena: patched, never stale, never from two moments at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from gromoxd.exmdb import calls as c
from gromoxd.exmdb import keys, pages
from gromoxd.exmdb.api import SYSTEM
from store import index
from store.mailbox import Write
from tests.store.conftest import ALL, INBOX, SENT, Harness, mail, new


def check(box: Harness, fid: int = INBOX) -> None:
    """What memory answers is what a fresh reading of the database gives, and what is published agrees."""
    told = box.pages(fid)
    state = box.state(fid)
    assert box.published_state(fid) == state
    for number, (cn, page) in told.items():
        assert box.published_page(fid, number) == (cn, page.encode())
    view = box.box._index._views[fid]
    loaded = box.box._reader.folder(fid)
    assert (bytes(view.table), view.figures._replace(recent_uid=0)) == (
        loaded.table, loaded.figures._replace(recent_uid=0),
    )  # fmt: skip
    for number, (cn, page) in told.items():
        fresh = box.box._reader.page(fid, number)
        assert fresh is not None
        assert (fresh.cn, fresh.page.encode()) == (cn, page.encode())


def test_nothing_is_published_before_somebody_asks(box: Harness) -> None:
    box.fill(3)
    assert box.arena is not None and box.arena.values == {}


def test_a_delivery_and_a_flag_rewrite_one_page(box: Harness) -> None:
    box.fill(600)
    before = box.pages()
    puts: list[bytes] = []
    put = box.box._arena.put  # type: ignore[union-attr]
    box.box._arena.put = lambda key, value, reserve=0: (puts.append(key), put(key, value, reserve))  # type: ignore
    box.call(c.SetFlags(INBOX, [(300, 300)], c.ADD, pages.SEEN))
    maildir = str(box.folder)
    assert puts == [keys.page(maildir, INBOX, 1), keys.folder_state(maildir, INBOX)]
    puts.clear()
    stored = box.append(mail(601))
    pieces = keys.pieces(maildir, stored.mid, stored.uid)
    assert puts == [keys.page(maildir, INBOX, 2), keys.folder_state(maildir, INBOX), pieces]
    assert box.pages()[0][0] == before[0][0]
    check(box)


def test_a_page_leaves_room_to_grow(box: Harness) -> None:
    box.fill(1)
    rooms = []
    box.box._arena.put = lambda key, value, reserve=0: rooms.append((len(value), reserve))  # type: ignore
    box.call(c.GetPages(INBOX, [0]))
    assert rooms == [(8 + 8 + 36, 8 + 8 + 256 * 36)]


def test_every_kind_of_change_is_patched(box: Harness) -> None:
    box.fill(700)
    box.state(SENT)
    box.pages()
    check(box)
    steps: list[list[c.Call[Any]]] = [
        [c.SetFlags(INBOX, [(1, 1)], c.ADD, pages.SEEN)],
        [c.SetFlags(INBOX, [(200, 600)], c.ADD, pages.FLAGGED, ["word"])],
        [c.SetFlags(INBOX, [(n, n) for n in range(1, 700, 3)], c.REPLACE, pages.DELETED)],
        [c.Expunge(INBOX, [(250, 260)], False)],
        [c.Expunge(INBOX, [(n, n) for n in range(1, 700, 5)], False)],
        [c.CopyMessages(INBOX, [(1, 300)], SENT, False, b"1")],
        [c.CopyMessages(INBOX, [(301, 320)], SENT, True, b"2")],
        [c.CopyMessages(SENT, [(2, 9)], SENT, True, b"3")],
        [c.Expunge(INBOX, [(256, 511)], False)],
        [c.SetFlags(INBOX, ALL, c.ADD, 1, unchanged_since=5)],
        [
            c.Append(INBOX, new(mail(1)), b"4"),
            c.SetFlags(INBOX, [(690, 701)], c.ADD, pages.DRAFT),
            c.Expunge(INBOX, [(701, 701)], False),
            c.Append(INBOX, new(mail(2)), b"5"),
            c.SetFlags(INBOX, ALL, c.REMOVE, pages.DRAFT),
        ],
        [c.Expunge(INBOX, ALL, False)],
        [c.Append(INBOX, new(mail(3)), b"6"), c.Append(INBOX, new(mail(4)), b"7")],
    ]
    for step in steps:
        box.batch(*step)
        check(box)
        check(box, SENT)


def test_a_new_page_is_kept_without_reading(box: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    box.fill(254)
    box.pages()
    monkeypatch.setattr(box.box._reader, "page", lambda fid, number: pytest.fail("read from the database"))
    for n in (255, 256, 257):
        box.append(mail(n))
    assert sorted(box.pages()) == [0, 1]
    assert list(box.pages()[1][1].uids) == [256, 257]


def test_the_first_reader_of_a_new_folder_finds_its_pages_in_memory(
    box: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box.box._reader, "page", lambda fid, number: pytest.fail("read from the database"))
    for n in range(1, 300):
        box.append(mail(n))
    assert box.published_state(INBOX) is None, "nobody has asked yet: nothing is published"
    assert sorted(box.pages()) == [0, 1]
    assert box.published_state(INBOX) is not None


def test_pages_read_between_commit_and_publication_are_right(box: Harness) -> None:
    """A loop may read a page after the thread committed and before the batch is applied: nothing counts twice."""
    box.fill(300)
    box.call(c.SetFlags(INBOX, [(20, 20)], c.ADD, pages.DRAFT))
    box.call(c.SetFlags(INBOX, [(21, 21)], c.ADD, pages.DRAFT | pages.SEEN))
    box.box._index.forget(INBOX)
    box.state()
    writes = [
        Write(c.SetFlags(INBOX, [(1, 10)], c.REPLACE, pages.SEEN), SYSTEM),
        Write(c.SetFlags(INBOX, [(1, 5)], c.REPLACE, 0), SYSTEM),
        Write(c.Append(INBOX, new(mail(301)), b"1"), SYSTEM),
        Write(c.Expunge(INBOX, [(2, 2), (299, 299)], False), SYSTEM),
        Write(c.SetFlags(INBOX, [(3, 3)], c.REPLACE, pages.FLAGGED), SYSTEM),
        Write(c.SetFlags(INBOX, [(20, 21)], c.REMOVE, pages.DRAFT), SYSTEM),
        Write(c.SetFlags(INBOX, [(20, 21)], c.ADD, pages.DRAFT), SYSTEM),
        Write(c.SetFlags(INBOX, [(20, 20)], c.ADD, pages.SEEN), SYSTEM),
    ]
    batch = box.box.run_batch(writes)
    ahead = box.call(c.GetPages(INBOX, [0, 1]))
    state = box.published_state(INBOX)
    assert state is not None and state.exists == 299
    box.box.publish(batch)
    assert box.call(c.GetPages(INBOX, [0, 1])) == ahead
    check(box)


def test_long_reads_run_on_threads_and_their_pages_are_kept(box: Harness) -> None:
    box.fill(256 * 20)
    numbers = list(range(21))
    call = c.GetPages(INBOX, numbers)
    box.box._index.forget(INBOX)
    box.state()
    assert box.box.is_long(call)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(box.box.read_long(call, SYSTEM)))
    thread.start()
    thread.join()
    box.call(c.SetFlags(INBOX, [(1, 1), (600, 600)], c.ADD, pages.SEEN))
    assert not box.box.is_long(call)
    again = box.box.read(call, SYSTEM)
    assert [n for n in numbers if again[n] != answers[0][n]] == [0, 2]
    check(box)


def test_a_page_that_changed_since_a_thread_read_it_is_not_kept(box: Harness) -> None:
    box.fill(256 * 20)
    call = c.GetPages(INBOX, list(range(21)))
    box.box._index.forget(INBOX)
    box.state()
    box.append(mail(1))
    answer = box.box.read_long(call, SYSTEM)
    view = box.box._index._views[INBOX]
    loaded = list(box.box._loaded)
    box.box._loaded.clear()
    batch = box.box.run_batch([Write(c.SetFlags(INBOX, [(1, 1)], c.ADD, pages.SEEN), SYSTEM)])
    box.box.publish(batch)
    box.box._loaded.extend(loaded)
    again = box.box.read(c.GetPages(INBOX, [0, 1]), SYSTEM)
    assert (again[0] != answer[0], again[1] == answer[1]) == (True, True)
    assert len(view.pages) == 21
    check(box)


def test_a_page_that_emptied_since_a_thread_read_it_is_not_kept(box: Harness) -> None:
    box.fill(256 * 20)
    box.box._index.forget(INBOX)
    box.state()
    answer = box.box.read_long(c.GetPages(INBOX, [0, 1]), SYSTEM)
    batch = box.box.run_batch([Write(c.Expunge(INBOX, [(1, 255)], False), SYSTEM)])
    loaded = list(box.box._loaded)
    box.box._loaded.clear()
    box.box.publish(batch)
    box.box._loaded.extend(loaded)
    assert box.box.read(c.GetPages(INBOX, [0, 1]), SYSTEM) == [b"", answer[1]]
    assert box.published_page(INBOX, 0) is None
    check(box)


def test_a_state_read_ahead_of_its_batch_brings_no_older_page(box: Harness) -> None:
    """Page 1 is in memory; page 0 is read after a commit that changed both and takes the state ahead with it."""
    box.fill(300)
    box.box._index.forget(INBOX)
    box.state()
    old = box.call(c.GetPages(INBOX, [1]))[0]
    batch = box.box.run_batch([Write(c.SetFlags(INBOX, ALL, c.ADD, pages.SEEN), SYSTEM)])
    box.call(c.GetPages(INBOX, [0]))
    state = box.published_state(INBOX)
    assert state is not None and state.unseen == 0
    ahead = box.call(c.GetPages(INBOX, [1]))[0]
    assert ahead != old
    box.box.publish(batch)
    assert box.call(c.GetPages(INBOX, [1]))[0] == ahead
    check(box)


def test_few_pages_are_kept(make: Callable[..., Harness]) -> None:
    box = make(index_cache_pages=16)
    box.fill(256 * 20)
    for number in range(20):
        box.call(c.GetPages(INBOX, [number]))
    kept = box.box._index._views[INBOX].pages
    assert sorted(kept) == list(range(4, 20))
    box.call(c.SetFlags(INBOX, ALL, c.ADD, pages.SEEN))
    check(box)


def test_a_huge_change_drops_pages_instead_of_holding_the_loop(box: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    box.fill(256 * 5)
    box.pages()
    monkeypatch.setattr(index, "MOST_PATCHED", 2)
    box.call(c.SetFlags(INBOX, ALL, c.ADD, pages.SEEN))
    assert len(box.box._index._views[INBOX].pages) == 2
    stale = box.published_page(INBOX, 4)
    assert stale is not None and stale[0] < box.pages()[4][0]
    assert set(box.flags().values()) == {pages.SEEN}
    check(box)


def test_without_an_arena(make: Callable[..., Harness]) -> None:
    box = make()
    box.close()
    box.arena = None
    box.open()
    box.fill(3)
    assert box.state().exists == 3
    box.append(mail(4), keywords=["x"])
    assert len(box.flags()) == 4
    box.call(c.CreateFolder("New"))
    assert box.call(c.GetPieces(INBOX, [(1, 1)], 3))[0].envelope == b"(envelope)"


def test_closing_and_opening_clear_the_arena(box: Harness) -> None:
    assert box.arena is not None
    box.fill(3)
    box.pages()
    box.call(c.ListFolders())
    box.call(c.GetKeywordSets())
    assert len(box.arena.values) == 4
    box.close()
    assert box.arena.values == {}
    maildir = str(box.folder)
    stale = [keys.folder_list(maildir), keys.keyword_sets(maildir), keys.folder_state(maildir, INBOX)]
    for key in stale:
        box.arena.put(key, b"of an owner that died")
    box.open()
    assert box.arena.values == {}


def test_a_deleted_folder_is_not_published(box: Harness) -> None:
    assert box.arena is not None
    fid = box.call(c.CreateFolder("Doomed")).fid
    box.append(mail(1), fid)
    box.pages(fid)
    box.call(c.DeleteFolder(fid))
    assert box.published_state(fid) is None
    assert box.published_page(fid, 0) is None
    assert box.told[-2:] == [0, fid]


def test_pieces_of_new_mail_are_published_where_somebody_looks(box: Harness) -> None:
    assert box.arena is not None
    unseen = box.append(mail(1))
    assert box.arena.get(keys.pieces(str(box.folder), unseen.mid, unseen.uid)) is None
    box.state()
    seen = box.append(mail(2))
    value = box.arena.get(keys.pieces(str(box.folder), seen.mid, seen.uid))
    assert value == b"\x0a\0\0\0\x0b\0\0\0(envelope)(structure)"


@pytest.mark.parametrize("order", [[5, 1, 3], [1, 3, 5], [3, 5, 1]])
def test_the_table_of_pages_is_kept_in_order(order: list[int]) -> None:
    from store.changes import Figures
    from store.reading import LoadedFolder

    figures = Figures(1, 1, 0, 0, 1, 1, 0)
    view = index.View(INBOX, LoadedFolder(figures, b"", 0))
    for number in order:
        view.update(figures, {number: (number, 10)})
    assert view.numbers() == [1, 3, 5]
    view.update(figures, {3: (0, 11), 4: (7, 11), 5: (9, 12), 9: (0, 12)})
    assert list(index._ENTRY.iter_unpack(view.table)) == [(1, 1, 10), (4, 7, 11), (5, 9, 12)]
    assert (view.cn_of(5), view.cn_of(3)) == (12, 0)
