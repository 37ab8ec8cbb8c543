"""What the directory raises: all of them MapiErrors, so that a protocol's error table covers them."""

from __future__ import annotations

from gromoxd.errors import Ec, MapiError


class DirectoryDown(MapiError):
    """The database cannot be asked now: the answer to the client is a temporary one."""

    def __init__(self, text: str) -> None:
        super().__init__(Ec.ecNetwork, text)


class AmbiguousName(MapiError):
    """Several users go by this name."""

    def __init__(self, name: str) -> None:
        super().__init__(Ec.ecUnknownUser, f"{name!r} names several users")


class AuthFailed(MapiError):
    """The log-in is refused; nobody is told why. The worker lets `delay` seconds pass before it answers."""

    def __init__(self, delay: float = 0.0) -> None:
        super().__init__(Ec.ecAccessDenied, "authentication failed")
        self.delay = delay


class Throttled(AuthFailed):
    """Refused without looking at the password, for too many failures. To the client the same as AuthFailed."""


class AdminError(Exception):
    """An administrative operation cannot be done; the text is for the administrator."""
