"""The files of the tree, as the project's own tests look at them."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("gromoxd", "workers", "store", "loadtest", "tools")
SKIPPED = {".git", ".venv", "var", "build", "__pycache__", ".hypothesis", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


def _git_files() -> list[str]:
    """Empty where there is no git or no repository."""
    git = shutil.which("git")
    if git is None:
        return []
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    return [name for name in done.stdout.decode().split("\0") if name]


@cache
def files() -> tuple[Path, ...]:
    """All files that belong to the project: those git knows or would add, else all that are not by-products."""
    names = _git_files()
    if names:
        return tuple(sorted(path for path in (ROOT / name for name in names) if path.is_file()))
    return tuple(sorted(p for p in ROOT.rglob("*") if p.is_file() and not SKIPPED & set(p.relative_to(ROOT).parts)))


def code() -> list[Path]:
    """The Python files outside the tests."""
    return [p for p in files() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in CODE]


def name(path: Path) -> str:
    """A path as people write it."""
    return str(path.relative_to(ROOT))
