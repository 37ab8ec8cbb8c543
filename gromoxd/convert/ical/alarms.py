"""VALARM and the reminder of an item ([MS-OXCICAL] 2.1.3.1.1.20.62, [MS-OXORMDR] 2.2.1)."""

from __future__ import annotations

from typing import Final

from gromoxd.convert.contentline import Component, component, components, line
from gromoxd.convert.ical.texts import number_of
from gromoxd.convert.ical.values import Kind, duration, duration_text, filetime_of, moment_of, seconds_of, time_text
from gromoxd.convert.ical.zones import Zones
from gromoxd.mapi import named_tags as n
from gromoxd.mapi.bag import Bag

DEFAULT_DELTA: Final = 0x5AE980E1
"""PidLidReminderDelta that says fifteen minutes ([MS-OXORMDR] 2.2.1.3)."""
_MOST = 5 * 366 * 1440


def read_alarm(found: Component, bag: Bag, start: int | None, end: int | None, zones: Zones) -> list[Component]:
    """The reminder of the first alarm that gives one, and what must be kept: all of them where it does not say all.

    Times are UTC seconds.
    """
    alarms = [child for child in found.children if child.name == "VALARM"]
    bag[n.PidLidReminderSet] = False
    for alarm in alarms:
        delta = _delta(alarm, start, end, zones)
        if delta is None:
            continue
        bag[n.PidLidReminderSet] = True
        bag[n.PidLidReminderDelta] = delta
        if start is not None:
            bag[n.PidLidReminderTime] = filetime_of(start)
            bag[n.PidLidReminderSignalTime] = filetime_of(start - delta * 60)
        return [] if len(alarms) == 1 and _is_simple(alarm, delta) else alarms
    return alarms


def _is_simple(alarm: Component, delta: int) -> bool:
    """Whether the reminder says all that the alarm does."""
    trigger = alarm.first("TRIGGER")
    return (
        trigger is not None
        and duration(trigger.value) == -delta * 60
        and trigger.param("RELATED").upper() != "END"
        and alarm.value("ACTION").strip().upper() == "DISPLAY"
        and {each.name for each in alarm.lines} <= {"TRIGGER", "ACTION", "DESCRIPTION"}
    )


def _delta(alarm: Component, start: int | None, end: int | None, zones: Zones) -> int | None:
    """Minutes before the start, 0 at the least."""
    trigger = alarm.first("TRIGGER")
    if trigger is None:
        return None
    relative = duration(trigger.value)
    if relative is None:
        at = moment_of(trigger)
        if at is None or at.kind is Kind.DATE or start is None:
            return None
        before = start - zones.utc(at)
    elif trigger.param("RELATED").upper() == "END" and start is not None and end is not None:
        before = start - (end + relative)
    else:
        before = -relative
    return min(max(before // 60, 0), _MOST)


def write_alarms(bag: Bag, parts: list[bytes]) -> list[bytes]:
    """The kept components of an item with its alarms: those that came in while the reminder is still theirs."""
    alarms = [part for part in parts if part.startswith(b"BEGIN:VALARM\r\n")]
    others = [part for part in parts if part not in alarms]
    if alarms and _are_still(bag, alarms):
        return others + alarms
    return [*others, component("VALARM", _alarm(bag))] if bag.get(n.PidLidReminderSet) else others


def _are_still(bag: Bag, alarms: list[bytes]) -> bool:
    """Whether the reminder is the one that was made of the alarms."""
    start, end = seconds_of(bag.get(n.PidLidReminderTime)), seconds_of(bag.get(n.PidLidCommonEnd))
    made: Bag = {}
    read_alarm(Component("", [], components(b"".join(alarms))), made, start, end, Zones())
    if not made[n.PidLidReminderSet]:
        return not bag.get(n.PidLidReminderSet)
    return bool(bag.get(n.PidLidReminderSet)) and bag.get(n.PidLidReminderDelta) == made[n.PidLidReminderDelta]


def _alarm(bag: Bag) -> list[bytes]:
    """The lines of a VALARM; of a task it is at a time of its own ([MS-OXORMDR] 2.2.1.2)."""
    delta = number_of(bag, n.PidLidReminderDelta, DEFAULT_DELTA)
    delta = delta if 0 <= delta <= _MOST else 15
    signal = seconds_of(bag.get(n.PidLidReminderSignalTime))
    trigger = line("TRIGGER", duration_text(-delta * 60))
    if n.PidLidReminderDelta not in bag and signal is not None:
        trigger = line("TRIGGER", time_text(signal, utc=True), {"VALUE": "DATE-TIME"})
    return [trigger, line("ACTION", "DISPLAY"), line("DESCRIPTION", "Reminder")]
