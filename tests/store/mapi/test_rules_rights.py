"""Extended rules are messages of the Inbox: who may put messages there may not thereby rule over all mail."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.exmdb import objects as o
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from tests.store.conftest import INBOX, Harness
from tests.store.mapi.rulebox import EVERYTHING, deliver, extended, folder, forwarding, mail

GUEST = "dora@example.test"
EDITOR, FOLDER_OWNER = 0x47B, 0x57B
RULE: Bag = {p.PidTagMessageClass: "ipm.extendedrule.message", p.PidTagRuleMessageName: "mine"}


@pytest.fixture
def shared(box: Harness) -> Harness:
    box.call(x.ModifyPermissions(INBOX, [x.PermissionChange(x.ADD, name=GUEST, rights=EDITOR)]))
    return box


def saving(box: Harness, props: Bag, fid: int = INBOX, mid: int = 0, cn: int = 0) -> o.SaveMessage:
    return o.SaveMessage(fid, mid, cn, o.Changes(props), box.request_id(), associated=not mid)


def test_an_editor_makes_no_rule(shared: Harness) -> None:
    assert shared.refused(saving(shared, RULE), actor=GUEST) == Ec.ecAccessDenied
    other = shared.call(saving(shared, {p.PidTagMessageClass: "IPM.Configuration.x"}), actor=GUEST)
    assert shared.refused(saving(shared, RULE, mid=other.mid, cn=other.cn), actor=GUEST) == Ec.ecAccessDenied


def test_an_editor_changes_no_rule(shared: Harness) -> None:
    rule = extended(shared, EVERYTHING, forwarding("x@elsewhere.test"), state=0)
    enabling = saving(shared, {p.PidTagRuleMessageState: 1}, mid=rule.mid, cn=rule.cn)
    assert shared.refused(enabling, actor=GUEST) == Ec.ecAccessDenied
    deliver(shared, mail())
    assert shared.sql("SELECT count(*) FROM outgoing") == [(0,)]


def test_an_editor_brings_no_rule_in(shared: Harness) -> None:
    there = folder(shared, "There")
    shared.call(x.ModifyPermissions(there, [x.PermissionChange(x.ADD, name=GUEST, rights=EDITOR)]))
    mid = shared.call(saving(shared, RULE, there), actor=GUEST).mid
    for move in (True, False):
        bringing = o.TransferMessages(there, [mid], INBOX, move, shared.request_id())
        assert shared.refused(bringing, actor=GUEST) == Ec.ecAccessDenied


def test_an_owner_of_the_folder_makes_rules(box: Harness) -> None:
    box.call(x.ModifyPermissions(INBOX, [x.PermissionChange(x.ADD, name=GUEST, rights=FOLDER_OWNER)]))
    assert box.call(saving(box, RULE), actor=GUEST).mid
