"""What restrictions mean ([MS-OXCDATA] 2.12)."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.evaluate import caseless, compile_restriction, loose, plain, row_limit, unicode_restriction
from gromoxd.mapi.restrictions import (
    And,
    BitMask,
    Comment,
    CompareProperties,
    Content,
    Count,
    Exist,
    FuzzyHigh,
    FuzzyLow,
    Not,
    Or,
    Property,
    RelOp,
    Restriction,
    Size,
    SubObject,
)
from gromoxd.mapi.values import TaggedPropertyValue

SUBJECT, FLAGS, KEY = p.PidTagSubject, p.PidTagMessageFlags, p.PidTagSearchKey
KEYWORDS, KEYWORD, ROW_KEYWORD = 0x8001101F, 0x8001001F, 0x8001301F
SCORE = 0x80020005
LT, LE, GT, GE, EQ, NE = range(6)


def holds(restriction: Restriction, row: Any, **options: Any) -> bool:
    """Whether it does; its negation must not."""
    answer = compile_restriction(restriction, **options)(row)
    assert compile_restriction(Not(restriction), **options)(row) is not answer
    return answer


def relations(tag: int, value: Any, row: Bag, value_tag: int = 0) -> str:
    """The relations that hold, by name."""
    return " ".join(op.name for op in RelOp if op <= NE and holds(Property(op, tag, value, value_tag), row))


@pytest.mark.parametrize(
    ("stored", "asked", "wanted"),
    [
        (1, 2, "LT LE NE"),
        (2, 2, "LE GE EQ"),
        (3, 2, "GT GE NE"),
        (-1, 0xFFFFFFFF, "LT LE NE"),
        (None, 2, "NE"),
    ],
)
def test_numbers(stored: int | None, asked: int, wanted: str) -> None:
    row: Bag = {} if stored is None else {FLAGS: stored}
    assert relations(FLAGS, asked, row) == wanted


def test_strings_are_compared_without_case() -> None:
    assert relations(SUBJECT, "HELLO", {SUBJECT: "hello"}) == "LE GE EQ"
    assert relations(SUBJECT, "b", {SUBJECT: "A"}) == "LT LE NE"
    assert relations(SUBJECT, "straße", {SUBJECT: "STRASSE"}) == "LE GE EQ"
    assert relations(SUBJECT, "Muller", {SUBJECT: "Müller"}) == "GT GE NE"
    assert relations(SUBJECT, "Muller b", {SUBJECT: "Müller a"}) == "LT LE NE"


def test_octets_are_compared_as_they_are() -> None:
    assert relations(KEY, b"b", {KEY: b"ab"}) == "LT LE NE"
    assert relations(KEY, b"a", {KEY: b"ab"}) == "GT GE NE"


def test_nan_comes_before_the_numbers() -> None:
    assert relations(SCORE, 1.0, {SCORE: float("nan")}) == "LT LE NE"
    assert relations(SCORE, float("nan"), {SCORE: float("nan")}) == "LE GE EQ"


def test_kinds_of_numbers_compare_with_each_other() -> None:
    assert relations(p.PidTagRead, 1, {p.PidTagRead: True}, FLAGS) == "LE GE EQ"
    assert relations(SCORE, 1, {SCORE: 1.5}, FLAGS) == "GT GE NE"


@pytest.mark.parametrize(
    ("tag", "value", "value_tag"),
    [
        (SUBJECT, 1, FLAGS),
        (FLAGS, "1", SUBJECT),
        (p.PidTagMessageDeliveryTime, 1, FLAGS),
        (KEYWORDS, ["red"], 0),
        (SUBJECT, ["red"], KEYWORDS),
        (p.PidTagRuleCondition, b"", 0),
        (SUBJECT, None, 0),
    ],
)
def test_types_that_do_not_compare(tag: int, value: Any, value_tag: int) -> None:
    row: Bag = {SUBJECT: "1", FLAGS: 1, p.PidTagMessageDeliveryTime: 1, KEYWORDS: ["red"]}
    assert relations(tag, value, row, value_tag) == "NE"
    assert not holds(Content(1, 0, tag, value, value_tag), row)


def test_a_property_of_the_wrong_type_is_not_compared() -> None:
    assert relations(FLAGS, 1, {FLAGS: "1"}) == "NE"
    assert relations(SUBJECT, "1", {SUBJECT: b"1"}) == "NE"
    assert not holds(Content(1, 1, SUBJECT, "1"), {SUBJECT: b"1"})
    assert not holds(BitMask(1, FLAGS, 1), {FLAGS: "1"})


def test_properties_of_unspecified_type_are_the_objects_matter() -> None:
    assert relations(0x00370000, "b", {0x00370000: "a"}, SUBJECT) == "LT LE NE"


def content(text: str, value: str, low: int, high: int = 0) -> bool:
    return holds(Content(low, high, SUBJECT, value), {SUBJECT: text})


FULL, PART, START = FuzzyLow.FULLSTRING, FuzzyLow.SUBSTRING, FuzzyLow.PREFIX
CASE, MARKS, LOOSE = FuzzyHigh.IGNORECASE, FuzzyHigh.IGNORENONSPACE, FuzzyHigh.LOOSE


def test_how_much_must_match() -> None:
    assert content("abc", "abc", FULL)
    assert not content("abc", "ab", FULL)
    assert content("abc", "ab", START)
    assert not content("abc", "bc", START)
    assert content("abc", "bc", PART)
    assert not content("abc", "cb", PART)
    assert content("abc", "", PART)
    assert not holds(Content(PART, 0, SUBJECT, ""), {})


def test_how_strings_match() -> None:
    assert not content("ABC", "b", PART)
    assert content("ABC", "b", PART, CASE)
    assert content("ABC", "b", PART, LOOSE)
    assert not content("MÜLLER", "muller", FULL, CASE)
    assert content("MÜLLER", "müller", FULL, CASE)
    assert content("Müller", "Muller", FULL, MARKS)
    assert not content("Müller", "muller", FULL, MARKS)
    assert content("MÜLLER", "muller", FULL, MARKS | CASE)
    assert content("MÜLLER", "muller", PART, LOOSE)
    assert content("Muller", "Müller", PART, LOOSE)
    assert content("Große Straße", "STRASSE", PART, CASE)
    assert content("cafe\u0301 noir", "CAFÉ", START, CASE)


def test_words() -> None:
    word, phrase = FuzzyLow.PREFIX_ON_ANY_WORD, FuzzyLow.PHRASE_MATCH
    assert content("my report", "rep", word)
    assert not content("unreported", "rep", word)
    assert content("unreported report", "rep", word)
    assert not content("my report", "rep", phrase)
    assert content("my report (old)", "report", phrase)
    assert content("my report (old)", "my report", phrase)
    assert content("my Report", "report", phrase, CASE)
    assert content("my reports", "my rep", word | phrase)
    assert content("50 % (net)", "(net)", phrase)
    assert content("a.b", ".", phrase)


def test_octets_match_in_part() -> None:
    row: Bag = {KEY: b"SMTP:A"}
    assert holds(Content(START, CASE, KEY, b"SMTP"), row)
    assert not holds(Content(START, CASE, KEY, b"smtp"), row)
    assert holds(Content(PART, 0, KEY, b":A"), row)
    assert not holds(Content(FULL, 0, KEY, b":A"), row)
    assert holds(Content(FULL, 0, KEY, b"SMTP:A"), row)


def test_numbers_have_no_content() -> None:
    assert not holds(Content(FULL, 0, FLAGS, 1), {FLAGS: 1})


def test_one_of_many_values_is_enough() -> None:
    row: Bag = {KEYWORDS: ["red", "Blue"]}
    assert holds(Property(EQ, KEYWORDS, "blue", KEYWORD), row)
    assert holds(Property(NE, KEYWORDS, "blue", KEYWORD), row)
    assert not holds(Property(NE, KEYWORDS, "red", KEYWORD), {KEYWORDS: ["red"]})
    assert holds(Content(PART, CASE, KEYWORDS, "lu", KEYWORD), row)
    assert not holds(Content(PART, 0, KEYWORDS, "lU", KEYWORD), row)
    assert not holds(Property(EQ, KEYWORDS, "red", KEYWORD), {KEYWORDS: []})
    assert holds(Property(NE, KEYWORDS, "red", KEYWORD), {})
    assert holds(Size(EQ, KEYWORDS, 8), row)
    assert holds(Size(EQ, KEYWORDS, 10), row)
    assert not holds(Size(EQ, KEYWORDS, 18), row)


def test_a_column_of_single_values_is_asked_for_first() -> None:
    row: Bag = {KEYWORDS: ["red", "blue"], ROW_KEYWORD: "red"}
    blue = Property(EQ, ROW_KEYWORD, "blue", KEYWORD)
    assert not holds(blue, row)
    assert holds(blue, {KEYWORDS: ["red", "blue"]})
    assert holds(Exist(ROW_KEYWORD), {KEYWORDS: []})
    assert not holds(Exist(ROW_KEYWORD), {})


def test_8_bit_strings_are_the_same_property() -> None:
    subject8 = 0x0037001E
    assert holds(Property(EQ, subject8, b"M\xfcller"), {SUBJECT: "müller"})
    cyrillic = Content(PART, CASE, SUBJECT, b"\xe4\xf0", subject8)
    assert holds(cyrillic, {SUBJECT: "МДР"}, code_page=1251)
    assert not holds(cyrillic, {SUBJECT: "МДР"})
    assert holds(cyrillic, {SUBJECT: "ÄÐ"})
    assert holds(Exist(subject8), {SUBJECT: ""})
    assert holds(Content(FULL, 0, 0x8001101E, b"red", 0x8001001E), {KEYWORDS: ["red"]})


def test_unicode_restrictions() -> None:
    subject8 = 0x0037001E
    value = And(
        (
            Content(PART, CASE, SUBJECT, b"\xe4", subject8),
            Property(EQ, subject8, b"\xe4"),
            Property(EQ, FLAGS, 1),
            Exist(subject8),
            CompareProperties(EQ, subject8, SUBJECT),
            Comment((TaggedPropertyValue(subject8, b"\xe4"), TaggedPropertyValue(0x8001101E, [b"\xe4"])), None),  # type: ignore[list-item]
        )
    )
    assert unicode_restriction(value, 1251) == And(
        (
            Content(PART, CASE, SUBJECT, "д"),
            Property(EQ, SUBJECT, "д"),
            Property(EQ, FLAGS, 1),
            Exist(SUBJECT),
            CompareProperties(EQ, SUBJECT, SUBJECT),
            Comment((TaggedPropertyValue(SUBJECT, "д"), TaggedPropertyValue(KEYWORDS, ["д"])), None),
        )
    )


def compared(one: int, two: int, row: Bag) -> str:
    return " ".join(op.name for op in RelOp if op <= NE and holds(CompareProperties(op, one, two), row))


def test_two_properties() -> None:
    sent, received = p.PidTagClientSubmitTime, p.PidTagMessageDeliveryTime
    assert compared(sent, received, {sent: 1, received: 2}) == "LT LE NE"
    assert compared(received, sent, {sent: 1, received: 2}) == "GT GE NE"
    assert compared(sent, received, {sent: 1, received: 1}) == "LE GE EQ"
    assert compared(sent, received, {sent: 1}) == "NE"
    assert compared(sent, received, {}) == "LE GE EQ"
    assert compared(sent, FLAGS, {sent: 1, FLAGS: 1}) == "NE"
    assert compared(KEYWORDS, KEYWORDS, {KEYWORDS: ["a"]}) == "NE"
    assert compared(SUBJECT, p.PidTagSenderName, {SUBJECT: "A", p.PidTagSenderName: "a"}) == "LE GE EQ"
    assert not holds(CompareProperties(RelOp.MEMBER_OF_DL, SUBJECT, SUBJECT), {SUBJECT: "a"})


def test_bits() -> None:
    assert holds(BitMask(1, FLAGS, 0x11), {FLAGS: 1})
    assert not holds(BitMask(1, FLAGS, 0x10), {FLAGS: 1})
    assert holds(BitMask(0, FLAGS, 0x10), {FLAGS: 1})
    assert holds(BitMask(1, FLAGS, 0x80000000), {FLAGS: -1})
    assert not holds(BitMask(0, FLAGS, 1), {})
    assert not holds(BitMask(1, FLAGS, 1), {})
    assert not holds(BitMask(0, SUBJECT, 1), {SUBJECT: "a"})


@pytest.mark.parametrize(
    ("tag", "value", "size"),
    [(SUBJECT, "ab", 6), (SUBJECT, "\U0001f600", 6), (KEY, b"abc", 3), (FLAGS, 1, 4), (p.PidTagRead, True, 1)],
)
def test_sizes(tag: int, value: Any, size: int) -> None:
    assert holds(Size(EQ, tag, size), {tag: value})
    assert holds(Size(GT, tag, size - 1), {tag: value})
    assert not holds(Size(NE, tag, size), {tag: value})
    assert holds(Size(NE, tag, size), {})
    assert not holds(Size(LT, tag, 100), {})


class Message(dict[int, Any]):
    def recipients(self) -> list[Bag]:
        return [{p.PidTagRecipientType: 1, p.PidTagDisplayName: "Ann"}, {p.PidTagRecipientType: 2}]

    def attachments(self) -> list[Bag]:
        return [{p.PidTagAttachLongFilename: "a.pdf"}]


def test_sub_objects() -> None:
    def of(subobject: int, inner: Restriction) -> bool:
        return holds(SubObject(subobject, inner), Message())

    recipients, attachments = p.PidTagMessageRecipients, p.PidTagMessageAttachments
    to_ann = And((Property(EQ, p.PidTagRecipientType, 1), Content(START, CASE, p.PidTagDisplayName, "ann")))
    cc_ann = And((Property(EQ, p.PidTagRecipientType, 2), Content(START, CASE, p.PidTagDisplayName, "ann")))
    assert of(recipients, to_ann)
    assert not of(recipients, cc_ann)
    assert of(attachments, Content(PART, 0, p.PidTagAttachLongFilename, ".pdf"))
    assert not of(attachments, Exist(SUBJECT))
    assert not of(SUBJECT, Exist(SUBJECT))
    assert not holds(SubObject(recipients, And()), {})
    assert not of(recipients, SubObject(recipients, And()))


def test_members_of_lists() -> None:
    restriction = Property(RelOp.MEMBER_OF_DL, p.PidTagSenderEntryId, b"list", 0x00010102)
    row: Bag = {p.PidTagSenderEntryId: b"ann"}
    assert not holds(restriction, row)
    assert holds(restriction, row, member_of=lambda entry, group: (entry, group) == (b"ann", b"list"))
    assert not holds(restriction, row, member_of=lambda entry, group: False)
    assert not holds(restriction, {}, member_of=lambda entry, group: True)
    assert not holds(Property(RelOp.MEMBER_OF_DL, SUBJECT, "x"), {SUBJECT: "x"}, member_of=lambda a, b: True)


def test_logic() -> None:
    yes, no = Exist(SUBJECT), Exist(FLAGS)
    row: Bag = {SUBJECT: ""}
    assert holds(And(), row)
    assert not holds(Or(), row)
    assert holds(And((yes, yes)), row)
    assert not holds(And((yes, no)), row)
    assert holds(Or((no, yes)), row)
    assert not holds(Or((no, no)), row)
    assert holds(Comment((), None), row)
    assert not holds(Comment((), no), row)
    assert holds(Count(0, yes), row)
    assert row_limit(Count(7, yes)) == 7
    assert row_limit(yes) is None


def test_what_costs_little_is_asked_first() -> None:
    asked: list[int] = []

    class Row:
        def get(self, tag: int) -> Any:
            asked.append(tag)
            return None

    search = Content(PART, CASE, p.PidTagBody, "x")
    assert not compile_restriction(And((search, Exist(FLAGS))))(Row())
    assert asked == [FLAGS]


def test_too_deep_ones_are_not_compiled() -> None:
    deep: Restriction = And()
    for _ in range(5000):
        deep = Not(deep)
    with pytest.raises(WireError):
        compile_restriction(deep)


def test_forms_of_text() -> None:
    assert [f("Ünï ﬁ\uff21") for f in (caseless, plain, loose)] == ["ünï fi\uff41", "Uni ﬁ\uff21", "uni fia"]
    assert caseless("e\u0301") == "é"
