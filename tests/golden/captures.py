"""Two ROP input buffers that Outlook 2007 sent, from the test data of OpenChange, decompressed; and what is in them."""

from __future__ import annotations

from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import AddressBookEntryId
from gromoxd.mapi.recipients import RecipientRow
from gromoxd.mapi.restrictions import And, BitMask, Content, Property
from tests.golden.rops import Recipient, Rop

DN = "/o=First Organization/ou=First Administrative Group/cn=Recipients/cn="

SUBMIT = bytes.fromhex(
    "c7010d0000010000000e00000c000300fe0f030000391f00ff391f00fe390300713a1f00003a0300ff5f0300de5f0300fd5f"
    "1f00f65f0201f75f0300df5f010000000000015401510645004a6b6572696875656c004a0075006c00690065006e0020004b"
    "006500720069006800750065006c0000006a006b006500720069006800750065006c0000000c000006000000000000006a00"
    "6b006500720069006800750065006c0000006a006b006500720069006800750065006c0040006f00700065006e0063006800"
    "61006e006700650032003000300033002e006c006f00630061006c000000000000006a006b00650072006900680075006500"
    "6c0000000000000000000000010000004a0075006c00690065006e0020004b006500720069006800750065006c0000006b00"
    "00000000dca740c8c042101ab4b908002b2fe18201000000000000002f6f3d4669727374204f7267616e697a6174696f6e2f"
    "6f753d46697273742041646d696e6973747261746976652047726f75702f636e3d526563697069656e74732f636e3d6a6b65"
    "72696875656c00000000000a0000160002001f003d0000001f001d0e74006500730074000000320000000700000000000001"
    "000201e26545000000"
)
"""A message to one recipient of the address book is addressed and sent."""

COLUMNS = [
    p.PidTagObjectType, p.PidTagDisplayType, p.PidTagAddressBookDisplayNamePrintable, p.PidTagSmtpAddress,
    p.PidTagSendInternetEncoding, p.PidTagAccount, p.PidTagRecipientTrackStatus, p.PidTagRecipientResourceState,
    p.PidTagRecipientFlags,
    p.PidTagRecipientDisplayName, p.PidTagRecipientEntryId, p.PidTagRecipientOrder,
]  # fmt: skip

ROW = RecipientRow(
    0x0651,  # X500DN, with display, simple and transmittable names, the last the same as the first, in Unicode
    (
        6, 0, "jkerihuel", "jkerihuel@openchange2003.local", 0, "jkerihuel", 0, 0, 1, "Julien Kerihuel",
        AddressBookEntryId(DN + "jkerihuel").encode(), 0,
    ),
    address_prefix_used=len(DN),
    x500dn=b"Jkerihuel",
    display_name="Julien Kerihuel",
    simple_display_name="jkerihuel",
)  # fmt: skip

SUBMIT_ROPS = [
    Rop("RopRemoveAllRecipients", {"LogonId": 0, "InputHandleIndex": 0, "Reserved": 1}),
    Rop(
        "RopModifyRecipients",
        {"LogonId": 0, "InputHandleIndex": 0, "PropertyTags": COLUMNS, "RecipientRows": [Recipient(0, 1, ROW)]},
    ),
    Rop(
        "RopSetProperties",
        {
            "LogonId": 0,
            "InputHandleIndex": 0,
            "PropertyValues": {p.PidTagSubjectPrefix: "", p.PidTagNormalizedSubject: "test"},
        },
    ),
    Rop("RopSubmitMessage", {"LogonId": 0, "InputHandleIndex": 0, "SubmitFlags": 0}),
    Rop(
        "RopGetPropertiesSpecific",
        {
            "LogonId": 0,
            "InputHandleIndex": 0,
            "PropertySizeLimit": 0,
            "WantUnicode": 0,
            "PropertyTags": [p.PidTagChangeKey],
        },
    ),
]

VIEW_FLAGS, VIEW_KIND = 0x68340003, 0x683A0003
"""On views; the same numbers are other properties of search folders."""

VIEWS = bytes.fromhex(
    "64010500000102120001000d001400486714004a6714004d6703004e671f00370003003468480033681f00067003003a6803"
    "0007700300416802014268400008304f000100980000050004041f001a001f001a00490050004d002e004d00690063007200"
    "6f0073006f00660074002e0046006f006c00640065007200440065007300690067006e002e004e0061006d00650064005600"
    "690065007700000006000300346801000000040403003a6803003a6808000000060103003468000200000300000000"
    "1f0037001f0037004d00650073007300610067006500730000000000000200020301000000003351090002000204010000"
    "000000273b0029000205780000010000000000273b0000000000000000070004000001001200140049670300f40f02017266"
    "1f00e5361f00e6361f0001300300013603000236030003360b000a361f001336020116360300de360201df360201e0360300"
    "e1360201da3603002d6775000000ffffffff71000000ffffffffffffffffffffffff"
)
"""The view "Messages" is looked for among a folder's associated messages, and two folders are opened."""

VIEWS_ROPS = [
    Rop("RopGetContentsTable", {"LogonId": 0, "InputHandleIndex": 0, "OutputHandleIndex": 1, "TableFlags": 0x02}),
    Rop(
        "RopSetColumns",
        {
            "LogonId": 0,
            "InputHandleIndex": 1,
            "SetColumnsFlags": 0,
            "PropertyTags": [
                p.PidTagFolderId, p.PidTagMid, p.PidTagInstID, p.PidTagInstanceNum, p.PidTagSubject, VIEW_FLAGS,
                0x68330048, p.PidTagViewDescriptorName, VIEW_KIND, p.PidTagViewDescriptorVersion, 0x68410003,
                0x68420102, p.PidTagLastModificationTime,
            ],
        },
    ),
    Rop(
        "RopFindRow",
        {
            "LogonId": 0,
            "InputHandleIndex": 1,
            "FindRowFlags": 0,
            "RestrictionData": And(
                (
                    Property(4, p.PidTagMessageClass, "IPM.Microsoft.FolderDesign.NamedView"),
                    BitMask(0, VIEW_FLAGS, 0x00000001),
                    Property(4, VIEW_KIND, 8),
                    BitMask(1, VIEW_FLAGS, 0x00000200),
                    Content(0, 0, p.PidTagSubject, "Messages"),
                )
            ),
            "Origin": 0,
            "Bookmark": b"",
        },
    ),
    *(
        Rop(
            "RopOpenFolder",
            {"LogonId": 0, "InputHandleIndex": 2, "OutputHandleIndex": to, "FolderId": fid, "OpenModeFlags": 0},
        )
        for to, fid in ((3, "0001-000000335109"), (4, "0001-00000000273B"))
    ),
    Rop(
        "RopRegisterNotification",
        {
            "LogonId": 0,
            "InputHandleIndex": 2,
            "OutputHandleIndex": 5,
            "NotificationTypes": 0x0078,
            "WantWholeStore": 0,
            "FolderId": "0001-00000000273B",
            "MessageId": "0000-000000000000",
        },
    ),
    Rop(
        "RopGetPropertiesSpecific",
        {
            "LogonId": 0,
            "InputHandleIndex": 4,
            "PropertySizeLimit": 0,
            "WantUnicode": 1,
            "PropertyTags": [
                p.PidTagParentFolderId, p.PidTagAccess, p.PidTagShortTermParentEntryIdFromObject,
                p.PidTagDefaultPostMessageClass, 0x36E6001F, p.PidTagDisplayName, p.PidTagFolderType,
                p.PidTagContentCount, p.PidTagContentUnreadCount, p.PidTagSubfolders, p.PidTagContainerClass,
                p.PidTagDefaultViewEntryId, 0x36DE0003, p.PidTagFolderWebviewinfo, 0x36E00102, 0x36E10003,
                p.PidTagExtendedFolderFlags, 0x672D0003,
            ],
        },
    ),
]  # fmt: skip
