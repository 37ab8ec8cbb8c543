"""The queue shown to people: what strangers wrote does nothing to a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from gromoxd.cli import queue as q
from gromoxd.cli.main import cli

NASTY = "a\x1b]0;x\x07\u009b31mb"


def asked(site: Any, request: dict[str, Any]) -> dict[str, Any]:
    recipient = {"address": NASTY, "state": "queued", "tries": 1, "text": NASTY}
    row = {"id": 1, "sender": NASTY, "created": 0.0, "size": 1, "due": None, "tries": 1, "text": NASTY}
    if request["command"] == "list":
        return {"mails": [row | {"recipients": 1, "queued": 1, "held": 0}]}
    header = f"Subject: {NASTY}\r\n\tfolded\r\nX: y\r\n"
    return {"mail": row | {"mailbox": "", "header": header, "recipients": [recipient]}}


@pytest.mark.parametrize("command", [["list"], ["show", "1"]])
def test_nothing_reaches_the_terminal(command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(q, "_ask", asked)
    result = CliRunner().invoke(cli, ["--site", str(tmp_path), "queue", *command])
    assert result.exit_code == 0, result.output
    assert result.output.replace("\n", "").replace("\t", "").isprintable()
    assert r"\x1b]0;x\x07\x9b31mb" in result.output
    if command[0] == "show":
        assert "\n folded\nX: y\n" in result.output
