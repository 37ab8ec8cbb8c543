"""Mailboxes, lists and machines elsewhere that send because they get: it ends soon, and the log says why.

Each test counts every mail that came somewhere, to the last one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from gromoxd.exmdb.oofcalls import OofSettings, SetOof
from gromoxd.mapi.rules import ActionBlock, ActionType, ForwardFlavor, Reply, ReplyFlavor
from tests.process.sites import Place, place
from tests.store.mapi.rulebox import EVERYTHING, forwarding, standard
from tests.support.sending import Log, Mailbox, contents

pytestmark = pytest.mark.slow
REDIRECT, AS_ATTACHMENT = ForwardFlavor.PR | ForwardFlavor.NC, ForwardFlavor.AT
SAM = "sam@elsewhere.test"
STOPPED, SILENT = "rule sends nothing", "out-of-office message not sent"
BEEN_HERE, BACK = "has been here before", "goes to the mailbox itself or back to its sender"
REPLIES = 5
REASON = re.compile(r'reason=(?:"([^"]*)"|(\S+))')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("storms"), rule_replies_max=str(REPLIES)) as made:
        yield made


class World:
    """Some people of one test's own, who start with empty mailboxes, and what happens to them."""

    def __init__(self, site: Place, name: str) -> None:
        self.site = site
        self.name = name
        self.people: list[Mailbox] = []
        site.sink.mails.clear()
        site.sink.answers = lambda *mail: None
        self.log = Log(site.server)

    def person(self, *, away: bool = True) -> Mailbox:
        user = self.site.server.add_user(f"{self.name}{len(self.people)}@example.test")
        made = Mailbox(self.site.server, user)
        self.people.append(made)
        if away:
            made.call(SetOof(OofSettings(1, text="Away.", external_text="Away.", audience=2)))
        return made

    def mailing_list(self, name: str, *members: str) -> str:
        address = f"{self.name}-{name}@example.test"
        self.site.server.ctl("list", "add", address)
        self.site.server.ctl("list", "member", "add", address, *members)
        return address

    def post(self, to: str, sender: str = SAM) -> None:
        """One mail comes, and everything that follows from it."""
        raw = (
            f"From: <{sender}>\r\nTo: {to}\r\nSubject: start\r\nMessage-ID: <{self.name}@elsewhere.test>\r\n"
            f"Date: Mon, 01 Jun 2026 09:00:00 +0000\r\n\r\nThe text.\r\n"
        )
        self.site.server.deliver(raw.encode(), to, sender=sender)
        self.site.rest(*self.people)

    def inboxes(self) -> list[list[str]]:
        return [[str(m["Subject"]) for m in contents(self.site.server, one.user)] for one in self.people]

    def reasons(self, what: str) -> list[str]:
        """Why something was not sent, as the log says, sorted; of people of this test alone."""
        found = [REASON.search(line) for line in self.log.lines(what, f"mailbox={self.name}")]
        return sorted(one[1] or one[2] for one in found if one)

    def sent(self) -> list[list[str]]:
        return [recipients for _, recipients, _ in self.site.sink.mails]


@pytest.fixture
def world(site: Place, request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(site, re.sub(r"[^a-z]", "", request.node.name.removeprefix("test_")))
    yield made
    site.sink.answers = lambda *mail: None
    site.sink.refuses.clear()
    for one in made.people:
        assert site.server.ctl("mailbox", "check", one.user) == "no faults\n"
        one.close()


def redirecting(people: list[Mailbox], flavor: int = REDIRECT) -> None:
    """Each passes all mail on to the next one, the last one to the first."""
    for one, following in zip(people, [*people[1:], people[0]], strict=True):
        one.rules(standard(EVERYTHING, forwarding(following.user, flavor=flavor), name="all"))


def test_two_who_redirect_to_each_other(world: World) -> None:
    redirecting([world.person(), world.person()])
    world.post(world.people[0].user)
    assert world.inboxes() == [["start", "start"], ["start"]]
    assert world.sent() == [[SAM]]
    assert world.reasons(STOPPED) == [BEEN_HERE]
    assert world.reasons(SILENT) == [BEEN_HERE, "not addressed to the mailbox"]


@pytest.mark.parametrize("flavor", [AS_ATTACHMENT, 0], ids=["attach", "forward"])
def test_two_who_forward_to_each_other(world: World, flavor: int) -> None:
    redirecting([world.person(), world.person()], flavor)
    world.post(world.people[0].user)
    assert [sorted(one) for one in world.inboxes()] == [
        ["Automatic reply: FW: start", "start"], ["FW: Automatic reply: FW: start", "FW: start"],
    ]  # fmt: skip
    assert world.sent() == [[SAM]]
    assert world.reasons(STOPPED) == [BACK, BEEN_HERE]
    assert world.reasons(SILENT) == [BEEN_HERE, "null sender"]


def test_two_who_are_away_and_one_writes_to_the_other(world: World) -> None:
    redirecting([world.person(), world.person()])
    one, other = world.people
    one.submit("start", other.user)
    world.site.rest(*world.people)
    assert [sorted(each) for each in world.inboxes()] == [
        ["Automatic reply: start"], ["Automatic reply: start", "start"],
    ]  # fmt: skip
    assert world.sent() == []
    assert world.reasons(STOPPED) == [BACK, BEEN_HERE]
    assert world.reasons(SILENT) == [BEEN_HERE, "null sender"]


def test_three_in_a_ring(world: World) -> None:
    redirecting([world.person() for _ in range(3)])
    world.post(world.people[0].user)
    assert world.inboxes() == [["start", "start"], ["start"], ["start"]]
    assert world.sent() == [[SAM]]
    assert world.reasons(STOPPED) == [BEEN_HERE]
    assert world.reasons(SILENT) == [BEEN_HERE, "not addressed to the mailbox", "not addressed to the mailbox"]


def test_lists_that_contain_each_other(world: World) -> None:
    people = [world.person() for _ in range(3)]
    first = world.mailing_list("one", people[0].user, people[1].user)
    second = world.mailing_list("two", first, people[2].user)
    world.site.server.ctl("list", "member", "add", first, second)
    world.site.server.ctl("reload")
    world.post(second)
    assert world.inboxes() == [["start"]] * 3
    assert world.sent() == [] and world.reasons(STOPPED) == []
    assert world.reasons(SILENT) == ["not addressed to the mailbox"] * 3
    people[0].rules(standard(EVERYTHING, forwarding(first, flavor=REDIRECT), name="to all again"))
    world.post(second)
    # its two, and its redirect to all three, which the redirecting mailbox passes on no more
    assert world.inboxes() == [["start"] * 3] * 3
    assert world.reasons(STOPPED) == [BEEN_HERE]


def test_a_rule_that_forwards_to_itself_and_to_its_list(world: World) -> None:
    person = world.person()
    group = world.mailing_list("all", person.user)
    world.site.server.ctl("reload")
    person.rules(
        standard(EVERYTHING, forwarding(person.user), name="self"),
        standard(EVERYTHING, forwarding(group, flavor=REDIRECT), name="list"),
    )
    world.post(person.user)
    assert world.inboxes() == [["start", "start"]]
    assert world.sent() == [[SAM]]
    assert world.reasons(STOPPED) == [BACK, BEEN_HERE, BEEN_HERE]
    assert world.reasons(SILENT) == [BEEN_HERE]


def test_a_machine_elsewhere_that_answers_everything(world: World) -> None:
    """It answers whoever it gets mail from here, in new mails that say nothing of it."""
    person = world.person()
    answer = ActionBlock(ActionType.OP_REPLY, Reply(bytes(16)), ReplyFlavor.ST)
    person.rules(
        standard(EVERYTHING, answer, name="answer"),
        standard(EVERYTHING, forwarding("machine@elsewhere.test", flavor=REDIRECT), name="pass on"),
    )

    def machine(sender: str, recipients: list[str], octets: bytes) -> None:
        raw = f"From: <{recipients[0]}>\r\nTo: {person.user}\r\nSubject: Thanks\r\n\r\nFor your mail.\r\n".encode()
        world.site.server.deliver(raw, person.user, sender=recipients[0])

    world.site.sink.answers = machine
    world.post(person.user)
    # Sam gets as many answers as one may and an out-of-office message; so does the machine, and all that Sam sent
    to_sam, to_machine = world.sent().count([SAM]), world.sent().count(["machine@elsewhere.test"])
    assert (to_sam, to_machine) == (REPLIES + 1, REPLIES + 1 + to_sam + 1)
    assert len(world.inboxes()[0]) == 1 + to_sam + to_machine
    assert Counter(world.reasons(STOPPED)) == {
        BACK: to_machine,
        "too many answers within an hour": 2 + to_machine - REPLIES,
    }
    assert len(world.site.sink.mails) == to_sam + to_machine


def test_a_mail_that_nobody_takes_is_returned_once(world: World) -> None:
    """The report comes back to a mailbox that passes everything on to where nobody is."""
    person = world.person()
    person.rules(standard(EVERYTHING, forwarding("nobody@elsewhere.test"), name="to nobody"))
    world.site.sink.refuses["nobody@elsewhere.test"] = "550 5.1.1 nobody"
    world.post(person.user)
    assert sorted(world.inboxes()[0]) == ["Undelivered mail returned to sender", "start"]
    assert world.sent() == [[SAM]]
    assert len(world.log.lines("outgoing mail failed", "nobody@elsewhere.test", "550 5.1.1 nobody")) == 2
