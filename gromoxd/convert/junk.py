"""Mail that a filter before this server marked as spam, by header fields that the configuration names."""

from __future__ import annotations

import re
from functools import lru_cache

LARGEST_HEADER = 64 << 10
_NAME = re.compile(r"[!-9;-~]+")
_FLAGS = re.compile(r"\(\?[aimsx]+\)")
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
        _compiled(name, pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return ""


def _compiled(name: str, pattern: str) -> re.Pattern[bytes]:
    """What a rule looks for; each is compiled alone, so that its flags and groups are its own."""
    pattern, flags = pattern.strip(), ""
    leading = _FLAGS.match(pattern)
    if leading is not None:
        flags, pattern = leading[0], pattern[leading.end() :]
    source = f"{flags}^{re.escape(name.strip())}[ \\t]*:[ \\t]*(?:{pattern})"
    return re.compile(source.encode(), re.IGNORECASE | re.MULTILINE)


class Matcher:
    """All rules of a configuration. Most mail has none of their fields, which is found out first and cheaply."""

    def __init__(self, text: str) -> None:
        pairs = [rule.partition(":")[::2] for rule in split(text) if not problem(rule)]
        self._rules = [(name.strip().lower().encode(), _compiled(name, pattern).search) for name, pattern in pairs]

    def matches(self, header: bytes) -> bool:
        """Whether a rule matches a field of the header."""
        lowered = header[:LARGEST_HEADER].lower()
        return any(name in lowered and search(header, 0, LARGEST_HEADER) is not None for name, search in self._rules)


@lru_cache(maxsize=16)
def matcher(text: str) -> Matcher:
    """The rules of a configuration; those that are none are left out."""
    return Matcher(text)


def is_junk(header: bytes, rules: str) -> bool:
    """Whether one of the rules (see `split`) matches a field of the header."""
    return matcher(rules).matches(header)
