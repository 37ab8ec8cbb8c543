"""The tree as a whole: versions, machine paths, documented commands, samples in step, test folders importable."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import gromoxd
from tests.project.tree import ROOT, code, files, name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MACHINE_PATHS = re.compile(r"/(?:root|home/[a-z]+|work|tmp/[a-z])(?=[/\s\"')`])|/opt/(?:pypi|wheels)")
ALLOWED_PATHS: dict[str, str] = {}


def test_one_version() -> None:
    assert PROJECT["version"] == gromoxd.__version__
    newest = re.search(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest and newest[1] in ("Unreleased", gromoxd.__version__)
    assert f"[{gromoxd.__version__}]" in (ROOT / "CHANGELOG.md").read_text() or newest[1] == "Unreleased"


def test_no_path_of_somebodys_machine() -> None:
    found = []
    for path in files():
        if path.suffix in {".py", ".md", ".sh", ".toml", ".cfg", ".service", ".conf", ".tsv", ".txt", ""}:
            if path == Path(__file__):
                continue
            text = content(path)
            found += [f"{name(path)}: {m[0]}" for m in MACHINE_PATHS.finditer(text) if name(path) not in ALLOWED_PATHS]
    assert found == []


def content(path: Path) -> str:
    """The text of a file; '' when it was another test's and is gone."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def test_nothing_half_done() -> None:
    words = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|NotImplemented" + r"Error)\b")
    assert [name(p) for p in code() if words.search(p.read_text())] == []


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands_of(page: Path) -> list[str]:
    """The command lines in a page's indented and fenced blocks of shell."""
    blocks = re.findall(r"```(?:sh|shell|console)\n(.*?)```", page.read_text(), re.DOTALL)
    return [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines() if line.strip()]


def test_readme_names_only_commands_that_exist() -> None:
    commands = commands_of(ROOT / "README.md")
    assert any(c.endswith("make run") for c in commands)
    assert any(c.endswith("make test") for c in commands)
    for target in re.findall(r"\bmake ([a-z]+)", "\n".join(commands)):
        assert target in makefile_targets() | {"sqlite"}, target
    scripts = {c.split()[0] for c in commands if c.startswith(("gromox", "sudo gromox"))}
    assert scripts <= {"gromoxd", "gromoxctl", "sudo"}


def subcommands(line: str) -> list[str]:
    """The words of a gromoxctl command line up to the first argument that is no subcommand."""
    words = re.sub(r"-s \S+ ", "", line.split("gromoxctl", 1)[1]).split()
    return [w for w in words[:2] if re.fullmatch(r"[a-z]+", w)]


@pytest.mark.parametrize("line", [c for c in commands_of(ROOT / "README.md") if "gromoxctl" in c])
def test_readme_gromoxctl_lines(line: str) -> None:
    """`--help` of each documented subcommand works."""
    done = subprocess.run(
        [sys.executable, "-m", "gromoxd.cli.main", *subcommands(line), "--help"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for option in re.findall(r" (--[a-z-]+)", line):
        assert option in done.stdout, option


def test_makefile_is_documented() -> None:
    text = (ROOT / "Makefile").read_text()
    assert {"run", "test", "check", "loadtest", "bench", "install", "samples", "clean"} <= makefile_targets()
    for target in makefile_targets() - {"help", "static", "fast"}:
        assert f"make {target}" in text


def test_samples_are_in_step(tmp_path: Path) -> None:
    """`make samples` would change nothing. In a process of its own: other tests declare settings too."""
    subprocess.run([sys.executable, "tools/samples.py", tmp_path], cwd=ROOT, check=True, capture_output=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert {"gromox.cfg", "imap.cfg", "pop3.cfg", "smtp.cfg", "http.cfg"} <= set(made)
    assert {path.name: path.read_text() for path in (ROOT / "conf").glob("*.cfg")} == made


def test_every_test_folder_is_a_package() -> None:
    """So that two test files of the same name do not collide."""
    folders = {p.parent for p in files() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] == "tests"}
    assert [name(f) for f in folders if not (f / "__init__.py").exists()] == []


@pytest.mark.parametrize("script", ["tools/setup", "tools/install", ".ci/run"])
def test_shell_scripts_parse(script: str) -> None:
    shell = "bash" if script.startswith(".ci") else "sh"
    assert (ROOT / script).stat().st_mode & 0o111
    assert subprocess.run([shell, "-n", ROOT / script], check=False).returncode == 0


def test_the_service_reads_the_configuration_that_install_writes() -> None:
    from gromoxd.__main__ import CONFIG_FOLDER

    assert f"--config {CONFIG_FOLDER} " in (ROOT / "systemd" / "gromoxd.service").read_text()
    assert f"{CONFIG_FOLDER}/*.cfg " in (ROOT / "systemd" / "tmpfiles.d" / "gromoxd.conf").read_text()
    assert "$sysconfdir/" + CONFIG_FOLDER.rpartition("/")[2] in (ROOT / "tools" / "install").read_text()
