"""The reports that RFC 3464 (appendix) and RFC 8098 (section 9) print, as report messages and as mail again."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

from gromoxd.convert.compose import compose
from gromoxd.convert.itemof import item_of_mime
from gromoxd.mapi import proptags as p

HEAD = """Date: Thu, 7 Jul 1994 17:16:05 -0400
From: Mail Delivery Subsystem <MAILER-DAEMON@CS.UTK.EDU>
Message-Id: <199407072116.RAA14128@CS.UTK.EDU>
Subject: Returned mail: Cannot send message for 5 days
To: <owner-info-mime@cs.utk.edu>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="RAA14128.773615765/CS.UTK.EDU"

--RAA14128.773615765/CS.UTK.EDU

The original message was received at Sat, 2 Jul 1994 17:10:28 -0400
from root@localhost

   ----- The following addresses had delivery problems -----
<louisl@larry.slip.umd.edu>  (unrecoverable error)

----- Transcript of session follows -----
<louisl@larry.slip.umd.edu>... Deferred: Connection timed out
         with larry.slip.umd.edu.
Message could not be delivered for 5 days
Message will be deleted from queue

--RAA14128.773615765/CS.UTK.EDU
content-type: message/delivery-status

"""
TAIL = """
--RAA14128.773615765/CS.UTK.EDU
content-type: message/rfc822

[original message goes here]

--RAA14128.773615765/CS.UTK.EDU--
"""

SIMPLE = """Reporting-MTA: dns; cs.utk.edu

Original-Recipient: rfc822;louisl@larry.slip.umd.edu
Final-Recipient: rfc822;louisl@larry.slip.umd.edu
Action: failed
Status: 4.0.0
Diagnostic-Code: smtp; 426 connection timed out
Last-Attempt-Date: Thu, 7 Jul 1994 17:15:49 -0400
"""
SEVERAL = """Reporting-MTA: dns; cs.utk.edu

Original-Recipient: rfc822;arathib@vnet.ibm.com
Final-Recipient: rfc822;arathib@vnet.ibm.com
Action: failed
Status: 5.0.0 (permanent failure)
Diagnostic-Code: smtp;
 550 'arathib@vnet.IBM.COM' is not a registered gateway user
Remote-MTA: dns; vnet.ibm.com

Original-Recipient: rfc822;johnh@hpnjld.njd.hp.com
Final-Recipient: rfc822;johnh@hpnjld.njd.hp.com
Action: delayed
Status: 4.0.0 (hpnjld.njd.jp.com: host name lookup failure)

Original-Recipient: rfc822;wsnell@sdcc13.ucsd.edu
Final-Recipient: rfc822;wsnell@sdcc13.ucsd.edu
Action: failed
Status: 5.0.0
Diagnostic-Code: smtp; 550 user unknown
Remote-MTA: dns; sdcc13.ucsd.edu
"""
GATEWAY = """Reporting-MTA: mailbus; SYS30

Final-Recipient: unknown; nair_s
Status: 5.0.0 (unknown permanent failure)
Action: failed
"""
DELAYED = """Reporting-MTA: dns; sun2.nsfnet-relay.ac.uk

Final-Recipient: rfc822;thomas@de-montfort.ac.uk
Status: 4.0.0 (unknown temporary failure)
Action: delayed
"""

EXAMPLES = {
    "simple": (SIMPLE, "REPORT.IPM.Note.NDR", "cs.utk.edu", [("louisl@larry.slip.umd.edu", "", 400)]),
    "several recipients": (SEVERAL, "REPORT.IPM.Note.NDR", "cs.utk.edu", [
        ("arathib@vnet.ibm.com", "vnet.ibm.com", 500), ("wsnell@sdcc13.ucsd.edu", "sdcc13.ucsd.edu", 500),
    ]),
    "from a gateway": (GATEWAY, "REPORT.IPM.Note.NDR", "SYS30", [("nair_s", "", 500)]),
    "delayed": (DELAYED, "REPORT.IPM.Note.Delayed.DR", "sun2.nsfnet-relay.ac.uk", [
        ("thomas@de-montfort.ac.uk", "", 400),
    ]),
}  # fmt: skip
"""The fields printed; the class, the reporting agent, and of each recipient of the worst: address, agent, status."""

RECEIPT = """Date: Wed, 20 Sep 1995 00:19:00 (EDT) -0400
From: Joe Recipient <Joe_Recipient@example.com>
Message-Id: <199509200019.12345@example.com>
Subject: Re: First draft of report
To: Jane Sender <Jane_Sender@example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification;
 boundary="RAA14128.773615765/example.com"

--RAA14128.773615765/example.com
Content-type: text/plain

The message sent on 1995 Sep 19 at 13:30:00 (EDT) -0400 to Joe
Recipient <Joe_Recipient@example.com> with subject "First draft of
report" has been displayed.
This is no guarantee that the message has been read or understood.

--RAA14128.773615765/example.com
content-type: message/disposition-notification

Reporting-UA: joes-pc.cs.example.com; Foomail 97.1
Original-Recipient: rfc822;Joe_Recipient@example.com
Final-Recipient: rfc822;Joe_Recipient@example.com
Original-Message-ID: <199509192301.23456@example.org>
Disposition: manual-action/MDN-sent-manually; displayed

--RAA14128.773615765/example.com
content-type: message/rfc822

[original message optionally goes here]

--RAA14128.773615765/example.com--
"""


def wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def again(raw: bytes) -> EmailMessage:
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_delivery_status(name: str) -> None:
    fields, kind, agent, people = EXAMPLES[name]
    item = item_of_mime(wire(HEAD + fields + TAIL), received=773_615_765)
    assert item.props[p.PidTagMessageClass] == kind
    assert item.props[p.PidTagReportingMessageTransferAgent] == agent
    assert str(item.props[p.PidTagReportText]).startswith("The original message was received at Sat, 2 Jul 1994")
    found = [
        (row[p.PidTagEmailAddress], row.get(p.PidTagRemoteMessageTransferAgent, ""),
         row[p.PidTagNonDeliveryReportStatusCode])
        for row in item.recipients
    ]  # fmt: skip
    assert found == people
    written = again(compose(item, host="mail.example.test"))
    assert (written.get_content_type(), written.get_param("report-type")) == ("multipart/report", "delivery-status")
    (status,) = [part for part in written.walk() if part.get_content_type() == "message/delivery-status"]
    first, *others = status.get_payload()
    assert str(first["Reporting-MTA"]).endswith(agent)
    told = [
        (str(one["Final-Recipient"]).partition(";")[2].strip(), str(one["Action"]), str(one["Status"])[:5])
        for one in others
    ]
    assert [each[0].partition("@")[0] for each in told] == [address.partition("@")[0] for address, _, _ in people]
    action = "delayed" if "Delayed" in kind else "failed"
    assert {each[1:] for each in told} == {(action, f"{code // 100}.0.0") for _, _, code in people}
    reread = item_of_mime(compose(item, host="mail.example.test"), received=773_615_765)
    assert reread.props[p.PidTagMessageClass] == kind


def test_diagnoses() -> None:
    """Folded over two lines in the example; the delayed recipient is not in a report of failures."""
    item = item_of_mime(wire(HEAD + SEVERAL + TAIL), received=773_615_765)
    assert [row[p.PidTagReportText] for row in item.recipients] == [
        "smtp; 550 'arathib@vnet.IBM.COM' is not a registered gateway user",
        "smtp; 550 user unknown",
    ]
    assert {row[p.PidTagNonDeliveryReportDiagCode] for row in item.recipients} == {-1}


def test_receipt() -> None:
    """RFC 8098 9."""
    item = item_of_mime(wire(RECEIPT), received=811_570_740)
    assert item.props.items() >= {
        p.PidTagMessageClass: "REPORT.IPM.Note.IPNRN",
        p.PidTagOriginalMessageId: "<199509192301.23456@example.org>", p.PidTagReportDisposition: "displayed",
        p.PidTagReportDispositionMode: "manual-action/MDN-sent-manually",
        p.PidTagReportingMessageTransferAgent: "joes-pc.cs.example.com; Foomail 97.1",
        p.PidTagSubject: "Re: First draft of report", p.PidTagSenderEmailAddress: "Joe_Recipient@example.com",
    }.items()  # fmt: skip
    written = again(compose(item, host="mail.example.test"))
    (part,) = [each for each in written.walk() if each.get_content_type() == "message/disposition-notification"]
    (fields,) = part.get_payload()
    assert str(fields["Final-Recipient"]).replace(" ", "") == "rfc822;Joe_Recipient@example.com"
    assert str(fields["Disposition"]) == "manual-action/MDN-sent-manually; displayed"
    assert str(fields["Original-Message-ID"]) == "<199509192301.23456@example.org>"
    assert written["From"].addresses[0].addr_spec == "Joe_Recipient@example.com"
