"""The value syntax of configuration files: text <-> int, size, span, bool, str, list. Pure.

The syntax is Gromox's: sizes take a suffix of powers of 1024, spans are additive (`1h30min`), and a boolean is false
when it is empty, no, off, false or 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_SIZE = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)\s*([kmgtpe]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_SPAN_PART = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*([^\W\d]*)", re.IGNORECASE)
_INT = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_FALSE = frozenset({"", "no", "off", "false", "0"})
_TRUE = frozenset({"yes", "on", "true", "1"})
_LARGEST = 1 << 63

_UNITS: dict[str, float] = {
    "ns": 1e-9, "nsec": 1e-9, "us": 1e-6, "usec": 1e-6, "ms": 1e-3, "msec": 1e-3,
    "": 1.0, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
    "w": 604800.0, "week": 604800.0, "weeks": 604800.0,
    "month": 2629800.0, "months": 2629800.0, "y": 31557600.0, "year": 31557600.0, "years": 31557600.0,
}  # fmt: skip
"""Seconds in a unit; a month is 30.4375 days and a year 365.25, as systemd.time(7) has it."""


def parse_int(text: str) -> int:
    """A decimal number."""
    if not _INT.fullmatch(text):
        raise ValueError("is not a whole number")
    return int(text)


def parse_size(text: str) -> int:
    """Bytes: a number with an optional suffix K, M, G, T, P or E (powers of 1024)."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError("is not a size (a number with an optional suffix K, M, G or T)")
    power = " kmgtpe".index(found[2].lower() or " ")
    value = int(found[1]) << 10 * power if found[1].isdigit() else int(float(found[1]) * (1 << 10 * power))
    if value >= _LARGEST:
        raise ValueError("is too large a size")
    return value


def parse_span(text: str) -> float:
    """Seconds: numbers with units, added up, such as `1h 30min`; a bare number, alone, is in seconds."""
    total, at = 0.0, 0
    while at < len(text):
        part = _SPAN_PART.match(text, at)
        if not part or part[2].lower() not in _UNITS or (not part[2] and len(part[0]) < len(text)):
            break
        total += float(part[1]) * _UNITS[part[2].lower()]
        at = part.end()
    if not at or text[at:].strip():
        raise ValueError("is not a time span (such as 30s, 5min or 1h30min)")
    return total


def parse_bool(text: str) -> bool:
    """Empty, no, off, false and 0 are false; yes, on, true and 1 are true."""
    word = text.lower()
    if word in _FALSE:
        return False
    if word in _TRUE:
        return True
    raise ValueError("is neither yes nor no")


def parse_list(text: str) -> list[str]:
    """Words separated by blanks or commas."""
    return text.replace(",", " ").split()


PARSERS: dict[str, Callable[[str], Any]] = {
    "int": parse_int,
    "size": parse_size,
    "span": parse_span,
    "bool": parse_bool,
    "str": str,
    "list": parse_list,
}


def parse(text: str, meta: Mapping[str, Any]) -> Any:
    """The value of `text` for a field declared with `gromoxd.settings.setting`; ValueError says what is wrong."""
    value = PARSERS[meta["kind"]](text)
    low, high, choices = meta["low"], meta["high"], meta["choices"]
    if choices and value not in choices:
        raise ValueError(f"is none of {', '.join(choices)}")
    if meta["kind"] in ("int", "size", "span"):
        if low is not None and value < low:
            raise ValueError(f"is below the least value {render(low, meta['kind'])}")
        if high is not None and value > high:
            raise ValueError(f"is above the greatest value {render(high, meta['kind'])}")
    return value


def _render_size(value: int) -> str:
    for power, suffix in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if value and value % (1 << 10 * power) == 0:
            return f"{value >> 10 * power}{suffix}"
    return str(value)


def _render_span(value: float) -> str:
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if value and value % unit == 0:
            return f"{int(value) // unit}{name}"
    return "0" if not value else f"{round(value * 1000)}ms"


def render(value: Any, kind: str) -> str:
    """The inverse of `parse`, in the form in which a person would write it."""
    if kind == "size":
        return _render_size(int(value))
    if kind == "span":
        return _render_span(value)
    if kind == "bool":
        return "yes" if value else "no"
    return " ".join(value) if kind == "list" else str(value)
