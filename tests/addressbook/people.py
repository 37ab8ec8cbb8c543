"""The people of the tests."""

from __future__ import annotations

from sqlalchemy import Engine, insert

from gromoxd.directory import schema
from gromoxd.directory.admin import Admin

ORGANISATION = "Example"
PREFIX = "/o=Example/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="
ALICE, BOB, CHARLY, ROOM, TEAM, EVERYBODY, GHOST, ZOE, SUSPENDED, INFO = range(1, 11)
"""Ids of the users rows of `fill`."""
_SHOWN = {"list": "1", "contact": "6", "room": "7"}


def add(
    engine: Engine, number: int, name: str, display: str, *, shown: str = "0", domain: int = 1, status: int = 0,
    **props: str,
) -> None:  # fmt: skip
    """A users row with properties; `p3A06001F="Ann"` is one by its tag."""
    values = {0x39050003: _SHOWN.get(shown, shown), 0x3001001F: display}
    values |= {int(tag[1:], 16): text for tag, text in props.items()}
    with engine.begin() as connection:
        maildir = "" if shown in ("list", "contact") else f"/data/{number}"
        row = {"id": number, "username": name, "domain_id": domain, "maildir": maildir, "address_status": status}
        connection.execute(insert(schema.users).values(**row))
        rows = [{"user_id": number, "proptag": tag, "order_id": 1, "propval_str": text} for tag, text in values.items()]
        connection.execute(insert(schema.user_properties), rows)


def fill(engine: Engine, admin: Admin) -> None:
    """example.test: seven people and things, a list, a list of everybody; some hidden. other.test: one."""
    with engine.begin() as connection:
        for number, name in ((1, "example.test"), (2, "other.test")):
            connection.execute(
                insert(schema.domains).values(id=number, domainname=name, homedir=f"/d/{number}", max_user=9)
            )
    add(
        engine, ALICE, "alice@example.test", "Alice Example", p3A06001F="Alice", p3A11001F="Example",
        p3A19001F="Room 12", p3A08001F="+49 30 1234-56", p3A17001F="Director",
    )  # fmt: skip
    add(engine, BOB, "bob@example.test", "Bob Müller", p8005001F="alice@example.test", p3A18001F="Sales")
    add(engine, CHARLY, "charly@example.test", "Charly Contact", shown="contact", p39FE001F="charly@outside.test")
    add(engine, ROOM, "room@example.test", "Big Room", shown="room", p08070003="12")
    add(engine, TEAM, "team@example.test", "Team", shown="list")
    add(engine, EVERYBODY, "all@example.test", "Everybody", shown="list")
    add(engine, GHOST, "ghost@example.test", "Ghost", p10F40003="3")
    add(engine, ZOE, "zoe@other.test", "Zoe Other", domain=2)
    add(engine, SUSPENDED, "sue@example.test", "Sue Suspended", status=1)
    add(engine, INFO, "info@example.test", "Information", status=4)
    admin.add_alias("bobby@example.test", "bob@example.test")
    with engine.begin() as connection:
        for number, name, kind in ((1, "team@example.test", 0), (2, "all@example.test", 2)):
            connection.execute(
                insert(schema.mlists).values(
                    id=number, listname=name, domain_id=1, list_type=kind, list_privilege=0
                )
            )  # fmt: skip
        members = ("alice@example.test", "bobby@example.test", "stranger@outside.test", "zoe@other.test")
        rows = [{"list_id": 1, "username": name} for name in members]
        connection.execute(insert(schema.associations), rows)
