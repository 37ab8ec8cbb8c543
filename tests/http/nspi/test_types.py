"""The request types of the address book endpoint, without sockets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gromoxd.addressbook.entry import mid_of
from gromoxd.addressbook.reader import Book
from gromoxd.directory import dn
from gromoxd.directory.model import User
from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb.access import GetDelegates, SetDelegates
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.storecalls import GetStoreProps
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.restrictions import Property
from gromoxd.mapi.values import TaggedPropertyValue
from gromoxd.nspi import bodies as b
from gromoxd.nspi.session import server_guid
from gromoxd.nspi.stat import Stat
from tests.addressbook.conftest import admin, book, engine, make
from tests.addressbook.people import ALICE, BOB, EVERYBODY, ORGANISATION
from workers.http.mapihttp.framing import Context
from workers.http.nspi.referral import fqdn_of_dn, new_dsa
from workers.http.nspi.types import TYPES

__all__ = ["admin", "book", "engine", "make"]
NAME = tags.PidTagDisplayName
USERS = {
    number: User(number, f"{name}@example.test", 1, f"/m/{number}", host="node2.example.test")
    for number, name in ((ALICE, "alice"), (BOB, "bob"))
}


class Exmdb:
    """Answers the calls that the address book makes."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, str]] = []

    def call(self, mailbox: Any, call: Any, *, actor: str) -> Any:
        self.asked.append((call, actor))
        if isinstance(call, GetStoreProps):
            return {tags.PidTagThumbnailPhoto: b"photo"}
        return ["bob@example.test"] if isinstance(call, GetDelegates) else None


@pytest.fixture
def site(book: Book) -> Any:
    directory = SimpleNamespace(
        user_by_id=USERS.get, mailbox=lambda user: user.maildir, host_id="node1.example.test",
        outside_name=lambda name: "mail.example.test" if name == "node2.example.test" else "",
    )  # fmt: skip
    people = SimpleNamespace(
        organisation=ORGANISATION,
        mailbox_id=lambda user: dn.mailbox_id(user.domain_id, user.id, "example.test"),
        user_of_mailbox=lambda text: USERS.get(found.user_id) if (found := dn.parse_mailbox_id(text)) else None,
        user_of_dn=lambda text: None,
    )
    threads: list[Any] = []

    def run_blocking(work: Any) -> Any:
        threads.append(work)
        return work()

    services = SimpleNamespace(directory=directory, exmdb=Exmdb(), run_blocking=run_blocking)
    books = SimpleNamespace(book=lambda domain, organisation, user: book)
    return SimpleNamespace(services=services, people=people, endpoints={"address books": books}, threads=threads)


class Client:
    """Asks the functions of the table."""

    def __init__(self, site: Any) -> None:
        self.site = site
        self.context = Context(site, SimpleNamespace(user=USERS[ALICE], host="10.0.0.1:8080"))

    def ask(self, name: str, request: b.Request) -> Any:
        return b.decode_response(name, TYPES[name].function(self.context, request.encode()))


@pytest.fixture
def client(site: Any) -> Client:
    return Client(site)


def test_every_documented_type_is_there() -> None:
    assert set(TYPES) == set(b.REQUESTS)


def test_bind_opens_a_context_and_unbind_says_so(client: Client) -> None:
    found = client.ask("bind", b.BindRequest(state=Stat()))
    assert (found.status, found.code, found.server_guid) == (0, 0, server_guid(ORGANISATION))
    assert client.context.state is not None
    assert client.ask("unbind", b.UnbindRequest()).code == 1


@pytest.mark.parametrize(("state", "code"), [(None, Ec.ecInvalidParam), (Stat(code_page=0x4B0), Ec.ecUnknownCodePage)])
def test_a_bad_bind_opens_none(client: Client, state: Stat | None, code: Ec) -> None:
    assert client.ask("bind", b.BindRequest(state=state)).code == code
    assert client.context.state is None


def test_rows(client: Client) -> None:
    found = client.ask("queryrows", b.QueryRowsRequest(state=Stat(), row_count=2, columns=(NAME,)))
    assert found.rows.rows == [["Alice Example"], ["Big Room"]]
    assert (found.state.num_pos, found.state.total_recs) == (2, 7)
    assert client.site.threads == []
    client.ask("queryrows", b.QueryRowsRequest(state=Stat(), row_count=5000, columns=(NAME,)))
    assert len(client.site.threads) == 1


def test_what_fails_has_its_error_code_and_nothing_else(client: Client) -> None:
    found = client.ask("queryrows", b.QueryRowsRequest(state=Stat(container_id=5), row_count=2))
    assert found == b.QueryRowsResponse(code=Ec.ecInvalidBookmark)
    for name in ("queryrows", "getmatches", "seekentries", "updatestat", "getprops", "resolvenames"):
        assert client.ask(name, b.REQUESTS[name]()).code == Ec.ecInvalidParam
    with pytest.raises(WireError):
        TYPES["queryrows"].function(client.context, b"\0")


def test_matches_names_positions(client: Client) -> None:
    asked = b.GetMatchesRequest(state=Stat(), filter=Property(4, tags.PidTagAnr, "bob"), row_count=9, columns=(NAME,))
    found = client.ask("getmatches", asked)
    assert (found.minimal_ids, found.rows.rows) == ((mid_of(BOB),), [["Bob Müller"]])
    found = client.ask("resolvenames", b.ResolveNamesRequest(state=Stat(), names=["ALICE", "b"], property_tags=(NAME,)))
    assert (found.minimal_ids, found.rows.rows, found.code_page) == ((2, 1), [["Alice Example"]], 1252)
    found = client.ask("updatestat", b.UpdateStatRequest(state=Stat(delta=3), delta_requested=1))
    assert (found.state.num_pos, found.delta) == (3, 3)
    assert client.ask("updatestat", b.UpdateStatRequest(state=Stat())).delta is None
    found = client.ask("dntomid", b.DnToMinIdRequest(names=[b"/", b"/o=nobody"]))
    assert found.minimal_ids == (0, 0)
    turned = b.ResortRestrictionRequest(state=Stat(), minimal_ids=(mid_of(BOB), mid_of(ALICE)))
    assert client.ask("resortrestriction", turned).minimal_ids == (mid_of(ALICE), mid_of(BOB))
    compared = b.CompareMinIdsRequest(state=Stat(), minimal_id1=mid_of(BOB), minimal_id2=mid_of(ALICE))
    assert client.ask("comparemids", compared).result == 1


def test_a_photo_is_read_from_the_mailbox_for_whoever_sees_its_owner(client: Client) -> None:
    asked = b.GetPropsRequest(state=Stat(current_rec=mid_of(BOB)), property_tags=(tags.PidTagThumbnailPhoto,))
    found = client.ask("getprops", asked)
    assert (found.code, found.property_values.values) == (0, ((tags.PidTagThumbnailPhoto, b"photo"),))
    ((call, actor),) = client.site.services.exmdb.asked
    assert (call.tags, actor) == ([tags.PidTagThumbnailPhoto], SYSTEM)


def _delegates(user_id: int) -> b.GetMatchesRequest:
    name = b.PropertyName(bytes(16), 0x8015)
    return b.GetMatchesRequest(state=Stat(current_rec=mid_of(user_id)), property_name=name, row_count=50)


def test_delegates_are_the_user_s_own_and_asked_on_the_loop(client: Client, book: Book) -> None:
    found = client.ask("getmatches", _delegates(ALICE))
    assert found.minimal_ids == (mid_of(BOB),)
    assert client.site.threads == []
    found = client.ask("getmatches", _delegates(BOB))
    assert found.minimal_ids == ()
    alice = book.of_user(ALICE)
    assert alice is not None
    entryid = alice.get(tags.PidTagEntryId)
    assert isinstance(entryid, bytes)
    asked = b.ModLinkAttRequest(property_tag=0x8015000D, minimal_id=mid_of(ALICE), entry_ids=[entryid])
    assert client.ask("modlinkatt", asked).code == 0
    call, actor = client.site.services.exmdb.asked[-1]
    assert isinstance(call, SetDelegates)
    assert (call.names, actor) == (["bob@example.test", "alice@example.test"], "alice@example.test")


COLUMNS = (NAME, tags.PidTagAddressBookDistributionListMemberCount)
LONG = [
    ("resolvenames", b.ResolveNamesRequest(state=Stat(), names=["a"])),
    ("getmatches", b.GetMatchesRequest(state=Stat(), filter=Property(4, NAME, "x"), row_count=5)),
    ("getproplist", b.GetPropListRequest(minimal_id=mid_of(EVERYBODY), code_page=1252)),
    ("getprops", b.GetPropsRequest(state=Stat(current_rec=mid_of(EVERYBODY)))),
    ("queryrows", b.QueryRowsRequest(state=Stat(), row_count=1000)),
    ("queryrows", b.QueryRowsRequest(state=Stat(), row_count=5, columns=COLUMNS)),
    ("seekentries", b.SeekEntriesRequest(state=Stat(), target=TaggedPropertyValue(NAME, "a"), columns=(NAME,) * 100)),
    ("resortrestriction", b.ResortRestrictionRequest(state=Stat(), minimal_ids=(5,) * 3000)),
]
SHORT = [
    ("getproplist", b.GetPropListRequest(minimal_id=mid_of(BOB), code_page=1252)),
    ("getprops", b.GetPropsRequest(state=Stat(current_rec=mid_of(BOB)))),
    ("queryrows", b.QueryRowsRequest(state=Stat(), row_count=50)),
    ("seekentries", b.SeekEntriesRequest(state=Stat(), target=TaggedPropertyValue(NAME, "a"), columns=(NAME,))),
    ("resortrestriction", b.ResortRestrictionRequest(state=Stat(), minimal_ids=(5,))),
]


@pytest.mark.parametrize(("name", "asked", "threads"), [*[(*one, 1) for one in LONG], *[(*one, 0) for one in SHORT]])
def test_what_takes_long_is_done_on_a_thread(client: Client, name: str, asked: b.Request, threads: int) -> None:
    assert client.ask(name, asked).code == 0
    assert len(client.site.threads) == threads


def test_tables_templates_and_lists_of_properties(client: Client) -> None:
    found = client.ask("getspecialtable", b.GetSpecialTableRequest(flags=4, state=Stat()))
    assert len(found.rows) == 7
    again = client.ask("getspecialtable", b.GetSpecialTableRequest(flags=4, state=Stat(), version=found.version))
    assert (again.version, again.rows) == (found.version, [])
    found = client.ask("gettemplateinfo", b.GetTemplateInfoRequest(flags=1, code_page=1252, locale_id=0x409))
    assert found.row.values[0].tag == tags.PidTagTemplateData
    assert NAME in client.ask("querycolumns", b.QueryColumnsRequest(map_flags=0x80000000)).columns
    found = client.ask("getproplist", b.GetPropListRequest(minimal_id=mid_of(BOB), code_page=0x4B0))
    assert tags.PidTagEmailAddress - 1 in found.property_tags
    asked = b.ModPropsRequest(state=Stat(current_rec=mid_of(BOB)), property_tags_to_remove=())
    assert client.ask("modprops", asked).code == Ec.ecAccessDenied
    assert client.ask("modprops", b.ModPropsRequest(state=asked.state)).code == Ec.ecInvalidParam


def test_where_mailboxes_and_address_books_are(client: Client) -> None:
    box = dn.mailbox_id(1, BOB, "example.test")
    found = client.ask("getmailboxurl", b.GetMailboxUrlRequest(server_dn=dn.server_dn(ORGANISATION, box)))
    assert found.server_url == f"https://mail.example.test/mapi/emsmdb/?MailboxId={box}"
    assert client.ask("getmailboxurl", b.GetMailboxUrlRequest(server_dn="/o=x")).code == Ec.ecNotFound
    found = client.ask("getaddressbookurl", b.GetAddressBookUrlRequest())
    own = dn.mailbox_id(1, ALICE, "example.test")
    assert found.server_url == f"https://mail.example.test/mapi/nspi/?MailboxId={own}"


def test_referrals(site: Any) -> None:
    assert new_dsa(site, USERS[ALICE]) == "mail.example.test"
    box = dn.mailbox_id(1, BOB, "example.test")
    assert fqdn_of_dn(site, dn.mdb_dn(ORGANISATION, box)) == "mail.example.test"
    for text in ("", "/" * 2000):
        with pytest.raises(MapiError, match="ecInvalidParam"):
            fqdn_of_dn(site, text)
