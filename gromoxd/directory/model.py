"""Directory records as the other parts see them, and the meaning of their flags. No SQL here.

Flags and enumerations have the values that the user database of Gromox gives them (schema version 133).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

import msgspec

LONGEST_NAME = 320


def normal(name: str) -> str:
    """A name as it is looked up, '' for one that cannot exist (names are ASCII, at most 320 characters)."""
    if not 0 < len(name) <= LONGEST_NAME or not name.isascii() or not name.isprintable():
        return ""
    return name.strip().lower()


class Privilege(IntFlag):
    """users.privilege_bits. MAPI and EWS need none."""

    NONE = 0
    IMAP_POP3 = 0x1
    SMTP = 0x2
    CHANGE_PASSWORD = 0x4
    CHAT = 0x10
    VIDEO = 0x20
    FILES = 0x40
    ARCHIVE = 0x80
    DETAIL1 = 0x100
    WEB = 0x200
    EAS = 0x400
    DAV = 0x800


WITHOUT_DETAIL1 = Privilege.WEB | Privilege.EAS | Privilege.DAV
"""Taken as set in a user without DETAIL1."""
DEFAULT_PRIVILEGES = (
    Privilege.IMAP_POP3 | Privilege.SMTP | Privilege.CHANGE_PASSWORD | Privilege.DETAIL1 | WITHOUT_DETAIL1
)


class Status(IntEnum):
    """users.address_status & 0x0F."""

    NORMAL = 0
    SUSPENDED = 1
    DELETED = 3
    SHARED = 4
    CONTACT = 5


class DomainStatus(IntEnum):
    """domains.domain_status, mirrored in users.address_status & 0x30 (shifted left by four)."""

    NORMAL = 0
    SUSPENDED = 1
    DELETED = 3


class DisplayType(IntEnum):
    """PR_DISPLAY_TYPE_EX in user_properties."""

    UNDEFINED = -1
    USER = 0
    LIST = 1
    CONTACT = 6
    ROOM = 7
    EQUIPMENT = 8


class ListType(IntEnum):
    """mlists.list_type."""

    NORMAL = 0
    GROUP = 1
    DOMAIN = 2
    CLASS = 3


class ListPrivilege(IntEnum):
    """mlists.list_privilege: who may write to the list."""

    ALL = 0
    INTERNAL = 1
    DOMAIN = 2
    SPECIFIED = 3
    OUTGOING = 4


class User(msgspec.Struct, array_like=True, frozen=True):
    """A users row. `host` is servers.hostname of its homeserver, '' for any server.

    The public store of a domain has this form too (`Directory.owner_of`): id 0, `username` is the domain.
    `domain_status` is the domain's own, should the mirror in address_status be behind.
    """

    id: int
    username: str
    domain_id: int
    maildir: str
    lang: str = ""
    timezone: str = ""
    homeserver: int = 0
    host: str = ""
    privilege_bits: int = 0
    address_status: int = 0
    display_type: int = 0
    external: bool = False
    domain_status: int = 0

    @property
    def may_log_in(self) -> bool:
        """Only a mail user whose whole status is 0 (neither it nor its domain is suspended)."""
        return self.address_status == 0 and self.domain_status == 0 and self.display_type == DisplayType.USER

    @property
    def has_store(self) -> bool:
        status = self.address_status & 0x0F
        return bool(self.maildir) and (status <= Status.SUSPENDED or status == Status.SHARED)

    @property
    def may_receive(self) -> bool:
        return (
            bool(self.maildir)
            and self.address_status in (Status.NORMAL, Status.SHARED)
            and self.domain_status == 0
            and self.display_type in (DisplayType.USER, DisplayType.ROOM, DisplayType.EQUIPMENT)
        )

    def has_privilege(self, wanted: int) -> bool:
        bits = self.privilege_bits
        if not bits & Privilege.DETAIL1:
            bits |= WITHOUT_DETAIL1
        return bits & wanted == wanted


class Domain(msgspec.Struct, array_like=True, frozen=True):
    """A domains row; `host` as in User, for the public store at `homedir`."""

    id: int
    org_id: int
    name: str
    title: str
    homeserver: int
    host: str
    homedir: str
    status: int

    @property
    def active(self) -> bool:
        return self.status == DomainStatus.NORMAL

    def same_organisation(self, other: Domain) -> bool:
        """Do the people of both see each other? A domain without `org_id` is an organisation of its own."""
        return self.id == other.id or bool(self.org_id and self.org_id == other.org_id)


class Server(msgspec.Struct, array_like=True, frozen=True):
    """A servers row: the name that nodes use among themselves, and the one told to clients."""

    id: int
    hostname: str
    extname: str


class MailingList(msgspec.Struct, array_like=True, frozen=True):
    """An mlists row with its members and allowed senders (addresses or bare domains), in lower case."""

    id: int
    name: str
    type: int
    privilege: int
    members: list[str]
    specifieds: list[str]


class Memberships(msgspec.Struct, array_like=True, frozen=True):
    """The mailing lists that a user is in, directly and through other lists; names in lower case."""

    name: str
    lists: list[str]


class Aliases(msgspec.Struct, array_like=True, frozen=True):
    """The addresses in lower case, beside his user name, under which a user gets mail."""

    name: str
    aliases: list[str]


class Profile(msgspec.Struct, array_like=True, frozen=True):
    """How a user is shown, and the other mailboxes that he is told of (`secondary_store_hints`, by user names)."""

    name: str
    display_name: str = ""
    secondary: list[str] = []


class Booking(msgspec.Struct, array_like=True, frozen=True):
    """How a user's mailbox answers meeting requests: the PR_SCHDINFO_… properties and the room's capacity (0: any)."""

    name: str
    accepts: bool = False
    no_series: bool = False
    no_overlap: bool = True
    capacity: int = 0


class Verdict(IntEnum):
    """What a recipient address comes to."""

    OK = 0
    UNKNOWN = 1
    LIST_DOMAIN = 2
    LIST_INTERNAL = 3
    LIST_SPECIFIED = 4
    DISABLED = 5
    LOOP = 6


class Recipient(msgspec.Struct, frozen=True):
    """A delivery address resolved. With verdict OK there is at least one of `users` and `external`.

    `users` have a mailbox each, without repetitions; `external` are members of lists that are not in this directory.
    `detail` is the sub-address ('work' of alice+work@…), `list_name` the list's address if it is one.
    """

    address: str
    verdict: Verdict
    users: list[User] = []
    external: list[str] = []
    detail: str = ""
    list_name: str = ""
