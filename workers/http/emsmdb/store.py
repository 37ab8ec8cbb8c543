"""What ROPs on a store as a whole do ([MS-OXCSTOR] 3.2.5): logon, receive folders, ids and their long-term forms."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from gromoxd.directory import dn
from gromoxd.directory.model import Domain
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import storecalls as s
from gromoxd.exmdb.api import MailboxRef
from gromoxd.exmdb.hierarchy import GetFolderProps
from gromoxd.exmdb.tables import DEPTH, HIERARCHY, QueryRows, Table
from gromoxd.exmdb.working import Account
from gromoxd.mapi import codepages
from gromoxd.mapi.ids import LongTermId, eid_int, eid_split
from gromoxd.mapi.permissions import Rights
from gromoxd.mapi.proptags import PidTagFolderType, PidTagOutOfOfficeState
from gromoxd.mapi.restrictions import Property, RelOp, encode_restriction
from gromoxd.mapi.times import filetime
from gromoxd.rop import store as w
from gromoxd.rop.codec import Response
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import Logon, ServerObject

if TYPE_CHECKING:
    from workers.http.emsmdb.session import Session

MAPPING_REPLID: Final = 5
"""The short id under which every store knows its mapping signature; a logon's answer carries both."""
STORE_HAS_SEARCHES: Final = 0x01000000
FOLDER_SEARCH: Final = 2
"""PidTagFolderType."""
LONGEST_SERVER: Final = 254
MOST_MOVED: Final = 5
MOVED_WITHIN: Final = 10.0
"""So many logons to mailboxes that are not here are answered in so many seconds ([MS-OXCSTOR] 3.2.5.1.3)."""
T = TypeVar("T")
_OUT_OF_REACH: Final = (Ec.ecNetwork, Ec.ecTimeout, Ec.ecLocked, Ec.ecBusy)


class _Moved(Exception):
    """The mailbox is to be asked for at this server."""

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self.server = server


class _Target(NamedTuple):
    """The store of a logon."""

    mailbox: MailboxRef
    own: bool


@handles(w.Logon)
def logon(call: Call, request: w.Logon) -> Response:
    """RopLogon ([MS-OXCSTOR] 3.2.5.1). Flags that are not defined are no reason to refuse a client (2.2.1.1.1)."""
    private = bool(request.logon_flags & w.LogonFlags.Private)
    flags = w.OpenFlags(request.open_flags & 0xFFFFFFFF)
    mapped = not private or flags & w.OpenFlags.USE_PER_MDB_REPLID_MAPPING
    if bool(flags & w.OpenFlags.PUBLIC) == private or not mapped:
        raise MapiError(Ec.ecInvalidParam, f"logon flags {request.logon_flags:#x} {request.open_flags:#x}")
    name = codepages.decode(request.essdn, codepages.WESTERN)
    try:
        target = _mailbox(call.session, name) if private else _public_store(call.session, name)
    except _Moved as moved:
        _count_moved(call.session)
        return w.LogonRedirect(
            request.index, Ec.ecWrongServer, request.logon_flags & w.ECHOED, moved.server.encode("ascii", "replace")
        )
    if flags & w.OpenFlags.USE_ADMIN_PRIVILEGE and private and not target.own:
        raise MapiError(Ec.ecLoginPerm, "nobody is an administrator here")
    return _opened(call, request, target)


def _opened(call: Call, request: w.Logon, target: _Target) -> Response:
    session = call.session
    account = Account(session.site.services.exmdb, target.mailbox, session.user.username)
    try:
        info = account.call(s.OpenStore())
    except MapiError as error:
        if error.code in _OUT_OF_REACH:
            raise MapiError(Ec.ecLoginFailure, str(error)) from error
        raise
    made = Logon(request.logon, account, info, request.logon_flags)
    private = bool(request.logon_flags & w.LogonFlags.Private)
    if info.public == private:
        raise MapiError(Ec.ecLoginFailure, "a store of the other kind")
    answer = _private(call, request, made) if private else _public(request, made)
    call.put(request.index, made)
    return answer


def _private(call: Call, request: w.Logon, made: Logon) -> Response:
    info = made.info
    flags = w.ResponseFlags.Reserved
    if info.rights & Rights.StoreOwner:
        flags |= w.ResponseFlags.OwnerRight
    if info.rights & (Rights.StoreOwner | Rights.SendAs) or info.send_as:
        flags |= w.ResponseFlags.SendAsRight
    if made.account.call(s.GetStoreProps([PidTagOutOfOfficeState])).get(PidTagOutOfOfficeState):
        flags |= w.ResponseFlags.OOF
    now = time.gmtime(call.session.clock())
    return w.LogonResponse(
        index=request.index,
        code=0,
        logon_flags=request.logon_flags & w.ECHOED,
        folder_ids=[made.eid(fid) for fid in info.folders],
        response_flags=flags,
        mailbox_guid=info.guid,
        repl_id=MAPPING_REPLID,
        repl_guid=info.mapping_guid,
        logon_time=w.LogonTime(
            now.tm_sec, now.tm_min, now.tm_hour, (now.tm_wday + 1) % 7, now.tm_mday, now.tm_mon, now.tm_year
        ),
        gwart_time=0,
        store_state=0,
    )


def _public(request: w.Logon, made: Logon) -> Response:
    info = made.info
    return w.LogonPublicResponse(
        request.index, 0, request.logon_flags & w.ECHOED, [made.eid(fid) for fid in info.folders], MAPPING_REPLID,
        info.mapping_guid, bytes(16),
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- whose store


def _mailbox(session: Session, name: str) -> _Target:
    """The mailbox of a DN, '' being one's own ([MS-OXCSTOR] 3.2.5.1.1). ecUnknownUser, `_Moved`."""
    people, directory = session.site.people, session.site.services.directory
    user = _looked_up(lambda: people.user_of_dn(name)) if name else session.user
    if user is None or not user.has_store:
        raise MapiError(Ec.ecUnknownUser, repr(name[:100]))
    asked = session.mailbox
    if asked is not None and asked.id not in (user.id, session.user.id):
        raise _Moved(_server(session, people.mailbox_id(user)))
    _stay_here(session, user.host, people.mailbox_id(user))
    return _Target(directory.mailbox(user), user.id == session.user.id)


def _public_store(session: Session, name: str) -> _Target:
    """The public store of a DN's domain or, by '' or a user's DN, of one's own domain ([MS-OXCSTOR] 3.2.5.1.2)."""
    directory = session.site.services.directory
    own = _looked_up(lambda: directory.domain(session.user.username.rpartition("@")[2]))
    domain = _looked_up(lambda: _domain(session, name)) or own
    if domain is None or own is None or not domain.homedir:
        raise MapiError(Ec.ecUnknownUser, "no public store")
    if not own.same_organisation(domain):
        raise MapiError(Ec.ecLoginFailure, "another organisation's public store")
    _stay_here(session, domain.host, dn.mailbox_id(domain.id, 0, domain.name))
    return _Target(directory.public_store(domain), False)


def _looked_up(ask: Callable[[], T]) -> T:
    """ecLoginFailure for whatever keeps the directory from answering."""
    try:
        return ask()
    except MapiError as error:
        raise MapiError(error.code if error.code == Ec.ecUnknownUser else Ec.ecLoginFailure, str(error)) from error


def _domain(session: Session, name: str) -> Domain | None:
    """The domain that a DN names, its own or a user's."""
    people = session.site.people
    if not name:
        return None
    domain = people.domain_of_dn(name)
    if domain is None:
        user = people.user_of_dn(name)
        domain = None if user is None else session.site.services.directory.domain(user.username.rpartition("@")[2])
    if domain is None:
        raise MapiError(Ec.ecUnknownUser, repr(name[:100]))
    return domain


def _stay_here(session: Session, host: str, mailbox: str) -> None:
    """`_Moved` when clients reach the store's home under another name than this server's."""
    directory = session.site.services.directory
    if not directory.homed_here(host) and directory.outside_name(host):
        raise _Moved(_server(session, mailbox))


def _server(session: Session, mailbox: str) -> str:
    """The DN of a mailbox's server, which AutoDiscover tells, too; its name alone where that is too long."""
    full = dn.server_dn(session.site.people.organisation, mailbox)
    return full if len(full) <= LONGEST_SERVER else mailbox[:LONGEST_SERVER]


def _count_moved(session: Session) -> None:
    """ecServerPaused for a client that asks again and again."""
    times: deque[float] = session.moved
    now = session.clock()
    while times and not now - MOVED_WITHIN < times[0] <= now:
        times.popleft()
    if len(times) >= MOST_MOVED:
        raise MapiError(Ec.ecServerPaused, "mailboxes of other servers")
    times.append(now)


# ---------------------------------------------------------------------------------------------- receive folders


def _private_logon(call: Call) -> Logon:
    """ecNotSupported on a public store."""
    found = call.object(Logon)
    if found.public:
        raise MapiError(Ec.ecNotSupported, "public store")
    return found


@handles(w.GetReceiveFolder)
def get_receive_folder(call: Call, request: w.GetReceiveFolder) -> w.GetReceiveFolderResponse:
    """[MS-OXCSTOR] 3.2.5.2."""
    found = _private_logon(call)
    answer = found.account.call(s.GetReceiveFolder(_class(request.message_class)))
    return w.GetReceiveFolderResponse(request.index, 0, found.eid(answer.fid), answer.message_class.encode("ascii"))


@handles(w.SetReceiveFolder)
def set_receive_folder(call: Call, request: w.SetReceiveFolder) -> w.SetReceiveFolderResponse:
    """[MS-OXCSTOR] 3.2.5.3."""
    found = _private_logon(call)
    fid = found.counter(request.folder_id) if request.folder_id else 0
    found.account.call(s.SetReceiveFolder(_class(request.message_class), fid))
    return w.SetReceiveFolderResponse(request.index, 0)


@handles(w.GetReceiveFolderTable)
def get_receive_folder_table(call: Call, request: w.GetReceiveFolderTable) -> w.GetReceiveFolderTableResponse:
    """[MS-OXCSTOR] 3.2.5.4. The store keeps no times of these: all are told to be of its creation."""
    found = _private_logon(call)
    listed = found.account.call(s.ListReceiveFolders())
    created = filetime(found.info.created)
    rows = [w.ReceiveRow(found.eid(one.fid), one.message_class.encode("ascii"), created) for one in listed]
    return w.GetReceiveFolderTableResponse(request.index, 0, rows)


def _class(octets: bytes) -> str:
    return octets.decode("latin-1")


@handles(w.GetStoreState)
def get_store_state(call: Call, request: w.GetStoreState) -> w.GetStoreStateResponse:
    """[MS-OXCSTOR] 3.2.5.5."""
    found = _private_logon(call)
    searches = encode_restriction(Property(RelOp.EQ, PidTagFolderType, FOLDER_SEARCH))
    table = Table(HIERARCHY, found.info.folders[0], DEPTH, searches)
    total = found.account.call(QueryRows(table, [], 0, 0)).total
    return w.GetStoreStateResponse(request.index, 0, STORE_HAS_SEARCHES if total else 0)


# ---------------------------------------------------------------------------------------------- public folders


@handles(w.GetOwningServers)
def get_owning_servers(call: Call, request: w.GetOwningServers) -> w.GetOwningServersResponse:
    """[MS-OXCSTOR] 3.2.5.6: a folder has one replica, at the server of its store."""
    found = _public_folder(call, request.folder_id)
    session = call.session
    domain = session.site.services.directory.domain(found.info.owner)
    mailbox = dn.mailbox_id(domain.id if domain is not None else 0, 0, found.info.owner)
    name = dn.server_dn(session.site.people.organisation, mailbox)
    return w.GetOwningServersResponse(request.index, 0, w.Servers(1, [name.encode("ascii", "replace")]))


@handles(w.PublicFolderIsGhosted)
def public_folder_is_ghosted(call: Call, request: w.PublicFolderIsGhosted) -> w.PublicFolderIsGhostedResponse:
    """[MS-OXCSTOR] 3.2.5.7: whatever folder there is has its contents here, those of a private mailbox as well."""
    if call.object(Logon).public:
        _public_folder(call, request.folder_id)
    return w.PublicFolderIsGhostedResponse(request.index, 0, None)


def _public_folder(call: Call, folder_id: int) -> Logon:
    found = call.object(Logon)
    if not found.public:
        raise MapiError(Ec.ecNotSupported, "private mailbox")
    found.account.call(GetFolderProps(found.counter(folder_id), [PidTagFolderType]))
    return found


# ---------------------------------------------------------------------------------------------- ids


@handles(w.LongTermIdFromId)
def long_term_id_from_id(call: Call, request: w.LongTermIdFromId) -> w.LongTermIdFromIdResponse:
    """[MS-OXCSTOR] 3.2.5.8. ecNotFound: no replica has this short id."""
    found = call.object(ServerObject).logon
    replid, counter = eid_split(request.object_id)
    guid = _guid(found, replid)
    if not guid:
        raise MapiError(Ec.ecNotFound, f"replid {replid}")
    return w.LongTermIdFromIdResponse(request.index, 0, LongTermId(guid, counter).encode())


@handles(w.IdFromLongTermId)
def id_from_long_term_id(call: Call, request: w.IdFromLongTermId) -> w.IdFromLongTermIdResponse:
    """[MS-OXCSTOR] 3.2.5.9. ecNotFound: a replica without a short id that gets none; ecInvalidParam: no replica."""
    found = call.object(ServerObject).logon
    wanted = LongTermId.decode(request.long_term_id)
    if not any(wanted.guid):
        raise MapiError(Ec.ecInvalidParam, "no replica")
    replid = 1 if wanted.guid == found.info.guid else found.account.call(s.GetReplids([wanted.guid]))[0]
    if not replid or not wanted.counter:
        raise MapiError(Ec.ecNotFound, "replica")
    return w.IdFromLongTermIdResponse(request.index, 0, eid_int(replid, wanted.counter))


def _guid(found: Logon, replid: int) -> bytes:
    if replid == 1:
        return found.info.guid
    return found.account.call(s.GetReplguids([replid]))[0]
