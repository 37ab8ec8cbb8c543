"""A pool table for tests: one tiny echo service, and a `store` that only waits. Loaded by `gromoxd --pools`."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gromoxd.master.pools import ListenerSpec, Pool
from gromoxd.settings import component, setting


@component("fake.cfg", "The test service.")
@dataclass(frozen=True)
class FakeSettings:
    """Settings of the echo pool."""

    fake_listen: list[str] = setting([], "Addresses.", kind="list", reload="restart")
    fake_workers: int = setting(0, "Number of processes.", kind="int", low=0, high=20)
    fake_log_level: int = setting(0, "Log level.", kind="int", low=0, high=6)
    fake_greeting: str = setting("hello", "First word.", kind="str")
    fake_password: str = setting("", "A secret.", kind="str", secret=True)
    fake_boot: str = setting("", "How to fail at the start.", kind="str")
    back_workers: int = setting(1, "Number of processes.", kind="int", low=0, high=20, reload="restart")


POOLS = (
    Pool(
        "back", "tests.master.fake_workers:back", FakeSettings, "back_workers", "fake_log_level", lambda cores: 1,
        last=True, fixed=True, own_sockets=True,
    ),
    Pool(
        "fake", "tests.master.fake_workers:fake", FakeSettings, "fake_workers", "fake_log_level", lambda cores: 2,
        (ListenerSpec("fake", "fake_listen"),),
    ),
    Pool("gone", "tests.master.not_there:main", FakeSettings, "fake_workers", "fake_log_level", lambda cores: 1),
)  # fmt: skip

LOADED = time.time()
