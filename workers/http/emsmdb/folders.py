"""What ROPs on folders do ([MS-OXCFOLD] 3.2.5)."""

from __future__ import annotations

from typing import Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.hierarchy import GetFolderProps
from gromoxd.mapi.proptags import PidTagDeletedOn, PidTagFolderType, PidTagHasRules
from gromoxd.rop import folders as w
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import Folder, ServerObject

_LOOK: Final = [PidTagFolderType, PidTagHasRules, PidTagDeletedOn]


@handles(w.OpenFolder)
def open_folder(call: Call, request: w.OpenFolder) -> w.OpenFolderResponse:
    """[MS-OXCFOLD] 3.2.5.1. A soft-deleted folder opens only when it was asked for one."""
    logon = call.object(ServerObject).logon
    fid = logon.counter(request.folder_id)
    props = logon.account.call(GetFolderProps(fid, _LOOK))
    if PidTagDeletedOn in props and not request.open_mode_flags & w.SOFT_DELETED:
        raise MapiError(Ec.ecNotFound, f"folder {fid:#x} is deleted")
    call.put(request.output, Folder(logon, fid))
    return w.OpenFolderResponse(request.output, 0, bool(props.get(PidTagHasRules)))
