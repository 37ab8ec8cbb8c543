"""Offline address books of a running server, loaded by curl as BITS does; byte ranges and conditions."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gromoxd.autodiscover import pox
from gromoxd.mapi import proptags as tags
from gromoxd.oab import manifest
from gromoxd.oab.container import apply_patch, expand_lzx
from gromoxd.oab.details import read_details
from gromoxd.oab.manifest import AddressList, File
from tests.conftest import require_binary
from tests.oab import mspack
from tests.support.server import Server, running, until
from workers.http.oab.ranges import Range, Unsatisfiable, matches, not_after, parse_ranges, same_representation

ALICE, BOB, ZOE = "alice@example.test", "bob@example.test", "zoe@other.test"
PASSWORD = "another 1"
DATE, LATER = "Tue, 15 Nov 1994 12:45:26 GMT", "Tue, 15 Nov 1994 12:45:27 GMT"
TIME = 784903526


# ---------------------------------------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []), ("bytes=0-3", [(0, 3)]), ("bytes=5-", [(5, 9)]), ("bytes=-4", [(6, 9)]), ("bytes=-40", [(0, 9)]),
        ("bytes=0-999999999", [(0, 9)]), ("Bytes = 1-2 , 4-5", [(1, 2), (4, 5)]), ("bytes=7-8,0-1", [(7, 8), (0, 1)]),
        ("bytes=0-1,50-", [(0, 1)]), ("bytes=0-4,3-5", []), ("bytes=3-1", []), ("bytes=a-b", []), ("bytes=-", []),
        ("lines=0-1", []), ("bytes=0-0" + ",0-0" * 40, []), ("bytes=" + "0-1," * 500, []), ("bytes=0-1,,2-3", []),
    ],
)  # fmt: skip
def test_parse_ranges(text: str, found: list[tuple[int, int]]) -> None:
    assert parse_ranges(text, 10) == [Range(*one) for one in found]


@pytest.mark.parametrize("text", ("bytes=10-", "bytes=-0", "bytes=10-20,99-", "bytes=999999999999999999-"))
def test_no_range_within(text: str) -> None:
    with pytest.raises(Unsatisfiable):
        parse_ranges(text, 10)


def test_conditions() -> None:
    assert matches('"a", W/"b"', '"b"', weak=True)
    assert not matches('"a", W/"b"', '"b"', weak=False)
    assert matches("*", '"b"', weak=False)
    assert not matches('"bb"', '"b"', weak=True)
    assert [not_after(text, TIME) for text in (DATE, LATER, "Tue, 15 Nov 1994 12:45:25 GMT", "", "soon")] == [
        True, True, False, None, None,
    ]  # fmt: skip
    told = ('"b"', 'W/"b"', '"c"', DATE, LATER, "soon")
    assert [same_representation(text, '"b"', TIME) for text in told] == [True, False, False, True, False, False]


# ---------------------------------------------------------------------------------------------- a server


class Reply:
    """What curl got."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """alice and bob of one organisation, zoe of another."""
    require_binary("curl")
    with running(tmp_path_factory.mktemp("oab") / "site") as one:
        one.ctl("domain", "add", "other.test")
        one.ctl("user", "add", ZOE, "--password-stdin", stdin=PASSWORD + "\n")
        one.info["users"][ZOE] = PASSWORD
        yield one


def ask(server: Server, path: str, *options: str, user: str = ALICE) -> Reply:
    base = "http://{host}:{port}".format(**server.info["http"])
    login = ["--config", "-"] if user else []
    told = f'user = "{user}:{server.info["users"][user]}"\n' if user else ""
    run = subprocess.run(
        ["curl", "-sS", "-i", "--path-as-is", "--max-time", "60", *login, *options, base + path],
        input=told.encode(), capture_output=True, check=True,
    )  # fmt: skip
    return Reply(run.stdout)


def listed(server: Server, user: str = ALICE) -> AddressList:
    reply = ask(server, "/OAB/oab.xml", user=user)
    assert (reply.status, reply.fields["content-type"]) == (200, "text/xml")
    (found,) = manifest.read(reply.body)
    return found


def full(server: Server) -> File:
    return next(file for file in listed(server).files if file.element == "Full")


def load(server: Server, file: File) -> bytes:
    body = ask(server, f"/OAB/{file.name}").body
    assert hashlib.sha1(body).hexdigest() == file.sha
    return body


@pytest.mark.slow
def test_the_address_book_is_loaded(server: Server, tmp_path: Path) -> None:
    told = dict(pox.read_response(ask(
        server, "/autodiscover/autodiscover.xml", "-H", "Content-Type: text/xml", "--data-binary",
        pox.write_request(ALICE).decode(),
    ).body))  # fmt: skip
    url = next(value for name, value in told.items() if name.endswith("[EXCH]/OABUrl"))
    guid = listed(server).id
    assert url.endswith(f"/OAB/{guid}/")
    assert ask(server, f"/OAB/{guid}/oab.xml").body == ask(server, "/oab/OAB.XML").body
    file = full(server)
    data = expand_lzx(load(server, file))
    if mspack.LIBRARY is not None:
        assert mspack.expand(tmp_path, load(server, file)) == data
    assert len(data) == file.expanded
    records = read_details(data).records
    assert [record[tags.PidTagSmtpAddress] for record in records] == [ALICE, BOB]
    for template in (file for file in listed(server).files if file.element == "Template"):
        assert len(expand_lzx(load(server, template))) == template.expanded


@pytest.mark.slow
def test_heads_tags_and_times(server: Server) -> None:
    path = f"/OAB/{full(server).name}"
    head = ask(server, path, "-I")
    assert (head.status, head.body) == (200, b"")
    assert head.fields["accept-ranges"] == "bytes"
    assert int(head.fields["content-length"]) == full(server).size
    tag, time = head.fields["etag"], head.fields["last-modified"]
    assert ask(server, path, "-H", f"If-None-Match: {tag}").status == 304
    assert ask(server, path, "-H", 'If-None-Match: "other"').status == 200
    assert ask(server, path, "-H", f"If-Modified-Since: {time}").status == 304
    assert ask(server, path, "-H", "If-Modified-Since: Tue, 15 Nov 1994 12:45:26 GMT").status == 200
    assert ask(server, path, "-H", 'If-Match: "other"').status == 412
    assert ask(server, path, "-H", f"If-Match: {tag}").status == 200
    assert ask(server, path, "-H", "If-Unmodified-Since: Tue, 15 Nov 1994 12:45:26 GMT").status == 412


@pytest.mark.slow
def test_ranges(server: Server) -> None:
    path, whole = f"/OAB/{full(server).name}", load(server, full(server))
    one = ask(server, path, "-r", "4-19")
    assert (one.status, one.body) == (206, whole[4:20])
    assert one.fields["content-range"] == f"bytes 4-19/{len(whole)}"
    assert ask(server, path, "-r", "-5").body == whole[-5:]
    none = ask(server, path, "-r", f"{len(whole)}-")
    assert (none.status, none.fields["content-range"]) == (416, f"bytes */{len(whole)}")
    tag = one.fields["etag"]
    assert ask(server, path, "-r", "0-1", "-H", f"If-Range: {tag}").body == whole[:2]
    assert ask(server, path, "-r", "0-1", "-H", 'If-Range: "old"').body == whole
    several = ask(server, path, "-r", "0-3,8-11")
    assert several.status == 206
    boundary = several.fields["content-type"].removeprefix("multipart/byteranges; boundary=")
    parts = several.body.split(f"\r\n--{boundary}".encode())
    assert [part.partition(b"\r\n\r\n")[2] for part in parts[1:-1]] == [whole[:4], whole[8:12]]
    assert parts[-1] == b"--\r\n"
    assert len(several.body) == int(several.fields["content-length"])


@pytest.mark.slow
def test_only_ones_own_organisation(server: Server) -> None:
    mine, others = listed(server), listed(server, ZOE)
    assert mine.id != others.id
    for folder, name in (
        (others.id, "oab.xml"), (others.id, others.files[0].name), (mine.id, others.files[0].name),
        (mine.id, "state"), (mine.id, "details"), (mine.id, f"../{others.id}/oab.xml"), (mine.id, "a/oab.xml"),
        ("..", "run/addressbook"), (mine.id, ""), (mine.id, f"{mine.id}-data-1.lzx"), (mine.id, "%2e%2e/oab.lock"),
    ):  # fmt: skip
        assert ask(server, f"/OAB/{folder}/{name}").status == 404
    assert ask(server, "/OAB/oab.xml", user="").status == 401
    assert ask(server, "/OAB/oab.xml", "-X", "PUT").status == 405


@pytest.mark.slow
def test_a_new_user_comes_by_the_difference(server: Server, tmp_path: Path) -> None:
    before = full(server)
    old = expand_lzx(load(server, before))
    server.ctl("user", "add", "carla@example.test", "--password-stdin", stdin=PASSWORD + "\n")
    server.reload()
    diff = until(
        lambda: [file for file in listed(server).files if file.element == "Diff"], seconds=30, describe="a difference"
    )[0]
    assert diff.sequence == before.sequence + 1
    patch = load(server, diff)
    new = apply_patch(patch, old)
    assert new == expand_lzx(load(server, full(server)))
    if mspack.LIBRARY is not None:
        assert mspack.expand(tmp_path, patch, old) == new
    assert any(record[tags.PidTagSmtpAddress] == "carla@example.test" for record in read_details(new).records)
    assert ask(server, f"/OAB/{before.name}").status == 200


@pytest.mark.slow
def test_a_lost_book_is_made_at_once(server: Server) -> None:
    shutil.rmtree(server.site / "oab" / listed(server).id)
    assert full(server).name.startswith(f"{listed(server).id}-data-")
