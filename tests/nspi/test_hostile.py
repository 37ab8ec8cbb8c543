"""Octets that are none: every body gives a value or a WireError, every operation an answer or a MapiError."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from gromoxd.errors import MapiError, WireError
from gromoxd.nspi import bodies as b
from gromoxd.nspi.session import Session
from gromoxd.nspi.stat import Stat
from gromoxd.nspi.templates import decode_rows
from tests.nspi.test_bodies import REQUESTS, RESPONSES

ROUNDS = 150


def mutated(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        what = chance.random()
        at = chance.randrange(len(changed) + 1)
        if what < 0.6 and changed:
            changed[at % len(changed)] = chance.choice((0, 1, 0xFF, 0x7F, chance.randrange(256)))
        elif what < 0.8:
            del changed[at : at + chance.randint(1, 8)]
        else:
            changed[at:at] = chance.randbytes(chance.randint(1, 8))
    return bytes(changed)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, value, _ in REQUESTS])
def test_requests(name: str, value: b.Request, session: Session) -> None:
    chance = random.Random(name)
    for _ in range(ROUNDS):
        try:
            found = b.decode_request(name, mutated(chance, value.encode()))
        except WireError:
            continue
        with suppress(MapiError):
            carried_out(session, found)


def carried_out(session: Session, request: Any) -> None:
    """The operation of a request, whose answer must have octets."""
    stat = getattr(request, "state", None) or Stat()
    match request:
        case b.GetMatchesRequest():
            name = request.property_name.id if request.property_name is not None else None
            found = session.get_matches(stat, request.filter, name, request.row_count, request.columns)
            b.GetMatchesResponse(state=found.stat, minimal_ids=found.mids, rows=found.rows).encode()
        case b.QueryRowsRequest():
            state, rows = session.query_rows(
                request.flags, stat, request.explicit_table, request.row_count, request.columns
            )
            b.QueryRowsResponse(state=state, rows=rows).encode()
        case b.GetPropsRequest():
            _, values = session.get_props(request.flags, stat, request.property_tags)
            b.GetPropsResponse(property_values=values).encode()
        case b.SeekEntriesRequest() if request.target is not None:
            state, seen = session.seek_entries(stat, request.target, request.explicit_table, request.columns)
            b.SeekEntriesResponse(state=state, rows=seen).encode()
        case b.ResolveNamesRequest():
            mids, rows = session.resolve_names(stat, request.names or [], request.property_tags)
            b.ResolveNamesResponse(minimal_ids=mids, rows=rows).encode()
        case b.UpdateStatRequest():
            b.UpdateStatResponse(state=session.update_stat(stat)[0]).encode()
        case b.ResortRestrictionRequest():
            session.resort(stat, request.minimal_ids or ())
        case b.DnToMinIdRequest():
            session.dn_to_mid([name.decode("utf-8", "replace") for name in request.names or []])
        case b.CompareMinIdsRequest():
            session.compare_mids(stat, request.minimal_id1, request.minimal_id2)
        case b.ModLinkAttRequest():
            session.mod_link_att(request.flags, request.property_tag, request.minimal_id, request.entry_ids or [])
        case b.GetTemplateInfoRequest():
            session.get_template_info(request.flags, request.display_type, None, request.code_page, request.locale_id)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, value, _ in RESPONSES])
def test_responses(name: str, value: b.Response) -> None:
    chance = random.Random(name)
    for _ in range(ROUNDS):
        with suppress(WireError):
            b.decode_response(name, mutated(chance, value.encode()))


def test_noise() -> None:
    chance = random.Random(7)
    for name in b.REQUESTS:
        for _ in range(50):
            data = chance.randbytes(chance.randint(0, 120))
            with suppress(WireError):
                b.decode_request(name, data)
            with suppress(WireError):
                b.decode_response(name, data)
            with suppress(WireError):
                decode_rows(b"\1\0\0\0" + data)


def test_every_column_of_every_type_has_a_cell(session: Session) -> None:
    """Whatever a client asks for, the row can be written."""
    chance = random.Random(3)
    known = [tag >> 16 for tag in session.query_columns(0x80000000)]
    for _ in range(300):
        columns = tuple(chance.choice(known) << 16 | chance.choice(KINDS) for _ in range(6))
        state, rows = session.query_rows(chance.choice((0, 2)), Stat(), (), 10, columns)
        data = b.QueryRowsResponse(state=state, rows=rows).encode()
        assert len(b.decode_response("queryrows", data).rows.rows) == 7  # type: ignore[attr-defined]
    assert msgspec.structs.fields(b.QueryRowsResponse)


KINDS = (0, 1, 2, 3, 4, 5, 6, 7, 0xA, 0xB, 0xD, 0x14, 0x1E, 0x1F, 0x40, 0x48, 0xFB, 0xFD, 0x102, 0x101E, 0x101F,
         0x1102, 0x1003, 0x301F, 0xFFFF)  # fmt: skip
