"""The actions of rules ([MS-OXORULE] 2.2.5, 3.2.5.1): each adds to the plan what it wants, nothing is done yet."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from gromoxd.convert import automail, letters
from gromoxd.convert.composeheader import person
from gromoxd.errors import WireError
from gromoxd.exmdb.outgoing import Options
from gromoxd.mapi import codepages
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.entryids import FolderEntryId, MessageEntryId, StoreEntryId
from gromoxd.mapi.evaluate import canonical
from gromoxd.mapi.ids import eid_split
from gromoxd.mapi.rules import (
    ActionBlock,
    ActionType,
    Bounce,
    BounceCode,
    Forward,
    ForwardFlavor,
    MoveCopy,
    RecipientBlock,
    Reply,
    ReplyFlavor,
    RuleState,
    Tag,
)
from store.mapi import ruletemplates
from store.mapi.hierarchy import is_search
from store.mapi.outgoing import is_address
from store.mapi.rulebook import Rule
from store.mapi.ruleplan import Mail, RuleError, RuleFailure, Run

log = logging.getLogger(__name__)
Handler = Callable[[Run, Rule, ActionBlock], None]
LARGEST_TAG: Final = 8192
QUOTED_MAX: Final = 1 << 20
"""A mail that is forwarded as text is quoted up to this size; of a larger one the body follows as it is."""
_REFUSALS: Final = {
    BounceCode.TOO_LARGE: ("the message is too large for the recipient", "5.2.3"),
    BounceCode.NOT_DISPLAYED: ("the recipient cannot display the message", "5.6.0"),
    BounceCode.DENIED: ("the recipient does not accept the message", "5.7.1"),
}


# ---------------------------------------------------------------------------------------------- where it goes


def move(run: Run, rule: Rule, block: ActionBlock) -> None:
    """OP_MOVE, 2.2.5.1.2.1."""
    if _place(run, rule, block):
        run.plan.kept = False


def copy(run: Run, rule: Rule, block: ActionBlock) -> None:
    """OP_COPY."""
    _place(run, rule, block)


def _place(run: Run, rule: Rule, block: ActionBlock) -> bool:
    """Whether the message will be there."""
    target = block.action_data
    assert isinstance(target, MoveCopy)  # as the codec of the action says
    if target.folder_in_this_store:
        run.plan.copies[_own_folder(run, rule, target)] = None
        return True
    return _other_store(run, rule, block, target)


def _own_folder(run: Run, rule: Rule, target: MoveCopy) -> int:
    try:
        if rule.extended:
            fid = FolderEntryId.decode(target.folder_eid).folder.counter
        else:
            fid = eid_split(target.server_id.fid)[1]
    except WireError as error:
        raise RuleFailure(RuleError.FOLDER, f"no folder: {error}") from error
    if fid not in run.tx.state.folders or is_search(run.tx, fid):
        raise RuleFailure(RuleError.FOLDER, f"there is no folder {fid:#x}")
    return fid


def _other_store(run: Run, rule: Rule, block: ActionBlock, target: MoveCopy) -> bool:
    """Another store of this system gets it by way of the relay; any other is the client's to reach."""
    try:
        store = StoreEntryId.decode(target.store_eid)
        folder = FolderEntryId.decode(target.folder_eid)
    except WireError:
        defer(run, rule, block)
        return False
    if folder.provider == run.tx.identity.guid and folder.folder.counter in run.tx.state.folders:
        run.plan.copies[folder.folder.counter] = None
        return True
    name = store.smtp_address or (store.mailbox_dn or b"").decode("utf-8", "replace")
    owner = name if store.mailbox_dn is not None or store.smtp_address else store.server.decode("utf-8", "replace")
    address = owner if "@" in owner else f"postmaster@{owner}"
    if not is_address(address):
        defer(run, rule, block)
        return False
    if not may_pass_on(run, rule, [address]):
        return False
    if not _sender(run):
        stopped(run, rule.name, "a report")  # the report that it failed would be one of these again
        return False
    options = Options(whole=True, store=owner, folder=folder.folder.counter)
    run.plan.mails.append(Mail(run.owner, [address], "put into another store", options=options))
    return True


def delete(run: Run, rule: Rule, block: ActionBlock) -> None:
    """OP_DELETE: what a client may still recover ([MS-OXCFOLD] 2.2.1.11)."""
    run.plan.deleted = True


def mark_read(run: Run, rule: Rule, block: ActionBlock) -> None:
    """OP_MARK_AS_READ."""
    run.plan.seen = True


def tag(run: Run, rule: Rule, block: ActionBlock) -> None:
    """OP_TAG, 2.2.5.1.2.6."""
    data = block.action_data
    assert isinstance(data, Tag)
    number, value = data.property_value
    if number in p.INTERNAL or number in _NO_TAG:
        raise RuleFailure(RuleError.EXECUTION, f"property {number:#010x} cannot be set")
    if isinstance(value, str | bytes) and len(value) > LARGEST_TAG:
        raise RuleFailure(RuleError.EXECUTION, f"property {number:#010x} is too long")
    if canonical(number) != number and isinstance(value, bytes):
        value = codepages.decode(value, codepages.WESTERN)
    run.plan.tags[canonical(number)] = value


_NO_TAG: Final = frozenset((p.PidTagBody, p.PidTagHtml, p.PidTagRtfCompressed, p.PidTagMid, p.PidTagEntryId))


def defer(run: Run, rule: Rule, block: ActionBlock) -> None:
    """OP_DEFER_ACTION, 2.2.5.1.2.3, and what only a client can do. Extended rules have no such actions (2.2.6)."""
    if rule.extended:
        raise RuleFailure(RuleError.EXECUTION, "an extended rule's action is the client's")
    run.plan.deferred.setdefault(rule.provider, []).append((rule, block))


# ---------------------------------------------------------------------------------------------- mail


def may_pass_on(run: Run, rule: Rule, recipients: list[str]) -> bool:
    """Whether nothing speaks against sending this mail on; the log says what does."""
    fields = run.view.fields
    reason = ""
    if automail.hops(fields) > run.tx.settings.rule_hops_max:
        reason = "too many hops"
    elif run.owner.lower() in automail.traces(fields):
        reason = "has been here before"
    elif not recipients:
        reason = "goes to the mailbox itself or back to its sender"
    elif _too_often(run, "forward", run.tx.settings.rule_forwards_max):
        reason = "too many from this sender within an hour"
    if reason:
        stopped(run, rule.name, reason)
    return not reason


def _too_often(run: Run, what: str, limit: int, amount: int = 1) -> bool:
    """Whether rules have done so for this sender so often already, or so much of it."""
    return run.tx.frequency.exceeds(what, run.call.sender, limit, run.tx.now, amount)


def stopped(run: Run, rule: str, reason: str) -> None:
    """Say in the log why something was not sent."""
    log.warning(
        "rule sends nothing",
        extra={"mailbox": run.owner, "rule": rule, "reason": reason, "sender": run.call.sender},
    )


def _addresses(run: Run, blocks: tuple[RecipientBlock, ...]) -> list[str]:
    """The recipients, apart from the mailbox itself and, who may be a machine that answers, the sender."""
    those_apart = run.view.addresses | {run.call.sender.lower()}
    found: dict[str, None] = {}
    for block in blocks:
        name, address = person(_bag(block), "")
        if not is_address(address):
            raise RuleFailure(RuleError.RECIPIENTS, f"recipient {name or address!r} has no mail address")
        if address.lower() not in those_apart:
            found[address] = None
    if len(found) > run.tx.settings.submit_recipients_max:
        raise RuleFailure(RuleError.RECIPIENTS, f"{len(found)} recipients")
    return list(found)


def _bag(block: RecipientBlock) -> Bag:
    bag: Bag = {}
    for number, value in block.property_values:
        if canonical(number) != number and isinstance(value, bytes):
            value = codepages.decode(value, codepages.WESTERN)
        bag[canonical(number)] = value
    return bag


def forward(run: Run, rule: Rule, block: ActionBlock) -> None:
    """OP_FORWARD, 2.2.5.1.2.4. What keeps sender or message is redirected; TM, to a telephone, is as any other."""
    data = block.action_data
    assert isinstance(data, Forward)
    recipients = _addresses(run, data.recipient_blocks)
    if not may_pass_on(run, rule, recipients):
        return
    flavor = block.action_flavor
    if flavor & ForwardFlavor.AT:
        run.plan.mails.append(_as_attachment(run, recipients))
    elif flavor & (ForwardFlavor.PR | ForwardFlavor.NC):
        run.plan.mails.append(redirection(run, recipients, "redirected"))
    else:
        run.plan.mails.append(_as_text(run, recipients))


def delegate(run: Run, rule: Rule, block: ActionBlock) -> None:
    """OP_DELEGATE: the delegates get it as the owner would have ([MS-OXORULE] 2.2.5.1.2.4, 3.2.5.1)."""
    data = block.action_data
    assert isinstance(data, Forward)
    recipients = _addresses(run, data.recipient_blocks)
    if may_pass_on(run, rule, recipients):
        mail = redirection(run, recipients, "to delegates")
        run.plan.mails.append(mail._replace(options=Options(delegated_by=run.owner)))


def redirection(run: Run, recipients: list[str], why: str) -> Mail:
    """The mail as it came, for other recipients."""
    head = letters.redirected(run.writer(), recipients)
    sender = run.call.sender if is_address(run.call.sender) else ""
    return Mail(sender, recipients, why, head=head, offset=letters.trace_length(run.view.data.header))


def _sender(run: Run) -> str:
    """The envelope sender of a new mail: for a report none, lest it give a report again (RFC 5321 4.5.5)."""
    return "" if not run.call.sender or _is_report(run) else run.owner


def _is_report(run: Run) -> bool:
    return str(run.view.get(p.PidTagMessageClass) or "").upper().startswith("REPORT.")


def _subject(run: Run) -> str:
    return letters.forward_subject(str(run.view.get(p.PidTagSubject) or ""))


def _as_attachment(run: Run, recipients: list[str]) -> Mail:
    head = letters.attached(run.writer(), recipients, _subject(run), run.view.fields)
    return Mail(_sender(run), recipients, "forwarded", head=head, offset=letters.trace_length(run.view.data.header))


def _as_text(run: Run, recipients: list[str]) -> Mail:
    view, message = run.view, run.call.message
    if message.digest.size > QUOTED_MAX:
        head = letters.body_of(run.writer(), recipients, _subject(run), view.fields)
        return Mail(_sender(run), recipients, "forwarded", head=head, offset=message.digest.header_size)
    from gromoxd.convert.itemof import item_of_mime  # rare, and much code

    original = item_of_mime(bytes(view.data.octets[:]), received=message.received)
    raw = letters.forwarded(run.writer(), recipients, _subject(run), view.fields, original)
    return Mail(_sender(run), recipients, "forwarded", raw=raw)


def refuse(run: Run, rule: Rule, block: ActionBlock) -> None:
    """OP_BOUNCE, 2.2.5.1.2.5. A mail that nobody can be told about is kept."""
    data = block.action_data
    assert isinstance(data, Bounce)
    sender = run.call.sender
    if not is_address(sender) or automail.hops(run.view.fields) > run.tx.settings.rule_hops_max:
        return stopped(run, rule.name, "nobody to send it back to")
    if _too_often(run, "answer", run.tx.settings.rule_replies_max):
        return stopped(run, rule.name, "too many refusals within an hour")
    code = data.bounce_code if data.bounce_code in _REFUSALS else BounceCode.DENIED
    reason, status = _REFUSALS[BounceCode(code)]
    raw = letters.refusal(run.writer(), sender, reason, status, run.view.data.header)
    run.plan.mails.append(Mail("", [sender], "refused", raw=raw))
    run.plan.refused = True


def reply(run: Run, rule: Rule, block: ActionBlock) -> None:
    """OP_REPLY, 2.2.5.1.2.2."""
    _reply(run, rule, block, "AutoReply")


def oof_reply(run: Run, rule: Rule, block: ActionBlock) -> None:
    """OP_OOF_REPLY: while its owner is out of office, once to each sender when the rule keeps a history."""
    if not run.oof:
        return
    _reply(run, rule, block, "OOF")


def _reply(run: Run, rule: Rule, block: ActionBlock, suppressing: str) -> None:
    data, sender = block.action_data, run.call.sender
    assert isinstance(data, Reply)
    reason = why_silent(run, suppressing)
    if reason:
        return stopped(run, rule.name, reason)
    once = bool(rule.state & RuleState.ST_KEEP_OOF_HIST)
    if once and not ruletemplates.first_time(run.tx, rule.key, sender):
        return
    flavor, view = block.action_flavor, run.view
    by_server = flavor & ReplyFlavor.ST
    template = None if by_server else ruletemplates.find(run.tx, data.template_guid, _template(rule, data))
    subject = ruletemplates.subject_of(template) or f"RE: {view.get(p.PidTagNormalizedSubject) or ''}"
    wanted = ruletemplates.recipients_of(template)
    recipients = wanted if flavor & ReplyFlavor.NS else [sender, *wanted]
    recipients = [one for one in dict.fromkeys(recipients) if is_address(one) and one.lower() not in view.addresses]
    if not recipients:
        return stopped(run, rule.name, "nobody to answer")
    if _too_often(run, "answer", run.tx.settings.rule_replies_max):
        return stopped(run, rule.name, "too many answers within an hour")
    item = template or ruletemplates.STANDARD
    raw = letters.reply(run.writer(), run.owner, recipients, subject, view.stored, item)
    if len(raw) > run.tx.settings.rule_reply_size_max:
        raise RuleFailure(RuleError.TEMPLATE, f"an answer of {len(raw)} octets")
    if _too_often(run, "octets", run.tx.settings.rule_reply_octets_max, len(raw) * len(recipients)):
        return stopped(run, rule.name, "too much is answered within an hour")
    run.plan.mails.append(Mail("", recipients, "answered", raw=raw))
    if once:
        run.plan.answered.append((rule.key, sender))


def _template(rule: Rule, data: Reply) -> int:
    """The id of the template. RuleFailure."""
    if not rule.extended:
        return eid_split(data.template_mid)[1]
    try:
        return MessageEntryId.decode(data.message_eid).message.counter
    except WireError as error:
        raise RuleFailure(RuleError.TEMPLATE, f"no template: {error}") from error


def why_silent(run: Run, suppressing: str) -> str:
    """Why this mail is not answered, '' when it may be (RFC 3834 2)."""
    sender, view = run.call.sender, run.view
    if sender.lower() in view.addresses:
        return "from the mailbox itself"
    if automail.hops(view.fields) > run.tx.settings.rule_hops_max:
        return "too many hops"
    if run.owner.lower() in automail.traces(view.fields):
        return "has been here before"
    if _is_report(run):
        return "a report"
    if sender and not is_address(sender):
        return "sender is no address"
    return automail.unanswerable(view.fields, sender, suppressing)


HANDLERS: Final[dict[int, Handler]] = {
    ActionType.OP_MOVE: move, ActionType.OP_COPY: copy, ActionType.OP_REPLY: reply,
    ActionType.OP_OOF_REPLY: oof_reply, ActionType.OP_DEFER_ACTION: defer, ActionType.OP_BOUNCE: refuse,
    ActionType.OP_FORWARD: forward, ActionType.OP_DELEGATE: delegate, ActionType.OP_TAG: tag,
    ActionType.OP_DELETE: delete, ActionType.OP_MARK_AS_READ: mark_read,
}  # fmt: skip
