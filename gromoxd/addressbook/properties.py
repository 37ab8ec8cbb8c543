"""The properties of address book objects ([MS-OXOABK] 2.2): those computed, and those the directory has.

Photo and delegates are in the mailbox of a user, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from gromoxd.addressbook.entry import Collection, Entry, Kind, object_guid
from gromoxd.directory import dn
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.entryids import MUID_EMSAB, AddressBookEntryId, DisplayType
from gromoxd.mapi.types import PropValue

if TYPE_CHECKING:
    from gromoxd.addressbook.reader import Item

MOST_LINKED: Final = 5000
"""Distinguished names in a property that names linked objects; all of them are in the table (NspiGetMatches)."""
_MID = Struct("<I")

MAPI_MAILUSER, MAPI_DISTLIST, MAPI_ABCONT = 6, 8, 4
"""PidTagObjectType ([MS-OXOABK] 2.2.3.10)."""
MEMBERS: Final = 0x8009101F
GROUPS: Final = 0x8008101F
REPORTS: Final = 0x800E101F
HOME_MDB: Final = 0x8006001F
LIST_FLAGS: Final = 0x9
"""PidTagContainerFlags of a distribution list: recipients, not to be modified ([MS-OXOABK] 2.2.2.1)."""
MEMBER_TABLE, GROUP_TABLE, REPORT_TABLE = 0x8009000D, 0x8008000D, 0x800E000D
MANAGER_TABLE: Final = tags.PidTagAddressBookManager
DELEGATE_TABLE: Final = tags.PidTagAddressBookPublicDelegates
LINK_FAMILIES: Final = {0x360F: "members", 0x8009: "members", 0x8008: "groups", 0x800E: "reports", 0x8005: "managers"}
"""Properties that name other objects, by property id."""
COSTLY: Final = frozenset(
    tag >> 16 for tag in (MEMBERS, REPORTS, tags.PidTagAddressBookDistributionListMemberCount)
)  # fmt: skip
"""Ids of properties for which all members of a list are looked at, who may be everybody."""


class Types(NamedTuple):
    """PidTagDisplayType, PidTagDisplayTypeEx, PidTagObjectType, and the type in permanent entry ids."""

    display: int
    display_ex: int
    object: int
    entryid: int


TYPES: Final[dict[int, Types]] = {
    Kind.USER: Types(0, 0x40000000, MAPI_MAILUSER, DisplayType.LOCAL_MAIL_USER),
    Kind.SHARED: Types(0, 0, MAPI_MAILUSER, DisplayType.LOCAL_MAIL_USER),
    Kind.LIST: Types(1, 0x40000009, MAPI_DISTLIST, DisplayType.DISTRIBUTION_LIST),
    Kind.CONTACT: Types(6, 6, MAPI_MAILUSER, DisplayType.REMOTE_MAIL_USER),
    Kind.ROOM: Types(0, 7, MAPI_MAILUSER, DisplayType.LOCAL_MAIL_USER),
    Kind.EQUIPMENT: Types(0, 8, MAPI_MAILUSER, DisplayType.LOCAL_MAIL_USER),
}


def container_guid(mid: int, domain_id: int) -> bytes:
    """The GUID of a container; `domain_id`: the first domain of its organisation."""
    return object_guid(domain_id, 0)[:10] + bytes(2) + _MID.pack(mid)


def container_dn(mid: int, domain_id: int) -> str:
    """The DN of a container: `/` is the global address list ([MS-OXNSPI] 2.2.9.3)."""
    return f"/guid={UUID(bytes_le=container_guid(mid, domain_id)).hex.upper()}" if mid else "/"


def permanent_id(item: Item) -> bytes:
    """PermanentEntryID of an object."""
    return AddressBookEntryId(item.dn, TYPES[item.entry.kind].entryid).encode()


def value_of(item: Item, tag: int) -> PropValue:
    """A property of an object by its tag (strings: PtypString), None when it is not there."""
    compute = _COMPUTED.get(tag)
    if compute is not None:
        return compute(item)
    value: PropValue = item.entry.props.get(tag)
    return value


def tags_of(item: Item) -> list[int]:
    """The tags of all properties of an object, strings as PtypString, tables of linked objects as PtypObject."""
    found = [tag for tag, compute in _COMPUTED.items() if compute(item) is not None]
    found += [tag for tag in item.entry.props if tag not in _COMPUTED]
    return found


def all_tags() -> list[int]:
    """All properties that objects may have (NspiQueryColumns)."""
    return [*_COMPUTED, *_STORED]


# ---------------------------------------------------------------------------------------------- computed ones


def _entry(get: Callable[[Entry], PropValue]) -> Callable[[Item], PropValue]:
    return lambda item: get(item.entry)


def _type(get: Callable[[Types], int]) -> Callable[[Item], PropValue]:
    return lambda item: get(TYPES[item.entry.kind])


def _proxies(item: Item) -> PropValue:
    entry = item.entry
    others = [entry.username] if entry.smtp != entry.username else []
    return [f"SMTP:{entry.smtp}", *[f"smtp:{alias}" for alias in (*others, *entry.aliases)]]


def _home_mdb(item: Item) -> PropValue:
    entry = item.entry
    if not entry.has_store:
        return None
    mailbox = dn.mailbox_id(entry.domain_id, entry.user_id, entry.username.partition("@")[2])
    return dn.mdb_dn(item.book.organisation, mailbox)


def _server(item: Item) -> PropValue:
    home = _home_mdb(item)
    if not isinstance(home, str):
        return None
    name = home.rpartition("/cn=")[0]
    return [f"ncacn_ip_tcp:{name.rpartition('/cn=')[2]}"]


def linked(item: Item, family: str) -> list[int]:
    """The entries of a family of links."""
    if family == "members":
        return item.book.members(item) if item.entry.kind == Kind.LIST else []
    return item.book.groups(item) if family == "groups" else item.book.linked(family, item)


def _names(family: str) -> Callable[[Item], PropValue]:
    def names(item: Item) -> PropValue:
        found = linked(item, family)[:MOST_LINKED]
        return [item.book.item(index).dn for index in found] or None

    return names


def _table(family: str) -> Callable[[Item], PropValue]:
    def table(item: Item) -> PropValue:
        present: Sequence[int] | bool = item.entry.kind == Kind.LIST if family == "members" else linked(item, family)
        return b"" if present else None

    return table


def _manager(item: Item) -> PropValue:
    found = linked(item, "managers")
    return item.book.item(found[0]).dn if found else None


def _member_count(item: Item) -> PropValue:
    return len(linked(item, "members")) if item.entry.kind == Kind.LIST else None


def _outside(item: Item) -> PropValue:
    return item.book.snapshot.outside(item.index) if item.entry.kind == Kind.LIST else None


def _rooms(item: Item) -> PropValue:
    rooms = item.book.collection(Collection.ROOMS)
    return [container_dn(rooms.mid, item.book.meta.domains[0].id)] if len(rooms) else None


def _phone(first: int, second: int) -> Callable[[Item], PropValue]:
    return lambda item: item.entry.props.get(first) or item.entry.props.get(second)


def _capacity(item: Item) -> PropValue:
    value = item.entry.props.get(tags.PidTagAddressBookRoomCapacity)
    return value if isinstance(value, int) else None


_COMPUTED: Final[dict[int, Callable[[Item], PropValue]]] = {
    tags.PidTagEntryId: permanent_id,
    tags.PidTagRecordKey: permanent_id,
    tags.PidTagTemplateid: permanent_id,
    tags.PidTagOriginalEntryId: permanent_id,
    tags.PidTagInstanceKey: lambda item: _MID.pack(item.mid),
    tags.PidTagSearchKey: lambda item: b"EX:" + item.dn.upper().encode("latin-1", "replace") + b"\0",
    tags.PidTagMappingSignature: lambda _: MUID_EMSAB,
    tags.PidTagDisplayType: _type(lambda types: types.display),
    tags.PidTagDisplayTypeEx: _type(lambda types: types.display_ex),
    tags.PidTagAddressBookDisplayTypeExtended: _type(lambda types: types.display_ex),
    tags.PidTagObjectType: _type(lambda types: types.object),
    tags.PidTagDisplayName: _entry(lambda entry: entry.display_name),
    tags.PidTagTransmittableDisplayName: _entry(lambda entry: entry.display_name),
    tags.PidTagAddressBookDisplayNamePrintable: _entry(lambda entry: entry.display_name),
    tags.PidTagAddressType: lambda _: "EX",
    tags.PidTagEmailAddress: lambda item: item.dn,
    tags.PidTagAddressBookObjectDistinguishedName: lambda item: item.dn,
    tags.PidTagSmtpAddress: _entry(lambda entry: entry.smtp),
    tags.PidTagAccount: _entry(lambda entry: entry.username.partition("@")[0]),
    tags.PidTagAddressBookProxyAddresses: _proxies,
    tags.PidTagAddressBookTargetAddress: _entry(
        lambda entry: f"SMTP:{entry.smtp}" if entry.kind == Kind.CONTACT else None
    ),
    HOME_MDB: _home_mdb,
    tags.PidTagAddressBookNetworkAddress: _server,
    tags.PidTagAddressBookObjectGuid: _entry(lambda entry: entry.guid),
    tags.PidTagAddressBookContainerId: lambda _: 0,
    tags.PidTagInitialDetailsPane: lambda _: 0,
    tags.PidTagContainerFlags: _entry(lambda entry: LIST_FLAGS if entry.kind == Kind.LIST else None),
    tags.PidTagSendRichInfo: lambda _: True,
    tags.PidTagSendInternetEncoding: lambda _: 0,
    tags.PidTagBusinessTelephoneNumber: _phone(tags.PidTagBusinessTelephoneNumber, tags.PidTagPrimaryTelephoneNumber),
    tags.PidTagPrimaryTelephoneNumber: _phone(tags.PidTagPrimaryTelephoneNumber, tags.PidTagBusinessTelephoneNumber),
    MEMBERS: _names("members"),
    GROUPS: _names("groups"),
    REPORTS: _names("reports"),
    MEMBER_TABLE: _table("members"),
    tags.PidTagContainerContents: _table("members"),
    GROUP_TABLE: _table("groups"),
    REPORT_TABLE: _table("reports"),
    tags.PidTagAddressBookManagerDistinguishedName: _manager,
    MANAGER_TABLE: _table("managers"),
    tags.PidTagAddressBookDistributionListMemberCount: _member_count,
    tags.PidTagAddressBookDistributionListExternalMemberCount: _outside,
    tags.PidTagAddressBookRoomContainers: _rooms,
    tags.PidTagAddressBookRoomCapacity: _capacity,
}

_STORED: Final = (
    tags.PidTagGivenName, tags.PidTagSurname, tags.PidTagInitials, tags.PidTagNickname, tags.PidTagTitle,
    tags.PidTagCompanyName, tags.PidTagDepartmentName, tags.PidTagOfficeLocation, tags.PidTagAssistant,
    tags.PidTagAssistantTelephoneNumber, tags.PidTagBusiness2TelephoneNumbers, tags.PidTagHomeTelephoneNumber,
    tags.PidTagHome2TelephoneNumbers, tags.PidTagMobileTelephoneNumber, tags.PidTagPagerTelephoneNumber,
    tags.PidTagPrimaryFaxNumber, tags.PidTagBusinessFaxNumber, tags.PidTagCountry, tags.PidTagLocality,
    tags.PidTagStateOrProvince, tags.PidTagStreetAddress, tags.PidTagPostalCode, tags.PidTagPostOfficeBox,
    tags.PidTagComment, tags.PidTagBusinessHomePage, tags.PidTagUserX509Certificate,
    tags.PidTagAddressBookX509Certificate, tags.PidTagThumbnailPhoto, tags.PidTagAddressBookPhoneticDisplayName,
    tags.PidTagAddressBookPhoneticGivenName, tags.PidTagAddressBookPhoneticSurname,
    tags.PidTagAddressBookPhoneticDepartmentName, tags.PidTagAddressBookPhoneticCompanyName,
    tags.PidTagAddressBookExtensionAttribute1, tags.PidTagAddressBookRoomDescription,
)  # fmt: skip
"""What the directory usually has of people."""
