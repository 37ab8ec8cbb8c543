"""What a client is told about a mailbox, whatever the dialect in which it asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class Code(IntEnum):
    """Errors of the POX dialect ([MS-OXDSCLI] 2.2.4.1.2.1.1, [MS-ASCMD] 2.2.3.64.1)."""

    UNKNOWN_ADDRESS = 500
    BAD_ADDRESS = 501
    INVALID_REQUEST = 600
    NO_PROVIDER = 601
    SERVER_ERROR = 603


class Invalid(Exception):
    """A request that is answered with an error; `text` is for the client."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


@dataclass(frozen=True)
class Urls:
    """Where the services are; '' for one that is not offered. `host`: the name behind them, `ssl`: whether by https."""

    host: str = ""
    ssl: bool = True
    emsmdb: str = ""
    nspi: str = ""
    rpc: str = ""
    """Host of the RPC proxy."""
    ews: str = ""
    oab: str = ""
    activesync: str = ""
    web: str = ""
    dav: str = ""
    autodiscover: str = ""


@dataclass(frozen=True)
class Alternative:
    """Another mailbox that the user opens, too ([MS-OXDSCLI] 2.2.4.1.1.2.2). `kind`: Delegate or Archive."""

    kind: str
    display_name: str
    address: str
    dn: str
    server: str


@dataclass(frozen=True)
class Mailbox:
    """A mailbox. `server` is its mailbox id; DNs as `gromoxd.directory.dn` has them; `public` is the address of its
    public folders, '' for none. `auth`: AuthPackage of RPC over HTTP: Basic, Ntlm or Negotiate.
    """

    display_name: str
    address: str
    dn: str
    deployment_id: str
    server: str
    server_dn: str
    mdb_dn: str
    urls: Urls
    public: str = ""
    auth: str = "Basic"
    version: str = "15.00.0847.4040"
    lang: str = "en"
    alternatives: list[Alternative] = field(default_factory=list)


def server_version(version: str) -> str:
    """ServerVersion ([MS-OXDSCLI] 2.2.4.1.1.2.6.44): major, minor and build in eight hex digits, the first a 7."""
    parts = [int(part) for part in version.split(".") if part.isdecimal()] + [0, 0, 0]
    return f"{7 << 28 | (parts[0] & 0x3F) << 22 | (parts[1] & 0x3F) << 16 | 1 << 15 | parts[2] & 0x7FFF:08X}"
