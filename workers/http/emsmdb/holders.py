"""Properties of open objects of any kind, as their ROPs want them ([MS-OXCPRPT] 1.3).

Messages and attachments are working copies that know their properties. A folder or a logon has nothing of its own but
what streams have written and not committed: the store is asked each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from gromoxd.directory.model import User
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.hierarchy import GetFolderProps
from gromoxd.exmdb.objects import Bag
from gromoxd.exmdb.storecalls import GetStoreProps, SetStoreProps
from gromoxd.exmdb.working.values import STRING8, Holder, Problem, Values, usable
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import AddressBookEntryId
from gromoxd.mapi.types import MULTIPLE, PropType, prop_type
from workers.http.emsmdb.dispatch import Call
from workers.http.emsmdb.objects import Attachment, Folder, Logon, Message, ServerObject

Lookup = Callable[[int], Any]
"""tag -> value, `Remote` and `Octets` too, None when there is none."""
CALENDAR: Final = 0x0F


def code_page_of(call: Call, opened: ServerObject) -> int:
    """Of 8-bit strings: the one with which the message was opened, else the session's ([MS-OXCPRPT] 3.2.5.1)."""
    own = opened.code_page if isinstance(opened, Message | Attachment) else 0
    return own or call.session.code_page


def holder_of(opened: ServerObject) -> Holder:
    """The working copy of a message, attachment or folder. ecNotSupported for others."""
    holder = opened.holder
    if holder is None:
        raise MapiError(Ec.ecNotSupported, f"properties of {type(opened).__name__}")
    return holder


def look(call: Call, opened: ServerObject, tags: Sequence[int]) -> tuple[Lookup, Callable[[int], int]]:
    """How to look these properties up, and under which tag each is kept."""
    if isinstance(opened, Folder | Logon):
        state = _asked(call, opened, tags)
        return lambda tag: state.values.get(state.kept_as(tag)), state.kept_as
    holder = holder_of(opened)
    return holder.value, holder.loaded().kept_as


def everything(call: Call, opened: ServerObject) -> dict[int, Any]:
    """All properties with their values as they are kept."""
    if isinstance(opened, Folder | Logon):
        return _asked(call, opened, None).values
    return holder_of(opened).loaded().values


def tags_of(call: Call, opened: ServerObject) -> list[int]:
    """The tags of all properties ([MS-OXCPRPT] 3.2.5.3)."""
    if isinstance(opened, Folder | Logon):
        found = set(_asked(call, opened, None).values)
        if isinstance(opened, Folder) and opened.fid == CALENDAR and not opened.logon.public:
            # workaround: Outlook in cached mode drops the Calendar's contents when this one is listed
            found.discard(p.PidTagParentSourceKey)
        return sorted(found)
    return holder_of(opened).tags()


def set_props(call: Call, opened: ServerObject, props: dict[int, Any]) -> list[Problem]:
    """See Holder.set; of folders and logons at once."""
    if isinstance(opened, Logon):
        good = {tag: value for tag, value in props.items() if usable(tag, value)}
        bad: list[Problem] = [(tag, Ec.ecInvalidParam) for tag in props.keys() - good.keys()]
        return bad + (_store(opened, good, []) if good else [])
    return _settled(opened).set(props)


def delete_props(call: Call, opened: ServerObject, tags: Iterable[int]) -> list[Problem]:
    """See Holder.delete."""
    if isinstance(opened, Logon):
        gone = [tag | 1 if prop_type(tag) & ~MULTIPLE == STRING8 else tag for tag in tags]
        return _store(opened, {}, gone) if gone else []
    return _settled(opened).delete(tags)


def _settled(opened: ServerObject) -> Holder:
    """An object that is to be changed. What streams of a folder have written is stored now, lest it be forgotten."""
    holder = holder_of(opened)
    if isinstance(opened, Folder):
        holder.commit()
    return holder


def _store(logon: Logon, props: Bag, gone: list[int]) -> list[Problem]:
    answer = logon.account.call(SetStoreProps(props, gone))
    return [(tag, Ec(code)) for tag, code in answer.problems]


# ---------------------------------------------------------------------------------------------- folders and logons


def _asked(call: Call, opened: Folder | Logon, tags: Sequence[int] | None) -> Values:
    wanted = None if tags is None else _kept(tags)
    if isinstance(opened, Folder):
        bag: Bag = opened.logon.account.call(GetFolderProps(opened.fid, wanted))
        state = Values(dict(bag))
        uncommitted = opened.folder.properties
        state.values |= {tag: uncommitted.values[tag] for tag in uncommitted.changed}
        return state
    bag = opened.account.call(GetStoreProps(wanted))
    state = Values(dict(bag))
    for tag, make in _PEOPLE.items():
        if wanted is None or tag in wanted:
            value = make(call, opened)
            if value is not None:
                state.values[tag] = value
    return state


def _kept(tags: Sequence[int]) -> list[int] | None:
    """The tags by which the store keeps them; None, all, where one says no type."""
    found = [tag | 1 if prop_type(tag) & ~MULTIPLE == STRING8 else tag for tag in tags]
    return None if any(prop_type(tag) == PropType.PtypUnspecified for tag in found) else found


def _user_entry_id(call: Call, logon: Logon) -> bytes:
    return AddressBookEntryId(call.session.site.people.dn_of(call.session.user)).encode()


def owner_of(call: Call, logon: Logon) -> User | None:
    """The store knows its owner's address only."""
    if logon.public:
        return None
    user = call.session.user
    if logon.info.owner.lower() == user.username.lower():
        return user
    return call.session.site.services.directory.user(logon.info.owner)


def _owner_entry_id(call: Call, logon: Logon) -> bytes | None:
    """Of the address book."""
    user = owner_of(call, logon)
    return None if user is None else AddressBookEntryId(call.session.site.people.dn_of(user)).encode()


def _owner_name(call: Call, logon: Logon) -> str | None:
    """The name that others see ([MS-OXCSTOR] 2.2.2.1.1.8)."""
    user = owner_of(call, logon)
    return None if user is None else call.session.site.services.directory.profile(user).display_name or None


_PEOPLE: Final[dict[int, Callable[[Call, Logon], bytes | str | None]]] = {
    p.PidTagUserEntryId: _user_entry_id,
    p.PidTagMailboxOwnerEntryId: _owner_entry_id,
    p.PidTagMailboxOwnerName: _owner_name,
}
"""Properties of a logon that name somebody of the address book ([MS-OXCSTOR] 2.2.2.1)."""
