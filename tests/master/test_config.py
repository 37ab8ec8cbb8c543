"""The reader of configuration files: where directives are looked for, and what is told about mistakes."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gromoxd.config import Config, ConfigError, report, sample_file
from gromoxd.settings import COMPONENTS, component, setting
from tests.master.harness import ROOT


@dataclass(frozen=True)
class Left:
    """Declared for left.cfg."""

    left_size: int = setting(64 << 20, "Size of it.", kind="size", low=1024, high=1 << 30)
    left_wait: float = setting(180.0, "Time of it.", kind="span", low=1, aliases=("left_timeout",))
    left_hosts: list[str] = setting(["::1"], "Hosts.", kind="list", reload="restart")
    left_password: str = setting("", "A secret of it.", kind="str", secret=True, choices=("", "right"))
    context_num: int = setting(400, "Connections.", kind="int")


@dataclass(frozen=True)
class Right:
    """Declared for right.cfg."""

    right_mode: str = setting("text", "Form.", kind="str", choices=("text", "json"))
    context_num: int = setting(200, "Connections.", kind="int")


@dataclass(frozen=True)
class Common:
    """Declared for gromox.cfg."""

    common_flag: bool = setting(False, "A switch.", kind="bool")


@pytest.fixture(autouse=True)
def components() -> Iterator[None]:
    """Only these components exist."""
    before = dict(COMPONENTS)
    COMPONENTS.clear()
    component("left.cfg", "The left.")(Left)
    component("right.cfg", "The right.")(Right)
    component("gromox.cfg", "Both.")(Common)
    yield
    COMPONENTS.clear()
    COMPONENTS.update(before)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.cfg").write_text(text)
    return folder


def complaints(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Config.load(folder)
    return [f"{Path(p.file).name}:{p.line}: {p.text}" for p in caught.value.problems]


def test_without_files_the_defaults_hold(tmp_path: Path) -> None:
    config = Config.load(tmp_path)
    assert config.get(Left) == Left() and config.get(Right) == Right() and not config.problems
    assert config.get(Left).left_hosts == ["::1"] and config.get(Left) is config.get(Left)


def test_own_file_before_the_common_one_and_the_command_line_before_all(tmp_path: Path) -> None:
    write(tmp_path, gromox="context_num=1\nleft_size = 2k\nright_mode=json\n", left="context_num = 5\nleft_size=3k")
    config = Config.load(tmp_path, {"left_size": "4k"})
    assert (config.get(Left).context_num, config.get(Right).context_num) == (5, 1)
    assert config.get(Left).left_size == 4096 and config.get(Right).right_mode == "json"
    assert not config.problems


def test_a_common_directive_may_stand_in_any_file(tmp_path: Path) -> None:
    config = Config.load(write(tmp_path, right="common_flag=yes\n"))
    assert config.get(Common).common_flag and not config.problems


def test_syntax(tmp_path: Path) -> None:
    text = "\ufeff# comment\r\n  # another\r\n\r\nleft_wait = 1h 30min \r\nleft_hosts=a, b # c\r\nleft_wait=2min"
    config = Config.load(write(tmp_path, left=text))
    assert config.get(Left).left_wait == 120.0
    assert config.get(Left).left_hosts == ["a", "b", "#", "c"]


def test_an_alias_is_the_directive(tmp_path: Path) -> None:
    assert Config.load(write(tmp_path, left="left_timeout=7")).get(Left).left_wait == 7.0


def test_every_mistake_is_told_with_file_and_line(tmp_path: Path) -> None:
    write(
        tmp_path,
        left="left_size=10\nleft_wait=soon\n\nno equals sign\n=value\nleft_hosts="
        + "x" * 1020
        + "\nleft_size\x07=4k\n",
        right="right_mode=xml\nright_mod=text\nleft_size=4k\n",
        gromox="nonsense=1\nimap_listen_port=143\nimap_thread_init_num=5\n",
    )
    found = complaints(tmp_path)
    assert sorted(found) == [
        "gromox.cfg:1: unknown directive nonsense",
        "gromox.cfg:2: directive imap_listen_port is not read; write imap_listen=ADDRESS:PORT",
        "gromox.cfg:3: directive imap_thread_init_num has no effect",
        "left.cfg:1: left_size: '10' is below the least value 1K",
        "left.cfg:2: left_wait: 'soon' is not a time span (such as 30s, 5min or 1h30min)",
        "left.cfg:4: line is not of the form key=value",
        "left.cfg:5: line is not of the form key=value",
        "left.cfg:6: line is longer than 1024 characters",
        "left.cfg:7: control character in the line",
        "right.cfg:1: right_mode: 'xml' is none of text, json",
        "right.cfg:2: unknown directive right_mod; is right_mode meant?",
        "right.cfg:3: directive left_size does not belong into this file",
    ]


def test_unknown_directives_are_warnings_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = Config.load(write(tmp_path, left="left_siz=2k\n"))
    assert [p.fatal for p in config.problems] == [False]
    report(config.problems, logging.getLogger("test"))
    assert caplog.record_tuples == [
        (
            "test",
            logging.WARNING,
            f"configuration: {tmp_path}/left.cfg:1: unknown directive left_siz; is left_size meant?",
        )
    ]


def test_secrets_are_not_quoted(tmp_path: Path) -> None:
    assert complaints(write(tmp_path, left="left_password=hunter2")) == [
        "left.cfg:1: left_password: the value is none of , right"
    ]


def test_a_wrong_override_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="command line: context_num: 'x' is not a whole number"):
        Config.load(tmp_path, {"context_num": "x"})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "left.cfg").write_bytes(b"left_size=\xff\n")
    (tmp_path / "right.cfg").write_bytes(b"#" * (1 << 20) + b"\n")
    (tmp_path / "gromox.cfg").mkdir()
    assert sorted(complaints(tmp_path)) == [
        "gromox.cfg:0: cannot be read: Is a directory",
        "left.cfg:0: cannot be read: is not UTF-8 text",
        "right.cfg:0: is larger than 1024 KiB",
    ]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        Config.load(tmp_path / "nowhere")


def test_reload_takes_over_good_files_and_keeps_the_old_over_bad_ones(tmp_path: Path) -> None:
    config = Config.load(write(tmp_path, left="left_wait=5\nleft_hosts=a\n"))
    write(tmp_path, left="left_wait=6\nleft_hosts=b\n")
    assert config.reload() == []
    assert config.get(Left).left_wait == 6.0
    assert config.get(Left).left_hosts == ["a"], "takes a restart"
    assert config.needs_restart() == ["left_hosts"]
    write(tmp_path, left="left_wait=soon\n", right="right_mode=json\n")
    assert [p.line for p in config.reload()] == [1]
    assert config.get(Left).left_wait == 6.0 and config.get(Right).right_mode == "text"


def test_a_component_declared_later_is_read_all_the_same(tmp_path: Path) -> None:
    config = Config.load(write(tmp_path, late="late_number=3\n", gromox="late_number=4\nlate_other=many"))

    @component("late.cfg", "Late.")
    @dataclass(frozen=True)
    class Late:
        late_number: int = setting(1, "Number.", kind="int")
        late_other: int = setting(1, "Number.", kind="int")

    assert [p.text for p in config.complete()] == ["late_other: 'many' is not a whole number"]
    assert config.get(Late) == Late(4, 1), "late.cfg was not known when the files were read"
    config.reload()
    write(tmp_path, gromox="")
    assert config.reload() == [] and config.get(Late).late_number == 3


def test_the_sample_shows_every_directive_and_reads_back_as_the_defaults(tmp_path: Path) -> None:
    sample = sample_file("left.cfg")
    assert sample.startswith("# left.cfg: ")
    assert "# Size of it. (at least 1K; at most 1G)\n#left_size=64M\n" in sample
    assert "# Time of it. (at least 1s; also known as left_timeout)\n#left_wait=3min\n" in sample
    assert "# Hosts. (a change takes a restart)\n#left_hosts=::1\n" in sample
    active = "\n".join(
        line.removeprefix("#") if "=" in line and not line.startswith("# ") else line for line in sample.split("\n")
    )
    config = Config.load(write(tmp_path, left=active))
    assert config.get(Left) == Left() and not config.problems


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gromoxd", *arguments], capture_output=True, text=True, cwd=ROOT, check=False, timeout=60
    )


def test_the_command_checks_a_configuration(tmp_path: Path) -> None:
    write(tmp_path, gromox="log_level=4\n", imap="imap_listen=127.0.0.1:1143\n")
    good = run("--config", str(tmp_path), "--check")
    assert (good.returncode, good.stdout, good.stderr) == (0, "configuration is good\n", "")
    write(tmp_path, gromox="log_level=9\nimap_listn=x\n")
    bad = run("--config", str(tmp_path), "--check")
    assert bad.returncode == 78
    assert f"configuration: {tmp_path}/gromox.cfg:1: log_level: '9' is above the greatest value 6" in bad.stderr
    assert f"configuration: {tmp_path}/gromox.cfg:2: unknown directive imap_listn; is imap_listen meant?" in bad.stderr


def test_the_command_prints_samples_and_version() -> None:
    sample = run("--help-settings", "imap.cfg")
    assert sample.returncode == 0 and "\n#imap_listen=[::]:143\n" in sample.stdout
    assert run("--help-settings", "nix.cfg").returncode == 2
    assert run("--version").stdout == "gromoxd 0.1.0\n"
    assert "is not of the form KEY=VALUE" in run("-o", "nonsense").stderr
