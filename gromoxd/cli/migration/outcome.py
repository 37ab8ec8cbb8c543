"""What a migration did, for people and programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class Stopped(Exception):
    """The migration cannot go on."""


@dataclass(slots=True)
class Outcome:
    """Counts of messages, and what was told. `report(text)` is called for each problem when it is met."""

    report: Callable[[str], None]
    added: int = 0
    changed: int = 0
    removed: int = 0
    there: int = 0
    failed: int = 0
    folders: dict[str, int] = field(default_factory=dict)
    """Path -> messages that came into it."""
    settings: list[str] = field(default_factory=list)
    """What was taken over besides messages."""
    left_out: list[str] = field(default_factory=list)
    """What is not migrated, in words."""

    def fail(self, where: str, reason: str) -> None:
        """One thing could not be migrated."""
        self.failed += 1
        self.report(f"{where}: {reason}")

    def note(self, text: str) -> None:
        """Something that is not migrated, and need not be."""
        self.left_out.append(text)

    def came(self, path: str, count: int = 1) -> None:
        """Messages came into a folder."""
        self.added += count
        self.folders[path] = self.folders.get(path, 0) + count

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            "added": self.added, "changed": self.changed, "removed": self.removed, "there": self.there,
            "failed": self.failed, "folders": self.folders, "settings": self.settings, "left_out": self.left_out,
        }  # fmt: skip
