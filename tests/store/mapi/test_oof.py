"""The out-of-office message: its settings, to whom it goes, and to whom it does not (RFC 3834)."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import oofcalls as f
from gromoxd.exmdb.storecalls import GetStoreProps, SetStoreProps
from gromoxd.mapi import proptags as p
from gromoxd.mapi.named_tags import PidLidEmail2EmailAddress
from gromoxd.mapi.rules import ActionBlock, ActionType, Bounce
from store.mapi import ruletemplates
from tests.store.conftest import INBOX, OWNER, Harness
from tests.store.mapi import objects
from tests.store.mapi.rulebox import EVERYTHING, SENDER, add, deliver, folder, mail, oof, sent, standard, taken

INSIDE = "ida@example.test"
CONTACTS = 0x13


def is_away(box: Harness) -> object:
    return box.call(GetStoreProps([p.PidTagOutOfOfficeState]), actor=OWNER)[p.PidTagOutOfOfficeState]


def test_settings_are_kept(box: Harness) -> None:
    assert box.call(f.GetOof(), actor=OWNER) == f.OofSettings()
    settings = f.OofSettings(2, 100, 200, "in", True, "<b>out</b>", True, 1, "s", "x")
    box.call(f.SetOof(settings), actor=OWNER)
    box.reopen()
    assert box.call(f.GetOof(), actor=OWNER) == settings
    assert p.PROP_OOF not in box.call(GetStoreProps(), actor=OWNER)
    assert box.call(GetStoreProps([p.PROP_OOF]), actor=OWNER) == {}


@pytest.mark.parametrize(
    "change",
    [{"state": 3}, {"audience": -1}, {"start": -1}, {"end": 1 << 33}, {"state": 2, "start": 5, "end": 5},
     {"text": "x" * 300_000}, {"external_text": "x" * 300_000}, {"subject": "x" * 300}],
)  # fmt: skip
def test_settings_that_are_none(box: Harness, change: dict[str, object]) -> None:
    assert box.refused(f.SetOof(f.OofSettings(**change)), actor=OWNER) == Ec.ecInvalidParam  # type: ignore[arg-type]


def test_the_store_s_property_agrees(box: Harness) -> None:
    assert is_away(box) is False
    oof(box, text="kept")
    assert is_away(box) is True
    box.call(SetStoreProps({p.PidTagOutOfOfficeState: False}), actor=OWNER)
    settings = box.call(f.GetOof(), actor=OWNER)
    assert (is_away(box), settings.state, settings.text) == (False, f.OFF, "kept")
    box.call(SetStoreProps({p.PidTagOutOfOfficeState: True}), actor=OWNER)
    assert box.call(f.GetOof(), actor=OWNER).state == f.ON
    now = int(box.clock)
    oof(box, state=f.SCHEDULED, start=now + 10, end=now + 20)
    assert is_away(box) is False
    box.clock += 15
    assert is_away(box) is True
    box.clock += 10
    assert is_away(box) is False


def test_what_it_looks_like(box: Harness) -> None:
    box.call(SetStoreProps({p.PidTagDisplayName: "Alice Example"}))
    oof(box)
    stored = deliver(box, mail("Lunch?", header="References: <m0@example.org>\r\n"))
    assert stored.fid == INBOX
    [one] = sent(box)
    assert (one.sender, one.recipients) == ("", [SENDER])
    message = one.message
    assert message["Subject"] == "Automatic reply: Lunch?" and message["From"] == f"Alice Example <{OWNER}>"
    assert (message["To"], message["Auto-Submitted"]) == (SENDER, "auto-replied")
    assert (message["X-Auto-Response-Suppress"], message["Precedence"]) == ("All", "bulk")
    assert (message["In-Reply-To"], message["References"]) == ("<m1@example.org>", "<m0@example.org> <m1@example.org>")
    assert message["X-Gromoxd-Loop"] == OWNER
    assert str(message.get_payload()).strip() == "Away."


def test_inside_and_outside(box: Harness) -> None:
    oof(box, html=True, text="<p>I am <b>away</b>.</p>", subject="Gone", external_subject="Out")
    deliver(box, mail(), INSIDE)
    deliver(box, mail(), SENDER)
    deliver(box, mail(), "other@example.net", internal=True)
    inside, outside, hinted = [one.message for one in taken(box)]
    assert (inside["Subject"], outside["Subject"], hinted["Subject"]) == ("Gone", "Out", "Gone")
    html = [part for part in inside.walk() if part.get_content_type() == "text/html"]
    assert b"<b>away</b>" in html[0].get_payload(decode=True)
    assert outside.get_content_type() == "text/plain"


def test_audience(box: Harness) -> None:
    oof(box, audience=f.NOBODY)
    deliver(box, mail())
    assert taken(box) == []
    oof(box, audience=f.KNOWN)
    deliver(box, mail())
    assert taken(box) == []
    below = folder(box, "Friends")
    box.sql("UPDATE folders SET parent_fid=? WHERE fid=?", CONTACTS, below)
    objects.save(box, {p.PidTagMessageClass: "IPM.Contact", PidLidEmail2EmailAddress: SENDER.title()}, below)
    deliver(box, mail())
    assert [one.recipients for one in taken(box)] == [[SENDER]]


def test_no_text_no_message(box: Harness) -> None:
    oof(box, text="", external_text="")
    deliver(box, mail())
    deliver(box, mail(), INSIDE)
    assert sent(box) == []


def test_once_in_a_time_away(box: Harness) -> None:
    oof(box)
    for sender in (SENDER, SENDER, SENDER.upper(), INSIDE, SENDER):
        deliver(box, mail(), sender)
    assert [one.recipients for one in taken(box)] == [[SENDER], [INSIDE]]
    box.reopen()
    deliver(box, mail())
    assert taken(box) == []
    oof(box, text="another text")
    deliver(box, mail())
    assert len(taken(box)) == 1
    box.call(SetStoreProps({p.PidTagOutOfOfficeState: True}), actor=OWNER)
    deliver(box, mail())
    assert taken(box) == []


def test_only_in_its_time(box: Harness) -> None:
    now = int(box.clock)
    oof(box, state=f.SCHEDULED, start=now + 100, end=now + 200)
    for later, expected in ((0, 0), (100, 1), (200, 1)):
        box.clock = now + later
        deliver(box, mail())
        assert len(sent(box)) == expected


@pytest.mark.parametrize(
    ("header", "sender", "reason"),
    [
        ("", "", "null sender"),
        ("", "MAILER-DAEMON@example.org", "sender is no person"),
        ("", "list-bounces+a=b@example.org", "sender is no person"),
        ("", "noreply@example.org", "sender is no person"),
        ("", OWNER.upper(), "from the mailbox itself"),
        ("Auto-Submitted: auto-replied (vacation)\r\n", SENDER, "made by a machine"),
        ("Precedence: junk\r\n", SENDER, "bulk mail"),
        ("List-Unsubscribe: <https://example.org>\r\n", SENDER, "mail of a list"),
        ("X-Auto-Response-Suppress: RN, OOF\r\n", SENDER, "answers are not wanted"),
        (f"X-Gromoxd-Loop: {OWNER}\r\n", SENDER, "has been here before"),
    ],
)
def test_silent(box: Harness, header: str, sender: str, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    oof(box)
    deliver(box, mail(header=header), sender)
    assert sent(box) == []
    said = [r.__dict__["reason"] for r in caplog.records if r.message == "out-of-office message not sent"]
    assert said == [reason]


def test_silent_when_it_is_not_for_the_owner(box: Harness) -> None:
    oof(box)
    deliver(box, mail(to="team@example.test"))
    assert taken(box) == []
    deliver(box, mail(to="a.example@example.test"), recipient="A.Example@example.test")
    [one] = taken(box)
    assert one.message["From"] == "A.Example@example.test"


def test_silent_to_spam_and_refused_mail(box: Harness) -> None:
    oof(box)
    deliver(box, mail(header="X-Spam-Flag: YES\r\n"))
    assert sent(box) == []
    add(box, standard(EVERYTHING, ActionBlock(ActionType.OP_BOUNCE, Bounce(0x26))))
    deliver(box, mail())
    assert [one.message.get_content_type() for one in sent(box)] == ["multipart/report"]


def test_the_owner_s_right(box: Harness) -> None:
    for call in (f.GetOof(), f.SetOof(f.OofSettings())):
        assert box.refused(call, actor="bob@example.test") == Ec.ecAccessDenied


def test_many_senders(box: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruletemplates, "MOST_ANSWERED", 20)
    oof(box)
    for number in range(30):
        box.clock += 1
        deliver(box, mail(), f"s{number}@example.org")
    assert len(sent(box)) == 30
    assert box.sql("SELECT count(*) <= 21 FROM auto_replies") == [(1,)]


def test_the_case_of_an_address_makes_no_other_sender(box: Harness) -> None:
    oof(box, text="in", external_text="out", audience=f.EVERYBODY)
    for sender in (SENDER, SENDER.upper(), SENDER.capitalize()):
        deliver(box, mail(), sender=sender)
    assert len(sent(box)) == 1
