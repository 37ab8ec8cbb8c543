"""Views against a model: numbers, uids, spans, what has changed, what is held back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.imap.model import Folder, rows_of
from workers.imap import view
from workers.imap.view import Spans, View
from workers.imap.wire.sequence import resolve

# appends with gaps that leave pages empty, flag changes and expunges of the n-th message
STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "flag", "expunge"]), st.integers(0, 600), st.integers(0, 31)), max_size=30
)


def perform(folder: Folder, steps: list[tuple[str, int, int]]) -> None:
    for what, number, flags in steps:
        uids = sorted(folder.rows)
        if what == "append":
            folder.append(gap=number, flags=flags)
        elif uids:
            uid = uids[number % len(uids)]
            if what == "flag":
                folder.set_flags(uid, flags)
            else:
                folder.expunge(uid)


def uids_of(seen: View, spans: Spans) -> list[int]:
    return [uid for index, a, b in spans for uid in seen.refs[index].page.uids[a:b]]


RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=5)


@given(STEPS, RANGES)
def test_by_number_and_uid(steps: list[tuple[str, int, int]], ranges: list[tuple[int, int]]) -> None:
    folder = Folder()
    perform(folder, steps)
    seen, uids = folder.view(), sorted(folder.rows)
    assert seen.exists == len(uids)
    assert seen.last_uid == (uids[-1] if uids else 0)
    assert uids_of(seen, seen.whole()) == uids
    numbers = [(a, min(b, seen.exists)) for a, b in resolve(ranges, seen.exists) if a <= seen.exists]
    assert uids_of(seen, seen.by_number(numbers)) == [uids[n - 1] for a, b in numbers for n in range(a, b + 1)]
    wide = resolve([(a * 40, b * 40) for a, b in ranges], seen.last_uid)
    spans = seen.by_uid(wide)
    wanted = [uid for uid in uids if any(a <= uid <= b for a, b in wide)]
    assert uids_of(seen, spans) == wanted
    told = seen.uid_ranges(spans)
    assert [uid for uid in uids if any(a <= uid <= b for a, b in told)] == wanted
    assert seen.count_uids(3, 400) == len([u for u in uids if 3 <= u <= 400])


@given(STEPS)
def test_first_unseen(steps: list[tuple[str, int, int]]) -> None:
    folder = Folder()
    perform(folder, steps)
    seen = folder.view()
    flags = [f for _, f in rows_of(seen)]
    assert seen.first_unseen == next((n for n, f in enumerate(flags, 1) if not f & 1), 0)


class Client:
    """Follows the untagged answers like a client does."""

    def __init__(self, seen: View) -> None:
        self.rows: list[list[int]] = [[uid, flags] for uid, flags in rows_of(seen)]

    def follow(self, old: View, new: View) -> None:
        """EXPUNGE, then FETCH of flags, then EXISTS."""
        for number in view.expunged(old, new):
            del self.rows[number - 1]
        for index, a, b in view.changed(old, new, False):
            for row in range(a, b):
                at = new.starts[index] + row
                assert self.rows[at][0] == new.refs[index].page.uids[row]
                self.rows[at][1] = new.refs[index].page.flags[row]
        assert len(self.rows) <= new.exists
        self.rows.extend([uid, flags] for uid, flags in rows_of(new)[len(self.rows) :])


@given(st.lists(st.tuples(STEPS, st.booleans()), max_size=4))
def test_a_client_that_follows_has_what_the_folder_has(rounds: list[tuple[list[tuple[str, int, int]], bool]]) -> None:
    folder = Folder()
    perform(folder, [("append", 3, 0)] * 5 + [("append", 300, 1)] * 3)
    told = folder.view()
    client = Client(told)
    for steps, may_expunge in rounds:
        perform(folder, steps)
        newest = folder.view()
        step = newest if may_expunge else view.hold(told, newest)
        if not may_expunge:
            assert view.expunged(told, step) == []
            assert set(rows_of(newest)) <= set(rows_of(step))
        client.follow(told, step)
        told = step
        assert [tuple(r) for r in client.rows] == rows_of(told)
    client.follow(told, folder.view())
    assert [tuple(r) for r in client.rows] == rows_of(folder.view())


@given(STEPS, STEPS)
def test_what_is_gone_is_known(first: list[tuple[str, int, int]], then: list[tuple[str, int, int]]) -> None:
    folder = Folder()
    perform(folder, first)
    old = folder.view()
    perform(folder, then)
    held = view.hold(old, folder.view())
    left = view.alive(held, held.whole())
    assert uids_of(held, left) == sorted(folder.rows)
    assert held.held is ({u for u, _ in rows_of(held)} != set(folder.rows))


@given(STEPS, RANGES, RANGES)
def test_sets_of_spans(steps: list[tuple[str, int, int]], a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    folder = Folder()
    perform(folder, steps)
    seen = folder.view()
    one = seen.by_uid(resolve([(x * 40, y * 40) for x, y in a], seen.last_uid))
    two = seen.by_uid(resolve([(x * 40, y * 40) for x, y in b], seen.last_uid))
    both = set(uids_of(seen, one)) & set(uids_of(seen, two))
    assert set(uids_of(seen, view.intersection(one, two))) == both
    assert set(uids_of(seen, view.without(one, two))) == set(uids_of(seen, one)) - both
    assert view.count(one) == len(uids_of(seen, one))


def test_unchanged_pages_are_the_same_objects() -> None:
    folder = Folder()
    perform(folder, [("append", 0, 0)] * 600)
    old = folder.view()
    folder.set_flags(300, 4)
    new = folder.view()
    assert [a is b for a, b in zip(old.refs, new.refs, strict=True)] == [True, False, True]
    assert view.changed(old, new, False) == [(1, 300 - 256, 300 - 255)]
    assert view.expunged(old, new) == []
