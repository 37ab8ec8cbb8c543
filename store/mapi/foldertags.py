"""Property tags of folders that are computed, and those that [MS-OXPROPS] does not list."""

from __future__ import annotations

from typing import Final

from gromoxd.mapi import proptags as p

PidTagFolderChildCount: Final = 0x66380003
PidTagDeletedMessageCount: Final = 0x66400003
PidTagDeletedFolderCount: Final = 0x66410003
PidTagDeletedAssociatedMessageCount: Final = 0x66430003
PidTagNormalMessageSizeExtended: Final = 0x66B30014
PidTagAssociatedMessageSizeExtended: Final = 0x66B40014
PidTagFolderPathname: Final = 0x66B5001F
PidTagDeletedMessageSizeExtended: Final = 0x669B0014
PidTagArticleNumberNext: Final = 0x67510003
"""Names and numbers of the older MAPI headers (PR_FOLDER_CHILD_COUNT, PR_DELETED_MSG_COUNT …)."""

RSF_BLOCKS: Final = {0x8006: 0x1D, 0x800A: 0x15, 0x800B: 0x14}
"""PersistID of PidTagAdditionalRenEntryIdsEx and the folder that it names ([MS-OXOSFLD] 2.2.5.1)."""
REN_FOLDERS: Final = (0x1A, 0x19, 0x1B, 0x1C, 0x17)
"""The folders of PidTagAdditionalRenEntryIds in order: Conflicts, Sync Issues, Local and Server Failures, Junk Email
([MS-OXOSFLD] 2.2.4)."""
SPECIAL_FOLDERS: Final = {
    p.PidTagIpmAppointmentEntryId: 0x0F, p.PidTagIpmContactEntryId: 0x13, p.PidTagIpmJournalEntryId: 0x10,
    p.PidTagIpmNoteEntryId: 0x11, p.PidTagIpmTaskEntryId: 0x12, p.PidTagIpmDraftsEntryId: 0x0E,
}  # fmt: skip
"""The single entry ids on the root folder and the Inbox ([MS-OXOSFLD] 2.2.3)."""

COMPUTED: Final = frozenset(
    (
        p.PidTagContentCount, p.PidTagContentUnreadCount, p.PidTagAssociatedContentCount, PidTagFolderChildCount,
        PidTagDeletedMessageCount, PidTagDeletedFolderCount, PidTagDeletedAssociatedMessageCount,
        p.PidTagDeletedCountTotal, p.PidTagMessageSize, p.PidTagMessageSizeExtended, PidTagNormalMessageSizeExtended,
        PidTagAssociatedMessageSizeExtended, PidTagDeletedMessageSizeExtended, p.PidTagFolderType, p.PidTagAccess,
        p.PidTagAccessLevel, p.PidTagRights, p.PidTagParentEntryId, p.PidTagEntryId, p.PidTagRecordKey,
        p.PidTagStoreEntryId, p.PidTagStoreRecordKey, p.PidTagMappingSignature, p.PidTagObjectType,
        p.PidTagSourceKey, p.PidTagParentSourceKey, p.PidTagChangeKey, p.PidTagPredecessorChangeList,
        p.PidTagChangeNumber, p.PidTagHierRev, p.PidTagLocalCommitTime, p.PidTagLocalCommitTimeMax,
        p.PidTagSubfolders, p.PidTagFolderId, p.PidTagParentFolderId, PidTagFolderPathname, p.PidTagCreationTime,
        p.PidTagLastModificationTime, p.PidTagHierarchyChangeNumber, p.PidTagHasRules, p.PidTagInstanceKey,
        PidTagArticleNumberNext, p.PidTagDeletedOn,
    )
)  # fmt: skip
"""Properties that clients read only ([MS-OXCFOLD] 2.2.2.1, [MS-OXCPRPT] 2.2.1)."""
COLUMNS: Final = frozenset((p.PidTagDisplayName, p.PidTagContainerClass, p.PidTagAttributeHidden))
"""Properties that are columns of the folder's row."""
