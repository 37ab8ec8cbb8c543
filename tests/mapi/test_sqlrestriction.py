"""Every restriction gives the same rows in Python and in SQL."""

from __future__ import annotations

from random import Random
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gromoxd.mapi.evaluate import compile_restriction
from gromoxd.mapi.restrictions import (
    And,
    BitMask,
    Comment,
    CompareProperties,
    Content,
    Count,
    Exist,
    Not,
    Or,
    Property,
    RelOp,
    Restriction,
    Size,
    SubObject,
)
from gromoxd.mapi.sqlrestriction import FUNCTIONS, LARGEST_SQL, Column, Kind, null_safe, to_sql, unix_column
from gromoxd.mapi.times import TICKS, UNIX_EPOCH_NT, filetime
from gromoxd.mapi.types import PropValue

SUBJECT, SENDER, CLASS = 0x0037001F, 0x0C1A001F, 0x001A001F
FLAGS, IMPORTANCE, SIZE8 = 0x0E070003, 0x00170003, 0x0E080014
SCORE, READ = 0x00240005, 0x0E69000B
RECEIVED, SENT = 0x0E060040, 0x00390040
KEY, GUID = 0x300B0102, 0x00410048
KEYWORDS, INSTANCE = 0x8001101F, 0x8002301F
OTHER = 0x1000001F
"""A string that no column holds."""

COLUMNS = {
    SUBJECT: Column("subject", Kind.TEXT, folded="subject_folded"),
    SENDER: Column("sender", Kind.TEXT),
    CLASS: Column("class", Kind.TEXT, nullable=False, folded="fold(class)"),
    FLAGS: Column("flags", Kind.NUMBER, nullable=False),
    IMPORTANCE: Column("importance", Kind.NUMBER),
    SIZE8: Column("size", Kind.NUMBER),
    SCORE: Column("score", Kind.NUMBER),
    READ: Column("(flags & 1)", Kind.NUMBER, nullable=False),
    RECEIVED: unix_column("received", nullable=False),
    SENT: unix_column("sent", coarse=True),
    KEY: Column("key", Kind.BLOB),
    GUID: Column("guid", Kind.BLOB),
    INSTANCE: Column("instance", Kind.TEXT),
}
SCHEMA = """CREATE TABLE rows (id INTEGER PRIMARY KEY, subject TEXT COLLATE NOCASE, subject_folded TEXT,
    sender TEXT COLLATE NOCASE, class TEXT NOT NULL, flags INTEGER NOT NULL, importance INTEGER, size INTEGER,
    score REAL, received INTEGER NOT NULL, sent INTEGER, key BLOB, guid BLOB, instance TEXT)"""

TEXTS = st.one_of(
    st.text("aAbBéÉe\u0301ßSsﬁI\u0130\u0131ıΣςσ \u0001ü\U0001f600\ud7ff\uff21", max_size=6),
    st.sampled_from(["", "IPM.Note", "ipm.note", "Müller", "Muller", "muller\u0001müller", "MÜLLER straße"]),
)
OCTETS = st.binary(max_size=3)
INTS = st.one_of(st.integers(-3, 8), st.integers(-(2**31), 2**31 - 1))
LONGS = st.one_of(INTS, st.integers(-(2**63), 2**63 - 1))
REALS = st.one_of(st.integers(-3, 3).map(float), st.floats(allow_nan=False, width=64))
SECONDS = st.integers(0, 4)
TIMES = st.one_of(
    st.builds(lambda s, t: filetime(s) + t, st.integers(-1, 5), st.integers(-2, 2)), st.integers(0, 2**63 - 1)
)
GUIDS = st.sampled_from([bytes(16), b"\1" * 16, b"\xff" * 16])

Row = dict[int, PropValue]
maybe = st.none


@st.composite
def rows(draw: st.DrawFn) -> Row:
    row: dict[int, Any] = {
        SUBJECT: draw(maybe() | TEXTS),
        SENDER: draw(maybe() | TEXTS),
        CLASS: draw(TEXTS),
        FLAGS: draw(INTS),
        IMPORTANCE: draw(maybe() | INTS),
        SIZE8: draw(maybe() | LONGS),
        SCORE: draw(maybe() | REALS),
        RECEIVED: filetime(draw(SECONDS)),
        SENT: draw(maybe() | st.builds(lambda s, t: filetime(s) + t, SECONDS, st.integers(0, TICKS - 1))),
        KEY: draw(maybe() | OCTETS),
        GUID: draw(maybe() | GUIDS),
        KEYWORDS: draw(maybe() | st.lists(TEXTS, max_size=2)),
        INSTANCE: draw(maybe() | TEXTS),
        OTHER: draw(maybe() | TEXTS),
    }
    row[READ] = bool(row[FLAGS] & 1)
    return {tag: value for tag, value in row.items() if value is not None}


def seconds(value: Any) -> int | None:
    return None if value is None else (value - UNIX_EPOCH_NT) // TICKS


def database(table: list[Row]) -> apsw.Connection:
    db = apsw.Connection(":memory:")
    for name, function in FUNCTIONS.items():
        db.create_scalar_function(name, null_safe(function), 1, deterministic=True)
    db.execute(SCHEMA)
    for number, row in enumerate(table):
        subject: Any = row.get(SUBJECT)
        values = [number, subject, None if subject is None else FUNCTIONS["fold"](subject)]
        values += [row.get(tag) for tag in (SENDER, CLASS, FLAGS, IMPORTANCE, SIZE8, SCORE)]
        values += [seconds(row[RECEIVED]), seconds(row.get(SENT)), *(row.get(tag) for tag in (KEY, GUID, INSTANCE))]
        db.execute(f"INSERT INTO rows VALUES ({','.join('?' * len(values))})", values)
    return db


VALUES: dict[int, st.SearchStrategy[Any]] = {
    SUBJECT: TEXTS,
    SENDER: TEXTS,
    CLASS: TEXTS,
    FLAGS: INTS,
    IMPORTANCE: INTS,
    SIZE8: LONGS,
    SCORE: st.one_of(REALS, st.just(float("nan"))),
    READ: st.booleans(),
    RECEIVED: TIMES,
    SENT: TIMES,
    KEY: OCTETS,
    GUID: GUIDS,
    KEYWORDS: TEXTS,
    INSTANCE: TEXTS,
    OTHER: TEXTS,
}
SINGLE = {KEYWORDS: 0x8001001F, INSTANCE: 0x8002001F}
REL_OPS = st.sampled_from([op for op in RelOp if op != RelOp.MEMBER_OF_DL])
TAGS = st.sampled_from(sorted(VALUES))


@st.composite
def properties(draw: st.DrawFn) -> Property:
    tag = draw(TAGS)
    value_tag = SINGLE.get(tag, 0)
    value = draw(VALUES[tag])
    if draw(st.integers(0, 9)) == 0:
        other = draw(TAGS)
        value, value_tag = draw(VALUES[other]), SINGLE.get(other, other if other != tag else 0)
    return Property(draw(REL_OPS), tag, value, value_tag)


@st.composite
def contents(draw: st.DrawFn) -> Content:
    tag = draw(st.sampled_from([SUBJECT, SENDER, CLASS, KEY, KEYWORDS, INSTANCE, OTHER, FLAGS]))
    low = draw(st.sampled_from([0, 0, 1, 1, 2, 2, 3, 0x10, 0x20, 0x30]))
    return Content(low, draw(st.integers(0, 7)), tag, draw(VALUES[tag]), SINGLE.get(tag, 0))


LEAVES: st.SearchStrategy[Restriction] = st.one_of(
    properties(),
    properties(),
    contents(),
    contents(),
    st.builds(CompareProperties, REL_OPS, TAGS, TAGS),
    st.sampled_from([(SUBJECT, SENDER), (SENDER, CLASS), (FLAGS, IMPORTANCE), (RECEIVED, SENT), (KEY, KEY)]).flatmap(
        lambda pair: st.builds(CompareProperties, REL_OPS, st.just(pair[0]), st.just(pair[1]))
    ),
    st.builds(BitMask, st.integers(0, 1), TAGS, st.one_of(st.integers(0, 8), st.integers(0, 2**32 - 1))),
    st.builds(Size, REL_OPS, TAGS, st.integers(0, 17)),
    st.builds(Exist, TAGS),
    st.builds(lambda inner: SubObject(0x0E12000D, Exist(inner)), TAGS),
)
RESTRICTIONS: st.SearchStrategy[Restriction] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda some: And(tuple(some)), st.lists(inner, max_size=4)),
        st.builds(lambda some: Or(tuple(some)), st.lists(inner, max_size=4)),
        st.builds(Not, inner),
        st.builds(lambda r: Comment((), r), st.none() | inner),
        st.builds(Count, st.integers(0, 3), inner),
    ),
    max_leaves=8,
)


class Table:
    """Rows in Python and in SQLite."""

    def __init__(self, table: list[Row]) -> None:
        self.rows = table
        self.db = database(table)

    def check(self, restriction: Restriction) -> list[int]:
        """The numbers of the rows that match, which must be the same both ways."""
        matches = compile_restriction(restriction)
        wanted = [number for number, row in enumerate(self.rows) if matches(row)]
        sql, params, rest = to_sql(restriction, COLUMNS)
        answers = self.db.execute(f"SELECT id, {sql} FROM rows ORDER BY id", params).fetchall()
        assert {answer for _, answer in answers} <= {0, 1}, (restriction, sql)
        passed = [number for number, answer in answers if answer]
        if rest is not None:
            left = compile_restriction(rest)
            passed = [number for number in passed if left(self.rows[number])]
        assert passed == wanted, (restriction, sql, params, rest)
        return wanted


POOL: dict[int, list[Any]] = {
    SUBJECT: [
        "",
        "a",
        "A",
        "ab",
        "Ab",
        "Müller",
        "muller",
        "MÜLLER straße",
        "Muller",
        "e\u0301",
        "é",
        "\uff21b",
        "z\U0001f600",
    ],
    SENDER: ["", "a", "A", "B", "Müller", "re: ab", "reab", "ABBA", "muller\u0001müller"],
    CLASS: ["", "a", "IPM.Note", "ipm.note.b", "IPM", "ä", "A"],
    FLAGS: [0, 1, 2, 3, -1, -(2**31), 2**31 - 1],
    IMPORTANCE: [0, 1, 2, -1, 3],
    SIZE8: [0, 1, 2, 2**63 - 1, -(2**63)],
    SCORE: [0.0, 1.0, -1.5, 1e300, float("inf"), float("nan")],
    READ: [False, True],
    RECEIVED: [filetime(s) + t for s in (0, 1, 2, 3) for t in (-1, 0, 1)] + [0, 2**63 - 1],
    SENT: [filetime(s) + t for s in (0, 1, 2, 3) for t in (-2, -1, 0, 1, 7)] + [0, 2**63 - 1],
    KEY: [b"", b"a", b"ab", b"b", b"\xff", b"\0"],
    GUID: [bytes(16), b"\1" * 16, b"\xff" * 16],
    KEYWORDS: ["a", "A", "red"],
    INSTANCE: ["a", "A", "red"],
    OTHER: ["a", "Müller"],
}


def fixed_table() -> Table:
    """200 rows in which each property has all the values of POOL, is often absent, and often equal to others."""
    chance = Random(7)
    table: list[Row] = []
    for _ in range(200):
        row = {tag: chance.choice(POOL[tag]) for tag in POOL if chance.random() < 0.8}
        row[KEYWORDS] = chance.sample(POOL[KEYWORDS], chance.randint(0, 3))
        row[CLASS], row[FLAGS] = chance.choice(POOL[CLASS]), chance.choice(POOL[FLAGS])
        row[READ] = bool(row[FLAGS] & 1)
        row[RECEIVED] = filetime(chance.randint(0, 3))
        if SENT in row:
            row[SENT] = filetime(chance.randint(0, 3)) + chance.choice([0, 0, 1, 7, TICKS - 1])
        if row.get(SCORE) != row.get(SCORE):
            del row[SCORE]
        table.append(row)
    return Table(table)


FIXED = fixed_table()


@pytest.mark.parametrize("tag", sorted(POOL), ids=hex)
def test_relations_of_each_property(tag: int) -> None:
    counts = set()
    for rel_op in range(6):
        for value in POOL[tag]:
            counts.add(len(FIXED.check(Property(rel_op, tag, value, SINGLE.get(tag, 0)))))
    assert len(counts) > 3 or tag == READ


@pytest.mark.parametrize("tag", [SUBJECT, SENDER, CLASS, KEY, KEYWORDS, INSTANCE, OTHER], ids=hex)
@pytest.mark.parametrize("low", [0, 1, 2, 3, 0x10, 0x20, 0x30])
def test_content_of_each_property(tag: int, low: int) -> None:
    found = 0
    for high in range(8):
        for value in POOL[tag]:
            found += len(FIXED.check(Content(low, high, tag, value, SINGLE.get(tag, 0))))
    assert found


@pytest.mark.parametrize("one", sorted(POOL), ids=hex)
def test_comparisons_sizes_masks_of_each_property(one: int) -> None:
    for rel_op in range(6):
        for other in POOL:
            FIXED.check(CompareProperties(rel_op, one, other))
            FIXED.check(CompareProperties(rel_op, other, one))
        for size in (0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17):
            FIXED.check(Size(rel_op, one, size))
            FIXED.check(Not(Size(rel_op, one, size)))
    for mask in (0, 1, 2, 3, 0x80000000, 0xFFFFFFFF):
        FIXED.check(BitMask(0, one, mask))
        FIXED.check(Not(BitMask(1, one, mask)))
    assert FIXED.check(Exist(one)) == [number for number, row in enumerate(FIXED.rows) if row.get(one) is not None]


def test_values_of_other_types() -> None:
    for tag in POOL:
        for other in POOL:
            for rel_op in range(6):
                FIXED.check(Property(rel_op, tag, POOL[other][1], SINGLE.get(other, other)))
            FIXED.check(Content(1, 1, tag, POOL[other][1], SINGLE.get(other, other)))


@settings(max_examples=500, deadline=None)
@given(restriction=RESTRICTIONS)
def test_python_and_sql_give_the_same_rows(restriction: Restriction) -> None:
    FIXED.check(restriction)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=st.lists(rows(), min_size=1, max_size=8), restriction=RESTRICTIONS)
def test_the_same_of_any_table(table: list[Row], restriction: Restriction) -> None:
    Table(table).check(restriction)


def test_what_sql_says() -> None:
    high = Property(RelOp.GT, IMPORTANCE, 1)
    assert to_sql(high, COLUMNS) == ("(importance IS NOT NULL AND (importance > ?))", [1], None)
    assert to_sql(Property(RelOp.EQ, FLAGS, 1), COLUMNS) == ("(flags = ?)", [1], None)
    body = Content(1, 1, OTHER, "x")
    assert to_sql(And((high, body)), COLUMNS) == ("(importance IS NOT NULL AND (importance > ?))", [1], body)
    assert to_sql(Or((high, body)), COLUMNS) == ("1", [], Or((high, body)))
    assert to_sql(Not(body), COLUMNS) == ("1", [], Not(body))
    late = Property(RelOp.GE, SENT, filetime(5) + 1)
    sql, params, rest = to_sql(Or((high, late)), COLUMNS)
    assert (params, rest) == ([1, 5], Or((high, late)))
    assert sql == "((importance IS NOT NULL AND (importance > ?)) OR (sent IS NOT NULL AND (sent >= ?)))"


def test_folded_text_is_looked_at_first() -> None:
    sql, params, rest = to_sql(Content(2, 1, SUBJECT, "MÜ"), COLUMNS)
    assert (params, rest) == (["mu", "mv", "mü"], None)
    assert "subject_folded COLLATE BINARY >= ?" in sql
    assert "caseless(subject)" in sql
    assert to_sql(Property(RelOp.EQ, SUBJECT, "Ab"), COLUMNS)[:2] == ("(subject_folded COLLATE BINARY IS ?)", ["ab"])


def test_an_index_of_folded_text_is_used() -> None:
    db = database([])
    db.execute("CREATE INDEX by_subject ON rows (subject_folded)")
    for restriction in (Property(RelOp.EQ, SUBJECT, "x"), Content(2, 1, SUBJECT, "x"), Content(0, 1, SUBJECT, "x")):
        sql, params, _ = to_sql(And((Exist(KEY), restriction)), COLUMNS)
        plan = db.execute(f"EXPLAIN QUERY PLAN SELECT id FROM rows WHERE {sql}", params).fetchall()
        assert "by_subject" in str(plan), (restriction, plan)


def test_lone_surrogates_and_huge_numbers_are_left_to_python() -> None:
    for restriction in (
        Property(RelOp.EQ, SUBJECT, "\ud800"),
        Content(1, 1, SENDER, "\ud800"),
        Property(RelOp.LT, SIZE8, 2**63),
        Property(RelOp.LT, RECEIVED, 2**90),
        Property(RelOp.EQ, SUBJECT, b"a", 0x0037001E),
    ):
        assert to_sql(restriction, COLUMNS) == ("1", [], restriction)
        FIXED.check(restriction)


def test_long_restrictions_stay_within_the_bounds_of_sqlite() -> None:
    many = Or(tuple([Property(RelOp.EQ, FLAGS, number) for number in range(LARGEST_SQL - 1)]))
    assert to_sql(many, COLUMNS)[2] is None
    assert len(FIXED.check(many)) > 10
    deep: Restriction = Property(RelOp.EQ, FLAGS, 1)
    for _ in range(63):
        deep = Not(deep)
    assert to_sql(deep, COLUMNS)[2] is None
    FIXED.check(deep)
    more = And((many, many))
    assert to_sql(more, COLUMNS) == ("1", [], more)
