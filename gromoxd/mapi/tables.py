"""Numbers of table operations ([MS-OXCTABL] 2.2.2, [MS-OXCFOLD] 2.2.1.13 and 2.2.1.14)."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class HierarchyTableFlags(IntFlag):
    """TableFlags of RopGetHierarchyTable, [MS-OXCFOLD] 2.2.1.13.1."""

    Depth = 0x04
    DeferredErrors = 0x08
    NoNotifications = 0x10
    SoftDeletes = 0x20
    UseUnicode = 0x40
    SuppressesNotifications = 0x80


class ContentsTableFlags(IntFlag):
    """TableFlags of RopGetContentsTable, [MS-OXCFOLD] 2.2.1.14.1."""

    Associated = 0x02
    DeferredErrors = 0x08
    NoNotifications = 0x10
    SoftDeletes = 0x20
    UseUnicode = 0x40
    ConversationMembers = 0x80


class AttachmentTableFlags(IntFlag):
    """TableFlags of RopGetAttachmentTable, [MS-OXCMSG] 2.2.3.17.1: Standard is 0."""

    Unicode = 0x40


class RulesTableFlags(IntFlag):
    """TableFlags of RopGetRulesTable, [MS-OXORULE] 2.2.2.1."""

    Unicode = 0x40


class PermissionsTableFlags(IntFlag):
    """TableFlags of RopGetPermissionsTable, [MS-OXCPERM] 2.2.1.1."""

    IncludeFreeBusy = 0x02


class Bookmark(IntEnum):
    """[MS-OXCTABL] 2.2.2.1.1: predefined bookmarks, and those that RopCreateBookmark makes."""

    BOOKMARK_BEGINNING = 0x00
    BOOKMARK_CURRENT = 0x01
    BOOKMARK_END = 0x02
    BOOKMARK_CUSTOM = 0x03


class SeekType(IntEnum):
    """Where RopSeekRow starts to count rows, its Origin field: the predefined bookmarks, [MS-OXCTABL] 2.2.2.8.1."""

    BEGINNING = Bookmark.BOOKMARK_BEGINNING
    CURRENT = Bookmark.BOOKMARK_CURRENT
    END = Bookmark.BOOKMARK_END


class TableStatus(IntEnum):
    """[MS-OXCTABL] 2.2.2.1.3: what a table is doing."""

    TBLSTAT_COMPLETE = 0x00
    TBLSTAT_SORTING = 0x09
    TBLSTAT_SORT_ERROR = 0x0A
    TBLSTAT_SETTING_COLS = 0x0B
    TBLSTAT_SETCOL_ERROR = 0x0D
    TBLSTAT_RESTRICTING = 0x0E
    TBLSTAT_RESTRICT_ERROR = 0x0F


class AsynchronousFlags(IntFlag):
    """[MS-OXCTABL] 2.2.2.1.4, of RopSetColumns, RopSortTable and RopRestrict. Synchronous (TBL_SYNC) is 0."""

    TBL_ASYNC = 0x01


class QueryRowsFlags(IntFlag):
    """[MS-OXCTABL] 2.2.2.5.1. Advance is 0."""

    NoAdvance = 0x01
    EnablePackedBuffers = 0x02


class FindRowFlags(IntFlag):
    """[MS-OXCTABL] 2.2.2.14.1. Forwards is 0."""

    Backwards = 0x01


class RowType(IntEnum):
    """PidTagRowType, [MS-OXCTABL] 2.2.1.4: a row of the folder, or the heading of a group of them."""

    TBL_LEAF_ROW = 0x00000001
    TBL_EMPTY_CATEGORY = 0x00000002
    TBL_EXPANDED_CATEGORY = 0x00000003
    TBL_COLLAPSED_CATEGORY = 0x00000004
