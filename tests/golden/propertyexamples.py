"""Values of properties and streams that documents print, and what they say is in them.

Those of calendars and compressed RTF are beside the fuzz suite's samples, in `tests.mapi.structures.calendar`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from gromoxd.mapi import proptags as p
from gromoxd.mapi import recurrence as r
from gromoxd.mapi.entryids import EntryList, FolderEntryId, ObjectType
from gromoxd.mapi.fasttransfer import Marker, Property, decode_stream, encode_stream
from gromoxd.mapi.globalobjectid import GlobalObjectId
from gromoxd.mapi.ids import LongTermId, eid_value, gid, guid_octets
from gromoxd.mapi.times import TICKS, UNIX_EPOCH_NT
from gromoxd.mapi.timezones import SystemTime, TimeZoneDefinition, TimeZoneRule, TimeZoneStruct
from gromoxd.mapi.verbstream import VerbStream, VoteOption
from tests.mapi.structures import calendar as c


class Example(NamedTuple):
    """`decode` of the octets is `value`, `encode` of that gives them again."""

    source: str
    octets: bytes
    value: object
    decode: Callable[[bytes], object]
    encode: Callable[..., bytes]


def minutes(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """Minutes since 1601, as recurrences count."""
    return int((datetime(year, month, day, hour, minute) - datetime(1601, 1, 1)).total_seconds()) // 60


def filetime(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """FILETIME of a date and time in UTC."""
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()) * TICKS + UNIX_EPOCH_NT


_WEEKLY = r.RecurrencePattern(
    r.RecurFrequency.Weekly, r.PatternType.Week, period=1, first_date_time=0x21C0, week_days=0x32,
    end_type=r.EndType.EndAfterNOccurrences, occurrence_count=12, start_date=minutes(2007, 3, 26),
    end_date=minutes(2007, 4, 20),
)  # fmt: skip
_MOVED = (minutes(2007, 4, 16, 11), minutes(2007, 4, 16, 11, 30), minutes(2007, 4, 16, 10))
_NEW_SUBJECT, _NEW_PLACE = "Simple Recurrence with exceptions", "34/4141"
WEEKLY = r.AppointmentRecurrencePattern(_WEEKLY, 10 * 60, 10 * 60 + 30)
WEEKLY_EXCEPTION = r.AppointmentRecurrencePattern(
    _WEEKLY._replace(deleted_instance_dates=(minutes(2007, 4, 16),), modified_instance_dates=(minutes(2007, 4, 16),)),
    10 * 60,
    10 * 60 + 30,
    (r.ExceptionInfo(*_MOVED, 0x0011, subject=_NEW_SUBJECT.encode(), location=_NEW_PLACE.encode()),),
    (r.ExtendedException(r.ChangeHighlight(), *_MOVED, _NEW_SUBJECT, _NEW_PLACE),),
)
DAILY = r.AppointmentRecurrencePattern(
    r.RecurrencePattern(
        r.RecurFrequency.Daily, r.PatternType.Day, period=4320, first_date_time=0x5A0, end_type=r.EndType.EndByDate,
        occurrence_count=10, start_date=minutes(2011, 4, 7), end_date=minutes(2011, 5, 4),
        deleted_instance_dates=(minutes(2011, 4, 19), minutes(2011, 4, 22)),
    ),
    8 * 60, 8 * 60 + 30,
)  # fmt: skip
N_MONTHLY = bytes.fromhex(
    "043004300c200300000060ae000003000000000000004100000003000000222000000a00000000000000020000006028"
    "c50c4028c70c02000000002ec50c4028c70c8028c30c6027d50c063000000930000048030000fc03000002004831c50c"
    "fc31c50ca82bc50c0000882bc70c3c2cc70c882bc70c10000d000c006e6577206c6f636174696f6e0000000004000000"
    "0000000000000000040000000000000000000000882bc70c3c2cc70c882bc70c0c006e006500770020006c006f006300"
    "6100740069006f006e000000000000000000"
)
"""[MS-OXOCAL] 4.1.1.4, "N-Monthly Recurrence BLOB with Exceptions": the third day of weekends of every third month."""
_PLACE = "new location"
_STAYS = (minutes(2008, 8, 9, 14), minutes(2008, 8, 9, 17), minutes(2008, 8, 9, 14))
N_MONTHLY_VALUE = r.AppointmentRecurrencePattern(
    r.RecurrencePattern(
        r.RecurFrequency.Monthly, r.PatternType.MonthNth, period=3, first_date_time=0xAE60, week_days=0x41, n=3,
        end_type=r.EndType.EndAfterNOccurrences, occurrence_count=10, start_date=minutes(2008, 2, 9),
        end_date=minutes(2010, 5, 8),
        deleted_instance_dates=(minutes(2008, 5, 10), minutes(2008, 8, 9)),
        modified_instance_dates=(minutes(2008, 5, 11), minutes(2008, 8, 9)),
    ),
    14 * 60, 17 * 60,
    (
        r.ExceptionInfo(minutes(2008, 5, 11, 14), minutes(2008, 5, 11, 17), minutes(2008, 5, 10, 14), 0),
        r.ExceptionInfo(*_STAYS, 0x0010, location=_PLACE.encode()),
    ),
    (
        r.ExtendedException(r.ChangeHighlight()),
        r.ExtendedException(r.ChangeHighlight(), *_STAYS, None, _PLACE),
    ),
)  # fmt: skip
HEBREW = r.AppointmentRecurrencePattern(
    r.RecurrencePattern(
        r.RecurFrequency.Yearly, r.PatternType.Month, period=12, first_date_time=0x000A7580,
        calendar_type=r.CalendarType.CAL_HEBREW, day=3, start_date=0x0CC47460,
        deleted_instance_dates=(minutes(2011, 4, 7),), modified_instance_dates=(minutes(2011, 4, 7),),
    ),
    8 * 60, 8 * 60 + 30,
    (r.ExceptionInfo(0x0CDC8000, 0x0CDC801E, 0x0CDC8000, 0x0224, reminder_delta=60, busy_status=1),),
    (r.ExtendedException(),),
)  # fmt: skip

_FIRST_SUNDAY_NOVEMBER = SystemTime(month=11, day=1, hour=2)
_SECOND_SUNDAY_MARCH = SystemTime(month=3, day=2, hour=2)
PACIFIC = TimeZoneDefinition(
    "Pacific Standard Time",
    (
        TimeZoneRule(0, 2006, 480, 0, -60, SystemTime(month=10, day=5, hour=2), SystemTime(month=4, day=1, hour=2)),
        TimeZoneRule(2, 2007, 480, 0, -60, _FIRST_SUNDAY_NOVEMBER, _SECOND_SUNDAY_MARCH),
    ),
)
PACIFIC_STRUCT = TimeZoneStruct(480, 0, -60, _FIRST_SUNDAY_NOVEMBER, _SECOND_SUNDAY_MARCH)

CALENDAR_ENTRYID = bytes.fromhex(
    "00000000 c3e178579652ce46a353b3e07f9b97bc 0100 8b8db182af2ed048934707ed5448840f 00174ea89c98 0000"
)
"""The Calendar whose FID section 4.1.5 gives as 0001-00174ea89c98."""

SEARCHED = bytes.fromhex(
    "01000000 bccd8718 2e000000 c4cd8718"
    "00000000 0a19d6bcc8b44a4cbf5df63a922e170c 0100 14e20014ee879243a1a829b0620dbd89 0000020defa8 0000"
)
"""FolderList1 of the definition of "Unread Mail": Outlook leaves two of its addresses in the pads."""

INBOX_CHANGE = bytes.fromhex(
    "03001240 0201e165 00000000 0201e065 16000000 52f685ec7d432e4aa960345088 53d90a 0000000003f5"
    "40000830 00d09ea88185d001 0201e265 16000000 52f685ec7d432e4aa96034508853d90a 00000000207c"
    "0201e365 17000000 16 52f685ec7d432e4aa96034508853d90a 00000000207c"
    "1f000130 0c000000 49004e0042004f0058000000 14004967 01000000000003f4 03003966 fb030000"
    "40000730 803906a88185d001 0b00f410 0000"
)
"""The first change of a synchronised hierarchy, from Exchange: how Microsoft explains the stream to implementers."""
_REPLICA = guid_octets("ec85f652-437d-4a2e-a960-34508853d90a")

VOTING = bytes.fromhex(
    "0201 03000000"
    "04000000 03596573 0849504d2e4e6f7465 00 03596573 00000000 00 00000000 01000000 02000000 02000000 01000000 ffffffff"
    "04000000 024e6f 0849504d2e4e6f7465 00 024e6f 00000000 00 00000000 01000000 02000000 02000000 02000000 ffffffff"
    "04000000 054d61796265 0849504d2e4e6f7465 00 054d61796265"
    "00000000 00 00000000 01000000 02000000 02000000 03000000 ffffffff"
    "0401 03590065007300 03590065007300 024e006f00 024e006f00 054d0061007900620065 00 054d006100790062006500"
)

INSTANCE = bytes.fromhex(
    "040000008200e00074c5b7101a82e008 07d8 05 1c 3046642b576ac801 0000000000000000 10000000"
    "622c639e40d09342b747a1672730cbba"
)
INSTANCE_UID = (
    "040000008200E00074C5B7101A82E008000000003046642B576AC801000000000000000010000000622C639E40D09342B747A1672730CBBA"
)
"""The UID in the calendar that [MS-OXCICAL] prints for it: the date is not in it."""

_recurrence = (r.AppointmentRecurrencePattern.decode, r.AppointmentRecurrencePattern.encode)
_definition = (TimeZoneDefinition.decode, TimeZoneDefinition.encode)
_goid = (GlobalObjectId.decode, GlobalObjectId.encode)

EXAMPLES: dict[str, Example] = {
    "oxocal-4.1.1.1": Example("MS-OXOCAL 4.1.1.1", c.WEEKLY, WEEKLY, *_recurrence),
    "oxocal-4.1.1.2": Example("MS-OXOCAL 4.1.1.2", c.WEEKLY_EXCEPTION, WEEKLY_EXCEPTION, *_recurrence),
    "oxocal-4.1.1.3": Example("MS-OXOCAL 4.1.1.3", c.DAILY, DAILY, *_recurrence),
    "oxocal-4.1.1.4": Example("MS-OXOCAL 4.1.1.4", N_MONTHLY, N_MONTHLY_VALUE, *_recurrence),
    "oxocal-4.1.1.6": Example("MS-OXOCAL 4.1.1.6", c.HEBREW, HEBREW, *_recurrence),
    "oxocal-4.1.4": Example("MS-OXOCAL 4.1.4", c.DEFINITION, PACIFIC, *_definition),
    "oxocal-4.1.5": Example(
        "MS-OXOCAL 4.1.5", c.STRUCT, PACIFIC_STRUCT, TimeZoneStruct.decode, TimeZoneStruct.encode
    ),
    "oxocal-goid": Example(
        "MS-OXOCAL 4, PidLidGlobalObjectId", c.GLOBAL_ID,
        GlobalObjectId(bytes.fromhex("2a5844b3a444f74a9c246c60886f116b"), 0x01C873E461D42550, 2008, 3, 25), *_goid,
    ),
    "oxcical-instance": Example(
        "MS-OXCICAL, Organizer's Cancellation of an Instance: PidLidGlobalObjectId", INSTANCE,
        GlobalObjectId(bytes.fromhex("622c639e40d09342b747a1672730cbba"), 0x01C86A572B644630, 2008, 5, 28), *_goid,
    ),
    "asemail-4.3-1": Example(
        "MS-ASEMAIL 4.3, first", c.GLOBAL_ID_HEX,
        GlobalObjectId(bytes.fromhex("0bf0ed4b6e4ee94e9e39e3867b378ef3"), 0x01C48526C1C940E0, 2004, 9, 16), *_goid,
    ),
    "asemail-4.3-2": Example(
        "MS-ASEMAIL 4.3, second", c.GLOBAL_ID_VCAL,
        GlobalObjectId(b"vCal-Uid\x01\0\0\0{81412D3C-2A24-4E9D-B20E-11F7BBE92799}\0"), *_goid,
    ),
    "oxodlgt-4.1.1": Example(
        "MS-OXODLGT 4.1.1, PidTagIpmAppointmentEntryId", CALENDAR_ENTRYID,
        FolderEntryId(
            guid_octets("5778e1c3-5296-46ce-a353-b3e07f9b97bc"),
            LongTermId(guid_octets("82b18d8b-2eaf-48d0-9347-07ed5448840f"), 0x00174EA89C98),
            ObjectType.PRIVATE_FOLDER,
        ),
        FolderEntryId.decode, FolderEntryId.encode,
    ),
    "oxosrch-4.1": Example(
        "MS-OXOSRCH 4.1, FolderList1 of PidTagSearchFolderDefinition", SEARCHED,
        EntryList((SEARCHED[16:],), (0x1887CDBC, 0x1887CDC4)), EntryList.decode, EntryList.encode,
    ),
    "oxomsg-4.5": Example(
        "MS-OXOMSG 4.5, PidLidVerbStream", VOTING,
        VerbStream((VoteOption(1, "Yes", b"Yes"), VoteOption(2, "No", b"No"), VoteOption(3, "Maybe", b"Maybe"))),
        VerbStream.decode, VerbStream.encode,
    ),
    "oxcfxics-stream": Example(
        "MS-OXCFXICS 2.2.4, as Microsoft's protocol team explained it in 2015", INBOX_CHANGE,
        [
            Marker.IncrSyncChg,
            Property(p.PidTagParentSourceKey, b""),
            Property(p.PidTagSourceKey, gid(_REPLICA, 0x03F5)),
            Property(p.PidTagLastModificationTime, 0x01D08581A89ED000),
            Property(p.PidTagChangeKey, gid(_REPLICA, 0x207C)),
            Property(p.PidTagPredecessorChangeList, b"\x16" + gid(_REPLICA, 0x207C)),
            Property(p.PidTagDisplayName, "INBOX"),
            Property(p.PidTagParentFolderId, eid_value(1, 0x03F4)),
            Property(p.PidTagRights, 0x03FB),
            Property(p.PidTagCreationTime, 0x01D08581A8063980),
            Property(p.PidTagAttributeHidden, False),
        ],
        decode_stream, encode_stream,
    ),
}  # fmt: skip

DELEGATE_PREFIX = bytes.fromhex(
    "00000000 dca740c8c042101ab4b908002b2fe182 01000000 00000000"
    "2f6f3d4669727374204f7267616e697a6174696f6e2f6f753d45786368616e67652041646d696e6973747261746976"
)
"""[MS-OXODLGT] 4.1.5: PidTagEntryId of a delegate in RopModifyPermissions, the first 75 of 128 octets."""
DELEGATE_DN = "/o=First Organization/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=delegate1"
"""As the LegacyDN of [MS-OXODLGT] 4.1.1 is made."""
