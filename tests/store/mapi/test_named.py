"""Named properties: the ids that names have in a mailbox."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.exmdb.names import GetPropertyIds, GetPropertyNames, ListPropertyNames, MakePropertyIds, Name
from gromoxd.mapi.named import BUILT_IN, PS_INTERNET_HEADERS, PS_MAPI, PS_PUBLIC_STRINGS, PSETID_Common
from store import access as a
from tests.store.conftest import INBOX, OWNER, Harness

OWN = bytes(range(16))
BOB = "bob@example.test"


def find(box: Harness, *names: Name, actor: str = OWNER) -> list[int]:
    found: list[int] = box.call(GetPropertyIds(list(names)), actor=actor)
    return found


def make(box: Harness, *names: Name, actor: str = OWNER) -> list[int]:
    found: list[int] = box.call(MakePropertyIds(list(names)), actor=actor)
    return found


def test_built_in_names_have_the_same_ids_everywhere(box: Harness) -> None:
    first = Name(BUILT_IN[0].guid, BUILT_IN[0].key)  # type: ignore[arg-type]
    assert find(box, first, Name(PS_PUBLIC_STRINGS, name="KEYWORDS")) == [
        0x8000, 0x8000 + next(i for i, name in enumerate(BUILT_IN) if name.key == "Keywords"),
    ]  # fmt: skip
    assert make(box, first) == [0x8000]
    assert box.sql("SELECT count(*) FROM named_properties") == [(0,)]


def test_ps_mapi_maps_directly(box: Harness) -> None:
    assert make(box, Name(PS_MAPI, 0x37), Name(PS_MAPI, 0x8000), Name(PS_MAPI, name="x")) == [0x37, 0, 0]
    assert box.call(GetPropertyNames([0x37])) == [Name(PS_MAPI, 0x37)]


def test_made_once(box: Harness) -> None:
    names = [Name(OWN, 1), Name(OWN, name="Color"), Name(OWN, 1), Name(OWN, name="COLOR"), Name(PSETID_Common, 1)]
    assert find(box, *names) == [0] * 5
    assert make(box, *names) == [0x9000, 0x9001, 0x9000, 0x9001, 0x9002]
    box.reopen()
    assert find(box, *reversed(names)) == [0x9002, 0x9001, 0x9000, 0x9001, 0x9000]
    assert make(box, Name(bytes(16), name="Color"), names[0]) == [0x9003, 0x9000]
    assert box.call(GetPropertyNames([0x9001, 0x9004, 0x8FFF, 0xFFFF, 0, -1, 1 << 40])) == [
        Name(OWN, name="Color"), None, None, None, None, None, None,
    ]  # fmt: skip
    assert find(box, Name(OWN, name="\u00c4"), Name(OWN, name="\u00e4")) == [0, 0]
    assert make(box, Name(OWN, name="\u00c4"), Name(OWN, name="\u00e4")) == [0x9004, 0x9005]


def test_header_names_are_in_lower_case(box: Harness) -> None:
    assert make(box, Name(PS_INTERNET_HEADERS, name="X-Spam-Level")) == [0x9000]
    assert box.call(GetPropertyNames([0x9000])) == [Name(PS_INTERNET_HEADERS, name="x-spam-level")]


def test_lists(box: Harness) -> None:
    make(box, Name(OWN, 7), Name(PSETID_Common, 1))
    everything = box.call(ListPropertyNames())
    assert len(everything) == len(BUILT_IN) + 2
    assert [(one.id, one.name) for one in everything[-2:]] == [(0x9000, Name(OWN, 7)), (0x9001, Name(PSETID_Common, 1))]
    assert [one.id for one in box.call(ListPropertyNames(OWN))] == [0x9000]
    common = box.call(ListPropertyNames(PSETID_Common))
    assert (common[0].id, common[-1].id) == (0x8000, 0x9001)


def test_no_ids_left(box: Harness) -> None:
    box.sql("INSERT INTO named_properties VALUES (?,?,?,?)", 0xFFFD, OWN, 0, None)
    assert make(box, Name(OWN, 1), Name(OWN, 2), Name(OWN, 0)) == [0xFFFE, 0, 0xFFFD]


@pytest.mark.parametrize(
    "name",
    [
        Name(b"short", 1), Name(OWN), Name(OWN, 1, "x"), Name(OWN, 1 << 32), Name(OWN, -1, "x" * 1024),
        Name(OWN, -1, "\0"),
    ],
)  # fmt: skip
def test_what_is_no_name(box: Harness, name: Name) -> None:
    assert box.refused(GetPropertyIds([name]), actor=OWNER) == Ec.ecInvalidParam
    assert box.refused(MakePropertyIds([name]), actor=OWNER) == Ec.ecInvalidParam


def test_who_may_make_names(box: Harness) -> None:
    make(box, Name(OWN, 1))
    assert find(box, Name(OWN, 1), actor=BOB) == [0x9000]
    assert box.refused(MakePropertyIds([Name(OWN, 2)]), actor=BOB) == Ec.ecAccessDenied
    assert box.refused(GetPropertyIds([Name(OWN, 1)]), actor="") == Ec.ecAccessDenied
    box.call(x.ModifyPermissions(INBOX, [x.PermissionChange(x.ADD, name=BOB, rights=a.CREATE)]))
    assert make(box, Name(OWN, 2), actor=BOB) == [0x9001]


def test_a_failed_call_makes_none(box: Harness) -> None:
    assert box.refused(MakePropertyIds([Name(OWN, 1), Name(b"", 1)])) == Ec.ecInvalidParam
    assert make(box, Name(OWN, 5)) == [0x9000]
