"""The scripts under transcripts/: on sessions with the memory store, whole and fed one byte at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imap.harness import World, play, transcripts

SCRIPTS = [
    pytest.param(script, id=f"{path.stem}: {title}")
    for path in sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
    for title, script in transcripts(path.read_text())
]


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 20


@pytest.mark.parametrize("script", SCRIPTS)
def test_whole(script: str) -> None:
    world = World()
    play(world, script)
    assert world.board.get("internal_errors") == 0


@pytest.mark.parametrize("script", SCRIPTS)
def test_one_byte_at_a_time(script: str) -> None:
    play(World(), script, chunk=1)


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_shared_memory(script: str) -> None:
    """The owner's published values may be gone at any time, or never there (a mailbox on another node)."""
    world = World()
    world.store.published = lambda mailbox, key: None
    play(world, script)
