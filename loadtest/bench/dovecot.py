"""Start Debian's Dovecot in a temporary folder as the peer of a benchmark: default settings, sdbox, users user1..userN.

with Dovecot(users=50) as peer: peer.imap, peer.pop3, peer.lmtp (ports on 127.0.0.1), peer.pid
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PASSWORD = "secret"

CONF = """
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = imap pop3 lmtp
ssl = no
disable_plaintext_auth = no
mail_location = sdbox:{base}/mail/%u
mail_uid = {mail_user}
mail_gid = {mail_user}
first_valid_uid = 1
default_login_user = dovenull
default_internal_user = dovecot
listen = 127.0.0.1
mail_max_userip_connections = 1000
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {base}/users
}}
userdb {{
  driver = static
  args = uid={mail_user} gid={mail_user} home={base}/home/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Dovecot:
    """A running Dovecot. Needs root (login processes change user) and dovecot-imapd, dovecot-pop3d, dovecot-lmtpd."""

    def __init__(self, users: int, pattern: str = "user%d@example.test") -> None:
        if not shutil.which("dovecot"):
            raise SystemExit("dovecot is not installed: apt-get install dovecot-imapd dovecot-pop3d dovecot-lmtpd")
        self.base = Path(tempfile.mkdtemp(prefix="dovecot-peer-", dir=os.environ.get("BENCH_TMP")))
        self.imap, self.pop3, self.lmtp = free_port(), free_port(), free_port()
        self._names = [pattern % (i + 1) for i in range(users)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The root process of its tree."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Dovecot:
        self.base.chmod(0o755)
        mail_user = "mail"
        owner = pwd.getpwnam(mail_user)
        for name in ("mail", "home"):
            folder = self.base / name
            folder.mkdir()
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        (self.base / "users").write_text("".join(f"{n}:{{PLAIN}}{PASSWORD}::::::\n" for n in self._names))
        conf = self.base / "dovecot.conf"
        conf.write_text(
            CONF.format(base=self.base, mail_user=mail_user, imap=self.imap, pop3=self.pop3, lmtp=self.lmtp)
        )
        self._process = subprocess.Popen(["dovecot", "-F", "-c", str(conf)])
        end = time.monotonic() + 20
        for port in (self.imap, self.pop3, self.lmtp):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > end or self._process.poll() is not None:
                        raise SystemExit(f"dovecot did not start, see {self.base}/log") from None
                    time.sleep(0.05)
        return self

    def __exit__(self, *about: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)
        shutil.rmtree(self.base, ignore_errors=True)
