"""Submission, also in other people's names; spoolers; names of properties."""

from __future__ import annotations

from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.exmdb import outgoing as g
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.ids import eid_int
from gromoxd.mapi.named import PS_PUBLIC_STRINGS, PropertyName
from gromoxd.rop import names as rn
from gromoxd.rop import transport as rt
from tests.emsmdb.world import ALICE, BOB, DRAFTS, NOW, OUTBOX, SENT, TRASH, Client, EmsmdbWorld
from workers.http.emsmdb import transferring
from workers.http.emsmdb.objects import Message

CAROL: Bag = {
    p.PidTagRecipientType: 1, p.PidTagAddressType: "SMTP", p.PidTagEmailAddress: "carol@example.org",
    p.PidTagDisplayName: "Carol", p.PidTagSmtpAddress: "carol@example.org",
}  # fmt: skip


def draft(
    client: Client, author: dict[str, str] | None = None, *, saved: bool = True, to: Bag = CAROL, number: int = 0
) -> WorkingMessage:
    """An open message at handle index 5, in the Drafts of the logon `number`."""
    index = 5
    message = WorkingMessage.create(client.session.logon(number).account, DRAFTS)
    message.set({p.PidTagSubject: "Tea", p.PidTagBody: "At five?"})
    message.set({getattr(p, tag): value for tag, value in (author or {}).items()})
    message.modify_recipients({0: dict(to)})
    if saved:
        message.save()
    client.handles[index] = client.session.add(Message(client.session.logon(number), message))
    return message


def outgoing(world: EmsmdbWorld, name: str = ALICE) -> list[g.Outgoing]:
    return world.account(name, SYSTEM).call(g.GetOutgoing()).mails


def represent(**more: str) -> dict[str, str]:
    return {f"PidTagSentRepresenting{name}": value for name, value in more.items()}


def test_a_message_is_sent(world: EmsmdbWorld, alice: Client) -> None:
    draft(alice, saved=False)
    assert alice.run(rt.SubmitMessage(0, 5, 0)) == [rt.SubmitMessageResponse(5, 0)]
    (mail,) = outgoing(world)
    assert (mail.sender, mail.recipients, mail.options.represents) == (ALICE, ["carol@example.org"], "")
    assert b"Subject: Tea" in mail.raw


def test_in_somebodys_name(world: EmsmdbWorld, alice: Client) -> None:
    boss = represent(AddressType="EX", EmailAddress=world.site.people.dn_of(world.bob), Name="Bob")
    draft(alice, boss)
    assert alice.fails(rt.SubmitMessage(0, 5, 0)) == Ec.ecAccessDenied
    assert outgoing(world) == []
    world.account(BOB).call(x.SetDelegates(x.DELEGATES, [ALICE]))
    assert alice.run(rt.SubmitMessage(0, 5, 0))[0].code == 0
    (mail,) = outgoing(world)
    assert (mail.options.represents, mail.options.send_as) == (BOB, False)
    world.account(ALICE, SYSTEM).call(g.OutgoingTaken([mail.id]))
    world.account(BOB).call(x.SetDelegates(x.SENDERS, [ALICE]))
    draft(alice, boss)
    assert alice.run(rt.SubmitMessage(0, 5, 0))[0].code == 0
    assert [(one.options.represents, one.options.send_as) for one in outgoing(world)] == [(BOB, True)]


def test_recipients_of_the_address_book(world: EmsmdbWorld, alice: Client) -> None:
    """They have addresses that mail is sent to, also when what saved them did not look."""
    to: Bag = {
        p.PidTagRecipientType: 1, p.PidTagAddressType: "EX", p.PidTagDisplayName: "Bob",
        p.PidTagEmailAddress: world.site.people.dn_of(world.bob),
    }  # fmt: skip
    draft(alice, to=to)
    assert alice.run(rt.SubmitMessage(0, 5, 0))[0].code == 0
    assert outgoing(world)[0].recipients == [BOB]
    world.account(ALICE, SYSTEM).call(g.OutgoingTaken([outgoing(world)[0].id]))
    draft(alice, to=to | {p.PidTagEmailAddress: "/o=x/cn=nobody"})
    assert alice.run(rt.SubmitMessage(0, 5, 0))[0].code == 0
    assert outgoing(world)[0].recipients == ["IMCEAEX-_o=x_cn=nobody@example.test"]  # it comes back


def test_a_delegate_in_the_mailbox_that_he_works_for(world: EmsmdbWorld, bob: Client) -> None:
    world.grant(DRAFTS, BOB, 0x5FB)
    bob.logon(1, 1, world.alice)
    draft(bob, number=1)
    assert bob.fails(rt.SubmitMessage(1, 5, 0)) == Ec.ecAccessDenied
    world.account().call(x.SetDelegates(x.DELEGATES, [BOB]))
    assert bob.run(rt.SubmitMessage(1, 5, 0))[0].code == 0
    (mail,) = outgoing(world)
    assert (mail.sender, mail.options.submitter, mail.options.as_owner) == (BOB, BOB, False)


def test_an_alias_is_ones_own(world: EmsmdbWorld, alice: Client) -> None:
    world.directory.aliases_of[ALICE] = ["al@example.test"]
    draft(alice, represent(AddressType="SMTP", EmailAddress="al@example.test", Name="Al"))
    assert alice.run(rt.SubmitMessage(0, 5, 0))[0].code == 0


def test_what_cannot_be_sent(world: EmsmdbWorld, alice: Client) -> None:
    message = draft(alice)
    message.remove_recipients()
    assert alice.fails(rt.SubmitMessage(0, 5, 0)) == Ec.ecInvalidParam
    assert alice.fails(rt.SubmitMessage(0, 0, 0)) == Ec.ecNotSupported
    assert outgoing(world) == []


def test_a_submission_is_taken_back(world: EmsmdbWorld, alice: Client) -> None:
    message = draft(alice)
    eid = eid_int(1, message.mid)
    assert alice.fails(rt.AbortSubmit(0, 0, eid_int(1, DRAFTS), eid)) == Ec.ecNotInQueue
    message.set({p.PidTagDeferredSendTime: 136_000_000_000_000_000})
    assert alice.run(rt.SubmitMessage(0, 5, 0))[0].code == 0
    assert outgoing(world) == []
    assert alice.run(rt.AbortSubmit(0, 0, eid_int(1, DRAFTS), eid)) == [rt.AbortSubmitResponse(0, 0)]
    assert alice.fails(rt.AbortSubmit(0, 0, eid_int(1, DRAFTS), eid)) == Ec.ecNotInQueue


def test_a_spooler_sends_and_moves_itself(world: EmsmdbWorld, alice: Client) -> None:
    message = draft(alice)
    assert alice.run(rt.SetSpooler(0, 0)) == [rt.SetSpoolerResponse(0, 0)]
    eid = eid_int(1, message.mid)
    assert alice.run(rt.SpoolerLockMessage(0, 0, eid, 0)) == [rt.SpoolerLockMessageResponse(0, 0)]
    sent = alice.one(rt.TransportSend(0, 5), rt.TransportSendResponse)
    values = {value.tag: value.value for value in sent.property_values or []}
    assert values[p.PidTagSenderSmtpAddress] == ALICE
    assert values[p.PidTagSenderEmailAddress] == world.site.people.dn_of(world.alice)
    assert values[p.PidTagProviderSubmitTime] == int(NOW) * 10_000_000 + 116_444_736_000_000_000
    (mail,) = outgoing(world)
    world.account(ALICE, SYSTEM).call(g.OutgoingTaken([mail.id]))
    assert list(transferring.list_messages(world.account(), DRAFTS)) == [message.mid]
    alice.release(5)
    found = WorkingMessage.open(world.account(), message.mid)
    from gromoxd.exmdb.hierarchy import GetFolderProps

    place = world.account().call(GetFolderProps(SENT, [p.PidTagEntryId]))[p.PidTagEntryId]
    found.set({p.PidTagTargetEntryId: place})
    found.save()
    assert alice.run(rt.SpoolerLockMessage(0, 0, eid, 2)) == [rt.SpoolerLockMessageResponse(0, 0)]
    assert len(list(transferring.list_messages(world.account(), SENT))) == 1
    assert alice.fails(rt.SpoolerLockMessage(0, 0, eid, 0)) == Ec.ecNotFound


def test_sent_mail_that_is_not_to_be_kept(world: EmsmdbWorld, alice: Client) -> None:
    message = draft(alice)
    message.set({p.PidTagDeleteAfterSubmit: True})
    message.save()
    assert alice.run(rt.SpoolerLockMessage(0, 0, eid_int(1, message.mid), 2))[0].code == 0
    assert list(transferring.list_messages(world.account(), DRAFTS)) == []
    assert alice.fails(rt.SpoolerLockMessage(0, 0, eid_int(1, 0x9999), 1)) == Ec.ecNotFound


def test_what_a_transport_is_told(world: EmsmdbWorld, alice: Client) -> None:
    assert alice.run(rt.GetTransportFolder(0, 0)) == [rt.GetTransportFolderResponse(0, 0, eid_int(1, OUTBOX))]
    assert alice.run(rt.GetAddressTypes(0, 0)) == [rt.GetAddressTypesResponse(0, 0, [b"EX", b"SMTP"])]
    assert alice.run(rt.OptionsData(0, 0, b"smtp", True)) == [rt.OptionsDataResponse(0, 0, 1, b"", b"")]
    assert alice.fails(rt.OptionsData(0, 0, b"FAX", True)) == Ec.ecNotFound
    mid = eid_int(1, draft(alice).mid)
    request = rt.TransportNewMail(0, 0, mid, eid_int(1, TRASH), b"IPM.Note", 0)
    assert alice.run(request) == [rt.TransportNewMailResponse(0, 0)]
    alice.public_logon(1, 1)
    assert alice.fails(rt.SetSpooler(1, 1)) == Ec.ecNotSupported


def test_names_of_properties(alice: Client) -> None:
    names: list[PropertyName | None] = [
        PropertyName(PS_PUBLIC_STRINGS, "Keywords"),
        PropertyName(b"G" * 16, 7),
        PropertyName(b"G" * 16, "x"),
    ]
    some = alice.one(rn.GetPropertyIdsFromNames(0, 0, 0, names[:1]), rn.GetPropertyIdsFromNamesResponse)
    assert some.property_ids[0] >= 0x8000
    (found,) = alice.run(rn.GetPropertyIdsFromNames(0, 0, 0, names))
    assert found == rn.GetPropertyIdsFromNamesResponse(0, rn.ERRORS_RETURNED, [some.property_ids[0], 0, 0])
    made = alice.one(rn.GetPropertyIdsFromNames(0, 0, rn.CREATE, names), rn.GetPropertyIdsFromNamesResponse)
    ids = made.property_ids
    assert all(ids)
    told = alice.one(rn.GetNamesFromPropertyIds(0, 0, [*ids, 0xFFF0]), rn.GetNamesFromPropertyIdsResponse)
    assert told.property_names == [*names, None]
    asked = alice.one(rn.QueryNamedProperties(0, 0, 0, b"G" * 16), rn.QueryNamedPropertiesResponse)
    assert (asked.property_ids, asked.property_names) == (ids[1:], names[1:])
    asked = alice.one(rn.QueryNamedProperties(0, 0, rn.QueryFlags.NoIds, b"G" * 16), rn.QueryNamedPropertiesResponse)
    assert asked.property_names == names[2:]
    message = draft(alice)
    message.set({ids[1] << 16 | 3: 1})
    asked = alice.one(rn.QueryNamedProperties(0, 5, 0), rn.QueryNamedPropertiesResponse)
    assert names[1] in asked.property_names
    assert names[2] not in asked.property_names
    everything = alice.one(rn.GetPropertyIdsFromNames(0, 0, 0, []), rn.GetPropertyIdsFromNamesResponse)
    assert set(ids) <= set(everything.property_ids)
