"""What ROPs on names of properties do ([MS-OXCPRPT] 3.2.5.9-3.2.5.11): ids are those of the logon's mailbox."""

from __future__ import annotations

from typing import Final

from gromoxd.exmdb import names as n
from gromoxd.mapi.named import PropertyName
from gromoxd.rop import names as w
from gromoxd.rop.names import QueryFlags
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import Logon, ServerObject

FIRST: Final = 0x8000
MOST: Final = 0xFFFF


@handles(w.GetNamesFromPropertyIds)
def get_names(call: Call, request: w.GetNamesFromPropertyIds) -> w.GetNamesFromPropertyIdsResponse:
    """[MS-OXCPRPT] 3.2.5.10."""
    account = call.object(ServerObject).logon.account
    found = account.call(n.GetPropertyNames(request.property_ids))
    return w.GetNamesFromPropertyIdsResponse(request.index, 0, [_told(one) for one in found])


@handles(w.GetPropertyIdsFromNames)
def get_ids(call: Call, request: w.GetPropertyIdsFromNames) -> w.GetPropertyIdsFromNamesResponse:
    """[MS-OXCPRPT] 3.2.5.9."""
    account = call.object(ServerObject).logon.account
    if not request.property_names:
        ids = [one.id for one in account.call(n.ListPropertyNames())][:MOST]
        return w.GetPropertyIdsFromNamesResponse(request.index, 0, ids)
    asked = [(at, _asked(one)) for at, one in enumerate(request.property_names) if one is not None]
    names = [name for _, name in asked]
    numbers = account.call(n.MakePropertyIds(names) if request.flags & w.CREATE else n.GetPropertyIds(names))
    ids = [0] * len(request.property_names)
    for (at, _), number in zip(asked, numbers, strict=True):
        ids[at] = number
    return w.GetPropertyIdsFromNamesResponse(request.index, 0 if all(ids) else w.ERRORS_RETURNED, ids)


@handles(w.QueryNamedProperties)
def query_names(call: Call, request: w.QueryNamedProperties) -> w.QueryNamedPropertiesResponse:
    """[MS-OXCPRPT] 3.2.5.11: those of the object's properties; of a logon: all that the mailbox knows."""
    on = call.object(ServerObject)
    found = on.logon.account.call(n.ListPropertyNames(request.property_guid))
    holder = on.holder
    if holder is not None and not isinstance(on, Logon):
        have = {tag >> 16 for tag in holder.tags() if tag >> 16 >= FIRST}
        found = [one for one in found if one.id in have]
    without = request.query_flags
    shown = [
        one
        for one in found
        if not (without & QueryFlags.NoIds if one.name.lid >= 0 else without & QueryFlags.NoStrings)
    ][: call.room // 19]
    return w.QueryNamedPropertiesResponse(
        request.index, 0, [one.id for one in shown], [_told(one.name) for one in shown]
    )  # fmt: skip


def _told(name: n.Name | None) -> PropertyName | None:
    if name is None:
        return None
    return PropertyName(name.guid, name.lid if name.lid >= 0 else name.name)


def _asked(name: PropertyName) -> n.Name:
    return n.Name(name.guid, name.key) if isinstance(name.key, int) else n.Name(name.guid, -1, name.key)
