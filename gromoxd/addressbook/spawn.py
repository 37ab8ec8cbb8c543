"""Has a process of its own bring the snapshot up to date."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import msgspec

from gromoxd import childprocess
from gromoxd.directory.settings import DatabaseSettings

MODULE: Final = "gromoxd.addressbook.build"


def refresh(site: str, settings: DatabaseSettings, limit: float) -> bool:
    """Build the snapshot if the directory has changed, waiting for who is at it already; whether it went well."""
    return childprocess.done(MODULE, site, msgspec.json.encode(asdict(settings)), limit)
