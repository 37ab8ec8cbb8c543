"""An address book of a few people, and their details files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from gromoxd.mapi import proptags as tags
from gromoxd.oab.details import encode_details, encode_record
from gromoxd.oab.schema import EMAIL, OBJECTS
from tests.addressbook.conftest import admin, book, engine, make

__all__ = ["admin", "book", "engine", "make", "people"]


def person(number: int, **more: Any) -> bytes:
    """A record of about 300 octets."""
    dn = f"/o=Example/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn={number:08x}-p{number}"
    values = {
        EMAIL: dn, tags.PidTagSmtpAddress: f"p{number}@example.test", tags.PidTagDisplayName: f"Person {number:06}",
        tags.PidTagDisplayType: 0, tags.PidTagObjectType: 6, tags.PidTagTitle: more.get("title", "Clerk"),
        tags.PidTagComment: more.get("comment", f"{number * 7919 % 10007} notes"),
    }  # fmt: skip
    return encode_record(OBJECTS, values)


@pytest.fixture
def people() -> Callable[..., bytes]:
    """A details file of people by their numbers; `changed` ones have another title."""

    def made(numbers: Iterable[int], sequence: int = 1, changed: Iterable[int] = ()) -> bytes:
        other = set(changed)
        records = [person(number, **({"title": "Director"} if number in other else {})) for number in numbers]
        return encode_details({tags.PidTagOfflineAddressBookSequence: sequence}, records)

    return made
