"""The arena in one process: against a dict, at its limits, and after a writer stopped at any store."""

from __future__ import annotations

import mmap
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gromoxd.shm.arena import Arena
from gromoxd.shm.lock import ProcessLock


def make(size: int = 1 << 16, **options: object) -> Arena:
    return Arena(mmap.mmap(-1, size), **options)  # type: ignore[arg-type]


def test_put_get_delete() -> None:
    arena = make()
    assert arena.get(b"k") is None
    arena.put(b"k", b"one")
    assert arena.get(b"k") == b"one"
    arena.put(b"k", b"")
    assert arena.get(b"k") == b""
    arena.delete(b"k")
    assert arena.get(b"k") is None
    arena.delete(b"k")


def test_value_is_bytes_of_exact_length() -> None:
    arena = make()
    arena.put(b"k", bytes(range(256)), reserve=4000)
    value = arena.get(b"k")
    assert type(value) is bytes
    assert value == bytes(range(256))


def test_overwrites_in_place_within_reserve() -> None:
    arena = make()
    arena.put(b"k", b"a" * 10, reserve=1000)
    head = arena._words[1]
    arena.put(b"k", b"b" * 1000)
    assert arena._words[1] == head
    assert arena.get(b"k") == b"b" * 1000
    arena.put(b"k", b"c" * 1100)
    assert arena._words[1] > head
    assert arena.get(b"k") == b"c" * 1100


def test_too_large_removes_the_older() -> None:
    arena = make()
    arena.put(b"k", b"small")
    arena.put(b"k", b"x" * arena.largest)
    assert arena.get(b"k") is None
    arena.put(b"k", b"y" * (arena.largest - 64))
    assert arena.get(b"k") == b"y" * (arena.largest - 64)
    arena.put(b"k" * 5000, b"v")
    assert arena.get(b"k" * 5000) is None


def test_oldest_go_first() -> None:
    arena = make(1 << 15, entry_hint=64)
    for i in range(1000):
        arena.put(b"%d" % i, b"%d" % i * 10)
    alive = [i for i in range(1000) if arena.get(b"%d" % i) is not None]
    assert 999 in alive
    assert 0 not in alive
    assert len(alive) > 200
    assert all(arena.get(b"%d" % i) == b"%d" % i * 10 for i in alive)
    assert alive[0] > 400


def test_clear_forgets_everything() -> None:
    arena = make()
    for i in range(50):
        arena.put(b"%d" % i, b"v")
    arena.clear()
    assert [arena.get(b"%d" % i) for i in range(50)] == [None] * 50
    arena.put(b"7", b"w")
    assert arena.get(b"7") == b"w"


def test_two_views_share_one_map() -> None:
    buffer = mmap.mmap(-1, 1 << 16)
    writer, reader = Arena(buffer), Arena(buffer)
    writer.put(b"k", b"v")
    assert reader.get(b"k") == b"v"


def test_refuses_a_tiny_map() -> None:
    with pytest.raises(ValueError):
        make(1024)


keys = st.sampled_from([b"k%d" % i for i in range(12)])
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), keys, st.binary(max_size=300), st.integers(0, 400)),
        st.tuples(st.just("delete"), keys, st.just(b""), st.just(0)),
        st.tuples(st.just("clear"), st.just(b""), st.just(b""), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(operations)
def test_against_a_dict(script: list[tuple[str, bytes, bytes, int]]) -> None:
    """While nothing has been evicted the arena is a dict."""
    arena = make(1 << 18, lock=None)
    model: dict[bytes, bytes] = {}
    for name, key, value, reserve in script:
        if name == "put":
            arena.put(key, value, reserve)
            model[key] = value
        elif name == "delete":
            arena.delete(key)
            model.pop(key, None)
        else:
            arena.clear()
            model.clear()
        assert {k: v for i in range(12) if (v := arena.get(k := b"k%d" % i)) is not None} == model


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_small_ring_gives_the_latest_value_or_nothing(seed: int) -> None:
    rng = random.Random(seed)
    arena = make(1 << 13)
    model: dict[bytes, bytes] = {}
    for _ in range(300):
        key = b"%d" % rng.randrange(40)
        model[key] = rng.randbytes(rng.randrange(600))
        arena.put(key, model[key], rng.choice((0, 0, 500)))
        assert arena.get(key) == model[key]
        probe = b"%d" % rng.randrange(40)
        assert arena.get(probe) in (None, model.get(probe))


class _StopAt:
    """Stands for the arena's view of its words: the process 'dies' at the n-th store."""

    def __init__(self, words: memoryview, stores: int) -> None:
        self.words, self.left = words, stores

    def __getitem__(self, at: int) -> int:
        return self.words[at]

    def __setitem__(self, at: int, value: int) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.words[at] = value


@pytest.mark.parametrize("stores", range(5))
@pytest.mark.parametrize("new", [b"B" * 50, b"C" * 500])
def test_writer_stopped_at_any_store(stores: int, new: bytes) -> None:
    """A miss or a whole value, and the next writer mends it."""
    arena = make()
    arena.put(b"k", b"A" * 100)
    arena.put(b"other", b"o")
    words = arena._words
    arena._words = _StopAt(words, stores)  # type: ignore[assignment]
    stopped = False
    try:
        arena.put(b"k", new)
    except KeyboardInterrupt:
        stopped = True
    arena._words = words
    found = arena.get(b"k")
    assert found in (None, b"A" * 100, new)
    if not stopped:
        assert found == new
    assert arena.get(b"other") == b"o"
    arena.put(b"k", b"D" * 80)
    assert arena.get(b"k") == b"D" * 80
    arena.put(b"k", b"E" * 2000)
    assert arena.get(b"k") == b"E" * 2000


def test_same_tag_in_a_slot_of_another_key_is_a_miss() -> None:
    """What a writer killed between the two words of a slot leaves."""
    arena = make()
    arena.put(b"a", b"1")
    arena.put(b"b", b"2")
    from mmh3 import hash64

    half, tag = hash64(b"a")
    word = (64 + (half & arena._mask) * 64) >> 3
    slot = next(w for w in range(word, word + 8, 2) if arena._words[w] == tag)
    half_b, tag_b = hash64(b"b")
    position = arena._position(half_b, tag_b)
    assert position is not None
    arena._words[slot + 1] = position
    assert arena.get(b"a") is None
    arena.put(b"a", b"9")
    assert (arena.get(b"a"), arena.get(b"b")) == (b"9", b"2")


def test_changed_bytes_are_a_miss() -> None:
    arena = make()
    arena.put(b"k", b"v" * 100)
    at = arena._buf.find(b"v" * 100)
    arena._buf[at + 50 : at + 51] = b"w"
    assert arena.get(b"k") is None


def test_entry_in_the_making_is_a_miss_and_is_mended() -> None:
    arena = make()
    arena.put(b"k", b"v" * 100)
    at = arena._buf.find(b"k" + b"v" * 100) - 32
    arena._words[at >> 3] |= 1
    assert arena.get(b"k") is None
    arena.put(b"k", b"w" * 90)
    assert arena.get(b"k") == b"w" * 90


def test_lock_is_taken_and_given_back() -> None:
    lock = ProcessLock()
    arena = make(lock=lock)
    arena.put(b"k", b"v")
    arena.put(b"k", b"w")
    assert arena.get(b"k") == b"w"
    arena.delete(b"k")
    arena.clear()
    assert arena.get(b"k") is None
    lock.close()
