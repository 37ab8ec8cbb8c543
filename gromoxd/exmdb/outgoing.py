"""The exmdb calls on mail that leaves a mailbox ([MS-OXOMSG] 3.3.5.1): submissions, and how the relay takes them.

What is to be sent stands in the mailbox's own table until the relay has it in its spool: nothing is lost between the
two, and nothing is sent for a transaction that failed. The relay asks `GetOutgoing`, writes what it got to its disk and
says `OutgoingTaken`. `token` is a row's name for ever: the relay knows by it what it has already.
"""

from __future__ import annotations

from typing import ClassVar

from gromoxd.exmdb.calls import Call, Digest, Done, Result

NOTIFY_NEVER, NOTIFY_SUCCESS, NOTIFY_FAILURE, NOTIFY_DELAY = 1, 2, 4, 8
"""Bits of NOTIFY (RFC 3461 4.1). 0: failure and delay are told, as for a sender who says nothing."""


class Options(Result, frozen=True):
    """How a mail is to be sent, and what follows once the relay has it.

    `represents`: the address that the mail is from when it is not the mailbox's owner's own name; the relay looks up
    whether the owner may write so, as himself with that name (`send_as`) or on its behalf, before it sends anything.
    `whole`: reports return the whole mail (RFC 3461 4.3). `sent_fid`: where the message goes (0: Sent Items, -1: it
    stays). `delete`: it is removed instead. `again`: the recipients are those of an earlier failure.

    `store`, `folder`: it is no mail but to be appended to this folder of the store of this owner (an address, or a
    domain for its public store) in the name of the sender, who has it back when that cannot be done. `delegated_by`:
    local recipients get it as this user's delegates (`Deliver.represents`).

    `submitter`: who put it here when that was a delegate of the owner, and `as_owner` whether he did so as the owner:
    the relay looks up whether he still is one when it is due.
    """

    notify: int = 0
    whole: bool = False
    envelope_id: str = ""
    represents: str = ""
    send_as: bool = False
    delete: bool = False
    sent_fid: int = 0
    token: bytes = b""
    store: str = ""
    folder: int = 0
    delegated_by: str = ""
    submitter: str = ""
    as_owner: bool = False


class Outgoing(Result, frozen=True):
    """A mail to send. `raw` is empty when it is longer than the answer has room for: `ReadOutgoing` gives `size`."""

    id: int
    due: int
    mid: int
    sender: str
    recipients: list[str]
    options: Options
    size: int
    raw: bytes


class OutgoingMail(Result, frozen=True):
    """Mails that are due, oldest first; `next_due`: when the next one is that is not yet (0: there is none).

    `owner`: the mailbox's name. `left`: there are more that are due.
    """

    owner: str
    mails: list[Outgoing]
    next_due: int
    left: bool


class GetOutgoing(Call[OutgoingMail], frozen=True):
    """Mail that is to be sent now, at most `limit` and about `octets`; the system's right.

    Writes nothing, but comes before or after writes: what it answered cannot be aborted any more (AbortSubmit).
    """

    writes: ClassVar[bool] = True
    limit: int = 100
    octets: int = 4 << 20


class ReadOutgoing(Call[bytes], frozen=True):
    """`length` octets (at most 1 MiB) of a mail from `offset` on; short at its end. ecNotFound. The system's right."""

    writes: ClassVar[bool] = True
    id: int
    offset: int
    length: int


class OutgoingTaken(Call[Done], frozen=True):
    """The relay has these mails on its disk: they go from the table, and submitted messages to their folder.

    Ids that are not there are passed over. Those of `refused` were not taken and will not be: a message that was
    submitted stays where it is, unsent again. The system's right.
    """

    writes: ClassVar[bool] = True
    ids: list[int]
    refused: list[int] = []


class Submitted(Result, frozen=True):
    """A message was taken for sending: the id in the table of what goes out, and when it does."""

    id: int
    due: int


class SubmitMessage(Call[Submitted], frozen=True):
    """Send a saved message ([MS-OXOMSG] 2.2.3.1, 3.3.5.1). The owner's right, or the system's.

    `represents`: the address in From when it is not the owner's, see `Options`; the message's own
    PidTagSentRepresenting properties say so, too. `stays`: the client moves it itself (RopTransportSend).
    ecNotFound, ecAccessDenied, ecInvalidParam: no recipient has an address; ecTooBig, ecMaxSubmissionExceeded: too
    large, or too many recipients; ecNotSupported in a public store.
    """

    writes: ClassVar[bool] = True
    mid: int
    request_id: bytes
    send_as: bool = False
    stays: bool = False


class AbortSubmit(Call[Done], frozen=True):
    """Take a submission back ([MS-OXOMSG] 3.3.5.2). ecUnableToAbort: it is on its way already, ecNotInQueue: it never
    was submitted. The owner's right.
    """

    writes: ClassVar[bool] = True
    mid: int


class SubmitMime(Call[Submitted], frozen=True):
    """Send a mail that a client brings as octets, in `raw` or, when that is empty, as the spool beside the call.

    `sender` '' is the null sender: the system's, and the owner's for a disposition notification (RFC 8098 3) to one
    person. `save_fid`: a copy is kept in this folder, read,
    which `digest` describes; Bcc is in the copy and not in what is sent. `due`: not before. Errors as SubmitMessage.
    """

    writes: ClassVar[bool] = True
    raw: bytes
    recipients: list[str]
    sender: str
    request_id: bytes
    options: Options = Options()
    due: int = 0
    save_fid: int = 0
    digest: Digest | None = None


CALLS = (GetOutgoing, ReadOutgoing, OutgoingTaken, SubmitMessage, AbortSubmit, SubmitMime)
