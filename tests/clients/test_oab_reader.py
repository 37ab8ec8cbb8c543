"""Offline address books as the decoder `oab` from PyPI reads them, which knows uncompressed files of version 4."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gromoxd.oab.container import expand_lzx, write_lzx
from tests.oab.conftest import people

__all__ = ["people"]
library: Any = pytest.importorskip("oab.library")


def test_details(people: Callable[..., bytes], tmp_path: Path) -> None:
    data = people(range(300), sequence=7, changed=[5])
    file = tmp_path / "udetails.oab"
    file.write_bytes(expand_lzx(b"".join(write_lzx(data))))
    found = library.load_oab_file(str(file))
    assert found["OAB_HDR"]["version"] == "uncompressed version 4 full details file"
    assert (found["OAB_HDR"]["ulVersion"], found["OAB_HDR"]["ulTotRecs"]) == (0x20, 300)
    assert found["header_record"]["record"] == {"PidTagOfflineAddressBookSequence": 7}
    meta = found["OAB_META_DATA"]
    assert meta["rgOabAtts"]["cAtts"] == len(meta["rgOabAtts"]["rgProps"])
    assert meta["rgOabAtts"]["rgProps"][:2] == [
        ("PidTagEmailAddress", "PtypString8", 2), ("PidTagSmtpAddress", "PtypString", 2)
    ]  # fmt: skip
    records = [one["record"] for one in found["address_book"]]
    assert [one["PidTagSmtpAddress"] for one in records] == [f"p{n}@example.test" for n in range(300)]
    assert [one["PidTagTitle"] for one in records[4:7]] == ["Clerk", "Director", "Clerk"]
    assert records[5]["PidTagDisplayName"] == "Person 000005" and records[5]["PidTagObjectType"] == 6
