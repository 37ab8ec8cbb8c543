"""What the master makes: arenas, epoch, board, inherited by its children."""

from __future__ import annotations

import os

import pytest

from gromoxd.context import Slot
from gromoxd.shm.shared import create


def test_everything_is_inherited() -> None:
    shared = create(stores=2, slots=[Slot("imap", 0), Slot("store", 1)], arena_bytes=1 << 20, directory_bytes=1 << 20)
    assert shared.stores == 2
    epoch = shared.epoch
    pid = os.fork()
    if not pid:
        shared.mailboxes(1).put(b"k", b"v")
        shared.directory.put(b"u", b"w")
        shared.board.row(Slot("imap", 0)).add("commands")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert shared.mailboxes(1).get(b"k") == b"v"
    assert shared.mailboxes(0).get(b"k") is None
    assert shared.directory.get(b"u") == b"w"
    assert shared.board.row(Slot("imap", 0)).get("commands") == 1
    assert shared.bump_epoch() == epoch + 1 == shared.epoch
    assert len(shared.secret) == 32


def test_number_of_stores_is_bounded() -> None:
    with pytest.raises(ValueError):
        create(stores=0, slots=[], arena_bytes=1 << 20, directory_bytes=1 << 20)
