"""`ctl(*words, stdin=…)` runs gromoxctl in this process on a site of its own."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gromoxd.cli.main import main
from tests.cli.served import Served


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


Ctl = Callable[..., Outcome]


@pytest.fixture
def ctl(site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ctl:
    (site / "conf").mkdir()
    (site / "conf" / "gromox.cfg").write_text("running_identity=\n")

    def call(*words: str, stdin: str = "") -> Outcome:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        status = main(["-s", str(site), *words])
        out, err = capsys.readouterr()
        return Outcome(status, out, err)

    return call


@pytest.fixture
def filled(ctl: Ctl) -> Ctl:
    """The same with a domain and alice."""
    for words, stdin in [
        (("db", "create"), ""),
        (("domain", "add", "example.test"), ""),
        (("user", "add", "alice@example.test", "--password-stdin", "--name", "Alice"), "correct horse\n"),
    ]:
        assert ctl(*words, stdin=stdin).status == 0
    return ctl


@pytest.fixture
def served(filled: Ctl, site: Path) -> Iterator[Served]:
    """The site's stores, running; `filled` is gromoxctl."""
    stores = Served(site)
    yield stores
    stores.close()
