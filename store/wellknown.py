"""The folders that every private mailbox has, in the order of their creation ([MS-OXCSTOR] 2.2.1.1; English names)."""

from __future__ import annotations

from typing import NamedTuple

ROOT, IPM_SUBTREE = 0x01, 0x09
CALENDAR, FREE_BUSY, CONFLICTS = 0x0F, 0x18, 0x1A
SENT_ITEMS, DELETED_ITEMS, OUTBOX, INBOX, DRAFTS, JUNK = 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x17
LAST_WELL_KNOWN = 0x1D
FIRST_FREE_ID = 0x100
PUBLIC_SUBTREE, NON_IPM_SUBTREE, EFORMS_REGISTRY = 0x02, 0x03, 0x04
"""Of a public store: its IPM_SUBTREE, and the folders that no client shows."""

SPECIAL_USE = {SENT_ITEMS: "Sent", DELETED_ITEMS: "Trash", DRAFTS: "Drafts", JUNK: "Junk"}
"""RFC 6154 attributes."""
SUBSCRIBED = (INBOX, DRAFTS, SENT_ITEMS, DELETED_ITEMS, JUNK)
RECEIVE_FOLDERS = (("", INBOX), ("IPM", INBOX), ("REPORT.IPM", INBOX), ("IPC", ROOT))
"""Message class prefix and the folder that gets it ([MS-OXCSTOR] 3.2.5.3)."""


class WellKnown(NamedTuple):
    """One folder of a new mailbox."""

    fid: int
    parent_fid: int
    name: str
    container_class: str = ""
    hidden: bool = False


FOLDERS = (
    WellKnown(0x01, 0x00, "Root Container"),
    WellKnown(0x09, 0x01, "Top of Information Store"),
    WellKnown(0x0D, 0x09, "Inbox", "IPF.Note"),
    WellKnown(0x0E, 0x09, "Drafts", "IPF.Note"),
    WellKnown(0x0C, 0x09, "Outbox", "IPF.Note"),
    WellKnown(0x0A, 0x09, "Sent Items", "IPF.Note"),
    WellKnown(0x0B, 0x09, "Deleted Items", "IPF.Note"),
    WellKnown(0x13, 0x09, "Contacts", "IPF.Contact"),
    WellKnown(0x0F, 0x09, "Calendar", "IPF.Appointment"),
    WellKnown(0x10, 0x09, "Journal", "IPF.Journal"),
    WellKnown(0x11, 0x09, "Notes", "IPF.StickyNote"),
    WellKnown(0x12, 0x09, "Tasks", "IPF.Task"),
    WellKnown(0x14, 0x13, "Quick Contacts", "IPF.Contact.MOC.QuickContacts", True),
    WellKnown(0x15, 0x13, "IM Contacts List", "IPF.Contact.MOC.ImContactList", True),
    WellKnown(0x16, 0x13, "GAL Contacts", "IPF.Contact.GalContacts", True),
    WellKnown(0x17, 0x09, "Junk Email", "IPF.Note"),
    WellKnown(0x1D, 0x09, "Conversation Action Settings", "IPF.Configuration", True),
    WellKnown(0x02, 0x01, "Deferred Action"),
    WellKnown(0x07, 0x01, "Common Views"),
    WellKnown(0x08, 0x01, "Schedule"),
    WellKnown(0x05, 0x01, "Finder"),
    WellKnown(0x06, 0x01, "Views"),
    WellKnown(0x04, 0x01, "Shortcuts"),
    WellKnown(0x19, 0x09, "Sync Issues", "IPF.Note"),
    WellKnown(0x1A, 0x19, "Conflicts", "IPF.Note"),
    WellKnown(0x1B, 0x19, "Local Failures", "IPF.Note"),
    WellKnown(0x1C, 0x19, "Server Failures", "IPF.Note"),
    WellKnown(0x18, 0x01, "Freebusy Data"),
    WellKnown(0x03, 0x01, "Spooler Queue", "IPF.Note"),
)

PUBLIC_FOLDERS = (
    WellKnown(ROOT, 0x00, "Root Container"),
    WellKnown(PUBLIC_SUBTREE, ROOT, "IPM_SUBTREE"),
    WellKnown(NON_IPM_SUBTREE, ROOT, "NON_IPM_SUBTREE"),
    WellKnown(EFORMS_REGISTRY, NON_IPM_SUBTREE, "EFORMS REGISTRY"),
)
"""The folders of a new public store."""


def ipm_subtree(public: bool) -> int:
    """The folder below which are those that users see."""
    return PUBLIC_SUBTREE if public else IPM_SUBTREE


def is_public(owner: str) -> bool:
    """Whether the store of this owner is a public one: a domain's, whose name is the owner's."""
    return "@" not in owner
