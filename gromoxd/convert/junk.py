"""Mail that a filter before this server marked as spam, by header fields that the configuration names."""

from __future__ import annotations

import re
from functools import lru_cache

LARGEST_HEADER = 64 << 10
_NAME = re.compile(r"[!-9;-~]+")
JUNK, SAFE = 9, -1
"""PidTagContentFilterSpamConfidenceLevel ([MS-OXCSPAM] 2.2.1.3)."""


def split(text: str) -> list[str]:
    """The rules of a configuration: `Name: regular expression`, semicolons between them."""
    return [rule.strip() for rule in text.split(";") if rule.strip()]


def problem(text: str) -> str:
    """What is wrong with one `Name: regular expression`, '' when nothing is."""
    name, colon, pattern = text.partition(":")
    if not colon or not _NAME.fullmatch(name.strip()):
        return "no `Name: regular expression`"
    try:
        re.compile(pattern.strip())
    except re.error as error:
        return str(error)
    return ""


class Matcher:
    """All rules of a configuration. Most mail has none of their fields, which is found out first and cheaply."""

    def __init__(self, text: str) -> None:
        rules = [rule for rule in split(text) if not problem(rule)]
        pairs = [rule.partition(":")[::2] for rule in rules]
        self._names = tuple(dict.fromkeys(name.strip().lower().encode() for name, _ in pairs))
        fields = [f"{re.escape(name.strip())}[ \\t]*:[ \\t]*(?:{pattern.strip()})" for name, pattern in pairs]
        self._search = re.compile(f"^(?:{'|'.join(fields)})".encode(), re.IGNORECASE | re.MULTILINE).search

    def matches(self, header: bytes) -> bool:
        """Whether a rule matches a field of the header."""
        lowered = header[:LARGEST_HEADER].lower()
        for name in self._names:
            if name in lowered:
                return self._search(header, 0, LARGEST_HEADER) is not None
        return False


@lru_cache(maxsize=16)
def matcher(text: str) -> Matcher:
    """The rules of a configuration; those that are none are left out."""
    return Matcher(text)


def is_junk(header: bytes, rules: str) -> bool:
    """Whether one of the rules (see `split`) matches a field of the header."""
    return matcher(rules).matches(header)
