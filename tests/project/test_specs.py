"""docs/specs.tsv lists every specification that the code cites, and says how far it is followed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.project.tree import ROOT, code, name

CITATION = re.compile(r"\bRFCs? (\d{3,5})\b|\[(MS-[A-Z0-9]+)\]")
STATUS = {"Yes", "Partial", "No"}


def listed() -> dict[str, tuple[str, str, str]]:
    """Specification -> (status, title, remark)."""
    rows = {}
    for line in (ROOT / "docs" / "specs.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            spec, status, title, remark = line.split("\t")
            assert spec not in rows, spec
            rows[spec] = (status, title, remark)
    return rows


def citations(text: str) -> set[str]:
    return {f"RFC {number}" if number else document for number, document in CITATION.findall(text)}


def test_the_list_is_well_formed() -> None:
    rows = listed()
    assert len(rows) > 20
    for spec, (status, title, remark) in rows.items():
        assert CITATION.fullmatch(spec) or CITATION.fullmatch(f"[{spec}]"), spec
        assert status in STATUS, spec
        assert title, spec
        assert remark or status == "Yes", f"{spec}: say what is missing"


def test_citations_are_found() -> None:
    assert citations("RFC 9051 6.4.5, RFC 3501 and [MS-OXCDATA] 2.4; RFC822.SIZE") == {
        "RFC 9051",
        "RFC 3501",
        "MS-OXCDATA",
    }


@pytest.mark.parametrize("path", code(), ids=name)
def test_cited_specifications_are_listed(path: Path) -> None:
    assert citations(path.read_text()) - set(listed()) == set()


def test_the_tests_cite_listed_ones_too() -> None:
    missing = {
        spec: name(path)
        for path in Path(ROOT / "tests").rglob("*.py")
        for spec in citations(path.read_text()) - set(listed())
    }
    assert missing == {}
