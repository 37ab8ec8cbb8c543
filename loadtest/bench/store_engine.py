"""Microseconds per operation of the store engine, in this process, without RPC.

`python -m loadtest.bench.store_engine` prints for each operation the median wall time and the CPU time of the thread.
Writes include the synced commit; the machine's disk decides. `--large N` is the size of the big folder.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import pages
from gromoxd.exmdb.api import SYSTEM
from store.direct import DictArena
from store.mailbox import Mailbox, Write
from store.settings import StoreSettings

OWNER = "bench@example.test"
INBOX = 0x0D
WORDS = ("the", "of", "and", "to", "in", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on", "not")


def message(number: int, size: int) -> bytes:
    """A text message; words repeat as in prose, so that it compresses to about a half."""
    source = random.Random(number)
    lines = [
        f"Received: from mail{number % 9}.example.org by mx.example.test with LMTP id {number:08x}",
        f"From: Sender Number {number} <sender{number % 500}@example.org>",
        f"To: Bench <{OWNER}>",
        f"Subject: Message number {number} about {source.choice(WORDS)} and {source.choice(WORDS)}",
        f"Date: Tue, 3 Mar 2026 10:{number % 60:02}:30 +0100",
        f"Message-ID: <{number}.{source.randrange(1 << 30)}@example.org>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 7bit",
        "",
    ]
    length = sum(map(len, lines))
    while length < size:
        line = " ".join(
            source.choice(WORDS) + (hex(source.randrange(999)) if source.random() < 0.3 else "") for _ in range(12)
        )
        lines.append(line)
        length += len(line) + 2
    return "\r\n".join(lines).encode() + b"\r\n"


class Bench:
    """A mailbox and shorthand."""

    def __init__(self, folder: str) -> None:
        self.arena = DictArena()
        self.box = Mailbox(
            folder, owner=OWNER, node="bench", settings=StoreSettings(), arena=self.arena,
            notify=lambda fid: None, is_alive=lambda instance: True,
        )  # fmt: skip
        self._next = 0

    def request_id(self) -> bytes:
        self._next += 1
        return random.Random(self._next).randbytes(16)

    def write(self, *calls: c.Call[Any]) -> list[Any]:
        results = self.box.publish(self.box.run_batch([Write(call, SYSTEM) for call in calls]))
        for result in results:
            if isinstance(result, Exception):
                raise result
        return results

    def read(self, call: c.Call[Any]) -> Any:
        return (self.box.read_long if self.box.is_long(call) else self.box.read)(call, OWNER)

    def create(self, path: str) -> int:
        fid: int = self.write(c.CreateFolder(path))[0].fid
        return fid

    def fill(self, fid: int, count: int, size: int) -> None:
        made = [new_message(n, size) for n in range(min(count, 2000))]
        for start in range(0, count, 256):
            some = range(start, min(count, start + 256))
            self.write(*(c.Append(fid, made[n % len(made)], b"") for n in some))


def new_message(number: int, size: int) -> c.NewMessage:
    raw = message(number, size)
    return c.NewMessage(digest_message(raw, received=1_772_530_000), raw, 1_772_530_000)


def measure(name: str, run: Callable[[int], Any], times: int, per: int = 1) -> float:
    """Print the median wall and the mean CPU time of `run(i)`, divided by `per`; answers the former in µs."""
    wall, cpu = [], time.thread_time()
    for i in range(times):
        start = time.perf_counter()
        run(i)
        wall.append(time.perf_counter() - start)
    cpu = (time.thread_time() - cpu) / times
    median = statistics.median(wall) / per * 1e6
    print(f"{name:48} {median:12.1f} µs   cpu {cpu / per * 1e6:12.1f} µs", flush=True)
    return median


@contextmanager
def mailbox() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        bench = Bench(folder)
        yield bench
        measure("close", lambda i: bench.box.close(), 1)


def writes(bench: Bench) -> None:
    fid = bench.create("writes")
    small = [new_message(n, 4096) for n in range(64)]
    batch: list[Any] = []

    def run(i: int) -> None:
        batch.append(bench.box.run_batch([Write(c.Append(fid, small[i % 64], bench.request_id()), SYSTEM)]))

    measure("append 4 kB: run_batch with commit", run, 500)
    measure("append 4 kB: publish", lambda i: bench.box.publish(batch[i]), 500)
    bench.read(c.GetFolderState(fid))
    measure("append 4 kB, folder in view", lambda i: bench.write(c.Append(fid, small[i % 64], bench.request_id())), 500)
    ids = [bench.request_id() for _ in range(2000)]

    def eight(i: int) -> None:
        for done in range(i * 8 - 8, i * 8) if i else ():
            bench.write(c.Confirm([ids[done]]))
        some = ids[i * 8 : i * 8 + 8]
        bench.write(*(c.Deliver(small[i % 64], "s@example.org", rid, rid) for rid in some))

    measure("deliver, 8 in a batch, each confirmed", eight, 200, per=8)
    big = new_message(1, 4 << 20)
    measure("append 4 MB (file)", lambda i: bench.write(c.Append(fid, big, bench.request_id())), 5)
    measure("confirm only", lambda i: bench.write(c.Confirm([bytes(16)])), 200)


def operations(bench: Bench, count: int) -> dict[str, Callable[[int], Any]]:
    """The operations that must not grow with the folder, on a folder of `count` messages."""
    fid = bench.create(f"sized{count}")
    bench.fill(fid, count, 1200)
    bench.read(c.GetFolderState(fid))
    bench.read(c.GetPages(fid, [(count - 1) // 256, count // 256, 0]))
    new = new_message(7, 4096)
    box, pick = bench.box, random.Random(3)
    some = [[(n, n)] for n in (pick.randrange(300, count) for _ in range(500))]
    modes = (c.REMOVE, c.ADD)
    return {
        "append": lambda i: bench.write(c.Append(fid, new, bench.request_id())),
        "flag one": lambda i: bench.write(c.SetFlags(fid, some[0], modes[i % 2], pages.FLAGGED)),
        "GetFolderState": lambda i: box.read(c.GetFolderState(fid), OWNER),
        "GetPages, one, in memory": lambda i: box.read(c.GetPages(fid, [0]), OWNER),
        "GetPieces of one": lambda i: box.read(c.GetPieces(fid, some[i], 3), OWNER),
        "GetContents of one": lambda i: box.read(c.GetContents(fid, some[i]), OWNER),
        "expunge one": lambda i: bench.write(c.Expunge(fid, [(i + 1, i + 1)], False)),
    }


def sized(bench: Bench, large: int) -> None:
    """Each operation in turn on a small and a large folder, so that the machine's moods hit both alike."""
    sizes = {count: operations(bench, count) for count in (1000, large)}
    os.sync()
    for name in sizes[large]:
        wall: dict[int, list[float]] = {count: [] for count in sizes}
        cpu = dict.fromkeys(sizes, 0.0)
        for i in range(200):
            for count, runs in sizes.items():
                start, used = time.perf_counter(), time.thread_time()
                runs[name](i)
                wall[count].append(time.perf_counter() - start)
                cpu[count] += time.thread_time() - used
        medians = {count: statistics.median(times) * 1e6 for count, times in wall.items()}
        told = "   ".join(f"[{n:6}] {m:8.1f} µs cpu {cpu[n] / 200 * 1e6:8.1f} µs" for n, m in medians.items())
        print(f"{name:32} {told}   ratio {medians[large] / medians[1000]:.2f}", flush=True)
    rest = list(range(1, (large - 1) // 256))[:300]
    fid = next(f.fid for f in bench.read(c.ListFolders()).folders if f.name == f"sized{large}")
    measure(f"GetPages, {len(rest)} not in memory", lambda i: bench.read(c.GetPages(fid, rest)), 1, len(rest))


def flags_of_all(bench: Bench, fid: int, name: str, bits: int, words: list[str]) -> None:
    every = [(1, 10_000)]
    measure(f"+FLAGS {name} of 10,000", lambda i: bench.write(c.SetFlags(fid, every, c.ADD, bits, words)), 1)
    batch = bench.box.run_batch([Write(c.SetFlags(fid, every, c.REMOVE, bits, words), SYSTEM)])
    measure(f"-FLAGS {name} of 10,000, publish only", lambda i: bench.box.publish(batch), 1)
    measure("  no change", lambda i: bench.write(c.SetFlags(fid, every, c.REMOVE, bits, words)), 3)


def bulk(bench: Bench) -> None:
    fid, other = bench.create("bulk"), bench.create("other")
    bench.fill(fid, 10_000, 7000)
    bench.read(c.GetFolderState(fid))
    bench.read(c.GetPages(fid, list(range(40))))
    every = [(1, 10_000)]
    flags_of_all(bench, fid, "\\Seen", pages.SEEN, [])
    flags_of_all(bench, fid, "keyword", 0, ["$Label1"])
    odd = [(n, n) for n in range(1, 10_000, 2)]
    measure("+FLAGS of 5,000 scattered", lambda i: bench.write(c.SetFlags(fid, odd, c.ADD, 2)), 1)
    first = [(1, 1000)]
    measure("GetPieces of 1,000, envelope and structure", lambda i: bench.read(c.GetPieces(fid, first, 3)), 5)
    measure("GetPieces of 1,000, header", lambda i: bench.read(c.GetPieces(fid, first, 4)), 5)
    measure("GetContents of 500 (7 kB)", lambda i: bench.read(c.GetContents(fid, [(1, 500)])), 5)
    for where, name in (("from", ""), ("subject", ""), ("header", "Message-ID"), ("body", ""), ("text", "")):
        term = c.Term(where, "rare needle", name)
        measure(f"search {where} in 10,000 (7 kB)", lambda i, t=term: bench.read(c.SearchText(fid, every, [t])), 3)  # type: ignore[misc]
    measure("copy 1,000", lambda i: bench.write(c.CopyMessages(fid, first, other, False, bench.request_id())), 3)
    chunk = lambda i: [(i * 1000 + 1, i * 1000 + 1000)]  # noqa: E731
    measure("move 1,000", lambda i: bench.write(c.CopyMessages(fid, chunk(i), other, True, bench.request_id())), 3)
    measure("expunge 2,000", lambda i: bench.write(c.Expunge(fid, [(3001 + i * 2000, 5000 + i * 2000)], False)), 2)
    doomed = bench.create("doomed")
    bench.fill(doomed, 10_000, 4096)
    measure("delete a folder of 10,000", lambda i: bench.write(c.DeleteFolder(doomed)), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--only", default="writes,bulk,sized")
    options = parser.parse_args()
    with mailbox() as bench:
        if "writes" in options.only:
            writes(bench)
        if "bulk" in options.only:
            bulk(bench)
        if "sized" in options.only:
            sized(bench, options.large)


if __name__ == "__main__":
    main()
