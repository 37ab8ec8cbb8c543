"""The tag table: well-formed, and equal to the facts where those are at hand."""

from __future__ import annotations

import csv

from gromoxd.mapi import proptags
from gromoxd.mapi.types import MULTIPLE, PropType, prop_type
from tests.conftest import require_shared

TAGS = {name: value for name, value in vars(proptags).items() if name.startswith(("PidTag", "PROP_"))}


def test_well_formed() -> None:
    assert len(TAGS) > 100
    assert len(set(TAGS.values())) == len(TAGS)
    for name, tag in TAGS.items():
        PropType(prop_type(tag) & ~MULTIPLE)
        assert 0 < tag <= 0xFFFFFFFF, name
    assert proptags.PidTagSubject == 0x0037001F
    assert proptags.PidTagMessageDeliveryTime == 0x0E060040


def test_equal_to_the_facts() -> None:
    with require_shared("facts/tables/proptags.tsv").open() as file:
        facts = {row["name"]: int(row["tag"], 16) for row in csv.DictReader(file, delimiter="\t")}
    for name, tag in TAGS.items():
        if name.startswith("PidTag"):
            assert facts[name] == tag
