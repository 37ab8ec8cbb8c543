"""PtypTime ([MS-OXCDATA] 2.11.1, [MS-DTYP] 2.3.3 FILETIME): 100 ns since 1601-01-01 UTC. Names end in _nt."""

from __future__ import annotations

UNIX_EPOCH_NT = 116444736000000000
TICKS = 10_000_000
_LARGEST = (1 << 63) - 1


def filetime(unix: float) -> int:
    """FILETIME of Unix seconds, held within 0 and 2**63-1."""
    ticks = unix * TICKS if isinstance(unix, int) else round(unix * TICKS)
    return min(max(ticks + UNIX_EPOCH_NT, 0), _LARGEST)


def unix_seconds(time_nt: int) -> int:
    """Unix seconds of a FILETIME, rounded down."""
    return (time_nt - UNIX_EPOCH_NT) // TICKS
