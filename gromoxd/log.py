"""The log: one stream out of all processes, whole lines only, text or JSON, to standard error, the journal or a file.

Every process writes a line with a single `write(2)` to the same open file: to a file in append mode that is atomic at
any length, to a pipe up to PIPE_BUF bytes, so longer lines are cut there (docs/decisions/0002-logging.md). Nothing here
takes a lock, and a reader that does not keep up costs lines, not a stalled server.
"""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from select import PIPE_BUF, POLLOUT, poll  # the real poll: imported by the master, before a worker patches the module
from typing import Any

conn: ContextVar[str] = ContextVar("conn", default="")
user: ContextVar[str] = ContextVar("user", default="")
command: ContextVar[str] = ContextVar("command", default="")
"""What a record is about; set by the servers for the greenlet at work."""

LEVELS = {
    1: logging.CRITICAL, 2: logging.ERROR, 3: logging.WARNING, 4: logging.INFO, 5: logging.INFO, 6: logging.DEBUG,
}  # fmt: skip
"""Gromox's log levels; a notice (4) is INFO, there is no finer one."""

_PRIORITY = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_BARE = re.compile(r'[^\s"=\\]+')
_WAIT_MS = 10
_DETAIL_LINES = 200


def bind(*, conn_id: str | None = None, user_name: str | None = None, command_name: str | None = None) -> None:
    """Say what the present greenlet works for; None leaves a field as it is."""
    for var, value in ((conn, conn_id), (user, user_name), (command, command_name)):
        if value is not None:
            var.set(value)


def printable(text: str) -> str:
    """Control characters, line separators, direction marks … as escapes, so that no peer can forge a line."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _value(value: object) -> str:
    text = printable(str(value))
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a record carries beside its message: the context and its `extra`."""
    found: dict[str, Any] = {}
    for name, var in (("conn", conn), ("user", user), ("cmd", command)):
        value = var.get()
        if value:
            found[name] = value
    found.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
    return found


def details_of(record: logging.LogRecord) -> list[str]:
    """The lines of a traceback or stack, the innermost ones when there are very many."""
    text = ""
    if record.exc_info and record.exc_info[0] is not None:
        text = "".join(traceback.format_exception(*record.exc_info))
    if record.stack_info:
        text += record.stack_info
    return [printable(line) for line in text.splitlines()][-_DETAIL_LINES:]


def timestamp(created: float) -> str:
    """RFC 3339 with milliseconds, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created)) + f".{int(created % 1 * 1000):03d}Z"


def cut(line: bytes) -> bytes:
    """A line shortened to what a pipe takes in one piece."""
    return line[: PIPE_BUF - 8].decode(errors="ignore").encode() + b" ...\n"


class Target:
    """Where lines go. `path` '-' is standard error; the journal is recognised by systemd's JOURNAL_STREAM."""

    def __init__(self, path: str = "-", owner: tuple[int, int] | None = None) -> None:
        self.path = path
        self._owner = owner
        self._dropped = 0
        self._fd = 2
        self._poll: Any = None
        self.limited = False
        self.journal = False
        self.reopen()

    def reopen(self) -> None:
        """Open the file by its name again (log rotation). OSError leaves the old one open."""
        fd = 2
        if self.path != "-":
            mode = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            fd = os.open(self.path, mode, 0o640)
            if self._owner and os.geteuid() == 0 and os.fstat(fd).st_uid != self._owner[0]:
                os.fchown(fd, *self._owner)
        old, self._fd = self._fd, fd
        if old > 2:
            os.close(old)
        status = os.fstat(fd)
        self.journal = self.path == "-" and os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
        self._poll = None
        self.limited = not stat.S_ISREG(status.st_mode)
        if self.limited:
            self._poll = poll()
            self._poll.register(fd, POLLOUT)

    def write(self, lines: Iterable[str], priority: int) -> None:
        """Write lines; a pipe that stays full for 10 ms loses them, which the next line that passes tells."""
        mark = f"<{priority}>" if self.journal else ""
        data = [(mark + line).encode(errors="backslashreplace") + b"\n" for line in lines]
        if self._poll is None:
            self._put(b"".join(data))
            return
        for line in data:
            if self._dropped and self._ready():
                self._put(f"{mark}log lines dropped count={self._dropped}\n".encode())
                self._dropped = 0
            if self._ready():
                self._put(line if len(line) <= PIPE_BUF else cut(line))
            else:
                self._dropped += 1

    def _ready(self) -> bool:
        return bool(self._poll.poll(_WAIT_MS))

    def _put(self, data: bytes) -> None:
        try:
            os.write(self._fd, data)
        except OSError:
            self._dropped += 1


class Stream(logging.Handler):
    """The one handler of a process. `origin` is the slot's name, or 'master'."""

    def __init__(self, target: Target, origin: str = "master", *, as_json: bool = False) -> None:
        super().__init__()
        self.target = target
        self.origin = origin
        self.as_json = as_json

    def createLock(self) -> None:
        """No lock: a line is one write, and the stall detector logs from a thread that must not wait for a greenlet."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            lines = list(self._json(record) if self.as_json else self._text(record))
        except (TypeError, ValueError) as error:  # a wrong format string is a bug of its caller, told at its place
            where = f"{record.pathname}:{record.lineno}"
            lines = [f"{timestamp(record.created)} ERROR {self.origin}[{os.getpid()}] bad log call: {where} {error!r}"]
        self.target.write(lines, next(number for level, number in _PRIORITY if record.levelno >= level))

    def _text(self, record: logging.LogRecord) -> Iterator[str]:
        when = "" if self.target.journal else timestamp(record.created) + " "
        name = f"{self.origin}[{os.getpid()}]"
        pairs = "".join(f" {key}={_value(value)}" for key, value in fields_of(record).items())
        yield f"{when}{record.levelname} {name} {record.name}: {printable(record.getMessage())}{pairs}"
        for line in details_of(record):
            yield f"{when}{record.levelname} {name} | {line}"

    def _json(self, record: logging.LogRecord) -> Iterator[str]:
        value: dict[str, Any] = {
            "time": timestamp(record.created), "level": record.levelname, "slot": self.origin, "pid": os.getpid(),
            "logger": record.name, "message": record.getMessage(),
        }  # fmt: skip
        value |= {key: item for key, item in fields_of(record).items() if key not in value}
        details = details_of(record)
        if details:
            value["details"] = details
        text = json.dumps(value, default=str)
        yield text if len(text) < PIPE_BUF or not self.target.limited else json.dumps(shortened(value), default=str)


def shortened(value: dict[str, Any]) -> dict[str, Any]:
    """A record of which the JSON form fits into one write to a pipe: its first fields and the last detail lines."""
    small = {key: item[:120] if isinstance(item, str) else item for key, item in list(value.items())[:12]}
    small["details"] = [line[:120] for line in value.get("details", [])[-4:]]
    small = {key: item if isinstance(item, (str, int, float, list)) else str(item)[:120] for key, item in small.items()}
    return {**small, "cut": True}


_stream: Stream | None = None


def setup(path: str, form: str, level: int, origin: str, owner: tuple[int, int] | None = None) -> None:
    """Send all logging of this process to `path`; `level` 1-6. Keeps the open file when the path is the same."""
    global _stream
    target = _stream.target if _stream and _stream.target.path == path else Target(path, owner)
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    _stream = Stream(target, origin, as_json=form == "json")
    root.addHandler(_stream)
    root.setLevel(LEVELS[level])
    logging.captureWarnings(True)
    logging.raiseExceptions = False
    sys.excepthook = _uncaught


def _uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    logging.getLogger("gromoxd").critical("uncaught exception", exc_info=(kind, error, trace))


def reopen() -> None:
    """Open the log file anew after it was moved away; a failure is told in the old one."""
    if _stream is not None:
        try:
            _stream.target.reopen()
        except OSError as error:
            logging.getLogger("gromoxd").error("log file cannot be opened error=%r", str(error))


def emit_from_thread(level: int, message: str, details: Iterable[str] = ()) -> None:
    """Log from a native thread of a gevent process, past logging's own locks, which belong to greenlets there."""
    if _stream is not None and level >= logging.getLogger().level:
        record = logging.LogRecord("gromoxd", level, __file__, 0, message, (), None)
        record.stack_info = "\n".join(details) or None
        _stream.emit(record)


def with_details(
    logger: logging.Logger, level: int, message: str, details: Iterable[str], **extra: str | int | float
) -> None:
    """Log a message followed by lines that belong to it (a stack)."""
    if logger.isEnabledFor(level):
        record = logger.makeRecord(logger.name, level, "", 0, message, (), None, extra=extra)
        record.stack_info = "\n".join(details)
        logger.handle(record)
