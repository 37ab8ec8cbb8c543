"""How a component declares its settings, once, beside its code: the reader, --help, sample files and reference follow.

    @component("imap.cfg", "The IMAP server.")
    @dataclass(frozen=True)
    class ImapSettings:
        imap_conn_timeout: float = setting(180.0, "Idle limit before login.", kind="span", low=1)

Kinds: 'int', 'size' (k M G T suffix, powers of 1024), 'span' (seconds; ns … years, additive), 'bool', 'str', 'list'.
The reader of the files is `gromoxd.config`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any, TypeVar

T = TypeVar("T")

COMPONENTS: dict[str, list[type]] = {}
"""File name -> settings classes declared for it. Every file may also be given as one gromox.cfg."""


def setting(
    default: Any,
    doc: str,
    *,
    kind: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    reload: str = "live",
    aliases: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """A dataclass field for one directive. `reload`: 'live' (SIGHUP applies it) or 'restart'."""
    meta = {
        "doc": doc, "kind": kind, "low": low, "high": high, "choices": choices,
        "reload": reload, "aliases": aliases, "secret": secret,
    }  # fmt: skip
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=meta)
    return field(default=default, metadata=meta)


def component(file: str, title: str) -> Callable[[type[T]], type[T]]:
    """Register a settings dataclass for a file such as 'imap.cfg'."""

    def register(cls: type[T]) -> type[T]:
        cls.__settings_title__ = title  # type: ignore[attr-defined]
        COMPONENTS.setdefault(file, []).append(cls)
        return cls

    return register
