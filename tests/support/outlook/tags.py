"""Property tags that the client uses ([MS-OXPROPS])."""

from __future__ import annotations

MessageClass, Subject, NormalizedSubject = 0x001A001F, 0x0037001F, 0x0E1D001F
Importance, Sensitivity = 0x00170003, 0x00360003
Body, RtfCompressed, BodyHtml, InternetCodepage = 0x1000001F, 0x10090102, 0x10130102, 0x3FDE0003
MessageFlags, MessageSize, HasAttachments, Read = 0x0E070003, 0x0E080003, 0x0E1B000B, 0x0E69000B
MessageDeliveryTime, ClientSubmitTime, LastModificationTime = 0x0E060040, 0x00390040, 0x30080040
CreationTime = 0x30070040
SenderAddressType = 0x0C1E001F
DisplayTo, SenderName, SenderEmail, SenderSmtp = 0x0E04001F, 0x0C1A001F, 0x0C1F001F, 0x5D01001F
SentRepresentingName, SentRepresentingEmail, SentRepresentingAddressType = 0x0042001F, 0x0065001F, 0x0064001F
FlagStatus, IconIndex, LastVerbExecuted = 0x10900003, 0x10800003, 0x10810003
InternetMessageId, TransportHeaders = 0x1035001F, 0x007D001F
DeferredSendTime, DeleteAfterSubmit, SentMailEntryId = 0x3FEF0040, 0x0E01000B, 0x0E0A0102
SendRichInfo = 0x3A40000B
SourceKey, ParentSourceKey, ChangeKey, PredecessorChangeList = 0x65E00102, 0x65E10102, 0x65E20102, 0x65E30102
FolderId, Mid, ParentFolderId, ChangeNumber, Associated = 0x67480014, 0x674A0014, 0x67490014, 0x67A40014, 0x67AA000B
InstId, InstanceNum, Depth, RowType = 0x674D0014, 0x674E0003, 0x30050003, 0x0FF50003
DisplayName, Comment, ContainerClass = 0x3001001F, 0x3004001F, 0x3613001F
ContentCount, ContentUnreadCount, Subfolders, FolderType = 0x36020003, 0x36030003, 0x360A000B, 0x36010003
AttachNumber, AttachMethod, AttachData, AttachObject = 0x0E210003, 0x37050003, 0x37010102, 0x3701000D
AttachLongFilename, AttachFilename, AttachMimeTag, AttachSize = 0x3707001F, 0x3704001F, 0x370E001F, 0x0E200003
RenderingPosition = 0x370B0003
EntryId, StoreEntryId, SearchKey, RecordKey = 0x0FFF0102, 0x0FFB0102, 0x300B0102, 0x0FF90102
RecipientType, AddressType, EmailAddress, SmtpAddress = 0x0C150003, 0x3002001F, 0x3003001F, 0x39FE001F
ObjectType, DisplayType, Responsibility = 0x0FFE0003, 0x39000003, 0x0E0F000B
OutOfOfficeState, Access, AccessLevel, Rights = 0x661D000B, 0x0FF40003, 0x0FF70003, 0x66390003
MailboxOwnerName, MailboxOwnerEntryId, UserEntryId = 0x661C001F, 0x661B0102, 0x66190102
MemberId, MemberRights, MemberName, MemberEntryId = 0x66710014, 0x66730003, 0x6672001F, 0x0FFF0102
RuleId, RuleSequence, RuleState, RuleCondition, RuleActions = 0x66740014, 0x66760003, 0x66770003, 0x667900FD, 0x668000FE
RuleProvider, RuleName, RuleLevel, RuleUserFlags = 0x6681001F, 0x6682001F, 0x66830003, 0x66780003
RuleProviderData = 0x66840102
IpmAppointmentEntryId, IpmContactEntryId, AdditionalRenEntryIds = 0x36D00102, 0x36D10102, 0x36D81102
FreeBusyEntryIds, FreeBusyPublishStart, FreeBusyPublishEnd = 0x36E41102, 0x68470003, 0x68480003
FreeBusyRangeTimestamp = 0x68680040
BusyMonths, BusyFreeBusy = 0x68531003, 0x68541102
