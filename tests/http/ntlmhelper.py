"""A stand-in for Samba's ntlm_auth with --helper-protocol=squid-2.5-ntlmssp: it knows alice."""

from __future__ import annotations

import sys
from base64 import b64decode, b64encode
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gromoxd.ntlm.md4 import nt_hash
from gromoxd.ntlm.server import NtlmServer
from gromoxd.ntlm.session import NtlmError


def main() -> None:
    """Answer lines: YR with TT, KK with AF or NA."""
    server = NtlmServer(b"helper!!", lambda user, domain: nt_hash("Grüße 7") if user == "alice" else None)
    for line in sys.stdin:
        word, _, token = line.strip().partition(" ")
        if word == "YR":
            print("TT", b64encode(server.challenge(b64decode(token))).decode(), flush=True)
        else:
            try:
                server.authenticate(b64decode(token))
                print("AF example.test\\alice", flush=True)
            except NtlmError:
                print("NA NT_STATUS_WRONG_PASSWORD", flush=True)


if __name__ == "__main__":
    main()
