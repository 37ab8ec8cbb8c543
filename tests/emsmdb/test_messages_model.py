"""A message against a dict: set, delete, copy, write as a stream, save, reopen; and ROPs in no order, badly filled."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb.names import MakePropertyIds, Name
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import eid_int
from gromoxd.mapi.rows import NOT_FOUND
from gromoxd.rop import messages as rm
from gromoxd.rop import properties as rp
from gromoxd.rop import streams as rs
from gromoxd.rop.codec import Request
from gromoxd.rop.release import Release
from tests.emsmdb.test_messages import COLUMNS, MAIL, MESSAGE, OTHER, create, get, open_, person, put, save
from tests.emsmdb.test_properties import write
from tests.emsmdb.world import DRAFTS, INBOX, Client, EmsmdbWorld
from workers.http.emsmdb.objects import Attachment, Folder, Message, ServerObject
from workers.http.emsmdb.streams import StreamObject

NAMED = 0x0001_001F
"""Stands for the named property of the mailbox."""
VALUES: dict[int, st.SearchStrategy[Any]] = {
    p.PidTagComment: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    p.PidTagImportance: st.integers(0, 2),
    p.PidTagStartDate: st.integers(0, (1 << 62)),
    p.PidTagRoamingDictionary: st.binary(min_size=1, max_size=60),
    p.PidTagReplyRequested: st.booleans(),
    NAMED: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    p.PidTagAdditionalRenEntryIds: st.lists(st.binary(max_size=9), min_size=1, max_size=4),
}  # fmt: skip
STREAMS = (p.PidTagRoamingDictionary,)
STEPS = st.one_of(
    *(st.tuples(st.just("set"), st.just(tag), values) for tag, values in VALUES.items()),
    st.tuples(st.just("delete"), st.sampled_from(list(VALUES)), st.none()),
    st.tuples(st.just("stream"), st.sampled_from(STREAMS), st.binary(min_size=1, max_size=60)),
    st.tuples(st.sampled_from(["save", "reopen", "copy"]), st.just(0), st.none()),
)
DEFAULTS = {p.PidTagImportance: 1}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = EmsmdbWorld(Path(tmp_path_factory.mktemp("model")))
    yield made
    made.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=14))
def test_a_message_is_a_dict_that_is_saved(world: EmsmdbWorld, steps: list[tuple[str, int, Any]]) -> None:
    (number,) = world.account().call(MakePropertyIds([Name(b"set of my own 16", -1, "colour")]))
    tag_of = {tag: number << 16 | 0x1F if tag == NAMED else tag for tag in VALUES}
    alice = world.client()
    alice.logon()
    create(alice)
    mid = save(alice)
    here: dict[int, Any] = dict(DEFAULTS)
    stored = dict(here)
    for step, tag, value in steps:
        if step == "set":
            put(alice, {tag_of[tag]: value})
            here[tag] = value
        elif step == "delete":
            alice.one(rp.DeleteProperties(0, MESSAGE, [tag_of[tag]]), rp.DeletePropertiesResponse)
            here.pop(tag, None)
        elif step == "stream":
            write(alice, tag, value)
            here[tag] = value
        elif step == "save":
            assert save(alice) == mid
            stored = dict(here)
        elif step == "reopen":
            alice.release(MESSAGE)
            open_(alice, mid, MESSAGE)
            here = dict(stored)
        else:
            create(alice, index=OTHER)
            assert alice.one(rp.CopyTo(0, MESSAGE, OTHER, False, True, 0, []), rp.CopyToResponse).problems == []
            assert values(alice, tag_of, OTHER) == DEFAULTS | here
        assert values(alice, tag_of) == here
    alice.session.close()


def values(client: Client, tags: dict[int, int], index: int = MESSAGE) -> dict[int, Any]:
    found = get(client, *tags.values(), index=index)
    return {tag: one for tag, one in zip(tags, found, strict=True) if one != NOT_FOUND}


# ---------------------------------------------------------------------------------------------- ROPs in no order

TAGS = [
    p.PidTagSubject, p.PidTagBody, p.PidTagHtml, p.PidTagRtfCompressed, p.PidTagMessageFlags, p.PidTagEntryId,
    p.PidTagAttachDataBinary, p.PidTagAttachDataObject, p.PidTagAttachMethod, p.PidTagDisplayName, 0x0037_0000,
    0x0037_001E, 0x0037_7777, 0x8FFF_001F, 0xFFFF_FFFF, 0, p.PidTagMessageStatus, p.PidTagFolderId, p.PidTagRead,
    p.PidTagAdditionalRenEntryIdsEx, p.PidTagSentRepresentingEntryId, p.PidTagDisplayTo, p.PidTagBodyHtml,
]  # fmt: skip


class Chaos:
    """Requests of this family's kinds, with handles and values that are mostly usable."""

    def __init__(self, seed: int, client: Client, mids: list[int]) -> None:
        self.rng, self.client, self.mids = random.Random(seed), client, mids

    def index(self, kind: type[ServerObject] | None = None) -> int:
        there = [at for at in range(14) if kind and isinstance(self._object(at), kind)]
        return self.rng.choice(there) if there and self.rng.random() < 0.9 else self.rng.randrange(14)

    def _object(self, at: int) -> ServerObject | None:
        return self.client.session.objects.get(self.client.handles[at])

    def tag(self) -> int:
        return self.rng.choice(TAGS)

    def tags(self) -> list[int]:
        return [self.tag() for _ in range(self.rng.randrange(5))]

    def number(self) -> int:
        return self.rng.choice((0, 1, 2, 3, 4, 5, 7, 255, self.rng.randrange(1 << 16)))

    def wide(self) -> int:
        return self.rng.choice((0, 1, 5, 40_000, 1 << 31, (1 << 63) - 1, (1 << 64) - 1))

    def eid(self) -> int:
        if self.rng.random() < 0.8:
            return self.rng.choice(self.mids)
        return self.rng.choice([eid_int(1, DRAFTS), eid_int(1, INBOX), 0, self.rng.randrange(1 << 64)])

    def data(self) -> bytes:
        return self.rng.randbytes(self.rng.choice((0, 1, 9, 3_000)))

    def octets(self) -> bytes:
        """A request of a kind that there is, its fields as they come or mutated."""
        rng = self.rng
        octet, flag = self.number() & 0xFF, rng.random() < 0.5
        made: list[Request] = [*self._messages(octet, flag), *self._properties(octet, flag), *self._streams(octet)]
        kinds = list({type(one) for one in made})
        kind = rng.choice(sorted(kinds, key=lambda one: one.__name__))
        octets = bytearray(rng.choice([one for one in made if type(one) is kind]).encode())
        if rng.random() < 0.2 and len(octets) > 3:
            octets[rng.randrange(3, len(octets))] = rng.randrange(256)
        return bytes(octets)

    def _messages(self, octet: int, flag: bool) -> list[Request]:
        rng, message, folder, attachment = self.rng, self.index(Message), self.index(Folder), self.index(Attachment)
        rows = [
            rm.ModifyRecipientRow(self.number(), octet, rng.choice((b"", person("a@b.example", "A"), self.data())))
            for _ in range(rng.randrange(3))
        ]
        return [
            rm.OpenMessage(0, folder, self.out(), self.number(), self.eid(), octet & 7, self.eid()),
            rm.CreateMessage(0, folder, self.out(), self.number(), eid_int(1, DRAFTS), flag),
            rm.SaveChangesMessage(0, folder, message, octet),
            rm.RemoveAllRecipients(0, message),
            rm.ModifyRecipients(0, message, COLUMNS, rows),
            rm.ReadRecipients(0, message, self.number()),
            rm.ReloadCachedInformation(0, message),
            rm.SetMessageStatus(0, folder, self.eid(), self.wide() & 0xFFFFFFFF, self.wide() & 0xFFFFFFFF),
            rm.GetMessageStatus(0, folder, self.eid()),
            rm.SetReadFlags(0, folder, flag, octet, [self.eid() for _ in range(3)]),
            rm.SetMessageReadFlag(0, folder, message, octet),
            rm.OpenAttachment(0, message, self.out(), octet & 3, self.number() & 3),
            rm.CreateAttachment(0, message, self.out()),
            rm.DeleteAttachment(0, message, self.number() & 3),
            rm.SaveChangesAttachment(0, message, attachment, octet & 3),
            rm.OpenEmbeddedMessage(0, attachment, self.out(), self.number(), octet & 3),
            rm.GetValidAttachments(0, message),
        ]

    def out(self) -> int:
        return self.rng.randrange(3, 14)

    def _properties(self, octet: int, flag: bool) -> list[Request]:
        one, other = (self.index(self.rng.choice((Message, Message, Attachment, Folder))) for _ in range(2))
        return [
            rp.GetPropertiesSpecific(0, one, self.number(), flag, self.tags()),
            rp.GetPropertiesAll(0, one, self.number(), flag),
            rp.GetPropertiesList(0, one),
            rp.DeleteProperties(0, one, self.tags()),
            rp.CopyTo(0, one, other, flag, not flag, octet & 3, self.tags()),
            rp.CopyProperties(0, one, other, flag, octet & 3, self.tags()),
            rp.SetProperties(0, one, [], self.values()),
            rs.OpenStream(0, one, self.out(), self.tag(), octet & 3),
            rs.OpenStream(0, one, self.out(), p.PidTagHtml, octet & 3),
        ]

    def _streams(self, octet: int) -> list[Request]:
        index, other = self.index(StreamObject), self.index(StreamObject)
        return [
            rs.ReadStream(0, index, self.number()),
            rs.ReadStream(0, index, rs.MAXIMUM, self.wide() & 0xFFFFFFFF),
            rs.WriteStream(0, index, self.data()),
            rs.WriteStreamExtended(0, index, self.data()),
            rs.WriteAndCommitStream(0, index, self.data()),
            rs.CommitStream(0, index),
            rs.GetStreamSize(0, index),
            rs.SetStreamSize(0, index, self.wide()),
            rs.SeekStream(0, index, octet & 3, self.rng.choice((-1, 0, 5, 100_000, 1 << 40))),
            rs.CopyToStream(0, index, other, self.wide()),
            rs.LockRegionStream(0, index, self.wide(), self.wide(), octet & 1),
            rs.UnlockRegionStream(0, index, self.wide(), self.wide(), octet & 1),
            rs.CloneStream(0, index, self.out()),
            Release(0, self.rng.randrange(3, 14)),
        ]

    def values(self) -> bytes:
        """A few properties, more or less of the types that their tags say."""
        rng = self.rng
        some = [
            (p.PidTagSubject, "Re: caf\u00e9".encode("utf-16-le") + bytes(2)), (0x0037_001E, b"tea\0"),
            (p.PidTagBody, "text".encode("utf-16-le") + bytes(2)), (p.PidTagHtml, b"\x03\0<p>"),
            (p.PidTagMessageFlags, rng.randbytes(4)), (p.PidTagAttachMethod, bytes((rng.randrange(8), 0, 0, 0))),
            (p.PidTagSentRepresentingEntryId, b"\x02\0ab"), (p.PidTagEntryId, b"\0\0"), (0x0037_0001, b""),
            (p.PidTagDisplayName, b"A\0\0\0"), (0x8FFF_1003, b"\x01\0\0\0\x07\0\0\0"), (0x1234_000A, bytes(4)),
        ]  # fmt: skip
        chosen = rng.sample(some, rng.randrange(1, 4))
        return len(chosen).to_bytes(2, "little") + b"".join(tag.to_bytes(4, "little") + value for tag, value in chosen)


@pytest.mark.parametrize("seed", range(8))
def test_rops_in_no_order_fail_as_they_should(world: EmsmdbWorld, seed: int) -> None:
    mids = [eid_int(1, world.append(MAIL).mid) for _ in range(2)]
    alice = world.client()
    alice.logon()
    alice.folder(INBOX)
    alice.folder(DRAFTS, 2)
    chaos = Chaos(seed, alice, mids)
    codes: set[int] = set()
    good: set[int] = set()
    for _ in range(600):
        rops = b"".join(chaos.octets() for _ in range(chaos.rng.randrange(1, 4)))
        room = chaos.rng.choice((300, 2_000, 0x7FF0))
        try:
            answer = alice.session.execute(rops, alice.handles, room)
        except WireError:
            continue
        except MapiError as error:
            assert error.code == Ec.ecBufferTooSmall
            continue
        assert len(answer) <= room
        if answer:
            code = int.from_bytes(answer[2:6], "little")
            codes.add(code)
            if not code:
                good.add(answer[0])
        assert len(alice.session.again(alice.handles, 0x7FF0)) <= 0x7FF0
        assert alice.session.objects[alice.handles[0]].logon.number == 0
    alice.session.close()
    assert len(good) > 20
    assert {Ec.ecNullObject, Ec.ecNotSupported, Ec.ecNotFound} <= codes
