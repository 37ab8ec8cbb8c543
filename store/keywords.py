"""Interning keyword sets: the id above the system bits of a flags word (gromoxd.exmdb.pages)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gromoxd.errors import Ec, MapiError
from store.transaction import Transaction

LONGEST, MOST = 1024, 1000


def check(keywords: list[str]) -> None:
    """ecInvalidParam for keywords that no protocol can carry."""
    if len(keywords) > MOST or not all(0 < len(word) <= LONGEST for word in keywords):
        raise MapiError(Ec.ecInvalidParam, "keywords")


def intern(tx: Transaction, keywords: Iterable[str]) -> int:
    """The id of a set of keywords, made if need be. ecStorageFull when a mailbox has too many sets."""
    lowered = {word.lower(): word for word in keywords}
    known = tx.state.keywords
    number = known.find(set(lowered))
    if number is not None:
        return number
    if len(known.sets) >= tx.settings.most_keyword_sets or len(lowered) > MOST:
        raise MapiError(Ec.ecStorageFull, "too many keywords")
    words = sorted(known.spelling.get(low, word) for low, word in lowered.items())
    number = known.add(words)
    tx.db.execute("INSERT INTO keyword_sets VALUES (?,?)", (number, msgspec.json.encode(words).decode()))
    tx.effects.keywords = True
    return number
