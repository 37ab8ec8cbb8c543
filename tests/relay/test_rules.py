"""Rules and out-of-office messages with the relay between the mailboxes: redirects, answers, folders of others."""

from __future__ import annotations

import email
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.oofcalls import OofSettings, SetOof
from gromoxd.exmdb.rulecalls import ModifyRules, RuleChange
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import STORE_PRIVATE, FolderEntryId, StoreEntryId
from gromoxd.mapi.ids import LongTermId
from gromoxd.mapi.rules import ActionBlock, ActionType, ForwardFlavor, MoveCopy
from tests.relay.test_engine import inbox
from tests.relay.test_pull import ALICE, BOB, BOSS, Site
from tests.store.mapi.rulebox import EVERYTHING, forwarding, standard

INBOX = 0x0D
REDIRECT = ForwardFlavor.PR | ForwardFlavor.NC
MAIL = (
    b"From: Sam <sam@elsewhere.test>\r\nTo: alice@example.test\r\nSubject: hello\r\nMessage-ID: <1@elsewhere.test>\r\n"
    b"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\ntext\r\n"
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def rules(site: Site, box: MailboxRef, *changes: RuleChange) -> None:
    site.store.call(box, ModifyRules(INBOX, list(changes), b""), actor=box.maildir)


def props(site: Site, box: MailboxRef, *tags: int) -> dict[int, Any]:
    db: Any = site.store.mailbox(box.maildir)._runner.tx.db
    [(mid,)] = db.execute("SELECT mid FROM messages WHERE fid=13").fetchall()
    found: o.Message = site.store.call(box, o.OpenMessage(mid, tags=list(tags)), actor=SYSTEM)
    return found.props


def test_two_who_redirect_to_each_other(site: Site) -> None:
    rules(site, ALICE, standard(EVERYTHING, forwarding(BOB.maildir, flavor=REDIRECT)))
    rules(site, BOB, standard(EVERYTHING, forwarding(ALICE.maildir, flavor=REDIRECT)))
    site.store.call(BOB, SetOof(OofSettings(1, text="t", external_text="Away.", audience=2)), actor=BOB.maildir)
    site.gone(site.add(ALICE.maildir, raw=MAIL, sender="sam@elsewhere.test"))
    site.puller.ask(ALICE.maildir)
    site.until(lambda: inbox(site, BOB.maildir))
    site.puller.ask(BOB.maildir)
    site.until(lambda: len(inbox(site, ALICE.maildir)) == 2)
    assert site.waiting(ALICE) == site.waiting(BOB) == 0
    [redirected] = [email.message_from_bytes(raw) for raw in inbox(site, BOB.maildir)]
    assert (redirected["Return-Path"], redirected["Resent-From"]) == ("<sam@elsewhere.test>", ALICE.maildir)
    assert len(inbox(site, BOB.maildir)) == 1 and site.server.mails == []


def test_an_out_of_office_message_leaves(site: Site) -> None:
    site.store.call(ALICE, SetOof(OofSettings(1, text="t", external_text="Away.", audience=2)), actor=ALICE.maildir)
    site.gone(site.add(ALICE.maildir, raw=MAIL, sender="sam@elsewhere.test"))
    site.puller.ask(ALICE.maildir)
    [(sender, recipients, octets, _)] = site.until(lambda: site.server.mails)
    assert (sender, recipients) == ("", ["sam@elsewhere.test"])
    message = email.message_from_bytes(octets)
    assert (message["Subject"], message["Auto-Submitted"]) == ("Automatic reply: hello", "auto-replied")


def test_delegates(site: Site) -> None:
    rules(site, BOSS, standard(EVERYTHING, forwarding(BOB.maildir, kind=ActionType.OP_DELEGATE)))
    site.gone(site.add(BOSS.maildir, raw=MAIL, sender="sam@elsewhere.test"))
    site.puller.ask(BOSS.maildir)
    site.until(lambda: inbox(site, BOB.maildir))
    told = props(site, BOB, p.PidTagDelegatedByRule, p.PidTagReceivedRepresentingEmailAddress)
    assert told == {p.PidTagDelegatedByRule: True, p.PidTagReceivedRepresentingEmailAddress: BOSS.maildir}


def test_into_the_folder_of_somebody_else(site: Site) -> None:
    made: c.Folder = site.store.call(BOB, c.CreateFolder("Shared", request_id=b"f"), actor=BOB.maildir)
    guid = b"B" * 16
    target = MoveCopy(
        False, StoreEntryId(b"example.test", BOB.maildir.encode(), STORE_PRIVATE).encode(),
        FolderEntryId(guid, LongTermId(guid, made.fid)).encode(),
    )  # fmt: skip
    rules(site, ALICE, standard(EVERYTHING, ActionBlock(ActionType.OP_MOVE, target)))
    site.gone(site.add(ALICE.maildir, raw=MAIL, sender="sam@elsewhere.test"))
    site.puller.ask(ALICE.maildir)
    [report] = site.until(lambda: inbox(site, ALICE.maildir))
    assert b"multipart/report" in report and b"Subject: hello" in report and inbox(site, BOB.maildir, made.fid) == []
    grant = x.ModifyPermissions(made.fid, [x.PermissionChange(x.ADD, name=ALICE.maildir, rights=0x2)])
    site.store.call(BOB, grant, actor=BOB.maildir)
    site.gone(site.add(ALICE.maildir, raw=MAIL.replace(b"<1@", b"<2@"), sender="sam@elsewhere.test"))
    site.puller.ask(ALICE.maildir)
    [raw] = site.until(lambda: inbox(site, BOB.maildir, made.fid))
    assert raw.endswith(MAIL.replace(b"<1@", b"<2@"))
