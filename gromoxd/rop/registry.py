"""All ROPs that are known: importing this module fills `codec.REQUESTS` and `codec.RESPONSES`."""

from __future__ import annotations

from importlib import import_module

FAMILIES: tuple[str, ...] = (
    "release", "store", "folders", "progress", "peruser", "transport", "names", "rights", "messages",
    "properties", "streams", "fasttransfer", "sync", "tables", "notify", "control",
)  # fmt: skip
"""Modules of this package that declare ROPs."""

for _name in FAMILIES:
    import_module(f"gromoxd.rop.{_name}")
