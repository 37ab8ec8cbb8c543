"""Known examples that no codec of the store is for, and why."""

from __future__ import annotations

_RPC = "the transport of ROPs: RPC over HTTP; this server has none of it yet"
_NTLM = "authentication with NTLM; comes with the protocols, from a library"
_LZ77 = "compression of ROP buffers and address books (LZ77); comes with the protocols"
_OAB = "offline address book; comes with the address book"
_STUB = "a compressed buffer in its RPC call; the same decompressed is in `captures`"

LEFT_OUT: dict[str, str] = {
    "xca-3.1a": _LZ77,
    "xca-3.1b": _LZ77,
    "rpch-conn-a1": _RPC,
    "rpch-conn-a3": _RPC,
    "rpch-ping": _RPC,
    "rpch-conn-c2": _RPC,
    "rpch-fca": _RPC,
    "rpch-conn-b1": _RPC,
    "rpc-bind-nspi": _RPC,
    "nlmp-ntowfv2": _NTLM,
    "nlmp-sbk": _NTLM,
    "nlmp-lmv2": _NTLM,
    "nlmp-ntproof": _NTLM,
    "nlmp-esk": _NTLM,
    "nlmp-challenge": _NTLM,
    "nlmp-auth": _NTLM,
    "nlmp-seal": _NTLM,
    "outlook2007-001": _STUB,
    "outlook2007-002": _STUB,
    "oab2-browse": _OAB,
    "oab3-browse": _OAB,
    "oab-anr": _OAB,
    "oab2-mszip": _OAB,
}
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
    "MS-OXCTABL 4.5.3.2": "all but 64 octets of nine rows",
    "MS-OXCMSG 4": "messages and attachments",
    "MS-OXCFXICS 4": "synchronisation and copies",
    "MS-OXCDATA 4": "restrictions and rows",
}
"""Examples in the documents whose octets, or some of them, were not at hand when these tests were written."""
