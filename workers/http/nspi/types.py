"""The request types of the address book endpoint ([MS-OXCMAPIHTTP] 2.2.5): bodies to operations and back.

Work that may take long runs on a thread, all that asks mailboxes on the loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

from gromoxd.directory.errors import DirectoryDown
from gromoxd.errors import Ec, MapiError
from gromoxd.nspi import bodies as b
from gromoxd.nspi.session import Session
from gromoxd.nspi.stat import Stat
from workers.http.mapihttp import MAILBOX
from workers.http.mapihttp.framing import Context, RequestType, Use
from workers.http.nspi import PATH
from workers.http.nspi.binding import LIGHT_MIDS, apart, is_heavy_query, is_heavy_seek, is_list, session
from workers.http.nspi.referral import url, user_of_server

log = logging.getLogger(__name__)
Q = TypeVar("Q", bound=b.Request)
R = TypeVar("R")


class Bound:
    """The state of a session context: that it is there. The user is the context's."""

    def wake(self) -> None:
        """Nobody waits for an address book."""

    def close(self) -> None:
        """Nothing is held."""


def _stat(state: Stat | None) -> Stat:
    if state is None:
        raise MapiError(Ec.ecInvalidParam, "no STAT")
    return state


class Call:
    """One request being carried out."""

    def __init__(self, context: Context) -> None:
        self._context = context
        try:
            self.session: Session = session(context.site, context.request.user)
        except DirectoryDown as error:
            raise MapiError(Ec.ecError, str(error)) from error

    def run(self, heavy: bool, work: Callable[[], R]) -> R:
        """Work that may take more than some milliseconds goes to a thread."""
        return apart(self._context.site, heavy, work)


def operation(request: type[Q], response: type[b.Response]) -> Callable[[Any], Callable[[Context, bytes], bytes]]:
    """A request type's function, from one that makes the response (or its octets) of `Call` and request.

    What fails is told by ErrorCode, with nothing else in the body.
    """

    def wrap(function: Callable[[Call, Q], b.Response | bytes]) -> Callable[[Context, bytes], bytes]:
        def serve(context: Context, body: bytes) -> bytes:
            asked = request.decode(body)
            call = Call(context)
            try:
                answer = function(call, asked)
                return answer if isinstance(answer, bytes) else answer.encode()
            except MapiError as error:
                log.debug("address book request failed", extra={"type": request.__name__, "error": str(error)})
                return response(code=error.code).encode()

        return serve

    return wrap


def bind(context: Context, body: bytes) -> bytes:
    """[MS-OXCMAPIHTTP] 2.2.5.1. A failed one makes no session context."""
    asked = b.BindRequest.decode(body)
    try:
        guid = Call(context).session.bind(_stat(asked.state))
    except MapiError as error:
        log.info("address book cannot be bound", extra={"error": str(error)})
        return b.BindResponse(code=error.code).encode()
    context.state = Bound()
    return b.BindResponse(server_guid=guid).encode()


UNBIND_SUCCESS: Final = 1
"""[MS-OXNSPI] 3.1.4.1.2."""


def unbind(context: Context, body: bytes) -> bytes:
    """[MS-OXCMAPIHTTP] 2.2.5.2."""
    b.UnbindRequest.decode(body)
    return b.UnbindResponse(code=UNBIND_SUCCESS).encode()


@operation(b.CompareMinIdsRequest, b.CompareMinIdsResponse)
def compare_mids(call: Call, asked: b.CompareMinIdsRequest) -> b.Response:
    """[MS-OXCMAPIHTTP] 2.2.5.3."""
    result = call.session.compare_mids(_stat(asked.state), asked.minimal_id1, asked.minimal_id2)
    return b.CompareMinIdsResponse(result=result)


@operation(b.DnToMinIdRequest, b.DnToMinIdResponse)
def dn_to_mid(call: Call, asked: b.DnToMinIdRequest) -> b.Response:
    """[MS-OXCMAPIHTTP] 2.2.5.4."""
    names = [name.decode("utf-8", "replace") for name in asked.names or []]
    mids = call.run(len(names) > LIGHT_MIDS, lambda: call.session.dn_to_mid(names))
    return b.DnToMinIdResponse(minimal_ids=mids)


@operation(b.GetMatchesRequest, b.GetMatchesResponse)
def get_matches(call: Call, asked: b.GetMatchesRequest) -> bytes:
    """[MS-OXCMAPIHTTP] 2.2.5.5."""
    stat, name = _stat(asked.state), asked.property_name
    link = name.id if name is not None else None

    def work() -> bytes:
        found = call.session.get_matches(stat, asked.filter, link, asked.row_count, asked.columns)
        return b.GetMatchesResponse(state=found.stat, minimal_ids=found.mids, rows=found.rows).encode()

    return call.run(not call.session.wants_mailbox(stat, asked.filter, link), work)


@operation(b.GetPropListRequest, b.GetPropListResponse)
def get_prop_list(call: Call, asked: b.GetPropListRequest) -> b.Response:
    """[MS-OXCMAPIHTTP] 2.2.5.6."""
    book, mid = call.session, asked.minimal_id
    found = call.run(is_list(book, mid), lambda: book.get_prop_list(asked.flags, mid, asked.code_page))
    return b.GetPropListResponse(property_tags=tuple(found))


@operation(b.GetPropsRequest, b.GetPropsResponse)
def get_props(call: Call, asked: b.GetPropsRequest) -> b.Response:
    """[MS-OXCMAPIHTTP] 2.2.5.7."""
    stat = _stat(asked.state)
    heavy = is_list(call.session, stat.current_rec)
    code, values = call.run(heavy, lambda: call.session.get_props(asked.flags, stat, asked.property_tags))
    return b.GetPropsResponse(code=code, code_page=stat.code_page, property_values=values)


@operation(b.GetSpecialTableRequest, b.GetSpecialTableResponse)
def get_special_table(call: Call, asked: b.GetSpecialTableRequest) -> b.Response:
    """[MS-OXCMAPIHTTP] 2.2.5.8."""
    stat = _stat(asked.state)
    version, rows = call.session.get_special_table(asked.flags, stat, asked.version or 0)
    return b.GetSpecialTableResponse(code_page=stat.code_page, version=version, rows=rows)


@operation(b.GetTemplateInfoRequest, b.GetTemplateInfoResponse)
def get_template_info(call: Call, asked: b.GetTemplateInfoRequest) -> b.Response:
    """[MS-OXCMAPIHTTP] 2.2.5.9."""
    dn = asked.template_dn.decode("utf-8", "replace") if asked.template_dn else None
    row = call.session.get_template_info(asked.flags, asked.display_type, dn, asked.code_page, asked.locale_id)
    return b.GetTemplateInfoResponse(code_page=asked.code_page, row=row)


@operation(b.ModLinkAttRequest, b.ModLinkAttResponse)
def mod_link_att(call: Call, asked: b.ModLinkAttRequest) -> b.Response:
    """[MS-OXCMAPIHTTP] 2.2.5.10."""
    call.session.mod_link_att(asked.flags, asked.property_tag, asked.minimal_id, asked.entry_ids or [])
    return b.ModLinkAttResponse()


@operation(b.ModPropsRequest, b.ModPropsResponse)
def mod_props(call: Call, asked: b.ModPropsRequest) -> b.Response:
    """[MS-OXCMAPIHTTP] 2.2.5.11."""
    values = asked.property_values.values if asked.property_values is not None else ()
    call.session.mod_props(_stat(asked.state), asked.property_tags_to_remove, values)
    return b.ModPropsResponse()


@operation(b.QueryRowsRequest, b.QueryRowsResponse)
def query_rows(call: Call, asked: b.QueryRowsRequest) -> bytes:
    """[MS-OXCMAPIHTTP] 2.2.5.12."""
    stat = _stat(asked.state)

    def work() -> bytes:
        found, rows = call.session.query_rows(asked.flags, stat, asked.explicit_table, asked.row_count, asked.columns)
        return b.QueryRowsResponse(state=found, rows=rows).encode()

    return call.run(is_heavy_query(asked.explicit_table, asked.row_count, asked.columns), work)


@operation(b.QueryColumnsRequest, b.QueryColumnsResponse)
def query_columns(call: Call, asked: b.QueryColumnsRequest) -> b.Response:
    """[MS-OXCMAPIHTTP] 2.2.5.13."""
    return b.QueryColumnsResponse(columns=tuple(call.session.query_columns(asked.map_flags)))


@operation(b.ResolveNamesRequest, b.ResolveNamesResponse)
def resolve_names(call: Call, asked: b.ResolveNamesRequest) -> bytes:
    """[MS-OXCMAPIHTTP] 2.2.5.14."""
    stat, names = _stat(asked.state), asked.names or []

    def work() -> bytes:
        mids, rows = call.session.resolve_names(stat, names, asked.property_tags)
        return b.ResolveNamesResponse(code_page=stat.code_page, minimal_ids=mids, rows=rows).encode()

    return call.run(True, work)


@operation(b.ResortRestrictionRequest, b.ResortRestrictionResponse)
def resort_restriction(call: Call, asked: b.ResortRestrictionRequest) -> b.Response:
    """[MS-OXCMAPIHTTP] 2.2.5.15."""
    stat, mids = _stat(asked.state), asked.minimal_ids or ()
    found, ordered = call.run(len(mids) > LIGHT_MIDS, lambda: call.session.resort(stat, mids))
    return b.ResortRestrictionResponse(state=found, minimal_ids=ordered)


@operation(b.SeekEntriesRequest, b.SeekEntriesResponse)
def seek_entries(call: Call, asked: b.SeekEntriesRequest) -> bytes:
    """[MS-OXCMAPIHTTP] 2.2.5.16."""
    stat, target = _stat(asked.state), asked.target
    if target is None:
        raise MapiError(Ec.ecInvalidParam, "nothing to seek")

    def work() -> bytes:
        found, rows = call.session.seek_entries(stat, target, asked.explicit_table, asked.columns)
        return b.SeekEntriesResponse(state=found, rows=rows).encode()

    return call.run(is_heavy_seek(asked.explicit_table, asked.columns), work)


@operation(b.UpdateStatRequest, b.UpdateStatResponse)
def update_stat(call: Call, asked: b.UpdateStatRequest) -> b.Response:
    """[MS-OXCMAPIHTTP] 2.2.5.17."""
    found, delta = call.session.update_stat(_stat(asked.state))
    return b.UpdateStatResponse(state=found, delta=delta if asked.delta_requested else None)


def get_mailbox_url(context: Context, body: bytes) -> bytes:
    """[MS-OXCMAPIHTTP] 2.2.5.18: where the mailbox of a "server" is."""
    asked = b.GetMailboxUrlRequest.decode(body)
    try:
        user = user_of_server(context.site, asked.server_dn)
    except MapiError as error:
        return b.GetMailboxUrlResponse(code=error.code).encode()
    return b.GetMailboxUrlResponse(server_url=url(context.site, user, MAILBOX, context.request.host)).encode()


def get_address_book_url(context: Context, body: bytes) -> bytes:
    """[MS-OXCMAPIHTTP] 2.2.5.19: where the address book of the user who asks is."""
    b.GetAddressBookUrlRequest.decode(body)
    found = url(context.site, context.request.user, PATH, context.request.host)
    return b.GetAddressBookUrlResponse(server_url=found).encode()


_TYPES: Final[dict[str, RequestType]] = {
    "bind": RequestType(bind, Use.OPENS),
    "unbind": RequestType(unbind, Use.CLOSES),
    "comparemids": RequestType(compare_mids, Use.USES),
    "dntomid": RequestType(dn_to_mid, Use.USES),
    "getmatches": RequestType(get_matches, Use.USES),
    "getproplist": RequestType(get_prop_list, Use.USES),
    "getprops": RequestType(get_props, Use.USES),
    "getspecialtable": RequestType(get_special_table, Use.USES),
    "gettemplateinfo": RequestType(get_template_info, Use.USES),
    "modlinkatt": RequestType(mod_link_att, Use.USES),
    "modprops": RequestType(mod_props, Use.USES),
    "queryrows": RequestType(query_rows, Use.USES),
    "querycolumns": RequestType(query_columns, Use.USES),
    "resolvenames": RequestType(resolve_names, Use.USES),
    "resortrestriction": RequestType(resort_restriction, Use.USES),
    "seekentries": RequestType(seek_entries, Use.USES),
    "updatestat": RequestType(update_stat, Use.USES),
    "getmailboxurl": RequestType(get_mailbox_url, Use.FREE),
    "getaddressbookurl": RequestType(get_address_book_url, Use.FREE),
}
TYPES: Final = {
    **_TYPES,
    "compareminids": _TYPES["comparemids"],
    "dntominid": _TYPES["dntomid"],
    "querycolumn": _TYPES["querycolumns"],
}
"""By X-RequestType in lower case, with other names that clients have for some."""
