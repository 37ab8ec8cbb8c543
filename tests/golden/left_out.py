"""Known examples that no codec of the store is for, and why."""

from __future__ import annotations

LEFT_OUT: dict[str, str] = {}
"""By the id under which the collection of examples beside this project has them."""

PRINTED_IN_PART: dict[str, str] = {
    "MS-OXOSRCH 4.1": "PidTagSearchFolderDefinition: the beginning of 922 octets; its FolderList1 is whole there and "
    "tested. The rest is the client's own, the store keeps it as octets",
    "MS-OXODLGT 4.1.3.2": "the entry ids of two delegates; those of 4.1.5 are of the same form",
    "MS-OXODLGT 4.1.5": "PermissionsData of a delegate: 75 octets of the entry id, tested",
    "MS-OXORULE 4.1": "RopModifyRules",
    "MS-OXCFOLD 4.8.1": "RopSetSearchCriteria: in words; the restriction they describe is in "
    "tests/mapi/structures/restrictions.py",
    "MS-OXCPRPT 4.1.1": "RopGetPropertyIdsFromNames",
    "MS-OXCPERM 4.1": "RopModifyPermissions and what goes before it, up to RopGetPermissionsTable",
    "MS-OXCSTOR 4": "RopLogon and the ROPs of public folders",
    "MS-OXCROPS 4": "buffers of several ROPs, with their handle tables; those of Outlook 2007 stand in for them",
    "MS-OXCNOTIF 4": "RopRegisterNotification and RopNotify",
    "MS-OXCRPC 4": "calls of EMSMDB; EcDoRpcExt2 of Outlook 2007 stands in for them",
    "MS-OXCMAPIHTTP 4": "requests and responses, in HTTP's text and without the octets of their bodies",
    "MS-OXDSCLI 4": "XML of requests and answers, all but that of 4.4 up to its External part; MS-OXWSADISC 4 the same",
    "MS-OXNSPI 4": "calls in terms of their parameters, no octets",
    "MS-OXABREF 4": "calls in terms of their parameters, no octets",
    "MS-RPCH 4": "a connection's states and the windows of flow control, no octets",
    "MS-OXCFOLD 4.4.2, 4.7.1, 4.8.1, 4.9.2": "the halves of exchanges whose other halves are tested",
    "MS-OXCTABL 4.1.2, 4.2.2, 4.3.1, 4.4": "the same, and rows of a table without categories",
    "MS-OXCPRPT 4.3.2, 4.4": "properties that were asked for, reading and writing of a stream",
    "MS-OXOMSG 4.2, 4.4, 4.6": "ROPs of a spooler, all but two answers",
    "MS-OXCTABL 4.5.3.2": "all but 64 octets of nine rows",
    "MS-OXCMSG 4": "messages and attachments",
    "MS-OXCFXICS 4": "synchronisation and copies",
    "MS-OXCDATA 4": "restrictions and rows",
    "MS-OXOCAL 4.1.1.5": "the recurrence of a yearly series with exceptions",
    "MS-OXOCAL 4.2 to 4.6": "properties of requests, responses and cancellations; what sections 2 and 3 demand of them "
    "is in tests/convert/meeting and tests/store/mapi",
    "MS-OXCICAL 3": "calendars of meetings, but for the ids and times of a canceled instance",
    "MS-OXCICAL 2.1.3.2.2": "rules of the weekly, monthly and nth templates; those of the daily and the yearly one are "
    "tested",
    "MS-OXVCARD 3": "cards and their contacts; those of RFC 2426 and RFC 6350 stand in for them",
    "MS-OXCMAIL 3": "mails and their messages; those of RFC 2046, 2047, 2049, 2231, 3464, 8098 stand in for them",
    "MS-OXTNEF 3": "a stream; tests/convert/tnef has Outlook's own",
    "MS-OXRTFEX 3": "a document, here in substance (tests/golden/test_rtf.py); tests/convert/msg has Outlook's own",
    "MS-OXORULE 4.3": "extended rules",
    "MS-OXWOOF 4": "settings of out of office",
    "MS-OXOCNTC 4": "properties of contacts and lists",
    "MS-OXOTASK 4": "properties of tasks and their requests",
    "MS-OXONOTE 4": "properties of notes",
    "MS-OXOJRNL 4.1": "properties of a journal entry: their names were to be had, and no values",
    "MS-OXBBODY 4": "bodies in several formats",
    "RFC 5546 4": "messages, all but seven of sections 4.2 and 4.4",
}
"""Examples in the documents whose octets, or some of them, were not at hand when these tests were written."""
