"""libpff, an independent reader, finds in our files what we wrote, and in others' files what we find.

Files of others are those of the npm package pst-extractor (MIT), or what is in the folder GROMOXD_PST_SAMPLES.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gromoxd.convert.item import Item
from gromoxd.convert.pst import PstFile
from gromoxd.convert.pst.writer import PstWriter
from gromoxd.errors import WireError
from gromoxd.mapi import proptags as pt
from gromoxd.mapi.rtf import decompress
from tests.convert.pst.made import LAYOUTS, made, message
from tests.corpus.packages import require_samples

pypff = pytest.importorskip("pypff")

Facts = tuple[object, ...]
SAMPLES = os.environ.get("GROMOXD_PST_SAMPLES", "")


def theirs(path: Path) -> tuple[dict[int, int], dict[int, Facts]]:
    """Folders (nid -> subfolders) and messages (nid -> facts) as libpff has them."""
    file = pypff.file()
    file.open(str(path))
    folders: dict[int, int] = {}
    messages: dict[int, Facts] = {}

    def walk(folder: Any) -> None:
        folders[folder.identifier] = folder.number_of_sub_folders
        for place in range(folder.number_of_sub_messages):
            entry = folder.get_sub_message(place)
            messages[entry.identifier] = (
                entry.subject,
                entry.sender_name,
                entry.plain_text_body or b"",
                entry.html_body or b"",
                entry.rtf_body or b"",
                entry.transport_headers,
                [entry.get_attachment(number).size for number in range(entry.number_of_attachments)],
            )
        for place in range(folder.number_of_sub_folders):
            walk(folder.get_sub_folder(place))

    walk(file.get_root_folder())
    file.close()
    return folders, messages


def ours(path: Path) -> tuple[dict[int, int], dict[int, Facts]]:
    with PstFile(path) as pst:
        folders = {folder.nid: len(list(pst.subfolders(folder))) for folder in pst.folders()}
        messages = {entry.nid: facts(entry.item()) for folder in pst.folders() for entry in folder.messages()}
    return folders, messages


def facts(item: Item) -> Facts:
    props = item.props
    rtf = props.get(pt.PidTagRtfCompressed)
    body = props.get(pt.PidTagBody, "")
    return (
        props.get(pt.PidTagSubject),
        props.get(pt.PidTagSenderName),
        str(body).encode(),
        props.get(pt.PidTagHtml, b""),
        decompress(rtf) if isinstance(rtf, bytes) else b"",
        props.get(pt.PidTagTransportMessageHeaders),
        [0 if attachment.embedded else len(attachment.data) for attachment in item.attachments],
    )


def alike(mine: Facts, other: Facts) -> bool:
    """libpff gives text up to the first zero, and RTF with a zero at its end."""
    same_rtf = mine[4] == other[4] or mine[4] == bytes(other[4]).rstrip(b"\0")  # type: ignore[call-overload]
    same_sizes = len(mine[6]) == len(other[6]) and all(  # type: ignore[arg-type]
        not size or size == other_size
        for size, other_size in zip(mine[6], other[6], strict=True)  # type: ignore[call-overload]
    )
    return mine[:4] == other[:4] and same_rtf and mine[5] == other[5] and same_sizes


@pytest.mark.parametrize("crypt", [0, 1, 2])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_libpff_reads_what_we_write(layout: str, crypt: int, tmp_path: Path) -> None:
    if layout == "Unicode 4K" and crypt:
        pytest.skip("in which order compressed blocks are encoded is not known")
    path = tmp_path / "made.pst"
    path.write_bytes(made(LAYOUTS[layout], crypt))
    folders, messages = theirs(path)
    assert (folders, len(messages)) == (ours(path)[0], 40)
    for number, found in enumerate(messages.values()):
        wanted = message(number)
        assert found[0] == wanted.props[pt.PidTagSubject]
        assert found[2] == str(wanted.props[pt.PidTagBody]).encode()
        assert found[3] == wanted.props[pt.PidTagHtml]
        assert len(found[6]) == len(wanted.attachments)  # type: ignore[arg-type]
    assert all(alike(mine, messages[nid]) for nid, mine in ours(path)[1].items())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_libpff_reads_a_file_without_messages(layout: str, tmp_path: Path) -> None:
    path = tmp_path / "empty.pst"
    with path.open("wb") as out, PstWriter(out, record_key=bytes(16), now_nt=0, layout=LAYOUTS[layout]):
        pass
    folders, messages = theirs(path)
    assert sorted(folders.items()) == [(0x122, 2), (0x8022, 1), (0x8042, 0), (0x8062, 0)]
    assert messages == {}


def samples() -> list[Path]:
    if not SAMPLES:
        return require_samples("pst-extractor")
    found = [path for suffix in ("*.pst", "*.ost") for path in sorted(Path(SAMPLES).rglob(suffix))]
    assert found
    return found


@pytest.mark.slow
def test_we_read_what_others_wrote() -> None:
    for path in samples():
        folders, messages = theirs(path)
        mine_folders, mine = ours(path)
        assert mine_folders == folders, path
        assert mine.keys() == messages.keys(), path
        different = [hex(nid) for nid in mine if not alike(mine[nid], messages[nid])]
        assert different == [], path


@pytest.mark.slow
def test_associated_messages_of_others_can_be_read() -> None:
    for path in samples():
        with PstFile(path) as pst:
            for folder in pst.folders():
                for entry in folder.associated():
                    try:
                        entry.item()
                    except WireError as error:
                        pytest.fail(f"{path} {entry.nid:#x}: {error}")
            assert pst.damaged == 0
