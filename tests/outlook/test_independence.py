"""The client shares no line with what it tests."""

from __future__ import annotations

import ast

from tests.conftest import ROOT


def test_it_imports_nothing_of_the_server() -> None:
    found: dict[str, list[str]] = {}
    for path in (ROOT / "tests" / "support" / "outlook").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found.setdefault(path.name, []).extend(names)
    assert len(found) > 10
    bad = {file: [name for name in names if name.split(".")[0] in ("gromoxd", "workers", "store")]
           for file, names in found.items()}  # fmt: skip
    assert not any(bad.values()), bad
