"""Which properties offline address books have, in their order, with the limits of their values. Pure.

[MS-OXOAB] 2.9.2.1 and 2.9.2.2: those that every book has, and what Exchange adds to them.
"""

from __future__ import annotations

from enum import IntFlag
from typing import Final, NamedTuple

from gromoxd.mapi import proptags as tags


class Use(IntFlag):
    """What a property is for when online ([MS-OXOAB] 2.9.4)."""

    ANR = 1
    PRIMARY_KEY = 2


class Prop(NamedTuple):
    """OAB_PROP_REC, [MS-OXOAB] 2.9.4."""

    tag: int
    flags: int = 0


STRING_LIMIT: Final = 3400
BINARY_LIMIT: Final = 32768
MULTIPLE_LIMIT: Final = 65536
"""[MS-OXOAB] 2.9.2.2.1, in octets: a string with its end, a binary value, all values of a property with several."""

HEADER: Final = (
    Prop(tags.PidTagOfflineAddressBookName), Prop(tags.PidTagOfflineAddressBookDistinguishedName),
    Prop(tags.PidTagOfflineAddressBookSequence), Prop(tags.PidTagOfflineAddressBookContainerGuid),
    Prop(tags.PidTagAddressBookHierarchicalRootDepartment),
)  # fmt: skip

EMAIL: Final = tags.PidTagEmailAddress - 1
"""DNs are 8-bit strings ([MS-OXOAB] 2.1)."""
MEMBERS, GROUPS = 0x8009101E, 0x8008101E
"""Tables of linked objects are DNs here ([MS-OXOAB] 2.9.6.7)."""

OBJECTS: Final = (
    Prop(EMAIL, Use.PRIMARY_KEY), Prop(tags.PidTagSmtpAddress, Use.PRIMARY_KEY), Prop(tags.PidTagDisplayName, Use.ANR),
    Prop(tags.PidTagAccount, Use.ANR), Prop(tags.PidTagSurname, Use.ANR), Prop(tags.PidTagGivenName, Use.ANR),
    Prop(tags.PidTagAddressBookProxyAddresses, Use.ANR), Prop(tags.PidTagOfficeLocation, Use.ANR),
    Prop(tags.PidTagDisplayType), Prop(tags.PidTagObjectType), Prop(tags.PidTagSendRichInfo),
    Prop(tags.PidTagBusinessTelephoneNumber), Prop(tags.PidTagInitials), Prop(tags.PidTagStreetAddress),
    Prop(tags.PidTagLocality), Prop(tags.PidTagStateOrProvince), Prop(tags.PidTagPostalCode), Prop(tags.PidTagCountry),
    Prop(tags.PidTagTitle), Prop(tags.PidTagCompanyName), Prop(tags.PidTagAssistant), Prop(tags.PidTagDepartmentName),
    Prop(tags.PidTagAddressBookTargetAddress), Prop(tags.PidTagHomeTelephoneNumber),
    Prop(tags.PidTagBusiness2TelephoneNumbers), Prop(tags.PidTagHome2TelephoneNumbers),
    Prop(tags.PidTagPrimaryFaxNumber), Prop(tags.PidTagMobileTelephoneNumber),
    Prop(tags.PidTagAssistantTelephoneNumber), Prop(tags.PidTagPagerTelephoneNumber), Prop(tags.PidTagComment),
    Prop(tags.PidTagUserCertificate), Prop(tags.PidTagUserX509Certificate),
    Prop(tags.PidTagAddressBookX509Certificate), Prop(tags.PidTagAddressBookHomeMessageDatabase),
    Prop(tags.PidTagDisplayTypeEx), Prop(tags.PidTagAddressBookObjectGuid),
    Prop(tags.PidTagAddressBookPhoneticGivenName, Use.ANR), Prop(tags.PidTagAddressBookPhoneticSurname, Use.ANR),
    Prop(tags.PidTagAddressBookPhoneticDepartmentName), Prop(tags.PidTagAddressBookPhoneticCompanyName),
    Prop(tags.PidTagAddressBookPhoneticDisplayName, Use.ANR), Prop(tags.PidTagAddressBookRoomCapacity),
    Prop(tags.PidTagAddressBookDistributionListMemberCount),
    Prop(tags.PidTagAddressBookDistributionListExternalMemberCount), Prop(MEMBERS), Prop(GROUPS),
    Prop(tags.PidTagThumbnailPhoto), Prop(tags.PidTagOfflineAddressBookTruncatedProperties),
)  # fmt: skip
