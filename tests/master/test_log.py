"""Log lines: one write each, nothing forged, nothing secret about their form."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import select
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd import log as logs


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """A logger of its own; the process' logging is left as it is."""
    made = logging.Logger("test", logging.DEBUG)
    yield made
    for handler in made.handlers:
        os.close(handler.target._fd)  # type: ignore[attr-defined]


def to_file(logger: logging.Logger, path: Path, *, as_json: bool = False) -> logs.Stream:
    stream = logs.Stream(logs.Target(str(path)), "imap.0", as_json=as_json)
    logger.addHandler(stream)
    return stream


def test_text_lines(logger: logging.Logger, tmp_path: Path) -> None:
    to_file(logger, tmp_path / "log")
    token = logs.conn.set("c1")
    try:
        logger.info("session ended", extra={"bytes": 12, "reason": "bye bye", "empty": "", "quote": 'a"b'})
    finally:
        logs.conn.reset(token)
    line = (tmp_path / "log").read_text()
    when, rest = line.split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", when)
    pairs = r'conn=c1 bytes=12 reason="bye bye" empty="" quote="a\"b"'
    assert rest == f"INFO imap.0[{os.getpid()}] test: session ended {pairs}\n"


def test_a_peer_cannot_forge_lines(logger: logging.Logger, tmp_path: Path) -> None:
    to_file(logger, tmp_path / "log")
    logger.warning("bad %s", "a\r\nb\x1b[31m\x00\u2028\x85", extra={"user": "x\ny\x9b"})
    text = (tmp_path / "log").read_text()
    assert text.count("\n") == 1
    assert r"bad a\r\nb\x1b[31m\x00\u2028\x85" in text and r'user="x\\ny\\x9b"' in text


@given(st.text(), st.text())
def test_any_text_is_one_line(message: str, value: str) -> None:
    record = logging.makeLogRecord({"msg": message, "name": "t", "levelname": "INFO", "value": value})
    stream = logs.Stream(logs.Target("-"), "x")
    (line,) = stream._text(record)
    assert len(line.splitlines()) == 1 and line.isprintable()
    (found,) = stream._json(record)
    parsed = json.loads(found)
    assert "\n" not in found and (parsed.get("cut") or parsed["value"] == value)


def test_json_lines_and_tracebacks(logger: logging.Logger, tmp_path: Path) -> None:
    to_file(logger, tmp_path / "log", as_json=True)
    try:
        raise ValueError("oh\nno")
    except ValueError:
        logger.exception("failed", extra={"number": 3, "thing": {"a": 1}})
    value = json.loads((tmp_path / "log").read_text())
    assert value["message"] == "failed" and value["level"] == "ERROR" and value["slot"] == "imap.0"
    assert value["number"] == 3 and value["thing"] == {"a": 1} and value["pid"] == os.getpid()
    assert value["details"][0] == "Traceback (most recent call last):" and "ValueError: oh" in value["details"]


def test_traceback_lines_name_their_process(logger: logging.Logger, tmp_path: Path) -> None:
    to_file(logger, tmp_path / "log")
    try:
        raise ValueError("oh no")
    except ValueError:
        logger.exception("failed")
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) >= 4 and all(f"ERROR imap.0[{os.getpid()}] | " in line for line in lines[1:])
    assert lines[-1].endswith("| ValueError: oh no")


def test_a_wrong_call_is_told_with_its_place(logger: logging.Logger, tmp_path: Path) -> None:
    to_file(logger, tmp_path / "log")
    logger.info("number %d", "x")
    assert re.search(r"ERROR imap.0\S+ bad log call: \S*test_log.py:\d+ TypeError", (tmp_path / "log").read_text())


def test_reopen_follows_the_name(logger: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "log"
    stream = to_file(logger, path)
    logger.info("one")
    path.rename(tmp_path / "log.1")
    logger.info("two")
    stream.target.reopen()
    logger.info("three")
    assert (tmp_path / "log.1").read_text().count("\n") == 2 and "three" in path.read_text()
    path.rename(tmp_path / "log.2")
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        stream.target.reopen()
    logger.info("four")
    assert "four" in (tmp_path / "log.2").read_text()


def pipe_target(monkeypatch: pytest.MonkeyPatch) -> tuple[logs.Target, int]:
    """A target that writes to a pipe as if it were standard error."""
    reader, writer = os.pipe()
    target = logs.Target("-")
    target._fd = writer
    target._poll = select.poll()
    target._poll.register(writer, select.POLLOUT)
    target.limited = True
    return target, reader


def test_a_pipe_gets_pieces_that_it_takes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    target, reader = pipe_target(monkeypatch)
    target.write(["ä" * 5000, "short"], 6)
    data = os.read(reader, 100000)
    first, second, _ = data.split(b"\n")
    assert len(first) < select.PIPE_BUF and first.endswith("ä ...".encode()) and second == b"short"
    stream = logs.Stream(target, "x", as_json=True)
    big = {
        "msg": "m" * 9000,
        "levelname": "INFO",
        "levelno": 20,
        "stack_info": "\n".join(["line"] * 1000),
        "long": "y" * 9000,
        "n": 5,
    }
    stream.emit(logging.makeLogRecord(big))
    value = json.loads(os.read(reader, 100000))
    assert value["cut"] and value["message"] == "m" * 120 and value["n"] == 5 and value["details"] == ["line"] * 4
    os.close(reader)
    os.close(target._fd)


def test_a_full_pipe_costs_lines_that_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    target, reader = pipe_target(monkeypatch)
    fcntl.fcntl(target._fd, fcntl.F_SETPIPE_SZ, 8192)
    target.write(["x" * 4000, "y" * 4000, "lost", "lost too"], 6)
    assert os.read(reader, 100000) == b"x" * 4000 + b"\n" + b"y" * 4000 + b"\n"
    target.write(["back"], 6)
    assert os.read(reader, 100000) == b"log lines dropped count=2\nback\n"
    os.close(reader)
    target.write(["nobody reads"], 6)
    os.close(target._fd)


def test_the_journal_gets_priorities_and_no_time(monkeypatch: pytest.MonkeyPatch, logger: logging.Logger) -> None:
    status = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    assert logs.Target("-").journal
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    assert not logs.Target("-").journal
    target, reader = pipe_target(monkeypatch)
    target.journal = True
    stream = logs.Stream(target, "master")
    for level in (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG):
        stream.emit(logging.makeLogRecord({"msg": "m", "levelno": level, "levelname": "L", "name": "n"}))
    text = os.read(reader, 100000).decode()
    assert re.findall(r"(?m)^<(\d)>L master\[\d+\] n: m$", text) == ["2", "3", "4", "6", "7"]
    os.close(reader)
    os.close(target._fd)


def test_bind_sets_the_context() -> None:
    def inner() -> tuple[str, str, str]:
        logs.bind(conn_id="c", user_name="u")
        logs.bind(command_name="FETCH")
        return logs.conn.get(), logs.user.get(), logs.command.get()

    import contextvars

    assert contextvars.copy_context().run(inner) == ("c", "u", "FETCH")
    assert logs.conn.get() == ""
