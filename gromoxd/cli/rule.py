"""gromoxctl rule: the rules of a mailbox, in words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gromoxd.cli.site import Site, json_option, pass_site, plain, table
from gromoxd.cli.stores import Store, store_of

if TYPE_CHECKING:
    from gromoxd.exmdb.objects import Bag

INBOX = 0x0D


class Shown(NamedTuple):
    """A rule as the commands know it. `number` is its id, or that of the message that an extended rule is."""

    number: int
    extended: bool
    sequence: int
    state: int
    name: str
    provider: str
    bag: Bag


@click.group()
def rule() -> None:
    """Rules that are applied to mail when it is delivered. USER is a mailbox (name@example.com)."""


@rule.command(name="list")
@click.argument("name", metavar="USER")
@json_option
@pass_site
def list_(site: Site, name: str, as_json: bool) -> None:
    """List the rules of a mailbox in the order in which they apply."""
    from gromoxd.mapi.ruletext import state_text

    with store_of(site, name) as store:
        found = _rules(store)
    rows = [
        {
            "rule": f"{one.number:#x}", "order": one.sequence, "name": plain(one.name), "state": state_text(one.state),
            "kind": "extended" if one.extended else "standard", "provider": plain(one.provider),
        }
        for one in found
    ]  # fmt: skip
    table(rows, as_json, ("rule", "order", "name", "state", "kind", "provider"))


@rule.command()
@click.argument("name", metavar="USER")
@click.argument("number", metavar="RULE", default="")
@json_option
@pass_site
def show(site: Site, name: str, number: str, as_json: bool) -> None:
    """Show what a rule, or each of them, does and when. RULE is its number or its name."""
    with store_of(site, name) as store:
        found = [_find(store, number)] if number else _rules(store)
        paths = store.folders().path
    rows = [line for one in found for line in _lines(one, paths)]
    table(rows, as_json, ("rule", "name", "what", "text"))


def _lines(one: Shown, paths: Any) -> list[dict[str, Any]]:
    from gromoxd.mapi.ruletext import action_text, condition_text, state_text

    texts = [("state", state_text(one.state))]
    read = _parts(one)
    if read is None:
        texts.append(("if", "cannot be read"))
    else:
        condition, actions = read
        texts.append(("if", condition_text(condition)))
        texts += [("then", action_text(action, paths)) for action in actions]
    return [{"rule": f"{one.number:#x}", "name": plain(one.name), "what": what, "text": text} for what, text in texts]


def _parts(one: Shown) -> Any:
    """(condition, actions), None when they cannot be read."""
    from gromoxd.errors import WireError
    from gromoxd.mapi import proptags as p
    from gromoxd.mapi.restrictions import decode_restriction
    from gromoxd.mapi.rules import ExtendedRuleActions, ExtendedRuleCondition, decode_actions

    bag: Any = one.bag
    try:
        if one.extended:
            condition = ExtendedRuleCondition.decode(bag.get(p.PidTagExtendedRuleMessageCondition, b""))
            actions = ExtendedRuleActions.decode(bag.get(p.PidTagExtendedRuleMessageActions, b""))
            return condition.restriction, actions.actions
        restriction = decode_restriction(bag.get(p.PidTagRuleCondition, b""))
        return restriction, decode_actions(bag.get(p.PidTagRuleActions, b""))
    except WireError:
        return None


@rule.command()
@click.argument("name", metavar="USER")
@click.argument("number", metavar="RULE")
@click.option("--when-away", is_flag=True, help="Only while the owner is out of office.")
@pass_site
def enable(site: Site, name: str, number: str, when_away: bool) -> None:
    """Let a rule apply, also one that the server disabled because it failed."""
    from gromoxd.mapi.rules import RuleState

    with store_of(site, name) as store:
        one = _find(store, number)
        away = RuleState.ST_ONLY_WHEN_OOF if when_away or one.state & RuleState.ST_KEEP_OOF_HIST else 0
        _set_state(store, one, one.state & ~_BAD | RuleState.ST_ENABLED | away)


@rule.command()
@click.argument("name", metavar="USER")
@click.argument("number", metavar="RULE")
@pass_site
def disable(site: Site, name: str, number: str) -> None:
    """Let a rule apply no more. One for when the owner is out of office is enabled again with --when-away."""
    from gromoxd.mapi.rules import RuleState

    with store_of(site, name) as store:
        one = _find(store, number)
        _set_state(store, one, one.state & ~(RuleState.ST_ENABLED | RuleState.ST_ONLY_WHEN_OOF))


@rule.command()
@click.argument("name", metavar="USER")
@click.argument("number", metavar="RULE")
@pass_site
def delete(site: Site, name: str, number: str) -> None:
    """Delete a rule."""
    from gromoxd.exmdb.objects import DeleteMessages
    from gromoxd.exmdb.rulecalls import REMOVE, ModifyRules, RuleChange
    from gromoxd.mapi.proptags import PidTagRuleId

    with store_of(site, name) as store:
        one = _find(store, number)
        if one.extended:
            store.call(DeleteMessages(INBOX, [one.number], hard=True))
        else:
            store.call(ModifyRules(INBOX, [RuleChange(REMOVE, {PidTagRuleId: one.number})], os.urandom(16)))


_BAD = 0x42
"""ST_ERROR and ST_RULE_PARSE_ERROR."""


def _set_state(store: Store, one: Shown, state: int) -> None:
    from gromoxd.exmdb.objects import Changes, SaveMessage
    from gromoxd.exmdb.rulecalls import MODIFY, ModifyRules, RuleChange
    from gromoxd.mapi import proptags as p

    if one.extended:
        changes = Changes({p.PidTagRuleMessageState: int(state)})
        store.call(SaveMessage(INBOX, one.number, 0, changes, os.urandom(16), force=True))
    else:
        props = {p.PidTagRuleId: one.number, p.PidTagRuleState: int(state)}
        store.call(ModifyRules(INBOX, [RuleChange(MODIFY, props)], os.urandom(16)))


def _rules(store: Store) -> list[Shown]:
    """All rules of the Inbox in their order."""
    from gromoxd.exmdb.rulecalls import GetExtendedRules, GetRules
    from gromoxd.mapi.proptags import PidTagMid, PidTagRuleId

    found = [_shown(bag, PidTagRuleId, False) for bag in store.call(GetRules(INBOX))]
    found += [_shown(bag, PidTagMid, True) for bag in store.call(GetExtendedRules(INBOX))]
    return sorted(found, key=lambda one: (one.sequence, one.extended, one.number))


def _shown(bag: Bag, key: int, extended: bool) -> Shown:
    from gromoxd.mapi import proptags as p

    def text(tag: int) -> str:
        return str(bag.get(tag) or "")

    values: dict[int, Any] = dict(bag)
    sequence, state = values.get(p.PidTagRuleSequence, 0), values.get(p.PidTagRuleState, 0)
    name, provider = text(p.PidTagRuleName), text(p.PidTagRuleProvider)
    return Shown(values[key], extended, sequence, state & 0xFFFFFFFF, name, provider, bag)


def _find(store: Store, wanted: str) -> Shown:
    """The rule of this number, or the one of this name."""
    rules = _rules(store)
    try:
        number = int(wanted, 0)
    except ValueError:
        number = -1
    found = [one for one in rules if one.number == number] or [one for one in rules if one.name == wanted]
    if not found:
        raise click.ClickException(f"there is no rule {wanted}")
    if len(found) > 1:
        raise click.ClickException(f"several rules are called {wanted}: name one by its number")
    return found[0]
