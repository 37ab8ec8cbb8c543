"""The board in the forms in which it is read: Prometheus text, health, and the JSON of `gromoxctl status`. Pure.

Prometheus' text exposition format 0.0.4: one HELP and TYPE line a metric, then its samples; histograms are cumulative.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gromoxd.shm.board import BOUNDS_MS, COUNTERS, GAUGES, HISTOGRAMS

Snapshot = list[dict[str, Any]]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def slot_name(row: dict[str, Any]) -> str:
    """`imap.0`."""
    return f"{row['protocol']}.{row['number']}"


def _labels(row: dict[str, Any], more: str = "") -> str:
    return f'{{protocol="{row["protocol"]}",slot="{slot_name(row)}"{more}}}'


def _head(name: str, kind: str, text: str) -> Iterable[str]:
    return (f"# HELP {name} {text}", f"# TYPE {name} {kind}")


def _plain(snapshot: Snapshot, names: Iterable[str], kind: str) -> Iterable[str]:
    for counter in names:
        name = f"gromoxd_{counter}"
        if kind == "counter" and not name.endswith("_total"):
            name += "_total"
        yield from _head(name, kind, f"{counter.replace('_', ' ')} of a process")
        for row in snapshot:
            yield f"{name}{_labels(row)} {row[counter]}"


def _histograms(snapshot: Snapshot) -> Iterable[str]:
    for histogram in HISTOGRAMS:
        name = f"gromoxd_{histogram}"
        yield from _head(name, "histogram", f"{histogram.replace('_', ' ')} of a process")
        for row in snapshot:
            value, seen = row["histograms"][histogram], 0
            for bound, count in zip((*map(str, BOUNDS_MS), "+Inf"), value["counts"], strict=True):
                seen += count
                within = _labels(row, f',le="{bound}"')
                yield f"{name}_bucket{within} {seen}"
            yield f"{name}_sum{_labels(row)} {value['sum_ms']:.3f}"
            yield f"{name}_count{_labels(row)} {seen}"


def prometheus(snapshot: Snapshot, *, version: str, epoch: int) -> str:
    """/metrics."""
    lines = [
        *_head("gromoxd_info", "gauge", "the running version"),
        f'gromoxd_info{{version="{version}"}} 1',
        *_head("gromoxd_directory_epoch", "gauge", "reloads of the directory"),
        f"gromoxd_directory_epoch {epoch}",
        *_plain(snapshot, GAUGES, "gauge"),
        *_plain(snapshot, COUNTERS, "counter"),
        *_histograms(snapshot),
    ]
    return "\n".join(lines) + "\n"


def health(snapshot: Snapshot, *, now_ms: int, silence_ms: float) -> tuple[bool, dict[str, Any]]:
    """/healthz: whether every process beats, and which do not. `now_ms` is the monotonic clock."""
    silent = [slot_name(row) for row in snapshot if not row["pid"] or now_ms - row["heartbeat_ms"] > silence_ms]
    good = bool(snapshot) and not silent
    return good, {"status": "ok" if good else "failing", "processes": len(snapshot), "silent": silent}


def status(snapshot: Snapshot, *, version: str, epoch: int, master: int, now_ms: int, site: str) -> dict[str, Any]:
    """/status.json: everything, and how long ago each process beat."""
    slots = [{**row, "slot": slot_name(row), "silent_ms": max(0, now_ms - row["heartbeat_ms"])} for row in snapshot]
    return {"version": version, "site": site, "master": master, "epoch": epoch, "slots": slots}
