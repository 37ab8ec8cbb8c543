"""What a header says of how a mail was made, and marks of spam."""

from __future__ import annotations

import pytest

from gromoxd.convert import automail, junk
from gromoxd.convert.headers import unfold_fields
from store.settings import StoreSettings

RULES = StoreSettings().lda_junk_rules


def test_hops_and_traces() -> None:
    header = b"Received: a\r\nRECEIVED: b\r\nX-Gromoxd-Loop: A@x.test\r\nx-gromoxd-loop: b@x.test \r\n\r\n"
    fields = unfold_fields(header)
    assert automail.hops(fields) == 2
    assert automail.traces(fields) == ["a@x.test", "b@x.test"]
    assert automail.trace_field("A@X.test") == b"X-Gromoxd-Loop: a@x.test\r\n"


@pytest.mark.parametrize(
    ("sender", "person"),
    [
        ("a@x.test", True), ("", False), ("MAILER-DAEMON@x.test", False), ("postmaster@x.test", False),
        ("owner-list@x.test", False), ("list-owner@x.test", False), ("x-request@x.test", False),
        ("no-reply@x.test", False), ("noreply+token@x.test", False), ("do_not_reply@x.test", False),
        ("bounce@x.test", False), ("list-bounces+me=x.test@y.test", False), ("reply@x.test", True),
        ("owner@x.test", True), ("requests@x.test", True),
    ],
)  # fmt: skip
def test_people(sender: str, person: bool) -> None:
    assert automail.is_person(sender) is person


@pytest.mark.parametrize(
    ("header", "oof", "reply"),
    [
        ("Subject: x", "", ""),
        ("Auto-Submitted: no", "", ""),
        ("Auto-Submitted: NO; owner=x", "", ""),
        ("Auto-Submitted: auto-notified; x", "made by a machine", "made by a machine"),
        ("Precedence: List", "bulk mail", "bulk mail"),
        ("List-ID: x", "mail of a list", "mail of a list"),
        ("X-Auto-Response-Suppress: OOF, DR", "answers are not wanted", ""),
        ("X-Auto-Response-Suppress: autoreply", "", "answers are not wanted"),
        ("X-Auto-Response-Suppress: None", "", ""),
        ("Content-Type: multipart/report; report-type=x", "a report", "a report"),
    ],
)
def test_answers(header: str, oof: str, reply: str) -> None:
    fields = unfold_fields(header.encode() + b"\r\n\r\n")
    assert automail.unanswerable(fields, "a@x.test", "OOF") == oof
    assert automail.unanswerable(fields, "a@x.test", "AutoReply") == reply


def test_for_whom_it_is() -> None:
    assert automail.is_addressed(["B@x.test"], ["a@x.test", "b@X.test"])
    assert not automail.is_addressed([], ["a@x.test"])


# ---------------------------------------------------------------------------------------------- spam


@pytest.mark.parametrize(
    ("header", "spam"),
    [
        (b"X-Spam-Flag: YES", True), (b"x-spam-flag:yes", True), (b"X-Spam: Yes, really", True),
        (b"X-Spam-Flag: no\r\nX-Spam-Status: Yes", True), (b"X-Rspamd-Action: add header", True),
        (b"X-Rspamd-Action: no action", False), (b"X-MS-Exchange-Organization-SCL: 9", True),
        (b"X-MS-Exchange-Organization-SCL: 4", False), (b"X-MS-Exchange-Organization-SCL: -1", False),
        (b"Subject: X-Spam-Flag: YES", False), (b"Subject: a\r\n X-Spam-Flag: YES", False),
    ],
)  # fmt: skip
def test_marks_of_spam(header: bytes, spam: bool) -> None:
    assert junk.is_junk(b"From: a\r\n" + header + b"\r\nTo: b\r\n\r\n", RULES) is spam


def test_configured_rules() -> None:
    assert junk.split(" X-A: b ;; Y: c|d") == ["X-A: b", "Y: c|d"]
    assert [junk.problem(rule) == "" for rule in ("X: y", "no rule", ": x", "X Y: z", "X: (")] == [
        True, False, False, False, False,
    ]  # fmt: skip
    assert not junk.is_junk(b"X: y\r\n\r\n", "")
    assert not junk.is_junk(b"X: y\r\n\r\n", "no rule; X: (")
    assert junk.is_junk(b"X: y\r\n\r\n", "no rule; x: Y")


def test_configured_rules_do_not_disturb_each_other() -> None:
    rules = r"X: (?i)yes; Y: (?P<a>n)(?P=a); Z: (?P<a>m)(?P=a)"
    assert [junk.problem(rule) for rule in junk.split(rules)] == ["", "", ""]
    assert junk.is_junk(b"X: YES\r\n\r\n", rules)
    assert junk.is_junk(b"y: nn\r\n\r\n", rules) and junk.is_junk(b"Z: mm\r\n\r\n", rules)
    assert not junk.is_junk(b"X: no\r\nY: nm\r\nZ: nn\r\n\r\n", rules)
    assert junk.problem(r"X: \u20ac") != "" and not junk.is_junk(b"X: y\r\n\r\n", r"X: \u20ac")
