"""The structures that `gromoxctl dump` knows: name -> (what decodes it, its line in the help).

A decoder is "module:name" or "module:Class.method", takes octets and gives a value or raises WireError. The modules
are imported when they are needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gromoxd.mapi.fasttransfer import Property

KINDS: dict[str, tuple[str, str]] = {
    "autodiscover-request": ("gromoxd.cli.wirekinds:autodiscover_request", "A request to AutoDiscover: POX or SOAP."),
    "autodiscover-response": ("gromoxd.cli.wirekinds:autodiscover_response", "What AutoDiscover answered."),
    "aux": ("gromoxd.cli.wirekinds:auxiliary", "Auxiliary blocks of EMSMDB, without RPC_HEADER_EXT."),
    "bag": ("gromoxd.mapi.bag:decode_bag", "The properties of an object as the store keeps them."),
    "bags": ("gromoxd.mapi.bag:decode_bags", "A list of such, as the recipients of a message."),
    "conversation-index": ("gromoxd.mapi.conversation:ConversationIndex.decode", "PidTagConversationIndex."),
    "entryid": ("gromoxd.mapi.entryids:parse_entryid", "An entry id of any provider."),
    "entrylist": ("gromoxd.mapi.entryids:EntryList.decode", "EntryList of a search folder's definition."),
    "fasttransfer": ("gromoxd.cli.kinds:fasttransfer", "A FastTransfer stream, as synchronisation and copies use it."),
    "flatentrylist": ("gromoxd.mapi.entryids:FlatEntryList.decode", "PidTagReplyRecipientEntries."),
    "freebusy": (
        "gromoxd.mapi.freebusy:FreeBusyMonth.decode",
        "A month of PidTagScheduleInfoFreeBusyBusy and its like.",
    ),
    "globalobjectid": ("gromoxd.mapi.globalobjectid:GlobalObjectId.decode", "PidLidGlobalObjectId."),
    "idset": ("gromoxd.mapi.idset:IdSet.decode_replguid", "IDSET with REPLGUIDs, as in a client's state."),
    "idset-replid": ("gromoxd.mapi.idset:IdSet.decode_replid", "IDSET with REPLIDs, as in PidTagIdsetDeleted."),
    "globset": ("gromoxd.mapi.idset:RangeSet.decode", "GLOBSET: the counters of one replica."),
    "compound": ("gromoxd.convert.compoundfile:decode", "A compound file: storages and streams."),
    "msg": ("gromoxd.convert.msg:from_msg", "A .msg file: properties, recipients, attachments."),
    "lz77": ("gromoxd.cli.wirekinds:lz77", "Plain LZ77, after a line with the size of what it stands for."),
    "mapihttp-request": (
        "gromoxd.cli.wirekinds:mapihttp_request",
        "A MAPI/HTTP request to a mailbox, after its type and LF.",
    ),
    "mapihttp-response": (
        "gromoxd.cli.wirekinds:mapihttp_response",
        "The response to one, after the request's type and LF.",
    ),
    "ntlm": ("gromoxd.cli.wirekinds:ntlm", "A message of NTLM: negotiate, challenge, authenticate."),
    "longtermid": ("gromoxd.mapi.ids:LongTermId.decode", "LongTermID."),
    "nspi-request": ("gromoxd.cli.kinds:nspi_request", "A request to the address book, after its name and LF."),
    "nspi-response": ("gromoxd.cli.kinds:nspi_response", "The response to one, after the request's name and LF."),
    "nspi-template": ("gromoxd.nspi.templates:decode_rows", "PidTagTemplateData: the controls of a dialog."),
    "oab": ("gromoxd.cli.oabkinds:oab", "A file of an offline address book, uncompressed: details, templates, Browse."),
    "oab-anr": ("gromoxd.cli.oabkinds:oab_anr", "An ANR Index file of version 2."),
    "oab-diff": ("gromoxd.cli.oabkinds:oab_diff", "A differential file: PATCH_HDR and its blocks."),
    "oab-lzx": ("gromoxd.cli.oabkinds:oab_lzx", "A compressed file of version 4, with what is in it."),
    "oab-mdi": ("gromoxd.cli.oabkinds:oab_mdi", "A compressed file of version 2 or 3, with what is in it."),
    "pcl": ("gromoxd.mapi.ids:pcl_decode", "PidTagPredecessorChangeList."),
    "permission-data": ("gromoxd.mapi.permissions:PermissionData.decode", "PermissionData of RopModifyPermissions."),
    "persist-data": ("gromoxd.mapi.persistdata:decode_persist_data", "PidTagAdditionalRenEntryIdsEx."),
    "property-name": ("gromoxd.mapi.named:decode_name", "PropertyName of a named property."),
    "property-tags": ("gromoxd.mapi.values:decode_tags", "PropertyTagArray, counted with 16 bits."),
    "property-values": ("gromoxd.cli.kinds:property_values", "TaggedPropertyValues one after the other."),
    "property-values-wide": ("gromoxd.cli.kinds:wide_property_values", "The same with counts of 32 bits."),
    "recipient-row": ("gromoxd.cli.kinds:recipient_row", "A PropertyTagArray and a RecipientRow of these columns."),
    "property-row": ("gromoxd.cli.kinds:property_row", "A PropertyTagArray and a PropertyRow of these columns."),
    "recurrence": ("gromoxd.mapi.recurrence:AppointmentRecurrencePattern.decode", "PidLidAppointmentRecur."),
    "restriction": ("gromoxd.mapi.restrictions:decode_restriction", "A restriction."),
    "restriction-wide": ("gromoxd.cli.kinds:wide_restriction", "A restriction with counts of 32 bits."),
    "rop-buffer": ("gromoxd.cli.ropkinds:rop_buffer", "A ROP input or output buffer: RopSize, ROPs, handle table."),
    "rop-request": ("gromoxd.cli.ropkinds:requests", "ROP requests, one after the other."),
    "rop-response": ("gromoxd.cli.ropkinds:responses", "ROP responses, one after the other."),
    "rtf": ("gromoxd.mapi.rtf:decompress", "PidTagRtfCompressed; shows the RTF."),
    "rule-actions": ("gromoxd.mapi.rules:decode_actions", "The actions of a rule: PidTagRuleActions."),
    "rule-actions-extended": (
        "gromoxd.mapi.rules:ExtendedRuleActions.decode",
        "PidTagExtendedRuleMessageActions.",
    ),
    "rule-condition-extended": (
        "gromoxd.mapi.rules:ExtendedRuleCondition.decode",
        "PidTagExtendedRuleMessageCondition.",
    ),
    "rule-data": ("gromoxd.mapi.rules:RuleData.decode", "RuleData of RopModifyRules."),
    "serverid": ("gromoxd.mapi.ids:ServerId.decode", "PtypServerId."),
    "rpc-answer": ("gromoxd.cli.wirekinds:rpc_answer", "What an RPC call gives, after its interface, opnum and LF."),
    "rpc-call": ("gromoxd.cli.wirekinds:rpc_call", 'Parameters of an RPC call, after a line as "emsmdb 11".'),
    "rpc-header-ext": (
        "gromoxd.cli.wirekinds:extended",
        "RPC_HEADER_EXT and payloads: ROP buffers or auxiliary blocks.",
    ),
    "rpc-pdu": (
        "gromoxd.rpc.pdu:decode",
        "A PDU of connection-oriented RPC: bind, request, response, fault and others.",
    ),
    "rts": ("gromoxd.cli.wirekinds:rts", "An RTS PDU of RPC over HTTP."),
    "sort": ("gromoxd.mapi.sorting:SortOrderSet.decode", "A sort order with its categories."),
    "state": ("gromoxd.mapi.state:SyncState.decode", "The ICS state at the end of a download."),
    "task-recurrence": ("gromoxd.mapi.recurrence:RecurrencePattern.decode", "PidLidTaskRecurrence."),
    "tnef": ("gromoxd.convert.tnef:from_tnef", "TNEF, as winmail.dat is: properties, recipients, attachments."),
    "timezone": ("gromoxd.mapi.timezones:TimeZoneDefinition.decode", "PidLidAppointmentTimeZoneDefinitionRecur."),
    "tzstruct": ("gromoxd.mapi.timezones:TimeZoneStruct.decode", "PidLidTimeZoneStruct."),
    "verbs": ("gromoxd.mapi.verbstream:VerbStream.decode", "PidLidVerbStream: voting options."),
    "xid": ("gromoxd.mapi.ids:Xid.decode", "XID: PidTagChangeKey, PidTagSourceKey."),
}


class Entries(list[tuple[str, object]]):
    """Values with their labels, which need not differ."""


def load(where: str) -> Any:
    """What a "module:name" or "module:Class.method" names."""
    module, _, names = where.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found


def decoder(kind: str) -> Callable[[bytes], object]:
    """What decodes a kind. KeyError for one that is not known."""
    found: Callable[[bytes], object] = load(KINDS[kind][0])
    return found


def _property_values(data: bytes, wide: bool) -> list[object]:
    from gromoxd.mapi.cursor import Cursor
    from gromoxd.mapi.values import TaggedPropertyValue

    cursor = Cursor(data)
    found: list[object] = []
    while cursor.left:
        found.append(TaggedPropertyValue.read(cursor, wide))
    return found


def property_values(data: bytes) -> list[object]:
    """TaggedPropertyValues ([MS-OXCDATA] 2.11.4) up to the end of the octets."""
    return _property_values(data, False)


def wide_property_values(data: bytes) -> list[object]:
    """The same as in extended rules, with counts of 32 bits."""
    return _property_values(data, True)


def wide_restriction(data: bytes) -> object:
    """A restriction with counts of 32 bits, as search folders' definitions and extended rules have it."""
    from gromoxd.mapi.restrictions import decode_restriction

    return decode_restriction(data, True)


def recipient_row(data: bytes) -> object:
    """[MS-OXCDATA] 2.8.3.2, after the columns as RopModifyRecipients has them."""
    from gromoxd.mapi.cursor import Cursor
    from gromoxd.mapi.recipients import RecipientRow
    from gromoxd.mapi.values import read_tags

    cursor = Cursor(data)
    columns = read_tags(cursor)
    row = RecipientRow.read(cursor, columns)
    cursor.finish()
    return Entries([("row", row), ("values", Entries(_cells(columns, row.values)))])


def property_row(data: bytes) -> object:
    """[MS-OXCDATA] 2.8.1, after the columns."""
    from gromoxd.mapi.cursor import Cursor
    from gromoxd.mapi.rows import read_row
    from gromoxd.mapi.values import read_tags

    cursor = Cursor(data)
    columns = read_tags(cursor)
    row = read_row(cursor, columns)
    cursor.finish()
    return Entries(_cells(columns, row))


def _cells(columns: Sequence[int], row: Sequence[object]) -> list[tuple[str, object]]:
    from gromoxd.cli.tree import property_value, tag_text

    return [(tag_text(tag), property_value(tag, value)) for tag, value in zip(columns, row, strict=False)]


def _named_body(data: bytes, decode: Callable[[str, bytes], object]) -> object:
    from gromoxd.errors import WireError

    name, end, body = data.partition(b"\n")
    try:
        return decode(name.strip().decode("ascii", "replace"), body) if end else None
    except KeyError:
        raise WireError(f"no request type {name[:40]!r}") from None


def nspi_request(data: bytes) -> object:
    """[MS-OXCMAPIHTTP] 2.2.5, a line with the X-RequestType before it: nothing else tells what it is."""
    from gromoxd.nspi.bodies import decode_request

    return _named_body(data, decode_request)


def nspi_response(data: bytes) -> object:
    """The same for what is behind DONE and its header fields."""
    from gromoxd.nspi.bodies import decode_response

    return _named_body(data, decode_response)


DEEPEST = 40
"""Markers nested deeper in a stream are shown side by side."""

_IDSETS = {
    0x40170003: "idset", 0x40170102: "idset", 0x67960102: "idset", 0x67D20102: "idset", 0x67DA0102: "idset",
    0x40210102: "idset-replid", 0x402D0102: "idset-replid", 0x402E0102: "idset-replid",
    0x67930102: "idset-replid", 0x67E50102: "idset-replid",
}  # fmt: skip


def fasttransfer(data: bytes) -> Entries:
    """The elements of a stream ([MS-OXCFXICS] 2.2.4.1), what is between a start and its end below the start."""
    from gromoxd.mapi.fasttransfer import Marker, decode_stream

    outermost = Entries()
    nested = [outermost]
    for element in decode_stream(data):
        if not isinstance(element, Marker):
            nested[-1].append(_in_stream(element))
            continue
        name = element.name
        if name.endswith("End") or name.startswith("End"):
            if len(nested) > 1:
                nested.pop()
            nested[-1].append((name, Entries()))
        elif (name.startswith(("Start", "New")) or name.endswith("Begin")) and len(nested) < DEEPEST:
            inner = Entries()
            nested[-1].append((name, inner))
            nested.append(inner)
        else:
            nested[-1].append((name, Entries()))
    return outermost


def _in_stream(element: Property) -> tuple[str, object]:
    from gromoxd.cli import tree
    from gromoxd.mapi import fasttransfer as names

    tag = element.tag
    meta = next((name for name in dir(names) if name.startswith("MetaTag") and getattr(names, name) == tag), "")
    label = f"{tag:08X} {element.name or meta}" if element.name or meta else tree.tag_text(tag)
    kind = _IDSETS.get(tag)
    value = element.value
    if kind is not None and isinstance(value, bytes):
        return label, tree.nested(kind)(value)
    return label, tree.property_value(tag, value)
