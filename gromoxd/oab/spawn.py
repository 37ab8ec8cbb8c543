"""Has a process of its own make offline address books."""

from __future__ import annotations

from typing import Final

import msgspec

from gromoxd import childprocess

MODULE: Final = "gromoxd.oab.build"


def publish(site: str, organisation: str, generations: int, limit: float, only: str = "") -> bool:
    """Make what has changed, waiting for who is at it already; whether it went well. `only`: see `build.Job`."""
    job = msgspec.json.encode({"organisation": organisation, "generations": generations, "only": only})
    return childprocess.done(MODULE, site, job, limit)
