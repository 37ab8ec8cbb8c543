"""An arena: a hash table over a ring of values in shared memory, one writer at a time, readers without locks.

Layout (native byte order, everything 8-byte aligned):

    header   64 bytes: [0] magic, [1] head
    table    sets of four slots; a slot is (tag, position); the set is chosen by the first half of mmh3-128(key), the
             tag is the second half (0: empty slot)
    ring     entries: seq, check, capacity, key length, value length, then key and value

A *position* counts ring bytes since the arena was made and only grows; its place is `position % ring`. `head` is where
the next entry goes; an entry is alive while `head - position <= ring`. Rules nobody can infer:

- The writer moves `head` *before* it writes over old entries, and fills a slot only *after* its entry is complete. A
  reader copies first and then looks whether `head` has passed the entry.
- An entry that is overwritten in place has an odd `seq` meanwhile; a reader compares `seq` before and after copying.
- A writer killed between two instructions leaves at worst a space never used, a slot whose entry has another key, or an
  odd `seq`: all of them are misses, and the next `put` of that key mends them.
- The check (mmh3 of the value) guards against processors that reorder stores; the key is compared in full.
"""

from __future__ import annotations

import mmap
from _thread import allocate_lock
from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct

from mmh3 import hash64  # signed halves: its `signed` argument is ignored when given by position

from gromoxd.shm.lock import ProcessLock

_MAGIC = 0x31414E4552415847
_HEADER = 64
_HEAD = 1
_SET = Struct("@8q")
_SET_SIZE = 64
_ENTRY = Struct("@qqIII4x")
_ENTRY_SIZE = 32
_FIELDS = Struct("@qIII")
_MAX_KEY = 4096
_RETRIES = 3


class Arena:
    """See the module. `buffer` is an anonymous map; `lock` makes it safe for writers in several processes."""

    def __init__(self, buffer: mmap.mmap, *, lock: ProcessLock | None = None, entry_hint: int = 512) -> None:
        self._buf = buffer
        self._words = memoryview(buffer).cast("q")
        self._process_lock = lock
        self._thread_lock = allocate_lock()
        sets = 16
        while sets * 4 * entry_hint < len(buffer):
            sets *= 2
        self._mask = sets - 1
        self._ring_at = _HEADER + sets * _SET_SIZE
        self._ring = (len(buffer) - self._ring_at - _ENTRY_SIZE) & ~7
        if self._ring < 1024:
            raise ValueError("arena too small")
        self.largest = self._ring // 4
        """Entries (key and value) longer than this are not kept."""
        if self._words[0] != _MAGIC:
            self._words[_HEAD] = 2 * self._ring
            self._words[0] = _MAGIC

    # ------------------------------------------------------------------------------------------ readers

    def get(self, key: bytes) -> bytes | None:
        """The value last put under `key`, or None when it is not there (any more)."""
        half, tag = hash64(key)
        buf = self._buf
        slots = _SET.unpack_from(buf, _HEADER + (half & self._mask) * _SET_SIZE)
        if slots[0] == tag:
            position = slots[1]
        elif slots[2] == tag:
            position = slots[3]
        elif slots[4] == tag:
            position = slots[5]
        elif slots[6] == tag:
            position = slots[7]
        else:
            return None
        ring = self._ring
        at = self._ring_at + position % ring
        seq, check, _, key_size, size = _ENTRY.unpack_from(buf, at)
        start = at + _ENTRY_SIZE
        end = start + key_size
        if key_size != len(key) or seq & 1 or buf[start:end] != key:
            return self._again(key) if seq & 1 else None
        value = buf[end : end + size]
        words = self._words
        if words[at >> 3] != seq:
            return self._again(key)
        if words[_HEAD] - position > ring or hash64(value)[0] != check:
            return None
        return value

    def _again(self, key: bytes) -> bytes | None:
        """The entry was being overwritten: look a few times more, then call it a miss."""
        for _ in range(_RETRIES):
            half, tag = hash64(key)
            position = self._position(half, tag)
            if position is None:
                return None
            at = self._ring_at + position % self._ring
            seq, check, _, key_size, size = _ENTRY.unpack_from(self._buf, at)
            end = at + _ENTRY_SIZE + key_size
            if seq & 1:
                continue
            if key_size != len(key) or self._buf[at + _ENTRY_SIZE : end] != key:
                return None
            value = self._buf[end : end + size]
            if self._words[at >> 3] == seq:
                alive = self._words[_HEAD] - position <= self._ring
                return value if alive and hash64(value)[0] == check else None
        return None

    def _position(self, half: int, tag: int) -> int | None:
        slots = _SET.unpack_from(self._buf, _HEADER + (half & self._mask) * _SET_SIZE)
        for i in (0, 2, 4, 6):
            if slots[i] == tag:
                return int(slots[i + 1])
        return None

    # ------------------------------------------------------------------------------------------ the writer

    def put(self, key: bytes, value: bytes, reserve: int = 0) -> None:
        """Keep `value` under `key`. In place when the present entry has room for `value` and `reserve` bytes.

        `reserve` is the room to set aside for a value that will grow. Too large a value only removes the older one.
        """
        if _ENTRY_SIZE + len(key) + len(value) > self.largest or len(key) > _MAX_KEY:
            self.delete(key)
            return
        half, tag = hash64(key)
        with self._writing() as allowed:
            if not allowed:
                return
            room = max(len(value), reserve)
            position = self._position(half, tag)
            if position is not None and self._overwrite(position, key, value, room):
                return
            self._publish(half, tag, self._append(key, value, room))

    def delete(self, key: bytes) -> None:
        """Forget `key`."""
        half, tag = hash64(key)
        first = (_HEADER + (half & self._mask) * _SET_SIZE) >> 3
        with self._writing() as allowed:
            if not allowed:
                return
            for word in range(first, first + 8, 2):
                if self._words[word] == tag:
                    self._words[word] = 0

    def clear(self) -> None:
        """Forget everything, in one store to memory."""
        with self._writing():
            head = self._words[_HEAD]
            self._words[_HEAD] = (head // self._ring + 2) * self._ring

    @contextmanager
    def _writing(self) -> Iterator[bool]:
        if self._process_lock is not None:
            with self._process_lock.held() as held:
                yield held
        else:
            with self._thread_lock:
                yield True

    def _overwrite(self, position: int, key: bytes, value: bytes, room: int) -> bool:
        """Write over a living entry of this key that has the room; False when there is none."""
        if self._words[_HEAD] - position > self._ring:
            return False
        at = self._ring_at + position % self._ring
        seq, _, capacity, key_size, _ = _ENTRY.unpack_from(self._buf, at)
        end = at + _ENTRY_SIZE + key_size
        if key_size != len(key) or capacity < room or self._buf[at + _ENTRY_SIZE : end] != key:
            return False
        check = hash64(value)[0]
        self._words[at >> 3] = busy = seq | 1
        _FIELDS.pack_into(self._buf, at + 8, check, capacity, key_size, len(value))
        self._buf[end : end + len(value)] = value
        self._words[at >> 3] = busy + 1
        return True

    def _append(self, key: bytes, value: bytes, room: int) -> int:
        """Write a new entry at the head; answers its position."""
        if _ENTRY_SIZE + len(key) + room > self.largest:
            room = len(value)
        size = (_ENTRY_SIZE + len(key) + room + 7) & ~7
        position = self._words[_HEAD]
        if position % self._ring + size > self._ring:
            position = (position // self._ring + 1) * self._ring
        self._words[_HEAD] = position + size
        at = self._ring_at + position % self._ring
        check = hash64(value)[0]
        _ENTRY.pack_into(self._buf, at, 2, check, size - _ENTRY_SIZE - len(key), len(key), len(value))
        end = at + _ENTRY_SIZE + len(key)
        self._buf[at + _ENTRY_SIZE : end] = key
        self._buf[end : end + len(value)] = value
        return position

    def _publish(self, half: int, tag: int, position: int) -> None:
        """Make the set point to the new entry: in the key's own slot, else an empty one, else the oldest."""
        offset = _HEADER + (half & self._mask) * _SET_SIZE
        slots = _SET.unpack_from(self._buf, offset)
        victim, oldest = 0, position
        for i in (0, 2, 4, 6):
            if slots[i] == tag:
                victim = i
                break
            age = slots[i + 1] if slots[i] else 0
            if age < oldest:
                victim, oldest = i, age
        word = (offset >> 3) + victim
        self._words[word + 1] = position
        self._words[word] = tag
