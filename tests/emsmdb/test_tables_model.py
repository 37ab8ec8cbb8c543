"""Contents tables against a list: seeks, bookmarks and reading while somebody else changes the folder."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gromoxd.mapi import proptags as p
from gromoxd.mapi.restrictions import Content, Not, encode_restriction
from gromoxd.mapi.sorting import Order
from gromoxd.rop import tables as r
from tests.emsmdb.tableclient import TableClient, delete, save
from tests.emsmdb.world import Client

LETTERS = "abcdefgh"
NO_A = encode_restriction(Not(Content(1, 0, p.PidTagSubject, "a")))


class Model:
    """Messages as (subject, importance) by their ids; subjects are all different."""

    def __init__(self, client: Client, dice: random.Random) -> None:
        self.client, self.dice = client, dice
        self.messages: dict[int, tuple[str, int]] = {}
        self.number = 0
        self.descending = self.no_a = False

    def subject(self) -> str:
        self.number += 1
        return f"{self.dice.choice(LETTERS)}{self.number:03}"

    def add(self) -> None:
        subject, importance = self.subject(), self.dice.randrange(3)
        mid = save(self.client, {p.PidTagSubject: subject, p.PidTagImportance: importance})
        self.messages[mid] = (subject, importance)

    def change(self) -> None:
        if self.messages:
            mid = self.dice.choice(list(self.messages))
            self.messages[mid] = (self.subject(), self.messages[mid][1])
            save(self.client, {p.PidTagSubject: self.messages[mid][0]}, mid=mid)

    def remove(self) -> None:
        if self.messages:
            mid = self.dice.choice(list(self.messages))
            del self.messages[mid]
            delete(self.client, mid)

    def act(self) -> None:
        self.dice.choice([self.add, self.add, self.change, self.remove])()

    def rows(self) -> list[str]:
        """The subjects that a flat table shows."""
        shown = [subject for subject, _ in self.messages.values() if not (self.no_a and "a" in subject)]
        return sorted(shown, reverse=self.descending)

    def arrange(self, table: TableClient) -> None:
        self.descending, self.no_a = self.dice.random() < 0.5, self.dice.random() < 0.5
        table.sort((p.PidTagSubject, Order.DESCENDING if self.descending else Order.ASCENDING))
        table.restrict(NO_A if self.no_a else b"")


@pytest.mark.parametrize("seed", range(6))
def test_cursor(alice: Client, seed: int) -> None:
    """The cursor stands before a row: what comes and goes elsewhere does not move it to another."""
    model = Model(alice, dice := random.Random(seed))
    for _ in range(12):
        model.add()
    table = TableClient.contents(alice).show(p.PidTagSubject, p.PidTagImportance)
    model.arrange(table)
    for _ in range(60):
        what = dice.randrange(6)
        if what == 0:
            model.arrange(table)
            assert table.position() == (0, len(model.rows()))
        elif what == 1:
            model.act()
        elif what == 2:
            place = dice.randrange(len(model.rows()) + 3)
            assert table.seek(0, place) == (place > len(model.rows()), min(place, len(model.rows())))
            assert table.firsts(2) == model.rows()[place : place + 2]
        elif what == 3:
            read_on(table, model, dice)
        elif what == 4:
            back = dice.randrange(1, 5)
            table.seek(2, -dice.randrange(4))
            at = table.position()[0]
            assert table.firsts(back, forward=False) == model.rows()[max(at - back, 0) : at]
            assert table.position() == (max(at - back, 0), len(model.rows()))
        else:
            part = dice.randrange(7)
            table.do(r.SeekRowFractional, r.SeekRowFractionalResponse, part, 6)
            total = len(model.rows())
            assert table.position() == (total if part >= 6 else total * part // 6, total)
    assert [row[0] for row in table.everything()] == model.rows()


def read_on(table: TableClient, model: Model, dice: random.Random) -> None:
    """Read from the start in pieces while rows change: of those that were there all the time none is missed or
    read twice, as long as their place does not change."""
    table.seek(0, 0)
    before = model.rows()
    read: list[str] = []
    while found := table.firsts(dice.randrange(1, 6)):
        read += found
        if dice.random() < 0.5:
            dice.choice([model.add, model.remove])()
    stayed = [subject for subject in before if subject in set(model.rows())]
    assert [subject for subject in read if subject in set(stayed)] == stayed
    assert len(set(read)) == len(read)


@pytest.mark.parametrize("seed", range(4))
def test_bookmarks(alice: Client, seed: int) -> None:
    model = Model(alice, dice := random.Random(seed))
    for _ in range(12):
        model.add()
    table = TableClient.contents(alice).show(p.PidTagSubject)
    model.arrange(table)
    marks: list[tuple[bytes, str]] = []
    for _ in range(50):
        what = dice.randrange(3)
        rows = model.rows()
        if what == 0 and rows:
            place = dice.randrange(len(rows))
            table.seek(0, place)
            marks.append((table.bookmark(), rows[place]))
        elif what == 1:
            dice.choice([model.add, model.remove])()
        elif marks:
            mark, subject = dice.choice(marks)
            found = table.go(mark)
            assert found.row_gone == (subject not in rows)
            if subject in rows:
                assert table.firsts(1) == [subject]
                assert table.go(mark, 2).rows_sought == min(2, len(rows) - rows.index(subject))


@pytest.mark.parametrize("seed", range(4))
def test_categories(alice: Client, seed: int) -> None:
    """Groups by importance, of which some are open, while messages come and go."""
    model = Model(alice, dice := random.Random(seed))
    for _ in range(12):
        model.add()
    table = TableClient.contents(alice).show(
        p.PidTagSubject, p.PidTagImportance, p.PidTagRowType, p.PidTagInstID, p.PidTagContentCount
    )
    table.sort((p.PidTagImportance, 0), (p.PidTagSubject, 0), categories=1, expanded=0)
    open_groups: set[int] = set()
    for _ in range(40):
        heads = {row[1]: row for row in table.everything() if row[2] in (3, 4)}
        what = dice.randrange(3)
        if what == 0:
            model.act()
        elif heads:
            group = dice.choice(list(heads))
            members = sum(importance == group for _, importance in model.messages.values())
            if group in open_groups:
                assert table.do(r.CollapseRow, r.CollapseRowResponse, heads[group][3]).collapsed == members
            else:
                found = table.do(r.ExpandRow, r.ExpandRowResponse, 100, heads[group][3])
                assert (found.expanded, found.row_count) == (members, members)
                assert [row[0] for row in table.decode(found.rows, members)] == subjects(model, group)
            open_groups ^= {group}
        assert [shape(row) for row in table.everything()] == expected(model, open_groups)


def subjects(model: Model, group: int) -> list[str]:
    return sorted(subject for subject, importance in model.messages.values() if importance == group)


def shape(row: list[Any]) -> tuple[Any, ...]:
    return ("head", row[1], row[2], row[4]) if row[2] in (3, 4) else ("row", row[0])


def expected(model: Model, open_groups: set[int]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for group in sorted({importance for _, importance in model.messages.values()}):
        members = subjects(model, group)
        found.append(("head", group, 3 if group in open_groups else 4, len(members)))
        if group in open_groups:
            found += [("row", subject) for subject in members]
    return found
