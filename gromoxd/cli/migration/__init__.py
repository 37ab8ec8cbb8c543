"""Mailboxes of other servers brought into ours: read from a folder of Gromox, or copied by IMAP.

`destination` is the mailbox that is filled. Everything that comes carries where it came from, as a named property, so
that a migration that was interrupted goes on, and one that is repeated brings what is new; no file is kept beside it.
"""
