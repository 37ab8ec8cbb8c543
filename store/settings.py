"""Settings of the store worker and its mailboxes."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("exmdb_provider.cfg", "The store: mailboxes and their upkeep.")
@dataclass(frozen=True)
class StoreSettings:
    """A mailbox takes its settings when it is opened."""

    cache_interval: float = setting(60.0, "Close a mailbox that nobody used for this long.", kind="span", low=1)
    store_threads: int = setting(
        8, "Threads of a store worker that commit.", kind="int", low=1, high=256, reload="restart"
    )
    store_long_threads: int = setting(
        4, "Threads of a store worker for searches and exports.", kind="int", low=1, high=256, reload="restart"
    )
    quota_receive_default: int = setting(0, "Size above which a mailbox gets no mail (0: none).", kind="size", low=0)
    quota_storage_default: int = setting(0, "Size above which nothing can be saved (0: none).", kind="size", low=0)
    content_inline_limit: int = setting(
        256 << 10, "Longer message bodies are kept in files below cid/.", kind="size", low=1 << 10, high=16 << 20
    )
    exmdb_file_compression: int = setting(1, "zstd level for message bodies (0: none).", kind="int", low=0, high=19)
    tombstone_age: float = setting(
        90 * 86400.0, "How long deletions are remembered for synchronisation.", kind="span", low=3600
    )
    tombstone_count: int = setting(
        20_000, "At most so many deletions (one may cover many messages) are remembered.", kind="int", low=100
    )
    request_age: float = setting(
        4 * 3600.0, "How long the result of a write is remembered for its retry.", kind="span", low=60
    )
    soft_delete_age: float = setting(
        30 * 86400.0, "How long deleted messages and folders can be recovered.", kind="span", low=0
    )
    largest_message: int = setting(
        256 << 20, "Octets of a message with its attachments that a client may save.", kind="size", low=1 << 20
    )
    most_attachments: int = setting(1024, "Attachments of one message.", kind="int", low=1, high=32_000)
    most_recipients: int = setting(20_000, "Recipients of one message.", kind="int", low=1, high=1_000_000)
    submit_recipients_max: int = setting(1000, "Recipients of one mail that is sent.", kind="int", low=1, high=100_000)
    submit_size_max: int = setting(64 << 20, "Octets of a mail that a client may send.", kind="size", low=1 << 10)
    most_folders: int = setting(10_000, "Folders in one mailbox.", kind="int", low=100, high=1_000_000)
    most_keyword_sets: int = setting(
        65_535, "Different combinations of keywords in one mailbox.", kind="int", low=16, high=(1 << 24) - 1
    )
    lda_junk_rules: str = setting(
        "X-Spam-Flag: yes; X-Spam: yes; X-Spam-Status: yes; X-Rspamd-Action: reject|add header|soft reject;"
        " X-MS-Exchange-Organization-SCL: [5-9]",
        "Header fields of spam, each `Name: regular expression` (from the value's start, any case), semicolons between"
        " them: such mail goes to the folder Junk Email. Empty: none does.",
        kind="str",
    )
    rule_hops_max: int = setting(
        30, "Mail with more Received fields is passed on by no rule and answered by none.", kind="int", low=1, high=1000
    )
    rule_replies_max: int = setting(
        20, "Answers and refusals by rules that one sender gets from a mailbox within an hour.", kind="int", low=1,
        high=100_000,
    )  # fmt: skip
    rule_reply_size_max: int = setting(
        1 << 20, "Largest answer that a rule sends; a rule with a larger template fails.", kind="size", low=1024,
        high=1 << 30,
    )  # fmt: skip
    rule_reply_octets_max: int = setting(
        4 << 20, "Octets of answers by rules that one sender brings about in a mailbox within an hour.", kind="size",
        low=1024, high=1 << 40,
    )  # fmt: skip
    rule_forwards_max: int = setting(
        2000, "Mails of one sender that rules of a mailbox pass on within an hour.", kind="int", low=1, high=1_000_000
    )
    oof_subject: str = setting(
        "Automatic reply:", "What the subject of an out-of-office message begins with.", kind="str"
    )
    deferred_actions_max: int = setting(
        1000, "Deferred action messages, which clients fetch, kept in a mailbox (0: none are made).", kind="int", low=0,
        high=100_000,
    )  # fmt: skip
    index_cache_pages: int = setting(
        2048, "Index pages (9 KB each) that a store worker keeps decoded.", kind="int", low=16, high=1_000_000
    )
    table_cache_size: int = setting(
        24 << 20, "Memory of a store worker for the order of contents tables.", kind="size", low=1 << 20
    )
    sqlite_mmap_size: int = setting(1 << 30, "Part of a mailbox file that is mapped.", kind="size", low=0)
    sqlite_checkpoint_pages: int = setting(
        1000, "Length of the write-ahead log, in 8 KiB pages, at which it is started anew.", kind="int", low=16
    )
