"""The files of the tree, as the project's own tests look at them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("gromoxd", "workers", "store", "loadtest", "tools")
SKIPPED = {".git", ".venv", "var", "build", "__pycache__", ".hypothesis", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


@cache
def files() -> tuple[Path, ...]:
    """All files that belong to the project: those git knows or would add, else all that are not by-products."""
    git = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if git.returncode == 0 and git.stdout:
        named = (ROOT / name for name in git.stdout.decode().split("\0") if name)
        return tuple(sorted(path for path in named if path.is_file()))
    return tuple(sorted(p for p in ROOT.rglob("*") if p.is_file() and not SKIPPED & set(p.relative_to(ROOT).parts)))


def code() -> list[Path]:
    """The Python files outside the tests."""
    return [p for p in files() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in CODE]


def name(path: Path) -> str:
    """A path as people write it."""
    return str(path.relative_to(ROOT))
