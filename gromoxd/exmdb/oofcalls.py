"""The exmdb calls on the out-of-office message ([MS-OXWOOF] 2.2.3), as all protocols set it.

PidTagOutOfOfficeState of the store says whether it is sent now; a client that sets that property turns it on or off.
"""

from __future__ import annotations

from typing import ClassVar

from gromoxd.exmdb.calls import Call, Done, Result

OFF, ON, SCHEDULED = 0, 1, 2
"""`OofSettings.state`: OofState of [MS-OXWOOF] 2.2.4.1."""
NOBODY, KNOWN, EVERYBODY = 0, 1, 2
"""`OofSettings.audience`: whom outside of the organisation it goes to; KNOWN are those in the owner's contacts."""


class OofSettings(Result, frozen=True):
    """`start` and `end` are of SCHEDULED. A text is plain or, with `_html`, HTML; '' is not sent.

    `subject` and `external_subject` take the place of "Automatic reply: …".
    """

    state: int = OFF
    start: int = 0
    end: int = 0
    text: str = ""
    html: bool = False
    external_text: str = ""
    external_html: bool = False
    audience: int = NOBODY
    subject: str = ""
    external_subject: str = ""

    def active(self, now: float) -> bool:
        """Whether the owner is out of office at this time."""
        return self.state == ON or (self.state == SCHEDULED and self.start <= now < self.end)


class GetOof(Call[OofSettings], frozen=True):
    """The settings; the owner's right. ecNotSupported in a public store."""


class SetOof(Call[Done], frozen=True):
    """Replace the settings; the owner's right. Whoever was answered already is answered anew.

    ecInvalidParam: a state, an audience or times that are none, or texts that are too long.
    """

    writes: ClassVar[bool] = True
    settings: OofSettings


CALLS = (GetOof, SetOof)
