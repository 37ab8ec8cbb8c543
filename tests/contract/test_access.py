"""Contract: who may make which mail call without permissions of his own (with them: test_matrix.py).

The owner decides; a worker is trusted with nothing but the actor's name.
"""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import SYSTEM
from tests.contract.mail import digest_of, mail
from tests.contract.worlds import ALL, INBOX, OWNER, SENT, Mailbox

NEW = c.NewMessage(digest_of(mail(2)), mail(2), 1)
OPEN = {c.ListFolders, c.Watch}
"""Not refused to those who see the calendar, which everybody whose name the server knows does."""
ADMINISTRATION = {c.Deliver, c.Confirm, c.SetQuota}
SAMPLES: list[c.Call[Any]] = [
    c.ListFolders(),
    c.CreateFolder("New"),
    c.DeleteFolder(0x100),
    c.RenameFolder(0x100, "Renamed"),
    c.Subscribe("INBOX", True),
    c.GetKeywordSets(),
    c.GetFolderState(INBOX),
    c.GetPages(INBOX, [0]),
    c.ClaimRecent(INBOX),
    c.Append(INBOX, NEW, b"a1"),
    c.Deliver(NEW, "s@example.org", b"d1", b"f1"),
    c.Confirm([b"d1"]),
    c.SetFlags(INBOX, ALL, c.ADD, 1),
    c.CopyMessages(INBOX, ALL, SENT, False, b"c1"),
    c.Expunge(INBOX, ALL, False),
    c.GetVanished(INBOX, 0),
    c.GetPieces(INBOX, ALL, c.ENVELOPE),
    c.GetContents(INBOX, ALL),
    c.ReadContent(INBOX, 1, 0, 10),
    c.SearchText(INBOX, ALL, [c.Term("subject", "message")]),
    c.GetMailboxInfo(),
    c.SetQuota(1 << 30, 1 << 30),
    c.LockPop3(True),
    c.Watch(True),
]


def fill(box: Mailbox) -> None:
    assert box.append(mail(1)).uid == 1


def own(box: Mailbox, call: c.Call[Any]) -> c.Call[Any]:
    """The sample, aimed at a folder that may be deleted and renamed."""
    if isinstance(call, c.DeleteFolder):
        return c.DeleteFolder(box.create("Mine").fid)
    if isinstance(call, c.RenameFolder):
        return c.RenameFolder(box.create("Mine").fid, call.path)
    return call


def test_every_call_has_a_sample() -> None:
    assert [type(call) for call in SAMPLES] == list(c.MAIL_CALLS)


@pytest.mark.parametrize("call", SAMPLES, ids=lambda call: type(call).__name__)
def test_stranger(box: Mailbox, call: c.Call[Any]) -> None:
    fill(box)
    call = own(box, call)
    before = box.call(c.GetFolderState(INBOX)), box.call(c.ListFolders()), box.call(c.GetMailboxInfo())
    for stranger in ("mallory@example.test", "", "ALICE", "system", "alice@example.test\0"):
        if type(call) not in OPEN or stranger == "":
            assert box.refused(call, actor=stranger) == Ec.ecAccessDenied
    assert before == (box.call(c.GetFolderState(INBOX)), box.call(c.ListFolders()), box.call(c.GetMailboxInfo()))


@pytest.mark.parametrize("call", SAMPLES, ids=lambda call: type(call).__name__)
def test_owner(box: Mailbox, call: c.Call[Any]) -> None:
    fill(box)
    if type(call) in ADMINISTRATION:
        assert box.refused(call, actor=OWNER) == Ec.ecAccessDenied
    else:
        box.call(own(box, call), actor=OWNER)


@pytest.mark.parametrize("call", SAMPLES, ids=lambda call: type(call).__name__)
def test_system(box: Mailbox, call: c.Call[Any]) -> None:
    fill(box)
    box.call(own(box, call), actor=SYSTEM)
