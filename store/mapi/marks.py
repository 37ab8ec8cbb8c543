"""Which bits of a message's flags word and which keywords its properties stand for.

The flags word is the truth, for IMAP's clients change it, too: mfRead is \\Seen, mfUnsent \\Draft, a flag for follow-up
\\Flagged, a reply \\Answered, a forward $Forwarded, MSGSTATUS_DELMARKED \\Deleted, categories are keywords. The bag
keeps what the word cannot say; `store.mapi.computed` puts both together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gromoxd.exmdb.pages import ANSWERED, DELETED, DRAFT, FLAGGED, KEYWORD_SHIFT, SEEN, SYSTEM_MASK
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import MessageFlags as Mf
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.mapi.proptags import (
    PidTagFlagStatus,
    PidTagLastVerbExecuted,
    PidTagMessageFlags,
    PidTagMessageStatus,
    PidTagRead,
)
from store import keywords
from store.transaction import Transaction

MF_READ, MF_UNMODIFIED, MF_UNSENT = int(Mf.mfRead), int(Mf.mfUnmodified), int(Mf.mfUnsent)
MF_HAS_ATTACH, MF_FAI, MF_EVER_READ = int(Mf.mfHasAttach), int(Mf.mfFAI), int(Mf.mfEverRead)
MF_SAID = int(
    Mf.mfSubmitted | Mf.mfFromMe | Mf.mfResend | Mf.mfNotifyRead | Mf.mfNotifyUnread | Mf.mfInternet | Mf.mfUntrusted
)
"""PidTagMessageFlags in the bag that clients set: mfSubmitted, -FromMe, -Resend, -NotifyRead, -NotifyUnread, -Internet,
-Untrusted ([MS-OXCMSG] 2.2.1.6). mfRead, mfUnsent, mfHasAttach and mfFAI are computed."""
MF_KEPT = MF_SAID | MF_UNMODIFIED | MF_EVER_READ
"""All that are in the bag."""
MF_DELIVERED = MF_UNMODIFIED
"""Those of a message whose bag does not say."""
FOLLOWUP_COMPLETE, FOLLOWUP_FLAGGED = 1, 2
"""PidTagFlagStatus, [MS-OXOFLAG] 2.2.1.1. Complete is in the bag, and shown unless the message is \\Flagged anew."""
REPLIED, REPLIED_ALL, FORWARDED_VERB = 102, 103, 104
"""PidTagLastVerbExecuted, [MS-OXOMSG] 2.2.1.34. The bag has the verb, too: a message may be both, one was the last."""
FORWARDED = "$Forwarded"
STATUS_DELETED = 0x8
"""MSGSTATUS_DELMARKED of PidTagMessageStatus, [MS-OXCMSG] 2.2.1.8."""

MARKS = frozenset(
    (PidTagMessageFlags, PidTagRead, PidTagFlagStatus, PidTagLastVerbExecuted, PidTagMessageStatus, PidNameKeywords)
)
"""Properties that `mark` looks at; they are not simply put into the bag."""


def is_system(keyword: str) -> bool:
    """Keywords that are no categories (RFC 9051 2.3.2)."""
    return keyword.startswith(("$", "\\"))


def mark(tx: Transaction, word: int, bag: Bag, values: Mapping[int, Any], gone: Iterable[int]) -> int:
    """The flags word after properties were set and removed; the bag gets its share of them."""
    wanted: dict[int, Any] = {tag: None for tag in gone if tag in MARKS}
    wanted |= {tag: value for tag, value in values.items() if tag in MARKS}
    system = word & SYSTEM_MASK
    words = tx.state.keywords.sets[word >> KEYWORD_SHIFT]
    had = words
    for tag, value in wanted.items():
        if tag == PidNameKeywords:
            words = [w for w in words if is_system(w)] + [w for w in value or () if w and not is_system(w)]
        elif tag == PidTagLastVerbExecuted:
            system, words = _verb(system, words, value)
            _keep(bag, tag, value)
        else:
            system = _SYSTEM[tag](system, bag, value or 0)
    if words is had:
        return word & ~SYSTEM_MASK | system
    keywords.check(words)
    return system | keywords.intern(tx, words) << KEYWORD_SHIFT


def _keep(bag: Bag, tag: int, value: Any) -> None:
    if value:
        bag[tag] = value
    else:
        bag.pop(tag, None)


def _with(system: int, bit: int, on: object) -> int:
    return system | bit if on else system & ~bit


def _message_flags(system: int, bag: Bag, value: int) -> int:
    had: Any = bag.get(PidTagMessageFlags, MF_DELIVERED)
    kept = value & MF_SAID | had & ~MF_SAID
    if kept != had:
        bag[PidTagMessageFlags] = kept
    return _with(_with(system, SEEN, value & MF_READ), DRAFT, value & MF_UNSENT)


def _read(system: int, bag: Bag, value: int) -> int:
    return _with(system, SEEN, value)


def _flag_status(system: int, bag: Bag, value: int) -> int:
    _keep(bag, PidTagFlagStatus, value if value == FOLLOWUP_COMPLETE else 0)
    return _with(system, FLAGGED, value == FOLLOWUP_FLAGGED)


def _message_status(system: int, bag: Bag, value: int) -> int:
    _keep(bag, PidTagMessageStatus, value & ~STATUS_DELETED)
    return _with(system, DELETED, value & STATUS_DELETED)


_SYSTEM = {
    PidTagMessageFlags: _message_flags, PidTagRead: _read, PidTagFlagStatus: _flag_status,
    PidTagMessageStatus: _message_status,
}  # fmt: skip


def _verb(system: int, words: list[str], value: int | None) -> tuple[int, list[str]]:
    """A verb adds its mark; removing the property removes both."""
    if value in (REPLIED, REPLIED_ALL):
        return system | ANSWERED, words
    forwarded = any(word.lower() == FORWARDED.lower() for word in words)
    if value == FORWARDED_VERB:
        return system, words if forwarded else [*words, FORWARDED]
    if not value:
        system &= ~ANSWERED
        words = [word for word in words if word.lower() != FORWARDED.lower()] if forwarded else words
    return system, words
