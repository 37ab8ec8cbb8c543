"""Mail, rules, out-of-office: what Outlook does, and what comes of it by LMTP and at a mail server elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.outlook.conftest import ALICE, BOB
from tests.process.sites import Place, place
from tests.support.outlook import rops as r
from tests.support.outlook import tags as t
from tests.support.outlook import values as v
from tests.support.outlook.profile import INBOX, IPM, OUTBOX, SENT, Folder, Message, Profile, Store
from tests.support.outlook.values import Recipient
from tests.support.outlook.wire import u8, u16, u64
from tests.support.sending import parsed
from tests.support.server import until

pytestmark = pytest.mark.slow
SAM = "sam@elsewhere.test"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("outlook")) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_sent(at: Place) -> None:
    at.sink.mails.clear()


@pytest.fixture
def alice(at: Place) -> Iterator[Profile]:
    with Profile(at.server, ALICE) as made:
        yield made


@pytest.fixture
def bob(at: Place) -> Iterator[Profile]:
    with Profile(at.server, BOB) as made:
        yield made


def come(at: Place, subject: str, *, sender: str = SAM, body: str = "The text.") -> None:
    """A mail for alice comes, and what it causes happens."""
    at.server.deliver(
        f"From: Sam <{sender}>\r\nTo: {ALICE}\r\nSubject: {subject}\r\nMessage-ID: <{subject.replace(' ', '.')}@e.test>"
        f"\r\nDate: Mon, 01 Jun 2026 09:00:00 +0000\r\n\r\n{body}\r\n".encode(),
        ALICE, sender=sender,
    )  # fmt: skip
    at.rest()


def sent_items(store: Store) -> bytes:
    """The entry id of Sent Items ([MS-OXCDATA] 2.2.4.1), for PidTagSentMailEntryId."""
    ltid = store.session.one(r.LongTermIdFromId(store.handle, store.folders[SENT]))
    return bytes(4) + store.guid + b"\1\0" + ltid


def draft(store: Store, subject: str, *to: Recipient, **more: object) -> Message:
    """A message in the Outbox as Outlook makes one: it is to be moved to Sent Items."""
    message = store.folder(OUTBOX).new({
        t.MessageClass: "IPM.Note", t.Subject: subject, t.Body: "the text\r\n", t.SentMailEntryId: sent_items(store),
        t.DeleteAfterSubmit: False,
    })  # fmt: skip
    message.recipients(*to, columns=(t.ObjectType, t.DisplayType, t.SmtpAddress, t.SendRichInfo))
    if more:
        message.set({getattr(t, key): value for key, value in more.items()})
    return message


def smtp(address: str, kind: int = 1) -> Recipient:
    return Recipient(kind, address.partition("@")[0].title(), address, props={t.ObjectType: 6, t.DisplayType: 0})


def gal(profile: Profile, name: str, kind: int = 1) -> Recipient:
    props = {t.ObjectType: 6, t.DisplayType: 0}
    return Recipient(kind, name, dn=profile.account.dn, props=props)


def test_sent_to_the_address_book_and_elsewhere(at: Place, alice: Profile, bob: Profile) -> None:
    store = alice.store()
    message = draft(store, "to both", gal(bob, "Bob"), smtp(SAM, 2), smtp("hidden@elsewhere.test", 3))
    message.attach("note.txt", b"an attachment")
    message.save()
    message.submit()
    message.release()
    at.rest()
    inbox = bob.store().folder(INBOX)
    with inbox.open(inbox.mid_of("to both")) as got:
        found = got.get(t.SenderSmtp, t.SenderName, t.SentRepresentingName, t.Body, t.HasAttachments, t.DisplayTo,
                        t.SenderEmail, t.SenderAddressType)  # fmt: skip
        assert (found[t.SenderSmtp], found[t.SenderName]) == (ALICE, "Alice")
        assert found[t.Body].rstrip() == "the text" and found[t.HasAttachments] is True
        assert found[t.DisplayTo] == "Bob"
        assert got.attachment(0).get(t.AttachData)[t.AttachData] == b"an attachment"
    [(sender, recipients, raw)] = at.sink.mails
    assert sender == ALICE and sorted(recipients) == ["hidden@elsewhere.test", SAM]
    mail = parsed(raw)
    assert (mail["To"].addresses[0].addr_spec, mail["Cc"].addresses[0].addr_spec) == (BOB, SAM)
    assert mail["Bcc"] is None and mail["From"].addresses[0].addr_spec == ALICE
    sent = store.folder(SENT)
    with sent.open(sent.mid_of("to both")) as copy:
        flags = copy.get(t.MessageFlags)[t.MessageFlags]
        assert flags & 0x08 == 0 and flags & 0x01  # no draft any more, read
        assert copy.opened is not None
        assert {one.kind for one in copy.opened.recipients} == {1, 2, 3}
        assert {one.dn.lower() for one in copy.opened.recipients if one.kind == 1} <= {bob.account.dn.lower(), ""}
    assert "to both" not in store.folder(OUTBOX).subjects()


def test_transport_send(at: Place, alice: Profile) -> None:
    """RopTransportSend sends and keeps the message where it is, for the client to move ([MS-OXOMSG] 2.2.3.8)."""
    store = alice.store()
    message = draft(store, "by transport", smtp(SAM))
    message.save()
    alice.session.run(r.TransportSend(message.handle))
    message.release()
    at.rest()
    assert at.sink.subjects() == ["by transport"]


def test_deferred_and_aborted(at: Place, alice: Profile) -> None:
    store = alice.store()
    later = v.filetime(datetime.now(UTC) + timedelta(seconds=3))
    message = draft(store, "deferred", smtp(SAM), DeferredSendTime=later)
    message.save()
    message.submit()
    message.release()
    assert at.sink.subjects() == []
    outbox = store.folder(OUTBOX)
    with outbox.open(outbox.mid_of("deferred")) as waiting:
        assert waiting.get(t.MessageFlags)[t.MessageFlags] & 0x04  # mfSubmitted
    until(lambda: at.sink.subjects() == ["deferred"], seconds=15)
    far = v.filetime(datetime.now(UTC) + timedelta(days=2))
    message = draft(store, "aborted", smtp(SAM), DeferredSendTime=far)
    mid = message.save()
    message.submit()
    message.release()
    alice.session.run(r.AbortSubmit(store.handle, outbox.fid, mid))
    with outbox.open(mid) as kept:
        assert not kept.get(t.MessageFlags)[t.MessageFlags] & 0x04
    at.rest()
    assert at.sink.subjects() == ["deferred"]
    outbox.delete(mid)


def test_too_many_or_no_recipients(at: Place, alice: Profile) -> None:
    message = draft(alice.store(), "to nobody")
    message.save()
    with pytest.raises(r.RopError):
        message.submit()
    message.release()


def a_rule(
    name: str, condition: bytes, *actions: bytes, sequence: int = 10, state: int = 1
) -> tuple[int, dict[int, object]]:
    return 1, {
        t.RuleSequence: sequence, t.RuleState: state, t.RuleUserFlags: 0, t.RuleCondition: condition,
        t.RuleActions: v.rule_actions(*actions), t.RuleProvider: "RuleOrganizer", t.RuleName: name, t.RuleLevel: 0,
        t.RuleProviderData: bytes(16),
    }  # fmt: skip


def with_subject(text: str) -> bytes:
    return v.r_and(v.r_exist(t.Subject), v.r_content(t.Subject, text))


def test_rules_act_on_the_next_delivery(at: Place, alice: Profile) -> None:
    store = alice.store()
    inbox, moved = store.folder(INBOX), store.folder(IPM).create("Moved by rule")
    forward = v.action(7, u16(1) + u8(1) + v.bag({
        t.ObjectType: 6, t.DisplayType: 0, t.DisplayName: "Carl", t.AddressType: "SMTP",
        t.EmailAddress: "carl@elsewhere.test", t.RecipientType: 1, t.SmtpAddress: "carl@elsewhere.test",
    }))  # fmt: skip
    rules = [
        a_rule("move", with_subject("sort me"), v.move_to(moved.fid), v.action(0x0B)),
        a_rule("delete", with_subject("away with it"), v.action(0x0A), sequence=11),
        a_rule("forward", with_subject("tell carl"), forward, sequence=12),
        a_rule("tag", with_subject("important"), v.action(9, v.tagged(t.Importance, 2)), sequence=13),
        a_rule("disabled", with_subject("keep"), v.action(0x0A), sequence=14, state=0),
    ]
    alice.session.run(r.ModifyRules(inbox.handle, 1, rules))  # 1: replace all
    rows = inbox.rules()
    assert [(row[t.RuleName], row[t.RuleSequence], row[t.RuleState]) for row in rows] == [
        ("move", 10, 1), ("delete", 11, 1), ("forward", 12, 1), ("tag", 13, 1), ("disabled", 14, 0),
    ]  # fmt: skip
    assert [kind for kind, *_ in rows[0][t.RuleActions]] == [1, 0x0B]
    assert rows[1][t.RuleCondition][0] == 0 and rows[0][t.RuleId] != rows[1][t.RuleId]
    for subject in ("please sort me", "away with it", "tell carl", "important", "keep"):
        come(at, subject)
    assert moved.subjects() == ["please sort me"]
    assert [row[t.MessageFlags] & 1 for row in moved.rows(t.MessageFlags)] == [1]
    assert {"tell carl", "important", "keep"} <= set(inbox.subjects())
    assert "away with it" not in inbox.subjects()
    with inbox.open(inbox.mid_of("important")) as message:
        assert message.get(t.Importance) == {t.Importance: 2}
    [(_, recipients, raw)] = at.sink.mails
    assert recipients == ["carl@elsewhere.test"] and "tell carl" in str(parsed(raw)["Subject"])
    alice.session.run(r.ModifyRules(inbox.handle, 0, [(4, {t.RuleId: rows[1][t.RuleId]})]))
    come(at, "away with it")
    assert "away with it" in inbox.subjects()
    alice.session.run(r.ModifyRules(inbox.handle, 1, []))
    assert inbox.rules() == []


def oof_template(inbox: Folder, message_class: str, text: str) -> tuple[int, bytes]:
    """A reply template: FAI of the Inbox ([MS-OXORULE] 2.2.9.1, [MS-OXWOOF])."""
    guid = bytes(range(16))
    mid = inbox.save_new(
        {t.MessageClass: message_class, t.Subject: "Out", t.Body: text, 0x65C20102: guid}, associated=True
    )
    return mid, guid


def test_out_of_office_as_outlook_sets_it(at: Place, alice: Profile) -> None:
    store = alice.store()
    inbox = store.folder(INBOX)
    mid, guid = oof_template(inbox, "IPM.Note.Rules.OofTemplate.Microsoft", "Gone fishing until Monday.")
    reply = v.action(4, u64(inbox.fid, mid) + guid)  # OP_OOF_REPLY
    # ST_ENABLED, ST_ONLY_WHEN_OOF, ST_KEEP_OOF_HIST ([MS-OXORULE] 2.2.1.3.1.3)
    row = a_rule("Out of office", v.r_exist(t.MessageClass), reply, state=0x01 | 0x04 | 0x08)
    props = {**row[1], t.RuleProvider: "MSFT:TDX OOF Rules"}
    alice.session.run(r.ModifyRules(inbox.handle, 0, [(1, props)]))
    alice.session.run(r.SetProperties(store.handle, {t.OutOfOfficeState: True}))
    assert store.get(t.OutOfOfficeState) == {t.OutOfOfficeState: True}
    assert alice.store().info["response_flags"] & 0x04 or alice.store().info["response_flags"] & 0x08
    come(at, "are you there", sender="asks@elsewhere.test")
    [(sender, recipients, raw)] = at.sink.mails
    mail = parsed(raw)
    body = mail.get_body(("plain",))
    assert (sender, recipients) == ("", ["asks@elsewhere.test"])
    assert mail["Auto-Submitted"] == "auto-replied"
    assert body is not None and "Gone fishing" in body.get_content()
    come(at, "again", sender="asks@elsewhere.test")
    assert len(at.sink.mails) == 1  # once a sender
    alice.session.run(r.SetProperties(store.handle, {t.OutOfOfficeState: False}))
    come(at, "and now", sender="other@elsewhere.test")
    assert len(at.sink.mails) == 1
    alice.session.run(r.ModifyRules(inbox.handle, 1, []))


def test_out_of_office_set_by_the_administrator_is_seen(at: Place, alice: Profile) -> None:
    at.server.ctl(
        "oof", "set", ALICE, "--state", "on", "--text", "x", "--external-text", "y", "--audience", "everybody"
    )
    assert alice.store().get(t.OutOfOfficeState) == {t.OutOfOfficeState: True}
    at.server.ctl("oof", "set", ALICE, "--state", "off")
    assert alice.store().get(t.OutOfOfficeState) == {t.OutOfOfficeState: False}


def test_on_behalf_of_another(at: Place, alice: Profile, bob: Profile) -> None:
    """A delegate is the sender, his principal the author; others are refused ([MS-OXOMSG] 3.3.5.1.3)."""
    store = bob.store()
    entry_id = alice.store().get(t.UserEntryId)[t.UserEntryId]

    def message(subject: str) -> Message:
        made = draft(store, subject, smtp(SAM))
        made.set({
            t.SentRepresentingName: "Alice", t.SentRepresentingAddressType: "EX",
            t.SentRepresentingEmail: alice.account.dn, 0x00410102: entry_id,
        })  # fmt: skip
        made.save()
        return made

    refused = message("not allowed")
    with pytest.raises(r.RopError) as failed:
        refused.submit()
    assert failed.value.code == 0x80070005
    refused.release()
    at.server.ctl("permission", "delegates", "add", ALICE, BOB)
    at.server.ctl("reload")
    allowed = message("on her behalf")
    allowed.submit()
    allowed.release()
    at.rest()
    assert at.sink.subjects() == ["on her behalf"]
    [(envelope, _, raw)] = at.sink.mails
    mail = parsed(raw)
    assert envelope == BOB
    assert (mail["From"].addresses[0].addr_spec, mail["From"].addresses[0].display_name) == (ALICE, "Alice")
    assert (mail["Sender"].address.addr_spec, mail["Sender"].address.display_name) == (BOB, "Bob")
