"""The modules whose functions do the ROPs: each registers its own with `dispatch.handles`."""

from __future__ import annotations

from importlib import import_module

FAMILIES: tuple[str, ...] = (
    "release", "store", "folders", "progress", "peruser", "transport", "names", "rules", "rights", "messages",
    "attachments", "readmarks", "properties", "streams", "download", "syncstate", "icsdownload", "icsupload",
    "fastsource", "fastdestination", "tables", "notify",
)  # fmt: skip
"""Modules of this package."""


def load() -> None:
    """Import them."""
    for name in FAMILIES:
        import_module(f"workers.http.emsmdb.{name}")
