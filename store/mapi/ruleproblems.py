"""What a client is left to do and to know: deferred actions and rules that failed ([MS-OXORULE] 2.2.6, 2.2.7)."""

from __future__ import annotations

import logging

from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, decode_bag, encode_bag
from gromoxd.mapi.ids import ServerId, eid_octets
from gromoxd.mapi.rules import RuleState, encode_actions
from store import wellknown as wk
from store.mapi import saving
from store.mapi.conflicts import as_system
from store.mapi.identity import OWN_REPLID, eid
from store.mapi.rows import look_up
from store.mapi.rulebook import Rule
from store.mapi.ruleplan import Failed, RuleError, Run
from store.sql import row
from store.transaction import Transaction

log = logging.getLogger(__name__)
ACTIONS_FOLDER = 0x02
"""Deferred Action ([MS-OXCSTOR] 2.2.1.1.3)."""
DEFERRED_ACTION = "IPC.Microsoft Exchange 4.0.Deferred Action"
DEFERRED_ERROR = "IPC.Microsoft Exchange 4.0.Deferred Error"
MOST_DEFERRED = 100
"""Actions in one message."""


def defer(run: Run, stored: c.Stored) -> None:
    """One message for each provider with what its client has to do ([MS-OXORULE] 2.2.6, 3.2.5.1.2)."""
    folder = run.tx.state.folders.get(ACTIONS_FOLDER)
    if folder is None or not run.plan.deferred:
        return
    for provider, wanted in run.plan.deferred.items():
        if folder.messages >= run.tx.settings.deferred_actions_max:
            log.warning("deferred action dropped", extra={"mailbox": run.owner, "provider": provider})
            continue
        wanted = wanted[:MOST_DEFERRED]
        _put(run.tx, _original(run, stored) | {
            p.PidTagMessageClass: DEFERRED_ACTION,
            p.PidTagSubject: "Deferred action",
            p.PidTagDamBackPatched: False,
            p.PidTagRuleProvider: provider,
            p.PidTagClientActions: encode_actions([block for _, block in wanted]),
            p.PidTagRuleIds: b"".join([eid_octets(OWN_REPLID, rule.key) for rule, _ in wanted]),
        })  # fmt: skip


def _original(run: Run, stored: c.Stored) -> Bag:
    """Which message and which rules' folder a deferred message is about."""
    identity = run.tx.identity
    server_id = ServerId(eid(stored.fid) & _UNSIGNED, eid(stored.mid) & _UNSIGNED).encode()
    return {
        p.PidTagRuleFolderEntryId: identity.folder_entryid(wk.INBOX),
        p.PidTagDamOriginalEntryId: identity.message_entryid(stored.fid, stored.mid) if stored.mid else b"",
        p.PidTagDeferredActionMessageOriginalEntryId: server_id if stored.mid else b"",
    }


_UNSIGNED = (1 << 64) - 1


def tell(run: Run, stored: c.Stored) -> None:
    """Log what failed, disable the rules that will never work, and tell the owner of them."""
    disabled: set[tuple[int, bool]] = set()
    for failed in run.plan.failed:
        rule, failure = failed.rule, failed.failure
        log.warning(
            "rule failed",
            extra={"mailbox": run.owner, "rule": rule.name, "error": str(failure), "disabled": failure.lasting},
        )
        if failure.lasting and (rule.key, rule.extended) not in disabled:
            disabled.add((rule.key, rule.extended))
            _disable(run.tx, rule, failure.code)
            _put(run.tx, _original(run, stored) | _error(failed))


def _error(failed: Failed) -> Bag:
    rule = failed.rule
    return {
        p.PidTagMessageClass: DEFERRED_ERROR,
        p.PidTagSubject: f"Rule disabled: {rule.name}"[:250],
        p.PidTagBody: str(failed.failure),
        p.PidTagRuleError: int(failed.failure.code),
        p.PidTagRuleActionType: failed.kind,
        p.PidTagRuleActionNumber: failed.action,
        p.PidTagRuleProvider: rule.provider,
        p.PidTagRuleId: rule.key,
    }


def _put(tx: Transaction, props: Bag) -> None:
    """Save a message in the folder Deferred Action."""
    if ACTIONS_FOLDER not in tx.state.folders:
        return
    changes = o.Changes({tag: value for tag, value in props.items() if value not in (None, b"")})
    with as_system(tx):
        saving.save_message(tx, o.SaveMessage(ACTIONS_FOLDER, 0, 0, changes, b""))


def _disable(tx: Transaction, rule: Rule, code: RuleError) -> None:
    """The rule applies no more until a client writes it again ([MS-OXORULE] 2.2.1.3.1.3)."""
    tx.state.rulebook = None
    bad = RuleState.ST_RULE_PARSE_ERROR if code == RuleError.PARSING else RuleState.ST_ERROR
    state = rule.state | bad
    if not rule.extended:
        found = row(tx.db, "SELECT props FROM rules WHERE rule_id=?", (rule.key,))
        if found is not None:
            props = encode_bag(decode_bag(found[0]) | {p.PidTagRuleState: int(state)})
            tx.db.execute("UPDATE rules SET props=? WHERE rule_id=?", (props, rule.key))
        return
    message = look_up(tx.db, rule.key)
    if message is not None and not message.deleted:
        changes = o.Changes({p.PidTagRuleMessageState: int(state)})
        with as_system(tx):
            saving.save_message(tx, o.SaveMessage(message.fid, message.mid, message.cn, changes, b""))
