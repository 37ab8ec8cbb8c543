"""Tables over sessions: what clients see of them, ROP by ROP."""

from __future__ import annotations

from gromoxd.errors import Ec
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import eid_value
from gromoxd.mapi.restrictions import Content, encode_restriction
from gromoxd.mapi.rows import NO_MEMORY, NOT_FOUND
from gromoxd.mapi.sorting import Order
from gromoxd.rop import tables as r
from tests.emsmdb.tableclient import TableClient, delete, save
from tests.emsmdb.world import INBOX, IPM, SENT, Client

BEGINNING, CURRENT, END = 0, 1, 2
SUBJECT8 = p.PidTagSubject & ~0xFFFF | 0x1E


def fill(client: Client, *subjects: str) -> list[int]:
    return [save(client, {p.PidTagSubject: subject}) for subject in subjects]


def by_subject(client: Client, *subjects: str) -> TableClient:
    fill(client, *subjects)
    return TableClient.contents(client).show(p.PidTagSubject).sort((p.PidTagSubject, Order.ASCENDING))


def test_rows_of_a_folder(alice: Client) -> None:
    first, second = fill(alice, "b", "a")
    table = TableClient.contents(alice)
    assert table.row_count == 2
    table.show(p.PidTagSubject, p.PidTagMid, p.PidTagFolderId, p.PidTagInstID, p.PidTagInstanceNum)
    table.sort((p.PidTagSubject, Order.ASCENDING))
    inbox = eid_value(1, INBOX)
    assert table.query() == (END, [
        ["a", eid_value(1, second), inbox, eid_value(1, second), 0],
        ["b", eid_value(1, first), inbox, eid_value(1, first), 0],
    ])  # fmt: skip
    assert table.query() == (END, [])
    table.sort((p.PidTagSubject, Order.DESCENDING))
    assert table.firsts() == ["b", "a"]


def test_a_value_that_is_not_there(alice: Client) -> None:
    fill(alice, "x")
    table = TableClient.contents(alice).show(p.PidTagSubject, p.PidTagLastVerbExecuted)
    assert table.rows() == [["x", NOT_FOUND]]


def test_pieces(alice: Client) -> None:
    table = by_subject(alice, *"abcdefg")
    assert table.query(2) == (CURRENT, [["a"], ["b"]])
    assert table.query(3) == (CURRENT, [["c"], ["d"], ["e"]])
    assert table.query(2) == (END, [["f"], ["g"]])
    assert table.position() == (7, 7)


def test_the_cursor_stays_when_it_is_told_to(alice: Client) -> None:
    table = by_subject(alice, *"abc")
    assert table.query(2, flags=1) == (CURRENT, [["a"], ["b"]])
    assert table.query(2, flags=1) == (CURRENT, [["a"], ["b"]])
    assert table.position() == (0, 3)


def test_backwards(alice: Client) -> None:
    table = by_subject(alice, *"abcde")
    table.seek(END, 0)
    assert table.query(2, forward=False) == (CURRENT, [["d"], ["e"]])
    assert table.query(2, forward=False, flags=1) == (CURRENT, [["b"], ["c"]])
    assert table.query(9, forward=False) == (BEGINNING, [["a"], ["b"], ["c"]])
    assert table.query(9, forward=False) == (BEGINNING, [])
    assert table.firsts(2) == ["a", "b"]


def test_as_many_rows_as_fit(alice: Client) -> None:
    fill(alice, *[f"{n:03}" + "x" * 200 for n in range(60)])
    table = TableClient.contents(alice).show(p.PidTagSubject).sort((p.PidTagSubject, Order.ASCENDING))
    size = 1 + 2 * 203 + 2
    origin, rows = table.query(60, room=9 + 10 * size)
    assert (origin, len(rows)) == (CURRENT, 10)
    origin, rows = table.query(60, room=9 + 11 * size - 1)
    assert (origin, len(rows), rows[0][0][:3]) == (CURRENT, 10, "010")
    table.seek(BEGINNING, 30)
    origin, rows = table.query(60, forward=False, room=9 + 10 * size)
    assert (origin, [row[0][:3] for row in rows]) == (CURRENT, [f"{n:03}" for n in range(20, 30)])
    assert [row[0][:3] for row in table.everything(room=4000)] == [f"{n:03}" for n in range(60)]


def test_a_row_that_does_not_fit_is_asked_for_with_more_room(alice: Client) -> None:
    fill(alice, "x" * 255)
    table = TableClient.contents(alice).show(p.PidTagSubject, p.PidTagSubject)
    (found,) = alice.run(table.request(r.QueryRows, 0, True, 5), room=700)
    assert type(found).__name__ == "BufferTooSmall"
    assert table.firsts() == ["x" * 255]


def test_a_row_that_no_answer_can_carry(alice: Client) -> None:
    fill(alice, "x" * 255)
    columns = [p.PidTagMid, *[p.PidTagSubject] * 70]
    mid, *subjects = TableClient.contents(alice).show(*columns).rows()[0]
    assert isinstance(mid, int)
    assert subjects == [NO_MEMORY] * 70


def test_texts_are_cut(alice: Client) -> None:
    fill(alice, "ä" * 300)
    table = TableClient.contents(alice).show(p.PidTagSubject, SUBJECT8)
    assert table.rows() == [["ä" * 255, b"\xe4" * 255]]


def test_columns_of_no_type(alice: Client) -> None:
    fill(alice, "x")
    table = TableClient.contents(alice).show(p.PidTagSubject)
    for bad in (p.PidTagSubject & ~0xFFFF, p.PidTagSubject & ~0xFFFF | 0x000A, 0x66690123):
        assert table.fails(r.SetColumns, 0, [p.PidTagSubject, bad]) == Ec.ecInvalidParam
    assert table.fails(r.QueryRows, 0, True, 5) == Ec.ecNullObject  # those of before are not kept
    assert table.show(p.PidTagSubject).firsts() == ["x"]


def test_columns_must_be_set(alice: Client) -> None:
    fill(alice, "x")
    table = TableClient.contents(alice)
    assert table.fails(r.QueryRows, 0, True, 5) == Ec.ecNullObject
    assert table.fails(r.FindRow, 0, b"", 0, b"") == Ec.ecNullObject
    assert table.fails(r.SetColumns, 0, []) == Ec.ecInvalidParam
    mark = table.bookmark()
    for kind, *values in (
        (r.SeekRowBookmark, mark, 0, True), (r.FreeBookmark, mark), (r.ExpandRow, 0, 1), (r.CollapseRow, 1),
        (r.GetCollapseState, 1, 0), (r.SetCollapseState, b""),
    ):  # fmt: skip
        assert table.fails(kind, *values) == Ec.ecNullObject, kind
    assert table.position() == (0, 1)
    assert table.show(p.PidTagSubject).firsts() == ["x"]
    table.do(r.ResetTable, r.ResetTableResponse)
    assert table.fails(r.QueryRows, 0, True, 5) == Ec.ecNullObject
    assert table.fails(r.FreeBookmark, mark) == Ec.ecNullObject
    assert table.fails(r.SeekRowBookmark, mark, 0, True) == Ec.ecInvalidBookmark


def test_restrict_and_reset(alice: Client) -> None:
    table = by_subject(alice, "ab", "b", "cb", "d")
    has_b = encode_restriction(Content(1, 0, p.PidTagSubject, "b"))
    table.restrict(has_b)
    assert table.position() == (0, 3)
    assert table.firsts() == ["ab", "b", "cb"]
    table.restrict()
    assert len(table.rows()) == 4
    table.restrict(has_b)
    table.do(r.ResetTable, r.ResetTableResponse)
    assert len(table.show(p.PidTagSubject).rows()) == 4
    assert table.fails(r.Restrict, 0, b"\x77") == Ec.ecInvalidParam


def test_seeking(alice: Client) -> None:
    table = by_subject(alice, *"abcde")
    assert table.seek(BEGINNING, 3) == (False, 3)
    assert table.position() == (3, 5)
    assert table.seek(CURRENT, 4) == (True, 2)
    assert table.seek(END, -2) == (False, -2)
    assert table.firsts(1) == ["d"]
    assert table.seek(CURRENT, -9) == (True, -4)
    assert table.fails(r.SeekRow, 3, 0, True) == Ec.ecInvalidParam
    for part, whole, place in ((0, 5, 0), (5, 5, 5), (9, 5, 5), (2, 4, 2), (1, 0, 5), (0, 0, 0)):
        table.do(r.SeekRowFractional, r.SeekRowFractionalResponse, part, whole)
        assert table.position() == (place, 5)


def test_finding(alice: Client) -> None:
    table = by_subject(alice, "a1", "b2", "a3", "b4")  # a1 a3 b2 b4
    has_b = encode_restriction(Content(1, 0, p.PidTagSubject, "b"))
    found = table.find(has_b)
    assert (table.decode(found.row), found.row_gone) == ([["b2"]], False)
    assert table.position() == (2, 4)
    assert table.decode(table.find(has_b, origin=CURRENT).row) == [["b2"]]
    assert table.firsts(1) == ["b2"]
    assert table.decode(table.find(has_b, origin=CURRENT).row) == [["b4"]]
    assert table.decode(table.find(has_b, origin=CURRENT, backward=True).row) == [["b2"]]
    assert table.decode(table.find(has_b, origin=END, backward=True).row) == [["b4"]]
    has_c = encode_restriction(Content(1, 0, p.PidTagSubject, "c"))
    assert table.fails(r.FindRow, 0, has_c, 0, b"") == Ec.ecNotFound
    assert table.fails(r.FindRow, 0, has_b, 3, b"none") == Ec.ecInvalidBookmark


def test_bookmarks_follow_their_rows(alice: Client) -> None:
    table = by_subject(alice, *"bcde")
    table.seek(BEGINNING, 2)
    mark = table.bookmark()
    save(alice, {p.PidTagSubject: "a"})
    found = table.go(mark)
    assert (found.row_gone, found.sought_less, found.rows_sought) == (False, False, 0)
    assert table.position() == (3, 5)
    assert table.firsts(1) == ["d"]
    assert table.go(mark, -2).rows_sought == -2
    assert table.firsts(1) == ["b"]
    has_e = encode_restriction(Content(0, 0, p.PidTagSubject, "e"))
    assert table.decode(table.find(has_e, origin=3, bookmark=mark).row) == [["e"]]
    table.do(r.FreeBookmark, r.FreeBookmarkResponse, mark)
    assert table.fails(r.SeekRowBookmark, mark, 0, True) == Ec.ecInvalidBookmark
    assert table.fails(r.FreeBookmark, mark) == Ec.ecInvalidBookmark


def test_a_bookmark_whose_row_is_gone(alice: Client) -> None:
    mids = fill(alice, *"abcd")
    table = TableClient.contents(alice).show(p.PidTagSubject).sort((p.PidTagSubject, Order.ASCENDING))
    table.seek(BEGINNING, 1)
    mark = table.bookmark()
    delete(alice, mids[1])
    assert table.go(mark).row_gone
    assert table.firsts(1) == ["c"]
    table.seek(END, 0)
    last = table.bookmark()
    assert not table.go(last).row_gone
    assert table.position() == (3, 3)
    table.sort((p.PidTagSubject, Order.DESCENDING))
    assert table.fails(r.SeekRowBookmark, mark, 0, True) == Ec.ecInvalidBookmark


def test_who_deletes_what_he_read_misses_nothing(alice: Client) -> None:
    mids = dict(zip("abcdefgh", fill(alice, *"abcdefgh"), strict=True))
    table = TableClient.contents(alice).show(p.PidTagSubject).sort((p.PidTagSubject, Order.ASCENDING))
    read: list[str] = []
    while found := table.firsts(3):
        read += found
        delete(alice, *[mids[subject] for subject in found])
    assert read == list("abcdefgh")


def test_rows_that_come_before_the_cursor_are_not_read_twice(alice: Client) -> None:
    table = by_subject(alice, *"bcde")
    assert table.firsts(2) == ["b", "c"]
    save(alice, {p.PidTagSubject: "a"})
    assert table.firsts(2) == ["d", "e"]
    assert table.position() == (5, 5)


def test_the_columns_there_are(alice: Client) -> None:
    fill(alice, "x")
    tags = TableClient.contents(alice).do(r.QueryColumnsAll, r.QueryColumnsAllResponse).tags
    assert {p.PidTagSubject, p.PidTagMid, p.PidTagInstID} <= set(tags)


def test_nothing_is_under_way(alice: Client) -> None:
    table = TableClient.contents(alice)
    assert table.do(r.GetStatus, r.GetStatusResponse).status == 0
    assert table.fails(r.Abort) == Ec.ecUnableToAbort


def test_hierarchy(alice: Client) -> None:
    table = TableClient.hierarchy(alice, IPM)
    table.show(p.PidTagDisplayName, p.PidTagFolderId, p.PidTagDepth)
    rows = table.rows()
    assert table.row_count == len(rows)
    assert ["Inbox", eid_value(1, INBOX), 1] in rows
    table.restrict(encode_restriction(Content(0, 0, p.PidTagDisplayName, "Sent Items")))
    assert [row[1] for row in table.rows()] == [eid_value(1, SENT)]
    table.restrict()
    assert table.fails(r.SortTable, 0, _by_name()) == Ec.ecNotSupported


def _by_name() -> object:
    from gromoxd.mapi.sorting import SortOrder, SortOrderSet

    return SortOrderSet((SortOrder(p.PidTagDisplayName),), 0, 0)


def test_objects_that_are_no_tables(alice: Client) -> None:
    alice.folder(INBOX, 1)
    assert alice.fails(r.QueryRows(0, 1, 0, True, 5)) == Ec.ecNotSupported
    assert alice.fails(r.GetContentsTable(0, 0, 2, 0)) == Ec.ecNotSupported
    assert alice.fails(r.QueryRows(0, 9, 0, True, 5)) == Ec.ecNullObject


# ---------------------------------------------------------------------------------------------- categories


def categorized(client: Client) -> TableClient:
    for subject, importance in (("a", 0), ("b", 2), ("c", 0), ("d", 2), ("e", 1)):
        save(client, {p.PidTagSubject: subject, p.PidTagImportance: importance})
    table = TableClient.contents(client).show(p.PidTagSubject, p.PidTagRowType, p.PidTagInstID, p.PidTagContentCount)
    order = ((p.PidTagImportance, Order.DESCENDING), (p.PidTagSubject, Order.ASCENDING))
    return table.sort(*order, categories=1, expanded=0)


def test_expanding_and_collapsing(alice: Client) -> None:
    table = categorized(alice)
    heads = table.rows()
    assert [(row[1], row[3]) for row in heads] == [(4, 2), (4, 1), (4, 2)]
    low = heads[2][2]
    found = table.do(r.ExpandRow, r.ExpandRowResponse, 10, low)
    assert (found.expanded, [row[0] for row in table.decode(found.rows, 2)]) == (2, ["a", "c"])
    assert table.position()[1] == 5
    assert table.fails(r.ExpandRow, 10, low) == Ec.ecNotCollapsed
    high = table.do(r.ExpandRow, r.ExpandRowResponse, 1, heads[0][2])
    assert (high.expanded, high.row_count) == (2, 1)
    assert [row[0] for row in table.everything() if row[1] == 1] == ["b", "d", "a", "c"]
    table.seek(BEGINNING, 1)
    mark = table.bookmark()
    assert table.do(r.CollapseRow, r.CollapseRowResponse, heads[0][2]).collapsed == 2
    assert table.position() == (1, 5)
    assert table.go(mark).row_gone
    assert table.position() == (1, 5)
    assert table.fails(r.CollapseRow, heads[0][2]) == Ec.ecNotExpanded
    assert table.fails(r.CollapseRow, 0x4000_0000_1234_8000) == Ec.ecNotFound


def test_the_state_of_categories_is_kept(alice: Client) -> None:
    table = categorized(alice)
    low = table.rows()[2][2]
    table.do(r.ExpandRow, r.ExpandRowResponse, 0, low)
    leaf = next(row for row in table.everything() if row[0] == "c" and row[1] == 1)
    state = table.do(r.GetCollapseState, r.GetCollapseStateResponse, leaf[2], 0).state
    again = TableClient.contents(alice, index=9).show(*table.columns)
    assert again.fails(r.SetCollapseState, state) == Ec.ecInvalidParam
    order = ((p.PidTagImportance, Order.DESCENDING), (p.PidTagSubject, Order.ASCENDING))
    again.sort(*order, categories=1, expanded=0)
    mark = again.do(r.SetCollapseState, r.SetCollapseStateResponse, state).bookmark
    assert again.everything() == table.everything()
    assert not again.go(mark).row_gone
    assert again.firsts(1) == ["c"]
    for bad in (b"", state[:-1], state + b"x", b"xxxx" + state[4:]):
        assert again.fails(r.SetCollapseState, bad) == Ec.ecInvalidParam
