"""VALARM and the reminder of an item ([MS-OXCICAL] 2.1.3.1.1.20.62, [MS-OXORMDR] 2.2.1)."""

from __future__ import annotations

from typing import Final

from gromoxd.convert.contentline import Component, component, line
from gromoxd.convert.ical.texts import number_of
from gromoxd.convert.ical.values import Kind, duration, duration_text, filetime_of, moment_of, seconds_of, time_text
from gromoxd.convert.ical.zones import Zones
from gromoxd.mapi import named_tags as n
from gromoxd.mapi.bag import Bag

DEFAULT_DELTA: Final = 0x5AE980E1
"""PidLidReminderDelta that says fifteen minutes ([MS-OXORMDR] 2.2.1.3)."""
_MOST = 5 * 366 * 1440


def read_alarm(found: Component, bag: Bag, start: int | None, end: int | None, zones: Zones) -> list[Component]:
    """The reminder of the first alarm that gives one; the others, to be kept. Times are UTC seconds."""
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
        rest = [other for other in alarms if other is not alarm]
        return rest if _is_simple(alarm, delta) else [alarm, *rest]
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


def write_alarm(bag: Bag, kept: bool) -> bytes:
    """The VALARM of a reminder; nothing when there is none or the alarms are `kept` with all they had."""
    if not bag.get(n.PidLidReminderSet) or kept:
        return b""
    delta = number_of(bag, n.PidLidReminderDelta, DEFAULT_DELTA)
    if delta == DEFAULT_DELTA or not 0 <= delta <= _MOST:
        delta = 15
    signal, params, trigger = seconds_of(bag.get(n.PidLidReminderSignalTime)), None, duration_text(-delta * 60)
    if n.PidLidReminderDelta not in bag and signal is not None:
        trigger, params = time_text(signal, utc=True), {"VALUE": "DATE-TIME"}
    return component(
        "VALARM",
        [line("TRIGGER", trigger, params), line("ACTION", "DISPLAY"), line("DESCRIPTION", "Reminder")],
    )
