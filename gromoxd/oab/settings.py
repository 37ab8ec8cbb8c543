"""Settings of offline address books. Loaded by the master too."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("gromox.cfg", "Offline address books, which Outlook loads in cached mode.")
@dataclass(frozen=True)
class OabSettings:
    """A reload has them made anew at once, where address lists have changed."""

    oab_interval: float = setting(
        3600.0, "Least time between two generations of the offline address books.", kind="span", low=5, high=7 * 86400
    )
    oab_generations: int = setting(
        60, "How many differences to the generation before are kept: who has an older one loads all.", kind="int",
        low=0, high=1000,
    )  # fmt: skip
    oab_wait: float = setting(
        20.0, "How long the first request waits for an offline address book that is not there yet.", kind="span",
        low=1, high=300,
    )  # fmt: skip
