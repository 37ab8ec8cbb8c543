"""What clients cost who wait for notifications: memory of the HTTP workers for so many NotificationWait sessions.

    python loadtest/bench/mapi_waiting.py [--sessions 2000] [--workers 2] [--users 20]

Each session has a logon and a registered notification on the whole store. Then one message is delivered by LMTP to
every user: `told` is how long it took until the last of his sessions was told. Loopback only.
"""

from __future__ import annotations

import argparse
import resource
import select
import struct
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from mapihttp import NO_HANDLE, Client, logon_rop, own_dn

from tests.support.server import Server

MAIL = b"From: a@example.net\r\nTo: b@example.test\r\nSubject: told\r\n\r\nbody\r\n"


def pss(server: Server, kind: str) -> float:
    """MB of a pool's processes, shared pages counted once."""
    return sum(process.memory_full_info().pss for process in server.children(kind)) / 1e6


def waiting(server: Server, user: str, *, notify: bool) -> Client:
    """A session that waits."""
    user_dn = own_dn(server, user)
    client = Client(server, user)
    client.connect(user_dn)
    logon = client.execute(logon_rop(user_dn), NO_HANDLE)[-4:]
    if notify:  # RopRegisterNotification: new mail and others of the whole store ([MS-OXCROPS] 2.2.14.1)
        client.execute(bytes((0x29, 0, 0, 1, 0xFE, 0, 1)), logon + NO_HANDLE)
    client.send(b"NotificationWait", struct.pack("<II", 0, 0))
    client.head()
    if client.chunk() != b"PROCESSING\r\n":
        raise AssertionError("told at once")
    return client


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--bare", action="store_true", help="without a registered notification")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(
            Path(folder) / "site",
            options={
                "http_workers": str(options.workers), "context_num": "5000", "emsmdb_max_cxh_per_user": "5000",
                "http_max_connections": "5000",
            },
        )  # fmt: skip
        server.start()
        try:
            users = [f"user{number}@example.test" for number in range(options.users)]
            for user in users:
                server.add_user(user)
            for user in users:  # mailboxes and caches are there before anything is measured
                Client(server, user).connect(own_dn(server, user))
            first = [waiting(server, users[0], notify=not options.bare) for _ in range(4)]
            before, store = pss(server, "http"), pss(server, "store")
            clients = first + [
                waiting(server, users[number % options.users], notify=not options.bare)
                for number in range(options.sessions - 4)
            ]
            after = pss(server, "http")
            print(f"sessions {len(clients)}, HTTP workers {before:.1f} MB before, {after:.1f} MB after: "
                  f"{(after - before) * 1000 / (len(clients) - 4):.1f} kB a session; "
                  f"store workers {store:.1f} MB, then {pss(server, 'store'):.1f} MB")  # fmt: skip
            if not options.bare:
                begun = time.monotonic()
                server.deliver(MAIL, *users)
                delivered = time.monotonic()
                waits = {client.sock: client for client in clients}
                poll = select.poll()
                for sock in waits:
                    poll.register(sock, select.POLLIN)
                left = len(waits)
                while left and time.monotonic() < delivered + 20:
                    for fd, _ in poll.poll(1000):
                        poll.unregister(fd)
                        left -= 1
                print(f"delivery {(delivered - begun) * 1000:.0f} ms for {len(users)} users; "
                      f"told {(time.monotonic() - delivered) * 1000:.0f} ms after it; not told {left}")  # fmt: skip
        finally:
            server.stop(check=False)


if __name__ == "__main__":
    main()
