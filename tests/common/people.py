"""A directory of a few people, and configuration by hand, for tests of the workers."""

from __future__ import annotations

from typing import Any

from gromoxd.directory.errors import AuthFailed, DirectoryDown, Throttled
from gromoxd.directory.model import Booking, Domain, Recipient, User, Verdict
from gromoxd.exmdb.api import MailboxRef


class Settings:
    """A ConfigView: given settings objects, defaults for the rest."""

    def __init__(self, *given: Any) -> None:
        self.given = {type(one): one for one in given}

    def get(self, cls: Any) -> Any:
        return self.given.get(cls) or cls()


class People:
    """Users alice, bob, carol of example.test; 'team@' is a list of all three; 'gone@' is suspended."""

    def __init__(self) -> None:
        self.all = {
            f"{name}@example.test": User(i, f"{name}@example.test", 1, f"/m/{name}")
            for i, name in enumerate(("alice", "bob", "carol"), 1)
        }
        self.down = False
        self.failures = 0
        self.delay = 0.0

    def recipient(self, address: str, sender: str = "") -> Recipient:
        if self.down:
            raise DirectoryDown("down")
        if address == "team@example.test":
            return Recipient(address, Verdict.OK, list(self.all.values()), list_name=address)
        if address == "outside@example.test":
            return Recipient(address, Verdict.OK, [], ["x@elsewhere.test"], list_name=address)
        if address == "gone@example.test":
            return Recipient(address, Verdict.DISABLED)
        user = self.all.get(address.replace("+work", "").lower())
        return Recipient(address, Verdict.OK, [user]) if user else Recipient(address, Verdict.UNKNOWN)

    def booking(self, user: User) -> Booking:
        return Booking(user.username)

    def aliases(self, user: User) -> list[str]:
        return []

    def domain(self, name: str) -> Domain | None:
        """Only this one is here."""
        return Domain(1, 0, name, "", 0, "", "", 0) if name == "example.test" else None

    def mailbox(self, user: User) -> MailboxRef:
        return MailboxRef(user.maildir)

    def authenticate(self, name: str, password: str, privilege: int, peer: str) -> User:
        assert privilege == 1
        if self.down:
            raise DirectoryDown("down")
        user = self.all.get(name)
        if user is None or password != "secret":
            self.failures += 1
            raise (Throttled if self.failures > 5 else AuthFailed)(self.delay)
        return user
