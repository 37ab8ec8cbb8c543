"""What ROPs of mail that is sent do ([MS-OXOMSG] 3.3.5). The store takes submissions, the relay sends them.

Who writes in another's name is asked about here, so that the client is told at once; the relay asks again before it
sends. Clients that are spoolers themselves (RopSetSpooler, RopSpoolerLockMessage, RopTransportSend) submit as others
do, and move what is sent on their own.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import outgoing as g
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.entryids import AddressBookEntryId, FolderEntryId
from gromoxd.mapi.recipients import search_key
from gromoxd.mapi.times import filetime
from gromoxd.mapi.values import TaggedPropertyValue
from gromoxd.rop import transport as w
from workers.common.sending import represented
from workers.http.emsmdb import correspondents
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.holders import owner_of
from workers.http.emsmdb.objects import Logon, Message

if TYPE_CHECKING:
    from workers.http.emsmdb.session import Session

OUTBOX: Final = 5
"""The place of the Outbox in a logon's answer."""
ADDRESS_TYPES: Final = [b"EX", b"SMTP"]
_AUTHOR: Final = (
    p.PidTagSentRepresentingName, p.PidTagSentRepresentingEntryId, p.PidTagSentRepresentingEmailAddress,
    p.PidTagSentRepresentingSmtpAddress,
)  # fmt: skip
_DELETED_OR_MOVED: Final = [p.PidTagDeleteAfterSubmit, p.PidTagTargetEntryId, p.PidTagSentMailEntryId]


# ---------------------------------------------------------------------------------------------- submitting


@handles(w.SubmitMessage)
def submit_message(call: Call, request: w.SubmitMessage) -> w.SubmitMessageResponse:
    """[MS-OXOMSG] 3.3.5.1."""
    _submit(call, call.object(Message), stays=False)
    return w.SubmitMessageResponse(request.index, 0)


@handles(w.TransportSend)
def transport_send(call: Call, request: w.TransportSend) -> w.TransportSendResponse:
    """[MS-OXOMSG] 3.3.5.6. What is returned is what the client's own copy is to have."""
    message = call.object(Message)
    _submit(call, message, stays=True)
    values = _sender(call, message.message) | {p.PidTagProviderSubmitTime: filetime(int(call.session.clock()))}
    return w.TransportSendResponse(request.index, 0, [TaggedPropertyValue(*one) for one in values.items()])


def _submit(call: Call, opened: Message, *, stays: bool) -> None:
    """Save a message and put it where the relay takes mail from. What SaveMessage and SubmitMessage raise."""
    logon, message = opened.logon, opened.message
    if logon.public:
        raise MapiError(Ec.ecNotSupported, "sending from a public store")
    if message.path or message.associated:
        raise MapiError(Ec.ecNotSupported, "not a message to be sent")
    if message.writable:
        correspondents.complete(call.session, message)
        _resolve(call.session, message)
        _introduce(call, logon, message)
    send_as = _sends_as(call, message)
    if message.writable and (message.dirty or not message.mid):
        message.save()
    if not message.mid:
        raise MapiError(Ec.ecNotFound, "nothing was saved")
    logon.account.call(g.SubmitMessage(message.mid, os.urandom(16), send_as, stays))


def _resolve(session: Session, message: WorkingMessage) -> None:
    """SMTP addresses of originators and recipients that were saved without, as by synchronisation."""
    for one in (correspondents.SENDER, correspondents.REPRESENTED):
        if message.value(one.smtp) is None:
            kind, address = message.get(one.kind), message.get(one.address)
            found = session.site.people.address_of(str(kind or ""), str(address or ""))
            if found:
                message.set({one.smtp: found})
    rows: dict[int, Bag | None] = {}
    for number, bag in message.loaded().recipients.items():
        if p.PidTagSmtpAddress not in bag:
            new = dict(bag)
            correspondents.add_smtp_address(session, new)
            if p.PidTagSmtpAddress in new:
                rows[number] = new
    if rows:
        message.modify_recipients(rows)


def _introduce(call: Call, logon: Logon, message: WorkingMessage) -> None:
    """Who sends, and for whom where the message is silent ([MS-OXOMSG] 3.3.5.1.3); the store knows no names."""
    directory, user = call.session.site.services.directory, call.session.user
    named: Bag = {
        p.PidTagSenderName: directory.profile(user).display_name or user.username,
        p.PidTagSenderSmtpAddress: user.username,
    }  # fmt: skip
    owner = owner_of(call, logon)
    if owner is not None and all(message.value(tag) is None for tag in _AUTHOR):
        named[p.PidTagSentRepresentingName] = directory.profile(owner).display_name or owner.username
        named[p.PidTagSentRepresentingSmtpAddress] = owner.username
    changed = {tag: value for tag, value in named.items() if message.value(tag) != value}
    if changed:
        message.set(changed)


def _sends_as(call: Call, message: WorkingMessage) -> bool:
    """Whether the message is from another whose sender the user is; else it is from himself, or on somebody's behalf.

    ecAccessDenied: he is neither. In another's mailbox that is the store's to say.
    """
    site, user = call.session.site, call.session.user
    owner = message.account.mailbox == site.services.directory.mailbox(user)
    author = message.get(p.PidTagSentRepresentingSmtpAddress)
    if not owner or not isinstance(author, str) or not author or author.lower() == user.username.lower():
        return False
    directory, exmdb = site.services.directory, site.services.exmdb
    if represented(directory, exmdb, user.username, author, True) is not None:
        return True
    if represented(directory, exmdb, user.username, author, False) is None:
        raise MapiError(Ec.ecAccessDenied, f"{user.username} in the name of {author}")
    return False


def _sender(call: Call, message: WorkingMessage) -> dict[int, Any]:
    """Who sends, as Exchange names him ([MS-OXOMSG] 2.2.1.48-2.2.1.52), and for whom where the message is silent."""
    site, user = call.session.site, call.session.user
    address = site.people.dn_of(user)
    name = site.services.directory.profile(user).display_name or user.username
    entry_id, key = AddressBookEntryId(address).encode(), search_key("EX", address)
    found: dict[int, Any] = {
        p.PidTagSenderName: name, p.PidTagSenderAddressType: "EX", p.PidTagSenderEmailAddress: address,
        p.PidTagSenderEntryId: entry_id, p.PidTagSenderSearchKey: key, p.PidTagSenderSmtpAddress: user.username,
    }  # fmt: skip
    if message.value(p.PidTagSentRepresentingName) is None:
        found |= {
            p.PidTagSentRepresentingName: name, p.PidTagSentRepresentingAddressType: "EX",
            p.PidTagSentRepresentingEmailAddress: address, p.PidTagSentRepresentingEntryId: entry_id,
            p.PidTagSentRepresentingSearchKey: key, p.PidTagSentRepresentingSmtpAddress: user.username,
        }  # fmt: skip
    return found


@handles(w.AbortSubmit)
def abort_submit(call: Call, request: w.AbortSubmit) -> w.AbortSubmitResponse:
    """[MS-OXOMSG] 3.3.5.2."""
    logon = _private(call)
    logon.account.call(g.AbortSubmit(logon.counter(request.message_id)))
    return w.AbortSubmitResponse(request.index, 0)


def _private(call: Call) -> Logon:
    """The logon. ecNotSupported on a public store."""
    found = call.object(Logon)
    if found.public:
        raise MapiError(Ec.ecNotSupported, "public store")
    return found


# ---------------------------------------------------------------------------------------------- spoolers


@handles(w.SetSpooler)
def set_spooler(call: Call, request: w.SetSpooler) -> w.SetSpoolerResponse:
    """[MS-OXOMSG] 3.3.5.3: the client may be one."""
    _private(call)
    return w.SetSpoolerResponse(request.index, 0)


@handles(w.SpoolerLockMessage)
def spooler_lock_message(call: Call, request: w.SpoolerLockMessage) -> w.SpoolerLockMessageResponse:
    """[MS-OXOMSG] 3.3.5.4. What is finished goes where the message says. ecNotFound.

    No other spooler sends a mailbox's mail, so that locking only finds out whether the message is there.
    """
    logon = _private(call)
    found = logon.account.call(o.OpenMessage(logon.counter(request.message_id), [], o.PROPS, _DELETED_OR_MOVED))
    if request.lock_state not in tuple(w.LockState):
        raise MapiError(Ec.ecInvalidParam, f"lock state {request.lock_state}")
    if request.lock_state == w.LockState.lstFinished:
        _finish(logon, found)
    return w.SpoolerLockMessageResponse(request.index, 0)


def _finish(logon: Logon, message: o.Message) -> None:
    props = message.props
    if props.get(p.PidTagDeleteAfterSubmit):
        logon.account.call(o.DeleteMessages(message.fid, [message.mid], False, os.urandom(16)))
        return
    entry_id = props.get(p.PidTagTargetEntryId) or props.get(p.PidTagSentMailEntryId)
    if not isinstance(entry_id, bytes):
        return
    try:
        fid = FolderEntryId.decode(entry_id[:46]).folder.counter
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, f"where sent mail goes: {error}") from error
    if fid != message.fid:
        logon.account.call(o.TransferMessages(message.fid, [message.mid], fid, True, os.urandom(16)))


@handles(w.TransportNewMail)
def transport_new_mail(call: Call, request: w.TransportNewMail) -> w.TransportNewMailResponse:
    """[MS-OXOMSG] 3.3.5.7: a client's spooler has put mail into a folder. Who wants to know was told when it came."""
    logon = _private(call)
    logon.account.call(o.OpenMessage(logon.counter(request.message_id), [], o.PROPS, []))
    return w.TransportNewMailResponse(request.index, 0)


@handles(w.GetTransportFolder)
def get_transport_folder(call: Call, request: w.GetTransportFolder) -> w.GetTransportFolderResponse:
    """[MS-OXOMSG] 3.3.5.8: the Outbox."""
    logon = _private(call)
    return w.GetTransportFolderResponse(request.index, 0, logon.eid(logon.info.folders[OUTBOX]))


@handles(w.GetAddressTypes)
def get_address_types(call: Call, request: w.GetAddressTypes) -> w.GetAddressTypesResponse:
    """[MS-OXOMSG] 3.3.5.5."""
    call.object(Logon)
    return w.GetAddressTypesResponse(request.index, 0, ADDRESS_TYPES)


@handles(w.OptionsData)
def options_data(call: Call, request: w.OptionsData) -> w.OptionsDataResponse:
    """[MS-OXOMSG] 3.3.5.9: no address type has options. ecNotFound for one that is unknown."""
    call.object(Logon)
    if request.address_type.upper() not in ADDRESS_TYPES:
        raise MapiError(Ec.ecNotFound, repr(request.address_type[:20]))
    return w.OptionsDataResponse(request.index, 0, 1, b"", b"")
