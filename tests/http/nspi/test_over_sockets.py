"""The address book of a running server: profile creation, a new user, the snapshot's replacement."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from gromoxd.mapi import proptags as tags
from gromoxd.nspi import bodies as b
from gromoxd.nspi.stat import Stat
from loadtest.bench.mapihttp import FIELDS, USER, Client, own_dn
from tests.support.server import Server, running, until

pytestmark = pytest.mark.slow
NAME, SMTP = tags.PidTagDisplayName, tags.PidTagSmtpAddress


class AddressBook(Client):
    """A bound client of the address book endpoint."""

    def __init__(self, server: Server, user: str = USER) -> None:
        super().__init__(server, user)
        self.ask("Bind", b.BindRequest(state=Stat()))

    def __enter__(self) -> AddressBook:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, kind: bytes, body: bytes) -> None:
        cookies = b"; ".join(b"%b=%b" % pair for pair in self.cookies.items())
        fields = b"X-RequestType: %b\r\nCookie: %b\r\nContent-Length: %d\r\n\r\n" % (kind, cookies, len(body))
        self.sock.sendall(b"POST /mapi/nspi/?MailboxId=a@example.test" + self.fixed + FIELDS + fields + body)

    def ask(self, name: str, request: b.Request) -> b.Response:
        self.send(name.encode(), request.encode())
        fields = self.head()
        assert fields[b"X-ResponseCode"] == b"0", fields
        parts = b""
        if b"Content-Length" in fields:
            parts = self._take(int(fields[b"Content-Length"]))
        else:
            while piece := self.chunk():
                parts += piece
        return b.decode_response(name, parts.partition(b"\r\n\r\n")[2])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("nspi") / "site") as started:
        yield started


def test_a_profile_is_made(server: Server) -> None:
    """What Outlook asks first: itself by its DN, its properties, the hierarchy, names."""
    with AddressBook(server) as client:
        dn = own_dn(server, USER)
        found = client.ask("DNToMId", b.DnToMinIdRequest(names=[dn.encode()]))
        assert isinstance(found, b.DnToMinIdResponse) and found.minimal_ids is not None and found.minimal_ids[0]
        asked = b.GetPropsRequest(
            state=Stat(current_rec=found.minimal_ids[0]), property_tags=(SMTP, tags.PidTagEmailAddress, 0x8006001F)
        )
        props = client.ask("GetProps", asked)
        assert isinstance(props, b.GetPropsResponse) and props.property_values is not None
        assert [value.value for value in props.property_values.values[:2]] == [USER, dn]
        table = client.ask("GetSpecialTable", b.GetSpecialTableRequest(flags=4, state=Stat()))
        assert isinstance(table, b.GetSpecialTableResponse) and table.rows is not None and len(table.rows) >= 3
        names = client.ask(
            "ResolveNames", b.ResolveNamesRequest(state=Stat(), names=[f"={USER}"], property_tags=(SMTP,))
        )
        assert isinstance(names, b.ResolveNamesResponse) and names.rows is not None
        assert (names.minimal_ids, names.rows.rows) == ((2,), [[USER]])
        assert client.ask("Unbind", b.UnbindRequest()).code == 1


def test_the_snapshot_is_there_and_made_again(server: Server) -> None:
    path = os.path.join(str(server.site), "run", "addressbook")
    until(lambda: os.path.exists(path))
    os.unlink(path)
    with AddressBook(server) as client:
        rows = client.ask("QueryRows", b.QueryRowsRequest(state=Stat(), row_count=50, columns=(SMTP,)))
        assert isinstance(rows, b.QueryRowsResponse) and rows.rows is not None
        assert [USER] in rows.rows.rows


def test_a_new_user_is_in_the_book_at_once(server: Server) -> None:
    server.add_user("newcomer@example.test")
    with AddressBook(server, "newcomer@example.test") as client:
        asked = b.ResolveNamesRequest(state=Stat(), names=["newcomer", USER], property_tags=(SMTP,))
        names = client.ask("ResolveNames", asked)
        assert isinstance(names, b.ResolveNamesResponse)
        assert names.minimal_ids == (2, 2)
