"""Rules of folders: kept as bags, their conditions and actions checked when they are written ([MS-OXORULE] 3.2.5)."""

from __future__ import annotations

from typing import Final

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import rulecalls as u
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, decode_bag, encode_bag
from gromoxd.mapi.restrictions import decode_restriction
from gromoxd.mapi.rules import EXTENDED_RULE_CLASS, RuleState, decode_actions
from gromoxd.mapi.types import fits
from store import access as a
from store import requests
from store.mapi.loading import Data, Env
from store.mapi.reading import Reading
from store.sql import row, rows
from store.transaction import Transaction

MOST_RULES = 1000
"""Of one folder."""
MOST_CHANGES = 2000
LARGEST_RULE, LARGEST_NAME = 64 << 10, 256
ALLOWED = frozenset(
    (
        p.PidTagRuleSequence, p.PidTagRuleState, p.PidTagRuleName, p.PidTagRuleUserFlags, p.PidTagRuleLevel,
        p.PidTagRuleProvider, p.PidTagRuleProviderData, p.PidTagRuleCondition, p.PidTagRuleActions,
    )
)  # fmt: skip
"""[MS-OXORULE] 2.2.1.3.1, the id apart, which is the store's to give."""
NEEDED = (p.PidTagRuleState, p.PidTagRuleProvider, p.PidTagRuleCondition, p.PidTagRuleActions)


def get_rules(reading: Reading, call: u.GetRules) -> list[Bag]:
    """exmdb.rulecalls.GetRules."""
    reading.access.require(call.fid, a.OWNER)
    reading.box.check_folder(call.fid)
    sql = "SELECT rule_id, props FROM rules WHERE fid=? ORDER BY sequence, rule_id"
    found = rows(reading.reader.db, sql, (call.fid,))
    return [{p.PidTagRuleId: rule_id} | decode_bag(props) for rule_id, props in found]


def get_extended_rules(reading: Reading, call: u.GetExtendedRules) -> list[Bag]:
    """exmdb.rulecalls.GetExtendedRules."""
    reading.access.require(call.fid, a.OWNER)
    reading.box.check_folder(call.fid)
    env = Env.of(reading)
    found = []
    for mid, did in rows(env.db, _EXTENDED, (call.fid, EXTENDED_RULE_CLASS)):
        data = Data.slim(env, did)
        bag: Bag = {p.PidTagMid: mid} | {tag: data.bag[kept] for kept, tag in _SHOWN.items() if kept in data.bag}
        for tag in data.big().keys() & _SHOWN.keys():
            bag[tag] = data.big_value(0, tag)
        found.append(bag)
    return sorted(found, key=lambda bag: (_sequence(bag), bag[p.PidTagMid]))


_EXTENDED: Final = (
    "SELECT u.mid, u.did FROM unlisted u JOIN message_data d ON d.did = u.did"
    " WHERE u.fid=? AND u.kind=1 AND d.class=? COLLATE NOCASE LIMIT 1000"
)
_SHOWN: Final = {
    p.PidTagRuleMessageSequence: p.PidTagRuleSequence, p.PidTagRuleMessageState: p.PidTagRuleState,
    p.PidTagRuleMessageName: p.PidTagRuleName, p.PidTagRuleMessageProvider: p.PidTagRuleProvider,
    p.PidTagExtendedRuleMessageCondition: p.PidTagExtendedRuleMessageCondition,
    p.PidTagExtendedRuleMessageActions: p.PidTagExtendedRuleMessageActions,
}  # fmt: skip


def modify_rules(tx: Transaction, call: u.ModifyRules) -> c.Done:
    """exmdb.rulecalls.ModifyRules."""
    tx.access.require(call.fid, a.OWNER)
    tx.state.folder(call.fid)
    earlier = requests.known(tx, call.request_id, c.Done)
    if earlier is not None:
        return earlier
    if len(call.changes) > MOST_CHANGES:
        raise MapiError(Ec.ecInvalidParam, "too many changes")
    if call.replace:
        if any(change.op != u.ADD for change in call.changes):
            raise MapiError(Ec.ecInvalidParam, "operation on a rule")
        tx.db.execute("DELETE FROM rules WHERE fid=?", (call.fid,))
    for change in call.changes:
        handler = _OPERATIONS.get(change.op)
        if handler is None:
            raise MapiError(Ec.ecInvalidParam, "operation on a rule")
        handler(tx, call.fid, change.props)
    if row(tx.db, "SELECT count(*) FROM rules WHERE fid=?", (call.fid,))[0] > MOST_RULES:
        raise MapiError(Ec.ecNotEnoughMemory, "too many rules")  # [MS-OXORULE] 3.2.5.2
    tx.effects.told.add(call.fid)
    done = c.Done()
    requests.remember(tx, call.request_id, done)
    return done


def checked(props: Bag) -> Bag:
    """The properties that a rule has, of those that a client sent. ecInvalidParam."""
    kept = {tag: value for tag, value in props.items() if tag in ALLOWED}
    state = kept.get(p.PidTagRuleState)
    if isinstance(state, int):
        kept[p.PidTagRuleState] = state & ~(RuleState.ST_ERROR | RuleState.ST_RULE_PARSE_ERROR)
    for tag, value in kept.items():
        if value is None or not fits(tag, value) or (isinstance(value, str) and len(value) > LARGEST_NAME):
            raise MapiError(Ec.ecInvalidParam, f"property {tag:#010x} of a rule")
    if kept.get(p.PidTagRuleLevel, 0) != 0 or kept.get(p.PidTagRuleProvider) == "":
        raise MapiError(Ec.ecInvalidParam, "level or provider of a rule")
    try:
        if p.PidTagRuleCondition in kept:
            decode_restriction(_octets(kept[p.PidTagRuleCondition]))
        if p.PidTagRuleActions in kept:
            decode_actions(_octets(kept[p.PidTagRuleActions]))
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, f"rule: {error}") from error
    return kept


def _octets(value: object) -> bytes:
    assert isinstance(value, bytes)  # as `fits` found
    return value


def _encoded(props: Bag) -> bytes:
    encoded = encode_bag(props)
    if len(encoded) > LARGEST_RULE:
        raise MapiError(Ec.ecTooBig, "rule")
    return encoded


def _sequence(props: Bag) -> int:
    value = props.get(p.PidTagRuleSequence, 0)
    return value if isinstance(value, int) else 0


def _add(tx: Transaction, fid: int, props: Bag) -> None:
    kept = checked(props)
    if any(tag not in kept for tag in NEEDED):
        raise MapiError(Ec.ecInvalidParam, "rule without condition, actions, state or provider")
    _forget_answers(tx, 0, kept)
    tx.db.execute("INSERT INTO rules VALUES (?,?,?,?)", (tx.new_ids(), fid, _sequence(kept), _encoded(kept)))


def _modify(tx: Transaction, fid: int, props: Bag) -> None:
    rule_id = _rule_id(props)
    found = row(tx.db, "SELECT props FROM rules WHERE rule_id=? AND fid=?", (rule_id, fid))
    if found is None:
        raise MapiError(Ec.ecNotFound, "rule")
    kept = decode_bag(found[0]) | checked(props)
    _forget_answers(tx, rule_id, kept)
    tx.db.execute("UPDATE rules SET sequence=?, props=? WHERE rule_id=?", (_sequence(kept), _encoded(kept), rule_id))


def _forget_answers(tx: Transaction, rule_id: int, props: Bag) -> None:
    """ST_CLEAR_OOF_HIST: who was answered is answered anew; it is a request, not kept ([MS-OXORULE] 2.2.1.3.1.3)."""
    state = props.get(p.PidTagRuleState)
    if isinstance(state, int) and state & RuleState.ST_CLEAR_OOF_HIST:
        props[p.PidTagRuleState] = state & 0x7FFFFFFF
        tx.db.execute("DELETE FROM auto_replies WHERE rule=?", (rule_id,))


def _remove(tx: Transaction, fid: int, props: Bag) -> None:
    rule_id = _rule_id(props)
    tx.db.execute("DELETE FROM rules WHERE rule_id=? AND fid=?", (rule_id, fid))
    if rule_id:
        tx.db.execute("DELETE FROM auto_replies WHERE rule=?", (rule_id,))


def _rule_id(props: Bag) -> int:
    value = props.get(p.PidTagRuleId)
    if not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise MapiError(Ec.ecInvalidParam, "rule id")
    return value


_OPERATIONS = {u.ADD: _add, u.MODIFY: _modify, u.REMOVE: _remove}
READS = {u.GetRules: get_rules, u.GetExtendedRules: get_extended_rules}
WRITES = {u.ModifyRules: modify_rules}
