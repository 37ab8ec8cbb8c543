"""Templates of answers, which are associated messages, and who was answered ([MS-OXORULE] 2.2.5.1.2.2, 3.2.5.1.1)."""

from __future__ import annotations

from typing import Final

from gromoxd.convert.composeheader import person
from gromoxd.convert.item import Item
from gromoxd.errors import MapiError
from gromoxd.mapi import proptags as p
from store import wellknown as wk
from store.mapi import datarows, source
from store.mapi.rows import look_up
from store.mapi.ruleplan import RuleError, RuleFailure
from store.sql import row, rows
from store.transaction import Transaction

STANDARD: Final = Item({p.PidTagBody: "This is an automatic answer. Your mail has arrived.\r\n"})
"""What is answered where the server is to choose."""
MOST_ANSWERED: Final = 50_000
"""Of one mailbox; beyond, who was answered first may be answered again."""
_BY_CLASS: Final = (
    "SELECT u.did FROM unlisted u JOIN message_data d ON d.did = u.did"
    " WHERE u.fid=? AND u.kind=1 AND d.class LIKE 'IPM.Note.rules.%' LIMIT 1000"
)


def find(tx: Transaction, guid: bytes, mid: int) -> Item:
    """The template of this id, or the one in the Inbox with this PidTagReplyTemplateId. RuleFailure."""
    found = look_up(tx.db, mid)
    candidates = [found.did] if found is not None and found.associated and not found.deleted else []
    candidates += [did for (did,) in rows(tx.db, _BY_CLASS, (wk.INBOX,))]
    try:
        for did in dict.fromkeys(candidates):
            data = datarows.load(tx, did)
            if data.props.get(p.PidTagReplyTemplateId, guid) == guid:
                return source.whole(tx, data)
    except MapiError as error:
        raise RuleFailure(RuleError.TEMPLATE, f"template: {error}") from error
    raise RuleFailure(RuleError.TEMPLATE, "the template of the answer is gone")


def subject_of(template: Item | None) -> str:
    """The template's own subject."""
    subject = template.props.get(p.PidTagSubject) if template is not None else None
    return subject if isinstance(subject, str) else ""


def recipients_of(template: Item | None) -> list[str]:
    """Whom the template names beside the sender."""
    return [person(bag, "")[1] for bag in template.recipients] if template is not None else []


# ---------------------------------------------------------------------------------------------- who was answered


def first_time(tx: Transaction, rule: int, address: str) -> bool:
    """Whether somebody was not answered by this rule (0: the out-of-office message) yet."""
    return row(tx.db, "SELECT 1 FROM auto_replies WHERE rule=? AND address=?", (rule, address.lower())) is None


def remember(tx: Transaction, rule: int, address: str) -> None:
    """Somebody has been answered."""
    tx.db.execute("INSERT OR REPLACE INTO auto_replies VALUES (?,?,?)", (rule, address.lower(), tx.now))
    if row(tx.db, "SELECT count(*) FROM auto_replies")[0] > MOST_ANSWERED:
        oldest = "SELECT rule, address FROM auto_replies ORDER BY time LIMIT ?"
        tx.db.execute(f"DELETE FROM auto_replies WHERE (rule, address) IN ({oldest})", (MOST_ANSWERED // 10,))


def forget(tx: Transaction) -> None:
    """A new time out of office begins."""
    tx.db.execute("DELETE FROM auto_replies")
