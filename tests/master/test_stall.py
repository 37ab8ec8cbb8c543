"""The stall detector on a loop of its own, in a process of its own (it is about gevent's hub)."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.master.harness import ROOT

PROGRAM = r"""
import json, time, sys
import gevent, gevent.threadpool
from gromoxd.context import Slot
from gromoxd.shm.board import Board
from gromoxd.stall import StallDetector
from gromoxd import log
log.setup("-", "text", 5, "t")
row = Board(1).claim(Slot("t", 0))
detector = StallDetector(row)
detector.start(gevent.get_hub().loop)
def spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
found = {}
gevent.sleep(0.3)
found["idle"] = row.get("loop_stalls")
many = [gevent.spawn(spin, 0.005) for _ in range(10)]
gevent.joinall(many); gevent.sleep(0.01)
found["together"] = row.get("loop_stalls"), row.get("loop_max_ms")
gevent.spawn_later(0.01, spin, 0.03).join(); gevent.sleep(0.01)
found["one"] = row.get("loop_stalls"), row.get("loop_max_ms")
gevent.spawn_later(0.01, spin, 0.4).join(); gevent.sleep(0.01)
found["long"] = row.get("loop_stalls"), row.get("loop_max_ms")
gevent.get_hub().threadpool.apply(time.sleep, (0.2,)); gevent.sleep(0.01)
found["thread"] = row.get("loop_stalls")
found["histogram"] = sum(row.histogram("stall_ms")[0])
before = row.get("loop_stalls"), row.get("loop_starved")
detector.waited_ms = lambda: 45.0
detector.book(50.0, 1.0)
found["starved"] = row.get("loop_stalls") - before[0], row.get("loop_starved") - before[1]
detector.book(50.0, 21.0)
found["computed"] = row.get("loop_stalls") - before[0], row.get("loop_starved") - before[1]
detector.waited_ms = lambda: 5.0
detector.book(50.0, 1.0)
found["blocked"] = row.get("loop_stalls") - before[0], row.get("loop_starved") - before[1]
detector.stop()
gevent.spawn(spin, 0.05).join(); gevent.sleep(0.01)
found["stopped"] = row.get("loop_stalls") - 2
print(json.dumps(found))
"""


def test_stalls_are_measured_and_told() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    found = json.loads(ran.stdout)
    base = found["idle"]  # a busy machine may have held the process up
    assert found["together"][0] >= base + 1 and found["together"][1] >= 50, "ten short turns in a row are one long one"
    assert found["one"][0] >= found["together"][0] + 1
    assert found["long"][0] >= found["one"][0] + 1 and 400 <= found["long"][1] < 5000
    assert found["thread"] <= found["long"][0] + 1, "waiting for a thread is no stall"
    assert found["starved"] == [0, 1], "without a processor: the machine's load"
    assert found["computed"] == [1, 1], "more than 20 ms of processor time is a stall whatever else happened"
    assert found["blocked"] == [2, 1], "what waiting for a processor does not explain is a stall"
    assert found["histogram"] == found["thread"] == found["stopped"]
    assert "WARNING t[" in ran.stderr and "event loop stalls busy_ms=" in ran.stderr and "spin" in ran.stderr
