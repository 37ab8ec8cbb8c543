"""The rules of a mailbox and its out-of-office settings, as delivery keeps them in memory ([MS-OXORULE] 3.2.5.1).

Read when mail comes and none are there: they are forgotten (`Transaction.begin_call`) by every call but those that
cannot change them, and when the state is read anew after a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

from gromoxd.errors import WireError
from gromoxd.exmdb.oofcalls import OFF, OofSettings
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, decode_bag
from gromoxd.mapi.evaluate import compile_restriction
from gromoxd.mapi.named import PropertyName
from gromoxd.mapi.restrictions import Restriction, decode_restriction
from gromoxd.mapi.rules import (
    EXTENDED_RULE_CLASS,
    ActionBlock,
    ExtendedRuleActions,
    ExtendedRuleCondition,
    RuleState,
    decode_actions,
)
from store import wellknown as wk
from store.mapi import named, values
from store.sql import row, rows
from store.transaction import Transaction

Test = Callable[[Any], bool]
JUNK_PROVIDER: Final = "junkemailrule"
"""PidTagRuleMessageProvider of the rule by which a client filters spam, in lower case ([MS-OXCSPAM] 2.2.4.2)."""
_RUNS: Final = RuleState.ST_ENABLED | RuleState.ST_ONLY_WHEN_OOF
_BAD: Final = RuleState.ST_ERROR | RuleState.ST_RULE_PARSE_ERROR
_STANDARD: Final = "SELECT rule_id, props FROM rules WHERE fid=?"
_EXTENDED: Final = (
    "SELECT u.mid, u.did, d.props FROM unlisted u JOIN message_data d ON d.did = u.did"
    " WHERE u.fid=? AND u.kind=1 AND d.class=? COLLATE NOCASE"
)
MOST_EXTENDED: Final = 1000


@dataclass(slots=True, frozen=True)
class Rule:
    """A rule that may apply. `key` is its id, that of its message when it is `extended`. `fault`: why it cannot be
    read; it has no test and no actions then.
    """

    key: int
    extended: bool
    sequence: int
    state: int
    name: str
    provider: str
    test: Test
    actions: tuple[ActionBlock, ...]
    fault: str = ""


@dataclass(slots=True, frozen=True)
class Rulebook:
    """`rules` in their order, without those that never apply. `owner`: the name that the store is shown by."""

    rules: tuple[Rule, ...]
    oof: OofSettings
    owner: str
    files_junk: bool

    @property
    def idle(self) -> bool:
        """Whether mail is simply delivered."""
        return not self.rules and self.oof.state == OFF


def book(tx: Transaction) -> Rulebook:
    """The rules that hold now."""
    known = tx.state.rulebook
    if known is None:
        known = tx.state.rulebook = load(tx)
    return known


def load(tx: Transaction) -> Rulebook:
    """Read them."""
    found = [_standard(key, props) for key, props in rows(tx.db, _STANDARD, (wk.INBOX,))]
    files_junk = True
    for mid, bag in extended(tx, wk.INBOX):
        if _text(bag, p.PidTagRuleMessageProvider).lower() == JUNK_PROVIDER:
            files_junk = bool(_number(bag, p.PidTagRuleMessageState) & RuleState.ST_ENABLED)
        found.append(_extended(tx, mid, bag))
    stored = row(tx.db, "SELECT props FROM store_props")
    props: Bag = {} if stored is None else decode_bag(stored[0])
    rules = [rule for rule in found if rule.state & _RUNS and not rule.state & _BAD]
    rules.sort(key=lambda rule: (rule.sequence, rule.extended, rule.key))
    return Rulebook(tuple(rules), oof_of(props), _text(props, p.PidTagDisplayName), files_junk)


def oof_of(props: Bag) -> OofSettings:
    """The out-of-office settings among the properties of a store."""
    octets = props.get(p.PROP_OOF)
    return msgspec.msgpack.decode(octets, type=OofSettings) if isinstance(octets, bytes) else OofSettings()


def extended(tx: Transaction, fid: int) -> list[tuple[int, Bag]]:
    """(id, properties) of the messages that are extended rules ([MS-OXORULE] 2.2.4)."""
    found = rows(tx.db, _EXTENDED + f" LIMIT {MOST_EXTENDED}", (fid, EXTENDED_RULE_CLASS))
    return [(mid, decode_bag(props) | values.load(tx, did, 0)) for mid, did, props in found]


# ---------------------------------------------------------------------------------------------- reading rules


@lru_cache(maxsize=2000)
def _test_of(condition: bytes) -> Test:
    return compile_restriction(decode_restriction(condition))


@lru_cache(maxsize=2000)
def _actions_of(actions: bytes) -> tuple[ActionBlock, ...]:
    return decode_actions(actions)


def _standard(key: int, encoded: bytes) -> Rule:
    bag = decode_bag(encoded)
    test: Test = _nothing
    actions: tuple[ActionBlock, ...] = ()
    fault = ""
    try:
        test, actions = _test_of(_octets(bag, p.PidTagRuleCondition)), _actions_of(_octets(bag, p.PidTagRuleActions))
    except WireError as error:
        fault = str(error)
    return Rule(
        key, False, _number(bag, p.PidTagRuleSequence), _number(bag, p.PidTagRuleState), _text(bag, p.PidTagRuleName),
        _text(bag, p.PidTagRuleProvider), test, actions, fault,
    )  # fmt: skip


def _extended(tx: Transaction, mid: int, bag: Bag) -> Rule:
    def resolve(name: PropertyName) -> int:
        return named.find_ids(tx.db, [name])[0]

    test: Test = _nothing
    actions: tuple[ActionBlock, ...] = ()
    fault = ""
    try:
        condition: Restriction = ExtendedRuleCondition.decode(
            _octets(bag, p.PidTagExtendedRuleMessageCondition)
        ).resolved(resolve)
        test = compile_restriction(condition)
        actions = ExtendedRuleActions.decode(_octets(bag, p.PidTagExtendedRuleMessageActions)).resolved(resolve)
    except WireError as error:
        fault = str(error)
    return Rule(
        mid, True, _number(bag, p.PidTagRuleMessageSequence), _number(bag, p.PidTagRuleMessageState),
        _text(bag, p.PidTagRuleMessageName), _text(bag, p.PidTagRuleMessageProvider), test, actions, fault,
    )  # fmt: skip


def _nothing(_: Any) -> bool:
    return False


def _number(bag: Bag, tag: int) -> int:
    value = bag.get(tag)
    return value if isinstance(value, int) else 0


def _text(bag: Bag, tag: int) -> str:
    value = bag.get(tag)
    return value if isinstance(value, str) else ""


def _octets(bag: Bag, tag: int) -> bytes:
    value = bag.get(tag)
    return value if isinstance(value, bytes) else b""
