"""Saving and looking at MAPI objects of a mailbox of the engine."""

from __future__ import annotations

from typing import Any

from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.pages import KEYWORD_SHIFT, SYSTEM_MASK
from gromoxd.mapi.bag import decode_bag, decode_bags
from gromoxd.mapi.proptags import (
    PidTagAddressType,
    PidTagDisplayName,
    PidTagEmailAddress,
    PidTagRecipientType,
)
from tests.store.conftest import INBOX, Harness

Row = dict[str, Any]
TABLES = ("message_data", "data_refs", "attachments", "big_values", "embedded", "content", "content_refs", "unlisted")


def person(address: str, kind: int = 1) -> o.Bag:
    """A recipient."""
    return {
        PidTagRecipientType: kind, PidTagDisplayName: address.partition("@")[0], PidTagEmailAddress: address,
        PidTagAddressType: "SMTP",
    }  # fmt: skip


def save(box: Harness, props: o.Bag, fid: int = INBOX, mid: int = 0, base_cn: int = 0, **more: Any) -> o.Saved:
    """SaveMessage. `recipients`, `attachments`, `delete` are the changes'; `actor`, `spool` the call's."""
    changes = o.Changes(
        props, more.pop("delete", []), more.pop("recipients", None), more.pop("attachments", [])
    )  # fmt: skip
    how = {key: more.pop(key) for key in ("actor", "spool") if key in more}
    request_id = more.pop("request_id", None) or box.request_id()
    saved: o.Saved = box.call(o.SaveMessage(fid, mid, base_cn, changes, request_id, **more), **how)
    return saved


def change(box: Harness, saved: o.Saved, props: o.Bag, **more: Any) -> o.Saved:
    """SaveMessage on what a SaveMessage answered."""
    return save(box, props, saved.fid, saved.mid, saved.cn, **more)


def listed(box: Harness, mid: int) -> Row:
    """A row of `messages`."""
    columns = ("fid", "uid", "mid", "flags", "modseq", "cn", "size", "received", "sent", "did")
    rows = box.sql(f"SELECT {', '.join(columns)} FROM messages WHERE mid=?", mid)
    return dict(zip(columns, rows[0], strict=True)) if rows else {}


def unlisted(box: Harness, mid: int) -> Row:
    """A row of `unlisted`."""
    columns = ("mid", "fid", "kind", "flags", "modseq", "cn", "size", "did", "time")
    rows = box.sql(f"SELECT {', '.join(columns)} FROM unlisted WHERE mid=?", mid)
    return dict(zip(columns, rows[0], strict=True)) if rows else {}


def did_of(box: Harness, mid: int) -> int:
    did: int = (listed(box, mid) or unlisted(box, mid))["did"]
    return did


def bag(box: Harness, mid: int) -> o.Bag:
    """The stored properties of a message, without big ones."""
    return data_bag(box, did_of(box, mid))


def data_bag(box: Harness, did: int) -> o.Bag:
    return decode_bag(box.sql("SELECT props FROM message_data WHERE did=?", did)[0][0])


def recipients(box: Harness, mid: int) -> list[o.Bag]:
    return decode_bags(box.sql("SELECT recipients FROM message_data WHERE did=?", did_of(box, mid))[0][0])


def attachments(box: Harness, did: int) -> dict[int, o.Bag]:
    found = box.sql("SELECT num, props FROM attachments WHERE did=? ORDER BY num", did)
    return {num: decode_bag(props) for num, props in found}


def big(box: Harness, did: int) -> dict[tuple[int, int], bytes]:
    """(part, tag) -> octets of the big values."""
    content = box.box._runner.tx.content
    found = box.sql("SELECT part, tag, cid, size FROM big_values WHERE did=?", did)
    values = {(part, tag): content.get(cid) for part, tag, cid, _ in found}
    assert {key: len(value) for key, value in values.items()} == {(part, tag): size for part, tag, _, size in found}
    return values


def child(box: Harness, did: int, num: int) -> int:
    """The data row of an embedded message."""
    found: int = box.sql("SELECT child FROM embedded WHERE did=? AND num=?", did, num)[0][0]
    return found


def flags(box: Harness, saved: o.Saved) -> tuple[int, list[str]]:
    """System flag bits and keywords of a message, as IMAP sees them."""
    word = box.flags(saved.fid)[saved.uid]
    sets = box.call(c.GetKeywordSets()).sets
    return word & SYSTEM_MASK, sets[word >> KEYWORD_SHIFT]


def check_references(box: Harness) -> None:
    """Nothing that nobody refers to, nothing missing, all counts exact, all figures of folders right."""
    dids: dict[int, int] = {}
    cids: dict[int, int] = {}
    for (did,) in box.sql("SELECT did FROM messages UNION ALL SELECT did FROM unlisted"):
        dids[did] = dids.get(did, 0) + 1
    for (did,) in box.sql("SELECT child FROM embedded"):
        dids[did] = dids.get(did, 0) + 1
    for did, cid in box.sql("SELECT did, cid FROM message_data"):
        assert did in dids, f"data {did} is nobody's"
        if cid:
            cids[cid] = cids.get(cid, 0) + 1
    for did, cid in box.sql("SELECT did, cid FROM big_values"):
        assert did in dids, f"value of {did}"
        cids[cid] = cids.get(cid, 0) + 1
    assert {did for (did,) in box.sql("SELECT did FROM message_data")} == dids.keys()
    assert {cid for (cid,) in box.sql("SELECT cid FROM content")} == cids.keys()
    assert dict(box.sql("SELECT did, refs FROM data_refs")) == {d: n for d, n in dids.items() if n > 1}
    assert dict(box.sql("SELECT cid, refs FROM content_refs")) == {d: n for d, n in cids.items() if n > 1}
    for table in ("attachments", "embedded"):
        assert {did for (did,) in box.sql(f"SELECT did FROM {table}")} <= dids.keys()
    for did, num in box.sql("SELECT did, num FROM embedded"):
        assert box.sql("SELECT 1 FROM attachments WHERE did=? AND num=?", did, num)
    for did, part in box.sql("SELECT did, part FROM big_values WHERE part > 0"):
        assert box.sql("SELECT 1 FROM attachments WHERE did=? AND num=?", did, part - 1)
    check_figures(box)


def check_figures(box: Harness) -> None:
    sql = "SELECT fid, count(*), sum(size), sum(NOT flags & 1) FROM messages GROUP BY fid"
    counted = {fid: (count, size, unseen) for fid, count, size, unseen in box.sql(sql)}
    for fid, count, size, unseen, cn in box.sql("SELECT fid, messages, size, unseen, cn FROM folders"):
        assert (count, size, unseen) == counted.get(fid, (0, 0, 0))
        newest = box.sql("SELECT max(modseq) FROM messages WHERE fid=?", fid)[0][0]
        assert (newest or 0) <= cn
    assert box.sql("SELECT mid FROM messages INTERSECT SELECT mid FROM unlisted") == []


def counts(box: Harness) -> dict[str, int]:
    """Rows of the tables of objects."""
    return {table: box.sql(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}
