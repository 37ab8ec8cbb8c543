"""ROPs on permissions and rules ([MS-OXCROPS] 2.2.10, 2.2.11; [MS-OXCPERM] 2.2, [MS-OXORULE] 2.2)."""

from __future__ import annotations

from typing import Annotated

from gromoxd.mapi.permissions import PermissionData
from gromoxd.mapi.rules import RuleData
from gromoxd.rop.codec import U8, Data16, Request, Response, listed, request, response, structure


@request(0x40)
class ModifyPermissions(Request, frozen=True):
    """[MS-OXCROPS] 2.2.10.1.1. `modify_flags`: `gromoxd.mapi.permissions.ModifyFlags`."""

    modify_flags: U8
    permissions_data: Annotated[list[PermissionData], listed("H", structure(PermissionData), 3)]


@response(0x40)
class ModifyPermissionsResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.10.1.2."""


@request(0x3E)
class GetPermissionsTable(Request, frozen=True):
    """[MS-OXCROPS] 2.2.10.2.1."""

    output: U8
    table_flags: U8


@response(0x3E)
class GetPermissionsTableResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.10.2.2."""


@request(0x41)
class ModifyRules(Request, frozen=True):
    """[MS-OXCROPS] 2.2.11.1.1. `modify_rules_flags`: `gromoxd.mapi.rules.ModifyRulesFlags`."""

    modify_rules_flags: U8
    rules_data: Annotated[list[RuleData], listed("H", structure(RuleData), 3)]


@response(0x41)
class ModifyRulesResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.11.1.2."""


@request(0x3F)
class GetRulesTable(Request, frozen=True):
    """[MS-OXCROPS] 2.2.11.2.1. `table_flags` 0x40: strings are Unicode."""

    output: U8
    table_flags: U8


@response(0x3F)
class GetRulesTableResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.11.2.2."""


@request(0x57)
class UpdateDeferredActionMessages(Request, frozen=True):
    """[MS-OXCROPS] 2.2.11.3.1."""

    server_entry_id: Data16
    client_entry_id: Data16


@response(0x57)
class UpdateDeferredActionMessagesResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.11.3.2."""
