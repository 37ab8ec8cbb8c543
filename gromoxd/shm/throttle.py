"""Failed logins, counted in shared memory: a growing delay, then a refusal for a while. Nobody can lock an account.

Two counters grow with a failure: that of the address (an IPv4 address, an IPv6 /64 network), and that of the user name
*from this address*. There is none of the user alone: whoever guesses passwords slows down and shuts out only the
addresses that the guesses come from, and the user's own log-in from another one passes undelayed. Counters decay by
one per `forget` seconds. Loopback has no address counter, since a web mail on this host logs in everybody from there.
"""

from __future__ import annotations

import ipaddress
import mmap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from mmh3 import hash64

from gromoxd.shm.lock import ProcessLock

_ENTRY = Struct("@qddd")  # tag, failures, time of the last one, refused until
_WAYS = 8
_MAX_COUNT = 1000.0


@dataclass(frozen=True)
class Limits:
    """`times`: failures of a user from an address before refusal; an address may have `address_factor` times as many.

    `block`: seconds of refusal. `delay`: that of the first failure; it doubles with each up to `delay_max`.
    `forget`: seconds after which one failure is forgotten.
    """

    times: int = 10
    block: float = 60.0
    delay: float = 1.0
    delay_max: float = 15.0
    forget: float = 60.0
    address_factor: int = 5


@lru_cache(maxsize=1024)
def network_of(address: str) -> tuple[str, bool]:
    """(what is counted as one address, is it loopback). Anything that is no IP address (a Unix socket) is loopback."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "local", True
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        else:
            return (str(ip), True) if ip.is_loopback else (str(ipaddress.ip_network((ip, 64), strict=False)), False)
    return str(ip), ip.is_loopback


class Throttle:
    """The table. A full set drops its least failing entry; memory is fixed whatever strangers do."""

    def __init__(self, entries: int = 16384, clock: Callable[[], float] = time.monotonic) -> None:
        self._sets = max(1, entries // _WAYS)
        self._map = mmap.mmap(-1, self._sets * _WAYS * _ENTRY.size)
        self._lock = ProcessLock("throttle")
        self._clock = clock
        self.limits = Limits()

    def check(self, user: str, address: str) -> float:
        """0 when this log-in may be tried, else the seconds for which the address is still refused. Changes nothing."""
        now = self._clock()
        until = 0.0
        for key, _ in self._keys(user, address):
            _, entry = self._find(key)
            if entry is not None:
                until = max(until, entry[3])
        return max(0.0, until - now)

    def fail(self, user: str, address: str) -> float:
        """Count a failed log-in; answers how long to wait before telling so."""
        now = self._clock()
        delay = self.limits.delay
        with self._lock.held() as held:
            if not held:
                return delay
            for key, factor in self._keys(user, address):
                delay = max(delay, self._count(key, factor, now))
        return delay

    def succeed(self, user: str, address: str) -> None:
        """Forget the failures of this user from this address (not those of the address)."""
        key = next(self._keys(user, address))[0]
        if self._find(key)[1] is None:
            return
        with self._lock.held() as held:
            at, entry = self._find(key)
            if held and entry is not None:
                _ENTRY.pack_into(self._map, at, 0, 0.0, 0.0, 0.0)

    def _keys(self, user: str, address: str) -> Iterator[tuple[bytes, int]]:
        network, loopback = network_of(address)
        yield f"u\0{network}\0{user.casefold()}".encode("utf-8", "surrogateescape"), 1
        if not loopback:
            yield f"a\0{network}".encode("utf-8", "surrogateescape"), self.limits.address_factor

    def _find(self, key: bytes) -> tuple[int, tuple[int, float, float, float] | None]:
        """(offset of the key's entry, the entry), or (offset of the one to drop, None)."""
        half, tag = hash64(key)
        first = half % self._sets * _WAYS * _ENTRY.size
        weakest, least = first, (float("inf"), 0.0)
        for at in range(first, first + _WAYS * _ENTRY.size, _ENTRY.size):
            entry = _ENTRY.unpack_from(self._map, at)
            if entry[0] == tag:
                return at, entry
            if (entry[1], entry[2]) < least:
                weakest, least = at, (entry[1], entry[2])
        return weakest, None

    def _count(self, key: bytes, factor: int, now: float) -> float:
        limits = self.limits
        at, entry = self._find(key)
        count, last, until = entry[1:] if entry is not None else (0.0, now, 0.0)
        count = min(_MAX_COUNT, max(0.0, count - max(0.0, now - last) / limits.forget) + 1)
        if round(count) >= limits.times * factor:
            until = now + limits.block
        _ENTRY.pack_into(self._map, at, hash64(key)[1], count, now, until)
        steps = round((count - 1) / factor)
        return min(limits.delay_max, limits.delay * 2 ** min(steps, 20)) if limits.delay else 0.0

    def clear(self) -> None:
        """Forgive everybody."""
        with self._lock.held():
            self._map[:] = bytes(len(self._map))
