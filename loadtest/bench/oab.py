"""Offline address books of 100,000 people: making the first generation, and the next after ten new people.

    python -m loadtest.bench.oab [PEOPLE]

Prints one JSON line: seconds and peak memory (MiB) of the process, sizes (octets) of what clients load.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import Engine, insert

from gromoxd.addressbook import build, layout
from gromoxd.directory import schema
from gromoxd.directory.database import make_engine
from gromoxd.directory.settings import DatabaseSettings
from gromoxd.oab.build import Job, folder_of, publish, read_state
from gromoxd.oab.names import book_guid
from loadtest.bench.nspi import fill

NEW = 10


def snapshot(engine: Engine, site: str) -> None:
    """What offline address books are made of."""
    with engine.connect() as connection:
        build.build(connection, layout.path_of(site), 0)


def publish_apart(site: str) -> tuple[float, int]:
    """Seconds and peak memory (MiB) of a process that makes a generation."""
    started = time.perf_counter()
    child = os.fork()
    if not child:
        made = publish(site, Job("Example", 60), int(time.time()))
        os._exit(0 if made else 1)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit("there was nothing to make")
    return round(time.perf_counter() - started, 2), usage.ru_maxrss >> 10


def add_people(engine: Engine, count: int) -> None:
    """Ten more, all over the list."""
    with engine.begin() as connection:
        for n in range(count, count + NEW):
            row = {"id": n + 1, "username": f"u{n}@example.test", "domain_id": 1, "maildir": f"/m/{n}"}
            connection.execute(insert(schema.users), [row])
            values = {0x39050003: "0", 0x3001001F: f"{'ABCDEFGHIJ'[n - count]}nna New"}
            rows = [{"user_id": n + 1, "proptag": t, "order_id": 1, "propval_str": v} for t, v in values.items()]
            connection.execute(insert(schema.user_properties), rows)


def sizes(site: str) -> dict[str, int]:
    """Of the newest files by their elements."""
    state = read_state(folder_of(site, book_guid(1)))
    assert state is not None
    found = {file.element: file.size for file in state.files if file.sequence == state.sequence}
    return found | {"raw": next(file.expanded for file in state.files if file.element == "Full")}


def main() -> None:
    """See above."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as site:
        (Path(site) / "run").mkdir()
        engine = make_engine(DatabaseSettings(directory_path=str(Path(site) / "d.sqlite3")), "/")
        fill(engine, count)
        snapshot(engine, site)
        engine.dispose()
        first = publish_apart(site)
        full = sizes(site)
        add_people(engine, count)
        snapshot(engine, site)
        engine.dispose()
        second = publish_apart(site)
        found = {
            "people": count, "first_s": first[0], "first_mib": first[1], "next_s": second[0], "next_mib": second[1],
            "raw": full["raw"], "full": full["Full"], "template": full["Template"], "diff": sizes(site)["Diff"],
        }  # fmt: skip
        print(json.dumps(found))


if __name__ == "__main__":
    main()
