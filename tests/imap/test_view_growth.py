"""A view built on an earlier one equals one built from nothing, and what differs is found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gromoxd.exmdb.pages import Page
from workers.imap.view import NO_STATE, IndexPage, View, common_ends


def page(number: int, rows: int) -> IndexPage:
    made = Page()
    for row in range(rows):
        made.uids.append(number * 256 + row + 1)
        for column in (made.flags, made.sizes, made.received, made.sent, made.modseqs, made.mids):
            column.append(row)
    return IndexPage(number, 1, made)


@given(st.data())
def test_a_view_takes_over_what_it_has_in_common(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 5), max_size=12))
    old = [page(number, size) for number, size in enumerate(sizes)]
    new: list[IndexPage] = []
    for ref in old:
        match data.draw(st.sampled_from(("same", "same", "same", "other", "gone"))):
            case "same":
                new.append(ref)
            case "other":
                new.append(page(ref.number, data.draw(st.integers(1, 5))))
    new += [page(len(old) + n, 2) for n in range(data.draw(st.integers(0, 2)))]
    grown = View(b"", NO_STATE, tuple(new), known=View(b"", NO_STATE, tuple(old)))
    fresh = View(b"", NO_STATE, tuple(new))
    assert (grown.starts, grown.numbers) == (fresh.starts, fresh.numbers)


@given(st.binary(max_size=40), st.binary(max_size=40), st.sampled_from((1, 4)))
def test_common_ends(a: bytes, b: bytes, width: int) -> None:
    a, b = a[: len(a) // width * width], b[: len(b) // width * width]
    head, tail = common_ends(a, b, width)
    most = min(len(a), len(b)) // width
    items_a = [a[i : i + width] for i in range(0, len(a), width)]
    items_b = [b[i : i + width] for i in range(0, len(b), width)]
    expected = next((i for i in range(most) if items_a[i] != items_b[i]), most)
    left = most - expected
    behind = next((i for i in range(left) if items_a[-1 - i] != items_b[-1 - i]), left)
    assert (head, tail) == (expected, behind)
