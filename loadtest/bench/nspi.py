"""The address book of 100,000 people: building the snapshot, its memory, and what clients ask of it.

    python -m loadtest.bench.nspi [PEOPLE]

Prints one JSON line.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, insert

from gromoxd.addressbook import build
from gromoxd.addressbook.reader import Item, Snapshot
from gromoxd.directory import schema
from gromoxd.directory.database import make_engine
from gromoxd.directory.settings import DatabaseSettings
from gromoxd.mapi.restrictions import Content, Property
from gromoxd.nspi.bodies import QueryRowsResponse
from gromoxd.nspi.session import Session
from gromoxd.nspi.stat import Stat

GIVEN = [
    "Anna", "Bruno", "Clara", "David", "Eva", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Karla", "Lars", "Mia", "Nils",
    "Olga", "Paul", "Rosa", "Sven", "Tina", "Uwe",
]  # fmt: skip
SYLLABLES = [
    "ber", "gau", "hof", "lin", "man", "mei", "ner", "rei", "sen", "stein", "tal", "wal", "zen", "kow", "ski", "dorf",
    "hausen", "bach",
]  # fmt: skip


def people(count: int) -> list[dict[int, str]]:
    """Properties of that many people, the same each time."""
    chance = random.Random(5)
    made = []
    for number in range(count):
        given = chance.choice(GIVEN)
        surname = "".join(chance.choices(SYLLABLES, k=3)).capitalize()
        made.append(
            {
                0x39050003: "0", 0x3001001F: f"{given} {surname}", 0x3A06001F: given, 0x3A11001F: surname,
                0x3A08001F: f"+49 30 {number:06}", 0x3A19001F: f"Room {number % 900}", 0x3A18001F: "Sales",
                0x3A16001F: "Example Ltd", 0x3A17001F: "Clerk",
            }
        )  # fmt: skip
    return made


def fill(engine: Engine, count: int) -> None:
    """A domain with people and a list of all of them."""
    schema.create(engine)
    with engine.begin() as connection:
        connection.execute(insert(schema.domains).values(id=1, domainname="example.test", homedir="/d", max_user=count))
        users = [
            {"id": n + 1, "username": f"u{n}@example.test", "domain_id": 1, "maildir": f"/m/{n}"} for n in range(count)
        ]
        connection.execute(insert(schema.users), users)
        properties = [
            {"user_id": n + 1, "proptag": tag, "order_id": 1, "propval_str": text}
            for n, bag in enumerate(people(count)) for tag, text in bag.items()
        ]  # fmt: skip
        connection.execute(insert(schema.user_properties), properties)


def timed_ms(work: Callable[[], object], times: int = 200) -> float:
    """Mean time of a call."""
    work()
    started = time.perf_counter()
    for _ in range(times):
        work()
    return round((time.perf_counter() - started) * 1000 / times, 3)


def build_apart(engine: Engine, path: str) -> tuple[float, int]:
    """Seconds and peak memory (MiB) of a build in a process of its own."""
    started = time.perf_counter()
    child = os.fork()
    if not child:
        with engine.connect() as connection:
            build.build(connection, path, 0)
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit("the build failed")
    return round(time.perf_counter() - started, 2), usage.ru_maxrss >> 10


def main() -> None:
    """See above."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(DatabaseSettings(directory_path=str(Path(folder) / "d.sqlite3")), "/")
        fill(engine, count)
        engine.dispose()
        path = str(Path(folder) / "addressbook")
        seconds, peak = build_apart(engine, path)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        snapshot = Snapshot(path)
        opened = round((time.perf_counter() - started) * 1000, 1)
        figures = {"people": count, "build_s": seconds, "build_peak_mib": peak, "open_ms": opened}
        figures["file_mib"] = os.path.getsize(path) >> 20
        figures |= measure(snapshot, count)
        figures["reader_grew_mib"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        print(json.dumps(figures))


SCAN = Content(1, 1, 0x3A17001F, "nobody has this")


class NoMailboxes:
    """Nobody has a photo or delegates."""

    def photo(self, item: Item) -> bytes | None:
        return None

    def delegates(self, item: Item) -> list[str]:
        return []

    def set_delegates(self, item: Item, names: list[str]) -> None:
        raise AssertionError


def measure(snapshot: Snapshot, count: int) -> dict[str, float]:
    """Times of single operations."""
    book = snapshot.book(1, "Example")
    if book is None:
        raise SystemExit("no address book")
    session = Session(book, None, NoMailboxes())
    columns = (0x0FFF0102, 0x3001001F, 0x39000003, 0x3A08001F, 0x3A19001F, 0x3A17001F, 0x3A16001F, 0x39FE001F)
    middle = Stat(current_rec=1, num_pos=1, total_recs=2)
    anr = Property(4, 0x360C001F, "gaustein")

    def rows() -> bytes:
        stat, found = session.query_rows(2, middle, (), 50, columns)
        return QueryRowsResponse(state=stat, rows=found).encode()

    return {
        "query_rows_50x8_ms": timed_ms(rows),
        "resolve_10_names_ms": timed_ms(lambda: session.resolve_names(Stat(), [f"u{n}" for n in range(10)], columns)),
        "matches_anr_ms": timed_ms(lambda: session.get_matches(Stat(), anr, None, 1000, columns)),
        "matches_scan_ms": timed_ms(lambda: session.get_matches(Stat(), SCAN, None, 50_000, None), 1),
        "update_stat_ms": timed_ms(lambda: session.update_stat(middle)),
        "anr_two_words_ms": timed_ms(lambda: book.resolve("anna meiberta")),
        "anr_surname_ms": timed_ms(lambda: book.resolve("gaustein")),
        "anr_one_letter_ms": timed_ms(lambda: book.resolve("a"), 20),
        "anr_given_name_ms": timed_ms(lambda: book.resolve("anna"), 20),
        "anr_account_ms": timed_ms(lambda: book.resolve(f"u{count // 2}")),
        "address_ms": timed_ms(lambda: book.resolve(f"u{count // 2}@example.test")),
        "seek_ms": timed_ms(lambda: book.gal.seek("Karla")),
    }


if __name__ == "__main__":
    main()
