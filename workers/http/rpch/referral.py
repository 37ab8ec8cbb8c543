"""RFRI: which server clients are to ask ([MS-OXABREF] 3.1.4). The answers are those of MAPI/HTTP."""

from __future__ import annotations

from gromoxd.directory import dn
from gromoxd.errors import Ec, MapiError
from gromoxd.rpc import rfr
from workers.http.nspi import referral
from workers.http.rpch.operations import Caller, operation


@operation(rfr.RFR, rfr.RfrGetNewDSA)
def new_dsa(caller: Caller, call: rfr.RfrGetNewDSA) -> rfr.RfrGetNewDSAAnswer:
    """[MS-OXABREF] 3.1.4.1: by the user of the DN, if there is one."""
    if len(call.user_dn) > dn.LONGEST_DN:
        return rfr.RfrGetNewDSAAnswer(None, None, Ec.ecInvalidParam)
    user = caller.site.people.user_of_dn(call.user_dn.decode("utf-8", "replace")) or caller.user
    server = referral.new_dsa(caller.site, user).encode("ascii", "replace")
    return rfr.RfrGetNewDSAAnswer(None, server, 0)


@operation(rfr.RFR, rfr.RfrGetFQDNFromServerDN)
def fqdn(caller: Caller, call: rfr.RfrGetFQDNFromServerDN) -> rfr.RfrGetFQDNFromServerDNAnswer:
    """[MS-OXABREF] 3.1.4.2."""
    try:
        found = referral.fqdn_of_dn(caller.site, call.server_dn.decode("utf-8", "replace"))
    except MapiError as error:
        return rfr.RfrGetFQDNFromServerDNAnswer(None, error.code)
    return rfr.RfrGetFQDNFromServerDNAnswer(found.encode("ascii", "replace"), 0)
