"""Rules that send: redirects, forwards, answers, refusals."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from email import message_from_bytes
from typing import Any

import pytest

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.rulecalls import MODIFY, REMOVE, ModifyRules, RuleChange
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import eid_int
from gromoxd.mapi.rules import ActionBlock, ActionType, Bounce, ForwardFlavor, Reply, ReplyFlavor, RuleState
from tests.store.conftest import INBOX, OWNER, Harness
from tests.store.mapi import objects
from tests.store.mapi.rulebox import (
    DELETE,
    ENABLED,
    EVERYTHING,
    SENDER,
    add,
    containing,
    deliver,
    forwarding,
    mail,
    oof,
    sent,
    standard,
    states,
    taken,
)

REDIRECT = ForwardFlavor.PR | ForwardFlavor.NC
BOB, CAROL = "bob@example.test", "carol@example.org"
GUID = b"template's guid!"


def test_redirect(box: Harness) -> None:
    add(box, standard(EVERYTHING, forwarding(BOB, CAROL, flavor=REDIRECT)))
    raw = mail()
    stored = deliver(box, raw)
    [one] = sent(box)
    assert (one.sender, one.recipients) == (SENDER, [BOB, CAROL])
    _, start, rest = one.raw.partition(b"Received: ")
    assert start + rest == raw[raw.index(b"Received: ") :]
    assert b"Return-Path" not in one.raw and b"Delivered-To" not in one.raw
    message = one.message
    assert message["X-Gromoxd-Loop"] == OWNER and message["Resent-From"] == OWNER
    assert BOB in message["Resent-To"] and message["Resent-Message-ID"] and message["Resent-Date"]
    assert message["From"] == f"Sam <{SENDER}>" and message["Message-ID"] == "<m1@example.org>"
    assert box.sql("SELECT count(*) FROM content") == [(1,)]
    assert box.sql("SELECT refs FROM content_refs") == [(2,)]
    assert stored.fid == INBOX
    taken(box)
    objects.check_references(box)


def test_redirect_without_a_copy(box: Harness) -> None:
    add(box, standard(EVERYTHING, forwarding(BOB, flavor=REDIRECT), DELETE))
    assert deliver(box, mail()).mid == 0
    assert len(taken(box)) == 1
    objects.check_references(box)


def test_forward_as_attachment(box: Harness) -> None:
    add(box, standard(EVERYTHING, forwarding(BOB, flavor=ForwardFlavor.AT)))
    raw = mail()
    deliver(box, raw)
    [one] = sent(box)
    message = one.message
    assert (one.sender, message["From"], message["Subject"]) == (OWNER, OWNER, "FW: Hello")
    assert message.get_content_type() == "message/rfc822"
    assert one.raw.endswith(raw[raw.index(b"Received: ") :])
    assert box.sql("SELECT count(*) FROM content") == [(1,)]


def test_forward_as_text(box: Harness) -> None:
    add(box, standard(EVERYTHING, forwarding(BOB)))
    header = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n"
    body = (
        "--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><b>Bold</b></body></html>\r\n--x\r\n"
        "Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\npdf\r\n--x--"
    )
    deliver(box, mail(header=header, body=body))
    message = sent(box)[0].message
    leaves = [part for part in message.walk() if not part.is_multipart()]
    parts = {part.get_content_type(): part.get_payload(decode=True) for part in leaves}
    assert b"From: Sam" in parts["text/html"] and b"<b>Bold</b>" in parts["text/html"]
    assert parts["application/pdf"] == b"pdf"
    assert (message["From"], message["Subject"], message["To"]) == (OWNER, "FW: Hello", BOB)


def test_a_large_mail_is_not_read_to_be_forwarded(box: Harness) -> None:
    add(box, standard(EVERYTHING, forwarding(BOB)))
    header = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    raw = mail(header=header, body="long line\r\n" * 120_000)
    deliver(box, raw)
    [one] = sent(box)
    assert one.raw.endswith(raw.partition(b"\r\n\r\n")[2])
    assert one.message["Content-Type"] == "text/plain; charset=utf-8" and one.message["From"] == OWNER
    assert box.sql("SELECT count(*) FROM content") == [(1,)]


def test_delegates(box: Harness) -> None:
    add(box, standard(EVERYTHING, forwarding(BOB, kind=ActionType.OP_DELEGATE)))
    deliver(box, mail())
    [one] = sent(box)
    assert (one.recipients, one.options.delegated_by) == ([BOB], OWNER)


def test_recipients_that_are_none(box: Harness) -> None:
    add(box, standard(EVERYTHING, forwarding("/o=x/cn=bob"), name="bad"))
    add(box, standard(EVERYTHING, forwarding(OWNER), name="me"))
    assert deliver(box, mail()).fid == INBOX
    assert sent(box) == []
    assert states(box) == {"bad": ENABLED | RuleState.ST_ERROR, "me": ENABLED}


@pytest.mark.parametrize("flavor", [0, ForwardFlavor.AT, REDIRECT])
@pytest.mark.parametrize(
    ("header", "reason"),
    [(f"X-Gromoxd-Loop: {OWNER.upper()}\r\n", "has been here before"), ("Received: x\r\n" * 30, "too many hops")],
)
def test_loops_are_cut(box: Harness, header: str, reason: str, flavor: int, caplog: pytest.LogCaptureFixture) -> None:
    add(box, standard(EVERYTHING, forwarding(BOB, flavor=flavor), DELETE))
    assert deliver(box, mail(header=header)).mid == 0
    assert sent(box) == []
    assert [record.__dict__["reason"] for record in caplog.records if "reason" in record.__dict__] == [reason]
    assert box.sql("SELECT count(*) FROM unlisted") == [(1,)]


def template(box: Harness, **more: Any) -> int:
    saved = objects.save(box, {
        p.PidTagMessageClass: "IPM.Note.rules.ReplyTemplate.Microsoft", p.PidTagSubject: "Thank you",
        p.PidTagBody: "We have your mail.", p.PidTagReplyTemplateId: GUID,
    }, associated=True, **more)  # fmt: skip
    return saved.mid


def replying(mid: int, flavor: int = 0, kind: int = ActionType.OP_REPLY, guid: bytes = GUID) -> ActionBlock:
    return ActionBlock(kind, Reply(guid, eid_int(1, INBOX), eid_int(1, mid)), flavor)


def test_reply(box: Harness) -> None:
    add(box, standard(EVERYTHING, replying(template(box))))
    deliver(box, mail(header="References: <m0@example.org>\r\n"))
    [one] = sent(box)
    assert (one.sender, one.recipients) == ("", [SENDER])
    message = one.message
    assert message["Auto-Submitted"] == "auto-replied" and message["Subject"] == "Thank you"
    assert (message["In-Reply-To"], message["References"]) == ("<m1@example.org>", "<m0@example.org> <m1@example.org>")
    assert "We have your mail." in message.get_payload()
    deliver(box, mail())
    assert len(sent(box)) == 2


def test_answers_are_no_amplifier(make: Callable[..., Harness]) -> None:
    """Whose address a stranger writes with gets only so many octets, and a rule with a huge template is none."""
    box = make(rule_reply_octets_max=20_000, rule_reply_size_max=10_000)
    for name, size in (("usual", 60), ("huge", 300)):
        saved = objects.save(box, {
            p.PidTagMessageClass: "IPM.Note.rules.ReplyTemplate.Microsoft", p.PidTagSubject: name,
            p.PidTagBody: ("x" * 98 + "\r\n") * size, p.PidTagReplyTemplateId: GUID,
        }, associated=True)  # fmt: skip
        add(box, standard(containing(name), replying(saved.mid), name=name))
    for _ in range(6):
        deliver(box, mail("usual"))
    assert [len(one.raw) // 6_000 for one in sent(box)] == [1, 1, 1]
    box.clock += 3600
    deliver(box, mail("usual"))
    deliver(box, mail("huge"), CAROL)
    assert [one.recipients for one in sent(box)] == [[SENDER]] * 4
    assert states(box) == {"usual": ENABLED, "huge": ENABLED | RuleState.ST_ERROR}


def test_reply_to_others_only(box: Harness) -> None:
    mid = template(box, recipients=[objects.person(BOB)])
    add(box, standard(EVERYTHING, replying(mid, ReplyFlavor.NS)))
    deliver(box, mail())
    assert sent(box)[0].recipients == [BOB]


def test_the_server_s_own_text(box: Harness) -> None:
    add(box, standard(EVERYTHING, replying(0, ReplyFlavor.ST)))
    deliver(box, mail())
    assert "automatic answer" in sent(box)[0].message.get_payload()


def test_the_template_may_have_moved_or_gone(box: Harness) -> None:
    template(box)
    add(box, standard(EVERYTHING, replying(0x7777), name="found"))
    deliver(box, mail())
    assert len(taken(box)) == 1
    add(box, standard(EVERYTHING, replying(0x7777, guid=b"another template"), name="lost"))
    deliver(box, mail())
    assert states(box) == {"found": ENABLED, "lost": ENABLED | RuleState.ST_ERROR}
    codes = [objects.bag(box, mid).get(p.PidTagRuleError) for (mid,) in box.sql("SELECT mid FROM messages WHERE fid=2")]
    assert codes == [0xA]


def test_oof_reply_once_to_each(box: Harness) -> None:
    state = int(RuleState.ST_ONLY_WHEN_OOF | RuleState.ST_KEEP_OOF_HIST)
    add(box, standard(EVERYTHING, replying(template(box), kind=ActionType.OP_OOF_REPLY), state=state))
    deliver(box, mail())
    oof(box, text="", external_text="")
    for sender in (SENDER, SENDER.upper(), CAROL, SENDER):
        deliver(box, mail(), sender)
    assert [one.recipients for one in taken(box)] == [[SENDER], [CAROL]]
    oof(box, text="", external_text="", state=0)
    oof(box, text="", external_text="", state=1)
    deliver(box, mail())
    assert [one.recipients for one in taken(box)] == [[SENDER]]


def test_the_history_of_answers_is_cleared(box: Harness) -> None:
    keep = int(RuleState.ST_ONLY_WHEN_OOF | RuleState.ST_KEEP_OOF_HIST)
    add(box, standard(EVERYTHING, replying(template(box), kind=ActionType.OP_OOF_REPLY), state=keep))
    oof(box, text="", external_text="")
    deliver(box, mail())
    deliver(box, mail())
    assert len(taken(box)) == 1
    [(rule_id,)] = box.sql("SELECT rule_id FROM rules")
    clear = RuleChange(MODIFY, {p.PidTagRuleId: rule_id, p.PidTagRuleState: keep - 0x80000000})
    box.call(ModifyRules(INBOX, [clear], b""), actor=OWNER)
    assert states(box) == {"rule": keep}
    deliver(box, mail())
    assert len(taken(box)) == 1
    box.call(ModifyRules(INBOX, [RuleChange(REMOVE, {p.PidTagRuleId: rule_id})], b""), actor=OWNER)
    assert box.sql("SELECT count(*) FROM auto_replies") == [(0,)]


@pytest.mark.parametrize(
    ("header", "sender"),
    [
        ("", ""), ("", "mailer-daemon@example.org"), ("", "list-request@example.org"), ("", "owner-list@example.org"),
        ("", "no-reply@example.org"), ("Auto-Submitted: auto-generated\r\n", SENDER), ("Precedence: bulk\r\n", SENDER),
        ("List-Id: <x.example.org>\r\n", SENDER), ("X-Auto-Response-Suppress: DR, AutoReply\r\n", SENDER),
        ("X-Auto-Response-Suppress: All\r\n", SENDER), ("", OWNER), (f"X-Gromoxd-Loop: {OWNER}\r\n", SENDER),
        ("Received: x\r\n" * 40, SENDER), ("Content-Type: multipart/report; boundary=x\r\n", SENDER),
    ],
)  # fmt: skip
def test_no_answer(box: Harness, header: str, sender: str, caplog: pytest.LogCaptureFixture) -> None:
    add(box, standard(EVERYTHING, replying(template(box))))
    assert deliver(box, mail(header=header), sender).fid == INBOX
    assert sent(box) == []
    assert sum(record.message == "rule sends nothing" for record in caplog.records) == 1


def test_an_answer_in_spite_of_such_fields(box: Harness) -> None:
    add(box, standard(EVERYTHING, replying(template(box))))
    deliver(box, mail(header="Auto-Submitted: no\r\nPrecedence: first-class\r\nX-Auto-Response-Suppress: OOF\r\n"))
    assert len(sent(box)) == 1


@pytest.mark.parametrize(("code", "status"), [(0x0D, "5.2.3"), (0x1F, "5.6.0"), (0x26, "5.7.1"), (0x99, "5.7.1")])
def test_bounce(box: Harness, code: int, status: str) -> None:
    add(box, standard(EVERYTHING, ActionBlock(ActionType.OP_BOUNCE, Bounce(code))))
    assert deliver(box, mail()).mid == 0
    assert box.sql("SELECT count(*) FROM messages") == box.sql("SELECT count(*) FROM message_data") == [(0,)]
    [one] = taken(box)
    assert (one.sender, one.recipients) == ("", [SENDER])
    report = message_from_bytes(one.raw)
    assert report.get_content_type() == "multipart/report"
    payload: Any = report.get_payload()
    text, told, original = payload
    assert told.get_payload()[1]["Status"] == status and told.get_payload()[1]["Action"] == "failed"
    assert message_from_bytes(original.get_payload().encode())["Subject"] == "Hello"
    assert not report.defects and not text.defects
    objects.check_references(box)


def test_what_cannot_be_sent_back_is_kept(box: Harness) -> None:
    add(box, standard(EVERYTHING, ActionBlock(ActionType.OP_BOUNCE, Bounce(0x26))))
    assert deliver(box, mail(), "").fid == INBOX
    assert sent(box) == []


def test_spooled_mail(box: Harness) -> None:
    raw = mail(body="x" * 70 + "\r\n" + "y\r\n" * 200_000)
    add(box, standard(EVERYTHING, forwarding(BOB, flavor=REDIRECT)))
    with tempfile.TemporaryFile() as spool:
        spool.write(raw)
        spool.flush()
        message = c.NewMessage(digest_message(raw, received=1), b"", 1)
        box.call(c.Deliver(message, SENDER, b"spooled", b"", OWNER), spool=spool.fileno())
    [one] = sent(box)
    assert one.raw.endswith(raw[raw.index(b"Received: ") :])
