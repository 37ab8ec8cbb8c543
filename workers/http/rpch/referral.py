"""RFRI: every server of ours has the whole address book ([MS-OXABREF] 3.1.4).

A mailbox is the "server" that clients know: its id is answered, for the connection goes by HTTP's name of us anyway.
"""

from __future__ import annotations

from gromoxd.directory import dn
from gromoxd.errors import Ec
from gromoxd.rpc import rfr
from workers.http.rpch.operations import Caller, operation


@operation(rfr.RFR, rfr.RfrGetNewDSA)
def new_dsa(caller: Caller, call: rfr.RfrGetNewDSA) -> rfr.RfrGetNewDSAAnswer:
    """[MS-OXABREF] 3.1.4.1."""
    if len(call.user_dn) > dn.LONGEST_DN:
        return rfr.RfrGetNewDSAAnswer(None, None, Ec.ecInvalidParam)
    user = caller.site.people.user_of_dn(call.user_dn.decode("utf-8", "replace")) or caller.user
    server = caller.site.people.mailbox_id(user).encode("ascii", "replace")
    return rfr.RfrGetNewDSAAnswer(None, server, 0)


@operation(rfr.RFR, rfr.RfrGetFQDNFromServerDN)
def fqdn(caller: Caller, call: rfr.RfrGetFQDNFromServerDN) -> rfr.RfrGetFQDNFromServerDNAnswer:
    """[MS-OXABREF] 3.1.4.2."""
    known = dn.parse_server(caller.site.people.organisation, call.server_dn.decode("utf-8", "replace"))
    if known is None:
        return rfr.RfrGetFQDNFromServerDNAnswer(None, Ec.ecNotFound)
    return rfr.RfrGetFQDNFromServerDNAnswer(known.encode("ascii", "replace"), 0)
