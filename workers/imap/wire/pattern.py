"""Matching of LIST patterns (RFC 3501 6.3.8): '*' takes anything, '%' anything but the hierarchy delimiter. Pure.

The pattern is a set of positions kept in one integer, advanced once per character of the name: the time is bounded by
(length of the name) x (length of the pattern / 64), whatever the pattern.
"""

from __future__ import annotations

import re

DELIMITER = "/"
_WILD = re.compile(r"[*%]{2,}")


class Pattern:
    """A compiled pattern. `fold` leading characters of a name are compared without regard to ASCII case (INBOX)."""

    __slots__ = ("_any", "_final", "_letters", "_slashless", "_wild", "text")

    def __init__(self, text: str) -> None:
        self.text = text = _WILD.sub(lambda m: "*" if "*" in m[0] else "%", text)
        self._any = self._slashless = 0
        self._letters: dict[str, int] = {}
        for at, letter in enumerate(text):
            if letter == "*":
                self._any |= 1 << at
            elif letter == "%":
                self._slashless |= 1 << at
            else:
                self._letters[letter] = self._letters.get(letter, 0) | 1 << at
        self._wild = self._any | self._slashless
        self._final = 1 << len(text)

    def _follow(self, letter: str, fold: bool) -> int:
        if not fold:
            return self._letters.get(letter, 0)
        return self._letters.get(letter.upper(), 0) | self._letters.get(letter.lower(), 0)

    def matches(self, name: str, fold: int = 0) -> bool:
        """Whether the whole name fits the whole pattern."""
        wild = self._wild
        state = 1 | (1 & wild) << 1
        for at, letter in enumerate(name):
            stay = self._any if letter == DELIMITER else wild
            state = state & stay | (state & self._follow(letter, at < fold)) << 1
            state |= (state & wild) << 1
            if not state:
                return False
        return bool(state & self._final)
