"""gromoxctl autodiscover: what a client would get that knows nothing but an address and a password."""

from __future__ import annotations

import base64
import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from email.message import Message
from typing import IO, Any, NamedTuple

import click

from gromoxd.autodiscover import pox, soap
from gromoxd.cli.site import Site, pass_site, password_from
from gromoxd.errors import WireError

TIMEOUT = 20.0
LARGEST = 1 << 20
MOST_HOPS = 5
SETTINGS = [
    "UserDisplayName", "UserDN", "UserDeploymentId", "AutoDiscoverSMTPAddress", "InternalMailboxServer",
    "InternalMailboxServerDN", "InternalRpcClientServer", "ExternalEwsUrl", "ExternalEwsVersion", "ExternalOABUrl",
    "ExternalMailboxServer", "MobileSyncUrl", "ExternalWebClientUrls", "AlternateMailboxes", "PublicFolderInformation",
    "MapiHttpEnabled", "CasVersion",
]  # fmt: skip


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Whoever asks decides whether a redirect may have the password."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


class Answer(NamedTuple):
    """`location`: where a redirect leads."""

    status: int
    body: bytes
    location: str


class Client:
    """`basic`: the credentials, which go only where they are told to go."""

    def __init__(self, user: str, password: str, insecure: bool) -> None:
        context = ssl.create_default_context()
        if insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect())
        self._basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def ask(self, url: str, body: bytes | None = None, *, secret: bool = True, **headers: str) -> Answer:
        """One request. click.ClickException when nobody answers."""
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise click.ClickException(f"{url} is no URL of HTTP")
        head = {"User-Agent": "gromoxctl", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if secret:
            head["Authorization"] = self._basic
        if body is not None:
            head["Content-Type"] = "text/xml; charset=utf-8"
        try:
            with self._opener.open(urllib.request.Request(url, body, head), timeout=TIMEOUT) as found:
                return Answer(found.status, found.read(LARGEST), "")
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read(LARGEST), error.headers.get("Location", ""))
        except (OSError, ValueError) as error:
            raise click.ClickException(f"{url}: {getattr(error, 'reason', error)}") from None


@click.command()
@click.argument("user")
@click.option("--url", default="", metavar="URL", help="Ask this server, as https://mail.example.org [by the domain].")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input (first line).")
@click.option("--as", "login", default="", metavar="USER", help="Log in as this user [USER].")
@click.option("--kind", type=click.Choice(["outlook", "old", "phone", "soap", "json"]), default="outlook",
              show_default=True, help="old: an Outlook without MAPI/HTTP.")  # fmt: skip
@click.option("--protocol", default="AutodiscoverV1", show_default=True, help="What --kind json asks for.")
@click.option("--insecure", is_flag=True, help="Believe any certificate.")
@click.option("--raw", is_flag=True, help="Show the answer as it came.")
@pass_site
def autodiscover(
    site: Site,
    user: str,
    url: str,
    password_stdin: bool,
    login: str,
    kind: str,
    protocol: str,
    insecure: bool,
    raw: bool,
) -> None:
    """Ask AutoDiscover for the mailbox of USER, an address, and print what a client gets.

    Without --url the running server of -s SITE is asked, or the servers where Outlook looks: https://DOMAIN,
    https://autodiscover.DOMAIN, and where http://autodiscover.DOMAIN redirects to.
    """
    if "@" not in user:
        raise click.ClickException("USER is an address")
    password = "" if kind == "json" else password_from(password_stdin, confirm=False)
    client = Client(login or user, password, insecure)
    problems = []
    for base in _places(client, site, url, user.rpartition("@")[2]):
        try:
            answer = _ask(client, base, user, kind, protocol)
        except click.ClickException as error:
            problems.append(error.message)
            continue
        if answer.status == 200 or (kind == "soap" and answer.status == 500):
            click.echo(f"# {base}")
            click.echo(answer.body.decode("utf-8", "replace").rstrip() if raw else "\n".join(_lines(answer.body, kind)))
            return
        problems.append(f"{base}: HTTP {answer.status}")
    raise click.ClickException("; ".join(problems) or "no server")


def _places(client: Client, site: Site, url: str, domain: str) -> Iterator[str]:
    if url:
        yield url.rstrip("/")
        return
    path = os.path.join(site.folder, "site.json") if site.given else ""
    if path and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            http = json.load(file)["http"]
        yield f"http://{http['host']}:{http['port']}"
        return
    yield f"https://{domain}"
    yield f"https://autodiscover.{domain}"
    found = client.ask(f"http://autodiscover.{domain}/autodiscover/autodiscover.xml", secret=False)
    if found.location.startswith("https://"):
        parts = urllib.parse.urlsplit(found.location)
        yield f"https://{parts.netloc}"


def _ask(client: Client, base: str, user: str, kind: str, protocol: str) -> Answer:
    if kind == "json":
        query = urllib.parse.urlencode({"Email": user, "Protocol": protocol, "RedirectCount": 1})
        return client.ask(f"{base}/autodiscover/autodiscover.json?{query}", secret=False)
    url = f"{base}/autodiscover/autodiscover.{'svc' if kind == 'soap' else 'xml'}"
    more: dict[str, Any] = {"X_MapiHttpCapability": "1", "X_AnchorMailbox": user} if kind == "outlook" else {}
    for _ in range(MOST_HOPS):
        body = (
            soap.write_request(user, SETTINGS, url)
            if kind == "soap"
            else pox.write_request(user, phone=kind == "phone")
        )
        answer = client.ask(url, body, **more)
        if answer.status not in (301, 302, 307, 308) or not answer.location:
            return answer
        click.echo(f"# {url} -> {answer.location}")
        url = urllib.parse.urljoin(url, answer.location)
        if not url.startswith("https://") and base.startswith("https://"):
            raise click.ClickException(f"{answer.location}: the password is not sent without TLS")
    raise click.ClickException(f"{base}: too many redirects")


def _lines(body: bytes, kind: str) -> list[str]:
    """One line for each thing that is told."""
    if kind == "json":
        try:
            return [f"{name}: {value}" for name, value in json.loads(body).items()]
        except (ValueError, AttributeError):
            raise click.ClickException("the answer is no JSON") from None
    try:
        told = soap.read_response(body) if kind == "soap" else pox.read_response(body)
    except WireError as error:
        raise click.ClickException(f"the answer is no AutoDiscover: {error}") from None
    return [f"{name}: {value}" for name, value in told]
