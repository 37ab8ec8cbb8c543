"""The tag tables: well-formed, found by name, and equal to the facts where those are at hand."""

from __future__ import annotations

import csv
import subprocess
import sys

import pytest

from gromoxd.mapi import proptag_names, proptags
from gromoxd.mapi.types import MULTIPLE, PropType, prop_id, prop_type
from tests.conftest import require_shared

TAGS = {name: value for name, value in vars(proptags).items() if name.startswith("PidTag")}
OURS = {name: value for name, value in vars(proptags).items() if name.startswith("PROP_")}


def test_well_formed() -> None:
    assert len(TAGS) == 868
    for name, tag in TAGS.items():
        PropType(prop_type(tag) & ~MULTIPLE)
        assert 0 < tag <= 0xFFFFFFFF, name
    assert list(TAGS.values()) == sorted(TAGS.values())
    assert proptags.PidTagSubject == 0x0037001F
    assert proptags.PidTagMessageDeliveryTime == 0x0E060040
    assert proptags.PidTagScheduleInfoMonthsBusy == 0x68531003
    assert proptags.PidTagRuleCondition == 0x667900FD


def test_tags_of_our_own() -> None:
    """Provider-defined, non-transmittable, and nobody else's number."""
    assert OURS["PROP_PART_PATH"] == 0x67A0001F
    assert len({prop_id(tag) for tag in OURS.values()}) == len(OURS)
    for name, tag in OURS.items():
        assert 0x6600 <= prop_id(tag) < 0x6800, name
        assert prop_id(tag) not in {prop_id(other) for other in TAGS.values()}, name


def test_names() -> None:
    assert proptag_names.name_of(0x0037001F) == "PidTagSubject"
    assert proptag_names.name_of(0x0037001E) == "PidTagSubject:001E"
    assert proptag_names.name_of(0x0FFF0102) == "PidTagEntryId"
    assert proptag_names.name_of(0x99990102) == "99990102"
    assert proptag_names.OLD_NAMES[0x0037001F] == ("PR_SUBJECT",)
    assert proptag_names.NAMES[0x80000003] == "PidLidDayOfMonth"


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("PidTagSubject", 0x0037001F),
        ("PR_SUBJECT", 0x0037001F),
        ("PR_SUBJECT_W", 0x0037001F),
        ("PR_SUBJECT_A", 0x0037001E),
        ("PR_ENTRYID", 0x0FFF0102),
        ("PR_ENTRYID_A", None),
        ("PR_EMS_AB_PROXY_ADDRESSES_A", 0x800F101E),
        ("0x0037001F", 0x0037001F),
        ("0037001f", 0x0037001F),
        ("-1", None),
        ("123456789", None),
        ("PidTagNothing", None),
        ("PidNameKeywords", 0x81A9101F),
    ],
)
def test_by_name(name: str, tag: int | None) -> None:
    assert proptag_names.tag_named(name) == tag


def test_workers_do_not_load_the_names() -> None:
    """They cost memory that only tools need."""
    code = (
        "import sys, gromoxd.convert.properties, gromoxd.mapi.rows; print('gromoxd.mapi.proptag_names' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_equal_to_the_facts() -> None:
    with require_shared("facts/tables/proptags.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert {row["name"]: int(row["tag"], 16) for row in rows} == TAGS
    for row in rows:
        tag = int(row["tag"], 16)
        for name in row["other_names"].split():
            assert proptag_names.tag_named(name) == tag, name
