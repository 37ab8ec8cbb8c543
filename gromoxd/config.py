"""Reading configuration: `key=value` files into the settings that components declare with `gromoxd.settings`.

A directive is looked for in its component's own file (imap.cfg …) and then in gromox.cfg, so that everything may also
stand in gromox.cfg; one declared for gromox.cfg may stand in any file. Every problem is collected with file and line;
errors keep a configuration from being taken over.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from gromoxd.settings import COMPONENTS
from gromoxd.values import parse, render

S = TypeVar("S")

LINE_LIMIT = 1024
FILE_LIMIT = 1 << 20
SHARED_FILE = "gromox.cfg"
OVERRIDES = "command line"

# fmt: off
WITHOUT_EFFECT = frozenset((
    "config_file_path", "data_file_path", "context_average_mem", "context_max_mem",
    "context_average_mitem", "context_average_units", "thread_charge_num", "thread_init_num",
    "imap_thread_charge_num", "imap_thread_init_num", "pop3_thread_charge_num", "pop3_thread_init_num",
    "lda_thread_charge_num", "lda_thread_init_num", "http_thread_charge_num", "http_thread_init_num",
    "malloc_trim_interval", "imap_fd_limit", "pop3_fd_limit", "lda_fd_limit", "http_fd_limit",
    "istore_fd_limit", "istore_standalone", "max_rpc_stub_threads", "max_router_connections",
))
# fmt: on
"""Directives of Gromox that have nothing to act on here (threads, buffer estimates, process split)."""

REPLACED_BY = {
    f"{prefix}listen{tls}_{what}": f"{prefix}listen{tls}"
    for prefix in ("imap_", "pop3_", "lda_", "http_", "exmdb_")
    for tls in ("", "_tls")
    for what in ("port", "addr")
} | {"listen_port": "<protocol>_listen", "listen_ssl_port": "<protocol>_listen_tls", "listen_ip": "<protocol>_listen"}


class Problem(NamedTuple):
    """Something wrong with a configuration. `fatal` keeps it from being taken over; `line` 0 means the whole file."""

    file: str
    line: int
    text: str
    fatal: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


class Entry(NamedTuple):
    """One directive as written."""

    text: str
    file: str
    line: int


Entries = dict[str, Entry]


class ConfigError(Exception):
    """A configuration with errors; `problems` has them all."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(p) for p in problems if p.fatal))
        self.problems = problems


def read_lines(path: Path, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    """The numbered lines of a file; what cannot be read at all is a problem."""
    try:
        with path.open("rb") as stream:
            data = stream.read(FILE_LIMIT + 1)
        if len(data) > FILE_LIMIT:
            problems.append(Problem(str(path), 0, f"is larger than {FILE_LIMIT >> 10} KiB", True))
            return
        text = data.decode()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        problems.append(Problem(str(path), 0, f"cannot be read: {why}", True))
        return
    yield from enumerate(text.removeprefix("\ufeff").split("\n"), 1)


def read_file(path: Path, problems: list[Problem]) -> Entries:
    """The directives of one file, the last of several equal ones winning. A missing file is an empty one."""
    entries: Entries = {}
    for number, raw in read_lines(path, problems):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        wrong = (
            f"line is longer than {LINE_LIMIT} characters" if len(raw) > LINE_LIMIT
            else "control character in the line" if not line.replace("\t", " ").isprintable()
            else "" if equals and key.strip() else "line is not of the form key=value"
        )  # fmt: skip
        if wrong:
            problems.append(Problem(str(path), number, wrong, True))
        else:
            entries[key.strip()] = Entry(value.strip(), str(path), number)
    return entries


def names_of(item: Field[Any]) -> tuple[str, ...]:
    """The names under which a directive is known."""
    return (item.name, *item.metadata["aliases"])


def file_of(cls: type) -> str:
    """The file for which a settings class was declared."""
    for file, classes in COMPONENTS.items():
        if cls in classes:
            return file
    raise LookupError(f"{cls.__qualname__} is not declared with gromoxd.settings.component")


def build(cls: type[S], files: Mapping[str, Entries], problems: list[Problem]) -> S:
    """Settings of class `cls` out of the files; a bad value leaves the default and a problem."""
    values: dict[str, Any] = {}
    own = file_of(cls)
    order = [OVERRIDES, own, SHARED_FILE, *(sorted(files) if own == SHARED_FILE else ())]
    places = [files[name] for name in order if name in files]
    for item in fields(cls):  # type: ignore[arg-type]
        entry = next((place[name] for place in places for name in names_of(item) if name in place), None)
        if entry is None:
            continue
        try:
            values[item.name] = parse(entry.text, item.metadata)
        except ValueError as error:
            shown = "the value" if item.metadata["secret"] else repr(entry.text)
            problems.append(Problem(entry.file, entry.line, f"{item.name}: {shown} {error}", True))
    return cls(**values)


def unknown(files: Mapping[str, Entries]) -> list[Problem]:
    """A warning for every directive that nobody declared."""
    known = {
        file: {name for cls in classes for item in fields(cls) for name in names_of(item)}
        for file, classes in COMPONENTS.items()
    }
    everything = set().union(*known.values()) if known else set()
    problems = []
    for file, entries in files.items():
        shared = known.get(SHARED_FILE, set())
        here = everything if file in (SHARED_FILE, OVERRIDES) else known.get(file, set()) | shared
        for key in entries.keys() - here:
            problems.append(Problem(entries[key].file, entries[key].line, _about_unknown(key, here, everything), False))
    return problems


def _about_unknown(key: str, here: set[str], everything: set[str]) -> str:
    if key in REPLACED_BY:
        return f"directive {key} is not read; write {REPLACED_BY[key]}=ADDRESS:PORT"
    if key in WITHOUT_EFFECT:
        return f"directive {key} has no effect"
    if key in everything:
        return f"directive {key} does not belong into this file"
    close = difflib.get_close_matches(key, here, 1)
    return f"unknown directive {key}" + (f"; is {close[0]} meant?" if close else "")


@dataclass
class Config:
    """The configuration in force. `get` is cheap and gives the values of the last good reading."""

    directory: Path
    overrides: Mapping[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _files: dict[str, Entries] = field(default_factory=dict)
    _built: dict[type, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, directory: str | Path, overrides: Mapping[str, str] | None = None) -> Config:
        """Read all files of `directory`. Raises ConfigError when a value is bad; warnings stay in `problems`."""
        config = cls(Path(directory), dict(overrides or {}))
        problems = config.reload()
        if any(problem.fatal for problem in problems):
            raise ConfigError(problems)
        return config

    def reload(self) -> list[Problem]:
        """Read again. With a fatal problem the old values stay in force. Answers what was wrong."""
        files, built, problems = self._read()
        self.problems = problems
        if not any(problem.fatal for problem in problems):
            for cls, value in built.items():
                built[cls] = self._keep_fixed(cls, value)
            self._files, self._built = files, built
        return problems

    def get(self, cls: type[S]) -> S:
        """The settings of one component; LookupError for a class that is no component."""
        value = self._built.get(cls)
        if value is None:
            value = self._built[cls] = build(cls, self._files, self.problems)
        return cast(S, value)

    def complete(self) -> list[Problem]:
        """Build what was declared since the last reading (a worker knows more components than the master)."""
        before = len(self.problems)
        for group in COMPONENTS.values():
            for cls in group:
                self.get(cls)
        return self.problems[before:]

    def needs_restart(self) -> list[str]:
        """Directives whose new value in the files is not in force until the server is started anew."""
        wanted, names = self._read()[1], []
        for cls, value in self._built.items():
            for item in fields(cls):
                differs = cls in wanted and getattr(value, item.name) != getattr(wanted[cls], item.name)
                if differs and item.metadata["reload"] == "restart" and item.name not in names:
                    names.append(item.name)
        return names

    def _read(self) -> tuple[dict[str, Entries], dict[type, Any], list[Problem]]:
        problems: list[Problem] = []
        if not self.directory.is_dir():
            problems.append(Problem(str(self.directory), 0, "no such folder", True))
        files = {name: read_file(self.directory / name, problems) for name in [*COMPONENTS, SHARED_FILE]}
        files[OVERRIDES] = {key: Entry(text, OVERRIDES, 0) for key, text in self.overrides.items()}
        classes = {cls: None for group in COMPONENTS.values() for cls in group}
        built: dict[type, Any] = {cls: build(cls, files, problems) for cls in classes}
        problems += unknown(files)
        return files, built, sorted(set(problems))

    def _keep_fixed(self, cls: type, new: Any) -> Any:
        """A reload does not touch what takes a restart: every process of this run sees the same value."""
        old = self._built.get(cls)
        if old is None:
            return new
        return cls(**{
            item.name: getattr(old if item.metadata["reload"] == "restart" else new, item.name)
            for item in fields(cls)
        })  # fmt: skip


def report(problems: list[Problem], log: logging.Logger) -> None:
    """Log each problem: errors for bad values, warnings for the rest."""
    for problem in problems:
        log.log(logging.ERROR if problem.fatal else logging.WARNING, "configuration: %s", problem)


def _limits(meta: Mapping[str, Any]) -> str:
    kind = meta["kind"]
    parts = []
    if meta["choices"]:
        parts.append("one of " + ", ".join(meta["choices"]))
    if meta["low"] is not None:
        parts.append(f"at least {render(meta['low'], kind)}")
    if meta["high"] is not None:
        parts.append(f"at most {render(meta['high'], kind)}")
    if meta["aliases"]:
        parts.append("also known as " + ", ".join(meta["aliases"]))
    if meta["reload"] == "restart":
        parts.append("a change takes a restart")
    return "; ".join(parts)


def sample_file(file: str) -> str:
    """A sample of a configuration file: every directive with its meaning, limits and default, commented out."""
    lines = [f"# {file}: settings of gromoxd. Each line shows the default; remove the '#' to change it."]
    done: set[str] = set()
    for cls in COMPONENTS[file]:
        lines += ["", f"## {cls.__settings_title__}"]  # type: ignore[attr-defined]
        blank = cls()
        for item in fields(cls):
            if item.name in done:
                continue
            done.add(item.name)
            limits = _limits(item.metadata)
            lines += ["", *_wrapped(item.metadata["doc"] + (f" ({limits})" if limits else ""))]
            value = render(getattr(blank, item.name), item.metadata["kind"])
            lines.append(f"#{item.name}={value}")
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 110, initial_indent="# ", subsequent_indent="# ")
