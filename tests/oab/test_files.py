"""Templates, manifest, and the generations in a folder."""

from __future__ import annotations

import hashlib
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gromoxd.addressbook import layout
from gromoxd.addressbook.build import build as build_snapshot
from gromoxd.addressbook.reader import Snapshot
from gromoxd.cli.kinds import decoder
from gromoxd.cli.tree import tree
from gromoxd.directory.admin import Admin
from gromoxd.errors import WireError
from gromoxd.mapi import proptags as tags
from gromoxd.nspi.templates import template
from gromoxd.oab import manifest
from gromoxd.oab.build import Job, folder_of, publish
from gromoxd.oab.container import apply_patch, expand_lzx
from gromoxd.oab.details import read_details
from gromoxd.oab.manifest import AddressList, File
from gromoxd.oab.names import book_guid
from gromoxd.oab.template import LANGUAGES, Template, decode_templates, encode_templates, language_templates
from tests.addressbook.people import ORGANISATION, add, fill

NOW = 1_800_000_000
FIRST = (NOW - 1_577_836_800) // 60
GUID = book_guid(1)
JOB = Job(ORGANISATION, 2)


# ---------------------------------------------------------------------------------------------- templates


@pytest.mark.parametrize("locale", LANGUAGES)
def test_templates(locale: int) -> None:
    made = language_templates("/o=Example/ou=Group", locale)
    data = encode_templates(made)
    assert decode_templates(data) == made
    assert data[:12].hex() == "070000000000000000000000"
    assert len(made.display) == 7
    assert made.display[4] == made.display[5] == Template()
    assert made.display[0].data == template(0, locale, 1252)
    assert made.display[0].dn.startswith(b"/o=Example/ou=Group/cn=Configuration/")
    assert made.creation[0].name == {0x407: b"Internetadresse\0", 0x40C: b"Adresse Internet\0"}.get(
        locale, b"Internet Address\0"
    )
    first = int.from_bytes(data[20:24], "little"), int.from_bytes(data[24:28], "little")
    assert data[first[0] : sum(first)] == made.display[0].data
    for cut in range(12 + 7 * 32 + 16 + 4 + 32):
        with pytest.raises(WireError):
            decode_templates(data[:cut])


def test_template_in_german() -> None:
    texts = {row.text for row in language_templates("/o=E/ou=G", 0x407).display[0].rows}
    assert {b"Allgemein", b"&Vorname:", "Bü&ro:".encode("cp1252")} <= texts


# ---------------------------------------------------------------------------------------------- manifest


def test_manifest() -> None:
    files = [
        File("Full", "a-data-2.lzx", 2, 32, 554, 1165, "d6"), File("Diff", "a-binpatch-2.lzx", 2, 32, 132, 1165, "f5"),
        File("Template", "a-lng0409-2.lzx", 2, 7, 5794, 25620, "53", 0x409, "windows"),
    ]  # fmt: skip
    lists = [AddressList("a", "/", "\\Global <Address> 'List'", files)]
    data = manifest.write(lists)
    assert manifest.read(data) == lists
    (oal,) = ET.fromstring(data)
    assert oal.attrib == {"id": "a", "dn": "/", "name": "\\Global <Address> 'List'"}
    assert (oal[0].tag, oal[0].text) == ("Full", "a-data-2.lzx")
    assert oal[0].attrib == {"seq": "2", "ver": "32", "size": "554", "uncompressedsize": "1165", "SHA": "d6"}
    assert oal[2].attrib["langid"] == "0409"
    assert oal[2].attrib["type"] == "windows"


@pytest.mark.parametrize("text", (b"", b"<OAX/>", b"<OAB><OAL><Full seq='x'/></OAL></OAB>", b"<!DOCTYPE OAB><OAB/>"))
def test_no_manifest(text: bytes) -> None:
    with pytest.raises(WireError):
        manifest.read(text)


# ---------------------------------------------------------------------------------------------- generations


@pytest.fixture
def site(tmp_path: Path, engine: Engine, admin: Admin) -> Path:
    fill(engine, admin)
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.fixture
def renew(site: Path, engine: Engine) -> Callable[..., int]:
    """Builds the snapshot and publishes."""

    def now(job: Job = JOB, at: int = NOW) -> int:
        with engine.connect() as connection:
            build_snapshot(connection, layout.path_of(str(site)), at)
        return publish(str(site), job, at)

    return now


def offered(site: Path, guid: str = GUID) -> dict[str, list[File]]:
    """The manifest's files by element; their sizes and sums are right."""
    folder = Path(folder_of(str(site), guid))
    (listed,) = manifest.read((folder / "oab.xml").read_bytes())
    assert (listed.id, listed.dn, listed.name) == (guid, "/", "\\Global Address List")
    found: dict[str, list[File]] = {"Full": [], "Diff": [], "Template": []}
    for file in listed.files:
        data = (folder / file.name).read_bytes()
        assert (len(data), hashlib.sha1(data).hexdigest()) == (file.size, file.sha)
        found[file.element].append(file)
    return found


def details(site: Path) -> bytes:
    (full,) = offered(site)["Full"]
    data = expand_lzx((Path(folder_of(str(site), GUID)) / full.name).read_bytes())
    assert len(data) == full.expanded
    assert read_details(data).header[0x68010003] == full.sequence
    return data


def test_first_generation(site: Path, renew: Callable[..., int]) -> None:
    assert renew() == 2
    files = offered(site)
    assert [file.sequence for file in files["Full"]] == [FIRST]
    assert files["Diff"] == []
    assert {(file.language, file.kind) for file in files["Template"]} == {
        (locale, kind) for locale in LANGUAGES for kind in ("windows", "mac")
    }
    assert len(read_details(details(site)).records) == 7
    assert offered(site, book_guid(2))["Full"][0].sequence == FIRST


def test_nothing_new_makes_no_generation(site: Path, renew: Callable[..., int]) -> None:
    renew()
    before = {path.name: path.stat().st_mtime_ns for path in Path(folder_of(str(site), GUID)).iterdir()}
    assert renew(at=NOW + 500) == 0
    assert {path.name: path.stat().st_mtime_ns for path in Path(folder_of(str(site), GUID)).iterdir()} == before


def test_changes_lead_from_one_to_the_next(site: Path, renew: Callable[..., int], engine: Engine) -> None:
    renew()
    generations = [details(site)]
    for number in range(20, 24):
        add(engine, number, f"new{number}@example.test", f"New {number}")
        assert renew() == 1
        generations.append(details(site))
    folder = Path(folder_of(str(site), GUID))
    diffs = offered(site)["Diff"]
    assert [file.sequence for file in diffs] == [FIRST + 4, FIRST + 3]
    older = generations[2]
    for file in reversed(diffs):
        older = apply_patch((folder / file.name).read_bytes(), older)
    assert older == generations[-1]
    names = [record[tags.PidTagDisplayName] for record in read_details(older).records]
    assert [name for name in names if name.startswith("New")] == ["New 20", "New 21", "New 22", "New 23"]
    left = {path.name for path in folder.iterdir()}
    assert f"{GUID}-data-{FIRST + 3}.lzx" in left
    assert f"{GUID}-data-{FIRST + 2}.lzx" not in left
    assert f"{GUID}-binpatch-{FIRST + 1}.lzx" not in left


def test_a_gap_ends_the_chain(site: Path, renew: Callable[..., int], engine: Engine) -> None:
    renew()
    add(engine, 20, "new20@example.test", "New 20")
    renew()
    assert len(offered(site)["Diff"]) == 1
    (Path(folder_of(str(site), GUID)) / "details").write_bytes(b"damaged")
    add(engine, 21, "new21@example.test", "New 21")
    renew()
    assert offered(site)["Diff"] == []
    assert offered(site)["Full"][0].sequence == FIRST + 2


def test_without_differences(site: Path, renew: Callable[..., int], engine: Engine) -> None:
    renew(Job(ORGANISATION, 0))
    add(engine, 20, "new20@example.test", "New 20")
    renew(Job(ORGANISATION, 0))
    assert offered(site)["Diff"] == []


def test_another_organisation_name_is_another_book(site: Path, renew: Callable[..., int]) -> None:
    renew()
    assert renew(Job("Other", 2)) == 2
    assert b"/o=Other/" in details(site)


def test_lost_files_are_made_again(site: Path, renew: Callable[..., int]) -> None:
    renew()
    folder = Path(folder_of(str(site), GUID))
    os.unlink(folder / offered(site)["Full"][0].name)
    assert renew() == 1
    os.unlink(folder / "oab.xml")
    assert renew() == 0
    assert offered(site)["Full"][0].sequence == FIRST + 1
    (folder / "state").write_bytes(b"{")
    assert renew(at=NOW + 600) == 1
    assert offered(site)["Full"][0].sequence == FIRST + 10


def test_one_of_many(site: Path, renew: Callable[..., int]) -> None:
    assert renew(Job(ORGANISATION, 2, GUID)) == 1
    assert not Path(folder_of(str(site), book_guid(2))).exists()
    assert renew() == 1
    stranger = Path(folder_of(str(site), book_guid(77)))
    stranger.mkdir()
    (stranger / "oab.xml").write_bytes(b"")
    assert renew() == 0
    assert not stranger.exists()


def test_one_book_for_all_domains_of_an_organisation(site: Path, renew: Callable[..., int], engine: Engine) -> None:
    from sqlalchemy import insert, update

    from gromoxd.directory.schema import domains, orgs
    from gromoxd.oab.records import book_domains

    with engine.begin() as connection:
        connection.execute(insert(orgs).values(id=1, name="both"))
        connection.execute(update(domains).values(org_id=1))
    assert renew() == 1
    names = [record[tags.PidTagDisplayName] for record in read_details(details(site)).records]
    assert {"Alice Example", "Zoe Other"} <= set(names)
    book = Snapshot(layout.path_of(str(site))).book(2, ORGANISATION)
    assert book is not None
    assert book_domains(book) == [GUID, book_guid(2)]


def test_dumped(site: Path, renew: Callable[..., int], engine: Engine) -> None:
    renew()
    add(engine, 20, "new20@example.test", "New 20")
    renew()
    folder, files = Path(folder_of(str(site), GUID)), offered(site)
    full = list(tree(decoder("oab-lzx")((folder / files["Full"][0].name).read_bytes())))
    assert any("PidTagDisplayName" in line and '"New 20"' in line for line in full)
    assert any(line.strip().startswith("block_max: 262144") for line in full)
    assert next(tree(decoder("oab")(details(site)))).startswith("ulSerial: 0x")
    diff = list(tree(decoder("oab-diff")((folder / files["Diff"][0].name).read_bytes())))
    assert any(line.strip().startswith("target_crc: 0x") for line in diff)
    made = list(tree(decoder("oab-lzx")((folder / files["Template"][0].name).read_bytes())))
    assert any("Templates" in line for line in made)
