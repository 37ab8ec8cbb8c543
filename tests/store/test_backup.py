"""The back-up that README.md describes (content files, database, content files) of a mailbox in use; its restore."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import MailboxRef
from store.direct import DirectStore
from store.settings import StoreSettings
from tests.contract.mail import digest_of, mail

OWNER = "alice@example.test"
INBOX = 0x0D
IN_FILES = StoreSettings(content_inline_limit=1 << 10)


def body(number: int) -> bytes:
    """Every second message goes to a file."""
    return mail(number, body=f"body {number} " * (500 if number % 2 else 5))


def append(store: DirectStore, box: MailboxRef, number: int) -> None:
    message = c.NewMessage(digest_of(body(number)), body(number), 1_000_000)
    store.call(box, c.Append(INBOX, message, b"append-%08d" % number), actor=OWNER)


def copy_files(mailbox: Path, backup: Path) -> None:
    if (mailbox / "cid").exists():
        shutil.copytree(mailbox / "cid", backup / "cid", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.tmp*"))


def test_back_up_in_use_and_restore(tmp_path: Path) -> None:
    mailbox, backup, restored = tmp_path / "alice", tmp_path / "backup", tmp_path / "restored"
    backup.mkdir()
    done, enough = threading.Event(), threading.Event()
    with DirectStore(str(tmp_path), {str(mailbox): OWNER}, IN_FILES) as store:
        box = MailboxRef(str(mailbox))
        for number in range(1, 21):
            append(store, box, number)

        def go_on() -> None:
            number = 20
            while not done.is_set() or number < 40:
                number += 1
                append(store, box, number)
                if number == 30:
                    enough.set()

        writer = threading.Thread(target=go_on)
        writer.start()
        copy_files(mailbox, backup)
        assert enough.wait(30)
        shell = subprocess.run(
            [sys.executable, "-m", "apsw", mailbox / "mailbox.sqlite3", f".backup {backup / 'mailbox.sqlite3'}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert shell.returncode == 0, shell.stderr
        copy_files(mailbox, backup)
        done.set()
        writer.join()

    shutil.copytree(backup, restored)
    with DirectStore(str(tmp_path), {str(restored): OWNER}, IN_FILES) as store:
        box = MailboxRef(str(restored))
        contents = store.call(box, c.GetContents(INBOX, [(1, 0xFFFFFFFF)]), actor=OWNER)
        assert len(contents) >= 30
        assert [x.uid for x in contents] == list(range(1, len(contents) + 1))
        assert all(x.raw == body(x.uid) for x in contents)
