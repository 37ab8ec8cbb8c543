"""`migrate gromox`: what a mailbox has beside messages: permissions, rules, delegates, out of office, quotas."""

from __future__ import annotations

import os
from typing import Final

from gromoxd.cli.migration.gromoxstore import GromoxRule
from gromoxd.cli.migration.gromoxstore.rules import actions_of, condition_of
from gromoxd.cli.migration.original import Original
from gromoxd.convert.itemof import item_of_mime
from gromoxd.errors import MapiError, WireError
from gromoxd.exmdb import access as a
from gromoxd.exmdb import oofcalls as oof
from gromoxd.exmdb import rulecalls as r
from gromoxd.exmdb.objects import Bag
from gromoxd.exmdb.storecalls import GetStoreProps, SetStoreProps
from gromoxd.mapi import proptags as p
from gromoxd.mapi.restrictions import encode_restriction
from gromoxd.mapi.rules import encode_actions

ALL_BITS: Final = 0x1FFB
"""Rights of folders ([MS-OXCPERM] 2.2.7); the original's other bits are of no folder."""
QUOTAS: Final = (0x3FF50003, p.PidTagProhibitSendQuota, p.PidTagProhibitReceiveQuota)
"""PR_STORAGE_QUOTA_LIMIT and the others, in KiB."""
FIRST_OF_SERVER, LAST_OF_SERVER = 0x6600, 0x66FF
"""Ids of store properties that a server works with."""
_NOT_TAKEN: Final = frozenset((
    p.PidTagOutOfOfficeState, p.PidTagDisplayName, p.PidTagCreationTime, p.PidTagLastModificationTime, *QUOTAS,
))  # fmt: skip
FIRST_NAMED: Final = 0x8000


def migrate_settings(original: Original) -> None:
    """All of them; each that fails is told, and the others are done."""
    steps = [("permissions", _permissions), ("rules", _rules), ("properties", _properties), ("quotas", _quotas)]
    if original.source.private:
        steps += [("delegates", _delegates), ("out of office", _out_of_office)]
    for what, step in steps:
        try:
            step(original)
        except (MapiError, WireError) as error:
            original.outcome.fail(what, str(error))


def _took(original: Original, what: str, count: int) -> None:
    if count:
        original.outcome.settings.append(f"{what}: {count}")


# ---------------------------------------------------------------------------------------------- permissions


def _permissions(original: Original) -> None:
    changes: dict[int, list[a.PermissionChange]] = {}
    for found in original.source.permissions():
        fid = original.fids.get(found.fid, 0)
        if not fid:
            continue
        member = found.member if found.member in (a.DEFAULT, a.ANONYMOUS) else _member(original, found.member)
        if member is None:
            original.outcome.note(f"permission of {found.member}, who is not in the directory")
            continue
        change = a.PermissionChange(a.ADD, name=member, rights=found.rights & ALL_BITS)
        changes.setdefault(fid, []).append(change)
    for fid, some in changes.items():
        if not original.target.dry:
            original.target.call(a.ModifyPermissions(fid, some, free_busy=True))
    _took(original, "permissions", sum(map(len, changes.values())))


def _member(original: Original, name: str) -> str | None:
    """The main address of a user or a list; None when there is no such."""
    directory = original.target.store.stores.directory
    found = directory.mailing_list(name)
    if found is not None:
        return found.name
    user = directory.user(name)
    return None if user is None else user.username.lower()


def _delegates(original: Original) -> None:
    for name, kind in (("delegates.txt", a.DELEGATES), ("sendas.txt", a.SENDERS)):
        wanted = []
        for one in original.source.addresses(name):
            member = _member(original, one)
            if member is None:
                original.outcome.note(f"delegate {one}, who is not in the directory")
            else:
                wanted.append(member)
        there = original.target.call(a.GetDelegates(kind))
        new = [one for one in wanted if one not in there]
        if new and not original.target.dry:
            original.target.call(a.SetDelegates(kind, [*there, *new]))
        _took(original, "delegates" if kind == a.DELEGATES else "senders", len(new))


# ---------------------------------------------------------------------------------------------- rules


def _rules(original: Original) -> None:
    """Rules that a folder does not have yet; the folders and templates that they name are ours then."""
    changes: dict[int, list[r.RuleChange]] = {}
    for rule in original.source.rules():
        fid = original.fids.get(rule.fid, 0)
        if not fid:
            continue
        try:
            props = _rule(original, rule)
        except (WireError, ValueError) as error:
            original.outcome.fail(f"rule {rule.name or rule.provider}", str(error))
            continue
        changes.setdefault(fid, []).append(r.RuleChange(r.ADD, props))
    count = 0
    for fid, some in changes.items():
        there = {_key(bag) for bag in original.target.call(r.GetRules(fid))}
        new = [change for change in some if _key(change.props) not in there]
        count += len(new)
        if new and not original.target.dry:
            original.target.call(r.ModifyRules(fid, new, os.urandom(16)))
    _took(original, "rules", count)


def _key(bag: Bag) -> tuple[object, ...]:
    tags = (p.PidTagRuleName, p.PidTagRuleProvider, p.PidTagRuleSequence, p.PidTagRuleCondition, p.PidTagRuleActions)
    return tuple([bag.get(tag) for tag in tags])


def _rule(original: Original, rule: GromoxRule) -> Bag:
    """WireError when it cannot be what it was."""
    names = original.target.names

    def tag_of(tag: int) -> int:
        number = tag >> 16
        if number < FIRST_NAMED:
            return tag
        name = original.source.name_of(number)
        if name is None:
            raise WireError("it uses a named property without a name")
        if original.target.dry:
            return tag
        names.learn([name])
        return names.id_of(name) << 16 | tag & 0xFFFF

    rewriter = original.rewriter
    condition = encode_restriction(rewriter.condition(condition_of(rule.condition), tag_of))
    actions = encode_actions([rewriter.action(action, tag_of) for action in actions_of(rule.actions)])
    return {
        p.PidTagRuleName: rule.name, p.PidTagRuleProvider: rule.provider, p.PidTagRuleSequence: rule.sequence,
        p.PidTagRuleState: rule.state, p.PidTagRuleUserFlags: rule.user_flags, p.PidTagRuleLevel: 0,
        p.PidTagRuleProviderData: rule.provider_data, p.PidTagRuleCondition: condition,
        p.PidTagRuleActions: actions,
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------- out of office


def _out_of_office(original: Original) -> None:
    """What is set here already is left alone."""
    found = original.source.out_of_office()
    if not (found.state or found.internal_text or found.external_text):
        return
    if original.target.call(oof.GetOof()) != oof.OofSettings():
        return
    text, html = _text(found.internal_text)
    external, external_html = _text(found.external_text)
    audience = oof.NOBODY if not found.external else oof.KNOWN if found.known_only else oof.EVERYBODY
    state = found.state if found.state in (oof.OFF, oof.ON, oof.SCHEDULED) else oof.OFF
    if state == oof.SCHEDULED and found.end <= found.start:
        state = oof.OFF
    start, end = (found.start, found.end) if state == oof.SCHEDULED else (0, 0)
    settings = oof.OofSettings(state, start, end, text, html, external, external_html, audience)
    if not original.target.dry:
        original.target.call(oof.SetOof(settings))
    _took(original, "out of office", 1)


def _text(text: str) -> tuple[str, bool]:
    """(text, whether it is HTML) of a MIME entity, or of plain text."""
    if not text.strip():
        return "", False
    first = text.lstrip().partition("\n")[0].lower()
    if not first.startswith(("content-", "mime-version", "date:", "from:", "subject:")):
        return text, text.lstrip()[:1] == "<"
    props = item_of_mime(text.encode("utf-8", "replace"), received=0).props
    html, plain = props.get(p.PidTagHtml), props.get(p.PidTagBody)
    if isinstance(html, bytes) and html:
        return html.decode("utf-8", "replace"), True
    return (plain if isinstance(plain, str) else ""), False


# ---------------------------------------------------------------------------------------------- the store


def _properties(original: Original) -> None:
    """What clients keep in the store's properties, such as the settings of web clients."""
    item = original.source.store_properties()
    original.rewriter.values(item.props)
    kept = {tag: v for tag, v in item.props.items() if tag not in _NOT_TAKEN and not _of_server(tag)}
    if original.target.dry or not kept:
        return
    there = original.target.call(GetStoreProps())
    wanted = {tag: value for tag, value in original.ours(type(item)(kept, names=item.names)).items()
              if tag not in there}  # fmt: skip
    problems = original.target.call(SetStoreProps(wanted)).problems if wanted else []
    _took(original, "properties", len(wanted) - len(problems))


def _of_server(tag: int) -> bool:
    """Counters, sizes and keys."""
    return tag >> 16 < 0x3000 or FIRST_OF_SERVER <= tag >> 16 <= LAST_OF_SERVER


def _quotas(original: Original) -> None:
    """Last, as what is full takes nothing in; quotas that are set here already stay."""
    props = original.source.store_properties().props
    there = original.target.call(GetStoreProps(list(QUOTAS)))
    wanted: Bag = {}
    for tag in QUOTAS:
        value = props.get(tag)
        if isinstance(value, int) and value > 0 and tag not in there:
            wanted[tag] = value
    if wanted and not original.target.dry:
        original.target.call(SetStoreProps(wanted))
    _took(original, "quotas", len(wanted))
