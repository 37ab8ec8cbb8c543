"""What ROPs on permissions do ([MS-OXCPERM] 3.2.5): the store knows members by addresses, clients by entry ids."""

from __future__ import annotations

from typing import Any, Final

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import access as x
from gromoxd.exmdb import tables as t
from gromoxd.mapi import permissions as m
from gromoxd.mapi.entryids import AddressBookEntryId, DisplayType, OneOffEntryId, one_off, parse_entryid
from gromoxd.mapi.proptags import PidTagEntryId, PidTagMemberId, PidTagMemberName, PidTagMemberRights
from gromoxd.rop import rights as w
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import Folder
from workers.http.emsmdb.tableobject import TableObject
from workers.http.site import Site

_ENTRY_ID: Final = PidTagEntryId >> 16
_NAME: Final = PidTagMemberName >> 16
_RESERVED: Final = {x.DEFAULT_ID: m.NAME_DEFAULT, x.ANONYMOUS_ID: m.NAME_ANONYMOUS}


# ---------------------------------------------------------------------------------------------- reading


@handles(w.GetPermissionsTable)
def get_permissions_table(call: Call, request: w.GetPermissionsTable) -> w.GetPermissionsTableResponse:
    """[MS-OXCPERM] 3.2.5.1."""
    folder = call.object(Folder)
    flags = t.FREE_BUSY if request.table_flags & m.ModifyFlags.IncludeFreeBusy else 0
    table = t.Table(t.PERMISSIONS, folder.fid, flags)
    folder.logon.account.call(t.QueryRows(table, [], 0, 0))  # whose owner may see it
    members = Members(call.session.site)
    made = TableObject(folder.logon, table, members.complete, needs=(PidTagMemberId, PidTagMemberName))
    call.put(request.output, made)
    return w.GetPermissionsTableResponse(request.output, 0)


class Members:
    """Rows of a permissions table, completed with entry ids and names as the directory has them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[str, tuple[str, bytes]] = {}

    def complete(self, columns: list[int], rows: list[list[Any]]) -> None:
        """Put name and entry id into the rows, whose store's name and id are in columns of theirs."""
        at_id, at_name = columns.index(PidTagMemberId), columns.index(PidTagMemberName)
        places = [(at, tag >> 16) for at, tag in enumerate(columns) if tag >> 16 in (_ENTRY_ID, _NAME)]
        for row in rows:
            name, entry_id = self._of(row[at_id], row[at_name] or "")
            for at, number in places:
                row[at] = entry_id if number == _ENTRY_ID else name

    def _of(self, member_id: int, address: str) -> tuple[str, bytes]:
        """(PidTagMemberName, PidTagEntryId); the latter is empty for who is always there ([MS-OXCPERM] 2.2.4)."""
        reserved = _RESERVED.get(member_id)
        if reserved is not None:
            return reserved, b""
        found = self._known.get(address)
        if found is None:
            found = self._known[address] = self._looked_up(address)
        return found

    def _looked_up(self, address: str) -> tuple[str, bytes]:
        directory = self._site.services.directory
        try:
            user = directory.find_or_none(address)
        except MapiError as error:
            if error.code != Ec.ecUnknownUser:  # several users of one name
                raise
            user = None
        if user is None:
            return address, one_off(address, address)
        name = directory.profile(user).display_name or user.username
        kind = DisplayType.LOCAL_MAIL_USER
        if directory.mailing_list(user.username) is not None:
            kind = DisplayType.DISTRIBUTION_LIST
        return name, AddressBookEntryId(self._site.people.dn_of(user), kind).encode()


# ---------------------------------------------------------------------------------------------- changing


@handles(w.ModifyPermissions)
def modify_permissions(call: Call, request: w.ModifyPermissions) -> w.ModifyPermissionsResponse:
    """[MS-OXCPERM] 3.2.5.2."""
    folder = call.object(Folder)
    flags = request.modify_flags
    changes = [_change(call.session.site, one) for one in request.permissions_data]
    folder.logon.account.call(
        x.ModifyPermissions(
            folder.fid, changes, bool(flags & m.ModifyFlags.ReplaceRows), bool(flags & m.ModifyFlags.IncludeFreeBusy)
        )
    )
    return w.ModifyPermissionsResponse(request.index, 0)


def _change(site: Site, data: m.PermissionData) -> x.PermissionChange:
    """ecInvalidParam (WireError), ecUnknownUser: an entry id that is nobody's here."""
    bag = dict(data.property_values)
    rights, member_id, entry_id = bag.get(PidTagMemberRights), bag.get(PidTagMemberId), bag.get(PidTagEntryId)
    if data.flags == x.ADD and not entry_id and isinstance(rights, int):
        name = x.ANONYMOUS if member_id == x.ANONYMOUS_ID else x.DEFAULT
        return x.PermissionChange(x.ADD, name=name, rights=rights & 0xFFFFFFFF)
    wanted = data.change
    if wanted.kind == x.ADD:
        return x.PermissionChange(x.ADD, name=_member(site, wanted.entry_id or b""), rights=int(wanted.rights))
    return x.PermissionChange(int(wanted.kind), wanted.member_id or 0, rights=int(wanted.rights))


def _member(site: Site, entry_id: bytes) -> str:
    """The address behind an entry id."""
    try:
        found = parse_entryid(entry_id)
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, f"entry id: {error}") from error
    address = ""
    if isinstance(found, AddressBookEntryId):
        address = site.people.address_of("EX", found.dn)
    elif isinstance(found, OneOffEntryId):
        address = site.people.address_of(found.address_type, found.email_address)
    if not address:
        raise MapiError(Ec.ecUnknownUser, "member of a folder's permissions")
    return address
