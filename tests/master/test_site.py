"""The embedded site: first and second start, ports, passwords, the certificate, two starts at once."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gromoxd.config import Config
from gromoxd.directory import passwords as hashes
from gromoxd.master import site as sites
from gromoxd.master.settings import ImapPool, LmtpPool, MasterSettings, TlsSettings


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "site"
    sites._unlock_ports()


@pytest.fixture
def made(folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    sites.prepare(str(folder))
    sites.started(str(folder), 4711)
    return folder


def about(folder: Path) -> dict[str, object]:
    read: dict[str, object] = json.loads((folder / "site.json").read_text())
    return read


def test_first_start_makes_everything(made: Path) -> None:
    assert (made / "site.json").stat().st_mode & 0o777 == 0o600
    assert made.stat().st_mode & 0o777 == 0o700
    told = about(made)
    assert told["pid"] == 4711 and told["site"] == str(made)
    users = told["users"]
    assert isinstance(users, dict) and set(users) == {"alice@example.test", "bob@example.test"}
    assert len(set(users.values())) == 2 and min(map(len, users.values())) >= 16
    with sqlite3.connect(made / "data" / "directory.sqlite3") as database:
        rows = database.execute("SELECT username, password, maildir FROM users WHERE maildir <> ''").fetchall()
    database.close()
    assert {name: hashes.verify(users[name], stored) for name, stored, _ in rows} == dict.fromkeys(users, True)
    assert all(maildir.startswith(f"{made}/data/") for _, _, maildir in rows)


def test_the_configuration_is_read_by_the_server(made: Path) -> None:
    config = Config.load(str(made / "conf"))
    assert config.problems == []
    told = about(made)
    imap = told["imap"]
    assert isinstance(imap, dict)
    assert config.get(ImapPool).imap_listen == [f"127.0.0.1:{imap['port']}"]
    assert config.get(LmtpPool).lda_listen_tls == []
    assert config.get(MasterSettings).running_identity == ""
    tls = config.get(TlsSettings)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.tls_certificate_path, tls.tls_private_key_path)
    assert Path(tls.tls_private_key_path).stat().st_mode & 0o777 == 0o600


def test_the_certificate_is_good_for_localhost(made: Path) -> None:
    server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    server_side.load_cert_chain(made / "tls" / "certificate.pem", made / "tls" / "key.pem")
    client_side.load_verify_locations(made / "tls" / "certificate.pem")
    for name in ("localhost", "127.0.0.1", "mail.example.test"):
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = client_side.wrap_bio(to_client, to_server, server_hostname=name)
        server = server_side.wrap_bio(to_server, to_client, server_side=True)
        for side in (client, server, client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        assert client.version() == "TLSv1.3"


def test_all_services_have_their_own_port(made: Path) -> None:
    ports = [port for _, port in sites.addresses(made).values()]
    assert len(ports) == len(set(ports)) == len(sites.SERVICES)
    assert set(sites.addresses(made)) == {"imap", "imaps", "pop3", "pop3s", "lmtp", "http", "https"}


def test_a_second_start_keeps_passwords_ports_and_changes(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = about(made)
    with (made / "conf" / "imap.cfg").open("a") as file:
        file.write("imap_conn_timeout=1h\n")
    sites.prepare(str(made))
    sites.started(str(made), 4712)
    assert about(made) == {**before, "pid": 4712}
    assert "imap_conn_timeout=1h\n" in (made / "conf" / "imap.cfg").read_text()


def test_a_port_taken_meanwhile_is_replaced_and_nothing_else(made: Path) -> None:
    before = sites.addresses(made)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(before["imap"])
        other.listen()
        sites.prepare(str(made))
    after = sites.addresses(made)
    assert after["imap"][1] > before["imap"][1]
    assert {k: v for k, v in after.items() if k != "imap"} == {k: v for k, v in before.items() if k != "imap"}


def test_what_is_printed(made: Path) -> None:
    told = json.loads((made / "site.json").read_text())
    text = sites.greeting(told)
    for name in ("imap", "imaps", "pop3", "pop3s", "lmtp", "http", "https"):
        assert f"127.0.0.1:{told[name]['port']}" in text
    for user, password in told["users"].items():
        assert f"{user}  password {password}" in text
    commands = text.split("Try:\n")[1].strip().splitlines()
    assert len(commands) == 3
    assert str(told["lmtp"]["port"]) in commands[0]


def test_without_curl_the_commands_are_python(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites.shutil, "which", lambda _: None)
    commands = sites.greeting(json.loads((made / "site.json").read_text())).split("Try:\n")[1].strip().splitlines()
    for command in commands:
        code = command.strip().removeprefix("python3 -c '").removesuffix("'")
        compile(code, "printed", "exec")


def test_a_running_site_is_refused(made: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable, "-c",
            "import fcntl, sys\nf = open(sys.argv[1], 'w')\nfcntl.flock(f, fcntl.LOCK_EX)\nprint('held', flush=True)\n"
            "sys.stdin.read()",
            str(made / "run" / "gromoxd.lock"),
        ],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdin and holder.stdout
    try:
        assert holder.stdout.readline() == b"held\n"
        (made / "run" / "gromoxd.pid").write_text(f"{holder.pid}\n")
        before = sites.addresses(made)
        with pytest.raises(sites.SiteError, match=f"running already \\(pid {holder.pid}\\)"):
            sites.prepare(str(made))
        assert sites.addresses(made) == before
    finally:
        holder.communicate()


def test_a_broken_off_first_start_is_finished(folder: Path) -> None:
    sites.prepare(str(folder))
    first = sites.passwords(folder)
    (folder / "conf" / "made-by").unlink()
    (folder / "tls" / "certificate.pem").unlink()
    with sqlite3.connect(folder / "data" / "directory.sqlite3") as database:
        database.execute("DELETE FROM users WHERE username = 'bob@example.test'")
    database.close()
    sites._unlock_ports()
    sites.prepare(str(folder))
    assert sites.passwords(folder) == first
    with sqlite3.connect(folder / "data" / "directory.sqlite3") as database:
        rows = dict(database.execute("SELECT username, password FROM users WHERE maildir <> ''"))
    database.close()
    assert all(hashes.verify(first[name], stored) for name, stored in rows.items()) and len(rows) == 2
    assert (folder / "tls" / "certificate.pem").exists()


START = (
    "import json, socket, sys\nfrom gromoxd.master import site\nfrom pathlib import Path\nfolder = sys.argv[1]\n"
    "site.prepare(folder)\nheld = []\n"
    "for address in site.addresses(Path(folder)).values():\n"
    "    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(address); s.listen()\n"
    "    held.append(s)\n"
    "site.started(folder, 1)\nprint('up', flush=True)\nsys.stdin.read()\n"
)


def test_two_starts_at_once_choose_different_ports(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    started = [
        subprocess.Popen([sys.executable, "-c", START, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for folder in folders
    ]
    outputs = []
    for process in started:
        assert process.stdout
        lines = iter(process.stdout.readline, b"")
        assert b"up\n" in lines
    for process in started:
        outputs.append(process.communicate())
        assert process.returncode == 0
    first, second = ({port for _, port in sites.addresses(folder).values()} for folder in folders)
    assert len(first) == len(second) == len(sites.SERVICES)
    assert first & second == set()


def test_the_master_stays_small(tmp_path: Path) -> None:
    """Preparing a site loads neither the database library nor cryptography nor gevent into the master."""
    code = (
        "import sys\nfrom gromoxd.master import site\nsite.prepare(sys.argv[1])\n"
        "print(sorted({'sqlalchemy', 'cryptography', 'gevent'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "s"], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout == "[]\n"


def test_site_json_is_there_only_while_the_server_answers(made: Path) -> None:
    before = about(made)["users"]
    sites.prepare(str(made))
    assert not (made / "site.json").exists()
    sites.started(str(made), 4712)
    assert about(made)["pid"] == 4712 and about(made)["users"] == before
    assert (made / "conf" / "users.json").stat().st_mode & 0o777 == 0o600
