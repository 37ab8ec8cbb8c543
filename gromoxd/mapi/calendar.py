"""Numbers that calendar objects and meeting messages speak in ([MS-OXOCAL] 2.2)."""

from __future__ import annotations

from enum import IntEnum, IntFlag

APPOINTMENT, EXCEPTION = "IPM.Appointment", "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"
"""PidTagMessageClass of a calendar object (2.2.2.1), and of an Exception Embedded Message object (2.2.10.2.1)."""
MEETING = "IPM.Schedule.Meeting."
"""What the classes of all meeting messages begin with (2.2.6 to 2.2.9)."""
REQUEST, CANCELED = MEETING + "Request", MEETING + "Canceled"
ACCEPTED, DECLINED, TENTATIVE = MEETING + "Resp.Pos", MEETING + "Resp.Neg", MEETING + "Resp.Tent"
MINUTE_NT = 600_000_000
"""100-nanosecond units of a minute."""


class BusyStatus(IntEnum):
    """PidLidBusyStatus (2.2.1.2)."""

    olFree = 0
    olTentative = 1
    olBusy = 2
    olOutOfOffice = 3
    olWorkingElsewhere = 4


class StateFlags(IntFlag):
    """PidLidAppointmentStateFlags (2.2.1.10)."""

    asfMeeting = 1
    asfReceived = 2
    asfCanceled = 4


class ResponseStatus(IntEnum):
    """PidLidResponseStatus (2.2.1.11) and PidTagRecipientTrackStatus (2.2.4.10.2)."""

    respNone = 0
    respOrganized = 1
    respTentative = 2
    respAccepted = 3
    respDeclined = 4
    respNotResponded = 5


class MeetingType(IntEnum):
    """PidLidMeetingType (2.2.6.5)."""

    mtgEmpty = 0
    mtgRequest = 1
    mtgFull = 0x10000
    mtgInfo = 0x20000
    mtgOutOfDate = 0x80000
    mtgDelegatorCopy = 0x100000


class RecipientFlags(IntFlag):
    """PidTagRecipientFlags (2.2.4.10.1)."""

    recipSendable = 1
    recipOrganizer = 2
    recipExceptionalResponse = 0x10
    recipExceptionalDeleted = 0x20
    recipOriginal = 0x100


AF_EXCEPTION = 2
"""PidTagAttachmentFlags of an Exception Attachment object (2.2.10.1.2)."""
RESPONSES = {
    ACCEPTED: ResponseStatus.respAccepted,
    DECLINED: ResponseStatus.respDeclined,
    TENTATIVE: ResponseStatus.respTentative,
}
"""What the classes of Meeting Response objects say (2.2.7.1)."""
