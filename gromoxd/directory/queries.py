"""The statements of the directory: each takes a connection and gives records. Everything here blocks.

Names are matched against users.username, altnames.altname and aliases.aliasname.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, and_, bindparam, literal, select, union_all

from gromoxd.directory.errors import AmbiguousName
from gromoxd.directory.model import (
    Aliases,
    Booking,
    DisplayType,
    Domain,
    ListType,
    MailingList,
    Memberships,
    Profile,
    Server,
    User,
)
from gromoxd.directory.schema import (
    aliases,
    altnames,
    associations,
    domains,
    mlists,
    secondary_store_hints,
    servers,
    specifieds,
    user_properties,
    users,
)

PR_DISPLAY_TYPE_EX = 0x39050003
PR_DISPLAY_NAME = 0x3001001F
PR_EMS_AB_ROOM_CAPACITY = 0x08070003
PR_SCHDINFO_AUTO_ACCEPT_APPTS, PR_SCHDINFO_DISALLOW_RECURRING_APPTS = 0x686D000B, 0x686E000B
PR_SCHDINFO_DISALLOW_OVERLAPPING_APPTS = 0x686F000B
MAX_MEMBERS = 100_000
BATCH = 500
DEEPEST_MEMBERSHIP = 16
"""How far lists in lists count for permissions."""

_display = user_properties.alias("display")
_columns = (
    users.c.id, users.c.username, users.c.domain_id, users.c.maildir, users.c.lang, users.c.timezone,
    users.c.homeserver, servers.c.hostname, users.c.privilege_bits, users.c.address_status,
    _display.c.propval_str, users.c.externid, domains.c.domain_status, users.c.password,
)  # fmt: skip
_joined = (
    users.outerjoin(servers, servers.c.id == users.c.homeserver)
    .outerjoin(domains, domains.c.id == users.c.domain_id)
    .outerjoin(
        _display,
        and_(_display.c.user_id == users.c.id, _display.c.proptag == PR_DISPLAY_TYPE_EX, _display.c.order_id == 1),
    )
)
_name: BindParameter[Any] = bindparam("name")
_named = union_all(
    select(users.c.id.label("id")).where(users.c.username == _name),
    select(altnames.c.user_id).where(altnames.c.altname == _name),
    select(users.c.id).select_from(users.join(aliases, users.c.username == aliases.c.mainname)).where(
        aliases.c.aliasname == _name
    ),
).subquery("named")  # fmt: skip
ALL_USERS = select(*_columns).select_from(_joined)
_BY_NAME = select(*_columns).select_from(_joined.join(_named, _named.c.id == users.c.id))
_BY_ID = select(*_columns).select_from(_joined).where(users.c.id == bindparam("id"))
_BY_MAILDIR = select(*_columns).select_from(_joined).where(users.c.maildir == bindparam("maildir"))
_DOMAIN_COLUMNS = (
    domains.c.id, domains.c.org_id, domains.c.domainname, domains.c.title, domains.c.homeserver,
    servers.c.hostname, domains.c.homedir, domains.c.domain_status,
)  # fmt: skip
ALL_DOMAINS = select(*_DOMAIN_COLUMNS).select_from(domains.outerjoin(servers, servers.c.id == domains.c.homeserver))
_DOMAIN = ALL_DOMAINS.where(domains.c.domainname == _name)
_BY_HOMEDIR = ALL_DOMAINS.where(domains.c.homedir == bindparam("maildir"))
_SERVER = select(servers.c.id, servers.c.hostname, servers.c.extname).where(servers.c.hostname == _name)
_LIST = select(mlists.c.id, mlists.c.listname, mlists.c.list_type, mlists.c.list_privilege, mlists.c.domain_id).where(
    mlists.c.listname == _name
)


def user_of(row: Sequence[Any]) -> tuple[User, str]:
    """(the user, its password hash) of a row of `_columns`."""
    shown = row[10]
    display = int(shown) if shown is not None and shown.strip().isdigit() else DisplayType.UNDEFINED
    if display == DisplayType.USER and row[9] & 0x0F == 5:
        display = DisplayType.CONTACT
    user = User(
        id=row[0], username=row[1], domain_id=row[2], maildir=row[3], lang=(row[4] or "").partition(".")[0],
        timezone=row[5] or "", homeserver=row[6], host=row[7] or "", privilege_bits=row[8], address_status=row[9],
        display_type=display, external=row[11] is not None, domain_status=row[12] or 0,
    )  # fmt: skip
    return user, row[13] or ""


def find_user(connection: Connection, name: str) -> tuple[User, str] | None:
    """The user that goes by this name, with its hash. AmbiguousName when several do."""
    found = {row[0]: row for row in connection.execute(_BY_NAME, {"name": name})}
    if len(found) > 1:
        raise AmbiguousName(name)
    return user_of(next(iter(found.values()))) if found else None


def find_user_by_id(connection: Connection, number: str) -> User | None:
    """The user with this id."""
    row = connection.execute(_BY_ID, {"id": int(number)}).first()
    return user_of(row)[0] if row is not None else None


def find_users(connection: Connection, names: list[str]) -> list[User]:
    """The users with these user names."""
    rows = connection.execute(select(*_columns).select_from(_joined).where(users.c.username.in_(names)))
    return [user_of(row)[0] for row in rows]


def find_owner(connection: Connection, maildir: str) -> User | None:
    """The user, or the domain in a User's form, whose store this folder is. AmbiguousName when there are several."""
    owners = [user_of(row)[0] for row in connection.execute(_BY_MAILDIR, {"maildir": maildir})]
    for row in connection.execute(_BY_HOMEDIR, {"maildir": maildir}):
        domain = domain_of(row)
        owners.append(
            User(0, domain.name, domain.id, domain.homedir, homeserver=domain.homeserver, host=domain.host,
                 domain_status=domain.status)
        )  # fmt: skip
    owners = [owner for owner in owners if owner.maildir == maildir]
    if len(owners) > 1:
        raise AmbiguousName(maildir)
    return owners[0] if owners else None


def domain_of(row: Sequence[Any]) -> Domain:
    """The record of a row of `_DOMAIN_COLUMNS`."""
    return Domain(row[0], row[1], row[2], row[3] or "", row[4], row[5] or "", row[6] or "", row[7])


def find_domain(connection: Connection, name: str) -> Domain | None:
    row = connection.execute(_DOMAIN, {"name": name}).first()
    return domain_of(row) if row is not None else None


def find_server(connection: Connection, name: str) -> Server | None:
    row = connection.execute(_SERVER, {"name": name}).first()
    return Server(*row) if row is not None else None


def find_list(connection: Connection, name: str) -> MailingList | None:
    """A mailing list with its members; a domain list has all mail users of its domain."""
    row = connection.execute(_LIST, {"name": name}).first()
    if row is None:
        return None
    if row[2] == ListType.NORMAL:
        statement = select(associations.c.username).where(associations.c.list_id == row[0])
    elif row[2] == ListType.DOMAIN:
        statement = select(users.c.username).select_from(_joined).where(
            users.c.domain_id == row[4], users.c.address_status == 0, _display.c.propval_str == "0"
        )  # fmt: skip
    else:
        statement = select(literal("")).where(literal(1) == 0)
    members = [name.lower() for name in connection.execute(statement.limit(MAX_MEMBERS)).scalars()]
    senders = connection.execute(select(specifieds.c.username).where(specifieds.c.list_id == row[0])).scalars()
    return MailingList(row[0], row[1], row[2], row[3], sorted(members), sorted(name.lower() for name in senders))


def find_memberships(connection: Connection, name: str) -> Memberships | None:
    """The lists that a user is in; AmbiguousName when several users go by this name."""
    found = find_user(connection, name)
    if found is None:
        return None
    user = found[0]
    names = {user.username.lower(), *_aliases_of(connection, [user.username])}
    fresh = _lists_with(connection, sorted(names)) | _domain_lists(connection, user)
    lists: set[str] = set()
    for _ in range(DEEPEST_MEMBERSHIP):
        fresh -= lists
        if not fresh:
            break
        lists |= fresh
        fresh = _lists_with(connection, sorted({*fresh, *_aliases_of(connection, sorted(fresh))}))
    return Memberships(user.username, sorted(lists))


def find_aliases(connection: Connection, name: str) -> Aliases | None:
    """The aliases of the user of this user name."""
    return Aliases(name, sorted(_aliases_of(connection, [name])))


def find_profile(connection: Connection, name: str) -> Profile | None:
    """How the user of this user name is shown, and his other mailboxes."""
    shown = select(users.c.id, user_properties.c.propval_str).select_from(
        users.outerjoin(
            user_properties,
            (user_properties.c.user_id == users.c.id) & (user_properties.c.proptag == PR_DISPLAY_NAME),
        )
    )
    row = connection.execute(shown.where(users.c.username == name)).first()
    if row is None:
        return None
    joined = secondary_store_hints.join(users, users.c.id == secondary_store_hints.c.secondary)
    hints = select(users.c.username).select_from(joined).where(secondary_store_hints.c.primary == row[0])
    return Profile(name, row[1] or "", sorted(connection.execute(hints).scalars()))


def find_booking(connection: Connection, name: str) -> Booking | None:
    """How the mailbox of this user name answers meeting requests; rooms and equipment accept what does not overlap."""
    tags = (
        PR_DISPLAY_TYPE_EX, PR_EMS_AB_ROOM_CAPACITY, PR_SCHDINFO_AUTO_ACCEPT_APPTS,
        PR_SCHDINFO_DISALLOW_RECURRING_APPTS, PR_SCHDINFO_DISALLOW_OVERLAPPING_APPTS,
    )  # fmt: skip
    columns = user_properties.c.proptag, user_properties.c.propval_str
    statement = select(*columns).select_from(users.join(user_properties, users.c.id == user_properties.c.user_id))
    statement = statement.where(users.c.username == name, user_properties.c.proptag.in_(tags))
    told = {tag: int(text) for tag, text in connection.execute(statement) if text and text.lstrip("-").isdecimal()}
    room = told.get(PR_DISPLAY_TYPE_EX) in (DisplayType.ROOM, DisplayType.EQUIPMENT)
    return Booking(
        name, bool(told.get(PR_SCHDINFO_AUTO_ACCEPT_APPTS, room)),
        bool(told.get(PR_SCHDINFO_DISALLOW_RECURRING_APPTS, 0)),
        bool(told.get(PR_SCHDINFO_DISALLOW_OVERLAPPING_APPTS, 1)), max(told.get(PR_EMS_AB_ROOM_CAPACITY, 0), 0),
    )  # fmt: skip


def _aliases_of(connection: Connection, names: list[str]) -> set[str]:
    statement = select(aliases.c.aliasname).where(aliases.c.mainname.in_(names))
    return {alias.lower() for alias in connection.execute(statement).scalars()}


def _lists_with(connection: Connection, names: list[str]) -> set[str]:
    """The lists in use that have one of these addresses as a member."""
    joined = mlists.join(associations, associations.c.list_id == mlists.c.id).join(
        users, users.c.username == mlists.c.listname
    )
    found: set[str] = set()
    for at in range(0, len(names), BATCH):
        statement = select(mlists.c.listname).select_from(joined).where(
            associations.c.username.in_(names[at : at + BATCH]), mlists.c.list_type == ListType.NORMAL,
            users.c.address_status == 0,
        )  # fmt: skip
        found |= {name.lower() for name in connection.execute(statement).scalars()}
    return found


def _domain_lists(connection: Connection, user: User) -> set[str]:
    """The lists of everybody in the user's domain."""
    if user.address_status or user.display_type != DisplayType.USER:
        return set()
    joined = mlists.join(users, users.c.username == mlists.c.listname)
    statement = select(mlists.c.listname).select_from(joined).where(
        mlists.c.list_type == ListType.DOMAIN, mlists.c.domain_id == user.domain_id, users.c.address_status == 0
    )  # fmt: skip
    return {name.lower() for name in connection.execute(statement).scalars()}
