"""Every structure of `gromoxd.mapi` with valid samples, for the suites that all of them go through.

A module here has DECODERS: name -> (function of octets, samples it decodes).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

Decoder = tuple[Callable[[bytes], object], list[bytes]]


def decoders() -> dict[str, Decoder]:
    """All of them by "module.name"."""
    found: dict[str, Decoder] = {}
    for module in sorted(info.name for info in iter_modules(__path__)):
        entries: dict[str, Decoder] = import_module(f"{__name__}.{module}").DECODERS
        found |= {f"{module}.{name}": entry for name, entry in entries.items()}
    return found
