"""systemd's own tools accept the unit, the sockets, the user and the folders."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import require_binary
from tests.project.tree import ROOT, name

UNITS = sorted((ROOT / "systemd").glob("*.service")) + sorted((ROOT / "systemd").glob("*.socket"))


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """The units with a command that exists on this machine."""
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/gromoxd", "/bin/true"))
    return tmp_path


def test_systemd_analyze_verify(staged: Path) -> None:
    tool = require_binary("systemd-analyze")
    assert UNITS
    done = run(tool, "verify", "--man=no", "--recursive-errors=no", *sorted(staged.iterdir()))
    if "Failed to initialize manager" in done.stderr:
        pytest.skip("NOT TESTED: systemd-analyze verify does not run in this container")
    about_ours = [line for line in done.stderr.splitlines() if "gromoxd" in line]
    assert about_ours == []
    assert done.returncode == 0, done.stderr


def test_verify_would_notice(staged: Path) -> None:
    tool = require_binary("systemd-analyze")
    unit = staged / "gromoxd.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=60", "WatchdogSecond=60\nType=nonsense"))
    done = run(tool, "verify", "--man=no", "--recursive-errors=no", unit)
    if "Failed to initialize manager" in done.stderr:
        pytest.skip("NOT TESTED: systemd-analyze verify does not run in this container")
    assert "WatchdogSecond" in done.stderr


def directives(unit: str) -> dict[str, str]:
    lines = (ROOT / "systemd" / unit).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_the_service() -> None:
    unit = directives("gromoxd.service")
    assert (unit["Type"], unit["NotifyAccess"]) == ("notify", "main")
    assert unit["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert int(unit["WatchdogSec"]) > 0
    assert "User" not in unit, "the master binds low ports as root; its workers drop"
    needed = {"CAP_NET_BIND_SERVICE", "CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_CHOWN"}
    assert needed <= set(unit["CapabilityBoundingSet"].split())
    assert "/var/lib/gromoxd" in unit["ReadWritePaths"]


@pytest.mark.parametrize("path", [u for u in UNITS if u.suffix == ".socket"], ids=name)
def test_sockets_name_a_service_of_the_server(path: Path) -> None:
    from gromoxd.master.pools import POOLS

    unit = directives(path.name)
    assert unit["FileDescriptorName"] in {spec.service for pool in POOLS for spec in pool.listeners}
    assert unit["Service"] == "gromoxd.service"
    assert path.name == f"gromoxd-{unit['FileDescriptorName']}.socket"


def test_sysusers(tmp_path: Path) -> None:
    tool = require_binary("systemd-sysusers")
    (tmp_path / "etc").mkdir()
    done = run(tool, f"--root={tmp_path}", ROOT / "systemd" / "sysusers.d" / "gromoxd.conf")
    assert done.returncode == 0, done.stderr
    accounts = (tmp_path / "etc" / "passwd").read_text()
    assert "gromox:x:" in accounts and ":/var/lib/gromoxd:" in accounts


def test_tmpfiles(tmp_path: Path) -> None:
    tool = require_binary("systemd-tmpfiles")
    lines = (ROOT / "systemd" / "tmpfiles.d" / "gromoxd.conf").read_text()
    (tmp_path / "etc").mkdir()
    (tmp_path / "t.conf").write_text(lines.replace("gromox  ", "root    ").replace("  gromox  ", "  root    "))
    done = run(tool, "--create", f"--root={tmp_path}", tmp_path / "t.conf")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "var" / "lib" / "gromoxd" / "data").is_dir()
    assert (tmp_path / "var" / "lib" / "gromoxd").stat().st_mode & 0o777 == 0o750
