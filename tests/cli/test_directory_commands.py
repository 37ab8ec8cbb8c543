"""The commands that administer the directory."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from gromoxd.cli.main import COMMANDS, main
from gromoxd.directory import passwords
from tests.cli.conftest import Ctl


def stored_hash(site: Path, name: str) -> str:
    import sqlite3

    connection = sqlite3.connect(site / "data" / "directory.sqlite3")
    try:
        return str(connection.execute("SELECT password FROM users WHERE username=?", (name,)).fetchone()[0])
    finally:
        connection.close()


def test_create_and_upgrade(ctl: Ctl, site: Path) -> None:
    assert ctl("db", "upgrade").err == f"gromoxctl: there is no directory {site}/data/directory.sqlite3\n"
    assert ctl("db", "create").out == f"created {site}/data/directory.sqlite3, schema 133\n"
    assert stat.S_IMODE((site / "data" / "directory.sqlite3").stat().st_mode) == 0o600
    assert ctl("db", "upgrade").out == "schema 133\n"
    again = ctl("db", "create")
    assert (again.status, again.err) == (1, "gromoxctl: the database has a directory already (schema version 133)\n")


def test_reading_makes_no_file(ctl: Ctl, site: Path) -> None:
    assert ctl("user", "list").status == 1
    assert ctl("mailbox", "info", "alice@example.test").status == 1
    assert not (site / "data").exists()


def test_user_add_and_show(filled: Ctl, site: Path) -> None:
    shown = json.loads(filled("user", "show", "alice@example.test", "--json").out)
    assert shown["maildir"] == f"{site}/data/user/01/1"
    assert (shown["display_name"], shown["privilege_bits"], shown["has_password"]) == ("Alice", 0xF07, True)
    assert passwords.verify("correct horse", stored_hash(site, "alice@example.test"))
    lines = filled("user", "show", "alice@example.test").out.splitlines()
    assert "name: alice@example.test" in lines
    assert "properties.0x39050003: 0" in lines
    assert "$6$" not in "".join(lines)


def test_user_list(filled: Ctl, site: Path) -> None:
    filled("user", "add", "room@example.test", "--type", "room")
    assert filled("user", "list").out.splitlines() == [
        "id\tname\tstatus\tdisplay_type\thomeserver\tmaildir",
        f"1\talice@example.test\t0\t0\t\t{site}/data/user/01/1",
        f"2\troom@example.test\t0\t7\t\t{site}/data/user/02/2",
    ]
    assert [row["id"] for row in json.loads(filled("user", "list", "--json").out)] == [1, 2]
    assert filled("user", "list", "--domain", "nowhere.test").status == 1


def test_user_set_passwd_del(filled: Ctl, site: Path) -> None:
    filled("server", "add", "node1.example.test")
    outcome = filled(
        "user", "set", "alice@example.test", "--homeserver", "node1.example.test", "--status", "suspended",
        "--privileges", "imap,smtp", "--lang", "de_DE", "--name", "A", "--property", "0x3a16001f=Example = Co",
    )  # fmt: skip
    assert outcome == (0, "", "")
    shown = json.loads(filled("user", "show", "alice@example.test", "--json").out)
    assert (shown["homeserver"], shown["status"], shown["privilege_bits"], shown["lang"]) == (
        "node1.example.test", 1, 3, "de_DE",
    )  # fmt: skip
    assert shown["properties"]["0x3a16001f"] == "Example = Co"
    assert filled("user", "passwd", "alice@example.test", "--password-stdin", stdin="p w \r\n").status == 0
    assert passwords.verify("p w ", stored_hash(site, "alice@example.test"))
    assert filled("user", "del", "alice@example.test").out.endswith(f"{site}/data/user/01/1\n")
    assert filled("user", "show", "alice@example.test").err == "gromoxctl: there is no user alice@example.test\n"


def test_domains(filled: Ctl) -> None:
    assert filled("domain", "add", "two.test", "--title", "Two").out == "domain two.test has id 2\n"
    filled("domain", "set", "two.test", "--status", "suspended", "--title", "Zwei")
    shown = json.loads(filled("domain", "show", "two.test", "--json").out)
    assert (shown["status"], shown["title"]) == (1, "Zwei")
    assert filled("domain", "list").out.splitlines()[1:] == ["1\texample.test\t0\t1\t\t", "2\ttwo.test\t1\t0\t\tZwei"]
    assert filled("domain", "del", "example.test").err == ("gromoxctl: example.test has 1 users; delete them first\n")
    assert filled("domain", "del", "example.test", "--with-users").status == 0


def test_names(filled: Ctl) -> None:
    assert filled("alias", "add", "office@example.test", "alice@example.test") == (0, "", "")
    assert filled("altname", "add", "al", "alice@example.test").status == 0
    assert filled("alias", "list").out == "alias\tuser\noffice@example.test\talice@example.test\n"
    assert filled("altname", "list", "alice@example.test").out == "altname\tuser\nal\talice@example.test\n"
    assert filled("alias", "del", "office@example.test").status == 0
    assert filled("altname", "del", "al").status == 0
    assert filled("alias", "del", "office@example.test").err == "gromoxctl: there is no alias office@example.test\n"


def test_servers(filled: Ctl) -> None:
    assert filled("server", "add", "n1.test", "--extname", "mail.test").out == "server n1.test has id 1\n"
    filled("server", "set", "n1.test", "--hostname", "n2.test")
    assert filled("server", "list").out.splitlines()[1] == "1\tn2.test\tmail.test\t0"
    assert filled("server", "del", "n2.test").status == 0


def test_lists(filled: Ctl) -> None:
    assert filled("list", "add", "team@example.test", "--from", "senders").out == "list team@example.test has id 1\n"
    filled("list", "member", "add", "team@example.test", "alice@example.test", "x@else.test")
    filled("list", "sender", "add", "team@example.test", "partner.test")
    filled("list", "member", "del", "team@example.test", "x@else.test")
    shown = json.loads(filled("list", "show", "team@example.test", "--json").out)
    assert (shown["members"], shown["senders"], shown["privilege"]) == (["alice@example.test"], ["partner.test"], 3)
    filled("list", "sender", "del", "team@example.test", "partner.test")
    filled("list", "set", "team@example.test", "--from", "all")
    assert filled("list", "list").out.splitlines()[1] == "1\tteam@example.test\t0\t0\t1"
    assert filled("list", "del", "team@example.test").status == 0


@pytest.mark.parametrize(
    ("words", "stdin", "text"),
    [
        (("nonsense",), "", "No such command 'nonsense' (see gromoxctl --help)"),
        (("user", "add"), "", "Missing argument 'NAME' (see gromoxctl user add --help)"),
        (("user", "add", "carol@example.test"), "", "no terminal to ask for the password at; use --password-stdin"),
        (("user", "add", "c@example.test", "--password-stdin"), "", "standard input has no password in its first line"),
        (("user", "add", "c@example.test", "--password-stdin"), "x" * 9000, "standard input has no password in its fi"),
        (("user", "add", "alice@example.test", "--no-password"), "", "alice@example.test is taken by alice@example.t"),
        (("user", "add", "c@other.test", "--no-password"), "", "there is no domain other.test"),
        (("user", "passwd", "nobody@example.test", "--password-stdin"), "x\n", "there is no user nobody@example.test"),
        (("user", "set", "alice@example.test", "--privileges", "x"), "", "no such privilege: x (there are imap"),
        (("user", "set", "alice@example.test", "--property", "x=y"), "", "'x=y' is not of the form PROPTAG=TEXT"),
        (("domain", "add", "ex ample"), "", "'ex ample' is not a domain name"),
        (("quota", "set", "alice@example.test", "much"), "", "'much' is not a size"),
        (("mailbox", "info", "nobody@example.test"), "", "there is no mailbox of nobody@example.test"),
        (("-o", "nonsense", "user", "list"), "", "-o wants KEY=VALUE"),
        (("-o", "connection_num=many", "user", "list"), "", "command line: connection_num: 'many'"),
    ],
)
def test_errors_are_one_line(filled: Ctl, words: tuple[str, ...], stdin: str, text: str) -> None:
    outcome = filled(*words, stdin=stdin)
    assert outcome.status == 1
    assert outcome.out == ""
    assert outcome.err.startswith(f"gromoxctl: {text}"), outcome.err
    assert outcome.err.count("\n") == 1


def test_missing_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["-s", str(tmp_path / "none"), "user", "list"]) == 1
    assert capsys.readouterr().err == f"gromoxctl: there is no folder {tmp_path}/none/conf (use -s SITE or -c DIR)\n"


def test_database_out_of_reach(ctl: Ctl) -> None:
    outcome = ctl("-o", "directory_backend=mysql", "-o", "mysql_host=/nonexistent/sock", "user", "list")
    assert outcome.status == 1
    assert outcome.err.startswith("gromoxctl: directory database: ")
    assert outcome.err.count("\n") == 1


def test_every_command_has_help(ctl: Ctl) -> None:
    overview = ctl("--help").out
    for name in COMMANDS:
        outcome = ctl(name, "--help")
        assert outcome.status == 0, outcome.err
        assert outcome.out.startswith(f"Usage: gromoxctl {name} ")
        assert f"\n  {name} " in overview


def test_commands_are_imported_when_called() -> None:
    """--help must not pay for SQLAlchemy, rich or gevent."""
    import subprocess
    import sys

    code = (
        "import sys; from gromoxd.cli.main import main; main(['--help']);"
        "print([m for m in ('sqlalchemy', 'rich', 'gevent', 'gromoxd.directory.admin') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"
