"""systemd's own tools: sockets handed over at the first connection, and how exposed the unit is."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import require_binary
from tests.project.tree import ROOT
from tests.services.daemons import reachable
from tests.services.plain import Service
from tests.support import messages
from tests.support.server import own_host, until
from tests.support.wire import Wire

pytestmark = pytest.mark.slow
ALICE = "alice@example.org"
HANDED = {"imap": 5143, "pop3": 5110, "lmtp": 5024, "http": 5080}
MOST_EXPOSED = 4.0


@pytest.fixture
def service(site: Path) -> Iterator[Service]:
    """Not started yet; all its sockets but POP3 over TLS would come from systemd-socket-activate."""
    tool = require_binary("systemd-socket-activate")
    host = own_host()
    made = Service(site / "s", options={"running_identity": "", "host_id": host})
    made._choose_addresses()
    before = [tool, "-E", f"PYTHONPATH={ROOT}", f"--fdname={':'.join(HANDED)}"]
    for port in HANDED.values():
        before += ["-l", f"{host}:{port}"]
    made.before = before
    made.set_conf("gromox.cfg", running_identity="")
    made.create_directory(ALICE)
    for name, port in HANDED.items():
        made.info[name] = {"host": host, "port": port}
    try:
        yield made
    finally:
        made.stop(check=False)


def test_socket_activation(service: Service) -> None:
    """The first connection starts the server and is served; systemd's sockets replace the configured addresses."""
    host, port = service.address("imap")
    service.start()
    with Wire((host, port)) as wire:
        assert wire.greeting.startswith(b"* OK")
    service.deliver(messages.make("activated", to=ALICE), ALICE)
    with service.imap(ALICE) as client:
        assert client.select("INBOX")[1] == [b"1"]
    master = psutil.Process(service.pid)
    assert "gromoxd" in " ".join(master.cmdline()), "systemd-socket-activate became the server"
    listening = {(c.laddr.ip, c.laddr.port) for c in master.net_connections("tcp") if c.status == "LISTEN"}
    assert listening == {(host, number) for number in HANDED.values()}
    epoch = service.metric("directory_epoch")
    service.reload()
    until(lambda: service.metric("directory_epoch") > epoch, describe="a reload")
    with service.imap(ALICE) as client:
        assert client.noop()[0] == "OK"
    service.stop()


def test_connections_wait_for_the_start(service: Service) -> None:
    """A client that comes while the server is being started is not refused."""
    service.launch()
    address = service.address("pop3")
    until(lambda: reachable(*address), describe="systemd listens")
    assert "ready" not in service.log()
    with Wire(address, timeout=30) as wire:
        assert wire.greeting.startswith(b"+OK")
    service.stop()


def test_a_socket_of_nobody(service: Service, tmp_path: Path) -> None:
    """A socket whose name is no service's is an error, and not left open without anybody who accepts."""
    service.before = [word.replace("imap:", "imaap:") for word in service.before]
    with pytest.raises(AssertionError, match=r"FileDescriptorName must be one of"):
        service.start()
    service.process = None


def test_exposure() -> None:
    """systemd's rating of the unit: 10 is a service without any protection."""
    tool = require_binary("systemd-analyze")
    unit = ROOT / "systemd" / "gromoxd.service"
    done = subprocess.run(
        [tool, "security", "--offline=yes", "--no-pager", unit], capture_output=True, text=True, timeout=60, check=False
    )
    found = re.search(r"Overall exposure level for gromoxd\.service: ([\d.]+)", done.stdout)
    if found is None:
        pytest.skip(f"NOT TESTED: systemd-analyze security does not run here: {done.stderr[:200]}")
    assert float(found[1]) <= MOST_EXPOSED
