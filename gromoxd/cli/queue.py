"""gromoxctl queue: mail that waits to be sent. The running relay is asked; without one it can only be read."""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any

import click

from gromoxd.cli.site import Site, json_option, pass_site, plain, show, table

TIMEOUT = 60.0
LONGEST = 64 << 20
STATES = ("queued", "held", "sent", "failed", "expanded")
COLUMNS = ("id", "age", "size", "sender", "recipients", "state", "next", "tries", "answer")


@click.group()
def queue() -> None:
    """Mail that waits to be sent.

    Mail is on disk here from the moment a sender was told that it is sent, until every recipient has it or the sender
    was told that one cannot have it.
    """


@queue.command(name="list")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="At most so many.")
@json_option
@pass_site
def list_(site: Site, limit: int, as_json: bool) -> None:
    """List mail in the queue, the oldest first."""
    asked = _ask(site, {"command": "list", "limit": limit})
    mails = _read_list(site, limit) if asked is None else asked["mails"]
    if as_json:
        click.echo(json.dumps(mails, indent=2, ensure_ascii=False))
        return
    now = time.time()
    table([_row(mail, now) for mail in mails], False, COLUMNS)


def _row(mail: dict[str, Any], now: float) -> dict[str, Any]:
    due = mail["due"]
    state = "held" if mail["held"] and not mail["queued"] else "deferred" if mail["tries"] else "queued"
    return {
        "id": mail["id"], "age": _span(now - mail["created"]), "size": mail["size"], "sender": mail["sender"] or "<>",
        "recipients": f"{mail['queued'] + mail['held']}/{mail['recipients']}", "state": state,
        "next": None if due is None else _span(due - now), "tries": mail["tries"], "answer": (mail["text"] or "")[:80],
    }  # fmt: skip


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"


@queue.command(name="show")
@click.argument("id_", metavar="ID", type=int)
@json_option
@pass_site
def show_(site: Site, id_: int, as_json: bool) -> None:
    """Show a mail: its header, and each recipient with what was said last."""
    asked = _ask(site, {"command": "show", "ids": [id_]})
    mail = _read_mail(site, id_) if asked is None else asked["mail"]
    if as_json:
        show(mail, True)
        return
    recipients = mail.pop("recipients")
    header = mail.pop("header", "")
    show({**mail, "created": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(mail["created"]))}, False)
    for one in recipients:
        said = f" ({one['tries']} tries) {one['text']}" if one["tries"] else ""
        click.echo(plain(f"recipient: {one['address']} {one['state']}{said}"))
    click.echo()
    for line in header.splitlines():
        click.echo(plain(line.replace("\t", " ")))


def _changing(command: str, doc: str) -> None:
    @queue.command(name=command, help=doc)
    @click.argument("ids", metavar="[ID]...", type=int, nargs=-1)
    @click.option("--all", "everything", is_flag=True, help="All mail in the queue.")
    @pass_site
    def change(site: Site, ids: tuple[int, ...], everything: bool) -> None:
        if bool(ids) == everything:
            raise click.UsageError("give ids, or --all")
        asked = _ask(site, {"command": command, "ids": list(ids), "all": everything})
        if asked is None:
            raise click.ClickException("the relay of this site does not run")
        missing = sorted(set(ids) - set(asked["done"]))
        click.echo(f"{command}: {len(asked['done'])}")
        if missing:
            raise click.ClickException(f"nothing to {command} at {', '.join(map(str, missing))}")


_changing("hold", "Keep mail in the queue without trying to send it.")
_changing("release", "Let held mail go on, at once.")
_changing("retry", "Try mail now that waits for its next try.")
_changing("drop", "Remove mail from the queue; its senders are not told.")


# ---------------------------------------------------------------------------------------------- the relay


def _ask(site: Site, request: dict[str, Any]) -> dict[str, Any] | None:
    """What the running relay answers; None when there is none. ClickException for a refusal."""
    path = os.path.join(site.run, "queue.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(TIMEOUT)
        try:
            sock.connect(path)
        except PermissionError:
            raise click.ClickException(f"you may not use {path}") from None
        except OSError:
            return None
        try:
            sock.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(_line(sock))
        except (OSError, ValueError) as error:
            raise click.ClickException(f"the relay does not answer: {error}") from None
    if not isinstance(answer, dict) or not answer.get("ok"):
        raise click.ClickException(str(answer.get("error") if isinstance(answer, dict) else answer))
    return answer


def _line(sock: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        piece = sock.recv(1 << 16)
        if not piece or len(data) > LONGEST:
            raise OSError("no answer")
        data += piece
    return bytes(data)


# ---------------------------------------------------------------------------------------------- the file


def _open(site: Site) -> Any:
    import apsw

    path = os.path.join(site.folder, "spool", "queue.sqlite3")
    if not os.path.exists(path):
        raise click.ClickException(f"there is no queue {path}")
    db = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(5000)
    return db


def _read_list(site: Site, limit: int) -> list[dict[str, Any]]:
    sql = (
        "SELECT m.id, m.sender, m.created, m.size, count(*), sum(r.state=0), sum(r.state=1),"
        " min(CASE r.state WHEN 0 THEN r.due END), max(r.tries), max(CASE WHEN r.state < 2 THEN r.text END)"
        " FROM mails m JOIN recipients r ON r.mail = m.id GROUP BY m.id ORDER BY m.id LIMIT ?"
    )
    names = ("id", "sender", "created", "size", "recipients", "queued", "held", "due", "tries", "text")
    db = _open(site)
    try:
        return [dict(zip(names, row, strict=True)) for row in db.execute(sql, (limit,))]
    finally:
        db.close()


def _read_mail(site: Site, id_: int) -> dict[str, Any]:
    db = _open(site)
    try:
        found = db.execute("SELECT id, sender, created, size, mailbox FROM mails WHERE id=?", (id_,)).fetchone()
        if found is None:
            raise click.ClickException(f"there is no mail {id_}")
        sql = "SELECT address, state, due, tries, status, text FROM recipients WHERE mail=? ORDER BY number"
        names = ("address", "state", "due", "tries", "status", "text")
        recipients = [dict(zip(names, row, strict=True)) for row in db.execute(sql, (id_,))]
    finally:
        db.close()
    for one in recipients:
        one["state"] = STATES[one["state"]]
    return {**dict(zip(("id", "sender", "created", "size", "mailbox"), found, strict=True)), "recipients": recipients}
