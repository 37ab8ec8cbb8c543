"""Replicas with random changes on both sides converge: a client in cached mode, another mailbox.

`GROMOXD_ICS_SEQUENCES=10000` runs so many sequences of both kinds; `loadtest.bench.ics_convergence` does so, too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from store.direct import DirectStore
from tests.store.mapi.objects import check_references
from tests.support import convergence

SEQUENCES = int(os.environ.get("GROMOXD_ICS_SEQUENCES", "200"))
FEW = 20


class Inside:
    """What `check_references` needs of a mailbox."""

    def __init__(self, store: DirectStore, name: str) -> None:
        self.box = store.mailbox(name)

    def sql(self, sql: str, *args: Any) -> list[Any]:
        return self.box._runner.tx.db.execute(sql, args).fetchall()


def check(store: DirectStore) -> None:
    for name in convergence.OWNERS:
        check_references(cast(Any, Inside(store, name)))


def folder(tmp_path: Path) -> Path:
    """In memory, if there is such a place: the tests are not about disks."""
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) else tmp_path


def test_a_few_sequences(tmp_path: Path) -> None:
    convergence.run(folder(tmp_path), FEW, check=check)


@pytest.mark.slow
def test_replicas_converge(tmp_path: Path) -> None:
    convergence.run(folder(tmp_path), SEQUENCES, FEW, check=check)
