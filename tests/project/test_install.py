"""`make install` puts a service in place, leaves configuration alone, and works from there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import require_binary
from tests.project.tree import ROOT
from tests.services import installed as works
from tests.services.daemons import open_folder

pytestmark = pytest.mark.slow


def install(destination: str, prefix: str, sysconfdir: str = "/etc") -> None:
    command = ["make", "-C", str(ROOT), "install", f"DESTDIR={destination}", f"PREFIX={prefix}"]
    command.append(f"SYSCONFDIR={sysconfdir}")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr


def test_install() -> None:
    require_binary("make")
    with open_folder() as folder:
        installed(folder)


def installed(tmp_path: Path) -> None:
    install(str(tmp_path), "/opt/gx")
    prefix = tmp_path / "opt" / "gx"
    home = prefix / "lib" / "gromoxd"
    for command in ("gromoxd", "gromoxctl"):
        assert os.readlink(prefix / "bin" / command) == f"../lib/gromoxd/bin/{command}"
        first = (home / "bin" / command).read_text().splitlines()[0]
        assert first == "#!/opt/gx/lib/gromoxd/bin/python"
    version = subprocess.run(
        [home / "bin" / "python", "-I", "-m", "gromoxd", "--version"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert version.stdout.startswith("gromoxd ")
    unit = (prefix / "lib" / "systemd" / "system" / "gromoxd.service").read_text()
    assert "ExecStart=/opt/gx/bin/gromoxd --config /etc/gromox " in unit
    assert (prefix / "lib" / "sysusers.d" / "gromoxd.conf").exists()
    assert (prefix / "lib" / "tmpfiles.d" / "gromoxd.conf").exists()
    staged = subprocess.run(
        ["grep", "-rIlF", str(tmp_path), prefix, tmp_path / "etc"], capture_output=True, check=False
    )
    assert staged.stdout == b"", "nothing names the staging folder"

    configured = tmp_path / "etc" / "gromox" / "imap.cfg"
    assert configured.read_bytes() == (ROOT / "conf" / "imap.cfg").read_bytes()
    examples = prefix / "share" / "gromoxd" / "examples"
    assert (examples / "haproxy.cfg").read_bytes() == (ROOT / "conf" / "examples" / "haproxy.cfg").read_bytes()
    configured.write_text("imap_conn_timeout=1h\n")
    install("", str(prefix), str(tmp_path / "etc"))  # over the first, and as it stands: it can be started from here
    assert configured.read_text() == "imap_conn_timeout=1h\n"
    assert not (prefix / "lib" / "gromoxd.old").exists() and not (prefix / "lib" / "gromoxd.new").exists()
    works.check(prefix, tmp_path / "etc" / "gromox", tmp_path / "site")
