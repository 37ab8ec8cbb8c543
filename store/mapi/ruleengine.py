"""Which rules apply to a message that arrives, and what comes of it ([MS-OXORULE] 3.2.5.1). Nothing is done here."""

from __future__ import annotations

import logging
from math import inf
from time import monotonic

from gromoxd.errors import MapiError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.rules import RuleState
from store.mapi.ruleactions import HANDLERS
from store.mapi.rulebook import Rule
from store.mapi.ruleplan import Failed, RuleError, RuleFailure, Run

log = logging.getLogger(__name__)
SAFE = -1
"""PidTagContentFilterSpamConfidenceLevel of mail that is known to be no spam ([MS-OXCSPAM] 2.2.1.3)."""
LONGEST = 2.0
"""Seconds that the conditions of all rules may take, while the mailbox takes no other mail."""
_BROKEN = (MapiError, OSError, UnicodeError, OverflowError, ValueError)
"""What evaluating and planning may fail with; WireError is a ValueError."""


def apply(run: Run) -> None:
    """Let all rules have their say, as long as there is time."""
    ends = monotonic() + LONGEST
    left = False
    for rule in run.book.rules:
        if not _is_asked(run, rule, left):
            continue
        if monotonic() > ends:
            log.warning("rules take too long", extra={"mailbox": run.owner, "left out from": rule.name})
            break
        if _matches(run, rule, ends):
            _carry_out(run, rule)
            last = bool(rule.state & RuleState.ST_EXIT_LEVEL)
            if run.plan.refused or (last and rule.state & RuleState.ST_ONLY_WHEN_OOF):
                break
            left |= last


def _is_asked(run: Run, rule: Rule, left: bool) -> bool:
    """2.2.1.3.1.3, 3.2.5.1.1.1: `left`: a rule ended the evaluation, but of those for when its owner is away."""
    if rule.state & RuleState.ST_ONLY_WHEN_OOF:
        return run.oof
    if left:
        return False
    if rule.state & RuleState.ST_SKIP_IF_SCL_IS_SAFE:
        return bool(run.view.get(p.PidTagContentFilterSpamConfidenceLevel) != SAFE)
    return True


def _matches(run: Run, rule: Rule, ends: float) -> bool:
    if rule.fault:
        run.plan.failed.append(Failed(rule, 0, 0, RuleFailure(RuleError.PARSING, rule.fault)))
        return False
    run.view.deadline = ends
    try:
        return bool(rule.test(run.view))
    except _BROKEN as error:
        log.warning("rule not evaluated", extra={"mailbox": run.owner, "rule": rule.name, "error": str(error)})
        return False
    finally:
        run.view.deadline = inf


def _carry_out(run: Run, rule: Rule) -> None:
    """All actions of a rule, up to one that fails: that one must not be why the message is kept nowhere."""
    log.debug("rule applies", extra={"mailbox": run.owner, "rule": rule.name})
    plan = run.plan
    before = plan.kept, plan.deleted, plan.refused
    failures = len(plan.failed)
    for number, block in enumerate(rule.actions):
        if len(plan.failed) > failures:
            break
        handler = HANDLERS.get(block.action_type)
        try:
            if handler is None:
                raise RuleFailure(RuleError.EXECUTION, f"unknown action {block.action_type}")
            handler(run, rule, block)
        except RuleFailure as failure:
            plan.failed.append(Failed(rule, number, block.action_type, failure))
        except _BROKEN as error:
            passing = RuleFailure(RuleError.EXECUTION, str(error), lasting=False)
            plan.failed.append(Failed(rule, number, block.action_type, passing))
    if len(plan.failed) > failures:
        plan.kept, plan.deleted, plan.refused = before
