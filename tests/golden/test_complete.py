"""Every example of the collection beside this project is tested or named among those left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.golden import propertyexamples, ropexamples
from tests.golden.captures import SUBMIT, VIEWS
from tests.golden.left_out import LEFT_OUT, PRINTED_IN_PART
from tests.golden.test_properties import RTF
from tests.mapi.structures.calendar import WEDNESDAYS_DAMAGED
from tests.ntlm.test_golden import EXAMPLES as NTLM
from tests.oab.captures import OAB
from tests.rop.captures import CALLS, LZ77
from tests.rpc.test_golden import RPC_BIND_NSPI, RTS

COLLECTION = Path(__file__).parents[3] / "shared" / "golden" / "mapi.json"


def carried() -> dict[str, bytes]:
    """The octets that this project tests, by the collection's ids; some examples are of other origin."""
    return {
        **{name: bytes.fromhex(example.octets) for name, example in ropexamples.EXAMPLES.items()},
        **{name: example.octets for name, example in propertyexamples.EXAMPLES.items()},
        **{name: octets for name, (octets, *_) in RTF.items()},
        **NTLM,
        **{name: bytes.fromhex(octets) for name, octets in RTS.items()},
        "rpc-bind-nspi": RPC_BIND_NSPI,
        **OAB,
        "oxctabl-4.5.3.2": ropexamples.TABLE_PREFIX,
        "oxorule-4.2.1d": ropexamples.HANDLES,
        "oxocal-forum": WEDNESDAYS_DAMAGED,
        **{name: octets for name, (octets, _) in {**CALLS, **LZ77}.items()},
        "outlook2007-001-plain": SUBMIT,
        "outlook2007-002-plain": VIEWS,
    }


def test_nothing_is_skipped_silently() -> None:
    assert not set(LEFT_OUT) & set(carried())
    assert all(LEFT_OUT.values())
    assert all(PRINTED_IN_PART.values())
    assert len(carried()) + len(LEFT_OUT) == 85


def test_the_collection_is_here() -> None:
    if not COLLECTION.exists():
        pytest.skip(f"{COLLECTION} is not there: its examples cannot be compared with those carried here")
    known = {entry["id"]: bytes.fromhex(entry["hex"]) for entry in json.loads(COLLECTION.read_text())}
    mine = carried()
    assert set(known) - set(mine) - set(LEFT_OUT) == set()
    assert {name: mine[name] for name in known if name in mine} == {name: known[name] for name in known if name in mine}
    assert set(mine) - set(known) == {
        "oxodlgt-4.1.1", "oxosrch-4.1", "oxomsg-4.5", "oxcfxics-stream", "oxocal-4.1.1.4", "oxcical-instance",
        "oxomsg-4.1.2", "oxomsg-4.3.1", "oxomsg-4.3.2", "oxomsg-4.6.1.2",
    }  # fmt: skip
