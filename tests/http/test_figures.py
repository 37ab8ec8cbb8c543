"""The board's renderings, from made-up rows."""

from __future__ import annotations

import pytest

from gromoxd.context import Slot
from gromoxd.shm.board import Board
from workers.http.app import admitted
from workers.http.figures import health, prometheus, status


def board() -> Board:
    made = Board(4)
    for slot in (Slot("imap", 0), Slot("store", 1)):
        row = made.claim(slot)
        row.set("pid", 100 + slot.number)
        row.set("heartbeat_ms", 5000)
    return made


def test_histograms_are_cumulative() -> None:
    made = board()
    row = made.row(Slot("imap", 0))
    for ms in (0.05, 0.2, 0.2, 3, 99999):
        row.observe_ms("rpc_ms", ms)
    lines = prometheus(made.snapshot(), version="1", epoch=3).splitlines()
    mine = [line for line in lines if line.startswith("gromoxd_rpc_ms") and "imap.0" in line]
    assert mine[0] == 'gromoxd_rpc_ms_bucket{protocol="imap",slot="imap.0",le="0.1"} 1'
    assert mine[1].endswith('le="0.25"} 3') and mine[5].endswith('le="5"} 4')
    assert mine[-3] == 'gromoxd_rpc_ms_bucket{protocol="imap",slot="imap.0",le="+Inf"} 5'
    assert mine[-2] == 'gromoxd_rpc_ms_sum{protocol="imap",slot="imap.0"} 100002.450'
    assert mine[-1] == 'gromoxd_rpc_ms_count{protocol="imap",slot="imap.0"} 5'
    assert "gromoxd_directory_epoch 3" in lines


def test_health_names_the_silent() -> None:
    made = board()
    assert health(made.snapshot(), now_ms=6000, silence_ms=1000)[0]
    good, value = health(made.snapshot(), now_ms=6001, silence_ms=1000)
    assert not good and value == {"status": "failing", "processes": 2, "silent": ["imap.0", "store.1"]}
    made.claim(Slot("imap", 0))
    assert health(made.snapshot(), now_ms=5000, silence_ms=1000)[1]["silent"] == ["imap.0"]
    assert not health([], now_ms=0, silence_ms=1)[0]


def test_status_has_every_counter() -> None:
    value = status(board().snapshot(), version="1", epoch=2, master=7, now_ms=5500, site="/s")
    assert value["slots"][1]["slot"] == "store.1" and value["slots"][1]["silent_ms"] == 500
    assert value["slots"][0]["histograms"]["rpc_ms"]["sum_ms"] == 0 and value["master"] == 7


@pytest.mark.parametrize(
    ("address", "networks", "answer"),
    [
        ("127.0.0.1", ["127.0.0.0/8"], True), ("::ffff:127.0.0.1", ["127.0.0.0/8"], True),
        ("::1", ["127.0.0.0/8"], False),
        ("192.0.2.1", ["nonsense", "192.0.2.0/24"], True), ("fe80::1%eth0", ["fe80::/10"], True), ("", ["::/0"], False),
        ("192.0.2.1", [], False),
    ],
)  # fmt: skip
def test_admitted(address: str, networks: list[str], answer: bool) -> None:
    assert admitted(address, networks) is answer
