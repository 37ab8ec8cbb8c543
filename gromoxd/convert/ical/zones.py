"""Time zones of a calendar: TZID and VTIMEZONE ([MS-OXCICAL] 2.1.3.1.1.19) as definitions of MAPI, and back.

A TZID that is the name of an IANA zone or of one of Windows is that zone, as the database has it today; only for other
names does the VTIMEZONE count, with all its observances. A time zone goes out under its IANA name, which all programs
know but old ones of Microsoft, and they read the VTIMEZONE that goes with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from gromoxd.convert.contentline import Component, component, line
from gromoxd.convert.ical.rules import WEEKDAYS, expand, parse_rule
from gromoxd.convert.ical.values import (
    LAST,
    Kind,
    Moment,
    moment_of,
    moments,
    offset,
    offset_text,
    time_text,
)
from gromoxd.mapi.ianazones import (
    FIRST_YEAR,
    LAST_YEAR,
    Change,
    definition,
    definition_of_changes,
    find,
    iana_name,
    windows_name,
)
from gromoxd.mapi.occurrences import DAY, month_start, week_day
from gromoxd.mapi.timezones import (
    SystemTime,
    TimeZoneDefinition,
    TimeZoneRule,
    to_local,
    to_utc,
)

MAX_ZONES: Final = 200
MAX_OBSERVANCES: Final = 400
MAX_NAME: Final = 255
UTC_NAME: Final = "UTC"
_UTC = TimeZoneDefinition(UTC_NAME, (TimeZoneRule(3, 1601, 0, 0, 0),))


class Zone(NamedTuple):
    """A time zone as a calendar names it."""

    tzid: str
    definition: TimeZoneDefinition

    def utc(self, local: int) -> int:
        """UTC of local seconds."""
        return to_utc(self.definition, local // 60) * 60 + local % 60

    def local(self, utc: int) -> int:
        """Local seconds of UTC."""
        return to_local(self.definition, utc // 60) * 60 + utc % 60


UTC: Final = Zone(UTC_NAME, _UTC)


def named(name: str, since: int = FIRST_YEAR) -> Zone | None:
    """The zone of an IANA name or one of Windows, right from a year on."""
    iana = find(name)
    found = definition(iana, min(max(since, FIRST_YEAR), LAST_YEAR)) if iana else None
    if found is None or iana is None:
        return None
    return UTC if found.key_name == UTC_NAME else Zone(iana, found)


class Zones:
    """The zones that the TZIDs of a calendar mean; `default` is that of times without one.

    `calendar`: the one that the calendar itself names for them (X-WR-TIMEZONE), whereby they do not float.
    """

    def __init__(self, components: Sequence[Component] = (), default: str = "", calendar: str = "") -> None:
        self._components = {
            each.value("TZID").strip().strip('"').lower(): each for each in components[:MAX_ZONES] if each.value("TZID")
        }
        self._default = default or UTC_NAME
        self._calendar = bool(calendar)
        self._found: dict[tuple[str, int], Zone] = {}

    def zone(self, tzid: str, since: int = FIRST_YEAR) -> Zone:
        """The zone of a TZID, the default one for a name that nobody knows."""
        since = min(max(since - 1, FIRST_YEAR), LAST_YEAR)
        key = tzid.strip().strip('"').lower()[:MAX_NAME]
        found = self._found.get((key, since))
        if found is None:
            found = self._found[key, since] = self._resolve(tzid, key, since)
        return found

    def known(self, moment: Moment) -> bool:
        """Whether a time has a zone, and one that can be found."""
        if moment.kind is not Kind.ZONED:
            return moment.kind is Kind.UTC or self._calendar
        key = moment.tzid.strip().strip('"').lower()[:MAX_NAME]
        return key in self._components or find(moment.tzid) is not None

    def _resolve(self, tzid: str, key: str, since: int) -> Zone:
        found = named(tzid, since) if tzid else None
        if found is None and key in self._components:
            found = _observed(self._components[key], tzid, since)
        return found or named(self._default, since) or UTC

    def of(self, moment: Moment) -> Zone:
        """The zone of a time."""
        return UTC if moment.kind is Kind.UTC else self.zone(moment.tzid, moment.year)

    def utc(self, moment: Moment) -> int:
        """UTC seconds of a time."""
        return moment.seconds if moment.kind is Kind.UTC else self.of(moment).utc(moment.seconds)

    def local(self, moment: Moment, zone: Zone) -> int:
        """Seconds in another zone; days and floating times are everywhere the same."""
        if moment.kind in (Kind.DATE, Kind.FLOATING):
            return moment.seconds
        own = self.of(moment)
        return moment.seconds if own == zone else zone.local(own.utc(moment.seconds))


def _observed(component: Component, tzid: str, since: int) -> Zone | None:
    """The zone that a VTIMEZONE describes (RFC 5545 3.6.5); None for one without a usable observance."""
    onsets: dict[int, tuple[int, int]] = {}
    first: tuple[int, int] | None = None
    for each in component.children[:MAX_OBSERVANCES]:
        start, before, after = moment_of(each.first("DTSTART")), offset(each.value("TZOFFSETFROM")), None
        after = offset(each.value("TZOFFSETTO"))
        if start is None or after is None or each.name not in ("STANDARD", "DAYLIGHT"):
            continue
        before = after if before is None else before
        if first is None or start.seconds < first[0]:
            first = start.seconds, before
        for at in _onsets(each, start.seconds, before, since):
            onsets[at // 60] = before, after
    if first is None:
        return None
    name = windows_name(tzid) or tzid[:MAX_NAME]
    changes = [Change(local, *offsets) for local, offsets in sorted(onsets.items())]
    begins = month_start((since - 1601) * 12)[0] * DAY
    return Zone(tzid, _of_changes(name, first[1], changes, begins, since))


def _of_changes(name: str, first: int, changes: list[Change], begins: int, since: int) -> TimeZoneDefinition:
    """The definition of onsets, those before a year making the offset that it begins with."""
    for change in changes:
        if change.local < begins:
            first = change.after
    real, current = [], first
    for change in changes:
        if change.local >= begins and change.after != current:
            real.append(change._replace(before=current))
            current = change.after
    return definition_of_changes(name, first, real, since)


def _onsets(component: Component, start: int, before: int, since: int) -> set[int]:
    """Local seconds at which an observance begins, from about a year on; the last one before it among them."""
    rdates = {at.seconds for each in component.all("RDATE")[:MAX_OBSERVANCES] for at, _ in moments(each)}
    found = {start} | rdates
    rule_line = component.first("RRULE")
    rule = parse_rule(rule_line.value) if rule_line is not None else None
    if rule is not None and rule.freq in ("YEARLY", "MONTHLY"):
        end = LAST
        if rule.until is not None:
            end = rule.until.seconds + (before * 60 if rule.until.kind is Kind.UTC else 0)
        begins = month_start((since - 1 - 1601) * 12)[0] * 86400
        after = month_start((LAST_YEAR + 1 - 1601) * 12)[0] * 86400
        found.update(expand(rule, start, min(end, after), 2_000, since=begins))
    return found


# ------------------------------------------------------------------------------------------ writing


def tzid_of(zone: TimeZoneDefinition, description: str = "") -> str:
    """The name a zone goes out with: the description that came with it where it is that zone's, else the IANA name."""
    key = zone.key_name
    if description:
        windows = windows_name(description)
        if windows == key or description == key or (windows is None and iana_name(key) is None):
            return description[:MAX_NAME]
    return iana_name(key) or key[:MAX_NAME] or "Custom"


@lru_cache(maxsize=256)
def vtimezone(tzid: str, zone: TimeZoneDefinition, since: int) -> bytes:
    """A VTIMEZONE with the rules that hold from the year `since` on."""
    rules = sorted(zone.rules, key=lambda rule: rule.year)
    first = max((index for index, rule in enumerate(rules) if rule.year <= since), default=0)
    body = [line("TZID", tzid)]
    for index, rule in enumerate(rules[first:], first):
        end = rules[index + 1].year - 1 if index + 1 < len(rules) else 0
        year = max(rule.year, 1601 if index == 0 else since if index == first else rule.year)
        body += _observances(rule, year if year > 1601 else min(since, 1970), end)
    return component("VTIMEZONE", body)


def _observances(rule: TimeZoneRule, first: int, last: int) -> list[bytes]:
    """The observances of a rule from one year to another, 0 for no end."""
    standard, daylight = -(rule.bias + rule.standard_bias), -(rule.bias + rule.daylight_bias)
    if not (rule.standard_date.month and rule.daylight_date.month):
        body = [
            line("DTSTART", f"{first:04}0101T000000"),
            line("TZOFFSETFROM", offset_text(standard)),
            line("TZOFFSETTO", offset_text(standard)),
        ]
        return [component("STANDARD", body)]
    return [
        _observance("STANDARD", rule.standard_date, first, last, daylight, standard),
        _observance("DAYLIGHT", rule.daylight_date, first, last, standard, daylight),
    ]


def _observance(name: str, date: SystemTime, first: int, last: int, before: int, after: int) -> bytes:
    years = [first] if last in (0, first) else [first, last]
    onsets = [_onset(date, year) for year in years]
    body = [line("DTSTART", time_text(onsets[0] * 60))]
    if date.year == 0 and last != first:
        rank = date.day if date.day < 5 else -1
        until = f";UNTIL={time_text((onsets[-1] - before) * 60, utc=True)}" if last else ""
        day = WEEKDAYS[date.day_of_week % 7]
        body.append(line("RRULE", f"FREQ=YEARLY;BYMONTH={date.month};BYDAY={rank}{day}{until}"))
    body += [line("TZOFFSETFROM", offset_text(before)), line("TZOFFSETTO", offset_text(after))]
    return component(name, body)


def _onset(date: SystemTime, year: int) -> int:
    """The local minute of a change in a year."""
    start, length = month_start((year - 1601) * 12 + min(max(date.month, 1), 12) - 1)
    if date.year:
        day = min(max(date.day, 1), length) - 1
    else:
        day = (date.day_of_week - week_day(start)) % 7 + 7 * (min(max(date.day, 1), 5) - 1)
        while day >= length:
            day -= 7
    return (start + day) * DAY + min(date.hour * 60 + date.minute + (1 if date.second or date.milliseconds else 0), DAY)
