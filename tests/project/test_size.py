"""Nothing grows without bounds, wire code does no I/O, and every module says what lives in it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.project.tree import ROOT, code, name

FILE_LINES, FUNCTION_LINES = 600, 60
TABLES = "# table file"
"""A generated or table file says so in its first line and may be longer."""

KNOWN_LONG: dict[str, str] = {}
"""Where a limit is passed on purpose: name -> why. Keep it short."""

IO_MODULES = {
    "socket",
    "gevent",
    "random",
    "secrets",
    "time",
    "os",
    "apsw",
    "sqlite3",
    "subprocess",
    "threading",
    "asyncio",
}
PURE = (
    "workers/imap/wire",
    "workers/imap/session",
    "workers/pop3/wire",
    "workers/lmtp/wire",
    "gromoxd/mapi",
    "gromoxd/convert",
)


def test_the_code_is_seen() -> None:
    assert len(code()) > 20


@pytest.mark.parametrize("path", code(), ids=name)
def test_file_length(path: Path) -> None:
    text = path.read_text()
    if text.startswith(TABLES) or name(path) in KNOWN_LONG:
        return
    assert text.count("\n") <= FILE_LINES


@pytest.mark.parametrize("path", code(), ids=name)
def test_function_length(path: Path) -> None:
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
        if node.end_lineno - node.lineno + 1 > FUNCTION_LINES and f"{name(path)}:{node.name}" not in KNOWN_LONG
    ]
    assert long == []


def test_no_exception_outlives_its_reason() -> None:
    for entry in KNOWN_LONG:
        assert (ROOT / entry.partition(":")[0]).exists(), entry


@pytest.mark.parametrize("path", [p for p in code() if name(p).startswith(PURE)], ids=name)
def test_pure_code_imports_no_io(path: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.add(node.module.partition(".")[0])
    assert imported & IO_MODULES == set()


@pytest.mark.parametrize("path", code(), ids=name)
def test_every_module_says_what_lives_in_it(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body
