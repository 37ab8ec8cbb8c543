"""The words by which people are found: ambiguous name resolution ([MS-OXNSPI] 3.1.4.7). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gromoxd.addressbook.entry import Entry
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.evaluate import loose

LONGEST_QUERY: Final = 256
MOST_QUERY_WORDS: Final = 8
LONGEST_WORD: Final = 64
MOST_WORDS: Final = 48
_SPACE: Final = re.compile(r"[\s,;()<>\"'\x00]+")
_PARTS: Final = re.compile(r"[-_.+@/&]+")
_DIGITS: Final = re.compile(r"\D+")
_TEXTS: Final = (
    tags.PidTagGivenName, tags.PidTagSurname, tags.PidTagMiddleName, tags.PidTagNickname, tags.PidTagOfficeLocation,
    tags.PidTagInitials, tags.PidTagAccount, tags.PidTagAddressBookPhoneticDisplayName,
    tags.PidTagAddressBookPhoneticGivenName, tags.PidTagAddressBookPhoneticSurname,
)  # fmt: skip
_NUMBERS: Final = (
    tags.PidTagBusinessTelephoneNumber, tags.PidTagPrimaryTelephoneNumber, tags.PidTagMobileTelephoneNumber,
    tags.PidTagHomeTelephoneNumber,
)  # fmt: skip


def query_words(text: str) -> list[str]:
    """The words of what somebody typed."""
    words = [word[:LONGEST_WORD] for word in _SPACE.split(loose(text[:LONGEST_QUERY])) if word]
    return words[:MOST_QUERY_WORDS]


def _text_words(text: str) -> Iterator[str]:
    for word in _SPACE.split(loose(text)):
        if word:
            yield word[:LONGEST_WORD]
            parts = _PARTS.split(word)
            if len(parts) > 1:
                yield from (part[:LONGEST_WORD] for part in parts if part)


def entry_words(entry: Entry) -> set[str]:
    """The words an object is found by, each from its beginning."""
    found: dict[str, None] = {}
    for text in (entry.display_name, entry.username, entry.smtp, *entry.aliases):
        found.update(dict.fromkeys(_text_words(text)))
    for tag in _TEXTS:
        value = entry.props.get(tag)
        if isinstance(value, str):
            found.update(dict.fromkeys(_text_words(value)))
    for tag in _NUMBERS:
        value = entry.props.get(tag)
        if isinstance(value, str) and (digits := _DIGITS.sub("", value)):
            found[digits[:LONGEST_WORD]] = None
            found[value.strip()[:LONGEST_WORD]] = None
    return set(list(found)[:MOST_WORDS])


def is_exact(entry: Entry, text: str) -> bool:
    """Is this all of a name or address of the object's?"""
    wanted = loose(text.strip())
    names = (entry.display_name, entry.username, entry.smtp, entry.username.partition("@")[0], *entry.aliases)
    return any(wanted == loose(name) for name in names)
